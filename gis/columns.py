"""Our column names per role, and how the user's columns become ours: texts, numbers, ids."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .inputs import LayerInput

Array = NDArray[Any]

ADDRESS_COLUMNS = ("street", "housenumber", "place", "postcode", "city")

OSM_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "levels": ("building_levels", "building:levels"),
    **{name: (f"addr_{name}", f"addr:{name}") for name in ADDRESS_COLUMNS},
    "tower_type": ("tower:type",),
}
"""Our columns by the names of OpenStreetMap exports (wiki: Key:addr, Key:building:levels); found unasked."""

ROLE_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "boundary": (),
    "meters": ("meter_id", "kind", "bus", "transformer", "phases", "phase", "height_m", "height_ft", "floor"),
    "addresses": ("address_id", "kind", *ADDRESS_COLUMNS),
    "buildings": (
        "building_id",
        "building",
        "amenity",
        "shop",
        "office",
        "levels",
        "height_m",
        "height_ft",
        "dwellings",
        *ADDRESS_COLUMNS,
    ),
    "population": ("cell_id", "dwellings", "population"),
    "transformers": ("transformer_id", "lv_bus", "rated_kva", "rated_mva", "in_service"),
    "buses": ("bus", "vn_kv"),
    "cables": ("cable_id", "from_bus", "to_bus", "length_km", "length_m", "cable", "in_service"),
    "switches": ("bus", "element", "et", "closed"),
    "roads": ("highway",),
    "landuse": ("landuse", "natural"),
    "places": ("place",),
    "power": ("power", "voltage", "height_m"),
    "masts": ("man_made", "tower_type", "height_m", "height_ft", "owner"),
    "poles": ("site_id", "height_m", "height_ft", "owner"),
    "operator_cells": ("cell_id", "height_m", "height_ft"),
    "candidate_sites": ("site_id", "kind", "height_m", "height_ft", "owner"),
}
"""What each role understands; all else in a layer is carried along unread."""

ID_COLUMN: Mapping[str, str] = {
    "meters": "meter_id",
    "addresses": "address_id",
    "buildings": "building_id",
    "population": "cell_id",
    "transformers": "transformer_id",
    "buses": "bus",
    "cables": "cable_id",
    "poles": "site_id",
    "operator_cells": "cell_id",
    "candidate_sites": "site_id",
}

TRUE_WORDS = ("true", "t", "yes", "y", "1", "1.0", "closed")
FALSE_WORDS = ("false", "f", "no", "n", "0", "0.0", "open")


def rename_columns(frame: pd.DataFrame, given: LayerInput, role: str) -> pd.DataFrame:
    """The layer with our names beside the user's own columns.

    Raises ValueError for a name that the role does not know, or a column that the layer does not have.
    """
    known = ROLE_COLUMNS[role]
    added = {}
    for ours, theirs in given.columns.items():
        if ours not in known:
            raise ValueError(f'area.{role}.columns: "{ours}" is not known{_nearest(ours, known)}; known are {known}')
        if theirs not in frame.columns:
            names = [str(name) for name in frame.columns]
            raise ValueError(f'{given.path}: layer {role} has no column "{theirs}"{_nearest(theirs, names)}')
        added[ours] = frame[theirs]
    for ours, spellings in OSM_COLUMNS.items():
        found = [name for name in spellings if name in frame.columns]
        if found and ours in known and ours not in added and ours not in frame.columns:
            added[ours] = frame[found[0]]
    return frame.assign(**added) if added else frame


def _nearest(word: str, known: Any) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f' (did you mean "{close[0]}"?)' if close else ""


def texts(frame: pd.DataFrame, name: str) -> Array:
    """(n,) column as str, empty where missing; whole numbers lose their ``.0``."""
    if name not in frame.columns:
        return np.full(len(frame), "", dtype=object)
    column = frame[name]
    if pd.api.types.is_float_dtype(column):
        values = column.to_numpy(dtype=float, na_value=np.nan)
        return np.array([_number_text(value) for value in values], dtype=object)
    return np.array(["" if pd.isna(value) else str(value).strip() for value in column.tolist()], dtype=object)


def _number_text(value: float) -> str:
    if np.isnan(value):
        return ""
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def numbers(frame: pd.DataFrame, name: str) -> tuple[Array, Array]:
    """(n,) float64 with NaN where missing, and (n,) bool where something stands that is no number.

    A decimal comma and grouped thousands are understood; infinity is no number.
    """
    if name not in frame.columns:
        return np.full(len(frame), np.nan), np.zeros(len(frame), dtype=bool)
    column = frame[name]
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        told = column.to_numpy(dtype=float, na_value=np.nan)
        return np.where(np.isinf(told), np.nan, told), np.isinf(told)
    words = pd.Series(texts(frame, name), dtype=object).astype(str)
    values = np.array(pd.to_numeric(words.where(words != "", None), errors="coerce"), dtype=float)
    odd = np.flatnonzero(np.isnan(values) & (words.to_numpy() != ""))
    values[odd] = [_odd_number(text) for text in words.to_numpy()[odd]]
    return values, np.asarray(~np.isfinite(values) & (words.to_numpy() != ""))


def _odd_number(text: str) -> float:
    """A number with decimal comma or grouped thousands (point, comma, space, apostrophe); NaN where it is none."""
    plain = re.sub(r"(?<=\d)[\s'\u2019](?=\d{3}(?!\d))", "", text)
    decimal = "," if plain.rfind(",") > plain.rfind(".") else "."
    group = "." if decimal == "," else ","
    if plain.count(decimal) > 1 and group not in plain:
        decimal, group = group, decimal
    if group in plain and not re.fullmatch(rf"[+-]?\d{{1,3}}(?:\{group}\d{{3}})+(?:\{decimal}\d*)?", plain):
        return np.nan
    try:
        return float(plain.replace(group, "").replace(decimal, "."))
    except ValueError:
        return np.nan


def lengths_m(frame: pd.DataFrame, metres: str, other: str, factor: float) -> tuple[Array, Array]:
    """(n,) metres from a column in metres, else from one in another unit with its factor; and what is no number."""
    if metres not in frame.columns and other in frame.columns:
        values, bad = numbers(frame, other)
        return values * factor, bad
    return numbers(frame, metres)


def flags(frame: pd.DataFrame, name: str, default: bool) -> tuple[Array, Array]:
    """(n,) bool from a column of yes and no in any spelling, and (n,) bool where it is neither."""
    if name not in frame.columns:
        return np.full(len(frame), default), np.zeros(len(frame), dtype=bool)
    words = np.array([word.lower() for word in texts(frame, name)], dtype=object)
    true, false, empty = np.isin(words, TRUE_WORDS), np.isin(words, FALSE_WORDS), words == ""
    return np.where(empty, default, true), ~(true | false | empty)
