"""SET as bytes: one attribute, several, and values in blocks.

References
----------
IEC 62056-5-3:2017 clause 8, Set-Request and Set-Response.
"""

from __future__ import annotations

from dataclasses import dataclass

from .apdu_parts import ACCESS, ATTRIBUTE, BLOCK, INVOKE, PIECE, VALUE, Attribute, DataAccess, Form, list_of
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


FORMS = (
    Form(0xC1, 1, SetRequest, (ATTRIBUTE, VALUE)),
    Form(0xC1, 2, SetRequestFirstBlock, (ATTRIBUTE, *PIECE)),
    Form(0xC1, 3, SetRequestBlock, PIECE),
    Form(0xC1, 4, SetRequestList, (list_of(ATTRIBUTE), list_of(VALUE))),
    Form(0xC1, 5, SetRequestListFirstBlock, (list_of(ATTRIBUTE), *PIECE)),
    Form(0xC5, 1, SetResponse, (ACCESS,)),
    Form(0xC5, 2, SetResponseBlock, (BLOCK,)),
    Form(0xC5, 3, SetResponseLastBlock, (ACCESS, BLOCK)),
    Form(0xC5, 4, SetResponseLastBlockList, (list_of(ACCESS), BLOCK)),
    Form(0xC5, 5, SetResponseList, (list_of(ACCESS),)),
)
