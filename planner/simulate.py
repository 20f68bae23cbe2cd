"""The fate of every exchange: replications in the fast tier, averaged to a probability per meter and service."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..channels.draws import Draws
from ..channels.parameters import parameter
from ..channels.scenario import Scenario
from ..channels.technology import Exchanges, LinkQuality, Outcome, Paths, Reason, Routes, Siting, Technology
from .backhaul import Backhaul, left_for_access, through_backhaul
from .links import drawn
from .positions import PositionMix
from .service import ServiceLevel
from .tables import Deliveries, Links

Array = NDArray[Any]

N_RESAMPLES = 100
"""Resamples behind the interval of a count of served meters."""

TIERS = ("fast", "sample", "packet")

REFERENCE_FRAME_BYTES = 50
"""Frame length for which ``p_link`` is stated [B]: about one ciphered register reading with headers."""


@dataclass(frozen=True)
class SimulationSettings:
    """How much is drawn, and how much of it goes through the packet tier."""

    seed: int = parameter(1, "-", "seed of every random draw", "choice of the planner", minimum=0)
    replications: int = parameter(
        45,
        "1",
        "draws of meter places, shadowing, phases and loads",
        "two failing draws of 45 leave a meter served at 95 %; one of 20 would not",
        confidence="C",
        minimum=1,
    )
    tier: str = parameter("sample", "-", "fast, sample or packet: how many cells carry real bytes", "amiplan contract")
    packet_meters: int = parameter(
        60,
        "1",
        "meters that the packet tier simulates at most per technology when tier is sample",
        "choice of amiplan",
        confidence="C",
        minimum=1,
    )

    def __post_init__(self) -> None:
        """Refuse an unknown tier."""
        if self.tier not in TIERS:
            raise ValueError(f"tier = {self.tier!r}: write {', '.join(TIERS)}")


@dataclass(frozen=True)
class Replication:
    """One replication, kept: its draws, geometry, qualities, routes and outcome before the backhaul."""

    draws: Draws
    paths: Paths
    quality: LinkQuality
    routes: Routes
    outcome: Outcome


def replicate(
    technology: Technology,
    links: Links,
    exchanges: Exchanges,
    built: Array,
    scenario: Scenario,
    places: PositionMix,
    draws: Draws,
) -> Replication:
    """One replication of the fast tier."""
    paths = drawn(links.paths, places, draws)
    quality = technology.assess(paths, scenario, draws)
    routes = technology.routes(paths, quality, built)
    outcome = technology.carry(exchanges, routes, paths, quality, scenario, draws)
    return Replication(draws, paths, quality, routes, outcome)


def within_equipment(outcome: Outcome, routes: Routes, paths: Paths, quality: LinkQuality, most: int) -> Outcome:
    """The outcome when a site serves at most ``most`` meters: the best margins stay, the others lack capacity.

    Equal margins are told apart by stable key, never by row.
    """
    served = np.flatnonzero(routes.server >= 0)
    if served.size == 0 or np.bincount(routes.server[served]).max() <= most:
        return outcome
    link = routes.link[served]
    margin_db = np.minimum(quality.margin_up_db[link], quality.margin_down_db[link])
    order = served[np.lexsort((paths.node_key[served], -margin_db, routes.server[served]))]
    server = routes.server[order]
    first = np.searchsorted(server, server, side="left")
    surplus = order[np.arange(order.size) - first >= most]
    p_arrive, p50, p95, reason = (
        np.array(one) for one in (outcome.p_arrive, outcome.latency_p50_s, outcome.latency_p95_s, outcome.reason)
    )
    p_arrive[:, surplus], p50[:, surplus], p95[:, surplus] = 0.0, np.inf, np.inf
    reason[:, surplus] = Reason.CAPACITY
    return replace(outcome, p_arrive=p_arrive, latency_p50_s=p50, latency_p95_s=p95, reason=reason)


def simulate(
    technology: Technology,
    links: Links,
    exchanges: Exchanges,
    built: Array,
    scenario: Scenario,
    places: PositionMix,
    settings: SimulationSettings,
    backhaul: Backhaul,
    level: ServiceLevel,
) -> tuple[Deliveries, Replication]:
    """All replications, averaged; and the first one, which maps and the packet tier show."""
    kind = backhaul.of(technology.siting is Siting.OPERATOR_CELL)
    tally = _Tally.empty(settings.replications, len(exchanges.services), links.paths.n_meters)
    first: Replication | None = None
    access = left_for_access(exchanges, kind)
    most = 0
    for number in range(settings.replications):
        one = replicate(technology, links, access, built, scenario, places, Draws(settings.seed, number))
        most = most or technology.load(access, one.paths, one.quality).max_meters_per_site
        limited = within_equipment(one.outcome, one.routes, one.paths, one.quality, most)
        one = replace(one, outcome=limited)
        tally.add(number, technology, one, through_backhaul(limited, exchanges, one.routes.server, kind))
        first = first or one
    assert first is not None
    return tally.deliveries(level, exchanges.services), first


@dataclass
class _Tally:
    """Sums over replications; nothing here is larger than meters x services x replications."""

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
    def empty(cls, n_replications: int, n_services: int, n_meters: int) -> _Tally:
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

    def add(self, number: int, technology: Technology, one: Replication, outcome: Outcome) -> None:
        if not ((outcome.p_arrive >= 0.0) & (outcome.p_arrive <= 1.0)).all():
            raise RuntimeError(f"{technology.name}: a probability outside 0 to 1 came out of replication {number}")
        self.p_arrive[number] = outcome.p_arrive
        deficit = (1.0 - outcome.p_arrive).astype(np.float32)
        for reason in np.unique(outcome.reason):
            self.deficit_by_reason[reason] += np.where(outcome.reason == reason, deficit, 0.0)
        self.latency_p50_s[number], self.latency_p95_s[number] = outcome.latency_p50_s, outcome.latency_p95_s
        self.attempts += np.where(np.isfinite(outcome.attempts), outcome.attempts, 0.0)
        self._add_links(number, technology, one)

    def _add_links(self, number: int, technology: Technology, one: Replication) -> None:
        routes, quality = one.routes, one.quality
        routed = routes.link >= 0
        link = routes.link[routed]
        margin = np.minimum(quality.margin_up_db, quality.margin_down_db)
        self.margin_db[number] = best_margin_db(one.paths, margin)
        self.margin_db[number, routed] = margin[link]
        frame = np.full(link.size, REFERENCE_FRAME_BYTES)
        lost = technology.packet_error_ratio(quality.snr_up_db[link], quality.mode_up[link], frame)
        self.p_link[routed] += 1.0 - lost
        self.server = np.where(self.server < 0, routes.server, self.server)
        self.hops[number] = routes.hops
        self.n_servers += np.diff(routes.receiver_start)
        self.n_routed += routed
        used = np.unique(link)
        self.out_of_range += float((~quality.in_range[used]).mean()) if used.size else 0.0

    def deliveries(self, level: ServiceLevel, services: tuple[str, ...]) -> Deliveries:
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


def resampled_counts(p_arrive: Array, read_probability: float) -> Array:
    """Meters served if the replications had been others: drawn again with replacement, keyed and repeatable.

    Parameters
    ----------
    p_arrive : (n_replications, n_services, n_meters)

    Returns
    -------
    (N_RESAMPLES, n_services + 1) counts per service, and in all services (last column).

    References
    ----------
    B. Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7 (1), 1979.
    """
    n = p_arrive.shape[0]
    keys = np.arange(N_RESAMPLES * n, dtype=np.uint64)
    chosen = (Draws(0).uniform("resample", keys) * n).astype(np.int64).reshape(N_RESAMPLES, n)
    counts = np.zeros((N_RESAMPLES, p_arrive.shape[1] + 1), np.int64)
    for number, rows in enumerate(chosen):
        weight = np.bincount(rows, minlength=n).astype(np.float32) / n
        served = np.tensordot(weight, p_arrive, axes=1) >= read_probability
        counts[number, :-1] = served.sum(axis=1)
        counts[number, -1] = served.all(axis=0).sum()
    return counts


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
