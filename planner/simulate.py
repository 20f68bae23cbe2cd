"""All replications of a technology, some at a time: whoever does them, and however many do, the sums are the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from ..channels.draws import Draws
from ..channels.parameters import parameter
from ..channels.paths import CablePaths
from ..channels.scenario import Scenario
from ..channels.technology import Exchanges, Siting, Technology
from .areas import AreaTally, tally_of
from .backhaul import Backhaul, left_for_access
from .positions import PositionMix
from .replicate import Replication, replicate, to_head_end
from .service import ServiceLevel
from .tables import Deliveries, Links
from .tally import Tally

Array = NDArray[Any]

TIERS = ("fast", "sample", "packet")

PIECE_REPLICATIONS = 5
"""Replications that one worker does at a time. Sums are taken piece by piece, so another number moves last digits."""


@dataclass(frozen=True)
class SimulationSettings:
    """How much is drawn, and how much of it goes through the packet tier."""

    seed: int = parameter(1, "-", "seed of every random draw", "choice of the planner", minimum=0)
    replications: int = parameter(
        45,
        "1",
        "draws of meter places, shadowing, phases and loads",
        "two failing draws of 45 leave a meter served at 95 %; one of 20 would not",
        confidence="C",
        minimum=1,
    )
    tier: str = parameter("sample", "-", "fast, sample or packet: how many cells carry real bytes", "amiplan contract")
    packet_meters: int = parameter(
        60,
        "1",
        "meters that the packet tier simulates at most per technology when tier is sample",
        "choice of amiplan",
        confidence="C",
        minimum=1,
    )

    def __post_init__(self) -> None:
        """Refuse an unknown tier."""
        if self.tier not in TIERS:
            raise ValueError(f"tier = {self.tier!r}: write {', '.join(TIERS)}")


@dataclass(frozen=True)
class Task:
    """One technology with its links in one scenario: all that its replications need.

    built : (n_sites,) bool;  settings : seed and number of replications
    transformer : (n_meters,) site row of each meter's area, -1 where none is known; None where nobody asks for the
        numbers of transformer areas
    n_apart : first replications whose transformer areas are told alone as well, at most all; 0 for none
    """

    technology: Technology
    links: Links
    exchanges: Exchanges
    built: Array
    scenario: Scenario
    places: PositionMix
    settings: SimulationSettings
    backhaul: Backhaul
    level: ServiceLevel
    transformer: Array | None = None
    n_apart: int = 0

    @property
    def pieces(self) -> list[range]:
        """Numbers of the replications, some at a time."""
        every = range(self.settings.replications)
        return [every[low : low + PIECE_REPLICATIONS] for low in every[::PIECE_REPLICATIONS]]


@dataclass(frozen=True)
class Share:
    """Some replications of a task, added up.

    areas : None where nobody asks for them, or the technology does not run over power lines
    first : replication 0, where it is among them
    """

    tally: Tally
    areas: AreaTally | None
    first: Replication | None


@dataclass(frozen=True)
class Simulated:
    """All replications of a task: their means, the areas' numbers, and the first one, for maps and the packet tier."""

    deliveries: Deliveries
    areas: AreaTally | None
    first: Replication


def share_of(task: Task, numbers: range) -> Share:
    """Some replications, one after another.

    Where the scenario follows the day, routes, hops and margins are those of the opening of the window.
    """
    technology, paths, exchanges = task.technology, task.links.paths, task.exchanges
    kind = task.backhaul.of(technology.siting is Siting.OPERATOR_CELL)
    access = left_for_access(exchanges, kind)
    tally = Tally.empty(len(numbers), len(exchanges.services), paths.n_meters)
    areas = None
    if task.transformer is not None:
        apart = numbers[: max(task.n_apart - numbers.start, 0)]
        areas = tally_of(technology, task.transformer, paths.n_sites, len(numbers), len(apart))
    first, most = None, 0
    for row, number in enumerate(numbers):
        draws = Draws(task.settings.seed, number)
        one = replicate(
            technology, task.links, access, task.built, task.scenario, task.places, draws, task.level.start_h
        )
        most = most or technology.load(access, one.paths, one.quality).max_meters_per_site
        one, at_head_end = to_head_end(one, exchanges, most, kind)
        tally.add(row, technology, one, at_head_end)
        if areas is not None and isinstance(one.paths, CablePaths):
            areas.add(row, technology, access, one.paths, one.quality, one.routes, at_head_end)
        first = one if number == 0 else first
    return Share(tally, areas, first)


def together(task: Task, shares: Sequence[Share]) -> Simulated:
    """Means over all replications.

    Parameters
    ----------
    shares : of all ``task.pieces``, in their order
    """
    tally, parts, first = Tally.together([one.tally for one in shares]), [one.areas for one in shares], shares[0].first
    assert first is not None
    areas = AreaTally.together([one for one in parts if one is not None]) if parts[0] is not None else None
    if areas is not None:
        areas.settle(tally.p_arrive, task.level.read_probability)
    return Simulated(tally.deliveries(task.level, task.exchanges.services), areas, first)


def simulate(task: Task) -> Simulated:
    """All replications in this process."""
    return together(task, [share_of(task, numbers) for numbers in task.pieces])
