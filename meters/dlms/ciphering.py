"""AES-GCM as meters use it: three suites, three protections, and the answers to GMAC challenges; no counters kept.

A ciphered content is the security control byte, the invocation counter (4 bytes), the information, and a tag of 12
bytes where it is authenticated. `security.Channel` puts tags in front, keeps the counters and decides what to believe.

References
----------
IEC 62056-5-3:2017 clause 5.3 (security), DLMS UA 1000-2 ed. 8.1 (Green Book) clause 9.2.7 and its worked examples;
NIST SP 800-38D:2007 (GCM). Tags of ciphered APDUs: compared with gurux-dlms 1.0.203, which names all of them.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .axdr import encode_length

AUTHENTICATED, ENCRYPTED = 0x10, 0x20
BOTH: Final = AUTHENTICATED | ENCRYPTED
BROADCAST_KEY, COMPRESSED, SUITE_MASK = 0x40, 0x80, 0x0F
TAG_BYTES, TITLE_BYTES, COUNTER_BYTES = 12, 8, 4
HEAD_BYTES = 1 + COUNTER_BYTES
MIN_CHALLENGE_BYTES, MAX_CHALLENGE_BYTES = 8, 64
GENERAL_GLO, GENERAL_DED = 0xDB, 0xDC

# Key length of each security suite; 1 and 2 differ from 0 also in signatures and compression, which are not made here.
SUITES: Mapping[int, int] = MappingProxyType({0: 16, 1: 16, 2: 32})

PROTECTIONS: Mapping[str, int] = MappingProxyType(
    {"authenticated": AUTHENTICATED, "encrypted": ENCRYPTED, "authenticated_encrypted": BOTH}
)

# Ciphered tag of each plain APDU tag, under the global and under the dedicated key.
#                initiate    error get         set         event action      (requests, then responses)
_PLAIN_TAGS = (0x01, 0x08, 0x0E, 0xC0, 0xC4, 0xC1, 0xC5, 0xC2, 0xC3, 0xC7)
_GLO = (0x21, 0x28, 0x2E, 0xC8, 0xCC, 0xC9, 0xCD, 0xCA, 0xCB, 0xCF)
_DED = (0x41, 0x48, 0x4E, 0xD0, 0xD4, 0xD1, 0xD5, 0xD2, 0xD3, 0xD7)
GLO_TAGS: Mapping[int, int] = MappingProxyType(dict(zip(_PLAIN_TAGS, _GLO, strict=True)))
# The initiate itself brings the dedicated key, so it has no dedicated form here.
DED_TAGS: Mapping[int, int] = MappingProxyType(dict(list(zip(_PLAIN_TAGS, _DED, strict=True))[2:]))


class SecurityError(ValueError):
    """A ciphered APDU that must not be believed.

    kind : ``"authentication"`` (tag, key or title do not match), ``"replay"`` (counter did not rise) or
        ``"unprotected"`` (not the suite, keys or protection that were agreed).
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class Keys:
    """Encryption key and authentication key of one suite, each of its length (16, 16, 32 bytes for 0, 1, 2).

    Raises ValueError for an unknown suite or a key of another length; keys never show in a printed object.
    """

    encryption: bytes = field(repr=False)
    authentication: bytes = field(repr=False)
    suite: int = 0

    def __post_init__(self) -> None:
        n_key = SUITES.get(self.suite)
        if n_key is None:
            raise ValueError(f"security suite {self.suite} is not known: use 0, 1 or 2")
        if len(self.encryption) != n_key or len(self.authentication) != n_key:
            raise ValueError(
                f"suite {self.suite} keys have {n_key} bytes: give an encryption and an authentication key"
            )


class Opened(NamedTuple):
    """What was inside a ciphered content; authentic only if ``protection`` has the bit 0x10."""

    counter: int
    protection: int
    plain: bytes


def same_secret(ours: bytes, theirs: bytes) -> bool:
    """Whether two passwords, keys or proofs are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(ours, theirs)


def initialisation_vector(title: bytes, counter: int) -> bytes:
    """System title (8) and invocation counter (4); ValueError for other lengths or a counter beyond 32 bits."""
    if len(title) != TITLE_BYTES or not 0 <= counter < 2**32:
        raise ValueError(f"title of {len(title)} bytes, counter {counter}: 8 bytes and 0 to 2^32 - 1 are needed")
    return title + counter.to_bytes(COUNTER_BYTES, "big")


def check_protection(protection: int) -> None:
    """ValueError unless it is 0x10, 0x20 or 0x30."""
    if protection not in PROTECTIONS.values():
        raise ValueError(f"protection 0x{protection:02x} is not known: use 0x10, 0x20 or 0x30")


def encrypt(plain: bytes, keys: Keys, title: bytes, counter: int, protection: int = BOTH) -> bytes:
    """Ciphered content: control byte, counter, information, and a tag of 12 bytes where it is authenticated.

    Parameters
    ----------
    plain, title, counter
        Whole plain APDU, system title of the sender (8 bytes), a counter never used before with these keys.
    protection
        0x10 authenticated, 0x20 encrypted, 0x30 both. Encrypted only has no tag: a change goes unnoticed.

    Raises ValueError for another protection, a title of another length or a counter beyond 32 bits.

    References
    ----------
    DLMS UA 1000-2 ed. 8.1, 9.2.7, and IEC 62056-5-3: associated data is the control byte and the authentication key,
    followed by the information itself where that stays readable.
    """
    check_protection(protection)
    control = bytes([protection | keys.suite])
    vector = initialisation_vector(title, counter)
    head = control + vector[TITLE_BYTES:]
    if protection == BOTH:
        sealed = AESGCM(keys.encryption).encrypt(vector, plain, control + keys.authentication)
        return head + sealed[: len(plain) + TAG_BYTES]
    if protection == AUTHENTICATED:
        return head + plain + _tag_of(plain, keys, vector)
    return head + _counter_mode(plain, keys, vector)


def decrypt(content: bytes, keys: Keys, title: bytes, demanded: int = 0) -> Opened:
    """What `encrypt` made with these keys and the sender's ``title``.

    demanded
        Bits of protection that it must have at least (0: any, but not none).

    Raises SecurityError ``unprotected`` for another suite, broadcast keys, compression or too little protection, and
    ``authentication`` where the tag does not match; ValueError where the content is cut short. With protection 0x20
    nothing is verified: a wrong key or a changed bit gives rubbish, not an error.
    """
    if len(content) < HEAD_BYTES:
        raise ValueError(
            f"{len(content)} bytes cannot hold a security control byte and a counter: the APDU is cut short"
        )
    protection = _protection(content[0], keys.suite, demanded)
    counter = int.from_bytes(content[1:HEAD_BYTES], "big")
    vector = initialisation_vector(title, counter)
    if protection == ENCRYPTED:
        return Opened(counter, protection, _counter_mode(content[HEAD_BYTES:], keys, vector))
    if len(content) < HEAD_BYTES + TAG_BYTES:
        raise ValueError(f"{len(content)} bytes cannot hold a counter and a tag: the APDU is cut short")
    information, tag = content[HEAD_BYTES:-TAG_BYTES], content[-TAG_BYTES:]
    if protection == AUTHENTICATED:
        if not same_secret(_tag_of(information, keys, vector), tag):
            raise _mismatch()
        return Opened(counter, protection, information)
    return Opened(counter, protection, _verified(information, tag, keys, vector))


def _protection(control: int, suite: int, demanded: int) -> int:
    """The protection bits of a control byte; SecurityError where they are not what was agreed."""
    if control & (BROADCAST_KEY | COMPRESSED):
        raise SecurityError(
            "unprotected", f"security control 0x{control:02x}: broadcast keys and compression are not supported"
        )
    if control & SUITE_MASK != suite:
        raise SecurityError("unprotected", f"security control 0x{control:02x}: suite {suite} was agreed")
    protection = control & BOTH
    if protection == 0 or protection & demanded != demanded:
        wanted = demanded or BOTH
        raise SecurityError("unprotected", f"security control 0x{control:02x}: 0x{wanted | suite:02x} is needed")
    return protection


def _verified(information: bytes, tag: bytes, keys: Keys, vector: bytes) -> bytes:
    mode = modes.GCM(vector, tag, min_tag_length=TAG_BYTES)
    opened = Cipher(algorithms.AES(keys.encryption), mode).decryptor()
    opened.authenticate_additional_data(bytes([BOTH | keys.suite]) + keys.authentication)
    try:
        return opened.update(information) + opened.finalize()
    except InvalidTag:
        raise _mismatch() from None


def _mismatch() -> SecurityError:
    return SecurityError("authentication", "the tag does not match: wrong key, wrong title or changed bytes")


def _tag_of(readable: bytes, keys: Keys, vector: bytes) -> bytes:
    """GMAC over control byte, authentication key and what stays readable, 12 bytes."""
    associated = bytes([AUTHENTICATED | keys.suite]) + keys.authentication + readable
    return AESGCM(keys.encryption).encrypt(vector, b"", associated)[:TAG_BYTES]


def _counter_mode(data: bytes, keys: Keys, vector: bytes) -> bytes:
    """GCM without its tag, which is AES in counter mode from block 2: it ciphers and deciphers (SP 800-38D 7.1)."""
    return Cipher(algorithms.AES(keys.encryption), modes.CTR(vector + b"\0\0\0\2")).encryptor().update(data)


def gmac(challenge: bytes, keys: Keys, title: bytes, counter: int) -> bytes:
    """Answer to an HLS-5 challenge of 8 to 64 bytes: security control 0x10, counter and the GMAC, 17 bytes.

    Raises ValueError for a challenge of another length.

    References
    ----------
    DLMS UA 1000-2 ed. 8.1, 9.2.7.4, f(StoC) and f(CtoS).
    """
    if not MIN_CHALLENGE_BYTES <= len(challenge) <= MAX_CHALLENGE_BYTES:
        raise ValueError(f"challenge of {len(challenge)} bytes: 8 to 64 are needed")
    sealed = encrypt(challenge, keys, title, counter, AUTHENTICATED)
    return sealed[:HEAD_BYTES] + sealed[-TAG_BYTES:]


def sealed_bytes(n_plain: int, *, general: bool = False, protection: int = BOTH) -> int:
    """Length of a ciphered APDU: tag, length field, control, counter, text, GCM tag; +9 with the sender's title.

    >>> sealed_bytes(13), sealed_bytes(3462), sealed_bytes(45, general=True), sealed_bytes(13, protection=0x20)
    (32, 3483, 73, 20)
    """
    check_protection(protection)
    n_content = n_plain + HEAD_BYTES + (TAG_BYTES if protection & AUTHENTICATED else 0)
    return 1 + len(encode_length(n_content)) + n_content + (1 + TITLE_BYTES if general else 0)
