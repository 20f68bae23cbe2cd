"""What the head end knows after a service: numbers with their times and names, out of COSEM values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import clock
from .device import names
from .dlms import buffers
from .dlms.axdr import Value
from .dlms.obis import ENERGY_REGISTERS, Obis
from .push import period_s
from .settings import ServiceSettings

Array = NDArray[Any]


@dataclass(frozen=True)
class Reading:
    """What the head end knows after a service.

    service : name of the service, as in `services`; profiles of any period are ``"profile"``
    channels : OBIS codes of the columns
    time_s : (n_rows,) int64 ends of the intervals, midnights or moments of events, seconds since 1970 UTC; empty for a
        single value
    values : (n_rows, n_channels) uint32 registers or energies [Wh, varh], event codes, states
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


def single_reading(service: str, obis: Obis, value: Value) -> Reading:
    """One number as a reading; ValueError where it is not an integer of 32 bits."""
    return Reading(service, (obis,), np.zeros(0, np.int64), np.array([[_u32(value)]], np.uint32))


def channels_of(service: str, settings: ServiceSettings) -> tuple[Obis, ...]:
    """OBIS codes of the values in a row of ``profile``, ``daily_billing`` or ``event_log``, without time and status."""
    if service == "event_log":
        return (names.EVENT_CODE,)
    if service == "daily_billing":
        chosen = names.BILLING_REGISTERS[: settings.billing_registers]
        return tuple(names.tariff_register(*one) for one in chosen)
    energy = settings.profile_values == "energy"
    return (names.INTERVAL_ENERGY if energy else ENERGY_REGISTERS)[: settings.profile_channels]


def profile_reading(service: str, buffer: Value, settings: ServiceSettings, time_s: Array | None = None) -> Reading:
    """Rows of a profile's buffer as a reading.

    Parameters
    ----------
    service
        ``profile``, ``daily_billing`` or ``event_log``.
    buffer
        What attribute 2 or a push brought, in any encoding.
    time_s : (n_rows,)
        Demand exactly the rows with these times; any rows where None.

    Returns
    -------
    Reading. Raises ValueError where a row has the wrong form, or the rows are not those demanded.
    """
    channels = channels_of(service, settings)
    timed = service != "profile" or settings.profile_timestamps
    status = settings.profile_status and service != "event_log"
    rows = buffers.expand_rows(buffer, period_s(service, settings))
    if len(rows) > 0 and len(rows[0]) != timed + status + len(channels):
        raise ValueError(f"{len(rows[0])} columns in a row, {timed + status + len(channels)} expected")
    if not timed and (time_s is None or len(rows) != time_s.size):
        raise ValueError(f"{len(rows)} rows without times came, {0 if time_s is None else time_s.size} were asked for")
    values = np.array([[_u32(value) for value in row[timed + status :]] for row in rows], np.uint32)
    found = np.array([clock.time_s_of(row[0].octets) for row in rows], np.int64) if timed else np.asarray(time_s)
    if time_s is not None and not np.array_equal(found, time_s):
        raise ValueError("rows are missing, or other rows came than were asked for")
    return Reading(service, channels, found, values.reshape(len(rows), len(channels)))


def _u32(value: Value) -> int:
    if not 0 <= value.number < 2**32:
        raise ValueError(f"value {value.number} does not fit 32 bits")
    return value.number
