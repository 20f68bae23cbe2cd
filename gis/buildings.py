"""Meters where no meter layer is given: from buildings and addresses, or from counts per cell, by a stated rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from .addresses import address_names, building_addresses, named_apart
from .building_use import FLAT, HOUSE, KINDS, land_words, levels_of, meter_counts, uses
from .clutter import built_ratio
from .columns import lengths_m, numbers, texts
from .inputs import InferenceRules
from .keys import keyed_uniform, place_ids, place_names, text_keys
from .terrain import FOOT_M

Array = NDArray[Any]


def classify_buildings(
    buildings: gpd.GeoDataFrame, addresses: gpd.GeoDataFrame, landuse: gpd.GeoDataFrame, rules: InferenceRules
) -> gpd.GeoDataFrame:
    """What each building holds, from its tags, footprint, levels, addresses inside and the land it stands on.

    Parameters
    ----------
    buildings : polygons with any of ``building, amenity, shop, office, levels, height_m, dwellings``.
    addresses : points.
    landuse : polygons with ``landuse``.

    Returns
    -------
    The buildings with ``building_id, footprint_m2, levels, height_m, n_addresses, use`` (a word of ``KINDS``),
    ``n_meters``, ``x_m, y_m`` (a point inside), ``data_flag``; sorted by place.
    """
    frame = _placed(buildings, addresses, rules)
    footprint_m2 = shapely.area(np.asarray(frame.geometry.array, dtype=object))
    n_addresses = np.bincount(address_buildings(addresses, frame, rules), minlength=len(frame) + 1)[1:]
    land = land_words(frame, landuse)
    in_town = built_ratio(frame["x_m"].to_numpy(), frame["y_m"].to_numpy(), frame) >= rules.town_cover_ratio
    use = uses(frame, footprint_m2, n_addresses, land, in_town, rules)
    levels, levels_given = levels_of(frame, use, in_town, rules)
    n_meters = meter_counts(frame, use, footprint_m2, levels, levels_given, n_addresses, rules)
    use = np.where((use == HOUSE) & (n_meters > 2), FLAT, use)
    height_m, height_bad = lengths_m(frame, "height_m", "height_ft", FOOT_M["ft"])
    given = np.isfinite(height_m) & ~height_bad & (height_m > 0)
    return frame.assign(
        footprint_m2=footprint_m2,
        levels=levels,
        height_m=np.where(given, height_m, levels * rules.storey_height_m),
        n_addresses=n_addresses,
        use=np.array(KINDS, dtype=object)[use],
        n_meters=n_meters,
        data_flag=np.where(given | levels_given, "", "height"),
    )


def meters_from_buildings(buildings: gpd.GeoDataFrame, rules: InferenceRules) -> gpd.GeoDataFrame:
    """One row per dwelling or business of classified buildings; the flats of a house share its point.

    Returns ``meter_id`` (building/number), ``key``, ``kind``, ``building`` row, ``x_m, y_m``, ``height_m`` (floor by
    floor from the ground up), ``phases``, ``phase``, ``data_flag``.
    """
    n_meters = buildings["n_meters"].to_numpy(dtype=int)
    row = np.repeat(np.arange(len(buildings)), n_meters)
    number = np.arange(row.size) - np.repeat(np.cumsum(n_meters) - n_meters, n_meters)
    per_floor = np.maximum(1, np.ceil(n_meters / buildings["levels"].to_numpy(dtype=float))).astype(int)
    floor = number // per_floor[row] if row.size else number
    kind = buildings["use"].to_numpy(dtype=object)[row]
    ids = buildings["building_id"].to_numpy(dtype=object)[row]
    names = _numbered(ids, number)
    phases = np.where(np.isin(kind, ("farm", "commercial")), rules.commercial_phases, rules.dwelling_phases)
    columns = {
        "meter_id": names,
        "key": text_keys(_numbered(buildings["key_text"].to_numpy(dtype=object)[row], number)),
        "kind": kind,
        "building": row.astype(np.int32),
        "height_m": rules.meter_height_m + floor * rules.storey_height_m,
        "phases": phases.astype(np.int8),
        "phase": np.full(row.size, -1, dtype=np.int8),
        "data_flag": np.full(row.size, "place+kind", dtype=object),
    }
    return _as_points(columns, buildings["x_m"].to_numpy()[row], buildings["y_m"].to_numpy()[row], buildings.crs)


def meters_from_addresses(
    addresses: gpd.GeoDataFrame, buildings: gpd.GeoDataFrame, rules: InferenceRules
) -> gpd.GeoDataFrame:
    """One dwelling per address that belongs to no building; columns as ``meters_from_buildings``."""
    alone = addresses.loc[address_buildings(addresses, buildings, rules) == 0]
    x, y = alone.geometry.x.to_numpy(), alone.geometry.y.to_numpy()
    order = np.lexsort((y, x))
    ids = texts(alone, "address_id")[order]
    named = address_names(alone)[order]
    columns = {
        "meter_id": named_apart(ids, named, x[order], y[order], "address"),
        "key": text_keys(np.where(ids != "", ids, place_ids("a", x[order], y[order]))),
        "kind": np.full(order.size, "house", dtype=object),
        "building": np.full(order.size, -1, dtype=np.int32),
        "height_m": np.full(order.size, rules.meter_height_m),
        "phases": np.full(order.size, rules.dwelling_phases, dtype=np.int8),
        "phase": np.full(order.size, -1, dtype=np.int8),
        "data_flag": np.full(order.size, "kind", dtype=object),
    }
    return _as_points(columns, x[order], y[order], addresses.crs)


def meters_from_cells(cells: gpd.GeoDataFrame, rules: InferenceRules, seed: int) -> gpd.GeoDataFrame:
    """Meters for cells that carry only a count: points spread within each polygon, keyed by cell, number and seed.

    Parameters
    ----------
    cells : polygons with ``dwellings``, or ``population`` that is divided by ``persons_per_dwelling``.

    Returns
    -------
    Columns as ``meters_from_buildings``. Raises ValueError where neither count is there.
    """
    dwellings, _ = numbers(cells, "dwellings")
    heads, _ = numbers(cells, "population")
    count = np.where(np.isfinite(dwellings), dwellings, heads / rules.persons_per_dwelling)
    if not np.isfinite(count).any():
        raise ValueError(
            "area.population has neither a column dwellings nor population; map one in area.population.columns"
        )
    n_meters = np.rint(np.nan_to_num(np.maximum(count, 0.0))).astype(int)
    shapes = np.asarray(cells.geometry.array, dtype=object)
    bounds = shapely.bounds(shapes)
    ids = texts(cells, "cell_id")
    middle = (bounds[:, 0] + bounds[:, 2]) / 2, (bounds[:, 1] + bounds[:, 3]) / 2
    key_text = np.where(ids != "", ids, place_ids("c", *middle)).astype(object)
    ids = np.where(ids != "", ids, place_names("cell", *middle)).astype(object)
    row = np.repeat(np.arange(len(cells)), n_meters)
    number = np.arange(row.size) - np.repeat(np.cumsum(n_meters) - n_meters, n_meters)
    names, keys = _numbered(ids[row], number), text_keys(_numbered(key_text[row], number))
    x, y = _spread(shapes[row], keys, seed)
    columns = {
        "meter_id": names,
        "key": keys,
        "kind": np.full(row.size, "house", dtype=object),
        "building": np.full(row.size, -1, dtype=np.int32),
        "height_m": np.full(row.size, rules.meter_height_m),
        "phases": np.full(row.size, rules.dwelling_phases, dtype=np.int8),
        "phase": np.full(row.size, -1, dtype=np.int8),
        "data_flag": np.full(row.size, "place+kind", dtype=object),
    }
    return _as_points(columns, x, y, cells.crs)


def address_buildings(addresses: gpd.GeoDataFrame, buildings: gpd.GeoDataFrame, rules: InferenceRules) -> Array:
    """(n_addresses,) 1 + row of the building an address belongs to (inside, or the nearest in reach); 0 for none."""
    owner = np.zeros(len(addresses), dtype=np.int64)
    if len(addresses) == 0 or len(buildings) == 0:
        return owner
    points = np.asarray(addresses.geometry.array, dtype=object)
    tree = shapely.STRtree(np.asarray(buildings.geometry.array, dtype=object))
    address, building = tree.query_nearest(points, max_distance=max(rules.address_snap_m, 1e-6), all_matches=True)
    order = np.lexsort((building, address))
    address, building = address[order], building[order]
    first = np.ones(address.size, dtype=bool)
    first[1:] = address[1:] != address[:-1]
    owner[address[first]] = building[first] + 1
    return owner


def _numbered(ids: Array, number: Array) -> Array:
    return np.array([f"{i}/{n}" for i, n in zip(ids, (number + 1).tolist(), strict=True)], dtype=object)


def _placed(buildings: gpd.GeoDataFrame, addresses: gpd.GeoDataFrame, rules: InferenceRules) -> gpd.GeoDataFrame:
    """Buildings sorted by place, with a name people know and a text that their meters' keys are made of."""
    inside = shapely.point_on_surface(np.asarray(buildings.geometry.array, dtype=object))
    x, y = np.round(shapely.get_x(inside), 3), np.round(shapely.get_y(inside), 3)
    ids = texts(buildings, "building_id")
    order = np.lexsort((shapely.area(np.asarray(buildings.geometry.array, dtype=object)), ids.astype(str), y, x))
    frame = buildings.iloc[order].reset_index(drop=True)
    x, y, ids = x[order], y[order], ids[order]
    key_text = np.where(ids != "", ids, place_ids("b", x, y)).astype(object)
    names = building_addresses(frame, addresses, address_buildings(addresses, frame, rules))
    return frame.assign(building_id=named_apart(ids, names, x, y, "building"), key_text=key_text, x_m=x, y_m=y)


def _spread(shapes: Array, keys: Array, seed: int) -> tuple[Array, Array]:
    """A point inside each shape: keyed tries in its bounding box; a point on its surface where all miss."""
    bounds = shapely.bounds(shapes)
    fallback = shapely.point_on_surface(shapes)
    x, y = shapely.get_x(fallback), shapely.get_y(fallback)
    open_rows = np.arange(shapes.size)
    for attempt in range(64):
        if open_rows.size == 0:
            break
        u = keyed_uniform(f"cell_x/{attempt}", seed, keys[open_rows])
        v = keyed_uniform(f"cell_y/{attempt}", seed, keys[open_rows])
        box = bounds[open_rows]
        try_x, try_y = box[:, 0] + u * (box[:, 2] - box[:, 0]), box[:, 1] + v * (box[:, 3] - box[:, 1])
        hit = shapely.contains_xy(shapes[open_rows], try_x, try_y)
        x[open_rows[hit]], y[open_rows[hit]] = try_x[hit], try_y[hit]
        open_rows = open_rows[~hit]
    return x, y


def _as_points(columns: Mapping[str, Any], x_m: Array, y_m: Array, crs: Any) -> gpd.GeoDataFrame:
    x, y = np.asarray(x_m, dtype=float), np.asarray(y_m, dtype=float)
    return gpd.GeoDataFrame({**columns, "x_m": x, "y_m": y}, geometry=shapely.points(x, y), crs=crs)
