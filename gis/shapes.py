"""Columns of shapes: shapely's array calls with the one return type that this room uses."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

Array = NDArray[Any]


def points_at(x_m: Any, y_m: Any) -> Array:
    """(n,) Points from (n,) coordinates."""
    return np.asarray(shapely.points(np.asarray(x_m, dtype=float), np.asarray(y_m, dtype=float)), dtype=object)


def straight_lines(from_xy_m: Array, to_xy_m: Array) -> Array:
    """(n,) LineStrings of two points each, from (n, 2) to (n, 2) coordinates."""
    return np.asarray(shapely.linestrings(np.stack([from_xy_m, to_xy_m], axis=1)), dtype=object)


def middles(shapes: Any) -> Array:
    """(n, 2) place of each shape: a polygon's centroid, else the middle of the extent; NaN where there is none."""
    shapes = np.asarray(shapes, dtype=object)
    bounds = np.asarray(shapely.bounds(shapes), dtype=float).reshape(-1, 4)
    xy = (bounds[:, :2] + bounds[:, 2:]) / 2
    flat = np.flatnonzero((shapely.get_dimensions(shapes) == 2) & (shapely.area(shapes) > 0))
    middle = shapely.centroid(shapes[flat])
    xy[flat] = np.column_stack([shapely.get_x(middle), shapely.get_y(middle)])
    return np.asarray(xy)


def lengths(shapes: Array) -> Array:
    """(n,) length of each shape [m]."""
    return np.asarray(shapely.length(shapes), dtype=float).reshape(-1)
