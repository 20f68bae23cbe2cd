"""What a study says about the power line: how harsh, at which time, and the tables behind the two words."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

import numpy as np

from ..parameters import parameter
from .appliances import ApplianceTable, appliance_table
from .editable import column, edited, pick, shipped
from .emission import EmitterKind, emitter_kinds

_TABLE = "a table beside the code, every row with its source"

COURSE = "course"
"""The ``time`` that follows the day instead of standing still."""

DAY_H = 24.0


@dataclass(frozen=True)
class Severity:
    """A row of ``scenarios.csv``; loads are the same in all, so that severities compare on the same draws.

    Every component of the noise grows or stays with every column but ``impulse_index``, which decides how impulses
    act. Raises ValueError where a column that cannot be negative is, or bursts fill all the time.
    """

    name: str
    noise_offset_db: float = column("dB", "added to the background and the narrow-band lines", -60, 60)
    emitter_factor: float = column("1", "factor on emitter_ratio", maximum=1000)
    lines_factor: float = column("1", "factor on noise_lines_per_node", maximum=1000)
    impulse_index: float = column("1", "A of Middleton's class A, per sample of the receiver", maximum=100)
    impulse_ratio: float = column(
        "1", "1 / Gamma of Middleton's class A: power of the impulses over the background", maximum=1e4
    )
    burst_rate_hz: float = column("Hz", "bursts a second that spoil symbols", maximum=1e5)
    burst_length_s: float = column("s", "mean length of such a burst", maximum=10)
    pulse_db: float = column("dB", "impulse at each crest of the mains over the background while it lasts", -60, 80)
    pulse_s: float = column("s", "length of that impulse, within the half cycle", maximum=5e-3)
    confidence: str = "C"
    source: str = ""

    def __post_init__(self) -> None:
        for item in fields(self):
            if item.metadata and not item.name.endswith("_db") and getattr(self, item.name) < 0:
                raise ValueError(f"{item.name} = {getattr(self, item.name)} must not be negative; write 0 for none")
        if self.burst_rate_hz * self.burst_length_s >= 1:
            raise ValueError("bursts fill all the time; lower burst_rate_hz or burst_length_s")


@dataclass(frozen=True)
class Moment:
    """A row of ``times.csv``. Raises ValueError where the hour is no time of the day."""

    name: str
    hour: float = column("h", "hour of the day that loads and emitters follow")
    noise_offset_db: float = column("dB", "added to the background and the narrow-band lines", -60, 60)
    confidence: str = "C"
    source: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.hour <= 24:
            raise ValueError(f"hour = {self.hour} is no time of day; give 0 to 24")


@dataclass(frozen=True)
class LineScenario:
    """The section ``[scenario.powerline]``: one severity and one time, and changes to the tables behind them.

    time
        A row of the times, or ``course``: readings follow the day in steps of ``course_step_h`` (`course.steps_of`).
    severities, times, emitters
        Rows of ``scenarios.csv``, ``times.csv`` and ``emitters.csv`` by name: columns to change; a new name gives all.
    loads
        Changes to the tables of appliances, as `appliances.appliance_table` takes them.

    Raises ValueError for unknown names (nearest given) and whatever the changed rows refuse.
    """

    severity: str = parameter("typical", "", "how harsh the line is: a row of the severities", _TABLE, confidence="C")
    time: str = parameter(
        "day", "", "when meters are read: a row of the times, or course: through the day", _TABLE, confidence="C"
    )
    course_step_h: float = parameter(
        3.0,
        "h",
        "with time = course: so long noise and load stand still",
        "a choice: shorter steps cost one solution of the network each",
        confidence="C",
        minimum=0.25,
        maximum=24.0,
    )
    severities: dict[str, dict[str, Any]] = field(default_factory=dict)
    times: dict[str, dict[str, Any]] = field(default_factory=dict)
    emitters: dict[str, dict[str, Any]] = field(default_factory=dict)
    loads: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _ = self.harshness, self.moments, self.emitter_kinds, self.appliances
        if COURSE in self.times:
            raise ValueError(f"times.{COURSE}: this name stands for the whole day; give the row another one")
        _ = self.offset_at_db(0.0) if self.follows_day else self.moment

    @cached_property
    def harshness(self) -> Severity:
        """The row that ``severity`` names."""
        return pick(
            edited(shipped(Severity, "scenarios.csv"), self.severities, "severities"), self.severity, "severity"
        )

    @property
    def follows_day(self) -> bool:
        """Whether noise and load change while meters are read."""
        return self.time == COURSE

    @cached_property
    def moments(self) -> dict[str, Moment]:
        """All rows of the times."""
        return edited(shipped(Moment, "times.csv"), self.times, "times")

    @cached_property
    def moment(self) -> Moment:
        """The row that ``time`` names. Raises ValueError where that is the course of the day, which is no moment."""
        if self.follows_day:
            raise ValueError("time = 'course' is no moment; take one step of it (powerline.course.steps_of)")
        return pick(self.moments, self.time, "time")

    def offset_at_db(self, hour: float) -> float:
        """What the hour of the day adds to background and lines: straight between the times, around the clock [dB].

        Raises ValueError where two rows of the times differ at one hour.
        """
        known: dict[float, Moment] = {}
        for row in self.moments.values():
            other = known.setdefault(row.hour % DAY_H, row)
            if other.noise_offset_db != row.noise_offset_db:
                raise ValueError(
                    f"times {other.name} and {row.name} differ at hour {row.hour:g}; the course needs one offset there"
                )
        offset_db = [row.noise_offset_db for row in known.values()]
        return float(np.interp(hour, list(known), offset_db, period=DAY_H))

    @cached_property
    def emitter_kinds(self) -> tuple[EmitterKind, ...]:
        """All kinds of emitters."""
        return tuple(edited(emitter_kinds(), self.emitters, "emitters").values())

    @cached_property
    def appliances(self) -> ApplianceTable:
        """The appliances behind the meters."""
        return appliance_table(self.loads)

    @property
    def noise_offset_db(self) -> float:
        """What severity and time add to background and lines."""
        return self.harshness.noise_offset_db + self.moment.noise_offset_db

    @property
    def rows_in_use(self) -> list[tuple[str, Any]]:
        """Name of the table and row of what is chosen, and of the emitters that the user changed."""
        changed = [("emitters", kind) for kind in self.emitter_kinds if kind.name in self.emitters]
        times = [("times", row) for row in (self.moments.values() if self.follows_day else [self.moment])]
        return [("severities", self.harshness), *times, *changed]
