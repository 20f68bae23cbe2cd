"""From sources through a solved forest: the voltage at every node of a route, in lanes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .lanes import LANES, kernel
from .levels import level_sum_db, scratch
from .recursion import Passes
from .route import NEVER_DB, Route
from .steps import drop, lift, power_behind_drop, scale, turn

Array = NDArray[Any]
W = LANES

STRIDE = 8
"""Edges after which the level of a walk is measured again; between them it is bounded by the norms of the edges."""
SLACK_DB = 1e-2
"""What single precision may add to a bound."""


@kernel
def spread(
    rows: Array, way: Route, solved: Passes, floor_db: float, volts: Array, reached: Array, tip_power: Array
) -> None:
    """Voltages of a route for some sources, whose own voltages stand in ``volts[i, rows[i]]``.

    Sources go together, so that an edge is read once for all of them. Receivers whose mean level would stay below
    ``floor_db`` need not be reached.

    Parameters
    ----------
    rows : (n,) rows of the route, -1 for a source that the forest does not reach
    volts : (n, n_positions, n_cells, 6 W or 2 W);  reached : (n, n_positions) bool
    tip_power : (n, n_receivers, n_lanes) float32
        Takes the power at tips, whose voltages are left out; without receivers the tips are treated as all others.
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
                turn(down3[slot[at]], volts[i, above], volts[i, below])
            elif tip[below] >= 0 and tip_power.shape[1] > 0:
                power_behind_drop(down1[slot[at]], phase[at], volts[i, above], tip_power[i, tip[below]])
            elif three:
                drop(down1[slot[at]], phase[at], volts[i, above], volts[i, below])
            else:
                scale(down1[slot[at]], volts[i, above], volts[i, below])


@kernel
def _climb(row: int, way: Route, solved: Passes, volts: Array, reached: Array) -> None:
    """Voltages on the way from a source to its root."""
    phase, slot, position = solved.phase, solved.slot, way.position
    reached[row] = True
    while way.parent[row] != row:
        above, at = way.parent[row], position[row]
        if phase[at] < 0:
            turn(solved.up3[slot[at]], volts[row], volts[above])
        elif phase[position[above]] < 0:
            lift(solved.up1[slot[at]], solved.y3[slot[position[above]]], phase[at], volts[row], volts[above])
        else:
            scale(solved.up1[slot[at]], volts[row], volts[above])
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
    return float(level_sum_db(power[:n_lanes], held) / n_lanes)
