"""Numbers of many states and carriers side by side: how they lie, and how they get there.

States and carriers stand in one row (``state * n_carriers + carrier``), cut into cells of ``LANES``. The last axis is
``component * LANES + lane``, the one before counts cells, real and imaginary parts apart. Lanes behind the last one
repeat it. Fixed distances between components are what lets a compiler calculate lanes side by side.

A node with three phases holds its numbers in Clarke's basis (rows 0, alpha, beta), in which every edge is diagonal: row
0 is the common mode, the other two are the difference mode. A node on one phase holds one number.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]

LANES = 24
"""Lanes of a cell: a multiple of every vector length, and long enough that compilers do not leave loops alone."""

W = LANES
ROOT3, ROOT6, ROOT2 = 3**-0.5, 6**-0.5, 2**-0.5
CLARKE = np.array([[ROOT3, ROOT3, ROOT3], [2 * ROOT6, -ROOT6, -ROOT6], [0.0, ROOT2, -ROOT2]])
"""Orthonormal: component = CLARKE @ phase."""

kernel = njit(cache=True, nogil=True, error_model="numpy")


@kernel
def inverse(y: complex) -> complex:
    """1 / y without the branches of a guarded division."""
    over = 1 / (y.real * y.real + y.imag * y.imag)
    return complex(y.real * over, -y.imag * over)


@kernel
def line_lanes(tanh: Array, sech: Array, z0_ohm: Array, edge: Array, mode: int, phase: Array, n_cells: int) -> Array:
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
                t, z, s = tanh[m, e, k], z0_ohm[m, e, k], sech[m, e, k]
                series, shunt = z * t, t * inverse(z)
                one[0, k], one[1, k], one[2, k], one[3, k] = series.real, series.imag, shunt.real, shunt.imag
                one[4, k], one[5, k] = s.real, s.imag
            for i in range(6):
                k = 0
                for cell in range(n_cells):
                    for w in range((turn * 6 + i) * W, (turn * 6 + i + 1) * W):
                        out[position, cell, w] = one[i, k]
                        k = k + 1 if k + 1 < n_carriers else 0
    return out


@kernel
def one_shunt(shunt_s: Array, node: int, phase: int, out: Array) -> None:
    """Shunt of one phase into lanes."""
    n_carriers = shunt_s.shape[3]
    last = shunt_s.shape[0] * n_carriers - 1
    for lane in range(out.shape[0] * W):
        state, k = divmod(min(lane, last), n_carriers)
        y = shunt_s[state, node, phase, k]
        cell, w = lane // W, lane % W
        out[cell, w], out[cell, W + w] = y.real, y.imag


@kernel
def three_shunts(shunt_s: Array, node: int, out: Array) -> None:
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
