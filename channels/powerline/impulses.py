"""Impulses without a clock: where they are dense they raise the noise, where they are rare they spoil whole symbols.

Two processes. Middleton's class A stands for short impulses, independent from sample to sample of the receiver: with
some of them in every symbol the transform spreads their power evenly over all carriers, and noise is Gaussian again but
stronger. Bursts come and go as a two-state Markov process in continuous time; a symbol that one touches is lost. Which
of the two a class A process does is decided here, in `is_dense`, and nowhere else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

DENSE_IMPULSES = 0.5
"""Mean number of impulses in one symbol from which on their mean power decides, not the symbols they hit."""


@dataclass(frozen=True)
class ImpulseSettings:
    """Impulses at a receiver; sources and confidence stand with the scenario table.

    index : Middleton's A, mean number of impulses in one sample of the receiver, not negative
    ratio : 1 / Gamma, mean power of the impulses over that of the Gaussian part; 0 for none
    sampling_hz : samples per second of the receiver (400 kHz for G3-PLC in CENELEC bands, 1.2 MHz in FCC and ARIB,
        250 kHz for PRIME)
    burst_rate_hz, burst_length_s : bursts per second, mean length; their product, the share of time, is below 1
    """

    index: float
    ratio: float
    sampling_hz: float
    burst_rate_hz: float
    burst_length_s: float

    def __post_init__(self) -> None:
        if min(self.index, self.ratio, self.burst_rate_hz, self.burst_length_s) < 0 or not self.sampling_hz > 0:
            raise ValueError("impulse numbers must not be negative and the sampling rate positive; correct them")
        if self.burst_rate_hz * self.burst_length_s >= 1:
            raise ValueError(
                f"{self.burst_rate_hz} bursts/s of {self.burst_length_s} s fill all the time; lower rate or length"
            )


def is_dense(settings: ImpulseSettings, window_s: float) -> bool:
    """Whether class A impulses are counted by their mean power; else every symbol that one hits is counted as lost.

    Parameters
    ----------
    settings : ImpulseSettings
    window_s : time that the receiver transforms at once, positive; N is the number of its samples

    Notes
    -----
    With A N impulses in a symbol on average, noise of the same mean power costs a factor 1 + 1/Gamma, and symbols lost
    at least the energy they carried, a factor exp(A N). The rise is taken from half an impulse a symbol on, and below
    that where it is certain to cost less. Monte-Carlo of ROBO and DBPSK (Gamma 0.01 to 1, receiver does not know which
    symbols are hit): the rise falls short by at most 2.0 dB at A N = 0.5, 1.2 at 1.3, 0.8 at 2.6 and 0.5 at 25, where
    erasures leave DBPSK nothing to decode from 0.5 on and ROBO from 1.3 on.

    >>> is_dense(ImpulseSettings(0.1, 100.0, 400e3, 0.0, 0.0), 640e-6)
    True
    """
    if not window_s > 0:
        raise ValueError(f"a symbol lasts {window_s} s; give a positive time")
    # a whole number of samples, free of rounding in the last digit of the window
    per_symbol = settings.index * round(settings.sampling_hz * window_s, 6)
    return per_symbol >= DENSE_IMPULSES or math.log1p(settings.ratio) <= per_symbol


def dense_rise(settings: ImpulseSettings, window_s: float) -> float:
    """Factor on the background where impulses are dense: 1 + 1 / Gamma; 1 where they are rare or absent.

    Parameters as in `is_dense`. Returns a number of at least 1.

    References
    ----------
    D. Middleton, IEEE Trans. EMC 19 (3), 1977, class A; that the transform of a long symbol makes it Gaussian follows
    from the central limit theorem.

    >>> 10 * math.log10(dense_rise(ImpulseSettings(0.1, 9.0, 400e3, 0.0, 0.0), 640e-6))
    10.0
    """
    return 1 + settings.ratio if is_dense(settings, window_s) else 1.0


def erasure_ratio(settings: ImpulseSettings, symbol_s: float) -> float:
    """Share of the symbols that are hit by an impulse or burst and lost.

    Parameters
    ----------
    settings : ImpulseSettings
    symbol_s : time that the receiver transforms at once (a guard time before it may be hit without harm), positive

    Returns
    -------
    0 to 1. A burst state of mean length b that is entered r times a second leaves gaps of mean 1/r - b. A symbol stays
    whole where it begins in a gap, probability 1 - r b, and the gap outlasts it, probability exp(-s / (1/r - b)).
    Rare class A impulses (`is_dense` is false) miss all N samples with probability exp(-A N); a receiver is taken to
    notice which symbols they hit.

    References
    ----------
    Two-state Markov noise: E. N. Gilbert, Bell Syst. Tech. J. 39, 1960, here in continuous time; without memory it is
    the Bernoulli-Gaussian model.

    >>> round(erasure_ratio(ImpulseSettings(0.0, 0.0, 400e3, 10.0, 1e-3), 640e-6), 5)
    0.01638
    """
    whole = 1.0
    if settings.ratio > 0 and not is_dense(settings, symbol_s):
        whole = math.exp(-settings.index * settings.sampling_hz * symbol_s)
    if settings.burst_rate_hz > 0:
        busy = settings.burst_rate_hz * settings.burst_length_s
        whole *= (1 - busy) * math.exp(-symbol_s * settings.burst_rate_hz / (1 - busy))
    return 1 - whole
