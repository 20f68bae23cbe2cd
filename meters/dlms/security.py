"""Who may be believed: ciphered APDUs in every form, and invocation counters that may only rise.

Refused, with the reason: too little protection, another suite, another sender, a changed bit, a counter that was there
before. The arithmetic stands in `ciphering`, the same for a whole fleet in `ciphering_many`.

References
----------
IEC 62056-5-3:2017 clause 5.3 (security), DLMS UA 1000-2 ed. 8.1 (Green Book) clause 9.2.7 and its worked examples.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .axdr import decode_length, encode_length, take
from .ciphering import (
    AUTHENTICATED,
    BOTH,
    DED_TAGS,
    ENCRYPTED,
    GENERAL_DED,
    GENERAL_GLO,
    GLO_TAGS,
    PROTECTIONS,
    SUITES,
    TAG_BYTES,
    TITLE_BYTES,
    Keys,
    Opened,
    SecurityError,
    check_protection,
    decrypt,
    encrypt,
    gmac,
    initialisation_vector,
    same_secret,
    sealed_bytes,
)
from .ciphering_many import seal_many, seal_ragged

__all__ = [
    "AUTHENTICATED",
    "BOTH",
    "DED_TAGS",
    "ENCRYPTED",
    "FORMS",
    "GENERAL_DED",
    "GENERAL_GLO",
    "GLO_TAGS",
    "PROTECTIONS",
    "SUITES",
    "TAG_BYTES",
    "TITLE_BYTES",
    "Channel",
    "Keys",
    "Opened",
    "SecurityError",
    "decrypt",
    "encrypt",
    "gmac",
    "initialisation_vector",
    "same_secret",
    "seal_many",
    "seal_ragged",
    "sealed_bytes",
]

FORMS = ("glo", "general_glo", "ded", "general_ded")
"""Service-specific or with the sender's title; under the global or the dedicated key."""

_SERVICE_TAGS = {"glo": GLO_TAGS, "ded": DED_TAGS}
_GENERAL_TAGS = {"general_glo": GENERAL_GLO, "general_ded": GENERAL_DED}
_FORM_OF_TAG = {tag: form for form, tags in _SERVICE_TAGS.items() for tag in tags.values()}
_FORM_OF_TAG |= {tag: form for form, tag in _GENERAL_TAGS.items()}


@dataclass
class Channel:
    """One side of a ciphered conversation: who we are, who they are, and the counters of both.

    next_counter
        Counter of the next APDU we send, 0 to 2^32 - 1; one for all keys, so no value is ever used twice with a key.
    last_seen
        Highest counter accepted under the global key; lower or equal ones are replays, any higher one is accepted.
    protection
        What we send, and the least that we accept (0x10 also accepts 0x30). Where 0x20 is enough nothing is authentic:
        replays are still refused, but whoever can send may spend the other side's counters.
    dedicated, dedicated_seen
        Key of this association only, in place of the global encryption key, or None; and the last such key with the
        highest counter accepted under it, for the other side may count anew for every key.
    last_form
        Form of the last APDU accepted, one of `FORMS`; empty before the first.

    Raises ValueError for an unknown protection.
    """

    keys: Keys
    own_title: bytes
    peer_title: bytes
    next_counter: int = 1
    last_seen: int = 0
    protection: int = BOTH
    dedicated: bytes | None = field(default=None, repr=False)
    dedicated_seen: tuple[bytes, int] = field(default=(b"", 0), repr=False)
    last_form: str = ""

    def __post_init__(self) -> None:
        check_protection(self.protection)

    def take_counter(self) -> int:
        """A counter value never used before; ValueError when all 2^32 - 1 are spent."""
        if self.next_counter >= 2**32:
            raise ValueError("the invocation counter is exhausted: exchange the keys")
        self.next_counter += 1
        return self.next_counter - 1

    def use_dedicated(self, key: bytes | None) -> None:
        """Take, or give up, the dedicated key of an association.

        Raises ValueError where it does not have the suite's length, or is the global key again: an APDU could then be
        replayed in the other form.
        """
        if key is not None:
            self._dedicated_keys(key)
        self.dedicated = key

    # -- sending -------------------------------------------------------------------------------------------------

    def seal(self, apdu: bytes) -> bytes:
        """A plain APDU as its glo-ciphered twin; ValueError where the service has none."""
        return self.seal_as("glo", apdu)

    def seal_general(self, apdu: bytes) -> bytes:
        """A plain APDU as general-glo-ciphering, which names the sender."""
        return self.seal_as("general_glo", apdu)

    def seal_dedicated(self, apdu: bytes) -> bytes:
        """A plain APDU as its ded-ciphered twin; ValueError where the service has none, or no such key is set."""
        return self.seal_as("ded", apdu)

    def seal_as(self, form: str, apdu: bytes) -> bytes:
        """A plain APDU in one of `FORMS`, so that an answer may mirror ``last_form``; ValueError where it has none."""
        head, keys = self._head(form, apdu), self._keys(form)
        content = encrypt(apdu, keys, self.own_title, self.take_counter(), self.protection)
        return head + encode_length(len(content)) + content

    def prove(self, challenge: bytes) -> bytes:
        """Our answer to the other side's HLS-5 challenge (8 to 64 bytes), 17 bytes; spends a counter.

        A proof has the form of an authenticated-only APDU whose text is the challenge, so an association that accepts
        0x10 alone trusts whoever may choose challenges; 0x30, the default, does not.
        """
        return gmac(challenge, self.keys, self.own_title, self.take_counter())

    # -- receiving -----------------------------------------------------------------------------------------------

    def open(self, sealed: bytes) -> bytes:
        """The plain APDU inside a ciphered one of any form.

        Raises SecurityError (unauthentic, replayed, unprotected), ValueError where the bytes are malformed; then
        neither counters nor ``last_form`` have moved. Authentic bytes in a wrong envelope are malformed, too.
        """
        tag = take(sealed, 0, 1)[0]
        form = _FORM_OF_TAG.get(tag)
        if form is None:
            raise SecurityError("unprotected", f"APDU 0x{tag:02x} is not ciphered, but this association demands it")
        at = self._after_title(sealed) if form in _GENERAL_TAGS else 1
        length, at = decode_length(sealed, at)
        if length != len(sealed) - at:
            raise ValueError(f"ciphered APDU announces {length} bytes, {len(sealed) - at} follow")
        opened = decrypt(sealed[at:], self._keys(form), self.peer_title, self.protection)
        if form in _SERVICE_TAGS and _SERVICE_TAGS[form].get(opened.plain[0] if opened.plain else -1) != tag:
            raise ValueError(f"ciphered tag 0x{tag:02x} does not fit the service inside")
        self._see(form, opened.counter)
        return opened.plain

    def proves(self, challenge: bytes, answer: bytes) -> bool:
        """Whether ``answer`` is the other side's proof for our HLS-5 challenge.

        A fresh challenge is what keeps a proof from being replayed; its counter is not compared with ``last_seen``,
        because the APDU that carries it has one of its own. Our own proof mirrored back is not theirs: titles differ.
        """
        if len(answer) != 5 + TAG_BYTES:
            return False
        counter = int.from_bytes(answer[1:5], "big")
        return same_secret(gmac(challenge, self.keys, self.peer_title, counter), answer)

    # -- inside --------------------------------------------------------------------------------------------------

    def _head(self, form: str, apdu: bytes) -> bytes:
        if form in _GENERAL_TAGS:
            return bytes([_GENERAL_TAGS[form], TITLE_BYTES]) + self.own_title
        if form not in _SERVICE_TAGS:
            raise ValueError(f"form {form!r} is not known: use one of {', '.join(FORMS)}")
        tag = _SERVICE_TAGS[form].get(apdu[0] if apdu else -1)
        if tag is None:
            raise ValueError(f"service 0x{apdu[:1].hex()} has no {form}-ciphered form: use seal_general")
        return bytes([tag])

    def _keys(self, form: str) -> Keys:
        if not form.endswith("ded"):
            return self.keys
        if self.dedicated is None:
            raise SecurityError("authentication", "no dedicated key was agreed: use the global key")
        return self._dedicated_keys(self.dedicated)

    def _dedicated_keys(self, key: bytes) -> Keys:
        if same_secret(key, self.keys.encryption):
            raise ValueError("the dedicated key is the global key: draw another one")
        return Keys(key, self.keys.authentication, self.keys.suite)

    def _see(self, form: str, counter: int) -> None:
        """Note an accepted counter under the key of ``form``; SecurityError unless it is higher than all before."""
        key = self.dedicated if form.endswith("ded") else None
        if key is None:
            last = self.last_seen
        else:
            last = self.dedicated_seen[1] if self.dedicated_seen[0] == key else 0
        if counter <= last:
            raise SecurityError("replay", f"invocation counter {counter} was used, {last} is the last seen")
        if key is None:
            self.last_seen = counter
        else:
            self.dedicated_seen = (key, counter)
        self.last_form = form

    def _after_title(self, sealed: bytes) -> int:
        if take(sealed, 1, 1)[0] != TITLE_BYTES:
            raise ValueError("a system title has 8 bytes")
        if take(sealed, 2, TITLE_BYTES) != self.peer_title:  # titles are public: no need for same_secret
            raise SecurityError("authentication", "the system title is not the other side's")
        return 2 + TITLE_BYTES
