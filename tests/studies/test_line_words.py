"""Severity and time of the power line: in the name of the scenario, in words, and against the collection window."""

import made_cases as made
import pytest
from amiplan.studies.commands import audit_text
from amiplan.studies.line_words import line_notes, line_text

WIRED = {"g3_plc": {}, "nb_iot": {}}


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    folder = tmp_path_factory.mktemp("street")
    made.write_meters(folder, made.street(3))
    made.write_network(folder, 3)
    return folder


@pytest.mark.parametrize(
    ("scenario", "name"),
    [
        ({}, "typical"),
        ({"noise_offset_db": 3.0}, "typical"),
        ({"powerline": {"severity": "harsh"}}, "harsh"),
        ({"powerline": {"severity": "quiet"}, "name": "my what-if"}, "my what-if"),
    ],
)
def test_a_scenario_without_a_name_bears_that_of_its_severity(street, scenario, name):
    assert made.made_case(street, WIRED, scenario=scenario).settings.scenario.name == name


def test_the_line_is_told_with_severity_and_hour(street):
    day = made.made_case(street, WIRED)
    assert line_text(day) == "severity typical, time day: noise and loads as at 10:00"
    course = made.made_case(street, WIRED, scenario={"powerline": {"severity": "harsh", "time": "course"}})
    assert line_text(course) == "severity harsh, time course: noise and loads follow the hours from 00:00 on"
    assert line_text(made.made_case(street, {"nb_iot": {}})) == ""


def test_a_line_of_another_hour_than_the_window_is_told(street):
    (note,) = line_notes(made.made_case(street, WIRED))
    assert note == (
        "Power lines are those of 10:00 (scenario.powerline: time = 'day') although meters are read from 00:00 to "
        "08:00; time = 'course' follows the hours."
    )
    assert note in audit_text(made.made_case(street, WIRED))


@pytest.mark.parametrize(
    ("time", "service", "differs"),
    [
        ("night", {}, False),
        ("evening", {}, True),
        ("course", {}, False),
        ("evening", {"start_h": 18.0, "deadline_h": 24.0}, False),
        ("night", {"start_h": 18.0, "deadline_h": 30.0}, False),
        ("day", {"start_h": 18.0, "deadline_h": 30.0}, True),
        ("day", {"start_h": 0.0, "deadline_h": 24.0}, False),
        ("day", {"services": ["on_demand"]}, False),
        ("day", {"services": ["register", "on_demand"]}, True),
    ],
)
def test_only_where_the_hour_lies_outside_the_window(street, time, service, differs):
    case = made.made_case(street, WIRED, scenario={"powerline": {"time": time}}, service=service)
    assert bool(line_notes(case)) == differs


def test_without_a_power_line_no_hour_is_told(street):
    assert line_notes(made.made_case(street, {"nb_iot": {}})) == []
