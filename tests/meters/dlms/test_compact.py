"""Compact arrays: known bytes, both ways, and hostile descriptions that must stay cheap."""

from __future__ import annotations

import contextlib
import tracemalloc

import pytest
from amiplan.meters.dlms import axdr, compact
from amiplan.meters.dlms.axdr import Tag, Value
from hypothesis import given, settings
from hypothesis import strategies as st

DRAWS = {
    Tag.NULL: st.none(),
    Tag.BOOLEAN: st.booleans(),
    Tag.U8: st.integers(0, 255),
    Tag.I16: st.integers(-(2**15), 2**15 - 1),
    Tag.U64: st.integers(0, 2**64 - 1),
    Tag.DELTA_U16: st.integers(0, 2**16 - 1),
    Tag.FLOAT64: st.floats(allow_nan=False),
    Tag.OCTETS: st.binary(max_size=20),
    Tag.BITS: st.text("01", max_size=20),
    Tag.UTF8: st.text(st.characters(exclude_categories=["Cs"]), max_size=9),
    Tag.DATE_TIME: st.binary(min_size=12, max_size=12),
}
single = st.sampled_from(sorted(DRAWS)).map(compact.Shape)
shapes = st.recursive(
    single,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda members: compact.Shape(Tag.STRUCTURE, tuple(members))),
        st.builds(lambda one, count: compact.Shape(Tag.ARRAY, (one,), count), inner, st.integers(1, 4)),
    ),
    max_leaves=6,
)


def drawn(shape: compact.Shape) -> st.SearchStrategy[Value]:
    if shape.tag in DRAWS:
        return DRAWS[shape.tag].map(lambda content: Value(shape.tag, content))
    inner = [drawn(one) for one in shape.members] * (shape.count or 1)
    return st.tuples(*inner).map(lambda members: Value(shape.tag, members))


members_of_one_shape = shapes.flatmap(lambda shape: st.lists(drawn(shape), min_size=1, max_size=5))


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ([], "13 00 00"),
        ([axdr.u16(1), axdr.u16(2)], "13 12 04 0001 0002"),
        ([axdr.octets(b"ab"), axdr.octets(b"")], "13 09 04 02 6162 00"),
        ([axdr.structure(axdr.u8(1), axdr.boolean(True))] * 2, "13 02 02 11 03 04 01 01 01 01"),
        ([axdr.array(axdr.u8(1), axdr.u8(2))], "13 01 0002 11 02 01 02"),
        ([axdr.structure(axdr.NULL, axdr.bits("11"))], "13 02 02 00 04 02 02 c0"),
        ([axdr.structure(axdr.structure(), axdr.u8(1))], "13 02 02 02 00 11 01 01"),
    ],
)
def test_known_bytes(members, expected):
    value = axdr.compact_array(*members)
    assert axdr.encode(value) == bytes.fromhex(expected)
    assert axdr.decode(bytes.fromhex(expected)) == value


@settings(max_examples=150, deadline=None)
@given(members_of_one_shape)
def test_what_is_encoded_decodes_to_itself(members):
    value = axdr.structure(axdr.u8(1), axdr.compact_array(*members), axdr.u8(2))
    if any(compact.sparse(compact.shape_of(member)) for member in members):
        with pytest.raises(ValueError, match="plain array"):
            axdr.encode(value)
    else:
        encoded = axdr.encode(value)
        assert axdr.decode(encoded) == value
        assert axdr.encode(axdr.decode(encoded)) == encoded


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from([0, 1, 2, 3, 4, 6, 9, 17, 18, 19, 255]), max_size=40).map(bytes))
def test_arbitrary_bytes_decode_or_raise_value_error(data):
    with contextlib.suppress(ValueError):
        value = axdr.decode(b"\x13" + data)
        assert axdr.decode(axdr.encode(value)) == value


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ([axdr.u8(1), axdr.u16(1)], "one type"),
        ([axdr.structure(axdr.u8(1)), axdr.structure(axdr.u8(1), axdr.u8(2))], "one type"),
        ([axdr.structure(axdr.u8(1)), axdr.structure(axdr.u16(1))], "one type"),
        ([axdr.array(axdr.u8(1)), axdr.array(axdr.u8(1), axdr.u8(1))], "one type"),
        ([axdr.array(axdr.u8(1), axdr.u16(1))], "of one type"),
        ([axdr.array()], "0 members"),
        ([axdr.array(*[axdr.u8(1)] * 65536)], "65536 members"),
        ([axdr.compact_array(axdr.u8(1))], "plain array"),
        ([Value(Tag.ARRAY, None)], "plain array"),
        ([axdr.NULL], "plain array"),
        ([axdr.structure()], "plain array"),
        ([axdr.structure(*[axdr.NULL] * 7, axdr.u8(1))], "plain array"),
        ([axdr.u8(1), axdr.u8(256)], "plain|fit"),
    ],
)
def test_members_that_no_compact_array_can_hold_are_refused(members, why):
    with pytest.raises(ValueError, match=why):
        axdr.encode(axdr.compact_array(*members))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("13", "cut short"),
        ("1311", "cut short"),
        ("13110301", "cut short"),
        ("13120100", "too few"),
        ("131203000102", "cut short"),
        ("13 09 02 02 61", "cut short"),
        ("13 13 06 00", "cannot stand"),
        ("13 07 00", "cannot stand"),
        ("13 01 0000 11 00", "no members"),
        ("13 02 05 11 00", "announced"),
        ("13 00 01 00", "plain array"),
        ("13 02 00 01 00", "plain array"),
        ("13 01 ffff 01 ffff 01 ffff 11 02 0000", "too few"),
        ("13 02 02 11 01 ffff 00 01 07", "plain array"),
        ("13" + "0201" * 16 + "11 01 07", "deep"),
    ],
)
def test_hostile_bytes_are_refused(data, why):
    with pytest.raises(ValueError, match=why):
        axdr.decode(bytes.fromhex(data))


def test_nesting_counts_from_the_outside():
    deepest = bytes.fromhex("0201" * 15 + "13 11 01 07")
    assert axdr.encode(axdr.decode(deepest)) == deepest
    for too_deep in ("0201" * 16 + "13 11 01 07", "0201" * 14 + "13 0201 0201 11 01 07"):
        with pytest.raises(ValueError, match="deep"):
            axdr.decode(bytes.fromhex(too_deep))
    nested = axdr.compact_array(axdr.u8(7))
    for _ in range(16):
        nested = axdr.structure(nested)
    with pytest.raises(ValueError, match="deep"):
        axdr.encode(nested)


def test_hostile_descriptions_stay_cheap():
    """Eight values a byte is the most that is accepted; nothing grows beyond a small multiple of the bytes."""
    content = axdr.encode_length(20_000) + bytes(20_000)
    accepted = b"\x13\x02\x07" + b"\x00" * 6 + b"\x11" + content
    refused = b"\x13\x02" + axdr.encode_length(20_000) + b"\x00" * 19_999 + b"\x11" + content
    tracemalloc.start()
    assert len(axdr.decode(accepted).items) == 20_000
    with pytest.raises(ValueError, match="plain array") as why:
        axdr.decode(refused)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 200 * len(refused)
    assert len(str(why.value)) < 300


def test_shapes_can_be_read():
    value = axdr.structure(axdr.octets(b""), axdr.array(axdr.u8(1), axdr.u8(2)))
    assert str(compact.shape_of(value)) == "structure(octets, array[2 x u8])"
