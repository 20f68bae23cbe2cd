"""Why is this meter red? Plain words, with the numbers of the result folder."""

from __future__ import annotations

import json
from collections.abc import Hashable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..gis.audit import CODES
from ..gis.kinds import DEFAULT_KIND
from ..planner.on_demand import ON_DEMAND
from .explain_power_line import Terms, cable_rows, cures, on_the_cable
from .settings import UserError
from .words import flag_words, percent

_WORDS = {
    "budget": "the link budget is short: path loss, shadowing and enclosure together exceed what the radio can bridge",
    "terrain": "the ground stands between the antennas: without it the link would work",
    "building": "the walls around the meter take too much: outside its enclosure the link would work",
    "no_neighbour": "no chain of neighbours leads to a site: somewhere on the way nobody hears and can forward",
    "hop_limit": "the way over other meters is longer than the routing allows",
    "capacity": "the link works, but the channel or the site is full: frames collide or the time is used up",
    "duty_cycle": "the link works, but the site may not send long enough in its band before the deadline",
    "attenuation": "the cable and the loads along it weaken the signal too much, even in quiet noise",
    "noise": "the signal arrives, but the noise on the cable covers it",
    "cross_phase": "the meter hangs on another phase than the sender, and the coupling between phases is too weak",
    "no_transformer": "no transformer or cable is known for this meter, so no concentrator can reach it by wire",
    "no_cell": "no operator cell is known that reaches this meter",
    "backhaul": "the data arrives at the site, but the site's way to the head end is not reliable enough",
    "not_energised": "the cable to this meter carries no voltage",
    "data_missing": "the input record is not usable, so nothing can be planned for it",
}
_LINK_REASONS = (
    "budget", "terrain", "building", "no_neighbour", "hop_limit", "attenuation", "noise", "cross_phase",
)  # fmt: skip
_REMEDIES = {
    "repeater": "a power-line repeater on the way to the concentrator",
    "filter": "a filter at the customer whose devices disturb",
    "other_phase": "another phase",
    "other_band": "another band",
    "relay": "a mesh relay halfway to the next neighbour",
    "external_antenna": "an antenna outside the enclosure or the building",
    "further_site": "a further site nearby that shares the load",
    "cellular_module": "a cellular module in this meter; a cellular technology of this study serves it",
    "better_backhaul": "a better way from the site to the head end",
    "manual_read": "reading by hand; no cheaper remedy of the list closes the gap",
    "complete_record": "complete the input record, then run again",
}
_FLAGS = {
    "phase": f"{flag_words('phase')} (drawn anew in each replication of a power line)",
    "unknown_kind": f"kind (the word on the map is not known, so it counts as {DEFAULT_KIND})",
}
_COLUMNS = (
    "scenario", "technology", "service", "meter_id", "server_id", "n_servers", "hops", "margin_db", "p_link",
    "p_read_deadline", "served", "latency_p50_s", "latency_p95_s", "reason", "remedy", "data_flag",
)  # fmt: skip
N_NEAREST = 5


def explanation(folder: Path, meter_id: str) -> str:
    """What the study found for one meter: per technology the verdict, what limits, the margin and the remedy.

    Raises UserError where the folder holds no results, or the meter is not in them; the nearest ids are named.
    """
    path = folder / "meters.parquet"
    if not path.is_file():
        raise UserError(f"{folder}: no meters.parquet here; run `amiplan run CASE.toml -o {folder}` first")
    rows = pd.read_parquet(path, columns=list(_COLUMNS))
    mine = rows[rows["meter_id"] == meter_id]
    if mine.empty:
        raise UserError(f"{path}: no meter {meter_id!r} among {rows['meter_id'].nunique()}; {_nearest(meter_id, rows)}")
    terms = _terms(folder)
    listed = mine[mine["reason"] == "data_missing"]
    lines = [f"Meter {meter_id}"]
    if len(listed):
        lines += [f"  {_listed(str(flag))}" for flag in dict.fromkeys(listed["data_flag"])]
        mine = mine[mine["reason"] != "data_missing"]
        if mine.empty:
            return "\n".join(lines)
        lines.append("  Another record with this id is used:")
    lines.append(f"  {_given(str(mine['data_flag'].iloc[0]))}")
    lines += [f"  Asked for: {terms.service.rstrip('.')}." if terms.service else ""]
    lines += _line(folder)
    several = len(set(mine["scenario"])) > 1
    cable = cable_rows(folder, meter_id)
    for (scenario, technology), group in mine.groupby(["scenario", "technology"], sort=False):
        label = terms.labels.get(str(technology), str(technology))
        where = f" in scenario {scenario}" if several else ""
        lines += ["", f"{label}{where}: {_verdict(group)}"]
        limited = np.isfinite(terms.longest_link_m.get(str(technology), np.inf))
        by_wire = bool(limited or (cable["technology"] == technology).any())
        lines += [f"  {line}" for line in _way(group.iloc[0], by_wire)]
        lines += [f"  {line}" for line in on_the_cable(cable, str(scenario), str(technology), terms)]
        lines += [f"  {_service(row, terms)}" for row in group.to_dict("records")]
        lines += [f"  {line}" for line in _cause(group, by_wire)]
        lines += [f"  {line}" for line in cures(folder, meter_id, str(scenario), str(technology), terms)]
    return "\n".join(line for i, line in enumerate(lines) if line or i > 1)


def _nearest(meter_id: str, rows: pd.DataFrame) -> str:
    names = sorted(set(rows["meter_id"]))
    near = get_close_matches(meter_id, names, n=N_NEAREST, cutoff=0.5)
    if near:
        return f"the nearest are {', '.join(near)}"
    return f"ids look like {', '.join(names[:3])}"


def _terms(folder: Path) -> Terms:
    path = folder / "run.json"
    if not path.is_file():
        return Terms()
    record = json.loads(path.read_text(encoding="utf-8"))
    labels = {str(one["technology"]): str(one["label"]) for one in record["technologies"]}
    longest = {str(one["technology"]): float(one.get("max_link_length_m", np.inf)) for one in record["technologies"]}
    return Terms(labels, float(record["read_probability"]), str(record["service"]), longest)


def _line(folder: Path) -> list[str]:
    """Severity and time of the power line; nothing where none is planned, or an older version wrote the folder."""
    path = folder / "run.json"
    told = json.loads(path.read_text(encoding="utf-8")).get("power_line", "") if path.is_file() else ""
    return [f"  Power line: {told}."] if told else []


def _listed(code: str) -> str:
    words = CODES.get(code, "the record is not usable")
    return (
        f"Red in every technology: the audit listed this record as {code}: {words}. It counts as not served. "
        f"Remedy: {_REMEDIES['complete_record']}."
    )


def _given(flag: str) -> str:
    if not flag:
        return "Its record is as given."
    words = [_FLAGS.get(word, flag_words(word)) for word in flag.split("+")]
    return f"Inferred, not given: {', '.join(words)}; what follows rests on that."


def _verdict(group: pd.DataFrame) -> str:
    served = group["served"]
    if served.all():
        return "green, served" if len(group) == 1 else f"green, served for all {len(group)} services"
    return f"red, {int((~served).sum())} of {len(group)} services not served"


def _service(row: dict[Hashable, Any], terms: Terms) -> str:
    needed = terms.read_probability
    p, p95 = float(row["p_read_deadline"]), float(row["latency_p95_s"])
    against = f"{'at least' if row['served'] else 'short of'} the {needed:.0%} asked for"
    if row["service"] == ON_DEMAND:
        return f"on demand: answered in time with {percent(p)}, {against}{_answers(row)}."
    text = f"{_plain(row['service'])}: read by the deadline with {percent(p)}, {against}"
    if np.isfinite(p95):
        text += f"; 95 % of the reads that arrive take at most {_duration(p95)}"
    return text + "."


def _answers(row: dict[Hashable, Any]) -> str:
    """How long a request waits, from the moment at which it is made."""
    p50, p95 = float(row["latency_p50_s"]), float(row["latency_p95_s"])
    if not np.isfinite(p95):
        return ""
    return f"; from the request on, half of the answers take at most {_duration(p50)}, 95 % at most {_duration(p95)}"


def _plain(word: object) -> str:
    return str(word).replace("_", " ")


def _cause(group: pd.DataFrame, by_wire: bool) -> list[str]:
    """What limits and what mends it, once for services that share both."""
    lost = group[~group["served"]]
    lines = []
    for (reason, remedy), rows in lost.groupby(["reason", "remedy"], sort=False):
        which = "" if len(rows) == len(group) else f" ({', '.join(_plain(one) for one in rows['service'])})"
        words = _WORDS.get(str(reason), _plain(reason))
        lines.append(f"What limits{which}: {_plain(reason)}: {words}.")
        first = rows.iloc[0]
        if reason in _LINK_REASONS and float(first["margin_db"]) >= 0:
            lines.append(f"  {_why_despite_margin(first, by_wire)}")
        if remedy:
            lines.append(f"First remedy{which}: {_REMEDIES.get(str(remedy), _plain(remedy))}.")
    return lines


def _why_despite_margin(row: pd.Series, by_wire: bool) -> str:
    """How a positive median margin and a red meter go together."""
    share = percent(row["p_link"])
    if row["hops"] > 1 and row["p_link"] < 0.5:
        return (
            f"Its own link has margin, but the whole way stands in only {share} of the draws: it is cut further on, "
            "so look at its neighbours and at the next site."
        )
    others = "phase, loads and noise fall badly" if by_wire else "the meter sits deeper in the building, is shadowed"
    return (
        f"The median draw has margin and {share} of the draws work; the others, where {others}, or its way is cut, "
        "are too many for the service asked for."
    )


def _way(row: pd.Series, by_wire: bool) -> list[str]:
    margin = float(row["margin_db"])
    if row["hops"] == 0:
        if np.isfinite(margin):
            return [f"No route; its best link misses {-margin:.1f} dB." if margin < 0 else "No route."]
        return ["No route and no link that could be one."]
    way = "direct" if row["hops"] == 1 else f"over {int(row['hops'])} links"
    if not np.isfinite(margin):
        gap = "no margin known"
    elif margin < 0:
        gap = f"median link margin {margin:.1f} dB: {-margin:.1f} dB are missing"
    else:
        gap = f"median link margin {margin:.1f} dB to spare"
    drawn = "phases, loads and noise" if by_wire else "places and shadowing"
    heard = f"; heard by {row['n_servers']:.1f} sites on average" if row["n_servers"] > 1.5 else ""
    return [
        f"Way: {way} to {row['server_id']}; {gap}; over all draws of {drawn} one "
        f"frame gets through with {percent(row['p_link'])}{heard}."
    ]


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
