"""Strong emitters at their own terminals: how many, which spectrum, when in the cycle and the day."""

import dataclasses

import numpy as np
import pytest
from amiplan.channels.draws import Draws, MedianDraws, mix
from amiplan.channels.paths import CUSTOMER_CLASSES
from amiplan.channels.powerline.emission import (
    EmitterSettings,
    emission_dbuv,
    emitter_kinds,
    emitter_patterns,
    emitters_of,
)
from noise import CARRIER_HZ, SPACING_HZ

DRAWS = Draws(3, 1)
KEYS = mix(np.arange(5000, dtype=np.uint64))
KINDS = tuple(emitter_kinds().values())
ANY = dataclasses.replace(
    KINDS[0],
    low_dbuv=70.0,
    high_dbuv=110.0,
    switching_low_hz=4e3,
    switching_high_hz=100e3,
    width_low_hz=200.0,
    width_high_hz=5e3,
)
FCC_HZ = 4687.5 * np.arange(33, 105)


def spectrum(frequency_hz=CARRIER_HZ, keys=KEYS, **changes):
    return emission_dbuv(keys, frequency_hz, SPACING_HZ, DRAWS, dataclasses.replace(ANY, **changes))


def settings(ratio=0.03, hour=10.0, kinds=KINDS, window_s=640e-6, n_bins=8):
    return EmitterSettings(ratio, hour, kinds, window_s, 50.0, n_bins)


def found(meter_class=None, keys=KEYS, draws=DRAWS, **changes):
    return emitters_of(keys, meter_class, CARRIER_HZ, SPACING_HZ, draws, settings(**changes))


def devices(emitters):
    return set(zip(emitters.kind.tolist(), emitters.row.tolist(), strict=True))


def test_the_share_of_emitters_is_the_ratio_and_more_of_them_keep_the_first():
    few, many = found(), found(ratio=0.3)
    assert few.row.size / KEYS.size == pytest.approx(0.03, abs=0.01)
    assert many.row.size / KEYS.size == pytest.approx(0.3, abs=0.03)
    assert devices(few) <= devices(many)
    common = [np.flatnonzero((many.kind == k) & (many.row == r))[0] for k, r in zip(few.kind, few.row, strict=True)]
    np.testing.assert_array_equal(many.level_uv2[common], few.level_uv2)
    assert found(ratio=0.0).row.size == 0
    assert found(draws=MedianDraws()).row.size == 0
    turned = found(keys=KEYS[::-1])
    assert {(kind, KEYS.size - 1 - row) for kind, row in devices(turned)} == devices(few)


def test_shapes_belong_together():
    one = found(ratio=0.3)
    assert one.level_uv2.shape == (one.row.size, CARRIER_HZ.size)
    assert one.pattern.shape == (one.row.size, 8)
    np.testing.assert_allclose(one.pattern.mean(axis=1), 1)
    np.testing.assert_array_equal(one.pattern, emitter_patterns(settings(), 3)[one.kind, 0])
    assert np.all(one.level_uv2 > 0)
    none = found(kinds=())
    assert none.row.size == 0
    assert none.level_uv2.shape == (0, CARRIER_HZ.size)
    assert none.pattern.shape == (0, 8)


def test_the_shipped_table_sums_to_one_emitter_per_house_and_day():
    assert sum(kind.house for kind in KINDS) == pytest.approx(1)
    for kind in KINDS:
        assert np.mean(kind.hours) == pytest.approx(1, abs=1e-9)
        assert kind.confidence == "C"
        assert kind.source
        assert 70 <= kind.low_dbuv <= kind.high_dbuv <= 110
        assert kind.above_150_db >= 20
    assert sum(kind.house * kind.at_hour(10.0) for kind in KINDS) == pytest.approx(1, abs=0.1)


def test_classes_and_hours_differ():
    house, industry = (found(np.full(KEYS.size, CUSTOMER_CLASSES.index(c)), ratio=0.2) for c in ("house", "industrial"))
    names = [kind.name for kind in KINDS]
    drive = names.index("industrial_converter")
    assert not np.any(house.kind == drive)
    assert np.sum(industry.kind == drive) / KEYS.size == pytest.approx(0.2 * 2 * 1.6, rel=0.1)
    mixed = np.where(np.arange(KEYS.size) < 2500, 0, 5)
    assert devices(found(mixed, ratio=0.2)) == {d for d in devices(house) if d[1] < 2500} | {
        d for d in devices(industry) if d[1] >= 2500
    }
    noon, night, evening = (found(ratio=0.5, hour=h) for h in (12.0, 3.0, 20.0))
    inverter, lamp = names.index("pv_inverter"), names.index("lamp_ballast")
    assert np.sum(noon.kind == inverter) > 100
    assert not np.any(night.kind == inverter)
    assert np.sum(evening.kind == lamp) > 3 * np.sum(noon.kind == lamp)
    assert {d for d in devices(night) if d[0] == lamp} <= {d for d in devices(evening) if d[0] == lamp}
    np.testing.assert_allclose([ANY.at_hour(h) for h in (0.0, 24.0)], ANY.hours[0])
    assert ANY.at_hour(8.25) == pytest.approx(0.75 * ANY.hours[8] + 0.25 * ANY.hours[9])


def test_a_narrow_line_on_a_carrier_reads_its_level_and_a_wide_one_fills_the_carrier():
    line = {"low_dbuv": 100.0, "high_dbuv": 100.0, "switching_low_hz": 62500.0, "switching_high_hz": 62500.0}
    carrier = int(np.argmin(np.abs(CARRIER_HZ - 62500.0)))
    narrow = spectrum(**line, width_low_hz=1.0, width_high_hz=1.0)
    np.testing.assert_allclose(narrow[:, carrier], 100.0, atol=0.05)
    assert narrow[:, :carrier].max() < 65
    # a flat spectrum over one carrier holds 10 log10(1562.5 / 200) = 8.9 dB more than 200 Hz of it
    wide = spectrum(**line, width_low_hz=5e4, width_high_hz=5e4)
    np.testing.assert_allclose(wide[:, carrier], 108.9, atol=0.1)
    assert np.all(np.diff(wide[0, carrier:]) < 0)


def test_harmonics_fall_by_the_square_and_levels_stay_in_their_range():
    comb = spectrum(switching_low_hz=20e3, switching_high_hz=20e3, width_low_hz=10.0, width_high_hz=10.0)
    second, fourth = (comb[0, np.argmin(np.abs(CARRIER_HZ - f))] for f in (40e3, 80e3))
    assert second - fourth == pytest.approx(20 * np.log10(2), abs=0.3)
    peak = spectrum(switching_high_hz=CARRIER_HZ[-1]).max(axis=1)
    assert peak.min() > 65
    assert peak.max() < 110 + 9  # a flat hump holds 8.9 dB more in a carrier than in 200 Hz
    np.testing.assert_array_equal(emission_dbuv(KEYS[::-1], CARRIER_HZ, SPACING_HZ, DRAWS, ANY)[::-1], spectrum())


B_HZ = SPACING_HZ * np.arange(63, 79)


@pytest.mark.parametrize("width_hz", [200.0, 2e3, 5e3])
@pytest.mark.parametrize(("frequency_hz", "low", "high"), [(CARRIER_HZ, 4e3, 400e3), (B_HZ, 30e3, 400e3)])
def test_levels_have_no_step_where_a_line_crosses_an_edge_of_the_band(frequency_hz, low, high, width_hz):
    def level(switching_hz):
        same = {"low_dbuv": 90.0, "high_dbuv": 90.0, "width_low_hz": width_hz, "width_high_hz": width_hz}
        return spectrum(frequency_hz, KEYS[:1], **same, switching_low_hz=switching_hz, switching_high_hz=switching_hz)

    for edge in (frequency_hz[0] - SPACING_HZ / 2, frequency_hz[-1] + SPACING_HZ / 2):
        for harmonic in range(1, 9):
            if low < edge / harmonic < high:
                below, above = (level(edge / harmonic * side) for side in (1 - 1e-9, 1 + 1e-9))
                np.testing.assert_allclose(below, above, atol=0.05)
    # one that switches ever farther above the band is heard ever less
    away = np.array([level(hz)[0] for hz in np.geomspace(frequency_hz[-1] + SPACING_HZ, 400e3, 30)])
    assert np.all(np.diff(away, axis=0) < 0)


@pytest.mark.parametrize("width_hz", [200.0, 2e3])
def test_of_a_device_that_switches_above_the_band_only_the_skirt_arrives(width_hz):
    at_hz = 110e3
    fixed = {"switching_low_hz": at_hz, "switching_high_hz": at_hz, "width_low_hz": width_hz, "width_high_hz": width_hz}
    got = spectrum(keys=KEYS[:1], low_dbuv=90.0, high_dbuv=90.0, **fixed)[0]

    def within(offset_hz, span_hz):
        ends = (offset_hz + span_hz / 2, offset_hz - span_hz / 2)
        return np.subtract(*(np.arctan(end / (width_hz / 2)) for end in ends)) / np.pi

    lines = sum(within(CARRIER_HZ - n * at_hz, SPACING_HZ) / n**2 for n in (1, 2))
    np.testing.assert_allclose(got, 90.0 + 10 * np.log10(lines / within(0.0, 200.0)), atol=1e-6)
    assert got.max() < {200.0: 55, 2e3: 74}[width_hz]


def test_levels_are_lower_from_150_khz_on():
    def drop(frequency_hz, above_150_db):
        few = KEYS[:200]
        return spectrum(frequency_hz, few, above_150_db=0.0) - spectrum(frequency_hz, few, above_150_db=above_150_db)

    np.testing.assert_allclose(drop(FCC_HZ, 20.0), 20.0)
    np.testing.assert_array_equal(drop(CARRIER_HZ, 20.0), 0.0)
    across = np.array([100e3, 149e3, 151e3, 200e3])
    np.testing.assert_allclose(drop(across, 30.0), np.tile([0, 0, 30, 30], (200, 1)), atol=1e-9)


def test_patterns_lie_where_the_table_puts_them_and_move_with_the_phase():
    crest = dataclasses.replace(ANY, pattern_centre=0.5, pattern_share=0.25, pattern_rest_db=-300.0)
    zero = dataclasses.replace(crest, pattern_centre=0.0)
    steady = dataclasses.replace(crest, pattern_share=1.0)
    at = emitter_patterns(settings(kinds=(crest, zero, steady), window_s=1e-9, n_bins=24), 3)
    assert at.shape == (3, 3, 24)
    np.testing.assert_allclose(at[0, 0, 9:15], 4.0, rtol=1e-6)
    np.testing.assert_allclose(at[1, 0, [0, 1, 2, 21, 22, 23]], 4.0, rtol=1e-6)
    np.testing.assert_allclose(at[0, 0, :9], 0, atol=1e-6)
    np.testing.assert_allclose(at[2], 1.0)
    np.testing.assert_allclose(at[0, 1], np.roll(at[0, 0], 8), atol=1e-6)
    tenth = dataclasses.replace(crest, pattern_rest_db=-10.0)
    level = emitter_patterns(settings(kinds=(tenth,), window_s=1e-9, n_bins=24), 1)[0, 0]
    assert level[12] / level[0] == pytest.approx(10, rel=1e-6)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"house": -0.1}, "negative"),
        ({"low_dbuv": 120.0}, "must rise"),
        ({"switching_low_hz": 0.0}, "switching"),
        ({"width_low_hz": 9e3}, "width"),
        ({"pattern_share": 0.0}, "pattern_share"),
        ({"pattern_rest_db": 1.0}, "pattern_rest_db"),
        ({"hours": (1.0,) * 23}, "24 factors"),
        ({"hours": (-1.0,) * 24}, "not negative"),
    ],
)
def test_impossible_kinds_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        dataclasses.replace(ANY, **change)


def test_impossible_shares_and_classes_are_refused():
    with pytest.raises(ValueError, match="0 to 1"):
        found(ratio=1.5)
    with pytest.raises(ValueError, match="meter 2 has customer class 7"):
        found(np.array([0, 1, 7]), keys=KEYS[:3])
