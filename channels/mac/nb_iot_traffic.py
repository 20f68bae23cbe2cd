"""Legs of NB-IoT meters gathered by service and meter: what the cell's random access and carrier make of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..paths import RadioPaths
from ..technology import Exchanges, Outcome, Reason, Routes
from .csma_154 import attempts_second_moment, expected_attempts
from .gamma_time import GammaTime
from .nb_iot_cell import PREAMBLE_REPETITION_S, preamble_collision_ratio
from .nb_iot_messages import Legs

Array = NDArray[Any]

_CERTAIN = 1.0 - 1e-9
_N_LEVELS = 3
_N_ROUNDS = 5
"""Rounds of the fixed point between collisions and repeated preambles."""


@dataclass(frozen=True)
class AccessRules:
    """Random access; (3,) columns by coverage level, CE0 first. See the technology for units and sources."""

    detection: float
    attempts: int
    backoff_s: float
    repetitions: Array
    period_s: Array
    n_subcarriers: Array
    control_period_s: Array


@dataclass(frozen=True)
class Traffic:
    """Legs gathered per (service, meter), flat columns (n_services x n_meters,); ``row`` is the place of each leg."""

    row: Array
    n_services: int
    n_meters: int
    n_sites: int
    n_exchanges: Array
    count: Array
    window_s: Array
    latest_s: Array
    routed: Array
    talks: Array
    site: Array
    level: Array

    @classmethod
    def of(cls, exchanges: Exchanges, routes: Routes, paths: RadioPaths, legs: Legs, level: Array) -> Traffic:
        """From the legs, and the coverage level of each meter (n_meters,)."""
        n_services, n_meters = len(exchanges.services), paths.n_meters
        row = exchanges.service[legs.rows].astype(np.int64) * n_meters + legs.meter
        n_exchanges = np.bincount(row[legs.first], minlength=n_services * n_meters)
        latest_s = np.zeros(n_services * n_meters)
        np.maximum.at(latest_s, row, exchanges.not_before_s[legs.rows])
        routed = np.tile(routes.server >= 0, n_services)
        return cls(
            row,
            n_services,
            n_meters,
            max(paths.n_sites, 1),
            n_exchanges,
            np.maximum(n_exchanges, 1),
            np.repeat(np.asarray(exchanges.window_s, np.float64), n_meters),
            latest_s,
            routed,
            routed & (n_exchanges > 0),
            np.tile(np.maximum(routes.server, 0), n_services),
            np.tile(level, n_services),
        )

    def total(self, column: Array) -> Array:
        """Sum over the legs of each (service, meter)."""
        return np.bincount(self.row, column, self.n_services * self.n_meters)

    def utilisation(self, carriers: tuple[tuple[Array, float], ...]) -> Array:
        """Share of each cell's carrier that the meters use, the scarcest of the given (n_sites,).

        Parameters
        ----------
        carriers : pairs of carrier time by leg [s] and the share of that carrier that is there for data.
        """
        used = np.zeros(self.n_sites)
        for time_s, share in carriers:
            per_s = self.total(time_s) / self.window_s / share
            used = np.maximum(used, np.bincount(self.site[self.routed], per_s[self.routed], self.n_sites))
        return used

    def preamble_loss(self, rules: AccessRules, spread_share: float, *, interference: bool) -> Array:
        """Probability that one preamble fails, repeated attempts counted in the load."""
        place, levels = self.site * _N_LEVELS + self.level, np.tile(np.arange(_N_LEVELS), self.n_sites)
        rate = np.where(self.routed, self.n_exchanges / (self.window_s * spread_share), 0.0)
        per_level = np.bincount(place, rate, self.n_sites * _N_LEVELS)
        missed = np.full(levels.size, 1.0 - rules.detection)
        for _ in range(_N_ROUNDS if interference else 0):
            collided = preamble_collision_ratio(
                per_level * expected_attempts(missed, rules.attempts - 1),
                period_s=rules.period_s[levels],
                n_subcarriers=rules.n_subcarriers[levels],
            )
            missed = 1.0 - (1.0 - collided) * rules.detection
        return np.asarray(missed[place])

    def outcome(
        self,
        p_link: Array,
        share: Array,
        moments: tuple[Array, Array],
        start_s: Array,
        attempts: Array,
        *,
        link_limit: Array,
        no_route: Array,
    ) -> Outcome:
        """Arrival by the deadline, latency as a gamma distribution, and what limits it.

        Parameters
        ----------
        p_link, share : arrival over the link, and what the cell's carrier holds of it, 0 to 1.
        moments : mean and variance of an exchange's time [s], [s^2].
        start_s : start of the exchange in its window [s];  attempts : transmissions.
        link_limit, no_route : (n_meters,) ``Reason`` of the meter's own link, and of its having no cell.
        """
        time = GammaTime.of(np.where(self.talks, moments[0], 1.0), np.where(self.talks, moments[1], 1.0))
        in_time = np.where(self.talks, time.within(self.window_s - start_s), 1.0)
        p_arrive = np.where(self.routed, p_link * in_time * share, 0.0)
        blamed = np.where(p_link <= in_time * share, np.tile(link_limit, self.n_services), Reason.CAPACITY)
        known = np.where(p_arrive < _CERTAIN, blamed, Reason.NONE)
        reason = np.where(self.routed, known, np.tile(no_route, self.n_services))
        p50_s, p95_s = (
            np.where(p_arrive > 0.0, np.where(self.talks, time.quantile_s(q), 0.0), np.inf) for q in (0.5, 0.95)
        )
        shape = (self.n_services, self.n_meters)
        return Outcome(
            p_arrive.reshape(shape),
            p50_s.reshape(shape),
            p95_s.reshape(shape),
            attempts.reshape(shape),
            reason.astype(np.int8).reshape(shape),
        )


def access_time(missed: Array, level: Array, rules: AccessRules) -> tuple[Array, Array, Array]:
    """Mean and variance of the time to a connection [s], [s^2], and preambles sent; columns as ``missed``."""
    retries = rules.attempts - 1
    preambles = expected_attempts(missed, retries)
    spread = np.maximum(attempts_second_moment(missed, retries) - preambles**2, 0.0)
    opportunity_s = rules.period_s[level]
    once_s = opportunity_s / 2.0 + rules.repetitions[level] * PREAMBLE_REPETITION_S + rules.control_period_s[level]
    retry_s = once_s + rules.backoff_s
    mean_s = once_s + (preambles - 1.0) * retry_s
    backoff_s2 = (preambles - 1.0) * rules.backoff_s**2 / 3.0
    return mean_s, opportunity_s**2 / 12.0 + spread * retry_s**2 + backoff_s2, preambles
