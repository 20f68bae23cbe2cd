"""The macro cell and the buildings in which cellular IoT was compared."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .guards import positive

Array = NDArray[Any]

SHADOWING_SIGMA_DB = 8.0
SITE_CORRELATION = 0.5

_WALL_SHARE = np.array([0.25, 0.65, 0.10])
_WALL_LOW_DB = np.array([4.0, 11.0, 19.0])
_WALL_HIGH_DB = np.array([11.0, 19.0, 23.0])
_INNER_SHARE = np.array([0.2833, 0.2827, 0.2840, 0.1500])


def macro_loss_db(distance_m: ArrayLike, *, frequency_hz: ArrayLike) -> Array:
    """Median macro-cell loss to a terminal at street level, outside the building.

    Parameters
    ----------
    distance_m : (n,)
        Cell to terminal [m], positive; the study used at least 35 m.
    frequency_hz : scalar or (n,)
        Carrier [Hz]; stated for 900 MHz, moved by 21 dB per decade of frequency as in the general macro formula of
        the same family of reports (confidence B), so use it between 700 MHz and 1 GHz.

    Returns
    -------
    (n,) loss [dB]. Raises ValueError where an input is not positive.

    References
    ----------
    3GPP TR 45.820 V13.1.0, annex D (120.9 + 37.6 log10 of km at 900 MHz); TR 25.942 section 4.5.2 for 21 log10 f.

    >>> round(float(macro_loss_db(1000.0, frequency_hz=900e6)), 1)
    120.9
    """
    f_log = np.log10(positive("frequency_hz", frequency_hz) / 900e6)
    return np.asarray(120.9 + 37.6 * np.log10(positive("distance_m", distance_m) / 1e3) + 21.0 * f_log)


def building_loss_db(uniforms: ArrayLike, *, floor: ArrayLike = 0) -> Array:
    """Loss into the building of a smart meter, first scenario.

    Parameters
    ----------
    uniforms : (n, 5) numbers in (0, 1), drawn once per meter
        Column 0 the class of the outer wall, 1 its loss within the class, 2 the number of inner walls, 3 the loss
        of an inner wall, 4 the depth inside.
    floor : scalar or (n,)
        Storeys above the ground floor, each worth 1.5 dB (confidence B).

    Returns
    -------
    (n,) loss [dB], mean 24.2 and standard deviation 8.0 on the ground floor. Raises ValueError where the columns
    are not five or lie outside 0 to 1.

    References
    ----------
    3GPP TR 45.820 V13.1.0, annex D.1 (p. 482), scenario 1: wall 4-11, 11-19, 19-23 dB at 25, 65 and 10 percent;
    inside the larger of p walls of 4-10 dB and 0.6 dB/m over 0-15 m, p = 0 to 3 at 28.33, 28.27, 28.4, 15 percent.

    >>> import numpy as np
    >>> float(building_loss_db(np.full((1, 5), 0.5))[0])
    22.0
    """
    u = np.asarray(uniforms, np.float64)
    if u.ndim != 2 or u.shape[1] != 5:
        raise ValueError(f"uniforms must have shape (n, 5), one row a meter, not {u.shape}")
    if ((u < 0.0) | (u > 1.0)).any():
        raise ValueError("uniforms must lie within 0 to 1")
    wall = np.minimum(np.searchsorted(np.cumsum(_WALL_SHARE), u[:, 0], side="right"), _WALL_SHARE.size - 1)
    wall_db = _WALL_LOW_DB[wall] + u[:, 1] * (_WALL_HIGH_DB - _WALL_LOW_DB)[wall]
    n_inner = np.minimum(np.searchsorted(np.cumsum(_INNER_SHARE), u[:, 2], side="right"), _INNER_SHARE.size - 1)
    inner_db = np.maximum(n_inner * (4.0 + 6.0 * u[:, 3]), 0.6 * 15.0 * u[:, 4])
    return np.asarray(np.maximum(wall_db + inner_db - 1.5 * np.asarray(floor, np.float64), 0.0))
