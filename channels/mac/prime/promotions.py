"""How a PRIME base node chooses its switches: offers of terminals, one promotion at a time.

Who hears a node is not always heard by it. The base node cannot know which of the terminals that offer themselves for
a node the node hears, so where one promotion led nowhere it tries the next terminal: the standard leaves the choice to
the base node, and one that always took the terminal that hears best would never serve a node at a noisy place.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import simpy

from .messages import BSI, PRO, Promotion
from .records import Record, Records
from .relay import member_of
from .roles import Ground

Steps = Generator[Any, Any, Any]

MOST_DOUBLINGS = 8
"""The rest of the base node towards a needy node, all of whose terminals it has tried, doubles so often at most
(confidence C)."""
ASKED_S = 10.0
"""A node that asked for a switch and was entered or confirmed longer ago than this has lost its registration; what it
asked before is told by later offers (confidence C)."""


class Offer(NamedTuple):
    """A terminal of a level heard a needy node in a mode."""

    level: int
    mode: int


@dataclass
class Need:
    """What the base node knows of a node that asked for a switch.

    offers : terminals that offered themselves, and neither were promoted nor moved since; they stand until then, since
        terminals repeat them more and more rarely
    tried : terminals that were promoted, in vain so far
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
        self._news: simpy.Event = cell.env.event()

    def end(self) -> None:
        """Promote nobody any more."""
        self._ended = True

    def offered(self, record: Record, told: Promotion) -> None:
        """A terminal offers itself for a needy node, which has no registration any more unless it got it just now."""
        needy = member_of(told.needy)
        known = self._records.of.get(needy)
        if known is not None:
            if known.since_s < self._cell.env.now - ASKED_S:
                self._records.drop(known)
            elif known.confirmed:
                return
        self._needs.setdefault(needy, Need()).offers[record.member] = Offer(record.level, told.quality)
        if not self._deciding:
            self._deciding = True
            self._cell.env.process(self._decide())
        elif not self._news.triggered:
            self._news.succeed()

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
        env = self._cell.env
        while self._standing():
            yield env.timeout(self._forming.promotion_wait_s)
            if self._ended:
                return
            standing = self._standing()
            ripe = [(level, -mode, member) for due_s, level, mode, member in standing if due_s <= env.now]
            if ripe:
                member = min(ripe)[2]
                yield from self._promote(self._records.of[member])
                self._tried(member)
            elif standing:
                self._news = env.event()
                yield self._news | env.timeout(min(standing)[0] - env.now)
        self._deciding = False

    def _standing(self) -> list[tuple[float, int, int, int]]:
        """Offers at hand: from when on they are accepted [s], level, mode, member; others that stood are forgotten."""
        standing = []
        for need in self._needs.values():
            need.offers = {member: offer for member, offer in need.offers.items() if self._can(member, offer.level)}
            standing += [(self._due_s(need, member), *offer, member) for member, offer in need.offers.items()]
        return standing

    def _can(self, member: int, level: int) -> bool:
        """Whether a terminal that made an offer still hangs where it did, and is no switch yet."""
        record = self._records.of.get(member)
        return record is not None and record.confirmed and record.own < 0 and record.level == level

    def _due_s(self, need: Need, member: int) -> float:
        """When the node has had time to register since the last promotion, more of it where all were in vain."""
        again = member in need.tried or need.turns == MOST_DOUBLINGS
        rest_s: float = self._forming.promotion_rest_s * (2**need.turns if again else 1)
        return need.last_s + rest_s

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
