"""Street-level links: both antennas below the roofs, as from meter to meter."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from .guards import coded, positive, ratio

Array = NDArray[Any]

ENVIRONMENTS = ("suburban", "urban", "dense")
_URBAN_LOSS_DB = np.array([0.0, 6.8, 2.3])
_OF_CLUTTER = np.array([0, 0, 1, 0, 2, 0], np.int8)
"""Environment of each ``Clutter`` code; open ground, trees and water take the mildest class (our choice, C)."""

TRANSITION_M = 20.0
SIGMA_DB = 7.0
_RAYLEIGH_MEDIAN = np.sqrt(2.0 * np.log(2.0))


def near_street_loss_db(
    distance_m: ArrayLike,
    *,
    frequency_hz: ArrayLike,
    location_ratio: ArrayLike = 0.5,
    environment: ArrayLike | str = "suburban",
) -> Array:
    """Loss not exceeded at a share of locations between two terminals near street level.

    Parameters
    ----------
    distance_m : (n,)
        Between the terminals [m], positive; up to 3 km.
    frequency_hz : scalar or (n,)
        Carrier [Hz]; 300 MHz to 3 GHz.
    location_ratio : scalar or (n,)
        Share of locations, 0 to 1 excluded; 0.5 is the median. A uniform draw per pair gives the whole
        distribution: sight near by, no sight far away, 7 dB of spread.
    environment : str or (n,) integer
        ``"suburban"``, ``"urban"``, ``"dense"`` (high-rise), or ``Clutter`` codes.

    Returns
    -------
    (n,) loss [dB], never below free space by more than its own spread. Raises ValueError where distance or
    frequency is not positive, the ratio is not between 0 and 1, or the environment is unknown.

    References
    ----------
    Recommendation ITU-R P.1411-12, section 4.3.1 (line of sight, no sight, corner distance,
    transition width 20 m).

    >>> round(float(near_street_loss_db(100.0, frequency_hz=868e6)), 1)
    101.7
    """
    distance = positive("distance_m", distance_m)
    frequency = positive("frequency_hz", frequency_hz)
    share = ratio("location_ratio", location_ratio)
    urban_db = _URBAN_LOSS_DB[_environment_code(environment)]
    corner_m = _corner_distance_m(share)
    sight_db = _sight_loss_db(np.minimum(distance, corner_m), frequency, share)
    hidden_db = _hidden_loss_db(np.maximum(distance, corner_m + TRANSITION_M), frequency, share, urban_db)
    weight = np.clip((distance - corner_m) / TRANSITION_M, 0.0, 1.0)
    return np.asarray(sight_db + weight * (hidden_db - sight_db))


def in_range(distance_m: ArrayLike, *, frequency_hz: ArrayLike) -> Array:
    """Whether each street-level link lies within 300 MHz to 3 GHz and 3 km; shape (n,) bool.

    References
    ----------
    Recommendation ITU-R P.1411-12, section 4.3.1.
    """
    distance, frequency = np.asarray(distance_m), np.asarray(frequency_hz)
    return np.asarray((distance <= 3e3) & (frequency >= 300e6) & (frequency <= 3e9))


def below_roof_loss_db(distance_m: ArrayLike, *, frequency_hz: ArrayLike, place: str) -> Array:
    """Median site-general loss with both antennas below the roofs, by street class.

    Parameters
    ----------
    distance_m : (n,) between the antennas [m], positive.
    frequency_hz : carrier [Hz], positive.
    place : ``"sight"``, ``"high_rise"`` (no sight) or ``"residential"`` (no sight).

    Returns
    -------
    (n,) loss [dB]. Raises ValueError for an unknown place or where an input is not positive. Fitted for
    5-660 m, 30-715 m and 30-170 m.

    References
    ----------
    Recommendation ITU-R P.1411-12, section 4.1.1 (site-general).

    >>> round(float(below_roof_loss_db(100.0, frequency_hz=868e6, place="sight")), 1)
    70.3
    """
    if place not in _BELOW_ROOF:
        raise ValueError(f"place {place!r} is unknown; use one of {', '.join(_BELOW_ROOF)}")
    alpha, beta, gamma = _BELOW_ROOF[place]
    d_log = np.log10(positive("distance_m", distance_m))
    return np.asarray(
        10.0 * alpha * d_log + beta + 10.0 * gamma * np.log10(positive("frequency_hz", frequency_hz) / 1e9)
    )


_BELOW_ROOF = {
    # place        alpha  beta  gamma    P.1411-12 section 4.1.1
    "sight": (2.12, 29.2, 2.11),
    "high_rise": (4.00, 10.2, 2.36),
    "residential": (3.01, 18.8, 2.07),
}


def _corner_distance_m(share: Array) -> Array:
    share_log = np.log10(share)
    return np.where(share < 0.45, 212.0 * share_log**2 - 64.0 * share_log, 79.2 - 70.0 * share)


def _sight_loss_db(distance: Array, frequency: Array, share: Array) -> Array:
    median_db = 32.45 + 20.0 * np.log10(frequency / 1e6) + 20.0 * np.log10(distance / 1e3)
    spread_db = 1.5624 * SIGMA_DB * (np.sqrt(-2.0 * np.log(1.0 - share)) - _RAYLEIGH_MEDIAN)
    return np.asarray(median_db + spread_db)


def _hidden_loss_db(distance: Array, frequency: Array, share: Array, urban_db: Array) -> Array:
    median_db = 9.5 + 45.0 * np.log10(frequency / 1e6) + 40.0 * np.log10(distance / 1e3) + urban_db
    return np.asarray(median_db + SIGMA_DB * ndtri(share))


def _environment_code(environment: ArrayLike | str) -> Array:
    if isinstance(environment, str):
        if environment not in ENVIRONMENTS:
            raise ValueError(f"environment {environment!r} is unknown; use one of {', '.join(ENVIRONMENTS)}")
        return np.asarray(ENVIRONMENTS.index(environment))
    return np.asarray(_OF_CLUTTER[coded("environment", environment, _OF_CLUTTER.size)])
