"""What link tables over cables say of nodes and areas, the same for every power line technology."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..paths import CablePaths
from ..technology import LinkQuality, Reason, Routes

Array = NDArray[Any]


def area_of_nodes(paths: CablePaths) -> Array:
    """Site row that feeds each node, (n_nodes,); -1 for none."""
    terminal = np.concatenate([paths.meter_feeder_node, paths.site_feeder_node]).astype(np.int64)
    if paths.n_feeder_nodes == 0:
        return np.full(terminal.size, -1)
    return np.where(terminal >= 0, paths.feeder_area[np.maximum(terminal, 0)], -1)


def best_link(paths: CablePaths, quality: LinkQuality) -> Array:
    """Row of the link with the largest margin in its weaker direction, (n_meters,); -1 where a meter has no link."""
    margin = np.minimum(quality.margin_up_db, quality.margin_down_db)
    largest = np.full(paths.n_meters + paths.n_sites, -np.inf)
    np.maximum.at(largest, paths.from_node, margin)
    np.maximum.at(largest, paths.to_node, margin)
    best = np.full(largest.size, -1, np.int64)
    for node in (paths.from_node, paths.to_node):
        row = np.flatnonzero(margin == largest[node])
        # of equal margins the last row stays
        np.maximum.at(best, node[row], row)
    return best[: paths.n_meters]


def way_out(paths: CablePaths, quality: LinkQuality, arrived: Array) -> Array:
    """Best link from each meter's island (who hears whom) to a node that has a way on; -1 where there is none.

    Parameters
    ----------
    arrived : (n_nodes,) bool, meters with a route and concentrators that stand

    Returns
    -------
    (n_meters,) rows of the paths.
    """
    n = arrived.size
    heard = np.flatnonzero(quality.usable)
    graph = coo_array((np.ones(heard.size), (paths.from_node[heard], paths.to_node[heard])), shape=(n, n)).tocsr()
    island = connected_components(graph, directed=False)[1]
    out = np.flatnonzero(arrived[paths.from_node] != arrived[paths.to_node])
    out = out[np.argsort(np.minimum(quality.margin_up_db, quality.margin_down_db)[out], kind="stable")]
    inner = np.where(arrived[paths.from_node[out]], paths.to_node[out], paths.from_node[out])
    best = np.full(n, -1, np.int64)
    best[island[inner]] = out
    return np.asarray(best[island[: paths.n_meters]])


def link_between(paths: CablePaths, rows: Array, node: Array, parent: Array) -> Array:
    """Row of the link between each node and its parent.

    Parameters
    ----------
    rows : (n_rows,) links to look among;  node, parent : (n,) node numbers, parent -1 for none

    Returns
    -------
    (n,) rows of the paths; -1 where there is no parent. Every pair must be among ``rows``.
    """
    found = np.full(node.size, -1, np.int64)
    has = np.flatnonzero(parent >= 0)
    if has.size == 0:
        return found
    n_nodes = paths.n_meters + paths.n_sites
    key = _pair(paths.from_node[rows], paths.to_node[rows], n_nodes)
    order = np.argsort(key)
    found[has] = rows[order[np.searchsorted(key[order], _pair(node[has], parent[has], n_nodes))]]
    return found


def _pair(first: Array, second: Array, n_nodes: int) -> Array:
    """One number for each unordered pair."""
    return np.asarray(np.minimum(first, second).astype(np.int64) * n_nodes + np.maximum(first, second))


def reasons(paths: CablePaths, quality: LinkQuality, served: Array, stands: Array) -> Array:
    """Why each meter has no route, (n_meters,) int8; NONE where it has one.

    A meter that hears nobody fails for the limit of its best link. Meters that hear each other but have no way on fail
    for the limit of the best link out of their island towards a meter or concentrator that has one. Where there is no
    such link, they lack a neighbour; where no concentrator stands in their area, a transformer.

    Parameters
    ----------
    served : (n_meters,) bool, has a route;  stands : (n_sites,) bool, a concentrator stands there
    """
    best = best_link(paths, quality)
    hears = np.append(quality.usable, False)[best]
    listed = np.append(quality.limit, Reason.NO_NEIGHBOUR)
    arrived = np.concatenate([served, stands])
    reason = np.where(hears, listed[way_out(paths, quality, arrived)], listed[best])
    fed = np.append(stands, False)[area_of_nodes(paths)[: paths.n_meters]]
    return np.where(served, Reason.NONE, np.where(fed, reason, Reason.NO_TRANSFORMER)).astype(np.int8)


def tree_routes(parent: Array, root: Array, hops: Array, link: Array, reason: Array, n_meters: int) -> Routes:
    """Routes whose uplinks are received by the parent alone; columns (n_meters,), ``root`` a node number or -1."""
    served = root >= 0
    return Routes(
        np.where(served, root - n_meters, -1).astype(np.int32),
        parent.astype(np.int32),
        link,
        hops.astype(np.int16),
        np.concatenate([[0], np.cumsum(served)]).astype(np.int64),
        link[served],
        reason,
    )
