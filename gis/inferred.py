"""Low-voltage areas where no cables are given: transformers by demand and reach, feeders along the roads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components, dijkstra

from .area import FeederNetwork
from .inputs import InferenceRules
from .keys import place_ids, place_names, text_keys
from .merging import FINE_SHARE, merged_clusters
from .partition import cluster_points
from .roads import RoadGraph, cable_roads, road_graph, straight_roads
from .shapes import straight_lines

Array = NDArray[Any]

RATED_KVA = (50.0, 100.0, 160.0, 250.0, 400.0, 630.0, 800.0, 1000.0)
"""Distribution transformer ratings that inferred ones are rounded up to [kVA], after EN 50588-1:2017 table 1."""

MIN_LENGTH_M = 1.0
"""Shortest cable that is drawn: what crosses the wall or the pavement [m]."""

_MATRIX_CELLS = 8_000_000
"""Transformers times road nodes that are solved in one go; bounds the memory to some 100 MB."""


@dataclass(frozen=True)
class InferredNetwork:
    """Transformers and feeders made up from places.

    transformers : ``transformer_id, key, x_m, y_m, rated_kva, n_meters, mount (ground, pole), data_flag, geometry``.
    feeder_node, transformer : (n_points,) row or -1.
    n_off_road, n_beyond : points left alone: too far from any road, and out of every given transformer's reach.
    """

    transformers: gpd.GeoDataFrame
    feeders: FeederNetwork
    feeder_node: Array
    transformer: Array
    n_off_road: int
    n_beyond: int


def infer_network(
    x_m: Array,
    y_m: Array,
    n_meters: Array,
    given: gpd.GeoDataFrame,
    given_complete: bool,
    stated: Array,
    roads: gpd.GeoDataFrame,
    rules: InferenceRules,
) -> InferredNetwork:
    """Place transformers and lay feeders to every point.

    Parameters
    ----------
    x_m, y_m, n_meters : (n_points,) service points [m] and meters at each.
    given : transformers that are known, ``transformer_id, key, x_m, y_m, rated_kva, data_flag``.
    given_complete : True where ``given`` is the user's own layer (none is added), False for mapped substations.
    stated : (n_points,) row of ``given`` that the user's meter names, else -1.
    roads : LineStrings; straight lines between neighbours stand in where there are none.

    Returns
    -------
    Transformers (given first), feeders as one tree per transformer, and who hangs where.
    """
    n_points = x_m.size
    lines = cable_roads(roads) if len(roads) else straight_roads(x_m, y_m)
    if lines.size == 0:
        lines = straight_roads(x_m, y_m)
    all_x, all_y = np.concatenate([x_m, given["x_m"]]), np.concatenate([y_m, given["y_m"]])
    limit = np.concatenate([np.full(n_points, rules.max_service_length_m), np.full(len(given), np.inf)])
    graph = road_graph(lines, all_x, all_y, limit)
    site_tap, site_stub = graph.tap[n_points:], graph.stub_m[n_points:]
    graph = RoadGraph(
        graph.x_m,
        graph.y_m,
        graph.edge_from,
        graph.edge_to,
        graph.length_m,
        graph.tap[:n_points],
        graph.stub_m[:n_points],
    )
    owner = _assign_given(graph, n_meters, site_tap, site_stub, given_complete, stated, rules)
    node = site_tap
    if not given_complete:
        rest = (owner < 0) & (graph.tap >= 0)
        limits = (rules.max_meters_per_transformer, rules.max_feeder_length_m, rules.max_gap_m)
        fine = cluster_points(graph, n_meters, rest, max(1, limits[0] // FINE_SHARE), *limits[1:])
        clusters = merged_clusters(graph, n_meters, fine, *limits)
        owner = np.where(clusters.of_point >= 0, len(given) + clusters.of_point, owner)
        node = np.concatenate([site_tap, clusters.node])
    stub = np.concatenate([site_stub, np.zeros(node.size - len(given))])
    transformers = _transformers(graph, given, node, owner, n_meters, rules)
    feeders, feeder_node = _lay(graph, x_m, y_m, owner, node, stub, transformers, rules)
    n_off_road = int((graph.tap < 0).sum())
    return InferredNetwork(
        transformers, feeders, feeder_node, owner, n_off_road, int(((owner < 0) & (graph.tap >= 0)).sum())
    )


def _assign_given(
    graph: RoadGraph,
    n_meters: Array,
    site_tap: Array,
    site_stub: Array,
    complete: bool,
    stated: Array,
    rules: InferenceRules,
) -> Array:
    """Points that a given transformer feeds: as stated, else the nearest by road, within reach and demand."""
    owner = np.where(_joined(graph, site_tap, stated), stated, -1)
    sites, where = np.unique(site_tap, return_inverse=True)
    if sites.size == 0:
        return owner
    reach = rules.max_given_feeder_length_m if complete else rules.max_feeder_length_m
    far_m, _, source = dijkstra(
        graph.matrix, directed=False, indices=sites, limit=reach, min_only=True, return_predecessors=True
    )
    first_site = np.full(graph.n_nodes, -1, dtype=np.int64)
    first_site[sites] = [int(np.flatnonzero(where == number)[0]) for number in range(sites.size)]
    tap = np.maximum(graph.tap, 0)
    free = (graph.tap >= 0) & (owner < 0) & np.isfinite(far_m[tap])
    site = first_site[np.where(free, source[tap], sites[0])]
    total_m = far_m[tap] + graph.stub_m + site_stub[site]
    free &= total_m <= reach
    nearest = np.where(free, site, -1)
    if complete:
        return np.where(free, nearest, owner)
    rows = np.flatnonzero(free)
    rows = rows[np.lexsort((rows, total_m[rows], nearest[rows]))]
    running = np.cumsum(n_meters[rows])
    start = np.searchsorted(nearest[rows], nearest[rows])
    before = np.where(start > 0, running[np.maximum(start - 1, 0)], 0)
    fits = rows[running - before <= rules.max_meters_per_transformer]
    owner[fits] = nearest[fits]
    return owner


def _joined(graph: RoadGraph, site_tap: Array, stated: Array) -> Array:
    """(n_points,) bool: the transformer that a point names can be reached over the roads at all."""
    named = (graph.tap >= 0) & (stated >= 0)
    if not named.any():
        return named
    _, part = connected_components(graph.matrix, directed=False)
    named[named] = part[graph.tap[named]] == part[site_tap[stated[named]]]
    return named


def _transformers(
    graph: RoadGraph, given: gpd.GeoDataFrame, node: Array, owner: Array, n_meters: Array, rules: InferenceRules
) -> gpd.GeoDataFrame:
    n_given = len(given)
    served = owner >= 0
    total = np.bincount(owner[served], weights=n_meters[served], minlength=node.size).astype(int)
    x = np.concatenate([given["x_m"].to_numpy(dtype=float), graph.x_m[node[n_given:]]])
    y = np.concatenate([given["y_m"].to_numpy(dtype=float), graph.y_m[node[n_given:]]])
    made = place_names("transformer", x[n_given:], y[n_given:])
    keys = text_keys(place_ids("t", x[n_given:], y[n_given:]))
    sizes = np.array(RATED_KVA)
    wanted = sizes[np.minimum(np.searchsorted(sizes, total * rules.kva_per_meter), sizes.size - 1)]
    told = np.concatenate([given["rated_kva"].to_numpy(dtype=float), np.full(made.size, np.nan)])
    flags = np.concatenate([given["data_flag"].to_numpy(dtype=object), np.full(made.size, "inferred", dtype=object)])
    columns = {
        "transformer_id": np.concatenate([given["transformer_id"].to_numpy(dtype=object), made]),
        "key": np.concatenate([given["key"].to_numpy(dtype=np.uint64), keys]),
        "x_m": x,
        "y_m": y,
        "rated_kva": np.where(np.isfinite(told), told, wanted),
        "n_meters": total,
        "mount": np.where((np.arange(x.size) >= n_given) & (total <= rules.pole_transformer_meters), "pole", "ground"),
        "data_flag": flags,
    }
    return gpd.GeoDataFrame(columns, geometry=shapely.points(x, y), crs=given.crs)


def _lay(
    graph: RoadGraph,
    x_m: Array,
    y_m: Array,
    owner: Array,
    node: Array,
    stub: Array,
    transformers: gpd.GeoDataFrame,
    rules: InferenceRules,
) -> tuple[FeederNetwork, Array]:
    """Shortest-path trees from each transformer, kept only at taps, junctions and ends."""
    served = np.flatnonzero(owner >= 0)
    area, road, up = _paths(graph, owner, node, served, rules.max_feeder_length_m)
    # Rows of (area, road node), sorted; ``up`` is the row towards the transformer, -1 at its own node.
    n_rows = area.size
    row_of = _finder(area, road, graph.n_nodes)
    tap_row = row_of(owner[served], graph.tap[served])
    children = np.bincount(up[up >= 0], minlength=n_rows)
    keep = (up < 0) | (children > 1)
    keep[tap_row] = True
    rows = np.flatnonzero(keep & (up >= 0))
    chain_row, chain_of, above = _chains(rows, up, keep)
    main_lines = np.zeros(0, dtype=object)
    if rows.size:  # none where nobody hangs on a road beside its transformer
        corners = np.column_stack([graph.x_m[road[chain_row]], graph.y_m[road[chain_row]]])
        main_lines = np.asarray(shapely.linestrings(corners, indices=chain_of), dtype=object)
    number = np.cumsum(keep) - 1
    kept = np.flatnonzero(keep)
    root_row = row_of(np.arange(node.size), node)
    off = np.flatnonzero(stub > MIN_LENGTH_M / 2)  # transformers beside the road get a node of their own
    n_main, n_off, n_served = kept.size, off.size, served.size
    tx, ty = transformers["x_m"].to_numpy()[off], transformers["y_m"].to_numpy()[off]
    all_x = np.concatenate([graph.x_m[road[kept]], tx, x_m[served]])
    all_y = np.concatenate([graph.y_m[road[kept]], ty, y_m[served]])
    transformer_node = number[root_row]
    transformer_node[off] = n_main + np.arange(n_off)
    edge_from = np.concatenate([number[above], transformer_node[off], number[tap_row]])
    edge_to = np.concatenate([number[rows], number[root_row[off]], n_main + n_off + np.arange(n_served)])
    is_service = np.arange(edge_from.size) >= rows.size + n_off
    places = np.column_stack([all_x, all_y])
    straight = straight_lines(places[edge_from[rows.size :]], places[edge_to[rows.size :]])
    length = np.concatenate([shapely.length(main_lines), stub[off], graph.stub_m[served]])
    feeders = FeederNetwork(
        node_x_m=all_x,
        node_y_m=all_y,
        node_area=np.concatenate([area[kept], off, owner[served]]).astype(np.int32),
        edge_from=edge_from.astype(np.int32),
        edge_to=edge_to.astype(np.int32),
        edge_length_m=np.maximum(length, MIN_LENGTH_M),
        edge_cable=is_service.astype(np.int16),
        edge_inferred=np.ones(edge_from.size, dtype=bool),
        edge_geometry=np.concatenate([main_lines, straight]),
        cables=(rules.main_cable, rules.service_cable),
        transformer_node=transformer_node.astype(np.int32),
    )
    feeder_node = np.full(owner.size, -1, dtype=np.int64)
    feeder_node[served] = n_main + n_off + np.arange(n_served)
    return feeders, feeder_node


def _paths(graph: RoadGraph, owner: Array, node: Array, served: Array, limit_m: float) -> tuple[Array, Array, Array]:
    """All (area, road node) pairs on the shortest paths, sorted, and for each the pair above it (-1 at the root)."""
    matrix = graph.matrix
    areas, roads, ups = [np.arange(node.size)], [node], [np.full(node.size, -1)]
    order = served[np.argsort(owner[served], kind="stable")]
    step = max(1, _MATRIX_CELLS // graph.n_nodes)
    for start in range(0, node.size, step):
        batch = np.arange(start, min(start + step, node.size))
        points = order[(owner[order] >= batch[0]) & (owner[order] <= batch[-1])]
        if points.size == 0:
            continue
        area, at = owner[points], graph.tap[points]
        before = _predecessors(matrix, node[batch], area - start, at, limit_m)
        while area.size:
            parent = before[area - start, at]
            moving = parent >= 0
            codes = np.unique(area[moving].astype(np.int64) * graph.n_nodes + at[moving])
            area, at = codes // graph.n_nodes, codes % graph.n_nodes
            parent = before[area - start, at]
            areas.append(area)
            roads.append(at)
            ups.append(parent)
            at = parent.astype(np.int64)
    area, road, up = (np.concatenate(part).astype(np.int64) for part in (areas, roads, ups))
    codes, first = np.unique(area * graph.n_nodes + road, return_index=True)
    area, road, up = codes // graph.n_nodes, codes % graph.n_nodes, up[first]
    above = np.where(up >= 0, np.searchsorted(codes, area * graph.n_nodes + up), -1)
    return area, road, above


def _predecessors(matrix: Any, roots: Array, root: Array, at: Array, limit_m: float) -> Array:
    """(n_roots, n_nodes) node before each on the way from each root, searched within the limit where that is enough
    to reach every node ``at`` from its ``root``, else without limit."""
    for limit in (limit_m, np.inf):
        _, before = dijkstra(matrix, directed=False, indices=roots, limit=limit, return_predecessors=True)
        if ((before[root, at] >= 0) | (roots[root] == at)).all():
            break
    return np.asarray(before)


def _finder(area: Array, road: Array, n_nodes: int) -> Any:
    codes = area * n_nodes + road
    return lambda a, r: np.searchsorted(codes, np.asarray(a, dtype=np.int64) * n_nodes + r)


def _chains(rows: Array, up: Array, keep: Array) -> tuple[Array, Array, Array]:
    """For each kept row the rows from it up to the next kept one: (row, chain number) in order, and that upper row."""
    chain_rows, chain_of, at = [rows], [np.arange(rows.size)], rows.copy()
    above = np.full(rows.size, -1, dtype=np.int64)
    active = np.arange(rows.size)
    while active.size:
        at = up[at]
        chain_rows.append(at)
        chain_of.append(active)
        done = keep[at]
        above[active[done]] = at[done]
        active, at = active[~done], at[~done]
    flat_rows, flat_of = np.concatenate(chain_rows), np.concatenate(chain_of)
    order = np.argsort(flat_of, kind="stable")
    return flat_rows[order], flat_of[order], above
