"""Trees of cables in the order of a breadth-first walk from their buses, and which phases reach which node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .edges import Lines

Array = NDArray[Any]

THREE = -1
"""Phase of a node or an edge that has all three."""


@dataclass(frozen=True)
class Forest:
    """Trees in the order of a breadth-first walk from their roots; positions are rows of that order.

    node : (n,) node row at each position;  position : (n_nodes,) inverse, -1 where not reached
    parent : (n,) position of the parent; a root is its own parent
    edge : (n,) edge row to the parent; -1 for a root
    n_roots : the first positions are the roots
    """

    node: Array
    position: Array
    parent: Array
    edge: Array
    n_roots: int


def forest(line: Lines, roots: Array) -> Forest:
    """Walk the trees that hang on the roots.

    Parameters
    ----------
    line : Lines
    roots : (n_roots,) node rows, one a tree.

    Returns
    -------
    Forest. Raises ValueError where what hangs on the roots is not a forest.
    """
    start, end = np.asarray(line.edge_from, np.int64), np.asarray(line.edge_to, np.int64)
    root = np.asarray(roots, np.int64)
    node, position, parent, edge, is_forest = _walk(start, end, root, line.n_nodes)
    if not is_forest:
        raise ValueError("the network holds a loop; solve this area with the nodal solver")
    return Forest(node, position, parent, edge, root.size)


@njit(cache=True, nogil=True)
def _walk(start: Array, end: Array, roots: Array, n_nodes: int) -> tuple[Array, Array, Array, Array, bool]:
    """Breadth-first order; the last answer is False where an edge closes a loop or joins two roots."""
    first = np.zeros(n_nodes + 1, np.int64)
    for e in range(start.size):
        first[start[e] + 1] += 1
        first[end[e] + 1] += 1
    first = np.cumsum(first)
    fill, around = first.copy(), np.empty(2 * start.size, np.int64)
    for e in range(start.size):
        around[fill[start[e]]] = e
        around[fill[end[e]]] = e
        fill[start[e]] += 1
        fill[end[e]] += 1
    position = np.full(n_nodes, -1)
    node, parent, edge = np.empty(n_nodes, np.int64), np.empty(n_nodes, np.int64), np.full(n_nodes, -1)
    count = 0
    for root in roots:
        if position[root] >= 0:
            return node, position, parent, edge, False
        node[count], parent[count], position[root] = root, count, count
        count += 1
    here = 0
    while here < count:
        for e in around[first[node[here]] : first[node[here] + 1]]:
            if e == edge[here]:
                continue
            other = start[e] + end[e] - node[here]
            if position[other] >= 0:
                return node, position, parent, edge, False
            node[count], parent[count], edge[count], position[other] = other, here, e, count
            count += 1
        here += 1
    return node[:count], position, parent[:count], edge[:count], True


def phases_of(line: Lines, tree: Forest, edge_phase: Array) -> Array:
    """Phase at each position of a forest: ``THREE``, or 0 to 2 below a single-phase edge.

    Parameters
    ----------
    edge_phase : (n_edges,) int, -1 for a three-phase edge, 0 to 2 for an edge on that phase alone

    Returns
    -------
    (n,) int8. Raises ValueError naming the edge where what hangs on a single-phase edge is not on its phase, or a cable
    of one phase shall carry three.
    """
    phase = np.asarray(edge_phase, np.int8)
    if phase.shape != (line.n_edges,) or np.any((phase < THREE) | (phase > 2)):
        raise ValueError("edge_phase needs one of -1 (three phases), 0, 1 or 2 for every edge")
    at = np.where(tree.edge >= 0, np.append(phase, np.int8(THREE))[tree.edge], np.int8(THREE))
    fed = at[tree.parent]
    if np.any(wrong := (fed != THREE) & (at != fed)):
        row = int(np.argmax(wrong))
        raise ValueError(f"edge {tree.edge[row]} hangs on an edge of phase {fed[row]} alone; give it that phase")
    check_cores(line, tree.edge[(at == THREE) & (tree.edge >= 0)])
    return np.asarray(at)


def check_cores(line: Lines, edge: Array) -> None:
    """Raise ValueError naming the first of the given three-phase edges whose cable has one phase only."""
    if np.any(thin := line.n_phases_of_edge[edge] != 3):
        raise ValueError(f"edge {int(edge[np.argmax(thin)])} carries three phases on a cable of one; give its phase")
