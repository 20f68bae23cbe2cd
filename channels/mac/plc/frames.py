"""Check sequences of power line frames, and what a failed decoder leaves of a frame."""

from __future__ import annotations

import binascii

import numpy as np

FCS_BYTES = 2
CRC32_BYTES = 4


def with_fcs(data: bytes) -> bytes:
    """Data followed by the frame check sequence of G3-PLC, CRC-16 with polynomial x16+x12+x5+1.

    >>> with_fcs(b"123456789").hex()[-4:]
    '31c3'
    """
    return data + binascii.crc_hqx(data, 0).to_bytes(FCS_BYTES, "big")


def checked(frame: bytes) -> bytes | None:
    """Data of a frame whose `with_fcs` sequence fits; None for a damaged one."""
    data, fcs = frame[:-FCS_BYTES], frame[-FCS_BYTES:]
    return data if binascii.crc_hqx(data, 0).to_bytes(FCS_BYTES, "big") == fcs else None


def with_crc32(data: bytes) -> bytes:
    """Data followed by the 32-bit check sequence of PRIME, generator 04C11DB7; its bit order and start value are those
    of IEEE 802.3 (confidence C: they decide no result).

    >>> with_crc32(b"123456789").hex()[-8:]
    'cbf43926'
    """
    return data + binascii.crc32(data).to_bytes(CRC32_BYTES, "big")


def checked_crc32(frame: bytes) -> bytes | None:
    """Data of a frame whose `with_crc32` sequence fits; None for a damaged one."""
    data, crc = frame[:-CRC32_BYTES], frame[-CRC32_BYTES:]
    return data if len(crc) == CRC32_BYTES and binascii.crc32(data).to_bytes(CRC32_BYTES, "big") == crc else None


def damaged(frame: bytes, rng: np.random.Generator) -> bytes:
    """The frame as a failed decoder leaves it: one bit in sixteen flipped, at least one."""
    octets = np.frombuffer(frame, np.uint8).copy()
    places = rng.choice(8 * octets.size, max(1, octets.size // 2), replace=False)
    np.bitwise_xor.at(octets, places // 8, (1 << (places % 8)).astype(np.uint8))
    return octets.tobytes()
