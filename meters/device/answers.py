"""GET, SET and ACTION of one association: what its role may have, with lists, and in blocks where it is long.

References
----------
IEC 62056-5-3:2017, xDLMS services with logical names; block transfer of GET, SET and ACTION.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from ..dlms import apdu, security
from ..dlms.apdu import ActionRequest, ActionResult, Apdu, Attribute, DataAccess, ExceptionResponse, Method
from ..dlms.axdr import Value
from ..dlms.obis import Obis
from .base import AccessError, ActionError, CosemObject
from .incoming import Incoming, n_items, nothing_in_progress
from .rights import INVOKE, READ, WRITE, Role, allowed

MOST_LIST_ITEMS = 256
"""Attributes or methods in one list; more are refused."""
MOST_LIST_ROWS = 10_000
"""Rows of profiles after which the rest of a list is refused for now, so that no request keeps a meter busy."""

CONFIRMED = 0x40
"""Service class in an invoke byte."""

Returned = tuple[ActionResult, Value | DataAccess | None]


class Access:
    """The objects as one role may use them.

    Parameters
    ----------
    objects
        By class and logical name.
    counters
        ``denied`` counts what was refused.
    """

    def __init__(self, objects: Mapping[tuple[int, Obis], CosemObject], role: Role, counters: Counter[str]) -> None:
        self.objects, self.role, self.counters = objects, role, counters

    def read(self, asked: Attribute) -> Value | DataAccess:
        """The attribute, or why it is not given."""
        try:
            return self._found(asked, READ).attribute(asked.number, asked.selector, asked.parameters)
        except AccessError as refused:
            return self._denied(refused.result)

    def write(self, asked: Attribute, value: Value) -> DataAccess:
        """Write an attribute; SUCCESS or why it was not written."""
        try:
            found = self._found(asked, WRITE)
            if asked.selector:
                raise AccessError(DataAccess.SCOPE_OF_ACCESS_VIOLATED)
            found.write(asked.number, value)
        except AccessError as refused:
            return self._denied(refused.result)
        return DataAccess.SUCCESS

    def invoke(self, asked: Method, parameters: Value | None) -> Returned:
        """Invoke a method; its result and what it returned."""
        found = self.objects.get((asked.class_id, asked.obis))
        if found is None:
            return self._refused(ActionResult.OBJECT_UNDEFINED)
        if not allowed(self.role, asked.class_id, asked.obis, asked.number, INVOKE):
            return self._refused(ActionResult.READ_WRITE_DENIED)
        try:
            return ActionResult.SUCCESS, found.invoke(asked.number, parameters)
        except ActionError as refused:
            return self._refused(refused.result)

    def _found(self, asked: Attribute, kind: str) -> CosemObject:
        found = self.objects.get((asked.class_id, asked.obis))
        if found is None:
            raise AccessError(DataAccess.OBJECT_UNDEFINED)
        if not allowed(self.role, asked.class_id, asked.obis, asked.number, kind):
            raise AccessError(DataAccess.READ_WRITE_DENIED)
        return found

    def _denied(self, result: DataAccess) -> DataAccess:
        self.counters["denied"] += 1
        return result

    def _refused(self, result: ActionResult) -> Returned:
        self.counters["denied"] += 1
        return result, None


class Answers:
    """The services of one open association; one transfer in blocks at a time, a new request drops it.

    Parameters
    ----------
    access
        The objects, as the association's role may use them.
    longest_request_bytes
        A value that comes in blocks may have this many bytes; longer ones are aborted.
    """

    def __init__(self, access: Access, longest_request_bytes: int) -> None:
        self.access = access
        self.longest_request_bytes = longest_request_bytes
        self._outgoing: list[bytes] = []
        self._outgoing_kind = ""
        self._incoming: Incoming | None = None
        self._taken: tuple[Apdu, Apdu] | None = None

    def drop(self) -> None:
        """Forget transfers under way."""
        self._outgoing, self._incoming, self._taken = [], None, None

    def answer(self, request: Apdu, longest_bytes: int | None) -> bytes:
        """The plain answer, at most ``longest_bytes`` long where that is not None (then blocks follow)."""
        match request:
            case apdu.GetRequestNext() | apdu.ActionRequestNext():
                return apdu.encode(self._next_block(request))
            case apdu.SetRequestBlock() | apdu.ActionRequestBlock():
                return self._fit(self._further(request), longest_bytes)
        self.drop()
        if not _is_answerable(request):
            return apdu.encode(ExceptionResponse(apdu.SERVICE_NOT_ALLOWED, apdu.OPERATION_NOT_POSSIBLE))
        return self._fit(self._whole(request), longest_bytes)

    def _whole(self, request: Apdu) -> Apdu:
        access = self.access
        match request:
            case apdu.GetRequest():
                return apdu.GetResponse(access.read(request.attribute), request.invoke)
            case apdu.SetRequest():
                return apdu.SetResponse(access.write(request.attribute, request.value), request.invoke)
            case apdu.ActionRequest():
                return apdu.ActionResponse(*access.invoke(request.method, request.parameters), request.invoke)
            case apdu.GetRequestList():
                return self._get_list(request)
            case apdu.SetRequestList():
                return self._set_list(request, request.values)
            case apdu.ActionRequestList():
                return self._action_list(request, request.parameters)
            case apdu.SetRequestFirstBlock() | apdu.SetRequestListFirstBlock():
                return self._begin(Incoming(request, self.longest_request_bytes))
            case apdu.ActionRequestFirstBlock() | apdu.ActionRequestListFirstBlock():
                return self._begin(Incoming(request, self.longest_request_bytes))
        return ExceptionResponse(apdu.SERVICE_UNKNOWN, apdu.SERVICE_NOT_SUPPORTED)

    # -- lists ---------------------------------------------------------------------------------------------------

    def _get_list(self, request: apdu.GetRequestList) -> Apdu:
        results: list[Value | DataAccess] = []
        n_rows = 0
        for one in request.attributes:
            result = self.access.read(one) if n_rows <= MOST_LIST_ROWS else DataAccess.TEMPORARY_FAILURE
            n_rows += len(result.content) if isinstance(result, Value) and isinstance(result.content, tuple) else 0
            results.append(result)
        return apdu.GetResponseList(tuple(results), request.invoke)

    def _set_list(
        self, request: apdu.SetRequestList | apdu.SetRequestListFirstBlock, values: tuple[Value, ...]
    ) -> apdu.SetResponseList:
        pairs = zip(request.attributes, values, strict=True)
        return apdu.SetResponseList(tuple(self.access.write(*pair) for pair in pairs), request.invoke)

    def _action_list(
        self, request: apdu.ActionRequestList | apdu.ActionRequestListFirstBlock, parameters: tuple[Value, ...]
    ) -> apdu.ActionResponseList:
        pairs = zip(request.methods, parameters, strict=True)
        return apdu.ActionResponseList(tuple(self.access.invoke(*pair) for pair in pairs), request.invoke)

    # -- a long answer goes out ----------------------------------------------------------------------------------

    def _fit(self, whole: Apdu, longest_bytes: int | None) -> bytes:
        encoded = apdu.encode(whole)
        if longest_bytes is None or len(encoded) <= longest_bytes:
            return encoded
        match whole:
            # Raw data of the blocks: the value alone, or the list with its count, or the action's whole result.
            case apdu.GetResponse():
                raw, kind = encoded[4:], "get"
            case apdu.GetResponseList():
                raw, kind = encoded[3:], "get"
            case apdu.ActionResponse() | apdu.ActionResponseList():
                raw, kind = encoded[3:], "action"
            case _:
                return apdu.encode(ExceptionResponse(apdu.SERVICE_NOT_ALLOWED, apdu.OTHER_REASON))
        self._outgoing, self._outgoing_kind = apdu.split(raw, largest_block_bytes(longest_bytes)), kind
        return apdu.encode(self._block(1, encoded[2]))

    def _next_block(self, request: apdu.GetRequestNext | apdu.ActionRequestNext) -> Apdu:
        """The block after the one that arrived; asking again for the same one gives it again."""
        get = isinstance(request, apdu.GetRequestNext)
        if not self._outgoing or get != (self._outgoing_kind == "get"):
            return self._no_block(request, DataAccess.NO_LONG_GET_IN_PROGRESS, get)
        if not 1 <= request.block < len(self._outgoing):
            return self._no_block(request, DataAccess.DATA_BLOCK_NUMBER_INVALID, get)
        return self._block(request.block + 1, request.invoke)

    @staticmethod
    def _no_block(request: apdu.GetRequestNext | apdu.ActionRequestNext, why: DataAccess, get: bool) -> Apdu:
        if get:
            return apdu.GetResponseBlock(True, request.block, why, request.invoke)
        return apdu.ActionResponse(ActionResult.NO_LONG_ACTION_IN_PROGRESS, None, request.invoke)

    def _block(self, number: int, invoke: int) -> Apdu:
        last, raw = number == len(self._outgoing), self._outgoing[number - 1]
        if self._outgoing_kind == "get":
            return apdu.GetResponseBlock(last, number, raw, invoke)
        return apdu.ActionResponseBlock(last, number, raw, invoke)

    # -- a long request comes in ---------------------------------------------------------------------------------

    def _begin(self, incoming: Incoming) -> Apdu:
        if incoming.first.block != 1:
            return incoming.aborted(DataAccess.DATA_BLOCK_NUMBER_INVALID)
        return self._proceed(incoming, incoming.first.raw, last=incoming.first.last)

    def _further(self, request: apdu.SetRequestBlock | apdu.ActionRequestBlock) -> Apdu:
        """A block that comes again is answered again, the last one without being carried out twice."""
        incoming = self._incoming
        if self._taken is not None and self._taken[0] == request:
            return self._taken[1]
        if incoming is None or incoming.sets != isinstance(request, apdu.SetRequestBlock):
            return nothing_in_progress(request)
        if request.block == incoming.block and not request.last:
            return incoming.acknowledged(request.invoke)
        if request.block != incoming.block + 1:
            self._incoming = None
            return incoming.aborted(DataAccess.DATA_BLOCK_NUMBER_INVALID)
        incoming.block += 1
        answer = self._proceed(incoming, request.raw, last=request.last)
        self._taken = (request, answer) if request.last else None
        return answer

    def _proceed(self, incoming: Incoming, raw: bytes, *, last: bool) -> Apdu:
        self._incoming = None
        if len(incoming.raw) + len(raw) > incoming.longest_bytes:
            return incoming.aborted(DataAccess.LONG_SET_ABORTED)
        incoming.raw += raw
        if not last:
            self._incoming = incoming
            return incoming.acknowledged(incoming.first.invoke)
        try:
            values = incoming.values()
        except ValueError:
            return incoming.aborted(DataAccess.TYPE_UNMATCHED)
        return self._carry_out(incoming, values)

    def _carry_out(self, incoming: Incoming, values: tuple[Value, ...]) -> Apdu:
        first, block = incoming.first, incoming.block
        match first:
            case apdu.SetRequestFirstBlock():
                return apdu.SetResponseLastBlock(self.access.write(first.attribute, values[0]), block, first.invoke)
            case apdu.SetRequestListFirstBlock():
                return apdu.SetResponseLastBlockList(self._set_list(first, values).results, block, first.invoke)
            case apdu.ActionRequestFirstBlock():
                return apdu.ActionResponse(*self.access.invoke(first.method, values[0]), first.invoke)
            case apdu.ActionRequestListFirstBlock():
                return self._action_list(first, values)


def is_confirmed(request: Any) -> bool:
    """Whether a request wants an answer: a whole SET or ACTION may do without, by bit 6 of its invoke byte."""
    may_be_silent = isinstance(request, apdu.SetRequest | apdu.SetRequestList | ActionRequest | apdu.ActionRequestList)
    return not may_be_silent or bool(request.invoke & CONFIRMED)


def _is_answerable(request: Any) -> bool:
    """Whether a list, if it is one, is not too long and gives each item its value."""
    if not hasattr(request, "attributes") and not hasattr(request, "methods"):
        return True
    given = getattr(request, "values", getattr(request, "parameters", None))
    wanted = n_items(request)
    return wanted <= MOST_LIST_ITEMS and (given is None or len(given) == wanted)


@lru_cache(maxsize=256)
def largest_block_bytes(longest_bytes: int) -> int:
    """Most data of one block so that its plain APDU has at most ``longest_bytes``; ValueError where none fit.

    >>> largest_block_bytes(491)
    479
    """
    for n_data in range(longest_bytes - 10, 0, -1):
        if apdu.block_bytes(n_data) <= longest_bytes:
            return n_data
    raise ValueError(f"{longest_bytes} bytes are too short for a block: raise max_pdu_bytes")


@lru_cache(maxsize=256)
def largest_plain_bytes(limit_bytes: int, general: bool = False, protection: int = security.BOTH) -> int:
    """Longest plain APDU that, ciphered in that form and with that protection, has at most ``limit_bytes``.

    >>> largest_plain_bytes(512)
    491
    """
    fits = (n for n in range(limit_bytes, 0, -1) if _sealed_bytes(n, general, protection) <= limit_bytes)
    return next(fits, 0)


def _sealed_bytes(n_plain: int, general: bool, protection: int) -> int:
    return security.sealed_bytes(n_plain, general=general, protection=protection)
