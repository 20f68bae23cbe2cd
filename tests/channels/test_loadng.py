"""LOADng of one node by hand: costs, comparison of routes, requests, replies, errors, blacklist, ages."""

import numpy as np
import pytest
from amiplan.channels.routing.link_cost import CostWeights
from amiplan.channels.routing.loadng import EVERYBODY, Found, Link, LoadngNode, Say, Wake
from amiplan.channels.routing.loadng_links import LinkCosts
from amiplan.channels.routing.loadng_messages import RREP, RREQ, RouteError, RouteMessage, decode
from amiplan.channels.routing.loadng_settings import LoadngSettings
from amiplan.channels.routing.loadng_table import Route, RouteTable, preferred

GOOD = Link(cost=10, weak=False, lqi=100)
BAD = Link(cost=10, weak=True, lqi=40)


def node(address=5, **changes):
    return LoadngNode(address, LoadngSettings(**changes), lambda: 0.0)


def request(originator=1, destination=9, sequence=1, **fields):
    return RouteMessage(RREQ, destination, originator, sequence, hops_left=8, **fields)


def costs(**changes):
    """Three modes: robust, DBPSK on two thirds of the tones, D8PSK."""
    return LinkCosts(
        CostWeights(**changes), np.array([True, False, False]), np.array([3, 3, 1]), np.array([1, 2 / 3, 1])
    )


# LQI 100: (255 - 100) / 255 * 10 = 6.08 -> 6;  LQI 51: 8 exactly;  Kh = 4
@pytest.mark.parametrize(
    ("lqi", "reverse", "cost", "weak"),
    [(100, 100, 10, False), (100, 51, 12, True), (51, None, 12, True), (100, None, 10, False), (255, 255, 4, False)],
)
def test_cost_by_hand_in_the_g9903_profile(lqi, reverse, cost, weak):
    assert costs().link(lqi, 0, reverse, 0) == Link(cost, weak, lqi)


# Kq 30 over LQI 52 to 100, weak below 58: LQI 70 gives 30 * 30 / 48 = 18.75 -> 19; LQI 60: 25; above 100: 0
@pytest.mark.parametrize(
    ("lqi", "reverse", "cost", "weak"),
    [
        (70, 120, 19 + 4, False),
        (120, 60, 25 + 4, False),
        (57, 120, 27 + 4, True),
        (40, None, 30 + 4, True),
        (101, 130, 4, False),
    ],
)
def test_cost_by_hand_in_the_metering_profile(lqi, reverse, cost, weak):
    metering = {"quality": 30.0, "lqi_low": 52.0, "lqi_high": 100.0, "lqi_weak": 58.0}
    assert costs(**metering).link(lqi, 0, reverse, 0) == Link(cost, weak, lqi)


# Kr 2, Km 3, Kc 6, Kq 0: robust 2 + 9 = 11; DBPSK on 2/3 of the tones 9 + 2 = 11 (halves down); D8PSK 3
@pytest.mark.parametrize(("mode", "back", "cost"), [(0, 0, 11), (1, 2, 11), (2, 2, 3), (2, 0, 11), (-1, 2, 11)])
def test_cost_counts_robust_mode_modulation_and_tones_of_the_worse_direction(mode, back, cost):
    table = costs(robust=2.0, modulation=3.0, tones=6.0, quality=0.0, hop=0.0)
    assert table.link(200, mode, 200, back).cost == cost


def test_an_unknown_reverse_direction_costs_more_where_that_is_set():
    weights, ones = CostWeights(), np.ones(1)
    assert LinkCosts(weights, ones, ones, ones, add_reverse_cost=3).link(255, 0, None, 0).cost == 3 + 4
    assert LinkCosts(weights, ones, ones, ones, add_reverse_cost=3).link(255, 0, 255, 0).cost == 4


@pytest.mark.parametrize(
    ("sequence", "merit", "taken"),
    [
        (8, (3, 99, 9), True),
        (6, (0, 1, 1), False),
        (7, (0, 90, 9), True),
        (7, (2, 1, 1), False),
        (7, (1, 29, 9), True),
        (7, (1, 31, 1), False),
        (7, (1, 30, 2), True),
        (7, (1, 30, 3), False),
        (-1, (0, 1, 1), False),
    ],
)
def test_newer_number_then_weak_links_then_cost_then_hops(sequence, merit, taken):
    assert preferred(sequence, merit, Route(3, 7, (1, 30, 3), 60.0, True)) is taken


def test_any_number_replaces_a_route_without_one():
    assert preferred(0, (9, 999, 9), Route(3, -1, (0, 1, 1), 60.0, True))
    assert preferred(-1, (0, 1, 1), Route(3, -1, (0, 2, 1), 60.0, True))


def test_routes_age_are_refreshed_by_use_and_remembered_after_they_failed():
    table = RouteTable(ttl_s=100.0, size=2)
    assert table.offer(9, 3, 7, (0, 10, 2), 0.0, True)
    assert table.hop(9, 99.9) == 3
    assert table.hop(9, 100.0) == -1
    table.used(9, 50.0)
    assert table.hop(9, 149.9) == 3
    assert table.n_valid(60.0) == 1
    table.drop(9, 4)
    assert table.hop(9, 60.0) == 3
    table.drop_via(3)
    assert table.hop(9, 60.0) == -1
    # an echo of the old route is not taken, a better or newer one is
    assert not table.offer(9, 4, 7, (0, 11, 3), 60.0, True)
    assert table.offer(9, 4, 8, (0, 11, 3), 60.0, True)
    assert table.offer(8, 4, 1, (0, 4, 1), 60.0, True)
    assert not table.offer(7, 4, 1, (0, 4, 1), 60.0, True)


def test_reverse_routes_carry_data_only_after_a_reply():
    table = RouteTable(ttl_s=100.0, size=9)
    table.offer(1, 3, 7, (0, 10, 2), 0.0, confirmed=False)
    assert table.hop(1, 0.0) == -1
    assert table.hop(1, 0.0, unconfirmed=True) == 3
    table.confirm(1, 4, 0.0)
    assert table.hop(1, 0.0) == -1
    table.confirm(1, 3, 0.0)
    assert table.hop(1, 0.0) == 3
    # data keep flowing while a request brings a newer way
    table.offer(1, 6, 8, (0, 12, 2), 0.0, confirmed=False)
    assert table.hop(1, 0.0) == 6


def test_a_request_is_passed_on_once_for_each_better_way():
    relay = node()
    actions = relay.heard(0.0, 2, request(cost=20, hops=2, weak=1), BAD)
    assert actions == [Wake(0.75, ("relay", 1, 1))]
    # better before it was said: what is said is the best, once
    assert relay.heard(0.1, 3, request(cost=20, hops=2), GOOD) == []
    assert relay.heard(0.2, 4, request(cost=25, hops=2), GOOD) == []
    (said,) = relay.wake(0.75, ("relay", 1, 1))
    assert said.to == EVERYBODY
    assert decode(said.payload) == RouteMessage(RREQ, 9, 1, 1, cost=30, hops=3, hops_left=7)
    assert relay.wake(0.75, ("relay", 1, 1)) == []
    # better after it was said: said again
    assert relay.heard(1.0, 6, request(cost=5, hops=1), GOOD) == [Wake(0.05, ("relay", 1, 1))]


def guided(relay, onward):
    """What a relay says to a request for node 9 that came from 2, where its own route to 9 leads over ``onward``."""
    relay.table.fixed(9, onward, (0, 10, 1), 100.0)
    (wake,) = relay.heard(0.0, 2, request(guided=True), GOOD)
    (said,) = relay.wake(0.1, wake.key)
    assert decode(said.payload).guided
    return said


def test_a_relay_with_a_route_sends_a_guided_request_along_it_alone():
    assert guided(node(), onward=7).to == 7
    # a route that leads back to where the request came from is the broken one, or an echo of it
    assert guided(node(), onward=2).to == EVERYBODY
    assert guided(node(), onward=1).to == EVERYBODY
    relay = node()
    relay.table.fixed(9, 7, (0, 10, 1), 100.0)
    (wake,) = relay.heard(0.0, 2, request(), GOOD)
    assert relay.wake(0.1, wake.key)[0].to == EVERYBODY


def test_a_guided_request_that_nobody_acknowledged_is_said_to_everybody():
    relay = node()
    said = guided(relay, onward=7)
    assert relay.told(0.2, said, True) == []
    assert relay.table.hop(9, 0.2) == 7
    assert relay.told(0.2, said, False) == [Say(EVERYBODY, said.payload)]
    assert relay.table.hop(9, 0.2) == -1
    assert relay.blacklisted(7, 0.3)


def flags(actions):
    """Whether the request that actions begin with is guided."""
    return decode(actions[0].payload).guided


def test_only_a_first_request_is_guided_until_a_reply_renews_the_routes():
    origin = node(address=1, rreq_retries=1, rreq_guided=True)
    assert flags(origin.find(0.0, 9))
    assert not flags(origin.wake(20.0, ("search", 9, 1)))
    assert origin.wake(40.0, ("search", 9, 2)) == [Found(9, False)]
    assert not flags(origin.find(70.0, 9))
    assert flags(origin.find(70.0, 8))
    assert origin.heard(71.0, 2, RouteMessage(RREP, 1, 9, 5, hops=1), GOOD) == [Found(9, True)]
    origin.table.drop_via(2)
    assert flags(origin.find(80.0, 9))
    assert not flags(node(rreq_guided=True).find(0.0, 9, repair=True))
    assert not flags(node().find(0.0, 9))


def test_delay_of_a_relay_follows_the_link_quality():
    delays = [node().heard(0.0, 2, request(), Link(10, False, lqi))[0].delay_s for lqi in (0, 52, 76, 100, 255)]
    assert delays == pytest.approx([0.75, 0.75, 0.4, 0.05, 0.05])


def test_a_request_ends_at_the_hop_limit_and_at_its_originator():
    relay = node()
    assert relay.heard(0.0, 2, RouteMessage(RREQ, 9, 1, 1, hops_left=1), GOOD) == []
    assert relay.heard(0.0, 2, RouteMessage(RREQ, 9, 5, 1, hops_left=8), GOOD) == []


def test_the_destination_waits_for_better_ways_and_replies_over_the_best():
    goal = node(address=9)
    assert goal.heard(0.0, 2, request(cost=20, hops=2), GOOD) == [Wake(4.0, ("reply", 1, 1))]
    assert goal.heard(1.0, 3, request(cost=10, hops=1), GOOD) == []
    (said,) = goal.wake(4.0, ("reply", 1, 1))
    assert said.to == 3
    assert decode(said.payload) == RouteMessage(RREP, 1, 9, 1, hops_left=8)
    # the first hop acknowledged: the way back carries data; a better one afterwards is replied to again
    assert goal.table.hop(1, 4.0) == -1
    goal.told(4.1, said, True)
    assert goal.table.hop(1, 4.1) == 3
    assert goal.heard(5.0, 4, request(cost=1, hops=1), GOOD) == [Wake(4.0, ("reply", 1, 1))]


def test_a_reply_goes_back_along_the_request_and_ends_the_search():
    origin, relay = node(address=1), node(address=5)
    said, wake = origin.find(0.0, 9)
    assert wake == Wake(20.0, ("search", 9, 1))
    assert origin.find(0.0, 9) == []
    relay.heard(0.1, 1, decode(said.payload), GOOD)
    reply = RouteMessage(RREP, 1, 9, 3, cost=7, hops=1, hops_left=7)
    (passed,) = relay.heard(5.0, 9, reply, GOOD)
    assert passed.to == 1
    assert relay.table.hop(9, 5.0) == 9
    onward = decode(passed.payload)
    assert (onward.cost, onward.hops, onward.hops_left) == (17, 2, 6)
    assert origin.heard(5.1, 5, onward, GOOD) == [Found(9, True)]
    assert origin.table.routes[9].merit == (0, 27, 3)
    assert origin.find(6.0, 9) == [Found(9, True)]
    assert origin.wake(20.0, ("search", 9, 1)) == []


def test_an_unacknowledged_reply_puts_the_neighbour_on_the_blacklist():
    goal = node(address=9)
    goal.heard(0.0, 2, request(), GOOD)
    (said,) = goal.wake(4.0, ("reply", 1, 1))
    goal.told(4.5, said, False)
    assert goal.blacklisted(2, 5.0)
    assert not goal.blacklisted(2, 4.5 + 600.0)
    assert goal.heard(5.0, 2, request(sequence=2), GOOD) == []
    assert goal.heard(700.0, 2, request(sequence=3), GOOD) != []


def test_a_search_asks_again_gives_up_and_rests():
    origin = node(address=1, rreq_retries=1)
    origin.find(0.0, 9)
    again = origin.wake(20.0, ("search", 9, 1))
    assert decode(again[0].payload).sequence == 2
    assert decode(again[0].payload).repair
    assert origin.wake(20.0, ("search", 9, 1)) == []
    assert origin.wake(40.0, ("search", 9, 2)) == [Found(9, False)]
    assert origin.find(60.0, 9) == [Found(9, False)]
    assert isinstance(origin.find(70.0, 9)[0], Say)


def test_a_route_error_ends_the_route_over_its_sender_and_goes_on_to_the_source():
    relay = node()
    relay.table.fixed(1, 2, (0, 10, 1), 1e9)
    relay.table.fixed(9, 3, (0, 10, 1), 1e9)
    error = RouteError(destination=1, originator=7, unreachable=9, hops_left=5)
    (said,) = relay.heard(0.0, 3, error, GOOD)
    assert said == Say(2, said.payload)
    assert decode(said.payload).hops_left == 4
    assert relay.table.hop(9, 0.0) == -1
    assert relay.table.hop(1, 0.0) == 2
    relay.table.fixed(9, 4, (0, 10, 1), 1e9)
    relay.heard(0.0, 3, error, GOOD)
    assert relay.table.hop(9, 0.0) == 4
    assert relay.heard(0.0, 3, RouteError(1, 7, 9, hops_left=1), GOOD) == []
    assert relay.heard(0.0, 3, RouteError(1, 5, 9), GOOD) == []
    source = node(address=1)
    source.table.fixed(9, 3, (0, 10, 2), 1e9)
    assert source.heard(0.0, 3, error, GOOD) == []
    assert source.table.hop(9, 0.0) == -1
    assert node().unreachable(0.0, 9, 1) == []


def test_a_filled_table_counts_against_a_link():
    relay = node(table_weight=8.0, table_size=4)
    relay.table.fixed(2, 2, (0, 10, 1), 1e9)
    relay.table.fixed(3, 3, (0, 10, 1), 1e9)
    relay.heard(0.0, 2, request(cost=20), GOOD)
    assert relay.table.routes[1].merit == (0, 20 + 10 + 4, 1)


def test_a_restart_forgets_all_but_the_own_number():
    origin = node(address=1)
    origin.find(0.0, 9)
    origin.link_failed(0.0, 4)
    origin.restart()
    assert origin.sequence == 1
    assert not origin.blacklisted(4, 0.0)
    assert origin.wake(20.0, ("search", 9, 1)) == []
    assert decode(origin.find(30.0, 9)[0].payload).sequence == 2


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"max_hops": 0}, "max_hops 0"),
        ({"max_hops": 16}, "max_hops 16"),
        ({"rrep_wait_s": 20.0}, "rrep_wait_s 20.0"),
        ({"rreq_jitter_low_lqi": 100.0}, "rreq_jitter_low_lqi"),
    ],
)
def test_impossible_settings_are_refused(changes, says):
    with pytest.raises(ValueError, match=says):
        LoadngSettings(**changes)


def test_an_echo_of_a_failed_route_does_not_lead_round():
    first, second = node(address=5), node(address=6)
    first.heard(0.0, 1, request(), GOOD)
    (said,) = first.wake(0.1, ("relay", 1, 1))
    second.heard(0.1, 5, decode(said.payload), GOOD)
    # before the second relay speaks, the first loses the originator
    first.link_failed(0.2, 1)
    (echo,) = second.wake(0.3, ("relay", 1, 1))
    assert first.heard(0.3, 6, decode(echo.payload), GOOD) == []
    assert first.table.hop(1, 0.3, unconfirmed=True) == -1
