"""Trials of another phase for one meter, judged for it alone: first with few links, then with all that matter."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..channels.powerline.parts import linked_among
from .cure_changes import Phase, changed
from .cure_trials import Ground, Trial, joined
from .patches import HALF

Array = NDArray[Any]


def moved_alone(ground: Ground, change: Phase) -> Trial:
    """One meter on another phase in the tried replications in which it fails; the column of no other meter changes.

    In each replication first with the links among the meter and those that forward as it is; only where it is not read
    over these, with the links among all nodes that matter.
    """
    patch, node = ground.patch, change.node
    rows = ground.worth(np.array([node]))
    number = patch.replications[rows]
    p_arrive = patch.p_arrive[number].astype(np.float64)
    for i, row in enumerate(rows.tolist()):
        p_arrive[i, :, node] = _moved(ground, change, row)
    return Trial(number, p_arrive)


def _moved(ground: Ground, change: Phase, row: int) -> Array:
    """(n_services,) probability of the moved meter in one replication; 0 where no way leads to the concentrator."""
    patch, node = ground.patch, change.node
    number = int(patch.replications[row])
    paths, _ = changed(patch, [change], number)
    few = ground.forwards[row].copy()
    few[node] = True
    p_own = np.zeros(patch.p_arrive.shape[1])
    for talks in (few, ground.talks[row]):
        cut = linked_among(paths, np.flatnonzero(talks))
        known = patch.assessed(number, cut)
        if any(joined(cut, np.flatnonzero(one.usable), np.array([node]))[0] for one in known.values()):
            p_own = patch.read(number, cut, known=known)[1][:, node]
        if p_own.min() >= HALF:
            break
    return np.asarray(p_own)
