"""The service level: what must be read, by when, and how sure the buyer wants to be."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..channels.parameters import parameter
from ..meters.services import SERVICES
from .on_demand import ON_DEMAND


@dataclass(frozen=True)
class ServiceLevel:
    """One service level for all technologies of a study.

    A meter is served in a service when ``p_read_deadline`` is at least ``read_probability``.
    """

    name: str = parameter("daily reading", "-", "name of the service level in the report", "choice of the buyer")
    services: tuple[str, ...] = parameter(
        ("register", "profile"),
        "-",
        "what is read, or done, once a day at each meter; concentrators poll in this order",
        "choice of the buyer",
    )
    start_h: float = parameter(
        0.0, "h", "collection may start, after midnight", "choice of the buyer", minimum=0.0, maximum=23.9
    )
    deadline_h: float = parameter(
        8.0,
        "h",
        "data of the day before must be at the head end, after midnight",
        "choice of the buyer; beyond a day the next reading begins",
        minimum=0.1,
        maximum=168.0,
    )
    read_probability: float = parameter(
        0.95,
        "1",
        "a meter is served when it is read by the deadline with this probability",
        "amiplan contract; public AMI contracts accept 98.5 % of meters read in three days (Redwood City)",
        confidence="C",
        minimum=0.01,
        maximum=1.0,
    )

    def __post_init__(self) -> None:
        """Refuse an empty, doubled or unknown list of services."""
        unknown = [one for one in self.services if one not in SERVICES]
        if unknown or not self.services or len(set(self.services)) < len(self.services):
            raise ValueError(f"services = {list(self.services)}: name at least one of {', '.join(SERVICES)}, each once")

    @property
    def window_s(self) -> float:
        """Time between start and deadline [s]; raises ValueError where the deadline is not after the start."""
        if self.deadline_h <= self.start_h:
            raise ValueError(f"deadline_h = {self.deadline_h} must be later than start_h = {self.start_h}")
        return (self.deadline_h - self.start_h) * 3600.0

    @property
    def text(self) -> str:
        """The service level as one sentence; what is read on demand is asked for at any time, and not collected."""
        collected = [one.replace("_", " ") for one in self.services if one != ON_DEMAND]
        *others, last = collected or [""]
        services = f"{', '.join(others)} and {last}" if others else last
        parts = []
        if collected:
            parts.append(
                f"{services} of every meter, once a day, collected from {_clock(self.start_h)} and complete and "
                f"decrypted at the head end by {_clock(self.deadline_h)}"
            )
        if ON_DEMAND in self.services:
            hours = f"{self.window_s / 3600.0:g} h"
            parts.append(
                f"a read on demand of every meter, once a day, asked for at a random moment of it and answered within "
                f"{hours}"
            )
        return f"{'; '.join(parts)}; served means with a probability of at least {self.read_probability:.0%}"


def least_replications(read_probability: float, availability: float) -> int:
    """Replications from which a meter that fails in a single one is still served.

    Parameters
    ----------
    read_probability : asked for, above 0;  availability : of the backhaul, which counts in every replication

    Returns
    -------
    The least n with ``availability * (n - 1) / n >= read_probability``; 1 where no n is enough, since a failing
    replication then decides nothing that more of them would not.

    >>> least_replications(0.95, 1.0), least_replications(0.95, 0.995)
    (20, 23)
    """
    spare = 1.0 - read_probability / max(availability, 1e-9)
    return math.ceil(1.0 / spare - 1e-9) if spare > 1e-9 else 1


def _clock(hours: float) -> str:
    minutes = round(hours * 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
