"""The initiate services inside an association: which services both sides know, and how long an APDU may be.

References
----------
IEC 62056-5-3:2017 clause 8, InitiateRequest and InitiateResponse in A-XDR, the conformance block of 24 bits, initiate
errors of the ConfirmedServiceError.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag

from .apdu_parts import read_flag, unsigned, whole
from .axdr import decode_length, encode_length, take

VERSION = 6
LN_NAME, SN_NAME = 0x0007, 0xFA00
"""VAA name in an initiate response: logical or short names."""

DLMS_VERSION_TOO_LOW, INCOMPATIBLE_CONFORMANCE = bytes.fromhex("0e010601"), bytes.fromhex("0e010602")
"""Confirmed service errors that stand in a rejected association in place of the initiate response."""
PDU_SIZE_TOO_SHORT, REFUSED_BY_HANDLER = bytes.fromhex("0e010603"), bytes.fromhex("0e010604")
"""Further ones."""


class Conformance(IntFlag):
    """The conformance block; bit 0 of the standard is the most significant of 24."""

    RESERVED_ZERO = 1 << 23
    GENERAL_PROTECTION = 1 << 22
    GENERAL_BLOCK_TRANSFER = 1 << 21
    READ = 1 << 20
    WRITE = 1 << 19
    UNCONFIRMED_WRITE = 1 << 18
    DELTA_VALUE_ENCODING = 1 << 17
    RESERVED_SEVEN = 1 << 16
    ATTRIBUTE_0_WITH_SET = 1 << 15
    PRIORITY_MANAGEMENT = 1 << 14
    ATTRIBUTE_0_WITH_GET = 1 << 13
    BLOCK_TRANSFER_WITH_GET = 1 << 12
    BLOCK_TRANSFER_WITH_SET = 1 << 11
    BLOCK_TRANSFER_WITH_ACTION = 1 << 10
    MULTIPLE_REFERENCES = 1 << 9
    INFORMATION_REPORT = 1 << 8
    DATA_NOTIFICATION = 1 << 7
    ACCESS = 1 << 6
    PARAMETERIZED_ACCESS = 1 << 5
    GET = 1 << 4
    SET = 1 << 3
    SELECTIVE_ACCESS = 1 << 2
    EVENT_NOTIFICATION = 1 << 1
    ACTION = 1 << 0


OFFERED = (
    Conformance.GENERAL_PROTECTION
    | Conformance.BLOCK_TRANSFER_WITH_GET
    | Conformance.BLOCK_TRANSFER_WITH_SET
    | Conformance.BLOCK_TRANSFER_WITH_ACTION
    | Conformance.MULTIPLE_REFERENCES
    | Conformance.DATA_NOTIFICATION
    | Conformance.GET
    | Conformance.SET
    | Conformance.SELECTIVE_ACCESS
    | Conformance.EVENT_NOTIFICATION
    | Conformance.ACTION
)
"""What this codec's two sides know; general block transfer is added where a study asks for it."""


class VersionError(ValueError):
    """An initiate service of another DLMS version than 6; answer with ``DLMS_VERSION_TOO_LOW``."""


@dataclass(frozen=True, slots=True)
class Initiate:
    """InitiateRequest, or InitiateResponse where ``response`` is set; of DLMS version 6.

    conformance : services proposed, or agreed
    max_pdu_bytes : longest APDU that the sender takes, 0 for no limit
    dedicated_key : key for this association alone, empty for none; request only
    quality : quality of service, -128 to 127, or None where absent
    response_allowed : False for a request that wants no answer; request only
    name : 7 for logical names; response only
    """

    conformance: Conformance
    max_pdu_bytes: int
    response: bool = False
    dedicated_key: bytes = b""
    quality: int | None = None
    response_allowed: bool = True
    name: int = LN_NAME


def encode_initiate(initiate: Initiate) -> bytes:
    """Bytes of an initiate service, 14 without options; ValueError where a field does not fit or does not belong.

    >>> encode_initiate(Initiate(Conformance.GET, 1024)).hex()
    '01000000065f1f04000000100400'
    """
    quality = b"\x00" if initiate.quality is None else b"\x01" + _quality(initiate.quality)
    conformance = b"\x5f\x1f\x04\x00" + unsigned(int(initiate.conformance), 3, "conformance")
    tail = bytes([VERSION]) + conformance + unsigned(initiate.max_pdu_bytes, 2, "max_pdu_bytes")
    if not initiate.response:
        key = initiate.dedicated_key
        head = b"\x01" + encode_length(len(key)) + key if key else b"\x00"
        return b"\x01" + head + (b"\x00" if initiate.response_allowed else b"\x01\x00") + quality + tail
    if initiate.dedicated_key or not initiate.response_allowed:
        raise ValueError("an initiate response has no dedicated key and no response-allowed: leave both out")
    return b"\x08" + quality + tail + unsigned(initiate.name, 2, "VAA name")


def decode_initiate(data: bytes) -> Initiate:
    """The initiate service that ``data`` hold.

    Returns
    -------
    Initiate. Raises `VersionError` on a DLMS version other than 6, ValueError on anything that is no initiate service;
    a conformance block with the older tag 5F in place of 5F 1F is accepted.
    """
    tag, at, key, allowed = take(data, 0, 1)[0], 1, b"", True
    if tag not in (0x01, 0x08):
        raise ValueError(f"0x{tag:02x} is not an initiate service: 0x01 (request) or 0x08 (response) is needed")
    if tag == 0x01:
        key, allowed, at = _read_request_head(data)
    quality, at = _read_quality(data, at)
    if take(data, at, 1)[0] != VERSION:
        raise VersionError(f"DLMS version {data[at]} is proposed: only {VERSION} is known")
    conformance, at = _read_conformance(data, at + 1)
    max_pdu_bytes, name = int.from_bytes(take(data, at, 2), "big"), LN_NAME
    at += 2
    if tag == 0x08:
        name, at = int.from_bytes(take(data, at, 2), "big"), at + 2
    whole(data, at)
    return Initiate(conformance, max_pdu_bytes, tag == 0x08, key, quality, allowed, name)


def initiate_request(max_pdu_bytes: int, conformance: Conformance = OFFERED, dedicated_key: bytes = b"") -> bytes:
    """InitiateRequest: what the client offers, and the longest APDU it takes; 14 bytes without a dedicated key."""
    return encode_initiate(Initiate(conformance, max_pdu_bytes, dedicated_key=dedicated_key))


def initiate_response(max_pdu_bytes: int, conformance: Conformance = OFFERED) -> bytes:
    """InitiateResponse of a meter that uses logical names; 14 bytes."""
    return encode_initiate(Initiate(conformance, max_pdu_bytes, response=True))


def initiate_max_pdu(data: bytes) -> int:
    """The longest APDU that the other side takes (0 for no limit), from either initiate service."""
    return decode_initiate(data).max_pdu_bytes


def _quality(quality: int) -> bytes:
    if not -128 <= quality < 128:
        raise ValueError(f"quality of service {quality} does not fit one byte: use -128 to 127")
    return quality.to_bytes(1, "big", signed=True)


def _read_request_head(data: bytes) -> tuple[bytes, bool, int]:
    """Dedicated key, whether an answer is allowed, and the position after them."""
    key, at = b"", 2
    if read_flag(data, 1):
        length, at = decode_length(data, 2)
        key, at = take(data, at, length), at + length
        if not key:
            raise ValueError("a dedicated key of 0 bytes: leave the key out")
    if not read_flag(data, at):
        return key, True, at + 1
    return key, take(data, at + 1, 1) != b"\x00", at + 2


def _read_quality(data: bytes, at: int) -> tuple[int | None, int]:
    if not read_flag(data, at):
        return None, at + 1
    return int.from_bytes(take(data, at + 1, 1), "big", signed=True), at + 2


def _read_conformance(data: bytes, at: int) -> tuple[Conformance, int]:
    head = b"\x5f\x1f\x04\x00" if data[at + 1 : at + 2] == b"\x1f" else b"\x5f\x04\x00"
    if take(data, at, len(head)) != head:
        raise ValueError(f"{data[at : at + 4].hex()} is no conformance block: 5f1f0400 and three bytes are needed")
    at += len(head)
    return Conformance(int.from_bytes(take(data, at, 3), "big")), at + 3
