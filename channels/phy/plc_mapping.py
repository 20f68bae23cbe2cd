"""Tables that the kernels of the effective SNR read, per waveform of a family on one band."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .plc_curve_fit import Curves
from .plc_curves import log_hazard_per_byte, log_odds
from .plc_error_paths import GRID_DB, block_carriers, code_order, flat_log_sums
from .plc_flat import (
    BITS_STEP,
    BLOCK_SYMBOLS,
    DETECTORS,
    FIRST_BITS,
    LAST_BITS,
    WEAVES,
    Mapping,
    lossy_log_hazards,
)
from .plc_starts import DECAY_LOGS, MOST_LOG_ODDS
from .plc_uncoded import bit_error_ratio
from .plc_waveforms import WAVEFORMS, Waveform

Array = NDArray[Any]


def mapping(
    names: Sequence[str],
    beta: ArrayLike,
    data: Array,
    state_of_bin: Array,
    *,
    symbol_bins: float = 0.0,
    window_bins: float = 0.0,
    span: Array | None = None,
    erased_db: Array | None = None,
    loss_db: float = 0.0,
    erasure_ratio: float = 0.0,
    curves: Curves | None = None,
) -> Mapping:
    """Tables of some waveforms on one band.

    Parameters
    ----------
    names, beta : (n_waveforms,)
        Waveforms and scales of their effective SNR; the scale of one without a code is not read.
    data : (n_carriers,) bool
        Whether a carrier bears data; one that does not still is the reference of the carrier above it.
    state_of_bin : (n_bins,) int
        Network state in each part of the half cycle.
    symbol_bins, window_bins
        Symbol period and receiver's window, in parts of the half cycle.
    span : (n_waveforms, n_subbands)
        Length of the frames in parts of the half cycle, see `Mapping`; None where all are long.
    erased_db : (n_waveforms,)
        What erased symbols cost, see `Mapping`; None for nothing.
    loss_db
        Implementation loss.
    erasure_ratio
        Share of symbols lost where each stands or falls by itself, 0 to 1.

    Returns
    -------
    Mapping.
    """
    waves = [WAVEFORMS[name] for name in names]
    carriers = np.flatnonzero(data)
    spans = np.zeros((len(waves), 1)) if span is None else np.asarray(span, np.float64)
    erased = np.zeros(len(waves)) if erased_db is None else np.asarray(erased_db, np.float64)
    log_loss = np.array(
        [_log_loss(name, loss_db, curves, bool(own.any())) for name, own in zip(names, spans, strict=True)]
    )
    scales = np.asarray(beta, np.float64)
    coded = np.array([wave.coded for wave in waves])
    detectors = [DETECTORS[wave.detection] + (0 if wave.coded else wave.bits) for wave in waves]
    symbols = np.array([BLOCK_SYMBOLS if wave.interleaving == "four_symbols" else 1 for wave in waves])
    used = [block_carriers(name, carriers) if name in woven(names) else carriers for name in names]
    order = [
        code_order(name, own.size) if name in woven(names) else carriers[:0]
        for name, own in zip(names, used, strict=True)
    ]
    bits = np.array([wave.bits for wave in waves])
    n_used = np.array([own.size for own in used])
    per_symbol = bits / np.array([wave.repetition for wave in waves]) * np.where(coded, 0.5, 1.0)
    block_bytes = n_used * symbols * per_symbol / 8
    return Mapping(
        scales,
        np.array([WEAVES[wave.interleaving] for wave in waves], np.int64),
        bits,
        np.array(detectors, np.int64),
        block_bytes,
        log_loss,
        np.array([_log_sums(name, scale, own.size) for name, scale, own in zip(names, scales, used, strict=True)]),
        _side_by_side(used),
        n_used,
        _side_by_side(order),
        np.array([own.size for own in order]),
        np.array([_carrier_hazard(name, loss_db) for name in names]),
        carriers,
        np.flatnonzero(~np.asarray(data, bool)),
        state_share(state_of_bin, window_bins).astype(np.float32),
        float(symbol_bins),
        spans,
        np.array([float(wave.reference_bytes) for wave in waves]),
        np.array([_decay_odds(*row) for row in zip(waves, scales, erased, log_loss, strict=True)]),
        erased,
        np.array([_lossy(*row, erasure_ratio) for row in zip(waves, symbols, block_bytes, log_loss, strict=True)]),
    )


def woven(names: Sequence[str]) -> list[str]:
    """Those waveforms whose code is interleaved within one symbol or four.

    >>> woven(["g3:ROBO", "prime:DBPSK_CC", "prime:DBPSK"])
    ['prime:DBPSK_CC']
    """
    return [name for name in names if WAVEFORMS[name].interleaving in ("symbol", "four_symbols")]


def _side_by_side(rows: Sequence[Array]) -> Array:
    """Rows of unequal length as one table, zeros behind."""
    table = np.zeros((len(rows), max(row.size for row in rows)), np.int64)
    for one, row in zip(table, rows, strict=True):
        one[: row.size] = row
    return table


def _log_sums(name: str, beta: float, n_carriers: int) -> Array:
    """Row of `Mapping.log_sums`; zeros where nobody asks."""
    return flat_log_sums(name, float(beta), n_carriers) if woven([name]) else np.zeros(GRID_DB.size)


def _log_loss(name: str, loss_db: float, curves: Curves | None, short: bool) -> Array:
    """Row of `Mapping.log_loss`; zeros where frames are long and woven as a whole, and nobody asks."""
    if WAVEFORMS[name].interleaving != "frame":
        return log_hazard_per_byte(name, GRID_DB - loss_db, curves=curves)
    if not short:
        return np.zeros(GRID_DB.size)
    odds = log_odds(name, GRID_DB - loss_db, WAVEFORMS[name].reference_bytes, curves=curves)
    return np.asarray(np.clip(odds, -MOST_LOG_ODDS, MOST_LOG_ODDS))


def _lossy(wave: Waveform, n_symbols: int, block_bytes: float, log_loss: Array, erasure_ratio: float) -> Array:
    """Row of `Mapping.lossy`; zeros where a frame is woven as a whole, and nobody asks."""
    if wave.interleaving == "frame":
        return np.zeros(GRID_DB.size)
    return np.asarray(lossy_log_hazards(log_loss, int(n_symbols), float(block_bytes), float(erasure_ratio)))


def _decay_odds(wave: Waveform, beta: float, erased_db: float, log_odds: Array) -> Array:
    """Row of `Mapping.decay_odds`; zeros where nobody asks."""
    if wave.interleaving != "frame" or not log_odds.any():
        return np.zeros(DECAY_LOGS.size)
    seen = beta * DECAY_LOGS
    flat = seen if wave.detection == "coherent" else seen + np.sqrt(seen * seen + seen)
    odds = np.interp(10 * np.log10(flat) - erased_db, GRID_DB, log_odds)
    return np.asarray(np.clip(odds, -MOST_LOG_ODDS, MOST_LOG_ODDS))


@lru_cache(maxsize=64)
def _carrier_hazard(name: str, loss_db: float) -> Array:
    """Row of `Mapping.carrier_hazard`; zeros with a code."""
    places = np.arange(FIRST_BITS, LAST_BITS + 1, 1 << BITS_STEP, dtype=np.int32).view(np.float32)
    if WAVEFORMS[name].coded:
        return np.zeros(places.size, np.float32)
    errors = bit_error_ratio(WAVEFORMS[name].bits, places.astype(np.float64) * 10 ** (-loss_db / 10))
    return np.asarray(-8 * np.log1p(-errors), np.float32)


def state_share(state_of_bin: Array, window_bins: float) -> Array:
    """How much of a receiver's window around the middle of each part of the half cycle falls into each network state.

    Parameters
    ----------
    state_of_bin : (n_bins,) int
    window_bins
        Length of the window, 0 or more, in parts of the half cycle.

    Returns
    -------
    (n_bins, n_states), rows add up to 1.

    >>> state_share(np.array([0, 0, 1, 1]), 2.0)[1]
    array([0.75, 0.25])
    """
    state = np.asarray(state_of_bin)
    n, width = state.size, max(float(window_bins), 1e-9)
    part = np.arange(-int(width) - 1, int(width) + 2)
    overlap = np.minimum(part + 0.5, width / 2) - np.maximum(part - 0.5, -width / 2)
    seen = np.maximum(overlap, 0.0) / width
    share = np.zeros((n, int(state.max()) + 1))
    for shift, weight in zip(part, seen, strict=True):
        np.add.at(share, (np.arange(n), state[(np.arange(n) + shift) % n]), weight)
    return share
