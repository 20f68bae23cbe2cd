"""Small inferred areas joined to larger ones, so that transformers are few, well loaded and amid their customers."""

from __future__ import annotations

import heapq
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import dijkstra

from .partition import Clusters
from .roads import RoadGraph
from .walk import Walk

Array = NDArray[Any]

FINE_SHARE = 8
"""Areas are first cut to this fraction of the largest demand, then joined; finer hardly changes the result."""

ROUNDS = 6
"""Turns of moving transformers and customers at most."""

LEAST_GAIN_M = 10.0
"""A customer changes its transformer only for a way that is shorter by more than this [m]."""

SLACK_M = 1.0
"""Rounding of places and taps that no bound on a way may rest on [m]."""

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
    if fine.node.size == 0:
        return fine
    walk, limits = Walk(graph), (max_demand, max_reach_m, max_gap_m)
    rows = np.flatnonzero(fine.of_point >= 0)
    members = _split_by(rows, fine.of_point[rows], fine.node.size)
    node_area = np.full(graph.n_nodes, -1, dtype=np.int64)
    node_area[graph.tap[rows]] = fine.of_point[rows]
    total = [int(demand[points].sum()) for points in members]
    centre = fine.node.tolist()
    alive = [True] * len(members)
    reach = [_extent_m(walk.graph, points) for points in members]
    queue = [(total[area], centre[area], area) for area in range(len(members))]
    heapq.heapify(queue)
    while queue:
        _, _, area = heapq.heappop(queue)
        if not alive[area]:
            continue
        best: tuple[float, int, int] | None = None
        around = walk.neighbours(np.unique(graph.tap[members[area]]), max_gap_m, node_area, area, TRIED)
        around = [other for other in around if total[area] + total[other] <= max_demand]
        least_m = {
            other: float(np.maximum(reach[area], reach[other]).reshape(2, -1).sum(axis=0).max()) / 2 for other in around
        }
        for other in sorted(around, key=lambda other: least_m[other]):
            if least_m[other] > min(max_reach_m, best[0] if best else np.inf) + SLACK_M:
                break  # no node is so near to all points: the way is never shorter than the straight line
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
        reach[area] = np.maximum(reach[area], reach[other])
        centre[area], alive[other] = middle, False
        heapq.heappush(queue, (total[area], middle, area))
    left = [area for area in range(len(members)) if alive[area] and members[area].size]
    return _settled(walk, demand, [members[area] for area in left], [centre[area] for area in left], limits)


def _settled(
    walk: Walk, demand: Array, members: list[Array], centre: list[int], limits: tuple[int, float, float]
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


def _nearer(walk: Walk, site: Array, members: list[Array], owner: Array, max_reach_m: float) -> list[tuple[int, int]]:
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


def _extent_m(graph: RoadGraph, points: Array) -> Array:
    """(8,) farthest taps of an area to east, north, north-east and south-east, then to the opposite sides [m]."""
    x, y = graph.x_m[graph.tap[points]], graph.y_m[graph.tap[points]]
    along = np.stack([x, y, (x + y) / np.sqrt(2.0), (x - y) / np.sqrt(2.0)])
    return np.concatenate([along.max(axis=1), (-along).max(axis=1)])


def _split_by(rows: Array, number: Array, n_numbers: int) -> list[Array]:
    order = np.argsort(number, kind="stable")
    return np.split(rows[order], np.searchsorted(number[order], np.arange(1, n_numbers)))
