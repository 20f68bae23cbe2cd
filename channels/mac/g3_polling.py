"""A concentrator that asks its meters one after another, and again those that did not answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_SERVER_STRIDE_S = 1e8


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
    alone
        True leaves out what the other jobs take (no other traffic).

    Returns
    -------
    Polled. The first round is the exact single-server queue (Lindley's recursion) for mean durations; in later rounds a
    job takes its duration times the probability that it is still open. Raises ValueError where ``rounds`` or
    ``parallel`` is below 1.
    """
    if rounds < 1 or parallel < 1:
        raise ValueError("polling rounds and parallel jobs must be at least 1")
    n = server.size
    order = np.lexsort((rank, not_before_s, server))
    group, start, own = server[order], not_before_s[order], time_s[order]
    window, q = window_s[order], success[order]
    first = np.r_[True, group[1:] != group[:-1]] if n else np.zeros(0, bool)
    open_share, done, started = np.ones(n), np.zeros(n), np.zeros(n)
    p50, p95 = np.full(n, np.inf), np.full(n, np.inf)
    finish = np.empty((rounds, n))
    base = start
    for turn in range(rounds):
        begin, end = _queue(group, first, base, own * open_share / parallel)
        if alone:
            begin = base
            end = base + own
        finish[turn] = begin + own - start
        fits = finish[turn] <= window
        started += open_share * (begin - start <= window)
        done += np.where(fits, open_share * q, 0.0)
        base = end if alone else _last(group, end)
        open_share = open_share * (1 - q)
    weight = np.where(finish <= window, q * (1 - q) ** np.arange(rounds)[:, None], 0.0)
    share = np.cumsum(weight, axis=0)
    for quantile, column in ((0.5, p50), (0.95, p95)):
        turn = np.argmax(share >= quantile * done - 1e-15, axis=0)
        column[:] = np.where(done > 0, finish[turn, np.arange(n)], np.inf)
    back = np.empty(n, np.int64)
    back[order] = np.arange(n)
    columns = (done, 1 - open_share, p50, p95, started)
    return Polled(*(column[back] for column in columns))


def _queue(group: Array, first: Array, base: Array, work: Array) -> tuple[Array, Array]:
    """Begin and end of jobs served in order at each server, none before its base time."""
    total = np.cumsum(work)
    offset = np.maximum.accumulate(np.where(first, total - work, 0.0))
    before = total - work - offset
    lift = np.cumsum(first) * _SERVER_STRIDE_S
    idle = np.maximum.accumulate(base - before + lift) - lift
    return before + idle, before + idle + work


def _last(group: Array, end: Array) -> Array:
    """End of the last job of each server, for each of its jobs."""
    last = np.flatnonzero(np.r_[group[1:] != group[:-1], True]) if group.size else np.zeros(0, int)
    return np.asarray(end[last][np.searchsorted(group[last], group)])
