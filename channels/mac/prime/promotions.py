"""How a PRIME base node chooses its switches: offers of terminals, one promotion at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from typing import Any

from .messages import BSI, PRO, Promotion
from .records import Record, Records
from .relay import member_of
from .roles import Ground

Steps = Generator[Any, Any, Any]

MOST_DOUBLINGS = 8
"""The rest after a promotion for a needy node that did not make it register doubles so often at most (confidence C)."""
ASKED_S = 10.0
"""A node that asked for a switch and was entered longer ago than this has lost its registration (confidence C)."""


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
        self._offers: list[tuple[int, int, int, int]] = []
        self._served: dict[int, tuple[float, int]] = {}
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
        self._offers.append((record.level, -told.quality, record.member, needy))
        if not self._deciding:
            self._deciding = True
            self._cell.env.process(self._decide())

    def registered(self, member: int) -> None:
        """A node is needy no more."""
        self._served.pop(member, None)

    def in_vain(self, needy: int) -> None:
        """Promotions for a node have led nowhere for long, the last of them some time ago."""
        cell = self._cell
        rest_s = self._forming.promotion_rest_s * 2**MOST_DOUBLINGS
        self._served[needy] = (cell.env.now - rest_s * cell.line.draw(), MOST_DOUBLINGS)

    def _decide(self) -> Steps:
        """Accept offers one by one: the lowest level first, then who heard the needy node best."""
        env = self._cell.env
        while self._offers:
            yield env.timeout(self._forming.promotion_wait_s)
            if self._ended:
                return
            offers = [offer for offer in self._offers if self._wanted(*offer)]
            self._offers.clear()
            if not offers:
                break
            _, _, member, needy = min(offers)
            self._offers = [offer for offer in offers if offer[3] != needy]
            self._served[needy] = (env.now, min(self._served.get(needy, (0.0, -1))[1] + 1, MOST_DOUBLINGS))
            yield from self._promote(self._records.of[member])
            if self._ended:
                return
        self._deciding = False

    def _wanted(self, level: int, _: int, member: int, needy: int) -> bool:
        """Whether an offer still makes sense."""
        records, now = self._records, self._cell.env.now
        record, lacking = records.of.get(member), records.of.get(needy)
        can = record is not None and record.confirmed and record.own < 0 and record.level == level
        when_s, turns = self._served.get(needy, (-math.inf, 0))
        return (
            can
            and (lacking is None or not lacking.confirmed)
            and now - when_s > self._forming.promotion_rest_s * 2**turns
        )

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
