from dataclasses import replace

import numpy as np
import pytest
from amiplan.meters import clock, load
from amiplan.meters.client import ExchangeFailed, converse, read_all
from amiplan.meters.dlms import acse, apdu, axdr, wrapper
from amiplan.meters.dlms.apdu import DataAccess
from amiplan.meters.dlms.axdr import NULL
from amiplan.meters.dlms.obis import ASSOCIATION, CLOCK, ENERGY_REGISTERS, IMPORT_ACTIVE, LOAD_PROFILE
from amiplan.meters.dlms.security import sealed_bytes
from amiplan.meters.objects import AccessError, ProfileGeneric
from amiplan.meters.reading import join
from amiplan.meters.server import MeterServer, largest_block_bytes
from amiplan.meters.services import ServiceSettings, commission

KEY = np.array([77], np.uint64)
PROFILE = load.profile(KEY, np.array(["farm"]), 2, seed=5)[0]
PLAIN = ServiceSettings(security="none")


def meter(settings=None, key=77, **changes):
    settings = replace(settings or ServiceSettings(), **changes)
    return commission(key, PROFILE[-1], PROFILE, 2, settings)


@pytest.mark.parametrize("security", ["suite_0", "none"])
@pytest.mark.parametrize("association", ["pre_established", "fresh"])
@pytest.mark.parametrize("encoding", ["full", "null_timestamps"])
def test_readings_equal_the_registers(security, association, encoding):
    server, head_end = meter(security=security, association=association, encoding=encoding, max_pdu_bytes=300)
    for _ in range(2):
        register = read_all(server, head_end, "register")
        profile = read_all(server, head_end, "profile")
    assert register.values.tolist() == [[int(PROFILE[-1, 0])]]
    assert register.channels == (IMPORT_ACTIVE,)
    assert np.array_equal(profile.values, PROFILE)
    assert profile.channels == ENERGY_REGISTERS
    assert np.array_equal(profile.time_s, clock.interval_end_s(2, 96))


@pytest.mark.parametrize("security", ["suite_0", "none"])
@pytest.mark.parametrize("service", ["register", "profile"])
@pytest.mark.parametrize("max_pdu_bytes", [128, 500, 5000])
@pytest.mark.parametrize("encoding", ["full", "null_timestamps"])
def test_push_and_pull_say_the_same(security, service, max_pdu_bytes, encoding):
    server, head_end = meter(security=security, max_pdu_bytes=max_pdu_bytes, encoding=encoding)
    pushed = server.push(service)
    assert max(len(datagram) for datagram in pushed) <= max_pdu_bytes + 8
    parts = [head_end.accept(datagram) for datagram in pushed]
    assert join(parts).same_data(read_all(server, head_end, service))


def test_a_push_comes_in_as_few_pieces_as_fit():
    server, _ = meter(max_pdu_bytes=1024)
    lengths = [len(datagram) - 8 for datagram in server.push("profile")]
    assert len(lengths) == 4
    assert all(length + 36 > 1024 for length in lengths[:-1])


@pytest.mark.parametrize("ciphered", [True, False])
@pytest.mark.parametrize("limit", [128, 200, 256, 257, 300, 512, 1024, 2048])
def test_blocks_use_the_negotiated_length_and_never_exceed_it(limit, ciphered):
    n_data = largest_block_bytes(limit, ciphered)
    length = [sealed_bytes(apdu.block_bytes(n)) if ciphered else apdu.block_bytes(n) for n in (n_data, n_data + 1)]
    assert length[0] <= limit < length[1]
    server, head_end = meter(security="suite_0" if ciphered else "none", max_pdu_bytes=limit)
    _, said = converse(server, head_end, "profile")
    assert len(said) == -(-3458 // n_data)
    assert max(len(answer) for _, answer in said) <= limit + 8
    with pytest.raises(ValueError, match="max_pdu_bytes"):
        largest_block_bytes(5, ciphered)


def test_the_shorter_of_both_limits_rules():
    server, _ = meter(association="fresh", max_pdu_bytes=2000)
    _, head_end = meter(association="fresh", max_pdu_bytes=400)
    _, said = converse(server, head_end, "profile")
    assert max(len(answer) for _, answer in said) <= 408


def test_meters_have_keys_of_their_own():
    server, _ = meter(key=1)
    _, stranger = meter(key=2)
    with pytest.raises(ExchangeFailed, match="no believable answer in 3 tries"):
        read_all(server, stranger, "register")
    assert server.counters["authentication"] == 3
    assert stranger.accept(server.push("register")[0]) is None
    assert stranger.counters["authentication"] == 1


def drive(session, network):
    """A reading over ``network(request) -> response or None``."""
    request = next(session)
    while True:
        try:
            request = session.send(network(request))
        except StopIteration as done:
            return done.value


@pytest.mark.parametrize("association", ["pre_established", "fresh"])
@pytest.mark.parametrize("lost", range(12))
def test_a_lost_datagram_is_asked_for_again(lost, association):
    server, head_end = meter(association=association, max_pdu_bytes=1024)
    count = iter(range(1000))

    def network(request):
        if next(count) == lost:
            return None
        answer = server.handle(request)
        return None if next(count) == lost else answer

    assert np.array_equal(drive(head_end.read("profile"), network).values, PROFILE)
    assert server.counters["replay"] == 0


def test_flipped_bits_are_counted_and_repaired():
    server, head_end = meter(max_pdu_bytes=1024)
    rng = np.random.default_rng(3)
    n_flipped = 0

    def flipped(data):
        changed = bytearray(data)
        changed[rng.integers(8, len(data))] ^= 1 << rng.integers(8)
        return bytes(changed)

    def network(request):
        nonlocal n_flipped
        side = rng.integers(6)
        n_flipped += int(side < 2)
        answer = server.handle(flipped(request) if side == 0 else request)
        return flipped(answer) if side == 1 and answer is not None else answer

    for _ in range(20):
        head_end.settings = replace(head_end.settings, tries=20)
        assert np.array_equal(drive(head_end.read("profile"), network).values, PROFILE)
    names = ("authentication", "replay", "unprotected", "malformed")
    refused = sum(side.counters[name] for side in (server, head_end) for name in names)
    assert n_flipped > 10
    assert refused == n_flipped


def test_a_silent_meter_ends_the_session():
    _, head_end = meter()
    with pytest.raises(ExchangeFailed, match="3 tries, the last: silence"):
        drive(head_end.read("register"), lambda request: None)
    assert head_end.counters["timeouts"] == head_end.counters["sent"] == 3


def test_replayed_requests_and_pushes_are_refused():
    server, head_end = meter()
    request = next(head_end.read("register"))
    assert server.handle(request) is not None
    assert server.handle(request) is None
    assert server.counters["replay"] == 1
    push = server.push("register")[0]
    assert head_end.accept(push) is not None
    assert head_end.accept(push) is None
    assert head_end.counters["replay"] == 1


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


def test_a_wrong_answer_to_the_challenge_opens_nothing():
    server, head_end = meter(association="fresh")
    session = head_end.read("register")
    session.send(server.handle(next(session)))
    for proof in (bytes(17), b"short"):
        wrong = apdu.encode(apdu.ActionRequest(15, ASSOCIATION, 1, axdr.octets(proof)))
        server.handle(wrapper.pack(1, 1, head_end.channel.seal(wrong)))
    assert (server.counters["authentication"], server.counters["malformed"]) == (1, 1)
    other = apdu.encode(apdu.ActionRequest(15, ASSOCIATION, 2, axdr.octets(bytes(17))))
    get = apdu.encode(apdu.GetRequest(3, IMPORT_ACTIVE, 2))
    for request in (other, get):
        answer = wrapper.unpack(server.handle(wrapper.pack(1, 1, head_end.channel.seal(request)))).apdu
        assert answer == apdu.encode(apdu.ExceptionResponse(1, 1))
    assert server.counters["not_associated"] == 2


def test_a_meter_that_cannot_prove_itself_is_not_believed():
    server, head_end = meter(association="fresh")
    session = head_end.read("register")
    pass_3 = session.send(server.handle(next(session)))
    server._challenges = (bytes(16), server._challenges[1])
    with pytest.raises(ExchangeFailed, match="pass 3 or 4"):
        session.send(server.handle(pass_3))


@pytest.mark.parametrize("asked", [
    acse.Association(acse.CONTEXT_PLAIN, acse.initiate_request(500)),
    acse.Association(acse.CONTEXT_CIPHERED, bytes(33), acse.MECHANISM_HLS_GMAC, b"STRANGER", bytes(16)),
    acse.Association(acse.CONTEXT_CIPHERED, bytes(33), acse.MECHANISM_HLS_GMAC, b"AMPHEAD0", bytes(4)),
])  # fmt: skip
def test_strange_associations_are_rejected_and_leave_the_open_one_alone(asked):
    server, head_end = meter()
    answer = acse.decode(server.answer(acse.encode(asked)))
    assert (answer.result, answer.diagnostic) == (acse.REJECTED, acse.AUTHENTICATION_FAILED)
    assert server.counters["authentication"] == 1
    assert read_all(server, head_end, "register").values.size == 1


def test_nothing_is_said_before_the_association():
    server, _ = meter(association="fresh")
    _, head_end = meter(association="pre_established")
    with pytest.raises(ExchangeFailed, match="exception 1, 1"):
        read_all(server, head_end, "register")
    assert server.counters["not_associated"] == 3
    server, _ = meter()
    _, public = meter(security="none", association="fresh")
    with pytest.raises(ExchangeFailed):
        read_all(server, public, "register")
    assert server.counters["misaddressed"] == 3


def test_plain_requests_to_a_ciphered_meter_are_refused():
    server, _ = meter()
    plain = apdu.encode(apdu.GetRequest(3, IMPORT_ACTIVE, 2))
    assert server.handle(wrapper.pack(1, 1, plain)) is None
    assert server.counters["unprotected"] == 1


def spoken_frames(settings):
    server, head_end = meter(settings)
    frames = [request for request, _ in converse(server, head_end, "profile")[1]]
    return server, frames + [answer for _, answer in converse(server, head_end, "register")[1]]


@pytest.mark.parametrize("settings", [
    ServiceSettings(association="fresh"), ServiceSettings(), PLAIN, replace(PLAIN, association="fresh"),
])  # fmt: skip
def test_a_meter_survives_mutated_frames(settings):
    server, frames = spoken_frames(settings)
    rng = np.random.default_rng(11)
    for _ in range(600):
        data = bytearray(frames[rng.integers(len(frames))])
        for _ in range(rng.integers(1, 5)):
            data[rng.integers(len(data))] = rng.integers(256)
        cut = rng.integers(len(data)) if rng.random() < 0.2 else len(data)
        answer = server.handle(bytes(data[:cut]))
        # Past the wrapper too: repair the length, so that the services themselves see the damage.
        again = server.answer(bytes(data[8:cut]))
        assert answer is None or isinstance(answer, bytes)
        assert again is None or isinstance(again, bytes)
    assert server.counters["malformed"] > 50
    fresh_server, head_end = meter(settings)
    assert read_all(fresh_server, head_end, "register").values.size == 1


def test_a_ciphered_meter_still_works_after_garbage():
    server, head_end = meter()
    rng = np.random.default_rng(1)
    for _ in range(200):
        server.handle(rng.bytes(rng.integers(0, 80)))
    assert read_all(server, head_end, "register").values[0, 0] == PROFILE[-1, 0]


def answer_of(server, request):
    return apdu.decode(server.answer(apdu.encode(request)))


def test_access_is_refused_by_name():
    server, _ = meter(PLAIN)
    unknown = apdu.GetRequest(3, LOAD_PROFILE, 2)
    assert answer_of(server, unknown).result is DataAccess.OBJECT_UNDEFINED
    assert answer_of(server, apdu.GetRequest(3, IMPORT_ACTIVE, 9)).result is DataAccess.READ_WRITE_DENIED
    selected = apdu.GetRequest(3, IMPORT_ACTIVE, 2, 1, NULL)
    assert answer_of(server, selected).result is DataAccess.SCOPE_OF_ACCESS_VIOLATED
    assert answer_of(server, apdu.GetRequestNext(1)).result is DataAccess.NO_LONG_GET_IN_PROGRESS
    answer_of(server, apdu.GetRequest(7, LOAD_PROFILE, 2))
    assert answer_of(server, apdu.GetRequestNext(99)).result is DataAccess.DATA_BLOCK_NUMBER_INVALID
    assert answer_of(server, apdu.GetRequestNext(2)).block == 3
    assert isinstance(answer_of(server, apdu.DataNotification(1, NULL)), apdu.ExceptionResponse)
    assert server.counters["denied"] == 3


def rows_of(profile, selector, parameters):
    return [[cell.content for cell in row.items] for row in profile.attribute(2, selector, parameters).items]


def test_selective_access_gives_those_rows_and_only_those():
    time_s = clock.interval_end_s(0, 96)
    profile = ProfileGeneric(LOAD_PROFILE, time_s, PROFILE, 900)
    chosen = apdu.by_range(clock.octets_of(time_s[4]), clock.octets_of(time_s[6]), CLOCK)
    rows = rows_of(profile, 1, chosen)
    assert [row[1:] for row in rows] == PROFILE[4:7].tolist()
    assert [clock.time_s_of(row[0]) for row in rows] == time_s[4:7].tolist()
    assert rows_of(profile, 2, apdu.by_entry(3, 4, 2, 3)) == PROFILE[2:4, :2].tolist()
    assert len(rows_of(profile, 2, apdu.by_entry(90, 0))) == 7
    early = apdu.by_range(clock.octets_of(0), clock.octets_of(900), CLOCK)
    assert profile.attribute(2, 1, early) == axdr.array()
    assert len(rows_of(profile, 0, NULL)) == 96
    for selector, parameters in [(1, NULL), (2, NULL), (3, NULL), (2, apdu.by_entry(0, 3)), (1, axdr.array(NULL))]:
        with pytest.raises(AccessError):
            profile.attribute(2, selector, parameters)
    elsewhere = apdu.by_range(clock.octets_of(0), clock.octets_of(900), IMPORT_ACTIVE)
    with pytest.raises(AccessError):
        profile.attribute(2, 1, elsewhere)


def test_a_gap_in_the_profile_keeps_its_time():
    time_s = np.delete(clock.interval_end_s(0, 96), 5)
    profile = ProfileGeneric(LOAD_PROFILE, time_s, PROFILE[:95], 900, null_timestamps=True)
    times = [row[0] for row in rows_of(profile, 0, NULL)]
    assert [row for row, time in enumerate(times) if time is not None] == [0, 5]


def test_describing_attributes():
    server, _ = meter(PLAIN)
    captured = answer_of(server, apdu.GetRequest(7, LOAD_PROFILE, 3)).result
    assert [item.items[1].octets for item in captured.items] == [o.octets for o in (CLOCK, *ENERGY_REGISTERS)]
    assert answer_of(server, apdu.GetRequest(7, LOAD_PROFILE, 4)).result.number == 900
    assert answer_of(server, apdu.GetRequest(7, LOAD_PROFILE, 7)).result.number == 96
    scaler, unit = answer_of(server, apdu.GetRequest(3, ENERGY_REGISTERS[2], 3)).result.items
    assert (scaler.number, unit.number) == (0, 32)
    now = answer_of(server, apdu.GetRequest(8, CLOCK, 2)).result
    assert clock.time_s_of(now.octets) == clock.day_start_s(3)


def test_impossible_meters_are_refused():
    settings = ServiceSettings()
    with pytest.raises(ValueError, match="needed"):
        commission(1, PROFILE[-1], PROFILE[:10], 0, settings)
    with pytest.raises(ValueError, match="uint32"):
        commission(1, PROFILE[-1], PROFILE.astype(float), 0, settings)
    with pytest.raises(ValueError, match="needs keys"):
        MeterServer([], b"AMP00000", None, settings)
    server, head_end = meter()
    with pytest.raises(ValueError, match="pushed"):
        server.push("weather")
    with pytest.raises(ValueError, match="unknown"):
        next(head_end.read("weather"))
    with pytest.raises(ValueError, match="join"):
        join([])
