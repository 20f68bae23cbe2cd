"""The meters of the area from whichever layer says where they are, with buildings and land use classified."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from pyproj import CRS
from shapely.geometry.base import BaseGeometry

from .buildings import classify_buildings, meters_from_addresses, meters_from_buildings, meters_from_cells
from .clutter import landuse_clutter
from .columns import texts
from .desk import Desk, added_flag, clip_roles
from .given import given_meters
from .kinds import kind_notes


def find_meters(desk: Desk) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame, gpd.GeoDataFrame]:
    """Meters sorted by key, classified buildings, and land use with its clutter."""
    rules = desk.inputs.rules
    clip_roles(desk, ("buildings", "addresses", "population"), desk.area)
    landuse = desk.frame("landuse")
    landuse = landuse.assign(clutter=landuse_clutter(landuse))
    addresses = desk.frame("addresses")
    buildings = classify_buildings(desk.frame("buildings"), addresses, landuse, rules)
    if "meters" in desk.audited:
        meters = given_meters(desk.frame("meters"), buildings, rules)
        desk.notes += kind_notes(texts(desk.frame("meters"), "kind"))
    elif "buildings" in desk.audited or "addresses" in desk.audited:
        parts = [meters_from_buildings(buildings, rules), meters_from_addresses(addresses, buildings, rules)]
        meters = _stacked([part for part in parts if len(part)], desk.crs)
        desk.notes.append(_building_note(buildings, parts))
    else:
        meters = meters_from_cells(desk.frame("population"), rules, desk.inputs.seed)
        desk.notes.append(f"{len(meters)} meters were spread within {len(desk.frame('population'))} population cells.")
    for role in ("buildings", "landuse"):
        if role not in desk.audited:
            desk.notes.append(f"No {role} layer: ground is taken as open where nothing else is known.")
    return meters.sort_values("key", ignore_index=True), buildings, landuse


def flagged_phases(desk: Desk, meters: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """The meters with the flag ``phase`` where the map tells none and power lines draw it; how many is a note."""
    drawn = meters["phase"].to_numpy() < 0
    if not drawn.any():
        return meters
    desk.notes.append(
        f"{int(drawn.sum())} of {len(meters)} meters tell no phase (column phase): power lines draw it anew in each "
        "replication, and much of what they reach depends on it."
    )
    flag = added_flag(meters["data_flag"].to_numpy(dtype=object), drawn, "phase")
    return gpd.GeoDataFrame(meters.assign(data_flag=flag))


def _building_note(buildings: gpd.GeoDataFrame, parts: Sequence[gpd.GeoDataFrame]) -> str:
    empty = int((buildings["n_meters"] == 0).sum())
    n_guessed = int((buildings["data_flag"] != "").sum())
    by_use = buildings.groupby("use")["n_meters"].sum()
    words = ", ".join(f"{count} {use}" for use, count in by_use.items() if use != "none")
    return (
        f"All {len(parts[0]) + len(parts[1])} meters are inferred: {words} from {len(buildings)} buildings, of which "
        f"{empty} hold none (outbuildings, barns), and {len(parts[1])} from addresses without a building. "
        f"Heights or levels of {n_guessed} buildings are inferred."
    )


def hull(meters: gpd.GeoDataFrame, margin_m: float) -> BaseGeometry:
    """The convex hull of the meters and a margin [m] around it: the area where no boundary is given."""
    points: Any = shapely.multipoints(meters[["x_m", "y_m"]].to_numpy(dtype=float))
    around: BaseGeometry = shapely.convex_hull(points).buffer(margin_m)
    return around


def _stacked(parts: Sequence[gpd.GeoDataFrame], crs: CRS) -> gpd.GeoDataFrame:
    if not parts:
        return gpd.GeoDataFrame({"meter_id": [], "key": np.zeros(0, np.uint64)}, geometry=gpd.GeoSeries([], crs=crs))
    return gpd.GeoDataFrame(pd.concat(parts, ignore_index=True), crs=crs)
