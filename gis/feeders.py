"""The low-voltage network as given: lines by their buses, cut at open switches, areas by what feeds them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components, dijkstra
from scipy.spatial import cKDTree

from .area import FeederNetwork
from .audit import CODES, Audited, fault_rows, no_rows
from .columns import flags, numbers, texts
from .inputs import InferenceRules
from .shapes import lengths, points_at

Array = NDArray[Any]

LOW_VOLTAGE_KV = 1.0
"""Upper limit of low voltage, IEC 60038 [kV]."""


@dataclass(frozen=True)
class GivenNetwork:
    """The user's network: feeders, the node of each bus, faults of its rows, and oddities that were kept.

    bus_node : bus id to node row.  qa : DataFrame with the columns of the fault list.
    """

    feeders: FeederNetwork
    bus_node: dict[str, int]
    cables_listed: pd.DataFrame
    buses_listed: pd.DataFrame
    switches_listed: pd.DataFrame
    qa: pd.DataFrame


@dataclass(frozen=True)
class _Lines:
    """Usable lines, sorted by id: ends as node rows."""

    ids: Array
    rows: Array
    start: Array
    end: Array
    length_m: Array
    cable: Array
    shapes: Array


def no_feeders(n_transformers: int) -> FeederNetwork:
    """A network without cables: each transformer is a node of its own only where there are transformers."""
    empty_f, empty_i = np.zeros(0), np.zeros(0, dtype=np.int32)
    return FeederNetwork(
        empty_f,
        empty_f,
        empty_i,
        empty_i,
        empty_i,
        empty_f,
        np.zeros(0, dtype=np.int16),
        np.zeros(0, dtype=bool),
        np.zeros(0, dtype=object),
        (),
        np.full(n_transformers, -1, dtype=np.int32),
    )


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
    The network. An open switch ends its line in a node of its own (a stub); a line open at both ends is dead.
    """
    by_bus = {"from_bus", "to_bus"} <= set(cables.frame.columns)
    network = _by_bus(cables, buses, transformers) if by_bus else _by_place(cables, transformers, rules)
    lines, names, xy, cables_listed, buses_listed = network
    node_of = {name: row for row, name in enumerate(names.tolist()) if name}
    site_node = _site_nodes(transformers, node_of, xy, by_bus, rules)
    cut, switch_faults, qa = _apply_switches(lines, switches, node_of, transformers, xy)
    lines, xy, dead_sites, merged = cut
    site_node = np.where(site_node >= 0, merged[np.maximum(site_node, 0)], -1)
    keep = _used_nodes(lines, site_node, xy.shape[0])
    feeders, qa_areas = _areas(lines, xy, site_node, dead_sites, keep)
    new_row = np.cumsum(keep) - 1
    bus_node = {name: int(new_row[merged[row]]) for name, row in node_of.items() if keep[merged[row]]}
    isolated = _isolated(buses, bus_node, buses_listed)
    return GivenNetwork(
        feeders,
        bus_node,
        cables_listed,
        pd.concat([buses_listed, isolated], ignore_index=True),
        switch_faults,
        pd.concat([qa, qa_areas], ignore_index=True),
    )


def attach_meters(
    meters: gpd.GeoDataFrame, network: GivenNetwork, transformers: gpd.GeoDataFrame, rules: InferenceRules
) -> tuple[Array, Array, Array, pd.DataFrame]:
    """Feeder node and transformer of each meter, (n,) bool where the node was guessed by place, and oddities.

    A meter joins its bus; without one the nearest fed node within ``attach_distance_m``; where no node is found the
    transformer it names still counts.
    """
    feeders = network.feeders
    bus, named = texts(meters, "bus"), texts(meters, "transformer")
    node = np.array([network.bus_node.get(name, -1) for name in bus], dtype=np.int64)
    fed = np.flatnonzero(feeders.node_area >= 0)
    free = np.flatnonzero(node < 0)
    guessed = np.zeros(len(meters), dtype=bool)
    if fed.size and free.size:
        places = np.column_stack([feeders.node_x_m[fed], feeders.node_y_m[fed]])
        far_m, nearest = _nearest(places, meters[["x_m", "y_m"]].to_numpy(dtype=float)[free])
        near = far_m <= rules.attach_distance_m
        node[free[near]] = fed[nearest[near]]
        guessed[free[near]] = True
    transformer = np.where(node >= 0, feeders.node_area[np.maximum(node, 0)] if feeders.node_area.size else -1, -1)
    row_of = {name: row for row, name in enumerate(transformers["transformer_id"].tolist())}
    stated = np.array([row_of.get(name, -1) for name in named], dtype=np.int64)
    differs = (stated >= 0) & (transformer >= 0) & (stated != transformer)
    transformer = np.where((transformer < 0) & (node < 0), stated, transformer)
    unknown = (bus != "") & np.array([name not in network.bus_node for name in bus], dtype=bool)
    qa = pd.concat(
        [
            _meter_qa(
                meters, differs, "other_transformer", "the meter names another transformer than its cables lead to"
            ),
            _meter_qa(meters, unknown, "unknown_bus", "the meter's bus is not in the network; joined by place"),
        ],
        ignore_index=True,
    )
    return node, transformer, guessed, qa


def _nearest(places: Array, asked: Array) -> tuple[Array, Array]:
    """Distance to and row of the nearest of (n, 2) places for each of (m, 2) asked."""
    far_m, row = cKDTree(places).query(asked)
    return np.asarray(far_m), np.asarray(row)


def _meter_qa(meters: gpd.GeoDataFrame, mask: Array, code: str, detail: str) -> pd.DataFrame:
    rows = meters.loc[mask]
    return fault_rows(
        "meters", rows["row"].to_numpy(), rows["meter_id"].to_numpy(), code, detail, rows["x_m"], rows["y_m"]
    )


def _line_faults(frame: gpd.GeoDataFrame) -> tuple[Array, Array]:
    """Code of each line row, and its length: from its column where there is one, else as drawn [m]."""
    drawn_m = shapely.length(np.asarray(frame.geometry.array, dtype=object))
    metres, bad_metres = numbers(frame, "length_m")
    kilometres, bad_kilometres = numbers(frame, "length_km")
    told_m = np.where(np.isfinite(metres), metres, kilometres * 1000.0)
    length_m = np.where(np.isfinite(told_m), told_m, drawn_m)
    active, bad_flag = flags(frame, "in_service", True)
    ids = texts(frame, "cable_id")
    again = (ids != "") & pd.Series(ids, dtype=object).duplicated().to_numpy()
    code = np.select(
        [again, bad_metres | bad_kilometres | bad_flag | ~(length_m > 0), ~active],
        ["duplicate_id", "bad_value", "not_in_service"],
        "",
    ).astype(object)
    return code, length_m


def _sorted_frame(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Lines by id, then by place, so that the order of input rows does not matter."""
    bounds = shapely.bounds(np.asarray(frame.geometry.array, dtype=object))
    ids = texts(frame, "cable_id").astype(str)
    order = np.lexsort((bounds[:, 3], bounds[:, 2], bounds[:, 1], bounds[:, 0], ids))
    return frame.iloc[order].reset_index(drop=True)


def _by_bus(cables: Audited, buses: Audited | None, transformers: gpd.GeoDataFrame) -> Any:
    frame = _sorted_frame(cables.frame)
    code, length_m = _line_faults(frame)
    start, end, ids = texts(frame, "from_bus"), texts(frame, "to_bus"), texts(frame, "cable_id")
    places, buses_listed = _bus_places(buses)
    usable = set(places) if places else {*start.tolist(), *end.tolist()} - {""}
    lost = np.array([a not in usable or b not in usable for a, b in zip(start, end, strict=True)], dtype=bool)
    code = np.where((code == "") & lost, "unknown_bus", code)
    good = code == ""
    names = np.array(
        sorted({*start[good].tolist(), *end[good].tolist(), *_lv_buses(transformers)} | set(places)), object
    )
    row_of = {name: row for row, name in enumerate(names.tolist())}
    xy = np.full((names.size, 2), np.nan)
    shapes = np.asarray(frame.geometry.array, dtype=object)
    first, last = _line_ends(shapes[good])
    start_row = np.array([row_of[name] for name in start[good]], dtype=np.int64)
    end_row = np.array([row_of[name] for name in end[good]], dtype=np.int64)
    xy[start_row[::-1]], xy[end_row[::-1]] = first[::-1], last[::-1]
    for name, row in zip(_lv_buses(transformers), range(len(transformers)), strict=True):
        if name and not np.isfinite(xy[row_of[name], 0]):
            xy[row_of[name]] = transformers[["x_m", "y_m"]].to_numpy(dtype=float)[row]
    for name, place in places.items():
        xy[row_of[name]] = place
    lines = _Lines(
        ids[good],
        frame["row"].to_numpy()[good],
        start_row,
        end_row,
        length_m[good],
        texts(frame, "cable")[good],
        shapes[good],
    )
    return lines, names, xy, _listed_lines(frame, code, ids), buses_listed


def _listed_lines(frame: gpd.GeoDataFrame, code: Array, ids: Array) -> pd.DataFrame:
    bad = code != ""
    words = np.array([CODES[word] for word in code[bad]], dtype=object)
    return fault_rows("cables", frame["row"].to_numpy()[bad], ids[bad], code[bad], words)


def _bus_places(buses: Audited | None) -> tuple[dict[str, Array], pd.DataFrame]:
    if buses is None:
        return {}, no_rows()
    frame = buses.frame
    names = texts(frame, "bus")
    volts, _ = numbers(frame, "vn_kv")
    high = np.isfinite(volts) & (volts > LOW_VOLTAGE_KV)
    xy = np.column_stack([frame.geometry.x, frame.geometry.y])
    listed = fault_rows(
        "buses",
        frame["row"].to_numpy()[high],
        names[high],
        "not_low_voltage",
        CODES["not_low_voltage"],
        np.round(xy[high, 0], 3),
        np.round(xy[high, 1], 3),
    )
    return {name: place for name, place in zip(names[~high], xy[~high], strict=True) if name}, listed


def _isolated(buses: Audited | None, bus_node: dict[str, int], listed: pd.DataFrame) -> pd.DataFrame:
    if buses is None:
        return no_rows()
    frame, names = buses.frame, texts(buses.frame, "bus")
    alone = ~np.isin(names, list(bus_node)) & ~frame["row"].isin(listed["row"]).to_numpy()
    rows = frame.loc[alone]
    return fault_rows(
        "buses",
        rows["row"].to_numpy(),
        names[alone],
        "isolated",
        CODES["isolated"],
        rows.geometry.x.round(3),
        rows.geometry.y.round(3),
    )


def _lv_buses(transformers: gpd.GeoDataFrame) -> list[str]:
    return [str(name) for name in texts(transformers, "lv_bus")]


def _line_ends(shapes: Array) -> tuple[Array, Array]:
    parts = shapely.get_parts(shapes)
    merged = shapes if parts.size == shapes.size else shapely.line_merge(shapes)
    single = shapely.get_type_id(merged) == 1
    merged = np.where(single, merged, shapely.get_geometry(merged, 0))
    first, last = shapely.get_point(merged, 0), shapely.get_point(merged, -1)
    return shapely.get_coordinates(first), shapely.get_coordinates(last)


def _by_place(cables: Audited, transformers: gpd.GeoDataFrame, rules: InferenceRules) -> Any:
    """Lines joined by place: cut where another line's end touches them, ends within the tolerance are one node."""
    frame = _sorted_frame(cables.frame)
    code, length_m = _line_faults(frame)
    good = np.flatnonzero(code == "")
    shapes = np.asarray(frame.geometry.array, dtype=object)[good]
    pieces, origin = _cut_at_ends(shapes, rules.snap_tolerance_m)
    share = shapely.length(pieces) / np.maximum(shapely.length(shapes), 1e-9)[origin]
    first, last = _line_ends(pieces)
    ends = np.concatenate([first, last])
    pairs = cKDTree(ends).query_pairs(max(rules.snap_tolerance_m, 1e-3), output_type="ndarray")
    ones = np.ones(len(pairs))
    _, group = connected_components(
        csr_matrix((ones, (pairs[:, 0], pairs[:, 1])), shape=(len(ends),) * 2), directed=False
    )
    xy = np.column_stack([np.bincount(group, weights=ends[:, axis]) / np.bincount(group) for axis in (0, 1)])
    n = len(pieces)
    rows = good[origin]
    lines = _Lines(
        texts(frame, "cable_id")[rows],
        frame["row"].to_numpy()[rows],
        group[:n].astype(np.int64),
        group[n:].astype(np.int64),
        np.maximum(length_m[rows] * share, 1e-3),
        texts(frame, "cable")[rows],
        pieces,
    )
    names = np.full(len(xy), "", dtype=object)
    return lines, names, xy, _listed_lines(frame, code, texts(frame, "cable_id")), no_rows()


def _cut_at_ends(shapes: Array, tolerance_m: float) -> tuple[Array, Array]:
    """Pieces of lines, cut wherever an end of another line lies within the tolerance; and the line of each piece."""
    shapes = np.asarray(shapely.line_merge(shapes), dtype=object)
    first, last = _line_ends(shapes)
    corners = np.unique(np.concatenate([first, last]), axis=0)
    ends = points_at(corners[:, 0], corners[:, 1])
    reach = max(tolerance_m, 1e-3)
    end, line = shapely.STRtree(shapes).query(ends, predicate="dwithin", distance=reach)
    at_m = np.asarray(shapely.line_locate_point(shapes[line], ends[end]), dtype=float)
    inner = (at_m > 2 * reach) & (at_m < lengths(shapes[line]) - 2 * reach)
    cuts: dict[int, list[float]] = {}
    for number, metre in zip(line[inner].tolist(), at_m[inner].tolist(), strict=True):
        cuts.setdefault(number, []).append(metre)
    pieces: list[Any] = []
    origin: list[int] = []
    for number, shape in enumerate(shapes):
        parts = _pieces(shape, sorted(cuts.get(number, ())), 2 * reach)
        pieces += parts
        origin += [number] * len(parts)
    return np.array(pieces, dtype=object), np.array(origin, dtype=np.int64)


def _pieces(shape: Any, metres: Sequence[float], least_m: float) -> list[Any]:
    from shapely.ops import substring

    stops = [0.0]
    for metre in [*metres, shape.length]:
        if metre - stops[-1] > least_m or metre == shape.length:
            stops.append(metre)
    if len(stops) <= 2:
        return [shape]
    return [substring(shape, a, b) for a, b in pairwise(stops)]


def _site_nodes(
    transformers: gpd.GeoDataFrame, node_of: dict[str, int], xy: Array, by_bus: bool, rules: InferenceRules
) -> Array:
    node = np.array([node_of.get(name, -1) for name in _lv_buses(transformers)], dtype=np.int64)
    free = np.flatnonzero(node < 0)
    if free.size and len(xy):
        placed = np.flatnonzero(np.isfinite(xy[:, 0]))
        places = transformers[["x_m", "y_m"]].to_numpy(dtype=float)[free]
        far_m, nearest = _nearest(xy[placed], places)
        near = far_m <= rules.attach_distance_m
        node[free[near]] = placed[nearest[near]]
    return node


def _apply_switches(
    lines: _Lines, switches: pd.DataFrame | None, node_of: dict[str, int], transformers: gpd.GeoDataFrame, xy: Array
) -> Any:
    """Cut lines at open switches, join buses over closed ones, mark transformers that are switched off."""
    merged = np.arange(len(xy))
    dead = np.zeros(len(transformers), dtype=bool)
    none = no_rows()
    if switches is None or len(switches) == 0:
        return (lines, xy, dead, merged), none, none
    kind = np.array([word.lower() for word in texts(switches, "et")], dtype=object)
    kind = np.where(kind == "", "l", kind)
    closed, bad = flags(switches, "closed", True)
    bus, element, rows = texts(switches, "bus"), texts(switches, "element"), switches["row"].to_numpy()
    bus_row = np.array([node_of.get(name, -1) for name in bus], dtype=np.int64)
    line_row = {name: row for row, name in enumerate(lines.ids.tolist())}
    of_line = np.array([line_row.get(name, -1) for name in element], dtype=np.int64)
    at_start = (of_line >= 0) & (lines.start[of_line] == bus_row)
    at_end = (of_line >= 0) & (lines.end[of_line] == bus_row)
    lost = np.where(kind == "l", ~(at_start | at_end), bus_row < 0) | ~np.isin(kind, ("l", "b", "t"))
    faults = fault_rows(
        "switches",
        rows[bad | lost],
        element[bad | lost],
        np.where(bad, "bad_value", "unknown_bus")[bad | lost],
        "the switch does not stand at an end of its element, or is neither open nor closed",
    )
    usable = ~(bad | lost)
    cut = _open_ends(lines, xy, of_line, at_start, at_end, usable & (kind == "l") & ~closed)
    lines, xy = cut
    site_of = {name: row for row, name in enumerate(transformers["transformer_id"].tolist())}
    off = [site_of[name] for name in element[usable & (kind == "t") & ~closed] if name in site_of]
    dead[off] = True
    merged = np.arange(len(xy))
    joins = usable & (kind == "b") & closed
    if joins.any():
        other = np.array([node_of.get(name, -1) for name in element[joins]], dtype=np.int64)
        here, other = bus_row[joins][other >= 0], other[other >= 0]
        graph = csr_matrix((np.ones(here.size), (here, other)), shape=(len(xy),) * 2)
        _, group = connected_components(graph, directed=False)
        _, first = np.unique(group, return_index=True)
        merged = first[group]
        lines = replace(lines, start=merged[lines.start], end=merged[lines.end])
    return (lines, xy, dead, merged), faults, none


def _open_ends(
    lines: _Lines, xy: Array, of_line: Array, at_start: Array, at_end: Array, is_open: Array
) -> tuple[_Lines, Array]:
    first, last = _line_ends(lines.shapes)
    open_start = np.unique(of_line[is_open & at_start])
    open_end = np.unique(of_line[is_open & at_end])
    start, end = lines.start.copy(), lines.end.copy()
    start[open_start] = len(xy) + np.arange(open_start.size)
    end[open_end] = len(xy) + open_start.size + np.arange(open_end.size)
    return replace(lines, start=start, end=end), np.concatenate([xy, first[open_start], last[open_end]])


def _used_nodes(lines: _Lines, site_node: Array, n_nodes: int) -> Array:
    keep = np.zeros(n_nodes, dtype=bool)
    keep[lines.start], keep[lines.end] = True, True
    keep[site_node[site_node >= 0]] = True
    return keep


def _areas(lines: _Lines, xy: Array, site_node: Array, dead: Array, keep: Array) -> tuple[FeederNetwork, pd.DataFrame]:
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
