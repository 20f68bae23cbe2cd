"""Which mode a power line link takes: the fastest whose effective SNR holds, over carriers and mains phases.

The loops over links are compiled (`plc_choice_frames`, `plc_choice_symbols`): single precision, and no temporary of
links x mains phases x carriers.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .plc_adaptation import Adaptation
from .plc_choice_frames import choose_links, mode_values
from .plc_choice_symbols import choose_woven, woven_values
from .plc_curve_fit import Curves, row_of
from .plc_curves import error_ratio, threshold_db
from .plc_desk import Rules
from .plc_effective_snr import check_share, erasure_loss_db
from .plc_error_paths import falling_at, where_falling
from .plc_flat import Mapping
from .plc_mapping import mapping
from .plc_waveforms import WAVEFORMS
from .plc_woven import made_good_db, made_good_in_part_db

Array = NDArray[Any]


class Choice(NamedTuple):
    """What each link carries in one direction.

    robust_snr_db : (n,) effective SNR of the robust mode on all carriers if the symbols lost were made good, less what
        they shift its threshold [dB]; the smaller margin where a header is asked for. Has no ceiling
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
        span=one.span,
        erased_db=_erased_db(one, erasure_ratio),
        loss_db=one.loss_db,
        erasure_ratio=erasure_ratio,
        curves=curves,
    )
    own = [np.flatnonzero(band == number) for number in range(one.n_subbands)]
    return table, Rules(
        one.mode_waveform,
        one.mode_subbands,
        one.threshold_db if one.framed else _needed_db(one, table, curves),
        one.threshold_db if one.framed else _clean_needed_db(one, table, curves),
        len(one.waveforms),
        one.header_threshold_db,
        one.header_floor_db,
        band,
        np.array([float(carriers.size) for carriers in own]),
        np.array([carriers[0] for carriers in own]),
        np.array([carriers[-1] + 1 - carriers[0] for carriers in own]),
    )


def _needed_db(one: Adaptation, table: Mapping, curves: Curves | None) -> Array:
    """(n_modes,) effective SNR that a mode needs where symbols stand or fall by themselves, lost ones included [dB].

    Lost symbols move the threshold, and the reserve comes on top of the moved one: it tells how far the signal may
    fall. An effective SNR that contains the losses ends at a ceiling, below which a plain sum may well not be. inf
    where lost symbols alone cost more than the threshold allows; the first mode's is where its margin begins.
    """
    needed = one.threshold_db.copy()
    for mode in range(1, needed.size):
        w, bare = one.mode_waveform[mode], _bare_db(one, mode, curves)
        moved = made_good_db(bare, w, table) + needed[mode] - bare
        if moved != needed[mode]:
            needed[mode] = (
                where_falling(falling_at(moved, table.lossy[w]), table.log_loss[w]) if moved < np.inf else moved
            )
    return needed


def _clean_needed_db(one: Adaptation, table: Mapping, curves: Curves | None) -> Array:
    """(n_modes,) SNR without lost symbols that a mode needs where these are not all made good [dB]."""
    bare = np.array([_bare_db(one, mode, curves) for mode in range(one.mode_waveform.size)])
    moved = [made_good_in_part_db(flat_db, w, table) for flat_db, w in zip(bare, one.mode_waveform, strict=True)]
    return np.asarray(moved + one.threshold_db - bare)


def _bare_db(one: Adaptation, mode: int, curves: Curves | None) -> float:
    """SNR at which a tenth of a mode's frames is lost, without reserve [dB]."""
    name = one.waveforms[one.mode_waveform[mode]]
    return float(threshold_db(name, WAVEFORMS[name].reference_bytes, curves=curves)) + one.loss_db


def erasure_cost_db(one: Adaptation, erasure_ratio: float) -> float:
    """Most margin of the robust mode that erased symbols can cost; inf where they may cost all of it [dB].

    Where each symbol stands or falls by itself this is the cost on flat carriers, at most `MOST_MADE_GOOD_DB`: what
    they cost beyond is lost frames.
    """
    if erasure_ratio == 0:
        return 0.0
    if one.framed:
        costs = _erased_db(one, erasure_ratio)
        return float(max(costs[one.mode_waveform[0]], costs[-1]))
    table = _tables(one, None, float(erasure_ratio))[0]
    return max(float(made_good_in_part_db(floor_db, w, table)) - floor_db for floor_db, w in _floors(one))


def useful_margin_db(one: Adaptation, erasure_ratio: float) -> float:
    """Margin beyond which the robust mode and its header lose no fewer frames; inf where none is lost for good [dB].

    Negative where lost symbols alone cost more frames than the threshold allows. Where frames are woven as a whole,
    erased symbols are made good; else some frames lose too many of theirs whatever the signal, and their effective SNR
    ends at that of the frames lost.
    """
    if erasure_ratio == 0 or one.framed:
        return float("inf")
    table = _tables(one, None, float(erasure_ratio))[0]
    return float(min(where_falling(table.lossy[w, -1], table.log_loss[w]) - floor_db for floor_db, w in _floors(one)))


def _floors(one: Adaptation) -> list[tuple[float, int]]:
    """Lowest SNR of the robust mode and, where somebody asks for it, of the header; with their waveforms [dB]."""
    floors = [(float(one.threshold_db[0]), int(one.mode_waveform[0]))]
    return floors + [(one.header_floor_db, len(one.waveforms))] * (one.header_floor_db > -np.inf)


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
        at the threshold, so that strong links keep telling how strong they are; else ``snr_db`` contains the symbols
        lost, which no signal brings back, and thresholds and margins count what they cost.

    Returns
    -------
    Choice. A mode above the first is taken where the first one and the header hold and its effective SNR on its best
    sub-bands (ranked by their own mean decay) reaches its threshold. Raises ValueError where shapes do not fit.
    """
    given = _checked(power, heard, over_noise, adaptation, erasure_ratio, curves)
    if adaptation.framed:
        return Choice(*choose_links(*given))
    return Choice(*choose_woven(*given, float(erasure_ratio)))


def _checked(
    power: Array, heard: Array, over_noise: Array, one: Adaptation, erasure_ratio: float, curves: Curves | None
) -> tuple[Array, Array, Array, Mapping, Rules]:
    """What the kernels take; refuses shapes that do not fit each other and a share that is none."""
    check_share(erasure_ratio)
    bins, carriers = one.state_of_bin.size, one.subband_of_carrier.size
    states = int(one.state_of_bin.max()) + 1
    if power.ndim != 3 or power.shape[1] < states or power.shape[2] != carriers:
        raise ValueError(f"power has shape {power.shape}; this band needs (n, {states}, {carriers})")
    if over_noise.ndim != 3 or over_noise.shape[1:] != (bins, carriers):
        raise ValueError(f"over_noise has shape {over_noise.shape}; this band needs (n_rows, {bins}, {carriers})")
    if heard.shape != power.shape[:1] or np.any((heard < 0) | (heard >= over_noise.shape[0])):
        raise ValueError(f"heard must name one of the {over_noise.shape[0]} rows of over_noise for every link")
    table, rules = _tables(one, curves, float(erasure_ratio))
    return (
        np.asarray(power, np.float32),
        np.asarray(heard, np.int64),
        np.asarray(over_noise, np.float32),
        table,
        rules,
    )


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
    given = _checked(power, heard, over_noise, adaptation, erasure_ratio, curves)
    if adaptation.framed:
        values, snr = mode_values(*given)
    else:
        values, snr = woven_values(*given, float(erasure_ratio))
    rows = np.array([row_of(name) for name in adaptation.waveforms])[adaptation.mode_waveform]
    lost = error_ratio(rows, values[:, :-1] - adaptation.loss_db, n_bytes, curves=curves)
    with np.errstate(divide="ignore"):
        carrier_db = 10 * np.log10(snr.astype(np.float64))
    return Numbers(carrier_db, values[:, :-1], values[:, -1], lost)
