"""Profile generic (class 7, version 1): rows of captured values, and the parts of them that a client asks for.

Selected columns come in the order in which they are captured, whatever order the client lists them in. Capturing on
demand (method 2) is not offered.

References
----------
IEC 62056-6-2:2021, profile generic; selective access by range (selector 1) and by entry (selector 2).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .. import clock
from ..dlms import axdr, buffers
from ..dlms.apdu import DataAccess
from ..dlms.axdr import Tag, Value
from ..dlms.obis import Obis
from .base import AccessError, Action, Interface, Reader, members, typed
from .rows import TIME, Column, Rows

Array = NDArray[Any]

BY_RANGE, BY_ENTRY = 1, 2
MAX_U16 = 0xFFFF
_NO_OBJECT = axdr.structure(axdr.u16(0), axdr.octets(bytes(6)), axdr.i8(0), axdr.u16(0))


class ProfileGeneric(Interface):
    """Class 7: rows in the order of their sort method.

    Parameters
    ----------
    rows
        What stands in the buffer now.
    period_s
        Capture period [s]; 0 where rows are captured by event.
    n_entries
        Rows that the buffer holds before the oldest is overwritten.
    encoding
        One of `buffers.ENCODINGS`.
    empty
        Called where the client resets the buffer.
    """

    __slots__ = ("_empty", "encoding", "n_entries", "period_s", "rows")

    class_id: ClassVar[int] = 7

    def __init__(
        self, obis: Obis, rows: Rows, period_s: int, n_entries: int, encoding: str, empty: Callable[[], None]
    ) -> None:
        super().__init__(obis)
        self.rows = rows
        self.period_s = period_s
        self.n_entries = n_entries
        self.encoding = encoding
        self._empty = empty

    @property
    def version(self) -> int:
        """Version of the class."""
        return 1

    def buffer(self, rows: Array, columns: Array) -> Value:
        """Attribute 2: some rows, and some of their columns, as they travel; an empty array where there are none."""
        if not rows.size:
            return axdr.array()
        return buffers.encode_rows(self.values(rows, columns), self.encoding, self.period_s)

    def values(self, rows: Array, columns: Array | None = None) -> list[tuple[Value, ...]]:
        """Some rows, and some of their columns (all by default), as plain values."""
        captured = self.rows.columns
        chosen = np.arange(len(captured)) if columns is None else columns
        cells = self.rows.cells(rows)[:, chosen]
        of_columns = [_column(captured[number], cells[:, at]) for at, number in enumerate(chosen)]
        return list(zip(*of_columns, strict=True))

    def all_rows(self) -> Array:
        """Row numbers of the whole buffer."""
        return np.arange(self.rows.time_s().size)

    def selected(self, number: int, selector: int, parameters: Value) -> Value:
        """Rows by range or by entry of the buffer; AccessError for other attributes, selectors or parameters."""
        if number != 2 or selector not in (BY_RANGE, BY_ENTRY):
            raise AccessError(DataAccess.SCOPE_OF_ACCESS_VIOLATED)
        try:
            found = self._in_range(parameters) if selector == BY_RANGE else self._entries(parameters)
        except AccessError:
            raise
        except ValueError as wrong:
            raise AccessError(DataAccess.TYPE_UNMATCHED) from wrong
        return self.buffer(*found)

    def _in_range(self, parameters: Value) -> tuple[Array, Array]:
        restricting, start, end, columns = members(parameters, 4)
        if _descriptor(restricting) != _named(TIME):
            raise AccessError(DataAccess.SCOPE_OF_ACCESS_VIOLATED)
        time_s = self.rows.time_s()
        first_s, last_s = moment_s(start, last=False), moment_s(end, last=True)
        return np.flatnonzero((time_s >= first_s) & (time_s <= last_s)), self._columns(columns)

    def _columns(self, wanted: Value) -> Array:
        """Numbers of the columns that a client lists; none listed are all."""
        captured = [_named(column) for column in self.rows.columns]
        chosen = {_descriptor(one) for one in typed(wanted, Tag.ARRAY)}
        if not chosen <= set(captured):
            raise AccessError(DataAccess.SCOPE_OF_ACCESS_VIOLATED)
        return np.flatnonzero([not chosen or one in chosen for one in captured])

    def _entries(self, parameters: Value) -> tuple[Array, Array]:
        first, last, first_column, last_column = (one.number for one in members(parameters, 4))
        if first < 1 or first_column < 1 or last < 0 or last_column < 0:
            raise AccessError(DataAccess.SCOPE_OF_ACCESS_VIOLATED)
        columns = np.arange(len(self.rows.columns))[first_column - 1 : last_column or None]
        if not columns.size:
            raise AccessError(DataAccess.SCOPE_OF_ACCESS_VIOLATED)
        return self.all_rows()[first - 1 : last or None], columns

    def _whole(self) -> Value:
        return self.buffer(self.all_rows(), np.arange(len(self.rows.columns)))

    def _reset(self, _: Value) -> None:
        self._empty()

    def _in_use(self) -> Value:
        return axdr.u32(self.rows.time_s().size)

    readers: ClassVar[Mapping[int, Reader]] = {
        2: _whole,
        3: lambda self: axdr.array(*(capture_object(column) for column in self.rows.columns)),
        4: lambda self: axdr.u32(self.period_s),
        5: lambda self: axdr.enum(self.rows.sort_method),
        6: lambda self: _NO_OBJECT,
        7: _in_use,
        8: lambda self: axdr.u32(self.n_entries),
    }
    actions: ClassVar[Mapping[int, Action]] = {1: _reset}
    selectors: ClassVar[Mapping[int, tuple[int, ...]]] = {2: (BY_RANGE, BY_ENTRY)}


def capture_object(column: Column) -> Value:
    """A captured attribute by class, logical name, attribute and data index."""
    return axdr.structure(
        axdr.u16(column.class_id),
        axdr.octets(column.obis.octets),
        axdr.i8(column.attribute),
        axdr.u16(column.data_index),
    )


def moment_s(value: Value, *, last: bool) -> float:
    """A bound of a range, octet-string or date-time, in seconds since 1970 UTC on the meter's clock.

    A date left open entirely is no bound. Hours, minutes and seconds that are not specified are the first of the day,
    or the last where ``last``. Raises ValueError for other types and impossible dates.
    """
    content = value.octets
    if len(content) == 12 and content[:4] == b"\xff\xff\xff\xff":
        return np.inf if last else -np.inf
    latest = (23, 59, 59) if last else (0, 0, 0)
    time = bytes(limit if part == 0xFF else part for part, limit in zip(content[5:8], latest, strict=False))
    return clock.time_s_of(content[:5] + time + content[8:])


@lru_cache(maxsize=1 << 15)
def time_value(time_s: int) -> Value:
    """A moment as octet-string; meters share those they have in common."""
    return axdr.octets(clock.octets_of(time_s))


def _column(column: Column, cells: Array) -> list[Value]:
    """The values of one column; 16 bits that do not suffice for all of its values become 32, never fewer digits."""
    numbers = cells.tolist()
    if column.tag is Tag.OCTETS:
        return [time_value(number) for number in numbers]
    tag = Tag.U32 if column.tag is Tag.U16 and max(numbers) > MAX_U16 else column.tag
    return [Value(tag, number) for number in numbers]


def _named(column: Column) -> tuple[int, bytes, int, int]:
    return column.class_id, column.obis.octets, column.attribute, column.data_index


def _descriptor(value: Value) -> tuple[int, bytes, int, int]:
    class_id, name, attribute, data_index = members(value, 4)
    return class_id.number, typed(name, Tag.OCTETS), attribute.number, data_index.number
