"""ACTION as bytes: one method, several, and parameters or answers in blocks.

References
----------
IEC 62056-5-3:2017 clause 8, Action-Request and Action-Response.
"""

from __future__ import annotations

from dataclasses import dataclass

from .apdu_parts import (
    ACTION_RESULT,
    BLOCK,
    INVOKE,
    METHOD,
    PIECE,
    RESULT,
    VALUE,
    ActionResult,
    DataAccess,
    Form,
    Method,
    Part,
    list_of,
    optional,
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


RETURNED = optional(RESULT)


def write_outcome(outcome: Outcome) -> bytes:
    """Action result and optional returned value."""
    result, returned = outcome
    return ACTION_RESULT.write(result) + RETURNED.write(returned)


def read_outcome(data: bytes, at: int) -> tuple[Outcome, int]:
    """What `write_outcome` wrote."""
    result, at = ACTION_RESULT.read(data, at)
    returned, at = RETURNED.read(data, at)
    return (result, returned), at


FORMS = (
    Form(0xC3, 1, ActionRequest, (METHOD, optional(VALUE))),
    Form(0xC3, 2, ActionRequestNext, (BLOCK,)),
    Form(0xC3, 3, ActionRequestList, (list_of(METHOD), list_of(VALUE))),
    Form(0xC3, 4, ActionRequestFirstBlock, (METHOD, *PIECE)),
    Form(0xC3, 5, ActionRequestListFirstBlock, (list_of(METHOD), *PIECE)),
    Form(0xC3, 6, ActionRequestBlock, PIECE),
    Form(0xC7, 1, ActionResponse, (ACTION_RESULT, RETURNED)),
    Form(0xC7, 2, ActionResponseBlock, PIECE),
    Form(0xC7, 3, ActionResponseList, (list_of(Part(write_outcome, read_outcome)),)),
    Form(0xC7, 4, ActionResponseNext, (BLOCK,)),
)
