"""Severities side by side on the same draws: the own one comes out as in the study, and harsh is not better."""

from dataclasses import replace

import made_cases as made
import pandas as pd
import pytest
from amiplan.planner.pipeline import carried
from amiplan.planner.severities import SEVERITY_COLUMNS, in_severity, severity_pieces, severity_rows
from amiplan.planner.severity_settings import SeveritySettings
from amiplan.studies.assemble import area_of
from amiplan.studies.settings import UserError


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    folder = tmp_path_factory.mktemp("street")
    made.write_meters(folder, made.street(20, 45.0))
    made.write_network(folder, 20, 45.0)
    return folder


@pytest.fixture(scope="module")
def planned(street):
    case = made.made_case(street, {"g3_plc": {}, "nb_iot": {}}, severities={"compare": True, "replications": 2})
    area, candidates = area_of(case)
    done = [carried(one, area, candidates, case.settings) for one in case.technologies]
    return done, area, case.settings


@pytest.fixture(scope="module")
def rows(planned):
    done, area, settings = planned
    return pd.concat([severity_rows(piece, area, settings) for piece in severity_pieces(done, settings)])


def test_only_power_lines_are_compared_and_only_where_asked(planned):
    done, _, settings = planned
    pieces = severity_pieces(done, settings)
    assert [(piece.one.technology.name, piece.severity) for piece in pieces] == [
        ("g3_plc", "quiet"),
        ("g3_plc", "typical"),
        ("g3_plc", "harsh"),
    ]
    assert severity_pieces(done, replace(settings, severities=SeveritySettings())) == []


def test_the_studys_own_severity_comes_out_as_in_the_study(planned, rows):
    own = planned[0][0].areas.iloc[0]
    typical = rows[rows["severity"] == "typical"].iloc[0]
    for name in ("n_meters", "read_ratio", "read_low", "read_high", "n_served", "read_reached_s"):
        assert typical[name] == own[name], name
    assert list(rows.columns) == list(SEVERITY_COLUMNS)


def test_what_the_study_has_computed_already_is_what_would_be_computed(planned, rows):
    done, area, settings = planned
    alone = replace(done[0], first_areas=None)
    own = severity_rows(severity_pieces([alone], settings)[1], area, settings)
    kept = rows[rows["severity"] == "typical"]
    assert done[0].first_areas is not None
    pd.testing.assert_frame_equal(own.reset_index(drop=True), kept.reset_index(drop=True))


def test_harsh_is_not_better_than_quiet(rows):
    read = rows.set_index("severity")["read_ratio"]
    assert read["quiet"] >= read["typical"] >= read["harsh"]
    lost = rows.set_index("severity")["no_route_ratio"]
    assert lost["quiet"] <= lost["harsh"]


def test_another_severity_changes_nothing_else(planned):
    scenario = planned[2].scenario
    harsh = in_severity(scenario, "harsh")
    assert harsh.powerline.severity == "harsh"
    assert replace(harsh, powerline=scenario.powerline) == scenario


@pytest.mark.parametrize("names", [(), ("quiet", "quiet")])
def test_no_severity_or_a_doubled_one_is_refused(names):
    with pytest.raises(ValueError, match="at least one severity, each once"):
        SeveritySettings(names=names)


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ({"severities": {"names": ["quiet", "hrash"]}}, r"\[severities\] names: .*hrash"),
        ({"faults": {"tie_cable": "rope"}}, r"\[faults\] tie_cable: .*rope"),
        ({"faults": {"which": ["flood"]}}, r"\[faults\].*feeder_moved"),
        ({"faults": {"outage_h": -1.0}}, "outage_h"),
    ],
)
def test_the_case_file_refuses_what_no_table_knows(street, section, told):
    with pytest.raises(UserError, match=told):
        made.made_case(street, {"g3_plc": {}}, **section)
