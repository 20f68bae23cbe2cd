"""GET as bytes: one attribute, several, and answers in blocks.

References
----------
IEC 62056-5-3:2017 clause 8, Get-Request and Get-Response.
"""

from __future__ import annotations

from dataclasses import dataclass

from . import axdr
from .apdu_parts import (
    INVOKE,
    Attribute,
    DataAccess,
    Form,
    read_access,
    read_attribute,
    read_list,
    read_raw,
    read_result,
    read_u32,
    unsigned,
    write_attribute,
    write_block_number,
    write_list,
    write_result,
)
from .axdr import Value, take


@dataclass(frozen=True, slots=True)
class GetRequest:
    """GET-request-normal: one attribute."""

    attribute: Attribute
    invoke: int = INVOKE


@dataclass(frozen=True, slots=True)
class GetRequestNext:
    """GET-request-next: block ``block`` has arrived, send the one after it."""

    block: int
    invoke: int = INVOKE


@dataclass(frozen=True, slots=True)
class GetRequestList:
    """GET-request-with-list: several attributes, each with its own selection."""

    attributes: tuple[Attribute, ...]
    invoke: int = INVOKE


@dataclass(frozen=True, slots=True)
class GetResponse:
    """GET-response-normal: the value, or a data access result."""

    result: Value | DataAccess
    invoke: int = INVOKE


@dataclass(frozen=True, slots=True)
class GetResponseBlock:
    """GET-response-with-datablock: a piece of the encoded value, or a data access result; blocks count from 1."""

    last: bool
    block: int
    result: bytes | DataAccess
    invoke: int = INVOKE


@dataclass(frozen=True, slots=True)
class GetResponseList:
    """GET-response-with-list: value or data access result of each attribute that was asked for."""

    results: tuple[Value | DataAccess, ...]
    invoke: int = INVOKE


def _write_block(response: GetResponseBlock) -> bytes:
    head = write_block_number(response.last, response.block)
    if isinstance(response.result, DataAccess):
        return head + bytes([1, response.result])
    return head + b"\x00" + axdr.encode_length(len(response.result)) + response.result


def _read_request(data: bytes, at: int, invoke: int) -> tuple[GetRequest, int]:
    attribute, at = read_attribute(data, at)
    return GetRequest(attribute, invoke), at


def _read_next(data: bytes, at: int, invoke: int) -> tuple[GetRequestNext, int]:
    block, at = read_u32(data, at)
    return GetRequestNext(block, invoke), at


def _read_request_list(data: bytes, at: int, invoke: int) -> tuple[GetRequestList, int]:
    attributes, at = read_list(data, at, read_attribute)
    return GetRequestList(attributes, invoke), at


def _read_response(data: bytes, at: int, invoke: int) -> tuple[GetResponse, int]:
    result, at = read_result(data, at)
    return GetResponse(result, invoke), at


def _read_block(data: bytes, at: int, invoke: int) -> tuple[GetResponseBlock, int]:
    head = take(data, at, 6)
    last, block = head[0] != 0, int.from_bytes(head[1:5], "big")
    if head[5] > 1:
        raise ValueError(f"block result choice {head[5]}: 0 (data) or 1 (access result) is needed")
    result, at = read_access(data, at + 6) if head[5] else read_raw(data, at + 6)
    return GetResponseBlock(last, block, result, invoke), at


def _read_response_list(data: bytes, at: int, invoke: int) -> tuple[GetResponseList, int]:
    results, at = read_list(data, at, read_result)
    return GetResponseList(results, invoke), at


FORMS = (
    Form(0xC0, 1, GetRequest, lambda get: write_attribute(get.attribute), _read_request),
    Form(0xC0, 2, GetRequestNext, lambda get: unsigned(get.block, 4, "block number"), _read_next),
    Form(0xC0, 3, GetRequestList, lambda get: write_list(get.attributes, write_attribute), _read_request_list),
    Form(0xC4, 1, GetResponse, lambda got: write_result(got.result), _read_response),
    Form(0xC4, 2, GetResponseBlock, _write_block, _read_block),
    Form(0xC4, 3, GetResponseList, lambda got: write_list(got.results, write_result), _read_response_list),
)
