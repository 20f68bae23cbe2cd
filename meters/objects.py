"""COSEM interface objects of a meter: what a client may read, attribute by attribute.

References
----------
IEC 62056-6-2:2021: Data (class 1), Register (3), Profile generic (7, version 1), Clock (8).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from . import clock
from .dlms import axdr
from .dlms.apdu import DataAccess
from .dlms.axdr import Value
from .dlms.obis import CLOCK, ENERGY_REGISTERS, Obis

Array = NDArray[Any]

UNIT_WH, UNIT_VARH = 30, 32
BY_RANGE, BY_ENTRY = 1, 2


class AccessError(ValueError):
    """An attribute that cannot be given; ``result`` is what the client is told."""

    def __init__(self, result: DataAccess) -> None:
        super().__init__(f"no access: {result.name.lower()}")
        self.result = result


class CosemObject(Protocol):
    """Anything with a class, a logical name and attributes."""

    class_id: ClassVar[int]

    @property
    def obis(self) -> Obis:
        """Logical name."""
        ...

    def attribute(self, number: int, selector: int, parameters: Value) -> Value:
        """The attribute's value, or AccessError; attribute 1 is the logical name."""
        ...


def _plain(obis: Obis, values: dict[int, Value], number: int, selector: int) -> Value:
    """An attribute without selective access."""
    if selector:
        raise AccessError(DataAccess.SCOPE_OF_ACCESS_VIOLATED)
    values = {1: axdr.octets(obis.octets), **values}
    if number not in values:
        raise AccessError(DataAccess.READ_WRITE_DENIED)
    return values[number]


@dataclass(frozen=True)
class Data:
    """Class 1: one value, such as the logical device name."""

    class_id: ClassVar[int] = 1
    obis: Obis
    value: Value

    def attribute(self, number: int, selector: int = 0, parameters: Value = axdr.NULL) -> Value:
        """1 logical name, 2 value; AccessError for others."""
        return _plain(self.obis, {2: self.value}, number, selector)


@dataclass(frozen=True)
class Register:
    """Class 3: a reading of ``value`` x 10^``scaler`` in ``unit`` (30 Wh, 32 varh); value is unsigned, 32 bits."""

    class_id: ClassVar[int] = 3
    obis: Obis
    value: int
    unit: int
    scaler: int = 0

    def attribute(self, number: int, selector: int = 0, parameters: Value = axdr.NULL) -> Value:
        """1 logical name, 2 value, 3 scaler and unit; AccessError for others."""
        scaler_unit = axdr.structure(axdr.i8(self.scaler), axdr.enum(self.unit))
        return _plain(self.obis, {2: axdr.u32(self.value), 3: scaler_unit}, number, selector)


@dataclass(frozen=True)
class Clock:
    """Class 8: the meter's time, seconds since 1970 UTC."""

    class_id: ClassVar[int] = 8
    obis: Obis
    time_s: int

    def attribute(self, number: int, selector: int = 0, parameters: Value = axdr.NULL) -> Value:
        """1 logical name, 2 time, 3 time zone (0 minutes); AccessError for others."""
        now = axdr.octets(clock.octets_of(self.time_s))
        return _plain(self.obis, {2: now, 3: Value(axdr.Tag.I16, 0)}, number, selector)


@dataclass(frozen=True)
class ProfileGeneric:
    """Class 7: rows of time and registers, oldest first.

    time_s : (n_rows,) int64 ends of the intervals, rising, seconds since 1970 UTC
    values : (n_rows, n_channels) uint32 registers at those moments
    capture_period_s : length of an interval [s]
    null_timestamps : rows after the first of an answer carry null-data for a time that follows from the period
    """

    class_id: ClassVar[int] = 7
    obis: Obis
    time_s: Array
    values: Array
    capture_period_s: int
    null_timestamps: bool = False

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.shape[0] != self.time_s.size or self.values.dtype != np.uint32:
            raise ValueError(
                f"profile values {self.values.shape} {self.values.dtype}: (n_rows, n_channels) uint32 wanted"
            )

    def attribute(self, number: int, selector: int = 0, parameters: Value = axdr.NULL) -> Value:
        """1 name, 2 buffer (selector 1 range, 2 entry), 3 capture objects, 4 period, 5 sort method, 7, 8 entries."""
        if number == 2:
            rows, columns = self._selected(selector, parameters)
            return axdr.array(*self.rows(rows, columns))
        n_rows = axdr.u32(self.time_s.size)
        plain = {3: self._capture_objects(), 4: axdr.u32(self.capture_period_s), 5: axdr.enum(1), 7: n_rows, 8: n_rows}
        return _plain(self.obis, plain, number, selector)

    def rows(self, rows: Array, columns: Array | None = None) -> list[Value]:
        """The given rows as structures; ``columns`` 0 is the time, 1 onward the registers, all by default."""
        chosen = np.arange(self.values.shape[1] + 1) if columns is None else columns
        return [self._row(int(row), first=i == 0, columns=chosen) for i, row in enumerate(rows)]

    def _row(self, row: int, *, first: bool, columns: Array) -> Value:
        follows = not first and int(self.time_s[row] - self.time_s[row - 1]) == self.capture_period_s
        silent = self.null_timestamps and follows
        when = axdr.NULL if silent else axdr.octets(clock.octets_of(int(self.time_s[row])))
        return axdr.structure(*(when if c == 0 else axdr.u32(int(self.values[row, c - 1])) for c in columns))

    def _capture_objects(self) -> Value:
        captured = [(Clock.class_id, CLOCK)] + [
            (Register.class_id, o) for o in ENERGY_REGISTERS[: self.values.shape[1]]
        ]
        return axdr.array(
            *(
                axdr.structure(axdr.u16(class_id), axdr.octets(obis.octets), axdr.i8(2), axdr.u16(0))
                for class_id, obis in captured
            )
        )

    def _selected(self, selector: int, parameters: Value) -> tuple[Array, Array]:
        columns = np.arange(self.values.shape[1] + 1)
        if selector == 0:
            return np.arange(self.time_s.size), columns
        try:
            if selector == BY_RANGE:
                return self._in_range(parameters.items), columns
            if selector == BY_ENTRY:
                return self._entries(parameters.items, columns)
        except AccessError:
            raise
        except ValueError as wrong:
            raise AccessError(DataAccess.TYPE_UNMATCHED) from wrong
        raise AccessError(DataAccess.SCOPE_OF_ACCESS_VIOLATED)

    def _in_range(self, given: tuple[Value, ...]) -> Array:
        if len(given) != 4 or len(given[0].items) != 4:
            raise AccessError(DataAccess.TYPE_UNMATCHED)
        restricting, start, end, chosen = given
        is_clock = restricting.items[1].octets == CLOCK.octets and restricting.items[2].number == 2
        if not is_clock or chosen.items:
            raise AccessError(DataAccess.SCOPE_OF_ACCESS_VIOLATED)
        first, last = clock.time_s_of(start.octets), clock.time_s_of(end.octets)
        return np.flatnonzero((self.time_s >= first) & (self.time_s <= last))

    def _entries(self, given: tuple[Value, ...], columns: Array) -> tuple[Array, Array]:
        first, last, first_column, last_column = (item.number for item in given)
        if first < 1 or first_column < 1:
            raise AccessError(DataAccess.SCOPE_OF_ACCESS_VIOLATED)
        last_row = self.time_s.size if last == 0 else min(last, self.time_s.size)
        chosen = columns[first_column - 1 : last_column or None]
        return np.arange(first - 1, last_row), chosen
