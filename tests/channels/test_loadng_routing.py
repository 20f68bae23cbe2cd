"""LOADng of whole cells over a made lower layer: shortest paths, no loops, repair, blacklist, age."""

import networkx as nx
import numpy as np
import pytest
from amiplan.channels.routing.loadng_messages import RERR
from amiplan.channels.routing.loadng_settings import LoadngSettings
from plc_lower import COSTS, looped, network, random_quality, warm_network

PATIENT = LoadngSettings(max_hops=15, rrep_wait_s=8.0, net_traversal_s=40.0)
# 0 - 1 - 2 - 4 and 0 - 3 - 4: LQI above the weak threshold everywhere, the way over 1 and 2 is the cheaper
DIAMOND = np.zeros((5, 5), int)
for first, second, lqi in ((0, 1, 250), (1, 2, 250), (2, 4, 250), (0, 3, 60), (3, 4, 60)):
    DIAMOND[first, second] = DIAMOND[second, first] = lqi


def shortest(quality, start, goal):
    """Fewest weak links, then cost, then hops."""
    graph = nx.Graph()
    for first, second in zip(*np.nonzero(np.triu(quality)), strict=True):
        link = COSTS.link(int(quality[first, second]), 0, int(quality[second, first]), 0)
        graph.add_edge(first, second, merit=link.weak * 10**9 + link.cost * 10**3 + 1)
    merit = nx.dijkstra_path_length(graph, start, goal, weight="merit")
    return merit // 10**9, merit // 10**3 % 10**6, merit % 10**3


def search(env, net, node, destination):
    process = net.find(node, destination)
    env.run(process)
    return process.value


@pytest.mark.parametrize("seed", range(50))
def test_without_losses_a_search_finds_the_shortest_path(seed):
    rng = np.random.default_rng(seed)
    quality = random_quality(int(rng.integers(8, 30)), rng)
    env, _, net = warm_network(quality, seed=seed, loadng=PATIENT)
    head = len(quality) - 1
    assert search(env, net, head, 0)
    merit = shortest(quality, head, 0)
    assert net.routing.nodes[head].table.routes[0].merit == merit
    way, back = net.routing.way(head, 0), net.route(0)
    assert len(way) == merit[2] + 1
    assert shortest(quality, 0, head) == merit
    # the way back was confirmed hop by hop and is as short
    assert back[0] == 0
    assert back[-1] == head
    assert len(back) == len(way)


@pytest.mark.parametrize("seed", range(12))
def test_never_a_loop_with_losses_and_failing_nodes(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(10, 26))
    env, line, net = network(random_quality(n, rng), seed=seed, loss=0.3)
    net.cold_start(range(n - 1))

    def trouble():
        while True:
            yield env.timeout(rng.exponential(3.0))
            node, other = (int(one) for one in rng.choice(n - 1, 2, replace=False))
            deed = rng.integers(5)
            if deed == 0:
                line.modems[node].alive = False
                net.fail(node)
            elif deed == 1:
                line.modems[node].alive = True
                net.restore(node)
            elif deed == 2:
                net.find(n - 1, node)
            elif deed == 3:
                net.find(node, other, source=n - 1)
            elif (hop := net.next_hop(node, n - 1)) >= 0:
                net.link_failed(node, hop, n - 1)

    env.process(trouble())
    for _ in range(400):
        env.run(env.now + 1.0)
        for goal in (n - 1, int(rng.integers(n - 1))):
            assert looped(net, goal, env.now) == []


def test_repair_after_a_lost_relay_takes_the_other_way_and_the_blacklist_ends():
    env, line, net = warm_network(DIAMOND)
    assert search(env, net, 4, 0)
    assert net.routing.way(4, 0) == [4, 2, 1, 0]
    line.modems[2].alive = False
    net.link_failed(4, 2, 0)
    assert net.next_hop(4, 0) == -1
    assert search(env, net, 4, 0)
    assert net.routing.way(4, 0) == [4, 3, 0]
    # alive again, but its requests are not heard for ten minutes
    line.modems[2].alive = True
    net.link_failed(4, 3, 0)
    net.link_failed(0, 3, 4)
    assert search(env, net, 0, 4) is False
    env.run(env.now + 600.0)
    assert search(env, net, 0, 4)
    assert net.routing.way(0, 4) == [0, 1, 2, 4]


def both_ways(n, pairs):
    """LQI 250 of n nodes between the pairs."""
    quality = np.zeros((n, n), int)
    for first, second in pairs:
        quality[first, second] = quality[second, first] = 250
    return quality


def stale_diamond(**options):
    """0 lost node 5; the old routes to it of 1, 2 and 3 lead over 0 again. The way left is 0 - 1 - 3 - 4 - 5."""
    env, line, net = warm_network(both_ways(6, [(0, 1), (0, 2), (1, 3), (2, 3), (3, 4), (4, 5)]), **options)
    for node, hop in ((1, 0), (2, 0), (3, 2)):
        net.routing.nodes[node].table.fixed(5, hop, (0, 20, 2), 1e4)
    return env, line, net


def test_a_repair_floods_past_stale_routes():
    env, _, net = stale_diamond(loadng=LoadngSettings(rreq_guided=True))
    # the search of a relay for somebody else's data is a repair
    process = net.find(0, 5, source=1)
    env.run(process)
    assert process.value is True
    assert env.now < 10.0
    assert net.routing.way(0, 5) in ([0, 1, 3, 4, 5], [0, 2, 3, 4, 5])


@pytest.mark.parametrize("retries", [0, 1])
def test_stale_routes_cost_one_request_at_most(retries):
    # 3 heard the request over 1 and sends it on to 2, which has heard it and says nothing
    env, _, net = stale_diamond(loadng=LoadngSettings(rreq_retries=retries, rreq_guided=True))
    if not retries:
        assert search(env, net, 0, 5) is False
        env.run(env.now + 30.0)
    assert search(env, net, 0, 5)
    assert env.now < 20.0 + 30.0 * (1 - retries) + 10.0
    assert len(net.routing.way(0, 5)) == 5


@pytest.mark.parametrize("retries", [0, 1])
def test_a_next_hop_that_leaves_out_the_relay_costs_one_request_at_most(retries):
    """The route of 1 to 3 leads over 2, which acknowledges the request and drops it; the way left is over 4."""
    pairs = [(0, 1), (1, 2), (2, 3), (1, 4), (4, 3)]
    env, _, net = warm_network(both_ways(5, pairs), loadng=LoadngSettings(rreq_retries=retries, rreq_guided=True))
    net.routing.nodes[1].table.fixed(3, 2, (0, 20, 2), 1e4)
    net.routing.nodes[2].table.fixed(3, 3, (0, 10, 1), 1e4)
    net.link_failed(2, 1, 0)
    if not retries:
        assert search(env, net, 0, 3) is False
        env.run(env.now + 30.0)
    assert search(env, net, 0, 3)
    assert net.routing.way(0, 3) == [0, 1, 4, 3]
    assert env.now < 20.0 + 30.0 * (1 - retries) + 10.0


def test_a_relay_that_finds_no_way_tells_the_source():
    env, line, net = warm_network(DIAMOND)
    assert search(env, net, 4, 0)
    assert net.routing.way(4, 0) == [4, 2, 1, 0]
    line.modems[0].alive = False
    net.link_failed(1, 0, 0)
    process = net.find(1, 0, source=4)
    env.run(process)
    assert process.value is False
    env.run(env.now + 1.0)
    assert net.next_hop(4, 0) == net.next_hop(2, 0) == -1
    errors = [(sender, receiver) for _, sender, receiver, payload in line.sent if payload[:3] == bytes((2, 1, RERR))]
    assert errors == [(1, 2), (2, 4)]


def test_routes_end_when_they_are_not_used_and_are_found_again():
    quick = LoadngSettings(route_ttl_s=100.0)
    env, _, net = warm_network(DIAMOND, loadng=quick)
    assert search(env, net, 4, 0)
    found_s = env.now
    env.run(found_s + 60.0)
    net.used(4, 0)
    env.run(found_s + 110.0)
    assert net.next_hop(4, 0) == 2
    env.run(found_s + 170.0)
    assert net.next_hop(4, 0) == -1
    assert search(env, net, 4, 0)
    assert net.next_hop(4, 0) == 2


def test_a_warm_network_has_the_routes_of_its_tree_until_they_are_too_old():
    parent = [1, 2, 4, 4, -1]
    env, line, net = warm_network(DIAMOND, parent)
    assert [net.route(node) for node in range(4)] == [[0, 1, 2, 4], [1, 2, 4], [2, 4], [3, 4]]
    assert net.routing.way(4, 0) == [4, 2, 1, 0]
    assert list(net.joined_s.values()) == [0.0] * 5
    assert line.sent == []
    assert env.peek() == float("inf")
    merits = [net.routing.nodes[4].table.routes[node].merit for node in range(4)]
    assert merits == [shortest(DIAMOND, 4, node) for node in (0, 1, 2)] + [(0, 12, 1)]
    env, _, net = network(DIAMOND)
    net.warm([1, 2, 4, -1, -1], idle_s=180 * 60.0)
    assert net.next_hop(4, 0) == -1
    assert net.next_hop(0, 4) == -1
    assert np.isnan(net.joined_s[3])
    assert search(env, net, 4, 0)
    assert net.routing.way(4, 0) == [4, 2, 1, 0]


def test_parents_that_go_round_are_refused():
    _, _, net = network(DIAMOND)
    with pytest.raises(ValueError, match="do not lead to the concentrator"):
        net.warm([1, 0, 4, 4, -1])


def test_searches_of_a_node_that_restarts_end_without_a_route():
    env, _, net = warm_network(DIAMOND)
    process = net.find(0, 4)
    env.run(0.1)
    net.fail(0)
    env.run(process)
    assert process.value is False
    assert env.now < 1.0
    assert search(env, net, 0, 4) is False
