"""One effective SNR for many carriers: the exponential mapping, over carriers, sub-bands and the mains cycle."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

SMALL_DECAY = 1e-4
"""Mean of snr / beta below which the exponential mean is taken as linear; wrong by less than 0.01 dB."""


def log_mean_decay(snr: Array, beta: float, share: Array, noise: Array) -> Array:
    """ln mean exp(-snr / beta) over the last axis and over the regions of the mains cycle.

    Parameters
    ----------
    snr : (..., n_carriers) linear, cycle mean noise
    beta
        Scale of the mapping, positive.
    share, noise : (n_regions,) share of time and noise power relative to the cycle mean.

    Returns
    -------
    (...,) natural logarithm, never underflowing: the strongest term is taken out first.
    """
    # carriers first: minima and sums then run over long columns
    scaled = np.ascontiguousarray(np.moveaxis(snr, -1, 0)) * np.float32(1 / (beta * noise.max()))
    least = scaled.min(axis=0)
    total = np.zeros_like(least)
    for weight, power in zip(share, noise, strict=True):
        exponent = scaled * np.float32(-noise.max() / power)
        exponent += least
        total += np.float32(weight / snr.shape[-1]) * np.exp(exponent, out=exponent).sum(axis=0)
    # where nearly nothing decays, the logarithm is the mean itself; single precision would lose it beside 1
    mean = scaled.mean(axis=0) * np.float32(np.sum(share * noise.max() / noise))
    return np.asarray(np.where(mean < SMALL_DECAY, -mean, np.log(total) - least))


def effective_snr_db(snr: Array, beta: float, share: Array, noise: Array) -> Array:
    """Effective SNR over all carriers: -beta ln mean exp(-snr / beta) [dB].

    Parameters as in `log_mean_decay`. Returns (...,) [dB]; -inf where every carrier is dead.

    References
    ----------
    Exponential effective SINR mapping (EESM), R1-030999, 3GPP TSG RAN WG1 #33, 2003; for narrow-band power line
    modems the scale is fitted per mode.

    >>> flat = np.full((1, 36), 4.0)
    >>> round(float(effective_snr_db(flat, 2.8, np.ones(1), np.ones(1))[0]), 3)
    6.021
    """
    return decibel(-beta * log_mean_decay(snr, beta, share, noise))


def best_subbands_snr_db(snr: Array, n_subbands: int, beta: float, share: Array, noise: Array) -> Array:
    """Effective SNR on the best 1, 2, ... sub-bands of the tone map.

    Parameters
    ----------
    snr : (n, n_carriers) linear; neighbouring carriers form ``n_subbands`` groups of equal size.

    Returns
    -------
    (n, n_subbands) [dB]; column k - 1 uses the k best sub-bands, so columns never rise.
    """
    groups = snr.reshape(snr.shape[0], n_subbands, snr.shape[1] // n_subbands)
    ranked = np.sort(log_mean_decay(groups, beta, share, noise), axis=1)
    summed, total = ranked.copy(), np.ones(snr.shape[0], ranked.dtype)
    for k in range(1, n_subbands):
        # ln of a growing sum of exponentials, the newest term the largest
        total = 1 + total * np.exp(ranked[:, k - 1] - ranked[:, k])
        summed[:, k] += np.log(total)
    return decibel(-beta * (summed - np.log(np.arange(1, n_subbands + 1))))


def decibel(power: Array) -> Array:
    """10 log10 of powers; -inf dB for none, and rounding below zero counts as none."""
    with np.errstate(divide="ignore"):
        return np.asarray(10 * np.log10(np.maximum(power, 0.0)), dtype=np.float64)
