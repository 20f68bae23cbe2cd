"""Loads, noise, phases, couplers and pairs of the power line."""

import numpy as np
import pytest
from amiplan.channels.draws import Draws, mix
from amiplan.channels.phy.g3_ofdm import CARRIER_HZ, CARRIER_SPACING_HZ
from amiplan.channels.powerline.coupling import injection_gain_db, transformer_admittance_s
from amiplan.channels.powerline.loads import house_impedance_ohm
from amiplan.channels.powerline.noise import background_noise_dbuv, cycle_regions, receiver_noise_dbuv
from amiplan.channels.powerline.pairs import area_pairs
from amiplan.channels.powerline.phases import ALL_PHASES, cross_phase_loss_db, phase_of

KEYS = mix(np.arange(4000, dtype=np.uint64))
HOUSE = {"environment": "rural", "frequency_exponent": 0.5, "phase_low_deg": -30.0, "phase_high_deg": 60.0}
NOISE = {
    "bandwidth_hz": CARRIER_SPACING_HZ,
    "offset_db": 0.0,
    "area_sigma_db": 4.0,
    "node_sigma_db": 3.0,
    "lines_per_node": 0.0,
    "receiver_floor_dbuv": 10.0,
}


def test_house_impedance_has_the_published_range():
    at_reference = np.abs(house_impedance_ohm(KEYS, np.array([63e3]), Draws(1), **HOUSE))[:, 0]
    assert np.median(at_reference) == pytest.approx(7.1, rel=0.05)
    low, high = np.percentile(at_reference, [5, 95])
    assert low == pytest.approx(3.0, rel=0.1)
    assert high == pytest.approx(17.0, rel=0.1)


def test_house_impedance_is_passive_scales_and_keeps_to_the_key():
    z = house_impedance_ohm(KEYS, CARRIER_HZ, Draws(1), **HOUSE)
    assert np.all(z.real > 0)
    np.testing.assert_allclose(house_impedance_ohm(KEYS, CARRIER_HZ, Draws(1), **HOUSE, factor=3.0), 3 * z)
    np.testing.assert_array_equal(house_impedance_ohm(KEYS[::-1], CARRIER_HZ, Draws(1), **HOUSE), z[::-1])
    assert not np.allclose(house_impedance_ohm(KEYS, CARRIER_HZ, Draws(1, 1), **HOUSE), z)


@pytest.mark.parametrize(
    "change",
    [{"environment": "lunar"}, {"factor": 0.0}, {"phase_low_deg": 70.0}, {"phase_high_deg": 90.0}],
)
def test_impossible_houses_are_refused(change):
    with pytest.raises(ValueError):
        house_impedance_ohm(KEYS[:2], CARRIER_HZ, Draws(1), **{**HOUSE, **change})


def test_background_noise_levels_and_limits():
    # reference/plc.md 6.1: 68 / 63 / 53 / 47 dBuV per carrier at 36 / 50 / 75 / 91 kHz, and 59 / 54 / 44 / 38 in 200 Hz
    f = np.array([36e3, 50e3, 75e3, 91e3])
    np.testing.assert_allclose(background_noise_dbuv(f, CARRIER_SPACING_HZ), [68, 63, 53, 47], atol=0.7)
    np.testing.assert_allclose(background_noise_dbuv(f, 200.0), [59, 54, 44, 38], atol=0.7)
    with pytest.raises(ValueError, match="9 to 95 kHz"):
        background_noise_dbuv(np.array([150e3]), 200.0)


def test_noise_spread_offset_and_lines():
    area = np.repeat(KEYS[:400], 10)
    quiet = receiver_noise_dbuv(KEYS, area, CARRIER_HZ, Draws(1), **NOISE)
    assert quiet[:, 0].std() == pytest.approx(5.0, rel=0.1)
    louder = receiver_noise_dbuv(KEYS, area, CARRIER_HZ, Draws(1), **{**NOISE, "offset_db": 6.0})
    assert np.all(louder > quiet)
    struck = receiver_noise_dbuv(KEYS, area, CARRIER_HZ, Draws(1), **{**NOISE, "lines_per_node": 2.0})
    assert np.all(struck >= quiet - 1e-12)
    assert (struck > quiet + 5).sum() / KEYS.size == pytest.approx(2.0, rel=0.1)
    floor = receiver_noise_dbuv(KEYS, area, CARRIER_HZ, Draws(1), **{**NOISE, "offset_db": -300.0})
    np.testing.assert_allclose(floor, 10.0, atol=1e-6)


@pytest.mark.parametrize("change", [{"lines_per_node": 9.0}, {"node_sigma_db": -1.0}])
def test_impossible_noise_is_refused(change):
    with pytest.raises(ValueError):
        receiver_noise_dbuv(KEYS[:2], KEYS[:2], CARRIER_HZ, Draws(1), **{**NOISE, **change})


@pytest.mark.parametrize("cyclic", [0, 1, 2])
def test_cyclic_noise_keeps_its_mean(cyclic):
    share, power = cycle_regions(cyclic)
    assert share.sum() == pytest.approx(1)
    assert (share * power).sum() == pytest.approx(1)


def test_unknown_cyclic_set_is_refused():
    with pytest.raises(ValueError, match="use 0"):
        cycle_regions(7)


def test_phases_are_even_and_three_phase_meters_take_all():
    phase = phase_of(KEYS, np.where(np.arange(KEYS.size) < 3000, 1, 3), Draws(5))
    assert np.all(phase[3000:] == ALL_PHASES)
    np.testing.assert_allclose(np.bincount(phase[:3000]) / 3000, 1 / 3, atol=0.04)
    with pytest.raises(ValueError, match="node 1 has 2 phases"):
        phase_of(KEYS[:2], np.array([1, 2]), Draws(5))


def test_cross_phase_loss_follows_the_table():
    np.testing.assert_allclose(cross_phase_loss_db(np.array([0.0, 12.5, 25, 52.5, 90]), 0.0), [28, 16.5, 8.7, 3, 3])
    assert cross_phase_loss_db(np.array([52.5]), np.array([1.0]))[0] == pytest.approx(3 - 10.6)


def test_transformer_reactance_and_guard():
    # reference/plc.md 5.4: 630 kVA 32 uH, 250 kVA 81 uH
    ideal = {"short_circuit_ratio": 0.04, "line_voltage_v": 400.0, "quality_factor": 1e9, "capacitance_f": 0.0}
    y = transformer_admittance_s(np.array([630.0, 250.0]), np.array([50e3]), **ideal)
    np.testing.assert_allclose(1 / np.abs(y[:, 0]) / (2 * np.pi * 50e3), [32.3e-6, 81.5e-6], rtol=5e-3)
    with pytest.raises(ValueError, match="site 1"):
        transformer_admittance_s(np.array([630.0, 0.0]), np.array([50e3]), **ideal)


def test_injection_divider_and_current_limit():
    # reference/plc.md 4: 1 V behind 0.5 / 1 / 2 ohm loses 3.5 / 6.0 / 9.5 dB at 1 ohm
    y = np.ones((3, 1), complex)
    free = injection_gain_db(y, source_ohm=np.array([0.5, 1, 2]), carrier_level_v=1.0, current_limit_a=1e9)
    np.testing.assert_allclose(free[:, 0], [-3.5, -6.0, -9.5], atol=0.05)
    throttled = injection_gain_db(y[:1], source_ohm=1.0, carrier_level_v=1.0, current_limit_a=0.25)
    assert throttled[0, 0] == pytest.approx(20 * np.log10(0.25))


def line_of_houses():
    """Two areas: a string of three nodes behind bus 0, one edge behind bus 4; node 6 is dead."""
    return {
        "edge_from": np.array([0, 1, 2, 4]),
        "edge_to": np.array([1, 2, 3, 5]),
        "edge_length_m": np.array([10.0, 20.0, 30.0, 5.0]),
        "feeder_area": np.array([0, 0, 0, 0, 1, 1, -1]),
        "meter_feeder_node": np.array([1, 3, 3, 5, 6, -1]),
        "site_feeder_node": np.array([0, 4]),
    }


def test_pairs_lie_within_one_area_and_measure_along_the_cable():
    start, end, metres = area_pairs(**line_of_houses(), max_distance_m=1000.0)
    got = {(int(a), int(b)): float(d) for a, b, d in zip(start, end, metres, strict=True)}
    assert got == {(0, 1): 50, (0, 2): 50, (0, 6): 10, (1, 2): 0, (1, 6): 60, (2, 6): 60, (3, 7): 5}
    assert np.all(start < end)
    near = area_pairs(**line_of_houses(), max_distance_m=12.0)
    assert {tuple(map(int, x)) for x in zip(near[0], near[1], strict=True)} == {(0, 6), (1, 2), (3, 7)}
    with pytest.raises(ValueError, match="positive"):
        area_pairs(**line_of_houses(), max_distance_m=0.0)
