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
from .modem.interleaving import HEADER_CARRIERS, symbol_order
from .plc_exponential import IN_FREQUENCY, decays, decibel, flat_snr
from .plc_waveforms import WAVEFORMS

Array = NDArray[Any]

GRID_DB = np.arange(-40.0, 70.0, 0.05)
"""Flat SNR of the tables that are turned round."""
PILOT_EVERY, CHANNEL_CARRIERS = 8, 97
"""A header gives up every eighth of the 97 carriers of a channel: 84 remain; after ITU-T G.9904 (10/2012) (B)."""

_HALF_STATES = N_STATES // 2
_RUN_OUT = 32
"""Steps past the end of a symbol in which paths may still end; those of weight 10 and 12 last 24 at most."""
_TINY, _LEAST_SUM = 1e-200, 1e-150
"""Keeps masses of paths out of the subnormal range; sums this small are taken again, every carrier 6 dB lower."""
_STEP, _LEAST_SHARE = 0.25, 1e-9
_NEAR, _FAR = float(np.sin(np.pi / 8) ** 2), 0.5
"""d d / 4 of eight phases, one and two steps apart."""
_FIRST_DB, _STEP_DB = float(GRID_DB[0]), 0.05
# what leaving an even state 2j with a 0 sends; an odd one, or a 1, sends the complement
_SENT_FIRST, _SENT_SECOND = (
    (np.bitwise_count((2 * np.arange(_HALF_STATES) & taps).astype(np.uint16)) & 1).astype(np.float64)
    for taps in GENERATORS
)


@lru_cache(maxsize=64)
def code_order(name: str, n_carriers: int) -> Array:
    """Where each coded bit of a symbol stands, in rows of label bits: label bit * n_carriers + carrier.

    Copies stand in other symbols, each a turn of the carriers (`turned`); of a robust waveform this is the first.

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
    Never rises with any SNR. About -345 for anything stronger than single weak paths can tell (`flat_snr_db` can).

    >>> round(log_sum("prime:DBPSK_CC", 1.0, np.full(96, 1.0)), 2)
    -7.05
    """
    row = np.asarray(seen, np.float32)
    return float(np.log(_path_sum(row, 1.0, WAVEFORMS[name].bits, float(beta), code_order(name, row.size))))


@njit(cache=True, nogil=True, error_model="numpy")
def flat_equal_db(
    row: Array, bits: int, copies: float, beta: float, place: Array, log_sums: Array
) -> float:  # pragma: no cover - compiled
    """Flat SNR with the same sum over error paths [dB]; ``row`` as ``seen`` of `log_sum`, float32.

    Very strong links are judged with every carrier lowered in steps of 6 dB until the sum can be told from nothing;
    what is found is raised again.
    """
    share = 1.0
    total = _path_sum(row, share, bits, beta, place)
    while total < _LEAST_SUM and share > _LEAST_SHARE:
        share *= _STEP
        total = _path_sum(row, share, bits, beta, place)
    found_db = where_falling(np.log(total), log_sums)
    if share == 1.0 or found_db == -np.inf:
        return found_db
    flat = 10 ** (found_db / 10)
    return decibel(flat_snr(flat / (2 * flat + 1) * flat / share, IN_FREQUENCY))


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
def _flat_log_sums(
    seen: Array, n_carriers: int, bits: int, beta: float, place: Array
) -> Array:  # pragma: no cover - compiled
    """`flat_log_sums` of SNR behind the detector; falling by a hair where nothing is left to tell."""
    out = np.empty(seen.size)
    for i in range(seen.size):
        row = np.full(n_carriers, np.float32(seen[i]))
        out[i] = np.log(_path_sum(row, 1.0, bits, beta, place))
        if i > 0:
            out[i] = min(out[i], out[i - 1] - 1e-12)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _path_sum(row: Array, share: float, bits: int, beta: float, place: Array) -> float:  # pragma: no cover - compiled
    """Sum over error paths per step; every SNR times ``share``."""
    n, n_steps = row.size, place.size // 2
    decay = np.empty(bits * n, np.float32)
    if bits == 1:
        decays(row, share / beta, 0.0, decay)
    elif bits == 2:
        # two axes, each with half the power
        decays(row, 0.5 * share / beta, 0.0, decay[:n])
        decay[n:] = decay[:n]
    else:
        # eight phases: the last label bit changes next to every phase, the others next to every second
        near, outer = decay[2 * n :], decay[:n]
        decays(row, _NEAR * share / beta, 0.0, near)
        decays(row, _FAR * share / beta, 0.0, outer)
        for k in range(n):
            outer[k] = np.float32(0.5) * (outer[k] + near[k])
        decay[n : 2 * n] = outer
    first, second = np.empty(n_steps), np.empty(n_steps)
    for t in range(n_steps):
        first[t], second[t] = decay[place[2 * t]], decay[place[2 * t + 1]]
    return _returning(first, second) / n_steps


@njit(cache=True, nogil=True, error_model="numpy")
def _returning(first: Array, second: Array) -> float:  # pragma: no cover - compiled
    """Mass that leaves the right path at any step of a symbol, in products of decays, and comes back to it.

    first, second : (n_steps,) decay of both coded bits of a step; what follows the symbol is taken to be like it.
    """
    n, total = first.size, 0.0
    here, there = np.zeros(N_STATES), np.zeros(N_STATES)
    for t in range(n + _RUN_OUT):
        a, b = first[t % n], second[t % n]
        for j in range(_HALF_STATES):
            even, odd = here[2 * j] + _TINY, here[2 * j + 1] + _TINY
            same = (1.0 + _SENT_FIRST[j] * (a - 1.0)) * (1.0 + _SENT_SECOND[j] * (b - 1.0))
            other = (a - _SENT_FIRST[j] * (a - 1.0)) * (b - _SENT_SECOND[j] * (b - 1.0))
            there[j] = same * even + other * odd
            there[_HALF_STATES + j] = other * even + same * odd
        total += there[0]
        there[0] = 0.0
        if t < n:
            there[_HALF_STATES] += a * b
        here, there = there, here
    return total
