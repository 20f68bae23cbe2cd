"""Flat SNR of a link whose symbols, or blocks of four, stand or fall by themselves, with lost symbols and without.

By estimates first, over error paths where they leave it open; `plc_choice_symbols` chooses a mode from these numbers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .plc_desk import Desk, Rules, detect_on
from .plc_error_paths import LANES, falling_at, where_falling
from .plc_exponential import decibel, total
from .plc_flat import BLOCK_SYMBOLS, FOUR_SYMBOLS, Mapping, woven_db
from .plc_quick_paths import LEAST_SUM, estimates_db, quick_log_sums, quick_states
from .plc_starts import mean_log_hazard

Array = NDArray[Any]

_ALL_LOST, _NONE_LOST = -1.0, -17.0
"""ln hazard of a byte beyond which frames of 10 B x with less than 1e-4."""
_LEAST_LOG_SUM = float(np.log(LEAST_SUM))
MARGIN, MAY_FAIL = range(2)
"""What is asked of an SNR: itself with and without lost symbols; itself or -inf where the threshold is not reached."""
_SURE_DB = 0.05
"""Bounds this close need no exact value."""
_SLACK_DB = 0.3
"""What the mean SNR of the carriers may be short of as a bound of any mode."""
MOST_MADE_GOOD_DB = 6.0
"""Most that a threshold rises on account of lost symbols [dB]; confidence C. Where these alone cost more frames than a
threshold allows, no signal brings them back: then they are lost as they come, and repetitions make up for them."""
LEAST_KEPT = 0.1
"""Where bursts leave fewer frames of the reference length whole than this, repetitions do not help; confidence C."""


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
        begin, as far as `MOST_MADE_GOOD_DB` goes. Of the first waveform and of the header
    strained : (n_waveforms,) bool, lost symbols cost more than that
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
    strained: Array


@njit(cache=True, nogil=True, error_model="numpy")
def new_woven(table: Mapping, rules: Rules) -> Woven:  # pragma: no cover - compiled
    """Empty scratch."""
    n_bins, n, n_head = table.share.shape[0], table.data.size, table.n_carriers[rules.header]
    lost_db, kept_db = np.empty(table.beta.size), np.empty(table.beta.size)
    for w in range(table.beta.size):
        lost_db[w] = where_falling(0.0 if w == rules.header else _ALL_LOST, table.log_loss[w])
        kept_db[w] = where_falling(_NONE_LOST, table.log_loss[w])
    needed_db, strained = np.full(table.beta.size, -np.inf), np.zeros(table.beta.size, np.bool_)
    for w, least_db in ((rules.waveform[0], rules.threshold_db[0]), (rules.header, rules.header_floor_db)):
        if least_db > -np.inf:
            needed_db[w] = made_good_in_part_db(least_db, w, table)
            strained[w] = needed_db[w] < made_good_db(least_db, w, table)
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
        strained,
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
def made_good_in_part_db(flat_db: float, w: int, table: Mapping) -> float:  # pragma: no cover - compiled
    """`made_good_db`, at most `MOST_MADE_GOOD_DB` above ``flat_db`` as long as `LEAST_KEPT` of the frames are whole."""
    made, most = made_good_db(flat_db, w, table), flat_db + MOST_MADE_GOOD_DB
    if made <= most or np.exp(-np.exp(table.lossy[w, -1]) * table.frame_bytes[w]) < LEAST_KEPT:
        return float(made)
    return float(most)


@njit(cache=True, nogil=True, error_model="numpy")
def level(n_carriers: int, desk: Desk, woven: Woven) -> None:  # pragma: no cover - compiled
    """Upper bound of every mode's SNR in each part of the half cycle."""
    n = woven.plain.shape[1]
    for b in range(woven.level_db.size):
        power = 0.0
        for r in range(woven.run_first.size):
            start = b * n_carriers + woven.run_first[r]
            power += total(desk.raw[start : start + woven.run_size[r]], woven.run_size[r])
        woven.level_db[b] = decibel(power / n) + _SLACK_DB


@njit(cache=True, nogil=True, error_model="numpy")
def see(n_carriers: int, desk: Desk, woven: Woven) -> None:  # pragma: no cover - compiled
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
def blocks(w: int, header: bool, table: Mapping, woven: Woven) -> tuple[Array, int]:  # pragma: no cover - compiled
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
def coded_db(
    w: int, least_db: float, asked: int, header: bool, table: Mapping, woven: Woven
) -> tuple[float, bool]:  # pragma: no cover - compiled
    """Flat SNR of a coded waveform [dB], and whether it was found over error paths, see ``woven.found``; else
    ``woven.bounds`` hold the estimate."""
    rows, n_symbols = blocks(w, header, table, woven)
    estimates_db(rows, table.bits[w], table.beta[w], n_symbols, least_db, woven.work, woven.bounds)
    return judged_db(rows, w, least_db, asked, header, table, woven)


@njit(cache=True, nogil=True, error_model="numpy")
def judged_db(
    rows: Array, w: int, least_db: float, asked: int, header: bool, table: Mapping, woven: Woven
) -> tuple[float, bool]:  # pragma: no cover - compiled
    """`coded_db` of blocks whose bounds are known."""
    may_fail, bounds, loss = asked == MAY_FAIL, woven.bounds, table.lossy[w]
    best_db = bounds[2].max()
    if may_fail and best_db < least_db:
        return -np.inf, False
    if best_db < woven.lost_db[w] and best_db < least_db:
        return value_db(bounds[1], loss, w, table, woven), False
    high = value_db(bounds[2], loss, w, table, woven)
    if may_fail and high < least_db:
        return -np.inf, False
    low = value_db(bounds[0], loss, w, table, woven)
    decided = low >= least_db or high < least_db
    sure = high - low < _SURE_DB or low > woven.kept_db[w]
    if sure and not may_fail:
        sure = clean_db(bounds[0], w, table, woven) > woven.kept_db[w]
    if decided and (sure or high < woven.lost_db[w]):
        middle = value_db(bounds[1], loss, w, table, woven)
        return (max(middle, least_db) if low >= least_db else middle), False
    over_paths(rows, header, w, table, woven)
    return value_db(woven.found, loss, w, table, woven), True


@njit(cache=True, nogil=True, error_model="numpy")
def paths_db(w: int, header: bool, table: Mapping, woven: Woven) -> float:  # pragma: no cover - compiled
    """Flat SNR of a coded waveform over error paths [dB]; ``woven.found`` tells that of each part of the half cycle."""
    rows, n_symbols = blocks(w, header, table, woven)
    estimates_db(rows, table.bits[w], table.beta[w], n_symbols, 0.0, woven.work, woven.bounds)
    over_paths(rows, header, w, table, woven)
    return float(value_db(woven.found, table.lossy[w], w, table, woven))


@njit(cache=True, nogil=True, error_model="numpy")
def over_paths(rows: Array, header: bool, w: int, table: Mapping, woven: Woven) -> None:  # pragma: no cover - compiled
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
def plain_db(
    n_carriers: int, w: int, least_db: float, table: Mapping, desk: Desk, woven: Woven, erasure_ratio: float
) -> float:  # pragma: no cover - compiled
    """Flat SNR of a waveform without a code [dB]; -inf may stand for less than ``least_db``."""
    if value_db(woven.level_db, table.lossy[w], w, table, woven) < least_db:
        return -np.inf
    detect_on(n_carriers, w, table, desk)
    return woven_db(desk.terms, n_carriers, w, table, erasure_ratio)


@njit(cache=True, nogil=True, error_model="numpy")
def clean_db(found_db: Array, w: int, table: Mapping, woven: Woven) -> float:  # pragma: no cover - compiled
    """`value_db` as if no symbol were lost."""
    return float(value_db(found_db, table.log_loss[w], w, table, woven))


@njit(cache=True, nogil=True, error_model="numpy")
def value_db(
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
