"""What waits in a PRIME cell: messages of its users, and the frames that its modems make of them."""

from __future__ import annotations

from collections.abc import Callable

import simpy

from .messages import Packet


class Message:
    """One payload on its way; ``done`` ends with the bytes as they arrived, or with None."""

    __slots__ = ("data", "destination", "done", "settled", "source")

    def __init__(self, source: int, destination: int, data: bytes, done: simpy.Event) -> None:
        self.source, self.destination, self.data, self.done = source, destination, data, done
        self.settled = False


class Outgoing:
    """One frame in a queue.

    packet : to be encoded when it goes on the line; None for ``raw``, a frame without generic header
    peer : member index of the neighbour it is meant for, -1 for all who hear it
    message : that is lost with the frame, None where somebody repeats it
    left : called when the frame has left the modem or was dropped
    """

    __slots__ = ("left", "message", "packet", "peer", "raw")

    def __init__(
        self,
        packet: Packet | None,
        peer: int,
        message: Message | None = None,
        left: Callable[[], None] | None = None,
        raw: bytes = b"",
    ) -> None:
        self.packet, self.peer, self.message, self.left, self.raw = packet, peer, message, left, raw
