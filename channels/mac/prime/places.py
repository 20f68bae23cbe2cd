"""Who holds which address and relays for whom, as the members of one PRIME cell believe: an index for the line."""

from __future__ import annotations

from collections.abc import Callable

from .messages import NO_NODE, REG, Packet, Slot


class Places:
    """Addresses, relays and beacon slots of all members.

    Two members may hold the same address where one has not noticed that it lost it. What stands here is what the
    members themselves know; it only spares the line to ask each of them for every frame.

    slots : member to the slot of its beacons and the time since when it sends them
    """

    def __init__(self, base: int, level_of: Callable[[int], int]) -> None:
        self._base, self._level_of = base, level_of
        self._relays: dict[int, set[int]] = {}
        self._holders: dict[tuple[int, int], set[int]] = {}
        self.slots: dict[int, tuple[Slot, float]] = {}
        self._last: dict[int, Slot] = {}

    def hold(self, member: int, switch: int, node: int) -> None:
        """A member takes an address, or waits for one (`NO_NODE`)."""
        self._holders.setdefault((switch, node), set()).add(member)

    def leave(self, member: int, switch: int, node: int) -> None:
        """A member gives an address up."""
        self._holders.get((switch, node), set()).discard(member)

    def relay(self, member: int, switch: int) -> None:
        """A member relays for a switch: itself, or one behind it."""
        self._relays.setdefault(switch, set()).add(member)

    def unrelay(self, member: int, switch: int) -> None:
        """It does so no more."""
        self._relays.get(switch, set()).discard(member)

    def silence(self, member: int) -> bool:
        """A member sends no more beacons; False where it sent none."""
        gone = self.slots.pop(member, None)
        if gone is not None:
            self._last[member] = gone[0]
        return gone is not None

    def expected(self, member: int) -> Slot:
        """Slot in which those that hang on a member expect its beacons."""
        return self.slots[member][0] if member in self.slots else self._last.get(member, Slot(0, 1, 0))

    def takers(self, sender: int, packet: Packet) -> list[int]:
        """Members that a packet is meant for on its present hop."""
        relays = self._relays.get(packet.switch, set())
        if not packet.down:
            if not packet.level:
                return [self._base]
            return [k for k in relays if self._level_of(k) == packet.level]
        held = self._holders.get((packet.switch, packet.node), set())
        if packet.control == REG:
            held = held | self._holders.get((packet.switch, NO_NODE), set())
        return [k for k in relays | held if k != sender and self._level_of(k) == packet.level + 1]
