"""Packet error ratio of every power line waveform against flat SNR, from the stored curves of the Monte-Carlo modem.

Curves are held as SNR against log-odds of a lost frame: rising odds, falling SNR. Outside the stored points odds go on
in a straight line. Waveforms with Reed-Solomon parity move along the SNR with the logarithm of their length; the others
lose every byte alike, so that the success of a frame is a power of its length. Without a code theory takes the place of
stored points.
"""

from __future__ import annotations

import csv
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from .plc_curve_fit import LOG_ODDS, ROW, Curves, read_curves
from .plc_curve_fit import row_of as row_of  # asked for here, beside the curves it is used with

Array = NDArray[Any]

CURVES = Path(__file__).with_name("plc_curves.csv")
SCALES = Path(__file__).with_name("plc_scales.csv")
"""Written by the modem's `curves`, recipe in their heads; they cannot be typed in by hand and stay believable."""


_MIDDLE = int(np.argmin(np.abs(LOG_ODDS)))


def error_ratio(waveform: ArrayLike, snr_db: ArrayLike, n_bytes: ArrayLike, *, curves: Curves | None = None) -> Array:
    """Probability that a frame is lost in flat noise.

    Parameters
    ----------
    waveform : (n,) int, or one name
        Rows of `WAVEFORMS` (`plc_curve_fit.row_of`); -1 for none.
    snr_db : (n,)
        Es/N0 per carrier, or the effective SNR that stands for it [dB]; infinite is allowed.
    n_bytes : (n,)
        PSDU, above 0. The three are broadcast.

    Returns
    -------
    (n,) 0 to 1, falling with SNR; 1 where the waveform is -1. Raises ValueError for an unknown waveform, one without a
    stored curve, a length of 0 or less, or an SNR that is no number.
    """
    table = stored() if curves is None else curves
    row = row_of(waveform) if isinstance(waveform, str) else waveform
    rows, snr, size = np.broadcast_arrays(np.asarray(row, np.int64), np.asarray(snr_db, float), np.asarray(n_bytes))
    _check(rows, snr, size, table)
    flat = _error_ratios(
        rows.flatten(), snr.flatten(), size.astype(np.float64).ravel(), LOG_ODDS, table.first, table.count,
        table.power_law, table.n_bytes, table.snr_db, _MIDDLE,
    )  # fmt: skip
    return np.asarray(flat.reshape(rows.shape))


def log_hazard_per_byte(name: str, snr_db: ArrayLike, *, curves: Curves | None = None) -> Array:
    """ln of the share of bytes lost, each alike: success of a frame is exp(-n_bytes times that share).

    Parameters
    ----------
    name
        Waveform whose success is a power of its length.
    snr_db : (...)
        Flat SNR [dB].

    Returns
    -------
    (...,) falling with SNR. Raises ValueError for a waveform with Reed-Solomon parity.
    """
    table = stored() if curves is None else curves
    row = row_of(name)
    if not table.power_law[row]:
        raise ValueError(f"waveform {name} has parity bytes: its frames do not fail byte by byte; use error_ratio")
    _check(np.array([row]), np.zeros(1), np.ones(1), table)
    odds = _odds_at(np.asarray(snr_db, np.float64), table.snr_db[table.first[row]])
    hazard = np.maximum(odds, 0.0) + np.log1p(np.exp(-np.abs(odds)))
    log_hazard = np.where(odds < -30, odds, np.log(np.maximum(hazard, 1e-300)))
    return np.asarray(log_hazard - np.log(table.n_bytes[table.first[row]]))


def log_odds(name: str, snr_db: ArrayLike, n_bytes: float, *, curves: Curves | None = None) -> Array:
    """ln(lost / received) of frames of one length, exact where `error_ratio` rounds to 0 or 1.

    Parameters
    ----------
    name
        Waveform.
    snr_db : (...)
        Flat SNR [dB], finite.
    n_bytes
        PSDU, above 0.

    Returns
    -------
    (...,) falling with SNR.
    """
    table = stored() if curves is None else curves
    row, size = row_of(name), np.array([float(n_bytes)])
    _check(np.array([row]), np.zeros(1), size, table)
    snr = np.asarray(snr_db, np.float64)
    if not table.power_law[row]:
        return _odds_at(snr, _at_length(table, row, size, LOG_ODDS))
    odds = _odds_at(snr, table.snr_db[table.first[row]])
    hazard = (np.maximum(odds, 0.0) + np.log1p(np.exp(-np.abs(odds)))) * n_bytes / table.n_bytes[table.first[row]]
    small = odds + np.log(n_bytes / table.n_bytes[table.first[row]])
    return np.asarray(np.where(odds < -30, small, hazard + np.log(np.maximum(-np.expm1(-hazard), 1e-300))))


def _odds_at(snr_db: Array, curve: Array) -> Array:
    """Log-odds of one curve at any SNR, straight beyond its ends."""
    high = np.clip(np.searchsorted(-curve, -snr_db), 1, curve.size - 1)
    step = LOG_ODDS[1] - LOG_ODDS[0]
    return np.asarray(LOG_ODDS[high] + step * (curve[high] - snr_db) / (curve[high - 1] - curve[high]))


def _check(row: Array, snr: Array, size: Array, table: Curves) -> None:
    """Refuse what has no curve, no length or no number."""
    if np.any(bad := (row < -1) | (row >= len(ROW))):
        raise ValueError(f"waveform row {row[bad].flat[0]} does not exist; use -1 to {len(ROW) - 1}")
    if np.any(bad := (row >= 0) & (table.count[row] == 0)):
        name = list(ROW)[int(row[bad].flat[0])]
        raise ValueError(f"waveform {name} has no stored curve; rerun the modem's curves")
    if np.any(bad := ~(size > 0)):
        raise ValueError(f"a frame of {size[bad].flat[0]} B cannot be sent; give at least 1 B")
    if np.any(np.isnan(snr)):
        raise ValueError("snr_db contains a value that is not a number; give -inf where nothing arrives")


def threshold_db(name: str, n_bytes: ArrayLike, error_ratio: float = 0.1, *, curves: Curves | None = None) -> Array:
    """Flat SNR at which a share of the frames is lost: `error_ratio` turned round.

    Parameters
    ----------
    name
        Waveform.
    n_bytes : (...)
        PSDU, above 0.
    error_ratio
        Above 0, below 1.

    Returns
    -------
    (...,) [dB].
    """
    table = stored() if curves is None else curves
    row, size = row_of(name), np.asarray(n_bytes, np.float64)
    _check(np.array([row]), np.zeros(1), size, table)
    if not 0 < error_ratio < 1:
        raise ValueError(f"an error ratio of {error_ratio} has no threshold; give a value between 0 and 1")
    if table.power_law[row]:
        hazard = -np.log1p(-error_ratio) * table.n_bytes[table.first[row]] / size
        odds = np.log(-np.expm1(-hazard)) + hazard
        return np.asarray(_snr_at(odds, table.snr_db[table.first[row]]))
    return _at_length(table, row, size, np.log(error_ratio) - np.log1p(-error_ratio))


def _at_length(table: Curves, row: int, size: Array, odds: ArrayLike) -> Array:
    """SNR of a waveform with parity bytes at some lengths and log-odds, the two broadcast: between stored lengths."""
    place = slice(table.first[row], table.first[row] + table.count[row])
    lengths, snr = table.n_bytes[place], table.snr_db[place]
    wanted, size = np.broadcast_arrays(np.asarray(odds, np.float64), size)
    at_length = np.array([_snr_at(wanted, one) for one in snr])
    low, weight = _between(np.log(size), np.log(lengths))
    high = np.minimum(low + 1, lengths.size - 1)
    near = np.clip(weight, 0.0, 1.0)
    between = (1 - near) * np.take_along_axis(at_length, low[None], 0)[0]
    between += near * np.take_along_axis(at_length, high[None], 0)[0]
    return np.asarray(between + (weight - near) * (snr[high, _MIDDLE] - snr[low, _MIDDLE]))


def _between(x: Array, known: Array) -> tuple[Array, Array]:
    """Row to the left and weight of the one to the right; the outermost pairs are continued."""
    if known.size == 1:
        return np.zeros(x.shape, np.int64), np.zeros(x.shape)
    low = np.clip(np.searchsorted(known, x, side="right") - 1, 0, known.size - 2)
    return low, np.asarray((x - known[low]) / (known[low + 1] - known[low]))


def _snr_at(odds: Array, snr: Array) -> Array:
    """SNR of one curve at any log-odds, straight beyond its ends."""
    step = LOG_ODDS[1] - LOG_ODDS[0]
    place = np.clip(((odds - LOG_ODDS[0]) / step).astype(np.int64), 0, LOG_ODDS.size - 2)
    weight = (odds - LOG_ODDS[place]) / step
    return np.asarray(snr[place] + weight * (snr[place + 1] - snr[place]))


@njit(cache=True, nogil=True)
def _error_ratios(
    row: Array,
    snr: Array,
    size: Array,
    odds: Array,
    first: Array,
    count: Array,
    power_law: Array,
    n_bytes: Array,
    curve: Array,
    middle_odds: int,
) -> Array:  # pragma: no cover - compiled
    """`error_ratio` of flat arrays: the SNR is looked for between the two stored lengths around its own."""
    out = np.empty(row.size)
    last, step = odds.size - 1, odds[1] - odds[0]
    for i in range(row.size):
        if row[i] < 0 or snr[i] == -np.inf:
            out[i] = 1.0
            continue
        if snr[i] == np.inf:
            out[i] = 0.0
            continue
        a = first[row[i]]
        b, weight, power = a, 0.0, 1.0
        if power_law[row[i]]:
            power = size[i] / n_bytes[a]
        elif count[row[i]] > 1:
            end = first[row[i]] + count[row[i]] - 2
            while a < end and n_bytes[a + 1] < size[i]:
                a += 1
            b = a + 1
            weight = np.log(size[i] / n_bytes[a]) / np.log(n_bytes[b] / n_bytes[a])
        # beyond the stored lengths the outermost curve moves as a whole, by as much as at one lost in two
        value = snr[i] - (weight - min(max(weight, 0.0), 1.0)) * (curve[b, middle_odds] - curve[a, middle_odds])
        weight = min(max(weight, 0.0), 1.0)
        low, high = 0, last
        while high - low > 1:
            middle = (low + high) // 2
            if (1 - weight) * curve[a, middle] + weight * curve[b, middle] > value:
                low = middle
            else:
                high = middle
        left = (1 - weight) * curve[a, low] + weight * curve[b, low]
        right = (1 - weight) * curve[a, high] + weight * curve[b, high]
        z = odds[low] + step * (left - value) / (left - right)
        if power_law[row[i]]:
            hazard = z + np.log1p(np.exp(-z)) if z > 0 else np.log1p(np.exp(z))
            out[i] = -np.expm1(-power * hazard)
        else:
            out[i] = 1.0 / (1.0 + np.exp(-z)) if z > -700.0 else 0.0
    return out


@lru_cache(maxsize=1)
def stored() -> Curves:
    """The curves of the product."""
    return read_curves(CURVES)


def scale(name: str, path: Path = SCALES) -> float:
    """Scale of the exponential mean of the SNR behind the detector, linear, fitted on selective channels by the modem.

    Raises ValueError for an unknown waveform and for one without a scale (no code: carriers fail one by one).
    """
    row_of(name)
    known = _scales(path)
    if name not in known:
        raise ValueError(f"waveform {name} has no scale of the effective SNR; it is known for {', '.join(known)}")
    return known[name]


@lru_cache(maxsize=4)
def _scales(path: Path) -> dict[str, float]:
    """Scale by waveform, from a file with columns waveform and detected_beta."""
    with path.open(newline="") as lines:
        rows = csv.DictReader(line for line in lines if not line.startswith("#"))
        return {row["waveform"]: float(row["detected_beta"]) for row in rows}
