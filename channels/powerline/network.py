"""Low-voltage areas as networks of three phases and neutral: one `solve` for trees, one for what holds loops.

In a tree the voltages at the two ends of an edge are bound by what hangs on the far side alone, so one pass towards
the bus and one away from it give all edge ratios in both senses, and any pair of nodes is a product along its path.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .balanced import BalancedSolved
from .edges import Lines, edge_admittances, lines
from .meshed import MeshedSolved
from .nodal import factors
from .solved import PairPower, Solved
from .tree import THREE, Forest, forest, phases_of
from .tree_solved import TreeSolved

__all__ = [
    "THREE",
    "Forest",
    "Lines",
    "PairPower",
    "Solved",
    "edge_admittances",
    "forest",
    "lines",
    "solve",
    "solve_meshed",
]

Array = NDArray[Any]


def solve(line: Lines, tree: Forest, shunt_s: Array, edge_phase: Array) -> Solved:
    """Exact voltages of a forest for any source.

    Parameters
    ----------
    line : Lines;  tree : Forest
    shunt_s : (n_states, n_nodes, n_phases, n_carriers) complex128
        What is connected between each phase and neutral [S]; n_phases is 1 (everything on one circuit) or 3.
    edge_phase : (n_edges,) int
        -1 for a three-phase edge, 0 to 2 for an edge on that phase alone; without meaning on one circuit.

    Returns
    -------
    Solved, ``method`` being ``one circuit``, ``Clarke modes`` (all phases loaded alike and no single-phase edge) or
    ``coupled phases``. Raises ValueError where shapes or phases contradict each other.
    """
    shunt = check_shunts(line, shunt_s)
    if shunt.shape[2] == 1:
        return TreeSolved(line, tree, shunt, np.zeros(tree.node.size, np.int8), "one circuit")
    phase = phases_of(line, tree, edge_phase)
    _check_roots(tree, phase, shunt)
    if np.all(phase == THREE) and np.array_equal(shunt[:, :, :2], shunt[:, :, 1:]):
        return BalancedSolved(line, tree, shunt)
    return TreeSolved(line, tree, shunt, phase, "coupled phases")


def solve_meshed(line: Lines, shunt_s: Array, edge_phase: Array, ports: Array) -> Solved:
    """Exact voltages between some nodes of a connected network that may hold loops.

    Parameters
    ----------
    line, shunt_s, edge_phase : see `solve`
    ports : (n_ports,) node rows, each once: the nodes that may be held at a voltage, as senders are

    Returns
    -------
    Solved, ``method`` being ``sparse nodal``. Raises ValueError where a node has no edge, a port is named twice, or
    shapes or phases contradict each other.
    """
    shunt, port = check_shunts(line, shunt_s), np.asarray(ports, np.int64)
    if np.unique(port).size < port.size:
        raise ValueError("a port is named twice; give every node once")
    return MeshedSolved(factors(line, shunt, edge_phase), port)


def _check_roots(tree: Forest, phase: Array, shunt_s: Array) -> None:
    """Raise ValueError naming the first bus of which a phase has neither a three-phase cable nor anything connected."""
    cabled = np.zeros(tree.node.size, bool)
    cabled[tree.parent[(phase == THREE) & (tree.edge >= 0)]] = True
    bare = ~cabled[: tree.n_roots] & np.any(shunt_s[:, tree.node[: tree.n_roots]] == 0, axis=(0, 2, 3))
    if np.any(bare):
        node = int(tree.node[np.argmax(bare)])
        raise ValueError(f"a phase of the bus at node {node} floats: no three-phase cable, no load; give a transformer")


def check_shunts(line: Lines, shunt_s: Array) -> Array:
    """The shunts in double precision; raises ValueError where their shape does not fit the network."""
    shunt = np.ascontiguousarray(shunt_s, dtype=np.complex128)
    if shunt.ndim != 4 or shunt.shape[1] != line.n_nodes or shunt.shape[2] not in (1, 3):
        raise ValueError(f"shunt_s has shape {shunt.shape}; give (n_states, {line.n_nodes}, 1 or 3, n_carriers)")
    if shunt.shape[3] != line.n_carriers:
        raise ValueError(f"shunt_s has {shunt.shape[3]} carriers, the lines have {line.n_carriers}; give the same")
    return shunt
