"""Where radio equipment may stand, and the cells of a mobile operator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from .columns import lengths_m, numbers, texts
from .given import BAD_HEIGHT, bad_height
from .inputs import InferenceRules
from .keys import place_ids, place_names, text_keys
from .terrain import FOOT_M, Bounds

Array = NDArray[Any]

_NO_KEY = np.uint64(0)

SITE_KINDS = ("mast", "tower", "roof", "substation", "pole", "cell")
SITE_COLUMNS = ("site_id", "key", "kind", "x_m", "y_m", "height_m", "clutter", "owner", "data_flag")
OWNERS = ("own", "third_party")
"""Who a candidate site belongs to; what is not one's own is rented."""

RANK: Mapping[str, int] = {"mast": 0, "tower": 1, "roof": 2, "substation": 3, "pole": 4}
"""Which site stays where two stand closer than the spacing: the kinds that usually stand highest first."""

SUBSTATION_WORDS = ("substation", "sub_station", "station", "transformer")
SUBSTATION_FEEDS = ("substation", "sub_station", "transformer")
"""OSM power values; ``sub_station`` and ``station`` are the spellings before 2013; a ``station`` is of high voltage."""


def site_value_faults() -> Mapping[str, Callable[[pd.DataFrame], Array]]:
    """What a row of the user's candidate sites must not say: sentence to a test that returns (n,) bool."""
    return {
        BAD_HEIGHT: lambda frame: bad_height(_plain_heights(frame)),
        f"owner is none of {', '.join(OWNERS)}": lambda frame: ~np.isin(_owners(frame), ("", *OWNERS)),
    }


def cell_value_faults() -> Mapping[str, Callable[[pd.DataFrame], Array]]:
    """What a row of operator cells, poles or masts must not say: sentence to a test that returns (n,) bool."""
    return {BAD_HEIGHT: bad_height}


def _owners(frame: pd.DataFrame) -> Array:
    return np.array([word.lower().replace(" ", "_") for word in texts(frame, "owner")], dtype=object)


def mapped_substations(power: gpd.GeoDataFrame, rules: InferenceRules) -> gpd.GeoDataFrame:
    """Substations of the power layer that may feed houses: not tagged with a voltage above ``substation_max_kv``."""
    words, row = np.unique(texts(power, "voltage").astype(str), return_inverse=True)
    volts = np.array([_highest_volts(text) for text in words], dtype=float)[row]
    feeds = np.isin(texts(power, "power"), SUBSTATION_FEEDS) & ~(volts > rules.substation_max_kv * 1000.0)
    found = power.loc[feeds]
    middle = shapely.centroid(np.asarray(found.geometry.array, dtype=object))
    x, y = np.round(shapely.get_x(middle), 3), np.round(shapely.get_y(middle), 3)
    order = np.lexsort((y, x))
    x, y = x[order], y[order]
    first = np.ones(x.size, dtype=bool)
    first[1:] = (np.diff(x) != 0) | (np.diff(y) != 0)
    x, y = x[first], y[first]
    columns = {
        "transformer_id": place_names("substation", x, y),
        "key": text_keys(place_ids("s", x, y)),
        "x_m": x,
        "y_m": y,
        "rated_kva": np.full(x.size, np.nan),
        "data_flag": np.full(x.size, "rated_kva", dtype=object),
    }
    return gpd.GeoDataFrame(columns, geometry=shapely.points(x, y), crs=power.crs)


def candidate_sites(
    power: gpd.GeoDataFrame,
    poles: gpd.GeoDataFrame,
    masts: gpd.GeoDataFrame,
    transformers: gpd.GeoDataFrame,
    buildings: gpd.GeoDataFrame,
    rules: InferenceRules,
) -> gpd.GeoDataFrame:
    """Sites from what is mapped, thinned to ``candidate_spacing_m``; heights by kind where none is given.

    Parameters
    ----------
    power : poles, towers and substations by OSM's ``power`` tag.  poles, masts : layers of their own.
    transformers : secondary substations; those on a pole count as poles.
    buildings : classified, with ``height_m``; the highest roof of each ``roof_spacing_m`` square.

    Returns
    -------
    ``SITE_COLUMNS`` without clutter, sorted by key. Deterministic: of neighbours the higher rank stays.
    """
    word = texts(power, "power")
    parts = [
        _site_rows(power.loc[word == "tower"], "tower", rules.tower_height_m, _owner(rules.towers_are_own)),
        _site_rows(power.loc[word == "pole"], "pole", rules.pole_height_m, _owner(rules.poles_are_own)),
        _site_rows(power.loc[np.isin(word, SUBSTATION_WORDS)], "substation", rules.substation_height_m, "own"),
        _site_rows(poles, "pole", rules.pole_height_m, _owner(rules.poles_are_own)),
        _site_rows(_radio_masts(masts), "mast", rules.mast_height_m, "third_party"),
        _transformer_rows(transformers, rules),
        _roof_rows(buildings, rules),
    ]
    sites = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    sites = sites.sort_values(["x_m", "y_m", "kind"], ignore_index=True)
    rank = np.array([RANK[kind] for kind in sites["kind"]], dtype=float)
    order = np.lexsort((sites["y_m"], sites["x_m"], -sites["height_m"], rank))
    priority = np.empty(order.size)
    priority[order] = np.arange(order.size)
    keep = thinned(sites["x_m"].to_numpy(), sites["y_m"].to_numpy(), priority, rules.candidate_spacing_m)
    return _finished(sites.loc[keep], power.crs)


def given_sites(candidates: gpd.GeoDataFrame, rules: InferenceRules) -> gpd.GeoDataFrame:
    """The user's candidate layer: ``site_id, kind, height_m or height_ft, owner``; nothing is thinned.

    A height that is not told is the rule's for the kind of site, and flagged.

    Raises ValueError for a kind that is not one of ``SITE_KINDS``.
    """
    kind = np.array([word.lower() for word in texts(candidates, "kind")], dtype=object)
    kind = np.where(kind == "", "pole", kind)
    odd = ~np.isin(kind, SITE_KINDS[:-1])
    if odd.any():
        raise ValueError(f'area.candidate_sites: kind "{kind[odd][0]}" is not known; write one of {SITE_KINDS[:-1]}')
    heights = {
        "mast": rules.mast_height_m,
        "tower": rules.tower_height_m,
        "roof": rules.residential_levels * rules.storey_height_m + rules.roof_antenna_m,
        "substation": rules.substation_height_m,
        "pole": rules.pole_height_m,
    }
    rows = _site_rows(candidates, kind, np.array([heights[word] for word in kind]), "own")
    return _finished(rows, candidates.crs)


def given_cells(cells: gpd.GeoDataFrame, rules: InferenceRules) -> gpd.GeoDataFrame:
    """The operator's cells as the user gives them: ``cell_id``, ``height_m`` or ``height_ft``."""
    named = cells.assign(site_id=texts(cells, "cell_id"))
    return _finished(_site_rows(named, "cell", rules.cell_height_m, "operator"), cells.crs)


def assumed_cells(bounds_m: Bounds, cover_m: Bounds | None, crs: Any, rules: InferenceRules) -> gpd.GeoDataFrame:
    """A hexagonal grid of cells over the area and half a spacing around it, flagged ``assumed``.

    The grid is anchored at the origin of the working CRS, so it does not move with the data. ``cover_m`` (the extent
    of the elevation file) bounds it: a cell is not assumed where the ground is unknown.
    """
    step = rules.assumed_cell_spacing_m
    rise = step * np.sqrt(3.0) / 2.0
    west, south, east, north = _grown(bounds_m, step / 2, cover_m)
    row, column = np.meshgrid(
        np.arange(np.floor(south / rise), np.ceil(north / rise) + 1),
        np.arange(np.floor(west / step) - 1, np.ceil(east / step) + 1),
        indexing="ij",
    )
    x, y = (column + 0.5 * (row % 2)) * step, row * rise
    inside = (x >= west) & (x <= east) & (y >= south) & (y <= north)
    x, y, row, column = x[inside], y[inside], row[inside].astype(int), column[inside].astype(int)
    if x.size == 0:  # an area smaller than the grid still has one cell, in its middle
        x, y = np.array([(bounds_m[0] + bounds_m[2]) / 2]), np.array([(bounds_m[1] + bounds_m[3]) / 2])
        row, column = np.rint(y / rise).astype(int), np.rint(x / step).astype(int)
    ids = np.array([f"cell {c}/{r}" for c, r in zip(column.tolist(), row.tolist(), strict=True)], dtype=object)
    frame = pd.DataFrame(
        {
            "site_id": ids,
            "key": text_keys(ids),
            "kind": "cell",
            "x_m": x,
            "y_m": y,
            "height_m": rules.cell_height_m,
            "owner": "operator",
        }
    ).assign(data_flag="assumed")
    return _finished(frame, crs)


def thinned(x_m: Array, y_m: Array, priority: Array, spacing_m: float) -> Array:
    """(n,) bool: the places that stay when, in order of ``priority`` (lowest first, all different), each forbids
    others within ``spacing_m``.

    Solved in rounds: whoever is first among its remaining neighbours stays, its neighbours go; equal to the greedy
    order.
    """
    n = np.size(x_m)
    stays, goes = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
    if n == 0 or spacing_m <= 0:
        return np.ones(n, dtype=bool)
    pairs = cKDTree(np.column_stack([x_m, y_m])).query_pairs(spacing_m * (1 - 1e-12), output_type="ndarray")
    both = np.concatenate([pairs, pairs[:, ::-1]])
    while not (stays | goes).all():
        live = both[~(stays | goes)[both].any(axis=1)]
        beaten = np.zeros(n, dtype=bool)
        beaten[live[priority[live[:, 0]] > priority[live[:, 1]], 0]] = True
        new = ~(stays | goes | beaten)
        stays |= new
        goes[both[new[both[:, 0]], 1]] = True
    return stays


def _site_rows(
    frame: gpd.GeoDataFrame, kind: str | Array, default_height_m: float | Array, default_owner: str
) -> pd.DataFrame:
    middle = shapely.centroid(np.asarray(frame.geometry.array, dtype=object))
    height_m, _ = lengths_m(_plain_heights(frame), "height_m", "height_ft", FOOT_M["ft"])
    given = np.isfinite(height_m) & ~bad_height(_plain_heights(frame))
    owner = _owners(frame)
    ids = texts(frame, "site_id")
    return pd.DataFrame(
        {
            "site_id": ids,
            "key": np.where(ids != "", text_keys(ids), _NO_KEY),
            "kind": kind,
            "x_m": np.round(shapely.get_x(middle), 3),
            "y_m": np.round(shapely.get_y(middle), 3),
            "height_m": np.where(given, height_m, default_height_m),
            "owner": np.where(np.isin(owner, OWNERS), owner, default_owner),
            "data_flag": np.where(given, "", "inferred"),
        }
    )


def _plain_heights(frame: gpd.GeoDataFrame) -> pd.DataFrame:
    """OSM's ``height`` (metres unless said otherwise) stands in where no column of ours is there."""
    if "height_m" in frame.columns or "height_ft" in frame.columns or "height" not in frame.columns:
        return frame
    return frame.assign(height_m=frame["height"])


def _transformer_rows(transformers: gpd.GeoDataFrame, rules: InferenceRules) -> pd.DataFrame:
    on_pole = texts(transformers, "mount") == "pole"
    kind = np.where(on_pole, "pole", "substation")
    height = np.where(on_pole, rules.pole_height_m, rules.substation_height_m)
    rows = _site_rows(transformers.assign(site_id=transformers["transformer_id"]), kind, height, "own")
    return rows.assign(key=transformers["key"].to_numpy(dtype=np.uint64), data_flag="inferred")


def _roof_rows(buildings: gpd.GeoDataFrame, rules: InferenceRules) -> pd.DataFrame:
    empty = pd.DataFrame(columns=["site_id", "key", "kind", "x_m", "y_m", "height_m", "owner", "data_flag"])
    if len(buildings) == 0:
        return empty
    x, y = buildings["x_m"].to_numpy(dtype=float), buildings["y_m"].to_numpy(dtype=float)
    square = rules.roof_spacing_m
    order = np.lexsort(
        (y, x, -buildings["footprint_m2"], -buildings["height_m"], np.floor(y / square), np.floor(x / square))
    )
    cell = np.column_stack([np.floor(x / square), np.floor(y / square)])[order]
    first = np.ones(order.size, dtype=bool)
    first[1:] = (cell[1:] != cell[:-1]).any(axis=1)
    best = buildings.iloc[order[first]]
    return pd.DataFrame(
        {
            "site_id": ("roof " + best["building_id"].astype(str)).to_numpy(dtype=object),
            "key": text_keys(("roof " + best["key_text"].astype(str)).to_numpy(dtype=object)),
            "kind": "roof",
            "x_m": best["x_m"].to_numpy(),
            "y_m": best["y_m"].to_numpy(),
            "height_m": best["height_m"].to_numpy() + rules.roof_antenna_m,
            "owner": "third_party",
            "data_flag": np.where(best["data_flag"] == "", "", "inferred"),
        }
    )


def _radio_masts(masts: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Masts and towers that may carry antennas; a tower of any other declared type (bell, water, ...) is left out."""
    kind = texts(masts, "tower_type")
    man_made = texts(masts, "man_made")
    plain = np.isin(man_made, ("", "mast", "communications_tower"))
    return masts.loc[plain | np.isin(kind, ("communication", "communications"))]


def _owner(is_own: bool) -> str:
    return "own" if is_own else "third_party"


def _finished(rows: pd.DataFrame, crs: Any) -> gpd.GeoDataFrame:
    rows = rows.sort_values(["x_m", "y_m", "kind"], ignore_index=True)
    x, y = rows["x_m"].to_numpy(dtype=float), rows["y_m"].to_numpy(dtype=float)
    kind, ids = rows["kind"].to_numpy(dtype=object), rows["site_id"].to_numpy(dtype=object)
    made = np.array([f"{k} {place}" for k, place in zip(kind, place_ids("", x, y), strict=True)], dtype=object)
    tags = [name.partition(" ")[2] for name in place_names("site", x, y)]
    names = np.array([i or f"{k} {tag}" for i, k, tag in zip(ids, kind, tags, strict=True)], dtype=object)
    told = rows["key"].to_numpy(dtype=np.uint64)
    frame = rows.assign(site_id=names, key=np.where(told != _NO_KEY, told, text_keys(made)))
    sites = gpd.GeoDataFrame(frame, geometry=shapely.points(x, y), crs=crs)
    return sites.sort_values("key", ignore_index=True)


def _grown(bounds: Bounds, margin: float, cover: Bounds | None) -> Bounds:
    west, south, east, north = bounds[0] - margin, bounds[1] - margin, bounds[2] + margin, bounds[3] + margin
    if cover is None:
        return west, south, east, north
    return max(west, cover[0]), max(south, cover[1]), min(east, cover[2]), min(north, cover[3])


def _highest_volts(text: str) -> float:
    values, _ = numbers(pd.DataFrame({"v": [part for part in text.split(";") if part] or [""]}), "v")
    return float(np.nanmax(values)) if np.isfinite(values).any() else np.nan


def within(sites: gpd.GeoDataFrame, bounds: Bounds) -> Array:
    """(n,) bool: the sites inside a box."""
    x, y = sites["x_m"].to_numpy(dtype=float), sites["y_m"].to_numpy(dtype=float)
    return np.asarray((x >= bounds[0]) & (x <= bounds[2]) & (y >= bounds[1]) & (y <= bounds[3]))


def kinds_text(kinds: Sequence[str]) -> str:
    """Counts by kind as words, such as ``12 pole, 3 roof``."""
    counts = pd.Series(list(kinds), dtype=object).value_counts()
    return ", ".join(f"{counts[kind]} {kind}" for kind in sorted(counts.index))
