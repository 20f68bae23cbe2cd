"""Changes of an area that could cure meters, and the area with some of them made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..channels.draws import Draws
from ..channels.paths import ON_ALL_PHASES, CablePaths
from ..channels.powerline.channel import drawn_phases
from ..channels.powerline.phases import ALL_PHASES, N_PHASES, branches
from .other_bands import OtherBand
from .patches import Patch
from .repeater_places import with_repeaters_at

Array = NDArray[Any]


@dataclass(frozen=True)
class Repeater:
    """A modem without loads at a feeder node, on all phases that arrive there."""

    place: int


@dataclass(frozen=True)
class Filter:
    """A filter between the meter in a row and its customer."""

    host: int


@dataclass(frozen=True)
class Phase:
    """Another phase for a node: ``shift`` phases on from the one it has (1 or 2), or ``ON_ALL_PHASES``.

    A single-phase customer is moved with its loads; of a three-phase customer and of the concentrator, the coupler.
    """

    node: int
    shift: int


@dataclass(frozen=True)
class Band:
    """The whole area in another band."""

    other: OtherBand


Change = Repeater | Filter | Phase | Band


def changed(patch: Patch, changes: Sequence[Change], replication: int) -> tuple[CablePaths, Array]:
    """The area with some changes made, in one replication: a phase is told from the one that is drawn in it.

    Returns
    -------
    The paths, and the nodes of repeaters in them. A band is no matter of the paths.
    """
    paths = _filtered(patch, [one.host for one in changes if isinstance(one, Filter)])
    moved = [one for one in changes if isinstance(one, Phase)]
    if moved:
        paths = _rephased(patch, paths, moved, drawn_couplers(patch, replication))
    place = np.array([one.place for one in changes if isinstance(one, Repeater)], np.int64)
    n = paths.n_meters
    return (with_repeaters_at(patch, paths, place) if place.size else paths), n + np.arange(place.size)


def drawn_couplers(patch: Patch, replication: int) -> Array:
    """(n_nodes,) phase that each modem of the area couples to in a replication, ``ALL_PHASES`` for three."""
    paths = patch.paths
    settings = patch.line.channel(patch.parts[0].scenario)
    return drawn_phases(paths, branches(paths), settings, Draws(patch.seed, replication)).coupler


def phase_changes(patch: Patch, node: int) -> tuple[Phase, ...]:
    """Changes of phase that a node can have; none on a branch of one phase, or where one circuit stands for all."""
    paths, line = patch.paths, patch.line
    if not line.phase_model:
        return ()
    is_meter = node < paths.n_meters
    if is_meter and branches(paths).of_node[paths.meter_feeder_node[node]] >= 0:
        return ()
    others = tuple(Phase(node, shift) for shift in range(1, N_PHASES))
    if is_meter and paths.meter_phases[node] == 1:
        return others
    told = -1 if paths.node_coupler is None else int(paths.node_coupler[node])
    wide = line.meter_coupler_phases if is_meter else line.site_phases
    on_all = told == ON_ALL_PHASES or (told < 0 and wide == N_PHASES)
    return () if on_all else (Phase(node, ON_ALL_PHASES), *others)


def _filtered(patch: Patch, host: list[int]) -> CablePaths:
    """The area with filters at some meters."""
    paths = patch.paths
    if not host:
        return paths
    less = np.zeros(paths.n_meters) if paths.meter_filter_db is None else paths.meter_filter_db.copy()
    series = np.zeros(paths.n_meters) if paths.meter_filter_ohm is None else paths.meter_filter_ohm.copy()
    less[host] += patch.settings.filter_db
    series[host] += patch.settings.filter_ohm
    return replace(paths, meter_filter_db=less, meter_filter_ohm=series)


def _rephased(patch: Patch, paths: CablePaths, moved: list[Phase], drawn: Array) -> CablePaths:
    """The area with some nodes on other phases; ``drawn`` (n_nodes,) what they couple to now."""
    n = paths.n_meters
    phase = np.full(n, -1, np.int8) if paths.meter_phase is None else paths.meter_phase.copy()
    coupler = np.full(n + paths.n_sites, -1, np.int8) if paths.node_coupler is None else paths.node_coupler.copy()
    for one in moved:
        if drawn[one.node] == ALL_PHASES:
            continue
        wanted = one.shift if one.shift == ON_ALL_PHASES else (drawn[one.node] + one.shift) % N_PHASES
        if one.node < n and paths.meter_phases[one.node] == 1:
            phase[one.node] = wanted
        else:
            coupler[one.node] = wanted
    return replace(paths, meter_phase=phase, node_coupler=coupler)
