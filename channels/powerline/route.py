"""Which positions of a forest a set of sources and receivers needs, and what a level can gain on the way to them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .lanes import LANES, kernel
from .levels import level_sum_db, scratch
from .recursion import Passes
from .tree import Forest

Array = NDArray[Any]
W = LANES

NEVER_DB = -1e30
"""A floor below everything."""


class Route(NamedTuple):
    """Positions between sources and receivers.

    position : (n,) positions in rising order;  parent : (n,) row of the parent, its own at a root
    wanted : (n,) bool, a receiver sits at or below
    norm_db : (n,) upper bound of (mean level here) - (mean level at the parent)
    best_db : (n,) the same for the strongest receiver at or below
    tip : (n,) first receiver at a house at the end of a single-phase drop off three phases, -1 elsewhere
    source, receiver : rows of the sources and receivers; -1 where the forest does not reach
    """

    position: Array
    parent: Array
    wanted: Array
    norm_db: Array
    best_db: Array
    tip: Array
    source: Array
    receiver: Array


def route(tree: Forest, phase: Array, norm_db: Array, source_node: Array, receiver_node: Array) -> Route:
    """Plan the walks of some sources to some receivers; ``phase`` (n_positions,), ``norm_db`` see `norms`."""
    source, receiver = tree.position[source_node], tree.position[receiver_node]
    needed, wanted = np.zeros(tree.node.size, bool), np.zeros(tree.node.size, bool)
    _mark(tree.parent, source, needed)
    _mark(tree.parent, receiver, wanted)
    position = np.flatnonzero(needed | wanted)
    row = np.full(tree.node.size + 1, -1)
    row[position] = np.arange(position.size)
    parent = row[tree.parent[position]]
    best = _bests(parent, wanted[position], row[receiver], norm_db[position])
    inner, tip = np.zeros(position.size, bool), np.full(position.size, -1)
    inner[parent[wanted[position]]] = True
    heard = np.flatnonzero(receiver >= 0)[::-1]
    tip[row[receiver[heard]]] = heard
    tip[inner | (phase[position] < 0) | (phase[position[parent]] >= 0)] = -1
    return Route(position, parent, wanted[position], norm_db[position], best, tip, row[source], row[receiver])


@kernel
def _mark(parent: Array, start: Array, out: Array) -> None:
    """Mark positions and all their ancestors."""
    for one in start:
        here = one
        while here >= 0 and not out[here]:
            out[here] = True
            here = parent[here]


@kernel
def _bests(parent: Array, wanted: Array, receiver: Array, norm_db: Array) -> Array:
    """Upper bound of what any receiver at or below a node gains over its parent [dB]."""
    best = np.full(parent.size, NEVER_DB)
    for row in receiver:
        if row >= 0:
            best[row] = 0.0
    for row in range(parent.size - 1, -1, -1):
        if wanted[row] and parent[row] != row:
            best[row] += norm_db[row]
            best[parent[row]] = max(best[parent[row]], best[row])
    return best


@kernel
def norms(solved: Passes, edge: Array) -> Array:
    """Upper bound of (mean level at a node) - (mean level at its parent) for every position [dB], 0 at roots.

    A level is the mean over states and carriers of 10 log10 of the sum of |V|^2 over the phases; the bound of a 3x3
    ratio is the square root of its largest row sum times its largest column sum.
    """
    out = np.zeros(edge.size)
    power, held = np.empty(max(solved.y3.shape[1], solved.y1.shape[1]) * W, np.float32), scratch()
    for position in range(edge.size):
        if edge[position] < 0:
            continue
        if solved.phase[position] < 0:
            _norm3(solved.down3[solved.slot[position]], power)
        else:
            _norm1(solved.down1[solved.slot[position]], power)
        out[position] = level_sum_db(power[: solved.n_lanes], held) / solved.n_lanes
    return out


@kernel
def _norm1(ratio: Array, power: Array) -> None:
    """Square of a number."""
    lanes = ratio.shape[1] // 2
    for cell in range(ratio.shape[0]):
        for w in range(lanes):
            power[cell * W + w] = ratio[cell, w] * ratio[cell, w] + ratio[cell, W + w] * ratio[cell, W + w]


@kernel
def _size(re: float, im: float) -> float:
    """Absolute value."""
    return float(np.sqrt(re * re + im * im))


@kernel
def _norm3(ratio: Array, power: Array) -> None:
    """Largest row sum times largest column sum of a matrix."""
    for cell in range(ratio.shape[0]):
        for w in range(W):
            a = _size(ratio[cell, w], ratio[cell, W + w])
            b = _size(ratio[cell, 2 * W + w], ratio[cell, 3 * W + w])
            c = _size(ratio[cell, 4 * W + w], ratio[cell, 5 * W + w])
            d = _size(ratio[cell, 6 * W + w], ratio[cell, 7 * W + w])
            e = _size(ratio[cell, 8 * W + w], ratio[cell, 9 * W + w])
            f = _size(ratio[cell, 10 * W + w], ratio[cell, 11 * W + w])
            g = _size(ratio[cell, 12 * W + w], ratio[cell, 13 * W + w])
            h = _size(ratio[cell, 14 * W + w], ratio[cell, 15 * W + w])
            i = _size(ratio[cell, 16 * W + w], ratio[cell, 17 * W + w])
            across, along = max(a + b + c, d + e + f, g + h + i), max(a + d + g, b + e + h, c + f + i)
            power[cell * W + w] = across * along
