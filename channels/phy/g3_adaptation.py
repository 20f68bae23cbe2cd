"""The modes of a G3 band as the choice of a mode needs them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import plc_curves
from .g3_ofdm import (
    HEADER_ERROR_RATIO,
    Mode,
    best_rate_bps,
    own_threshold_db,
    payload_symbols,
    reference_bytes,
    threshold_db,
)
from .plc_adaptation import Adaptation, adaptation
from .plc_waveforms import WAVEFORMS

Array = NDArray[Any]

RELIABLE_HEADER = 0.01
"""Share of headers that may be lost where a mode above the robust one is used."""


def g3_adaptation(
    table: tuple[Mode, ...], state_of_bin: Array, *, loss_db: float, margin_db: float, mains_hz: float
) -> Adaptation:
    """Columns for `plc_choice.choose`.

    Parameters
    ----------
    table : see `g3_ofdm.modes`;  state_of_bin : (n_bins,) network state in each part of the mains half cycle
    loss_db, margin_db
        Implementation loss of every mode, and the reserve that modes without repetition keep on top [dB].
    mains_hz
        Mains frequency [Hz].

    The header is judged in a mapping of its own, and the smaller margin counts: it is sent differentially even where
    the payload is coherent, and lasts less than a half cycle of the mains, so that noise may cover all of it.
    """
    plan, per_bin = table[0].plan, 2 * mains_hz * len(state_of_bin)
    coherent = table[0].waveform.detection == "coherent"
    threshold = [threshold_db(mode, loss_db) + (0.0 if mode.robust else margin_db) for mode in table]
    if coherent:
        threshold[0] = own_threshold_db(table[0]) + loss_db
    return adaptation(
        [(mode.waveform.name, mode.n_subbands) for mode in table],
        threshold,
        [best_rate_bps(mode) for mode in table],
        header=plan.header,
        header_threshold_db=header_snr_db(plan.header, RELIABLE_HEADER) + loss_db,
        subband_of_carrier=plan.subband_of_carrier,
        state_of_bin=np.asarray(state_of_bin),
        symbol_bins=plan.symbol_s * per_bin,
        window_bins=plan.window_s * per_bin,
        loss_db=loss_db,
        header_floor_db=header_snr_db(plan.header, HEADER_ERROR_RATIO) + loss_db,
        mode_symbols=[int(payload_symbols(np.array(reference_bytes(mode)), mode)) for mode in table],
        header_symbols=plan.header_symbols,
    )


def header_snr_db(waveform: str, error_ratio: float) -> float:
    """Effective SNR at which that share of headers is lost [dB]."""
    return float(plc_curves.threshold_db(waveform, WAVEFORMS[waveform].reference_bytes, error_ratio))
