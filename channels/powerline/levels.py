"""Mean levels in decibels of many powers at once, without a logarithm for each of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .lanes import kernel

Array = NDArray[Any]

DB_PER_OCTAVE, DB_PER_NEPER = 10 * math.log10(2), 10 / math.log(10)
ROOT_HALF, SHIFT, ZERO, CHUNK = np.int32(0x3F3504F3), np.int32(23), np.int32(0), 240
"""Bits of sqrt(1/2) in single precision; so many mantissas between 0.7 and 1.4 cannot leave the range of a float."""


@kernel
def scratch() -> Array:
    """What `level_sum_db` works in."""
    return np.empty(CHUNK, np.int32)


@kernel
def level_sum_db(power: Array, held: Array) -> float:
    """Sum of 10 log10 over a contiguous (n,) float32 array, not negative; zero counts as -382 dB.

    Exponents are added and mantissas multiplied, so that one logarithm serves a chunk; ``held`` see `scratch`.
    """
    bits, mantissa = power.view(np.int32), held.view(np.float32)
    octaves, start = 0.0, 0
    nepers = 0.0
    while start < bits.size:
        count, whole = min(CHUNK, bits.size - start), ZERO
        part = bits[start : start + count]
        for i in range(count):
            octave = (part[i] - ROOT_HALF) >> SHIFT
            whole += octave
            held[i] = part[i] - (octave << SHIFT)
        octaves += whole
        nepers += math.log(_product(mantissa, count))
        start += count
    return DB_PER_OCTAVE * octaves + DB_PER_NEPER * nepers


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc"})
def _product(mantissa: Array, count: int) -> float:
    """Product of the first numbers in any order: between 0.7 and 1.42 they lose nothing by it."""
    product = np.float32(1)
    for i in range(count):
        product *= mantissa[i]
    return np.float64(product)
