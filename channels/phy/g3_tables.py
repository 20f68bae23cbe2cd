"""Tables of the G3 family for the screen: bands, modes of one band, rates of all bands."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .g3_bands import BandPlan, with_two_blocks
from .g3_ofdm import Mode, airtime_s, best_rate_bps, full_mode, largest_psdu_bytes, phy_rate_bps, threshold_db

DIFFERENTIAL, COHERENT = ("S-ROBO", "ROBO", "DBPSK", "DQPSK", "D8PSK"), ("C-ROBO", "BPSK", "QPSK", "8PSK", "16QAM")
SHOWN_SYMBOLS = (12, 20, 32, 40, 52, 56, 112, 252)


def bands_table(plans: dict[str, BandPlan]) -> pd.DataFrame:
    """One row a band: carriers, header, and the times of its frames and its contention."""
    return pd.DataFrame(
        [
            {
                "band": plan.name,
                "first_khz": round(plan.frequency_hz[0] / 1e3, 3),
                "last_khz": round(plan.frequency_hz[-1] / 1e3, 3),
                "carriers": plan.n_carriers,
                "sub_bands": plan.n_subbands,
                "symbol_us": round(plan.symbol_s * 1e6, 2),
                "header_symbols": plan.header_symbols,
                "ack_ms": round(plan.header_s * 1e3, 3),
                "max_symbols": plan.max_symbols,
                "symbol_step": plan.symbol_step,
                "slot_ms": round(plan.slot_s * 1e3, 3),
                "gap_ms": round(plan.gap_s * 1e3, 3),
                "eifs_ms": round(plan.eifs_s * 1e3, 1),
            }
            for plan in plans.values()
        ]
    )


def rates_table(plans: dict[str, BandPlan]) -> pd.DataFrame:
    """Largest PSDU and rate of every mode on all carriers of every band, one and two Reed-Solomon blocks."""
    variants = [one for p in plans.values() for one in ([p, with_two_blocks(p)] if p.two_blocks else [p])]
    return pd.DataFrame(
        [
            {"band": plan.name, "rs_blocks": plan.rs_blocks, **_mode_row(full_mode(name, plan))}
            for plan in variants
            for name in (*DIFFERENTIAL, *COHERENT)
        ]
    )


def modes_table(modes: tuple[Mode, ...], loss_db: float) -> pd.DataFrame:
    """One row a mode of the band in use, tone maps included, with the SNR it needs."""
    return pd.DataFrame(
        [
            {
                "mode": m.name,
                "carriers": m.n_carriers,
                **_sizes(m),
                "threshold_snr_db": round(threshold_db(m, loss_db), 2),
            }
            for m in modes
        ]
    )


def symbols_table(modes: tuple[Mode, ...]) -> pd.DataFrame:
    """Rate against the payload symbols of a frame, modes on all carriers; 0 where no frame of that length exists."""
    symbols = np.array(SHOWN_SYMBOLS)
    full = [mode for mode in modes if mode.n_subbands == mode.plan.n_subbands]
    rates = {mode.name: np.round(phy_rate_bps(symbols, mode)).astype(int) for mode in full}
    return pd.DataFrame({"symbols": symbols, **rates})


def _mode_row(mode: Mode) -> dict[str, object]:
    sizes = _sizes(mode)
    return {"mode": mode.name, **sizes, "with_ack_ms": round(_frame_ms(mode) + mode.plan.ack_cycle_s * 1e3, 1)}


def _sizes(mode: Mode) -> dict[str, object]:
    return {
        "largest_psdu_bytes": largest_psdu_bytes(mode),
        "rate_bps": round(best_rate_bps(mode)),
        "largest_frame_ms": round(_frame_ms(mode), 1),
    }


def _frame_ms(mode: Mode) -> float:
    return float(airtime_s(np.array(largest_psdu_bytes(mode)), mode)) * 1e3
