"""A message on the heels of a word: both leave one modem and go the same way, and the word is still being relayed.

Who hears whom along a way: each node its neighbours, and where the line carries that far (too weakly for a link) those
two hops away. A node that does not hear so far sends into the word two hops ahead of it, and its own receiver, between
the two, loses the frame. Nodes that do hear each other collide where they begin at the same moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ...phy.prime_ofdm import FRAME_TYPES, SYMBOL_S
from .settings import DATA_PRIORITY, PrimeMac
from .time import CYCLES, luck

Array = NDArray[Any]

_NEVER_S = 1e18
_MOST_KEPT = 1 << 17


@dataclass(frozen=True)
class Followed:
    """First frame of a message behind a word; (n_ways,) columns.

    arrives_s : mean time until it is at the far end, of those that get there [s]
    spoilt : share whose receiver itself relays the word at that moment, or that finds the line busy too often
    beside : share that meets the word two hops ahead, which spoils it where it arrives strong enough
    """

    arrives_s: Array
    spoilt: Array
    beside: Array


def follow(mac: PrimeMac, word_s: Array, frame_s: Array, hops: Array, head_s: float, *, far: Array) -> Followed:
    """Follow first frames of messages behind words.

    Parameters
    ----------
    word_s, frame_s : (n_ways, n_hops) airtime of word and frame on each hop, in the order they are passed [s]
    hops : (n_ways,) hops of each way, at least 1;  head_s : time from the word to the message, made meanwhile [s]
    far : (n_ways,) bool, the nodes of a way hear two hops far

    Returns
    -------
    Followed; times count from the handing over of the message. Both go by the CSMA/CA of the contention period, and
    begin when a frame has arrived anywhere in the contention period.
    """
    clock = np.array([mac.frame_s, mac.scp_start_s, mac.scp_start_s + mac.scp_s, SYMBOL_S])
    rules = np.array([mac.senses_s, mac.processing_s, FRAME_TYPES["A"].preamble_s, head_s])
    windows = np.array([mac.window_symbols(DATA_PRIORITY, attempt) for attempt in range(mac.max_attempts)])
    times = [one.tobytes() for one in (clock, rules, windows)]
    air_s = (np.asarray(one, np.float64) for one in (word_s, frame_s))
    # on shorter ways there is nobody so far ahead
    ways = zip(*air_s, hops.tolist(), (1 + (far & (hops > 2))).tolist(), strict=True)
    fate = [_one_way(word[:n].tobytes(), frame[:n].tobytes(), *times, reach) for word, frame, n, reach in ways]
    return Followed(*np.array(fate, np.float64).reshape(-1, 3).T)


@lru_cache(maxsize=_MOST_KEPT)
def _one_way(
    word_s: bytes, frame_s: bytes, clock: bytes, rules: bytes, windows: bytes, reach: int
) -> tuple[float, ...]:
    """Columns of `Followed` of one way; the same few return in every area and replication."""
    word, frame, when, how = (np.frombuffer(one, np.float64).copy() for one in (word_s, frame_s, clock, rules))
    sums = _follow(word, frame, when, how, np.frombuffer(windows, np.int64).copy(), reach, luck())
    n_sent = CYCLES - sums[1] - sums[2]
    return sums[0] / max(n_sent, 1.0), sums[1] / CYCLES, sums[2] / CYCLES


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _follow(
    word_s: Array, frame_s: Array, clock: Array, rules: Array, windows: Array, reach: int, numbers: Array
) -> tuple[float, float, float]:
    """Summed time of frames that arrive, and how many met the word at their receiver, and two hops ahead."""
    hops, n_here, n_beside, sum_s = word_s.size, 0.0, 0.0, 0.0
    senses_s, pause_s, deaf_s, head_s = rules
    air = np.empty((2, hops))
    begin, end = np.empty(air.shape), np.empty(air.shape)
    at, attempt, look = np.empty(2, np.int64), np.empty(2, np.int64), np.empty(2)
    air[0], air[1] = word_s, frame_s
    draw = 0
    for cycle in range(CYCLES):
        start_s = clock[1] + (clock[2] - clock[1]) * (((cycle + 0.5) * 0.6180339887498949) % 1.0) + pause_s
        begin[:], end[:] = _NEVER_S, _NEVER_S
        at[:], attempt[:] = 0, 0
        look[:] = _NEVER_S
        look[0], draw = _look(start_s, air[0, 0], windows[0], clock, senses_s, numbers, draw)
        asked_s, spoilt, beside = start_s + head_s, False, False
        ready_s = asked_s
        while at[1] < hops and not (spoilt or beside):
            one = 0 if look[0] <= look[1] else 1
            other, hop = 1 - one, at[one]
            now = look[one] + senses_s
            busy_s = _busy(look[one], now, hop, at[other], begin[other], end[other], deaf_s, reach)
            if busy_s > 0.0:
                attempt[one] += 1
                if attempt[one] == windows.size:
                    spoilt = one == 1
                    look[one] = _NEVER_S
                    if one == 0:
                        # dropped: the modem turns to the message if that waits behind it
                        at[0] = hops
                        if at[1] == hop:
                            look[1], draw = _look(
                                max(busy_s, ready_s), air[1, hop], windows[0], clock, senses_s, numbers, draw
                            )
                    continue
                look[one], draw = _look(busy_s, air[one, hop], windows[attempt[one]], clock, senses_s, numbers, draw)
                continue
            begin[one, hop], end[one, hop] = now, now + air[one, hop]
            # the word two hops ahead, or one hop if both began at once, spoils the message
            way = 1 if one == 1 else -1
            spoilt = _overlaps(begin[other], end[other], now, end[one, hop], hop + way, hops)
            beside = _overlaps(begin[other], end[other], now, end[one, hop], hop + 2 * way, hops)
            at[one], attempt[one] = hop + 1, 0
            look[one] = _NEVER_S
            if one == 0 and at[1] == hop:
                # the modem is free for the message that waits behind the word
                free_s = max(end[0, hop], ready_s)
                look[1], draw = _look(free_s, air[1, hop], windows[0], clock, senses_s, numbers, draw)
            if at[one] == hops:
                continue
            ready_s = end[one, hop] + pause_s if one == 1 else ready_s
            if one == 0 or at[0] > at[1]:
                free_s = end[one, hop] + pause_s
                if one == 1 and begin[0, hop + 1] < _NEVER_S:
                    free_s = max(free_s, end[0, hop + 1])
                look[one], draw = _look(free_s, air[one, hop + 1], windows[0], clock, senses_s, numbers, draw)
        n_here += spoilt
        n_beside += beside and not spoilt
        if not (spoilt or beside):
            sum_s += end[1, hops - 1] + pause_s - asked_s
    return sum_s, n_here, n_beside


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _look(
    now: float, air_s: float, window: int, clock: Array, senses_s: float, numbers: Array, draw: int
) -> tuple[float, int]:
    """When a node that is ready now first looks at the line, and the next number to draw."""
    frame_s, start_s, end_s, symbol_s = clock
    while True:
        place = now % frame_s
        if place < start_s:
            now += start_s - place
            place = start_s
        draw = (draw + 1) % numbers.size
        backoff_s = np.floor(numbers[draw] * (window + 1)) * symbol_s
        if place + backoff_s + senses_s + air_s <= end_s + 1e-9:
            return now + backoff_s, draw
        now += frame_s - place + start_s


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _busy(
    first_s: float, last_s: float, hop: int, other_hop: int, begin: Array, end: Array, deaf_s: float, reach: int
) -> float:
    """End of a frame within reach that one of the looks finds on the line; 0 where all find it idle."""
    for k in range(max(0, other_hop - 1), min(other_hop + 1, begin.size)):
        near = abs(k - hop) <= reach
        for look_s in (first_s, last_s):
            if near and begin[k] + deaf_s <= look_s + 1e-9 and look_s < end[k]:
                return float(end[k])
    return 0.0


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _overlaps(begin: Array, end: Array, start_s: float, stop_s: float, hop: int, hops: int) -> bool:
    """Whether the frame of a hop is on the line within a time."""
    return bool(0 <= hop < hops and begin[hop] < stop_s and end[hop] > start_s)
