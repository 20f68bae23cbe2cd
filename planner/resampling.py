"""How far a count of served meters moves when the replications are drawn again: the bootstrap, keyed and repeatable."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..channels.draws import Draws

Array = NDArray[Any]

N_RESAMPLES = 100
"""Resamples behind the interval of a count of served meters."""


def resampled_served(p_arrive: Array, read_probability: float) -> Iterator[Array]:
    """Who would be served, (n_services, n_meters) bool, had the replications been others; ``N_RESAMPLES`` times.

    Parameters
    ----------
    p_arrive : (n_replications, n_services, n_meters)

    References
    ----------
    B. Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7 (1), 1979.
    """
    n = p_arrive.shape[0]
    keys = np.arange(N_RESAMPLES * n, dtype=np.uint64)
    chosen = (Draws(0).uniform("resample", keys) * n).astype(np.int64).reshape(N_RESAMPLES, n)
    for rows in chosen:
        weight = np.bincount(rows, minlength=n).astype(np.float32) / n
        yield np.tensordot(weight, p_arrive, axes=1) >= read_probability


def resampled_counts(p_arrive: Array, read_probability: float) -> Array:
    """(N_RESAMPLES, n_services + 1) meters served per service, and in all services (last column).

    Parameters as `resampled_served`.
    """
    counts = np.zeros((N_RESAMPLES, p_arrive.shape[1] + 1), np.int64)
    for number, served in enumerate(resampled_served(p_arrive, read_probability)):
        counts[number, :-1] = served.sum(axis=1)
        counts[number, -1] = served.all(axis=0).sum()
    return counts


def resampled_by_group(p_arrive: Array, read_probability: float, group: Array, n_groups: int) -> Array:
    """(N_RESAMPLES, n_groups) meters served in all services, by group.

    Parameters
    ----------
    group : (n_meters,) 0 to n_groups - 1;  the others as `resampled_served`
    """
    counts = np.zeros((N_RESAMPLES, n_groups), np.int64)
    for number, served in enumerate(resampled_served(p_arrive, read_probability)):
        counts[number] = np.bincount(group[served.all(axis=0)], minlength=n_groups)
    return counts
