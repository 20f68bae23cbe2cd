"""Trees of least expected transmissions, as RPL with MRHOF grows them, and hop-limited reach for siting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

Array = NDArray[Any]

_SITES_AT_ONCE = 64


@dataclass(frozen=True)
class EtxTree:
    """A forest over all nodes; columns (n_nodes,).

    root : int32 node number of the tree's root, -1 for none;  parent : int32 next node, -1 for roots and none.
    link : int64 row of the link to the parent, -1 for none;  hops : int16, 0 for roots and none.
    cost : float64 sum of link costs to the root, inf for none.
    """

    root: Array
    parent: Array
    link: Array
    hops: Array
    cost: Array


def link_etx(data_per: Array, ack_per: Array) -> Array:
    """Expected transmissions of a frame over one link until it is acknowledged: 1 / ((1 - data)(1 - ack)).

    Parameters
    ----------
    data_per, ack_per : (n,) loss probability of the frame and of its acknowledgement, 0 to 1.

    Returns
    -------
    (n,) at least 1; inf where nothing passes.

    References
    ----------
    D. De Couto et al., "A high-throughput path metric for multi-hop wireless routing", MobiCom 2003.

    >>> import numpy as np
    >>> float(link_etx(np.array([0.5]), np.array([0.0]))[0])
    2.0
    """
    passed = (1.0 - np.asarray(data_per, np.float64)) * (1.0 - np.asarray(ack_per, np.float64))
    with np.errstate(divide="ignore"):
        return np.asarray(1.0 / passed)


def etx_tree(from_node: Array, to_node: Array, cost: Array, roots: Array, *, n_nodes: int) -> EtxTree:
    """Cheapest tree from every node to its nearest root.

    Parameters
    ----------
    from_node, to_node : (n_links,) node numbers; every unordered pair at most once.
    cost : (n_links,) positive; links of infinite cost are left out.
    roots : (n_roots,) node numbers of collectors.
    n_nodes : number of nodes.

    Returns
    -------
    EtxTree. Raises ValueError where a cost is not positive or NaN.

    References
    ----------
    RFC 6719 (MRHOF): rank of a node is rank of its parent plus the cost of the link between them; with one scalar
    cost its stable state is the shortest-path tree.
    """
    cost = np.asarray(cost, np.float64)
    if not (cost > 0.0).all():
        raise ValueError("link costs must be positive numbers; leave links out instead of giving them 0 or NaN")
    rows = np.flatnonzero(np.isfinite(cost))
    nobody = np.full(n_nodes, -1, np.int32)
    if roots.size == 0 or rows.size == 0:
        root = nobody.copy()
        root[roots] = roots
        nil = np.full(n_nodes, np.inf)
        nil[roots] = 0.0
        return EtxTree(root, nobody, nobody.astype(np.int64), np.zeros(n_nodes, np.int16), nil)
    graph = csr_array((cost[rows], (from_node[rows], to_node[rows])), shape=(n_nodes, n_nodes))
    total, before, source = dijkstra(
        graph, directed=False, indices=np.asarray(roots), return_predecessors=True, min_only=True
    )
    parent = np.where(before >= 0, before, -1).astype(np.int32)
    root = np.where(np.isfinite(total), source, -1).astype(np.int32)
    link = rows_of_pairs(from_node, to_node, np.arange(n_nodes), parent, n_nodes=n_nodes)
    return EtxTree(root, parent, link, hop_counts(parent), total)


def rows_of_pairs(from_node: Array, to_node: Array, first: Array, second: Array, *, n_nodes: int) -> Array:
    """Link row of each unordered pair ``first, second``; -1 where ``second`` is -1 or the pair has no link."""
    low, high = np.minimum(from_node, to_node).astype(np.int64), np.maximum(from_node, to_node)
    names = low * n_nodes + high
    order = np.argsort(names, kind="stable")
    wanted = np.minimum(first, second).astype(np.int64) * n_nodes + np.maximum(first, second)
    place = np.minimum(np.searchsorted(names[order], wanted), max(names.size - 1, 0))
    rows = order[place]
    return np.asarray(np.where((second >= 0) & (names[rows] == wanted), rows, -1).astype(np.int64))


def hop_counts(parent: Array) -> Array:
    """Links from each node to its root, int16; 0 where there is no parent."""
    hops = np.zeros(parent.size, np.int16)
    walking = np.flatnonzero(parent >= 0)
    place = parent[walking]
    while walking.size:
        hops[walking] += 1
        goes_on = parent[place] >= 0
        walking, place = walking[goes_on], parent[place[goes_on]]
    return hops


def along_path(parent: Array, column: Array, combine: np.ufunc) -> Array:
    """``column`` of each node combined with that of every node on its way to the root.

    Parameters
    ----------
    parent : (n_nodes,) next node, -1 for none.
    column : (n_nodes,) any number per node.
    combine : such as ``np.minimum`` or ``np.add``.
    """
    result = column.copy()
    walking = np.flatnonzero(parent >= 0)
    place = parent[walking]
    while walking.size:
        result[walking] = combine(result[walking], column[place])
        goes_on = parent[place] >= 0
        walking, place = walking[goes_on], parent[place[goes_on]]
    return result


def hop_reach(
    from_node: Array, to_node: Array, *, n_meters: int, n_sites: int, max_hops: int
) -> tuple[Array, Array, Array]:
    """Every meter that each site reaches over at most ``max_hops`` links, relayed by meters only.

    Parameters
    ----------
    from_node, to_node : (n_links,)
        Usable links; meters are nodes 0 to n_meters - 1, sites follow.
    n_meters, n_sites, max_hops : counts; Raises ValueError unless ``max_hops`` is at least 1.

    Returns
    -------
    site (int32), meter (int32), hops (int16), one row a pair, sorted by site then meter.

    Breadth-first search of up to 64 sites at once as products of the sparse meter graph with a block of frontiers.
    """
    if max_hops < 1:
        raise ValueError(f"max_hops must be at least 1, not {max_hops}")
    low, high = np.minimum(from_node, to_node), np.maximum(from_node, to_node)
    relay, ends = high < n_meters, (low < n_meters) & (high >= n_meters)
    both = np.concatenate([low[relay], high[relay]]), np.concatenate([high[relay], low[relay]])
    meters = csr_array((np.ones(both[0].size, np.float32), both), shape=(n_meters, n_meters))
    direct = csr_array(
        (np.ones(int(ends.sum()), np.float32), (low[ends], high[ends] - n_meters)), shape=(n_meters, n_sites)
    ).tocsc()
    found = []
    for first in range(0, n_sites, _SITES_AT_ONCE):
        depth = _depths(meters, direct[:, first : first + _SITES_AT_ONCE].toarray() > 0, max_hops).T
        site, meter = np.nonzero(depth)
        found.append((site + first, meter, depth[site, meter]))
    if not found:
        return np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.int16)
    site, meter, hops = (np.concatenate(column) for column in zip(*found, strict=True))
    return site.astype(np.int32), meter.astype(np.int32), hops.astype(np.int16)


def _depths(meters: Any, frontier: Array, max_hops: int) -> Array:
    """(n_meters, n_sites) hops from each site, 0 where not reached."""
    depth = frontier.astype(np.int16)
    for hop in range(2, max_hops + 1):
        frontier = (meters @ frontier.astype(np.float32) > 0) & (depth == 0)
        if not frontier.any():
            break
        depth[frontier] = hop
    return depth
