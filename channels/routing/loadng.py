"""LOADng of one G3-PLC node: requests flood, the destination replies to the best one, errors travel back.

The node does nothing by itself: every call is given the time and answers with actions (bytes to say, calls to make
later, searches that ended), so that any lower layer can carry it, and tests can.

References
----------
ITU-T G.9903 (LOADng profile of G3-PLC) and draft-clausen-lln-loadng; behaviour written from their description and from
what open stacks do. Confidence of single numbers stands with the parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .loadng_messages import MAX_COST, MAX_NIBBLE, RREP, RREQ, Message, RouteError, RouteMessage, encode, kind_of
from .loadng_settings import LoadngSettings
from .loadng_table import Merit, RouteTable

EVERYBODY = -1
"""Receiver of a broadcast."""


@dataclass(frozen=True)
class Link:
    """What a receiver makes of the link over which it heard a message: its cost, whether it is weak, and its LQI."""

    cost: int
    weak: bool
    lqi: int


@dataclass(frozen=True)
class Say:
    """Send these bytes to a neighbour, or to `EVERYBODY`; ``told`` is called with the fate of a unicast."""

    to: int
    payload: bytes
    answer_for: int = EVERYBODY


@dataclass(frozen=True)
class Wake:
    """Call ``wake`` with this key after the delay."""

    delay_s: float
    key: tuple[Any, ...]


@dataclass(frozen=True)
class Found:
    """A search has ended, with or without a route."""

    destination: int
    ok: bool


Action = Say | Wake | Found


class LoadngNode:
    """State of LOADng in one node.

    table : its routes;  sequence : its own number, kept over a restart (devices store it);  address : short address
    """

    def __init__(self, address: int, settings: LoadngSettings, uniform: Callable[[], float]) -> None:
        """``uniform()`` gives a number in [0, 1) for the delay of relayed requests."""
        self.address, self.settings, self._uniform = address, settings, uniform
        self.sequence = 0
        self.restart()

    def restart(self) -> None:
        """Forget everything but the own sequence number; what was to be woken up finds nothing."""
        self.table = RouteTable(self.settings.route_ttl_s, self.settings.table_size)
        self._blacklist: dict[int, float] = {}
        self._waiting: dict[tuple[Any, ...], RouteMessage] = {}
        self._searches: dict[int, tuple[int, int]] = {}
        self._failed_s: dict[int, float] = {}
        self._in_vain: set[int] = set()

    def find(self, now_s: float, destination: int, repair: bool = False) -> list[Action]:
        """Search a route; ends with `Found`. A search on its way is joined.

        A guided request can die where old routes of relays lead it. So repairs flood, and after a request in vain all
        further ones until a reply, which renews the routes along its way (a choice, confidence C).
        """
        if self.table.hop(destination, now_s) >= 0:
            return [Found(destination, True)]
        if destination in self._searches:
            return []
        if now_s < self._failed_s.get(destination, -np.inf) + self.settings.rreq_wait_s:
            return [Found(destination, False)]
        return self._request(destination, self.settings.rreq_retries, repair)

    def heard(self, now_s: float, sender: int, message: Message, link: Link) -> list[Action]:
        """A message that a neighbour sent arrived over a link."""
        if isinstance(message, RouteError):
            return self._error(now_s, sender, message)
        if message.originator == self.address or (message.kind == RREQ and self.blacklisted(sender, now_s)):
            return []
        load = 0
        if self.settings.table_weight:
            load = self.settings.relay_costs[min(self.table.n_valid(now_s), self.settings.table_size)]
        message, merit = _one_link_on(message, link, load)
        replied = message.kind == RREP
        if not self.table.offer(message.originator, sender, message.sequence, merit, now_s, replied):
            return []
        if sender != message.originator:
            self.table.neighbour(sender, (int(link.weak), link.cost + load, 1), now_s, replied)
        return self._reply(now_s, message) if replied else self._relay(message, link)

    def wake(self, now_s: float, key: tuple[Any, ...]) -> list[Action]:
        """The time of a `Wake` has come."""
        if key[0] == "search":
            return self._search_ends(now_s, key[1], key[2])
        message = self._waiting.pop(key, None)
        if message is None:
            return []
        if key[0] == "relay":
            route = self.table.routes.get(message.originator)
            stands = route is not None and route.sequence == message.sequence and now_s < route.valid_until_s
            return [Say(self._onward(now_s, message, route.next_hop), encode(message))] if route and stands else []
        reply = RouteMessage(
            RREP,
            message.originator,
            self.address,
            self._next(),
            hops_left=self.settings.max_hops,
            repair=message.repair,
        )
        return self._pass_on(now_s, reply)

    def told(self, now_s: float, said: Say, acknowledged: bool) -> list[Action]:
        """The fate of a unicast: a reply that went through confirms the way back, else the neighbour is avoided.

        A request that did not go through along a route is said to everybody (a choice, confidence C).
        """
        request = kind_of(said.payload) == RREQ
        if said.answer_for == EVERYBODY and not request:
            return []
        if not acknowledged:
            self.link_failed(now_s, said.to)
            return [Say(EVERYBODY, said.payload)] if request else []
        if not request:
            self.table.confirm(said.answer_for, said.to, now_s)
        return []

    def link_failed(self, now_s: float, neighbour: int) -> None:
        """A neighbour did not acknowledge: its routes end, and its requests are not heard for a while."""
        self.table.drop_via(neighbour)
        self._blacklist[neighbour] = now_s + self.settings.blacklist_ttl_s

    def blacklisted(self, neighbour: int, now_s: float) -> bool:
        """Requests of this neighbour are ignored."""
        return now_s < self._blacklist.get(neighbour, -np.inf)

    def unreachable(self, now_s: float, destination: int, source: int) -> list[Action]:
        """Nothing can be passed on from ``source`` to ``destination``: tell the source."""
        return self._pass_on(now_s, RouteError(source, self.address, destination, hops_left=self.settings.max_hops))

    def _next(self) -> int:
        self.sequence = (self.sequence + 1) % 65536
        return self.sequence

    def _request(self, destination: int, retries: int, repair: bool) -> list[Action]:
        sequence = self._next()
        self._searches[destination] = (retries, sequence)
        message = RouteMessage(
            RREQ,
            destination,
            self.address,
            sequence,
            hops_left=self.settings.max_hops,
            repair=repair,
            guided=self.settings.rreq_guided and not repair and destination not in self._in_vain,
        )
        wake = Wake(self.settings.net_traversal_s, ("search", destination, sequence))
        return [Say(EVERYBODY, encode(message)), wake]

    def _search_ends(self, now_s: float, destination: int, sequence: int) -> list[Action]:
        """No reply in time: ask again or give up. A search that has ended, or asked again, is left alone."""
        retries, latest = self._searches.get(destination, (0, -1))
        if sequence != latest:
            return []
        if self.table.hop(destination, now_s) >= 0:
            return self._found(now_s, destination, True)
        self._in_vain.add(destination)
        return self._request(destination, retries - 1, True) if retries else self._found(now_s, destination, False)

    def _found(self, now_s: float, destination: int, ok: bool) -> list[Action]:
        if self._searches.pop(destination, None) is None:
            return []
        if ok:
            self._in_vain.discard(destination)
        else:
            self._failed_s[destination] = now_s
        return [Found(destination, ok)]

    def _relay(self, message: RouteMessage, link: Link) -> list[Action]:
        """A request that brought a new or better way back: collect for the reply, or pass on after a delay."""
        mine = message.destination == self.address
        if not mine and message.hops_left == 0:
            return []
        key = ("reply" if mine else "relay", message.originator, message.sequence)
        waits, self._waiting[key] = key in self._waiting, message
        if waits:
            return []
        if mine:
            return [Wake(self.settings.rrep_wait_s, key)]
        longest = self.settings.relay_delay_s[min(max(link.lqi, 0), 255)]
        return [Wake(longest * (1 + self._uniform()) / 2, key)]

    def _onward(self, now_s: float, message: RouteMessage, back: int) -> int:
        """Next hop of a request: of a route to its destination where one leads elsewhere than back, else everybody."""
        hop = self.table.hop(message.destination, now_s) if message.guided else EVERYBODY
        return EVERYBODY if hop in (EVERYBODY, back, message.originator) else hop

    def _reply(self, now_s: float, message: RouteMessage) -> list[Action]:
        """A reply arrived: the search ends here, or it goes on along the way back."""
        if message.destination == self.address:
            return self._found(now_s, message.originator, True)
        return self._pass_on(now_s, message) if message.hops_left else []

    def _error(self, now_s: float, sender: int, message: RouteError) -> list[Action]:
        if message.originator == self.address:
            return []
        self.table.drop(message.unreachable, sender)
        if message.destination == self.address or message.hops_left <= 1:
            return []
        return self._pass_on(now_s, replace(message, hops_left=message.hops_left - 1))

    def _pass_on(self, now_s: float, message: Message) -> list[Action]:
        """Unicast along the route to the message's destination; dropped where there is none."""
        back = isinstance(message, RouteMessage)
        hop = self.table.hop(message.destination, now_s, unconfirmed=back)
        if hop < 0:
            return []
        return [Say(hop, encode(message), message.destination if back else EVERYBODY)]


def _one_link_on(message: RouteMessage, link: Link, load: int) -> tuple[RouteMessage, Merit]:
    """The message as it goes on from here, and what the way back is worth."""
    weak = min(message.weak + link.weak, MAX_NIBBLE)
    cost = min(message.cost + link.cost + load, MAX_COST)
    hops = min(message.hops + 1, MAX_NIBBLE)
    left = max(message.hops_left - 1, 0)
    return replace(message, weak=weak, cost=cost, hops=hops, hops_left=left), (weak, cost, hops)
