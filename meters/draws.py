"""Random numbers of the meters: a hash of seed, purpose, stable key and index, never of the order of rows."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def _mix(values: Array) -> Array:
    """SplitMix64 finaliser: G. L. Steele, D. Lea, C. H. Flood, OOPSLA 2014, fig. 17."""
    with np.errstate(over="ignore"):
        z = values + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(z ^ (z >> np.uint64(31)))


def uniforms(seed: int, purpose: str, keys: Array, index: Array | int = 0) -> Array:
    """Numbers in (0, 1) for each key and index.

    Parameters
    ----------
    keys : (n,) uint64 stable keys, or any shape that broadcasts with ``index``
    index : what is counted within a key, such as intervals; an int or uint64 array

    Returns
    -------
    float64 of the broadcast shape.
    """
    stream = np.uint64(int.from_bytes(hashlib.blake2b(f"{seed}/{purpose}".encode(), digest_size=8).digest(), "little"))
    bits = _mix(_mix(np.asarray(keys, np.uint64) ^ stream) ^ np.asarray(index, np.uint64))
    return ((bits >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
