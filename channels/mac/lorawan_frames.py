"""What a LoRaWAN meter must send: legs cut into frames, each with its time on air and its share of the window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..phy.lora import SPREADING_FACTORS, time_on_air_s
from ..technology import UP, Exchanges
from . import schc
from .answers import request_of

Array = NDArray[Any]

MAX_PAYLOAD_BYTES = np.array([51, 51, 51, 115, 242, 242])
"""Application payload by data rate 0 to 5 without repeater, RP002-1.0.4 EU863-870."""
OVERHEAD_BYTES = 13
"""MHDR 1, FHDR 7, FPort 1, MIC 4; LoRaWAN L2 1.0.4 section 4."""
ACK_BYTES = OVERHEAD_BYTES + 9
"""SCHC acknowledgement: header and up to 63 bits of bitmap, RFC 9011 section 5.6.2."""


@dataclass(frozen=True)
class FrameRules:
    """How meters and gateways may send; see the parameters of the technology for units and sources."""

    residue_bytes: int
    n_transmissions: int
    spread_ratio: float
    meter_airtime_ratio: float
    gateway_duty_cycle: float
    pull: bool


@dataclass(frozen=True)
class Legs:
    """Legs of meters that have a route; columns (n_legs,).

    meter : row of the meter
    up : bool;  fragmented : bool;  n_frames : int;  phy_bytes : PHY payload of the longest frame [B]
    frame_s : time on air of that frame [s];  interval_s : from one frame to the next, duty cycle kept [s]
    slot : number of the (service, meter, start) that the leg belongs to
    start_spread_s : time over which meters spread one start [s];  spread_s : the same, all starts together [s]
    available_s : time left to finish [s]
    answer_s : time left to answer before the asking side gives up [s]; inf where nobody waits
    copies : times a single frame is sent, or a failed datagram is started.
    """

    meter: Array
    up: Array
    fragmented: Array
    n_frames: Array
    phy_bytes: Array
    frame_s: Array
    interval_s: Array
    slot: Array
    start_spread_s: Array
    spread_s: Array
    available_s: Array
    answer_s: Array
    copies: Array


@dataclass(frozen=True)
class Frames:
    """Frames of a leg; columns (n_legs,) as in `Legs`."""

    n_frames: Array
    phy_bytes: Array
    frame_s: Array
    fragmented: Array


def frames_of(exchanges: Exchanges, rows: Array, up_rate: Array, down_rate: Array, *, residue_bytes: int) -> Frames:
    """How the given legs are cut at the data rates of their meters.

    Parameters
    ----------
    exchanges : all legs.
    rows : (n_legs,) rows of ``exchanges`` to cut.
    up_rate, down_rate : (n_meters,) data rate 0 to 5 of each meter.
    residue_bytes : header bytes left after compression [B].

    Returns
    -------
    Frames. Raises ValueError for an empty leg.

    References
    ----------
    RFC 9011 section 5.6; time on air of every frame as that of the longest (the last one is shorter).
    """
    meter, up = exchanges.meter[rows], exchanges.direction[rows] == UP
    if (exchanges.bytes[rows] < 1).any():
        raise ValueError(f"leg {int(rows[np.argmin(exchanges.bytes[rows])])} has no bytes to send")
    size = exchanges.bytes[rows].astype(np.int64) + residue_bytes
    rate = np.where(up, up_rate[meter], down_rate[meter])
    payload = MAX_PAYLOAD_BYTES[rate]
    frames = np.where(up, schc.uplink_frames(size, payload), schc.downlink_frames(size, payload))
    body = np.where(up, schc.uplink_frame_bytes(size, payload), np.minimum(size, payload))
    phy_bytes, factor = body + OVERHEAD_BYTES, SPREADING_FACTORS[rate]
    down_s = time_on_air_s(phy_bytes, factor, crc=False)
    return Frames(frames, phy_bytes, np.where(up, time_on_air_s(phy_bytes, factor), down_s), size > payload)


def legs_of(exchanges: Exchanges, rows: Array, up_rate: Array, down_rate: Array, rules: FrameRules) -> Legs:
    """The given legs with frames, duty cycle, and their share of what the window leaves.

    Meters spread their starts over a part of the window, so the rest of it is left for each. Legs of one meter,
    service and start share that time in proportion to their need; other services of the meter use up their own.

    Parameters
    ----------
    exchanges, rows, up_rate, down_rate : as in `frames_of`.
    rules : duty cycles, copies and spread.

    Returns
    -------
    Legs.

    References
    ----------
    EN 300 220-2 V3.3.1 (duty cycle per sub-band), LoRaWAN L2 1.0.4 section 4.3 (NbTrans); `answers.request_of`.
    """
    frames = frames_of(exchanges, rows, up_rate, down_rate, residue_bytes=rules.residue_bytes)
    up = exchanges.direction[rows] == UP
    service, meter = exchanges.service[rows].astype(np.int64), exchanges.meter[rows].astype(np.int64)
    window_s = np.asarray(exchanges.window_s, np.float64)[service]
    interval_s = frames.frame_s / np.where(up, rules.meter_airtime_ratio, rules.gateway_duty_cycle)
    need_s = frames.n_frames * interval_s
    slot, n_starts = _slots(service, meter, np.asarray(exchanges.not_before_s[rows], np.float64))
    slot_need_s = np.bincount(slot, need_s)[slot]
    all_need = np.bincount(meter, need_s / (window_s * n_starts))[meter]
    others = np.maximum(all_need - slot_need_s / window_s, 0.0)
    free_s = window_s * (1.0 - rules.spread_ratio) * np.maximum(1.0 - others, 0.0)
    starts = np.maximum(exchanges.tries[rows].astype(np.int64), 1)
    asked_s = (frames.n_frames - 1) * interval_s + frames.frame_s
    request = request_of(exchanges, rows)
    waited_s = exchanges.timeout_s[rows] - np.where(request >= 0, asked_s[request], 0.0)
    blind = rules.n_transmissions * (starts if rules.pull else 1)
    return Legs(
        meter=meter,
        up=up,
        fragmented=frames.fragmented,
        n_frames=frames.n_frames,
        phy_bytes=frames.phy_bytes,
        frame_s=frames.frame_s,
        interval_s=interval_s,
        slot=slot,
        start_spread_s=window_s * rules.spread_ratio,
        spread_s=window_s * rules.spread_ratio * n_starts,
        available_s=free_s * need_s / slot_need_s,
        answer_s=np.where(request >= 0, waited_s, np.inf),
        copies=np.where(up & ~frames.fragmented, blind, starts),
    )


def _slots(service: Array, meter: Array, start_s: Array) -> tuple[Array, Array]:
    """Number of the (service, meter, start) of each leg, and how many starts its service and meter have."""
    order = np.lexsort((start_s, meter, service))
    same_pair = (np.diff(service[order]) == 0) & (np.diff(meter[order]) == 0)
    same_slot = same_pair & (np.diff(start_s[order]) == 0.0)
    slot, pair = np.empty(order.size, np.int64), np.empty(order.size, np.int64)
    slot[order] = np.concatenate([[0], np.cumsum(~same_slot)])[: order.size]
    pair[order] = np.concatenate([[0], np.cumsum(~same_pair)])[: order.size]
    first = np.unique(slot, return_index=True)[1]
    return slot, np.bincount(pair[first])[pair]
