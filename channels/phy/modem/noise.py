"""Noise on the carriers of frames, in units of its Gaussian part, and what of it the receiver knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Shape = tuple[int, int, int]
Noise = Callable[[np.random.Generator, Shape], tuple[Array, Array]]
"""(generator, (n_frames, n_symbols, n_carriers)) -> noise, complex64, Gaussian part of mean power 1; and the power the
receiver reckons with, broadcastable to it."""

MAX_IMPULSES = 32
"""Interfering impulses at once beyond which the Poisson tail of class A is dropped (A at most 1)."""


def gaussian(random: np.random.Generator, shape: Shape) -> tuple[Array, Array]:
    """White Gaussian noise of power 1, known to the receiver."""
    pairs = random.standard_normal((*shape, 2), np.float32)
    pairs *= np.float32(np.sqrt(0.5))
    return pairs.view(np.complex64)[..., 0], np.ones((1, 1, 1), np.float32)


def class_a_samples(random: np.random.Generator, n: tuple[int, ...], overlap: float, gaussian_ratio: float) -> Array:
    """Real samples of Middleton's class A noise, Gaussian part of variance 1.

    Parameters
    ----------
    overlap : A, mean number of impulses at a time, positive and at most 1
    gaussian_ratio : Gamma, power of the Gaussian part to that of the impulses, positive

    Returns
    -------
    n float32 with mean power 1 + 1/Gamma: m impulses, Poisson with mean A, add m / (A Gamma). Raises ValueError
    outside the ranges.

    References
    ----------
    D. Middleton, IEEE Trans. Electromagn. Compat. EMC-19 (3), 1977, pp. 106-127, class A.
    """
    if not 0 < overlap <= 1 or not gaussian_ratio > 0:
        raise ValueError(f"class A with A = {overlap}, Gamma = {gaussian_ratio}: A lies above 0 up to 1, Gamma above 0")
    count = np.arange(MAX_IMPULSES)
    chance = np.cumsum(np.exp(-overlap) * np.cumprod(np.append(1.0, overlap / count[1:])))
    impulses = np.searchsorted(chance, random.random(n), side="right")
    sigma = np.sqrt(1 + impulses / (overlap * gaussian_ratio))
    return np.asarray(random.standard_normal(n, np.float32) * sigma, np.float32)


def class_a(overlap: float, gaussian_ratio: float, *, n_fft: int, first_bin: int) -> Noise:
    """Class A noise in time, seen through the receiver's transform; the receiver knows its mean power.

    Parameters
    ----------
    overlap, gaussian_ratio : as in `class_a_samples`, per sample at the transform's input
    n_fft : real samples per symbol; first_bin : bin of the first carrier
    """

    def noise(random: np.random.Generator, shape: Shape) -> tuple[Array, Array]:
        samples = class_a_samples(random, (*shape[:2], n_fft), overlap, gaussian_ratio)
        bins = np.fft.rfft(samples)[..., first_bin : first_bin + shape[2]] / np.sqrt(n_fft)
        return bins.astype(np.complex64), np.full((1, 1, 1), 1 + 1 / gaussian_ratio, np.float32)

    return noise


def bursts(hit_ratio: float, rise_db: float) -> Noise:
    """Rare impulses that fill a symbol: each symbol is hit by itself, its noise then rises and the receiver sees it.

    Parameters
    ----------
    hit_ratio : share of symbols hit, 0 to 1
    rise_db : power of a hit symbol's noise over the Gaussian part
    """
    if not 0 <= hit_ratio <= 1:
        raise ValueError(f"hit_ratio = {hit_ratio} is a share of symbols: 0 to 1")

    def noise(random: np.random.Generator, shape: Shape) -> tuple[Array, Array]:
        quiet, _ = gaussian(random, shape)
        power = np.where(random.random((*shape[:2], 1)) < hit_ratio, 10 ** (rise_db / 10), 1.0).astype(np.float32)
        return quiet * np.sqrt(power), power

    return noise
