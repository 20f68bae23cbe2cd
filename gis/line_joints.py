"""Cables without bus names, joined where their ends touch each other or another cable."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from shapely.ops import substring

from .audit import Audited, no_rows
from .columns import texts
from .inputs import InferenceRules
from .lines import Lines, line_ends, line_faults, listed_lines, sorted_frame
from .shapes import lengths, points_at

Array = NDArray[Any]


def by_place(cables: Audited, rules: InferenceRules) -> Any:
    """Lines joined by place: cut where another line's end touches them, ends within the tolerance are one node."""
    frame = sorted_frame(cables.frame)
    code, length_m = line_faults(frame)
    drawn = np.asarray(frame.geometry.array, dtype=object)
    code = np.where((code == "") & (shapely.length(drawn) == 0) & (length_m == 0), "bad_value", code)  # joins nothing
    good = np.flatnonzero(code == "")
    shapes = drawn[good]
    pieces, origin = _cut_at_ends(shapes, rules.snap_tolerance_m)
    share = shapely.length(pieces) / np.maximum(shapely.length(shapes), 1e-9)[origin]
    first, last = line_ends(pieces)
    ends = np.concatenate([first, last])
    pairs = cKDTree(ends).query_pairs(max(rules.snap_tolerance_m, 1e-3), output_type="ndarray")
    ones = np.ones(len(pairs))
    _, group = connected_components(
        csr_matrix((ones, (pairs[:, 0], pairs[:, 1])), shape=(len(ends),) * 2), directed=False
    )
    xy = np.column_stack([np.bincount(group, weights=ends[:, axis]) / np.bincount(group) for axis in (0, 1)])
    n = len(pieces)
    rows = good[origin]
    lines = Lines(
        texts(frame, "cable_id")[rows],
        frame["row"].to_numpy()[rows],
        group[:n].astype(np.int64),
        group[n:].astype(np.int64),
        np.where(length_m[rows] > 0, np.maximum(length_m[rows] * share, 1e-3), 0.0),
        texts(frame, "cable")[rows],
        pieces,
    )
    names = np.full(len(xy), "", dtype=object)
    return lines, names, xy, listed_lines(frame, code, texts(frame, "cable_id")), no_rows()


def _cut_at_ends(shapes: Array, tolerance_m: float) -> tuple[Array, Array]:
    """Pieces of lines, cut wherever an end of another line lies within the tolerance; and the line of each piece."""
    shapes = np.asarray(shapely.line_merge(shapes), dtype=object)
    first, last = line_ends(shapes)
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
    stops = [0.0]
    for metre in [*metres, shape.length]:
        if metre - stops[-1] > least_m or metre == shape.length:
            stops.append(metre)
    if len(stops) <= 2:
        return [shape]
    return [substring(shape, a, b) for a, b in pairwise(stops)]
