"""Ciphered APDUs of security suite 0: AES-128-GCM with a 12-byte tag, and counters that may only rise.

References
----------
IEC 62056-5-3:2017 clause 5.3 (security), DLMS UA 1000-2 ed. 8.1 (Green Book) clause 9.2.7 and its worked examples;
NIST SP 800-38D:2007 (GCM).
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .axdr import decode_length, encode_length, take

AUTHENTICATED, ENCRYPTED = 0x10, 0x20
TAG_BYTES, TITLE_BYTES, KEY_BYTES = 12, 8, 16
GENERAL_GLO = 0xDB

# Ciphered tag of each plain APDU tag, global key: initiate, GET, SET, ACTION, requests then responses.
GLO_TAGS = {0x01: 0x21, 0x08: 0x28, 0xC0: 0xC8, 0xC1: 0xC9, 0xC3: 0xCB, 0xC4: 0xCC, 0xC5: 0xCD, 0xC7: 0xCF}


class SecurityError(ValueError):
    """A ciphered APDU that must not be believed.

    kind : ``"authentication"`` (tag, key or title do not match), ``"replay"`` (counter did not rise) or
        ``"unprotected"`` (less protection than agreed).
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class Keys:
    """Global unicast encryption key and authentication key, 16 bytes each; other lengths raise ValueError."""

    encryption: bytes
    authentication: bytes

    def __post_init__(self) -> None:
        if len(self.encryption) != KEY_BYTES or len(self.authentication) != KEY_BYTES:
            raise ValueError(f"suite 0 keys have {KEY_BYTES} bytes: give an encryption and an authentication key")


def initialisation_vector(title: bytes, counter: int) -> bytes:
    """System title (8) and invocation counter (4); ValueError for other lengths or a counter beyond 32 bits."""
    if len(title) != TITLE_BYTES or not 0 <= counter < 2**32:
        raise ValueError(f"title of {len(title)} bytes, counter {counter}: 8 bytes and 0 to 2^32 - 1 are needed")
    return title + counter.to_bytes(4, "big")


def encrypt(plain: bytes, keys: Keys, title: bytes, counter: int) -> bytes:
    """Security control byte, counter, ciphertext and tag: authenticated and encrypted."""
    control = AUTHENTICATED | ENCRYPTED
    associated = bytes([control]) + keys.authentication
    sealed = AESGCM(keys.encryption).encrypt(initialisation_vector(title, counter), plain, associated)
    return bytes([control]) + counter.to_bytes(4, "big") + sealed[: len(plain) + TAG_BYTES]


def decrypt(content: bytes, keys: Keys, title: bytes) -> tuple[int, bytes]:
    """Counter and plain text of what `encrypt` made; SecurityError unless it is authentic and encrypted."""
    control = take(content, 0, 1)[0]
    if control != AUTHENTICATED | ENCRYPTED:
        raise SecurityError(
            "unprotected", f"security control 0x{control:02x}: 0x30 (authenticated, encrypted) is needed"
        )
    counter = int.from_bytes(take(content, 1, 4), "big")
    if len(content) < 5 + TAG_BYTES:
        raise ValueError(f"{len(content)} bytes cannot hold a counter and a tag")
    mode = modes.GCM(initialisation_vector(title, counter), content[-TAG_BYTES:], min_tag_length=TAG_BYTES)
    opened = Cipher(algorithms.AES(keys.encryption), mode).decryptor()
    opened.authenticate_additional_data(bytes([control]) + keys.authentication)
    try:
        return counter, opened.update(content[5:-TAG_BYTES]) + opened.finalize()
    except InvalidTag:
        raise SecurityError(
            "authentication", "the tag does not match: wrong key, wrong title or changed bytes"
        ) from None


def gmac(challenge: bytes, keys: Keys, title: bytes, counter: int) -> bytes:
    """Answer to an HLS-5 challenge: security control 0x10, counter and the 12-byte GMAC, 17 bytes.

    References
    ----------
    DLMS UA 1000-2 ed. 8.1, 9.2.7.4, f(StoC) and f(CtoS).
    """
    associated = bytes([AUTHENTICATED]) + keys.authentication + challenge
    tag = AESGCM(keys.encryption).encrypt(initialisation_vector(title, counter), b"", associated)[:TAG_BYTES]
    return bytes([AUTHENTICATED]) + counter.to_bytes(4, "big") + tag


def sealed_bytes(n_plain: int, *, general: bool = False) -> int:
    """Length of a ciphered APDU: tag, length field, control, counter, text, GCM tag; +9 for general-glo.

    >>> sealed_bytes(13), sealed_bytes(3462), sealed_bytes(45, general=True)
    (32, 3483, 73)
    """
    n_content = n_plain + 5 + TAG_BYTES
    return 1 + len(encode_length(n_content)) + n_content + (1 + TITLE_BYTES if general else 0)


@dataclass
class Channel:
    """One side of a ciphered conversation: who we are, who they are, and both counters.

    next_counter
        Counter of the next APDU we send.
    last_seen
        Highest counter accepted from the other side; lower or equal ones are replays.
    """

    keys: Keys
    own_title: bytes
    peer_title: bytes
    next_counter: int = 1
    last_seen: int = 0

    def take_counter(self) -> int:
        """A counter value never used before; ValueError when all 2^32 - 1 are spent."""
        if self.next_counter >= 2**32:
            raise ValueError("the invocation counter is exhausted: exchange the keys")
        self.next_counter += 1
        return self.next_counter - 1

    def seal(self, apdu: bytes) -> bytes:
        """A plain APDU as its glo-ciphered twin; ValueError where the service has none."""
        if apdu[:1] == b"" or apdu[0] not in GLO_TAGS:
            raise ValueError(f"service 0x{apdu[:1].hex()} has no glo-ciphered form: use seal_general")
        content = encrypt(apdu, self.keys, self.own_title, self.take_counter())
        return bytes([GLO_TAGS[apdu[0]]]) + encode_length(len(content)) + content

    def seal_general(self, apdu: bytes) -> bytes:
        """A plain APDU as general-glo-ciphering, which names the sender."""
        content = encrypt(apdu, self.keys, self.own_title, self.take_counter())
        head = bytes([GENERAL_GLO, TITLE_BYTES]) + self.own_title
        return head + encode_length(len(content)) + content

    def open(self, sealed: bytes) -> bytes:
        """The plain APDU inside a glo or general-glo one.

        Raises SecurityError (unauthentic, replayed, unprotected), ValueError where the bytes are malformed.
        """
        tag = take(sealed, 0, 1)[0]
        at = 1
        if tag == GENERAL_GLO:
            at = self._check_title(sealed)
        elif tag not in GLO_TAGS.values():
            raise SecurityError("unprotected", f"APDU 0x{tag:02x} is not ciphered, but this association demands it")
        length, at = decode_length(sealed, at)
        if length != len(sealed) - at:
            raise ValueError(f"ciphered APDU announces {length} bytes, {len(sealed) - at} follow")
        counter, plain = decrypt(sealed[at:], self.keys, self.peer_title)
        if tag != GENERAL_GLO and GLO_TAGS.get(plain[0] if plain else -1) != tag:
            raise ValueError(f"ciphered tag 0x{tag:02x} does not fit the service inside")
        if counter <= self.last_seen:
            raise SecurityError("replay", f"invocation counter {counter} was used, {self.last_seen} is the last seen")
        self.last_seen = counter
        return plain

    def _check_title(self, sealed: bytes) -> int:
        if take(sealed, 1, 1)[0] != TITLE_BYTES:
            raise ValueError("a system title has 8 bytes")
        if take(sealed, 2, TITLE_BYTES) != self.peer_title:
            raise SecurityError("authentication", "the system title is not the other side's")
        return 2 + TITLE_BYTES
