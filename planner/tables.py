"""The spine: tables in, tables out. Reading this file from top to bottom is reading the product.

ServiceArea, CandidateSites      gis: where
  + Exchanges                    meters: what must be said
  -> Links                       planner.links: geometry of every link a technology may use
  -> Plan                        planner.siting: sites built, who is served by whom
  -> Deliveries                  planner.tally: per service and meter, arrived when or why not
  -> Kpis -> Cost                planner.kpis, planner.cost
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import pandas as pd
from numpy.typing import NDArray

from ..channels.technology import Paths, Routes

Array = NDArray[Any]


@dataclass(frozen=True)
class Links:
    """Every link one technology may use, before any replication is drawn.

    paths : geometry as the technology's pillar takes it; sites are rows of ``sites``.
    sites : GeoDataFrame of this technology's possible sites (transformers, candidates or cells):
        ``site_id, key, kind, x_m, y_m, height_m, owner, data_flag, geometry``.
    note : one sentence for the report where not all links were looked at; else empty.
    """

    paths: Paths
    sites: gpd.GeoDataFrame
    note: str = ""

    @property
    def site_ids(self) -> Array:
        """(n_sites,) ids as the user wrote them; transformers have their own column."""
        return self.sites["site_id" if "site_id" in self.sites else "transformer_id"].to_numpy(object)


@dataclass(frozen=True)
class Plan:
    """What is built, and the routes of the median replication.

    built : (n_sites,) bool
    routes : Routes of the first replication, for maps and tables.
    reached_ratio : share of all meters that the siting step could count on.
    gap : relative optimality gap of the siting model, 0 where nothing was optimised.
    note : one sentence for the report.
    """

    built: Array
    routes: Routes
    reached_ratio: float
    gap: float
    note: str


@dataclass(frozen=True)
class ByReplication:
    """Totals of each replication over the usable meters: what intervals over replications are made of.

    read, attempts : (n_replications, n_services) probability to be read by the deadline, and expected transmissions
    n_routed, hops, most_hops : (n_replications,) meters with a way, hops of all of them, and of the longest; 0 for none
    out_of_range : (n_replications,) share of the links in use that lie outside the range of their model
    """

    read: Array
    attempts: Array
    n_routed: Array
    hops: Array
    most_hops: Array
    out_of_range: Array


@dataclass(frozen=True)
class Deliveries:
    """The fate of every service of every usable meter, averaged over replications; (n_services, n_meters) columns.

    p_read_deadline : probability that the data of one period is at the head end, decrypted, by the deadline.
    p_read_low, p_read_high : P10 and P90 over replications.
    latency_p50_s, latency_p95_s : quantiles of the time of all reads that arrive, of whichever replication, see
        ``planner.mixture``; inf where never.
    reason : int8, ``Reason`` that limits; NONE only where served.
    served : bool
    n_served_resampled : (n_resamples, n_services + 1)
        Meters served when the replications are drawn again with replacement, per service and (last column) in all
        services: the spread of the totals that a finite number of replications leaves.
    margin_db, p_link, server, hops, n_servers : (n_meters,) of the plan's own link; hops rounded from their mean
    by_replication : totals before the mean over replications
    """

    services: tuple[str, ...]
    p_read_deadline: Array
    p_read_low: Array
    p_read_high: Array
    latency_p50_s: Array
    latency_p95_s: Array
    attempts: Array
    reason: Array
    served: Array
    n_served_resampled: Array
    margin_db: Array
    p_link: Array
    server: Array
    hops: Array
    n_servers: Array
    out_of_range_ratio: float
    by_replication: ByReplication


@dataclass(frozen=True)
class FeederPicture:
    """One transformer area on its power line in one replication; rows are meters by distance, columns carriers.

    distance_m : (n,) along the cables;  phase : (n,) words;  meter : (n,) meter rows;  served : (n,) bool
    attenuation_db : (n,) from the concentrator, mean over the carriers;  mode_up : (n,) name, or ``none``
    access_ohm : (n, n_carriers) magnitude;  own_access_ohm : (n_carriers,) at the concentrator
    noise_dbuv : (n, n_carriers) mean over the half cycle;  own_noise_dbuv, own_worst_noise_dbuv : (n_carriers,) at the
        concentrator, mean and in the loudest part of the half cycle
    snr_up_db, snr_down_db : (n, n_carriers) mean over the half cycle, -inf beyond the reach
    """

    site_id: str
    distance_m: Array
    phase: Array
    meter: Array
    served: Array
    attenuation_db: Array
    mode_up: Array
    access_ohm: Array
    own_access_ohm: Array
    noise_dbuv: Array
    own_noise_dbuv: Array
    own_worst_noise_dbuv: Array
    snr_up_db: Array
    snr_down_db: Array


@dataclass(frozen=True)
class Feeders:
    """The power line as the first replication draws it.

    frequency_hz : (n_carriers,);  meters : one row a meter with cable, see ``planner.feeders.COLUMNS``
    pictures : areas that the report draws
    """

    frequency_hz: Array
    meters: pd.DataFrame
    pictures: tuple[FeederPicture, ...]


@dataclass(frozen=True)
class StudyResult:
    """One technology in one scenario, from links to money; ``feeders`` and ``areas`` only on power lines.

    areas : one row per transformer area, see ``planner.area_rows.area_rows``
    """

    technology: str
    scenario: str
    links: Links
    plan: Plan
    deliveries: Deliveries
    meters: gpd.GeoDataFrame
    kpis: pd.DataFrame
    cost: pd.DataFrame
    quantities: pd.DataFrame
    feeders: Feeders | None = None
    areas: pd.DataFrame | None = None
    cures: pd.DataFrame | None = None
    places: pd.DataFrame | None = None
