"""The convolutional code of the narrow-band power line families and its soft decision decoder."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]

GENERATORS = (0o171, 0o133)
"""Rate 1/2, constraint length 7, newest bit leftmost; after ITU-T G.9903 (10/2017) and ITU-T G.9904 (10/2012)."""
N_TAIL_BITS = 6
"""Zeros that bring the encoder back to state 0."""
N_STATES = 64


def _parity(value: Array) -> Array:
    return np.bitwise_count(value.astype(np.uint16)) & 1


# The register holds the newest bit above the state: leaving an even state 2j with a 0 sends these two bits. Both
# generators tap both ends, so leaving 2j + 1, or entering with a 1, sends the complement.
_SENT = np.stack([_parity(2 * np.arange(N_STATES // 2) & taps) for taps in GENERATORS])
_SIGN = (1 - 2.0 * _SENT).astype(np.float32)


def encode(bit: Array) -> Array:
    """Coded bits of every row, starting in state 0. Zero tail bits are the caller's.

    Parameters
    ----------
    bit : (n_frames, n_bits) of 0 and 1.

    Returns
    -------
    (n_frames, 2 n_bits) uint8, both outputs of a step side by side.

    >>> encode(np.array([[1, 0, 0, 0, 0, 0, 0]])).tolist()
    [[1, 1, 1, 0, 1, 1, 1, 1, 0, 0, 0, 1, 1, 1]]
    """
    n_frames, n_bits = bit.shape
    padded = np.zeros((n_frames, n_bits + N_TAIL_BITS), np.uint8)
    padded[:, N_TAIL_BITS:] = bit
    coded = np.zeros((n_frames, n_bits, 2), np.uint8)
    for output, taps in enumerate(GENERATORS):
        for delay in range(N_TAIL_BITS + 1):
            if taps >> (N_TAIL_BITS - delay) & 1:
                coded[:, :, output] ^= padded[:, N_TAIL_BITS - delay : N_TAIL_BITS - delay + n_bits]
    return coded.reshape(n_frames, 2 * n_bits)


def decode(soft: Array) -> Array:
    """Most likely bits after Viterbi: starts and ends in state 0.

    Parameters
    ----------
    soft : (n_frames, 2 n_bits) float32
        Log-likelihood ratios of the coded bits up to a common factor, positive where 0 is likelier.

    Returns
    -------
    (n_frames, n_bits) uint8, the last six (tail) 0. Raises ValueError where a row has an odd number of values or is
    shorter than the tail.

    References
    ----------
    A. J. Viterbi, IEEE Trans. Inf. Theory IT-13 (2), 1967, pp. 260-269.

    >>> sent = np.array([[1, 0, 1, 1, 0, 0, 0, 0, 0, 0]], np.uint8)
    >>> bool((decode(1 - 2.0 * encode(sent)) == sent).all())
    True
    """
    if soft.ndim != 2 or soft.shape[1] % 2 or soft.shape[1] < 2 * N_TAIL_BITS:
        raise ValueError(f"soft has shape {soft.shape}: give frames x two values per bit, six tail bits included")
    decided = np.empty((soft.shape[0], soft.shape[1] // 2), np.uint8)
    _viterbi(np.ascontiguousarray(soft, np.float32), _SIGN, decided)
    return decided


@njit(cache=True, nogil=True)  # type: ignore[misc]
def _viterbi(soft: Array, sign: Array, decided: Array) -> None:
    n_frames, n_bits = decided.shape
    half = N_STATES // 2
    from_odd = np.empty((n_bits, N_STATES), np.bool_)
    metric, best = np.empty(N_STATES, np.float32), np.empty(N_STATES, np.float32)
    for frame in range(n_frames):
        metric[:] = -1e9
        metric[0] = 0.0
        for step in range(n_bits):
            first, second = soft[frame, 2 * step], soft[frame, 2 * step + 1]
            taken = from_odd[step]
            for j in range(half):
                gain = sign[0, j] * first + sign[1, j] * second
                even, odd = metric[2 * j], metric[2 * j + 1]
                low_even, low_odd = even + gain, odd - gain
                high_even, high_odd = even - gain, odd + gain
                taken[j] = low_odd > low_even
                taken[half + j] = high_odd > high_even
                best[j] = low_odd if low_odd > low_even else low_even
                best[half + j] = high_odd if high_odd > high_even else high_even
            metric, best = best, metric
            if step % 64 == 63:  # only differences count: keep single precision fine
                metric -= metric[0]
        state = 0
        for step in range(n_bits - 1, -1, -1):
            decided[frame, step] = state >> 5
            state = 2 * (state & 31) + from_odd[step, state]
