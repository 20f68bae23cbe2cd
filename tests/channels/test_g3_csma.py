"""The contention window of G3-PLC: its law step by step, and its closed form."""

import numpy as np
import pytest
from amiplan.channels.mac.g3.csma import (
    HIGH_PRIORITY_SLOTS,
    Backoff,
    CsmaSettings,
    idle_windows,
    mean_slots,
    slots_variance,
)
from hypothesis import given
from hypothesis import strategies as st

PUBLISHED = CsmaSettings()


def test_draws_stay_in_their_windows():
    backoff = Backoff(PUBLISHED)
    assert [backoff.slots(chance, True) for chance in (0.0, 0.999)] == [1, HIGH_PRIORITY_SLOTS]
    assert [backoff.slots(chance) for chance in (0.0, 0.5, 0.999)] == [8, 12, 15]


def test_the_window_doubles_while_busy_and_falls_from_the_fairness_limit_on():
    backoff = Backoff(PUBLISHED)
    backoff.begin()
    backoff.slots(0.0)
    windows = []
    for _ in range(40):
        assert backoff.busy()
        windows.append(backoff.window)
    assert windows[:6] == [16, 32, 64, 128, 256, 256]
    assert windows[23] == 256
    # busy senses 25, 30, 35 and 40 lower it by 8 x 8 slots each
    assert [windows[number - 1] for number in (25, 30, 35, 40)] == [192, 128, 64, 8]
    for _ in range(9):
        assert backoff.busy()
    assert not backoff.busy()


def test_high_priority_leaves_the_window_alone_but_gives_up_too():
    backoff = Backoff(CsmaSettings(max_backoffs=3))
    assert [backoff.busy(True) for _ in range(3)] == [True, True, False]
    assert backoff.window == 8
    backoff.begin()
    assert backoff.busy(True)


def test_a_missing_acknowledgement_doubles_and_a_success_lowers():
    backoff = Backoff(CsmaSettings(decrease=3))
    for _ in range(9):
        backoff.failed()
    assert backoff.window == 256
    backoff.succeeded()
    assert backoff.window == 256 - 24
    for _ in range(20):
        backoff.succeeded()
    assert backoff.window == 8


@given(st.integers(0, 5), st.integers(0, 5), st.integers(1, 12), st.integers(1, 20))
def test_a_lone_sender_runs_through_the_cycle_of_windows(min_be, more, decrease, attempts):
    settings = CsmaSettings(min_be, min_be + more, decrease=decrease, min_cw_attempts=attempts)
    cycle, backoff, seen = idle_windows(settings), Backoff(settings), []
    for _ in range(3 * len(cycle)):
        backoff.begin()
        assert backoff.slots(0.9999999) == HIGH_PRIORITY_SLOTS + backoff.window
        seen.append(backoff.window)
        backoff.succeeded()
    assert tuple(seen) == 3 * cycle
    assert float(mean_slots(0, settings)) == pytest.approx((np.mean(cycle) + 1) / 2)


@given(st.floats(0, 0.999999), st.integers(0, 5), st.integers(1, 12), st.integers(1, 20))
def test_a_modem_that_stands_somewhere_in_the_cycle_goes_on_from_there(chance, more, decrease, attempts):
    settings = CsmaSettings(2, 2 + more, decrease=decrease, min_cw_attempts=attempts)
    cycle = idle_windows(settings)
    backoff, place = Backoff(settings, chance), int(chance * len(cycle))
    for window in cycle[place:] + cycle:
        backoff.begin()
        assert backoff.slots(0.9999999) == HIGH_PRIORITY_SLOTS + window
        backoff.succeeded()


def test_moments_equal_those_of_the_draws():
    rng = np.random.default_rng(3)
    for attempt in (0, 1, 4):
        draws = []
        windows = np.array(idle_windows(PUBLISHED)) * 2**attempt
        for window in np.minimum(windows, 256):
            draws.append(1 + rng.integers(0, window, 40_000))
        assert np.mean(draws) == pytest.approx(float(mean_slots(attempt, PUBLISHED)), rel=0.01)
        assert np.var(draws) == pytest.approx(float(slots_variance(attempt, PUBLISHED)), rel=0.02)
    assert mean_slots(np.arange(3), PUBLISHED).shape == (3,)
    # without the turn of the largest window a draw is uniform in 1 to 2^BE
    plain = CsmaSettings(min_cw_attempts=10**6)
    np.testing.assert_allclose(mean_slots(np.arange(7), plain), [4.5, 8.5, 16.5, 32.5, 64.5, 128.5, 128.5], rtol=2e-3)


@pytest.mark.parametrize("wrong", [{"min_be": 9}, {"min_be": -1}, {"rate": 0}, {"fairness_limit": 0}])
def test_guards_refuse(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        CsmaSettings(**wrong)
