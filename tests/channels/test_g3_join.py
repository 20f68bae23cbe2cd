"""Joining of a G3-PLC network: one meter, a whole feeder, those who cannot, those who are sent away."""

import math
from dataclasses import fields

import numpy as np
import pytest
from amiplan.channels.mac.g3.join import JoinSettings, window_s
from amiplan.channels.mac.g3.join_coordinator import Coordinator
from amiplan.channels.mac.g3.join_messages import (
    ACCEPTED,
    CHALLENGE,
    DECLINE,
    FIRST,
    FOURTH,
    JOINING,
    SECOND,
    THIRD,
    Lbp,
    decode_join,
    eap,
    read_eap,
)
from plc_lower import looped, network, random_quality, warm_network
from scipy.sparse.csgraph import shortest_path

CHAIN = np.zeros((4, 4), int)
for low in range(3):
    CHAIN[low, low + 1] = CHAIN[low + 1, low] = 150


def joined(net):
    return [node for node, at_s in net.joined_s.items() if not math.isnan(at_s)]


def run_until_all(env, net, limit_s):
    while len(joined(net)) < len(net.joined_s) and env.now < limit_s:
        env.run(env.now + 30.0)


def test_one_meter_joins_through_its_neighbour_with_the_frames_of_the_protocol():
    env, line, net = warm_network(CHAIN, [-1, 2, 3, -1])
    net.cold_start([0])
    assert net.route(0) == []
    assert math.isnan(net.joined_s[0])
    env.run(60.0)
    assert 12.0 < net.joined_s[0] < 5.0 + 12.0 + 2.5 + 20.0
    assert net.route(0) == [0, 1, 2, 3]
    mine = [(sender, receiver, len(payload)) for _, sender, receiver, payload in line.sent if 0 in (sender, receiver)]
    assert mine == [(0, -1, 2), (0, 1, 12), (1, 0, 42), (0, 1, 74), (1, 0, 98), (0, 1, 60), (1, 0, 16)]
    # the agent's way to the coordinator: every message on two hops, with its mesh header
    passed = [len(payload) for _, _, _, payload in line.sent if payload[:2] == b"\x02\x02"]
    assert passed == [size + 5 for size in (12, 42, 74, 98, 60, 16) for _ in range(2)]


@pytest.mark.parametrize(("n", "degree", "loss"), [(30, 6.0, 0.0), (60, 14.0, 0.1), (90, 14.0, 0.2)])
def test_a_whole_feeder_joins_level_by_level(n, degree, loss):
    quality = random_quality(n, np.random.default_rng(n), degree)
    env, _, net = network(quality, seed=n, loss=loss)
    net.cold_start(range(n - 1))
    run_until_all(env, net, 3600.0)
    assert len(joined(net)) == n
    hops = np.array([len(net.route(node)) - 1 for node in range(n - 1)])
    at_s = np.array([net.joined_s[node] for node in range(n - 1)])
    assert hops.min() == 1
    assert hops.max() >= 3
    assert looped(net, n - 1, env.now) == []
    # nobody can join before a neighbour that is nearer to the concentrator
    level = shortest_path(quality > 0, unweighted=True, indices=n - 1)[:-1].astype(int)
    first_s = [at_s[level == one].min() for one in range(1, level.max() + 1)]
    assert first_s == sorted(first_s)
    assert at_s[level == 1].mean() < at_s[level == level.max()].mean()
    for node in range(n - 1):
        assert net.route(node)[0] == node
        assert net.route(node)[-1] == n - 1
    assert len(net.join.coordinator.members) == n - 1


def test_a_meter_without_a_usable_link_never_joins_and_stays_listed():
    quality = np.zeros((5, 5), int)
    quality[1:, 1:] = CHAIN
    env, line, net = network(quality)
    net.cold_start(range(4))
    env.run(1800.0)
    assert math.isnan(net.joined_s[0])
    assert joined(net) == [1, 2, 3, 4]
    asked = [at_s for at_s, sender, _, _ in line.sent if sender == 0]
    # pauses grow to 20 to 100 s besides the scan of 12 s
    assert 1800 / 112 - 3 <= len(asked) <= 1800 / 32 + 5
    assert np.diff(asked)[-5:].min() >= 32.0


def test_a_bad_link_is_taken_only_after_failures_lowered_the_demand():
    # LQI 41 is below the least of 53; four per failure: taken in the fourth scan
    quality = np.zeros((2, 2), int)
    quality[0, 1] = quality[1, 0] = 41
    env, line, net = network(quality)
    net.cold_start([0])
    run_until_all(env, net, 600.0)
    assert joined(net) == [0, 1]
    assert sum(payload == b"\x03\x07" for _, _, _, payload in line.sent) == 4


def test_the_cheapest_way_is_chosen_and_not_the_best_link():
    # over 1 (LQI 250, four hops of 4 points each) or straight to the head (LQI 130: 5 + 4 points)
    quality = np.zeros((5, 5), int)
    for first, second, lqi in ((0, 1, 250), (1, 2, 250), (2, 3, 250), (3, 4, 250), (0, 4, 130)):
        quality[first, second] = quality[second, first] = lqi
    env, _, net = warm_network(quality, [-1, 2, 3, 4, -1])
    net.cold_start([0])
    run_until_all(env, net, 120.0)
    assert net.route(0) == [0, 4]


def test_the_head_answers_many_scans_with_one_beacon():
    quality = np.zeros((6, 6), int)
    quality[5, :5] = quality[:5, 5] = 150
    env, line, net = network(quality, join=JoinSettings(discovery_first_s=(1.0, 1.0), discovery_last_s=(1.0, 1.0)))
    net.cold_start(range(5))
    env.run(14.0)
    assert sum(payload[:2] == b"\x03\x00" for _, _, _, payload in line.sent) == 1
    run_until_all(env, net, 200.0)
    assert len(joined(net)) == 6


def test_failed_silent_restored_and_kicked():
    env, line, net = warm_network(CHAIN, [1, 2, 3, -1])
    line.modems[1].alive = False
    net.fail(1)
    assert math.isnan(net.joined_s[1])
    assert net.route(0) == []
    assert net.route(1) == []
    env.run(300.0)
    assert not any(sender == 1 for _, sender, _, _ in line.sent)
    line.modems[1].alive = True
    net.restore(1)
    run_until_all(env, net, 600.0)
    assert net.route(1) == [1, 2, 3]
    # its former child heard it ask from outside and dropped its route; a search that failed meanwhile has to rest
    assert net.route(0) == []
    env.run(env.now + 60.0)
    env.run(net.find(0, 3))
    assert net.route(0) == [0, 1, 2, 3]
    net.join.kick(0)
    env.run(env.now + 12.0)
    assert math.isnan(net.joined_s[0])
    assert 1000 not in net.join.coordinator.members
    run_until_all(env, net, 1200.0)
    assert joined(net) == [0, 1, 2, 3]
    assert 1000 in net.join.coordinator.members


def test_a_feeder_without_its_concentrator_does_not_form_until_that_is_back():
    env, line, net = network(CHAIN)
    line.modems[3].alive = False
    net.fail(3)
    net.cold_start(range(3))
    env.run(600.0)
    assert joined(net) == [3]
    line.modems[3].alive = True
    net.restore(3)
    run_until_all(env, net, 2400.0)
    assert net.route(0) == [0, 1, 2, 3]


def test_a_joined_meter_that_loses_its_relay_repairs():
    quality = np.zeros((4, 4), int)
    for first, second, lqi in ((0, 1, 150), (1, 3, 150), (0, 2, 100), (2, 3, 100)):
        quality[first, second] = quality[second, first] = lqi
    env, line, net = network(quality)
    net.cold_start(range(3))
    run_until_all(env, net, 900.0)
    assert net.route(0) == [0, 1, 3]
    line.modems[1].alive = False
    net.fail(1)
    net.link_failed(0, 1, 3)
    process = net.find(0, 3)
    env.run(process)
    assert process.value
    assert net.route(0) == [0, 2, 3]


def test_who_asks_for_beacons_is_no_relay_any_more():
    env, _, net = warm_network(CHAIN, [1, 2, 3, -1])
    net.cold_start([1])
    env.run(10.0)
    assert net.next_hop(0, 3) == -1
    assert net.next_hop(2, 0) == -1


def test_the_coordinator_follows_the_dialogue_and_nothing_else():
    numbers = np.random.default_rng(1)
    head = Coordinator({77: 3}, numbers.random, slots=1, dialogue_s=20.0)
    assert head.answer(0.0, Lbp(JOINING, 78)) == Lbp(DECLINE, 78)
    first = head.answer(0.0, Lbp(JOINING, 77))
    step, rand, _ = read_eap(first.payload)
    assert (first.code, step) == (CHALLENGE, FIRST)
    assert head.answer(0.0, Lbp(JOINING, 77, eap(FOURTH, rand))) is None
    assert head.answer(0.0, Lbp(JOINING, 77, eap(SECOND, bytes(16)))) is None
    third = head.answer(0.0, Lbp(JOINING, 77, eap(SECOND, rand)))
    assert read_eap(third.payload) == (THIRD, rand, 3)
    assert head.members == set()
    assert head.answer(0.0, Lbp(JOINING, 77, eap(FOURTH, rand))).code == ACCEPTED
    assert head.members == {77}
    assert head.answer(0.0, Lbp(JOINING, 77, eap(FOURTH, rand))) is None
    head.answer(0.0, Lbp(JOINING, 77))
    head.restart()
    assert head.answer(0.0, Lbp(JOINING, 77, eap(SECOND, rand))) is None
    assert head.members == {77}


def test_a_coordinator_leads_no_more_dialogues_than_it_has_slots():
    head = Coordinator({77: 3, 78: 4}, lambda: 0.5, slots=1, dialogue_s=20.0)
    first = head.answer(0.0, Lbp(JOINING, 77))
    assert head.answer(19.0, Lbp(JOINING, 78)) is None
    assert head.answer(20.0, Lbp(JOINING, 78)).code == CHALLENGE
    # the first one's dialogue was forgotten with its slot
    assert head.answer(20.0, Lbp(JOINING, 77, eap(SECOND, read_eap(first.payload)[1]))) is None


def test_an_unknown_device_is_declined_and_tries_again():
    env, line, net = network(CHAIN)
    net.join.coordinator = Coordinator({}, lambda: 0.5, slots=1, dialogue_s=20.0)
    net.cold_start([2])
    env.run(300.0)
    assert joined(net) == [3]
    codes = [decode_join(payload).code for _, sender, _, payload in line.sent if sender == 3 and payload[1] == 2]
    assert len(codes) > 1
    assert set(codes) == {DECLINE}


def test_windows_grow_to_their_last():
    settings = JoinSettings()
    widths = [window_s(settings.discovery_first_s, settings.discovery_last_s, failures) for failures in range(7)]
    assert widths[0] == (1.0, 5.0)
    assert widths[1] == (2.0, 10.0)
    assert widths[5] == widths[6] == (20.0, 100.0)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"discovery_first_s": (5.0, 1.0)}, "discovery windows"),
        ({"join_last_s": (0.0, 1.0)}, "join windows"),
        ({"beacon_window_s": 0.0}, "above 0"),
        ({"max_join_wait_s": 0.0}, "above 0"),
    ],
)
def test_impossible_windows_are_refused(changes, says):
    with pytest.raises(ValueError, match=says):
        JoinSettings(**changes)


SETTINGS = {
    "beacon_window_s": 30.0,
    "discovery_first_s": (2.0, 4.0),
    "discovery_last_s": (30.0, 90.0),
    "join_first_s": (0.2, 2.0),
    "join_last_s": (3.0, 9.0),
    "max_join_wait_s": 3.0,
    "join_slots": 3,
    "min_join_lqi": 20.0,
    "join_lqi_step": 1.0,
}


@pytest.mark.parametrize("name", [item.name for item in fields(JoinSettings)])
def test_every_setting_moves_the_time_of_joining(name):
    # a dense cell of poor and lossy links: failures, waits and slots all count
    quality = np.full((30, 30), 45) - 45 * np.eye(30, dtype=int)

    def times_s(settings):
        env, _, net = network(quality, loss=0.5, join=settings)
        net.cold_start(range(29))
        run_until_all(env, net, 3600.0)
        return net.joined_s

    assert times_s(JoinSettings()) != times_s(JoinSettings(**{name: SETTINGS[name]}))
