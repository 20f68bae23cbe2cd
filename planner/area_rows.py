"""From the tally of transformer areas to rows: one per area, and the key figures over all of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..gis.area import ServiceArea
from .areas import HOP_COLUMNS, AreaTally

Array = NDArray[Any]

AREA_COLUMNS = (
    "scenario", "technology", "site_id", "n_meters", "n_served", "n_served_low", "n_served_high", "read_ratio",
    "read_low", "read_high", *HOP_COLUMNS, "mode_mix", "relay_id", "relay_airtime_ratio", "relay_dependants",
    "all_read_ratio", "read_all_s", "read_all_p95_s", "read_reached_s",
)  # fmt: skip
"""Columns of ``areas.csv``; see `area_rows`."""


def area_rows(tally: AreaTally, technology: str, scenario: str, area: ServiceArea) -> pd.DataFrame:
    """One row per transformer area, sorted by id, and one without id for meters of no known area and listed ones.

    Returns
    -------
    DataFrame ``AREA_COLUMNS``. ``n_meters`` adds up to the meters in. ``read_ratio`` is the share of the area's meters
    read in all services by the deadline at the head end, mean over replications, with P10 and P90 over them;
    ``n_served`` the meters that reach the service level, with P10 and P90 over resampled replications. Ratios of hops
    are means over meters and replications; ``mode_mix`` shares of the links in use, each direction once. The relay is
    the meter that forwards longest, with its share of all forwarding in the area and the meters behind it, mean over
    replications. ``read_all_s`` and ``read_all_p95_s``: time from the start of collection until every day profile of
    the area is there, mean and P95 over replications, inf where they are not all read in so many; ``all_read_ratio``:
    share of replications in which all are; ``read_reached_s``: time until the last of those that are read.
    """
    n_areas = tally.hops.shape[0]
    ids = np.append(area.transformers["transformer_id"].to_numpy(dtype=object), "")
    meter_id = area.meters["meter_id"].to_numpy(dtype=object)
    n_listed = area.n_meters_in - area.n_meters
    rows = [
        _row(tally, row, str(ids[row]), meter_id, n_listed if row == n_areas - 1 else 0)
        for row in [*np.argsort(ids[:-1].astype(str), kind="stable").tolist(), n_areas - 1]
    ]
    frame = pd.DataFrame([one for one in rows if one["site_id"] or one["n_meters"]])
    return frame.assign(scenario=scenario, technology=technology)[list(AREA_COLUMNS)]


def _row(tally: AreaTally, row: int, site_id: str, meter_id: Array, n_listed: int) -> dict[str, Any]:
    n_known = int(tally.n_meters[row])
    n = n_known + n_listed
    known = n_known / n if n else 0.0
    hops = tally.hops[row] / max(float(tally.hops[row].sum()), 1.0) * known
    hops[0] = 1.0 - hops[1:].sum() if n else 0.0
    low, high = np.percentile(tally.read[:, row], [10, 90])
    return {
        "site_id": site_id,
        "n_meters": n,
        **dict(zip(("n_served", "n_served_low", "n_served_high"), tally.served[row].tolist(), strict=True)),
        "read_ratio": _ratio(tally.read[:, row].mean() * known),
        "read_low": _ratio(low * known),
        "read_high": _ratio(high * known),
        **{name: _ratio(share) for name, share in zip(HOP_COLUMNS, hops, strict=True)},
        "mode_mix": _mode_mix(tally, row),
        **_relay(tally, row, meter_id),
        **_times(tally, row, n_known if not n_listed else 0),
    }


def _mode_mix(tally: AreaTally, row: int) -> str:
    """Waveforms and their shares, most robust first, such as ``ROBO 0.25, DBPSK 0.75``."""
    counts = tally.modes[row]
    shares = counts / max(float(counts.sum()), 1.0)
    return ", ".join(f"{name} {share:.3g}" for name, share in zip(tally.mode_names, shares, strict=False) if share)


def _relay(tally: AreaTally, row: int, meter_id: Array) -> dict[str, Any]:
    """The meter of the area that forwards longest; of equal ones that with more meters behind it, then by id."""
    inside = np.flatnonzero((tally.owner == row) & (tally.dependants > 0))
    if not inside.size:
        return {"relay_id": "", "relay_airtime_ratio": 0.0, "relay_dependants": 0.0}
    ids = meter_id[inside].astype(str)
    first = inside[np.lexsort((ids, -tally.dependants[inside], -tally.forwarding_s[inside]))[0]]
    share = tally.forwarding_s[first] / max(float(tally.forwarding_s[inside].sum()), 1e-30)
    behind = tally.dependants[first] / tally.read.shape[0]
    return {
        "relay_id": str(meter_id[first]),
        "relay_airtime_ratio": _ratio(share),
        "relay_dependants": round(float(behind), 2),
    }


def _times(tally: AreaTally, row: int, n_meters: int) -> dict[str, float]:
    """Times of an area; one without meters has nothing to wait for, one with listed meters is never read whole."""
    all_s, some_s = tally.read_all_s[:, row], tally.reached_s[:, row]
    if not n_meters:
        all_s = np.full(all_s.size, np.inf if tally.n_meters[row] else 0.0)
    ordered = np.sort(all_s)
    return {
        "all_read_ratio": _ratio(np.isfinite(all_s).mean()),
        "read_all_s": round(float(all_s.mean()), 1),
        "read_all_p95_s": round(float(ordered[int(np.ceil(0.95 * ordered.size)) - 1]), 1),
        "read_reached_s": round(float(some_s.mean()), 1),
    }


def _ratio(value: Any) -> float:
    return round(float(value), 5) + 0.0


def area_kpis(rows: pd.DataFrame, n_meters_in: int) -> pd.DataFrame:
    """Key figures of the areas of one technology: ``service, kpi, value, low, high, unit, n`` as in ``kpis.csv``.

    Shares are of all meters in. Worst area and times look at areas with meters only; a time of never is inf.
    """
    weight = rows["n_meters"].to_numpy(float) / max(n_meters_in, 1)
    known = rows[(rows["n_meters"] > 0) & (rows["site_id"] != "")]
    if known.empty:
        return pd.DataFrame()
    worst = known.sort_values(["read_ratio", "site_id"], kind="stable").iloc[0]
    ordered = np.sort(known["read_reached_s"].to_numpy(float))
    figures = [
        ("share_of_meters_direct", float(weight @ rows["direct_ratio"].to_numpy(float)), None, "1"),
        ("share_of_meters_without_route", float(weight @ rows["no_route_ratio"].to_numpy(float)), None, "1"),
        ("reads_by_the_deadline_in_the_worst_area", float(worst["read_ratio"]), worst, "1"),
        ("areas_read_whole_in_every_replication", float((known["all_read_ratio"] == 1).sum()), None, "areas"),
        ("time_to_read_an_area_median", float(ordered[(ordered.size - 1) // 2]), None, "s"),
        ("time_to_read_an_area_longest", float(ordered[-1]), None, "s"),
    ]
    return pd.DataFrame(
        [
            {
                "service": "",
                "kpi": kpi,
                "value": value,
                "low": value if area is None else min(float(area["read_low"]), value),
                "high": value if area is None else max(float(area["read_high"]), value),
                "unit": unit,
                "n": n_meters_in,
            }
            for kpi, value, area, unit in figures
        ]
    )
