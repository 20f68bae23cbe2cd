"""The course of a day on the power line: parts in which noise and load stand still, one after another."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise

from .scenarios import DAY_H, LineScenario

HOUR_S = 3600.0


@dataclass(frozen=True)
class Step:
    """Part of a collection window.

    from_s, until_s : from the opening of the window [s]; the last part has no end
    line : what the power line is like in it
    """

    from_s: float
    until_s: float
    line: LineScenario


def steps_of(line: LineScenario, start_h: float, window_s: float) -> tuple[Step, ...]:
    """The parts of a collection window in which nothing changes.

    Parameters
    ----------
    line
        With ``time = "course"`` the parts are ``course_step_h`` long, else there is one, with ``line`` itself.
    start_h
        Hour of the day at which the window opens [h].
    window_s
        Its length [s], positive.

    Returns
    -------
    Steps in order, from 0 to without end. Each is the line at the hour in its middle: what runs follows the hours of
    appliances and emitters (a busier hour keeps the devices of a quieter one, since draws are keyed by device), and the
    offset of the noise lies on the straight line, around the clock, between the rows of the times. The last step may be
    shorter; in windows of several days the steps of each day are the same where 24 h is a multiple of their length.
    Raises ValueError where the window is not positive.

    >>> steps = steps_of(LineScenario(time="course"), 0.0, 8 * 3600.0)
    >>> [(one.until_s / 3600, one.line.moment.hour, round(one.line.moment.noise_offset_db, 2)) for one in steps]
    [(3.0, 1.5, -1.71), (6.0, 4.5, -2.36), (inf, 7.0, -1.29)]
    """
    if not 0 < window_s < math.inf:
        raise ValueError(f"window_s = {window_s} must be positive; the deadline lies after the start")
    if not line.follows_day:
        return (Step(0.0, math.inf, line),)
    step_s = line.course_step_h * HOUR_S
    # what is left of a step by rounding is no step
    n_steps = math.ceil(window_s / step_s - 1e-9)
    bounds_s = [*(step_s * number for number in range(n_steps)), window_s]
    hours = [start_h + (begin + end) / 2 / HOUR_S for begin, end in pairwise(bounds_s)]
    ends_s = [*bounds_s[1:-1], math.inf]
    return tuple(
        Step(begin, end, at_hour(line, hour)) for begin, end, hour in zip(bounds_s, ends_s, hours, strict=False)
    )


def at_hour(line: LineScenario, hour: float) -> LineScenario:
    """The line at any hour of the day, also beyond 24: an ordinary scenario with one more row of the times.

    >>> at_hour(LineScenario(time="course"), 20.0).noise_offset_db
    3.0
    """
    clock = hour % DAY_H
    name = f"at {clock:.4g} h"
    row = {"hour": clock, "noise_offset_db": line.offset_at_db(clock)}
    return replace(line, time=name, times={**line.times, name: row})
