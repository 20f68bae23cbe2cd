"""The modem of one PRIME node: its queue, the mode of each hop, and what it learnt of its neighbours."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Any

from .csma import access, later
from .messages import ALV, NO_ADVICE, Packet, encode
from .outgoing import Outgoing
from .roles import Air

HOP_ANSWER = b"\0"
"""Payload by which a hop of version 1.4 answers a keep-alive (length confidence C)."""


class PrimeModem:
    """Sends one frame after another, the most urgent first, each in the mode its receiver asked for.

    A node tells each neighbour, in every frame, the mode in which it can best hear it, as far as it heard it within
    ``robustness_s``; what a node was told is believed as long. Without such word a frame goes in the most robust mode.
    """

    def __init__(self, cell: Air, index: int) -> None:
        self._cell, self.index = cell, index
        self._queue: list[tuple[int, int, Outgoing]] = []
        self._count = 0
        self._running = False
        self._heard: dict[int, tuple[int, float]] = {}
        self._told: dict[int, tuple[int, float]] = {}
        self._unanswered: dict[tuple[int, int, int], object] = {}
        self.alive = True
        self.parent = -1

    def clear(self) -> None:
        """Forget neighbours and queue; messages in it are lost."""
        for _, _, out in self._queue:
            self._drop(out)
        self._queue.clear()
        self._heard.clear()
        self._told.clear()
        self._unanswered.clear()
        self.parent = -1

    def send(self, out: Outgoing) -> None:
        """Queue a frame; it is dropped where the modem is dead."""
        if not self.alive:
            self._drop(out)
            return
        if out.left is None and _must_be_answered(out.packet) and self._answers_hops(out.peer):
            out.left = lambda: self._expect(out, self._cell.mac.alive_hop_tries)
        priority = out.packet.priority if out.packet is not None else 0
        self._count += 1
        heappush(self._queue, (priority, self._count, out))
        if not self._running:
            self._running = True
            self._cell.env.process(self._run())

    def learn(self, sender: int, packet: Packet) -> bool:
        """A frame came from a neighbour: how well it was heard, and the mode it asks for.

        Between two nodes of version 1.4 each hop answers a keep-alive; True where the frame was such an answer and
        nothing more.
        """
        now = self._cell.env.now
        self._heard[sender] = (self._cell.line.usable_mode(sender, self.index), now)
        if packet.advice != NO_ADVICE:
            self._told[sender] = (packet.advice, now)
        if packet.control != ALV or not self._answers_hops(sender):
            return False
        key = (sender, packet.switch, packet.node)
        if answers_hop(packet):
            self._unanswered.pop(key, None)
            return True
        self.send(Outgoing(packet._replace(down=not packet.down, payload=HOP_ANSWER, priority=0), sender))
        return False

    def remember(self, peer: int, when_s: float) -> None:
        """A keep-alive of a neighbour, or of one behind it, passed at a time before the start: it told its mode."""
        line, earlier_s = self._cell.line, self._heard.get(peer, (0, -float("inf")))[1]
        when_s = max(when_s, earlier_s)
        self._heard[peer] = (line.usable_mode(peer, self.index), when_s)
        self._told[peer] = (line.usable_mode(self.index, peer), when_s)

    def _answers_hops(self, peer: int) -> bool:
        """Whether keep-alives to and from a neighbour are answered."""
        return self._cell.mac.answers_hops(self._cell.line.frame_type(self.index, peer))

    def _expect(self, out: Outgoing, tries: int) -> None:
        """A keep-alive left: it goes again where its hop is not answered."""
        assert out.packet is not None
        key, mark = (out.peer, out.packet.switch, out.packet.node), object()
        mac = self._cell.mac
        self._unanswered[key] = mark

        def again() -> None:
            if self._unanswered.get(key) is mark:
                del self._unanswered[key]
                self._cell.counters["retries"] += 1
                self.send(Outgoing(out.packet, out.peer, left=lambda: self._expect(out, tries - 1)))

        if tries:
            later(self._cell.env, mac.frame_s + mac.forming.hop_wait_s, again)

    def _advice(self, peer: int) -> int:
        """Mode in which the neighbour should speak to this node; its switch is heard by its beacons all the time."""
        if peer == self.parent:
            return self._cell.line.usable_mode(peer, self.index)
        mode, when = self._heard.get(peer, (NO_ADVICE, -float("inf")))
        return mode if self._cell.env.now - when <= self._cell.mac.robustness_s else NO_ADVICE

    def mode(self, peer: int) -> int:
        """Mode for frames to a neighbour."""
        robust = self._cell.line.robust_mode(self.index, peer)
        mode, when = self._told.get(peer, (robust, -float("inf")))
        return max(mode, robust) if self._cell.env.now - when <= self._cell.mac.robustness_s else robust

    def _drop(self, out: Outgoing) -> None:
        if out.message is not None:
            self._cell.settle(out.message, False)

    def _run(self) -> Any:
        """Work the queue off."""
        cell = self._cell
        while self._queue and self.alive:
            priority, _, out = heappop(self._queue)
            data = out.raw
            if out.packet is not None:
                data = encode(out.packet._replace(advice=self._advice(out.peer)), cell.network)
            mode, kind = self.mode(out.peer), cell.line.frame_type(self.index, out.peer)
            airtime_s = cell.line.airtime_s(mode, kind, len(data))
            granted = yield from access(
                cell.env, cell.clock, cell.line.medium, self.index, priority, airtime_s, cell.line.draw,
                timed=out.packet is not None,
            )  # fmt: skip
            if granted and self.alive:
                yield from cell.on_line(self.index, out, data, mode, kind, airtime_s)
            elif not granted:
                cell.counters["access_failures"] += 1
                self._drop(out)
            else:
                self._drop(out)
            if out.left is not None and self.alive:
                out.left()
        self._running = False


def answers_hop(packet: Packet) -> bool:
    """Whether a packet is but the answer of one hop to a keep-alive."""
    return packet.control == ALV and packet.payload == HOP_ANSWER


def _must_be_answered(packet: Packet | None) -> bool:
    """Whether the next hop must answer a packet."""
    return packet is not None and packet.control == ALV and not answers_hop(packet)
