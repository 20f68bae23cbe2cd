"""A feeder that changes its transformer: what moves, what stays, and that nothing gets lost on the way."""

import numpy as np
import pytest
from amiplan.channels.draws import Draws
from amiplan.channels.paths import CablePaths
from amiplan.channels.powerline.cables import cable_named
from amiplan.channels.powerline.pairs import area_pairs
from amiplan.channels.routing.cable_links import area_of_nodes
from amiplan.channels.scenario import Scenario
from amiplan.channels.technologies.g3_plc import G3Plc
from amiplan.planner.switching import feeders, moved_feeder, nearest_tie
from hypothesis import given, settings
from hypothesis import strategies as st

CABLE = cable_named("NAYY 4x150 SE")


def streets(branches, *, step_m=30.0, keys=None):
    """Areas side by side, each a bus with straight feeders of so many houses; ``branches[area]`` are their lengths.

    Area ``a`` has its bus at (1000 a, 0); feeder ``f`` runs to the east at the height of 200 f. Every house is a node.
    """
    edges, xy, owner, meter, bus = [], [], [], [], []
    for area, lengths in enumerate(branches):
        bus.append(len(xy))
        xy.append((1000.0 * area, 0.0))
        owner.append(area)
        for number, length in enumerate(lengths):
            for house in range(length):
                edges.append((bus[-1] if house == 0 else len(xy) - 1, len(xy)))
                meter.append(len(xy))
                xy.append((1000.0 * area + step_m * (house + 1), 200.0 * number))
                owner.append(area)
    start, end = np.array(edges).T
    lengths_m, feeder_area = np.full(len(edges), step_m), np.array(owner)
    pairs = area_pairs(start, end, lengths_m, feeder_area, np.array(meter), np.array(bus), 1e6)
    n, n_sites = len(meter), len(bus)
    paths = CablePaths(
        start, end, lengths_m, np.zeros(len(edges), np.int16), (CABLE,), feeder_area, np.array(meter), np.array(bus),
        np.full(n_sites, 400.0), np.full(n, 3, np.int8), *pairs,
        np.arange(1, n + n_sites + 1).astype(np.uint64) if keys is None else keys, n, n_sites,
    )  # fmt: skip
    return paths, np.array(xy)


def test_a_feeder_is_what_stays_together_without_the_bus():
    paths, _ = streets([[3, 2], [4]])
    number = feeders(paths, 0)
    assert np.flatnonzero(number < 0).tolist() == [0, 6, 7, 8, 9, 10]
    assert len(set(number[1:4])) == len(set(number[4:6])) == 1
    assert number[1] != number[4]


def test_the_nearest_pair_joins_two_areas_and_never_at_the_bus_that_gives():
    paths, xy = streets([[3, 32], [4]])
    tie = nearest_tie(paths, xy, 0)
    assert tie.other == 1
    assert xy[tie.here].tolist() == [960.0, 200.0]
    assert xy[tie.there].tolist() == [1000.0, 0.0]
    back = nearest_tie(paths, xy, 1)
    assert back.other == 0
    assert paths.feeder_area[back.here] == 1
    assert back.here != paths.site_feeder_node[1]


def test_a_named_neighbour_is_taken_though_another_is_nearer():
    paths, xy = streets([[20], [3], [3]])
    assert nearest_tie(paths, xy, 0).other == 1
    assert nearest_tie(paths, xy, 0, 2).other == 2


@pytest.mark.parametrize("branches", [[[3]], [[], [3]]])
def test_without_a_neighbour_or_without_meters_nothing_can_be_moved(branches):
    paths, xy = streets(branches)
    assert nearest_tie(paths, xy, 0) is None


def test_nodes_without_a_place_are_no_ends_of_a_tie():
    paths, xy = streets([[20], [3]])
    xy[1:20] = np.nan
    assert nearest_tie(paths, xy, 0).here == 20


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.integers(1, 6), min_size=1, max_size=3), min_size=2, max_size=4), st.integers(0, 3))
def test_moving_conserves_meters_nodes_and_edges(branches, asked):
    paths, xy = streets(branches)
    site = asked % len(branches)
    tie = nearest_tie(paths, xy, site)
    after, moved = moved_feeder(paths, site, tie, CABLE, 1e6)
    before_area, after_area = (area_of_nodes(one)[: paths.n_meters] for one in (paths, after))
    assert np.array_equal(np.where(moved, tie.other, before_area), after_area)
    assert moved.sum() in branches[site]
    assert after.edge_from.size == paths.edge_from.size
    assert np.array_equal(after.feeder_area[after.edge_from], after.feeder_area[after.edge_to])
    size = np.bincount(after_area, minlength=len(branches)) + 1
    assert after.n_links == (size * (size - 1) // 2).sum()
    assert np.array_equal(after.node_key, paths.node_key)


def test_the_way_over_the_tie_is_as_long_as_its_cables():
    paths, xy = streets([[3], [4]], step_m=250.0)
    tie = nearest_tie(paths, xy, 0)
    after, moved = moved_feeder(paths, 0, tie, cable_named("NAYY 4x50 SE"), 1e6)
    assert moved.tolist() == [True] * 3 + [False] * 4
    assert len(after.cables) == 2
    site = paths.n_meters + 1
    link = np.flatnonzero((after.to_node == site) & (after.from_node == 0))[0]
    there_m = xy[tie.there, 0] - 1000.0
    assert after.distance_m[link] == pytest.approx(500.0 + tie.distance_m + there_m)


def test_an_open_point_is_closed_over_the_shortest_length():
    paths, xy = streets([[3], [4]])
    xy[3] = xy[7]
    tie = nearest_tie(paths, xy, 0)
    assert (tie.here, tie.there, tie.distance_m) == (3, 7, 0.0)
    after, _ = moved_feeder(paths, 0, tie, CABLE, 1e6)
    assert after.edge_length_m[-1] == 1.0


def test_what_stays_draws_the_same_phases_and_noise():
    """Links among meters that did not move, in an area that keeps all it had, are the same after as before."""
    paths, xy = streets([[3], [3], [3, 4]])
    tie = nearest_tie(paths, xy, 0)
    after, _ = moved_feeder(paths, 0, tie, CABLE, 1e6)
    aside = 3 - tie.other
    both = [G3Plc().assess(one, Scenario(), Draws(3)) for one in (paths, after)]
    sets = []
    for one, quality in zip((paths, after), both, strict=True):
        inside = area_of_nodes(one)[one.from_node] == aside
        order = np.lexsort((one.to_node[inside], one.from_node[inside]))
        sets.append(quality.snr_up_db[inside][order])
    assert sets[0].size
    assert np.allclose(sets[0], sets[1])
