"""What unequal carriers cost a convolutional code woven within one symbol, or four: the sum over its error paths.

A frame is lost where the decoder prefers a wrong path through the code's trellis to the right one. Two paths that
differ in some coded bits are confused with a chance of about the product of those bits' decays (Chernoff): a bit whose
points lie d apart at unit power decays by exp(-SNR d d / 4). The sum of these products over all paths and places where
they begin is the union bound; in code order, behind the real interleaver, it sees which bits of a path share bad
carriers. A flat channel with the same sum loses as many symbols, so that only the ratio of two bounds counts, not
their height; one scale per waveform, fitted with the modem, takes up the rest.

References
----------
A. J. Viterbi, IEEE Trans. Commun. Technol. COM-19 (5), 1971, pp. 751-772 (error paths and their generating function).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .modem.convolutional import GENERATORS, N_STATES
from .modem.interleaving import symbol_order
from .plc_exponential import IN_FREQUENCY, decays, decibel, flat_snr
from .plc_waveforms import WAVEFORMS

Array = NDArray[Any]

LANES = 8
"""Channels that a kernel treats at once."""
GRID_DB = np.arange(-40.0, 70.0, 0.05)
"""Flat SNR of the tables that are turned round."""
PILOT_EVERY, CHANNEL_CARRIERS = 8, 97
"""A header gives up every eighth of the 97 carriers of a channel: 84 remain; after ITU-T G.9904 (10/2012) (B)."""

HALF_STATES = N_STATES // 2
WARM_UP = 32
"""Steps of the symbol before that paths may come from; those of weight 10 and 12 last 24 at most."""
_FLOOR = 1e-15
"""Smallest decay of a bit: 12 of them, as many as lead to any state, stay clear of the subnormal range."""
_LEAST_SUM, _STEP, _LEAST_SHARE = 1e-40, 0.25, 1e-9
"""Sums this small are taken again, every carrier 6 dB lower."""
_FREE_DISTANCE, _OUT_OF_REACH = 10, 100.0
"""Bits of the shortest paths, and what they decay by where the sum is too small anyway."""
NEAR, FAR = float(np.sin(np.pi / 8) ** 2), 0.5
"""d d / 4 of eight phases, one and two steps apart."""
_FIRST_DB, _STEP_DB = float(GRID_DB[0]), 0.05
# what leaving an even state 2j with a 0 sends; an odd one, or a 1, sends the complement
SENT = np.array([2, 1]) @ [
    np.bitwise_count((2 * np.arange(HALF_STATES) & taps).astype(np.uint16)) & 1 for taps in GENERATORS
]


@lru_cache(maxsize=64)
def code_order(name: str, n_carriers: int) -> Array:
    """Where each coded bit of a symbol stands, in rows of label bits: label bit * n_carriers + carrier.

    Copies stand in other symbols, each a turn of the carriers further; of a robust waveform this is the first.

    >>> code_order("prime:DQPSK_CC", 96)[:3].tolist()
    [0, 6, 12]
    """
    bits = WAVEFORMS[name].bits
    order = symbol_order(n_carriers, bits)
    return np.asarray(order % bits * n_carriers + order // bits)


def block_carriers(name: str, data: Array) -> Array:
    """Those of the data carriers that a waveform uses: a header leaves some to pilots.

    >>> block_carriers("prime:HEADER", np.arange(1, 97)).size
    84
    """
    carrier = np.asarray(data)
    if not name.endswith("HEADER"):
        return carrier
    return np.asarray(carrier[carrier % CHANNEL_CARRIERS % PILOT_EVERY != 0])


@lru_cache(maxsize=64)
def flat_log_sums(name: str, beta: float, n_carriers: int) -> Array:
    """(n_grid,) ln of the sum over error paths of flat channels, `GRID_DB`."""
    power = 10 ** (GRID_DB / 10)
    seen = power * power / (2 * power + 1) * WAVEFORMS[name].repetition
    return np.asarray(_flat_log_sums(seen, n_carriers, WAVEFORMS[name].bits, beta, code_order(name, n_carriers)))


def log_sum(name: str, beta: float, seen: Array) -> float:
    """ln of the sum over error paths per step of the code.

    Parameters
    ----------
    name, beta
        Waveform woven over one symbol or four, and its scale.
    seen : (n_carriers,)
        SNR behind the detector, linear, of the data carriers in their order; with copies the sum of theirs.

    Returns
    -------
    Never rises with any SNR; beyond about -90 strong bits may count less than they could (`flat_equal_db` mends that).

    >>> round(log_sum("prime:DBPSK_CC", 1.0, np.full(96, 1.0)), 2)
    -6.53
    """
    rows = np.zeros((LANES, np.size(seen)), np.float32)
    rows[0] = seen
    order = code_order(name, rows.shape[1])
    return float(np.log(_path_sums(rows, np.ones(LANES), WAVEFORMS[name].bits, float(beta), order)[0]))


@njit(cache=True, nogil=True, error_model="numpy")
def flat_equal_db(
    rows: Array, bits: int, beta: float, order: Array, log_sums: Array, out_db: Array
) -> None:  # pragma: no cover - compiled
    """Flat SNR with the same sum over error paths [dB], `LANES` channels at once.

    rows : (LANES, n_carriers) float32, each as ``seen`` of `log_sum`;  out_db : (LANES,)

    Very strong links are judged with every carrier lowered in steps of 6 dB until the sum can be told from nothing;
    what is found is raised again.
    """
    share = np.ones(LANES)
    for i in range(LANES):
        weakest = np.float64(rows[i].min()) * (1.0, 0.5, NEAR)[bits - 1] / beta
        while _FREE_DISTANCE * weakest * share[i] > _OUT_OF_REACH and share[i] > _LEAST_SHARE:
            share[i] *= _STEP
    while True:
        total = _path_sums(rows, share, bits, beta, order)
        again = False
        for i in range(LANES):
            if total[i] < _LEAST_SUM and share[i] > _LEAST_SHARE:
                share[i] *= _STEP
                again = True
        if not again:
            break
    for i in range(LANES):
        found_db = where_falling(np.log(total[i]), log_sums)
        if share[i] < 1.0 and found_db > -np.inf:
            flat = 10 ** (found_db / 10)
            found_db = decibel(flat_snr(flat / (2 * flat + 1) * flat / share[i], IN_FREQUENCY))
        out_db[i] = found_db


@njit(cache=True, nogil=True, error_model="numpy")
def where_falling(value: float, table: Array) -> float:  # pragma: no cover - compiled
    """Where on `GRID_DB` a falling table takes a value; -inf for what lies above its first."""
    if value >= table[0]:
        return -np.inf
    low, high = 0, table.size - 1
    while high - low > 1:
        middle = (low + high) // 2
        if table[middle] > value:
            low = middle
        else:
            high = middle
    return float(_FIRST_DB + _STEP_DB * (low + (table[low] - value) / (table[low] - table[high])))


@njit(cache=True, nogil=True, error_model="numpy")
def falling_at(snr_db: float, table: Array) -> float:  # pragma: no cover - compiled
    """Value of a table on `GRID_DB`; straight beyond the grid, its first value below."""
    place = (snr_db - _FIRST_DB) / _STEP_DB
    if not place > 0.0:
        return float(table[0])
    left = int(min(place, table.size - 2.0))
    return float(table[left] + (place - left) * (table[left + 1] - table[left]))


@njit(cache=True, nogil=True, error_model="numpy")
def _flat_log_sums(
    seen: Array, n_carriers: int, bits: int, beta: float, order: Array
) -> Array:  # pragma: no cover - compiled
    """`flat_log_sums` of SNR behind the detector; falling by a hair where nothing is left to tell."""
    out, share = np.empty(seen.size), np.ones(LANES)
    rows = np.zeros((LANES, n_carriers), np.float32)
    for start in range(0, seen.size, LANES):
        n = min(LANES, seen.size - start)
        for i in range(n):
            rows[i] = seen[start + i]
        out[start : start + n] = np.log(_path_sums(rows, share, bits, beta, order)[:n])
    for i in range(1, seen.size):
        out[i] = min(out[i], out[i - 1] - 1e-12)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _path_sums(rows: Array, share: Array, bits: int, beta: float, order: Array) -> Array:  # pragma: no cover - compiled
    """(LANES,) sum over error paths per step; every SNR of a row times its ``share``."""
    n = rows.shape[1]
    decay, coded = np.empty(bits * n, np.float32), np.empty((order.size, LANES))
    for i in range(LANES):
        _bit_decays(rows[i], bits, share[i] / beta, decay)
        for k in range(order.size):
            coded[k, i] = max(np.float64(decay[order[k]]), _FLOOR)
    return _returning(coded)


@njit(cache=True, nogil=True, error_model="numpy")
def _bit_decays(row: Array, bits: int, per_beta: float, decay: Array) -> None:  # pragma: no cover - compiled
    """(bits * n_carriers,) decay of every label bit of every carrier."""
    n = row.size
    if bits == 1:
        decays(row, per_beta, 0.0, decay)
    elif bits == 2:
        # two axes, each with half the power
        decays(row, 0.5 * per_beta, 0.0, decay[:n])
        decay[n:] = decay[:n]
    else:
        # eight phases: the last label bit changes next to every phase, the others next to every second
        outer, near = decay[:n], decay[2 * n :]
        decays(row, NEAR * per_beta, 0.0, near)
        decays(row, FAR * per_beta, 0.0, outer)
        for k in range(n):
            outer[k] = np.float32(0.5) * (outer[k] + near[k])
        decay[n : 2 * n] = outer


@njit(cache=True, nogil=True, error_model="numpy")
def _returning(coded: Array) -> Array:  # pragma: no cover - compiled
    """(LANES,) mass that comes back to the right path per step, in products of decays.

    coded : (2 n_steps, LANES) decay of the coded bits of a symbol; the symbol before is taken to be like it.
    """
    n_steps, total = coded.shape[0] // 2, np.zeros(LANES)
    here, there, weight = np.zeros((N_STATES, LANES)), np.zeros((N_STATES, LANES)), np.ones((4, LANES))
    for t in range(-WARM_UP, n_steps):
        at = 2 * (t % n_steps)
        for i in range(LANES):
            weight[1, i], weight[2, i] = coded[at + 1, i], coded[at, i]
            weight[3, i] = weight[1, i] * weight[2, i]
        _one_step(weight, here, there)
        if t >= 0:
            for i in range(LANES):
                total[i] += there[0, i]
        for i in range(LANES):
            # back on the right path; and a new one leaves it
            there[0, i] = 0.0
            there[HALF_STATES, i] += weight[3, i]
        here, there = there, here
    return np.asarray(total / n_steps)


@njit(cache=True, nogil=True, error_model="numpy")
def _one_step(weight: Array, here: Array, there: Array) -> None:  # pragma: no cover - compiled
    """Masses of all states one step on; unsigned places spare the loop its tests and let it be vectorised."""
    one = np.uint64(1)
    for j in range(np.uint64(HALF_STATES)):
        same = np.uint64(SENT[j])
        other, even, high = np.uint64(3) - same, j + j, j + np.uint64(HALF_STATES)
        for i in range(np.uint64(LANES)):
            there[j, i] = weight[same, i] * here[even, i] + weight[other, i] * here[even + one, i]
            there[high, i] = weight[other, i] * here[even, i] + weight[same, i] * here[even + one, i]
