"""Phases and amplitudes: bits to carriers and received carriers to soft bits, coherent or against a neighbour."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

AXIS = {"time": -2, "frequency": -1}
"""Axis along which a differential carrier refers to its neighbour, in (..., n_symbols, n_carriers)."""


def constellation(bits: int) -> Array:
    """Gray-mapped points of unit mean power; index = the carrier's bits, the first one highest.

    1 to 3 bits are 2, 4 or 8 phases from 0 on, 4 bits are square 16-QAM. Raises ValueError for other numbers of bits.

    >>> (np.angle(constellation(2)) / np.pi).round(3).tolist()
    [0.0, 0.5, -0.5, 1.0]
    """
    if bits not in (1, 2, 3, 4):
        raise ValueError(f"{bits} bits per carrier: 1, 2, 3 or 4 are defined")
    n = 1 << bits
    if bits == 4:
        level = np.array([-3, -1, 3, 1]) / np.sqrt(10)  # Gray: 00, 01, 11, 10 from left to right
        return np.asarray((level[np.arange(n) >> 2] + 1j * level[np.arange(n) & 3]).astype(np.complex64))
    gray = np.arange(n) ^ (np.arange(n) >> 1)
    point = np.empty(n, np.complex64)
    point[gray] = np.exp(2j * np.pi * np.arange(n) / n)
    return point


def modulate(bit: Array, bits: int, detection: str) -> Array:
    """Carriers of frames.

    Parameters
    ----------
    bit : (n_frames, n_symbols, n_carriers, bits) of 0 and 1
    detection : ``time``, ``frequency`` or ``coherent``

    Returns
    -------
    (n_frames, n_symbols, n_carriers) complex64 of unit mean power; with the reference symbol in front (``time``) or the
    reference carrier in front (``frequency``).
    """
    index = bit[..., 0].astype(np.intp)
    for place in range(1, bits):
        index = 2 * index + bit[..., place]
    if detection == "coherent":
        return constellation(bits)[index]
    # phases add up: exact in integers
    step = np.argsort(np.arange(1 << bits) ^ (np.arange(1 << bits) >> 1)).astype(np.uint8)[index]
    axis = AXIS[detection]
    start = np.zeros_like(np.take(step, [0], axis))
    phase = np.cumsum(np.concatenate([start, step], axis), axis, dtype=np.uint8) & ((1 << bits) - 1)
    circle = np.exp(2j * np.pi * np.arange(1 << bits) / (1 << bits)).astype(np.complex64)
    return np.asarray(circle[phase])


def pair_snr(first: Array, second: Array) -> Array:
    """SNR of the product of two neighbours, one conjugated: 1 / (1/a + 1/b + 1/(a b)), linear; 0 where one is dead.

    >>> float(pair_snr(np.array(2.0), np.array(2.0)))
    0.8
    """
    return np.asarray(first * second / (first + second + 1))


def flat_equivalent(pair: Array) -> Array:
    """SNR that two equal neighbours need to give this `pair_snr`, linear.

    >>> round(float(flat_equivalent(np.array(0.8))), 12)
    2.0
    """
    return np.asarray(pair + np.sqrt(pair * pair + pair))


def observe(received: Array, snr: Array, detection: str) -> tuple[Array, Array]:
    """What the demapper sees: one point per carrier and its SNR.

    Parameters
    ----------
    received : (n_frames, n_symbols, n_carriers) with the references of `modulate`, the sent amplitude being 1
    snr : same shape or broadcastable, linear

    Returns
    -------
    point, snr of the data carriers; differential products have the SNR of `pair_snr`.
    """
    if detection == "coherent":
        return received, snr
    axis = AXIS[detection]
    n = received.shape[axis]
    new = (..., slice(1, None), slice(None)) if axis == -2 else (..., slice(1, None))
    old = (..., slice(0, n - 1), slice(None)) if axis == -2 else (..., slice(0, n - 1))
    return received[new] * received[old].conj(), pair_snr(snr[new], snr[old])


def soft_bits(point: Array, snr: Array, bits: int) -> Array:
    """Log-likelihood ratios, largest terms only (max-log), positive where 0 is likelier.

    Noise around a point is taken as Gaussian with the given SNR, which is exact for coherent detection and matches mean
    and variance of a differential product.

    Parameters
    ----------
    point : (..., n_symbols, n_carriers) complex64
    snr : broadcastable to it, linear

    Returns
    -------
    (..., n_symbols, n_carriers, bits) float32

    >>> soft_bits(np.array([1.0 + 0.0j]), np.array([1.0]), 1).tolist()
    [[4.0]]
    """
    out = np.empty((*point.shape, bits), np.float32)
    weight = np.float32(2) * np.asarray(snr, np.float32)
    if bits == 1:
        out[..., 0] = 2 * weight * point.real
    elif bits == 2:  # square phases: two independent axes, turned by 45 degrees
        out[..., 0] = weight * (point.real + point.imag)
        out[..., 1] = weight * (point.real - point.imag)
    else:
        _largest_terms(point, weight, bits, out)
    return out


def _largest_terms(point: Array, weight: Array, bits: int, out: Array) -> None:
    """Any constellation: |point - corner|^2 without its common part, best corner with the bit 0 less best with 1."""
    best = np.full((bits, 2, *point.shape), -np.inf, np.float32)
    for index, corner in enumerate(constellation(bits)):
        closeness = point.real * corner.real
        closeness += point.imag * corner.imag
        closeness -= np.float32(abs(corner) ** 2 / 2)
        for place in range(bits):
            kept = best[place, index >> (bits - 1 - place) & 1]
            np.maximum(kept, closeness, out=kept)
    for place in range(bits):
        out[..., place] = weight * (best[place, 0] - best[place, 1])
