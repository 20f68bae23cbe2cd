"""One link by hand: a made-up geometry with two ends, through the same physics as a whole study."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, fields
from typing import Any, Protocol, get_type_hints, runtime_checkable

import numpy as np

from ..channels.cable import Cable
from ..channels.draws import Draws
from ..channels.parameters import parameter
from ..channels.paths import CablePaths, Clutter, Enclosure, RadioPaths
from ..channels.powerline.cables import cable_named
from ..channels.powerline.scenarios import LineScenario
from ..channels.powerline.views import LinkNumbers
from ..channels.scenario import Scenario
from ..channels.technologies import all_technologies
from ..channels.technology import Medium, Paths, Technology
from .settings import UserError, fill, suggestion


@dataclass(frozen=True)
class RadioLink:
    """Geometry of one radio link."""

    distance_m: float = parameter(500.0, "m", "along the ground", "user", minimum=1.0)
    site_height_m: float = parameter(12.0, "m", "antenna of the site above ground", "user", minimum=0.5)
    meter_height_m: float = parameter(1.5, "m", "antenna of the meter above ground", "user", minimum=0.1)
    obstacle_m: float = parameter(0.0, "m", "height of one hill halfway above the ground at both ends", "user")
    enclosure: str = parameter("facade_box", "-", "facade_box, indoor, basement, steel_cabinet, pit or none", "user")
    clutter: str = parameter("suburban", "-", "open, suburban, urban, trees, dense or water", "user")


@dataclass(frozen=True)
class CableLink:
    """Geometry of one power-line link: a straight feeder with equal houses along it."""

    distance_m: float = parameter(200.0, "m", "along the cable", "user", minimum=1.0, maximum=2e4)
    cable: str = parameter("NAYY 4x150", "-", "cable type", "user")
    houses: int = parameter(5, "1", "houses tapped off between the two ends", "user", minimum=0, maximum=500)
    rated_kva: float = parameter(400.0, "kVA", "transformer", "user", minimum=1.0)
    phases: int = parameter(3, "1", "phases of the meter, 1 or 3", "user", minimum=1, maximum=3)


@dataclass(frozen=True)
class Frame:
    """What is sent, and which draw of the random parts."""

    bytes: int = parameter(100, "B", "frame length", "user", minimum=1)
    replication: int = parameter(0, "-", "number of the draw of shadowing, enclosure and loads", "user", minimum=0)
    noise_offset_db: float = parameter(0.0, "dB", "added to every noise floor", "user")


@dataclass(frozen=True)
class LineFrame(Frame):
    """The same for a power line: how harsh it is, and when."""

    severity: str = parameter("typical", "-", "quiet, typical or harsh: a row of the severities", "user")
    time: str = parameter("day", "-", "day, evening or night: a row of the times", "user")


def link_text(name: str, pairs: list[str], as_json: bool) -> str:
    """The answer for ``amiplan link NAME key=value ...``; raises UserError for unknown names, keys or values."""
    answer = link_answer(name, _typed(name, dict(_pair(one) for one in pairs)))
    if as_json:
        return json.dumps({key: _plain(value) for key, value in answer.items()}, indent=1)
    single = {key: value for key, value in answer.items() if not isinstance(value, list)}
    width = max(len(key) for key in single)
    lines = [f"{key:<{width}}  {_shown(value)}" for key, value in single.items()]
    return "\n".join([*lines, *_columns({key: value for key, value in answer.items() if isinstance(value, list)})])


def _columns(lists: dict[str, list[float]]) -> list[str]:
    """Lists of equal length side by side, under their names without what all of them say."""
    if not lists:
        return []
    heads = [key.removesuffix("_per_carrier") for key in lists]
    rows = [[_shown(value) for value in row] for row in zip(*lists.values(), strict=True)]
    widths = [max(len(one) for one in column) for column in zip(heads, *rows, strict=True)]
    lines = ["  ".join(f"{word:>{size}}" for word, size in zip(row, widths, strict=True)) for row in [heads, *rows]]
    return ["", "per carrier, mean over the half cycle", *lines]


def link_answer(name: str, values: dict[str, Any]) -> dict[str, Any]:
    """Margin, packet error ratio, rate and mode of one link in both directions."""
    classes = _sections(name)
    names = {item.name for cls in classes for item in fields(cls)}
    for key in values:
        if key not in names:
            raise UserError(f"link {name} {key}: unknown key; {suggestion(key, names)}")
    place, frame, technology = (
        fill(cls, {k: v for k, v in values.items() if k in {f.name for f in fields(cls)}}, f"link {name}")
        for cls in classes
    )
    paths = cable_link(place) if isinstance(place, CableLink) else radio_link(place)
    return _measure(technology, paths, frame)


def _sections(name: str) -> tuple[type[Any], ...]:
    """Geometry, frame and technology: the dataclasses whose keys a link knows; UserError for an unknown technology."""
    known = all_technologies()
    if name not in known:
        raise UserError(f"link {name}: unknown technology; {suggestion(name, known)}")
    wired = Medium.POWERLINE in known[name].media
    return (CableLink, LineFrame, known[name]) if wired else (RadioLink, Frame, known[name])


def _measure(technology: Technology, paths: Paths, frame: Frame) -> dict[str, Any]:
    draws = Draws(1, frame.replication)
    try:
        scenario = _scenario(frame)
        quality = technology.assess(paths, scenario, draws)
    except ValueError as error:
        raise UserError(f"link {technology.name}: {error}") from None
    answer: dict[str, Any] = {"loss_db": quality.loss_db[0], "in_fitted_range": bool(quality.in_range[0])}
    for direction in ("up", "down"):
        mode = int(getattr(quality, f"mode_{direction}")[0])
        snr = getattr(quality, f"snr_{direction}_db")[:1]
        answer[f"margin_{direction}_db"] = getattr(quality, f"margin_{direction}_db")[0]
        answer[f"snr_{direction}_db"] = snr[0]
        answer[f"mode_{direction}"] = technology.modes[mode] if mode >= 0 else "none"
        answer[f"rate_{direction}_bps"] = getattr(quality, f"rate_{direction}_bps")[0]
        lost = technology.packet_error_ratio(snr, np.array([max(mode, 0)]), np.array([frame.bytes]))
        answer[f"packet_error_ratio_{direction}"] = float(lost[0]) if mode >= 0 else 1.0
        airtime = technology.airtime_s(np.array([max(mode, 0)]), np.array([frame.bytes]))
        answer[f"airtime_{direction}_s"] = float(airtime[0]) if mode >= 0 else float("inf")
    if isinstance(technology, ShowsLinks) and isinstance(paths, CablePaths):
        answer |= _on_the_line(technology.link_numbers(paths, scenario, draws, 0))
    return answer


def _scenario(frame: Frame) -> Scenario:
    """The scenario of a frame; raises ValueError for an unknown severity or time."""
    if not isinstance(frame, LineFrame):
        return Scenario(noise_offset_db=frame.noise_offset_db)
    return Scenario(
        noise_offset_db=frame.noise_offset_db, powerline=LineScenario(severity=frame.severity, time=frame.time)
    )


@runtime_checkable
class ShowsLinks(Protocol):
    """A technology that can tell every number of one link over cables."""

    def link_numbers(self, paths: CablePaths, scenario: Scenario, draws: Draws, link: int) -> LinkNumbers:
        """Numbers of the link in one row of the paths."""
        ...


_PHASES = ("L1", "L2", "L3", "all three")


def _on_the_line(one: LinkNumbers) -> dict[str, Any]:
    """The line behind the margin: network, both ends, and per carrier the loss, the noise and the SNR."""
    answer: dict[str, Any] = {"network_solved_as": one.method}
    for name, end in (("meter", one.first), ("concentrator", one.second)):
        answer[f"{name}_phase"] = _PHASES[end.phase]
        answer[f"{name}_access_ohm"] = float(np.abs(end.access_ohm).mean())
        answer[f"{name}_injected_dbuv"] = float(end.injected_dbuv.mean())
        answer[f"{name}_current_limit_takes_db"] = end.throttle_db + 0.0
    for name, way in (("up", one.up), ("down", one.down)):
        answer[f"robust_snr_{name}_db"] = way.robust_snr_db
        answer[f"cycle_spread_of_noise_{name}_db"] = float(np.ptp(way.noise_dbuv.mean(axis=1)))
    answer["frequency_khz"] = (one.frequency_hz / 1e3).round(3).tolist()
    for name, end in (("meter", one.first), ("concentrator", one.second)):
        answer[f"{name}_access_ohm_per_carrier"] = np.abs(end.access_ohm).mean(axis=0).round(2).tolist()
    for name, way in (("up", one.up), ("down", one.down)):
        answer[f"loss_{name}_db_per_carrier"] = way.loss_db.round(1).tolist()
        answer[f"noise_{name}_dbuv_per_carrier"] = way.noise_dbuv.mean(axis=0).round(1).tolist()
        answer[f"snr_{name}_db_per_carrier"] = way.snr_db.mean(axis=0).round(1).tolist()
    return answer


def radio_link(place: RadioLink) -> RadioPaths:
    """One meter (node 0) and one site (node 1)."""
    hill = np.array([[0.0, place.obstacle_m, 0.0]] if place.obstacle_m else [[0.0, 0.0]], np.float32)
    clutter = _code(Clutter, place.clutter)
    return RadioPaths(
        np.array([0], np.int32),
        np.array([1], np.int32),
        np.array([place.distance_m]),
        hill,
        np.array([place.meter_height_m, place.site_height_m]),
        np.array([clutter, clutter], np.int8),
        np.array([_code(Enclosure, place.enclosure), Enclosure.NONE], np.int8),
        np.array([1, 2], np.uint64),
        1,
        1,
    )


def cable_link(place: CableLink) -> CablePaths:
    """A transformer bus, ``houses`` other meters at equal distances, and the meter at the end (node 0)."""
    n_edges = place.houses + 1
    length = np.full(n_edges, place.distance_m / n_edges)
    along = np.cumsum(length)
    return CablePaths(
        np.arange(n_edges, dtype=np.int32),
        np.arange(1, n_edges + 1, dtype=np.int32),
        length,
        np.zeros(n_edges, np.int16),
        (_cable(place.cable),),
        np.zeros(n_edges + 1, np.int32),
        np.concatenate([[n_edges], np.arange(1, n_edges)]).astype(np.int32),
        np.array([0], np.int32),
        np.array([place.rated_kva]),
        np.full(n_edges, place.phases, np.int8),
        np.arange(n_edges, dtype=np.int32),
        np.full(n_edges, n_edges, np.int32),
        np.concatenate([along[-1:], along[:-1]]),
        np.arange(1, n_edges + 2).astype(np.uint64),
        n_edges,
        1,
    )


def _cable(name: str) -> Cable:
    try:
        return cable_named(name)
    except ValueError as error:
        raise UserError(f"link cable = {name!r}: {error}") from None


def _code(kind: Any, text: str) -> int:
    names = {one.name.lower(): one for one in kind}
    if text not in names:
        raise UserError(f"link {kind.__name__.lower()} = {text!r}; {suggestion(text, names)}")
    return int(names[text])


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise UserError(f"link {text!r}: write key=value, such as distance_m=300")
    return key, value


def _typed(name: str, values: dict[str, str]) -> dict[str, Any]:
    """Values of the command line: a text where the key asks for one, with or without quotes, else as in a case file."""
    hints = {key: hint for cls in _sections(name) for key, hint in get_type_hints(cls).items()}
    return {key: _as_text(value) if hints.get(key) is str else _as_toml(value) for key, value in values.items()}


def _as_text(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if quoted else value


def _as_toml(value: str) -> Any:
    try:
        return tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return value


def _plain(value: Any) -> Any:
    """A value as JSON knows it: no infinity, no NumPy."""
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else None
    return value


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, (float, np.floating)) else str(value)
