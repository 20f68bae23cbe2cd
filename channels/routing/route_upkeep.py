"""Routes of the next moment of a day: what stands is kept while it works and is not much worse than the best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..technology import Routes
from .cheapest_tree import NEVER, Graph, Tree, cheapest_tree
from .link_cost import cost_of, weak_links

Array = NDArray[Any]


@dataclass(frozen=True)
class Upkeep:
    """How routes live on.

    repair : only routes of which a link has failed are looked for anew; without it all routes are, at every moment
    hysteresis : cost by which a standing route may be dearer than the cheapest one before it is given up, at least 0

    Raises ValueError for a negative hysteresis.
    """

    repair: bool
    hysteresis: float

    def __post_init__(self) -> None:
        """Refuse what would give up the cheapest route for itself."""
        if not self.hysteresis >= 0:
            raise ValueError(f"route_hysteresis {self.hysteresis} must not be negative; write 0 for none")


def tended_tree(
    graph: Graph,
    merit: Array,
    roots: Array,
    max_hops: int,
    before: Routes | None,
    row_of_link: Array,
    upkeep: Upkeep,
    relay: Array | None = None,
) -> tuple[Tree, Array]:
    """Tree of this moment, and who is too far for the hop limit; see `cheapest_tree.cheapest_tree`.

    Parameters
    ----------
    graph, merit, roots, max_hops, relay : as there, of this moment; meters are the first nodes
    before : routes of the moment before; None for none
    row_of_link : (n_rows,) row in ``merit`` of each link of the paths, -1 where it does not work now
    upkeep : see `Upkeep`

    Returns
    -------
    As `cheapest_tree`: the best tree where nothing was before or ``repair`` is off. Else a node keeps its way if all
    links of it work, all nodes on it keep theirs, it has no more weak links than the best way and is at most the
    hysteresis dearer; the others attach to what was kept in the best way. Where an area could not hold the hop limit
    with what was kept, its best tree is taken.
    """
    best, too_far = cheapest_tree(graph, merit, roots, max_hops, relay=relay)
    if before is None or not upkeep.repair:
        return best, too_far
    seeds = _kept(best, merit, roots, max_hops, before, row_of_link, upkeep.hysteresis, relay)
    return cheapest_tree(graph, merit, roots, max_hops, relay=relay, seeds=seeds)


def _kept(
    best: Tree,
    merit: Array,
    roots: Array,
    max_hops: int,
    before: Routes,
    row_of_link: Array,
    hysteresis: float,
    relay: Array | None,
) -> Tree:
    """Ways of the moment before that still hold, from the roots outwards, with their merit of now."""
    kept = Tree.bare(best.parent.size, roots)
    depth = np.where(before.server >= 0, before.hops, 0)
    for hops in range(1, min(int(depth.max(initial=0)), max_hops) + 1):
        node = np.flatnonzero(depth == hops)
        parent, row = before.parent[node].astype(np.int64), row_of_link[before.link[node]]
        fit = (row >= 0) & (kept.merit[parent] != NEVER)
        node, parent, row = node[fit], parent[fit], row[fit]
        total = kept.merit[parent] + merit[row] + (0 if relay is None else relay[parent])
        dearer = cost_of(total) - cost_of(best.merit[node])
        good = (weak_links(total) <= weak_links(best.merit[node])) & (dearer <= hysteresis)
        node, parent, row, total = node[good], parent[good], row[good], total[good]
        kept.parent[node], kept.link[node], kept.merit[node] = parent, row, total
        kept.root[node], kept.hops[node] = kept.root[parent], hops
    return kept


def subtree_sizes(parent: Array, hops: Array) -> Array:
    """Nodes that send over each node, itself included where it has a way.

    Parameters
    ----------
    parent : (n_nodes,) next node, -1 for none;  hops : (n_nodes,) links to the root, 0 for none

    Returns
    -------
    (n_nodes,) int64; roots count all of their tree but themselves.
    """
    size = (np.asarray(parent) >= 0).astype(np.int64)
    for level in range(int(np.max(hops, initial=0)), 0, -1):
        node = np.flatnonzero(hops == level)
        np.add.at(size, parent[node], size[node])
    return size
