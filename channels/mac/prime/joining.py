"""How a PRIME service node becomes a terminal: it registers over a switch, then opens its data connection."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import simpy

from .csma import out_of_step
from .messages import CON, NO_NODE, REG, Beacon, Connection, Packet, Registration
from .roles import Cell
from .speakers import Joiner
from .state import State

Steps = Generator[Any, Any, Any]


class Joining:
    """What a node asks of its base node until it is registered and connected, and what it answers later."""

    def __init__(self, cell: Cell, node: Joiner) -> None:
        self._cell, self._node = cell, node
        self._answers: dict[int, simpy.Event] = {}

    def forget(self) -> None:
        """Wait for no answer any more."""
        self._answers.clear()

    def register(self, epoch: int, sender: int, beacon: Beacon) -> Steps:
        """Ask the base node for an address below the switch whose beacon was heard; ends with False where that failed.

        A node that began anew meanwhile has another search: then there is nothing left to do here.
        """
        cell, node = self._cell, self._node
        if epoch != node.epoch:
            return True
        node.state = State.REGISTERING
        self._hang_on(sender, beacon.switch, beacon.level + 1)
        answer = yield from self._ask(epoch, REG, self._request())
        if epoch != node.epoch:
            return True
        if answer is None or answer[1].leave:
            cell.places.leave(node.index, node.switch, node.node)
            node.state, node.parent, node.modem.parent, node.level = State.SEARCHING, -1, -1, -1
            return False
        self._registered(answer[0].node)
        node.control(REG, self._request())
        cell.env.process(self.connect(node.epoch))
        return True

    def install(self, parent: int, switch: int, number: int, level: int) -> None:
        """Be registered and connected without a word on the line, as at the start of a reading window."""
        self._hang_on(parent, switch, level)
        self._registered(number)
        self._node.connected = True

    def connect(self, epoch: int) -> Steps:
        """Open the data connection; a node whose base node does not answer is not registered and begins anew."""
        node = self._node
        request = Connection(False, self._cell.mac.arq, False, node.node & 0x1FF, node.address)
        answer = yield from self._ask(epoch, CON, request.encode())
        if epoch != node.epoch or node.connected:
            return
        if answer is None:
            node.boot(0.0)
        else:
            self._connected()

    def expects(self, packet: Packet) -> bool:
        """Whether a registration answer bears the address of this node, which still waits for its number."""
        waits = self._node.state is State.REGISTERING and packet.control == REG
        return waits and Registration.decode(packet.payload).address == self._node.address

    def registration(self, packet: Packet) -> None:
        """The base node tells the number, asks for its confirmation again, or ends the registration."""
        reply = Registration.decode(packet.payload)
        waiting = self._answers.pop(REG, None)
        if waiting is not None:
            waiting.succeed((packet, reply))
        elif reply.leave:
            self._node.boot(0.0)
        else:
            self._node.control(REG, self._request())

    def connection(self, told: Connection) -> None:
        """The base node confirms the connection, or opens it anew."""
        if told.answer:
            waiting = self._answers.pop(CON, None)
            if waiting is not None:
                waiting.succeed(told)
            return
        self._connected()
        self._node.control(CON, told._replace(answer=True, data=b"").encode())

    def _connected(self) -> None:
        self._node.connected = True
        self._node.endpoint.reset()

    def _request(self) -> bytes:
        return Registration(False, True, self._cell.mac.arq, 0, self._node.address).encode()

    def _hang_on(self, parent: int, switch: int, level: int) -> None:
        """A switch is chosen, the number there not known yet."""
        node = self._node
        node.parent, node.modem.parent = parent, parent
        node.switch, node.node, node.level = switch, NO_NODE, level
        self._cell.places.hold(node.index, switch, NO_NODE)

    def _registered(self, number: int) -> None:
        """The address is known: the node is a terminal of its switch."""
        cell, node = self._cell, self._node
        cell.places.leave(node.index, node.switch, node.node)
        node.node, node.state = number, State.TERMINAL
        cell.places.hold(node.index, node.switch, number)
        cell.joined_s[cell.number(node.index)] = cell.env.now
        node.watch.begin()

    def _ask(self, epoch: int, kind: int, payload: bytes) -> Steps:
        """A control packet, again until it is answered; ends with the answer, or None."""
        cell = self._cell
        for turn in range(cell.mac.control_tries):
            waiting = self._answers[kind] = cell.env.event()
            self._node.control(kind, payload)
            cell.counters["retries"] += turn > 0
            yield waiting | cell.env.timeout(out_of_step(cell.mac.control_timeout_s, cell.line.draw))
            if epoch != self._node.epoch:
                return None
            if waiting.triggered:
                return waiting.value
        self._answers.pop(kind, None)
        return None
