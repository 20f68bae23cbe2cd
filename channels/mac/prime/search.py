"""A PRIME node without a switch: it listens for beacons, registers over the best one, or asks for one."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from typing import Any

import simpy

from .csma import out_of_step
from .messages import Beacon, decode_beacon, encode_beacon
from .roles import Beacons, Member

Steps = Generator[Any, Any, Any]

MOST_DOUBLINGS = 6
"""The rest towards a switch over which registration failed doubles so often at most (confidence C)."""


class Search:
    """What a node does and remembers until it is registered.

    Beacons it could have heard are looked up when it acts; whether it heard one is drawn then.
    """

    def __init__(
        self, cell: Beacons, node: Member, register: Callable[[int, int, Beacon], Steps], request: Callable[[], None]
    ) -> None:
        """``register`` over the sender of a beacon ends with False where that failed; ``request`` asks for a switch."""
        self._cell, self._node, self._register, self._request = cell, node, register, request
        self._avoid: dict[int, float] = {}
        self._refusals: dict[int, int] = {}
        self._news: simpy.Event | None = None

    def forget(self) -> None:
        """Know nothing of earlier attempts."""
        self._avoid.clear()
        self._refusals.clear()

    def run(self, epoch: int, wait_s: float, settled: bool) -> Steps:
        """Register over the best switch heard; else ask for one, less often while nothing comes of it."""
        cell, mac, node = self._cell, self._cell.mac, self._node
        since_s = cell.env.now + wait_s
        next_request_s = since_s + mac.search_s
        every_s = mac.pnpdu_period_s / mac.most_pnpdus
        slowest_s = mac.request_every_s(cell.line.frame_type(node.index, -1))
        request_s = slowest_s if settled else every_s
        yield cell.env.timeout(wait_s + mac.search_s)
        while epoch == node.epoch:
            beacon = self._best_beacon(since_s)
            since_s = cell.env.now
            if beacon is not None:
                yield cell.env.timeout(mac.forming.request_spread_s * cell.line.draw())
                joined = yield from self._register(epoch, *beacon)
                if joined:
                    return
                self._refused(beacon[0])
                request_s = every_s
                continue
            if since_s >= next_request_s:
                self._request()
                next_request_s = since_s + request_s * (0.5 + cell.line.draw())
                request_s = min(2 * request_s, slowest_s)
            self._news = cell.env.event()
            yield self._news | cell.env.timeout(min(next_request_s, self._next_beacon_s()) - since_s)

    def wake(self) -> None:
        """There are beacons that were not there before."""
        if self._news is not None and not self._news.triggered:
            self._news.succeed()

    def _refused(self, sender: int) -> None:
        """Registration over a switch failed."""
        turns = self._refusals.get(sender, 0)
        rest_s = self._cell.mac.forming.refusal_rest_s * 2 ** min(turns, MOST_DOUBLINGS)
        self._refusals[sender] = turns + 1
        self._avoid[sender] = self._cell.env.now + out_of_step(rest_s, self._cell.line.draw)

    def _audible(self) -> list[int]:
        """Members whose beacons are worth to be listened for."""
        cell, now = self._cell, self._cell.env.now
        return [
            sender
            for sender in cell.places.slots
            if cell.line.hears(sender, self._node.index) and self._avoid.get(sender, 0.0) <= now
        ]

    def _next_beacon_s(self) -> float:
        """End of the next beacon this node may hear, or of the time for which it avoids one; inf for none."""
        cell, now = self._cell, self._cell.env.now
        slots = [cell.places.slots[sender][0] for sender in self._audible()]
        ends = [cell.clock.beacon_s(slot, now, 1) + cell.clock.slot_s for slot in slots]
        return min([*ends, *(until for until in self._avoid.values() if until > now)], default=math.inf)

    def _best_beacon(self, since_s: float) -> tuple[int, Beacon] | None:
        """Sender and content of the beacon of the lowest level, then the best SNR, of those heard since a time."""
        cell, index, heard = self._cell, self._node.index, []
        for sender in self._audible():
            slot, from_s = cell.places.slots[sender]
            count = cell.clock.beacons_between(slot, max(since_s, from_s), cell.env.now)
            level, own = cell.place_of(sender)
            if level > cell.mac.most_level or count == 0:
                continue
            if cell.line.draw() >= cell.line.miss_ratio(sender, index) ** count:
                heard.append((level, -cell.line.quality_db(sender, index), sender, own, slot))
        if not heard:
            return None
        level, _, sender, own, slot = min(heard)
        sent = encode_beacon(Beacon(own, level, slot, slot.phase, cell.mac.beacon_slots), cell.network)
        decoded = decode_beacon(sent)
        assert decoded is not None
        return sender, decoded[1]
