"""What receivers hear of voltages that lie in lanes: powers, levels, and the phase that is heard."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .lanes import CLARKE, LANES, kernel
from .levels import level_sum_db

Array = NDArray[Any]
W = LANES


@kernel
def phase_power(volts: Array, three: bool, phase: int, out: Array) -> None:
    """|V|^2 of one phase, out of lanes, into a contiguous row of states and carriers."""
    whole = out.size // W
    kind = volts.dtype.type
    q0, q1, q2 = kind(CLARKE[0, phase]), kind(CLARKE[1, phase]), kind(CLARKE[2, phase])
    if three:
        _of_three(volts, q0, q1, q2, whole, out)
    else:
        _of_one(volts, whole, out)
    for lane in range(whole * W, out.size):
        row, w = volts[whole], lane - whole * W
        re, im = row[w], row[W + w]
        if three:
            re = q0 * re + q1 * row[2 * W + w] + q2 * row[4 * W + w]
            im = q0 * im + q1 * row[3 * W + w] + q2 * row[5 * W + w]
        out[lane] = re * re + im * im


@kernel
def _of_three(volts: Array, q0: float, q1: float, q2: float, n_cells: int, out: Array) -> None:
    """Whole cells of `phase_power` from three phases."""
    for cell in range(n_cells):
        for w in range(W):
            re = q0 * volts[cell, w] + q1 * volts[cell, 2 * W + w] + q2 * volts[cell, 4 * W + w]
            im = q0 * volts[cell, W + w] + q1 * volts[cell, 3 * W + w] + q2 * volts[cell, 5 * W + w]
            out[cell * W + w] = re * re + im * im


@kernel
def _of_one(volts: Array, n_cells: int, out: Array) -> None:
    """Whole cells of `phase_power` on one phase."""
    lanes = min(out.size, W)
    for cell in range(n_cells):
        for w in range(lanes):
            out[cell * W + w] = volts[cell, w] * volts[cell, w] + volts[cell, W + w] * volts[cell, W + w]


@kernel
def hear_one(phase: int, floor_db: float, power: Array, level_db: Array, held: Array) -> None:
    """Levels (n_phases,) of a power (n,) on the only phase of a node; below the floor 0 and -inf."""
    level = level_sum_db(power, held) / power.size
    for p in range(level_db.size):
        level_db[p] = level if p == phase and level >= floor_db else -np.inf
    if level < floor_db:
        for i in range(power.size):
            power[i] = 0


@kernel
def hear_three(rows: Array, wanted: int, floor_db: float, power: Array, level_db: Array, held: Array) -> int:
    """Levels of all phases, and power on the one that a receiver listens to.

    Parameters
    ----------
    rows : (n_phases, n or more) float32 powers;  wanted : phase, or -1 for the strongest
    power : (n,) float32 and level_db : (n_phases,) float32 are filled; below the floor with 0 and -inf
    held : see `levels.scratch`

    Returns
    -------
    The phase that is heard; 0 where nothing is heard and none was asked for.
    """
    best = max(wanted, 0)
    for p in range(rows.shape[0]):
        level_db[p] = level_sum_db(rows[p, : power.size], held) / power.size
        if wanted < 0 and level_db[p] > level_db[best]:
            best = p
    if level_db[best] < floor_db:
        silence(power, level_db)
        return max(wanted, 0)
    row = rows[best]
    for i in range(power.size):
        power[i] = row[i]
    return best


@kernel
def silence(power: Array, level_db: Array) -> None:
    """Nothing is heard."""
    for i in range(power.size):
        power[i] = 0
    for p in range(level_db.size):
        level_db[p] = -np.inf
