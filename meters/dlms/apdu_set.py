"""SET as bytes: one attribute, several, and values in blocks.

References
----------
IEC 62056-5-3:2017 clause 8, Set-Request and Set-Response.
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
    read_block,
    read_list,
    read_u32,
    unsigned,
    write_attribute,
    write_block,
    write_list,
)
from .axdr import Value


@dataclass(frozen=True, slots=True)
class SetRequest:
    """SET-request-normal: one attribute and its new value."""

    attribute: Attribute
    value: Value
    invoke: int = INVOKE


@dataclass(frozen=True, slots=True)
class SetRequestFirstBlock:
    """SET-request-with-first-datablock: the attribute and the first piece of its encoded value."""

    attribute: Attribute
    last: bool
    block: int
    raw: bytes
    invoke: int = INVOKE


@dataclass(frozen=True, slots=True)
class SetRequestBlock:
    """SET-request-with-datablock: a further piece; blocks count from 1."""

    last: bool
    block: int
    raw: bytes
    invoke: int = INVOKE


@dataclass(frozen=True, slots=True)
class SetRequestList:
    """SET-request-with-list: as many values as attributes; the server refuses unequal numbers."""

    attributes: tuple[Attribute, ...]
    values: tuple[Value, ...]
    invoke: int = INVOKE


@dataclass(frozen=True, slots=True)
class SetRequestListFirstBlock:
    """SET-request-with-list-and-first-datablock: the pieces make up number of values and the values."""

    attributes: tuple[Attribute, ...]
    last: bool
    block: int
    raw: bytes
    invoke: int = INVOKE


@dataclass(frozen=True, slots=True)
class SetResponse:
    """SET-response-normal."""

    result: DataAccess
    invoke: int = INVOKE


@dataclass(frozen=True, slots=True)
class SetResponseBlock:
    """SET-response-datablock: block ``block`` has arrived, send the one after it."""

    block: int
    invoke: int = INVOKE


@dataclass(frozen=True, slots=True)
class SetResponseLastBlock:
    """SET-response-last-datablock: the result after the last block."""

    result: DataAccess
    block: int
    invoke: int = INVOKE


@dataclass(frozen=True, slots=True)
class SetResponseLastBlockList:
    """SET-response-last-datablock-with-list: the results after the last block."""

    results: tuple[DataAccess, ...]
    block: int
    invoke: int = INVOKE


@dataclass(frozen=True, slots=True)
class SetResponseList:
    """SET-response-with-list: a result for each attribute."""

    results: tuple[DataAccess, ...]
    invoke: int = INVOKE


def _write_first_block(request: SetRequestFirstBlock) -> bytes:
    return write_attribute(request.attribute) + write_block(request.last, request.block, request.raw)


def _write_list(request: SetRequestList) -> bytes:
    return write_list(request.attributes, write_attribute) + write_list(request.values, axdr.encode)


def _write_list_block(request: SetRequestListFirstBlock) -> bytes:
    block = write_block(request.last, request.block, request.raw)
    return write_list(request.attributes, write_attribute) + block


def _write_number(response: SetResponseBlock | SetResponseLastBlock | SetResponseLastBlockList) -> bytes:
    return unsigned(response.block, 4, "block number")


def _write_results(results: tuple[DataAccess, ...]) -> bytes:
    return axdr.encode_length(len(results)) + bytes(results)


def _read_request(data: bytes, at: int, invoke: int) -> tuple[SetRequest, int]:
    attribute, at = read_attribute(data, at)
    value, at = axdr.decode_at(data, at)
    return SetRequest(attribute, value, invoke), at


def _read_first_block(data: bytes, at: int, invoke: int) -> tuple[SetRequestFirstBlock, int]:
    attribute, at = read_attribute(data, at)
    last, block, raw, at = read_block(data, at)
    return SetRequestFirstBlock(attribute, last, block, raw, invoke), at


def _read_block(data: bytes, at: int, invoke: int) -> tuple[SetRequestBlock, int]:
    last, block, raw, at = read_block(data, at)
    return SetRequestBlock(last, block, raw, invoke), at


def _read_list(data: bytes, at: int, invoke: int) -> tuple[SetRequestList, int]:
    attributes, at = read_list(data, at, read_attribute)
    values, at = read_list(data, at, axdr.decode_at)
    return SetRequestList(attributes, values, invoke), at


def _read_list_block(data: bytes, at: int, invoke: int) -> tuple[SetRequestListFirstBlock, int]:
    attributes, at = read_list(data, at, read_attribute)
    last, block, raw, at = read_block(data, at)
    return SetRequestListFirstBlock(attributes, last, block, raw, invoke), at


def _read_response(data: bytes, at: int, invoke: int) -> tuple[SetResponse, int]:
    result, at = read_access(data, at)
    return SetResponse(result, invoke), at


def _read_number(data: bytes, at: int, invoke: int) -> tuple[SetResponseBlock, int]:
    block, at = read_u32(data, at)
    return SetResponseBlock(block, invoke), at


def _read_last(data: bytes, at: int, invoke: int) -> tuple[SetResponseLastBlock, int]:
    result, at = read_access(data, at)
    block, at = read_u32(data, at)
    return SetResponseLastBlock(result, block, invoke), at


def _read_last_list(data: bytes, at: int, invoke: int) -> tuple[SetResponseLastBlockList, int]:
    results, at = read_list(data, at, read_access)
    block, at = read_u32(data, at)
    return SetResponseLastBlockList(results, block, invoke), at


def _read_results(data: bytes, at: int, invoke: int) -> tuple[SetResponseList, int]:
    results, at = read_list(data, at, read_access)
    return SetResponseList(results, invoke), at


FORMS = (
    Form(0xC1, 1, SetRequest, lambda put: write_attribute(put.attribute) + axdr.encode(put.value), _read_request),
    Form(0xC1, 2, SetRequestFirstBlock, _write_first_block, _read_first_block),
    Form(0xC1, 3, SetRequestBlock, lambda put: write_block(put.last, put.block, put.raw), _read_block),
    Form(0xC1, 4, SetRequestList, _write_list, _read_list),
    Form(0xC1, 5, SetRequestListFirstBlock, _write_list_block, _read_list_block),
    Form(0xC5, 1, SetResponse, lambda done: bytes([done.result]), _read_response),
    Form(0xC5, 2, SetResponseBlock, _write_number, _read_number),
    Form(0xC5, 3, SetResponseLastBlock, lambda done: bytes([done.result]) + _write_number(done), _read_last),
    Form(
        0xC5,
        4,
        SetResponseLastBlockList,
        lambda done: _write_results(done.results) + _write_number(done),
        _read_last_list,
    ),
    Form(0xC5, 5, SetResponseList, lambda done: _write_results(done.results), _read_results),
)
