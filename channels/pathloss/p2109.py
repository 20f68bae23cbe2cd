"""What it costs to enter a building."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from .guards import positive, ratio

Array = NDArray[Any]

_COEFFICIENTS = {
    #               r      s      t     u     v    w     x     y    z      P.2109-1 table 1
    "traditional": (12.64, 3.72, 0.96, 9.6, 2.0, 9.1, -3.0, 4.5, -2.0),
    "efficient": (28.19, -3.00, 8.48, 13.5, 3.8, 27.8, -2.9, 9.4, -2.1),
}
BUILDING_CLASSES = tuple(_COEFFICIENTS)


def building_entry_loss_db(
    probability: ArrayLike,
    *,
    frequency_hz: ArrayLike,
    building_class: str = "traditional",
    elevation_deg: ArrayLike = 0.0,
) -> Array:
    """Loss into a building that is not exceeded with a given probability over buildings and places in them.

    Parameters
    ----------
    probability : (n,)
        0 to 1 excluded; 0.5 is the median. A uniform draw gives the whole distribution.
    frequency_hz : scalar or (n,)
        Carrier [Hz]; fitted for 80 MHz to 100 GHz.
    building_class : ``"traditional"`` or ``"efficient"`` (metallised glass, foil-backed panels).
    elevation_deg : scalar or (n,) angle of the path above the horizontal at the facade [degrees].

    Returns
    -------
    (n,) loss [dB]. Raises ValueError where the probability is not between 0 and 1, the frequency not positive or
    the class unknown.

    References
    ----------
    Recommendation ITU-R P.2109-1, table 1 (coefficients).

    >>> round(float(building_entry_loss_db(0.5, frequency_hz=868e6)), 1)
    14.2
    """
    if building_class not in _COEFFICIENTS:
        raise ValueError(f"building_class {building_class!r} is unknown; use one of {', '.join(BUILDING_CLASSES)}")
    r, s, t, u, v, w, x, y, z = _COEFFICIENTS[building_class]
    f_log = np.log10(positive("frequency_hz", frequency_hz) / 1e9)
    normal = ndtri(ratio("probability", probability))
    through_db = r + s * f_log + t * f_log**2 + 0.212 * np.abs(elevation_deg) + normal * (u + v * f_log)
    around_db = w + x * f_log + normal * (y + z * f_log)
    floor = 10.0 ** (0.1 * -3.0)
    return np.asarray(10.0 * np.log10(10.0 ** (0.1 * through_db) + 10.0 ** (0.1 * around_db) + floor))
