from dataclasses import replace

import numpy as np
import pytest
from amiplan.meters.client import ExchangeFailed, converse, read_all
from amiplan.meters.commission import CLIENT_TITLE, secrets_of
from amiplan.meters.device import names
from amiplan.meters.device.answers import MOST_LIST_ITEMS, largest_block_bytes, largest_plain_bytes
from amiplan.meters.device.rights import Role
from amiplan.meters.device.server import MeterServer
from amiplan.meters.device.session import LONGEST_REQUEST_BYTES, PASS_3, RoleSecrets
from amiplan.meters.device.state import AssociationStatus, EventCode
from amiplan.meters.dlms import acse, apdu, axdr, blocks, keywrap, security
from amiplan.meters.dlms.acse import Association, Conformance, Diagnostic
from amiplan.meters.dlms.apdu import ActionResult, Attribute, DataAccess, ExceptionResponse, Method
from amiplan.meters.dlms.axdr import NULL
from amiplan.meters.dlms.obis import (
    CLOCK,
    ENERGY_REGISTERS,
    IMPORT_ACTIVE,
    LOAD_PROFILE,
    LOGICAL_DEVICE_NAME,
    Obis,
)
from amiplan.meters.dlms.security import Channel, Keys
from hypothesis import given, settings
from hypothesis import strategies as st
from made_meters import PROFILE, drive, line_of, meter, opened, wrapped

PUBLIC, MANAGEMENT, READER, FIRMWARE = (int(role.sap) for role in Role)
REGISTER = Attribute(3, IMPORT_ACTIVE, 2)
BUFFER = Attribute(7, LOAD_PROFILE, 2)
LIMITS = Attribute(71, names.LIMITER, 4)
NO_SUCH = Obis(1, 0, 99, 99, 99)


def plain_meter(**changes):
    return meter(**{"security": "none", **changes})[0]


def answer_of(server, request, sap=READER):
    return apdu.decode(server.respond(sap, apdu.encode(request)))


def aarq(server, asked, sap=READER):
    return acse.decode(server.respond(sap, acse.encode(asked)))


# -- associations --------------------------------------------------------------------------------------------------

INITIATE = acse.initiate_request(500)
GMAC = acse.MECHANISM_HLS_GMAC


@pytest.mark.parametrize(
    ("chosen", "asked", "diagnostic"),
    [
        ("suite_0", Association(1, INITIATE), Diagnostic.APPLICATION_CONTEXT_NAME_NOT_SUPPORTED),
        ("suite_0", Association(1, INITIATE, GMAC, CLIENT_TITLE, bytes(16)), 2),
        ("suite_0", Association(3, bytes(33)), Diagnostic.AUTHENTICATION_MECHANISM_NAME_REQUIRED),
        ("suite_0", Association(3, bytes(33), 6, CLIENT_TITLE, bytes(16)), 11),
        ("suite_0", Association(3, bytes(33), GMAC, b"STRANGER", bytes(16)), 3),
        ("suite_0", Association(3, bytes(33), GMAC, CLIENT_TITLE, bytes(4)), 13),
        ("suite_0", Association(3, bytes(33), GMAC, CLIENT_TITLE, bytes(65)), 13),
        ("lls", Association(1, INITIATE, 1, challenge=b"wrong"), Diagnostic.AUTHENTICATION_FAILURE),
        ("lls", Association(1, INITIATE), 12),
        ("none", Association(1, INITIATE, 1, challenge=b"any"), 11),
        ("none", Association(2, INITIATE), 2),
    ],
)
def test_strange_associations_are_rejected_and_leave_the_open_one_alone(chosen, asked, diagnostic):
    server, head_end = meter(security=chosen)
    answer = aarq(server, asked)
    assert (answer.result, answer.diagnostic) == (acse.REJECTED, diagnostic)
    assert server.counters["authentication"] == 1
    assert read_all(server, head_end, "register").values.size == 1


def test_an_impossible_initiate_is_rejected_by_name():
    server = plain_meter(association="fresh")
    old = INITIATE[:4] + b"\x05" + INITIATE[5:]
    assert aarq(server, Association(1, old)).initiate == acse.DLMS_VERSION_TOO_LOW
    assert aarq(server, Association(1, acse.initiate_request(63))).initiate == acse.PDU_SIZE_TOO_SHORT
    for wrong in (b"", b"\x01", acse.initiate_response(500)):
        assert answer_of_bytes(server, acse.encode(Association(1, wrong))) == ExceptionResponse(2, 3)
    assert answer_of(server, apdu.GetRequest(REGISTER)) == ExceptionResponse(1, 1)


def answer_of_bytes(server, request, sap=READER):
    return apdu.decode(server.respond(sap, request))


def test_what_was_agreed_is_what_both_sides_know():
    server = plain_meter(association="fresh", max_pdu_bytes=800)
    offered = Conformance.GET | Conformance.READ | Conformance.GENERAL_BLOCK_TRANSFER
    answer = aarq(server, Association(1, acse.initiate_request(300, offered)))
    agreed = acse.decode_initiate(answer.initiate)
    assert (answer.result, agreed.conformance, agreed.max_pdu_bytes) == (acse.ACCEPTED, Conformance.GET, 800)
    assert len(server.respond(READER, apdu.encode(apdu.GetRequest(BUFFER)))) == 300
    state = server.device.state
    assert state.negotiated[Role.READER].max_send_pdu_bytes == 300
    assert state.status[Role.READER] is AssociationStatus.ASSOCIATED
    assert server.respond(READER, acse.RELEASE_REQUEST) == acse.RELEASE_RESPONSE
    assert state.status[Role.READER] is AssociationStatus.NON_ASSOCIATED
    assert answer_of(server, apdu.GetRequest(REGISTER)) == ExceptionResponse(1, 1)


def test_the_shorter_of_both_limits_rules():
    server, _ = meter(association="fresh", max_pdu_bytes=2000)
    _, head_end = meter(association="fresh", max_pdu_bytes=400)
    _, said = converse(server, head_end, "profile")
    assert max(len(answer) for _, answer in said) <= 408


@pytest.mark.parametrize("block_transfer", ["get", "general"])
def test_an_association_response_is_never_cut(block_transfer):
    server, head_end = meter(association="fresh", block_transfer=block_transfer)
    offered = acse.OFFERED | Conformance.GENERAL_BLOCK_TRANSFER
    for _ in range(2):
        initiate = head_end.channel.seal(acse.initiate_request(64, offered))
        answer = aarq(server, Association(3, initiate, GMAC, CLIENT_TITLE, bytes(16)))
        proof = axdr.octets(head_end.channel.prove(answer.challenge))
        sealed = head_end.channel.seal(apdu.encode(apdu.ActionRequest(PASS_3, proof)))
        head_end.channel.open(server.respond(READER, sealed))
    long = head_end.channel.seal(apdu.encode(apdu.GetRequest(BUFFER)))
    assert len(server.respond(READER, long)) <= 64


def test_associations_of_roles_are_apart():
    server, head_end = meter(association="fresh")
    opened(server, head_end, Role.MANAGEMENT)
    assert server.session(Role.MANAGEMENT).status is AssociationStatus.ASSOCIATED
    assert server.session(Role.READER).status is AssociationStatus.NON_ASSOCIATED
    server.closed(READER)
    server.closed(99)
    assert server.session(Role.MANAGEMENT).status is AssociationStatus.ASSOCIATED
    server.closed(MANAGEMENT)
    assert server.session(Role.MANAGEMENT).status is AssociationStatus.NON_ASSOCIATED


@pytest.mark.parametrize("proof", [bytes(17), b"short", None])
def test_a_wrong_answer_to_the_challenge_opens_nothing(proof):
    server, head_end = meter(association="fresh")
    session = head_end.read("register")
    session.send(server.handle(next(session)))
    value = axdr.u8(1) if proof is None else axdr.octets(proof)
    wrong = head_end.channel.seal(apdu.encode(apdu.ActionRequest(PASS_3, value)))
    told = apdu.decode(head_end.channel.open(server.respond(READER, wrong)))
    assert (told.result, server.counters["authentication"]) == (ActionResult.OTHER_REASON, 1)
    assert server.device.state.events[-1][1] == EventCode.AUTHENTICATION_FAILED
    for request in (apdu.ActionRequest(PASS_3, value), apdu.GetRequest(REGISTER)):
        sealed = head_end.channel.seal(apdu.encode(request))
        assert server.respond(READER, sealed) == apdu.encode(ExceptionResponse(1, 1))
    assert server.counters["not_associated"] == 2


def test_a_replayed_association_does_not_disturb_an_open_one():
    server, head_end = meter(association="fresh")
    said = [request for request, _ in converse(server, head_end, "register")[1]]
    session = head_end.read("register")
    answer = server.handle(next(session))
    answer = server.handle(session.send(answer))
    assert server.handle(said[0]) is None
    answer = server.handle(session.send(answer))
    session.send(answer)
    assert server.counters["replay"] == 1


def test_nothing_is_said_before_the_association():
    server, _ = meter(association="fresh")
    _, head_end = meter(association="pre_established")
    with pytest.raises(ExchangeFailed, match="exception 1, 1"):
        read_all(server, head_end, "register")
    assert server.counters["not_associated"] == 3


def test_unknown_clients_and_servers_are_met_with_silence():
    server = plain_meter()
    request = apdu.encode(apdu.GetRequest(REGISTER))
    assert server.respond(99, request) is None
    assert server.counters["misaddressed"] == 1
    assert server.handle(b"\0\1\0\2\0\7\0\1x") is None


@pytest.mark.parametrize("form", ["glo", "general_glo", "ded", "general_ded"])
def test_an_answer_takes_the_form_of_its_request(form):
    server, head_end = meter(association="fresh", max_pdu_bytes=300)
    channel, dedicated = head_end.channel, bytes(range(16))
    initiate = acse.encode_initiate(acse.Initiate(acse.OFFERED, 300, dedicated_key=dedicated))
    answer = aarq(server, Association(3, channel.seal(initiate), GMAC, CLIENT_TITLE, bytes(range(16))))
    channel.open(answer.initiate)
    proof = axdr.octets(channel.prove(answer.challenge))
    server.respond(READER, channel.seal(apdu.encode(apdu.ActionRequest(PASS_3, proof))))
    channel.use_dedicated(dedicated)
    for attribute in (REGISTER, BUFFER):
        sealed = server.respond(READER, channel.seal_as(form, apdu.encode(apdu.GetRequest(attribute))))
        assert len(sealed) <= 300
        answered = apdu.decode(channel.open(sealed))
        assert channel.last_form == form
    assert isinstance(answered, apdu.GetResponseBlock)
    server.closed(READER)
    assert server.session(Role.READER).channel.dedicated is None
    aarq(server, Association(3, channel.seal(INITIATE), GMAC, CLIENT_TITLE, bytes(range(16))))
    assert server.respond(READER, channel.seal_as("ded", apdu.encode(apdu.GetRequest(REGISTER)))) is None


def test_a_release_is_ciphered_where_the_request_was():
    server, head_end = meter(association="fresh")
    channel = opened(server, head_end, Role.READER).channel
    asked = acse.encode_release(acse.Release(information=channel.seal(INITIATE)))
    assert server.respond(READER, acse.encode_release(acse.Release(information=INITIATE))) is None
    released = acse.decode_release(server.respond(READER, asked))
    assert acse.decode_initiate(channel.open(released.information)).response
    assert server.session(Role.READER).status is AssociationStatus.NON_ASSOCIATED


def test_the_public_client_reads_the_counters_without_keys():
    server, head_end = meter(association="fresh")
    read_all(server, head_end, "register")
    assert aarq(server, Association(1, INITIATE), PUBLIC).result == acse.ACCEPTED
    counter = answer_of(server, apdu.GetRequest(Attribute(1, Role.READER.invocation_counter, 2)), PUBLIC).result
    assert counter.number == head_end.channel.next_counter - 1
    assert answer_of(server, apdu.GetRequest(Attribute(1, LOGICAL_DEVICE_NAME, 2)), PUBLIC).result.octets[:3] == b"AMP"
    assert answer_of(server, apdu.GetRequest(REGISTER), PUBLIC).result is DataAccess.READ_WRITE_DENIED


# -- services ------------------------------------------------------------------------------------------------------


def test_access_is_refused_by_name():
    server = plain_meter()

    def got(attribute):
        return answer_of(server, apdu.GetRequest(attribute)).result

    assert got(Attribute(3, LOAD_PROFILE, 2)) is DataAccess.OBJECT_UNDEFINED
    assert got(Attribute(3, IMPORT_ACTIVE, 9)) is DataAccess.READ_WRITE_DENIED
    assert got(Attribute(3, IMPORT_ACTIVE, 2, 1, NULL)) is DataAccess.SCOPE_OF_ACCESS_VIOLATED
    assert answer_of(server, apdu.GetRequestNext(1)).result is DataAccess.NO_LONG_GET_IN_PROGRESS
    answer_of(server, apdu.GetRequest(BUFFER))
    assert answer_of(server, apdu.GetRequestNext(99)).result is DataAccess.DATA_BLOCK_NUMBER_INVALID
    assert answer_of(server, apdu.GetRequestNext(2)).block == 3
    assert answer_of(server, apdu.ActionRequestNext(1)).result is ActionResult.NO_LONG_ACTION_IN_PROGRESS
    answer_of(server, apdu.GetRequest(REGISTER))
    assert answer_of(server, apdu.GetRequestNext(2)).result is DataAccess.NO_LONG_GET_IN_PROGRESS
    assert answer_of(server, apdu.DataNotification(1, NULL)) == ExceptionResponse(2, 2)
    assert server.counters["denied"] == 3


def test_each_role_may_do_its_part_only():
    server = plain_meter()
    time, off = Attribute(8, CLOCK, 2), Method(70, names.DISCONNECT_CONTROL, 1)
    now = answer_of(server, apdu.GetRequest(time)).result
    expected = {MANAGEMENT: 0, READER: 3, FIRMWARE: 3, PUBLIC: 3}
    assert {sap: int(answer_of(server, apdu.SetRequest(time, now), sap).result) for sap in expected} == expected
    done = {sap: int(answer_of(server, apdu.ActionRequest(off, axdr.i8(0)), sap).result) for sap in expected}
    assert done == expected
    assert server.device.state.relay.connected is False
    unknown = apdu.ActionRequest(Method(70, NO_SUCH, 1), None)
    assert answer_of(server, unknown, MANAGEMENT).result is ActionResult.OBJECT_UNDEFINED
    selected = replace(time, selector=1)
    assert answer_of(server, apdu.SetRequest(selected, now), MANAGEMENT).result is DataAccess.SCOPE_OF_ACCESS_VIOLATED
    assert answer_of(server, apdu.SetRequest(time, NULL), MANAGEMENT).result is DataAccess.TYPE_UNMATCHED


def test_lists_are_answered_item_by_item():
    server = plain_meter()
    asked = (REGISTER, Attribute(3, NO_SUCH, 2), Attribute(3, ENERGY_REGISTERS[2], 2))
    first, second, third = answer_of(server, apdu.GetRequestList(asked)).results
    assert (first.number, second, third.number) == (PROFILE[-1, 0], DataAccess.OBJECT_UNDEFINED, PROFILE[-1, 2])
    pairs = apdu.SetRequestList((LIMITS, REGISTER), (axdr.u32(5), axdr.u32(5)))
    assert answer_of(server, pairs, MANAGEMENT).results == (DataAccess.SUCCESS, DataAccess.READ_WRITE_DENIED)
    relay = Method(70, names.DISCONNECT_CONTROL, 1)
    actions = apdu.ActionRequestList((relay, Method(70, NO_SUCH, 1)), (axdr.i8(0), NULL))
    results = [result for result, _ in answer_of(server, actions, MANAGEMENT).results]
    assert results == [ActionResult.SUCCESS, ActionResult.OBJECT_UNDEFINED]
    refused = ExceptionResponse(1, 1)
    assert answer_of(server, apdu.GetRequestList((REGISTER,) * (MOST_LIST_ITEMS + 1))) == refused
    assert answer_of(server, apdu.SetRequestList((LIMITS, LIMITS), (NULL,)), MANAGEMENT) == refused
    assert answer_of(server, apdu.ActionRequestList((relay,), ()), MANAGEMENT) == refused


def test_a_list_does_not_keep_a_meter_busy(monkeypatch):
    monkeypatch.setattr("amiplan.meters.device.answers.MOST_LIST_ROWS", 100)
    server = plain_meter(max_pdu_bytes=65_535)
    results = answer_of(server, apdu.GetRequestList((REGISTER, BUFFER, BUFFER, BUFFER, REGISTER))).results
    assert [len(one.items) for one in results[1:3]] == [96, 96]
    assert results[3:] == (DataAccess.TEMPORARY_FAILURE, DataAccess.TEMPORARY_FAILURE)


def blocks_of(server, response, follow, sap=READER):
    """The raw bytes of all blocks of an answer."""
    raw = response.raw if hasattr(response, "raw") else response.result
    while not response.last:
        response = answer_of(server, follow(response.block, response.invoke), sap)
        raw += response.raw if hasattr(response, "raw") else response.result
    return raw


def test_a_long_list_comes_in_blocks():
    server = plain_meter(max_pdu_bytes=300)
    first = answer_of(server, apdu.GetRequestList((BUFFER, REGISTER, BUFFER)))
    results = apdu.decode_results(blocks_of(server, first, apdu.GetRequestNext))
    assert len(results[0].items) == len(results[2].items) == 96
    assert results[1].number == PROFILE[-1, 0]


def test_long_sets_come_in_blocks():
    server = plain_meter()
    raw = axdr.encode(axdr.u32(4711))
    first = apdu.SetRequestFirstBlock(LIMITS, False, 1, raw[:2])
    assert answer_of(server, first, MANAGEMENT) == apdu.SetResponseBlock(1)
    assert answer_of(server, apdu.SetRequestBlock(False, 2, raw[2:3]), MANAGEMENT) == apdu.SetResponseBlock(2)
    assert answer_of(server, apdu.SetRequestBlock(False, 2, raw[2:3]), MANAGEMENT) == apdu.SetResponseBlock(2)
    done = answer_of(server, apdu.SetRequestBlock(True, 3, raw[3:]), MANAGEMENT)
    assert done == apdu.SetResponseLastBlock(DataAccess.SUCCESS, 3)
    assert server.device.state.limits[4] == 4711
    nothing = answer_of(server, apdu.SetRequestBlock(True, 4, b""), MANAGEMENT)
    assert nothing.result is DataAccess.NO_LONG_SET_IN_PROGRESS
    listed = apdu.SetRequestListFirstBlock((LIMITS, REGISTER), False, 1, b"\x02" + raw)
    answer_of(server, listed, MANAGEMENT)
    done = answer_of(server, apdu.SetRequestBlock(True, 2, raw), MANAGEMENT)
    assert done.results == (DataAccess.SUCCESS, DataAccess.READ_WRITE_DENIED)


@pytest.mark.parametrize(
    ("requests", "result"),
    [
        ([apdu.SetRequestFirstBlock(LIMITS, True, 1, b"\x06")], DataAccess.TYPE_UNMATCHED),
        ([apdu.SetRequestListFirstBlock((LIMITS,), True, 1, b"\x02\x00\x00")], DataAccess.TYPE_UNMATCHED),
        ([apdu.SetRequestFirstBlock(LIMITS, False, 2, b"")], DataAccess.DATA_BLOCK_NUMBER_INVALID),
        (
            [apdu.SetRequestFirstBlock(LIMITS, False, 1, b""), apdu.SetRequestBlock(False, 3, b"")],
            DataAccess.DATA_BLOCK_NUMBER_INVALID,
        ),
        (
            [apdu.SetRequestFirstBlock(LIMITS, False, 1, b"")]
            + [apdu.SetRequestBlock(False, number, bytes(40_000)) for number in (2, 3)],
            DataAccess.LONG_SET_ABORTED,
        ),
    ],
)
def test_what_is_wrong_with_blocks_of_a_set_is_told(requests, result):
    server = plain_meter(max_pdu_bytes=60_000)
    answers = [answer_of(server, request, MANAGEMENT) for request in requests]
    assert answers[-1].result is result
    last = answer_of(server, apdu.SetRequestBlock(True, 9, b""), MANAGEMENT)
    assert last.result is DataAccess.NO_LONG_SET_IN_PROGRESS


def test_long_actions_come_in_blocks():
    server = plain_meter()
    relay, raw = Method(70, names.DISCONNECT_CONTROL, 1), axdr.encode(axdr.i8(0))
    first = apdu.ActionRequestFirstBlock(relay, False, 1, raw[:1])
    assert answer_of(server, first, MANAGEMENT) == apdu.ActionResponseNext(1)
    done = answer_of(server, apdu.ActionRequestBlock(True, 2, raw[1:]), MANAGEMENT)
    assert (done.result, server.device.state.relay.connected) == (ActionResult.SUCCESS, False)
    listed = apdu.ActionRequestListFirstBlock((replace(relay, number=2),), False, 1, b"\x01")
    answer_of(server, listed, MANAGEMENT)
    done = answer_of(server, apdu.ActionRequestBlock(True, 2, raw), MANAGEMENT)
    assert done.results == ((ActionResult.SUCCESS, None),)
    assert server.device.state.relay.connected
    nothing = answer_of(server, apdu.ActionRequestBlock(True, 3, raw), MANAGEMENT)
    assert nothing.result is ActionResult.NO_LONG_ACTION_IN_PROGRESS
    wrong = apdu.ActionRequestFirstBlock(relay, True, 1, b"\x06")
    assert answer_of(server, wrong, MANAGEMENT).result is ActionResult.LONG_ACTION_ABORTED


def test_a_long_action_answer_comes_in_blocks(monkeypatch):
    server = plain_meter(max_pdu_bytes=128)
    control = server.objects[70, names.DISCONNECT_CONTROL]
    monkeypatch.setattr(type(control), "invoke", lambda *_: axdr.octets(bytes(300)))
    first = answer_of(server, apdu.ActionRequest(Method(70, control.obis, 1), axdr.i8(0)), MANAGEMENT)
    raw = blocks_of(server, first, apdu.ActionRequestNext, MANAGEMENT)
    assert apdu.decode_outcome(raw) == (ActionResult.SUCCESS, axdr.octets(bytes(300)))
    assert answer_of(server, apdu.GetRequestNext(1), MANAGEMENT).result is DataAccess.NO_LONG_GET_IN_PROGRESS


@pytest.mark.parametrize("ciphered", [True, False])
@pytest.mark.parametrize("limit", [128, 200, 256, 257, 300, 512, 1024, 2048])
def test_blocks_use_the_negotiated_length_and_never_exceed_it(limit, ciphered):
    n_data = largest_block_bytes(largest_plain_bytes(limit) if ciphered else limit)
    plain = [apdu.block_bytes(n) for n in (n_data, n_data + 1)]
    length = [security.sealed_bytes(n) if ciphered else n for n in plain]
    assert length[0] <= limit < length[1]
    _, said = converse(*meter(security="suite_0" if ciphered else "none", max_pdu_bytes=limit), "profile")
    assert len(said) == -(-3458 // n_data)
    assert max(len(answer) for _, answer in said) <= limit + 8
    with pytest.raises(ValueError, match="max_pdu_bytes"):
        largest_block_bytes(9)


# -- general block transfer ----------------------------------------------------------------------------------------


def test_general_blocks_carry_requests_and_answers():
    server = plain_meter(max_pdu_bytes=200, block_transfer="general")
    request = apdu.encode(apdu.GetRequest(BUFFER))
    cut = blocks.cut(request, 12, 2)
    replies = [server.responses(READER, blocks.encode(block), 63) for block in cut[:-1]]
    acknowledged = [[blocks.decode(one).acknowledged for one in reply] for reply in replies]
    assert acknowledged[:2] == [[], [2]]
    came, assembly, whole = server.responses(READER, blocks.encode(cut[-1]), 63), blocks.Assembly(), None
    while whole is None:
        assert len(came) <= 2
        assert max(map(len, came)) <= 200
        for one in came:
            whole = assembly.add(blocks.decode(one))
        ready = blocks.acknowledgement(assembly.acknowledged, 9, 2)
        came = server.responses(READER, blocks.encode(ready), 63)
    assert apdu.decode(whole) == answer_of(plain_meter(max_pdu_bytes=65_535), apdu.GetRequest(BUFFER))
    assert came == []


def test_lost_general_blocks_are_sent_again():
    server = plain_meter(max_pdu_bytes=200, block_transfer="general", general_window=4)
    first = server.responses(READER, apdu.encode(apdu.GetRequest(BUFFER)), 63)
    assert [blocks.decode(one).block for one in first] == [1, 2, 3, 4]
    again = server.responses(READER, blocks.encode(blocks.acknowledgement(1, 2, 4)), 63)
    assert [blocks.decode(one).block for one in again] == [2, 3, 4, 5]
    assert [blocks.decode(one).streaming for one in again] == [True, True, True, False]
    assert server.respond(READER, blocks.encode(blocks.acknowledgement(4, 3, 4)))[2:4] == b"\0\5"
    nested = blocks.encode(blocks.GeneralBlock(True, False, 1, 1, 0, first[0]))
    assert answer_of_bytes(server, nested) == ExceptionResponse(2, 3)


def test_general_blocks_that_were_not_agreed_on_are_refused():
    one = blocks.GeneralBlock(True, False, 1, 1, 0, apdu.encode(apdu.GetRequest(REGISTER)))
    assert answer_of_bytes(plain_meter(), blocks.encode(one)) == ExceptionResponse(2, 3)


def test_the_last_general_block_is_answered_again_where_the_answer_was_lost():
    server = plain_meter(block_transfer="general")
    cut = blocks.cut(apdu.encode(apdu.GetRequest(REGISTER)), 12, 1)
    replies = [server.respond(READER, blocks.encode(block)) for block in (*cut, cut[-1])]
    assert replies[-1] == replies[-2]
    assert isinstance(apdu.decode(replies[-1]), apdu.GetResponse)


def test_the_last_block_of_a_long_request_is_answered_again_but_not_carried_out_again():
    server = plain_meter()
    raw = axdr.encode(axdr.i16(15))
    shift = apdu.Method(8, CLOCK, 6)
    requests = [
        apdu.ActionRequestFirstBlock(shift, False, 1, raw[:1]),
        apdu.ActionRequestBlock(True, 2, raw[1:]),
        apdu.ActionRequestBlock(True, 2, raw[1:]),
    ]
    before_s = server.device.clock_s()
    answers = [answer_of(server, request, Role.MANAGEMENT.sap) for request in requests]
    assert [answer.result for answer in answers[1:]] == [ActionResult.SUCCESS] * 2
    assert server.device.clock_s() == before_s + 15


@pytest.mark.parametrize("invoke", [0x81, 0xC1])
def test_a_set_or_action_that_is_not_to_be_confirmed_is_carried_out_in_silence(invoke):
    server = plain_meter()
    asked = apdu.ActionRequest(apdu.Method(8, CLOCK, 6), axdr.i16(15), invoke)
    before_s = server.device.clock_s()
    answer = server.respond(Role.MANAGEMENT.sap, apdu.encode(asked))
    assert (answer is None) == (invoke == 0x81)
    assert server.device.clock_s() == before_s + 15
    assert server.respond(READER, apdu.encode(apdu.GetRequest(REGISTER, invoke))) is not None


def test_an_association_without_an_answer_stands_in_silence():
    server = plain_meter(association="fresh")
    initiate = acse.encode_initiate(acse.Initiate(acse.OFFERED, 500, response_allowed=False))
    assert server.respond(READER, acse.encode(acse.Association(acse.CONTEXT_PLAIN, initiate))) is None
    assert isinstance(answer_of(server, apdu.GetRequest(REGISTER)), apdu.GetResponse)


def test_an_association_with_nothing_in_common_is_rejected():
    server = plain_meter(association="fresh")
    nothing = acse.Association(acse.CONTEXT_PLAIN, acse.initiate_request(500, acse.Conformance.READ))
    answer = aarq(server, nothing)
    assert (answer.result, answer.initiate) == (acse.REJECTED, acse.INCOMPATIBLE_CONFORMANCE)


def test_a_dedicated_key_opens_no_association():
    server, head_end = meter(association="fresh")
    channel, dedicated = head_end.channel, bytes(range(16))
    opening = channel.seal(acse.initiate_request(500, dedicated_key=dedicated))
    asked = acse.Association(acse.CONTEXT_CIPHERED, opening, acse.MECHANISM_HLS_GMAC, channel.own_title, bytes(8))
    assert aarq(server, asked).result == acse.ACCEPTED
    channel.use_dedicated(dedicated)
    again = replace(asked, initiate=channel.seal_as("general_ded", acse.initiate_request(500)))
    assert answer_of_bytes(server, acse.encode(again)) == ExceptionResponse(2, 3)
    assert server.n_opened(READER) == 1


def test_a_rejected_association_leaves_the_dedicated_key_of_the_open_one_alone():
    server, head_end = meter(association="fresh")
    channel, dedicated = head_end.channel, bytes(range(16))
    opening = channel.seal(acse.initiate_request(500, dedicated_key=dedicated))
    asked = acse.Association(acse.CONTEXT_CIPHERED, opening, acse.MECHANISM_HLS_GMAC, channel.own_title, bytes(8))
    assert aarq(server, asked).result == acse.ACCEPTED
    too_short = channel.seal(acse.initiate_request(10, dedicated_key=bytes(range(1, 17))))
    assert aarq(server, replace(asked, initiate=too_short)).result == acse.REJECTED
    assert server.session(Role.READER).channel.dedicated == dedicated


def test_a_client_that_asks_with_our_own_challenge_proves_nothing():
    server, head_end = meter(association="fresh")
    conversation = head_end._conversation(Role.READER)
    session = conversation.open()
    pass_3 = session.send(server.handle(next(session)))
    reader = server.session(Role.READER)
    reader._challenges = (reader._challenges[1], reader._challenges[1])
    with pytest.raises(ExchangeFailed, match="pass 3 or 4"):
        session.send(server.handle(pass_3))
    assert reader.status is AssociationStatus.NON_ASSOCIATED


def test_general_blocks_without_end_are_given_up():
    server = plain_meter(block_transfer="general")
    piece = bytes(30_000)
    for number in (1, 2):
        block = blocks.GeneralBlock(False, False, 1, number, 0, piece)
        assert blocks.decode(server.respond(READER, blocks.encode(block))).acknowledged == number
    block = blocks.GeneralBlock(False, False, 1, 3, 0, piece)
    assert answer_of_bytes(server, blocks.encode(block)) == ExceptionResponse(2, 3)
    assert server.counters["malformed"] == 1


# -- what must never work ------------------------------------------------------------------------------------------


def wrong_head_end(**keys):
    server, head_end = meter(association="fresh")
    head_end.channel.keys = replace(head_end.channel.keys, **keys)
    return server, head_end


@pytest.mark.parametrize("wrong", ["encryption", "authentication"])
def test_a_wrong_key_gets_nothing(wrong):
    server, head_end = wrong_head_end(**{wrong: bytes(16)})
    with pytest.raises(ExchangeFailed):
        read_all(server, head_end, "register")
    assert server.counters["authentication"] == 3
    assert "answered" not in +server.counters
    check_good_session(server)


def check_good_session(server):
    """The next good session works."""
    _, good = meter(association="fresh")
    good.channel.next_counter = 2**20
    assert read_all(server, good, "register").values[0, 0] == PROFILE[-1, 0]


def test_a_replayed_request_gets_nothing():
    server, head_end = meter()
    request = next(head_end.read("register"))
    assert server.handle(request) is not None
    assert server.handle(request) is None
    assert server.counters["replay"] == 1


@given(position=st.integers(0, 31), bit=st.integers(0, 7))
@settings(max_examples=60)
def test_a_flipped_bit_gets_no_data(position, bit):
    server, head_end = meter()
    sealed = bytearray(head_end.channel.seal(apdu.encode(apdu.GetRequest(REGISTER))))
    sealed[position] ^= 1 << bit
    answer = server.respond(READER, bytes(sealed))
    assert answer is None or apdu.decode(answer) == ExceptionResponse(2, 3)
    check_good_session_of(server, head_end)


@pytest.mark.parametrize("service", ["disconnect", "clock_set", "event_log"])
@pytest.mark.parametrize("lost", range(6))
def test_what_was_done_may_be_asked_for_again(service, lost):
    server, head_end = meter(association="kept_open")
    count, line = iter(range(1000)), line_of(server)

    def network(request):
        answer = line(request)
        return None if next(count) == lost else answer

    assert drive(head_end.read(service), network).service == service
    assert server.device.state.relay.connected == (service != "disconnect")


def check_good_session_of(server, head_end):
    assert read_all(server, head_end, "register").values[0, 0] == PROFILE[-1, 0]


@given(length=st.integers(0, 39))
def test_a_truncated_request_gets_no_data(length):
    server, head_end = meter()
    sealed = wrapped(READER, head_end.channel.seal(apdu.encode(apdu.GetRequest(REGISTER))))
    assert server.handle(sealed[:length]) is None
    check_good_session_of(server, head_end)


def test_plain_requests_to_a_ciphered_meter_are_refused():
    server, _ = meter()
    plain = apdu.encode(apdu.GetRequest(REGISTER))
    assert server.handle(wrapped(READER, plain)) is None
    assert server.counters["unprotected"] == 1


def test_weaker_protection_than_agreed_is_refused():
    server, head_end = meter()
    head_end.channel.protection = 0x10
    with pytest.raises(ExchangeFailed):
        read_all(server, head_end, "register")
    assert server.counters["unprotected"] == 3


@pytest.mark.parametrize("sap", [PUBLIC, MANAGEMENT, READER, FIRMWARE])
def test_a_million_bytes_are_refused(sap):
    server, head_end = meter()
    sealed = head_end.channel.seal(apdu.encode(apdu.SetRequest(LIMITS, axdr.octets(bytes(10**6)))))
    for huge in (bytes(10**6), b"\xc0" * 10**6, b"\x60\x83\x0f\x42\x40" + bytes(10**6), sealed):
        assert answer_of_bytes(server, huge, sap) == ExceptionResponse(1, 4)
    assert server.counters["malformed"] == 4
    assert answer_of_bytes(server, bytes(LONGEST_REQUEST_BYTES), PUBLIC) == ExceptionResponse(2, 3)
    check_good_session_of(server, head_end)


def test_spent_counters_end_in_silence():
    server, head_end = meter()
    server._spent.next_counter = 2**32 - 4
    with pytest.raises(ExchangeFailed):
        read_all(server, head_end, "register")
    assert server.counters["exhausted"] == 3


@pytest.mark.parametrize("chosen", ["none", "lls", "suite_0"])
@pytest.mark.parametrize("association", ["fresh", "pre_established"])
def test_a_meter_survives_mutated_requests(chosen, association):
    server, head_end = meter(security=chosen, association=association)
    frames = [down for service in ("profile", "disconnect") for down, _ in converse(server, head_end, service)[1]]
    rng = np.random.default_rng(11)
    for _ in range(600):
        data = bytearray(frames[rng.integers(len(frames))])
        for _ in range(rng.integers(1, 5)):
            data[rng.integers(len(data))] = rng.integers(256)
        cut = rng.integers(8, len(data)) if rng.random() < 0.2 else len(data)
        answer = server.handle(bytes(data[:cut]))
        # Past the wrapper too, so that the services themselves see the damage.
        again = server.respond(int(rng.choice([1, 2, 3, 16])), bytes(data[8:cut]))
        assert answer is None or isinstance(answer, bytes)
        assert again is None or isinstance(again, bytes)
    assert server.counters["malformed"] > 50
    server.closed(READER)
    check_good_session_of(server, head_end)


@given(data=st.binary(max_size=80), sap=st.sampled_from([PUBLIC, MANAGEMENT, READER, FIRMWARE, 99]))
@settings(max_examples=200)
def test_rubbish_is_answered_without_a_fault(data, sap):
    server = plain_meter()
    answer = server.respond(sap, data)
    assert answer is None or isinstance(answer, bytes)


# -- secrets -------------------------------------------------------------------------------------------------------


def test_new_keys_rule_from_the_next_request_on():
    server, head_end = meter()
    new = bytes(range(100, 116))
    item = axdr.structure(axdr.enum(0), axdr.octets(keywrap.wrap(new, server.secrets.master_key)))
    transfer = apdu.ActionRequest(Method(64, names.SECURITY_SETUP, 2), axdr.array(item))
    told = server.respond(MANAGEMENT, head_end.channel.seal(apdu.encode(transfer)))
    assert apdu.decode(head_end.channel.open(told)).result is ActionResult.SUCCESS
    assert server.respond(READER, head_end.channel.seal(apdu.encode(apdu.GetRequest(REGISTER)))) is None
    head_end.channel.keys = Keys(new, head_end.channel.keys.authentication)
    check_good_session_of(server, head_end)


@pytest.mark.parametrize(("number", "key"), [(1, bytes(16)), (0, bytes(32)), (2, None)])
def test_keys_that_cannot_be_taken_change_nothing(number, key):
    server, head_end = meter()
    sealed = bytes(24) if key is None else keywrap.wrap(key, server.secrets.master_key)
    good = axdr.structure(axdr.enum(0), axdr.octets(keywrap.wrap(bytes(range(16)), server.secrets.master_key)))
    item = axdr.structure(axdr.enum(number), axdr.octets(sealed))
    for items in ([item], [good, item]):
        transfer = apdu.ActionRequest(Method(64, names.SECURITY_SETUP, 2), axdr.array(*items))
        told = server.respond(MANAGEMENT, head_end.channel.seal(apdu.encode(transfer)))
        assert apdu.decode(head_end.channel.open(told)).result is not ActionResult.SUCCESS
    check_good_session_of(server, head_end)


def test_a_new_password_rules():
    server, head_end = meter(security="lls", association="fresh")
    management = opened(server, head_end, Role.MANAGEMENT)
    secret = Attribute(15, Role.READER.association, 7)
    drive(management.set(secret, axdr.octets(b"new one")), line_of(server))
    with pytest.raises(ExchangeFailed, match="diagnostic 13"):
        read_all(server, head_end, "register")
    head_end._conversations.clear()
    head_end.password = b"new one"
    check_good_session_of(server, head_end)
    ciphered = plain_meter()
    refused = answer_of(ciphered, apdu.SetRequest(secret, axdr.octets(b"new one")), MANAGEMENT)
    assert refused.result is not DataAccess.SUCCESS


def test_a_meter_without_its_secrets_is_refused():
    server, _ = meter()
    suite_2 = secrets_of(1, replace(server.settings, security="suite_2"))
    for secrets in (RoleSecrets(), RoleSecrets(server.secrets.keys), suite_2):
        with pytest.raises(ValueError, match="needs keys"):
            MeterServer(server.device, secrets)
    assert isinstance(server.session(Role.READER).channel, Channel)
    assert server.session(Role.PUBLIC).channel is None
