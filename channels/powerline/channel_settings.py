"""What the channel of a block needs to know: the parameters of the line and the scenario, resolved."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from numpy.typing import NDArray

from .appliances import ApplianceTable
from .coupling import Driver
from .mains import MainsStates, mains_states
from .noise_settings import NoiseSettings

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class ChannelSettings:
    """Electrical side of one power line technology in one scenario; meanings and sources stand with the parameters.

    frequency_hz : (n_carriers,);  bandwidth_hz : of one carrier;  window_s : see `Carriers`
    carrier_uv2, floor_uv2 : one carrier behind the source impedance, and the receiver's own noise in it
    crosstalk_uv2 : one carrier of all neighbouring transformers together at the bus, mean over time
    transformer : keyword arguments of `coupling.transformer_admittance_s`
    appliances, hour, load_impedance_factor : see `loads.house_admittance_s`
    added_db, quiet_db : noise that offsets and impulses have added, and how much quieter than without them a receiver
        may become: both tell noise from attenuation
    dead_db : mean attenuation beyond which a pair is not computed
    """

    frequency_hz: Array
    bandwidth_hz: float
    window_s: float
    driver: Driver
    carrier_uv2: float
    floor_uv2: float
    crosstalk_uv2: float
    transformer: dict[str, float]
    noise: NoiseSettings
    added_db: float
    quiet_db: float
    appliances: ApplianceTable
    hour: float
    load_impedance_factor: float
    mains_bins: int
    conduction_share: float
    phase_model: bool
    site_phases: int
    meter_coupler_phases: int
    dead_db: float

    def states(self, n_phases: int) -> MainsStates:
        """States of the loads over the half cycle."""
        return _states(self.mains_bins, self.conduction_share, n_phases)


@lru_cache(maxsize=16)
def _states(n_bins: int, conduction_share: float, n_phases: int) -> MainsStates:
    return mains_states(n_bins, conduction_share, n_phases)
