"""A concentrator that asks its meters in turn, one or several side by side, and again those that did not answer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .line_share import common_stretch, stretched_job

Array = NDArray[Any]

MOST_ROUNDS = 20
"""Rounds after which a concentrator gives up on a meter even if the window is still open; the packet tier's limit."""

SETTLED = 1e-12
"""No further round is computed where every job is open with less than this probability."""

_HALVINGS, _TICK_S, _LEAST = 48, 1e-9, 1e-9
"""Bisections of a latency quantile, far below a microsecond within a day; two times as near are one [s]; a probability
that is none."""


@dataclass(frozen=True)
class Jobs:
    """What a concentrator has to do, one job per service and meter.

    Where a column may have another axis in front, (n_levels, n_moments, n_jobs), it holds for a line that is so crowded
    that what an attempt has to do on it takes ``stretch`` times as long; between two levels it is interpolated, and
    beyond the last of several nothing changes any more. With one level, attempts grow by what they do on the line.

    server : (n_jobs,) site of the job;  rank : (n_jobs,) order within the site, any sortable number
    not_before_s, window_s : (n_jobs,) earliest start, and how long after it the job counts [s]
    success : (n_moments, n_jobs) probability that one attempt completes; 0 with no time at all: nobody asks
    done_s, done_s2 : (n_moments, n_jobs) mean [s] and variance [s^2] of the duration of an attempt that completes
    failed_s, failed_s2 : (n_moments, n_jobs) the same of one that fails
    line_s : (n_moments, n_jobs) mean time for which an attempt keeps the line busy, unstretched [s], at most its
        duration
    frames : (n_moments, n_jobs) mean number of frames that an attempt sends
    stretch : (n_levels,) rising from 1
    """

    server: Array
    rank: Array
    not_before_s: Array
    window_s: Array
    success: Array
    done_s: Array
    done_s2: Array
    failed_s: Array
    failed_s2: Array
    line_s: Array
    frames: Array
    stretch: tuple[float, ...] = (1.0,)


@dataclass(frozen=True)
class Polled:
    """Fate of each job; (n_jobs,) columns.

    p_arrive : complete within its window;  p_eventually : complete if the window had no end
    p50_s, p95_s : latency of a job completed in time, from its earliest start; inf where it never completes
    frames : mean number of frames sent for it, in all attempts that begin within the window
    """

    p_arrive: Array
    p_eventually: Array
    p50_s: Array
    p95_s: Array
    frames: Array


def poll(
    jobs: Jobs,
    until_s: Array,
    *,
    rounds: int = MOST_ROUNDS,
    parallel: int = 1,
    contention: Array | None = None,
    waiting: Array | None = None,
    airtime_share: float = 1.0,
    alone: bool = False,
) -> Polled:
    """Rounds of polling at every concentrator.

    Parameters
    ----------
    jobs : see `Jobs`;  until_s : (n_moments,) rising ends of the moments, the last one inf [s]
        An attempt has the success and durations of the moment in which it begins.
    rounds
        How often a job is attempted at most; a round in which nobody can be asked does not count.
    parallel
        Jobs that run side by side at one site and share its line.
    contention : (n_sites, n), or (n,) for all sites, positive
        Factor on the time that the line is kept busy while 1, 2, ... jobs want it; the last one holds for more. None
        for no such loss.
    waiting : shaped as ``contention``, at least 0
        Seconds for which a job waits elsewhere for each second on the line while 1, 2, ... want it; None for none.
    airtime_share
        Share of each job's window that its site may fill with jobs, above 0 to 1; later jobs of the site wait in vain.
    alone
        True leaves out what the other jobs take (no other traffic).

    Returns
    -------
    Polled. With one job at a time the first round is the exact single-server queue (Lindley's recursion) for mean
    durations, and their variances are carried along: an end is normally distributed around its mean. In later rounds a
    job takes its duration times the probability that it is still open, and one that is asked again has failed before.
    Side by side, jobs go to the first free place and are stretched as `line_share.line_stretch` says. Raises
    ValueError where ``rounds`` or ``parallel`` is below 1 or ``airtime_share`` outside its range.
    """
    if rounds < 1 or parallel < 1:
        raise ValueError("polling rounds and parallel jobs must be at least 1")
    if not 0 < airtime_share <= 1:
        raise ValueError(
            f"airtime_share = {airtime_share} must lie above 0 and be at most 1; it is a share of the window"
        )
    order = np.lexsort((jobs.rank, jobs.not_before_s, jobs.server))
    group = jobs.server[order]
    bounds = np.flatnonzero(np.r_[True, group[1:] != group[:-1], True]) if group.size else np.zeros(1, np.int64)
    columns = (jobs.success, jobs.done_s, jobs.done_s2, jobs.failed_s, jobs.failed_s2, jobs.line_s, jobs.frames)
    shape = len(jobs.stretch), until_s.size, order.size
    cost = np.stack([np.asarray(column, np.float64).reshape(shape)[..., order] for column in columns])
    factor = np.atleast_2d(np.ones(1) if contention is None else np.asarray(contention, np.float64))
    crowd = np.stack([factor, np.zeros_like(factor) if waiting is None else np.atleast_2d(waiting)], axis=1)
    row = np.minimum(group[bounds[:-1]], factor.shape[0] - 1)
    fate = np.empty((5, order.size))
    _poll_sites(
        bounds, jobs.not_before_s[order].astype(np.float64), jobs.window_s[order].astype(np.float64),
        np.asarray(until_s, np.float64), cost, np.array(jobs.stretch), rounds, parallel, crowd[row], airtime_share,
        alone, fate,
    )  # fmt: skip
    back = np.empty(order.size, np.int64)
    back[order] = np.arange(order.size)
    return Polled(*fate[:, back])


@njit(cache=True, nogil=True)
def _poll_sites(bounds, start, window, until, cost, levels, rounds, parallel, crowd, airtime_share, alone, fate):  # type: ignore[no-untyped-def]
    """All sites, one after another; ``fate`` (5, n_jobs) takes the columns of `Polled`.

    ``crowd`` (n_sites, 2, n) is factor and wait while 1, 2, ... jobs want the line.
    """
    for site in range(bounds.size - 1):
        mine = slice(bounds[site], bounds[site + 1])
        _poll_site(
            start[mine], window[mine], until, cost[..., mine], levels, rounds, parallel, crowd[site],
            airtime_share, alone, fate[:, mine],
        )  # fmt: skip


@njit(cache=True, nogil=True)
def _poll_site(start, window, until, cost, levels, rounds, parallel, crowd, airtime_share, alone, fate):  # type: ignore[no-untyped-def]
    """Rounds of one site. ``end`` (2, places) is mean and variance of the time at which each place is free again."""
    n = start.size
    still_open, lag, parts = np.ones(n), np.zeros((2, n)), np.zeros((4, rounds, n))
    end, spent, turn, opened, likeliest = np.zeros((2, parallel)), 0.0, 0, -np.inf, 1.0
    for job in range(n):
        fate[0, job], fate[1, job], fate[4, job] = 0.0, 1.0, 0.0
    while turn < rounds and likeliest >= SETTLED:
        asked, likeliest, took = _one_round(
            start, window, until, cost, levels, parallel, crowd, airtime_share, alone, spent, opened, still_open,
            lag, end, parts[:, turn], fate,
        )  # fmt: skip
        spent += took
        if asked:
            turn += 1
            continue
        moment = _moment(until, max(end[0, 0], opened))
        if moment + 1 == until.size:
            break
        opened, likeliest = until[moment], 1.0
    for job in range(n):
        fate[1, job] = 1.0 - still_open[job] * (1.0 - fate[1, job]) ** (rounds - turn)
        # less is but the tail of a normal distribution before the shortest possible end
        fate[0, job] = fate[0, job] if fate[0, job] >= _LEAST else 0.0
        fate[2, job] = _quantile(0.5 * fate[0, job], parts[:, :, job])
        fate[3, job] = _quantile(0.95 * fate[0, job], parts[:, :, job])


@njit(cache=True, nogil=True)
def _one_round(  # type: ignore[no-untyped-def]
    start, window, until, cost, levels, parallel, crowd, airtime_share, alone, spent, opened, still_open, lag,
    end, part, fate,
):  # fmt: skip
    """One round: whether anybody was asked, the largest chance to begin in time and to remain open, and what it took.

    ``part`` (4, n_jobs) takes weight, mean, deviation and latest valid value of the end of this round's attempt;
    ``lag`` (2, n_jobs) is what the mean and the variance of the begin gain from knowing that this job has failed in all
    rounds before. Nobody is asked before ``opened``.
    """
    waiting = 0.0
    for job in range(start.size):
        waiting += still_open[job]
    places = max(1, min(parallel, math.ceil(waiting - 1e-9)))
    known, stretch, asked, began, took = -1, 1.0, False, 0.0, 0.0
    for job in range(start.size):
        if still_open[job] < SETTLED:
            continue
        place = 0
        for another in range(1, places):
            place = another if end[0, another] < end[0, place] else place
        begin = max(opened if alone else max(opened, end[0, place]), start[job])
        moment = _moment(until, begin + lag[0, job])
        q, done, done2, failed, failed2, _, frames = cost[:, 0, moment, job]
        if q <= 0.0 and failed <= 0.0:
            began = max(began, still_open[job] if moment + 1 < until.size else 0.0)
            continue
        asked = True
        if places > 1 and not alone and known != moment:
            known, stretch = moment, common_stretch(cost[:, :, moment], levels, still_open, places, crowd)
        if stretch > 1.0:
            q, done, done2, failed, failed2, frames = stretched_job(cost[:, :, moment, job], levels, stretch)
        chance, before2 = still_open[job], lag[1, job] if alone else max(end[1, place] + lag[1, job], 0.0)
        finish = begin + lag[0, job] + done - start[job]
        spare = window[job] - finish
        if not alone:
            spare = min(spare, airtime_share * window[job] - min(spent + took + lag[0, job] + done, finish))
        part[0, job], part[1, job] = q * chance, finish
        part[2, job], part[3, job] = math.sqrt(before2 + done2), finish + spare
        fate[0, job] += q * chance * _below(spare, part[2, job])
        in_time = _below(spare + done, math.sqrt(before2))
        fate[1, job] = q
        fate[4, job] += chance * in_time * frames
        began = max(began, chance * in_time * (1 - q))
        mean, square = q * done + (1 - q) * failed, q * (done2 + done**2) + (1 - q) * (failed2 + failed**2)
        still_open[job] *= 1 - q
        spread2 = max(chance * square - (chance * mean) ** 2, 0.0)
        lag[0, job] += failed if alone else (failed - chance * mean) / places
        lag[1, job] += failed2 if alone else (failed2 - spread2) / places**2
        if alone:
            continue
        took += chance * mean / places
        end[0, place] = begin + chance * mean
        end[1, place] += spread2
    last = 0
    for place in range(1, end.shape[1]):
        last = place if end[0, place] > end[0, last] else last
    for place in range(end.shape[1]):
        end[0, place], end[1, place] = end[0, last], end[1, last]
    return asked, began, took


@njit(cache=True, nogil=True)
def _moment(until, time_s):  # type: ignore[no-untyped-def]
    """Moment of the day in which a time lies."""
    moment = 0
    while moment + 1 < until.size and time_s >= until[moment]:
        moment += 1
    return moment


@njit(cache=True, nogil=True)
def _below(spare, deviation):  # type: ignore[no-untyped-def]
    """Probability that a normal number of that deviation is at most ``spare`` above its mean."""
    if deviation <= 0.0:
        return 1.0 if spare >= -_TICK_S else 0.0
    return 0.5 * math.erfc(-spare / (deviation * math.sqrt(2.0)))


@njit(cache=True, nogil=True)
def _quantile(share, parts):  # type: ignore[no-untyped-def]
    """Time by which the parts (4, rounds), each cut off at its latest value, hold ``share``; inf for none."""
    if share <= 0.0:
        return np.inf
    low, high = np.inf, -np.inf
    for turn in range(parts.shape[1]):
        if parts[0, turn] > 0.0:
            low = min(low, parts[1, turn] - 9.0 * parts[2, turn])
            high = max(high, min(parts[1, turn] + 9.0 * parts[2, turn], parts[3, turn]))
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        if _held(middle, parts) >= share * (1.0 - 1e-12):
            high = middle
        else:
            low = middle
    return max(high, 0.0)


@njit(cache=True, nogil=True)
def _held(time, parts):  # type: ignore[no-untyped-def]
    """Probability of having ended by ``time``, over all parts."""
    total = 0.0
    for turn in range(parts.shape[1]):
        if parts[0, turn] > 0.0:
            total += parts[0, turn] * _below(min(time, parts[3, turn]) - parts[1, turn], parts[2, turn])
    return total
