"""Moments as COSEM date-times: 12 bytes with the offset from UTC, or without."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta, timezone

_LAYOUT = struct.Struct(">HBBBBBBBhB")
_UNSET_DEVIATION = -0x8000
_MAX_DEVIATION_MIN = 720
_UNSET = 0xFF


def date_time_octets(moment: datetime) -> bytes:
    """A moment as the 12 bytes of a COSEM date-time.

    Parameters
    ----------
    moment
        With a time zone, whose offset becomes the deviation (minutes, sign reversed); without one the deviation is
        marked unset. Years 1 to 9999.

    Returns
    -------
    12 bytes. Raises ValueError where the zone is more than 12 hours from UTC.

    References
    ----------
    IEC 62056-6-2:2021, 4.1.6.1: year, month, day, weekday (1 Monday), hour, minute, second, hundredths, deviation,
    clock status.

    >>> date_time_octets(datetime(2026, 1, 1, tzinfo=UTC)).hex()
    '07ea01010400000000000000'
    """
    offset = moment.utcoffset()
    deviation_min = _UNSET_DEVIATION if offset is None else -int(offset.total_seconds() // 60)
    if offset is not None and abs(deviation_min) > _MAX_DEVIATION_MIN:
        raise ValueError(f"deviation {deviation_min} minutes: a date-time allows -720 to 720; give the moment in UTC")
    return _LAYOUT.pack(
        moment.year,
        moment.month,
        moment.day,
        moment.isoweekday(),
        moment.hour,
        moment.minute,
        moment.second,
        moment.microsecond // 10_000,
        deviation_min,
        0,
    )


def date_time(content: bytes) -> datetime:
    """The moment that 12 bytes of COSEM date-time name.

    A weekday or hundredths of 0xFF (not specified) are accepted, as clients send them; a deviation of 0x8000 gives a
    moment without time zone. Raises ValueError for other wildcards, impossible dates and any other length.

    >>> date_time(bytes.fromhex("07ea0101ff0f000000000000")).isoformat()
    '2026-01-01T15:00:00+00:00'
    """
    if len(content) != _LAYOUT.size:
        raise ValueError(f"a date-time has 12 bytes, not {len(content)}")
    year, month, day, _, hour, minute, second, hundredths, deviation_min, _ = _LAYOUT.unpack(content)
    hundredths = 0 if hundredths == _UNSET else hundredths
    return datetime(year, month, day, hour, minute, second, hundredths * 10_000, _zone(deviation_min))


def _zone(deviation_min: int) -> timezone | None:
    if deviation_min == _UNSET_DEVIATION:
        return None
    if abs(deviation_min) > _MAX_DEVIATION_MIN:
        raise ValueError(f"deviation {deviation_min} minutes: a date-time allows -720 to 720")
    return UTC if deviation_min == 0 else timezone(timedelta(minutes=-deviation_min))


def later(content: bytes, seconds: int) -> bytes | None:
    """The date-time that many seconds after another, in the same dress.

    Deviation, clock status, and a weekday or hundredths left unspecified stay as they are, so that a row's time can be
    foretold from the row before.

    Returns
    -------
    12 bytes, or None where the first is no moment or the second lies beyond year 9999.

    >>> later(bytes.fromhex("07ea0101ff173b0000000080"), 60).hex()
    '07ea0102ff00000000000080'
    """
    try:
        moved = date_time_octets(date_time(content) + timedelta(seconds=seconds))
    except (ValueError, OverflowError):
        return None
    weekday = _UNSET if content[4] == _UNSET else moved[4]
    hundredths = _UNSET if content[8] == _UNSET else moved[8]
    return moved[:4] + bytes([weekday]) + moved[5:8] + bytes([hundredths]) + moved[9:11] + content[11:]
