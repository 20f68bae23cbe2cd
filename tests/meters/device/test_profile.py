import numpy as np
import pytest
from amiplan.meters import clock
from amiplan.meters.device import names
from amiplan.meters.device.base import AccessError, ActionError
from amiplan.meters.device.rows import CLOCK_ADJUSTED, PAST_EVENTS
from amiplan.meters.device.state import EVENT_ENTRIES, EventCode
from amiplan.meters.dlms import apdu, axdr, buffers
from amiplan.meters.dlms.apdu import DataAccess
from amiplan.meters.dlms.axdr import Tag, Value
from amiplan.meters.dlms.obis import CLOCK, ENERGY_REGISTERS, IMPORT_ACTIVE, LOAD_PROFILE
from hypothesis import given, settings
from hypothesis import strategies as st
from made_device import END_S, FIRST_DAY, HISTORY, START_S, a_meter, flat_history

DAY_S = clock.day_start_s(FIRST_DAY + 1)
LOAD, BILLING, EVENTS = (7, LOAD_PROFILE), (7, names.DAILY_BILLING), (7, names.EVENT_LOG)


def ranged(first_s, last_s, columns=()):
    return apdu.by_range(clock.octets_of(first_s), clock.octets_of(last_s), CLOCK, columns)


def numbers(buffer, period_s=900):
    """Rows of an answer as numbers, the time in seconds."""
    rows = buffers.expand_rows(buffer, period_s)
    return [[clock.time_s_of(v.octets) if v.tag is Tag.OCTETS else v.number for v in row] for row in rows]


def refused(call, result):
    with pytest.raises(AccessError) as caught:
        call()
    assert caught.value.result is result


def test_a_day_of_96_rows_has_the_known_length():
    _, objects, _ = a_meter()
    buffer = objects[LOAD].attribute(2, 1, ranged(DAY_S + 900, DAY_S + 86_400))
    assert len(axdr.encode(buffer)) == 3458
    rows = np.array(numbers(buffer))
    assert np.array_equal(rows[:, 0], HISTORY.time_s[97:193])
    assert np.array_equal(rows[:, 1:], HISTORY.registers[97:193])


@pytest.mark.parametrize("encoding", buffers.ENCODINGS)
@pytest.mark.parametrize("values", ["registers", "energy"])
@pytest.mark.parametrize("status", [False, True])
def test_every_encoding_says_the_same(encoding, values, status):
    _, objects, _ = a_meter(encoding=encoding, profile_values=values, profile_status=status)
    profile = objects[LOAD]
    rows = np.array(numbers(profile.attribute(2, 1, ranged(DAY_S + 900, DAY_S + 86_400))))
    wanted = HISTORY.registers[97:193] if values == "registers" else np.diff(HISTORY.registers[96:193], axis=0)
    assert np.array_equal(rows[:, -4:], wanted)
    assert rows.shape[1] == 5 + status
    assert len(profile.attribute(3).items) == 5 + status
    assert not status or not rows[:, 1].any()


@given(
    st.integers(START_S - 5000, END_S + 5000),
    st.integers(-3000, 90_000),
    st.integers(START_S, END_S + 1000),
    st.sets(st.integers(0, 4)),
)
@settings(deadline=None, max_examples=60)
def test_by_range_gives_those_rows_and_only_those(first_s, span_s, now_s, chosen):
    _, objects, _ = a_meter(now_s)
    captured = [(8, CLOCK, 2), *((3, obis, 2) for obis in ENERGY_REGISTERS)]
    columns = [captured[at] for at in sorted(chosen, reverse=True)]
    answer = objects[LOAD].attribute(2, 1, ranged(first_s, first_s + span_s, columns))
    kept = sorted(chosen) or list(range(5))
    wanted = []
    for time_s, registers in zip(HISTORY.time_s[1:].tolist(), HISTORY.registers[1:].tolist(), strict=True):
        if first_s <= time_s <= first_s + span_s and time_s <= now_s:
            wanted.append([[time_s, *registers][at] for at in kept])
    assert numbers(answer) == wanted


@given(st.integers(1, 400), st.integers(0, 400), st.integers(1, 5), st.integers(0, 7))
@settings(deadline=None, max_examples=60)
def test_by_entry_gives_those_rows_and_only_those(first, last, first_column, last_column):
    _, objects, _ = a_meter()
    whole = [[int(t), *r] for t, r in zip(HISTORY.time_s[1:], HISTORY.registers[1:].tolist(), strict=True)]
    call = apdu.by_entry(first, last, first_column, last_column)
    columns = slice(first_column - 1, last_column or None)
    if not list(range(5))[columns]:
        refused(lambda: objects[LOAD].attribute(2, 2, call), DataAccess.SCOPE_OF_ACCESS_VIOLATED)
        return
    assert numbers(objects[LOAD].attribute(2, 2, call)) == [row[columns] for row in whole[first - 1 : last or None]]


@pytest.mark.parametrize("now_s", [START_S - 5, START_S, START_S + 899])
def test_what_is_not_over_yet_is_not_there(now_s):
    _, objects, _ = a_meter(now_s)
    assert objects[LOAD].attribute(2) == axdr.array()
    assert objects[LOAD].attribute(7).number == 0
    assert objects[LOAD].attribute(2, 1, ranged(START_S, END_S)) == axdr.array()


def test_wildcards_and_date_time_bounds():
    _, objects, _ = a_meter()
    first, last = bytearray(clock.octets_of(DAY_S)), bytearray(clock.octets_of(DAY_S + 3600))
    first[4] = last[4] = 0xFF
    first[8] = 0xFF
    last[9:11] = b"\x80\x00"
    _, start, end, columns = ranged(DAY_S, DAY_S + 3600).items
    head = ranged(0, 0).items[0]
    for tag in (Tag.OCTETS, Tag.DATE_TIME):
        bounds = axdr.structure(head, Value(tag, bytes(first)), Value(tag, bytes(last)), columns)
        assert len(numbers(objects[LOAD].attribute(2, 1, bounds))) == 5
    unset = axdr.octets(b"\xff" * 9 + b"\x80\x00\xff")
    assert len(objects[LOAD].attribute(2, 1, axdr.structure(head, unset, unset, columns)).items) == 288
    whole_day = axdr.octets(bytes(clock.octets_of(DAY_S)[:5]) + b"\xff\xff\xff\x00\x00\x00\x00")
    assert len(objects[LOAD].attribute(2, 1, axdr.structure(head, whole_day, whole_day, columns)).items) == 96
    assert len(objects[LOAD].attribute(2, 1, axdr.structure(head, start, end, columns)).items) == 5


@pytest.mark.parametrize(
    ("selector", "parameters", "result"),
    [
        (3, axdr.NULL, DataAccess.SCOPE_OF_ACCESS_VIOLATED),
        (1, axdr.NULL, DataAccess.TYPE_UNMATCHED),
        (1, axdr.structure(axdr.u8(1)), DataAccess.TYPE_UNMATCHED),
        (1, apdu.by_range(b"short", b"", CLOCK), DataAccess.TYPE_UNMATCHED),
        (1, apdu.by_range(bytes(12), bytes(12), CLOCK), DataAccess.TYPE_UNMATCHED),
        (1, apdu.by_range(b"\xff", b"\xff" * 4, CLOCK), DataAccess.TYPE_UNMATCHED),
        (1, ranged(0, 1, [(3, names.VOLTAGE, 2)]), DataAccess.SCOPE_OF_ACCESS_VIOLATED),
        (1, apdu.by_range(clock.octets_of(0), clock.octets_of(1), IMPORT_ACTIVE), DataAccess.SCOPE_OF_ACCESS_VIOLATED),
        (2, apdu.by_entry(0, 1), DataAccess.SCOPE_OF_ACCESS_VIOLATED),
        (2, apdu.by_entry(1, 1, 0, 0), DataAccess.SCOPE_OF_ACCESS_VIOLATED),
        (2, apdu.by_entry(1, 1, 6, 9), DataAccess.SCOPE_OF_ACCESS_VIOLATED),
        (2, axdr.structure(axdr.octets(b""), axdr.u32(1), axdr.u16(1), axdr.u16(1)), DataAccess.TYPE_UNMATCHED),
        (2, axdr.array(axdr.u32(1)), DataAccess.TYPE_UNMATCHED),
    ],
)
def test_a_selection_that_makes_no_sense_is_refused(selector, parameters, result):
    _, objects, _ = a_meter()
    refused(lambda: objects[LOAD].attribute(2, selector, parameters), result)


def test_selective_access_is_offered_on_the_buffer_only():
    _, objects, _ = a_meter()
    refused(lambda: objects[LOAD].attribute(3, 2, apdu.by_entry(1, 1)), DataAccess.SCOPE_OF_ACCESS_VIOLATED)
    refused(lambda: objects[3, IMPORT_ACTIVE].attribute(2, 1), DataAccess.SCOPE_OF_ACCESS_VIOLATED)


def test_energy_beyond_16_bits_is_sent_with_32():
    history = flat_history([65_535, 65_536, 7], n_channels=2)
    _, objects, _ = a_meter(int(history.time_s[-1]), history, profile_values="energy")
    whole = objects[LOAD].attribute(2)
    assert [row.items[1].tag for row in whole.items] == [Tag.U32] * 3
    assert [row.items[1].number for row in whole.items] == [65_535, 65_536, 7]
    assert [row.items[3].tag for row in whole.items] == [Tag.U16] * 3
    first = objects[LOAD].attribute(2, 2, apdu.by_entry(1, 1))
    assert first.items[0].items[1] == axdr.u16(65_535)


def test_a_register_that_rolls_over_leaves_its_energy_whole():
    history = flat_history([2**31, 2**31 - 1, 10], n_channels=1)
    _, objects, _ = a_meter(int(history.time_s[-1]), history, profile_values="energy")
    assert objects[LOAD].attribute(2).items[2].items[1].number == 10


def test_a_longer_capture_period_takes_every_fourth_end():
    _, objects, _ = a_meter(profile_interval_min=60, profile_values="energy")
    rows = np.array(numbers(objects[LOAD].attribute(2), 3600))
    assert np.array_equal(rows[:, 0], HISTORY.time_s[4::4])
    assert np.array_equal(rows[:, 1:], np.diff(HISTORY.registers[::4], axis=0))
    assert objects[LOAD].attribute(4).number == 3600


def test_a_capture_period_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="multiple"):
        a_meter(profile_interval_min=5)


@pytest.mark.parametrize(("n_registers", "status", "length"), [(12, True, 78), (6, True, 48), (1, False, 21)])
def test_a_day_of_billing_has_the_known_length(n_registers, status, length):
    _, objects, _ = a_meter(billing_registers=n_registers, profile_status=status)
    row = objects[BILLING].attribute(2, 1, ranged(DAY_S, DAY_S))
    assert len(axdr.encode(row)) == length + 2
    found = numbers(row)[0]
    assert found[0] == DAY_S
    assert found[1 + status] == HISTORY.registers[96, 0]
    if n_registers == 12:
        assert sum(found[3:7]) == found[2]
        assert found[-2:] == HISTORY.registers[96, 2:].tolist()


def test_billing_grows_at_midnight():
    _, objects, move = a_meter(DAY_S - 1)
    assert [row[0] for row in numbers(objects[BILLING].attribute(2))] == [START_S]
    move(DAY_S)
    assert [row[0] for row in numbers(objects[BILLING].attribute(2))] == [START_S, DAY_S]
    assert objects[BILLING].attribute(4).number == 86_400


def test_the_event_log_begins_with_the_stated_past():
    device, objects, _ = a_meter(event_rows=20)
    buffer = objects[EVENTS].attribute(2, 2, apdu.by_entry(1, 20))
    assert len(axdr.encode(buffer)) == 366 - 4
    rows = numbers(buffer)
    assert {code for _, code in rows} <= set(PAST_EVENTS)
    assert sorted(rows, key=lambda row: -row[0]) == rows
    assert rows[0][0] < START_S
    assert objects[EVENTS].attribute(5).number == 2
    assert numbers(a_meter(event_rows=20)[1][EVENTS].attribute(2)) == rows
    device.power_up()
    assert numbers(objects[EVENTS].attribute(2))[0] == [END_S, EventCode.POWER_UP]
    assert objects[1, names.EVENT_CODE].attribute(2).number == EventCode.POWER_UP


def test_a_full_event_log_drops_the_oldest():
    device, objects, move = a_meter()
    for second in range(EVENT_ENTRIES + 5):
        move(END_S + second)
        device.log(EventCode.AUTHENTICATION_FAILED)
    rows = numbers(objects[EVENTS].attribute(2))
    assert len(rows) == EVENT_ENTRIES == objects[EVENTS].attribute(8).number
    assert rows[-1][0] == END_S + 5
    assert rows[0][0] == END_S + EVENT_ENTRIES + 4
    assert len(device.state.events) == EVENT_ENTRIES


@pytest.mark.parametrize("profile", [LOAD, BILLING, EVENTS])
def test_a_reset_empties_the_buffer_and_later_rows_come(profile):
    _, objects, move = a_meter(DAY_S + 10)
    objects[profile].invoke(1, axdr.i8(0))
    assert objects[profile].attribute(2) == axdr.array()
    assert objects[profile].attribute(7).number == 0
    move(END_S)
    objects[8, CLOCK].write(2, axdr.octets(clock.octets_of(END_S)))
    assert numbers(objects[profile].attribute(2))
    with pytest.raises(ActionError):
        objects[profile].invoke(2, axdr.i8(0))


def test_setting_the_clock_moves_later_time_stamps_only():
    device, objects, move = a_meter(DAY_S + 1000, profile_status=True)
    objects[8, CLOCK].write(2, axdr.octets(clock.octets_of(DAY_S + 1000 - 7200)))
    move(DAY_S + 3600)
    rows = numbers(objects[LOAD].attribute(2))
    assert [row[0] for row in rows[-5:]] == [DAY_S, DAY_S + 900, DAY_S - 5400, DAY_S - 4500, DAY_S - 3600]
    assert [row[1] for row in rows[-5:]] == [0, 0, CLOCK_ADJUSTED, 0, 0]
    assert device.clock_s() == DAY_S - 3600
    back = numbers(objects[LOAD].attribute(2, 1, ranged(DAY_S - 4500, DAY_S - 4500)))
    assert [row[0] for row in back] == [DAY_S - 4500] * 2


def test_many_clock_sets_within_an_interval_leave_one_trace():
    device, objects, _ = a_meter(DAY_S + 1000)
    for offset in range(500):
        objects[8, CLOCK].write(2, axdr.octets(clock.octets_of(DAY_S + offset)))
    assert len(device.state.clock_sets) == 1
    assert device.state.clock_offset_s == 499 - 1000


def test_the_attributes_have_the_types_of_the_class():
    _, objects, _ = a_meter()
    profile = objects[LOAD]
    tags = [profile.attribute(number).tag for number in profile.attributes]
    assert tags == [
        Tag.OCTETS, Tag.ARRAY, Tag.ARRAY, Tag.U32, Tag.ENUM, Tag.STRUCTURE, Tag.U32, Tag.U32,
    ]  # fmt: skip
    first = profile.attribute(3).items[0].items
    assert [item.tag for item in first] == [Tag.U16, Tag.OCTETS, Tag.I8, Tag.U16]
    assert (first[0].number, first[1].octets, first[2].number) == (8, CLOCK.octets, 2)
    assert profile.attribute(7).number == 288 <= profile.attribute(8).number
    assert profile.version == 1
