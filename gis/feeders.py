"""The low-voltage network as given: lines joined, cut at open switches, areas by what feeds them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from .area import FeederNetwork
from .audit import CODES, Audited, fault_rows
from .inputs import InferenceRules
from .line_joints import by_place
from .lines import Lines, by_bus, isolated, lv_buses
from .switches import apply_switches

Array = NDArray[Any]


@dataclass(frozen=True)
class GivenNetwork:
    """The user's network: feeders, the node of each bus, faults of its rows, and oddities that were kept.

    lines : the cables in use after switches, between nodes of their own numbering.
    fed_node : nodes of that numbering which a live transformer feeds.
    bus_node : bus id to node row of ``feeders``.  qa : DataFrame with the columns of the fault list.
    """

    feeders: FeederNetwork
    lines: Lines
    fed_node: Array
    bus_node: dict[str, int]
    cables_listed: pd.DataFrame
    buses_listed: pd.DataFrame
    switches_listed: pd.DataFrame
    qa: pd.DataFrame


def given_network(
    cables: Audited,
    buses: Audited | None,
    switches: pd.DataFrame | None,
    transformers: gpd.GeoDataFrame,
    rules: InferenceRules,
) -> GivenNetwork:
    """Build the network from the user's layers.

    Parameters
    ----------
    cables : lines with ``cable_id, from_bus, to_bus, length_km or length_m, cable, in_service``; without bus columns
        lines are joined where their ends lie within ``snap_tolerance_m``.
    buses : points with ``bus`` and perhaps ``vn_kv``; only places and voltage are taken from it.
    switches : ``bus, element, et, closed``; et ``l`` is a line, ``b`` a second bus, ``t`` a transformer.
    transformers : ``transformer_id, lv_bus, x_m, y_m``, sorted by key.

    Returns
    -------
    The network. An open switch ends its line in a node of its own (a stub); a line open at both ends is dead. Raises
    ValueError where no line is in service.
    """
    named = {"from_bus", "to_bus"} <= set(cables.frame.columns)
    network = by_bus(cables, buses, transformers) if named else by_place(cables, rules)
    lines, names, xy, cables_listed, buses_listed = network
    if lines.start.size == 0:
        raise ValueError(
            f"{cables.layer.given.path}: no row of the layer cables is in service and joined at both ends; correct the "
            "layer, or leave it out so that the network is inferred"
        )
    node_of = {name: row for row, name in enumerate(names.tolist()) if name}
    site_node = _site_nodes(transformers, node_of, xy, rules)
    cut, switch_faults, qa = apply_switches(lines, switches, node_of, transformers, xy)
    lines, xy, dead_sites, merged = cut
    lines, cables_listed, qa_lines = _settled_lines(lines, cables_listed, named, rules)
    site_node = np.where(site_node >= 0, merged[np.maximum(site_node, 0)], -1)
    keep = _used_nodes(lines, site_node, xy.shape[0])
    feeders, qa_areas = _areas(lines, xy, site_node, dead_sites, keep)
    new_row = np.cumsum(keep) - 1
    bus_node = {name: int(new_row[merged[row]]) for name, row in node_of.items() if keep[merged[row]]}
    alone = isolated(buses, bus_node, buses_listed)
    return GivenNetwork(
        feeders,
        lines,
        site_node[(site_node >= 0) & ~dead_sites],
        bus_node,
        cables_listed,
        pd.concat([buses_listed, alone], ignore_index=True),
        switch_faults,
        pd.concat([qa, qa_lines, qa_areas, _shared_nodes(transformers, site_node, dead_sites)], ignore_index=True),
    )


def _settled_lines(
    lines: Lines, listed: pd.DataFrame, named: bool, rules: InferenceRules
) -> tuple[Lines, pd.DataFrame, pd.DataFrame]:
    """Lines without those that lead nowhere, cables of length 0 as joints; both are told."""
    loop, zero = lines.start == lines.end, lines.length_m == 0
    words = CODES["self_loop"]
    loops = fault_rows("cables", lines.rows[loop], lines.ids[loop], "self_loop", words)
    joints = fault_rows(
        "cables",
        lines.rows[zero & ~loop],
        lines.ids[zero & ~loop],
        "zero_length",
        f"the cable has no length; it counts as a joint of {rules.joint_length_m:g} m",
    )
    lines = replace(lines, length_m=np.where(zero, rules.joint_length_m, lines.length_m)).taken(~loop)
    if not named:  # a piece of a line that is joined by place, its row is in use
        return lines, listed, pd.concat([joints, loops], ignore_index=True)
    return lines, pd.concat([listed, loops], ignore_index=True), joints


def _shared_nodes(transformers: gpd.GeoDataFrame, site_node: Array, dead: Array) -> pd.DataFrame:
    """Live transformers on the low-voltage bus of another: all meters there count with the first by key."""
    rows = np.flatnonzero((site_node >= 0) & ~dead)
    _, first = np.unique(site_node[rows], return_index=True)
    again = transformers.iloc[np.setdiff1d(rows, rows[first])]
    return fault_rows(
        "transformers",
        np.full(len(again), -1),
        again["transformer_id"].to_numpy(dtype=object),
        "shared_bus",
        "another transformer feeds the same bus and has all its meters",
        again["x_m"],
        again["y_m"],
    )


def nearest_of(places: Array, asked: Array) -> tuple[Array, Array]:
    """Distance to and row of the nearest of (n, 2) places for each of (m, 2) asked."""
    far_m, row = cKDTree(places).query(asked)
    return np.asarray(far_m), np.asarray(row)


def _site_nodes(transformers: gpd.GeoDataFrame, node_of: dict[str, int], xy: Array, rules: InferenceRules) -> Array:
    node = np.array([node_of.get(name, -1) for name in lv_buses(transformers)], dtype=np.int64)
    free = np.flatnonzero(node < 0)
    if free.size and len(xy):
        placed = np.flatnonzero(np.isfinite(xy[:, 0]))
        places = transformers[["x_m", "y_m"]].to_numpy(dtype=float)[free]
        far_m, nearest = nearest_of(xy[placed], places)
        near = far_m <= rules.attach_distance_m
        node[free[near]] = placed[nearest[near]]
    return node


def _used_nodes(lines: Lines, site_node: Array, n_nodes: int) -> Array:
    keep = np.zeros(n_nodes, dtype=bool)
    keep[lines.start], keep[lines.end] = True, True
    keep[site_node[site_node >= 0]] = True
    return keep


def _areas(lines: Lines, xy: Array, site_node: Array, dead: Array, keep: Array) -> tuple[FeederNetwork, pd.DataFrame]:
    new_row = np.cumsum(keep) - 1
    start, end, n = new_row[lines.start], new_row[lines.end], int(keep.sum())
    transformer_node = np.where(site_node >= 0, new_row[np.maximum(site_node, 0)], -1)
    area = np.full(n, -1, dtype=np.int32)
    graph = _length_graph(start, end, lines.length_m, n)
    feeding = np.flatnonzero((transformer_node >= 0) & ~dead)
    nodes, first = np.unique(transformer_node[feeding], return_index=True)
    if nodes.size:
        far, _, source = dijkstra(graph, directed=False, indices=nodes, min_only=True, return_predecessors=True)
        fed = np.isfinite(far)
        site_of = np.full(n, -1, dtype=np.int32)
        site_of[nodes] = feeding[first]
        area[fed] = site_of[source[fed]]
    # Where two transformers feed one component, the line between their shares is taken as open in one end.
    crossing = np.flatnonzero(area[start] != area[end])
    end = end.copy()
    end[crossing] = n + np.arange(crossing.size)
    places = np.concatenate([xy[keep], xy[keep][new_row[lines.end[crossing]]]])
    area = np.concatenate([area, area[start[crossing]]])
    cables = tuple(sorted(set(lines.cable.tolist())))
    number = {name: row for row, name in enumerate(cables)}
    feeders = FeederNetwork(
        node_x_m=places[:, 0],
        node_y_m=places[:, 1],
        node_area=area,
        edge_from=start.astype(np.int32),
        edge_to=end.astype(np.int32),
        edge_length_m=lines.length_m,
        edge_cable=np.array([number[name] for name in lines.cable], dtype=np.int16),
        edge_inferred=np.zeros(start.size, dtype=bool),
        edge_geometry=lines.shapes,
        cables=cables,
        transformer_node=transformer_node.astype(np.int32),
    )
    middle = shapely.line_interpolate_point(lines.shapes[crossing], 0.5, normalized=True)
    qa = fault_rows(
        "cables",
        lines.rows[crossing],
        lines.ids[crossing],
        "two_transformers",
        "the line joins two transformers; each node went to the nearer one and the line was opened between them",
        shapely.get_x(middle).round(3),
        shapely.get_y(middle).round(3),
    )
    return feeders, qa


def _length_graph(start: Array, end: Array, length_m: Array, n_nodes: int) -> Any:
    """Sparse matrix of the shortest of parallel lines."""
    low, high = np.minimum(start, end), np.maximum(start, end)
    order = np.lexsort((length_m, high, low))
    low, high, length_m = low[order], high[order], length_m[order]
    first = np.ones(low.size, dtype=bool)
    first[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
    return csr_matrix((length_m[first], (low[first], high[first])), shape=(n_nodes, n_nodes))
