"""Compact arrays: members of one shape, whose types travel once, in front, and whose contents travel without tags.

References
----------
IEC 62056-6-2:2021, 4.1.5 (compact-array) and the type description of IEC 62056-5-3:2017 clause 9.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .scalars import N_BYTES, READERS, decode_length, encode_length, encode_scalar, take
from .values import Tag, Value

MAX_VALUES_PER_BYTE = 8
"""Most values that a member may hold per byte of its contents: null-data and structures take none, and a hostile
description would make millions of them out of one frame."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Type of one member: its tag; a structure names each of its members, an array one and their number."""

    tag: Tag
    members: tuple[Shape, ...] = ()
    count: int = 0

    def __str__(self) -> str:
        inner = ", ".join(map(str, self.members))
        return self.tag.name.lower() + (f"[{self.count} x {inner}]" if self.count else f"({inner})" if inner else "")


def shape_of(value: Value, levels: int = 16) -> Shape:
    """Type of a value, ``levels`` deep at most.

    Returns
    -------
    Shape. Raises ValueError for empty or mixed arrays, arrays above 65 535 members and nested compact arrays, none of
    which a type description can name.

    >>> str(shape_of(Value(Tag.ARRAY, (Value(Tag.U8, 1), Value(Tag.U8, 2)))))
    'array[2 x u8]'
    """
    _check_levels(levels)
    if value.tag in READERS:
        return Shape(value.tag)
    if value.tag is Tag.COMPACT_ARRAY or not isinstance(value.content, tuple):
        raise ValueError(f"a {value.tag.name.lower()} cannot stand inside a compact array: send a plain array")
    inner = tuple(shape_of(member, levels - 1) for member in value.content)
    if value.tag is Tag.STRUCTURE:
        return Shape(Tag.STRUCTURE, inner)
    if not 1 <= len(inner) <= 0xFFFF or any(one != inner[0] for one in inner):
        raise ValueError(f"an array of {len(inner)} members inside a compact array: 1 to 65535 of one type are needed")
    return Shape(Tag.ARRAY, inner[:1], len(inner))


def encode(members: Sequence[Value], levels: int = 16) -> bytes:
    """Type description and contents, without the tag 0x13; an empty one is described as null-data.

    Returns
    -------
    bytes. Raises ValueError where the members differ in shape, take no bytes, or are nested deeper than ``levels``.

    >>> encode([Value(Tag.U16, 1), Value(Tag.U16, 2)]).hex()
    '120400010002'
    """
    _check_levels(levels - 1)
    shape = shape_of(members[0], levels - 1) if members else Shape(Tag.NULL)
    if members:
        _check_bulk(shape)
    contents = b"".join(_contents(shape, member) for member in members)
    return _description(shape) + encode_length(len(contents)) + contents


def decode_at(data: bytes, at: int, levels: int = 16) -> tuple[tuple[Value, ...], int]:
    """Members of the compact array whose type description starts at ``at``, and the position after it.

    Time and memory stay within a small multiple of the bytes. Raises ValueError on unknown types, on contents that do
    not hold whole members, and on members of more than ``MAX_VALUES_PER_BYTE`` values a byte.
    """
    _check_levels(levels - 1)
    shape, at = _decode_description(data, at, levels - 1)
    length, at = decode_length(data, at)
    contents = take(data, at, length)
    if contents:
        _check_bulk(shape)
    if contents and _extent(shape)[1] > length:
        raise ValueError(f"compact array of {shape!s:.80}: {length} bytes of contents are too few for one member")
    members, position = [], 0
    while position < length:
        member, position = _read(shape, contents, position)
        members.append(member)
    return tuple(members), at + length


def _check_levels(levels: int) -> None:
    if levels < 0:
        raise ValueError("a compact array is nested too deep: no COSEM attribute is")


def sparse(shape: Shape) -> bool:
    """Whether members of this shape hold more than ``MAX_VALUES_PER_BYTE`` values a byte, or take no bytes at all.

    >>> sparse(Shape(Tag.NULL)), sparse(Shape(Tag.U8))
    (True, False)
    """
    n_values, n_bytes = _extent(shape)
    return n_values > MAX_VALUES_PER_BYTE * n_bytes


def _check_bulk(shape: Shape) -> None:
    if sparse(shape):
        n_values, n_bytes = _extent(shape)
        raise ValueError(f"compact array of {n_values} values in {n_bytes} bytes a member: send a plain array instead")


def _extent(shape: Shape) -> tuple[int, int]:
    """Values in one member, and the fewest bytes that they take."""
    inner = [_extent(one) for one in shape.members]
    times = shape.count or 1
    n_values = 1 + times * sum(n_values for n_values, _ in inner)
    return n_values, N_BYTES.get(shape.tag, 0) + times * sum(n_bytes for _, n_bytes in inner)


def _description(shape: Shape) -> bytes:
    if shape.tag is Tag.STRUCTURE:
        return bytes([shape.tag]) + encode_length(len(shape.members)) + b"".join(map(_description, shape.members))
    if shape.tag is Tag.ARRAY:
        return bytes([shape.tag]) + shape.count.to_bytes(2, "big") + _description(shape.members[0])
    return bytes([shape.tag])


def _decode_description(data: bytes, at: int, levels: int) -> tuple[Shape, int]:
    _check_levels(levels)
    code = take(data, at, 1)[0]
    at += 1
    if code in READERS:
        return Shape(Tag(code)), at
    if code == Tag.ARRAY:
        count = int.from_bytes(take(data, at, 2), "big")
        if not count:
            raise ValueError(f"array of no members described at byte {at}: at least one is needed")
        inner, at = _decode_description(data, at + 2, levels - 1)
        return Shape(Tag.ARRAY, (inner,), count), at
    if code != Tag.STRUCTURE:
        raise ValueError(f"type 0x{code:02x} at byte {at - 1} cannot stand inside a compact array")
    return _decode_structure(data, at, levels)


def _decode_structure(data: bytes, at: int, levels: int) -> tuple[Shape, int]:
    n_members, at = decode_length(data, at)
    if n_members > len(data) - at:
        raise ValueError(f"{n_members} types announced at byte {at}, but only {len(data) - at} bytes follow")
    members = []
    for _ in range(n_members):
        member, at = _decode_description(data, at, levels - 1)
        members.append(member)
    return Shape(Tag.STRUCTURE, tuple(members)), at


def _contents(shape: Shape, value: Value) -> bytes:
    if value.tag is not shape.tag:
        raise ValueError(
            f"a {value.tag.name.lower()} among members of type {shape!s:.80}: a compact array holds one type"
        )
    if shape.tag in READERS:
        return encode_scalar(value.tag, value.content)
    inner = _inner(shape)
    if len(value.items) != len(inner):
        raise ValueError(
            f"{len(value.items)} members where {shape!s:.80} has {len(inner)}: a compact array holds one type"
        )
    return b"".join(map(_contents, inner, value.items))


def _read(shape: Shape, contents: bytes, at: int) -> tuple[Value, int]:
    read = READERS.get(shape.tag)
    if read is not None:
        return read(contents, at)
    members = []
    for one in _inner(shape):
        member, at = _read(one, contents, at)
        members.append(member)
    return Value(shape.tag, tuple(members)), at


def _inner(shape: Shape) -> tuple[Shape, ...]:
    return shape.members * (shape.count or 1)
