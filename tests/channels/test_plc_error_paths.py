"""Sums over error paths: the code's known spectrum, a plain reference, monotony, strong links, label bits."""

import numpy as np
import pytest
from amiplan.channels.phy import plc_error_paths as paths
from amiplan.channels.phy.modem import modulation
from hypothesis import given, settings
from hypothesis import strategies as st
from plc_modes import path_sum, paths_db

NAMES = ["prime:DBPSK_CC", "prime:DQPSK_CC", "prime:D8PSK_CC", "prime:R-DBPSK", "prime:R-DQPSK", "prime:HEADER"]


def equal_db(name, seen, beta=0.8):
    """`flat_equal_db` of (n, n_carriers) SNR behind the detector, copies summed, n at most 8."""
    rows = np.zeros((paths.LANES, seen.shape[1]), np.float32)
    rows[: len(seen)] = seen
    out = np.empty(paths.LANES)
    sums = paths.flat_log_sums(name, beta, seen.shape[1])
    bits = paths.WAVEFORMS[name].bits
    paths.flat_equal_db(rows, bits, beta, paths.code_order(name, seen.shape[1]), sums, out)
    return out[: len(seen)]


@pytest.mark.parametrize("decay", [0.02, 0.05])
def test_the_known_spectrum_of_the_code(decay):
    """11, 38, 193, 1331 and 7275 paths of weight 10 to 18: J. G. Proakis, Digital Communications, rate 1/2, K = 7."""
    wanted = sum(
        count * decay**weight for count, weight in zip((11, 38, 193, 1331, 7275), range(10, 20, 2), strict=True)
    )
    for name, beta in (("prime:DBPSK_CC", 1.0), ("prime:DQPSK_CC", 0.5)):
        seen = np.full(96, -np.log(decay))
        assert np.exp(paths.log_sum(name, beta, seen)) == pytest.approx(wanted, rel=2e-4)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("level", [0.1, 2.0, 20.0])
def test_compiled_sums_are_the_plain_ones(name, level):
    random = np.random.default_rng(3)
    for n in (96, 84, 31):
        seen = level * random.gamma(1.0, 1.0, n)
        assert paths.log_sum(name, 0.8, seen) == pytest.approx(np.log(path_sum(name, seen, 0.8)), abs=1e-4)
        assert equal_db(name, seen[None])[0] == pytest.approx(paths_db(name, seen, 0.8), abs=0.01)


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.floats(-10, 30), st.floats(0, 10), st.sampled_from(NAMES), st.floats(1.0, 1e3))
def test_more_snr_anywhere_never_hurts(seed, mean_db, spread_db, name, factor):
    random = np.random.default_rng(seed)
    seen = 10 ** ((mean_db + spread_db * random.standard_normal((4, 96))) / 10)
    better = seen * np.where(random.random(seen.shape) < 0.1, factor, 1.0)
    assert (equal_db(name, better) >= equal_db(name, seen) - 1e-3).all()
    assert all(
        paths.log_sum(name, 0.8, b) <= paths.log_sum(name, 0.8, a) + 1e-4 for a, b in zip(seen, better, strict=True)
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("snr_db", [-12.0, 0.0, 14.0, 33.0, 60.0])
def test_flat_channels_give_themselves_back(name, snr_db):
    snr = 10 ** (snr_db / 10)
    seen = snr * snr / (2 * snr + 1) * paths.WAVEFORMS[name].repetition
    assert equal_db(name, np.full((1, 96), seen))[0] == pytest.approx(snr_db, abs=0.01)


def test_bad_carriers_side_by_side_in_the_code_cost_more():
    """A dozen dead carriers that carry one run of coded bits, and as many spread over the code."""
    order = paths.code_order("prime:DBPSK_CC", 96)
    seen = np.full((2, 96), 4.0)
    seen[0, order[20:32]] = 0.0
    seen[1, order[::8]] = 0.0
    run, spread = equal_db("prime:DBPSK_CC", seen)
    assert run < spread - 3


def test_dead_channels_and_very_strong_ones():
    seen = np.zeros((3, 96))
    seen[1] = 1e7
    seen[2] = np.where(np.arange(96) % 31, 1e7, 0.0)
    dead, strong, notched = equal_db("prime:DBPSK_CC", seen)
    assert dead == -np.inf
    assert strong == pytest.approx(10 * np.log10(2e7), abs=0.01)
    assert 30 < notched < strong


def test_label_bits_of_eight_phases_by_their_distances():
    """Half of the points of the outer bits lie next to a border, all points of the last one do."""
    points = modulation.constellation(3)
    for bit in range(3):
        value = np.arange(8) >> (2 - bit) & 1
        apart = np.abs(points[:, None] - points[None]) ** 2 / 4
        nearest = np.sort(np.min(np.where(value[:, None] != value[None], apart, np.inf), axis=1))
        half = paths.NEAR if bit == 2 else paths.FAR
        np.testing.assert_allclose(nearest, 4 * [paths.NEAR] + 4 * [half], rtol=1e-5)


def test_a_header_keeps_84_of_97_carriers():
    data = np.arange(1, 97)
    assert paths.block_carriers("prime:HEADER", data).size == paths.block_carriers("prime:R-HEADER", data).size == 84
    two = np.concatenate([data, data + 97])
    assert paths.block_carriers("prime:R-HEADER", two).size == 168
    assert paths.block_carriers("prime:DQPSK_CC", data) is data
