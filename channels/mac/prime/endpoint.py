"""One end of a PRIME data connection: what is sent when, what is repeated, what has arrived."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from .arq import ArqReceiver, ArqSender, Numbered, Reassembly, decode_arq, encode_arq, segments_of
from .csma import later, out_of_step
from .outgoing import Message
from .roles import Ledger

Left = Callable[[], None] | None
"""Called when a frame has left its modem."""


class Endpoint:
    """One end of a data connection: messages in, messages out, one at a time each way.

    Parameters
    ----------
    cell
        Clock, MAC constants, counters and draws; it is told when the sender is done with a message.
    transmit
        Takes the payload of one packet, the message that is lost with it (None where it would go again), and a
        function called when it left the modem.
    deliver
        Takes a message that arrived.
    levels
        Tells how many hops lie between the two ends, for which the sender waits ``arq_timeout_s`` each.
    renew
        Called where messages wait behind one that was given up: the connection must be opened anew for them.
    """

    def __init__(
        self,
        cell: Ledger,
        transmit: Callable[[bytes, Message | None, Left], None],
        deliver: Callable[[bytes], None],
        levels: Callable[[], int],
        renew: Callable[[], None],
    ) -> None:
        self._cell, self._mac = cell, cell.mac
        self._transmit, self._deliver, self._levels, self._renew = transmit, deliver, levels, renew
        self._queue: deque[tuple[Message, bytes]] = deque()
        self._current: tuple[Message, bytes] | None = None
        self.stale, self._timer = False, 0
        self.reset()

    def reset(self) -> None:
        """Both directions begin anew, as at the opening of a connection; a message under way starts again."""
        self._sender = ArqSender(self._mac.arq_window, self._mac.arq_tries)
        self._receiver, self._reassembly = ArqReceiver(), Reassembly()
        self._timer += 1
        self.stale = False
        if self._current is not None:
            self._queue.appendleft(self._current)
            self._current = None
        self._begin()

    def close(self) -> list[Message]:
        """Messages that were not finished; nothing of them is sent any more."""
        self._timer += 1
        rest = [self._current, *self._queue] if self._current else list(self._queue)
        self._current = None
        self._queue.clear()
        return [message for message, _ in rest]

    def send(self, message: Message, data: bytes) -> None:
        """Queue a message; it is cut when its turn comes."""
        self._queue.append((message, data))
        self._begin()

    def _begin(self) -> None:
        if self._current is not None or not self._queue or self.stale:
            return
        message, data = self._queue.popleft()
        parts = segments_of(data, self._mac.segment_payload_bytes)
        if not self._mac.arq:
            for part in parts:
                self._transmit(self._secured(part), message, None)
            self._begin()
            return
        self._current = (message, data)
        self._sender.offer(parts)
        self._out(self._sender.burst())

    def _secured(self, payload: bytes) -> bytes:
        """A payload and what security adds to each packet."""
        return payload + bytes(self._mac.security_bytes)

    def _out(self, packets: list[Numbered] | None) -> None:
        """Send a burst, then wait for the word; None gives the message up."""
        if packets is None:
            self._give_up()
            return
        acknowledged = self._receiver.word()[0]
        for packet in packets:
            head = encode_arq(packet.number, packet.flush, acknowledged, [])
            left = self._watch if packet.flush else None
            self._transmit(self._secured(head + packet.segment), None, left)

    def _again(self, packets: list[Numbered] | None) -> None:
        """Another burst: some of it was sent before."""
        self._cell.counters["retries"] += self._sender.repeated
        self._out(packets)

    def _watch(self) -> None:
        """The last packet of a burst left the modem: a word must come in time."""
        self._timer += 1
        mine = self._timer

        def expired() -> None:
            if mine == self._timer and self._current is not None:
                self._again(self._sender.overdue())

        wait_s = self._mac.arq_timeout_s * self._levels()
        later(self._cell.env, out_of_step(wait_s, self._cell.line.draw), expired)

    def _give_up(self) -> None:
        """A packet was tried too often: the message is lost and the connection must be opened anew."""
        message = self._current
        self._current, self.stale = None, True
        self._timer += 1
        if message is not None:
            self._cell.settle_unseen(message[0])
        if self._queue:
            self._renew()

    def heard(self, payload: bytes) -> None:
        """Payload of a data packet of this connection."""
        if self._mac.security_bytes:
            payload = payload[: -self._mac.security_bytes]
        if not self._mac.arq:
            self._segment(payload)
            return
        number, flush, acknowledged, missing, segment = decode_arq(payload)
        self._word(acknowledged, missing, None if segment else number)
        if segment:
            for part in self._receiver.take(number, segment):
                self._segment(part)
            if flush:
                below, lacking, highest = self._receiver.word()
                self._transmit(self._secured(encode_arq(highest, False, below, lacking)), None, None)

    def _segment(self, segment: bytes) -> None:
        message = self._reassembly.take(segment)
        if message is not None:
            self._deliver(message)

    def _word(self, acknowledged: int, missing: list[int], highest: int | None) -> None:
        """The other end told what it has; a word after which nothing goes out leaves the timer as it is."""
        if self._current is None:
            return
        ready = self._sender.word(acknowledged, missing, highest)
        if self._sender.done:
            message, self._current = self._current[0], None
            self._timer += 1
            self._cell.settle_unseen(message)
            self._begin()
            return
        packets = self._sender.burst() if ready else []
        if packets is None or packets:
            self._timer += 1
            self._again(packets)
