"""The service area on one metric map: what every reader, rule and inference of this room ends in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import geopandas as gpd
import pandas as pd
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from .audit import LISTED_COLUMNS, QA_COLUMNS, no_rows
from .terrain import Terrain

Array = NDArray[Any]

__all__ = ["LISTED_COLUMNS", "QA_COLUMNS", "CandidateSites", "FeederNetwork", "InputSource", "ServiceArea"]


@dataclass(frozen=True)
class FeederNetwork:
    """The low-voltage network after switches: open lines are cut, a line open at one end stays as a stub.

    node_x_m, node_y_m : (n_nodes,) float64
    node_area : (n_nodes,) int32
        Row of the transformer that feeds the node; -1 for a dead island.
    edge_from, edge_to : (n_edges,) int32 node rows;  edge_length_m : (n_edges,) float64 [m]
    edge_cable : (n_edges,) int16 row in ``cables``
    edge_inferred : (n_edges,) bool
    edge_geometry : (n_edges,) object, shapely LineStrings in the working CRS, for maps
    cables : cable type names
    transformer_node : (n_transformers,) int32
    """

    node_x_m: Array
    node_y_m: Array
    node_area: Array
    edge_from: Array
    edge_to: Array
    edge_length_m: Array
    edge_cable: Array
    edge_inferred: Array
    edge_geometry: Array
    cables: tuple[str, ...]
    transformer_node: Array

    def __post_init__(self) -> None:
        nodes = {self.node_x_m.size, self.node_y_m.size, self.node_area.size}
        edges = (
            self.edge_from,
            self.edge_to,
            self.edge_length_m,
            self.edge_cable,
            self.edge_inferred,
            self.edge_geometry,
        )
        if len(nodes) > 1 or len({column.size for column in edges}) > 1:
            raise ValueError("the columns of a feeder network differ in length; give one value per node and per edge")
        for column in (*edges, self.node_x_m, self.node_y_m, self.node_area, self.transformer_node):
            column.setflags(write=False)


@dataclass(frozen=True)
class InputSource:
    """One input layer as it was read: where from, how many rows, what became of them.

    ``rows_in == rows_used + rows_listed + rows_clipped`` always.
    """

    role: str
    path: str
    layer: str
    digest: str
    crs: str
    rows_in: int
    rows_used: int
    rows_listed: int
    rows_clipped: int
    licence: str


@dataclass(frozen=True)
class ServiceArea:
    """Everything the map says, in one projected metric CRS; row numbers are the engine's ids.

    meters : GeoDataFrame of points, one row per usable meter, sorted by ``key``:
        ``meter_id`` str, ``key`` uint64, ``x_m``, ``y_m`` float, ``kind`` str (house, flat, farm, commercial, ...),
        ``building`` int32 (row of ``buildings`` or -1), ``transformer`` int32 (row or -1),
        ``feeder_node`` int32 (row or -1), ``height_m`` float (antenna above ground), ``clutter`` int8
        (codes of ``clutter.CLUTTER_CODES``), ``phases`` int8 (1 or 3), ``phase`` int8 (0 to 2 where told, else -1),
        ``data_flag`` str: empty where everything was given, else what was inferred, joined by ``+``.
    transformers : GeoDataFrame of points: ``transformer_id``, ``key``, ``x_m``, ``y_m``, ``rated_kva``,
        ``n_meters``, ``data_flag`` ("" or "inferred").
    feeders : the low-voltage network; no edges where the area has none.
    buildings, roads, landuse : GeoDataFrames, possibly empty; ``landuse`` has a ``clutter`` int8 column.
    listed : DataFrame ``LISTED_COLUMNS``, one row per input row that is not used, with audit code and detail.
        Meters listed here count as not served.
    n_meters_in : meters in the input = rows of ``meters`` + listed rows whose ``layer`` is "meters".
    boundary : polygon of the study area, in the working CRS.
    notes : sentences the report must print (what was inferred or assumed, with shares).
    attributions : lines every map must carry, such as "© OpenStreetMap contributors".
    qa : DataFrame ``QA_COLUMNS``: what is odd but used (islands, loops, open ends, ...); severity is "note".
    """

    name: str
    crs: str
    boundary: BaseGeometry
    meters: gpd.GeoDataFrame
    transformers: gpd.GeoDataFrame
    feeders: FeederNetwork
    buildings: gpd.GeoDataFrame
    roads: gpd.GeoDataFrame
    landuse: gpd.GeoDataFrame
    terrain: Terrain
    listed: pd.DataFrame
    n_meters_in: int
    sources: tuple[InputSource, ...]
    notes: tuple[str, ...]
    attributions: tuple[str, ...]
    qa: pd.DataFrame = field(default_factory=lambda: no_rows(QA_COLUMNS))

    @property
    def n_meters(self) -> int:
        """Usable meters."""
        return len(self.meters)


@dataclass(frozen=True)
class CandidateSites:
    """Where radio equipment may stand, and the operator's cells.

    sites : GeoDataFrame of points sorted by ``key``: ``site_id`` str, ``key`` uint64, ``kind`` str
        (substation, pole, mast, tower, roof, cell), ``x_m``, ``y_m``, ``height_m`` (antenna above ground),
        ``clutter`` int8, ``owner`` str (own, third_party, operator), ``data_flag`` str ("" or "inferred"/"assumed").
    """

    sites: gpd.GeoDataFrame
    cells: gpd.GeoDataFrame
    notes: tuple[str, ...]
