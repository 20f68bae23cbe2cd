"""The macro link of a planner: an empirical median, what hills add, and what a low mast loses among houses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .free_space import free_space_loss_db
from .hata import hata_in_range, hata_loss_db
from .p526 import terrain_excess_db
from .p2108 import height_gain_loss_db

Array = NDArray[Any]

LOWEST_FITTED_SITE_M = 30.0
HIGHEST_FITTED_SITE_M = 200.0
NEAREST_M = 40.0
"""Below this Hata's formula is held, as extended Hata does before it turns to free space (SEAMCAT handbook)."""


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

    The median is Hata's with his effective height: the mast, plus what the foot of the mast stands above the mean
    ground of the path. For a mast below the clutter around it, it is at least Hata's loss at 30 m (the lowest mast
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
    `hata.hata_loss_db`, `p526.terrain_excess_db`, `p2108.height_gain_loss_db`; combining them by the larger of two
    is our choice (docs/method-propagation.md). Effective height: Y. Okumura et al., Rev. ECL 16, 1968, section 2.
    """
    terrain_db = terrain_excess_db(
        terrain_m, distance_m, start_height_m=meter_height_m, end_height_m=site_height_m, frequency_hz=frequency_hz
    )
    effective_m = np.minimum(
        site_height_m + _foot_above_mean_m(np.asarray(terrain_m)), np.maximum(HIGHEST_FITTED_SITE_M, site_height_m)
    )
    hata_m = np.maximum(distance_m, NEAREST_M)
    plain_db = hata_loss_db(
        hata_m,
        frequency_hz=frequency_hz,
        site_height_m=effective_m,
        meter_height_m=meter_height_m,
        environment=meter_clutter,
    )
    gain_db = height_gain_loss_db(site_height_m, clutter_code=site_clutter, frequency_hz=frequency_hz)
    low = np.flatnonzero(gain_db > 0.0)
    raised_db = hata_loss_db(
        hata_m[low],
        site_height_m=np.maximum(effective_m[low], LOWEST_FITTED_SITE_M),
        meter_height_m=meter_height_m[low],
        frequency_hz=frequency_hz,
        environment=meter_clutter[low],
    )
    median_db = plain_db.copy()
    median_db[low] = np.maximum(plain_db[low], raised_db + gain_db[low])
    median_db = np.maximum(median_db, free_space_loss_db(distance_m, frequency_hz))
    fitted = hata_in_range(
        distance_m, frequency_hz=frequency_hz, site_height_m=effective_m, meter_height_m=meter_height_m
    )
    return MacroLoss(median_db, terrain_db, fitted)


def _foot_above_mean_m(terrain: Array) -> Array:
    return np.asarray(np.maximum(terrain[:, -1].astype(np.float64) - terrain.mean(axis=1, dtype=np.float64), 0.0))
