"""Fast tier of G3-PLC: whole exchanges over their routes, and the polling cycle of every concentrator at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..draws import Draws
from ..paths import CablePaths, other_end
from ..phy.g3_ofdm import Mode, threshold_db
from ..technology import UP, Exchanges, LinkQuality, Outcome, Reason, Routes
from .g3_framing import HopCost, MacSettings, hop_cost, hop_table
from .g3_polling import MOST_ROUNDS, poll

Array = NDArray[Any]

CAPACITY_SHARE = 0.01
"""A meter lacks capacity where an endless window or endless patience would raise its probability by more than this."""


@dataclass(frozen=True)
class LinkEnds:
    """Quality of links as one sender sees them, (n,) each: forward mode and SNR, robust SNR both ways [dB]."""

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


def leg_costs(
    table: tuple[Mode, ...],
    mac: MacSettings,
    exchanges: Exchanges,
    link_of_meter: Array,
    paths: CablePaths,
    quality: LinkQuality,
    *,
    meters: Array,
) -> HopCost:
    """Every leg over one hop on a given link of its meter; without a mode, as the robust mode at its threshold.

    Parameters
    ----------
    link_of_meter : (n_meters,) rows of the paths, -1 for none;  meters : (n_legs,) meter of each leg
    """
    sizes, size = np.unique(exchanges.bytes, return_inverse=True)
    link = link_of_meter[meters]
    along = _along(paths, link, meters, exchanges.direction == UP)
    ends = link_ends(table, mac, quality, link, along)
    none = ends.mode < 0
    floor = threshold_db(table[0], mac.loss_db)
    return hop_cost(
        table,
        hop_table(sizes, table, mac),
        np.asarray(size),
        np.where(none, 0, ends.mode),
        np.where(none, floor, ends.snr_db),
        np.where(none, floor, ends.robust_db),
        np.where(none, floor, ends.robust_back_db),
        mac,
    )


def _along(paths: CablePaths, link: Array, node: Array, upward: Array) -> Array:
    """Whether a frame that leaves ``node`` upward (or comes down to it) runs from the first end to the second."""
    if paths.n_links == 0:
        return np.zeros(link.shape, bool)
    return np.asarray((paths.from_node[np.maximum(link, 0)] == node) == upward)


def route_costs(
    table: tuple[Mode, ...],
    mac: MacSettings,
    exchanges: Exchanges,
    routes: Routes,
    paths: CablePaths,
    quality: LinkQuality,
) -> HopCost:
    """Every leg over all hops of its meter's route: success, mean time, frames, (n_legs,); 0 without a route."""
    sizes, size = np.unique(exchanges.bytes, return_inverse=True)
    cut = hop_table(sizes, table, mac)
    node = np.where(routes.server[exchanges.meter] >= 0, exchanges.meter, -1).astype(np.int64)
    success = (node >= 0).astype(float)
    time, frames = np.zeros(node.size), np.zeros(node.size)
    rows = np.flatnonzero(node >= 0)
    while rows.size:
        here = node[rows]
        link = routes.link[here]
        along = _along(paths, link, here, exchanges.direction[rows] == UP)
        ends = link_ends(table, mac, quality, link, along)
        cost = hop_cost(table, cut, size[rows], ends.mode, ends.snr_db, ends.robust_db, ends.robust_back_db, mac)
        time[rows] += cost.time_s
        frames[rows] += cost.frames
        success[rows] *= cost.success
        node[rows] = other_end(paths, link, here)
        rows = rows[node[rows] < paths.n_meters]
    return HopCost(success, time, frames)


@dataclass(frozen=True)
class _Jobs:
    """One job per service and meter: all its exchanges of the period in one go.

    success, patient : probability that one attempt completes, with timeouts and if everybody waited without end
    """

    service: Array
    meter: Array
    success: Array
    patient: Array
    time_s: Array
    frames: Array
    not_before_s: Array


def _exchange_jobs(exchanges: Exchanges, cost: HopCost, response_s: float) -> _Jobs:
    """Chain the legs of each exchange: a leg starts when the one before arrived, and again after a timeout."""
    _, first, exchange = np.unique(exchanges.exchange, return_index=True, return_inverse=True)
    ordinal = np.arange(exchange.size) - first[exchange]
    answer = (exchanges.direction == UP) & (exchanges.depends_on >= 0)
    leg_s = cost.time_s + np.where(answer, response_s, 0.0)
    wait_s = np.where(np.isfinite(exchanges.timeout_s), exchanges.timeout_s, leg_s)
    once = np.where((wait_s > 0) & (leg_s > wait_s), 0.0, cost.success)
    tries = np.maximum(exchanges.tries, 1).astype(float)
    lost = (1 - once) ** tries
    started = np.where(once > 0, (1 - lost) / np.where(once > 0, once, 1.0), tries)
    busy_s = started * leg_s + (started - 1) * wait_s + lost * wait_s
    going, endless, time, frames = (fill(first.size) for fill in (np.ones, np.ones, np.zeros, np.zeros))
    for position in range(int(ordinal.max(initial=-1)) + 1):
        rows = np.flatnonzero(ordinal == position)
        at = exchange[rows]
        time[at] += going[at] * busy_s[rows]
        frames[at] += going[at] * started[rows] * cost.frames[rows]
        going[at] *= 1 - lost[rows]
        endless[at] *= 1 - (1 - cost.success[rows]) ** tries[rows]
    meter, service = exchanges.meter[first].astype(np.int64), exchanges.service[first].astype(np.int64)
    span = int(meter.max(initial=0)) + 1
    key, job = np.unique(service * span + meter, return_inverse=True)
    start, success, patient = np.full(key.size, np.inf), np.ones(key.size), np.ones(key.size)
    np.minimum.at(start, job, exchanges.not_before_s[first])
    np.multiply.at(success, job, going)
    np.multiply.at(patient, job, endless)
    return _Jobs(key // span, key % span, success, patient, np.bincount(job, time), np.bincount(job, frames), start)


def carry_exchanges(
    table: tuple[Mode, ...],
    mac: MacSettings,
    exchanges: Exchanges,
    routes: Routes,
    paths: CablePaths,
    quality: LinkQuality,
    draws: Draws,
    *,
    response_s: float,
    parallel: int,
    airtime_share: float,
    alone: bool,
) -> Outcome:
    """Fate of every service of every meter in one replication.

    Parameters
    ----------
    exchanges, routes, paths, quality, draws : as in the protocol
    response_s : time a meter takes to answer [s];  parallel, airtime_share, alone : see `g3_polling.poll`

    Returns
    -------
    Outcome. Services with the shorter window come first at each concentrator, meters in an order drawn per replication;
    latency counts from the earliest start of the service. What the window, the airtime or a timeout cuts off lacks
    capacity: the channel is too slow for what is asked of it.
    """
    cost = route_costs(table, mac, exchanges, routes, paths, quality)
    jobs = _exchange_jobs(exchanges, cost, response_s)
    window = np.asarray(exchanges.window_s, dtype=np.float64)
    turn = np.argsort(np.argsort(window, kind="stable"), kind="stable").astype(float)
    order = draws.uniform("g3 poll order", paths.node_key[: paths.n_meters])
    routed = np.flatnonzero(routes.server[jobs.meter] >= 0)
    service, meter = jobs.service[routed], jobs.meter[routed]
    fate = poll(
        routes.server[meter].astype(np.int64),
        turn[service] + order[meter],
        jobs.not_before_s[routed],
        window[service],
        jobs.success[routed],
        jobs.time_s[routed],
        rounds=MOST_ROUNDS,
        parallel=parallel,
        airtime_share=airtime_share,
        alone=alone,
    )
    shape = (len(exchanges.services), paths.n_meters)
    p_arrive, p50, p95 = np.zeros(shape), np.full(shape, np.inf), np.full(shape, np.inf)
    attempts, reason = np.zeros(shape), np.full(shape, Reason.DATA_MISSING, np.int8)
    reason[jobs.service, jobs.meter] = routes.reason[jobs.meter]
    p_arrive[service, meter], p50[service, meter], p95[service, meter] = fate.p_arrive, fate.p50_s, fate.p95_s
    attempts[service, meter] = fate.attempts * jobs.frames[routed]
    hurried = (jobs.patient - jobs.success)[routed] > CAPACITY_SHARE
    crowded = hurried | (fate.p_eventually - fate.p_arrive > CAPACITY_SHARE)
    weakest = weakest_limit(routes, paths, quality)[meter]
    reason[service, meter] = np.select([crowded, fate.p_arrive < 1 - 1e-9], [Reason.CAPACITY, weakest], Reason.NONE)
    return Outcome(p_arrive, p50, p95, attempts, reason)


def weakest_limit(routes: Routes, paths: CablePaths, quality: LinkQuality) -> Array:
    """``limit`` of the link with the smallest margin on each meter's route, (n_meters,); NONE without a route."""
    node = np.where(routes.server >= 0, np.arange(routes.server.size), -1)
    least, limit = np.full(node.size, np.inf), np.full(node.size, Reason.NONE, np.int8)
    rows = np.flatnonzero(node >= 0)
    while rows.size:
        link = routes.link[node[rows]]
        margin = np.minimum(quality.margin_up_db[link], quality.margin_down_db[link])
        worse = margin < least[rows]
        limit[rows] = np.where(worse, quality.limit[link], limit[rows])
        least[rows] = np.minimum(margin, least[rows])
        node[rows] = other_end(paths, link, node[rows])
        rows = rows[node[rows] < paths.n_meters]
    return limit
