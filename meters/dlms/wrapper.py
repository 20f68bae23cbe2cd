"""The wrapper that carries APDUs over TCP and UDP: eight bytes in front.

References
----------
IEC 62056-4-7:2015, 5.2: version 1, source and destination wrapper port, length; port 4059.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

HEADER_BYTES = 8
VERSION = 1
_HEADER = struct.Struct(">HHHH")


class Wrapped(NamedTuple):
    """Wrapper ports (the addresses of client and server) and the APDU between them."""

    source: int
    destination: int
    apdu: bytes


def pack(source: int, destination: int, apdu: bytes) -> bytes:
    """An APDU in its wrapper; ValueError where ports or the length exceed 65 535.

    >>> pack(1, 16, b"ab").hex()
    '00010001001000026162'
    """
    if not (0 <= source < 2**16 and 0 <= destination < 2**16 and len(apdu) < 2**16):
        raise ValueError(f"ports {source}, {destination} or {len(apdu)} bytes exceed 16 bits: use smaller ones")
    return _HEADER.pack(VERSION, source, destination, len(apdu)) + apdu


def unpack(data: bytes) -> Wrapped:
    """What one wrapped datagram holds; ValueError on another version, or a length that does not match."""
    if len(data) < HEADER_BYTES:
        raise ValueError(f"a wrapper has {HEADER_BYTES} bytes, only {len(data)} are there")
    version, source, destination, length = _HEADER.unpack(data[:HEADER_BYTES])
    if version != VERSION:
        raise ValueError(f"wrapper version {version}: only {VERSION} is known")
    if length != len(data) - HEADER_BYTES:
        raise ValueError(f"wrapper announces {length} bytes, {len(data) - HEADER_BYTES} follow")
    return Wrapped(source, destination, data[HEADER_BYTES:])


class WrapperReader:
    """Cuts a TCP stream into wrapped APDUs, however it was chopped on the way.

    A stream has no mark to start again from: once a header is wrong, nothing behind it can be trusted and the
    connection must be closed. APDUs that were whole before the wrong header are still handed out; `broken` is then
    true, and every further `feed` raises.

    Parameters
    ----------
    max_apdu_bytes
        Longest APDU that is taken, 1 to 65 535 (ValueError outside); the most that is kept between calls, with its
        header.
    """

    def __init__(self, max_apdu_bytes: int = 2**16 - 1) -> None:
        if not 1 <= max_apdu_bytes < 2**16:
            raise ValueError(f"max_apdu_bytes {max_apdu_bytes}: 1 to 65535 are allowed")
        self._max_apdu_bytes = max_apdu_bytes
        self._kept = bytearray()
        self._fault = ""

    @property
    def broken(self) -> bool:
        """Whether a wrong header came: close the connection."""
        return bool(self._fault)

    @property
    def n_kept_bytes(self) -> int:
        """Bytes of an APDU that has begun, waiting for the rest."""
        return len(self._kept)

    def feed(self, data: bytes) -> list[bytes]:
        """Wrapped APDUs, headers included, that ``data`` completes.

        Raises ValueError where a header has another version or announces more than ``max_apdu_bytes``, unless whole
        APDUs came before it in ``data``.
        """
        found, at = [], 0
        if not self._fault:
            self._kept += data
            while (end := self._end(at)) is not None:
                found.append(bytes(self._kept[at:end]))
                at = end
            del self._kept[: len(self._kept) if self._fault else at]
        if self._fault and not found:
            raise ValueError(self._fault)
        return found

    def _end(self, at: int) -> int | None:
        """Where the APDU that starts at ``at`` ends; None where more bytes must come, or never may."""
        head = bytes(self._kept[at : at + HEADER_BYTES])
        expected = VERSION.to_bytes(2, "big")
        if head[:2] != expected[: len(head)]:
            self._fault = f"wrapper version 0x{head[:2].hex()}: only {VERSION} is known, close the connection"
        if self._fault or len(head) < HEADER_BYTES:
            return None
        length = int.from_bytes(head[6:], "big")
        if length > self._max_apdu_bytes:
            self._fault = f"wrapper announces {length} bytes, more than {self._max_apdu_bytes}: close the connection"
            return None
        end = at + HEADER_BYTES + length
        return end if end <= len(self._kept) else None
