"""What a routing tree says of the links it uses."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..paths import CablePaths, RadioPaths
from ..technology import LinkQuality, Reason, Routes
from .etx_tree import along_path

Array = NDArray[Any]


def tree_snr_db(routes: Routes, paths: RadioPaths, quality: LinkQuality) -> tuple[Array, Array]:
    """Per meter, SNR at its parent and SNR from its parent [dB]; -inf without a link."""
    meter = np.arange(paths.n_meters)
    row = np.maximum(routes.link, 0)
    if quality.snr_up_db.size == 0:
        return np.full(paths.n_meters, -np.inf), np.full(paths.n_meters, -np.inf)
    first = paths.from_node[row] == meter
    has = routes.link >= 0
    up_db = np.where(first, quality.snr_up_db[row], quality.snr_down_db[row])
    down_db = np.where(first, quality.snr_down_db[row], quality.snr_up_db[row])
    return np.where(has, up_db, -np.inf), np.where(has, down_db, -np.inf)


def weakest_limit(routes: Routes, paths: RadioPaths | CablePaths, quality: LinkQuality) -> Array:
    """Per meter, the limit of the weakest link on its way, NONE without a way."""
    n_meters = paths.n_meters
    row, has = np.maximum(routes.link, 0), routes.link >= 0
    if quality.limit.size == 0:
        return np.zeros(n_meters, np.int8)
    margin = np.where(has, np.minimum(quality.margin_up_db, quality.margin_down_db)[row], np.inf)
    order = np.lexsort((np.arange(n_meters), margin))
    rank = np.full(paths.node_key.size, n_meters, np.int64)
    rank[order] = np.arange(n_meters)
    parent = np.full(paths.node_key.size, -1, np.int32)
    parent[:n_meters] = routes.parent
    weakest = order[np.minimum(along_path(parent, rank, np.minimum)[:n_meters], n_meters - 1)]
    return np.where(has, quality.limit[row[weakest]], Reason.NONE).astype(np.int8)


def audible_erlang(paths: RadioPaths, quality: LinkQuality, erlang: Array) -> Array:
    """Mean transmissions that each node hears over all channels (n_nodes,)."""
    heard = quality.usable
    first, second = paths.from_node[heard], paths.to_node[heard]
    n_nodes = paths.node_key.size
    return np.bincount(first, erlang[second], n_nodes) + np.bincount(second, erlang[first], n_nodes)
