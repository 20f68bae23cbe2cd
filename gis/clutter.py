"""Surroundings of an antenna from mapped land use and from how densely the ground is built on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from .columns import texts
from .inputs import InferenceRules

Array = NDArray[Any]

CLUTTER_CODES: Mapping[str, int] = {"open": 0, "suburban": 1, "urban": 2, "trees": 3, "dense": 4, "water": 5}
"""Clutter classes after Recommendation ITU-R P.2108-1 section 3.1; the codes are those of the radio paths."""

GRID_M = 200.0
"""Side of the squares over which the built share is taken [m]."""

_OPEN, _SUBURBAN, _URBAN, _TREES, _DENSE, _WATER = range(6)

LANDUSE_CLUTTER: Mapping[str, int] = {
    "residential": _SUBURBAN,
    "farmyard": _SUBURBAN,
    "allotments": _SUBURBAN,
    "construction": _SUBURBAN,
    "industrial": _URBAN,
    "commercial": _URBAN,
    "retail": _URBAN,
    "forest": _TREES,
    "orchard": _TREES,
    "basin": _WATER,
    "reservoir": _WATER,
}
NATURAL_CLUTTER: Mapping[str, int] = {"wood": _TREES, "scrub": _OPEN, "water": _WATER, "wetland": _OPEN}
"""OSM tag values (wiki: Map features, land use and natural) to clutter; whatever is not named is open."""


def landuse_clutter(landuse: gpd.GeoDataFrame) -> Array:
    """(n,) int8 clutter code of each land-use polygon from its tags ``landuse`` and ``natural``."""
    by_use = [LANDUSE_CLUTTER.get(word, -1) for word in texts(landuse, "landuse")]
    by_nature = [NATURAL_CLUTTER.get(word, _OPEN) for word in texts(landuse, "natural")]
    codes = np.where(np.array(by_use, dtype=int) >= 0, by_use, by_nature)
    return np.asarray(codes, dtype=np.int8)


def polygon_at(x_m: Array, y_m: Array, polygons: gpd.GeoDataFrame) -> Array:
    """(n,) row of the smallest polygon that holds each point, -1 for none; equal polygons by their outline's text."""
    rows = np.full(np.size(x_m), -1, dtype=np.int64)
    if len(polygons) == 0 or rows.size == 0:
        return rows
    shapes = np.asarray(polygons.geometry.array, dtype=object)
    point, polygon = shapely.STRtree(shapes).query(shapely.points(x_m, y_m), predicate="intersects")
    area, bounds = shapely.area(shapes), shapely.bounds(shapes)
    order = np.lexsort((bounds[polygon, 1], bounds[polygon, 0], area[polygon], point))
    point, polygon = point[order], polygon[order]
    first = np.ones(point.size, dtype=bool)
    first[1:] = point[1:] != point[:-1]
    rows[point[first]] = polygon[first]
    return rows


def built_ratio(x_m: Array, y_m: Array, buildings: gpd.GeoDataFrame) -> Array:
    """(n,) share of ground covered by buildings in the 3 x 3 grid squares (200 m) around each point, 0 to 1."""
    column, row = (
        np.floor(np.asarray(x_m) / GRID_M).astype(np.int64),
        np.floor(np.asarray(y_m) / GRID_M).astype(np.int64),
    )
    if len(buildings) == 0 or column.size == 0:
        return np.zeros(column.size)
    shapes = np.asarray(buildings.geometry.array, dtype=object)
    centre = shapely.centroid(shapes)
    b_column = np.floor(shapely.get_x(centre) / GRID_M).astype(np.int64)
    b_row = np.floor(shapely.get_y(centre) / GRID_M).astype(np.int64)
    west, south = min(b_column.min(), column.min()) - 1, min(b_row.min(), row.min()) - 1
    width = max(b_column.max(), column.max()) - west + 2
    cells, inverse = np.unique((b_row - south) * width + (b_column - west), return_inverse=True)
    covered_m2 = np.bincount(inverse, weights=shapely.area(shapes))
    total_m2 = np.zeros(column.size)
    for d_row in (-1, 0, 1):
        for d_column in (-1, 0, 1):
            wanted = (row + d_row - south) * width + (column + d_column - west)
            found = np.minimum(np.searchsorted(cells, wanted), cells.size - 1)
            total_m2 += np.where(cells[found] == wanted, covered_m2[found], 0.0)
    return np.asarray(np.minimum(total_m2 / (9 * GRID_M**2), 1.0))


def clutter_at(
    x_m: Array, y_m: Array, landuse: gpd.GeoDataFrame, buildings: gpd.GeoDataFrame, rules: InferenceRules
) -> Array:
    """Clutter code of each place: mapped land use first, then raised by how densely the ground around is built on.

    Parameters
    ----------
    x_m, y_m : (n,) in the working CRS [m].
    landuse : polygons with the column ``clutter`` (see ``landuse_clutter``), possibly none.
    buildings : polygons, possibly none.

    Returns
    -------
    (n,) int8, values of ``CLUTTER_CODES``; open where nothing is mapped.
    """
    where = polygon_at(x_m, y_m, landuse)
    codes = np.zeros(np.size(x_m), dtype=np.int8)
    if len(landuse):
        codes = np.where(where >= 0, landuse["clutter"].to_numpy(dtype=np.int8)[where], codes)
    ratio = built_ratio(x_m, y_m, buildings)
    codes = np.where((codes == _OPEN) & (ratio >= rules.suburban_cover_ratio), _SUBURBAN, codes)
    built = (codes == _SUBURBAN) | (codes == _URBAN)
    codes = np.where(built & (ratio >= rules.urban_cover_ratio), _URBAN, codes)
    return np.asarray(np.where(built & (ratio >= rules.dense_cover_ratio), _DENSE, codes), dtype=np.int8)
