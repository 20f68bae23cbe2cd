"""Parts of PRIME's packet tier: bytes of frames, segments, acknowledgements, the clock, beacon slots and access."""

import math

import numpy as np
import pytest
import simpy
from amiplan.channels.mac.plc.cell_links import CellLinks
from amiplan.channels.mac.plc.frames import damaged
from amiplan.channels.mac.plc.medium import Medium
from amiplan.channels.mac.prime.arq import (
    ArqReceiver,
    ArqSender,
    Reassembly,
    decode_arq,
    encode_arq,
    segments_of,
)
from amiplan.channels.mac.prime.csma import FrameClock, access, beacons_until_lost, later
from amiplan.channels.mac.prime.messages import (
    NO_NODE,
    PRO,
    REG,
    Beacon,
    Connection,
    Packet,
    Promotion,
    Registration,
    Slot,
    alive,
    decode,
    decode_beacon,
    encode,
    encode_beacon,
    request_beacon,
    requested_by,
)
from amiplan.channels.mac.prime.places import Places
from amiplan.channels.mac.prime.relay import Relay
from amiplan.channels.mac.prime.settings import DATA_PRIORITY
from amiplan.channels.mac.prime.slots import BeaconSlots
from amiplan.channels.mac.prime.time import frames_per_scp
from amiplan.channels.phy.prime_ofdm import SYMBOL_S
from hypothesis import given
from hypothesis import strategies as st
from prime_packet import settings

NETWORK = bytes.fromhex("0a1b2c3d4e5f")
NODE = b"\x02\x00\x00\x00\x00\x07"


@given(
    st.booleans(), st.integers(0, 63), st.integers(0, 15), st.integers(0, 3), st.sampled_from([0, 1, 2, 3, 4, 7]),
    st.integers(0, 511), st.integers(0, 255), st.integers(0, 0x3FFF), st.binary(max_size=300),
)  # fmt: skip
def test_a_packet_comes_back_from_its_bytes(down, level, advice, priority, control, connection, switch, node, payload):
    packet = Packet(down, level, advice, priority, control, 0 if control else connection, switch, node, payload)
    frame = encode(packet, NETWORK)
    assert len(frame) == 13 + len(payload)
    assert decode(frame, NETWORK) == packet


def test_frames_of_other_networks_kinds_and_lengths_are_refused():
    packet = Packet(True, 1, 15, 2, 0, 5, 3, 4, b"data")
    frame = encode(packet, NETWORK)
    assert decode(frame, bytes(6)) is None
    assert decode(encode_beacon(Beacon(1, 1, Slot(1, 2, 0), 4, 5), NETWORK), NETWORK) is None
    assert decode(frame[:3], NETWORK) is None
    rng = np.random.default_rng(2)
    assert all(decode(damaged(frame, rng), NETWORK) is None for _ in range(200))


def test_control_packets_come_back_from_their_bytes():
    for registration in (
        Registration(False, True, True, 5, NODE),
        Registration(True, False, False, 0, NODE, bytes(32)),
    ):
        data = registration.encode()
        assert len(data) == (8 if not registration.keys else 40)
        assert Registration.decode(data) == registration
    connection = Connection(False, True, True, 300, b"\x01\x02\x03\x04")
    assert Connection.decode(connection.encode()) == connection
    for promotion, length in ((Promotion(False, 3, 0xFF, NODE), 11), (Promotion(True, 0, 9), 2)):
        assert len(promotion.encode()) == length
        assert Promotion.decode(promotion.encode()) == promotion
    slot = Slot(4, 16, 13)
    assert Slot.decode(slot.encode()) == slot
    assert len(alive(3, 4, 5, 6)) == 3


def test_beacons_and_requests_for_one_are_checked():
    beacon = Beacon(7, 2, Slot(3, 4, 1), 9, 5)
    assert decode_beacon(encode_beacon(beacon, NETWORK)) == (NETWORK, beacon)
    assert decode_beacon(encode(Packet(True, 1, 15, 2, 0, 5, 3, 4, b"data"), NETWORK)) is None
    request = request_beacon(NETWORK, NODE)
    assert len(request) == 14
    assert requested_by(request) == NODE
    assert requested_by(request[:-1] + b"\0") is None or request[-1] == 0
    assert requested_by(bytes(14)) is None


@given(st.binary(min_size=1, max_size=4000), st.sampled_from([64, 128, 192, 255]))
def test_segments_make_the_message_again(message, size):
    whole = Reassembly()
    parts = segments_of(message, size)
    out = [whole.take(part) for part in parts]
    assert out[-1] == message
    assert out[:-1] == [None] * (len(parts) - 1)


def test_a_missing_segment_ends_the_message_and_the_next_one_is_whole():
    parts, whole = segments_of(bytes(range(200)), 64), Reassembly()
    assert [whole.take(part) for part in (parts[0], parts[2], parts[3])] == [None] * 3
    assert [whole.take(part) for part in segments_of(b"next", 64)] == [b"next"]


def test_messages_that_no_header_can_count_are_refused():
    with pytest.raises(ValueError, match="raise sar_bytes"):
        segments_of(bytes(16 * 63 + 1), 16)
    with pytest.raises(ValueError, match="takes 0 segments"):
        segments_of(b"", 16)
    assert len(segments_of(bytes(16 * 63), 16)) == 63


@given(st.integers(0, 63), st.booleans(), st.integers(0, 63), st.lists(st.integers(0, 63), max_size=31), st.binary())
def test_the_arq_header_comes_back_from_its_bytes(number, flush, acknowledged, missing, rest):
    data = encode_arq(number, flush, acknowledged, missing)
    assert len(data) == 2 + len(missing)
    assert decode_arq(data + rest) == (number, flush, acknowledged, missing, rest)


@given(st.integers(1, 32), st.integers(1, 200), st.integers(0, 2**32), st.floats(0, 0.7))
def test_every_segment_comes_out_once_and_in_order_whatever_is_lost(window, count, seed, loss):
    rng = np.random.default_rng(seed)
    sender, receiver, got = ArqSender(window, 10_000), ArqReceiver(), []
    segments = [bytes((k % 256,)) for k in range(count)]
    sender.offer(segments)
    burst = sender.burst()
    while not sender.done:
        word = None
        assert len({packet.number for packet in burst}) == len(burst) <= window
        for packet in burst:
            if rng.random() >= loss:
                got += receiver.take(packet.number, packet.segment)
                word = receiver.word() if packet.flush else None
        if word is not None and rng.random() >= loss:
            ready = sender.word(*word)
            burst = sender.burst() if ready and not sender.done else []
        else:
            burst = sender.overdue()
    assert got == segments


def test_a_sender_gives_up_and_ignores_words_from_the_past():
    sender = ArqSender(2, 3)
    sender.offer([b"a", b"b", b"c"])
    assert [packet.flush for packet in sender.burst()] == [False, True]
    assert sender.word(40, [], None) is False
    assert [packet.number for packet in sender.overdue()] == [1]
    assert sender.repeated == 1
    assert sender.overdue() is not None
    assert sender.overdue() is None


def test_a_repeated_packet_comes_out_once():
    receiver = ArqReceiver()
    assert receiver.take(1, b"b") == []
    assert receiver.word() == (0, [0], 1)
    assert receiver.take(0, b"a") == [b"a", b"b"]
    assert receiver.take(1, b"b") == []
    assert receiver.word() == (2, [], 1)


@pytest.mark.parametrize(("code", "frame_ms"), [(0, 618.24), (1, 1236.48), (2, 1854.72), (3, 2472.96)])
def test_the_clock_keeps_the_published_mac_frames(code, frame_ms):
    mac = settings("1.4", frame_code=code)
    clock = FrameClock(mac)
    assert clock.beacon_s(Slot(0, 1, 0), 0.0, 4) == pytest.approx(3e-3 * frame_ms, abs=1e-9)
    assert clock.beacon_s(Slot(1, 4, 2), 0.1, 1) == pytest.approx(2e-3 * frame_ms + mac.slot_s, abs=1e-9)


def test_five_beacons_of_version_1_3_6_leave_245_symbols():
    mac = settings("1.3.6")
    clock = FrameClock(mac)
    start_s, end_s = 30 * SYMBOL_S, 275 * SYMBOL_S
    assert clock.contention_s(0.0, 0.1) == pytest.approx(start_s)
    assert clock.contention_s(start_s + 0.2, 0.1) == start_s + 0.2
    assert clock.contention_s(end_s - 0.1, 0.1) == end_s - 0.1
    assert clock.contention_s(end_s - 0.1, 0.1001) == pytest.approx(mac.frame_s + start_s)
    assert clock.contention_s(0.0, 245 * SYMBOL_S) == pytest.approx(start_s)


@given(st.integers(0, 4), st.sampled_from([1, 2, 8, 32]), st.integers(0, 31), st.floats(0, 100), st.floats(0, 100))
def test_beacons_are_counted_as_they_are_sent(number, every, phase, first_s, second_s):
    mac = settings("1.3.6")
    clock, slot = FrameClock(mac), Slot(number, every, phase % every)
    from_s, until_s = sorted((first_s, second_s))
    starts = [k * mac.frame_s + number * mac.slot_s for k in range(400) if k % every == slot.phase]
    assert clock.beacons_between(slot, from_s, until_s) == sum(from_s - 1e-9 <= s < until_s - 1e-9 for s in starts)
    after = [s for s in starts if s >= from_s - 1e-9]
    assert clock.beacon_s(slot, from_s, 2) == pytest.approx(after[1])


@pytest.mark.parametrize(("miss", "run"), [(0.5, 5), (0.8, 3), (0.95, 5), (0.25, 6)])
def test_the_wait_for_a_run_of_missed_beacons_has_its_known_mean(miss, run):
    rng = np.random.default_rng(5)
    drawn = np.array([beacons_until_lost(miss, run, rng) for _ in range(4000)])
    mean = (1 - miss**run) / ((1 - miss) * miss**run)
    assert drawn.min() >= run
    assert drawn.mean() == pytest.approx(mean, abs=5 * drawn.std() / math.sqrt(drawn.size))
    assert np.mean(drawn == run) == pytest.approx(miss**run, abs=5 * math.sqrt(miss**run / drawn.size))


def shares_no_beacon(slots, switches):
    """Whether no two switches ever send in the same slot of the same MAC frame."""
    taken = set()
    for switch in switches:
        number, every, phase = slots.of(switch)
        places = {(number, frame) for frame in range(phase, 32, every)}
        if taken & places:
            return False
        taken |= places
    return True


def test_beacon_slots_are_shared_by_halves_and_never_collide():
    mac = settings("1.3.6")
    slots = BeaconSlots(mac)
    for switch in range(1, 129):
        assert slots.take(switch) is not None
        if switch % 17 == 0:
            assert shares_no_beacon(slots, range(1, switch + 1))
            longest = max(slots.of(one).every for one in range(1, switch + 1))
            assert longest == mac.beacon_every_frames(switch)
    assert slots.take(129) is None
    slots.free(5)
    slots.free(77)
    assert slots.take(200)[1] == -1
    assert shares_no_beacon(slots, [k for k in range(1, 129) if k not in (5, 77)] + [200])


def line(n, robust_db):
    """Environment and medium of members that hear each other alike."""
    env = simpy.Environment()
    table = np.full((n, n), float(robust_db))
    return env, Medium(env, CellLinks(np.arange(n), table, table, np.zeros((n, n), np.int8)), 0.0, 2e-3)


def saturate(env, mac, medium, node, airtime_s, rng, sent):
    """A node that always has one more frame."""
    clock = FrameClock(mac)
    while True:
        granted = yield from access(env, clock, medium, node, DATA_PRIORITY, airtime_s, rng.random)
        if granted:
            frame = medium.begin(node, airtime_s, 6.5e-3)
            yield env.timeout(airtime_s)
            sent.append((frame, [medium.clear(frame, k) for k in range(2)]))


@pytest.mark.parametrize(("version", "airtime_s"), [("1.3.6", 0.045), ("1.3.6", 0.1477), ("1.4", 0.0552)])
def test_a_lone_sender_fills_the_contention_period_as_its_closed_form_says(version, airtime_s):
    mac, rng, sent = settings(version), np.random.default_rng(3), []
    env, medium = line(2, 20.0)
    env.process(saturate(env, mac, medium, 0, airtime_s, rng, sent))
    frames = 500
    env.run(frames * mac.frame_s)
    starts_s = np.array([frame.start_s for frame, _ in sent])
    per_scp = np.bincount((starts_s / mac.frame_s).astype(int), minlength=frames)
    expected = frames_per_scp(mac, airtime_s)
    assert per_scp.mean() == pytest.approx(expected, abs=4 * max(per_scp.std(), 0.05) / math.sqrt(frames))


def test_frames_stay_inside_the_contention_period_and_rarely_meet_where_both_hear_each_other():
    mac, rng, sent = settings("1.3.6"), np.random.default_rng(3), []
    env, medium = line(2, 20.0)
    for node in (0, 1):
        env.process(saturate(env, mac, medium, node, 0.05, rng, sent))
    env.run(300 * mac.frame_s)
    place = np.array([frame.start_s % mac.frame_s for frame, _ in sent])
    assert place.min() >= mac.scp_start_s - 1e-9
    assert place.max() + 0.05 <= mac.scp_start_s + mac.scp_s + 1e-9
    met = np.mean([clear[1 - frame.sender] > 1.0 for frame, clear in sent])
    hidden_sent = []
    env, deaf = line(2, -20.0)
    for node in (0, 1):
        env.process(saturate(env, mac, deaf, node, 0.05, rng, hidden_sent))
    env.run(300 * mac.frame_s)
    blind = np.mean([clear[1 - frame.sender] > 1.0 for frame, clear in hidden_sent])
    assert met < 0.35
    assert blind > 0.9


def test_a_sender_gives_up_on_a_line_that_is_always_busy():
    mac = settings("1.3.6")
    env, medium = line(2, 20.0)

    def talk():
        while True:
            medium.begin(1, 0.5, 6e-3)
            yield env.timeout(0.5)

    env.process(talk())
    env.run(0.01)
    rng = np.random.default_rng(1)
    asked = env.process(access(env, FrameClock(mac), medium, 0, 1, 0.02, rng.random, timed=False))
    assert env.run(asked) is False


def test_later_does_what_it_is_told_when_it_is_told():
    env, done = simpy.Environment(), []
    later(env, 2.0, lambda: done.append(env.now))
    env.run()
    assert done == [2.0]


def packet(*, down, level, switch, node, control=0, payload=b""):
    """A packet with nothing special about it."""
    return Packet(down, level, 15, 2, control, 0 if control else 1, switch, node, payload)


def test_the_index_of_addresses_knows_whom_a_packet_is_meant_for():
    levels = {0: 1, 1: 2, 2: 2, 3: 3}
    places = Places(9, levels.__getitem__)
    for member, switch in ((0, 7), (1, 8), (0, 8)):
        places.relay(member, switch)
    places.hold(3, 8, 1)
    places.hold(2, 7, 4)
    assert places.takers(9, packet(down=True, level=0, switch=8, node=1)) == [0]
    assert places.takers(0, packet(down=True, level=1, switch=8, node=1)) == [1]
    assert places.takers(1, packet(down=True, level=2, switch=8, node=1)) == [3]
    assert places.takers(3, packet(down=False, level=2, switch=8, node=1)) == [1]
    assert places.takers(1, packet(down=False, level=1, switch=8, node=1)) == [0]
    assert places.takers(0, packet(down=False, level=0, switch=8, node=1)) == [9]
    places.leave(3, 8, 1)
    assert places.takers(1, packet(down=True, level=2, switch=8, node=1)) == []
    places.hold(3, 8, NO_NODE)
    assert places.takers(1, packet(down=True, level=2, switch=8, node=5, control=REG)) == [3]
    places.unrelay(0, 8)
    assert places.takers(9, packet(down=True, level=0, switch=8, node=1)) == []


def test_a_switch_learns_the_tree_below_it_from_what_passes():
    relay = Relay(0, Places(9, lambda member: 1))
    assert not relay.serves(-1)
    relay.begin(7)
    offer = Registration(False, True, True, 0, NODE).encode()
    assert relay.down(packet(down=True, level=0, switch=7, node=3, control=REG, payload=offer)) == 7
    assert relay.down(packet(down=True, level=0, switch=7, node=3)) == 7
    taken = Promotion(False, 0, 12).encode()
    relay.up(packet(down=False, level=1, switch=7, node=3, control=PRO, payload=taken), 7)
    assert relay.serves(12)
    assert relay.down(packet(down=True, level=0, switch=12, node=1)) == 7
    request = Promotion(False, 0, 255, NODE).encode()
    relay.up(packet(down=False, level=1, switch=12, node=1, control=PRO, payload=request), 7)
    assert not relay.serves(255)
    given_up = Promotion(True, 0, 12).encode()
    relay.up(packet(down=False, level=1, switch=7, node=3, control=PRO, payload=given_up), 7)
    assert not relay.serves(12)
    assert relay.down(packet(down=True, level=0, switch=7, node=99)) == -1
    relay.end()
    assert not relay.serves(7)
