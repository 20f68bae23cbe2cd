"""Control traffic of PRIME beside reading: how often it runs, and which data frames it destroys."""

import dataclasses

import numpy as np
import pytest
from amiplan.channels.mac.prime.collisions import Collisions, struck
from amiplan.channels.mac.prime.control import alive_ratios, control_of
from amiplan.channels.mac.prime.hops import hop_airtime_s, hops_of
from amiplan.channels.mac.prime.neighbours import links_of
from amiplan.channels.phy.prime_ofdm import FRAME_TYPES
from amiplan.channels.technology import DOWN, UP
from g3_cells import fewest_hops
from prime_cells import readings
from prime_packet import chain, prime_links, settings

MAC = settings("1.4")


def control_on(mac, n, pairs, *, unrouted=()):
    """Hops, control traffic and who may strike whom, over `prime_links`; some meters have no route."""
    paths, quality = prime_links(n, pairs, mac)
    routes = fewest_hops(paths, quality)
    server = routes.server.copy()
    server[list(unrouted)] = -1
    routes = dataclasses.replace(routes, server=server)
    nobody = np.zeros(n + 1, bool)
    hops = hops_of(mac, routes, paths, quality, nobody)
    control = control_of(mac, hops, routes, nobody)
    return hops, control, struck(mac, links_of(mac, paths, quality, nobody), hops, routes, control)


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
    for mac in (MAC, settings("1.3.6")):
        control = control_on(mac, 3, chain(3), unrouted=[2])[1]
        assert control.rate_hz[control.outside] == pytest.approx([1 / mac.request_every_s])


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
