"""A solved forest with its phases coupled, or with everything on one circuit."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import one_circuit
from .answers import admittances, carried_powers, powers_of_pairs, voltages_of_pairs
from .cables import DIFFERENCE
from .edges import Lines
from .recursion import Passes, passes
from .route import NEVER_DB, norms, route
from .solved import PairPower, check_phases
from .tree import Forest

Array = NDArray[Any]


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
        out = np.zeros(
            (position.size, self.shunt_s.shape[0], self.n_phases, self.n_phases, self.line.n_carriers), complex
        )
        admittances(position, self.single, out)
        return out

    def voltages(self, source_node: Array, source_v: Array, node: Array) -> Array:
        """See `solved.Solved`."""
        way = route(self.tree, self.phase, self.norm_db, np.asarray(source_node), np.asarray(node))
        source = np.ascontiguousarray(source_v, dtype=np.complex128)
        out = np.zeros((way.source.size, way.receiver.size, *source.shape[1:]), complex)
        voltages_of_pairs(way, self.double, source, out)
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
            one_circuit.powers_of_pairs(way, self.single, source, float(floor_db), power, level)
        else:
            powers_of_pairs(way, self.single, source, wanted, max(float(floor_db), NEVER_DB), power, level, heard)
        return PairPower(power.reshape(*shape, n_states, n_carriers), level, heard)

    def carried_uv2(self, source_node: Array, source_phase: Array, level_uv2: Array, node: Array) -> Array:
        """See `solved.Solved`."""
        way = route(self.tree, self.phase, self.norm_db, np.asarray(source_node), np.asarray(node))
        phase = self._wanted(source_node, source_phase, "source")
        if np.any(phase < 0):
            raise ValueError(f"source {int(np.argmax(phase < 0))} has no phase; give 0, 1 or 2")
        out = np.zeros((way.receiver.size, self.n_phases, self.shunt_s.shape[0] * self.line.n_carriers))
        carried_powers(way, self.single, phase, np.asarray(level_uv2, np.float64), out)
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
