"""Ways along the roads around a few nodes: searches that end as soon as they know enough."""

from __future__ import annotations

import heapq
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .roads import MAX_PIECE_M, RoadGraph

Array = NDArray[Any]

_NONE = np.zeros(0, dtype=np.int64)


class Walk:
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
            search(
                *self.links,
                sources.astype(np.int64),
                limit_m,
                self.far_m,
                self.before,
                self.wanted,
                targets.size,
                _NONE,
                0,
                0,
            )
        )
        self.wanted[targets] = False
        metres = self.far_m[nodes]
        self.far_m[nodes] = np.inf
        return nodes, metres

    def neighbours(self, sources: Array, limit_m: float, area_of: Array, own: int, n_areas: int) -> list[int]:
        """The nearest areas but one's own around the sources, at most ``n_areas``, the nearest first.

        area_of : (n_nodes,) area of each node, -1 for none. The search ends as soon as the nearest areas are known.
        """
        search: Any = _search
        nodes = np.asarray(
            search(
                *self.links,
                sources.astype(np.int64),
                limit_m,
                self.far_m,
                self.before,
                self.wanted,
                0,
                area_of,
                own,
                n_areas,
            )
        )
        metres = self.far_m[nodes]
        self.far_m[nodes] = np.inf
        order = nodes[np.argsort(metres, kind="stable")]
        areas = area_of[order]
        return list(dict.fromkeys(areas[(areas >= 0) & (areas != own)].tolist()))[:n_areas]

    def spread_m(self, points: Array, source: int, limit_m: float, targets: Array | None = None) -> Array:
        """(n_points,) way from a node to each point, stub included, inf beyond the limit.

        targets : the taps of the points, each once, where the caller has them.
        """
        taps = self.graph.tap[points]
        nodes, metres = self.around(np.array([source]), limit_m, np.unique(taps) if targets is None else targets)
        self.far_m[nodes] = metres
        answer = self.far_m[taps] + self.graph.stub_m[points]
        self.far_m[nodes] = np.inf
        return np.asarray(answer)

    def middle(self, points: Array, start: int, max_reach_m: float) -> tuple[float, int]:
        """Way from about the middle of the points to the farthest of them, and the node there; inf where too far."""
        taps, stub_m = self.graph.tap[points], self.graph.stub_m[points]
        targets = np.unique(taps)
        first = self.spread_m(points, start, 2 * max_reach_m, targets)
        if not np.isfinite(first).all():
            return np.inf, start
        one = np.lexsort((taps, -first))[0]
        nodes, metres = self.around(taps[[one]], 2 * max_reach_m, targets)
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
        return float(self.spread_m(points, node, max_reach_m, targets).max()), node

    def descended(self, points: Array, demand: Array, start: int, max_reach_m: float) -> int:
        """From a node that keeps the reach, stepwise to a neighbour of less demand-weighted length that keeps it."""
        weight, indptr, indices = demand[points], self.links[0], self.links[1]

        targets = np.unique(self.graph.tap[points])
        known: dict[int, float] = {}

        def cost(node: int) -> float:
            if node not in known:
                far_m = self.spread_m(points, node, max_reach_m, targets)
                known[node] = float((weight * far_m).sum()) if far_m.max() <= max_reach_m else np.inf
            return known[node]

        node, least = start, cost(start)
        while True:
            around = indices[indptr[node] : indptr[node + 1]].tolist()
            costs = sorted((cost(other), other) for other in around)
            if not costs or not costs[0][0] < least - 1e-6:
                return node
            least, node = costs[0]


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
    area_of: Array,
    own: int,
    n_areas: int,
) -> Array:  # pragma: no cover - compiled
    """Dijkstra's search from all sources at once, until ``n_wanted`` nodes of ``wanted`` are reached (0: to the limit),
    or all nodes that are no farther than the first of the ``n_areas``th area but ``own`` (0: areas do not count);
    leaves distances of the nodes it returns in ``far_m``."""
    seen = np.full(n_areas, -1, np.int64)
    n_seen, enough_m = 0, limit_m
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
        if metres > enough_m:
            break
        area = area_of[node] if n_seen < n_areas else own
        if area >= 0 and area != own and not (seen[:n_seen] == area).any():
            seen[n_seen] = area
            n_seen += 1
            if n_seen == n_areas:
                enough_m = metres
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
