"""A feeder of one transformer area, switched over to the area next to it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from ..channels.cable import Cable
from ..channels.paths import CablePaths
from ..channels.powerline.pairs import area_pairs

Array = NDArray[Any]

SHORTEST_TIE_M = 1.0
"""A closed switch has some length too [m]: cables of none are not solved."""


@dataclass(frozen=True)
class Tie:
    """Where two areas can be joined: a node of each, and how far they are apart [m].

    here, there : feeder nodes;  other : site row of the area over there
    """

    here: int
    there: int
    other: int
    distance_m: float


def nearest_tie(paths: CablePaths, xy: Array, site: int, other: int = -1) -> Tie | None:
    """The shortest way from a feeder of one area into another; an open point of the network has no length at all.

    Parameters
    ----------
    xy : (n_feeder_nodes, 2) places [m]
    site : row of the area that gives a feeder away;  other : row of the one that takes it, -1 for any

    Returns
    -------
    Tie between a node that is not the bus, on a feeder with meters, and a node of a live area; None where there is no
    such pair. Equal distances are told apart by place, never by row.
    """
    placed = np.isfinite(xy).all(axis=1)
    standing = paths.site_feeder_node >= 0
    lives = np.append(standing, False)[paths.feeder_area] & placed
    own = paths.feeder_area == site
    taken = lives & (paths.feeder_area == other if other >= 0 else ~own)
    giver = np.flatnonzero(own & placed & (feeders(paths, site) >= 0) & _with_meters(paths, site))
    taker = np.flatnonzero(taken)
    if not giver.size or not taker.size:
        return None
    far_m, nearest = (np.asarray(one) for one in cKDTree(xy[taker]).query(xy[giver]))
    best = np.lexsort((xy[giver, 1], xy[giver, 0], np.round(far_m, 3)))[0]
    there = int(taker[nearest[best]])
    return Tie(int(giver[best]), there, int(paths.feeder_area[there]), float(far_m[best]))


def feeders(paths: CablePaths, site: int) -> Array:
    """(n_feeder_nodes,) number of the feeder that each node of an area hangs on; -1 for the bus and other areas.

    A feeder is all that stays together when the bus is taken away.
    """
    bus, area, n = int(paths.site_feeder_node[site]), paths.feeder_area, paths.n_feeder_nodes
    inside = (area[paths.edge_from] == site) & (area[paths.edge_to] == site)
    inside &= (paths.edge_from != bus) & (paths.edge_to != bus)
    start, end = paths.edge_from[inside], paths.edge_to[inside]
    graph = coo_array((np.ones(start.size, np.int8), (start, end)), shape=(n, n)).tocsr()
    number = connected_components(graph, directed=False)[1]
    member = area == site
    member[bus] = False
    return np.where(member, number, -1)


def _with_meters(paths: CablePaths, site: int) -> Array:
    """(n_feeder_nodes,) bool: the node's feeder has a meter."""
    number = feeders(paths, site)
    node = paths.meter_feeder_node[paths.meter_feeder_node >= 0]
    return np.isin(number, np.unique(number[node])) & (number >= 0)


def moved_feeder(paths: CablePaths, site: int, tie: Tie, cable: Cable, max_length_m: float) -> tuple[CablePaths, Array]:
    """The areas after a feeder was cut from its bus and joined to its neighbour.

    Parameters
    ----------
    cable : type of the tie;  max_length_m : pairs farther apart along the cables are left out

    Returns
    -------
    CablePaths with the links of the areas as they are now, and (n_meters,) bool: the meters that moved.
    """
    number = feeders(paths, site)
    moved = number == number[tie.here]
    bus = paths.site_feeder_node[site]
    cut = ((paths.edge_from == bus) & moved[paths.edge_to]) | ((paths.edge_to == bus) & moved[paths.edge_from])
    cables = paths.cables if cable in paths.cables else (*paths.cables, cable)
    start = np.append(paths.edge_from[~cut], tie.here).astype(np.int32)
    end = np.append(paths.edge_to[~cut], tie.there).astype(np.int32)
    length_m = np.append(paths.edge_length_m[~cut], max(tie.distance_m, SHORTEST_TIE_M))
    kind = np.append(paths.edge_cable[~cut], cables.index(cable)).astype(np.int16)
    area = np.where(moved, tie.other, paths.feeder_area).astype(np.int32)
    pairs = area_pairs(start, end, length_m, area, paths.meter_feeder_node, paths.site_feeder_node, max_length_m)
    after = replace(
        paths,
        edge_from=start,
        edge_to=end,
        edge_length_m=length_m,
        edge_cable=kind,
        cables=cables,
        feeder_area=area,
        from_node=pairs[0],
        to_node=pairs[1],
        distance_m=pairs[2],
    )
    node = paths.meter_feeder_node
    return after, np.asarray((node >= 0) & moved[np.maximum(node, 0)])
