"""Noise settings by hand: a G3-PLC receiver in CENELEC A, everything random or impulsive switched off unless told."""

import dataclasses

import numpy as np
from amiplan.channels.powerline.noise_parameters import NoiseParameters, Receiver
from amiplan.channels.powerline.noise_settings import NoiseSettings
from amiplan.channels.powerline.scenarios import LineScenario
from amiplan.channels.scenario import Scenario

CARRIER_HZ = 1562.5 * np.arange(23, 59)
SPACING_HZ = 1562.5
CENELEC_A = Receiver(bandwidth_hz=SPACING_HZ, window_s=640e-6, sampling_hz=400e3, mains_hz=50.0, n_bins=8)
FCC = Receiver(bandwidth_hz=4687.5, window_s=256 / 1.2e6, sampling_hz=1.2e6, mains_hz=50.0, n_bins=8)


def noise_settings(severity="typical", time="day", receiver=CENELEC_A, **changes) -> NoiseSettings:
    """Settings of the default parameters in a scenario, with some fields changed."""
    scenario = Scenario(powerline=LineScenario(severity=severity, time=time))
    return dataclasses.replace(NoiseParameters().noise_settings(scenario, receiver), **changes)
