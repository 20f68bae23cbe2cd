"""Houses as the power line sees them: one shunt impedance per meter and replication."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..draws import Draws

Array = NDArray[Any]

# I. H. Cavdar, E. Karadeniz, Sensors 8 (2008) 8027: access impedance 10-170 kHz, ranges read as P5 to P95 of a
# log-normal (the shape is confidence C). Median [ohm], standard deviation of the natural logarithm.
HOUSE_IMPEDANCE = {
    "rural":      (7.1, 0.53),
    "urban":      (4.1, 0.86),
    "industrial": (4.6, 0.93),
}  # fmt: skip

REFERENCE_HZ = 63e3
"""Frequency at which a drawn magnitude holds: the middle of CENELEC A."""


def house_impedance_ohm(
    meter_key: Array,
    frequency_hz: Array,
    draws: Draws,
    *,
    environment: str,
    frequency_exponent: float,
    phase_low_deg: float,
    phase_high_deg: float,
    factor: float = 1.0,
) -> Array:
    """Access impedance of every house in one replication.

    Parameters
    ----------
    meter_key : (n_meters,) uint64 stable keys
    frequency_hz : (n_carriers,)
    environment
        Row of ``HOUSE_IMPEDANCE``.
    frequency_exponent
        Magnitude grows with (f / 63 kHz) to this power (0.5 to 1 is an estimate, confidence C).
    phase_low_deg, phase_high_deg
        Phase angle is drawn evenly between them, within -85 to 85 degrees (confidence C).
    factor
        Multiplies every impedance, positive.

    Returns
    -------
    (n_meters, n_carriers) complex [ohm] with positive real part. Raises ValueError for an unknown environment, a factor
    that is not positive or angles outside the limits.
    """
    if environment not in HOUSE_IMPEDANCE:
        raise ValueError(f"environment = {environment!r} is unknown; write one of {', '.join(HOUSE_IMPEDANCE)}")
    if not factor > 0:
        raise ValueError(f"load impedance factor {factor} must be positive; 1 changes nothing")
    if not -85 <= phase_low_deg <= phase_high_deg <= 85:
        raise ValueError("house phase angles must rise and stay within -85 to 85 degrees; correct the two limits")
    median, spread = HOUSE_IMPEDANCE[environment]
    magnitude = factor * median * np.exp(spread * draws.normal("house impedance", meter_key))
    angle = phase_low_deg + (phase_high_deg - phase_low_deg) * draws.uniform("house phase angle", meter_key)
    scale = (np.asarray(frequency_hz, dtype=np.float64) / REFERENCE_HZ) ** frequency_exponent
    return np.asarray((magnitude * np.exp(1j * np.deg2rad(angle)))[:, None] * scale)
