"""Sparse nodal solution for areas that hold a loop; the tree solver cannot take them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.linalg import splu

from .network import Lines, rows_at

Array = NDArray[Any]


def edge_admittances(line: Lines) -> tuple[Array, Array]:
    """Self and transfer admittance of every edge as a two-port, (n_edges, n_carriers) complex [S].

    coth(gl)/Z0 at both ends and -1/(Z0 sinh(gl)) between them.
    """
    return 1 / (line.z0_ohm * line.tanh), -np.exp(-line.log_cosh) / (line.z0_ohm * line.tanh)


def impedance_columns(line: Lines, shunt_s: Array, ports: Array) -> Array:
    """Open-circuit impedances between all ports of a connected network of any shape.

    Parameters
    ----------
    line : Lines
    shunt_s : (n_nodes, n_phases, n_carriers) complex
        Connected admittances, without any source [S].
    ports : (n_ports,) node rows, each once.

    Returns
    -------
    (n_phases, n_carriers, n_ports, n_ports) complex: voltage at the first port for one ampere into the second [ohm].
    Raises ValueError where a node is not connected to the rest.
    """
    n, n_phases, n_carriers = line.n_nodes, shunt_s.shape[1], shunt_s.shape[2]
    if n > 1 and np.unique(np.concatenate([line.edge_from, line.edge_to])).size < n:
        raise ValueError("a node of the looped area has no edge; remove it before solving")
    own, mutual = edge_admittances(line)
    row = np.concatenate([line.edge_from, line.edge_to, line.edge_from, line.edge_to, np.arange(n)])
    column = np.concatenate([line.edge_from, line.edge_to, line.edge_to, line.edge_from, np.arange(n)])
    drive = np.zeros((n, ports.size), complex)
    drive[ports, np.arange(ports.size)] = 1
    answer = np.empty((n_phases, n_carriers, ports.size, ports.size), complex)
    for carrier in range(n_carriers):
        edges = np.concatenate([own[:, carrier], own[:, carrier], mutual[:, carrier], mutual[:, carrier]])
        for phase in range(n_phases):
            values = np.concatenate([edges, shunt_s[:, phase, carrier]])
            matrix = coo_array((values, (row, column)), shape=(n, n)).tocsc()
            answer[phase, carrier] = _factor(matrix).solve(drive)[ports]
    return answer


def _factor(matrix: Any) -> Any:
    """Sparse factors of a symmetric, nearly tree-like matrix.

    Columns are not merged into dense blocks: these matrices have none worth it, and threaded dense kernels on tiny
    blocks cost many times the work itself where processors are shared.
    """
    return splu(
        matrix,
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.01,
        relax=1,
        panel_size=1,
        options={"SymmetricMode": True},
    )


@dataclass(frozen=True)
class NodalGains:
    """Voltage gains of all pairs of ports of one looped area; the same look-ups as `network.TreeGains`."""

    port: Array
    y_total_s: Array
    log_gain: Array
    mean: Array

    @classmethod
    def of(cls, line: Lines, shunt_s: Array, ports: Array) -> NodalGains:
        """Solve for the given ports (node rows, each once)."""
        impedance = impedance_columns(line, shunt_s, ports)
        seen = np.diagonal(impedance, axis1=2, axis2=3)
        port = np.full(line.n_nodes, -1)
        port[ports] = np.arange(ports.size)
        power = (impedance.real**2 + impedance.imag**2) / np.abs(seen[:, :, None, :]) ** 2
        log_gain = np.log(np.maximum(power, 1e-30).astype(np.float32))
        log_gain = np.ascontiguousarray(np.transpose(log_gain, (3, 2, 0, 1)))
        return cls(port, 1 / np.moveaxis(seen, 2, 0), log_gain, log_gain.mean(-1))

    def place(self, source: Array, receiver: Array, turn: Array | None = None) -> tuple[Array, ...]:
        """Port numbers of pairs of node rows; ``turn`` means nothing here."""
        return self.port[source], self.port[receiver]

    def gain(self, place: tuple[Array, ...], phase: Array) -> Array:
        """(n_pairs, n_carriers) float32: ln |V_receiver / V_source|^2 on each pair's phase circuit."""
        return rows_at(self.log_gain, place[0] * self.log_gain.shape[1] + place[1], phase)

    def mean_gain(self, place: tuple[Array, ...]) -> Array:
        """(n_pairs, n_phases): mean of `gain` over the carriers."""
        return np.asarray(self.mean[place[0], place[1]])

    def admittance(self, node: Array) -> Array:
        """(n, n_phases, n_carriers) complex admittance seen at node rows [S]."""
        return np.asarray(self.y_total_s[self.port[node]])

    def swapped(self, place: tuple[Array, ...]) -> tuple[Array, ...]:
        """The same pairs in the other direction."""
        return place[1], place[0]
