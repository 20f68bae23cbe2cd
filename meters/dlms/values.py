"""COSEM data as objects: a type tag and what it holds.

References
----------
The COSEM data types and their tags after IEC 62056-6-2:2021 table 4 and IEC 62056-5-3:2017 clause 9 (the Data choice).
The delta types 28 to 33 came with later editions; tags and widths agree with two public implementations.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum


class Tag(IntEnum):
    """Type tags of the COSEM Data choice."""

    NULL = 0
    ARRAY = 1
    STRUCTURE = 2
    BOOLEAN = 3
    BITS = 4
    I32 = 5
    U32 = 6
    OCTETS = 9
    TEXT = 10
    UTF8 = 12
    BCD = 13
    I8 = 15
    I16 = 16
    U8 = 17
    U16 = 18
    COMPACT_ARRAY = 19
    I64 = 20
    U64 = 21
    ENUM = 22
    FLOAT32 = 23
    FLOAT64 = 24
    DATE_TIME = 25
    DATE = 26
    TIME = 27
    DELTA_I8 = 28
    DELTA_I16 = 29
    DELTA_I32 = 30
    DELTA_U8 = 31
    DELTA_U16 = 32
    DELTA_U32 = 33
    DONT_CARE = 255


Content = None | bool | int | float | bytes | str | tuple["Value", ...]

NUMBERS = frozenset({Tag.I8, Tag.I16, Tag.I32, Tag.I64, Tag.U8, Tag.U16, Tag.U32, Tag.U64, Tag.ENUM})
"""Types whose content is a number as it stands; a delta is none before its buffer is expanded, a BCD byte never."""

CONTAINERS = frozenset({Tag.ARRAY, Tag.STRUCTURE, Tag.COMPACT_ARRAY})
"""Types that hold further values."""


@dataclass(frozen=True, slots=True)
class Value:
    """One COSEM data value: its tag, and what it holds.

    NULL and DONT_CARE hold None, BOOLEAN a bool, integers, deltas and ENUM an int, BCD its raw byte as an int, FLOAT32
    and FLOAT64 a float, OCTETS bytes, TEXT an ASCII str, UTF8 a str, BITS a str of 0 and 1 (first bit first),
    DATE_TIME, DATE and TIME their 12, 5 and 4 bytes, ARRAY, STRUCTURE and COMPACT_ARRAY a tuple of values.
    """

    tag: Tag
    content: Content

    @property
    def number(self) -> int:
        """The integer inside; ValueError for any other type."""
        if self.tag not in NUMBERS or not isinstance(self.content, int):
            raise ValueError(f"expected an integer, found {self.tag.name.lower()}: read another attribute")
        return self.content

    @property
    def octets(self) -> bytes:
        """The bytes inside an octet-string, date-time, date or time; ValueError for any other type."""
        if not isinstance(self.content, bytes):
            raise ValueError(f"expected an octet-string, found {self.tag.name.lower()}: read another attribute")
        return self.content

    @property
    def items(self) -> tuple[Value, ...]:
        """The members of an array, structure or compact array; ValueError for any other type."""
        if not isinstance(self.content, tuple):
            raise ValueError(f"expected an array or structure, found {self.tag.name.lower()}: read another attribute")
        return self.content


NULL = Value(Tag.NULL, None)
DONT_CARE = Value(Tag.DONT_CARE, None)


def boolean(truth: bool) -> Value:
    """Boolean."""
    return Value(Tag.BOOLEAN, truth)


def u8(number: int) -> Value:
    """Unsigned8, 0 to 255."""
    return Value(Tag.U8, number)


def u16(number: int) -> Value:
    """Unsigned16, 0 to 65 535."""
    return Value(Tag.U16, number)


def u32(number: int) -> Value:
    """Unsigned32, 0 to 2^32 - 1."""
    return Value(Tag.U32, number)


def u64(number: int) -> Value:
    """Unsigned64, 0 to 2^64 - 1."""
    return Value(Tag.U64, number)


def i8(number: int) -> Value:
    """Integer8, -128 to 127."""
    return Value(Tag.I8, number)


def i16(number: int) -> Value:
    """Integer16, -2^15 to 2^15 - 1."""
    return Value(Tag.I16, number)


def i32(number: int) -> Value:
    """Integer32, -2^31 to 2^31 - 1."""
    return Value(Tag.I32, number)


def i64(number: int) -> Value:
    """Integer64, -2^63 to 2^63 - 1."""
    return Value(Tag.I64, number)


def enum(number: int) -> Value:
    """Enumeration, 0 to 255."""
    return Value(Tag.ENUM, number)


def float32(number: float) -> Value:
    """Single precision, rounded here to the nearest that four bytes hold; ValueError where none does."""
    try:
        return Value(Tag.FLOAT32, struct.unpack(">f", struct.pack(">f", number))[0])
    except OverflowError:
        raise ValueError(f"{number} does not fit float32: use float64") from None


def float64(number: float) -> Value:
    """Double precision."""
    return Value(Tag.FLOAT64, number)


def octets(content: bytes) -> Value:
    """Octet-string of any length."""
    return Value(Tag.OCTETS, content)


def text(content: str) -> Value:
    """Visible-string, ASCII only."""
    return Value(Tag.TEXT, content)


def utf8(content: str) -> Value:
    """UTF-8 string."""
    return Value(Tag.UTF8, content)


def bits(content: str) -> Value:
    """Bit-string, written as 0 and 1, first bit first."""
    return Value(Tag.BITS, content)


def array(*members: Value) -> Value:
    """Array: members of one type."""
    return Value(Tag.ARRAY, members)


def structure(*members: Value) -> Value:
    """Structure: members of any types."""
    return Value(Tag.STRUCTURE, members)


def compact_array(*members: Value) -> Value:
    """Compact array: members of one shape, whose types travel once."""
    return Value(Tag.COMPACT_ARRAY, members)
