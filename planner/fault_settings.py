"""What the case file says about switching and faults."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..channels.parameters import parameter

FAULTS = ("feeder_moved", "concentrator_out", "repeater_lost")
"""What may happen to an area; see `planner.faults`."""


@dataclass(frozen=True)
class FaultSettings:
    """Which faults each technology on power lines goes through, and where; a section of the case file.

    Raises ValueError for an unknown or doubled fault.
    """

    which: tuple[str, ...] = parameter(
        FAULTS,
        "-",
        "faults to go through: feeder_moved, concentrator_out, repeater_lost; [] for none",
        "amiplan contract",
    )
    area: str = parameter(
        "",
        "-",
        "transformer whose area is hit; left out: the one with the most meters, see most_meters",
        "choice of amiplan",
    )
    most_meters: int = parameter(
        100,
        "1",
        "meters of an area up to which it is chosen unasked: a cold start of as many takes half a minute of one core",
        "choice of amiplan",
        confidence="C",
        minimum=1,
    )
    neighbour: str = parameter(
        "", "-", "transformer that takes the moved feeder; left out: the nearest by an open point", "choice of amiplan"
    )
    tie_cable: str = parameter(
        "NAYY 4x150 SE",
        "-",
        "cable laid between the two areas where no open point of the network joins them",
        "choice of amiplan: the usual main cable of German low voltage",
        confidence="C",
    )
    open_point_m: float = parameter(
        1.0,
        "m",
        "two nodes of different areas that stand no further apart are the two sides of an open point",
        "choice of amiplan",
        confidence="C",
        minimum=0.0,
    )
    outage_h: float = parameter(
        48.0, "h", "how long the concentrator is out", "choice of amiplan", confidence="C", minimum=0.0, maximum=720.0
    )
    watch_h: float = parameter(
        2.0,
        "h",
        "how long the network is watched after the fault; what has not come back by then counts as not back",
        "choice of amiplan",
        confidence="C",
        minimum=0.1,
        maximum=168.0,
    )
    replications: int = parameter(
        4,
        "1",
        "draws in which the reading before and after is computed; the packet tier plays the first of them",
        "choice of amiplan",
        confidence="C",
        minimum=1,
    )

    def __post_init__(self) -> None:
        unknown = [one for one in self.which if one not in FAULTS]
        if unknown or len(set(self.which)) < len(self.which):
            raise ValueError(f"which = {list(self.which)}: name any of {', '.join(FAULTS)}, each once")

    def check_names(self, transformer_ids: Sequence[str]) -> None:
        """Raise ValueError where ``area`` or ``neighbour`` is none of these, with some that are."""
        for key in ("area", "neighbour"):
            name = getattr(self, key)
            if name and name not in transformer_ids:
                raise ValueError(f"faults.{key} = {name!r} is no transformer of the map; {_some(transformer_ids)}")


N_SHOWN = 5
"""Ids that a refusal names."""


def _some(ids: Sequence[str]) -> str:
    if not ids:
        return "the map has none, so leave it out"
    more = f" and {len(ids) - N_SHOWN} more" if len(ids) > N_SHOWN else ""
    return f"known are {', '.join(sorted(ids)[:N_SHOWN])}{more}"
