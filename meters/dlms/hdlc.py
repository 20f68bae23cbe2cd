"""HDLC framing of APDUs: frame format type 3, one-byte addresses, FCS-16, segmentation with window 1.

References
----------
IEC 62056-46:2002 (data link layer); ISO/IEC 13239:2002; FCS-16 after RFC 1662 appendix C.
"""

from __future__ import annotations

from typing import NamedTuple

from .apdu import split

FLAG = 0x7E
SNRM, UA, DISC = 0x93, 0x73, 0x53
LLC_REQUEST, LLC_RESPONSE = b"\xe6\xe6\x00", b"\xe6\xe7\x00"
MAX_INFO_BYTES = 2030


def _fcs_table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ 0x8408 if value & 1 else value >> 1
        table.append(value)
    return tuple(table)


_TABLE = _fcs_table()


def fcs16(data: bytes) -> int:
    """Frame check sequence: polynomial x16+x12+x5+1, reflected, preset and complemented.

    >>> hex(fcs16(b"123456789"))
    '0x906e'
    """
    state = 0xFFFF
    for byte in data:
        state = (state >> 8) ^ _TABLE[(state ^ byte) & 0xFF]
    return state ^ 0xFFFF


class Frame(NamedTuple):
    """One frame, taken apart; addresses 0 to 127."""

    destination: int
    source: int
    control: int
    segmented: bool
    info: bytes

    @property
    def sequence(self) -> int:
        """N(S) of an information frame; ValueError for any other frame."""
        if self.control & 1:
            raise ValueError(f"control 0x{self.control:02x} is not an information frame")
        return self.control >> 1 & 7


def information(send: int, receive: int) -> int:
    """Control byte of an information frame with N(S) = ``send``, N(R) = ``receive``, poll or final set."""
    return (receive & 7) << 5 | 0x10 | (send & 7) << 1


def receive_ready(receive: int) -> int:
    """Control byte that acknowledges everything before N(R) = ``receive``."""
    return (receive & 7) << 5 | 0x11


def pack(frame: Frame) -> bytes:
    """The bytes of a frame, flags included: 9 without information, 11 + n with n bytes of it.

    Raises ValueError where an address or the information is too long.
    """
    if not (0 <= frame.destination < 128 and 0 <= frame.source < 128 and len(frame.info) <= MAX_INFO_BYTES):
        raise ValueError(f"addresses below 128 and at most {MAX_INFO_BYTES} bytes of information fit one frame")
    length = 7 + (2 + len(frame.info) if frame.info else 0)
    head = (0xA000 | (0x0800 if frame.segmented else 0) | length).to_bytes(2, "big")
    head += bytes([frame.destination << 1 | 1, frame.source << 1 | 1, frame.control])
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
    if fcs16(body[:-2]) != int.from_bytes(body[-2:], "little"):
        raise ValueError("the frame check sequence does not match: bytes changed on the line")
    if not (body[2] & 1 and body[3] & 1):
        raise ValueError("only one-byte addresses are supported")
    info = _information(body)
    return Frame(body[2] >> 1, body[3] >> 1, body[4], bool(form & 0x0800), info)


def _information(body: bytes) -> bytes:
    if len(body) == 7:
        return b""
    if len(body) < 10 or fcs16(body[:5]) != int.from_bytes(body[5:7], "little"):
        raise ValueError("the header check sequence does not match: bytes changed on the line")
    return body[7:-2]


def frames(
    apdu: bytes, *, client: int, server: int, response: bool, send: int = 0, receive: int = 0, max_info_bytes: int = 128
) -> list[bytes]:
    """One APDU as information frames, the LLC bytes in the first.

    Parameters
    ----------
    client, server
        Addresses, 0 to 127; a response runs from server to client.
    send, receive
        N(S) of the first frame and N(R) of all.
    max_info_bytes
        Negotiated information field, 1 to 2030.

    Returns
    -------
    list of frames. Window 1: each but the last waits for a receive-ready of the other side.
    """
    if not 1 <= max_info_bytes <= MAX_INFO_BYTES:
        raise ValueError(f"max_info_bytes {max_info_bytes}: 1 to {MAX_INFO_BYTES} are allowed")
    pieces = split((LLC_RESPONSE if response else LLC_REQUEST) + apdu, max_info_bytes)
    source, destination = (server, client) if response else (client, server)
    return [
        pack(Frame(destination, source, information(send + i, receive), i < len(pieces) - 1, piece))
        for i, piece in enumerate(pieces)
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


def connect(client: int, server: int, max_info_bytes: int = 128) -> tuple[bytes, bytes]:
    """SNRM without parameters, and the UA that answers with lengths and windows (34 bytes)."""
    lengths = b"\x05\x02" + max_info_bytes.to_bytes(2, "big") + b"\x06\x02" + max_info_bytes.to_bytes(2, "big")
    windows = b"\x07\x04\x00\x00\x00\x01\x08\x04\x00\x00\x00\x01"
    parameters = b"\x81\x80" + bytes([len(lengths + windows)]) + lengths + windows
    return pack(Frame(server, client, SNRM, False, b"")), pack(Frame(client, server, UA, False, parameters))


def disconnect(client: int, server: int) -> tuple[bytes, bytes]:
    """DISC, and the UA that answers."""
    return pack(Frame(server, client, DISC, False, b"")), pack(Frame(client, server, UA, False, b""))


def acknowledge(*, source: int, destination: int, receive: int) -> bytes:
    """Receive-ready, 9 bytes: the next segment may come."""
    return pack(Frame(destination, source, receive_ready(receive), False, b""))
