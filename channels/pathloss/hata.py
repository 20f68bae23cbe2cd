"""Macro cells after Okumura and Hata: an elevated site, a low terminal, surroundings as a class."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .guards import coded, positive

Array = NDArray[Any]

ENVIRONMENTS = ("open", "suburban", "urban")

_OF_CLUTTER = np.array([0, 1, 2, 1, 2, 0], np.int8)
"""Environment of each ``Clutter`` code: open, suburban, urban, trees as suburban (a choice of ours, confidence C),
dense as urban, water as open."""


def hata_loss_db(
    distance_m: ArrayLike,
    *,
    frequency_hz: ArrayLike,
    site_height_m: ArrayLike,
    meter_height_m: ArrayLike,
    environment: ArrayLike | str,
) -> Array:
    """Median path loss between an elevated site and a low terminal, terminal clutter included.

    Parameters
    ----------
    distance_m : (n,)
        Site to meter along the ground [m]; fitted for 1-20 km.
    frequency_hz, site_height_m, meter_height_m : scalar or (n,)
        Carrier [Hz], antennas above ground [m]; fitted for 150-1500 MHz, 30-200 m, 1-10 m (`hata_in_range` tells).
    environment : str or (n,) integer
        ``"open"``, ``"suburban"`` or ``"urban"`` (small or medium city), or ``Clutter`` codes of the terminal.

    Returns
    -------
    (n,) path loss [dB]. Outside the fitted range the formula is continued as it is, and near the site it falls
    below free space: callers bound it. Raises ValueError where distance, frequency or height is not positive or
    the environment is unknown.

    References
    ----------
    M. Hata, IEEE Trans. Veh. Technol. VT-29 (3), 1980, pp. 317-325 (urban, small-city correction, suburban, open).

    >>> loss = hata_loss_db(1000.0, frequency_hz=868e6, site_height_m=30.0, meter_height_m=1.5, environment="urban")
    >>> round(float(loss), 2)
    125.99
    """
    f_log = np.log10(positive("frequency_hz", frequency_hz) / 1e6)
    d_log = np.log10(positive("distance_m", distance_m) / 1e3)
    b_log = np.log10(positive("site_height_m", site_height_m))
    h_m = positive("meter_height_m", meter_height_m)
    terminal_db = (1.1 * f_log - 0.7) * h_m - (1.56 * f_log - 0.8)
    urban_db = 69.55 + 26.16 * f_log - 13.82 * b_log - terminal_db + (44.9 - 6.55 * b_log) * d_log
    suburban_gain_db = 2.0 * (f_log - np.log10(28.0)) ** 2 + 5.4
    open_gain_db = 4.78 * f_log**2 - 18.33 * f_log + 40.94
    code = environment_code(environment)
    gain_db = np.where(code == 2, 0.0, np.where(code == 1, suburban_gain_db, open_gain_db))
    return np.asarray(urban_db - gain_db)


def environment_code(environment: ArrayLike | str) -> Array:
    """Index into ``ENVIRONMENTS`` of a name, or of each ``Clutter`` code.

    Raises ValueError for a name or a code that does not exist.
    """
    if isinstance(environment, str):
        if environment not in ENVIRONMENTS:
            raise ValueError(f"environment {environment!r} is unknown; use one of {', '.join(ENVIRONMENTS)}")
        return np.asarray(ENVIRONMENTS.index(environment))
    return np.asarray(_OF_CLUTTER[coded("environment", environment, _OF_CLUTTER.size)])


def hata_in_range(
    distance_m: ArrayLike, *, frequency_hz: ArrayLike, site_height_m: ArrayLike, meter_height_m: ArrayLike
) -> Array:
    """Whether each link lies within what Hata fitted.

    Parameters
    ----------
    distance_m, frequency_hz, site_height_m, meter_height_m : as in `hata_loss_db`.

    Returns
    -------
    (n,) bool: 1-20 km, 150-1500 MHz, site 30-200 m, meter 1-10 m.

    References
    ----------
    M. Hata, IEEE Trans. Veh. Technol. VT-29 (3), 1980, abstract and table of ranges.
    """
    return np.asarray(
        _within(distance_m, 1e3, 20e3)
        & _within(frequency_hz, 150e6, 1500e6)
        & _within(site_height_m, 30.0, 200.0)
        & _within(meter_height_m, 1.0, 10.0)
    )


def _within(values: ArrayLike, lowest: float, highest: float) -> Array:
    column = np.asarray(values, np.float64)
    return np.asarray((column >= lowest) & (column <= highest))
