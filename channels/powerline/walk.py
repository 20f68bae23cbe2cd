"""From one source through a solved forest: the voltage at every node, in lanes (see `recursion`).

Voltages on three phases are kept in Clarke's basis. A route lists, in breadth-first order, the positions that a set of
sources and receivers needs; voltages are kept in rows of the route.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .levels import level_sum_db, scratch
from .recursion import CLARKE, LANES, Passes, kernel
from .tree import Forest

Array = NDArray[Any]
W = LANES

NEVER_DB = -1e30
STRIDE = 8
"""Edges after which the level of a walk is measured again; between them it is bounded by the norms of the edges."""
SLACK_DB = 1e-2
"""What single precision may add to a bound."""


class Route(NamedTuple):
    """Positions between sources and receivers.

    position : (n,) positions in rising order;  parent : (n,) row of the parent, its own at a root
    wanted : (n,) bool, a receiver sits at or below
    norm_db : (n,) upper bound of (mean level here) - (mean level at the parent)
    best_db : (n,) the same for the strongest receiver at or below
    tip : (n,) bool, a house at the end of a single-phase drop off three phases
    source, receiver : rows of the sources and receivers; -1 where the forest does not reach
    """

    position: Array
    parent: Array
    wanted: Array
    norm_db: Array
    best_db: Array
    tip: Array
    source: Array
    receiver: Array


def route(tree: Forest, phase: Array, norm_db: Array, source_node: Array, receiver_node: Array) -> Route:
    """Plan the walks of some sources to some receivers; ``phase`` (n_positions,), ``norm_db`` see `norms`."""
    source, receiver = tree.position[source_node], tree.position[receiver_node]
    needed, wanted = np.zeros(tree.node.size, bool), np.zeros(tree.node.size, bool)
    _mark(tree.parent, source, needed)
    _mark(tree.parent, receiver, wanted)
    position = np.flatnonzero(needed | wanted)
    row = np.full(tree.node.size + 1, -1)
    row[position] = np.arange(position.size)
    parent = row[tree.parent[position]]
    best = _bests(parent, wanted[position], row[receiver], norm_db[position])
    inner = np.zeros(position.size, bool)
    inner[parent[wanted[position]]] = True
    tip = ~inner & (phase[position] >= 0) & (phase[position[parent]] < 0)
    return Route(position, parent, wanted[position], norm_db[position], best, tip, row[source], row[receiver])


@kernel
def _mark(parent: Array, start: Array, out: Array) -> None:
    """Mark positions and all their ancestors."""
    for one in start:
        here = one
        while here >= 0 and not out[here]:
            out[here] = True
            here = parent[here]


@kernel
def _bests(parent: Array, wanted: Array, receiver: Array, norm_db: Array) -> Array:
    """Upper bound of what any receiver at or below a node gains over its parent [dB]."""
    best = np.full(parent.size, NEVER_DB)
    for row in receiver:
        if row >= 0:
            best[row] = 0.0
    for row in range(parent.size - 1, -1, -1):
        if wanted[row] and parent[row] != row:
            best[row] += norm_db[row]
            best[parent[row]] = max(best[parent[row]], best[row])
    return best


@kernel
def norms(solved: Passes, edge: Array) -> Array:
    """Upper bound of (mean level at a node) - (mean level at its parent) for every position [dB], 0 at roots.

    A level is the mean over states and carriers of 10 log10 of the sum of |V|^2 over the phases; the bound of a 3x3
    ratio is the square root of its largest row sum times its largest column sum.
    """
    out = np.zeros(edge.size)
    power, held = np.empty(max(solved.y3.shape[1], solved.y1.shape[1]) * W, np.float32), scratch()
    for position in range(edge.size):
        if edge[position] < 0:
            continue
        if solved.phase[position] < 0:
            _norm3(solved.down3[solved.slot[position]], power)
        else:
            _norm1(solved.down1[solved.slot[position]], power)
        out[position] = level_sum_db(power[: solved.n_lanes], held) / solved.n_lanes
    return out


@kernel
def _norm1(ratio: Array, power: Array) -> None:
    """Square of a number."""
    lanes = ratio.shape[1] // 2
    for cell in range(ratio.shape[0]):
        for w in range(lanes):
            power[cell * W + w] = ratio[cell, w] * ratio[cell, w] + ratio[cell, W + w] * ratio[cell, W + w]


@kernel
def _size(re: float, im: float) -> float:
    """Absolute value."""
    return np.sqrt(re * re + im * im)


@kernel
def _norm3(ratio: Array, power: Array) -> None:
    """Largest row sum times largest column sum of a matrix."""
    for cell in range(ratio.shape[0]):
        for w in range(W):
            a = _size(ratio[cell, w], ratio[cell, W + w])
            b = _size(ratio[cell, 2 * W + w], ratio[cell, 3 * W + w])
            c = _size(ratio[cell, 4 * W + w], ratio[cell, 5 * W + w])
            d = _size(ratio[cell, 6 * W + w], ratio[cell, 7 * W + w])
            e = _size(ratio[cell, 8 * W + w], ratio[cell, 9 * W + w])
            f = _size(ratio[cell, 10 * W + w], ratio[cell, 11 * W + w])
            g = _size(ratio[cell, 12 * W + w], ratio[cell, 13 * W + w])
            h = _size(ratio[cell, 14 * W + w], ratio[cell, 15 * W + w])
            i = _size(ratio[cell, 16 * W + w], ratio[cell, 17 * W + w])
            across, along = max(a + b + c, d + e + f, g + h + i), max(a + d + g, b + e + h, c + f + i)
            power[cell * W + w] = across * along


@kernel
def spread(rows: Array, way: Route, solved: Passes, floor_db: float, tips: bool, volts: Array, reached: Array) -> None:
    """Voltages of a route for some sources, whose own voltages stand in ``volts[i, rows[i]]``.

    Sources go together, so that an edge is read once for all of them. Receivers whose mean level would stay below
    ``floor_db`` need not be reached. Without ``tips`` the voltages of tips are replaced by their powers, a row of states
    and carriers.

    Parameters
    ----------
    rows : (n,) rows of the route, -1 for a source that the forest does not reach
    volts : (n, n_positions, n_cells, 6 W or 2 W);  reached : (n, n_positions) bool
    """
    position, parent, wanted, best_db, norm_db = way.position, way.parent, way.wanted, way.best_db, way.norm_db
    phase, slot, tip, down3, down1 = solved.phase, solved.slot, way.tip, solved.down3, solved.down1
    reached[:] = False
    for i in range(rows.size):
        if rows[i] >= 0:
            _climb(rows[i], way, solved, volts[i], reached[i])
    level, age = np.empty(reached.shape), np.full(reached.shape, STRIDE)
    power, held = np.empty(volts.shape[2] * W, np.float32), scratch()
    for below in range(position.size):
        above, at = parent[below], position[below]
        three = phase[position[above]] < 0
        for i in range(rows.size):
            if reached[i, below] or not wanted[below] or not reached[i, above]:
                continue
            if floor_db > NEVER_DB:
                if age[i, above] >= STRIDE:
                    level[i, above] = _strength_db(volts[i, above], three, solved.n_lanes, power, held)
                    age[i, above] = 0
                if level[i, above] + best_db[below] < floor_db - SLACK_DB:
                    continue
                level[i, below], age[i, below] = level[i, above] + norm_db[below], age[i, above] + 1
            reached[i, below] = True
            if phase[at] < 0:
                _turn(down3[slot[at]], volts[i, above], volts[i, below])
            elif tip[below] and not tips:
                _tip_power(down1[slot[at]], phase[at], volts[i, above], volts[i, below].reshape(-1))
            elif three:
                _drop(down1[slot[at]], phase[at], volts[i, above], volts[i, below])
            else:
                _scale(down1[slot[at]], volts[i, above], volts[i, below])


@kernel
def _climb(row: int, way: Route, solved: Passes, volts: Array, reached: Array) -> None:
    """Voltages on the way from a source to its root."""
    phase, slot, position = solved.phase, solved.slot, way.position
    reached[row] = True
    while way.parent[row] != row:
        above, at = way.parent[row], position[row]
        if phase[at] < 0:
            _turn(solved.up3[slot[at]], volts[row], volts[above])
        elif phase[position[above]] < 0:
            _lift(solved.up1[slot[at]], solved.y3[slot[position[above]]], phase[at], volts[row], volts[above])
        else:
            _scale(solved.up1[slot[at]], volts[row], volts[above])
        reached[above] = True
        row = above


@kernel
def _strength_db(volts: Array, three: bool, n_lanes: int, power: Array, held: Array) -> float:
    """Mean over states and carriers of 10 log10 of the sum of |V|^2 over the phases; the last two are scratch."""
    for cell in range(volts.shape[0]):
        for w in range(W):
            one = volts[cell, w] * volts[cell, w] + volts[cell, W + w] * volts[cell, W + w]
            if three:
                one += volts[cell, 2 * W + w] * volts[cell, 2 * W + w] + volts[cell, 3 * W + w] * volts[cell, 3 * W + w]
                one += volts[cell, 4 * W + w] * volts[cell, 4 * W + w] + volts[cell, 5 * W + w] * volts[cell, 5 * W + w]
            power[cell * W + w] = one
    return level_sum_db(power[:n_lanes], held) / n_lanes


@kernel
def _turn(ratio: Array, volts: Array, out: Array) -> None:
    """Matrix times voltages, three phases."""
    for cell in range(out.shape[0]):
        for w in range(W):
            ar, ai = volts[cell, w], volts[cell, W + w]
            br, bi = volts[cell, 2 * W + w], volts[cell, 3 * W + w]
            cr, ci = volts[cell, 4 * W + w], volts[cell, 5 * W + w]
            for i in range(3):
                o = 6 * i * W + w
                pr, pi = ratio[cell, o], ratio[cell, o + W]
                qr, qi = ratio[cell, o + 2 * W], ratio[cell, o + 3 * W]
                rr, ri = ratio[cell, o + 4 * W], ratio[cell, o + 5 * W]
                out[cell, 2 * i * W + w] = pr * ar - pi * ai + qr * br - qi * bi + rr * cr - ri * ci
                out[cell, (2 * i + 1) * W + w] = pr * ai + pi * ar + qr * bi + qi * br + rr * ci + ri * cr


@kernel
def _scale(ratio: Array, volts: Array, out: Array) -> None:
    """Number times voltage, one phase."""
    lanes = ratio.shape[1] // 2
    for cell in range(out.shape[0]):
        for w in range(lanes):
            re, im, vr, vi = ratio[cell, w], ratio[cell, W + w], volts[cell, w], volts[cell, W + w]
            out[cell, w], out[cell, W + w] = re * vr - im * vi, re * vi + im * vr


@kernel
def _drop(ratio: Array, phase: int, volts: Array, out: Array) -> None:
    """From three phases onto one."""
    kind = volts.dtype.type
    q0, q1, q2 = kind(CLARKE[0, phase]), kind(CLARKE[1, phase]), kind(CLARKE[2, phase])
    for cell in range(out.shape[0]):
        for w in range(W):
            vr = q0 * volts[cell, w] + q1 * volts[cell, 2 * W + w] + q2 * volts[cell, 4 * W + w]
            vi = q0 * volts[cell, W + w] + q1 * volts[cell, 3 * W + w] + q2 * volts[cell, 5 * W + w]
            re, im = ratio[cell, w], ratio[cell, W + w]
            out[cell, w], out[cell, W + w] = re * vr - im * vi, re * vi + im * vr


@kernel
def _tip_power(ratio: Array, phase: int, volts: Array, out: Array) -> None:
    """|V|^2 at the end of a single-phase drop, from three phases."""
    kind = volts.dtype.type
    q0, q1, q2 = kind(CLARKE[0, phase]), kind(CLARKE[1, phase]), kind(CLARKE[2, phase])
    for cell in range(volts.shape[0]):
        for w in range(W):
            re = q0 * volts[cell, w] + q1 * volts[cell, 2 * W + w] + q2 * volts[cell, 4 * W + w]
            im = q0 * volts[cell, W + w] + q1 * volts[cell, 3 * W + w] + q2 * volts[cell, 5 * W + w]
            gain = ratio[cell, w] * ratio[cell, w] + ratio[cell, W + w] * ratio[cell, W + w]
            out[cell * W + w] = (re * re + im * im) * gain


@kernel
def _lift(ratio: Array, total: Array, phase: int, volts: Array, out: Array) -> None:
    """From one phase onto three: the other two phases are not driven and follow as Y^-1 q / (q' Y^-1 q)."""
    pattern(total, phase, out)
    for cell in range(out.shape[0]):
        for w in range(W):
            re, im, vr, vi = ratio[cell, w], ratio[cell, W + w], volts[cell, w], volts[cell, W + w]
            sr, si = re * vr - im * vi, re * vi + im * vr
            for i in range(3):
                pr, pi = out[cell, 2 * i * W + w], out[cell, (2 * i + 1) * W + w]
                out[cell, 2 * i * W + w], out[cell, (2 * i + 1) * W + w] = pr * sr - pi * si, pr * si + pi * sr


@kernel
def pattern(total: Array, phase: int, out: Array) -> None:
    """Voltages in Clarke's basis while one phase is held at 1 V and nothing drives the others."""
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
            p0, p1, p2 = q0 * c00 + q1 * c01 + q2 * c02, q0 * c01 + q1 * c11 + q2 * c12, q0 * c02 + q1 * c12 + q2 * c22
            t = q0 * p0 + q1 * p1 + q2 * p2
            over = 1 / (t.real * t.real + t.imag * t.imag)
            scale = complex(t.real * over, -t.imag * over)
            p0, p1, p2 = p0 * scale, p1 * scale, p2 * scale
            out[cell, w], out[cell, W + w] = p0.real, p0.imag
            out[cell, 2 * W + w], out[cell, 3 * W + w] = p1.real, p1.imag
            out[cell, 4 * W + w], out[cell, 5 * W + w] = p2.real, p2.imag


@kernel
def to_clarke(phase_volts: Array, out: Array) -> None:
    """(n_states, 3, n_carriers) complex voltages into lanes of Clarke's basis."""
    n_states, _, n_carriers = phase_volts.shape
    for lane in range(out.shape[0] * W):
        state, k = divmod(min(lane, n_states * n_carriers - 1), n_carriers)
        a, b, c = phase_volts[state, 0, k], phase_volts[state, 1, k], phase_volts[state, 2, k]
        row, w = out[lane // W], lane % W
        for i in range(3):
            one = CLARKE[i, 0] * a + CLARKE[i, 1] * b + CLARKE[i, 2] * c
            row[2 * i * W + w], row[(2 * i + 1) * W + w] = one.real, one.imag


@kernel
def to_lanes(volts: Array, out: Array) -> None:
    """(n_states, n_carriers) complex voltages into lanes."""
    n_states, n_carriers = volts.shape
    for lane in range(out.shape[0] * W):
        state, k = divmod(min(lane, n_states * n_carriers - 1), n_carriers)
        row, w = out[lane // W], lane % W
        row[w], row[W + w] = volts[state, k].real, volts[state, k].imag


@kernel
def phase_voltage(volts: Array, three: bool, phase: int, out: Array) -> None:
    """Voltage of one phase out of lanes into (n_states, n_carriers) complex."""
    q0, q1, q2 = CLARKE[0, phase], CLARKE[1, phase], CLARKE[2, phase]
    for lane in range(out.size):
        state, k = divmod(lane, out.shape[1])
        row, w = volts[lane // W], lane % W
        if three:
            re = q0 * row[w] + q1 * row[2 * W + w] + q2 * row[4 * W + w]
            im = q0 * row[W + w] + q1 * row[3 * W + w] + q2 * row[5 * W + w]
            out[state, k] = complex(re, im)
        else:
            out[state, k] = complex(row[w], row[W + w])
