"""From what one meter says to everything that must be said: the legs of all exchanges of one period."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..channels.technology import Exchanges
from ..meters.fleet import data_lengths
from ..meters.services import (
    VARIABLE_ENCODINGS,
    Legs,
    ServiceSettings,
    exchange_legs,
    is_profile,
    policy_of,
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
        kinds, kind_of = _kinds_of_legs(service, policy, settings, speakers, n_meters, opens=number == 0)
        blocks.append(_service_columns(number, kinds, kind_of))
    columns = {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
    columns["exchange"] = columns.pop("exchange") + n_meters * columns["service"].astype(np.int64)
    return Exchanges(**columns, services=tuple(level.services), window_s=tuple(level.window_s for _ in level.services))


def other_ways(policy: str, level: ServiceLevel, settings: ServiceSettings) -> dict[str, str]:
    """Services that ``policy`` cannot deliver, and the policy by which they go instead."""
    ways = {service: policy_of(service, policy, settings) for service in level.services}
    return {service: way for service, way in ways.items() if way != policy}


def _kinds_of_legs(
    service: str, policy: str, settings: ServiceSettings, speakers: Speakers | None, n_meters: int, *, opens: bool
) -> tuple[Sequence[Legs], Array]:
    """The different exchanges of one service, and which of them each meter has."""
    way = policy_of(service, policy, settings)
    varies = is_profile(service) and settings.encoding in VARIABLE_ENCODINGS
    if speakers is None or not varies or way == "push":
        return [exchange_legs(service, way, settings, opens)], np.zeros(n_meters, np.int64)
    length = data_lengths(service, speakers.keys, speakers.kinds, PROFILE_DAY, settings, speakers.seed)
    known, kind_of = np.unique(length, return_inverse=True)
    return [sized_profile_legs(service, int(one), settings, opens) for one in known], kind_of


def _service_columns(number: int, kinds: Sequence[Legs], kind_of: Array) -> dict[str, Array]:
    """Columns of one service: each meter's legs one after another."""
    n_of_kind = np.array([legs.bytes.size for legs in kinds], np.int64)
    first_of_kind = np.concatenate([[0], np.cumsum(n_of_kind)])[:-1]
    n_legs = n_of_kind[kind_of]
    meter = np.repeat(np.arange(kind_of.size, dtype=np.int32), n_legs)
    leg = np.arange(meter.size) - np.repeat(np.cumsum(n_legs) - n_legs, n_legs)
    row = first_of_kind[kind_of[meter]] + leg

    def column(name: str, kind: type[Any]) -> Array:
        return np.concatenate([getattr(legs, name) for legs in kinds]).astype(kind)[row]

    return {
        "exchange": meter.astype(np.int64),
        "leg": leg.astype(np.int16),
        "meter": meter,
        "service": np.full(meter.size, number, np.int16),
        "direction": column("direction", np.int8),
        "bytes": column("bytes", np.int32),
        "depends_on": column("depends_on", np.int16),
        "not_before_s": np.zeros(meter.size),
        "timeout_s": column("timeout_s", np.float64),
        "tries": column("tries", np.int8),
    }
