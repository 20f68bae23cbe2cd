from __future__ import annotations

import itertools

import numpy as np
import pytest
from amiplan.channels.technology import Reach
from amiplan.planner.covering import cover, covering_rows, greedy, merged, reached_ratio, thinned
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array


def rows_of(matrix: list[list[int]]) -> csr_array:
    return csr_array(np.array(matrix, float))


def choose(matrix: list[list[int]], target: float = 1.0, fixed: tuple[int, ...] = ()) -> np.ndarray:
    rows = rows_of(matrix)
    n_sites = rows.shape[1]
    held = np.isin(np.arange(n_sites), fixed)
    allowed = np.ones(n_sites, bool)
    return cover(rows, np.ones(n_sites), held, allowed, target=target, at_least=1, gap=0.0).built


def test_the_least_number_of_sites_is_found() -> None:
    # One site in the middle reaches all; greedy by gain would also take it first.
    assert choose([[1, 0, 1], [1, 0, 1], [0, 1, 1], [0, 1, 1]]).tolist() == [False, False, True]


def test_greedy_trap_is_avoided() -> None:
    # The largest set first forces three sites; two suffice.
    matrix = [[1, 0, 1], [1, 0, 1], [1, 0, 0], [0, 1, 1], [0, 1, 1], [0, 1, 0]]
    assert choose(matrix).tolist() == [True, True, False]


def test_a_fixed_site_is_built() -> None:
    assert choose([[1, 1], [1, 1]], fixed=(1,)).tolist() == [False, True]


def test_target_may_leave_the_last_meter() -> None:
    matrix = [[1, 0]] * 9 + [[0, 1]]
    assert choose(matrix, target=0.9).sum() == 1
    assert choose(matrix, target=0.95).sum() == 2


def test_merging_keeps_the_demand() -> None:
    rows, demand = merged(rows_of([[1, 0], [1, 0], [0, 1], [1, 1]]))
    assert rows.shape[0] == 3
    assert demand.tolist() == [2.0, 1.0, 1.0]


def test_two_sites_that_help_in_different_replications_count_together() -> None:
    reaches = [Reach(np.array([0]), np.array([0]), np.ones(1)), Reach(np.array([1]), np.array([0]), np.ones(1))]
    rows = covering_rows(reaches, 1, 2, np.ones(2, bool))
    assert rows.toarray().tolist() == [[1, 0], [0, 1]]


def test_thinning_follows_the_key_and_not_the_row() -> None:
    rows = csr_array(np.ones((40, 1)))
    keys = np.arange(40, dtype=np.uint64)
    kept = set(keys[thinned(rows, keys, 10)].tolist())
    shuffled = keys[::-1].copy()
    assert set(shuffled[thinned(rows, shuffled, 10)].tolist()) == kept
    assert len(kept) == 10


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.integers(0, 1), min_size=4, max_size=4), min_size=1, max_size=8))
def test_the_choice_is_as_small_as_brute_force(matrix: list[list[int]]) -> None:
    matrix = [row for row in matrix if any(row)] or [[1, 0, 0, 0]]
    array = np.array(matrix)
    smallest = next(
        size
        for size in range(1, 5)
        for subset in itertools.combinations(range(4), size)
        if array[:, subset].any(axis=1).all()
    )
    assert choose(matrix).sum() == smallest


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.integers(0, 1), min_size=5, max_size=5), min_size=1, max_size=10))
def test_greedy_meets_the_target_too(matrix: list[list[int]]) -> None:
    rows, demand = merged(rows_of(matrix))
    reachable = demand[np.asarray(rows.sum(axis=1)).ravel() > 0].sum()
    built = greedy(rows, demand, np.ones(5), np.zeros(5, bool), np.ones(5, bool), reachable)
    covered = demand[np.asarray(rows[:, np.flatnonzero(built)].sum(axis=1)).ravel() > 0].sum()
    assert covered == reachable


def test_nothing_reachable_builds_nothing() -> None:
    none, every = np.zeros(3, bool), np.ones(3, bool)
    plan = cover(csr_array((0, 3)), np.ones(3), none, every, target=1.0, at_least=1, gap=0.0)
    assert not plan.built.any()
    assert reached_ratio(csr_array((0, 3)), every) == 0.0


@pytest.mark.parametrize("target", [0.5, 0.9, 1.0])
def test_a_higher_target_never_builds_less(target: float) -> None:
    matrix = [[1, 0, 0]] * 5 + [[0, 1, 0]] * 3 + [[0, 0, 1]]
    assert choose(matrix, target).sum() >= choose(matrix, 0.3).sum()
