import pytest
from amiplan.meters.device import names
from amiplan.meters.device.association import expected
from amiplan.meters.device.base import AccessError, ActionError
from amiplan.meters.device.catalogue import association_of
from amiplan.meters.device.rights import Role
from amiplan.meters.device.state import AssociationStatus, Negotiated
from amiplan.meters.dlms import axdr
from amiplan.meters.dlms.apdu import ActionResult, DataAccess
from amiplan.meters.dlms.axdr import Tag
from amiplan.meters.dlms.obis import LOAD_PROFILE
from amiplan.meters.settings import ServiceSettings
from made_device import a_meter


def test_the_attributes_have_the_types_of_the_class():
    device, objects, _ = a_meter()
    found = association_of(device, Role.READER, objects)
    tags = {number: found.attribute(number).tag for number in found.attributes if number != 7}
    assert tags == {
        1: Tag.OCTETS,
        2: Tag.ARRAY,
        3: Tag.STRUCTURE,
        4: Tag.OCTETS,
        5: Tag.STRUCTURE,
        6: Tag.OCTETS,
        8: Tag.ENUM,
        9: Tag.OCTETS,
    }
    context = [item.tag for item in found.attribute(5).items]
    assert context == [Tag.BITS, Tag.U16, Tag.U16, Tag.U8, Tag.I8, Tag.OCTETS]
    assert found.attribute(3) == axdr.structure(axdr.i8(2), axdr.u16(1))
    assert found.attribute(9).octets == names.SECURITY_SETUP.octets
    assert axdr.decode(axdr.encode(found.attribute(2))) == found.attribute(2)


@pytest.mark.parametrize("number", [0, 7, 10, 11, -1])
def test_the_secret_and_what_later_versions_add_cannot_be_read(number):
    device, _, _ = a_meter()
    with pytest.raises(AccessError) as caught:
        association_of(device, Role.MANAGEMENT).attribute(number)
    assert caught.value.result is DataAccess.READ_WRITE_DENIED


@pytest.mark.parametrize(
    ("security", "role", "mechanism", "context"),
    [
        ("suite_0", Role.PUBLIC, 0, 1),
        ("suite_0", Role.READER, 5, 3),
        ("suite_2", Role.MANAGEMENT, 5, 3),
        ("lls", Role.READER, 1, 1),
        ("none", Role.FIRMWARE, 0, 1),
    ],
)
def test_context_and_mechanism_follow_from_the_security(security, role, mechanism, context):
    device, _, _ = a_meter(security=security)
    found = association_of(device, role)
    assert found.attribute(4).octets == bytes.fromhex("6085740508") + bytes([1, context])
    assert found.attribute(6).octets == bytes.fromhex("6085740508") + bytes([2, mechanism])
    assert expected(role, ServiceSettings(security=security)).mechanism == mechanism


def test_what_was_negotiated_is_shown():
    device, _, _ = a_meter()
    device.state.negotiated[Role.READER] = Negotiated(b"\x40\x1e\x5d", 500, 300, 5, 3)
    device.state.status[Role.READER] = AssociationStatus.ASSOCIATED
    found = association_of(device, Role.READER)
    bits, receive, send, version, *_ = found.attribute(5).items
    assert bits == axdr.bits("010000000001111001011101")
    assert (receive.number, send.number, version.number) == (500, 300, 6)
    assert found.attribute(8) == axdr.enum(2)
    assert association_of(device, Role.MANAGEMENT).attribute(8) == axdr.enum(0)


def test_profiles_offer_their_selectors():
    device, _, _ = a_meter()
    rows = association_of(device, Role.READER).attribute(2).items
    profile = next(row for row in rows if row.items[2].octets == LOAD_PROFILE.octets)
    assert profile.items[:2] == (axdr.u16(7), axdr.u8(1))
    buffer = profile.items[3].items[0].items[1]
    assert buffer == axdr.structure(axdr.i8(2), axdr.enum(1), axdr.array(axdr.i8(1), axdr.i8(2)))


def test_a_secret_goes_to_the_server():
    device, objects, _ = a_meter()
    own = objects[15, Role.READER.association]
    taken = []

    def refuse(role, secret):
        raise ValueError("not here")

    with pytest.raises(AccessError) as caught:
        own.write(7, axdr.octets(b"12345678"))
    assert caught.value.result is DataAccess.OBJECT_UNAVAILABLE
    device.state.new_secret = lambda role, secret: taken.append((role, secret))
    own.write(7, axdr.octets(b"12345678"))
    assert taken == [(Role.READER, b"12345678")]
    for wrong, result in (
        (axdr.octets(b""), DataAccess.SCOPE_OF_ACCESS_VIOLATED),
        (axdr.octets(bytes(65)), DataAccess.SCOPE_OF_ACCESS_VIOLATED),
        (axdr.u8(1), DataAccess.TYPE_UNMATCHED),
    ):
        with pytest.raises(AccessError) as caught:
            own.write(7, wrong)
        assert caught.value.result is result
    device.state.new_secret = refuse
    with pytest.raises(AccessError) as caught:
        own.write(7, axdr.octets(b"12345678"))
    assert caught.value.result is DataAccess.OTHER_REASON


def test_the_challenge_is_not_answered_here():
    device, _, _ = a_meter()
    with pytest.raises(ActionError) as caught:
        association_of(device, Role.READER).invoke(1, axdr.octets(bytes(17)))
    assert caught.value.result is ActionResult.OTHER_REASON
