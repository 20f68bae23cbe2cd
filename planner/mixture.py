"""Time of a read over all replications: quantiles of the mixture of what each of them drew."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

Array = NDArray[Any]

PIECE_COLUMNS = 512
"""Columns that are solved at a time: 45 replications of them take 0.2 MB per array, which stays near the processor."""
HALVINGS = 24
"""Of the interval between the fastest and the slowest replication: eight hours shrink to 2 ms."""
SHORTEST_S = 1e-9
"""Times below count as this, so that they have a logarithm."""
_STEP = 1e-9
"""Spread of the logarithm below which a replication is a step."""


def mixture_quantile_s(p50_s: Array, p95_s: Array, weight: Array, quantile: float) -> Array:
    """Quantile of the time of a read whose replication is not known: each one a log-normal through its P50 and P95.

    Where a turn is drawn anew in each replication, it is this that a meter meets over many days; a median of the P95
    of each replication leaves out that turns differ.

    Parameters
    ----------
    p50_s, p95_s : (n_replications, ...)
        Median and P95 of a completed read in each replication [s], inf where it is never read there.
    weight : (n_replications, ...)
        Probability to be read in each replication: a time counts as often as it occurs.
    quantile
        Share of the reads that take at most the answer, above 0 and below 1.

    Returns
    -------
    (...,) time [s]; inf where no replication reads. Replications that are alike give the quantile of one of them.

    >>> turns_s = np.linspace(0.0, 100.0, 101)
    >>> round(float(mixture_quantile_s(turns_s, turns_s, np.ones(101), 0.95)), 3)
    95.0
    """
    n = p50_s.shape[0]
    columns = [one.reshape(n, -1) for one in (p50_s, p95_s, weight)]
    found = np.empty(columns[0].shape[1])
    for low in range(0, found.size, PIECE_COLUMNS):
        piece = slice(low, low + PIECE_COLUMNS)
        p50, p95, weights = (one[:, piece].astype(np.float64) for one in columns)
        found[piece] = _quantiles_s(p50, p95, weights, quantile)
    return found.reshape(p50_s.shape[1:])


def _quantiles_s(p50_s: Array, p95_s: Array, weight: Array, quantile: float) -> Array:
    """Between the least and the greatest quantile of the replications, by halving."""
    read = (weight > 0.0) & np.isfinite(p95_s)
    weight = np.where(read, weight, 0.0)
    middle = np.log(np.where(read, np.maximum(p50_s, SHORTEST_S), 1.0))
    spread = (np.log(np.where(read, np.maximum(p95_s, SHORTEST_S), 1.0)) - middle) / ndtri(0.95)
    own_s = p95_s if quantile == 0.95 else p50_s * np.exp(spread * ndtri(quantile))
    low, high = np.where(read, own_s, np.inf).min(axis=0), np.where(read, own_s, -np.inf).max(axis=0)
    some = read.any(axis=0)
    low, high = np.where(some, low, 0.0), np.where(some, high, 0.0)
    wanted, per_spread = quantile * weight.sum(axis=0), 1.0 / np.maximum(spread, _STEP)
    for _ in range(HALVINGS):
        half = 0.5 * (low + high)
        below = ndtr((np.log(np.maximum(half, SHORTEST_S)) - middle) * per_spread)
        enough = np.einsum("ij,ij->j", weight, below) >= wanted
        low, high = np.where(enough, low, half), np.where(enough, half, high)
    return np.where(some, high, np.inf)
