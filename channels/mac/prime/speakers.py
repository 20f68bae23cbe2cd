"""What joining and switching know of the node that they are part of."""

from __future__ import annotations

from typing import Protocol

from .endpoint import Endpoint
from .modem import PrimeModem
from .relay import Relay
from .roles import Hanger, Member
from .state import State
from .watch import Watch


class Speaker(Member, Protocol):
    """A node that talks to its base node."""

    state: State
    address: bytes
    modem: PrimeModem

    def control(self, kind: int, payload: bytes) -> None:
        """Send a control packet to the base node."""


class Joiner(Speaker, Hanger, Protocol):
    """A node that registers and connects; ``switch`` and ``node`` are its address."""

    connected: bool
    switch: int
    node: int
    level: int
    endpoint: Endpoint
    watch: Watch


class Switcher(Speaker, Protocol):
    """A node that may relay for others."""

    relay: Relay
