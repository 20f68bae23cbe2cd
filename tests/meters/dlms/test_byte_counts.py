"""The message budget: every operation built from stated content, against kept bytes and measured lengths.

`tests/data/dlms_apdus.csv` keeps the bytes, and the lengths that were measured with two other DLMS implementations.
Rows with ``determined`` no have the length of the budget, but another content could have it as well: the content below
is ours.
"""

import csv
from pathlib import Path

import pytest
from amiplan.meters import clock
from amiplan.meters.dlms import acse, apdu, axdr, hdlc, security, wrapper
from amiplan.meters.dlms.apdu import ActionRequest, Attribute, GetRequest, GetResponse, Method, SetRequest
from amiplan.meters.dlms.obis import (
    ASSOCIATION,
    CLOCK,
    ENERGY_REGISTERS,
    EXPORT_ACTIVE,
    IMPORT_ACTIVE,
    PUSH_REGISTER,
    Obis,
)

FILE = Path(__file__).parents[2] / "data" / "dlms_apdus.csv"
COLUMNS = ("plain_bytes", "glo_bytes", "general_glo_bytes", "wrapper_bytes", "hdlc128_bytes")

NOW_S = clock.day_start_s(0)
NOW = axdr.octets(clock.octets_of(NOW_S))
DAY = (clock.octets_of(NOW_S), clock.octets_of(clock.day_start_s(1)))
TITLE = axdr.octets(b"AMP12345")
PUSH = axdr.octets(PUSH_REGISTER.octets)
REGISTERS = [axdr.u32(1_000_000 + n) for n in range(12)]
NOTHING = axdr.i8(0)

BILLING, EVENTS = Obis(1, 0, 98, 2, 0), Obis(0, 0, 99, 98, 0)
RELAY, LIMITER = Obis(0, 0, 96, 3, 10), Obis(0, 0, 17, 0, 0)
CALENDAR, SPECIAL_DAYS, SCRIPTS = Obis(0, 0, 13, 0, 0), Obis(0, 0, 11, 0, 0), Obis(0, 0, 10, 0, 100)
SECURITY, TOKENS, IMAGE = Obis(0, 0, 43, 0, 0), Obis(0, 0, 19, 40, 0), Obis(0, 0, 44, 0, 0)
ALARMS = Obis(0, 0, 97, 98, 0)


def get(class_id, obis, number=2, selector=0, parameters=axdr.NULL):
    return GetRequest(Attribute(class_id, obis, number, selector, parameters))


def put(class_id, obis, number, value):
    return SetRequest(Attribute(class_id, obis, number), value)


def act(class_id, obis, number, parameters=NOTHING):
    return ActionRequest(Method(class_id, obis, number), parameters)


def billing_row(n_registers):
    return axdr.structure(NOW, axdr.u8(0), *REGISTERS[:n_registers])


def events(code):
    times = (axdr.octets(clock.octets_of(NOW_S + 60 * n)) for n in range(20))
    return GetResponse(axdr.array(*(axdr.structure(time, code(n)) for n, time in enumerate(times))))


def seasons():
    start = axdr.octets(bytes.fromhex("ffff0401ffffffffff800000"))
    names = ((b"S1", b"W1"), (b"S2", b"W2"))
    rows = (axdr.structure(axdr.octets(season), start, axdr.octets(week)) for season, week in names)
    return axdr.array(*rows)


def weeks():
    return axdr.array(*(axdr.structure(axdr.octets(name), *[axdr.u8(1)] * 7) for name in (b"W1", b"W2")))


def day_types():
    def action(hour, script):
        start = axdr.octets(bytes([hour, 0, 0, 0]))
        return axdr.structure(start, axdr.octets(SCRIPTS.octets), axdr.u16(script))

    actions = axdr.array(*(action(4 * n, n % 2 + 1) for n in range(6)))
    return axdr.array(*(axdr.structure(axdr.u8(day), actions) for day in range(1, 5)))


def special_days():
    date = axdr.octets(bytes.fromhex("07ea0c19ff"))
    return axdr.array(*(axdr.structure(axdr.u16(n), date, axdr.u8(1)) for n in range(20)))


def wrapped_keys(n_keys):
    return axdr.array(*(axdr.structure(axdr.enum(2 * n), axdr.octets(bytes(range(24)))) for n in range(n_keys)))


def firmware_block(n_bytes):
    return axdr.structure(axdr.u32(7), axdr.octets(bytes(n % 251 for n in range(n_bytes))))


def pushed(*members, moment=b""):
    return apdu.DataNotification(1, axdr.structure(*members), moment)


def hourly_rows():
    times = (axdr.octets(clock.octets_of(NOW_S + 3600 * n)) for n in range(4))
    return axdr.array(*(axdr.structure(time, *REGISTERS[:4]) for time in times))


DONE, ACTED = apdu.SetResponse(apdu.DataAccess.SUCCESS), apdu.ActionResponse(apdu.ActionResult.SUCCESS)
PROOF = axdr.octets(bytes(17))
SIX = (*ENERGY_REGISTERS, Obis(1, 0, 1, 8, 1), Obis(1, 0, 1, 8, 2))

# Content of every row of the file, by name.
CONTENT = {
    "register request": get(3, IMPORT_ACTIVE),
    "register response u32": GetResponse(axdr.u32(1_234_567)),
    "register response u64": GetResponse(axdr.u64(1_234_567)),
    "scaler_unit request": get(3, IMPORT_ACTIVE, 3),
    "scaler_unit response": GetResponse(axdr.structure(axdr.i8(0), axdr.enum(30))),
    "list of 6 request": apdu.GetRequestList(tuple(Attribute(3, obis, 2) for obis in SIX)),
    "list of 6 response": apdu.GetResponseList(tuple(REGISTERS[:6])),
    "billing request by range": get(7, BILLING, 2, 1, apdu.by_range(*DAY, CLOCK)),
    "billing request by entry": get(7, BILLING, 2, 2, apdu.by_entry(1, 1)),
    "billing response 12": GetResponse(axdr.array(billing_row(12))),
    "billing response 6": GetResponse(axdr.array(billing_row(6))),
    "event log request": get(7, EVENTS, 2, 2, apdu.by_entry(1, 20)),
    "event log response u8": events(axdr.u8),
    "event log response u16": events(axdr.u16),
    "clock set request": put(8, CLOCK, 2, NOW),
    "set response": DONE,
    "clock shift request": act(8, CLOCK, 6, axdr.i16(-30)),
    "action response": ACTED,
    "disconnect request": act(70, RELAY, 1),
    "reconnect request": act(70, RELAY, 2),
    "control_state request": get(70, RELAY, 3),
    "control_state response": GetResponse(axdr.enum(0)),
    "calendar name": put(20, CALENDAR, 6, axdr.octets(b"TOU27")),
    "calendar seasons": put(20, CALENDAR, 7, seasons()),
    "calendar weeks": put(20, CALENDAR, 8, weeks()),
    "calendar days": put(20, CALENDAR, 9, day_types()),
    "calendar activate": act(20, CALENDAR, 1),
    "special days": put(11, SPECIAL_DAYS, 2, special_days()),
    "limiter threshold": put(71, LIMITER, 4, axdr.u32(5000)),
    "key transfer 1": act(64, SECURITY, 2, wrapped_keys(1)),
    "key transfer 2": act(64, SECURITY, 2, wrapped_keys(2)),
    "token 20 digits": act(115, TOKENS, 1, axdr.octets(b"12345678901234567890")),
    "token packed": act(115, TOKENS, 1, axdr.octets(bytes(range(9)))),
    "last gasp": pushed(PUSH, NOW, TITLE, axdr.u32(0x80)),
    "last gasp minimal": pushed(TITLE, axdr.u32(0x80)),
    "event notification": apdu.EventNotification(Attribute(1, ALARMS, 2), axdr.u32(0x80)),
    "push billing row": pushed(PUSH, NOW, TITLE, axdr.u8(0), *REGISTERS, moment=DAY[0]),
    "push hourly": pushed(NOW, hourly_rows(), moment=DAY[0]),
    "image enable": put(18, IMAGE, 5, axdr.boolean(True)),
    "image initiate": act(18, IMAGE, 1, axdr.structure(axdr.octets(b"FW000002"), axdr.u32(524_288))),
    "image blocks status request": get(18, IMAGE, 3),
    "image blocks status response": GetResponse(axdr.bits("1" * 1990 + "0" * 10)),
    "image first not transferred request": get(18, IMAGE, 4),
    "image first not transferred response": GetResponse(axdr.u32(1990)),
    "image verify": act(18, IMAGE, 3),
    "image activate": act(18, IMAGE, 4),
    **{f"image block {n}": act(18, IMAGE, 2, firmware_block(n)) for n in (64, 128, 200, 256, 512, 1024)},
    "get next": apdu.GetRequestNext(1),
    "pass 3": act(15, ASSOCIATION, 1, PROOF),
    "pass 4": apdu.ActionResponse(apdu.ActionResult.SUCCESS, PROOF),
}

ASSOCIATIONS = {
    "AARQ public": acse.Association(1, acse.initiate_request(1024)),
    "AARE public": acse.Association(1, acse.initiate_response(1024), result=0),
    "AARQ HLS-5 plain initiate": acse.Association(3, acse.initiate_request(1024), 5, b"AMPHEAD0", bytes(16)),
    "AARQ HLS-5 ciphered initiate": acse.Association(3, b"\x21\x1f" + bytes(31), 5, b"AMPHEAD0", bytes(16)),
    "AARE HLS-5 ciphered initiate": acse.Association(3, b"\x28\x1f" + bytes(31), 5, b"AMP12345", bytes(16), 0, 14),
}


def rows():
    lines = (line for line in FILE.read_text().splitlines() if not line.startswith("#"))
    return {row["name"]: row for row in csv.DictReader(lines)}


ROWS = rows()


def built(name):
    if name in CONTENT:
        return apdu.encode(CONTENT[name])
    if name.startswith("RL"):
        return {"RLRQ": acse.RELEASE_REQUEST, "RLRE": acse.RELEASE_RESPONSE}[name]
    return acse.encode(ASSOCIATIONS[name])


def lengths(plain, response):
    """Plain, glo, general-glo, plain in the wrapper, glo in HDLC frames of 128 bytes information."""
    glo = security.sealed_bytes(len(plain))
    line = hdlc.frames(bytes(glo), client=1, server=1, response=response)
    return (
        len(plain),
        glo,
        security.sealed_bytes(len(plain), general=True),
        len(wrapper.pack(1, 1, plain)),
        sum(map(len, line)),
    )


@pytest.mark.parametrize("name", [*CONTENT, *ASSOCIATIONS, "RLRQ", "RLRE"])
def test_stated_content_gives_the_kept_bytes_and_the_measured_lengths(name):
    row = ROWS[name]
    plain = built(name)
    assert plain.hex() == row["hex"]
    counted = lengths(plain, row["direction"] == "up")
    for column, n_bytes in zip(COLUMNS, counted, strict=True):
        assert row[column] in ("", str(n_bytes)), column
    assert row["plain_bytes"]


@pytest.mark.parametrize("name", CONTENT)
def test_kept_bytes_give_the_stated_content(name):
    assert apdu.decode(bytes.fromhex(ROWS[name]["hex"])) == CONTENT[name]


def test_the_file_holds_nothing_else():
    assert set(ROWS) == {*CONTENT, *ASSOCIATIONS, "RLRQ", "RLRE"}
    assert {row["determined"] for row in ROWS.values()} == {"yes", "no"}
    assert {row["direction"] for row in ROWS.values()} == {"up", "down"}


def test_a_whole_ciphered_session_over_the_wrapper():
    """One register: association, passes 3 and 4, GET, release: 215 bytes in requests, 216 in responses, 4 turns."""
    sealed = {name: security.sealed_bytes(len(built(name))) for name in CONTENT}
    asked = len(built("AARQ HLS-5 ciphered initiate")) + sealed["pass 3"] + sealed["register request"] + 5
    answered = len(built("AARE HLS-5 ciphered initiate")) + sealed["pass 4"] + sealed["register response u32"] + 5
    assert (sealed["pass 3"], sealed["pass 4"]) == (51, 44)
    assert (asked + 4 * 8, answered + 4 * 8) == (215, 216)


def test_reading_the_invocation_counter_first_adds_three_turns():
    """Public association, one GET of a u32, release: 73 bytes of requests and 81 of responses."""
    asked = len(built("AARQ public")) + len(built("register request")) + 5
    answered = len(built("AARE public")) + len(built("register response u32")) + 5
    assert (asked + 3 * 8, answered + 3 * 8) == (73, 81)


def test_the_session_over_hdlc_is_six_bytes_longer_per_message():
    sent = hdlc.frames(bytes(95), client=1, server=1, response=False)
    assert sum(map(len, sent)) == 95 + 8 + 6


@pytest.mark.parametrize(("n_bytes", "glo"), [(64, 105), (128, 171), (200, 243), (256, 301), (512, 557), (1024, 1069)])
def test_firmware_blocks(n_bytes, glo):
    assert security.sealed_bytes(len(built(f"image block {n_bytes}"))) == glo
    assert security.sealed_bytes(len(built("action response"))) == 24


def test_firmware_of_512_kibyte():
    """2 622 blocks of 200 bytes: 0.64 MB up to the meter, 63 kB back."""
    n_blocks = -(-524_288 // 200)
    assert n_blocks == 2622
    assert n_blocks * security.sealed_bytes(len(built("image block 200"))) == 637_146
    assert n_blocks * security.sealed_bytes(len(built("action response"))) == 62_928


def test_the_calendar_takes_five_turns():
    asked = [f"calendar {part}" for part in ("name", "seasons", "weeks", "days", "activate")]
    assert sum(len(built(name)) for name in asked) == 648
    assert sum(security.sealed_bytes(len(built(name))) for name in asked) == 745
    answers = ["set response"] * 4 + ["action response"]
    assert sum(len(built(name)) for name in answers) == 21
    assert sum(security.sealed_bytes(len(built(name))) for name in answers) == 116


def test_registers_in_the_list_are_six_different_ones():
    assert len(set(SIX)) == 6
    assert EXPORT_ACTIVE in SIX
