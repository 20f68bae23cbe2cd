"""Networks of one hop: which of the sites that a meter hears is its own."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def best_link(meter: Array, score: Array, tie_key: Array, allowed: Array, *, n_meters: int) -> Array:
    """Row of each meter's best allowed link.

    Parameters
    ----------
    meter : (n_links,) meter row of each link.
    score : (n_links,) larger is better, such as a margin [dB].
    tie_key : (n_links,) stable key of the other end; of equal scores the smaller key wins, whatever the row order.
    allowed : (n_links,) bool
    n_meters : number of meters.

    Returns
    -------
    (n_meters,) int64 row, -1 for none.
    """
    best = np.full(n_meters, -1, np.int64)
    rows = np.flatnonzero(allowed)
    rows = rows[np.lexsort((tie_key[rows], -score[rows], meter[rows]))]
    owner, first = np.unique(meter[rows], return_index=True)
    best[owner] = rows[first]
    return best


def taken(column: Array, row: Array, missing: float) -> Array:
    """``column[row]``, or ``missing`` where the row is -1; keeps whole numbers whole."""
    out = np.full(row.size, missing, np.result_type(column.dtype, np.int64))
    out[row >= 0] = column[row[row >= 0]]
    return out
