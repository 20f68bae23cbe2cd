"""What stands at the ends of a power line link: the transformer behind the bus and the modem's coupler."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

MAINS_HZ = 50.0


def transformer_admittance_s(
    rated_kva: Array,
    frequency_hz: Array,
    *,
    short_circuit_ratio: float,
    line_voltage_v: float,
    quality_factor: float,
    capacitance_f: float,
) -> Array:
    """Admittance of a distribution transformer between one phase and neutral, seen from low voltage.

    Parameters
    ----------
    rated_kva : (n_sites,) positive [kVA];  frequency_hz : (n_carriers,) positive
    short_circuit_ratio
        uk, 0.04 for most distribution transformers.
    line_voltage_v
        Between phases, 400 V.
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
    ...     line_voltage_v=400.0, quality_factor=1e9, capacitance_f=0.0)
    >>> round(float(1 / abs(y[0, 0])), 1)
    10.2
    """
    rating = np.asarray(rated_kva, dtype=np.float64)
    if np.any(bad := ~(rating > 0)):
        raise ValueError(f"site {int(np.argmax(bad))} has no transformer rating; give rated_kva above 0")
    leakage_h = short_circuit_ratio * line_voltage_v**2 / (rating * 1e3 * 2 * np.pi * MAINS_HZ)
    omega = 2 * np.pi * np.asarray(frequency_hz, dtype=np.float64)
    reactance = omega * leakage_h[:, None]
    return np.asarray(1 / (reactance / quality_factor + 1j * reactance) + 1j * omega * capacitance_f)


def injection_gain_db(
    y_seen_s: Array, *, source_ohm: Array | float, carrier_level_v: float, current_limit_a: Array | float
) -> Array:
    """Voltage at the sender's terminals over its source voltage, driver current limit included.

    Parameters
    ----------
    y_seen_s : (..., n_carriers) complex
        Admittance the sender works into [S].
    source_ohm
        Output impedance, broadcast over the leading axes [ohm].
    carrier_level_v
        Source voltage of one carrier, rms [V].
    current_limit_a
        Largest rms current of the driver, all carriers together, broadcast like ``source_ohm`` [A].

    Returns
    -------
    (..., n_carriers) [dB], not positive for a passive line seen through a resistance. Where the current would
    exceed the limit, all carriers are lowered alike.

    References
    ----------
    Voltage divider 1 / (1 + Zs Y).
    """
    impedance = np.asarray(source_ohm)[..., None] if np.ndim(source_ohm) else source_ohm
    divider = 1 / (1 + impedance * y_seen_s)
    current_a = carrier_level_v * np.sqrt(np.sum(np.abs(divider * y_seen_s) ** 2, axis=-1))
    throttle = np.minimum(1.0, current_limit_a / np.maximum(current_a, 1e-12))
    return np.asarray(20 * np.log10(np.abs(divider) * throttle[..., None]))
