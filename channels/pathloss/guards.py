"""What every loss model refuses: lengths, heights and frequencies that no antenna can have."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]

LIGHT_SPEED_M_S = 299_792_458.0


def positive(name: str, values: ArrayLike) -> Array:
    """``values`` as float64, all finite and above 0.

    Raises ValueError naming the quantity, the first culprit row and its value.
    """
    column = np.asarray(values, dtype=np.float64)
    bad = ~(np.isfinite(column) & (column > 0.0))
    if bad.any():
        raise ValueError(f"{name} must be positive and finite: {_culprit(column, bad)}")
    return column


def ratio(name: str, values: ArrayLike) -> Array:
    """``values`` as float64, all strictly between 0 and 1.

    Raises ValueError naming the quantity, the first culprit row and its value.
    """
    column = np.asarray(values, dtype=np.float64)
    bad = ~((column > 0.0) & (column < 1.0))
    if bad.any():
        raise ValueError(f"{name} must lie between 0 and 1, both excluded: {_culprit(column, bad)}")
    return column


def coded(name: str, codes: ArrayLike, n_codes: int) -> Array:
    """``codes`` as an integer column within ``0 .. n_codes - 1``.

    Raises ValueError naming the quantity, the first culprit row and its value.
    """
    column = np.asarray(codes)
    if not np.issubdtype(column.dtype, np.integer):
        raise ValueError(f"{name} must be whole codes 0 to {n_codes - 1}, not {column.dtype}")
    bad = (column < 0) | (column >= n_codes)
    if bad.any():
        raise ValueError(f"{name} must be a code from 0 to {n_codes - 1}: {_culprit(column, bad)}")
    return column


def _culprit(column: Array, bad: Array) -> str:
    row = int(np.flatnonzero(np.ravel(bad))[0])
    return f"row {row} is {np.ravel(column)[row]} ({int(bad.sum())} such)"
