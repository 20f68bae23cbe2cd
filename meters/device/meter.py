"""One meter before anyone asks it: who it is, what it measured, what time it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ..settings import ServiceSettings
from .history import History
from .state import DeviceState, EventCode


@dataclass(eq=False)
class Device:
    """One meter.

    Attributes
    ----------
    title, key
        System title, 8 bytes; stable key, on which draws hang together with ``seed``.
    history, settings
        What it measured, how it is read.
    now_s
        Gives the true time, seconds since 1970 UTC; the meter's clock adds ``state.clock_offset_s``.
    state
        What changes while it runs.

    Raises ValueError for another title, and for a history that does not hold the capture period of the settings.
    """

    title: bytes
    key: int
    history: History
    settings: ServiceSettings
    now_s: Callable[[], float]
    seed: int = 0
    state: DeviceState = field(default_factory=DeviceState)

    def __post_init__(self) -> None:
        if len(self.title) != 8:
            raise ValueError(f"system title {self.title.hex()}: it has 8 bytes, not {len(self.title)}")
        self.history.captured(self.capture_period_s)

    @property
    def name(self) -> bytes:
        """Logical device name: the maker's three letters and the rest of the title in hexadecimal, 13 bytes."""
        return self.title[:3] + self.title[3:].hex().upper().encode("ascii")

    @property
    def capture_period_s(self) -> int:
        """Interval of the load profile [s]."""
        return self.settings.profile_interval_min * 60

    def clock_s(self) -> float:
        """What the meter's clock shows, seconds since 1970 UTC."""
        return self.now_s() + self.state.clock_offset_s

    def set_clock(self, meter_s: float) -> None:
        """Let the clock show ``meter_s`` from now on: an event; time stamps given before stay."""
        now_s, sets = self.now_s(), self.state.clock_sets
        if sets and self.history.interval_at(sets[-1][0]) == self.history.interval_at(now_s):
            sets.pop()  # no row ended in between, so the earlier one left no trace
        self.state.clock_offset_s = meter_s - now_s
        sets.append((now_s, self.state.clock_offset_s))
        self.log(EventCode.CLOCK_SET)

    def log(self, code: EventCode) -> None:
        """Write an event that happens now into the event log; the oldest of a full log is dropped."""
        self.state.log(int(self.clock_s()), code)

    def power_up(self) -> None:
        """The meter starts to run: an event."""
        self.log(EventCode.POWER_UP)
