"""Control traffic beside the reading of a standing PRIME network: who sends how often, and for how long.

Keep-alives run to nodes that kept silent, hop by hop and back; nodes without a switch ask for one again and again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...phy.prime_ofdm import SYMBOL_S
from ...technology import DOWN, UP, Exchanges, Routes
from .framing import KINDS, frame_s, pair_frame, robust_mode
from .hops import Hops, hop_airtime_s
from .neighbours import Links
from .settings import ALIVE_BYTES, DATA_PRIORITY, HOP_ANSWER_BYTES, REQUEST_BYTES, PrimeMac

Array = NDArray[Any]

_PLACES = 64
"""Places in the order of polling at which keep-alives are counted."""


@dataclass(frozen=True)
class Control:
    """Control frames by who sends them and what makes it do so; (n,) columns, rising ``node``.

    node, cause : sender, and the node whose frame it follows; -1 where it begins of its own accord
    returns : bool, what it follows was caused by the sender's own frame before
    rate_hz, line : frames a second, and the share of time they last, 0 to 1; of registered nodes where every node is
        asked once in ``alive_s``, which `alive_ratios` corrects
    outside : bool, the sender has no switch: it asks for one, without regard to the MAC frame
    """

    node: Array
    cause: Array
    returns: Array
    rate_hz: Array
    line: Array
    outside: Array


def control_of(mac: PrimeMac, hops: Hops, routes: Routes, legacy: Array) -> Control:
    """Keep-alives and requests for a switch.

    Parameters
    ----------
    legacy : (n_nodes,) bool, of version 1.3.6

    Every hop of the way carries a keep-alive down and one up, and in version 1.4 the hop's answer to either.
    """
    groups = [*_keep_alives(mac, hops, routes), _requests(mac, routes, legacy)]
    columns = [np.concatenate(column) for column in zip(*groups, strict=True)]
    order = np.argsort(columns[0], kind="stable")
    return Control(*(column[order] for column in columns))


def _keep_alives(mac: PrimeMac, hops: Hops, routes: Routes) -> list[tuple[Array, ...]]:
    """Columns of `Control`, four groups with one row for each hop: two of its lower end, two of its upper end.

    The meter's own hop was silent, so that its frames go in the most robust mode.
    """
    n, there = routes.server.size, hops.there
    low = np.flatnonzero(routes.server >= 0)
    high = routes.parent[low].astype(np.int64)
    beyond = np.bincount(hops.node[there], minlength=n)

    def air_s(way: int, size: int) -> Array:
        """Mean airtime on each hop, (n,) [s]."""
        each = hop_airtime_s(mac, hops, way, size)
        each[:, :1] = hop_airtime_s(mac, hops, way, size, robust=True)[:, :1]
        return np.asarray(np.bincount(hops.node[there], each[there], n) / np.maximum(beyond, 1))

    passed, answers, relays = beyond[low], beyond[low] * mac.answers_hops, high < n
    up_s, down_s = air_s(UP, ALIVE_BYTES), air_s(DOWN, ALIVE_BYTES)
    back_s = {way: air_s(way, HOP_ANSWER_BYTES)[low] for way in (UP, DOWN)}
    relayed_s = passed * relays * np.append(up_s, 0.0)[np.minimum(high, n)]
    above = np.append(routes.parent, -1).astype(np.int64)[np.minimum(high, n)]
    one, nothing, registered = np.ones(low.size), np.zeros(low.size, bool), np.zeros(low.size, bool)
    rows = (
        (low, high, nothing, answers, answers * back_s[UP]),
        (low, low if mac.answers_hops else high, nothing, one, up_s[low]),
        (high, low, ~nothing, answers + passed * relays, answers * back_s[DOWN] + relayed_s),
        (high, above, nothing, passed, passed * down_s[low]),
    )
    return [
        (node, cause, returns, rate / mac.alive_s, line / mac.alive_s, registered)
        for node, cause, returns, rate, line in rows
    ]


def _requests(mac: PrimeMac, routes: Routes, legacy: Array) -> tuple[Array, ...]:
    """Columns of `Control` for nodes without a switch."""
    node = np.flatnonzero(routes.server < 0)
    kind, air_s = pair_frame(mac, legacy, legacy)[node], np.zeros(node.size)
    for row, name in enumerate(KINDS):
        if (kind == row).any():
            air_s[kind == row] = frame_s(mac, name, np.array(robust_mode(mac, name)), np.array(REQUEST_BYTES))
    rate = np.full(node.size, 1 / mac.request_every_s)
    return node, np.full(node.size, -1), np.zeros(node.size, bool), rate, air_s * rate, np.ones(node.size, bool)


def alive_ratios(mac: PrimeMac, exchanges: Exchanges, busy_s: Array) -> Array:
    """Keep-alives that really run while each service is read, one per node and ``alive_s`` being 1.

    Parameters
    ----------
    busy_s : (n_services, n_sites) what all exchanges of a service take [s]

    Returns
    -------
    (n_services, n_sites). A node that is polled at place u of the pass of a service is not asked for ``alive_s`` after
    that, then once in each. Before the first pass it was last heard a uniform time ago, at most ``alive_s``. Passes
    follow each other in the order of their windows, each in the same order of nodes, u being uniform.
    """
    place = (np.arange(_PLACES) + 0.5)[:, None] / _PLACES
    ratio, begin_s, heard_s = np.zeros(busy_s.shape), np.zeros(busy_s.shape[1]), np.zeros(0)
    for service in np.argsort(exchanges.window_s, kind="stable"):
        pass_s = busy_s[service]
        polled_s = begin_s + place * pass_s
        if heard_s.size:
            count = (polled_s - heard_s) // mac.alive_s - (begin_s - heard_s) // mac.alive_s
        else:
            count = (polled_s - begin_s) / mac.alive_s
        heard_s, begin_s = polled_s, begin_s + pass_s
        count = (count + (begin_s - heard_s) // mac.alive_s).mean(0)
        ratio[service] = np.divide(count * mac.alive_s, pass_s, out=np.zeros(pass_s.size), where=pass_s > 0)
    return ratio


def found_busy(mac: PrimeMac, control: Control, links: Links, routes: Routes, n_sites: int) -> tuple[Array, Array]:
    """How often a look at the line finds a control frame there, in the mean over the nodes of each site.

    Returns
    -------
    Two columns (n_sites,), 0 to 1 where control is seldom: frames of registered nodes, one keep-alive per node and
    ``alive_s``, and of nodes without a switch. Only what a node hears counts.
    """
    taken = control.line + control.rate_hz * mac.senses_s * (mac.sense_count > 1)
    here = np.repeat(np.arange(links.start.size - 1), np.diff(links.start))
    heard = links.in_db >= mac.sense_db
    routed = np.flatnonzero(routes.server >= 0)
    site = routes.server[routed]
    shares = []
    # registered nodes send within the contention periods alone, as those do who look
    for group, dense in ((~control.outside, mac.frame_s / mac.scp_s), (control.outside, 1.0)):
        share = np.bincount(control.node[group], taken[group] * dense, links.start.size - 1)
        near = np.bincount(here[heard], share[links.other[heard]], share.size)
        shares.append(np.bincount(site, near[routed], n_sites) / np.maximum(np.bincount(site, minlength=n_sites), 1))
    return shares[0], shares[1]


def held_up_s(mac: PrimeMac, control: Control, busy: Array) -> Array:
    """What a frame loses to control frames that its sender finds on the line, (...,) [s].

    Parameters
    ----------
    busy : (...,) how often a look finds one, below 1

    Each time it waits for half of such a frame in the mean, then draws a backoff from the window of the next attempt.
    """
    frame_s = float(control.line.sum() / max(control.rate_hz.sum(), 1e-300))
    again_s = mac.window_symbols(DATA_PRIORITY, 1) * SYMBOL_S / 2 + mac.senses_s
    return np.asarray(busy / (1 - busy) * (frame_s / 2 + again_s))
