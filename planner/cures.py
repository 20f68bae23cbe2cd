"""Computed cures: for each meter that a power line does not serve what limits it, and what would mend it.

Per area: solve it as it is, name the receiver and the noise that fail, try one change at a time on the same draws, take
the cheapest set of changes, and solve the area once more with all of them in place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from .cure_choice import confirmed_choice
from .cure_limits import Limits, limits_of
from .cure_options import Option, options_of
from .cure_trials import Ground
from .patches import Patch

Array = NDArray[Any]


@dataclass(frozen=True)
class Mending:
    """Everything found out about one area.

    chosen : rows of ``options`` that are built;  option : (n_unserved,) which of them mends each meter, -1 for none
    p_read : (n_services, n) with all chosen ones in place
    """

    patch: Patch
    limits: Limits
    options: tuple[Option, ...]
    chosen: tuple[int, ...]
    option: Array
    p_read: Array


def mending_of(patch: Patch, prices: dict[str, float]) -> Mending:
    """Find out what mends the unserved meters of one area.

    Parameters
    ----------
    prices : of one change of each kind, see `cure_prices`
    """
    ground = Ground.of(patch)
    limits = limits_of(ground)
    options = options_of(ground, limits)
    chosen, option, p_read = confirmed_choice(patch, options, prices)
    return Mending(patch, limits, options, chosen, option, p_read)
