"""The course of a day on the power line: its steps, what stays the same in them, and how readings follow it."""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
from amiplan.channels.draws import Draws
from amiplan.channels.powerline.appliances import appliance_table
from amiplan.channels.powerline.course import at_hour, steps_of
from amiplan.channels.powerline.loads import devices
from amiplan.channels.powerline.scenarios import LineScenario
from amiplan.channels.scenario import Scenario
from amiplan.channels.technologies.g3_plc import G3Plc
from amiplan.channels.technologies.lorawan import Lorawan
from amiplan.meters.settings import ServiceSettings
from amiplan.planner.exchanges import exchanges_of
from amiplan.planner.positions import PositionMix
from amiplan.planner.replicate import parts_of, replicate
from amiplan.planner.service import ServiceLevel
from amiplan.planner.tables import Links
from amiplan.studies.settings import UserError, fill
from feeders import feeder
from hypothesis import given, settings
from hypothesis import strategies as st

COURSE = LineScenario(time="course")
KEYS = np.arange(1, 401, dtype=np.uint64)
TECH = G3Plc()


def test_steps_cover_the_window_and_stand_at_their_middle():
    steps = steps_of(COURSE, 22.0, 8 * 3600.0)
    assert [(one.from_s, one.until_s) for one in steps] == [(0, 10_800), (10_800, 21_600), (21_600, np.inf)]
    assert [one.line.moment.hour for one in steps] == [23.5, 2.5, 5.0]
    assert not any(one.line.follows_day for one in steps)


def test_the_offset_lies_straight_between_the_times_around_the_clock():
    """Day 0 dB at 10 h, evening 3 dB at 20 h, night -3 dB at 3 h."""
    by_hand = {10.0: 0.0, 15.0: 1.5, 20.0: 3.0, 23.5: 0.0, 3.0: -3.0, 6.5: -1.5, 24.0: 3 - 6 * 4 / 7, 44.0: 3.0}
    for hour, offset_db in by_hand.items():
        assert at_hour(COURSE, hour).moment.noise_offset_db == pytest.approx(offset_db)
    louder = replace(COURSE, severity="harsh")
    assert at_hour(louder, 15.0).noise_offset_db == pytest.approx(1.5 + louder.harshness.noise_offset_db)


def test_rows_of_the_user_bend_the_course():
    edited = LineScenario(time="course", times={"noon": {"hour": 13, "noise_offset_db": 5}})
    assert edited.offset_at_db(13.0) == 5.0
    assert edited.offset_at_db(11.5) == 2.5
    assert edited.offset_at_db(20.0) == 3.0


@settings(max_examples=25)
@given(st.floats(0, 23.9), st.floats(60, 1e5), st.floats(1, 24))
def test_steps_follow_each_other_without_a_gap(start_h, window_s, step_h):
    steps = steps_of(replace(COURSE, course_step_h=step_h), start_h, window_s)
    assert steps[0].from_s == 0.0
    assert steps[-1].until_s == np.inf
    assert all(one.until_s == after.from_s for one, after in pairwise(steps))
    assert steps[-1].from_s < window_s
    assert len(steps) == np.ceil(window_s / step_h / 3600 - 1e-9)
    assert all(0 <= one.line.moment.hour < 24 and -3 <= one.line.moment.noise_offset_db <= 3 for one in steps)


def test_a_time_that_stands_still_has_one_step_and_is_the_line_itself():
    line = LineScenario(time="evening")
    (step,) = steps_of(line, 3.0, 1e5)
    assert step.line is line
    assert (step.from_s, step.until_s) == (0.0, np.inf)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"time": "course", "times": {"noon": {"hour": 10, "noise_offset_db": 5}}}, "day and noon differ at hour 10"),
        ({"times": {"course": {"hour": 10, "noise_offset_db": 5}}}, "give the row another"),
        ({"time": "course", "course_step_h": 0.1}, "course_step_h = 0.1"),
        ({"time": "corse"}, "time = 'corse' is unknown"),
    ],
)
def test_courses_that_cannot_be_are_refused(table, words):
    with pytest.raises(UserError, match=words):
        fill(LineScenario, table, "case.toml [scenario.powerline]")


def test_the_course_is_no_moment_and_needs_a_window():
    with pytest.raises(ValueError, match="is no moment"):
        _ = COURSE.moment
    for window_s in (0.0, np.inf):
        with pytest.raises(ValueError, match="must be positive"):
            steps_of(COURSE, 0.0, window_s)


def test_all_rows_of_the_times_stand_among_the_assumptions():
    assert [row.name for table, row in COURSE.rows_in_use if table == "times"] == ["day", "evening", "night"]


def test_a_busier_hour_keeps_the_appliances_of_a_quieter_one():
    table = appliance_table()
    ones, kind = np.ones(KEYS.size), np.zeros(KEYS.size, np.int8)
    hours = [step.line.moment.hour for step in steps_of(COURSE, 0.0, 86_400.0)]
    drawn = [devices(KEYS, KEYS, kind, ones, Draws(3), hour=hour, table=table) for hour in hours]
    owned = [set(map(tuple, one.part.tolist())) for one in drawn]
    share = np.array([table.running_at(hour) for hour in hours])
    idle = table.connected
    for quiet in range(len(hours)):
        for busy in range(len(hours)):
            if np.all(share[quiet][~idle] <= share[busy][~idle]):
                assert owned[quiet] <= owned[busy]
    assert len({one.running.sum() for one in drawn}) > 4


def test_the_parts_of_a_radio_are_one_and_those_of_a_power_line_follow_the_day():
    scenario = Scenario(powerline=COURSE)
    (whole,) = parts_of(Lorawan(), scenario, 0.0, 86_400.0)
    assert whole.scenario is scenario
    parts = parts_of(TECH, scenario, 0.0, 86_400.0)
    assert len(parts) == 8
    assert {part.scenario.name for part in parts} == {scenario.name}


@dataclass(frozen=True)
class Standing(G3Plc):
    """G3-PLC that notes which quality and routes it was given."""

    def routes(self, paths: Any, quality: Any, built: Any, before: Any = None) -> Any:
        made = super().routes(paths, quality, built, before)
        asked.append((quality, before, made))
        return made


asked: list[Any] = []


def replicated(technology, scenario, window_s=86_400.0, start_h=0.0):
    asked.clear()
    paths = feeder(6, phases=3)
    exchanges = exchanges_of(6, "pull", ServiceLevel(services=("register",)), ServiceSettings())
    exchanges = replace(exchanges, window_s=(window_s,))
    links = Links(paths, gpd.GeoDataFrame())
    return replicate(technology, links, exchanges, np.ones(1, bool), scenario, PositionMix(), Draws(7), start_h)


def test_routes_grow_out_of_those_before_and_equal_hours_are_solved_once():
    scenario = Scenario(powerline=replace(COURSE, course_step_h=6.0))
    one = replicated(Standing(), scenario, window_s=2 * 86_400.0)
    assert [step.until_s for step in one.course] == [*(21_600.0 * n for n in range(1, 8)), np.inf]
    assert [before for _, before, _ in asked] == [None, *(made for *_, made in asked[:-1])]
    assert one.course[4].quality is one.course[0].quality
    assert one.course[1].quality is not one.course[0].quality
    assert one.quality is one.course[0].quality
    assert one.scenario.powerline.moment.hour == 3.0


def test_each_part_is_what_its_hour_alone_would_be():
    one = replicated(Standing(), Scenario(powerline=COURSE), start_h=18.0, window_s=6 * 3600.0)
    for step, hour in zip(one.course, (19.5, 22.5), strict=True):
        alone = replicated(TECH, Scenario(powerline=at_hour(COURSE, hour)))
        np.testing.assert_array_equal(step.quality.snr_up_db, alone.quality.snr_up_db)
        assert len(alone.course) == 1


@pytest.mark.parametrize("technology", [TECH])
def test_one_step_is_exactly_the_same_as_no_course(technology):
    """A course of one step of a day equals the moment in its middle, and carry_course with it equals carry."""
    scenario = Scenario(powerline=replace(COURSE, course_step_h=24.0))
    one = replicated(technology, scenario)
    moment = replicated(technology, Scenario(powerline=at_hour(COURSE, 12.0)))
    exchanges = exchanges_of(6, "pull", ServiceLevel(services=("register",)), ServiceSettings())
    exchanges = replace(exchanges, window_s=(86_400.0,))
    through = technology.carry_course(exchanges, one.course, one.paths, one.scenario, one.draws)
    for column in vars(one.outcome):
        np.testing.assert_array_equal(getattr(one.outcome, column), getattr(moment.outcome, column))
        np.testing.assert_array_equal(getattr(one.outcome, column), getattr(through, column))
