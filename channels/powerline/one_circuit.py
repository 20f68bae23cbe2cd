"""Powers of all pairs where everything hangs on one circuit: powers multiply and mean levels add along a path."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .lanes import LANES, kernel
from .levels import level_sum_db, scratch
from .recursion import Passes
from .route import Route

Array = NDArray[Any]
W = LANES


@kernel
def gains_of(ratio: Array, n_lanes: int) -> tuple[Array, Array]:
    """Power gains of edge ratios, (n, n_lanes) float32, and their mean levels, (n,) [dB]."""
    out, level = np.empty((ratio.shape[0], n_lanes), np.float32), np.empty(ratio.shape[0])
    held = scratch()
    for row in range(ratio.shape[0]):
        for lane in range(n_lanes):
            cell, w = lane // W, lane % W
            re, im = ratio[row, cell, w], ratio[row, cell, W + w]
            out[row, lane] = re * re + im * im
        level[row] = level_sum_db(out[row], held) / n_lanes
    return out, level


@kernel
def powers_of_pairs(
    way: Route, solved: Passes, source_v: Array, floor_db: float, power: Array, level_db: Array
) -> None:
    """Powers (n, m, n_lanes) and levels (n, m, 1) of all pairs; below the floor 0 and -inf.

    ``source_v`` : (n, n_states, 1, n_carriers) complex
    """
    n, n_lanes, n_carriers = way.position.size, power.shape[2], source_v.shape[3]
    down, down_db = gains_of(solved.down1[way.position], n_lanes)
    up, up_db = gains_of(solved.up1[way.position], n_lanes)
    row, level, reached = np.empty((n, n_lanes), np.float32), np.empty(n), np.empty(n, np.bool_)
    held = scratch()
    for i in range(way.source.size):
        reached[:] = False
        here = way.source[i]
        if here >= 0:
            reached[here] = True
            for lane in range(n_lanes):
                v = source_v[i, lane // n_carriers, 0, lane % n_carriers]
                row[here, lane] = v.real * v.real + v.imag * v.imag
            level[here] = level_sum_db(row[here], held) / n_lanes
            while way.parent[here] != here:
                above = way.parent[here]
                for lane in range(n_lanes):
                    row[above, lane] = up[here, lane] * row[here, lane]
                level[above], reached[above] = level[here] + up_db[here], True
                here = above
        for below in range(n):
            above = way.parent[below]
            if reached[below] or not reached[above] or not way.wanted[below]:
                continue
            if level[above] + way.best_db[below] < floor_db - 1.0:
                continue
            for lane in range(n_lanes):
                row[below, lane] = down[below, lane] * row[above, lane]
            level[below], reached[below] = level[above] + down_db[below], True
        for j in range(way.receiver.size):
            here = way.receiver[j]
            if here >= 0 and reached[here] and level[here] >= floor_db:
                level_db[i, j, 0] = level[here]
                for lane in range(n_lanes):
                    power[i, j, lane] = row[here, lane]
            else:
                level_db[i, j, 0] = -np.inf
                for lane in range(n_lanes):
                    power[i, j, lane] = 0
