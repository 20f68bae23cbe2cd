"""What the parts of a PRIME cell know of the whole, and of each other: no more than they use."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Protocol

import simpy

from .csma import FrameClock
from .line import PrimeLine
from .outgoing import Message, Outgoing
from .places import Places
from .relay import Relay
from .settings import PrimeMac

Steps = Generator[Any, Any, Any]


class Ground(Protocol):
    """What all parts stand on: time, constants, line with its random numbers, counters."""

    env: simpy.Environment
    mac: PrimeMac
    line: PrimeLine
    counters: dict[str, int]


class Ledger(Ground, Protocol):
    """Keeps account of messages; what an end of a connection needs."""

    def settle_unseen(self, message: Message) -> None:
        """The sender is done with a message."""


class Air(Ground, Protocol):
    """Brings frames onto the line; what a modem needs."""

    clock: FrameClock
    network: bytes

    def on_line(self, sender: int, out: Outgoing, data: bytes, mode: int, kind: str, airtime_s: float) -> Steps:
        """One frame from its start to its end, and what its receivers make of it."""

    def settle(self, message: Message, arrived: bool) -> None:
        """A message has met its fate."""


class Beacons(Ground, Protocol):
    """Tells who sends beacons when, and what they say; what a node needs to find and to watch its switch."""

    clock: FrameClock
    network: bytes
    places: Places

    def place_of(self, member: int) -> tuple[int, int]:
        """Level and identity that the beacons of a member tell."""


class Cell(Ledger, Air, Beacons, Protocol):
    """All that base node and service nodes need of their cell."""

    base_index: int
    joined_s: dict[int, float]

    def number(self, index: int) -> int:
        """Node number of a member."""

    def silence(self, member: int) -> None:
        """A member sends no more beacons."""

    def wake(self) -> None:
        """There are beacons that were not there before."""

    def framed(self, data: bytes, source: int, destination: int) -> bytes:
        """Data behind the header of its convergence layer."""

    def delivered(self, source: int, destination: int, data: bytes) -> None:
        """A message came out at its destination."""


class Member(Protocol):
    """A service node; ``epoch`` counts how often it began anew."""

    index: int
    epoch: int


class Terminal(Member, Protocol):
    """A node that may become a switch."""

    level: int
    relay: Relay


class Hanger(Member, Protocol):
    """A node that hangs on a switch."""

    parent: int

    def boot(self, spread_s: float) -> None:
        """Begin anew within a time [s]."""
