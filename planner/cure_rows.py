"""What the computed cures say, as rows: one for every meter that a power line does not serve, one for every change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..channels.technology import Reason
from .cure_changes import Band, Change, Filter, Repeater
from .cure_fresh import cannot_be_told
from .cure_options import KINDS, Option
from .cure_words import at_words, change_words, host_of
from .cures import Mending
from .patches import Patch
from .remedies import CELLULAR, FILTER, MANUAL, OTHER_BAND, OTHER_PHASE, REPEATER

Array = NDArray[Any]

CURE_COLUMNS = (
    "scenario", "technology", "meter_id", "site_id", "reason", "p_read", "n_replications", "unsure", "missing_db",
    "receiver", "source_id", "source_where", "source_db", "source_share", "emitted_db", "n_tried", "p_repeater",
    "repeater_at", "p_filter", "filter_at", "p_filter_elsewhere", "filter_elsewhere_at", "p_other_phase", "phase",
    "p_other_band", "band", "band_needs", "band_lost", "other_media", "cure", "cure_at", "cure_host", "change",
    "p_cured", "not_chosen", "n_fresh", "p_fresh", "p_fresh_cured",
)  # fmt: skip
"""Columns of ``cures.csv``; see `cure_rows`."""
PLACE_COLUMNS = ("scenario", "technology", "cure", "site_id", "at", "x_m", "y_m", "n_meters", "meters", "price")
"""Columns of the layer ``sites_proposed``: changes that are chosen, the meters each of them mends, and what each costs
in the study's currency, see `cure_prices`."""

DEAR, NOT_TOGETHER = "costs more than this", "does not hold beside what is chosen for others"
"""Why a change that is enough alone is not chosen."""


BETTER_FROM = 0.0005
"""Gain in probability from which on a change is said to help, or to be better than what it is compared with."""


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
    scenario: str,
    prices: dict[str, float],
) -> Settled:
    """Remedies and rows of all areas of one technology.

    Parameters
    ----------
    prices : of one change of each kind, see `cure_prices`
    elsewhere : other technologies of the study by label, each with the meters it serves, (n_meters,) bool
    cellular : (n_meters,) bool, an operator's network of the study serves the meter

    A meter that nothing mends gets a cellular module where it could have one, else it is read by hand.
    """
    remedy = np.full(cellular.size, "", dtype=object)
    rows, places = [], []
    for one in mendings:
        own = one.patch.meter[one.patch.unserved]
        kinds = [one.options[i].kind if i >= 0 else "" for i in one.choice.option]
        words = np.array(kinds, dtype=object)
        remedy[own] = np.where(words != "", words, np.where(cellular[own], CELLULAR, MANUAL))
        rows += _rows_of(one, remedy, elsewhere)
        places += _places_of(one, prices)
    head = {"scenario": scenario, "technology": mendings[0].patch.technology.name if mendings else ""}
    meters = pd.DataFrame([{**head, **row} for row in rows], columns=list(CURE_COLUMNS))
    table = pd.DataFrame([{**head, **row} for row in places], columns=list(PLACE_COLUMNS))
    made = {kind: int((table["cure"] == kind).sum()) for kind in KINDS}
    mended = {kind: int((remedy == kind).sum()) for kind in KINDS}
    return Settled(remedy, meters, table, made, mended)


def _rows_of(one: Mending, remedy: Array, elsewhere: dict[str, Array]) -> list[dict[str, Any]]:
    patch, limits = one.patch, one.limits
    before = patch.p_arrive.mean(axis=0, dtype=np.float64).min(axis=0)
    tried = patch.fails[patch.replications].sum(axis=0)
    n = patch.p_arrive.shape[0]
    unsure = cannot_be_told(before, n, patch.read_probability)
    rows = []
    for i, meter in enumerate(patch.unserved.tolist()):
        whole = int(patch.meter[meter])
        option = int(one.choice.option[i])
        row: dict[str, Any] = {
            "meter_id": str(patch.meter_id[meter]),
            "site_id": patch.site_id,
            "reason": Reason(int(patch.reason[meter])).label,
            "p_read": before[meter],
            "n_replications": n,
            "unsure": bool(unsure[meter]),
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
            **_change_of(patch, one.options[option].change if option >= 0 else None),
            "p_cured": one.choice.p_read[:, meter].min() if option >= 0 else before[meter],
            "not_chosen": _not_chosen(one, i),
            "n_fresh": one.fresh.n,
            "p_fresh": one.fresh.before[meter],
            "p_fresh_cured": one.fresh.after[meter],
        }
        source = int(limits.source[i])
        now = float(before[meter])
        rows.append(row | _best_of_each_kind(one, meter, now) | _filters(one, meter, source, now))
    return rows


def _not_chosen(one: Mending, i: int) -> str:
    """Why nothing is chosen for a row of the unserved meters though something allowed is enough alone; else empty."""
    meter = one.patch.unserved[i]
    enough = any(option.cures[meter] and option.allowed for option in one.options)
    if one.choice.option[i] >= 0 or not enough:
        return ""
    return DEAR if one.choice.dear[i] else NOT_TOGETHER


def _change_of(patch: Patch, change: Change | None) -> dict[str, str]:
    """Columns that name the chosen change; empty where none is."""
    if change is None:
        return {"cure_at": "", "cure_host": "", "change": ""}
    return {
        "cure_at": at_words(patch, change),
        "cure_host": host_of(patch, change),
        "change": change_words(patch, change),
    }


def _best_of_each_kind(one: Mending, meter: int, before: float) -> dict[str, Any]:
    """The best option of each kind for one meter: probability with it, and where or what it is where it helps."""
    out: dict[str, Any] = {"band_needs": "", "band_lost": -1}
    for kind, place in ((REPEATER, "repeater_at"), (OTHER_PHASE, "phase"), (OTHER_BAND, "band")):
        best, p_best = _best([option for option in one.options if option.kind == kind], meter)
        if p_best < before + BETTER_FROM:
            best = None
        out |= {f"p_{kind}": p_best, place: at_words(one.patch, best.change) if best is not None else ""}
        if kind == OTHER_BAND and best is not None:
            out |= {"band_needs": best.needs, "band_lost": best.n_lost}
    return out


def _filters(one: Mending, meter: int, source: int, before: float) -> dict[str, Any]:
    """The filter at the named source, and the best at another customer where that reads the meter more often."""
    filters = [option for option in one.options if option.kind == FILTER]
    own, p_own = _best([option for option in filters if option.change == Filter(source)], meter)
    other, p_other = _best([option for option in filters if option is not own], meter)
    if other is None or p_other < (before if own is None else p_own) + BETTER_FROM:
        other, p_other = None, np.nan
    words = ["" if option is None else at_words(one.patch, option.change) for option in (own, other)]
    return {"p_filter": p_own, "filter_at": words[0], "p_filter_elsewhere": p_other, "filter_elsewhere_at": words[1]}


def _best(options: list[Option], meter: int) -> tuple[Option | None, float]:
    """The option that reads a meter most often, the first of equal ones; None where none has an answer."""
    known = [(float(option.p_read[:, meter].min()), option) for option in options]
    known = [one for one in known if not np.isnan(one[0])]
    if not known:
        return None, np.nan
    p, best = max(known, key=lambda one: one[0])
    return best, p


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


def _places_of(one: Mending, prices: dict[str, float]) -> list[dict[str, Any]]:
    patch, rows = one.patch, []
    for chosen in one.choice.chosen:
        option, paths = one.options[chosen], patch.paths
        mine = one.choice.option == chosen
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
                "at": at_words(patch, change),
                "x_m": float(patch.feeder_x_m[node]),
                "y_m": float(patch.feeder_y_m[node]),
                "n_meters": int(mine.sum()),
                "meters": ", ".join(str(name) for name in patch.meter_id[patch.unserved[mine]]),
                "price": prices[option.kind],
            }
        )
    return rows
