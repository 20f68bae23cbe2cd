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

MOST_CONTROL_SHARE = 0.95
"""Control frames that would fill more of the line than this delay each other instead."""
_PLACES = 64
"""Places in the order of polling at which keep-alives are counted."""


@dataclass(frozen=True)
class Control:
    """Control frames by who sends them and what makes it do so; (n,) columns, rising ``node``.

    node, cause : sender, and the node whose frame it follows; -1 where it begins of its own accord
    returns : bool, what it follows was caused by the sender's own frame before
    rate_hz, line, square_s : frames a second, and their airtimes [s] and the squares of these [s^2] summed over a
        second; of registered nodes where every node is asked once in ``alive_s``, which `alive_ratios` corrects
    outside : bool, the sender has no switch: it asks for one, without regard to the MAC frame
    """

    node: Array
    cause: Array
    returns: Array
    rate_hz: Array
    line: Array
    square_s: Array
    outside: Array


def control_of(mac: PrimeMac, hops: Hops, routes: Routes, legacy: Array) -> Control:
    """Keep-alives and requests for a switch.

    Parameters
    ----------
    legacy : (n_nodes,) bool, of version 1.3.6

    Every hop of the way carries a keep-alive down and one up, and between two nodes of version 1.4 the hop's answer to
    either. A node of version 1.3.6 asks for a switch as seldom as that version does, in a network of 1.4 too.
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

    def sums(way: int, size: int) -> Array:
        """Number, airtimes [s] and squares of these [s^2] of one frame of everybody beyond each hop, (3, n)."""
        each_s = hop_airtime_s(mac, hops, way, size)
        each_s[:, :1] = hop_airtime_s(mac, hops, way, size, robust=True)[:, :1]
        return np.array([np.bincount(hops.node[there], each_s[there] ** power, n) for power in range(3)])

    answered = np.array([mac.answers_hops(kind) for kind in KINDS])[hops.kind[low, :1].ravel()]
    answers = {way: sums(way, HOP_ANSWER_BYTES)[:, low] * answered for way in (UP, DOWN)}
    up, down = sums(UP, ALIVE_BYTES), sums(DOWN, ALIVE_BYTES)[:, low]
    # what goes up on a hop goes on over the next one, at the speed of that one
    on_s = np.divide(up[1:], beyond, out=np.zeros((2, n)), where=beyond > 0)
    relayed = beyond[low] * (high < n) * np.vstack([np.ones(low.size), on_s[:, np.minimum(high, n - 1)]])
    above = np.append(routes.parent, -1).astype(np.int64)[np.minimum(high, n)]
    nothing, registered = np.zeros(low.size, bool), np.zeros(low.size, bool)
    rows = (
        (low, high, nothing, answers[UP]),
        (low, np.where(answered, low, high), nothing, np.vstack([np.ones(low.size), on_s[:, low]])),
        (high, low, ~nothing, answers[DOWN] + relayed),
        (high, above, nothing, down),
    )
    return [(node, cause, returns, *frames / mac.alive_s, registered) for node, cause, returns, frames in rows]


def _requests(mac: PrimeMac, routes: Routes, legacy: Array) -> tuple[Array, ...]:
    """Columns of `Control` for nodes without a switch."""
    node = np.flatnonzero(routes.server < 0)
    kind, air_s, rate = pair_frame(mac, legacy, legacy)[node], *np.zeros((2, node.size))
    for row, name in enumerate(KINDS):
        if (kind == row).any():
            air_s[kind == row] = frame_s(mac, name, np.array(robust_mode(mac, name)), np.array(REQUEST_BYTES))
            rate[kind == row] = 1 / mac.request_every_s(name)
    nothing = np.zeros(node.size, bool)
    return node, np.full(node.size, -1), nothing, rate, air_s * rate, air_s**2 * rate, ~nothing


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
        # summed place by place, so that no site's figure hangs on how many sites there are
        count = np.cumsum(count + (begin_s - heard_s) // mac.alive_s, axis=0)[-1] / _PLACES
        ratio[service] = np.divide(count * mac.alive_s, pass_s, out=np.zeros(pass_s.size), where=pass_s > 0)
    return ratio


@dataclass(frozen=True)
class Found:
    """Control frames that a look at the line finds, in the mean over the nodes of a site; (2, n) rows.

    The first row tells of registered nodes, one keep-alive per node and ``alive_s``, the second of nodes without a
    switch.

    busy : how often a look finds one, 0 to 1 where control is seldom
    left_s : how long the frame that a look finds lasts on, 0 where it finds none, in the mean of all looks [s]
    """

    busy: Array
    left_s: Array


def found_busy(mac: PrimeMac, control: Control, links: Links, routes: Routes, n_sites: int) -> Found:
    """What looks at the line find at each site, ``n_sites`` columns. Only what a node hears counts.

    A look finds a frame of airtime T that began at most T ago, which lasts on for T / 2 in the mean; one of several
    looks in a row also finds what has begun since the one before.
    """
    n_nodes = links.start.size - 1
    here = np.repeat(np.arange(n_nodes), np.diff(links.start))
    heard = links.in_db >= mac.sense_db
    routed = np.flatnonzero(routes.server >= 0)
    site = routes.server[routed]
    size = np.maximum(np.bincount(site, minlength=n_sites), 1)
    since_s = control.line - control.rate_hz * mac.sense_delay_s / 2
    looks = control.line + control.rate_hz * mac.senses_s, control.square_s / 2 + since_s * mac.senses_s

    def at_sites(each: Array, group: Array) -> Array:
        share = np.bincount(control.node[group], each[group], n_nodes)
        near = np.bincount(here[heard], share[links.other[heard]], n_nodes)
        return np.asarray(np.bincount(site, near[routed], n_sites) / size)

    # registered nodes send within the contention periods alone, as those do who look
    groups = (~control.outside, mac.frame_s / mac.scp_s), (control.outside, 1.0)
    return Found(*(np.array([dense * at_sites(each, group) for group, dense in groups]) for each in looks))


def held_up_s(mac: PrimeMac, found: Found, alive: Array) -> Array:
    """What a frame loses to control frames that its sender finds on the line, (n,) [s].

    Parameters
    ----------
    found : n columns, one for each frame
    alive : (n,) keep-alives that run meanwhile, one per node and ``alive_s`` being 1

    Each time it waits for the end of such a frame, which is E[T^2] / (2 E[T]) away in the mean if frames last T, then
    draws a backoff from the window of the next attempt. Control frames fill at most `MOST_CONTROL_SHARE` of the line.
    """
    every, left_s = (alive * both[0] + both[1] for both in (found.busy, found.left_s))
    wait_s = np.divide(left_s, every, out=np.zeros(every.shape), where=every > 0)
    again_s = mac.window_symbols(DATA_PRIORITY, 1) * SYMBOL_S / 2 + mac.senses_s
    busy = np.minimum(every, MOST_CONTROL_SHARE)
    return np.asarray(busy / (1 - busy) * (wait_s + again_s))
