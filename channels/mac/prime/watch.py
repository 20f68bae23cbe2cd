"""A registered PRIME node watches its switch and its base node, and begins anew where one of them has gone."""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import Any

from .csma import beacons_until_lost, later
from .roles import Beacons, Hanger

Steps = Generator[Any, Any, Any]


class Watch:
    """When a node last heard its base node, and when it will have missed too many beacons."""

    def __init__(self, cell: Beacons, node: Hanger) -> None:
        self._cell, self._node = cell, node
        self._heard_s = -math.inf
        self._mark = object()

    def begin(self) -> None:
        """The node has just registered."""
        self.heard_base()
        self.beacons()
        self._cell.env.process(self._base(self._node.epoch))

    def heard_base(self) -> None:
        """A packet for the node itself came down."""
        self._heard_s = self._cell.env.now

    def beacons(self) -> None:
        """Draw when so many beacons of the switch will have been missed that it counts as gone."""
        cell, node, epoch = self._cell, self._node, self._node.epoch
        missing = cell.line.miss_ratio(node.parent, node.index) if node.parent in cell.places.slots else 1.0
        count = beacons_until_lost(missing, cell.mac.forming.missed_beacons, cell.line.rng)
        self._mark = mark = object()
        if count == math.inf:
            return
        lost_s = cell.clock.beacon_s(cell.places.expected(node.parent), cell.env.now, int(count))

        def lost() -> None:
            if epoch == node.epoch and mark is self._mark:
                node.boot(0.0)

        later(cell.env, lost_s - cell.env.now, lost)

    def _base(self, epoch: int) -> Steps:
        """Where the base node keeps silent for longer than it may, the registration is void."""
        mac, env = self._cell.mac, self._cell.env
        patience_s = (mac.alive_tries + 1) * mac.alive_s
        while epoch == self._node.epoch:
            left_s = self._heard_s + patience_s - env.now
            if left_s <= 0:
                self._node.boot(0.0)
                return
            yield env.timeout(left_s)
