"""What is on the table while an area is put together, and the count of what became of every row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyproj import CRS
from shapely.geometry.base import BaseGeometry

from .area import InputSource
from .audit import LISTED_COLUMNS, Audited, clip_to, no_rows
from .inputs import LAYER_ROLES, AreaInputs
from .readers import Layer, empty_layer, file_digest

Array = NDArray[Any]


@dataclass
class Desk:
    """What is on the table while an area is put together."""

    inputs: AreaInputs
    crs: CRS
    layers: dict[str, Layer]
    unknown_bus: Mapping[str, Array] = field(default_factory=dict)
    area: BaseGeometry | None = None
    audited: dict[str, Audited] = field(default_factory=dict)
    listed: list[pd.DataFrame] = field(default_factory=list)
    qa: list[pd.DataFrame] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def frame(self, role: str) -> gpd.GeoDataFrame:
        """The audited rows of a role, none where the layer is not given."""
        return self.audited[role].frame if role in self.audited else empty_layer(self.crs)


def clip_roles(desk: Desk, roles: Iterable[str], area: BaseGeometry | None) -> None:
    """Leave out of context layers what does not touch the area, and count it."""
    for role in roles:
        if role in desk.audited and area is not None:
            desk.audited[role] = audited = clip_to(desk.audited[role], area)
            if audited.n_clipped and len(audited.frame) == 0:
                desk.notes.append(
                    f"No row of the layer {role} touches the area; the layer has no effect (check area.{role}.crs)."
                )


def with_faults(audited: Audited, faults: pd.DataFrame) -> Audited:
    """The layer with further faults, found after its own audit."""
    return Audited(audited.layer, audited.frame, joined([audited.listed, faults], LISTED_COLUMNS), audited.n_clipped)


def added_flag(flag: Array, where: Array, word: str) -> Array:
    """(n,) flags with one more word where ``where`` holds."""
    longer = np.array([f"{old}+{word}" if old else word for old in flag], dtype=object)
    return np.where(where, longer, flag)


def joined(parts: Sequence[pd.DataFrame], columns: tuple[str, ...]) -> pd.DataFrame:
    """Lists of faults in one, in an order that rests on what the rows say and not on how they were numbered."""
    full = [part[list(columns)] for part in parts if len(part)]
    if not full:
        return no_rows(columns)
    frame = pd.concat(full, ignore_index=True)
    return frame.sort_values(["layer", "code", "id", "x_m", "y_m", "row"], ignore_index=True, kind="stable")


def sources(desk: Desk, base_path: Path) -> tuple[InputSource, ...]:
    """What became of the rows of each input; a path that the case file gives as absolute is told by its file name."""
    listed = joined(desk.listed, LISTED_COLUMNS)
    rows = []
    for role, layer in desk.layers.items():
        n_in = len(layer.frame)
        n_listed = int((listed["layer"] == role).sum())
        n_clipped = desk.audited[role].n_clipped if role in desk.audited else 0
        crs = layer.crs
        name = crs.to_string() if crs is not None else ""
        rows.append(
            InputSource(
                role,
                layer.given.shown_path,
                layer.layer,
                layer.digest,
                name,
                n_in,
                n_in - n_listed - n_clipped,
                n_listed,
                n_clipped,
                layer.given.licence,
            )
        )
    given = desk.inputs.terrain
    if given is not None:
        digest = file_digest(base_path / given.path)
        rows.append(InputSource("terrain", given.shown_path, "", digest, given.crs or "", 1, 1, 0, 0, given.licence))
    return tuple(rows)


def attributions(inputs: AreaInputs) -> tuple[str, ...]:
    """Lines that every map must carry, each once."""
    layers = [getattr(inputs, role) for role in LAYER_ROLES] + [inputs.terrain]
    lines = [layer.attribution for layer in layers if layer is not None and layer.attribution]
    return tuple(dict.fromkeys(lines))
