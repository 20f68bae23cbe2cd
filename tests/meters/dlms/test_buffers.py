"""Profile buffers: byte counts of the reference, known bytes, and rows that come back from every encoding."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from amiplan.meters.dlms import axdr, moments
from amiplan.meters.dlms.axdr import NULL, Tag, Value
from amiplan.meters.dlms.buffers import ENCODINGS, encode_rows, expand_rows
from hypothesis import given, settings
from hypothesis import strategies as st

HEAD_BYTES = 4
"""GET-response-normal in front of the value: C4 01, invoke id and priority, 00 for data."""

MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)


def time_of(row, period_s=900):
    return axdr.octets(moments.date_time_octets(MIDNIGHT + timedelta(seconds=period_s * (row + 1))))


def registers(row, n_channels=4, flat=(), moves=4):
    """Registers that grow every interval, but for flat ones, which move ``moves`` times in the day."""
    step = [min(row, moves) if channel in flat else row for channel in range(n_channels)]
    return [axdr.u32(1_000_000 * (channel + 1) + 37 * step[channel]) for channel in range(n_channels)]


def energies(row):
    return [axdr.u16(100 + channel + row) for channel in range(4)]


FULL = [[time_of(row), *registers(row)] for row in range(96)]
STATUS = [[time_of(row), axdr.u8(0), *registers(row)] for row in range(96)]
SELDOM = [[time_of(row), *registers(row, flat=(3,))] for row in range(96)]
FLAT = [[time_of(row), *registers(row, flat=(3,), moves=0)] for row in range(96)]
ENERGY = [[time_of(row), *energies(row)] for row in range(96)]
ENERGY_UNTIMED = [energies(row) for row in range(96)]
ONE = [[time_of(row), *registers(row, 1)] for row in range(96)]
HOURLY = [[time_of(row, 3600), *registers(row, 2)] for row in range(24)]

# Response bytes of the plain APDU, beforehand measured and, where they could, decoded with gurux-dlms 1.0.203 and
# dlms-cosem 25.1.0.
MEASURED = [
    ("full", FULL, 900, 3462),
    ("full", STATUS, 900, 3654),
    ("null_timestamps", FULL, 900, 2227),
    ("null_unchanged", FULL, 900, 2227),
    ("null_unchanged", SELDOM, 900, 1863),
    ("null_unchanged", FLAT, 900, 1847),
    ("full", ENERGY, 900, 2694),
    ("null_timestamps", ENERGY, 900, 1459),
    ("delta", FULL, 900, 1087),
    ("compact_array", FULL, 900, 2799),
    ("compact_array", ENERGY_UNTIMED, 900, 782),
    ("full", ONE, 900, 2022),
    ("full", HOURLY, 3600, 630),
]


@pytest.mark.parametrize(("encoding", "rows", "period_s", "n_bytes"), MEASURED)
def test_byte_counts_of_a_day(encoding, rows, period_s, n_bytes):
    encoded = axdr.encode(encode_rows(rows, encoding, period_s))
    assert HEAD_BYTES + len(encoded) == n_bytes
    assert expand_rows(axdr.decode(encoded), period_s) == [tuple(row) for row in rows]


FIRST_TIME = "090c 07ea0101 04 000f0000 0000 00"
FIRST_VALUES = "06000f4240 06001e8480 06002dc6c0 06003d0900"


@pytest.mark.parametrize(
    ("encoding", "first_bytes"),
    [
        ("full", f"0160 0205 {FIRST_TIME} {FIRST_VALUES} 0205 090c 07ea0101 04 001e0000 0000 00 06000f4265"),
        ("null_timestamps", f"0160 0205 {FIRST_TIME} {FIRST_VALUES} 0205 00 06000f4265 06001e84a5"),
        ("null_unchanged", f"0160 0205 {FIRST_TIME} {FIRST_VALUES} 0205 00 06000f4265 06001e84a5 06002dc6e5 00"),
        ("delta", f"0160 0205 {FIRST_TIME} {FIRST_VALUES} 0205 00 1f25 1f25 1f25 1f00 0205 00 1f25"),
        ("compact_array", "13 0205 09 06060606 820ae0 0c 07ea0101 04 000f0000 0000 00 000f4240 001e8480 002dc6c0"),
    ],
)
def test_first_bytes_of_a_day(encoding, first_bytes):
    expected = bytes.fromhex(first_bytes)
    assert axdr.encode(encode_rows(FLAT, encoding, 900))[: len(expected)] == expected


def test_a_time_is_sent_again_after_a_gap():
    rows = [[time_of(row), axdr.u32(row)] for row in (0, 1, 4, 5)]
    sent = encode_rows(rows, "null_timestamps", 900)
    assert [row.items[0] == NULL for row in sent.items] == [False, True, False, True]
    assert expand_rows(sent, 900) == [tuple(row) for row in rows]


def test_no_time_is_left_out_without_a_period():
    rows = [[time_of(row), axdr.u8(3)] for row in range(3)]
    sent = encode_rows(rows, "null_unchanged", 0)
    assert all(row.items[0].tag is Tag.OCTETS for row in sent.items)
    assert [row.items[1] == NULL for row in sent.items] == [False, True, True]
    assert expand_rows(sent, 0) == [tuple(row) for row in rows]


def test_null_timestamps_leave_the_values_alone():
    rows = [[axdr.u32(5), axdr.u32(5)]] * 2
    assert encode_rows(rows, "null_timestamps", 900) == encode_rows(rows, "full", 900)


def test_a_time_that_cannot_be_foretold_is_sent():
    unset = axdr.octets(b"\xff" * 12)
    rows = [[unset, axdr.u8(1)], [unset, axdr.u8(1)]]
    sent = encode_rows(rows, "null_unchanged", 900)
    assert sent.items[1].items == (unset, NULL)
    assert expand_rows(sent, 900) == [tuple(row) for row in rows]


@pytest.mark.parametrize(
    ("before", "after", "sent"),
    [
        (axdr.u32(1000), axdr.u32(1255), Value(Tag.DELTA_U8, 255)),
        (axdr.u32(1000), axdr.u32(1256), Value(Tag.DELTA_U16, 256)),
        (axdr.u32(1000), axdr.u32(999), Value(Tag.DELTA_I8, -1)),
        (axdr.u32(1000), axdr.u32(800), Value(Tag.DELTA_I16, -200)),
        (axdr.u32(0), axdr.u32(65536), axdr.u32(65536)),  # a delta would be as long
        (axdr.u32(2**32 - 1), axdr.u32(5), axdr.u32(5)),  # rolled over: no delta wraps
        (axdr.u64(0), axdr.u64(65536), Value(Tag.DELTA_U32, 65536)),
        (axdr.u64(2**40), axdr.u64(2**40 - 40_000), Value(Tag.DELTA_I32, -40_000)),
        (axdr.i32(-5), axdr.i32(5), Value(Tag.DELTA_U8, 10)),
        (axdr.u16(7), axdr.u16(7), Value(Tag.DELTA_U8, 0)),
        (axdr.u8(7), axdr.u8(8), axdr.u8(8)),
        (axdr.u16(7), axdr.u32(8), axdr.u32(8)),  # the type changed
        (axdr.enum(1), axdr.enum(2), axdr.enum(2)),
        (axdr.octets(b"a"), axdr.octets(b"a"), axdr.octets(b"a")),
    ],
)
def test_the_narrowest_delta_that_is_shorter(before, after, sent):
    buffer = encode_rows([[before], [after]], "delta", 900)
    assert buffer.items[1].items == (sent,)
    assert expand_rows(buffer, 900) == [(before,), (after,)]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_no_rows_are_an_empty_array(encoding):
    assert axdr.encode(encode_rows([], encoding, 900)) == b"\x01\x00"
    assert expand_rows(axdr.array(), 900) == []
    assert expand_rows(axdr.compact_array(), 900) == []


times = st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1)).map(lambda moment: moment.replace(microsecond=0))
columns = st.sampled_from(
    [
        st.integers(2**32 - 400, 2**32 + 400).map(lambda number: axdr.u32(number % 2**32)),  # rolls over
        st.integers(0, 2).map(axdr.u16),  # often equal
        st.sampled_from([0, 255]).map(axdr.u8),
        st.integers(-(2**63), 2**63 - 1).map(axdr.i64),
        st.integers(0, 2**64 - 1).map(axdr.u64),
        st.integers(-300, 300).map(axdr.i16),
        st.sampled_from([axdr.enum(0), axdr.enum(1)]),
        st.binary(max_size=14).map(axdr.octets),
        st.just(axdr.octets(b"\x07" * 12)),
        st.booleans().map(axdr.boolean),
        st.floats(width=32, allow_nan=False).map(axdr.float32),
        st.integers(0, 9).map(lambda number: axdr.structure(axdr.u8(number), axdr.enum(30))),
    ]
)
STEPS_S = (900, 900, 900, 1800, 0, -3600, 61)


@st.composite
def profiles(draw):
    """Rows with or without a time, with gaps, doubles, clock set back, status and rollovers; a few or none."""
    width = draw(st.lists(columns, min_size=1, max_size=4))
    timed = draw(st.booleans())
    moment = draw(times).replace(tzinfo=draw(st.sampled_from([UTC, None])))
    tag = draw(st.sampled_from([Tag.OCTETS, Tag.DATE_TIME]))
    rows = []
    for _ in range(draw(st.integers(0, 8))):
        lead = [Value(tag, moments.date_time_octets(moment)[:11] + bytes([draw(st.sampled_from([0, 0, 0x80]))]))]
        rows.append(tuple((lead if timed else []) + [draw(column) for column in width]))
        moment += timedelta(seconds=draw(st.sampled_from(STEPS_S)))
    return rows


@settings(max_examples=150, deadline=None)
@given(profiles(), st.sampled_from(ENCODINGS), st.sampled_from([900, 900, 60, 0]))
def test_rows_return_from_every_encoding(rows, encoding, period_s):
    encoded = axdr.encode(encode_rows(rows, encoding, period_s))
    assert expand_rows(axdr.decode(encoded), period_s) == rows
    assert axdr.encode(axdr.decode(encoded)) == encoded


@settings(max_examples=60, deadline=None)
@given(profiles())
def test_leaving_out_never_costs_bytes(rows):
    n_bytes = {one: len(axdr.encode(encode_rows(rows, one, 900))) for one in ENCODINGS}
    assert n_bytes["null_unchanged"] <= n_bytes["null_timestamps"] <= n_bytes["full"]
    assert n_bytes["delta"] <= n_bytes["null_timestamps"]


plain = [[time_of(0), axdr.u32(1)], [time_of(1), axdr.u32(2)]]


@pytest.mark.parametrize(
    ("rows", "encoding", "period_s", "why"),
    [
        (plain, "zip", 900, "unknown"),
        (plain, "full", -1, "period"),
        ([*plain, [time_of(2)]], "full", 900, "row 2 has 1 columns"),
        ([[]], "full", 900, "0 columns"),
        ([[NULL]], "full", 900, "plain values"),
        ([[Value(Tag.DELTA_U8, 1)]], "delta", 900, "plain values"),
        ([[axdr.u8(1)], [axdr.u16(1)]], "compact_array", 900, "one type"),
    ],
)
def test_rows_that_cannot_be_encoded_are_refused(rows, encoding, period_s, why):
    with pytest.raises(ValueError, match=why):
        axdr.encode(encode_rows(rows, encoding, period_s))


def rows_of(*rows):
    return axdr.array(*(axdr.structure(*row) for row in rows))


@pytest.mark.parametrize(
    ("buffer", "period_s", "why"),
    [
        (axdr.u8(1), 900, "not u8"),
        (axdr.structure(), 900, "not structure"),
        (axdr.array(), -1, "period"),
        (axdr.array(axdr.u8(1)), 900, "row 0 of the buffer is u8"),
        (axdr.compact_array(axdr.u8(1)), 900, "row 0 of the buffer is u8"),
        (rows_of([]), 900, "0 columns"),
        (rows_of([axdr.u8(1)], []), 900, "0 columns"),
        (rows_of([axdr.u8(1)], [axdr.u8(1)] * 2), 900, "2 columns"),
        (rows_of([NULL]), 900, "no row before"),
        (rows_of([Value(Tag.DELTA_U8, 1)]), 900, "no row before"),
        (rows_of([axdr.octets(b"a")], [Value(Tag.DELTA_U8, 1)]), 900, "only integers"),
        (rows_of([axdr.enum(1)], [Value(Tag.DELTA_U8, 1)]), 900, "only integers"),
        (rows_of([axdr.u8(255)], [Value(Tag.DELTA_U8, 1)]), 900, "beyond u8"),
        (rows_of([axdr.u8(0)], [Value(Tag.DELTA_I8, -1)]), 900, "beyond u8"),
        (rows_of([axdr.octets(b"\xff" * 12)], [NULL]), 900, "left out"),
        (rows_of([time_of(0)], [NULL]), 0, "left out"),
    ],
)
def test_buffers_that_cannot_be_expanded_are_refused(buffer, period_s, why):
    with pytest.raises(ValueError, match=why):
        expand_rows(buffer, period_s)


def test_deltas_and_nulls_mix_as_a_meter_may_send_them():
    buffer = rows_of(
        [time_of(0), axdr.u32(10), axdr.u8(1)],
        [NULL, Value(Tag.DELTA_U32, 5), NULL],
        [NULL, NULL, Value(Tag.DELTA_I8, -1)],
        [time_of(9), axdr.u32(3), NULL],
    )
    assert [[column.content for column in row[1:]] for row in expand_rows(buffer, 900)] == [
        [10, 1],
        [15, 1],
        [15, 0],
        [3, 0],
    ]
    assert expand_rows(buffer, 900)[2][0] == time_of(2)
