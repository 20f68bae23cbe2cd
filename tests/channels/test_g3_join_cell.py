"""Networks that form, break and heal over the modems and the line of the packet tier."""

import dataclasses
import math

import numpy as np
import pytest
from amiplan.channels.mac.g3.csma import CsmaSettings
from amiplan.channels.mac.g3.join_network import standing_network
from amiplan.channels.routing.link_cost import CostWeights
from amiplan.channels.routing.loadng_links import LinkCosts
from g3_cells import TECH, alike, ask, balanced, fewest_hops, made_cell, made_links
from plc_lower import looped

N_MODES = len(TECH.table)
COSTS = LinkCosts(CostWeights(), np.zeros(N_MODES, bool), np.full(N_MODES, 3), np.ones(N_MODES))
# meter 1 reaches the concentrator (node 3) over meter 0, with more effort over meter 2
TWO_WAYS = {**alike([(0, 3), (0, 1)], 40.0), **alike([(2, 3), (1, 2)], 12.0)}


def network_cell(n_meters, links, *, idle_s=0.0, tech=TECH, **options):
    paths, quality = made_links(n_meters, links, tech)
    routes = fewest_hops(paths, quality)

    def routing(cell):
        return standing_network(cell, paths, routes, COSTS, tech.loadng, tech.joining, idle_s)

    return made_cell(n_meters, links, tech, csma=CsmaSettings(), routes=routes, routing=routing, **options)


def feeder(n_meters, seed, spread_db=60.0):
    """Meters along a feeder whose margins fall with their distance; the concentrator at its end."""
    rng = np.random.default_rng(seed)
    place = np.append(np.sort(rng.random(n_meters)), 0.0)
    first, second = np.triu_indices(n_meters + 1, 1)
    margin = 38 - spread_db * np.abs(place[first] - place[second]) + rng.normal(0, 3, first.size)
    heard = np.flatnonzero(margin > -6)
    return {
        (int(first[row]), int(second[row])): (margin[row], margin[row], *(2 * [0 if margin[row] > 0 else -1]))
        for row in heard
    }


def test_a_warm_cell_reads_at_once_and_sends_nothing_else():
    env, cell = network_cell(3, TWO_WAYS)
    assert cell.route(1) == [1, 0, 3]
    assert ask(env, cell, 3, 1, b"get") == b"get"
    assert ask(env, cell, 1, 3, b"answer") == b"answer"
    assert cell.counters["control_frames"] == 0
    assert env.now < 1.5
    balanced(cell.counters)


def test_routes_that_are_too_old_are_found_again_by_the_first_exchange():
    env, cell = network_cell(3, TWO_WAYS, idle_s=TECH.loadng.route_ttl_s)
    assert cell.route(1) == []
    assert ask(env, cell, 3, 1, b"get") == b"get"
    assert TECH.loadng.rrep_wait_s < env.now < TECH.loadng.net_traversal_s
    assert cell.route(1) == [1, 0, 3]
    assert cell.counters["control_frames"] >= 5
    balanced(cell.counters)


def test_an_exchange_survives_the_loss_of_its_relay():
    env, cell = network_cell(3, TWO_WAYS)
    cell.fail(0)
    assert cell.route(1) == []
    assert math.isnan(cell.joined_s[0])
    assert ask(env, cell, 1, 3, bytes(600)) == bytes(600)
    assert cell.route(1) == [1, 2, 3]
    # the relay is back, joins again, and after ten minutes may lead data again
    cell.restore(0)
    env.run(env.now + 120.0)
    assert cell.joined_s[0] > 0
    assert cell.route(0) == [0, 3]
    env.run(env.now + TECH.loadng.blacklist_ttl_s)
    cell.fail(2)
    assert ask(env, cell, 1, 3, bytes(600)) == bytes(600)
    assert cell.route(1) == [1, 0, 3]
    balanced(cell.counters)


def test_links_that_vanish_are_noticed_and_gone_around():
    env, cell = network_cell(3, TWO_WAYS)
    _, quality = made_links(3, {**TWO_WAYS, (0, 1): (-40.0, -40.0, -1, -1)}, TECH)
    cell.retune(quality)
    assert ask(env, cell, 3, 1, b"get") == b"get"
    assert cell.route(1)[-1] == 3
    balanced(cell.counters)


@pytest.mark.parametrize("profile", ["g9903", "metering"])
def test_a_whole_feeder_joins_after_an_outage_and_can_be_read(profile):
    tech = dataclasses.replace(TECH, profile=profile)
    env, cell = network_cell(20, feeder(20, 1), tech=tech)
    cell.cold_start(range(20))
    assert all(math.isnan(cell.joined_s[meter]) for meter in range(20))
    while any(map(math.isnan, cell.joined_s.values())) and env.now < 3600:
        env.run(env.now + 20.0)
    at_s = np.array([cell.joined_s[meter] for meter in range(20)])
    hops = np.array([len(cell.route(meter)) - 1 for meter in range(20)])
    assert np.all(np.isfinite(at_s))
    assert hops.min() == 1
    assert hops.max() >= 2
    assert at_s[hops == 1].mean() < at_s[hops > 1].mean()
    assert cell.counters["control_frames"] == cell.counters["frames_sent"] > 100
    for meter in (0, 10, 19):
        assert ask(env, cell, 20, meter, b"get") == b"get"
    balanced(cell.counters)


def test_one_meter_alone_is_back_within_its_windows():
    env, cell = network_cell(3, TWO_WAYS)
    cell.cold_start([1])
    assert cell.route(1) == []
    env.run(60.0)
    assert 12.0 < cell.joined_s[1] < 5.0 + 12.0 + 2.5 + 20.0
    assert cell.route(1) == [1, 0, 3]
    balanced(cell.counters)


def test_links_that_appear_let_the_meters_outside_join_unless_they_are_off_or_too_far():
    n = 6
    chain = alike([(0, n), *((node, node - 1) for node in range(1, n))])
    apart = chain | alike([(1, 0), (4, 3)], -40.0, -1)
    tech = dataclasses.replace(TECH, max_hops=4)
    env, cell = network_cell(n, apart, tech=tech)
    cell.fail(3)
    env.run(300.0)
    assert cell.counters["frames_sent"] == 0
    cell.retune(made_links(n, chain | alike([(1, 0)], 30.0, -1))[1])
    env.run(600.0)
    assert cell.counters["frames_sent"] == 0
    cell.retune(made_links(n, chain)[1])
    env.run(1200.0)
    assert [node for node in range(n) if math.isfinite(cell.joined_s[node])] == [0, 1, 2]
    sent = cell.counters["frames_sent"]
    cell.retune(made_links(n, chain)[1])
    env.run(1500.0)
    assert math.isnan(cell.joined_s[3])
    cell.restore(3)
    env.run(2100.0)
    assert cell.joined_s[3] > 1500.0
    assert math.isnan(cell.joined_s[5])
    assert cell.counters["frames_sent"] > sent
    assert ask(env, cell, n, 2, b"get") == b"get"
    balanced(cell.counters)


def test_a_meter_that_already_tries_to_join_is_not_started_again():
    env, cell = network_cell(3, TWO_WAYS)
    cell.cold_start([1])
    env.run(10.0)
    booting = cell.routing.join._booting[1]
    cell.retune(made_links(3, TWO_WAYS)[1])
    assert cell.routing.join._booting[1] is booting
    env.run(60.0)
    assert cell.joined_s[1] < 40.0


def test_a_meter_that_nobody_hears_stays_outside_and_data_for_it_are_lost():
    env, cell = network_cell(2, {(0, 2): (30.0, 30.0, 0, 0), (0, 1): (-30.0, -30.0, -1, -1)})
    cell.cold_start([0, 1])
    env.run(900.0)
    assert cell.joined_s[0] > 0
    assert math.isnan(cell.joined_s[1])
    assert ask(env, cell, 2, 1, b"get") is None
    assert cell.counters["payloads_lost"] == 1
    balanced(cell.counters)


@pytest.mark.parametrize("seed", range(3))
def test_traffic_among_failures_balances_and_never_goes_round(seed):
    rng = np.random.default_rng(seed)
    n = 12
    env, cell = network_cell(n, feeder(n, seed, spread_db=80.0), seed=seed)
    silent = set()
    for _ in range(60):
        meter = int(rng.integers(n))
        deed = rng.integers(6)
        if deed == 0 and meter not in silent and len(silent) < 4:
            cell.fail(meter)
            silent.add(meter)
        elif deed == 1 and silent:
            cell.restore(silent.pop())
        elif deed == 2:
            cell.cold_start([meter] if meter not in silent else [])
        else:
            ends = (n, meter) if deed == 3 else (meter, n)
            cell.send(*ends, rng.bytes(int(rng.integers(1, 900))))
        env.run(env.now + float(rng.exponential(8.0)))
        balanced(cell.counters)
        for goal in (n, meter):
            assert looped(cell.routing, goal, env.now) == []
    env.run(env.now + 600.0)
    balanced(cell.counters)
    assert cell.counters["payloads_pending"] == 0
    assert cell.counters["payloads_delivered"] > 0
