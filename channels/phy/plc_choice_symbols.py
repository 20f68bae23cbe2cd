"""Kernels of the choice of a mode where every symbol, or block of four, stands or falls by itself: PRIME.

A choice costs some microseconds: estimates with bounds on both sides (`plc_quick_paths`) settle most modes, and the sum
over error paths is taken only where they leave a mode open, or an SNR whose frames are neither all lost nor all kept.
Lost symbols shift the thresholds from which margins count. `woven_values` takes every mode by the reference instead.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .plc_desk import Desk, Rules, arrives, clear, detect_on, lay_out, mean_snr_db, new_desk
from .plc_flat import NO_CODE, Mapping, fill_terms, woven_db
from .plc_quick_paths import estimates_db
from .plc_woven import (
    MARGIN,
    MAY_FAIL,
    Woven,
    blocks,
    clean_db,
    coded_db,
    judged_db,
    level,
    new_woven,
    paths_db,
    plain_db,
    see,
    value_db,
)

Array = NDArray[Any]

_LEAST_DB = 1e-9
"""What a mode that does not hold is short of at least."""
_DEAD_DB = 30.0
"""Most that dead carriers take from the level of a link on which nothing gets through."""


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
    desk, woven = new_desk(table, rules, n_carriers), new_woven(table, rules)
    first, floor_db = rules.waveform[0], rules.threshold_db[0]
    strained = woven.strained[first]
    for i in range(n):
        if not arrives(power[i]):
            continue
        fill_terms(power[i], over_noise[heard[i]], table.share, desk.raw)
        clear(desk)
        mean_db[i] = mean_snr_db(n_carriers, table, desk)
        level(n_carriers, desk, woven)
        if woven.level_db.max() < min(woven.lost_db[first], floor_db):
            # not even the best part of the half cycle carries anything: the mean tells how much is missing
            level_db = max(mean_db[i], woven.level_db.min() - _DEAD_DB)
            snr_db[i] = robust_db[i] = floor_db + min(level_db - woven.needed_db[first], -_LEAST_DB)
            continue
        see(n_carriers, desk, woven)
        if strained:
            value, exact = paths_db(first, False, table, woven), True
        else:
            value, exact = coded_db(first, floor_db, MARGIN, False, table, woven)
        found = woven.found if exact else woven.bounds[1]
        margin_db = clean_db(found, first, table, woven) - woven.needed_db[first]
        header_db, header_margin_db = np.inf, np.inf
        holds = margin_db >= 0.0 if strained else value >= floor_db
        if holds or value > woven.lost_db[first]:
            header_db, header_margin_db = _header_db(margin_db, holds, table, rules, woven)
            margin_db = min(margin_db, header_margin_db)
            holds = holds and _header_holds(header_db, header_margin_db, rules, woven)
        robust_db[i] = floor_db + (max(margin_db, 0.0) if holds else min(margin_db, -_LEAST_DB))
        snr_db[i] = value
        if rules.header_floor_db > -np.inf and header_margin_db <= margin_db:
            snr_db[i] = min(value, header_db - rules.header_floor_db + floor_db)
        if not holds:
            continue
        mode[i], m = 0, 0
        if strained:
            needed_db = woven.needed_db[rules.header]
            clear_db = header_margin_db + needed_db if needed_db > -np.inf else header_db
            if clear_db >= rules.header_threshold_db:
                m, value = _fastest_strained(n_carriers, table, rules, desk, woven, erasure_ratio)
        elif header_db >= rules.header_threshold_db:
            m, value = _fastest(n_carriers, table, rules, desk, woven, erasure_ratio)
        if m > 0:
            mode[i], snr_db[i] = m, value
    return robust_db, mode, snr_db, mean_db


@njit(cache=True, nogil=True, error_model="numpy")
def _header_db(
    margin_db: float, holds: bool, table: Mapping, rules: Rules, woven: Woven
) -> tuple[float, float]:  # pragma: no cover - compiled
    """SNR of the header and its margin; lower bounds where it is not the smaller one and no threshold in doubt [dB]."""
    w = rules.header
    if woven.strained[w]:
        value = paths_db(w, True, table, woven)
        return value, clean_db(woven.found, w, table, woven) - woven.needed_db[w]
    rows, n_symbols = blocks(w, True, table, woven)
    estimates_db(rows, table.bits[w], table.beta[w], n_symbols, rules.header_threshold_db, woven.work, woven.bounds)
    low = value_db(woven.bounds[0], table.lossy[w], w, table, woven)
    over_db = clean_db(woven.bounds[0], w, table, woven) - woven.needed_db[w]
    if (low >= rules.header_threshold_db or not holds) and over_db >= margin_db:
        return low, over_db
    value, exact = judged_db(rows, w, rules.header_threshold_db, MARGIN, True, table, woven)
    found = woven.found if exact else woven.bounds[1]
    return value, clean_db(found, w, table, woven) - woven.needed_db[w]


@njit(cache=True, nogil=True, error_model="numpy")
def _header_holds(header_db: float, margin_db: float, rules: Rules, woven: Woven) -> bool:  # pragma: no cover
    """Whether so few headers are lost as the robust mode asks for, or as the lost symbols leave."""
    return margin_db >= 0.0 if woven.strained[rules.header] else header_db >= rules.header_floor_db


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
            value = plain_db(n_carriers, w, least_db, table, desk, woven, erasure_ratio)
        else:
            value = coded_db(w, least_db, MAY_FAIL, False, table, woven)[0]
        if value >= least_db:
            return m, value
    return 0, -np.inf


@njit(cache=True, nogil=True, error_model="numpy")
def _fastest_strained(
    n_carriers: int, table: Mapping, rules: Rules, desk: Desk, woven: Woven, erasure_ratio: float
) -> tuple[int, float]:  # pragma: no cover - compiled
    """`_fastest` where the lost symbols cost even the robust mode more than a threshold allows.

    Then no mode keeps enough frames, and the fastest, which loses the fewest symbols, is taken that would hold without
    lost symbols and with the reserve that they cost at most.
    """
    for m in range(rules.waveform.size - 1, 0, -1):
        w, least_db = rules.waveform[m], rules.clean_db[m]
        if woven.level_db.max() < least_db:
            continue
        if table.weave[w] == NO_CODE:
            detect_on(n_carriers, w, table, desk)
            alone_db = woven_db(desk.terms, n_carriers, w, table, 0.0)
            value = woven_db(desk.terms, n_carriers, w, table, erasure_ratio)
        else:
            value = paths_db(w, False, table, woven)
            alone_db = clean_db(woven.found, w, table, woven)
        if alone_db >= least_db:
            return m, value
    return 0, -np.inf


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
