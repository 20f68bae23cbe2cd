"""Fragments of one message behind each other on a chain of hops: how long they wait for the line and for each other.

The first sender has the next fragment as soon as the first hop has taken the one before, so relays and source contend.
A loser's window doubles and stays wide until it wins, even when nobody contends any more: what a wait costs depends on
all that went before, for which there is no closed form. So the law of contention is followed here, with drawn slots,
once for every number of fragments and hops; the draws are always the same.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ...draws import Draws
from .csma import HIGH_PRIORITY_SLOTS, idle_windows
from .framing import MacSettings

Array = NDArray[Any]

RUNS = 300
"""Messages followed: leaves the mean of a message within about half a percent."""
MOST_FRAGMENTS, MOST_HOPS = 8, 8
"""Beyond, every fragment or hop adds what the one before did."""
BURSTS_S = (0.03, 0.1, 0.3, 1.0)
"""Lengths of a fragment on the line with its acknowledgements, between which the wait is interpolated [s]."""
SENSE_SYMBOLS = 2
"""Preamble symbols after which a frame is noticed, as in the packet tier; confidence C."""


def chain_wait_s(n_fragments: int, n_hops: int, burst_s: Array, first_try_s: Array, mac: MacSettings) -> Array:
    """Time that all fragments take beyond their bursts: contention, processing, shared slots.

    Parameters
    ----------
    n_fragments, n_hops : at least 1
    burst_s : (n,) time of one fragment on the line with all acknowledgements and gaps, mean over the hops [s]
    first_try_s : (n,) part of it that is lost where a slot is shared: the first segment [s]

    Returns
    -------
    (n,) mean from hand-over to the arrival of the last fragment, less ``n_fragments * n_hops`` bursts [s]. All nodes
    hear each other; without a second fragment or hop it is the closed form of a lone sender.
    """
    shares = np.unique(np.clip(first_try_s / np.maximum(burst_s, 1e-9), 0.05, 1.0).round(1))
    share = np.clip(first_try_s / np.maximum(burst_s, 1e-9), 0.05, 1.0).round(1)
    wait_s = np.zeros(np.shape(burst_s))
    for one in shares:
        known = [_mean_wait_s(n_fragments, n_hops, length, float(one), mac) for length in BURSTS_S]
        at = share == one
        wait_s[at] = np.interp(np.log(np.maximum(burst_s[at], 1e-9)), np.log(BURSTS_S), known)
    return wait_s


@lru_cache(maxsize=4096)
def _mean_wait_s(n_fragments: int, n_hops: int, burst_s: float, share: float, mac: MacSettings) -> float:
    """Mean wait of one length of burst; straight on beyond the largest chains that are followed."""
    for most, name in ((MOST_HOPS, "hops"), (MOST_FRAGMENTS, "fragments")):
        count = n_hops if name == "hops" else n_fragments
        if count > most:
            last, before = (
                _mean_wait_s(*((n_fragments, less) if name == "hops" else (less, n_hops)), burst_s, share, mac)
                for less in (most, most - 1)
            )
            return last + (count - most) * (last - before)
    plan, csma = mac.plan, mac.csma
    start = np.array(idle_windows(csma), np.int64)
    wanted = RUNS * (n_fragments * n_hops * 8 + 40)
    chances = _chances(1 << (wanted - 1).bit_length())
    times = (plan.gap_s, plan.slot_s, SENSE_SYMBOLS * plan.window_s, mac.processing_s, burst_s, share * burst_s)
    law = (csma.smallest, csma.largest, csma.decrease * csma.smallest, csma.min_cw_attempts, HIGH_PRIORITY_SLOTS)
    total_s = _follow(n_fragments, n_hops, times, law, start, chances, RUNS)
    return float(total_s / RUNS - n_fragments * n_hops * burst_s)


@lru_cache(maxsize=4)
def _chances(n: int) -> Array:
    """Uniform numbers, the same for every chain."""
    return Draws(0).uniform("g3 chain", np.arange(n, dtype=np.uint64))


@njit(cache=True, nogil=True)
def _follow(n_fragments, n_hops, times, law, windows, chances, runs):  # type: ignore[no-untyped-def]
    """Sum of the durations of ``runs`` messages [s]. A node's event is the end of its wait, or the time it is ready."""
    gap, slot, sense, processing, burst, first_try = times
    smallest, largest, decrease, attempts, lead = law
    drawn, total = 0, 0.0
    for _ in range(runs):
        ready = np.full((n_hops + 1, n_fragments), np.inf)
        ready[0, 0] = 0.0
        sent, row, counting = np.zeros(n_hops, np.int64), np.zeros(n_hops, np.int64), np.zeros(n_hops, np.bool_)
        window, event = np.empty(n_hops, np.int64), np.full(n_hops, np.inf)
        for node in range(n_hops):
            place = int(chances[drawn] * windows.size)
            drawn += 1
            window[node] = windows[place]
            row[node] = min(place, attempts) if window[node] == smallest else 0
        event[0], begun, line_end = 0.0, -1.0, -gap
        while ready[n_hops, n_fragments - 1] == np.inf:
            node = int(np.argmin(event))
            now = event[node]
            taken = line_end + gap > now + 1e-9 and begun <= now - sense
            if counting[node] and not taken:
                shared = False
                for other in range(n_hops):
                    if other != node and counting[other] and event[other] < now + sense:
                        shared = True
                        window[other] = min(2 * window[other], largest)
                        event[other], counting[other] = now + first_try, False
                begun, line_end = now, now + (first_try if shared else burst)
                if shared:
                    window[node] = min(2 * window[node], largest)
                else:
                    number = sent[node]
                    window[node] = max(window[node] - decrease, smallest)
                    sent[node] += 1
                    ready[node + 1, number] = line_end + processing
                    if node == 0 and number + 1 < n_fragments:
                        ready[0, number + 1] = line_end
                    if node + 1 < n_hops and event[node + 1] == np.inf:
                        event[node + 1], counting[node + 1] = ready[node + 1, sent[node + 1]], False
                event[node], counting[node] = np.inf, False
                if sent[node] < n_fragments:
                    event[node] = max(ready[node, sent[node]], line_end)
                continue
            if counting[node]:
                window[node] = min(2 * window[node], largest)
            row[node] = row[node] + 1 if window[node] == smallest else 0
            if row[node] > attempts:
                window[node], row[node] = largest, 0
            draw = 1 + int(chances[drawn % chances.size] * window[node])
            drawn += 1
            event[node] = max(now, line_end) + gap + slot * (lead + draw)
            counting[node] = True
        total += ready[n_hops, n_fragments - 1]
    return total
