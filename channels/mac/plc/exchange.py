"""Whole exchanges over power-line routes: from the cost of each leg to who is read in time, for every standard.

A standard says what each leg costs over the route of its meter. Here legs become turns (a request and its answer, which
are repeated together), turns become attempts of an exchange, and attempts the rounds of a polling concentrator.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...draws import Draws
from ...paths import CablePaths
from ...routing.tree_links import weakest_limit
from ...technology import UP, Exchanges, LinkQuality, Outcome, Reason, Routes
from ..answers import answered_in_time, request_of
from ..csma_154 import application_tries
from .polling import Jobs, Polled, poll

Array = NDArray[Any]

CAPACITY_SHARE = 0.01
"""A meter lacks capacity where an endless window or endless patience would raise its probability by more than this."""

POLL_ORDER = "plc poll order"
"""Purpose of the draw by which a concentrator orders its meters, in both tiers."""

_CERTAIN = 1.0 - 1e-9

STRETCHES = tuple(float(one) for one in np.geomspace(1.0, 100.0, 19))
"""Levels of a crowded line for which exchanges side by side are worked out; at the last no answer is in time."""


@dataclass(frozen=True)
class LegCost:
    """What one start of each leg costs over the route of its meter; (n_legs,) columns, 0 where there is no route.

    success : probability that the message arrives at the other end
    time_s, variance_s2 : mean [s] and variance [s^2] of the time from hand-over to arrival, of messages that arrive
    channel_s : mean time for which one start keeps the line of the cell busy [s], whether it arrives or not
    frames : mean number of frames of one start, whether it arrives or not
    """

    success: Array
    time_s: Array
    variance_s2: Array
    channel_s: Array
    frames: Array


@dataclass(frozen=True)
class Moment:
    """Part of the window in which nothing changes: its end from the opening of the window, inf for the last [s]."""

    until_s: float
    routes: Routes
    cost: LegCost


@dataclass(frozen=True)
class Polling:
    """How a concentrator asks.

    response_s : time a meter takes to answer [s]
    parallel : meters asked side by side;  airtime_share : share of the window that reading may fill, 0 to 1
    contention : (n_sites, n), or one row for all, factor on the line time of exchanges while 1, 2, ... of them want the
        line, the last one for more; None for no such loss
    waiting : shaped alike, seconds that an exchange waits elsewhere for each second on the line; None for none
    """

    response_s: float
    parallel: int
    airtime_share: float
    contention: Array | None = None
    waiting: Array | None = None


@dataclass(frozen=True)
class Turns:
    """The legs of all exchanges as turns: a request with its answer, or one message that nobody asked for.

    first : (n_turns,) row of the first leg;  turn : (n_legs,) turn of each leg;  place : (n_legs,) position in its turn
    job : (n_turns,) job of each turn;  position : (n_turns,) position in its job
    service, meter : (n_jobs,) of each job, one job per service and meter
    request : (n_legs,) from `answers.request_of`;  opens_answer : (n_legs,) bool, the first message of an answer
    """

    first: Array
    turn: Array
    place: Array
    job: Array
    position: Array
    service: Array
    meter: Array
    request: Array
    opens_answer: Array

    @classmethod
    def of(cls, exchanges: Exchanges) -> Turns:
        """From the legs; those of one exchange stand together and in order."""
        n = exchanges.leg.size
        up, row = exchanges.direction == UP, np.arange(n)
        after_up = np.append(False, up[:-1])[:n]
        begins = (exchanges.leg == 0) | (exchanges.depends_on < 0) | (~up & after_up)
        first, turn = np.flatnonzero(begins), np.cumsum(begins) - 1
        span = int(exchanges.meter.max(initial=0)) + 1
        key = exchanges.service[first].astype(np.int64) * span + exchanges.meter[first]
        known, job = np.unique(key, return_inverse=True)
        order = np.argsort(job, kind="stable")
        position = np.empty(first.size, np.int64)
        position[order] = np.arange(first.size) - np.searchsorted(job[order], job[order])
        request = request_of(exchanges, row)
        opens_answer = (request >= 0) & ~after_up
        return cls(first, turn, row - first[turn], job, position, known // span, known % span, request, opens_answer)


@dataclass(frozen=True)
class Attempts:
    """One attempt of each job, columns (n_jobs,) as in `Jobs`; ``patient`` is ``success`` without timeouts."""

    success: Array
    patient: Array
    done_s: Array
    done_s2: Array
    failed_s: Array
    failed_s2: Array
    line_s: Array
    frames: Array


@dataclass(frozen=True)
class _TurnCost:
    """One turn with its repetitions, (n_turns,) columns: as `Attempts`, ``success`` in one of the tries."""

    success: Array
    patient: Array
    done_s: Array
    done_s2: Array
    failed_s: Array
    line_s: Array
    frames: Array


def _turn_costs(turns: Turns, exchanges: Exchanges, cost: LegCost, response_s: float) -> _TurnCost:
    """Request and answer as one: the asking side repeats both when the answer is missing at its timeout."""
    leg_s = np.where(cost.time_s > 0, cost.time_s, 1.0) + np.where(turns.opens_answer, response_s, 0.0)
    in_time, leg_s, leg_s2 = answered_in_time(leg_s, cost.variance_s2, exchanges.timeout_s, turns.request)
    asked = np.zeros(turns.first.size, bool)
    asked[turns.turn[turns.request >= 0]] = True
    once, patient, line_s, frames = _chained(turns, cost, cost.success * in_time)
    once_s, once_s2 = np.bincount(turns.turn, leg_s), np.bincount(turns.turn, leg_s2)
    patience_s = np.maximum.reduceat(exchanges.timeout_s, turns.first)
    lost_s = np.where(asked & np.isfinite(patience_s), patience_s, once_s)
    tries = np.maximum(exchanges.tries[turns.first], 1)
    arrived, starts, vain, vain_2 = application_tries(np.clip(once, 0.0, 1.0), tries)
    return _TurnCost(
        arrived,
        application_tries(np.clip(patient, 0.0, 1.0), tries)[0],
        once_s + vain * lost_s,
        once_s2 + vain_2 * lost_s**2,
        tries * lost_s,
        starts * line_s,
        starts * frames,
    )


def _chained(turns: Turns, cost: LegCost, arrives: Array) -> tuple[Array, Array, Array, Array]:
    """Success with and without timeouts, line time and frames of one start of each turn: legs follow what arrived."""
    n = turns.first.size
    once, patient, line_s, frames = np.ones(n), np.ones(n), np.zeros(n), np.zeros(n)
    for place in range(int(turns.place.max(initial=-1)) + 1):
        rows = np.flatnonzero(turns.place == place)
        at = turns.turn[rows]
        line_s[at] += patient[at] * cost.channel_s[rows]
        frames[at] += patient[at] * cost.frames[rows]
        once[at] *= arrives[rows]
        patient[at] *= cost.success[rows]
    return once, patient, line_s, frames


def stretched(cost: LegCost, factor: float) -> LegCost:
    """Legs on a line that others use too, so that what they have to do there takes ``factor`` times as long.

    Each frame waits for the line on its own, memoryless, so that their waits scatter as much as they take.
    """
    more_s = (factor - 1.0) * cost.channel_s
    spread_s2 = cost.variance_s2 + more_s**2 / np.maximum(cost.frames, 1.0)
    return replace(cost, time_s=cost.time_s + more_s, variance_s2=spread_s2)


def attempts(turns: Turns, exchanges: Exchanges, cost: LegCost, response_s: float) -> Attempts:
    """Chain the turns of each job: each follows when the one before arrived, the attempt ends where one is given up.

    Parameters
    ----------
    turns, exchanges : `Turns.of` the exchanges;  cost : of their legs;  response_s : time a meter takes to answer [s]

    Returns
    -------
    Attempts; all columns are 0 for jobs of meters without a route.
    """
    one = _turn_costs(turns, exchanges, cost, response_s)
    n = turns.service.size
    going, patient, done_s, done_s2, line_s, frames = np.ones(n), np.ones(n), *np.zeros((4, n))
    failed_s, square_s2 = np.zeros(n), np.zeros(n)
    for position in range(int(turns.position.max(initial=-1)) + 1):
        rows = np.flatnonzero(turns.position == position)
        at = turns.job[rows]
        given_up, till_s = going[at] * (1 - one.success[rows]), done_s[at] + one.failed_s[rows]
        failed_s[at] += given_up * till_s
        square_s2[at] += given_up * (done_s2[at] + till_s**2)
        line_s[at] += going[at] * one.line_s[rows]
        frames[at] += going[at] * one.frames[rows]
        done_s[at] += one.done_s[rows]
        done_s2[at] += one.done_s2[rows]
        going[at] *= one.success[rows]
        patient[at] *= one.patient[rows]
    fails = np.where(going < _CERTAIN, 1 - going, 1.0)
    failed_s = failed_s / fails
    routed = np.bincount(turns.job, cost.frames[turns.first], n) > 0
    columns = (
        going,
        patient,
        done_s,
        done_s2,
        failed_s,
        np.maximum(square_s2 / fails - failed_s**2, 0),
        line_s,
        frames,
    )
    return Attempts(*(np.where(routed, column, 0.0) for column in columns))


def outcome_of(
    exchanges: Exchanges,
    moments: Sequence[Moment],
    paths: CablePaths,
    quality_of_first: LinkQuality,
    draws: Draws,
    polling: Polling,
    alone: bool,
) -> Outcome:
    """Fate of every service of every meter in one replication.

    Parameters
    ----------
    exchanges, paths, draws : as in the protocol
    moments : parts of the window with their routes and costs, at least one, ends rising and the last inf
    quality_of_first : links of the first moment, for what limits a meter
    polling : see `Polling`;  alone : leave out what the other exchanges take

    Returns
    -------
    Outcome. Services come in their order at each concentrator, meters in an order drawn per replication;
    latency counts from the earliest start of the service. What the window, the airtime or a timeout cuts off lacks
    capacity: the channel is too slow for what is asked of it. Raises ValueError where the moments do not end in rising
    order with inf.
    """
    until_s = np.array([moment.until_s for moment in moments])
    if until_s.size == 0 or not np.isinf(until_s[-1]) or np.any(np.diff(until_s) <= 0):
        raise ValueError(f"moments end at {until_s.tolist()} s: give rising ends, the last one inf")
    turns = Turns.of(exchanges)
    levels = STRETCHES if polling.parallel > 1 and not alone else STRETCHES[:1]
    each = [
        [attempts(turns, exchanges, stretched(moment.cost, level), polling.response_s) for moment in moments]
        for level in levels
    ]
    server = np.max([moment.routes.server for moment in moments], axis=0)
    fate, routed = _polled(turns, exchanges, each, levels, server, until_s, paths, draws, polling, alone)
    shape = (len(exchanges.services), paths.n_meters)
    first = moments[0].routes
    p_arrive, p50, p95, frames = np.zeros(shape), np.full(shape, np.inf), np.full(shape, np.inf), np.zeros(shape)
    reason = np.full(shape, Reason.DATA_MISSING, np.int8)
    reason[turns.service, turns.meter] = first.reason[turns.meter]
    at = turns.service[routed], turns.meter[routed]
    p_arrive[at], p50[at], p95[at], frames[at] = fate.p_arrive, fate.p50_s, fate.p95_s, fate.frames
    patient = np.max([one.patient for one in each[0]], axis=0)[routed]
    hurried = np.max([one.patient - one.success for one in each[0]], axis=0)[routed] > CAPACITY_SHARE
    hurried |= patient - fate.p_eventually > CAPACITY_SHARE
    crowded = hurried | (fate.p_eventually - fate.p_arrive > CAPACITY_SHARE) | (fate.p_eventually >= _CERTAIN)
    limit = np.where(first.server >= 0, weakest_limit(first, paths, quality_of_first), first.reason)
    late = [fate.p_arrive >= _CERTAIN, crowded]
    reason[at] = np.select(late, [Reason.NONE, Reason.CAPACITY], limit[turns.meter[routed]])
    return Outcome(p_arrive, p50, p95, frames, reason)


def _polled(
    turns: Turns,
    exchanges: Exchanges,
    each: Sequence[Sequence[Attempts]],
    levels: tuple[float, ...],
    server: Array,
    until_s: Array,
    paths: CablePaths,
    draws: Draws,
    polling: Polling,
    alone: bool,
) -> tuple[Polled, Array]:
    """Rounds of polling, and the jobs that take part: those of meters with a route at some moment."""
    window = np.asarray(exchanges.window_s, np.float64)
    order = draws.uniform(POLL_ORDER, paths.node_key[: paths.n_meters])
    start_s = np.full(turns.service.size, np.inf)
    np.minimum.at(start_s, turns.job, exchanges.not_before_s[turns.first])
    routed = np.flatnonzero(server[turns.meter] >= 0)
    service, meter = turns.service[routed], turns.meter[routed]

    def column(name: str) -> Array:
        return np.array([[getattr(one, name)[routed] for one in level] for level in each])

    names = ("success", "done_s", "done_s2", "failed_s", "failed_s2", "line_s", "frames")
    jobs = Jobs(
        server=server[meter].astype(np.int64),
        rank=service + order[meter],
        not_before_s=start_s[routed],
        window_s=window[service],
        stretch=levels,
        **{name: column(name) for name in names},
    )
    return poll(
        jobs,
        until_s,
        parallel=polling.parallel,
        contention=polling.contention,
        waiting=polling.waiting,
        airtime_share=polling.airtime_share,
        alone=alone,
    ), routed
