"""G3-PLC waveforms: rates to the bit per second, frame times, thresholds, effective SNR."""

import numpy as np
import pytest
from amiplan.channels.phy import g3_ofdm
from amiplan.channels.phy.g3_ofdm import Mode, airtime_s, block_bytes, frame_s, largest_psdu_bytes, phy_rate_bps
from amiplan.channels.phy.plc_effective_snr import best_subbands_snr_db, effective_snr_db
from amiplan.channels.powerline.noise import cycle_regions
from hypothesis import given, settings
from hypothesis import strategies as st

FULL = {wave.name: Mode(wave, 6) for wave in g3_ofdm.WAVEFORMS}
STEADY = np.ones(1), np.ones(1)

# reference/plc.md 1.3 (published CENELEC-A table): symbols, mode, RS block, PSDU, bit/s
RATES = [
    (12, "D8PSK", 80, 64, 21829),
    (12, "DQPSK", 53, 37, 12620),
    (12, "DBPSK", 26, 10, 3411),
    (20, "D8PSK", 134, 118, 32535),
    (20, "DQPSK", 89, 73, 20128),
    (20, "DBPSK", 44, 28, 7720),
    (32, "D8PSK", 215, 199, 42618),
    (32, "DQPSK", 143, 127, 27199),
    (32, "DBPSK", 71, 55, 11779),
    (40, "DQPSK", 179, 163, 30386),
    (40, "DBPSK", 89, 73, 13608),
    (40, "ROBO", 21, 13, 2423),
    (52, "DQPSK", 233, 217, 33870),
    (52, "DBPSK", 116, 100, 15608),
    (52, "ROBO", 28, 20, 3122),
    (56, "DQPSK", 251, 235, 34792),
    (56, "DBPSK", 125, 109, 16138),
    (56, "ROBO", 30, 22, 3257),
    (112, "DBPSK", 251, 235, 20225),
    (112, "ROBO", 62, 54, 4647),
    (252, "ROBO", 141, 133, 5592),
]


@pytest.mark.parametrize(("symbols", "name", "block", "psdu", "rate"), RATES)
def test_published_rates_to_the_bit_per_second(symbols, name, block, psdu, rate):
    n = np.array([symbols])
    assert [int(x[0]) for x in block_bytes(n, FULL[name])] == [block, psdu]
    assert round(float(phy_rate_bps(n, FULL[name])[0])) == rate


def test_frame_times():
    assert float(frame_s(np.array(0))) * 1e3 == pytest.approx(15.115, abs=1e-9)
    for name, size, ms in (("ROBO", 133, 190.3), ("DBPSK", 235, 93.0), ("DQPSK", 235, 54.0), ("D8PSK", 199, 37.4)):
        assert float(airtime_s(np.array(size), FULL[name])) * 1e3 == pytest.approx(ms, abs=0.06)


def test_largest_psdu_and_best_rates():
    assert largest_psdu_bytes(FULL["ROBO"]) == 133
    assert max(largest_psdu_bytes(mode) for mode in FULL.values()) <= 239
    for name, kbps in (("S-ROBO", 3.58), ("ROBO", 5.59), ("DBPSK", 20.2), ("DQPSK", 34.8), ("D8PSK", 45.05)):
        assert g3_ofdm.best_rate_bps(FULL[name]) / 1e3 == pytest.approx(kbps, rel=3e-3)


def test_a_psdu_too_large_or_empty_is_refused():
    for size in (134, 0):
        with pytest.raises(ValueError, match="does not fit ROBO"):
            airtime_s(np.array([size]), FULL["ROBO"])


def test_modes_rise_in_rate_and_super_robust_is_an_option():
    rates = [g3_ofdm.best_rate_bps(mode) for mode in g3_ofdm.modes()]
    assert rates == sorted(rates)
    assert g3_ofdm.modes()[0].name == "ROBO"
    assert g3_ofdm.modes(True)[0].name == "S-ROBO"


@pytest.mark.parametrize("mode", g3_ofdm.modes(True), ids=lambda mode: mode.name)
def test_thresholds_are_the_10_and_1_percent_points(mode):
    table, wave = g3_ofdm.modes(True), mode.waveform
    index = np.full(2, table.index(mode))
    size = np.full(2, wave.reference_bytes)
    snr = np.array([wave.snr_10_db, wave.snr_1_db])
    np.testing.assert_allclose(g3_ofdm.payload_error_ratio(snr, index, size, 0.0, table), [0.1, 0.01], rtol=1e-9)
    np.testing.assert_allclose(g3_ofdm.payload_error_ratio(snr + 1.5, index, size, 1.5, table), [0.1, 0.01], rtol=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.floats(-15, 30), st.floats(0, 10), st.integers(0, 12), st.integers(1, 133))
def test_error_ratio_falls_with_snr_and_grows_with_length(snr, more, mode, size):
    table = g3_ofdm.modes()
    ratio = g3_ofdm.payload_error_ratio(np.array([snr, snr + more]), np.full(2, mode), np.full(2, size), 1.5, table)
    longer = g3_ofdm.payload_error_ratio(np.array([snr]), np.array([mode]), np.array([size + 50]), 1.5, table)
    assert 0 <= ratio[1] <= ratio[0] <= longer[0] + 1e-12 <= 1 + 1e-12
    header = g3_ofdm.header_error_ratio(np.array([snr, snr + more]), 1.5)
    assert 0 <= header[1] <= header[0] <= 1


def test_no_mode_and_no_signal_lose_every_frame():
    table = g3_ofdm.modes()
    assert g3_ofdm.payload_error_ratio(np.array([50.0]), np.array([-1]), np.array([20]), 0.0, table)[0] == 1
    assert g3_ofdm.payload_error_ratio(np.array([-np.inf]), np.array([0]), np.array([20]), 0.0, table)[0] == 1
    assert g3_ofdm.header_error_ratio(np.array([-np.inf]), 0.0)[0] == 1


def test_effective_snr_closed_forms():
    flat = np.full((1, 36), 10.0)
    assert effective_snr_db(flat, 2.8, *STEADY)[0] == pytest.approx(10.0)
    half = np.r_[np.full(18, 1e6), np.zeros(18)][None]
    assert effective_snr_db(half, 2.8, *STEADY)[0] == pytest.approx(10 * np.log10(2.8 * np.log(2)))
    assert effective_snr_db(np.zeros((1, 36)), 2.8, *STEADY)[0] == -np.inf
    strong = np.full((1, 36), 1e5, np.float32)
    assert effective_snr_db(strong, 1.45, *STEADY)[0] == pytest.approx(50.0, abs=1e-3)


def test_best_subbands_leave_dead_carriers_out():
    half = np.r_[np.full(18, 100.0), np.full(18, 1e-3)][None]
    columns = best_subbands_snr_db(half, 6, 3.3, *STEADY)[0]
    np.testing.assert_allclose(columns[:3], 20.0, atol=1e-6)
    assert np.all(np.diff(columns) <= 1e-9)
    assert columns[5] == pytest.approx(float(effective_snr_db(half, 3.3, *STEADY)[0]))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(1e-3, 1e4), min_size=36, max_size=36), st.floats(1.0, 4.0), st.integers(0, 35))
def test_effective_snr_lies_within_and_never_falls_with_a_better_carrier(snr, gain, carrier):
    power = np.array([snr])
    better = power.copy()
    better[0, carrier] *= gain
    share, noise = np.array([0.5, 0.5]), np.array([0.5, 1.5])
    before, after = (effective_snr_db(x, 2.0, share, noise)[0] for x in (power, better))
    assert after >= before - 1e-9
    assert effective_snr_db(power, 2.0, *STEADY)[0] <= 10 * np.log10(power.mean()) + 1e-9
    assert before <= effective_snr_db(power, 2.0, *STEADY)[0] + 10 * np.log10(2) + 1e-9


@pytest.mark.parametrize("level_db", [-70.0, -45.0, -36.0, -30.0, 0.0, 25.0])
def test_effective_snr_in_single_precision_is_that_of_double_precision(level_db):
    power = 10 ** (level_db / 10) * np.random.default_rng(5).lognormal(0, 1.0, (50, 36))
    share, noise = cycle_regions(1)
    exact = -np.log(np.mean(share * np.exp(-power[..., None] / (2.8 * noise)), axis=(1, 2)) * share.size)
    if level_db < -40:  # double precision loses the exact form as well: the mean is the limit
        exact = power.mean(axis=1) / 2.8 * np.sum(share / noise)
    got = effective_snr_db(power.astype(np.float32), 2.8, share, noise)
    np.testing.assert_allclose(got, 10 * np.log10(2.8 * exact), atol=0.03)
