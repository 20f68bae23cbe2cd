"""Layers in: GeoPackage, Shapefile, GeoJSON, GeoParquet, KML, CSV, OSM extracts; CRS found or demanded."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely
from pyproj import CRS

from .columns import OSM_COLUMNS, ROLE_COLUMNS, numbers, rename_columns
from .crs import GEOGRAPHIC_WGS84, metres_per_unit, parse_crs
from .delimited import read_delimited
from .inputs import LayerInput
from .shapes import points_at

OSM_ENDINGS = (".osm.pbf", ".pbf", ".osm.gz", ".osm.bz2", ".osm")
TABLE_ENDINGS = (".csv", ".txt", ".tsv")
WGS84_BY_STANDARD = (".kml", ".kmz")
"""OGC 07-147r2 (KML 2.2), section 6: longitude and latitude in WGS 84. RFC 7946 says the same for GeoJSON."""

COORDINATE_NAMES = (
    ("lon", "lat"),
    ("longitude", "latitude"),
    ("lng", "lat"),
    ("x", "y"),
    ("easting", "northing"),
    ("rechtswert", "hochwert"),
    ("ostwert", "nordwert"),
)


@dataclass(frozen=True)
class Layer:
    """One layer as read: user's columns and ours, geometry in its own CRS, rows numbered as the user counts them.

    frame : GeoDataFrame, or a DataFrame where the layer has no geometry at all; column ``row`` is the line
        of the file in a table of text (header and blank lines count), else the row, the first being 1; see `row_word`.
    digest : blake2b of the file's bytes, hexadecimal.
    notes : sentences the report must print.
    """

    role: str
    given: LayerInput
    frame: pd.DataFrame
    layer: str
    digest: str
    notes: tuple[str, ...]

    @property
    def has_places(self) -> bool:
        """True where the layer has geometry."""
        return isinstance(self.frame, gpd.GeoDataFrame)

    @property
    def crs(self) -> CRS | None:
        """The layer's own CRS; None for a table without geometry."""
        return CRS.from_user_input(self.frame.crs) if isinstance(self.frame, gpd.GeoDataFrame) else None

    @property
    def places(self) -> gpd.GeoDataFrame:
        """The frame, where it has geometry; ValueError where it has none."""
        if not isinstance(self.frame, gpd.GeoDataFrame):
            raise ValueError(
                f"{self.given.path}: area.{self.role} has no geometry; name its coordinate columns x and y"
            )
        return self.frame


def read_layer(given: LayerInput, base_path: Path, role: str) -> Layer:
    """Read one layer of the user.

    Parameters
    ----------
    given : path (relative to ``base_path``), layer, CRS override, columns.
    role : key of ``columns.ROLE_COLUMNS``, such as ``"meters"``; for OSM extracts also what is taken out of it.

    Returns
    -------
    The layer. Raises ValueError, naming file and fix, for a missing or unreadable file, an unknown layer or column,
    a missing or unknown CRS, and coordinates that contradict the CRS.
    """
    path = base_path / given.path
    if not path.exists():
        raise ValueError(f"{given.path}: there is no such file; check area.{role}.path")
    with np.errstate(invalid="ignore"):  # coordinates that are no number are listed by the audit
        return _read(given, path, role)


def _read(given: LayerInput, path: Path, role: str) -> Layer:
    name = path.name.lower()
    told: list[str] = []
    number: list[int] | None = None
    if name.endswith(OSM_ENDINGS):
        from .osm import read_osm

        layer = given.layer or role
        frame: pd.DataFrame = read_osm(path, layer)
    elif name.endswith(TABLE_ENDINGS):
        frame, number, told = read_delimited(path, given.path, _used_names(given, role))
        frame, layer = _with_points(frame, given, given.path), ""
    elif name.endswith((".parquet", ".geoparquet")):
        frame, layer = _read_parquet(path, given), ""
    else:
        frame, layer = _read_vector(path, given)
    frame = rename_columns(frame, given, role).assign(row=np.arange(1, len(frame) + 1) if number is None else number)
    frame, notes = _settle_crs(frame, given, role, name)
    return Layer(role, given, frame, layer, file_digest(path), (*told, *notes))


def row_word(path: str) -> str:
    """What the numbers of rows in messages count: lines of a text file, else rows of the layer, the first being 1."""
    return "line" if path.lower().endswith(TABLE_ENDINGS) else "row"


def file_digest(path: Path) -> str:
    """blake2b (16 bytes) of a file's content, hexadecimal; for a Shapefile all its parts, in order of name."""
    parts = [path]
    if path.suffix.lower() == ".shp":
        parts = sorted(part for part in path.parent.glob(path.stem + ".*") if part.suffix.lower() != ".lock")
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        with part.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _read_vector(path: Path, given: LayerInput) -> tuple[pd.DataFrame, str]:
    try:
        layers = [str(name) for name in pyogrio.list_layers(path)[:, 0]]
    except pyogrio.errors.DataSourceError:
        raise ValueError(
            f"{given.path}: not a map layer; known are GeoPackage, Shapefile, GeoJSON, GeoParquet, KML, CSV, OSM"
        ) from None
    layer = given.layer or (layers[0] if len(layers) == 1 else None)
    if layer is None:
        raise ValueError(f"{given.path}: has the layers {', '.join(layers)}; write which one as layer")
    if layer not in layers:
        raise ValueError(f'{given.path}: has no layer "{layer}", only {", ".join(layers)}')
    frame = pyogrio.read_dataframe(path, layer=layer)
    return frame, "" if len(layers) == 1 else layer


def _read_parquet(path: Path, given: LayerInput) -> pd.DataFrame:
    try:
        return gpd.read_parquet(path)
    except ValueError:
        if given.x is None:
            raise ValueError(f"{given.path}: not a GeoParquet file; convert it, or give it as CSV") from None
    return _with_points(pd.read_parquet(path), given, given.path)


def _used_names(given: LayerInput, role: str) -> set[str]:
    """Column names, in lower case, that something may rest on."""
    spellings = {name for names in OSM_COLUMNS.values() for name in names}
    known = {*ROLE_COLUMNS[role], *spellings, *(name for pair in COORDINATE_NAMES for name in pair)}
    return {name.lower() for name in (*known, *given.columns.values(), given.x or "", given.y or "")}


def _with_points(frame: pd.DataFrame, given: LayerInput, where: str) -> pd.DataFrame:
    names = _coordinate_columns(frame, given, where)
    if names is None:
        return frame
    (x, x_bad), (y, y_bad) = numbers(frame, names[0]), numbers(frame, names[1])
    missing = ~(np.isfinite(x) & np.isfinite(y)) | x_bad | y_bad
    points = points_at(np.where(missing, 0.0, x), np.where(missing, 0.0, y))
    points[missing] = None
    return gpd.GeoDataFrame(frame, geometry=points)


def _coordinate_columns(frame: pd.DataFrame, given: LayerInput, where: str) -> tuple[str, str] | None:
    if (given.x is None) != (given.y is None):
        told, lost = ("y", "x") if given.x is None else ("x", "y")
        raise ValueError(
            f"{where}: {told} is given without {lost}; write the name of the other coordinate column as {lost} too "
            f"(columns: {', '.join(map(str, frame.columns))})"
        )
    if given.x is not None:
        for name in (given.x, given.y):
            if name not in frame.columns:
                raise ValueError(
                    f'{where}: has no coordinate column "{name}", only {", ".join(map(str, frame.columns))}'
                )
        return str(given.x), str(given.y)
    lower = {str(name).lower(): str(name) for name in frame.columns}
    for x, y in COORDINATE_NAMES:
        if x in lower and y in lower:
            return lower[x], lower[y]
    return None


def _settle_crs(frame: pd.DataFrame, given: LayerInput, role: str, name: str) -> tuple[pd.DataFrame, list[str]]:
    if not isinstance(frame, gpd.GeoDataFrame):
        if given.crs is not None:
            raise ValueError(
                f"{given.path}: area.{role}.crs is given, but no column is known as a coordinate; write area.{role}.x "
                f"and y (columns: {', '.join(str(name) for name in frame.columns if name != 'row')}), or no crs"
            )
        return frame, []
    frame = frame.set_geometry(shapely.force_2d(np.asarray(frame.geometry.array, dtype=object)), crs=frame.crs)
    notes = []
    if given.crs is not None:
        declared = parse_crs(given.crs, f"area.{role}.crs")
        if frame.crs is not None and not CRS.from_user_input(frame.crs).equals(declared, ignore_axis_order=True):
            notes.append(f"{given.shown_path}: its own CRS was overridden by {given.crs} (area.{role}.crs).")
        frame = frame.set_crs(declared, allow_override=True)
    elif frame.crs is None and name.endswith(WGS84_BY_STANDARD):
        frame = frame.set_crs(GEOGRAPHIC_WGS84)
    if frame.crs is None:
        raise ValueError(f'{given.path}: layer {role} has no CRS; write area.{role}.crs, such as "EPSG:25832"')
    crs = CRS.from_user_input(frame.crs)
    _check_units(frame, crs, given, role)
    unit = metres_per_unit(crs)
    if crs.is_projected and abs(unit - 1.0) > 1e-12:
        notes.append(f"{given.shown_path}: coordinates in {crs.axis_info[0].unit_name} were converted to metres.")
    return frame, notes


def _check_units(frame: gpd.GeoDataFrame, crs: CRS, given: LayerInput, role: str) -> None:
    bounds = frame.geometry.bounds.to_numpy(dtype=float)
    x, y = np.abs(bounds[:, [0, 2]]).max(axis=1), np.abs(bounds[:, [1, 3]]).max(axis=1)
    real = np.isfinite(x) & np.isfinite(y) & ((x > 0) | (y > 0))
    if not real.any():
        return
    like_degrees = bool(np.all((x[real] <= 180.0) & (y[real] <= 180.0)))
    name = given.crs or crs.to_string()
    if crs.is_projected and like_degrees and _earthly(crs):
        raise ValueError(
            f"{given.path}: degrees where metres are needed: {name} is projected, coordinates reach only "
            f'{x[real].max():.4g}, {y[real].max():.4g}; write area.{role}.crs = "EPSG:4326"'
        )
    if crs.is_geographic and np.mean((x[real] > 360.0) | (y[real] > 360.0)) > 0.5:
        raise ValueError(
            f"{given.path}: metres where degrees are expected: {name} is geographic, coordinates reach "
            f"{x[real].max():.6g}, {y[real].max():.6g}; write the projected CRS as area.{role}.crs"
        )


def _earthly(crs: CRS) -> bool:
    """False for engineering and derived local systems, where a few metres from the origin are real places."""
    return "local" not in crs.name.lower() and "engineering" not in crs.type_name.lower()


def empty_layer(crs: Any, *columns: str) -> gpd.GeoDataFrame:
    """A layer with no rows, in the working CRS."""
    empty: dict[str, Any] = {name: pd.Series(dtype=object) for name in columns}
    return gpd.GeoDataFrame(empty, geometry=gpd.GeoSeries([], crs=crs), crs=crs)
