"""Small inferred areas joined to larger ones, so that transformers are few, well loaded and amid their customers."""

from __future__ import annotations

import heapq
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.sparse.csgraph import dijkstra

from .partition import Clusters
from .roads import MAX_PIECE_M, RoadGraph

Array = NDArray[Any]

FINE_SHARE = 8
"""Areas are first cut to this fraction of the largest demand, then joined; finer hardly changes the result."""

ROUNDS = 6
"""Turns of moving transformers and customers at most."""

LEAST_GAIN_M = 10.0
"""A customer changes its transformer only for a way that is shorter by more than this [m]."""

TRIED = 6
"""Nearest neighbours of an area that are tried as partners."""


def merged_clusters(
    graph: RoadGraph, demand: Array, fine: Clusters, max_demand: int, max_reach_m: float, max_gap_m: float
) -> Clusters:
    """Join areas, the smallest first, each to the neighbour with which it makes the most compact area.

    Parameters
    ----------
    graph : roads with taps.
    demand : (n_points,) meters at each point.
    fine : areas to start from; each already keeps the limits.
    max_demand, max_reach_m, max_gap_m : what a joined area keeps too: meters, way along the roads from the transformer
        to the farthest point [m], and way between the two parts [m].

    Returns
    -------
    The areas, numbered by the place of their transformer, which stands where the demand-weighted length is least among
    the nodes that keep the reach (found by descent along the roads); then customers move to the nearest transformer
    that has room. Independent of the order of rows.

    References
    ----------
    Agglomerative clustering under a capacity, J. M. Mulvey, M. P. Beck, "Solving capacitated clustering problems",
    European J. Operational Research 18 (3), 1984, pp. 339-348 (the idea of joining and re-centring).
    """
    walk, limits = _Walk(graph), (max_demand, max_reach_m, max_gap_m)
    rows = np.flatnonzero(fine.of_point >= 0)
    members = _split_by(rows, fine.of_point[rows], fine.node.size)
    node_area = np.full(graph.n_nodes, -1, dtype=np.int64)
    node_area[graph.tap[rows]] = fine.of_point[rows]
    total = [int(demand[points].sum()) for points in members]
    centre = fine.node.tolist()
    alive = [True] * len(members)
    queue = [(total[area], centre[area], area) for area in range(len(members))]
    heapq.heapify(queue)
    while queue:
        _, _, area = heapq.heappop(queue)
        if not alive[area]:
            continue
        best: tuple[float, int, int] | None = None
        nodes, metres = walk.around(np.unique(graph.tap[members[area]]), max_gap_m)
        for other in _neighbours(node_area[nodes], metres, area):
            if total[area] + total[other] > max_demand:
                continue
            points = np.concatenate([members[area], members[other]])
            radius_m, middle = walk.middle(points, centre[other], max_reach_m)
            if radius_m <= max_reach_m and (best is None or (radius_m, centre[other]) < (best[0], centre[best[1]])):
                best = (radius_m, other, middle)
        if best is None:
            continue
        _, other, middle = best
        members[area] = np.concatenate([members[area], members[other]])
        node_area[graph.tap[members[other]]] = area
        total[area] += total[other]
        centre[area], alive[other] = middle, False
        heapq.heappush(queue, (total[area], middle, area))
    left = [area for area in range(len(members)) if alive[area] and members[area].size]
    return _settled(walk, demand, [members[area] for area in left], [centre[area] for area in left], limits)


def _settled(
    walk: _Walk, demand: Array, members: list[Array], centre: list[int], limits: tuple[int, float, float]
) -> Clusters:
    """Transformers moved amid their customers, and customers to the nearest transformer with room, in turns."""
    graph, (max_demand, max_reach_m, _) = walk.graph, limits
    owner = np.full(graph.tap.size, -1, dtype=np.int64)
    for area, points in enumerate(members):
        owner[points] = area
    site = np.array(centre, dtype=np.int64)
    rows = np.flatnonzero(owner >= 0)
    total = np.bincount(owner[rows], weights=demand[rows], minlength=site.size).astype(int)
    changed = set(range(site.size))
    for _ in range(ROUNDS):
        members = _split_by(rows, owner[rows], site.size)
        for area in sorted(changed):
            if members[area].size:
                site[area] = walk.descended(members[area], demand, int(site[area]), max_reach_m)
        changed = set()
        for point, area in _nearer(walk, site, members, owner, max_reach_m):
            if total[area] + demand[point] <= max_demand:
                total[owner[point]] -= demand[point]
                total[area] += demand[point]
                changed |= {int(owner[point]), area}
                owner[point] = area
        if not changed:
            break
    order = [area for area in np.lexsort((np.arange(site.size), site)) if total[area] > 0]
    number = np.full(site.size + 1, -1, dtype=np.int64)
    number[order] = np.arange(len(order))
    return Clusters(number[owner], site[order])


def _nearer(walk: _Walk, site: Array, members: list[Array], owner: Array, max_reach_m: float) -> list[tuple[int, int]]:
    """Points to which another transformer is nearer than their own, and that one; the largest gain first."""
    graph = walk.graph
    own_m = np.zeros(owner.size)
    live = np.array([area for area, points in enumerate(members) if points.size], dtype=np.int64)
    for area in live:
        own_m[members[area]] = walk.spread_m(members[area], int(site[area]), max_reach_m)
    nodes, first = np.unique(site[live], return_index=True)
    far_m, _, source = dijkstra(
        graph.matrix, directed=False, indices=nodes, limit=max_reach_m, min_only=True, return_predecessors=True
    )
    area_of = np.full(graph.n_nodes, -1, dtype=np.int64)
    area_of[nodes] = live[first]
    rows = np.flatnonzero(owner >= 0)
    rows = rows[np.isfinite(far_m[graph.tap[rows]])]
    to_m = far_m[graph.tap[rows]] + graph.stub_m[rows]
    other = area_of[source[graph.tap[rows]]]
    gain = own_m[rows] - to_m
    good = np.flatnonzero((other != owner[rows]) & (gain > LEAST_GAIN_M) & (to_m <= max_reach_m))
    good = good[np.lexsort((rows[good], graph.tap[rows[good]], -gain[good]))]
    return list(zip(rows[good].tolist(), other[good].tolist(), strict=True))


_NONE = np.zeros(0, dtype=np.int64)


class _Walk:
    """Ways along the roads around a few nodes, without touching the rest of the graph."""

    def __init__(self, graph: RoadGraph) -> None:
        matrix = graph.matrix
        self.graph = graph
        self.links = (matrix.indptr, matrix.indices, matrix.data)
        self.far_m = np.full(graph.n_nodes, np.inf)
        self.before = np.full(graph.n_nodes, -1, dtype=np.int64)
        self.wanted = np.zeros(graph.n_nodes, dtype=np.bool_)

    def around(self, sources: Array, limit_m: float, targets: Array = _NONE) -> tuple[Array, Array]:
        """Nodes within the limit of any source and their distance; ``before`` leads back.

        With ``targets`` the search ends as soon as all of them are reached; only their distances count then.
        """
        search: Any = _search
        self.wanted[targets] = True
        nodes = np.asarray(
            search(*self.links, sources.astype(np.int64), limit_m, self.far_m, self.before, self.wanted, targets.size)
        )
        self.wanted[targets] = False
        metres = self.far_m[nodes]
        self.far_m[nodes] = np.inf
        return nodes, metres

    def spread_m(self, points: Array, source: int, limit_m: float) -> Array:
        """(n_points,) way from a node to each point, stub included, inf beyond the limit."""
        taps = self.graph.tap[points]
        nodes, metres = self.around(np.array([source]), limit_m, np.unique(taps))
        self.far_m[nodes] = metres
        answer = self.far_m[taps] + self.graph.stub_m[points]
        self.far_m[nodes] = np.inf
        return np.asarray(answer)

    def middle(self, points: Array, start: int, max_reach_m: float) -> tuple[float, int]:
        """Way from about the middle of the points to the farthest of them, and the node there; inf where too far."""
        taps, stub_m = self.graph.tap[points], self.graph.stub_m[points]
        first = self.spread_m(points, start, 2 * max_reach_m)
        if not np.isfinite(first).all():
            return np.inf, start
        one = np.lexsort((taps, -first))[0]
        nodes, metres = self.around(taps[[one]], 2 * max_reach_m, np.unique(taps))
        self.far_m[nodes] = metres
        second = self.far_m[taps] + stub_m
        two = np.lexsort((taps, -second))[0]
        wanted_m = (second[two] - stub_m[one]) / 2
        node = int(taps[two])
        while np.isfinite(second[two]) and self.before[node] >= 0 and self.far_m[node] > max(wanted_m, 0.0):
            node = int(self.before[node])
        self.far_m[nodes] = np.inf
        if second[two] + stub_m[one] > 2 * max_reach_m + MAX_PIECE_M:
            return np.inf, start
        return float(self.spread_m(points, node, max_reach_m).max()), node

    def descended(self, points: Array, demand: Array, start: int, max_reach_m: float) -> int:
        """From a node that keeps the reach, stepwise to a neighbour of less demand-weighted length that keeps it."""
        weight, indptr, indices = demand[points], self.links[0], self.links[1]

        def cost(node: int) -> float:
            far_m = self.spread_m(points, node, max_reach_m)
            return float((weight * far_m).sum()) if far_m.max() <= max_reach_m else np.inf

        node, least = start, cost(start)
        while True:
            around = indices[indptr[node] : indptr[node + 1]].tolist()
            costs = sorted((cost(other), other) for other in around)
            if not costs or not costs[0][0] < least - 1e-6:
                return node
            least, node = costs[0]


def _neighbours(areas: Array, metres: Array, area: int) -> list[int]:
    """Other areas among those of nodes, the nearest first."""
    order = [int(one) for one in areas[np.argsort(metres, kind="stable")] if one >= 0 and one != area]
    return list(dict.fromkeys(order))[:TRIED]


def _split_by(rows: Array, number: Array, n_numbers: int) -> list[Array]:
    order = np.argsort(number, kind="stable")
    return np.split(rows[order], np.searchsorted(number[order], np.arange(1, n_numbers)))


@njit(cache=True)
def _search(
    indptr: Array,
    indices: Array,
    length_m: Array,
    sources: Array,
    limit_m: float,
    far_m: Array,
    before: Array,
    wanted: Array,
    n_wanted: int,
) -> Array:  # pragma: no cover - compiled
    """Dijkstra's search from all sources at once, until ``n_wanted`` nodes of ``wanted`` are reached (0: to the limit);
    leaves distances of the nodes it returns in ``far_m``."""
    left = n_wanted
    queue = [(0.0, sources[0])]
    touched = [sources[0]]
    touched.clear()
    queue.clear()
    for source in sources:
        if far_m[source] != 0.0:
            far_m[source] = 0.0
            before[source] = -1
            touched.append(source)
            queue.append((0.0, source))
    heapq.heapify(queue)
    while queue:
        metres, node = heapq.heappop(queue)
        if metres > far_m[node]:
            continue
        if wanted[node]:
            wanted[node] = False
            left -= 1
            if left == 0:
                break
        for at in range(indptr[node], indptr[node + 1]):
            other = np.int64(indices[at])
            further = metres + length_m[at]
            if further <= limit_m and further < far_m[other]:
                if far_m[other] == np.inf:
                    touched.append(other)
                far_m[other] = further
                before[other] = node
                heapq.heappush(queue, (further, other))
    return np.array(touched)
