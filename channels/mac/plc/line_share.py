"""Several exchanges side by side on one line: how much longer each takes because they share it."""

from __future__ import annotations

from typing import Any

from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]


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
def line_stretch(wait_s: float, line_s: float, n_jobs: int, contention: Array) -> float:
    """Factor by which the time on the line grows for each of ``n_jobs`` exchanges; parameters as `line_throughput`.

    >>> import numpy as np
    >>> line_stretch(3.0, 1.0, 1, np.ones(1)), line_stretch(0.0, 1.0, 4, np.ones(1))
    (1.0, 4.0)
    """
    if line_s <= 0.0:
        return 1.0
    cycle_s = n_jobs / line_throughput(wait_s, line_s, n_jobs, contention)
    return max((cycle_s - wait_s) / line_s, 1.0)
