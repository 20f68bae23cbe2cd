"""From an application message to PRIME frames on one hop: segments, sizes, airtimes and what is lost of them.

A message gets the header of the 4-32 convergence layer and is cut into segments; each segment is one packet in one MAC
frame with its own check, and goes end to end through the switches. Both tiers cut, time and lose frames by this file.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...phy.prime_adaptation import adaptive_modes
from ...phy.prime_ofdm import header_error_ratio, payload_error_ratio, psdu_airtime_s
from .settings import LLC_BYTES, MOST_SEGMENTS, PrimeMac

Array = NDArray[Any]

KINDS = ("A", "B", "BC")
"""Frame types by the number that link columns hold."""


def pair_frame(mac: PrimeMac, legacy: Array, other_legacy: Array) -> Array:
    """Frame type between two nodes, a row of `KINDS`: A where one is of the old version, else what the network speaks.

    Parameters
    ----------
    legacy, other_legacy : (n,) bool, the node is of version 1.3.6
    """
    own = KINDS.index(mac.data_frame)
    return np.where(np.asarray(legacy) | np.asarray(other_legacy), KINDS.index("A"), own).astype(np.int8)


def robust_mode(mac: PrimeMac, kind: str) -> int:
    """Index in ``mac.table`` of the most robust mode of a frame type; raises ValueError where the type is unknown."""
    name = adaptive_modes(mac.channels, kind)[0].name
    return [mode.name for mode in mac.table].index(name)


def segment_count(message_bytes: Array, mac: PrimeMac) -> Array:
    """Segments of messages, (n,); raises ValueError where one is empty or longer than the segment count allows."""
    size = np.asarray(message_bytes, dtype=np.int64)
    if np.any(size <= 0):
        raise ValueError("a message of no bytes cannot be sent; give lengths above 0")
    count = -(-(size + LLC_BYTES) // mac.segment_payload_bytes)
    if np.any(count > MOST_SEGMENTS):
        most = MOST_SEGMENTS * mac.segment_payload_bytes - LLC_BYTES
        raise ValueError(
            f"a message of {int(size.max())} B needs more than {MOST_SEGMENTS} segments of "
            f"{mac.segment_payload_bytes} B; send at most {most} B or raise sar_bytes"
        )
    return np.asarray(count)


def segment_sizes_bytes(message_bytes: int, mac: PrimeMac) -> list[int]:
    """MAC frame of each segment of a message [B]: all full but the last."""
    count = int(segment_count(np.array(message_bytes), mac))
    rest = message_bytes + LLC_BYTES - (count - 1) * mac.segment_payload_bytes
    return [mac.segment_payload_bytes + mac.overhead_bytes] * (count - 1) + [rest + mac.overhead_bytes]


def frame_s(mac: PrimeMac, kind: str, mode: Array, psdu_bytes: Array) -> Array:
    """Airtime of MAC frames [s].

    Parameters
    ----------
    mode : (n,) index in ``mac.table``, one that the frame type carries;  psdu_bytes : (n,) whole MAC frame; broadcast

    Returns
    -------
    (n,) [s]. Raises ValueError where a mode does not exist in the type or a frame is too long for it.
    """
    index, size = np.broadcast_arrays(np.asarray(mode), np.asarray(psdu_bytes))
    airtime = np.zeros(index.shape)
    for one in np.unique(index):
        rows = index == one
        airtime[rows] = psdu_airtime_s(size[rows], mac.table[int(one)], kind)
    return airtime


def frame_loss(mac: PrimeMac, kind: str, mode: Array, snr_db: Array, robust_db: Array, psdu_bytes: Array) -> Array:
    """Probability that a MAC frame is lost on one hop.

    Parameters
    ----------
    mode : (n,) index in ``mac.table``, -1 for none;  snr_db : (n,) effective SNR of that mode [dB]
    robust_db : (n,) effective SNR of the most robust mode, which preamble and header are judged by [dB]
    psdu_bytes : (n,) whole MAC frame; all are broadcast

    Returns
    -------
    (n,) 0 to 1; 1 where there is no mode.
    """
    columns = np.broadcast_arrays(mode, np.asarray(snr_db, float), np.asarray(robust_db, float), psdu_bytes)
    index, snr, robust, size = (np.asarray(column) for column in columns)
    lost = np.ones(index.shape)
    for one in np.unique(index[index >= 0]):
        rows = index == one
        head = header_error_ratio(robust[rows], kind, mac.loss_db, mac.preamble_snr_db)
        body = payload_error_ratio(snr[rows], size[rows], mac.table[int(one)], kind, mac.loss_db)
        lost[rows] = 1 - (1 - head) * (1 - body)
    return lost
