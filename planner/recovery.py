"""How a network comes back: the packet tier's cell joins and repairs, and the concentrator reads what it missed.

What is read are the ciphered answers of the meters themselves; only what was decrypted and equals the registers counts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import simpy
from numpy.typing import NDArray

from ..channels.technology import PlcCell
from .concentrator import PAUSE_S, PolledMeter, poll
from .polled import PUSHED_ONLY

Array = NDArray[Any]
Steps = Generator[Any, Any, Any]


@dataclass(frozen=True)
class Recovery:
    """What came of the meters that were waited for; (n,) columns in the order they were given.

    joined_s : when each had last joined [s], NaN where it has not
    first_s, all_s : when its first reading was complete and right, and all that was missed; inf where they were not
    wrong : readings that were decrypted but differ from the registers, and therefore came again
    control_frames : frames that were sent for the network itself
    """

    joined_s: Array
    first_s: Array
    all_s: Array
    wrong: int
    control_frames: int


@dataclass(frozen=True)
class Talk:
    """One reading of one meter that is still to be done, and how long each answer may take [s]."""

    meter: PolledMeter
    service: str
    timeout_s: float


def talks_of(
    polled: Mapping[str, Sequence[PolledMeter]], services: Sequence[str], timeout_s: float
) -> dict[int, list[Talk]]:
    """All readings of one period and of those missed, per node and in the order of services.

    Parameters
    ----------
    polled : per service, the meters
    services : names; what follows a comma says how late a reading is, and it is done as one of today: a meter is made
        with the registers of one day, and those of another take as many bytes. What can only be pushed is left out.
    """
    talks: dict[int, list[Talk]] = {}
    for name in services:
        service = name.partition(",")[0]
        for meter in polled[service] if service not in PUSHED_ONLY else ():
            talks.setdefault(meter.node, []).append(Talk(meter, service, timeout_s))
    return talks


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
    talks : per meter, what is still to be read
    parallel : meters asked side by side

    A meter that has joined is asked; one that does not answer goes to the end of the queue.
    """
    reader = _Reader(env, cell, site_node, meters, talks)
    pollers = [env.process(reader.poller(until_s)) for _ in range(parallel)]
    env.run(until=env.all_of(pollers) | env.timeout(until_s))
    joined = np.array([cell.joined_s.get(int(node), np.nan) for node in meters], float)
    first, last = (np.array([times[int(node)] for node in meters], float) for times in (reader.first_s, reader.all_s))
    return Recovery(joined, first, last, reader.wrong, int(cell.counters.get("control_frames", 0)))


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
        self.wrong = 0

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
            if not (yield from self._say(self.left[node][0])):
                return
            self.left[node].popleft()
            self.first_s[node] = min(self.first_s[node], self.env.now)
        self.all_s[node] = self.env.now

    def _say(self, talk: Talk) -> Steps:
        """One reading; whether it came and is right."""
        reading = yield from poll(self.env, self.cell, self.site_node, talk.meter, talk.service, talk.timeout_s)
        right = reading is not None and talk.meter.holds(reading)
        self.wrong += reading is not None and not right
        return right
