"""The macro link of a planner: an empirical median, what hills add, and what a low mast loses among houses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .free_space import free_space_loss_db
from .guards import positive
from .hata import hata_loss_db
from .p526 import terrain_excess_db
from .p2108 import height_gain_loss_db

Array = NDArray[Any]

LOWEST_FITTED_SITE_M = 30.0
HIGHEST_FITTED_SITE_M = 200.0
NEAR_M, FAR_M = 40.0, 100.0
"""Below 40 m free space, above 100 m Hata, a straight line over log distance between."""
LONG_M, FARTHEST_M = 20e3, 40e3
"""Beyond 20 km the slope steepens; beyond 40 km nothing is stated."""


def extended_hata_db(
    distance_m: Array, *, frequency_hz: float, site_height_m: Array, meter_height_m: Array, environment: Array
) -> Array:
    """Median loss between an antenna over the roofs and a low one, from free space near by to 40 km.

    Parameters
    ----------
    distance_m : (n,) along the ground [m], positive.
    frequency_hz : carrier [Hz]; 150-1500 MHz.
    site_height_m, meter_height_m : (n,) antennas above ground [m], positive; 1-200 m. Below 30 m the site loses
        20 dB per decade of height, above 10 m the meter gains as much.
    environment : (n,) ``Clutter`` codes.

    Returns
    -------
    (n,) loss [dB], never below free space, rising with distance and falling with either height. Raises ValueError where
    an input is not positive or a code unknown.

    References
    ----------
    Extended Hata of ERC Report 68 and the SEAMCAT handbook (confidence B); free space as floor is our choice.
    """
    distance, site_m = np.asarray(distance_m, np.float64), np.maximum(site_height_m, LOWEST_FITTED_SITE_M)
    far_db = hata_loss_db(
        np.maximum(distance, FAR_M),
        frequency_hz=frequency_hz,
        site_height_m=site_m,
        meter_height_m=np.minimum(meter_height_m, 10.0),
        environment=environment,
    )
    far_db += 20.0 * np.log10(site_m / positive("site_height_m", site_height_m))
    far_db -= 20.0 * np.log10(np.maximum(positive("meter_height_m", meter_height_m) / 10.0, 1.0))
    beyond = np.log10(np.maximum(distance / LONG_M, 1.0)) ** 0.8
    steeper = (0.14 + 1.87e-4 * frequency_hz / 1e6 + 1.07e-3 * site_m) * beyond
    far_db += (44.9 - 6.55 * np.log10(site_m)) * steeper * np.log10(np.maximum(distance / 1e3, 1.0))
    near_db = free_space_loss_db(np.minimum(distance, NEAR_M), frequency_hz)
    weight = np.clip(np.log(distance / NEAR_M) / np.log(FAR_M / NEAR_M), 0.0, 1.0)
    return np.asarray(np.maximum(near_db + weight * (far_db - near_db), free_space_loss_db(distance, frequency_hz)))


def extended_hata_in_range(
    distance_m: Array, *, frequency_hz: float, site_height_m: Array, meter_height_m: Array
) -> Array:
    """Whether each link lies within what extended Hata states: to 40 km, 150-1500 MHz, antennas 1-200 m; (n,) bool."""
    low_m, high_m = np.minimum(site_height_m, meter_height_m), np.maximum(site_height_m, meter_height_m)
    heights = (low_m >= 1.0) & (high_m <= HIGHEST_FITTED_SITE_M)
    return np.asarray(heights & (np.asarray(distance_m) <= FARTHEST_M) & (150e6 <= frequency_hz <= 1500e6))


@dataclass(frozen=True)
class MacroLoss:
    """Loss between the antennas without enclosure and shadowing; columns (n,).

    median_db : over gentle ground, surroundings of both ends included [dB].
    terrain_db : what the profile adds to it, at least 0 [dB].
    in_range : whether the median was used where it was fitted.
    """

    median_db: Array
    terrain_db: Array
    in_range: Array


def macro_loss(
    terrain_m: Array,
    distance_m: Array,
    *,
    frequency_hz: float,
    meter_height_m: Array,
    meter_clutter: Array,
    site_height_m: Array,
    site_clutter: Array,
) -> MacroLoss:
    """Loss from a meter to an elevated site below 1 GHz.

    The median is extended Hata's with his effective height: the mast, plus what the foot of the mast stands above the
    mean ground of the path. For a mast below the clutter around it, it is at least the loss at 30 m (the lowest mast
    he measured) plus the loss of an antenna among clutter after P.2108, and always at least free space over the
    ground distance. Hills add what their Bullington edge loses beyond straight ground. The meter's own surroundings
    are in Hata's environment classes and are not counted twice.

    Parameters
    ----------
    terrain_m : (n, n_samples) ground from the meter to the site [m].
    distance_m : (n,) along the ground [m], positive.
    frequency_hz : carrier [Hz].
    meter_height_m, site_height_m : (n,) antennas above ground [m], positive.
    meter_clutter, site_clutter : (n,) ``Clutter`` codes.

    Returns
    -------
    MacroLoss. Raises ValueError where a distance or height is not positive, a code unknown or the ground not finite.

    References
    ----------
    `extended_hata_db`, `p526.terrain_excess_db`, `p2108.height_gain_loss_db`; combining them by the larger of two
    is our choice (docs/method-propagation.md). Effective height: Y. Okumura et al., Rev. ECL 16, 1968, section 2.
    """
    terrain_db = terrain_excess_db(
        terrain_m, distance_m, start_height_m=meter_height_m, end_height_m=site_height_m, frequency_hz=frequency_hz
    )
    effective_m = np.minimum(
        site_height_m + _foot_above_mean_m(np.asarray(terrain_m)), np.maximum(HIGHEST_FITTED_SITE_M, site_height_m)
    )
    median_db = extended_hata_db(
        distance_m,
        frequency_hz=frequency_hz,
        site_height_m=effective_m,
        meter_height_m=meter_height_m,
        environment=meter_clutter,
    )
    gain_db = height_gain_loss_db(site_height_m, clutter_code=site_clutter, frequency_hz=frequency_hz)
    low = np.flatnonzero(gain_db > 0.0)
    raised_db = extended_hata_db(
        distance_m[low],
        frequency_hz=frequency_hz,
        site_height_m=np.maximum(effective_m[low], LOWEST_FITTED_SITE_M),
        meter_height_m=meter_height_m[low],
        environment=meter_clutter[low],
    )
    median_db[low] = np.maximum(median_db[low], raised_db + gain_db[low])
    fitted = extended_hata_in_range(
        distance_m, frequency_hz=frequency_hz, site_height_m=effective_m, meter_height_m=meter_height_m
    )
    return MacroLoss(median_db, terrain_db, fitted)


def _foot_above_mean_m(terrain: Array) -> Array:
    return np.asarray(np.maximum(terrain[:, -1].astype(np.float64) - terrain.mean(axis=1, dtype=np.float64), 0.0))
