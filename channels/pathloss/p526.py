"""Diffraction over terrain: one edge, and Bullington's edge for a whole profile."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .guards import LIGHT_SPEED_M_S, positive

Array = NDArray[Any]

EARTH_RADIUS_M = 6_371_000.0
_FLAT_SAMPLES = 33
_BLOCK = 2048
"""Links at a time, so that a block of profiles stays in the cache."""
_FLAT_M = 1e-3
"""Relief below this is the rounding of float32 heights, not a hill [m]."""


def knife_edge_loss_db(nu: ArrayLike) -> Array:
    """Loss of a single knife edge.

    Parameters
    ----------
    nu : (n,)
        Edge height in Fresnel measure [1]; negative where the edge stays below the direct ray.

    Returns
    -------
    (n,) loss [dB], 0 for ``nu`` at or below -0.78.

    References
    ----------
    Recommendation ITU-R P.526-15, section 4.1, equation 31.

    >>> round(float(knife_edge_loss_db(0.0)), 2)
    6.03
    """
    v = np.asarray(nu, np.float64) - 0.1
    with np.errstate(divide="ignore"):
        loss_db = 6.9 + 20.0 * np.log10(np.sqrt(v * v + 1.0) + v)
    return np.asarray(np.where(v > -0.88, np.maximum(loss_db, 0.0), 0.0))


def bullington_loss_db(
    terrain_m: Array,
    distance_m: ArrayLike,
    *,
    start_height_m: ArrayLike,
    end_height_m: ArrayLike,
    frequency_hz: float,
    earth_radius_factor: float = 4.0 / 3.0,
) -> Array:
    """Diffraction loss of whole profiles, each replaced by the one edge that its two horizons meet in.

    Parameters
    ----------
    terrain_m : (n, n_samples)
        Ground above sea level at equal steps, both ends included [m]. Two samples mean straight ground between
        the ends: only the bulge of the earth stands in the way.
    distance_m : (n,) along the ground [m], positive.
    start_height_m, end_height_m : scalar or (n,) antennas above the ground at their end [m], positive.
    frequency_hz : carrier [Hz], above 30 MHz.
    earth_radius_factor : effective earth radius over the real one, positive.

    Returns
    -------
    (n,) loss [dB], at least 0, to add to a loss that knows no terrain. Raises ValueError where a distance, height
    or factor is not positive, a height of ground is not finite, or the shapes do not fit.

    References
    ----------
    Recommendation ITU-R P.526-15, section 4.5.1 (Bullington).
    """
    profile, distance = _checked(terrain_m, distance_m)
    start = np.broadcast_to(positive("start_height_m", start_height_m), distance.shape)
    end = np.broadcast_to(positive("end_height_m", end_height_m), distance.shape)
    wavelength_m = LIGHT_SPEED_M_S / float(positive("frequency_hz", frequency_hz))
    radius_m = EARTH_RADIUS_M * float(positive("earth_radius_factor", earth_radius_factor))
    loss_db = np.empty(distance.size)
    for first in range(0, distance.size, _BLOCK):
        rows = slice(first, first + _BLOCK)
        relief = _relief_m(profile[rows])
        ends = (start[rows], end[rows])
        loss_db[rows] = _edge_loss_db(relief, distance[rows], *ends, wavelength_m, radius_m)
    return loss_db


def terrain_excess_db(
    terrain_m: Array,
    distance_m: ArrayLike,
    *,
    start_height_m: ArrayLike,
    end_height_m: ArrayLike,
    frequency_hz: float,
    earth_radius_factor: float = 4.0 / 3.0,
) -> Array:
    """Diffraction loss beyond that of straight ground between the same ends.

    An empirical model measured over gentle ground (Hata, TR 45.820, P.1411) already holds what flat ground does to
    low antennas; this is what hills add to it, and exactly 0 on flat or evenly sloping ground.

    Parameters
    ----------
    terrain_m, distance_m, start_height_m, end_height_m, frequency_hz, earth_radius_factor
        As in `bullington_loss_db`.

    Returns
    -------
    (n,) loss [dB], at least 0. Raises ValueError as `bullington_loss_db` does.

    References
    ----------
    Recommendation ITU-R P.526-15, section 4.5.2: difference of a real and a smooth Bullington profile.
    """
    profile, distance = _checked(terrain_m, distance_m)
    start = np.broadcast_to(positive("start_height_m", start_height_m), distance.shape)
    end = np.broadcast_to(positive("end_height_m", end_height_m), distance.shape)
    excess_db = np.zeros(distance.size)
    rough = np.flatnonzero(np.abs(_relief_m(profile)).max(axis=1) > _FLAT_M)

    def rough_loss_db(ground: Array) -> Array:
        return bullington_loss_db(
            ground,
            distance[rough],
            start_height_m=start[rough],
            end_height_m=end[rough],
            frequency_hz=frequency_hz,
            earth_radius_factor=earth_radius_factor,
        )

    straight = np.zeros((rough.size, profile.shape[1]), np.float32)
    excess_db[rough] = np.maximum(rough_loss_db(profile[rough]) - rough_loss_db(straight), 0.0)
    return excess_db


def _checked(terrain_m: Array, distance_m: ArrayLike) -> tuple[Array, Array]:
    profile, distance = np.asarray(terrain_m), np.atleast_1d(positive("distance_m", distance_m))
    if profile.ndim != 2 or profile.shape[0] != distance.size or profile.shape[1] < 2:
        raise ValueError(f"terrain_m must have shape ({distance.size}, 2 or more), not {profile.shape}")
    if not np.isfinite(profile).all():
        raise ValueError("terrain_m must be finite; fill the voids of the elevation model first")
    return profile, distance


def _relief_m(profile: Array) -> Array:
    """Ground above the straight line between its two ends, interior samples only: (n, n_samples - 2)."""
    if profile.shape[1] == 2:
        return np.zeros((profile.shape[0], _FLAT_SAMPLES - 2))
    t = np.linspace(0.0, 1.0, profile.shape[1])[1:-1]
    first, last = profile[:, :1].astype(np.float64), profile[:, -1:].astype(np.float64)
    return np.asarray(profile[:, 1:-1] - (first + (last - first) * t))


def _edge_loss_db(
    relief: Array, distance: Array, start: Array, end: Array, wavelength_m: float, radius_m: float
) -> Array:
    """P.526-15 section 4.5.1, in a frame in which the straight line between the ends of the ground is level."""
    t = np.linspace(0.0, 1.0, relief.shape[1] + 2)[1:-1]
    ground = relief + (distance * distance / (2.0 * radius_m))[:, None] * (t * (1.0 - t))
    rise_start = ((ground - start[:, None]) / t).max(axis=1)
    rise_end = ((ground - end[:, None]) / (1.0 - t)).max(axis=1)
    direct = end - start
    above = ground - (start[:, None] + direct[:, None] * t)
    nu_sight = (above / np.sqrt(t * (1.0 - t))).max(axis=1)
    hidden = rise_start >= direct
    slope_sum = np.where(hidden, rise_start + rise_end, 1.0)
    meet = np.clip(np.where(hidden, (direct + rise_end) / slope_sum, 0.5), 1e-9, 1.0 - 1e-9)
    nu_edge = (start + rise_start * meet - (start + direct * meet)) / np.sqrt(meet * (1.0 - meet))
    nu = np.where(hidden, nu_edge, nu_sight) * np.sqrt(2.0 / (wavelength_m * distance))
    edge_db = knife_edge_loss_db(nu)
    return np.asarray(edge_db + (1.0 - np.exp(-edge_db / 6.0)) * (10.0 + 0.02 * distance / 1e3))
