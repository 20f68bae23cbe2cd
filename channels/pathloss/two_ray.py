"""Direct and ground-reflected ray over flat ground."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .free_space import free_space_loss_db
from .guards import LIGHT_SPEED_M_S, positive

Array = NDArray[Any]


def breakpoint_distance_m(first_height_m: ArrayLike, second_height_m: ArrayLike, *, frequency_hz: ArrayLike) -> Array:
    """Where the loss over flat ground turns from the square to the fourth power of distance.

    Parameters
    ----------
    first_height_m, second_height_m : (n,) antennas above ground [m], positive.
    frequency_hz : carrier [Hz], positive.

    Returns
    -------
    (n,) distance [m]: 4 h1 h2 over the wavelength. Raises ValueError where an input is not positive.

    References
    ----------
    Recommendation ITU-R P.1411-12, section 4.1 (breakpoint of the two-ray model).

    >>> round(float(breakpoint_distance_m(8.0, 1.5, frequency_hz=868e6)))
    139
    """
    wavelength_m = LIGHT_SPEED_M_S / positive("frequency_hz", frequency_hz)
    first, second = positive("first_height_m", first_height_m), positive("second_height_m", second_height_m)
    return np.asarray(4.0 * first * second / wavelength_m)


def two_ray_loss_db(
    distance_m: ArrayLike, *, first_height_m: ArrayLike, second_height_m: ArrayLike, frequency_hz: ArrayLike
) -> Array:
    """Envelope of the two-ray loss: free space up to the breakpoint, 40 dB per decade beyond.

    Parameters
    ----------
    distance_m : (n,) along the ground [m], positive.
    first_height_m, second_height_m : (n,) antennas above ground [m], positive.
    frequency_hz : carrier [Hz], positive.

    Returns
    -------
    (n,) loss [dB], never below free space. Raises ValueError where an input is not positive.

    References
    ----------
    Recommendation ITU-R P.1411-12, section 4.1; T. S. Rappaport, Wireless Communications, 2nd ed., section 4.6.
    """
    turn_m = breakpoint_distance_m(first_height_m, second_height_m, frequency_hz=frequency_hz)
    beyond_db = 20.0 * np.log10(np.maximum(positive("distance_m", distance_m) / turn_m, 1.0))
    return np.asarray(free_space_loss_db(distance_m, frequency_hz) + beyond_db)
