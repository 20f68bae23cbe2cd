"""One SNR for a frame whose carriers and symbols differ: flat noise of that SNR loses as many frames.

Coded over the frame: exponential mapping of the SNR behind the detector, over carriers and mains phases. Interleaved
over one symbol or four: the sum over the code's error paths within each block (`plc_error_paths`), then the product of
the blocks' successes. Without a code: the product over carriers and symbols.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from .plc_exponential import IN_FREQUENCY, detect, padded
from .plc_flat import (
    DETECTORS,
    frame_db,
)

Array = NDArray[Any]


def erasure_loss_db(threshold_db: float, beta: float, detection: str, erasure_ratio: float) -> float:
    """How much more SNR a frame needs to reach its threshold when some of its symbols carry nothing.

    Parameters
    ----------
    threshold_db
        Flat SNR needed without erasures [dB].
    beta, detection
        As in `effective_snr_db`.
    erasure_ratio
        Share of symbols lost, 0 to 1; compared with the symbol before, a lost one spoils two.

    Returns
    -------
    [dB], 0 or more; inf where so many are lost that no SNR is enough. With mean decay d(g) the frame needs
    (1 - e) d(g) + e = d(threshold); since d is the same function for every channel, this shift holds for all of them.

    >>> round(erasure_loss_db(2.0, 0.6, "time", 0.01), 2)
    0.12
    """
    check_share(erasure_ratio)
    lost = 1 - (1 - erasure_ratio) ** 2 if detection == "time" else erasure_ratio
    seen = float(detected_snr(10 ** (threshold_db / 10), detection))
    decay = (np.exp(-seen / beta) - lost) / (1 - lost) if lost < 1 else 0.0
    if decay <= 0:
        return float("inf")
    needed = -beta * np.log(decay)
    flat = needed if detection == "coherent" else needed + np.sqrt(needed * needed + needed)
    return float(10 * np.log10(flat) - threshold_db)


def detected_snr(snr: ArrayLike, detection: str, bits: int = 0) -> Array:
    """SNR behind the detector of each carrier; what the exponential mapping averages.

    Parameters
    ----------
    snr : (..., n_carriers) linear, 0 or more
    detection
        ``coherent``, ``time`` (compared with the symbol before) or ``frequency`` (with the carrier below).
    bits
        0 for coded waveforms; without a code the bits per symbol, 1 to 3 (in frequency only).

    Returns
    -------
    (..., n_carriers) linear, in frequency (..., n_carriers - 1). With a code the product of two noisy symbols,
    1 / (1/a + 1/b + 1/(a b)), which is half the SNR of strong flat carriers (`flat_snr` turns it round). Without a
    code the flat SNR of the same bit error ratio.

    Notes
    -----
    Without a code the nearest way to a wrong phase decides: (a + b - |a + b e^(2 j pi / M)|) / (4 sin^2(pi / 2M)) is
    from M = 4 on within 0.1 dB of the exact bit error ratio of unequal neighbours. Of two phases the weaker carrier
    decides: a + ln(1 + pi a (1 - a / b)) / 2, within 0.1 dB from a = 5 on.

    >>> detected_snr(np.array([4.0, 4.0, 1e9]), "frequency").round(2).tolist()
    [1.78, 4.0]
    """
    power = np.asarray(snr, np.float64)
    if detection == "coherent":
        return power
    low, high = (power, power) if detection == "time" else (power[..., :-1], power[..., 1:])
    if bits == 0:
        return np.asarray(low / (low + high + 1) * high)
    if bits == 1:
        weak, strong = np.minimum(low, high), np.maximum(low, high)
        return np.asarray(weak + 0.5 * np.log1p(np.pi * weak * (1 - weak / np.maximum(strong, 1e-30))))
    apart = np.abs(low + high * np.exp(2j * np.pi / 2**bits))
    product = 2 * low * high * (1 - np.cos(2 * np.pi / 2**bits))
    return np.asarray(product / (low + high + apart + 1e-30) / (4 * np.sin(np.pi / 2 ** (bits + 1)) ** 2))


def effective_snr_db(snr: ArrayLike, beta: float, detection: str, erasure_ratio: float = 0.0) -> Array:
    """Flat SNR that stands for a frame coded and interleaved as a whole: -beta ln mean exp(-p / beta), p detected.

    Parameters
    ----------
    snr : (n, ..., n_carriers) linear, 0 or more; all axes but the first are averaged alike
    beta
        Scale of the waveform (`plc_curves.scale`), positive.
    detection
        As in `detected_snr`.
    erasure_ratio
        Share of symbols that carry nothing, 0 to 1.

    Returns
    -------
    (n,) [dB]; -inf where every carrier is dead. Raises ValueError for a scale, share or detection out of range.

    References
    ----------
    Exponential effective SINR mapping (EESM), R1-030999, 3GPP TSG RAN WG1 #33, 2003; scales fitted per waveform.

    >>> flat = np.full((1, 8, 36), 4.0)
    >>> round(float(effective_snr_db(flat, 0.8, "time")[0]), 3)
    6.021
    """
    power = np.asarray(snr, np.float32)
    if not beta > 0:
        raise ValueError(f"a scale of {beta} maps no SNR; give a positive one")
    if detection not in DETECTORS:
        raise ValueError(f"detection {detection!r} is unknown; use one of {', '.join(DETECTORS)}")
    check_share(erasure_ratio)
    n_carriers = power.shape[-1]
    flat = np.ascontiguousarray(power.reshape(power.shape[0], -1))
    return np.asarray(_effective(flat, n_carriers, float(beta), DETECTORS[detection], float(erasure_ratio)))


def check_share(erasure_ratio: float) -> None:
    """Refuse a share of erased symbols outside 0 to 1."""
    if not 0 <= erasure_ratio <= 1:
        raise ValueError(f"erasure_ratio must lie between 0 and 1, not {erasure_ratio}")


@njit(cache=True, nogil=True, error_model="numpy")
def _effective(
    snr: Array, n_carriers: int, beta: float, detector: int, erasure_ratio: float
) -> Array:  # pragma: no cover - compiled
    """`effective_snr_db` row by row."""
    n_terms = snr.shape[1]
    n_data = n_terms - (n_terms // n_carriers if detector == IN_FREQUENCY else 0)
    terms = np.full(padded(n_terms), np.float32(np.inf))
    work, out = np.empty_like(terms), np.empty(snr.shape[0])
    for i in range(snr.shape[0]):
        detect(snr[i], n_terms, n_carriers, detector, terms)
        out[i] = frame_db(terms, n_data, beta, detector, erasure_ratio, work)
    return out
