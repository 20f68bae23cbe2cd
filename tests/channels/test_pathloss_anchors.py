"""Known answers: the numeric anchors at 868 MHz that crc-covlib 4.6.2, ns-3 and pycraf 2.1.0 also give."""

import numpy as np
import pytest
from amiplan.channels.draws import Draws, pair_key
from amiplan.channels.pathloss import hata, p526, p1411, p2108, p2109, tr45820
from amiplan.channels.pathloss.enclosure import enclosure_loss_db
from amiplan.channels.pathloss.free_space import free_space_loss_db
from amiplan.channels.pathloss.shadowing import shadowing_db
from amiplan.channels.pathloss.two_ray import two_ray_loss_db
from amiplan.channels.paths import Clutter, Enclosure

F = 868e6

NEAR_STREET = {
    ("suburban", 0.5): (60.8, 72.8, 101.7, 113.8, 120.8, 129.7, 141.7),
    ("suburban", 0.9): (84.7, 98.7, 110.7, 122.7, 129.8, 138.7, 150.7),
    ("urban", 0.5): (60.8, 74.8, 108.5, 120.6, 127.6, 136.5, 148.5),
    ("urban", 0.9): (89.4, 105.5, 117.5, 129.5, 136.6, 145.5, 157.5),
    ("dense", 0.5): (60.8, 73.5, 104.0, 116.1, 123.1, 132.0, 144.0),
    ("dense", 0.9): (86.3, 101.0, 113.0, 125.0, 132.1, 141.0, 153.0),
}
BELOW_ROOF = {"sight": (63.9, 70.3, 75.2), "high_rise": (76.7, 88.7, 98.0), "residential": (68.7, 77.7, 84.7)}
ENTRY = {
    169e6: (14.0, 23.0, 36.6, 50.3),
    433e6: (13.9, 23.8, 32.7, 47.4),
    868e6: (14.2, 25.0, 31.2, 46.6),
    915e6: (14.3, 25.2, 31.1, 46.5),
    1800e6: (14.8, 26.8, 30.6, 47.1),
    2440e6: (15.2, 27.7, 30.6, 47.9),
}
END_LOSS = {
    Clutter.OPEN: (17.6, 11.2, 6.4, 2.1),
    Clutter.SUBURBAN: (18.6, 17.0, 14.2, 7.4),
    Clutter.URBAN: (22.4, 21.5, 20.0, 17.0),
    Clutter.TREES: (22.4, 21.5, 20.0, 17.0),
    Clutter.DENSE: (24.9, 24.3, 23.3, 21.5),
}
HATA = {"urban": (125.99, 150.61), "suburban": (116.15, 140.77), "open": (97.64, 122.26)}


@pytest.mark.parametrize(("environment", "share"), NEAR_STREET)
def test_near_street(environment, share):
    distance = [30, 50, 100, 200, 300, 500, 1000]
    got = p1411.near_street_loss_db(distance, frequency_hz=F, location_ratio=share, environment=environment)
    np.testing.assert_allclose(got, NEAR_STREET[environment, share], atol=0.1)


@pytest.mark.parametrize("place", BELOW_ROOF)
def test_below_roof(place):
    got = p1411.below_roof_loss_db([50, 100, 170], frequency_hz=F, place=place)
    np.testing.assert_allclose(got, BELOW_ROOF[place], atol=0.1)


@pytest.mark.parametrize("frequency", ENTRY)
def test_building_entry(frequency):
    got = [
        p2109.building_entry_loss_db([0.5, 0.9], frequency_hz=frequency, building_class=kind)
        for kind in p2109.BUILDING_CLASSES
    ]
    np.testing.assert_allclose(np.concatenate(got), ENTRY[frequency], atol=0.1)


def test_building_entry_grows_with_elevation():
    flat, steep = p2109.building_entry_loss_db([0.5, 0.5], frequency_hz=F, elevation_deg=[0.0, 30.0])
    assert 4.0 < steep - flat < 6.4


@pytest.mark.parametrize("clutter", END_LOSS)
def test_end_loss(clutter):
    got = p2108.height_gain_loss_db([1.5, 3.0, 5.0, 8.0], clutter_code=int(clutter), frequency_hz=F)
    np.testing.assert_allclose(got, END_LOSS[clutter], atol=0.1)


def test_statistical_clutter():
    distance = [250, 500, 1000, 2000]
    half = p2108.statistical_loss_db(distance, frequency_hz=F)
    most = p2108.statistical_loss_db(distance, frequency_hz=F, location_ratio=0.9)
    np.testing.assert_allclose(half, (18.3, 23.4, 24.3, 24.4), atol=0.1)
    np.testing.assert_allclose(most, (25.8, 29.5, 29.5, 29.5), atol=0.1)


@pytest.mark.parametrize("environment", HATA)
def test_hata(environment):
    got = hata.hata_loss_db([1e3, 5e3], frequency_hz=F, site_height_m=30.0, meter_height_m=1.5, environment=environment)
    np.testing.assert_allclose(got, HATA[environment], atol=0.01)


def test_hata_environment_of_clutter_codes():
    codes = np.array([Clutter.OPEN, Clutter.SUBURBAN, Clutter.URBAN])
    got = hata.hata_loss_db(1e3, frequency_hz=F, site_height_m=30.0, meter_height_m=1.5, environment=codes)
    np.testing.assert_allclose(got, [HATA[name][0] for name in ("open", "suburban", "urban")], atol=0.01)


def test_hata_range_marks():
    inside = hata.hata_in_range([999.0, 1e3, 2e4, 2.1e4], frequency_hz=F, site_height_m=30.0, meter_height_m=1.5)
    assert inside.tolist() == [False, True, True, False]
    assert not hata.hata_in_range(2e3, frequency_hz=F, site_height_m=12.0, meter_height_m=1.5)


def test_tr45820_macro_and_building_statistics():
    assert float(tr45820.macro_loss_db(1000.0, frequency_hz=900e6)) == pytest.approx(120.9)
    assert float(tr45820.macro_loss_db(10_000.0, frequency_hz=900e6)) == pytest.approx(158.5)
    loss = tr45820.building_loss_db(np.random.default_rng(4).random((400_000, 5)))
    assert loss.mean() == pytest.approx(24.2, abs=0.1)
    assert loss.std() == pytest.approx(8.0, abs=0.1)
    np.testing.assert_allclose(np.percentile(loss, [10, 50, 90, 95, 99]), (14.4, 23.5, 35.1, 38.8, 45.1), atol=0.15)


def test_free_space_and_two_ray():
    assert float(free_space_loss_db(1000.0, F)) == pytest.approx(32.45 + 20 * np.log10(868.0), abs=0.01)
    near, far, farther = two_ray_loss_db(
        [100.0, 200.0, 2000.0], first_height_m=8.0, second_height_m=1.5, frequency_hz=F
    )
    assert near == pytest.approx(float(free_space_loss_db(100.0, F)))
    assert farther - far == pytest.approx(40.0)


def test_knife_edge_known_values():
    np.testing.assert_allclose(
        p526.knife_edge_loss_db([-1.0, -0.78, 0.0, 1.0, 2.4]), (0, 0, 6.03, 13.93, 20.58), atol=0.1
    )


def test_bullington_equals_the_edge_of_a_single_hill():
    distance, hill = 4000.0, 80.0
    profile = np.zeros((1, 41), np.float32)
    profile[0, 20] = hill
    got = p526.bullington_loss_db(
        profile, distance, start_height_m=10.0, end_height_m=10.0, frequency_hz=F, earth_radius_factor=1e9
    )
    nu = (hill - 10.0) * np.sqrt(2.0 * distance / (299_792_458.0 / F * 2000.0 * 2000.0))
    edge = float(p526.knife_edge_loss_db(nu))
    assert float(got[0]) == pytest.approx(edge + (1 - np.exp(-edge / 6)) * (10 + 0.02 * 4.0), abs=1e-6)


def test_flat_ground_has_no_excess_but_the_earth_bulges():
    heights = {"start_height_m": 1.5, "end_height_m": 30.0, "frequency_hz": F}
    slope = np.linspace(100.0, 140.0, 33, dtype=np.float32)[None, :]
    assert p526.terrain_excess_db(slope, 3000.0, **heights)[0] == 0.0
    flat = np.zeros((2, 2), np.float32)
    near, far = p526.bullington_loss_db(flat, [1e3, 60e3], **heights)
    assert far > near + 10.0


def test_enclosures():
    codes = np.array([Enclosure.NONE, Enclosure.FACADE_BOX, Enclosure.INDOOR, Enclosure.BASEMENT, 4, 5])
    got = enclosure_loss_db(codes, np.full(6, 0.5), frequency_hz=F)
    np.testing.assert_allclose(got, (0.0, 4.5, 14.2, 26.7, 15.0, 27.5), atol=0.1)


def test_shadowing_is_reciprocal_and_correlated_at_the_meter():
    draws, keys = Draws(seed=3, replication=1), np.arange(1, 20_001, dtype=np.uint64)
    site = np.full(keys.size, 77, np.uint64)
    there = shadowing_db(draws, pair_key(keys, site), 8.0)
    back = shadowing_db(draws, pair_key(site, keys), 8.0)
    np.testing.assert_array_equal(there, back)
    assert there.std() == pytest.approx(8.0, abs=0.2)
    one, two = (
        shadowing_db(draws, pair_key(keys, site + np.uint64(n)), 8.0, end_keys=keys, end_correlation=0.5)
        for n in (0, 1)
    )
    assert np.corrcoef(one, two)[0, 1] == pytest.approx(0.5, abs=0.03)
