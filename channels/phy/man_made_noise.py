"""What people add to the noise of a receiver below 1 GHz."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_KIND = np.array([0, 1, 2, 0, 2, 0], np.int8)
"""Column of each ``Clutter`` code: open, suburban, urban; trees and water as open, dense as urban (choice, C)."""


def man_made_noise_db(clutter: Array, *, open_db: float, suburban_db: float, urban_db: float) -> Array:
    """Man-made noise and short-range devices over the receiver's own noise, by its surroundings.

    Parameters
    ----------
    clutter : (n,) ``Clutter`` codes of the receivers.
    open_db, suburban_db, urban_db : what is added [dB]; no standard covers licence-free bands (confidence C).

    Returns
    -------
    (n,) [dB].
    """
    return np.asarray(np.array([open_db, suburban_db, urban_db])[_KIND[clutter]])
