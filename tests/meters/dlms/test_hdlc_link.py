"""Two ends of an HDLC link and a line between them that drops, doubles and damages whole turns."""

import pytest
from amiplan.meters.dlms import hdlc
from amiplan.meters.dlms.hdlc import Address, Frame, FrameReader, Parameters, pack, unpack
from amiplan.meters.dlms.hdlc_link import MOST_LINKS, HdlcClient, HdlcServer, LinkLost
from amiplan.meters.dlms.hdlc_station import MAX_APDU_BYTES
from hypothesis import given, settings
from hypothesis import strategies as st

METER = Address(1)
LLC = hdlc.LLC_REQUEST


def mirror(client, server, apdu):
    """An answer that only this request can have."""
    return bytes([client]) + apdu[::-1]


class Meter:
    """A server that mirrors requests and remembers what it was called with."""

    def __init__(self, max_info_bytes=2030, window=7, answer=mirror, knows=lambda server: server.logical == 1):
        self.asked, self.ended = [], []

        def remember(client, server, apdu):
            self.asked.append(apdu)
            return answer(client, server, apdu)

        self.server = HdlcServer(
            remember,
            knows=knows,
            max_info_bytes=max_info_bytes,
            window=window,
            closed=lambda *key: self.ended.append(key),
        )

    def say(self, *frames):
        """What comes back for these frames, taken apart."""
        return [unpack(raw) for raw in FrameReader().feed(self.server.receive(b"".join(map(pack, frames))))]


def run(dialogue, line, said=None):
    """Drive a client's generator over ``line``; what it returns."""
    back = None
    while True:
        try:
            sent = dialogue.send(back)
        except StopIteration as end:
            return end.value
        back = line(sent)
        if said is not None:
            said.append((sent, back))


def to_meter(control, info=b"", segmented=False, client=16, server=METER):
    return Frame(server, Address(client), control, segmented, info)


def linked(meter, client=16, server=METER):
    assert [frame.control for frame in meter.say(to_meter(hdlc.SNRM, client=client, server=server))] == [hdlc.UA]


@pytest.mark.parametrize("server", [Address(1), Address(1, 17, 2), Address(1, 17, 4)])
@pytest.mark.parametrize(("max_info", "window"), [(128, 1), (128, 7), (64, 3), (2030, 1), (1, 2)])
def test_requests_and_answers_of_any_length_arrive(server, max_info, window):
    meter = Meter()
    client = HdlcClient(16, server, max_info, window)
    assert run(client.connect(), meter.server.receive) == Parameters.of(max_info, window)
    for n_bytes in (0, 1, 61, 125, 126, 500, 700):
        apdu = bytes(i % 251 for i in range(n_bytes))
        assert run(client.exchange(apdu), meter.server.receive) == bytes([16]) + apdu[::-1]
    assert meter.server.links == ((16, server),)
    assert run(client.disconnect(), meter.server.receive) is None
    assert meter.server.links == ()
    assert meter.ended == [(16, server)]


@pytest.mark.parametrize(
    ("max_info", "n_line", "n_ready"),
    [(128, 3794, 27), (256, 3640, 13), (512, 3563, 6), (1024, 3530, 3), (2030, 3508, 1)],
)
def test_turns_of_the_ciphered_profile(max_info, n_line, n_ready):
    """The counts of an independent library: 83 B up and 3 483 B down, a receive-ready of 9 B per further frame."""
    meter = Meter(answer=lambda *_: bytes(3483))
    client = HdlcClient(1, METER, max_info)
    run(client.connect(), meter.server.receive)
    said = []
    run(client.exchange(bytes(83)), meter.server.receive, said)
    assert [len(sent) for sent, _ in said] == [97] + [9] * n_ready
    assert sum(len(back) for _, back in said) == n_line


@pytest.mark.parametrize(("window", "n_turns"), [(1, 28), (3, 10), (7, 4)])
def test_a_window_saves_turns_and_no_bytes(window, n_turns):
    meter = Meter(answer=lambda *_: bytes(3483))
    client = HdlcClient(1, METER, 128, window)
    run(client.connect(), meter.server.receive)
    said = []
    run(client.exchange(bytes(83)), meter.server.receive, said)
    assert (len(said), sum(len(back) for _, back in said)) == (n_turns, 3794)
    for _, back in said:
        finals = [unpack(raw).is_final for raw in FrameReader().feed(back)]
        assert finals == [False] * (len(finals) - 1) + [True]


def test_the_server_grants_the_smaller_value():
    for asked, own, granted in [
        ((512, 7), (256, 3), (256, 3)),
        ((64, 2), (2030, 7), (64, 2)),
        ((128, 1), (100, 1), (100, 1)),
    ]:
        client = HdlcClient(16, METER, *asked)
        assert run(client.connect(), Meter(*own).server.receive) == Parameters.of(*granted)


def test_link_commands_carry_parameters_only_where_they_say_something():
    for asked, n_bytes in (((), 9), ((128, 1), 9), ((128, 2), 34), ((256, 1), 34)):
        assert len(next(HdlcClient(16, METER, *asked).connect())) == n_bytes
    said = []
    run(HdlcClient(16, METER).connect(), Meter().server.receive, said)
    assert [len(back) for _, back in said] == [34]


def test_several_links_on_one_line_are_apart():
    meter = Meter(knows=lambda server: server.logical in (1, 17))
    clients = [HdlcClient(one, server) for one in (1, 16) for server in (METER, Address(17), Address(1, 5, 4))]
    for client in clients:
        run(client.connect(), meter.server.receive)
    halves = [client.exchange(bytes([i]) * 300) for i, client in enumerate(clients)]
    back = [None] * len(clients)
    answers = {}
    while len(answers) < len(clients):
        for i, half in enumerate(halves):
            try:
                if i not in answers:
                    back[i] = meter.server.receive(half.send(back[i]))
            except StopIteration as end:
                answers[i] = end.value
    assert answers == {i: bytes([1 if i < 3 else 16]) + bytes([i]) * 300 for i in range(len(clients))}
    meter.server.close()
    assert meter.server.links == ()
    assert len(meter.ended) == len(clients)


# The server, frame by frame


def test_nobody_answers_for_unknown_all_or_no_stations():
    meter = Meter(knows=lambda server: server.logical != 5)
    for server in (Address(5), Address(127), Address(1, 127, 2), Address(1, 16383, 4), Address(0)):
        assert meter.say(to_meter(hdlc.SNRM, server=server)) == []
    for client in (Address(0), Address(127), Address(1, 1, 2)):
        assert meter.say(Frame(METER, client, hdlc.SNRM, False, b"")) == []
    assert meter.server.links == ()


def test_without_a_link_the_server_says_so():
    meter = Meter()
    for control in (hdlc.information(0, 0), hdlc.receive_ready(0), hdlc.DISC):
        assert [frame.control for frame in meter.say(to_meter(control))] == [hdlc.DM]
    for control in (hdlc.information(0, 0, False), hdlc.UI, hdlc.UA, hdlc.DM, hdlc.FRMR, 0x09):
        assert meter.say(to_meter(control)) == []
    assert meter.asked == []


def test_impossible_parameters_get_no_link():
    meter = Meter()
    linked(meter)
    assert [frame.control for frame in meter.say(to_meter(hdlc.SNRM, b"\x81\x80\x03\x05\x01\x00"))] == [hdlc.DM]
    assert meter.server.links == ()
    assert meter.ended == [(16, METER)]


def test_a_new_setup_ends_the_old_link():
    meter = Meter()
    linked(meter)
    linked(meter)
    assert meter.ended == [(16, METER)]
    assert [frame.control for frame in meter.say(to_meter(hdlc.DISC))] == [hdlc.UA]
    assert meter.ended == [(16, METER)] * 2
    assert [frame.control for frame in meter.say(to_meter(hdlc.DISC))] == [hdlc.DM]
    assert len(meter.ended) == 2


def test_a_doubled_request_is_answered_again_and_served_once():
    meter = Meter()
    linked(meter)
    request = to_meter(hdlc.information(0, 0), LLC + b"abc")
    first, again = meter.say(request), meter.say(request)
    assert first == again == [Frame(Address(16), METER, hdlc.information(0, 1), False, hdlc.LLC_RESPONSE + b"\x10cba")]
    assert meter.asked == [b"abc"]


def test_frames_out_of_order_are_asked_for_again():
    meter = Meter()
    linked(meter)
    assert [f.control for f in meter.say(to_meter(hdlc.information(1, 0), b"late", True))] == [hdlc.receive_ready(0)]
    assert [f.control for f in meter.say(to_meter(hdlc.information(0, 0), LLC + b"a", True))] == [hdlc.receive_ready(1)]
    assert meter.asked == []
    assert [f.info for f in meter.say(to_meter(hdlc.information(1, 0), b"b"))] == [hdlc.LLC_RESPONSE + b"\x10ba"]


def test_fewer_acknowledged_frames_come_again():
    meter = Meter(answer=lambda *_: bytes(range(200)))
    meter.say(to_meter(hdlc.SNRM, Parameters.of(32, 3).pack()))
    first = meter.say(to_meter(hdlc.information(0, 0), LLC))
    assert [frame.sequence for frame in first] == [0, 1, 2]
    assert [f.sequence for f in meter.say(to_meter(hdlc.receive_ready(2)))] == [2, 3, 4]
    assert [f.sequence for f in meter.say(to_meter(hdlc.receive_ready(2)))] == [2, 3, 4]
    assert [f.sequence for f in meter.say(to_meter(hdlc.receive_ready(1)))] == [2, 3, 4]
    assert [f.sequence for f in meter.say(to_meter(hdlc.receive_ready(5)))] == [5, 6]


def test_a_busy_client_gets_no_information():
    meter = Meter(answer=lambda *_: bytes(300))
    linked(meter)
    meter.say(to_meter(hdlc.information(0, 0), LLC))
    assert [f.control for f in meter.say(to_meter(hdlc.receive_ready(1) | 4))] == [hdlc.receive_ready(1)]
    assert [f.sequence for f in meter.say(to_meter(hdlc.receive_ready(1)))] == [1]


def test_other_link_control_bytes_reach_nobody():
    meter = Meter()
    linked(meter)
    assert [f.control for f in meter.say(to_meter(hdlc.information(0, 0), b"\xe6\xe7\x00abc"))] == [
        hdlc.receive_ready(1)
    ]
    assert [f.control for f in meter.say(to_meter(hdlc.information(1, 0)))] == [hdlc.receive_ready(2)]
    assert meter.asked == []


def test_an_endless_request_is_refused_and_not_kept():
    meter = Meter()
    meter.say(to_meter(hdlc.SNRM, Parameters.of(2030, 1).pack()))
    for i in range(100):
        said = meter.say(to_meter(hdlc.information(i, 0), bytes(2030), True))
        if said[0].control == hdlc.DM:
            break
    assert i == (MAX_APDU_BYTES + 3) // 2030
    assert (meter.server.links, meter.asked, meter.ended) == ((), [], [(16, METER)])


def test_the_longest_apdu_passes_both_ways():
    meter = Meter(answer=lambda _client, _server, apdu: apdu)
    client = HdlcClient(16, METER, 2030, 7)
    run(client.connect(), meter.server.receive)
    assert run(client.exchange(bytes(MAX_APDU_BYTES)), meter.server.receive) == bytes(MAX_APDU_BYTES)


def test_half_a_frame_is_forgotten_when_the_line_is_idle():
    meter = Meter()
    snrm = pack(to_meter(hdlc.SNRM))
    request = pack(to_meter(hdlc.SNRM, Parameters().pack()))
    assert meter.server.receive(request[:-20]) == b""
    assert meter.server.receive(snrm) == b""
    meter.server.idle()
    assert len(meter.server.receive(snrm)) == 34


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.integers(1, 7))
def test_the_server_says_the_same_however_its_bytes_are_chopped(sizes, window):
    def dialogue(meter, cut):
        def line(sent):
            pieces, at = [], 0
            while at < len(sent):
                n_bytes = sizes[len(pieces) % len(sizes)] if cut else len(sent)
                pieces.append(meter.server.receive(sent[at : at + n_bytes]))
                at += n_bytes
            return b"".join(pieces)

        said = []
        client = HdlcClient(16, METER, 40, window)
        run(client.connect(), line, said)
        run(client.exchange(bytes(range(200))), line, said)
        return said

    assert dialogue(Meter(), True) == dialogue(Meter(), False)


RUBBISH = st.one_of(
    st.binary(max_size=30),
    st.builds(
        lambda control, info, segmented: pack(to_meter(control, info, segmented)),
        st.integers(0, 255),
        st.one_of(st.binary(max_size=20), st.binary(max_size=20).map(LLC.__add__)),
        st.booleans(),
    ),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(RUBBISH, max_size=30))
def test_any_frames_in_any_order_leave_the_server_sound(said):
    meter = Meter(window=3)
    for data in said:
        for raw in FrameReader().feed(meter.server.receive(data)):
            assert unpack(raw).destination == Address(16)
    meter.server.idle()
    client = HdlcClient(16, METER)
    run(client.connect(), meter.server.receive)
    assert run(client.exchange(b"after all"), meter.server.receive) == b"\x10lla retfa"


# The client, against servers that misbehave


def answering(*frames):
    """A line on which the n-th turn is answered with the n-th entry (None: silence), the last one over and over."""
    rest = list(frames)

    def line(_sent):
        said = rest.pop(0) if len(rest) > 1 else rest[0]
        return None if said is None else b"".join(map(pack, said))

    return line


def from_meter(control, info=b"", segmented=False):
    return [Frame(Address(16), METER, control, segmented, info)]


def connected(*args, **kwargs):
    client = HdlcClient(16, METER, *args, **kwargs)
    run(client.connect(), answering(from_meter(hdlc.UA)))
    return client


def test_silence_is_met_with_tries_and_then_given_up():
    said = []
    client = connected(tries=4)
    with pytest.raises(LinkLost, match="after 4 tries"):
        run(client.exchange(b"abc"), lambda _: None, said)
    assert len(said) == 4
    assert len({sent for sent, _ in said}) == 1
    with pytest.raises(ValueError, match="connect"):
        run(client.exchange(b"abc"), lambda _: None)
    for dialogue in (client.connect(), connected().disconnect()):
        with pytest.raises(LinkLost, match="tries"):
            run(dialogue, lambda _: b"")
    assert run(HdlcClient(16, METER).disconnect(), lambda _: None) is None


def test_a_lost_answer_costs_one_turn():
    meter = Meter()
    client = HdlcClient(16, METER)
    run(client.connect(), meter.server.receive)
    lost = [True, False]
    said = []
    answer = run(
        client.exchange(b"abc"),
        lambda sent: None if meter.server.receive(sent) and lost.pop(0) else meter.server.receive(sent),
        said,
    )
    assert (answer, len(said), meter.asked) == (b"\x10cba", 2, [b"abc"])


def test_a_meter_that_has_nothing_to_say_is_not_a_lost_link():
    meter = Meter(answer=lambda _client, _server, apdu: apdu or None)
    client = HdlcClient(16, METER)
    run(client.connect(), meter.server.receive)
    assert run(client.exchange(b""), meter.server.receive) is None
    assert run(client.exchange(b"next"), meter.server.receive) == b"next"


def test_a_late_answer_is_never_taken_for_another():
    """The server said nothing for a while, then answers the old request when it gets the next."""
    client = connected()
    assert run(client.exchange(b"old"), answering(from_meter(hdlc.receive_ready(1)))) is None
    with pytest.raises(LinkLost, match="before it has taken"):
        run(client.exchange(b"new"), answering(from_meter(hdlc.information(0, 1), hdlc.LLC_RESPONSE + b"old")))


def test_an_exchange_that_was_broken_off_ends_the_link():
    client = connected()
    half = client.exchange(b"abc")
    next(half)
    half.close()
    with pytest.raises(ValueError, match="connect"):
        run(client.exchange(b"def"), lambda _: None)


@pytest.mark.parametrize("control", [hdlc.DM, hdlc.FRMR])
def test_a_link_that_the_server_ended_is_lost(control):
    with pytest.raises(LinkLost, match="connect again"):
        run(connected().exchange(b"abc"), answering(from_meter(control)))
    with pytest.raises(LinkLost, match="refuses" if control == hdlc.DM else "tries"):
        run(HdlcClient(16, METER).connect(), answering(from_meter(control)))


def test_a_busy_server_is_polled_and_not_pressed():
    said = []
    line = answering(
        from_meter(hdlc.receive_ready(0) | 4),
        from_meter(hdlc.receive_ready(0)),
        from_meter(hdlc.information(0, 1), hdlc.LLC_RESPONSE + b"x"),
    )
    assert run(connected().exchange(b"abc"), line, said) == b"x"
    controls = [unpack(sent).control for sent, _ in said]
    assert controls == [hdlc.information(0, 0), hdlc.receive_ready(0), hdlc.information(0, 0)]


def test_servers_that_break_the_rules_lose_the_link():
    with pytest.raises(LinkLost, match="LLC"):
        run(connected().exchange(b"abc"), answering(from_meter(hdlc.information(0, 1), LLC + b"x")))
    with pytest.raises(LinkLost, match="impossible parameters"):
        run(HdlcClient(16, METER).connect(), answering(from_meter(hdlc.UA, b"\x81")))
    endless = (from_meter(hdlc.information(i, 1), bytes(2030), True) for i in range(100))
    with pytest.raises(LinkLost, match="more than 65535"):
        run(connected().exchange(b"abc"), lambda _: b"".join(map(pack, next(endless))))
    for still in (from_meter(hdlc.UI), from_meter(hdlc.UA), from_meter(hdlc.receive_ready(0)), [], [to_meter(0x10)]):
        with pytest.raises(LinkLost, match="tries"):
            run(connected().exchange(b"abc"), answering(still))
    half = [from_meter(hdlc.information(0, 1), hdlc.LLC_RESPONSE + b"x", True), from_meter(hdlc.receive_ready(1))]
    with pytest.raises(LinkLost, match="tries"):
        run(connected().exchange(b"abc"), answering(*half))


def test_impossible_ends_are_refused():
    for client, server in ((0, METER), (127, METER), (16, Address(0)), (16, Address(127))):
        with pytest.raises(ValueError, match="stations"):
            HdlcClient(client, server)
    with pytest.raises(ValueError, match="tries"):
        HdlcClient(16, METER, tries=0)
    with pytest.raises(ValueError, match="window"):
        HdlcClient(16, METER, 128, 8)
    with pytest.raises(ValueError, match="max_info_bytes"):
        HdlcServer(mirror, knows=lambda _: True, max_info_bytes=4000)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.binary(max_size=40), min_size=1, max_size=12), st.data())
def test_any_answer_ends_the_exchange(backs, data):
    frames = data.draw(
        st.lists(
            st.builds(from_meter, st.integers(0, 255), st.binary(max_size=10), st.booleans()).map(
                lambda one: pack(one[0])
            ),
            max_size=12,
        )
    )
    rest = [*backs, *frames]
    try:
        answer = run(connected().exchange(b"abc"), lambda _: rest.pop() if rest else None)
    except LinkLost:
        return
    assert answer is None or isinstance(answer, bytes)


# Both, over a bad line

FAULTS = ("drop", "double", "damage", "cut")


def damaged(data, fault, place):
    if fault == "drop":
        return b""
    if fault == "double":
        return data * 2
    at = place % len(data) if data else 0
    if fault == "cut":
        return data[:at]
    return data[:at] + bytes([data[at] ^ (1 + place % 255)]) + data[at + 1 :] if data else data


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(st.integers(0, 25), st.tuples(st.sampled_from(FAULTS), st.integers(0, 10**6)), max_size=8),
    st.lists(st.binary(max_size=150), min_size=1, max_size=4),
    st.sampled_from([(128, 1), (20, 1), (20, 3), (20, 7), (33, 2)]),
    st.sampled_from([Address(1), Address(1, 2, 2), Address(1, 2, 4)]),
)
def test_a_bad_line_delays_and_never_deceives(faults, requests, link, server):
    """Every exchange ends with the right answer or with `LinkLost`, and no request is served twice."""
    meter, passed = Meter(), [0]

    def passing(data):
        fault = faults.get(passed[0])
        passed[0] += 1
        return damaged(data, *fault) if fault else data

    def line(sent):
        meter.server.idle()
        return passing(meter.server.receive(passing(sent)))

    client = HdlcClient(16, server, *link, tries=3)
    for number, request in enumerate(requests):
        apdu = bytes([number]) + request
        while True:
            meter.asked.clear()
            try:
                run(client.connect(), line)
                answer = run(client.exchange(apdu), line)
            except LinkLost:
                continue
            assert answer == bytes([16]) + apdu[::-1]
            assert meter.asked == [apdu]
            break


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(st.integers(2, 40), st.tuples(st.sampled_from(FAULTS), st.integers(0, 10**6)), max_size=6),
    st.lists(st.binary(max_size=150), min_size=2, max_size=5),
    st.sampled_from([(128, 1), (20, 1), (20, 3), (20, 7), (33, 2)]),
)
def test_a_kept_link_carries_exchange_after_exchange_over_a_bad_line(faults, requests, link):
    meter, passed = Meter(), [0]

    def passing(data):
        fault = faults.get(passed[0])
        passed[0] += 1
        return damaged(data, *fault) if fault else data

    client = HdlcClient(16, METER, *link, tries=8)
    line = lambda sent: passing(meter.server.receive(passing(sent)))  # noqa: E731
    run(client.connect(), line)
    for number, request in enumerate(requests):
        apdu = bytes([number]) + request
        assert run(client.exchange(apdu), line) == bytes([16]) + apdu[::-1]
    assert meter.asked == [bytes([number]) + request for number, request in enumerate(requests)]
    assert meter.ended == []


def test_a_line_remembers_a_bounded_number_of_links() -> None:
    """Four-byte addresses name millions of servers: who opens a link to each is refused, not remembered."""
    server = HdlcServer(lambda client, address, apdu: b"yes", knows=lambda address: True)
    answers = []
    for physical in range(MOST_LINKS + 10):
        snrm = hdlc.pack(hdlc.Frame(Address(1, physical, 4), Address(1), hdlc.SNRM | hdlc.POLL, False, b""))
        answers.append(hdlc.unpack(server.receive(snrm)).control)
    assert len(server.links) == MOST_LINKS
    assert set(answers[-10:]) == {hdlc.DM}
    assert set(answers[:-10]) == {hdlc.UA}


def test_a_server_that_repeats_what_nobody_waits_for_has_lost_the_link():
    """A late SNRM let the server count from 0 again; its answers no longer fit, and more polls would not help."""
    meter = Meter(answer=lambda client, server, apdu: apdu if apdu else None)
    client = HdlcClient(16, METER)
    run(client.connect(), meter.server.receive)
    for apdu in (b"", *(bytes([number]) for number in range(7))):
        assert run(client.exchange(apdu), meter.server.receive) == (apdu or None)
    linked(meter)
    with pytest.raises(LinkLost, match="does not answer"):
        run(client.exchange(b"ask"), meter.server.receive)
    run(client.connect(), meter.server.receive)
    assert run(client.exchange(b"ask"), meter.server.receive) == b"ask"
