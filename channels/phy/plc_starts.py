"""Frames that last no more than a few half cycles of the mains: what they meet depends on where they begin.

Such a frame sees the parts of the half cycle that it covers, and has an effective SNR of its own for every start.
Frames begin anywhere, so the one number that stands for all of them loses the mean of what they lose.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .plc_error_paths import falling_at, where_falling
from .plc_exponential import decibel, flat_snr

Array = NDArray[Any]

LONGEST_HALF_CYCLES = 4.0
"""Longer frames see all parts nearly alike (within about 0.1 dB) and take the mean over them."""
_MOST_LOG_ODDS = 600.0
_RARE = 1e-4
"""Expected losses per frame below which the share lost is that number."""


@njit(cache=True, nogil=True, error_model="numpy")
def covered(part: Array, start: int, span: float) -> float:  # pragma: no cover - compiled
    """Mean over what a frame covers that begins with part ``start`` and lasts ``span`` parts."""
    n, whole = part.size, int(span)
    result = (span - whole) * part[(start + whole) % n]
    for i in range(whole % n):
        result += part[(start + i) % n]
    if whole >= n:
        result += whole // n * part.sum()
    return float(result / span)


@njit(cache=True, nogil=True, error_model="numpy")
def over_starts_db(
    decay: Array, log_offset: float, beta: float, detector: int, erased_db: float, span: float, log_odds: Array
) -> float:  # pragma: no cover - compiled
    """Flat SNR that loses as many frames as those that begin in each part of the half cycle do in the mean [dB].

    decay : (n_bins,) mean of exp(-p / beta) over the carriers, exp(-log_offset) times as large
    log_odds : ln odds of losing a frame on `GRID_DB`, falling;  the others : see `Mapping`
    """
    lost = kept = 0.0
    for start in range(decay.size):
        seen = -beta * min(np.log(covered(decay, start, span)) + log_offset, 0.0)
        odds = falling_at(decibel(flat_snr(seen, detector)) - erased_db, log_odds)
        chance = np.exp(min(max(odds, -_MOST_LOG_ODDS), _MOST_LOG_ODDS))
        lost += chance / (1.0 + chance)
        kept += 1.0 / (1.0 + chance)
    return float(where_falling(np.log(lost / kept), log_odds))


@njit(cache=True, nogil=True, error_model="numpy")
def mean_log_hazard(log_hazard: Array, span: float, n_bytes: float) -> float:  # pragma: no cover - compiled
    """ln of the hazard of a byte that loses as many frames as these in each part of the half cycle, (n_bins,).

    n_bytes : of a frame that lasts ``span`` parts; 0 parts for a long frame, which sees the mean hazard
    """
    highest = log_hazard.max()
    if highest == -np.inf:
        return -np.inf
    if span <= 0.0 or n_bytes * np.exp(min(highest, 50.0)) < _RARE:
        return float(highest + np.log(np.exp(log_hazard - highest).mean()))
    hazard = n_bytes * np.exp(np.minimum(log_hazard, 50.0))
    of_start = np.empty(hazard.size)
    for start in range(hazard.size):
        of_start[start] = covered(hazard, start, span)
    least = of_start.min()
    return float(np.log((least - np.log(np.exp(least - of_start).mean())) / n_bytes))
