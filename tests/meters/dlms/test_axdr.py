import contextlib
import doctest
import importlib
from datetime import UTC, datetime, timedelta, timezone

import pytest
from amiplan.meters.dlms import axdr
from amiplan.meters.dlms.axdr import Tag, Value
from amiplan.meters.dlms.obis import Obis
from hypothesis import given, settings
from hypothesis import strategies as st

SIGNED = {Tag.I8: 8, Tag.I16: 16, Tag.I32: 32, Tag.I64: 64}
UNSIGNED = {Tag.U8: 8, Tag.U16: 16, Tag.U32: 32, Tag.U64: 64, Tag.ENUM: 8}

integers = st.one_of(
    *(st.integers(-(2 ** (n - 1)), 2 ** (n - 1) - 1).map(lambda x, t=t: Value(t, x)) for t, n in SIGNED.items()),
    *(st.integers(0, 2**n - 1).map(lambda x, t=t: Value(t, x)) for t, n in UNSIGNED.items()),
)
leaves = st.one_of(
    st.just(axdr.NULL),
    st.booleans().map(lambda x: Value(Tag.BOOLEAN, x)),
    integers,
    st.binary(max_size=300).map(axdr.octets),
    st.text(st.characters(max_codepoint=127), max_size=200).map(lambda x: Value(Tag.TEXT, x)),
    st.binary(min_size=12, max_size=12).map(lambda x: Value(Tag.DATE_TIME, x)),
)
values = st.recursive(
    leaves,
    lambda inner: st.builds(
        lambda tag, members: Value(tag, tuple(members)),
        st.sampled_from([Tag.ARRAY, Tag.STRUCTURE]),
        st.lists(inner, max_size=6),
    ),
    max_leaves=20,
)


@settings(max_examples=150, deadline=None)
@given(values)
def test_what_is_encoded_decodes_to_itself(value):
    assert axdr.decode(axdr.encode(value)) == value


@settings(max_examples=50, deadline=None)
@given(values, st.data())
def test_every_truncation_is_refused(value, data):
    encoded = axdr.encode(value)
    cut = data.draw(st.integers(0, len(encoded) - 1))
    with pytest.raises(ValueError):
        axdr.decode(encoded[:cut])


@settings(max_examples=50, deadline=None)
@given(values)
def test_trailing_bytes_are_refused(value):
    with pytest.raises(ValueError, match="left over"):
        axdr.decode(axdr.encode(value) + b"\x00")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_arbitrary_bytes_decode_or_raise_value_error(data):
    with contextlib.suppress(ValueError):
        assert axdr.decode(axdr.encode(axdr.decode(data))) == axdr.decode(data)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (axdr.NULL, "00"),
        (Value(Tag.BOOLEAN, True), "0301"),
        (Value(Tag.I8, -1), "0fff"),
        (Value(Tag.I32, -2), "05fffffffe"),
        (axdr.u32(0x12345678), "0612345678"),
        (Value(Tag.U64, 2**64 - 1), "15" + "ff" * 8),
        (axdr.enum(30), "161e"),
        (Value(Tag.TEXT, "AMP"), "0a03414d50"),
        (axdr.structure(axdr.i8(-3), axdr.enum(30)), "02020ffd161e"),
        (axdr.array(), "0100"),
        (axdr.octets(b"x" * 200), "0981c8" + "78" * 200),
    ],
)
def test_known_encodings(value, expected):
    assert axdr.encode(value).hex() == expected


@pytest.mark.parametrize(
    "value",
    [
        axdr.u8(256),
        axdr.u8(-1),
        Value(Tag.I8, 128),
        Value(Tag.U8, True),
        Value(Tag.NULL, 0),
        Value(Tag.BOOLEAN, 1),
        Value(Tag.TEXT, "ü"),
        Value(Tag.OCTETS, "text"),
        Value(Tag.DATE_TIME, b"short"),
        Value(Tag.ARRAY, None),
    ],
)
def test_content_that_does_not_fit_its_tag_is_refused(value):
    with pytest.raises(ValueError):
        axdr.encode(value)


def test_deep_nesting_is_refused():
    assert axdr.decode(bytes([2, 1] * 16 + [0])).tag is Tag.STRUCTURE
    with pytest.raises(ValueError, match="deeper"):
        axdr.decode(bytes([2, 1] * 2000 + [0]))


@pytest.mark.parametrize(
    ("data", "why"),
    [("0984ffffffff00", "cut short"), ("0185000000000000", "length"), ("04", "unknown"), ("0182ffff00", "members")],
)
def test_lying_lengths_and_unknown_tags_are_refused(data, why):
    with pytest.raises(ValueError, match=why):
        axdr.decode(bytes.fromhex(data))


@settings(max_examples=50, deadline=None)
@given(
    st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)),
    st.one_of(st.none(), st.integers(-720, 720).map(lambda m: timezone(timedelta(minutes=m)))),
)
def test_moments_return(moment, zone):
    moment = moment.replace(microsecond=moment.microsecond // 10_000 * 10_000, tzinfo=zone)
    assert axdr.date_time(axdr.date_time_octets(moment)) == moment


def test_deviation_has_the_reversed_sign():
    moment = datetime(2026, 7, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    assert int.from_bytes(axdr.date_time_octets(moment)[9:11], "big", signed=True) == -120
    assert axdr.date_time(axdr.date_time_octets(moment)).astimezone(UTC).hour == 10


@pytest.mark.parametrize(
    "content",
    [
        "07ea0101",
        "ffff0101ff0f000000000000",
        "07ea0d01ff0f000000000000",
        "07ea0101ff1900000000000000"[:24],
        "07ea0101ff0f0000007fff00",
    ],
)
def test_impossible_moments_are_refused(content):
    with pytest.raises(ValueError):
        axdr.date_time(bytes.fromhex(content))


@pytest.mark.parametrize("text", ["1-0:1.8.0.999", "1-0:1.8", "1.8.0.255.1", "", "a-b:c.d.e.f", "256-0:1.8.0"])
def test_wrong_obis_codes_are_refused(text):
    with pytest.raises(ValueError, match="OBIS"):
        Obis.parse(text)


def test_obis_codes_return():
    code = Obis.parse("1-0:99.1.0.255")
    assert Obis.from_octets(code.octets) == code == Obis.parse(str(code)) == Obis.parse("99.1.0")
    with pytest.raises(ValueError, match="OBIS"):
        Obis.from_octets(b"12345")


@pytest.mark.parametrize("name", ["axdr", "apdu", "acse", "security", "wrapper", "hdlc", "obis", "server", "load"])
def test_examples_in_docstrings(name):
    result = doctest.testmod(importlib.import_module(f"amiplan.meters.{name}"))
    assert result.attempted > 0
    assert result.failed == 0
