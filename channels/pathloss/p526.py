"""Diffraction over terrain: one edge, and Bullington's edge for a whole profile."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from .guards import LIGHT_SPEED_M_S, positive

Array = NDArray[Any]

EARTH_RADIUS_M = 6_371_000.0
_FLAT_SAMPLES = 33
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
    return _diffraction_db(
        terrain_m, distance_m, start_height_m, end_height_m, frequency_hz, earth_radius_factor, excess=False
    )


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
    return _diffraction_db(
        terrain_m, distance_m, start_height_m, end_height_m, frequency_hz, earth_radius_factor, excess=True
    )


def _diffraction_db(
    terrain_m: Array,
    distance_m: ArrayLike,
    start_height_m: ArrayLike,
    end_height_m: ArrayLike,
    frequency_hz: float,
    earth_radius_factor: float,
    *,
    excess: bool,
) -> Array:
    profile, distance = _checked(terrain_m, distance_m)
    if profile.shape[1] == 2 and excess:
        return np.zeros(distance.size)
    nu_to_one = np.sqrt(2.0 / (LIGHT_SPEED_M_S / float(positive("frequency_hz", frequency_hz)) * distance))
    radius_m = EARTH_RADIUS_M * float(positive("earth_radius_factor", earth_radius_factor))
    n_steps = profile.shape[1] - 1 if profile.shape[1] > 2 else _FLAT_SAMPLES - 1
    ends = (
        np.ascontiguousarray(np.broadcast_to(positive(name, height), distance.shape))
        for name, height in (("start_height_m", start_height_m), ("end_height_m", end_height_m))
    )
    kernel: Any = _losses_db
    return np.asarray(kernel(profile, distance, *ends, nu_to_one, radius_m, n_steps, excess))


def _checked(terrain_m: Array, distance_m: ArrayLike) -> tuple[Array, Array]:
    profile, distance = np.asarray(terrain_m), np.atleast_1d(positive("distance_m", distance_m))
    if profile.ndim != 2 or profile.shape[0] != distance.size or profile.shape[1] < 2:
        raise ValueError(f"terrain_m must have shape ({distance.size}, 2 or more), not {profile.shape}")
    if not np.isfinite(profile).all():
        raise ValueError("terrain_m must be finite; fill the voids of the elevation model first")
    return profile, distance


@njit(cache=True)
def _losses_db(
    profile: Array,
    distance: Array,
    start: Array,
    end: Array,
    nu_to_one: Array,
    radius_m: float,
    n_steps: int,
    excess: bool,
) -> Array:  # pragma: no cover - compiled
    """Per link the loss over its ground, or what that exceeds the loss over straight ground by."""
    t = np.arange(1, n_steps) / n_steps
    inverse = np.stack((1.0 / t, 1.0 / (1.0 - t), 1.0 / np.sqrt(t * (1.0 - t))))
    loss_db, relief = np.zeros(distance.size), np.zeros(t.size)
    for row in range(distance.size):
        highest = 0.0
        if profile.shape[1] > 2:
            first, last = np.float64(profile[row, 0]), np.float64(profile[row, n_steps])
            for k in range(t.size):
                relief[k] = np.float64(profile[row, k + 1]) - (first + (last - first) * t[k])
                highest = max(highest, abs(relief[k]))
        if excess and highest <= _FLAT_M:
            continue
        bulge_m = distance[row] * distance[row] / (2.0 * radius_m)
        ends = (start[row], end[row], bulge_m, distance[row], nu_to_one[row])
        loss_db[row] = _edge_loss_db(relief, 1.0, t, inverse, ends)
        if excess:
            loss_db[row] = max(loss_db[row] - _edge_loss_db(relief, 0.0, t, inverse, ends), 0.0)
    return loss_db


@njit(cache=True)
def _edge_loss_db(
    relief: Array, share: float, t: Array, inverse: Array, ends: tuple[float, float, float, float, float]
) -> float:  # pragma: no cover - compiled
    """P.526-15 section 4.5.1, in a frame in which the straight line between the ends of the ground is level.

    ``share`` of the relief stands on the bulge of the earth: 1 the ground as it is, 0 straight ground.
    """
    start, end, bulge_m, distance_m, nu_to_one = ends
    direct = end - start
    rise_start, rise_end, nu_sight = -np.inf, -np.inf, -np.inf
    for k in range(t.size):
        ground = share * relief[k] + bulge_m * (t[k] * (1.0 - t[k]))
        rise_start = max(rise_start, (ground - start) * inverse[0, k])
        rise_end = max(rise_end, (ground - end) * inverse[1, k])
        nu_sight = max(nu_sight, (ground - (start + direct * t[k])) * inverse[2, k])
    nu = nu_sight
    if rise_start >= direct:
        meet = min(max((direct + rise_end) / (rise_start + rise_end), 1e-9), 1.0 - 1e-9)
        nu = (rise_start - direct) * meet / np.sqrt(meet * (1.0 - meet))
    v = nu * nu_to_one - 0.1
    if v <= -0.88:
        return 0.0
    edge_db = max(6.9 + 20.0 * np.log10(np.sqrt(v * v + 1.0) + v), 0.0)
    return float(edge_db + (1.0 - np.exp(-edge_db / 6.0)) * (10.0 + 0.02 * distance_m / 1e3))
