"""From the map to the links that a technology may use: geometry only, nothing drawn yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ..channels.cable import Cable
from ..channels.draws import Draws, MedianDraws
from ..channels.paths import CUSTOMER_CLASSES, CablePaths, Enclosure, RadioPaths
from ..channels.powerline.cables import cable_named
from ..channels.powerline.pairs import area_pairs
from ..channels.scenario import Scenario
from ..channels.technology import Medium, Paths, Siting, Technology
from ..gis.area import CandidateSites, ServiceArea
from ..gis.terrain import Terrain, profiles_m
from .positions import PositionMix, antenna_height_m
from .tables import Links

Array = NDArray[Any]

MAX_PROFILE_SAMPLES = 33
"""Terrain samples per link; at 30 m to 90 m cells this resolves links of 1 to 3 km cell by cell."""


CULL_DB = 20.0
"""Margin that a link may miss with median draws and no walls before it is left out [dB]: 2.5 times the 8 dB spread of
shadowing."""


MAX_NEIGHBOUR_PAIRS = 1_500_000
"""Pairs of meters of a mesh that are looked at; in denser towns the neighbour radius shrinks until they are fewer."""


def bounded_radius_m(places_m: Array, radius_m: float) -> float:
    """The neighbour radius that keeps a mesh within ``MAX_NEIGHBOUR_PAIRS`` [m].

    Where many meters are near, far neighbours are not needed: the radius shrinks by steps of a tenth until the pairs
    fit. It does not depend on the order of the rows.

    Parameters
    ----------
    places_m : (n_meters, 2)
    """
    if radius_m <= 0 or len(places_m) < 2:
        return radius_m
    tree = cKDTree(places_m)
    steps = radius_m * np.array([0.9**number for number in range(60)])[::-1]
    pairs = (tree.count_neighbors(tree, steps) - len(places_m)) // 2
    fits = np.flatnonzero(pairs <= MAX_NEIGHBOUR_PAIRS)
    return float(steps[fits[-1]] if fits.size else steps[0])


def links_of(
    technology: Technology,
    area: ServiceArea,
    candidates: CandidateSites,
    *,
    built: Array | None = None,
    most_sites: int | None = None,
    cables: Sequence[Cable] = (),
) -> Links:
    """Every link that the technology may use in this area.

    Power line: all pairs within one transformer area. Radio: each meter with each possible site within
    ``search_radius_m``, and for a mesh each pair of meters within ``neighbour_radius_m``.

    Parameters
    ----------
    built : (n_sites,) bool
        Leaves out links to sites that are not built.
    most_sites
        Leaves out links of a meter beyond so many nearest sites; enough for choosing sites, not for interference.
    cables
        The user's own cable types. Raises ValueError for a cable type that neither they nor the built-in ones know.
    """
    if Medium.POWERLINE in technology.media:
        return Links(_cable_paths(technology, area, cables), area.transformers.assign(kind="transformer", owner="own"))
    sites = candidates.cells if technology.siting is Siting.OPERATOR_CELL else candidates.sites
    stands = np.ones(len(sites), bool) if built is None else built
    asked = float(getattr(technology, "neighbour_radius_m", 0.0))
    radius_m = bounded_radius_m(_xy(area.meters), asked)
    note = f"meters further apart than {radius_m:.0f} m were not tried as neighbours" if radius_m < asked else ""
    return Links(_radio_paths(technology, area, sites, stands, most_sites, radius_m), sites, note)


def worth_drawing(links: Links, technology: Technology, scenario: Scenario) -> Links:
    """The links that luck could make work: those that miss at most ``CULL_DB`` with median draws and no walls.

    A link left out would need shadowing better than its median by ``CULL_DB`` and both ends outdoors.
    """
    paths = links.paths
    if isinstance(paths, CablePaths) or paths.n_links == 0:
        return links
    bare = replace(paths, node_enclosure=np.full(paths.node_enclosure.size, Enclosure.NONE, np.int8))
    quality = technology.assess(bare, scenario, MedianDraws())
    hopeful = np.maximum(quality.margin_up_db, quality.margin_down_db) >= -CULL_DB
    return replace(links, paths=paths.select(hopeful))


def drawn(paths: Paths, mix: PositionMix, draws: Draws) -> Paths:
    """The same links with the meter places of one replication."""
    if isinstance(paths, CablePaths):
        return paths
    n = paths.n_meters
    enclosure = paths.node_enclosure.copy()
    enclosure[:n] = mix.draw(paths.node_key[:n], draws)
    height = paths.node_height_m.copy()
    height[:n] = antenna_height_m(height[:n], enclosure[:n])
    return replace(paths, node_enclosure=enclosure, node_height_m=height)


def _cable_paths(technology: Technology, area: ServiceArea, cables: Sequence[Cable]) -> CablePaths:
    feeders, meters, transformers = area.feeders, area.meters, area.transformers
    meter_node = meters["feeder_node"].to_numpy(np.int32)
    site_node = feeders.transformer_node.astype(np.int32)
    start, end, distance = area_pairs(
        feeders.edge_from,
        feeders.edge_to,
        feeders.edge_length_m,
        feeders.node_area,
        meter_node,
        site_node,
        float(getattr(technology, "max_link_length_m", 2000.0)),
    )
    return CablePaths(
        feeders.edge_from,
        feeders.edge_to,
        feeders.edge_length_m,
        feeders.edge_cable,
        tuple(cable_named(name, cables) for name in feeders.cables),
        feeders.node_area,
        meter_node,
        site_node,
        transformers["rated_kva"].to_numpy(float),
        meters["phases"].to_numpy(np.int8),
        start,
        end,
        distance,
        _node_keys(meters, transformers),
        len(meters),
        len(transformers),
        np.array([CUSTOMER_CLASSES.index(kind) for kind in meters["kind"]], np.int8),
        meters["phase"].to_numpy(np.int8),
    )


def _radio_paths(
    technology: Technology,
    area: ServiceArea,
    sites: gpd.GeoDataFrame,
    stands: Array,
    most_sites: int | None,
    neighbour_radius_m: float,
) -> RadioPaths:
    meters = area.meters
    n_meters, n_sites = len(meters), len(sites)
    places = np.concatenate([_xy(meters), _xy(sites)])
    start, end = _meter_site_pairs(places, n_meters, stands, _radius_m(technology), most_sites)
    if neighbour_radius_m > 0 and n_meters > 1:
        near = cKDTree(places[:n_meters]).query_pairs(neighbour_radius_m, output_type="ndarray").astype(np.int32)
        near = near[np.lexsort((near[:, 1], near[:, 0]))]
        start, end = np.concatenate([start, near[:, 0]]), np.concatenate([end, near[:, 1]])
    distance = np.maximum(np.hypot(*(places[start] - places[end]).T), 1.0)
    return RadioPaths(
        start,
        end,
        distance,
        _terrain_profiles(area.terrain, places[start], places[end], distance),
        np.concatenate([meters["height_m"], sites["height_m"]]).astype(float),
        np.concatenate([meters["clutter"], sites["clutter"]]).astype(np.int8),
        np.full(n_meters + n_sites, Enclosure.NONE, np.int8),
        _node_keys(meters, sites),
        n_meters,
        n_sites,
    )


def _radius_m(technology: Technology) -> float:
    """How far sites are looked for; every radio technology has the field."""
    radius: float = technology.search_radius_m  # type: ignore[attr-defined]
    return float(radius)


def _meter_site_pairs(
    places: Array, n_meters: int, stands: Array, radius_m: float, most_sites: int | None
) -> tuple[Array, Array]:
    """Meters with standing sites within the radius; with ``most_sites``, only the nearest of them."""
    standing = np.flatnonzero(stands)
    if n_meters == 0 or standing.size == 0:
        return np.zeros(0, np.int32), np.zeros(0, np.int32)
    tree = cKDTree(places[n_meters + standing])
    n_nearest = standing.size if most_sites is None else min(most_sites, standing.size)
    distance_m, site = tree.query(places[:n_meters], k=np.arange(1, n_nearest + 1), distance_upper_bound=radius_m)
    meter, rank = np.nonzero(np.isfinite(distance_m))
    site_node = n_meters + standing[np.asarray(site)[meter, rank]]
    order = np.lexsort((site_node, meter))
    return meter[order].astype(np.int32), site_node[order].astype(np.int32)


def _terrain_profiles(terrain: Terrain, start: Array, end: Array, distance_m: Array) -> Array:
    if terrain.elevation_m.size == 0 or distance_m.size == 0:
        return np.zeros((distance_m.size, 2), np.float32)
    longest = int(np.ceil(float(distance_m.max()) / max(terrain.step_m, 1.0))) + 1
    n_samples = int(np.clip(longest, 3, MAX_PROFILE_SAMPLES))
    return profiles_m(terrain, start[:, 0], start[:, 1], end[:, 0], end[:, 1], n_samples)


def _xy(frame: gpd.GeoDataFrame) -> Array:
    return frame[["x_m", "y_m"]].to_numpy(float).reshape(-1, 2)


def _node_keys(meters: gpd.GeoDataFrame, sites: gpd.GeoDataFrame) -> Array:
    return np.concatenate([meters["key"].to_numpy(np.uint64), sites["key"].to_numpy(np.uint64)])
