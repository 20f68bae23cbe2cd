"""Which phase everybody sits on: what the map does not know is drawn, once per replication.

A meter behind a two-core cable shares the phase of all that hang on that cable; every other single-phase meter has a
phase of its own. Where the map tells the phases of several meters on one two-core cable, the meter with the lowest key
counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..draws import Draws
from ..paths import ON_ALL_PHASES, CablePaths

Array = NDArray[Any]

ALL_PHASES = -1
"""Phase of a node that couples to all three."""

N_PHASES = 3


@dataclass(frozen=True)
class Branches:
    """Parts of the network that have one phase only: two-core cables and all that hangs on them.

    of_node : (n_feeder_nodes,) branch row of each node, -1 where all phases arrive
    of_edge : (n_edges,) branch row of each edge, -1 for an edge with all phases
    key : (n_branches,) uint64 lowest key of the customers' meters on a branch, 0 where there is none
    """

    of_node: Array
    of_edge: Array
    key: Array


def branches(paths: CablePaths) -> Branches:
    """Find the single-phase branches of all areas.

    A node has all phases where a way of three-phase cable leads to the bus of its area. A two-core cable between two
    such nodes is a branch by itself (without a meter, so on the first phase).
    """
    n, two_core = paths.n_feeder_nodes, _two_core(paths)
    if n == 0 or not two_core.any():
        return Branches(np.full(n, -1), np.full(paths.edge_from.size, -1), np.zeros(0, np.uint64))
    start, end = np.asarray(paths.edge_from, np.int64), np.asarray(paths.edge_to, np.int64)
    reached = _components(start[~two_core], end[~two_core], n)
    bus = np.append(paths.site_feeder_node, -1)[paths.feeder_area]
    single = (paths.feeder_area >= 0) & (bus >= 0) & (reached != reached[np.maximum(bus, 0)])
    inner = single[start] & single[end]
    island = _components(start[inner], end[inner], n)
    kept, row = np.unique(island[single], return_inverse=True)
    of_node = np.full(n, -1)
    of_node[single] = row
    of_edge = np.maximum(of_node[start], of_node[end])
    bridge = two_core & (of_edge < 0)
    of_edge[bridge] = kept.size + np.arange(np.count_nonzero(bridge))
    return Branches(of_node, of_edge, _lowest_key(paths, of_node, kept.size + int(bridge.sum())))


def _two_core(paths: CablePaths) -> Array:
    """(n_edges,) bool: the cable has one phase."""
    return np.array([cable.n_phases == 1 for cable in paths.cables] + [False])[paths.edge_cable]


def _components(start: Array, end: Array, n: int) -> Array:
    """Connected component of every node."""
    graph = coo_array((np.ones(start.size, np.int8), (start, end)), shape=(n, n)).tocsr()
    return np.asarray(connected_components(graph, directed=False)[1])


def _lowest_key(paths: CablePaths, of_node: Array, n_branches: int) -> Array:
    """(n_branches,) uint64 lowest meter key on every branch, 0 where there is no meter."""
    branch = np.append(of_node, -1)[paths.meter_feeder_node]
    hangs = branch >= 0
    if paths.meter_bare is not None:
        hangs &= ~paths.meter_bare
    key = np.full(n_branches, np.iinfo(np.uint64).max)
    np.minimum.at(key, branch[hangs], paths.node_key[: paths.n_meters][hangs])
    return np.where(np.isin(np.arange(n_branches), branch[hangs]), key, np.uint64(0))


@dataclass(frozen=True)
class Phases:
    """Phases of one replication, 0, 1, 2 or ``ALL_PHASES``; all 0 where there is one circuit only.

    load : (n_meters,) phase of the meter's load
    coupler : (n_nodes,) phase that the modem of a meter or site couples to
    edge : (n_edges,) int8 phase of a single-phase edge, -1 for one with all phases
    n_phases : circuits in the network, 1 or 3
    """

    load: Array
    coupler: Array
    edge: Array
    n_phases: int


def draw_phases(
    paths: CablePaths,
    branch: Branches,
    draws: Draws,
    *,
    phase_model: bool,
    site_phases: int,
    meter_coupler_phases: int,
) -> Phases:
    """Phases of all meters, sites and edges in one replication.

    Parameters
    ----------
    branch : see `branches`
    phase_model
        False puts everybody on one circuit.
    site_phases, meter_coupler_phases
        Phases that concentrators and the modems of three-phase meters couple to, 1 (a drawn one) or 3, unless
        ``node_coupler`` of the paths tells.

    Returns
    -------
    Phases. A three-phase meter on a single-phase branch has that one phase. Raises ValueError naming the row where a
    meter has neither 1 nor 3 phases or a single-phase one has a coupler of its own, or the setting where a coupler has
    neither.
    """
    for name, count in (("site_phases", site_phases), ("meter_coupler_phases", meter_coupler_phases)):
        if count not in (1, N_PHASES):
            raise ValueError(f"{name} = {count} does not exist; write 1 or 3")
    phases = np.asarray(paths.meter_phases)
    if np.any(bad := (phases != 1) & (phases != N_PHASES)):
        raise ValueError(f"meter {int(np.argmax(bad))} has {phases[np.argmax(bad)]} phases; give 1 or 3")
    n, n_edges = paths.n_meters, paths.edge_from.size
    if not phase_model:
        zero = np.zeros(n + paths.n_sites, np.int8)
        return Phases(zero[:n], zero, np.full(n_edges, -1, np.int8), 1)
    own = _drawn(paths.node_key, draws)
    on_branch = np.where(branch.key > 0, _drawn(branch.key, draws), np.int8(0))
    row = np.append(branch.of_node, -1)[paths.meter_feeder_node]
    if paths.meter_phase is not None:
        own[:n] = np.where(paths.meter_phase >= 0, paths.meter_phase, own[:n])
        on_branch = _told(paths.meter_phase, paths.node_key[:n], row, on_branch)
    single = np.where(row >= 0, np.append(on_branch, np.int8(0))[row], own[:n])
    three = (phases == N_PHASES) & (row < 0)
    coupler = np.where(three & (meter_coupler_phases == N_PHASES), np.int8(ALL_PHASES), single)
    site = own[n:] if site_phases == 1 else np.full(paths.n_sites, ALL_PHASES, np.int8)
    if paths.node_coupler is not None:
        coupler, site = _own_couplers(paths, three, coupler, site)
    edge = np.where(branch.of_edge >= 0, np.append(on_branch, np.int8(-1))[branch.of_edge], np.int8(-1))
    return Phases(np.where(three, np.int8(ALL_PHASES), single), np.concatenate([coupler, site]), edge, N_PHASES)


def _own_couplers(paths: CablePaths, three: Array, meter: Array, site: Array) -> tuple[Array, Array]:
    """Couplers of meters and sites where the paths tell them; ``three`` (n_meters,): all phases arrive."""
    n, told = paths.n_meters, np.asarray(paths.node_coupler)
    wrong = (told[:n] >= 0) & (np.asarray(paths.meter_phases) == 1)
    if np.any(wrong):
        raise ValueError(f"meter {int(np.argmax(wrong))} has one phase; give its meter_phase instead of a coupler")
    coupler = np.where(told == ON_ALL_PHASES, np.int8(ALL_PHASES), told).astype(np.int8)
    is_told = told >= 0
    return np.where(is_told[:n] & three, coupler[:n], meter), np.where(is_told[n:], coupler[n:], site)


def _told(phase: Array, key: Array, row: Array, on_branch: Array) -> Array:
    """Phases of branches, those of the known meters on them first; of several the meter with the lowest key."""
    known = np.flatnonzero((phase >= 0) & (row >= 0))
    last = known[np.argsort(key[known], kind="stable")[::-1]]
    told = on_branch.copy()
    told[row[last]] = phase[last]
    return told


def _drawn(key: Array, draws: Draws) -> Array:
    """One phase per key, each as likely."""
    return np.asarray((draws.uniform("mains phase", key) * N_PHASES).astype(np.int8))


def coupled_phases(phase: Array, n_phases: int) -> Array:
    """(n, n_phases) bool: what a modem on ``phase`` (n,) couples to."""
    phase = np.asarray(phase)[:, None]
    return np.asarray((phase == ALL_PHASES) | (phase == np.arange(n_phases)))
