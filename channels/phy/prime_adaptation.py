"""The modes of PRIME as the choice of a mode needs them."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import plc_curves
from .g3_adaptation import RELIABLE_HEADER, header_snr_db
from .g3_ofdm import HEADER_ERROR_RATIO
from .plc_adaptation import Adaptation, adaptation
from .prime_ofdm import CARRIERS_PER_CHANNEL, FRAME_TYPES, SYMBOL_S, WINDOW_S, Channels, Mode, modes, payload_symbols

Array = NDArray[Any]


@cache
def adaptive_modes(channels: Channels, frame: str) -> tuple[Mode, ...]:
    """Modes that a frame type carries, in rising order of rate; of equal rates the one that needs less SNR comes last.

    >>> [mode.name for mode in adaptive_modes(Channels(1), "A")]
    ['DBPSK_CC', 'DBPSK', 'DQPSK_CC', 'D8PSK_CC', 'DQPSK', 'D8PSK']
    """
    carried = [mode for mode in modes(channels) if FRAME_TYPES[frame].robust or not mode.robust]
    return tuple(sorted(carried, key=lambda mode: (mode.rate_bps, -threshold_db(mode))))


def prime_adaptation(
    channels: Channels, frame: str, state_of_bin: Array, *, loss_db: float, margin_db: float, mains_hz: float
) -> Adaptation:
    """Columns for `plc_choice.choose`; there is no tone map, every mode takes all carriers but the pilots.

    Parameters
    ----------
    frame : ``A``, ``B`` or ``BC``;  state_of_bin : (n_bins,) network state in each part of the mains half cycle
    loss_db, margin_db
        Implementation loss of every mode, and the reserve that all but the most robust keep on top [dB].
    mains_hz
        Mains frequency [Hz].
    """
    table = adaptive_modes(channels, frame)
    header = FRAME_TYPES[frame].header
    reserve = np.where(np.arange(len(table)) == 0, 0.0, margin_db)
    per_bin = 2 * mains_hz * len(state_of_bin)
    pilot = np.arange(CARRIERS_PER_CHANNEL * channels.n_channels) % CARRIERS_PER_CHANNEL == 0
    return adaptation(
        [(mode.waveform.name, 1) for mode in table],
        np.array([threshold_db(mode) for mode in table]) + loss_db + reserve,
        [mode.rate_bps for mode in table],
        header=header,
        header_threshold_db=header_snr_db(header, RELIABLE_HEADER) + loss_db,
        subband_of_carrier=np.where(pilot, -1, 0),
        state_of_bin=np.asarray(state_of_bin),
        symbol_bins=SYMBOL_S * per_bin,
        window_bins=WINDOW_S * per_bin,
        loss_db=loss_db,
        header_floor_db=header_snr_db(header, HEADER_ERROR_RATIO) + loss_db,
        mode_symbols=[int(payload_symbols(np.array(mode.waveform.reference_bytes), mode)) for mode in table],
        header_symbols=FRAME_TYPES[frame].header_symbols,
    )


@cache
def threshold_db(mode: Mode) -> float:
    """Flat SNR at which a tenth of frames of the reference length is lost [dB]."""
    return float(plc_curves.threshold_db(mode.waveform.name, mode.waveform.reference_bytes))
