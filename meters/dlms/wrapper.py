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
