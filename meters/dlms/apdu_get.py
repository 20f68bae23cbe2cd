"""GET as bytes: one attribute, several, and answers in blocks.

References
----------
IEC 62056-5-3:2017 clause 8, Get-Request and Get-Response.
"""

from __future__ import annotations

from dataclasses import dataclass

from .apdu_parts import ATTRIBUTE, BLOCK, INVOKE, LAST, RAW_RESULT, RESULT, Attribute, DataAccess, Form, list_of
from .axdr import Value


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


FORMS = (
    Form(0xC0, 1, GetRequest, (ATTRIBUTE,)),
    Form(0xC0, 2, GetRequestNext, (BLOCK,)),
    Form(0xC0, 3, GetRequestList, (list_of(ATTRIBUTE),)),
    Form(0xC4, 1, GetResponse, (RESULT,)),
    Form(0xC4, 2, GetResponseBlock, (LAST, BLOCK, RAW_RESULT)),
    Form(0xC4, 3, GetResponseList, (list_of(RESULT),)),
)
