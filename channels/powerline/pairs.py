"""Which nodes may talk over the power line: all pairs within one transformer area."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

Array = NDArray[Any]


def area_pairs(
    edge_from: Array,
    edge_to: Array,
    edge_length_m: Array,
    feeder_area: Array,
    meter_feeder_node: Array,
    site_feeder_node: Array,
    max_distance_m: float,
) -> tuple[Array, Array, Array]:
    """All pairs of meters, and of meters with their transformer, along the cables of one area.

    Parameters
    ----------
    edge_from, edge_to : (n_edges,) feeder node rows;  edge_length_m : (n_edges,) [m]
    feeder_area : (n_feeder_nodes,) site row, -1 for a dead island
    meter_feeder_node : (n_meters,) feeder node or -1;  site_feeder_node : (n_sites,) feeder node or -1
    max_distance_m
        Pairs farther apart along the cables are left out [m], positive.

    Returns
    -------
    from_node, to_node (n_links,) int32 and distance_m (n_links,): node numbers with sites after meters, meter to
    site or lower to higher meter, each pair once. Raises ValueError where ``max_distance_m`` is not positive.
    """
    if not max_distance_m > 0:
        raise ValueError(f"max_distance_m {max_distance_m} must be positive; 1500 m is generous for power line")
    if feeder_area.size == 0:
        return np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0)
    terminal = np.concatenate([meter_feeder_node, site_feeder_node]).astype(np.int64)
    area = np.where(terminal >= 0, feeder_area[np.maximum(terminal, 0)], -1)
    n_meters, n_sites = len(meter_feeder_node), len(site_feeder_node)
    area[n_meters:] = np.where(area[n_meters:] == np.arange(n_sites), area[n_meters:], -1)
    inside = (feeder_area[edge_from] == feeder_area[edge_to]) & (feeder_area[edge_from] >= 0)
    edges = _by_area(feeder_area[edge_from], n_sites, inside)
    members = _by_area(area, n_sites, area >= 0)
    nodes = _by_area(feeder_area, n_sites, feeder_area >= 0)
    local = np.zeros(feeder_area.size, np.int64)
    parts = []
    for site in range(n_sites):
        if members[site].size < 2:
            continue
        local[nodes[site]] = np.arange(nodes[site].size)
        row = edges[site]
        distance = _distances(
            local[edge_from[row]],
            local[edge_to[row]],
            edge_length_m[row],
            nodes[site].size,
            local[terminal[members[site]]],
        )
        first, second = np.triu_indices(members[site].size, 1)
        length = distance[first, second]
        near = length <= max_distance_m
        parts.append((members[site][first[near]], members[site][second[near]], length[near]))
    if not parts:
        return np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0)
    start, end, length = (np.concatenate(column) for column in zip(*parts, strict=True))
    return start.astype(np.int32), end.astype(np.int32), length


def _by_area(area: Array, n_areas: int, keep: Array) -> list[Array]:
    """Rows of each area, in rising order."""
    rows = np.flatnonzero(keep)
    order = rows[np.argsort(area[rows], kind="stable")]
    return np.split(order, np.searchsorted(area[order], np.arange(1, n_areas)))


def _distances(start: Array, end: Array, length_m: Array, n_nodes: int, terminal: Array) -> Array:
    """(n_terminals, n_terminals) shortest way along the cables [m]; inf where there is none."""
    low, high = np.minimum(start, end), np.maximum(start, end)
    order = np.lexsort((length_m, high, low))
    low, high, metres = low[order], high[order], np.maximum(length_m[order], 1e-6)
    first = np.r_[True, (low[1:] != low[:-1]) | (high[1:] != high[:-1])] if low.size else np.zeros(0, bool)
    graph = coo_array((metres[first], (low[first], high[first])), shape=(n_nodes, n_nodes)).tocsr()
    unique, back = np.unique(terminal, return_inverse=True)
    return np.asarray(dijkstra(graph, directed=False, indices=unique)[:, unique][np.ix_(back, back)])
