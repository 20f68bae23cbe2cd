"""Files of curves and scales in the format of the stored ones, from logistic curves through published thresholds."""

from pathlib import Path

import numpy as np
from amiplan.channels.phy.plc_curve_fit import Curves, read_curves
from amiplan.channels.phy.plc_waveforms import WAVEFORMS
from plc_thresholds import THRESHOLDS_DB

# Es/N0 per carrier for 10 % and 1 % of frames lost, at the reference length; the header's are made up
POINTS_DB = {
    name: points
    for name, points in THRESHOLDS_DB.items()
    if WAVEFORMS[name].coded and WAVEFORMS[name].detection != "coherent"
} | {"prime:HEADER": (2.0, 2.7)}
SHIFT_DB = 0.25
"""What a tenfold length costs a waveform with parity bytes."""
FRAMES = 100_000


def ratio(name: str, snr_db, n_bytes):
    """Share of frames lost after the made curve."""
    low, high = POINTS_DB[name]
    wave = WAVEFORMS[name]
    slope = np.log(99 / 9) / (high - low)
    shift = SHIFT_DB * np.log10(n_bytes / wave.reference_bytes) if wave.parity_bytes else 0.0
    odds = -np.log(9) - slope * (np.asarray(snr_db) - shift - low)
    if wave.parity_bytes:
        return 1 / (1 + np.exp(-odds))
    return -np.expm1(-n_bytes / wave.reference_bytes * np.log1p(np.exp(odds)))


def write_curves(path: Path) -> Path:
    """All made curves at three lengths."""
    rows = ["# made by hand from logistic curves", "waveform,payload_bytes,snr_db,per,n_frames,n_errors"]
    for name, (low, high) in POINTS_DB.items():
        for length in {WAVEFORMS[name].reference_bytes, 20, 60}:
            for snr in np.arange(low - 1.0, high + 1.0, 0.2):
                lost = round(FRAMES * float(ratio(name, snr, length)))
                rows.append(f"{name},{length},{snr:.3f},{lost / FRAMES:.6g},{FRAMES},{lost}")
    path.write_text("\n".join(rows) + "\n")
    return path


def made_curves(path: Path) -> Curves:
    """Curves read back from a made file."""
    return read_curves(write_curves(path / "curves.csv"))
