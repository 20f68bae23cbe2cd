"""Reads on demand beside the reading cycle: asked for at random times, served next at the concentrator.

A request interrupts nothing: it waits for the exchange that runs (with several side by side, for the first that ends)
and for requests that came before it, then its own exchange runs, again and again until it succeeds. The cycle keeps a
concentrator busy from the opening of the window until everybody is read or it gives up; the rest of the day it is idle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ..channels.draws import Draws
from ..channels.mac.plc.exchange import Attempts, LegCost, Polling, Turns, attempts
from ..channels.paths import CablePaths
from ..channels.routing.tree_links import weakest_limit
from ..channels.technology import CourseStep, Exchanges, LinkQuality, Outcome, Reason, Routes
from .on_demand_waits import Met, Own, Waits, answer_times, mean_starts, waits_of

Array = NDArray[Any]

ON_DEMAND = "on_demand"
DAY_S = 86_400.0
"""Every meter is asked once in this time, at a random moment of it."""

CERTAIN = 1.0 - 1e-9
_BUSIEST = 0.99
"""Requests do not queue up without end: they take at most this share of the time."""

_JUST_USED_MIN = 5.0
"""Age of routes that are young: their tone maps are old, two minutes being the usual lifetime."""


@runtime_checkable
class Polls(Protocol):
    """A technology whose concentrators ask one meter after another."""

    @property
    def polling(self) -> Polling:
        """How they ask."""
        ...

    def leg_cost(
        self,
        exchanges: Exchanges,
        routes: Routes,
        paths: CablePaths,
        quality: LinkQuality,
        draws: Draws,
        *,
        alone: bool = False,
    ) -> LegCost:
        """What each leg costs over its route; ``alone`` leaves out what others send."""
        ...


class Lasting(Protocol):
    """Settings with the lifetime of a route that nobody uses."""

    @property
    def route_ttl_s(self) -> float:
        """In seconds."""
        ...


@runtime_checkable
class AgesRoutes(Protocol):
    """A technology whose routes are looked for again after some time; a dataclass with the field."""

    idle_before_min: float

    @property
    def loadng(self) -> Lasting:
        """How routes are looked for."""
        ...


def split(exchanges: Exchanges) -> tuple[Exchanges, Exchanges]:
    """The exchanges of the reading cycle, and those on demand; both keep all services."""
    service = exchanges.services.index(ON_DEMAND) if ON_DEMAND in exchanges.services else -1
    asked = exchanges.service == service
    return _rows(exchanges, ~asked), _rows(exchanges, asked)


def _rows(exchanges: Exchanges, keep: Array) -> Exchanges:
    columns: dict[str, Any] = {
        name: column[keep] for name, column in vars(exchanges).items() if isinstance(column, np.ndarray)
    }
    return replace(exchanges, **columns)


def with_on_demand(
    outcome: Outcome,
    technology: Polls,
    cycle: Exchanges,
    asked: Exchanges,
    course: Sequence[CourseStep],
    paths: CablePaths,
    draws: Draws,
    *,
    alone: bool,
) -> Outcome:
    """The outcome of the cycle with the fate of the reads on demand.

    Parameters
    ----------
    outcome : of ``cycle`` alone;  cycle, asked : from `split`, of one set of services
    course : the parts of the window; the last one stands for the rest of the day
    alone : requests wait for nobody

    Returns
    -------
    Outcome. Probability that a request is answered within the window of its service from the moment at which it was
    made, and the median and 95 % latency of those answered.
    """
    service = asked.services.index(ON_DEMAND)
    window_s = asked.window_s[service]
    state = _state(technology, cycle, asked, course, paths, draws, max(DAY_S, window_s), alone=alone)
    one, meter, first = state.attempt[0], state.meter, course[0]
    fate = np.empty((3, meter.size))
    answer_times(state.waits, state.own, state.weight, window_s, technology.polling.parallel, fate)
    routed = np.max([step.routes.server for step in course], axis=0)[meter] >= 0
    weakest = np.where(first.routes.server >= 0, weakest_limit(first.routes, paths, first.quality), first.routes.reason)
    limit = np.where(one.patient - one.success > 0.01, Reason.CAPACITY, weakest[meter])
    columns = {name: np.array(column) for name, column in vars(outcome).items()}
    columns["p_arrive"][service, meter] = np.where(routed, fate[0], 0.0)
    columns["latency_p50_s"][service, meter] = np.where(routed & (fate[0] > 0), fate[1], np.inf)
    columns["latency_p95_s"][service, meter] = np.where(routed & (fate[0] > 0), fate[2], np.inf)
    columns["attempts"][service, meter] = one.frames * mean_starts(one.success)
    columns["reason"][service, meter] = np.where(fate[0] >= CERTAIN, Reason.NONE, limit)
    return Outcome(**columns)


@dataclass(frozen=True)
class _State:
    """What requests find, part of the day by part.

    meter : (n,) who is asked;  attempt : per part, one attempt of each;  waits, own : for `_fates`
    weight : (n_parts,) share of the day
    """

    meter: Array
    attempt: list[Attempts]
    waits: Waits
    own: Own
    weight: Array


def _state(
    technology: Polls,
    cycle: Exchanges,
    asked: Exchanges,
    course: Sequence[CourseStep],
    paths: CablePaths,
    draws: Draws,
    day_s: float,
    *,
    alone: bool,
) -> _State:
    """Waits and own durations of all requests of a day."""
    polling = technology.polling
    turns, own_turns = Turns.of(cycle), Turns.of(asked)

    def each(found: Polls, exchanges: Exchanges, of: Turns) -> list[Attempts]:
        costs = [found.leg_cost(exchanges, step.routes, paths, step.quality, draws, alone=alone) for step in course]
        return [attempts(of, exchanges, cost, polling.response_s) for cost in costs]

    polled = each(technology, cycle, turns)
    server = np.max([step.routes.server for step in course], axis=0)
    site, own_site = server[turns.meter], server[own_turns.meter]
    limit_s = np.asarray(cycle.window_s)[turns.service] * polling.airtime_share
    # how long a cycle takes is told by the links as it begins
    busy_s = _cycle_s(polled[0], site, limit_s, paths.n_sites, polling.parallel)
    ends_s = np.minimum([step.until_s for step in course], day_s)
    begins_s = np.append(0.0, ends_s[:-1])
    places_s = day_s * polling.parallel
    tables, own, weight = [], [], []
    for share, found in _ages(technology, day_s, reads=bool(turns.meter.size)):
        for theirs, mine, begin_s, end_s in zip(polled, each(found, asked, own_turns), begins_s, ends_s, strict=True):
            met = Met.of(mine, own_site)
            taken = np.minimum(met.sums_s(paths.n_sites) / places_s, _BUSIEST)
            running = np.clip((busy_s / (1 - taken) - begin_s) / max(end_s - begin_s, 1e-9), 0.0, 1.0)
            tables.append(waits_of(Met.of(theirs, site), met, running, taken, places_s, alone=alone))
            own.append(mine)
            weight.append(share * (end_s - begin_s) / day_s)
    columns = [np.stack([getattr(one, name) for one in own]) for name in Own._fields[1:]]
    return _State(
        own_turns.meter,
        own,
        Waits(*(np.stack(column) for column in zip(*tables, strict=True))),
        Own(np.maximum(own_site, 0).astype(np.int64), *columns),
        np.array(weight),
    )


def _ages(technology: Polls, day_s: float, *, reads: bool) -> list[tuple[float, Polls]]:
    """The technology with routes as requests find them, and how often: used within their lifetime, or not.

    Where routes age, they were used by the cycle at some moment of the day (where it ``reads`` at all) and by other
    requests, one a day in the mean. Nobody used them where neither came within their lifetime.
    """
    if not isinstance(technology, AgesRoutes):
        return [(1.0, technology)]
    ttl = min(technology.loadng.route_ttl_s / day_s, 1.0)
    unused = float((1 - ttl * reads) * np.exp(-ttl))
    aging: Any = technology
    ages = ((1 - unused, _JUST_USED_MIN), (unused, day_s / 60))
    return [(share, replace(aging, idle_before_min=minutes)) for share, minutes in ages if share > 0]


def _cycle_s(one: Attempts, site: Array, limit_s: Array, n_sites: int, parallel: int) -> Array:
    """(n_sites,) how long the cycle keeps each concentrator busy [s]: all rounds, at most until it gives up."""
    mean_s = one.success * one.done_s + (1 - one.success) * one.failed_s
    work = np.bincount(np.maximum(site, 0), np.where(site >= 0, mean_starts(one.success) * mean_s, 0.0), n_sites)
    latest = np.zeros(n_sites)
    np.maximum.at(latest, site[site >= 0], limit_s[site >= 0])
    return np.minimum(work / parallel, latest)
