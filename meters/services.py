"""What is said: each service as the legs of its exchange, with the lengths of bytes really produced.

A representative meter and its head end talk over a perfect wire once; what went over it is measured. Lengths do not
depend on the readings, since registers are 32 bits wide whatever they hold.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from . import clock
from .client import HeadEnd, converse
from .dlms import axdr, hdlc
from .dlms.obis import CLOCK, ENERGY_REGISTERS, LOAD_PROFILE, LOGICAL_DEVICE_NAME
from .dlms.security import Channel, Keys
from .dlms.wrapper import HEADER_BYTES
from .objects import UNIT_VARH, UNIT_WH, Clock, CosemObject, Data, ProfileGeneric, Register
from .server import METER_PORT, PUBLIC_PORT, READER_PORT, MeterServer
from .settings import ServiceSettings, setting

__all__ = ["POLICIES", "SERVICES", "Legs", "ServiceSettings", "commission", "exchange_legs", "session_table", "setting"]

Array = NDArray[Any]

SERVICES = ("register", "profile")
POLICIES = ("pull", "push")
UP, DOWN = 1, 0
CLIENT_TITLE = b"AMPHEAD0"
"""System title of the simulated head end."""

_NAMES = {
    0x60: "AARQ",
    0x61: "AARE",
    0x62: "RLRQ",
    0x63: "RLRE",
    0xCB: "HLS pass 3",
    0xCF: "HLS pass 4",
    0xC0: "GET-request",
    0xC8: "GET-request",
    0xC4: "GET-response",
    0xCC: "GET-response",
    0x0F: "DataNotification",
    0xDB: "DataNotification",
}


@dataclass(frozen=True)
class Legs:
    """The legs of one exchange, in order; columns (n_legs,).

    direction : int8, 1 up (meter to head end), 0 down
    bytes : int32, APDU, ciphering and framing [B]
    depends_on : int16, the leg that must have arrived before; -1 for none
    timeout_s : float64, how long the waiting side waits [s];  tries : int8, starts at most
    label : what each leg says
    """

    direction: Array
    bytes: Array
    depends_on: Array
    timeout_s: Array
    tries: Array
    label: tuple[str, ...]


def commission(
    key: int, register_wh: Array, profile_wh: Array, day: int, settings: ServiceSettings, *, seed: int = 0
) -> tuple[MeterServer, HeadEnd]:
    """A meter with its readings, and the head end that shares its keys.

    Parameters
    ----------
    key
        Stable key of the meter; with ``seed`` it makes title and keys, for simulation only.
    register_wh : (n_channels,) uint32
        Registers as they stand now: import, export [Wh], reactive import, export [varh].
    profile_wh : (n_intervals, n_channels) uint32
        Registers at the end of each interval of ``day``, at least ``profile_channels`` columns.

    Returns
    -------
    MeterServer and HeadEnd. Raises ValueError where shapes do not fit the settings.
    """
    n_rows, n_channels = settings.n_intervals, settings.profile_channels
    registers, profile = np.asarray(register_wh), np.asarray(profile_wh)
    if profile.ndim != 2 or len(profile) != n_rows or profile.shape[1] < n_channels or registers.size < n_channels:
        raise ValueError(f"profile {profile.shape}, registers {registers.shape}: ({n_rows}, {n_channels}) are needed")
    if profile.dtype != np.uint32 or registers.dtype != np.uint32:
        raise ValueError(f"readings are {profile.dtype} and {registers.dtype}: pass uint32 Wh")
    title = b"AMP" + _secret(seed, key, "title")[:5]
    keys = Keys(_secret(seed, key, "encryption"), _secret(seed, key, "authentication"))
    server = MeterServer(
        _objects(title, registers, profile[:, :n_channels], day, settings),
        title,
        Channel(keys, title, CLIENT_TITLE),
        settings,
    )
    return server, HeadEnd(Channel(keys, CLIENT_TITLE, title), settings, day)


def _objects(title: bytes, registers: Array, profile: Array, day: int, settings: ServiceSettings) -> list[CosemObject]:
    time_s = clock.interval_end_s(day, settings.n_intervals)
    units = (UNIT_WH, UNIT_WH, UNIT_VARH, UNIT_VARH)
    period_s = settings.profile_interval_min * 60
    silent = settings.encoding == "null_timestamps"
    return [
        *(Register(o, int(r), u) for o, r, u in zip(ENERGY_REGISTERS, registers, units, strict=False)),
        ProfileGeneric(LOAD_PROFILE, time_s, profile, period_s, silent),
        Clock(CLOCK, int(time_s[-1])),
        Data(LOGICAL_DEVICE_NAME, axdr.octets(title)),
    ]


def _secret(seed: int, key: int, purpose: str) -> bytes:
    return hashlib.blake2b(f"{seed}/{key}/{purpose}".encode(), digest_size=16).digest()


@lru_cache(maxsize=256)
def exchange_legs(service: str, policy: str, settings: ServiceSettings) -> Legs:
    """The legs of one service under one policy, with lengths of bytes really produced.

    Parameters
    ----------
    service
        ``"register"`` (import register) or ``"profile"`` (one day's load profile).
    policy
        ``"pull"``: the head end asks, blocks follow one by one. ``"push"``: the meter sends notifications that need
        no request; none depends on another, since nobody confirms them.

    Returns
    -------
    Legs, the columns read-only. Raises ValueError for an unknown service or policy.
    """
    if service not in SERVICES or policy not in POLICIES:
        raise ValueError(f"{service!r} by {policy!r}: services are {SERVICES}, policies {POLICIES}")
    server, head_end = _representative(settings)
    push = policy == "push"
    said = [(UP, datagram) for datagram in server.push(service)] if push else _pulled(server, head_end, service)
    units = [_framed(one, label, settings) for one, label in zip(said, _labels(said), strict=True)]
    if settings.framing == "hdlc" and settings.association == "fresh" and not push:
        units = _linked(units, settings)
    return _legs(units, push, settings)


def session_table(settings: ServiceSettings) -> pd.DataFrame:
    """Every service under every policy, leg by leg: ``service, policy, leg, label, direction, bytes``."""
    rows = []
    for service in SERVICES:
        for policy in POLICIES:
            legs = exchange_legs(service, policy, settings)
            words = ("down", "up")
            rows += [
                (service, policy, leg, legs.label[leg], words[int(legs.direction[leg])], int(legs.bytes[leg]))
                for leg in range(legs.bytes.size)
            ]
    return pd.DataFrame(rows, columns=["service", "policy", "leg", "label", "direction", "bytes"])


Said = tuple[int, bytes]
Unit = list[tuple[int, int, str]]


def _representative(settings: ServiceSettings) -> tuple[MeterServer, HeadEnd]:
    """A meter whose registers count up: lengths are the same for any other."""
    n_rows, n_channels = settings.n_intervals, settings.profile_channels
    profile = np.add.outer(np.arange(1, n_rows + 1), np.arange(n_channels)).astype(np.uint32)
    return commission(1, profile[-1], profile, 0, settings)


def _pulled(server: MeterServer, head_end: HeadEnd, service: str) -> list[Said]:
    said: list[Said] = []
    for request, response in converse(server, head_end, service)[1]:
        said.append((DOWN, request))
        if response is not None:
            said.append((UP, response))
    return said


def _labels(said: list[Said]) -> list[str]:
    """What each APDU is; blocks after the first are numbered."""
    names = [_NAMES.get(datagram[HEADER_BYTES], "other") for _, datagram in said]
    labels, counts = [], dict.fromkeys(names, 0)
    for name in names:
        counts[name] += 1
        labels.append(f"{name} {counts[name]}" if names.count(name) > 1 else name)
    return labels


def _framed(said: Said, label: str, settings: ServiceSettings) -> Unit:
    """One APDU as legs: one datagram, or HDLC frames with a receive-ready between them."""
    direction, datagram = said
    if settings.framing == "wrapper":
        return [(direction, len(datagram), label)]
    client, limit = _client(settings), settings.hdlc_max_info_bytes
    apdu = datagram[HEADER_BYTES:]
    cut = hdlc.frames(apdu, client=client, server=METER_PORT, response=direction == UP, max_info_bytes=limit)
    unit: Unit = []
    for number, frame in enumerate(cut, 1):
        if number > 1:
            ready = hdlc.acknowledge(source=client, destination=METER_PORT, receive=number)
            unit.append((1 - direction, len(ready), "receive-ready"))
        unit.append((direction, len(frame), label if len(cut) == 1 else f"{label}, frame {number}"))
    return unit


def _linked(units: list[Unit], settings: ServiceSettings) -> list[Unit]:
    """The session between opening and closing the HDLC link."""
    client = _client(settings)
    snrm, ua = hdlc.connect(client, METER_PORT, settings.hdlc_max_info_bytes)
    disc, bye = hdlc.disconnect(client, METER_PORT)
    opening = [(DOWN, len(snrm), "SNRM"), (UP, len(ua), "UA")]
    return [opening, *units, [(DOWN, len(disc), "DISC"), (UP, len(bye), "UA")]]


def _client(settings: ServiceSettings) -> int:
    return READER_PORT if settings.ciphered else PUBLIC_PORT


def _legs(units: list[Unit], push: bool, settings: ServiceSettings) -> Legs:
    rows = [row for unit in units for row in unit]
    starts = {sum(map(len, units[:i])) for i in range(len(units))} if push else {0}
    legs = Legs(
        np.array([direction for direction, _, _ in rows], np.int8),
        np.array([n_bytes for _, n_bytes, _ in rows], np.int32),
        np.array([-1 if i in starts else i - 1 for i in range(len(rows))], np.int16),
        np.full(len(rows), settings.timeout_s),
        np.full(len(rows), settings.push_tries if push else settings.tries, np.int8),
        tuple(label for _, _, label in rows),
    )
    for column in (legs.direction, legs.bytes, legs.depends_on, legs.timeout_s, legs.tries):
        column.setflags(write=False)
    return legs
