"""Reads on demand beside the cycle: closed form by hand, against simulated concentrators, and in a real cell."""

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import simpy
from amiplan.channels.draws import Draws
from amiplan.channels.mac.plc.exchange import LegCost, Polling
from amiplan.channels.technology import UP, CourseStep, Outcome, Reason
from amiplan.meters.client import ExchangeFailed
from amiplan.meters.settings import ServiceSettings
from amiplan.planner.concentrator import Concentrator, Requests, Rules
from amiplan.planner.exchanges import exchanges_of
from amiplan.planner.on_demand import DAY_S, split, with_on_demand
from amiplan.planner.service import ServiceLevel
from feeders import feeder

REQUEST_S, ANSWER_S = 1.0, 3.0
"""Time of a request and of an answer to a read on demand."""
OWN_S = REQUEST_S + ANSWER_S


def varied(meter):
    """Profiles of meters differ: a factor of mean 1 on their time."""
    return 0.5 + Draws(5).uniform("time of a profile", np.atleast_1d(meter))


def equal(meter):
    """All profiles take the same time."""
    return 1.0 + 0 * meter


@dataclass(frozen=True)
class Made:
    """A technology whose legs take what they are told, all in one cell."""

    profile_s: float = 30.0
    success: float = 1.0
    parallel: int = 1
    spread: Any = equal

    @property
    def polling(self):
        return Polling(response_s=0.0, parallel=self.parallel, airtime_share=1.0)

    def leg_cost(self, exchanges, routes, paths, quality, draws, *, alone=False):
        profile = exchanges.service == exchanges.services.index("profile")
        up = exchanges.direction == UP
        time_s = np.where(up, np.where(profile, self.profile_s * self.spread(exchanges.meter), ANSWER_S), REQUEST_S)
        success = np.where(up, self.success, 1.0)
        routed = routes.server[exchanges.meter] >= 0
        return LegCost(*(np.where(routed, column, 0.0) for column in (success, time_s, 0 * time_s, time_s, 1 + 0 * up)))


def world(n_meters, window_s=DAY_S, session=None):
    """Cycle and requests of some meters in one cell, its paths, and a course of one step."""
    session = session or ServiceSettings(max_pdu_bytes=65535, timeout_s=1e4)
    level = ServiceLevel(services=("profile", "on_demand"))
    exchanges = replace(exchanges_of(n_meters, "pull", level, session), window_s=(window_s, window_s))
    paths = feeder(n_meters, phases=3)
    server = np.zeros(n_meters, np.int32)
    routes = SimpleNamespace(
        server=server,
        parent=np.full(n_meters, n_meters),
        reason=np.zeros(n_meters, np.int8),
        link=np.zeros(n_meters, np.int64),
    )
    quality = SimpleNamespace(margin_up_db=np.ones(paths.n_links), margin_down_db=np.ones(paths.n_links),
                              limit=np.full(paths.n_links, Reason.NOISE, np.int8))  # fmt: skip
    star = replace(paths, from_node=np.arange(paths.n_links), to_node=np.full(paths.n_links, n_meters))
    return *split(exchanges), star, (CourseStep(np.inf, quality, routes),)


def fate(technology, cycle, asked, paths, course, *, alone=False):
    shape = (2, paths.n_meters)
    before = Outcome(np.full(shape, 0.5), np.ones(shape), np.ones(shape), np.ones(shape), np.zeros(shape, np.int8))
    after = with_on_demand(before, technology, cycle, asked, course, paths, Draws(1), alone=alone)
    np.testing.assert_array_equal(after.p_arrive[0], 0.5)
    return after


def test_the_cycle_and_the_requests_share_all_exchanges():
    cycle, asked, *_ = world(5)
    assert cycle.services == asked.services == ("profile", "on_demand")
    assert set(cycle.service) == {0}
    assert set(asked.service) == {1}
    assert np.unique(asked.meter).size == 5


def test_nobody_waits_where_nothing_runs():
    after = fate(Made(), *world(1), alone=True)
    np.testing.assert_allclose(after.latency_p50_s[1], OWN_S, rtol=0.02)
    np.testing.assert_allclose(after.latency_p95_s[1], OWN_S, rtol=0.02)
    np.testing.assert_allclose(after.p_arrive[1], 1.0)
    assert (after.reason[1] == Reason.NONE).all()


def test_beside_a_cycle_that_never_ends_a_request_waits_for_the_rest_of_an_exchange():
    """Exchanges fill the day: what is left of one is even between 0 and all of it, requests take one part in fifty."""
    each_s = DAY_S / 400
    after = fate(Made(profile_s=each_s - REQUEST_S), *world(400))
    np.testing.assert_allclose(after.latency_p50_s[1] - OWN_S, each_s / 2, rtol=0.03)
    np.testing.assert_allclose(after.latency_p95_s[1] - OWN_S, 0.95 * each_s, rtol=0.03)


def test_a_request_in_the_idle_part_of_the_day_waits_for_nobody():
    """The cycle takes a tenth of the day: the median is the own exchange, the 95 % lies in the rest of an exchange."""
    n, each_s = 24, 0.1 * DAY_S / 24
    after = fate(Made(profile_s=each_s - REQUEST_S), *world(n))
    assert after.latency_p50_s[1] == pytest.approx(np.full(n, OWN_S), abs=0.05)
    # of the tenth who wait, half wait longer than half an exchange
    np.testing.assert_allclose(after.latency_p95_s[1] - OWN_S, 0.5 * each_s, rtol=0.05)


def test_attempts_in_vain_come_before_the_one_that_succeeds():
    session = ServiceSettings(max_pdu_bytes=65535, timeout_s=50.0, tries=1)
    after = fate(Made(success=0.4), *world(1, session=session), alone=True)
    share = 1 - 0.6 ** np.arange(1, 21)
    for column, quantile in ((after.latency_p50_s, 0.5), (after.latency_p95_s, 0.95)):
        vain = int(np.argmax(share >= quantile * share[-1]))
        np.testing.assert_allclose(column[1], OWN_S + 50.0 * vain, rtol=0.02)
    np.testing.assert_allclose(after.p_arrive[1], share[-1], rtol=1e-5)


def test_a_window_cuts_off_and_meters_without_a_route_are_never_answered():
    cycle, asked, paths, course = world(2, window_s=120.0, session=ServiceSettings(timeout_s=50.0, tries=1))
    course[0].routes.server[1] = -1
    course[0].routes.reason[1] = Reason.ATTENUATION
    after = fate(Made(success=0.4), cycle, asked, paths, course, alone=True)
    np.testing.assert_allclose(after.p_arrive[1], [1 - 0.6**3, 0.0])
    assert after.reason[1].tolist() == [Reason.NOISE, Reason.ATTENUATION]
    assert after.latency_p95_s[1, 0] <= 120.0
    assert after.latency_p50_s[1, 1] == np.inf


class Line:
    """Requests and answers that take their time, whoever else speaks; profiles are told by their length."""

    def __init__(self, env, site, profile_s, rng, success):
        self.env, self.site, self.profile_s, self.rng, self.success = env, site, profile_s, rng, success
        self.joined_s = dict.fromkeys(range(site), 0.0)

    def send(self, source, destination, payload):
        return self.env.process(self._send(source, payload))

    def _send(self, source, payload):
        up = source != self.site
        profile_s = self.profile_s * float(varied(source)[0]) if up else 0.0
        yield self.env.timeout((profile_s if len(payload) > 500 else ANSWER_S) if up else REQUEST_S)
        return None if up and self.rng.random() >= self.success else payload


class Plain:
    """A meter that answers a byte with a few and a profile with many."""

    def __init__(self, node):
        self.node, self.server, self.head_end = node, self, self

    def line(self):
        return self

    def receive(self, request):
        return bytes(1000) if request == b"profile" else bytes(10)

    def read(self, service):
        answer = yield service.encode()
        if answer is None:
            raise ExchangeFailed("no answer")
        return answer

    def holds(self, reading):
        return True


@pytest.mark.parametrize("parallel", [1, 3])
@pytest.mark.parametrize("success", [1.0, 0.97])
def test_closed_form_and_simulated_concentrators_agree(parallel, success):
    """Median and 95 % of 8000 requests beside a cycle of about 0.8 days, within 6 %."""
    n = 200
    profile_s = 0.8 * DAY_S / n * parallel * (1.0 if success == 1 else 0.9)
    session = ServiceSettings(max_pdu_bytes=65535, timeout_s=1.6 * profile_s, tries=1)
    technology = Made(profile_s=profile_s, success=success, parallel=parallel, spread=varied)
    after = fate(technology, *world(n, session=session))
    rng, waited = np.random.default_rng(5), []
    for _ in range(40):
        env = simpy.Environment()
        meters = {service: [Plain(node) for node in range(n)] for service in ("profile", "on_demand")}
        line = Line(env, n, profile_s, rng, success)
        asks = Concentrator(env, line, n, meters, Rules(parallel, 20, session.timeout_s))
        requests = Requests(np.sort(rng.uniform(0, DAY_S, n)), rng.integers(0, n, n), DAY_S)
        env.run(asks.day([0], [DAY_S, DAY_S], requests))
        assert len(asks.waited_s) == n
        assert np.isfinite(asks.finished_s[0]).mean() > 0.99
        waited.extend(asks.waited_s)
    for column, quantile in ((after.latency_p50_s, 50), (after.latency_p95_s, 95)):
        assert np.percentile(waited, quantile) == pytest.approx(np.median(column[1]), rel=0.06)
