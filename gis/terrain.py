"""Ground heights on a regular metric grid: read once, then bilinear heights and profiles for any number of links."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numba import njit
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from rasterio.enums import Resampling
from rasterio.fill import fillnodata
from rasterio.transform import from_origin
from rasterio.warp import reproject
from scipy.ndimage import distance_transform_edt

from .crs import parse_crs
from .inputs import TerrainInput

Array = NDArray[Any]
Bounds = tuple[float, float, float, float]

FOOT_M = {"ft": 0.3048, "feet": 0.3048, "foot": 0.3048, "us-ft": 1200 / 3937, "us survey foot": 1200 / 3937}
"""International foot and US survey foot, NIST SP 811 (2008) appendix B.6."""
LAND_M = (-500.0, 9000.0)
"""Heights of land: the shore of the Dead Sea lies at some -430 m, Mount Everest at 8,849 m. Beyond is no height [m]."""
METRE_WORDS = ("m", "metre", "meter", "metres", "meters")


@dataclass(frozen=True)
class Terrain:
    """Heights above sea level on a north-up metric grid; flat ground has no grid (``elevation_m`` of shape (0, 0)).

    elevation_m : (n_rows, n_columns) float32, first row in the north [m]
    west_m, north_m : place of the first sample (the centre of its cell) in the working CRS [m]
    step_m : spacing of samples in both directions [m]
    n_voids : samples of the file, within what was read, that had no height and were filled from neighbours
    """

    elevation_m: Array
    west_m: float
    north_m: float
    step_m: float
    n_voids: int

    @property
    def is_flat(self) -> bool:
        """True where no elevation was given."""
        return self.elevation_m.size == 0


def flat_terrain() -> Terrain:
    """Flat ground at height 0."""
    return Terrain(np.zeros((0, 0), np.float32), 0.0, 0.0, 1.0, 0)


def terrain_extent_m(given: TerrainInput, crs: CRS, base_path: Path = Path()) -> Bounds:
    """Largest axis-parallel box (west, south, east, north) [m] in the working CRS that the file surely covers."""
    with _opened(given, base_path) as source:
        return _inner_box(source, _crs_of(source, given), crs)


def read_terrain(
    given: TerrainInput, crs: CRS, bounds_m: Bounds, base_path: Path = Path()
) -> tuple[Terrain, list[str]]:
    """Elevation over ``bounds_m``, reprojected once to a metric grid of the file's own resolution.

    Parameters
    ----------
    given : the file, GeoTIFF or .hgt, with the vertical unit where the file does not say it.
    crs : working CRS, projected, in metres.
    bounds_m : west, south, east, north of all meters and sites [m].

    Returns
    -------
    The terrain, and sentences for the report. Raises ValueError where the file does not cover the bounds, has no CRS,
    no known vertical unit, or nothing but voids.
    """
    with _opened(given, base_path) as source:
        source_crs = _crs_of(source, given)
        _check_cover(given.path, _inner_box(source, source_crs, crs), bounds_m)
        factor, notes = _metres_per_unit(source, given)
        if source.count != 1:
            raise ValueError(
                f"{given.path}: {source.count} bands, so a picture and no elevation; give heights in one band"
            )
        raw = source.read(1).astype(np.float32)
        void = _voids(raw, source.nodata, factor)
        if void.all():
            raise ValueError(f"{given.path}: every height is void; give another elevation file")
        filled = fill_voids(raw, void) * np.float32(factor)
        step_m = _native_step_m(source, source_crs, crs)
        terrain = _to_grid(filled, source.transform, source_crs, crs, bounds_m, step_m, int(void.sum()))
    if terrain.n_voids:
        notes.append(f"{given.shown_path}: {terrain.n_voids} void heights were filled from their neighbours.")
    return terrain, notes


def fill_voids(heights_m: Array, void: Array) -> Array:
    """Heights with voids interpolated from their neighbours (inverse distance), the nearest where that fails."""
    if not void.any():
        return heights_m
    clean = np.where(void, np.float32(0.0), heights_m).astype(np.float32)
    filled = fillnodata(clean, mask=(~void).astype(np.uint8), max_search_distance=100.0)
    nearest = distance_transform_edt(void, return_distances=False, return_indices=True)
    low, high = clean[~void].min(), clean[~void].max()
    trusted = np.isfinite(filled) & (filled >= low) & (filled <= high)
    return np.asarray(np.where(void & ~trusted, clean[tuple(nearest)], filled), dtype=np.float32)


def heights_m(terrain: Terrain, x_m: Array, y_m: Array) -> Array:
    """Ground height at each place, bilinear between samples.

    Parameters
    ----------
    x_m, y_m : (n,) in the working CRS [m].

    Returns
    -------
    (n,) float64 [m]; zeros on flat ground. Raises ValueError where a place lies off the grid.
    """
    x, y = np.ascontiguousarray(x_m, dtype=float), np.ascontiguousarray(y_m, dtype=float)
    if terrain.is_flat:
        return np.zeros(x.shape)
    _check_inside(terrain, x, y)
    return np.asarray(_sampled(terrain, (x, y, x, y), 1)[:, 0], dtype=float)


def profiles_m(terrain: Terrain, x0_m: Array, y0_m: Array, x1_m: Array, y1_m: Array, n_samples: int) -> Array:
    """Ground heights at equal steps along straight links, both ends included.

    Parameters
    ----------
    x0_m, y0_m, x1_m, y1_m : (n_links,) ends in the working CRS [m].
    n_samples : samples per link, at least 2.

    Returns
    -------
    (n_links, n_samples) float32 [m]; (n_links, 2) zeros on flat ground. Raises ValueError for ends off the grid or
    fewer than two samples.
    """
    ends = [np.ascontiguousarray(end, dtype=float) for end in (x0_m, y0_m, x1_m, y1_m)]
    if n_samples < 2:
        raise ValueError(f"n_samples = {n_samples}: a profile has at least its two ends")
    if terrain.is_flat:
        return np.zeros((ends[0].size, 2), np.float32)
    _check_inside(terrain, ends[0], ends[1])
    _check_inside(terrain, ends[2], ends[3])
    return _sampled(terrain, ends, n_samples)


def _sampled(terrain: Terrain, ends: Sequence[Array], n_samples: int) -> Array:
    kernel: Any = _profiles
    origin = (terrain.elevation_m, terrain.west_m, terrain.north_m, terrain.step_m)
    return np.asarray(kernel(*origin, *ends, n_samples))


@njit(cache=True)
def _profiles(
    grid: Array, west: float, north: float, step: float, x0: Array, y0: Array, x1: Array, y1: Array, n_samples: int
) -> Array:  # pragma: no cover - compiled
    n_rows, n_columns = grid.shape
    result = np.empty((x0.size, n_samples), np.float32)
    for link in range(x0.size):
        column, row = (x0[link] - west) / step, (north - y0[link]) / step
        share = 1.0 / max(n_samples - 1, 1)
        d_column, d_row = (x1[link] - x0[link]) / step * share, (y0[link] - y1[link]) / step * share
        for sample in range(n_samples):
            c = min(max(column + sample * d_column, 0.0), n_columns - 1.0)
            r = min(max(row + sample * d_row, 0.0), n_rows - 1.0)
            j, i = min(int(c), max(n_columns - 2, 0)), min(int(r), max(n_rows - 2, 0))
            k, m = min(j + 1, n_columns - 1), min(i + 1, n_rows - 1)
            u, v = c - j, r - i
            top = grid[i, j] + u * (grid[i, k] - grid[i, j])
            low = grid[m, j] + u * (grid[m, k] - grid[m, j])
            result[link, sample] = top + v * (low - top)
    return result


def _check_inside(terrain: Terrain, x: Array, y: Array) -> None:
    n_rows, n_columns = terrain.elevation_m.shape
    column, row = (x - terrain.west_m) / terrain.step_m, (terrain.north_m - y) / terrain.step_m
    off = ~((column >= -0.5) & (column <= n_columns - 0.5) & (row >= -0.5) & (row <= n_rows - 0.5))
    if off.any():
        culprit = int(np.argmax(off))
        raise ValueError(
            f"{int(off.sum())} places lie off the elevation grid, the first at row {culprit} "
            f"({x[culprit]:.0f}, {y[culprit]:.0f}); give a larger elevation file"
        )


def _opened(given: TerrainInput, base_path: Path) -> Any:
    path = base_path / given.path
    if not path.exists():
        raise ValueError(f"{given.path}: there is no such elevation file; check area.terrain.path")
    try:
        return rasterio.open(path)
    except rasterio.errors.RasterioIOError:
        raise ValueError(f"{given.path}: not a readable GeoTIFF or .hgt file; convert it to GeoTIFF") from None


def _crs_of(source: Any, given: TerrainInput) -> CRS:
    if given.crs:
        return parse_crs(given.crs, "area.terrain.crs")
    if source.crs is None:
        raise ValueError(f"{given.path}: the elevation file has no CRS; write area.terrain.crs")
    return CRS.from_user_input(source.crs.to_wkt())


def _metres_per_unit(source: Any, given: TerrainInput) -> tuple[float, list[str]]:
    is_hgt = given.path.lower().endswith((".hgt", ".hgt.gz", ".hgt.zip"))
    told = given.vertical_unit or (source.units[0] if source.units else None) or ("m" if is_hgt else None)
    if told is None:
        raise ValueError(f'{given.path}: the vertical unit is unknown; write area.terrain.vertical_unit = "m" or "ft"')
    word = str(told).strip().lower()
    if word in METRE_WORDS:
        return 1.0, []
    if word in FOOT_M:
        return FOOT_M[word], [f"{given.shown_path}: heights were converted from feet to metres."]
    raise ValueError(
        f'{given.path}: vertical unit "{told}" is not known; write area.terrain.vertical_unit = "m" or "ft"'
    )


def _voids(raw: Array, nodata: float | None, factor: float) -> Array:
    """(n_rows, n_columns) bool: declared as void, no number, or no height on land (an undeclared -9999, a 1e38)."""
    low_m, high_m = LAND_M
    with np.errstate(invalid="ignore", over="ignore"):
        void = ~np.isfinite(raw) | (raw * factor < low_m) | (raw * factor > high_m)
    if nodata is not None and np.isfinite(nodata):
        void |= raw == np.float32(nodata)
    return np.asarray(void)


def _inner_box(source: Any, source_crs: CRS, crs: CRS) -> Bounds:
    to_metric = Transformer.from_crs(source_crs, crs, always_xy=True)
    west, south, east, north = source.bounds
    share = np.linspace(0.0, 1.0, 21)
    x, y = west + share * (east - west), south + share * (north - south)
    left, _ = to_metric.transform(np.full(21, west), y)
    right, _ = to_metric.transform(np.full(21, east), y)
    _, low = to_metric.transform(x, np.full(21, south))
    _, top = to_metric.transform(x, np.full(21, north))
    return float(np.max(left)), float(np.max(low)), float(np.min(right)), float(np.min(top))


def _check_cover(path: str, box: Bounds, bounds: Bounds) -> None:
    missing_m = {
        "west": box[0] - bounds[0],
        "south": box[1] - bounds[1],
        "east": bounds[2] - box[2],
        "north": bounds[3] - box[3],
    }
    sides = [f"{side} ({gap:.0f} m)" for side, gap in missing_m.items() if gap > 0]
    if sides:
        raise ValueError(
            f"{path}: the elevation file does not cover the meters and sites in the {', '.join(sides)}; "
            "give a larger file or a smaller area.boundary"
        )


def _native_step_m(source: Any, source_crs: CRS, crs: CRS) -> float:
    to_metric = Transformer.from_crs(source_crs, crs, always_xy=True)
    bounds = source.bounds
    x, y = (bounds.left + bounds.right) / 2, (bounds.bottom + bounds.top) / 2
    dx, dy = abs(source.transform.a), abs(source.transform.e)
    east, north = to_metric.transform([x, x + dx, x], [y, y, y + dy])
    across = np.hypot(east[1] - east[0], north[1] - north[0])
    along = np.hypot(east[2] - east[0], north[2] - north[0])
    return float(max(round(min(across, along), 1), 0.1))


def _to_grid(
    heights: Array, transform: Any, source_crs: CRS, crs: CRS, bounds: Bounds, step_m: float, n_voids: int
) -> Terrain:
    west, north = np.floor(bounds[0] / step_m - 1) * step_m, np.ceil(bounds[3] / step_m + 1) * step_m
    n_columns = int(np.ceil((bounds[2] - west) / step_m)) + 2
    n_rows = int(np.ceil((north - bounds[1]) / step_m)) + 2
    grid = np.full((n_rows, n_columns), np.nan, np.float32)
    reproject(
        heights,
        grid,
        src_transform=transform,
        src_crs=source_crs.to_wkt(),
        dst_transform=from_origin(west - step_m / 2, north + step_m / 2, step_m, step_m),
        dst_crs=crs.to_wkt(),
        dst_nodata=np.nan,
        resampling=Resampling.bilinear,
    )
    # A rim of at most two samples may look beyond the file; it repeats its nearest neighbour.
    beyond = ~np.isfinite(grid)
    if beyond.any():
        nearest = distance_transform_edt(beyond, return_distances=False, return_indices=True)
        grid = grid[tuple(nearest)]
    return Terrain(np.ascontiguousarray(grid), float(west), float(north), step_m, n_voids)
