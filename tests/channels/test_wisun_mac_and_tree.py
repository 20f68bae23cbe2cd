"""Closed forms of the mesh: attempts, CSMA, queues, trees and reach."""

import networkx as nx
import numpy as np
import pytest
from amiplan.channels.mac import csma_154 as mac
from amiplan.channels.routing import etx_tree as tree
from hypothesis import given, settings
from hypothesis import strategies as st


@given(st.floats(0.0, 1.0), st.integers(0, 12))
def test_attempts_equal_their_sums(p, retries):
    k = np.arange(retries + 1)
    assert float(mac.expected_attempts(p, retries)) == pytest.approx(float((p**k).sum()))
    assert float(mac.attempts_second_moment(p, retries)) == pytest.approx(float(((2 * k + 1) * p**k).sum()))
    assert float(mac.hop_success(p, retries)) == pytest.approx(1.0 - p ** (retries + 1))


def test_attempts_moments_match_a_draw():
    tries = np.minimum(np.random.default_rng(1).geometric(0.6, 200_000), 8)
    assert float(mac.expected_attempts(0.4, 7)) == pytest.approx(tries.mean(), rel=0.01)
    assert float(mac.attempts_second_moment(0.4, 7)) == pytest.approx((tries**2).mean(), rel=0.02)


def test_half_lost_link_delivers_almost_always():
    assert float(mac.hop_success(0.5, 7)) == pytest.approx(0.996, abs=5e-4)


def test_access_delay_grows_with_traffic_and_starts_at_one_backoff():
    delay = mac.access_delay_s(
        np.array([0.0, 0.3, 0.9]), unit_s=1e-3, cca_s=1e-4, min_exponent=3, max_exponent=5, cca_retries=8
    )
    assert delay[0] == pytest.approx(3.5e-3 + 1e-4)
    assert (np.diff(delay) > 0).all()
    assert float(mac.access_failure_ratio(0.5, 8)) == pytest.approx(0.5**9)


def test_collisions_are_pure_aloha():
    assert float(mac.collision_ratio(0.5)) == pytest.approx(1.0 - np.exp(-1.0))
    assert mac.broadcast_wait_s(0.255, 1.02) == pytest.approx(0.0319, abs=1e-4)


def test_application_tries_closed_form():
    arrived, starts, failed, variance = mac.application_tries(np.array([0.5, 1.0, 0.0]), np.array([3, 3, 3]))
    np.testing.assert_allclose(arrived, [0.875, 1.0, 0.0])
    np.testing.assert_allclose(starts, [1.75, 1.0, 3.0])
    assert failed[0] == pytest.approx((0.25 + 2 * 0.125) / 0.875)
    assert variance[1] == 0.0


def test_frames_hold_the_message():
    n, size = mac.frames_of(np.array([1, 1280, 1281, 5000]), 1280)
    assert n.tolist() == [1, 1, 2, 4]
    assert (n * size >= [1, 1280, 1281, 5000]).all()


def test_queue_is_one_after_another():
    start = mac.queue_start_s(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1, 0, 1, 0]), np.array([0.2, 0.9, 0.1, 0.3]))
    assert start.tolist() == [3.0, 4.0, 0.0, 0.0]
    assert mac.queue_start_s(np.zeros(0), np.zeros(0), np.zeros(0)).size == 0


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_tree_equals_networkx(seed):
    rng = np.random.default_rng(seed)
    graph = nx.gnm_random_graph(25, 45, seed=seed)
    ends = np.array(graph.edges, np.int32).reshape(-1, 2)
    cost = rng.uniform(1.0, 4.0, len(ends))
    for (a, b), c in zip(ends.tolist(), cost, strict=True):
        graph[a][b]["cost"] = c
    roots = np.array([23, 24])
    result = tree.etx_tree(ends[:, 0], ends[:, 1], cost, roots, n_nodes=25)
    expected = nx.multi_source_dijkstra_path_length(graph, {23, 24}, weight="cost")
    for node in range(25):
        assert result.cost[node] == pytest.approx(expected.get(node, np.inf))
        if result.parent[node] >= 0:
            assert set(ends[result.link[node]]) == {node, result.parent[node]}
            assert result.hops[node] == result.hops[result.parent[node]] + 1


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 5))
def test_reach_equals_breadth_first_search(seed, max_hops):
    n_meters, n_sites = 20, 4
    graph = nx.gnm_random_graph(n_meters + n_sites, 40, seed=seed)
    graph.remove_edges_from([(a, b) for a, b in graph.edges if a >= n_meters and b >= n_meters])
    ends = np.array(graph.edges, np.int32).reshape(-1, 2)
    site, meter, hops = tree.hop_reach(ends[:, 0], ends[:, 1], n_meters=n_meters, n_sites=n_sites, max_hops=max_hops)
    found = {(int(s), int(m)): int(h) for s, m, h in zip(site, meter, hops, strict=True)}
    expected = {}
    for s in range(n_sites):
        alone = graph.subgraph([*range(n_meters), n_meters + s])
        lengths = nx.single_source_shortest_path_length(alone, n_meters + s, cutoff=max_hops)
        expected |= {(s, m): h for m, h in lengths.items() if h}
    assert found == expected


def test_path_fold_takes_the_worst_on_the_way():
    parent = np.array([1, 2, -1, -1])
    assert tree.along_path(parent, np.array([5.0, 3.0, 4.0, 1.0]), np.minimum).tolist() == [3.0, 3.0, 4.0, 1.0]


@pytest.mark.parametrize(
    "call",
    [
        lambda: mac.expected_attempts(1.2, 3),
        lambda: mac.expected_attempts(0.2, -1),
        lambda: mac.broadcast_wait_s(1.0, 0.5),
        lambda: mac.collision_ratio(-1.0),
        lambda: mac.frames_of([0], 100),
        lambda: mac.application_tries([0.5], [0]),
        lambda: tree.etx_tree(np.array([0]), np.array([1]), np.array([0.0]), np.array([1]), n_nodes=2),
        lambda: tree.hop_reach(np.array([0]), np.array([1]), n_meters=1, n_sites=1, max_hops=0),
    ],
)
def test_guards_refuse(call):
    with pytest.raises(ValueError):
        call()
