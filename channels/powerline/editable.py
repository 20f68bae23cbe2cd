"""Small tables that a user can edit: shipped as CSV beside the code, changed row by row through the case file."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import field, fields
from difflib import get_close_matches
from importlib.resources import files
from typing import Any, TypeVar, get_type_hints

Row = TypeVar("Row")

NOTES = ("confidence", "source")
"""Columns that say where the numbers of a row come from; a user's row says so itself."""


def column(unit: str, meaning: str, minimum: float | None = None, maximum: float | None = None) -> Any:
    """A field of a row, described for the list of assumptions; the file says where the numbers come from.

    minimum, maximum : inclusive limits of what a user may write; beyond them is a slip of unit or column.
    """
    notes = {"unit": unit, "meaning": meaning, "source": "table beside the code", "confidence": "C"}
    return field(metadata=notes | {"minimum": minimum, "maximum": maximum})


def shipped(cls: type[Row], file: str) -> dict[str, Row]:
    """Rows of a table beside the code, name to dataclass; lines that begin with # are its head."""
    text = files(__package__).joinpath(file).read_text(encoding="utf-8")
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    hints = get_type_hints(cls)
    return {row["name"]: cls(**{key: _parsed(hints[key], value) for key, value in row.items()}) for row in rows}


def edited(rows: Mapping[str, Row], changes: Mapping[str, Mapping[str, Any]], table: str) -> dict[str, Row]:
    """The rows with a user's changes; a new name makes a new row.

    Parameters
    ----------
    rows : rows by name, all of one dataclass whose ``name`` is their key
    changes : by row name, the columns to change; a new row gives all of them
    table : what the section is called in the case file, for error lines

    Raises ValueError for an unknown column (nearest named), a value of the wrong kind, a new row that lacks columns,
    or what the row itself refuses.
    """
    known = dict(rows)
    for name, change in changes.items():
        known[name] = _changed(rows, name, change, f"{table}.{name}")
    return known


def pick(rows: Mapping[str, Row], name: str, what: str) -> Row:
    """The row of that name. Raises ValueError with the nearest known one."""
    if name not in rows:
        raise ValueError(f"{what} = {name!r} is unknown; {nearest(name, rows)}")
    return rows[name]


def nearest(name: str, known: Mapping[str, Any]) -> str:
    """``did you mean 'x'?``, or all known names where none is near."""
    near = get_close_matches(name, list(known), n=1)
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"


def _changed(rows: Mapping[str, Row], name: str, change: Mapping[str, Any], place: str) -> Row:
    """One row with a user's columns."""
    cls = type(next(iter(rows.values())))
    hints = get_type_hints(cls)
    columns = {item.name: item for item in fields(cls) if item.name not in ("name", *NOTES)}  # type: ignore[arg-type]
    for key, value in change.items():
        if key not in columns:
            raise ValueError(f"{place} {key}: unknown key; {nearest(key, columns)}")
        _check_kind(hints[key], value, f"{place} {key}")
        _check_limits(columns[key].metadata, value, f"{place} {key}")
    missing = [key for key in columns if key not in change]
    if name not in rows and missing:
        raise ValueError(f"{place} is new and lacks {', '.join(missing)}; {nearest(name, rows)}")
    base = {key: getattr(rows[name], key) for key in columns} if name in rows else {}
    given = {key: tuple(value) if isinstance(value, list) else value for key, value in change.items()}
    try:
        return cls(**{"name": name, **base, **given, "confidence": "user", "source": "case file"})
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from None


def _parsed(hint: Any, text: str) -> Any:
    if hint is float:
        return float(text)
    return text if hint is str else tuple(float(one) for one in text.split())


def _check_kind(hint: Any, value: Any, place: str) -> None:
    """Refuse a value that is not what the column holds: a number, or a list of numbers."""
    numbers = [value] if hint is float else value if isinstance(value, (list, tuple)) else [None]
    for one in numbers:
        if isinstance(one, bool) or not isinstance(one, (int, float)) or not math.isfinite(one):
            needed = "a number is needed" if hint is float else "a list of numbers is needed"
            raise ValueError(f"{place} = {value!r}: {needed}")


def _check_limits(notes: Mapping[str, Any], value: Any, place: str) -> None:
    """Refuse a number beyond the limits that its column states."""
    low, high = (-math.inf if notes["minimum"] is None else notes["minimum"]), notes["maximum"]
    high = math.inf if high is None else high
    if any(not low <= one <= high for one in (value if isinstance(value, (list, tuple)) else [value])):
        limits = f"at most {high:g}" if low == -math.inf else f"from {low:g} to {high:g}"
        unit = "" if notes["unit"] == "1" else f" [{notes['unit']}]"
        raise ValueError(f"{place} = {value}{unit}: allowed is {limits}")
