"""A meter in a PRIME network: it registers, answers, relays for others when asked to, and keeps alive."""

from __future__ import annotations

import math
from collections.abc import Generator
from enum import Enum
from typing import Any

import simpy

from .csma import later, out_of_step
from .endpoint import Endpoint, Left
from .messages import (
    ALV,
    BSI,
    CON,
    NO_ADVICE,
    NO_NODE,
    NO_SWITCH,
    PRO,
    REG,
    Beacon,
    Connection,
    Packet,
    Promotion,
    Registration,
    Slot,
    alive,
    request_beacon,
)
from .modem import PrimeModem
from .offers import Offers
from .outgoing import Message, Outgoing
from .relay import Relay
from .roles import Cell
from .search import Search
from .settings import CONTROL_PRIORITY, DATA_PRIORITY
from .watch import Watch

Steps = Generator[Any, Any, Any]


class State(Enum):
    """What a service node is."""

    OFF = 0
    SEARCHING = 1
    REGISTERING = 2
    TERMINAL = 3
    SWITCH = 4


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
        self.relay, self.search, self.offers = Relay(index, cell.places), Search(cell, self), Offers(cell, self)
        self.watch = Watch(cell, self)
        self.endpoint = Endpoint(cell, self._data, self._delivered, lambda: max(self.level, 1))
        self._answer: dict[int, simpy.Event] = {}

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
        if self.state is State.SWITCH:
            cell.silence(self.index)
        self.relay.end()
        cell.places.leave(self.index, self.switch, self.node)
        cell.joined_s[cell.number(self.index)] = math.nan
        self.state, self.connected = State.OFF, False
        self.parent, self.switch, self.node, self.level = -1, NO_SWITCH, NO_NODE, -1
        self._answer.clear()
        self.search.forget()
        self.offers.forget()
        self.modem.clear()
        for message in self.endpoint.close():
            cell.settle(message, False)
        self.endpoint.reset()

    def register_over(self, epoch: int, sender: int, beacon: Beacon) -> Steps:
        """Ask the base node for an address below the switch whose beacon was heard; False where that failed."""
        if epoch != self.epoch:
            return True
        self.state = State.REGISTERING
        self._hang_on(sender, beacon.switch, beacon.level + 1)
        answer = yield from self._ask(epoch, REG, self._registration_bytes())
        if epoch != self.epoch:
            return True
        if answer is None or answer[1].leave:
            self.cell.places.leave(self.index, self.switch, self.node)
            self.state, self.parent, self.modem.parent, self.level = State.SEARCHING, -1, -1, -1
            return False
        self._registered(answer[0].node)
        self._control(REG, self._registration_bytes())
        self.cell.env.process(self._connect(self.epoch))
        return True

    def _registration_bytes(self) -> bytes:
        return Registration(False, True, self.cell.mac.arq, 0, self.address).encode()

    def _hang_on(self, parent: int, switch: int, level: int) -> None:
        """A switch is chosen, the number there not known yet."""
        self.parent, self.modem.parent = parent, parent
        self.switch, self.node, self.level = switch, NO_NODE, level
        self.cell.places.hold(self.index, switch, NO_NODE)

    def _registered(self, node: int) -> None:
        """The address is known: the node is a terminal of its switch."""
        cell = self.cell
        cell.places.leave(self.index, self.switch, self.node)
        self.node, self.state = node, State.TERMINAL
        cell.places.hold(self.index, self.switch, node)
        cell.joined_s[cell.number(self.index)] = cell.env.now
        self.watch.begin()

    def install(self, parent: int, switch: int, node: int, level: int) -> None:
        """Be registered and connected without a word on the line, as at the start of a reading window."""
        self._hang_on(parent, switch, level)
        self._registered(node)
        self.connected = True

    def _connect(self, epoch: int) -> Steps:
        """Open the data connection; a node whose base node does not answer is not registered and begins anew."""
        request = Connection(False, self.cell.mac.arq, False, self.node & 0x1FF, self.address)
        answer = yield from self._ask(epoch, CON, request.encode())
        if epoch != self.epoch or self.connected:
            return
        if answer is None:
            self.boot(0.0)
            return
        self.connected = True
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
        mine = packet.switch == self.switch and (packet.node == self.node or self._named(packet))
        return mine and self._mine(packet)

    def _named(self, packet: Packet) -> bool:
        """Whether a registration answer bears the address of this node, which still waits for its number."""
        waits = self.state is State.REGISTERING and packet.control == REG
        return waits and Registration.decode(packet.payload).address == self.address

    def _mine(self, packet: Packet) -> bool:
        """Do what a packet for this node says; False for data without a connection."""
        self.watch.heard_base()
        if packet.control == REG:
            self._registration(packet)
        elif packet.control == CON:
            self._connection(Connection.decode(packet.payload))
        elif packet.control == PRO:
            self._promotion(Promotion.decode(packet.payload))
        elif packet.control == BSI and self.relay.own >= 0:
            self.switch_on(Slot.decode(packet.payload))
            self._control(BSI, packet.payload)
        elif packet.control == ALV:
            switch = self.relay.own if self.relay.own >= 0 else self.switch
            self._control(ALV, alive(packet.payload[0] >> 5, packet.payload[0] >> 2, 0, switch))
        elif not packet.control and self.connected:
            self.endpoint.heard(packet.payload)
        else:
            return False
        return True

    def _registration(self, packet: Packet) -> None:
        reply = Registration.decode(packet.payload)
        waiting = self._answer.pop(REG, None)
        if waiting is not None:
            waiting.succeed((packet, reply))
        elif reply.leave:
            self.boot(0.0)
        else:
            self._control(REG, self._registration_bytes())

    def _connection(self, told: Connection) -> None:
        """The base node confirms the connection, or opens it anew."""
        if told.answer:
            waiting = self._answer.pop(CON, None)
            if waiting is not None:
                waiting.succeed(told)
            return
        self.connected = True
        self.endpoint.reset()
        self._control(CON, told._replace(answer=True, data=b"").encode())

    def _promotion(self, told: Promotion) -> None:
        """Become a switch, or stop being one."""
        if not told.leave:
            self.relay.begin(told.switch)
        elif told.switch == self.relay.own:
            if self.state is State.SWITCH:
                self.cell.silence(self.index)
            self.relay.end()
            self.state = State.TERMINAL
        self._control(PRO, Promotion(told.leave, 0, told.switch).encode())

    def switch_on(self, slot: Slot) -> None:
        """Send beacons in a slot from now on."""
        self.state = State.SWITCH
        self.cell.places.slots[self.index] = (slot, self.cell.env.now)
        self.cell.wake()

    def ask_for_switch(self) -> None:
        """Ask all who hear it that one becomes a switch."""
        self.modem.send(Outgoing(None, -1, raw=request_beacon(self.cell.network, self.address)))

    def offer(self, payload: bytes) -> None:
        """Offer the base node to become a switch."""
        if self.state is State.TERMINAL:
            self._control(PRO, payload)

    def _ask(self, epoch: int, kind: int, payload: bytes) -> Steps:
        """A control packet, again until it is answered; ends with the answer, or None."""
        cell = self.cell
        for turn in range(cell.mac.control_tries):
            waiting = self._answer[kind] = cell.env.event()
            self._control(kind, payload)
            cell.counters["retries"] += turn > 0
            yield waiting | cell.env.timeout(out_of_step(cell.mac.control_timeout_s, cell.line.draw))
            if epoch != self.epoch:
                return None
            if waiting.triggered:
                return waiting.value
        self._answer.pop(kind, None)
        return None

    def _control(self, kind: int, payload: bytes) -> None:
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
            # a message was given up: both ends begin anew before the next one
            self.connected = False
            self.cell.env.process(self._connect(self.epoch))
        self.endpoint.send(message, self.cell.framed(message.data, 2, 1))

    def _delivered(self, data: bytes) -> None:
        self.cell.delivered(self.cell.base_index, self.index, data)
