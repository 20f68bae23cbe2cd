"""The part of luck in a count of served meters: its closed form, and whom it leaves out."""

import numpy as np
import pytest
from amiplan.planner.luck import below_by_luck, luck_of
from scipy.special import comb

N, LEVEL, AVAILABILITY = 45, 0.95, 0.995


def drawn(chance, n_meters, seed=1, n=N):
    """Meters that are read or not in each replication: mean and P90 with the backhaul, as a tally has them."""
    read = np.random.default_rng(seed).random((n, n_meters)) < chance
    p = AVAILABILITY * read
    return p.mean(axis=0), np.percentile(p, 90, axis=0)


def test_the_chance_of_one_meter_is_the_binomial_tail():
    miss = 1 - 0.979 / AVAILABILITY
    at_most_two = sum(comb(N, k) * miss**k * (1 - miss) ** (N - k) for k in range(3))
    assert below_by_luck(0.979, LEVEL, N, AVAILABILITY) == pytest.approx(1 - at_most_two)
    assert 1506 * below_by_luck(0.979, LEVEL, N, AVAILABILITY) == pytest.approx(54, abs=0.5)


def test_the_backhaul_counts_in_every_replication_and_is_no_draw():
    assert below_by_luck(0.979, LEVEL, N, 1.0) > below_by_luck(0.979, LEVEL, N, AVAILABILITY)
    assert below_by_luck(AVAILABILITY, LEVEL, N, AVAILABILITY) == 0.0
    assert below_by_luck(0.9, LEVEL, N, 0.9) == 1.0


def test_equal_meters_fall_below_as_often_as_is_expected():
    found = luck_of(*drawn(0.985, 40_000), LEVEL, N, AVAILABILITY)
    assert found.n_expected == pytest.approx(found.n_not_served, rel=0.15)
    assert found.n_unsure / found.n_not_served > 0.75
    assert found.mean == pytest.approx(0.985 * AVAILABILITY, abs=1e-3)


def test_more_replications_leave_less_to_luck():
    few, many = (luck_of(*drawn(0.985, 5_000, n=n), LEVEL, n, AVAILABILITY) for n in (23, 400))
    assert few.n_expected > 10 * many.n_expected


def test_meters_that_never_answer_are_left_out():
    p_read, p_high = drawn(0.985, 1_000)
    alone = luck_of(p_read, p_high, LEVEL, N, AVAILABILITY)
    dead = luck_of(np.append(p_read, np.zeros(200)), np.append(p_high, np.zeros(200)), LEVEL, N, AVAILABILITY)
    assert (dead.n_meters, dead.mean, dead.n_expected) == (alone.n_meters, alone.mean, alone.n_expected)
    assert dead.n_not_served == alone.n_not_served + 200
    assert dead.n_unsure == alone.n_unsure


@pytest.mark.parametrize("chance", [0.8, 0.93])
def test_meters_that_lie_below_the_level_by_what_they_are_are_not_luck(chance):
    assert luck_of(*drawn(chance, 5_000), LEVEL, N, AVAILABILITY).n_expected == 0.0


def test_frames_lost_in_every_replication_are_not_luck():
    p = np.full(1_000, 0.945)
    found = luck_of(p, p, LEVEL, N, AVAILABILITY)
    assert (found.n_unsure, found.n_expected, found.n_not_served) == (0, 0.0, 1_000)


def test_without_replications_there_is_no_luck():
    with pytest.raises(ValueError, match="at least one"):
        luck_of(np.ones(2), np.ones(2), LEVEL, 0, 1.0)
