"""One G3-PLC modem of the packet tier: contention, segments, acknowledgements, repetitions, tone maps, real bytes."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any

import numpy as np
import simpy

from ..plc.frames import FCS_BYTES, checked, damaged
from ..plc.medium import OnAir
from .csma import Backoff
from .framing import segment_sizes_bytes
from .line import G3Line
from .segment import (
    COMMAND,
    HEADER_BYTES,
    LAST,
    MAP_RESPONSE,
    MAP_RESPONSE_BYTES,
    REQUEST_MAP,
    Segment,
    read_segment,
    write_segment,
)

Steps = Generator[Any, Any, Any]

LEAST_RESPONSE_BYTES = HEADER_BYTES + MAP_RESPONSE_BYTES + FCS_BYTES
EVERYBODY = 0xFFFF
DISPATCH, DATA, ROUTING, JOIN = 0x07, 0x01, 0x02, 0x03
"""Lowest bits of the first byte of every payload, and what they say; all but data is control."""
NEIGHBOUR_TTL_S = 255 * 60.0
"""Validity of an entry of the neighbour table, which keeps the quality a neighbour reported longer than its tone map
(ITU-T G.9903, macNeighbourTableEntryTTL)."""
TINY_S = 1e-9


class _Inbox:
    """What a modem has of the fragment that a neighbour is sending."""

    __slots__ = ("parts", "sequence")

    def __init__(self, sequence: int) -> None:
        self.sequence = sequence
        self.parts: list[bytes] = []


class G3Modem:
    """A modem, by its member index ``number``.

    alive : whether it is on
    outside : whether it has not joined: only payloads of the join protocol are then for it
    received : called with (sender, payload, lqi) for every payload that arrived whole
    """

    def __init__(self, line: G3Line, number: int, peers: Sequence[G3Modem]) -> None:
        """``peers``: all modems of the cell by member index, complete before anything is sent."""
        self.number, self._peers, self.alive, self.outside = number, peers, True, False
        self.received: Callable[[int, bytes, int], None] = lambda sender, payload, lqi: None
        self._line, self._backoff = line, Backoff(line.mac.csma, line.chance())
        self._turn = simpy.PriorityResource(line.env)
        self._sequence: dict[int, int] = {}
        self._reset_tables(line.maps_valid_until_s)

    def _reset_tables(self, maps_valid_until_s: float) -> None:
        self._unasked_until_s = maps_valid_until_s
        self._maps: dict[int, tuple[int, float]] = {}
        self._lqi: dict[int, int] = {}
        self._reverse_lqi: dict[int, tuple[int, float]] = {}
        self._inbox: dict[int, _Inbox] = {}
        self._responding: set[int] = set()

    def reset(self) -> None:
        """Forget all neighbours, as after a loss of power."""
        self._reset_tables(-1.0)
        self._backoff = Backoff(self._line.mac.csma)

    def lqi(self, neighbour: int) -> int:
        """Link quality last measured of a neighbour, 0 to 255; 0 where nothing was heard of it."""
        return self._lqi.get(neighbour, 0)

    def reverse_lqi(self, neighbour: int) -> int | None:
        """How well a neighbour hears this modem, by its last tone-map response; None where none is remembered."""
        lqi, until_s = self._reverse_lqi.get(neighbour, (0, -1.0))
        return lqi if self._line.env.now < until_s else None

    def unicast(self, receiver: int, payload: bytes, *, high_priority: bool = False) -> simpy.Process:
        """A process that ends with whether the receiver acknowledged all of the payload."""
        return self._line.env.process(self.send(receiver, payload, high_priority=high_priority))

    def broadcast(self, payload: bytes) -> simpy.Process:
        """A process that ends when the payload has been on the line, or was given up; nobody acknowledges it."""
        return self._line.env.process(self._broadcast(payload))

    def send(self, receiver: int, payload: bytes, *, high_priority: bool = False, command: bool = False) -> Steps:
        """The steps of `unicast`, for processes that wait for it anyway; ``command`` marks a MAC command."""
        with self._turn.request(priority=not high_priority) as turn:
            yield turn
            done = yield from self._burst(receiver, payload, high_priority, command)
        return done

    def _burst(self, receiver: int, payload: bytes, high_priority: bool, command: bool) -> Steps:
        """Segments one after another: the first contends, the next follow at once, repetitions contend anew."""
        line, number, tries, holds = self._line, 0, 0, False
        frames: list[bytes] = []
        mode = 0
        while True:
            if not holds:
                holds = yield from self._contend(high_priority)
            if holds and not frames:
                mode, frames = self._cut(receiver, payload, command)
            control = command or payload[0] & DISPATCH != DATA
            if holds and (yield from self._exchange(frames[number], receiver, mode, control)):
                number, tries = number + 1, 0
                if number == len(frames):
                    self._backoff.succeeded()
                    return True
                yield line.env.timeout(line.gap_s)
                continue
            if not self.alive or tries == line.mac.frame_retries:
                if mode:
                    self._maps[receiver] = (0, -1.0)
                return False
            self._backoff.failed()
            tries, holds = tries + 1, False
            line.counters["retries"] += 1

    def _cut(self, receiver: int, payload: bytes, command: bool) -> tuple[int, list[bytes]]:
        """Mode and segments with header and check sequence; a tone map is asked for where there is no valid one."""
        sequence = self._sequence[receiver] = (self._sequence.get(receiver, 0) + 1) & 0xFF
        if command:
            return 0, [self._frame(receiver, sequence, 0, LAST | COMMAND, payload, 0)]
        line = self._line
        mode, until_s = self._maps.get(receiver, (None, self._unasked_until_s))
        request = line.env.now >= until_s
        if request or mode is None:
            mode = 0 if request else max(line.first_mode[self.number][receiver], 0)
        return mode, self._segments(receiver, sequence, payload, mode, REQUEST_MAP if request else 0)

    def _segments(self, receiver: int, sequence: int, payload: bytes, mode: int, flags: int) -> list[bytes]:
        overhead = self._line.mac.mac_overhead_bytes
        sizes = segment_sizes_bytes(len(payload), self._line.table[mode], self._line.mac)
        frames, at = [], 0
        for number, size in enumerate(sizes):
            data = payload[at : at + size - overhead]
            at += len(data)
            marks = flags | LAST if number == len(sizes) - 1 else 0
            frames.append(self._frame(receiver, sequence, number, marks, data, overhead - HEADER_BYTES - FCS_BYTES))
        return frames

    def _frame(self, receiver: int, sequence: int, number: int, flags: int, data: bytes, filling: int) -> bytes:
        return write_segment(Segment(flags, number, sequence, receiver, self.number, data), filling)

    def _contend(self, high_priority: bool) -> Steps:
        """Wait for an idle line and back off; False where it stays busy, or the modem fails meanwhile."""
        line, backoff, timeout = self._line, self._backoff, self._line.env.timeout
        backoff.begin()
        while self.alive:
            while (wait := line.free_s(self.number) - line.env.now) > 0:
                yield timeout(wait)
            slots = backoff.slots(line.chance(), high_priority)
            yield timeout(line.gap_s + slots * line.slot_s)
            idle = line.free_s(self.number) + line.gap_s <= line.env.now + TINY_S
            if self.alive and idle and not line.medium.sending(self.number):
                return True
            if not backoff.busy(high_priority):
                return False
        return False

    def _exchange(self, octets: bytes, receiver: int, mode: int, control: bool) -> Steps:
        """One frame and the wait for its acknowledgement, which it reports; the receiver's part runs along."""
        line, timeout = self._line, self._line.env.timeout
        airtime_s = line.airtime_s(mode, len(octets))
        line.count("frames_sent", "frames_pending")
        line.counters["control_frames"] += control
        frame = line.medium.begin(self.number, airtime_s, line.header_s)
        frame.reserve_s = line.gap_s + line.header_s
        yield timeout(airtime_s)
        peer = self._peers[receiver]
        good, segment = peer.listen(frame, octets, mode)
        yield timeout(line.gap_s)
        if not good or not peer.alive or line.medium.sending(receiver):
            yield timeout(line.header_s)
            return False
        answer = line.medium.begin(receiver, line.header_s, line.header_s)
        yield timeout(line.header_s)
        if segment is None:
            return False
        peer.accept(segment)
        return self.alive and line.readable(answer, self.number)

    def listen(self, frame: OnAir, octets: bytes, mode: int) -> tuple[bool, Segment | None]:
        """A frame meant for this modem has ended: whether it is answered, and its segment where that is taken."""
        line, segment = self._line, None
        answered = self.alive and line.readable(frame, self.number)
        if answered:
            lost = line.chance() < line.payload_error(frame, self.number, mode, len(octets))
            data = checked(damaged(octets, line.rng) if lost else octets)
            line.counters["crc_refused"] += data is None
            if data is not None:
                answered, segment = self._believed(data)
        if segment is None and frame.others and line.medium.clear(frame, self.number) > 1:
            line.counters["collisions"] += 1
        line.settle("frames", segment is not None)
        return answered, segment

    def _believed(self, data: bytes) -> tuple[bool, Segment | None]:
        """Bytes that passed their check, perhaps by luck: whether they are answered, and the segment that is taken.

        Impossible fields are refused like damaged bytes; what is for another receiver is not for this modem, which
        keeps silent, as it does outside the network to all but the join protocol.
        """
        line = self._line
        segment = read_segment(data, line.mac.mac_overhead_bytes, line.links.n, len(line.table))
        mine = segment is None or segment.receiver == self.number
        if segment is None or not mine:
            line.counters["fields_refused"] += 1
            return mine, None
        taken = not self.outside or self._for_outsider(segment)
        return taken, segment if taken else None

    def _for_outsider(self, segment: Segment) -> bool:
        """Whether a segment belongs to a payload of the join protocol, or to the tone maps of one."""
        first = segment.number == 0 and segment.data[0] == JOIN
        follows = segment.number > 0 and segment.sender in self._inbox
        return bool(segment.flags & COMMAND) or first or follows

    def accept(self, segment: Segment) -> None:
        """Take a segment that was just acknowledged; the same segment again changes nothing."""
        flags, sender = segment.flags, segment.sender
        lqi = self._lqi[sender] = self._line.lqi(sender, self.number)
        inbox = self._inbox.get(sender)
        if inbox is None or inbox.sequence != segment.sequence:
            inbox = self._inbox[sender] = _Inbox(segment.sequence)
        if segment.number != len(inbox.parts):
            return
        inbox.parts.append(segment.data)
        if not flags & LAST:
            return
        payload = b"".join(inbox.parts)
        if flags & COMMAND:
            self._maps[sender] = (payload[1], self._line.env.now + self._line.mac.tone_map_ttl_s)
            self._reverse_lqi[sender] = payload[2], self._line.env.now + NEIGHBOUR_TTL_S
            return
        if flags & REQUEST_MAP and sender not in self._responding:
            self._responding.add(sender)
            self._line.env.process(self._respond(sender))
        self.received(sender, payload, lqi)

    def _respond(self, neighbour: int) -> Steps:
        """Tell a neighbour the mode in which it is best heard, in a frame of its own.

        It goes with high priority (a choice, confidence C), so that the neighbour's next frame can already use it.
        """
        line = self._line
        mode = max(line.mode[neighbour][self.number], 0)
        room = line.mac.tone_map_response_bytes - HEADER_BYTES - FCS_BYTES
        answer = bytes((MAP_RESPONSE, mode, line.lqi(neighbour, self.number)))
        yield from self.send(neighbour, answer + bytes(room - len(answer)), high_priority=True, command=True)
        self._responding.discard(neighbour)

    def _broadcast(self, payload: bytes) -> Steps:
        """All segments in the robust mode, none acknowledged."""
        line = self._line
        with self._turn.request(priority=1) as turn:
            yield turn
            if not (yield from self._contend(False)):
                return
            sequence = self._sequence[EVERYBODY] = (self._sequence.get(EVERYBODY, 0) + 1) & 0xFF
            whole = np.ones(line.links.n, bool)
            for number, octets in enumerate(self._segments(EVERYBODY, sequence, payload, 0, 0)):
                if number:
                    yield line.env.timeout(line.gap_s)
                whole &= yield from self._to_all(octets)
            self._backoff.succeeded()
        for node in np.flatnonzero(whole).tolist():
            self._peers[node].overhear(self.number, payload)

    def _to_all(self, octets: bytes) -> Steps:
        """One frame for everybody: (n,) bool, who received it undamaged."""
        line = self._line
        airtime_s = line.airtime_s(0, len(octets))
        line.count("frames_sent", "frames_pending", "control_frames")
        frame = line.medium.begin(self.number, airtime_s, line.header_s)
        yield line.env.timeout(airtime_s)
        got = line.received_by(frame, len(octets))
        got &= np.fromiter((modem.alive for modem in self._peers), bool, got.size)
        line.settle("frames", bool(got.any()))
        return got

    def overhear(self, sender: int, payload: bytes) -> None:
        """A broadcast of a neighbour has arrived whole."""
        if self.outside and payload[0] & DISPATCH != JOIN:
            return
        lqi = self._lqi[sender] = self._line.lqi(sender, self.number)
        self.received(sender, payload, lqi)
