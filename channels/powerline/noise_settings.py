"""What the noise of a receiver depends on, resolved from parameters and scenario."""

from __future__ import annotations

from dataclasses import dataclass

from .emission import EmitterSettings
from .impulses import ImpulseSettings

LINE_SLOTS = 10
"""Most narrow-band lines that one receiver can have."""


@dataclass(frozen=True)
class NoiseSettings:
    """Noise of one receiver type in one scenario; sources and confidence stand with the parameters.

    bandwidth_hz, window_s : of a carrier; time over which the receiver averages one symbol
    mains_hz, n_bins : mains frequency; equal parts of its half cycle
    offset_db : added to the background and the lines: environment, hour, scenario
    area_sigma_db, node_sigma_db : spread among areas and among receivers of one area, up to 95 kHz
    upper_spread : factor on both spreads from 150 kHz on
    upper_dbm_hz, upper_slope_db : background above 95 kHz: density at 95 kHz in 50 ohm, fall per decade
    lines_per_node : mean number of narrow-band lines between 9 and 500 kHz, 0 to 10
    line_low_db, line_high_db : strongest 200 Hz reading of a line over that of the mean background
    line_width_low_hz, line_width_high_hz : width of a line
    broadcast_ratio : share of the long wave channels on which a station is received
    cyclic : one of ``cycle.CYCLIC_MODELS``
    region_share, region_db, region_tilt_db : calm, raised and pulsed region: share of the half cycle, level at 100 kHz,
        rise per decade of frequency
    pulse_db, pulse_s : impulse once per half cycle at the crest: level over the mean background while it lasts, length
    impulses, emitters : impulses without a clock, strong emitters at meters
    """

    bandwidth_hz: float
    window_s: float
    mains_hz: float
    n_bins: int
    offset_db: float
    area_sigma_db: float
    node_sigma_db: float
    upper_spread: float
    upper_dbm_hz: float
    upper_slope_db: float
    lines_per_node: float
    line_low_db: float
    line_high_db: float
    line_width_low_hz: float
    line_width_high_hz: float
    broadcast_ratio: float
    cyclic: str
    region_share: tuple[float, ...]
    region_db: tuple[float, ...]
    region_tilt_db: tuple[float, ...]
    pulse_db: float
    pulse_s: float
    impulses: ImpulseSettings
    emitters: EmitterSettings

    @property
    def pulse_excess(self) -> float:
        """Mean power of the mains-synchronous impulses over that of the background."""
        return float(10 ** (self.pulse_db / 10) * self.pulse_s * 2 * self.mains_hz)
