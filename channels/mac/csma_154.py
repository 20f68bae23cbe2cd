"""Unslotted CSMA of IEEE 802.15.4 with acknowledgements and channel hopping, in closed form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]


def expected_attempts(loss_ratio: ArrayLike, retries: int) -> Array:
    """Mean transmissions of one frame that is repeated until acknowledged, at most ``retries`` times again.

    Parameters
    ----------
    loss_ratio : (n,) probability that one attempt stays unacknowledged, 0 to 1, independent from try to try.
    retries : at least 0.

    Returns
    -------
    (n,) 1 + p + ... + p^retries. Raises ValueError for a probability outside 0 to 1 or negative retries.

    >>> float(expected_attempts(0.5, 7))
    1.9921875
    """
    p, n = _checked(loss_ratio, retries)
    total = np.ones_like(p)
    for _ in range(n):
        total = 1.0 + p * total
    return total


def attempts_second_moment(loss_ratio: ArrayLike, retries: int) -> Array:
    """Mean square of the transmissions counted by `expected_attempts`: sum of (2k + 1) p^k, shape (n,)."""
    p, n = _checked(loss_ratio, retries)
    total = np.full_like(p, 2.0 * n + 1.0)
    for k in range(n - 1, -1, -1):
        total = (2.0 * k + 1.0) + p * total
    return total


def hop_success(loss_ratio: ArrayLike, retries: int) -> Array:
    """Probability that at least one of ``retries + 1`` independent attempts arrives: 1 - p^(R+1), shape (n,).

    >>> round(float(hop_success(0.5, 7)), 3)
    0.996
    """
    p, n = _checked(loss_ratio, retries)
    return np.asarray(1.0 - p ** (n + 1))


def access_failure_ratio(busy_ratio: ArrayLike, cca_retries: int) -> Array:
    """Probability that every clear-channel assessment of one attempt finds the channel busy, shape (n,).

    References
    ----------
    IEEE 802.15.4-2020 clause 6.2.5.1: 1 + macMaxCsmaBackoffs assessments, here taken as independent.
    """
    p, n = _checked(busy_ratio, cca_retries)
    return np.asarray(p ** (n + 1))


def access_delay_s(
    busy_ratio: ArrayLike, *, unit_s: float, cca_s: float, min_exponent: int, max_exponent: int, cca_retries: int
) -> Array:
    """Mean time from wanting to send to sending or giving up.

    Parameters
    ----------
    busy_ratio : (n,) probability that an assessment finds the channel busy.
    unit_s, cca_s : backoff unit and length of one assessment [s].
    min_exponent, max_exponent, cca_retries : of the backoff.

    Returns
    -------
    (n,) [s]: each round k is entered with probability busy^k and waits (2^BE - 1)/2 units and one assessment.

    References
    ----------
    IEEE 802.15.4-2020 clause 6.2.5.1 (unslotted CSMA-CA).

    >>> round(float(access_delay_s(0.0, unit_s=1.16e-3, cca_s=0.16e-3, min_exponent=3, max_exponent=5,
    ...                            cca_retries=8)) * 1e3, 2)
    4.22
    """
    p, n = _checked(busy_ratio, cca_retries)
    total = np.zeros_like(p)
    for k in range(n + 1):
        exponent = min(min_exponent + k, max_exponent)
        total += p**k * ((2**exponent - 1) / 2.0 * unit_s + cca_s)
    return total


def broadcast_wait_s(dwell_s: float, interval_s: float) -> float:
    """Mean time a unicast frame waits because its moment fell into a broadcast slot: dwell^2 / (2 interval) [s].

    Raises ValueError unless the slot is shorter than its interval.

    >>> round(broadcast_wait_s(0.255, 1.020) * 1e3)
    32
    """
    if not 0.0 <= dwell_s < interval_s:
        raise ValueError(f"broadcast slot ({dwell_s} s) must be shorter than its interval ({interval_s} s)")
    return dwell_s * dwell_s / (2.0 * interval_s)


def collision_ratio(hidden_erlang: ArrayLike) -> Array:
    """Probability that a frame overlaps one that its sender did not hear: 1 - exp(-2 G).

    Parameters
    ----------
    hidden_erlang : (n,)
        Mean number of such transmissions on the air in the receiver's channel, at least 0. Frames of like length,
        so the vulnerable time is two of them (pure ALOHA).

    References
    ----------
    N. Abramson, "The ALOHA system", AFIPS Fall Joint Computer Conference 1970.
    """
    load = np.asarray(hidden_erlang, np.float64)
    if not (load >= 0.0).all():
        raise ValueError("offered traffic must not be negative")
    return np.asarray(-np.expm1(-2.0 * load))


def frames_of(n_bytes: ArrayLike, payload_bytes: int) -> tuple[Array, Array]:
    """How many frames a message is cut into, and the payload of each when cut evenly.

    Parameters
    ----------
    n_bytes : (n,) message length [B], at least 1.
    payload_bytes : most that one frame carries [B].

    Returns
    -------
    n_frames (n,) int64, bytes per frame (n,) int64. Raises ValueError for an empty message or frame.
    """
    size = np.asarray(n_bytes, np.int64)
    if payload_bytes < 1 or (size < 1).any():
        raise ValueError("messages and frames hold at least 1 B")
    n_frames = -(-size // payload_bytes)
    return np.asarray(n_frames), np.asarray(-(-size // n_frames))


def application_tries(success_ratio: ArrayLike, tries: ArrayLike) -> tuple[Array, Array, Array, Array]:
    """What repeating a leg end to end brings.

    Parameters
    ----------
    success_ratio : (n,) probability that one start of the leg arrives.
    tries : (n,) starts at most, at least 1.

    Returns
    -------
    Four (n,) columns: probability that one of the starts arrives, mean starts made, and, given arrival, mean and
    variance of the starts that failed before. Raises ValueError where ``tries`` is below 1.
    """
    a, most = np.broadcast_arrays(np.asarray(success_ratio, np.float64), np.asarray(tries, np.int64))
    if (most < 1).any():
        raise ValueError("a leg is started at least once; set tries to 1 or more")
    arrived, starts, first, second = (np.zeros(a.shape) for _ in range(4))
    for k in range(int(most.max(initial=1))):
        still = np.where(k < most, (1.0 - a) ** k, 0.0)
        starts += still
        arrived += still * a
        first += still * a * k
        second += still * a * k * k
    safe = np.where(arrived > 0.0, arrived, 1.0)
    mean = first / safe
    return arrived, starts, mean, np.maximum(second / safe - mean * mean, 0.0)


def queue_start_s(slot_s: Array, group: Array, order: Array) -> Array:
    """When each member of a queue gets its turn: the slots of all members of its group that come before it.

    Parameters
    ----------
    slot_s : (n,) time each member takes [s], at least 0.
    group : (n,) whole number of the queue.
    order : (n,) members are taken in rising order, such as a keyed draw.

    Returns
    -------
    (n,) start after the queue opens [s].

    >>> import numpy as np
    >>> queue_start_s(np.array([2.0, 3.0, 5.0]), np.array([0, 0, 1]), np.array([0.9, 0.1, 0.5])).tolist()
    [3.0, 0.0, 0.0]
    """
    rank = np.lexsort((order, group))
    before_s = np.cumsum(slot_s[rank]) - slot_s[rank]
    sorted_group = group[rank]
    opens = np.concatenate([[True], sorted_group[1:] != sorted_group[:-1]]) if rank.size else np.zeros(0, bool)
    offset_s = before_s[opens][np.cumsum(opens) - 1] if rank.size else before_s
    start_s = np.empty_like(before_s)
    start_s[rank] = np.maximum(before_s - offset_s, 0.0)
    return start_s


@dataclass(frozen=True)
class MeshMac:
    """Medium access of one mesh: what every hop does with every frame.

    retries, cca_retries, min_exponent, max_exponent : counts of IEEE 802.15.4 CSMA.
    unit_s, cca_s, turnaround_s : backoff unit, channel assessment, receive to transmit [s].
    broadcast_dwell_s, broadcast_interval_s : unicast is silent for the dwell in every interval [s].
    n_channels : channels hopped over.
    hidden_share : share of the traffic audible at a receiver that the sender does not hear, 0 to 1.
    """

    retries: int
    cca_retries: int
    min_exponent: int
    max_exponent: int
    unit_s: float
    cca_s: float
    turnaround_s: float
    broadcast_dwell_s: float
    broadcast_interval_s: float
    n_channels: int
    hidden_share: float

    def access_s(self, busy_ratio: Array) -> Array:
        """Mean channel access delay at that busy ratio [s], shape (n,)."""
        return access_delay_s(
            busy_ratio,
            unit_s=self.unit_s,
            cca_s=self.cca_s,
            min_exponent=self.min_exponent,
            max_exponent=self.max_exponent,
            cca_retries=self.cca_retries,
        )

    def disturbance(self, audible_erlang: Array, own_erlang: Array) -> tuple[Array, Array]:
        """What other traffic does to each node.

        Parameters
        ----------
        audible_erlang : (n_nodes,) mean transmissions on the air that the node can hear, over all channels.
        own_erlang : (n_nodes,) share of time the node transmits itself, when it is deaf.

        Returns
        -------
        loss (n_nodes,) of frames sent to the node, and busy ratio (n_nodes,) that the node senses; both 0 to 1.
        """
        on_channel = np.asarray(audible_erlang, np.float64) / self.n_channels
        deaf = np.minimum(np.asarray(own_erlang, np.float64), 1.0)
        loss = 1.0 - (1.0 - collision_ratio(self.hidden_share * on_channel)) * (1.0 - deaf)
        return loss, np.asarray(-np.expm1(-(1.0 - self.hidden_share) * on_channel))


@dataclass(frozen=True)
class LegSums:
    """Legs carried hop by hop; (n_legs,) columns and two per node.

    log_arrival : natural logarithm of the probability that all frames of one start arrive.
    mean_s, variance_s2 : duration of one start [s], [s^2].
    attempts : transmissions of one start over all hops.
    airtime_s, load : (n_nodes,) transmitting time of all legs, by the weights given.
    root_s : (n_legs,) time on the air next to the root, data and acknowledgements [s].
    """

    log_arrival: Array
    mean_s: Array
    variance_s2: Array
    attempts: Array
    airtime_s: Array
    load: Array
    root_s: Array


def walk_legs(
    mac: MeshMac,
    *,
    parent: Array,
    node: Array,
    up: Array,
    n_frames: Array,
    frame_s: Array,
    ack_s: float,
    losses: Callable[[Array, Array], tuple[Array, Array]],
    disturbed: Array,
    busy: Array,
    weight: Array,
    load_weight: Array,
) -> LegSums:
    """Carry every leg from its meter to the root, or from the root to the meter, one hop level at a time.

    Parameters
    ----------
    parent : (n_nodes,) next node towards the root, -1 at roots; every ``node`` must have one.
    node, up, n_frames, frame_s : (n_legs,) meter, whether it sends, frames and airtime of each [s].
    ack_s : airtime of an acknowledgement [s].
    losses : from leg rows and the lower node of a hop to loss of data and of acknowledgement, without other traffic.
    disturbed, busy : (n_nodes,) from `MeshMac.disturbance`.
    weight, load_weight : (n_legs,) what a start counts for in ``airtime_s`` and ``load``.
    """
    n_nodes, n_legs = parent.size, node.size
    access_s, refused = mac.access_s(busy), access_failure_ratio(busy, mac.cca_retries)
    wait_s = broadcast_wait_s(mac.broadcast_dwell_s, mac.broadcast_interval_s)
    wait_s2 = mac.broadcast_dwell_s**3 / (3.0 * mac.broadcast_interval_s) - wait_s**2
    backoff_s2 = ((2**mac.min_exponent - 1) * mac.unit_s) ** 2 / 12.0
    log_arrival, mean_s, variance_s2, attempts, root_s = (np.zeros(n_legs) for _ in range(5))
    airtime_s, load = np.zeros(n_nodes), np.zeros(n_nodes)
    leg, below = np.arange(n_legs), np.asarray(node)
    while leg.size:
        above = parent[below]
        sender, receiver = np.where(up[leg], below, above), np.where(up[leg], above, below)
        data_loss, ack_loss = losses(leg, below)
        missed = 1.0 - (1.0 - data_loss) * (1.0 - disturbed[receiver]) * (1.0 - refused[sender])
        unacknowledged = 1.0 - (1.0 - missed) * (1.0 - ack_loss)
        tries = expected_attempts(unacknowledged, mac.retries)
        spread = np.maximum(attempts_second_moment(unacknowledged, mac.retries) - tries * tries, 0.0)
        once_s = access_s[sender] + frame_s[leg] + mac.turnaround_s + ack_s
        with np.errstate(divide="ignore"):
            log_arrival[leg] += n_frames[leg] * np.log(hop_success(missed, mac.retries))
        mean_s[leg] += n_frames[leg] * (tries * once_s + wait_s)
        variance_s2[leg] += n_frames[leg] * (spread * once_s**2 + tries * backoff_s2 + wait_s2)
        attempts[leg] += n_frames[leg] * tries
        data_s = n_frames[leg] * tries * frame_s[leg]
        reply_s = n_frames[leg] * tries * (1.0 - missed) * ack_s
        for column, counts in ((airtime_s, weight[leg]), (load, load_weight[leg])):
            column += np.bincount(sender, data_s * counts, n_nodes) + np.bincount(receiver, reply_s * counts, n_nodes)
        last = parent[above] < 0
        root_s[leg[last]] = (data_s + reply_s)[last]
        leg, below = leg[~last], above[~last]
    return LegSums(log_arrival, mean_s, variance_s2, attempts, airtime_s, load, root_s)


def _checked(ratio: ArrayLike, retries: int) -> tuple[Array, int]:
    p = np.asarray(ratio, np.float64)
    if not ((p >= 0.0) & (p <= 1.0)).all():
        raise ValueError("a probability must lie within 0 to 1")
    if retries < 0:
        raise ValueError(f"retries must not be negative, not {retries}")
    return p, int(retries)
