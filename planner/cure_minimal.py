"""A choice of changes made smaller: those go that cost more than doing without them, and those that nobody needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cure_changes import Change
from .cure_checks import lost_meters, whole_trial
from .cure_options import Option
from .cure_trials import Trial, cured, p_read_with
from .patches import Patch

Array = NDArray[Any]


@dataclass(frozen=True)
class Choice:
    """Changes of an area that are made together, and what they bring.

    chosen : rows of the options;  option : (n_unserved,) which of them mends each meter, -1 for none
    p_read : (n_services, n) with all of them in place
    dear : (n_unserved,) bool, could be mended, but for more than without
    """

    chosen: tuple[int, ...]
    option: Array
    p_read: Array
    dear: Array


def without_dear_ones(
    patch: Patch, options: Sequence[Option], choice: Choice, prices: dict[str, float], instead: Array
) -> Choice:
    """Without the changes that cost more than what their meters get instead; solved anew where one goes.

    Parameters
    ----------
    instead : (n_unserved,) price of a cellular module or of reading by hand, as in ``prices``

    Where a served meter would be lost without them, they stay.
    """
    option = choice.option.copy()
    for one in choice.chosen:
        mine = option == one
        if prices[options[one].kind] > instead[mine].sum():
            option[mine] = -1
    dropped = np.setdiff1d(choice.option, option)
    kept = tuple(one for one in choice.chosen if one not in dropped)
    if kept == choice.chosen:
        return choice
    dear = choice.dear | (option != choice.option)
    if not kept:
        return Choice((), option, patch.p_arrive.mean(axis=0, dtype=np.float64), dear)
    changes = [options[one].change for one in kept]
    tried = whole_trial(patch, changes, patch.replications)
    if lost_meters(patch, changes, tried):
        return choice
    found = counted(patch, options, kept, option, tried)
    return replace(found, dear=dear & (found.option < 0))


def counted(patch: Patch, options: Sequence[Option], chosen: tuple[int, ...], option: Array, tried: Trial) -> Choice:
    """A choice as a trial of the whole area confirms it; ``option`` : (n_unserved,) which was meant to mend each meter.

    A meter that is mended and has none of the chosen counts for the first of them that mends it alone, else for the one
    that mends most.
    """
    p_read = p_read_with(patch, tried)
    nobody = np.zeros(patch.unserved.size, bool)
    holds = cured(patch, p_read)[patch.unserved]
    known = np.where(np.isin(option, chosen), option, -1)
    most = int(np.bincount(known[known >= 0]).argmax()) if (known >= 0).any() else chosen[0]
    alone = np.stack([options[one].cures[patch.unserved] for one in chosen])
    other = np.where(alone.any(axis=0), np.array(chosen)[alone.argmax(axis=0)], most)
    return Choice(chosen, np.where(holds, np.where(known < 0, other, known), -1), p_read, nobody)


def minimal(patch: Patch, options: Sequence[Option], choice: Choice) -> Choice:
    """The choice without members that nobody needs: leaving out any one of the rest would lose a meter.

    Those that mend fewest are looked at first, several at a time. A meter is lost where it was mended and would not be,
    or as `lost_meters` counts.
    """
    before = choice.chosen
    choice = _fewer(patch, options, choice, sorted(before, key=lambda one: int((choice.option == one).sum())))
    while choice.chosen != before:
        # who was needed beside another may be so no more
        before = choice.chosen
        for one in before:
            choice = _fewer(patch, options, choice, [one])
    return choice


def _fewer(patch: Patch, options: Sequence[Option], choice: Choice, group: Sequence[int]) -> Choice:
    """The choice without a group of its members; where that loses a meter, without what can go of either half."""
    if not group:
        return choice
    rest = tuple(one for one in choice.chosen if one not in group)
    changes = [options[one].change for one in rest]
    mended = choice.option >= 0
    tried = still_mended(patch, changes, patch.unserved[mended], patch.unserved[np.isin(choice.option, group)])
    if tried is not None and not lost_meters(patch, changes, tried):
        if rest:
            return replace(counted(patch, options, rest, choice.option, tried), dear=choice.dear)
        return replace(choice, chosen=(), option=np.full_like(choice.option, -1), p_read=p_read_with(patch, tried))
    half = len(group) // 2
    for part in (group[:half], group[half:]) if half else ():
        choice = _fewer(patch, options, choice, part)
    return choice


def still_mended(patch: Patch, changes: Sequence[Change], meter: Array, doubtful: Array) -> Trial | None:
    """A trial of the whole area where some meters are read often enough with the changes; None where one is not.

    The replications in which most of the ``doubtful`` ones fail come first; it ends where not even full success in the
    others would do.
    """
    number = patch.replications[np.argsort(-patch.fails[patch.replications][:, doubtful].sum(axis=1), kind="stable")]
    p_arrive = np.ones((number.size, *patch.p_arrive.shape[1:]))
    for i in range(number.size):
        p_arrive[[i]] = whole_trial(patch, changes, number[[i]]).p_arrive
        if not cured(patch, p_read_with(patch, Trial(number, p_arrive)))[meter].all():
            return None
    return Trial(number, p_arrive)
