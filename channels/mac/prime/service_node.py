"""A meter in a PRIME network: it registers, answers, relays for others when asked to, and keeps alive."""

from __future__ import annotations

import math

from .csma import later
from .endpoint import Endpoint, Left
from .joining import Joining
from .messages import (
    ALV,
    BSI,
    CON,
    NO_ADVICE,
    NO_NODE,
    NO_SWITCH,
    PRO,
    REG,
    Connection,
    Packet,
    Promotion,
    Slot,
    alive,
)
from .modem import PrimeModem
from .offers import Offers
from .outgoing import Message, Outgoing
from .relay import Relay
from .roles import Cell
from .search import Search
from .settings import CONTROL_PRIORITY, DATA_PRIORITY
from .state import State
from .switching import Switching
from .watch import Watch


class ServiceNode:
    """Functions and memory of one meter's modem above the queue.

    level : hops to the base node;  parent : member that it hangs on
    switch, node : its address, the identity of that switch and its number there
    """

    def __init__(self, cell: Cell, index: int) -> None:
        self.cell, self.index, self.epoch = cell, index, 0
        self.state, self.connected = State.OFF, False
        self.parent, self.switch, self.node, self.level = -1, NO_SWITCH, NO_NODE, -1
        self.modem = PrimeModem(cell, index)
        self.address = b"\x02\x00" + index.to_bytes(4, "big")
        self.joining, self.switching, self.watch = Joining(cell, self), Switching(cell, self), Watch(cell, self)
        self.relay = Relay(index, cell.places)
        self.search = Search(cell, self, self.joining.register, self.switching.request)
        self.offers = Offers(cell, self, self.switching.offer)
        self.endpoint = Endpoint(cell, self._data, self._delivered, lambda: max(self.level, 1), self._renew)

    @property
    def alive(self) -> bool:
        """Whether the modem has power."""
        return self.modem.alive

    @property
    def joined(self) -> bool:
        """Whether it is registered, as far as it knows."""
        return self.state in (State.TERMINAL, State.SWITCH)

    def boot(self, spread_s: float, *, settled: bool = False) -> None:
        """Begin anew within a time [s], with no knowledge of the network; ``settled`` after a long search in vain."""
        self.forget()
        self.modem.alive = True
        self.state = State.SEARCHING
        self.cell.env.process(self.search.run(self.epoch, spread_s * self.cell.line.draw(), settled))

    def forget(self) -> None:
        """Lose all it knows; what it was sending is lost."""
        cell = self.cell
        self.epoch += 1
        self.switching.end()
        cell.places.leave(self.index, self.switch, self.node)
        cell.joined_s[cell.number(self.index)] = math.nan
        self.state, self.connected = State.OFF, False
        self.parent, self.switch, self.node, self.level = -1, NO_SWITCH, NO_NODE, -1
        self.joining.forget()
        self.search.forget()
        self.offers.forget()
        self.modem.clear()
        for message in self.endpoint.close():
            cell.settle(message, False)
        self.endpoint.reset()

    def take(self, packet: Packet, sender: int, message: Message | None) -> None:
        """A frame arrived for this node or for one behind it."""
        if self.modem.learn(sender, packet):
            return
        epoch = self.epoch

        def act() -> None:
            taken = epoch == self.epoch and self.alive and self._act(packet, sender, message)
            if message is not None and not taken:
                self.cell.settle(message, False)

        later(self.cell.env, self.cell.mac.processing_s, act)

    def _act(self, packet: Packet, sender: int, message: Message | None) -> bool:
        """Relay a packet or do what it says; False where neither is possible.

        A request to register is relayed only where its sender is heard well enough for a link (confidence C).
        """
        relays = self.relay.serves(packet.switch)
        if not packet.down:
            if relays and (packet.node != NO_NODE or self.cell.line.hears(sender, self.index)):
                self.relay.up(packet, sender)
                self.modem.send(Outgoing(packet._replace(level=self.level - 1), self.parent, message))
            return relays
        if relays:
            child = self.relay.down(packet)
            if child >= 0:
                self.modem.send(Outgoing(packet._replace(level=self.level), child, message))
            return child >= 0
        mine = packet.switch == self.switch and (packet.node == self.node or self.joining.expects(packet))
        return mine and self._mine(packet)

    def _mine(self, packet: Packet) -> bool:
        """Do what a packet for this node says; False for data without a connection."""
        self.watch.heard_base()
        if packet.control == REG:
            self.joining.registration(packet)
        elif packet.control == CON:
            self.joining.connection(Connection.decode(packet.payload))
        elif packet.control == PRO:
            self.switching.promotion(Promotion.decode(packet.payload))
        elif packet.control == BSI and self.relay.own >= 0:
            self.switching.begin(Slot.decode(packet.payload))
            self.control(BSI, packet.payload)
        elif packet.control == ALV:
            switch = self.relay.own if self.relay.own >= 0 else self.switch
            self.control(ALV, alive(packet.payload[0] >> 5, packet.payload[0] >> 2, 0, switch))
        elif not packet.control and self.connected:
            self.endpoint.heard(packet.payload)
        else:
            return False
        return True

    def control(self, kind: int, payload: bytes) -> None:
        """Send a control packet to the base node."""
        self._up(kind, CONTROL_PRIORITY, 0, payload, None, None)

    def _data(self, payload: bytes, message: Message | None, left: Left) -> None:
        self._up(0, DATA_PRIORITY, self.node & 0x1FF, payload, message, left)

    def _up(
        self, kind: int, priority: int, connection: int, payload: bytes, message: Message | None, left: Left
    ) -> None:
        """Send a packet to the base node."""
        packet = Packet(False, self.level - 1, NO_ADVICE, priority, kind, connection, self.switch, self.node, payload)
        self.modem.send(Outgoing(packet, self.parent, message, left))

    def carry(self, message: Message) -> None:
        """Send an answer to the base node; it is lost where no connection stands."""
        if not self.joined or not self.connected:
            self.cell.settle(message, False)
            return
        if self.endpoint.stale:
            self._renew()
        self.endpoint.send(message, self.cell.framed(message.data, 2, 1))

    def _renew(self) -> None:
        """A message was given up: both ends begin anew before the next one."""
        self.connected = False
        self.cell.env.process(self.joining.connect(self.epoch))

    def _delivered(self, data: bytes) -> None:
        self.cell.delivered(self.cell.base_index, self.index, data)
