"""Candidate sites, operator cells and the ground under them, from the layers on the desk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely

from .audit import clip_to
from .clutter import clutter_at
from .desk import Desk
from .sites import assumed_cells, candidate_sites, given_cells, given_sites, kinds_text
from .terrain import Bounds, Terrain, flat_terrain, read_terrain, terrain_extent_m


def find_sites(
    desk: Desk,
    meters: gpd.GeoDataFrame,
    transformers: gpd.GeoDataFrame,
    buildings: gpd.GeoDataFrame,
    landuse: gpd.GeoDataFrame,
    base_path: Path,
) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame, Terrain]:
    """Candidate sites and operator cells, both with clutter, and ground that covers them and the meters."""
    rules, given = desk.inputs.rules, desk.inputs.terrain
    if "candidate_sites" in desk.audited:
        sites = given_sites(desk.frame("candidate_sites"), rules)
    else:
        frames = [desk.frame(role) for role in ("power", "poles", "masts")]
        sites = candidate_sites(frames[0], frames[1], frames[2], transformers, buildings, rules)
    cover = terrain_extent_m(given, desk.crs, base_path) if given is not None else None
    box = _bounds([meters, sites, transformers])
    cells = _find_cells(desk, box, cover)
    terrain = flat_terrain()
    if given is None:
        desk.notes.append("No terrain: the ground is taken as flat.")
    else:
        terrain, notes = read_terrain(given, desk.crs, _bounds([meters, sites, transformers, cells]), base_path)
        desk.notes += notes
    return _with_clutter(sites, landuse, buildings, rules), _with_clutter(cells, landuse, buildings, rules), terrain


def _find_cells(desk: Desk, bounds: Bounds, cover: Bounds | None) -> gpd.GeoDataFrame:
    rules = desk.inputs.rules
    if "operator_cells" not in desk.audited:
        cells = assumed_cells(bounds, cover, desk.crs, rules)
        desk.notes.append(
            f"No operator cells given: {len(cells)} are assumed, {rules.assumed_cell_spacing_m:g} m apart in hexagons."
        )
        return cells
    audited = desk.audited["operator_cells"]
    if cover is not None:
        box = shapely.box(*cover)
        clipped = clip_to(audited, box)
        lost = clipped.n_clipped - audited.n_clipped
        if lost:
            desk.notes.append(f"{lost} operator cells lie off the elevation file and were left out.")
        desk.audited["operator_cells"] = audited = clipped
    return given_cells(audited.frame, rules)


def _with_clutter(
    sites: gpd.GeoDataFrame, landuse: gpd.GeoDataFrame, buildings: gpd.GeoDataFrame, rules: Any
) -> gpd.GeoDataFrame:
    return sites.assign(clutter=clutter_at(sites["x_m"].to_numpy(), sites["y_m"].to_numpy(), landuse, buildings, rules))


def _bounds(frames: Sequence[gpd.GeoDataFrame]) -> Bounds:
    x = np.concatenate([frame["x_m"].to_numpy(dtype=float) for frame in frames])
    y = np.concatenate([frame["y_m"].to_numpy(dtype=float) for frame in frames])
    return float(x.min()), float(y.min()), float(x.max()), float(y.max())


def site_notes(sites: gpd.GeoDataFrame, cells: gpd.GeoDataFrame) -> tuple[str, ...]:
    """Sentences for the report on what stands where, and how much of it is not known."""
    n_inferred = int((sites["data_flag"] == "inferred").sum())
    n_assumed = int((cells["data_flag"] == "assumed").sum())
    notes = [f"{len(sites)} candidate sites ({kinds_text(sites['kind'].tolist())}); {n_inferred} heights are inferred."]
    if n_assumed:
        notes.append(f"{n_assumed} of {len(cells)} operator cells are assumed, not known.")
    return tuple(notes)
