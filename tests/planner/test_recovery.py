"""The concentrator after a fault, over a cell of three lines of physics whose answers are known by hand."""

import numpy as np
import pytest
import simpy
from amiplan.channels.technology import DOWN, UP, Exchanges, Routes
from amiplan.planner.recovery import Talk, recover, talks_of
from toy_cell import BOOT_S, RATE_BPS, ToyCell

N = 4
TALK = Talk(((True, 100), (False, 400)), 20.0)
ONCE_S = 8 * 500 / RATE_BPS


def chain():
    """Meters one behind the other: meter 0 hangs on the concentrator, node 4."""
    parent = np.array([N, 0, 1, 2])
    rows = np.arange(N)
    return Routes(np.zeros(N, int), parent, rows, rows + 1, np.arange(N + 1), rows, np.zeros(N, np.int8))


def told(n_talks, *, hit=lambda cell: None, lost=(), until_s=3600.0, parallel=1, meters=range(N)):
    env = simpy.Environment()
    cell = ToyCell(env, chain(), N, lost)
    hit(cell)
    nodes = np.array(meters)
    talks = {int(node): [TALK] * n_talks for node in nodes}
    return recover(env, cell, N, nodes, talks, parallel=parallel, until_s=until_s)


def test_meters_that_never_left_are_read_in_turn():
    got = told(1)
    assert got.joined_s.tolist() == [0.0] * N
    assert got.all_s == pytest.approx(np.cumsum(ONCE_S * np.array([1, 2, 3, 4])))
    assert got.first_s == pytest.approx(got.all_s)


def test_nobody_is_read_before_it_joined_and_all_that_was_missed_takes_its_time():
    got = told(3, hit=lambda cell: cell.cold_start(range(N)))
    assert got.joined_s == pytest.approx(BOOT_S * np.array([1, 2, 3, 4]))
    assert (got.first_s > got.joined_s).all()
    assert got.all_s - got.first_s == pytest.approx(2 * ONCE_S * np.array([1, 2, 3, 4]))
    assert got.control_frames == N


def test_a_meter_out_of_reach_is_told_and_does_not_keep_the_others_waiting():
    got = told(1, lost=(3,), until_s=200.0)
    assert np.isfinite(got.all_s).tolist() == [True, True, True, False]
    assert got.all_s[:3].max() < TALK.timeout_s


def test_a_silent_relay_takes_all_behind_it_along():
    got = told(1, hit=lambda cell: cell.fail(1), until_s=100.0)
    assert np.isfinite(got.all_s).tolist() == [True, False, False, False]


def test_a_meter_that_never_joins_is_never_asked():
    def off(cell):
        cell.joined_s[2] = np.nan

    got = told(1, hit=off, until_s=100.0)
    assert np.isnan(got.joined_s[2])
    assert got.all_s[2] == np.inf


def test_two_at_a_time_share_one_line_and_are_no_slower():
    assert told(2, parallel=2).all_s.max() == pytest.approx(told(2).all_s.max())


def test_a_late_turn_is_lost():
    slow = Talk(((True, 10), (False, 40_000)), 20.0)
    env = simpy.Environment()
    got = recover(env, ToyCell(env, chain(), N), N, np.array([0]), {0: [slow]}, parallel=1, until_s=90.0)
    assert got.all_s[0] == np.inf


def test_what_a_meter_says_is_its_legs():
    columns = {
        "exchange": [0, 0, 3, 3], "leg": [0, 1, 0, 1], "meter": [0, 0, 0, 0], "service": [0, 0, 1, 1],
        "direction": [DOWN, UP, DOWN, UP], "bytes": [50, 60, 50, 900], "depends_on": [-1, 0, -1, 0],
        "not_before_s": [0.0] * 4, "timeout_s": [10.0, 10.0, 20.0, 20.0], "tries": [1, 1, 1, 1],
    }  # fmt: skip
    legs = Exchanges(**{k: np.array(v) for k, v in columns.items()}, services=("a", "b"), window_s=(1.0, 1.0))
    assert talks_of(legs, 0) == [Talk(((True, 50), (False, 60)), 10.0), Talk(((True, 50), (False, 900)), 20.0)]
    assert talks_of(legs, 1) == []
