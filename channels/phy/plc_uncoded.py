"""Bit errors of differential phase modulation without a code: exact, also where the two symbols differ in strength."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(256)


def phase_error_ratio(angle: float, snr: ArrayLike, other: ArrayLike | None = None) -> Array:
    """Probability that the measured phase step is wrong by more than an angle.

    Parameters
    ----------
    angle
        [rad], above 0 and below pi.
    snr, other : (...)
        Es/N0 of the two symbols whose phases are compared, linear, 0 or more; ``other`` is ``snr`` unless given.

    Returns
    -------
    (...,) 0 to 1.

    References
    ----------
    R. F. Pawula, S. O. Rice, J. H. Roberts, IEEE Trans. Commun. 30 (8), 1982, distribution of the phase angle between
    two vectors perturbed by Gaussian noise, for uncorrelated noise. At a right angle between equals: exp(-snr) / 2.

    >>> round(float(phase_error_ratio(np.pi / 2, 4.0) / (np.exp(-4.0) / 2)), 9)
    1.0
    """
    first = np.asarray(snr, dtype=np.float64)[..., None]
    second = first if other is None else np.asarray(other, dtype=np.float64)[..., None]
    t = 0.5 * np.pi * _NODES
    product = np.sqrt(first * second)
    exponent = 0.5 * (first + second) - 0.5 * (first - second) * np.sin(t) - product * np.cos(angle) * np.cos(t)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(exponent > 0, np.exp(-exponent) / exponent, 0.0)
    tail = product[..., 0] * np.sin(angle) / (2 * np.pi) * (0.5 * np.pi) * (value @ _WEIGHTS)
    return np.asarray(np.where(product[..., 0] > 0, tail, 1 - angle / np.pi))


def bit_error_ratio(bits: int, snr: ArrayLike, other: ArrayLike | None = None) -> Array:
    """Mean bit error ratio of differential PSK with 2 ** bits phases and a Gray map.

    Parameters
    ----------
    bits
        1, 2 or 3 per symbol.
    snr, other
        As in `phase_error_ratio`.

    Returns
    -------
    (...,) 0 to 0.5. A phase step wrong by one place costs one bit, by two or more two bits on average, so the ratio is
    the sum of two tails. Raises ValueError for another number of bits.

    >>> float(bit_error_ratio(2, 0.0))
    0.5
    """
    if bits not in (1, 2, 3):
        raise ValueError(f"differential PSK without a code has 1, 2 or 3 bits per symbol, not {bits}")
    step = np.pi / 2**bits
    near = phase_error_ratio(step, snr, other)
    if bits == 1:
        return near
    return np.asarray((near + phase_error_ratio(3 * step, snr, other)) / bits)
