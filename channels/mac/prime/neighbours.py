"""Whom each node of a PRIME network hears, and by whom it is heard, as columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...paths import CablePaths
from ...technology import LinkQuality
from .framing import pair_frame
from .hops import robust_threshold_db
from .settings import PrimeMac

Array = NDArray[Any]


@dataclass(frozen=True)
class Links:
    """All links, node by node, each at both of its ends.

    start : (n_nodes + 1,) where the links of each node begin;  other : (2 n_links,) node at the far end
    out_db, in_db : (2 n_links,) SNR of the most robust mode from the node and to it [dB]
    """

    start: Array
    other: Array
    out_db: Array
    in_db: Array


def links_of(mac: PrimeMac, paths: CablePaths, quality: LinkQuality, legacy: Array) -> Links:
    """Links of every node; ``legacy`` (n_nodes,) bool tells those of version 1.3.6."""
    n_nodes = paths.n_meters + paths.n_sites
    first, second = paths.from_node.astype(np.int64), paths.to_node.astype(np.int64)
    floor_db = robust_threshold_db(mac, pair_frame(mac, legacy[first], legacy[second]))
    here, other = np.concatenate([first, second]), np.concatenate([second, first])
    up_db, down_db = quality.margin_up_db + floor_db, quality.margin_down_db + floor_db
    order = np.argsort(here, kind="stable")
    start = np.append(0, np.cumsum(np.bincount(here, minlength=n_nodes)))
    return Links(
        start,
        other[order],
        np.concatenate([up_db, down_db])[order],
        np.concatenate([down_db, up_db])[order],
    )
