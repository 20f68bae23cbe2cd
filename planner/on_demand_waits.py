"""How long a request waits at a concentrator that is doing something else, and when it is answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..channels.mac.plc.exchange import Attempts
from ..channels.mac.plc.polling import MOST_ROUNDS

Array = NDArray[Any]

_HALVINGS = 48
"""Bisections of a quantile: below a microsecond in a day."""

_SETTLED = 1e-6
"""Attempts that come with less probability are not looked at."""

_POINTS, _WEIGHTS = np.array([-np.sqrt(3.0), 0.0, np.sqrt(3.0)]), np.array([1.0, 4.0, 1.0]) / 6.0
"""A normal number as three, exact to the fifth moment (Gauss and Hermite)."""


class Waits(NamedTuple):
    """What a request finds running at each concentrator, part of the day by part (first axis).

    start : (n_parts, n_sites + 1) first row of each site in the others
    seconds : (n_parts, n_rows) durations, rising within a site
    met, per_s : (n_parts, n_rows + 1) sums over the rows before: probability to meet one, and the same per second
    taken : (n_parts, n_sites) share of the time that requests take themselves
    """

    start: Array
    seconds: Array
    met: Array
    per_s: Array
    taken: Array


class Own(NamedTuple):
    """The requests' own exchanges: site (n,), and one attempt of each, (n_parts, n) columns as in `Attempts`."""

    site: Array
    success: Array
    done_s: Array
    done_s2: Array
    failed_s: Array


def mean_starts(success: Array) -> Array:
    """Mean number of starts of something that is begun again until it succeeds, at most ``MOST_ROUNDS`` times."""
    q = np.clip(success, 1e-12, 1.0)
    return np.asarray((1 - (1 - q) ** MOST_ROUNDS) / q)


@dataclass(frozen=True)
class Met:
    """Attempts that a request may meet, those that succeed and those that do not: place, duration, how many a day."""

    site: Array
    seconds: Array
    count: Array

    @classmethod
    def of(cls, one: Attempts, site: Array) -> Met:
        """From one attempt of each job, and the site of each; -1 for none."""
        starts = mean_starts(one.success)
        seconds = np.concatenate([one.done_s, one.failed_s])
        count = np.concatenate([starts * one.success, starts * (1 - one.success)])
        return cls(np.tile(site, 2), seconds, np.where((np.tile(site, 2) >= 0) & (seconds > 0), count, 0.0))

    def sums_s(self, n_sites: int) -> Array:
        """(n_sites,) time of all of them."""
        return np.bincount(np.maximum(self.site, 0), self.count * self.seconds, n_sites)


def waits_of(
    cycle: Met, asked: Met, running: Array, taken: Array, places_s: float, *, alone: bool
) -> tuple[Array, ...]:
    """The columns of `Waits` in one part of the day.

    Parameters
    ----------
    running : (n_sites,) share of the part in which the cycle runs
    taken : (n_sites,) share of the time that requests take;  places_s : time of a day at all places side by side
    """
    n_sites = running.size
    taken = taken * (not alone)
    per_cycle = (1 - taken) * running / np.maximum(cycle.sums_s(n_sites), 1e-9) * (not alone)
    site = np.concatenate([cycle.site, asked.site])
    own = np.where(asked.site >= 0, asked.count / places_s * (not alone), 0.0)
    rate = np.concatenate([np.append(per_cycle, 0.0)[cycle.site] * cycle.count, own])
    seconds = np.concatenate([cycle.seconds, asked.seconds])
    order = np.lexsort((seconds, site))
    start = np.searchsorted(site[order], np.arange(n_sites + 1))
    rate, seconds = rate[order], seconds[order]
    return start, seconds, np.append(0.0, np.cumsum(rate * seconds)), np.append(0.0, np.cumsum(rate)), taken


@njit(cache=True, nogil=True)
def answer_times(waits: Waits, own: Own, weight: Array, window_s: float, parallel: int, fate: Array) -> None:
    """Probability in time and its median and 95 % latency of each request, written to ``fate`` (3, n)."""
    for row in range(own.site.size):
        reached = _below(window_s, row, waits, own, weight, parallel)
        fate[0, row] = reached
        for column, quantile in ((1, 0.5), (2, 0.95)):
            low, high = 0.0, window_s
            for _ in range(_HALVINGS):
                middle = 0.5 * (low + high)
                if _below(middle, row, waits, own, weight, parallel) >= quantile * reached:
                    high = middle
                else:
                    low = middle
            fate[column, row] = high


@njit(cache=True, nogil=True)
def _below(time: float, row: int, waits: Waits, own: Own, weight: Array, parallel: int) -> float:
    """Probability that a request is answered within ``time``: its wait, attempts in vain and the one that succeeds."""
    total, site = 0.0, own.site[row]
    for part in range(weight.size):
        q, left = own.success[part, row], 1.0
        if q <= 0.0:
            continue
        spread = own.done_s2[part, row] ** 0.5
        for turn in range(MOST_ROUNDS):
            mean = turn * own.failed_s[part, row] + own.done_s[part, row]
            if mean - 3.0 * spread > time or left < _SETTLED:
                break
            for point in range(3):
                spare = time - max(mean + _POINTS[point] * spread, 0.0)
                if spare >= 0.0:
                    waits_on = _waiting(spare * (1.0 - waits.taken[part, site]), part, site, waits, parallel)
                    total += weight[part] * left * q * _WEIGHTS[point] * (1.0 - waits_on)
            left *= 1.0 - q
    return total


@njit(cache=True, nogil=True)
def _waiting(time: float, part: int, site: int, waits: Waits, parallel: int) -> float:
    """Probability that everything that runs at a concentrator at a random moment still runs ``time`` later.

    All places side by side are taken or none is, each by an exchange of its own.
    """
    low, high = waits.start[part, site], waits.start[part, site + 1]
    row = low + np.searchsorted(waits.seconds[part, low:high], time)
    met, per_s = waits.met[part], waits.per_s[part]
    busy = met[high] - met[low]
    one = max(met[high] - met[row] - time * (per_s[high] - per_s[row]), 0.0)
    return float(busy * (one / busy) ** parallel) if one > 0.0 else 0.0
