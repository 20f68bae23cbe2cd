"""The best tree towards the concentrators under a whole-number merit, area by area."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .link_cost import HOP_BIT

Array = NDArray[Any]

NEVER = np.iinfo(np.int64).max
"""Merit of a node without a way."""


@dataclass(frozen=True)
class Graph:
    """Links of all nodes as neighbour lists, and the nodes of every area.

    first : (n_nodes + 1,) begin of each node's list;  neighbour, link : (2 n_links,) node and row of the link given
    member_first : (n_areas + 1,) begin of each area's nodes in ``member`` (n_nodes,);  nodes of no area stand nowhere
    """

    first: Array
    neighbour: Array
    link: Array
    member_first: Array
    member: Array

    @classmethod
    def of(cls, start: Array, end: Array, area: Array) -> Graph:
        """From undirected links.

        Parameters
        ----------
        start, end : (n_links,) nodes, each pair once;  area : (n_nodes,) group of each node, -1 for none; links never
            leave one. The node order of an area is that of the rows.
        """
        area = np.asarray(area, np.int64)
        first, neighbour, link = _lists(np.asarray(start, np.int64), np.asarray(end, np.int64), area.size)
        order = np.argsort(area, kind="stable")
        known = np.searchsorted(area[order], 0)
        n_areas = int(area.max(initial=-1)) + 1
        member_first = np.searchsorted(area[order], np.arange(n_areas + 1)) - known
        return cls(first, neighbour, link, member_first, order[known:])


@dataclass(frozen=True)
class Tree:
    """A forest over all nodes, (n_nodes,) columns.

    parent : next node, -1 for roots and none;  link : row of the link to it;  root : -1 for none
    hops : links to the root;  merit : sum along the way, `NEVER` for none
    """

    parent: Array
    link: Array
    root: Array
    hops: Array
    merit: Array

    @classmethod
    def bare(cls, n_nodes: int, roots: Array) -> Tree:
        """Roots alone."""
        parent, link, root = np.full((3, n_nodes), -1, np.int64)
        merit = np.full(n_nodes, NEVER)
        root[roots], merit[roots] = roots, 0
        return cls(parent, link, root, np.zeros(n_nodes, np.int64), merit)


def cheapest_tree(
    graph: Graph, merit: Array, roots: Array, max_hops: int, *, relay: Array | None = None, seeds: Tree | None = None
) -> tuple[Tree, Array]:
    """Way of least merit from every node to a root.

    Parameters
    ----------
    graph : links;  merit : (n_links,) int64, positive, sums exact
    roots : (n_roots,) nodes
    max_hops
        Longest way, at least 1.
    relay : (n_nodes,) int64, not negative
        What a way costs in addition for passing on from a node (or ending there); None for nothing.
    seeds
        Ways that stand already, closed under parents; the others attach to them. None for none.

    Returns
    -------
    Tree, and (n_nodes,) bool where a node would be reached only beyond the limit. An area in which the best way of some
    node would pass the limit is routed anew, without seeds, by fewest hops first. Of equal merits the smaller node
    number stays. Raises ValueError where ``max_hops`` is below 1.
    """
    if max_hops < 1:
        raise ValueError(f"max_hops {max_hops} must be at least 1")
    n_nodes = graph.first.size - 1
    extra = np.zeros(n_nodes, np.int64) if relay is None else np.asarray(relay, np.int64)
    tree = Tree.bare(n_nodes, roots)
    given = tree if seeds is None else seeds
    for name in ("parent", "link", "root", "hops", "merit"):
        getattr(tree, name)[:] = getattr(given, name)
    is_root = np.zeros(n_nodes, bool)
    is_root[roots] = True
    lists = graph.first, graph.neighbour, graph.link, graph.member_first, graph.member
    _all_areas(*lists, np.asarray(merit, np.int64), extra, is_root, max_hops,
               tree.parent, tree.link, tree.root, tree.hops, tree.merit)  # fmt: skip
    too_far = tree.hops > max_hops
    for column in (tree.parent, tree.link, tree.root):
        column[too_far] = -1
    tree.hops[too_far], tree.merit[too_far] = 0, NEVER
    return tree, too_far


def hop_merit(n_links: int) -> Array:
    """(n_links,) merit that counts hops alone."""
    return np.full(n_links, np.int64(1) << HOP_BIT)


@njit(cache=True, nogil=True)
def _lists(start, end, n_nodes):  # type: ignore[no-untyped-def]
    """Begin of each node's list, neighbours, and link rows."""
    first = np.zeros(n_nodes + 1, np.int64)
    for row in range(start.size):
        first[start[row] + 1] += 1
        first[end[row] + 1] += 1
    first = np.cumsum(first)
    place = first.copy()
    neighbour, link = np.empty(2 * start.size, np.int64), np.empty(2 * start.size, np.int64)
    for row in range(start.size):
        for here, there in ((start[row], end[row]), (end[row], start[row])):
            neighbour[place[here]], link[place[here]] = there, row
            place[here] += 1
    return first, neighbour, link


@njit(cache=True, nogil=True)
def _all_areas(  # type: ignore[no-untyped-def]
    first, neighbour, link, member_first, member, merit, relay, is_root, max_hops, parent, edge, root, hops, total
):  # fmt: skip
    """Every area; again by fewest hops where some way is too long."""
    fixed = total != NEVER
    for area in range(member_first.size - 1):
        nodes = member[member_first[area] : member_first[area + 1]]
        _one_area(nodes, first, neighbour, link, merit, relay, False, fixed, parent, edge, root, hops, total)
        longest = 0
        for node in nodes:
            longest = max(longest, hops[node])
        if longest <= max_hops:
            continue
        for node in nodes:
            fixed[node] = is_root[node]
            parent[node], edge[node], root[node], hops[node], total[node] = -1, -1, -1, 0, NEVER
            if is_root[node]:
                root[node], total[node] = node, 0
        _one_area(nodes, first, neighbour, link, merit, relay, True, fixed, parent, edge, root, hops, total)


@njit(cache=True, nogil=True)
def _one_area(  # type: ignore[no-untyped-def]
    nodes, first, neighbour, link, merit, relay, hops_first, fixed, parent, edge, root, hops, total
):  # fmt: skip
    """Dijkstra's search from all nodes of the area that have a way; ``fixed`` ones keep theirs."""
    waiting = nodes.copy()
    for left in range(nodes.size, 0, -1):
        best = 0
        for place in range(1, left):
            if _before(waiting[place], waiting[best], hops_first, hops, total):
                best = place
        here = waiting[best]
        if total[here] == NEVER:
            return
        waiting[best] = waiting[left - 1]
        for row in range(first[here], first[here + 1]):
            there = neighbour[row]
            way, steps = total[here] + merit[link[row]] + relay[here], hops[here] + 1
            if fixed[there] or (hops_first and total[there] != NEVER and hops[there] < steps):
                continue
            nearer = hops_first and (total[there] == NEVER or steps < hops[there])
            if nearer or way < total[there] or (way == total[there] and here < parent[there]):
                total[there], parent[there], edge[there] = way, here, link[row]
                root[there], hops[there] = root[here], steps


@njit(cache=True, nogil=True)
def _before(one, other, hops_first, hops, total):  # type: ignore[no-untyped-def]
    """Whether a node is settled before another; nodes without a way come last."""
    if hops_first and total[one] != NEVER and total[other] != NEVER and hops[one] != hops[other]:
        return hops[one] < hops[other]
    if total[one] != total[other]:
        return total[one] < total[other]
    return one < other
