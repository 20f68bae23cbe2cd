import contextlib
import struct
import tracemalloc
from datetime import UTC, datetime, timedelta, timezone

import pytest
from amiplan.meters.dlms import axdr, moments
from amiplan.meters.dlms.axdr import Tag, Value
from amiplan.meters.dlms.obis import Obis
from hypothesis import given, settings
from hypothesis import strategies as st

SIGNED = {Tag.I8: 8, Tag.I16: 16, Tag.I32: 32, Tag.I64: 64, Tag.DELTA_I8: 8, Tag.DELTA_I16: 16, Tag.DELTA_I32: 32}
UNSIGNED = {Tag.U8: 8, Tag.U16: 16, Tag.U32: 32, Tag.U64: 64, Tag.ENUM: 8, Tag.BCD: 8}
UNSIGNED |= {Tag.DELTA_U8: 8, Tag.DELTA_U16: 16, Tag.DELTA_U32: 32}

MOMENTS = {Tag.DATE_TIME: 12, Tag.DATE: 5, Tag.TIME: 4}

integers = st.one_of(
    *(st.integers(-(2 ** (n - 1)), 2 ** (n - 1) - 1).map(lambda x, t=t: Value(t, x)) for t, n in SIGNED.items()),
    *(st.integers(0, 2**n - 1).map(lambda x, t=t: Value(t, x)) for t, n in UNSIGNED.items()),
)
leaves = st.one_of(
    st.sampled_from([axdr.NULL, axdr.DONT_CARE]),
    st.booleans().map(axdr.boolean),
    integers,
    st.floats(width=32, allow_nan=False).map(axdr.float32),
    st.floats(allow_nan=False).map(axdr.float64),
    st.binary(max_size=300).map(axdr.octets),
    st.text("01", max_size=40).map(axdr.bits),
    st.text(st.characters(max_codepoint=127), max_size=200).map(axdr.text),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=100).map(axdr.utf8),
    *(st.binary(min_size=n, max_size=n).map(lambda x, t=t: Value(t, x)) for t, n in MOMENTS.items()),
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


COMMON_BYTES = st.sampled_from(
    [0, 1, 2, 3, 4, 5, 6, 9, 10, 12, 13, 15, 16, 17, 18, 19, 20, 22, 23, 25, 27, 31, 33, 255]
)
frames = st.one_of(st.binary(max_size=60), st.lists(COMMON_BYTES, max_size=60).map(bytes))


@settings(max_examples=400, deadline=None)
@given(frames)
def test_arbitrary_bytes_decode_or_raise_value_error(data):
    with contextlib.suppress(ValueError):
        value = axdr.decode(data)
        assert axdr.decode(axdr.encode(value)) == value


@settings(max_examples=400, deadline=None)
@given(frames.filter(lambda data: not {3, 19} & set(data) and not any(byte & 0x80 for byte in data)))
def test_what_is_accepted_is_written_back_byte_by_byte(data):
    """But for booleans, compact arrays and long length fields, whose exceptions the tests below name."""
    with contextlib.suppress(ValueError):
        assert axdr.encode(axdr.decode(data)) == data


@pytest.mark.parametrize(
    ("received", "written"),
    [
        ("03ff", "0301"),  # every non-zero byte is true
        ("09810161", "090161"),  # one length byte where none is needed
        ("09840000000161", "090161"),
        ("0182000100", "010100"),
        ("130600", "130000"),  # the element type of an empty compact array is not kept
    ],
)
def test_the_exceptions_to_byte_equality(received, written):
    assert axdr.encode(axdr.decode(bytes.fromhex(received))).hex() == written


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
        (axdr.bits("101"), "0403a0"),
        (axdr.bits("0000000011"), "040a00c0"),
        (axdr.bits(""), "0400"),
        (axdr.i16(-2), "10fffe"),
        (axdr.i32(-2), "05fffffffe"),
        (axdr.i64(-2), "14" + "ff" * 7 + "fe"),
        (axdr.u64(1), "15" + "00" * 7 + "01"),
        (axdr.utf8("ü"), "0c02c3bc"),
        (Value(Tag.BCD, 0x42), "0d42"),
        (axdr.float32(1.5), "173fc00000"),
        (axdr.float64(-0.1), "18bfb999999999999a"),
        (axdr.float32(float("-inf")), "17ff800000"),
        (Value(Tag.DATE, bytes.fromhex("07ea0101ff")), "1a07ea0101ff"),
        (Value(Tag.TIME, bytes.fromhex("173b3bff")), "1b173b3bff"),
        (Value(Tag.DELTA_I8, -1), "1cff"),
        (Value(Tag.DELTA_I16, -1), "1dffff"),
        (Value(Tag.DELTA_I32, -1), "1effffffff"),
        (Value(Tag.DELTA_U8, 7), "1f07"),
        (Value(Tag.DELTA_U16, 7), "200007"),
        (Value(Tag.DELTA_U32, 7), "2100000007"),
        (axdr.DONT_CARE, "ff"),
        (axdr.compact_array(axdr.u16(1), axdr.u16(2)), "13120400010002"),
    ],
)
def test_known_encodings(value, expected):
    assert axdr.encode(value).hex() == expected
    assert axdr.decode(bytes.fromhex(expected)) == value


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
        Value(Tag.BITS, "012"),
        Value(Tag.BITS, "1_0"),
        Value(Tag.BITS, b"1"),
        Value(Tag.BCD, 256),
        Value(Tag.UTF8, "\ud800"),
        Value(Tag.FLOAT64, float("nan")),
        Value(Tag.FLOAT32, float("nan")),
        Value(Tag.FLOAT32, 1e39),
        Value(Tag.FLOAT64, 1),
        Value(Tag.DATE, b"1234"),
        Value(Tag.TIME, b"12345"),
        Value(Tag.DELTA_U8, -1),
        Value(Tag.DELTA_I8, 128),
        Value(Tag.DONT_CARE, 0),
        Value(Tag.OCTETS, ()),
    ],
)
def test_content_that_does_not_fit_its_tag_is_refused(value):
    with pytest.raises(ValueError):
        axdr.encode(value)


def test_deep_nesting_is_refused():
    assert axdr.decode(bytes([2, 1] * 16 + [0])).tag is Tag.STRUCTURE
    with pytest.raises(ValueError, match="deeper"):
        axdr.decode(bytes([2, 1] * 2000 + [0]))
    nested = axdr.NULL
    for _ in range(16):
        nested = axdr.structure(nested)
    assert axdr.encode(nested) == bytes([2, 1] * 16 + [0])
    with pytest.raises(ValueError, match="deeper"):
        axdr.encode(axdr.structure(nested))


def test_many_empty_values_stay_small():
    tracemalloc.start()
    for one in (b"\x00", b"\xff", b"\x02\x00", b"\x0f\x01"):
        data = b"\x01\x82" + (60_000).to_bytes(2, "big") + one * 60_000
        assert len(axdr.decode(data).items) == 60_000
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 100 * 120_000


def test_single_precision_is_rounded_once():
    assert axdr.float32(0.1).content == struct.unpack(">f", struct.pack(">f", 0.1))[0]
    assert axdr.decode(axdr.encode(axdr.float32(0.1))) == axdr.float32(0.1)
    with pytest.raises(ValueError, match="float64"):
        axdr.float32(1e39)


@pytest.mark.parametrize("value", [axdr.text("1"), Value(Tag.DELTA_U8, 1), Value(Tag.BCD, 1), axdr.boolean(True)])
def test_only_plain_integers_are_numbers(value):
    with pytest.raises(ValueError, match="integer"):
        _ = value.number
    with pytest.raises(ValueError, match="octet-string"):
        _ = value.octets
    with pytest.raises(ValueError, match="array"):
        _ = value.items


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("", "cut short"),
        ("06000001", "cut short"),
        ("0984ffffffff00", "cut short"),
        ("0185000000000000", "length"),
        ("0980", "length"),
        ("07", "unknown"),
        ("0b", "unknown"),
        ("0182ffff00", "members"),
        ("0184ffffffff" + "00" * 50, "members"),
        ("0484ffffffff", "cut short"),
        ("0403b0", "padding"),
        ("0a01ff", "no ascii"),
        ("0c01ff", "no utf-8"),
        ("177fc00000", "NaN"),
        ("18fff8000000000001", "NaN"),
        ("1b0000", "cut short"),
    ],
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
    assert moments.date_time(moments.date_time_octets(moment)) == moment


@pytest.mark.parametrize(
    ("content", "seconds", "expected"),
    [
        ("07ea0101040f000000000000", 900, "07ea0101040f0f0000000000"),
        ("07ea0101ff173b00ff800080", 60, "07ea0102ff000000ff800080"),  # what is unset stays unset, the status stays
        ("07ea0101040f0000ffff8800", 900, "07ea0101040f0f00ffff8800"),
        ("ffffffffffffffffffffffff", 900, None),
        ("270f0c1f05173b3b00000000", 1, None),
    ],
)
def test_a_time_is_foretold_in_the_same_dress(content, seconds, expected):
    foretold = moments.later(bytes.fromhex(content), seconds)
    assert (foretold.hex() if foretold else None) == expected


def test_a_zone_beyond_twelve_hours_is_refused():
    with pytest.raises(ValueError, match="deviation"):
        moments.date_time_octets(datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=13))))


def test_deviation_has_the_reversed_sign():
    moment = datetime(2026, 7, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    assert int.from_bytes(moments.date_time_octets(moment)[9:11], "big", signed=True) == -120
    assert moments.date_time(moments.date_time_octets(moment)).astimezone(UTC).hour == 10


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
        moments.date_time(bytes.fromhex(content))


@pytest.mark.parametrize("text", ["1-0:1.8.0.999", "1-0:1.8", "1.8.0.255.1", "", "a-b:c.d.e.f", "256-0:1.8.0"])
def test_wrong_obis_codes_are_refused(text):
    with pytest.raises(ValueError, match="OBIS"):
        Obis.parse(text)


def test_obis_codes_return():
    code = Obis.parse("1-0:99.1.0.255")
    assert Obis.from_octets(code.octets) == code == Obis.parse(str(code)) == Obis.parse("99.1.0")
    with pytest.raises(ValueError, match="OBIS"):
        Obis.from_octets(b"12345")
