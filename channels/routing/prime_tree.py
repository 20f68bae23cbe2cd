"""Who registers where in PRIME: trees below the base nodes, with switches only where somebody needs them.

A node that hears the base node registers with it. One that hears no beacon asks for a switch; of the terminals that
hear it the base node promotes the one of the lowest level, of those the one with the best link, and everybody without
beacons who hears the new switch registers there. Nodes stay where they registered; a switch that nobody hangs on is
demoted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..draws import mix
from ..paths import CablePaths
from ..technology import LinkQuality, Routes

Array = NDArray[Any]

FREE, TOO_DEEP, NO_SWITCH_LEFT = 0, 1, 2
"""What kept a node out that hears a registered one: nothing, the level limit, the number of switches."""


@dataclass(frozen=True)
class Registered:
    """Trees of all base nodes; (n_nodes,) columns.

    parent : node number, -1 for base nodes and nodes without a way;  link : row of the paths, -1 likewise
    root : base node, -1 for none, its own for a base node that stands;  hops : links to it
    barred : `FREE`, `TOO_DEEP` or `NO_SWITCH_LEFT` of nodes without a way
    """

    parent: Array
    link: Array
    root: Array
    hops: Array
    barred: Array


def registered_tree(
    paths: CablePaths,
    quality: LinkQuality,
    area: Array,
    stands: Array,
    *,
    most_level: int,
    most_switches: int,
    before: Routes | None = None,
) -> Registered:
    """The tree of each base node that stands, once everybody who can has registered.

    Parameters
    ----------
    area : (n_nodes,) site row that feeds each node, -1 for none;  stands : (n_sites,) bool
    most_level, most_switches : limits of the tree; a terminal below a switch of level k is k + 1 hops away
    before : routes of an earlier moment over the same paths; who still hears its switch stays there

    Returns
    -------
    Registered. Which of several nodes asks first is decided by the node keys, never by the order of rows. Every node is
    in at most one tree. Raises ValueError where a limit is negative.
    """
    if most_level < 0 or most_switches < 0:
        raise ValueError(f"most_level {most_level} and most_switches {most_switches} must not be negative")
    n_nodes, n = paths.n_meters + paths.n_sites, paths.n_meters
    fed = np.append(np.asarray(stands, bool), False)[area]
    usable = np.flatnonzero(quality.usable & fed[paths.from_node] & fed[paths.to_node])
    margin = np.minimum(quality.margin_up_db, quality.margin_down_db)[usable].astype(np.float64)
    order = np.lexsort((mix(paths.node_key), area))
    order = order[(area[order] >= 0) & (order < n)]
    parent, link, hops = np.full(n_nodes, -1, np.int64), np.full(n_nodes, -1, np.int64), np.full(n_nodes, -1, np.int64)
    hops[n + np.flatnonzero(stands)] = 0
    if before is not None:
        kept = _still_registered(paths, before, np.asarray(quality.usable), fed)
        parent[kept], link[kept], hops[kept] = before.parent[kept], before.link[kept], before.hops[kept]
    ends = paths.from_node[usable].astype(np.int64), paths.to_node[usable].astype(np.int64)
    start = np.searchsorted(area[order], np.arange(paths.n_sites + 1))
    limits = np.array([most_level, most_switches])
    barred = _grow(*ends, usable, margin, order, start, np.asarray(stands, bool), limits, parent, link, hops)
    there = hops >= 0
    root = np.where(there, n + np.maximum(area, 0), -1)
    return Registered(parent, link, root, np.where(there, hops, 0), barred)


def _still_registered(paths: CablePaths, before: Routes, usable: Array, fed: Array) -> Array:
    """Meters whose whole old way still works, rows of the meter table."""
    meter = np.arange(paths.n_meters)
    row = np.maximum(before.link, 0)
    good = (before.link >= 0) & (before.link < paths.n_links)
    if paths.n_links:
        row = np.minimum(row, paths.n_links - 1)
        ends = paths.from_node[row], paths.to_node[row]
        joins = ((ends[0] == meter) & (ends[1] == before.parent)) | ((ends[1] == meter) & (ends[0] == before.parent))
        good &= joins & usable[row]
    good = np.append(good & fed[: paths.n_meters], fed[paths.n_meters :])
    for hop in range(1, int(before.hops.max(initial=0)) + 1):
        here = meter[(before.hops == hop) & good[: paths.n_meters]]
        good[here] = good[before.parent[here]]
    return np.flatnonzero(good[: paths.n_meters])


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _neighbours(start: Array, end: Array, n_nodes: int) -> tuple[Array, Array]:
    """Links of each node, node by node: where they begin, and their places, both directions."""
    first = np.zeros(n_nodes + 1, np.int64)
    for k in range(start.size):
        first[start[k] + 1] += 1
        first[end[k] + 1] += 1
    first = np.cumsum(first)
    fill, place = first[:-1].copy(), np.empty(2 * start.size, np.int64)
    for k in range(start.size):
        for node in (start[k], end[k]):
            place[fill[node]] = k
            fill[node] += 1
    return first, place


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _grow(
    start: Array,
    end: Array,
    row: Array,
    margin: Array,
    member: Array,
    member_start: Array,
    stands: Array,
    limits: Array,
    parent: Array,
    link: Array,
    hops: Array,
) -> Array:
    """Register everybody who can, area by area and level by level; fills parent, link and hops of the nodes."""
    n_nodes = hops.size
    first, place = _neighbours(start, end, n_nodes)
    switch, barred = np.zeros(n_nodes, np.bool_), np.zeros(n_nodes, np.int8)
    for site in range(stands.size):
        if not stands[site]:
            continue
        here = member[member_start[site] : member_start[site + 1]]
        n_switches, deepest = 0, 0
        for node in here:
            deepest = max(deepest, hops[node])
            above = parent[node]
            if above >= 0 and hops[above] > 0 and not switch[above]:
                switch[above] = True
                n_switches += 1
        level = 0
        while level <= min(deepest, limits[0]):
            for node in here:
                if hops[node] >= 0:
                    continue
                best = _best(node, level, switch, first, place, start, end, margin, hops, n_switches < limits[1])
                if best < 0:
                    continue
                above = start[best] + end[best] - node
                if level > 0 and not switch[above]:
                    switch[above] = True
                    n_switches += 1
                parent[node], link[node], hops[node] = above, row[best], level + 1
                deepest = max(deepest, level + 1)
            level += 1
        for node in here:
            if hops[node] < 0:
                barred[node] = _bar(node, first, place, start, end, hops, limits)
    return barred


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _best(
    node: int,
    level: int,
    switch: Array,
    first: Array,
    place: Array,
    start: Array,
    end: Array,
    margin: Array,
    hops: Array,
    may_promote: bool,
) -> int:
    """Best link to a node of that level: to one that sends beacons where there is one, else to one to be promoted."""
    best, sends, best_db = -1, False, -np.inf
    for k in place[first[node] : first[node + 1]]:
        other = start[k] + end[k] - node
        if hops[other] != level:
            continue
        beacons = level == 0 or switch[other]
        if not (beacons or may_promote) or (sends and not beacons):
            continue
        if (beacons and not sends) or margin[k] > best_db:
            best, sends, best_db = k, beacons, margin[k]
    return best


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _bar(node: int, first: Array, place: Array, start: Array, end: Array, hops: Array, limits: Array) -> int:
    """Why a node without a way has none: it hears registered ones, but too deep or with no switch left."""
    found = FREE
    for k in place[first[node] : first[node + 1]]:
        other = start[k] + end[k] - node
        if hops[other] < 0:
            continue
        if hops[other] <= limits[0]:
            return NO_SWITCH_LEFT
        found = TOO_DEEP
    return found
