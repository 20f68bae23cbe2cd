"""Transformer areas in the report: what each technology on power lines does in each, and in each severity."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ..planner.areas import HOP_COLUMNS
from ..planner.tables import StudyResult
from .report_tables import Table
from .states import count, slug
from .study import Study

MOST_ROWS = 200
"""Areas that a table of the report shows, the worst first; all of them stand in the files."""
MOST_BARS = 60
"""Areas that a picture shows."""
_HOP_WORDS = ("no way", "direct", "2 hops", "3 hops", "4 hops and more")
_HOP_COLORS = ("#c1272d", "#0b6e56", "#5aae8c", "#e3c34f", "#e08a2e")
_SYMBOLS = ("circle", "square", "diamond", "star", "cross", "x")
_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
_NOWHERE = "no area known, or listed"
_NONE = "–"


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


def worst_first(rows: pd.DataFrame) -> pd.DataFrame:
    """Areas by the share that is read; those with nobody in them last."""
    rank = rows.assign(_empty=rows["n_meters"] == 0)
    ordered = rank.sort_values(["_empty", "read_ratio", "site_id"], kind="stable")
    return ordered.drop(columns="_empty").reset_index(drop=True)


def area_table(rows: pd.DataFrame) -> Table:
    """Areas as lines of text; the foot adds up meters and weighs shares by them."""
    head = ("Area", "Meters", "Served, P10 to P90", "Read by the deadline, P10 to P90", "Direct", "2 hops", "More hops",
            "No way", "Waveforms of the links in use", "Busiest repeater: share of forwarding, meters behind",
            "Replications that read all", "Last read after")  # fmt: skip
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
        str(row["site_id"]) or _NOWHERE,
        count(row["n_meters"]),
        f"{count(row['n_served'])} ({count(row['n_served_low'])} to {count(row['n_served_high'])})",
        interval(row["read_ratio"], row["read_low"], row["read_high"]),
        *_hops(row),
        _mix(str(row["mode_mix"])),
        _relay(row),
        percent(row["all_read_ratio"]),
        clock(row["read_reached_s"]) if row["read_reached_s"] else _NONE,
    )


def _hops(shares: dict[Any, Any]) -> tuple[str, ...]:
    """Direct, over two hops, over more, no way."""
    none, direct, two, *more = (float(shares[name]) for name in HOP_COLUMNS)
    return tuple(percent(share) for share in (direct, two, sum(more), none))


def _relay(row: dict[Any, Any]) -> str:
    if not row["relay_id"]:
        return _NONE
    return f"{row['relay_id']}: {percent(row['relay_airtime_ratio'])}, {row['relay_dependants']:.1f}"


def _mix(text: str) -> str:
    """``ROBO 0.25, DBPSK 0.75`` in whole percent, the largest share first; what rounds to nothing is left out."""
    pairs = [part.rsplit(" ", 1) for part in text.split(", ") if part]
    shares = sorted(((name, round(100 * float(value))) for name, value in pairs), key=lambda pair: -pair[1])
    return ", ".join(f"{name} {value} %" for name, value in shares if value) or _NONE


def hop_figure(rows: pd.DataFrame) -> go.Figure:
    """Share of the meters by hops, one bar an area."""
    figure = go.Figure(layout=go.Layout(template=go.layout.Template()))
    names = [str(name) or _NOWHERE for name in rows["site_id"]]
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


def severity_table(study: Study) -> Table | None:
    """Areas by technologies and severities: the share read by the deadline with its P10 to P90; None without any."""
    rows = study.severities
    if not len(rows):
        return None
    columns = list(dict.fromkeys(zip(rows["technology"], rows["severity"], strict=True)))
    sizes = rows.drop_duplicates("site_id").set_index("site_id")["n_meters"]
    cells = {
        (r.site_id, r.technology, r.severity): interval(r.read_ratio, r.read_low, r.read_high) for r in _each(rows)
    }
    mean = rows.groupby("site_id")["read_ratio"].mean()
    order = sorted(sizes.index, key=lambda name: (sizes[name] == 0, float(mean[name]), str(name)))
    lines = tuple(
        (str(name) or _NOWHERE, count(sizes[name]), *(cells[name, *column] for column in columns))
        for name in order[:MOST_ROWS]
    )
    head = ("Area", "Meters", *(f"{study.label(str(name))}, {severity}" for name, severity in columns))
    foot = ("All areas", count(int(sizes.sum())), *(percent(overall(rows, *column)) for column in columns))
    n = int(rows["replications"].iloc[0])
    caption = f"Read by the deadline in each severity, same links and draws, mean of {n} replications, P10 to P90"
    return Table(caption, head, lines, (False, *([True] * (1 + len(columns)))), foot)


def overall(rows: pd.DataFrame, technology: str, severity: str) -> float:
    """Share read of all meters in, one technology in one severity."""
    some = rows[(rows["technology"] == technology) & (rows["severity"] == severity)]
    weight = some["n_meters"].to_numpy(float)
    return float(weight @ some["read_ratio"].to_numpy(float)) / max(float(weight.sum()), 1.0)


def severity_figure(study: Study) -> go.Figure:
    """Share read by area: a colour for each technology, a shape for each severity, P10 to P90 as bars."""
    figure = go.Figure(layout=go.Layout(template=go.layout.Template()))
    rows = study.severities[(study.severities["n_meters"] > 0) & (study.severities["site_id"] != "")]
    mean = rows.groupby("site_id")["read_ratio"].mean()
    order = sorted(mean.index, key=lambda name: (float(mean[name]), str(name)))[:MOST_BARS]
    names = [str(name) for name in order]
    technologies, severities = list(dict.fromkeys(rows["technology"])), list(dict.fromkeys(rows["severity"]))
    groups = [(t, s) for t in technologies for s in severities]
    for number, (technology, severity) in enumerate(groups):
        some = rows[(rows["technology"] == technology) & (rows["severity"] == severity)].set_index("site_id")
        some = some.reindex(order)
        value, low, high = (100.0 * some[name].to_numpy(float) for name in ("read_ratio", "read_low", "read_high"))
        aside = (number - (len(groups) - 1) / 2) * 0.8 / len(groups)
        color = _COLORS[technologies.index(technology) % len(_COLORS)]
        figure.add_trace(
            go.Scatter(
                x=(np.arange(len(order)) + aside).round(3).tolist(), y=value.round(2).tolist(), mode="markers",
                name=f"{study.label(str(technology))}, {severity}", text=names,
                error_y={"type": "data", "symmetric": False, "array": (high - value).clip(0).round(2).tolist(),
                         "arrayminus": (value - low).clip(0).round(2).tolist(), "thickness": 1.2, "width": 2},
                marker={"color": color, "symbol": _SYMBOLS[severities.index(severity) % len(_SYMBOLS)], "size": 8},
                hovertemplate="%{text}: %{y:.1f} %<extra>%{fullData.name}</extra>",
            )
        )  # fmt: skip
    figure.update_layout(
        height=430, margin={"l": 70, "r": 20, "t": 30, "b": 90}, plot_bgcolor="#ffffff",
        xaxis={"tickvals": list(range(len(names))), "ticktext": names, "tickangle": -40, "gridcolor": "#eef0f3",
               "zeroline": False, "automargin": True},
        yaxis={"title": {"text": "read by the deadline [%]"}, "range": [-3, 103], "gridcolor": "#e6e9ee"},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"},
        font={"family": "system-ui, sans-serif", "color": "#16202e", "size": 12},
    )  # fmt: skip
    return figure


def percent(share: Any) -> str:
    """A share with one decimal.

    >>> percent(0.9712)
    '97.1 %'
    """
    return f"{100.0 * float(share):.1f} %"


def interval(share: Any, low: Any, high: Any) -> str:
    """A share and its interval, which is left out where it has no width.

    >>> interval(0.9, 0.85, 0.95), interval(1.0, 1.0, 1.0)
    ('90.0 % (85.0 to 95.0)', '100.0 %')
    """
    ends = f"{100.0 * float(low):.1f}", f"{100.0 * float(high):.1f}"
    return percent(share) + (f" ({ends[0]} to {ends[1]})" if ends[0] != ends[1] else "")


def clock(seconds: Any) -> str:
    """A time as a planner says it.

    >>> [clock(value) for value in (42.4, 754, 9000, float("inf"), float("nan"))]
    ['42 s', '12.6 min', '2.5 h', 'not all', '–']
    """
    value = float(seconds)
    if np.isnan(value):
        return _NONE
    if np.isinf(value):
        return "not all"
    if value < 120:
        return f"{value:.0f} s"
    return f"{value / 60:.1f} min" if value < 7200 else f"{value / 3600:.1f} h"


def _label(study: Study, result: StudyResult) -> str:
    several = len({one.scenario for one in study.results}) > 1
    return study.label(result.technology) + (f", {result.scenario}" if several else "")


def _each(rows: pd.DataFrame) -> Any:
    return rows.itertuples(index=False)
