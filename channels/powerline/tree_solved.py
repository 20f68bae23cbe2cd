"""A solved forest with its phases coupled, or with everything on one circuit."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cables import DIFFERENCE
from .edges import Lines
from .levels import scratch
from .listening import hear_one, hear_three, phase_power, silence
from .one_circuit import powers_of_pairs
from .recursion import CLARKE, LANES, Passes, kernel, passes
from .solved import PairPower, check_phases
from .tree import Forest
from .walk import NEVER_DB, Route, norms, pattern, phase_voltage, route, spread, to_clarke, to_lanes

Array = NDArray[Any]
W = LANES

SOURCES = 4
"""Sources that walk together."""


@dataclass(frozen=True)
class TreeSolved:
    """A forest solved in two passes; see `solved.Solved` for what it answers.

    phase : (n,) int8 phase of each position, -1 for all three; 0 everywhere on one circuit
    mode : of propagation where there is one circuit
    """

    line: Lines
    tree: Forest
    shunt_s: Array = field(repr=False)
    phase: Array
    method: str
    mode: int = DIFFERENCE

    @property
    def n_phases(self) -> int:
        """3, or 1 for one circuit."""
        return int(self.shunt_s.shape[2])

    @cached_property
    def single(self) -> Passes:
        """The solution with ratios in single precision."""
        return passes(self.line, self.tree, self.shunt_s, self.phase, self.mode, np.float32)

    @cached_property
    def double(self) -> Passes:
        """The solution with ratios in double precision."""
        return passes(self.line, self.tree, self.shunt_s, self.phase, self.mode, np.float64)

    @cached_property
    def norm_db(self) -> Array:
        """(n,) what each position can gain over its parent, see `walk.norms`."""
        return np.asarray(norms(self.single, self.tree.edge))

    def seen_s(self, node: Array) -> Array:
        """See `solved.Solved`; raises ValueError for a node that no cable joins to a root."""
        position = reached(self.tree, node)
        out = np.zeros((position.size, self.shunt_s.shape[0], self.n_phases, self.n_phases, self.line.n_carriers), complex)
        _seen(position, self.single, out)
        return out

    def voltages(self, source_node: Array, source_v: Array, node: Array) -> Array:
        """See `solved.Solved`."""
        way = route(self.tree, self.phase, self.norm_db, np.asarray(source_node), np.asarray(node))
        source = np.ascontiguousarray(source_v, dtype=np.complex128)
        out = np.zeros((way.source.size, way.receiver.size, *source.shape[1:]), complex)
        _voltages(way, self.double, source, out)
        return out

    def pair_power(
        self, source_node: Array, source_v: Array, receiver_node: Array, receiver_phase: Array, floor_db: float
    ) -> PairPower:
        """See `solved.Solved`."""
        way = route(self.tree, self.phase, self.norm_db, np.asarray(source_node), np.asarray(receiver_node))
        source = np.ascontiguousarray(source_v, dtype=np.complex128)
        wanted = self._wanted(receiver_node, receiver_phase, "receiver")
        shape = (way.source.size, way.receiver.size)
        n_states, n_carriers = source.shape[1], source.shape[3]
        power = np.empty((*shape, n_states * n_carriers), np.float32)
        level, heard = np.empty((*shape, self.n_phases), np.float32), np.empty(shape, np.int8)
        if self.n_phases == 1:
            heard[:] = 0
            powers_of_pairs(way, self.single, source, float(floor_db), power, level)
        else:
            _pair_power(way, self.single, source, wanted, max(float(floor_db), NEVER_DB), power, level, heard)
        return PairPower(power.reshape(*shape, n_states, n_carriers), level, heard)

    def carried_uv2(self, source_node: Array, source_phase: Array, level_uv2: Array, node: Array) -> Array:
        """See `solved.Solved`."""
        way = route(self.tree, self.phase, self.norm_db, np.asarray(source_node), np.asarray(node))
        phase = self._wanted(source_node, source_phase, "source")
        if np.any(phase < 0):
            raise ValueError(f"source {int(np.argmax(phase < 0))} has no phase; give 0, 1 or 2")
        out = np.zeros((way.receiver.size, self.n_phases, self.shunt_s.shape[0] * self.line.n_carriers))
        _carried(way, self.single, phase, np.asarray(level_uv2, np.float64), out)
        return out.reshape(*out.shape[:2], self.shunt_s.shape[0], self.line.n_carriers)

    def _wanted(self, node: Array, phase: Array, what: str) -> Array:
        """Phases of terminals, checked; all 0 on one circuit."""
        if self.n_phases == 1:
            return np.zeros(np.shape(phase), np.int64)
        own = np.append(self.phase, np.int8(-1))[self.tree.position[node]]
        check_phases(own, np.asarray(phase), what)
        return np.asarray(np.where(own >= 0, own, phase), np.int64)


def reached(tree: Forest, node: Array) -> Array:
    """Positions of nodes; raises ValueError naming the first that no cable joins to a root."""
    position = tree.position[node]
    if np.any(lost := position < 0):
        raise ValueError(f"node {int(np.asarray(node)[np.argmax(lost)])} is not joined to a bus; leave it out")
    return np.asarray(position)


@kernel
def _seen(position: Array, solved: Passes, out: Array) -> None:
    """Admittances out of lanes."""
    n_carriers = out.shape[4]
    index = ((0, 1, 2), (1, 3, 4), (2, 4, 5))
    for one in range(position.size):
        phase, slot = solved.phase[position[one]], solved.slot[position[one]]
        for state in range(out.shape[1]):
            for k in range(n_carriers):
                cell, w = divmod(state * n_carriers + k, W)
                if phase >= 0:
                    row = solved.y1[slot, cell]
                    out[one, state, phase, phase, k] = complex(row[w], row[W + w])
                    continue
                row = solved.y3[slot, cell]
                for p in range(3):
                    for q in range(3):
                        total = 0j
                        for i in range(3):
                            for j in range(3):
                                o = 2 * index[i][j] * W + w
                                total += CLARKE[i, p] * CLARKE[j, q] * complex(row[o], row[o + W])
                        out[one, state, p, q, k] = total


@kernel
def _drive(source_v: Array, phase: int, out: Array) -> None:
    """Voltages of a source, (n_states, n_phases, n_carriers), into lanes."""
    if phase < 0:
        to_clarke(source_v, out)
    else:
        to_lanes(source_v[:, phase], out)


@kernel
def _rooms(n: int, way: Route, solved: Passes) -> tuple[Array, Array]:
    """Voltages and marks of some walks at a time."""
    n_cells, width = max(solved.y3.shape[1], solved.y1.shape[1]), (6 if solved.y3.shape[0] else 2) * W
    volts = np.empty((n, way.position.size, n_cells, width), solved.down1.dtype)
    return volts, np.empty((n, way.position.size), np.bool_)


@kernel
def _voltages(way: Route, solved: Passes, source_v: Array, out: Array) -> None:
    """Voltages of all pairs."""
    volts, reach = _rooms(1, way, solved)
    for i in range(way.source.size):
        if way.source[i] < 0:
            continue
        _drive(source_v[i], solved.phase[way.position[way.source[i]]], volts[0, way.source[i]])
        spread(way.source[i : i + 1], way, solved, NEVER_DB, True, volts, reach)
        for j in range(way.receiver.size):
            here = way.receiver[j]
            if here < 0 or not reach[0, here]:
                continue
            phase = solved.phase[way.position[here]]
            for p in range(out.shape[3]):
                if phase < 0 or p == phase:
                    phase_voltage(volts[0, here], phase < 0, p, out[i, j, :, p])


@kernel
def _pair_power(
    way: Route,
    solved: Passes,
    source_v: Array,
    wanted: Array,
    floor_db: float,
    power: Array,
    level_db: Array,
    heard: Array,
) -> None:
    """Powers of all pairs."""
    volts, reach = _rooms(SOURCES, way, solved)
    rows, held = np.empty((level_db.shape[2], power.shape[2]), np.float32), scratch()
    for first in range(0, way.source.size, SOURCES):
        some = way.source[first : first + SOURCES]
        for i in range(some.size):
            if some[i] >= 0:
                _drive(source_v[first + i], solved.phase[way.position[some[i]]], volts[i, some[i]])
        spread(some, way, solved, floor_db, False, volts, reach)
        for i in range(some.size):
            for j in range(way.receiver.size):
                out, level, here = power[first + i, j], level_db[first + i, j], way.receiver[j]
                if here < 0 or not reach[i, here]:
                    silence(out, level)
                    heard[first + i, j] = max(wanted[j], 0)
                    continue
                phase = solved.phase[way.position[here]]
                if phase >= 0:
                    _one_power(volts[i, here], way.tip[here] and here != some[i], out)
                    hear_one(phase, floor_db, out, level, held)
                    heard[first + i, j] = phase
                    continue
                for p in range(rows.shape[0]):
                    phase_power(volts[i, here], True, p, rows[p])
                heard[first + i, j] = hear_three(rows, wanted[j], floor_db, out, level, held)


@kernel
def _one_power(volts: Array, is_power: bool, out: Array) -> None:
    """|V|^2 at a node on one phase; at tips it stands there already."""
    if is_power:
        row = volts.reshape(-1)
        for n in range(out.size):
            out[n] = row[n]
    else:
        phase_power(volts, False, 0, out)


@kernel
def _carried(way: Route, solved: Passes, phase: Array, level_uv2: Array, out: Array) -> None:
    """Summed powers of sources that each hold one phase."""
    volts, reach = _rooms(1, way, solved)
    row = np.empty(out.shape[2], np.float32)
    for i in range(way.source.size):
        start = way.source[i]
        if start < 0:
            continue
        at = way.position[start]
        if solved.phase[at] < 0:
            pattern(solved.y3[solved.slot[at]], phase[i], volts[0, start])
        else:
            volts[0, start, :, :W], volts[0, start, :, W : 2 * W] = 1, 0
        spread(way.source[i : i + 1], way, solved, NEVER_DB, False, volts, reach)
        for j in range(way.receiver.size):
            here = way.receiver[j]
            if here < 0 or not reach[0, here]:
                continue
            own = solved.phase[way.position[here]]
            for p in range(out.shape[1]):
                if own >= 0 and p != own:
                    continue
                if own < 0:
                    phase_power(volts[0, here], True, p, row)
                else:
                    _one_power(volts[0, here], way.tip[here] and here != start, row)
                for n in range(row.size):
                    out[j, p, n] += row[n] * level_uv2[i, n % level_uv2.shape[1]]
