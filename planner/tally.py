"""Sums over replications: from the fate of every exchange to a probability per meter and service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..channels.technology import Outcome, Paths, Reason, Technology
from .mixture import mixture_quantile_s
from .replicate import Replication
from .resampling import resampled_counts
from .service import ServiceLevel
from .tables import ByReplication, Deliveries

Array = NDArray[Any]

REFERENCE_FRAME_BYTES = 50
"""Frame length for which ``p_link`` is stated [B]: about one ciphered register reading with headers."""


@dataclass
class Tally:
    """Sums over replications; nothing here is larger than meters x services x replications.

    p_arrive, latency_p50_s, latency_p95_s : (n_replications, n_services, n_meters) at the head end
    deficit_by_reason : (n_reasons, n_services, n_meters) probability missed, by why;  attempts : (n_services, n_meters)
    sent : (n_replications, n_services) attempts of all meters
    margin_db, hops : (n_replications, n_meters);  server : (n_meters,) of the first replication that has one, or -1
    p_link, n_servers : (n_meters,) sums;  out_of_range : (n_replications,) share of the links in use
    """

    p_arrive: Array
    deficit_by_reason: Array
    latency_p50_s: Array
    latency_p95_s: Array
    attempts: Array
    sent: Array
    margin_db: Array
    p_link: Array
    server: Array
    hops: Array
    n_servers: Array
    out_of_range: Array

    @classmethod
    def empty(cls, n_replications: int, n_services: int, n_meters: int) -> Tally:
        """Room for some replications."""
        both = (n_services, n_meters)
        return cls(
            np.zeros((n_replications, *both), np.float32),
            np.zeros((len(Reason), *both), np.float32),
            np.zeros((n_replications, *both), np.float32),
            np.zeros((n_replications, *both), np.float32),
            np.zeros(both),
            np.zeros((n_replications, n_services)),
            np.full((n_replications, n_meters), -np.inf, np.float32),
            np.zeros(n_meters),
            np.full(n_meters, -1, np.int32),
            np.zeros((n_replications, n_meters), np.int16),
            np.zeros(n_meters),
            np.zeros(n_replications),
        )

    def add(self, row: int, technology: Technology, one: Replication, outcome: Outcome) -> None:
        """One replication; ``outcome`` is that at the head end."""
        if not ((outcome.p_arrive >= 0.0) & (outcome.p_arrive <= 1.0)).all():
            raise RuntimeError(
                f"{technology.name}: a probability outside 0 to 1 came out of replication {one.draws.replication}"
            )
        self.p_arrive[row] = outcome.p_arrive
        deficit = (1.0 - outcome.p_arrive).astype(np.float32)
        for reason in np.unique(outcome.reason):
            self.deficit_by_reason[reason] += np.where(outcome.reason == reason, deficit, 0.0)
        self.latency_p50_s[row], self.latency_p95_s[row] = outcome.latency_p50_s, outcome.latency_p95_s
        attempts = np.where(np.isfinite(outcome.attempts), outcome.attempts, 0.0)
        self.attempts += attempts
        self.sent[row] = attempts.sum(axis=1)
        self._add_links(row, technology, one)

    @classmethod
    def together(cls, parts: Sequence[Tally]) -> Tally:
        """The replications of all parts, one after another."""

        def joined(name: str) -> Array:
            return np.concatenate([getattr(part, name) for part in parts])

        def added(name: str) -> Array:
            return np.asarray(reduce(np.add, [getattr(part, name) for part in parts]))

        return cls(
            joined("p_arrive"),
            added("deficit_by_reason"),
            joined("latency_p50_s"),
            joined("latency_p95_s"),
            added("attempts"),
            joined("sent"),
            joined("margin_db"),
            added("p_link"),
            reduce(lambda known, later: np.where(known < 0, later, known), [part.server for part in parts]),
            joined("hops"),
            added("n_servers"),
            joined("out_of_range"),
        )

    def _add_links(self, row: int, technology: Technology, one: Replication) -> None:
        routes, quality = one.routes, one.quality
        routed = routes.link >= 0
        link = routes.link[routed]
        margin = np.minimum(quality.margin_up_db, quality.margin_down_db)
        self.margin_db[row] = best_margin_db(one.paths, margin)
        self.margin_db[row, routed] = margin[link]
        frame = np.full(link.size, REFERENCE_FRAME_BYTES)
        lost = technology.packet_error_ratio(quality.snr_up_db[link], quality.mode_up[link], frame)
        self.p_link[routed] += 1.0 - lost
        self.server = np.where(self.server < 0, routes.server, self.server)
        self.hops[row] = routes.hops
        self.n_servers += np.diff(routes.receiver_start)
        used = np.unique(link)
        self.out_of_range[row] = float((~quality.in_range[used]).mean()) if used.size else 0.0

    def deliveries(self, level: ServiceLevel, services: tuple[str, ...]) -> Deliveries:
        """Means over all replications, which must be in."""
        n = self.p_arrive.shape[0]
        p_read = self.p_arrive.mean(axis=0, dtype=np.float64)
        served = p_read >= level.read_probability
        self.deficit_by_reason[Reason.NONE] = -1.0
        worst = self.deficit_by_reason.argmax(axis=0)
        worst = np.where(self.deficit_by_reason.max(axis=0) <= 0, Reason.BUDGET, worst)
        took = self.latency_p50_s, self.latency_p95_s, self.p_arrive
        typical_hops = self.hops.sum(axis=0) / np.maximum((self.hops > 0).sum(axis=0), 1)
        return Deliveries(
            services,
            p_read,
            np.percentile(self.p_arrive, 10, axis=0),
            np.percentile(self.p_arrive, 90, axis=0),
            mixture_quantile_s(*took, 0.5),
            mixture_quantile_s(*took, 0.95),
            self.attempts / n,
            np.where(served, Reason.NONE, worst).astype(np.int8),
            served,
            resampled_counts(self.p_arrive, level.read_probability),
            _median(self.margin_db),
            self.p_link / n,
            self.server,
            np.round(typical_hops).astype(np.int16),
            self.n_servers / n,
            float(self.out_of_range.mean()),
            ByReplication(
                self.p_arrive.sum(axis=2, dtype=np.float64),
                self.sent,
                (self.hops > 0).sum(axis=1),
                self.hops.sum(axis=1, dtype=np.int64),
                self.hops.max(axis=1, initial=0),
                self.out_of_range,
            ),
        )


def best_margin_db(paths: Paths, margin_db: Array) -> Array:
    """(n_meters,) best margin over all links of each meter [dB]; -inf for a meter without links."""
    best = np.full(paths.n_meters + paths.n_sites, -np.inf)
    np.maximum.at(best, paths.from_node, margin_db)
    np.maximum.at(best, paths.to_node, margin_db)
    return best[: paths.n_meters]


def _median(values: Array) -> Array:
    ordered = np.sort(values, axis=0)
    return np.asarray(ordered[(values.shape[0] - 1) // 2], np.float64)
