"""The packet tier: real ciphered bytes through a G3-PLC cell, against the fast tier and against flipped bits."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import simpy
from amiplan.channels.draws import Draws
from amiplan.channels.mac.g3_polling import MOST_ROUNDS
from amiplan.channels.scenario import Scenario
from amiplan.channels.technologies.g3_plc import G3Plc
from amiplan.meters.services import SERVICES
from amiplan.meters.settings import ServiceSettings
from amiplan.planner.exchanges import exchanges_of
from amiplan.planner.packet import _polled_by_service, poll, polled_meters
from amiplan.planner.service import ServiceLevel
from amiplan.planner.settings import PlannerSettings
from feeders import feeder

TECH = G3Plc(mode_margin_db=0.0)
"""Without the reserve of tone-map adaptation, so that frames are lost and repeated."""
N_METERS = 15


def settings_for(*services):
    return PlannerSettings(service=ServiceLevel(services=services, deadline_h=2.0))


def meters_of(paths, members, settings):
    area = SimpleNamespace(meters=pd.DataFrame({"key": paths.node_key[: paths.n_meters], "kind": "house"}))
    return polled_meters(members, area, settings)


def day(env, cell, site_node, polled, settings, finished):
    """The concentrator's day, with the time at which each reading was complete and right."""
    for _ in range(MOST_ROUNDS):
        for number, service in enumerate(settings.service.services):
            for meter in polled:
                if np.isfinite(finished[number, meter.node]) or env.now >= settings.service.window_s:
                    continue
                reading = yield from poll(env, cell, site_node, meter, service, settings.session.timeout_s)
                if reading is not None and meter.holds(reading) and env.now <= settings.service.window_s:
                    finished[number, meter.node] = env.now


def both_tiers(paths, scenario, settings, draws):
    """Read probability and latency of every service and meter, fast and packet; and the cell's counters."""
    quality = TECH.assess(paths, scenario, draws)
    routes = TECH.routes(paths, quality, np.ones(1, bool))
    exchanges = exchanges_of(paths.n_meters, TECH.exchange_policy, settings.service, settings.session)
    fast = TECH.carry(exchanges, routes, paths, quality, scenario, draws)
    env = simpy.Environment()
    cell = TECH.open_cell(env, paths, quality, routes, 0, draws)
    finished = np.full(fast.p_arrive.shape, np.inf)
    members = np.flatnonzero(routes.server == 0)
    turn = draws.uniform("g3 poll order", paths.node_key[members])
    polled = meters_of(paths, members[np.argsort(turn)], settings)
    env.run(env.process(day(env, cell, paths.n_meters, polled, settings, finished)))
    return fast, finished, cell.counters


def compared(n_replications, scenario, *services):
    """Mean read success of both tiers, the ratio of their median latencies, and all frames repeated."""
    settings, paths = settings_for(*services), feeder(N_METERS, step_m=50.0, phases=1)
    read, latency, retries = [], [], 0
    for number in range(n_replications):
        fast, finished, counters = both_tiers(paths, scenario, settings, Draws(7, number))
        arrived = np.isfinite(finished)
        read.append((fast.p_arrive.mean(), arrived.mean()))
        late = arrived & np.isfinite(fast.latency_p50_s)
        latency.extend(
            [np.median(values[row][late[row]]) for values in (fast.latency_p50_s, finished)]
            for row in range(len(services))
            if late[row].any()
        )
        retries += counters["retries"]
    fast_s, packet_s = np.mean(latency, axis=0)
    return *np.mean(read, axis=0), packet_s / fast_s, retries


@pytest.mark.parametrize(("noise_db", "retried"), [(0.0, False), (30.0, True)])
def test_both_tiers_agree_on_a_cell(noise_db, retried):
    """Mean read success within 0.02, median latency within 5 %, over six replications of 15 meters."""
    fast, packet, ratio, retries = compared(6, Scenario(noise_offset_db=noise_db), "register")
    assert packet == pytest.approx(fast, abs=0.02)
    assert ratio == pytest.approx(1.0, abs=0.05)
    assert (retries > 0) or not retried


@pytest.mark.verification
@pytest.mark.parametrize("noise_db", [0.0, 25.0, 35.0, 44.0])
def test_both_tiers_agree_over_many_cells(noise_db):
    """Mean read success within 0.01, median latency within 2 %, over 40 replications of both services."""
    fast, packet, ratio, _ = compared(40, Scenario(noise_offset_db=noise_db), "register", "profile")
    assert packet == pytest.approx(fast, abs=0.01)
    assert ratio == pytest.approx(1.0, abs=0.02)


def flipped(data, bit=-1):
    """The same bytes with one bit turned over, counted from the end where negative."""
    damaged = bytearray(data)
    damaged[bit // 8] ^= 1 << bit % 8
    return bytes(damaged)


def one_meter(**session):
    """A cell with a loss-free line, and one meter to be read over it."""
    settings, paths, draws = settings_for("register"), feeder(1, phases=3), Draws(7)
    settings = replace(settings, session=ServiceSettings(**session))
    quality = TECH.assess(paths, Scenario(), draws)
    routes = TECH.routes(paths, quality, np.ones(1, bool))
    env = simpy.Environment()
    cell = TECH.open_cell(env, paths, quality, routes, 0, draws)
    return env, cell, meters_of(paths, np.array([0]), settings)[0], settings


def read_over(env, cell, meter, settings, service="register"):
    process = env.process(poll(env, cell, 1, meter, service, settings.session.timeout_s))
    env.run(process)
    return process.value


@pytest.mark.parametrize("frame", range(2))
def test_a_flipped_bit_in_a_frame_is_refused_by_its_check_sequence_and_repeated(monkeypatch, frame):
    env, cell, meter, settings = one_meter()
    link, number = cell._link, iter(range(10**6))

    def hit_once(sender, receiver):
        mode, _ = link(sender, receiver)
        return mode, (0.0, 0.0, lambda size: float(next(number) == frame))

    monkeypatch.setattr(cell, "_link", hit_once)
    monkeypatch.setattr(cell, "_damage", lambda data: flipped(data, 37))
    reading = read_over(env, cell, meter, settings)
    assert meter.holds(reading)
    assert cell.counters["crc_refused"] == cell.counters["frames_lost"] == cell.counters["retries"] == 1
    assert meter.server.counters["authentication"] == meter.server.counters["malformed"] == 0
    assert meter.head_end.counters["timeouts"] == meter.head_end.counters["authentication"] == 0


@pytest.mark.parametrize("framing", ["wrapper", "hdlc"])
@pytest.mark.parametrize("values", ["registers", "energy"])
def test_every_service_that_can_be_asked_for_is_carried_and_compared(framing, values):
    env, cell, meter, settings = one_meter(
        framing=framing, association="kept_open", profile_values=values, profile_status=True
    )
    for service in set(SERVICES) - {"last_gasp", "profile_30min", "profile_60min"}:
        reading = read_over(env, cell, meter, settings, service)
        assert meter.holds(reading)
        wrong = replace(reading, values=np.asarray(reading.values) + np.uint32(1))
        assert service == "clock_set" or not meter.holds(wrong)


def test_a_profile_of_a_named_period_is_read_from_a_meter_that_captures_at_it():
    paths, settings = feeder(2, phases=3), settings_for("register", "profile", "profile_60min", "profile_15min")
    area = SimpleNamespace(meters=pd.DataFrame({"key": paths.node_key[: paths.n_meters], "kind": "house"}))
    polled = _polled_by_service(np.arange(2), area, settings, settings.service.services)
    assert polled["register"] is polled["profile"] is polled["profile_15min"]
    assert [meter.server.settings.n_intervals for meter in polled["profile_60min"]] == [24, 24]


class BehindTheCheck:
    """A cell whose relay turns one bit over after the check sequence was taken off."""

    def __init__(self, cell, env, source):
        self.cell, self.env, self.source, self.hits = cell, env, source, 0

    def send(self, source, destination, payload):
        return self.env.process(self._send(source, destination, payload))

    def _send(self, source, destination, payload):
        arrived = yield self.cell.send(source, destination, payload)
        if source == self.source and not self.hits:
            self.hits += 1
            return flipped(arrived)
        return arrived


@pytest.mark.parametrize("upward", [False, True])
def test_a_flipped_bit_behind_the_check_sequence_is_refused_by_the_cipher_and_asked_again(upward):
    env, cell, meter, settings = one_meter()
    network = BehindTheCheck(cell, env, 0 if upward else 1)
    reading = read_over(env, network, meter, settings)
    assert meter.holds(reading)
    assert network.hits == 1
    assert cell.counters["crc_refused"] == cell.counters["retries"] == 0
    refusing = meter.head_end if upward else meter.server
    assert refusing.counters["authentication"] == 1
    assert meter.head_end.counters["timeouts"] == (0 if upward else 1)
    assert env.now > settings.session.timeout_s or upward
