"""From the user's layers to one service area and its candidate sites: the table of contents of this room."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from .area import CandidateSites, ServiceArea
from .audit import (
    LISTED_COLUMNS,
    QA_COLUMNS,
    audit_points,
    audit_shapes,
    recoded,
    refuse_unusable,
)
from .cable_faults import Resolver
from .clutter import clutter_at
from .columns import texts
from .crs import MAX_LENGTH_ERROR, length_error, middle_lon_lat, working_crs
from .customers import find_meters, flagged_phases, hull
from .desk import Desk, attributions, clip_roles, joined, sources
from .given import meter_value_faults, transformer_value_faults
from .inputs import LAYER_ROLES, AreaInputs, check_inputs
from .network import find_network
from .network_audit import audit_network
from .placing import place_by_network
from .readers import read_layer
from .shape_kinds import check_kind, polygon_note
from .site_layers import find_sites, site_notes
from .sites import cell_value_faults, site_value_faults

METER_SOURCES = ("meters", "buildings", "addresses", "population")
ESSENTIAL_ROLES = ("boundary", "meters", "transformers", "cables", "candidate_sites")
POINT_ROLES = ("meters", "addresses", "transformers", "buses", "masts", "poles", "operator_cells", "candidate_sites")


def build_area(
    inputs: AreaInputs, base_path: Path, known_cable: Resolver | None = None
) -> tuple[ServiceArea, CandidateSites]:
    """Read, audit, infer and put together everything the map says.

    Parameters
    ----------
    inputs : the ``[area]`` section.
    base_path : folder that the paths in it are relative to.
    known_cable : raises ValueError for a cable type that is not known; None where no power line is planned.

    Returns
    -------
    The service area and the candidate sites, in one projected metric CRS. Raises ValueError, in one sentence with
    culprit and fix, where a layer cannot be used or nothing is left.
    """
    check_inputs(inputs)
    desk = _read_all(inputs, base_path)
    _audit_all(desk)
    _check_cable_types(desk)
    meters, buildings, landuse = find_meters(desk)
    if len(meters) == 0:
        raise ValueError(f"area {inputs.name}: no usable meter is left; the area is empty")
    if known_cable is not None:
        meters = flagged_phases(desk, meters)
    boundary = desk.area if desk.area is not None else hull(meters, inputs.rules.boundary_margin_m)
    _clip_context(desk, boundary)
    transformers, feeders, meters = find_network(desk, meters, buildings, known_cable)
    meters = meters.assign(
        clutter=clutter_at(meters["x_m"].to_numpy(), meters["y_m"].to_numpy(), landuse, buildings, inputs.rules)
    )
    desk.qa.append(
        audit_network(feeders, meters["feeder_node"].to_numpy(), transformers["transformer_id"].to_numpy(dtype=object))
    )
    sites, cells, terrain = find_sites(desk, meters, transformers, buildings, landuse, base_path)
    n_faulty = sum(len(part[part["layer"] == "meters"]) for part in desk.listed)
    area = ServiceArea(
        name=inputs.name,
        crs=desk.crs.to_string(),
        boundary=boundary,
        meters=meters,
        transformers=transformers,
        feeders=feeders,
        buildings=buildings,
        roads=desk.frame("roads"),
        landuse=landuse,
        terrain=terrain,
        listed=joined(desk.listed, LISTED_COLUMNS),
        n_meters_in=len(meters) + n_faulty,
        sources=sources(desk, base_path),
        notes=tuple(desk.notes),
        attributions=attributions(inputs),
        qa=joined([part.assign(severity="note") for part in desk.qa if len(part)], QA_COLUMNS),
    )
    return area, CandidateSites(sites, cells, site_notes(sites, cells))


def _read_all(inputs: AreaInputs, base_path: Path) -> Desk:
    given = {role: getattr(inputs, role) for role in LAYER_ROLES if getattr(inputs, role) is not None}
    main = next((role for role in METER_SOURCES if role in given), None)
    if main is None:
        raise ValueError(
            f"area {inputs.name}: nothing says where the meters are; give one of {', '.join(METER_SOURCES)}"
        )
    placed = place_by_network({role: read_layer(layer, base_path, role) for role, layer in given.items()})
    layers = placed.layers
    for role in (main, *(role for role in ESSENTIAL_ROLES if role in given)):
        if len(layers[role].frame) == 0:
            raise ValueError(f"{given[role].path}: layer {role} has no rows; the area is empty")
    longitude, latitude = middle_lon_lat(layers[main].places)
    crs = working_crs(inputs.crs, longitude, latitude)
    desk = Desk(inputs, crs, layers, unknown_bus=placed.unknown_bus)
    desk.notes += [*(note for layer in layers.values() for note in layer.notes), *placed.notes]
    error = length_error(crs, longitude, latitude)
    if abs(error) > MAX_LENGTH_ERROR / 4:
        desk.notes.append(f"Lengths in the working CRS {crs.to_string()} are off by {error:+.1%} here.")
    return desk


def _audit_all(desk: Desk) -> None:
    """Every layer but the tables; meters and transformers must lie in the boundary, context is clipped later."""
    rules, share = desk.inputs.rules, desk.inputs.max_bad_share
    if "boundary" in desk.layers:
        audited = audit_shapes(desk.layers["boundary"], desk.crs)
        refuse_unusable(audited, share)
        desk.audited["boundary"] = audited
        desk.listed.append(audited.listed)
        desk.area = _polygon(audited.frame, desk.layers["boundary"].given.path)
    faults = {
        "meters": meter_value_faults(),
        "transformers": transformer_value_faults(),
        "candidate_sites": site_value_faults(),
        **dict.fromkeys(("operator_cells", "masts", "poles"), cell_value_faults()),
    }
    for role, layer in desk.layers.items():
        if role in ("boundary", "switches"):
            continue
        check_kind(layer)
        if role in POINT_ROLES:
            bounded = desk.area if role in ("meters", "transformers") else None
            audited = audit_points(layer, desk.crs, bounded, rules, faults.get(role))
        else:
            audited = audit_shapes(layer, desk.crs)
        audited = recoded(audited, desk.unknown_bus.get(role, ()), "unknown_bus")
        refuse_unusable(audited, share)
        desk.audited[role] = audited
        desk.listed.append(audited.listed)
        desk.notes += polygon_note(audited.layer)


def _check_cable_types(desk: Desk) -> None:
    """A mapped cable type that no cable has is said: it is a slip, or belongs to another area."""
    types = desk.inputs.cable_types
    unused = sorted(set(types) - set(texts(desk.frame("cables"), "cable").tolist()))
    if unused:
        names = ", ".join(f'"{name}"' for name in unused)
        desk.notes.append(f"area.cable_types maps {names}, which no row of area.cables has.")


def _polygon(frame: gpd.GeoDataFrame, path: str) -> BaseGeometry:
    """The union of the boundary's polygons; closed lines count as polygons."""
    shapes = np.asarray(frame.geometry.array, dtype=object)
    polygons = shapes[shapely.get_dimensions(shapes) == 2]
    if polygons.size == 0:
        polygons = np.asarray(shapely.get_parts(shapely.polygonize(shapes)), dtype=object)
    if polygons.size == 0:
        raise ValueError(f"{path}: the boundary holds no polygon and no closed line; draw the area as a polygon")
    union: BaseGeometry = shapely.union_all(polygons)
    return union


def _clip_context(desk: Desk, boundary: BaseGeometry) -> None:
    clip_roles(desk, ("roads", "landuse", "places"), boundary)
    around = shapely.buffer(boundary, desk.inputs.rules.site_margin_m)
    clip_roles(desk, ("power", "masts", "poles", "candidate_sites"), around)
    _say_lost_sites(desk)


def _say_lost_sites(desk: Desk) -> None:
    """Candidate sites left out by place are counted in the notes; none left is a fault of the layer."""
    if "candidate_sites" not in desk.audited:
        return
    audited, margin_m = desk.audited["candidate_sites"], desk.inputs.rules.site_margin_m
    n_in, n_off = len(audited.layer.frame), audited.n_clipped
    where = f"lie more than {margin_m:g} m outside the area (area.rules.site_margin_m)"
    if len(audited.frame) == 0:
        others = f", the other {n_in - n_off} are faulty" if n_off < n_in else ""
        raise ValueError(
            f"{audited.layer.given.path}: no row of layer candidate_sites is left: {n_off} of {n_in} {where}{others}; "
            "check area.candidate_sites.crs, or raise the margin"
        )
    if n_off:
        desk.notes.append(f"{n_off} of {n_in} candidate sites {where} and are left out.")
