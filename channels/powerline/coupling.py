"""What stands at the ends of a power line link: the transformer behind the bus, the modem's driver and coupler."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]


def transformer_admittance_s(
    rated_kva: Array,
    frequency_hz: Array,
    *,
    short_circuit_ratio: float,
    line_voltage_v: float,
    quality_factor: float,
    capacitance_f: float,
    mains_hz: float,
) -> Array:
    """Admittance of a distribution transformer between one phase and neutral, seen from low voltage.

    Parameters
    ----------
    rated_kva : (n_sites,) positive [kVA];  frequency_hz : (n_carriers,) positive
    short_circuit_ratio
        uk, 0.04 for most distribution transformers.
    line_voltage_v, mains_hz
        Between phases, 400 V; the frequency at which uk holds, 50 or 60 Hz.
    quality_factor
        Reactance over resistance of the leakage path in the band.
    capacitance_f
        Stray capacitance across the winding [F].

    Returns
    -------
    (n_sites, n_carriers) complex [S]. Raises ValueError where a rating is not positive.

    References
    ----------
    Leakage L = uk V^2 / (S w50) (short-circuit test of IEC 60076-1); 630 kVA and 4 % give 32 uH.

    >>> y = transformer_admittance_s(np.array([630.0]), np.array([50e3]), short_circuit_ratio=0.04,
    ...     line_voltage_v=400.0, quality_factor=1e9, capacitance_f=0.0, mains_hz=50.0)
    >>> round(float(1 / abs(y[0, 0])), 1)
    10.2
    """
    rating = np.asarray(rated_kva, dtype=np.float64)
    if np.any(bad := ~(rating > 0)):
        raise ValueError(f"site {int(np.argmax(bad))} has no transformer rating; give rated_kva above 0")
    leakage_h = short_circuit_ratio * line_voltage_v**2 / (rating * 1e3 * 2 * np.pi * mains_hz)
    omega = 2 * np.pi * np.asarray(frequency_hz, dtype=np.float64)
    reactance = omega * leakage_h[:, None]
    return np.asarray(1 / (reactance / quality_factor + 1j * reactance) + 1j * omega * capacitance_f)


@dataclass(frozen=True)
class Driver:
    """A modem's transmitter.

    source_ohm : output impedance of the amplifier [ohm], positive
    coupler_ohm : coupler between the amplifier and each phase [ohm], positive
    idle_ohm : what the same modem shows each coupled phase while it listens [ohm], positive
    carrier_v : source voltage of one carrier, rms [V];  current_limit_a : largest rms current, all carriers and phases
    """

    source_ohm: float
    coupler_ohm: float
    idle_ohm: float
    carrier_v: float
    current_limit_a: float


@dataclass(frozen=True)
class Driven:
    """What transmitters do to the line.

    voltage : (n, n_states, n_phases, n_carriers) complex phase voltages at the terminals per volt of source voltage
    throttle : (n,) what the current limit leaves of the source voltage, 0 to 1; already in ``voltage``
    """

    voltage: Array
    throttle: Array


def drive(y_seen_s: Array, coupled: Array, driver: Driver) -> Driven:
    """Voltages at the terminals of transmitters: one amplifier behind one coupler, or in star behind several.

    Parameters
    ----------
    y_seen_s : (n, n_states, n_phases, n_phases, n_carriers) complex
        Admittance matrix looking into the network, everything connected, the modem's own idle impedance too [S]; zeros
        for phases that do not come to the terminals.
    coupled : (n, n_phases) bool, at least one each
        Phases that the modem couples to.

    Returns
    -------
    Driven. The current limit holds for all carriers and phases together; gain is set once, so the state of the mains
    half cycle that draws most lowers all states alike. Raises ValueError where a modem couples to no phase.

    References
    ----------
    Kirchhoff at the star point, with y = 1 / coupler, s = 1 / source and k phases: the modem is the admittance
    y I - y^2 / (k y + s) J between the phases and feeds y s / (k y + s) E into each. k = 1: 1 / (coupler + source).

    >>> unit = Driver(0.5, 0.5, 1e9, 1.0, 1e9)
    >>> at_1_ohm = drive(np.ones((1, 1, 1, 1, 1), complex), np.ones((1, 1), bool), unit)
    >>> round(float(20 * np.log10(abs(at_1_ohm.voltage[0, 0, 0, 0]))), 1)
    -6.0
    """
    couples = np.asarray(coupled, bool)
    if np.any(bad := ~couples.any(axis=1)):
        raise ValueError(f"modem {int(np.argmax(bad))} couples to no phase; give it one or three")
    voltage = np.empty(y_seen_s.shape[:3] + y_seen_s.shape[4:], complex)
    throttle = np.empty(len(couples))
    _drive(
        np.asarray(y_seen_s, complex),
        couples,
        1 / driver.source_ohm,
        1 / driver.coupler_ohm,
        1 / driver.idle_ohm,
        driver.current_limit_a / driver.carrier_v,
        voltage,
        throttle,
    )
    return Driven(voltage, throttle)


@njit(cache=True, nogil=True)
def _drive(
    y_seen_s: Array,
    coupled: Array,
    source_s: float,
    coupler_s: float,
    idle_s: float,
    limit_s: float,
    voltage: Array,
    throttle: Array,
) -> None:
    """Fill voltages and throttles; ``limit_s`` is the current limit per volt of one carrier."""
    n, n_states, n_phases, _, n_carriers = y_seen_s.shape
    matrix, v = np.empty((n_phases, n_phases), np.complex128), np.empty(n_phases, np.complex128)
    for i in range(n):
        many = 0
        for p in range(n_phases):
            many += coupled[i, p]
        star_s = many * coupler_s + source_s
        most = 0.0
        for state in range(n_states):
            squared = 0.0
            for c in range(n_carriers):
                for p in range(n_phases):
                    v[p] = coupler_s * source_s / star_s if coupled[i, p] else 0.0
                    for q in range(n_phases):
                        matrix[p, q] = y_seen_s[i, state, p, q, c]
                        if coupled[i, p] and coupled[i, q]:
                            matrix[p, q] -= coupler_s * coupler_s / star_s
                    if coupled[i, p]:
                        matrix[p, p] += coupler_s - idle_s
                    elif matrix[p, p] == 0:  # a phase that does not come here
                        matrix[p, p] = 1.0
                _solve_in_place(matrix, v, n_phases)
                total = 0.0 + 0.0j
                for p in range(n_phases):
                    voltage[i, state, p, c] = v[p]
                    if coupled[i, p]:
                        total += v[p]
                current = source_s * (1.0 - (source_s + coupler_s * total) / star_s)
                squared += current.real**2 + current.imag**2
            most = max(most, squared)
        throttle[i] = min(1.0, limit_s / max(np.sqrt(most), 1e-12))
        for state in range(n_states):
            for p in range(n_phases):
                for c in range(n_carriers):
                    voltage[i, state, p, c] *= throttle[i]


@njit(cache=True, nogil=True)
def _solve_in_place(matrix: Array, v: Array, n: int) -> None:
    """Gauss without pivots: the admittance matrix of passive parts has a positive real part."""
    for p in range(n):
        for q in range(p + 1, n):
            ratio = matrix[q, p] / matrix[p, p]
            for r in range(p, n):
                matrix[q, r] -= ratio * matrix[p, r]
            v[q] -= ratio * v[p]
    for p in range(n - 1, -1, -1):
        for q in range(p + 1, n):
            v[p] -= matrix[p, q] * v[q]
        v[p] /= matrix[p, p]


def access_impedance_ohm(y_seen_s: Array, coupled: Array, idle_ohm: float) -> Array:
    """Impedance between a modem's phases (tied together, if several) and neutral, the modem itself taken out.

    Parameters as in `drive`.

    Returns
    -------
    (n, n_states, n_carriers) complex [ohm].
    """
    ties = np.asarray(coupled, bool)[:, None, None, :]
    y = np.moveaxis(np.asarray(y_seen_s, complex), -1, 2)
    y = y - np.eye(y.shape[-1]) * np.where(ties, 1 / idle_ohm, 0.0)[..., None, :]
    # tie the coupled phases together: the voltage of each is that of the modem, the others float
    free = np.where(ties[..., None, :] & ties[..., :, None], 0.0, y)
    free = np.where(~ties[..., None, :] & ~ties[..., :, None], free, 0.0)
    absent = ~ties & (np.einsum("...pp->...p", y) == 0)
    free = free + np.eye(y.shape[-1]) * (ties | absent)[..., None, :]
    pull = -np.where(~ties, np.einsum("...pq,...q->...p", y, ties.astype(float)), 0.0)
    floating = np.linalg.solve(free, pull[..., None])[..., 0]
    v = np.where(ties, 1.0, floating)
    current = np.einsum("...pq,...q->...p", y, v)
    return np.asarray(1 / np.where(ties, current, 0.0).sum(-1))
