"""Transformer areas in the report: what each technology on power lines does in each."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go

from ..meters.services import is_profile
from ..planner.areas import HOP_COLUMNS
from ..planner.on_demand import ON_DEMAND
from ..planner.tables import StudyResult
from .report_tables import Table
from .states import count, slug
from .study import Study
from .words import NONE, clock, interval, percent

MOST_ROWS = 200
"""Areas that a table of the report shows, the worst first; all of them stand in the files."""
MOST_MODES = 4
"""Waveforms that a line of the table names, the most frequent ones; `areas.csv` has them all."""
MOST_BARS = 60
"""Areas that a picture shows."""
_HOP_WORDS = ("no way", "direct", "2 hops", "3 hops", "4 hops and more")
_HOP_COLORS = ("#c1272d", "#0b6e56", "#5aae8c", "#e3c34f", "#e08a2e")
NOWHERE = "no area known, or listed"


def area_sections(study: Study) -> list[dict[str, Any]]:
    """One entry per result on power lines: slug, label, table and picture of its areas, worst first."""
    found = []
    for result in study.results:
        if result.areas is None or not len(result.areas):
            continue
        rows = worst_first(result.areas)
        found.append(
            {
                "slug": slug(study, result),
                "label": _label(study, result),
                "table": area_table(rows),
                "figure": hop_figure(rows.head(MOST_BARS)),
                "n_left_out": max(len(rows) - MOST_ROWS, 0),
            }
        )
    return found


def last_read(study: Study) -> str:
    """What the time of an area ends with: profiles where there are some, what is asked for on demand where only that.

    It is the time that ``areas.csv`` holds, see `planner.areas.AreaTally`.
    """
    services = {service for result in study.results for service in result.deliveries.services}
    if any(is_profile(service) for service in services):
        return "time from the start of collection until the day profile of the last meter that is read at all is there"
    if services == {ON_DEMAND}:
        return "how long the slowest meter that answers at all takes to answer a request, its median"
    return "time from the start of collection until the last meter that is read at all has told all it is asked for"


def worst_first(rows: pd.DataFrame) -> pd.DataFrame:
    """Areas by the share that is read; those with nobody in them last."""
    rank = rows.assign(_empty=rows["n_meters"] == 0)
    ordered = rank.sort_values(["_empty", "read_ratio", "site_id"], kind="stable")
    return ordered.drop(columns="_empty").reset_index(drop=True)


def area_table(rows: pd.DataFrame) -> Table:
    """Areas as lines of text; the foot adds up meters and weighs shares by them."""
    head = ("Area", "Meters", "Served, P10 to P90", "Read by the deadline, P10 to P90", "Direct", "2 hops", "More hops",
            "No way", "Waveforms of the links in use", "Busiest repeater: share of forwarding, meters behind",
            "Replications that read all", "Last of those that are read")  # fmt: skip
    lines = tuple(_line(row) for row in rows.head(MOST_ROWS).to_dict("records"))
    weight = rows["n_meters"].to_numpy(float)
    weight = weight / max(float(weight.sum()), 1.0)
    means = {name: float(weight @ rows[name].to_numpy(float)) for name in ("read_ratio", *HOP_COLUMNS)}
    foot = ("All areas", count(int(rows["n_meters"].sum())), count(int(rows["n_served"].sum())),
            percent(means["read_ratio"]), *_hops(means), "", "", "", "")  # fmt: skip
    numeric = (False, *([True] * 7), False, False, True, True)
    return Table("Areas, worst first; click a heading to sort", head, lines, numeric, foot)


def _line(row: dict[Any, Any]) -> tuple[str, ...]:
    return (
        str(row["site_id"]) or NOWHERE,
        count(row["n_meters"]),
        f"{count(row['n_served'])} ({count(row['n_served_low'])} to {count(row['n_served_high'])})",
        interval(row["read_ratio"], row["read_low"], row["read_high"]),
        *_hops(row),
        _mix(str(row["mode_mix"])),
        _relay(row),
        percent(row["all_read_ratio"]),
        clock(row["read_reached_s"]) if row["read_reached_s"] else NONE,
    )


def _hops(shares: dict[Any, Any]) -> tuple[str, ...]:
    """Direct, over two hops, over more, no way."""
    none, direct, two, *more = (float(shares[name]) for name in HOP_COLUMNS)
    return tuple(percent(share) for share in (direct, two, sum(more), none))


def _relay(row: dict[Any, Any]) -> str:
    if not row["relay_id"]:
        return NONE
    return f"{row['relay_id']}: {percent(row['relay_airtime_ratio'])}, {row['relay_dependants']:.1f}"


def _mix(text: str) -> str:
    """``ROBO 0.25, DBPSK 0.75`` in whole percent, the largest share first, rare ones added up; 0 % is left out."""
    pairs = [part.rsplit(" ", 1) for part in text.split(", ") if part]
    shares = sorted(((name, round(100 * float(value))) for name, value in pairs), key=lambda pair: -pair[1])
    seen = [*shares[:MOST_MODES], ("others", sum(value for _, value in shares[MOST_MODES:]))]
    return ", ".join(f"{name} {value} %" for name, value in seen if value) or NONE


def hop_figure(rows: pd.DataFrame) -> go.Figure:
    """Share of the meters by hops, one bar an area."""
    figure = go.Figure(layout=go.Layout(template=go.layout.Template()))
    names = [str(name) or NOWHERE for name in rows["site_id"]]
    order = [1, 2, 3, 4, 0]
    for row in order:
        values = (100.0 * rows[HOP_COLUMNS[row]].to_numpy(float)).round(2)
        figure.add_trace(
            go.Bar(
                y=names, x=values.tolist(), orientation="h", name=_HOP_WORDS[row],
                marker={"color": _HOP_COLORS[row]}, hovertemplate="%{y}: %{x:.1f} % " + _HOP_WORDS[row]
                + "<extra></extra>",
            )
        )  # fmt: skip
    figure.update_layout(
        barmode="stack", height=max(230, 105 + 21 * len(names)), margin={"l": 130, "r": 20, "t": 30, "b": 45},
        xaxis={"title": {"text": "share of the area's meters [%]"}, "range": [0, 100], "gridcolor": "#e6e9ee"},
        yaxis={"autorange": "reversed", "type": "category", "automargin": True}, plot_bgcolor="#ffffff",
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "traceorder": "normal"}, bargap=0.25,
        font={"family": "system-ui, sans-serif", "color": "#16202e", "size": 12},
    )  # fmt: skip
    return figure


def _label(study: Study, result: StudyResult) -> str:
    several = len({one.scenario for one in study.results}) > 1
    return study.label(result.technology) + (f", {result.scenario}" if several else "")
