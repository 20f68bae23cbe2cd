"""Noise of the line itself at a receiver: background, narrow-band lines and how the mains cycle moulds them.

All powers are squares of rms voltages at the receiver's terminals per carrier [uV^2], means over the mains cycle.
Emitters at meters stand in `emission`, impulses in `impulses`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..draws import Draws, text_key
from .cycle import bin_means, interval, shapes
from .mains import CREST, phase_shift
from .noise_settings import LINE_SLOTS, NoiseSettings
from .spectra import HIGHEST_HZ, HOOIJEN_HZ, LEVEL_BANDWIDTH_HZ, LOWEST_HZ, UPPER_HZ, add_lines

Array = NDArray[Any]

REFERENCE_OHM = 50.0
"""Impedance in which the background densities were measured; levels are voltages across it."""

# Mean level relative to the Amsterdam measurements [dB]; rural from the middles of the usual level ranges
# (25-55 against 30-75 dBuV in 200 Hz), industrial a guess: confidence C.
ENVIRONMENT_NOISE_DB = {"rural": -12.0, "urban": 0.0, "industrial": 5.0}

# Long wave broadcasting, ITU Geneva plan 1975: channels every 9 kHz, carriers from 153 to 279 kHz.
BROADCAST_HZ = 153e3 + 9e3 * np.arange(15)


def background_noise_dbuv(
    frequency_hz: Array, bandwidth_hz: float, *, upper_dbm_hz: float = -94.0, upper_slope_db: float = 15.0
) -> Array:
    """Mean background noise of low-voltage lines in a town.

    Parameters
    ----------
    frequency_hz : (n_carriers,)
        9 to 500 kHz: measured up to 95 kHz, a straight line in the logarithm beyond (confidence C).
    bandwidth_hz
        Bandwidth the level is counted in, positive.
    upper_dbm_hz, upper_slope_db
        Density at 95 kHz and its fall per decade above. Usual densities from 150 to 500 kHz lie between -125 and
        -85 dBm/Hz.

    Returns
    -------
    (n_carriers,) rms level [dBuV] for densities measured in 50 ohm. Raises ValueError outside 9-500 kHz.

    References
    ----------
    O. G. Hooijen, IEEE Trans. EMC 40 (4), 1998, and ISPLC 1998: N(f) = 10^(K - 3.95e-5 f) W/Hz, K = -8.64 +- 0.5.

    >>> [round(float(x)) for x in background_noise_dbuv(np.array([36e3, 50e3, 91e3]), 1562.5)]
    [68, 63, 47]
    >>> [round(float(x)) for x in background_noise_dbuv(np.array([150e3, 500e3]), 200.0)]
    [33, 25]
    """
    frequency = np.asarray(frequency_hz, dtype=np.float64)
    if not np.all((frequency >= LOWEST_HZ) & (frequency <= HIGHEST_HZ)):
        raise ValueError("background noise is known for 9 to 500 kHz only; choose carriers inside")
    measured = 10 * (-8.64 - 3.95e-5 * frequency) + 30
    continued = upper_dbm_hz - upper_slope_db * np.log10(frequency / HOOIJEN_HZ)
    density_dbm_hz = np.where(frequency <= HOOIJEN_HZ, measured, continued)
    return np.asarray(density_dbm_hz + 90 + 10 * np.log10(REFERENCE_OHM) + 10 * np.log10(bandwidth_hz))


def background_uv2(
    node_key: Array, area_key: Array, frequency_hz: Array, draws: Draws, settings: NoiseSettings
) -> Array:
    """Background at every receiver in one replication, impulses synchronous with the mains included.

    Parameters
    ----------
    node_key, area_key : (n,) uint64
        Stable keys of the receiver and of the transformer area it shares its neighbours' noise with.
    frequency_hz : (n_carriers,) 9 to 500 kHz

    Returns
    -------
    (n, n_carriers) float64 [uV^2]. Raises ValueError where a spread or pulse is negative, or outside 9-500 kHz.
    """
    if settings.area_sigma_db < 0 or settings.node_sigma_db < 0:
        raise ValueError("noise spreads must not be negative; give standard deviations in dB")
    mean = _mean_dbuv(frequency_hz, settings.bandwidth_hz, settings)
    spread = settings.area_sigma_db * draws.normal("noise area", area_key)
    spread = spread + settings.node_sigma_db * draws.normal("noise node", node_key)
    limits = np.log([HOOIJEN_HZ, UPPER_HZ])
    wider = np.interp(np.log(np.asarray(frequency_hz, dtype=np.float64)), limits, [1.0, settings.upper_spread])
    return np.asarray((1 + _checked_pulse(settings)) * 10 ** ((mean + spread[:, None] * wider) / 10))


def lines_uv2(node_key: Array, frequency_hz: Array, draws: Draws, settings: NoiseSettings) -> Array:
    """Narrow-band lines and long wave stations at every receiver in one replication.

    Parameters
    ----------
    node_key : (n,) uint64 stable keys of the receivers
    frequency_hz : (n_carriers,) 9 to 500 kHz

    Returns
    -------
    (n, n_carriers) float64 [uV^2]. Each line is flat over its width. Centres lie anywhere between 9 and 500 kHz, so
    that a band meets as many as it is wide. Which stations are on the air is the same for all receivers, how loud they
    are is not. A larger mean number keeps the lines of a smaller one. Raises ValueError where a number or range is
    impossible.

    References
    ----------
    One to five lines per site, 10 to 40 dB over the floor, 0.2 to 5 kHz wide (confidence C). Long wave channels:
    ITU, Final Acts of the Regional Administrative LF/MF Broadcasting Conference, Geneva 1975.
    """
    _check_lines(settings)
    power = np.zeros((node_key.size, np.size(frequency_hz)))
    for slot in range(LINE_SLOTS):
        row = np.flatnonzero(draws.uniform(f"noise line {slot}", node_key) * LINE_SLOTS < settings.lines_per_node)
        key = node_key[row]
        even = draws.uniform(f"noise line centre {slot}", key), draws.uniform(f"noise line width {slot}", key)
        centre = LOWEST_HZ + (HIGHEST_HZ - LOWEST_HZ) * even[0]
        width = settings.line_width_low_hz * (settings.line_width_high_hz / settings.line_width_low_hz) ** even[1]
        _add(power, row, centre, width, draws.uniform(f"noise line level {slot}", key), frequency_hz, settings)
    for centre_hz in BROADCAST_HZ[_on_air(draws, settings)]:
        row, purpose = np.arange(node_key.size), f"broadcast level {centre_hz:.0f}"
        centre, width = np.full(row.size, centre_hz), np.full(row.size, settings.line_width_low_hz)
        _add(power, row, centre, width, draws.uniform(purpose, node_key), frequency_hz, settings)
    return power


def cycle_pattern(settings: NoiseSettings, frequency_hz: Array, n_phases: int) -> Array:
    """Background over the half cycle of the mains, relative to its mean, as a symbol of the receiver sees it.

    Parameters
    ----------
    settings : NoiseSettings;  frequency_hz : (n_carriers,);  n_phases : 1 or 3

    Returns
    -------
    (n_phases, n_bins, n_carriers), mean 1 over the bins. Bin 0 begins at the zero crossing of the first phase; every
    value is the mean over all symbols whose middle lies in the bin. Raises ValueError for an unknown model, a window
    that is not positive, or regions that do not share the half cycle.

    References
    ----------
    Katayama et al., IEEE JSAC 24 (7), 2006; regions after Nassar et al., IEEE Signal Process. Mag. 29 (5), 2012, and
    IEEE 1901.2-2013 annex D (structure confidence B, numbers C).
    """
    return _pattern(settings, tuple(float(f) for f in np.ravel(frequency_hz)), n_phases)


@lru_cache(maxsize=32)
def _pattern(settings: NoiseSettings, frequency_hz: tuple[float, ...], n_phases: int) -> Array:
    """`cycle_pattern`, read-only and kept: it is the same in all replications."""
    region = np.array(settings.region_share), np.array(settings.region_db), np.array(settings.region_tilt_db)
    integrals, weight = shapes(settings.cyclic, region, np.array(frequency_hz))
    mean = np.array([float(one(np.array(1.0)) - one(np.array(0.0))) for one in integrals])
    power = weight * mean[:, None] / (mean @ weight)
    if (excess := _checked_pulse(settings)) > 0:
        integrals = (*integrals, interval(CREST, settings.pulse_s * 2 * settings.mains_hz))
        power = np.vstack([power, np.full(power.shape[1], excess)])
    width = settings.window_s * 2 * settings.mains_hz
    binned = bin_means(integrals, settings.n_bins, phase_shift(n_phases), width)
    # each part keeps its own mean to the last digit: a part more never lowers a bin
    part = binned / binned.mean(axis=-1, keepdims=True)
    pattern = np.einsum("lpb,lk->pbk", part, power) / (1 + excess)
    pattern.flags.writeable = False
    return np.asarray(pattern)


def _mean_dbuv(frequency_hz: Array, bandwidth_hz: float, settings: NoiseSettings) -> Array:
    upper = {"upper_dbm_hz": settings.upper_dbm_hz, "upper_slope_db": settings.upper_slope_db}
    return settings.offset_db + background_noise_dbuv(frequency_hz, bandwidth_hz, **upper)


def _checked_pulse(settings: NoiseSettings) -> float:
    """Mean power of the synchronous impulses over the background; refuses lengths beyond the half cycle."""
    if not 0 <= settings.pulse_s * 2 * settings.mains_hz <= 1:
        raise ValueError(f"impulses of {settings.pulse_s} s must fit the half cycle of the mains; shorten them")
    return settings.pulse_excess


def _check_lines(settings: NoiseSettings) -> None:
    if not 0 <= settings.lines_per_node <= LINE_SLOTS:
        raise ValueError(f"narrow-band lines per node {settings.lines_per_node} must lie within 0 to {LINE_SLOTS}")
    if not 0 <= settings.broadcast_ratio <= 1:
        raise ValueError(
            f"broadcast ratio {settings.broadcast_ratio} must lie within 0 to 1; it is a share of channels"
        )
    if settings.line_low_db > settings.line_high_db:
        raise ValueError("levels of narrow-band lines must rise; give the lower level in dB first")
    if not 0 < settings.line_width_low_hz <= settings.line_width_high_hz:
        raise ValueError("widths of narrow-band lines must be positive and rise; give the lower width in Hz first")


def _on_air(draws: Draws, settings: NoiseSettings) -> Array:
    """Which long wave channels carry a station in this replication, (15,) bool."""
    channel = np.array([text_key(f"{frequency:.0f} Hz") for frequency in BROADCAST_HZ], np.uint64)
    return np.asarray(draws.uniform("broadcast", channel) < settings.broadcast_ratio)


def _add(
    power: Array,
    row: Array,
    centre_hz: Array,
    width_hz: Array,
    even: Array,
    frequency_hz: Array,
    settings: NoiseSettings,
) -> None:
    """Add one line to each of some rows; ``even`` (n_lines,) in 0 to 1 sets its level."""
    excess_db = settings.line_low_db + (settings.line_high_db - settings.line_low_db) * even
    reading = 10 ** ((_mean_dbuv(centre_hz, LEVEL_BANDWIDTH_HZ, settings) + excess_db) / 10)
    line = reading * np.maximum(width_hz / LEVEL_BANDWIDTH_HZ, 1.0)
    add_lines(power, row, centre_hz, width_hz, line, np.asarray(frequency_hz, dtype=np.float64), settings.bandwidth_hz)
