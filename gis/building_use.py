"""What a building holds: its use, levels and dwellings, by its tags, the land it stands on and the town around."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from .clutter import polygon_at
from .columns import numbers, texts
from .inputs import InferenceRules

Array = NDArray[Any]

# OSM building values (wiki: Key:building), by what they hold.
OUTBUILDING_TYPES = (
    "garage",
    "garages",
    "carport",
    "hut",
    "shed",
    "roof",
    "greenhouse",
    "barn",
    "stable",
    "sty",
    "cowshed",
    "farm_auxiliary",
    "ruins",
    "construction",
    "transformer_tower",
    "hangar",
    "silo",
    "storage_tank",
    "water_tower",
    "bunker",
    "service",
    "slurry_tank",
    "allotment_house",
)
FLAT_TYPES = ("apartments", "dormitory", "terrace")
HOUSE_TYPES = ("house", "detached", "bungalow", "semidetached_house", "residential", "cabin", "static_caravan")
COMMERCIAL_TYPES = (
    "retail",
    "commercial",
    "industrial",
    "warehouse",
    "office",
    "supermarket",
    "hotel",
    "kiosk",
    "public",
    "school",
    "hospital",
    "church",
    "chapel",
    "kindergarten",
    "university",
    "civic",
    "train_station",
    "fire_station",
    "cathedral",
    "manufacture",
    "sports_hall",
    "service_station",
)
COMMERCIAL_LAND = ("industrial", "commercial", "retail", "railway", "quarry", "landfill")
RESIDENTIAL_LAND = ("residential", "farmyard", "construction", "farm")
NO_SUPPLY_AMENITIES = ("shelter", "parking", "bicycle_parking", "waste_basket", "recycling", "bench")

KINDS = ("none", "house", "flat", "farm", "commercial")
_NONE, HOUSE, FLAT, _FARM, _COMMERCIAL = range(5)


def land_words(frame: gpd.GeoDataFrame, landuse: gpd.GeoDataFrame) -> Array:
    """(n,) land use at each building, empty where none is mapped."""
    where = polygon_at(frame["x_m"].to_numpy(), frame["y_m"].to_numpy(), landuse)
    if len(landuse) == 0:
        return np.full(len(frame), "", dtype=object)
    return np.where(where >= 0, texts(landuse, "landuse")[where], "")


def uses(
    frame: gpd.GeoDataFrame,
    footprint_m2: Array,
    n_addresses: Array,
    land: Array,
    in_town: Array,
    rules: InferenceRules,
) -> Array:
    """(n,) use of each building, a row of ``KINDS``; the first rule that holds decides."""
    tag, amenity = texts(frame, "building"), texts(frame, "amenity")
    untyped = np.isin(tag, ("yes", ""))
    trade = (amenity != "") & ~np.isin(amenity, NO_SUPPLY_AMENITIES)
    trade |= (texts(frame, "shop") != "") | (texts(frame, "office") != "") | np.isin(tag, COMMERCIAL_TYPES)
    tiny = untyped & (footprint_m2 < rules.outbuilding_area_m2) & (n_addresses == 0)
    off_village = ~in_town & ~np.isin(land, ("residential", "construction")) & ~np.isin(land, COMMERCIAL_LAND)
    barn = untyped & off_village & (footprint_m2 > rules.barn_area_m2) & (n_addresses == 0)
    conditions: list[tuple[Array, int]] = [
        (trade, _COMMERCIAL),
        (np.isin(tag, OUTBUILDING_TYPES) | tiny | barn, _NONE),
        (np.isin(tag, ("farm", "farmhouse")), _FARM),
        (np.isin(tag, FLAT_TYPES), FLAT),
        (np.isin(tag, HOUSE_TYPES), HOUSE),
        (untyped & np.isin(land, COMMERCIAL_LAND), _COMMERCIAL),
        (untyped & (land == "allotments"), _NONE),
        (untyped & (land == "farmyard"), _FARM),
    ]
    return np.select([mask for mask, _ in conditions], [code for _, code in conditions], HOUSE)


def levels_of(frame: gpd.GeoDataFrame, use: Array, in_town: Array, rules: InferenceRules) -> tuple[Array, Array]:
    """Levels of each building, and (n,) bool where its tag says them; else as its neighbours, as in town, or by use."""
    levels, bad = numbers(frame, "levels")
    given = np.isfinite(levels) & ~bad & (levels >= 1)
    by_use: Mapping[int, float] = {FLAT: rules.apartment_levels, HOUSE: rules.residential_levels}
    default = np.full(use.size, rules.other_levels)
    for code, value in {**by_use, _FARM: rules.residential_levels}.items():
        default[use == code] = value
    lived_in = np.isin(use, (HOUSE, FLAT, _COMMERCIAL))
    default = np.where(lived_in & in_town, np.maximum(default, rules.urban_levels), default)
    around = _neighbour_levels(frame, levels, given, rules)
    default = np.where(lived_in & np.isfinite(around), around, default)
    return np.where(given, levels, default), given


def _neighbour_levels(frame: gpd.GeoDataFrame, levels: Array, given: Array, rules: InferenceRules) -> Array:
    """(n,) median levels of the nearest tagged buildings in reach, rounded; NaN where there are too few."""
    n_asked, places = rules.neighbour_levels_count, frame[["x_m", "y_m"]].to_numpy(dtype=float)
    if int(given.sum()) < n_asked:
        return np.full(len(frame), np.nan)
    tree = cKDTree(places[given])
    far_m, row = tree.query(places, k=n_asked, distance_upper_bound=rules.neighbour_levels_reach_m)
    far_m, row = np.reshape(far_m, (len(frame), n_asked)), np.reshape(row, (len(frame), n_asked))
    told = np.append(levels[given], np.nan)
    return np.where(np.isfinite(far_m).all(axis=1), np.rint(np.median(told[row], axis=1)), np.nan)


def meter_counts(
    frame: gpd.GeoDataFrame,
    use: Array,
    footprint_m2: Array,
    levels: Array,
    levels_given: Array,
    n_addresses: Array,
    rules: InferenceRules,
) -> Array:
    """(n,) meters of each building: as told, one for a farm or business, else dwellings by floor area or addresses."""
    told, bad = numbers(frame, "dwellings")
    tag = texts(frame, "building")
    by_area = np.rint(footprint_m2 * levels * rules.usable_ratio / rules.dwelling_area_m2)
    bounded = ~levels_given & ~np.isin(tag, FLAT_TYPES)
    by_area = np.clip(by_area, 1, np.where(bounded, rules.max_dwellings, np.inf))
    single = np.isin(tag, ("house", "detached", "bungalow", "semidetached_house", "cabin", "static_caravan"))
    dwellings = np.where(single, 1, by_area)
    count = np.select([use == _NONE, use >= _FARM], [0, 1], np.maximum(dwellings, n_addresses))
    return np.asarray(np.where(np.isfinite(told) & ~bad & (told >= 0), np.rint(told), count), dtype=int)
