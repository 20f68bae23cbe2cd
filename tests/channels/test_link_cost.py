"""Link cost, best trees and their upkeep: cases by hand, brute force on small graphs, properties."""

from itertools import pairwise

import numpy as np
import pytest
from amiplan.channels.powerline.g3_profiles import PROFILE_NUMBERS, in_force
from amiplan.channels.routing.cheapest_tree import NEVER, Graph, cheapest_tree, hop_merit
from amiplan.channels.routing.link_cost import (
    COST_BIT,
    CostWeights,
    cost_of,
    directional_cost,
    is_weak,
    link_cost,
    link_quality_indicator,
    merit,
    relay_cost,
    weak_links,
)
from amiplan.channels.routing.route_upkeep import Upkeep, subtree_sizes, tended_tree
from amiplan.channels.technology import Routes
from hypothesis import given, settings
from hypothesis import strategies as st

G9903 = CostWeights()
METERING = CostWeights(quality=30.0, routes=8.0, lqi_low=52.0, lqi_high=100.0, lqi_weak=58.0)


def test_cost_cases_by_hand_in_both_profiles():
    np.testing.assert_array_equal(link_quality_indicator(np.array([-11.0, -9.9, 3.0, 53.75])), [0, 0, 52, 255])
    # LQI 52: 10 (255 - 52) / 255 = 7.96; LQI 100: 6.08; metering: full below 52, nothing from 100, 15 half way
    np.testing.assert_array_equal(directional_cost(np.array([3.0, 15.0, 53.75]), False, 3, 1.0, G9903), [8, 6, 0])
    np.testing.assert_array_equal(directional_cost(np.array([3.0, 9.0, 15.0]), False, 3, 1.0, METERING), [30, 15, 0])
    every = CostWeights(robust=20, modulation=5, tones=12, quality=0)
    np.testing.assert_array_equal(
        directional_cost(0.0, np.array([True, False]), np.array([3, 1]), 0.5, every), [41, 11]
    )
    half = directional_cost(np.array([53.75]), False, 1, 0.5, CostWeights(tones=1.0, quality=0.0))
    assert half[0] == 0  # one half goes down
    assert float(link_cost(3.0, 5.0, G9903)) == 9
    assert float(link_cost(3.0, None, G9903, add_reverse=1.0)) == 8
    np.testing.assert_array_equal(relay_cost(np.array([0, 31, 32, 500, 900]), 500, METERING), [0, 0, 1, 8, 8])
    np.testing.assert_array_equal(is_weak(np.array([2.9, 3.0, 4.4, 4.5]), METERING), [True, True, True, False])


def test_the_profiles_are_those_of_the_cases():
    told = dict.fromkeys(PROFILE_NUMBERS, -1)
    for name, weights in (("g9903", G9903), ("metering", METERING)):
        numbers = in_force(name, told)
        assert numbers["cost_quality"] == weights.quality
        assert numbers["lqi_high"] == weights.lqi_high
        assert numbers["weak_lqi"] == weights.lqi_weak
    assert in_force("metering", {**told, "max_hops": 5})["max_hops"] == 5
    with pytest.raises(ValueError, match="profile = 'x' is unknown; write one of g9903, metering"):
        in_force("x", told)
    with pytest.raises(ValueError, match="max_hops = 0: give at least 1"):
        in_force("g9903", {**told, "max_hops": 0})


def test_guards_refuse():
    with pytest.raises(ValueError, match="lqi_low 60 must be below lqi_high 60"):
        CostWeights(lqi_low=60, lqi_high=60)
    for cost in (-1.0, 0.5, 70000.0):
        with pytest.raises(ValueError, match="whole number of 0 to 65535"):
            merit(np.array([cost]), np.zeros(1, bool), np.zeros(1))
    with pytest.raises(ValueError, match="max_hops"):
        cheapest_tree(Graph.of(np.array([0]), np.array([1]), np.zeros(2, int)), hop_merit(1), np.array([1]), 0)
    with pytest.raises(ValueError, match="route_hysteresis"):
        Upkeep(True, -1.0)


def made(seed, n=7, share=0.5):
    """A random graph: ends, cost, weak, SNR."""
    rng = np.random.default_rng(seed)
    low, high = np.triu_indices(n, 1)
    pick = rng.random(low.size) < share
    n_links = int(pick.sum())
    return (
        low[pick],
        high[pick],
        rng.integers(4, 15, n_links) * 1.0,
        rng.random(n_links) < 0.3,
        rng.uniform(0, 30, n_links),
    )


def simple_ways(start, end, node, root):
    """All ways without loops from a node to the root, as rows of links."""
    ends = {}
    for row, (a, b) in enumerate(zip(start.tolist(), end.tolist(), strict=True)):
        ends.setdefault(a, []).append((b, row))
        ends.setdefault(b, []).append((a, row))
    stack = [(node, (node,), ())]
    while stack:
        here, seen, rows = stack.pop()
        if here == root:
            yield rows
            continue
        stack += [(there, (*seen, there), (*rows, row)) for there, row in ends.get(here, []) if there not in seen]


@pytest.mark.parametrize("seed", range(30))
def test_the_tree_is_the_least_of_all_ways_by_weak_links_cost_and_hops(seed):
    start, end, cost, weak, snr = made(seed)
    tree, too_far = cheapest_tree(Graph.of(start, end, np.zeros(7, int)), merit(cost, weak, snr), np.array([6]), 8)
    assert not too_far.any()
    for node in range(6):
        best = min(
            ((int(weak[list(w)].sum()), int(cost[list(w)].sum()), len(w)) for w in simple_ways(start, end, node, 6)),
            default=None,
        )
        if best is None:
            assert tree.merit[node] == NEVER
            assert tree.root[node] == tree.parent[node] == -1
        else:
            told = int(weak_links(tree.merit[node])), int(cost_of(tree.merit[node])), int(tree.hops[node])
            assert told == best


def walked(tree, node, limit=50):
    """Nodes to the root; fails in a loop."""
    way = [int(node)]
    while tree.parent[way[-1]] >= 0:
        way.append(int(tree.parent[way[-1]]))
        assert len(way) < limit
    return way


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4), st.booleans())
def test_trees_hold_the_hop_limit_and_have_no_loops(seed, most, filled):
    start, end, cost, weak, snr = made(seed, n=12, share=0.25)
    graph = Graph.of(start, end, np.zeros(12, int))
    relay = np.full(12, 3 << COST_BIT) if filled else None
    tree, too_far = cheapest_tree(graph, merit(cost, weak, snr), np.array([11]), most, relay=relay)
    plain, _ = cheapest_tree(graph, hop_merit(cost.size), np.array([11]), 12)
    for node in range(11):
        way = walked(tree, node)
        if tree.root[node] >= 0:
            assert way[-1] == 11
            assert len(way) - 1 == tree.hops[node] <= most
            for a, b in pairwise(way):
                row = tree.link[a]
                assert {int(start[row]), int(end[row])} == {a, b}
        # nobody whom fewest hops would reach is left out
        assert (tree.root[node] >= 0) == (0 < plain.hops[node] <= most)
        assert too_far[node] == (plain.hops[node] > most)


def test_hop_limit_reroutes_by_fewest_hops():
    # a chain of cheap links of five hops, and one dear link straight home
    start, end = np.array([0, 1, 2, 3, 4, 0]), np.array([1, 2, 3, 4, 5, 5])
    cost = merit(np.array([1.0, 1, 1, 1, 1, 50]), np.zeros(6, bool), np.full(6, 20.0))
    graph = Graph.of(start, end, np.zeros(6, int))
    assert cheapest_tree(graph, cost, np.array([5]), 8)[0].hops[0] == 5
    tree, too_far = cheapest_tree(graph, cost, np.array([5]), 3)
    assert tree.hops.max() == 3
    assert not too_far.any()
    chain = Graph.of(start[:5], end[:5], np.zeros(6, int))
    tree, too_far = cheapest_tree(chain, cost[:5], np.array([5]), 3)
    np.testing.assert_array_equal(too_far, [True, True, False, False, False, False])
    assert tree.root[0] == -1


def test_areas_do_not_mix_and_nodes_of_no_area_are_left_out():
    graph = Graph.of(np.array([0, 1]), np.array([2, 3]), np.array([0, 1, 0, 1, -1]))
    tree, _ = cheapest_tree(graph, hop_merit(2), np.array([2, 3]), 8)
    np.testing.assert_array_equal(tree.root, [2, 3, 2, 3, -1])
    np.testing.assert_array_equal(graph.member, [0, 2, 1, 3])


def test_a_full_relay_is_avoided_where_another_way_is_as_cheap():
    # 0 and 1 may go over 2 or 3; 2 has the better links by a hair
    start, end = np.array([0, 0, 1, 1, 2, 3]), np.array([2, 3, 2, 3, 4, 4])
    cost = merit(np.full(6, 6.0), np.zeros(6, bool), np.array([20.0, 19, 20, 19, 20, 20]))
    graph = Graph.of(start, end, np.zeros(5, int))
    tree, _ = cheapest_tree(graph, cost, np.array([4]), 8)
    np.testing.assert_array_equal(tree.parent[:2], [2, 2])
    np.testing.assert_array_equal(subtree_sizes(tree.parent, tree.hops), [1, 1, 3, 1, 4])
    full = relay_cost(subtree_sizes(tree.parent, tree.hops), 5, METERING).astype(np.int64) << COST_BIT
    tree, _ = cheapest_tree(graph, cost, np.array([4]), 8, relay=full)
    np.testing.assert_array_equal(tree.parent[:2], [3, 3])


def as_routes(tree, n):
    """Routes of the first ``n`` nodes, links as rows of the paths."""
    served = tree.root[:n] >= 0
    none = np.zeros(0, np.int64)
    return Routes(
        np.where(served, 0, -1), tree.parent[:n], tree.link[:n], tree.hops[:n], none, none, np.zeros(n, np.int8)
    )


def next_moment(seed, dead_share=0.2, jitter=4):
    """The graph of a moment, its best routes, and costs and working links of the next one."""
    start, end, cost, weak, snr = made(seed, n=12, share=0.35)
    graph = Graph.of(start, end, np.zeros(12, int))
    before = as_routes(cheapest_tree(graph, merit(cost, weak, snr), np.array([11]), 8)[0], 11)
    rng = np.random.default_rng(seed + 1)
    works = np.flatnonzero(rng.random(start.size) >= dead_share)
    moved = np.clip(cost + rng.integers(-jitter, jitter + 1, cost.size), 1, 99)[works]
    row_of_link = np.full(start.size + 1, -1)
    row_of_link[works] = np.arange(works.size)
    now = Graph.of(start[works], end[works], np.zeros(12, int))
    return now, merit(moved, weak[works], snr[works]), before, row_of_link, (start[works], end[works])


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.0, 3.0, 1000.0]))
def test_kept_routes_work_have_no_loop_and_are_not_much_worse(seed, hysteresis):
    graph, cost, before, row_of_link, _ = next_moment(seed)
    roots = np.array([11])
    best, _ = cheapest_tree(graph, cost, roots, 8)
    tree, _ = tended_tree(graph, cost, roots, 8, before, row_of_link, Upkeep(True, hysteresis))
    np.testing.assert_array_equal(tree.root, best.root)
    for node in range(11):
        way = walked(tree, node)
        assert len(way) - 1 == tree.hops[node] <= 8
        if tree.root[node] >= 0:
            assert sum(int(cost[tree.link[a]]) for a in way[:-1]) == tree.merit[node]
    # a route that stood, works and is among the best stays as it was
    for node in np.flatnonzero(before.server >= 0):
        way, here = [], int(node)
        while here != 11:
            way.append(row_of_link[before.link[here]])
            here = int(before.parent[here])
        if min(way) < 0:
            continue
        total = sum(int(cost[row]) for row in way)
        near = cost_of(total) - cost_of(best.merit[node]) <= hysteresis
        if near and weak_links(total) <= weak_links(best.merit[node]):
            kept = tree.parent[node] == before.parent[node]
            inner = int(before.parent[node])
            assert kept or (inner != 11 and tree.parent[inner] != before.parent[inner])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_without_repair_or_history_the_routes_are_the_best(seed):
    graph, cost, before, row_of_link, _ = next_moment(seed)
    roots = np.array([11])
    best, _ = cheapest_tree(graph, cost, roots, 8)
    for told, upkeep in ((before, Upkeep(False, 0.0)), (before, Upkeep(False, 50.0)), (None, Upkeep(True, 50.0))):
        tree, _ = tended_tree(graph, cost, roots, 8, told, row_of_link, upkeep)
        np.testing.assert_array_equal(tree.parent, best.parent)
    # nothing has changed: all stand
    same, _ = tended_tree(
        graph, cost, roots, 8, as_routes(best, 11), np.append(np.arange(cost.size), -1), Upkeep(True, 0)
    )
    np.testing.assert_array_equal(same.parent, best.parent)
