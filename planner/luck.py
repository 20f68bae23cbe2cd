"""How many meters fall below the service level by luck alone: few replications decide who counts as served."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from .cure_fresh import cannot_be_told

Array = NDArray[Any]

ALL_OR_NOTHING = 0.99
"""A meter is read in most of its replications with this share of what the backhaul lets through, or more."""


@dataclass(frozen=True)
class Luck:
    """What chance makes of a count of served meters.

    n_replications : behind each probability
    n_meters, mean : meters that are or might be served, and the mean of their probability to be read
    n_expected : of these, how many would fall below the level were all of them read with that mean
    n_not_served, n_unsure : usable meters below the level, and those of them that cannot be told from served
    """

    n_replications: int
    n_meters: int
    mean: float
    n_expected: float
    n_not_served: int
    n_unsure: int


def luck_of(p_read: Array, p_high: Array, level: float, n_replications: int, availability: float) -> Luck:
    """The part that luck has in a count of served meters.

    Assumed is that a replication reads a meter or does not: its probability by the deadline is then a share of the
    replications times the availability of the backhaul, and how many replications fail is binomial. That holds where
    phases, loads and places decide; it does not where frames are lost within every replication, as in a full channel.
    So only meters are considered whose good replications are almost certain (P90 at ``ALL_OR_NOTHING``), and of those
    below the level only such that the 95 % interval of their share contains it: whoever fails persistently is left out
    of the mean and of the expected count.

    Parameters
    ----------
    p_read, p_high : (n_meters,) mean and P90 over replications of the probability to be read, 0 to 1
    level : probability from which a meter is served;  availability : of the backhaul, in every replication

    Returns
    -------
    Luck. ``n_expected`` is 0 where nobody is considered, or where their mean lies below the level: then they fall below
    it by what they are and not by luck. Raises ValueError where there is no replication.
    """
    if n_replications < 1:
        raise ValueError(f"n_replications = {n_replications}: luck needs at least one")
    served = p_read >= level
    sharp = p_high >= ALL_OR_NOTHING * availability
    unsure = ~served & sharp & cannot_be_told(p_read, n_replications, level)
    some = (served & sharp) | unsure
    mean = float(p_read[some].mean()) if some.any() else 0.0
    expected = 0.0
    if some.any() and mean >= level:
        expected = float(some.sum()) * below_by_luck(mean, level, n_replications, availability)
    return Luck(n_replications, int(some.sum()), mean, expected, int((~served).sum()), int(unsure.sum()))


def below_by_luck(p_read: float, level: float, n_replications: int, availability: float) -> float:
    """Probability that a meter read with ``p_read`` shows a share below the level in so many replications.

    Parameters
    ----------
    p_read : 0 to 1, the availability of the backhaul included, which counts in every replication;  level : 0 to 1

    The share is availability * k / n with k binomial of n and p_read / availability.

    >>> round(below_by_luck(0.979, 0.95, 45, 0.995), 4)
    0.0358
    """
    least = int(np.ceil(level * n_replications / availability - 1e-9))
    return float(binom.cdf(least - 1, n_replications, min(p_read / availability, 1.0)))
