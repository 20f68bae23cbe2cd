"""What both kernels of the choice of a mode share: rules, scratch of one thread, the SNR of one link on it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .plc_exponential import least, log2_terms, padded, total
from .plc_flat import Mapping, detect_terms

Array = NDArray[Any]

_NONE = -1


class Rules(NamedTuple):
    """What the kernel asks of a mode: columns of `Adaptation`, the header as one more waveform.

    clean_db : (n_modes,) threshold without lost symbols, with what these cost at most on top; where symbols stand alone
    first_carrier, n_between : (n_subbands,) a sub-band reaches over so many carriers; silent ones among them count for
        nothing
    """

    waveform: Array
    subbands: Array
    threshold_db: Array
    clean_db: Array
    header: int
    header_threshold_db: float
    header_floor_db: float
    subband: Array
    subband_carriers: Array
    first_carrier: Array
    n_between: Array


class Desk(NamedTuple):
    """Scratch of one thread: SNR as received and as detected, and what is known about the link at hand.

    maps, offsets, parts : of each waveform on its best 1, 2, ... sub-bands, where ``mapped``: mean decay, the ln of
        what it is short of, and for short frames the same in each part of the half cycle
    decay, hopeless : of the frame judged last: mean decay of the parts, and whether nearly nothing decays
    """

    raw: Array
    terms: Array
    apart: Array
    work: Array
    detector: Array
    parted: Array
    mapped: Array
    maps: Array
    lowest: Array
    log_mean: Array
    order: Array
    decay: Array
    cells: Array
    parts: Array
    offsets: Array
    hopeless: Array


@njit(cache=True, nogil=True, error_model="numpy")
def new_desk(table: Mapping, rules: Rules, n_carriers: int) -> Desk:  # pragma: no cover - compiled
    """An empty desk."""
    size = padded(table.share.shape[0] * n_carriers)
    n_subbands, n_bins = rules.subband_carriers.size, table.share.shape[0]
    raw = np.full(size, np.float32(np.inf))
    return Desk(
        raw,
        raw.copy(),
        np.full(size, np.float32(np.inf)),
        np.empty(size, np.float32),
        np.full(1, _NONE),
        np.zeros(1, np.bool_),
        np.zeros(table.beta.size, np.bool_),
        np.empty((table.beta.size, n_subbands)),
        np.empty(n_subbands, np.float32),
        np.empty(n_subbands),
        np.empty(n_subbands, np.int64),
        np.empty(n_bins),
        np.empty((n_subbands, n_bins)),
        np.empty((table.beta.size, n_subbands, n_bins)),
        np.empty((table.beta.size, n_subbands)),
        np.zeros(1, np.bool_),
    )


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def arrives(power: Array) -> bool:  # pragma: no cover - compiled
    """Whether anything arrives in any state on any carrier."""
    for s in range(power.shape[0]):
        for k in range(power.shape[1]):
            if power[s, k] > 0:
                return True
    return False


@njit(cache=True, nogil=True, error_model="numpy")
def lay_out(desk: Desk, snr: Array) -> None:  # pragma: no cover - compiled
    """The SNR of the link at hand as (n_bins, n_carriers)."""
    n_carriers = snr.shape[1]
    for j in range(snr.size):
        snr[j // n_carriers, j % n_carriers] = desk.raw[j]


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def clear(desk: Desk) -> None:  # pragma: no cover - compiled
    """Forget the link before."""
    desk.detector[0], desk.parted[0] = _NONE, False
    for w in range(desk.mapped.size):
        desk.mapped[w] = False


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def detect_on(n_carriers: int, w: int, table: Mapping, desk: Desk) -> None:  # pragma: no cover - compiled
    """Have the SNR on the desk as the detector of waveform ``w`` sees it."""
    if desk.detector[0] != table.detector[w]:
        detect_terms(desk.raw, table.share.shape[0], n_carriers, table.detector[w], table.silent, desk.terms)
        desk.detector[0] = table.detector[w]
        desk.parted[0] = False


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def mean_snr_db(n_carriers: int, table: Mapping, desk: Desk) -> float:  # pragma: no cover - compiled
    """Mean over data carriers and mains phases of the SNR in dB; -inf where one is dead."""
    n_bins = table.share.shape[0]
    log2_terms(desk.raw, n_bins * n_carriers, desk.work)
    for k in table.silent:
        for b in range(n_bins):
            desk.work[b * n_carriers + k] = 0.0
    mean = total(desk.work, n_bins * n_carriers) / (n_bins * table.data.size)
    return 10.0 * np.log10(2.0) * mean if _all_alive(n_bins, n_carriers, table.data, desk.raw) else -np.inf


@njit(cache=True, nogil=True, error_model="numpy")
def _all_alive(n_bins: int, n_carriers: int, data: Array, snr: Array) -> bool:  # pragma: no cover - compiled
    """Whether every data carrier has some SNR in every part of the half cycle."""
    if least(snr) > 0.0:
        return True
    for k in data:
        for b in range(n_bins):
            if not snr[b * n_carriers + k] > 0.0:
                return False
    return True
