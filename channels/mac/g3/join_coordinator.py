"""The coordinator's side of joining: two round trips of EAP-PSK, then the device is in the network."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .join_messages import (
    ACCEPTED,
    CHALLENGE,
    DECLINE,
    FIRST,
    FOURTH,
    RAND_BYTES,
    SECOND,
    SUCCESS,
    THIRD,
    Lbp,
    eap,
    read_eap,
)


class Coordinator:
    """What the coordinator knows of devices that join or have joined.

    members : 64-bit addresses of those that it accepted
    """

    def __init__(
        self, address_of: Mapping[int, int], uniform: Callable[[], float], *, slots: int, dialogue_s: float
    ) -> None:
        """Prepare for devices.

        Parameters
        ----------
        address_of : short address kept for each 64-bit address;  uniform : gives numbers in [0, 1)
        slots, dialogue_s : dialogues it leads at once, and after which it forgets one [s]
        """
        self._address_of, self._uniform, self._slots, self._dialogue_s = address_of, uniform, slots, dialogue_s
        self.members: set[int] = set()
        self.restart()

    def restart(self) -> None:
        """Dialogues are forgotten; the list of members is kept, as devices store it."""
        self._open: dict[int, tuple[int, bytes]] = {}
        self._begun_s: dict[int, float] = {}

    def answer(self, now_s: float, message: Lbp) -> Lbp | None:
        """Answer to a device's message; None where it does not fit the dialogue, or all slots are taken.

        A device that nobody knows is declined; a first message opens a new dialogue. Who is not answered tries again
        when its clock says so.
        """
        if message.eui not in self._address_of:
            return Lbp(DECLINE, message.eui)
        if not message.payload:
            if not self._room(now_s, message.eui):
                return None
            rand = b"".join(int(self._uniform() * 256).to_bytes(1, "big") for _ in range(RAND_BYTES))
            self._open[message.eui] = (SECOND, rand)
            return Lbp(CHALLENGE, message.eui, eap(FIRST, rand))
        step, rand, _ = read_eap(message.payload)
        if self._open.get(message.eui) != (step, rand):
            return None
        if step == SECOND:
            self._open[message.eui] = (FOURTH, rand)
            return Lbp(CHALLENGE, message.eui, eap(THIRD, rand, self._address_of[message.eui]))
        self._close(message.eui)
        self.members.add(message.eui)
        return Lbp(ACCEPTED, message.eui, SUCCESS)

    def _room(self, now_s: float, eui: int) -> bool:
        """Take a slot for a device, after forgetting dialogues that are too old."""
        for old in [old for old, begun_s in self._begun_s.items() if now_s >= begun_s + self._dialogue_s]:
            self._close(old)
        if eui not in self._begun_s and len(self._begun_s) >= self._slots:
            return False
        self._begun_s[eui] = now_s
        return True

    def _close(self, eui: int) -> None:
        self._begun_s.pop(eui, None)
        self._open.pop(eui, None)
