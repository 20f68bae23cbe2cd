"""Which mode a power line link takes: the fastest whose effective SNR holds, over carriers and mains phases.

One compiled loop over links, single precision, without a temporary of links x mains phases x carriers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .plc_choice import Rules, choose_links, mode_values
from .plc_choice_woven import choose_woven, woven_values
from .plc_curve_fit import Curves, row_of
from .plc_curves import error_ratio, scale
from .plc_effective_snr import check_share, erasure_loss_db, mapping
from .plc_flat import Mapping
from .plc_waveforms import WAVEFORMS

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Adaptation:
    """Modes of a family on one band, as columns; the first is the robust one, on all carriers: all others rest on it.

    waveforms : names, each once;  beta : (n_waveforms,) scale of the effective SNR, 0 where there is no code
    mode_waveform, mode_subbands : (n_modes,) index in ``waveforms`` and sub-bands used, always the best ones
    threshold_db : (n_modes,) effective SNR needed, implementation loss and reserve included
    rate_bps : (n_modes,) rising
    header, header_beta, header_threshold_db : waveform of the frame header; modes above the first need it
    header_floor_db : effective SNR of the header that even the first mode needs, where its own threshold does not
        already say so; -inf where it does
    subband_of_carrier : (n_carriers,) 0 to n - 1; -1 where a carrier bears no data (notched, or a pilot)
    state_of_bin : (n_bins,) network state in each part of the half cycle
    symbol_bins, window_bins : symbol period and receiver's window in parts of the half cycle
    loss_db : implementation loss that the thresholds contain; modes interleaved over less than a frame lose symbols one
        by one and need it apart
    """

    waveforms: tuple[str, ...]
    beta: Array
    mode_waveform: Array
    mode_subbands: Array
    threshold_db: Array
    rate_bps: Array
    header: str
    header_beta: float
    header_threshold_db: float
    subband_of_carrier: Array
    state_of_bin: Array
    symbol_bins: float = 0.0
    window_bins: float = 0.0
    loss_db: float = 0.0
    header_floor_db: float = -np.inf

    def __post_init__(self) -> None:
        """Refuse tables that contradict themselves."""
        _check(self)

    @property
    def framed(self) -> bool:
        """Whether frames are woven as a whole; all waveforms of a family are, or none."""
        return WAVEFORMS[self.header].interleaving == "frame"

    @property
    def n_subbands(self) -> int:
        """Groups of carriers that a tone map switches."""
        return int(self.subband_of_carrier.max()) + 1


def adaptation(
    modes: Sequence[tuple[str, int]],
    threshold_db: ArrayLike,
    rate_bps: ArrayLike,
    *,
    header: str,
    header_threshold_db: float,
    subband_of_carrier: ArrayLike,
    state_of_bin: ArrayLike = (0,),
    symbol_bins: float = 0.0,
    window_bins: float = 0.0,
    loss_db: float = 0.0,
    header_floor_db: float = -np.inf,
) -> Adaptation:
    """An `Adaptation` from a table of modes, with the stored scales of the effective SNR.

    Parameters
    ----------
    modes : waveform and number of sub-bands of each mode, in rising order of rate;  others : see `Adaptation`

    >>> one = adaptation(
    ...     [("prime:DBPSK", 1)], [9.0], [42.9e3], header="prime:DQPSK", header_threshold_db=2.0,
    ...     subband_of_carrier=[-1] + 96 * [0],
    ... )  # fmt: skip
    >>> one.n_subbands
    1
    """
    names = tuple(dict.fromkeys(name for name, _ in modes))
    return Adaptation(
        names,
        np.array([_scale_or_none(name) for name in names]),
        np.array([names.index(name) for name, _ in modes], np.int64),
        np.array([count for _, count in modes], np.int64),
        np.asarray(threshold_db, np.float64),
        np.asarray(rate_bps, np.float64),
        header,
        _scale_or_none(header),
        float(header_threshold_db),
        np.asarray(subband_of_carrier, np.int64),
        np.asarray(state_of_bin, np.int64),
        float(symbol_bins),
        float(window_bins),
        float(loss_db),
        float(header_floor_db),
    )


def _scale_or_none(name: str) -> float:
    """Scale of a coded waveform; 0 for one without a code, whose carriers fail one by one."""
    row_of(name)
    return scale(name) if WAVEFORMS[name].coded else 0.0


def _check(table: Adaptation) -> None:
    """Refuse tables that contradict themselves."""
    n_modes = table.mode_waveform.size
    if not 0 < n_modes <= 127:
        raise ValueError(f"{n_modes} modes are no table; give 1 to 127")
    for key in ("mode_subbands", "threshold_db", "rate_bps"):
        if getattr(table, key).shape != (n_modes,):
            raise ValueError(f"{key} must have one entry for each of the {n_modes} modes")
    if np.any(np.diff(table.rate_bps) < 0):
        raise ValueError("modes must stand in rising order of rate_bps; sort them")
    if np.any(bad := (table.mode_subbands < 1) | (table.mode_subbands > table.n_subbands)):
        count = table.mode_subbands[bad][0]
        raise ValueError(f"a mode on {count} sub-bands does not fit a band of {table.n_subbands}; use 1 to all")
    if table.n_subbands < 1 or np.any(np.bincount(table.subband_of_carrier[table.subband_of_carrier >= 0]) == 0):
        raise ValueError("every sub-band needs a carrier; number them 0, 1, ... without gaps")
    for name, count in zip(np.array(table.waveforms)[table.mode_waveform], table.mode_subbands, strict=True):
        if WAVEFORMS[name].interleaving != "frame" and count < table.n_subbands:
            raise ValueError(f"{name} is not woven over the frame and has no tone map; let it use all sub-bands")
    if table.mode_subbands[0] < table.n_subbands:
        raise ValueError("the first mode is the robust one and goes out on all carriers; let it use all sub-bands")
    for name, beta in zip((*table.waveforms, table.header), (*table.beta, table.header_beta), strict=True):
        if WAVEFORMS[name].coded and not beta > 0:
            raise ValueError(f"{name} needs a positive scale of its effective SNR, not {beta}")
        if WAVEFORMS[name].interleaving == "four_symbols" and not table.symbol_bins > 0:
            raise ValueError(f"{name} is woven over four symbols; symbol_bins must tell how far apart they are")
    pairs = {WAVEFORMS[name].detection == "frequency" for name in (*table.waveforms, table.header)}
    if len(pairs) > 1:
        raise ValueError("one family compares either symbols or carriers; do not mix g3 and prime waveforms")
    if True in pairs and table.subband_of_carrier[0] >= 0:
        raise ValueError("the lowest carrier is the reference of the one above it; give it sub-band -1")


class Choice(NamedTuple):
    """What each link carries in one direction.

    robust_snr_db : (n,) effective SNR of the robust mode on all carriers [dB]
    mode : (n,) int8, fastest mode that holds; -1 where the robust one does not
    snr_db : (n,) effective SNR of that mode on its carriers; of the robust one where there is no mode [dB]
    mean_snr_db : (n,) mean over carriers and the half cycle of the SNR in dB
    """

    robust_snr_db: Array
    mode: Array
    snr_db: Array
    mean_snr_db: Array


def _tables(one: Adaptation, curves: Curves | None, erasure_ratio: float) -> tuple[Mapping, Rules]:
    """The kernel's tables of a family; those of the stored curves are kept."""
    return _kept_tables(one, erasure_ratio) if curves is None else _made_tables(one, curves, erasure_ratio)


@lru_cache(maxsize=8)
def _kept_tables(one: Adaptation, erasure_ratio: float) -> tuple[Mapping, Rules]:
    return _made_tables(one, None, erasure_ratio)


def _made_tables(one: Adaptation, curves: Curves | None, erasure_ratio: float) -> tuple[Mapping, Rules]:
    band = one.subband_of_carrier
    table = mapping(
        (*one.waveforms, one.header),
        np.append(one.beta, one.header_beta),
        band >= 0,
        one.state_of_bin,
        symbol_bins=one.symbol_bins,
        window_bins=one.window_bins,
        loss_db=one.loss_db,
        curves=curves,
    )
    carriers = np.bincount(band[band >= 0]).astype(np.float64)
    wave, thresholds = one.mode_waveform, one.threshold_db
    table = table._replace(erased_db=_erased_db(one, erasure_ratio))
    return table, Rules(
        wave,
        one.mode_subbands,
        thresholds,
        len(one.waveforms),
        one.header_threshold_db,
        one.header_floor_db,
        band,
        carriers,
    )


def _erased_db(one: Adaptation, erasure_ratio: float) -> Array:
    """(n_waveforms + 1,) what erased symbols cost each waveform at its lowest threshold, the header last [dB]."""
    lowest = [one.threshold_db[one.mode_waveform == row].min() for row in range(len(one.waveforms))]
    return np.array(
        [
            erasure_loss_db(floor_db, beta, WAVEFORMS[name].detection, erasure_ratio)
            if WAVEFORMS[name].interleaving == "frame"
            else 0.0
            for name, beta, floor_db in zip(
                (*one.waveforms, one.header),
                (*one.beta, one.header_beta),
                (*lowest, one.header_threshold_db),
                strict=True,
            )
        ]
    )


def choose(
    power: Array,
    heard: Array,
    over_noise: Array,
    adaptation: Adaptation,
    erasure_ratio: float = 0.0,
    *,
    curves: Curves | None = None,
) -> Choice:
    """Mode and effective SNR of every link in one direction.

    Parameters
    ----------
    power : (n, n_states, n_carriers) float32
        Received power over sent power in each network state, linear; 0 where nothing arrives.
    heard : (n,) int
        Row of the receiver in ``over_noise``.
    over_noise : (n_rows, n_bins, n_carriers) float32
        Level of a carrier over the receiver's noise in each part of the half cycle, linear.
    adaptation
        Modes of the family.
    erasure_ratio
        Share of symbols that impulses wipe out, 0 to 1. Where a frame is woven as a whole it stands as a loss, exact
        at the threshold, so that strong links keep telling how strong they are.

    Returns
    -------
    Choice. A mode above the first is taken where the first one and the header hold and its effective SNR on its best
    sub-bands (ranked by their own mean decay) reaches its threshold. Raises ValueError where shapes do not fit.
    """
    _check_links(power, heard, over_noise, adaptation)
    check_share(erasure_ratio)
    table, rules = _tables(adaptation, curves, float(erasure_ratio))
    arrays = np.asarray(power, np.float32), np.asarray(heard, np.int64), np.asarray(over_noise, np.float32)
    if adaptation.framed:
        return Choice(*choose_links(*arrays, table, rules))
    return Choice(*choose_woven(*arrays, table, rules, float(erasure_ratio)))


def _check_links(power: Array, heard: Array, over_noise: Array, one: Adaptation) -> None:
    """Refuse shapes that do not fit each other."""
    bins, carriers = one.state_of_bin.size, one.subband_of_carrier.size
    states = int(one.state_of_bin.max()) + 1
    if power.ndim != 3 or power.shape[1] < states or power.shape[2] != carriers:
        raise ValueError(f"power has shape {power.shape}; this band needs (n, {states}, {carriers})")
    if over_noise.ndim != 3 or over_noise.shape[1:] != (bins, carriers):
        raise ValueError(f"over_noise has shape {over_noise.shape}; this band needs (n_rows, {bins}, {carriers})")
    if heard.shape != power.shape[:1] or np.any((heard < 0) | (heard >= over_noise.shape[0])):
        raise ValueError(f"heard must name one of the {over_noise.shape[0]} rows of over_noise for every link")


class Numbers(NamedTuple):
    """What a few links offer to every mode, for views.

    snr_db : (n, n_bins, n_carriers) SNR per carrier and part of the half cycle
    mode_snr_db : (n, n_modes) effective SNR of each mode on its best sub-bands
    header_snr_db : (n,) effective SNR of the header
    error_ratio : (n, n_modes) share of payloads lost at the implementation loss of the family, header not counted
    """

    snr_db: Array
    mode_snr_db: Array
    header_snr_db: Array
    error_ratio: Array


def numbers(
    power: Array,
    heard: Array,
    over_noise: Array,
    adaptation: Adaptation,
    n_bytes: ArrayLike,
    erasure_ratio: float = 0.0,
    *,
    curves: Curves | None = None,
) -> Numbers:
    """Every number behind `choose`, for links that somebody looks at.

    Parameters as in `choose`;  n_bytes : (n_modes,) PSDU of each mode, or one for all.
    """
    _check_links(power, heard, over_noise, adaptation)
    check_share(erasure_ratio)
    table, rules = _tables(adaptation, curves, float(erasure_ratio))
    arrays = np.asarray(power, np.float32), np.asarray(heard, np.int64), np.asarray(over_noise, np.float32)
    if adaptation.framed:
        values, snr = mode_values(*arrays, table, rules)
    else:
        values, snr = woven_values(*arrays, table, rules, float(erasure_ratio))
    rows = np.array([row_of(name) for name in adaptation.waveforms])[adaptation.mode_waveform]
    lost = error_ratio(rows, values[:, :-1] - adaptation.loss_db, n_bytes, curves=curves)
    with np.errstate(divide="ignore"):
        carrier_db = 10 * np.log10(snr.astype(np.float64))
    return Numbers(carrier_db, values[:, :-1], values[:, -1], lost)
