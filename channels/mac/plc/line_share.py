"""Several exchanges side by side on one line: how much longer each takes because they share it."""

from __future__ import annotations

from typing import Any

from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]

_EXACT = 1e-9


@njit(cache=True, nogil=True)
def line_throughput(wait_s: float, line_s: float, n_jobs: int, contention: Array) -> float:
    """Exchanges a second that a closed network of one shared line and of waits completes.

    Parameters
    ----------
    wait_s : mean time for which an exchange does not need the line [s], at least 0
    line_s : mean time for which it does [s], positive
    n_jobs : exchanges that run side by side, at least 1
    contention : (n,) factor on ``line_s`` while 1, 2, ... of them want the line; the last one holds for more

    Returns
    -------
    Rate [1/s]: product form of the closed network, as of mean value analysis with a server that depends on its load.
    With one exchange it is 1 / (wait + line); many exchanges fill the line.

    References
    ----------
    F. Baskett, K. M. Chandy, R. R. Muntz, F. G. Palacios, J. ACM 22 (2), 1975; M. Reiser, S. S. Lavenberg, J. ACM
    27 (2), 1980.

    >>> import numpy as np
    >>> line_throughput(3.0, 1.0, 1, np.ones(1)), round(line_throughput(3.0, 1.0, 50, np.ones(1)), 6)
    (0.25, 1.0)
    """
    weight, total, rate = 1.0, 1.0, 0.0
    if wait_s <= 1e-12 * line_s:
        return float(1.0 / (line_s * contention[min(n_jobs, contention.size) - 1]))
    for present in range(1, n_jobs + 1):
        busy_s = line_s * contention[min(present, contention.size) - 1]
        weight *= (n_jobs - present + 1) * busy_s / wait_s
        total += weight
        rate += weight / busy_s
        if total > 1e200:
            weight, total, rate = weight / total, 1.0, rate / total
    return float(rate / total)


@njit(cache=True, nogil=True)
def line_stretch(wait_s: float, line_s: float, n_jobs: int, contention: Array, waiting: Array) -> float:
    """Factor by which the time on the line grows for each of ``n_jobs`` exchanges; parameters as `line_throughput`.

    Parameters
    ----------
    waiting : (n,) seconds that an exchange waits elsewhere, for each second on the line while 1, 2, ... want that: what
        was lost is sent again after a while. Who waits does not crowd the line, so that waits and crowd hold each other
        in balance. The factor holds them too.

    >>> import numpy as np
    >>> one, none = np.ones(1), np.zeros(1)
    >>> line_stretch(3.0, 1.0, 1, one, none), line_stretch(0.0, 1.0, 4, one, none)
    (1.0, 4.0)
    >>> round(line_stretch(3.0, 1.0, 1, one, np.array([2.0])), 6)
    3.0
    """
    if line_s <= 0.0:
        return 1.0
    least_s, most_s = wait_s, wait_s
    if waiting.max() > 0.0:
        most_s += line_s * waiting.max()
    while most_s - least_s > _EXACT * most_s:
        middle_s = 0.5 * (least_s + most_s)
        if wait_s + line_s * _mean_waiting(middle_s, line_s, n_jobs, contention, waiting) > middle_s:
            least_s = middle_s
        else:
            most_s = middle_s
    cycle_s = n_jobs / line_throughput(most_s, line_s, n_jobs, contention)
    return max((cycle_s - wait_s) / line_s, 1.0)


@njit(cache=True, nogil=True)
def _mean_waiting(wait_s: float, line_s: float, n_jobs: int, contention: Array, waiting: Array) -> float:
    """``waiting`` in the mean over what is done on the line, as many exchanges wanting it as `line_throughput` says."""
    weight, total, caused = 1.0, 0.0, 0.0
    for present in range(1, n_jobs + 1):
        done = (n_jobs - present + 1) * line_s / wait_s * weight
        total += done
        caused += done * waiting[min(present, waiting.size) - 1]
        weight = done * contention[min(present, contention.size) - 1]
        if total > 1e200:
            weight, total, caused = weight / total, 1.0, caused / total
    return float(caused / total)


@njit(cache=True, nogil=True)
def common_stretch(cost, levels, still_open, places, crowd):  # type: ignore[no-untyped-def]
    """Stretch of the time on the line while the open jobs of one moment run side by side.

    A level at which the line stretches jobs by just as much: of several, the lowest, between two that enclose it.
    ``cost`` is (7, n_levels, n_jobs).
    """
    below, above = 0.0, 0.0
    for level in range(levels.size):
        total, line, weight = 0.0, 0.0, 0.0
        for job in range(still_open.size):
            q = cost[0, level, job]
            total += still_open[job] * (q * cost[1, level, job] + (1 - q) * cost[3, level, job])
            line += still_open[job] * cost[5, level, job]
            weight += still_open[job]
        wait = max(total - levels[level] * line, 0.0)
        above = line_stretch(wait / weight, line / weight, places, crowd[0], crowd[1]) - levels[level]
        if levels.size == 1:
            return levels[0] + above
        if above <= 0.0:
            step = levels[level] - levels[max(level - 1, 0)]
            return levels[level] - step * (above / min(above - below, -1e-300))
        below = above
    return levels[-1]


@njit(cache=True, nogil=True)
def stretched_job(cost, levels, stretch):  # type: ignore[no-untyped-def]
    """Columns of one job but its line time, ``cost`` (7, n_levels), where the line stretches what it has to do."""
    if levels.size == 1:
        q, done, done2, failed, failed2, line, frames = cost[:, 0]
        more = (stretch - levels[0]) * line
        return q, done + more, done2, failed + more, failed2, frames
    at = 0
    while at + 2 < levels.size and levels[at + 1] < stretch:
        at += 1
    share = (stretch - levels[at]) / (levels[at + 1] - levels[at])
    q, done, done2, failed, failed2, _, frames = cost[:, at] + share * (cost[:, at + 1] - cost[:, at])
    return q, done, done2, failed, failed2, frames
