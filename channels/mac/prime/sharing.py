"""Several PRIME exchanges side by side on one line: how often their frames meet, and what that costs them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...paths import CablePaths
from ...technology import DOWN, UP, Exchanges, LinkQuality, Routes
from ..plc.exchange import LegCost
from .collisions import struck
from .control import Control
from .hops import Hops, hops_of
from .neighbours import Links, links_of
from .settings import DATA_PRIORITY, PrimeMac

Array = NDArray[Any]


def contention(
    mac: PrimeMac,
    exchanges: Exchanges,
    cost: LegCost,
    routes: Routes,
    paths: CablePaths,
    quality: LinkQuality,
    legacy: Array,
    parallel: int,
) -> tuple[Array, Array]:
    """Factor on the time of the line while 1, 2, ... exchanges want it, and waits elsewhere per time on the line.

    A frame is lost where another exchange drew the same first backoff, or where its sender does not hear that of
    another frame which spoils it at its receiver. Then the line was taken in vain, and the exchange waits for its ARQ
    timeout, while the others go on; that may happen again until its tries are over.

    Parameters
    ----------
    cost : of all legs;  legacy : (n_nodes,) bool, of version 1.3.6;  parallel : exchanges side by side

    Returns
    -------
    Two columns (n_sites, n), as `plc.exchange.Polling` has them.
    """
    vain = np.zeros((paths.n_sites, parallel))
    if parallel == 1 or not mac.arq:
        return 1 + vain, vain
    hops = hops_of(mac, routes, paths, quality, legacy)
    unheard, n_hops = _unheard(mac, links_of(mac, paths, quality, legacy), hops, routes, paths.n_sites)
    site = routes.server[exchanges.meter]
    at = site >= 0
    frames, line_s = (np.bincount(site[at], one[at], paths.n_sites) for one in (cost.frames, cost.channel_s))
    frame_s = np.divide(line_s, frames, out=np.ones(paths.n_sites), where=frames > 0)
    alike = 1 / (mac.window_symbols(DATA_PRIORITY, 1) + 1)
    for several in range(2, parallel + 1):
        lost = 1 - (1 - unheard) ** (2 * several - 2) * (1 - alike) ** (several - 2)
        vain[:, several - 1] = sum(lost**again for again in range(1, mac.arq_tries))
    return 1 + vain, vain * (mac.arq_timeout_s * n_hops / frame_s)[:, None]


def _unheard(mac: PrimeMac, links: Links, hops: Hops, routes: Routes, n_sites: int) -> tuple[Array, Array]:
    """Chance that a frame meets one of another exchange unheard and is lost to it, and mean hops; (n_sites,).

    Either frame is that of any hop of any way, there and back.
    """
    n = routes.server.size
    beyond = np.bincount(hops.node[hops.there], minlength=n)
    low = np.flatnonzero(routes.server >= 0)
    site, n_members = routes.server[low], np.bincount(routes.server[routes.server >= 0], minlength=n_sites)
    used = np.maximum(np.bincount(site, beyond[low], n_sites), 1e-300)
    sent = np.zeros(n + n_sites)
    for end in (low, routes.parent[low].astype(np.int64)):
        np.add.at(sent, end, 0.5 * beyond[low] / used[site])
    node = np.flatnonzero(sent)
    own, nothing = np.zeros(node.size, bool), np.zeros(node.size)
    data = Control(node, np.full(node.size, -1), own, nothing, sent[node], nothing, own)
    met, size = struck(mac, links, hops, routes, data), mac.segment_payload_bytes + mac.overhead_bytes
    lost = 0.5 * (met.lost(mac, UP, size)[0] + met.lost(mac, DOWN, size)[0])
    share = np.bincount(site, beyond[low] * lost[low], n_sites) / used
    return np.clip(share, 0.0, 1.0), used / np.maximum(n_members, 1)
