import pytest
from amiplan.meters.device import names
from amiplan.meters.device.association import access_mode
from amiplan.meters.device.base import AccessError
from amiplan.meters.device.catalogue import association_of
from amiplan.meters.device.rights import INVOKE, KINDS, READ, TABLE, WRITE, Role, allowed, visible
from amiplan.meters.dlms.obis import ASSOCIATION, CLOCK, IMPORT_ACTIVE, LOAD_PROFILE, LOGICAL_DEVICE_NAME, Obis
from made_device import a_meter

COUNTER = Obis(0, 0, 43, 1, 0)
PUBLIC, MANAGEMENT, READER, FIRMWARE = Role.PUBLIC, Role.MANAGEMENT, Role.READER, Role.FIRMWARE

#  class  object                      number kind    who may
KNOWN = [
    (1, LOGICAL_DEVICE_NAME, 2, READ, {PUBLIC, MANAGEMENT, READER, FIRMWARE}),
    (1, COUNTER, 2, READ, {PUBLIC, MANAGEMENT, READER}),
    (1, names.ALARM_REGISTER, 2, WRITE, {MANAGEMENT}),
    (1, LOGICAL_DEVICE_NAME, 2, WRITE, set()),
    (3, IMPORT_ACTIVE, 2, READ, {MANAGEMENT, READER}),
    (3, IMPORT_ACTIVE, 2, WRITE, set()),
    (4, names.MAXIMUM_DEMAND, 1, INVOKE, {MANAGEMENT}),
    (7, LOAD_PROFILE, 2, READ, {MANAGEMENT, READER}),
    (7, LOAD_PROFILE, 1, INVOKE, {MANAGEMENT}),
    (8, CLOCK, 2, READ, {PUBLIC, MANAGEMENT, READER, FIRMWARE}),
    (8, CLOCK, 2, WRITE, {MANAGEMENT}),
    (8, CLOCK, 6, INVOKE, {MANAGEMENT}),
    (15, ASSOCIATION, 2, READ, {PUBLIC, MANAGEMENT, READER, FIRMWARE}),
    (15, ASSOCIATION, 7, READ, set()),
    (15, ASSOCIATION, 7, WRITE, {MANAGEMENT}),
    (15, ASSOCIATION, 1, INVOKE, {MANAGEMENT, READER, FIRMWARE}),
    (17, names.SAP_ASSIGNMENT, 2, READ, {PUBLIC, MANAGEMENT, READER, FIRMWARE}),
    (18, names.IMAGE_TRANSFER, 5, WRITE, {FIRMWARE}),
    (18, names.IMAGE_TRANSFER, 1, INVOKE, {FIRMWARE}),
    (64, names.SECURITY_SETUP, 5, READ, {PUBLIC, MANAGEMENT, READER}),
    (64, names.SECURITY_SETUP, 2, READ, {MANAGEMENT, READER}),
    (64, names.SECURITY_SETUP, 2, INVOKE, {MANAGEMENT}),
    (70, names.DISCONNECT_CONTROL, 1, INVOKE, {MANAGEMENT}),
    (70, names.DISCONNECT_CONTROL, 4, WRITE, {MANAGEMENT}),
]


@pytest.mark.parametrize(("class_id", "obis", "number", "kind", "who"), KNOWN)
def test_the_table_says_who_may(class_id, obis, number, kind, who):
    assert {role for role in Role if allowed(role, class_id, obis, number, kind)} == who


def test_the_reader_writes_nothing_and_does_nothing_but_answer_the_challenge():
    _, objects, _ = a_meter()
    numbers = range(1, 20)
    assert not any(allowed(READER, *key, number, WRITE) for key in objects for number in numbers)
    done = {(key, number) for key in objects for number in numbers if allowed(READER, *key, number, INVOKE)}
    assert done == {((15, ASSOCIATION), 1)}


def test_firmware_sees_five_objects_and_the_public_no_register():
    _, objects, _ = a_meter()
    assert {key[0] for key in objects if visible(FIRMWARE, *key)} == {1, 8, 15, 17, 18}
    assert not any(visible(PUBLIC, *key) for key in objects if key[0] in (3, 4, 5, 7, 18, 40, 70))


@pytest.mark.parametrize("role", list(Role))
def test_the_object_list_says_what_the_rights_enforce(role):
    """Every attribute and method of every object: what is promised is possible, what is not promised is refused."""
    _, objects, _ = a_meter()
    listed = {
        (row.items[0].number, Obis.from_octets(row.items[2].octets)): row.items[3].items
        for row in association_of(*a_meter()[:1], role).attribute(2).items
    }
    assert set(listed) == {key for key in objects if visible(role, *key)}
    for key, item in objects.items():
        if key not in listed:
            assert not any(allowed(role, *key, number, kind) for number in range(1, 12) for kind in KINDS)
            continue
        attributes, methods = listed[key]
        modes = {row.items[0].number: row.items[1].number for row in attributes.items}
        assert tuple(modes) == item.attributes
        for number, mode in modes.items():
            assert bool(mode & 1) == allowed(role, *key, number, READ)
            assert bool(mode & 2) == allowed(role, *key, number, WRITE)
            assert mode & 1 == 0 or item.attribute(number) is not None
            assert mode & 2 == 0 or number in item.writers
            assert mode == access_mode(role, *key, number)
        assert {row.items[0].number: bool(row.items[1].number) for row in methods.items} == {
            number: allowed(role, *key, number, INVOKE) for number in item.methods
        }


def test_no_secret_can_be_read_by_anyone():
    _, objects, _ = a_meter()
    for (class_id, obis), item in objects.items():
        if class_id == 15:
            assert not any(allowed(role, 15, obis, 7, READ) for role in Role)
            with pytest.raises(AccessError):
                item.attribute(7)


def test_every_rule_speaks_about_an_object_that_exists():
    _, objects, _ = a_meter()
    idle = [
        (role, rule) for role, rules in TABLE.items() for rule in rules if not any(rule.covers(*k) for k in objects)
    ]
    assert idle == []


def test_every_grant_is_one_that_the_object_offers():
    _, objects, _ = a_meter()
    for key, item in objects.items():
        granted = {number for number in range(1, 12) if any(allowed(role, *key, number, INVOKE) for role in Role)}
        assert granted <= set(item.methods)


def test_roles_and_their_names():
    assert [Role.of_sap(sap) for sap in (16, 1, 2, 3, 99)] == [PUBLIC, MANAGEMENT, READER, FIRMWARE, None]
    assert READER.sap == 2
    assert READER.invocation_counter == Obis(0, 0, 43, 1, 2)
    assert len({role.association for role in Role} | {ASSOCIATION}) == 5
    with pytest.raises(ValueError, match="read, write, invoke"):
        allowed(READER, 1, CLOCK, 2, "look")
