"""How a PRIME base node chooses its switches: offers of terminals, one promotion at a time.

Who hears a node is not always heard by it. The base node cannot know which of the terminals that offer themselves for
a node the node hears, so where one promotion led nowhere it tries the next terminal: the standard leaves the choice to
the base node, and one that always took the terminal that hears best would never serve a node at a noisy place.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .messages import BSI, PRO, Promotion
from .records import Record, Records
from .relay import member_of
from .roles import Ground

Steps = Generator[Any, Any, Any]

MOST_DOUBLINGS = 8
"""The rest of the base node towards a needy node, all of whose terminals it has tried, doubles so often at most
(confidence C)."""
ASKED_S = 10.0
"""A node that asked for a switch and was entered longer ago than this has lost its registration (confidence C)."""


class Offer(NamedTuple):
    """A terminal of a level that heard a needy node in a mode, and when its offer came [s]."""

    level: int
    mode: int
    since_s: float


@dataclass
class Need:
    """What the base node knows of a node that asked for a switch.

    offers : terminals that offered themselves, and were not promoted since;  tried : those that were, in vain so far
    last_s : when the last of them was promoted;  turns : promotions of terminals that had been tried before
    """

    offers: dict[int, Offer] = field(default_factory=dict)
    tried: set[int] = field(default_factory=set)
    last_s: float = -math.inf
    turns: int = 0


class Promotions:
    """Offers at hand, and what became of earlier ones.

    ask : sends a control packet until it is answered, ends with whether it was;  demote : ends a switch
    """

    def __init__(
        self,
        cell: Ground,
        records: Records,
        ask: Callable[[Record, int, bytes], Steps],
        demote: Callable[[Record], None],
    ) -> None:
        self._cell, self._records, self._ask, self._demote = cell, records, ask, demote
        self._forming = cell.mac.forming
        self._needs: dict[int, Need] = {}
        self._deciding = self._ended = False

    def end(self) -> None:
        """Promote nobody any more."""
        self._ended = True

    def offered(self, record: Record, told: Promotion) -> None:
        """A terminal offers itself for a needy node, which has no registration any more."""
        needy = member_of(told.needy)
        known = self._records.of.get(needy)
        if known is not None and known.since_s < self._cell.env.now - ASKED_S:
            self._records.drop(known)
        offer = Offer(record.level, told.quality, self._cell.env.now)
        self._needs.setdefault(needy, Need()).offers[record.member] = offer
        if not self._deciding:
            self._deciding = True
            self._cell.env.process(self._decide())

    def registered(self, member: int) -> None:
        """A node is needy no more."""
        self._needs.pop(member, None)

    def in_vain(self, needy: int) -> None:
        """Promotions for a node have led nowhere for long, the last of them some time ago."""
        cell = self._cell
        rest_s = self._forming.promotion_rest_s * 2**MOST_DOUBLINGS
        self._needs[needy] = Need(last_s=cell.env.now - rest_s * cell.line.draw(), turns=MOST_DOUBLINGS)

    def _decide(self) -> Steps:
        """Accept standing offers one by one: the lowest level first, then who heard the needy node best."""
        while self._standing():
            yield self._cell.env.timeout(self._forming.promotion_wait_s)
            if self._ended:
                return
            best = min(self._wanted(), default=None)
            if best is not None:
                yield from self._promote(self._records.of[best[2]])
                if self._ended:
                    return
                self._tried(best[2])
        self._deciding = False

    def _standing(self) -> bool:
        """Forget offers that terminals would have repeated by now; whether others are left."""
        oldest_s = self._cell.env.now - self._forming.offer_rest_s
        for need in self._needs.values():
            need.offers = {member: offer for member, offer in need.offers.items() if offer.since_s > oldest_s}
        return any(need.offers for need in self._needs.values())

    def _wanted(self) -> Iterator[tuple[int, int, int]]:
        """Offers that make sense now: level, less the mode, member."""
        for need in self._needs.values():
            for member, offer in need.offers.items():
                if self._can(member, offer.level) and self._rested(need, member):
                    yield offer.level, -offer.mode, member

    def _can(self, member: int, level: int) -> bool:
        """Whether a terminal that made an offer still hangs where it did, and is no switch yet."""
        record = self._records.of.get(member)
        return record is not None and record.confirmed and record.own < 0 and record.level == level

    def _rested(self, need: Need, member: int) -> bool:
        """Whether the node has had time to register since the last promotion, more of it where all were in vain."""
        again = member in need.tried or need.turns == MOST_DOUBLINGS
        rest_s: float = self._forming.promotion_rest_s * (2**need.turns if again else 1)
        return self._cell.env.now - need.last_s > rest_s

    def _tried(self, member: int) -> None:
        """A terminal has been promoted, which may serve all nodes for which it offered itself."""
        for need in self._needs.values():
            if need.offers.pop(member, None) is not None:
                need.turns = min(need.turns + (member in need.tried), MOST_DOUBLINGS)
                need.last_s = self._cell.env.now
                need.tried.add(member)

    def _promote(self, record: Record) -> Steps:
        """Identity, then beacon slot, each until the node confirms."""
        records = self._records
        changed = records.promote(record)
        if changed is None:
            return
        own = record.own
        done = yield from self._ask(record, PRO, Promotion(False, 0, own).encode())
        if done and records.current(record):
            if changed is not record and records.current(changed):
                self._cell.env.process(self._ask(changed, BSI, changed.slot.encode()))
            done = yield from self._ask(record, BSI, record.slot.encode())
        if records.current(record) and record.own == own:
            if done:
                records.count(own)
            else:
                self._demote(record)
