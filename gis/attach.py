"""Which node of the network and which transformer a meter belongs to."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .audit import fault_rows, no_rows
from .columns import texts
from .feeders import GivenNetwork, nearest_of
from .inputs import InferenceRules

Array = NDArray[Any]


def attach_meters(
    meters: gpd.GeoDataFrame, network: GivenNetwork, transformers: gpd.GeoDataFrame, rules: InferenceRules
) -> tuple[Array, Array, Array, pd.DataFrame]:
    """Feeder node and transformer of each meter, (n,) bool where the node was guessed by place, and oddities.

    A meter joins its bus; without one the nearest fed node within ``attach_distance_m``; where no node is found the
    transformer it names still counts.
    """
    feeders = network.feeders
    bus, named = texts(meters, "bus"), texts(meters, "transformer")
    node = np.array([network.bus_node.get(name, -1) for name in bus], dtype=np.int64)
    fed = np.flatnonzero(feeders.node_area >= 0)
    free = np.flatnonzero(node < 0)
    guessed = np.zeros(len(meters), dtype=bool)
    if fed.size and free.size:
        places = np.column_stack([feeders.node_x_m[fed], feeders.node_y_m[fed]])
        far_m, nearest = nearest_of(places, meters[["x_m", "y_m"]].to_numpy(dtype=float)[free])
        near = far_m <= rules.attach_distance_m
        node[free[near]] = fed[nearest[near]]
        guessed[free[near]] = True
    transformer = np.where(node >= 0, feeders.node_area[np.maximum(node, 0)] if feeders.node_area.size else -1, -1)
    row_of = {name: row for row, name in enumerate(transformers["transformer_id"].tolist())}
    stated = np.array([row_of.get(name, -1) for name in named], dtype=np.int64)
    differs = (stated >= 0) & (transformer >= 0) & (stated != transformer)
    transformer = np.where((transformer < 0) & (node < 0), stated, transformer)
    unknown = (bus != "") & np.array([name not in network.bus_node for name in bus], dtype=bool)
    qa = pd.concat(
        [
            unknown_transformers(meters, transformers),
            _meter_qa(
                meters, differs, "other_transformer", "the meter names another transformer than its cables lead to"
            ),
            _meter_qa(
                meters,
                unknown,
                "unknown_bus",
                np.array(
                    [f'the meter\'s bus "{name}" is not in the network; joined by place' for name in bus[unknown]]
                ),
            ),
        ],
        ignore_index=True,
    )
    return node, transformer, guessed, qa


def unknown_transformers(meters: gpd.GeoDataFrame, transformers: gpd.GeoDataFrame) -> pd.DataFrame:
    """Meters that name a transformer which is not among the usable ones: they stay, and theirs is found by place."""
    named = texts(meters, "transformer")
    unknown = (named != "") & ~np.isin(named.astype(str), transformers["transformer_id"].to_numpy(dtype=str))
    if not unknown.any():
        return no_rows()
    words = [
        f'the meter names transformer "{name}", which is not among the usable rows of the layer transformers; '
        "its transformer is found by bus or place"
        for name in named[unknown]
    ]
    return _meter_qa(meters, unknown, "unknown_transformer", np.array(words, dtype=object))


def _meter_qa(meters: gpd.GeoDataFrame, mask: Array, code: str, detail: str | Array) -> pd.DataFrame:
    rows = meters.loc[mask]
    return fault_rows(
        "meters", rows["row"].to_numpy(), rows["meter_id"].to_numpy(), code, detail, rows["x_m"], rows["y_m"]
    )
