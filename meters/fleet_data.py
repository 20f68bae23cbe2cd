"""The data of whole fleets' answers: readings of many meters, and the values they encode to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import clock
from . import fleet_kernels as kernels
from .dlms import axdr
from .dlms.axdr import Tag
from .fleet_records import billing_data, billing_registers, event_data, past_events
from .load import interval_channels, registers
from .settings import ENCODINGS, ServiceSettings

Array = NDArray[Any]

CHUNK_METERS = 4096
TEMPLATES = ("register", "profile", "daily_billing", "event_log")
"""Services whose answers the templates make; profiles of any period are ``"profile"``."""
_MAX_U16 = 0xFFFF


@dataclass(frozen=True)
class Readings:
    """What a chunk of meters has to say.

    day : day of the load profile, 0 is 1 January 2026
    register_wh : (n,) uint32 import register as it stands
    profile : (n, n_intervals, n_channels) uint32 registers, or interval energies, of the day's intervals
    status : (n, n_intervals) uint8 status of each row; zeros where None
    billing : (n, 12) uint32 registers of the day's billing row;  events : (n, event_rows, 2) int64 times and codes,
        newest first; None where they were not asked for
    """

    day: int
    register_wh: Array
    profile: Array
    status: Array | None = None
    billing: Array | None = None
    events: Array | None = None

    def __post_init__(self) -> None:
        n = self.register_wh.size
        if self.profile.ndim != 3 or len(self.profile) != n or self.profile.dtype != np.uint32:
            raise ValueError(f"profile {self.profile.shape} {self.profile.dtype}: ({n}, rows, channels) uint32 wanted")
        if self.status is not None and self.status.shape != self.profile.shape[:2]:
            raise ValueError(f"status {self.status.shape}: {self.profile.shape[:2]} wanted, one byte a row")


def chunks(n_meters: int, chunk_meters: int = CHUNK_METERS) -> Iterator[slice]:
    """Slices that cover ``n_meters`` meters in order, so that 10^6 of them never stand in memory at once."""
    if chunk_meters < 1:
        raise ValueError(f"chunk_meters = {chunk_meters}: take at least one meter at a time")
    return (slice(at, min(at + chunk_meters, n_meters)) for at in range(0, n_meters, chunk_meters))


def readings_of(
    keys: Array,
    kind: Array,
    day: int,
    settings: ServiceSettings,
    seed: int = 0,
    start: Array | None = None,
    *,
    service: str = "profile",
) -> Readings:
    """What meters have to say of one day after the load model.

    Parameters
    ----------
    keys : (n,) uint64 stable keys;  kind : (n,) names or codes of `load.KIND_NAMES`
    start : (n, 4) uint32 registers on day 0; drawn where not given
    service : billing and events come with ``daily_billing`` and ``event_log`` only

    Returns
    -------
    Readings, the profile as ``settings.profile_values`` wants it. Raises ValueError as `load.registers` does.
    """
    n_drawn = drawn_intervals(settings)
    first = registers(keys, kind, day, seed, n_intervals=n_drawn, start=start)
    gained = interval_channels(keys, kind, day, n_drawn, seed)
    if n_drawn > settings.n_intervals:
        gained = gained.reshape(len(keys), settings.n_intervals, -1, gained.shape[-1]).sum(axis=2, dtype=np.uint32)
    totals = first[:, None, :] + np.cumsum(gained, axis=1, dtype=np.uint32)
    energy = settings.profile_values == "energy"
    return Readings(
        day,
        totals[:, -1, 0].copy(),
        gained if energy else totals,
        billing=billing_registers(day, np.hstack([first[:, None], totals])) if service == "daily_billing" else None,
        events=past_events(keys, day, settings.event_rows, seed) if service == "event_log" else None,
    )


def drawn_intervals(settings: ServiceSettings) -> int:
    """Intervals a day that the load model draws: those of the profile, or a multiple where it wants at least 24."""
    times = next(n for n in range(1, 25) if settings.n_intervals * n >= 24 and 86_400 % (settings.n_intervals * n) == 0)
    return settings.n_intervals * times


def answer_data(service: str, readings: Readings, settings: ServiceSettings) -> tuple[Array, Array]:
    """The encoded value that answers one service, before it is put into messages.

    Parameters
    ----------
    service
        One of ``TEMPLATES``; a profile in the encoding of ``settings``.

    Returns
    -------
    data (n, capacity) uint8, length (n,) int64: the bytes of each row that count. Raises ValueError for another
    service, for readings without what it says, or a profile whose shape does not fit the settings.
    """
    if service == "register":
        data = np.full((readings.register_wh.size, 5), int(Tag.U32), np.uint8)
        data[:, 1:] = readings.register_wh.astype(">u4").view(np.uint8).reshape(-1, 4)
        return _alike_long(data)
    if service == "daily_billing" and readings.billing is not None:
        return _alike_long(billing_data(readings.billing, readings.day, settings))
    if service == "event_log" and readings.events is not None:
        return _alike_long(event_data(readings.events))
    if service in ("daily_billing", "event_log"):
        raise ValueError(f"these readings hold no {service}: ask readings_of for that service")
    if service != "profile":
        raise ValueError(f"there is no template for {service!r}: use one of {', '.join(TEMPLATES)}")
    n_rows, n_channels = settings.n_intervals, settings.profile_channels
    if readings.profile.shape[1] != n_rows or readings.profile.shape[2] < n_channels:
        raise ValueError(f"profile {readings.profile.shape}: (n, {n_rows}, {n_channels}) is what the settings ask for")
    return _buffers(readings, settings)


def _alike_long(data: Array) -> tuple[Array, Array]:
    return data, np.full(len(data), data.shape[1], np.int64)


def _buffers(readings: Readings, settings: ServiceSettings) -> tuple[Array, Array]:
    values = _values(readings, settings)
    n, n_rows, n_channels = values.shape
    moments, sent = _moments(readings.day, settings)
    form = ENCODINGS.index(settings.encoding)
    status = _status(readings, settings)
    out = np.empty((n, 16 + 3 * n_channels + n_rows * (18 + 5 * n_channels)), np.uint8)
    length = np.zeros(n, np.int64)
    for rows, types, sizes in _alike(values, settings):
        part, judged = out[rows], status[rows] if status.size else status
        head = np.frombuffer(_head(types, settings), np.uint8)
        length[rows] = kernels.write_buffers(part, head, moments, sent, judged, values[rows], types, sizes, form)
        if not isinstance(rows, slice):
            out[rows] = part
    return out, length


def pushed_parts(readings: Readings, settings: ServiceSettings, most_bytes: int) -> tuple[Array, Array]:
    """How long the arrays are into which a push cuts the day profile, each as long as ``most_bytes`` allows.

    Returns
    -------
    (n_parts,) int64 lengths of the arrays, meter after meter, and (n,) int64 parts of each meter; for encodings that
    make arrays. Raises ValueError where a single row does not fit.
    """
    values, status = _values(readings, settings), _status(readings, settings)
    form, timed = ENCODINGS.index(settings.encoding), settings.profile_timestamps
    n_parts = np.zeros(len(values), np.int64)
    found = list[tuple[Array, Array]]()
    for rows, types, sizes in _alike(values, settings):
        judged = status[rows] if status.size else status
        later = kernels.row_bytes(judged, values[rows], types, sizes, timed, form)
        first = 2 + 14 * timed + 2 * settings.profile_status + int((1 + sizes).sum())
        parts, count = kernels.part_bytes(later, first, most_bytes)
        if not parts.all():
            raise ValueError(
                f"max_pdu_bytes = {settings.max_pdu_bytes} is too short for one row of the profile: raise it"
            )
        n_parts[rows] = count
        found.append((np.repeat(np.arange(len(values))[rows], count), parts))
    owner = np.concatenate([of for of, _ in found])
    return np.concatenate([parts for _, parts in found])[np.argsort(owner, kind="stable")], n_parts


def _values(readings: Readings, settings: ServiceSettings) -> Array:
    return np.ascontiguousarray(readings.profile[:, :, : settings.profile_channels])


def _alike(values: Array, settings: ServiceSettings) -> Iterator[tuple[slice | Array, Array, Array]]:
    """Meters with equal types of values: rows, types and lengths; nearly always all of them."""
    known, which = np.unique(_tags(values, settings), axis=0, return_inverse=True)
    for pattern, types in enumerate(known):
        rows = slice(None) if len(known) == 1 else np.flatnonzero(which.ravel() == pattern)
        yield rows, types, np.where(types == Tag.U16, 2, 4)


def _tags(values: Array, settings: ServiceSettings) -> Array:
    """(n, n_channels) int64 type of each meter's channels: 16 bits for energies where they suffice for all rows."""
    if settings.profile_values == "registers":
        return np.full(values.shape[::2], int(Tag.U32), np.int64)
    return np.where(values.max(axis=1) > _MAX_U16, int(Tag.U32), int(Tag.U16)).astype(np.int64)


def _status(readings: Readings, settings: ServiceSettings) -> Array:
    if not settings.profile_status:
        return np.zeros((0, 0), np.uint8)
    given = readings.status
    return np.zeros(readings.profile.shape[:2], np.uint8) if given is None else given.astype(np.uint8)


def _moments(day: int, settings: ServiceSettings) -> tuple[Array, Array]:
    """Times of the rows as octets, and which of them travel; no rows where rows carry no time."""
    if not settings.profile_timestamps:
        return np.zeros((0, 12), np.uint8), np.zeros(0, np.bool_)
    ends = clock.interval_end_s(day, settings.n_intervals)
    moments = np.frombuffer(b"".join(clock.octets_of(int(end)) for end in ends), np.uint8).reshape(-1, 12)
    always = settings.encoding in ("full", "compact_array")
    return moments, (np.arange(ends.size) == 0) | always


def _head(tags: Array, settings: ServiceSettings) -> bytes:
    """What stands before the rows: array and count, or compact-array with its types and the length of its contents."""
    n_rows = settings.n_intervals
    if settings.encoding != "compact_array":
        return bytes([Tag.ARRAY]) + axdr.encode_length(n_rows)
    types = [Tag.OCTETS] * settings.profile_timestamps + [Tag.U8] * settings.profile_status + tags.tolist()
    row_bytes = 13 * settings.profile_timestamps + settings.profile_status + int(np.where(tags == Tag.U16, 2, 4).sum())
    description = bytes([Tag.STRUCTURE, len(types), *types])
    return bytes([Tag.COMPACT_ARRAY]) + description + axdr.encode_length(n_rows * row_bytes)


def data_lengths(service: str, keys: Array, kind: Array, day: int, settings: ServiceSettings, seed: int = 0) -> Array:
    """(n,) int64 bytes of `answer_data` for any number of meters of the load model; parameters as `readings_of`."""
    parts = [
        answer_data(service, readings_of(keys[rows], kind[rows], day, settings, seed, service=service), settings)[1]
        for rows in chunks(len(keys))
    ]
    return np.concatenate([np.zeros(0, np.int64), *parts])
