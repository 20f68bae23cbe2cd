"""What no network can be built from: cables without a length, of an unknown type, or in a loop where none may be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from .audit import Audited
from .columns import flags, numbers, texts
from .lines import Lines, line_lengths
from .readers import row_word

Array = NDArray[Any]

JOINT, REFUSE = "joint", "refuse"
"""What a cable of length 0 is: a joint of two buses, or a fault."""

ODD_RATIO = 10.0
"""Sums of told and drawn lengths that differ by more are told: a slip of unit makes 1000, sketched maps up to 5."""

Resolver = Callable[[str], object]
"""Raises ValueError for a cable type that the power-line model does not know."""


def refuse_lengths(cables: Audited, zero_length_cables: str) -> None:
    """Raise ValueError where a cable in service has no usable length, naming layer, row, cable and fix."""
    frame = cables.frame
    length_m, wrong, unknown = line_lengths(frame)
    used, _ = flags(frame, "in_service", True)
    for fault, words, fix in (
        (wrong, "its length is negative or no number", "correct it, or leave it empty where the cable is drawn"),
        (unknown, "it has neither a length nor a drawn course", "give length_m or length_km"),
        (
            (length_m == 0) & (zero_length_cables != JOINT),
            "its length is 0",
            f'correct it, or write area.zero_length_cables = "{JOINT}" where such cables only join two buses',
        ),
    ):
        rows = np.flatnonzero(fault & used)
        if rows.size:
            one = f" (one of {rows.size} such rows)" if rows.size > 1 else ""
            raise ValueError(f"{_named(cables, frame, rows[0])}: {words}{one}; {fix}")


def length_notes(cables: Audited) -> list[str]:
    """Sentences on cables without a length, whose drawn course counts, and on sums of lengths that are odd."""
    told = [numbers(cables.frame, name)[0] for name in ("length_m", "length_km") if name in cables.frame]
    n_empty = int(np.isnan(told).all(axis=0).sum()) if told else 0
    n_all = len(cables.frame)
    notes = [f"{n_empty} of {n_all} cables have no length in their row; their drawn course counts."] if n_empty else []
    told_m = float(np.nan_to_num(line_lengths(cables.frame)[0], posinf=0.0).sum())
    drawn_m = float(shapely.length(np.asarray(cables.frame.geometry.array, dtype=object)).sum())
    if drawn_m > 0 and not 1 / ODD_RATIO < told_m / drawn_m < ODD_RATIO:
        notes.append(
            f"The cables are {told_m / 1000:.4g} km long by their rows and {drawn_m / 1000:.4g} km as drawn: check the "
            "unit and the column of their length (length_m or length_km)."
        )
    return notes


def refuse_types(cables: Audited, lines: Lines, mapped: Mapping[str, str], resolve: Resolver) -> None:
    """Raise ValueError for a cable in use whose type is not known, naming layer, row, cable, nearest type and fix.

    mapped : the user's names to known ones, as already applied to ``lines``.
    """
    for name in dict.fromkeys(lines.cable.tolist()):
        try:
            resolve(name)
        except ValueError as error:
            rows = np.flatnonzero(lines.cable == name)
            row = cables.frame["row"].tolist().index(lines.rows[rows[0]])
            told = [theirs for theirs, ours in mapped.items() if ours == name]
            by = f" (as area.cable_types maps {told[0]!r})" if told else ""
            one = f" (one of {rows.size} cables of the type)" if rows.size > 1 else ""
            words = error if name else "it names no cable type; map the column `cable` in area.cables.columns"
            raise ValueError(f"{_named(cables, cables.frame, row)}{one}: {words}{by}") from None


def refuse_loops(cables: Audited, lines: Lines, transformer_nodes: Array) -> None:
    """Raise ValueError where cables close a loop, or join two transformers, naming the cable that does.

    Cables count in the order of their ids, so the one named is the first that closes a loop with those before it.
    """
    top = np.arange(
        int(max(lines.start.max(initial=0), lines.end.max(initial=0), transformer_nodes.max(initial=0))) + 1
    )
    feeds = np.zeros(top.size, dtype=bool)
    feeds[transformer_nodes] = True

    def root(node: int) -> int:
        while top[node] != node:
            top[node] = top[top[node]]
            node = int(top[node])
        return node

    for row, (start, end) in enumerate(zip(lines.start.tolist(), lines.end.tolist(), strict=True)):
        a, b = root(start), root(end)
        if a == b or (feeds[a] and feeds[b]):
            what = "it closes a loop" if a == b else "it joins the networks of two transformers"
            at = cables.frame["row"].tolist().index(lines.rows[row])
            raise ValueError(
                f"{_named(cables, cables.frame, at)}: {what}, but area.radial = true; open it with a switch or "
                "in_service, or write radial = false and the loop is solved as it is"
            )
        top[a], feeds[b] = b, feeds[a] or feeds[b]


def _named(cables: Audited, frame: gpd.GeoDataFrame, at: int) -> str:
    """File, layer, row of the input and id of a cable."""
    name = texts(frame, "cable_id")[at]
    path = cables.layer.given.path
    number = f"{row_word(path)} {frame['row'].iloc[at]}"
    return f"{path}: layer cables, {number}" + (f", cable {name}" if name else "")
