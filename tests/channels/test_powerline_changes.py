"""Changes of a network: areas alone, added modems, filters, couplers, and noise taken apart by customer."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from amiplan.channels.draws import Draws
from amiplan.channels.paths import ON_ALL_PHASES
from amiplan.channels.powerline.cables import CABLES
from amiplan.channels.powerline.channel import drawn_phases
from amiplan.channels.powerline.parts import linked_among, part_of, with_links, with_repeaters
from amiplan.channels.powerline.phases import ALL_PHASES, branches
from amiplan.channels.powerline.sources import noise_sources
from amiplan.channels.scenario import Scenario
from amiplan.channels.technologies.g3_plc import G3Plc
from feeders import feeder

TECH = G3Plc()
LOUD = replace(TECH, emitter_ratio=1.0)
DRAWS = Draws(11, 2)
KEYS = np.array([10**9 + 1], np.uint64)


def assessed(paths, technology=TECH):
    return technology.assess(paths, Scenario(), DRAWS)


def same(one, other, rows):
    for item in fields(one):
        np.testing.assert_array_equal(getattr(one, item.name)[rows], getattr(other, item.name), err_msg=item.name)


def phases_of(paths, technology=TECH):
    return drawn_phases(paths, branches(paths), technology.channel(Scenario()), DRAWS)


@pytest.mark.parametrize("sites", [[1], [0, 2], [2, 1, 0]])
def test_areas_alone_are_what_they_are_within_the_whole(sites):
    paths = feeder(5, 60.0, areas=3, phases=1)
    part = part_of(paths, np.array(sites))
    assert part.site.tolist() == sorted(sites)
    assert part.paths.n_meters == 5 * len(sites)
    np.testing.assert_array_equal(part.paths.node_key[: part.paths.n_meters], paths.node_key[part.meter])
    same(assessed(paths), assessed(part.paths), part.link)


def test_a_looped_area_alone_too():
    paths = feeder(5, 60.0, areas=2, extra_edges=((1, 9, 80.0),))
    part = part_of(paths, np.array([0]))
    same(assessed(paths), assessed(part.paths), part.link)


@pytest.mark.parametrize("extra", [(), ((1, 9, 80.0),)])
def test_links_left_out_change_no_other_link(extra):
    paths = feeder(6, 60.0, phases=1, extra_edges=extra)
    few = linked_among(paths, np.array([1, 4, 6]))
    assert few.n_links == 3
    rows = np.flatnonzero(np.isin(paths.from_node, [1, 4, 6]) & np.isin(paths.to_node, [1, 4, 6]))
    same(assessed(paths, LOUD), assessed(few, LOUD), rows)
    same(assessed(paths, LOUD), assessed(with_links(paths, rows), LOUD), rows)


def test_columns_of_meters_go_with_their_areas():
    paths = feeder(2, areas=2)
    paths = replace(
        paths,
        meter_class=np.arange(4, dtype=np.int8),
        meter_phase=np.array([0, 1, 2, 0], np.int8),
        node_coupler=np.array([-1, 3, 0, 1, 2, 3], np.int8),
        meter_bare=np.array([True, False, False, True]),
        meter_filter_db=np.arange(4.0),
        meter_filter_ohm=np.arange(4.0) + 1,
    )
    cut = part_of(paths, np.array([1])).paths
    assert cut.meter_class.tolist() == [2, 3]
    assert cut.meter_phase.tolist() == [2, 0]
    assert cut.node_coupler.tolist() == [0, 1, 3]
    assert cut.meter_bare.tolist() == [False, True]
    assert cut.meter_filter_db.tolist() == [2.0, 3.0]
    assert cut.meter_filter_ohm.tolist() == [3.0, 4.0]


@pytest.mark.parametrize("site", [-1, 2])
def test_a_site_that_does_not_exist_is_refused(site):
    with pytest.raises(ValueError, match=f"site {site} does not exist"):
        part_of(feeder(2, areas=2), np.array([0, site]))


def test_a_repeater_loads_the_line_like_a_modem_that_listens():
    paths = feeder(6, 60.0, phases=1)
    with_one = with_repeaters(paths, np.array([5]), KEYS, 1e6)
    assert (with_one.n_meters, with_one.n_links) == (7, paths.n_links + 7)
    assert with_one.meter_bare.tolist() == [False] * 6 + [True]
    assert with_one.node_key.tolist() == [1, 2, 3, 4, 5, 6, int(KEYS[0]), 7]
    before, after = assessed(paths), assessed(with_one)
    old = np.flatnonzero((with_one.from_node != 6) & (with_one.to_node != 6))
    assert np.abs(after.loss_db[old] - before.loss_db).max() < 1.0
    customer = replace(with_one, meter_bare=np.zeros(7, bool))
    assert np.abs(assessed(customer).loss_db[old] - before.loss_db).max() > 2.0


def test_a_repeater_stands_on_all_phases_and_draws_none_for_its_branch():
    paths = feeder(3, 40.0, phases=1)
    # the last service is a two-core cable
    single = replace(
        paths,
        cables=(*paths.cables, next(cable for cable in CABLES.values() if cable.n_phases == 1)),
        edge_cable=np.where(paths.edge_to == 6, 2, paths.edge_cable).astype(np.int16),
    )
    before = phases_of(single)
    lowest = np.array([0, 0], np.uint64)
    after = phases_of(with_repeaters(single, np.array([5, 6]), lowest, 1e6))
    np.testing.assert_array_equal(after.load[:3], before.load)
    np.testing.assert_array_equal(after.edge, before.edge)
    assert after.coupler[3] == ALL_PHASES
    assert after.coupler[4] == before.load[2]


def test_a_coupler_of_its_own():
    paths = feeder(2, phases=3)
    told = replace(paths, node_coupler=np.array([ON_ALL_PHASES, 2, 1], np.int8))
    assert phases_of(told).coupler.tolist() == [ALL_PHASES, 2, 1]
    free = replace(paths, node_coupler=np.full(3, -1, np.int8))
    np.testing.assert_array_equal(phases_of(free).coupler, phases_of(paths).coupler)
    with pytest.raises(ValueError, match="meter 1 has one phase"):
        phases_of(replace(told, meter_phases=np.array([3, 1], np.int8)))


def test_a_filter_takes_emissions_and_loads_off_the_line():
    paths = feeder(4, 60.0, phases=1)
    host = int(noise_sources(paths, LOUD, Scenario(), DRAWS, 0, np.array([4])).host[0])
    own = np.arange(4) == host
    quieter = replace(paths, meter_filter_db=30.0 * own)
    found = noise_sources(quieter, LOUD, Scenario(), DRAWS, 0, np.array([host]))
    before = noise_sources(paths, LOUD, Scenario(), DRAWS, 0, np.array([host]))
    mine = found.host == host
    assert found.cost_db[0, mine] < before.cost_db[0, mine]
    lighter = assessed(replace(paths, meter_filter_ohm=1e6 * own))
    to_host = (paths.from_node == host) & (paths.to_node == 4)
    assert lighter.loss_db[to_host] < assessed(paths).loss_db[to_host]
    none = replace(paths, meter_filter_db=np.zeros(4), meter_filter_ohm=np.zeros(4))
    same(assessed(paths, LOUD), assessed(none, LOUD), slice(None))


def test_noise_is_taken_apart_without_rest():
    paths = feeder(5, 60.0, phases=1)
    found = noise_sources(paths, LOUD, Scenario(), DRAWS, 0, np.array([0, 5]))
    assert found.cost_db.shape == (2, found.host.size)
    assert (found.cost_db >= 0).all()
    # each alone costs at most what all cost together
    assert (found.cost_db.max(axis=1) <= found.emitted_db + 1e-9).all()
    silent = noise_sources(paths, replace(TECH, emitter_ratio=0.0), Scenario(), DRAWS, 0, np.array([0]))
    assert silent.host.size == 0
    assert silent.emitted_db.tolist() == [0.0]


def test_the_only_source_costs_what_its_silence_brings():
    paths = replace(feeder(4, 60.0, phases=1), meter_bare=np.array([True, True, False, True]))
    found = noise_sources(paths, LOUD, Scenario(), DRAWS, 0, np.array([1, 3]))
    assert set(found.host.tolist()) <= {2}
    if found.host.size:
        np.testing.assert_allclose(found.cost_db[:, 0], found.emitted_db)


def test_a_receiver_of_another_area_is_refused():
    with pytest.raises(ValueError, match="node 3 is not in the area of site 0"):
        noise_sources(feeder(2, areas=2), TECH, Scenario(), DRAWS, 0, np.array([3]))
