"""Random channels on which effective-SNR mappings are fitted and judged: five kinds in turn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..plc_waveforms import WAVEFORMS
from .link import N_CARRIERS, Frame

Array = NDArray[Any]

SEED = 12
SYMBOLS_PER_HALF_CYCLE = 14.4
"""G3 CENELEC-A symbols of 695 us in 10 ms."""
CYCLE_REGIONS = (((0.25, 0.26, 0.49), (-4.9, -1.3, 1.7)), ((0.53, 0.16, 0.31), (-8.3, -1.8, 4.2)))
"""Shares of the half mains cycle and noise relative to its mean [dB]: three-region equivalents of two noise sets after
Katayama et al., IEEE JSAC 24 (7), 2006 (own integration at 50 Hz)."""


def _blocks(layout: Frame) -> Array:
    """(n_carriers,) block of 1.5625 kHz of every carrier: PRIME's lie closer, the line is the same."""
    narrow = layout.n_carriers > N_CARRIERS["time"]
    return np.arange(layout.n_carriers) * 10 // 32 if narrow else np.arange(layout.n_carriers)


def _log_normal(random: np.random.Generator, layout: Frame, sigma_db: float) -> Array:
    level_db = sigma_db * random.standard_normal(layout.n_carriers)[_blocks(layout)]
    return np.broadcast_to(10 ** (level_db / 10), _cells(layout))


def _cells(layout: Frame) -> tuple[int, int]:
    return layout.n_symbols, layout.n_carriers


def _notched(random: np.random.Generator, layout: Frame) -> Array:
    """Up to a quarter of the carriers 6 to 30 dB down, on a mild slope."""
    level_db = np.linspace(0, random.uniform(-6, 6), layout.n_carriers)
    depth_db = random.uniform(6, 30, layout.n_carriers) * (
        random.random(layout.n_carriers) < random.uniform(0.05, 0.25)
    )
    level_db -= depth_db[_blocks(layout)]
    return np.broadcast_to(10 ** (level_db / 10), _cells(layout))


def _two_rays(random: np.random.Generator, layout: Frame) -> Array:
    """A direct and a delayed path: one to five notches in the band."""
    turns = random.uniform(1, 5) * np.arange(layout.n_carriers) / layout.n_carriers + random.random()
    return np.broadcast_to(np.abs(1 + random.uniform(0.3, 0.9) * np.exp(2j * np.pi * turns)) ** 2, _cells(layout))


def _mains_cycle(random: np.random.Generator, layout: Frame) -> Array:
    """Noise in three regions of the half mains cycle, carriers unequal by 4 dB."""
    share, level_db = CYCLE_REGIONS[random.integers(2)]
    place = (np.arange(layout.n_symbols) / SYMBOLS_PER_HALF_CYCLE + random.random()) % 1
    region = np.searchsorted(np.cumsum(share)[:-1], place)
    return np.asarray(_log_normal(random, layout, 4.0) * 10 ** (-np.array(level_db)[region, None] / 10))


KINDS: tuple[Callable[[np.random.Generator, Frame], Array], ...] = (
    lambda random, layout: _log_normal(random, layout, 4.0),
    lambda random, layout: _log_normal(random, layout, 8.0),
    _notched,
    _two_rays,
    _mains_cycle,
)


def channel(name: str, number: int, layout: Frame) -> Array:
    """(n_symbols, n_carriers) relative SNR of a random channel, linear.

    Kinds take turns: log-normal 4 and 8 dB, notches, two rays, mains cycle. PRIME interleaves within a symbol: its
    channels stand still (the caller treats symbol by symbol), so the last kind is left out.
    """
    kinds = KINDS if WAVEFORMS[name].interleaving == "frame" else KINDS[:-1]
    random = np.random.default_rng([SEED, number])
    return kinds[number // 2 % len(kinds)](random, layout)
