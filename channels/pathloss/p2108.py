"""Loss of an antenna that stands below the clutter around it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from .guards import coded, positive, ratio
from .p526 import knife_edge_loss_db

Array = NDArray[Any]

CLUTTER_HEIGHT_M = np.array([10.0, 10.0, 15.0, 15.0, 20.0, 10.0])
"""Default representative clutter height by ``Clutter`` code: open, suburban, urban, trees, dense, water [m];
P.2108-1 section 3.1."""
STREET_WIDTH_M = 27.0
_SMOOTH = np.array([True, False, False, False, False, True])


def height_gain_loss_db(antenna_height_m: ArrayLike, *, clutter_code: ArrayLike, frequency_hz: ArrayLike) -> Array:
    """End correction for an antenna below the representative clutter height; 0 above it.

    Parameters
    ----------
    antenna_height_m : (n,)
        Above ground [m], positive.
    clutter_code : scalar or (n,) integer
        ``Clutter`` code around the antenna.
    frequency_hz : scalar or (n,)
        Carrier [Hz]; fitted for 30 MHz to 3 GHz.

    Returns
    -------
    (n,) loss [dB], at least 0, to add once per end that stands in clutter. Raises ValueError where height or
    frequency is not positive or the code is unknown.

    References
    ----------
    Recommendation ITU-R P.2108-1, section 3.1 (street width 27 m).

    >>> round(float(height_gain_loss_db(1.5, clutter_code=1, frequency_hz=868e6)), 1)
    18.6
    """
    height = positive("antenna_height_m", antenna_height_m)
    code = coded("clutter_code", clutter_code, CLUTTER_HEIGHT_M.size)
    f_ghz = positive("frequency_hz", frequency_hz) / 1e9
    clutter = CLUTTER_HEIGHT_M[code]
    below_m = np.maximum(clutter - height, 0.0)
    angle_deg = np.degrees(np.arctan(below_m / STREET_WIDTH_M))
    edge_db = knife_edge_loss_db(0.342 * np.sqrt(f_ghz) * np.sqrt(below_m * angle_deg)) - 6.03
    smooth_db = (21.8 + 6.2 * np.log10(f_ghz)) * np.log10(clutter / height)
    return np.asarray(np.where(below_m > 0.0, np.maximum(np.where(_SMOOTH[code], smooth_db, edge_db), 0.0), 0.0))


def statistical_loss_db(distance_m: ArrayLike, *, frequency_hz: ArrayLike, location_ratio: ArrayLike = 0.5) -> Array:
    """Clutter loss at one end of a terrestrial path, not exceeded at a share of locations, without land use.

    Parameters
    ----------
    distance_m : (n,)
        Path length [m]; fitted from 250 m, constant beyond 2 km.
    frequency_hz : carrier [Hz]; 0.5 to 67 GHz.
    location_ratio : share of locations, 0 to 1 excluded.

    Returns
    -------
    (n,) loss [dB]. Raises ValueError where an input is not positive or the ratio not between 0 and 1.

    References
    ----------
    Recommendation ITU-R P.2108-1, section 3.2.

    >>> round(float(statistical_loss_db(1000.0, frequency_hz=868e6)), 1)
    24.3
    """
    f_log = np.log10(positive("frequency_hz", frequency_hz) / 1e9)
    d_log = np.log10(np.minimum(positive("distance_m", distance_m) / 1e3, 2.0))
    long_db = -2.0 * np.log10(10.0 ** (-5.0 * f_log - 12.5) + 10.0**-16.5)
    short_db = 32.98 + 23.9 * d_log + 3.0 * f_log
    long_power, short_power = 10.0 ** (-0.2 * long_db), 10.0 ** (-0.2 * short_db)
    sigma_db = np.sqrt((4.0**2 * long_power + 6.0**2 * short_power) / (long_power + short_power))
    median_db = -5.0 * np.log10(long_power + short_power)
    return np.asarray(median_db + sigma_db * ndtri(ratio("location_ratio", location_ratio)))
