"""LOADng of a whole cell on simulated modems: what its nodes want to say is said, and heard by others."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import lru_cache
from typing import Any, Protocol

import simpy

from .loadng import EVERYBODY, Action, Found, Link, LoadngNode, Say, Wake
from .loadng_messages import decode
from .loadng_settings import LoadngSettings

Steps = Generator[Any, Any, Any]
LinkOf = Callable[[int, int, int], Link]
"""Receiver, sender and LQI to the link between them."""

read_message = lru_cache(maxsize=4096)(decode)
"""`decode` that remembers: the same request reaches many nodes."""


class Modem(Protocol):
    """What routing and joining ask of a modem; nodes are member indices.

    alive : bool, it is powered;  outside : bool, it has no short address and takes only joining frames
    """

    alive: bool
    outside: bool

    def unicast(self, receiver: int, payload: bytes, *, high_priority: bool = False) -> Any:
        """A process that ends with whether the neighbour acknowledged."""
        ...

    def broadcast(self, payload: bytes) -> Any:
        """A process that ends when the bytes have been said."""
        ...

    def reset(self) -> None:
        """Forget all neighbours."""
        ...

    def reverse_lqi(self, neighbour: int) -> int | None:
        """LQI that a neighbour reported of frames from here; None without a valid report."""
        ...


class LoadngRouting:
    """Routing of one cell; nodes are member indices, which are also their short addresses.

    Parameters
    ----------
    modems : one per member
    link_of : link over which a receiver heard a sender
    uniform : numbers in [0, 1)
    """

    def __init__(
        self,
        env: simpy.Environment,
        modems: Sequence[Modem],
        settings: LoadngSettings,
        link_of: LinkOf,
        uniform: Callable[[], float],
    ) -> None:
        self.env, self._modems, self.link_of = env, modems, link_of
        self.nodes = [LoadngNode(index, settings, uniform) for index in range(len(modems))]
        self.outside = [False] * len(modems)
        self._wanted: dict[tuple[int, int], simpy.Event] = {}

    def next_hop(self, node: int, destination: int) -> int:
        """Neighbour to which data for a destination go; -1 where there is no route."""
        return -1 if self.outside[node] else self.nodes[node].table.hop(destination, self.env.now)

    def used(self, node: int, destination: int) -> None:
        """Data went that way and were acknowledged."""
        self.nodes[node].table.used(destination, self.env.now)

    def link_failed(self, node: int, next_hop: int, destination: int) -> None:
        """Data for a destination were not acknowledged by the neighbour, which leads nowhere from now on."""
        self.nodes[node].table.drop(destination, next_hop)
        self.nodes[node].link_failed(self.env.now, next_hop)

    def find(self, node: int, destination: int, source: int = EVERYBODY) -> simpy.Process:
        """Search a route, or repair one.

        Parameters
        ----------
        source
            Whose data wait; where a relay searches in vain, that node is sent a route error.

        Returns
        -------
        A process that ends with whether there is a route now.
        """
        return self.env.process(self._find(node, destination, source))

    def _find(self, node: int, destination: int, source: int) -> Steps:
        if self.outside[node] or not self._modems[node].alive:
            return False
        ended = self._wanted.setdefault((node, destination), self.env.event())
        relay = source not in (EVERYBODY, node)
        self._do(node, self.nodes[node].find(self.env.now, destination, relay))
        ok = yield ended
        if not ok and relay:
            self._do(node, self.nodes[node].unreachable(self.env.now, destination, source))
        return ok

    def heard(self, node: int, sender: int, payload: bytes, lqi: int) -> None:
        """A LOADng message arrived; a node outside the network does not listen, unreadable ones were refused below."""
        if self.outside[node]:
            return
        link = self.link_of(node, sender, lqi)
        self._do(node, self.nodes[node].heard(self.env.now, sender, read_message(payload), link))

    def restart(self, node: int) -> None:
        """A node loses its tables; its searches end without a route."""
        self.nodes[node].restart()
        for key in [key for key in self._wanted if key[0] == node]:
            self._wanted.pop(key).succeed(False)

    def _do(self, node: int, actions: Sequence[Action]) -> None:
        for action in actions:
            if isinstance(action, Found):
                ended = self._wanted.pop((node, action.destination), None)
                if ended is not None:
                    ended.succeed(action.ok)
            elif isinstance(action, Wake):
                self._later(node, action)
            elif action.to == EVERYBODY:
                self._modems[node].broadcast(action.payload)
            else:
                self.env.process(self._say(node, action))

    def _later(self, node: int, wake: Wake) -> None:
        timeout = self.env.timeout(wake.delay_s)
        timeout.callbacks.append(lambda _: self._do(node, self.nodes[node].wake(self.env.now, wake.key)))

    def _say(self, node: int, said: Say) -> Steps:
        acknowledged = yield self._modems[node].unicast(said.to, said.payload)
        self._do(node, self.nodes[node].told(self.env.now, said, acknowledged))

    def way(self, node: int, destination: int) -> list[int]:
        """Nodes along the present tables, both ends included; empty where they lead nowhere."""
        nodes = [node]
        while nodes[-1] != destination:
            hop = self.next_hop(nodes[-1], destination)
            if hop < 0 or hop in nodes or self.outside[hop] or not self._modems[hop].alive:
                return []
            nodes.append(hop)
        return nodes
