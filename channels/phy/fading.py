"""Fast fading: how often a link of known mean margin falls through its threshold."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chndtr

Array = NDArray[Any]

_STILL_K_DB = 40.0


def rice_success(margin_db: ArrayLike, *, rice_k_db: float) -> Array:
    """Probability that a fading link stands above its threshold.

    Parameters
    ----------
    margin_db : (n,)
        Mean power over the threshold [dB]; -inf for none.
    rice_k_db : power of the steady path over that of the scattered ones [dB]; very negative is Rayleigh fading,
        above 40 dB the link counts as still.

    Returns
    -------
    (n,) 0 to 1. Raises ValueError where the K factor is not a number.

    References
    ----------
    S. O. Rice, 1948; J. G. Proakis, Digital Communications, 4th ed. (non-central chi-square).

    >>> round(float(rice_success(9.8, rice_k_db=-60.0)), 2)
    0.9
    """
    if np.isnan(rice_k_db):
        raise ValueError("rice_k_db must be a number")
    margin = np.asarray(margin_db, np.float64)
    if rice_k_db > _STILL_K_DB:
        return np.asarray((margin >= 0.0).astype(np.float64))
    k = 10.0 ** (0.1 * rice_k_db)
    threshold = 10.0 ** (-0.1 * np.clip(margin, -60.0, 200.0))
    return np.asarray(np.clip(1.0 - chndtr(2.0 * (k + 1.0) * threshold, 2.0, 2.0 * k), 0.0, 1.0))
