"""One replication of the fast tier: drawn places, links and routes through the day, and the fate of every exchange."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..channels.draws import Draws
from ..channels.paths import CablePaths
from ..channels.powerline.course import steps_of
from ..channels.scenario import Scenario
from ..channels.technology import CourseStep, Exchanges, LinkQuality, Medium, Outcome, Paths, Reason, Routes, Technology
from .backhaul import BackhaulKind, through_backhaul
from .links import drawn
from .on_demand import ON_DEMAND, Polls, split, with_on_demand
from .positions import PositionMix
from .tables import Links

Array = NDArray[Any]


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
