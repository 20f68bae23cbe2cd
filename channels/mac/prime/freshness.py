"""How fresh a PRIME node's knowledge of its neighbours is when a meter is polled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...technology import Exchanges, Routes
from .hops import Hops
from .settings import PrimeMac

Array = NDArray[Any]


def stale_ratios(mac: PrimeMac, exchanges: Exchanges, hops: Hops, routes: Routes, busy_s: Array) -> tuple[Array, Array]:
    """Probability that a hop was silent for ``robustness_s``, for the first service polled and for later ones.

    Parameters
    ----------
    busy_s : (n_sites,) what all exchanges of a site take [s]

    Returns
    -------
    Two columns (n_meters, n_hops). A base node asks its n meters in random order, service by service. A hop with k of
    them beyond it was used by one of those among the last u n polls, or by a keep-alive of theirs: in the first pass
    the place of the poll is uniform and (1 - (1 - u)^k) / k + (1 - u)^k stay silent, later (1 - u)^k.
    """
    n, site, there = routes.server.size, np.maximum(routes.server, 0), hops.there
    jobs = np.unique(exchanges.service.astype(np.int64) * n + exchanges.meter)
    jobs = jobs[routes.server[jobs % n] >= 0]
    polled = np.zeros(n, bool)
    polled[jobs % n] = True
    n_jobs, n_polled = (np.bincount(site[one], minlength=busy_s.size) for one in (jobs % n, np.flatnonzero(polled)))
    pass_s = busy_s * n_polled / np.maximum(n_jobs, 1)
    recent = np.minimum(np.divide(mac.robustness_s, pass_s, out=np.ones(busy_s.size), where=pass_s > 0), 1.0)[site]
    beyond = np.bincount(hops.node[there & polled[:, None]], minlength=n)
    members = np.bincount(hops.node[there], minlength=n)
    silent = (1 - recent) ** beyond
    first = (1 - silent) / np.maximum(beyond, 1) + silent
    alive = max(0.0, 1 - mac.robustness_s / mac.alive_s) ** members
    return np.where(there, (first * alive)[hops.node], 0.0), np.where(there, (silent * alive)[hops.node], 0.0)
