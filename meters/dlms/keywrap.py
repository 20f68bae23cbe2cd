"""Keys that travel under another key: AES key wrap, as `key_transfer` of a security setup object carries them.

References
----------
RFC 3394 (2002) and NIST SP 800-38F; named by IEC 62056-5-3 for suites 0 to 2.
"""

from __future__ import annotations

from cryptography.hazmat.primitives import keywrap

from .ciphering import SUITES, SecurityError

WRAP_BYTES = 8
"""What the wrap adds to a key: its integrity check."""


def wrap(key: bytes, kek: bytes) -> bytes:
    """``key`` (16 or 32 bytes) wrapped under the key-encryption key (16 or 32 bytes): 8 bytes longer.

    Raises ValueError for other lengths.
    """
    _check(key, "key")
    _check(kek, "key-encryption key")
    return keywrap.aes_key_wrap(kek, key)


def unwrap(wrapped: bytes, kek: bytes) -> bytes:
    """The key inside (16 or 32 bytes).

    Raises SecurityError ``authentication`` where length or integrity check do not hold, ValueError for a ``kek`` of
    another length.
    """
    _check(kek, "key-encryption key")
    if len(wrapped) - WRAP_BYTES not in SUITES.values():
        raise SecurityError("authentication", f"{len(wrapped)} bytes are no wrapped key: 24 or 40 are needed")
    try:
        return keywrap.aes_key_unwrap(kek, wrapped)
    except keywrap.InvalidUnwrap:
        raise SecurityError(
            "authentication", "the key does not unwrap: wrong key-encryption key or changed bytes"
        ) from None


def _check(key: bytes, name: str) -> None:
    if len(key) not in SUITES.values():
        raise ValueError(f"{name} of {len(key)} bytes: 16 or 32 are needed")
