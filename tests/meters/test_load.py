import time
from dataclasses import replace

import numpy as np
import pytest
from amiplan.meters import load
from amiplan.meters.load import LoadSettings
from hypothesis import given, settings
from hypothesis import strategies as st


def keys_of(n, seed=0):
    return np.random.default_rng(seed).integers(0, 2**63, n, dtype=np.uint64)


HOUSES = keys_of(3000)
KIND = np.full(3000, "house")


@pytest.fixture(scope="module")
def house_wh():
    return load.interval_energy_wh(HOUSES, KIND, 6)


@pytest.mark.parametrize(
    ("kind", "low_kwh", "high_kwh"),
    [("house", 3200, 3800), ("flat", 1900, 2400), ("farm", 12000, 18000), ("commercial", 7000, 10000)],
)
def test_a_year_uses_what_its_kind_uses(kind, low_kwh, high_kwh):
    keys = HOUSES[:600]
    daily = [load.interval_energy_wh(keys, np.full(600, kind), day, 24).sum(axis=1).mean() for day in range(3, 360, 17)]
    assert low_kwh < 0.365 * np.mean(daily) < high_kwh


def test_homes_average_to_an_evening_peak(house_wh):
    mean_w = 4 * house_wh.mean(axis=0)
    hour = np.argmax(mean_w) / 4
    assert 17.5 <= hour <= 21
    assert mean_w[8:20].mean() < 0.45 * mean_w.max()
    assert mean_w.argmin() / 4 < 6


def test_coincidence_falls_with_the_number_of_meters(house_wh):
    own_peak = house_wh.max(axis=1)
    ratio = [house_wh[:n].sum(axis=0).max() / own_peak[:n].sum() for n in (1, 10, 100, 3000)]
    assert ratio[0] == 1
    assert ratio[0] > ratio[1] > ratio[2] > ratio[3]
    assert ratio[3] < 0.4


def test_single_homes_are_not_the_average(house_wh):
    spread = house_wh.std(axis=0).mean() / house_wh.mean()
    assert spread > 0.8
    assert np.all(house_wh > 0)


def test_businesses_sleep_at_night_and_on_sundays():
    shop = np.full(500, "commercial")
    monday, sunday = (load.interval_energy_wh(HOUSES[:500], shop, day, 24) for day in (4, 3))
    assert monday[:, 10:16].mean() > 4 * monday[:, :5].mean()
    assert sunday.sum() < 0.7 * monday.sum()


def test_farms_milk_morning_and_evening():
    farm = load.interval_energy_wh(HOUSES[:800], np.full(800, "farm"), 6, 24).mean(axis=0)
    assert farm[5:8].mean() > 1.3 * farm[9:12].mean()
    assert farm[17:19].mean() > 1.5 * farm[13:15].mean()


def test_winter_uses_more_than_summer():
    january, july = (load.interval_energy_wh(HOUSES, KIND, day, 24).sum() for day in (14, 196))
    assert 1.2 < january / july < 1.6
    flat_year = LoadSettings(season=0.0)
    january, july = (load.interval_energy_wh(HOUSES, KIND, day, 24, 0, flat_year).sum() for day in (14, 196))
    assert january / july == pytest.approx(1.0, abs=0.05)


@settings(max_examples=10, deadline=None)
@given(st.permutations(range(40)), st.integers(0, 400), st.sampled_from([24, 48, 96]))
def test_order_and_company_do_not_matter(order, day, n_intervals):
    keys, kind = keys_of(40, 3), np.array(load.KIND_NAMES)[np.arange(40) % len(load.KIND_NAMES)]
    whole = load.interval_channels(keys, kind, day, n_intervals, seed=2)
    order = np.array(order)
    shuffled = load.interval_channels(keys[order], kind[order], day, n_intervals, seed=2)
    assert np.array_equal(shuffled, whole[order])


def test_one_meter_alone_equals_one_among_many():
    many = load.interval_channels(HOUSES[:50], KIND[:50], 9)
    alone = load.interval_channels(HOUSES[7:8], KIND[7:8], 9)
    assert np.array_equal(alone[0], many[7])


def test_seed_day_and_key_all_matter():
    base = load.interval_energy_wh(HOUSES[:5], KIND[:5], 1)
    assert np.array_equal(base, load.interval_energy_wh(HOUSES[:5], KIND[:5], 1))
    for other in (
        load.interval_energy_wh(HOUSES[:5], KIND[:5], 1, seed=1),
        load.interval_energy_wh(HOUSES[:5], KIND[:5], 2),
        load.interval_energy_wh(HOUSES[5:10], KIND[:5], 1),
    ):
        assert not np.any(np.all(other == base, axis=1))


def test_registers_keep_the_books():
    keys, kind = HOUSES[:200], np.array(["house", "farm"] * 100)
    for day in (0, 1, 3):
        start, end = (load.registers(keys, kind, d, seed=4) for d in (day, day + 1))
        rows = load.profile(keys, kind, day, seed=4)
        gained = load.interval_channels(keys, kind, day, seed=4)
        assert rows.dtype == start.dtype == np.uint32
        assert np.array_equal(load.consumed(start, end), gained.sum(axis=1, dtype=np.int64))
        assert np.array_equal(rows[:, -1], end)
        assert np.array_equal(load.consumed(start[:, None], rows[:, :1])[:, 0], gained[:, 0])
        assert np.array_equal(load.consumed(rows[:, :-1], rows[:, 1:]), gained[:, 1:])


def test_whole_watt_hours_lose_nothing():
    quiet = LoadSettings(pv_factor=0.0)
    used = load.interval_energy_wh(HOUSES, KIND, 6, settings=quiet)
    whole = load.interval_channels(HOUSES, KIND, 6, settings=quiet)
    assert np.all(np.abs(whole[:, :, 0].sum(axis=1) - used.sum(axis=1)) <= 1.0)
    assert np.mean(whole[:, :, 0].sum(axis=1) - used.sum(axis=1)) == pytest.approx(0.0, abs=0.05)
    assert whole[:, :, 1].sum() == 0


def test_sun_exports_at_noon_and_more_in_summer():
    sunny = LoadSettings(pv_factor=10.0)
    december, june = (load.interval_channels(HOUSES, KIND, day, 24, settings=sunny)[:, :, 1] for day in (355, 171))
    assert june.sum() > 2 * december.sum()
    assert june[:, :3].sum() == 0
    assert june[:, 11:14].sum() > 0.2 * june.sum()
    few = load.interval_channels(HOUSES, KIND, 171, 24)[:, :, 1]
    assert np.mean(few.sum(axis=1) > 0) == pytest.approx(0.2, abs=0.03)


def test_reactive_energy_follows_the_mean_tan_phi():
    whole = load.interval_channels(HOUSES, KIND, 6, settings=LoadSettings(pv_factor=0.0)).sum(axis=(0, 1), dtype=float)
    assert (whole[2] - whole[3]) / whole[0] == pytest.approx(0.2, abs=0.02)
    assert whole[3] > 0


def test_registers_roll_over_at_32_bits():
    start = np.full((3, 4), 2**32 - 100, np.uint32)
    rows = load.profile(HOUSES[:3], KIND[:3], 1, start=start)
    gained = load.interval_channels(HOUSES[:3], KIND[:3], 1)
    assert rows[:, -1, 0].max() < 2**20
    assert np.array_equal(load.consumed(rows[:, :-1], rows[:, 1:]), gained[:, 1:])


def test_ages_spread_the_first_registers():
    first = load.start_registers(HOUSES, KIND)
    kwh = first[:, 0] / 1000
    assert np.unique(first[:, 0]).size > 2900
    assert 15_000 < kwh.mean() < 40_000
    new = load.start_registers(HOUSES, KIND, settings=LoadSettings(age_years=0.0))
    assert new.sum() == 0


def test_ten_thousand_meters_take_about_a_second():
    keys, kind = keys_of(10_000), np.full(10_000, "house")
    started = time.perf_counter()
    load.interval_energy_wh(keys, kind, 1)
    assert time.perf_counter() - started < 3.0


def test_names_and_codes_of_kinds_agree():
    names = np.array(load.KIND_NAMES)
    codes = np.arange(len(names))
    assert np.array_equal(load.kind_codes(names), codes)
    assert np.array_equal(load.kind_codes(codes), codes)
    assert load.interval_energy_wh(keys_of(0), np.array([], str), 0).shape == (0, 96)


def test_impossible_input_is_refused():
    keys = HOUSES[:2]
    with pytest.raises(ValueError, match="castle"):
        load.interval_energy_wh(keys, np.array(["house", "castle"]), 0)
    with pytest.raises(ValueError, match="row 1"):
        load.interval_energy_wh(keys, np.array([0, 99]), 0)
    with pytest.raises(ValueError, match="uint64"):
        load.interval_energy_wh(keys.astype(float), KIND[:2], 0)
    with pytest.raises(ValueError, match="equally long"):
        load.interval_energy_wh(keys, KIND[:1], 0)
    for n_intervals in (0, 23, 97):
        with pytest.raises(ValueError, match="n_intervals"):
            load.interval_energy_wh(keys, KIND[:2], 0, n_intervals)
    with pytest.raises(ValueError, match="day -1"):
        load.registers(keys, KIND[:2], -1)
    with pytest.raises(ValueError, match="season"):
        replace(LoadSettings(), season=2.0)
