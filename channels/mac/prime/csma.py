"""The MAC frame of PRIME as a clock, and who may speak when: beacon slots, contention period, CSMA/CA."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import simpy

from ...phy.prime_ofdm import SYMBOL_S
from ..plc.medium import Medium
from .messages import Slot
from .settings import PrimeMac

Steps = Generator[Any, Any, Any]
Draw = Callable[[], float]

PRIORITIES = 4
TICK_S = 1e-9
"""Rounding of sums of times; far below a symbol."""


def later(env: simpy.Environment, delay_s: float, action: Callable[[], None]) -> None:
    """Do something after a delay [s], without a process of its own."""
    event = env.timeout(delay_s)
    assert event.callbacks is not None
    event.callbacks.append(lambda _: action())


def out_of_step(timer_s: float, draw: Draw) -> float:
    """A timer as a modem keeps it, up to a tenth early or late, lest modems that met once meet again for ever
    (confidence C)."""
    return timer_s * (0.9 + 0.2 * draw())


class FrameClock:
    """MAC frames counted from time 0, at which the first one starts; every node that hears beacons knows it.

    slot_s : length of a beacon slot;  senses_s : from the first look at the line to the last [s]
    """

    def __init__(self, mac: PrimeMac) -> None:
        self._frame_s, self._start_s, self._scp_s, self.slot_s = mac.frame_s, mac.scp_start_s, mac.scp_s, mac.slot_s
        self.senses_s, self.sense_delay_s, self.sense_count = mac.senses_s, mac.sense_delay_s, mac.sense_count
        self._windows = [[mac.window_symbols(p, k) for k in range(mac.max_attempts)] for p in range(PRIORITIES)]

    def windows(self, priority: int) -> list[int]:
        """Largest backoff of each attempt [symbols]."""
        return self._windows[priority]

    def contention_s(self, now_s: float, need_s: float) -> float:
        """Earliest time from now at which the contention period still has room for ``need_s`` [s].

        ``need_s`` may be as long as the whole period, not longer.
        """
        number = math.floor((now_s - self._start_s) / self._frame_s + TICK_S)
        start_s = number * self._frame_s + self._start_s
        if now_s + need_s <= start_s + self._scp_s + TICK_S:
            return now_s
        return start_s + self._frame_s

    def beacons_between(self, slot: Slot, from_s: float, until_s: float) -> int:
        """Beacons of a slot that start at or after the first time and before the second."""
        return self._beacons_before(slot, until_s) - self._beacons_before(slot, from_s)

    def _beacons_before(self, slot: Slot, time_s: float) -> int:
        frames = math.ceil((time_s - slot.number * self.slot_s) / self._frame_s - TICK_S)
        return max(0, -((slot.phase - frames) // slot.every))

    def beacon_s(self, slot: Slot, after_s: float, nth: int) -> float:
        """Start of the nth beacon of a slot at or after a time [s], ``nth`` from 1."""
        turn = self._beacons_before(slot, after_s) + nth - 1
        return (slot.phase + turn * slot.every) * self._frame_s + slot.number * self.slot_s


def access(
    env: simpy.Environment,
    clock: FrameClock,
    medium: Medium,
    node: int,
    priority: int,
    airtime_s: float,
    draw: Draw,
    *,
    timed: bool = True,
) -> Steps:
    """Wait for the right to send one frame; ends with whether it may start now.

    Parameters
    ----------
    node : member index;  priority : 0 is the most urgent;  airtime_s : of the frame [s]
    draw : uniform number in [0, 1)
    timed
        False for a node that hears no beacon: it knows no contention period and sends at any time.

    A backoff of whole symbols, uniform up to `PrimeMac.window_symbols`, then ``sense_count`` looks at the line, all of
    which must find it idle. Where backoff, looks and frame do not end within the contention period, all begin anew in
    the next one. Where a look finds the line busy, the node waits until the frame has passed, whose header told its
    length, and tries with the window of the next attempt. After ``max_attempts`` the frame is given up.

    References
    ----------
    PRIME 1.3.6 and 1.4, CSMA/CA of the shared contention period (values A, form B; see `PrimeMac`).
    """
    need_s = clock.senses_s + airtime_s
    for window in clock.windows(priority):
        wait_s = int(draw() * (window + 1)) * SYMBOL_S
        while timed:
            start_s = clock.contention_s(env.now, wait_s + need_s)
            if start_s <= env.now:
                break
            yield env.timeout(start_s - env.now)
            wait_s = int(draw() * (window + 1)) * SYMBOL_S
        if wait_s:
            yield env.timeout(wait_s)
        busy_s = medium.idle_s(node)
        for _ in range(clock.sense_count - 1):
            if busy_s > env.now:
                break
            yield env.timeout(clock.sense_delay_s)
            busy_s = medium.idle_s(node)
        if busy_s <= env.now:
            return True
        yield env.timeout(busy_s - env.now)
    return False


def beacons_until_lost(miss_ratio: float, run: int, rng: np.random.Generator) -> float:
    """Beacons until ``run`` in a row were missed, one draw; inf where that does not happen.

    Parameters
    ----------
    miss_ratio : probability that one beacon is missed, 0 to 1, independent of the others;  run : at least 1

    Returns
    -------
    At least ``run``. The number of shorter runs before is geometric; their lengths are drawn one by one up to a
    thousand, beyond that their sum is normal (central limit theorem).

    >>> beacons_until_lost(1.0, 5, np.random.default_rng(1)), beacons_until_lost(0.0, 5, np.random.default_rng(1))
    (5.0, inf)
    """
    whole = miss_ratio**run
    if whole < 1e-12:
        return math.inf
    failed = int(rng.geometric(whole)) - 1
    misses = np.arange(run)
    weight = (1 - miss_ratio) * miss_ratio**misses
    if not failed:
        return float(run)
    weight /= weight.sum()
    if failed <= 1000:
        return float(run + failed + rng.choice(misses, failed, p=weight).sum())
    mean = float(weight @ misses)
    spread = math.sqrt(max(float(weight @ misses**2) - mean**2, 0.0) * failed)
    return float(run + failed + max(0.0, round(failed * mean + spread * rng.standard_normal())))
