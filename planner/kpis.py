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

    ``n`` is always the denominator: all meters in, listed ones included. ``low`` and ``high`` are P10 and P90, widened
    to hold the value: of meters served over resampled replications; of reads that arrive, frames sent, hops and links
    outside their range over replications. Times, reasons and sites have none: both equal the value. Hops are those of
    all meters with a way in all replications: their mean, and the most of any.
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
    each = deliveries.by_replication
    p_mean, sent = deliveries.p_read_deadline[number].sum() / n, deliveries.attempts[number].sum() / n
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
        _spread(base, "p_read_deadline_mean", p_mean, "1", each.read[:, number] / n),
        *_latency_kpis(base, number, deliveries),
        _spread(base, "expected_transmissions", sent, "frames", each.attempts[:, number] / n),
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
    """Median over the served meters of their P50 and P95 over all reads of them; no rows where nobody is served."""
    served = deliveries.served[number]
    if not served.any():
        return []
    return [
        _fixed(base, "latency_p50", _served_median(deliveries.latency_p50_s[number], served), "s"),
        _fixed(base, "latency_p95", _served_median(deliveries.latency_p95_s[number], served), "s"),
    ]


def _plan_kpis(links: Links, built: Array, deliveries: Deliveries, n: int) -> list[dict[str, Any]]:
    base, each = {"service": "", "n": n}, deliveries.by_replication
    n_built, some = int(built.sum()), each.n_routed > 0
    mean_hops = float(each.hops.sum() / max(each.n_routed.sum(), 1))
    hops_of_each = each.hops[some] / each.n_routed[some] if some.any() else np.zeros(1)
    return [
        _fixed(base, "sites_built", float(n_built), "sites"),
        _fixed(base, "sites_possible", float(len(links.sites)), "sites"),
        _fixed(base, "meters_per_site", n / n_built if n_built else 0.0, "meters"),
        _spread(base, "hops_mean", mean_hops, "hops", hops_of_each),
        _spread(base, "hops_max", float(each.most_hops.max()), "hops", each.most_hops),
        _spread(base, "links_outside_fitted_range_ratio", deliveries.out_of_range_ratio, "1", each.out_of_range),
    ]


def _spread(base: dict[str, Any], kpi: str, value: float, unit: str, of_each: Array) -> dict[str, Any]:
    """A figure with P10 and P90 of what it is in each replication."""
    low, high = (float(one) for one in np.percentile(of_each, [10, 90]))
    return _fixed(base, kpi, value, unit) | {"low": min(low, float(value)), "high": max(high, float(value))}


def _fixed(base: dict[str, Any], kpi: str, value: float, unit: str) -> dict[str, Any]:
    return {**base, "kpi": kpi, "unit": unit, "value": float(value), "low": float(value), "high": float(value)}


def _served_median(values: Array, served: Array) -> float:
    chosen = np.sort(values[served & np.isfinite(values)])
    return float(chosen[(chosen.size - 1) // 2]) if chosen.size else float("inf")
