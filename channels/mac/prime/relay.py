"""What a switch of a PRIME network knows of the tree below it, and how packets pass it."""

from __future__ import annotations

from .messages import NO_NODE, NO_SWITCH, PRO, REG, Packet, Promotion, Registration
from .places import Places


def member_of(address: bytes) -> int:
    """Member index in the address of a node."""
    return int.from_bytes(address[2:], "big")


class Relay:
    """Identity and tables of one switch.

    own : its identity, -1 for none
    """

    def __init__(self, member: int, places: Places) -> None:
        self._member, self._places = member, places
        self.own = -1
        self._branch: dict[int, int] = {}
        self._children: dict[int, int] = {}

    def serves(self, switch: int) -> bool:
        """Whether a switch is this one or stands below it."""
        return self.own >= 0 and (switch == self.own or switch in self._branch)

    def begin(self, own: int) -> None:
        """Take an identity."""
        if self.own >= 0:
            self._places.unrelay(self._member, self.own)
        self.own = own
        self._places.relay(self._member, own)

    def end(self) -> None:
        """Give identity and tables up."""
        for switch in (self.own, *self._branch):
            self._places.unrelay(self._member, switch)
        self.own = -1
        self._branch.clear()
        self._children.clear()

    def learn(self, switch: int, child: int) -> None:
        """A switch works below this one, behind one of its children."""
        self._branch[switch] = child
        self._places.relay(self._member, switch)

    def adopt(self, node: int, child: int) -> None:
        """A node hangs on this switch under a number."""
        self._children[node] = child

    def up(self, packet: Packet, sender: int) -> None:
        """A packet passes on its way up: children and new or leaving switches below are noticed."""
        if packet.node == NO_NODE:
            return
        if packet.switch == self.own:
            self._children[packet.node] = sender
        if packet.control != PRO:
            return
        told = Promotion.decode(packet.payload)
        if told.leave:
            if self._branch.pop(told.switch, None) is not None:
                self._places.unrelay(self._member, told.switch)
        elif told.switch != NO_SWITCH:
            self.learn(told.switch, sender)

    def down(self, packet: Packet) -> int:
        """Child that a packet must be handed to, -1 where it is not known."""
        if packet.switch != self.own:
            return self._branch.get(packet.switch, -1)
        if packet.control == REG:
            self._children[packet.node] = member_of(Registration.decode(packet.payload).address)
        return self._children.get(packet.node, -1)
