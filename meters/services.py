"""What is said: each service as the legs of its exchange, with the lengths of bytes really produced.

A representative meter and its head end talk over a perfect line once; what went over it is measured. Lengths do not
depend on the readings, except where an encoding leaves out or shortens what did not change (``VARIABLE_ENCODINGS``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .client import settings_of
from .dlms.wrapper import HEADER_BYTES
from .frame_labels import DOWN, UP, Said, frames_of, labels_of
from .settings import ServiceSettings, setting
from .turns import of_given_length, pulled, pushed, representative, unasked

__all__ = [
    "POLICIES", "SERVICES", "VARIABLE_ENCODINGS", "Legs", "ServiceSettings", "Spoken", "can_deliver", "check_services",
    "exchange_legs", "is_profile", "notification_legs", "policy_of", "session_table", "setting", "settings_of",
    "sized_profile_legs", "spoken", "summary_table",
]  # fmt: skip

Array = NDArray[Any]

#             service            pull   push   interval of the load profile [min], 0: as the settings say
_TABLE = (
    ("register",        True,  True,  0),
    ("daily_billing",   True,  True,  0),
    ("profile",         True,  True,  0),
    ("profile_15min",   True,  True, 15),
    ("profile_30min",   True,  True, 30),
    ("profile_60min",   True,  True, 60),
    ("event_log",       True,  True,  0),
    ("on_demand",       True,  False, 0),
    ("clock_set",       True,  False, 0),
    ("disconnect",      True,  False, 0),
    ("last_gasp",       False, True,  0),
)  # fmt: skip
SERVICES = tuple(name for name, *_ in _TABLE)
POLICIES = ("pull", "push")
_POSSIBLE = {
    (name, policy) for name, pull, push, _ in _TABLE for policy, can in zip(POLICIES, (pull, push), strict=True) if can
}
_INTERVAL_MIN = {name: minutes for name, _, _, minutes in _TABLE if minutes}

VARIABLE_ENCODINGS = ("null_unchanged", "delta")
"""Encodings in which the length of a profile depends on what it says."""


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


@dataclass(frozen=True)
class Spoken:
    """One exchange in four numbers.

    bytes_up, bytes_down : with ciphering and framing [B];  messages : datagrams or frames, both ways
    turns : round trips, each a request, or receive-ready, that is answered; none in a push of whole datagrams
    """

    bytes_up: int
    bytes_down: int
    messages: int
    turns: int


def is_profile(service: str) -> bool:
    """Whether a service reads a day's load profile."""
    return service == "profile" or service in _INTERVAL_MIN


def can_deliver(service: str, policy: str, settings: ServiceSettings) -> bool:
    """Whether a policy can deliver a service under these settings."""
    return _why_not(service, policy, settings) is None


def policy_of(service: str, policy: str, settings: ServiceSettings) -> str:
    """``policy`` where it can deliver the service, else the other one.

    >>> policy_of("last_gasp", "pull", ServiceSettings()), policy_of("on_demand", "push", ServiceSettings())
    ('push', 'pull')
    """
    other = "push" if policy == "pull" else "pull"
    return policy if can_deliver(service, policy, settings) else other


def check_services(services: Iterable[str], settings: ServiceSettings) -> None:
    """Raise ValueError naming the first service that neither policy can deliver, and why the pull cannot."""
    for service in services:
        reasons = [_why_not(service, policy, settings) for policy in POLICIES]
        if None not in reasons:
            raise ValueError("; ".join(dict.fromkeys(reason for reason in reasons if reason)))


@lru_cache(maxsize=4096)
def _why_not(service: str, policy: str, settings: ServiceSettings) -> str | None:
    if service not in SERVICES or policy not in POLICIES:
        return f"{service!r} by {policy!r}: services are {SERVICES}, policies {POLICIES}"
    if (service, policy) not in _POSSIBLE:
        other = "push" if policy == "pull" else "pull"
        return f"{service} cannot be {policy}ed: use {other}"
    if is_profile(service) and policy == "push" and not settings.profile_timestamps:
        return f"{service} cannot be pushed without its times: set profile_timestamps = true, or pull it"
    needed_bytes = _needed_bytes(service, policy, settings_of(service, settings))
    if needed_bytes > settings.max_pdu_bytes:
        what = "a notification with one row" if policy == "push" else "a request, which is never cut,"
        return (
            f"{service} cannot be {policy}ed with max_pdu_bytes = {settings.max_pdu_bytes}: {what} has up to "
            f"{needed_bytes} bytes; raise it"
        )
    return None


def _needed_bytes(service: str, policy: str, settings: ServiceSettings) -> int:
    """Longest APDU that cannot be cut: a request, or a push of a single row."""
    if policy == "push":
        server, _ = representative(replace(settings, max_pdu_bytes=65535, profile_interval_min=1440, event_rows=1))
        return max(len(one) - HEADER_BYTES for one in server.push(service))
    server, head_end = representative(replace(settings, framing="wrapper"))
    said = pulled(server, head_end, service, settings, opens=True)
    return max(len(turn) - HEADER_BYTES for direction, turn in said if direction == DOWN)


@lru_cache(maxsize=1024)
def exchange_legs(service: str, policy: str, settings: ServiceSettings, opens: bool = True) -> Legs:
    """The legs of one service under one policy, with lengths of bytes really produced.

    Parameters
    ----------
    service
        One of ``SERVICES``.
    policy
        ``"pull"``: the head end asks, blocks follow one by one. ``"push"``: the meter sends notifications that need
        no request; none depends on another, since nobody confirms them.
    opens
        With ``association = "kept_open"``: whether this is the period's first service, which opens the association.

    Returns
    -------
    Legs, the columns read-only. Raises ValueError for an unknown service or policy, or a service that the policy
    cannot deliver.
    """
    refused = _why_not(service, policy, settings)
    if refused:
        raise ValueError(refused)
    own = settings_of(service, settings)
    server, head_end = representative(own)
    if policy == "push":
        return _legs(pushed(server, service, own), own, push=True)
    return _legs([pulled(server, head_end, service, own, opens)], own, push=False)


@lru_cache(maxsize=4096)
def sized_profile_legs(service: str, data_bytes: int, settings: ServiceSettings, opens: bool = True) -> Legs:
    """`exchange_legs` of a pulled profile whose encoded buffer has ``data_bytes``, at least 2, whatever it says."""
    own = settings_of(service, settings)
    server, listener = of_given_length(own, data_bytes)
    return _legs([pulled(server, listener, service, own, opens)], own, push=False)


@lru_cache(maxsize=8192)
def notification_legs(apdu_bytes: int, settings: ServiceSettings) -> Legs:
    """The legs of one pushed APDU of that length, whatever it says; its ciphering counts as part of it."""
    return _legs([unasked(bytes([0x0F]) + bytes(apdu_bytes - 1), settings)], settings, push=True)


def spoken(legs: Legs) -> Spoken:
    """One exchange in four numbers."""
    up = legs.direction == UP
    asked = (legs.direction[:-1] == DOWN) & up[1:]
    return Spoken(int(legs.bytes[up].sum()), int(legs.bytes[~up].sum()), legs.bytes.size, int(asked.sum()))


def session_table(settings: ServiceSettings) -> pd.DataFrame:
    """Every service under every policy that can deliver it: ``service, policy, leg, label, direction, bytes``."""
    rows = []
    for service, policy in _pairs(settings):
        legs = exchange_legs(service, policy, settings)
        words = ("down", "up")
        rows += [
            (service, policy, leg, legs.label[leg], words[int(legs.direction[leg])], int(legs.bytes[leg]))
            for leg in range(legs.bytes.size)
        ]
    return pd.DataFrame(rows, columns=["service", "policy", "leg", "label", "direction", "bytes"])


def summary_table(settings: ServiceSettings) -> pd.DataFrame:
    """Every service under every policy that can deliver it, one row each: the columns of `Spoken`."""
    rows = [(*pair, *vars(spoken(exchange_legs(*pair, settings))).values()) for pair in _pairs(settings)]
    return pd.DataFrame(rows, columns=["service", "policy", "bytes_up", "bytes_down", "messages", "turns"])


def _pairs(settings: ServiceSettings) -> Iterator[tuple[str, str]]:
    return ((s, p) for s in SERVICES for p in POLICIES if can_deliver(s, p, settings))


# -- legs ------------------------------------------------------------------------------------------------------------


def _legs(exchanges: list[list[Said]], settings: ServiceSettings, *, push: bool) -> Legs:
    """The frames of every turn as legs; each waits for the last leg of the turn before it."""
    rows = list[tuple[int, bytes, int]]()
    for said in exchanges:
        before = -1
        for direction, turn in said:
            rows += [(direction, frame, before) for frame in frames_of(turn, settings.framing)]
            before = len(rows) - 1
    legs = Legs(
        np.array([direction for direction, _, _ in rows], np.int8),
        np.array([len(frame) for _, frame, _ in rows], np.int32),
        np.array([before for _, _, before in rows], np.int16),
        np.full(len(rows), settings.timeout_s),
        np.full(len(rows), settings.push_tries if push else settings.tries, np.int8),
        tuple(labels_of([(direction, frame) for direction, frame, _ in rows], settings.framing, push=push)),
    )
    for column in (legs.direction, legs.bytes, legs.depends_on, legs.timeout_s, legs.tries):
        column.setflags(write=False)
    return legs
