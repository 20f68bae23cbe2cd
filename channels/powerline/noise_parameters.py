"""Noise of every power line technology: each number with unit, source and confidence, and the settings made of them."""

from __future__ import annotations

from dataclasses import dataclass

from ..parameters import parameter
from ..scenario import Scenario
from .cycle import CYCLIC_MODELS
from .emission import EmitterSettings
from .impulses import ImpulseSettings
from .noise import ENVIRONMENT_NOISE_DB
from .noise_settings import LINE_SLOTS, NoiseSettings


@dataclass(frozen=True)
class Receiver:
    """What of a receiver decides how it hears noise.

    bandwidth_hz : of one carrier;  window_s : time it transforms at once;  sampling_hz : samples per second
    mains_hz, n_bins : mains frequency, equal parts of its half cycle
    """

    bandwidth_hz: float
    window_s: float
    sampling_hz: float
    mains_hz: float
    n_bins: int


@dataclass(frozen=True)
class NoiseParameters:
    """Parameters of noise; a power line technology inherits them."""

    environment: str = parameter(
        "rural",
        "",
        "level of the background: rural, urban or industrial",
        "middles of usual level ranges: rural 12 dB below urban; industrial 5 dB above, a guess",
        confidence="C",
    )
    noise_offset_db: float = parameter(
        0.0, "dB", "added to the line noise", "a choice", confidence="C", minimum=-60, maximum=60
    )
    noise_area_sigma_db: float = parameter(
        4.0,
        "dB",
        "spread of noise among areas up to 95 kHz; with the next 5 dB in all",
        "Hooijen 1998, split a choice",
        confidence="C",
        minimum=0,
        maximum=30,
    )
    noise_node_sigma_db: float = parameter(
        3.0,
        "dB",
        "spread of noise among receivers of an area up to 95 kHz",
        "Hooijen 1998, split a choice",
        confidence="C",
        minimum=0,
        maximum=30,
    )
    noise_upper_spread: float = parameter(
        1.4,
        "1",
        "factor on both spreads from 150 kHz on, growing from 1 at 95 kHz",
        "7 dB in all instead of 5",
        confidence="C",
        minimum=0,
        maximum=10,
    )
    noise_upper_dbm_hz: float = parameter(
        -94.0,
        "dBm/Hz",
        "background at 95 kHz from which the floor up to 500 kHz continues, in 50 ohm",
        "end of the Hooijen fit; usual levels from 150 to 500 kHz lie between -125 and -85 dBm/Hz",
        confidence="C",
        minimum=-150,
        maximum=-50,
    )
    noise_upper_slope_db: float = parameter(
        15.0,
        "dB",
        "fall of that floor per decade of frequency",
        "-97 dBm/Hz at 150 kHz, -105 at 500 kHz",
        confidence="C",
        minimum=-60,
        maximum=60,
    )
    noise_lines_per_node: float = parameter(
        3.0,
        "1",
        "mean number of narrow-band interferers at a receiver between 9 and 500 kHz",
        "1 to 5 per site",
        confidence="C",
        minimum=0,
        maximum=LINE_SLOTS,
    )
    noise_line_low_db: float = parameter(
        10.0,
        "dB",
        "weakest narrow-band interferer: 200 Hz reading over that of the mean background",
        "10 to 40 dB over the floor",
        confidence="C",
        minimum=-40,
        maximum=80,
    )
    noise_line_high_db: float = parameter(
        40.0, "dB", "strongest, likewise", "10 to 40 dB over the floor", confidence="C", minimum=-40, maximum=80
    )
    noise_line_width_low_hz: float = parameter(
        200.0,
        "Hz",
        "narrowest interferer, flat over its width; stations have this width too",
        "0.2 to 5 kHz",
        confidence="C",
        minimum=1,
        maximum=1e5,
    )
    noise_line_width_high_hz: float = parameter(
        5e3, "Hz", "widest interferer", "0.2 to 5 kHz", confidence="C", minimum=1, maximum=1e5
    )
    broadcast_ratio: float = parameter(
        0.2,
        "1",
        "share of the 15 long wave channels on which a station is received",
        "channels: ITU Geneva 1975; few are still on the air",
        confidence="C",
        minimum=0,
        maximum=1,
    )
    cyclic_noise: str = parameter(
        "katayama-1",
        "",
        "background over the mains cycle: none, katayama-1, katayama-2 or regions",
        "Katayama et al., IEEE JSAC 24 (7), 2006; regions after IEEE 1901.2 annex D",
        confidence="B",
    )
    region_share: tuple[float, ...] = parameter(
        (0.60, 0.35, 0.05),
        "1",
        "calm, raised and pulsed region where cyclic_noise is regions: share of the half cycle",
        "0.55 to 0.65, 0.30 to 0.40, 0.03 to 0.08",
        confidence="C",
    )
    region_db: tuple[float, ...] = parameter(
        (0.0, 10.0, 22.0),
        "dB",
        "level of the regions at 100 kHz relative to each other",
        "0, 5 to 15, 15 to 30 dB",
        confidence="C",
    )
    region_tilt_db: tuple[float, ...] = parameter(
        (0.0, 3.0, 10.0),
        "dB",
        "rise of the regions per decade of frequency over the mean background: impulses are flatter",
        "each region has a spectrum of its own; the numbers are a choice",
        confidence="C",
    )
    emitter_ratio: float = parameter(
        0.03,
        "1",
        "mean number of strong emitters at a house, drawn per replication; factor on the table of emitters",
        "filters mend 0.5 to 1 % of meters in the field; if those are the upper quarter of the levels, 2 to 4 % emit",
        confidence="C",
        minimum=0,
        maximum=1,
    )

    def __post_init__(self) -> None:
        """Refuse values that name nothing known or contradict each other; raises ValueError with keys and fix."""
        for key, known in (("environment", ENVIRONMENT_NOISE_DB), ("cyclic_noise", CYCLIC_MODELS)):
            if getattr(self, key) not in known:
                raise ValueError(f"{key} = {getattr(self, key)!r} is unknown; write one of {', '.join(known)}")
        for stem in ("noise_line{}_db", "noise_line_width{}_hz"):
            low, high = stem.format("_low"), stem.format("_high")
            if getattr(self, low) > getattr(self, high):
                raise ValueError(
                    f"{low} = {getattr(self, low)} is above {high} = {getattr(self, high)}; "
                    "lower the first or raise the second"
                )

    def noise_settings(self, scenario: Scenario, receiver: Receiver) -> NoiseSettings:
        """All noise of a receiver in a scenario."""
        harsh = scenario.powerline.harshness
        offset = scenario.noise_offset_db + scenario.powerline.noise_offset_db
        return NoiseSettings(
            bandwidth_hz=receiver.bandwidth_hz,
            window_s=receiver.window_s,
            mains_hz=receiver.mains_hz,
            n_bins=receiver.n_bins,
            offset_db=self.noise_offset_db + offset + ENVIRONMENT_NOISE_DB[self.environment],
            area_sigma_db=self.noise_area_sigma_db,
            node_sigma_db=self.noise_node_sigma_db,
            upper_spread=self.noise_upper_spread,
            upper_dbm_hz=self.noise_upper_dbm_hz,
            upper_slope_db=self.noise_upper_slope_db,
            lines_per_node=min(self.noise_lines_per_node * harsh.lines_factor, LINE_SLOTS),
            line_low_db=self.noise_line_low_db,
            line_high_db=self.noise_line_high_db,
            line_width_low_hz=self.noise_line_width_low_hz,
            line_width_high_hz=self.noise_line_width_high_hz,
            broadcast_ratio=self.broadcast_ratio,
            cyclic=self.cyclic_noise,
            region_share=self.region_share,
            region_db=self.region_db,
            region_tilt_db=self.region_tilt_db,
            pulse_db=harsh.pulse_db,
            pulse_s=harsh.pulse_s,
            impulses=self._impulses(scenario, receiver),
            emitters=self._emitters(scenario, receiver),
        )

    def _emitters(self, scenario: Scenario, receiver: Receiver) -> EmitterSettings:
        """Strong emitters at meters in a scenario."""
        line = scenario.powerline
        ratio = min(self.emitter_ratio * line.harshness.emitter_factor, 1.0)
        hour = line.moment.hour
        return EmitterSettings(ratio, hour, line.emitter_kinds, receiver.window_s, receiver.mains_hz, receiver.n_bins)

    def _impulses(self, scenario: Scenario, receiver: Receiver) -> ImpulseSettings:
        """Impulses without a clock in a scenario."""
        harsh = scenario.powerline.harshness
        return ImpulseSettings(
            harsh.impulse_index,
            harsh.impulse_ratio,
            receiver.sampling_hz,
            harsh.burst_rate_hz,
            harsh.burst_length_s,
        )
