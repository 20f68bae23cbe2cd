"""Transformer areas with unserved meters, cut out of the whole: where cures are tried on the same draws.

Everything hangs on keys, so an area alone fares as it does within the whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..channels.draws import Draws
from ..channels.paths import CablePaths
from ..channels.powerline.line_parameters import LineParameters
from ..channels.powerline.parts import part_of
from ..channels.scenario import Scenario
from ..channels.technology import Exchanges, LinkQuality, Reason, Technology
from ..gis.area import ServiceArea
from .backhaul import BackhaulKind, left_for_access
from .positions import PositionMix
from .remedies import RemedySettings
from .replicate import Part, Replication, parts_of, replicate, to_head_end
from .settings import PlannerSettings
from .tables import Deliveries, Links

Array = NDArray[Any]

HALF = 0.5
"""A replication counts a meter as failing where it is not read more probably than read."""

NOT_OF_THE_LINE = (Reason.BACKHAUL, Reason.NO_TRANSFORMER, Reason.DATA_MISSING, Reason.NOT_ENERGISED)
"""What no change of the power line mends."""


@dataclass(frozen=True)
class Patch:
    """One transformer area with unserved meters; its site is row 0.

    links : of this area alone;  exchanges : of its meters;  meter : (n,) rows of the whole
    meter_id : (n,);  site_id : of the transformer;  feeder_x_m, feeder_y_m : (n_feeder_nodes,)
    p_arrive : (n_replications, n_services, n) at the head end, of the whole simulation
    unserved : rows that a change of the line could mend;  reason : (n,) ``Reason`` of their worst service
    replications : numbers of those in which cures are tried
    most_meters : that one concentrator keeps;
    """

    technology: Technology
    links: Links
    exchanges: Exchanges
    scenario: Scenario
    places: PositionMix
    backhaul: BackhaulKind
    settings: RemedySettings
    seed: int
    start_h: float
    read_probability: float
    most_meters: int
    meter: Array
    meter_id: Array
    site_id: str
    feeder_x_m: Array
    feeder_y_m: Array
    p_arrive: Array
    unserved: Array
    reason: Array
    replications: Array

    @property
    def paths(self) -> CablePaths:
        """Cables and links of the area."""
        paths = self.links.paths
        assert isinstance(paths, CablePaths)
        return paths

    @property
    def line(self) -> LineParameters:
        """The technology as the power line sees it."""
        assert isinstance(self.technology, LineParameters)
        return self.technology

    @property
    def fails(self) -> Array:
        """(n_replications, n) bool: not read in all services."""
        return failing(self.p_arrive)

    @property
    def parts(self) -> tuple[Part, ...]:
        """Parts of the collection window in which nothing changes."""
        window_s = max(left_for_access(self.exchanges, self.backhaul).window_s)
        return parts_of(self.technology, self.scenario, self.start_h, window_s)

    def read(
        self,
        replication: int,
        paths: CablePaths | None = None,
        technology: Technology | None = None,
        known: Mapping[str, LinkQuality] | None = None,
    ) -> tuple[Replication, Array]:
        """The area in one replication, as it is or changed; ``known`` : links that were assessed before.

        Returns
        -------
        The replication, and the probability to arrive at the head end, (n_services, n_meters of ``paths``).
        """
        kind, who = self.backhaul, self.technology if technology is None else technology
        links = self.links if paths is None else replace(self.links, paths=paths)
        one = replicate(
            who,
            links,
            left_for_access(self.exchanges, kind),
            np.ones(1, bool),
            self.scenario,
            self.places,
            Draws(self.seed, replication),
            self.start_h,
            known,
        )
        one, outcome = to_head_end(one, self.exchanges, self.most_meters, kind)
        return one, outcome.p_arrive

    def assessed(self, replication: int, paths: CablePaths) -> dict[str, LinkQuality]:
        """Links of the changed area in one replication, by the ``time`` of the scenario's power line."""
        draws, scenarios = Draws(self.seed, replication), [part.scenario for part in self.parts]
        by_time = {one.powerline.time: one for one in scenarios}
        return {time: self.technology.assess(paths, one, draws) for time, one in by_time.items()}


def failing(p_arrive: Array) -> Array:
    """(..., n) bool of (..., n_services, n): the meter is not read in all services."""
    return np.asarray(p_arrive.min(axis=-2) < HALF)


def patches_of(
    technology: Technology,
    links: Links,
    exchanges: Exchanges,
    deliveries: Deliveries,
    p_arrive: Array,
    most_meters: int,
    area: ServiceArea,
    settings: PlannerSettings,
) -> tuple[Patch, ...]:
    """The areas in which cures shall be tried, most unserved meters first; none where the technology is not on wires.

    Parameters
    ----------
    p_arrive : (n_replications, n_services, n_meters) at the head end;  most_meters : that one concentrator keeps
    """
    paths, wanted = links.paths, settings.remedies
    if not (wanted.compute and isinstance(paths, CablePaths) and isinstance(technology, LineParameters)):
        return ()
    worst = deliveries.p_read_deadline.argmin(axis=0)
    reason = deliveries.reason[worst, np.arange(paths.n_meters)]
    owner = np.append(paths.feeder_area, -1)[paths.meter_feeder_node]
    curable = ~deliveries.served.all(axis=0) & (owner >= 0) & ~np.isin(reason, NOT_OF_THE_LINE)
    count = np.bincount(owner[curable], minlength=paths.n_sites)
    key = paths.node_key[paths.n_meters :]
    order = np.lexsort((key, -count))
    order = order[(count[order] > 0) & (np.cumsum(count[order]) <= wanted.cure_meters)]
    meter_id = area.meters["meter_id"].to_numpy(object)
    found = []
    for site in order.tolist():
        part = part_of(paths, np.array([site]))
        unserved = np.flatnonzero(curable[part.meter])
        p = p_arrive[:, :, part.meter]
        found.append(
            Patch(
                technology,
                Links(part.paths, links.sites.iloc[[site]], links.note),
                _only(exchanges, part.meter, paths.n_meters),
                settings.scenario,
                settings.positions,
                settings.backhaul.of(operator=False),
                wanted,
                settings.simulation.seed,
                settings.service.start_h,
                settings.service.read_probability,
                most_meters,
                part.meter,
                meter_id[part.meter],
                str(links.site_ids[site]),
                area.feeders.node_x_m[part.feeder_node],
                area.feeders.node_y_m[part.feeder_node],
                p,
                unserved,
                reason[part.meter],
                worst_replications(failing(p)[:, unserved], wanted.cure_replications),
            )
        )
    return tuple(found)


def worst_replications(fails: Array, n_wanted: int) -> Array:
    """Replications in which most meters fail, such that each meter fails in at least one of them where it can.

    Parameters
    ----------
    fails : (n_replications, n_meters) bool
    n_wanted : so many, at most all; more where otherwise a meter would fail in none

    Returns
    -------
    Numbers in rising order. A meter counts the less the more of its failing replications are there already.
    """
    n, left = fails.shape[0], fails.any(axis=0)
    seen = np.zeros(fails.shape[1])
    chosen: list[int] = []
    while len(chosen) < n and (len(chosen) < n_wanted or (left & (seen == 0)).any()):
        gain = (fails / (1 + seen) ** 2).sum(axis=1)
        gain[chosen] = -1
        chosen.append(int(gain.argmax()))
        seen += fails[chosen[-1]]
    return np.sort(np.array(chosen, np.int64))


def _only(exchanges: Exchanges, meter: Array, n_meters: int) -> Exchanges:
    """The exchanges of some meters, renumbered."""
    row = np.full(n_meters, -1, np.int64)
    row[meter] = np.arange(meter.size)
    own = row[exchanges.meter]
    some = own >= 0
    return replace(
        exchanges,
        exchange=exchanges.exchange[some],
        leg=exchanges.leg[some],
        meter=own[some].astype(exchanges.meter.dtype),
        service=exchanges.service[some],
        direction=exchanges.direction[some],
        bytes=exchanges.bytes[some],
        depends_on=exchanges.depends_on[some],
        not_before_s=exchanges.not_before_s[some],
        timeout_s=exchanges.timeout_s[some],
        tries=exchanges.tries[some],
    )
