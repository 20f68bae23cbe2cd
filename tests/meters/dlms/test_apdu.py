import pytest
from amiplan.meters import clock
from amiplan.meters.dlms import acse, apdu, axdr
from amiplan.meters.dlms.acse import Association
from amiplan.meters.dlms.apdu import DataAccess
from amiplan.meters.dlms.obis import ASSOCIATION, CLOCK, IMPORT_ACTIVE, LOAD_PROFILE, Obis
from hypothesis import given, settings
from hypothesis import strategies as st

DAY = (clock.octets_of(clock.day_start_s(0)), clock.octets_of(clock.day_start_s(1)))
NAME, TITLE = axdr.octets(IMPORT_ACTIVE.octets), axdr.octets(b"AMP12345")
NOW = axdr.octets(DAY[0])
GET_RANGE = apdu.GetRequest(7, LOAD_PROFILE, 2, 1, apdu.by_range(*DAY, CLOCK))
GET_ENTRY = apdu.GetRequest(7, LOAD_PROFILE, 2, 2, apdu.by_entry(1, 96))

SERVICES = [
    apdu.GetRequest(3, IMPORT_ACTIVE, 2),
    GET_RANGE,
    GET_ENTRY,
    apdu.GetRequestNext(7),
    apdu.GetResponse(axdr.u32(5)),
    apdu.GetResponse(DataAccess.OBJECT_UNDEFINED),
    apdu.GetResponseBlock(False, 1, b"\x01" * 200),
    apdu.GetResponseBlock(True, 2, DataAccess.DATA_BLOCK_NUMBER_INVALID),
    apdu.ActionRequest(15, ASSOCIATION, 1, axdr.octets(bytes(17))),
    apdu.ActionResponse(0, axdr.octets(bytes(17))),
    apdu.ActionResponse(13),
    apdu.DataNotification(3, axdr.structure(NAME, TITLE)),
    apdu.DataNotification(3, axdr.structure(NAME), DAY[0]),
    apdu.ExceptionResponse(1, 2),
]


@pytest.mark.parametrize("service", SERVICES)
def test_services_return_and_refuse_every_truncation(service):
    encoded = apdu.encode(service)
    assert apdu.decode(encoded) == service
    for cut in range(len(encoded)):
        with pytest.raises(ValueError):
            apdu.decode(encoded[:cut])
    with pytest.raises(ValueError):
        apdu.decode(encoded + b"\x00")


@pytest.mark.parametrize(
    ("service", "n_bytes"),
    [
        (apdu.GetRequest(3, IMPORT_ACTIVE, 2), 13),
        (apdu.GetResponse(axdr.u32(1)), 9),
        (apdu.GetResponse(axdr.Value(axdr.Tag.U64, 1)), 13),
        (apdu.GetResponse(axdr.structure(axdr.i8(0), axdr.enum(30))), 10),
        (GET_RANGE, 64),
        (GET_ENTRY, 32),
        (apdu.GetRequestNext(1), 7),
        (apdu.GetResponseBlock(False, 1, bytes(100)), 110),
        (apdu.ActionRequest(15, ASSOCIATION, 1, axdr.octets(bytes(17))), 32),
        (apdu.ActionResponse(0, axdr.octets(bytes(17))), 25),
        (apdu.DataNotification(1, axdr.structure(NAME, NOW, TITLE, axdr.u32(1))), 45),
        (apdu.DataNotification(1, axdr.structure(TITLE, axdr.u32(1))), 23),
        (
            apdu.DataNotification(1, axdr.structure(NAME, NOW, TITLE, axdr.u8(0), *[axdr.u32(1)] * 12), DAY[0]),
            114,
        ),
    ],
)
def test_lengths_of_the_message_budget(service, n_bytes):
    """Sizes measured with two independent DLMS libraries (gurux-dlms 1.0.203, dlms-cosem 25.1.0)."""
    assert len(apdu.encode(service)) == n_bytes


def test_daily_billing_row_has_84_bytes():
    row = axdr.structure(NOW, axdr.u8(0), *[axdr.u32(1)] * 12)
    assert len(apdu.encode(apdu.GetResponse(axdr.array(row)))) == 84


@pytest.mark.parametrize(
    ("association", "n_bytes"),
    [
        (Association(acse.CONTEXT_PLAIN, acse.initiate_request(1024)), 31),
        (Association(acse.CONTEXT_PLAIN, acse.initiate_response(1024), result=0), 43),
        (Association(3, acse.initiate_request(1024), 5, bytes(8), bytes(16)), 76),
        (Association(3, bytes(33), 5, bytes(8), bytes(16)), 95),
        (Association(3, bytes(33), 5, bytes(8), bytes(16), 0, 14), 107),
    ],
)
def test_lengths_of_association_steps(association, n_bytes):
    encoded = acse.encode(association)
    assert len(encoded) == n_bytes
    assert acse.decode(encoded) == association
    for cut in range(len(encoded)):
        with pytest.raises(ValueError):
            acse.decode(encoded[:cut])


def test_association_request_of_the_green_book():
    """DLMS UA 1000-2 (Green Book), AARQ example: ciphered context, low level security, glo-initiate request."""
    initiate = "21303001234567801302FF8A7874133D414CED25B42534D28DB0047720606B175BD52211BE6841DB204D39EE6FDB8E356855"
    expected = (
        "6066A109060760857405080103A60A04084D4D4D0000BC614E8A0207808B0760857405080201AC0A80083132333435363738BE340432"
    )
    asked = Association(3, bytes.fromhex(initiate), 1, bytes.fromhex("4D4D4D0000BC614E"), b"12345678")
    assert acse.encode(asked).hex().upper() == expected + initiate
    assert acse.decode(bytes.fromhex(expected + initiate)) == asked


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=80), st.sampled_from([b"", b"\xc0\x01", b"\xc4\x02", b"\xc4\x01", b"\xc3\x01", b"\x0f", b"\x60"])
)
def test_arbitrary_bytes_decode_or_raise_value_error(data, head):
    for decode in (apdu.decode, acse.decode):
        try:
            decode(head + data)
        except ValueError:
            continue


@pytest.mark.parametrize("data", ["c003c100", "c1", "d80102ff", "c401c10203", "0f00000001050000000000", "c4020000"])
def test_unknown_or_wrong_services_are_refused(data):
    with pytest.raises(ValueError):
        apdu.decode(bytes.fromhex(data))


def test_initiate_carries_the_largest_apdu_of_the_other_side():
    assert acse.initiate_max_pdu(acse.initiate_request(512)) == 512
    assert acse.initiate_max_pdu(acse.initiate_response(640)) == 640
    with pytest.raises(ValueError, match="initiate"):
        acse.initiate_max_pdu(b"\x01" + bytes(13))
    with pytest.raises(ValueError):
        acse.encode(Association(3, bytes(126)))


@pytest.mark.parametrize(("max_pdu", "n_blocks", "n_response", "n_next"), [
    (128, 37, 4531, 936), (256, 16, 3952, 390), (512, 8, 3718, 182), (1024, 4, 3590, 78), (2048, 2, 3524, 26),
])  # fmt: skip
def test_block_transfer_of_the_day_profile(max_pdu, n_blocks, n_response, n_next):
    """Ciphered totals of 3458 B of data in blocks of max PDU - 32 B, as two DLMS libraries cut them."""
    from amiplan.meters.dlms.security import sealed_bytes

    pieces = apdu.split(bytes(3458), max_pdu - 32)
    blocks = [apdu.encode(apdu.GetResponseBlock(False, i, piece)) for i, piece in enumerate(pieces, 1)]
    assert len(pieces) == n_blocks
    assert [len(block) for block in blocks] == [apdu.block_bytes(len(piece)) for piece in pieces]
    assert sum(sealed_bytes(len(block)) for block in blocks) == n_response
    assert (n_blocks - 1) * sealed_bytes(len(apdu.encode(apdu.GetRequestNext(1)))) == n_next
    with pytest.raises(ValueError, match="blocks"):
        apdu.split(b"1", 0)


def test_obis_in_requests():
    assert apdu.decode(apdu.encode(apdu.GetRequest(8, Obis(0, 0, 1, 0, 0), 2))).obis == CLOCK
