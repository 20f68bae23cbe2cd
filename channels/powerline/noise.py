"""Noise at a receiver on the low-voltage line, per carrier."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..draws import Draws

Array = NDArray[Any]

REFERENCE_OHM = 50.0
"""Impedance in which the background densities were measured; levels are voltages across it."""

# Mean level relative to the Amsterdam measurements [dB]; rural from the middles of the usual level ranges
# (25-55 against 30-75 dBuV in 200 Hz), industrial a guess: confidence C.
ENVIRONMENT_NOISE_DB = {"rural": -12.0, "urban": 0.0, "industrial": 5.0}

# Half mains cycle in three regions: share of time, level re cycle mean [dB]; equivalents of the two published
# parameter sets of M. Katayama et al., IEEE JSAC 24 (7), 2006, computed for this project.
CYCLE_REGIONS = {
    0: ((1.0, 0.0),),
    1: ((0.25, -4.9), (0.26, -1.3), (0.49, 1.7)),
    2: ((0.53, -8.3), (0.16, -1.8), (0.31, 4.2)),
}  # fmt: skip

LINE_SLOTS = 5


def background_noise_dbuv(frequency_hz: Array, bandwidth_hz: float) -> Array:
    """Mean background noise of low-voltage lines.

    Parameters
    ----------
    frequency_hz : (n_carriers,)
        9 to 95 kHz; beyond that the fit is refused, never extrapolated.
    bandwidth_hz
        Bandwidth the level is counted in, positive.

    Returns
    -------
    (n_carriers,) rms level [dBuV] for a density measured in 50 ohm. Raises ValueError outside 9-95 kHz.

    References
    ----------
    O. G. Hooijen, IEEE Trans. EMC 40 (4), 1998, and ISPLC 1998: N(f) = 10^(K - 3.95e-5 f) W/Hz, K = -8.64 +- 0.5.

    >>> [round(float(x)) for x in background_noise_dbuv(np.array([36e3, 50e3, 91e3]), 1562.5)]
    [68, 63, 47]
    """
    frequency = np.asarray(frequency_hz, dtype=np.float64)
    if np.any((frequency < 9e3) | (frequency > 95e3)):
        raise ValueError("background noise is known for 9 to 95 kHz only; choose carriers inside")
    density_dbm_hz = 10 * (-8.64 - 3.95e-5 * frequency) + 30
    dbuv_per_dbm = 90 + 10 * np.log10(REFERENCE_OHM)
    return np.asarray(density_dbm_hz + dbuv_per_dbm + 10 * np.log10(bandwidth_hz))


def cycle_regions(cyclic_set: int) -> tuple[Array, Array]:
    """Share of the mains half cycle and relative noise power of each region, (n_regions,) each.

    Raises ValueError for a set other than 0 (none), 1 or 2.
    """
    if cyclic_set not in CYCLE_REGIONS:
        raise ValueError(f"cyclic noise set {cyclic_set} is unknown; use 0 (steady), 1 or 2")
    share, level_db = np.array(CYCLE_REGIONS[cyclic_set]).T
    power = 10 ** (level_db / 10)
    return share, power / np.sum(share * power)


def receiver_noise_dbuv(
    node_key: Array,
    area_key: Array,
    frequency_hz: Array,
    draws: Draws,
    *,
    bandwidth_hz: float,
    offset_db: float,
    area_sigma_db: float,
    node_sigma_db: float,
    lines_per_node: float,
    receiver_floor_dbuv: float,
) -> Array:
    """Noise voltage at every receiver in one replication.

    Parameters
    ----------
    node_key, area_key : (n_nodes,) uint64
        Stable keys of the receiver and of the transformer area it shares its neighbours' noise with.
    frequency_hz : (n_carriers,);  bandwidth_hz : of one carrier
    offset_db
        Added to all line noise: environment, time of day, scenario.
    area_sigma_db, node_sigma_db
        Spread of the level among areas and among receivers of one area [dB].
    lines_per_node
        Mean number of narrow-band interferers at a receiver, 0 to 5; each stands 10 to 40 dB above the floor on one
        carrier (confidence C).
    receiver_floor_dbuv
        Noise of the receiver itself in one carrier, added as power.

    Returns
    -------
    (n_nodes, n_carriers) float64 [dBuV]. Raises ValueError where ``lines_per_node`` or a spread is out of its range.
    """
    if not 0 <= lines_per_node <= LINE_SLOTS:
        raise ValueError(f"narrow-band lines per node {lines_per_node} must lie within 0 to {LINE_SLOTS}")
    if area_sigma_db < 0 or node_sigma_db < 0:
        raise ValueError("noise spreads must not be negative; give standard deviations in dB")
    frequency = np.asarray(frequency_hz, dtype=np.float64)
    level = offset_db + area_sigma_db * draws.normal("noise area", area_key)
    level = level + node_sigma_db * draws.normal("noise node", node_key)
    noise = level[:, None] + background_noise_dbuv(frequency, bandwidth_hz)
    power = 10 ** (noise / 10)
    rows = np.arange(node_key.size)
    for slot in range(LINE_SLOTS if lines_per_node > 0 else 0):
        present = draws.uniform(f"noise line {slot}", node_key) < lines_per_node / LINE_SLOTS
        carrier = (draws.uniform(f"noise line carrier {slot}", node_key) * frequency.size).astype(int)
        excess_db = 10 + 30 * draws.uniform(f"noise line level {slot}", node_key)
        power[rows, carrier] += np.where(present, 10 ** ((noise[rows, carrier] + excess_db) / 10), 0.0)
    return np.asarray(10 * np.log10(power + 10 ** (receiver_floor_dbuv / 10)))
