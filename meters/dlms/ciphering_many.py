"""The same ciphering for a whole fleet: many APDUs, each under its meter's own keys.

Byte for byte what `security.Channel` makes of each. Heads are written as columns; one AES-GCM call a row remains,
3 to 5 microseconds for a day profile of 3.4 kB. The calls hold the interpreter's lock: spread them over processes.

References
----------
As `ciphering`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .ciphering import (
    AUTHENTICATED,
    BOTH,
    COUNTER_BYTES,
    ENCRYPTED,
    GENERAL_GLO,
    GLO_TAGS,
    HEAD_BYTES,
    SUITES,
    TAG_BYTES,
    TITLE_BYTES,
    check_protection,
)

Bytes = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.int64]

# Ciphered tag of every first byte; 0 where the service has no glo-ciphered form.
_GLO_TAG_OF = np.zeros(256, np.uint8)
_GLO_TAG_OF[list(GLO_TAGS)] = list(GLO_TAGS.values())


def seal_many(
    plain: Bytes,
    encryption_keys: Bytes,
    authentication_keys: Bytes,
    titles: Bytes,
    counters: npt.NDArray[np.integer],
    glo_tag: int | None = None,
    general: bool = False,
    protection: int = BOTH,
    suite: int = 0,
) -> Bytes:
    """Equally long APDUs, each ciphered under its own keys.

    Parameters
    ----------
    plain : (n, n_plain)
        Plain APDUs of at least one byte; all others as for `seal_ragged`.

    Returns
    -------
    (n, sealed_bytes(n_plain)) ciphered APDUs. Raises ValueError as `seal_ragged` does.
    """
    if plain.ndim != 2 or 0 in plain.shape:
        raise ValueError(f"plain APDUs of shape {plain.shape}: at least one row of at least one byte is needed")
    n_rows, n_plain = plain.shape
    start = np.arange(n_rows + 1, dtype=np.int64) * n_plain
    keys = encryption_keys, authentication_keys, titles, counters
    sealed, _ = seal_ragged(plain.reshape(-1), start, *keys, glo_tag, general, protection, suite)
    return sealed.reshape(n_rows, -1)


def seal_ragged(
    plain: Bytes,
    start: Rows,
    encryption_keys: Bytes,
    authentication_keys: Bytes,
    titles: Bytes,
    counters: npt.NDArray[np.integer],
    glo_tag: int | None = None,
    general: bool = False,
    protection: int = BOTH,
    suite: int = 0,
) -> tuple[Bytes, Rows]:
    """APDUs of any lengths, each ciphered under its own keys.

    Parameters
    ----------
    plain, start : (n_bytes,), (n + 1,)
        Plain APDUs one after the other, and where each begins (the last entry is ``n_bytes``).
    encryption_keys, authentication_keys, titles, counters : (n, key), (n, key), (n, 8), (n,)
        Keys of ``suite`` (16 or 32 bytes), system title and invocation counter (0 to 2^32 - 1) of each sender.
    glo_tag
        Ciphered tag that every APDU must get, for instance 0xCC; None takes it from the service of each.
    general
        General-glo-ciphering, which carries the sender's title; ``glo_tag`` then does not matter.
    protection
        0x10, 0x20 or 0x30, as for `ciphering.encrypt`.

    Returns
    -------
    Ciphered APDUs one after the other, and (n + 1,) where each begins. Raises ValueError for shapes that do not fit, an
    empty APDU, a counter beyond 32 bits, a service without ciphered form, an unknown protection or suite.
    """
    check_protection(protection)
    _check_shapes(plain, start, encryption_keys, authentication_keys, titles, counters, suite)
    first_bytes = _first_bytes(plain[start[:-1]], glo_tag, general)
    n_plain = np.diff(start)
    n_content = n_plain + HEAD_BYTES + (TAG_BYTES if protection & AUTHENTICATED else 0)
    n_front = _length_field_bytes(n_content) + (2 + TITLE_BYTES if general else 1)
    at = np.concatenate([[0], np.cumsum(n_front + n_content)])
    information = at[:-1] + n_front + HEAD_BYTES
    sealed = np.empty(at[-1], np.uint8)
    _write_heads(sealed, at[:-1], first_bytes, titles if general else None, n_content)
    vectors = np.concatenate([titles, _big_endian(counters, COUNTER_BYTES)], axis=1)
    sealed[information[:, None] + np.arange(-HEAD_BYTES, 0)] = np.concatenate(
        [np.full((len(counters), 1), protection | suite, np.uint8), vectors[:, TITLE_BYTES:]], axis=1
    )
    secrets = _as_bytes(encryption_keys), _as_bytes(authentication_keys), _as_bytes(vectors)
    _write_information(sealed, information, at[1:], plain, start, secrets, protection, suite)
    return sealed, at


def _write_information(
    sealed: Bytes,
    begin: Rows,
    end: Rows,
    plain: Bytes,
    start: Rows,
    secrets: tuple[list[bytes], list[bytes], list[bytes]],
    protection: int,
    suite: int,
) -> None:
    """The loop: one AES-GCM call a row, straight between two flat buffers."""
    text, out = np.ascontiguousarray(plain).data, sealed.data
    control = bytes([protection | suite])
    rows = zip(*secrets, start[:-1].tolist(), start[1:].tolist(), begin.tolist(), end.tolist(), strict=True)
    if protection == BOTH:
        for key, authentication, vector, a, b, c, d in rows:
            out[c:d] = AESGCM(key).encrypt(vector, text[a:b], control + authentication)[: d - c]
    elif protection == ENCRYPTED:
        for key, _, vector, a, b, c, d in rows:
            out[c:d] = AESGCM(key).encrypt(vector, text[a:b], None)[: d - c]
    else:
        for key, authentication, vector, a, b, c, d in rows:
            readable = bytes(text[a:b])
            tag = AESGCM(key).encrypt(vector, b"", control + authentication + readable)
            out[c:d] = readable + tag[:TAG_BYTES]


def _write_heads(sealed: Bytes, at: Rows, first_bytes: Bytes, titles: Bytes | None, n_content: Rows) -> None:
    """Tag, title where it is sent, and length field of every row."""
    sealed[at] = first_bytes
    field_at = at + 1
    if titles is not None:
        sealed[field_at] = TITLE_BYTES
        sealed[field_at[:, None] + np.arange(1, 1 + TITLE_BYTES)] = titles
        field_at = field_at + 1 + TITLE_BYTES
    n_field = _length_field_bytes(n_content)
    for n in np.unique(n_field).tolist():
        row = n_field == n
        where, digits = field_at[row], n_content[row]
        if n > 1:
            sealed[where] = 0x80 | (n - 1)
            sealed[where[:, None] + np.arange(1, n)] = _big_endian(digits, n - 1)
        else:
            sealed[where] = digits


def _first_bytes(services: Bytes, glo_tag: int | None, general: bool) -> Bytes:
    if general:
        return np.full(len(services), GENERAL_GLO, np.uint8)
    tags = _GLO_TAG_OF[services]
    wrong = (tags == 0) | (tags != (tags if glo_tag is None else glo_tag))
    if wrong.any():
        service = services[np.argmax(wrong)]
        raise ValueError(f"service 0x{service:02x} has no such glo-ciphered form: use its own tag, or general=True")
    return tags


def _length_field_bytes(length: Rows) -> Rows:
    """Bytes of A-XDR length fields: 1 below 128, else 1 and the digits (see `axdr.encode_length`)."""
    digits = 1 + np.searchsorted(np.array([1 << 8, 1 << 16, 1 << 24]), length, side="right")
    return np.where(length < 128, 1, 1 + digits).astype(np.int64)


def _big_endian(numbers: npt.NDArray[np.integer], n_bytes: int) -> Bytes:
    """(n, n_bytes) digits to the base 256, most significant first."""
    columns = np.ascontiguousarray(numbers, dtype=">u8").view(np.uint8).reshape(-1, 8)
    return columns[:, 8 - n_bytes :]


def _as_bytes(rows: Bytes) -> list[bytes]:
    """The rows of a matrix as bytes objects, without a Python loop."""
    listed: list[bytes] = np.ascontiguousarray(rows).view(f"V{rows.shape[1]}").ravel().tolist()
    return listed


def _check_shapes(
    plain: Bytes,
    start: Rows,
    encryption_keys: Bytes,
    authentication_keys: Bytes,
    titles: Bytes,
    counters: npt.NDArray[np.integer],
    suite: int,
) -> None:
    n_key, n_rows = SUITES.get(suite), len(start) - 1
    if n_key is None:
        raise ValueError(f"security suite {suite} is not known: use 0, 1 or 2")
    if n_rows < 0 or plain.ndim != 1 or start[0] != 0 or start[-1] != len(plain) or (np.diff(start) < 1).any():
        raise ValueError("start must rise from 0 to the number of plain bytes: give every APDU at least one byte")
    wanted = {"encryption_keys": n_key, "authentication_keys": n_key, "titles": TITLE_BYTES}
    for (name, width), given in zip(wanted.items(), (encryption_keys, authentication_keys, titles), strict=True):
        if given.shape != (n_rows, width) or given.dtype != np.uint8:
            raise ValueError(f"{name} of shape {given.shape}, {given.dtype}: ({n_rows}, {width}) of uint8 is needed")
    if plain.dtype != np.uint8 or counters.shape != (n_rows,) or counters.dtype.kind not in "iu":
        raise ValueError(f"plain of {plain.dtype}, counters of {counters.dtype}: bytes and ({n_rows},) whole numbers")
    if n_rows and (int(counters.min()) < 0 or int(counters.max()) >= 2**32):
        raise ValueError("an invocation counter is beyond 32 bits: exchange the keys")
