"""What GET, SET and ACTION have in common: names of attributes and methods, result codes, blocks, lists.

References
----------
IEC 62056-5-3:2017 clause 8 (APDU definitions, encoded in A-XDR); IEC 61334-6:2000 (A-XDR).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple, TypeVar

from . import axdr
from .axdr import Value, take
from .obis import Obis

INVOKE = 0xC1
"""Invoke-id-and-priority with invoke id 1, confirmed, high priority."""


class DataAccess(IntEnum):
    """What became of reading or writing an attribute: Data-Access-Result."""

    SUCCESS = 0
    HARDWARE_FAULT = 1
    TEMPORARY_FAILURE = 2
    READ_WRITE_DENIED = 3
    OBJECT_UNDEFINED = 4
    OBJECT_CLASS_INCONSISTENT = 9
    OBJECT_UNAVAILABLE = 11
    TYPE_UNMATCHED = 12
    SCOPE_OF_ACCESS_VIOLATED = 13
    DATA_BLOCK_UNAVAILABLE = 14
    LONG_GET_ABORTED = 15
    NO_LONG_GET_IN_PROGRESS = 16
    LONG_SET_ABORTED = 17
    NO_LONG_SET_IN_PROGRESS = 18
    DATA_BLOCK_NUMBER_INVALID = 19
    OTHER_REASON = 250


class ActionResult(IntEnum):
    """What became of invoking a method: Action-Result."""

    SUCCESS = 0
    HARDWARE_FAULT = 1
    TEMPORARY_FAILURE = 2
    READ_WRITE_DENIED = 3
    OBJECT_UNDEFINED = 4
    OBJECT_CLASS_INCONSISTENT = 9
    OBJECT_UNAVAILABLE = 11
    TYPE_UNMATCHED = 12
    SCOPE_OF_ACCESS_VIOLATED = 13
    DATA_BLOCK_UNAVAILABLE = 14
    LONG_ACTION_ABORTED = 15
    NO_LONG_ACTION_IN_PROGRESS = 16
    OTHER_REASON = 250


_ACCESS_OF_CODE = {int(result): result for result in DataAccess}
_ACTION_OF_CODE = {int(result): result for result in ActionResult}


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of one object; ``selector`` 1 is by range, 2 by entry, 0 the whole attribute."""

    class_id: int
    obis: Obis
    number: int
    selector: int = 0
    parameters: Value = axdr.NULL


@dataclass(frozen=True, slots=True)
class Method:
    """One method of one object."""

    class_id: int
    obis: Obis
    number: int


class Part(NamedTuple):
    """How a field travels: ``write(value)`` gives its bytes, ``read(data, at)`` the value and where it ends."""

    write: Callable[[Any], bytes]
    read: Callable[[bytes, int], tuple[Any, int]]


class Form(NamedTuple):
    """One form of a service: its tag and choice, its class, and its fields in the order in which they travel.

    The class names its fields in the same order, and the invoke byte, which travels in front of them, last.
    """

    tag: int
    choice: int
    service: type
    parts: tuple[Part, ...]


_Item = TypeVar("_Item")


def unsigned(number: int, n_bytes: int, name: str) -> bytes:
    """``number`` in ``n_bytes`` bytes, most significant first; ValueError where it does not fit."""
    if not 0 <= number < 256**n_bytes:
        raise ValueError(f"{name} {number} does not fit {n_bytes} bytes: use 0 to {256**n_bytes - 1}")
    return number.to_bytes(n_bytes, "big")


def whole(data: bytes, at: int) -> None:
    """ValueError where ``data`` do not end at ``at``."""
    if at != len(data):
        raise ValueError(f"{len(data) - at} bytes are left over after the service: pass exactly one APDU")


def write_descriptor(item: Attribute | Method) -> bytes:
    """Class, logical name and number of an attribute or method, 9 bytes."""
    return unsigned(item.class_id, 2, "class id") + item.obis.octets + unsigned(item.number, 1, "member number")


def read_descriptor(data: bytes, at: int) -> tuple[int, Obis, int, int]:
    """Class, logical name, number, and the position after them."""
    content = take(data, at, 9)
    return content[0] << 8 | content[1], Obis._make(content[2:8]), content[8], at + 9


def write_attribute(attribute: Attribute) -> bytes:
    """Descriptor and access selection of an attribute."""
    if attribute.selector:
        selector = b"\x01" + unsigned(attribute.selector, 1, "selector")
        return write_descriptor(attribute) + selector + axdr.encode(attribute.parameters)
    if attribute.parameters != axdr.NULL:
        raise ValueError("selection parameters without a selector: give selector 1 (range) or 2 (entry)")
    return write_descriptor(attribute) + b"\x00"


def read_attribute(data: bytes, at: int) -> tuple[Attribute, int]:
    """An attribute with its access selection; ValueError for a selector of 0."""
    class_id, obis, number, at = read_descriptor(data, at)
    if not read_flag(data, at):
        return Attribute(class_id, obis, number), at + 1
    selector = take(data, at + 1, 1)[0]
    if selector == 0:
        raise ValueError("access selector 0: give 1 (range), 2 (entry) or leave the selection out")
    parameters, at = axdr.decode_at(data, at + 2)
    return Attribute(class_id, obis, number, selector, parameters), at


def read_method(data: bytes, at: int) -> tuple[Method, int]:
    """A method's descriptor."""
    class_id, obis, number, at = read_descriptor(data, at)
    return Method(class_id, obis, number), at


def read_flag(data: bytes, at: int) -> bool:
    """Whether an optional part follows: 0 or 1, ValueError for anything else."""
    flag = take(data, at, 1)[0]
    if flag > 1:
        raise ValueError(f"presence flag 0x{flag:02x} at byte {at}: 0 (absent) or 1 (present) is needed")
    return flag == 1


def read_access(data: bytes, at: int) -> tuple[DataAccess, int]:
    """A data access result; ValueError for a code that IEC 62056-5-3 does not know."""
    code = take(data, at, 1)[0]
    result = _ACCESS_OF_CODE.get(code)
    if result is None:
        raise ValueError(f"data access result {code} is not known: 0 to 4, 9, 11 to 19 or 250 are")
    return result, at + 1


def read_action_result(data: bytes, at: int) -> tuple[ActionResult, int]:
    """An action result; ValueError for a code that IEC 62056-5-3 does not know."""
    code = take(data, at, 1)[0]
    result = _ACTION_OF_CODE.get(code)
    if result is None:
        raise ValueError(f"action result {code} is not known: 0 to 4, 9, 11 to 16 or 250 are")
    return result, at + 1


def write_result(result: Value | DataAccess) -> bytes:
    """Get-Data-Result: 0 and the data, or 1 and a data access result."""
    if isinstance(result, DataAccess):
        return bytes([1, result])
    return b"\x00" + axdr.encode(result)


def read_result(data: bytes, at: int) -> tuple[Value | DataAccess, int]:
    """What `write_result` wrote; ValueError for any other choice."""
    choice = take(data, at, 1)[0]
    if choice == 0:
        return axdr.decode_at(data, at + 1)
    if choice != 1:
        raise ValueError(f"result choice {choice} at byte {at}: 0 (data) or 1 (access result) is needed")
    return read_access(data, at + 1)


def read_last(data: bytes, at: int) -> tuple[bool, int]:
    """Last-block flag; anything but 0 says last."""
    return take(data, at, 1)[0] != 0, at + 1


def write_raw(raw: bytes) -> bytes:
    """Length and bytes: a piece of encoded data."""
    return axdr.encode_length(len(raw)) + raw


def read_raw(data: bytes, at: int) -> tuple[bytes, int]:
    """What `write_raw` wrote."""
    length, at = axdr.decode_length(data, at)
    return take(data, at, length), at + length


def write_raw_result(result: bytes | DataAccess) -> bytes:
    """0 and a piece of encoded data, or 1 and a data access result."""
    return bytes([1, result]) if isinstance(result, DataAccess) else b"\x00" + write_raw(result)


def read_raw_result(data: bytes, at: int) -> tuple[bytes | DataAccess, int]:
    """What `write_raw_result` wrote; ValueError for any other choice."""
    choice = take(data, at, 1)[0]
    if choice > 1:
        raise ValueError(f"block result choice {choice}: 0 (data) or 1 (access result) is needed")
    return read_access(data, at + 1) if choice else read_raw(data, at + 1)


def read_u32(data: bytes, at: int) -> tuple[int, int]:
    """A number of four bytes."""
    return int.from_bytes(take(data, at, 4), "big"), at + 4


def write_list(items: Sequence[_Item], write: Callable[[_Item], bytes]) -> bytes:
    """Number of items and the items."""
    return axdr.encode_length(len(items)) + b"".join(map(write, items))


def read_list(data: bytes, at: int, read: Callable[[bytes, int], tuple[_Item, int]]) -> tuple[tuple[_Item, ...], int]:
    """What `write_list` wrote; every item has at least one byte, so more of them than bytes raise ValueError."""
    n_items, at = axdr.decode_length(data, at)
    if n_items > len(data) - at:
        raise ValueError(f"{n_items} items announced at byte {at}, but only {len(data) - at} bytes follow")
    items = []
    for _ in range(n_items):
        item, at = read(data, at)
        items.append(item)
    return tuple(items), at


def list_of(part: Part) -> Part:
    """Several of a part, their number in front."""
    return Part(lambda items: write_list(items, part.write), lambda data, at: read_list(data, at, part.read))


def optional(part: Part) -> Part:
    """A part that may be missing (None), its presence flag in front."""

    def write(value: Any) -> bytes:
        return b"\x00" if value is None else b"\x01" + part.write(value)

    def read(data: bytes, at: int) -> tuple[Any, int]:
        return part.read(data, at + 1) if read_flag(data, at) else (None, at + 1)

    return Part(write, read)


ATTRIBUTE = Part(write_attribute, read_attribute)
METHOD = Part(write_descriptor, read_method)
VALUE = Part(axdr.encode, axdr.decode_at)
RESULT = Part(write_result, read_result)
ACCESS = Part(lambda result: bytes([result]), read_access)
ACTION_RESULT = Part(lambda result: bytes([result]), read_action_result)
LAST = Part(lambda last: b"\x01" if last else b"\x00", read_last)
BLOCK = Part(lambda block: unsigned(block, 4, "block number"), read_u32)
RAW = Part(write_raw, read_raw)
RAW_RESULT = Part(write_raw_result, read_raw_result)
PIECE = (LAST, BLOCK, RAW)
"""A piece of a long value: whether it is the last, its number from 1, the bytes."""
