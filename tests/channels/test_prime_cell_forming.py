"""A PRIME network that forms, loses a part, heals, gives switches up again and notices who is gone."""

import math

import numpy as np
import pytest
from amiplan.channels.mac.prime.messages import REG
from amiplan.channels.mac.prime.state import State
from g3_cells import balanced
from prime_packet import chain, prime_cell, prime_links, settings

VERSIONS = ("1.3.6", "1.4")
DIAMOND = [(0, 3), (1, 3), (2, 0), (2, 1)]
"""Meter 2 hears meters 0 and 1, both of which hear the concentrator (node 3)."""


def joined(cell):
    """Meters that are registered, as far as they know."""
    return {node for node, time_s in cell.joined_s.items() if not math.isnan(time_s)}


def registered_once(cell):
    """Whether base node and meters agree, and nobody has two addresses or shares one."""
    records = cell.base.records.of.values()
    addresses = {(record.switch, record.node) for record in records if record.confirmed}
    members = [record.member for record in records if record.confirmed]
    agreed = all(
        (cell.nodes[r.member].switch, cell.nodes[r.member].node) == (r.switch, r.node) for r in records if r.confirmed
    )
    return agreed and len(set(members)) == len(members) == len(addresses)


def connected(env, cell, meter, site):
    """Whether bytes pass both ways."""
    for ends in ((site, meter), (meter, site)):
        process = cell.send(*ends, b"are you there")
        env.run(process)
        if process.value is None:
            return False
    return True


@pytest.mark.parametrize("version", VERSIONS)
def test_a_chain_registers_level_by_level_by_promotions(version):
    env, cell = prime_cell(4, chain(4), settings(version), cold=True)
    env.run(1500.0)
    times = [cell.joined_s[meter] for meter in range(4)]
    assert times == sorted(times)
    assert times[0] > cell.mac.search_s
    assert cell.route(3) == [3, 2, 1, 0, 4]
    assert [node.state for node in cell.nodes] == [State.SWITCH] * 3 + [State.TERMINAL]
    assert [record.level for record in cell.base.records.of.values()] == [1, 2, 3, 4]
    assert registered_once(cell)
    assert all(connected(env, cell, meter, 4) for meter in range(4))
    balanced(cell.counters)
    assert cell.counters["control_frames"] > 0


@pytest.mark.parametrize("version", VERSIONS)
def test_a_branch_whose_switch_fails_registers_over_another_way(version):
    env, cell = prime_cell(3, DIAMOND, settings(version), cold=True)
    env.run(1000.0)
    way = cell.route(2)
    assert len(way) == 3
    first = way[1]
    cell.fail(first)
    assert cell.route(2) == []
    env.run(2500.0)
    assert cell.route(2) == [2, 1 - first, 3]
    assert connected(env, cell, 2, 3)
    assert joined(cell) == {2, 1 - first}


def test_a_branch_without_another_way_waits_for_its_switch():
    env, cell = prime_cell(2, chain(2), settings("1.3.6"))
    cell.fail(0)
    env.run(600.0)
    assert joined(cell) == set()
    cell.restore(0)
    env.run(1500.0)
    assert cell.route(1) == [1, 0, 2]
    assert registered_once(cell)


def test_a_lost_switch_is_noticed_after_so_many_beacons():
    mac = settings("1.3.6")
    env, cell = prime_cell(2, chain(2), mac)
    env.run(10.0)
    cell.fail(0)
    missed = mac.forming.missed_beacons
    env.run(10.0 + (missed - 1) * mac.frame_s)
    assert joined(cell) == {1}
    env.run(10.0 + (missed + 1) * mac.frame_s)
    assert joined(cell) == set()


def test_an_unused_switch_is_demoted_and_promoted_again_when_needed():
    env, cell = prime_cell(2, chain(2), settings("1.3.6", alive_code=0))
    env.run(5.0)
    cell.fail(1)
    env.run(5.0 + 5 * 32.0)
    assert cell.nodes[0].state is State.SWITCH
    env.run(5.0 + 5 * 32.0 + cell.mac.forming.demote_after_s + 60.0)
    assert cell.nodes[0].state is State.TERMINAL
    assert cell.nodes[0].index not in cell.places.slots
    assert len(cell.base.records.of) == 1
    cell.restore(1)
    env.run(1200.0)
    assert cell.route(1) == [1, 0, 2]


@pytest.mark.parametrize("version", VERSIONS)
def test_keep_alive_expels_a_dead_meter_and_nobody_else(version):
    pairs = [*((k, 4) for k in range(3)), (3, 0)]
    mac = settings(version, alive_code=0)
    env, cell = prime_cell(4, pairs, mac)
    env.run(300.0)
    assert joined(cell) == {0, 1, 2, 3} == set(cell.base.records.of)
    cell.fail(1)
    env.run(300.0 + (mac.alive_tries - 1) * mac.alive_s)
    assert set(cell.base.records.of) == {0, 1, 2, 3}
    env.run(300.0 + (mac.alive_tries + 3) * mac.alive_s)
    assert set(cell.base.records.of) == {0, 2, 3} == joined(cell)
    env.run(2000.0)
    assert set(cell.base.records.of) == {0, 2, 3} == joined(cell)
    assert all(cell.joined_s[k] == 0.0 for k in (0, 2, 3))


def test_a_meter_that_answers_data_needs_no_keep_alive():
    env, cell = prime_cell(1, chain(1), settings("1.3.6", alive_code=0))
    env.run(env.process(_chat(env, cell)))
    assert cell.counters["control_frames"] <= 2


def _chat(env, cell):
    """A request and an answer every ten seconds, for five minutes."""
    for _ in range(30):
        yield cell.send(1, 0, b"ping")
        yield cell.send(0, 1, b"pong")
        yield env.timeout(10.0)


def test_hops_of_version_1_4_repeat_a_keep_alive_that_nobody_answered():
    lost = dict.fromkeys(chain(2), (0.2, 0.2))
    counts = []
    for tries in (0, 5):
        mac = settings("1.4", alive_code=0, alive_hop_tries=tries)
        env, cell = prime_cell(2, lost, mac, mode=mac.table[0].name)
        env.run(1500.0)
        assert joined(cell) == {0, 1}
        counts.append(cell.counters["retries"])
    assert counts[0] == 0
    assert counts[1] > 0


def test_a_concentrator_that_was_out_gathers_its_meters_again():
    env, cell = prime_cell(3, DIAMOND, settings("1.3.6"))
    env.run(20.0)
    sent = cell.send(3, 2, bytes(3000))
    env.run(20.5)
    cell.fail(3)
    env.run(sent)
    assert sent.value is None
    assert cell.route(0) == []
    env.run(3600.0)
    assert joined(cell) == set()
    assert cell.base.records.of == {}
    cell.restore(3)
    env.run(5400.0)
    assert joined(cell) == {0, 1, 2}
    assert registered_once(cell)
    assert connected(env, cell, 2, 3)
    balanced(cell.counters)


def test_all_power_gone_and_back_forms_the_network_anew():
    env, cell = prime_cell(3, DIAMOND, settings("1.3.6"))
    env.run(50.0)
    cell.cold_start([0, 1, 2, 3])
    assert joined(cell) == set()
    env.run(1500.0)
    assert joined(cell) == {0, 1, 2}
    assert min(cell.joined_s.values()) > 50.0
    assert registered_once(cell)


def test_one_meter_that_starts_cold_joins_again_at_its_old_place():
    env, cell = prime_cell(3, DIAMOND, settings("1.3.6"))
    env.run(50.0)
    cell.cold_start([2])
    env.run(400.0)
    assert joined(cell) == {0, 1, 2}
    assert registered_once(cell)
    assert [cell.joined_s[k] for k in (0, 1)] == [0.0, 0.0]
    assert cell.joined_s[2] > 50.0 + cell.mac.search_s


def test_links_that_break_and_come_back():
    env, cell = prime_cell(2, chain(2), settings("1.3.6"))
    _, broken = prime_links(2, {(0, 2): (30.0, 30.0), (1, 0): (-60.0, -60.0)}, cell.mac)
    _, whole = prime_links(2, chain(2), cell.mac)
    env.run(10.0)
    cell.retune(broken)
    env.run(100.0)
    assert joined(cell) == {0}
    cell.retune(whole)
    env.run(600.0)
    assert joined(cell) == {0, 1}


def test_nobody_registers_over_a_link_that_works_one_way_only():
    one_way = {(0, 2): (30.0, 30.0), (1, 2): (-3.0, 30.0)}
    env, cell = prime_cell(2, one_way, settings("1.3.6"))
    env.run(1500.0)
    assert joined(cell) == {0}


def test_an_old_meter_finds_its_way_through_a_new_switch():
    mac = settings("1.4", legacy_share=0.5)
    env, cell = prime_cell(3, chain(3), mac, legacy=[False, True, True, False], cold=True)
    env.run(2500.0)
    assert cell.route(2) == [2, 1, 0, 3]
    assert registered_once(cell)


def test_an_old_terminal_does_not_understand_a_new_meter_that_asks_for_a_switch():
    mac = settings("1.4", legacy_share=0.5)
    env, cell = prime_cell(2, chain(2), mac, legacy=[True, False, False], cold=True)
    env.run(2500.0)
    assert joined(cell) == {0}


def test_more_meters_than_beacon_slots_wait_in_vain():
    mac = settings("1.3.6", max_switches=1)
    env, cell = prime_cell(3, chain(3), mac, cold=True)
    env.run(2000.0)
    assert joined(cell) == {0, 1}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_random_network_of_thirty_forms_and_everybody_is_registered_once(version):
    rng = np.random.default_rng(8)
    place = np.sort(rng.uniform(0.0, 6.0, 30))
    at = [*place, 0.0]
    pairs = {}
    for a in range(30):
        for b in range(a + 1, 31):
            margin = 12.0 - 6.0 * abs(at[a] - at[b])
            if margin > -30.0:
                pairs[a, b] = (margin, margin)
    env, cell = prime_cell(30, pairs, settings(version), mode="DBPSK_CC", cold=True)
    env.run(1500.0)
    assert joined(cell) == set(range(30))
    assert registered_once(cell)
    longest = max(len(cell.route(k)) - 1 for k in range(30))
    assert longest > 2
    switches = [node.relay.own for node in cell.nodes if node.state is State.SWITCH]
    assert len(set(switches)) == len(switches) == len(cell.places.slots) - 1
    balanced(cell.counters)
    before = cell.counters["control_frames"]
    env.run(env.now + cell.mac.alive_s)
    assert cell.counters["control_frames"] - before < 30 * 4 * longest


def test_both_ends_may_open_a_connection_at_once():
    env, cell = prime_cell(1, chain(1), settings("1.3.6"), cold=True)
    while 0 not in joined(cell):
        env.step()
    cell.base.records.of[0].confirmed = True
    process = cell.send(1, 0, bytes(1000))
    env.run(process)
    assert process.value == bytes(1000)
    assert connected(env, cell, 0, 1)
    env.run(env.now + 60.0)
    assert cell.counters["control_frames"] < 12


def test_a_node_that_takes_itself_for_a_switch_in_vain_is_told_so():
    env, cell = prime_cell(2, chain(2), settings("1.3.6", alive_code=0))
    cell.base.records.drop(cell.base.records.of[1])
    cell.base.records.retire(cell.base.records.of[0])
    assert cell.nodes[0].state is State.SWITCH
    env.run(cell.mac.alive_s + 1.0)
    assert cell.nodes[0].state is State.TERMINAL
    env.run(1000.0)
    assert cell.route(1) == [1, 0, 2]
    assert registered_once(cell)


def test_a_node_that_the_base_node_does_not_know_begins_anew():
    env, cell = prime_cell(1, chain(1), settings("1.3.6", alive_code=0))
    cell.base.records.drop(cell.base.records.of[0])
    env.run(400.0)
    assert registered_once(cell)
    assert joined(cell) == {0} == set(cell.base.records.of)
    assert cell.joined_s[0] > 0.0


@pytest.mark.parametrize("version", VERSIONS)
def test_a_connection_stands_for_a_confirmation_that_was_lost(version):
    """Else the base node forgets the node, which takes itself for registered until its keep-alive ends."""
    env, cell = prime_cell(1, chain(1), settings(version), cold=True)
    node = cell.nodes[0]
    heard = node.control
    node.control = lambda kind, payload: None if kind == REG and node.joined else heard(kind, payload)
    env.run(200.0)
    assert cell.base.records.of[0].confirmed
    assert registered_once(cell)
    assert connected(env, cell, 0, 1)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_loud_meter_that_hears_one_terminal_only_is_soon_served_over_it(version):
    """Eight terminals hear it equally well and offer themselves; the base node cannot know that it hears the last."""
    pairs = (
        {(k, 9): (30.0, 30.0) for k in range(8)} | {(8, k): (30.0, -30.0) for k in range(7)} | {(8, 7): (30.0, 30.0)}
    )
    env, cell = prime_cell(9, pairs, settings(version), cold=True)
    mac = cell.mac
    env.run(300.0 + 8 * (mac.forming.promotion_rest_s + mac.forming.promotion_wait_s) + mac.forming.offer_rest_s)
    assert cell.route(8) == [8, 7, 9]
    assert registered_once(cell)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_meter_that_cannot_be_helped_troubles_the_network_less_and_less(version):
    one_way = {(0, 2): (30.0, 30.0), (0, 1): (-30.0, 30.0)}
    env, cell = prime_cell(2, one_way, settings(version), cold=True)
    env.run(1800.0)
    early = cell.counters["control_frames"]
    env.run(6 * 3600.0)
    start = cell.counters["control_frames"]
    env.run(6.5 * 3600.0)
    assert joined(cell) == {0}
    assert cell.counters["control_frames"] - start < early


def test_addresses_are_never_given_twice_while_meters_come_and_go():
    pairs = [(a, b) for b in range(7) for a in range(b)]
    env, cell = prime_cell(6, pairs, settings("1.3.6", alive_code=0))
    rng = np.random.default_rng(3)
    for _ in range(12):
        meter = int(rng.integers(6))
        cell.fail(meter)
        env.run(env.now + float(rng.uniform(1.0, 150.0)))
        assert len({(r.switch, r.node) for r in cell.base.records.of.values()}) == len(cell.base.records.of)
        cell.restore(meter)
    env.run(env.now + 600.0)
    assert joined(cell) == set(range(6))
    assert registered_once(cell)
