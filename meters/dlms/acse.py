"""Opening and closing an association: AARQ, AARE, RLRQ and RLRE in BER. What they carry stands in `initiate`.

Fields are read in any order; those that amiplan has no use for (protocol version, called title, invocation and user
ids, qualifiers) are passed over.

References
----------
IEC 62056-5-3:2017 clause 8 (ACSE APDUs in BER); DLMS UA 1000-2 ed. 8.1 clause 11 examples.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from .axdr import decode_length, encode_length, take
from .initiate import (
    DLMS_VERSION_TOO_LOW,
    INCOMPATIBLE_CONFORMANCE,
    OFFERED,
    PDU_SIZE_TOO_SHORT,
    REFUSED_BY_HANDLER,
    Conformance,
    Initiate,
    VersionError,
    decode_initiate,
    encode_initiate,
    initiate_max_pdu,
    initiate_request,
    initiate_response,
)

__all__ = [
    "ACCEPTED",
    "AUTHENTICATION_FAILED",
    "AUTHENTICATION_REQUIRED",
    "CONTEXT_CIPHERED",
    "CONTEXT_PLAIN",
    "DIAGNOSTIC_NULL",
    "DLMS_VERSION_TOO_LOW",
    "INCOMPATIBLE_CONFORMANCE",
    "MECHANISM_HLS_GMAC",
    "MECHANISM_LLS",
    "MECHANISM_NONE",
    "OFFERED",
    "PDU_SIZE_TOO_SHORT",
    "REFUSED_BY_HANDLER",
    "REJECTED",
    "REJECTED_TRANSIENT",
    "RELEASE_REQUEST",
    "RELEASE_RESPONSE",
    "Association",
    "Conformance",
    "Context",
    "Diagnostic",
    "Initiate",
    "Mechanism",
    "ProviderDiagnostic",
    "Release",
    "VersionError",
    "decode",
    "decode_initiate",
    "decode_release",
    "encode",
    "encode_initiate",
    "encode_release",
    "initiate_max_pdu",
    "initiate_request",
    "initiate_response",
]


class Context(IntEnum):
    """Application context names: logical or short names, plain or ciphered."""

    LN_PLAIN = 1
    SN_PLAIN = 2
    LN_CIPHERED = 3
    SN_CIPHERED = 4


class Mechanism(IntEnum):
    """Authentication mechanism names."""

    NONE = 0
    LLS = 1
    HLS = 2
    HLS_MD5 = 3
    HLS_SHA1 = 4
    HLS_GMAC = 5
    HLS_SHA256 = 6
    HLS_ECDSA = 7


class Diagnostic(IntEnum):
    """Why an association was rejected, as the service user (the meter's application) tells it."""

    NULL = 0
    NO_REASON = 1
    APPLICATION_CONTEXT_NAME_NOT_SUPPORTED = 2
    CALLING_AP_TITLE_NOT_RECOGNISED = 3
    CALLING_AP_INVOCATION_ID_NOT_RECOGNISED = 4
    CALLING_AE_QUALIFIER_NOT_RECOGNISED = 5
    CALLING_AE_INVOCATION_ID_NOT_RECOGNISED = 6
    CALLED_AP_TITLE_NOT_RECOGNISED = 7
    CALLED_AP_INVOCATION_ID_NOT_RECOGNISED = 8
    CALLED_AE_QUALIFIER_NOT_RECOGNISED = 9
    CALLED_AE_INVOCATION_ID_NOT_RECOGNISED = 10
    AUTHENTICATION_MECHANISM_NAME_NOT_RECOGNISED = 11
    AUTHENTICATION_MECHANISM_NAME_REQUIRED = 12
    AUTHENTICATION_FAILURE = 13
    AUTHENTICATION_REQUIRED = 14


class ProviderDiagnostic(IntEnum):
    """Why an association was rejected, as the service provider (the protocol layer) tells it."""

    NULL = 0
    NO_REASON = 1
    NO_COMMON_ACSE_VERSION = 2


CONTEXT_PLAIN, CONTEXT_CIPHERED = Context.LN_PLAIN, Context.LN_CIPHERED
MECHANISM_NONE, MECHANISM_LLS, MECHANISM_HLS_GMAC = Mechanism.NONE, Mechanism.LLS, Mechanism.HLS_GMAC
ACCEPTED, REJECTED, REJECTED_TRANSIENT = 0, 1, 2
DIAGNOSTIC_NULL = Diagnostic.NULL
AUTHENTICATION_FAILED, AUTHENTICATION_REQUIRED = Diagnostic.AUTHENTICATION_FAILURE, Diagnostic.AUTHENTICATION_REQUIRED

RELEASE_REQUEST, RELEASE_RESPONSE = bytes.fromhex("6203800100"), bytes.fromhex("6303800100")
"""RLRQ and RLRE with reason normal and nothing else."""

_UA = bytes.fromhex("6085740508")  # joint-iso-ccitt country(16) 756 5 8, the DLMS UA arc
_CONTEXT, _RESULT, _DIAGNOSTIC, _INFORMATION = 0xA1, 0xA2, 0xA3, 0xBE
_REASON = 0x80

# Title, ACSE requirements, mechanism name, authentication value: of the AARQ, of the AARE.
_FIELDS = {False: (0xA6, 0x8A, 0x8B, 0xAC), True: (0xA4, 0x88, 0x89, 0xAA)}


@dataclass(frozen=True, slots=True)
class Association:
    """AARQ (``result`` None) or AARE: context, mechanism, titles, and the initiate service.

    context, mechanism : numbers of `Context` and `Mechanism`; others travel too, for the server to refuse
    initiate : initiate service or service error, ciphered or not; empty where the field is absent
    title : system title of the sender, empty where absent
    challenge : authentication value: the password of LLS, the challenge of HLS
    result : 0 accepted, 1 rejected, 2 rejected for now
    diagnostic : a `Diagnostic`, or a `ProviderDiagnostic` where ``provider`` is set
    """

    context: int
    initiate: bytes
    mechanism: int = MECHANISM_NONE
    title: bytes = b""
    challenge: bytes = b""
    result: int | None = None
    diagnostic: int = DIAGNOSTIC_NULL
    provider: bool = False


@dataclass(frozen=True, slots=True)
class Release:
    """RLRQ or RLRE: the reason (0 normal, 1 urgent or not finished, 30 user defined) and user information, if any."""

    response: bool = False
    reason: int | None = 0
    information: bytes = b""


def encode(association: Association) -> bytes:
    """Bytes of an AARQ or AARE; ValueError where a number does not fit its byte.

    >>> len(encode(Association(CONTEXT_PLAIN, initiate_request(1024))))
    31
    """
    response = association.result is not None
    title, requirements, mechanism, value = _FIELDS[response]
    parts = [_tlv(_CONTEXT, _tlv(0x06, _UA + b"\x01" + _byte(association.context, "context")))]
    if association.result is not None:
        parts.append(_tlv(_RESULT, _integer(association.result, "result")))
        source = 0xA2 if association.provider else 0xA1
        parts.append(_tlv(_DIAGNOSTIC, _tlv(source, _integer(association.diagnostic, "diagnostic"))))
    if association.title:
        parts.append(_tlv(title, _tlv(0x04, association.title)))
    if association.mechanism:
        parts.append(_tlv(requirements, b"\x07\x80"))
        parts.append(_tlv(mechanism, _UA + b"\x02" + _byte(association.mechanism, "mechanism")))
        parts.append(_tlv(value, _tlv(0x80, association.challenge)))
    parts.append(_information(association.initiate))
    return _tlv(0x61 if response else 0x60, b"".join(parts))


def decode(data: bytes) -> Association:
    """The AARQ or AARE that ``data`` hold; ValueError where a needed field is missing, doubled or cut short."""
    response = data[:1] == b"\x61"
    fields = _fields(_content(data, 0x61 if response else 0x60))
    title, _, mechanism, value = _FIELDS[response]
    if value in fields and mechanism not in fields:
        raise ValueError(f"an authentication value needs a mechanism name, field 0x{mechanism:02x}")
    return Association(
        _name(_content(_needed(fields, _CONTEXT), 0x06), 1),
        _content(fields[_INFORMATION], 0x04) if _INFORMATION in fields else b"",
        _name(fields[mechanism], 2) if mechanism in fields else MECHANISM_NONE,
        _content(fields[title], 0x04) if title in fields else b"",
        _content(fields[value], 0x80) if value in fields else b"",
        *(_verdict(fields) if response else ()),
    )


def encode_release(release: Release) -> bytes:
    """Bytes of an RLRQ or RLRE; ValueError where the reason does not fit a byte.

    >>> encode_release(Release()).hex()
    '6203800100'
    """
    reason = b"" if release.reason is None else _tlv(_REASON, _byte(release.reason, "reason"))
    return _tlv(0x63 if release.response else 0x62, reason + _information(release.information))


def decode_release(data: bytes) -> Release:
    """The RLRQ or RLRE that ``data`` hold, with or without reason and user information; ValueError otherwise."""
    response = data[:1] == b"\x63"
    fields = _fields(_content(data, 0x63 if response else 0x62))
    reason = _single(fields[_REASON], "release reason") if _REASON in fields else None
    return Release(response, reason, _content(fields[_INFORMATION], 0x04) if _INFORMATION in fields else b"")


def _verdict(fields: dict[int, bytes]) -> tuple[int, int, bool]:
    """Result, diagnostic, and whether the provider tells it."""
    diagnostic = _needed(fields, _DIAGNOSTIC)
    provider = diagnostic[:1] == b"\xa2"
    result = _single(_content(_needed(fields, _RESULT), 0x02), "result")
    inner = _content(_content(diagnostic, 0xA2 if provider else 0xA1), 0x02)
    return result, _single(inner, "diagnostic"), provider


def _tlv(tag: int, content: bytes) -> bytes:
    return bytes([tag]) + encode_length(len(content)) + content


def _byte(number: int, name: str) -> bytes:
    if not 0 <= number < 256:
        raise ValueError(f"{name} {number} does not fit one byte: use 0 to 255")
    return bytes([number])


def _integer(number: int, name: str) -> bytes:
    if not 0 <= number < 128:
        raise ValueError(f"{name} {number} does not fit a one-byte INTEGER: use 0 to 127")
    return _tlv(0x02, bytes([number]))


def _information(content: bytes) -> bytes:
    return _tlv(_INFORMATION, _tlv(0x04, content)) if content else b""


def _single(content: bytes, name: str) -> int:
    if len(content) != 1 or content[0] > 127:
        raise ValueError(f"{name} of {len(content)} bytes: one byte of 0 to 127 is expected")
    return content[0]


def _name(content: bytes, arc: int) -> int:
    """Last number of an object identifier below the DLMS UA arc: 1 application contexts, 2 mechanisms."""
    if len(content) != 7 or content[:6] != _UA + bytes([arc]):
        raise ValueError(f"{content.hex()} is not a DLMS name: 2.16.756.5.8.{arc}.n is needed")
    return content[6]


def _content(data: bytes, tag: int) -> bytes:
    if take(data, 0, 1)[0] != tag:
        raise ValueError(f"field 0x{tag:02x} expected, found 0x{data[0]:02x}")
    length, at = decode_length(data, 1)
    if length != len(data) - at:
        raise ValueError(f"field 0x{tag:02x} announces {length} bytes, {len(data) - at} follow")
    return data[at:]


def _fields(data: bytes) -> dict[int, bytes]:
    fields: dict[int, bytes] = {}
    at = 0
    while at < len(data):
        tag = data[at]
        if tag in fields:
            raise ValueError(f"field 0x{tag:02x} stands twice")
        length, at = decode_length(data, at + 1)
        fields[tag] = take(data, at, length)
        at += length
    return fields


def _needed(fields: dict[int, bytes], tag: int) -> bytes:
    if tag not in fields:
        raise ValueError(f"field 0x{tag:02x} is missing from the association")
    return fields[tag]
