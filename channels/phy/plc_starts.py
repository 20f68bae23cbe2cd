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

Array = NDArray[Any]

LONGEST_HALF_CYCLES = 4.0
"""Longer frames see all parts nearly alike (within about 0.1 dB) and take the mean over them."""
MOST_LOG_ODDS = 300.0
"""Odds beyond exp of this are kept at it."""
_RARE = 1e-4
"""Expected losses per frame below which the share lost is that number."""


@njit(cache=True, nogil=True, error_model="numpy")
def covered(part: Array, start: int, span: float) -> float:  # pragma: no cover - compiled
    """Mean over what a frame covers that begins with part ``start`` and lasts ``span`` parts."""
    n, left, result = part.size, span, 0.0
    if left >= n:
        turns = int(left / n)
        result, left = turns * part.sum(), left - turns * n
    at = start
    while left > 0.0:
        result += min(left, 1.0) * part[at]
        left -= 1.0
        at = at + 1 if at + 1 < n else 0
    return float(result / span)


PLACES = np.arange(
    int(np.array(2.0**-8, np.float32).view(np.int32)),
    int(np.array(2.0**11, np.float32).view(np.int32)) + 1,
    1 << 16,
    dtype=np.int32,
)
"""Bits of the -ln of a mean decay at which the odds of losing a frame are kept: 128 places per octave."""
DECAY_LOGS = PLACES.view(np.float32).astype(np.float64)
_FIRST_PLACE, _LAST_PLACE = int(PLACES[0]), int(PLACES[-1])


@njit(cache=True, nogil=True, error_model="numpy")
def _odds_at(log_decay: float, odds: Array) -> float:  # pragma: no cover - compiled
    """ln odds of losing a frame of a mean decay, from its row of `DECAY_LOGS`."""
    bits = int(np.float32(-log_decay).view(np.int32))
    place = min(max(bits - _FIRST_PLACE, 0), _LAST_PLACE - _FIRST_PLACE - 1)
    left = place >> 16
    return float(odds[left] + (place & 0xFFFF) * (odds[left + 1] - odds[left]) / 65536.0)


@njit(cache=True, nogil=True, error_model="numpy")
def over_starts_db(
    decay: Array, log_offset: float, span: float, decay_odds: Array, log_odds: Array, least_db: float, enough_db: float
) -> float:  # pragma: no cover - compiled
    """Flat SNR that loses as many frames as those that begin in each part of the half cycle do in the mean [dB].

    decay : (n_bins,) mean of exp(-p / beta) over the carriers, exp(-log_offset) times as large
    decay_odds, log_odds : ln odds of losing a frame, against `DECAY_LOGS` and against `GRID_DB`, both falling
    least_db, enough_db : -inf is answered where even the best part of the half cycle does not reach the first, inf
        where even the worst one reaches the second
    """
    if least_db > -np.inf or enough_db < np.inf:
        best = worst = decay[0]
        for b in range(1, decay.size):
            best, worst = min(best, decay[b]), max(worst, decay[b])
        if least_db > -np.inf and _odds_at(np.log(best) + log_offset, decay_odds) > falling_at(least_db, log_odds):
            return -np.inf
        if enough_db < np.inf and _odds_at(np.log(worst) + log_offset, decay_odds) <= falling_at(enough_db, log_odds):
            return np.inf
    lost = kept = 0.0
    for start in range(decay.size):
        odds = _odds_at(np.log(covered(decay, start, span)) + log_offset, decay_odds)
        chance = np.exp(odds)
        survives = 1.0 / (1.0 + chance)
        lost += chance * survives
        kept += survives
    return float(where_falling(np.log(lost / kept), log_odds))


@njit(cache=True, nogil=True, error_model="numpy")
def mean_log_hazard(log_hazard: Array, span: float, n_bytes: float) -> float:  # pragma: no cover - compiled
    """ln of the hazard of a byte that loses as many frames as these in each part of the half cycle, (n_bins,).

    n_bytes : of a frame that lasts ``span`` parts; 0 parts for a long frame, which sees the mean hazard
    """
    highest = log_hazard[0]
    for b in range(1, log_hazard.size):
        highest = max(highest, log_hazard[b])
    if highest == -np.inf:
        return -np.inf
    if span <= 0.0 or n_bytes * np.exp(min(highest, 50.0)) < _RARE:
        part = 0.0
        for b in range(log_hazard.size):
            part += np.exp(log_hazard[b] - highest)
        return float(highest + np.log(part / log_hazard.size))
    return _mean_of_starts(log_hazard, span, n_bytes)


@njit(cache=True, nogil=True, error_model="numpy")
def _mean_of_starts(log_hazard: Array, span: float, n_bytes: float) -> float:  # pragma: no cover - compiled
    """`mean_log_hazard` of short frames that are not nearly all kept."""
    n = log_hazard.size
    hazard, of_start = np.empty(n), np.empty(n)
    whole = 0.0
    for b in range(n):
        hazard[b] = n_bytes * np.exp(min(log_hazard[b], 50.0))
        whole += hazard[b]
    turns = int(span / n)
    rest, least = span - turns * n, np.inf
    for start in range(n):
        of_start[start] = (turns * whole + _from(hazard, start, rest)) / span
        least = min(least, of_start[start])
    kept = 0.0
    for start in range(n):
        kept += np.exp(least - of_start[start])
    return float(np.log((least - np.log(kept / n)) / n_bytes))


@njit(cache=True, nogil=True, error_model="numpy")
def _from(part: Array, start: int, span: float) -> float:  # pragma: no cover - compiled
    """Sum over what begins with part ``start`` and lasts ``span`` parts, less than all."""
    at, left, result = start, span, 0.0
    while left > 0.0:
        result += min(left, 1.0) * part[at]
        left -= 1.0
        at = at + 1 if at + 1 < part.size else 0
    return result
