"""Where every meter stands: served, or the one reason why not, over all services; and who serves it cheapest."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from ..planner.tables import StudyResult
from .study import Study
from .styles import BY_WORD, NARROW, SERVED, Look

Array = NDArray[Any]

SURE = 0.99
"""Served meters below this probability get a lighter colour."""


def slug(study: Study, result: StudyResult) -> str:
    """Short name of a result in addresses and layer columns; carries the scenario only where there are several."""
    several = len({r.scenario for r in study.results}) > 1
    return f"{result.scenario}-{result.technology}" if several else result.technology


def meter_states(study: Study, result: StudyResult) -> pd.DataFrame:
    """One row a meter in: its fate over all services of one technology.

    Returns
    -------
    DataFrame (n_meters_in,) ``meter_id, x_m, y_m, located, served, p_read_deadline, reason, server_id, hops,
    margin_db, data_flag``; served means by every service; probability, reason and margin are those of the worst one.

    Raises ValueError where the study does not hold every meter in, once for each service.
    """
    rows = study.meters
    rows = rows[(rows.technology == result.technology) & (rows.scenario == result.scenario)]
    per_service = rows.groupby("service", sort=True).size()
    if len(per_service) == 0 or (per_service != study.area.n_meters_in).any():
        raise ValueError(
            f"study.meters holds {dict(per_service)} rows for {result.technology} in scenario {result.scenario}, but "
            f"{study.area.n_meters_in} meters are in: list every meter once for each service"
        )
    twin = rows.groupby(["service", "meter_id"]).cumcount()
    rows = rows.assign(twin=twin).sort_values(
        ["meter_id", "twin", "served", "p_read_deadline", "service"], kind="stable"
    )
    worst = rows.drop_duplicates(["meter_id", "twin"])
    return _with_places(worst.reset_index(drop=True))


def _with_places(worst: Any) -> pd.DataFrame:
    points = worst.geometry.to_numpy()
    located = ~(shapely.is_missing(points) | shapely.is_empty(points))
    columns = ["meter_id", "served", "p_read_deadline", "reason", "server_id", "hops", "margin_db", "data_flag"]
    table = pd.DataFrame(worst[columns])
    places = {
        "x_m": np.where(located, shapely.get_x(points), np.nan),
        "y_m": np.where(located, shapely.get_y(points), np.nan),
    }
    return table.assign(**places, located=located, served=table.served.astype(bool))


def state_looks(states: pd.DataFrame) -> list[tuple[Look, Array]]:
    """How the meters divide: (look, mask) pairs, no meter in two and none in no pair; served first, then by count.

    Raises ValueError where a meter that is not served carries no known reason.
    """
    served, p = states.served.to_numpy(bool), states.p_read_deadline.to_numpy(float)
    reason = states.reason.to_numpy(str)
    unknown = sorted(set(reason[~served]) - set(BY_WORD))
    if unknown:
        raise ValueError(f"meters not served carry the reason {unknown[0]!r}: give one of {', '.join(BY_WORD)}")
    pairs = [(SERVED, served & (p >= SURE)), (NARROW, served & (p < SURE))]
    rest = [(look, ~served & (reason == word)) for word, look in BY_WORD.items()]
    rest.sort(key=lambda pair: -int(pair[1].sum()))
    return [(look, mask) for look, mask in [*pairs, *rest] if mask.any()]


def cheapest_serving(study: Study, scenario: str) -> pd.DataFrame:
    """Per meter in, the technology with the lowest yearly cost among those that serve it for all services.

    Returns
    -------
    DataFrame (n_meters_in,) ``meter_id, x_m, y_m, located, technology, n_serving, eac_per_meter``; technology is
    empty and the cost infinite where none serves. Cost is the technology's equivalent annual cost per meter over
    the whole area, at equal service; ties go to the order of the case file.
    """
    results = [r for r in study.results if r.scenario == scenario]
    tco = study.tco[study.tco.scenario == scenario].set_index("technology").eac_per_meter
    states = [meter_states(study, r) for r in results]
    served = np.stack([s.served.to_numpy(bool) for s in states])
    cost = np.array([float(tco[r.technology]) for r in results])
    offer = np.where(served, cost[:, None], np.inf)
    best = offer.argmin(axis=0)
    names = np.array([r.technology for r in results], dtype=object)
    first = states[0]
    return pd.DataFrame(
        {
            "meter_id": first.meter_id,
            "x_m": first.x_m,
            "y_m": first.y_m,
            "located": first.located,
            "technology": np.where(served.any(axis=0), names[best], ""),
            "n_serving": served.sum(axis=0),
            "eac_per_meter": offer.min(axis=0),
        }
    )


def site_table(result: StudyResult) -> gpd.GeoDataFrame:
    """The possible sites of a result with one set of columns, in engine order.

    Returns
    -------
    GeoDataFrame (n_sites,) ``site_id, kind, x_m, y_m, height_m, owner, data_flag, geometry``; a transformer goes by
    its own id, and its height is missing where the area gives none.
    """
    sites = result.links.sites
    if "site_id" not in sites:
        sites = sites.rename(columns={"transformer_id": "site_id"})
    if "height_m" not in sites:
        sites = sites.assign(height_m=np.nan)
    return sites[["site_id", "kind", "x_m", "y_m", "height_m", "owner", "data_flag", "geometry"]]


def share(part: int, whole: int) -> str:
    """Percent with one decimal, such as ``89.1 %``; a dash where there is nothing to divide by."""
    return f"{100.0 * part / whole:.1f} %" if whole else "–"


def count(n: int) -> str:
    """A count with narrow spaces between thousands."""
    return f"{int(n):,}".replace(",", "\u202f")
