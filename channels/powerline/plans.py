"""Which areas are solved together, and what stays the same for them from one replication to the next."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..paths import CablePaths
from .network import Forest, Lines, forest, lines
from .phases import Branches, branches

Array = NDArray[Any]

BLOCK_NODES = 1_000
"""Trees are solved together until they hold this many nodes: their numbers then fit the processor's cache."""

KEPT_BYTES = 400e6
"""Paths whose plans need more are planned anew in every replication, so that memory stays bounded."""

BYTES_PER_CONSTANT = 96
"""Two modes of three complex line constants per edge and carrier."""


@dataclass(frozen=True)
class Rows:
    """Rows of something, sorted by area: those of area ``i`` are ``row[start[i]:start[i + 1]]``."""

    row: Array
    start: Array

    def of(self, areas: Array) -> Array:
        """Rows of some areas, area by area."""
        return np.concatenate([self.row[self.start[i] : self.start[i + 1]] for i in areas] or [self.row[:0]])

    @property
    def count(self) -> Array:
        """(n_areas,) rows of each area."""
        return np.diff(self.start)


def _sorted(area: Array, keep: Array, n_areas: int) -> Rows:
    """Rows with ``keep`` by area; an order that is right already costs nothing."""
    row = np.flatnonzero(keep)
    held = area[row]
    if held.size and np.any(held[1:] < held[:-1]):
        order = np.argsort(held, kind="stable")
        row, held = row[order], held[order]
    return Rows(row, np.searchsorted(held, np.arange(n_areas + 1)))


@dataclass(frozen=True)
class Survey:
    """Everything that hangs on a bus by cable, sorted by area, and how the areas go together.

    feeder_node : (n_nodes,) feeder node of every meter and bus, -1 for none
    node, edge, member, link : Rows of feeder nodes, edges, nodes of the technology, links
    branch : single-phase branches
    blocks : areas that are solved together
    looped : (n_areas,) bool, the area is not a tree
    """

    feeder_node: Array
    node: Rows
    edge: Rows
    member: Rows
    link: Rows
    branch: Branches
    blocks: tuple[Array, ...]
    looped: Array


def survey(paths: CablePaths) -> Survey:
    """Sort all rows of the paths by area; what no cable joins to its own bus is left out."""
    n = paths.n_sites
    live = _live(paths)
    feeder_node = np.concatenate([paths.meter_feeder_node, paths.site_feeder_node]).astype(np.int64)
    area = np.append(np.where(live, paths.feeder_area, -1), -1)
    start, end = area[paths.edge_from], area[paths.edge_to]
    owner = area[feeder_node]
    first, second = owner[paths.from_node], owner[paths.to_node]
    node = _sorted(area[:-1], live, n)
    edge = _sorted(start, (start == end) & (start >= 0), n)
    member = _sorted(owner, owner >= 0, n)
    link = _sorted(first, (first == second) & (first >= 0), n)
    looped = edge.count - node.count + 1 > 0
    wanted = np.flatnonzero((node.count > 0) & (link.count > 0))
    return Survey(feeder_node, node, edge, member, link, branches(paths), _blocks(wanted, node.count, looped), looped)


def _live(paths: CablePaths) -> Array:
    """(n_feeder_nodes,) bool: joined by cable to the bus of its own area."""
    area, n = paths.feeder_area, paths.n_feeder_nodes
    if n == 0:
        return np.zeros(0, bool)
    inside = (area[paths.edge_from] == area[paths.edge_to]) & (area[paths.edge_from] >= 0)
    start, end = paths.edge_from[inside], paths.edge_to[inside]
    graph = coo_array((np.ones(start.size, np.int8), (start, end)), shape=(n, n)).tocsr()
    component = connected_components(graph, directed=False)[1]
    bus = np.append(paths.site_feeder_node, -1)[area]
    own = (area >= 0) & (bus >= 0) & (area[np.maximum(bus, 0)] == area)
    return np.asarray(own & (component == component[np.maximum(bus, 0)]))


def _blocks(areas: Array, n_nodes: Array, looped: Array) -> tuple[Array, ...]:
    """Each looped area alone, trees together until they make a block."""
    trees = areas[~looped[areas]]
    block = np.cumsum(n_nodes[trees]) // BLOCK_NODES
    together = np.split(trees, np.flatnonzero(np.diff(block)) + 1) if trees.size else []
    return tuple(areas[looped[areas]].reshape(-1, 1)) + tuple(together)


@dataclass(frozen=True)
class Plan:
    """Areas solved together: what stays the same from one replication to the next.

    area : (n_areas,) site rows;  line : Lines over local nodes
    tree : Forest, None where the area holds a loop
    edge : (n_edges,) their rows in the paths;  node : (n_nodes,) feeder nodes
    member : (n_members,) nodes of the technology, area by area, bounds in ``member_start`` (n_areas + 1,)
    place : (n_members,) local nodes of the members;  bus : (n_areas,) local nodes of the buses
    link : (n_links,) rows of the paths, area by area, bounds in ``link_start``
    first, second : (n_links,) rows of ``member`` at the ends, counted from the first member of the area
    """

    area: Array
    line: Lines
    tree: Forest | None
    edge: Array
    node: Array
    member: Array
    member_start: Array
    place: Array
    bus: Array
    link: Array
    link_start: Array
    first: Array
    second: Array


def plan(paths: CablePaths, what: Survey, areas: Array, frequency_hz: Array) -> Plan:
    """Lines, members and links of some areas."""
    node, edge, member, link = (rows.of(areas) for rows in (what.node, what.edge, what.member, what.link))
    order = np.argsort(node)
    ranked = node[order]

    def local(feeder_node: Array) -> Array:
        return order[np.searchsorted(ranked, feeder_node)]

    line = lines(
        local(paths.edge_from[edge]),
        local(paths.edge_to[edge]),
        paths.edge_length_m[edge],
        paths.edge_cable[edge],
        paths.cables,
        node.size,
        frequency_hz,
    )
    bus = local(paths.site_feeder_node[areas])
    start = np.append(0, np.cumsum(what.member.count[areas]))
    link_start = np.append(0, np.cumsum(what.link.count[areas]))
    place = local(what.feeder_node[member])
    by_member = np.argsort(member)
    base = np.repeat(start[:-1], np.diff(link_start))
    ends = [
        by_member[np.searchsorted(member[by_member], column[link])] - base
        for column in (paths.from_node, paths.to_node)
    ]
    tree = None if what.looped[areas].any() else forest(line, bus)
    return Plan(areas, line, tree, edge, node, member, start, place, bus, link, link_start, ends[0], ends[1])


class _Same:
    """Paths compared by identity: columns are read-only, so the same object holds the same network."""

    def __init__(self, paths: CablePaths) -> None:
        self.paths = paths

    def __hash__(self) -> int:
        return id(self.paths)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.paths is self.paths


class Plans:
    """All blocks of one set of paths; small ones are kept, so that the next replication finds them ready."""

    def __init__(self, paths: CablePaths, frequency_hz: Array) -> None:
        self.paths = paths
        self.frequency_hz = frequency_hz
        self.survey = survey(paths)
        edges = paths.edge_from.size * frequency_hz.size * BYTES_PER_CONSTANT
        self._keep = edges + 24 * paths.n_links <= KEPT_BYTES
        self._kept: dict[int, Plan] = {}

    def __len__(self) -> int:
        return len(self.survey.blocks)

    def __getitem__(self, block: int) -> Plan:
        """Plan of one block; safe to ask for from several threads."""
        if block in self._kept:
            return self._kept[block]
        made = plan(self.paths, self.survey, self.survey.blocks[block], self.frequency_hz)
        if self._keep:
            self._kept[block] = made
        return made


def plans(paths: CablePaths, frequency_hz: Array) -> Plans:
    """Plans of the paths at these carriers; the last two sets asked for are remembered."""
    return _remembered(_Same(paths), tuple(float(f) for f in frequency_hz))


@lru_cache(maxsize=2)
def _remembered(same: _Same, carriers: tuple[float, ...]) -> Plans:
    return Plans(same.paths, np.array(carriers))
