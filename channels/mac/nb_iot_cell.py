"""What the meters of one NB-IoT cell share: random access, tones and subframes, and the queue for them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]

PREAMBLE_REPETITION_S = 5.6e-3
"""One repetition of NPRACH format 0, cells up to 10 km (TS 36.211 section 10.1.6)."""
PREAMBLE_SPACING_HZ = 3.75e3


def preamble_collision_ratio(arrivals_per_s: ArrayLike, *, period_s: ArrayLike, n_subcarriers: ArrayLike) -> Array:
    """Probability that another device picked the same preamble in the same opportunity: 1 - exp(-rate T / n).

    Parameters
    ----------
    arrivals_per_s : (n,) random-access attempts in the cell and coverage level [1/s], at least 0.
    period_s, n_subcarriers : of that level's NPRACH.

    Returns
    -------
    (n,) 0 to 1. Raises ValueError where a rate is negative or a resource not positive.

    References
    ----------
    Poisson arrivals over n orthogonal starting subcarriers; TS 36.211 section 10.1.6.

    >>> round(float(preamble_collision_ratio(31.6, period_s=0.04, n_subcarriers=12)), 2)
    0.1
    """
    rate = np.asarray(arrivals_per_s, np.float64)
    period, width = np.asarray(period_s, np.float64), np.asarray(n_subcarriers, np.float64)
    if not (rate >= 0.0).all() or not (period > 0.0).all() or not (width > 0.0).all():
        raise ValueError("arrival rates must be 0 or more, NPRACH periods and subcarriers positive")
    return np.asarray(-np.expm1(-rate * period / width))


def preamble_share(repetitions: ArrayLike, *, period_s: ArrayLike, n_subcarriers: ArrayLike) -> float:
    """Share of the uplink carrier that the NPRACH of all coverage levels takes, 0 to 1.

    Parameters
    ----------
    repetitions, period_s, n_subcarriers : one entry per coverage level.

    Raises ValueError where NPRACH would take the whole carrier.
    """
    time = np.asarray(repetitions, np.float64) * PREAMBLE_REPETITION_S / np.asarray(period_s, np.float64)
    width = np.asarray(n_subcarriers, np.float64) * PREAMBLE_SPACING_HZ / 180e3
    share = float((time * width).sum())
    if share >= 1.0 or (time >= 1.0).any():
        raise ValueError("NPRACH takes the whole uplink; lengthen its periods or lower its repetitions")
    return share


def queue_wait_s(utilisation: ArrayLike, service_s: ArrayLike) -> Array:
    """Mean wait of a block for its resource, M/D/1: u s / (2 (1 - u)), utilisation capped at 0.99.

    Parameters
    ----------
    utilisation : (n,) offered over available, at least 0;  service_s : (n,) length of a block [s].

    References
    ----------
    L. Kleinrock, Queueing Systems, vol. 1, Pollaczek-Khinchine formula with constant service.

    >>> float(queue_wait_s(0.5, 1.0))
    0.5
    """
    used = np.minimum(np.asarray(utilisation, np.float64), 0.99)
    return np.asarray(used * np.asarray(service_s, np.float64) / (2.0 * (1.0 - used)))


def carried_share(utilisation: ArrayLike, ceiling: float) -> Array:
    """Share of the offered traffic that fits below the ceiling, 0 to 1, shape (n,)."""
    return np.asarray(np.minimum(ceiling / np.maximum(np.asarray(utilisation, np.float64), 1e-12), 1.0))
