"""What stands in a meter's profiles: rows of numbers, told apart by their captured objects.

A row's time is the end of its interval on the meter's clock as it went then: a clock set moves the time stamps of later
rows only, and neither lengthens nor splits an interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from ..dlms.axdr import Tag
from ..dlms.obis import CLOCK, ENERGY_REGISTERS, LOAD_PROFILE, Obis
from ..draws import uniforms
from . import names
from .meter import Device
from .state import EVENT_ENTRIES, EventCode

Array = NDArray[Any]

CAPACITY_DAYS = 93
"""Days that the load profile and the billing hold before the oldest row is overwritten; confidence C."""
CLOCK_ADJUSTED = 0x20
"""Status bit of a row in whose interval the clock was set; common in companion specifications, confidence B."""
FIFO, LIFO = 1, 2
"""Sort methods of a profile: the oldest row first, or the newest."""
PAST_DAYS = 30
"""The made-up past events lie in this many days before the history begins."""
PAST_EVENTS = (EventCode.POWER_DOWN, EventCode.POWER_UP, EventCode.CLOCK_SET, EventCode.COVER_OPENED)


@dataclass(frozen=True)
class Column:
    """One captured attribute and the type in which it travels."""

    class_id: int
    obis: Obis
    tag: Tag
    attribute: int = 2
    data_index: int = 0


TIME = Column(8, CLOCK, Tag.OCTETS)


class Rows(Protocol):
    """The rows of one profile as they stand now, in the order of their sort method."""

    sort_method: ClassVar[int]

    @property
    def columns(self) -> tuple[Column, ...]:
        """Captured objects; the first is the clock."""
        ...

    def time_s(self) -> Array:
        """(n,) int64 time stamps, meter's clock, seconds since 1970 UTC."""
        ...

    def cells(self, rows: Array) -> Array:
        """(len(rows), n_columns) int64 the numbers of some rows, the time stamp first."""
        ...


@dataclass(frozen=True, eq=False)
class LoadRows:
    """The load profile: time, status where asked for, and registers or what they gained in the interval."""

    sort_method: ClassVar[int] = FIFO
    device: Device

    @property
    def columns(self) -> tuple[Column, ...]:
        """Captured objects; the energy of an interval is 16 bits wide."""
        settings = self.device.settings
        energy = settings.profile_values == "energy"
        codes = (names.INTERVAL_ENERGY if energy else ENERGY_REGISTERS)[: settings.profile_channels]
        values = tuple(Column(3, obis, Tag.U16 if energy else Tag.U32) for obis in codes)
        return (TIME, *_status(settings.profile_status, names.PROFILE_STATUS), *values)

    def time_s(self) -> Array:
        """(n,) int64 ends of the intervals that are over."""
        device = self.device
        return _stamps(device, device.history.time_s[_ended(device)[1:]])

    def cells(self, rows: Array) -> Array:
        """(len(rows), n_columns) int64."""
        device, settings = self.device, self.device.settings
        ended = _ended(device)
        ends, starts = ended[1:][rows], ended[:-1][rows]
        values = device.history.registers[ends, : settings.profile_channels]
        if settings.profile_values == "energy":
            values = values - device.history.registers[starts, : settings.profile_channels]
        end_s = device.history.time_s[ends]
        status = [_adjusted(device, end_s, device.capture_period_s)] if settings.profile_status else []
        return np.column_stack([_stamps(device, end_s), *status, values.astype(np.int64)])


@dataclass(frozen=True, eq=False)
class BillingRows:
    """Daily billing: midnight, status where asked for, and registers as they stood."""

    sort_method: ClassVar[int] = FIFO
    device: Device

    @property
    def columns(self) -> tuple[Column, ...]:
        """Captured objects, the first ``billing_registers`` of `names.BILLING_REGISTERS`."""
        settings = self.device.settings
        chosen = names.BILLING_REGISTERS[: settings.billing_registers]
        values = tuple(Column(3, names.tariff_register(*one), Tag.U32) for one in chosen)
        return (TIME, *_status(settings.profile_status, names.BILLING_STATUS), *values)

    def time_s(self) -> Array:
        """(n,) int64 the midnights that are over."""
        return _stamps(self.device, self.device.history.time_s[self._midnights()])

    def cells(self, rows: Array) -> Array:
        """(len(rows), n_columns) int64."""
        device, history = self.device, self.device.history
        at = self._midnights()[rows]
        midnight_s = history.time_s[at]
        status = [_adjusted(device, midnight_s, 86_400)] if device.settings.profile_status else []
        chosen = names.BILLING_REGISTERS[: device.settings.billing_registers]
        values = [
            history.tariffs(at, channel)[:, tariff - 1] if tariff else history.registers[at, channel]
            for channel, tariff in chosen
        ]
        columns = [_stamps(device, midnight_s), *status, *values]
        return np.column_stack([column.astype(np.int64) for column in columns])

    def _midnights(self) -> Array:
        history = self.device.history
        days = history.daily()
        return _kept(self.device, days, names.DAILY_BILLING)[-CAPACITY_DAYS:]


@dataclass(frozen=True, eq=False)
class EventRows:
    """The event log, newest first: time and code; some events of the past are made up, the others really happened."""

    sort_method: ClassVar[int] = LIFO
    device: Device

    @property
    def columns(self) -> tuple[Column, ...]:
        """Captured objects."""
        return (TIME, Column(1, names.EVENT_CODE, Tag.U8))

    def time_s(self) -> Array:
        """(n,) int64 moments of the events."""
        return self._events()[:, 0]

    def cells(self, rows: Array) -> Array:
        """(len(rows), 2) int64."""
        return self._events()[rows]

    def _events(self) -> Array:
        state = self.device.state
        happened = np.array(state.events, np.int64).reshape(-1, 2)
        past = np.empty((0, 2), np.int64) if state.past_forgotten else past_events(self.device)
        return np.concatenate([past, happened])[-EVENT_ENTRIES:][::-1]


def past_events(device: Device) -> Array:
    """(settings.event_rows, 2) int64 time and code of made-up events before the history begins, drawn by key."""
    n_events = device.settings.event_rows
    index = np.arange(n_events, dtype=np.uint64)
    key = np.array([device.key], np.uint64)
    days_before = PAST_DAYS * uniforms(device.seed, "event time", key, index)
    time_s = np.sort(int(device.history.time_s[0]) - np.ceil(days_before * 86_400.0).astype(np.int64))
    kinds = np.floor(len(PAST_EVENTS) * uniforms(device.seed, "event code", key, index)).astype(np.int64)
    return np.column_stack([time_s, np.array(PAST_EVENTS, np.int64)[kinds]])


def _status(wanted: bool, obis: Obis) -> tuple[Column, ...]:
    return (Column(1, obis, Tag.U8),) if wanted else ()


def _ended(device: Device) -> Array:
    """Rows of the history that end a captured interval and are over, and the one at which the first of them starts."""
    captured = device.history.captured(device.capture_period_s)
    n_kept = CAPACITY_DAYS * device.settings.n_intervals
    kept = _kept(device, captured[1:], LOAD_PROFILE)[-n_kept:]
    first = int(np.searchsorted(captured, kept[0])) if kept.size else 1
    return np.asarray(captured[first - 1 : first + kept.size])


def _kept(device: Device, rows: Array, profile: Obis) -> Array:
    """Rows whose end is over, and not before the profile was reset."""
    time_s = device.history.time_s[rows]
    first = np.searchsorted(time_s, device.state.profile_reset_s.get(profile, -np.inf), "right")
    return np.asarray(rows[first : np.searchsorted(time_s, device.now_s(), "right")])


def _stamps(device: Device, end_s: Array) -> Array:
    """True times as the meter's clock showed them."""
    sets = device.state.clock_sets
    if not sets:
        return end_s
    offset_s = np.array([0.0, *(offset for _, offset in sets)])
    at = np.searchsorted(np.array([when for when, _ in sets]), end_s, "left")
    return np.asarray(end_s + np.rint(offset_s[at]).astype(np.int64))


def _adjusted(device: Device, end_s: Array, period_s: int) -> Array:
    """(n,) int64 status of rows: the bit of an interval in which the clock was set."""
    when = np.array([true_s for true_s, _ in device.state.clock_sets])
    n_sets = np.searchsorted(when, end_s, "left") - np.searchsorted(when, end_s - period_s, "left")
    return np.where(n_sets > 0, CLOCK_ADJUSTED, 0).astype(np.int64)
