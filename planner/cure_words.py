"""A change of an area in words: where it is made, and what is ordered."""

from __future__ import annotations

from ..channels.paths import ON_ALL_PHASES
from ..channels.powerline.phases import N_PHASES
from .cure_changes import Band, Change, Filter, Phase, Repeater
from .patches import Patch

FROM_SITE = {1: "the next phase", 2: "the phase after the next"}
"""What a meter of unknown phase is moved to, counted from the phase found on site."""

DECIDED_ON_SITE = (
    "The next phase is said where the map does not give the present one: it was drawn, so which phase the fitter is to "
    "take is decided on site."
)


def from_site(words: str) -> bool:
    """Whether a change in words counts from a phase that the map does not give."""
    return words.endswith(tuple(FROM_SITE.values()))


def at_words(patch: Patch, change: Change) -> str:
    """Where or what a change is, in short."""
    if isinstance(change, Repeater):
        x, y = patch.feeder_x_m[change.place], patch.feeder_y_m[change.place]
        return f"x {x:.0f} m, y {y:.0f} m"
    if isinstance(change, Band):
        return change.other.name
    if isinstance(change, Filter):
        return str(patch.meter_id[change.host])
    return f"{host_of(patch, change) or 'concentrator'}: {_phase(patch, change)}"


def change_words(patch: Patch, change: Change) -> str:
    """What is ordered and where, as a part of a sentence."""
    if isinstance(change, Repeater):
        return f"a repeater at {at_words(patch, change)}"
    if isinstance(change, Filter):
        return f"a filter at {at_words(patch, change)}"
    if isinstance(change, Band):
        return f"the whole area in the band {at_words(patch, change)}"
    who = host_of(patch, change) or "the concentrator"
    return f"{who} {'with its ' if change.shift == ON_ALL_PHASES else 'on '}{_phase(patch, change)}"


def host_of(patch: Patch, change: Change) -> str:
    """Id of the meter at which a change is made; empty where it is made elsewhere."""
    row = change.host if isinstance(change, Filter) else change.node if isinstance(change, Phase) else -1
    return str(patch.meter_id[row]) if 0 <= row < patch.paths.n_meters else ""


def _phase(patch: Patch, change: Phase) -> str:
    if change.shift == ON_ALL_PHASES:
        return "coupler on all phases"
    told = patch.paths.meter_phase
    known = -1 if told is None or change.node >= told.size else int(told[change.node])
    return f"L{(known + change.shift) % N_PHASES + 1}" if known >= 0 else FROM_SITE[change.shift]
