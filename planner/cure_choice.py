"""Which changes are made: the cheapest that mend, confirmed with all of them in place."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cure_changes import Band
from .cure_checks import lost_meters, whole_trial
from .cure_minimal import Choice, counted, minimal, still_mended, without_dear_ones
from .cure_options import Option
from .patches import Patch
from .remedies import CELLULAR, MANUAL

Array = NDArray[Any]

ROUNDS = 6
"""How often a choice that does not hold with everything in place is made anew."""


def choices_of(
    patch: Patch, options: tuple[Option, ...], prices: dict[str, float], cellular: Array
) -> tuple[Choice, Choice]:
    """The changes that are made where other meters may get cellular modules, and where they are read by hand.

    Both are confirmed, and none is dearer than doing without it or needed by nobody.

    Parameters
    ----------
    cellular : (n_unserved,) bool, an operator's network of the study serves the meter
    """
    choice = completed(patch, options, confirmed_choice(patch, options, prices), prices)
    by_hand = np.full(cellular.size, prices[MANUAL])
    mixed = without_dear_ones(patch, options, choice, prices, np.where(cellular, prices[CELLULAR], by_hand))
    alone = without_dear_ones(patch, options, choice, prices, by_hand)
    smaller = minimal(patch, options, alone)
    return smaller if mixed.chosen == alone.chosen else minimal(patch, options, mixed), smaller


def confirmed_choice(patch: Patch, options: tuple[Option, ...], prices: dict[str, float]) -> Choice:
    """Cheapest changes, confirmed with all of them in place: what does not hold there is chosen anew.

    A choice with which a meter is lost that is served now gives up the change that mends fewest, then two, then four.
    """
    can, price = _mends_alone(patch, options), np.array([prices[one.kind] for one in options])
    whole = np.array([isinstance(one.change, Band) for one in options], bool)
    n = patch.unserved.size
    as_is = patch.p_arrive.mean(axis=0, dtype=np.float64)
    best = Choice((), np.full(n, -1, np.int64), as_is, np.zeros(n, bool))
    n_given_up = 1
    for _ in range(ROUNDS):
        option = cheapest_cover(can, price, whole)
        chosen = tuple(np.unique(option[option >= 0]).tolist())
        if not chosen:
            break
        changes = [options[i].change for i in chosen]
        tried = whole_trial(patch, changes, patch.replications)
        if lost_meters(patch, changes, tried):
            fewest = sorted(chosen, key=lambda one: int((option == one).sum()))
            can[fewest[:n_given_up]] = False
            n_given_up *= 2
            continue
        found = counted(patch, options, chosen, option, tried)
        if (found.option >= 0).sum() > (best.option >= 0).sum():
            best = found
        wrong = (option >= 0) & (found.option < 0)
        if not wrong.any():
            break
        can[option[wrong], np.flatnonzero(wrong)] = False
    return best


def completed(patch: Patch, options: tuple[Option, ...], choice: Choice, prices: dict[str, float]) -> Choice:
    """The choice with changes added that mend meters it left, the lowest price per meter first.

    What was given up before may hold beside what was chosen in the end. A change stays where all the meters it mends
    alone and all that were mended before are mended with it, and none is lost.
    """
    if any(isinstance(options[one].change, Band) for one in choice.chosen):
        return choice
    can, price = _mends_alone(patch, options), np.array([prices[one.kind] for one in options])
    can[[isinstance(one.change, Band) for one in options]] = False
    for _ in range(ROUNDS):
        can[list(choice.chosen)] = False
        newly = (can & (choice.option < 0)).sum(axis=1)
        if not newly.any():
            break
        added = int(np.argmin(np.where(newly > 0, price / np.maximum(newly, 1), np.inf)))
        meant = can[added] & (choice.option < 0)
        can[added] = False
        chosen = tuple(sorted((*choice.chosen, added)))
        changes = [options[one].change for one in chosen]
        mended = meant | (choice.option >= 0)
        tried = still_mended(patch, changes, patch.unserved[mended], patch.unserved[meant])
        if tried is not None and not lost_meters(patch, changes, tried):
            choice = counted(patch, options, chosen, np.where(meant, added, choice.option), tried)
    return choice


def _mends_alone(patch: Patch, options: tuple[Option, ...]) -> Array:
    """(n_options, n_unserved) bool: the option may be chosen and mends the meter where it is the only one."""
    mine = np.array([one.cures[patch.unserved] for one in options], bool).reshape(len(options), patch.unserved.size)
    return np.asarray(mine & np.array([one.allowed and one.n_lost <= 0 for one in options], bool)[:, None])


def cheapest_cover(can: Array, price: Array, whole: Array) -> Array:
    """Which option mends each meter: the lowest price per meter first, until no option mends another.

    Parameters
    ----------
    can : (n_options, n_meters) bool;  price : (n_options,)
    whole : (n_options,) bool, an option that stands for itself: it is taken alone where it mends as many as the others
        together for less

    Returns
    -------
    (n_meters,) option, -1 where none mends it.

    References
    ----------
    Greedy weighted set cover: V. Chvatal, Mathematics of Operations Research 4 (3), 1979.
    """
    option = np.full(can.shape[1], -1, np.int64)
    several = can & ~whole[:, None]
    while (several & (option < 0)).any():
        newly = (several & (option < 0)).sum(axis=1)
        best = int(np.argmin(np.where(newly > 0, price / np.maximum(newly, 1), np.inf)))
        option[several[best] & (option < 0)] = best
    spent = price[np.unique(option[option >= 0])].sum()
    for one in np.flatnonzero(whole):
        n_one, n_others = int(can[one].sum()), int((option >= 0).sum())
        if n_one and (n_one > n_others or (n_one == n_others and price[one] < spent)):
            option, spent = np.where(can[one], one, -1), price[one]
    return option
