"""Days and moments of the simulated meters: UTC, day 0 is 1 January 2026."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .dlms import moments

Array = NDArray[Any]

DAY_ZERO_S = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
DAY_S = 86_400


def day_start_s(day: int) -> int:
    """Midnight at which a day starts, seconds since 1970 UTC."""
    return DAY_ZERO_S + day * DAY_S


def interval_end_s(day: int, n_intervals: int) -> Array:
    """(n_intervals,) int64 ends of the intervals of one day, seconds since 1970 UTC; n divides 86 400."""
    if n_intervals < 1 or DAY_S % n_intervals:
        raise ValueError(f"{n_intervals} intervals a day: the number must divide 86400 seconds")
    return day_start_s(day) + np.arange(1, n_intervals + 1, dtype=np.int64) * (DAY_S // n_intervals)


def day_of_year(day: int) -> int:
    """1 to 366."""
    return _moment(day_start_s(day)).timetuple().tm_yday


def is_weekend(day: int) -> bool:
    """Saturday or Sunday."""
    return _moment(day_start_s(day)).isoweekday() > 5


def octets_of(time_s: int) -> bytes:
    """A moment, seconds since 1970 UTC, as COSEM date-time with deviation 0."""
    return moments.date_time_octets(_moment(int(time_s)))


def time_s_of(content: bytes) -> int:
    """Seconds since 1970 UTC of a COSEM date-time; one without deviation is taken as the meter's clock, UTC."""
    moment = moments.date_time(content)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _moment(time_s: int) -> datetime:
    return datetime.fromtimestamp(time_s, UTC)
