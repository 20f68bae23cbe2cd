"""Kernels of the choice of a mode where frames are woven as a whole: cheap tests first, tone maps where they matter.

Families woven symbol by symbol have kernels of their own (`plc_choice_symbols`): compiled together with these, every
use of G3 would wait for the compilation of both.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .plc_desk import Desk, Rules, arrives, clear, detect_on, lay_out, mean_snr_db, new_desk
from .plc_exponential import HOPELESS, decays, decibel, flat_snr, least, small_log_decay, total
from .plc_flat import Mapping, fill_terms
from .plc_starts import over_starts_db

Array = NDArray[Any]


@njit(cache=True, nogil=True, error_model="numpy")
def choose_links(
    power: Array, heard: Array, over_noise: Array, table: Mapping, rules: Rules
) -> tuple[Array, Array, Array, Array]:  # pragma: no cover - compiled
    """`plc_choice.choose` link by link, frames woven as a whole."""
    n, n_carriers = power.shape[0], power.shape[2]
    robust_db, mode = np.full(n, -np.inf), np.full(n, -1, np.int8)
    snr_db, mean_db = np.full(n, -np.inf), np.full(n, -np.inf)
    desk = new_desk(table, rules, n_carriers)
    top, head, n_subbands = rules.waveform.size - 1, rules.header, rules.subband_carriers.size
    milder = _header_is_milder(table, rules)
    for i in range(n):
        if not arrives(power[i]):
            continue
        fill_terms(power[i], over_noise[heard[i]], table.share, desk.raw)
        clear(desk)
        mean_db[i] = mean_snr_db(n_carriers, table, desk)
        detect_on(n_carriers, rules.waveform[0], table, desk)
        robust_db[i] = _frame(rules.waveform[0], n_carriers, table, desk, -np.inf, np.inf)
        if desk.hopeless[0] and milder:
            snr_db[i] = robust_db[i]
            continue
        # the header may need more than the robust mode: the smaller of the two margins counts
        detect_on(n_carriers, head, table, desk)
        enough_db = max(rules.header_threshold_db, robust_db[i] - rules.threshold_db[0] + rules.header_floor_db)
        header_db = _frame(head, n_carriers, table, desk, -np.inf, enough_db)
        if rules.header_floor_db > -np.inf:
            robust_db[i] = min(robust_db[i], header_db - rules.header_floor_db + rules.threshold_db[0])
        snr_db[i] = robust_db[i]
        if robust_db[i] < rules.threshold_db[0]:
            continue
        mode[i] = 0
        if header_db < rules.header_threshold_db:
            continue
        for m in range(top, 0, -1):
            w, used = rules.waveform[m], rules.subbands[m]
            if (used == n_subbands and m == top) or n_subbands == 1:
                # most links carry the fastest mode on all carriers: no tone map is made for them
                detect_on(n_carriers, w, table, desk)
                value = _frame(w, n_carriers, table, desk, rules.threshold_db[m], np.inf)
            else:
                if not desk.mapped[w]:
                    _map_tones(w, n_carriers, table, rules, desk)
                value = _tone_map(w, used - 1, table, desk, rules.threshold_db[m])
            if value >= rules.threshold_db[m]:
                mode[i], snr_db[i] = m, value
                break
    return robust_db, mode, snr_db, mean_db


@njit(cache=True, nogil=True, error_model="numpy")
def _header_is_milder(table: Mapping, rules: Rules) -> bool:  # pragma: no cover - compiled
    """Whether the header never has the smaller margin where nearly nothing decays, and both see the mean alone."""
    w, head = rules.waveform[0], rules.header
    same = table.detector[head] == table.detector[w] and table.beta[head] >= table.beta[w]
    cheaper = table.erased_db[head] <= table.erased_db[w] and rules.header_floor_db <= rules.threshold_db[0]
    return bool(same and cheaper)


@njit(cache=True, nogil=True, error_model="numpy")
def mode_values(
    power: Array, heard: Array, over_noise: Array, table: Mapping, rules: Rules
) -> tuple[Array, Array]:  # pragma: no cover - compiled
    """(n, n_modes + 1) effective SNR of every mode and, last, of the header [dB]; (n, n_bins, n_carriers) SNR."""
    n, n_carriers, n_modes = power.shape[0], power.shape[2], rules.waveform.size
    n_bins = table.share.shape[0]
    values, snr = np.full((n, n_modes + 1), -np.inf), np.empty((n, n_bins, n_carriers), np.float32)
    desk = new_desk(table, rules, n_carriers)
    for i in range(n):
        fill_terms(power[i], over_noise[heard[i]], table.share, desk.raw)
        lay_out(desk, snr[i])
        clear(desk)
        for m in range(n_modes):
            w = rules.waveform[m]
            if not desk.mapped[w]:
                _map_tones(w, n_carriers, table, rules, desk)
            values[i, m] = _tone_map(w, rules.subbands[m] - 1, table, desk, -np.inf)
        detect_on(n_carriers, rules.header, table, desk)
        values[i, -1] = _frame(rules.header, n_carriers, table, desk, -np.inf, np.inf)
    return values, snr


@njit(cache=True, nogil=True, error_model="numpy")
def _frame(
    w: int, n_carriers: int, table: Mapping, desk: Desk, least_db: float, enough_db: float
) -> float:  # pragma: no cover - compiled
    """Flat SNR that stands for the detected terms on the desk, on all carriers [dB]; limits as in `over_starts_db`."""
    n_bins, beta, span = table.share.shape[0], table.beta[w], table.span[w, -1]
    n_terms = n_bins * table.data.size
    smallest = np.float64(least(desk.terms))
    decays(desk.terms, 1.0 / beta, smallest, desk.work)
    offset = -smallest / beta
    log_decay = np.log(total(desk.work, desk.work.size) / n_terms) + offset
    desk.hopeless[0] = log_decay > HOPELESS
    if desk.hopeless[0]:
        log_decay = small_log_decay(desk.terms, n_terms, beta, smallest, desk.work)
    elif span > 0.0:
        for b in range(n_bins):
            desk.decay[b] = total(desk.work[b * n_carriers : (b + 1) * n_carriers], n_carriers) / table.data.size
        return over_starts_db(desk.decay, offset, span, table.decay_odds[w], table.log_loss[w], least_db, enough_db)
    return float(decibel(flat_snr(-beta * min(log_decay, 0.0), table.detector[w])) - table.erased_db[w])


@njit(cache=True, nogil=True, error_model="numpy")
def _tone_map(w: int, at: int, table: Mapping, desk: Desk, least_db: float) -> float:  # pragma: no cover - compiled
    """Flat SNR of a mapped waveform on its best ``at`` + 1 sub-bands; -inf may stand for less than asked for [dB]."""
    offset, span = desk.offsets[w, at], table.span[w, at]
    log_decay = np.log(desk.maps[w, at]) + offset
    if span > 0.0 and log_decay < HOPELESS:
        decay, odds, loss = desk.parts[w, at], table.decay_odds[w], table.log_loss[w]
        return over_starts_db(decay, offset, span, odds, loss, least_db, np.inf)
    return float(decibel(flat_snr(-table.beta[w] * min(log_decay, 0.0), table.detector[w])) - table.erased_db[w])


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _part(n_carriers: int, table: Mapping, rules: Rules, desk: Desk) -> None:  # pragma: no cover - compiled
    """Lowest SNR of each sub-band, and every term above that of its own."""
    n_bins = table.share.shape[0]
    lowest = desk.work[:n_carriers]
    bits, least_bits = desk.terms.view(np.int32), lowest.view(np.int32)
    for k in range(n_carriers):
        lowest[k] = np.inf
    for b in range(n_bins):
        here_bits = bits[b * n_carriers : (b + 1) * n_carriers]
        for k in range(n_carriers):
            least_bits[k] = min(here_bits[k], least_bits[k])
    for band in range(desk.lowest.size):
        desk.lowest[band] = np.inf
    for k in table.data:
        desk.lowest[rules.subband[k]] = min(desk.lowest[rules.subband[k]], lowest[k])
    for k in range(n_carriers):
        lowest[k] = desk.lowest[max(rules.subband[k], 0)]
    for b in range(n_bins):
        here = desk.terms[b * n_carriers : (b + 1) * n_carriers]
        above = desk.apart[b * n_carriers : (b + 1) * n_carriers]
        for k in range(n_carriers):
            above[k] = here[k] - lowest[k]


@njit(cache=True, nogil=True, error_model="numpy")
def _map_tones(
    w: int, n_carriers: int, table: Mapping, rules: Rules, desk: Desk
) -> None:  # pragma: no cover - compiled
    """Mean decay of a waveform on its best 1, 2, ... sub-bands, ranked by their own; short frames part by part."""
    n_bins, n_subbands, beta = table.share.shape[0], rules.subband_carriers.size, table.beta[w]
    detect_on(n_carriers, w, table, desk)
    if not desk.parted[0]:
        _part(n_carriers, table, rules, desk)
        desk.parted[0] = True
    decays(desk.apart, 1.0 / beta, 0.0, desk.work)
    log_mean, order, cells = desk.log_mean, desk.order, desk.cells
    short = table.span[w].any()
    n_rows = n_bins if short else 1
    if not short:
        # nobody asks for the parts of the half cycle: their sum is enough
        for b in range(1, n_bins):
            for k in range(n_carriers):
                desk.work[k] += desk.work[b * n_carriers + k]
    for band in range(n_subbands):
        first, end = rules.first_carrier[band], rules.first_carrier[band] + rules.n_between[band]
        log_mean[band] = 0.0
        for b in range(n_rows):
            cell = np.float32(0.0)
            for j in range(b * n_carriers + first, b * n_carriers + end):
                cell += desk.work[j]
            cells[band, b] = cell
            log_mean[band] += cell
        log_mean[band] = np.log(log_mean[band] / (n_bins * rules.subband_carriers[band])) - desk.lowest[band] / beta
        place = band
        while place > 0 and log_mean[order[place - 1]] > log_mean[band]:
            order[place] = order[place - 1]
            place -= 1
        order[place] = band
    sum_decay, carriers, strongest = 0.0, 0.0, -np.inf
    desk.decay[:] = 0.0
    for used in range(n_subbands):
        band = order[used]
        # a growing sum of exponentials, the newest term the largest; beside it the same of each part of the half cycle
        smaller = np.exp(strongest - log_mean[band])
        strongest = log_mean[band]
        sum_decay = sum_decay * smaller + rules.subband_carriers[band]
        carriers += rules.subband_carriers[band]
        desk.maps[w, used], desk.offsets[w, used] = sum_decay / carriers, strongest
        if short:
            own = np.exp(-desk.lowest[band] / beta - strongest)
            for b in range(n_bins):
                desk.decay[b] = desk.decay[b] * smaller + cells[band, b] * own
                desk.parts[w, used, b] = desk.decay[b] / carriers
    desk.mapped[w] = True
