"""Changes judged with everybody talking: what an area is like with them, and who is lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cure_changes import Band, Change, changed
from .cure_trials import Trial
from .patches import Patch, failing

Array = NDArray[Any]

LOST_FROM = 2
"""Tried replications in which a served meter must newly fail to be looked at again; one more or less is luck."""


def lost_meters(patch: Patch, changes: Sequence[Change], tried: Trial) -> int:
    """Meters that are served now and are lost with some changes, of which ``tried`` is a trial of the whole area.

    They fail in at least ``LOST_FROM`` more of the tried replications than before, and in more of as many others: among
    hundreds of meters some always fail twice more by luck.
    """
    served = (patch.p_arrive.mean(axis=0, dtype=np.float64) >= patch.read_probability).all(axis=0)
    suspect = served & (_newly_failing(patch, tried) >= min(LOST_FROM, tried.replications.size))
    others = np.setdiff1d(np.arange(patch.p_arrive.shape[0]), tried.replications)[: tried.replications.size]
    if not suspect.any() or not others.size:
        return int(suspect.sum())
    return int((suspect & (_newly_failing(patch, whole_trial(patch, changes, others)) > 0)).sum())


def _newly_failing(patch: Patch, tried: Trial) -> Array:
    """(n_meters,) replications in which each meter fails with a change, less those in which it fails as it is."""
    return np.asarray(failing(tried.p_arrive).sum(axis=0) - patch.fails[tried.replications].sum(axis=0))


def whole_trial(patch: Patch, changes: Sequence[Change], replications: Array) -> Trial:
    """Several changes in place and everybody talking, in any replications."""
    band = next((one.other.technology for one in changes if isinstance(one, Band)), None)
    n, answers = patch.paths.n_meters, []
    for number in replications.tolist():
        paths, _ = changed(patch, changes, number)
        answers.append(patch.read(number, paths, band)[1][:, :n])
    return Trial(replications, np.stack(answers))
