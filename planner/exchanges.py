"""From what one meter says to everything that must be said: the legs of all exchanges of one period."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ..channels.technology import Exchanges
from ..meters.fleet_data import data_lengths
from ..meters.fleet_push import notification_bytes
from ..meters.services import (
    VARIABLE_ENCODINGS,
    Legs,
    ServiceSettings,
    exchange_legs,
    is_profile,
    notification_legs,
    policy_of,
    settings_of,
    sized_profile_legs,
)
from .service import ServiceLevel

Array = NDArray[Any]

PROFILE_DAY = 0
"""Day of the load model whose profile is read, here and in the packet tier."""


@dataclass(frozen=True)
class Speakers:
    """The meters that speak, where the length of what they say depends on it.

    keys : (n,) uint64 stable keys;  kinds : (n,) names of the load model;  seed : of the simulation
    """

    keys: Array
    kinds: Array
    seed: int


def exchanges_of(
    n_meters: int, policy: str, level: ServiceLevel, settings: ServiceSettings, speakers: Speakers | None = None
) -> Exchanges:
    """All legs of one period for ``n_meters`` meters under one exchange policy.

    Parameters
    ----------
    n_meters
        Meters, at least 0.
    policy
        ``"pull"`` or ``"push"``; a service that it cannot deliver goes by the other one, see `other_ways`.
    speakers
        The meters; needed only for their own lengths of a profile that leaves out or shortens what did not change.
        Without them every meter speaks like a house of the load model.

    Returns
    -------
    Exchanges, sorted by service, then meter, then leg. Raises ValueError where ``speakers`` are not ``n_meters``.
    """
    if speakers is not None and len(speakers.keys) != n_meters:
        raise ValueError(f"{len(speakers.keys)} speakers for {n_meters} meters: pass one key and kind for each")
    blocks = []
    for number, service in enumerate(level.services):
        pieces = _pieces(service, policy, settings, speakers, n_meters, opens=number == 0)
        blocks.append(_service_columns(number, pieces))
    columns = {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
    columns["exchange"] = columns.pop("exchange") + n_meters * columns["service"].astype(np.int64)
    return Exchanges(**columns, services=tuple(level.services), window_s=tuple(level.window_s for _ in level.services))


def other_ways(policy: str, level: ServiceLevel, settings: ServiceSettings) -> dict[str, str]:
    """Services that ``policy`` cannot deliver, and the policy by which they go instead."""
    ways = {service: policy_of(service, policy, settings) for service in level.services}
    return {service: way for service, way in ways.items() if way != policy}


@runtime_checkable
class LimitsMessages(Protocol):
    """A technology whose settings bound the length of a message."""

    exchange_policy: str

    def check_messages(self, longest_bytes: int) -> None:
        """Raise ValueError where a message of this length cannot be carried."""
        ...


def check_messages(technologies: Sequence[object], level: ServiceLevel, settings: ServiceSettings) -> None:
    """Raise ValueError where a technology cannot carry the longest message of a house."""
    for one in technologies:
        if isinstance(one, LimitsMessages):
            one.check_messages(int(exchanges_of(1, one.exchange_policy, level, settings).bytes.max(initial=0)))


@dataclass(frozen=True)
class _Pieces:
    """What all meters say of one service, in pieces that recur: most meters have one, a push may have several.

    kinds : the different pieces;  kind : (n_pieces,) which of them, meter after meter;  meter : (n_pieces,) whose
    """

    kinds: Sequence[Legs]
    kind: Array
    meter: Array


def _pieces(
    service: str, policy: str, settings: ServiceSettings, speakers: Speakers | None, n_meters: int, *, opens: bool
) -> _Pieces:
    way, own = policy_of(service, policy, settings), settings_of(service, settings)
    meters = np.arange(n_meters)
    if speakers is None or not is_profile(service) or settings.encoding not in VARIABLE_ENCODINGS:
        return _Pieces([exchange_legs(service, way, settings, opens)], np.zeros(n_meters, np.int64), meters)
    who = speakers.keys, speakers.kinds, PROFILE_DAY, own, speakers.seed
    if way == "push":
        length, n_parts = notification_bytes(*who)
        known, kind = np.unique(length, return_inverse=True)
        return _Pieces([notification_legs(int(one), own) for one in known], kind, np.repeat(meters, n_parts))
    known, kind = np.unique(data_lengths("profile", *who), return_inverse=True)
    return _Pieces([sized_profile_legs(service, int(one), settings, opens) for one in known], kind, meters)


def _service_columns(number: int, pieces: _Pieces) -> dict[str, Array]:
    """Columns of one service: each meter's legs one after another, over all its pieces."""
    n_of_kind = np.array([legs.bytes.size for legs in pieces.kinds], np.int64)
    first_of_kind = np.cumsum(n_of_kind) - n_of_kind
    n_legs = n_of_kind[pieces.kind]
    begins = np.cumsum(n_legs) - n_legs
    n_of_meter = np.bincount(pieces.meter, n_legs).astype(np.int64)
    meter = np.repeat(pieces.meter, n_legs).astype(np.int32)
    within = np.arange(meter.size) - np.repeat(begins, n_legs)
    row = np.repeat(first_of_kind[pieces.kind], n_legs) + within
    leg = np.arange(meter.size) - (np.cumsum(n_of_meter) - n_of_meter)[meter]

    def column(name: str, kind: type[Any]) -> Array:
        return np.concatenate([getattr(legs, name) for legs in pieces.kinds]).astype(kind)[row]

    before = column("depends_on", np.int64)
    return {
        "exchange": meter.astype(np.int64),
        "leg": leg.astype(np.int16),
        "meter": meter,
        "service": np.full(meter.size, number, np.int16),
        "direction": column("direction", np.int8),
        "bytes": column("bytes", np.int32),
        "depends_on": np.where(before >= 0, before + leg - within, -1).astype(np.int16),
        "not_before_s": np.zeros(meter.size),
        "timeout_s": column("timeout_s", np.float64),
        "tries": column("tries", np.int8),
    }
