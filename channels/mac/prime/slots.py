"""Beacon slots of the switches of one PRIME network."""

from __future__ import annotations

from .messages import Slot
from .settings import MOST_SLOT_FRAMES, PrimeMac


class BeaconSlots:
    """Slots 1, 2, ... of each MAC frame, shared among switches by powers of two; slot 0 is the base node's.

    A switch gets a whole slot while one is free; else one that sends most often halves its beacons and the new switch
    takes the frames in between, down to one beacon in 32 frames. So all send equally often to a factor of two, as
    `PrimeMac.beacon_every_frames` says for a full network.
    """

    def __init__(self, mac: PrimeMac) -> None:
        self._given: dict[int, Slot] = {}
        self._free = [Slot(number, 1, 0) for number in range(1, mac.beacon_slots)]

    def of(self, switch: int) -> Slot:
        """Slot of a switch."""
        return self._given[switch]

    def take(self, switch: int) -> tuple[Slot, int] | None:
        """Slot for a new switch, and the switch whose slot changed for it (-1 for none); None where all are taken.

        >>> from types import SimpleNamespace
        >>> slots = BeaconSlots(SimpleNamespace(beacon_slots=2))
        >>> slots.take(1)[0], slots.take(2)[0]
        (Slot(number=1, every=1, phase=0), Slot(number=1, every=2, phase=1))
        >>> slots.of(1)
        Slot(number=1, every=2, phase=0)
        """
        if self._free:
            slot = min(self._free, key=lambda one: (one.every, one.number, one.phase))
            self._free.remove(slot)
            self._given[switch] = slot
            return slot, -1
        often = min(self._given, key=lambda one: (self._given[one].every, self._given[one].number, one), default=-1)
        if often < 0 or self._given[often].every == MOST_SLOT_FRAMES:
            return None
        number, every, phase = self._given[often]
        self._given[often] = Slot(number, 2 * every, phase)
        self._given[switch] = Slot(number, 2 * every, phase + every)
        return self._given[switch], often

    def free(self, switch: int) -> None:
        """The slot of a switch is free again."""
        slot = self._given.pop(switch, None)
        if slot is not None:
            self._free.append(slot)
