import pytest
from amiplan.meters import clock
from amiplan.meters.device import names
from amiplan.meters.device.base import AccessError, ActionError, Interface
from amiplan.meters.device.clock_object import EARLIEST_S, LATEST_S
from amiplan.meters.device.image import MAX_IMAGE_BYTES
from amiplan.meters.device.meter import Device
from amiplan.meters.device.rights import Role
from amiplan.meters.device.state import ControlState, EventCode
from amiplan.meters.dlms import axdr
from amiplan.meters.dlms.apdu import ActionResult, DataAccess
from amiplan.meters.dlms.axdr import Tag
from amiplan.meters.dlms.obis import CLOCK, ENERGY_REGISTERS, IMPORT_ACTIVE, LOGICAL_DEVICE_NAME, Obis
from hypothesis import given, settings
from hypothesis import strategies as st
from made_device import END_S, HISTORY, START_S, a_meter, flat_history

NOW = END_S - 500
TIME_TAGS = (Tag.OCTETS, Tag.I16, Tag.U8, Tag.OCTETS, Tag.OCTETS, Tag.I8, Tag.BOOLEAN, Tag.ENUM)
#  class  object                      types of attributes 2 onward
TYPES = [
    (1, LOGICAL_DEVICE_NAME, (Tag.OCTETS,)),
    (1, Obis(0, 0, 43, 1, 0), (Tag.U32,)),
    (1, names.ALARM_REGISTER, (Tag.U32,)),
    (1, names.PROFILE_STATUS, (Tag.U8,)),
    (3, IMPORT_ACTIVE, (Tag.U32, Tag.STRUCTURE)),
    (3, names.VOLTAGE, (Tag.U16, Tag.STRUCTURE)),
    (4, names.MAXIMUM_DEMAND, (Tag.U32, Tag.STRUCTURE, Tag.U8, Tag.OCTETS)),
    (
        5,
        names.DEMAND,
        (Tag.U32, Tag.U32, Tag.STRUCTURE, Tag.U8, Tag.OCTETS, Tag.OCTETS, Tag.U32, Tag.U16),
    ),
    (8, CLOCK, TIME_TAGS),
    (9, names.DISCONNECT_SCRIPTS, (Tag.ARRAY,)),
    (17, names.SAP_ASSIGNMENT, (Tag.ARRAY,)),
    (18, names.IMAGE_TRANSFER, (Tag.U32, Tag.BITS, Tag.U32, Tag.BOOLEAN, Tag.ENUM, Tag.ARRAY)),
    (40, names.PUSHES["register"], (Tag.ARRAY, Tag.STRUCTURE, Tag.ARRAY, Tag.U16, Tag.U8, Tag.U16)),
    (64, names.SECURITY_SETUP, (Tag.ENUM, Tag.ENUM, Tag.OCTETS, Tag.OCTETS)),
    (70, names.DISCONNECT_CONTROL, (Tag.BOOLEAN, Tag.ENUM, Tag.ENUM)),
    (
        71,
        names.LIMITER,
        (Tag.STRUCTURE, *[Tag.U32] * 5, Tag.STRUCTURE, Tag.ARRAY, Tag.BOOLEAN, Tag.STRUCTURE),
    ),
]


def access(call):
    with pytest.raises(AccessError) as caught:
        call()
    return caught.value.result


def action(call):
    with pytest.raises(ActionError) as caught:
        call()
    return caught.value.result


@pytest.mark.parametrize(("class_id", "obis", "tags"), TYPES)
def test_the_attributes_have_the_types_of_the_class(class_id, obis, tags):
    _, objects, _ = a_meter(NOW)
    item = objects[class_id, obis]
    assert item.attributes == tuple(range(1, len(tags) + 2))
    assert item.attribute(1).octets == obis.octets
    assert tuple(item.attribute(number).tag for number in item.attributes[1:]) == tags


@given(st.integers(START_S - 10_000, END_S + 100_000), st.sampled_from(["suite_0", "suite_1", "none"]))
@settings(deadline=None, max_examples=20)
def test_whatever_can_be_read_can_be_encoded_at_any_time(now_s, security):
    _, objects, _ = a_meter(now_s, security=security)
    for (class_id, _), item in objects.items():
        for number in item.attributes:
            if (class_id, number) != (15, 7):
                value = item.attribute(number)
                assert axdr.decode(axdr.encode(value)) == value


@given(
    st.integers(-3, 300),
    st.sampled_from(
        [
            axdr.NULL,
            axdr.u8(1),
            axdr.i8(0),
            axdr.u16(3),
            axdr.octets(bytes(12)),
            axdr.array(axdr.NULL),
            axdr.structure(),
        ]
    ),
)
@settings(deadline=None, max_examples=60)
def test_nonsense_is_refused_and_never_anything_worse(number, value):
    _, objects, _ = a_meter(NOW)
    results = set()
    for item in objects.values():
        for call, wrong in (
            (lambda item=item: item.attribute(number, 1, value), AccessError),
            (lambda item=item: item.write(number, value), AccessError),
            (lambda item=item: item.invoke(number, value), ActionError),
        ):
            try:
                call()
            except wrong as refused:
                results.add(int(refused.result))
    assert results
    assert 0 not in results


def test_unknown_numbers_are_denied():
    _, objects, _ = a_meter(NOW)
    register = objects[3, IMPORT_ACTIVE]
    assert access(lambda: register.attribute(9)) is DataAccess.READ_WRITE_DENIED
    assert access(lambda: register.write(2, axdr.u32(0))) is DataAccess.READ_WRITE_DENIED
    assert action(lambda: register.invoke(1)) is ActionResult.READ_WRITE_DENIED
    assert access(lambda: objects[1, LOGICAL_DEVICE_NAME].write(2, axdr.u8(0))) is DataAccess.READ_WRITE_DENIED


def test_registers_say_what_the_history_says():
    _, objects, _ = a_meter(NOW)
    now = HISTORY.registers_at(NOW)
    assert [objects[3, obis].attribute(2).number for obis in ENERGY_REGISTERS] == now.tolist()
    for channel in (0, 1):
        tariffs = [objects[3, names.tariff_register(channel, e)].attribute(2).number for e in range(1, 5)]
        assert sum(tariffs) % 2**32 == now[channel]
    assert [objects[3, obis].attribute(2).number for obis in names.POWER] == HISTORY.power_w(NOW).tolist()
    last = HISTORY.gained(HISTORY.n_intervals - 2)
    assert [objects[3, obis].attribute(2).number for obis in names.INTERVAL_ENERGY] == last.tolist()


def test_units_and_scalers():
    _, objects, _ = a_meter(NOW)
    units = {obis: objects[3, obis].attribute(3).items for obis in (IMPORT_ACTIVE, names.VOLTAGE, names.FREQUENCY)}
    assert {str(o): (s.number, u.number) for o, (s, u) in units.items()} == {
        "1-0:1.8.0.255": (0, 30),
        "1-0:32.7.0.255": (-1, 35),
        "1-0:14.7.0.255": (-2, 44),
    }
    assert 2070 < objects[3, names.VOLTAGE].attribute(2).number < 2530
    assert 4990 < objects[3, names.FREQUENCY].attribute(2).number < 5010


def test_demand_and_its_maximum():
    history = flat_history([100, 400, 200])
    begin = int(history.time_s[0])
    _, objects, move = a_meter(begin + 2250, history)
    demand, peak = objects[5, names.DEMAND], objects[4, names.MAXIMUM_DEMAND]
    assert [demand.attribute(number).number for number in (2, 3)] == [400, 1600]
    assert clock.time_s_of(demand.attribute(7).octets) == begin + 1800
    assert peak.attribute(2).number == 1600
    assert clock.time_s_of(peak.attribute(5).octets) == begin + 1800
    peak.invoke(1, axdr.i8(0))
    assert peak.attribute(2).number == 0
    assert peak.attribute(5).octets[:2] == b"\xff\xff"
    move(begin + 2700)
    assert peak.attribute(2).number == 800


def test_the_clock_is_set_and_the_log_knows():
    device, objects, move = a_meter(NOW)
    item = objects[8, CLOCK]
    assert clock.time_s_of(item.attribute(2).octets) == NOW
    wanted = NOW + 77
    for tag in (Tag.OCTETS, Tag.DATE_TIME):
        item.write(2, axdr.Value(tag, clock.octets_of(wanted)))
        assert clock.time_s_of(item.attribute(2).octets) == wanted
    move(NOW + 10)
    assert clock.time_s_of(item.attribute(2).octets) == wanted + 10
    assert [code for _, code in device.state.events] == [EventCode.CLOCK_SET] * 2


@pytest.mark.parametrize(
    ("value", "result"),
    [
        (axdr.u32(5), DataAccess.TYPE_UNMATCHED),
        (axdr.octets(b"\xff" * 12), DataAccess.TYPE_UNMATCHED),
        (axdr.octets(bytes.fromhex("0001010101000000000000 00")), DataAccess.OTHER_REASON),
        (axdr.octets(clock.octets_of(EARLIEST_S - 1)), DataAccess.OTHER_REASON),
        (axdr.octets(clock.octets_of(LATEST_S)), DataAccess.OTHER_REASON),
    ],
)
def test_an_impossible_time_is_refused(value, result):
    device, objects, _ = a_meter(NOW)
    assert access(lambda: objects[8, CLOCK].write(2, value)) is result
    assert device.state.clock_offset_s == 0
    assert device.state.events == []


@pytest.mark.parametrize(
    ("method", "parameter", "moved_s"),
    [(1, axdr.i8(0), 400), (2, axdr.i8(0), 400), (3, axdr.i8(0), -20), (6, axdr.i16(-30), -30)],
)
def test_the_clock_is_adjusted(method, parameter, moved_s):
    device, objects, _ = a_meter(END_S - 400)
    objects[8, CLOCK].invoke(method, parameter)
    assert device.state.clock_offset_s == moved_s


def test_a_shift_has_its_limits():
    _, objects, _ = a_meter(NOW)
    assert action(lambda: objects[8, CLOCK].invoke(6, axdr.i16(901))) is ActionResult.OTHER_REASON
    assert action(lambda: objects[8, CLOCK].invoke(6, axdr.i8(1))) is ActionResult.TYPE_UNMATCHED
    assert action(lambda: objects[8, CLOCK].invoke(4, axdr.i8(0))) is ActionResult.READ_WRITE_DENIED


@pytest.mark.parametrize(
    ("mode", "after"),
    [(1, 2), (2, 1), (3, 2), (4, 1), (5, 2), (6, 2)],
)
def test_the_relay_follows_its_control_mode(mode, after):
    device, objects, _ = a_meter(NOW)
    control = objects[70, names.DISCONNECT_CONTROL]
    control.write(4, axdr.enum(mode))
    for _ in range(2):
        control.invoke(1, axdr.i8(0))
        assert (control.attribute(2), control.attribute(3)) == (axdr.boolean(False), axdr.enum(0))
    for _ in range(2):
        control.invoke(2, axdr.i8(0))
        assert (control.attribute(2), control.attribute(3)) == (axdr.boolean(after == 1), axdr.enum(after))
    assert [code for _, code in device.state.events] == [EventCode.REMOTE_DISCONNECTED, EventCode.REMOTE_CONNECTED]
    control.invoke(1, axdr.i8(0))
    assert device.state.relay.control_state is ControlState.DISCONNECTED


def test_the_relay_refuses():
    _, objects, _ = a_meter(NOW)
    control = objects[70, names.DISCONNECT_CONTROL]
    assert access(lambda: control.write(4, axdr.enum(7))) is DataAccess.OTHER_REASON
    assert access(lambda: control.write(4, axdr.u8(1))) is DataAccess.TYPE_UNMATCHED
    assert access(lambda: control.write(3, axdr.enum(1))) is DataAccess.READ_WRITE_DENIED
    assert action(lambda: control.invoke(1, axdr.octets(b""))) is ActionResult.TYPE_UNMATCHED
    control.write(4, axdr.enum(0))
    assert action(lambda: control.invoke(1, axdr.i8(0))) is ActionResult.READ_WRITE_DENIED
    assert control.attribute(2) == axdr.boolean(True)


def test_scripts_work_the_relay():
    device, objects, _ = a_meter(NOW)
    scripts = objects[9, names.DISCONNECT_SCRIPTS]
    scripts.invoke(1, axdr.u16(1))
    assert not device.state.relay.connected
    scripts.invoke(1, axdr.u16(2))
    assert device.state.relay.connected
    assert action(lambda: scripts.invoke(1, axdr.u16(3))) is ActionResult.OBJECT_UNDEFINED
    assert [row.items[0].number for row in scripts.attribute(2).items] == [1, 2]


def test_limits_are_kept():
    _, objects, _ = a_meter(NOW)
    limiter = objects[71, names.LIMITER]
    limiter.write(4, axdr.u32(9000))
    assert limiter.attribute(3) == limiter.attribute(4) == axdr.u32(9000)
    assert access(lambda: limiter.write(5, axdr.u16(1))) is DataAccess.TYPE_UNMATCHED


def sent_image(transfer, n_bytes, skip=None):
    block_bytes = transfer.attribute(2).number
    transfer.invoke(1, axdr.structure(axdr.octets(b"fw 2"), axdr.u32(n_bytes)))
    for number, at in enumerate(range(0, n_bytes, block_bytes)):
        if number != skip:
            piece = bytes([number]) * min(block_bytes, n_bytes - at)
            transfer.invoke(2, axdr.structure(axdr.u32(number), axdr.octets(piece)))


def test_an_image_is_transferred_verified_and_activated():
    device, objects, _ = a_meter(NOW)
    transfer = objects[18, names.IMAGE_TRANSFER]
    sent_image(transfer, 950, skip=2)
    assert transfer.attribute(3) == axdr.bits("11011")
    assert transfer.attribute(4).number == 2
    assert action(lambda: transfer.invoke(3, axdr.i8(0))) is ActionResult.OTHER_REASON
    assert action(lambda: transfer.invoke(4, axdr.i8(0))) is ActionResult.OTHER_REASON
    transfer.invoke(2, axdr.structure(axdr.u32(2), axdr.octets(b"\x02" * 200)))
    assert transfer.attribute(7) == axdr.array()
    transfer.invoke(3, axdr.i8(0))
    assert (transfer.attribute(4).number, transfer.attribute(6).number) == (5, 3)
    size, name, signature = transfer.attribute(7).items[0].items
    assert (size.number, name.octets, len(signature.octets)) == (950, b"fw 2", 8)
    transfer.invoke(4, axdr.i8(0))
    assert transfer.attribute(6).number == 6
    assert device.state.events[-1][1] == EventCode.FIRMWARE_ACTIVATED


@pytest.mark.parametrize(
    ("block", "content", "result"),
    [
        (5, bytes(150), ActionResult.SCOPE_OF_ACCESS_VIOLATED),
        (0, bytes(201), ActionResult.SCOPE_OF_ACCESS_VIOLATED),
        (4, bytes(200), ActionResult.SCOPE_OF_ACCESS_VIOLATED),
    ],
)
def test_a_block_that_does_not_fit_is_refused(block, content, result):
    _, objects, _ = a_meter(NOW)
    transfer = objects[18, names.IMAGE_TRANSFER]
    sent_image(transfer, 950)
    assert action(lambda: transfer.invoke(2, axdr.structure(axdr.u32(block), axdr.octets(content)))) is result


def test_the_image_transfer_refuses():
    device, objects, _ = a_meter(NOW, max_pdu_bytes=128)
    transfer = objects[18, names.IMAGE_TRANSFER]
    block = axdr.structure(axdr.u32(0), axdr.octets(b"x"))
    assert transfer.attribute(2).number == 64
    assert action(lambda: transfer.invoke(2, block)) is ActionResult.TEMPORARY_FAILURE
    for name, n_bytes in ((b"", 0), (b"", MAX_IMAGE_BYTES + 1), (bytes(65), 10)):
        begin = axdr.structure(axdr.octets(name), axdr.u32(n_bytes))
        assert action(lambda begin=begin: transfer.invoke(1, begin)) is ActionResult.SCOPE_OF_ACCESS_VIOLATED
    assert action(lambda: transfer.invoke(1, axdr.u8(1))) is ActionResult.TYPE_UNMATCHED
    transfer.write(5, axdr.boolean(False))
    for method in (1, 2, 3, 4):
        assert action(lambda method=method: transfer.invoke(method, block)) is ActionResult.READ_WRITE_DENIED
    assert device.state.image.blocks == {}


@pytest.mark.parametrize(
    ("security", "protection", "version", "policy", "suite"),
    [
        ("none", "authenticated_encrypted", 0, 0, 0),
        ("suite_0", "authenticated_encrypted", 0, 3, 0),
        ("suite_0", "authenticated", 0, 1, 0),
        ("suite_1", "encrypted", 1, 0x48, 1),
        ("suite_2", "authenticated_encrypted", 1, 0x6C, 2),
    ],
)
def test_the_security_setup_says_how_messages_are_protected(security, protection, version, policy, suite):
    device, objects, _ = a_meter(NOW, security=security, protection=protection)
    device.state.client_title = b"AMPHEAD0"
    setup = objects[64, names.SECURITY_SETUP]
    assert (setup.version, setup.attribute(2).number, setup.attribute(3).number) == (version, policy, suite)
    assert (setup.attribute(4).octets, setup.attribute(5).octets) == (b"AMPHEAD0", device.title)
    if version:
        assert setup.attribute(6) == axdr.array()
    else:
        assert access(lambda: setup.attribute(6)) is DataAccess.READ_WRITE_DENIED


def test_a_policy_can_only_become_stricter():
    device, objects, _ = a_meter(NOW, protection="authenticated")
    setup, told = objects[64, names.SECURITY_SETUP], []
    setup.invoke(1, axdr.enum(1))
    assert action(lambda: setup.invoke(1, axdr.enum(3))) is ActionResult.OBJECT_UNAVAILABLE
    assert setup.attribute(2).number == 1
    device.state.security_activate = told.append
    for weaker in (0, 2, 7):
        assert action(lambda weaker=weaker: setup.invoke(1, axdr.enum(weaker))) is ActionResult.READ_WRITE_DENIED
    setup.invoke(1, axdr.enum(3))
    assert setup.attribute(2).number == 3
    assert told == [3]


def test_keys_go_to_the_server():
    device, objects, _ = a_meter(NOW)
    setup, taken = objects[64, names.SECURITY_SETUP], []

    def wanted(key_id, n_bytes):
        return axdr.array(axdr.structure(axdr.enum(key_id), axdr.octets(bytes(n_bytes))))

    def refuse(keys):
        raise ValueError("integrity check failed")

    assert action(lambda: setup.invoke(2, wanted(0, 24))) is ActionResult.OBJECT_UNAVAILABLE
    device.state.key_transfer = taken.append
    setup.invoke(2, wanted(2, 40))
    assert taken == [{2: bytes(40)}]
    doubled = axdr.array(*wanted(0, 24).items * 2)
    for wrong in (wanted(4, 24), wanted(0, 23), axdr.array(), doubled, axdr.array(*wanted(0, 24).items * 5)):
        assert action(lambda wrong=wrong: setup.invoke(2, wrong)) is ActionResult.SCOPE_OF_ACCESS_VIOLATED
    device.state.key_transfer = refuse
    assert action(lambda: setup.invoke(2, wanted(0, 24))) is ActionResult.OTHER_REASON


def test_a_push_setup_is_written_and_read_back():
    _, objects, _ = a_meter(NOW)
    setup = objects[40, names.PUSHES["last_gasp"]]
    pushed = [(row.items[0].number, row.items[1].octets, row.items[2].number) for row in setup.attribute(2).items]
    assert pushed == [
        (40, setup.obis.octets, 1),
        (8, CLOCK.octets, 2),
        (1, names.DEVICE_ID_1.octets, 2),
        (1, names.ALARM_REGISTER.octets, 2),
    ]
    window = axdr.array(axdr.structure(axdr.octets(bytes(12)), axdr.octets(bytes(12))))
    destination = axdr.structure(axdr.enum(1), axdr.octets(b"[::1]:4059"), axdr.enum(0))
    for number, value in ((3, destination), (4, window), (5, axdr.u16(60)), (6, axdr.u8(2)), (7, axdr.u16(9))):
        setup.write(number, value)
        assert setup.attribute(number) == value
    assert objects[40, names.PUSHES["register"]].attribute(5) == axdr.u16(0)
    too_long = axdr.structure(axdr.enum(1), axdr.octets(bytes(65)), axdr.enum(0))
    assert access(lambda: setup.write(3, too_long)) is DataAccess.SCOPE_OF_ACCESS_VIOLATED
    many = axdr.array(*window.items * 9)
    assert access(lambda: setup.write(4, many)) is DataAccess.SCOPE_OF_ACCESS_VIOLATED
    short = axdr.array(axdr.structure(axdr.octets(b""), axdr.octets(b"")))
    assert access(lambda: setup.write(4, short)) is DataAccess.TYPE_UNMATCHED
    assert access(lambda: setup.write(5, axdr.u8(1))) is DataAccess.TYPE_UNMATCHED


def test_who_the_meter_is():
    device, objects, _ = a_meter(NOW)
    assert objects[1, LOGICAL_DEVICE_NAME].attribute(2).octets == b"AMP0102030405"
    assert objects[17, names.SAP_ASSIGNMENT].attribute(2).items[0].items[0].number == 1
    device.state.logical_devices = [(17, b"A"), (18, b"B")]
    assert len(objects[17, names.SAP_ASSIGNMENT].attribute(2).items) == 2
    with pytest.raises(ValueError, match="8 bytes"):
        Device(b"short", 1, HISTORY, device.settings, device.now_s)


def test_invocation_counters_show_what_was_seen():
    device, objects, _ = a_meter(NOW)
    device.state.last_seen.update({Role.READER: 70, Role.MANAGEMENT: 9})
    assert objects[1, Role.READER.invocation_counter].attribute(2).number == 70
    assert objects[1, Role.FIRMWARE.invocation_counter].attribute(2).number == 0
    assert objects[1, Obis(0, 0, 43, 1, 0)].attribute(2).number == 70


def test_an_alarm_is_raised_and_cleared():
    device, objects, _ = a_meter(NOW)
    device.state.alarms = 4
    register = objects[1, names.ALARM_REGISTER]
    assert register.attribute(2) == axdr.u32(4)
    register.write(2, axdr.u32(0))
    assert device.state.alarms == 0
    assert access(lambda: register.write(2, axdr.u8(0))) is DataAccess.TYPE_UNMATCHED


def test_a_meter_has_no_two_objects_of_one_name_and_few_of_its_own():
    _, objects, _ = a_meter(NOW)
    assert len(objects) == 57
    assert all(isinstance(item, Interface) and (item.class_id, item.obis) == key for key, item in objects.items())
