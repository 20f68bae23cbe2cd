"""A-XDR, the way COSEM data travels as bytes: typed values, encoded and decoded strictly.

References
----------
IEC 61334-6:2000 (A-XDR); the COSEM data types and their tags after IEC 62056-6-2:2021 table 4 and
IEC 62056-5-3:2017 clause 9 (the Data choice).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from enum import IntEnum

MAX_DEPTH = 16
"""Deepest nesting that `decode` follows; COSEM attributes stay far below, a hostile frame would not."""


class Tag(IntEnum):
    """Type tags of the COSEM Data choice that this codec knows."""

    NULL = 0
    ARRAY = 1
    STRUCTURE = 2
    BOOLEAN = 3
    I32 = 5
    U32 = 6
    OCTETS = 9
    TEXT = 10
    I8 = 15
    I16 = 16
    U8 = 17
    U16 = 18
    I64 = 20
    U64 = 21
    ENUM = 22
    DATE_TIME = 25


Content = None | bool | int | bytes | str | tuple["Value", ...]

_INTEGERS = {
    Tag.I8: struct.Struct(">b"),
    Tag.I16: struct.Struct(">h"),
    Tag.I32: struct.Struct(">i"),
    Tag.I64: struct.Struct(">q"),
    Tag.U8: struct.Struct(">B"),
    Tag.U16: struct.Struct(">H"),
    Tag.U32: struct.Struct(">I"),
    Tag.U64: struct.Struct(">Q"),
    Tag.ENUM: struct.Struct(">B"),
}


@dataclass(frozen=True, slots=True)
class Value:
    """One COSEM data value: its tag, and what it holds.

    NULL holds None, BOOLEAN a bool, integers and ENUM an int, OCTETS bytes, TEXT an ASCII str, DATE_TIME 12 bytes,
    ARRAY and STRUCTURE a tuple of values.
    """

    tag: Tag
    content: Content

    @property
    def number(self) -> int:
        """The integer inside; ValueError for any other type."""
        if self.tag not in _INTEGERS or not isinstance(self.content, int):
            raise ValueError(f"expected an integer, found {self.tag.name.lower()}: read another attribute")
        return self.content

    @property
    def octets(self) -> bytes:
        """The bytes inside an octet-string or date-time; ValueError for any other type."""
        if not isinstance(self.content, bytes):
            raise ValueError(f"expected an octet-string, found {self.tag.name.lower()}: read another attribute")
        return self.content

    @property
    def items(self) -> tuple[Value, ...]:
        """The members of an array or structure; ValueError for any other type."""
        if not isinstance(self.content, tuple):
            raise ValueError(f"expected an array or structure, found {self.tag.name.lower()}: read another attribute")
        return self.content


NULL = Value(Tag.NULL, None)


def u8(number: int) -> Value:
    """Unsigned8, 0 to 255."""
    return Value(Tag.U8, number)


def u16(number: int) -> Value:
    """Unsigned16, 0 to 65 535."""
    return Value(Tag.U16, number)


def u32(number: int) -> Value:
    """Unsigned32, 0 to 2^32 - 1."""
    return Value(Tag.U32, number)


def i8(number: int) -> Value:
    """Integer8, -128 to 127."""
    return Value(Tag.I8, number)


def enum(number: int) -> Value:
    """Enumeration, 0 to 255."""
    return Value(Tag.ENUM, number)


def octets(content: bytes) -> Value:
    """Octet-string of any length."""
    return Value(Tag.OCTETS, content)


def array(*members: Value) -> Value:
    """Array: members of one type."""
    return Value(Tag.ARRAY, members)


def structure(*members: Value) -> Value:
    """Structure: members of any types."""
    return Value(Tag.STRUCTURE, members)


def encode_length(length: int) -> bytes:
    """Length field: one byte below 128, else 0x80 + number of bytes and the length, most significant first.

    >>> encode_length(127).hex(), encode_length(300).hex()
    ('7f', '82012c')
    """
    if not 0 <= length < 2**32:
        raise ValueError(f"length {length} cannot be encoded: use 0 to 2^32 - 1")
    if length < 128:
        return bytes([length])
    digits = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(digits)]) + digits


def decode_length(data: bytes, at: int) -> tuple[int, int]:
    """Length field at position ``at``: the length, and the position after it. ValueError when cut short."""
    first = take(data, at, 1)[0]
    if first < 128:
        return first, at + 1
    n_digits = first & 0x7F
    if not 1 <= n_digits <= 4:
        raise ValueError(f"length field 0x{first:02x} at byte {at}: only 1 to 4 length bytes are accepted")
    return int.from_bytes(take(data, at + 1, n_digits), "big"), at + 1 + n_digits


def take(data: bytes, at: int, n_bytes: int) -> bytes:
    """``n_bytes`` from position ``at``; ValueError when the data end before."""
    if at + n_bytes > len(data):
        raise ValueError(f"cut short: {n_bytes} bytes wanted at byte {at}, only {max(len(data) - at, 0)} are there")
    return data[at : at + n_bytes]


def encode(value: Value) -> bytes:
    """Bytes of one value, tag first.

    Returns
    -------
    bytes. Raises ValueError where the content does not fit the tag.

    >>> encode(structure(u16(3), octets(b"ab"))).hex()
    '020212000309026162'
    """
    return bytes([value.tag]) + _encode_content(value)


def _encode_content(value: Value) -> bytes:
    tag, content = value.tag, value.content
    if tag is Tag.NULL and content is None:
        return b""
    if tag is Tag.BOOLEAN and isinstance(content, bool):
        return b"\x01" if content else b"\x00"
    if tag in _INTEGERS and isinstance(content, int) and not isinstance(content, bool):
        return _encode_integer(tag, content)
    if tag is Tag.OCTETS and isinstance(content, bytes):
        return encode_length(len(content)) + content
    if tag is Tag.DATE_TIME and isinstance(content, bytes) and len(content) == 12:
        return content
    if tag is Tag.TEXT and isinstance(content, str) and content.isascii():
        return encode_length(len(content)) + content.encode("ascii")
    if tag in (Tag.ARRAY, Tag.STRUCTURE) and isinstance(content, tuple):
        return encode_length(len(content)) + b"".join(map(encode, content))
    raise ValueError(f"{content!r:.60} cannot be {tag.name.lower()}: give content of that type")


def _encode_integer(tag: Tag, number: int) -> bytes:
    try:
        return _INTEGERS[tag].pack(number)
    except struct.error as wrong:
        raise ValueError(f"{number} does not fit {tag.name.lower()}: use a wider integer type") from wrong


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
    if depth > MAX_DEPTH:
        raise ValueError(f"data are nested deeper than {MAX_DEPTH}: no COSEM attribute is")
    code = take(data, at, 1)[0]
    try:
        tag = Tag(code)
    except ValueError:
        raise ValueError(f"unknown data tag 0x{code:02x} at byte {at}: not a type this codec knows") from None
    at += 1
    if tag is Tag.NULL:
        return NULL, at
    if tag in _INTEGERS:
        packed = _INTEGERS[tag]
        return Value(tag, packed.unpack(take(data, at, packed.size))[0]), at + packed.size
    if tag is Tag.BOOLEAN:
        return Value(tag, take(data, at, 1) != b"\x00"), at + 1
    if tag is Tag.DATE_TIME:
        return Value(tag, take(data, at, 12)), at + 12
    length, at = decode_length(data, at)
    if tag in (Tag.OCTETS, Tag.TEXT):
        return _decode_string(tag, take(data, at, length), at)
    return _decode_members(tag, data, at, length, depth)


def _decode_string(tag: Tag, content: bytes, at: int) -> tuple[Value, int]:
    end = at + len(content)
    if tag is Tag.OCTETS:
        return Value(tag, content), end
    if not content.isascii():
        raise ValueError(f"visible-string at byte {at} holds bytes above 127: only ASCII is allowed")
    return Value(tag, content.decode("ascii")), end


def _decode_members(tag: Tag, data: bytes, at: int, n_members: int, depth: int) -> tuple[Value, int]:
    if n_members > len(data) - at:
        raise ValueError(f"{n_members} members announced at byte {at}, but only {len(data) - at} bytes follow")
    members = []
    for _ in range(n_members):
        member, at = decode_at(data, at, depth + 1)
        members.append(member)
    return Value(tag, tuple(members)), at


_UNSET_DEVIATION = -0x8000


def date_time_octets(moment: datetime) -> bytes:
    """A moment as the 12 bytes of a COSEM date-time.

    Parameters
    ----------
    moment
        With a time zone, whose offset becomes the deviation (minutes, sign reversed); without one the deviation is
        marked unset. Years 1 to 9999.

    References
    ----------
    IEC 62056-6-2:2021, 4.1.6.1: year, month, day, weekday (1 Monday), hour, minute, second, hundredths, deviation,
    clock status.

    >>> date_time_octets(datetime(2026, 1, 1, tzinfo=UTC)).hex()
    '07ea01010400000000000000'
    """
    offset = moment.utcoffset()
    deviation = _UNSET_DEVIATION if offset is None else -int(offset.total_seconds() // 60)
    return struct.pack(
        ">HBBBBBBBhB",
        moment.year,
        moment.month,
        moment.day,
        moment.isoweekday(),
        moment.hour,
        moment.minute,
        moment.second,
        moment.microsecond // 10_000,
        deviation,
        0,
    )


def date_time(content: bytes) -> datetime:
    """The moment that 12 bytes of COSEM date-time name.

    A weekday or hundredths of 0xFF (not specified) are accepted, as clients send them; a deviation of 0x8000 gives a
    moment without time zone. Raises ValueError for other wildcards, impossible dates and any other length.

    >>> date_time(bytes.fromhex("07ea0101ff0f000000000000")).isoformat()
    '2026-01-01T15:00:00+00:00'
    """
    if len(content) != 12:
        raise ValueError(f"a date-time has 12 bytes, not {len(content)}")
    year, month, day, _, hour, minute, second, hundredths, deviation, _ = struct.unpack(">HBBBBBBBhB", content)
    hundredths = 0 if hundredths == 0xFF else hundredths
    if deviation == _UNSET_DEVIATION:
        zone = None
    elif abs(deviation) <= 720:
        zone = UTC if deviation == 0 else timezone(timedelta(minutes=-deviation))
    else:
        raise ValueError(f"deviation {deviation} minutes: a date-time allows -720 to 720")
    return datetime(year, month, day, hour, minute, second, hundredths * 10_000, zone)
