"""xDLMS services as bytes: the one place that knows which tag is which service.

GET, SET and ACTION stand in `apdu_get`, `apdu_set` and `apdu_action`, what is sent unasked in `notifications`; all
their names can be had from here.

References
----------
IEC 62056-5-3:2017 (DLMS/COSEM application layer), the APDU definitions of clause 8 in A-XDR.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

from . import apdu_action, apdu_get, apdu_set, axdr, notifications
from .apdu_action import (
    ActionRequest,
    ActionRequestBlock,
    ActionRequestFirstBlock,
    ActionRequestList,
    ActionRequestListFirstBlock,
    ActionRequestNext,
    ActionResponse,
    ActionResponseBlock,
    ActionResponseList,
    ActionResponseNext,
    read_outcome,
    write_outcome,
)
from .apdu_get import GetRequest, GetRequestList, GetRequestNext, GetResponse, GetResponseBlock, GetResponseList
from .apdu_parts import (
    INVOKE,
    ActionResult,
    Attribute,
    DataAccess,
    Form,
    Method,
    read_list,
    read_result,
    unsigned,
    whole,
    write_list,
    write_result,
)
from .apdu_set import (
    SetRequest,
    SetRequestBlock,
    SetRequestFirstBlock,
    SetRequestList,
    SetRequestListFirstBlock,
    SetResponse,
    SetResponseBlock,
    SetResponseLastBlock,
    SetResponseLastBlockList,
    SetResponseList,
)
from .axdr import Value, take
from .notifications import (
    DECIPHERING_ERROR,
    INVOCATION_COUNTER_ERROR,
    OPERATION_NOT_POSSIBLE,
    OTHER_REASON,
    PDU_TOO_LONG,
    SERVICE_NOT_ALLOWED,
    SERVICE_NOT_SUPPORTED,
    SERVICE_UNKNOWN,
    ConfirmedServiceError,
    DataNotification,
    EventNotification,
    ExceptionResponse,
)
from .obis import Obis

__all__ = [
    "DECIPHERING_ERROR",
    "INVOCATION_COUNTER_ERROR",
    "INVOKE",
    "OPERATION_NOT_POSSIBLE",
    "OTHER_REASON",
    "PDU_TOO_LONG",
    "SERVICE_NOT_ALLOWED",
    "SERVICE_NOT_SUPPORTED",
    "SERVICE_UNKNOWN",
    "ActionRequest",
    "ActionRequestBlock",
    "ActionRequestFirstBlock",
    "ActionRequestList",
    "ActionRequestListFirstBlock",
    "ActionRequestNext",
    "ActionResponse",
    "ActionResponseBlock",
    "ActionResponseList",
    "ActionResponseNext",
    "ActionResult",
    "Apdu",
    "Attribute",
    "ConfirmedServiceError",
    "DataAccess",
    "DataNotification",
    "EventNotification",
    "ExceptionResponse",
    "GetRequest",
    "GetRequestList",
    "GetRequestNext",
    "GetResponse",
    "GetResponseBlock",
    "GetResponseList",
    "Method",
    "SetRequest",
    "SetRequestBlock",
    "SetRequestFirstBlock",
    "SetRequestList",
    "SetRequestListFirstBlock",
    "SetResponse",
    "SetResponseBlock",
    "SetResponseLastBlock",
    "SetResponseLastBlockList",
    "SetResponseList",
    "action_block_bytes",
    "block_bytes",
    "by_entry",
    "by_range",
    "decode",
    "decode_outcome",
    "decode_results",
    "decode_values",
    "encode",
    "encode_outcome",
    "encode_results",
    "encode_values",
    "split",
]

Apdu = (
    GetRequest
    | GetRequestNext
    | GetRequestList
    | GetResponse
    | GetResponseBlock
    | GetResponseList
    | SetRequest
    | SetRequestFirstBlock
    | SetRequestBlock
    | SetRequestList
    | SetRequestListFirstBlock
    | SetResponse
    | SetResponseBlock
    | SetResponseLastBlock
    | SetResponseLastBlockList
    | SetResponseList
    | ActionRequest
    | ActionRequestNext
    | ActionRequestList
    | ActionRequestFirstBlock
    | ActionRequestListFirstBlock
    | ActionRequestBlock
    | ActionResponse
    | ActionResponseBlock
    | ActionResponseList
    | ActionResponseNext
    | DataNotification
    | EventNotification
    | ExceptionResponse
    | ConfirmedServiceError
)


def _names(form: Form) -> tuple[str, ...]:
    """The fields of a service without the invoke byte."""
    return tuple(field.name for field in fields(form.service))[:-1]


_FORMS = (*apdu_get.FORMS, *apdu_set.FORMS, *apdu_action.FORMS)
_WRITERS = {
    form.service: (
        bytes([form.tag, form.choice]),
        [(n, p.write) for n, p in zip(_names(form), form.parts, strict=True)],
    )
    for form in _FORMS
}
_READERS = {(form.tag, form.choice): (form.service, [part.read for part in form.parts]) for form in _FORMS}
_BARE_WRITERS: dict[type, Callable[[Any], bytes]] = {
    DataNotification: notifications.write_notification,
    EventNotification: notifications.write_event,
    ExceptionResponse: notifications.write_exception,
    ConfirmedServiceError: notifications.write_service_error,
}
_BARE_READERS: dict[int, Callable[[bytes], Apdu]] = {
    0x0F: notifications.read_notification,
    0xC2: notifications.read_event,
    0xD8: notifications.read_exception,
    0x0E: notifications.read_service_error,
}


def encode(apdu: Apdu) -> bytes:
    """Bytes of a service; ValueError where a field does not fit.

    >>> encode(GetRequest(Attribute(8, Obis(0, 0, 1, 0, 0), 2), invoke=0)).hex()
    'c0010000080000010000ff0200'
    """
    bare = _BARE_WRITERS.get(type(apdu))
    if bare is not None:
        return bare(apdu)
    if type(apdu) not in _WRITERS:
        raise ValueError(f"{type(apdu).__name__} is not a DLMS service: pass one of those in `Apdu`")
    head, writers = _WRITERS[type(apdu)]
    content = b"".join([write(getattr(apdu, name)) for name, write in writers])
    return head + unsigned(apdu.invoke, 1, "invoke byte") + content  # type: ignore[union-attr]


def decode(data: bytes) -> Apdu:
    """The service that ``data`` hold; ValueError on unknown services, data cut short and bytes left over.

    Class, attribute and method numbers are handed on whatever they are: to refuse them is the server's part. A result
    code that the standard does not know raises ValueError, since nothing true can be said about it.
    """
    tag = take(data, 0, 1)[0]
    bare = _BARE_READERS.get(tag)
    if bare is not None:
        return bare(data)
    choice = take(data, 1, 1)[0]
    service, readers = _READERS.get((tag, choice), (None, []))
    if service is None:
        raise ValueError(
            f"service 0x{tag:02x} choice {choice} is not supported: use GET, SET, ACTION or a notification"
        )
    invoke, at, content = take(data, 2, 1)[0], 3, []
    for read in readers:
        field, at = read(data, at)
        content.append(field)
    whole(data, at)
    apdu: Apdu = service(*content, invoke)
    return apdu


def block_bytes(n_data: int) -> int:
    """Length of a GET-response-with-datablock that carries ``n_data`` bytes: 9 and a length field."""
    return 9 + len(axdr.encode_length(n_data)) + n_data


def action_block_bytes(n_data: int) -> int:
    """Length of a SET-request-with-datablock, ACTION-request- or ACTION-response-with-pblock with ``n_data`` bytes."""
    return 8 + len(axdr.encode_length(n_data)) + n_data


def split(data: bytes, n_data: int) -> list[bytes]:
    """``data`` cut into pieces of ``n_data`` bytes, the last one shorter; ValueError where ``n_data`` is below 1."""
    if n_data < 1:
        raise ValueError(f"blocks of {n_data} bytes cannot carry anything: raise max_pdu_bytes")
    return [data[at : at + n_data] for at in range(0, len(data), n_data)]


def encode_results(results: Sequence[Value | DataAccess]) -> bytes:
    """What the blocks of a GET-with-list carry: number of results and the results."""
    return write_list(results, write_result)


def decode_results(raw: bytes) -> tuple[Value | DataAccess, ...]:
    """Results out of the joined blocks of a GET-with-list; ValueError as `decode`."""
    results, at = read_list(raw, 0, read_result)
    whole(raw, at)
    return results


def encode_values(values: Sequence[Value]) -> bytes:
    """What the blocks of a SET- or ACTION-with-list carry: number of values and the values."""
    return write_list(values, axdr.encode)


def decode_values(raw: bytes) -> tuple[Value, ...]:
    """Values out of the joined blocks of a SET- or ACTION-with-list; ValueError as `decode`."""
    values, at = read_list(raw, 0, axdr.decode_at)
    whole(raw, at)
    return values


def encode_outcome(result: ActionResult, returned: Value | DataAccess | None) -> bytes:
    """What the blocks of an ACTION answer carry here: result and optional returned value, as without blocks.

    Both of our ends agree on it; whether every meter puts the result byte in front is not certain.
    """
    return write_outcome((result, returned))


def decode_outcome(raw: bytes) -> tuple[ActionResult, Value | DataAccess | None]:
    """Result and returned value out of the joined blocks of an ACTION answer; ValueError as `decode`."""
    outcome, at = read_outcome(raw, 0)
    whole(raw, at)
    return outcome


def by_range(start: bytes, end: bytes, clock: Obis, columns: Sequence[tuple[int, Obis, int]] = ()) -> Value:
    """Selector 1 of a profile: rows with ``start`` <= time <= ``end`` (12-byte date-times).

    ``columns`` are class, logical name and attribute of the capture objects wanted; none means all of them.
    """
    wanted = axdr.array(*(_capture_object(*column) for column in columns))
    return axdr.structure(_capture_object(8, clock, 2), axdr.octets(start), axdr.octets(end), wanted)


def by_entry(first: int, last: int, first_column: int = 1, last_column: int = 0) -> Value:
    """Selector 2 of a profile: rows and columns by number from 1; a last of 0 means to the end."""
    return axdr.structure(axdr.u32(first), axdr.u32(last), axdr.u16(first_column), axdr.u16(last_column))


def _capture_object(class_id: int, obis: Obis, attribute: int) -> Value:
    return axdr.structure(axdr.u16(class_id), axdr.octets(obis.octets), axdr.i8(attribute), axdr.u16(0))
