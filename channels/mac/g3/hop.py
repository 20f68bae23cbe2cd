"""One G3-PLC fragment over one hop in closed form: segments, acknowledgements, repetitions and contention."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...paths import CablePaths
from ...phy.g3_ofdm import Mode, payload_error_ratio, threshold_db
from ...technology import LinkQuality
from .framing import FragmentTable, MacSettings, fragment_table, waits_s

Array = NDArray[Any]


@dataclass(frozen=True)
class LinkEnds:
    """Quality of links as one sender sees them, (n,) each: forward mode and SNR, robust SNR both ways [dB].

    ``mode`` is -1 where there is none.
    """

    mode: Array
    snr_db: Array
    robust_db: Array
    robust_back_db: Array


def link_ends(table: tuple[Mode, ...], mac: MacSettings, quality: LinkQuality, link: Array, along: Array) -> LinkEnds:
    """Look up links in the sense of transmission.

    Parameters
    ----------
    link : (n,) rows of the paths, -1 for none (mode -1);  along : (n,) bool, from first end to second
    """
    row = np.maximum(link, 0)

    def pick(up: Array, down: Array) -> Array:
        return np.where(along, up[row], down[row]) if up.size else np.full(row.shape, -np.inf)

    robust_floor = threshold_db(table[0], mac.loss_db)
    mode = np.where(link >= 0, pick(quality.mode_up, quality.mode_down), -1).astype(np.int64)
    return LinkEnds(
        mode,
        pick(quality.snr_up_db, quality.snr_down_db),
        pick(quality.margin_up_db, quality.margin_down_db) + robust_floor,
        pick(quality.margin_down_db, quality.margin_up_db) + robust_floor,
    )


def towards(paths: CablePaths, link: Array, sender: Array) -> Array:
    """Whether frames of ``sender`` run from the first end of each link to the second, (n,) bool; False for none."""
    if paths.n_links == 0:
        return np.zeros(np.shape(link), bool)
    return np.asarray((paths.from_node[np.maximum(link, 0)] == sender) & (link >= 0))


@dataclass(frozen=True)
class HopCost:
    """One fragment, or a whole message, over one hop; (n,) columns.

    success : probability that all of it is acknowledged
    time_s, variance_s2 : from hand-over to the last acknowledgement, where all is [s], [s^2]
    channel_s, frames : time the line is kept busy, contention with it, and frames sent, acknowledged or not
    """

    success: Array
    time_s: Array
    variance_s2: Array
    channel_s: Array
    frames: Array


def fragment_cost(
    table: tuple[Mode, ...], cut: FragmentTable, row: int, ends: LinkEnds, mac: MacSettings, *, robust: bool = False
) -> HopCost:
    """A fragment over many hops.

    Parameters
    ----------
    table, cut : modes and `framing.fragment_table`;  row : of the fragment's size
    ends : (n,) links;  robust : in the most robust mode, whatever the link's is

    Returns
    -------
    HopCost, (n,) each, 0 where there is no mode. A segment is tried ``frame_retries`` + 1 times; the first and every
    repetition contend as one sender on an idle line, the following segments do not. The fragment is given up with its
    first segment that is never acknowledged. Independent losses.
    """
    mode = np.where(ends.mode < 0, 0, 0 if robust else ends.mode)
    snr_db = np.where(mode == 0, ends.robust_db, ends.snr_db) if robust else ends.snr_db
    header, back = mac.header_error_ratio(ends.robust_db), mac.header_error_ratio(ends.robust_back_db)
    psdu, count = cut.psdu_bytes[row, mode], cut.count[row, mode].astype(np.float64)
    payload = payload_error_ratio(snr_db[:, None], mode[:, None], psdu, mac.loss_db, table)
    failure = 1 - (1 - header)[:, None] * (1 - payload) * (1 - back)[:, None]
    cycle_s = cut.frame_s[row, mode] + mac.plan.ack_cycle_s
    one = _segment(failure, cycle_s, mac)
    lead_s, lead_s2 = (float(one[0]) for one in waits_s(1, mac))
    lead_s -= mac.plan.gap_s
    success = np.where(ends.mode < 0, 0.0, np.prod(one.success**count, axis=1))
    n_segments = count.sum(1)
    mean_loss = 1 - success ** (1 / np.maximum(n_segments, 1))
    kept = np.where(mean_loss > 1e-12, (1 - success) / np.maximum(mean_loss * n_segments, 1e-12), 1.0)
    there = ends.mode >= 0
    return HopCost(
        success,
        np.where(there, (count * one.time_s).sum(1) + lead_s, 0.0),
        np.where(there, (count * one.variance_s2).sum(1) + lead_s2, 0.0),
        np.where(there, kept * (count * one.channel_s).sum(1) + lead_s, 0.0),
        np.where(there, kept * (count * one.frames).sum(1), 0.0),
    )


def _segment(failure: Array, cycle_s: Array, mac: MacSettings) -> HopCost:
    """One segment that is tried until acknowledged: ``failure`` of one try, and what a try takes (...,)."""
    wait_s, wait_s2 = waits_s(mac.frame_retries + 1, mac)
    wait_s = wait_s - mac.plan.gap_s
    reached, took_s, took_s2 = np.ones(failure.shape), np.array(cycle_s), 0.0
    mean_s, square_s2, channel_s, frames = np.zeros((4, *failure.shape))
    for retry in range(mac.frame_retries + 1):
        if retry:
            took_s, took_s2 = took_s + cycle_s + wait_s[retry], took_s2 + wait_s2[retry]
        channel_s += reached * (cycle_s + (wait_s[retry] if retry else 0.0))
        frames += reached
        mean_s += reached * (1 - failure) * took_s
        square_s2 += reached * (1 - failure) * (took_s**2 + took_s2)
        reached = reached * failure
    success = 1 - reached
    some = np.where(success > 1e-300, success, 1.0)
    mean_s = np.where(success > 1e-300, mean_s / some, took_s)
    return HopCost(success, mean_s, np.maximum(square_s2 / some - mean_s**2, 0.0), channel_s, frames)


def saturation_bps(table: tuple[Mode, ...], mac: MacSettings, mode: int, fragment_bytes: int) -> float:
    """Payload that one sender that always has a fragment brings over one loss-free hop [bit/s].

    Parameters
    ----------
    mode : index in ``table``;  fragment_bytes : MAC payload of each fragment, positive

    References
    ----------
    Frame, RIFS, acknowledgement, CIFS, high-priority window and mean draw of the window, ITU-T G.9903.
    """
    cut = fragment_table({fragment_bytes}, table, mac)
    busy_s = float((cut.count[0, mode] * (cut.frame_s[0, mode] + mac.plan.ack_cycle_s)).sum())
    lead_s = float(waits_s(1, mac)[0][0]) - mac.plan.gap_s
    return 8 * fragment_bytes / (busy_s + lead_s)
