"""The packet tier of G3-PLC: real bytes, real check sequences, and agreement with the fast tier."""

import dataclasses

import numpy as np
import pytest
import simpy
from amiplan.channels.draws import Draws
from amiplan.channels.mac.g3_cell import checked, with_fcs
from amiplan.channels.mac.g3_exchange import route_costs
from amiplan.channels.mac.g3_framing import fragment_sizes_bytes, hop_table, segment_sizes_bytes
from amiplan.channels.mac.g3_polling import poll
from amiplan.channels.paths import CablePaths
from amiplan.channels.phy.g3_ofdm import threshold_db
from amiplan.channels.technologies.g3_plc import G3Plc
from amiplan.channels.technologies.ieee_1901_2 import Ieee19012
from amiplan.channels.technology import DOWN, UP, Exchanges, LinkQuality

TECH = G3Plc()
BANDS = (
    G3Plc(band="cenelec-b"),
    G3Plc(band="cenelec-a", notched_carriers="6-12", coherent=True),
    G3Plc(band="fcc", country="US", two_rs_blocks=True),
    G3Plc(band="arib", country="JP"),
    Ieee19012(band="fcc-low", country="US"),
    Ieee19012(band="fcc-above-cenelec", country="US", coherent=True),
)


def chain(margin_db=30.0, mode=0, tech=TECH):
    """Meter 1 behind meter 0 behind the concentrator (node 2); link 1 is listed downwards on purpose."""
    empty = np.zeros(0, int)
    paths = CablePaths(
        empty, empty, np.zeros(0), empty, (), np.zeros(1, int), np.zeros(2, int), np.zeros(1, int), np.ones(1),
        np.ones(2, int), np.array([0, 0]), np.array([2, 1]), np.full(2, 50.0), np.arange(3).astype(np.uint64), 2, 1,
    )  # fmt: skip
    margin = np.full(2, margin_db)
    snr = margin + threshold_db(tech.table[mode], tech.implementation_loss_db)
    column, rate = np.full(2, mode, np.int8), np.full(2, 5592.0)
    quality = LinkQuality(
        snr, snr, margin, margin, column, column, rate, rate, np.zeros(2), np.zeros(2, np.int8), np.ones(2, bool)
    )
    return paths, quality, tech.routes(paths, quality, np.ones(1, bool))


def cell(margin_db=30.0, mode=0, seed=1, tech=TECH):
    env = simpy.Environment()
    return env, tech.open_cell(env, *chain(margin_db, mode, tech), 0, Draws(seed))


def ask(env, network, source, destination, payload):
    process = network.send(source, destination, payload)
    env.run(process)
    return process.value


def balanced(counters):
    for what in ("frames", "payloads"):
        parts = sum(counters[f"{what}_{fate}"] for fate in ("delivered", "lost", "pending"))
        assert counters[f"{what}_sent"] == parts


def of_band(tech):
    return f"{tech.name} {tech.band}"


@pytest.mark.parametrize("tech", BANDS, ids=of_band)
@pytest.mark.parametrize("row", [0, 3, -1])
def test_a_frame_survives_and_both_tiers_take_the_same_airtime_in_every_band(tech, row):
    tech = dataclasses.replace(tech, response_s=0.0, processing_s=0.0)
    mode, payload = row % len(tech.table), np.random.default_rng(1).bytes(700)
    env, network = cell(mode=mode, tech=tech)
    assert ask(env, network, 0, 2, payload) == payload
    busy = float(tech.airtime_s(np.array(mode), np.array(700)))
    n_fragments = len(fragment_sizes_bytes(700, tech.mac))
    # contention is what is left: idle time, the window of high priority, 1 to 8 slots
    least, most = (tech.plan.gap_s + tech.plan.slot_s * slots for slots in (8, 7 + 2**tech.min_be))
    assert busy + n_fragments * least <= env.now + 1e-9
    assert env.now <= busy + n_fragments * most + 1e-9
    assert network.counters["frames_sent"] == tech.n_frames(np.array(mode), np.array(700))


@pytest.mark.parametrize("tech", BANDS, ids=of_band)
def test_fast_tier_agrees_in_every_band(tech):
    tech = dataclasses.replace(tech, response_s=0.0)
    paths, quality, routes = chain(30.0, 1, tech)
    legs = Exchanges(
        *(np.zeros(1, int), np.zeros(1, int), np.ones(1, int), np.zeros(1, int), np.array([UP])),
        *(np.full(1, 300), np.full(1, -1), np.zeros(1), np.full(1, 60.0), np.ones(1, int), ("s",), (3600.0,)),
    )
    fast = route_costs(tech.table, tech.mac, legs, routes, paths, quality)
    env, network = cell(mode=1, tech=tech)
    for _ in range(60):
        assert ask(env, network, 1, 2, bytes(300)) is not None
    assert fast.success[0] > 0.999
    assert env.now / 60 == pytest.approx(fast.time_s[0], rel=0.03)
    assert network.counters["frames_sent"] / 60 == fast.frames[0]


@pytest.mark.parametrize("mode", [0, 5, len(TECH.table) - 1])
@pytest.mark.parametrize("size", [1, 93, 94, 385, 386, 1500])
def test_bytes_arrive_as_sent_over_two_hops_both_ways(size, mode):
    payload = np.random.default_rng(size).bytes(size)
    env, network = cell(mode=mode)
    assert ask(env, network, 1, 2, payload) == payload
    assert ask(env, network, 2, 1, payload) == payload
    mac, table = TECH.mac, TECH.table
    frames = sum(len(segment_sizes_bytes(f, table[mode], mac)) for f in fragment_sizes_bytes(size, mac))
    assert network.counters["frames_sent"] == 4 * frames
    assert hop_table(np.array([size]), table, mac).count[0, mode].sum() == frames
    assert network.counters["frames_lost"] == network.counters["retries"] == 0
    balanced(network.counters)


def test_a_flipped_bit_is_refused():
    frame = with_fcs(b"one segment of a meter reading")
    assert checked(frame) == b"one segment of a meter reading"
    for bit in range(8 * len(frame)):
        damaged = bytearray(frame)
        damaged[bit // 8] ^= 1 << bit % 8
        assert checked(bytes(damaged)) is None


def test_damaged_frames_are_refused_and_repeated():
    env, network = cell(margin_db=0.0)
    payload = bytes(range(200))
    answers = [ask(env, network, 1, 2, payload) for _ in range(30)]
    assert all(answer == payload for answer in answers if answer is not None)
    counters = network.counters
    assert counters["crc_refused"] > 0
    assert counters["retries"] > 0
    assert counters["frames_lost"] >= counters["crc_refused"]
    assert counters["payloads_delivered"] == sum(answer is not None for answer in answers)
    balanced(counters)


def test_a_dead_link_loses_the_payload_after_all_tries():
    env, network = cell()
    quality = dataclasses.replace(network._quality, snr_up_db=np.full(2, -50.0), snr_down_db=np.full(2, -50.0))
    network._quality = quality
    assert ask(env, network, 0, 2, b"x") is None
    assert network.counters["frames_sent"] == TECH.frame_retries + 1
    assert network.counters["payloads_lost"] == 1
    balanced(network.counters)


def test_unfinished_sending_is_pending_and_the_channel_is_shared():
    env, network = cell()
    network.send(0, 2, bytes(300))
    network.send(1, 2, bytes(300))
    env.run(until=0.15)
    assert network.counters["payloads_pending"] == 2
    balanced(network.counters)
    env.run()
    both = env.now
    assert network.counters["payloads_delivered"] == 2
    env, network = cell()
    ask(env, network, 0, 2, bytes(300))
    assert both > 2.5 * env.now


def test_a_meter_answers_after_its_response_time_and_the_concentrator_asks_at_once():
    times = []
    for source, destination in ((0, 2), (2, 0)):
        for response_s in (0.0, 1.5):
            env, network = cell(tech=dataclasses.replace(TECH, response_s=response_s))
            ask(env, network, source, destination, bytes(50))
            times.append(env.now)
    assert times[1] == pytest.approx(times[0] + 1.5)
    assert times[3] == times[2]


def test_guards_refuse():
    _, network = cell()
    with pytest.raises(ValueError, match="empty"):
        network.send(0, 2, b"")
    with pytest.raises(ValueError, match="no route"):
        network.send(0, 7, b"x")


def test_same_seed_same_story():
    stories = []
    for _ in range(2):
        env, network = cell(margin_db=0.3)
        ask(env, network, 1, 2, bytes(700))
        stories.append((env.now, dict(network.counters)))
    assert stories[0] == stories[1]


@pytest.mark.parametrize(("margin_db", "mode"), [(30.0, 5), (0.5, 0), (-0.2, 0)])
def test_both_tiers_agree(margin_db, mode):
    """Mean time, success and frames of a message over two hops, simulated against the closed form."""
    tech = dataclasses.replace(TECH, frame_retries=1, response_s=0.0)
    paths, quality, routes = chain(margin_db, mode)
    n, size = 250, 300
    legs = Exchanges(
        *(np.zeros(2, int), np.array([0, 1]), np.array([1, 1]), np.zeros(2, int), np.array([UP, DOWN])),
        *(np.full(2, size), np.full(2, -1), np.zeros(2), np.full(2, 60.0), np.ones(2, int), ("s",), (3600.0,)),
    )
    fast = route_costs(tech.table, tech.mac, legs, routes, paths, quality)
    env = simpy.Environment()
    network = tech.open_cell(env, paths, quality, routes, 0, Draws(5))
    arrived = [ask(env, network, 1, 2, bytes(size)) is not None for _ in range(n)]
    sigma = np.sqrt(max(fast.success[0] * (1 - fast.success[0]), 1e-6) / n)
    assert np.mean(arrived) == pytest.approx(fast.success[0], abs=4 * sigma + 1e-9)
    if fast.success[0] > 0.9:
        assert env.now / n == pytest.approx(fast.time_s[0], rel=0.05)
        assert network.counters["frames_sent"] / n == pytest.approx(fast.frames[0], rel=0.05)


def polled(**moves):
    jobs = {
        "server": np.zeros(3, int),
        "rank": np.arange(3.0),
        "not_before_s": np.zeros(3),
        "window_s": np.full(3, 100.0),
        "success": np.ones(3),
        "time_s": np.array([2.0, 3.0, 4.0]),
    }
    return poll(**{**jobs, **moves.pop("jobs", {})}, **{"rounds": 3, "parallel": 1, **moves})


def test_polling_in_order_with_certain_answers():
    fate = polled()
    np.testing.assert_allclose(fate.p50_s, [2, 5, 9])
    np.testing.assert_allclose(fate.p95_s, [2, 5, 9])
    np.testing.assert_allclose(fate.p_arrive, 1)
    np.testing.assert_allclose(polled(alone=True).p50_s, [2, 3, 4])
    np.testing.assert_allclose(polled(parallel=2).p50_s, [2, 4, 6.5])
    np.testing.assert_allclose(polled(jobs={"rank": np.array([2.0, 1, 0])}).p50_s, [9, 7, 4])


def test_polling_waits_for_the_earliest_start_and_keeps_sites_apart():
    late = polled(jobs={"not_before_s": np.array([0.0, 10.0, 10.0])})
    np.testing.assert_allclose(late.p50_s, [2, 3, 7])
    apart = polled(jobs={"server": np.array([0, 1, 0])})
    np.testing.assert_allclose(apart.p50_s, [2, 3, 6])


def test_polling_repeats_until_the_window_ends():
    jobs = {"success": np.full(3, 0.5)}
    fate = polled(jobs=jobs)
    np.testing.assert_allclose(fate.p_arrive, 0.875)
    np.testing.assert_allclose(fate.p_eventually, 0.875)
    np.testing.assert_allclose(fate.p50_s, [2, 5, 9])
    # the second round starts after 9 s and takes half as long per job
    short = polled(jobs={**jobs, "window_s": np.full(3, 11.5)})
    np.testing.assert_allclose(short.p_arrive, [0.75, 0.5, 0.5])
    none = polled(jobs={**jobs, "window_s": np.full(3, 1.0)})
    assert np.all(none.p_arrive == 0)
    assert np.all(np.isinf(none.p50_s))
    with pytest.raises(ValueError, match="at least 1"):
        polled(rounds=0)


def test_polling_leaves_the_rest_of_the_window_to_others():
    # jobs of 2, 3 and 4 s; half of a window of 10 s holds the first two
    fate = polled(jobs={"window_s": np.full(3, 10.0)}, airtime_share=0.5)
    np.testing.assert_allclose(fate.p_arrive, [1, 1, 0])
    np.testing.assert_allclose(fate.attempts, [1, 1, 0])
    np.testing.assert_allclose(fate.p_eventually, 1)
    # what was polled before a job may start does not count against it
    late = {"window_s": np.full(3, 10.0), "not_before_s": np.array([0.0, 0.0, 20.0])}
    np.testing.assert_allclose(polled(jobs=late, airtime_share=0.5).p_arrive, 1)
    np.testing.assert_allclose(polled(jobs={"window_s": np.full(3, 10.0)}, airtime_share=0.5, alone=True).p_arrive, 1)
    with pytest.raises(ValueError, match="airtime_share"):
        polled(airtime_share=0.0)
