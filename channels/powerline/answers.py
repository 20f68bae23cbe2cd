"""What a solved forest answers, from lanes into plain columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .lanes import CLARKE, LANES, kernel, phase_voltage, to_clarke, to_lanes
from .levels import scratch
from .listening import hear_one, hear_three, phase_power, silence
from .recursion import Passes
from .route import NEVER_DB, Route
from .through import pattern
from .walk import spread

Array = NDArray[Any]
W = LANES

_FROM, _TO = np.triu_indices(3)
WEIGHT = np.einsum("ip,iq->pqi", CLARKE[_FROM], CLARKE[_TO])
WEIGHT = np.ascontiguousarray((WEIGHT + WEIGHT.swapaxes(0, 1)) * np.where(_FROM == _TO, 0.5, 1.0))
"""(3, 3, 6): how the upper triangle of an admittance in Clarke's basis adds up to its phases."""

SOURCES = 4
"""Sources that walk together."""


@kernel
def admittances(position: Array, solved: Passes, out: Array) -> None:
    """Admittances seen at positions, out of lanes into (n, n_states, n_phases, n_phases, n_carriers)."""
    n_carriers = out.shape[4]
    for one in range(position.size):
        phase, slot = solved.phase[position[one]], solved.slot[position[one]]
        for lane in range(out.shape[1] * n_carriers):
            state, k = divmod(lane, n_carriers)
            cell, w = divmod(lane, W)
            if phase >= 0:
                out[one, state, phase, phase, k] = complex(solved.y1[slot, cell, w], solved.y1[slot, cell, W + w])
                continue
            for p in range(3):
                for q in range(p, 3):
                    re, im = 0.0, 0.0
                    for i in range(6):
                        re += WEIGHT[p, q, i] * solved.y3[slot, cell, 2 * i * W + w]
                        im += WEIGHT[p, q, i] * solved.y3[slot, cell, (2 * i + 1) * W + w]
                    out[one, state, p, q, k] = out[one, state, q, p, k] = complex(re, im)


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
def voltages_of_pairs(way: Route, solved: Passes, source_v: Array, out: Array) -> None:
    """Voltages of all pairs."""
    volts, reach = _rooms(1, way, solved)
    for i in range(way.source.size):
        if way.source[i] < 0:
            continue
        _drive(source_v[i], solved.phase[way.position[way.source[i]]], volts[0, way.source[i]])
        spread(way.source[i : i + 1], way, solved, NEVER_DB, volts, reach, np.empty((1, 0, 0), np.float32))
        for j in range(way.receiver.size):
            here = way.receiver[j]
            if here < 0 or not reach[0, here]:
                continue
            phase = solved.phase[way.position[here]]
            for p in range(out.shape[3]):
                if phase < 0 or p == phase:
                    phase_voltage(volts[0, here], phase < 0, p, out[i, j, :, p])


@kernel
def powers_of_pairs(
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
        spread(some, way, solved, floor_db, volts, reach, power[first : first + SOURCES])
        for i in range(some.size):
            for j in range(way.receiver.size):
                out, level, here = power[first + i, j], level_db[first + i, j], way.receiver[j]
                if here < 0 or not reach[i, here]:
                    silence(out, level)
                    heard[first + i, j] = max(wanted[j], 0)
                    continue
                phase = solved.phase[way.position[here]]
                if phase >= 0:
                    _one_power(volts[i, here], way.tip[here] if here != some[i] else -1, j, power[first + i])
                    hear_one(phase, floor_db, out, level, held)
                    heard[first + i, j] = phase
                    continue
                for p in range(rows.shape[0]):
                    phase_power(volts[i, here], True, p, rows[p])
                heard[first + i, j] = hear_three(rows, wanted[j], floor_db, out, level, held)


@kernel
def _one_power(volts: Array, tip: int, receiver: int, power: Array) -> None:
    """|V|^2 of a receiver on one phase; at a tip it stands at the tip's first receiver already."""
    if tip < 0:
        phase_power(volts, False, 0, power[receiver])
    elif tip != receiver:
        power[receiver] = power[tip]


@kernel
def carried_powers(way: Route, solved: Passes, phase: Array, level_uv2: Array, out: Array) -> None:
    """Summed powers of sources that each hold one phase."""
    volts, reach = _rooms(1, way, solved)
    tips = np.empty((1, out.shape[0], out.shape[2]), np.float32)
    for i in range(way.source.size):
        start = way.source[i]
        if start < 0:
            continue
        at = way.position[start]
        if solved.phase[at] < 0:
            pattern(solved.y3[solved.slot[at]], phase[i], volts[0, start])
        else:
            volts[0, start, :, :W], volts[0, start, :, W : 2 * W] = 1, 0
        spread(way.source[i : i + 1], way, solved, NEVER_DB, volts, reach, tips)
        for j in range(way.receiver.size):
            here = way.receiver[j]
            if here < 0 or not reach[0, here]:
                continue
            own = solved.phase[way.position[here]]
            for p in range(out.shape[1]):
                if own >= 0 and p != own:
                    continue
                if own < 0:
                    phase_power(volts[0, here], True, p, tips[0, j])
                else:
                    _one_power(volts[0, here], way.tip[here] if here != start else -1, j, tips[0])
                for n in range(tips.shape[2]):
                    out[j, p, n] += tips[0, j, n] * level_uv2[i, n % level_uv2.shape[1]]
