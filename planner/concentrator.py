"""A concentrator's day in the packet tier: whom it asks, in which order, side by side, and again what failed.

A reading counts only when it was decrypted, decoded and equals the registers of that meter. A meter that is not in
the network is not asked: it waits for its turn until it has joined, and is unread where it never does in time.
"""

from __future__ import annotations

import itertools
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import simpy
from numpy.typing import NDArray

from ..channels.technology import Cell, CourseStep, PlcCell
from ..meters.client import ExchangeFailed, HeadEnd
from ..meters.device.rows import BillingRows, EventRows
from ..meters.device.server import MeterServer
from ..meters.reading import Reading
from .on_demand import ON_DEMAND

Array = NDArray[Any]
Steps = Generator[Any, Any, Any]

PAUSE_S = 5.0
"""How often the concentrator looks whether a meter that it waits for has joined [s]."""


@dataclass(frozen=True)
class PolledMeter:
    """One simulated meter, its head end, and what a correct reading of it holds."""

    node: int
    server: MeterServer
    head_end: HeadEnd
    register_wh: Array
    profile_wh: Array
    start_wh: Array

    def holds(self, reading: Reading) -> bool:
        """Whether a reading is what this meter holds, or the state that it was told to take."""
        values = np.asarray(reading.values)
        match reading.service:
            case "register" | "on_demand":
                return int(values[0, 0]) == int(self.register_wh[0])
            case "profile":
                return np.array_equal(values, self._rows()[:, : values.shape[1]])
            case "daily_billing":
                return np.array_equal(values, _last_cells(BillingRows(self.server.device), values))
            case "event_log":
                events = EventRows(self.server.device).cells(np.arange(len(values)))
                return np.array_equal(values, events[np.argsort(events[:, 0], kind="stable"), 1:])
            case "disconnect" | "reconnect":
                return int(values[0, 0]) == int(self.server.device.state.relay.control_state)
        return True

    def _rows(self) -> Array:
        """(n_intervals, n_channels) uint32 registers of the day, or what they gained where the profile holds that."""
        if self.server.settings.profile_values == "registers":
            return self.profile_wh
        return np.diff(np.vstack([self.start_wh, self.profile_wh]), axis=0)


def _last_cells(rows: BillingRows, like: Array) -> Array:
    """The values of the last rows, without time and status, as many as ``like`` has."""
    last = np.arange(rows.time_s().size)[-len(like) :]
    return rows.cells(last)[:, -like.shape[1] :]


@dataclass(order=True)
class Job:
    """One reading that the concentrator has to do; the smallest priority goes first, then the smallest turn.

    asked_s : since when somebody waits for it;  left : how often it may still be started;  until_s : when it is too
        late;  row, column : where its finish is noted, the service and the place of the meter
    """

    priority: int
    turn: int
    row: int = field(compare=False)
    column: int = field(compare=False)
    service: str = field(compare=False)
    asked_s: float = field(compare=False, default=0.0)
    until_s: float = field(compare=False, default=np.inf)
    left: int = field(compare=False, default=1)


@dataclass(frozen=True)
class Rules:
    """How a concentrator reads.

    parallel : meters asked side by side;  rounds : how often a reading is started at most
    timeout_s : patience for an answer, from the begin of its request [s]
    """

    parallel: int
    rounds: int
    timeout_s: float


@dataclass(frozen=True)
class Requests:
    """Readings on demand: when, at which place of the list of meters. (n,) columns, rising times.

    They are served next at the concentrator and interrupt nothing.
    """

    time_s: Array
    column: Array
    until_s: float


class Concentrator:
    """A concentrator at work in one cell.

    Parameters
    ----------
    env, cell, site_node : the simulated world
    meters : per service, the meters in one order of columns
    rules : how it reads

    Attributes
    ----------
    finished_s : (n_services, n_meters) when a reading was complete and right [s]; inf where it was not
    waited_s : latencies of the readings on demand that were answered, in the order of answers
    wrong : readings that were decrypted but differ from the meter's registers
    """

    def __init__(
        self, env: simpy.Environment, cell: PlcCell, site_node: int, meters: dict[str, list[PolledMeter]], rules: Rules
    ) -> None:
        self.env, self.cell, self.site_node = env, cell, site_node
        self.meters, self.rules = meters, rules
        n_meters = max((len(some) for some in meters.values()), default=0)
        self.finished_s = np.full((len(meters), n_meters), np.inf)
        self.waited_s: list[float] = []
        self.wrong = 0
        self._jobs: simpy.PriorityStore = simpy.PriorityStore(env)
        self._absent: list[Job] = []
        self._free = [simpy.Resource(env) for _ in range(n_meters)]
        self._turn = itertools.count()
        self._open = 0
        self._done = env.event()

    def day(self, order: Sequence[int], until_s: Sequence[float], requests: Requests | None = None) -> simpy.Event:
        """Start reading; the event comes when every job is done or too late.

        Parameters
        ----------
        order : rows of services one after another, each with all its meters
        until_s : per service, when a reading is too late [s]

        Raises ValueError where a window has no end: a meter that never joins would be waited for without end.
        """
        if not np.all(np.isfinite(until_s)):
            raise ValueError(f"windows end at {list(until_s)} s; give every service a window that ends")
        names = list(self.meters)
        jobs = [(row, column) for row in order for column in range(self.finished_s.shape[1])]
        for row, column in jobs:
            self._put(Job(1, 0, row, column, names[row], 0.0, until_s[row], self.rules.rounds))
        if requests is not None and requests.time_s.size:
            self._open += requests.time_s.size
            self.env.process(self._arrivals(requests, names.index(ON_DEMAND)))
        if not self._open:
            self._done.succeed()
        for _ in range(self.rules.parallel):
            self.env.process(self._poller())
        return self._done

    def _put(self, job: Job, *, counted: bool = False) -> None:
        job.turn = next(self._turn)
        self._open += not counted
        self._jobs.put(job)

    def _arrivals(self, requests: Requests, row: int) -> Steps:
        for time_s, column in zip(requests.time_s, requests.column, strict=True):
            yield self.env.timeout(float(time_s) - self.env.now)
            now = float(time_s)
            job = Job(0, 0, row, int(column), ON_DEMAND, now, now + requests.until_s, self.rules.rounds)
            self._put(job, counted=True)

    def _poller(self) -> Steps:
        """One of the meters asked side by side, then the next."""
        while True:
            job: Job = yield self._jobs.get()
            again = False
            if self.env.now < job.until_s and not self._joined(job):
                self._wait_for(job)
                continue
            if self.env.now < job.until_s:
                again = not (yield from self._attempt(job)) and job.left > 0 and self.env.now < job.until_s
            if again:
                self._put(job, counted=True)
                continue
            self._open -= 1
            if not self._open and not self._done.triggered:
                self._done.succeed()

    def _joined(self, job: Job) -> bool:
        node = self.meters[job.service][job.column].node
        return bool(np.isfinite(self.cell.joined_s.get(node, np.nan)))

    def _wait_for(self, job: Job) -> None:
        """Put a job aside until its meter is in the network; it costs no try and no time on the line."""
        self._absent.append(job)
        if len(self._absent) == 1:
            self.env.process(self._look_out())

    def _look_out(self) -> Steps:
        """Jobs of meters that have joined, or that are too late, come behind those that are waiting."""
        while self._absent:
            yield self.env.timeout(PAUSE_S)
            absent, self._absent = self._absent, []
            for job in absent:
                if self._joined(job) or self.env.now >= job.until_s:
                    self._put(job, counted=True)
                else:
                    self._absent.append(job)

    def _attempt(self, job: Job) -> Steps:
        """Ask once; whether the reading came in time and is right. A meter is asked one thing at a time."""
        meter = self.meters[job.service][job.column]
        job.left -= 1
        with self._free[job.column].request() as turn:
            yield turn
            reading = yield from poll(self.env, self.cell, self.site_node, meter, job.service, self.rules.timeout_s)
        if reading is None or self.env.now > job.until_s:
            return False
        if not meter.holds(reading):
            self.wrong += 1
            return False
        if job.priority:
            self.finished_s[job.row, job.column] = self.env.now
        else:
            self.waited_s.append(self.env.now - job.asked_s)
        return True


def follow(env: simpy.Environment, cell: Any, course: Sequence[CourseStep]) -> Steps:
    """Retune the cell at the begin of each further step of the course."""
    for step, following in pairwise(course):
        yield env.timeout(step.until_s - env.now)
        cell.retune(following.quality)


def poll(
    env: simpy.Environment, cell: Cell, site_node: int, meter: PolledMeter, service: str, timeout_s: float
) -> Generator[Any, Any, Reading | None]:
    """One exchange over the cell: requests down, answers up; None where it failed.

    An answer that is not there ``timeout_s`` after its request began is lost for the exchange, though it may still be
    on its way and takes its time on the line.
    """
    session, line = meter.head_end.read(service), meter.server.line()
    try:
        request = next(session)
        while True:
            trip = env.process(_trip(cell, site_node, meter.node, line, request))
            patience = env.timeout(timeout_s)
            yield trip | patience
            answer = trip.value if trip.processed else None
            if answer is None and not patience.processed:
                yield patience
            request = session.send(answer)
    except StopIteration as done:
        reading: Reading = done.value
        return reading
    except ExchangeFailed:
        return None


def _trip(cell: Cell, site_node: int, node: int, line: Any, request: bytes) -> Steps:
    """A request down and its answer up; None where either is lost or the meter keeps silent."""
    arrived = yield cell.send(site_node, node, request)
    response = line.receive(arrived) if arrived is not None else b""
    if not response:
        return None
    return (yield cell.send(node, site_node, response))
