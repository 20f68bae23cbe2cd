"""ACTION as bytes: one method, several, and parameters or answers in blocks.

References
----------
IEC 62056-5-3:2017 clause 8, Action-Request and Action-Response.
"""

from __future__ import annotations

from dataclasses import dataclass

from . import axdr
from .apdu_parts import (
    INVOKE,
    ActionResult,
    DataAccess,
    Form,
    Method,
    read_action_result,
    read_block,
    read_flag,
    read_list,
    read_method,
    read_result,
    read_u32,
    unsigned,
    write_block,
    write_descriptor,
    write_list,
    write_result,
)
from .axdr import Value

Outcome = tuple[ActionResult, Value | DataAccess | None]
"""Action result, and what the method returned, if anything."""


@dataclass(frozen=True, slots=True)
class ActionRequest:
    """ACTION-request-normal: one method, with one parameter or none."""

    method: Method
    parameters: Value | None = None
    invoke: int = INVOKE


@dataclass(frozen=True, slots=True)
class ActionRequestNext:
    """ACTION-request-next-pblock: block ``block`` of the answer has arrived, send the one after it."""

    block: int
    invoke: int = INVOKE


@dataclass(frozen=True, slots=True)
class ActionRequestList:
    """ACTION-request-with-list: as many parameters as methods; the server refuses unequal numbers."""

    methods: tuple[Method, ...]
    parameters: tuple[Value, ...]
    invoke: int = INVOKE


@dataclass(frozen=True, slots=True)
class ActionRequestFirstBlock:
    """ACTION-request-with-first-pblock: the method and the first piece of its encoded parameter."""

    method: Method
    last: bool
    block: int
    raw: bytes
    invoke: int = INVOKE


@dataclass(frozen=True, slots=True)
class ActionRequestListFirstBlock:
    """ACTION-request-with-list-and-first-pblock: the pieces make up number of parameters and the parameters."""

    methods: tuple[Method, ...]
    last: bool
    block: int
    raw: bytes
    invoke: int = INVOKE


@dataclass(frozen=True, slots=True)
class ActionRequestBlock:
    """ACTION-request-with-pblock: a further piece; blocks count from 1."""

    last: bool
    block: int
    raw: bytes
    invoke: int = INVOKE


@dataclass(frozen=True, slots=True)
class ActionResponse:
    """ACTION-response-normal: the result, and what the method returned, if anything."""

    result: ActionResult
    returned: Value | DataAccess | None = None
    invoke: int = INVOKE


@dataclass(frozen=True, slots=True)
class ActionResponseBlock:
    """ACTION-response-with-pblock: a piece of the encoded answer; blocks count from 1."""

    last: bool
    block: int
    raw: bytes
    invoke: int = INVOKE


@dataclass(frozen=True, slots=True)
class ActionResponseList:
    """ACTION-response-with-list: result and returned value of each method."""

    results: tuple[Outcome, ...]
    invoke: int = INVOKE


@dataclass(frozen=True, slots=True)
class ActionResponseNext:
    """ACTION-response-next-pblock: block ``block`` of the parameters has arrived, send the one after it."""

    block: int
    invoke: int = INVOKE


def _write_request(request: ActionRequest) -> bytes:
    method = write_descriptor(request.method)
    return method + (b"\x00" if request.parameters is None else b"\x01" + axdr.encode(request.parameters))


def _write_number(apdu: ActionRequestNext | ActionResponseNext) -> bytes:
    return unsigned(apdu.block, 4, "block number")


def _write_list(request: ActionRequestList) -> bytes:
    return write_list(request.methods, write_descriptor) + write_list(request.parameters, axdr.encode)


def _write_block(apdu: ActionRequestBlock | ActionResponseBlock) -> bytes:
    return write_block(apdu.last, apdu.block, apdu.raw)


def _write_first_block(request: ActionRequestFirstBlock) -> bytes:
    return write_descriptor(request.method) + write_block(request.last, request.block, request.raw)


def _write_list_block(request: ActionRequestListFirstBlock) -> bytes:
    return write_list(request.methods, write_descriptor) + write_block(request.last, request.block, request.raw)


def write_outcome(outcome: Outcome) -> bytes:
    """Action result and optional returned value."""
    result, returned = outcome
    return bytes([result]) + (b"\x00" if returned is None else b"\x01" + write_result(returned))


def read_outcome(data: bytes, at: int) -> tuple[Outcome, int]:
    """What `write_outcome` wrote."""
    result, at = read_action_result(data, at)
    if not read_flag(data, at):
        return (result, None), at + 1
    returned, at = read_result(data, at + 1)
    return (result, returned), at


def _read_request(data: bytes, at: int, invoke: int) -> tuple[ActionRequest, int]:
    method, at = read_method(data, at)
    if not read_flag(data, at):
        return ActionRequest(method, None, invoke), at + 1
    parameters, at = axdr.decode_at(data, at + 1)
    return ActionRequest(method, parameters, invoke), at


def _read_next(data: bytes, at: int, invoke: int) -> tuple[ActionRequestNext, int]:
    block, at = read_u32(data, at)
    return ActionRequestNext(block, invoke), at


def _read_list(data: bytes, at: int, invoke: int) -> tuple[ActionRequestList, int]:
    methods, at = read_list(data, at, read_method)
    parameters, at = read_list(data, at, axdr.decode_at)
    return ActionRequestList(methods, parameters, invoke), at


def _read_first_block(data: bytes, at: int, invoke: int) -> tuple[ActionRequestFirstBlock, int]:
    method, at = read_method(data, at)
    last, block, raw, at = read_block(data, at)
    return ActionRequestFirstBlock(method, last, block, raw, invoke), at


def _read_list_block(data: bytes, at: int, invoke: int) -> tuple[ActionRequestListFirstBlock, int]:
    methods, at = read_list(data, at, read_method)
    last, block, raw, at = read_block(data, at)
    return ActionRequestListFirstBlock(methods, last, block, raw, invoke), at


def _read_request_block(data: bytes, at: int, invoke: int) -> tuple[ActionRequestBlock, int]:
    last, block, raw, at = read_block(data, at)
    return ActionRequestBlock(last, block, raw, invoke), at


def _read_response(data: bytes, at: int, invoke: int) -> tuple[ActionResponse, int]:
    (result, returned), at = read_outcome(data, at)
    return ActionResponse(result, returned, invoke), at


def _read_response_block(data: bytes, at: int, invoke: int) -> tuple[ActionResponseBlock, int]:
    last, block, raw, at = read_block(data, at)
    return ActionResponseBlock(last, block, raw, invoke), at


def _read_response_list(data: bytes, at: int, invoke: int) -> tuple[ActionResponseList, int]:
    results, at = read_list(data, at, read_outcome)
    return ActionResponseList(results, invoke), at


def _read_response_next(data: bytes, at: int, invoke: int) -> tuple[ActionResponseNext, int]:
    block, at = read_u32(data, at)
    return ActionResponseNext(block, invoke), at


FORMS = (
    Form(0xC3, 1, ActionRequest, _write_request, _read_request),
    Form(0xC3, 2, ActionRequestNext, _write_number, _read_next),
    Form(0xC3, 3, ActionRequestList, _write_list, _read_list),
    Form(0xC3, 4, ActionRequestFirstBlock, _write_first_block, _read_first_block),
    Form(0xC3, 5, ActionRequestListFirstBlock, _write_list_block, _read_list_block),
    Form(0xC3, 6, ActionRequestBlock, _write_block, _read_request_block),
    Form(0xC7, 1, ActionResponse, lambda done: write_outcome((done.result, done.returned)), _read_response),
    Form(0xC7, 2, ActionResponseBlock, _write_block, _read_response_block),
    Form(0xC7, 3, ActionResponseList, lambda done: write_list(done.results, write_outcome), _read_response_list),
    Form(0xC7, 4, ActionResponseNext, _write_number, _read_response_next),
)
