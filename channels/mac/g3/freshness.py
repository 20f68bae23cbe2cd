"""What G3-PLC modems have forgotten since they last spoke: tone maps and routes that must be asked for anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc

from ...phy.g3_ofdm import Mode, airtime_s
from .csma import HIGH_PRIORITY_SLOTS
from .framing import MacSettings, backoff_s

Array = NDArray[Any]

RREQ_BYTES = 13
"""Route request or reply without MAC overhead: dispatch and the fields of ITU-T G.9903 LOADng (B)."""


def stale_ratio(uses: Array, valid_s: float, period_s: Array) -> Array:
    """Share of the uses of a link that find no valid tone map.

    A map is valid for a while after it was sent, however often it is used; the next use after that asks for a new one.

    Parameters
    ----------
    uses : (n,) uses of the link in the period, at equally likely times, at least 1;  none is valid when it begins
    valid_s : validity [s], at least 0;  period_s : (n,) length of the period [s], positive

    Returns
    -------
    (n,) 0 to 1, exact: 1/uses times the sum over j of the probability that j of the uses lie in what j - 1 validities
    leave of the period.

    >>> stale_ratio(np.array([1.0, 2.0]), 30.0, np.array([60.0, 60.0])).tolist()
    [1.0, 0.625]
    """
    uses, left = np.asarray(uses, np.float64), np.ones(np.shape(uses))
    step = valid_s / np.asarray(period_s, np.float64)
    total, number = np.zeros(left.shape), 1.0
    rows = np.arange(left.size)
    while rows.size:
        total[rows] += betainc(number, uses[rows] - number + 1, left[rows])
        left[rows] -= step[rows]
        number += 1
        rows = rows[(left[rows] > 0) & (uses[rows] >= number)]
    return np.asarray(total / uses)


def response_s(table: tuple[Mode, ...], mac: MacSettings) -> float:
    """Time of a tone-map response [s]: a draw from the high-priority window, robust frame and acknowledgement."""
    frame_s = float(airtime_s(np.array(mac.tone_map_response_bytes), table[0]))
    return mac.plan.slot_s * (1 + HIGH_PRIORITY_SLOTS) / 2 + frame_s + mac.plan.ack_cycle_s


@dataclass(frozen=True)
class Search:
    """Waits of the search for a route [s]: `routing.loadng.LoadngSettings` knows them too.

    rrep_wait_s : how long the destination collects;  traversal_s : how long the source waits at most
    relay_delay_s : mean delay of a relayed request
    """

    rrep_wait_s: float
    traversal_s: float
    relay_delay_s: float


FRAMES_AHEAD = 2.0
"""Relayed requests that go before each hop of a reply while the flood still lasts; confidence C, taken from the packet
tier: who begins to contend has the smallest window."""


def search_cost(
    table: tuple[Mode, ...], mac: MacSettings, search: Search, members: Array, hops: Array
) -> tuple[Array, Array, Array]:
    """One search for a route that floods a cell.

    Parameters
    ----------
    members : (n,) nodes of the cell, each of which relays the request once;  hops : (n,) of the route

    Returns
    -------
    Three (n,) columns: time until the route stands, at most the traversal time, time for which the line is busy [s],
    and frames. The request goes robust and unacknowledged; the relays contend all at once, so that one of them hardly
    waits for its slot. After the wait for better ways the reply comes back hop by hop, acknowledged, between what is
    left of the flood. Left out: requests relayed again because a better one came, in deep cells as many as the first.
    """
    frame_s = float(airtime_s(np.array(RREQ_BYTES + mac.mac_overhead_bytes), table[0]))
    wait_s = float(backoff_s(np.zeros(1), mac)[0][0])
    relayed_s = mac.plan.gap_s + mac.plan.slot_s * (HIGH_PRIORITY_SLOTS + 1) + frame_s
    flood_s = members * relayed_s
    back_s = hops * (wait_s - mac.plan.gap_s + frame_s + mac.plan.ack_cycle_s)
    asked_s = hops * (wait_s + frame_s) + (hops - 1) * search.relay_delay_s + search.rrep_wait_s
    behind_s = np.clip(flood_s - asked_s, 0.0, FRAMES_AHEAD * relayed_s * hops)
    return np.minimum(asked_s + behind_s + back_s, search.traversal_s), flood_s + back_s, members + hops
