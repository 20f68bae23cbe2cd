"""What a PRIME base node keeps of its nodes: addresses, switches, beacon slots."""

from __future__ import annotations

import math
from collections.abc import Callable

import simpy

from .csma import later
from .endpoint import Endpoint, Left
from .messages import Slot
from .outgoing import Message
from .roles import Cell
from .settings import DATA_PRIORITY, MOST_SWITCHES
from .slots import BeaconSlots

NO_SLOT = Slot(0, 1, 0)
"""Of a node that is no switch: the base node's own."""


class Record:
    """One registered node.

    member : its index;  switch, node : its address;  level : hops;  own : its identity as a switch, -1 for none
    slot : of its beacons;  since_s, seen_s : when it was entered, or else confirmed, and when last heard
    empty_s : since when no node hangs on it as a switch
    confirmed, connected : it knows its address; its data connection stands
    """

    def __init__(self, cell: Cell, member: int, switch: int, node: int, level: int, down: Down, renew: Renew) -> None:
        self.member, self.switch, self.node, self.level = member, switch, node, level
        self.own, self.slot = -1, NO_SLOT
        self.confirmed = self.connected = False
        self.since_s = self.seen_s = cell.env.now
        self.empty_s = math.inf
        self.answers: dict[int, simpy.Event] = {}
        self.endpoint = Endpoint(
            cell,
            lambda payload, message, left: down(self, 0, DATA_PRIORITY, payload, message, left),
            lambda data: cell.delivered(member, cell.base_index, data),
            lambda: self.level,
            lambda: renew(self),
        )
        self.endpoint.stale = True

    def resolve(self, kind: int) -> None:
        """The answer that a control packet waited for has come."""
        waiting = self.answers.pop(kind, None)
        if waiting is not None:
            waiting.succeed()


Renew = Callable[[Record], None]
"""Opens the data connection of a node anew."""
Down = Callable[[Record, int, int, bytes, Message | None, Left], None]
"""Sends a packet to a node: record, control type, priority, payload, message lost with it, call when it left."""


class Records:
    """All records, by member, by address and by identity as a switch.

    down : sends data to a node;  demote : tells a switch to be one no more;  renew : opens a data connection anew
    """

    def __init__(self, cell: Cell, down: Down, demote: Callable[[Record], None], renew: Renew) -> None:
        self._cell, self._down, self._demote, self._renew = cell, down, demote, renew
        self.of: dict[int, Record] = {}
        self.at: dict[tuple[int, int], Record] = {}
        self.switches: dict[int, Record] = {}
        self._slots = BeaconSlots(cell.mac)
        self._last_own = 0

    def current(self, record: Record) -> bool:
        """Whether a record still counts."""
        return self.of.get(record.member) is record

    def enter(self, member: int, switch: int) -> Record:
        """A record with a free number below a switch (0 the base node); one that the node had before is replaced."""
        if member in self.of:
            self.drop(self.of[member])
        node = 1
        while (switch, node) in self.at:
            node += 1
        level = self.switches[switch].level + 1 if switch else 1
        record = Record(self._cell, member, switch, node, level, self._down, self._renew)
        self.of[member] = self.at[switch, node] = record
        if switch:
            self.switches[switch].empty_s = math.inf
        return record

    def drop(self, record: Record) -> None:
        """The node counts as gone, and as a switch with it; what was on its way to it is lost."""
        del self.of[record.member], self.at[record.switch, record.node]
        record.confirmed = False
        for message in record.endpoint.close():
            self._cell.settle(message, False)
        self.retire(record)
        self.count(record.switch)

    def retire(self, record: Record) -> None:
        """The record is no switch any more."""
        if record.own >= 0:
            self._slots.free(record.own)
            self.switches.pop(record.own, None)
            record.own, record.slot = -1, NO_SLOT

    def count(self, switch: int) -> None:
        """Where nothing hangs on a switch, look again after a while."""
        record = self.switches.get(switch)
        if record is None or any(one.switch == switch for one in self.of.values()):
            return
        record.empty_s = self._cell.env.now
        later(self._cell.env, self._cell.mac.forming.demote_after_s, lambda: self._unused(record, switch))

    def _unused(self, record: Record, switch: int) -> None:
        """Demote a switch that nobody has used for long."""
        long = self._cell.env.now - record.empty_s >= self._cell.mac.forming.demote_after_s - 1e-6
        if self.current(record) and record.own == switch and long:
            self._demote(record)

    def promote(self, record: Record) -> Record | None:
        """Give a record an identity and a beacon slot; ends with the switch whose slot changed for it, maybe itself.

        None where no identity or slot is left.
        """
        if len(self.switches) >= self._cell.mac.most_switches:
            return None
        turn = (k % MOST_SWITCHES + 1 for k in range(self._last_own, self._last_own + MOST_SWITCHES))
        own = next(number for number in turn if number not in self.switches)
        given = self._slots.take(own)
        if given is None:
            return None
        self._last_own = own
        self.switches[own] = record
        record.own, record.slot, record.empty_s = own, given[0], math.inf
        if given[1] < 0:
            return record
        changed = self.switches[given[1]]
        changed.slot = self._slots.of(given[1])
        return changed
