"""Where the power of a source goes: into the shunts, and into the losses of every edge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cables import COMMON, DIFFERENCE
from .edges import Lines, edge_admittances
from .lanes import CLARKE
from .solved import Solved
from .tree import THREE

Array = NDArray[Any]


@dataclass(frozen=True)
class PowerBalance:
    """Powers in every state and carrier [W if the source is given in V rms].

    injected_w : (n_states, n_carriers) what the source puts into the network, loads at its own node included
    load_w : (n_states, n_nodes, n_carriers) into what is connected at each node
    loss_w : (n_states, n_edges, n_carriers) into each edge
    """

    injected_w: Array
    load_w: Array
    loss_w: Array


def power_balance(
    solved: Solved, line: Lines, shunt_s: Array, edge_phase: Array, source_node: int, source_v: Array
) -> PowerBalance:
    """Powers while one node is held at given voltages.

    Parameters
    ----------
    solved : the network that ``line``, ``shunt_s`` and ``edge_phase`` were given for, see `network.solve`
    source_v : (n_states, n_phases, n_carriers) complex, phase to neutral [V rms]

    Returns
    -------
    PowerBalance. Edge losses follow from the voltages at the two ends and the edge's own two-port alone, so that
    injected = loads + losses tests a solution.
    """
    node = np.arange(line.n_nodes)
    volts = solved.voltages(np.array([source_node]), source_v[None], node)[0]
    at = volts[source_node]
    current = np.einsum("spqk,sqk->spk", solved.seen_s(np.array([source_node]))[0], at)
    load = np.einsum("nspk,snpk->snk", volts.real**2 + volts.imag**2, np.asarray(shunt_s).real)
    loss = edge_losses_w(line, edge_phase, volts[line.edge_from], volts[line.edge_to])
    return PowerBalance((at * current.conj()).real.sum(1), load, loss)


def edge_losses_w(line: Lines, edge_phase: Array, volts_from: Array, volts_to: Array) -> Array:
    """Power that stays in every edge.

    Parameters
    ----------
    edge_phase : (n_edges,) int, -1 for three phases
    volts_from, volts_to : (n_edges, n_states, n_phases, n_carriers) complex at the two ends [V rms]

    Returns
    -------
    (n_states, n_edges, n_carriers) [W]: Re(V1 I1* + V2 I2*), both currents into the edge.
    """
    own, mutual = edge_admittances(line)
    loss = np.zeros((volts_from.shape[1], line.n_edges, line.n_carriers))
    single = np.ones(line.n_edges, bool) if volts_from.shape[2] == 1 else np.asarray(edge_phase) != THREE
    row = np.flatnonzero(single)
    phase = np.zeros(row.size, np.int64) if volts_from.shape[2] == 1 else np.asarray(edge_phase)[row]
    one = np.arange(row.size)
    ends = volts_from[row][one, :, phase], volts_to[row][one, :, phase]
    loss[:, row] = np.moveaxis(_into(own[DIFFERENCE, row], mutual[DIFFERENCE, row], *ends), 0, 1)
    row = np.flatnonzero(~single)
    if row.size:
        first, second = (np.einsum("ip,espk->iesk", CLARKE, volts[row]) for volts in (volts_from, volts_to))
        for component, mode in enumerate((COMMON, DIFFERENCE, DIFFERENCE)):
            power = _into(own[mode, row], mutual[mode, row], first[component], second[component])
            loss[:, row] += np.moveaxis(power, 0, 1)
    return loss


def _into(own: Array, mutual: Array, first: Array, second: Array) -> Array:
    """Power into both ends of two-ports, (n_edges, n_states, n_carriers)."""
    here, there = own[:, None] * first + mutual[:, None] * second, mutual[:, None] * first + own[:, None] * second
    return np.asarray((first * here.conj() + second * there.conj()).real)
