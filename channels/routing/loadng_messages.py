"""Messages of LOADng as G3-PLC sends them: route request, route reply and route error, bytes as on the line.

Layout after ITU-T G.9903 annex on LOADng and draft-clausen-lln-loadng, written from descriptions of their fields. The
first byte is the dispatch of this product's modems in the place of the 6LoWPAN escape byte, the second the command
number of LOADng, the third the kind; so every message is as long as on a real line.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

DISPATCH = 0x02
COMMAND = 0x01
RREQ, RREP, RERR = 0, 1, 2
NO_ROUTE = 0
"""Error code of a route that cannot be repaired (number uncertain, no behaviour depends on it)."""
METRIC_TYPE = 0x0F
MAX_ADDRESS, MAX_COST, MAX_NIBBLE = 0xFFFF, 0xFFFF, 15
ROUTE_BYTES, ERROR_BYTES = 14, 11


@dataclass(frozen=True)
class RouteMessage:
    """A route request or a route reply.

    kind : ``RREQ`` or ``RREP``;  destination, originator : short addresses
    sequence : number of the originator, 0 to 65535
    cost : sum of link costs from the originator, 0 to 65535;  hops : links so far;  hops_left : links it may still go
    weak : links so far whose quality is below the threshold;  repair : bool, the search repairs a broken route
    guided : bool, a request that nodes with a route to the destination send along it (unicast RREQ)
    """

    kind: int
    destination: int
    originator: int
    sequence: int
    cost: int = 0
    hops: int = 0
    hops_left: int = MAX_NIBBLE
    weak: int = 0
    repair: bool = False
    guided: bool = False


@dataclass(frozen=True)
class RouteError:
    """``originator`` tells ``destination`` that it cannot pass anything on to ``unreachable``; all short addresses."""

    destination: int
    originator: int
    unreachable: int
    code: int = NO_ROUTE
    hops_left: int = MAX_NIBBLE


Message = RouteMessage | RouteError

LIMITS = {
    "kind": 1,
    "destination": MAX_ADDRESS,
    "originator": MAX_ADDRESS,
    "unreachable": MAX_ADDRESS,
    "sequence": 0xFFFF,
    "cost": MAX_COST,
    "hops": MAX_NIBBLE,
    "hops_left": MAX_NIBBLE,
    "weak": MAX_NIBBLE,
    "code": 0xFF,
    "repair": 1,
    "guided": 1,
}
REPAIR_BIT, GUIDED_BIT = 0x80, 0x40
"""Places of the two flags (confidence C; no behaviour depends on them)."""


def encode(message: Message) -> bytes:
    """Bytes of a message: 14 of a route request or reply, 11 of a route error.

    Raises ValueError where a field is outside its range.

    References
    ----------
    ITU-T G.9903 LOADng message format: destination (16), originator (16), sequence (16), flags (4), metric type (4),
    route cost (16), hop limit (4), hop count (4), weak link count (4), reserved (4). Order of the half bytes: B.

    >>> encode(RouteMessage(RREQ, destination=5, originator=0, sequence=258, cost=20, hops=2, hops_left=6, weak=1)).hex(
    ...     " ", 2
    ... )
    '0201 0000 0500 0001 020f 0014 6210'
    """
    _check(message)
    if isinstance(message, RouteError):
        head = bytes((DISPATCH, COMMAND, RERR)) + _words(message.destination, message.originator)
        return head + bytes((message.code,)) + _words(message.unreachable) + bytes((message.hops_left << 4,))
    head = bytes((DISPATCH, COMMAND, message.kind))
    head += _words(message.destination, message.originator, message.sequence)
    flags = bytes((message.repair * REPAIR_BIT | message.guided * GUIDED_BIT | METRIC_TYPE,))
    return head + flags + _words(message.cost) + bytes((message.hops_left << 4 | message.hops, message.weak << 4))


def decode(data: bytes) -> Message:
    """The message that `encode` wrote. Raises ValueError where length, kind or metric are not those of LOADng.

    >>> decode(encode(RouteError(0, 7, 5)))
    RouteError(destination=0, originator=7, unreachable=5, code=0, hops_left=15)
    """
    if len(data) < 3 or data[0] != DISPATCH or data[1] != COMMAND:
        raise ValueError(f"bytes {data[:3].hex()} do not begin a LOADng message; expect 0201")
    kind = data[2]
    length = {RREQ: ROUTE_BYTES, RREP: ROUTE_BYTES, RERR: ERROR_BYTES}.get(kind)
    if length is None:
        raise ValueError(f"kind {kind} of LOADng message is unknown; expect 0 (RREQ), 1 (RREP) or 2 (RERR)")
    if len(data) != length:
        raise ValueError(f"a LOADng message of kind {kind} has {length} bytes, not {len(data)}")
    destination, originator, third = (int.from_bytes(data[at : at + 2], "big") for at in (3, 5, 7))
    if kind == RERR:
        return RouteError(destination, originator, int.from_bytes(data[8:10], "big"), data[7], data[10] >> 4)
    if data[9] & 0x0F != METRIC_TYPE:
        raise ValueError(f"metric type {data[9] & 0x0F} of a route message is not the composite one, 15")
    return RouteMessage(
        kind,
        destination,
        originator,
        sequence=third,
        cost=int.from_bytes(data[10:12], "big"),
        hops=data[12] & 0x0F,
        hops_left=data[12] >> 4,
        weak=data[13] >> 4,
        repair=bool(data[9] & REPAIR_BIT),
        guided=bool(data[9] & GUIDED_BIT),
    )


def kind_of(data: bytes) -> int:
    """Kind of a message that `encode` wrote.

    >>> kind_of(encode(RouteError(0, 7, 5))) == RERR
    True
    """
    return data[2]


def newer(first: int, second: int) -> bool:
    """The first sequence number is newer than the second; numbers wrap at 65536.

    >>> newer(1, 65535), newer(65535, 1), newer(7, 7)
    (True, False, False)
    """
    return 0 < (first - second) % 65536 < 32768


def _words(*values: int) -> bytes:
    return b"".join(value.to_bytes(2, "big") for value in values)


def _check(message: Any) -> None:
    for item in fields(message):
        value, most = getattr(message, item.name), LIMITS[item.name]
        if not 0 <= value <= most:
            raise ValueError(f"{item.name} {value} of a LOADng message must be 0 to {most}")
