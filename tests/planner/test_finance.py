"""The vectors of docs/method-cost.md section 4, to the printed digits, and what must hold besides."""

import math
from typing import Any

import numpy as np
import pytest
from amiplan.planner import finance as f
from hypothesis import given, settings
from hypothesis import strategies as st

RATES = st.floats(0.0, 0.15)


def test_t1_t2_annuity_and_recovery() -> None:
    assert round(f.annuity(0.06, 15), 6) == 9.712249
    assert round(f.capital_recovery_factor(0.06, 15), 6) == 0.102963
    assert round(f.annuity(0.04, 15), 6) == 11.118387
    assert round(f.capital_recovery_factor(0.04, 15), 6) == 0.089941


@pytest.mark.parametrize(("rate", "value"), [(0.06, 174.82), (0.04, 200.13), (0.08, 154.07)])
def test_t3_sim(rate: Any, value: Any) -> None:
    assert round(f.present_value_of_annual(18.0, rate, 15), 2) == value


def test_t4_growing_and_t5_mid_year() -> None:
    assert round(f.present_value_growing(18.0, 0.02, 0.06, 15), 2) == 197.29
    assert round(f.present_value_of_annual(18.0, 0.06, 15, "mid_year"), 2) == 179.99
    advance = f.present_value_of_annual(18.0, 0.06, 15, "advance")
    assert advance == pytest.approx(sum(18.0 / 1.06**t for t in range(15)))


def test_t6_module_with_renewal_and_residual() -> None:
    renewals = f.renewals_present_value(20.0, 40.0, 10, 15, 0.06)
    residual = f.residual_present_value(20.0, 10, 15, 0.06)
    assert (round(renewals, 3), round(residual, 3)) == (33.504, 4.173)
    assert round(20.0 + renewals - residual, 3) == 49.331


def test_t7_failures() -> None:
    assert round(f.failures_present_value(0.005, 20.0, 40.0, 15, 0.06), 3) == 2.914
    in_warranty = f.failures_present_value(0.005, 20.0, 40.0, 15, 0.06, warranty_years=15)
    assert in_warranty == pytest.approx(0.005 * 40.0 * f.annuity(0.06, 15))


def test_t8_concentrator_break_even() -> None:
    yearly = f.annual_device_cost(900.0, 60.0, 12, 0.06)
    assert round(f.capital_recovery_factor(0.06, 12), 6) == 0.119277
    assert round(yearly, 2) == 167.35
    assert round(f.break_even_meters(yearly, 14.0), 2) == 11.95
    assert round(f.break_even_meters(yearly, 8.0), 1) == 20.9
    assert round(f.break_even_meters(yearly, 20.0), 2) == 8.37


def test_t9_gateway_break_even_density() -> None:
    yearly = f.annual_device_cost(3000.0, 400.0, 10, 0.06)
    assert round(f.capital_recovery_factor(0.06, 10), 6) == 0.135868
    assert round(yearly, 2) == 807.60
    densities = [f.break_even_density_per_km2(yearly, 0.75 * math.pi * r * r, 10.0) for r in (0.5, 1.0, 2.0, 4.0)]
    assert np.round(densities[:2], 1).tolist() == [137.1, 34.3]
    assert np.round(densities[2:], 2).tolist() == [8.57, 2.14]
    assert f.meters_per_gateway(34.3, 2.0, capacity=50.0) == 50.0


def test_t10_collector() -> None:
    yearly = f.annual_device_cost(5000.0, 350.0, 12, 0.06)
    assert round(yearly, 2) == 946.39
    assert [round(yearly / n, 2) for n in (50, 500, 2000)] == [18.93, 1.89, 0.47]


def test_t11_integration_grossed_up() -> None:
    assert f.gross_up(0.20) == pytest.approx(0.25)


def test_t12_reliability() -> None:
    rate = f.failure_rate_from_reliability(0.9519, 10)
    assert round(100 * rate, 4) == 0.4930
    assert round(f.mean_time_between_failures_h(rate) / 1e6, 3) == 1.777


def test_p2_and_t13_lorawan_against_nb_iot() -> None:
    lorawan_capex = 30 * 1500.0 + 50_000 * 15.0 + 100_000.0
    nb_iot_capex = 50_000 * 20.0 + 100_000.0
    assert lorawan_capex + 5 * 12 * 300.0 + 25_000.0 == 938_000.0
    assert nb_iot_capex + 5 * 12 * 1.5 * 50_000 == 5_600_000.0
    lorawan = lorawan_capex + f.present_value_of_annual(8_600.0, 0.06, 5)
    nb_iot = nb_iot_capex + f.present_value_of_annual(900_000.0, 0.06, 5)
    assert (round(lorawan), round(nb_iot)) == (931_226, 4_891_127)
    assert round(nb_iot / lorawan, 2) == 5.25


def test_p3_and_t14_break_even_devices() -> None:
    n = f.break_even_devices(36_000.0, 40.0, 320.0)
    assert round(n, 2) == 128.57
    assert math.ceil(n) == 129
    assert (36_000 + 40 * 1000, 320 * 1000) == (76_000, 320_000)


def test_t17_battery_fleet() -> None:
    ages = np.arange(9.0, 14.0 + 1e-9, 1 / 12)
    failed = f.weibull_failed_ratio(ages, 8.0, 13.3).mean()
    monthly = 470_000 * f.weibull_failure_density(ages, 8.0, 13.3).mean() / 12
    assert failed == pytest.approx(0.323, abs=0.001)
    assert monthly == pytest.approx(5_760, rel=0.01)
    assert round(float(f.weibull_failed_ratio(np.array(11.5), 1.0, 100.0)), 3) == 0.109


def test_t18_t19_service_and_prepaid() -> None:
    assert round(3.99 * 17_971 * 120, 2) == 8_604_514.80
    assert round(f.present_value_of_annual(47.88, 0.06, 10), 2) == 352.40
    assert round((14 + 2) / 10, 2) == 1.60
    assert round(12.36 / 1.6, 1) == 7.7
    assert round(f.present_value_of_annual(12.36, 0.06, 10), 2) == 90.97


def test_renewal_function_against_closed_forms() -> None:
    constant = f.weibull_renewals(1.0, 10.0, 12)
    assert constant == pytest.approx(np.full(12, 0.1), rel=1e-3)
    steep = f.weibull_renewals(8.0, 13.3, 300, 12)
    mean_life = 13.3 * math.gamma(1 + 1 / 8)
    assert steep[-1] == pytest.approx(1 / mean_life, rel=2e-3)
    assert steep[:9].sum() == pytest.approx(float(f.weibull_failed_ratio(np.array(9.0), 8.0, 13.3)), rel=0.01)


def test_sunset_expectation() -> None:
    chance = f.sunset_probability(0.1, 200)
    assert chance.sum() == pytest.approx(1.0)
    assert f.sunset_present_value(0.1, 100.0, 2, 0.0) == pytest.approx(100.0 * (0.1 + 0.09))
    assert f.sunset_present_value(0.0, 100.0, 15, 0.05) == 0.0


@given(rate=RATES, years=st.integers(1, 40))
@settings(max_examples=30, deadline=None)
def test_annuity_is_the_sum_of_discount_factors(rate: Any, years: Any) -> None:
    expected = sum(f.discount_factor(rate, t) for t in range(1, years + 1))
    assert f.annuity(rate, years) == pytest.approx(expected, rel=1e-9)


@given(life=st.integers(1, 30), horizon=st.integers(1, 40))
@settings(max_examples=30, deadline=None)
def test_renewals_and_residual_fill_the_horizon(life: Any, horizon: Any) -> None:
    times = f.renewal_years(life, horizon)
    assert all(0 < t < horizon for t in times)
    used = (len(times) + 1 - f.residual_ratio(life, horizon)) * life
    assert used == pytest.approx(horizon)


def test_nominal_rate_and_limits() -> None:
    assert f.nominal_rate(0.04, 0.02) == pytest.approx(0.0608)
    assert f.annuity(0.0, 7) == 7.0
    assert f.present_value_growing(10.0, 0.05, 0.05, 4) == pytest.approx(40.0 / 1.05)
    assert f.break_even_meters(100.0, -1.0) == math.inf


@pytest.mark.parametrize(
    "call",
    [
        lambda: f.annuity(-1.0, 5),
        lambda: f.annuity(0.05, -1),
        lambda: f.capital_recovery_factor(0.05, 0),
        lambda: f.discount_factor(0.05, 1, "monthly"),
        lambda: f.renewal_years(0, 15),
        lambda: f.failures_present_value(-0.1, 1, 1, 5, 0.05),
        lambda: f.failure_rate_from_reliability(0.0, 10),
        lambda: f.sunset_probability(1.5, 3),
        lambda: f.gross_up(1.0),
        lambda: f.equivalent_annual_cost_per_meter(1.0, 0, 0.05, 15),
        lambda: f.break_even_density_per_km2(100.0, 0.0, 1.0),
        lambda: f.pert_mean(2.0, 1.0, 3.0),
    ],
)
def test_impossible_input_is_refused(call: Any) -> None:
    with pytest.raises(ValueError, match=r"; |:"):
        call()
