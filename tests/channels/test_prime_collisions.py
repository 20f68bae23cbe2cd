"""Control traffic of PRIME beside reading: how often it runs, and which data frames it destroys."""

import dataclasses

import numpy as np
import pytest
from amiplan.channels.mac.prime.collisions import Collisions, struck
from amiplan.channels.mac.prime.control import Control, alive_ratios, control_of, found_busy, held_up_s
from amiplan.channels.mac.prime.hops import hop_airtime_s, hop_loss, hops_of
from amiplan.channels.mac.prime.legs import Way
from amiplan.channels.mac.prime.neighbours import links_of
from amiplan.channels.phy.prime_ofdm import FRAME_TYPES, SYMBOL_S
from amiplan.channels.technology import DOWN, UP
from g3_cells import fewest_hops
from prime_cells import readings
from prime_packet import chain, prime_cell, prime_links, settings

MAC = settings("1.4")
MIXED = settings("1.4", legacy_share=0.5)


def control_on(mac, n, pairs, *, unrouted=(), legacy=()):
    """Hops, control traffic and who may strike whom, over `prime_links`; some meters have no route or are old."""
    old = np.isin(np.arange(n + 1), legacy)
    paths, quality = prime_links(n, pairs, mac, legacy=old)
    routes = fewest_hops(paths, quality)
    server = routes.server.copy()
    server[list(unrouted)] = -1
    routes = dataclasses.replace(routes, server=server)
    hops = hops_of(mac, routes, paths, quality, old)
    control = control_of(mac, hops, routes, old)
    return hops, control, struck(mac, links_of(mac, paths, quality, old), hops, routes, control)


def test_keep_alives_run_while_nobody_was_read():
    one, two = readings(1), readings(1, services=2)
    alive_s = MAC.alive_s
    # those who wait for their turn are asked, those who were read are not: half of all in the mean
    assert alive_ratios(MAC, one, np.array([[alive_s / 4]]))[0, 0] == pytest.approx(0.5)
    np.testing.assert_allclose(alive_ratios(MAC, two, np.full((2, 1), alive_s / 4))[:, 0], [0.5, 0.0])
    assert alive_ratios(MAC, one, np.array([[1000 * alive_s]]))[0, 0] == pytest.approx(1.0, abs=2e-3)
    assert alive_ratios(MAC, one, np.zeros((1, 1)))[0, 0] == 0.0


def test_every_hop_carries_a_question_an_answer_and_in_version_1_4_what_the_hop_says_to_either():
    for mac, frames in ((MAC, 4), (settings("1.3.6"), 2)):
        control = control_on(mac, 3, chain(3))[1]
        # 3 + 2 + 1 meters stand behind the three hops
        assert control.rate_hz.sum() == pytest.approx(frames * 6 / mac.alive_s)
        assert not control.outside.any()


def test_nodes_without_a_switch_ask_as_often_as_their_version_lets_them():
    old_s, new_s = MIXED.forming.slowest_request_s, MIXED.pnpdu_period_s / MIXED.most_pnpdus
    assert old_s != new_s
    for mac, every_s in ((MAC, [new_s]), (settings("1.3.6"), [old_s])):
        control = control_on(mac, 3, chain(3), unrouted=[2])[1]
        assert control.rate_hz[control.outside] == pytest.approx(1 / np.array(every_s))
    control = control_on(MIXED, 3, chain(3), unrouted=[1, 2], legacy=[2])[1]
    assert control.rate_hz[control.outside] == pytest.approx([1 / new_s, 1 / old_s])


def test_hops_to_old_nodes_answer_no_keep_alive_in_either_tier():
    """A chain of two: whoever is old, 3 questions and 3 answers pass on hops of which none, one or both answer."""
    for legacy, answered in (([], 3), ([1], 2), ([0], 0), ([0, 1], 0)):
        control = control_on(MIXED, 2, chain(2), legacy=legacy)[1]
        assert control.rate_hz.sum() == pytest.approx((6 + 2 * answered) / MIXED.alive_s)
        env, cell = prime_cell(2, chain(2), MIXED, legacy=np.isin(np.arange(3), legacy), mode=MIXED.table[-1].name)
        env.run(20 * MIXED.alive_s)
        # an answer puts off what is asked next
        assert 0.85 * 20 < cell.counters["control_frames"] / (6 + 2 * answered) <= 21
        assert cell.counters["retries"] == 0


def test_a_look_waits_for_the_rest_of_what_it_finds():
    """Frames are found in proportion to their length, at any moment of them: E[T^2] / (2 E[T])."""
    mac = settings("1.4", sense_count=1)
    paths, quality = prime_links(1, [(0, 1)], mac)
    routes, nobody = fewest_hops(paths, quality), np.zeros(2, bool)
    short_s, long_s = 0.02, 0.3
    rate = np.array([0.3, 0.1])
    columns = rate, rate * [short_s, long_s], rate * [short_s**2, long_s**2]
    outside = np.ones(2, bool)
    control = Control(np.ones(2, np.int64), np.full(2, -1), ~outside, *columns, outside)
    found = found_busy(mac, control, links_of(mac, paths, quality, nobody), routes, 1)
    np.testing.assert_allclose(found.busy[:, 0], [0.0, 0.3 * short_s + 0.1 * long_s])
    np.testing.assert_allclose(found.left_s[:, 0], [0.0, (0.3 * short_s**2 + 0.1 * long_s**2) / 2])
    rest_s, again_s = found.left_s[1, 0] / found.busy[1, 0], mac.window_symbols(2, 1) * SYMBOL_S / 2
    busy = found.busy[1, 0]
    np.testing.assert_allclose(held_up_s(mac, found, np.zeros(1)), busy / (1 - busy) * (rest_s + again_s))
    # a second look finds what has begun since the first
    again = dataclasses.replace(mac, sense_count=2, sense_delay_s=0.01)
    more = found_busy(again, control, links_of(mac, paths, quality, nobody), routes, 1)
    np.testing.assert_allclose(more.busy[1, 0] - busy, 0.4 * 0.01)
    extra_s = 0.01 * (0.3 * (short_s - 0.005) + 0.1 * (long_s - 0.005))
    np.testing.assert_allclose(more.left_s[1, 0] - found.left_s[1, 0], extra_s)


def test_stale_frames_meet_control_frames_in_their_own_mode():
    """Sent in the most robust mode a frame lasts longer, so that more may strike it, and it stands more."""
    pairs = dict.fromkeys([(0, 3), (1, 0)], (3.0, 3.0)) | {(2, 0): (-3.0, -3.0)}
    hops, _, who = control_on(MAC, 3, pairs, unrouted=[2])
    rows, legs = hops.rows(np.array([1])), np.zeros(1, np.int64)
    collisions = Collisions(who, np.ones(1))

    def passes(stale):
        met = lambda robust: collisions.met(MAC, rows, legs, UP, 100, robust=robust)  # noqa: E731
        return Way.of(MAC, rows, UP, 100, np.array([[stale, 0.0]]), met).passes[0]

    usual, robust = (
        (1 - hop_loss(MAC, rows, UP, 100, robust=one)) * np.exp(-collisions.met(MAC, rows, legs, UP, 100, robust=one))
        for one in (False, True)
    )
    assert passes(0.0) == pytest.approx(usual.prod())
    assert passes(1.0) == pytest.approx(robust[0, 0] * usual[0, 1])
    assert passes(0.25) == pytest.approx((0.75 * usual[0, 0] + 0.25 * robust[0, 0]) * usual[0, 1])
    one, other = (who.lost(MAC, UP, 100, robust=robust)[1][1] for robust in (False, True))
    assert one != pytest.approx(other, rel=0.05)


def test_the_base_node_strikes_what_comes_from_two_hops_away():
    hops, control, who = control_on(MAC, 2, chain(2))
    members, others = who.lost(MAC, UP, 100)
    air_s = hop_airtime_s(MAC, hops, UP, 100)[1, 0]
    base = control.node == 2
    # it begins two questions in a period of its own accord, and answers meter 0 which hears the data and is silent
    expected = 2 / MAC.alive_s * air_s + control.line[base].sum()
    # the receiver itself hears the data unless both begin at once
    blind_s = 2 * FRAME_TYPES["A"].preamble_s * control.rate_hz[control.node == 0].sum()
    assert members[1] == pytest.approx(expected + blind_s)
    assert members[0] < 0.2 * members[1]
    np.testing.assert_array_equal(others, 0.0)
    # the last hop of the way down is struck by nobody hidden: the base node hears who sends there
    assert who.lost(MAC, DOWN, 100)[0][1] < members[1]


def test_a_node_outside_strikes_whom_it_does_not_hear():
    pairs = dict.fromkeys([(0, 3), (1, 0)], (30.0, 30.0)) | {(2, 0): (-3.0, -3.0)}
    hops, control, who = control_on(MAC, 3, pairs, unrouted=[2])
    weak = who.lost(MAC, UP, 100)[1]
    np.testing.assert_allclose(weak, 0.0, atol=1e-6)
    pairs = dict.fromkeys([(0, 3), (1, 0)], (3.0, 3.0)) | {(2, 0): (-3.0, -3.0)}
    strong = control_on(MAC, 3, pairs, unrouted=[2])[2].lost(MAC, UP, 100)[1]
    air_s = hop_airtime_s(MAC, hops, UP, 100)[1, 0]
    outside = control.outside
    assert strong[1] <= control.rate_hz[outside][0] * air_s + control.line[outside][0] + 1e-12
    assert strong[1] > 0.2 * control.rate_hz[outside][0] * air_s


def test_keep_alives_count_by_how_many_run_and_requests_always():
    pairs = dict.fromkeys([(0, 3), (1, 0)], (3.0, 3.0)) | {(2, 0): (-3.0, -3.0)}
    hops, _, who = control_on(MAC, 3, pairs, unrouted=[2])
    rows, legs = hops.rows(np.array([1, 1])), np.arange(2)
    met = Collisions(who, np.array([0.0, 1.0])).met(MAC, rows, legs, UP, 100)
    members, others = who.lost(MAC, UP, 100)
    assert met[0, 0] == pytest.approx(others[1])
    assert met[1, 0] == pytest.approx(members[1] + others[1])
