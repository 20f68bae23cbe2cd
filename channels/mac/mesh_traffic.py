"""Exchanges over a collector tree: who queues for which collector, whose airtime lasts, what arrives in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..paths import RadioPaths
from ..technology import UP, Exchanges, Outcome, Reason, Routes
from .answers import answered_in_time, request_of
from .csma_154 import LegSums, application_tries, queue_start_s
from .gamma_time import GammaTime

Array = NDArray[Any]

_CERTAIN = 1.0 - 1e-9


@dataclass(frozen=True)
class Turns:
    """Exchanges folded per (service, meter), flat; ``starts`` is per leg.

    ``log_arrival`` knows no timeout; what the channel cannot hold and what is answered too late is ``channel_share``.
    """

    log_arrival: Array
    mean_s: Array
    variance_s2: Array
    attempts: Array
    start_s: Array
    slot_s: Array
    channel_share: Array
    starts: Array


@dataclass(frozen=True)
class Traffic:
    """The legs of meters that have a route, and who they queue with."""

    rows: Array
    meter: Array
    up: Array
    fold: Array
    asked: Array
    n_exchanges: Array
    not_before_s: Array
    per_hour: Array
    parent: Array
    site: Array
    window_s: Array
    timeout_s: Array
    tries: Array
    request: Array
    n_services: int
    n_meters: int
    n_sites: int

    @classmethod
    def of(cls, exchanges: Exchanges, routes: Routes, paths: RadioPaths) -> Traffic:
        """From the legs of all meters that have a route."""
        rows = np.flatnonzero(routes.server[exchanges.meter] >= 0)
        meter, service = exchanges.meter[rows], exchanges.service[rows].astype(np.int64)
        n_cells = len(exchanges.services) * paths.n_meters
        fold = service * paths.n_meters + meter
        first = exchanges.leg[rows] == 0
        window_s = np.asarray(exchanges.window_s, np.float64)
        latest_s = np.zeros(n_cells)
        np.maximum.at(latest_s, fold, exchanges.not_before_s[rows])
        asked = np.zeros(n_cells, bool)
        asked[fold[first & (exchanges.direction[rows] != UP)]] = True
        parent = np.full(paths.node_key.size, -1, np.int32)
        parent[: paths.n_meters] = routes.parent
        return cls(
            rows,
            meter,
            exchanges.direction[rows] == UP,
            fold,
            asked,
            np.bincount(fold[first], minlength=n_cells),
            latest_s,
            1.0 / np.maximum(window_s / 3600.0, 1.0)[service],
            parent,
            np.tile(routes.server, len(exchanges.services)),
            np.repeat(window_s, paths.n_meters),
            exchanges.timeout_s[rows],
            exchanges.tries[rows],
            request_of(exchanges, rows),
            len(exchanges.services),
            paths.n_meters,
            paths.n_sites,
        )

    def _sum(self, column: Array) -> Array:
        return np.bincount(self.fold, column, self.window_s.size)

    def turns(
        self, sums: LegSums, starts: Array, polling: Array, parallel_sessions: int, max_utilisation: float
    ) -> Turns:
        """Legs to exchanges, and exchanges to a place in their collector's queue."""
        once = np.exp(sums.log_arrival)
        answered, leg_s, leg_s2 = answered_in_time(sums.mean_s, sums.variance_s2, self.timeout_s, self.request)
        patient = application_tries(once, self.tries)[0]
        arrived, starts, failed, failed_s2 = application_tries(once * answered, self.tries)
        with np.errstate(divide="ignore"):
            log_arrival = self._sum(np.log(patient))
            answered_share = np.exp(
                self._sum(np.log(np.where(patient > 0.0, arrived / np.maximum(patient, 1e-300), 1.0)))
            )
        mean_s = self._sum(leg_s + failed * self.timeout_s)
        variance_s2 = self._sum(leg_s2 + failed_s2 * self.timeout_s**2)
        channel_s = self._sum(sums.root_s * starts)
        routed = self.site >= 0
        slot_s = np.where(routed, np.maximum(mean_s / parallel_sessions, channel_s / max_utilisation), 0.0)
        queued_s = np.where(self.asked, slot_s, 0.0)
        service = np.repeat(np.arange(self.n_services), self.n_meters)
        group = service * (self.n_sites + 1) + self.site
        per_cell_s = np.bincount(np.maximum(self.site, 0), np.where(routed, slot_s / self.window_s, 0.0), self.n_sites)
        n_groups = self.n_services * (self.n_sites + 1)
        own = np.bincount(np.maximum(group, 0), np.where(routed, slot_s / self.window_s, 0.0), n_groups)
        others = np.maximum(per_cell_s[np.maximum(self.site, 0)] - own[np.maximum(group, 0)], 0.0)
        stretched_s = queued_s / np.maximum(1.0 - others, 0.05)
        start_s = queue_start_s(stretched_s, group, np.tile(polling, self.n_services))
        used = np.bincount(np.maximum(self.site, 0), np.where(routed, channel_s / self.window_s, 0.0), self.n_sites)[
            np.maximum(self.site, 0)
        ]
        channel_share = np.where(self.asked, 1.0, np.minimum(max_utilisation / np.maximum(used, 1e-12), 1.0))
        return Turns(
            log_arrival,
            mean_s,
            variance_s2,
            self._sum(sums.attempts * starts),
            np.maximum(start_s, self.not_before_s),
            slot_s,
            channel_share * answered_share,
            starts,
        )

    def active_s(self, turn: Turns) -> Array:
        """Per node, how long its collector's traffic is on the air: polling rounds, or the window for pushes."""
        served = self.site >= 0
        round_s = np.bincount(self.site[served], turn.slot_s[served], self.n_sites)
        longest_s = np.zeros(self.n_sites)
        np.maximum.at(longest_s, self.site[served], self.window_s[served])
        pushed = np.zeros(self.n_sites, bool)
        pushed[self.site[served & ~self.asked & (self.n_exchanges > 0)]] = True
        site_s = np.where(pushed, longest_s, np.clip(round_s, 1.0, np.maximum(longest_s, 1.0)))
        own_site = self.site[: self.n_meters]
        return np.concatenate([np.where(own_site >= 0, site_s[np.maximum(own_site, 0)], np.inf), site_s])

    def spell_s(self, turn: Turns) -> Array:
        """Per node, the time over which its traffic is spent, at least the hour in which a budget may go at once."""
        return np.maximum(self.active_s(turn), 3600.0)

    def outcome(self, turn: Turns, airtime_share: Array, held_s: Array, routes: Routes, path_limit: Array) -> Outcome:
        """Arrival by the deadline, latency and what limits it.

        ``held_s`` is the mean wait for the next hour's airtime, uniform up to its double.
        """
        shape = (self.n_services, self.n_meters)
        routed = self.site >= 0
        busy = routed & (self.n_exchanges > 0)
        count = np.maximum(self.n_exchanges, 1)
        mean_s = np.where(busy, turn.mean_s / count, 1.0)
        time = GammaTime.of(mean_s, turn.variance_s2 / count)
        in_time = np.where(busy, time.within(self.window_s - turn.start_s), 1.0)
        share = np.tile(airtime_share, self.n_services)
        p_link = np.exp(turn.log_arrival)
        p_arrive = np.where(routed, p_link * in_time * turn.channel_share * share, 0.0)
        parts = np.stack([p_link, in_time * turn.channel_share, share])
        codes = np.array([0, Reason.CAPACITY, Reason.DUTY_CYCLE], np.int8)[parts.argmin(axis=0)]
        blamed = np.where(codes == 0, np.tile(path_limit, self.n_services), codes)
        unserved = np.tile(routes.reason, self.n_services)
        reason = np.where(routed, np.where(p_arrive < _CERTAIN, blamed, Reason.NONE), unserved)
        possible = p_arrive > 0.0
        held = np.tile(held_s, self.n_services)
        latency = [
            np.where(possible, np.where(busy, time.quantile_s(q) + 2.0 * q * held, 0.0), np.inf) for q in (0.5, 0.95)
        ]
        return Outcome(
            p_arrive.reshape(shape),
            latency[0].reshape(shape),
            latency[1].reshape(shape),
            np.where(routed, turn.attempts, 0.0).reshape(shape),
            reason.astype(np.int8).reshape(shape),
        )


def nobody_arrives(n_services: int, reason: Array) -> Outcome:
    """The outcome where there is no site at all, or no meter."""
    shape = (n_services, reason.size)
    never = np.full(shape, np.inf)
    return Outcome(np.zeros(shape), never, never, np.zeros(shape), np.tile(reason, (n_services, 1)).astype(np.int8))
