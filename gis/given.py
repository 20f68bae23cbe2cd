"""Meters and transformers as the user gives them, with what is missing filled by rule and flagged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .clutter import polygon_at
from .columns import lengths_m, numbers, texts
from .inputs import InferenceRules
from .keys import place_ids, place_names, text_keys
from .kinds import known_kinds
from .lines import PLACED
from .terrain import FOOT_M

Array = NDArray[Any]


def meter_value_faults() -> Mapping[str, Callable[[pd.DataFrame], Array]]:
    """What a meter row must not say: sentence to a test that returns (n,) bool."""
    return {
        BAD_HEIGHT: bad_height,
        "floor is no number; correct it, or leave it empty": lambda frame: numbers(frame, "floor")[1],
        "phases is neither 1 nor 3; leave it empty to have it inferred": _bad_phases,
        "phase is none of L1, L2, L3 (or A, B, C; R, S, T); leave it empty to have it drawn": _bad_phase,
    }


PHASES = {word: phase for phase, words in enumerate(("L1 A R", "L2 B S", "L3 C T")) for word in words.split()}
"""Phases of the mains as utilities write them: word to 0, 1 or 2. Bare numbers may be counts of phases and are none."""
EVERY_PHASE = ("ABC", "RST", "L1L2L3")
"""What stands at meters of all phases, besides nothing."""


def known_phase(meters: pd.DataFrame) -> Array:
    """(n,) int8 phase of the column ``phase``, 0 to 2; -1 where it tells none."""
    return np.array([PHASES.get(word, -1) for word in _phase_words(meters)], dtype=np.int8)


def _phase_words(frame: pd.DataFrame) -> list[str]:
    return ["".join(filter(str.isalnum, str(word))).upper() for word in texts(frame, "phase")]


def _bad_phase(frame: pd.DataFrame) -> Array:
    known = {"", *PHASES, *EVERY_PHASE}
    return np.array([word not in known for word in _phase_words(frame)], dtype=bool)


MAX_HEIGHT_M = 500.0
"""No antenna that reads meters stands higher above the ground; a larger number is a slip of unit or column [m]."""

BAD_HEIGHT = (
    f"height_m (or height_ft) is no height above 0 and up to {MAX_HEIGHT_M:g} m; correct it, or leave it empty to have "
    "it inferred"
)


def bad_height(frame: pd.DataFrame) -> Array:
    """(n,) bool: a height is told, but is no number of metres (or feet) above 0 and up to ``MAX_HEIGHT_M``."""
    values, bad = lengths_m(frame, "height_m", "height_ft", FOOT_M["ft"])
    return np.asarray(bad | (values <= 0) | (values > MAX_HEIGHT_M))


def _bad_phases(frame: pd.DataFrame) -> Array:
    phases, bad = numbers(frame, "phases")
    return np.asarray(bad | (np.isfinite(phases) & ~np.isin(phases, (1.0, 3.0))))


def given_meters(meters: gpd.GeoDataFrame, buildings: gpd.GeoDataFrame, rules: InferenceRules) -> gpd.GeoDataFrame:
    """The user's meters with every column the engine needs; what was missing is filled by rule and flagged.

    Parameters
    ----------
    meters : audited points with any of ``meter_id, kind, bus, transformer, phases, phase, height_m, height_ft,
        floor``.
    buildings : classified, to say which one a meter stands in.

    Returns
    -------
    ``meter_id, key, kind, building, height_m, phases, phase, data_flag, x_m, y_m, row, bus, transformer``, the last
    two empty where they are not given.
    """
    x, y = np.round(meters.geometry.x.to_numpy(), 3), np.round(meters.geometry.y.to_numpy(), 3)
    words = texts(meters, "kind")
    as_kind = known_kinds(words)[0]
    order = np.lexsort((words.astype(str), as_kind.astype(str), texts(meters, "bus").astype(str), y, x))
    meters, x, y = meters.iloc[order].reset_index(drop=True), x[order], y[order]
    ids = texts(meters, "meter_id")
    kind, unknown_kind = known_kinds(texts(meters, "kind"))
    height_m, _ = lengths_m(meters, "height_m", "height_ft", FOOT_M["ft"])
    floor, _ = numbers(meters, "floor")
    phases, _ = numbers(meters, "phases")
    default_m = rules.meter_height_m + np.nan_to_num(np.maximum(floor, 0.0)) * rules.storey_height_m
    trade = np.isin(kind, ("commercial", "farm", "industrial"))
    default_phases = np.where(trade, rules.commercial_phases, rules.dwelling_phases)
    missing = {
        "place": meters[PLACED].to_numpy(dtype=bool) if PLACED in meters else np.zeros(len(meters), dtype=bool),
        "id": ids == "",
        "kind": texts(meters, "kind") == "",
        "unknown_kind": unknown_kind,
        "height": ~np.isfinite(height_m) & ~np.isfinite(floor),
        "phases": ~np.isfinite(phases),
    }
    columns = {
        "meter_id": np.where(ids != "", ids, place_names("meter", x, y)).astype(object),
        "key": text_keys(np.where(ids != "", ids, place_ids("m", x, y))),
        "kind": kind,
        "building": polygon_at(x, y, buildings).astype(np.int32),
        "height_m": np.where(np.isfinite(height_m), height_m, default_m),
        "phases": np.where(np.isfinite(phases), phases, default_phases).astype(np.int8),
        "phase": known_phase(meters),
        "data_flag": _flags(missing, len(meters)),
        "row": meters["row"].to_numpy(),
        "bus": texts(meters, "bus"),
        "transformer": texts(meters, "transformer"),
        "x_m": x,
        "y_m": y,
    }
    return gpd.GeoDataFrame(columns, geometry=gpd.points_from_xy(x, y), crs=meters.crs)


def _flags(missing: Mapping[str, Array], n_rows: int) -> Array:
    flag = np.full(n_rows, "", dtype=object)
    for word, mask in missing.items():
        flag = np.where(mask, np.where(flag == "", word, flag + ("+" + word)), flag)
    return flag.astype(object)


KVA_PER_MVA = 1000.0

_RATING_RULE = next(item.metadata for item in fields(InferenceRules) if item.name == "default_rating_kva")
MIN_RATED_KVA, MAX_RATED_KVA = float(_RATING_RULE["minimum"]), float(_RATING_RULE["maximum"])
"""Limits of the rule for transformers without rating; a given one beyond them is a slip of unit [kVA]."""


def transformer_value_faults() -> Mapping[str, Callable[[pd.DataFrame], Array]]:
    """What a transformer row must not say: sentence to a test that returns (n,) bool."""
    return {
        f"rated_kva (or rated_mva) is no rating from {MIN_RATED_KVA:g} to {MAX_RATED_KVA:g} kVA; correct the value or "
        "its unit, or leave it empty for area.rules.default_rating_kva": _bad_rating
    }


def _bad_rating(frame: pd.DataFrame) -> Array:
    rated, bad = lengths_m(frame, "rated_kva", "rated_mva", KVA_PER_MVA)
    return np.asarray(bad | (rated < MIN_RATED_KVA) | (rated > MAX_RATED_KVA))


def given_transformers(transformers: gpd.GeoDataFrame, rules: InferenceRules) -> gpd.GeoDataFrame:
    """``transformer_id, key, x_m, y_m, rated_kva, lv_bus, data_flag``, sorted by key; no rating: the rule's."""
    x, y = np.round(transformers.geometry.x.to_numpy(), 3), np.round(transformers.geometry.y.to_numpy(), 3)
    ids = texts(transformers, "transformer_id")
    bus = texts(transformers, "lv_bus")
    order = np.lexsort((bus.astype(str), y, x, ids.astype(str)))
    x, y, ids, bus = x[order], y[order], ids[order], bus[order]
    rated, _ = lengths_m(transformers, "rated_kva", "rated_mva", KVA_PER_MVA)
    rated = rated[order]
    columns = {
        "transformer_id": np.where(ids != "", ids, place_names("transformer", x, y)).astype(object),
        "key": text_keys(np.where(ids != "", ids, place_ids("t", x, y))),
        "x_m": x,
        "y_m": y,
        "rated_kva": np.where(np.isfinite(rated), rated, rules.default_rating_kva),
        "lv_bus": bus,
        "n_meters": np.zeros(x.size, dtype=int),
        "data_flag": np.where(np.isfinite(rated), "", "rated_kva").astype(object),
    }
    frame = gpd.GeoDataFrame(columns, geometry=gpd.points_from_xy(x, y), crs=transformers.crs)
    return frame.sort_values("key", ignore_index=True)


def no_transformers(crs: Any) -> gpd.GeoDataFrame:
    """A transformer table without rows."""
    columns: dict[str, Any] = {
        "transformer_id": pd.Series(dtype=object),
        "key": pd.Series(dtype=np.uint64),
        "x_m": pd.Series(dtype=float),
        "y_m": pd.Series(dtype=float),
        "rated_kva": pd.Series(dtype=float),
        "data_flag": pd.Series(dtype=object),
    }
    return gpd.GeoDataFrame(columns, geometry=gpd.GeoSeries([], crs=crs), crs=crs)
