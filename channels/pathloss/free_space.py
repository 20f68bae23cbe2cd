"""Free-space loss: the floor below which no terrestrial model may fall."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .guards import LIGHT_SPEED_M_S, positive

Array = NDArray[Any]


def free_space_loss_db(distance_m: ArrayLike, frequency_hz: ArrayLike) -> Array:
    """Loss between isotropic antennas in free space.

    Parameters
    ----------
    distance_m : (n,)
        Between the antennas [m], positive.
    frequency_hz : scalar or (n,)
        Carrier [Hz], positive.

    Returns
    -------
    (n,) loss [dB], at least 0 (nearer than a twelfth of a wavelength there is no far field). Raises ValueError
    where distance or frequency is not positive.

    References
    ----------
    Recommendation ITU-R P.525-4 (20 log10 of 4 pi d over the wavelength).

    >>> round(float(free_space_loss_db(1000.0, 868e6)), 2)
    91.22
    """
    distance = positive("distance_m", distance_m)
    frequency = positive("frequency_hz", frequency_hz)
    return np.asarray(np.maximum(20.0 * np.log10(4.0 * np.pi * distance * frequency / LIGHT_SPEED_M_S), 0.0))
