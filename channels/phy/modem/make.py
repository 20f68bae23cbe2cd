"""Rewrite both stored files: ``python -m amiplan.channels.phy.modem.make`` (about 20 minutes on one core)."""

from __future__ import annotations

from .curves import CURVES, make_curves, write_curves
from .scales import SCALES, fit, scaled_waveforms, write_scales

MAX_FRAMES = 8_000
N_CHANNELS, N_FRAMES = 15, 200

if __name__ == "__main__":
    write_curves(make_curves(MAX_FRAMES), CURVES, MAX_FRAMES)
    write_scales((fit(name, N_CHANNELS, N_FRAMES) for name in scaled_waveforms()), SCALES, N_CHANNELS, N_FRAMES)
