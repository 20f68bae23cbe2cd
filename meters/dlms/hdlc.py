"""HDLC frames: format type 3, addresses of one, two or four bytes, FCS-16, and a reader for a stream of them.

How frames become a dialogue (numbers, windows, repetitions) stands in `hdlc_link`.

References
----------
IEC 62056-46:2002 (data link layer); ISO/IEC 13239:2002; FCS-16 after RFC 1662 appendix C.
"""

from __future__ import annotations

import binascii
from typing import NamedTuple

from .apdu import split
from .hdlc_address import Address as Address
from .hdlc_address import address, address_at, address_end
from .hdlc_parameters import DEFAULT_INFO_BYTES, DEFAULT_WINDOW, MAX_INFO_BYTES, MAX_WINDOW
from .hdlc_parameters import Parameters as Parameters

FLAG = 0x7E
SNRM, UA, DISC, DM, FRMR, UI = 0x93, 0x73, 0x53, 0x1F, 0x97, 0x13
POLL = 0x10
LLC_REQUEST, LLC_RESPONSE = b"\xe6\xe6\x00", b"\xe6\xe7\x00"
_SHORTEST, _LONGEST = 7, 0x7FF
_MIRROR = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))


def fcs16(data: bytes) -> int:
    """Frame check sequence: polynomial x16+x12+x5+1, reflected, preset and complemented.

    >>> hex(fcs16(b"123456789"))
    '0x906e'
    """
    # The library's routine takes the high bit of a byte first and HDLC the low one: mirror what goes in and comes out.
    state = binascii.crc_hqx(data.translate(_MIRROR), 0xFFFF)
    return (_MIRROR[state & 0xFF] << 8 | _MIRROR[state >> 8]) ^ 0xFFFF


class Frame(NamedTuple):
    """One frame, taken apart."""

    destination: Address
    source: Address
    control: int
    segmented: bool
    info: bytes

    @property
    def is_information(self) -> bool:
        """Whether it carries a piece of an APDU and a number."""
        return not self.control & 1

    @property
    def is_supervisory(self) -> bool:
        """Whether it acknowledges: receive-ready or receive-not-ready."""
        return self.control & 0x0F in (0x01, 0x05)

    @property
    def is_busy(self) -> bool:
        """Whether the sender can take no information for now: receive-not-ready."""
        return self.control & 0x0F == 0x05

    @property
    def is_final(self) -> bool:
        """Whether it ends the sender's turn: poll or final bit set."""
        return bool(self.control & POLL)

    @property
    def sequence(self) -> int:
        """N(S) of an information frame; ValueError for any other frame."""
        if not self.is_information:
            raise ValueError(f"control 0x{self.control:02x} is not an information frame")
        return self.control >> 1 & 7

    @property
    def acknowledged(self) -> int:
        """N(R), the number that the sender expects next; ValueError for a frame that has none."""
        if not (self.is_information or self.is_supervisory):
            raise ValueError(f"control 0x{self.control:02x} acknowledges nothing")
        return self.control >> 5


def information(send: int, receive: int, final: bool = True) -> int:
    """Control byte of an information frame with N(S) = ``send``, N(R) = ``receive``, poll or final set or not."""
    return (receive & 7) << 5 | (POLL if final else 0) | (send & 7) << 1


def receive_ready(receive: int) -> int:
    """Control byte that acknowledges everything before N(R) = ``receive``."""
    return (receive & 7) << 5 | POLL | 1


def pack(frame: Frame) -> bytes:
    """The bytes of a frame, flags included: with one-byte addresses 9 without information, 11 + n with n bytes of it.

    Raises ValueError where the control byte or the information is too long.
    """
    if not (0 <= frame.control < 256 and len(frame.info) <= MAX_INFO_BYTES):
        raise ValueError(f"a frame holds one control byte and at most {MAX_INFO_BYTES} bytes of information")
    places = frame.destination.octets + frame.source.octets
    length = 5 + len(places) + (2 + len(frame.info) if frame.info else 0)
    head = (0xA000 | (0x0800 if frame.segmented else 0) | length).to_bytes(2, "big") + places + bytes([frame.control])
    if frame.info:
        head += fcs16(head).to_bytes(2, "little") + frame.info
    return bytes([FLAG]) + head + fcs16(head).to_bytes(2, "little") + bytes([FLAG])


def unpack(data: bytes) -> Frame:
    """The frame between two flags; ValueError on a wrong length, format, address or check sequence."""
    if len(data) < 9 or data[0] != FLAG or data[-1] != FLAG:
        raise ValueError("an HDLC frame starts and ends with 0x7E and has at least 9 bytes")
    body = data[1:-1]
    form = int.from_bytes(body[:2], "big")
    if form >> 12 != 0xA or form & 0x7FF != len(body):
        raise ValueError(f"frame format 0x{form:04x} does not fit {len(body)} bytes between the flags")
    if not _checked(body):
        raise ValueError("the frame check sequence does not match: bytes changed on the line")
    destination, at = address_at(body[:-3], 2)
    source, at = address_at(body[:-3], at)
    return Frame(destination, source, body[at], bool(form & 0x0800), _information(body, at + 1))


def _checked(body: bytes) -> bool:
    return fcs16(body[:-2]) == int.from_bytes(body[-2:], "little")


def _information(body: bytes, n_head: int) -> bytes:
    """What follows ``n_head`` bytes of format, addresses and control, once the header's own check holds."""
    if len(body) == n_head + 2:
        return b""
    if len(body) < n_head + 5 or not _checked(body[: n_head + 2]):
        raise ValueError("the header check sequence does not match: bytes changed on the line")
    if len(body) - n_head - 4 > MAX_INFO_BYTES:
        raise ValueError(f"a frame holds at most {MAX_INFO_BYTES} bytes of information")
    return body[n_head + 2 : -2]


class FrameReader:
    """Cuts a stream of bytes into frames, however it was chopped on the way.

    Rubbish between frames is skipped, and one flag may end a frame and start the next. What looks like a frame and
    breaks a check is passed over to the next flag, so that a good frame behind half a frame is found as soon as the
    announced length has come, or at once after `reset`. At most one frame (2 049 bytes) is kept between calls.
    """

    def __init__(self) -> None:
        self._kept = b""

    @property
    def n_kept_bytes(self) -> int:
        """Bytes of a frame that has begun, waiting for the rest."""
        return len(self._kept)

    def reset(self) -> None:
        """Forget half a frame: the line has been silent for longer than bytes of one frame may lie apart."""
        self._kept = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Frames, flags included, that ``data`` completes; their check sequences hold. Never raises."""
        stream, found = self._kept + data, []
        at = stream.find(FLAG)
        while at >= 0:
            end = _frame_end(stream, at)
            if end > len(stream):
                break
            if end > at:
                found.append(stream[at:end])
            # The closing flag of a frame may open the next one.
            at = end - 1 if end > at else stream.find(FLAG, at + 1)
        self._kept = stream[at:] if at >= 0 else b""
        return found


def _frame_end(stream: bytes, at: int) -> int:
    """Where the frame that starts with the flag at ``at`` ends; behind the stream: wait; ``at`` itself: no frame."""
    unfinished = len(stream) + 1
    if at + 3 > len(stream):
        return at if stream[at + 1 : at + 2] == bytes([FLAG]) else unfinished
    form = int.from_bytes(stream[at + 1 : at + 3], "big")
    length = form & _LONGEST
    if form >> 12 != 0xA or length < _SHORTEST:
        return at
    if at + length + 2 > len(stream):
        return unfinished if _plausible(stream[at + 1 : at + 14], length) else at
    good = stream[at + length + 1] == FLAG and _plausible(stream[at + 1 : at + 14], length)
    return at + length + 2 if good and _checked(stream[at + 1 : at + length + 1]) else at


def _plausible(head: bytes, length: int) -> bool:
    """Whether the start of a frame may still become one: addresses end, and the header's check holds where it is."""
    at = 2
    for _ in range(2):
        at = address_end(head, at)
        if not 0 < at <= len(head):
            return at > 0
    n_head = at + 1
    if length < n_head + 5:
        return length == n_head + 2
    return len(head) < n_head + 2 or _checked(head[: n_head + 2])


def frames(
    apdu: bytes,
    *,
    client: int,
    server: Address | int,
    response: bool,
    send: int = 0,
    receive: int = 0,
    max_info_bytes: int = DEFAULT_INFO_BYTES,
    window: int = DEFAULT_WINDOW,
) -> list[bytes]:
    """One APDU as information frames, the LLC bytes in the first.

    Parameters
    ----------
    client, server
        Addresses, a number stands for one byte; a response runs from server to client.
    send, receive
        N(S) of the first frame and N(R) of all.
    max_info_bytes, window
        Negotiated information field, 1 to 2030, and frames per turn, 1 to 7.

    Returns
    -------
    list of frames: ``window`` of them make a turn, the last with poll or final, and each turn but the last waits for
    a receive-ready of the other side (`acknowledge`).
    """
    if not (1 <= max_info_bytes <= MAX_INFO_BYTES and 1 <= window <= MAX_WINDOW):
        raise ValueError(
            f"max_info_bytes {max_info_bytes}, window {window}: 1 to {MAX_INFO_BYTES}, 1 to {MAX_WINDOW} are allowed"
        )
    pieces = split((LLC_RESPONSE if response else LLC_REQUEST) + apdu, max_info_bytes)
    source, destination = address(server), address(client)
    if not response:
        source, destination = destination, source
    last = len(pieces) - 1
    controls = [information(send + i, receive, i == last or i % window == window - 1) for i in range(len(pieces))]
    return [
        pack(Frame(destination, source, control, i < last, piece))
        for i, (control, piece) in enumerate(zip(controls, pieces, strict=True))
    ]


def join(received: list[bytes]) -> bytes:
    """The APDU that `frames` cut; ValueError where frames are damaged, missing, doubled or out of order."""
    parts = [unpack(data) for data in received]
    if not parts or [part.segmented for part in parts] != [True] * (len(parts) - 1) + [False]:
        raise ValueError("frames are missing: the last one alone must have no segmentation bit")
    if any((part.sequence - parts[0].sequence - i) % 8 for i, part in enumerate(parts)):
        raise ValueError("frames are doubled, missing or out of order: their sequence numbers do not follow")
    content = b"".join(part.info for part in parts)
    if content[:3] not in (LLC_REQUEST, LLC_RESPONSE):
        raise ValueError(f"LLC bytes {content[:3].hex()} are neither a request's nor a response's")
    return content[3:]


def acknowledge(*, source: Address | int, destination: Address | int, receive: int) -> bytes:
    """Receive-ready, 9 bytes between one-byte addresses: the next segment may come."""
    return pack(Frame(address(destination), address(source), receive_ready(receive), False, b""))


def connect(
    client: int,
    server: Address | int,
    max_info_bytes: int = DEFAULT_INFO_BYTES,
    window: int = DEFAULT_WINDOW,
) -> tuple[bytes, bytes]:
    """SNRM, without parameters where they are the default, and the UA that grants them.

    9 or 34 bytes, and 34, between one-byte addresses.
    """
    asked = Parameters.of(max_info_bytes, window)
    here, there = address(client), address(server)
    snrm = pack(Frame(there, here, SNRM, False, b"" if asked == Parameters() else asked.pack()))
    return snrm, pack(Frame(here, there, UA, False, asked.pack()))


def disconnect(client: int, server: Address | int) -> tuple[bytes, bytes]:
    """DISC, and the UA that answers."""
    here, there = address(client), address(server)
    return pack(Frame(there, here, DISC, False, b"")), pack(Frame(here, there, UA, False, b""))
