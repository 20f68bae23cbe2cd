"""A solved forest whose phases are loaded alike: Clarke's transformation leaves two circuits, one for each mode."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cables import COMMON, DIFFERENCE
from .edges import Lines
from .lanes import LANES, kernel, to_lanes
from .levels import scratch
from .listening import hear_three, silence
from .recursion import Passes
from .route import NEVER_DB, Route, route
from .solved import PairPower
from .tree import Forest
from .tree_solved import TreeSolved
from .walk import spread

Array = NDArray[Any]
W = LANES


@dataclass(frozen=True)
class BalancedSolved:
    """Two circuits in place of three coupled phases; see `solved.Solved` for what it answers.

    References
    ----------
    E. Clarke, "Circuit Analysis of A-C Power Systems", vol. 1, 1943: V_p = V_0 + (V_p - V_0) with the mean V_0 of the
    phases on the common mode and what is left on the difference mode.
    """

    line: Lines
    tree: Forest
    shunt_s: Array = field(repr=False)
    method: str = "Clarke modes"

    @cached_property
    def modes(self) -> tuple[TreeSolved, TreeSolved]:
        """The circuits of the difference and the common mode."""
        first = np.ascontiguousarray(self.shunt_s[:, :, :1])
        phase = np.zeros(self.tree.node.size, np.int8)
        difference, common = (
            TreeSolved(self.line, self.tree, first, phase, "one circuit", mode) for mode in (DIFFERENCE, COMMON)
        )
        return difference, common

    def seen_s(self, node: Array) -> Array:
        """See `solved.Solved`; raises ValueError for a node that no cable joins to a root."""
        difference, common = (mode.seen_s(node) for mode in self.modes)
        return np.asarray(difference * np.eye(3)[:, :, None] + (common - difference) / 3)

    def voltages(self, source_node: Array, source_v: Array, node: Array) -> Array:
        """See `solved.Solved`."""
        source = np.asarray(source_v, complex)
        one = np.ones((source.shape[0], source.shape[1], 1, source.shape[3]), complex)
        difference, common = (mode.voltages(source_node, one, node) for mode in self.modes)
        mean = source.mean(2, keepdims=True)
        return np.asarray(common * mean[:, None] + difference * (source - mean)[:, None])

    def pair_power(
        self, source_node: Array, source_v: Array, receiver_node: Array, receiver_phase: Array, floor_db: float
    ) -> PairPower:
        """See `solved.Solved`."""
        difference, common = (mode.single for mode in self.modes)
        way = route(
            self.tree, self.modes[0].phase, self.modes[0].norm_db, np.asarray(source_node), np.asarray(receiver_node)
        )
        source = np.ascontiguousarray(source_v, dtype=np.complex128)
        shape = (way.source.size, way.receiver.size)
        n_states, n_carriers = source.shape[1], source.shape[3]
        power = np.empty((*shape, n_states * n_carriers), np.float32)
        level, heard = np.empty((*shape, 3), np.float32), np.empty(shape, np.int8)
        wanted = np.asarray(receiver_phase, np.int64)
        _pair_power(way, difference, common, source, wanted, float(floor_db), power, level, heard)
        return PairPower(power.reshape(*shape, n_states, n_carriers), level, heard)

    def carried_uv2(self, source_node: Array, source_phase: Array, level_uv2: Array, node: Array) -> Array:
        """See `solved.Solved`."""
        seen = self.seen_s(source_node)
        impedance = np.linalg.inv(np.moveaxis(seen, -1, 2))
        own = np.asarray(source_phase, np.int64)
        if np.any(own < 0):
            raise ValueError(f"source {int(np.argmax(own < 0))} has no phase; give 0, 1 or 2")
        column = impedance[np.arange(own.size), :, :, :, own]
        source = np.moveaxis(column / column[np.arange(own.size), :, :, own][..., None], -1, 2)
        out = np.zeros((np.size(node), *source.shape[1:]))
        for i in range(own.size):
            volts = self.voltages(source_node[i : i + 1], source[i : i + 1], node)[0]
            out += (volts.real**2 + volts.imag**2) * level_uv2[i]
        return np.moveaxis(out, 2, 1)


@kernel
def _pair_power(
    way: Route,
    difference: Passes,
    common: Passes,
    source_v: Array,
    wanted: Array,
    floor_db: float,
    power: Array,
    level_db: Array,
    heard: Array,
) -> None:
    """Powers of all pairs."""
    shape = (1, way.position.size, difference.y1.shape[1], 2 * W)
    of_difference, of_common = np.empty(shape, np.float32), np.empty(shape, np.float32)
    source, reach = np.empty((4, *shape[2:]), np.float32), np.empty(shape[:2], np.bool_)
    none = np.empty((1, 0, 0), np.float32)
    rows, held = np.empty((3, shape[2] * W), np.float32), scratch()
    for i in range(way.source.size):
        start = way.source[i]
        reach[:] = False
        if start >= 0:
            _modes(source_v[i], source)
            for volts, solved in ((of_difference, difference), (of_common, common)):
                volts[0, start, :, :W], volts[0, start, :, W:] = 1, 0
                spread(way.source[i : i + 1], way, solved, NEVER_DB, volts, reach, none)
        for j in range(way.receiver.size):
            here = way.receiver[j]
            if here < 0 or not reach[0, here]:
                silence(power[i, j], level_db[i, j])
                heard[i, j] = max(wanted[j], 0)
                continue
            for p in range(3):
                _together(of_common[0, here], source[3], of_difference[0, here], source[p], rows[p])
            heard[i, j] = hear_three(rows, wanted[j], floor_db, power[i, j], level_db[i, j], held)


@kernel
def _modes(source_v: Array, out: Array) -> None:
    """Mean of three phases (last) and what each has beside it, (n_states, 3, n_carriers) into lanes."""
    mean = (source_v[:, 0] + source_v[:, 1] + source_v[:, 2]) / 3
    to_lanes(mean, out[3])
    for p in range(3):
        to_lanes(source_v[:, p] - mean, out[p])


@kernel
def _together(a: Array, b: Array, c: Array, d: Array, out: Array) -> None:
    """|a b + c d|^2."""
    for cell in range(a.shape[0]):
        for w in range(W):
            re = a[cell, w] * b[cell, w] - a[cell, W + w] * b[cell, W + w]
            re += c[cell, w] * d[cell, w] - c[cell, W + w] * d[cell, W + w]
            im = a[cell, w] * b[cell, W + w] + a[cell, W + w] * b[cell, w]
            im += c[cell, w] * d[cell, W + w] + c[cell, W + w] * d[cell, w]
            out[cell * W + w] = re * re + im * im
