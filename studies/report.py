"""One file that tells the whole study, opens from the disk and asks nobody for anything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import plotly.offline
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from . import report_tables as tables
from .area_tables import area_sections, last_read
from .cure_tables import cure_sections, guess_note
from .fault_tables import fault_draws, fault_sentences, fault_table
from .feeder_pictures import feeder_figures
from .luck_words import luck_text
from .maps import best_technology_map, technology_map, views
from .report_tables import Standing
from .severity_tables import severity_draws, severity_figure, severity_summary, severity_table
from .states import cheapest_serving, count, meter_states, share, slug
from .study import Study
from .styles import BY_WORD
from .traffic_tables import agreement_line, folded_tables, tier_lines, traffic_tables

TEMPLATES = Path(__file__).parent / "templates"


def write_report(study: Study, path: str | Path) -> None:
    """Write the report as one HTML file; the same study gives the same bytes.

    Parameters
    ----------
    study : the study, run.
    path : file to write; replaced where it exists.

    Raises ValueError where a count does not add up to the meters in.
    """
    Path(path).write_text(render_report(study), encoding="utf-8", newline="\n")


def render_report(study: Study) -> str:
    """The report as one HTML text: styles, scripts, data and plotly.js (once) inside."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters.update(count=count, money=tables.money)
    return environment.get_template("report.html").render(_content(study))


def _content(study: Study) -> dict[str, Any]:
    standings = tables.standings(study)
    maps = _maps(study)
    base = _base(maps[0]["json"]) if maps else {"data": [], "shapes": []}
    for one in maps:
        one["json"] = safe_json(_without_base(one["json"]))
    return {
        "study": study,
        "standings": standings,
        "share": share,
        "summary": summary(study, standings),
        "maps": maps,
        "base_json": safe_json(base),
        "cash_json": safe_json(figure_json(cash_figure(study))),
        "areas": _areas(study),
        "last_read": last_read(study),
        "severities": severity_table(study),
        "severity_summary": severity_summary(study),
        "severity_json": safe_json(figure_json(severity_figure(study))) if len(study.severities) else "",
        "severity_draws": severity_draws(study),
        "fault_draws": fault_draws(study),
        "fault_sentences": fault_sentences(study),
        "faults": fault_table(study),
        "cures": cure_sections(study),
        "guess_note": guess_note(study),
        "feeders": _feeders(study),
        "grounds": tables.grounds(study),
        "matrices": tables.reason_matrices(study),
        "remedies": tables.remedy_table(study),
        "service_text": _sentence(study.service_text),
        "kpis": tables.kpi_table(study),
        "tco": tables.tco_table(study),
        "categories": tables.category_table(study),
        "traffic": traffic_tables(study),
        "folded_traffic": folded_tables(study),
        "agreement": agreement_line(study),
        "traffic_notes": study.traffic.notes if study.traffic else (),
        "tiers": tier_lines(study),
        "sources": tables.source_table(study),
        "odd": tables.odd_table(study),
        "notes": [n for n in dict.fromkeys((*study.area.notes, *study.candidates.notes)) if n not in study.warnings],
        "listed": tables.listed_table(study),
        "inferred": tables.inferred_table(study),
        "assumptions": tables.assumption_rows(study),
        "words": BY_WORD,
        "plotly_js": Markup(plotly.offline.get_plotlyjs()),
        "plotly_version": plotly.__version__,
    }


def _areas(study: Study) -> list[dict[str, Any]]:
    """Tables and pictures of the transformer areas, by technology."""
    return [{**one, "json": safe_json(figure_json(one["figure"]))} for one in area_sections(study)]


def _feeders(study: Study) -> list[dict[str, Any]]:
    """Pictures of the power line by technology: the words to choose them by, and all of them as one JSON list."""
    return [
        {
            "slug": one["slug"],
            "label": one["label"],
            "words": [picture["words"] for picture in one["pictures"]],
            "json": safe_json([figure_json(picture["figure"]) for picture in one["pictures"]]),
            "n_areas": one["n_areas"],
        }
        for one in feeder_figures(study)
    ]


def _maps(study: Study) -> list[dict[str, Any]]:
    scenarios = list(dict.fromkeys(r.scenario for r in study.results))
    several = len(scenarios) > 1
    maps = [_best_map(study, scenario, several) for scenario in scenarios]
    for result in study.results:
        label = study.label(result.technology) + (f", {result.scenario}" if several else "")
        figure = technology_map(study, result)
        looks = _views(study, meter_states(study, result))
        maps.append(
            {"slug": slug(study, result), "label": label, "json": figure_json(figure), "table": None, "views": looks}
        )
    return maps


def _views(study: Study, places: Any) -> list[dict[str, Any]]:
    """The buttons of a map: word in the address, words on the button, edges west, south, east, north [m]."""
    return [
        {"name": words.lower().replace(" ", "-"), "words": words, "edges": safe_json([round(edge) for edge in view])}
        for words, view in views(study, places)
    ]


def _best_map(study: Study, scenario: str, several: bool) -> dict[str, Any]:
    return {
        "slug": f"best-{scenario}" if several else "best",
        "label": "Best technology" + (f", {scenario}" if several else ""),
        "json": figure_json(best_technology_map(study, scenario)),
        "table": tables.best_table(study, scenario),
        "views": _views(study, cheapest_serving(study, scenario)),
    }


def figure_json(figure: go.Figure) -> dict[str, Any]:
    """Data and layout of a figure as plain objects; numbers stay packed as plotly packs them."""
    plain: dict[str, Any] = json.loads(figure.to_json(engine="json"))
    return {"data": plain["data"], "layout": plain["layout"]}


def _base(figure: dict[str, Any]) -> dict[str, Any]:
    """What all maps of a study share; it stands in the page once."""
    return {
        "data": [trace for trace in figure["data"] if trace.get("meta") == "base"],
        "shapes": [shape for shape in figure["layout"]["shapes"] if shape.get("name") == "base"],
    }


def _without_base(figure: dict[str, Any]) -> dict[str, Any]:
    own = [shape for shape in figure["layout"]["shapes"] if shape.get("name") != "base"]
    layout = {**figure["layout"], "shapes": own}
    return {"layout": layout, "data": [t for t in figure["data"] if t.get("meta") != "base"]}


def safe_json(value: Any) -> Markup:
    """JSON that may stand inside a script element: no ``<``, keys sorted, NaN refused.

    >>> str(safe_json({"b": "</script>", "a": 1}))
    '{"a":1,"b":"\\\\u003c/script>"}'
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return Markup(text.replace("<", "\\u003c"))


def summary(study: Study, standings: list[Standing]) -> list[str]:
    """The answer in three sentences: who is read, what is cheapest at equal service, why the others are not read.

    Behind the first: how much of the count is luck, and for which power line it holds, where there is something to say.
    """
    if not standings:
        return ["No technology was asked for."]
    line = [f"The power line is taken with {study.line_text}."] if study.line_text else []
    luck = [luck_text(study)] if luck_text(study) else []
    return [_who_is_read(standings), *luck, *line, _what_is_cheapest(study, standings), _why_not(standings)]


def _who_is_read(standings: list[Standing]) -> str:
    ranked = sorted(standings, key=lambda s: (-s.n_served, s.slug))
    parts = [
        f"{_named(s, standings)} {'serves ' if i == 0 else ''}{count(s.n_served)} ({share(s.n_served, s.n)})"
        for i, s in enumerate(ranked)
    ]
    return f"Of {count(ranked[0].n)} meters in, by the deadline and with the backhaul included, {_listing(parts)}."


def _what_is_cheapest(study: Study, standings: list[Standing]) -> str:
    ranked = sorted(standings, key=lambda s: (s.eac_per_meter, s.slug))
    first = ranked[0]
    n_years = int(study.cost.year.max()) if len(study.cost) else 0
    text = (
        f"At equal service, with every meter that is not read priced by another way, {_named(first, standings)} is the "
        f"cheapest at {first.eac_per_meter:.2f} {first.currency} per meter and year over {n_years} years "
        f"({tables.money(first.tco, first.currency)} for {count(first.n)} meters)"
    )
    if len(ranked) == 1:
        return text + "."
    more = 100.0 * (ranked[1].eac_per_meter / first.eac_per_meter - 1.0)
    return f"{text}; {_named(ranked[1], standings)} follows, {more:.1f} % dearer."


def _why_not(standings: list[Standing]) -> str:
    parts = [
        f"{_lowered(BY_WORD[s.reasons[0][0]].text)} with {_named(s, standings)} "
        f"({count(s.reasons[0][1])} of {count(s.n)} meters)"
        for s in standings
        if s.reasons
    ]
    if not parts:
        return f"Every one of {count(standings[0].n)} meters is read by every technology."
    return f"The main reason why meters are not read: {_listing(parts)}."


def _named(standing: Standing, standings: list[Standing]) -> str:
    several = len({s.scenario for s in standings}) > 1
    return f"{standing.label} in scenario {standing.scenario}" if several else standing.label


def _sentence(text: str) -> str:
    """The text with a capital first letter and a full stop."""
    return text[:1].upper() + text[1:].rstrip(".") + "." if text else text


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]


def _listing(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def cash_figure(study: Study) -> go.Figure:
    """Money spent by the end of each year, one line a technology; not discounted, drawn without WebGL."""
    figure = go.Figure(layout=go.Layout(template=go.layout.Template()))
    dashes = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
    currency = str(study.tco.currency.iloc[0]) if len(study.tco) else ""
    for i, result in enumerate(study.results):
        own = study.cost[(study.cost.technology == result.technology) & (study.cost.scenario == result.scenario)]
        spent = own.groupby("year").amount.sum().sort_index().cumsum()
        figure.add_trace(
            go.Scatter(
                x=spent.index.tolist(), y=spent.round(2).tolist(), mode="lines+markers",
                name=study.label(result.technology), marker={"size": 5},
                line={"color": tables.color_of(study, result), "width": 2.5, "dash": dashes[i % len(dashes)]},
                hovertemplate="year %{x}: %{y:,.0f} " + currency + "<extra>%{fullData.name}</extra>",
            )
        )  # fmt: skip
    grid = {"gridcolor": "#e6e9ee", "zeroline": False, "linecolor": "#b8c0ca", "showline": True}
    figure.update_layout(
        xaxis={**grid, "title": {"text": "Year after commissioning"}, "dtick": 1},
        yaxis={**grid, "title": {"text": f"Spent so far [{currency}], not discounted"}, "rangemode": "tozero",
               "tickformat": ",.0f"},
        font={"family": "system-ui, sans-serif", "color": "#16202e"}, separators=". ", plot_bgcolor="#ffffff",
        margin={"l": 90, "r": 20, "t": 20, "b": 55}, legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"},
    )  # fmt: skip
    return figure
