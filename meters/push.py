"""What a meter sends unasked: the bodies of its notifications.

References
----------
IEC 62056-6-2:2021, push setup (class 40): a structure of the listed attributes, here the push object's name, the clock
where a single value is sent, the device's system title and the data.
"""

from __future__ import annotations

from collections.abc import Mapping

from .device.base import CosemObject
from .device.names import ALARM_REGISTER, DAILY_BILLING, EVENT_LOG, PUSHES
from .device.rows import LIFO
from .dlms import apdu, axdr, buffers
from .dlms.axdr import Value
from .dlms.obis import CLOCK, IMPORT_ACTIVE, LOAD_PROFILE, Obis
from .settings import ServiceSettings

Objects = Mapping[tuple[int, Obis], CosemObject]
Row = tuple[Value, ...]

POWER_DOWN_ALARM = 1
"""Bit of the alarm register that a last gasp carries; a choice of ours."""
_PROFILES = {"profile": LOAD_PROFILE, "daily_billing": DAILY_BILLING, "event_log": EVENT_LOG}


def push_name(service: str) -> str:
    """The push behind a service: profiles of any period share one; ValueError where a service cannot be pushed."""
    name = "profile" if service in ("profile_15min", "profile_30min", "profile_60min") else service
    if name not in PUSHES:
        raise ValueError(f"service {service!r} cannot be pushed: use one of {', '.join(PUSHES)}")
    return name


def push_bodies(
    service: str, title: bytes, objects: Objects, settings: ServiceSettings, longest_bytes: int
) -> list[Value]:
    """The bodies of the notifications that one service needs, in order.

    Parameters
    ----------
    title
        System title of the meter, 8 bytes.
    longest_bytes
        Longest plain notification.

    Returns
    -------
    list of structures. A profile is cut into as few as keep to the limit: the last day of a load profile, the last row
    of the billing, the last ``event_rows`` events. Raises ValueError for a service that cannot be pushed, for rows
    without times, and where a single row exceeds the limit.
    """
    name = push_name(service)
    if name in _PROFILES:
        if name == "profile" and not settings.profile_timestamps:
            raise ValueError("rows without times cannot be pushed: set profile_timestamps to true, or pull them")
        return _profile_bodies(name, title, objects, settings, longest_bytes)
    source = (3, IMPORT_ACTIVE) if name == "register" else (1, ALARM_REGISTER)
    value = objects[source].attribute(2)
    if name == "last_gasp":
        value = axdr.u32(value.number | POWER_DOWN_ALARM)
    return [axdr.structure(_name(name), objects[8, CLOCK].attribute(2), axdr.octets(title), value)]


def period_s(name: str, settings: ServiceSettings) -> int:
    """Capture period of the profile behind a push or a service [s]; 0 where rows come at any time."""
    return {"daily_billing": 86_400, "event_log": 0}.get(name, settings.profile_interval_min * 60)


def n_rows_of(name: str, settings: ServiceSettings) -> int:
    """Rows that one push or one reading of a profile brings."""
    return {"daily_billing": 1, "event_log": settings.event_rows}.get(name, settings.n_intervals)


def _profile_bodies(
    name: str, title: bytes, objects: Objects, settings: ServiceSettings, longest_bytes: int
) -> list[Value]:
    profile = objects[7, _PROFILES[name]]
    encoding = settings.encoding if name == "profile" else "full"
    rows = _last_rows(profile, n_rows_of(name, settings), period_s(name, settings))
    bodies = []
    while rows:
        n_fit = _rows_that_fit(name, title, rows, encoding, settings, longest_bytes)
        bodies.append(_body(name, title, rows[:n_fit], encoding, settings))
        rows = rows[n_fit:]
    return bodies


def _last_rows(profile: CosemObject, n_rows: int, period: int) -> list[Row]:
    newest_first = profile.attribute(5).number == LIFO
    chosen = apdu.by_entry(1, n_rows)
    if not newest_first:
        chosen = apdu.by_entry(max(profile.attribute(7).number - n_rows, 0) + 1, 0)
    return buffers.expand_rows(profile.attribute(2, 2, chosen), period)


def _body(name: str, title: bytes, rows: list[Row], encoding: str, settings: ServiceSettings) -> Value:
    buffer = buffers.encode_rows(rows, encoding, period_s(name, settings))
    return axdr.structure(_name(name), axdr.octets(title), buffer)


def _name(name: str) -> Value:
    return axdr.octets(PUSHES[name].octets)


def _rows_that_fit(
    name: str, title: bytes, rows: list[Row], encoding: str, settings: ServiceSettings, longest_bytes: int
) -> int:
    """Most rows from the front that one notification carries; more rows are never shorter."""

    def fits(n_rows: int) -> bool:
        body = _body(name, title, rows[:n_rows], encoding, settings)
        return len(apdu.encode(apdu.DataNotification(0, body))) <= longest_bytes

    if fits(len(rows)):
        return len(rows)
    low, high = 0, len(rows)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    if low == 0:
        raise ValueError(f"max_pdu_bytes = {settings.max_pdu_bytes} is too short for one row of the {name}: raise it")
    return low
