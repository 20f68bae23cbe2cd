"""A solved network of any shape, known by the factors of its nodal matrix."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .lanes import LANES, kernel, phase_voltage
from .levels import scratch
from .listening import hear_one, hear_three, phase_power
from .nodal import Factors, self_impedances, spread
from .solved import PairPower, check_phases

Array = NDArray[Any]
W = LANES

SOURCES = 16
"""Sources whose voltages are held at a time."""


@dataclass(frozen=True)
class MeshedSolved:
    """A factored network; see `solved.Solved` for what it answers.

    port : (n_ports,) nodes whose modems may send
    """

    factors: Factors = field(repr=False)
    port: Array
    method: str = "sparse nodal"

    @cached_property
    def port_s(self) -> Array:
        """(n_ports, S, P, P, K) admittance seen at the ports [S]."""
        own = self.factors.terminal[self.port]
        has = (own[:, :, None] >= 0) & (own[:, None, :] >= 0)
        absent = np.eye(own.shape[1]) * (own < 0)[:, None, :]
        z = self_impedances(self.factors, own) + absent[:, None, None]
        return np.asarray(np.moveaxis(np.linalg.inv(z) * has[:, None, None], 2, 4))

    def seen_s(self, node: Array) -> Array:
        """See `solved.Solved`; raises ValueError for a node that is no port."""
        return np.asarray(self.port_s[self._ports(node)])

    def voltages(self, source_node: Array, source_v: Array, node: Array) -> Array:
        """See `solved.Solved`; sources are ports."""
        end = self.factors.terminal[node]
        out = np.zeros((np.size(source_node), *end.shape, self.factors.n_states, self.factors.n_carriers), complex)
        out[:, end >= 0] = self._volts(self._own(source_node), self._currents(source_node, source_v), end[end >= 0])
        return np.asarray(np.moveaxis(out, 2, 3))

    def pair_power(
        self, source_node: Array, source_v: Array, receiver_node: Array, receiver_phase: Array, floor_db: float
    ) -> PairPower:
        """See `solved.Solved`; sources are ports."""
        start, end = self._own(source_node), self.factors.terminal[receiver_node]
        wanted = _wanted(end, receiver_phase, "receiver")
        current = self._currents(source_node, source_v)
        receiver, back = np.unique(end[end >= 0], return_inverse=True)
        column = np.full(end.shape, -1)
        column[end >= 0] = back
        shape = (start.shape[0], end.shape[0])
        n_states, n_carriers = current.shape[2:]
        power = np.empty((*shape, n_states * n_carriers), np.float32)
        level, heard = np.empty((*shape, end.shape[1]), np.float32), np.empty(shape, np.int8)
        for first in range(0, shape[0], SOURCES):
            some = slice(first, first + SOURCES)
            volts = spread(self.factors, start[some], current[some], receiver)
            _listen(volts, column, wanted, float(floor_db), power[some], level[some], heard[some])
        return PairPower(power.reshape(*shape, n_states, n_carriers), level, heard)

    def carried_uv2(self, source_node: Array, source_phase: Array, level_uv2: Array, node: Array) -> Array:
        """See `solved.Solved`; sources need be no ports."""
        solved = self.factors
        start, end = solved.terminal[source_node], solved.terminal[node]
        phase = _wanted(start, source_phase, "source")
        if np.any(phase < 0):
            raise ValueError(f"source {int(np.argmax(phase < 0))} has no phase; give 0, 1 or 2")
        own, back = np.unique(start[np.arange(phase.size), phase], return_inverse=True)
        level = np.zeros((own.size, solved.n_carriers))
        np.add.at(level, back, level_uv2)
        own = own[:, None]
        per_volt = 1 / self_impedances(solved, own)[..., 0, 0]
        out = np.zeros((*end.shape, solved.n_states, solved.n_carriers))
        for first in range(0, own.size, SOURCES):
            some = slice(first, first + SOURCES)
            volts = self._volts(own[some], per_volt[some][:, None], end[end >= 0])
            out[end >= 0] += np.einsum("nrsk,nk->rsk", volts.real**2 + volts.imag**2, level[some])
        return out

    def _volts(self, source: Array, current: Array, receiver: Array) -> Array:
        """(n, n_receivers, n_states, n_carriers) complex voltages at terminals for currents into others."""
        lanes = spread(self.factors, source, np.ascontiguousarray(current), receiver)
        out = np.empty((*lanes.shape[:2], self.factors.n_states, self.factors.n_carriers), complex)
        _out_of_lanes(lanes, out)
        return out

    def _ports(self, node: Array) -> Array:
        """Rows of nodes among the ports."""
        row = np.full(self.factors.terminal.shape[0], -1)
        row[self.port] = np.arange(self.port.size)
        if np.any(unknown := row[node] < 0):
            raise ValueError(f"node {int(np.asarray(node)[np.argmax(unknown)])} is no port; list it when solving")
        return np.asarray(row[node])

    def _own(self, node: Array) -> Array:
        """(n, n_phases) terminals of sources."""
        return np.asarray(self.factors.terminal[self.port[self._ports(node)]])

    def _currents(self, node: Array, source_v: Array) -> Array:
        """(n, n_phases, n_states, n_carriers) currents that hold the voltages at the source nodes."""
        return np.asarray(np.einsum("nspqk,nsqk->npsk", self.seen_s(node), np.asarray(source_v, complex)))


def _wanted(own: Array, phase: Array, what: str) -> Array:
    """Phases of terminals, checked; a node of one phase has no other."""
    lone = np.where((own >= 0).sum(1) == 1, np.argmax(own >= 0, axis=1), -1)
    if own.shape[1] > 1:
        check_phases(lone, np.asarray(phase), what)
    return np.asarray(np.where(lone >= 0, lone, phase))


@kernel
def _out_of_lanes(lanes: Array, out: Array) -> None:
    """Lanes of all pairs as complex numbers."""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            phase_voltage(lanes[i, j], False, 0, out[i, j])


@kernel
def _listen(
    volts: Array, column: Array, wanted: Array, floor_db: float, power: Array, level_db: Array, heard: Array
) -> None:
    """What the receivers hear of some sources; ``column`` (m, n_phases) says which voltages are theirs."""
    n_phases = column.shape[1]
    rows, held = np.empty((n_phases, power.shape[2]), np.float32), scratch()
    single = np.empty((volts.shape[2], 2 * W), np.float32)
    for i in range(volts.shape[0]):
        for j in range(column.shape[0]):
            count = 0
            for p in range(n_phases):
                rows[p] = 0
                if column[j, p] >= 0:
                    single[:] = volts[i, column[j, p]]
                    phase_power(single, False, 0, rows[p])
                    count += 1
            if count == 1:
                power[i, j] = rows[wanted[j]]
                hear_one(wanted[j], floor_db, power[i, j], level_db[i, j], held)
                heard[i, j] = wanted[j]
                continue
            heard[i, j] = hear_three(rows, wanted[j], floor_db, power[i, j], level_db[i, j], held)
            for p in range(n_phases):
                if column[j, p] < 0:
                    level_db[i, j, p] = -np.inf
