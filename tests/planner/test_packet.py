"""The packet tier: real ciphered bytes through a G3-PLC cell, against the fast tier and against flipped bits."""

import itertools
import pickle
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import simpy
from amiplan.channels.draws import Draws
from amiplan.channels.scenario import Scenario
from amiplan.channels.technologies.g3_plc import G3Plc
from amiplan.channels.technologies.lorawan import Lorawan
from amiplan.channels.technology import CourseStep
from amiplan.meters.services import SERVICES
from amiplan.meters.settings import ServiceSettings
from amiplan.planner.concentrator import Concentrator, Rules, follow, poll
from amiplan.planner.exchanges import exchanges_of
from amiplan.planner.on_demand import DAY_S
from amiplan.planner.packet import TIER_COLUMNS, cell_day, cell_rows, cells_of, polled_meters, tier_table
from amiplan.planner.settings import PlannerSettings
from amiplan.planner.simulate import SimulationSettings
from feeders import feeder
from made_cells import cell_of

TECH = G3Plc(mode_margin_db=0.0)
"""Without the reserve of tone-map adaptation, so that frames are lost and repeated."""


def one_meter(service="register", **session):
    """A cell with a loss-free line, and one meter to be read over it."""
    piece = cell_of(TECH, feeder(1, phases=3), Draws(7), services=("register",), session=ServiceSettings(**session))
    env = simpy.Environment()
    opening = piece.course[0]
    cell = TECH.open_cell(env, piece.paths, opening.quality, opening.routes, 0, piece.draws)
    return env, cell, polled_meters(piece, np.zeros(1, int))["register"][0], piece.session


def read_over(env, cell, meter, session, service="register"):
    process = env.process(poll(env, cell, 1, meter, service, session.timeout_s))
    env.run(process)
    return process.value


def flipped(data, bit=-1):
    """The same bytes with one bit turned over, counted from the end where negative."""
    damaged = bytearray(data)
    damaged[bit // 8] ^= 1 << bit % 8
    return bytes(damaged)


@pytest.mark.parametrize("services", [("register", "profile"), ("profile", "register")])
def test_a_concentrator_reads_services_in_their_order_whatever_the_backhaul_leaves_of_their_windows(services):
    piece = cell_of(TECH, feeder(4, phases=3), Draws(7), services=services, window_s=(28800.0, 28799.0))
    packet_s, fast_s = cell_day(piece).finished_s, piece.latency_s
    for times in (packet_s, fast_s):
        assert times[0].max() < times[1].min()


@pytest.mark.parametrize("framing", ["wrapper", "hdlc"])
@pytest.mark.parametrize("values", ["registers", "energy"])
def test_every_service_that_can_be_asked_for_is_carried_and_compared(framing, values):
    env, cell, meter, session = one_meter(
        framing=framing, association="kept_open", profile_values=values, profile_status=True
    )
    for service in set(SERVICES) - {"last_gasp", "profile_30min", "profile_60min"}:
        reading = read_over(env, cell, meter, session, service)
        assert meter.holds(reading)
        wrong = replace(reading, values=np.asarray(reading.values) + np.uint32(1))
        assert service == "clock_set" or not meter.holds(wrong)


def test_a_profile_of_a_named_period_is_read_from_a_meter_that_captures_at_it():
    services = ("register", "profile", "profile_60min", "profile_15min")
    piece = cell_of(TECH, feeder(2, phases=3), Draws(7), services=services)
    polled = polled_meters(piece, np.arange(2))
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
    env, cell, meter, session = one_meter()
    network = BehindTheCheck(cell, env, 0 if upward else 1)
    reading = read_over(env, network, meter, session)
    assert meter.holds(reading)
    assert network.hits == 1
    assert cell.counters["crc_refused"] == cell.counters["retries"] == 0
    refusing = meter.head_end if upward else meter.server
    assert refusing.counters["authentication"] == 1
    assert meter.head_end.counters["timeouts"] == (0 if upward else 1)
    assert env.now > session.timeout_s or upward


class Line:
    """A cell of its own kind: every payload arrives after ``delay_s``, or is lost when ``lost`` says so."""

    def __init__(self, env, delay_s=1.0, lost=lambda source, number: False):
        self.env, self.delay_s, self.lost, self.number = env, delay_s, lost, itertools.count()
        self.sent = []
        self.retuned = []
        self.joined_s = dict.fromkeys(range(100), 0.0)
        self.counters = {"crc_refused": 0}

    def send(self, source, destination, payload):
        self.sent.append((self.env.now, source, destination))
        return self.env.process(self._send(source, payload, next(self.number)))

    def _send(self, source, payload, number):
        yield self.env.timeout(self.delay_s)
        return None if self.lost(source, number) else payload

    def retune(self, quality):
        self.retuned.append((self.env.now, quality))


def concentrator(line, n_meters, services=("register",), **rules):
    piece = cell_of(TECH, feeder(n_meters, phases=3), Draws(7), services=services)
    meters = polled_meters(replace(piece, members=np.arange(n_meters), key=piece.paths.node_key[:n_meters],
                                   kind=np.full(n_meters, "house", object)), np.arange(n_meters))  # fmt: skip
    told = {"parallel": 1, "rounds": 20, "timeout_s": 60.0} | rules
    return Concentrator(line.env, line, n_meters, meters, Rules(**told))


def test_one_after_another_in_order_and_services_in_theirs():
    line = Line(simpy.Environment())
    asks = concentrator(line, 3, ("register", "on_demand"))
    line.env.run(asks.day([1, 0], [1e4, 1e4]))
    np.testing.assert_allclose(asks.finished_s, [[8, 10, 12], [2, 4, 6]])
    assert [to for _, source, to in line.sent if source == 3] == [0, 1, 2, 0, 1, 2]


@pytest.mark.parametrize(("parallel", "finished"), [(1, [2, 4, 6, 8, 10]), (2, [2, 2, 4, 4, 6]), (9, [2] * 5)])
def test_as_many_side_by_side_as_told(parallel, finished):
    line = Line(simpy.Environment())
    asks = concentrator(line, 5, parallel=parallel)
    line.env.run(asks.day([0], [1e4]))
    np.testing.assert_allclose(asks.finished_s[0], finished)


def test_what_failed_comes_again_behind_all_others_and_no_more_often_than_told():
    session = ServiceSettings()
    line = Line(simpy.Environment(), lost=lambda source, number: source == 0)
    asks = concentrator(line, 3, rounds=2)
    line.env.run(asks.day([0], [1e5]))
    vain_s = session.tries * session.timeout_s
    np.testing.assert_allclose(asks.finished_s[0], [np.inf, vain_s + 2, vain_s + 4])
    assert line.env.now == pytest.approx(2 * vain_s + 4)
    requests = [to for _, source, to in line.sent if source == 3]
    assert requests == [0] * session.tries + [1, 2] + [0] * session.tries


def test_what_ends_after_its_window_does_not_count_and_nothing_begins_after_it():
    line = Line(simpy.Environment())
    asks = concentrator(line, 5)
    line.env.run(asks.day([0], [5.0]))
    np.testing.assert_allclose(asks.finished_s[0], [2, 4, np.inf, np.inf, np.inf])
    assert max(time_s for time_s, *_ in line.sent) < 6.0


@pytest.mark.parametrize(("delay_s", "in_time"), [(29.9, True), (30.1, False)])
def test_an_answer_after_the_timeout_is_lost(delay_s, in_time):
    env, _, meter, session = one_meter()
    line = Line(env, delay_s)
    assert (read_over(env, line, meter, session) is not None) == in_time
    assert meter.head_end.counters["timeouts"] == (0 if in_time else session.tries)


def test_a_reading_that_differs_from_the_registers_is_counted_and_not_accepted():
    line = Line(simpy.Environment())
    asks = concentrator(line, 2, rounds=3)
    meters = asks.meters["register"]
    meters[0] = replace(meters[0], register_wh=meters[0].register_wh + np.uint32(1))
    line.env.run(asks.day([0], [1e4]))
    assert asks.wrong == 3
    assert np.isfinite(asks.finished_s[0]).tolist() == [False, True]


def test_who_has_not_joined_is_asked_when_it_has_and_costs_no_try_until_then():
    line = Line(simpy.Environment())
    line.joined_s |= {0: np.nan, 1: np.nan}
    asks = concentrator(line, 3, rounds=1)

    def join():
        yield line.env.timeout(22.0)
        line.joined_s[1] = line.env.now

    line.env.process(join())
    line.env.run(asks.day([0], [100.0]))
    np.testing.assert_allclose(asks.finished_s[0], [np.inf, 25.0 + 2.0, 2.0])
    assert {to for _, source, to in line.sent if source == 3} == {1, 2}
    assert line.env.now == 100.0


def test_a_window_without_end_is_refused():
    asks = concentrator(Line(simpy.Environment()), 1)
    with pytest.raises(ValueError, match="window that ends"):
        asks.day([0], [np.inf])


def test_nobody_to_ask_is_done_at_once():
    line = Line(simpy.Environment())
    asks = concentrator(line, 1)
    line.env.run(asks.day([], []))
    assert line.env.now == 0.0


def test_the_cell_follows_the_course():
    line = Line(simpy.Environment())
    course = [CourseStep(until_s, name, None) for until_s, name in ((10.0, "a"), (30.0, "b"), (np.inf, "c"))]
    line.env.run(line.env.process(follow(line.env, line, course)))
    assert line.retuned == [(10.0, "b"), (30.0, "c")]


def cut_off(piece, meter, until_s):
    """The cell with a first part of its course in which nobody hears the meter; ``until_s`` may never come."""
    (step,) = piece.course
    off = (piece.paths.from_node == meter) | (piece.paths.to_node == meter)
    dead = {name: np.where(off, -60.0, vars(step.quality)[name]) for name in vars(step.quality) if "_db" in name}
    modes = {name: np.where(off, -1, vars(step.quality)[name]) for name in ("mode_up", "mode_down")}
    quality = replace(step.quality, **dead, **modes)
    routes = TECH.routes(piece.paths, quality, np.ones(1, bool))
    assert routes.server[meter] < 0
    return replace(piece, course=(CourseStep(until_s, quality, routes), step))


def test_a_meter_that_gets_a_way_in_a_later_part_joins_then_and_is_read():
    whole = cell_of(TECH, feeder(3, phases=3), Draws(7), services=("register",))
    day = cell_day(cut_off(whole, 2, 600.0))
    assert np.all(day.finished_s[0, :2] < 60.0)
    assert 600.0 + TECH.joining.beacon_window_s < day.finished_s[0, 2] < 720.0
    assert day.counters["payloads_lost"] == 0


def test_a_meter_that_never_gets_a_way_is_unread_and_costs_the_others_nothing():
    whole = cell_of(TECH, feeder(3, phases=3), Draws(7), services=("register",), window_s=1800.0)
    day = cell_day(cut_off(whole, 2, 1e6))
    assert np.all(day.finished_s[0, :2] < 60.0)
    assert np.isinf(day.finished_s[0, 2])
    assert day.counters["payloads_sent"] == day.counters["payloads_delivered"] == 2 * 2


@pytest.mark.parametrize(("parallel", "last_s"), [(1, 10.0), (2, 6.0), (5, 2.0)])
def test_a_cell_day_asks_as_many_side_by_side_as_the_technology_says(parallel, last_s):
    piece = cell_of(TECH, feeder(5, phases=3), Draws(7), services=("register",))
    plain = SimpleNamespace(parallel_polls=parallel, airtime_share=0.8, open_cell=lambda env, *world: Line(env))
    day = cell_day(replace(piece, technology=plain))
    assert day.finished_s.max() == pytest.approx(last_s)


def test_a_row_tells_what_both_tiers_read_and_when():
    piece = cell_of(TECH, feeder(6, phases=3), Draws(7), services=("register",))
    (row,) = cell_rows(piece)
    assert tuple(row) == TIER_COLUMNS
    assert (row["read_fast"], row["read_packet"], row["difference"], row["half_width"]) == (1.0, 1.0, 0.0, 0.0)
    assert row["latency_packet_s"] == pytest.approx(row["latency_fast_s"], rel=0.15)
    assert row["frames_sent"] > row["n_exchanges"] == 6
    table = tier_table([[row], [row]])
    assert len(table) == 2
    assert tier_table([]).columns.tolist() == list(TIER_COLUMNS)


def test_a_window_that_is_too_short_binds_in_both_tiers():
    piece = cell_of(TECH, feeder(6, phases=3), Draws(7), services=("register",))
    whole = cell_day(piece).finished_s
    short = cell_of(TECH, feeder(6, phases=3), Draws(7), services=("register",), window_s=np.median(whole) / 0.8)
    (row,) = cell_rows(short)
    assert 0.3 < row["read_fast"] < 0.7
    assert 0.3 < row["read_packet"] < 0.7


def carried(technology, n_meters=4):
    """A technology after a simulation of two areas, as far as the packet tier looks at it."""
    settings = PlannerSettings(simulation=SimulationSettings(tier="packet"))
    paths = feeder(n_meters, areas=2, phases=3)
    whole = replace(settings.service, services=("last_gasp", "register"))
    exchanges = exchanges_of(paths.n_meters, "pull", whole, settings.session)
    draws = Draws(7)
    quality = TECH.assess(paths, settings.scenario, draws)
    routes = TECH.routes(paths, quality, np.ones(2, bool))
    shape = (2, paths.n_meters)
    outcome = SimpleNamespace(p_arrive=np.arange(2.0 * paths.n_meters).reshape(shape), latency_p50_s=np.ones(shape))
    first = SimpleNamespace(
        paths=paths, course=(CourseStep(np.inf, quality, routes),), draws=draws, outcome=outcome, window_s=(7.0, 9.0)
    )
    links = SimpleNamespace(paths=paths, site_ids=np.array(["A", "B"]))
    area = SimpleNamespace(meters=pd.DataFrame({"key": paths.node_key[: paths.n_meters], "kind": "house"}))
    return SimpleNamespace(technology=technology, exchanges=exchanges, links=links, first=first), area, settings


def test_each_cell_holds_its_own_links_and_meters_only():
    one, area, settings = carried(TECH)
    pieces = {piece.site_id: piece for piece in cells_of([one], area, settings)}
    assert sorted(pieces) == ["A", "B"]
    piece = pieces["B"]
    assert piece.members.tolist() == [4, 5, 6, 7]
    assert piece.services == ("register",)
    assert piece.window_s == (9.0,)
    np.testing.assert_array_equal(piece.p_arrive, [[12, 13, 14, 15]])
    assert piece.paths.n_links == 4 + 6
    routes, quality = piece.course[0].routes, piece.course[0].quality
    assert quality.snr_up_db.size == 10
    for meter in piece.members:
        ends = {int(piece.paths.from_node[routes.link[meter]]), int(piece.paths.to_node[routes.link[meter]])}
        assert ends == {int(meter), int(routes.parent[meter])}


def test_who_opens_no_cell_or_is_not_asked_to_has_none():
    one, area, settings = carried(TECH)
    radio, *_ = carried(Lorawan())
    assert [piece.technology for piece in cells_of([radio, one], area, settings)] == [TECH, TECH]
    alone = replace(settings, scenario=Scenario(interference=False))
    fast = replace(settings, simulation=SimulationSettings(tier="fast"))
    assert cells_of([one], area, alone) == cells_of([one], area, fast) == []


def test_each_service_has_a_row_of_its_own_and_frames_are_counted_once():
    """A profile is longer than a register and comes behind all of them: pooled, the medians would say neither."""
    piece = cell_of(TECH, feeder(6, phases=3), Draws(7), services=("register", "profile"))
    day = cell_day(piece)
    register, profile = cell_rows(piece)
    assert (register["reads"], profile["reads"]) == ("register", "profile")
    for number, row in enumerate((register, profile)):
        assert row["n_exchanges"] == 6
        assert row["latency_fast_s"] == round(float(np.median(piece.latency_s[number])), 1)
        assert row["latency_packet_s"] == round(float(np.median(day.finished_s[number])), 1)
    assert profile["latency_packet_s"] > 2 * register["latency_packet_s"]
    assert (register["frames_sent"], profile["frames_sent"]) == (day.counters["frames_sent"], 0)


def test_reads_on_demand_come_beside_the_daily_ones_and_only_they_where_nothing_else_is_asked():
    piece = cell_of(TECH, feeder(20, phases=3), Draws(7), services=("register", "on_demand"), window_s=DAY_S)
    daily, asked = cell_rows(piece)
    assert (daily["reads"], asked["reads"]) == ("register", "on_demand")
    assert daily["n_exchanges"] == 20
    assert 5 < asked["n_exchanges"] < 40
    assert asked["read_packet"] == 1.0
    assert asked["latency_packet_s"] == pytest.approx(asked["latency_fast_s"], rel=0.25)
    assert asked["latency_packet_s"] < 8.0
    assert asked["frames_sent"] == 0
    (only,) = cell_rows(cell_of(TECH, feeder(20, phases=3), Draws(7), services=("on_demand",), window_s=DAY_S))
    assert only["n_exchanges"] == asked["n_exchanges"]
    assert only["frames_sent"] > 0


def test_a_cell_gives_the_same_rows_in_any_process():
    piece = cell_of(TECH, feeder(4, phases=3), Draws(7), services=("register", "on_demand"), window_s=DAY_S)
    assert cell_rows(pickle.loads(pickle.dumps(piece))) == cell_rows(piece)
