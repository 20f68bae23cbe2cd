"""Where in the building a meter hangs: a stated mix, drawn anew in each replication."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..channels.draws import Draws
from ..channels.parameters import parameter
from ..channels.paths import Enclosure

Array = NDArray[Any]

_SOURCE = "choice of amiplan; ask for a survey of at least 100 meter places"


@dataclass(frozen=True)
class PositionMix:
    """Shares of meter places; they are scaled to sum to 1."""

    facade_box: float = parameter(
        0.25, "1", "meters in a box on the outer wall", _SOURCE, confidence="C", minimum=0.0, maximum=1.0
    )
    indoor: float = parameter(
        0.45, "1", "meters in a hall or living floor", _SOURCE, confidence="C", minimum=0.0, maximum=1.0
    )
    basement: float = parameter(0.25, "1", "meters in a basement", _SOURCE, confidence="C", minimum=0.0, maximum=1.0)
    steel_cabinet: float = parameter(
        0.05, "1", "meters behind a steel door", _SOURCE, confidence="C", minimum=0.0, maximum=1.0
    )
    pit: float = parameter(0.0, "1", "meters in a pit", _SOURCE, confidence="C", minimum=0.0, maximum=1.0)

    def draw(self, keys: Array, draws: Draws) -> Array:
        """(n,) int8 ``Enclosure`` codes for meters with these stable keys.

        Raises ValueError where no share is positive.
        """
        shares = np.array([getattr(self, item.name) for item in fields(self)])
        if shares.sum() <= 0:
            raise ValueError("position mix: at least one share must be positive")
        codes = np.array([Enclosure[item.name.upper()] for item in fields(self)], np.int8)
        rank = np.searchsorted(np.cumsum(shares / shares.sum()), draws.uniform("position", keys), side="right")
        return np.asarray(codes[np.minimum(rank, codes.size - 1)])


BASEMENT_ANTENNA_HEIGHT_M = 0.5
"""Antenna height used for meters below ground: propagation models need a height above ground, their loss stands
in the enclosure (choice of amiplan, confidence C)."""


def antenna_height_m(height_m: Array, enclosure: Array) -> Array:
    """Antenna height of each meter in this replication [m]: basements and pits lie at the ground."""
    below = (enclosure == Enclosure.BASEMENT) | (enclosure == Enclosure.PIT)
    return np.where(below, np.minimum(height_m, BASEMENT_ANTENNA_HEIGHT_M), height_m)
