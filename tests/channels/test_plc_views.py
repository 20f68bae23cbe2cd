"""What the views of a feeder say of pairs that the study did not look at."""

import dataclasses

import numpy as np
import pytest
from amiplan.channels.draws import Draws
from amiplan.channels.powerline.views import feeder_view
from amiplan.channels.scenario import Scenario
from amiplan.channels.technologies.g3_plc import G3Plc
from feeders import feeder

TECH = G3Plc()
DRAWS = Draws(3, 1)


def seen(paths):
    return feeder_view(paths, TECH, TECH.adaptation(TECH.state_of_bin, TECH.mains_hz), Scenario(), DRAWS, 0)


@pytest.mark.parametrize("extra_edges", [(), [(1, 9, 500.0), (1, 9, 30.0)]])  # a tree, and parallel cables in a loop
def test_a_pair_that_is_no_link_has_its_cable_but_no_mode(extra_edges):
    paths = feeder(8, phases=1, extra_edges=extra_edges)
    near = paths.distance_m <= 150
    cut = dataclasses.replace(
        paths, from_node=paths.from_node[near], to_node=paths.to_node[near], distance_m=paths.distance_m[near]
    )
    full, short = seen(paths), seen(cut)
    site = short.node == paths.n_meters
    assert np.isfinite(short.distance_m).all()
    np.testing.assert_allclose(short.distance_m, full.distance_m)
    np.testing.assert_array_equal(short.node, full.node)
    np.testing.assert_array_equal(short.linked, (short.distance_m <= 150) & ~site)
    assert short.linked.any()
    assert (~short.linked & ~site).any()
    assert (full.mode_up[~short.linked & ~site] >= 0).any()
    assert (short.mode_up[~short.linked] == -1).all()
    assert (short.mode_down[~short.linked] == -1).all()
    np.testing.assert_array_equal(short.mode_up[short.linked], full.mode_up[short.linked])
    np.testing.assert_array_equal(short.mode_down[short.linked], full.mode_down[short.linked])
    np.testing.assert_allclose(short.loss_db, full.loss_db)
