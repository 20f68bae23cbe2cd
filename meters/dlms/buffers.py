"""How the rows of a profile travel: in full, or with what the row before already says left out.

Five encodings, all of them read back by `expand_rows` from the bytes alone: every column in full; the time only where
it is not one period after the row before; null-data also for every value equal to the row before; differences to the
row before in the delta types; or one compact array, whose types travel once.

References
----------
IEC 62056-6-2:2021, 4.3.6 (profile generic: null-data for what follows from the row before) and 4.1.5 (compact-array).
Uncertain: a delta is the difference to the row before, on which one public implementation agrees; that it may be
narrower than its column, on which the same one does not; and that it never wraps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from .moments import later
from .scalars import INTEGER_RANGES, N_BYTES
from .values import NULL, NUMBERS, Tag, Value

ENCODINGS = ("full", "null_timestamps", "null_unchanged", "delta", "compact_array")

_DELTAS = (Tag.DELTA_U8, Tag.DELTA_I8, Tag.DELTA_U16, Tag.DELTA_I16, Tag.DELTA_U32, Tag.DELTA_I32)
"""Narrowest first, unsigned before signed."""

_RELATIVE = frozenset({Tag.NULL, *_DELTAS})
_COUNTED = NUMBERS - {Tag.ENUM}

Row = Sequence[Value]
Shorten = Callable[[Value, Value, bool, int], Value]


def encode_rows(rows: Sequence[Row], encoding: str, period_s: int) -> Value:
    """Rows of a profile as the one value that its buffer is.

    Parameters
    ----------
    rows : (n_rows, n_columns)
        Plain values, oldest first, at least one column; the first may be a time (octet-string or date-time of 12
        bytes).
    encoding
        One of ``ENCODINGS``; no rows are an empty array in all of them.
    period_s
        Capture period [s] after which the next time is expected; 0 where rows come at any time: no time is left out.

    Returns
    -------
    Value: an array of structures, or a compact array of them. Raises ValueError for an unknown encoding, a negative
    period, rows of unequal or no columns, null-data or deltas among the values, and for a compact array also where the
    types differ between rows.

    References
    ----------
    See the head of this file.

    >>> rows = [(Value(Tag.U32, 1000),), (Value(Tag.U32, 1012),)]
    >>> [row.items[0].tag.name for row in encode_rows(rows, "delta", 900).items]
    ['U32', 'DELTA_U8']
    """
    if encoding not in ENCODINGS:
        raise ValueError(f"encoding {encoding!r} is unknown: choose one of {', '.join(ENCODINGS)}")
    _check_period(period_s)
    whole = [tuple(row) for row in rows]
    for at, row in enumerate(whole):
        _check_row(at, row, len(whole[0]))
    if not whole:
        return Value(Tag.ARRAY, ())
    shorten = _SHORTEN.get(encoding)
    sent = list(_shortened(whole, shorten, period_s)) if shorten else whole
    tag = Tag.COMPACT_ARRAY if encoding == "compact_array" else Tag.ARRAY
    return Value(tag, tuple(Value(Tag.STRUCTURE, row) for row in sent))


def _check_period(period_s: int) -> None:
    if period_s < 0:
        raise ValueError(f"capture period of {period_s} s: give 0 s or more")


def _check_row(at: int, row: Row, n_columns: int) -> None:
    if not row or len(row) != n_columns:
        raise ValueError(
            f"row {at} has {len(row)} columns, row 0 has {n_columns}: rows need equal columns, one or more"
        )
    if any(value.tag in _RELATIVE for value in row):
        raise ValueError(f"row {at} holds null-data or a delta: give rows of plain values")


def _shortened(rows: Sequence[Row], shorten: Shorten, period_s: int) -> Iterator[tuple[Value, ...]]:
    before: Row = ()
    for row in rows:
        if before:
            pairs = zip(row, before, strict=True)
            yield tuple(shorten(value, old, column == 0, period_s) for column, (value, old) in enumerate(pairs))
        else:
            yield tuple(row)
        before = row


def _is_time(value: Value) -> bool:
    return value.tag in (Tag.OCTETS, Tag.DATE_TIME) and len(value.octets) == 12


def _implied(before: Value, leads: bool, period_s: int) -> Value | None:
    """What null-data stand for after ``before``: the next time in the leading column, the same value elsewhere."""
    if not (leads and _is_time(before)):
        return before
    foretold = later(before.octets, period_s) if period_s else None
    return None if foretold is None else Value(before.tag, foretold)


def _without_time(value: Value, before: Value, leads: bool, period_s: int) -> Value:
    return _without_unchanged(value, before, leads, period_s) if leads and _is_time(value) else value


def _without_unchanged(value: Value, before: Value, leads: bool, period_s: int) -> Value:
    return NULL if value == _implied(before, leads, period_s) else value


def _as_delta(value: Value, before: Value, leads: bool, period_s: int) -> Value:
    if value.tag in _COUNTED and value.tag is before.tag:
        return _delta(value, value.number - before.number)
    return _without_time(value, before, leads, period_s)


def _delta(value: Value, difference: int) -> Value:
    """The narrowest delta type that holds the difference, or the value itself where that is no longer."""
    for tag in _DELTAS:
        low, high = INTEGER_RANGES[tag]
        if N_BYTES[tag] < N_BYTES[value.tag] and low <= difference <= high:
            return Value(tag, difference)
    return value


_SHORTEN: dict[str, Shorten] = {
    "null_timestamps": _without_time,
    "null_unchanged": _without_unchanged,
    "delta": _as_delta,
}


def expand_rows(buffer: Value, period_s: int) -> list[tuple[Value, ...]]:
    """Rows of plain values out of a profile's buffer, whichever way it was sent.

    Parameters
    ----------
    buffer
        Array or compact array of structures; null-data and deltas refer to the row before.
    period_s
        Capture period [s] of the profile; 0 where it has none.

    Returns
    -------
    (n_rows, n_columns) values. Raises ValueError where the buffer is no array of equally wide structures, where
    null-data or a delta have nothing to refer to, and where a sum leaves the type of its column.

    >>> sent = Value(Tag.ARRAY, (Value(Tag.STRUCTURE, (Value(Tag.U8, 7),)), Value(Tag.STRUCTURE, (NULL,))))
    >>> [row[0].number for row in expand_rows(sent, 900)]
    [7, 7]
    """
    _check_period(period_s)
    if buffer.tag not in (Tag.ARRAY, Tag.COMPACT_ARRAY):
        raise ValueError(f"a profile's buffer is an array, not {buffer.tag.name.lower()}: read attribute 2")
    rows: list[tuple[Value, ...]] = []
    for at, member in enumerate(buffer.items):
        rows.append(_expanded(at, member, rows, period_s))
    return rows


def _expanded(at: int, member: Value, rows: list[tuple[Value, ...]], period_s: int) -> tuple[Value, ...]:
    if member.tag is not Tag.STRUCTURE:
        raise ValueError(f"row {at} of the buffer is {member.tag.name.lower()}, not a structure: read attribute 2")
    sent = member.items
    before = rows[-1] if rows else sent
    if not sent or len(sent) != len(before):
        raise ValueError(
            f"row {at} of the buffer has {len(sent)} columns, {len(before)} were expected: read it in full"
        )
    if not any(value.tag in _RELATIVE for value in sent):
        return sent
    if not rows:
        raise ValueError("row 0 of the buffer holds null-data or a delta with no row before: read it in full")
    pairs = zip(sent, before, strict=True)
    return tuple(_restored(value, old, column == 0, period_s) for column, (value, old) in enumerate(pairs))


def _restored(value: Value, before: Value, leads: bool, period_s: int) -> Value:
    if value.tag not in _RELATIVE:
        return value
    if value.tag is not Tag.NULL:
        return _summed(value, before)
    implied = _implied(before, leads, period_s)
    if implied is None:
        raise ValueError(
            f"a time is left out after {before.octets.hex()} with a period of {period_s} s: read it in full"
        )
    return implied


def _summed(delta: Value, before: Value) -> Value:
    if before.tag not in _COUNTED or not isinstance(delta.content, int):
        raise ValueError(f"a delta refers to {before.tag.name.lower()}: only integers have differences")
    total = before.number + delta.content
    low, high = INTEGER_RANGES[before.tag]
    if not low <= total <= high:
        raise ValueError(f"a delta leads to {total}, beyond {before.tag.name.lower()}: read the buffer in full")
    return Value(before.tag, total)
