"""A SET or ACTION that comes in blocks: what has arrived so far, and how each block is answered.

References
----------
IEC 62056-5-3:2017, block transfer with SET and ACTION.
"""

from __future__ import annotations

from typing import Any

from ..dlms import apdu, axdr
from ..dlms.apdu import ActionResult, Apdu, DataAccess
from ..dlms.axdr import Value

FirstBlock = (
    apdu.SetRequestFirstBlock
    | apdu.SetRequestListFirstBlock
    | apdu.ActionRequestFirstBlock
    | apdu.ActionRequestListFirstBlock
)


class Incoming:
    """A SET or ACTION that comes in blocks: what has arrived so far."""

    def __init__(self, first: FirstBlock, longest_bytes: int) -> None:
        self.first, self.longest_bytes = first, longest_bytes
        self.raw = bytearray()
        self.block = 1
        self.sets = isinstance(first, apdu.SetRequestFirstBlock | apdu.SetRequestListFirstBlock)

    def acknowledged(self, invoke: int) -> Apdu:
        """What asks for the next block."""
        if self.sets:
            return apdu.SetResponseBlock(self.block, invoke)
        return apdu.ActionResponseNext(self.block, invoke)

    def aborted(self, why: DataAccess) -> Apdu:
        """A SET names the reason; an ACTION knows only that it was aborted."""
        if self.sets:
            return apdu.SetResponseLastBlock(why, self.block, self.first.invoke)
        return apdu.ActionResponse(ActionResult.LONG_ACTION_ABORTED, None, self.first.invoke)

    def values(self) -> tuple[Value, ...]:
        """One value, or as many as the list announced; ValueError where the bytes do not hold just these."""
        raw = bytes(self.raw)
        if isinstance(self.first, apdu.SetRequestFirstBlock | apdu.ActionRequestFirstBlock):
            return (axdr.decode(raw),)
        values, wanted = apdu.decode_values(raw), n_items(self.first)
        if len(values) != wanted:
            raise ValueError(f"{len(values)} values for {wanted} items: give one for each")
        return values


def n_items(request: Any) -> int:
    """How many attributes or methods a list asks for."""
    return len(request.methods if hasattr(request, "methods") else request.attributes)


def nothing_in_progress(request: apdu.SetRequestBlock | apdu.ActionRequestBlock) -> Apdu:
    """The answer to a block that continues nothing."""
    if isinstance(request, apdu.SetRequestBlock):
        return apdu.SetResponseLastBlock(DataAccess.NO_LONG_SET_IN_PROGRESS, request.block, request.invoke)
    return apdu.ActionResponse(ActionResult.NO_LONG_ACTION_IN_PROGRESS, None, request.invoke)
