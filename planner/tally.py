"""Sums over replications: from the fate of every exchange to a probability per meter and service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..channels.technology import Outcome, Paths, Reason, Technology
from .replicate import Replication
from .resampling import resampled_counts
from .service import ServiceLevel
from .tables import Deliveries

Array = NDArray[Any]

REFERENCE_FRAME_BYTES = 50
"""Frame length for which ``p_link`` is stated [B]: about one ciphered register reading with headers."""


@dataclass
class Tally:
    """Sums over replications; nothing here is larger than meters x services x replications.

    p_arrive, latency_p50_s, latency_p95_s : (n_replications, n_services, n_meters) at the head end
    deficit_by_reason : (n_reasons, n_services, n_meters) probability missed, by why;  attempts : (n_services, n_meters)
    margin_db, hops : (n_replications, n_meters);  server : (n_meters,) of the first replication that has one, or -1
    p_link, n_servers, n_routed : (n_meters,) sums;  out_of_range : sum of shares of links
    """

    p_arrive: Array
    deficit_by_reason: Array
    latency_p50_s: Array
    latency_p95_s: Array
    attempts: Array
    margin_db: Array
    p_link: Array
    server: Array
    hops: Array
    n_servers: Array
    n_routed: Array
    out_of_range: float

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
            np.full((n_replications, n_meters), -np.inf, np.float32),
            np.zeros(n_meters),
            np.full(n_meters, -1, np.int32),
            np.zeros((n_replications, n_meters), np.int16),
            np.zeros(n_meters),
            np.zeros(n_meters),
            0.0,
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
        self.attempts += np.where(np.isfinite(outcome.attempts), outcome.attempts, 0.0)
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
            joined("margin_db"),
            added("p_link"),
            reduce(lambda known, later: np.where(known < 0, later, known), [part.server for part in parts]),
            joined("hops"),
            added("n_servers"),
            added("n_routed"),
            sum(part.out_of_range for part in parts),
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
        self.n_routed += routed
        used = np.unique(link)
        self.out_of_range += float((~quality.in_range[used]).mean()) if used.size else 0.0

    def deliveries(self, level: ServiceLevel, services: tuple[str, ...]) -> Deliveries:
        """Means over all replications, which must be in."""
        n = self.p_arrive.shape[0]
        p_read = self.p_arrive.mean(axis=0, dtype=np.float64)
        served = p_read >= level.read_probability
        self.deficit_by_reason[Reason.NONE] = -1.0
        worst = self.deficit_by_reason.argmax(axis=0)
        worst = np.where(self.deficit_by_reason.max(axis=0) <= 0, Reason.BUDGET, worst)
        hops = np.where(self.hops > 0, self.hops, np.nan)
        with np.errstate(all="ignore"):
            typical_hops = np.where(self.n_routed > 0, np.round(_nan_mean(hops)), 0)
        return Deliveries(
            services,
            p_read,
            np.percentile(self.p_arrive, 10, axis=0),
            np.percentile(self.p_arrive, 90, axis=0),
            _median(self.latency_p50_s),
            _median(self.latency_p95_s),
            self.attempts / n,
            np.where(served, Reason.NONE, worst).astype(np.int8),
            served,
            resampled_counts(self.p_arrive, level.read_probability),
            _median(self.margin_db),
            self.p_link / n,
            self.server,
            typical_hops.astype(np.int16),
            self.n_servers / n,
            self.out_of_range / n,
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


def _nan_mean(values: Array) -> Array:
    count = np.isfinite(values).sum(axis=0)
    return np.asarray(np.nansum(values, axis=0) / np.maximum(count, 1))
