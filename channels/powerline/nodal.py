"""Sparse nodal solution of areas that hold loops; the two passes cannot take them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from .edges import Lines, edge_admittances
from .elimination import Pattern, entry_of, factor, needed, pattern_of, substitute
from .lanes import LANES, kernel
from .tree import THREE, check_cores

Array = NDArray[Any]
W = LANES


def terminals_of(line: Lines, edge_phase: Array, shunt_s: Array) -> Array:
    """Number of every phase of every node that a cable or a shunt reaches, (n_nodes, n_phases) int, -1 without either.

    A phase of a bus without a cable is still that of its transformer, as a tree has it.

    Parameters
    ----------
    edge_phase : (n_edges,) int, -1 for three phases, 0 to 2 for one; without meaning where there is one circuit
    shunt_s : (n_states, n_nodes, n_phases, n_carriers) complex128 [S]; counts where it is nowhere zero

    Raises ValueError where a node has no edge, a cable of one phase shall carry three, or three-phase cables hang on
    single-phase ones.
    """
    n_phases = shunt_s.shape[2]
    touched = np.zeros((line.n_nodes, n_phases), bool)
    for end in (line.edge_from, line.edge_to):
        if n_phases == 1:
            touched[end] = True
            continue
        three = np.asarray(edge_phase) == THREE
        touched[end[three]] = True
        touched[end[~three], edge_phase[~three]] = True
    if line.n_nodes > 1 and not touched.any(1).all():
        raise ValueError(f"node {int(np.argmin(touched.any(1)))} of the looped area has no edge; leave it out")
    if n_phases == 3:
        _check_three(line, np.flatnonzero(three))
    touched |= np.all(shunt_s != 0, axis=(0, 3))
    return np.where(touched, np.cumsum(touched).reshape(touched.shape) - 1, -1)


def _check_three(line: Lines, edge: Array) -> None:
    """Three-phase cables have three cores and hang together."""
    check_cores(line, edge)
    start, end = line.edge_from[edge], line.edge_to[edge]
    graph = coo_array((np.ones(edge.size), (start, end)), shape=(line.n_nodes, line.n_nodes))
    group = connected_components(graph, directed=False)[1][start]
    if np.any(apart := group != group[:1]):
        raise ValueError(f"edge {int(edge[np.argmax(apart)])} carries three phases but is fed by one; give its phase")


def nodal_pattern(line: Lines, edge_phase: Array, terminal: Array) -> tuple[Array, Array, Array, Array]:
    """Where the edges stand in the nodal matrix.

    Parameters
    ----------
    terminal : see `terminals_of`

    Returns
    -------
    row, column, edge, kind, each (n_entries,): entry ``kind`` (see `edge_entries`) of the edge belongs there.
    """
    parts = []
    phase = np.zeros(line.n_edges, np.int64) if terminal.shape[1] == 1 else np.asarray(edge_phase, np.int64)
    for edges in (np.flatnonzero(phase != THREE), np.flatnonzero(phase == THREE)):
        lone = bool(edges.size) and phase[edges[0]] != THREE
        for p, q in [(-1, -1)] if lone else [(p, q) for p in range(3) for q in range(3)]:
            at = (phase[edges], phase[edges]) if lone else (np.full(edges.size, p), np.full(edges.size, q))
            for a, b, mutual in ((0, 0, 0), (1, 1, 0), (0, 1, 1), (1, 0, 1)):
                ends = (line.edge_from[edges], line.edge_to[edges])
                kind = np.full(edges.size, mutual + 2 * (0 if lone else 1 if p == q else 2))
                parts.append((terminal[ends[a], at[0]], terminal[ends[b], at[1]], edges, kind))
    row, column, edge, kind = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return row, column, edge, kind


def edge_entries(line: Lines) -> Array:
    """(6, n_edges, n_carriers) complex: own and transfer admittance of the difference mode; then the same of three
    phases, within a phase and between two."""
    entries = []
    own, mutual = edge_admittances(line)
    for y in (own, mutual):
        entries.append((y[0], (2 * y[0] + y[1]) / 3, (y[1] - y[0]) / 3))
    return np.array([entries[mutual][kind] for kind in range(3) for mutual in range(2)])


class Factors(NamedTuple):
    """A factored network.

    terminal : (n_nodes, n_phases) int, see `terminals_of`;  pattern : see `elimination`
    values : (n_cells, n + n_entries, 2 W) float64;  n_states, n_carriers : counts
    """

    terminal: Array
    pattern: Pattern
    values: Array
    n_states: int
    n_carriers: int


def factors(line: Lines, shunt_s: Array, edge_phase: Array) -> Factors:
    """Assemble and factor the nodal matrices of all states and carriers.

    Parameters
    ----------
    line : Lines
    shunt_s : (n_states, n_nodes, n_phases, n_carriers) complex128 [S];  edge_phase : (n_edges,) int

    Raises ValueError as `terminals_of` does.
    """
    n_states, n_carriers = shunt_s.shape[0], shunt_s.shape[3]
    terminal = terminals_of(line, edge_phase, shunt_s)
    row, column, edge, kind = nodal_pattern(line, edge_phase, terminal)
    n = int(terminal.max()) + 1
    pattern = pattern_of(n, row, column)
    keep = pattern.rank[row] >= pattern.rank[column]
    place = (pattern.rank[row[keep]], pattern.rank[column[keep]], edge[keep], kind[keep])
    values = np.zeros((-(-n_states * n_carriers // W), n + pattern.below.size, 2 * W))
    _assemble(values, pattern, *place, edge_entries(line), terminal, shunt_s)
    factor(values, pattern)
    return Factors(terminal, pattern, values, n_states, n_carriers)


@kernel
def _assemble(
    values: Array,
    pattern: Pattern,
    row: Array,
    column: Array,
    edge: Array,
    kind: Array,
    entries: Array,
    terminal: Array,
    shunt_s: Array,
) -> None:
    """Edges and shunts into lanes."""
    n_states, n_carriers = shunt_s.shape[0], shunt_s.shape[3]
    for one in range(row.size):
        at = entry_of(pattern.start, pattern.below, row[one], column[one])
        for state in range(n_states):
            _add(values, at, state * n_carriers, entries[kind[one], edge[one]])
    for node in range(terminal.shape[0]):
        for phase in range(terminal.shape[1]):
            if terminal[node, phase] >= 0:
                at = pattern.rank[terminal[node, phase]]
                for state in range(n_states):
                    _add(values, at, state * n_carriers, shunt_s[state, node, phase])
    # lanes behind the last one repeat it
    whole, rest = divmod(n_states * n_carriers, W)
    for w in range(rest if rest else W, W):
        values[whole, :, w], values[whole, :, W + w] = values[whole, :, rest - 1], values[whole, :, W + rest - 1]


@kernel
def _add(values: Array, at: int, lane: int, y: Array) -> None:
    """Admittances of all carriers (n_carriers,) into one entry, from a lane on."""
    for k in range(y.size):
        cell, w = (lane + k) // W, (lane + k) % W
        values[cell, at, w] += y[k].real
        values[cell, at, W + w] += y[k].imag


@kernel
def spread(solved: Factors, source: Array, current: Array, receiver: Array) -> Array:
    """Voltages at terminals for currents into others.

    Parameters
    ----------
    source : (n, n_phases) terminals, -1 for none
    current : (n, n_phases, n_states, n_carriers) complex;  receiver : (n_receivers,) terminals

    Returns
    -------
    (n, n_receivers, n_cells, 2 W) float64, in lanes.
    """
    n_cells, last = solved.values.shape[0], solved.n_states * solved.n_carriers - 1
    out = np.empty((source.shape[0], receiver.size, n_cells, 2 * W))
    rank = solved.pattern.rank
    wanted = needed(solved.pattern, rank[receiver])
    x = np.zeros((rank.size, 2 * W))
    for cell in range(n_cells):
        for i in range(source.shape[0]):
            own = needed(solved.pattern, rank[source[i][source[i] >= 0]])
            for p in range(source.shape[1]):
                if source[i, p] < 0:
                    continue
                row = rank[source[i, p]]
                for w in range(W):
                    state, k = divmod(min(cell * W + w, last), solved.n_carriers)
                    x[row, w], x[row, W + w] = current[i, p, state, k].real, current[i, p, state, k].imag
            substitute(solved.values[cell], solved.pattern, x, own, wanted)
            for j in range(receiver.size):
                out[i, j, cell] = x[rank[receiver[j]]]
            _clear(x, own)
            _clear(x, wanted)
    return out


@kernel
def _clear(x: Array, rows: Array) -> None:
    """Zero in some rows."""
    for row in rows:
        x[row] = 0


@kernel
def self_impedances(solved: Factors, source: Array) -> Array:
    """Impedances between the phases of single nodes, everything else connected.

    Parameters
    ----------
    source : (n, n_phases) terminals, -1 for none

    Returns
    -------
    (n, n_states, n_carriers, n_phases, n_phases) complex [ohm], 0 on absent phases.
    """
    n, n_phases = source.shape
    out = np.zeros((n, solved.n_states, solved.n_carriers, n_phases, n_phases), np.complex128)
    rank = solved.pattern.rank
    x = np.zeros((rank.size, 2 * W))
    for cell in range(solved.values.shape[0]):
        lanes = min(W, solved.n_states * solved.n_carriers - cell * W)
        for i in range(n):
            own = needed(solved.pattern, rank[source[i][source[i] >= 0]])
            for p in range(n_phases):
                if source[i, p] < 0:
                    continue
                x[rank[source[i, p]], :W] = 1
                substitute(solved.values[cell], solved.pattern, x, own, own)
                for q in range(n_phases):
                    if source[i, q] < 0:
                        continue
                    row = rank[source[i, q]]
                    for w in range(lanes):
                        state, k = divmod(cell * W + w, solved.n_carriers)
                        out[i, state, k, q, p] = complex(x[row, w], x[row, W + w])
                _clear(x, own)
    return out
