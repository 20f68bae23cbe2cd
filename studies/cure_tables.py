"""Computed cures in the report: what limits the meters of a power line, what would mend them, and what is chosen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..planner.cure_rows import CURE_COLUMNS, PLACE_COLUMNS
from ..planner.cure_words import DECIDED_ON_SITE, from_site
from ..planner.remedies import CELLULAR, MANUAL, REPEATER
from ..planner.tables import StudyResult
from .report_tables import REMEDY_WORDS, Table, grouped, remedied
from .states import count, slug
from .study import Study
from .styles import BY_WORD
from .words import first_few, percent

MOST_ROWS = 200
"""Meters that a table shows, the least read first; all of them stand in cures.csv."""
TRIED = {
    "p_repeater": "Repeater",
    "p_filter": "Filter at the source",
    "p_other_phase": "Other phase",
    "p_other_band": "Other band",
}
_NONE = "–"


def cure_table(study: Study) -> pd.DataFrame:
    """All rows of ``cures.csv``: one for each meter that a power line does not serve and that was looked into."""
    return _together([result.cures for result in study.results], CURE_COLUMNS)


def place_table(study: Study) -> pd.DataFrame:
    """Changes that are chosen, with place and meters mended."""
    return _together([result.places for result in study.results], PLACE_COLUMNS)


def _together(tables: list[pd.DataFrame | None], columns: tuple[str, ...]) -> pd.DataFrame:
    found = [table for table in tables if table is not None and len(table)]
    return pd.concat(found, ignore_index=True)[list(columns)] if found else pd.DataFrame(columns=list(columns))


def cure_sections(study: Study) -> list[dict[str, Any]]:
    """One entry per result with computed cures: slug, label, sentences, table of meters, table of changes."""
    found = []
    currency = str(study.tco["currency"].iloc[0]) if len(study.tco) else ""
    for result in study.results:
        if result.cures is None or result.places is None or not len(result.cures):
            continue
        several = len({one.scenario for one in study.results}) > 1
        label = study.label(result.technology)
        found.append(
            {
                "slug": slug(study, result),
                "label": f"{label}, {result.scenario}" if several else label,
                "sentences": sentences(study, result),
                "meters": meter_lines(study, result.cures),
                "places": place_lines(result.places, currency),
                "n_left_out": max(len(result.cures) - MOST_ROWS, 0),
            }
        )
    return found


def guess_note(study: Study) -> str:
    """A sentence where repeaters of a power line are guessed; empty where none are."""
    guessed = []
    for result in study.results:
        rows = remedied(study, result)
        rows = rows[rows["remedy"] == REPEATER]
        known = set() if result.cures is None else set(result.cures["meter_id"])
        n = int((~rows["meter_id"].isin(known)).sum())
        guessed += [f"{count(n)} of {study.label(result.technology)}"] if n else []
    if not guessed:
        return ""
    return (
        f"A guess, not computed: the repeaters for {' and '.join(guessed)} meters follow from the missing margin alone "
        "(remedies.compute, remedies.cure_meters)."
    )


def sentences(study: Study, result: StudyResult) -> list[str]:
    """How many meters were looked into, which change alone mends how many, and what is chosen."""
    rows, places = result.cures, result.places
    assert rows is not None
    assert places is not None
    level = study.read_probability
    lost = int((~np.asarray(result.deliveries.served).all(axis=0)).sum())
    tried = {name: words for name, words in TRIED.items() if pd.to_numeric(rows[name]).notna().any()}
    alone = ", ".join(f"{words.lower()} {count(int((rows[name] >= level).sum()))}" for name, words in tried.items())
    never = " and ".join(words.lower() for name, words in TRIED.items() if name not in tried)
    mended = int((rows["p_cured"] >= level).sum())
    lines = [
        f"{count(len(rows))} of {count(lost)} usable meters that are not served were looked into. One change alone "
        f"mends, of these: {alone}{f'; {never} could not be tried' if never else ''}.",
        f"With the chosen changes in place together {count(mended)} of them are served on the draws on which they were "
        f"chosen. {_left(rows[rows['change'] == ''])}",
        *_on_fresh_draws(rows),
        *_unsure(rows),
    ]
    if any(from_site(str(one)) for one in rows["change"]):
        lines.append(DECIDED_ON_SITE)
    if len(rows) < lost:
        lines.append(
            f"The other {count(lost - len(rows))} were not: what they lack is no matter of the line, or they are more "
            "than remedies.cure_meters; their remedy in the table above is a guess by the missing margin."
        )
    asked = rows[(rows["p_other_band"] >= level) & (rows["band_needs"] != "")]
    if len(asked):
        bands = ", ".join(sorted(set(asked["band"].astype(str))))
        lines.append(f"Another band that would mend {count(len(asked))} needs leave first: {bands}; it is not chosen.")
    return lines


def _left(rows: pd.DataFrame) -> str:
    """What becomes of the meters for which no change is chosen, and which part of the cost has it."""
    modules, by_hand = (int((rows["cure"] == kind).sum()) for kind in (CELLULAR, MANUAL))
    told = [f"{count(modules)} get cellular modules (categories 15 and 24 of the cost)"] if modules else []
    told += [f"{count(by_hand)} are read by hand (category 23)"] if by_hand else []
    return f"Of the others {' and '.join(told)}." if told else "No other is left."


def _on_fresh_draws(rows: pd.DataFrame) -> list[str]:
    """What the chosen changes bring where they were not chosen; nothing where none is."""
    mended = rows[rows["change"] != ""]
    if mended.empty:
        return []
    names = ("p_fresh", "p_fresh_cured", "p_read", "p_cured")
    before, after, as_it_was, as_chosen = (percent(mended[name].mean()) for name in names)
    return [
        f"Judged on {count(int(mended['n_fresh'].iloc[0]))} fresh draws that had no part in the choice, the "
        f"{count(len(mended))} meters with a change are read {before} of the time without it and {after} with all "
        f"changes; on the draws of the study it was {as_it_was} and {as_chosen}. Plan by the fresh ones."
    ]


def _unsure(rows: pd.DataFrame) -> list[str]:
    """How many meters the study cannot tell from served ones; nothing where there are none."""
    unsure = rows["unsure"].astype(bool)
    if not unsure.any():
        return []
    n = count(int(rows["n_replications"].iloc[0]))
    return [
        f"{count(int(unsure.sum()))} of the meters looked into are marked ?: with {n} replications they "
        "cannot be told from served (the 95 % interval of their share read contains the service level)."
    ]


def meter_lines(study: Study, rows: pd.DataFrame) -> Table:
    """Meters, the least read first: what limits each and what each change would bring."""
    head = ("Meter", "Area", "Read", "Chosen for it", "Read with it", "Fresh draws", "What limits it", "Missing",
            "Who does not hear", "Loudest source", *TRIED.values(), "Served by")  # fmt: skip
    ordered = rows.sort_values(["p_read", "meter_id"], kind="stable")
    lines = tuple(_line(row, study.read_probability) for row in ordered.head(MOST_ROWS).to_dict("records"))
    numeric = (False, False, True, False, True, False, False, True, False, False, *([False] * len(TRIED)), False)
    return Table("Meters not served, the least read first; click a heading to sort", head, lines, numeric)


def _line(row: dict[Any, Any], level: float) -> tuple[str, ...]:
    reason = str(row["reason"])
    return (
        str(row["meter_id"]),
        str(row["site_id"]),
        f"{percent(row['p_read'])}{' ?' if row['unsure'] else ''}",
        _chosen(row),
        percent(row["p_cured"]) if row["change"] else _NONE,
        f"{percent(row['p_fresh'])} to {percent(row['p_fresh_cured'])}" if row["n_fresh"] else _NONE,
        BY_WORD[reason].text if reason in BY_WORD else reason,
        f"{row['missing_db']:.1f} dB" if np.isfinite(row["missing_db"]) else _NONE,
        str(row["receiver"]),
        _source(row),
        *(_tried(row, name, level) for name in TRIED),
        str(row["other_media"]) or _NONE,
    )


def _chosen(row: dict[Any, Any]) -> str:
    """The change or the remedy, and why nothing is changed where a change alone were enough."""
    if row["change"]:
        return _first_up(row["change"])
    remedy = REMEDY_WORDS.get(str(row["cure"]), str(row["cure"]))
    return f"{remedy} (what is enough alone {row['not_chosen']})" if row["not_chosen"] else remedy


def _first_up(words: str) -> str:
    return words[:2].upper() + words[2:] if words.startswith("a ") else words


def _source(row: dict[Any, Any]) -> str:
    if not row["source_id"]:
        return "none stands out"
    return f"{row['source_id']} ({row['source_where']}), {row['source_db']:.0f} dB"


def _tried(row: dict[Any, Any], name: str, level: float) -> str:
    """Probability with a change, and where it helps; a mark where it is enough; a better filter elsewhere."""
    if pd.isna(row[name]):
        return _NONE
    place = str(row[{"p_repeater": "repeater_at", "p_filter": "filter_at", "p_other_phase": "phase",
                     "p_other_band": "band"}[name]])  # fmt: skip
    told = f"{'✓ ' if row[name] >= level else ''}{percent(row[name])}, {place or 'none tried helps'}"
    if name == "p_filter" and pd.notna(row["p_filter_elsewhere"]):
        better = row["p_filter_elsewhere"] - row["p_filter"]
        told += f"; at {row['filter_elsewhere_at']} {100 * better:.1f} points more"
    return told


def place_lines(places: pd.DataFrame, currency: str) -> Table:
    """The changes that are chosen, what each costs, and all of them."""
    head = ("Change", "Area", "Where", "For whose sake", "Meters it mends", f"Price [{currency}]")
    lines = tuple(
        (REMEDY_WORDS.get(str(row["cure"]), str(row["cure"])), str(row["site_id"]), str(row["at"]),
         first_few(str(row["meters"]).split(", ")), count(row["n_meters"]), grouped(row["price"]))
        for row in places.to_dict("records")
    )  # fmt: skip
    n_mended, price = count(int(places["n_meters"].sum())), grouped(float(places["price"].sum()))
    foot = (f"{count(len(places))} changes", "", "", "", n_mended, price)
    caption = (
        "Changes that are chosen and paid for; purchase, installation and yearly bills, renewals follow in the cost"
    )
    return Table(caption, head, lines, (False, False, False, False, True, True), foot)
