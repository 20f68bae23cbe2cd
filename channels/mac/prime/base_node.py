"""The base node of a PRIME network: it registers, demotes, keeps alive, and ends all connections."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from .csma import later, out_of_step
from .endpoint import Left
from .messages import (
    ALV,
    CON,
    KEY_BYTES,
    NO_ADVICE,
    NO_NODE,
    NO_SWITCH,
    PRO,
    REG,
    Connection,
    Packet,
    Promotion,
    Registration,
    alive,
)
from .modem import PrimeModem
from .outgoing import Message, Outgoing
from .promotions import Promotions
from .records import NO_SLOT, Record, Records
from .relay import member_of
from .roles import Cell
from .settings import CONTROL_PRIORITY

Steps = Generator[Any, Any, Any]


class BaseNode:
    """Functions and memory of the concentrator's modem above the queue."""

    def __init__(self, cell: Cell, index: int) -> None:
        self.cell, self.index = cell, index
        self.modem = PrimeModem(cell, index)
        self.epoch = 0
        self._know_nobody()

    def _know_nobody(self) -> None:
        self.records = Records(self.cell, self.down, self.demote, self._renew)
        self.promotions = Promotions(self.cell, self.records, self.ask, self.demote)

    @property
    def alive(self) -> bool:
        """Whether it has power."""
        return self.modem.alive

    def boot(self) -> None:
        """Begin anew, with no knowledge of its nodes; beacons start at once.

        Nodes that hang on it have missed too many beacons by the time a concentrator has booted: they register anew.
        """
        self.forget()
        self.modem.alive = True
        self.cell.places.slots[self.index] = (NO_SLOT, self.cell.env.now)
        self.cell.wake()

    def forget(self) -> None:
        """Lose all records; what was on its way down is lost."""
        self.epoch += 1
        self.cell.silence(self.index)
        for record in list(self.records.of.values()):
            self.records.drop(record)
        self.promotions.end()
        self._know_nobody()
        self.modem.clear()

    def take(self, packet: Packet, sender: int, message: Message | None) -> None:
        """A frame arrived."""
        if self.modem.learn(sender, packet):
            return
        epoch = self.epoch

        def act() -> None:
            taken = epoch == self.epoch and self.alive and self._act(packet, sender)
            if message is not None and not taken:
                self.cell.settle(message, False)

        later(self.cell.env, self.cell.mac.processing_s, act)

    def _act(self, packet: Packet, sender: int) -> bool:
        """Do what a packet says; False where it comes from nobody known, or from one who registers over a bad link."""
        if packet.control == REG and packet.node == NO_NODE:
            if self.cell.line.hears(sender, self.index):
                self._request(packet)
            return True
        record = self.records.at.get((packet.switch, packet.node))
        if record is None or not (packet.control or record.connected):
            return False
        record.seen_s = self.cell.env.now
        if not packet.control:
            record.endpoint.heard(packet.payload)
        elif packet.control == CON:
            self._connection(record, Connection.decode(packet.payload))
        elif packet.control == PRO:
            told = Promotion.decode(packet.payload)
            if told.switch == NO_SWITCH:
                self.promotions.offered(record, told)
            else:
                record.resolve(PRO)
        elif packet.control != REG or member_of(Registration.decode(packet.payload).address) == record.member:
            record.resolve(packet.control)
            if packet.control == ALV:
                self._is_what_it_says(record, packet.payload[2])
        return True

    def _request(self, packet: Packet) -> None:
        """A node wants to register below a switch."""
        told = Registration.decode(packet.payload)
        if packet.switch and packet.switch not in self.records.switches:
            return
        keys = bytes(KEY_BYTES) if self.cell.mac.security_bytes else b""
        payload = Registration(False, True, told.arq, 0, told.address, keys).encode()
        record = self.records.of.get(member_of(told.address))
        if record is not None and not record.confirmed and record.switch == packet.switch:
            self.down(record, REG, CONTROL_PRIORITY, payload)
            return
        record = self.records.enter(member_of(told.address), packet.switch)
        self.cell.env.process(self._register(record, payload))

    def _register(self, record: Record, payload: bytes) -> Steps:
        """Tell the node its number until it confirms; without that it is not registered."""
        done = yield from self.ask(record, REG, payload)
        if self.records.current(record):
            if done:
                self.confirm(record)
            else:
                self.records.drop(record)

    def confirm(self, record: Record) -> None:
        """The node is registered: watch it."""
        record.confirmed = True
        record.since_s = self.cell.env.now
        self.promotions.registered(record.member)
        self.cell.env.process(self._keep(record))

    def _connection(self, record: Record, told: Connection) -> None:
        """The node opens its connection, or confirms that it begins anew.

        Who asks under its number knows it: that stands for a confirmation that was lost (a choice, confidence C), since
        else the node would take itself for registered until its keep-alive ends.
        """
        if told.answer:
            record.resolve(CON)
            return
        if member_of(told.data) == record.member:
            record.resolve(REG)
        reply = Connection(False, told.arq, True, told.connection, bytes(4))
        self.down(record, CON, CONTROL_PRIORITY, reply.encode())
        self.open(record)

    def _is_what_it_says(self, record: Record, switch: int) -> None:
        """A node that takes itself for a switch, which it is no more, is told so."""
        if switch not in (record.switch, record.own):
            self.down(record, PRO, CONTROL_PRIORITY, Promotion(True, 0, switch).encode())

    def open(self, record: Record) -> None:
        """The data connection stands."""
        record.connected = True
        record.endpoint.reset()

    def demote(self, record: Record) -> None:
        """Tell a switch to be one no more; it counts as none at once."""
        told = Promotion(True, 0, record.own).encode()
        self.records.retire(record)
        self.cell.env.process(self.ask(record, PRO, told))

    def _keep(self, record: Record) -> Steps:
        """A node not heard for a period is asked; one that misses too many is expelled."""
        mac, env = self.cell.mac, self.cell.env
        missed = sent = 0
        while self.records.current(record):
            quiet_s = env.now - record.seen_s
            if quiet_s < mac.alive_s - 1e-6:
                missed = 0
                yield env.timeout(mac.alive_s - quiet_s)
                continue
            if missed >= mac.alive_tries:
                self.records.drop(record)
                return
            sent += 1
            missed += 1
            self.down(record, ALV, CONTROL_PRIORITY, alive(sent, sent, 0, record.switch))
            yield env.timeout(mac.alive_s)

    def ask(self, record: Record, kind: int, payload: bytes) -> Steps:
        """A control packet, again until it is answered; ends with whether it was."""
        cell = self.cell
        for turn in range(cell.mac.control_tries):
            if not self.records.current(record):
                return False
            waiting = record.answers[kind] = cell.env.event()
            self.down(record, kind, CONTROL_PRIORITY, payload)
            cell.counters["retries"] += turn > 0
            yield waiting | cell.env.timeout(out_of_step(cell.mac.control_timeout_s, cell.line.draw))
            if waiting.triggered:
                return True
        record.answers.pop(kind, None)
        return False

    def down(
        self,
        record: Record,
        kind: int,
        priority: int,
        payload: bytes,
        message: Message | None = None,
        left: Left = None,
    ) -> None:
        """Send a packet to a node; what has no way down any more is lost."""
        connection = 0 if kind else record.node & 0x1FF
        packet = Packet(True, 0, NO_ADVICE, priority, kind, connection, record.switch, record.node, payload)
        first: Record | None = record
        while first is not None and first.switch:
            first = self.records.switches.get(first.switch)
        if first is not None:
            self.modem.send(Outgoing(packet, first.member, message, left))
            return
        if message is not None:
            self.cell.settle(message, False)
        if left is not None:
            left()

    def carry(self, message: Message, member: int) -> None:
        """Send a request to a meter; it is lost where no connection stands and none can be opened."""
        record = self.records.of.get(member)
        if record is None or not record.confirmed:
            self.cell.settle(message, False)
            return
        if record.endpoint.stale:
            self._renew(record)
        record.endpoint.send(message, self.cell.framed(message.data, 1, 2))

    def _renew(self, record: Record) -> None:
        """A message was given up: both ends begin anew before the next one."""
        if CON not in record.answers:
            record.connected = False
            self.cell.env.process(self._reopen(record))

    def _reopen(self, record: Record) -> Steps:
        request = Connection(False, self.cell.mac.arq, False, record.node & 0x1FF, bytes(4))
        done = yield from self.ask(record, CON, request.encode())
        if done and self.records.current(record):
            self.open(record)
        elif self.records.current(record):
            for message in record.endpoint.close():
                self.cell.settle(message, False)
