"""Slow fading: what the median does not know about one path, the same in both directions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..draws import Draws

Array = NDArray[Any]


def shadowing_db(
    draws: Draws,
    pair_keys: Array,
    sigma_db: ArrayLike,
    *,
    end_keys: Array | None = None,
    end_correlation: float = 0.0,
    purpose: str = "shadowing",
) -> Array:
    """Log-normal shadowing, one value per unordered pair and replication.

    Parameters
    ----------
    draws : draws of this replication.
    pair_keys : (n,) uint64
        `draws.pair_key` of the two ends: the same whichever end comes first, so both directions fade alike.
    sigma_db : scalar or (n,)
        Standard deviation [dB], at least 0.
    end_keys : (n,) uint64, optional
        Key of the end whose surroundings all of its links share, usually the meter.
    end_correlation
        Correlation between two links of the same end, 0 to 1; TR 45.820 uses 0.5 between sites (confidence B).
    purpose : name of the draw.

    Returns
    -------
    (n,) extra loss [dB], mean 0 and either sign. Raises ValueError for a negative sigma, or a correlation outside
    0 to 1 or without ``end_keys``.

    References
    ----------
    3GPP TR 45.820 V13.1.0, annex D (standard deviation 8 dB, correlation 0.5 between sites).
    """
    sigma = np.asarray(sigma_db, np.float64)
    if (sigma < 0.0).any() or not np.isfinite(sigma).all():
        raise ValueError("sigma_db must not be negative")
    if not 0.0 <= end_correlation <= 1.0:
        raise ValueError(f"end_correlation must lie within 0 to 1, not {end_correlation}")
    if end_correlation > 0.0 and end_keys is None:
        raise ValueError("end_correlation needs end_keys: say which end the links share")
    own = draws.normal(purpose, pair_keys)
    if end_keys is None:
        return np.asarray(sigma * own)
    unique, row = np.unique(end_keys, return_inverse=True)
    shared = draws.normal(f"{purpose} of the end", unique)[row]
    return np.asarray(sigma * (np.sqrt(end_correlation) * shared + np.sqrt(1.0 - end_correlation) * own))
