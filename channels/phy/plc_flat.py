"""Kernels of the flat SNR that stands for one link: whole frames, single symbols, blocks of four, single carriers."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .plc_error_paths import GRID_DB, LANES, falling_at, flat_equal_db, where_falling
from .plc_exponential import (
    COHERENT,
    IN_FREQUENCY,
    IN_TIME,
    decibel,
    detect,
    flat_snr,
    least,
    log_mean_decay,
    with_erasures,
)
from .plc_starts import mean_log_hazard

Array = NDArray[Any]

FRAME, SYMBOL, FOUR_SYMBOLS, NO_CODE = range(4)
WEAVES = {"frame": FRAME, "symbol": SYMBOL, "four_symbols": FOUR_SYMBOLS, "none": NO_CODE}
DETECTORS = {"coherent": COHERENT, "time": IN_TIME, "frequency": IN_FREQUENCY}
BLOCK_SYMBOLS = 4

BITS_STEP = 16
"""Hazards without a code stand at every 2 ** 16th float32: 128 places per octave, straight between them."""
FIRST_BITS = int(np.array(2.0**-12, np.float32).view(np.int32))
LAST_BITS = int(np.array(2.0**20, np.float32).view(np.int32))
_LEAST_LOG_HAZARD = -60.0
"""ln hazard without a code below which the weakest carrier stands for all: float32 ends, and no such frame is lost."""
_MOST_ERASED = 1.0 - 1e-6
"""A larger share of lost symbols counts as this one: nothing gets through either."""
_FIRST_DB, _STEP_DB = float(GRID_DB[0]), 0.05


class Mapping(NamedTuple):
    """Tables of the kernels, per waveform.

    beta : (n_waveforms,) scale;  weave : (n_waveforms,) FRAME to NO_CODE;  bits : (n_waveforms,) per carrier
    detector : (n_waveforms,) COHERENT to IN_FREQUENCY + 3 (`plc_exponential`)
    block_bytes : (n_waveforms,) bytes that stand or fall together: one symbol, or four
    log_loss : (n_waveforms, n_grid) falls with flat SNR, `GRID_DB`, implementation loss included: ln of the share of
        bytes lost, or where a frame is woven as a whole the ln odds of losing one of the reference length
    log_sums : (n_waveforms, n_grid) `plc_error_paths.flat_log_sums`
    carrier, order : (n_waveforms, n_most) the carriers of a symbol and `plc_error_paths.code_order`
    n_carriers, n_coded : (n_waveforms,) how many of them count
    carrier_hazard : (n_waveforms, n_places) float32, the same of one carrier without a code, by the bits of its SNR
    data, silent : carriers that bear data, and the others
    share : (n_bins, n_states) float32, how long the receiver's window sees each network state
    symbol_bins : symbol period in parts of the half cycle
    span : (n_waveforms, n_subbands) length of a frame of ``frame_bytes`` on so many sub-bands, in parts of the half
        cycle; 0 for one long enough to see all parts alike
    frame_bytes : (n_waveforms,) reference length
    decay_odds : (n_waveforms, n_places) ln odds of losing a short frame, against `plc_starts.DECAY_LOGS`
    erased_db : (n_waveforms,) what erased symbols cost at the threshold, where a frame is woven as a whole
    lossy : (n_waveforms, n_grid) ``log_loss`` of woven waveforms when a share of their symbols is lost
    """

    beta: Array
    weave: Array
    bits: Array
    detector: Array
    block_bytes: Array
    log_loss: Array
    log_sums: Array
    carrier: Array
    n_carriers: Array
    order: Array
    n_coded: Array
    carrier_hazard: Array
    data: Array
    silent: Array
    share: Array
    symbol_bins: float
    span: Array
    frame_bytes: Array
    decay_odds: Array
    erased_db: Array
    lossy: Array


@njit(cache=True, nogil=True, error_model="numpy")
def fill_terms(power: Array, over_noise: Array, share: Array, terms: Array) -> None:  # pragma: no cover - compiled
    """SNR of one link, rows of the half cycle one after the other, into a padded array."""
    n_bins, n_carriers = over_noise.shape
    for b in range(n_bins):
        here, level = terms[b * n_carriers : (b + 1) * n_carriers], over_noise[b]
        first = True
        for s in range(share.shape[1]):
            weight, source = share[b, s], power[s]
            if weight > 0.0 and first:
                for k in range(n_carriers):
                    here[k] = weight * source[k] * level[k]
                first = False
            elif weight > 0.0:
                for k in range(n_carriers):
                    here[k] += weight * source[k] * level[k]


@njit(cache=True, nogil=True, error_model="numpy")
def detect_terms(
    raw: Array, n_bins: int, n_carriers: int, detector: int, silent: Array, terms: Array
) -> None:  # pragma: no cover - compiled
    """What a detector makes of the SNR of a link; infinite where carriers bear no data."""
    detect(raw, n_bins * n_carriers, n_carriers, detector, terms)
    for k in silent:
        for b in range(n_bins):
            terms[b * n_carriers + k] = np.inf


@njit(cache=True, nogil=True, error_model="numpy")
def frame_db(
    terms: Array, n_terms: int, beta: float, detector: int, erasure_ratio: float, work: Array
) -> float:  # pragma: no cover - compiled
    """Flat SNR that loses as many frames as these terms, where the code spans the frame [dB]."""
    log_decay = with_erasures(log_mean_decay(terms, n_terms, beta, work), erasure_ratio)
    return decibel(flat_snr(-beta * min(log_decay, 0.0), detector))


@njit(cache=True, nogil=True, error_model="numpy")
def woven_db(
    terms: Array, n_carriers: int, w: int, table: Mapping, erasure_ratio: float
) -> float:  # pragma: no cover - compiled
    """The same of waveform ``w`` where symbols, or blocks of four, stand or fall one by one [dB]."""
    n_bins = table.share.shape[0]
    n_symbols = BLOCK_SYMBOLS if table.weave[w] == FOUR_SYMBOLS else 1
    log_hazard = np.full((n_bins, n_symbols + 1), table.log_loss[w, 0])
    if table.weave[w] == NO_CODE:
        for b in range(n_bins):
            here = terms[b * n_carriers : (b + 1) * n_carriers]
            log_hazard[b, 0] = np.log(_carrier_mean(here, table.data, table.carrier_hazard[w]))
    else:
        _woven_log_hazards(terms, n_carriers, w, table, log_hazard)
    hazards = _with_losses(log_hazard, table.block_bytes[w], erasure_ratio)
    mean = mean_log_hazard(hazards, table.span[w, -1], table.frame_bytes[w])
    if table.weave[w] == NO_CODE and mean < _LEAST_LOG_HAZARD:
        return float(max(decibel(np.float64(least(terms))), where_falling(_LEAST_LOG_HAZARD, table.log_loss[w])))
    return float(where_falling(mean, table.log_loss[w]))


@njit(cache=True, nogil=True, error_model="numpy")
def lossy_log_hazards(
    log_loss: Array, n_symbols: int, block_bytes: float, erasure_ratio: float
) -> Array:  # pragma: no cover - compiled
    """(n_grid,) ln hazard of a byte on flat channels, `GRID_DB`, when a share of the symbols is lost."""
    found_db, out = np.empty(log_loss.size), np.full((log_loss.size, n_symbols + 1), log_loss[0])
    for i in range(log_loss.size):
        found_db[i] = _FIRST_DB + _STEP_DB * i
    _hazards_at(found_db, log_loss, out)
    return _with_losses(out, block_bytes, erasure_ratio)


@njit(cache=True, nogil=True, error_model="numpy")
def _hazards_at(found_db: Array, log_loss: Array, out: Array) -> None:  # pragma: no cover - compiled
    """ln hazard of blocks of a flat SNR; columns: 0, 1, ... of their symbols lost, the last column is left alone."""
    n_symbols = out.shape[1] - 1
    for i in range(found_db.size):
        out[i, 0] = falling_at(found_db[i], log_loss)
        flat = 10 ** (found_db[i] / 10)
        for lost in range(1, n_symbols):
            # copies are taken to be worth the same
            seen = flat / (2 * flat + 1) * flat * (n_symbols - lost) / n_symbols
            out[i, lost] = falling_at(decibel(flat_snr(seen, IN_FREQUENCY)), log_loss)


@njit(cache=True, nogil=True, error_model="numpy")
def _woven_log_hazards(
    terms: Array, n_carriers: int, w: int, table: Mapping, out: Array
) -> None:  # pragma: no cover - compiled
    """ln hazard of blocks that begin in each part of the half cycle; columns: 0, 1, ... of their symbols lost."""
    n_bins, n_symbols = out.shape[0], out.shape[1] - 1
    order = table.order[w, : table.n_coded[w]]
    rows, found_db = np.empty((LANES, table.n_carriers[w]), np.float32), np.empty(LANES)
    for start in range(0, n_bins, LANES):
        n = min(LANES, n_bins - start)
        for i in range(LANES):
            # rows beyond the last bin repeat it
            _block(terms, n_carriers, start + min(i, n - 1), w, table, n_symbols, rows[i])
        flat_equal_db(rows, table.bits[w], table.beta[w], order, table.log_sums[w], found_db)
        _hazards_at(found_db[:n], table.log_loss[w], out[start : start + n])


@njit(cache=True, nogil=True, error_model="numpy")
def _block(
    terms: Array, n_carriers: int, b: int, w: int, table: Mapping, n_symbols: int, row: Array
) -> None:  # pragma: no cover - compiled
    """SNR behind the detector of the carriers of a block that begins in part ``b``, the sum over its copies.

    Copy c stands in symbol c, turned by c / n_symbols of the carriers; between two parts of the half cycle the SNR is
    taken as straight.
    """
    n_bins, n = table.share.shape[0], row.size
    row[:] = 0.0
    for c in range(n_symbols):
        place = b + c * table.symbol_bins
        left = int(place)
        part = np.float32(place - left)
        here = terms[left % n_bins * n_carriers : (left % n_bins + 1) * n_carriers]
        after = terms[(left + 1) % n_bins * n_carriers : ((left + 1) % n_bins + 1) * n_carriers]
        for k in range(n):
            at = table.carrier[w, (k + c * (n // n_symbols)) % n]
            row[k] += here[at] if part == 0.0 else (np.float32(1.0) - part) * here[at] + part * after[at]


@njit(cache=True, nogil=True, error_model="numpy")
def _with_losses(log_hazard: Array, block_bytes: float, erasure_ratio: float) -> Array:  # pragma: no cover - compiled
    """(n_bins,) ln hazard of a byte when some symbols are lost; columns are blocks with 0, 1, ... of theirs lost."""
    if erasure_ratio <= 0.0:
        return log_hazard[:, 0]
    n_bins, n_cases = log_hazard.shape
    result, n_symbols = np.empty(n_bins), n_cases - 1
    erasure_ratio = min(erasure_ratio, _MOST_ERASED)
    for b in range(n_bins):
        failed, chance = 0.0, (1.0 - erasure_ratio) ** n_symbols
        for lost in range(n_cases):
            failed -= chance * np.expm1(-block_bytes * np.exp(min(log_hazard[b, lost], 100.0)))
            chance *= (n_symbols - lost) / (lost + 1.0) * erasure_ratio / (1.0 - erasure_ratio)
        result[b] = np.log(-np.log1p(-min(failed, 1.0 - 1e-15)) / block_bytes)
    return result


@njit(cache=True, nogil=True, error_model="numpy")
def _carrier_mean(snr: Array, data: Array, table: Array) -> float:  # pragma: no cover - compiled
    """Mean hazard of a byte over the carriers of one symbol without a code."""
    bits = snr.view(np.int32)
    result = 0.0
    for k in data:
        place = min(max(bits[k] - FIRST_BITS, 0), LAST_BITS - FIRST_BITS - 1)
        left = place >> BITS_STEP
        weight = np.float32(place & ((1 << BITS_STEP) - 1)) / np.float32(1 << BITS_STEP)
        result += table[left] + weight * (table[left + 1] - table[left])
    return result / data.size
