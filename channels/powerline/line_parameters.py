"""Electrical side of every power line technology: each number with unit, source and confidence."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..parameters import parameter
from ..scenario import Scenario
from .allocation import Permission, check_band, check_level
from .channel_settings import ChannelSettings
from .coupling import Driver
from .end_parameters import EndParameters
from .impulses import dense_rise
from .mains import mains_states
from .noise_parameters import NoiseParameters, Receiver
from .phases import N_PHASES
from .spectra import UPPER_HZ

Array = NDArray[Any]

CREST_DB = 12.0
"""Peak over rms of a transmitted frame: a crest factor of 4, usual for OFDM (confidence C)."""

REGION_LIMIT_DB = 80.0
"""Level or tilt of a noise region beyond this is a slip of the pen."""


@dataclass(frozen=True)
class Carriers:
    """Carriers of one band of a technology.

    band : what the band is called, such as ``CENELEC-A``
    frequency_hz : (n_carriers,) rising;  spacing_hz : between neighbours, taken as the bandwidth of one
    window_s : part of a symbol that the receiver transforms: noise is averaged over it, an impulse in it spoils it
    sampling_hz : samples of the receiver per second
    """

    band: str
    frequency_hz: Array
    spacing_hz: float
    window_s: float
    sampling_hz: float


@dataclass(frozen=True)
class LineParameters(EndParameters, NoiseParameters, ABC):
    """Parameters of line and mains, with both ends and noise; a technology inherits them and names its carriers."""

    country: str = parameter(
        "DE", "", "where the network stands: decides which bands may be used and how loud", "ISO 3166-1 alpha-2"
    )
    allow_band: str = parameter(
        "", "", "reason why a band without allocation is used all the same; printed in the report", "user"
    )
    class_116: bool = parameter(
        False,
        "",
        "devices of class 116, held to 116 dBuV from 95 to 148.5 kHz; false for class 134",
        "EN 50065-1",
        confidence="B",
    )
    mains_hz: float = parameter(50.0, "Hz", "frequency of the mains", "EN 50160", minimum=16, maximum=100)
    mains_bins: int = parameter(
        8,
        "1",
        "parts of the half cycle in which loads and noise stand still",
        "resolution, a choice: 1.25 ms at 50 Hz",
        confidence="C",
        minimum=2,
        maximum=64,
    )
    conduction_share: float = parameter(
        0.3,
        "1",
        "share of the half cycle in which rectifiers conduct, around the crest of their phase",
        "bridge with bulk capacitor: 2 to 3.5 ms of 10",
        confidence="C",
        minimum=0.01,
        maximum=0.99,
    )
    dead_loss_db: float = parameter(
        130.0,
        "dB",
        "mean attenuation from the source beyond which a pair is dead and not computed carrier by carrier",
        "a choice: the mean carrier then lies 36 dB below the receiver's own noise in every band (120 and 26 dBuV over "
        "the band); few good carriers of FCC and ARIB made links usable up to 123 dB in trials",
        confidence="C",
        minimum=20,
        maximum=200,
    )
    phase_model: bool = parameter(
        True,
        "",
        "single-phase meters sit on a drawn phase and the phases couple; false puts everybody on one circuit",
        "switch, a choice",
        confidence="C",
    )

    @property
    @abstractmethod
    def carriers(self) -> Carriers:
        """Carriers in use."""

    def __post_init__(self) -> None:
        """Refuse values that contradict each other or name nothing known; ValueError naming the keys and the fix."""
        super().__post_init__()
        self._check_couplers()
        mains_states(self.mains_bins, self.conduction_share, N_PHASES)
        self._check_regions()
        _ = self.band_notes

    def _check_regions(self) -> None:
        """Three regions that share the half cycle, whether ``cyclic_noise`` uses them or not."""
        for name in ("region_share", "region_db", "region_tilt_db"):
            told = list(getattr(self, name))
            if len(told) != 3 or max(map(abs, told)) > REGION_LIMIT_DB:
                raise ValueError(f"{name} = {told}: give three numbers, one a region, within {REGION_LIMIT_DB:g}")
        if min(self.region_share) <= 0 or abs(sum(self.region_share) - 1) > 1e-9:
            raise ValueError(f"region_share = {list(self.region_share)}: give positive shares that sum to 1")

    @property
    def band_notes(self) -> tuple[str, str]:
        """For the report: why the band may be used, and what the level was checked against."""
        return f"{self.carriers.band}: {self.permission.text}", self.level_note

    @property
    def permission(self) -> Permission:
        """Why the band may be used here. Raises ValueError where it may not and no reason is given."""
        carriers = self.carriers.frequency_hz
        return check_band(self.country, float(carriers[0]), float(carriers[-1]), self.allow_band)

    @property
    def level_note(self) -> str:
        """What the transmitted level was checked against. Raises ValueError where the country allows less."""
        carriers, level_dbuv = self.carriers, self.tx_level_dbuv
        if not self.permission.by_rule:
            return f"{level_dbuv + CREST_DB:.1f} dBuV peak, not checked: no rule gives this band a limit"
        per_200_hz = level_dbuv - 10 * np.log10(carriers.frequency_hz.size * carriers.spacing_hz / 200.0)
        ends = float(carriers.frequency_hz[0]), float(carriers.frequency_hz[-1])
        peak_dbuv = level_dbuv + CREST_DB
        return check_level(self.country, *ends, peak_dbuv, float(per_200_hz), class_116=self.class_116)

    @property
    def state_of_bin(self) -> Array:
        """(n_bins,) state of the loads in each part of the mains half cycle."""
        n_phases = N_PHASES if self.phase_model else 1
        return mains_states(self.mains_bins, self.conduction_share, n_phases).state_of_bin

    def channel(self, scenario: Scenario) -> ChannelSettings:
        """Electrical settings of this configuration in a scenario."""
        carriers = self.carriers
        n = carriers.frequency_hz.size
        carrier_uv2 = 10 ** (self.tx_level_dbuv / 10) / n
        offset_db = self.noise_offset_db + scenario.noise_offset_db + scenario.powerline.noise_offset_db
        upper = self.noise_upper_spread if carriers.frequency_hz[0] >= UPPER_HZ else 1.0
        neighbours = self.mv_neighbours * self.mv_activity if scenario.interference else 0.0
        receiver = Receiver(
            carriers.spacing_hz, carriers.window_s, carriers.sampling_hz, self.mains_hz, self.mains_bins
        )
        noise = self.noise_settings(scenario, receiver)
        impulses = dense_rise(noise.impulses, carriers.window_s) * (1 + noise.pulse_excess)
        return ChannelSettings(
            frequency_hz=carriers.frequency_hz,
            bandwidth_hz=carriers.spacing_hz,
            window_s=carriers.window_s,
            driver=Driver(
                self.source_ohm, self.coupler_ohm, self.receive_ohm, np.sqrt(carrier_uv2) * 1e-6, self.current_limit_a
            ),
            carrier_uv2=carrier_uv2,
            floor_uv2=10 ** (self.receiver_floor_dbuv / 10) / n,
            crosstalk_uv2=neighbours * carrier_uv2 * 10 ** (-self.mv_crosstalk_loss_db / 10),
            transformer={
                "short_circuit_ratio": self.short_circuit_ratio,
                "line_voltage_v": self.line_voltage_v,
                "quality_factor": self.transformer_quality,
                "capacitance_f": self.transformer_capacitance_f,
                "mains_hz": self.mains_hz,
            },
            noise=noise,
            added_db=max(offset_db, 0.0) + 10 * float(np.log10(impulses)),
            quiet_db=2 * float(np.hypot(self.noise_area_sigma_db, self.noise_node_sigma_db)) * upper,
            appliances=scenario.powerline.appliances,
            hour=scenario.powerline.moment.hour,
            load_impedance_factor=scenario.load_impedance_factor,
            mains_bins=self.mains_bins,
            conduction_share=self.conduction_share,
            phase_model=self.phase_model,
            site_phases=self.site_phases,
            meter_coupler_phases=self.meter_coupler_phases,
            dead_db=self.dead_loss_db,
        )
