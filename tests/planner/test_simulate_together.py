"""Replications done some at a time add up to what one after another gives, whoever does them."""

from dataclasses import fields, replace
from itertools import pairwise

import numpy as np
import pytest
from amiplan.channels.powerline.scenarios import LineScenario
from amiplan.channels.technologies.g3_plc import G3Plc
from amiplan.planner.areas import AreaTally
from amiplan.planner.simulate import PIECE_REPLICATIONS, share_of, simulate, together
from amiplan.planner.tally import Tally
from feeders import feeder
from hypothesis import given
from hypothesis import strategies as st
from patches import settings_of, task_of

REPLICATIONS, APART = 6, 4


@pytest.fixture(scope="module")
def task():
    settings = settings_of(LineScenario(severity="harsh"), REPLICATIONS)
    return replace(task_of(G3Plc(), feeder(8, step_m=60.0, areas=2), settings), n_apart=APART)


def same(one, other):
    """Sums of floats in another order differ in their last digits."""
    for field in fields(one):
        ours, its = getattr(one, field.name), getattr(other, field.name)
        if isinstance(ours, AreaTally):
            same(ours, its)
        elif ours is None or isinstance(ours, tuple):
            assert ours == its
        else:
            np.testing.assert_allclose(ours, its, rtol=1e-6, atol=1e-7, err_msg=field.name)


@pytest.fixture(scope="module")
def whole(task):
    return share_of(task, range(REPLICATIONS))


@pytest.mark.parametrize("ends", [(0, 6), (0, 1, 5, 6), (0, 4, 6)])
def test_pieces_add_up_to_the_whole(task, whole, ends):
    shares = [share_of(task, range(low, high)) for low, high in pairwise(ends)]
    same(Tally.together([one.tally for one in shares]), whole.tally)
    same(AreaTally.together([one.areas for one in shares]), whole.areas)
    assert whole.areas.first.read.shape[0] == APART
    assert [one.first is not None for one in shares] == [True] + [False] * (len(shares) - 1)


@given(st.integers(1, 60))
def test_pieces_cover_every_replication_once(task, n):
    pieces = replace(task, settings=replace(task.settings, replications=n)).pieces
    assert [number for piece in pieces for number in piece] == list(range(n))
    assert max(map(len, pieces)) <= PIECE_REPLICATIONS


def test_a_simulation_is_its_pieces(task):
    done = simulate(task)
    again = together(task, [share_of(task, numbers) for numbers in task.pieces])
    assert np.array_equal(done.deliveries.p_read_deadline, again.deliveries.p_read_deadline)
    assert done.areas is not None
    assert done.areas.p_arrive.shape[0] == REPLICATIONS
    assert done.areas.first.p_arrive.shape[0] == APART
    assert done.first.draws.replication == 0


def test_nobody_asks_for_areas(task):
    assert simulate(replace(task, transformer=None)).areas is None
