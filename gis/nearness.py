"""Layers that lie nowhere near the cables they belong to: one of the two is read in the wrong CRS."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from .audit import Audited

Array = NDArray[Any]

NEAR_M = 1000.0
"""No service cable is longer, and no error of drawing larger [m]."""
FEW_SHARE = 0.01
"""A layer of which no larger share lies near a cable, or names a bus of one, was not drawn on the same map."""


def refuse_far(layer: Audited, cables: Audited, joined: Array) -> None:
    """Raise ValueError where next to no row of a layer has anything to do with the cables, naming both and their CRS.

    joined : (n,) bool rows that a node of the network was found for, by name or by place
    """
    if len(layer.frame) == 0 or len(cables.frame) == 0 or joined.mean() > FEW_SHARE:
        return
    shapes = np.asarray(cables.frame.geometry.array, dtype=object)
    if (shapely.is_missing(shapes) | shapely.is_empty(shapes)).all():
        return
    tree = shapely.STRtree(shapes)
    places = np.asarray(layer.frame.geometry.array, dtype=object)
    far_m = np.full(places.size, np.inf)
    (row, _), distance_m = tree.query_nearest(places, return_distance=True, all_matches=False)
    far_m[row] = distance_m
    near = int((far_m <= NEAR_M).sum())
    if near > FEW_SHARE * far_m.size:
        return
    ours, theirs = layer.layer, cables.layer
    n_near = f"only {near} of {far_m.size}" if near else f"none of {far_m.size}"
    raise ValueError(
        f"{ours.given.path}: {n_near} {ours.role} lies within {NEAR_M:g} m of a cable (in the median "
        f"{np.median(far_m) / 1000:.3g} km): layer {ours.role} is read as {_crs(layer)}, layer cables "
        f"({theirs.given.path}) as {_crs(cables)}; write the right one as area.{ours.role}.crs or area.cables.crs"
    )


def _crs(audited: Audited) -> str:
    crs = audited.layer.crs
    return crs.to_string() if crs is not None else "no CRS"
