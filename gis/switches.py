"""Switches of a given network: open ones cut lines and transformers off, closed ones join buses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from .audit import fault_rows, no_rows
from .columns import flags, texts
from .lines import Lines, line_ends

Array = NDArray[Any]


def apply_switches(
    lines: Lines, switches: pd.DataFrame | None, node_of: dict[str, int], transformers: gpd.GeoDataFrame, xy: Array
) -> Any:
    """Cut lines at open switches, join buses over closed ones, mark transformers that are switched off."""
    merged = np.arange(len(xy))
    dead = np.zeros(len(transformers), dtype=bool)
    none = no_rows()
    if switches is None or len(switches) == 0:
        return (lines, xy, dead, merged), none, none
    kind = np.array([word.lower() for word in texts(switches, "et")], dtype=object)
    kind = np.where(kind == "", "l", kind)
    closed, bad = flags(switches, "closed", True)
    bus, element, rows = texts(switches, "bus"), texts(switches, "element"), switches["row"].to_numpy()
    bus_row = np.array([node_of.get(name, -1) for name in bus], dtype=np.int64)
    line_row = {name: row for row, name in enumerate(lines.ids.tolist())}
    of_line = np.array([line_row.get(name, -1) for name in element], dtype=np.int64)
    at_start = (of_line >= 0) & (lines.start[of_line] == bus_row)
    at_end = (of_line >= 0) & (lines.end[of_line] == bus_row)
    lost = np.where(kind == "l", ~(at_start | at_end), bus_row < 0) | ~np.isin(kind, ("l", "b", "t"))
    faults = fault_rows(
        "switches",
        rows[bad | lost],
        element[bad | lost],
        np.where(bad, "bad_value", "unknown_bus")[bad | lost],
        "the switch does not stand at an end of its element, or is neither open nor closed",
    )
    usable = ~(bad | lost)
    cut = _open_ends(lines, xy, of_line, at_start, at_end, usable & (kind == "l") & ~closed)
    lines, xy = cut
    site_of = {name: row for row, name in enumerate(transformers["transformer_id"].tolist())}
    off = [site_of[name] for name in element[usable & (kind == "t") & ~closed] if name in site_of]
    dead[off] = True
    merged = np.arange(len(xy))
    joins = usable & (kind == "b") & closed
    if joins.any():
        other = np.array([node_of.get(name, -1) for name in element[joins]], dtype=np.int64)
        here, other = bus_row[joins][other >= 0], other[other >= 0]
        graph = csr_matrix((np.ones(here.size), (here, other)), shape=(len(xy),) * 2)
        _, group = connected_components(graph, directed=False)
        _, first = np.unique(group, return_index=True)
        merged = first[group]
        lines = replace(lines, start=merged[lines.start], end=merged[lines.end])
    return (lines, xy, dead, merged), faults, none


def _open_ends(
    lines: Lines, xy: Array, of_line: Array, at_start: Array, at_end: Array, is_open: Array
) -> tuple[Lines, Array]:
    first, last = line_ends(lines.shapes)
    open_start = np.unique(of_line[is_open & at_start])
    open_end = np.unique(of_line[is_open & at_end])
    start, end = lines.start.copy(), lines.end.copy()
    start[open_start] = len(xy) + np.arange(open_start.size)
    end[open_end] = len(xy) + open_start.size + np.arange(open_end.size)
    return replace(lines, start=start, end=end), np.concatenate([xy, first[open_start], last[open_end]])
