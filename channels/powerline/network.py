"""Low-voltage areas as transmission-line networks: every voltage ratio of a tree in two passes.

In a tree the ratio of the voltages at the two ends of an edge depends only on what hangs on the far side, so one
pass towards the bus and one pass away from it give all ratios of all edges in both senses, and any pair of nodes is
a product along its path. Logarithms of the ratios are summed from the bus, so a pair costs three look-ups.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order

from .cables import propagation

Array = NDArray[Any]

SHORTEST_EDGE_M = 1e-3
"""Edges shorter than this are taken as this long: two names for one joint, without an infinite admittance."""


@dataclass(frozen=True)
class Lines:
    """Edges of a network as two-ports.

    edge_from, edge_to : (n_edges,) node rows
    tanh : (n_edges, n_carriers) complex tanh(gamma l);  log_cosh : the same shape, ln cosh(gamma l)
    z0_ohm : (n_edges, n_carriers) complex
    n_nodes : int
    """

    edge_from: Array
    edge_to: Array
    tanh: Array
    log_cosh: Array
    z0_ohm: Array
    n_nodes: int

    @property
    def n_edges(self) -> int:
        """Number of edges."""
        return int(self.edge_from.size)


def lines(
    edge_from: Array,
    edge_to: Array,
    edge_length_m: Array,
    edge_cable: Array,
    cables: tuple[str, ...],
    n_nodes: int,
    frequency_hz: Array,
) -> Lines:
    """Two-port constants of all edges at all carriers.

    Parameters
    ----------
    edge_from, edge_to : (n_edges,) node rows below ``n_nodes``;  edge_length_m : (n_edges,) [m], not negative
    edge_cable : (n_edges,) rows in ``cables``;  frequency_hz : (n_carriers,)

    Returns
    -------
    Lines. Raises ValueError naming the edge where a length is negative or not finite, or both ends are one node.

    References
    ----------
    Line theory with exp(-2 gamma l), so that long lines do not overflow.
    """
    length = np.asarray(edge_length_m, dtype=np.float64)
    if np.any(bad := ~(np.isfinite(length) & (length >= 0))):
        raise ValueError(f"edge {int(np.argmax(bad))} has no usable length; give metres, zero or more")
    if np.any(bad := np.asarray(edge_from) == np.asarray(edge_to)):
        raise ValueError(f"edge {int(np.argmax(bad))} joins a node to itself; remove it")
    frequency = np.asarray(frequency_hz, dtype=np.float64)
    used = np.unique(edge_cable)
    gamma = np.zeros((len(cables), frequency.size), complex)
    z0 = np.ones_like(gamma)
    for row in used:
        gamma[row], z0[row] = propagation(cables[row], frequency)
    electrical = gamma[edge_cable] * np.maximum(length, SHORTEST_EDGE_M)[:, None]
    decay = np.exp(-2 * electrical)
    log_cosh = electrical + np.log1p(decay) - np.log(2)
    return Lines(
        np.asarray(edge_from), np.asarray(edge_to), (1 - decay) / (1 + decay), log_cosh, z0[edge_cable], n_nodes
    )


@dataclass(frozen=True)
class Forest:
    """Trees in the order of a breadth-first walk from their roots; positions are rows of that order.

    node : (n,) node row at each position;  position : (n_nodes,) inverse, -1 where not reached
    parent : (n,) position of the parent; a root is its own parent
    edge : (n,) edge row to the parent; -1 for a root
    level : bounds of the levels in positions, roots first
    """

    node: Array
    position: Array
    parent: Array
    edge: Array
    level: tuple[int, ...]


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
    hub = line.n_nodes
    start = np.concatenate([line.edge_from, np.full(len(roots), hub)])
    end = np.concatenate([line.edge_to, np.asarray(roots)])
    graph = coo_array((np.ones(start.size), (start, end)), shape=(hub + 1, hub + 1)).tocsr()
    order, predecessor = breadth_first_order(graph, hub, directed=False)
    node = order[1:]
    position = np.full(hub + 1, -1)
    position[node] = np.arange(node.size)
    if np.count_nonzero(position[line.edge_from] >= 0) + len(roots) != node.size:
        raise ValueError("the network holds a loop; solve this area with the nodal solver")
    parent = position[predecessor[node]]
    is_root = parent < 0
    return Forest(
        node,
        position[:hub],
        np.where(is_root, np.arange(node.size), parent),
        _edge_to_parent(line, node, predecessor[node], is_root),
        _levels(parent, int(is_root.sum())),
    )


def _edge_to_parent(line: Lines, node: Array, predecessor: Array, is_root: Array) -> Array:
    """Row of the edge between each node and its predecessor."""
    key = np.minimum(line.edge_from, line.edge_to).astype(np.int64) * line.n_nodes + np.maximum(
        line.edge_from, line.edge_to
    )
    order = np.argsort(key)
    wanted = np.minimum(node, predecessor).astype(np.int64) * line.n_nodes + np.maximum(node, predecessor)
    edge = np.full(node.size, -1)
    edge[~is_root] = order[np.searchsorted(key[order], wanted[~is_root])]
    return edge


def _levels(parent: Array, n_roots: int) -> tuple[int, ...]:
    """Bounds of the levels; parents stand in rising order because the walk is breadth first."""
    bounds = [0, n_roots]
    while bounds[-1] < parent.size:
        bounds.append(int(np.searchsorted(parent, bounds[-1])))
    return tuple(bounds)


@dataclass(frozen=True)
class TreeSolution:
    """All ratios of a forest; columns over positions, the last axis is the carrier.

    y_total_s : (n, n_phases, n_carriers) complex admittance seen at each node, everything included [S]
    log_up, log_down : (n, n_phases, n_carriers) complex ln(V_root/V_node) with the source at the node, and
        ln(V_node/V_root) with the source at the root.
    """

    y_total_s: Array
    log_up: Array
    log_down: Array


def solve_tree(line: Lines, tree: Forest, shunt_s: Array) -> TreeSolution:
    """Exact voltages of a forest for any source, in two passes.

    Parameters
    ----------
    line : Lines;  tree : Forest
    shunt_s : (n_nodes, n_phases, n_carriers) complex
        Admittance of what is connected at each node, phase circuits uncoupled [S].

    Returns
    -------
    TreeSolution, in the order of ``tree``.

    References
    ----------
    Line theory: Y_in = (Y + tanh(gl)/Z0) / (1 + Z0 Y tanh(gl)), V_far/V_near = 1 / (cosh(gl) + Z0 Y sinh(gl)).
    """
    own = tree.edge
    t, z0 = line.tanh[own][:, None, :], line.z0_ohm[own][:, None, :]
    y_down = np.array(shunt_s[tree.node], dtype=complex)
    y_branch = np.zeros_like(y_down)
    for low, high in reversed(list(zip(tree.level[1:-1], tree.level[2:], strict=True))):
        y = y_down[low:high]
        y_branch[low:high] = (y + t[low:high] / z0[low:high]) / (1 + z0[low:high] * y * t[low:high])
        family, first = np.unique(tree.parent[low:high], return_index=True)
        y_down[family] += np.add.reduceat(y_branch[low:high], first, axis=0)
    y_total = y_down.copy()
    log_down = -np.log(1 + z0 * y_down * t) - line.log_cosh[own][:, None, :]
    log_up = np.zeros_like(log_down)
    log_down[: tree.level[1]] = 0
    for low, high in zip(tree.level[1:-1], tree.level[2:], strict=True):
        parent = tree.parent[low:high]
        rest = y_total[parent] - y_branch[low:high]
        denominator = 1 + z0[low:high] * rest * t[low:high]
        y_total[low:high] += (rest + t[low:high] / z0[low:high]) / denominator
        log_up[low:high] = log_up[parent] - np.log(denominator) - line.log_cosh[own[low:high]][:, None, :]
        log_down[low:high] += log_down[parent]
    return TreeSolution(y_total, log_up, log_down)


def common_ancestor(tree: Forest, first: Array, second: Array) -> Array:
    """Position where the paths of two positions meet; -1 where they hang on different roots.

    Parameters
    ----------
    first, second : (n_pairs,) positions, not negative.
    """
    a, b = np.array(first), np.array(second)
    active = np.flatnonzero(a != b)
    n_roots = tree.level[1]
    while active.size:
        u, v = a[active], b[active]
        deeper = u > v
        a[active] = np.where(deeper, tree.parent[u], u)
        b[active] = np.where(deeper, v, tree.parent[v])
        u, v = a[active], b[active]
        active = active[(u != v) & ~((u < n_roots) & (v < n_roots))]
    return np.where(a == b, a, -1)


def places(tree: Forest, source: Array, receiver: Array) -> tuple[Array, Array, Array]:
    """Positions of pairs of node rows, all reached and under one root, and where their paths meet."""
    a, b = tree.position[source], tree.position[receiver]
    return a, b, common_ancestor(tree, a, b)


def rows_at(table: Array, row: Array, phase: Array) -> Array:
    """``table[row, phase]`` of a contiguous (n, n_phases, n_carriers) table, as a copy."""
    n_phases, n_carriers = table.shape[-2:]
    return np.asarray(table.reshape(-1, n_carriers).take(row * n_phases + phase, axis=0))


@dataclass(frozen=True)
class TreeGains:
    """Voltage gains of all pairs of a solved forest, looked up in natural logarithms of power."""

    tree: Forest
    y_total_s: Array
    up: Array
    down: Array
    turn: Array
    mean: tuple[Array, Array, Array]

    @classmethod
    def of(cls, line: Lines, tree: Forest, shunt_s: Array) -> TreeGains:
        """Solve and keep what the look-up needs (single precision logarithms)."""
        solution = solve_tree(line, tree, shunt_s)
        up = (2 * solution.log_up.real).astype(np.float32)
        down = (2 * solution.log_down.real).astype(np.float32)
        means = (up.mean(-1), down.mean(-1), (up + down).mean(-1))
        return cls(tree, solution.y_total_s, up, down, up + down, means)

    def place(self, source: Array, receiver: Array, turn: Array | None = None) -> tuple[Array, ...]:
        """Rows that `gain` and `mean_gain` look up for pairs of node rows; ``turn`` where `places` was asked before."""
        if turn is None:
            return places(self.tree, source, receiver)
        return self.tree.position[source], self.tree.position[receiver], turn

    def gain(self, place: tuple[Array, ...], phase: Array) -> Array:
        """(n_pairs, n_carriers) float32: ln |V_receiver / V_source|^2 on each pair's phase circuit."""
        gain = rows_at(self.up, place[0], phase)
        gain += rows_at(self.down, place[1], phase)
        gain -= rows_at(self.turn, place[2], phase)
        return gain

    def mean_gain(self, place: tuple[Array, ...]) -> Array:
        """(n_pairs, n_phases): mean of `gain` over the carriers, for all phase circuits."""
        a, b, turn = place
        up, down, both = self.mean
        return np.asarray(up[a] + down[b] - both[turn])

    def admittance(self, node: Array) -> Array:
        """(n, n_phases, n_carriers) complex admittance seen at node rows [S]."""
        return np.asarray(self.y_total_s[self.tree.position[node]])

    def swapped(self, place: tuple[Array, ...]) -> tuple[Array, ...]:
        """The same pairs in the other direction."""
        return place[1], place[0], place[2]
