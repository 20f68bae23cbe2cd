"""How a network comes back: the packet tier's cell joins and repairs, and the concentrator reads what it missed.

What is read are payloads of the length that the meters' own would have; the cell carries, loses and repeats them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import simpy
from numpy.typing import NDArray

from ..channels.technology import DOWN, Exchanges, PlcCell

Array = NDArray[Any]
Steps = Generator[Any, Any, Any]

PAUSE_S = 5.0
"""How often the concentrator looks whether somebody has joined while nobody it waits for has [s]."""


@dataclass(frozen=True)
class Recovery:
    """What came of the meters that were waited for; (n,) columns in the order they were given.

    joined_s : when each had last joined [s], NaN where it has not
    first_s, all_s : when its first exchange was complete, and all that was missed; inf where they were not
    control_frames : frames that were sent for the network itself
    """

    joined_s: Array
    first_s: Array
    all_s: Array
    control_frames: int


@dataclass(frozen=True)
class Talk:
    """One exchange of one meter as it goes over the line: turns of (down, bytes), and how long an answer may take."""

    turns: tuple[tuple[bool, int], ...]
    timeout_s: float


def talks_of(exchanges: Exchanges, meter: int) -> list[Talk]:
    """All exchanges of a meter in one period, in order."""
    rows = np.flatnonzero(exchanges.meter == meter)
    numbers = exchanges.exchange[rows]
    found = []
    for number in np.unique(numbers):
        legs = rows[numbers == number]
        turns = zip((exchanges.direction[legs] == DOWN).tolist(), exchanges.bytes[legs].tolist(), strict=True)
        found.append(Talk(tuple(turns), float(exchanges.timeout_s[legs].max())))
    return found


def recover(
    env: simpy.Environment,
    cell: PlcCell,
    site_node: int,
    meters: Array,
    talks: dict[int, list[Talk]],
    *,
    parallel: int,
    until_s: float,
) -> Recovery:
    """Let the cell run until every meter has joined and said all it has to say, or until ``until_s``.

    Parameters
    ----------
    meters : (n,) node numbers, in the order of polling
    talks : per meter, what is still to be said
    parallel : meters asked side by side

    A meter that has joined is asked; one that does not answer goes to the end of the queue.
    """
    reader = _Reader(env, cell, site_node, meters, talks)
    pollers = [env.process(reader.poller(until_s)) for _ in range(parallel)]
    env.run(until=env.all_of(pollers) | env.timeout(until_s))
    joined = np.array([cell.joined_s.get(int(node), np.nan) for node in meters], float)
    first, last = (np.array([times[int(node)] for node in meters], float) for times in (reader.first_s, reader.all_s))
    return Recovery(joined, first, last, int(cell.counters.get("control_frames", 0)))


class _Reader:
    """The concentrator after a fault."""

    def __init__(
        self,
        env: simpy.Environment,
        cell: PlcCell,
        site_node: int,
        meters: Sequence[int] | Array,
        talks: dict[int, list[Talk]],
    ) -> None:
        self.env, self.cell, self.site_node = env, cell, site_node
        self.queue = deque(int(node) for node in meters)
        self.left = {int(node): deque(talks[int(node)]) for node in meters}
        self.first_s = dict.fromkeys(self.left, np.inf)
        self.all_s = dict.fromkeys(self.left, np.inf)

    def poller(self, until_s: float) -> Steps:
        """One of the meters asked side by side, then the next, until nobody is left to ask."""
        while self.queue and self.env.now < until_s:
            node = next((one for one in self.queue if np.isfinite(self.cell.joined_s.get(one, np.nan))), -1)
            if node < 0:
                yield self.env.timeout(PAUSE_S)
                continue
            self.queue.remove(node)
            yield from self._serve(node)
            if self.left[node]:
                self.queue.append(node)

    def _serve(self, node: int) -> Steps:
        """All that a meter still has to say, until it is silent once."""
        while self.left[node]:
            if not (yield from self._say(node, self.left[node][0])):
                return
            self.left[node].popleft()
            self.first_s[node] = min(self.first_s[node], self.env.now)
        self.all_s[node] = self.env.now

    def _say(self, node: int, talk: Talk) -> Steps:
        """One exchange; whether it was complete. A lost turn is noticed after its timeout."""
        for down, size in talk.turns:
            ends = (self.site_node, node) if down else (node, self.site_node)
            begin = self.env.now
            sending = self.cell.send(*ends, bytes(size))
            yield sending | self.env.timeout(talk.timeout_s)
            if not sending.processed or sending.value is None:
                yield self.env.timeout(max(begin + talk.timeout_s - self.env.now, 0.0))
                return False
        return True
