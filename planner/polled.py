"""Meters that a concentrator of the packet tier reads: commissioned, with the registers of the day and shared keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from ..meters.client import settings_of
from ..meters.commission import commission
from ..meters.load import profile, registers
from ..meters.settings import ServiceSettings
from .concentrator import PolledMeter
from .exchanges import PROFILE_DAY

Array = NDArray[Any]

PUSHED_ONLY = ("last_gasp",)
"""Services that nobody can ask for: the packet tier polls, so it leaves them out."""


def commissioned(
    nodes: Array, keys: Array, kinds: Array, services: Sequence[str], session: ServiceSettings, seed: int
) -> dict[str, list[PolledMeter]]:
    """The meters as each service finds them, in their order: one meter for all services of its capture period.

    Parameters
    ----------
    nodes, keys, kinds : (n,) node numbers, uint64 stable keys, and names of the load model
    """
    made: dict[int, list[PolledMeter]] = {}
    polled = {}
    for service in services:
        own = settings_of(service, session)
        if own.profile_interval_min not in made:
            made[own.profile_interval_min] = _with_registers(nodes, keys, kinds, own, seed)
        polled[service] = made[own.profile_interval_min]
    return polled


def _with_registers(nodes: Array, keys: Array, kinds: Array, session: ServiceSettings, seed: int) -> list[PolledMeter]:
    """Meters with the registers of the day, each with a head end that shares its keys."""
    n_intervals = session.n_intervals
    profiles = profile(keys, kinds, PROFILE_DAY, seed, n_intervals=n_intervals)
    ends, starts = (registers(keys, kinds, PROFILE_DAY + day, seed, n_intervals=n_intervals) for day in (1, 0))
    polled = []
    for row, node in enumerate(nodes):
        server, head_end = commission(
            int(keys[row]), ends[row], profiles[row], PROFILE_DAY, session, seed=seed, start_wh=starts[row]
        )
        polled.append(PolledMeter(int(node), server, head_end, ends[row], profiles[row], starts[row]))
    return polled
