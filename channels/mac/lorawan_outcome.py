"""From legs back to services: what a meter's data of one period came to, and what it was lost to."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..technology import UP, Exchanges, Outcome, Reason
from .lorawan_delivery import Fate

Array = NDArray[Any]


def outcome_of(
    exchanges: Exchanges, rows: Array, fate: Fate, *, n_meters: int, no_route: Array, link_limit: Array
) -> Outcome:
    """Fate of every service of every meter from the fates of its legs.

    Parameters
    ----------
    exchanges : all legs.
    rows : (n_legs,) rows of the legs that had a route.
    fate : their fates.
    n_meters : meters.
    no_route : (n_meters,) ``Reason`` of a meter without route, ``NONE`` for the others.
    link_limit : (n_meters,) ``Reason`` that limits the meter's own link.

    Returns
    -------
    Outcome, columns (n_services, n_meters): all legs must arrive; the legs of an exchange follow one
    another, and each waits until its sender may be on the air again; the latency of a service is the longest of its
    exchanges. A service that says nothing about a meter is ``DATA_MISSING``.
    """
    n_services = len(exchanges.services)
    cell = exchanges.service[rows].astype(np.int64) * n_meters + exchanges.meter[rows]
    size = n_services * n_meters
    log_p = np.bincount(cell, np.log(np.maximum(fate.p, 1e-300)), size)
    said = np.bincount(cell, minlength=size) > 0
    p = np.where(said, np.exp(log_p), 0.0)
    p[np.unique(cell[fate.p <= 0.0])] = 0.0
    routed = np.tile(no_route == Reason.NONE, n_services)
    reason = np.where(routed, Reason.DATA_MISSING, np.tile(no_route, n_services))
    reason[said] = _reason(cell, fate, size, np.tile(link_limit, n_services))[said]
    reason[said & (p >= 1.0 - 1e-12)] = Reason.NONE
    shape = (n_services, n_meters)
    return Outcome(
        p_arrive=p.reshape(shape),
        latency_p50_s=_latency_s(exchanges, rows, cell, fate.p50_s, fate.quiet_s, p).reshape(shape),
        latency_p95_s=_latency_s(exchanges, rows, cell, fate.p95_s, fate.quiet_s, p).reshape(shape),
        attempts=np.bincount(cell, fate.attempts, size).reshape(shape),
        reason=reason.astype(np.int8).reshape(shape),
    )


def _reason(cell: Array, fate: Fate, size: int, link_limit: Array) -> Array:
    """The largest loss decides."""
    lost = [np.bincount(cell, column, size) for column in (fate.lost_link, fate.lost_traffic, fate.lost_duty)]
    worst = np.argmax(np.stack(lost), axis=0)
    return np.select([worst == 0, worst == 1], [link_limit, Reason.CAPACITY], Reason.DUTY_CYCLE)


def _latency_s(exchanges: Exchanges, rows: Array, cell: Array, leg_s: Array, quiet_s: Array, p: Array) -> Array:
    _, exchange = np.unique(exchanges.exchange[rows], return_inverse=True)
    n_exchanges, up = int(exchange.max(initial=-1)) + 1, (exchanges.direction[rows] == UP).astype(np.int64)
    number = exchanges.leg[rows].astype(np.int64)
    whole_s, free_s = np.zeros(n_exchanges), np.zeros((n_exchanges, 2))
    for k in range(int(number.max(initial=-1)) + 1):
        now = np.flatnonzero(number == k)
        one, sender = exchange[now], up[now]
        start_s = np.maximum(whole_s[one], free_s[one, sender])
        whole_s[one] = start_s + leg_s[now]
        free_s[one, sender] = start_s + np.maximum(quiet_s[now], leg_s[now])
    out = np.zeros(p.size)
    np.maximum.at(out, cell, whole_s[exchange])
    return np.where(p > 0.0, out, np.inf)
