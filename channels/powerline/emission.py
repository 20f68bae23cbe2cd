"""Strong emitters at meters: what a switching converter puts on the line at its own terminals.

The noise of a supply, charger, inverter or lamp is not a property of the receiver: it stands somewhere and travels
through the network like a signal. Here is the source; `channel` carries it to every receiver.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..draws import Draws

Array = NDArray[Any]

LEVEL_BANDWIDTH_HZ = 200.0
"""Resolution in which emission levels are stated: CISPR 16-1-1 band A."""


@dataclass(frozen=True)
class EmitterSettings:
    """How many emitters there are and what they look like; sources and confidence stand with the technology.

    ratio : share of the meters that host one, 0 to 1
    low_dbuv, high_dbuv : strongest reading in the carriers' band at the emitter's terminals, in 200 Hz [dBuV]
    switching_low_hz, switching_high_hz : range of the switching frequency [Hz]
    width_low_hz, width_high_hz : range of the width of a line at half its height [Hz]
    """

    ratio: float
    low_dbuv: float
    high_dbuv: float
    switching_low_hz: float
    switching_high_hz: float
    width_low_hz: float
    width_high_hz: float


def emitters(meter_key: Array, draws: Draws, settings: EmitterSettings) -> Array:
    """Rows of the meters that host a strong emitter in one replication, rising.

    Parameters
    ----------
    meter_key : (n_meters,) uint64 stable keys;  draws, settings : see there

    Returns
    -------
    (n_emitters,) int64. A larger ratio keeps the emitters of a smaller one. Raises ValueError where the ratio leaves 0
    to 1 or a range does not rise.
    """
    if not 0 <= settings.ratio <= 1:
        raise ValueError(f"emitter ratio {settings.ratio} must lie within 0 to 1; it is a share of the meters")
    if settings.low_dbuv > settings.high_dbuv:
        raise ValueError("emitter levels must rise; give the lower level in dBuV first")
    for name in ("switching", "width"):
        low, high = getattr(settings, f"{name}_low_hz"), getattr(settings, f"{name}_high_hz")
        if not 0 < low <= high:
            raise ValueError(f"emitter {name} frequencies must be positive and rise; got {low} to {high} Hz")
    if settings.ratio == 0:
        return np.zeros(0, np.int64)
    return np.flatnonzero(draws.uniform("emitter", meter_key) < settings.ratio)


def emission_dbuv(
    meter_key: Array, frequency_hz: Array, bandwidth_hz: float, draws: Draws, settings: EmitterSettings
) -> Array:
    """Emission of each emitter at its own terminals, per carrier.

    Parameters
    ----------
    meter_key : (n_emitters,) uint64 stable keys of the meters that host an emitter
    frequency_hz : (n_carriers,);  bandwidth_hz : of one carrier

    Returns
    -------
    (n_emitters, n_carriers) rms level [dBuV]. The switching frequency and all its harmonics, each a Lorentzian line;
    the power of the n-th harmonic falls with n squared. The drawn level is the strongest 200 Hz reading among the
    carriers; a wide line therefore carries more power than a narrow one.

    References
    ----------
    Harmonics of a square wave fall by 20 dB a decade. Lines and sidebands as the form of switching noise between 10
    and 150 kHz are well known; the width stands for jitter, modulation by the mains and leakage between the bins of
    the receiver (confidence C).
    """
    frequency = np.asarray(frequency_hz, dtype=np.float64)
    level = settings.low_dbuv + (settings.high_dbuv - settings.low_dbuv) * draws.uniform("emitter level", meter_key)
    even = draws.uniform("emitter switching", meter_key), draws.uniform("emitter width", meter_key)
    centre = _log_even(settings.switching_low_hz, settings.switching_high_hz, even[0])[:, None]
    width = _log_even(settings.width_low_hz, settings.width_high_hz, even[1])[:, None] / 2
    wide, narrow = np.zeros((2, meter_key.size, frequency.size))
    last = int(np.ceil(frequency.max() / settings.switching_low_hz)) + 1
    for harmonic in range(1, last + 1):
        offset = frequency - harmonic * centre
        for power, span in ((wide, bandwidth_hz / 2), (narrow, LEVEL_BANDWIDTH_HZ / 2)):
            inside = np.arctan((offset + span) / width) - np.arctan((offset - span) / width)
            power += inside / (np.pi * harmonic**2)
    # the strongest reading may lie between two carriers: no reading is below that of a line on its own centre
    strongest = np.maximum(narrow.max(axis=1), _strongest_line(centre, width, frequency, bandwidth_hz / 2)[:, 0])
    return np.asarray(level[:, None] + 10 * np.log10(wide / strongest[:, None]))


def _log_even(low: float, high: float, share: Array) -> Array:
    """Between two limits, even in the logarithm, for shares from 0 to 1."""
    return np.asarray(low * (high / low) ** share)


def _strongest_line(centre: Array, width: Array, frequency_hz: Array, edge_hz: float) -> Array:
    """200 Hz reading of the lowest harmonic among the carriers, the fundamental's power being 1; 0 where none is."""
    first = np.maximum(np.ceil((frequency_hz.min() - edge_hz) / centre), 1.0)
    reading = 2 / np.pi * np.arctan(LEVEL_BANDWIDTH_HZ / 2 / width) / first**2
    return np.where(first * centre <= frequency_hz.max() + edge_hz, reading, 0.0)
