"""Single values: Data (class 1), Register (3), Extended register (4), Demand register (5).

References
----------
IEC 62056-6-2:2021; units after its table of the unit enumeration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, NamedTuple

from ..dlms import axdr
from ..dlms.axdr import Tag, Value
from ..dlms.obis import Obis
from .base import Action, Interface, Reader, Writer
from .profile import time_value

UNIT_W, UNIT_VAR, UNIT_WH, UNIT_VARH, UNIT_A, UNIT_V, UNIT_HZ = 27, 29, 30, 32, 33, 35, 44
NO_MOMENT = axdr.octets(bytes.fromhex("ffffffffffffffffff8000ff"))
"""A date-time of which nothing is specified."""


class Data(Interface):
    """Class 1: one value; can be written where ``write_value`` is given."""

    __slots__ = ("_read", "_write")

    class_id: ClassVar[int] = 1

    def __init__(
        self, obis: Obis, read_value: Callable[[], Value], write_value: Callable[[Value], None] | None = None
    ) -> None:
        super().__init__(obis)
        self._read = read_value
        self._write = write_value

    def _set(self, value: Value) -> None:
        if self._write is None:
            return super().write(0, value)
        return self._write(value)

    readers: ClassVar[Mapping[int, Reader]] = {2: lambda self: self._read()}
    writers: ClassVar[Mapping[int, Writer]] = {2: _set}


class Register(Interface):
    """Class 3: a reading of ``read_value()`` x 10^``scaler`` in ``unit``."""

    __slots__ = ("_read", "_unit")

    class_id: ClassVar[int] = 3

    def __init__(self, obis: Obis, unit: int, scaler: int, read_value: Callable[[], Value]) -> None:
        super().__init__(obis)
        self._unit = scaler_unit(scaler, unit)
        self._read = read_value

    readers: ClassVar[Mapping[int, Reader]] = {2: lambda self: self._read(), 3: lambda self: self._unit}


class Peak(NamedTuple):
    """A maximum [W] and the meter time at which its interval ended; None where there is none yet."""

    power_w: int
    time_s: int | None


class ExtendedRegister(Interface):
    """Class 4: a maximum with the moment at which it was reached; method 1 forgets it."""

    __slots__ = ("_read", "_reset")

    class_id: ClassVar[int] = 4

    def __init__(self, obis: Obis, read_peak: Callable[[], Peak], reset: Callable[[], None]) -> None:
        super().__init__(obis)
        self._read = read_peak
        self._reset = reset

    def _moment(self) -> Value:
        reached_s = self._read().time_s
        return NO_MOMENT if reached_s is None else time_value(reached_s)

    def _forget(self, _: Value) -> None:
        self._reset()

    readers: ClassVar[Mapping[int, Reader]] = {
        2: lambda self: axdr.u32(self._read().power_w),
        3: lambda self: scaler_unit(0, UNIT_W),
        4: lambda self: axdr.u8(0),
        5: _moment,
    }
    actions: ClassVar[Mapping[int, Action]] = {1: _forget}


class Demand(NamedTuple):
    """Mean power of the running period so far, that of the last one [W], and meter times of end and start."""

    current_w: int
    last_w: int
    last_end_s: int


class DemandRegister(Interface):
    """Class 5: block demand over the capture period, one period long."""

    __slots__ = ("_read", "period_s")

    class_id: ClassVar[int] = 5

    def __init__(self, obis: Obis, read_demand: Callable[[], Demand], period_s: int) -> None:
        super().__init__(obis)
        self._read = read_demand
        self.period_s = period_s

    readers: ClassVar[Mapping[int, Reader]] = {
        2: lambda self: axdr.u32(self._read().current_w),
        3: lambda self: axdr.u32(self._read().last_w),
        4: lambda self: scaler_unit(0, UNIT_W),
        5: lambda self: axdr.u8(0),
        6: lambda self: time_value(self._read().last_end_s),
        7: lambda self: time_value(self._read().last_end_s),
        8: lambda self: axdr.u32(self.period_s),
        9: lambda self: axdr.u16(1),
    }


def scaler_unit(scaler: int, unit: int) -> Value:
    """Power of ten and unit of a register."""
    return Value(Tag.STRUCTURE, (axdr.i8(scaler), axdr.enum(unit)))
