"""Row faults: each is listed with a code, none is dropped in silence; only a wholly unusable layer is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from shapely.geometry.base import BaseGeometry

from .columns import ID_COLUMN, flags, texts
from .inputs import InferenceRules
from .readers import Layer, row_word
from .shape_kinds import finite_share, partly_placed, wrong_kind
from .shapes import middles

Array = NDArray[Any]

LISTED_COLUMNS = ("layer", "row", "id", "code", "detail", "x_m", "y_m")
QA_COLUMNS = (*LISTED_COLUMNS, "severity")

CODES: Mapping[str, str] = {
    "no_place": "the row has no usable coordinates",
    "zero_place": "the row lies at (0, 0)",
    "several_places": "the row holds several points, and which one is meant is not known",
    "bad_place": "a coordinate is no number, or impossible in the layer's CRS",
    "swapped_lat_lon": "the row lies inside the area only with its two coordinates exchanged",
    "outside_area": "the row lies outside the area",
    "duplicate_id": "another row has the same id",
    "bad_value": "a value is impossible",
    "bad_geometry": "the shape is broken beyond repair",
    "wrong_geometry": "the shape is of another kind (point, line, polygon) than this layer needs",
    "unknown_bus": "the row names a bus that is not in the bus layer",
    "not_in_service": "the row is marked as out of service",
    "not_low_voltage": "the bus belongs to another voltage level",
    "self_loop": "both ends of the line are one node",
    "isolated": "no line in service ends here",
}
"""Audit codes and their meaning; the planner maps them to reasons."""


@dataclass(frozen=True)
class Audited:
    """A layer after its audit, in the working CRS: rows in = used + listed + clipped."""

    layer: Layer
    frame: gpd.GeoDataFrame
    listed: pd.DataFrame
    n_clipped: int = 0


def no_rows(columns: tuple[str, ...] = LISTED_COLUMNS) -> pd.DataFrame:
    """An empty list of faults."""
    return pd.DataFrame({name: pd.Series(dtype=float if name in ("x_m", "y_m") else object) for name in columns})


def fault_rows(
    role: str, rows: Array, ids: Any, code: Any, detail: Any, x_m: Any = np.nan, y_m: Any = np.nan
) -> pd.DataFrame:
    """DataFrame ``LISTED_COLUMNS`` from columns or single values."""
    frame = pd.DataFrame({"layer": role, "row": np.asarray(rows, dtype=int), "id": np.asarray(ids, dtype=object)})
    full: pd.DataFrame = frame.assign(code=code, detail=detail, x_m=np.asarray(x_m), y_m=np.asarray(y_m))
    return full[list(LISTED_COLUMNS)]


def audit_points(
    layer: Layer,
    crs: CRS,
    extent: BaseGeometry | None,
    rules: InferenceRules,
    values: Mapping[str, Callable[[pd.DataFrame], Array]] | None = None,
) -> Audited:
    """Audit a layer of single places: no place, (0, 0), impossible, exchanged, outside, duplicate id, bad value.

    Parameters
    ----------
    layer : as read; polygons count by their middle.
    crs : working CRS.
    extent : area in the working CRS that rows must lie in; None judges by the layer's own middle.
    values : what else is wrong with a value: sentence to a function from the frame to (n,) bool.

    Returns
    -------
    The usable rows in the working CRS and the list of the others; the first fault of a row is the one listed.
    """
    frame = layer.places
    n_rows = len(frame)
    x, y = middles(frame.geometry.array).T
    broken = partly_placed(np.asarray(frame.geometry.array, dtype=object))
    missing = ~(np.isfinite(x) & np.isfinite(y)) & ~broken
    source = CRS.from_user_input(frame.crs)
    move = Transformer.from_crs(source, crs, always_xy=True)
    xm, ym = _moved(move, x, y, missing | broken)
    swapped_x, swapped_y = _moved(move, y, x, missing | broken)
    zero = ~missing & ~broken & (np.abs(x) < 1e-6) & (np.abs(y) < 1e-6)
    impossible = ~missing & ~zero & ~(np.isfinite(xm) & np.isfinite(ym))
    several = shapely.get_num_geometries(np.asarray(frame.geometry.array, dtype=object)) > 1
    several &= shapely.get_dimensions(np.asarray(frame.geometry.array, dtype=object)) == 0
    wrong = wrong_kind(layer)
    usable = ~(missing | zero | impossible | several | wrong)
    area = extent if extent is not None else _own_extent(xm[usable], ym[usable], rules)
    inside = shapely.contains_xy(area, xm, ym) if area is not None else np.ones(n_rows, dtype=bool)
    swapped = (
        ~missing & ~zero & ~inside & (shapely.contains_xy(area, swapped_x, swapped_y) if area is not None else False)
    )
    code = np.full(n_rows, "", dtype=object)
    detail = np.full(n_rows, "", dtype=object)
    for mask, name in (
        (missing, "no_place"),
        (wrong, "wrong_geometry"),
        (zero, "zero_place"),
        (several, "several_places"),
        (swapped, "swapped_lat_lon"),
        (impossible, "bad_place"),
        (~inside, "outside_area"),
    ):
        _mark(code, detail, mask, name, CODES[name])
    ids = texts(frame, ID_COLUMN.get(layer.role, ""))
    if layer.role == "transformers":
        # before equal ids: the one in service stays
        active, unclear = flags(frame, "in_service", True)
        _mark(code, detail, unclear, "bad_value", "in_service is neither yes nor no")
        _mark(code, detail, ~active, "not_in_service", CODES["not_in_service"])
    _mark_duplicates(code, detail, ids, xm, ym)
    for sentence, test in (values or {}).items():
        _mark(code, detail, test(frame), "bad_value", sentence)
    bad = code != ""
    listed = fault_rows(
        layer.role, frame["row"].to_numpy()[bad], ids[bad], code[bad], detail[bad], _shown(xm[bad]), _shown(ym[bad])
    )
    kept = gpd.GeoDataFrame(
        frame.loc[~bad].drop(columns=frame.geometry.name), geometry=shapely.points(xm[~bad], ym[~bad]), crs=crs
    )
    return Audited(layer, kept.reset_index(drop=True), listed)


def audit_shapes(layer: Layer, crs: CRS) -> Audited:
    """Audit a layer of lines or polygons.

    Rows without geometry, with a coordinate that is no number, and shapes broken beyond repair are listed.
    """
    frame = layer.places
    shapes = np.asarray(frame.geometry.array, dtype=object)
    missing = np.asarray(shapely.is_missing(shapes) | shapely.is_empty(shapes))
    finite = finite_share(shapes) == 1
    wrong = wrong_kind(layer)
    code = np.select([missing, wrong, ~finite], ["no_place", "wrong_geometry", "bad_place"], "").astype(object)
    kept = frame.loc[code == ""].to_crs(crs)
    moved = np.asarray(kept.geometry.array, dtype=object)
    valid = shapely.is_valid(moved)
    dimension = shapely.get_dimensions(moved)
    moved = np.where(valid, moved, shapely.make_valid(moved))
    if layer.role == "cables":  # a cable without extent may still join two buses
        point_like = (dimension == 1) & (shapely.length(kept.geometry.to_numpy()) == 0)
        moved = np.where(point_like, kept.geometry.to_numpy(), moved)
    broken = shapely.is_empty(moved) | (finite_share(moved) < 1) | (shapely.get_dimensions(moved) < dimension)
    code[np.flatnonzero(code == "")[broken]] = "bad_geometry"
    bad = code != ""
    ids = texts(frame, ID_COLUMN.get(layer.role, ""))
    words = np.array([CODES.get(word, "") for word in code], dtype=object)
    listed = fault_rows(layer.role, frame["row"].to_numpy()[bad], ids[bad], code[bad], words[bad])
    kept = gpd.GeoDataFrame(
        kept.drop(columns=kept.geometry.name).loc[~broken], geometry=moved[~broken], crs=crs
    ).reset_index(drop=True)
    return Audited(layer, kept, listed)


def clip_to(audited: Audited, area: BaseGeometry) -> Audited:
    """Context rows that do not touch the area are left out and counted as clipped."""
    touches = np.asarray(audited.frame.intersects(area))
    kept = audited.frame.loc[touches].reset_index(drop=True)
    return Audited(audited.layer, kept, audited.listed, audited.n_clipped + int((~touches).sum()))


def recoded(audited: Audited, rows: Any, code: str) -> Audited:
    """The layer with another code for some of the rows that are listed without a place."""
    hit = audited.listed["row"].isin(rows) & (audited.listed["code"] == "no_place")
    if not hit.any():
        return audited
    listed = audited.listed.assign(
        code=audited.listed["code"].where(~hit, code), detail=audited.listed["detail"].where(~hit, CODES[code])
    )
    return Audited(audited.layer, audited.frame, listed, audited.n_clipped)


def refuse_unusable(audited: Audited, max_bad_share: float) -> None:
    """Raise ValueError where a layer is wholly faulty or has a larger share of faulty rows than allowed."""
    layer, n_in = audited.layer, len(audited.layer.frame)
    name = f"{layer.given.path}: layer {layer.role}"
    faults = audited.listed[~audited.listed["code"].isin(("not_in_service", "not_low_voltage", "isolated"))]
    if len(faults) == 0:
        return
    counts = faults["code"].value_counts()
    worst = ", ".join(f"{counts[code]} {code}" for code in sorted(counts.index, key=lambda code: (-counts[code], code)))
    first = faults.iloc[0]
    where = f"{row_word(layer.given.path)} {first['row']}" + (f", {first['id']}" if first["id"] else "")
    told = f"first {where}: {first['detail']}"
    if len(faults) == n_in:
        raise ValueError(f"{name} is unusable: all {n_in} rows are faulty ({worst}; {told}); check its CRS and columns")
    if len(faults) > max_bad_share * n_in:
        raise ValueError(
            f"{name}: {len(faults)} of {n_in} rows are faulty ({worst}; {told}), more than "
            f"area.max_bad_share = {max_bad_share:g}; repair the layer or raise the share"
        )


def _moved(move: Transformer, x: Array, y: Array, missing: Array) -> tuple[Array, Array]:
    xm, ym = move.transform(np.where(missing, np.nan, x), np.where(missing, np.nan, y))
    bad = ~(np.isfinite(xm) & np.isfinite(ym))
    return np.where(bad, np.nan, xm), np.where(bad, np.nan, ym)


def _own_extent(x_m: Array, y_m: Array, rules: InferenceRules) -> BaseGeometry | None:
    if x_m.size == 0:
        return None
    sides = []
    for values in (x_m, y_m):
        low, high = np.quantile(values, (0.25, 0.75))
        reach = 5.0 * (high - low) + rules.stray_margin_m
        sides.append((low - reach, high + reach))
    area: BaseGeometry = shapely.box(sides[0][0], sides[1][0], sides[0][1], sides[1][1])
    return area


def _mark(code: Array, detail: Array, mask: Array, name: str, sentence: str) -> None:
    new = (code == "") & mask
    code[new], detail[new] = name, sentence


def _mark_duplicates(code: Array, detail: Array, ids: Array, x_m: Array, y_m: Array) -> None:
    """Of rows with one id the most south-western stays: a choice that does not depend on the order of rows."""
    rows = np.flatnonzero((code == "") & (ids != ""))
    order = rows[np.lexsort((y_m[rows], x_m[rows], ids[rows].astype(str)))]
    again = np.zeros(order.size, dtype=bool)
    again[1:] = ids[order][1:] == ids[order][:-1]
    code[order[again]], detail[order[again]] = "duplicate_id", CODES["duplicate_id"]


def _shown(values: Array) -> Array:
    return np.round(values, 3)
