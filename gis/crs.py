"""One projected metric CRS for all work."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
from pyproj import CRS, Proj
from pyproj.exceptions import CRSError, ProjError

GEOGRAPHIC_WGS84 = CRS.from_epsg(4326)

MAX_LENGTH_ERROR = 0.02
"""A working CRS whose lengths are wrong by more than this share at the meters is refused; a quarter of it is told."""


def parse_crs(text: Any, where: str) -> CRS:
    """A CRS from the user's words; ValueError naming ``where`` if it is none."""
    try:
        return CRS.from_user_input(text)
    except CRSError:
        raise ValueError(f'{where}: "{text}" is not a known CRS; write a code such as "EPSG:25832"') from None


def metres_per_unit(crs: CRS) -> float:
    """Length of the CRS's first axis unit [m]; degrees give their factor in radians."""
    return float(crs.axis_info[0].unit_conversion_factor)


def is_metric(crs: CRS) -> bool:
    """True for a projected CRS in metres."""
    return bool(crs.is_projected) and abs(metres_per_unit(crs) - 1.0) < 1e-12


def length_error(crs: CRS, longitude_deg: float, latitude_deg: float) -> float:
    """By how much lengths in a projected CRS are too long at a place (negative: too short), 0 where it is not known.

    The worse of the scales along meridian and parallel, less one (J. P. Snyder, USGS Professional Paper 1395, 1987,
    chapter 4): 0.9996 amid a UTM zone, 1 / cos(latitude) in the Mercator projection of web maps.
    """
    try:
        factors = Proj(crs).get_factors(longitude_deg, latitude_deg)
    except (CRSError, ProjError):
        return 0.0
    errors = [float(factors.meridional_scale) - 1.0, float(factors.parallel_scale) - 1.0]
    return max((error for error in errors if np.isfinite(error)), key=abs, default=0.0)


def working_crs(override: str | None, longitude_deg: float, latitude_deg: float) -> CRS:
    """The CRS that all work is done in: the user's, else the UTM zone (WGS 84) of the middle of the meters.

    Raises ValueError for an override that is geographic, not in metres, or stretches lengths there, and beyond 84
    degrees of latitude.
    """
    if override is not None:
        crs = parse_crs(override, "area.crs")
        if crs.is_geographic:
            raise ValueError(f"area.crs = {override}: degrees where metres are needed; name a projected CRS in metres")
        if not is_metric(crs):
            raise ValueError(f"area.crs = {override}: its unit is not the metre; name a projected CRS in metres")
        error = length_error(crs, longitude_deg, latitude_deg)
        if abs(error) > MAX_LENGTH_ERROR:
            fit = working_crs(None, longitude_deg, latitude_deg).to_string()
            raise ValueError(
                f"area.crs = {override}: around {longitude_deg:.2f}, {latitude_deg:.2f} its lengths are "
                f'{abs(error):.0%} too {"long" if error > 0 else "short"}; write area.crs = "{fit}"'
            )
        return crs
    if not (abs(latitude_deg) <= 84.0 and abs(longitude_deg) <= 180.0):
        raise ValueError(
            f"meters lie around {longitude_deg:.3f}, {latitude_deg:.3f}: no UTM zone there; write area.crs"
        )
    zone = int((longitude_deg + 180.0) // 6.0) % 60 + 1
    return CRS.from_epsg((32600 if latitude_deg >= 0.0 else 32700) + zone)


def middle_lon_lat(frame: gpd.GeoDataFrame) -> tuple[float, float]:
    """Median longitude and latitude [degrees] of a layer with a CRS; stray rows do not move it."""
    bounds = frame.geometry.bounds.to_numpy(dtype=float)
    x, y = (bounds[:, 0] + bounds[:, 2]) / 2, (bounds[:, 1] + bounds[:, 3]) / 2
    usable = np.isfinite(x) & np.isfinite(y) & ~((x == 0) & (y == 0))
    if not usable.any():
        raise ValueError("no row of the meter source has a place; the area is empty")
    point = gpd.GeoSeries.from_xy([np.median(x[usable])], [np.median(y[usable])], crs=frame.crs).to_crs(
        GEOGRAPHIC_WGS84
    )
    return float(point.x.iloc[0]), float(point.y.iloc[0])
