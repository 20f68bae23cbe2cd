"""What a meter has measured: registers at the ends of intervals, and everything that follows from them.

Between two ends energy is taken as used evenly. Before the window the registers stand as at its beginning, after it as
at its end. The relay does not act on the history: it is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import clock, load
from . import tariffs

Array = NDArray[Any]

N_CHANNELS = len(load.CHANNELS)


@dataclass(frozen=True, eq=False)
class History:
    """Registers over a window of equal intervals.

    time_s : (n + 1,) int64 ends of the intervals, the first the beginning of the window, seconds since 1970 UTC
    registers : (n + 1, 4) uint32 at those moments, `load.CHANNELS` [Wh, varh], rolling over at 2^32
    period_s : length of an interval [s]

    Raises ValueError where shapes, types or spacing do not fit.
    """

    time_s: Array
    registers: Array
    period_s: int

    def __post_init__(self) -> None:
        time_s, registers = self.time_s, self.registers
        if time_s.ndim != 1 or time_s.size < 2 or registers.shape != (time_s.size, N_CHANNELS):
            raise ValueError(f"times {time_s.shape}, registers {registers.shape}: pass (n + 1,) and (n + 1, 4), n >= 1")
        if time_s.dtype != np.int64 or registers.dtype != np.uint32:
            raise ValueError(f"times are {time_s.dtype}, registers {registers.dtype}: pass int64 seconds and uint32 Wh")
        if self.period_s < 1 or (np.diff(time_s) != self.period_s).any():
            raise ValueError(f"interval ends are not all {self.period_s} s apart: give every interval of the window")

    @classmethod
    def given(cls, time_s: Array, registers: Array) -> History:
        """A window from registers at hand.

        time_s : (n + 1,) whole seconds, evenly spaced, the beginning of the window first
        registers : (n + 1, k) uint32, k from 1 to 4; channels not given stand still at 0
        """
        time_s, found = np.asarray(time_s, np.int64), np.asarray(registers)
        if found.ndim != 2 or not 1 <= found.shape[1] <= N_CHANNELS or found.dtype != np.uint32 or time_s.size < 2:
            raise ValueError(f"registers {found.shape} {found.dtype}: pass (n + 1, 1 to 4) uint32, n >= 1")
        padded = np.zeros((len(found), N_CHANNELS), np.uint32)
        padded[:, : found.shape[1]] = found
        return cls(time_s, padded, int(time_s[1] - time_s[0]))

    @classmethod
    def of_load(
        cls, key: int, kind: str | int, seed: int = 0, first_day: int = 0, n_days: int = 1, n_intervals: int = 96
    ) -> History:
        """The window that the load model gives one meter; see `of_loads`."""
        return of_loads(np.array([key], np.uint64), np.array([kind]), seed, first_day, n_days, n_intervals)[0]

    @property
    def n_intervals(self) -> int:
        """Intervals of the window."""
        return self.time_s.size - 1

    def interval_at(self, time_s: float) -> int:
        """Number of the interval that runs at a moment, from 0; -1 before the window, ``n_intervals`` after it."""
        found = int((time_s - int(self.time_s[0])) // self.period_s)
        return min(max(found, -1), self.n_intervals)

    def gained(self, interval: int) -> Array:
        """(4,) uint32 what the registers gain in an interval [Wh, varh]; nothing outside the window."""
        if not 0 <= interval < self.n_intervals:
            return np.zeros(N_CHANNELS, np.uint32)
        return np.asarray(self.registers[interval + 1] - self.registers[interval])

    def registers_at(self, time_s: float) -> Array:
        """(4,) uint32 registers at a moment, linear within the interval, rounded down."""
        interval = self.interval_at(time_s)
        return self._start(interval) + self._so_far(interval, time_s)

    def tariffs_at(self, time_s: float, channel: int) -> Array:
        """(4,) uint32 tariff registers 1 to 4 of a channel at a moment; modulo 2^32 they sum to its register."""
        interval = self.interval_at(time_s)
        at_start: Array = self._tariffs[channel][min(max(interval, 0), self.n_intervals)].copy()
        band = int(tariffs.band_of(self.time_s[:1] + max(interval, 0) * self.period_s)[0])
        at_start[band] += self._so_far(interval, time_s)[channel]
        return at_start

    def tariffs(self, rows: Array, channel: int) -> Array:
        """(len(rows), 4) uint32 tariff registers of a channel at the moments ``time_s[rows]``."""
        return np.asarray(self._tariffs[channel][rows])

    def power_w(self, time_s: float) -> Array:
        """(4,) int64 mean power of the running interval: import, export [W], reactive import, export [var]."""
        energy = self.gained(self.interval_at(time_s)).astype(np.float64)
        return np.rint(energy * 3600.0 / self.period_s).astype(np.int64)

    def captured(self, period_s: int) -> Array:
        """Row numbers of the moments that end intervals of ``period_s``, a multiple of the window's own [s].

        Raises ValueError for a period that is none.
        """
        if period_s == self.period_s:
            return np.arange(self.time_s.size)
        if period_s % self.period_s:
            raise ValueError(f"capture period {period_s} s: it must be a multiple of the history's {self.period_s} s")
        return np.flatnonzero(self.time_s % period_s == 0)

    def rows(self, first_s: float, last_s: float) -> Array:
        """Row numbers of the interval ends from ``first_s`` to ``last_s``, both inclusive."""
        first, last = np.searchsorted(self.time_s, first_s, "left"), np.searchsorted(self.time_s, last_s, "right")
        return np.arange(max(int(first), 1), int(last))

    def daily(self) -> Array:
        """Row numbers of the midnights (UTC) within the window, its beginning included."""
        return np.flatnonzero(self.time_s % clock.DAY_S == 0)

    def _start(self, interval: int) -> Array:
        return np.asarray(self.registers[min(max(interval, 0), self.n_intervals)])

    def _so_far(self, interval: int, time_s: float) -> Array:
        """(4,) uint32 energy of the running interval until now."""
        elapsed_s = time_s - int(self.time_s[0]) - interval * self.period_s
        return np.floor(self.gained(interval).astype(np.float64) * elapsed_s / self.period_s).astype(np.uint32)

    @cached_property
    def _tariffs(self) -> Sequence[Array]:
        return [tariffs.registers(self.time_s, self.registers[:, channel]) for channel in range(N_CHANNELS)]


def of_loads(
    keys: Array, kind: Array, seed: int = 0, first_day: int = 0, n_days: int = 1, n_intervals: int = 96
) -> list[History]:
    """The windows that the load model gives meters, all over the same days.

    Parameters
    ----------
    keys : (n,) uint64 stable keys
    kind : (n,) names or codes of `load.KIND_NAMES`
    first_day, n_days
        Days of the window, at least one; day 0 is 1 January 2026.
    n_intervals
        Intervals a day, 24 to 1440, dividing 86 400.

    Returns
    -------
    list of n windows that share their times. Raises ValueError as `load.registers` does, and for no days.
    """
    if n_days < 1:
        raise ValueError(f"n_days = {n_days}: a history covers at least one day")
    total = load.registers(keys, kind, first_day, seed, n_intervals=n_intervals)
    parts = [total[:, None, :]]
    for day in range(first_day, first_day + n_days):
        gained = load.interval_channels(keys, kind, day, n_intervals, seed)
        parts.append(parts[-1][:, -1:, :] + np.cumsum(gained, axis=1, dtype=np.uint32))
    registers = np.concatenate(parts, axis=1)
    period_s = clock.DAY_S // n_intervals
    time_s = clock.day_start_s(first_day) + np.arange(registers.shape[1], dtype=np.int64) * period_s
    time_s.setflags(write=False)
    return [History(time_s, of_one, period_s) for of_one in registers]
