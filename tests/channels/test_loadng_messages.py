"""LOADng and joining frames byte by byte: known layouts, round trips, and every refusal."""

import pytest
from amiplan.channels.mac.g3.join_messages import (
    ACCEPTED,
    CHALLENGE,
    DECLINE,
    FOURTH,
    JOINING,
    KICK,
    SECOND,
    THIRD,
    Beacon,
    BeaconRequest,
    FarLbp,
    Lbp,
    decode_join,
    eap,
    encode_join,
    read_eap,
)
from amiplan.channels.routing.loadng_messages import (
    RREP,
    RREQ,
    RouteError,
    RouteMessage,
    decode,
    encode,
    newer,
)
from hypothesis import given
from hypothesis import strategies as st

ADDRESS, NIBBLE = st.integers(0, 0xFFFF), st.integers(0, 15)
ROUTES = st.builds(
    RouteMessage,
    st.sampled_from([RREQ, RREP]),
    ADDRESS,
    ADDRESS,
    ADDRESS,
    ADDRESS,
    NIBBLE,
    NIBBLE,
    NIBBLE,
    st.booleans(),
)
ERRORS = st.builds(RouteError, ADDRESS, ADDRESS, ADDRESS, st.integers(0, 255), NIBBLE)


def test_a_route_reply_byte_by_byte():
    reply = RouteMessage(RREP, 0x0102, 0x0304, 0xFFFE, cost=300, hops=3, hops_left=5, weak=2, repair=True)
    dispatch, command, kind, flags = b"\x02", b"\x01", b"\x01", b"\x8f"
    expected = (
        dispatch + command + kind + b"\x01\x02" + b"\x03\x04" + b"\xff\xfe" + flags + b"\x01\x2c" + b"\x53" + b"\x20"
    )
    assert encode(reply) == expected
    assert decode(expected) == reply


def test_a_route_error_byte_by_byte():
    error = RouteError(destination=0x0A0B, originator=0x0C0D, unreachable=0x0E0F, code=4, hops_left=7)
    assert encode(error) == bytes.fromhex("0201020a0b0c0d040e0f70")
    assert decode(encode(error)) == error


@given(ROUTES | ERRORS)
def test_what_is_written_is_read(message):
    assert decode(encode(message)) == message


@given(ADDRESS, st.integers(1, 32767))
def test_sequence_numbers_wrap(first, ahead):
    assert newer((first + ahead) % 65536, first)
    assert not newer(first, (first + ahead) % 65536)
    assert not newer(first, first)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "do not begin"),
        (b"\x02\x02\x00", "do not begin"),
        (b"\x01\x01\x00", "do not begin"),
        (b"\x02\x01\x09", "kind 9"),
        (encode(RouteMessage(RREQ, 1, 2, 3))[:-1], "has 14 bytes, not 13"),
        (encode(RouteError(1, 2, 3)) + b"\x00", "has 11 bytes, not 12"),
        (encode(RouteMessage(RREQ, 1, 2, 3))[:9] + b"\x01" + bytes(4), "metric type 1"),
    ],
)
def test_strange_bytes_are_refused(data, says):
    with pytest.raises(ValueError, match=says):
        decode(data)


@pytest.mark.parametrize(
    "message",
    [
        RouteMessage(RREQ, 70000, 2, 3),
        RouteMessage(RREQ, 1, -1, 3),
        RouteMessage(2, 1, 2, 3),
        RouteMessage(RREQ, 1, 2, 3, weak=16),
        RouteMessage(RREP, 1, 2, 3, hops_left=16),
        RouteError(1, 2, 3, code=256),
        RouteError(1, 2, 99999),
    ],
)
def test_a_field_out_of_range_is_refused(message):
    with pytest.raises(ValueError, match="must be 0 to"):
        encode(message)


def test_joining_frames_have_the_lengths_of_the_line():
    rand = bytes(range(16))
    lengths = [len(encode_join(Lbp(CHALLENGE, 5, eap(step, rand)))) for step in range(4)]
    assert lengths == [42, 74, 98, 60]
    assert len(encode_join(BeaconRequest())) == 2
    assert len(encode_join(Beacon(3, 14))) == 12
    assert len(encode_join(FarLbp(1, 2, 8, Lbp(JOINING, 5)))) == 12 + 5


def test_an_lbp_frame_byte_by_byte():
    assert encode_join(Lbp(KICK, 0x0102030405060708)) == bytes.fromhex("0302c0000102030405060708")
    far = FarLbp(0x0A0B, 0x0C0D, 6, Lbp(JOINING, 9, b"xy"))
    assert encode_join(far) == bytes.fromhex("0202060a0b0c0d10000000000000000009") + b"xy"


EUIS = st.integers(0, 2**64 - 1)
EAPS = st.builds(eap, st.integers(0, 3), st.binary(min_size=16, max_size=16), ADDRESS)
LBPS = (
    st.builds(Lbp, st.sampled_from([ACCEPTED, DECLINE, KICK]), EUIS, st.binary(max_size=100))
    | st.builds(Lbp, st.just(CHALLENGE), EUIS, EAPS)
    | st.builds(Lbp, st.just(JOINING), EUIS, EAPS | st.just(b""))
)


@given(LBPS | st.builds(Beacon, ADDRESS, ADDRESS, ADDRESS) | st.builds(FarLbp, ADDRESS, ADDRESS, NIBBLE, LBPS))
def test_joining_frames_are_read_as_written(message):
    assert decode_join(encode_join(message)) == message


@given(st.integers(0, 3), st.binary(min_size=16, max_size=16), ADDRESS)
def test_eap_carries_its_number_and_the_third_message_the_address(step, rand, address):
    assert read_eap(eap(step, rand, address)) == (step, rand, address if step == THIRD else 0)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "begin no joining frame"),
        (b"\x03", "begin no joining frame"),
        (b"\x02\x07", "begin no joining frame"),
        (b"\x03\x09", "begin no joining frame"),
        (b"\x03\x00\x00", "at least 12"),
        (b"\x02\x02" + bytes(12), "at least 17"),
        (encode_join(Lbp(7, 5)), "code 7 of LBP"),
        (encode_join(Lbp(CHALLENGE, 5)), "no EAP-PSK message"),
        (encode_join(FarLbp(1, 2, 8, Lbp(JOINING, 5, b"x"))), "no EAP-PSK message"),
    ],
)
def test_strange_joining_frames_are_refused(data, says):
    with pytest.raises(ValueError, match=says):
        decode_join(data)


@pytest.mark.parametrize(
    "message", [Beacon(70000, 1), Beacon(1, -1), Lbp(16, 1), Lbp(1, 2**64), FarLbp(1, 2, 256, Lbp(1, 1))]
)
def test_a_joining_field_out_of_range_is_refused(message):
    with pytest.raises(ValueError, match="must"):
        encode_join(message)


def test_what_is_no_eap_message_is_refused():
    good = eap(SECOND, bytes(16))
    for bad in (good[:20], good[:-1], good[:4] + b"\x04" + good[5:]):
        with pytest.raises(ValueError, match="no EAP-PSK message"):
            read_eap(bad)
    with pytest.raises(ValueError, match="steps 0 to 3"):
        eap(4, bytes(16))
    with pytest.raises(ValueError, match="numbers of 16 bytes"):
        eap(FOURTH, bytes(15))
    with pytest.raises(ValueError, match="address"):
        eap(THIRD, bytes(16), 70000)
