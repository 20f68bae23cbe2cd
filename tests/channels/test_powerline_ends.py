"""Transformer, driver and coupler: what stands at the ends of a power line link."""

import numpy as np
import pytest
from amiplan.channels.powerline.coupling import Driver, access_impedance_ohm, drive, transformer_admittance_s
from hypothesis import given
from hypothesis import strategies as st

IDEAL = {
    "short_circuit_ratio": 0.04, "line_voltage_v": 400.0, "quality_factor": 1e9, "capacitance_f": 0.0, "mains_hz": 50.0,
}  # fmt: skip
FREE = 1e9


def one_phase(y):
    """(1, 1, 1, 1, n_carriers) admittance of a network with one phase."""
    return np.asarray(y, complex).reshape(1, 1, 1, 1, -1)


def passive(rng, n=2, n_states=3, n_phases=3, n_carriers=5):
    """Random admittance matrices of reciprocal passive networks."""
    parts = rng.normal(size=(2, n, n_states, n_carriers, n_phases, n_phases))
    real = parts[0] @ np.swapaxes(parts[0], -1, -2)
    y = real + 1j * (parts[1] + np.swapaxes(parts[1], -1, -2))
    return np.moveaxis(y, 2, -1)


def test_transformer_reactance_and_guard():
    # leakage of 630 kVA and 4 %: 32 uH, 250 kVA: 81 uH
    y = transformer_admittance_s(np.array([630.0, 250.0]), np.array([50e3]), **IDEAL)
    np.testing.assert_allclose(1 / np.abs(y[:, 0]) / (2 * np.pi * 50e3), [32.3e-6, 81.5e-6], rtol=5e-3)
    other = transformer_admittance_s(np.array([630.0]), np.array([50e3]), **{**IDEAL, "mains_hz": 60.0})
    np.testing.assert_allclose(other / y[:1], 1.2)
    with pytest.raises(ValueError, match="site 1"):
        transformer_admittance_s(np.array([630.0, 0.0]), np.array([50e3]), **IDEAL)


def test_divider_and_current_limit():
    # 1 V behind 0.5 / 1 / 2 ohm loses 3.5 / 6.0 / 9.5 dB at 1 ohm, half of it in the coupler or not
    couples = np.ones((1, 1), bool)
    for total, loss_db in ((0.5, 3.5), (1.0, 6.0), (2.0, 9.5)):
        for coupler in (total / 2, total / 100):
            driver = Driver(total - coupler, coupler, FREE, 1.0, FREE)
            voltage = drive(one_phase([1.0]), couples, driver).voltage
            assert -20 * np.log10(abs(voltage[0, 0, 0, 0])) == pytest.approx(loss_db, abs=0.05)
    throttled = drive(one_phase([1.0]), couples, Driver(0.5, 0.5, FREE, 1.0, 0.25))
    assert throttled.throttle[0] == pytest.approx(0.5)
    assert abs(throttled.voltage[0, 0, 0, 0]) == pytest.approx(0.25)


def test_the_current_of_all_carriers_and_phases_counts_and_the_worst_state_lowers_all():
    y = np.zeros((1, 2, 3, 3, 4), complex)
    for p in range(3):
        y[0, 0, p, p], y[0, 1, p, p] = 1.0, 0.1
    driver = Driver(0.5, 0.5, FREE, 1.0, 1.0)
    driven = drive(y, np.ones((1, 3), bool), driver)
    # three phases of 1 ohm behind 0.5 each and 0.5 in common: 1 ohm in all, four carriers of 1 A
    assert driven.throttle[0] == pytest.approx(0.5)
    np.testing.assert_allclose(np.abs(driven.voltage[0, 0]), 0.5 / 3)
    light = 10 / (10 + 0.5 + 3 * 0.5)
    np.testing.assert_allclose(np.abs(driven.voltage[0, 1]), 0.5 * light, rtol=1e-6)


def test_three_phases_meet_kirchhoff_at_the_star_point():
    rng = np.random.default_rng(1)
    y, driver = passive(rng), Driver(0.7, 0.3, 50.0, 1.0, FREE)
    couples = np.array([[True, True, True], [False, True, False]])
    driven = drive(y, couples, driver)
    for i in range(2):
        v = driven.voltage[i].transpose(0, 2, 1)
        current = np.einsum("spqc,scq->scp", y[i], v) - np.where(couples[i], v / driver.idle_ohm, 0)
        star = (v + current * driver.coupler_ohm)[..., couples[i]]
        np.testing.assert_allclose(star, star[..., :1] + 0 * star, atol=1e-12)
        np.testing.assert_allclose(current[..., ~couples[i]], 0, atol=1e-12)
        np.testing.assert_allclose(star[..., 0] + driver.source_ohm * current.sum(-1), 1, atol=1e-12)


def test_access_impedance_is_that_of_the_tied_phases():
    rng = np.random.default_rng(2)
    y, idle = passive(rng), 50.0
    couples = np.array([[True, True, True], [False, True, False]])
    seen = access_impedance_ohm(y, couples, idle)
    driven = drive(y, couples, Driver(0.7, 1e-9, idle, 1.0, FREE))
    np.testing.assert_allclose(seen / (seen + 0.7), driven.voltage[:, :, 1], rtol=1e-6)


@given(st.floats(0.05, 20), st.floats(0.05, 20), st.floats(1e-3, 10))
def test_a_modem_never_gives_more_than_its_source_nor_its_limit(source, coupler, limit):
    rng = np.random.default_rng(3)
    y = passive(rng)
    y.imag = 0
    driven = drive(y, np.ones((2, 3), bool), Driver(source, coupler, 1e6, 1.0, limit))
    assert np.all(driven.throttle <= 1)
    current = np.einsum("nspqc,nsqc->nspc", y, driven.voltage) - driven.voltage / 1e6
    total = np.sqrt(np.sum(np.abs(current.sum(2)) ** 2, axis=-1))
    assert np.all(total <= limit * (1 + 1e-9))


def test_a_modem_without_a_phase_is_refused():
    with pytest.raises(ValueError, match="modem 1 couples to no phase"):
        drive(np.ones((2, 1, 1, 1, 1), complex), np.array([[True], [False]]), Driver(0.5, 0.5, FREE, 1.0, 1.0))
