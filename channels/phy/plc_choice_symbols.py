"""Kernels of the choice of a mode where every symbol, or block of four, stands or falls by itself: PRIME.

A choice costs some microseconds: estimates with bounds on both sides (`plc_quick_paths`) settle most modes, and the sum
over error paths is taken only where they leave a mode open, or an SNR whose frames are neither all lost nor all kept.
Lost symbols shift the thresholds from which margins count. `woven_values` takes every mode by the reference instead.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .plc_desk import Desk, Rules, arrives, clear, detect_on, lay_out, mean_snr_db, new_desk
from .plc_error_paths import LANES, falling_at, where_falling
from .plc_exponential import decibel, total
from .plc_flat import BLOCK_SYMBOLS, FOUR_SYMBOLS, NO_CODE, Mapping, fill_terms, woven_db
from .plc_quick_paths import LEAST_SUM, estimates_db, quick_log_sums, quick_states
from .plc_starts import mean_log_hazard

Array = NDArray[Any]

_ALL_LOST, _NONE_LOST = -1.0, -17.0
"""ln hazard of a byte beyond which frames of 10 B x with less than 1e-4."""
_LEAST_LOG_SUM = float(np.log(LEAST_SUM))
_MARGIN, _MAY_FAIL = range(2)
"""What is asked of an SNR: itself with and without lost symbols; itself or -inf where the threshold is not reached."""
_LEAST_DB = 1e-9
"""What a mode that does not hold is short of at least."""
_SURE_DB = 0.05
"""Bounds this close need no exact value."""
_SLACK_DB = 0.3
"""What the mean SNR of the carriers may be short of as a bound of any mode."""
_DEAD_DB = 30.0
"""Most that dead carriers take from the level of a link on which nothing gets through."""


class Woven(NamedTuple):
    """Scratch of one thread beside the desk.

    plain : (n_bins, n_data) float32 SNR behind the detector;  folded : the same, summed over four copies
    head, head_folded : likewise of the header's carriers;  has_folded : whether ``folded`` is of the link at hand
    run_first, run_size : data carriers that stand side by side;  head_place : those of the header among them
    level_db : (n_bins,) what no mode's SNR exceeds: the mean SNR of the carriers and some slack
    bounds : (3, n_bins) of `estimates_db`;  found : (n_bins,) flat SNR;  sums : (LANES,)
    coded : (n_label_bits, n_data, LANES), states, work : of `quick_log_sums` and `estimates_db`;  twice : of `_fold`
    lost_db, kept_db : (n_waveforms,) SNR below, above which nothing matters
    needed_db : (n_waveforms,) SNR without lost symbols that makes up for them at the lowest threshold, where margins
        begin; inf where none does. Of the first waveform and of the header
    """

    plain: Array
    folded: Array
    head: Array
    head_folded: Array
    has_folded: Array
    run_first: Array
    run_size: Array
    head_place: Array
    level_db: Array
    bounds: Array
    found: Array
    hazard: Array
    sums: Array
    coded: Array
    head_coded: Array
    states: Array
    work: Array
    twice: Array
    lost_db: Array
    kept_db: Array
    needed_db: Array


@njit(cache=True, nogil=True, error_model="numpy")
def _new_woven(table: Mapping, rules: Rules) -> Woven:  # pragma: no cover - compiled
    """Empty scratch."""
    n_bins, n, n_head = table.share.shape[0], table.data.size, table.n_carriers[rules.header]
    lost_db, kept_db = np.empty(table.beta.size), np.empty(table.beta.size)
    for w in range(table.beta.size):
        lost_db[w] = where_falling(0.0 if w == rules.header else _ALL_LOST, table.log_loss[w])
        kept_db[w] = where_falling(_NONE_LOST, table.log_loss[w])
    needed_db = np.full(table.beta.size, -np.inf)
    needed_db[rules.waveform[0]] = made_good_db(rules.threshold_db[0], rules.waveform[0], table)
    if rules.header_floor_db > -np.inf:
        needed_db[rules.header] = made_good_db(rules.header_floor_db, rules.header, table)
    run_first, run_size, n_runs = np.zeros(n, np.int64), np.zeros(n, np.int64), 0
    head_place = np.zeros(n_head, np.int64)
    for k in range(n):
        if k == 0 or table.data[k] > table.data[k - 1] + 1:
            run_first[n_runs] = table.data[k]
            n_runs += 1
        run_size[n_runs - 1] += 1
        for place in range(n_head):
            if table.carrier[rules.header, place] == table.data[k]:
                head_place[place] = k
    plain, head = np.empty((n_bins, n), np.float32), np.empty((n_bins, n_head), np.float32)
    return Woven(
        plain,
        plain.copy(),
        head,
        head.copy(),
        np.zeros(1, np.bool_),
        run_first[:n_runs],
        run_size[:n_runs],
        head_place,
        np.empty(n_bins),
        np.empty((3, n_bins)),
        np.empty(n_bins),
        np.empty(n_bins),
        np.empty(LANES),
        np.empty((3, n, LANES), np.float32),
        np.empty((3, n_head, LANES), np.float32),
        quick_states(),
        np.empty(n, np.float32),
        np.empty((n_bins, 2 * n), np.float32),
        lost_db,
        kept_db,
        needed_db,
    )


@njit(cache=True, nogil=True, error_model="numpy")
def made_good_db(flat_db: float, w: int, table: Mapping) -> float:  # pragma: no cover - compiled
    """Flat SNR that makes up for the lost symbols, so that as many frames are lost as without them at ``flat_db``.

    inf where no SNR does. With no symbols lost this is ``flat_db`` itself.
    """
    wanted = falling_at(flat_db, table.log_loss[w])
    if table.lossy[w, 0] == table.log_loss[w, 0] and table.lossy[w, -1] == table.log_loss[w, -1]:
        return flat_db
    return float(where_falling(wanted, table.lossy[w])) if table.lossy[w, -1] < wanted else np.inf


@njit(cache=True, nogil=True, error_model="numpy")
def choose_woven(
    power: Array, heard: Array, over_noise: Array, table: Mapping, rules: Rules, erasure_ratio: float
) -> tuple[Array, Array, Array, Array]:  # pragma: no cover - compiled
    """`plc_choice.choose` link by link: the robust mode, the header, then modes from the fastest down.

    Modes are those of the reference; an SNR is within 0.1 dB of it where its mode loses some frames and keeps some
    (between 1e-4 of 2,268 B and 0.9999 of 10 B). Beyond, where it changes no loss, it is an estimate. The first answer
    is the threshold of the robust mode and the margin above it: of robust mode or header what its SNR without lost
    symbols is above the one that makes up for them.
    """
    n, n_carriers = power.shape[0], power.shape[2]
    robust_db, mode = np.full(n, -np.inf), np.full(n, -1, np.int8)
    snr_db, mean_db = np.full(n, -np.inf), np.full(n, -np.inf)
    desk, woven = new_desk(table, rules, n_carriers), _new_woven(table, rules)
    first, floor_db = rules.waveform[0], rules.threshold_db[0]
    for i in range(n):
        if not arrives(power[i]):
            continue
        fill_terms(power[i], over_noise[heard[i]], table.share, desk.raw)
        clear(desk)
        mean_db[i] = mean_snr_db(n_carriers, table, desk)
        _level(n_carriers, desk, woven)
        if woven.level_db.max() < min(woven.lost_db[first], floor_db):
            # not even the best part of the half cycle carries anything: the mean tells how much is missing
            level_db = max(mean_db[i], woven.level_db.min() - _DEAD_DB)
            snr_db[i] = robust_db[i] = floor_db + min(level_db - woven.needed_db[first], -_LEAST_DB)
            continue
        _see(n_carriers, desk, woven)
        value, exact = _coded_db(first, floor_db, _MARGIN, False, table, woven)
        found = woven.found if exact else woven.bounds[1]
        margin_db = _clean_db(found, first, table, woven) - woven.needed_db[first]
        header_db, header_margin_db, holds = np.inf, np.inf, value >= floor_db
        if holds or value > woven.lost_db[first]:
            header_db, header_margin_db = _header_db(margin_db, holds, table, rules, woven)
            margin_db = min(margin_db, header_margin_db)
            holds = holds and header_db >= rules.header_floor_db
        # -inf where lost symbols alone cost more than the threshold allows
        robust_db[i] = floor_db + (max(margin_db, 0.0) if holds else min(margin_db, -_LEAST_DB))
        snr_db[i] = value
        if rules.header_floor_db > -np.inf and header_margin_db <= margin_db:
            snr_db[i] = min(value, header_db - rules.header_floor_db + floor_db)
        if not holds:
            continue
        mode[i] = 0
        if header_db >= rules.header_threshold_db:
            m, value = _fastest(n_carriers, table, rules, desk, woven, erasure_ratio)
            if m > 0:
                mode[i], snr_db[i] = m, value
    return robust_db, mode, snr_db, mean_db


@njit(cache=True, nogil=True, error_model="numpy")
def _level(n_carriers: int, desk: Desk, woven: Woven) -> None:  # pragma: no cover - compiled
    """Upper bound of every mode's SNR in each part of the half cycle."""
    n = woven.plain.shape[1]
    for b in range(woven.level_db.size):
        power = 0.0
        for r in range(woven.run_first.size):
            start = b * n_carriers + woven.run_first[r]
            power += total(desk.raw[start : start + woven.run_size[r]], woven.run_size[r])
        woven.level_db[b] = decibel(power / n) + _SLACK_DB


@njit(cache=True, nogil=True, error_model="numpy")
def _see(n_carriers: int, desk: Desk, woven: Woven) -> None:  # pragma: no cover - compiled
    """What the detector makes of the link at hand, data carriers side by side."""
    one = np.float32(1.0)
    for b in range(woven.plain.shape[0]):
        done = 0
        for r in range(woven.run_first.size):
            start, size = b * n_carriers + woven.run_first[r], woven.run_size[r]
            low, high, out = (
                desk.raw[start - 1 : start - 1 + size],
                desk.raw[start : start + size],
                woven.plain[b, done:],
            )
            for k in range(size):
                out[k] = low[k] / (low[k] + high[k] + one) * high[k]
            done += size
    woven.has_folded[0] = False


@njit(cache=True, nogil=True, error_model="numpy")
def _blocks(w: int, header: bool, table: Mapping, woven: Woven) -> tuple[Array, int]:  # pragma: no cover - compiled
    """What stands or falls together, rows of the half cycle, and the symbols it lasts; copies summed."""
    rows = woven.plain
    if header:
        rows = woven.head
        for b in range(rows.shape[0]):
            for k in range(rows.shape[1]):
                rows[b, k] = woven.plain[b, woven.head_place[k]]
    if table.weave[w] != FOUR_SYMBOLS:
        return rows, 1
    folded = woven.head_folded if header else woven.folded
    if header or not woven.has_folded[0]:
        _fold(rows, table.symbol_bins, woven.twice, folded)
        woven.has_folded[0] = woven.has_folded[0] or not header
    return folded, BLOCK_SYMBOLS


@njit(cache=True, nogil=True, error_model="numpy")
def _header_db(
    margin_db: float, holds: bool, table: Mapping, rules: Rules, woven: Woven
) -> tuple[float, float]:  # pragma: no cover - compiled
    """SNR of the header and its margin; lower bounds where it is not the smaller one and no threshold in doubt [dB]."""
    w = rules.header
    rows, n_symbols = _blocks(w, True, table, woven)
    estimates_db(rows, table.bits[w], table.beta[w], n_symbols, rules.header_threshold_db, woven.work, woven.bounds)
    low = _value_db(woven.bounds[0], table.lossy[w], w, table, woven)
    over_db = _clean_db(woven.bounds[0], w, table, woven) - woven.needed_db[w]
    if (low >= rules.header_threshold_db or not holds) and over_db >= margin_db:
        return low, over_db
    value, exact = _judged_db(rows, w, rules.header_threshold_db, _MARGIN, True, table, woven)
    found = woven.found if exact else woven.bounds[1]
    return value, _clean_db(found, w, table, woven) - woven.needed_db[w]


@njit(cache=True, nogil=True, error_model="numpy")
def _fastest(
    n_carriers: int, table: Mapping, rules: Rules, desk: Desk, woven: Woven, erasure_ratio: float
) -> tuple[int, float]:  # pragma: no cover - compiled
    """Fastest mode that holds, and its SNR [dB]; the robust one, whose SNR is not looked at, where no other does."""
    best_db = woven.level_db.max()
    for m in range(rules.waveform.size - 1, 0, -1):
        w, least_db = rules.waveform[m], rules.threshold_db[m]
        if best_db < least_db:
            continue
        if table.weave[w] == NO_CODE:
            value = _plain_db(n_carriers, w, least_db, table, desk, woven, erasure_ratio)
        else:
            value = _coded_db(w, least_db, _MAY_FAIL, False, table, woven)[0]
        if value >= least_db:
            return m, value
    return 0, -np.inf


@njit(cache=True, nogil=True, error_model="numpy")
def _coded_db(
    w: int, least_db: float, asked: int, header: bool, table: Mapping, woven: Woven
) -> tuple[float, bool]:  # pragma: no cover - compiled
    """Flat SNR of a coded waveform [dB], and whether it was found over error paths, see ``woven.found``; else
    ``woven.bounds`` hold the estimate."""
    rows, n_symbols = _blocks(w, header, table, woven)
    estimates_db(rows, table.bits[w], table.beta[w], n_symbols, least_db, woven.work, woven.bounds)
    return _judged_db(rows, w, least_db, asked, header, table, woven)


@njit(cache=True, nogil=True, error_model="numpy")
def _judged_db(
    rows: Array, w: int, least_db: float, asked: int, header: bool, table: Mapping, woven: Woven
) -> tuple[float, bool]:  # pragma: no cover - compiled
    """`_coded_db` of blocks whose bounds are known."""
    may_fail, bounds, loss = asked == _MAY_FAIL, woven.bounds, table.lossy[w]
    best_db = bounds[2].max()
    if may_fail and best_db < least_db:
        return -np.inf, False
    if best_db < woven.lost_db[w] and best_db < least_db:
        return _value_db(bounds[1], loss, w, table, woven), False
    high = _value_db(bounds[2], loss, w, table, woven)
    if may_fail and high < least_db:
        return -np.inf, False
    low = _value_db(bounds[0], loss, w, table, woven)
    decided = low >= least_db or high < least_db
    sure = high - low < _SURE_DB or low > woven.kept_db[w]
    if sure and not may_fail:
        sure = _clean_db(bounds[0], w, table, woven) > woven.kept_db[w]
    if decided and (sure or high < woven.lost_db[w]):
        middle = _value_db(bounds[1], loss, w, table, woven)
        return (max(middle, least_db) if low >= least_db else middle), False
    _over_paths(rows, header, w, table, woven)
    return _value_db(woven.found, loss, w, table, woven), True


@njit(cache=True, nogil=True, error_model="numpy")
def _over_paths(rows: Array, header: bool, w: int, table: Mapping, woven: Woven) -> None:  # pragma: no cover - compiled
    """Flat SNR with the same sum over error paths in each part of the half cycle; beyond the sums the estimate."""
    order, log_sums, bits = table.order[w, : table.n_coded[w]], table.log_sums[w], table.bits[w]
    coded = woven.head_coded if header else woven.coded
    for start in range(0, rows.shape[0], LANES):
        quick_log_sums(rows, start, bits, table.beta[w], order, coded[:bits], woven.states, woven.sums)
        for i in range(min(LANES, rows.shape[0] - start)):
            found_db = where_falling(max(woven.sums[i], _LEAST_LOG_SUM), log_sums)
            strong = woven.sums[i] < _LEAST_LOG_SUM
            woven.found[start + i] = max(found_db, woven.bounds[1, start + i]) if strong else found_db


@njit(cache=True, nogil=True, error_model="numpy")
def _plain_db(
    n_carriers: int, w: int, least_db: float, table: Mapping, desk: Desk, woven: Woven, erasure_ratio: float
) -> float:  # pragma: no cover - compiled
    """Flat SNR of a waveform without a code [dB]; -inf may stand for less than ``least_db``."""
    if _value_db(woven.level_db, table.lossy[w], w, table, woven) < least_db:
        return -np.inf
    detect_on(n_carriers, w, table, desk)
    return woven_db(desk.terms, n_carriers, w, table, erasure_ratio)


@njit(cache=True, nogil=True, error_model="numpy")
def _clean_db(found_db: Array, w: int, table: Mapping, woven: Woven) -> float:  # pragma: no cover - compiled
    """`_value_db` as if no symbol were lost."""
    return float(_value_db(found_db, table.log_loss[w], w, table, woven))


@njit(cache=True, nogil=True, error_model="numpy")
def _value_db(
    found_db: Array, log_loss: Array, w: int, table: Mapping, woven: Woven
) -> float:  # pragma: no cover - compiled
    """Flat SNR that loses as many frames as blocks of these in each part of the half cycle [dB].

    log_loss : row of ``table.lossy``, or of ``table.log_loss`` for what would be without lost symbols
    """
    for b in range(found_db.size):
        woven.hazard[b] = falling_at(found_db[b], log_loss)
    mean = mean_log_hazard(woven.hazard, table.span[w, -1], table.frame_bytes[w])
    return where_falling(mean, table.log_loss[w])


@njit(cache=True, nogil=True, error_model="numpy")
def _fold(rows: Array, symbol_bins: float, twice: Array, out: Array) -> None:  # pragma: no cover - compiled
    """Sum over the four copies of blocks that begin in each part of the half cycle; places as in `plc_flat`.

    twice : scratch of at least twice the columns, so that a turned row stands in one piece
    """
    n_bins, n = rows.shape
    for b in range(n_bins):
        own, again = twice[b, :n], twice[b, n : 2 * n]
        for k in range(n):
            own[k] = again[k] = rows[b, k]
    for b in range(n_bins):
        near1, far1, rest1, part1 = _copy(twice, b, 1, symbol_bins, n)
        near2, far2, rest2, part2 = _copy(twice, b, 2, symbol_bins, n)
        near3, far3, rest3, part3 = _copy(twice, b, 3, symbol_bins, n)
        own, row = rows[b], out[b]
        for k in range(n):
            first, second = rest1 * near1[k] + part1 * far1[k], rest2 * near2[k] + part2 * far2[k]
            row[k] = own[k] + first + second + (rest3 * near3[k] + part3 * far3[k])


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _copy(
    twice: Array, b: int, c: int, symbol_bins: float, n: int
) -> tuple[Array, Array, Any, Any]:  # pragma: no cover - compiled
    """The parts of the half cycle between which copy ``c`` stands, turned as it is, and their weights."""
    n_bins, turn = twice.shape[0], c * (n // BLOCK_SYMBOLS)
    place = b + c * symbol_bins
    left = int(place)
    part = np.float32(place - left)
    near, far = twice[left % n_bins, turn : turn + n], twice[(left + 1) % n_bins, turn : turn + n]
    return near, far, np.float32(1.0) - part, part


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
