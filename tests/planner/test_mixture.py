"""Time of a read over replications: closed forms of the mixture, and what the tally makes of drawn turns."""

import numpy as np
import pytest
from amiplan.planner import mixture
from amiplan.planner.mixture import mixture_quantile_s
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import lognorm, norm

Z95 = norm.ppf(0.95)


def alike(p50_s, p95_s, n=45):
    return np.full((n, 1), p50_s), np.full((n, 1), p95_s), np.ones((n, 1))


def test_replications_that_are_alike_give_their_own_quantiles():
    columns = alike(12.5, 61.3)
    assert mixture_quantile_s(*columns, 0.95).tolist() == [61.3]
    assert mixture_quantile_s(*columns, 0.5) == pytest.approx([12.5])


def test_two_far_apart_ones_without_spread_are_told_by_their_weights():
    times_s = np.array([[10.0], [1000.0]])
    even, rare = np.ones((2, 1)), np.array([[0.96], [0.04]])
    assert mixture_quantile_s(times_s, times_s, even, 0.95).tolist() == [1000.0]
    assert mixture_quantile_s(times_s, times_s, even, 0.4) == pytest.approx([10.0], abs=1e-3)
    assert mixture_quantile_s(times_s, times_s, rare, 0.95) == pytest.approx([10.0], abs=1e-3)


def test_uniform_turns_are_over_for_95_reads_of_100_at_095_of_the_time():
    """45 turns, each with a spread of two percent: the median of the P95 of each would be near half the time."""
    turns_s = (np.arange(45)[:, None] + 0.5) / 45 * 400.0
    late_s = mixture_quantile_s(turns_s, 1.02 * turns_s, np.ones((45, 1)), 0.95)
    assert late_s == pytest.approx([0.95 * 400.0], rel=0.015)
    assert mixture_quantile_s(turns_s, 1.02 * turns_s, np.ones((45, 1)), 0.5) == pytest.approx([200.0], rel=0.015)


def test_a_log_normal_of_log_normals_is_a_log_normal():
    """Medians drawn with spread s1 and reads with s2 around them: together the root of the sum of their squares."""
    s1, s2, n = 0.6, 0.3, 400
    middle = 50.0 * np.exp(s1 * norm.ppf((np.arange(n)[:, None] + 0.5) / n))
    found = mixture_quantile_s(middle, middle * np.exp(Z95 * s2), np.ones((n, 1)), 0.95)
    assert found == pytest.approx([lognorm(np.hypot(s1, s2), scale=50.0).ppf(0.95)], rel=0.005)


def test_only_replications_that_read_count():
    p50_s, p95_s = (
        np.array([[5.0, np.inf], [np.inf, np.inf], [700.0, 3.0]]),
        np.array([[9.0, np.inf], [np.inf] * 2, [800.0, 4.0]]),
    )
    weight = np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    assert mixture_quantile_s(p50_s, p95_s, weight, 0.95).tolist() == [9.0, np.inf]


@given(st.integers(1, 12), st.integers(1, 20), st.integers(0, 10**6))
def test_it_lies_between_the_replications_whatever_their_order_and_the_pieces(n, n_meters, seed):
    rng = np.random.default_rng(seed)
    p50_s = rng.lognormal(3.0, 1.5, (n, 2, n_meters)).astype(np.float32)
    p95_s = p50_s * rng.choice([1.0, 1.5, 4.0], p50_s.shape).astype(np.float32)
    weight = rng.choice([0.3, 1.0], p50_s.shape).astype(np.float32)
    found = mixture_quantile_s(p50_s, p95_s, weight, 0.95)
    assert found.shape == (2, n_meters)
    assert (found >= p95_s.min(axis=0)).all()
    assert (found <= p95_s.max(axis=0)).all()
    assert (found >= mixture_quantile_s(p50_s, p95_s, weight, 0.5) - 1e-3).all()
    again = mixture_quantile_s(p50_s[::-1], p95_s[::-1], weight[::-1], 0.95)
    np.testing.assert_allclose(again, found, rtol=1e-4)


def test_more_columns_than_a_piece_are_all_solved(monkeypatch):
    times_s = np.arange(1.0, 24.0).reshape(1, 1, 23).repeat(3, axis=0)
    monkeypatch.setattr(mixture, "PIECE_COLUMNS", 5)
    assert mixture_quantile_s(times_s, times_s, np.ones(times_s.shape), 0.95).tolist() == times_s[0].tolist()
