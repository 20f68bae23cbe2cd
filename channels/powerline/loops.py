"""Areas that hold a few loops: a spanning tree, solved in two passes, and the edges left out put back exactly.

Putting an edge back changes the impedance matrix of the tree by a matrix of small rank (Woodbury's identity), so an
area with one loop costs little more than a tree. Areas with many loops take the sparse solver of `nodal`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .network import Forest, Lines, common_ancestor, forest, solve_tree
from .nodal import NodalGains, edge_admittances

Array = NDArray[Any]

MOST_LOOPS = 6
"""Edges put back one by one; beyond that the sparse solver is as fast."""


def cut_open(line: Lines, root: int) -> tuple[Forest, Array]:
    """A spanning tree of a connected network.

    Parameters
    ----------
    line : Lines;  root : node row

    Returns
    -------
    Forest whose ``edge`` counts rows of ``line``, and the rows of the edges that were left out.
    """
    inside = np.zeros(line.n_edges, bool)
    group = np.arange(line.n_nodes)
    for edge, ends in enumerate(zip(line.edge_from.tolist(), line.edge_to.tolist(), strict=True)):
        a, b = (_leader(group, end) for end in ends)
        inside[edge] = a != b
        group[a] = b
    kept = np.flatnonzero(inside)
    tree = forest(_rows(line, kept), np.array([root]))
    own = np.where(tree.edge >= 0, kept[tree.edge], -1)
    return Forest(tree.node, tree.position, tree.parent, own, tree.level), np.flatnonzero(~inside)


def _leader(group: Array, node: int) -> int:
    """Representative of a node's set, with path halving."""
    while group[node] != node:
        group[node] = group[group[node]]
        node = int(group[node])
    return node


def _rows(line: Lines, edge: Array) -> Lines:
    """Some edges of a network."""
    return Lines(
        line.edge_from[edge],
        line.edge_to[edge],
        line.tanh[edge],
        line.log_cosh[edge],
        line.z0_ohm[edge],
        line.n_nodes,
    )


def looped_gains(line: Lines, tree: Forest, extra: Array, shunt_s: Array, ports: Array) -> NodalGains:
    """Voltage gains of all pairs of ports of a network with few loops.

    Parameters
    ----------
    line : Lines;  tree, extra : see `cut_open`
    shunt_s : (n_nodes, n_phases, n_carriers) complex [S];  ports : (n_ports,) node rows, each once

    Returns
    -------
    NodalGains, equal to those of the nodal solution.

    References
    ----------
    M. A. Woodbury, "Inverting modified matrices", 1950: (Y + U C U')^-1 = Z - Z U (C^-1 + U' Z U)^-1 U' Z.
    """
    ends = np.concatenate([line.edge_from[extra], line.edge_to[extra]])
    solution = solve_tree(line, tree, shunt_s)
    turn_log = solution.log_up + solution.log_down

    def impedance(first: Array, second: Array) -> Array:
        """Voltage at the second nodes for one ampere into the first, of the tree alone."""
        a, b = tree.position[first], tree.position[second]
        log_ratio = solution.log_up[a] + solution.log_down[b]
        log_ratio -= turn_log[common_ancestor(tree, a, b)]
        return np.asarray(np.exp(log_ratio, out=log_ratio) / solution.y_total_s[a])

    first, second = np.triu_indices(ports.size)
    z = impedance(ports[first], ports[second])
    count = ends.size
    to_ends = impedance(np.repeat(ends, ports.size), np.tile(ports, count)).reshape(count, ports.size, *z.shape[1:])
    among = impedance(np.repeat(ends, count), np.tile(ends, count)).reshape(count, count, *z.shape[1:])
    middle = np.linalg.inv(np.moveaxis(among, (0, 1), (2, 3)) + _series_ohm(line, extra)[None])
    weighted = np.einsum("pkuv,vnpk->unpk", middle, to_ends)
    for one in range(count):
        z -= weighted[one, first] * to_ends[one, second]
    log_power = np.log(z.real**2 + z.imag**2).astype(np.float32)
    own = np.flatnonzero(first == second)
    log_gain = np.empty((ports.size, ports.size, *z.shape[1:]), np.float32)
    log_gain[first, second] = log_power - log_power[own][first]
    log_gain[second, first] = log_power - log_power[own][second]
    port = np.full(line.n_nodes, -1)
    port[ports] = np.arange(ports.size)
    return NodalGains(port, 1 / z[own], log_gain, log_gain.mean(-1))


def _series_ohm(line: Lines, extra: Array) -> Array:
    """Impedances of the edges to put back, (n_carriers, 2 n, 2 n) complex [ohm], first ends before second ends."""
    own, mutual = (values[extra].T for values in edge_admittances(line))
    scale = 1 / (own**2 - mutual**2)
    n = extra.size
    matrix = np.zeros((own.shape[0], 2 * n, 2 * n), complex)
    here, there = np.arange(n), np.arange(n) + n
    matrix[:, here, here] = matrix[:, there, there] = own * scale
    matrix[:, here, there] = matrix[:, there, here] = -mutual * scale
    return matrix
