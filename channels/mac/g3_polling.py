"""A concentrator that asks its meters one after another, and again those that did not answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_SERVER_STRIDE_S = 1e8

MOST_ROUNDS = 20
"""Rounds after which a concentrator gives up on a meter even if the window is still open; the packet tier's limit."""

SETTLED = 1e-12
"""No further round is computed where every job is open with less than this probability."""


@dataclass(frozen=True)
class Polled:
    """Fate of each job; (n_jobs,) columns.

    p_arrive : complete within its window;  p_eventually : complete if the window had no end
    p50_s, p95_s : latency of a completed job from its earliest start; inf where it never completes
    attempts : mean number of times it is started within the window
    """

    p_arrive: Array
    p_eventually: Array
    p50_s: Array
    p95_s: Array
    attempts: Array


def poll(
    server: Array,
    rank: Array,
    not_before_s: Array,
    window_s: Array,
    success: Array,
    time_s: Array,
    *,
    rounds: int,
    parallel: int,
    airtime_share: float = 1.0,
    alone: bool = False,
) -> Polled:
    """Rounds of polling at every concentrator at once.

    Parameters
    ----------
    server : (n_jobs,) site of the job;  rank : (n_jobs,) order within the site, any sortable number
    not_before_s, window_s : (n_jobs,) earliest start, and how long after it the job counts [s]
    success, time_s : (n_jobs,) probability that one attempt completes, and its mean duration [s], positive
    rounds
        How often a job is attempted at most.
    parallel
        Jobs that run side by side at one site.
    airtime_share
        Share of each job's window that its site may fill with jobs, above 0 to 1; later jobs of the site wait in vain.
    alone
        True leaves out what the other jobs take (no other traffic).

    Returns
    -------
    Polled. The first round is the exact single-server queue (Lindley's recursion) for mean durations; in later rounds a
    job takes its duration times the probability that it is still open. Raises ValueError where ``rounds`` or
    ``parallel`` is below 1 or ``airtime_share`` outside its range.
    """
    if rounds < 1 or parallel < 1:
        raise ValueError("polling rounds and parallel jobs must be at least 1")
    if not 0 < airtime_share <= 1:
        raise ValueError(
            f"airtime_share = {airtime_share} must lie above 0 and be at most 1; it is a share of the window"
        )
    n = server.size
    order = np.lexsort((rank, not_before_s, server))
    group, start, own = server[order], not_before_s[order], time_s[order]
    window, q = window_s[order], success[order]
    first = np.r_[True, group[1:] != group[:-1]] if n else np.zeros(0, bool)
    open_share, done, started, spent = np.ones(n), np.zeros(n), np.zeros(n), np.zeros(n)
    p50, p95 = np.full(n, np.inf), np.full(n, np.inf)
    finish, fits = np.full((rounds, n), np.inf), np.zeros((rounds, n), bool)
    base = start
    for turn in range(rounds):
        work = own * open_share / parallel
        begin, end = _queue(group, first, base, work)
        busy = spent + np.cumsum(work) - _offset(first, work)
        if alone:
            begin, end, busy = base, base + own, np.zeros(n)
        # what a site did before the job may start does not count against the job
        granted = np.minimum(busy, end - start) <= airtime_share * window
        finish[turn] = begin + own - start
        fits[turn] = granted & (finish[turn] <= window)
        started += open_share * (granted & (begin - start <= window))
        done += np.where(fits[turn], open_share * q, 0.0)
        base = end if alone else _last(group, end)
        spent = _last(group, busy)
        open_share = open_share * (1 - q)
        if open_share.max(initial=0.0) < SETTLED:
            break
    weight = np.where(fits, q * (1 - q) ** np.arange(rounds)[:, None], 0.0)
    share = np.cumsum(weight, axis=0)
    for quantile, column in ((0.5, p50), (0.95, p95)):
        turn = np.argmax(share >= quantile * done - 1e-15, axis=0)
        column[:] = np.where(done > 0, finish[turn, np.arange(n)], np.inf)
    back = np.empty(n, np.int64)
    back[order] = np.arange(n)
    columns = (done, 1 - (1 - q) ** rounds, p50, p95, started)
    return Polled(*(column[back] for column in columns))


def _queue(group: Array, first: Array, base: Array, work: Array) -> tuple[Array, Array]:
    """Begin and end of jobs served in order at each server, none before its base time."""
    before = np.cumsum(work) - work - _offset(first, work)
    lift = np.cumsum(first) * _SERVER_STRIDE_S
    idle = np.maximum.accumulate(base - before + lift) - lift
    return before + idle, before + idle + work


def _offset(first: Array, work: Array) -> Array:
    """Work of all servers before the job's own."""
    return np.asarray(np.maximum.accumulate(np.where(first, np.cumsum(work) - work, 0.0)))


def _last(group: Array, end: Array) -> Array:
    """End of the last job of each server, for each of its jobs."""
    last = np.flatnonzero(np.r_[group[1:] != group[:-1], True]) if group.size else np.zeros(0, int)
    return np.asarray(end[last][np.searchsorted(group[last], group)])
