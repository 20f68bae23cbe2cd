"""What a study takes the power line for: how harsh, at which hour, and whether that is when meters are read."""

from __future__ import annotations

from ..channels.powerline.scenarios import DAY_H, LineScenario
from ..channels.technology import Medium
from ..planner.on_demand import ON_DEMAND
from ..planner.service import ServiceLevel
from .case import Case


def line_text(case: Case) -> str:
    """Severity and time of the power line, in words; empty where no technology of the case runs on it."""
    if not _on_the_line(case):
        return ""
    line, start_h = case.settings.scenario.powerline, case.settings.service.start_h
    if line.follows_day:
        return f"severity {line.severity}, time {line.time}: noise and loads follow the hours from {_clock(start_h)} on"
    return f"severity {line.severity}, time {line.time}: noise and loads as at {_clock(line.moment.hour)}"


def line_notes(case: Case) -> list[str]:
    """A sentence where the power line is that of an hour at which nobody is read; else nothing."""
    line, level = case.settings.scenario.powerline, case.settings.service
    if not _on_the_line(case) or line.follows_day or _holds(level, line):
        return []
    return [
        f"Power lines are those of {_clock(line.moment.hour)} (scenario.powerline: time = {line.time!r}) although "
        f"meters are read from {_clock(level.start_h)} to {_clock(level.deadline_h)}; "
        "time = 'course' follows the hours."
    ]


def _on_the_line(case: Case) -> bool:
    return any(Medium.POWERLINE in one.media for one in case.technologies)


def _holds(level: ServiceLevel, line: LineScenario) -> bool:
    """Whether the hour of the line lies in the collection window; what is asked for on demand is asked for all day."""
    if all(service == ON_DEMAND for service in level.services):
        return True
    return (line.moment.hour - level.start_h) % DAY_H <= level.deadline_h - level.start_h


def _clock(hours: float) -> str:
    minutes = round(hours * 60) % (24 * 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
