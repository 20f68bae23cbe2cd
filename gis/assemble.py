"""From the user's layers to one service area and its candidate sites: the table of contents of this room."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from pyproj import CRS
from shapely.geometry.base import BaseGeometry

from .area import CandidateSites, FeederNetwork, InputSource, ServiceArea
from .audit import LISTED_COLUMNS, QA_COLUMNS, Audited, audit_points, audit_shapes, clip_to, no_rows, refuse_unusable
from .buildings import classify_buildings, meters_from_addresses, meters_from_buildings, meters_from_cells
from .clutter import clutter_at, landuse_clutter
from .crs import middle_lon_lat, working_crs
from .feeders import attach_meters, given_network
from .given import (
    given_meters,
    given_transformers,
    meter_value_faults,
    no_transformers,
    transformer_value_faults,
)
from .inferred import infer_network
from .inputs import LAYER_ROLES, AreaInputs, check_rules
from .keys import text_keys
from .network_audit import audit_network
from .readers import Layer, empty_layer, file_digest, read_layer
from .sites import assumed_cells, candidate_sites, given_cells, given_sites, kinds_text, mapped_substations
from .terrain import Bounds, Terrain, flat_terrain, read_terrain, terrain_extent_m

Array = NDArray[Any]

METER_SOURCES = ("meters", "buildings", "addresses", "population")
ESSENTIAL_ROLES = ("boundary", "meters", "transformers", "cables", "candidate_sites")
POINT_ROLES = ("meters", "addresses", "transformers", "buses", "masts", "poles", "operator_cells", "candidate_sites")


@dataclass
class _Desk:
    """What is on the table while an area is put together."""

    inputs: AreaInputs
    crs: CRS
    layers: dict[str, Layer]
    area: BaseGeometry | None = None
    audited: dict[str, Audited] = field(default_factory=dict)
    listed: list[pd.DataFrame] = field(default_factory=list)
    qa: list[pd.DataFrame] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def frame(self, role: str) -> gpd.GeoDataFrame:
        """The audited rows of a role, none where the layer is not given."""
        return self.audited[role].frame if role in self.audited else empty_layer(self.crs)


def build_area(inputs: AreaInputs, base_path: Path) -> tuple[ServiceArea, CandidateSites]:
    """Read, audit, infer and put together everything the map says.

    Parameters
    ----------
    inputs : the ``[area]`` section.
    base_path : folder that the paths in it are relative to.

    Returns
    -------
    The service area and the candidate sites, in one projected metric CRS. Raises ValueError, in one sentence with
    culprit and fix, where a layer cannot be used or nothing is left.
    """
    check_rules(inputs.rules)
    desk = _read_all(inputs, base_path)
    _audit_all(desk)
    meters, buildings, landuse = _find_meters(desk)
    if len(meters) == 0:
        raise ValueError(f"area {inputs.name}: no usable meter is left; the area is empty")
    boundary = desk.area if desk.area is not None else _hull(meters, inputs.rules.boundary_margin_m)
    _clip_context(desk, boundary)
    transformers, feeders, meters = _find_network(desk, meters)
    meters = meters.assign(
        clutter=clutter_at(meters["x_m"].to_numpy(), meters["y_m"].to_numpy(), landuse, buildings, inputs.rules)
    )
    desk.qa.append(audit_network(feeders, meters["feeder_node"].to_numpy()))
    sites, cells, terrain = _find_sites(desk, meters, transformers, buildings, landuse, base_path)
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
        listed=_joined(desk.listed, LISTED_COLUMNS),
        n_meters_in=len(meters) + n_faulty,
        sources=_sources(desk, base_path),
        notes=tuple(desk.notes),
        attributions=_attributions(inputs),
        qa=_joined([part.assign(severity="note") for part in desk.qa if len(part)], QA_COLUMNS),
    )
    return area, CandidateSites(sites, cells, _site_notes(sites, cells))


def _read_all(inputs: AreaInputs, base_path: Path) -> _Desk:
    given = {role: getattr(inputs, role) for role in LAYER_ROLES if getattr(inputs, role) is not None}
    main = next((role for role in METER_SOURCES if role in given), None)
    if main is None:
        raise ValueError(
            f"area {inputs.name}: nothing says where the meters are; give one of {', '.join(METER_SOURCES)}"
        )
    layers = {role: read_layer(layer, base_path, role) for role, layer in given.items()}
    for role in (main, *(role for role in ESSENTIAL_ROLES if role in given)):
        if len(layers[role].frame) == 0:
            raise ValueError(f"{given[role].path}: layer {role} has no rows; the area is empty")
    longitude, latitude = middle_lon_lat(layers[main].places)
    desk = _Desk(inputs, working_crs(inputs.crs, longitude, latitude), layers)
    desk.notes += [note for layer in layers.values() for note in layer.notes]
    return desk


def _audit_all(desk: _Desk) -> None:
    """Every layer but the tables; meters and transformers must lie in the boundary, context is clipped later."""
    rules, share = desk.inputs.rules, desk.inputs.max_bad_share
    if "boundary" in desk.layers:
        audited = audit_shapes(desk.layers["boundary"], desk.crs)
        refuse_unusable(audited, share)
        desk.audited["boundary"] = audited
        desk.area = _polygon(audited.frame, desk.layers["boundary"].given.path)
    faults = {"meters": meter_value_faults(), "transformers": transformer_value_faults()}
    for role, layer in desk.layers.items():
        if role in ("boundary", "switches"):
            continue
        if role in POINT_ROLES:
            bounded = desk.area if role in ("meters", "transformers") else None
            audited = audit_points(layer, desk.crs, bounded, rules, faults.get(role))
        else:
            audited = audit_shapes(layer, desk.crs)
        refuse_unusable(audited, share)
        desk.audited[role] = audited
        desk.listed.append(audited.listed)


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


def _find_meters(desk: _Desk) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame, gpd.GeoDataFrame]:
    """Meters sorted by key, classified buildings, and land use with its clutter."""
    rules = desk.inputs.rules
    _clip_roles(desk, ("buildings", "addresses", "population"), desk.area)
    landuse = desk.frame("landuse")
    landuse = landuse.assign(clutter=landuse_clutter(landuse))
    addresses = desk.frame("addresses")
    buildings = classify_buildings(desk.frame("buildings"), addresses, landuse, rules)
    if "meters" in desk.audited:
        meters = given_meters(desk.frame("meters"), buildings, rules)
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
    meters = meters.assign(key=text_keys(meters["meter_id"].to_numpy()) if len(meters) else np.zeros(0, np.uint64))
    return meters.sort_values("key", ignore_index=True), buildings, landuse


def _building_note(buildings: gpd.GeoDataFrame, parts: Sequence[gpd.GeoDataFrame]) -> str:
    empty = int((buildings["n_meters"] == 0).sum())
    by_use = buildings.groupby("use")["n_meters"].sum()
    words = ", ".join(f"{count} {use}" for use, count in by_use.items() if use != "none")
    return (
        f"All {len(parts[0]) + len(parts[1])} meters are inferred: {words} from {len(buildings)} buildings, of which "
        f"{empty} hold none (outbuildings, barns), and {len(parts[1])} from addresses without a building."
    )


def _hull(meters: gpd.GeoDataFrame, margin_m: float) -> BaseGeometry:
    points: Any = shapely.multipoints(meters[["x_m", "y_m"]].to_numpy(dtype=float))
    hull: BaseGeometry = shapely.convex_hull(points).buffer(margin_m)
    return hull


def _clip_roles(desk: _Desk, roles: Iterable[str], area: BaseGeometry | None) -> None:
    for role in roles:
        if role in desk.audited and area is not None:
            desk.audited[role] = clip_to(desk.audited[role], area)


def _clip_context(desk: _Desk, boundary: BaseGeometry) -> None:
    _clip_roles(desk, ("roads", "landuse", "places"), boundary)
    around = shapely.buffer(boundary, desk.inputs.rules.site_margin_m)
    _clip_roles(desk, ("power", "masts", "poles", "candidate_sites"), around)


def _find_network(desk: _Desk, meters: gpd.GeoDataFrame) -> tuple[gpd.GeoDataFrame, FeederNetwork, gpd.GeoDataFrame]:
    rules = desk.inputs.rules
    own = "transformers" in desk.audited
    given = given_transformers(desk.frame("transformers")) if own else no_transformers(desk.crs)
    if "cables" in desk.audited:
        if not own:
            raise ValueError("area.cables is given without area.transformers; name the layer of transformers too")
        return _given_network(desk, meters, given)
    if not own and "power" in desk.audited:
        given = mapped_substations(desk.frame("power"), rules)
    return _inferred_network(desk, meters, given, own)


def _given_network(
    desk: _Desk, meters: gpd.GeoDataFrame, transformers: gpd.GeoDataFrame
) -> tuple[gpd.GeoDataFrame, FeederNetwork, gpd.GeoDataFrame]:
    rules = desk.inputs.rules
    switches = desk.layers["switches"].frame if "switches" in desk.layers else None
    network = given_network(desk.audited["cables"], desk.audited.get("buses"), switches, transformers, rules)
    desk.listed += [network.cables_listed, network.buses_listed, network.switches_listed]
    node, transformer, guessed, qa = attach_meters(meters, network, transformers, rules)
    desk.qa += [network.qa, qa]
    refuse_unusable(_with_faults(desk.audited["cables"], network.cables_listed), desk.inputs.max_bad_share)
    if guessed.any():
        desk.notes.append(f"{int(guessed.sum())} of {len(meters)} meters were joined to the nearest cable node.")
    lost = int((transformer < 0).sum())
    if lost:
        desk.notes.append(f"{lost} of {len(meters)} meters hang on no transformer.")
    counts = np.bincount(transformer[transformer >= 0], minlength=len(transformers))
    flag = _added_flag(meters["data_flag"].to_numpy(dtype=object), guessed, "feeder_node")
    meters = meters.assign(feeder_node=node.astype(np.int32), transformer=transformer.astype(np.int32), data_flag=flag)
    return transformers.assign(n_meters=counts), network.feeders, meters


def _inferred_network(
    desk: _Desk, meters: gpd.GeoDataFrame, given: gpd.GeoDataFrame, own: bool
) -> tuple[gpd.GeoDataFrame, FeederNetwork, gpd.GeoDataFrame]:
    rules = desk.inputs.rules
    point, first, count = _service_points(meters)
    stated = _stated_transformer(meters, given if own else given.iloc[:0])
    if "roads" not in desk.audited:
        desk.notes.append("No roads layer: inferred cables run straight between neighbouring customers.")
    x, y = meters["x_m"].to_numpy(dtype=float)[first], meters["y_m"].to_numpy(dtype=float)[first]
    found = infer_network(x, y, count, given, own, stated[first], desk.frame("roads"), rules)
    transformer, node = found.transformer[point], found.feeder_node[point]
    flag = meters["data_flag"].to_numpy(dtype=object)
    flag = _added_flag(flag, (stated < 0) | (stated != transformer), "transformer")
    flag = _added_flag(flag, np.ones(len(meters), dtype=bool), "feeder_node")
    desk.notes += _network_notes(found, len(given), own, len(meters), int((transformer < 0).sum()), rules)
    meters = meters.assign(feeder_node=node.astype(np.int32), transformer=transformer.astype(np.int32), data_flag=flag)
    transformers = found.transformers.assign(key=text_keys(found.transformers["transformer_id"].to_numpy()))
    return _sorted_network(transformers, found.feeders, meters)


def _service_points(meters: gpd.GeoDataFrame) -> tuple[Array, Array, Array]:
    """Meters at one place share a service cable: place of each meter, first meter and count of each place.

    Places whose meters name different transformers are kept apart.
    """
    named = meters["transformer"].to_numpy(dtype=object) if "transformer" in meters else np.full(len(meters), "")
    _, code = np.unique(named.astype(str), return_inverse=True)
    places = np.column_stack([np.rint(meters[["x_m", "y_m"]].to_numpy(dtype=float) * 1000.0), code.reshape(-1)])
    _, first, point, count = np.unique(places, axis=0, return_index=True, return_inverse=True, return_counts=True)
    return point.reshape(-1), first, count


def _stated_transformer(meters: gpd.GeoDataFrame, given: gpd.GeoDataFrame) -> Array:
    if "transformer" not in meters:
        return np.full(len(meters), -1, dtype=np.int64)
    row_of = {name: row for row, name in enumerate(given["transformer_id"].tolist())}
    return np.array([row_of.get(name, -1) for name in meters["transformer"].astype(str)], dtype=np.int64)


def _sorted_network(
    transformers: gpd.GeoDataFrame, feeders: FeederNetwork, meters: gpd.GeoDataFrame
) -> tuple[gpd.GeoDataFrame, FeederNetwork, gpd.GeoDataFrame]:
    """Transformers sorted by key; everything that names their row follows."""
    order = np.argsort(transformers["key"].to_numpy(), kind="stable")
    row_of = np.empty(order.size + 1, dtype=np.int32)
    row_of[order], row_of[-1] = np.arange(order.size), -1
    columns = {name: getattr(feeders, name) for name in feeders.__dataclass_fields__}
    columns["node_area"] = row_of[feeders.node_area]
    columns["transformer_node"] = feeders.transformer_node[order]
    meters = meters.assign(transformer=row_of[meters["transformer"].to_numpy()])
    return transformers.iloc[order].reset_index(drop=True), FeederNetwork(**columns), meters


def _network_notes(found: Any, n_given: int, own: bool, n_meters: int, n_lost: int, rules: Any) -> list[str]:
    n_all, limit_m = len(found.transformers), rules.max_feeder_length_m
    share = (n_all - n_given) / max(n_all, 1)
    kind = "given" if own else "mapped substations"
    notes = [
        f"{n_all - n_given} of {n_all} transformers ({share:.0%}) are inferred, {n_given} are {kind}; "
        f"each inferred one feeds at most {rules.max_meters_per_transformer} meters over at most {limit_m:g} m.",
        f"All {found.feeders.edge_from.size} cable sections (100%) are inferred along the roads, "
        f"{float(found.feeders.edge_length_m.sum()) / 1000.0:.1f} km in all.",
    ]
    if n_lost:
        notes.append(
            f"{n_lost} of {n_meters} meters have no transformer: {found.n_off_road} places lie more than "
            f"{rules.max_service_length_m:g} m from a road, {found.n_beyond} out of every transformer's reach."
        )
    return notes


def _find_sites(
    desk: _Desk,
    meters: gpd.GeoDataFrame,
    transformers: gpd.GeoDataFrame,
    buildings: gpd.GeoDataFrame,
    landuse: gpd.GeoDataFrame,
    base_path: Path,
) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame, Terrain]:
    rules, given = desk.inputs.rules, desk.inputs.terrain
    if "candidate_sites" in desk.audited:
        sites = given_sites(desk.frame("candidate_sites"), rules)
    else:
        frames = [desk.frame(role) for role in ("power", "poles", "masts")]
        sites = candidate_sites(frames[0], frames[1], frames[2], transformers, buildings, rules)
    cover = terrain_extent_m(given, desk.crs, base_path) if given is not None else None
    bounds = _bounds([meters, sites, transformers])
    cells = _find_cells(desk, bounds, cover)
    terrain = flat_terrain()
    if given is None:
        desk.notes.append("No terrain: the ground is taken as flat.")
    else:
        terrain, notes = read_terrain(given, desk.crs, _bounds([meters, sites, transformers, cells]), base_path)
        desk.notes += notes
    return _with_clutter(sites, landuse, buildings, rules), _with_clutter(cells, landuse, buildings, rules), terrain


def _find_cells(desk: _Desk, bounds: Bounds, cover: Bounds | None) -> gpd.GeoDataFrame:
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


def _stacked(parts: Sequence[gpd.GeoDataFrame], crs: CRS) -> gpd.GeoDataFrame:
    if not parts:
        return gpd.GeoDataFrame({"meter_id": []}, geometry=gpd.GeoSeries([], crs=crs))
    return gpd.GeoDataFrame(pd.concat(parts, ignore_index=True), crs=crs)


def _with_faults(audited: Audited, faults: pd.DataFrame) -> Audited:
    return Audited(audited.layer, audited.frame, _joined([audited.listed, faults], LISTED_COLUMNS), audited.n_clipped)


def _added_flag(flag: Array, where: Array, word: str) -> Array:
    joined = np.array([f"{old}+{word}" if old else word for old in flag], dtype=object)
    return np.where(where, joined, flag)


def _joined(parts: Sequence[pd.DataFrame], columns: tuple[str, ...]) -> pd.DataFrame:
    """Lists of faults in one, in an order that rests on what the rows say and not on how they were numbered."""
    full = [part[list(columns)] for part in parts if len(part)]
    if not full:
        return no_rows(columns)
    frame = pd.concat(full, ignore_index=True)
    return frame.sort_values(["layer", "code", "id", "x_m", "y_m", "row"], ignore_index=True, kind="stable")


def _sources(desk: _Desk, base_path: Path) -> tuple[InputSource, ...]:
    listed = _joined(desk.listed, LISTED_COLUMNS)
    sources = []
    for role, layer in desk.layers.items():
        n_in = len(layer.frame)
        n_listed = int((listed["layer"] == role).sum())
        n_clipped = desk.audited[role].n_clipped if role in desk.audited else 0
        crs = layer.crs
        name = crs.to_string() if crs is not None else ""
        sources.append(
            InputSource(
                role,
                layer.given.path,
                layer.layer,
                layer.digest,
                name,
                n_in,
                n_in - n_listed - n_clipped,
                n_listed,
                n_clipped,
                layer.given.licence,
            )
        )
    given = desk.inputs.terrain
    if given is not None:
        digest = file_digest(base_path / given.path)
        sources.append(InputSource("terrain", given.path, "", digest, given.crs or "", 1, 1, 0, 0, given.licence))
    return tuple(sources)


def _attributions(inputs: AreaInputs) -> tuple[str, ...]:
    layers = [getattr(inputs, role) for role in LAYER_ROLES] + [inputs.terrain]
    lines = [layer.attribution for layer in layers if layer is not None and layer.attribution]
    return tuple(dict.fromkeys(lines))


def _site_notes(sites: gpd.GeoDataFrame, cells: gpd.GeoDataFrame) -> tuple[str, ...]:
    n_inferred = int((sites["data_flag"] == "inferred").sum())
    n_assumed = int((cells["data_flag"] == "assumed").sum())
    notes = [f"{len(sites)} candidate sites ({kinds_text(sites['kind'].tolist())}); {n_inferred} heights are inferred."]
    if n_assumed:
        notes.append(f"{n_assumed} of {len(cells)} operator cells are assumed, not known.")
    return tuple(notes)
