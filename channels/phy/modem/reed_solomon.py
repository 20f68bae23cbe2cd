"""Shortened Reed-Solomon codes over GF(256): systematic encoder and bounded-distance decoder."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]

FIELD_POLYNOMIAL = 0x11D
"""x^8 + x^4 + x^3 + x^2 + 1; the generator's roots are alpha^1 ... alpha^parity. After ITU-T G.9903 (B)."""
MAX_BYTES = 255


def _field() -> tuple[Array, Array]:
    power, log = np.zeros(512, np.uint8), np.zeros(256, np.int64)
    value = 1
    for exponent in range(MAX_BYTES):
        power[exponent] = power[exponent + MAX_BYTES] = value
        log[value] = exponent
        value = (value << 1) ^ (FIELD_POLYNOMIAL if value & 0x80 else 0)
    return power, log


_POWER, _LOG = _field()


def _generator(parity_bytes: int) -> Array:
    """Coefficients of the product of (x - alpha^i), i = 1 ... parity, highest first."""
    coefficient: Array = np.ones(1, np.uint8)
    for root in range(1, parity_bytes + 1):
        scaled = np.where(coefficient > 0, _POWER[_LOG[coefficient] + root], 0)
        coefficient = np.bitwise_xor(np.append(coefficient, 0), np.append(0, scaled)).astype(np.uint8)
    return coefficient


def encode(message: Array, parity_bytes: int) -> Array:
    """Message with its parity bytes behind it.

    Parameters
    ----------
    message : (n_words, n_bytes) uint8, at most 255 - parity_bytes long.
    parity_bytes : even; half of it is the number of byte errors that can be mended.

    Returns
    -------
    (n_words, n_bytes + parity_bytes) uint8. Raises ValueError where the word would exceed 255 bytes.

    >>> encode(np.array([[1, 2, 3]], np.uint8), 4).tolist()
    [[1, 2, 3, 199, 28, 21, 28]]
    """
    _check(message.shape[-1] + parity_bytes, parity_bytes)
    word = np.zeros((message.shape[0], message.shape[1] + parity_bytes), np.uint8)
    word[:, : message.shape[1]] = message
    _divide(word, _LOG[_generator(parity_bytes)], _POWER, _LOG)
    word[:, : message.shape[1]] = message
    return word


def decode(word: Array, parity_bytes: int) -> tuple[Array, Array]:
    """Words with up to parity_bytes / 2 wrong bytes mended.

    Parameters
    ----------
    word : (n_words, n_bytes) uint8, parity included.

    Returns
    -------
    word : (n_words, n_bytes) uint8, mended; as received where the decoder gives up.
    n_mended : (n_words,) bytes changed, -1 where more are wrong than can be mended and this is noticed.

    References
    ----------
    J. L. Massey, IEEE Trans. Inf. Theory IT-15 (1), 1969, pp. 122-127; G. D. Forney, IT-11 (4), 1965, pp. 549-557.
    """
    _check(word.shape[-1], parity_bytes)
    mended = np.array(word, np.uint8, ndmin=2)
    n_mended = np.empty(mended.shape[0], np.int64)
    for row in range(mended.shape[0]):
        n_mended[row] = _mend(mended[row], parity_bytes, _POWER, _LOG)
    return mended, n_mended


def is_mended(n_wrong_bytes: Array, parity_bytes: int) -> Array:
    """Whether `decode` returns what was sent, from the number of wrong bytes alone.

    Exact, not an approximation: a bounded-distance decoder returns the sent word if and only if it lies within half the
    parity of the received one; everything else is a failure or another word, hence a lost frame.
    """
    return np.asarray(n_wrong_bytes) <= parity_bytes // 2


def _check(n_bytes: int, parity_bytes: int) -> None:
    if parity_bytes % 2 or not 0 < parity_bytes < n_bytes <= MAX_BYTES:
        raise ValueError(
            f"a Reed-Solomon word of {n_bytes} bytes with {parity_bytes} parity bytes is impossible: "
            "at most 255 bytes, an even number of parity bytes"
        )


@njit(cache=True, nogil=True)  # type: ignore[misc]
def _divide(word: Array, generator_log: Array, power: Array, log: Array) -> None:
    n_words, n_bytes = word.shape
    n_parity = generator_log.size - 1
    for row in range(n_words):
        for place in range(n_bytes - n_parity):
            lead = word[row, place]
            if lead:
                for k in range(1, n_parity + 1):
                    word[row, place + k] ^= power[log[lead] + generator_log[k]]


@njit(cache=True, nogil=True)  # type: ignore[misc]
def _product(a: int, b: int, power: Array, log: Array) -> int:
    if a == 0 or b == 0:
        return 0
    return int(power[log[a] + log[b]])


@njit(cache=True, nogil=True)  # type: ignore[misc]
def _value_at(coefficient: Array, exponent: int, power: Array, log: Array) -> int:
    """Polynomial, lowest coefficient first, at alpha^exponent."""
    total = 0
    for k in range(coefficient.size):
        if coefficient[k]:
            total ^= int(power[(log[coefficient[k]] + k * exponent) % 255])
    return total


@njit(cache=True, nogil=True)  # type: ignore[misc]
def _locator(syndrome: Array, power: Array, log: Array) -> tuple[Array, int]:
    """Berlekamp and Massey: shortest register that generates the syndromes, and its length."""
    n = syndrome.size
    locator, old = np.zeros(n + 1, np.uint8), np.zeros(n + 1, np.uint8)
    locator[0] = old[0] = 1
    length, gap, old_discrepancy = 0, 1, 1
    for step in range(n):
        discrepancy = int(syndrome[step])
        for k in range(1, length + 1):
            discrepancy ^= _product(locator[k], syndrome[step - k], power, log)
        if discrepancy == 0:
            gap += 1
            continue
        kept = locator.copy()
        scale = int(power[(log[discrepancy] - log[old_discrepancy]) % 255])
        for k in range(n + 1 - gap):
            locator[k + gap] ^= _product(scale, old[k], power, log)
        if 2 * length <= step:
            length, old, old_discrepancy, gap = step + 1 - length, kept, discrepancy, 1
        else:
            gap += 1
    return locator, length


@njit(cache=True, nogil=True)  # type: ignore[misc]
def _mend(word: Array, n_parity: int, power: Array, log: Array) -> int:
    n_bytes = word.size
    syndrome = np.zeros(n_parity, np.uint8)
    for root in range(n_parity):
        syndrome[root] = _value_at(word[::-1], root + 1, power, log)
    if not syndrome.any():
        return 0
    locator, n_wrong = _locator(syndrome, power, log)
    if n_wrong > n_parity // 2:
        return -1
    evaluator = np.zeros(n_parity, np.uint8)
    for k in range(n_parity):
        for i in range(k + 1):
            evaluator[k] ^= _product(locator[i], syndrome[k - i], power, log)
    slope = np.zeros(n_parity, np.uint8)  # formal derivative: odd coefficients, one place down
    slope[::2] = locator[1::2][: n_parity // 2]
    places, values = np.empty(n_wrong, np.int64), np.empty(n_wrong, np.uint8)
    found = 0
    for degree in range(n_bytes):
        if _value_at(locator, -degree, power, log) == 0:
            above, below = _value_at(evaluator, -degree, power, log), _value_at(slope, -degree, power, log)
            if found == n_wrong or above == 0 or below == 0:
                return -1
            places[found], values[found] = n_bytes - 1 - degree, power[(log[above] - log[below]) % 255]
            found += 1
    if found < n_wrong:
        return -1
    for k in range(n_wrong):
        word[places[k]] ^= values[k]
    return n_wrong
