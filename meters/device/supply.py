"""Voltage, current and frequency at a meter: simple keyed draws, interval by interval.

The spreads are choices of ours (confidence C); the limits they keep to are those of EN 50160 (230 V +-10 %, 50 Hz).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..draws import uniforms
from .history import History

Array = NDArray[Any]

NOMINAL_VOLTAGE_V, OWN_SPREAD_V, RIPPLE_V = 230.0, 8.0, 6.0
NOMINAL_FREQUENCY_HZ, FREQUENCY_SPREAD_HZ = 50.0, 0.05


def voltage_v(key: int, seed: int, interval: int) -> float:
    """A level of the place, +-8 V around 230 V, and a ripple of +-6 V from interval to interval [V]."""
    level = _centred(seed, "voltage", key) * OWN_SPREAD_V
    return NOMINAL_VOLTAGE_V + level + _centred(seed, "voltage ripple", key, interval) * RIPPLE_V


def frequency_hz(seed: int, interval: int) -> float:
    """50 Hz +-0.05 Hz, the same for all meters [Hz]."""
    return NOMINAL_FREQUENCY_HZ + _centred(seed, "frequency", 0, interval) * FREQUENCY_SPREAD_HZ


def current_a(history: History, key: int, seed: int, time_s: float) -> float:
    """Apparent power of the running interval over the voltage, as if on one phase [A]."""
    flow = history.power_w(time_s)
    apparent_va = float(np.hypot(flow[0] - flow[1], flow[2] - flow[3]))
    return apparent_va / voltage_v(key, seed, int(time_s // history.period_s))


def _centred(seed: int, purpose: str, key: int, index: int = 0) -> float:
    """A draw from -1 to 1."""
    return float(2.0 * uniforms(seed, purpose, np.array([key], np.uint64), np.array([index], np.uint64))[0] - 1.0)
