"""Pictures of the power line, one per feeder area: attenuation and mode, access impedance, noise, SNR per carrier."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from ..planner.tables import FeederPicture, Feeders, StudyResult
from .states import share
from .study import Study

Array = NDArray[Any]

BANDS = (10, 50, 90)
"""Percentiles over the meters that a band and its middle show."""
NO_MODE, LOWEST_SNR_DB, HIGHEST_SNR_DB = "none", -20.0, 40.0
_MODE_COLORS = ("#7a0403", "#d23105", "#fb8022", "#e1dd37", "#a2fc3c", "#46f884", "#18dec2", "#28bceb", "#466be3")
_SYMBOLS = {"L1": "circle", "L2": "square", "L3": "diamond", "L1 L2 L3": "star"}
_TITLES = (
    "Attenuation from the concentrator, by the fastest mode of the direct way up",
    "Access impedance: 10 to 90 % of the meters, and the bus",
    "Noise: 10 to 90 % of the meters, and the concentrator",
    "SNR at the concentrator per carrier, meters by distance",
)


def feeder_figures(study: Study) -> list[dict[str, Any]]:
    """One entry per technology on power lines: slug, label, and its pictures with their words, worst area first."""
    found = []
    for result in study.results:
        if result.feeders is None or not result.feeders.pictures:
            continue
        several = len({one.scenario for one in study.results}) > 1
        label = study.label(result.technology) + (f", {result.scenario}" if several else "")
        ordered = sorted(result.feeders.pictures, key=lambda one: (float(one.served.mean()), one.site_id))
        pictures = [
            {"words": _words(one), "figure": feeder_figure(result.feeders, one, modes_of(result))} for one in ordered
        ]
        found.append({"slug": f"{result.technology}-{result.scenario}", "label": label, "pictures": pictures})
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


def feeder_figure(feeders: Feeders, one: FeederPicture, modes: list[str]) -> go.Figure:
    """Four panels of one area.

    feeders : for the carriers;  modes : names in the order of their colours, see `modes_of`
    """
    figure = make_subplots(rows=2, cols=2, subplot_titles=_TITLES, horizontal_spacing=0.09, vertical_spacing=0.14)
    figure.update_layout(template=go.layout.Template())
    kilohertz = feeders.frequency_hz / 1e3
    _attenuation(figure, one, modes)
    _band(figure, kilohertz, one.access_ohm, "#0072b2", "meters", (1, 2))
    _line(figure, kilohertz, one.own_access_ohm, "#d55e00", "concentrator", (1, 2))
    _band(figure, kilohertz, one.noise_dbuv, "#0072b2", "meters", (2, 1))
    _line(figure, kilohertz, one.own_noise_dbuv, "#d55e00", "concentrator", (2, 1))
    _line(figure, kilohertz, one.own_worst_noise_dbuv, "#d55e00", "loudest part of the half cycle", (2, 1), "dot")
    _snr(figure, kilohertz, one)
    _axes(figure)
    return figure


def _attenuation(figure: go.Figure, one: FeederPicture, modes: list[str]) -> None:
    """Points by mode (colour) and phase (shape); what lies beyond the reach stands at the lower edge."""
    finite = np.isfinite(one.attenuation_db)
    shown = np.where(finite, one.attenuation_db, np.ceil(one.attenuation_db[finite].max(initial=60.0)) + 2)
    for name in [*modes, NO_MODE]:
        some = np.flatnonzero(one.mode_up == name)
        if not some.size:
            continue
        rank = modes.index(name) * (len(_MODE_COLORS) - 1) / max(len(modes) - 1, 1) if name in modes else 0.0
        figure.add_trace(
            go.Scatter(
                x=one.distance_m[some].round(1),
                y=shown[some].round(1),
                mode="markers",
                name="no direct way" if name == NO_MODE else name,
                marker={
                    "color": "#8f959b" if name == NO_MODE else _MODE_COLORS[round(rank)],
                    "symbol": [("x" if name == NO_MODE else _SYMBOLS[word]) for word in one.phase[some]],
                    "size": 7,
                    "line": {"width": 0.5, "color": "#333"},
                },
                text=np.char.add(one.phase[some].astype(str), np.where(one.served[some], "", ", not served")),
                hovertemplate="%{x} m, %{y} dB, %{text}<extra>" + name + "</extra>",
            ),
            row=1,
            col=1,
        )


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


def _snr(figure: go.Figure, kilohertz: Array, one: FeederPicture) -> None:
    """Meters by distance against carriers."""
    level = np.clip(one.snr_up_db, LOWEST_SNR_DB, HIGHEST_SNR_DB).round(1)
    figure.add_trace(
        go.Heatmap(
            x=kilohertz.round(2), y=np.arange(one.distance_m.size), z=level,
            zmin=LOWEST_SNR_DB, zmax=HIGHEST_SNR_DB, colorscale="Turbo", reversescale=True,
            colorbar={"title": {"text": "dB"}, "len": 0.42, "y": 0.2, "thickness": 12},
            hovertemplate="%{x} kHz: %{z} dB<extra></extra>",
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
    figure.update_yaxes(title_text="meter, near to far", autorange="reversed", row=2, col=2)
    figure.update_layout(
        height=760, margin={"l": 60, "r": 20, "t": 40, "b": 50}, paper_bgcolor="#fff", plot_bgcolor="#f7f8fa",
        legend={"orientation": "h", "y": 1.12, "font": {"size": 11}}, font={"size": 12},
    )  # fmt: skip
    figure.update_annotations(font_size=13)
