"""The changes that are tried in an area, one at a time, and what each of them mends."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cure_changes import Band, Change, Filter, Repeater, changed, phase_changes
from .cure_checks import lost_meters, whole_trial
from .cure_limits import Limits
from .cure_phases import moved_alone
from .cure_trials import Ground, Trial, cured, p_read_with, trial
from .other_bands import other_bands
from .patches import Patch, failing
from .remedies import FILTER, OTHER_BAND, OTHER_PHASE, REPEATER
from .repeater_places import candidate_places, repeater_trials

Array = NDArray[Any]

KINDS = (REPEATER, FILTER, OTHER_PHASE, OTHER_BAND)
"""Cures that are tried, in the order in which tables show them."""


@dataclass(frozen=True)
class Option:
    """One change that was tried.

    allowed : nobody has to be asked;  needs : who has to be, in words
    p_read : (n_services, n) with it, NaN where too little was tried;  cures : (n,) bool, unserved meters only
    n_lost : meters that are served now and would not be; -1 where that was not looked at
    """

    kind: str
    change: Change
    allowed: bool
    needs: str
    p_read: Array
    cures: Array
    n_lost: int


def options_of(ground: Ground, limits: Limits) -> tuple[Option, ...]:
    """Everything that is tried in an area."""
    return (*_repeaters(ground), *_filters(ground, limits), *_phases(ground), *_bands(ground))


def _option(
    patch: Patch, kind: str, change: Change, tried: Trial, *, allowed: bool = True, needs: str = "", n_lost: int = -1
) -> Option:
    p_read = p_read_with(patch, tried)
    meant = np.zeros(patch.paths.n_meters, bool)
    meant[patch.unserved] = True
    return Option(kind, change, allowed, needs, p_read, meant & cured(patch, p_read), n_lost)


def _repeaters(ground: Ground) -> list[Option]:
    place = candidate_places(ground.patch)
    trials = repeater_trials(ground, place)
    return [
        _option(ground.patch, REPEATER, Repeater(int(one)), tried) for one, tried in zip(place, trials, strict=True)
    ]


def _filters(ground: Ground, limits: Limits) -> list[Option]:
    """A filter at each customer that is named as a source.

    Tried where the meters it is meant for fail; where it costs one of them a draw that was good, in all replications,
    since one good draw of two says nothing about the rest.
    """
    patch, found = ground.patch, []
    for host in np.unique(limits.source[limits.source >= 0]).tolist():
        meant = patch.unserved[limits.source == host]
        rows = ground.worth(meant)
        paths, _ = changed(patch, [Filter(host)], 0)
        tried = trial(ground, paths, rows)
        if (failing(tried.p_arrive)[:, meant] & ~ground.fails[rows][:, meant]).any():
            tried = trial(ground, paths, np.arange(patch.replications.size))
        found.append(_option(patch, FILTER, Filter(host), tried))
    return found


def _phases(ground: Ground) -> list[Option]:
    """Another phase for each unserved meter where it fails, the first that mends it; and for the concentrator.

    A move counts for the meter that is moved: what it does to others by taking its noise along is no order to a fitter.
    """
    patch, found = ground.patch, []
    for node in patch.unserved.tolist():
        for change in phase_changes(patch, node):
            found.append(_for_one(_option(patch, OTHER_PHASE, change, moved_alone(ground, change)), node))
            if found[-1].cures[node]:
                break
    for change in phase_changes(patch, patch.paths.n_meters):
        tried = whole_trial(patch, [change], patch.replications)
        lost = lost_meters(patch, [change], tried)
        found.append(_option(patch, OTHER_PHASE, change, tried, n_lost=lost))
    return found


def _for_one(option: Option, meter: int) -> Option:
    """The option without an answer for any other meter."""
    others = np.arange(option.cures.size) != meter
    return replace(option, p_read=np.where(others, np.nan, option.p_read), cures=option.cures & ~others)


def _bands(ground: Ground) -> list[Option]:
    """Every other band, and of the best that could be chosen the loss of other meters.

    Of the bands that need leave none is tried any more once one of them mends all.
    """
    patch, rows = ground.patch, np.arange(ground.patch.replications.size)
    found: list[Option] = []
    for other in other_bands(patch.technology):
        if not other.by_rule and any(not one.allowed and one.cures[patch.unserved].all() for one in found):
            continue
        tried = trial(ground, patch.paths, rows, technology=other.technology)
        needs = "" if other.by_rule else other.permission
        found.append(_option(patch, OTHER_BAND, Band(other), tried, allowed=other.by_rule, needs=needs))
    return [_with_losses(patch, one) if one is _best(found) else one for one in found]


def _best(bands: list[Option]) -> Option | None:
    """The allowed band that cures most; None where none cures any."""
    best = max((one for one in bands if one.allowed), key=lambda one: int(one.cures.sum()), default=None)
    return best if best is not None and best.cures.any() else None


def _with_losses(patch: Patch, one: Option) -> Option:
    """The same band with all meters talking, and how many served ones are lost."""
    tried = whole_trial(patch, [one.change], patch.replications)
    lost = lost_meters(patch, [one.change], tried)
    return _option(patch, OTHER_BAND, one.change, tried, allowed=one.allowed, needs=one.needs, n_lost=lost)
