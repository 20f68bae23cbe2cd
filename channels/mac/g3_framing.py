"""From an application message to G3-PLC frames on one hop: fragments, segments, and what sending them takes.

A message is cut into 6LoWPAN fragments, a fragment into MAC segments that fit the mode, and every segment is
acknowledged. The same cut and the same times serve the closed form here and the packet tier in ``g3_cell``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..phy.g3_bands import BandPlan
from ..phy.g3_ofdm import Mode, airtime_s, header_error_ratio, largest_psdu_bytes, payload_error_ratio

Array = NDArray[Any]

# ITU-T G.9903 MAC constants, the same in every band; slots and gaps in seconds stand with the band plan.
HIGH_PRIORITY_SLOTS = 7
MAX_BACKOFFS = 50
"""macMaxCSMABackoffs: busy assessments before a frame is given up; a cell that is polled never comes near it."""
FRAGMENT_BYTES = 400
"""Largest 6LoWPAN fragment with its headers, the MAC payload limit."""


@dataclass(frozen=True)
class MacSettings:
    """MAC constants of one network.

    min_be, max_be : backoff exponents;  frame_retries : repetitions of one segment
    mac_overhead_bytes : MAC header, security, integrity code, segment control and FCS of one segment
    mesh_header_bytes, fragment_header_bytes : per fragment;  ip_header_bytes : compressed IPv6 and UDP, per message
    processing_s : per hop and fragment, at the receiving modem
    loss_db : implementation loss;  preamble_snr_db : SNR at which half of the preambles are found
    plan : band, with its slots and gaps
    """

    min_be: int
    max_be: int
    frame_retries: int
    mac_overhead_bytes: int
    mesh_header_bytes: int
    fragment_header_bytes: int
    ip_header_bytes: int
    processing_s: float
    loss_db: float
    preamble_snr_db: float
    plan: BandPlan

    @property
    def fragment_payload_bytes(self) -> int:
        """Message bytes that one fragment carries."""
        return FRAGMENT_BYTES - self.mesh_header_bytes - self.fragment_header_bytes

    def header_error_ratio(self, snr_db: Array) -> Array:
        """Probability that preamble or header is missed at an effective SNR [dB] of all carriers, (n,)."""
        return header_error_ratio(snr_db, self.loss_db, self.plan, self.preamble_snr_db)


def fragment_sizes_bytes(message_bytes: int, mac: MacSettings) -> list[int]:
    """MAC payload of each fragment of a message.

    The first fragment also carries the compressed IP and UDP headers; an unfragmented message has no fragment header.

    >>> from ..phy.g3_bands import G3_BANDS
    >>> mac = MacSettings(3, 8, 5, 25, 5, 5, 10, 0.0, 1.5, -4.0, G3_BANDS["cenelec-a"])
    >>> fragment_sizes_bytes(100, mac), fragment_sizes_bytes(800, mac)
    ([115], [400, 400, 40])
    """
    total = message_bytes + mac.ip_header_bytes
    if total + mac.mesh_header_bytes <= FRAGMENT_BYTES:
        return [total + mac.mesh_header_bytes]
    whole, rest = divmod(total, mac.fragment_payload_bytes)
    headers = mac.mesh_header_bytes + mac.fragment_header_bytes
    return [FRAGMENT_BYTES] * whole + ([rest + headers] if rest else [])


def segment_sizes_bytes(fragment_bytes: int, mode: Mode, mac: MacSettings) -> list[int]:
    """PSDU of each segment of a fragment: as few as the mode allows, filled one after another."""
    room = largest_psdu_bytes(mode) - mac.mac_overhead_bytes
    whole, rest = divmod(fragment_bytes, room)
    return [room + mac.mac_overhead_bytes] * whole + ([rest + mac.mac_overhead_bytes] if rest else [])


def check_room(table: tuple[Mode, ...], mac: MacSettings) -> None:
    """Raise ValueError where the MAC overhead leaves no room for payload in some mode."""
    for mode in table:
        if largest_psdu_bytes(mode) <= mac.mac_overhead_bytes:
            raise ValueError(
                f"mac_overhead_bytes {mac.mac_overhead_bytes} fills a whole {mode.name} frame of "
                f"{largest_psdu_bytes(mode)} B; lower it, or notch fewer carriers"
            )


def backoff_mean_s(attempt: Array, mac: MacSettings) -> Array:
    """Mean wait before a contended transmission: idle time, high-priority window, half the normal window.

    Parameters
    ----------
    attempt : (n,) 0 for the first;  the exponent grows by one with each up to its maximum.

    References
    ----------
    ITU-T G.9903 CSMA/CA: backoff of 1 to 2^BE slots.
    """
    slots = 2.0 ** np.minimum(mac.min_be + np.asarray(attempt), mac.max_be)
    return np.asarray(mac.plan.gap_s + mac.plan.slot_s * (HIGH_PRIORITY_SLOTS + (1 + slots) / 2))


@dataclass(frozen=True)
class HopTable:
    """What a message of each size costs on one hop in each mode; rows are sizes, columns modes, last axis kinds.

    A kind is one segment size: whole segments and up to three odd ones.
    """

    psdu_bytes: Array
    count: Array
    n_fragments: Array
    frame_s: Array


def hop_table(message_bytes: Array, table: tuple[Mode, ...], mac: MacSettings) -> HopTable:
    """Segments of messages of given sizes in all modes.

    Parameters
    ----------
    message_bytes : (n_sizes,) distinct sizes, positive

    Returns
    -------
    HopTable with (n_sizes, n_modes, 4) columns and ``n_fragments`` (n_sizes,). Raises ValueError where a size is not
    positive.
    """
    sizes = [int(b) for b in np.asarray(message_bytes)]
    if any(b <= 0 for b in sizes):
        raise ValueError("a message of no bytes cannot be sent; give lengths above 0")
    psdu, count = np.ones((2, len(sizes), len(table), 4), np.int64)
    count[:] = 0
    frame = np.zeros(psdu.shape)
    fragments = [fragment_sizes_bytes(size, mac) for size in sizes]
    for column, mode in enumerate(table):
        for row, pieces in enumerate(fragments):
            kinds: dict[int, int] = {}
            for fragment in {pieces[0], pieces[-1]}:
                for segment in segment_sizes_bytes(fragment, mode, mac):
                    kinds[segment] = kinds.get(segment, 0) + pieces.count(fragment)
            psdu[row, column, : len(kinds)] = list(kinds)
            count[row, column, : len(kinds)] = list(kinds.values())
        frame[:, column] = airtime_s(psdu[:, column], mode)
    return HopTable(psdu, count, np.array([len(f) for f in fragments]), frame)


@dataclass(frozen=True)
class HopCost:
    """One message over one hop: probability that all is acknowledged, mean time [s] and mean number of frames."""

    success: Array
    time_s: Array
    frames: Array


def hop_cost(
    table: tuple[Mode, ...],
    sizes: HopTable,
    size: Array,
    mode: Array,
    snr_db: Array,
    robust_db: Array,
    robust_back_db: Array,
    mac: MacSettings,
) -> HopCost:
    """Closed form for messages over hops.

    Parameters
    ----------
    table, sizes : modes and `hop_table`
    size, mode : (n,) row in ``sizes`` and index in ``table``, -1 for none
    snr_db : (n,) effective SNR of the mode
    robust_db, robust_back_db : (n,) effective SNR of all carriers, forward (header) and backward (acknowledgement)

    Returns
    -------
    HopCost, (n,) each. A segment is tried ``frame_retries`` + 1 times; the first segment of a fragment and every
    repetition contend, the following segments of the fragment do not. A fragment stops where a segment is given up.
    """
    usable = np.maximum(mode, 0)
    header = mac.header_error_ratio(robust_db)[:, None]
    back = mac.header_error_ratio(robust_back_db)[:, None]
    psdu, count = sizes.psdu_bytes[size, usable], sizes.count[size, usable]
    payload = payload_error_ratio(snr_db[:, None], mode[:, None], psdu, mac.loss_db, table)
    failure = 1 - (1 - header) * (1 - payload) * (1 - back)
    tries = mac.frame_retries + 1
    reached = failure[..., None] ** np.arange(tries)
    lost = failure**tries
    expected = reached.sum(-1)
    waits = backoff_mean_s(np.arange(tries), mac)
    per_segment = expected * (sizes.frame_s[size, usable] + mac.plan.ack_cycle_s) + reached[..., 1:] @ waits[1:]
    success = np.where(mode < 0, 0.0, np.prod((1 - lost) ** count, axis=1))
    n_segments = count.sum(1)
    mean_loss = 1 - np.maximum(success, 0) ** (1 / np.maximum(n_segments, 1))
    kept = np.where(mean_loss > 1e-12, (1 - success) / np.maximum(mean_loss * n_segments, 1e-12), 1.0)
    time = kept * ((count * per_segment).sum(1) + sizes.n_fragments[size] * waits[0])
    time += success * sizes.n_fragments[size] * mac.processing_s
    return HopCost(success, time, kept * (count * expected).sum(1))
