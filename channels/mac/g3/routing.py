"""What the packet tier of G3-PLC asks of a routing, and the routing that stands still."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from typing import Any, Protocol

import simpy

from ...technology import Routes
from ..plc.cell_links import CellLinks

Steps = Generator[Any, Any, Any]


class Routing(Protocol):
    """How the nodes of a cell find their ways; nodes are member indices, the concentrator is the last."""

    joined_s: dict[int, float]
    """Time at which each node last joined [s]; NaN while it has not."""

    def next_hop(self, node: int, destination: int) -> int:
        """Next node on the way; -1 where the node knows none."""
        ...

    def link_failed(self, node: int, next_hop: int, destination: int) -> None:
        """The next node did not acknowledge a fragment for this destination in all its tries."""
        ...

    def find(self, node: int, destination: int, source: int) -> simpy.Process:
        """Look for a way from ``node``, which holds a fragment of ``source``; ends with whether there is one."""
        ...

    def understands(self, payload: bytes) -> bool:
        """Whether a control payload can be read; only such ones are handed to `heard`."""
        ...

    def heard(self, node: int, sender: int, payload: bytes, lqi: int) -> None:
        """A control payload has arrived at a node."""
        ...

    def used(self, node: int, destination: int) -> None:
        """The node has passed a fragment on towards this destination."""
        ...

    def route(self, node: int) -> list[int]:
        """Nodes to the concentrator by the present tables, both included; empty where there is no way."""
        ...

    def fail(self, node: int) -> None:
        """The modem of a node has gone silent."""
        ...

    def restore(self, node: int) -> None:
        """The modem of a node is on again and knows nothing."""
        ...

    def cold_start(self, nodes: Sequence[int]) -> None:
        """These nodes forget all and boot again."""
        ...

    def retune(self, links: CellLinks) -> None:
        """Links have changed."""
        ...


class StaticRouting:
    """Routes that stand: the tree of the fast tier, in which nobody looks for another way.

    Parameters
    ----------
    env, links : of the cell;  routes : of the fast tier;  n_meters : of the paths
    """

    def __init__(self, env: simpy.Environment, links: CellLinks, routes: Routes, n_meters: int) -> None:
        self._env, self._root = env, links.n - 1
        site = int(links.node[-1]) - n_meters
        place = {int(node): index for index, node in enumerate(links.node)}
        meters = links.node[:-1]
        self._parent = [
            place.get(int(parent), -1) if server == site else -1
            for parent, server in zip(routes.parent[meters], routes.server[meters], strict=True)
        ] + [-1]
        self._down: dict[int, dict[int, int]] = {}
        self.joined_s = {
            node: 0.0 if parent >= 0 or node == self._root else math.nan for node, parent in enumerate(self._parent)
        }

    def next_hop(self, node: int, destination: int) -> int:
        """Down where the destination lies below the node, up otherwise."""
        below = self._down.get(destination)
        if below is None:
            way = self.route(destination)
            below = self._down[destination] = dict(zip(way[1:], way, strict=False))
        return below.get(node, self._parent[node])

    def route(self, node: int) -> list[int]:
        """Nodes to the concentrator, both included; empty where there is no way."""
        way = [node]
        while way[-1] != self._root:
            if self._parent[way[-1]] < 0:
                return []
            way.append(self._parent[way[-1]])
        return way

    def find(self, node: int, destination: int, source: int) -> simpy.Process:
        """There is no other way."""
        return self._env.process(self._nowhere())

    def _nowhere(self) -> Steps:
        yield self._env.timeout(0)
        return False

    def link_failed(self, node: int, next_hop: int, destination: int) -> None:
        """Routes stand."""

    def understands(self, payload: bytes) -> bool:
        """Nobody sends control payloads."""
        return False

    def heard(self, node: int, sender: int, payload: bytes, lqi: int) -> None:
        """Nobody sends control payloads."""

    def used(self, node: int, destination: int) -> None:
        """Routes do not age."""

    def fail(self, node: int) -> None:
        """Routes stand."""
        self.joined_s[node] = math.nan

    def restore(self, node: int) -> None:
        """Routes stand, the node is back at once."""
        self.joined_s[node] = self._env.now if self._parent[node] >= 0 or node == self._root else math.nan

    def cold_start(self, nodes: Sequence[int]) -> None:
        """Routes stand, the nodes are back at once."""
        for node in nodes:
            self.restore(node)

    def retune(self, links: CellLinks) -> None:
        """Routes stand."""
