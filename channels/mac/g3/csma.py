"""Access to the line after G3-PLC: priorities, the contention window and its fairness, as one law for both tiers.

A sender waits until the line has been idle for CIFS. High priority then draws one of the slots of the first window,
normal priority waits for that window to end and draws 1 to CW slots. The window CW is kept from frame to frame: it
starts at 2^macMinBE and doubles, to 2^macMaxBE at most, with every busy line and every missing acknowledgement. From
macCSMAFairnessLimit busy lines on it falls instead, by macA 2^macMinBE at every macK-th. A success lowers it by the
same amount. Who drew from the smallest window macMinCWAttempts times in a row draws once from the largest, so that
others come in: even alone on an idle line a sender runs through a cycle of windows.

Values: ITU-T G.9903 (confidence A). Form: after US patents 9,379,904 and 9,198,198 and public modem software (B).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]

HIGH_PRIORITY_SLOTS = 7
"""macHighPriorityWindowSize, the same in every band."""


@dataclass(frozen=True)
class CsmaSettings:
    """Constants of the contention window.

    min_be, max_be : exponents of the smallest and largest window
    max_backoffs : busy lines after which a try is given up
    fairness_limit, decrease, rate, min_cw_attempts : macCSMAFairnessLimit, macA, macK, macMinCWAttempts

    Raises ValueError where the exponents fall, or a count is below 1.
    """

    min_be: int = 3
    max_be: int = 8
    max_backoffs: int = 50
    fairness_limit: int = 25
    decrease: int = 8
    rate: int = 5
    min_cw_attempts: int = 10

    def __post_init__(self) -> None:
        """Refuse what has no meaning."""
        if not 0 <= self.min_be <= self.max_be:
            raise ValueError(f"min_be {self.min_be} must lie between 0 and max_be {self.max_be}; lower it")
        for name in ("max_backoffs", "fairness_limit", "decrease", "rate", "min_cw_attempts"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} {getattr(self, name)} must be at least 1; raise it")

    @property
    def smallest(self) -> int:
        """Smallest window [slots]."""
        return 1 << self.min_be

    @property
    def largest(self) -> int:
        """Largest window [slots]."""
        return 1 << self.max_be

    def lowered(self, window: int) -> int:
        """Window after a success, once per fragment."""
        return max(window - self.decrease * self.smallest, self.smallest)


class Backoff:
    """Contention window of one modem.

    Parameters
    ----------
    chance : in [0, 1), place in the cycle of `idle_windows` at which the modem stands; 0 for one just switched on

    window : present window [slots]
    """

    __slots__ = ("_at_smallest", "_busy", "_fair", "_settings", "window")

    def __init__(self, settings: CsmaSettings, chance: float = 0.0) -> None:
        windows = idle_windows(settings)
        place = int(chance * len(windows))
        self._settings, self.window = settings, windows[place]
        self._at_smallest = min(place, settings.min_cw_attempts) if self.window == settings.smallest else 0
        self._busy = self._fair = 0

    def begin(self) -> None:
        """A new try begins: no busy lines counted yet."""
        self._busy = self._fair = 0

    def slots(self, chance: float, high_priority: bool = False) -> int:
        """Slots to wait after the idle gap, for one uniform draw ``chance`` in [0, 1)."""
        if high_priority:
            return 1 + int(chance * HIGH_PRIORITY_SLOTS)
        settings = self._settings
        if self.window == settings.smallest:
            self._at_smallest += 1
            self._fair = 0
        else:
            self._at_smallest = 0
        if self._at_smallest > settings.min_cw_attempts:
            self.window = settings.largest
            self._at_smallest = 0
        return HIGH_PRIORITY_SLOTS + 1 + int(chance * self.window)

    def busy(self, high_priority: bool = False) -> bool:
        """The line was busy at the end of the wait; False where the try is given up."""
        settings = self._settings
        self._busy += 1
        if not high_priority:
            self._fair += 1
            if self._fair < settings.fairness_limit:
                self.window = min(2 * self.window, settings.largest)
            elif self._fair % settings.rate == 0:
                self.window = settings.lowered(self.window)
        return self._busy < settings.max_backoffs

    def failed(self) -> None:
        """No acknowledgement came."""
        self.window = min(2 * self.window, self._settings.largest)

    def succeeded(self) -> None:
        """All segments of the fragment were acknowledged, or it was a broadcast and is gone."""
        self.window = self._settings.lowered(self.window)


@lru_cache(maxsize=64)
def idle_windows(settings: CsmaSettings) -> tuple[int, ...]:
    """Windows of a sender that always finds the line idle and is always acknowledged, one cycle of them [slots].

    >>> idle_windows(CsmaSettings())
    (8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 256, 192, 128, 64)
    """
    windows = [settings.smallest] * settings.min_cw_attempts + [settings.largest]
    while (window := settings.lowered(windows[-1])) > settings.smallest:
        windows.append(window)
    return tuple(windows)


def mean_slots(attempt: ArrayLike, settings: CsmaSettings) -> Array:
    """Mean draw of a sender on an idle line that has already missed ``attempt`` acknowledgements of this frame.

    Parameters
    ----------
    attempt : (...) 0 for the first try.

    Returns
    -------
    (...) [slots], the high-priority window not counted. Exact for a sender that never misses one; who does, doubles
    the window that the cycle of `idle_windows` has brought.

    >>> [round(float(mean_slots(0, settings)), 2) for settings in (CsmaSettings(max_be=3), CsmaSettings())]
    [4.5, 26.21]
    """
    return np.asarray(((_doubled(attempt, settings) + 1) / 2).mean(-1))


def slots_variance(attempt: ArrayLike, settings: CsmaSettings) -> Array:
    """Variance of the draw of `mean_slots` over the cycle of windows [slots squared]; parameters as there."""
    windows = _doubled(attempt, settings)
    return np.asarray(((windows**2 - 1) / 12).mean(-1) + ((windows + 1) / 2).var(-1))


def _doubled(attempt: ArrayLike, settings: CsmaSettings) -> Array:
    """Windows of the cycle, doubled with every missed acknowledgement, (..., n_windows)."""
    windows = np.array(idle_windows(settings), np.float64)
    doublings = np.minimum(np.asarray(attempt, np.float64), settings.max_be)
    return np.asarray(np.minimum(windows * 2.0 ** doublings[..., None], settings.largest))
