"""From an application message to G3-PLC frames on one hop: fragments, segments, and what sending them takes.

A message is cut into 6LoWPAN fragments, a fragment into MAC segments that fit the mode, and every segment is
acknowledged. The same cut and the same times serve the closed form here and the packet tier in ``cell``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...phy.g3_bands import BandPlan
from ...phy.g3_ofdm import Mode, airtime_s, header_error_ratio, largest_psdu_bytes
from .csma import HIGH_PRIORITY_SLOTS, CsmaSettings, mean_slots, slots_variance

Array = NDArray[Any]

FRAGMENT_BYTES = 400
"""Largest 6LoWPAN fragment with its headers, the MAC payload limit."""


@dataclass(frozen=True)
class MacSettings:
    """MAC constants of one network.

    csma : access to the line;  frame_retries : repetitions of one segment
    mac_overhead_bytes : MAC header, security, integrity code, segment control and FCS of one segment
    mesh_header_bytes, fragment_header_bytes : per fragment;  ip_header_bytes : compressed IPv6 and UDP, per message
    processing_s : per hop and fragment, at the receiving modem
    loss_db : implementation loss;  preamble_snr_db : SNR at which half of the preambles are found
    plan : band, with its slots and gaps
    tone_map_ttl_s : validity of a neighbour's tone map;  tone_map_response_bytes : frame that brings a new one
    """

    csma: CsmaSettings
    frame_retries: int
    mac_overhead_bytes: int
    mesh_header_bytes: int
    fragment_header_bytes: int
    ip_header_bytes: int
    processing_s: float
    loss_db: float
    preamble_snr_db: float
    plan: BandPlan
    tone_map_ttl_s: float = 120.0
    tone_map_response_bytes: int = 20

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

    >>> from ...phy.g3_bands import G3_BANDS
    >>> mac = MacSettings(CsmaSettings(), 5, 25, 5, 5, 10, 0.0, 1.5, -4.0, G3_BANDS["cenelec-a"])
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


def backoff_s(attempt: Array, mac: MacSettings) -> tuple[Array, Array]:
    """Mean [s] and variance [s^2] of the wait before a contended transmission of one sender on an idle line.

    Idle time, high-priority window, and a draw from the contention window.

    Parameters
    ----------
    attempt : (n,) missed acknowledgements of this frame, 0 for the first try

    References
    ----------
    ITU-T G.9903 CSMA/CA; the law of the window is that of `csma`.
    """
    plan, csma = mac.plan, mac.csma
    mean_s = plan.gap_s + plan.slot_s * (HIGH_PRIORITY_SLOTS + mean_slots(attempt, csma))
    return np.asarray(mean_s), np.asarray(plan.slot_s**2 * slots_variance(attempt, csma))


@lru_cache(maxsize=64)
def waits_s(n_tries: int, mac: MacSettings) -> tuple[Array, Array]:
    """`backoff_s` of the first tries of a frame, (n_tries,) each and not to be written to."""
    mean_s, variance_s2 = backoff_s(np.arange(n_tries), mac)
    mean_s.setflags(write=False)
    variance_s2.setflags(write=False)
    return mean_s, variance_s2


@dataclass(frozen=True)
class FragmentTable:
    """Fragments of distinct sizes in every mode; rows are sizes, columns modes, last axis the two kinds of segment.

    size : (n_sizes,) bytes of each fragment, rising
    psdu_bytes, count, frame_s : (n_sizes, n_modes, 2), whole segments and the rest: size, how many, airtime [s]
    """

    size: Array
    psdu_bytes: Array
    count: Array
    frame_s: Array

    def row(self, fragment_bytes: int) -> int:
        """Row of a size."""
        return int(np.searchsorted(self.size, fragment_bytes))


def fragment_table(fragment_bytes: set[int], table: tuple[Mode, ...], mac: MacSettings) -> FragmentTable:
    """How fragments of those sizes are cut and what one try of each segment takes."""
    sizes = sorted(fragment_bytes)
    psdu, count = np.ones((2, len(sizes), len(table), 2), np.int64)
    count[:] = 0
    frame_s = np.zeros(psdu.shape)
    for column, mode in enumerate(table):
        for row, size in enumerate(sizes):
            segments = segment_sizes_bytes(size, mode, mac)
            psdu[row, column] = segments[0], segments[-1]
            whole = segments.count(segments[0])
            count[row, column] = whole, len(segments) - whole
        frame_s[:, column] = airtime_s(psdu[:, column], mode)
    return FragmentTable(np.array(sizes, np.int64), psdu, count, frame_s)


@dataclass(frozen=True)
class HopTable:
    """What a message of each size takes on one hop in each mode when nothing is lost, (n_sizes, n_modes).

    count : segments;  busy_s : all of them with their acknowledgements, contention not counted [s]
    """

    count: Array
    busy_s: Array


def hop_table(message_bytes: Array, table: tuple[Mode, ...], mac: MacSettings) -> HopTable:
    """Segments of messages of given sizes in all modes.

    Parameters
    ----------
    message_bytes : (n_sizes,) distinct sizes, positive

    Returns
    -------
    HopTable. Raises ValueError where a size is not positive.
    """
    sizes = [int(b) for b in np.asarray(message_bytes)]
    if any(b <= 0 for b in sizes):
        raise ValueError("a message of no bytes cannot be sent; give lengths above 0")
    pieces = [fragment_sizes_bytes(size, mac) for size in sizes]
    cut = fragment_table({size for one in pieces for size in one}, table, mac)
    count, busy_s = cut.count.sum(-1), (cut.count * (cut.frame_s + mac.plan.ack_cycle_s)).sum(-1)
    rows = [[cut.row(size) for size in one] for one in pieces]
    shape = (len(sizes), len(table))
    return HopTable(
        np.array([count[one].sum(0) for one in rows], np.int64).reshape(shape),
        np.array([busy_s[one].sum(0) for one in rows]).reshape(shape),
    )
