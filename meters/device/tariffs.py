"""Tariff registers: which of four counts at what time of day, and how they follow from the total.

Bands and start shares are choices of ours (confidence C).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

#        from hour (UTC), tariff
BANDS = (
    (0, 1),  # night
    (6, 2),  # morning
    (12, 3),  # afternoon
    (17, 4),  # evening
    (22, 1),  # night
)
N_TARIFFS = 4
START_SHARES = (0.35, 0.25, 0.15)
"""Share of the total in tariffs 1 to 3 at the beginning of a history, rounded down; tariff 4 holds the rest."""

_HOUR_BAND = np.array([max(row for row in BANDS if row[0] <= hour)[1] - 1 for hour in range(24)])


def band_of(time_s: Array) -> Array:
    """Tariff, 0 to 3 for 1 to 4, that counts from each moment on, seconds since 1970 UTC; int64, same shape."""
    return np.asarray(_HOUR_BAND[np.asarray(time_s) // 3600 % 24])


def registers(time_s: Array, total: Array) -> Array:
    """Tariff registers from the total.

    Parameters
    ----------
    time_s : (n + 1,) int64
        Ends of intervals, the beginning of the window first; an interval counts where it starts.
    total : (..., n + 1) uint32
        The total register at those moments, for any number of meters [Wh].

    Returns
    -------
    (..., n + 1, 4) uint32; modulo 2^32 they sum to ``total`` at every moment.
    """
    gained = np.diff(total, axis=-1)
    counts = band_of(time_s[:-1])[:, None] == np.arange(N_TARIFFS)
    parts = np.cumsum(gained[..., None] * counts, axis=-2, dtype=np.uint32)
    start = split(total[..., 0])
    return np.concatenate([start[..., None, :], start[..., None, :] + parts], axis=-2)


def split(total: Array) -> Array:
    """(..., 4) uint32 how a total, uint32, is shared among the tariffs at the beginning, by ``START_SHARES``."""
    first = np.floor(np.asarray(total)[..., None] * np.array(START_SHARES)).astype(np.uint32)
    rest = np.asarray(total, np.uint32) - first.sum(axis=-1, dtype=np.uint32)
    return np.concatenate([first, rest[..., None]], axis=-1)
