from dataclasses import replace

from amiplan.studies import report_tables
from amiplan.studies.states import meter_states
from amiplan.studies.summary import main_reason, summary_text


def test_the_last_lines_on_the_screen_agree_with_the_report(study):
    lines = summary_text(study).splitlines()
    assert lines[0] == f"{study.title}: 324 meters. {study.service_text}"
    assert lines[2].endswith("EUR/meter/year")
    for line, standing in zip(lines[3:], report_tables.standings(study), strict=True):
        words = line.split()
        assert int(words[1]) == standing.n_served
        reason, n = standing.reasons[0]
        assert f"{reason} ({n})" in line
        assert words[-1] == f"{standing.eac_per_meter:.2f}"


def test_where_all_are_served_no_reason_is_given(study):
    states = meter_states(study, study.results[0])
    assert main_reason(states.assign(served=True)) == ""


def test_how_harsh_the_line_is_stands_below_the_service(study):
    harsh = replace(study, line_text="severity harsh, time day: noise and loads as at 10:00")
    lines = summary_text(harsh).splitlines()
    assert lines[1] == f"Power line: {harsh.line_text}."
    assert lines[2] == ""
    assert [lines[0], *lines[2:]] == summary_text(study).splitlines()
