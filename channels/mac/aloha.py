"""Unslotted random access: who collides with whom at which receiver, and what capture saves."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]

SIR_DB = {
    # row: wanted SF12 to SF7, column: interferer SF12 to SF7
    "goursaud": np.array(
        [
            [6, -36, -36, -36, -36, -36],
            [-29, 6, -33, -33, -33, -33],
            [-28, -26, 6, -30, -30, -30],
            [-25, -25, -23, 6, -27, -27],
            [-22, -22, -22, -20, 6, -24],
            [-20, -19, -19, -18, -16, 6],
        ],
        np.float64,
    ),
    "croce": np.array(
        [
            [1, -23, -24, -25, -25, -25],
            [-20, 1, -20, -21, -22, -22],
            [-18, -17, 1, -17, -18, -19],
            [-15, -14, -13, 1, -13, -15],
            [-13, -13, -12, -11, 1, -11],
            [-9, -9, -9, -9, -8, 1],
        ],
        np.float64,
    ),
    "aloha": np.where(np.eye(6, dtype=bool), np.inf, -np.inf),
}
"""Signal to interference ratio that a frame needs [dB]. C. Goursaud, J.-M. Gorce, EAI Trans. IoT 2015 (as
used by ns-3 lorawan); D. Croce et al., IEEE Commun. Lett. 22 (4), 2018 (as used by FLoRa); ``aloha``: no capture,
factors orthogonal. The two published tables differ by 5 dB for equal factors."""


def collision_exposure(
    receiver: Array,
    mode: Array,
    power_db: Array,
    frame_rate_hz: Array,
    airtime_ratio: Array,
    sir_db: Array,
) -> tuple[Array, Array]:
    """How many harmful frames, and how much harmful airtime, each wanted frame meets at each receiver.

    A frame of another sender is harmful where its power exceeds what the wanted one can bear. With exponential
    arrivals the wanted frame of length T survives with exp(-(T * rate + airtime) / n_channels): an interferer may
    start up to its own length before, or any time during, the wanted frame.

    Parameters
    ----------
    receiver : (n,) integer, receiver row of each sender-to-receiver pair.
    mode : (n,) integer, mode of the sender, an index into ``sir_db``.
    power_db : (n,) received power relative to anything common to the receiver [dB].
    frame_rate_hz : (n,) frames the sender starts per second.
    airtime_ratio : (n,) share of time the sender is on the air, 0 to 1.
    sir_db : (n_modes, n_modes) needed ratio by wanted and interfering mode [dB]; inf for no capture.

    Returns
    -------
    rate_hz, airtime : (n,) sums over harmful senders on all channels, the sender itself left out. Raises ValueError
    where a mode is outside the table.

    References
    ----------
    N. Abramson, AFIPS 1970 (pure ALOHA); capture as a power threshold per pair of frames, after M. Bor et al.,
    MSWiM 2016, section 3.
    """
    n_modes = sir_db.shape[0]
    if mode.size and (mode.min() < 0 or mode.max() >= n_modes):
        raise ValueError(f"mode must lie within 0 to {n_modes - 1}")
    group = receiver.astype(np.int64) * n_modes + mode
    order = np.lexsort((-power_db, group))
    grouped, strength = group[order], -power_db[order]
    sums = [np.concatenate([[0.0], np.cumsum(column[order])]) for column in (frame_rate_hz, airtime_ratio)]
    span = 1.0 + 2.0 * float(np.abs(strength).max(initial=0.0))
    ladder = grouped * (2.0 * span) + strength
    rate_hz, airtime = np.zeros(receiver.size), np.zeros(receiver.size)
    for other in range(n_modes):
        rows = receiver.astype(np.int64) * n_modes + other
        bar = np.clip(-(power_db - sir_db[mode, other]), -span, span)
        low = np.searchsorted(grouped, rows, side="left")
        high = np.searchsorted(ladder, rows * (2.0 * span) + bar, side="left")
        high = np.maximum(high, low)
        rate_hz += sums[0][high] - sums[0][low]
        airtime += sums[1][high] - sums[1][low]
    own = sir_db[mode, mode] > 0.0
    rate_hz -= np.where(own, frame_rate_hz, 0.0)
    airtime -= np.where(own, airtime_ratio, 0.0)
    return np.maximum(rate_hz, 0.0), np.maximum(airtime, 0.0)


def survival_ratio(frame_s: ArrayLike, rate_hz: ArrayLike, airtime: ArrayLike, n_channels: int) -> Array:
    """Probability that a frame meets no harmful frame on its channel.

    Parameters
    ----------
    frame_s : (n,) length of the wanted frame [s].
    rate_hz, airtime : (n,) from `collision_exposure`.
    n_channels : channels chosen at random by every frame, at least 1.

    Returns
    -------
    (n,) 0 to 1; equal frames at load G per channel give exp(-2 G). Raises ValueError for less than one channel.

    References
    ----------
    N. Abramson, AFIPS 1970.
    """
    if n_channels < 1:
        raise ValueError(f"n_channels must be at least 1, not {n_channels}")
    return np.asarray(np.exp(-(np.asarray(frame_s) * rate_hz + np.asarray(airtime)) / n_channels))


def blocking_ratio(offered_erlang: ArrayLike, n_servers: int) -> Array:
    """Probability that all demodulators of a gateway are busy.

    Parameters
    ----------
    offered_erlang : (n,) mean number of frames on the air at once, at least 0.
    n_servers : demodulators, at least 1.

    Returns
    -------
    (n,) 0 to 1. Raises ValueError for less than one server or a negative load.

    References
    ----------
    A. K. Erlang, 1917, loss formula (B), by its recursion over the servers.

    >>> round(float(blocking_ratio(1.0, 2)), 3)
    0.2
    """
    load = np.asarray(offered_erlang, np.float64)
    if n_servers < 1:
        raise ValueError(f"n_servers must be at least 1, not {n_servers}")
    if (load < 0.0).any():
        raise ValueError("offered_erlang must not be negative")
    blocked = np.ones(load.shape)
    for n in range(1, n_servers + 1):
        blocked = load * blocked / (n + load * blocked)
    return blocked
