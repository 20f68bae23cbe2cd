"""The fate of every exchange: replications in the fast tier, averaged to a probability per meter and service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..channels.draws import Draws
from ..channels.parameters import parameter
from ..channels.paths import CablePaths
from ..channels.powerline.course import steps_of
from ..channels.scenario import Scenario
from ..channels.technology import (
    CourseStep,
    Exchanges,
    LinkQuality,
    Medium,
    Outcome,
    Paths,
    Reason,
    Routes,
    Siting,
    Technology,
)
from .areas import AreaTally
from .backhaul import Backhaul, BackhaulKind, left_for_access, through_backhaul
from .links import drawn
from .on_demand import ON_DEMAND, Polls, split, with_on_demand
from .positions import PositionMix
from .resampling import resampled_counts
from .service import ServiceLevel
from .tables import Deliveries, Links

Array = NDArray[Any]

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
    """One replication, kept: its draws, geometry, course of the window and outcome before the backhaul.

    scenario : as the window opens;  window_s : what the access network has of each service's window [s]
    """

    draws: Draws
    paths: Paths
    course: tuple[CourseStep, ...]
    outcome: Outcome
    scenario: Scenario
    window_s: tuple[float, ...]

    @property
    def quality(self) -> LinkQuality:
        """Links as the window opens."""
        return self.course[0].quality

    @property
    def routes(self) -> Routes:
        """Routes as the window opens."""
        return self.course[0].routes


@dataclass(frozen=True)
class Part:
    """Part of the collection window in which nothing changes, to ``until_s`` from its opening [s]; inf for the last."""

    until_s: float
    scenario: Scenario


def parts_of(technology: Technology, scenario: Scenario, start_h: float, window_s: float) -> tuple[Part, ...]:
    """What a technology meets while it reads: on power lines the course of the day, else one scenario.

    Parameters
    ----------
    start_h, window_s : hour at which the collection window opens, and its length [h], [s]
    """
    if Medium.POWERLINE not in technology.media:
        return (Part(np.inf, scenario),)
    steps = steps_of(scenario.powerline, start_h, window_s)
    return tuple(Part(one.until_s, replace(scenario, powerline=one.line)) for one in steps)


def replicate(
    technology: Technology,
    links: Links,
    exchanges: Exchanges,
    built: Array,
    scenario: Scenario,
    places: PositionMix,
    draws: Draws,
    start_h: float = 0.0,
    known: Mapping[str, LinkQuality] | None = None,
) -> Replication:
    """One replication of the fast tier.

    Parameters
    ----------
    known : links that were assessed before, by the ``time`` of the scenario's power line
    start_h : hour of the day at which the collection window opens [h]; it matters only where the scenario follows the
        day. Each part of the day costs one solution of the network; equal hours of several days are solved once.
    """
    paths = drawn(links.paths, places, draws)
    parts = parts_of(technology, scenario, start_h, max(exchanges.window_s))
    course = _course(technology, parts, paths, built, draws, {} if known is None else dict(known))
    scenario = parts[0].scenario
    outcome = _fate(technology, exchanges, course, paths, scenario, draws)
    return Replication(draws, paths, course, outcome, scenario, exchanges.window_s)


def _course(
    technology: Technology,
    parts: tuple[Part, ...],
    paths: Paths,
    built: Array,
    draws: Draws,
    known: dict[str, LinkQuality],
) -> tuple[CourseStep, ...]:
    """Links and routes of each part; routes of a later part grow out of those before."""
    steps: list[CourseStep] = []
    for part in parts:
        hour = part.scenario.powerline.time
        if hour not in known:
            known[hour] = technology.assess(paths, part.scenario, draws)
        if steps:
            routes = technology.routes(paths, known[hour], built, before=steps[-1].routes)  # type: ignore[call-arg]
        else:
            routes = technology.routes(paths, known[hour], built)
        steps.append(CourseStep(part.until_s, known[hour], routes))
    return tuple(steps)


def _fate(
    technology: Technology,
    exchanges: Exchanges,
    course: tuple[CourseStep, ...],
    paths: Paths,
    scenario: Scenario,
    draws: Draws,
) -> Outcome:
    """The fate of all exchanges: the reading cycle, and what is asked for on demand beside it."""
    if ON_DEMAND in exchanges.services and isinstance(technology, Polls) and isinstance(paths, CablePaths):
        cycle, asked = split(exchanges)
        outcome = _fate_of_cycle(technology, cycle, course, paths, scenario, draws)
        return with_on_demand(outcome, technology, cycle, asked, course, paths, draws, alone=not scenario.interference)
    return _fate_of_cycle(technology, exchanges, course, paths, scenario, draws)


def _fate_of_cycle(
    technology: Technology,
    exchanges: Exchanges,
    course: tuple[CourseStep, ...],
    paths: Paths,
    scenario: Scenario,
    draws: Draws,
) -> Outcome:
    """The fate of what everybody is asked for in turn."""
    if len(course) == 1:
        return technology.carry(exchanges, course[0].routes, paths, course[0].quality, scenario, draws)
    outcome: Outcome = technology.carry_course(exchanges, course, paths, scenario, draws)  # type: ignore[attr-defined]
    return outcome


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


def to_head_end(
    one: Replication, exchanges: Exchanges, most_meters: int, kind: BackhaulKind
) -> tuple[Replication, Outcome]:
    """A replication within what a site's equipment keeps, and its outcome at the head end."""
    limited = within_equipment(one.outcome, one.routes, one.paths, one.quality, most_meters)
    return replace(one, outcome=limited), through_backhaul(limited, exchanges, one.routes.server, kind)


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
    areas: AreaTally | None = None,
) -> tuple[Deliveries, Replication]:
    """All replications, averaged; and the first one, which maps and the packet tier show.

    Parameters
    ----------
    areas : takes in every replication of a technology on power lines, for the numbers of each transformer area

    Where the scenario follows the day, routes, hops and margins are those of the opening of the window.
    """
    kind = backhaul.of(technology.siting is Siting.OPERATOR_CELL)
    tally = _Tally.empty(settings.replications, len(exchanges.services), links.paths.n_meters)
    first: Replication | None = None
    access = left_for_access(exchanges, kind)
    most = 0
    for number in range(settings.replications):
        one = replicate(technology, links, access, built, scenario, places, Draws(settings.seed, number), level.start_h)
        most = most or technology.load(access, one.paths, one.quality).max_meters_per_site
        one, at_head_end = to_head_end(one, exchanges, most, kind)
        tally.add(number, technology, one, at_head_end)
        if areas is not None and isinstance(one.paths, CablePaths):
            areas.add(number, technology, access, one.paths, one.quality, one.routes, at_head_end)
        first = first or one
    assert first is not None
    if areas is not None:
        areas.settle(tally.p_arrive, level.read_probability)
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
