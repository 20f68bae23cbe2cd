"""Spectra of interference as receivers with equal carriers see them: flat lines and combs of Lorentzian ones."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]

LOWEST_HZ, HOOIJEN_HZ, UPPER_HZ, HIGHEST_HZ = 9e3, 95e3, 150e3, 500e3
"""Limits of the noise models: background measured from 9 to 95 kHz, continued to 500 kHz, other habits from 150 kHz."""

LEVEL_BANDWIDTH_HZ = 200.0
"""Resolution in which levels are stated: CISPR 16-1-1 band A."""


@njit(cache=True, nogil=True)
def share_within(offset_hz: float, span_hz: float, half_width_hz: float) -> float:
    """Share of a line's power within ``span_hz`` on either side of a frequency ``offset_hz`` away from its centre.

    >>> round(share_within(0.0, 50.0, 50.0), 3)
    0.5
    """
    # the difference of two arctangents as one: the angle under which the band is seen from half a width away
    beside = half_width_hz**2 + offset_hz**2 - span_hz**2
    return float(np.arctan2(2 * span_hz * half_width_hz, beside) / np.pi)


@njit(cache=True, nogil=True)
def add_lines(
    power: Array,
    row: Array,
    centre_hz: Array,
    width_hz: Array,
    line_uv2: Array,
    frequency_hz: Array,
    bandwidth_hz: float,
) -> None:
    """Add lines, flat over their width and nothing beside it, to rows of ``power``, carrier by carrier, in place.

    Parameters
    ----------
    power : (n, n_carriers) float64 [uV^2], changed
    row, centre_hz, width_hz, line_uv2 : (n_lines,) where to, centre and width [Hz], whole power [uV^2]
    frequency_hz : (n_carriers,);  bandwidth_hz : of one carrier
    """
    for line in range(row.size):
        low, high = centre_hz[line] - width_hz[line] / 2, centre_hz[line] + width_hz[line] / 2
        for carrier in range(frequency_hz.size):
            start, end = frequency_hz[carrier] - bandwidth_hz / 2, frequency_hz[carrier] + bandwidth_hz / 2
            overlap = min(high, end) - max(low, start)
            if overlap > 0:
                power[row[line], carrier] += line_uv2[line] * overlap / width_hz[line]


@njit(cache=True, nogil=True)
def comb(
    centre_hz: Array, half_width_hz: Array, frequency_hz: Array, bandwidth_hz: float, level_bandwidth_hz: float
) -> tuple[Array, Array]:
    """Power of a fundamental and its harmonics in each carrier and in the resolution of levels, around each carrier.

    Parameters
    ----------
    centre_hz, half_width_hz : (n,) fundamental and half the width of every line [Hz]
    frequency_hz : (n_carriers,);  bandwidth_hz : of one carrier;  level_bandwidth_hz : of a level reading

    Returns
    -------
    carrier, reading : (n, n_carriers), the fundamental's power being 1; that of the n-th harmonic falls with n squared.
    """
    n, n_carriers = centre_hz.size, frequency_hz.size
    carrier, reading = np.zeros((n, n_carriers)), np.zeros((n, n_carriers))
    for one in range(n):
        last = int(np.ceil(frequency_hz.max() / centre_hz[one])) + 1
        for harmonic in range(1, last + 1):
            for k in range(n_carriers):
                offset = frequency_hz[k] - harmonic * centre_hz[one]
                weight = 1.0 / harmonic**2
                carrier[one, k] += weight * share_within(offset, bandwidth_hz / 2, half_width_hz[one])
                reading[one, k] += weight * share_within(offset, level_bandwidth_hz / 2, half_width_hz[one])
    return carrier, reading
