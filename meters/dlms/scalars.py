"""Single COSEM values as bytes without their tag, and the length field: what plain and compact data share.

References
----------
IEC 61334-6:2000 (A-XDR) for lengths, integers and strings; IEC 62056-6-2:2021, 4.1.5 and 4.1.6 for the COSEM types.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from .values import DONT_CARE, NULL, Content, Tag, Value

Reader = Callable[[bytes, int], tuple[Value, int]]

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
    Tag.BCD: struct.Struct(">B"),
    Tag.DELTA_I8: struct.Struct(">b"),
    Tag.DELTA_I16: struct.Struct(">h"),
    Tag.DELTA_I32: struct.Struct(">i"),
    Tag.DELTA_U8: struct.Struct(">B"),
    Tag.DELTA_U16: struct.Struct(">H"),
    Tag.DELTA_U32: struct.Struct(">I"),
}
_FLOATS = {Tag.FLOAT32: struct.Struct(">f"), Tag.FLOAT64: struct.Struct(">d")}
_MOMENT_BYTES = {Tag.DATE_TIME: 12, Tag.DATE: 5, Tag.TIME: 4}

N_BYTES = (
    {Tag.NULL: 0, Tag.DONT_CARE: 0, Tag.BOOLEAN: 1, Tag.BITS: 1, Tag.OCTETS: 1, Tag.TEXT: 1, Tag.UTF8: 1}
    | {tag: packed.size for tag, packed in (_INTEGERS | _FLOATS).items()}
    | _MOMENT_BYTES
)
"""Fewest bytes that a value of each single type takes, its tag not counted."""

INTEGER_RANGES = {
    tag: (-(1 << 8 * packed.size - 1), (1 << 8 * packed.size - 1) - 1)
    if packed.format[-1].islower()
    else (0, (1 << 8 * packed.size) - 1)
    for tag, packed in _INTEGERS.items()
}
"""Least and greatest number of each integer type."""


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
    """Length field at position ``at``: the length, and the position after it. ValueError when cut short.

    Leading zero bytes are accepted: some meters always send two or four length bytes.
    """
    first = take(data, at, 1)[0]
    if first < 128:
        return first, at + 1
    n_digits = first & 0x7F
    if not 1 <= n_digits <= 4:
        raise ValueError(f"length field 0x{first:02x} at byte {at}: only 1 to 4 length bytes are accepted")
    return int.from_bytes(take(data, at + 1, n_digits), "big"), at + 1 + n_digits


def take(data: bytes, at: int, n_bytes: int) -> bytes:
    """``n_bytes`` from position ``at``; ValueError when the data end before."""
    end = at + n_bytes
    if end > len(data):
        raise ValueError(f"cut short: {n_bytes} bytes wanted at byte {at}, only {max(len(data) - at, 0)} are there")
    return data[at:end]


def encode_scalar(tag: Tag, content: Content) -> bytes:
    """Bytes of one single value without its tag; ValueError where the content does not fit the tag.

    >>> encode_scalar(Tag.BITS, "1011").hex(), encode_scalar(Tag.DELTA_I16, -2).hex()
    ('04b0', 'fffe')
    """
    match content:
        case None if tag in (Tag.NULL, Tag.DONT_CARE):
            return b""
        case bool() if tag is Tag.BOOLEAN:
            return b"\x01" if content else b"\x00"
        case int() if tag in _INTEGERS and not isinstance(content, bool):
            return _encode_integer(tag, content)
        case float() if tag in _FLOATS:
            return _encode_float(tag, content)
        case bytes() if tag is Tag.OCTETS:
            return encode_length(len(content)) + content
        case bytes() if len(content) == _MOMENT_BYTES.get(tag):
            return content
        case str():
            return _encode_string(tag, content)
    raise _misfit(tag, content)


def _misfit(tag: Tag, content: Content) -> ValueError:
    return ValueError(f"{content!r:.60} cannot be {tag.name.lower()}: give content of that type")


def _encode_integer(tag: Tag, number: int) -> bytes:
    try:
        return _INTEGERS[tag].pack(number)
    except struct.error as wrong:
        raise ValueError(f"{number} does not fit {tag.name.lower()}: use a wider integer type") from wrong


def _encode_float(tag: Tag, number: float) -> bytes:
    if number != number:
        raise ValueError(f"NaN cannot be {tag.name.lower()}: send null-data where there is no reading")
    try:
        return _FLOATS[tag].pack(number)
    except OverflowError as wrong:
        raise ValueError(f"{number} does not fit {tag.name.lower()}: use float64") from wrong


def _encode_string(tag: Tag, content: str) -> bytes:
    if tag is Tag.BITS and not content.strip("01"):
        n_bytes = -(-len(content) // 8)
        return encode_length(len(content)) + int("0" + content.ljust(8 * n_bytes, "0"), 2).to_bytes(n_bytes, "big")
    if tag is Tag.TEXT and content.isascii():
        return encode_length(len(content)) + content.encode("ascii")
    if tag is Tag.UTF8:
        try:
            encoded = content.encode()
        except UnicodeEncodeError as wrong:
            raise ValueError(f"{content!a:.60} is no UTF-8 text: leave out lone surrogates") from wrong
        return encode_length(len(encoded)) + encoded
    raise _misfit(tag, content)


def _cut_short(tag: Tag, at: int) -> ValueError:
    return ValueError(f"cut short: {tag.name.lower()} at byte {at} ends after the data")


def _integer_reader(tag: Tag, packed: struct.Struct) -> Reader:
    n_bytes, unpack = packed.size, packed.unpack_from

    def read(data: bytes, at: int) -> tuple[Value, int]:
        end = at + n_bytes
        if end > len(data):
            raise _cut_short(tag, at)
        return Value(tag, unpack(data, at)[0]), end

    return read


def _float_reader(tag: Tag, packed: struct.Struct) -> Reader:
    def read(data: bytes, at: int) -> tuple[Value, int]:
        [number] = packed.unpack(take(data, at, packed.size))
        if number != number:
            raise ValueError(f"{tag.name.lower()} at byte {at} is NaN: a meter sends null-data where it has no reading")
        return Value(tag, number), at + packed.size

    return read


def _moment_reader(tag: Tag, n_bytes: int) -> Reader:
    def read(data: bytes, at: int) -> tuple[Value, int]:
        return Value(tag, take(data, at, n_bytes)), at + n_bytes

    return read


def _string_reader(tag: Tag, encoding: str) -> Reader:
    def read(data: bytes, at: int) -> tuple[Value, int]:
        length, start = decode_length(data, at)
        try:
            return Value(tag, take(data, start, length).decode(encoding)), start + length
        except UnicodeDecodeError:
            raise ValueError(f"{tag.name.lower()} at byte {start} is no {encoding} text: read it as bytes") from None

    return read


def _read_octets(data: bytes, at: int) -> tuple[Value, int]:
    length, start = decode_length(data, at)
    end = start + length
    if end > len(data):
        raise _cut_short(Tag.OCTETS, start)
    return Value(Tag.OCTETS, data[start:end]), end


def _read_boolean(data: bytes, at: int) -> tuple[Value, int]:
    return Value(Tag.BOOLEAN, take(data, at, 1) != b"\x00"), at + 1


def _read_bits(data: bytes, at: int) -> tuple[Value, int]:
    n_bits, start = decode_length(data, at)
    n_bytes = -(-n_bits // 8)
    packed = take(data, start, n_bytes)
    digits = f"{int.from_bytes(packed, 'big'):0{8 * n_bytes}b}" if n_bits else ""
    if "1" in digits[n_bits:]:
        raise ValueError(f"bit-string at byte {start} has bits set behind its {n_bits}: padding must be zero")
    return Value(Tag.BITS, digits[:n_bits]), start + n_bytes


READERS: dict[int, Reader] = {
    Tag.NULL: lambda data, at: (NULL, at),
    Tag.DONT_CARE: lambda data, at: (DONT_CARE, at),
    Tag.BOOLEAN: _read_boolean,
    Tag.BITS: _read_bits,
    Tag.OCTETS: _read_octets,
    Tag.TEXT: _string_reader(Tag.TEXT, "ascii"),
    Tag.UTF8: _string_reader(Tag.UTF8, "utf-8"),
    **{tag: _integer_reader(tag, packed) for tag, packed in _INTEGERS.items()},
    **{tag: _float_reader(tag, packed) for tag, packed in _FLOATS.items()},
    **{tag: _moment_reader(tag, n_bytes) for tag, n_bytes in _MOMENT_BYTES.items()},
}
"""Per tag: reads one single value, without its tag, at a position; gives it and the position after it."""
