"""The two passes through a forest: admittances and voltage ratios of every edge in both senses.

A node with three phases holds a symmetric 3x3 admittance in Clarke's basis (rows 0, alpha, beta), in which every edge
is diagonal: row 0 is the common mode, the other two are the difference mode. A node on one phase holds a number; so
do all nodes where everything hangs on one circuit.

Numbers lie in lanes: states and carriers in one row (``state * n_carriers + carrier``), cut into cells of ``LANES``.
The last axis is ``component * LANES + lane``, the one before counts cells, real and imaginary parts apart. Lanes behind
the last one repeat it. Fixed distances between components are what lets a compiler calculate lanes side by side.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .edges import Lines
from .tree import THREE, Forest

Array = NDArray[Any]

LANES = 24
"""Carriers side by side: a multiple of every vector length, and long enough that compilers do not leave loops alone."""

W = LANES
ROOT3, ROOT6, ROOT2 = 3**-0.5, 6**-0.5, 2**-0.5
CLARKE = np.array([[ROOT3, ROOT3, ROOT3], [2 * ROOT6, -ROOT6, -ROOT6], [0.0, ROOT2, -ROOT2]])
"""Orthonormal: component = CLARKE @ phase."""

kernel = njit(cache=True, nogil=True, error_model="numpy")


class Passes(NamedTuple):
    """A solved forest, in lanes (see the head of this file).

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
    constant = _line_lanes(line.tanh, line.log_cosh, line.z0_ohm, tree.edge, mode, phase, n_cells)
    place = (tree.node, tree.parent, phase, slot, tree.n_roots, constant)
    branch3, branch1 = _inward(*place, shunt_s, y3, y1, down3, down1)
    _outward(*place, branch3, branch1, y3, y1, up3, up1)
    return Passes(phase, slot, y3, y1, down3, up3, down1, up1, n_lanes)


@kernel
def _line_lanes(
    tanh: Array, log_cosh: Array, z0_ohm: Array, edge: Array, mode: int, phase: Array, n_cells: int
) -> Array:
    """Z0 T, T / Z0 and 1/cosh of each position's edge in lanes: ``mode`` first, then (three phases) the common mode."""
    n_carriers = tanh.shape[2]
    out = np.empty((edge.size, n_cells, 12 * W))
    one = np.empty((6, n_carriers))
    for position in range(edge.size):
        e = edge[position]
        if e < 0:
            continue
        for turn in range(2 if phase[position] < 0 else 1):
            m = mode if turn == 0 else 1
            for k in range(n_carriers):
                t, z, growth = tanh[m, e, k], z0_ohm[m, e, k], log_cosh[m, e, k]
                series, shunt, size = z * t, t * _inverse(z), np.exp(-growth.real)
                one[0, k], one[1, k], one[2, k], one[3, k] = series.real, series.imag, shunt.real, shunt.imag
                one[4, k], one[5, k] = size * np.cos(growth.imag), -size * np.sin(growth.imag)
            for i in range(6):
                k = 0
                for cell in range(n_cells):
                    for w in range((turn * 6 + i) * W, (turn * 6 + i + 1) * W):
                        out[position, cell, w] = one[i, k]
                        k = k + 1 if k + 1 < n_carriers else 0
    return out


@kernel
def _inverse(y: complex) -> complex:
    """1 / y without the branches of a guarded division."""
    over = 1 / (y.real * y.real + y.imag * y.imag)
    return complex(y.real * over, -y.imag * over)


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
            _three_shunts(shunt_s, node[position], y3[slot[position]])
        else:
            _one_shunt(shunt_s, node[position], phase[position], y1[slot[position]])
    for position in range(node.size - 1, n_roots - 1, -1):
        here, above = slot[position], slot[parent[position]]
        if phase[position] < 0:
            _through3(y3[here], constant[position], branch3[here], down3[here])
            _add(y3[above], branch3[here])
        else:
            _through1(y1[here], constant[position], branch1[here], down1[here])
            if phase[parent[position]] < 0:
                _add_to_phase(y3[above], branch1[here], phase[position])
            else:
                _add(y1[above], branch1[here])
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
            _without(y3[above], branch3[here], rest3)
            _through3(rest3, constant[position], seen3, up3[here])
            _add(y3[here], seen3)
            continue
        if phase[parent[position]] < 0:
            _seen_on_phase(y3[above], phase[position], rest1)
            _without(rest1, branch1[here], rest1)
        else:
            _without(y1[above], branch1[here], rest1)
        _through1(rest1, constant[position], seen1, up1[here])
        _add(y1[here], seen1)


@kernel
def _one_shunt(shunt_s: Array, node: int, phase: int, out: Array) -> None:
    """Shunt of one phase into lanes."""
    n_carriers = shunt_s.shape[3]
    last = shunt_s.shape[0] * n_carriers - 1
    for lane in range(out.shape[0] * W):
        state, k = divmod(min(lane, last), n_carriers)
        y = shunt_s[state, node, phase, k]
        cell, w = lane // W, lane % W
        out[cell, w], out[cell, W + w] = y.real, y.imag


@kernel
def _three_shunts(shunt_s: Array, node: int, out: Array) -> None:
    """Shunts of three phases into lanes, in Clarke's basis."""
    n_carriers = shunt_s.shape[3]
    last = shunt_s.shape[0] * n_carriers - 1
    for lane in range(out.shape[0] * W):
        state, k = divmod(min(lane, last), n_carriers)
        a, b, c = shunt_s[state, node, 0, k], shunt_s[state, node, 1, k], shunt_s[state, node, 2, k]
        y00, y01, y02 = (a + b + c) / 3, (a + a - b - c) * (ROOT2 / 3), (b - c) * ROOT6
        y11, y12, y22 = (4 * a + b + c) / 6, (c - b) * (ROOT3 / 2), (b + c) / 2
        row, w = out[lane // W], lane % W
        row[w], row[W + w], row[2 * W + w], row[3 * W + w] = y00.real, y00.imag, y01.real, y01.imag
        row[4 * W + w], row[5 * W + w], row[6 * W + w], row[7 * W + w] = y02.real, y02.imag, y11.real, y11.imag
        row[8 * W + w], row[9 * W + w], row[10 * W + w], row[11 * W + w] = y12.real, y12.imag, y22.real, y22.imag


@kernel
def _add(total: Array, part: Array) -> None:
    """Add cell by cell."""
    for cell in range(total.shape[0]):
        for i in range(total.shape[1]):
            total[cell, i] += part[cell, i]


@kernel
def _without(total: Array, part: Array, out: Array) -> None:
    """What is left of a sum without one part."""
    for cell in range(total.shape[0]):
        for i in range(total.shape[1]):
            out[cell, i] = total[cell, i] - part[cell, i]


@kernel
def _add_to_phase(total: Array, part: Array, phase: int) -> None:
    """Add an admittance on one phase to a 3x3 admittance in Clarke's basis."""
    q0, q1, q2 = CLARKE[0, phase], CLARKE[1, phase], CLARKE[2, phase]
    weight = (q0 * q0, q0 * q1, q0 * q2, q1 * q1, q1 * q2, q2 * q2)
    for cell in range(total.shape[0]):
        for i in range(6):
            for w in range(2 * W):
                total[cell, 2 * i * W + w] += weight[i] * part[cell, w]


@kernel
def _through1(load: Array, constant: Array, seen: Array, ratio: Array) -> None:
    """An edge of one mode with its load: admittance seen at the near end, V_far / V_near."""
    for cell in range(load.shape[0]):
        for w in range(W):
            y = complex(load[cell, w], load[cell, W + w])
            series = complex(constant[cell, w], constant[cell, W + w])
            shunt = complex(constant[cell, 2 * W + w], constant[cell, 3 * W + w])
            decay = complex(constant[cell, 4 * W + w], constant[cell, 5 * W + w])
            r = _inverse(1 + series * y) * decay
            y_in = shunt + y * r * decay
            ratio[cell, w], ratio[cell, W + w] = r.real, r.imag
            seen[cell, w], seen[cell, W + w] = y_in.real, y_in.imag


@kernel
def _through3(load: Array, constant: Array, seen: Array, ratio: Array) -> None:
    """An edge of three phases with its load, in Clarke's basis; W is found by adding one mode's impedance at a time."""
    for cell in range(load.shape[0]):
        for w in range(W):
            y00, y01 = complex(load[cell, w], load[cell, W + w]), complex(load[cell, 2 * W + w], load[cell, 3 * W + w])
            y02 = complex(load[cell, 4 * W + w], load[cell, 5 * W + w])
            y11 = complex(load[cell, 6 * W + w], load[cell, 7 * W + w])
            y12 = complex(load[cell, 8 * W + w], load[cell, 9 * W + w])
            y22 = complex(load[cell, 10 * W + w], load[cell, 11 * W + w])
            ad = complex(constant[cell, w], constant[cell, W + w])
            td = complex(constant[cell, 2 * W + w], constant[cell, 3 * W + w])
            sd = complex(constant[cell, 4 * W + w], constant[cell, 5 * W + w])
            a0 = complex(constant[cell, 6 * W + w], constant[cell, 7 * W + w])
            t0 = complex(constant[cell, 8 * W + w], constant[cell, 9 * W + w])
            s0 = complex(constant[cell, 10 * W + w], constant[cell, 11 * W + w])
            r = _inverse(1 + a0 * y00)
            f, g, h = a0 * r, y01, y02
            y00, y01, y02 = y00 * r, y01 * r, y02 * r
            y11, y12, y22 = y11 - f * g * g, y12 - f * g * h, y22 - f * h * h
            r = _inverse(1 + ad * y11)
            f, g, h = ad * r, y01, y12
            y11, y01, y12 = y11 * r, y01 * r, y12 * r
            y00, y02, y22 = y00 - f * g * g, y02 - f * g * h, y22 - f * h * h
            r = _inverse(1 + ad * y22)
            f, g, h = ad * r, y02, y12
            y22, y02, y12 = y22 * r, y02 * r, y12 * r
            y00, y01, y11 = y00 - f * g * g, y01 - f * g * h, y11 - f * h * h
            p, q, both = a0 * sd, ad * s0, ad * sd
            one = s0 - a0 * y00 * s0
            ratio[cell, w], ratio[cell, W + w] = one.real, one.imag
            one = -p * y01
            ratio[cell, 2 * W + w], ratio[cell, 3 * W + w] = one.real, one.imag
            one = -p * y02
            ratio[cell, 4 * W + w], ratio[cell, 5 * W + w] = one.real, one.imag
            one = -q * y01
            ratio[cell, 6 * W + w], ratio[cell, 7 * W + w] = one.real, one.imag
            one = sd - both * y11
            ratio[cell, 8 * W + w], ratio[cell, 9 * W + w] = one.real, one.imag
            other = -both * y12
            ratio[cell, 10 * W + w], ratio[cell, 11 * W + w] = other.real, other.imag
            one = -q * y02
            ratio[cell, 12 * W + w], ratio[cell, 13 * W + w] = one.real, one.imag
            ratio[cell, 14 * W + w], ratio[cell, 15 * W + w] = other.real, other.imag
            one = sd - both * y22
            ratio[cell, 16 * W + w], ratio[cell, 17 * W + w] = one.real, one.imag
            dd, cross = sd * sd, s0 * sd
            one = t0 + s0 * s0 * y00
            seen[cell, w], seen[cell, W + w] = one.real, one.imag
            one = cross * y01
            seen[cell, 2 * W + w], seen[cell, 3 * W + w] = one.real, one.imag
            one = cross * y02
            seen[cell, 4 * W + w], seen[cell, 5 * W + w] = one.real, one.imag
            one = td + dd * y11
            seen[cell, 6 * W + w], seen[cell, 7 * W + w] = one.real, one.imag
            one = dd * y12
            seen[cell, 8 * W + w], seen[cell, 9 * W + w] = one.real, one.imag
            one = td + dd * y22
            seen[cell, 10 * W + w], seen[cell, 11 * W + w] = one.real, one.imag


@kernel
def _seen_on_phase(total: Array, phase: int, out: Array) -> None:
    """Admittance on one phase with the other two open: 1 / (q' Y^-1 q)."""
    q0, q1, q2 = CLARKE[0, phase], CLARKE[1, phase], CLARKE[2, phase]
    for cell in range(total.shape[0]):
        for w in range(W):
            a, b = complex(total[cell, w], total[cell, W + w]), complex(total[cell, 2 * W + w], total[cell, 3 * W + w])
            c = complex(total[cell, 4 * W + w], total[cell, 5 * W + w])
            d = complex(total[cell, 6 * W + w], total[cell, 7 * W + w])
            e = complex(total[cell, 8 * W + w], total[cell, 9 * W + w])
            f = complex(total[cell, 10 * W + w], total[cell, 11 * W + w])
            c00, c01, c02 = d * f - e * e, c * e - b * f, b * e - c * d
            c11, c12, c22 = a * f - c * c, b * c - a * e, a * d - b * b
            determinant = a * c00 + b * c01 + c * c02
            p0, p1, p2 = q0 * c00 + q1 * c01 + q2 * c02, q0 * c01 + q1 * c11 + q2 * c12, q0 * c02 + q1 * c12 + q2 * c22
            y = determinant * _inverse(q0 * p0 + q1 * p1 + q2 * p2)
            out[cell, w], out[cell, W + w] = y.real, y.imag
