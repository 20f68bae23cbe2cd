"""Fast tier of G3-PLC: hops, fragments behind each other, tone maps, searches; closed forms and properties."""

import dataclasses

import numpy as np
import pytest
import simpy
from amiplan.channels.draws import Draws
from amiplan.channels.mac.g3.chain import chain_wait_s
from amiplan.channels.mac.g3.exchange import Kinds
from amiplan.channels.mac.g3.framing import backoff_s, fragment_sizes_bytes, fragment_table, hop_table
from amiplan.channels.mac.g3.freshness import Search, response_s, search_cost, stale_ratio
from amiplan.channels.mac.g3.hop import LinkEnds, fragment_cost, saturation_bps
from amiplan.channels.mac.g3.sharing import contention_factors
from amiplan.channels.mac.plc.exchange import LegCost, Moment, Turns, attempts, outcome_of
from amiplan.channels.paths import CablePaths
from amiplan.channels.phy.g3_ofdm import threshold_db
from amiplan.channels.scenario import Scenario
from amiplan.channels.technologies.g3_plc import G3Plc
from amiplan.channels.technology import DOWN, UP, CourseStep, Exchanges, LinkQuality, Reason
from hypothesis import given, settings
from hypothesis import strategies as st

TECH = G3Plc(emitter_ratio=0.0, airtime_share=1.0)
FRESH = dataclasses.replace(TECH, idle_before_min=0.0, tone_map_ttl_s=86400.0)
"""Tone maps that stay valid all day."""


def chain(n_hops, margin_db=30.0, mode=0, tech=TECH):
    """Meter 0 behind 1 behind ... behind the concentrator; neighbours hear each other, nobody else."""
    empty = np.zeros(0, int)
    start, end = np.arange(n_hops), np.arange(1, n_hops + 1)
    paths = CablePaths(
        empty, empty, np.zeros(0), empty, (), np.zeros(1, int), np.zeros(n_hops, int), np.zeros(1, int), np.ones(1),
        np.ones(n_hops, int), start, end, np.full(n_hops, 50.0), np.arange(n_hops + 1).astype(np.uint64), n_hops, 1,
    )  # fmt: skip
    margin = np.full(n_hops, margin_db)
    snr = margin + threshold_db(tech.table[mode], tech.implementation_loss_db)
    column, rate = np.full(n_hops, mode, np.int8), np.full(n_hops, 5592.0)
    limit, good = np.full(n_hops, Reason.NOISE, np.int8), np.ones(n_hops, bool)
    quality = LinkQuality(snr, snr, margin, margin, column, column, rate, rate, np.zeros(n_hops), limit, good)
    return paths, quality, tech.routes(paths, quality, np.ones(1, bool))


def legs(n_meters, sizes, window_s=1e6, timeout_s=60.0, tries=3, services=1):
    """Every meter is asked and answers, pair after pair of ``sizes``."""
    pair = np.array(sizes).ravel()
    k, n = pair.size, n_meters * services
    return Exchanges(
        exchange=np.repeat(np.arange(n), k), leg=np.tile(np.arange(k), n),
        meter=np.repeat(np.tile(np.arange(n_meters), services), k),
        service=np.repeat(np.arange(services), n_meters * k), direction=np.tile([DOWN, UP], n * k // 2),
        bytes=np.tile(pair, n), depends_on=np.tile(np.arange(-1, k - 1), n), not_before_s=np.zeros(n * k),
        timeout_s=np.full(n * k, timeout_s), tries=np.full(n * k, tries),
        services=tuple(f"s{row}" for row in range(services)), window_s=(window_s,) * services,
    )  # fmt: skip


def test_a_loss_free_message_takes_what_its_parts_take():
    mac, plan = FRESH.mac, FRESH.plan
    paths, quality, routes = chain(1, tech=FRESH)
    cost = FRESH.leg_cost(legs(1, [(40, 36)]), routes, paths, quality, Draws(1))
    frame_s = hop_table(np.array([40, 36]), FRESH.table, mac).busy_s[:, 0]
    slots_s = float(backoff_s(np.zeros(1), mac)[0][0]) - plan.gap_s
    np.testing.assert_allclose(cost.time_s, frame_s + slots_s + mac.processing_s)
    np.testing.assert_allclose(cost.channel_s, frame_s + slots_s)
    np.testing.assert_allclose(cost.frames, 1)
    np.testing.assert_allclose(cost.success, 1)
    # reference/plc.md 1.3: ROBO 133 B with RIFS, acknowledgement and CIFS
    assert hop_table(np.array([93]), FRESH.table, mac).busy_s[0, 0] == pytest.approx(0.2165, abs=2e-4)


def test_hops_add_up_and_fragments_of_one_message_share_the_line():
    def taken(hops, size):
        paths, quality, routes = chain(hops, tech=FRESH)
        cost = FRESH.leg_cost(legs(hops, [(40, size)]), routes, paths, quality, Draws(1))
        return cost.time_s[1], cost.channel_s[1]

    one_s, _ = taken(1, 100)
    assert taken(3, 100)[0] == pytest.approx(3 * one_s)
    # three fragments over two hops: each frame is sent once a hop, the senders contend
    single_s, busy_s = taken(1, 1032)
    double_s, shared_s = taken(2, 1032)
    assert 1.005 * 2 * single_s < double_s < 1.1 * 2 * single_s
    assert shared_s == pytest.approx(2 * busy_s)


def test_repetitions_against_drawn_tries():
    mac, table, rng, n = TECH.mac, TECH.table, np.random.default_rng(4), 20000
    cut = fragment_table({115}, table, mac)
    snr_db = np.array([threshold_db(table[0], mac.loss_db)])
    one = fragment_cost(table, cut, 0, LinkEnds(np.zeros(1, int), snr_db, snr_db, snr_db + 30), mac)
    sizes, cycle_s = cut.psdu_bytes[0, 0], cut.frame_s[0, 0] + TECH.plan.ack_cycle_s
    wait_s = backoff_s(np.arange(6), mac)[0] - TECH.plan.gap_s
    lost = TECH.packet_error_ratio(snr_db, np.zeros(1, int), sizes)
    time_s, frames = np.full(n, float(backoff_s(np.zeros(1), mac)[0][0]) - TECH.plan.gap_s), np.zeros(n)
    for segment in (0, 1):
        tries = rng.geometric(1 - lost[segment], n)
        time_s += tries * cycle_s[segment] + np.cumsum(wait_s * (np.arange(6) > 0))[np.minimum(tries, 6) - 1]
        frames += tries
    assert cut.count[0, 0].tolist() == [1, 1]
    assert one.success[0] == pytest.approx(1.0, abs=1e-4)
    assert one.time_s[0] == pytest.approx(time_s.mean(), rel=0.01)
    assert one.frames[0] == pytest.approx(frames.mean(), rel=0.01)
    assert one.channel_s[0] == pytest.approx(one.time_s[0], rel=1e-3)


@settings(max_examples=30, deadline=None)
@given(st.floats(-6, 12), st.integers(0, 6), st.sampled_from([45, 400]))
def test_a_better_link_never_costs_more(snr_db, mode, size):
    mac, table = TECH.mac, TECH.table
    cut = fragment_table({size}, table, mac)
    base = threshold_db(table[mode], mac.loss_db) + snr_db

    def cost(extra_db):
        column = np.array([base + extra_db])
        return fragment_cost(table, cut, 0, LinkEnds(np.array([mode]), column, column, column), mac)

    poor, good = cost(0.0), cost(0.5)
    assert good.success[0] >= poor.success[0] - 1e-12
    assert good.time_s[0] <= poor.time_s[0] + 1e-9
    assert good.variance_s2[0] <= poor.variance_s2[0] + 1e-6 or poor.success[0] < 0.5
    dead = fragment_cost(table, cut, 0, LinkEnds(np.array([-1]), *np.full((3, 1), 50.0)), mac)
    assert (dead.success[0], dead.time_s[0], dead.channel_s[0], dead.frames[0]) == (0, 0, 0, 0)


def test_saturation_is_payload_over_the_cycle_of_a_fragment():
    mac = dataclasses.replace(TECH.mac, csma=dataclasses.replace(TECH.mac.csma, max_be=3))
    # one ROBO frame of 133 B bears 108 B: 216.5 ms and 7 + 4.5 slots
    cycle_s = 0.216505 + 11.5 * TECH.plan.slot_s
    assert saturation_bps(TECH.table, mac, 0, 108) == pytest.approx(8 * 108 / cycle_s, rel=1e-4)


def test_stale_maps_against_drawn_uses():
    rng, valid_s, period_s, uses, n = np.random.default_rng(3), 7.0, 60.0, 9, 4000
    times = np.sort(rng.uniform(0, period_s, (n, uses)))
    asked = 0
    for row in times:
        until = -1.0
        for time in row:
            if time >= until:
                asked, until = asked + 1, time + valid_s
    told = float(stale_ratio(np.array([float(uses)]), valid_s, np.array([period_s]))[0])
    assert told == pytest.approx(asked / (n * uses), abs=0.01)
    edge = stale_ratio(np.array([1.0, 5.0, 5.0]), 60.0, np.array([1.0, 60.0, 1e9]))
    np.testing.assert_allclose(edge, [1.0, 0.2, 1.0], atol=1e-5)


def test_an_old_tone_map_costs_a_robust_frame_and_a_response():
    paths, quality, routes = chain(1, mode=5)
    ask = legs(1, [(40, 36)])
    old, new = (tech.leg_cost(ask, routes, paths, quality, Draws(1)) for tech in (TECH, FRESH))
    frame_s = hop_table(np.array([40]), TECH.table, TECH.mac).busy_s[0]
    asked_s = response_s(TECH.table, TECH.mac)
    assert old.channel_s[0] - new.channel_s[0] == pytest.approx(frame_s[0] - frame_s[5] + asked_s)
    assert old.frames[0] == pytest.approx(2)
    # only what opens a direction in an exchange asks
    kinds = Kinds.of(legs(1, [(40, 36), (40, 36)]))
    assert kinds.service[kinds.kind].tolist() == [0, 0, -1, -1]
    # more meters behind a link keep its map fresh
    paths, quality, routes = chain(4, mode=5)
    cost = TECH.leg_cost(legs(4, [(40, 36)]), routes, paths, quality, Draws(1))
    assert cost.frames[::2][3] < 2 < cost.frames[::2][0]


def test_routes_beyond_their_validity_are_searched_once_for_each_meter():
    paths, quality, routes = chain(2)
    ask = legs(2, [(40, 36)], services=2)
    late = dataclasses.replace(TECH, idle_before_min=240.0)
    usual, searched = (tech.leg_cost(ask, routes, paths, quality, Draws(1)) for tech in (TECH, late))
    extra_s = searched.time_s - usual.time_s
    assert np.flatnonzero(extra_s > 0.1).tolist() == [0, 2]
    assert extra_s[2] > late.loadng.rrep_wait_s
    quick = Search(4.0, 5.0, 0.3)
    time_s, line_s, frames = search_cost(TECH.table, TECH.mac, quick, np.array([50, 2]), np.array([3.0, 1.0]))
    np.testing.assert_allclose(time_s, [5.0, min(5.0, time_s[1])])
    assert line_s[0] > line_s[1]
    assert frames.tolist() == [53, 3]


def test_a_search_takes_what_it_takes_in_the_packet_tier():
    """Medians of 23 to 80 searches each in simulated cells: members, mean hops, seconds until the route stood."""
    seen = np.array([[20, 1.0, 4.31], [60, 1.28, 4.53], [43, 2.02, 4.79], [118, 2.01, 4.97], [116, 3.44, 6.10]])
    net = TECH.net
    time_s, *_ = search_cost(net.table, net.mac, net.search, seen[:, 0], seen[:, 1])
    np.testing.assert_allclose(time_s, seen[:, 2], rtol=0.08)


def test_request_and_answer_are_repeated_together():
    exchanges = legs(1, [(40, 36), (50, 60)], timeout_s=60.0, tries=2)
    cost = LegCost(np.array([0.8, 0.5, 1.0, 1.0]), np.full(4, 1.0), np.zeros(4), np.full(4, 0.5), np.ones(4))
    one = attempts(Turns.of(exchanges), exchanges, cost, 0.0)
    assert one.success[0] == pytest.approx(1 - 0.6**2)
    # of those that succeed 0.6/1.6 share failed once: 60 s; the second turn takes 2 s
    assert one.done_s[0] == pytest.approx(4 + 60 * 0.6 * 0.4 / (0.4 + 0.6 * 0.4), abs=0.01)
    assert one.failed_s[0] == pytest.approx(120.0)
    # a start of the first turn uses the line for the answer only where the request arrived
    assert one.line_s[0] == pytest.approx(1.6 * 0.9 + 0.64 * 1.0, abs=1e-9)


def test_an_answer_that_is_late_is_lost_and_the_spread_decides():
    exchanges = legs(1, [(40, 36)], timeout_s=4.0, tries=1)
    turns = Turns.of(exchanges)
    sure = LegCost(np.ones(2), np.array([1.0, 2.0]), np.zeros(2), np.ones(2), np.ones(2))
    assert attempts(turns, exchanges, sure, 0.5).success[0] == pytest.approx(1.0)
    assert attempts(turns, exchanges, sure, 1.5).success[0] < 1e-6
    wide = dataclasses.replace(sure, variance_s2=np.full(2, 1.0))
    assert 0.5 < attempts(turns, exchanges, wide, 0.5).success[0] < 0.95


def test_moments_must_end_in_order():
    paths, quality, routes = chain(1)
    ask = legs(1, [(40, 36)])
    cost = TECH.leg_cost(ask, routes, paths, quality, Draws(1))
    for ends in ((10.0,), (20.0, 10.0, np.inf), ()):
        with pytest.raises(ValueError, match="rising ends"):
            outcome_of(ask, [Moment(end, routes, cost) for end in ends], paths, quality, Draws(1), TECH.polling, False)


def test_a_course_of_equal_steps_is_one_moment_and_a_worse_half_costs():
    paths, quality, routes = chain(4, mode=5)
    ask = legs(4, [(40, 1032)], window_s=20.0)
    whole = TECH.carry(ask, routes, paths, quality, Scenario(), Draws(2))
    steps = [CourseStep(until, quality, routes) for until in (3.0, 9.0, np.inf)]
    halves = TECH.carry_course(ask, steps, paths, Scenario(), Draws(2))
    for item in dataclasses.fields(whole):
        np.testing.assert_array_equal(getattr(whole, item.name), getattr(halves, item.name))
    _, poor, poor_routes = chain(4, mode=0)
    later = TECH.carry_course(
        ask, [CourseStep(6.0, quality, routes), CourseStep(np.inf, poor, poor_routes)], paths, Scenario(), Draws(2)
    )
    assert later.p_arrive.sum() < whole.p_arrive.sum() - 0.2
    assert np.any(later.reason == Reason.CAPACITY)


def test_relays_carry_what_is_not_their_own():
    paths, quality, routes = chain(3)
    ask = legs(3, [(40, 36)])
    spent = TECH.relay_airtime_s(ask, routes, paths, quality)
    hop_s = hop_table(np.array([40, 36]), TECH.table, TECH.mac).busy_s[:, 0]
    slots_s = float(backoff_s(np.zeros(1), TECH.mac)[0][0]) - TECH.plan.gap_s
    one_s = float((hop_s + slots_s).sum())
    # meter 1 forwards for one meter, meter 2 for two; nobody for the farthest; the concentrator is no relay
    np.testing.assert_allclose(spent, [0, one_s, 2 * one_s, 0], rtol=1e-9)


def test_contention_of_several_exchanges_costs_and_hidden_senders_cost_more():
    four = dataclasses.replace(TECH, parallel_polls=4)
    paths, quality, routes = chain(4, tech=four)
    ask = legs(4, [(40, 36)])
    cost = four.leg_cost(ask, routes, paths, quality, Draws(1))
    factors = contention_factors(four.net, ask, cost, routes, paths, quality)
    assert factors.shape == (1, 4)
    assert factors[0, 0] == 1
    assert np.all(np.diff(factors[0]) > 0)
    # two nodes alone in a cell hear each other: contention is all there is
    pair = chain(1, tech=four)
    one = legs(1, [(40, 36)])
    heard = contention_factors(
        four.net, one, four.leg_cost(one, pair[2], pair[0], pair[1], Draws(1)), pair[2], pair[0], pair[1]
    )
    assert np.all(np.abs(heard - 1) < 0.2)
    assert np.all(factors[0, 1:] > heard[0, 1:])
    np.testing.assert_array_equal(contention_factors(TECH.net, ask, cost, routes, paths, quality), [[1.0]])


def lone_wait_s(fragments, hops):
    mac = TECH.mac
    return (
        fragments * hops * float(backoff_s(np.zeros(1), mac)[0][0]) + (hops if fragments == 1 else 1) * mac.processing_s
    )


@pytest.mark.parametrize(("fragments", "hops"), [(1, 1), (1, 4), (5, 1)])
def test_a_chain_without_contention_waits_as_the_closed_form_says(fragments, hops):
    burst_s = np.array([0.05, 0.4])
    told = chain_wait_s(fragments, hops, burst_s, burst_s / 2, TECH.mac)
    np.testing.assert_allclose(told, lone_wait_s(fragments, hops), rtol=0.06)


def test_a_chain_with_contention_waits_longer_with_every_fragment_and_hop():
    one_s = np.array([0.3])
    wait_s = np.array(
        [[chain_wait_s(f, h, one_s, one_s, TECH.mac)[0] for h in (1, 2, 4, 8, 12)] for f in (1, 3, 8, 11)]
    )
    assert np.all(np.diff(wait_s, axis=0) > 0)
    assert np.all(np.diff(wait_s, axis=1) > 0)
    assert wait_s[1, 1] > 1.05 * lone_wait_s(3, 2)
    # straight on beyond what is followed
    far = chain_wait_s(11, 2, one_s, one_s, TECH.mac)[0]
    near, before = (chain_wait_s(f, 2, one_s, one_s, TECH.mac)[0] for f in (8, 7))
    assert far == pytest.approx(near + 3 * (near - before))


@pytest.mark.parametrize(("hops", "size", "mode"), [(1, 1032, 5), (2, 1032, 5), (3, 300, 0), (3, 2000, 8)])
def test_both_tiers_agree_on_messages_over_hops(hops, size, mode):
    tech = dataclasses.replace(FRESH, response_s=0.0)
    paths, quality, routes = chain(hops, mode=mode, tech=tech)
    cost = tech.leg_cost(legs(hops, [(40, size)]), routes, paths, quality, Draws(1))
    env = simpy.Environment()
    cell = tech.open_cell(env, paths, quality, routes, 0, Draws(3))
    taken = []
    for _ in range(40):
        begin = env.now
        process = cell.send(0, hops, bytes(size))
        env.run(process)
        assert process.value is not None
        taken.append(env.now - begin)
    assert cost.time_s[1] == pytest.approx(np.mean(taken), rel=0.09)
    assert cost.frames[1] == pytest.approx(cell.counters["frames_sent"] / 40, rel=0.05)


def test_fragments_of_a_message():
    mac = TECH.mac
    assert fragment_sizes_bytes(100, mac) == [115]
    assert sum(fragment_sizes_bytes(1032, mac)) == 1032 + mac.ip_header_bytes + 3 * (5 + 5)
    with pytest.raises(ValueError, match="no bytes"):
        hop_table(np.array([0]), TECH.table, mac)
