"""Slow statistics of the Monte-Carlo modem: published thresholds, noise shifts, effective SNR, stored curves rerun."""

from __future__ import annotations

import numpy as np
import pytest
from amiplan.channels.phy.modem import curves, link, modulation, noise, scales, selective
from amiplan.channels.phy.plc_waveforms import WAVEFORMS
from plc_thresholds import THRESHOLDS_DB

pytestmark = pytest.mark.verification


def linear(db):
    return np.array(10 ** (db / 10))


def crossing_db(ratio_at, wanted, start_db, step_db=0.25):
    """SNR at which a falling ratio meets the wanted one, its logarithm straight between two steps."""
    low, high = start_db, start_db + step_db
    at_low, at_high = ratio_at(low), ratio_at(high)
    while at_high > wanted:
        low, at_low, high = high, at_high, high + step_db
        at_high = ratio_at(high)
    while at_low < wanted:
        high, at_high, low = low, at_low, low - step_db
        at_low = ratio_at(low)
    return low + step_db * np.log(at_low / wanted) / np.log(at_low / max(at_high, 1e-9))


@pytest.mark.parametrize("name", THRESHOLDS_DB)
def test_thresholds_of_another_program(name):
    """Within 0.3 dB at 10 % and 1 %, both with ideal interleaving; ours deviate by less than 0.15 dB."""
    n_bytes = WAVEFORMS[name].reference_bytes
    for wanted, n_frames, known_db in zip((0.1, 0.01), (1000, 4000), THRESHOLDS_DB[name], strict=True):

        def ratio(snr_db, n_frames=n_frames):
            count = link.simulate(name, n_bytes, linear(snr_db), n_frames=n_frames, seed=21, ideal=True)
            return max(count.n_errors, 0.5) / n_frames

        assert crossing_db(ratio, wanted, known_db - 0.125) == pytest.approx(known_db, abs=0.3)


@pytest.mark.parametrize(("overlap", "ratio"), [(0.1, 0.01), (0.1, 0.001), (0.3, 0.1), (0.05, 0.1)])
@pytest.mark.parametrize("bit_errors", [0.01, 0.05])
def test_dense_impulses_shift_by_their_power(overlap, ratio, bit_errors):
    """10 log10(1 + 1/Gamma) where 512 A is at least 25 and a hundredth of the bits or more are wrong."""

    def ratio_at(snr_db, **kind):
        return link.simulate("prime:DBPSK", 100, linear(snr_db), n_frames=1500, seed=22, **kind).bit_error_ratio

    quiet_db = crossing_db(ratio_at, bit_errors, 4.0)
    impulses = noise.class_a(overlap, ratio, n_fft=512, first_bin=86)
    shift_db = 10 * np.log10(1 + 1 / ratio)
    loud_db = crossing_db(lambda snr_db: ratio_at(snr_db, noise=impulses), bit_errors, quiet_db + shift_db)
    assert loud_db - quiet_db == pytest.approx(shift_db, abs=0.3)


@pytest.mark.parametrize(
    ("name", "hit_ratio"), [("g3:DBPSK", 0.03), ("g3:DBPSK", 0.08), ("g3:ROBO", 0.1), ("g3:ROBO", 0.3)]
)
def test_rare_bursts_are_erased_symbols(name, hit_ratio):
    """The mapping with a share of dead terms against frames hit by bursts of 30 dB."""
    n_bytes = WAVEFORMS[name].reference_bytes
    stored = scales.read_scales()[name]

    def ratio_at(snr_db, **kind):
        return max(link.simulate(name, n_bytes, linear(snr_db), n_frames=600, seed=23, **kind).n_errors, 0.5) / 600

    flat_db = crossing_db(ratio_at, 0.1, THRESHOLDS_DB[name][0] - 0.125)
    # a differential product dies with either of its symbols
    dead = 1 - (1 - hit_ratio) ** 2
    cells = np.where(np.arange(1000)[:, None] < 1000 * dead, 1e-9, 1.0)
    predicted_db = scales.shift_db(name, cells, stored.detected_beta, flat_db)
    got_db = crossing_db(lambda snr_db: ratio_at(snr_db, noise=noise.bursts(hit_ratio, 30)), 0.1, predicted_db)
    assert got_db == pytest.approx(predicted_db, abs=0.5)


@pytest.mark.parametrize("name", scales.scaled_waveforms())
def test_effective_snr_on_other_channels(name):
    """Stored scales on channels that nobody fitted: 0.3 dB rms with a code, 0.5 dB with copies."""
    one, beta = WAVEFORMS[name], scales.read_scales()[name].detected_beta
    layout = link.frame_of(name, one.reference_bytes)
    flat = np.ones((layout.n_symbols, layout.n_carriers))
    # frames interleaved symbol by symbol fail less abruptly, and differ more from channel to channel
    n_channels, n_frames = (10, 200) if one.interleaving == "frame" else (80 if one.bits == 1 else 12, 400)
    flat_db = scales.needed_shift_db(name, flat, n_frames=8 * n_frames, seed=24, start_db=3.0)
    fresh = [selective.channel(name, 1001 + 2 * number, layout) for number in range(n_channels)]
    needed = [
        scales.needed_shift_db(
            name, cells, n_frames=n_frames, seed=2500 + k, start_db=scales.shift_db(name, cells, beta, flat_db)
        )
        for k, cells in enumerate(fresh)
    ]
    assert scales.rms_db(name, beta, fresh, np.array(needed), flat_db) < (0.5 if one.repetition > 1 else 0.3)


def test_unequal_neighbours_detect_like_their_flat_equivalent():
    """Frequency-differential BPSK with soft decisions, every other carrier 6 dB lower, ideally interleaved: 0.5 dB.

    Both comparisons of a bad carrier fail together, which no SNR of a pair can tell (0.4 dB here).
    """

    def needed_db(relative):
        def ratio_at(snr_db):
            lost = link.simulate("prime:DBPSK_CC", 100, relative * linear(snr_db), n_frames=3000, seed=26, ideal=True)
            return max(lost.n_errors, 0.5) / 3000

        return crossing_db(ratio_at, 0.1, 4.0)

    uneven = np.where(np.arange(96) % 2, 1.0, linear(-6.0))
    raised = uneven[:2] * linear(needed_db(uneven))
    flat = modulation.flat_equivalent(modulation.pair_snr(raised[0], raised[1]))
    assert 10 * np.log10(flat) == pytest.approx(needed_db(np.ones(96)), abs=0.5)


@pytest.mark.parametrize("name", WAVEFORMS)
def test_stored_curves_are_reproduced(name):
    """Every fourth point, with other random numbers."""
    points = [point for point in curves.read_points() if point.waveform == name][::4]
    for point in points:
        n_frames = min(point.n_frames, 1000)
        seed = 27_000 + round(100 * point.snr_db) % 1000
        count = link.simulate(name, point.payload_bytes, linear(point.snr_db), n_frames=n_frames, seed=seed)
        share = (count.n_errors + point.n_errors) / (n_frames + point.n_frames)
        spread = np.sqrt(share * (1 - share) * (1 / n_frames + 1 / point.n_frames))
        assert abs(count.error_ratio - point.per) < 4.5 * spread + 1 / n_frames
