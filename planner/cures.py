"""Computed cures: for each meter that a power line does not serve what limits it, and what would mend it.

Per area: solve it as it is, name the receiver and the noise that fail, try one change at a time on the same draws, take
the cheapest set of changes that holds with all of them in place and needs each of them, and judge it on fresh draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cure_choice import choice_of
from .cure_fresh import Fresh, on_fresh_draws
from .cure_limits import Limits, limits_of
from .cure_options import Option, options_of
from .cure_trials import Ground
from .patches import Patch

Array = NDArray[Any]


@dataclass(frozen=True)
class Mending:
    """Everything found out about one area.

    chosen : rows of ``options`` that are built;  option : (n_unserved,) which of them mends each meter, -1 for none
    p_read : (n_services, n) with all chosen ones in place, on the draws they were chosen on;  fresh : on others
    """

    patch: Patch
    limits: Limits
    options: tuple[Option, ...]
    chosen: tuple[int, ...]
    option: Array
    p_read: Array
    fresh: Fresh


def mending_of(patch: Patch, prices: dict[str, float], cellular: Array) -> Mending:
    """Find out what mends the unserved meters of one area.

    Parameters
    ----------
    prices : of one change of each kind and of a cellular module, see `cure_prices`
    cellular : (n_meters,) bool of the whole, an operator's network of the study serves the meter
    """
    ground = Ground.of(patch)
    limits = limits_of(ground)
    options = options_of(ground, limits)
    made = choice_of(patch, options, prices, np.asarray(cellular[patch.meter[patch.unserved]]))
    fresh = on_fresh_draws(patch, [options[one].change for one in made.chosen])
    return Mending(patch, limits, options, made.chosen, made.option, made.p_read, fresh)
