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
from .plc_exponential import HOPELESS, decays, decibel, flat_snr, least, total
from .plc_flat import Mapping, fill_terms, frame_db
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
    for i in range(n):
        if not arrives(power[i]):
            continue
        fill_terms(power[i], over_noise[heard[i]], table.share, desk.raw)
        clear(desk)
        mean_db[i] = mean_snr_db(n_carriers, table, desk)
        detect_on(n_carriers, rules.waveform[0], table, desk)
        robust_db[i] = _frame(rules.waveform[0], n_carriers, table, desk)
        # the header may need more than the robust mode: the smaller of the two margins counts
        detect_on(n_carriers, head, table, desk)
        header_db = _frame(head, n_carriers, table, desk)
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
                value = _frame(w, n_carriers, table, desk)
            else:
                if not desk.mapped[w]:
                    _map_tones(w, n_carriers, table, rules, desk)
                value = desk.maps_db[w, used - 1]
            if value >= rules.threshold_db[m]:
                mode[i], snr_db[i] = m, value
                break
    return robust_db, mode, snr_db, mean_db


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
            values[i, m] = desk.maps_db[w, rules.subbands[m] - 1]
        detect_on(n_carriers, rules.header, table, desk)
        values[i, -1] = _frame(rules.header, n_carriers, table, desk)
    return values, snr


@njit(cache=True, nogil=True, error_model="numpy")
def _frame(w: int, n_carriers: int, table: Mapping, desk: Desk) -> float:  # pragma: no cover - compiled
    """Flat SNR that stands for the detected terms on the desk, on all carriers [dB]."""
    n_bins, beta, span = table.share.shape[0], table.beta[w], table.span[w, -1]
    n_terms = n_bins * table.data.size
    if span > 0.0:
        smallest = np.float64(least(desk.terms))
        decays(desk.terms, 1.0 / beta, smallest, desk.work)
        offset, mean = -smallest / beta, 0.0
        for b in range(n_bins):
            desk.decay[b] = total(desk.work[b * n_carriers : (b + 1) * n_carriers], n_carriers) / table.data.size
            mean += desk.decay[b] / n_bins
        if np.log(mean) + offset < HOPELESS:
            erased_db, log_odds = table.erased_db[w], table.log_loss[w]
            return over_starts_db(desk.decay, offset, beta, table.detector[w], erased_db, span, log_odds)
    return float(frame_db(desk.terms, n_terms, table.beta[w], table.detector[w], 0.0, desk.work) - table.erased_db[w])


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
    """Effective SNR of a waveform on its best 1, 2, ... sub-bands, ranked by their own mean decay."""
    n_bins, n_subbands, beta = table.share.shape[0], rules.subband_carriers.size, table.beta[w]
    detect_on(n_carriers, w, table, desk)
    if not desk.parted[0]:
        _part(n_carriers, table, rules, desk)
        desk.parted[0] = True
    decays(desk.apart, 1.0 / beta, 0.0, desk.work)
    log_mean, order, cells = desk.log_mean, desk.order, desk.cells
    cells[:] = 0.0
    for b in range(n_bins):
        for k in table.data:
            cells[b, rules.subband[k]] += desk.work[b * n_carriers + k]
    for band in range(n_subbands):
        log_mean[band] = 0.0
        for b in range(n_bins):
            log_mean[band] += cells[b, band]
        log_mean[band] = np.log(log_mean[band] / (n_bins * rules.subband_carriers[band])) - desk.lowest[band] / beta
        place = band
        while place > 0 and log_mean[order[place - 1]] > log_mean[band]:
            order[place] = order[place - 1]
            place -= 1
        order[place] = band
    total_decay, carriers, strongest = 0.0, 0.0, -np.inf
    desk.decay[:] = 0.0
    for used in range(n_subbands):
        band = order[used]
        # ln of a growing sum of exponentials, the newest term the largest; beside it the same of each part of the cycle
        smaller = np.exp(strongest - log_mean[band])
        strongest = log_mean[band]
        total_decay = total_decay * smaller + rules.subband_carriers[band]
        carriers += rules.subband_carriers[band]
        own = np.exp(-desk.lowest[band] / beta - strongest)
        for b in range(n_bins):
            desk.decay[b] = desk.decay[b] * smaller + cells[b, band] * own
        log_decay, span = np.log(total_decay / carriers) + strongest, table.span[w, used]
        if span > 0.0 and log_decay < HOPELESS:
            offset, erased_db, log_odds = strongest - np.log(carriers), table.erased_db[w], table.log_loss[w]
            value = over_starts_db(desk.decay, offset, beta, table.detector[w], erased_db, span, log_odds)
        else:
            value = decibel(flat_snr(-beta * min(log_decay, 0.0), table.detector[w])) - table.erased_db[w]
        desk.maps_db[w, used] = value
    desk.mapped[w] = True
