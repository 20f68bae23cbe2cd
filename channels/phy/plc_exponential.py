"""Kernels of the exponential effective SNR: one link at a time, single precision, sums that never under- or overflow.

Scratch arrays are padded with infinite SNR to whole lanes, so that loops need no tail; sums run in eight columns, a
fixed order: results do not depend on the processor's vector width. Divisions follow NumPy (no exception), rows are
slices: both keep the loops free of exits and let them be vectorised.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]

LANES = 16
COHERENT, IN_TIME, IN_FREQUENCY = range(3)
"""What a carrier is compared with: a reference, the symbol before, the carrier below. IN_FREQUENCY + 1, 2, 3: the same
without a code, by bits per symbol."""

_LN2 = float(np.log(2.0))
_HALF, _LEAST, _ONE = np.float32(0.5), np.float32(-126.0), np.float32(1.0)
_BIAS, _SHIFT, _ROOT_BITS = np.int32(127), np.int32(23), np.int32(np.array(np.sqrt(0.5), np.float32).view(np.int32))
# 2^f for -1 < f < 1: Taylor, centred so that the fraction stays within half; relative error below 3e-6
_E1, _E2, _E3, _E4, _E5 = (np.float32(_LN2**k / f) for k, f in ((1, 1), (2, 2), (3, 6), (4, 24), (5, 120)))

_I2, _I3, _I4, _I5 = (np.float32(1 / k) for k in (2, 3, 4, 5))
_L1, _L3, _L5, _L7 = (np.float32(2 / _LN2 / k) for k in (1, 3, 5, 7))


@njit(cache=True, nogil=True, error_model="numpy")
def padded(n_terms: int) -> int:  # pragma: no cover - compiled
    """Terms of a scratch array: whole lanes."""
    return -(-n_terms // LANES) * LANES


@njit(cache=True, nogil=True, error_model="numpy")
def least(snr: Array) -> Any:  # pragma: no cover - compiled
    """Smallest of powers that are 0 or more; as whole numbers, whose order is the same and whose minimum vectorises."""
    bits = snr.view(np.int32)
    smallest = bits[0]
    for j in range(bits.size):
        smallest = min(smallest, bits[j])
    return np.int32(smallest).view(np.float32)


@njit(cache=True, nogil=True, error_model="numpy")
def decays(snr: Array, per_beta: float, offset: float, out: Array) -> None:  # pragma: no cover - compiled
    """exp((offset - snr) / beta) of every term, ``per_beta`` = 1 / beta; offset at most the smallest SNR.

    Relative error below 6e-6; below 1e-38 it stays there.
    """
    factor = np.float32(per_beta / _LN2)
    start = np.float32(offset)
    for j in range(snr.size):
        power = max((start - snr[j]) * factor, _LEAST)
        whole = np.int32(power - _HALF)
        f = power - np.float32(whole)
        value = ((((_E5 * f + _E4) * f + _E3) * f + _E2) * f + _E1) * f + _ONE
        out[j] = value * np.int32((whole + _BIAS) << _SHIFT).view(np.float32)


@njit(cache=True, nogil=True, error_model="numpy")
def total(values: Array, n: int) -> float:  # pragma: no cover - compiled
    """Sum of the first n, in eight columns."""
    a0 = a1 = a2 = a3 = a4 = a5 = a6 = a7 = np.float32(0.0)
    whole = n - n % 8
    for j in range(0, whole, 8):
        a0 += values[j]
        a1 += values[j + 1]
        a2 += values[j + 2]
        a3 += values[j + 3]
        a4 += values[j + 4]
        a5 += values[j + 5]
        a6 += values[j + 6]
        a7 += values[j + 7]
    result = np.float64(((a0 + a4) + (a2 + a6)) + ((a1 + a5) + (a3 + a7)))
    for j in range(whole, n):
        result += values[j]
    return float(result)


@njit(cache=True, nogil=True, error_model="numpy")
def log2_terms(snr: Array, n_terms: int, out: Array) -> None:  # pragma: no cover - compiled
    """Logarithm to base 2 of the first terms, wrong by less than 1e-6; about -127 for none."""
    bits = snr.view(np.int32)
    for j in range(n_terms):
        whole = np.int32(np.int32(bits[j] - _ROOT_BITS) >> _SHIFT)
        m = np.int32(bits[j] - np.int32(whole << _SHIFT)).view(np.float32)
        s = (m - _ONE) / (m + _ONE)
        q = s * s
        out[j] = np.float32(whole) + s * (((_L7 * q + _L5) * q + _L3) * q + _L1)


@njit(cache=True, nogil=True, error_model="numpy")
def missing(snr: Array, per_beta: float, offset: float, out: Array) -> None:  # pragma: no cover - compiled
    """1 - exp(-snr / beta) of each term in place of its `decays`, wrong by less than 2e-5 of it; 0 of infinite ones."""
    factor, zero, limit = np.float32(per_beta), np.float32(0.0), np.float32(0.4)
    scale, endless = np.float32(np.exp(-offset * per_beta)), np.float32(np.inf)
    for j in range(snr.size):
        x = snr[j] * factor
        value = x * (_ONE - x * _I2 * (_ONE - x * _I3 * (_ONE - x * _I4 * (_ONE - x * _I5))))
        strong = _ONE - out[j] * scale if x < endless else zero
        out[j] = value if x < limit else strong


HOPELESS = -0.02
"""ln of a mean decay above which no waveform gets through, and single precision wants care."""


@njit(cache=True, nogil=True, error_model="numpy")
def log_mean_decay(snr: Array, n_terms: int, beta: float, work: Array) -> float:  # pragma: no cover - compiled
    """ln mean exp(-snr / beta) over ``n_terms`` of a padded array; the strongest term is taken out first."""
    smallest = np.float64(least(snr))
    decays(snr, 1.0 / beta, smallest, work)
    result = np.log(total(work, snr.size) / n_terms) - smallest / beta
    return float(small_log_decay(snr, n_terms, beta, smallest, work) if result > HOPELESS else result)


@njit(cache=True, nogil=True, error_model="numpy")
def small_log_decay(
    snr: Array, n_terms: int, beta: float, smallest: float, work: Array
) -> float:  # pragma: no cover - compiled
    """`log_mean_decay` where nearly nothing decays and single precision loses it beside 1; ``work`` holds `decays`."""
    missing(snr, 1.0 / beta, smallest, work)
    return float(np.log1p(-total(work, snr.size) / n_terms))


@njit(cache=True, nogil=True, error_model="numpy")
def with_erasures(log_decay: float, erasure_ratio: float) -> float:  # pragma: no cover - compiled
    """ln of the mean decay when a share of the symbols carries nothing (decay 1)."""
    if erasure_ratio <= 0.0:
        return log_decay
    if log_decay > -1.0:
        return float(np.log1p((1.0 - erasure_ratio) * np.expm1(log_decay)))
    return float(np.log((1.0 - erasure_ratio) * np.exp(log_decay) + erasure_ratio))


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def decibel(power: float) -> float:  # pragma: no cover - compiled
    """10 log10; -inf for none, and rounding below zero counts as none."""
    return 10.0 * np.log10(power) if power > 0.0 else -np.inf


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def flat_snr(seen: float, detector: int) -> float:  # pragma: no cover - compiled
    """SNR of flat carriers behind which the detector sees ``seen``."""
    return seen if detector == COHERENT else seen + np.sqrt(seen * seen + seen)


@njit(cache=True, nogil=True, error_model="numpy")
def detect(snr: Array, n_terms: int, n_carriers: int, detector: int, out: Array) -> None:  # pragma: no cover - compiled
    """SNR behind the detector, term by term; formulas with `plc_effective_snr.detected_snr`.

    snr, out : the first ``n_terms`` are rows of ``n_carriers``. In frequency the lowest carrier of a row bears nothing.
    """
    one, two = np.float32(1.0), np.float32(2.0)
    if detector == COHERENT:
        for j in range(n_terms):
            out[j] = snr[j]
        return
    if detector == IN_TIME:
        for j in range(n_terms):
            out[j] = snr[j] * (snr[j] / (two * snr[j] + one))
        return
    bits = detector - IN_FREQUENCY
    cosine = np.float32(np.cos(2 * np.pi / 2.0**bits))
    turn = np.float32(0.5 * (1 - np.cos(2 * np.pi / 2.0**bits)) / np.sin(np.pi / 2.0 ** (bits + 1)) ** 2)
    tiny, pi, half = np.float32(1e-30), np.float32(np.pi), np.float32(0.5)
    for start in range(0, n_terms, n_carriers):
        lower, upper = snr[start : start + n_carriers - 1], snr[start + 1 : start + n_carriers]
        here = out[start + 1 : start + n_carriers]
        out[start] = np.inf
        for j in range(n_carriers - 1):
            low, high = lower[j], upper[j]
            if bits == 0:
                here[j] = low / (low + high + one) * high
            elif bits == 1:
                weak, strong = min(low, high), max(low, high)
                here[j] = weak + half * np.log(one + pi * weak * (one - weak / max(strong, tiny)))
            else:
                apart = np.sqrt(low * low + high * high + two * low * high * cosine)
                here[j] = turn * high * (low / (low + high + apart + tiny))
