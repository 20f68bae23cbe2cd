"""Money over time: annuities, renewals, residual values, failures and break-evens, in real terms.

Year 0 is the commissioning year; rates are real and per year; every function takes plain numbers and returns one.
Source of the formulas: textbook engineering economics as collected in ``docs/method-cost.md``, section 3.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

TIMINGS = ("end_year", "mid_year", "advance")
HOURS_PER_YEAR = 8760.0
"""365 days of 24 h, the year used for mean times between failures [h]."""


def annuity(rate: float, n_years: float) -> float:
    """Present value of 1 paid at the end of each of ``n_years`` years: ``(1 - (1+r)^-n) / r``; ``n`` at rate 0.

    Parameters
    ----------
    rate : real discount rate per year [1], above -1.
    n_years : number of years, not negative.

    Raises ValueError outside these limits.

    >>> round(annuity(0.06, 15), 6)
    9.712249
    """
    _check_rate(rate)
    if n_years < 0:
        raise ValueError(f"n_years = {n_years}: a number of years cannot be negative; give 0 or more")
    if rate == 0.0:
        return float(n_years)
    return float(-math.expm1(-n_years * math.log1p(rate)) / rate)


def capital_recovery_factor(rate: float, n_years: float) -> float:
    """Yearly payment over ``n_years`` that is worth 1 today, the inverse of `annuity`; ``n_years`` positive.

    >>> round(capital_recovery_factor(0.06, 15), 6)
    0.102963
    """
    if n_years <= 0:
        raise ValueError(f"n_years = {n_years}: nothing can be recovered over no time; give more than 0 years")
    return 1.0 / annuity(rate, n_years)


def discount_factor(rate: float, year: float, timing: str = "end_year") -> float:
    """Present value of 1 that belongs to the year ending at ``year``, paid at its end, middle or beginning [1].

    timing : one of ``TIMINGS``; ``"advance"`` multiplies by ``1+r``, ``"mid_year"`` by its square root.
    """
    _check_rate(rate)
    return float((1.0 + rate) ** (_lead_years(timing) - year))


def present_value_of_annual(cost: float, rate: float, n_years: int, timing: str = "end_year") -> float:
    """Present value of the same ``cost`` in each of the years 1 to ``n_years``, in the unit of ``cost``.

    >>> round(present_value_of_annual(18.0, 0.06, 15), 2), round(present_value_of_annual(18.0, 0.06, 15, "mid_year"), 2)
    (174.82, 179.99)
    """
    return float(cost * annuity(rate, n_years) * (1.0 + rate) ** _lead_years(timing))


def present_value_growing(cost: float, growth: float, rate: float, n_years: int) -> float:
    """Present value of a yearly cost that is ``cost`` at the end of year 1 and grows by ``growth`` a year.

    >>> round(present_value_growing(18.0, 0.02, 0.06, 15), 2)
    197.29
    """
    _check_rate(rate)
    ratio = (1.0 + growth) / (1.0 + rate)
    if math.isclose(ratio, 1.0, rel_tol=1e-12):
        return cost * n_years / (1.0 + rate)
    return cost * (1.0 - ratio**n_years) / (rate - growth)


def nominal_rate(real_rate: float, inflation: float) -> float:
    """Nominal rate of a real one: ``(1 + real)(1 + inflation) - 1``."""
    return (1.0 + real_rate) * (1.0 + inflation) - 1.0


def renewal_years(life_years: float, horizon_years: float) -> tuple[float, ...]:
    """Times L, 2L, ... strictly before the horizon at which an asset of life L is bought again [years].

    >>> renewal_years(5, 15), renewal_years(20, 15)
    ((5, 10), ())
    """
    if not life_years > 0:
        raise ValueError(f"life_years = {life_years}: an asset must live longer than nothing; give a positive life")
    n_renewals = max(math.ceil(horizon_years / life_years - 1e-9) - 1, 0)
    return tuple(life_years * k for k in range(1, n_renewals + 1))


def renewals_present_value(
    hardware: float, visit: float, life_years: float, horizon_years: float, rate: float, erosion: float = 0.0
) -> float:
    """Present value of renewing hardware at L, 2L, ... before the horizon, each with one visit.

    hardware, visit : price of the first unit and of one visit;  erosion : yearly fall of the hardware price [1].
    """
    _check_rate(rate)
    times = renewal_years(life_years, horizon_years)
    return float(sum((hardware * (1.0 - erosion) ** t + visit) / (1.0 + rate) ** t for t in times))


def residual_ratio(life_years: float, horizon_years: float) -> float:
    """Unused share of the unit in service at the horizon, straight line, 0 to 1.

    >>> residual_ratio(10, 15), residual_ratio(15, 15)
    (0.5, 0.0)
    """
    bought = renewal_years(life_years, horizon_years)[-1:] or (0.0,)
    return float(max(life_years - (horizon_years - bought[0]), 0.0) / life_years)


def residual_present_value(
    hardware: float, life_years: float, horizon_years: float, rate: float, erosion: float = 0.0
) -> float:
    """Present value of what the hardware is still worth at the horizon; labour and site works have no such value.

    The unit in service counts at the price that was paid for it. Positive: subtract it from the cost.
    """
    bought = renewal_years(life_years, horizon_years)[-1:] or (0.0,)
    worth = hardware * (1.0 - erosion) ** bought[0] * residual_ratio(life_years, horizon_years)
    return float(worth * discount_factor(rate, horizon_years))


def failures_present_value(
    failures_per_year: float,
    hardware: float,
    visit: float,
    n_years: int,
    rate: float,
    warranty_years: int = 0,
) -> float:
    """Expected present value of failures at a constant hazard with immediate replacement, end-year.

    failures_per_year : expected failures of one unit per year [1].
    warranty_years : years in which the supplier pays the hardware and only the visit is charged.

    >>> round(failures_present_value(0.005, 20.0, 40.0, 15, 0.06), 3)
    2.914
    """
    if failures_per_year < 0:
        raise ValueError(f"failures_per_year = {failures_per_year}: a failure rate cannot be negative; give 0 or more")
    covered = annuity(rate, min(warranty_years, n_years))
    everything = annuity(rate, n_years)
    return failures_per_year * (visit * everything + hardware * (everything - covered))


def failure_rate_from_reliability(reliability: float, years: float) -> float:
    """Constant hazard per year that leaves the share ``reliability`` (0 to 1) alive after ``years``.

    >>> round(100 * failure_rate_from_reliability(0.9519, 10), 4)
    0.493
    """
    if not 0.0 < reliability <= 1.0:
        raise ValueError(f"reliability = {reliability}: a surviving share lies above 0 and up to 1")
    return -math.log(reliability) / years


def mean_time_between_failures_h(failures_per_year: float) -> float:
    """Mean operating time between failures [h] of a constant hazard per year."""
    return HOURS_PER_YEAR / failures_per_year


def weibull_failed_ratio(age_years: Array, shape: float, scale_years: float) -> Array:
    """Share of units that failed by an age: ``1 - exp(-(age/scale)^shape)``, shape as ``age_years``, 0 to 1."""
    return np.asarray(-np.expm1(-((np.asarray(age_years, float) / scale_years) ** shape)))


def weibull_failure_density(age_years: Array, shape: float, scale_years: float) -> Array:
    """Failures per year and unit ever installed, at an age [1/year]; shape as ``age_years``."""
    relative = np.asarray(age_years, float) / scale_years
    return np.asarray(shape / scale_years * relative ** (shape - 1.0) * np.exp(-(relative**shape)))


def weibull_renewals(shape: float, scale_years: float, n_years: int, steps_per_year: int = 24) -> Array:
    """Expected replacements of one position in each of the years 1 to ``n_years``, shape (n_years,).

    Solves the renewal equation ``m(t) = F(t) + integral of m(t - s) dF(s)`` step by step, new units as good as old.
    A shape of 1 gives ``1/scale`` a year; a battery with a steep shape has waves that no constant rate shows.
    """
    n_steps = n_years * steps_per_year
    failed = weibull_failed_ratio(np.arange(n_steps + 1) / steps_per_year, shape, scale_years)
    share = np.diff(failed)
    total = np.zeros(n_steps + 1)
    for step in range(1, n_steps + 1):
        earlier = 0.5 * (total[step - 1 :: -1] + total[step:0:-1])[:step]
        total[step] = (failed[step] + share[1:step] @ earlier[1:] + 0.5 * share[0] * total[step - 1]) / (
            1.0 - 0.5 * share[0]
        )
    return np.diff(total[::steps_per_year])


def sunset_probability(hazard: float, n_years: int) -> Array:
    """Probability that a network is switched off in year 1, 2, ... ``n_years``, shape (n_years,): ``h (1-h)^(t-1)``."""
    if not 0.0 <= hazard <= 1.0:
        raise ValueError(f"hazard = {hazard}: a probability per year lies within 0 and 1")
    return np.asarray(hazard * (1.0 - hazard) ** np.arange(n_years))


def sunset_present_value(hazard: float, migration: float, n_years: int, rate: float) -> float:
    """Expected present value per meter of one forced migration that costs ``migration`` when it comes."""
    years = np.arange(1, n_years + 1)
    return float(migration * (sunset_probability(hazard, n_years) / (1.0 + rate) ** years).sum())


def gross_up(share: float) -> float:
    """Mark-up on everything else that makes a part the share ``share`` of the total: ``s / (1 - s)``.

    >>> round(gross_up(0.20), 6)
    0.25
    """
    if not 0.0 <= share < 1.0:
        raise ValueError(f"share = {share}: a part of the total lies from 0 to below 1")
    return share / (1.0 - share)


def equivalent_annual_cost_per_meter(tco: float, n_meters: int, rate: float, horizon_years: int) -> float:
    """Level yearly cost per meter with the same present value; ``n_meters`` counts all meters in, read or not."""
    if n_meters <= 0:
        raise ValueError(f"n_meters = {n_meters}: a cost per meter needs at least one meter; check the area")
    return capital_recovery_factor(rate, horizon_years) * tco / n_meters


def annual_device_cost(installed: float, yearly: float, life_years: float, rate: float) -> float:
    """Yearly cost of a device that is bought and installed for ``installed`` every ``life_years`` and run."""
    return capital_recovery_factor(rate, life_years) * installed + yearly


def break_even_meters(device_cost_per_year: float, saving_per_meter_year: float) -> float:
    """Meters per transformer above which a concentrator pays: ``n* = A / d``.

    saving_per_meter_year : yearly cost per meter of the alternative minus that of the concentrator's technology; inf
    is returned where there is no saving.

    >>> round(break_even_meters(annual_device_cost(900.0, 60.0, 12, 0.06), 14.0), 2)
    11.95
    """
    return device_cost_per_year / saving_per_meter_year if saving_per_meter_year > 0 else math.inf


def break_even_density_per_km2(device_cost_per_year: float, new_area_km2: float, saving_per_meter_year: float) -> float:
    """Meters per square kilometre above which a gateway pays; ``new_area_km2`` is the area it newly covers."""
    if not new_area_km2 > 0:
        raise ValueError(f"new_area_km2 = {new_area_km2}: a gateway that covers nothing new never pays; drop it")
    return break_even_meters(device_cost_per_year, saving_per_meter_year) / new_area_km2


def meters_per_gateway(density_per_km2: float, new_area_km2: float, capacity: float = math.inf) -> float:
    """Meters one gateway serves: those in its newly covered area, limited by what it can carry."""
    return min(density_per_km2 * new_area_km2, capacity)


def break_even_devices(fixed_cost: float, unit_cost: float, alternative_unit_cost: float) -> float:
    """Number of devices at which ``fixed + unit N`` equals ``alternative N``; inf where it never does.

    >>> round(break_even_devices(36_000.0, 40.0, 320.0), 2)
    128.57
    """
    return break_even_meters(fixed_cost, alternative_unit_cost - unit_cost)


def pert_mean(low: float, mode: float, high: float) -> float:
    """Mean of a PERT distribution: ``(low + 4 mode + high) / 6``.

    Raises ValueError unless low <= mode <= high.

    >>> pert_mean(1.0, 2.0, 9.0)
    3.0
    """
    if not low <= mode <= high:
        raise ValueError(f"low, mode, high = {low}, {mode}, {high}: they must not fall; put them in order")
    return (low + 4.0 * mode + high) / 6.0


def _check_rate(rate: float) -> None:
    if not rate > -1.0:
        raise ValueError(f"rate = {rate}: a discount rate lies above -1; write 5 % as 0.05")


def _lead_years(timing: str) -> float:
    if timing not in TIMINGS:
        raise ValueError(f"timing = {timing!r}: choose one of {', '.join(TIMINGS)}")
    return {"end_year": 0.0, "mid_year": 0.5, "advance": 1.0}[timing]
