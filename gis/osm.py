"""Layers out of OpenStreetMap extracts (.osm.pbf, .osm.gz), through the optional osmium package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import shapely

from .crs import GEOGRAPHIC_WGS84

TAGS: dict[str, tuple[str, ...]] = {
    "buildings": ("building", "name", "amenity", "shop", "office", "building:levels", "height"),
    "addresses": ("addr:housenumber", "addr:street", "addr:postcode"),
    "roads": ("highway", "name", "surface"),
    "landuse": ("landuse", "natural"),
    "power": ("power", "voltage", "operator"),
    "masts": ("man_made", "tower:type", "height"),
    "places": ("place", "name", "population"),
}
"""Tags carried along per layer, after the OSM wiki's map features; colons become underscores."""

SELECTORS: dict[str, tuple[str, ...]] = {
    "buildings": ("building",),
    "addresses": ("addr:housenumber",),
    "roads": ("highway",),
    "landuse": ("landuse", "natural"),
    "power": ("power",),
    "masts": ("man_made",),
    "places": ("place",),
}
MAST_VALUES = ("mast", "tower", "communications_tower")
AREA_LAYERS = ("buildings", "landuse")


def read_osm(path: Path, layer: str) -> gpd.GeoDataFrame:
    """One layer (a key of ``TAGS``) of an OSM extract, in WGS 84, with the column ``osm_id`` (n1, w1, a1).

    Raises ValueError for an unknown layer, an unreadable file, or where osmium is not installed.
    """
    if layer not in TAGS:
        raise ValueError(f'{path.name}: layer "{layer}" cannot be taken from an OSM extract, only {", ".join(TAGS)}')
    try:
        import osmium
    except ImportError:
        raise ValueError(f"{path.name}: reading OSM extracts needs the extra; pip install 'amiplan[osm]'") from None
    rows: list[dict[str, Any]] = []
    shapes: list[Any] = []
    try:
        processor = osmium.FileProcessor(str(path)).with_areas(osmium.filter.KeyFilter(*SELECTORS[layer]))
        factory = osmium.geom.WKBFactory()
        for item in processor.with_filter(osmium.filter.KeyFilter(*SELECTORS[layer])):
            shape = _shape(item, layer, factory)
            if shape is not None:
                rows.append(_row(item, layer))
                shapes.append(shape)
    except RuntimeError as problem:
        raise ValueError(f"{path.name}: not a readable OSM extract ({problem})") from None
    frame = pd.DataFrame(rows, columns=["osm_id", *(_column(tag) for tag in TAGS[layer])])
    return gpd.GeoDataFrame(frame, geometry=shapely.from_wkb(shapes), crs=GEOGRAPHIC_WGS84)


def _shape(item: Any, layer: str, factory: Any) -> Any:
    if layer == "masts" and item.tags.get("man_made") not in MAST_VALUES:
        return None
    try:
        if item.is_node():
            return None if layer in (*AREA_LAYERS, "roads") else factory.create_point(item)
        if item.is_area():
            return None if layer == "roads" else factory.create_multipolygon(item)
        if item.is_way() and (layer == "roads" or (layer == "power" and not item.is_closed())):
            return factory.create_linestring(item)
    except RuntimeError:  # a way cut at the edge of the extract has no usable geometry: it is no place
        return None
    return None


def _row(item: Any, layer: str) -> dict[str, Any]:
    letter = "n" if item.is_node() else "a" if item.is_area() else "w"
    tags = {_column(tag): item.tags.get(tag) for tag in TAGS[layer]}
    return {"osm_id": f"{letter}{item.id}", **tags}


def _column(tag: str) -> str:
    return {"building:levels": "levels"}.get(tag, tag.replace(":", "_"))
