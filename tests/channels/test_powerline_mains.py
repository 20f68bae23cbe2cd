"""The half cycle in bins: shifts of the phases and when their rectifiers conduct."""

import numpy as np
import pytest
from amiplan.channels.powerline.mains import CREST, mains_states, phase_shift
from hypothesis import given
from hypothesis import strategies as st


def test_phases_lie_a_third_of_a_half_cycle_apart():
    np.testing.assert_array_equal(phase_shift(1), [0])
    np.testing.assert_allclose(phase_shift(3), [0, 1 / 3, 2 / 3])
    # crests of |sin| of three voltages 120 degrees apart
    time = np.arange(12_000) / 12_000
    rectified = np.abs(np.sin(np.pi * time[:, None] - 2 * np.pi * np.arange(3) / 3))
    np.testing.assert_allclose(
        np.sort(time[rectified.argmax(axis=0)]), np.sort((CREST + phase_shift(3)) % 1), atol=1e-3
    )


def test_one_phase_has_two_states_around_the_crest():
    states = mains_states(8, 0.3, 1)
    assert states.state_of_bin.tolist() == [0, 0, 0, 1, 1, 0, 0, 0]
    assert states.conducting.tolist() == [[False], [True]]


def test_three_phases_conduct_one_after_the_other():
    states = mains_states(8, 0.3, 3)
    by_bin = states.conducting[states.state_of_bin]
    assert [np.flatnonzero(column).tolist() for column in by_bin.T] == [[3, 4], [6, 7], [0, 1]]
    assert states.conducting.shape == (4, 3)


def test_a_third_of_a_cycle_covers_everything_exactly_once():
    by_bin = (s := mains_states(6, 1 / 3, 3)).conducting[s.state_of_bin]
    np.testing.assert_array_equal(by_bin.sum(axis=1), 1)
    assert s.conducting.shape == (3, 3)


@given(st.integers(2, 40), st.floats(0.05, 0.95), st.sampled_from([1, 3]))
def test_states_are_distinct_all_occur_and_windows_lie_around_the_crest(n_bins, share, n_phases):
    n_conducting = round(share * n_bins)
    if not 0 < n_conducting < n_bins:
        with pytest.raises(ValueError, match="conduction_share"):
            mains_states(n_bins, share, n_phases)
        return
    states = mains_states(n_bins, share, n_phases)
    assert np.unique(states.conducting, axis=0).shape == states.conducting.shape
    assert set(states.state_of_bin) == set(range(len(states.conducting)))
    by_bin = states.conducting[states.state_of_bin]
    np.testing.assert_array_equal(by_bin.sum(axis=0), n_conducting)
    middle = (np.arange(n_bins) + 0.5) / n_bins
    away = np.abs((middle[:, None] - CREST - phase_shift(n_phases) + 0.5) % 1 - 0.5)
    for phase in range(n_phases):
        on = by_bin[:, phase]
        assert away[on, phase].max() <= away[~on, phase].min() + 1e-9


@pytest.mark.parametrize(
    ("n_bins", "share", "phases"),
    [(1, 0.5, 1), (8, 0.0, 1), (8, 1.0, 3), (8, -0.1, 1), (8, float("nan"), 1), (8, 0.3, 2), (8, 0.05, 1)],
)
def test_impossible_cycles_are_refused(n_bins, share, phases):
    with pytest.raises(ValueError):
        mains_states(n_bins, share, phases)
