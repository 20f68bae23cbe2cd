"""What the head end knows after a service: registers with their times, out of COSEM values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import clock
from .dlms import axdr
from .dlms.axdr import Value
from .dlms.obis import ENERGY_REGISTERS, IMPORT_ACTIVE, Obis
from .settings import ServiceSettings

Array = NDArray[Any]


@dataclass(frozen=True)
class Reading:
    """What the head end knows after a service.

    service : ``"register"`` or ``"profile"``
    channels : OBIS codes of the columns
    time_s : (n_rows,) int64 ends of the intervals, seconds since 1970 UTC; empty for a register
    values : (n_rows, n_channels) uint32 registers [Wh, varh]
    """

    service: str
    channels: tuple[Obis, ...]
    time_s: Array
    values: Array

    def same_data(self, other: Reading) -> bool:
        """Whether both hold the same data of the same service."""
        same_names = (self.service, self.channels) == (other.service, other.channels)
        return same_names and np.array_equal(self.time_s, other.time_s) and np.array_equal(self.values, other.values)


def join(parts: Sequence[Reading]) -> Reading:
    """One reading from the parts that several pushes brought, in order of time; ValueError where there are none."""
    if not parts or len({(part.service, part.channels) for part in parts}) != 1:
        raise ValueError("parts of one service and the same channels are needed: join at least one")
    time_s = np.concatenate([part.time_s for part in parts])
    values = np.concatenate([part.values for part in parts])
    order = np.argsort(time_s, kind="stable") if time_s.size else np.arange(len(values))
    return Reading(parts[0].service, parts[0].channels, time_s[order] if time_s.size else time_s, values[order])


def register_reading(value: Value) -> Reading:
    """The import register's value as a reading; ValueError where it is not an integer of 32 bits."""
    if not 0 <= value.number < 2**32:
        raise ValueError(f"register value {value.number} does not fit 32 bits")
    return Reading("register", (IMPORT_ACTIVE,), np.zeros(0, np.int64), np.array([[value.number]], np.uint32))


def profile_reading(buffer: Value, settings: ServiceSettings, day: int | None = None) -> Reading:
    """Rows of a load profile's buffer as a reading.

    Parameters
    ----------
    buffer
        Array of structures: time, or null-data for one period after the row before, and the registers.
    day
        Demand exactly the rows of this day; any rows where None.

    Returns
    -------
    Reading. Raises ValueError where a row has the wrong form, or rows of the day are missing.
    """
    period_s, n_channels = settings.profile_interval_min * 60, settings.profile_channels
    time_s = np.zeros(len(buffer.items), np.int64)
    values = np.zeros((time_s.size, n_channels), np.uint32)
    for row, entry in enumerate(buffer.items):
        when, *registers = entry.items if entry.items else (axdr.NULL,)
        if len(registers) != n_channels:
            raise ValueError(f"{len(registers)} channels in a row, {n_channels} expected")
        if when.tag is axdr.Tag.NULL and row == 0:
            raise ValueError("the first row has no time")
        silent = when.tag is axdr.Tag.NULL
        time_s[row] = time_s[row - 1] + period_s if silent else clock.time_s_of(when.octets)
        values[row] = [int(register_reading(register).values[0, 0]) for register in registers]
    if day is not None and not np.array_equal(time_s, clock.interval_end_s(day, settings.n_intervals)):
        raise ValueError("rows of the day are missing")
    return Reading("profile", ENERGY_REGISTERS[:n_channels], time_s, values)
