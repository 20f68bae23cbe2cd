import inspect
import tracemalloc
import typing

import pytest
from amiplan.meters import clock
from amiplan.meters.dlms import apdu, axdr
from amiplan.meters.dlms.apdu import ActionResult, Attribute, DataAccess, GetRequest, GetResponse, Method
from amiplan.meters.dlms.obis import CLOCK, IMPORT_ACTIVE, LOAD_PROFILE, Obis
from amiplan.meters.dlms.security import sealed_bytes
from hypothesis import given, settings
from hypothesis import strategies as st

DAY = (clock.octets_of(clock.day_start_s(0)), clock.octets_of(clock.day_start_s(1)))

bytes_ = st.integers(0, 255)
u16s, u32s = st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1)
raws = st.binary(max_size=200)
moments = st.one_of(st.just(b""), st.binary(min_size=12, max_size=12))
codes = st.builds(Obis, *[bytes_] * 6)
leaves = st.one_of(
    st.just(axdr.NULL),
    st.builds(axdr.u8, bytes_),
    st.builds(axdr.u32, u32s),
    st.builds(axdr.i8, st.integers(-128, 127)),
    st.builds(axdr.enum, bytes_),
    st.builds(axdr.boolean, st.booleans()),
    st.builds(axdr.octets, raws),
    st.builds(axdr.bits, st.text("01", max_size=20)),
)
values = st.one_of(
    leaves,
    st.lists(leaves, max_size=4).map(lambda members: axdr.structure(*members)),
    st.integers(0, 4).flatmap(
        lambda n: st.lists(st.builds(axdr.u16, u16s), min_size=n, max_size=n).map(lambda m: axdr.array(*m))
    ),
)
attributes = st.one_of(
    st.builds(Attribute, u16s, codes, bytes_),
    st.builds(Attribute, u16s, codes, bytes_, st.integers(1, 255), values),
)
whole_attributes = st.builds(Attribute, u16s, codes, bytes_)
methods = st.builds(Method, u16s, codes, bytes_)
accesses, action_results = st.sampled_from(DataAccess), st.sampled_from(ActionResult)
results = st.one_of(values, accesses)
returned = st.one_of(st.none(), values, accesses)


def tuples(items):
    return st.lists(items, max_size=4).map(tuple)


def block(**others):
    return {"last": st.booleans(), "block": u32s, "raw": raws, "invoke": bytes_, **others}


STRATEGIES = {
    apdu.GetRequest: {"attribute": attributes, "invoke": bytes_},
    apdu.GetRequestNext: {"block": u32s, "invoke": bytes_},
    apdu.GetRequestList: {"attributes": tuples(attributes), "invoke": bytes_},
    apdu.GetResponse: {"result": results, "invoke": bytes_},
    apdu.GetResponseBlock: {
        "last": st.booleans(), "block": u32s, "result": st.one_of(raws, accesses), "invoke": bytes_,
    },
    apdu.GetResponseList: {"results": tuples(results), "invoke": bytes_},
    apdu.SetRequest: {"attribute": attributes, "value": values, "invoke": bytes_},
    apdu.SetRequestFirstBlock: block(attribute=attributes),
    apdu.SetRequestBlock: block(),
    apdu.SetRequestList: {"attributes": tuples(attributes), "values": tuples(values), "invoke": bytes_},
    apdu.SetRequestListFirstBlock: block(attributes=tuples(attributes)),
    apdu.SetResponse: {"result": accesses, "invoke": bytes_},
    apdu.SetResponseBlock: {"block": u32s, "invoke": bytes_},
    apdu.SetResponseLastBlock: {"result": accesses, "block": u32s, "invoke": bytes_},
    apdu.SetResponseLastBlockList: {"results": tuples(accesses), "block": u32s, "invoke": bytes_},
    apdu.SetResponseList: {"results": tuples(accesses), "invoke": bytes_},
    apdu.ActionRequest: {"method": methods, "parameters": st.one_of(st.none(), values), "invoke": bytes_},
    apdu.ActionRequestNext: {"block": u32s, "invoke": bytes_},
    apdu.ActionRequestList: {"methods": tuples(methods), "parameters": tuples(values), "invoke": bytes_},
    apdu.ActionRequestFirstBlock: block(method=methods),
    apdu.ActionRequestListFirstBlock: block(methods=tuples(methods)),
    apdu.ActionRequestBlock: block(),
    apdu.ActionResponse: {"result": action_results, "returned": returned, "invoke": bytes_},
    apdu.ActionResponseBlock: block(),
    apdu.ActionResponseList: {"results": tuples(st.tuples(action_results, returned)), "invoke": bytes_},
    apdu.ActionResponseNext: {"block": u32s, "invoke": bytes_},
    apdu.DataNotification: {"long_invoke": u32s, "body": values, "moment": moments},
    apdu.EventNotification: {"attribute": whole_attributes, "value": values, "moment": moments},
    apdu.ExceptionResponse: {"state_error": bytes_, "service_error": bytes_},
    apdu.ConfirmedServiceError: {"service": bytes_, "kind": bytes_, "value": bytes_},
}  # fmt: skip
services = st.one_of(*(st.builds(service, **fields) for service, fields in STRATEGIES.items()))

BILLING = Attribute(7, LOAD_PROFILE, 2, 1, apdu.by_range(*DAY, CLOCK))
RELAY = Method(70, Obis(0, 0, 96, 3, 10), 1)

# Bytes worked out by hand after the APDU definitions; most were decoded alike by gurux-dlms 1.0.203 (its translator)
# or dlms-cosem 25.1.0. Left to this table alone, as neither of them decodes it: ACTION in lists and blocks, SET with
# list and first block, the counter of an exception-response.
KNOWN = [
    ("c001c100030100010800ff0200", GetRequest(Attribute(3, IMPORT_ACTIVE, 2))),
    ("c002c100000003", apdu.GetRequestNext(3)),
    (
        "c003c10200030100010800ff02000007010063010 0ff0201020204060000000106000000021200011200 00".replace(" ", ""),
        apdu.GetRequestList((Attribute(3, IMPORT_ACTIVE, 2), Attribute(7, LOAD_PROFILE, 2, 2, apdu.by_entry(1, 2)))),
    ),
    ("c401c1010b", GetResponse(DataAccess.OBJECT_UNAVAILABLE)),
    ("c402c100000000010003616263", apdu.GetResponseBlock(False, 1, b"abc")),
    ("c402c10100000002010f", apdu.GetResponseBlock(True, 2, DataAccess.LONG_GET_ABORTED)),
    ("c403c1020011010104", apdu.GetResponseList((axdr.u8(1), DataAccess.OBJECT_UNDEFINED))),
    ("c101c100080000010000ff030010003c", apdu.SetRequest(Attribute(8, CLOCK, 3), axdr.i16(60))),
    ("c102c100080000010000ff03000000000001026162", apdu.SetRequestFirstBlock(Attribute(8, CLOCK, 3), False, 1, b"ab")),
    ("c103c10100000002026465", apdu.SetRequestBlock(True, 2, b"de")),
    (
        "c104c10100080000010000ff030001 10003c".replace(" ", ""),
        apdu.SetRequestList((Attribute(8, CLOCK, 3),), (axdr.i16(60),)),
    ),
    (
        "c105c10100080000010000ff03000000000001026162",
        apdu.SetRequestListFirstBlock((Attribute(8, CLOCK, 3),), False, 1, b"ab"),
    ),
    ("c501c103", apdu.SetResponse(DataAccess.READ_WRITE_DENIED)),
    ("c502c100000001", apdu.SetResponseBlock(1)),
    ("c503c10000000002", apdu.SetResponseLastBlock(DataAccess.SUCCESS, 2)),
    ("c504c102000300000002", apdu.SetResponseLastBlockList((DataAccess.SUCCESS, DataAccess.READ_WRITE_DENIED), 2)),
    ("c505c1020001", apdu.SetResponseList((DataAccess.SUCCESS, DataAccess.HARDWARE_FAULT))),
    ("c301c10046000060030aff0100", apdu.ActionRequest(RELAY)),
    ("c301c10046000060030aff01010f00", apdu.ActionRequest(RELAY, axdr.i8(0))),
    ("c302c100000002", apdu.ActionRequestNext(2)),
    ("c303c1010046000060030aff01010f00", apdu.ActionRequestList((RELAY,), (axdr.i8(0),))),
    ("c304c10046000060030aff010000000001026162", apdu.ActionRequestFirstBlock(RELAY, False, 1, b"ab")),
    ("c305c1010046000060030aff010000000001026162", apdu.ActionRequestListFirstBlock((RELAY,), False, 1, b"ab")),
    ("c306c101000000020171", apdu.ActionRequestBlock(True, 2, b"q")),
    ("c701c10400", apdu.ActionResponse(ActionResult.OBJECT_UNDEFINED)),
    ("c701c1000101fa", apdu.ActionResponse(ActionResult.SUCCESS, DataAccess.OTHER_REASON)),
    ("c701c10001001103", apdu.ActionResponse(ActionResult.SUCCESS, axdr.u8(3))),
    ("c702c10000000001026162", apdu.ActionResponseBlock(False, 1, b"ab")),
    (
        "c703c1020000000100 1101".replace(" ", ""),
        apdu.ActionResponseList(((ActionResult.SUCCESS, None), (ActionResult.SUCCESS, axdr.u8(1)))),
    ),
    ("c704c100000001", apdu.ActionResponseNext(1)),
    ("0f00000003001105", apdu.DataNotification(3, axdr.u8(5))),
    ("0f000000030c" + DAY[0].hex() + "1105", apdu.DataNotification(3, axdr.u8(5), DAY[0])),
    ("c20000030100010800ff021101", apdu.EventNotification(Attribute(3, IMPORT_ACTIVE, 2), axdr.u8(1))),
    (
        "c2010c" + DAY[0].hex() + "00030100010800ff021101",
        apdu.EventNotification(Attribute(3, IMPORT_ACTIVE, 2), axdr.u8(1), DAY[0]),
    ),
    ("d80102", apdu.ExceptionResponse(apdu.SERVICE_NOT_ALLOWED, apdu.SERVICE_NOT_SUPPORTED)),
    ("d801060000004d", apdu.ExceptionResponse(1, apdu.INVOCATION_COUNTER_ERROR, 77)),
    ("0e010601", apdu.ConfirmedServiceError(1, 6, 1)),
]


@pytest.mark.parametrize(("encoded", "service"), KNOWN, ids=[type(service).__name__ for _, service in KNOWN])
def test_known_bytes(encoded, service):
    assert apdu.encode(service).hex() == encoded
    assert apdu.decode(bytes.fromhex(encoded)) == service


@pytest.mark.parametrize(("encoded", "service"), KNOWN, ids=[type(service).__name__ for _, service in KNOWN])
def test_every_truncation_and_every_byte_too_many_is_refused(encoded, service):
    data = bytes.fromhex(encoded)
    shorter_is_whole = isinstance(service, apdu.ExceptionResponse) and service.counter is not None
    for cut in range(len(data)):
        if not (shorter_is_whole and cut == 3):
            with pytest.raises(ValueError):
                apdu.decode(data[:cut])
    with pytest.raises(ValueError, match="left over"):
        apdu.decode(data + b"\x00")


def test_every_service_is_in_the_tables_of_this_file():
    assert set(typing.get_args(apdu.Apdu)) == set(STRATEGIES)
    assert {type(service) for _, service in KNOWN} == set(STRATEGIES)
    for service in STRATEGIES:
        if "invoke" in inspect.signature(service).parameters:
            assert inspect.signature(service).parameters["invoke"].default == apdu.INVOKE


@settings(max_examples=400, deadline=None)
@given(services)
def test_every_service_returns(service):
    encoded = apdu.encode(service)
    assert apdu.decode(encoded) == service
    assert apdu.encode(apdu.decode(encoded)) == encoded


HEADS = [bytes([tag, choice]) for tag in (0xC0, 0xC1, 0xC3, 0xC4, 0xC5, 0xC7) for choice in range(1, 7)]


@settings(max_examples=600, deadline=None)
@given(st.binary(max_size=80), st.sampled_from([b"", b"\x0f", b"\xc2", b"\xd8", b"\x0e", *HEADS]))
def test_arbitrary_bytes_decode_or_raise_value_error(data, head):
    try:
        service = apdu.decode(head + data)
    except ValueError:
        return
    assert apdu.decode(apdu.encode(service)) == service


@settings(max_examples=300, deadline=None)
@given(services, st.data())
def test_damaged_services_decode_or_raise_value_error(service, data):
    damaged = bytearray(apdu.encode(service))
    place = data.draw(st.integers(0, len(damaged) - 1))
    damaged[place] ^= data.draw(st.integers(1, 255))
    try:
        read = apdu.decode(bytes(damaged))
    except ValueError:
        return
    assert isinstance(read, apdu.Apdu)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("", "cut short"),
        ("c004c100", "not supported"),
        ("c107c100", "not supported"),
        ("c900c100", "not supported"),
        ("c401c10105", "access result 5"),
        ("c401c101ff", "access result 255"),
        ("c501c105", "access result 5"),
        ("c701c10500", "action result 5"),
        ("c701c10002", "presence flag"),
        ("c701c100010211", "result choice"),
        ("c401c10203", "result choice"),
        ("c402c1010000000102", "block result choice"),
        ("c001c100030100010800ff0202", "presence flag"),
        ("c001c100030100010800ff02010000", "selector 0"),
        ("c301c10046000060030aff0102", "presence flag"),
        ("0f00000001050000000000", "0 or 12 bytes"),
        ("c2010500000000", "12 bytes"),
        ("c20200", "presence flag"),
        ("d80102ff", "left over"),
        ("d8010200000001", "left over"),
        ("0e01", "cut short"),
        ("c003c184ffffffff00", "announced"),
        ("c403c18400ffffff0000", "announced"),
        ("c104c10084ffffffff", "announced"),
        ("c402c101000000010084ffffffff", "cut short"),
    ],
)
def test_unknown_or_wrong_services_are_refused(data, said):
    with pytest.raises(ValueError, match=said):
        apdu.decode(bytes.fromhex(data))


@pytest.mark.parametrize(
    ("service", "said"),
    [
        (GetRequest(Attribute(65536, CLOCK, 2)), "class id 65536"),
        (GetRequest(Attribute(8, CLOCK, 256)), "member number 256"),
        (GetRequest(Attribute(8, CLOCK, -1)), "member number -1"),
        (GetRequest(Attribute(8, CLOCK, 2, 256)), "selector 256"),
        (GetRequest(Attribute(8, CLOCK, 2, 0, axdr.u8(1))), "without a selector"),
        (GetRequest(Attribute(8, CLOCK, 2), 256), "invoke byte 256"),
        (apdu.GetRequestNext(2**32), "block number"),
        (apdu.SetRequestBlock(True, -1, b""), "block number -1"),
        (apdu.ActionResponseNext(2**32), "block number"),
        (apdu.DataNotification(2**32, axdr.NULL), "long invoke id"),
        (apdu.DataNotification(1, axdr.NULL, b"1"), "0 or 12 bytes"),
        (apdu.EventNotification(Attribute(8, CLOCK, 2), axdr.NULL, b"1"), "0 or 12 bytes"),
        (apdu.EventNotification(Attribute(8, CLOCK, 2, 2, axdr.NULL), axdr.NULL), "selector"),
        (apdu.ExceptionResponse(256, 1), "state error 256"),
        (apdu.ExceptionResponse(1, 256), "service error 256"),
        (apdu.ExceptionResponse(1, 2, 5), "no counter"),
        (apdu.ExceptionResponse(1, 6, 2**32), "invocation counter"),
        (apdu.ConfirmedServiceError(1, 6, 256), "value 256"),
        ("a string", "not a DLMS service"),
    ],
)
def test_fields_that_do_not_fit_are_refused(service, said):
    with pytest.raises(ValueError, match=said):
        apdu.encode(service)


def test_result_codes_are_those_of_the_standard():
    shared = {0, 1, 2, 3, 4, 9, 11, 12, 13, 14, 15, 16, 250}
    assert {int(code) for code in DataAccess} == shared | {17, 18, 19}
    assert {int(code) for code in ActionResult} == shared
    assert DataAccess.SUCCESS == ActionResult.SUCCESS == 0


@pytest.mark.parametrize("class_id", [0, 9999, 65535])
@pytest.mark.parametrize("number", [0, 128, 255])
def test_strange_classes_attributes_and_methods_reach_the_server(class_id, number):
    asked = GetRequest(Attribute(class_id, Obis(255, 255, 255, 255, 255, 255), number))
    assert apdu.decode(apdu.encode(asked)) == asked
    invoked = apdu.ActionRequest(Method(class_id, CLOCK, number))
    assert apdu.decode(apdu.encode(invoked)) == invoked


def test_an_exception_of_an_older_edition_has_no_counter():
    assert apdu.decode(bytes.fromhex("d80106")) == apdu.ExceptionResponse(1, 6)


@settings(max_examples=60, deadline=None)
@given(tuples(results), tuples(values), action_results, returned)
def test_what_blocks_of_lists_carry_returns(several, given_values, result, back):
    assert apdu.decode_results(apdu.encode_results(several)) == several
    assert apdu.decode_values(apdu.encode_values(given_values)) == given_values
    assert apdu.decode_outcome(apdu.encode_outcome(result, back)) == (result, back)


@pytest.mark.parametrize("decode", [apdu.decode_results, apdu.decode_values, apdu.decode_outcome])
def test_what_blocks_of_lists_carry_is_refused_where_it_is_wrong(decode):
    for wrong in (b"", b"\x05", b"\x00\x00\x00", b"\xff"):
        with pytest.raises(ValueError):
            decode(wrong)


def test_list_payload_is_the_list_without_its_head():
    listed = apdu.GetResponseList((axdr.u8(1), DataAccess.OBJECT_UNDEFINED))
    assert apdu.encode(listed)[3:] == apdu.encode_results(listed.results)


def test_by_range_with_columns():
    """A capture object is 18 bytes: class, logical name, attribute, data index."""
    bare, chosen = (apdu.by_range(*DAY, CLOCK, columns) for columns in ((), ((8, CLOCK, 2), (3, IMPORT_ACTIVE, 2))))
    assert len(axdr.encode(chosen)) == len(axdr.encode(bare)) + 2 * 18
    assert axdr.encode(chosen.items[3].items[0]) == axdr.encode(chosen.items[0])
    assert [column.items[1].octets for column in chosen.items[3].items] == [CLOCK.octets, IMPORT_ACTIVE.octets]
    assert len(apdu.encode(GetRequest(BILLING))) == 64


@pytest.mark.parametrize(("max_pdu", "n_blocks", "n_response", "n_next"), [
    (128, 37, 4531, 936), (256, 16, 3952, 390), (512, 8, 3718, 182), (1024, 4, 3590, 78), (2048, 2, 3524, 26),
])  # fmt: skip
def test_block_transfer_of_the_day_profile(max_pdu, n_blocks, n_response, n_next):
    """Ciphered totals of 3458 B of data in blocks of max PDU - 32 B, as two DLMS libraries cut them."""
    pieces = apdu.split(bytes(3458), max_pdu - 32)
    blocks = [apdu.encode(apdu.GetResponseBlock(False, i, piece)) for i, piece in enumerate(pieces, 1)]
    assert len(pieces) == n_blocks
    assert [len(block) for block in blocks] == [apdu.block_bytes(len(piece)) for piece in pieces]
    assert sum(sealed_bytes(len(block)) for block in blocks) == n_response
    assert (n_blocks - 1) * sealed_bytes(len(apdu.encode(apdu.GetRequestNext(1)))) == n_next
    with pytest.raises(ValueError, match="blocks"):
        apdu.split(b"1", 0)


@pytest.mark.parametrize("n_data", [0, 1, 127, 128, 255, 256, 1000])
def test_action_block_bytes(n_data):
    for block_of in (apdu.SetRequestBlock, apdu.ActionRequestBlock, apdu.ActionResponseBlock):
        assert len(apdu.encode(block_of(True, 1, bytes(n_data)))) == apdu.action_block_bytes(n_data)


@pytest.mark.parametrize("item", [b"\x00\x00", b"\x01\x04", b"\x00\x01\x00", b"\x00\x11\x05"])
def test_the_longest_list_takes_memory_in_proportion(item):
    """65 kB of the smallest results: at most some fifty bytes of memory for each byte."""
    n_results = 65_000 // len(item)
    data = b"\xc4\x03\xc1" + axdr.encode_length(n_results) + item * n_results
    tracemalloc.start()
    read = apdu.decode(data)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(read.results) == n_results
    assert peak_bytes < 60 * len(data)
