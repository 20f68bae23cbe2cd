"""Why is this meter red on its power line? Its direct link and the cures that were tried, from the result folder."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..planner.cure_words import DECIDED_ON_SITE, from_site
from .words import first_few, percent

_TRIED = (
    ("repeater", "repeater_at", "a repeater at {}", "a repeater at any place tried"),
    ("filter", "filter_at", "a filter at {}", ""),
    ("filter_elsewhere", "filter_elsewhere_at", "a filter at {} instead", ""),
    ("other_phase", "phase", "another phase ({})", "any other phase"),
    ("other_band", "band", "the band {}", "any other band"),
)
"""Kinds of changes, their column of where it is, their words, and the words where none of that kind helps."""


@dataclass(frozen=True)
class Terms:
    """What ``run.json`` says about the study: the words for technologies, what served means, how far links go."""

    labels: dict[str, str] = field(default_factory=dict)
    read_probability: float = 0.95
    service: str = ""
    longest_link_m: dict[str, float] = field(default_factory=dict)


def cures(folder: Path, meter_id: str, scenario: str, technology: str, terms: Terms) -> list[str]:
    """What was tried for one meter on its power line; nothing where nothing was, or where an older version wrote it."""
    path = folder / "cures.csv"
    if not path.is_file():
        return []
    rows = pd.read_csv(path, dtype={"meter_id": str, "source_id": str, "cure_host": str}, keep_default_na=True)
    if "change" not in rows:
        return []
    rows = rows[(rows["technology"] == technology) & (rows["scenario"] == scenario)]
    mine = rows[rows["meter_id"] == meter_id].to_dict("records")
    lines = [line for row in mine for line in _cure_lines(row, terms.read_probability)]
    if (rows["cure_host"] == meter_id).any():
        lines += _made_here(rows[rows["cure_host"] == meter_id])
    return lines


def _cure_lines(row: dict[Hashable, Any], level: float) -> list[str]:
    lines = []
    if row["unsure"]:
        lines.append(
            f"With {row['n_replications']} replications this cannot be told from served: the 95 % interval of its "
            f"{percent(row['p_read'])} contains the {percent(level)} asked for."
        )
    who = {"itself": "the meter itself", "concentrator": "the concentrator"}.get(str(row["receiver"]), row["receiver"])
    if pd.notna(row["source_id"]) and row["source_id"]:
        lines.append(
            f"Noise: {who} does not hear enough; without the devices at {row['source_id']} ({row['source_where']}) the "
            f"signal would stand {row['source_db']:.0f} dB higher there, mean over the failing draws."
        )
    tried = [
        f"{words.format(row[place]) if pd.notna(row[place]) else none}: {percent(row[f'p_{kind}'])}"
        f"{' (enough)' if row[f'p_{kind}'] >= level else ''}"
        for kind, place, words, none in _TRIED
        if pd.notna(row[f"p_{kind}"])
    ]
    if tried:
        lines.append(f"Tried, one at a time, read by the deadline with {'; '.join(tried)}.")
    if pd.notna(row["band_needs"]) and row["p_other_band"] >= level:
        lines.append(f"  That band needs leave: {row['band_needs']}.")
    if pd.notna(row["change"]):
        lines += _chosen(row)
    elif pd.notna(row.get("not_chosen")):
        lines.append(f"Nothing is changed for it: what is enough alone {row['not_chosen']}.")
    return lines


def _chosen(row: dict[Hashable, Any]) -> list[str]:
    """What is chosen for a meter, and what it brought on the draws it was chosen on and on others."""
    lines = [
        f"Chosen for it: {row['change']}; with all that is chosen in its area {percent(row['p_cured'])} on the draws "
        f"on which it was chosen. On {row['n_fresh']} fresh ones {percent(row['p_fresh'])} before, "
        f"{percent(row['p_fresh_cured'])} with it."
    ]
    return [*lines, DECIDED_ON_SITE] if from_site(str(row["change"])) else lines


def _made_here(rows: pd.DataFrame) -> list[str]:
    """Changes that are made at a meter, and for whose sake."""
    lines = []
    for change, some in rows.groupby("change", sort=False):
        names = some["meter_id"].tolist()
        lines.append(f"Chosen here: {change}, for {first_few(names)}.")
    return lines


def cable_rows(folder: Path, meter_id: str) -> pd.DataFrame:
    """Rows of ``powerline.parquet`` for one meter; none where an older version wrote the folder."""
    path = folder / "powerline.parquet"
    if not path.is_file():
        return pd.DataFrame(columns=["scenario", "technology"])
    return pd.read_parquet(path, filters=[("meter_id", "==", meter_id)])


def on_the_cable(rows: pd.DataFrame, scenario: str, technology: str, terms: Terms) -> list[str]:
    """The numbers of the direct link to the concentrator, as the first replication drew them."""
    mine = rows[(rows["scenario"] == scenario) & (rows["technology"] == technology)]
    longest_m = terms.longest_link_m.get(technology, np.inf)
    lines = []
    for row in mine.to_dict("records"):
        phase = f"on {row['phase']}" if len(str(row["phase"])) == 2 else "on all three phases"
        lines.append(
            f"On the cable (first draw): {_length(row['distance_m'])} from {row['site_id']}, {phase}; its modem sees "
            f"{row['access_ohm']:.1f} ohm and {row['noise_dbuv']:.0f} dBuV of noise in one carrier; "
            f"{_direct_link(row, longest_m)}."
        )
    return lines


def _direct_link(row: dict[Hashable, Any], longest_m: float) -> str:
    """What the direct link is good for; no number where nothing arrives, or where the study did not look."""
    if row["distance_m"] > longest_m:
        return (
            f"the cable is longer than max_link_length_m = {longest_m:g} m, so the study has no direct link between "
            "them: this meter can only be read over others"
        )
    if not np.isfinite([row["snr_up_db"], row["snr_down_db"]]).any():
        return "what each of the two sends is too weak at the other to be received, so there is no direct mode"
    loss = row["attenuation_db"]
    arrives = f"the concentrator's signal arrives {loss:.0f} dB below its source, " if np.isfinite(loss) else ""
    return (
        f"{arrives}SNR {_snr(row['snr_up_db'], 'up')} and {_snr(row['snr_down_db'], 'down')}, means over the carriers; "
        f"fastest direct mode {row['mode_up']} up, {row['mode_down']} down"
    )


def _length(distance_m: float) -> str:
    return f"{distance_m:.0f} m" if np.isfinite(distance_m) else "an unknown length of cable"


def _snr(value_db: float, way: str) -> str:
    return f"{value_db:.0f} dB {way}" if np.isfinite(value_db) else f"none {way} (nothing arrives)"
