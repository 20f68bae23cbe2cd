"""Clock (class 8): the meter's time in UTC, and how a client sets it.

Daylight saving is described, after the European rule, but not enabled: the meter keeps UTC all year.

References
----------
IEC 62056-6-2:2021, clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from .. import clock
from ..dlms import axdr
from ..dlms.apdu import ActionResult, DataAccess
from ..dlms.axdr import Tag, Value
from ..dlms.obis import CLOCK
from .base import AccessError, Action, ActionError, Interface, Reader, Writer, typed
from .meter import Device
from .profile import time_value

QUARTER_S, MINUTE_S = 900, 60
MAX_SHIFT_S = 900
INTERNAL_CRYSTAL = 1
EARLIEST_S, LATEST_S = clock.day_start_s(-9497), clock.day_start_s(40_000)
"""The clock can be set from the year 2000 to 2135."""
DST_BEGINS = bytes.fromhex("ffff03fe0701000000000000")
"""Last Sunday in March, 01:00 UTC."""
DST_ENDS = bytes.fromhex("ffff0afe0701000000000000")
"""Last Sunday in October, 01:00 UTC."""


class Clock(Interface):
    """Class 8, version 0."""

    __slots__ = ("device",)

    class_id: ClassVar[int] = 8

    def __init__(self, device: Device) -> None:
        super().__init__(CLOCK)
        self.device = device

    def _set_time(self, value: Value) -> None:
        time_s = clock.time_s_of(value.octets)
        if not EARLIEST_S <= time_s < LATEST_S:
            raise AccessError(DataAccess.OTHER_REASON)
        self.device.set_clock(time_s)

    def _to_quarter(self, _: Value) -> None:
        self._round(QUARTER_S)

    def _to_period(self, _: Value) -> None:
        self._round(self.device.capture_period_s)

    def _to_minute(self, _: Value) -> None:
        self._round(MINUTE_S)

    def _round(self, step_s: int) -> None:
        self.device.set_clock(step_s * int((self.device.clock_s() + step_s / 2) // step_s))

    def _shift(self, parameters: Value) -> None:
        seconds: int = typed(parameters, Tag.I16)
        if abs(seconds) > MAX_SHIFT_S:
            raise ActionError(ActionResult.OTHER_REASON)
        self.device.set_clock(self.device.clock_s() + seconds)

    readers: ClassVar[Mapping[int, Reader]] = {
        2: lambda self: time_value(int(self.device.clock_s())),
        3: lambda self: axdr.i16(0),
        4: lambda self: axdr.u8(0),
        5: lambda self: axdr.octets(DST_BEGINS),
        6: lambda self: axdr.octets(DST_ENDS),
        7: lambda self: axdr.i8(60),
        8: lambda self: axdr.boolean(False),
        9: lambda self: axdr.enum(INTERNAL_CRYSTAL),
    }
    writers: ClassVar[Mapping[int, Writer]] = {2: _set_time}
    actions: ClassVar[Mapping[int, Action]] = {1: _to_quarter, 2: _to_period, 3: _to_minute, 6: _shift}
