"""Tables of PRIME for the screen: modes, frame types, channels."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .prime_adaptation import threshold_db
from .prime_ofdm import FRAME_TYPES, N_CHANNELS, Channels, Mode, largest_psdu_bytes, psdu_airtime_s


def modes_table(modes: tuple[Mode, ...], frame: str, loss_db: float) -> pd.DataFrame:
    """One row a mode of a frame type: rate, longest frame and the SNR it needs, loss included."""
    return pd.DataFrame([_mode_row(mode, frame, loss_db) for mode in modes])


def _mode_row(mode: Mode, frame: str, loss_db: float) -> dict[str, object]:
    largest = largest_psdu_bytes(mode, frame)
    return {
        "mode": mode.name,
        "frame_type": frame,
        "unit_bytes": mode.unit_bytes,
        "rate_bps": round(mode.rate_bps),
        "largest_psdu_bytes": largest,
        "largest_frame_ms": round(float(psdu_airtime_s(np.array(largest), mode, frame)) * 1e3, 1),
        "threshold_snr_db": round(threshold_db(mode) + loss_db, 2),
    }


def frames_table() -> pd.DataFrame:
    """One row a frame type: what stands before the payload."""
    return pd.DataFrame(
        [
            {
                "frame_type": kind.name,
                "head_ms": round(kind.head_s * 1e3, 2),
                "header_symbols": kind.header_symbols,
                "preamble_boost_db": kind.boost_db,
                "bytes_in_header": kind.in_header_bytes,
                "robust_modes": kind.robust,
            }
            for kind in FRAME_TYPES.values()
        ]
    )


def channels_table() -> pd.DataFrame:
    """One row a channel: its outermost carriers."""
    rows = [(k, Channels(k).frequency_hz / 1e3) for k in range(1, N_CHANNELS + 1)]
    return pd.DataFrame([{"channel": k, "first_khz": round(f[0], 3), "last_khz": round(f[-1], 3)} for k, f in rows])
