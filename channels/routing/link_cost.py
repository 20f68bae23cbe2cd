"""Link cost of G3-PLC: the composite metric of LOADng, and what decides between two routes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

HOP_BIT, COST_BIT, WEAK_BIT = 26, 34, 54
"""Places of hops, cost and weak links in a merit: below the hops the ties, 20 bits of cost, nine of weak links."""

_TIE_STEPS = 2**20


@dataclass(frozen=True)
class CostWeights:
    """Weights of the link cost; defaults are those of the ITU-T G.9903 profile.

    robust, modulation, tones, quality, hop, routes
        Kr, Km, Kc, Kq, Kh, Krt; a hop counts against the quality of links, Krt against nodes that relay for many.
    lqi_low, lqi_high, lqi_weak
        Link quality indicator, 4 (SNR dB + 10), limited to 0..255: worst and best that count, and the weak limit.

    Raises ValueError where the LQI limits do not rise.
    """

    robust: float = 0.0
    modulation: float = 0.0
    tones: float = 0.0
    quality: float = 10.0
    hop: float = 4.0
    routes: float = 0.0
    lqi_low: float = 0.0
    lqi_high: float = 255.0
    lqi_weak: float = 52.0

    def __post_init__(self) -> None:
        """Refuse LQI limits between which no quality lies."""
        if not self.lqi_low < self.lqi_high:
            raise ValueError(f"lqi_low {self.lqi_low:g} must be below lqi_high {self.lqi_high:g}; lower the first")


def link_quality_indicator(snr_db: Array) -> Array:
    """LQI 0 to 255 in steps of a quarter dB from -10 dB, after the G3-PLC specification.

    >>> link_quality_indicator(np.array([-20.0, 3.25, 60.0]))
    array([  0.,  53., 255.])
    """
    return np.asarray(np.clip(np.floor(4 * (np.asarray(snr_db, dtype=np.float64) + 10)), 0, 255))


def half_down(value: Array) -> Array:
    """Nearest whole number, one half down.

    >>> half_down(np.array([0.5, 0.51, 2.49]))
    array([0., 1., 2.])
    """
    return np.asarray(np.ceil(np.asarray(value, np.float64) - 0.5)) + 0.0


def directional_cost(
    snr_db: Array, robust: Array, modulation_cost: Array, tone_share: Array, weights: CostWeights
) -> Array:
    """Cost of a link in one direction.

    Parameters
    ----------
    snr_db : (n,) average SNR [dB];  robust : (n,) bool, the robust mode is used
    modulation_cost : (n,) 3 for robust and DBPSK, 2 for DQPSK, 1 for D8PSK, 0 for 16-QAM
    tone_share : (n,) active tones over all

    Returns
    -------
    (n,) whole numbers, halves rounded down.

    References
    ----------
    ITU-T G.9903 annex B, composite metric: Kr r + Km m + Kc (1 - tones) + Kq clip((LQI_hi - LQI) / (LQI_hi - LQI_lo)).

    >>> one = CostWeights(quality=30.0, lqi_low=52.0, lqi_high=100.0)
    >>> float(directional_cost(np.array(9.0), False, 2, 1.0, one))
    15.0
    """
    span = (weights.lqi_high - link_quality_indicator(snr_db)) / (weights.lqi_high - weights.lqi_low)
    raw = (
        weights.robust * np.asarray(robust)
        + weights.modulation * np.asarray(modulation_cost)
        + weights.tones * (1 - np.asarray(tone_share))
        + weights.quality * np.clip(span, 0, 1)
    )
    return half_down(raw)


def link_cost(forward: Array, reverse: Array | None, weights: CostWeights, add_reverse: float = 0.0) -> Array:
    """Cost of a link: the worse direction and the hop.

    Parameters
    ----------
    forward, reverse : (n,) `directional_cost` both ways; None where a node knows nothing of the way back
    add_reverse : adpAddRevLinkCost, by which the way back is then taken to be dearer

    Returns
    -------
    (n,) whole numbers where Kh is one.

    References
    ----------
    ITU-T G.9903 annex B: max of both directions + Kh; what a node's fill adds is `relay_cost`.

    >>> known, unknown = link_cost(3.0, 5.0, CostWeights()), link_cost(3.0, None, CostWeights(), add_reverse=2)
    >>> float(known), float(unknown)
    (9.0, 9.0)
    """
    forward = np.asarray(forward, np.float64)
    back = forward + add_reverse if reverse is None else np.asarray(reverse, np.float64)
    return np.asarray(np.maximum(forward, back) + weights.hop)


def relay_cost(n_routes: Array, table_size: int, weights: CostWeights) -> Array:
    """What a node adds for every route that it holds already, (n,) whole numbers, halves down.

    Parameters
    ----------
    n_routes : (n,) entries in use of its routing table, those beyond ``table_size`` not counted

    References
    ----------
    ITU-T G.9903 annex B: Krt times routes over table size.

    >>> float(relay_cost(np.array(250), 500, CostWeights(routes=8.0)))
    4.0
    """
    return half_down(weights.routes * np.minimum(np.asarray(n_routes), table_size) / table_size)


def is_weak(snr_db: Array, weights: CostWeights) -> Array:
    """Whether the LQI lies below the weak limit, (n,) bool."""
    return np.asarray(link_quality_indicator(snr_db) < weights.lqi_weak)


def merit(cost: Array, weak: Array, snr_db: Array) -> Array:
    """One whole number per link whose sum along a route orders routes: weak links, then cost, then hops, then SNR.

    Parameters
    ----------
    cost : (n,) whole numbers, at most 65535;  weak : (n,) bool
    snr_db : (n,) of the worse direction: of routes equal in all the rest the one of better links is taken, so that
        nothing depends on the order of rows [dB]

    Returns
    -------
    (n,) int64, exact for sums of at most 14 links. Raises ValueError where a cost is negative or no whole number.

    References
    ----------
    ITU-T G.9903 LOADng route comparison: fewer weak links, lower cost, fewer hops.
    """
    cost, snr_db = np.asarray(cost, np.float64), np.asarray(snr_db, np.float64)
    if np.any((cost < 0) | (cost > 65535) | (cost != np.floor(cost))):
        raise ValueError("a link cost must be a whole number of 0 to 65535; give Kh as one")
    tie = np.rint((1 - np.clip((snr_db + 20) / 200, 0, 1)) * _TIE_STEPS).astype(np.int64)
    hop = np.int64(1) << HOP_BIT
    return np.asarray(
        (np.asarray(weak).astype(np.int64) << WEAK_BIT) + (cost.astype(np.int64) << COST_BIT) + hop + tie, np.int64
    )


def weak_links(total: Array) -> Array:
    """Weak links in a sum of merits."""
    return np.asarray(np.asarray(total, np.int64) >> WEAK_BIT)


def cost_of(total: Array) -> Array:
    """Cost in a sum of merits."""
    return np.asarray((np.asarray(total, np.int64) >> COST_BIT) & ((1 << (WEAK_BIT - COST_BIT)) - 1))
