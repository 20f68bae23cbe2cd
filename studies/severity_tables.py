"""How harsh the line is, in the report: power-line technologies side by side in each severity, in all and by area."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from .area_tables import MOST_BARS, MOST_ROWS, NOWHERE
from .report_tables import Table
from .states import count
from .study import Study
from .words import NONE, clock, interval, percent

_SYMBOLS = ("circle", "square", "diamond", "star", "cross", "x")
_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")


def severity_summary(study: Study) -> Table | None:
    """One line per technology and severity, over all areas; None where none were compared."""
    rows = study.severities
    if not len(rows):
        return None
    head = ("Technology", "Severity", "Read by the deadline", "No way", "Worst area",
            "Areas read whole in every replication", "Last of those that are read, longest area")  # fmt: skip
    lines = tuple(
        (study.label(str(technology)), str(severity), *_in_all(some))
        for (technology, severity), some in rows.groupby(["technology", "severity"], sort=False)
    )
    n, n_meters = int(rows["replications"].iloc[0]), int(rows.drop_duplicates("site_id")["n_meters"].sum())
    caption = (
        f"All areas together: {count(n_meters)} meters, same links and draws, mean of {n} replications. Shares are "
        "compared, not meters served: how many reach the service level depends on how many replications decide it, "
        "which may be fewer here than in the study. A harsher line reads fewer meters, so the last of them may be read "
        "sooner"
    )
    return Table(caption, head, lines, (False, False, True, True, False, True, True))


def _in_all(rows: pd.DataFrame) -> tuple[str, ...]:
    """Shares of all meters in, the worst area with its share, and times of the areas that have meters."""
    weight = rows["n_meters"].to_numpy(float) / max(float(rows["n_meters"].sum()), 1.0)
    known = rows[(rows["n_meters"] > 0) & (rows["site_id"] != "")]
    worst = known.sort_values(["read_ratio", "site_id"], kind="stable").head(1)
    named = [f"{one['site_id']}: {percent(one['read_ratio'])}" for one in worst.to_dict("records")]
    return (
        percent(weight @ rows["read_ratio"].to_numpy(float)),
        percent(weight @ rows["no_route_ratio"].to_numpy(float)),
        *(named or [NONE]),
        f"{int((known['all_read_ratio'] == 1).sum())} of {len(known)}",
        clock(known["read_reached_s"].max()),
    )


def severity_draws(study: Study) -> str:
    """How many replications the comparison rests on, in a sentence; empty where none were compared."""
    if not len(study.severities):
        return ""
    n = int(study.severities["replications"].iloc[0])
    return (
        f"This comparison rests on {count(n)} replication{'s' if n != 1 else ''} only ([severities] replications): it "
        "shows which severity hurts where, not how large a share is."
    )


def severity_table(study: Study) -> Table | None:
    """Areas by technologies and severities: the share read by the deadline with its P10 to P90; None without any."""
    rows = study.severities
    if not len(rows):
        return None
    columns = list(dict.fromkeys(zip(rows["technology"], rows["severity"], strict=True)))
    sizes = rows.drop_duplicates("site_id").set_index("site_id")["n_meters"]
    cells = {
        (r.site_id, r.technology, r.severity): interval(r.read_ratio, r.read_low, r.read_high)
        for r in rows.itertuples(index=False)
    }
    mean = rows.groupby("site_id")["read_ratio"].mean()
    order = sorted(sizes.index, key=lambda name: (sizes[name] == 0, float(mean[name]), str(name)))
    lines = tuple(
        (str(name) or NOWHERE, count(sizes[name]), *(cells[name, *column] for column in columns))
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
