"""Cutting a forest of roads into areas that one transformer can feed, and placing the transformer in each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import breadth_first_order, connected_components, minimum_spanning_tree

from .roads import MAX_PIECE_M, RoadGraph

Array = NDArray[Any]


@dataclass(frozen=True)
class Clusters:
    """Areas of one inferred transformer each.

    of_point : (n_points,) cluster of each point, -1 where it was not asked for or has no tap.
    node : (n_clusters,) road node where the transformer stands.
    """

    of_point: Array
    node: Array


def cluster_points(
    graph: RoadGraph, demand: Array, wanted: Array, max_demand: int, max_reach_m: float, max_gap_m: float
) -> Clusters:
    """Cut the shortest forest of roads bottom-up so that every area keeps demand, reach and gap.

    Parameters
    ----------
    graph : roads with taps.
    demand : (n_points,) meters at each point; a point that alone exceeds ``max_demand`` is an area of its own.
    wanted : (n_points,) bool, points to serve.
    max_demand : meters per area at most.
    max_reach_m : from the transformer to the farthest point along the tree, at most [m].
    max_gap_m : longest stretch of road without points inside an area [m].

    Returns
    -------
    The clusters. Deterministic and independent of row order: nodes are numbered by place. The transformer stands at
    the node of least demand-weighted length among those that keep the reach.

    References
    ----------
    Bottom-up packing of a weighted tree: S. Kundu, J. Misra, "A linear tree partitioning algorithm", SIAM J. Comput.
    6 (1), 1977, pp. 151-154, with length and gap as further limits.
    """
    rows = np.flatnonzero(wanted & (graph.tap >= 0))
    order, parent, edge_m = _rooted_forest(graph)
    weight, deepest = np.zeros(graph.n_nodes), np.full(graph.n_nodes, -np.inf)
    np.add.at(weight, graph.tap[rows], demand[rows])
    np.maximum.at(deepest, graph.tap[rows], graph.stub_m[rows])
    head = _cut(order, parent, edge_m, weight, deepest, max_demand, 2 * max_reach_m - MAX_PIECE_M, max_gap_m)
    cost, far_m = _centres(order, parent, edge_m, weight, deepest, head)
    used = np.unique(head[graph.tap[rows]])
    number = np.full(graph.n_nodes, -1, dtype=np.int64)
    number[used] = np.arange(used.size)
    of_node = number[head]
    best = _best_nodes(of_node, cost, far_m, max_reach_m, used.size)
    of_point = np.full(graph.tap.size, -1, dtype=np.int64)
    of_point[rows] = of_node[graph.tap[rows]]
    return Clusters(of_point, best)


def _rooted_forest(graph: RoadGraph) -> tuple[Array, Array, Array]:
    """Nodes from the roots outwards, parent (-1 at roots) and length to the parent, of the minimum spanning forest."""
    n = graph.n_nodes
    tree = minimum_spanning_tree(graph.matrix).tocoo()
    _, component = connected_components(graph.matrix, directed=False)
    _, root = np.unique(component, return_index=True)
    hub = np.full(root.size, n)
    ends = np.concatenate([tree.row, hub]), np.concatenate([tree.col, root])
    joined = csr_matrix((np.concatenate([tree.data, np.ones(root.size)]), ends), shape=(n + 1, n + 1))
    order, before = breadth_first_order(joined + joined.T, n, directed=False)
    parent = before[:n].astype(np.int64)
    parent[parent == n] = -1
    both = (tree + tree.T).tocsr()
    child = np.flatnonzero(parent >= 0)
    edge_m = np.zeros(n)
    edge_m[child] = np.asarray(both[child, parent[child]]).reshape(-1)
    return order[1:].astype(np.int64), parent, edge_m


def _best_nodes(of_node: Array, cost: Array, far_m: Array, max_reach_m: float, n_clusters: int) -> Array:
    rows = np.flatnonzero((of_node >= 0) & np.isfinite(far_m))
    late = far_m[rows] > max_reach_m
    order = np.lexsort((rows, np.where(late, far_m[rows], cost[rows]), late, of_node[rows]))
    rows = rows[order]
    first = np.searchsorted(of_node[rows], np.arange(n_clusters))
    return np.asarray(rows[first])


@njit(cache=True)
def _cut(
    order: Array,
    parent: Array,
    edge_m: Array,
    weight: Array,
    deepest: Array,
    max_demand: float,
    max_diameter_m: float,
    max_gap_m: float,
) -> Array:  # pragma: no cover - compiled
    n = order.size
    demand, far = weight.copy(), deepest.copy()
    near = np.where(weight > 0, 0.0, np.inf)
    joined = np.zeros(n, np.bool_)
    for position in range(n - 1, -1, -1):
        node = order[position]
        up = parent[node]
        if up < 0:
            continue
        if demand[node] == 0:
            joined[node] = True
            continue
        reach, gap = far[node] + edge_m[node], near[node] + edge_m[node]
        diameter = reach + max(far[up], 0.0)
        if gap <= max_gap_m and demand[up] + demand[node] <= max_demand and diameter <= max_diameter_m:
            joined[node] = True
            demand[up] += demand[node]
            far[up] = max(far[up], reach)
            near[up] = min(near[up], gap)
    head = np.empty(n, np.int64)
    for position in range(n):
        node = order[position]
        head[node] = head[parent[node]] if parent[node] >= 0 and joined[node] else node
    return head


@njit(cache=True)
def _centres(
    order: Array, parent: Array, edge_m: Array, weight: Array, deepest: Array, head: Array
) -> tuple[Array, Array]:  # pragma: no cover - compiled
    """Demand-weighted length and farthest point seen from every node within its cluster, by rerooting."""
    n = order.size
    demand, cost = weight.copy(), np.zeros(n)
    first, second = deepest.copy(), np.full(n, -np.inf)
    for position in range(n - 1, -1, -1):
        node = order[position]
        up = parent[node]
        if up >= 0 and head[up] == head[node]:
            demand[up] += demand[node]
            cost[up] += cost[node] + demand[node] * edge_m[node]
            reach = first[node] + edge_m[node]
            if reach > first[up]:
                first[up], second[up] = reach, first[up]
            elif reach > second[up]:
                second[up] = reach
    far = first.copy()
    above = np.full(n, -np.inf)
    for position in range(n):
        node = order[position]
        up = parent[node]
        if up >= 0 and head[up] == head[node]:
            own = first[node] + edge_m[node]
            other = second[up] if own == first[up] else first[up]
            above[node] = max(above[up], other) + edge_m[node]
            far[node] = max(first[node], above[node])
            cost[node] = cost[up] + (demand[head[node]] - 2 * demand[node]) * edge_m[node]
    return cost, far
