"""The road graph that inferred cables follow, with a tap for every customer beside the road."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.spatial import Delaunay, QhullError

from .columns import texts
from .shapes import lengths, points_at, straight_lines

Array = NDArray[Any]

NO_CABLE_ROADS = [
    "motorway",
    "motorway_link",
    "trunk",
    "trunk_link",
    "construction",
    "proposed",
    "raceway",
    "steps",
    "corridor",
    "abandoned",
    "platform",
]
"""OSM highway values along which no low-voltage cable is laid (motorways) or that are no ways on the ground."""

MAX_PIECE_M = 50.0
"""Roads are cut into pieces of this length at most, so that a transformer can stand amid its customers [m]."""

NODE_GRID_M = 0.01
TAP_GRID_M = 0.1


@dataclass(frozen=True)
class RoadGraph:
    """Nodes and edges of the roads, sorted by place so that the order of input rows does not matter.

    x_m, y_m : (n_nodes,);  edge_from, edge_to : (n_edges,);  length_m : (n_edges,) [m], positive
    tap : (n_points,) node at which each point leaves the road, -1 where the road is too far
    stub_m : (n_points,) from that node to the point [m]
    """

    x_m: Array
    y_m: Array
    edge_from: Array
    edge_to: Array
    length_m: Array
    tap: Array
    stub_m: Array

    @property
    def n_nodes(self) -> int:
        """Number of nodes."""
        return int(self.x_m.size)

    @property
    def matrix(self) -> Any:
        """Symmetric sparse matrix of lengths, for scipy's graph routines."""
        ends = np.concatenate([self.edge_from, self.edge_to]), np.concatenate([self.edge_to, self.edge_from])
        return csr_matrix((np.tile(self.length_m, 2), ends), shape=(self.n_nodes, self.n_nodes))


def cable_roads(roads: gpd.GeoDataFrame) -> Array:
    """(n,) LineStrings along which cables may be laid."""
    shapes = np.asarray(roads.geometry.array, dtype=object)
    allowed = ~np.isin(texts(roads, "highway"), NO_CABLE_ROADS) & (shapely.get_dimensions(shapes) == 1)
    return np.asarray(shapely.get_parts(shapes[allowed]), dtype=object)


def straight_roads(x_m: Array, y_m: Array) -> Array:
    """(n,) straight lines between neighbouring places (Delaunay edges): what cables follow where no road is mapped."""
    places = np.unique(np.column_stack([x_m, y_m]), axis=0)
    if len(places) < 2:
        return np.array([shapely.linestrings([places[0], places[0] + (1.0, 0.0)])], dtype=object)
    try:
        corners = Delaunay(places - places.mean(axis=0)).simplices
        pairs = np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [0, 2]]])
    except QhullError:  # all in one line: each to the next
        pairs = np.column_stack([np.arange(len(places) - 1), np.arange(1, len(places))])
    pairs = np.unique(np.sort(pairs, axis=1), axis=0)
    return np.asarray(shapely.linestrings(places[pairs]), dtype=object)


def road_graph(lines: Array, x_m: Array, y_m: Array, max_stub_m: Array) -> RoadGraph:
    """The graph of ``lines`` with a tap for each point.

    Parameters
    ----------
    lines : (n,) LineStrings; lines that share a vertex (to 1 cm) are connected there.
    x_m, y_m : (n_points,) [m].
    max_stub_m : (n_points,) farthest road that still counts [m].
    """
    vertices, starts, ends = _segments(lines)
    segments = straight_lines(vertices[starts], vertices[ends])
    points = points_at(x_m, y_m)
    nearest = _nearest_segment(segments, points)
    stub_m = np.asarray(shapely.distance(points, segments[nearest]), dtype=float)
    position = np.round(shapely.line_locate_point(segments[nearest], points) / TAP_GRID_M) * TAP_GRID_M
    length = lengths(segments)
    position = np.where(position >= length[nearest] - TAP_GRID_M / 2, length[nearest], position)
    tapped = np.asarray(stub_m <= max_stub_m)
    graph, tap = _split(vertices, starts, ends, length, nearest[tapped], position[tapped])
    tap_node = np.full(points.size, -1, dtype=np.int64)
    tap_node[tapped] = tap
    return RoadGraph(*graph, tap_node, np.asarray(stub_m))


def _segments(lines: Array) -> tuple[Array, Array, Array]:
    xy, line = shapely.get_coordinates(lines, return_index=True)
    cells = np.rint(xy / NODE_GRID_M).astype(np.int64)
    unique, node = np.unique(cells, axis=0, return_inverse=True)
    node = node.reshape(-1)
    follows = line[1:] == line[:-1]
    pairs = np.sort(np.column_stack([node[:-1], node[1:]])[follows], axis=1)
    pairs = np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)
    if len(pairs) == 0:
        raise ValueError("area.roads holds no line that a cable could follow; give roads or leave the layer out")
    return unique * NODE_GRID_M, pairs[:, 0], pairs[:, 1]


def _nearest_segment(segments: Array, points: Array) -> Array:
    point, segment = shapely.STRtree(segments).query_nearest(points, all_matches=True)
    order = np.lexsort((segment, point))
    first = np.ones(order.size, dtype=bool)
    first[1:] = point[order][1:] != point[order][:-1]
    return np.asarray(segment[order][first])


def _split(
    vertices: Array, starts: Array, ends: Array, length: Array, at_segment: Array, at_m: Array
) -> tuple[tuple[Array, Array, Array, Array, Array], Array]:
    """Cut segments at taps and into pieces; returns nodes and edges, and the node of each cut asked for."""
    n_segments = starts.size
    pieces = np.ceil(length / MAX_PIECE_M).astype(int)
    step_segment = np.repeat(np.arange(n_segments), np.maximum(pieces - 1, 0))
    first = np.cumsum(np.maximum(pieces - 1, 0)) - np.maximum(pieces - 1, 0)
    step = np.arange(step_segment.size) - first[step_segment] + 1
    step_m = step * (length / pieces)[step_segment]
    segment = np.concatenate([np.arange(n_segments), np.arange(n_segments), at_segment, step_segment])
    metre = np.concatenate([np.zeros(n_segments), length, at_m, step_m])
    cuts, inverse = np.unique(np.column_stack([segment, metre]), axis=0, return_inverse=True)
    inverse = inverse.reshape(-1)
    segment, metre = cuts[:, 0].astype(np.int64), cuts[:, 1]
    node = np.full(len(cuts), -1, dtype=np.int64)
    node[inverse[:n_segments]], node[inverse[n_segments : 2 * n_segments]] = starts, ends
    new = node < 0
    node[new] = len(vertices) + np.arange(int(new.sum()))
    share = (metre[new] / length[segment[new]])[:, None]
    inner = vertices[starts[segment[new]]] * (1 - share) + vertices[ends[segment[new]]] * share
    xy = np.concatenate([vertices, inner])
    follows = segment[1:] == segment[:-1]
    edge_from, edge_to = node[:-1][follows], node[1:][follows]
    graph = (xy[:, 0], xy[:, 1], edge_from, edge_to, np.diff(metre)[follows])
    return graph, node[inverse[2 * n_segments : 2 * n_segments + at_segment.size]]
