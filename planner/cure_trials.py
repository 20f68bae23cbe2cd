"""Trials of cures: one change of an area at a time, solved anew on the same draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..channels.paths import CablePaths
from ..channels.powerline.parts import linked_among
from ..channels.technology import Technology
from .patches import Patch, failing
from .replicate import Replication

Array = NDArray[Any]


@dataclass(frozen=True)
class Trial:
    """An area with one change, in some replications.

    replications : (k,) numbers;  p_arrive : (k, n_services, n_meters) at the head end, meters of the patch
    """

    replications: Array
    p_arrive: Array


@dataclass(frozen=True)
class Ground:
    """A patch as it is, in the replications in which cures are tried.

    as_is : the replications;  forwards : (k, n_nodes) bool the concentrator and all that forward
    talks : (k, n_nodes) bool nodes that matter for a trial that does not change who forwards in general: these, and the
        unserved meters
    """

    patch: Patch
    as_is: tuple[Replication, ...]
    forwards: Array
    talks: Array

    @classmethod
    def of(cls, patch: Patch) -> Ground:
        """Solve the area as it is once more in the chosen replications."""
        as_is = tuple(patch.read(int(number))[0] for number in patch.replications)
        forwards = np.zeros((len(as_is), patch.paths.n_meters + 1), bool)
        forwards[:, -1] = True
        for row, one in enumerate(as_is):
            for step in one.course:
                forwards[row, step.routes.parent[step.routes.parent >= 0]] = True
        talks = forwards.copy()
        talks[:, patch.unserved] = True
        return cls(patch, as_is, forwards, talks)

    @property
    def fails(self) -> Array:
        """(k, n) bool: the meter fails in the replication as it is."""
        return self.patch.fails[self.patch.replications]

    def worth(self, meter: Array) -> Array:
        """Rows of the replications in which at least one of some meters fails."""
        return np.flatnonzero(self.fails[:, meter].any(axis=1))


def trial(ground: Ground, paths: CablePaths, rows: Array, *, technology: Technology | None = None) -> Trial:
    """Solve the changed area in some of the chosen replications, with links among the nodes that matter.

    Parameters
    ----------
    paths : changed;  rows : of ``patch.replications``;  technology : changed, where it is
    """
    patch = ground.patch
    answers = [
        patch.read(int(patch.replications[row]), linked_among(paths, np.flatnonzero(ground.talks[row])), technology)[1]
        for row in rows
    ]
    none = np.zeros((0, *patch.p_arrive.shape[1:]))
    return Trial(patch.replications[rows], np.stack(answers) if answers else none)


def joined(paths: CablePaths, link: Array, meter: Array) -> Array:
    """(n,) bool: over some links (rows of ``paths``) a way leads from each of some meters to the concentrator."""
    ends = paths.from_node[link], paths.to_node[link]
    graph = coo_array((np.ones(link.size), ends), shape=(paths.n_meters + 1,) * 2).tocsr()
    island = connected_components(graph, directed=False)[1]
    return np.asarray(island[meter] == island[-1])


def p_read_with(patch: Patch, tried: Trial) -> Array:
    """Probability to be read with a change, (n_services, n_meters); NaN where too little was tried.

    The replications in which a meter fails and those in which it does not are taken apart. In each part the mean of
    what the change brought in the tried ones is taken to hold for all. A meter of which not all chosen failing
    replications were tried has no answer.
    """
    before = patch.p_arrive.astype(np.float64)
    fails = failing(before)
    at = tried.replications
    gain = tried.p_arrive - before[at]
    total = before.sum(axis=0)
    for part in (fails, ~fails):
        inside = part[at]
        share = inside / np.maximum(inside.sum(axis=0), 1)
        total += np.einsum("rsm,rm->sm", gain, share) * part.sum(axis=0)
    missed = fails[patch.replications].sum(axis=0) > fails[at].sum(axis=0)
    return np.where(missed, np.nan, np.clip(total / before.shape[0], 0.0, 1.0))


def cured(patch: Patch, p_read: Array) -> Array:
    """(n_meters,) bool: the service level is reached in all services; False where there is no answer."""
    return np.asarray((np.nan_to_num(p_read) >= patch.read_probability).all(axis=0))
