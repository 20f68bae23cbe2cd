"""The concentrator after a fault, over a cell of three lines of physics whose answers are known by hand."""

import numpy as np
import pytest
import simpy
from amiplan.channels.technology import Routes
from amiplan.meters.client import ExchangeFailed
from amiplan.meters.settings import ServiceSettings
from amiplan.planner.polled import commissioned
from amiplan.planner.recovery import Talk, recover, talks_of
from toy_cell import BOOT_S, RATE_BPS, ToyCell

N = 4
TIMEOUT_S = 20.0
ONCE_S = 8 * 500 / RATE_BPS


class Plain:
    """A meter that answers 100 bytes with 400, and its own head end."""

    def __init__(self, node, answer=400, wrong=0):
        self.node, self.server, self.head_end, self.answer, self.wrong = node, self, self, bytes(answer), wrong

    def line(self):
        return self

    def receive(self, request):
        return self.answer

    def read(self, service):
        answer = yield bytes(100)
        if answer is None:
            raise ExchangeFailed("no answer")
        return answer

    def holds(self, reading):
        self.wrong -= 1
        return self.wrong < 0


def talk(node, **meter):
    return Talk(Plain(node, **meter), "register", TIMEOUT_S)


def chain():
    """Meters one behind the other: meter 0 hangs on the concentrator, node 4."""
    parent = np.array([N, 0, 1, 2])
    rows = np.arange(N)
    return Routes(np.zeros(N, int), parent, rows, rows + 1, np.arange(N + 1), rows, np.zeros(N, np.int8))


def told(n_talks, *, hit=lambda cell: None, lost=(), until_s=3600.0, parallel=1, meters=range(N)):
    env = simpy.Environment()
    cell = ToyCell(env, chain(), N, lost)
    hit(cell)
    nodes = np.array(meters)
    talks = {int(node): [talk(int(node))] * n_talks for node in nodes}
    return recover(env, cell, N, nodes, talks, parallel=parallel, until_s=until_s)


def test_meters_that_never_left_are_read_in_turn():
    got = told(1)
    assert got.joined_s.tolist() == [0.0] * N
    assert got.all_s == pytest.approx(np.cumsum(ONCE_S * np.array([1, 2, 3, 4])))
    assert got.first_s == pytest.approx(got.all_s)


def test_nobody_is_read_before_it_joined_and_all_that_was_missed_takes_its_time():
    got = told(3, hit=lambda cell: cell.cold_start(range(N)))
    assert got.joined_s == pytest.approx(BOOT_S * np.array([1, 2, 3, 4]))
    assert (got.first_s > got.joined_s).all()
    assert got.all_s - got.first_s == pytest.approx(2 * ONCE_S * np.array([1, 2, 3, 4]))
    assert got.control_frames == N


def test_a_meter_out_of_reach_is_told_and_does_not_keep_the_others_waiting():
    got = told(1, lost=(3,), until_s=200.0)
    assert np.isfinite(got.all_s).tolist() == [True, True, True, False]
    assert got.all_s[:3].max() < TIMEOUT_S


def test_a_silent_relay_takes_all_behind_it_along():
    got = told(1, hit=lambda cell: cell.fail(1), until_s=100.0)
    assert np.isfinite(got.all_s).tolist() == [True, False, False, False]


def test_a_meter_that_never_joins_is_never_asked():
    def off(cell):
        cell.joined_s[2] = np.nan

    got = told(1, hit=off, until_s=100.0)
    assert np.isnan(got.joined_s[2])
    assert got.all_s[2] == np.inf


def test_two_at_a_time_share_one_line_and_are_no_slower():
    assert told(2, parallel=2).all_s.max() == pytest.approx(told(2).all_s.max())


def alone(one, until_s=90.0):
    env = simpy.Environment()
    return recover(env, ToyCell(env, chain(), N), N, np.array([0]), {0: [one]}, parallel=1, until_s=until_s)


def test_a_late_answer_is_lost():
    assert alone(talk(0, answer=40_000)).all_s[0] == np.inf


def test_a_wrong_answer_is_no_reading_and_comes_again():
    got = alone(talk(0, wrong=2))
    assert got.wrong == 2
    assert got.first_s[0] == got.all_s[0] == pytest.approx(3 * ONCE_S)


SERVICES = ("last_gasp", "register", "profile", "profile, 1 day late", "profile, 2 days late")


def real_talks():
    """What one commissioned meter has to tell, its profile of three days among it."""
    key, kind, session = np.array([7], np.uint64), np.array(["house"], object), ServiceSettings(tries=1)
    return talks_of(commissioned(np.array([0]), key, kind, SERVICES[1:3], session, 5), SERVICES, 60.0)


def test_what_is_missed_is_read_service_after_service():
    (talks,) = real_talks().values()
    assert [one.service for one in talks] == ["register", "profile", "profile", "profile"]
    assert {one.meter.node for one in talks} == {0}


def test_real_meters_are_read_and_one_whose_register_differs_is_not():
    env, talks = simpy.Environment(), real_talks()
    got = recover(env, ToyCell(env, chain(), N), N, np.array([0]), talks, parallel=1, until_s=600.0)
    assert 0.0 < got.first_s[0] < got.all_s[0] < 60.0
    assert got.wrong == 0
    env, talks = simpy.Environment(), real_talks()
    talks[0][1].meter.profile_wh[3] += 1
    got = recover(env, ToyCell(env, chain(), N), N, np.array([0]), talks, parallel=1, until_s=30.0)
    assert np.isfinite(got.first_s[0])
    assert np.isinf(got.all_s[0])
    assert got.wrong > 1


class Deaf(ToyCell):
    """A cell that delivers zeros of the right length."""

    def _send(self, source, destination, payload):
        arrived = yield from super()._send(source, destination, payload)
        return None if arrived is None else bytes(len(arrived))


def test_zeros_of_the_right_length_are_no_reading():
    env = simpy.Environment()
    got = recover(env, Deaf(env, chain(), N), N, np.array([0]), real_talks(), parallel=1, until_s=300.0)
    assert np.isinf(got.first_s[0])
