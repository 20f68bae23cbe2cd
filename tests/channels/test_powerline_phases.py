"""Phases that the map does not know, single-phase branches, and the blocks that areas are solved in."""

import dataclasses

import numpy as np
import pytest
from amiplan.channels.draws import Draws, mix
from amiplan.channels.powerline.cables import cable_named
from amiplan.channels.powerline.phases import ALL_PHASES, branches, coupled_phases, draw_phases
from amiplan.channels.powerline.plans import plans, survey
from feeders import feeder

ONE = {"phase_model": True, "site_phases": 3, "meter_coupler_phases": 1}
TWO_CORE = dataclasses.replace(cable_named("NAYY 4x50"), name="service", n_phases=1)


def with_services(paths, two_core_edges=None):
    """The same feeder with two-core cables at the given edges (all services)."""
    edges = np.flatnonzero(paths.edge_cable == 1) if two_core_edges is None else np.asarray(two_core_edges)
    cable = np.zeros_like(paths.edge_cable)
    cable[edges] = 1
    return dataclasses.replace(paths, cables=(paths.cables[0], TWO_CORE), edge_cable=cable)


def drawn(paths, replication=0, **change):
    return draw_phases(paths, branches(paths), Draws(5, replication), **{**ONE, **change})


def test_phases_are_even_and_three_phase_meters_take_all():
    paths = feeder(900, phases=1)
    paths = dataclasses.replace(paths, meter_phases=np.where(np.arange(900) < 700, 1, 3).astype(np.int8))
    phases = drawn(paths)
    assert np.all(phases.load[700:] == ALL_PHASES)
    np.testing.assert_allclose(np.bincount(phases.load[:700]) / 700, 1 / 3, atol=0.06)
    np.testing.assert_array_equal(phases.coupler[:700], phases.load[:700])
    np.testing.assert_allclose(np.bincount(phases.coupler[700:900]) / 200, 1 / 3, atol=0.12)
    assert np.all(phases.coupler[900:] == ALL_PHASES)
    assert drawn(paths, site_phases=1).coupler[900] in (0, 1, 2)
    assert np.all(drawn(paths, meter_coupler_phases=3).coupler[700:900] == ALL_PHASES)
    assert np.mean(drawn(paths, 1).load[:700] != phases.load[:700]) > 0.5
    one = drawn(paths, phase_model=False)
    assert one.n_phases == 1
    assert not one.load.any()
    assert not one.coupler.any()


def test_a_service_alone_keeps_the_phase_of_its_meter():
    paths = feeder(20, phases=1)
    plain, two_core = drawn(paths), drawn(with_services(paths))
    np.testing.assert_array_equal(plain.load, two_core.load)
    assert np.all(plain.edge == -1)
    service = np.flatnonzero(with_services(paths).edge_cable == 1)
    np.testing.assert_array_equal(two_core.edge[service], two_core.load)
    assert np.all(np.delete(two_core.edge, service) == -1)


def test_all_that_hangs_on_a_two_core_cable_shares_its_phase():
    # the fourth joint is fed by two-core cable: four meters of six share a phase, three-phase meters among them
    paths = with_services(feeder(6, phases=1, keys=mix(np.arange(7, dtype=np.uint64))), [4])
    paths = dataclasses.replace(paths, meter_phases=np.array([1, 1, 1, 3, 1, 1], np.int8))
    found = branches(paths)
    assert found.key.tolist() == [int(paths.node_key[2:6].min())]
    for replication in range(5):
        phases = drawn(paths, replication)
        assert np.unique(phases.load[2:]).size == 1
        assert np.all(phases.edge[4:] == phases.load[2])
        assert np.all(phases.edge[:4] == -1)
        np.testing.assert_array_equal(phases.coupler[2:6], phases.load[2:])


def test_two_branches_at_one_joint_are_drawn_apart_and_a_bridge_is_one_too():
    paths = feeder(2, phases=1, extra_edges=[(1, 3, 30.0)])
    split = branches(with_services(paths, [1, 3]))
    assert split.key.size == 2
    bridge = with_services(paths, [4])
    assert branches(bridge).key.tolist() == [0]
    assert drawn(bridge).edge.tolist() == [-1, -1, -1, -1, 0]


def test_shuffled_rows_have_the_same_phases():
    paths = with_services(feeder(12, phases=1, areas=2))
    order = np.random.default_rng(1).permutation(paths.edge_from.size)
    shuffled = dataclasses.replace(
        paths, **{name: getattr(paths, name)[order] for name in ("edge_from", "edge_to", "edge_length_m", "edge_cable")}
    )
    np.testing.assert_array_equal(drawn(shuffled).load, drawn(paths).load)
    np.testing.assert_array_equal(drawn(shuffled).edge, drawn(paths).edge[order])


@pytest.mark.parametrize(
    ("change", "words"),
    [({"site_phases": 2}, "site_phases = 2"), ({"meter_coupler_phases": 0}, "meter_coupler_phases")],
)
def test_couplers_with_other_numbers_of_phases_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        drawn(feeder(2), **change)


def test_meters_with_two_phases_are_refused():
    with pytest.raises(ValueError, match="meter 1 has 2 phases; give 1 or 3"):
        drawn(dataclasses.replace(feeder(2), meter_phases=np.array([1, 2])))


def test_coupled_phases():
    np.testing.assert_array_equal(coupled_phases(np.array([1, ALL_PHASES]), 3), [[False, True, False], [True] * 3])
    np.testing.assert_array_equal(coupled_phases(np.array([0]), 1), [[True]])


def test_every_link_stands_in_one_block_with_its_ends():
    paths = feeder(7, areas=5)
    made = plans(paths, np.array([50e3]))
    seen = []
    for block in range(len(made)):
        plan = made[block]
        owner = np.repeat(np.arange(plan.area.size), np.diff(plan.link_start))
        for end, rows in ((paths.from_node, plan.first), (paths.to_node, plan.second)):
            np.testing.assert_array_equal(plan.member[plan.member_start[owner] + rows], end[plan.link])
        terminal = np.concatenate([paths.meter_feeder_node, paths.site_feeder_node])
        np.testing.assert_array_equal(plan.node[plan.place], terminal[plan.member])
        np.testing.assert_array_equal(plan.node[plan.bus], paths.site_feeder_node[plan.area])
        seen.append(plan.link)
    np.testing.assert_array_equal(np.sort(np.concatenate(seen)), np.arange(paths.n_links))
    assert plans(paths, np.array([50e3])) is made


def test_areas_with_loops_stand_alone_and_dead_islands_nowhere():
    paths = feeder(4, areas=3, extra_edges=[(0, 7, 30.0)])
    what = survey(paths)
    assert [block.tolist() for block in what.blocks] == [[0], [1, 2]]
    assert what.looped.tolist() == [True, False, False]
    cut = dataclasses.replace(paths, site_feeder_node=np.array([0, -1, 18]))
    assert [block.tolist() for block in survey(cut).blocks] == [[0], [2]]
    keep = np.arange(paths.edge_from.size) != 11
    broken = dataclasses.replace(
        paths, **{n: getattr(paths, n)[keep] for n in ("edge_from", "edge_to", "edge_length_m", "edge_cable")}
    )
    assert survey(broken).node.count.tolist() == [9, 3, 9]


def test_phases_that_the_map_tells_are_kept_in_every_replication():
    paths = feeder(60, phases=1)
    told = np.where(np.arange(60) % 2 == 0, np.arange(60) % 3, -1).astype(np.int8)
    known = dataclasses.replace(paths, meter_phase=told)
    for replication in (0, 1):
        plain, kept = drawn(paths, replication), drawn(known, replication)
        np.testing.assert_array_equal(kept.load[told >= 0], told[told >= 0])
        np.testing.assert_array_equal(kept.coupler[:60], kept.load)
        np.testing.assert_array_equal(kept.load[told < 0], plain.load[told < 0])
    three = dataclasses.replace(known, meter_phases=np.full(60, 3, np.int8))
    assert np.all(drawn(three).load == ALL_PHASES)
    np.testing.assert_array_equal(drawn(three).coupler[:60][told >= 0], told[told >= 0])
    assert not drawn(known, phase_model=False).load.any()


def test_a_two_core_cable_takes_the_phase_told_of_its_meter():
    paths = with_services(feeder(20, phases=1))
    told = np.where(np.arange(20) < 10, 2, -1).astype(np.int8)
    phases = drawn(dataclasses.replace(paths, meter_phase=told))
    assert np.all(phases.load[:10] == 2)
    np.testing.assert_array_equal(phases.load[10:], drawn(paths).load[10:])
    edges = branches(paths).of_edge >= 0
    np.testing.assert_array_equal(np.bincount(phases.edge[edges], minlength=3), np.bincount(phases.load, minlength=3))
    shared = with_services(feeder(20, phases=1), np.arange(feeder(20, phases=1).edge_from.size))
    every = drawn(dataclasses.replace(shared, meter_phase=np.where(np.arange(20) == 5, 0, told).astype(np.int8)))
    assert np.all(every.load == 2)
