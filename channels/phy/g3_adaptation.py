"""The modes of a G3 band as the choice of a mode needs them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import plc_curves
from .g3_ofdm import Mode, best_rate_bps, threshold_db
from .plc_adaptation import Adaptation, adaptation
from .plc_waveforms import WAVEFORMS

Array = NDArray[Any]

RELIABLE_HEADER = 0.01
"""Share of headers that may be lost where a mode above the robust one is used."""


def g3_adaptation(
    table: tuple[Mode, ...], state_of_bin: Array, *, loss_db: float, margin_db: float, mains_hz: float
) -> Adaptation:
    """Columns for `plc_adaptation.choose`.

    Parameters
    ----------
    table : see `g3_ofdm.modes`;  state_of_bin : (n_bins,) network state in each part of the mains half cycle
    loss_db, margin_db
        Implementation loss of every mode, and the reserve that modes without repetition keep on top [dB].
    mains_hz
        Mains frequency [Hz].
    """
    plan, per_bin = table[0].plan, 2 * mains_hz * len(state_of_bin)
    return adaptation(
        [(mode.waveform.name, mode.n_subbands) for mode in table],
        [threshold_db(mode, loss_db) + (0.0 if mode.robust else margin_db) for mode in table],
        [best_rate_bps(mode) for mode in table],
        header=plan.header,
        header_threshold_db=header_threshold_db(plan.header) + loss_db,
        subband_of_carrier=plan.subband_of_carrier,
        state_of_bin=np.asarray(state_of_bin),
        symbol_bins=plan.symbol_s * per_bin,
        window_bins=plan.window_s * per_bin,
        loss_db=loss_db,
    )


def header_threshold_db(waveform: str) -> float:
    """Effective SNR at which one header in a hundred is lost [dB]."""
    size = WAVEFORMS[waveform].reference_bytes
    return float(plc_curves.threshold_db(waveform, size, RELIABLE_HEADER))
