"""A falling error ratio over SNR as a table that answers frame after frame: straight between steps, in log odds."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

FIRST_DB, LAST_DB, STEP_DB = -40.0, 60.0, 0.05
_GRID_DB = FIRST_DB + STEP_DB * np.arange(round((LAST_DB - FIRST_DB) / STEP_DB) + 1)
MOST_ODDS = 36.0
"""Natural log odds beyond which a ratio is 0 or 1 in double precision."""


class ErrorTable:
    """Error ratio of one kind of frame at any SNR, within 1e-3 of the function it stands for.

    Parameters
    ----------
    ratio : SNR [dB] (n,) to error ratio (n,) 0 to 1

    >>> halves = ErrorTable(lambda snr_db: 1 / (1 + np.exp(snr_db)))
    >>> round(halves.at(0.013), 4), halves.at(-np.inf), halves.of(np.array([0.0, 90.0])).round(4)
    (0.4968, 1.0, array([0.5, 0. ]))
    """

    __slots__ = ("_listed", "_odds")

    def __init__(self, ratio: Callable[[Array], Array]) -> None:
        lost = np.asarray(ratio(_GRID_DB))
        with np.errstate(divide="ignore"):
            self._odds = np.clip(np.log(lost) - np.log1p(-lost), -MOST_ODDS, MOST_ODDS)
        self._listed: list[float] = self._odds.tolist()

    def at(self, snr_db: float) -> float:
        """Error ratio at one SNR [dB], which may be infinite."""
        place = (min(max(snr_db, FIRST_DB), LAST_DB) - FIRST_DB) / STEP_DB
        low = min(int(place), len(self._listed) - 2)
        before, after = self._listed[low], self._listed[low + 1]
        odds = before + (place - low) * (after - before)
        return 1.0 if odds >= MOST_ODDS else 1 / (1 + math.exp(-odds))

    def of(self, snr_db: Array) -> Array:
        """Error ratio (n,) at each SNR [dB]."""
        return np.asarray(1 / (1 + np.exp(-np.interp(snr_db, _GRID_DB, self._odds))))
