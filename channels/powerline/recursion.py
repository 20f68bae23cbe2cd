"""The two passes through a forest: admittances and voltage ratios of every edge in both senses.

A node with three phases holds a symmetric 3x3 admittance, a node on one phase a number; so do all nodes where all
hangs on one circuit. How the numbers lie says `lanes`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .edges import Lines
from .lanes import LANES, kernel, line_lanes, one_shunt, three_shunts
from .through import add, add_to_phase, seen_on_phase, through1, through3, without
from .tree import THREE, Forest

Array = NDArray[Any]
W = LANES


class Passes(NamedTuple):
    """A solved forest, in lanes.

    phase : (n,) int8 of each position;  slot : (n,) row of a position in the arrays of its kind
    y3 : (n_three, n_cells, 12 W) float64 admittance seen at a node, everything included, upper triangle [S]
    y1 : (n_one, n_cells, 2 W) the same on one phase
    down3, up3 : (n_three, n_cells, 18 W) V_node = down V_parent, and V_parent = up V_node with the source below
    down1, up1 : (n_one, n_cells, 2 W) the same; at a node below three phases, of that phase's voltage
    n_lanes : states times carriers
    """

    phase: Array
    slot: Array
    y3: Array
    y1: Array
    down3: Array
    up3: Array
    down1: Array
    up1: Array
    n_lanes: int


def passes(line: Lines, tree: Forest, shunt_s: Array, phase: Array, mode: int, precision: type) -> Passes:
    """Solve a forest in two passes.

    Parameters
    ----------
    shunt_s : (n_states, n_nodes, n_phases, n_carriers) complex128 [S]
    phase : (n,) int8 phase of each position, see `tree.phases_of`; all 0 where there is one circuit
    mode : row of the line constants that positions on one phase use
    precision : of the ratios that are kept; the solution itself is in double precision

    References
    ----------
    Line theory, with T = tanh(gamma l), S = 1/cosh(gamma l) and the load Y: seen = T/Z0 + S W S and
    V_far = (I - Z0 T W) S V_near, where W = Y (I + Z0 T Y)^-1; nothing grows with the length of a line.
    """
    three = phase == THREE
    slot = np.where(three, np.cumsum(three), np.cumsum(~three)) - 1
    n_three, n_one = int(three.sum()), int((~three).sum())
    n_lanes = shunt_s.shape[0] * shunt_s.shape[3]
    n_cells = -(-n_lanes // W)
    y3, y1 = np.empty((n_three, n_cells, 12 * W)), np.empty((n_one, n_cells, 2 * W))
    down3, up3 = (np.empty((n_three, n_cells, 18 * W), precision) for _ in range(2))
    down1, up1 = (np.empty((n_one, n_cells, 2 * W), precision) for _ in range(2))
    constant = line_lanes(line.tanh, line.sech, line.z0_ohm, tree.edge, mode, phase, n_cells)
    place = (tree.node, tree.parent, phase, slot, tree.n_roots, constant)
    branch3, branch1 = _inward(*place, shunt_s, y3, y1, down3, down1)
    _outward(*place, branch3, branch1, y3, y1, up3, up1)
    return Passes(phase, slot, y3, y1, down3, up3, down1, up1, n_lanes)


@kernel
def _inward(
    node: Array,
    parent: Array,
    phase: Array,
    slot: Array,
    n_roots: int,
    constant: Array,
    shunt_s: Array,
    y3: Array,
    y1: Array,
    down3: Array,
    down1: Array,
) -> tuple[Array, Array]:
    """From the leaves to the roots: admittances of what hangs below, ratios for sources above."""
    branch3, branch1 = np.empty_like(y3), np.empty_like(y1)
    for position in range(node.size):
        if phase[position] < 0:
            three_shunts(shunt_s, node[position], y3[slot[position]])
        else:
            one_shunt(shunt_s, node[position], phase[position], y1[slot[position]])
    for position in range(node.size - 1, n_roots - 1, -1):
        here, above = slot[position], slot[parent[position]]
        if phase[position] < 0:
            through3(y3[here], constant[position], branch3[here], down3[here])
            add(y3[above], branch3[here])
        else:
            through1(y1[here], constant[position], branch1[here], down1[here])
            if phase[parent[position]] < 0:
                add_to_phase(y3[above], branch1[here], phase[position])
            else:
                add(y1[above], branch1[here])
    return branch3, branch1


@kernel
def _outward(
    node: Array,
    parent: Array,
    phase: Array,
    slot: Array,
    n_roots: int,
    constant: Array,
    branch3: Array,
    branch1: Array,
    y3: Array,
    y1: Array,
    up3: Array,
    up1: Array,
) -> None:
    """From the roots to the leaves: the rest of the network as the load of each edge, ratios for sources below."""
    rest3, seen3 = np.empty(y3.shape[1:]), np.empty(y3.shape[1:])
    rest1, seen1 = np.empty(y1.shape[1:]), np.empty(y1.shape[1:])
    for position in range(n_roots, node.size):
        here, above = slot[position], slot[parent[position]]
        if phase[position] < 0:
            without(y3[above], branch3[here], rest3)
            through3(rest3, constant[position], seen3, up3[here])
            add(y3[here], seen3)
            continue
        if phase[parent[position]] < 0:
            seen_on_phase(y3[above], phase[position], rest1)
            without(rest1, branch1[here], rest1)
        else:
            without(y1[above], branch1[here], rest1)
        through1(rest1, constant[position], seen1, up1[here])
        add(y1[here], seen1)
