"""What the computed cures say, as rows: one for every meter that a power line does not serve, one for every change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..channels.paths import ON_ALL_PHASES
from ..channels.powerline.phases import N_PHASES
from ..channels.technology import Reason
from .cure_changes import Band, Filter, Phase, Repeater
from .cure_options import KINDS, Option
from .cures import Mending
from .remedies import CELLULAR, FILTER, MANUAL, OTHER_BAND, OTHER_PHASE, REPEATER

Array = NDArray[Any]

CURE_COLUMNS = (
    "scenario", "technology", "meter_id", "site_id", "reason", "p_read", "missing_db", "receiver", "source_id",
    "source_where", "source_db", "source_share", "emitted_db", "n_tried", "p_repeater", "repeater_at", "p_filter",
    "filter_at", "p_other_phase", "phase", "p_other_band", "band", "band_needs", "band_lost", "other_media", "cure",
    "cure_at", "p_cured",
)  # fmt: skip
"""Columns of ``cures.csv``; see `cure_rows`."""
PLACE_COLUMNS = ("scenario", "technology", "cure", "site_id", "at", "x_m", "y_m", "n_meters")
"""Columns of the layer ``sites_proposed``: changes that are chosen, with the meters each of them mends."""


@dataclass(frozen=True)
class Settled:
    """The cures of one technology after other media were looked at too.

    remedy : (n_meters,) of the whole, ``""`` where no cure was computed
    meters, places : DataFrames ``CURE_COLUMNS`` and ``PLACE_COLUMNS``
    n_changes : kind to changes that are made;  n_computed : kind to meters that these changes mend
    """

    remedy: Array
    meters: pd.DataFrame
    places: pd.DataFrame
    n_changes: dict[str, int]
    n_computed: dict[str, int]


def settled(
    mendings: Sequence[Mending],
    elsewhere: dict[str, Array],
    cellular: Array,
    prices: dict[str, float],
    scenario: str,
) -> Settled:
    """Remedies and rows of all areas of one technology.

    Parameters
    ----------
    elsewhere : other technologies of the study by label, each with the meters it serves, (n_meters,) bool
    cellular : (n_meters,) bool, an operator's network of the study serves the meter
    prices : of one change of each kind, and of a cellular module

    A change that costs more than cellular modules for all its meters is left out, where they all could have one. A
    meter that nothing mends gets such a module where it could have one, else it is read by hand.
    """
    remedy = np.full(cellular.size, "", dtype=object)
    rows, places = [], []
    for one in mendings:
        one = _or_cellular(one, cellular, prices)
        own = one.patch.meter[one.patch.unserved]
        kinds = [one.options[i].kind if i >= 0 else "" for i in one.option]
        words = np.array(kinds, dtype=object)
        remedy[own] = np.where(words != "", words, np.where(cellular[own], CELLULAR, MANUAL))
        rows += _rows_of(one, remedy, elsewhere)
        places += _places_of(one)
    head = {"scenario": scenario, "technology": mendings[0].patch.technology.name if mendings else ""}
    meters = pd.DataFrame([{**head, **row} for row in rows], columns=list(CURE_COLUMNS))
    table = pd.DataFrame([{**head, **row} for row in places], columns=list(PLACE_COLUMNS))
    made = {kind: int((table["cure"] == kind).sum()) for kind in KINDS}
    mended = {kind: int((remedy == kind).sum()) for kind in KINDS}
    return Settled(remedy, meters, table, made, mended)


def _or_cellular(one: Mending, cellular: Array, prices: dict[str, float]) -> Mending:
    """Without the changes for which modules in all their meters are cheaper."""
    own = one.patch.meter[one.patch.unserved]
    option = one.option.copy()
    for chosen in one.chosen:
        mine = option == chosen
        cheaper = prices[one.options[chosen].kind] > mine.sum() * prices[CELLULAR]
        if mine.any() and cheaper and cellular[own[mine]].all():
            option[mine] = -1
    kept = tuple(i for i in one.chosen if (option == i).any())
    return replace(one, option=option, chosen=kept)


def _rows_of(one: Mending, remedy: Array, elsewhere: dict[str, Array]) -> list[dict[str, Any]]:
    patch, limits = one.patch, one.limits
    before = patch.p_arrive.mean(axis=0, dtype=np.float64).min(axis=0)
    tried = patch.fails[patch.replications].sum(axis=0)
    rows = []
    for i, meter in enumerate(patch.unserved.tolist()):
        whole = int(patch.meter[meter])
        option = int(one.option[i])
        row: dict[str, Any] = {
            "meter_id": str(patch.meter_id[meter]),
            "site_id": patch.site_id,
            "reason": Reason(int(patch.reason[meter])).label,
            "p_read": before[meter],
            "missing_db": limits.missing_db[i],
            "receiver": _receiver(one, meter, int(limits.receiver[i])),
            "source_id": str(patch.meter_id[limits.source[i]]) if limits.source[i] >= 0 else "",
            "source_where": source_where(one, meter, int(limits.source[i])),
            "source_db": limits.source_db[i],
            "source_share": limits.source_share[i],
            "emitted_db": limits.emitted_db[i],
            "n_tried": int(tried[meter]),
            "other_media": ", ".join(label for label, serves in elsewhere.items() if serves[whole]),
            "cure": str(remedy[whole]),
            "cure_at": at_words(one, one.options[option]) if option >= 0 else "",
            "p_cured": one.p_read[:, meter].min() if option >= 0 else before[meter],
        }
        rows.append(row | _best_of_each_kind(one, meter))
    return rows


def _best_of_each_kind(one: Mending, meter: int) -> dict[str, Any]:
    """The best option of each kind for one meter: probability with it, and where or what it is."""
    out: dict[str, Any] = {"band_needs": "", "band_lost": -1}
    for kind, place in ((REPEATER, "repeater_at"), (FILTER, "filter_at"), (OTHER_PHASE, "phase"), (OTHER_BAND, "band")):
        best, p_best = None, np.nan
        for option in one.options:
            p = option.p_read[:, meter].min() if option.kind == kind and _is_meant(one, option, meter) else np.nan
            if p > p_best or (np.isnan(p_best) and not np.isnan(p)):
                best, p_best = option, p
        out |= {f"p_{kind}": p_best, place: at_words(one, best) if best is not None else ""}
        if kind == OTHER_BAND and best is not None:
            out |= {"band_needs": best.needs, "band_lost": best.n_lost}
    return out


def _is_meant(one: Mending, option: Option, meter: int) -> bool:
    """Whether an option is for this meter: another phase of another meter is not."""
    change = option.change
    return not isinstance(change, Phase) or change.node in (meter, one.patch.paths.n_meters)


def _receiver(one: Mending, meter: int, node: int) -> str:
    """Who does not hear, in a word or by id."""
    if node < 0:
        return "nobody"
    if node >= one.patch.paths.n_meters:
        return "concentrator"
    return "itself" if node == meter else str(one.patch.meter_id[node])


def source_where(one: Mending, meter: int, source: int) -> str:
    """Where the customer stands whose devices cost most: own house, next to the transformer, or a neighbour."""
    if source < 0:
        return ""
    if source == meter:
        return "own house"
    return "next to the transformer" if source == _nearest(one) else "neighbour"


def _nearest(one: Mending) -> int:
    """The meter with the shortest cable to the transformer, -1 where none has one."""
    paths = one.patch.paths
    rows = np.flatnonzero(paths.to_node == paths.n_meters)
    return int(paths.from_node[rows[np.argmin(paths.distance_m[rows])]]) if rows.size else -1


def at_words(one: Mending, option: Option) -> str:
    """Where or what an option is, in short."""
    patch, change = one.patch, option.change
    if isinstance(change, Repeater):
        x, y = patch.feeder_x_m[change.place], patch.feeder_y_m[change.place]
        return f"x {x:.0f} m, y {y:.0f} m"
    if isinstance(change, Filter):
        return str(patch.meter_id[change.host])
    if isinstance(change, Band):
        return change.other.name
    who = "concentrator" if change.node >= patch.paths.n_meters else str(patch.meter_id[change.node])
    return f"{who}: {_phase_words(one, change)}"


def _phase_words(one: Mending, change: Phase) -> str:
    if change.shift == ON_ALL_PHASES:
        return "coupler on all phases"
    told = one.patch.paths.meter_phase
    known = -1 if told is None or change.node >= told.size else int(told[change.node])
    if known >= 0:
        return f"L{(known + change.shift) % N_PHASES + 1}"
    return "the next phase" if change.shift == 1 else "the phase after the next"


def _places_of(one: Mending) -> list[dict[str, Any]]:
    patch, rows = one.patch, []
    for chosen in one.chosen:
        option, paths = one.options[chosen], patch.paths
        change = option.change
        if isinstance(change, Repeater):
            node = change.place
        elif isinstance(change, Band):
            node = int(paths.site_feeder_node[0])
        else:
            member = change.host if isinstance(change, Filter) else change.node
            node = int(np.concatenate([paths.meter_feeder_node, paths.site_feeder_node])[member])
        rows.append(
            {
                "cure": option.kind,
                "site_id": patch.site_id,
                "at": at_words(one, option),
                "x_m": float(patch.feeder_x_m[node]),
                "y_m": float(patch.feeder_y_m[node]),
                "n_meters": int((one.option == chosen).sum()),
            }
        )
    return rows
