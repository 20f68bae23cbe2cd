"""Chosen changes judged on draws that had no part in the choice, and what a study can tell of a meter at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cure_changes import Change
from .cure_checks import whole_trial
from .patches import Patch

Array = NDArray[Any]

Z95 = 1.959964
"""Quantile of the normal distribution for a two-sided interval of 95 %."""


@dataclass(frozen=True)
class Fresh:
    """An area on fresh draws as it is and with all that is chosen; NaN where nothing is chosen.

    n : replications;  before, after : (n_meters,) probability to be read in the worst service
    """

    n: int
    before: Array
    after: Array


def on_fresh_draws(patch: Patch, changes: Sequence[Change], known: Fresh | None = None) -> Fresh:
    """Read the area before and after some changes in replications behind those of the study.

    known : the same area with other changes, so that it need not be read as it is once more

    The study and the choice never see these: the changes were picked for the draws in which most meters fail, so what
    they bring there says too much for them, and what is read there without them too little.
    """
    n_meters = patch.paths.n_meters
    if not changes:
        return Fresh(0, np.full(n_meters, np.nan), np.full(n_meters, np.nan))
    number = patch.p_arrive.shape[0] + np.arange(patch.settings.fresh_replications)
    before = known.before if known is not None and known.n else _read(patch, (), number)
    return Fresh(number.size, before, _read(patch, changes, number))


def _read(patch: Patch, changes: Sequence[Change], number: Array) -> Array:
    """(n_meters,) probability to be read in the worst service, over some replications."""
    return np.asarray(whole_trial(patch, changes, number).p_arrive.mean(axis=0).min(axis=0))


def cannot_be_told(p_read: Array, n_replications: int, level: float) -> Array:
    """(n,) bool: the 95 % interval of a share of replications contains the level.

    Parameters
    ----------
    p_read : (n,) share of ``n_replications`` independent draws

    References
    ----------
    Score interval: E. B. Wilson, Journal of the American Statistical Association 22 (158), 1927.
    """
    z2 = Z95**2 / n_replications
    middle = (p_read + z2 / 2) / (1 + z2)
    half = np.sqrt(z2 * (p_read * (1 - p_read) + z2 / 4)) / (1 + z2)
    return np.asarray(np.abs(level - middle) <= half)
