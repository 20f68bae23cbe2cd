"""Bootstrapping messages over the mesh between an agent and the coordinator, hop by hop over their routes."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from typing import Any

import simpy

from ...routing.loadng_routing import LoadngRouting, Modem
from .join_messages import FarLbp, Lbp, encode_join

Steps = Generator[Any, Any, Any]
TRIES = 2
"""Ways a relay tries: the one it knows, and one more after a repair."""


class JoinRelay:
    """Carries messages between members; ``arrived(node, message)`` is called at the destination."""

    def __init__(
        self,
        env: simpy.Environment,
        modems: Sequence[Modem],
        routing: LoadngRouting,
        arrived: Callable[[int, FarLbp], None],
    ) -> None:
        self._env, self._modems, self._routing, self._arrived = env, modems, routing, arrived

    def send(self, node: int, destination: int, message: Lbp) -> None:
        """From one member to another."""
        hops_left = self._routing.nodes[node].settings.max_hops
        self._env.process(self._pass(node, FarLbp(node, destination, hops_left, message)))

    def heard(self, node: int, message: FarLbp) -> None:
        """At a member: its own, or to be passed on while it may."""
        if message.destination == node:
            self._arrived(node, message)
        elif message.hops_left > 1:
            self._env.process(self._pass(node, replace(message, hops_left=message.hops_left - 1)))

    def _pass(self, node: int, message: FarLbp) -> Steps:
        goal = message.destination
        for _ in range(TRIES):
            hop = self._routing.next_hop(node, goal)
            if hop < 0:
                yield self._routing.find(node, goal, message.originator)
                hop = self._routing.next_hop(node, goal)
            if hop < 0:
                return
            acknowledged = yield self._modems[node].unicast(hop, encode_join(message))
            if acknowledged:
                self._routing.used(node, goal)
                return
            self._routing.link_failed(node, hop, goal)
