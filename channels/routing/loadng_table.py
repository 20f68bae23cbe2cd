"""Routing table of one LOADng node: which offer of a route is better, how long it stands, what is remembered of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .loadng_messages import newer

Merit = tuple[int, int, int]
"""Weak links, cost, hops: compared in this order, less is better."""


@dataclass(slots=True)
class Route:
    """Way to one destination.

    next_hop : neighbour;  sequence : number of the message that brought the route, -1 where no message did
    merit : weak links, cost and hops to the destination
    valid_until_s : end of validity, -inf once the route has failed;  confirmed : data may use it
    """

    next_hop: int
    sequence: int
    merit: Merit
    valid_until_s: float
    confirmed: bool


def preferred(sequence: int, merit: Merit, old: Route) -> bool:
    """An offer replaces a route: newer sequence, then fewer weak links, then lower cost, then fewer hops.

    A route without sequence number gives way to any that has one.

    References
    ----------
    ITU-T G.9903 LOADng route comparison with weak link count, as implemented in open stacks.

    >>> old = Route(next_hop=3, sequence=7, merit=(0, 40, 2), valid_until_s=60.0, confirmed=True)
    >>> preferred(7, (0, 39, 5), old), preferred(7, (1, 10, 1), old), preferred(8, (9, 99, 9), old)
    (True, False, True)
    """
    if sequence < 0 or old.sequence < 0:
        return sequence >= 0 or (old.sequence < 0 and merit < old.merit)
    return newer(sequence, old.sequence) or (sequence == old.sequence and merit < old.merit)


class RouteTable:
    """Routes of one node by destination.

    A route that failed or grew old is no longer used, but its number and merit are kept: only a newer or better offer
    replaces it. An echo of the node's own former route, which a neighbour still passes on, is neither: no loop forms.
    """

    def __init__(self, ttl_s: float, size: int) -> None:
        """``ttl_s``: validity after the last use [s];  ``size``: destinations that the table holds."""
        self.ttl_s, self.size = ttl_s, size
        self.routes: dict[int, Route] = {}

    def hop(self, destination: int, now_s: float, unconfirmed: bool = False) -> int:
        """Next hop to a destination, -1 for none; reverse routes that no reply confirmed only where asked for."""
        route = self.routes.get(destination)
        if route is None or now_s >= route.valid_until_s or not (route.confirmed or unconfirmed):
            return -1
        return route.next_hop

    def offer(self, destination: int, hop: int, sequence: int, merit: Merit, now_s: float, confirmed: bool) -> bool:
        """Take a route that a message brought, if it is better; whether it was taken.

        Data keep flowing over a confirmed route that a better unconfirmed one replaces.
        """
        old = self.routes.get(destination)
        if old is None and len(self.routes) >= self.size:
            return False
        if old is not None:
            if not preferred(sequence, merit, old):
                return False
            confirmed = confirmed or (old.confirmed and now_s < old.valid_until_s)
        self.routes[destination] = Route(hop, sequence, merit, now_s + self.ttl_s, confirmed)
        return True

    def neighbour(self, node: int, merit: Merit, now_s: float, confirmed: bool) -> None:
        """A neighbour has just been heard: it is its own next hop where no route to it stands."""
        if self.hop(node, now_s, unconfirmed=True) < 0 and (node in self.routes or len(self.routes) < self.size):
            old = self.routes.get(node)
            sequence = old.sequence if old is not None else -1
            self.routes[node] = Route(node, sequence, merit, now_s + self.ttl_s, confirmed)

    def fixed(self, destination: int, hop: int, merit: Merit, until_s: float, sequence: int = -1) -> None:
        """A route that is known without a search: the default route of a node that has joined, or one at the start."""
        self.routes[destination] = Route(hop, sequence, merit, until_s, True)

    def confirm(self, destination: int, hop: int, now_s: float) -> None:
        """A reply went over this hop and was acknowledged: data may follow."""
        if self.hop(destination, now_s, unconfirmed=True) == hop:
            self.routes[destination].confirmed = True

    def used(self, destination: int, now_s: float) -> None:
        """Data went to the destination: the route stays valid for another while."""
        if self.hop(destination, now_s) >= 0:
            self.routes[destination].valid_until_s = now_s + self.ttl_s

    def drop(self, destination: int, hop: int) -> None:
        """A route over this hop has failed."""
        route = self.routes.get(destination)
        if route is not None and route.next_hop == hop:
            route.valid_until_s = -math.inf

    def drop_via(self, hop: int) -> None:
        """All routes over a neighbour have failed."""
        for route in self.routes.values():
            if route.next_hop == hop:
                route.valid_until_s = -math.inf

    def n_valid(self, now_s: float) -> int:
        """Routes in use."""
        return sum(now_s < route.valid_until_s for route in self.routes.values())
