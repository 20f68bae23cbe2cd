"""Cables as given, their faults, and the node at each of their ends by the buses they name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from .audit import CODES, Audited, fault_rows, no_rows
from .columns import flags, numbers, texts

Array = NDArray[Any]

PLACED = "_placed"
"""Column of rows whose place was taken from the bus or transformer they name."""

LOW_VOLTAGE_KV = 1.0
"""Upper limit of low voltage, IEC 60038 [kV]."""


@dataclass(frozen=True)
class Lines:
    """Usable lines, sorted by id: ends as node rows."""

    ids: Array
    rows: Array
    start: Array
    end: Array
    length_m: Array
    cable: Array
    shapes: Array

    def taken(self, keep: Array) -> Lines:
        """The lines where ``keep`` holds."""
        return Lines(**{name: getattr(self, name)[keep] for name in self.__dataclass_fields__})


def line_lengths(frame: gpd.GeoDataFrame) -> tuple[Array, Array, Array]:
    """Length of each line row from its column where there is one, else as drawn [m]; and what is wrong with it.

    Returns
    -------
    (n,) length [m]; (n,) bool: told, but negative or no number; (n,) bool: neither told nor drawn.
    """
    drawn_m = shapely.length(np.asarray(frame.geometry.array, dtype=object))
    metres, bad_metres = numbers(frame, "length_m")
    kilometres, bad_kilometres = numbers(frame, "length_km")
    told_m = np.where(np.isfinite(metres), metres, kilometres * 1000.0)
    unknown = ~np.isfinite(told_m) & (frame[PLACED].to_numpy(dtype=bool) if PLACED in frame else False)
    length_m = np.where(np.isfinite(told_m), told_m, drawn_m)
    return length_m, bad_metres | bad_kilometres | ~(length_m >= 0), unknown


def line_faults(frame: gpd.GeoDataFrame) -> tuple[Array, Array]:
    """Code of each line row, and its length [m]; lengths that nothing can be built from are refused before."""
    length_m, _, _ = line_lengths(frame)
    active, bad_flag = flags(frame, "in_service", True)
    ids = texts(frame, "cable_id")
    again = (ids != "") & pd.Series(ids, dtype=object).duplicated().to_numpy()
    code = np.select([again, bad_flag, ~active], ["duplicate_id", "bad_value", "not_in_service"], "").astype(object)
    return code, length_m


def sorted_frame(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Lines by id, then by place, so that the order of input rows does not matter."""
    bounds = shapely.bounds(np.asarray(frame.geometry.array, dtype=object))
    ids = texts(frame, "cable_id").astype(str)
    order = np.lexsort((bounds[:, 3], bounds[:, 2], bounds[:, 1], bounds[:, 0], ids))
    return frame.iloc[order].reset_index(drop=True)


def by_bus(cables: Audited, buses: Audited | None, transformers: gpd.GeoDataFrame) -> Any:
    """Lines by the buses they name: lines, names and (n, 2) places of nodes, faults of lines and of buses."""
    frame = sorted_frame(cables.frame)
    code, length_m = line_faults(frame)
    start, end, ids = texts(frame, "from_bus"), texts(frame, "to_bus"), texts(frame, "cable_id")
    places, buses_listed = _bus_places(buses)
    usable = set(places) if places else {*start.tolist(), *end.tolist()} - {""}
    lost = np.array([a not in usable or b not in usable for a, b in zip(start, end, strict=True)], dtype=bool)
    code = np.where((code == "") & lost, "unknown_bus", code)
    good = code == ""
    names = np.array(
        sorted({*start[good].tolist(), *end[good].tolist(), *lv_buses(transformers)} | set(places)), object
    )
    row_of = {name: row for row, name in enumerate(names.tolist())}
    xy = np.full((names.size, 2), np.nan)
    shapes = np.asarray(frame.geometry.array, dtype=object)
    first, last = line_ends(shapes[good])
    start_row = np.array([row_of[name] for name in start[good]], dtype=np.int64)
    end_row = np.array([row_of[name] for name in end[good]], dtype=np.int64)
    xy[start_row[::-1]], xy[end_row[::-1]] = first[::-1], last[::-1]
    for name, row in zip(lv_buses(transformers), range(len(transformers)), strict=True):
        if name and not np.isfinite(xy[row_of[name], 0]):
            xy[row_of[name]] = transformers[["x_m", "y_m"]].to_numpy(dtype=float)[row]
    for name, place in places.items():
        xy[row_of[name]] = place
    lines = Lines(
        ids[good],
        frame["row"].to_numpy()[good],
        start_row,
        end_row,
        length_m[good],
        texts(frame, "cable")[good],
        shapes[good],
    )
    return lines, names, xy, listed_lines(frame, code, ids), buses_listed


def listed_lines(frame: gpd.GeoDataFrame, code: Array, ids: Array) -> pd.DataFrame:
    """The fault list of line rows with a code."""
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


def isolated(buses: Audited | None, bus_node: dict[str, int], listed: pd.DataFrame) -> pd.DataFrame:
    """The buses that no line in service reaches, but for those already listed."""
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


def lv_buses(transformers: gpd.GeoDataFrame) -> list[str]:
    """The low-voltage bus of each transformer, empty where none is named."""
    return [str(name) for name in texts(transformers, "lv_bus")]


def line_ends(shapes: Array) -> tuple[Array, Array]:
    """(n, 2) first and last place of each line; of a line in several parts, the ends once they are merged."""
    parts = shapely.get_parts(shapes)
    merged = shapes if parts.size == shapes.size else shapely.line_merge(shapes)
    single = shapely.get_type_id(merged) == 1
    merged = np.where(single, merged, shapely.get_geometry(merged, 0))
    first, last = shapely.get_point(merged, 0), shapely.get_point(merged, -1)
    return shapely.get_coordinates(first), shapely.get_coordinates(last)
