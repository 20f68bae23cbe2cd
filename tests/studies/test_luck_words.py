"""How much luck there is in a count of served meters, where the report says so and where it keeps silent."""

from dataclasses import replace

import pytest
from amiplan.planner.luck import Luck
from amiplan.studies import report_tables
from amiplan.studies.luck_words import luck_text
from amiplan.studies.report import summary

VILLAGE = Luck(n_replications=45, n_meters=1500, mean=0.9794, n_expected=50.7, n_not_served=57, n_unsure=51)


def with_luck(study, luck):
    return replace(study, luck={"g3_plc": luck})


def test_the_sentence_tells_both_counts_and_what_decides(study):
    assert luck_text(with_luck(study, VILLAGE)) == (
        "G3-PLC (CENELEC A): with 45 replications 51 of the 57 not served cannot be told from served; if the "
        "1\u202f500 meters that are served or may be were all read 97.9 % of the time, about 51 would fall below 95 % "
        "by luck. More replications ([simulation] replications) decide."
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"n_expected": 5.0},
        {"n_expected": 0.0, "mean": 0.8},
        {"n_expected": 0.4, "n_not_served": 2, "n_unsure": 2},
        {"n_unsure": 0},
    ],
)
def test_nothing_is_said_where_luck_decides_little(study, changes):
    assert luck_text(with_luck(study, replace(VILLAGE, **changes))) == ""


def test_it_stands_on_the_first_screen_beside_the_count_and_the_line_too(study):
    told = replace(with_luck(study, VILLAGE), line_text="severity harsh, time day: noise and loads as at 10:00")
    who, luck, line, *_ = summary(told, report_tables.standings(told))
    assert "serves" in who
    assert luck == luck_text(told)
    assert line == "The power line is taken with severity harsh, time day: noise and loads as at 10:00."


def test_what_decides_is_told_once(study):
    told = luck_text(replace(study, luck={"g3_plc": VILLAGE, "lorawan": VILLAGE}))
    assert told.count("cannot be told from served") == 2
    assert told.count("More replications") == 1
