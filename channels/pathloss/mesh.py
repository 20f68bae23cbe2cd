"""The link of a mesh: between two antennas of any height below about 200 m, in a street or over the roofs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from .free_space import free_space_loss_db
from .macro import extended_hata_db, extended_hata_in_range
from .p526 import terrain_excess_db
from .p1411 import near_street_loss_db

Array = NDArray[Any]

_SEVERITY = np.array([0, 2, 3, 1, 4, 0], np.int8)
"""How built-up each ``Clutter`` code is; the worse end of a link names its surroundings."""
_STREET_RANGE_M = 3e3


@dataclass(frozen=True)
class MeshLoss:
    """Loss between the antennas without enclosure; columns (n,).

    outdoor_db : over flat ground at this draw, surroundings included [dB].
    terrain_db : what the profile adds to it, at least 0 [dB].
    in_range : whether the deciding model was used where it was fitted.
    """

    outdoor_db: Array
    terrain_db: Array
    in_range: Array


def mesh_loss(
    terrain_m: Array,
    distance_m: Array,
    *,
    frequency_hz: float,
    heights_m: tuple[Array, Array],
    clutter: tuple[Array, Array],
    normal: Array,
    sigma_db: float,
) -> MeshLoss:
    """Loss of links between meters, and between meters and poles, masts or roofs.

    Parameters
    ----------
    terrain_m : (n, n_samples) ground from the first end to the second [m].
    distance_m : (n,) along the ground [m], positive.
    frequency_hz : carrier [Hz].
    heights_m, clutter : two columns (n,) each, first and second end: antenna above ground [m] and ``Clutter`` code.
    normal, sigma_db : as in `link_loss_db`.

    Returns
    -------
    MeshLoss. Raises ValueError as `link_loss_db` and `p526.terrain_excess_db` do.

    References
    ----------
    `link_loss_db`, `p526.terrain_excess_db`; the more built-up end decides, which is our choice (confidence C).
    """
    high_m = np.maximum(*heights_m)
    outdoor_db, street = link_loss_db(
        distance_m,
        low_height_m=np.minimum(*heights_m),
        high_height_m=high_m,
        frequency_hz=frequency_hz,
        clutter=np.where(_SEVERITY[clutter[0]] >= _SEVERITY[clutter[1]], clutter[0], clutter[1]),
        normal=normal,
        sigma_db=sigma_db,
    )
    terrain_db = terrain_excess_db(
        terrain_m, distance_m, start_height_m=heights_m[0], end_height_m=heights_m[1], frequency_hz=frequency_hz
    )
    elevated = extended_hata_in_range(
        distance_m, frequency_hz=frequency_hz, site_height_m=high_m, meter_height_m=np.minimum(*heights_m)
    )
    fitted = np.where(street, (distance_m <= _STREET_RANGE_M) & (high_m <= 200.0), elevated)
    return MeshLoss(outdoor_db, terrain_db, fitted)


def link_loss_db(
    distance_m: Array,
    *,
    low_height_m: Array,
    high_height_m: Array,
    frequency_hz: float,
    clutter: Array,
    normal: Array,
    sigma_db: float,
) -> tuple[Array, Array]:
    """Outdoor loss between two antennas of any height below about 200 m, over flat ground.

    The smaller of two models, never below free space: street level to street level (P.1411), and an elevated antenna
    over the roofs (`macro.extended_hata_db`). So the loss never grows with either height,
    has no step, and equals P.1411 between two meters.

    Parameters
    ----------
    distance_m : (n,) along the ground [m], positive.
    low_height_m, high_height_m : (n,) the lower and the higher antenna above ground [m], positive.
    frequency_hz : carrier [Hz].
    clutter : (n,) ``Clutter`` code of the surroundings.
    normal : (n,) standard normal draw of the pair: place within the spread of locations.
    sigma_db : spread of the elevated model [dB]; the street model has its own.

    Returns
    -------
    (n,) loss [dB], and (n,) bool whether the street model decided. Raises ValueError where an input is not positive.

    References
    ----------
    Recommendation ITU-R P.1411-12 section 4.3.1; extended Hata of ERC Report 68 / SEAMCAT (distance bridge from
    40 to 100 m, antenna term below 30 m; confidence B).
    """
    ratio = np.clip(ndtr(normal), 0.01, 0.99)
    street_db = near_street_loss_db(distance_m, frequency_hz=frequency_hz, location_ratio=ratio, environment=clutter)
    median_db = extended_hata_db(
        distance_m,
        frequency_hz=frequency_hz,
        site_height_m=high_height_m,
        meter_height_m=low_height_m,
        environment=clutter,
    )
    pole_db = median_db + sigma_db * normal
    free_db = free_space_loss_db(distance_m, frequency_hz)
    return np.maximum(np.minimum(street_db, pole_db), free_db), street_db <= pole_db
