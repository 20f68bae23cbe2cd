"""How long PRIME transmissions take: backoff, senses, and a frame that must end inside the contention period.

`frames_per_scp` is exact for a lone sender. `walk` follows chains of transmissions (a segment over its hops and the
word back) through MAC frame after MAC frame; what fits no more waits for the next one, so times lock to its length.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ...draws import Draws
from ...phy.prime_ofdm import SYMBOL_S
from .settings import DATA_PRIORITY, PrimeMac

Array = NDArray[Any]

CYCLES = 256
"""Turns that a chain is followed for: means are exact to about a hundredth."""
_SLACK_S = 1e-9
_LUCK = 12
_MOST_KEPT = 1 << 17
"""Two to this power numbers are drawn once; every chain takes its backoffs from them in the same order."""


def frames_per_scp(mac: PrimeMac, airtime_s: float) -> float:
    """Mean number of frames that a lone sender with a full queue sends in one shared contention period.

    A frame fits where backoff, senses and airtime end inside the period; the first draw that does not fit ends it. With
    uniform whole-symbol backoffs this is the renewal function of the sums, exact.

    Parameters
    ----------
    airtime_s : of each frame [s]

    Raises ValueError where the airtime is not positive.
    """
    if not airtime_s > 0:
        raise ValueError(f"airtime_s = {airtime_s} must be positive")
    least_s = mac.senses_s + airtime_s
    window = mac.window_symbols(DATA_PRIORITY, 0)
    drawn, mean = np.ones(1), 0.0
    for count in range(1, int(mac.scp_s / least_s + _SLACK_S) + 1):
        drawn = np.convolve(drawn, np.full(window + 1, 1 / (window + 1)))
        left = int(np.floor((mac.scp_s - count * least_s) / SYMBOL_S + _SLACK_S))
        mean += float(drawn[: left + 1].sum())
    return mean


def saturation_bps(mac: PrimeMac, airtime_s: float, payload_bytes: int) -> float:
    """Payload that a lone sender with a full queue brings onto the line, without acknowledgements [bit/s]."""
    return 8 * payload_bytes * frames_per_scp(mac, airtime_s) / mac.frame_s


def mac_frame_row(mac: PrimeMac) -> dict[str, float | int]:
    """The MAC frame in numbers, for the screen."""
    return {
        "frame_symbols": mac.frame_symbols,
        "frame_ms": round(mac.frame_s * 1e3, 2),
        "beacon_slots": mac.beacon_slots,
        "slot_ms": round(mac.slot_s * 1e3, 2),
        "scp_symbols": mac.scp_symbols,
        "scp_ms": round(mac.scp_s * 1e3, 2),
        "segment_payload_bytes": mac.segment_payload_bytes,
        "most_switches": mac.most_sending_switches,
    }


@dataclass(frozen=True)
class Walked:
    """Times of chains; (n_chains,) columns [s], [s^2].

    first_s : until the first frame of a turn has left
    there_s, there_s2 : mean and variance until the last frame before the turning point is there
    round_s, round_s2 : mean and variance of a whole turn
    """

    first_s: Array
    there_s: Array
    there_s2: Array
    round_s: Array
    round_s2: Array

    def rows(self, chains: Array) -> Walked:
        """Times of some chains, in that order."""
        columns = (self.first_s, self.there_s, self.there_s2, self.round_s, self.round_s2)
        return Walked(*(column[chains] for column in columns))


def walk(mac: PrimeMac, airtime_s: Array, pause_s: Array, count: Array, turning: Array, *, fresh: bool) -> Walked:
    """Follow chains of transmissions that each wait for the one before.

    Parameters
    ----------
    airtime_s, pause_s : (n_chains, n_most) airtime of each transmission, and how long its receiver takes over it [s]
    count, turning : (n_chains,) transmissions of a turn, and how many of them lead to the turning point, 1 to ``count``
    fresh
        True starts every turn at a random place of the MAC frame, false where the turn before has ended.

    Returns
    -------
    Walked. Every chain draws the same backoffs, so that none gains by luck. Raises ValueError where a frame does not
    fit the contention period.
    """
    longest_s = float(np.max(airtime_s, initial=0.0)) + mac.senses_s
    if longest_s > mac.scp_s + _SLACK_S:
        raise ValueError(
            f"a frame of {longest_s:.3f} s with its senses never fits a contention period of {mac.scp_s:.3f} s; "
            "use shorter segments, a longer MAC frame or fewer beacon slots"
        )
    clock = np.array([mac.frame_s, mac.scp_start_s, mac.scp_start_s + mac.scp_s, mac.senses_s, SYMBOL_S])
    rules = clock.tobytes(), mac.window_symbols(DATA_PRIORITY, 0), fresh
    times = (np.asarray(one, np.float64) for one in (airtime_s, pause_s))
    chains = zip(*times, *(one.astype(np.int64).tolist() for one in (count, turning)), strict=True)
    each = [_one_chain(air[:n].tobytes(), pause[:n].tobytes(), turn, *rules) for air, pause, n, turn in chains]
    first, there, there2, whole, whole2 = np.array(each, np.float64).reshape(-1, 5).T / CYCLES
    return Walked(first, there, np.maximum(there2 - there**2, 0), whole, np.maximum(whole2 - whole**2, 0))


@lru_cache(maxsize=_MOST_KEPT)
def _one_chain(airtime_s: bytes, pause_s: bytes, turning: int, clock: bytes, window: int, fresh: bool) -> Array:
    """Sums over the turns of one chain; the same few chains return in every area and replication."""
    air, pause, when = (np.frombuffer(one, np.float64).copy() for one in (airtime_s, pause_s, clock))
    return np.asarray(_walk(air, pause, turning, when, window, luck(), fresh))


@cache
def luck() -> Array:
    """Numbers from 0 to 1 that backoffs are made of, the same at every call."""
    return Draws(seed=0).uniform("prime walk", np.arange(1 << _LUCK))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _walk(
    airtime_s: Array, pause_s: Array, turning: int, clock: Array, window: int, numbers: Array, fresh: bool
) -> Array:
    """Sums over the turns of a chain: first, there, there squared, whole, whole squared."""
    sums = np.zeros(5)
    frame_s, start_s, end_s, senses_s, symbol_s = clock
    now, draw = start_s, 0
    for cycle in range(CYCLES):
        if fresh:
            now = frame_s * (((cycle + 0.5) * 0.6180339887498949) % 1.0)
        begun = now
        for k in range(airtime_s.size):
            while True:
                place = now % frame_s
                if place < start_s:
                    now += start_s - place
                    place = start_s
                draw = (draw + 1) % numbers.size
                backoff_s = np.floor(numbers[draw] * (window + 1)) * symbol_s
                ends = place + backoff_s + senses_s + airtime_s[k]
                if ends <= end_s + 1e-9:
                    now += ends - place
                    break
                now += frame_s - place + start_s
            if k == 0:
                sums[0] += now - begun
            now += pause_s[k]
            if k == turning - 1:
                sums[1] += now - begun
                sums[2] += (now - begun) ** 2
        sums[3] += now - begun
        sums[4] += (now - begun) ** 2
    return sums
