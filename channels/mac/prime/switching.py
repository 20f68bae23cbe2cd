"""How a PRIME service node asks for a switch, offers itself as one, becomes one and stops being one."""

from __future__ import annotations

from .messages import PRO, Promotion, Slot, request_beacon
from .outgoing import Outgoing
from .roles import Cell
from .speakers import Switcher
from .state import State


class Switching:
    """Everything between a node and the role of a switch."""

    def __init__(self, cell: Cell, node: Switcher) -> None:
        self._cell, self._node = cell, node

    def request(self) -> None:
        """Ask all who hear it that one becomes a switch."""
        self._node.modem.send(Outgoing(None, -1, raw=request_beacon(self._cell.network, self._node.address)))

    def offer(self, payload: bytes) -> None:
        """Offer the base node to become a switch."""
        if self._node.state is State.TERMINAL:
            self._node.control(PRO, payload)

    def promotion(self, told: Promotion) -> None:
        """The base node wants a switch, or one less."""
        node = self._node
        if not told.leave:
            node.relay.begin(told.switch)
        elif told.switch == node.relay.own:
            self.end()
            node.state = State.TERMINAL
        node.control(PRO, Promotion(told.leave, 0, told.switch).encode())

    def begin(self, slot: Slot) -> None:
        """Send beacons in a slot from now on."""
        self._node.state = State.SWITCH
        self._cell.places.slots[self._node.index] = (slot, self._cell.env.now)
        self._cell.wake()

    def end(self) -> None:
        """Relay for nobody and send no beacons."""
        if self._node.state is State.SWITCH:
            self._cell.silence(self._node.index)
        self._node.relay.end()
