"""Noise over the half cycle of the mains: exact means over a receiver's window, for every published shape.

Times are counted in half cycles from the zero crossing of the voltage of the phase that is looked at. A shape is given
by its integral from 0, so that the mean over any window is one difference.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import beta, betainc

from .mains import CREST

Array = NDArray[Any]
Integral = Callable[[Array], Array]

STEPS = 256
"""Places of a window that are averaged in each bin of the half cycle."""

# M. Katayama, T. Yamazato, H. Okada, IEEE JSAC 24 (7), 2006, parameters of the narrow-band noise model, and a second
# set in use in capacity studies (confidence B): amplitude, angle [degrees], exponent of |sin| for each of three parts.
KATAYAMA = {
    "katayama-1": ((0.23, 0.0, 0.0), (1.38,  -6.0,  1.91), (7.17, -35.0, 1.57e5)),
    "katayama-2": ((0.13, 0.0, 0.0), (2.80, 128.0,  9.3),  (16.0, 161.0, 5300.0)),
}  # fmt: skip

CYCLIC_MODELS = ("none", *KATAYAMA, "regions")

TILT_HZ = 100e3
"""Frequency at which the levels of noise regions hold."""


def constant(time: Array) -> Array:
    """Integral of a shape that is 1 all the time."""
    return np.asarray(time, dtype=np.float64)


def interval(centre: float, share: float) -> Integral:
    """Integral of a shape that is 1 during ``share`` of each half cycle around ``centre``, and 0 outside."""

    def integral(time: Array) -> Array:
        since = np.asarray(time, dtype=np.float64) - (centre - share / 2)
        return np.asarray(np.floor(since) * share + np.minimum(since - np.floor(since), share))

    return integral


def sine_power(angle_deg: float, exponent: float) -> Integral:
    """Integral of |sin(pi t + angle)| to a power, by the incomplete beta function.

    >>> float(np.round(sine_power(30.0, 2.0)(1.0) - sine_power(30.0, 2.0)(0.0), 12))
    0.5
    """
    half, whole = 0.5 * beta(0.5, (exponent + 1) / 2), beta(0.5, (exponent + 1) / 2)

    def integral(time: Array) -> Array:
        # |sin| is |cos| a quarter of a period later: around each of its crests the integral is odd
        angle = np.pi * np.asarray(time, dtype=np.float64) + np.deg2rad(angle_deg) - np.pi / 2
        crest = np.round(angle / np.pi)
        rest = angle - crest * np.pi
        part = np.sign(rest) * half * betainc(0.5, (exponent + 1) / 2, np.sin(rest) ** 2)
        return np.asarray((crest * whole + part) / np.pi)

    return integral


def katayama(name: str) -> tuple[Array, tuple[Integral, ...]]:
    """Amplitudes (3,) and integrals of the three parts of a published set, ``katayama-1`` or ``katayama-2``.

    References
    ----------
    Katayama et al. 2006: sum of A_l |sin(pi t / T + theta_l)|^n_l with T half a mains period.
    """
    rows = KATAYAMA[name]
    return np.array([row[0] for row in rows]), tuple(sine_power(row[1], row[2]) for row in rows)


def regions(share: Array, level_db: Array, tilt_db: Array, frequency_hz: Array) -> tuple[tuple[Integral, ...], Array]:
    """Calm, raised and pulsed region: raised around the crest, pulsed right behind it, calm the rest.

    Parameters
    ----------
    share, level_db, tilt_db : (3,) of the half cycle, positive, sum 1; level at 100 kHz; rise per decade [dB]
    frequency_hz : (n_carriers,)

    Returns
    -------
    three integrals and their powers (3, n_carriers). Raises ValueError where there are not three that share the cycle.

    References
    ----------
    M. Nassar et al., IEEE Signal Process. Mag. 29 (5), 2012, and IEEE 1901.2-2013 annex D: about three regions per
    half cycle, each stationary with a spectrum of its own (confidence B; numbers and places C).
    """
    if not (
        share.shape == level_db.shape == tilt_db.shape == (3,) and np.all(share > 0) and abs(share.sum() - 1) < 1e-9
    ):
        raise ValueError(
            "noise regions must be three with positive shares that sum to 1; correct shares, levels, tilts"
        )
    calm, raised, pulsed = (float(one) for one in share)
    end = CREST + raised / 2
    middles = (end + pulsed + calm / 2, CREST, end + pulsed / 2)
    power_db = level_db[:, None] + tilt_db[:, None] * np.log10(frequency_hz / TILT_HZ)
    return tuple(interval(m, s) for m, s in zip(middles, (calm, raised, pulsed), strict=True)), 10 ** (power_db / 10)


def shapes(cyclic: str, region: tuple[Array, Array, Array], frequency_hz: Array) -> tuple[tuple[Integral, ...], Array]:
    """The parts of a model over the half cycle and their powers, (n_parts, n_carriers).

    Parameters
    ----------
    cyclic : one of ``CYCLIC_MODELS``;  region : arguments of `regions`, for that model;  frequency_hz : (n_carriers,)

    Raises ValueError for an unknown model.
    """
    if cyclic not in CYCLIC_MODELS:
        raise ValueError(f"cyclic noise model {cyclic!r} is unknown; use one of {', '.join(CYCLIC_MODELS)}")
    ones = np.ones(frequency_hz.size)
    if cyclic == "none":
        return (constant,), ones[None, :]
    if cyclic == "regions":
        return regions(*region, frequency_hz)
    amplitude, integrals = katayama(cyclic)
    return integrals, amplitude[:, None] * ones


def window_mean(integral: Integral, centre: Array, width: float) -> Array:
    """Mean of a shape over windows of that width around their centres, both in half cycles; exact.

    Raises ValueError where the width is not positive.
    """
    middle = np.asarray(centre, dtype=np.float64)
    if not width > 0:
        raise ValueError("a receiver looks at noise for a positive time; give its window in seconds")
    return np.asarray((integral(middle + width / 2) - integral(middle - width / 2)) / width)


def bin_means(integrals: tuple[Integral, ...], n_bins: int, shift: Array, width: float) -> Array:
    """Means of shapes over all windows whose centre lies in each bin of the half cycle of the first phase.

    Parameters
    ----------
    integrals : n_parts shapes
    n_bins : equal parts of the half cycle
    shift : (n_phases,) delay of each phase [half cycles]
    width : of the window [half cycles], positive

    Returns
    -------
    (n_parts, n_phases, n_bins); the mean over the bins is the mean of the shape.
    """
    centre = (np.arange(n_bins * STEPS) + 0.5) / (n_bins * STEPS)
    late = centre - np.asarray(shift)[:, None]
    means = np.stack([window_mean(one, late, width) for one in integrals])
    return np.asarray(means.reshape(len(integrals), late.shape[0], n_bins, STEPS).mean(axis=-1))
