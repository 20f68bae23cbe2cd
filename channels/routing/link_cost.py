"""Link cost of G3-PLC meshes, and the cheapest tree towards the concentrators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

Array = NDArray[Any]

WEAK_LINK_COST = 4096.0
"""More than any path of strong links costs: fewer weak links come first, then lower cost."""


@dataclass(frozen=True)
class CostWeights:
    """Weights of the link cost; defaults are those of the ITU-T G.9903 profile.

    robust, modulation, tones, quality, hop : Kr, Km, Kc, Kq, Kh; a hop counts against the quality of links
    lqi_low, lqi_high, lqi_weak : link quality indicator, 4 (SNR dB + 10), limited to 0..255.
    """

    robust: float = 0.0
    modulation: float = 0.0
    tones: float = 0.0
    quality: float = 10.0
    hop: float = 4.0
    lqi_low: float = 0.0
    lqi_high: float = 255.0
    lqi_weak: float = 52.0


def link_quality_indicator(snr_db: Array) -> Array:
    """LQI 0 to 255 in steps of a quarter dB from -10 dB, after the G3-PLC specification.

    >>> link_quality_indicator(np.array([-20.0, 3.25, 60.0]))
    array([  0.,  53., 255.])
    """
    return np.asarray(np.clip(np.floor(4 * (np.asarray(snr_db, dtype=np.float64) + 10)), 0, 255))


def directional_cost(
    snr_db: Array, robust: Array, modulation_cost: Array, tone_share: Array, weights: CostWeights
) -> Array:
    """Cost of a link in one direction.

    Parameters
    ----------
    snr_db : (n,) average SNR [dB];  robust : (n,) bool, the robust mode is used
    modulation_cost : (n,) 3 for robust and DBPSK, 2 for DQPSK, 1 for D8PSK;  tone_share : (n,) active tones over all

    Returns
    -------
    (n,) whole numbers, halves rounded down.

    References
    ----------
    ITU-T G.9903 annex B, composite metric: Kr r + Km m + Kc (1 - tones) + Kq clip((LQI_hi - LQI) / (LQI_hi - LQI_lo)).
    """
    span = (weights.lqi_high - link_quality_indicator(snr_db)) / (weights.lqi_high - weights.lqi_low)
    raw = (
        weights.robust * robust
        + weights.modulation * modulation_cost
        + weights.tones * (1 - tone_share)
        + weights.quality * np.clip(span, 0, 1)
    )
    return np.asarray(np.ceil(raw - 0.5))


def link_cost(cost_up: Array, cost_down: Array, snr_worst_db: Array, weights: CostWeights) -> Array:
    """Cost of a link for route choice: the worse direction and the hop, weak links far above all others.

    A fraction below 1 that falls with the SNR breaks ties, so that equal costs do not depend on the row order.
    """
    weak = link_quality_indicator(snr_worst_db) < weights.lqi_weak
    tie = 0.001 * (1 - np.clip((np.asarray(snr_worst_db, dtype=np.float64) + 20) / 200, 0, 1))
    return np.asarray(np.maximum(cost_up, cost_down) + weights.hop + WEAK_LINK_COST * weak + tie)


def cheapest_tree(
    start: Array, end: Array, cost: Array, n_nodes: int, roots: Array, area: Array, max_hops: int
) -> tuple[Array, Array, Array, Array]:
    """Next node towards the nearest root for every node, within a hop limit.

    Parameters
    ----------
    start, end, cost : (n_links,) undirected links, each once, cost positive
    n_nodes : int;  roots : (n_roots,) nodes
    area : (n_nodes,) group of each node; links never leave a group
    max_hops
        Longest route, at least 1.

    Returns
    -------
    parent, root : (n_nodes,) node or -1;  hops : (n_nodes,) 0 where there is none;  too_far : (n_nodes,) bool, reached
    only beyond the limit. A group in which the cheapest route of some node would pass the limit is routed anew by
    fewest hops first. Raises ValueError where ``max_hops`` is below 1.
    """
    if max_hops < 1:
        raise ValueError(f"max_hops {max_hops} must be at least 1")
    parent, root, hops = _tree(start, end, cost, n_nodes, roots)
    crowded = np.unique(area[hops > max_hops])
    if crowded.size:
        again = np.isin(area[start], crowded)
        steps = np.where(again, cost + (1.0 + cost.max()) * n_nodes, cost)
        parent, root, hops = _tree(start, end, steps, n_nodes, roots)
    too_far = hops > max_hops
    return np.where(too_far, -1, parent), np.where(too_far, -1, root), np.where(too_far, 0, hops), too_far


def _tree(start: Array, end: Array, cost: Array, n_nodes: int, roots: Array) -> tuple[Array, Array, Array]:
    """Shortest-path forest from the roots: parent, root and hops of each node."""
    parent, root = np.full(n_nodes, -1), np.full(n_nodes, -1)
    hops = np.zeros(n_nodes, np.int64)
    if roots.size == 0 or start.size == 0:
        return parent, root, hops
    graph = coo_array((cost, (start, end)), shape=(n_nodes, n_nodes)).tocsr()
    distance, parent, root = dijkstra(graph, directed=False, indices=roots, return_predecessors=True, min_only=True)
    parent, root = np.where(parent < 0, -1, parent), np.where(np.isfinite(distance), root, -1)
    walker = np.where(parent >= 0, np.arange(n_nodes), -1)
    while np.any(moving := walker >= 0):
        walker[moving] = parent[walker[moving]]
        hops += walker >= 0
    return parent, root, hops
