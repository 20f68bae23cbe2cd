"""Maps that open from the disk: meters, sites, links and a local base map in projected metres.

Everything is a WebGL scatter trace, one per kind of thing, lines and outlines separated by NaN, so that a map of
thousands of meters stays small and moves smoothly. Tiles from a server are never asked for.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import shapely
from numpy.typing import NDArray

from ..gis.clutter import CLUTTER_CODES
from ..planner.tables import StudyResult
from .states import cheapest_serving, count, meter_states, share, site_table, state_looks
from .study import Study
from .styles import NOBODY_COLOR, TECHNOLOGY_COLORS, Look

Array = NDArray[Any]

MANY_METERS = 30_000
"""Above this number the maps leave out the text that appears under the pointer, and say so."""
OUTLINE_TOLERANCE_M = 0.8
LAND_TOLERANCE_M, LAND_MIN_M2 = 6.0, 10_000.0
SHORT_LINK_M = 400.0
"""Links of a shorter median are drawn plainly; longer ones cross the whole map and are drawn faintly."""
GRID_M = 0.1
SERVED_SIZE, NOT_SERVED_SIZE, SITE_SIZE = 6.0, 7.0, 12.0
"""Marker sizes [px] at the scale of a village; the page lets them grow and shrink with the zoom."""
SETTLEMENT_M = 600.0
"""Half the side of the square that the views of a settlement show."""
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_BASE = "base"
_LAND_COLORS = {"trees": "#e3ecd9", "suburban": "#f2ebdf", "urban": "#ebe3d5", "water": "#cfe2f0"}


def technology_map(study: Study, result: StudyResult) -> go.Figure:
    """Map of one technology: who is read, who is not and why, from which sites, over the local base map."""
    states = meter_states(study, result)
    n_served, n = int(states.served.sum()), len(states)
    figure = go.Figure(layout=go.Layout(template=go.layout.Template()))
    figure.add_traces(base_traces(study))
    figure.add_traces(_link_traces(study, result))
    looks = state_looks(states)
    for look, mask in sorted(looks, key=lambda pair: -int(pair[1].sum())):
        rank = next(i for i, pair in enumerate(looks) if pair[0] is look)
        figure.add_trace(_meter_trace(states[mask], look, 10 + rank))
    figure.add_traces(_site_traces(result, states))
    title = f"{study.label(result.technology)}: {count(n_served)} of {count(n)} meters served ({share(n_served, n)})"
    return _framed(figure, study, states, title, result.scenario)


def best_technology_map(study: Study, scenario: str) -> go.Figure:
    """Map of the cheapest technology that serves each meter; grey where none does."""
    best = cheapest_serving(study, scenario)
    names = [r.technology for r in study.results if r.scenario == scenario]
    figure = go.Figure(layout=go.Layout(template=go.layout.Template()))
    figure.add_traces(base_traces(study))
    for rank, name in enumerate([*names, ""]):
        group = best[best.technology == name]
        color = TECHNOLOGY_COLORS[rank % len(TECHNOLOGY_COLORS)] if name else NOBODY_COLOR
        shape = _SHAPES[rank % len(_SHAPES)] if name else "x"
        look = Look(name, study.label(name) if name else "No technology serves it", color, shape, "")
        if len(group):
            figure.add_trace(_best_trace(group, look, rank))
    n_any, n = int((best.technology != "").sum()), len(best)
    title = f"Cheapest technology that serves: {count(n_any)} of {count(n)} meters have one ({share(n_any, n)})"
    return _framed(figure, study, best, title, scenario)


_SHAPES = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "star", "hexagon")


def base_traces(study: Study) -> list[go.Scattergl]:
    """The local base map: boundary, buildings, roads, low-voltage cables, candidate sites; one trace each.

    What the area does not have is left out. The traces are the same on every map of a study.
    """
    area = study.area
    boundary = shapely.get_exterior_ring(shapely.get_parts([area.boundary]))
    outlines = shapely.simplify(_rings(area.buildings.geometry.to_numpy()), OUTLINE_TOLERANCE_M)
    roads = shapely.simplify(area.roads.geometry.to_numpy(), OUTLINE_TOLERANCE_M)
    traces = [
        _lines(shapely.simplify(boundary, 5.0), "Study area", "#9aa1aa", 1.0, "dash"),
        _lines(_rings_or_lines(roads), "Roads", "#d2d6dc", 1.2),
        _lines(outlines, "Buildings", "#b9b1a3", 1.0),
        _lines(area.feeders.edge_geometry, "Low-voltage cables", "#a58fce", 1.0),
        _candidates(study),
    ]
    return [trace for trace in traces if trace is not None]


def base_shapes(study: Study) -> list[dict[str, Any]]:
    """Land cover under the base map, as one filled SVG path a kind; none where the area has no land use."""
    land = study.area.landuse
    if not len(land):
        return []
    codes, polygons = land.clutter.to_numpy(), land.geometry.to_numpy()
    paths = [(color, _path(polygons[codes == CLUTTER_CODES[kind]])) for kind, color in _LAND_COLORS.items()]
    return [
        {"type": "path", "path": path, "fillcolor": color, "line": {"width": 0}, "layer": "below", "name": _BASE}
        for color, path in paths
        if path
    ]  # fmt: skip


def _path(polygons: Array) -> str:
    """Outer and inner rings as one SVG path on whole metres; what is smaller than a hectare is left out."""
    parts = shapely.get_parts([shapely.union_all(polygons)])
    parts = parts[shapely.area(parts) >= LAND_MIN_M2]
    rings = shapely.get_rings(shapely.simplify(parts, LAND_TOLERANCE_M))
    corners = (np.round(shapely.get_coordinates(ring)).astype(int) for ring in rings)
    return "".join("M" + "L".join(f"{x},{y}" for x, y in ring[:-1]) + "Z" for ring in corners)


def _rings(polygons: Array) -> Array:
    parts = shapely.get_parts(polygons[~shapely.is_missing(polygons)])
    return np.asarray(shapely.get_exterior_ring(parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON]))


def _rings_or_lines(shapes: Array) -> Array:
    parts = shapely.get_parts(shapes[~shapely.is_missing(shapes)])
    areas = shapely.get_type_id(parts) == shapely.GeometryType.POLYGON
    return np.asarray(np.where(areas, shapely.get_exterior_ring(parts), parts))


def nan_separated(lines: Array) -> tuple[Array, Array]:
    """Coordinates of many lines as one: x and y on a grid of 0.1 m, a NaN after each line.

    >>> import shapely
    >>> x, y = nan_separated(shapely.linestrings([[[0, 0], [1, 0]], [[5, 5], [6, 5]]]))
    >>> x.tolist()
    [0.0, 1.0, nan, 5.0, 6.0, nan]
    """
    lines = np.asarray(lines, dtype=object)
    lines = lines[~(shapely.is_missing(lines) | shapely.is_empty(lines))]
    places, owner = shapely.get_coordinates(lines, return_index=True)
    ends = np.flatnonzero(np.diff(owner, append=-1)) + 1 if len(owner) else np.zeros(0, int)
    x, y = (np.insert(_on_grid(places[:, axis]), ends, np.nan) for axis in (0, 1))
    return x, y


def _on_grid(values: Any) -> Array:
    return np.round(np.asarray(values, float) / GRID_M) * GRID_M


def _lines(lines: Any, name: str, color: str, width: float, dash: str = "solid") -> go.Scattergl | None:
    x, y = nan_separated(lines)
    if not len(x):
        return None
    return go.Scattergl(
        x=x, y=y, mode="lines", name=name, line={"color": color, "width": width, "dash": dash}, hoverinfo="skip",
        legendrank=2000, meta=_BASE,
    )  # fmt: skip


def _candidates(study: Study) -> go.Scattergl | None:
    sites = study.candidates.sites
    if not len(sites):
        return None
    return go.Scattergl(
        x=_on_grid(sites.x_m), y=_on_grid(sites.y_m), mode="markers", name=f"Candidate sites ({count(len(sites))})",
        marker={"symbol": "circle-open", "size": 5, "color": "#8d97a5"}, legendrank=1900, meta=_BASE,
        text=_joined(sites.site_id, sites.kind), hovertemplate="candidate %{text}<extra></extra>",
    )  # fmt: skip


def link_lines(study: Study, result: StudyResult) -> tuple[Array, Array]:
    """The plan's hops: meter rows that have a parent, and their (n, 2, 2) end points [m], meter end first."""
    parent, meters, sites = np.asarray(result.plan.routes.parent), study.area.meters, site_table(result)
    x = np.concatenate([meters.x_m.to_numpy(float), sites.x_m.to_numpy(float)])
    y = np.concatenate([meters.y_m.to_numpy(float), sites.y_m.to_numpy(float)])
    meter = np.flatnonzero(parent >= 0)
    node = np.column_stack([meter, parent[meter]])
    return meter, np.stack([x[node], y[node]], axis=2)


def _link_traces(study: Study, result: StudyResult) -> list[go.Scattergl]:
    _, ends = link_lines(study, result)
    if not len(ends):
        return []
    middle = float(np.median(np.hypot(*(ends[:, 0] - ends[:, 1]).T)))
    alpha = min(0.4, max(0.07, 0.4 if middle < SHORT_LINK_M else 250.0 / len(ends)))
    name = f"Planned links of the first draw ({count(len(ends))})"
    trace = _lines(shapely.linestrings(ends), name, f"rgba(70,86,110,{alpha:.2f})", 0.8)
    if trace is None:
        return []
    trace.meta, trace.legendrank = "links", 1800
    return [trace]


def _meter_trace(group: pd.DataFrame, look: Look, rank: int) -> go.Scattergl:
    often = ~group.served.to_numpy(bool) & (group.p_read_deadline.to_numpy(float) >= 0.5)
    order = np.argsort(often, kind="stable")
    group, often = group.iloc[order], often[order]
    shown, often = group[group.located], often[group.located]
    size = SERVED_SIZE if group.served.iloc[0] else NOT_SERVED_SIZE
    trace = _markers(shown, f"{look.text}: {count(len(group))}", look, rank, size, bool(often.any()))
    if often.any():
        trace.marker.symbol = np.where(often, f"{look.symbol}-open", look.symbol).tolist()
    percent = np.round(100.0 * shown.p_read_deadline.to_numpy(float), 1)
    via = shown.server_id.where(shown.server_id != "", "no site")
    state = "served" if group.served.iloc[0] else f"not served: {look.word}"
    template = (
        f"meter %{{customdata[0]}}<br>read by the deadline %{{customdata[1]}} %<br>{state}"
        "<br>via %{customdata[2]}, %{customdata[3]} hops<extra></extra>"
    )
    return _told(trace, group, look, template, shown.meter_id, percent, via, shown.hops)


def _best_trace(group: pd.DataFrame, look: Look, rank: int) -> go.Scattergl:
    shown = group[group.located]
    trace = _markers(shown, f"{look.text}: {count(len(group))}", look, 10 + rank, SERVED_SIZE)
    template = f"meter %{{customdata[0]}}<br>{look.text}<br>%{{customdata[1]}} technologies serve it<extra></extra>"
    return _told(trace, group, look, template, shown.meter_id, shown.n_serving)


def _told(trace: go.Scattergl, group: pd.DataFrame, look: Look, template: str, *columns: Any) -> go.Scattergl:
    """What appears under the pointer, and the counts that the tests and the legend share."""
    n_shown = int(group.located.sum())
    trace.hoverinfo = "skip"
    if n_shown <= MANY_METERS:
        trace.hoverinfo = None
        trace.customdata = [list(row) for row in zip(*(list(column) for column in columns), strict=True)]
        trace.hovertemplate = template
    trace.meta = {"state": look.word, "n": len(group), "n_shown": n_shown}
    return trace


def _markers(shown: pd.DataFrame, name: str, look: Look, rank: int, size: float, hollow: bool = False) -> go.Scattergl:
    edge = {"width": 1.3 if hollow else 0.0, "color": look.color}
    return go.Scattergl(
        x=_on_grid(shown.x_m), y=_on_grid(shown.y_m), mode="markers", name=name, legendrank=rank,
        marker={"symbol": look.symbol, "size": size, "color": look.color, "line": edge},
    )  # fmt: skip


def _site_traces(result: StudyResult, states: pd.DataFrame) -> list[go.Scattergl]:
    sites = site_table(result)[np.asarray(result.plan.built, bool)]
    if not len(sites):
        return []
    served = states[states.served].server_id.value_counts()
    n_served = sites.site_id.map(served).fillna(0).astype(int)
    text = _joined(
        "site " + sites.site_id.astype(str),
        sites.kind,
        np.where(sites.height_m.isna(), "no antenna", "antenna " + sites.height_m.map("{:.1f} m".format)),
        "owner " + sites.owner.astype(str),
        "serves " + n_served.astype(str) + " meters",
    )
    return [
        go.Scattergl(
            x=_on_grid(sites.x_m), y=_on_grid(sites.y_m), mode="markers", name=f"Sites built ({count(len(sites))})",
            marker={"symbol": "square", "size": SITE_SIZE, "color": "#16202e", "line": {"color": "#fff", "width": 1.5}},
            text=_names(sites), textposition="top center",
            textfont={"size": 10.5, "color": "#16202e"},
            hovertext=text, hovertemplate="%{hovertext}<extra></extra>", legendrank=1700, meta="sites",
        )
    ]  # fmt: skip


def _names(sites: pd.DataFrame) -> list[str]:
    """What stands beside a site: its id, without the kind that the marker's text tells anyway."""
    pairs = zip(sites.site_id.astype(str), sites.kind.astype(str), strict=True)
    return [name.removeprefix(f"{kind} ") for name, kind in pairs]


def _joined(*columns: Any) -> list[str]:
    parts = [np.asarray(column, dtype=object).astype(str) for column in columns]
    return ["<br>".join(row) for row in zip(*parts, strict=True)]


class Frame(NamedTuple):
    """What the map shows at first [m]."""

    west: float
    south: float
    east: float
    north: float


def frame(study: Study, places: pd.DataFrame) -> Frame:
    """Where the meters are, with a margin; the study area where no meter has a place."""
    shown = places[places.located]
    inside = shown[["x_m", "y_m"]].to_numpy(float)
    if not len(inside):
        return Frame(*(float(edge) for edge in study.area.boundary.bounds))
    west, south = inside.min(axis=0)
    east, north = inside.max(axis=0)
    margin = 0.05 * max(east - west, north - south, 200.0)
    return Frame(west - margin, south - margin, east + margin, north + margin)


def views(study: Study, places: pd.DataFrame) -> list[tuple[str, Frame]]:
    """Where a reader may want to look first: the whole area, the densest settlement, and the densest fault.

    Parameters
    ----------
    places : as from ``meter_states`` (with ``served``) or ``cheapest_serving`` (with ``technology``).

    Returns
    -------
    (words, Frame) pairs; the settlements only where the area is larger than a settlement's view.
    """
    whole = frame(study, places)
    pairs = [("Whole area", whole)]
    if max(whole.east - whole.west, whole.north - whole.south) < 4.0 * SETTLEMENT_M:
        return pairs
    lost = ~places.served.to_numpy(bool) if "served" in places else places.technology.to_numpy(str) == ""
    located = places.located.to_numpy(bool)
    pairs.append(("Largest settlement", _densest(places[located])))
    if (lost & located).any():
        pairs.append(("Most meters not served", _densest(places[lost & located])))
    return pairs


def _densest(places: pd.DataFrame) -> Frame:
    """A square of a settlement's size around the fullest cell of a grid; ties go to the south-west."""
    at = places[["x_m", "y_m"]].to_numpy(float)
    _, owner, sizes = np.unique(np.floor(at / SETTLEMENT_M), axis=0, return_inverse=True, return_counts=True)
    x, y = at[owner.reshape(-1) == int(sizes.argmax())].mean(axis=0)
    return Frame(x - SETTLEMENT_M, y - SETTLEMENT_M, x + SETTLEMENT_M, y + SETTLEMENT_M)


def round_length_m(limit_m: float) -> float:
    """The longest of 1, 2 or 5 times a power of ten that is not above ``limit_m`` [m], positive.

    >>> round_length_m(730.0)
    500.0
    """
    power = 10.0 ** np.floor(np.log10(limit_m))
    return float(max(step * power for step in (1, 2, 5) if step * power <= limit_m))


def _framed(figure: go.Figure, study: Study, places: pd.DataFrame, title: str, scenario: str) -> go.Figure:
    view = frame(study, places)
    lost = int((~places.located).sum())
    notes = [
        f"scenario {scenario}",
        f"served: read by the deadline with at least {100 * study.read_probability:g} %",
        f"case {study.case_name} {study.case_digest[:12]}",
        *([f"{count(lost)} without a place, counted but not drawn"] if lost else []),
        *(["no text under the pointer: too many meters"] if len(places) > MANY_METERS else []),
    ]
    axis = {
        "showgrid": True, "gridcolor": "#eef0f3", "zeroline": False, "ticks": "outside", "tickcolor": "#b8c0ca",
        "tickformat": ",.0f", "tickfont": {"size": 10, "color": "#5c6775"}, "linecolor": "#b8c0ca", "showline": True,
        "mirror": True, "nticks": 7,
    }  # fmt: skip
    crs = study.area.crs
    figure.update_layout(
        title={"text": f"<b>{title}</b><br><span style='font-size:12px;color:#5c6775'>{' · '.join(notes)}</span>",
               "x": 0.0, "xref": "paper", "y": 1, "yref": "container", "yanchor": "top", "pad": {"t": 12},
               "font": {"size": 16}},
        xaxis={**axis, "range": [view.west, view.east], "title": {"text": f"Easting [m], {crs}", "font": {"size": 11}}},
        yaxis={**axis, "range": [view.south, view.north], "title": {"text": "Northing [m]", "font": {"size": 11}},
               "scaleanchor": "x", "scaleratio": 1},
        font={"family": _FONT, "color": "#16202e"}, separators=". ", dragmode="pan", hovermode="closest",
        plot_bgcolor="#fbfaf7", paper_bgcolor="#ffffff", margin={"l": 80, "r": 20, "t": 72, "b": 66},
        legend={"x": 1.01, "xanchor": "left", "y": 1, "font": {"size": 12}, "itemsizing": "constant"},
    )  # fmt: skip
    _add_scale_bar(figure, view)
    for shape in base_shapes(study):
        figure.add_shape(shape)
    _add_words(figure, study)
    return figure


def _add_scale_bar(figure: go.Figure, view: Frame) -> None:
    """A bar of round length in map metres; the page draws it anew when the reader zooms.

    Its halves are the first two shapes of the layout, its length the first annotation: the page relies on that.
    """
    length = round_length_m(0.25 * (view.east - view.west))
    left, bottom = view.west + 0.03 * (view.east - view.west), view.south + 0.035 * (view.north - view.south)
    thick = 0.008 * (view.north - view.south)
    for i, color in enumerate(("#16202e", "#ffffff")):
        figure.add_shape(
            type="rect", x0=left + i * length / 2, x1=left + (i + 1) * length / 2, y0=bottom, y1=bottom + thick,
            fillcolor=color, line={"color": "#16202e", "width": 1},
        )  # fmt: skip
    label = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    figure.add_annotation(
        x=left + length / 2, y=bottom + thick, text=label, showarrow=False, yanchor="bottom", font={"size": 11},
        bgcolor="rgba(255,255,255,0.8)",
    )  # fmt: skip


def _add_words(figure: go.Figure, study: Study) -> None:
    credit = " · ".join(study.area.attributions)
    paper = {"xref": "paper", "yref": "paper", "showarrow": False, "bgcolor": "rgba(255,255,255,0.8)"}
    if credit:
        figure.add_annotation(text=credit, x=1, y=0, xanchor="right", yanchor="bottom", font={"size": 10}, **paper)
    figure.add_annotation(text="▲<br><b>N</b>", x=0.99, y=0.99, xanchor="right", yanchor="top", **paper)
