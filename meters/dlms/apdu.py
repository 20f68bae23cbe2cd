"""xDLMS services as bytes: GET with selective access and blocks, ACTION, DataNotification, exception-response.

References
----------
IEC 62056-5-3:2017 (DLMS/COSEM application layer), the APDU definitions of clause 8 in A-XDR.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from . import axdr
from .axdr import Value, take
from .obis import Obis

INVOKE = 0xC1
"""Invoke-id-and-priority with invoke id 1, confirmed, high priority."""


class DataAccess(IntEnum):
    """Why an attribute was not given: Data-Access-Result."""

    HARDWARE_FAULT = 1
    TEMPORARY_FAILURE = 2
    READ_WRITE_DENIED = 3
    OBJECT_UNDEFINED = 4
    TYPE_UNMATCHED = 12
    SCOPE_OF_ACCESS_VIOLATED = 13
    NO_LONG_GET_IN_PROGRESS = 16
    DATA_BLOCK_NUMBER_INVALID = 19
    OTHER_REASON = 250


@dataclass(frozen=True)
class GetRequest:
    """GET-request-normal of one attribute; ``selector`` 1 is by range, 2 by entry, 0 the whole attribute."""

    class_id: int
    obis: Obis
    attribute: int
    selector: int = 0
    parameters: Value = axdr.NULL
    invoke: int = INVOKE


@dataclass(frozen=True)
class GetRequestNext:
    """GET-request-next: block ``block`` has arrived, send the one after it."""

    block: int
    invoke: int = INVOKE


@dataclass(frozen=True)
class GetResponse:
    """GET-response-normal: the value, or a data access result."""

    result: Value | DataAccess
    invoke: int = INVOKE


@dataclass(frozen=True)
class GetResponseBlock:
    """GET-response-with-datablock: a piece of the encoded value, or a data access result; blocks count from 1."""

    last: bool
    block: int
    result: bytes | DataAccess
    invoke: int = INVOKE


@dataclass(frozen=True)
class ActionRequest:
    """ACTION-request-normal of one method with one parameter."""

    class_id: int
    obis: Obis
    method: int
    parameters: Value
    invoke: int = INVOKE


@dataclass(frozen=True)
class ActionResponse:
    """ACTION-response-normal: action result (0 success) and what the method returned, if anything."""

    result: int
    returned: Value | None = None
    invoke: int = INVOKE


@dataclass(frozen=True)
class DataNotification:
    """What a meter pushes unasked; ``moment`` is empty or the 12 bytes of a date-time."""

    long_invoke: int
    body: Value
    moment: bytes = b""


@dataclass(frozen=True)
class ExceptionResponse:
    """The other side understood nothing it may answer: state error and service error."""

    state_error: int
    service_error: int


Apdu = (
    GetRequest
    | GetRequestNext
    | GetResponse
    | GetResponseBlock
    | ActionRequest
    | ActionResponse
    | DataNotification
    | ExceptionResponse
)

SERVICE_NOT_ALLOWED, SERVICE_UNKNOWN = 1, 2
OPERATION_NOT_POSSIBLE, SERVICE_NOT_SUPPORTED, OTHER_REASON = 1, 2, 3


def encode(apdu: Apdu) -> bytes:
    """Bytes of a service; ValueError where a field does not fit.

    >>> encode(GetRequest(8, Obis(0, 0, 1, 0, 0), 2, invoke=0)).hex()
    'c0010000080000010000ff0200'
    """
    match apdu:
        case GetRequest():
            head = bytes([0xC0, 1, apdu.invoke]) + _descriptor(apdu.class_id, apdu.obis, apdu.attribute)
            return head + (bytes([1, apdu.selector]) + axdr.encode(apdu.parameters) if apdu.selector else b"\x00")
        case GetRequestNext():
            return bytes([0xC0, 2, apdu.invoke]) + apdu.block.to_bytes(4, "big")
        case GetResponse():
            return bytes([0xC4, 1, apdu.invoke]) + _encode_result(apdu.result)
        case GetResponseBlock():
            head = bytes([0xC4, 2, apdu.invoke, int(apdu.last)]) + apdu.block.to_bytes(4, "big")
            return head + _encode_raw(apdu.result)
        case ActionRequest():
            head = bytes([0xC3, 1, apdu.invoke]) + _descriptor(apdu.class_id, apdu.obis, apdu.method)
            return head + b"\x01" + axdr.encode(apdu.parameters)
        case ActionResponse():
            returned = b"\x00" if apdu.returned is None else b"\x01\x00" + axdr.encode(apdu.returned)
            return bytes([0xC7, 1, apdu.invoke, apdu.result]) + returned
        case DataNotification():
            head = b"\x0f" + apdu.long_invoke.to_bytes(4, "big") + bytes([len(apdu.moment)]) + apdu.moment
            return head + axdr.encode(apdu.body)
        case ExceptionResponse():
            return bytes([0xD8, apdu.state_error, apdu.service_error])


def decode(data: bytes) -> Apdu:
    """The service that ``data`` hold; ValueError on unknown services, data cut short and bytes left over."""
    tag = take(data, 0, 1)[0]
    if tag == 0x0F:
        return _decode_notification(data)
    if tag == 0xD8:
        return _decode_exception(data)
    choice = take(data, 1, 1)[0]
    decoders: dict[tuple[int, int], Callable[[bytes], Apdu]] = {
        (0xC0, 1): _decode_get_request,
        (0xC0, 2): _decode_next,
        (0xC4, 1): _decode_get_response,
        (0xC4, 2): _decode_block,
        (0xC3, 1): _decode_action_request,
        (0xC7, 1): _decode_action_response,
    }
    if (tag, choice) not in decoders:
        raise ValueError(f"service 0x{tag:02x} choice {choice} is not supported: use GET, ACTION or DataNotification")
    return decoders[tag, choice](data)


def block_bytes(n_data: int) -> int:
    """Length of a GET-response-with-datablock that carries ``n_data`` bytes: 9 and a length field."""
    return 9 + len(axdr.encode_length(n_data)) + n_data


def split(data: bytes, n_data: int) -> list[bytes]:
    """``data`` cut into pieces of ``n_data`` bytes, the last one shorter; ValueError where ``n_data`` is below 1."""
    if n_data < 1:
        raise ValueError(f"blocks of {n_data} bytes cannot carry anything: raise max_pdu_bytes")
    return [data[at : at + n_data] for at in range(0, len(data), n_data)]


def by_range(start: bytes, end: bytes, clock: Obis) -> Value:
    """Selector 1 of a profile: rows with ``start`` <= time <= ``end`` (12-byte date-times), all columns."""
    restricting = axdr.structure(axdr.u16(8), axdr.octets(clock.octets), axdr.i8(2), axdr.u16(0))
    return axdr.structure(restricting, axdr.octets(start), axdr.octets(end), axdr.array())


def by_entry(first: int, last: int, first_column: int = 1, last_column: int = 0) -> Value:
    """Selector 2 of a profile: rows and columns by number from 1; a last of 0 means to the end."""
    return axdr.structure(axdr.u32(first), axdr.u32(last), axdr.u16(first_column), axdr.u16(last_column))


def _descriptor(class_id: int, obis: Obis, member: int) -> bytes:
    return class_id.to_bytes(2, "big") + obis.octets + bytes([member])


def _read_descriptor(data: bytes) -> tuple[int, Obis, int]:
    content = take(data, 3, 9)
    return int.from_bytes(content[:2], "big"), Obis.from_octets(content[2:8]), content[8]


def _encode_result(result: Value | DataAccess) -> bytes:
    return bytes([1, result]) if isinstance(result, DataAccess) else b"\x00" + axdr.encode(result)


def _encode_raw(result: bytes | DataAccess) -> bytes:
    if isinstance(result, DataAccess):
        return bytes([1, result])
    return b"\x00" + axdr.encode_length(len(result)) + result


def _end(data: bytes, at: int) -> None:
    if at != len(data):
        raise ValueError(f"{len(data) - at} bytes are left over after the service: pass exactly one APDU")


def _decode_get_request(data: bytes) -> GetRequest:
    class_id, obis, attribute = _read_descriptor(data)
    selected = take(data, 12, 1)[0]
    if not selected:
        _end(data, 13)
        return GetRequest(class_id, obis, attribute, invoke=data[2])
    selector = take(data, 13, 1)[0]
    if selected != 1 or selector == 0:
        raise ValueError(f"access selection {selected}, selector {selector}: give 0, or 1 and a selector from 1")
    parameters, at = axdr.decode_at(data, 14)
    _end(data, at)
    return GetRequest(class_id, obis, attribute, selector, parameters, data[2])


def _decode_next(data: bytes) -> GetRequestNext:
    block = int.from_bytes(take(data, 3, 4), "big")
    _end(data, 7)
    return GetRequestNext(block, data[2])


def _access_result(data: bytes, at: int) -> DataAccess:
    code = take(data, at, 1)[0]
    _end(data, at + 1)
    return DataAccess(code)


def _decode_get_response(data: bytes) -> GetResponse:
    invoke, choice = take(data, 2, 2)
    if choice == 1:
        return GetResponse(_access_result(data, 4), invoke)
    if choice != 0:
        raise ValueError(f"GET result choice {choice}: 0 (data) or 1 (access result) is needed")
    return GetResponse(axdr.decode(data[4:]), invoke)


def _decode_block(data: bytes) -> GetResponseBlock:
    head = take(data, 2, 7)
    invoke, last, block, choice = head[0], bool(head[1]), int.from_bytes(head[2:6], "big"), head[6]
    if choice == 1:
        return GetResponseBlock(last, block, _access_result(data, 9), invoke)
    if choice != 0:
        raise ValueError(f"block result choice {choice}: 0 (data) or 1 (access result) is needed")
    length, at = axdr.decode_length(data, 9)
    raw = take(data, at, length)
    _end(data, at + length)
    return GetResponseBlock(last, block, raw, invoke)


def _decode_action_request(data: bytes) -> ActionRequest:
    class_id, obis, method = _read_descriptor(data)
    present = take(data, 12, 1)[0]
    if not present:
        _end(data, 13)
        return ActionRequest(class_id, obis, method, axdr.NULL, data[2])
    return ActionRequest(class_id, obis, method, axdr.decode(data[13:]), data[2])


def _decode_action_response(data: bytes) -> ActionResponse:
    invoke, result, present = take(data, 2, 3)
    if not present:
        _end(data, 5)
        return ActionResponse(result, None, invoke)
    if take(data, 5, 1) != b"\x00":
        raise ValueError("an ACTION that returns an access result is not supported: only data are")
    return ActionResponse(result, axdr.decode(data[6:]), invoke)


def _decode_notification(data: bytes) -> DataNotification:
    long_invoke = int.from_bytes(take(data, 1, 4), "big")
    length = take(data, 5, 1)[0]
    if length not in (0, 12):
        raise ValueError(f"a notification's date-time has 0 or 12 bytes, not {length}")
    return DataNotification(long_invoke, axdr.decode(data[6 + length :]), take(data, 6, length))


def _decode_exception(data: bytes) -> ExceptionResponse:
    state, service = take(data, 1, 2)
    if len(data) not in (3, 7):
        raise ValueError(f"an exception-response has 3 or 7 bytes, not {len(data)}")
    return ExceptionResponse(state, service)
