"""Switching and faults in the report: a sentence for each, and the numbers as a table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from .report_tables import Table
from .states import count
from .study import Study
from .words import clock, percent

FAULT_WORDS = {
    "feeder_moved": "Feeder moved",
    "concentrator_out": "Concentrator out",
    "repeater_lost": "Repeater lost",
}
"""The faults of ``planner.faults`` in plain words."""
SHOWN_IDS = 5
_NONE = "–"


def fault_draws(study: Study) -> str:
    """How many replications the shares before and after rest on, in a sentence; empty where there are no faults."""
    if not len(study.faults):
        return ""
    n = int(study.faults["replications"].iloc[0])
    return (
        f"Shares before and after rest on {count(n)} replication{'s' if n != 1 else ''} only ([faults] replications), "
        "times and joins on the first of them."
    )


def fault_sentences(study: Study) -> list[str]:
    """What each fault does with each technology, in the order of the file."""
    found = []
    for (technology, fault, site, other), rows in study.faults.groupby(
        ["technology", "fault", "site_id", "other_id"], sort=False
    ):
        first = rows.iloc[0]
        where = f"{study.label(str(technology))}, {FAULT_WORDS[str(fault)].lower()}, area {site}"
        where += f" to {other}" if other else ""
        found.append(
            f"{where} ({first['detail']}): {_told(first)}." if first["group"] else f"{where}: {first['detail']}."
        )
    return found


def _told(row: pd.Series) -> str:
    n = int(row["n_meters"])
    if not n:
        return "no meter is concerned"
    parts = [_missed(row, n), _joins(row), _readings(row, n)]
    after = "in the first collection after it" if row["missed_days"] else "after"
    parts.append(f"read by the deadline before {_share(row['read_before'])}, {after} {_share(row['read_after'])}")
    return "; ".join(part for part in parts if part)


def _missed(row: pd.Series, n: int) -> str:
    """What is not read while the fault lasts; nothing where somebody goes on reading."""
    days = int(row["missed_days"])
    if not days:
        return ""
    what = f"nobody is read meanwhile: up to {count(n * days)} daily reads miss their deadline"
    return f"{what} ({count(n)} meters, {count(days)} day{'s' if days != 1 else ''})"


def _joins(row: pd.Series) -> str:
    n_joined = int(np.nan_to_num(row["n_joined"]))
    if not n_joined:
        return "nobody had to join again" if _stayed(row["n_joined"], row["n_back"]) else ""
    times = f"half of them after {clock(row['joined_median_s'])}, the last after {clock(row['joined_last_s'])}"
    return f"{count(n_joined)} joined again, {times}"


def _stayed(n_joined: float, n_back: float) -> bool:
    """Whether meters were read after the fault although none of them joined: they had never left."""
    return bool(n_joined == 0 and n_back > 0)


def _readings(row: pd.Series, n: int) -> str:
    n_back = int(np.nan_to_num(row["n_back"]))
    watched = clock(row["watched_s"])
    if not n_back:
        return f"none of the {count(n)} was read again within {watched}"
    half = clock(row["back_median_s"]) if np.isfinite(row["back_median_s"]) else f"more than {watched}"
    last = f"the last after {clock(row['back_last_s'])}" if n_back == n else f"the others not within {watched}"
    what = "been read, the missed days included" if row["fault"] == "concentrator_out" else "been read"
    return f"{count(n_back)} of {count(n)} had {what}, half after {half}, {last}"


def fault_table(study: Study) -> Table | None:
    """All rows of the faults; None where there are none."""
    rows = study.faults
    if not len(rows):
        return None
    head = ("Technology", "Fault", "Area", "Meters concerned", "Meters", "Read by the deadline before",
            "Reads missed meanwhile", "After",
            "Joined again: half, last", "First exchange: half", "All read: half, last", "Not back")  # fmt: skip
    lines = tuple(_line(study, row) for row in rows.to_dict("records"))
    return Table("Who is read, and after how long", head, lines, (*([False] * 4), *([True] * 7), False))


def _line(study: Study, row: dict[Any, Any]) -> tuple[str, ...]:
    site = str(row["site_id"]) + (f" to {row['other_id']}" if row["other_id"] else "")
    return (
        study.label(str(row["technology"])),
        FAULT_WORDS[str(row["fault"])],
        site,
        str(row["group"]) or str(row["detail"]),
        count(row["n_meters"]),
        _share(row["read_before"]),
        count(int(row["n_meters"] * row["missed_days"])),
        _share(row["read_after"]),
        "nobody had to"
        if _stayed(row["n_joined"], row["n_back"])
        else _pace(row["n_joined"], row["joined_median_s"], row["joined_last_s"]),
        clock(row["first_median_s"]),
        _pace(row["n_back"], row["back_median_s"], row["back_last_s"]),
        _ids(str(row["not_back"])),
    )


def _pace(n: float, half_s: float, last_s: float) -> str:
    """How many, and when half of all and the last of all."""
    if np.isnan(n) or not n:
        return _NONE if np.isnan(n) else "0"
    return f"{count(int(n))}: {clock(half_s)}, {clock(last_s)}"


def _share(value: float) -> str:
    return _NONE if np.isnan(value) else percent(value)


def _ids(text: str) -> str:
    ids = text.split()
    return ", ".join(ids[:SHOWN_IDS]) + (f" and {len(ids) - SHOWN_IDS} more" if len(ids) > SHOWN_IDS else "") or _NONE
