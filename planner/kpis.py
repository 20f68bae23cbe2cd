"""Key figures: one row per meter, one row per figure, and everywhere all meters in as the denominator."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from shapely import points

from ..channels.technology import Reason, Technology
from ..gis.area import ServiceArea
from .remedies import RECORD
from .tables import Deliveries, Links

Array = NDArray[Any]

_LABELS = np.array([reason.label for reason in sorted(Reason)], dtype=object)
_LABELS[Reason.NONE] = ""


def meter_rows(
    technology: Technology,
    scenario: str,
    area: ServiceArea,
    links: Links,
    deliveries: Deliveries,
    remedies: Array,
) -> gpd.GeoDataFrame:
    """One row per service and meter in, usable or listed; columns as the result folder's ``meters.parquet``."""
    site_ids = np.append(links.site_ids, "")
    frames = [
        _service_rows(number, service, area, site_ids, deliveries, remedies)
        for number, service in enumerate(deliveries.services)
    ]
    listed = [_listed_rows(area, service) for service in deliveries.services]
    rows = pd.concat([*frames, *[one for one in listed if len(one)]], ignore_index=True)
    rows.insert(0, "scenario", scenario)
    rows.insert(1, "technology", technology.name)
    return gpd.GeoDataFrame(rows, geometry="geometry", crs=area.crs)


def _service_rows(
    number: int, service: str, area: ServiceArea, site_ids: Array, deliveries: Deliveries, remedies: Array
) -> pd.DataFrame:
    meters = area.meters
    return pd.DataFrame(
        {
            "service": service,
            "meter_id": meters["meter_id"].to_numpy(object),
            "server_id": site_ids[deliveries.server],
            "n_servers": np.round(deliveries.n_servers, 2),
            "hops": deliveries.hops.astype(np.int16),
            "margin_db": _rounded(deliveries.margin_db, 1),
            "p_link": _rounded(deliveries.p_link, 4),
            "p_read_deadline": _rounded(deliveries.p_read_deadline[number], 5),
            "served": deliveries.served[number],
            "latency_p50_s": _rounded(deliveries.latency_p50_s[number], 2),
            "latency_p95_s": _rounded(deliveries.latency_p95_s[number], 2),
            "reason": _LABELS[deliveries.reason[number]],
            "remedy": remedies[number],
            "data_flag": meters["data_flag"].to_numpy(object),
            "geometry": meters.geometry.to_numpy(),
        }
    )


def _listed_rows(area: ServiceArea, service: str) -> pd.DataFrame:
    listed = area.listed[area.listed["layer"] == "meters"]
    if listed.empty:
        return pd.DataFrame()
    x, y = listed["x_m"].to_numpy(float), listed["y_m"].to_numpy(float)
    known = np.isfinite(x) & np.isfinite(y)
    place = np.full(len(listed), None, dtype=object)
    place[known] = points(x[known], y[known])
    return pd.DataFrame(
        {
            "service": service,
            "meter_id": listed["id"].astype(str).to_numpy(object),
            "server_id": "",
            "n_servers": 0.0,
            "hops": np.int16(0),
            "margin_db": -np.inf,
            "p_link": 0.0,
            "p_read_deadline": 0.0,
            "served": False,
            "latency_p50_s": np.inf,
            "latency_p95_s": np.inf,
            "reason": Reason.DATA_MISSING.label,
            "remedy": RECORD,
            "data_flag": listed["code"].astype(str).to_numpy(object),
            "geometry": place,
        }
    )


def _rounded(values: Array, digits: int) -> Array:
    return np.round(np.asarray(values, dtype=np.float64), digits)


def kpi_rows(
    technology: Technology, scenario: str, area: ServiceArea, links: Links, built: Array, deliveries: Deliveries
) -> pd.DataFrame:
    """The key figures of one technology: ``scenario, technology, service, kpi, value, low, high, unit, n``.

    ``n`` is always the denominator: all meters in, listed ones included. ``low`` and ``high`` of the counts of served
    meters are P10 and P90 over resampled replications, widened to hold the value; else they equal the value.
    """
    rows: list[dict[str, Any]] = []
    n = area.n_meters_in
    for number, service in enumerate(deliveries.services):
        rows += _service_kpis(number, deliveries, n, service)
    rows += _plan_kpis(links, built, deliveries, n)
    frame = pd.DataFrame(rows)
    frame.insert(0, "scenario", scenario)
    frame.insert(1, "technology", technology.name)
    return frame[["scenario", "technology", "service", "kpi", "value", "low", "high", "unit", "n"]]


def _service_kpis(number: int, deliveries: Deliveries, n: int, service: str) -> list[dict[str, Any]]:
    served = deliveries.served[number]
    low, high = (float(one) for one in np.percentile(deliveries.n_served_resampled[:, number], [10, 90]))
    low, high = min(low, float(served.sum())), max(high, float(served.sum()))
    p_read = deliveries.p_read_deadline[number]
    base = {"service": service, "n": n}
    rows = [
        {**base, "kpi": "meters_served", "unit": "meters", "value": float(served.sum()), "low": low, "high": high},
        {
            **base,
            "kpi": "served_ratio",
            "unit": "1",
            "value": served.sum() / n,
            "low": low / n,
            "high": high / n,
        },
        _fixed(base, "p_read_deadline_mean", p_read.sum() / n, "1"),
        *_latency_kpis(base, number, deliveries),
        _fixed(base, "expected_transmissions", deliveries.attempts[number].sum() / n, "frames"),
    ]
    counts = np.bincount(deliveries.reason[number], minlength=len(Reason))
    counts[Reason.DATA_MISSING] += n - served.size
    rows += [
        _fixed(base, f"not_served_{reason.label}", float(counts[reason]), "meters")
        for reason in Reason
        if reason is not Reason.NONE and counts[reason]
    ]
    return rows


def _latency_kpis(base: dict[str, Any], number: int, deliveries: Deliveries) -> list[dict[str, Any]]:
    """Median over the served meters of their P50 and P95; no rows where nobody is served."""
    served = deliveries.served[number]
    if not served.any():
        return []
    return [
        _fixed(base, "latency_p50", _served_median(deliveries.latency_p50_s[number], served), "s"),
        _fixed(base, "latency_p95", _served_median(deliveries.latency_p95_s[number], served), "s"),
    ]


def _plan_kpis(links: Links, built: Array, deliveries: Deliveries, n: int) -> list[dict[str, Any]]:
    base = {"service": "", "n": n}
    routed = deliveries.hops > 0
    n_built = int(built.sum())
    return [
        _fixed(base, "sites_built", float(n_built), "sites"),
        _fixed(base, "sites_possible", float(len(links.sites)), "sites"),
        _fixed(base, "meters_per_site", n / n_built if n_built else 0.0, "meters"),
        _fixed(base, "hops_mean", float(deliveries.hops[routed].mean()) if routed.any() else 0.0, "hops"),
        _fixed(base, "hops_max", float(deliveries.hops.max(initial=0)), "hops"),
        _fixed(base, "links_outside_fitted_range_ratio", deliveries.out_of_range_ratio, "1"),
    ]


def _fixed(base: dict[str, Any], kpi: str, value: float, unit: str) -> dict[str, Any]:
    return {**base, "kpi": kpi, "unit": unit, "value": float(value), "low": float(value), "high": float(value)}


def _served_median(values: Array, served: Array) -> float:
    chosen = np.sort(values[served & np.isfinite(values)])
    return float(chosen[(chosen.size - 1) // 2]) if chosen.size else float("inf")
