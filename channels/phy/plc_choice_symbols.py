"""Kernels of the choice of a mode where every symbol, or block of four, stands or falls by itself: PRIME.

A choice costs some microseconds: estimates with bounds on both sides (`plc_quick_paths`) settle most modes, and the sum
over error paths is taken only where they leave a mode open, or an SNR whose frames are neither all lost nor all kept.
`woven_values` takes every mode by the reference instead.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .plc_desk import Desk, Rules, arrives, clear, detect_on, lay_out, mean_snr_db, new_desk
from .plc_error_paths import LANES, falling_at, where_falling
from .plc_exponential import decibel
from .plc_flat import BLOCK_SYMBOLS, FOUR_SYMBOLS, NO_CODE, Mapping, fill_terms, woven_db
from .plc_quick_paths import LEAST_SUM, estimates_db, quick_log_sums, quick_states
from .plc_starts import mean_log_hazard

Array = NDArray[Any]

_ALL_LOST, _NONE_LOST = -1.0, -17.0
"""ln hazard of a byte beyond which frames of 10 B x with less than 1e-4."""
_LEAST_LOG_SUM = float(np.log(LEAST_SUM))
_SURE_DB = 0.05
"""Bounds this close need no exact value."""
_SLACK_DB = 0.3
"""What the mean SNR of the carriers may be short of as a bound of modes without a code."""


class Woven(NamedTuple):
    """Scratch of one thread beside the desk.

    plain : (n_bins, n_data) float32 SNR behind the detector;  folded : the same, summed over four copies
    head, head_folded : likewise of the header's carriers;  has_folded : whether ``folded`` is of the link at hand
    bounds : (3, n_bins) of `estimates_db`;  found : (n_bins,) flat SNR;  sums : (LANES,)
    coded : (n_label_bits, n_data, LANES), states, work : of `quick_log_sums` and `estimates_db`
    lost_db, kept_db : (n_waveforms,) SNR below, above which nothing matters
    """

    plain: Array
    folded: Array
    head: Array
    head_folded: Array
    has_folded: Array
    bounds: Array
    found: Array
    hazard: Array
    sums: Array
    coded: Array
    head_coded: Array
    states: Array
    work: Array
    lost_db: Array
    kept_db: Array


@njit(cache=True, nogil=True, error_model="numpy")
def _new_woven(table: Mapping, rules: Rules) -> Woven:  # pragma: no cover - compiled
    """Empty scratch."""
    n_bins, n, n_head = table.share.shape[0], table.data.size, table.n_carriers[rules.header]
    lost_db, kept_db = np.empty(table.beta.size), np.empty(table.beta.size)
    for w in range(table.beta.size):
        lost_db[w] = where_falling(0.0 if w == rules.header else _ALL_LOST, table.log_loss[w])
        kept_db[w] = where_falling(_NONE_LOST, table.log_loss[w])
    plain, head = np.empty((n_bins, n), np.float32), np.empty((n_bins, n_head), np.float32)
    return Woven(
        plain,
        plain.copy(),
        head,
        head.copy(),
        np.zeros(1, np.bool_),
        np.empty((3, n_bins)),
        np.empty(n_bins),
        np.empty(n_bins),
        np.empty(LANES),
        np.empty((3, n, LANES), np.float32),
        np.empty((3, n_head, LANES), np.float32),
        quick_states(),
        np.empty(n, np.float32),
        lost_db,
        kept_db,
    )


@njit(cache=True, nogil=True, error_model="numpy")
def choose_woven(
    power: Array, heard: Array, over_noise: Array, table: Mapping, rules: Rules, erasure_ratio: float
) -> tuple[Array, Array, Array, Array]:  # pragma: no cover - compiled
    """`plc_choice.choose` link by link: the robust mode, the header, then modes from the fastest down.

    Modes are those of the reference; an SNR is within 0.1 dB of it where its mode loses some frames and keeps some
    (between 1e-4 of 2,268 B and 0.9999 of 10 B). Beyond, where it changes no loss, it is an estimate.
    """
    n, n_carriers, n_modes = power.shape[0], power.shape[2], rules.waveform.size
    robust_db, mode = np.full(n, -np.inf), np.full(n, -1, np.int8)
    snr_db, mean_db = np.full(n, -np.inf), np.full(n, -np.inf)
    desk, woven = new_desk(table, rules, n_carriers), _new_woven(table, rules)
    first = rules.waveform[0]
    for i in range(n):
        if not arrives(power[i]):
            continue
        fill_terms(power[i], over_noise[heard[i]], table.share, desk.raw)
        clear(desk)
        mean_db[i] = mean_snr_db(n_carriers, table, desk)
        detect_on(n_carriers, first, table, desk)
        _gather(desk.terms, n_carriers, table.data, woven.plain)
        woven.has_folded[0] = False
        robust_db[i] = _coded_db(first, rules.threshold_db[0], False, False, table, woven)
        # the header may need more than the robust mode: the smaller of the two margins counts
        header_db, holds = np.inf, robust_db[i] >= rules.threshold_db[0]
        if holds or robust_db[i] > woven.lost_db[first]:
            header_db = _header_db(n_carriers, robust_db[i], table, rules, desk, woven)
            if rules.header_floor_db > -np.inf:
                robust_db[i] = min(robust_db[i], header_db - rules.header_floor_db + rules.threshold_db[0])
        snr_db[i] = robust_db[i]
        if robust_db[i] < rules.threshold_db[0]:
            continue
        mode[i] = 0
        if header_db < rules.header_threshold_db:
            continue
        for m in range(n_modes - 1, 0, -1):
            w, least_db = rules.waveform[m], rules.threshold_db[m]
            if table.weave[w] == NO_CODE:
                value = _plain_db(n_carriers, w, least_db, table, desk, woven, erasure_ratio)
            else:
                value = _coded_db(w, least_db, True, False, table, woven)
            if value >= least_db:
                mode[i], snr_db[i] = m, value
                break
    return robust_db, mode, snr_db, mean_db


@njit(cache=True, nogil=True, error_model="numpy")
def _header_db(
    n_carriers: int, robust_db: float, table: Mapping, rules: Rules, desk: Desk, woven: Woven
) -> float:  # pragma: no cover - compiled
    """SNR of the header; exact only where its margin may be the smaller one, or its threshold is in doubt [dB]."""
    w = rules.header
    _gather(desk.terms, n_carriers, table.carrier[w, : table.n_carriers[w]], woven.head)
    # above this one the header's margin is not the smaller one
    enough_db = robust_db - rules.threshold_db[0] + rules.header_floor_db
    low = _header_low_db(w, table, woven, rules.header_threshold_db)
    if low >= max(enough_db, rules.header_threshold_db):
        return low
    return _coded_db(w, rules.header_threshold_db, False, True, table, woven)


@njit(cache=True, nogil=True, error_model="numpy")
def _header_low_db(w: int, table: Mapping, woven: Woven, threshold_db: float) -> float:  # pragma: no cover - compiled
    """Lower bound of the header's SNR [dB]."""
    rows, n_symbols = woven.head, 1
    if table.weave[w] == FOUR_SYMBOLS:
        _fold(rows, table.symbol_bins, woven.head_folded)
        rows, n_symbols = woven.head_folded, BLOCK_SYMBOLS
    estimates_db(rows, table.bits[w], table.beta[w], n_symbols, threshold_db, woven.work, woven.bounds)
    return _value_db(woven.bounds[0], w, table, woven)


@njit(cache=True, nogil=True, error_model="numpy")
def _coded_db(
    w: int, least_db: float, may_fail: bool, header: bool, table: Mapping, woven: Woven
) -> float:  # pragma: no cover - compiled
    """Flat SNR of a coded waveform [dB]; -inf may stand for less than ``least_db`` where it ``may_fail``."""
    n_symbols, rows, coded = 1, woven.plain, woven.coded
    if header:
        rows, coded = woven.head, woven.head_coded
    if table.weave[w] == FOUR_SYMBOLS:
        n_symbols = BLOCK_SYMBOLS
        folded = woven.head_folded if header else woven.folded
        if header or not woven.has_folded[0]:
            _fold(rows, table.symbol_bins, folded)
            woven.has_folded[0] = woven.has_folded[0] or not header
        rows = folded
    bits, bounds = table.bits[w], woven.bounds
    if may_fail and table.lossy[w, -1] > falling_at(least_db, table.log_loss[w]):
        # lost symbols alone cost more than the threshold allows
        return -np.inf
    estimates_db(rows, bits, table.beta[w], n_symbols, least_db, woven.work, bounds)
    best_db = bounds[2].max()
    if may_fail and best_db < least_db:
        return -np.inf
    if best_db < woven.lost_db[w] and best_db < least_db:
        return _value_db(bounds[1], w, table, woven)
    high = _value_db(bounds[2], w, table, woven)
    if may_fail and high < least_db:
        return -np.inf
    low = _value_db(bounds[0], w, table, woven)
    decided = low >= least_db or high < least_db
    if decided and (high - low < _SURE_DB or low > woven.kept_db[w] or high < woven.lost_db[w]):
        return _value_db(bounds[1], w, table, woven)
    order, log_sums = table.order[w, : table.n_coded[w]], table.log_sums[w]
    for start in range(0, rows.shape[0], LANES):
        quick_log_sums(rows, start, bits, table.beta[w], order, coded[:bits], woven.states, woven.sums)
        for i in range(min(LANES, rows.shape[0] - start)):
            found_db = where_falling(max(woven.sums[i], _LEAST_LOG_SUM), log_sums)
            strong = woven.sums[i] < _LEAST_LOG_SUM
            woven.found[start + i] = max(found_db, bounds[1, start + i]) if strong else found_db
    return _value_db(woven.found, w, table, woven)


@njit(cache=True, nogil=True, error_model="numpy")
def _plain_db(
    n_carriers: int, w: int, least_db: float, table: Mapping, desk: Desk, woven: Woven, erasure_ratio: float
) -> float:  # pragma: no cover - compiled
    """Flat SNR of a waveform without a code [dB]; -inf may stand for less than ``least_db``."""
    if table.lossy[w, -1] > falling_at(least_db, table.log_loss[w]):
        return -np.inf
    n_bins = table.share.shape[0]
    best_db = -np.inf
    for b in range(n_bins):
        mean = np.float32(0.0)
        here = desk.raw[b * n_carriers : (b + 1) * n_carriers]
        for k in range(n_carriers):
            mean += here[k]
        woven.found[b] = decibel(np.float64(mean) / table.data.size) + _SLACK_DB
        best_db = max(best_db, woven.found[b])
    if best_db < least_db or _value_db(woven.found, w, table, woven) < least_db:
        return -np.inf
    detect_on(n_carriers, w, table, desk)
    return woven_db(desk.terms, n_carriers, w, table, erasure_ratio)


@njit(cache=True, nogil=True, error_model="numpy")
def _value_db(found_db: Array, w: int, table: Mapping, woven: Woven) -> float:  # pragma: no cover - compiled
    """Flat SNR that loses as many frames as blocks of these in each part of the half cycle [dB]."""
    for b in range(found_db.size):
        woven.hazard[b] = falling_at(found_db[b], table.lossy[w])
    mean = mean_log_hazard(woven.hazard, table.span[w, -1], table.frame_bytes[w])
    return where_falling(mean, table.log_loss[w])


@njit(cache=True, nogil=True, error_model="numpy")
def _gather(terms: Array, n_carriers: int, carrier: Array, out: Array) -> None:  # pragma: no cover - compiled
    """Some carriers of every part of the half cycle, side by side."""
    for b in range(out.shape[0]):
        here, row = terms[b * n_carriers : (b + 1) * n_carriers], out[b]
        for k in range(carrier.size):
            row[k] = here[carrier[k]]


@njit(cache=True, nogil=True, error_model="numpy")
def _fold(rows: Array, symbol_bins: float, out: Array) -> None:  # pragma: no cover - compiled
    """Sum over the four copies of blocks that begin in each part of the half cycle; places as in `plc_flat`."""
    n_bins, n = rows.shape
    for b in range(n_bins):
        row = out[b]
        row[:] = rows[b]
        for c in range(1, BLOCK_SYMBOLS):
            place = b + c * symbol_bins
            left, turn = int(place), c * (n // BLOCK_SYMBOLS)
            part = np.float32(place - left)
            rest = np.float32(1.0) - part
            here, after = rows[left % n_bins], rows[(left + 1) % n_bins]
            low, high, near, far = row[: n - turn], row[n - turn :], here[turn:], after[turn:]
            for k in range(n - turn):
                low[k] += rest * near[k] + part * far[k]
            for k in range(turn):
                high[k] += rest * here[k] + part * after[k]


@njit(cache=True, nogil=True, error_model="numpy")
def woven_values(
    power: Array, heard: Array, over_noise: Array, table: Mapping, rules: Rules, erasure_ratio: float
) -> tuple[Array, Array]:  # pragma: no cover - compiled
    """`plc_choice_frames.mode_values` of the same families; every number by the reference."""
    n, n_carriers, n_modes = power.shape[0], power.shape[2], rules.waveform.size
    n_bins = table.share.shape[0]
    values, snr = np.full((n, n_modes + 1), -np.inf), np.empty((n, n_bins, n_carriers), np.float32)
    desk = new_desk(table, rules, n_carriers)
    for i in range(n):
        fill_terms(power[i], over_noise[heard[i]], table.share, desk.raw)
        lay_out(desk, snr[i])
        clear(desk)
        for m in range(n_modes + 1):
            w = rules.header if m == n_modes else rules.waveform[m]
            detect_on(n_carriers, w, table, desk)
            values[i, m] = woven_db(desk.terms, n_carriers, w, table, erasure_ratio)
    return values, snr
