"""Joining of a G3-PLC network: scan, choice of an agent, bootstrapping with the coordinator through it.

A device outside asks by broadcast who is there; joined neighbours answer with a beacon somewhere in a window. It
chooses the cheapest way that is good enough, and asks that neighbour, its agent, to pass two round trips of EAP-PSK on
to the coordinator. Accepted, it has a short address and a default route over the agent; refused or unheard, it waits
and scans again, after longer pauses and with lower demands.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import simpy

from ...routing.loadng_messages import MAX_COST
from ...routing.loadng_routing import LoadngRouting, Modem
from .join_coordinator import Coordinator
from .join_messages import (
    ACCEPTED,
    CHALLENGE,
    DECLINE,
    FIRST,
    FOURTH,
    JOINING,
    KICK,
    Beacon,
    BeaconRequest,
    FarLbp,
    Lbp,
    decode_join,
    eap,
    encode_join,
    read_eap,
)
from .join_relay import JoinRelay

Steps = Generator[Any, Any, Any]

read_join = lru_cache(maxsize=4096)(decode_join)
"""`decode_join` that remembers: the same frame reaches many members."""


@dataclass(frozen=True)
class JoinSettings:
    """Numbers of joining; meaning, source and confidence with the technology's parameters.

    beacon_window_s : within which neighbours answer a beacon request, and how long a scan listens
    discovery_first_s, discovery_last_s : window of the wait before a scan, the first and the widest; it doubles
    join_first_s, join_last_s : window of the wait between scan and request, the first and the widest; it doubles
    max_join_wait_s : after which a device gives a request up
    join_slots : dialogues that the coordinator leads at once
    min_join_lqi, join_lqi_step : least LQI of an agent's beacon, and by how much every failure lowers it
    """

    beacon_window_s: float = 12.0
    discovery_first_s: tuple[float, float] = (1.0, 5.0)
    discovery_last_s: tuple[float, float] = (20.0, 100.0)
    join_first_s: tuple[float, float] = (0.1, 2.5)
    join_last_s: tuple[float, float] = (2.0, 10.0)
    max_join_wait_s: float = 20.0
    join_slots: int = 1
    min_join_lqi: float = 53.0
    join_lqi_step: float = 4.0

    def __post_init__(self) -> None:
        """Refuse windows that end before they begin or shrink. Raises ValueError naming the window."""
        for name in ("discovery", "join"):
            first, last = getattr(self, f"{name}_first_s"), getattr(self, f"{name}_last_s")
            if not (0 <= first[0] <= first[1] <= last[1] and first[0] <= last[0] <= last[1]):
                raise ValueError(
                    f"{name} windows {first} and {last} s must have low before high and grow; correct them"
                )
        if self.beacon_window_s <= 0 or self.max_join_wait_s <= 0 or self.join_slots < 1:
            raise ValueError("beacon_window_s, max_join_wait_s and join_slots must be above 0; nobody joins in no time")


def window_s(first: tuple[float, float], last: tuple[float, float], failures: int) -> tuple[float, float]:
    """Window of a wait after so many failures: twice as wide each time, up to the last [s].

    >>> window_s((1.0, 5.0), (20.0, 100.0), 0), window_s((1.0, 5.0), (20.0, 100.0), 3)
    ((1.0, 5.0), (8.0, 40.0))
    """
    factor = 2.0 ** min(failures, 30)
    return min(first[0] * factor, last[0]), min(first[1] * factor, last[1])


@dataclass(frozen=True, order=True)
class _Agent:
    """A neighbour that may stand in for a device outside; the least is the best."""

    weak: bool
    cost: int
    falling_lqi: int
    node: int


@dataclass
class _Attempt:
    """A device's request on its way: its agent, the step it expects, and the event that ends it."""

    agent: _Agent
    step: int
    ended: simpy.Event


class G3Join:
    """Joining of all members of one cell; the concentrator is the last member and always inside.

    joined_s : per member, time at which it last joined [s]; NaN while it is outside
    """

    def __init__(
        self,
        env: simpy.Environment,
        modems: Sequence[Modem],
        routing: LoadngRouting,
        euis: Sequence[int],
        settings: JoinSettings,
        uniform: Callable[[], float],
    ) -> None:
        """``euis``: 64-bit addresses of the members;  ``uniform()``: numbers in [0, 1)."""
        self.env, self._modems, self._routing, self._settings, self._uniform = env, modems, routing, settings, uniform
        self._euis, self.head = [int(eui) for eui in euis], len(euis) - 1
        self.joined_s = dict.fromkeys(range(len(euis)), math.nan)
        self.joined_s[self.head] = 0.0
        self.coordinator = Coordinator(
            {eui: index for index, eui in enumerate(self._euis)},
            uniform,
            slots=settings.join_slots,
            dialogue_s=settings.max_join_wait_s,
        )
        self._relay = JoinRelay(env, modems, routing, self._heard_far)
        self._booting: dict[int, simpy.Process] = {}
        self._beacons: dict[int, dict[int, tuple[int, int]]] = {}
        self._attempts: dict[int, _Attempt] = {}
        self._answering: set[int] = set()
        self._guests: dict[tuple[int, int], int] = {}
        for node in range(self.head):
            self._outside(node, True)

    def inside(self, node: int, now_s: float) -> None:
        """A member that has joined, whatever way."""
        self.joined_s[node] = now_s
        self._outside(node, False)

    def leave(self, node: int) -> None:
        """A member forgets the network and stays silent."""
        if node in self._booting:
            self._booting.pop(node).interrupt()
        self._attempts.pop(node, None)
        self._beacons.pop(node, None)
        self._guests = {key: guest for key, guest in self._guests.items() if key[0] != node}
        self._routing.restart(node)
        self._modems[node].reset()
        if node == self.head:
            self.coordinator.restart()
            return
        self.joined_s[node] = math.nan
        self._outside(node, True)

    def boot(self, node: int) -> None:
        """A member starts from nothing; the concentrator is inside at once."""
        self.leave(node)
        if node != self.head:
            self._booting[node] = self.env.process(self._boot(node))

    def start(self, node: int) -> None:
        """A member outside that is powered tries to join from now on, if it does not already."""
        if self._routing.outside[node] and self._modems[node].alive and node not in self._booting:
            self.boot(node)

    def kick(self, node: int) -> None:
        """The coordinator sends a member away; it boots again when the message reaches it."""
        self.coordinator.members.discard(self._euis[node])
        self._relay.send(self.head, node, Lbp(KICK, self._euis[node]))

    def _outside(self, node: int, outside: bool) -> None:
        self._routing.outside[node] = outside
        self._modems[node].outside = outside

    def _boot(self, node: int) -> Steps:
        failures, rules = 0, self._settings
        try:
            while math.isnan(self.joined_s[node]):
                yield self.env.timeout(self._wait_s(rules.discovery_first_s, rules.discovery_last_s, failures))
                agent = yield from self._scan(node, failures)
                if agent is not None:
                    yield self.env.timeout(self._wait_s(rules.join_first_s, rules.join_last_s, failures))
                    yield from self._ask(node, agent)
                failures += 1
            self._booting.pop(node, None)
        except simpy.Interrupt:
            return

    def _wait_s(self, first: tuple[float, float], last: tuple[float, float], failures: int) -> float:
        low, high = window_s(first, last, failures)
        return low + (high - low) * self._uniform()

    def _scan(self, node: int, failures: int) -> Generator[Any, Any, _Agent | None]:
        """Ask who is there; the agent of the cheapest way whose beacon is good enough."""
        self._beacons[node] = {}
        yield self._modems[node].broadcast(encode_join(BeaconRequest()))
        yield self.env.timeout(self._settings.beacon_window_s)
        least = self._settings.min_join_lqi - self._settings.join_lqi_step * failures
        agents = []
        for agent, (lqi, route_cost) in self._beacons.pop(node).items():
            link = self._routing.link_of(node, agent, lqi)
            if lqi >= least and route_cost < MAX_COST:
                agents.append(_Agent(link.weak, min(route_cost + link.cost, MAX_COST), -lqi, agent))
        return min(agents, default=None)

    def _ask(self, node: int, agent: _Agent) -> Steps:
        """Bootstrapping through an agent, until it ends or the device gives up."""
        attempt = self._attempts[node] = _Attempt(agent, FIRST, self.env.event())
        acknowledged = yield self._near(node, agent.node, Lbp(JOINING, self._euis[node]))
        if acknowledged:
            yield attempt.ended | self.env.timeout(self._settings.max_join_wait_s)
        self._attempts.pop(node, None)

    def _near(self, node: int, neighbour: int, message: Lbp) -> Any:
        return self._modems[node].unicast(neighbour, encode_join(message))

    def heard(self, node: int, sender: int, payload: bytes, lqi: int) -> None:
        """A joining frame arrived at a member."""
        message = read_join(payload)
        if isinstance(message, Beacon):
            if node in self._beacons:
                self._beacons[node][sender] = (lqi, message.route_cost)
        elif isinstance(message, Lbp):
            self._heard_near(node, sender, message)
        elif not self._routing.outside[node]:
            if isinstance(message, FarLbp):
                self._relay.heard(node, message)
            else:
                self._answer(node, sender)

    def _answer(self, node: int, sender: int) -> None:
        """Somebody outside asks: routes over it are dead, and one beacon answers all who ask before it is sent."""
        self._routing.nodes[node].table.drop_via(sender)
        if node not in self._answering:
            self._answering.add(node)
            self.env.process(self._beacon(node))

    def _beacon(self, node: int) -> Steps:
        yield self.env.timeout(self._settings.beacon_window_s * self._uniform())
        self._answering.discard(node)
        if self._routing.outside[node]:
            return
        cost = self._route_cost(node)
        if cost < MAX_COST:
            self._modems[node].broadcast(encode_join(Beacon(node, cost)))
        else:
            self._routing.find(node, self.head)

    def _route_cost(self, node: int) -> int:
        """Cost of the way to the coordinator, RC_COORD; the largest number where there is none."""
        if node == self.head:
            return 0
        if self._routing.next_hop(node, self.head) < 0:
            return MAX_COST
        return self._routing.nodes[node].table.routes[self.head].merit[1]

    def _heard_near(self, node: int, sender: int, message: Lbp) -> None:
        """From a device to its agent, or back."""
        if message.code == JOINING:
            if not self._routing.outside[node]:
                self._routing.nodes[node].table.drop_via(sender)
                self._guests[node, message.eui] = sender
                self._to_coordinator(node, message)
            return
        attempt = self._attempts.get(node)
        if message.eui == self._euis[node] and attempt is not None and attempt.agent.node == sender:
            self._answered(node, attempt, message)

    def _to_coordinator(self, agent: int, message: Lbp) -> None:
        if agent != self.head:
            self._relay.send(agent, self.head, message)
        elif (answer := self.coordinator.answer(self.env.now, message)) is not None:
            self._to_device(agent, answer)

    def _to_device(self, agent: int, message: Lbp) -> None:
        guest = self._guests.get((agent, message.eui))
        if guest is not None:
            self._near(agent, guest, message)

    def _heard_far(self, node: int, message: FarLbp) -> None:
        """At the end of the mesh: the coordinator hears an agent, or a member the coordinator."""
        if node == self.head:
            answer = self.coordinator.answer(self.env.now, message.lbp)
            if answer is not None:
                self._relay.send(node, message.originator, answer)
        elif message.lbp.code != KICK:
            self._to_device(node, message.lbp)
        elif message.lbp.eui == self._euis[node]:
            self.boot(node)

    def _answered(self, node: int, attempt: _Attempt, message: Lbp) -> None:
        """The device's side: answer a challenge, or learn the end."""
        if message.code == CHALLENGE:
            step, rand, _ = read_eap(message.payload)
            if step == attempt.step:
                attempt.step = step + 2
                self._near(node, attempt.agent.node, Lbp(JOINING, message.eui, eap(step + 1, rand)))
        elif not attempt.ended.triggered:
            if message.code == ACCEPTED and attempt.step > FOURTH:
                self._accepted(node, attempt.agent)
                attempt.ended.succeed()
            elif message.code == DECLINE:
                attempt.ended.succeed()

    def _accepted(self, node: int, agent: _Agent) -> None:
        """Inside, with a default route over the agent (adpDefaultCoordRouteEnabled)."""
        self.inside(node, self.env.now)
        table = self._routing.nodes[node].table
        merit = (int(agent.weak), agent.cost, 1)
        table.fixed(self.head, agent.node, merit, self.env.now + table.ttl_s)
