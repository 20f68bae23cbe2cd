"""What a meter says unasked, and how it refuses: notifications, exception-response, confirmed service error.

References
----------
IEC 62056-5-3:2017 clause 8, Data-Notification, Event-Notification-Request, Exception-Response, ConfirmedServiceError.
"""

from __future__ import annotations

from dataclasses import dataclass

from . import axdr
from .apdu_parts import Attribute, read_descriptor, read_flag, unsigned, whole, write_descriptor
from .axdr import Value, take

SERVICE_NOT_ALLOWED, SERVICE_UNKNOWN = 1, 2
"""State errors of an exception-response."""
OPERATION_NOT_POSSIBLE, SERVICE_NOT_SUPPORTED, OTHER_REASON = 1, 2, 3
"""Service errors of an exception-response."""
PDU_TOO_LONG, DECIPHERING_ERROR, INVOCATION_COUNTER_ERROR = 4, 5, 6
"""Further service errors of an exception-response."""


@dataclass(frozen=True, slots=True)
class DataNotification:
    """What a meter pushes unasked; ``moment`` is empty or the 12 bytes of a date-time."""

    long_invoke: int
    body: Value
    moment: bytes = b""


@dataclass(frozen=True, slots=True)
class EventNotification:
    """One attribute's value, sent unasked; ``moment`` is empty or the 12 bytes of a date-time."""

    attribute: Attribute
    value: Value
    moment: bytes = b""


@dataclass(frozen=True, slots=True)
class ExceptionResponse:
    """The other side understood nothing it may answer: state error and service error.

    ``counter`` comes with service error 6 (invocation counter): the least that the meter would accept.
    """

    state_error: int
    service_error: int
    counter: int | None = None


@dataclass(frozen=True, slots=True)
class ConfirmedServiceError:
    """A service that failed before it was understood, such as the initiate inside a rejected association.

    ``service`` 1 is initiate; ``kind`` 6 is the initiate group, with ``value`` 1 version too low, 2 incompatible
    conformance, 3 PDU size too short, 4 refused.
    """

    service: int
    kind: int
    value: int


def write_notification(sent: DataNotification) -> bytes:
    """Tag 0x0F, long invoke id, date-time with its length, body."""
    if len(sent.moment) not in (0, 12):
        raise ValueError(f"a notification's date-time has 0 or 12 bytes, not {len(sent.moment)}")
    head = b"\x0f" + unsigned(sent.long_invoke, 4, "long invoke id") + bytes([len(sent.moment)])
    return head + sent.moment + axdr.encode(sent.body)


def read_notification(data: bytes) -> DataNotification:
    """What `write_notification` wrote."""
    long_invoke, length = int.from_bytes(take(data, 1, 4), "big"), take(data, 5, 1)[0]
    if length not in (0, 12):
        raise ValueError(f"a notification's date-time has 0 or 12 bytes, not {length}")
    moment = take(data, 6, length)
    body, at = axdr.decode_at(data, 6 + length)
    whole(data, at)
    return DataNotification(long_invoke, body, moment)


def write_event(sent: EventNotification) -> bytes:
    """Tag 0xC2, optional date-time, attribute, value."""
    if sent.attribute.selector or sent.attribute.parameters != axdr.NULL:
        raise ValueError("an event notification names a whole attribute: leave the selector out")
    if len(sent.moment) not in (0, 12):
        raise ValueError(f"a notification's date-time has 0 or 12 bytes, not {len(sent.moment)}")
    moment = b"\x01\x0c" + sent.moment if sent.moment else b"\x00"
    return b"\xc2" + moment + write_descriptor(sent.attribute) + axdr.encode(sent.value)


def read_event(data: bytes) -> EventNotification:
    """What `write_event` wrote."""
    moment, at = b"", 2
    if read_flag(data, 1):
        if take(data, 2, 1) != b"\x0c":
            raise ValueError(f"a notification's date-time has 12 bytes, not {data[2]}")
        moment, at = take(data, 3, 12), 15
    class_id, obis, number, at = read_descriptor(data, at)
    value, at = axdr.decode_at(data, at)
    whole(data, at)
    return EventNotification(Attribute(class_id, obis, number), value, moment)


def write_exception(sent: ExceptionResponse) -> bytes:
    """Tag 0xD8, state error, service error, and a counter with service error 6 alone."""
    head = b"\xd8" + unsigned(sent.state_error, 1, "state error") + unsigned(sent.service_error, 1, "service error")
    if sent.counter is None:
        return head
    if sent.service_error != INVOCATION_COUNTER_ERROR:
        raise ValueError(f"service error {sent.service_error} has no counter: only {INVOCATION_COUNTER_ERROR} has")
    return head + unsigned(sent.counter, 4, "invocation counter")


def read_exception(data: bytes) -> ExceptionResponse:
    """What `write_exception` wrote; service error 6 without its counter is accepted, older editions send it so."""
    state, service = take(data, 1, 2)
    if len(data) == 7 and service == INVOCATION_COUNTER_ERROR:
        return ExceptionResponse(state, service, int.from_bytes(data[3:], "big"))
    whole(data, 3)
    return ExceptionResponse(state, service)


def write_service_error(sent: ConfirmedServiceError) -> bytes:
    """Tag 0x0E, the service, the group of the error, the error."""
    fields = ((sent.service, "service"), (sent.kind, "kind"), (sent.value, "value"))
    return b"\x0e" + b"".join(unsigned(number, 1, name) for number, name in fields)


def read_service_error(data: bytes) -> ConfirmedServiceError:
    """What `write_service_error` wrote."""
    service, kind, value = take(data, 1, 3)
    whole(data, 4)
    return ConfirmedServiceError(service, kind, value)
