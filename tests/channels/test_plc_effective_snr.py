"""One SNR for unequal carriers: closed forms, single against double precision, products, erasures."""

import numpy as np
import pytest
from amiplan.channels.phy import plc_exponential
from amiplan.channels.phy.plc_choice import numbers
from amiplan.channels.phy.plc_curves import error_ratio
from amiplan.channels.phy.plc_effective_snr import detected_snr, effective_snr_db
from amiplan.channels.phy.plc_mapping import state_share
from amiplan.channels.phy.plc_uncoded import bit_error_ratio
from hypothesis import example, given, settings
from hypothesis import strategies as st
from plc_curve_files import made_curves
from plc_modes import decibel, effective, g3, paths_db, prime
from scipy.optimize import brentq


@pytest.fixture(scope="module")
def curves(tmp_path_factory):
    return made_curves(tmp_path_factory.mktemp("curves"))


@pytest.mark.parametrize("detection", ["coherent", "time", "frequency"])
@pytest.mark.parametrize("snr_db", [-30.0, -3.0, 6.0, 45.0])
def test_flat_channels_give_themselves_back(detection, snr_db):
    flat = np.full((2, 8, 36), 10 ** (snr_db / 10))
    np.testing.assert_allclose(effective_snr_db(flat, 1.7, detection), snr_db, atol=2e-3)


@pytest.mark.parametrize("snr", [0.5, 4.0, 50.0])
def test_half_dead_channels_in_closed_form(snr):
    channel = np.zeros((1, 8, 36))
    channel[..., ::2] = snr
    wanted = decibel(-2.0 * np.log(0.5 * (1 + np.exp(-snr / 2.0))))
    np.testing.assert_allclose(effective_snr_db(channel, 2.0, "coherent"), wanted, atol=1e-3)
    # every pair of neighbours has a dead one
    assert effective_snr_db(channel, 2.0, "frequency")[0] == -np.inf
    assert effective_snr_db(np.zeros((1, 36)), 2.0, "time")[0] == -np.inf


@settings(max_examples=60)
@given(
    st.integers(0, 10**6),
    st.floats(-45, 45),
    st.floats(0, 12),
    st.floats(0.3, 60),
    st.sampled_from([0.0, 1e-6, 0.01, 0.5]),
    st.sampled_from([(1, 16), (8, 36), (7, 37), (16, 144)]),
)
@example(seed=0, mean_db=-22.0, spread_db=0.03125, beta=18.0, erasure=0.0, shape=(16, 144))
@example(seed=1, mean_db=-30.0, spread_db=12.0, beta=3.3, erasure=0.0, shape=(8, 36))
def test_single_against_double_precision(seed, mean_db, spread_db, beta, erasure, shape):
    random = np.random.default_rng(seed)
    snr = 10 ** ((mean_db + random.normal(0, spread_db, (4, *shape))) / 10)
    seen = effective_snr_db(snr, beta, "coherent", erasure)
    wanted = [decibel(effective(row, beta, erasure, False)) for row in snr]
    np.testing.assert_allclose(seen, wanted, atol=0.01)


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.floats(-10, 30), st.floats(0, 0.5), st.floats(0, 0.5))
def test_erasures_and_noise_only_harm(seed, mean_db, erasure, more):
    random = np.random.default_rng(seed)
    snr = 10 ** ((mean_db + random.normal(0, 6, (5, 8, 36))) / 10)
    before = effective_snr_db(snr, 1.4, "time", erasure)
    assert np.all(effective_snr_db(snr, 1.4, "time", erasure + more) <= before + 1e-4)
    noisier = snr / random.choice([1.0, 3.0], snr.shape)
    assert np.all(effective_snr_db(noisier, 1.4, "time", erasure) <= before + 1e-4)
    assert np.all(effective_snr_db(snr, 2.8, "time", erasure) >= before - 1e-4)


def test_kernels_to_their_promised_accuracy():
    snr = np.linspace(0, 80, 100_000).astype(np.float32)
    out = np.empty_like(snr)
    plc_exponential.decays(snr, 1.0, 0.0, out)
    np.testing.assert_allclose(out, np.exp(-snr.astype(float)), rtol=6e-6)
    plc_exponential.log2_terms(snr[1:], snr.size - 1, out)
    np.testing.assert_allclose(out[:-1], np.log2(snr[1:].astype(float)), atol=1e-6)
    for offset in (0.0, 0.003):
        terms = np.append(np.linspace(offset, 9, 1000), np.inf).astype(np.float32)
        left = np.empty_like(terms)
        plc_exponential.decays(terms, 1.0, offset, left)
        plc_exponential.missing(terms, 1.0, offset, left)
        wanted = np.append(-np.expm1(-terms[:-1].astype(float)), 0)
        np.testing.assert_allclose(left, wanted, rtol=2e-5)


@pytest.mark.parametrize("kind", range(6))
def test_compiled_detectors_are_the_plain_ones(kind):
    snr = (10 ** np.random.default_rng(kind).uniform(-4, 6, (3, 40))).astype(np.float32)
    out = np.full(3 * 40, np.nan, np.float32)
    plc_exponential.detect(snr.ravel(), 120, 40, kind, out)
    detection = ("coherent", "time", "frequency")[min(kind, 2)]
    wanted = detected_snr(snr, detection, max(kind - 2, 0))
    np.testing.assert_allclose(out.reshape(3, 40)[:, 40 - wanted.shape[1] :], wanted, rtol=2e-4)


@pytest.mark.parametrize(("bits", "snr", "within_db"), [(1, 8.0, 0.1), (2, 16.0, 0.1), (3, 60.0, 0.03)])
@pytest.mark.parametrize("other", [1.0, 1.3, 2.0, 5.0, 30.0])
def test_unequal_neighbours_without_a_code_against_theory(bits, snr, within_db, other):
    errors = float(bit_error_ratio(bits, snr, snr * other))
    exact = brentq(lambda x: np.log(float(bit_error_ratio(bits, x)) / errors), 0.5 * snr, 4 * snr)
    pair = detected_snr(np.array([snr, snr * other]), "frequency", bits)[0]
    assert 10 * np.log10(pair / exact) == pytest.approx(0.0, abs=within_db)


def test_state_share_adds_up_and_turns_round():
    state = np.array([0, 0, 0, 1, 1, 2, 2, 2])
    for window in (0.0, 0.4, 1.0, 1.64, 3.0, 8.0, 20.0):
        share = state_share(state, window)
        np.testing.assert_allclose(share.sum(axis=1), 1.0)
        np.testing.assert_allclose(share.mean(axis=0), np.bincount(state) / 8, atol=1e-12)
    np.testing.assert_array_equal(state_share(state, 0.9), np.eye(3)[state])


def prime_link(curves, snr):
    """Numbers of one link with that SNR (n_bins, n_carriers) on all PRIME modes."""
    one = prime(curves, snr.shape[1], (0,) * snr.shape[0])
    over = snr[None].astype(np.float32)
    return one, numbers(np.ones((1, 1, snr.shape[1]), np.float32), np.zeros(1, int), over, one, 50, curves=curves)


@pytest.mark.parametrize("mean_db", [3.0, 9.0, 15.0])
def test_one_number_gives_the_frame_error_ratio_at_every_length(curves, mean_db):
    """Symbols that fail one by one: the equivalent flat SNR is exact for every length, not at one alone."""
    random = np.random.default_rng(7)
    snr = 10 ** ((mean_db + random.normal(0, 3, (8, 1)) + random.normal(0, 1, (8, 33))) / 10)
    one, seen = prime_link(curves, snr)
    for name, n_bytes in (("prime:DBPSK_CC", 12), ("prime:DQPSK_CC", 60), ("prime:DBPSK", 100), ("prime:DQPSK", 250)):
        mode = one.waveforms.index(name)
        flat = seen.mode_snr_db[0, mode] - one.loss_db
        if name.endswith("CC"):
            # each mains phase carries an eighth of the frame
            terms = detected_snr(snr, "frequency")
            beta = one.beta[mode]
            parts = [paths_db(name, row, beta) - one.loss_db for row in terms]
            wanted = 1 - np.prod([1 - error_ratio(name, part, n_bytes / 8, curves=curves) for part in parts])
        else:
            bits = {"prime:DBPSK": 1, "prime:DQPSK": 2}[name]
            flat_terms = detected_snr(snr, "frequency", bits) * 10 ** (-one.loss_db / 10)
            wanted = -np.expm1(8 * n_bytes * np.mean(np.log1p(-bit_error_ratio(bits, flat_terms))))
        if wanted > 1e-6:
            assert float(error_ratio(name, flat, n_bytes, curves=curves)) == pytest.approx(wanted, rel=0.03, abs=1e-9)


def test_flat_channels_give_themselves_back_in_every_mode(curves):
    for snr_db in (2.0, 8.0, 14.0, 20.0):
        _, seen = prime_link(curves, np.full((8, 33), 10 ** (snr_db / 10)))
        np.testing.assert_allclose(seen.mode_snr_db, snr_db, atol=0.03)
        one = g3(curves)
        over = np.full((1, 8, 36), 10 ** (snr_db / 10), np.float32)
        seen = numbers(np.ones((1, 2, 36), np.float32), np.zeros(1, int), over, one, 20, curves=curves)
        np.testing.assert_allclose(seen.mode_snr_db, snr_db, atol=1e-3)
        np.testing.assert_allclose(seen.header_snr_db, snr_db, atol=1e-3)


def test_a_loud_part_of_the_half_cycle_costs_its_share(curves):
    """One eighth of the half cycle dead: coded symbols there are lost, four woven together survive."""
    snr = np.full((8, 33), 100.0)
    snr[3] = 1e-3
    one, seen = prime_link(curves, snr)
    value = dict(zip(one.waveforms, seen.mode_snr_db[0], strict=True))
    assert value["prime:DBPSK_CC"] < 0
    assert value["prime:R-DBPSK"] > value["prime:DBPSK_CC"] + 3


def test_refusals():
    for call, words in (
        (lambda: effective_snr_db(np.ones((1, 3)), 0.0, "time"), "scale of 0"),
        (lambda: effective_snr_db(np.ones((1, 3)), 1.0, "phase"), "unknown"),
        (lambda: effective_snr_db(np.ones((1, 3)), 1.0, "time", 1.5), "erasure_ratio"),
    ):
        with pytest.raises(ValueError, match=words):
            call()
