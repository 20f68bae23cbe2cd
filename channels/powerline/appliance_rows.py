"""Rows of the tables of loads: read, changed by a user, and checked one by one."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Row = dict[str, Any]

WORDS = {"idle": ("open", "connected"), "circuit": ("steady", "rectifier")}
"""Columns of words, and the words they take."""

DOCUMENTATION = ("source", "confidence")
"""Columns for the reader, which no formula uses."""


@lru_cache(maxsize=3)
def rows_of(file: str) -> dict[str, Row]:
    """Rows of a table by the name in the first column, numbers where cells are numbers; kept: copy before changing."""
    text = (Path(__file__).parent / file).read_text(encoding="utf-8").splitlines()
    reader = csv.DictReader(line for line in text if not line.startswith("#"))
    first = (reader.fieldnames or [""])[0]
    return {row[first]: {key: _cell(row[key]) for key in row if key not in (first, *DOCUMENTATION)} for row in reader}


def _cell(text: str) -> float | str:
    """A number where the text is one."""
    try:
        return float(text)
    except ValueError:
        return text


def profile_row(name: str, values: Any) -> Row:
    """A user's profile as a row of the table of hours."""
    if not isinstance(values, (list, tuple)) or len(values) != 24:
        raise ValueError(f"hours {name!r} needs 24 numbers, one for each whole hour from 0 to 23")
    if not all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
        raise ValueError(f"hours {name!r} = {list(values)}: a number is needed for every hour")
    return {f"h{hour:02d}": value for hour, value in enumerate(values)}


def appliance_row(name: str, changes: Any, built_in: dict[str, Row]) -> Row:
    """A built-in row with a user's changes, or a new one."""
    if not isinstance(changes, Mapping):
        raise ValueError(f"appliance {name!r} = {changes!r}: a table with columns of appliances.csv is needed")
    changes = dict(changes)
    like = changes.pop("like", name if name in built_in else None)
    if like is None:
        missing = next((key for key in next(iter(built_in.values())) if key not in changes), None)
        if missing:
            raise ValueError(f"appliance {name!r} is new and has no {missing}; give it, or like = a known appliance")
        like = next(iter(built_in))
    if not isinstance(like, str):
        raise ValueError(f"appliance {name!r} like = {like!r}: a text in quotes is needed, the name of an appliance")
    check_known(like, built_in, f"appliance {name!r} like")
    return changed_row(built_in[like], changes, f"appliance {name!r}")


def changed_row(row: Row, changes: Mapping[str, Any], where: str) -> Row:
    """A row with other values; words stay words and numbers numbers."""
    if not isinstance(changes, Mapping):
        raise ValueError(f"{where} = {changes!r}: a table of columns and numbers is needed")
    for key, value in changes.items():
        check_known(key, row, where)
        if isinstance(row[key], str) != isinstance(value, str) or isinstance(value, bool):
            kind = "a text in quotes" if isinstance(row[key], str) else "a number"
            raise ValueError(f"{where} {key} = {value!r}: {kind} is needed")
    return row | dict(changes)


def check_known(name: str, names: Iterable[str], where: str) -> None:
    """Refuse a name that the table does not have."""
    if name not in (known := list(names)):
        near = get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
        raise ValueError(f"{where}: {name!r} is unknown; {hint}")


def check_words(row: Row, day: Mapping[str, Array], where: str) -> None:
    """Words of one row, and how many devices there may be."""
    for key, words in WORDS.items():
        check_known(row[key], words, f"{where} {key}")
    check_known(row["hours"], day, f"{where} hours")
    if row["phases"] not in (1, 3):
        raise ValueError(f"{where} phases = {row['phases']:g}: give 1 or 3")
    if not 1 <= row["most"] <= 50 or row["most"] % 1:
        raise ValueError(f"{where} most = {row['most']:g}: give a whole number from 1 to 50")


def numbers(row: Row, keys: Iterable[str], where: str, largest: float) -> Array:
    """Numbers of a row within 0 to ``largest``."""
    for key in keys:
        if not 0 <= row[key] <= largest:
            raise ValueError(f"{where} {key} = {row[key]}: give 0 to {largest:g}")
    return np.array([float(row[key]) for key in keys])


def ranges(row: Row, parts: Mapping[str, float], where: str) -> Array:
    """Lower and upper limits of the parts in SI units, (2, n_parts)."""
    for key in parts:
        low, high = row[f"{key}_low"], row[f"{key}_high"]
        if not (0 < low <= high < np.inf or low == high == 0):
            raise ValueError(f"{where} {key}: {low} to {high} is no range; give 0 < low <= high, or 0 to 0 for none")
    return np.array([[row[f"{key}_{end}"] * unit for key, unit in parts.items()] for end in ("low", "high")])


def check_branches(row: Row, where: str) -> None:
    """A device needs a branch, and every branch a resistance: nothing on the line is without loss."""
    main, across = row["r_ohm_low"] > 0, row["x_uf_low"] > 0
    if row["feed_ohm_low"] == 0 or (across and row["x_ohm_low"] == 0):
        raise ValueError(f"{where} has a branch without loss; give feed_ohm, and x_ohm where there is x_uf, above 0")
    if not main and (row["l_uh_low"] > 0 or row["c_uf_low"] > 0 or not across):
        raise ValueError(f"{where} has no r_ohm; give it above 0, or x_uf alone")
    if not across and (row["x_ohm_low"] > 0 or row["idle"] == "connected"):
        raise ValueError(f"{where} has no x_uf; give it above 0, or x_ohm 0 and idle open")


def check_installation(low_high: Array, where: str) -> None:
    """Wiring is never absent: it keeps an empty circuit passive."""
    if np.any(low_high[0] == 0):
        raise ValueError(f"{where} has a part of 0; riser and wiring need resistance, inductance and capacitance")
