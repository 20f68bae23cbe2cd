"""Places for rows that have none but name a bus or a transformer that has one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer

from .columns import texts
from .lines import PLACED, line_ends
from .readers import Layer
from .shapes import middles, points_at, straight_lines

Array = NDArray[Any]


@dataclass(frozen=True)
class Placed:
    """Layers with every place the network can give, rows that name a bus without place by role, and sentences."""

    layers: dict[str, Layer]
    unknown_bus: Mapping[str, Array]
    notes: tuple[str, ...]


def place_by_network(layers: Mapping[str, Layer]) -> Placed:
    """Locate transformers at their bus, meters at their bus or transformer, and draw cables straight between buses.

    Parameters
    ----------
    layers : as read, by role; only rows without geometry are touched.

    Returns
    -------
    The layers. A cable drawn so has no length of its own: its column must say it. Raises ValueError where a table
    without geometry names nothing that has a place, or a table of cables has no length.
    """
    filled, lost, notes = dict(layers), {}, []
    buses = _bus_places(filled)
    if "transformers" in filled and _needs(filled["transformers"]):
        filled["transformers"], lost["transformers"], n = _at_names(filled["transformers"], buses, ("lv_bus",))
        notes += _told(n, filled["transformers"], "transformers", "lie at their low-voltage bus")
    sites = _transformer_places(filled)
    if "meters" in filled and _needs(filled["meters"]):
        where = {"bus": {**sites.by_bus, **buses.by_bus}, "transformer": sites.by_id}
        known = _Places(buses.crs or sites.crs, where["bus"], where["transformer"])
        filled["meters"], lost["meters"], n = _at_names(filled["meters"], known, ("bus", "transformer"))
        notes += _told(n, filled["meters"], "meters", "lie at their bus or transformer")
    if "cables" in filled and _needs(filled["cables"]):
        known = _Places(buses.crs or sites.crs, {**sites.by_bus, **buses.by_bus}, {})
        filled["cables"], lost["cables"], n = _between_buses(filled["cables"], known)
        notes += _told(
            n, filled["cables"], "cables", "are drawn straight between their buses, as long as the table says"
        )
    return Placed(filled, lost, tuple(notes))


@dataclass(frozen=True)
class _Places:
    """Places by the name of a bus and by the name of a transformer, in one CRS."""

    crs: CRS | None
    by_bus: dict[str, Array]
    by_id: dict[str, Array]


def _needs(layer: Layer) -> bool:
    return bool(_missing(layer.frame).any())


def _missing(frame: pd.DataFrame) -> Array:
    if not isinstance(frame, gpd.GeoDataFrame):
        return np.ones(len(frame), dtype=bool)
    shapes = np.asarray(frame.geometry.array, dtype=object)
    return np.asarray(shapely.is_missing(shapes) | shapely.is_empty(shapes))


def _told(n_placed: int, layer: Layer, what: str, words: str) -> list[str]:
    return [f"{n_placed} of {len(layer.frame)} {what} have no coordinates and {words}."] if n_placed else []


def _bus_places(layers: Mapping[str, Layer]) -> _Places:
    """The place of each bus: from its own layer, else from the end of a drawn cable that names it."""
    found: dict[str, Array] = {}
    crs: CRS | None = None
    if "buses" in layers and layers["buses"].has_places:
        frame, crs = layers["buses"].places, layers["buses"].crs
        found = _first_places(texts(frame, "bus"), _xy(frame), ~_missing(frame))
    if "cables" in layers and layers["cables"].has_places:
        layer = layers["cables"]
        drawn = layer.places.loc[~_missing(layer.frame)]
        shapes = np.asarray(drawn.geometry.array, dtype=object)
        if len(drawn) and (shapely.get_dimensions(shapes) == 1).all():
            crs = crs or layer.crs
            names = np.concatenate([texts(drawn, "from_bus"), texts(drawn, "to_bus")])
            xy = _moved(np.concatenate(line_ends(shapes)), layer.crs, crs)
            found = {**_first_places(names, xy, np.ones(names.size, dtype=bool)), **found}
    return _Places(crs, found, {})


def _transformer_places(layers: Mapping[str, Layer]) -> _Places:
    if "transformers" not in layers or not layers["transformers"].has_places:
        return _Places(None, {}, {})
    layer = layers["transformers"]
    target = layers["buses"].crs if "buses" in layers and layers["buses"].has_places else None
    target = target or (layers["cables"].crs if "cables" in layers else None) or layer.crs
    xy, there = _moved(_xy(layer.places), layer.crs, target), ~_missing(layer.frame)
    by_bus = _first_places(texts(layer.frame, "lv_bus"), xy, there)
    return _Places(target, by_bus, _first_places(texts(layer.frame, "transformer_id"), xy, there))


def _xy(frame: gpd.GeoDataFrame) -> Array:
    return middles(frame.geometry.array)


def _moved(xy: Array, source: CRS | None, target: CRS | None) -> Array:
    if source is None or target is None or source.equals(target, ignore_axis_order=True):
        return xy
    return np.column_stack(Transformer.from_crs(source, target, always_xy=True).transform(xy[:, 0], xy[:, 1]))


def _first_places(names: Array, xy: Array, there: Array) -> dict[str, Array]:
    """Of several places under one name the most western, then southern: independent of the order of rows."""
    rows = np.flatnonzero(there & (names != "") & np.isfinite(xy).all(axis=1) & (xy != 0.0).any(axis=1))
    rows = rows[np.lexsort((xy[rows, 1], xy[rows, 0]))]
    return {str(names[row]): xy[row] for row in rows[::-1]}


def _at_names(layer: Layer, places: _Places, columns: tuple[str, ...]) -> tuple[Layer, Array, int]:
    frame, missing = layer.frame, _missing(layer.frame)
    told = [name for name in columns if name in frame.columns]
    if not layer.has_places and (not told or not (places.by_bus or places.by_id)):
        raise ValueError(
            f"{layer.given.path}: area.{layer.role} has no coordinates; write area.{layer.role}.x and y, "
            f"or map {' or '.join(columns)} to a layer that has places"
        )
    xy = np.full((len(frame), 2), np.nan)
    for name in columns[::-1]:  # the first column that leads to a place decides
        known, words = places.by_id if name == "transformer" else places.by_bus, texts(frame, name)
        rows = np.array([row for row in np.flatnonzero(missing) if words[row] in known], dtype=np.int64)
        if rows.size:
            xy[rows] = np.array([known[words[row]] for row in rows])
    found = np.isfinite(xy[:, 0])
    named = np.zeros(len(frame), dtype=bool)
    for name in told:
        named |= texts(frame, name) != ""
    shapes = _shapes_of(frame)
    crs = layer.crs or places.crs
    moved = _moved(xy[found], places.crs, crs)
    shapes[found] = points_at(moved[:, 0], moved[:, 1])
    return _with_shapes(layer, shapes, crs, found), frame["row"].to_numpy()[missing & ~found & named], int(found.sum())


def _between_buses(layer: Layer, places: _Places) -> tuple[Layer, Array, int]:
    frame, missing = layer.frame, _missing(layer.frame)
    if not layer.has_places:
        for needed, words in (
            (("from_bus", "to_bus"), "neither geometry nor from_bus and to_bus; map both"),
            (("length_m", "length_km"), "no geometry and no length; map length_m or length_km"),
        ):
            if not (all if needed[0] == "from_bus" else any)(name in frame.columns for name in needed):
                raise ValueError(f"{layer.given.path}: area.cables has {words} in area.cables.columns")
        if not places.by_bus:
            raise ValueError(
                f"{layer.given.path}: area.cables has no geometry and no bus a place; give area.buses with coordinates"
            )
    start, end = texts(frame, "from_bus"), texts(frame, "to_bus")
    nowhere = np.full(2, np.nan)
    first = np.array([places.by_bus.get(str(name), nowhere) for name in start]).reshape(-1, 2)
    last = np.array([places.by_bus.get(str(name), nowhere) for name in end]).reshape(-1, 2)
    found = missing & np.isfinite(first[:, 0]) & np.isfinite(last[:, 0])
    shapes, crs = _shapes_of(frame), layer.crs or places.crs
    shapes[found] = straight_lines(_moved(first[found], places.crs, crs), _moved(last[found], places.crs, crs))
    lost = frame["row"].to_numpy()[missing & ~found & (start != "") & (end != "")]
    return _with_shapes(layer, shapes, crs, found), lost, int(found.sum())


def _shapes_of(frame: pd.DataFrame) -> Array:
    if isinstance(frame, gpd.GeoDataFrame):
        return np.array(frame.geometry.array, dtype=object)
    return np.full(len(frame), None, dtype=object)


def _with_shapes(layer: Layer, shapes: Array, crs: CRS | None, placed: Array) -> Layer:
    plain = pd.DataFrame(layer.frame)
    if isinstance(layer.frame, gpd.GeoDataFrame):
        plain = plain.drop(columns=layer.frame.geometry.name)
    plain = plain.drop(columns="geometry", errors="ignore").assign(**{PLACED: placed})
    return replace(layer, frame=gpd.GeoDataFrame(plain, geometry=shapes, crs=crs))
