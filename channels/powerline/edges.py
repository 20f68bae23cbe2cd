"""Cables between nodes as two-ports in two modes of propagation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .cables import COMMON, DIFFERENCE, Cable, propagation

Array = NDArray[Any]

SHORTEST_EDGE_M = 1e-3
"""Edges shorter than this are taken as this long: two names for one joint, without an infinite admittance."""


@dataclass(frozen=True)
class Lines:
    """Edges of a network as two-ports, the first axis being the mode (``DIFFERENCE``, ``COMMON``).

    edge_from, edge_to : (n_edges,) node rows
    tanh, sech : (2, n_edges, n_carriers) complex tanh(gamma l) and 1 / cosh(gamma l): neither grows with length
    z0_ohm : (2, n_edges, n_carriers) complex
    n_phases_of_edge : (n_edges,) int8, 3 or 1 (two-core cable: both rows hold its only mode)
    n_nodes : int
    """

    edge_from: Array
    edge_to: Array
    tanh: Array
    sech: Array
    z0_ohm: Array
    n_phases_of_edge: Array
    n_nodes: int

    @property
    def n_edges(self) -> int:
        """Number of edges."""
        return int(self.edge_from.size)

    @property
    def n_carriers(self) -> int:
        """Number of carriers."""
        return int(self.tanh.shape[-1])

    def select(self, edge: Array) -> Lines:
        """The same nodes with only the given edges."""
        return Lines(
            self.edge_from[edge],
            self.edge_to[edge],
            self.tanh[:, edge],
            self.sech[:, edge],
            self.z0_ohm[:, edge],
            self.n_phases_of_edge[edge],
            self.n_nodes,
        )


def lines(
    edge_from: Array,
    edge_to: Array,
    edge_length_m: Array,
    edge_cable: Array,
    cables: tuple[Cable, ...],
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
    Line theory with exp(-2 gamma l), so that long lines do not overflow; C. R. Paul, "Analysis of Multiconductor
    Transmission Lines", 2nd ed. 2008, chapter 7: a line that treats its phases alike has two scalar modes.
    """
    length = np.asarray(edge_length_m, dtype=np.float64)
    if np.any(bad := ~(np.isfinite(length) & (length >= 0))):
        raise ValueError(f"edge {int(np.argmax(bad))} has no usable length; give metres, zero or more")
    if np.any(bad := np.asarray(edge_from) == np.asarray(edge_to)):
        raise ValueError(f"edge {int(np.argmax(bad))} joins a node to itself; remove it")
    frequency = np.asarray(frequency_hz, dtype=np.float64)
    row = np.asarray(edge_cable, dtype=np.int64)
    gamma = np.zeros((2, len(cables), frequency.size), complex)
    z0 = np.ones_like(gamma)
    for cable in np.unique(row):
        for mode in (DIFFERENCE, COMMON):
            gamma[mode, cable], z0[mode, cable] = propagation(cables[cable], frequency, mode)
    phases = np.array([cable.n_phases for cable in cables] or [3], np.int8)
    tanh, sech = _hyperbolic(gamma, row, np.maximum(length, SHORTEST_EDGE_M))
    return Lines(np.asarray(edge_from), np.asarray(edge_to), tanh, sech, z0[:, row], phases[row], n_nodes)


@njit(cache=True, nogil=True, error_model="numpy")
def _hyperbolic(gamma: Array, cable: Array, length_m: Array) -> tuple[Array, Array]:
    """tanh and 1 / cosh of gamma l for all modes, edges and carriers.

    The difference 1 - exp(-2x) is taken from sines and expm1, so that a millimetre keeps all its digits.
    """
    n_modes, _, n_carriers = gamma.shape
    tanh = np.empty((n_modes, cable.size, n_carriers), np.complex128)
    sech = np.empty_like(tanh)
    for mode in range(n_modes):
        for edge in range(cable.size):
            for k in range(n_carriers):
                x = gamma[mode, cable[edge], k] * length_m[edge]
                sine, cosine, fall = np.sin(x.imag), np.cos(x.imag), np.expm1(-2 * x.real)
                below = complex(2 * sine * sine - fall * (1 - 2 * sine * sine), (fall + 1) * 2 * sine * cosine)
                above, size = 2 - below, 2 * np.exp(-x.real)
                tanh[mode, edge, k] = below / above
                sech[mode, edge, k] = complex(size * cosine, -size * sine) / above
    return tanh, sech


def edge_admittances(line: Lines) -> tuple[Array, Array]:
    """Self and transfer admittance of every edge as a two-port, (2, n_edges, n_carriers) complex [S].

    coth(gl)/Z0 at both ends and -1/(Z0 sinh(gl)) between them, one row per mode.
    """
    own = 1 / (line.z0_ohm * line.tanh)
    return own, -line.sech * own
