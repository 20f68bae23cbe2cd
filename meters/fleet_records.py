"""Billing rows and event logs of whole fleets: the numbers, and the values that they encode to.

All meters' rows have one layout: the codec says it once, and the numbers are laid into it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import clock
from .device import tariffs
from .device.names import BILLING_REGISTERS
from .device.rows import PAST_DAYS, PAST_EVENTS
from .dlms import axdr
from .dlms.axdr import Tag
from .draws import uniforms
from .settings import ServiceSettings

Array = NDArray[Any]


def billing_registers(day: int, totals: Array) -> Array:
    """Registers of a billing row as they stand at the end of a day.

    Parameters
    ----------
    totals : (n, n_intervals + 1, 4) uint32 registers at the start of the day and at the end of its intervals

    Returns
    -------
    (n, 12) uint32, the registers of `device.names.BILLING_REGISTERS`.
    """
    ends_s = np.append(clock.day_start_s(day), clock.interval_end_s(day, totals.shape[1] - 1))
    by_tariff = [tariffs.registers(ends_s, totals[:, :, channel])[:, -1] for channel in range(totals.shape[2])]
    chosen = [
        by_tariff[channel][:, tariff - 1] if tariff else totals[:, -1, channel] for channel, tariff in BILLING_REGISTERS
    ]
    return np.stack(chosen, axis=1)


def past_events(keys: Array, day: int, n_events: int, seed: int) -> Array:
    """(n, n_events, 2) int64 time and code of the events before a day, newest first, as `device.rows` draws them."""
    key, index = np.asarray(keys, np.uint64)[:, None], np.arange(n_events, dtype=np.uint64)
    before_s = np.ceil(PAST_DAYS * uniforms(seed, "event time", key, index) * 86_400.0).astype(np.int64)
    kinds = np.floor(len(PAST_EVENTS) * uniforms(seed, "event code", key, index)).astype(np.int64)
    time_s = np.sort(clock.day_start_s(day) - before_s, axis=1)
    return np.stack([time_s, np.array(PAST_EVENTS, np.int64)[kinds]], axis=2)[:, ::-1]


def billing_data(values: Array, day: int, settings: ServiceSettings) -> Array:
    """(n, n_bytes) uint8 the buffer with the row of a day: (n, 12) uint32 ``values``, of which the first travel."""
    n, n_values = len(values), settings.billing_registers
    status = [axdr.u8(0)] * settings.profile_status
    moment = axdr.octets(clock.octets_of(clock.day_start_s(day + 1)))
    empty = axdr.encode(axdr.array(axdr.structure(moment, *status, *[axdr.u32(0)] * n_values)))
    numbers = np.full((n, n_values, 5), int(Tag.U32), np.uint8)
    numbers[:, :, 1:] = values[:, :n_values].astype(">u4").view(np.uint8).reshape(n, n_values, 4)
    return np.hstack([_repeated(empty[: -5 * n_values], n), numbers.reshape(n, -1)])


def event_data(events: Array) -> Array:
    """(n, n_bytes) uint8 the event logs as buffers: (n, n_events, 2) int64 times and codes ``events``."""
    n, n_events, _ = events.shape
    head = bytes([Tag.ARRAY]) + axdr.encode_length(n_events)
    empty = axdr.encode(axdr.structure(axdr.octets(bytes(12)), axdr.u8(0)))
    rows = np.tile(np.frombuffer(empty, np.uint8), (n, n_events, 1))
    rows[:, :, 4:16] = _moments(events[:, :, 0])
    rows[:, :, -1] = events[:, :, 1]
    return np.hstack([_repeated(head, n), rows.reshape(n, -1)])


def _repeated(content: bytes, n: int) -> Array:
    return np.tile(np.frombuffer(content, np.uint8), (n, 1))


def _moments(time_s: Array) -> Array:
    """(..., 12) uint8 COSEM date-times: each different date by the codec, the time of day laid into it."""
    days, place = np.unique(time_s // clock.DAY_S, return_inverse=True)
    dates = [clock.octets_of(int(day) * clock.DAY_S) for day in days]
    octets = np.frombuffer(b"".join(dates), np.uint8).reshape(-1, 12)[place.reshape(time_s.shape)]
    for at, unit_s, most in ((5, 3600, 24), (6, 60, 60), (7, 1, 60)):
        octets[..., at] = time_s // unit_s % most
    return octets
