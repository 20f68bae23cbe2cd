"""Where the coded bits of a frame are sent: which symbol, carrier and bit of the constellation."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

PAYLOAD_ROWS, HEADER_ROWS = 8, 7
"""Rows of PRIME's block interleaver for 1 bit per carrier, twice as many for 2 and 3 bits: coded bit k is sent at place
(n / s) (k mod s) + floor(k / s) of n = 96 bits per carrier, s = 8 (1 + floor(bits / 2)), 84 and 7 in the header; after
ITU-T G.9904 (10/2012), interleaver of the physical layer (B)."""
HEADER_CARRIERS = 84
SEED = 9903


@lru_cache(maxsize=64)
def frame_order(n_sent: int) -> Array:
    """Place of every repeated bit in a frame, a fixed permutation of all of them.

    Stands for the two-dimensional interleaver over symbols and carriers of ITU-T G.9903: both spread neighbours and
    copies over the whole frame. Its own shifts are not reproduced.

    Returns
    -------
    (n_sent,) int64, the same at every call.
    """
    return np.random.default_rng([SEED, n_sent]).permutation(n_sent)


@lru_cache(maxsize=64)
def symbol_order(n_carriers: int, bits: int) -> Array:
    """Place of every coded bit within one symbol: written by rows, sent by columns.

    Parameters
    ----------
    n_carriers, bits : data carriers, bits of each; where rows do not come out even, the last one stays short

    Returns
    -------
    (n_carriers * bits,) int64. Place p is bit p % bits of carrier p // bits.

    >>> symbol_order(96, 1)[:4].tolist()
    [0, 12, 24, 36]
    """
    n_bits = n_carriers * bits
    n_rows = (PAYLOAD_ROWS if n_carriers % HEADER_CARRIERS else HEADER_ROWS) * (1 + bits // 2)
    order = np.arange(-(-n_bits // n_rows) * n_rows).reshape(n_rows, -1).T.ravel()
    return order[order < n_bits]


def symbol_blocks(n_sent: int, n_carriers: int, bits: int, repetition: int) -> Array:
    """Places of every coded bit and copy where a symbol is interleaved by itself, copies in symbols of their own.

    Copy c of a block stands in the block's symbol c, shifted round the symbol by c / repetition of its carriers.

    Parameters
    ----------
    n_sent : coded bits times copies, a whole number of blocks.

    Returns
    -------
    (n_sent / repetition, repetition) int64, places as in `symbol_order`, symbol after symbol.
    """
    n_bits = n_carriers * bits
    order = symbol_order(n_carriers, bits)
    shift = np.arange(repetition) * (n_carriers // repetition) * bits
    within = (order[:, None] + shift) % n_bits + np.arange(repetition) * n_bits
    start = np.arange(0, n_sent, n_bits * repetition)
    return (start[:, None, None] + within).reshape(-1, repetition)
