"""Kinds of shapes: which a layer may hold, and which of its rows hold another or a broken one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from .readers import Layer

Array = NDArray[Any]

SHAPE_NAMES = ("points", "lines", "polygons")

SHAPES: Mapping[str, tuple[int, ...]] = {
    **dict.fromkeys(
        ("meters", "addresses", "transformers", "buses", "masts", "poles", "operator_cells", "candidate_sites"), (0, 2)
    ),
    **dict.fromkeys(("buildings", "landuse", "population"), (2,)),
    **dict.fromkeys(("roads", "cables"), (1,)),
}
"""Dimensions a layer may have: 0 points, 1 lines, 2 polygons (which count by their centroid where a place is meant)."""


def check_kind(layer: Layer) -> None:
    """Raise ValueError where no row of a layer has the kind of shape (points, lines, polygons) that its role needs."""
    dimension = dimensions(layer)
    needed = SHAPES.get(layer.role, (0, 1, 2))
    if (dimension >= 0).any() and not np.isin(dimension, needed).any():
        found = " and ".join(SHAPE_NAMES[kind] for kind in np.unique(dimension[dimension >= 0]))
        raise ValueError(
            f"{layer.given.path}: the layer holds {found}, but area.{layer.role} needs "
            f"{' or '.join(SHAPE_NAMES[kind] for kind in needed)}; name another layer or another role"
        )


def dimensions(layer: Layer) -> Array:
    """(n,) 0, 1 or 2; -1 where the row has no shape."""
    shapes = np.asarray(layer.places.geometry.array, dtype=object)
    there = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
    return np.where(there, shapely.get_dimensions(shapes), -1)


def wrong_kind(layer: Layer) -> Array:
    """(n,) bool: the row has a shape, but not of a kind that its role needs."""
    dimension = dimensions(layer)
    return np.asarray((dimension >= 0) & ~np.isin(dimension, SHAPES.get(layer.role, (0, 1, 2))))


def polygon_note(layer: Layer) -> list[str]:
    """The sentence on polygons that stand for places, where there are any."""
    role = layer.role
    if 0 not in SHAPES.get(role, ()):
        return []
    n_flat = int((dimensions(layer) == 2).sum())
    n_in = len(layer.frame)
    return [f"{n_flat} of {n_in} rows of the layer {role} are polygons and count by their centroid."] if n_flat else []


def finite_share(shapes: Array) -> Array:
    """(n,) share of each shape's coordinates that are numbers, 0 to 1; 1 for a shape without any."""
    xy, owner = shapely.get_coordinates(shapes, return_index=True)
    n_bad = np.bincount(owner, ~np.isfinite(xy).all(axis=1), shapes.size)
    return np.asarray(1.0 - n_bad / np.maximum(np.bincount(owner, minlength=shapes.size), 1))


def partly_placed(shapes: Array) -> Array:
    """(n,) bool: some coordinates are numbers and some are not, so that no place can be told."""
    share = finite_share(shapes)
    return np.asarray((share > 0) & (share < 1))
