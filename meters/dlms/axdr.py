"""A-XDR, the way COSEM data travels as bytes: typed values, encoded and decoded strictly.

What is accepted is written back byte by byte, with three exceptions: lengths in more bytes than they need, booleans
other than 0 and 1 (every non-zero byte is true), and an empty compact array, whose element type is not kept. NaN is
refused both ways: it is not a reading.

References
----------
IEC 61334-6:2000 (A-XDR); the COSEM data types and their tags after IEC 62056-6-2:2021 table 4 and
IEC 62056-5-3:2017 clause 9 (the Data choice).
"""

from __future__ import annotations

from . import compact
from .scalars import READERS, decode_length, encode_length, encode_scalar, take
from .values import (
    CONTAINERS,
    DONT_CARE,
    NULL,
    Content,
    Tag,
    Value,
    array,
    bits,
    boolean,
    compact_array,
    enum,
    float32,
    float64,
    i8,
    i16,
    i32,
    i64,
    octets,
    structure,
    text,
    u8,
    u16,
    u32,
    u64,
    utf8,
)

__all__ = [
    "DONT_CARE",
    "MAX_DEPTH",
    "NULL",
    "Content",
    "Tag",
    "Value",
    "array",
    "bits",
    "boolean",
    "compact_array",
    "decode",
    "decode_at",
    "decode_length",
    "encode",
    "encode_length",
    "enum",
    "float32",
    "float64",
    "i8",
    "i16",
    "i32",
    "i64",
    "octets",
    "structure",
    "take",
    "text",
    "u8",
    "u16",
    "u32",
    "u64",
    "utf8",
]

MAX_DEPTH = 16
"""Deepest nesting that `encode` and `decode` follow; COSEM attributes stay far below, a hostile frame would not."""


def encode(value: Value) -> bytes:
    """Bytes of one value, tag first.

    Returns
    -------
    bytes. Raises ValueError where the content does not fit the tag and on nesting deeper than ``MAX_DEPTH``.

    >>> encode(structure(u16(3), octets(b"ab"))).hex()
    '020212000309026162'
    """
    parts: list[bytes] = []
    _write(value, parts, 0)
    return b"".join(parts)


def _write(value: Value, parts: list[bytes], depth: int) -> None:
    tag, content = value.tag, value.content
    if depth > MAX_DEPTH:
        raise ValueError(f"values are nested deeper than {MAX_DEPTH}: no COSEM attribute is")
    if not (tag in CONTAINERS and isinstance(content, tuple)):
        parts.append(bytes([tag]) + encode_scalar(tag, content))
    elif tag is Tag.COMPACT_ARRAY:
        parts.append(bytes([tag]) + compact.encode(content, MAX_DEPTH - depth))
    else:
        parts.append(bytes([tag]) + encode_length(len(content)))
        for member in content:
            _write(member, parts, depth + 1)


def decode(data: bytes) -> Value:
    """The one value that ``data`` hold.

    Returns
    -------
    Value. Raises ValueError on unknown tags, on data cut short, on bytes left over and on nesting deeper than
    ``MAX_DEPTH``.

    >>> decode(bytes.fromhex("0600000010")).number
    16
    """
    value, end = decode_at(data, 0)
    if end != len(data):
        raise ValueError(f"{len(data) - end} bytes are left over after the value: pass exactly one value")
    return value


def decode_at(data: bytes, at: int, depth: int = 0) -> tuple[Value, int]:
    """The value that starts at position ``at``, and the position after it; raises ValueError as `decode` does."""
    if at >= len(data):
        raise ValueError(f"cut short: a value is wanted at byte {at}, but the data end there")
    code = data[at]
    read = READERS.get(code)
    if read is not None:
        return read(data, at + 1)
    if code not in CONTAINERS:
        raise ValueError(f"unknown data tag 0x{code:02x} at byte {at}: not a type this codec knows")
    if code == Tag.COMPACT_ARRAY:
        members, end = compact.decode_at(data, at + 1, MAX_DEPTH - depth)
        return Value(Tag.COMPACT_ARRAY, members), end
    return _decode_members(Tag(code), data, at + 1, depth)


def _decode_members(tag: Tag, data: bytes, at: int, depth: int) -> tuple[Value, int]:
    n_members, at = decode_length(data, at)
    if n_members > len(data) - at:
        raise ValueError(f"{n_members} members announced at byte {at}, but only {len(data) - at} bytes follow")
    if n_members and depth >= MAX_DEPTH:
        raise ValueError(f"data are nested deeper than {MAX_DEPTH}: no COSEM attribute is")
    members = []
    for _ in range(n_members):
        member, at = decode_at(data, at, depth + 1)
        members.append(member)
    return Value(tag, tuple(members)), at
