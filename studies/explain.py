"""Why is this meter red? Plain words, with the numbers of the result folder."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .settings import UserError, suggestion

_WORDS = {
    "budget": "the link budget is short: path loss, shadowing and enclosure together exceed what the radio can bridge",
    "terrain": "the ground stands between the antennas: without it the link would work",
    "building": "the walls around the meter take too much: outside its enclosure the link would work",
    "no_neighbour": "no other meter or site that could forward is near enough",
    "hop_limit": "the way over other meters is longer than the routing allows",
    "capacity": "the link works, but the site or channel has no time left before the deadline",
    "duty_cycle": "the link works, but the radio may not send long enough before the deadline",
    "attenuation": "the cable and the loads along it weaken the signal too much, even in quiet noise",
    "noise": "the signal arrives, but the noise on the cable covers it",
    "cross_phase": "the meter hangs on another phase than the sender, and the coupling between phases is too weak",
    "no_transformer": "no transformer or cable is known for this meter, so no concentrator can reach it by wire",
    "no_cell": "no operator cell is known that reaches this meter",
    "backhaul": "the data arrives at the site, but the site's way to the head end is not reliable enough",
    "not_energised": "the cable to this meter carries no voltage",
    "data_missing": "the input record is not usable (see its audit code), so nothing can be planned for it",
}


def explanation(folder: Path, meter_id: str) -> str:
    """What the study found for one meter, a few lines per technology.

    Raises UserError where the folder holds no results, or the meter is not in them.
    """
    path = folder / "meters.parquet"
    if not path.is_file():
        raise UserError(f"{folder}: no meters.parquet here; run `amiplan run CASE.toml -o {folder}` first")
    rows = pd.read_parquet(path, columns=list(_COLUMNS))
    mine = rows[rows["meter_id"] == meter_id]
    if mine.empty:
        raise UserError(f"{path}: no meter {meter_id!r}; {suggestion(meter_id, set(rows['meter_id']))[:200]}")
    lines = [f"Meter {meter_id}" + _flag(str(mine["data_flag"].iloc[0]))]
    for technology, group in mine.groupby("technology", sort=False):
        lines += ["", f"{technology}: {_verdict(group)}"]
        lines += [f"  {_service(row)}" for row in group.to_dict("records")]
        lines += [f"  {line}" for line in _link(group.iloc[0])]
    return "\n".join(lines)


_COLUMNS = (
    "technology",
    "service",
    "meter_id",
    "server_id",
    "n_servers",
    "hops",
    "margin_db",
    "p_link",
    "p_read_deadline",
    "served",
    "latency_p50_s",
    "latency_p95_s",
    "reason",
    "remedy",
    "data_flag",
)


def _flag(flag: str) -> str:
    return f" (inferred: {flag.replace('+', ', ').replace('_', ' ')})" if flag else " (as given)"


def _verdict(group: pd.DataFrame) -> str:
    return "green, served in all services" if group["served"].all() else "red, not served in all services"


def _service(row: dict[Hashable, Any]) -> str:
    text = f"{row['service']}: read by the deadline with probability {float(row['p_read_deadline']):.1%}"
    p95 = float(row["latency_p95_s"])
    if np.isfinite(p95):
        text += f", 95 % of readings within {_duration(p95)}"
    if not row["served"]:
        text += f". Reason {row['reason']}: {_WORDS.get(str(row['reason']), 'not known')}."
        text += f" First remedy: {str(row['remedy']).replace('_', ' ')}." if row["remedy"] else ""
    return text


def _link(row: pd.Series) -> list[str]:
    if row["hops"] == 0:
        margin = float(row["margin_db"])
        return (
            [f"no route; its best link misses {-margin:.1f} dB"] if np.isfinite(margin) and margin < 0 else ["no route"]
        )
    way = "direct" if row["hops"] == 1 else f"over {int(row['hops'])} links"
    return [
        f"{way} to {row['server_id']}, median link margin {row['margin_db']:.1f} dB, one frame arrives with "
        f"{row['p_link']:.1%}" + (f", heard by {row['n_servers']:.1f} sites" if row["n_servers"] > 1.5 else "")
    ]


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
