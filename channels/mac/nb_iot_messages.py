"""What the legs of NB-IoT meters take on the air: connection set-up, headers, blocks and their repetitions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..phy.nb_iot import Formats
from ..technology import UP, Exchanges
from .csma_154 import attempts_second_moment, expected_attempts, hop_success

Array = NDArray[Any]


@dataclass(frozen=True)
class MessageRules:
    """How messages become blocks; see the parameters of the technology for units and sources.

    uplink, downlink : formats of the blocks.
    packet_bytes : header bytes of every message above RLC [B].
    control_period_s : (3,) search-space period by coverage level [s].
    """

    uplink: Formats
    downlink: Formats
    gain_per_doubling_db: float
    max_transmissions: int
    block_header_bytes: int
    packet_bytes: int
    setup_up_messages: int
    setup_up_bytes: int
    setup_down_messages: int
    setup_down_bytes: int
    core_delay_s: float
    scheduling_delay_s: float
    control_period_s: Array


@dataclass(frozen=True)
class Legs:
    """Legs of meters with a cell, connection set-up included in the first leg of each exchange; columns (n_legs,).

    rows : row among all legs;  meter : meter row;  first : bool, opens its exchange
    success : probability that all blocks of one start arrive;  mean_s, variance_s2 : time of one start [s], [s^2]
    attempts : transmissions of one start;  block_s : time of one block up and one down [s]
    carrier_up_s, carrier_down_s : time of the whole carrier that one start uses [s].
    """

    rows: Array
    meter: Array
    first: Array
    success: Array
    mean_s: Array
    variance_s2: Array
    attempts: Array
    block_s: Array
    carrier_up_s: Array
    carrier_down_s: Array


def legs_of(
    exchanges: Exchanges,
    rules: MessageRules,
    *,
    rows: Array,
    level: Array,
    snr_up_db: Array,
    snr_down_db: Array,
) -> Legs:
    """The given legs as blocks on the air.

    Parameters
    ----------
    exchanges : all legs.
    rules : headers, set-up and formats.
    rows : (n_legs,) rows of ``exchanges`` whose meters have a cell.
    level : (n_meters,) coverage level 0 to 2.
    snr_up_db, snr_down_db : (n_legs,) of the meter's link, in the reference bandwidths [dB].

    Returns
    -------
    Legs.
    """
    meter, first = exchanges.meter[rows], exchanges.leg[rows] == 0
    up = exchanges.direction[rows] == UP
    data = exchanges.bytes[rows] + rules.packet_bytes
    sent, got = (
        _blocks(
            rules,
            formats,
            snr_db,
            np.where(own, data, 0) + np.where(first, setup_bytes, 0),
            np.where(first, setup_messages, 0) + own,
            level[meter],
        )
        for own, formats, snr_db, setup_bytes, setup_messages in (
            (up, rules.uplink, snr_up_db, rules.setup_up_bytes, rules.setup_up_messages),
            (~up, rules.downlink, snr_down_db, rules.setup_down_bytes, rules.setup_down_messages),
        )
    )
    return Legs(
        rows,
        meter,
        first,
        sent.success * got.success,
        sent.mean_s + got.mean_s + rules.core_delay_s,
        sent.variance_s2 + got.variance_s2,
        sent.attempts + got.attempts,
        sent.block_s + got.block_s,
        sent.carrier_s,
        got.carrier_s,
    )


@dataclass(frozen=True)
class _Blocks:
    """One direction of each leg; columns (n_legs,) as in `Legs`."""

    success: Array
    mean_s: Array
    variance_s2: Array
    attempts: Array
    block_s: Array
    carrier_s: Array


def _blocks(
    rules: MessageRules, formats: Formats, snr_db: ArrayLike, n_bytes: Array, messages: Array, level: Array
) -> _Blocks:
    row = formats.best(snr_db)
    per = formats.error_ratio(snr_db, row, gain_per_doubling_db=rules.gain_per_doubling_db)
    any_bytes = n_bytes > 0
    n_blocks, air_s = formats.blocks(8 * n_bytes, row, header_bits=8 * rules.block_header_bytes)
    n_blocks = np.where(any_bytes, np.maximum(n_blocks, messages), 0)
    air_s = np.where(any_bytes, air_s, 0.0)
    retries = rules.max_transmissions - 1
    tries = expected_attempts(per, retries)
    period_s = rules.control_period_s[level]
    once_s = period_s + rules.scheduling_delay_s
    block_s = air_s / np.maximum(n_blocks, 1)
    spread = np.maximum(attempts_second_moment(per, retries) - tries**2, 0.0)
    return _Blocks(
        success=hop_success(per, retries) ** n_blocks,
        mean_s=tries * (n_blocks * once_s + air_s),
        variance_s2=n_blocks * (tries * period_s**2 / 12.0 + spread * (once_s + block_s) ** 2),
        attempts=n_blocks * tries,
        block_s=block_s,
        carrier_s=tries * air_s * formats.tone_share[row],
    )
