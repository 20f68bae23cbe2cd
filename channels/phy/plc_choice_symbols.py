"""Kernels of the choice of a mode where every symbol, or block of four, stands or falls by itself: PRIME."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .plc_desk import Rules, arrives, clear, detect_on, lay_out, mean_snr_db, new_desk
from .plc_flat import Mapping, fill_terms, woven_db

Array = NDArray[Any]


@njit(cache=True, nogil=True, error_model="numpy")
def choose_woven(
    power: Array, heard: Array, over_noise: Array, table: Mapping, rules: Rules, erasure_ratio: float
) -> tuple[Array, Array, Array, Array]:  # pragma: no cover - compiled
    """`plc_choice.choose` link by link: the robust mode, the header, then modes from the fastest down."""
    n, n_carriers, n_modes = power.shape[0], power.shape[2], rules.waveform.size
    robust_db, mode = np.full(n, -np.inf), np.full(n, -1, np.int8)
    snr_db, mean_db = np.full(n, -np.inf), np.full(n, -np.inf)
    desk = new_desk(table, rules, n_carriers)
    for i in range(n):
        if not arrives(power[i]):
            continue
        fill_terms(power[i], over_noise[heard[i]], table.share, desk.raw)
        clear(desk)
        mean_db[i] = mean_snr_db(n_carriers, table, desk)
        for step in range(n_modes + 1):
            m = n_modes + 1 - step
            w = rules.header if step == 1 else rules.waveform[0 if step == 0 else m]
            detect_on(n_carriers, w, table, desk)
            value = woven_db(desk.terms, n_carriers, w, table, erasure_ratio)
            if step == 0:
                robust_db[i] = value
            elif step == 1:
                # the header may need more than the robust mode: the smaller of the two margins counts
                if rules.header_floor_db > -np.inf:
                    robust_db[i] = min(robust_db[i], value - rules.header_floor_db + rules.threshold_db[0])
                snr_db[i] = robust_db[i]
                if robust_db[i] < rules.threshold_db[0]:
                    break
                mode[i] = 0
                if value < rules.header_threshold_db:
                    break
            elif value >= rules.threshold_db[m]:
                mode[i], snr_db[i] = m, value
                break
    return robust_db, mode, snr_db, mean_db


@njit(cache=True, nogil=True, error_model="numpy")
def woven_values(
    power: Array, heard: Array, over_noise: Array, table: Mapping, rules: Rules, erasure_ratio: float
) -> tuple[Array, Array]:  # pragma: no cover - compiled
    """`plc_choice_frames.mode_values` of the same families."""
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
