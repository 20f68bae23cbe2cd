"""Impulses: dense ones raise the noise, rare ones spoil symbols."""

import math

import numpy as np
import pytest
from amiplan.channels.phy.modem import link, noise
from amiplan.channels.phy.plc_waveforms import WAVEFORMS
from amiplan.channels.powerline.impulses import ImpulseSettings, dense_rise, erasure_ratio, is_dense
from hypothesis import given
from hypothesis import strategies as st

WINDOW_S = 640e-6


def impulses(index=0.0, ratio=0.0, rate=0.0, length=0.0, sampling_hz=400e3):
    return ImpulseSettings(index, ratio, sampling_hz, rate, length)


def test_the_rule_counts_impulses_in_a_symbol():
    # half an impulse on average: 256 points in G3-PLC, 512 in PRIME
    assert is_dense(impulses(0.5 / 256, 10), WINDOW_S)
    assert not is_dense(impulses(0.49 / 256, 10), WINDOW_S)
    assert is_dense(impulses(0.5 / 512, 10, sampling_hz=250e3), 2.048e-3)
    assert is_dense(impulses(0.5 / 256, 10, sampling_hz=1.2e6), 256 / 1.2e6)


@given(st.floats(1e-6, 1.0), st.floats(0.0, 1e3))
def test_impulses_without_power_never_spoil_a_symbol_and_the_rise_never_costs_more_than_erasures(index, ratio):
    rise, lost = dense_rise(impulses(index, ratio), WINDOW_S), erasure_ratio(impulses(index, ratio), WINDOW_S)
    assert rise == 1 or lost == 0
    per_symbol = index * 256
    assert per_symbol >= 0.5 or rise <= math.exp(per_symbol) * (1 + 1e-12)
    # at least the rise is paid: erasures cost exp(A N), and are taken only where that is less
    assert lost == 0 or 1 / (1 - lost) <= 1 + ratio
    assert ratio > index * 256 or lost == 0


@pytest.mark.parametrize("ratio", [1.0, 10.0])
def test_no_network_dies_of_an_edit_of_the_index(ratio):
    """Impulses of the same mean power, ever fewer and stronger: no cliff while they hit many symbols."""
    for index in (0.3, 0.1, 0.0976, 0.09, 0.03, 0.01, 0.003):
        assert dense_rise(impulses(index, ratio), WINDOW_S) == 1 + ratio
        assert erasure_ratio(impulses(index, ratio), WINDOW_S) == 0


@pytest.mark.parametrize("gamma", [0.1, 0.01, 0.001])
def test_dense_impulses_shift_by_one_plus_one_over_gamma(gamma):
    # published bit error curves move by 10, 20 and 30 dB
    shift_db = 10 * math.log10(dense_rise(impulses(0.1, 1 / gamma), WINDOW_S))
    assert shift_db == pytest.approx(10 * math.log10(1 + 1 / gamma))
    assert shift_db == pytest.approx(-10 * math.log10(gamma), abs=0.5)
    assert erasure_ratio(impulses(0.1, 1 / gamma), WINDOW_S) == 0


def test_rare_impulses_spoil_symbols_and_do_not_raise_the_noise():
    rare = impulses(1e-4, 100)
    assert dense_rise(rare, WINDOW_S) == 1
    assert erasure_ratio(rare, WINDOW_S) == pytest.approx(1 - math.exp(-0.0256))
    hit = np.random.default_rng(1).poisson(1e-4, (20_000, 256)).any(axis=1).mean()
    assert erasure_ratio(rare, WINDOW_S) == pytest.approx(hit, rel=0.1)
    assert erasure_ratio(impulses(1e-4, 0), WINDOW_S) == 0
    assert erasure_ratio(impulses(), WINDOW_S) == 0


@pytest.mark.parametrize(("rate", "length", "symbol"), [(20.0, 2e-3, 640e-6), (100.0, 5e-3, 2e-3), (50.0, 1e-5, 4e-3)])
def test_bursts_hit_as_many_symbols_as_a_simulated_process(rate, length, symbol):
    # alternating gaps and bursts, exponential lengths, symbols one after the other
    rng, n = np.random.default_rng(2), 60_000
    gap, burst = rng.exponential(1 / rate - length, n), rng.exponential(length, n)
    start = np.cumsum(gap + burst) - burst
    n_symbols = int((start[-1] + burst[-1]) / symbol)
    first, last = np.floor(start / symbol).astype(int), np.floor((start + burst) / symbol).astype(int)
    change = np.zeros(n_symbols + 2)
    np.add.at(change, np.minimum(first, n_symbols), 1)
    np.add.at(change, np.minimum(last + 1, n_symbols + 1), -1)
    hit = (np.cumsum(change)[:n_symbols] > 0).mean()
    assert erasure_ratio(impulses(rate=rate, length=length), symbol) == pytest.approx(hit, rel=0.02)


def test_bursts_without_length_are_the_memoryless_model_and_limits_hold():
    assert erasure_ratio(impulses(rate=10.0), WINDOW_S) == pytest.approx(1 - math.exp(-10 * WINDOW_S))
    share = erasure_ratio(impulses(rate=10.0, length=5e-3), 1e-12)
    assert share == pytest.approx(0.05)  # a moment sees the share of time
    both = erasure_ratio(impulses(1e-4, 100, 10.0, 1e-3), WINDOW_S)
    one, other = erasure_ratio(impulses(1e-4, 100), WINDOW_S), erasure_ratio(impulses(rate=10.0, length=1e-3), WINDOW_S)
    assert both == pytest.approx(1 - (1 - one) * (1 - other))


@pytest.mark.verification
@pytest.mark.parametrize("name", ["g3:ROBO", "g3:DBPSK"])
@pytest.mark.parametrize(("per_symbol", "within_db"), [(1.3, 1.3), (2.6, 1.0), (7.7, 0.8)])
def test_some_impulses_in_every_symbol_act_by_their_mean_power(name, per_symbol, within_db):
    """Shift of the SNR at which a tenth of the frames is lost, against the rise; erasures leave nothing to decode."""
    n_bytes = WAVEFORMS[name].reference_bytes

    def needed_db(low, high, **kind):
        for _ in range(6):
            middle = (low + high) / 2
            snr = np.array(10 ** (middle / 10))
            many = link.simulate(name, n_bytes, snr, n_frames=100, seed=31, **kind).n_errors > 10
            low, high = (middle, high) if many else (low, middle)
        return (low + high) / 2

    quiet_db = needed_db(-4.0, 4.0)
    heard = noise.class_a(per_symbol / 256, 0.1, n_fft=256, first_bin=23)
    rise_db = 10 * math.log10(dense_rise(impulses(per_symbol / 256, 10.0), WINDOW_S))
    shift_db = needed_db(quiet_db + rise_db - 3, quiet_db + rise_db + 5, noise=heard) - quiet_db
    assert -0.4 < shift_db - rise_db < within_db


numbers = st.floats(0.0, 20.0)
lengths = st.floats(0.0, 0.02)


@given(numbers, lengths, numbers, lengths, st.floats(1e-4, 5e-3))
def test_more_or_longer_bursts_never_spare_a_symbol(rate, length, more, longer, symbol):
    fewer = erasure_ratio(impulses(rate=rate, length=length), symbol)
    assert 0 <= fewer <= erasure_ratio(impulses(rate=rate + more, length=length + longer), symbol) + 1e-12 <= 1 + 1e-9


@pytest.mark.parametrize(
    "numbers",
    [{"index": -1.0}, {"ratio": -1.0}, {"rate": -1.0}, {"length": -1.0}, {"sampling_hz": 0.0}],
)
def test_impossible_impulses_are_refused(numbers):
    with pytest.raises(ValueError, match="must not be negative"):
        impulses(**numbers)


def test_bursts_without_gaps_and_symbols_without_time_are_refused():
    with pytest.raises(ValueError, match="fill all the time"):
        impulses(rate=100.0, length=0.01)
    with pytest.raises(ValueError, match="positive time"):
        dense_rise(impulses(), 0.0)
