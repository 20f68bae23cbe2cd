"""Computed cures: for each meter that a power line does not serve what limits it, and what would mend it.

Per area: solve it as it is, name the receiver and the noise that fail, try one change at a time on the same draws, take
the cheapest set of changes that holds with all of them in place and needs each of them, and judge it on fresh draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .cure_choice import choices_of
from .cure_fresh import Fresh, on_fresh_draws
from .cure_limits import Limits, limits_of
from .cure_minimal import Choice
from .cure_options import Option, options_of
from .cure_trials import Ground
from .patches import Patch

Array = NDArray[Any]


@dataclass(frozen=True)
class Mending:
    """Everything found out about one area.

    choice : the changes that are made, with rows of ``options``, judged on the draws they were chosen on
    fresh : the area with them on others
    """

    patch: Patch
    limits: Limits
    options: tuple[Option, ...]
    choice: Choice
    fresh: Fresh


class Mendings(NamedTuple):
    """One area with either thing that becomes of meters that no change mends; the same object where they agree."""

    modules: Mending
    by_hand: Mending


def mendings_of(patch: Patch, prices: dict[str, float], cellular: Array) -> Mendings:
    """Find out what mends the unserved meters of one area.

    Parameters
    ----------
    prices : of one change of each kind, of a cellular module and of reading by hand, see `cure_prices`
    cellular : (n_meters,) bool of the whole, an operator's network of the study serves the meter
    """
    ground = Ground.of(patch)
    limits = limits_of(ground)
    options = options_of(ground, limits)
    mixed, alone = choices_of(patch, options, prices, np.asarray(cellular[patch.meter[patch.unserved]]))
    by_hand = _judged(patch, limits, options, alone)
    return Mendings(by_hand if mixed is alone else _judged(patch, limits, options, mixed, by_hand.fresh), by_hand)


def _judged(
    patch: Patch, limits: Limits, options: tuple[Option, ...], choice: Choice, known: Fresh | None = None
) -> Mending:
    """A choice with its area on fresh draws; ``known`` : those of another choice."""
    changes = [options[one].change for one in choice.chosen]
    return Mending(patch, limits, options, choice, on_fresh_draws(patch, changes, known))
