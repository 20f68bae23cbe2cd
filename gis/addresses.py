"""Names that people know for buildings and meters: the postal address, else the place."""

from __future__ import annotations

import re
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .columns import texts
from .keys import place_names

Array = NDArray[Any]


def address_names(frame: pd.DataFrame) -> Array:
    """(n,) ``street housenumber, postcode`` as far as it is given; empty where there is no house number.

    Villages without street names use the name of the place, else of the town (OSM wiki: Addresses).
    """
    number = texts(frame, "housenumber")
    road, place, city = (texts(frame, name) for name in ("street", "place", "city"))
    road = np.where(road != "", road, np.where(place != "", place, city))
    postcode = texts(frame, "postcode")
    tail = np.where(postcode != "", ", " + postcode.astype(object), "")
    return np.where((number != "") & (road != ""), road + " " + number + tail, "").astype(object)


def building_addresses(buildings: gpd.GeoDataFrame, addresses: gpd.GeoDataFrame, owner: Array) -> Array:
    """(n_buildings,) address of each building: its own tags, else the lowest house number that belongs to it.

    owner : (n_addresses,) 1 + row of the building, 0 for none (``buildings.address_buildings``).
    """
    names = address_names(buildings)
    inside = address_names(addresses)
    rows = np.flatnonzero((owner > 0) & (inside != ""))
    order = sorted(rows.tolist(), key=lambda row: (owner[row], _natural(str(inside[row]))))
    told = np.full(len(buildings), "", dtype=object)
    for row in reversed(order):
        told[owner[row] - 1] = inside[row]
    return np.where(names != "", names, told).astype(object)


def named_apart(ids: Array, names: Array, x_m: Array, y_m: Array, word: str) -> Array:
    """(n,) ids: the user's; else the address, without postcode where that is enough; else word and place.

    Where two things share a full address, each has its place behind it; so no id depends on the order of rows.
    """
    short = np.array([name.rpartition(", ")[0] or name for name in names], dtype=object)
    places = place_names(word, x_m, y_m)
    taken = pd.Series(np.where(ids != "", ids, short), dtype=object)
    alone = ~(taken.duplicated(keep=False).to_numpy())
    shared = pd.Series(np.where(ids != "", ids, names), dtype=object).duplicated(keep=False).to_numpy()
    tags = np.array([place.partition(" ")[2] for place in places], dtype=object)
    full = np.where(shared, names + " (" + tags + ")", names)
    readable = np.where(names == "", places, np.where(alone, short, full))
    return np.where(ids != "", ids, readable).astype(object)


def _natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """Sorts house number 9 before 10."""
    parts = re.split(r"(\d+)", text)
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts)
