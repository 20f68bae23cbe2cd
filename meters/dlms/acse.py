"""Opening and closing an association: AARQ, AARE, RLRQ, RLRE, and the initiate services inside.

References
----------
IEC 62056-5-3:2017 clause 8 (ACSE APDUs in BER, initiate in A-XDR); DLMS UA 1000-2 ed. 8.1 clause 11 examples.
"""

from __future__ import annotations

from dataclasses import dataclass

from .axdr import take

_UA = bytes.fromhex("6085740508")  # joint-iso-ccitt country(16) 756 5 8, the DLMS UA arc
CONTEXT_PLAIN, CONTEXT_CIPHERED = 1, 3
MECHANISM_NONE, MECHANISM_HLS_GMAC = 0, 5
ACCEPTED, REJECTED = 0, 1
DIAGNOSTIC_NULL, AUTHENTICATION_FAILED, AUTHENTICATION_REQUIRED = 0, 13, 14

# Conformance block bits that are offered: general protection, block transfer with GET, data notification, GET,
# selective access, ACTION. Bit 0 is the first of 24.
_OFFERED = (1, 11, 16, 19, 21, 23)
CONFORMANCE = sum(1 << (23 - bit) for bit in _OFFERED).to_bytes(3, "big")


@dataclass(frozen=True)
class Association:
    """AARQ (``result`` None) or AARE: context, titles, mechanism, challenge and the initiate service."""

    context: int
    initiate: bytes
    mechanism: int = MECHANISM_NONE
    title: bytes = b""
    challenge: bytes = b""
    result: int | None = None
    diagnostic: int = DIAGNOSTIC_NULL


def encode(association: Association) -> bytes:
    """Bytes of an AARQ or AARE.

    >>> len(encode(Association(CONTEXT_PLAIN, initiate_request(1024))))
    31
    """
    response = association.result is not None
    parts = [_tlv(0xA1, _tlv(0x06, _UA + bytes([1, association.context])))]
    if association.result is not None:
        parts.append(_tlv(0xA2, _tlv(0x02, bytes([association.result]))))
        parts.append(_tlv(0xA3, _tlv(0xA1, _tlv(0x02, bytes([association.diagnostic])))))
    if association.title:
        parts.append(_tlv(0xA4 if response else 0xA6, _tlv(0x04, association.title)))
    if association.mechanism:
        parts.append(_tlv(0x88 if response else 0x8A, b"\x07\x80"))
        parts.append(_tlv(0x89 if response else 0x8B, _UA + bytes([2, association.mechanism])))
        parts.append(_tlv(0xAA if response else 0xAC, _tlv(0x80, association.challenge)))
    parts.append(_tlv(0xBE, _tlv(0x04, association.initiate)))
    return _tlv(0x61 if response else 0x60, b"".join(parts))


def decode(data: bytes) -> Association:
    """The AARQ or AARE that ``data`` hold; ValueError where fields are missing, unknown or cut short."""
    response = data[:1] == b"\x61"
    fields = _fields(_content(data, 0x61 if response else 0x60))
    context = _content(_needed(fields, 0xA1), 0x06)
    name = fields.get(0x89 if response else 0x8B, b"")
    if context[:6] != _UA + b"\x01" or (name and name[:6] != _UA + b"\x02") or len(context) != 7:
        raise ValueError("application context or mechanism name is not a DLMS one")
    challenge = fields.get(0xAA if response else 0xAC)
    title = fields.get(0xA4 if response else 0xA6)
    return Association(
        context[6],
        _content(_needed(fields, 0xBE), 0x04),
        take(name, 6, 1)[0] if name else MECHANISM_NONE,
        _content(title, 0x04) if title is not None else b"",
        _content(challenge, 0x80) if challenge is not None else b"",
        take(_content(_needed(fields, 0xA2), 0x02), 0, 1)[0] if response else None,
        take(_content(_content(_needed(fields, 0xA3), 0xA1), 0x02), 0, 1)[0] if response else DIAGNOSTIC_NULL,
    )


def initiate_request(max_pdu_bytes: int) -> bytes:
    """InitiateRequest, DLMS version 6: what the client offers, and the longest APDU it takes; 14 bytes."""
    return bytes.fromhex("01000000065f1f0400") + CONFORMANCE + max_pdu_bytes.to_bytes(2, "big")


def initiate_response(max_pdu_bytes: int) -> bytes:
    """InitiateResponse of a meter that uses logical names; 14 bytes."""
    return bytes.fromhex("0800065f1f0400") + CONFORMANCE + max_pdu_bytes.to_bytes(2, "big") + b"\x00\x07"


def initiate_max_pdu(data: bytes) -> int:
    """The longest APDU that the other side takes (0 for no limit), from either initiate service."""
    heads = {b"\x01": (bytes.fromhex("01000000065f1f0400"), 12), b"\x08": (bytes.fromhex("0800065f1f0400"), 10)}
    head, at = heads.get(data[:1], (b"", 0))
    if len(data) != 14 or not head or data[: len(head)] != head:
        raise ValueError("not an initiate service of DLMS version 6 with logical names")
    return int.from_bytes(data[at : at + 2], "big")


RELEASE_REQUEST, RELEASE_RESPONSE = bytes.fromhex("6203800100"), bytes.fromhex("6303800100")


def _tlv(tag: int, content: bytes) -> bytes:
    if len(content) > 127:
        raise ValueError(f"field 0x{tag:02x} of {len(content)} bytes: an association field has at most 127")
    return bytes([tag, len(content)]) + content


def _content(data: bytes, tag: int) -> bytes:
    if take(data, 0, 2)[0] != tag or data[1] != len(data) - 2:
        raise ValueError(f"field 0x{tag:02x} with matching length expected, found {data[:2].hex()}")
    return data[2:]


def _fields(data: bytes) -> dict[int, bytes]:
    fields: dict[int, bytes] = {}
    at = 0
    while at < len(data):
        tag, length = take(data, at, 2)
        if tag in fields:
            raise ValueError(f"field 0x{tag:02x} stands twice")
        fields[tag] = take(data, at + 2, length)
        at += 2 + length
    return fields


def _needed(fields: dict[int, bytes], tag: int) -> bytes:
    if tag not in fields:
        raise ValueError(f"field 0x{tag:02x} is missing from the association")
    return fields[tag]
