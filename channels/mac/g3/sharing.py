"""Several G3-PLC exchanges side by side on the line of one concentrator: what they cost each other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...paths import CablePaths
from ...phy.g3_ofdm import threshold_db
from ...technology import Exchanges, LinkQuality, Routes
from ..plc.contention import contest
from ..plc.exchange import LegCost
from .exchange import G3Net
from .framing import fragment_sizes_bytes
from .freshness import search_cost

Array = NDArray[Any]

HIDDEN_FAILURES = 0.03
"""Hops given up per fragment, per further exchange at a time, where nobody hears anybody else; confidence C, taken from
the packet tier in cells of 30 meters, two and four at a time."""


def contention_factors(
    net: G3Net, exchanges: Exchanges, cost: LegCost, routes: Routes, paths: CablePaths, quality: LinkQuality
) -> Array:
    """Factor on the time of the line while 1, 2, ... exchanges want it, (n_sites, n).

    Contention: the wait for the smallest draw of several senders that always have something, and slots that are shared.
    Hidden senders: those that do not hear each other spoil each other's fragments until a hop is given up in all its
    tries, and the route is looked for anew, which floods the cell. How often that happens for a pair of exchanges is
    `HIDDEN_FAILURES` times the share of pairs of nodes that do not hear each other.
    """
    n, csma, plan = net.parallel, net.mac.csma, net.mac.plan
    if n == 1:
        return np.ones((1, 1))
    size = np.bincount(routes.server[routes.server >= 0], minlength=paths.n_sites)
    contests, line_s, frames = _contests(net, exchanges, cost, routes, paths.n_sites)
    some = np.maximum(contests, 1.0)
    burst_s, first_s = line_s / some, line_s / np.maximum(frames, 1.0)
    alone_s = plan.slot_s * contest(1, csma).slots
    search_s = search_cost(net.table, net.mac, net.search, size.astype(float), np.ones(size.size))[1]
    hidden = _hidden_share(net, routes, paths, quality)
    factors = np.ones((paths.n_sites, n))
    for several in range(2, n + 1):
        drawn = contest(several, csma)
        extra_s = drawn.until_won * plan.slot_s * drawn.slots - alone_s + (drawn.until_won - 1) * first_s
        extra_s += HIDDEN_FAILURES * (several - 1) * hidden * (search_s + net.search.rrep_wait_s / several)
        factors[:, several - 1] = 1 + np.where(contests > 0, extra_s / np.maximum(burst_s, 1e-9), 0.0)
    return factors


def _contests(
    net: G3Net, exchanges: Exchanges, cost: LegCost, routes: Routes, n_sites: int
) -> tuple[Array, Array, Array]:
    """Fragments times hops, line time [s] and frames of all legs of each site, (n_sites,)."""
    sizes, row = np.unique(exchanges.bytes, return_inverse=True)
    fragments = np.array([len(fragment_sizes_bytes(int(size), net.mac)) for size in sizes])
    server = routes.server[exchanges.meter]
    at = server >= 0
    times = fragments[row] * routes.hops[exchanges.meter]
    columns = (times, cost.channel_s, cost.frames)
    contests, line_s, frames = (np.bincount(server[at], column[at], n_sites) for column in columns)
    return contests, line_s, frames


def _hidden_share(net: G3Net, routes: Routes, paths: CablePaths, quality: LinkQuality) -> Array:
    """Share of the pairs of a site's nodes with a route that do not hear each other, (n_sites,)."""
    site = np.append(routes.server, np.arange(paths.n_sites))
    floor_db = net.mac.preamble_snr_db + net.mac.loss_db - threshold_db(net.table[0], net.mac.loss_db)
    first, second = site[paths.from_node], site[paths.to_node]
    own = (first >= 0) & (first == second)
    heard = 0.5 * ((quality.margin_up_db >= floor_db).astype(float) + (quality.margin_down_db >= floor_db))
    size = np.bincount(routes.server[routes.server >= 0], minlength=paths.n_sites)
    pairs = np.maximum(size * (size + 1) / 2, 1.0)
    return np.asarray(np.where(size > 0, 1 - np.bincount(first[own], heard[own], paths.n_sites) / pairs, 0.0))
