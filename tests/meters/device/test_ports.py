from itertools import pairwise

import pytest
from amiplan.meters.client import read_all
from amiplan.meters.device.ports import DatagramPort, HdlcPort, WrapperPort, cut_wrapped, link_of, meter_address
from amiplan.meters.device.rights import Role
from amiplan.meters.device.state import AssociationStatus
from amiplan.meters.dlms import acse, apdu, wrapper
from amiplan.meters.dlms.apdu import Attribute
from amiplan.meters.dlms.hdlc_address import Address
from amiplan.meters.dlms.hdlc_link import HdlcClient, LinkLost
from amiplan.meters.dlms.obis import IMPORT_ACTIVE
from hypothesis import given
from hypothesis import strategies as st
from made_meters import PROFILE, drive, meter

READER = Role.READER.sap
AARQ = acse.encode(acse.Association(acse.CONTEXT_PLAIN, acse.initiate_request(500)))
GET = apdu.encode(apdu.GetRequest(Attribute(3, IMPORT_ACTIVE, 2)))


def street(n_meters=3, **changes):
    """Meters at logical addresses 17, 18, ... of one port; each knows its own register only by key."""
    settings = {"security": "none", "association": "fresh", **changes}
    return {17 + row: meter(key=row + 1, **settings)[0] for row in range(n_meters)}


def test_one_port_carries_many_meters_and_clients():
    meters = street()
    port = WrapperPort(meters.get)
    asked = b"".join(wrapper.pack(READER, sap, AARQ) + wrapper.pack(READER, sap, GET) for sap in (17, 18, 19, 20))
    answers = [wrapper.unpack(one) for one in cut_wrapped(port.receive(asked))[0]]
    assert [(one.source, one.destination) for one in answers] == [(sap, READER) for sap in (17, 17, 18, 18, 19, 19)]
    registers = [apdu.decode(one.apdu).result.number for one in answers[1::2]]
    assert registers == [int(PROFILE[-1, 0])] * 3
    assert port.counters["misaddressed"] == 2


def test_closing_a_port_ends_what_was_opened_through_it():
    meters = street()
    port, other = WrapperPort(meters.get), WrapperPort(meters.get)
    port.receive(wrapper.pack(READER, 17, AARQ))
    other.receive(wrapper.pack(READER, 18, AARQ))
    port.close()
    status = {sap: meters[sap].session(Role.READER).status for sap in (17, 18)}
    assert status == {17: AssociationStatus.NON_ASSOCIATED, 18: AssociationStatus.ASSOCIATED}
    meters.clear()
    other.close()
    standing = meter(security="none")[0]
    port = WrapperPort({1: standing}.get)
    port.receive(wrapper.pack(READER, 1, GET))
    port.close()
    assert standing.session(Role.READER).status is AssociationStatus.ASSOCIATED


def test_the_late_end_of_a_lost_line_leaves_the_next_one_alone():
    meters = street()
    lost, later = WrapperPort(meters.get), WrapperPort(meters.get)
    lost.receive(wrapper.pack(READER, 17, AARQ))
    later.receive(wrapper.pack(READER, 17, AARQ))
    lost.close()
    assert meters[17].session(Role.READER).status is AssociationStatus.ASSOCIATED
    later.close()
    assert meters[17].session(Role.READER).status is AssociationStatus.NON_ASSOCIATED


def test_a_stranger_s_line_ends_nobody_s_association():
    meters = street()
    port, stranger = WrapperPort(meters.get), WrapperPort(meters.get)
    port.receive(wrapper.pack(READER, 17, AARQ))
    assert stranger.receive(wrapper.pack(READER, 17, b"\xff"))
    stranger.close()
    assert meters[17].session(Role.READER).status is AssociationStatus.ASSOCIATED


def test_an_association_that_was_opened_in_silence_ends_with_its_line():
    meters = street()
    initiate = acse.encode_initiate(acse.Initiate(acse.OFFERED, 500, response_allowed=False))
    port = WrapperPort(meters.get)
    assert port.receive(wrapper.pack(READER, 17, acse.encode(acse.Association(acse.CONTEXT_PLAIN, initiate)))) == b""
    assert meters[17].session(Role.READER).status is AssociationStatus.ASSOCIATED
    port.close()
    assert meters[17].session(Role.READER).status is AssociationStatus.NON_ASSOCIATED


@given(cuts=st.lists(st.integers(0, 120), max_size=8))
def test_a_stream_may_be_chopped_anywhere(cuts):
    stream = wrapper.pack(READER, 17, AARQ) + wrapper.pack(READER, 17, GET) + wrapper.pack(READER, 17, GET)
    whole = WrapperPort(street().get).receive(stream)
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    port = WrapperPort(street().get)
    came = b"".join(port.receive(stream[start:end]) for start, end in pairwise(places))
    assert came == whole
    assert len(cut_wrapped(whole)[0]) == 3


def test_a_stream_without_bounds_must_be_closed():
    port = WrapperPort(street().get)
    with pytest.raises(ValueError, match="version"):
        port.receive(b"\0\2" + bytes(10**6))
    port = WrapperPort(street().get)
    assert port.receive(wrapper.pack(READER, 17, AARQ) + b"\xff" * 10)
    assert port.broken


def test_a_datagram_stands_for_itself():
    port = DatagramPort(street().get)
    asked = wrapper.pack(READER, 17, AARQ)
    assert port.receive(asked[:-1]) == port.receive(b"\0") == b""
    assert port.counters["malformed"] == 2
    assert len(port.receive(asked + asked[:9])) > 43
    assert port.counters["malformed"] == 3
    assert port.receive(b"") == b""


def hdlc(port):
    return lambda data: port.receive(data) or None


@pytest.mark.parametrize("n_bytes", [1, 2, 4])
def test_hdlc_reaches_each_meter_behind_one_line(n_bytes):
    meters = street(framing="hdlc")
    port = HdlcPort(meters.get, 128, 4)
    for sap in (17, 18):
        link = HdlcClient(READER, Address(sap, 3 if n_bytes > 1 else 0, n_bytes), 128, 4)
        drive(link.connect(), hdlc(port))
        assert acse.decode(drive(link.exchange(AARQ), hdlc(port))).result == acse.ACCEPTED
        assert apdu.decode(drive(link.exchange(GET), hdlc(port))).result.number == PROFILE[-1, 0]
    drive(link.disconnect(), hdlc(port))
    assert meters[18].session(Role.READER).status is AssociationStatus.NON_ASSOCIATED
    assert meters[17].session(Role.READER).status is AssociationStatus.ASSOCIATED
    port.close()
    assert meters[17].session(Role.READER).status is AssociationStatus.NON_ASSOCIATED
    nobody = HdlcClient(READER, Address(99, 3 if n_bytes > 1 else 0, n_bytes))
    with pytest.raises(LinkLost):
        drive(nobody.connect(), hdlc(port))
    gone = HdlcClient(READER, Address(19, 3 if n_bytes > 1 else 0, n_bytes))
    drive(gone.connect(), hdlc(port))
    meters.clear()
    port.close()


def test_flipped_bits_of_a_frame_get_no_answer():
    server, head_end = meter(framing="hdlc")
    line = server.line()
    request = next(head_end.read("register"))
    for position in range(len(request)):
        for bit in range(8):
            changed = bytearray(request)
            changed[position] ^= 1 << bit
            assert line.receive(bytes(changed)) == b""
        assert line.receive(request[:position]) == b""
    assert server.counters["received"] == 0
    assert read_all(server, head_end, "register").values[0, 0] == PROFILE[-1, 0]


def test_a_meter_has_one_line():
    for framing, kind in (("wrapper", DatagramPort), ("hdlc", HdlcPort)):
        server, _ = meter(framing=framing)
        assert isinstance(server.line(), kind)
        assert server.line() is server.line()


def test_addresses_of_simulated_meters():
    assert [meter_address(n).octets.hex() for n in (1, 2, 4)] == ["03", "0223", "00020023"]
    with pytest.raises(ValueError, match="HDLC knows"):
        meter_address(3)
    server, _ = meter(framing="hdlc", hdlc_server_address_bytes=2)
    assert next(link_of(server.settings, READER).connect())[3:5] == bytes.fromhex("0223")
