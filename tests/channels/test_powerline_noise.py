"""Background, narrow-band lines and the mains cycle."""

import numpy as np
import pytest
from amiplan.channels.draws import Draws, mix
from amiplan.channels.powerline.cycle import (
    CYCLIC_MODELS,
    KATAYAMA,
    bin_means,
    constant,
    interval,
    katayama,
    sine_power,
    window_mean,
)
from amiplan.channels.powerline.mains import phase_shift
from amiplan.channels.powerline.noise import (
    BROADCAST_HZ,
    background_noise_dbuv,
    background_uv2,
    cycle_pattern,
    lines_uv2,
)
from amiplan.channels.powerline.spectra import share_within
from noise import CARRIER_HZ, FCC, SPACING_HZ, noise_settings

KEYS = mix(np.arange(4000, dtype=np.uint64))
AREA = np.repeat(KEYS[:400], 10)
DRAWS = Draws(1)
STILL = {"offset_db": 0.0, "area_sigma_db": 0.0, "node_sigma_db": 0.0}
FCC_HZ = 4687.5 * np.arange(33, 105)


def decibel(power):
    return 10 * np.log10(power)


def test_background_has_the_published_levels():
    # 68 / 63 / 53 / 47 dBuV per G3 carrier at 36 / 50 / 75 / 91 kHz, 59 / 54 / 44 / 38 in 200 Hz; 33 / 25 at 150 / 500
    f = np.array([36e3, 50e3, 75e3, 91e3])
    np.testing.assert_allclose(background_noise_dbuv(f, SPACING_HZ), [68, 63, 53, 47], atol=0.7)
    np.testing.assert_allclose(background_noise_dbuv(f, 200.0), [59, 54, 44, 38], atol=0.7)
    np.testing.assert_allclose(background_noise_dbuv(np.array([150e3, 500e3]), 200.0), [33, 25], atol=0.7)
    np.testing.assert_allclose(np.diff(background_noise_dbuv(np.array([95e3, 95.001e3]), 1.0)), 0, atol=0.1)
    higher = background_noise_dbuv(FCC_HZ, 200.0, upper_dbm_hz=-84.0, upper_slope_db=15.0)
    np.testing.assert_allclose(higher - background_noise_dbuv(FCC_HZ, 200.0), 10.0)


@pytest.mark.parametrize("frequency", [8.9e3, 501e3, np.nan])
def test_background_is_refused_outside_its_range(frequency):
    with pytest.raises(ValueError, match="9 to 500 kHz"):
        background_noise_dbuv(np.array([50e3, frequency]), 200.0)


def test_spread_offset_and_keys():
    noise = decibel(background_uv2(KEYS, AREA, CARRIER_HZ, DRAWS, noise_settings()))
    mean = background_noise_dbuv(CARRIER_HZ, SPACING_HZ) - 12
    assert noise[:, 0].std() == pytest.approx(5.0, rel=0.1)
    assert noise[:, 0].mean() == pytest.approx(mean[0], abs=0.5)
    still = decibel(background_uv2(KEYS[:3], AREA[:3], CARRIER_HZ, DRAWS, noise_settings(**STILL)))
    np.testing.assert_allclose(still, np.tile(background_noise_dbuv(CARRIER_HZ, SPACING_HZ), (3, 1)))
    turned = background_uv2(KEYS[::-1], AREA[::-1], CARRIER_HZ, DRAWS, noise_settings())
    np.testing.assert_array_equal(decibel(turned)[::-1], noise)
    high = decibel(background_uv2(KEYS, AREA, np.array([94e3, 160e3, 400e3]), DRAWS, noise_settings()))
    np.testing.assert_allclose(high.std(axis=0)[1:] / high.std(axis=0)[0], 1.4, rtol=1e-6)


def test_lines_are_as_many_as_the_band_is_wide_and_nested():
    few, many = (lines_uv2(KEYS, CARRIER_HZ, DRAWS, noise_settings(lines_per_node=n, **STILL)) for n in (2.0, 6.0))
    assert np.all(many >= few)
    assert np.any(many > few)
    narrow = noise_settings(lines_per_node=6.0, line_width_low_hz=1.0, line_width_high_hz=1.0, **STILL)
    struck = lines_uv2(KEYS, CARRIER_HZ, DRAWS, narrow) > 0
    in_band = 6 * SPACING_HZ * CARRIER_HZ.size / 491e3
    assert struck.sum() / KEYS.size == pytest.approx(in_band, rel=0.1)
    # ten slots are independent: a band is free of all of them with this probability
    assert struck.any(axis=1).mean() == pytest.approx(1 - (1 - in_band / 10) ** 10, abs=0.03)
    none = noise_settings(lines_per_node=0.0, broadcast_ratio=0.0, **STILL)
    assert not lines_uv2(KEYS, CARRIER_HZ, DRAWS, none).any()
    turned = lines_uv2(KEYS[::-1], CARRIER_HZ, DRAWS, noise_settings())[::-1]
    np.testing.assert_array_equal(turned, lines_uv2(KEYS, CARRIER_HZ, DRAWS, noise_settings()))


def test_a_line_reads_its_level_in_200_hz_and_is_flat_over_its_width():
    shape = {"line_low_db": 20.0, "line_high_db": 20.0, "line_width_low_hz": 3e3, "line_width_high_hz": 3e3}
    settings = noise_settings(bandwidth_hz=200.0, lines_per_node=10.0, broadcast_ratio=0.0, **shape, **STILL)
    grid = np.arange(9.1e3, 500e3, 200.0)
    power = lines_uv2(KEYS[:1], grid, DRAWS, settings)[0]
    # the level is that over the background at the centre of the line; background changes by 1.2 dB over 3 kHz
    excess = decibel(power[power > 0]) - background_noise_dbuv(grid[power > 0], 200.0)
    whole = excess[excess > 18]
    np.testing.assert_allclose(whole, 20.0, atol=3.1)  # two lines may lie on each other
    assert whole.size * 200.0 == pytest.approx(10 * 3e3, rel=0.15)
    assert (power > 0).mean() < 0.08
    # a line narrower than 200 Hz has its whole power in its reading
    thin = noise_settings(
        lines_per_node=10.0,
        broadcast_ratio=0.0,
        line_low_db=20.0,
        line_high_db=20.0,
        line_width_low_hz=1.0,
        line_width_high_hz=1.0,
        **STILL,
    )
    found = lines_uv2(KEYS[:200], CARRIER_HZ, DRAWS, thin)
    level = (decibel(np.where(found > 0, found, 1)) - background_noise_dbuv(CARRIER_HZ, 200.0))[found > 0]
    assert np.median(level) == pytest.approx(20.0, abs=0.3)


def test_stations_stand_on_long_wave_channels_and_are_the_same_for_all():
    settings = noise_settings(receiver=FCC, bandwidth_hz=200.0, lines_per_node=0.0, broadcast_ratio=0.4, **STILL)
    grid = np.arange(149e3, 285e3, 1e3)
    heard = lines_uv2(KEYS, grid, DRAWS, settings)
    stations = grid[(heard > 0).any(axis=0)]
    assert 0 < stations.size < BROADCAST_HZ.size
    assert set(stations) <= set(BROADCAST_HZ)
    level = decibel(heard[:, np.isin(grid, stations)]) - background_noise_dbuv(stations, 200.0)
    assert np.all((level > 10) & (level < 40))
    assert level.std(axis=0).min() > 5


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"lines_per_node": 11.0}, "0 to 10"),
        ({"broadcast_ratio": 1.2}, "share of channels"),
        ({"line_low_db": 50.0}, "levels"),
        ({"line_width_low_hz": 0.0}, "widths"),
    ],
)
def test_impossible_lines_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        lines_uv2(KEYS[:2], CARRIER_HZ, DRAWS, noise_settings(**change))


@pytest.mark.parametrize(
    ("change", "words"), [({"node_sigma_db": -1.0}, "spreads"), ({"pulse_s": 0.011}, "half cycle")]
)
def test_impossible_backgrounds_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        background_uv2(KEYS[:2], KEYS[:2], CARRIER_HZ, DRAWS, noise_settings(**change))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cyclic": "katayama-3"}, "unknown"),
        ({"window_s": 0.0}, "positive time"),
        ({"cyclic": "regions", "region_share": (0.5, 0.4, 0.2)}, "sum to 1"),
        ({"cyclic": "regions", "region_db": (0.0, 1.0)}, "three"),
    ],
)
def test_impossible_cycles_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        cycle_pattern(noise_settings(**change), CARRIER_HZ, 3)


def test_shares_of_a_line():
    # half of a Lorentzian lies within its width, and the whole of it everywhere
    assert share_within(0.0, 50.0, 50.0) == pytest.approx(0.5)
    assert share_within(0.0, 1e12, 50.0) == pytest.approx(1.0)
    parts = [share_within(offset, 100.0, 70.0) for offset in np.arange(-1e6, 1e6 + 1, 200.0)]
    assert np.sum(parts) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize(("name", "mean"), [("katayama-1", 0.95), ("katayama-2", 1.02)])
def test_cycle_means_of_the_published_sets(name, mean):
    amplitude, integrals = katayama(name)
    assert amplitude @ [one(1.0) - one(0.0) for one in integrals] == pytest.approx(mean, abs=0.005)


@pytest.mark.parametrize("name", KATAYAMA)
@pytest.mark.parametrize("width", [0.0213, 0.064, 0.2048])
def test_window_means_are_exact(name, width):
    # fine sums of the formula itself
    rows = np.array(KATAYAMA[name])
    start = np.array([0.03, 0.31, 0.55, 0.7, 0.97])
    steps = 100_000
    time = start[:, None] - width / 2 + width * (np.arange(steps) + 0.5) / steps
    brute = sum(a * np.mean(np.abs(np.sin(np.pi * time + np.deg2rad(theta))) ** n, axis=1) for a, theta, n in rows)
    amplitude, integrals = katayama(name)
    exact = sum(a * window_mean(one, start, width) for a, one in zip(amplitude, integrals, strict=True))
    np.testing.assert_allclose(exact, brute, rtol=1e-5)


# Noise power of one symbol over the cycle mean [dB]: 5 %, 50 %, 95 % and most, over all places in the half cycle of
# 50 Hz mains; computed apart for this project by exact integration.
SYMBOL_NOISE = {
    ("katayama-1", 640e-6): (-5.9, 0.0, 2.3, 2.3),
    ("katayama-2", 640e-6): (-8.9, -6.0, 5.0, 5.6),
    ("katayama-1", 256 / 1.2e6): (-5.9, 0.0, 2.3, 3.3),
    ("katayama-2", 256 / 1.2e6): (-8.9, -6.2, 4.6, 9.4),
    ("katayama-1", 2.048e-3): (-5.1, 0.1, 2.2, 2.3),
    ("katayama-2", 2.048e-3): (-8.9, -2.3, 4.0, 4.4),
}


@pytest.mark.parametrize("name", KATAYAMA)
@pytest.mark.parametrize("window_s", [640e-6, 256 / 1.2e6, 2.048e-3])
def test_symbols_see_the_noise_that_was_computed_elsewhere(name, window_s):
    amplitude, integrals = katayama(name)
    place = (np.arange(100_000) + 0.5) / 100_000
    power = sum(a * window_mean(one, place, 100 * window_s) for a, one in zip(amplitude, integrals, strict=True))
    level = decibel(power / power.mean())
    found = (*np.percentile(level, [5, 50, 95]), level.max())
    np.testing.assert_allclose(found, SYMBOL_NOISE[name, window_s], atol=0.15)


@pytest.mark.parametrize("cyclic", CYCLIC_MODELS)
@pytest.mark.parametrize("n_phases", [1, 3])
def test_patterns_keep_their_mean_and_stay_positive(cyclic, n_phases):
    for severity in ("typical", "harsh"):
        pattern = cycle_pattern(noise_settings(severity, cyclic=cyclic), CARRIER_HZ, n_phases)
        assert pattern.shape == (n_phases, 8, 36)
        assert np.all(pattern > 0)
        np.testing.assert_allclose(pattern.mean(axis=1), 1, rtol=1e-12)
    assert (cyclic == "none") == bool(np.ptp(cycle_pattern(noise_settings(cyclic=cyclic), CARRIER_HZ, 1)) < 1e-12)


@pytest.mark.parametrize("cyclic", ["katayama-1", "katayama-2", "regions"])
def test_other_phases_see_the_pattern_a_third_of_a_half_cycle_later(cyclic):
    pattern = cycle_pattern(noise_settings("harsh", n_bins=24, cyclic=cyclic), CARRIER_HZ, 3)
    np.testing.assert_allclose(pattern[1], np.roll(pattern[0], 8, axis=0), rtol=1e-9)
    np.testing.assert_allclose(pattern[2], np.roll(pattern[0], 16, axis=0), rtol=1e-9)


def test_a_window_of_a_whole_half_cycle_sees_no_pattern_and_other_mains_another():
    long = cycle_pattern(noise_settings(window_s=10e-3), CARRIER_HZ, 3)
    np.testing.assert_allclose(long, 1, rtol=1e-9)
    at_50, at_60 = (cycle_pattern(noise_settings(mains_hz=f), CARRIER_HZ, 1) for f in (50.0, 60.0))
    assert np.abs(at_50 - at_60).max() > 1e-3
    same = cycle_pattern(noise_settings(mains_hz=60.0, window_s=640e-6 * 50 / 60), CARRIER_HZ, 1)
    np.testing.assert_allclose(same, at_50, rtol=1e-12)


def test_bins_of_the_katayama_set_are_where_the_formula_puts_them():
    # without a window the mean over a bin is the integral of the formula over the bin
    pattern = cycle_pattern(noise_settings(window_s=1e-9, cyclic="katayama-2"), CARRIER_HZ, 1)[0, :, 0]
    amplitude, integrals = katayama("katayama-2")
    edge = np.arange(9) / 8
    exact = sum(a * np.diff(one(edge)) for a, one in zip(amplitude, integrals, strict=True))
    np.testing.assert_allclose(pattern, exact / exact.mean(), rtol=2e-4)


def test_regions_have_their_shares_levels_and_tilts():
    share, level, tilt = (0.5, 0.25, 0.25), (0.0, 10.0, 20.0), (0.0, 0.0, 10.0)
    settings = noise_settings(
        cyclic="regions", region_share=share, region_db=level, region_tilt_db=tilt, n_bins=80, window_s=1e-9
    )
    pattern = cycle_pattern(settings, np.array([10e3, 100e3]), 1)[0]
    counted = [np.unique(np.round(decibel(pattern[:, k] / pattern[:, k].min()), 6), return_counts=True) for k in (0, 1)]
    np.testing.assert_allclose(counted[0][0], [0, 10], atol=1e-6)  # raised and, ten times lower in frequency, pulsed
    np.testing.assert_allclose(counted[1][0], [0, 10, 20], atol=1e-6)
    np.testing.assert_array_equal(counted[1][1], [40, 20, 20])
    loudest = np.flatnonzero(pattern[:, 1] > 0.99 * pattern[:, 1].max())
    np.testing.assert_array_equal(loudest, np.arange(50, 70))  # right behind the raised region around the crest


def test_pulses_add_their_power_at_the_crest_and_take_nothing_away():
    calm, struck = (noise_settings(cyclic="none", pulse_db=level, pulse_s=1e-4, **STILL) for level in (-300.0, 20.0))
    assert struck.pulse_excess == pytest.approx(1.0)
    key = KEYS[:1]
    of = [
        background_uv2(key, key, CARRIER_HZ, DRAWS, one)[0] * cycle_pattern(one, CARRIER_HZ, 1)[0]
        for one in (calm, struck)
    ]
    added = (of[1] - of[0]) / of[0]
    assert np.all(added > -1e-12)
    np.testing.assert_allclose(added.mean(axis=0), 1.0, rtol=1e-9)
    np.testing.assert_allclose(added[3] + added[4], 8.0, rtol=1e-9)  # a symbol of 0.64 ms fits two bins of 1.25 ms


def test_elementary_shapes():
    np.testing.assert_allclose(constant(np.array([0.0, 2.5])), [0, 2.5])
    burst = interval(0.5, 0.2)
    np.testing.assert_allclose(
        np.diff(burst(np.array([0.0, 0.4, 0.5, 0.6, 1.0, 2.0]))), [0, 0.1, 0.1, 0, 0.2], atol=1e-12
    )
    around = interval(0.0, 0.2)
    np.testing.assert_allclose(np.diff(around(np.array([0.0, 0.1, 0.9, 1.0]))), [0.1, 0, 0.1], atol=1e-12)
    square = sine_power(0.0, 2.0)
    time = np.linspace(-2, 2, 41)
    np.testing.assert_allclose(
        square(time), time / 2 - np.sin(2 * np.pi * time) / (4 * np.pi) + square(0.0), atol=1e-12
    )
    means = bin_means((square,), 4, phase_shift(3), 0.05)
    np.testing.assert_allclose(means.mean(axis=-1), 0.5, rtol=1e-12)
