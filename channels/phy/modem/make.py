"""Rewrite both stored files: ``python -m amiplan.channels.phy.modem.make`` (about 20 minutes on one core)."""

from __future__ import annotations

from .curves import CURVES, make_curves, write_curves
from .scales import SCALES, fit, scaled_waveforms, write_scales

MAX_FRAMES = 8_000
N_CHANNELS, N_FRAMES = 15, 200
MORE_CHANNELS = {
    **dict.fromkeys(("prime:HEADER", "prime:R-HEADER", "prime:R-DBPSK", "prime:R-DQPSK"), 80),
    "prime:DBPSK_CC": 300,
}
"""Where a few bad carriers in a row of the code decide: channels differ more."""

if __name__ == "__main__":
    write_curves(make_curves(MAX_FRAMES), CURVES, MAX_FRAMES)
    made = (fit(name, MORE_CHANNELS.get(name, N_CHANNELS), N_FRAMES) for name in scaled_waveforms())
    write_scales(made, SCALES, N_FRAMES)
