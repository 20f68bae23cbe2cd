"""Stored points of the Monte-Carlo modem as smooth falling curves."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import UnivariateSpline

from .plc_uncoded import bit_error_ratio
from .plc_waveforms import WAVEFORMS, Waveform

Array = NDArray[Any]

LOG_ODDS = np.linspace(-60.0, 60.0, 961)
"""ln(lost / received) of the frame at which every curve keeps its SNR."""

ROW = {name: row for row, name in enumerate(WAVEFORMS)}
"""Row of a waveform in the arrays here: its place in `WAVEFORMS`."""

_THEORY_DB = np.arange(-40.0, 36.0, 0.02)
_FIT_STEP_DB = 0.05
_LEAST_SLOPE = 0.1
"""Log-odds per dB that a fitted curve falls at least, so that it can be inverted; real ones fall by 2 to 10."""


@dataclass(frozen=True)
class Curves:
    """Curves of all waveforms, ready for lookup.

    first, count : (n_waveforms,) rows of a waveform in ``snr_db``; count 0 where nothing is stored
    power_law : (n_waveforms,) bool, success is a power of the length
    n_bytes : (n_curves,) length of the frame, rising within a waveform
    snr_db : (n_curves, n_odds) flat SNR that gives the log-odds `LOG_ODDS`, falling
    """

    first: Array
    count: Array
    power_law: Array
    n_bytes: Array
    snr_db: Array


def row_of(name: str) -> int:
    """Row of a waveform; ValueError with the nearest name for an unknown one.

    >>> row_of("g3:FCH")
    0
    """
    if name not in ROW:
        close = get_close_matches(str(name), list(ROW), n=1, cutoff=0.0)
        raise ValueError(f"power line waveform {name!r} is unknown; did you mean {close[0]!r}?")
    return ROW[name]


def read_curves(path: Path) -> Curves:
    """Curves from a file with columns waveform, payload_bytes, snr_db, per, n_frames, n_errors.

    Raises ValueError for an unknown waveform or one with fewer than two points between none and all frames lost.
    """
    points: dict[str, list[tuple[float, float, float, float]]] = {}
    with path.open(newline="") as lines:
        for one in csv.DictReader(line for line in lines if not line.startswith("#")):
            row_of(one["waveform"])
            keys = ("payload_bytes", "snr_db", "n_frames", "n_errors")
            points.setdefault(one["waveform"], []).append(tuple(float(one[key]) for key in keys))  # type: ignore[arg-type]
    first, count, law = np.zeros(len(ROW), np.int64), np.zeros(len(ROW), np.int64), np.zeros(len(ROW), np.bool_)
    lengths: list[float] = []
    curves: list[Array] = []
    for name, row in ROW.items():
        wave = WAVEFORMS[name]
        first[row], law[row] = len(lengths), wave.parity_bytes == 0
        if not wave.coded:
            made = [(1.0, _theory(wave))]
        elif name in points:
            made = _fit(wave, np.array(points[name]))
        else:
            continue
        count[row] = len(made)
        lengths += [length for length, _ in made]
        curves += [curve for _, curve in made]
    return Curves(first, count, law, np.array(lengths), np.array(curves))


def _fit(wave: Waveform, points: Array) -> list[tuple[float, Array]]:
    """Length and curve for each stored length; one at the reference length where success is a power of the length."""
    length, snr, frames, errors = points[(points[:, 3] > 0) & (points[:, 3] < points[:, 2])].T
    ratio = errors / frames
    if wave.parity_bytes == 0:
        power = wave.reference_bytes / length
        hazard = -np.log1p(-ratio) * power
        odds = hazard + np.log(-np.expm1(-hazard))
        # what one counted error more moves the odds by
        sigma = np.sqrt(ratio / (1 - ratio) / frames) * power / -np.expm1(-hazard)
        return [(float(wave.reference_bytes), _curve(wave.name, snr, odds, sigma))]
    odds, sigma = np.log(ratio / (1 - ratio)), 1 / np.sqrt(frames * ratio * (1 - ratio))
    lengths = np.unique(length)
    curves = [_curve(wave.name, snr[own], odds[own], sigma[own]) for own in length == lengths[:, None]]
    # in the tails curves of two lengths may cross by chance: a longer frame never needs less
    return list(zip(lengths.tolist(), np.maximum.accumulate(curves), strict=True))


def _curve(name: str, snr_db: Array, odds: Array, sigma: Array) -> Array:
    """SNR at `LOG_ODDS` of the smoothest falling curve through counted points, none missed by more than chance."""
    place, member = np.unique(snr_db, return_inverse=True)
    if place.size < 2:
        raise ValueError(f"waveform {name} has fewer than two points between none and all frames lost; store more")
    weight = np.bincount(member, sigma**-2)
    mean = np.bincount(member, odds * sigma**-2) / weight
    spline = UnivariateSpline(place, mean, np.sqrt(weight), k=3 if place.size > 3 else 1, s=place.size)
    fine = np.linspace(place[0], place[-1], max(2, round((place[-1] - place[0]) / _FIT_STEP_DB) + 1))
    fitted = np.minimum.accumulate(spline(fine) + _LEAST_SLOPE * fine) - _LEAST_SLOPE * fine
    return _turned(fine, fitted)


def _theory(wave: Waveform) -> Array:
    """SNR at `LOG_ODDS` of a single byte without a code: every bit must be right."""
    bit_errors = bit_error_ratio(wave.bits, 10 ** (_THEORY_DB / 10))
    hazard = -8 * np.log1p(-bit_errors)
    known = hazard > 0
    return _turned(_THEORY_DB[known], hazard[known] + np.log(-np.expm1(-hazard[known])))


def _turned(snr_db: Array, odds: Array) -> Array:
    """SNR against `LOG_ODDS` from falling odds against SNR; straight outside, with the mean slope of the outer dB."""
    curve = np.interp(LOG_ODDS, odds[::-1], snr_db[::-1])
    near, far = min(1.0, snr_db[-1] - snr_db[0]), LOG_ODDS
    start = (np.interp(snr_db[0] + near, snr_db, odds) - odds[0]) / near
    end = (odds[-1] - np.interp(snr_db[-1] - near, snr_db, odds)) / near
    curve = np.where(far > odds[0], snr_db[0] + (far - odds[0]) / start, curve)
    return np.asarray(np.where(far < odds[-1], snr_db[-1] + (far - odds[-1]) / end, curve))
