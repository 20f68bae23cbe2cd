"""Whole PRIME cells after an outage: how soon everybody is registered, and how deep the trees are."""

from dataclasses import replace

import numpy as np
import pytest
import simpy
from amiplan.channels.draws import Draws
from amiplan.channels.powerline.scenarios import LineScenario
from amiplan.channels.scenario import Scenario
from amiplan.channels.technologies import technology
from made_cells import cell_of, random_area

WORLDS = {"1.3.6": {"version": "1.3.6"}, "1.4": {"version": "1.4"}, "mixed": {"version": "1.4", "legacy_share": 0.5}}


@pytest.mark.slow
@pytest.mark.parametrize("severity", ["quiet", "typical"])
@pytest.mark.parametrize("world", WORLDS)
def test_a_transformer_of_ninety_is_registered_within_minutes_on_a_tree_like_that_of_the_fast_tier(world, severity):
    tech = replace(technology("prime"), **WORLDS[world])
    scenario = Scenario(powerline=LineScenario(severity=severity))
    piece = cell_of(tech, random_area(31, 90), Draws(11), scenario=scenario)
    env, step, site = simpy.Environment(), piece.course[0], piece.paths.n_meters
    cell = tech.open_cell(env, piece.paths, step.quality, step.routes, 0, piece.draws)
    cell.fail(site)
    cell.cold_start(piece.members.tolist())
    cell.restore(site)
    shares = []
    for until_s in (600.0, 1800.0):
        env.run(until_s)
        shares.append(np.mean([np.isfinite(cell.joined_s[int(meter)]) for meter in piece.members]))
    assert shares[0] > 0.9
    assert shares[1] > 0.98
    hops = np.array([len(cell.route(int(meter))) - 1 for meter in piece.members])
    assert hops[hops > 0].mean() < 1.2 * step.routes.hops[piece.members].mean()
