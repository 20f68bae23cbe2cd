"""Messages over a PRIME connection: cut into segments, numbered, acknowledged end to end, put together again."""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

from .settings import MOST_SEGMENTS

FIRST, MIDDLE, LAST = 0, 1, 2
"""Kinds of segments in the two upper bits of the segmentation header; a message of one segment is a first one."""
NUMBERS = 64
"""Packet numbers have six bits."""


def segments_of(message: bytes, size_bytes: int) -> list[bytes]:
    """Segments of a message, each with its header.

    The first tells how many follow, the others their number from 0 (ITU-T G.9904, segmentation and reassembly;
    confidence B). Raises ValueError where a message is empty or needs more segments than the header counts.

    >>> [part.hex() for part in segments_of(b"abcde", 2)]
    ['026162', '406364', '8165']
    """
    count = -(-len(message) // size_bytes)
    if not 1 <= count <= MOST_SEGMENTS:
        raise ValueError(
            f"a message of {len(message)} B takes {count} segments of {size_bytes} B, a connection carries 1 to "
            f"{MOST_SEGMENTS}; raise sar_bytes or send less at once"
        )
    kinds = [FIRST << 6 | (count - 1)] + [(MIDDLE << 6) | (k - 1) for k in range(1, count)]
    if count > 1:
        kinds[-1] |= LAST << 6
        kinds[-1] &= ~(MIDDLE << 6)
    return [bytes((kind,)) + message[k * size_bytes : (k + 1) * size_bytes] for k, kind in enumerate(kinds)]


class Reassembly:
    """Puts the segments of one direction together; a segment that does not continue the message ends it."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._follow = 0

    def take(self, segment: bytes) -> bytes | None:
        """The message, where this segment completes it."""
        kind, field = segment[0] >> 6, segment[0] & 0x3F
        if kind == FIRST:
            self._parts, self._follow = [segment[1:]], field
        elif self._parts and field == len(self._parts) - 1:
            self._parts.append(segment[1:])
        else:
            self._parts = []
        if not self._parts or len(self._parts) <= self._follow:
            return None
        message, self._parts = b"".join(self._parts), []
        return message


class Numbered(NamedTuple):
    """One packet to be sent: its number, its segment, whether the receiver must answer it."""

    number: int
    segment: bytes
    flush: bool


class ArqSender:
    """Selective repeat in rounds: a window goes out, its last packet asks for a word, what is missing goes again.

    window : packets under way at most, 1 to 32;  tries : how often one packet is sent at most
    repeated : packets of the last burst that had been sent before
    """

    def __init__(self, window: int, tries: int) -> None:
        self._window, self._tries = window, tries
        self._waiting: deque[bytes] = deque()
        self._out: dict[int, list[Any]] = {}
        self._missing: set[int] = set()
        self._next = self.repeated = 0
        self._last = -1

    @property
    def done(self) -> bool:
        """Whether everything offered was acknowledged."""
        return not self._out and not self._waiting

    def offer(self, segments: list[bytes]) -> None:
        """More segments to be sent, in order."""
        self._waiting.extend(segments)

    def burst(self) -> list[Numbered] | None:
        """What goes out next, the last one with the demand for an answer; None where a packet was tried too often."""
        numbers = sorted(self._missing)
        base = min(self._out, default=self._next)
        while self._waiting and self._next - base < self._window:
            self._out[self._next] = [self._waiting.popleft(), 0]
            numbers.append(self._next)
            self._next += 1
        self._missing.clear()
        return self._send(numbers)

    def overdue(self) -> list[Numbered] | None:
        """No word came: the last packet of the burst goes again; None where it was tried too often."""
        number = self._last if self._last in self._out else max(self._out, default=-1)
        return self._send([number] if number >= 0 else [])

    def _send(self, numbers: list[int]) -> list[Numbered] | None:
        self.repeated = 0
        if any(self._out[number][1] >= self._tries for number in numbers):
            return None
        for number in numbers:
            self.repeated += self._out[number][1] > 0
            self._out[number][1] += 1
        if numbers:
            self._last = numbers[-1]
        return [Numbered(n % NUMBERS, self._out[n][0], n == numbers[-1]) for n in numbers]

    def word(self, acknowledged: int, missing: list[int], highest: int | None) -> bool:
        """What the receiver says; True where it is time for the next burst, which may be empty.

        A word that tells of packets not yet sent is from the past and counts for nothing.

        acknowledged : number below which it has everything;  missing : numbers above it that it lacks
        highest : the highest number it has; None where the word rode on a data packet, which does not tell
        """
        base = min(self._out, default=self._next)
        before = len(self._out)
        below = base + (acknowledged - base) % NUMBERS
        top = below - 1 if highest is None else below - 1 + (highest - below + 1) % NUMBERS
        if max(below, top + 1) > self._next:
            return False
        for number in [n for n in self._out if n < below]:
            del self._out[number]
        if highest is not None and self._out:
            lacking = {below + (number - below) % NUMBERS for number in missing}
            for number in [n for n in self._out if n <= top and n not in lacking]:
                del self._out[number]
            self._missing = {n for n in lacking if n in self._out}
        return highest is not None or (before > 0 and not self._out)


class ArqReceiver:
    """Takes numbered packets in any order and gives them out in order, each once."""

    def __init__(self) -> None:
        self._base = 0
        self._kept: dict[int, bytes] = {}
        self._top = -1

    def take(self, number: int, segment: bytes) -> list[bytes]:
        """Segments that are complete up to here."""
        place = self._base + (number - self._base + NUMBERS // 2) % NUMBERS - NUMBERS // 2
        if place < self._base:
            return []
        self._kept[place] = segment
        self._top = max(self._top, place)
        ready = []
        while self._base in self._kept:
            ready.append(self._kept.pop(self._base))
            self._base += 1
        return ready

    def word(self) -> tuple[int, list[int], int]:
        """Number below which all is here, numbers lacking above it, highest number here."""
        lacking = [n % NUMBERS for n in range(self._base, self._top) if n not in self._kept]
        return self._base % NUMBERS, lacking, max(self._top, self._base - 1) % NUMBERS


def encode_arq(number: int, flush: bool, acknowledged: int, missing: list[int]) -> bytes:
    """ARQ header: packet number, then what is missing, then below which number all is here."""
    nacks = bytes(0xC0 | n for n in missing)
    return bytes((0x80 | flush << 6 | number,)) + nacks + bytes((acknowledged,))


def decode_arq(payload: bytes) -> tuple[int, bool, int, list[int], bytes]:
    """Number, demand for an answer, acknowledged, missing, and what follows the header."""
    at, missing = 1, []
    while payload[at] & 0x80:
        missing.append(payload[at] & 0x3F)
        at += 1
    return payload[0] & 0x3F, bool(payload[0] & 0x40), payload[at] & 0x3F, missing, payload[at + 1 :]
