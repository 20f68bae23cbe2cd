"""Pictures of the power line, one per feeder area: attenuation and mode, access impedance, noise, SNR per carrier."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.colors import sample_colorscale
from plotly.subplots import make_subplots

from ..planner.tables import FeederPicture, Feeders, StudyResult
from .states import share
from .study import Study

Array = NDArray[Any]

BANDS = (10, 50, 90)
"""Percentiles over the meters that a band and its middle show."""
BEYOND_DB = 4.0
"""How far below the weakest meter in reach those beyond it are drawn."""
NO_MODE, LOWEST_SNR_DB, HIGHEST_SNR_DB = "none", -20.0, 40.0
_MODE_COLORS = ("#7a0403", "#d23105", "#fb8022", "#e1dd37", "#a2fc3c", "#46f884", "#18dec2", "#28bceb", "#466be3")
_NO_WAY = "no direct way"
_SYMBOLS = {"L1": "circle", "L2": "square", "L3": "diamond", "L1 L2 L3": "star"}
_TITLES = (
    "Attenuation from the concentrator, by the fastest mode of the direct way up",
    "Access impedance: 10 to 90 % of the meters, and the bus",
    "Noise: 10 to 90 % of the meters, and the concentrator",
    "SNR at the concentrator per carrier, meters by distance",
)


def feeder_figures(study: Study) -> list[dict[str, Any]]:
    """One entry per technology on power lines: slug, label, pictures with their words, worst area first, and areas."""
    found = []
    for result in study.results:
        if result.feeders is None or not result.feeders.pictures:
            continue
        several = len({one.scenario for one in study.results}) > 1
        label = study.label(result.technology) + (f", {result.scenario}" if several else "")
        ordered = sorted(result.feeders.pictures, key=lambda one: (float(one.served.mean()), one.site_id))
        meter_id, modes = study.area.meters["meter_id"].to_numpy(dtype=object), modes_of(result)
        pictures = [
            {"words": _words(one), "figure": feeder_figure(result.feeders, one, meter_id[one.meter], modes)}
            for one in ordered
        ]
        found.append(
            {
                "slug": f"{result.technology}-{result.scenario}",
                "label": label,
                "pictures": pictures,
                "n_areas": int(result.feeders.meters["site_id"].nunique()),
            }
        )
    return found


def modes_of(result: StudyResult) -> list[str]:
    """Modes of the direct ways of a technology, by their mean SNR, slowest first; ``none`` apart."""
    rows = result.feeders.meters if result.feeders is not None else None
    if rows is None or not len(rows):
        return []
    mean = rows[rows["mode_up"] != NO_MODE].groupby("mode_up")["snr_up_db"].mean()
    return [str(name) for name in mean.sort_values(kind="stable").index]


def _words(one: FeederPicture) -> str:
    n = int(one.served.size)
    return f"{one.site_id}: {int(one.served.sum())} of {n} meters served ({share(int(one.served.sum()), n)})"


def feeder_figure(feeders: Feeders, one: FeederPicture, meter_id: Array, modes: list[str]) -> go.Figure:
    """Four panels of one area.

    feeders : for the carriers;  meter_id : (n,) ids of the rows of the picture
    modes : names in the order of their colours, see `modes_of`
    """
    figure = make_subplots(rows=2, cols=2, subplot_titles=_TITLES, horizontal_spacing=0.09, vertical_spacing=0.14)
    figure.update_layout(template=go.layout.Template())
    kilohertz = feeders.frequency_hz / 1e3
    _attenuation(figure, one, meter_id, modes)
    _band(figure, kilohertz, one.access_ohm, "#0072b2", "meters", (1, 2))
    _line(figure, kilohertz, one.own_access_ohm, "#d55e00", "concentrator", (1, 2))
    _band(figure, kilohertz, one.noise_dbuv, "#0072b2", "meters", (2, 1))
    _line(figure, kilohertz, one.own_noise_dbuv, "#d55e00", "concentrator", (2, 1))
    _line(figure, kilohertz, one.own_worst_noise_dbuv, "#d55e00", "loudest part of the half cycle", (2, 1), "dot")
    _snr(figure, kilohertz, one, meter_id)
    _axes(figure)
    return figure


def _attenuation(figure: go.Figure, one: FeederPicture, meter_id: Array, modes: list[str]) -> None:
    """Points by mode (colour) and phase (shape); what lies beyond the reach stands on a line of its own."""
    finite = np.isfinite(one.attenuation_db)
    lowest_db = float(np.ceil(one.attenuation_db[finite].max(initial=60.0)))
    shown = np.where(finite, one.attenuation_db, lowest_db + BEYOND_DB).round(1)
    words = _hover_words(one, meter_id, np.where(finite, np.char.add(shown.astype(str), " dB"), "beyond reach"))
    for name in [*modes, NO_MODE]:
        some = np.flatnonzero(one.mode_up == name)
        if not some.size:
            continue
        color, label = _mode_color(name, modes), _NO_WAY if name == NO_MODE else name
        symbols = ["x" if name == NO_MODE else _SYMBOLS[word] for word in one.phase[some]]
        _points(figure, one.distance_m[some].round(1), shown[some], color, symbols, [words[at] for at in some], label)
        _legend_entry(figure, label, color, "x" if name == NO_MODE else None)
    for word, symbol in _SYMBOLS.items():
        if ((one.phase == word) & (one.mode_up != NO_MODE)).any():
            _legend_entry(figure, word, "#ffffff", symbol)
    if not finite.all():
        ticks = np.arange(0.0, lowest_db, 10.0 if lowest_db <= 60 else 20.0)
        texts = [*(f"{tick:g}" for tick in ticks), "beyond reach"]
        figure.update_yaxes(tickvals=[*ticks, lowest_db + BEYOND_DB], ticktext=texts, automargin=True, row=1, col=1)


def _hover_words(one: FeederPicture, meter_id: Array, level: Array) -> list[str]:
    """(n,) what the pointer says of a meter: id, cable, attenuation, phase, mode and fate."""
    columns = zip(meter_id, one.distance_m, level, one.phase, one.mode_up, one.served, strict=True)
    return [
        f"{name}: {far_m:.0f} m, {db}, {phase}, {_NO_WAY if mode == NO_MODE else mode}"
        + ("" if served else ", not served")
        for name, far_m, db, phase, mode, served in columns
    ]


def _mode_color(name: str, modes: list[str]) -> str:
    if name not in modes:
        return "#8f959b"
    share = modes.index(name) / max(len(modes) - 1, 1)
    return str(sample_colorscale(list(_MODE_COLORS), [share])[0])


def _points(
    figure: go.Figure, x: Array, y: Array, color: str, symbols: list[str], words: list[str], group: str
) -> None:
    """Meters of one mode; a click on the mode in the legend hides them."""
    marker = {"color": color, "symbol": symbols, "size": 7, "line": {"width": 0.5, "color": "#333"}}
    figure.add_trace(
        go.Scatter(
            x=x, y=y, mode="markers", marker=marker, text=words, hovertemplate="%{text}<extra></extra>",
            showlegend=False, legendgroup=group,
        ),
        row=1,
        col=1,
    )  # fmt: skip


def _legend_entry(figure: go.Figure, name: str, color: str, symbol: str | None) -> None:
    """A line of the legend without points: a bar of the colour where no shape is meant, else the shape."""
    marker = {"color": color, "symbol": symbol, "size": 9, "line": {"width": 1, "color": "#333"}}
    look: dict[str, Any] = {"mode": "markers", "marker": marker}
    if symbol is None:
        look = {"mode": "lines", "line": {"color": color, "width": 8}}
    empty = go.Scatter(x=[None], y=[None], name=name, legendgroup=name, hoverinfo="skip", **look)
    figure.add_trace(empty, row=1, col=1)


def _band(figure: go.Figure, x: Array, values: Array, color: str, name: str, place: tuple[int, int]) -> None:
    """Percentiles over the rows of ``values`` as a filled band with its middle."""
    low, middle, high = np.percentile(values, BANDS, axis=0).round(2)
    red, green, blue = (int(color[at : at + 2], 16) for at in (1, 3, 5))
    figure.add_trace(
        go.Scatter(
            x=np.concatenate([x, x[::-1]]).round(2), y=np.concatenate([low, high[::-1]]), fill="toself", mode="none",
            fillcolor=f"rgba({red},{green},{blue},0.2)", hoverinfo="skip", showlegend=False,
        ),
        row=place[0],
        col=place[1],
    )  # fmt: skip
    _line(figure, x, middle, color, f"{name}, median", place)


def _line(
    figure: go.Figure, x: Array, y: Array, color: str, name: str, place: tuple[int, int], dash: str = "solid"
) -> None:
    figure.add_trace(
        go.Scatter(
            x=x.round(2), y=np.round(y, 2), mode="lines", line={"color": color, "width": 1.6, "dash": dash}, name=name,
            showlegend=False, hovertemplate="%{x} kHz, %{y}<extra>" + name + "</extra>",
        ),
        row=place[0],
        col=place[1],
    )  # fmt: skip


def _snr(figure: go.Figure, kilohertz: Array, one: FeederPicture, meter_id: Array) -> None:
    """Meters by distance against carriers; a meter from which nothing arrives has an empty row."""
    level = np.where(np.isfinite(one.snr_up_db), np.clip(one.snr_up_db, LOWEST_SNR_DB, HIGHEST_SNR_DB), np.nan).round(1)
    figure.add_trace(
        go.Heatmap(
            x=kilohertz.round(2), y=[str(name) for name in meter_id], z=level, hoverongaps=False,
            zmin=LOWEST_SNR_DB, zmax=HIGHEST_SNR_DB, colorscale="Turbo", reversescale=True,
            colorbar={"title": {"text": "dB"}, "len": 0.42, "y": 0.2, "thickness": 12},
            hovertemplate="%{y}, %{x} kHz: %{z} dB<extra></extra>",
        ),
        row=2,
        col=2,
    )  # fmt: skip


def _axes(figure: go.Figure) -> None:
    figure.update_xaxes(title_text="cable from the concentrator [m]", row=1, col=1)
    figure.update_yaxes(title_text="mean over the carriers [dB]", autorange="reversed", row=1, col=1)
    figure.update_xaxes(title_text="frequency [kHz]", row=1, col=2)
    figure.update_yaxes(title_text="magnitude [ohm]", type="log", row=1, col=2)
    figure.update_xaxes(title_text="frequency [kHz]", row=2, col=1)
    figure.update_yaxes(title_text="in one carrier [dBuV]", row=2, col=1)
    figure.update_xaxes(title_text="frequency [kHz]", row=2, col=2)
    figure.update_yaxes(
        title_text="meter, near to far",
        type="category",
        showticklabels=False,
        ticks="",
        autorange="reversed",
        row=2,
        col=2,
    )
    figure.update_layout(
        height=760, margin={"l": 60, "r": 20, "t": 40, "b": 50}, paper_bgcolor="#fff", plot_bgcolor="#f7f8fa",
        legend={"orientation": "h", "y": 1.12, "font": {"size": 11}}, font={"size": 12},
    )  # fmt: skip
    figure.update_annotations(font_size=13)
