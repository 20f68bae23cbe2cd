"""Frames shorter than a few half cycles of the mains: the mean loss over where they begin, against plain sums."""

import numpy as np
import pytest
from amiplan.channels.phy import plc_curves
from amiplan.channels.phy.g3_adaptation import g3_adaptation
from amiplan.channels.phy.g3_bands import G3_BANDS
from amiplan.channels.phy.g3_ofdm import modes as g3_modes
from amiplan.channels.phy.modem.link import frame_of, simulate
from amiplan.channels.phy.plc_adaptation import adaptation
from amiplan.channels.phy.plc_choice import numbers
from amiplan.channels.phy.plc_curves import log_odds
from amiplan.channels.phy.plc_effective_snr import effective_snr_db
from amiplan.channels.phy.plc_starts import covered, mean_log_hazard
from amiplan.channels.phy.plc_waveforms import WAVEFORMS
from amiplan.channels.phy.prime_adaptation import prime_adaptation
from amiplan.channels.phy.prime_ofdm import Channels
from amiplan.channels.powerline.cycle import KATAYAMA
from scipy.optimize import brentq

N_BINS, N_CARRIERS = 8, 72
HALF_CYCLE_S, FCC_SYMBOL_S, FCC_WINDOW_S = 10e-3, 278 / 1.2e6, 256 / 1.2e6


def one_mode(name, n_symbols, symbol_bins=0.2, loss_db=0.0, n_bins=N_BINS):
    """A family of one waveform whose frames last so many symbols; PRIME's lowest carrier is a pilot."""
    band = np.where(np.arange(N_CARRIERS) == 0, -1, 0) if name.startswith("prime") else np.zeros(N_CARRIERS, int)
    return adaptation(
        [(name, 1)], [0.0], [1.0], header=name, header_threshold_db=0.0, subband_of_carrier=band,
        state_of_bin=np.zeros(n_bins, int), symbol_bins=symbol_bins, loss_db=loss_db, mode_symbols=[n_symbols],
    )  # fmt: skip


def effective_db(one, snr):
    """Of links (n, n_bins, n_carriers)."""
    power = np.ones((len(snr), 1, N_CARRIERS), np.float32)
    return numbers(power, np.arange(len(snr)), snr.astype(np.float32), one, 100).mode_snr_db[:, 0]


def cyclic(mean_db, seed=1, n=6, spread_db=6.0):
    random = np.random.default_rng(seed)
    return 10 ** (
        (mean_db + random.normal(0, spread_db, (n, N_BINS, 1)) + random.normal(0, 3, (n, 1, N_CARRIERS))) / 10
    )


@pytest.mark.parametrize("span", [0.4, 1.0, 3.3, 8.0, 11.7, 24.0])
def test_a_frame_covers_its_length_from_every_start(span):
    part = np.random.default_rng(2).random(N_BINS)
    edges = np.concatenate([[0], np.cumsum(np.tile(part, 5))])
    for start in range(N_BINS):
        wanted = np.interp(start + span, np.arange(edges.size), edges) - edges[start]
        assert covered(part, start, span) == pytest.approx(wanted / span, rel=1e-12)


@pytest.mark.parametrize("name", ["g3:FCH-72", "g3:D8PSK", "g3:8PSK"])
@pytest.mark.parametrize("n_symbols", [3, 12, 41])
@pytest.mark.parametrize("loss_db", [0.0, 1.5])
def test_frames_lose_the_mean_over_their_starts(name, n_symbols, loss_db):
    wave, span = WAVEFORMS[name], n_symbols * 0.2
    snr = cyclic({"g3:FCH-72": 0, "g3:D8PSK": 11, "g3:8PSK": 8}[name])
    weight = np.zeros((N_BINS, N_BINS))
    for start in range(N_BINS):
        for i in range(int(span)):
            weight[start, (start + i) % N_BINS] += 1
        weight[start, (start + int(span)) % N_BINS] += span % 1
    tenths = np.rint(weight * 10).astype(int)
    assert np.allclose(tenths / 10, weight)

    def odds(db):
        return log_odds(name, np.asarray(db) - loss_db, wave.reference_bytes)

    found = effective_db(one_mode(name, n_symbols, loss_db=loss_db), snr)
    for link, got in zip(snr, found, strict=True):
        frames = [np.repeat(link, count, axis=0)[None] for count in tenths]
        seen = [float(effective_snr_db(frame, plc_curves.scale(name), wave.detection)[0]) for frame in frames]
        chance = np.mean(1 / (1 + np.exp(-odds(seen))))
        assert 1 / (1 + np.exp(-odds(got))) == pytest.approx(chance, rel=0.01)


@pytest.mark.parametrize("name", ["g3:FCH-72", "g3:D8PSK", "prime:DBPSK_CC", "prime:R-DBPSK", "prime:DBPSK"])
def test_a_line_without_a_cycle_knows_no_start_and_long_frames_see_all_of_it(name):
    still = np.full((3, N_BINS, N_CARRIERS), 1.0) * 10 ** (np.array([-2.0, 5.0, 14.0])[:, None, None] / 10)
    np.testing.assert_allclose(
        effective_db(one_mode(name, 7), still), effective_db(one_mode(name, 0), still), atol=0.02
    )
    moving = cyclic(6.0)
    long, endless = (effective_db(one_mode(name, n), moving) for n in (160, 0))
    np.testing.assert_array_equal(long, endless)
    short = [np.abs(effective_db(one_mode(name, n), moving) - endless).max() for n in (7, 35, 155)]
    assert short[0] > short[1] > short[2] < 0.25


def test_a_byte_of_frames_without_parity_loses_as_many_frames():
    log_hazard = np.log(np.array([3.0, 1e-6, 1e-6, 0.2, 1e-6, 1e-6, 1e-6, 1e-3]))
    for span in (1.0, 2.6, 20.0):
        lost = np.mean([1 - np.exp(-10 * covered(np.exp(log_hazard), start, span)) for start in range(N_BINS)])
        found = 1 - np.exp(-10 * np.exp(mean_log_hazard(log_hazard, span, 10.0)))
        assert found == pytest.approx(lost, rel=1e-9)
    mean = np.log(np.exp(log_hazard).mean())
    assert mean_log_hazard(log_hazard, 0.0, 10.0) == pytest.approx(mean)
    assert mean_log_hazard(log_hazard - 25, 2.0, 10.0) == pytest.approx(mean - 25)
    assert mean_log_hazard(np.full(8, 200.0), 2.0, 10.0) < np.inf
    assert mean_log_hazard(np.full(8, -np.inf), 2.0, 10.0) == -np.inf


@pytest.mark.parametrize("snr_db", [-40.0, -5.0, 0.0, 30.0, 60.0])
@pytest.mark.parametrize("name", ["g3:FCH", "g3:ROBO", "g3:D8PSK"])
def test_log_odds_are_those_of_the_error_ratio(name, snr_db):
    for n_bytes in (3, 40, WAVEFORMS[name].reference_bytes):
        lost = float(plc_curves.error_ratio(name, snr_db, n_bytes))
        found = float(log_odds(name, snr_db, n_bytes))
        assert 1 / (1 + np.exp(-found)) == pytest.approx(lost, rel=1e-6, abs=1e-300)


def test_noise_over_a_third_of_the_cycle_spoils_a_third_of_fast_headers_only():
    snr = np.full((1, N_BINS, N_CARRIERS), 1e3)
    snr[:, :3] = 0.05
    fast, slow = (effective_db(one_mode("g3:FCH-72", n), snr)[0] for n in (5, 60))
    # every frame that overlaps the noise by enough is lost: no SNR outside helps, but most starts are clear of it
    lost = [float(plc_curves.error_ratio("g3:FCH-72", db, 9)) for db in (fast, slow)]
    assert 0.3 < lost[0] < 0.6
    assert lost[1] < 0.01


def test_families_tell_how_long_their_frames_are():
    steady = np.zeros(N_BINS, int)
    fcc, cenelec = (
        g3_adaptation(g3_modes(G3_BANDS[band]), steady, loss_db=1.5, margin_db=1.0, mains_hz=50.0)
        for band in ("fcc", "cenelec-a")
    )
    # a header of 12 symbols in FCC lasts 2.8 ms, one of 13 in CENELEC-A 9 ms; ROBO frames last 29 and 175 ms
    assert fcc.span[-1, -1] * 1.25 == pytest.approx(2.78, abs=0.01)
    assert cenelec.span[-1, -1] * 1.25 == pytest.approx(9.035, abs=0.01)
    assert fcc.span[0, -1] * 1.25 == pytest.approx(29.19, abs=0.01)
    assert cenelec.span[0, -1] == 0
    prime = prime_adaptation(Channels(1), "A", steady, loss_db=1.5, margin_db=1.0, mains_hz=50.0)
    assert prime.span[-1, -1] * 1.25 == pytest.approx(2 * 2.24)
    assert 0 < prime.span[prime.waveforms.index("prime:D8PSK"), 0] * 1.25 < 40


def katayama(name, place):
    """Mean noise power over the receiver's window around each place in the half cycle, mean 1."""
    grid = (np.arange(20_000) + 0.5) / 20_000
    course = sum(a * np.abs(np.sin(np.pi * grid + np.deg2rad(angle))) ** n for a, angle, n, *_ in KATAYAMA[name])
    rising = np.concatenate([[0], np.cumsum(np.tile(course / course.mean(), 4))]) / 20_000
    half = FCC_WINDOW_S / HALF_CYCLE_S / 2
    at = np.arange(rising.size) / 20_000
    middle = np.asarray(place) % 1 + 1
    return (np.interp(middle + half, at, rising) - np.interp(middle - half, at, rising)) / (2 * half)


STARTS = (np.arange(25) + 0.5) / 25
FINE_BINS = 32


def modem_loses(name, snr_db, course, n_frames):
    """Share of frames that the Monte-Carlo modem loses at a mean SNR, begun all over the half cycle."""
    size = WAVEFORMS[name].reference_bytes
    layout = frame_of(name, size, N_CARRIERS)
    place = np.arange(layout.n_symbols) * FCC_SYMBOL_S / HALF_CYCLE_S
    errors = 0
    for number, start in enumerate(STARTS):
        snr = np.tile(10 ** (snr_db / 10) / katayama(course, start + place)[:, None], (1, N_CARRIERS))
        errors += simulate(name, size, snr, n_frames=n_frames, seed=number, n_carriers=N_CARRIERS).n_errors
    return errors / (n_frames * STARTS.size)


def place_of_a_tenth_db(name, course, n_bins):
    """Mean SNR at which a tenth of the frames should be lost."""
    size = WAVEFORMS[name].reference_bytes
    symbol_bins = FCC_SYMBOL_S / HALF_CYCLE_S * n_bins
    one = one_mode(name, frame_of(name, size, N_CARRIERS).n_symbols, symbol_bins, n_bins=n_bins)
    noise = katayama(course, (np.arange(n_bins * 64) + 0.5) / (n_bins * 64)).reshape(n_bins, 64).mean(1)

    def short(db):
        snr = np.tile(10 ** (db / 10) / noise[None, :, None], (1, 1, N_CARRIERS))
        return float(effective_db(one, snr)[0] - plc_curves.threshold_db(name, size))

    return brentq(short, -15, 40, xtol=0.01)


@pytest.mark.parametrize("course", KATAYAMA)
@pytest.mark.parametrize("name", ["g3:FCH-72", "g3:DBPSK", "g3:DQPSK", "g3:D8PSK"])
def test_fast_frames_against_the_modem(name, course):
    # the mean over the half cycle alone would promise a tenth where a third of the headers is lost
    lost = modem_loses(name, place_of_a_tenth_db(name, course, FINE_BINS), course, 60)
    assert 0.07 < lost < 0.16


@pytest.mark.parametrize("name", ["g3:FCH-72", "g3:D8PSK"])
def test_eight_parts_of_the_half_cycle_are_enough_for_the_default_noise_and_careful_with_sharper_peaks(name):
    coarse, fine = (place_of_a_tenth_db(name, "katayama-1", n) for n in (N_BINS, FINE_BINS))
    assert coarse == pytest.approx(fine, abs=0.1)
    coarse, fine = (place_of_a_tenth_db(name, "katayama-2", n) for n in (N_BINS, FINE_BINS))
    assert fine < coarse < fine + 0.6
