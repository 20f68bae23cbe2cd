"""G3-PLC networks that form and heal: LOADng and joining of one cell behind the face that its cell asks for.

Where this differs from the trees of the fast tier: a node knows how it is heard only after a neighbour's tone-map
response, so a search may weigh a link by one direction; requests are broadcast once and may be lost, so a route need
not be the cheapest; a neighbour that did not acknowledge is left out for the time of the blacklist.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import simpy
from numpy.typing import NDArray

from ...paths import CablePaths
from ...routing.link_cost import link_quality_indicator
from ...routing.loadng import Link
from ...routing.loadng_links import LinkCosts
from ...routing.loadng_routing import LoadngRouting, Modem, read_message
from ...routing.loadng_settings import LoadngSettings
from ...technology import Routes
from ..plc.cell_links import CellLinks
from .join import G3Join, JoinSettings, read_join
from .join_messages import is_joining
from .routing import StaticRouting

if TYPE_CHECKING:
    from .cell import G3Cell

Array = NDArray[Any]


class G3Network:
    """Routes and membership of one cell; all nodes are member indices, the concentrator is the last.

    A network starts empty; `warm` fills it, `cold_start` lets members join by themselves.

    joined_s : per member, time at which it last joined [s]; NaN while it is outside
    """

    def __init__(
        self,
        env: simpy.Environment,
        modems: Sequence[Modem],
        links: CellLinks,
        euis: Sequence[int],
        costs: LinkCosts,
        uniform: Callable[[], float],
        loadng: LoadngSettings | None = None,
        join: JoinSettings | None = None,
    ) -> None:
        """``euis``: 64-bit addresses of the members;  ``uniform()``: numbers in [0, 1)."""
        self._env, self._modems, self._costs = env, modems, costs
        self._loadng = loadng or LoadngSettings()
        self._use(links)
        self.routing = LoadngRouting(env, modems, self._loadng, self._link_of, uniform)
        self.join = G3Join(env, modems, self.routing, euis, join or JoinSettings(), uniform)
        self.joined_s = self.join.joined_s

    def retune(self, links: CellLinks) -> None:
        """Links are as these tables say from now on; routes stay until they fail or a search finds better ones.

        Members outside that now have a usable way to the concentrator start to join.
        """
        self._use(links)
        for node in np.flatnonzero(within_reach(links.mode, self._loadng.max_hops)).tolist():
            self.join.start(node)

    def _use(self, links: CellLinks) -> None:
        self._lqi = link_quality_indicator(links.snr_db).astype(int).tolist()
        self._mode = links.mode.tolist()

    def _link_of(self, receiver: int, sender: int, lqi: int) -> Link:
        back = self._modems[receiver].reverse_lqi(sender)
        return self._costs.link(lqi, self._mode[sender][receiver], back, self._mode[receiver][sender])

    def warm(self, parent: Sequence[int], idle_s: float = 0.0) -> None:
        """Members with a parent are inside and their routes stand, both ways along the tree.

        Parameters
        ----------
        parent : (n,) next member towards the concentrator, -1 for none
        idle_s : time since the routes were last used [s]; beyond the validity of routes the concentrator's have ended

        Raises ValueError where a chain of parents does not end at the concentrator.
        """
        until_s = self._env.now + self._loadng.route_ttl_s - idle_s
        for node in range(len(parent) - 1):
            way = self._chain(parent, node)
            if len(way) > 1:
                self.join.inside(node, self._env.now)
                self._enter(way, until_s)

    def _chain(self, parent: Sequence[int], node: int) -> list[int]:
        """The node and those its data pass, up to the concentrator; only the node where it has no parent."""
        way = [node]
        while parent[way[-1]] >= 0 and len(way) <= len(parent):
            way.append(parent[way[-1]])
        if len(way) > 1 and way[-1] != self.join.head:
            raise ValueError(f"the parents of member {node} do not lead to the concentrator; give a tree")
        return way

    def _enter(self, way: list[int], until_s: float) -> None:
        """Routes between the first and the last of a way, at every node of it in both directions."""
        ends = (self.join.head, until_s), (way[0], until_s)
        for nodes, (goal, until) in zip((way[::-1], way), ends, strict=True):
            weak = cost = 0
            for hops, (here, there) in enumerate(zip(nodes[1:], nodes[:-1], strict=True), 1):
                link = self._costs.link(
                    self._lqi[there][here],
                    self._mode[there][here],
                    self._lqi[here][there],
                    self._mode[here][there],
                )
                weak, cost = weak + link.weak, cost + link.cost
                self.routing.nodes[here].table.fixed(goal, there, (weak, cost, hops), until, sequence=0)

    def next_hop(self, node: int, destination: int) -> int:
        """Neighbour to which data for a destination go; -1 where there is no route."""
        return self.routing.next_hop(node, destination)

    def link_failed(self, node: int, next_hop: int, destination: int) -> None:
        """A neighbour did not acknowledge data for a destination."""
        self.routing.link_failed(node, next_hop, destination)

    def find(self, node: int, destination: int, source: int = -1) -> simpy.Process:
        """A process that searches or repairs a route and ends with whether there is one; see `LoadngRouting.find`."""
        return self.routing.find(node, destination, source)

    def used(self, node: int, destination: int) -> None:
        """Data to a destination were acknowledged by the next hop."""
        self.routing.used(node, destination)

    def understands(self, payload: bytes) -> bool:
        """Whether this is a LOADng or joining frame with possible fields."""
        try:
            read_join(payload) if is_joining(payload) else read_message(payload)
        except ValueError:
            return False
        return True

    def heard(self, node: int, sender: int, payload: bytes, lqi: int) -> None:
        """A LOADng or joining frame arrived."""
        if is_joining(payload):
            self.join.heard(node, sender, payload, lqi)
        else:
            self.routing.heard(node, sender, payload, lqi)

    def cold_start(self, nodes: Sequence[int]) -> None:
        """These members lose all they knew of the network and boot again."""
        for node in nodes:
            self.join.boot(node)

    def fail(self, node: int) -> None:
        """The modem of a member has gone silent, and with it all it knew."""
        self.join.leave(node)

    def restore(self, node: int) -> None:
        """The modem of a member that was silent boots again."""
        self.join.boot(node)

    def route(self, node: int) -> list[int]:
        """Members from this one to the concentrator by the present tables, both included; empty without a way."""
        if self.routing.outside[node] or not self._modems[node].alive:
            return []
        return self.routing.way(node, self.join.head)


def within_reach(mode: Array, most_hops: int) -> Array:
    """Members that links usable both ways join to the last one, (n,) bool, itself included.

    Parameters
    ----------
    mode : (n, n) best usable mode, sender by receiver; -1 for none
    most_hops : longest way

    >>> within_reach(np.array([[-1, -1, 0], [-1, -1, 0], [0, -1, -1]]), 8)
    array([ True, False,  True])
    """
    usable = (mode >= 0) & (mode.T >= 0)
    near = np.arange(len(mode)) == len(mode) - 1
    for _ in range(most_hops):
        near = near | usable[near].any(axis=0)
    return np.asarray(near)


def standing_network(
    cell: G3Cell,
    paths: CablePaths,
    routes: Routes,
    costs: LinkCosts,
    loadng: LoadngSettings,
    join: JoinSettings,
    idle_s: float,
) -> G3Network:
    """Network of a cell as it stands when the reading window opens.

    Parameters
    ----------
    cell : whose modems and links it uses
    routes : of the fast tier: meters that have one are inside, and the routes stand both ways along the tree
    costs, loadng, join : numbers of the technology
    idle_s : time since the routes were last used [s]

    Returns
    -------
    G3Network. Meters without a route stay outside and silent until links change so that they have one, or until they
    are started.
    """
    euis = paths.node_key[cell.links.node].tolist()
    network = G3Network(cell.env, cell.modems, cell.links, euis, costs, cell.rng.random, loadng, join)
    tree = StaticRouting(cell.env, cell.links, routes, paths.n_meters)
    head = cell.links.n - 1
    network.warm([tree.next_hop(node, head) for node in range(head)] + [-1], idle_s)
    return network
