"""The power line as the report and `amiplan explain` show it: rows of all meters, pictures of some feeders."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from amiplan.channels.draws import Draws
from amiplan.channels.scenario import Scenario
from amiplan.channels.technologies import technology
from amiplan.planner.feeders import COLUMNS, MOST_PICTURES, feeders_of
from amiplan.planner.tables import Links
from amiplan.studies.explain import explanation
from amiplan.studies.export import powerline_table, write_results
from amiplan.studies.feeder_pictures import feeder_figure, feeder_figures, modes_of
from amiplan.studies.report import render_report
from feeders import feeder

TECH = technology("g3_plc")


def views(areas=2, n_meters=10, step_m=30.0, served=True):
    paths = feeder(n_meters, step_m, areas=areas, phases=1)
    sites = pd.DataFrame({"transformer_id": [f"T{row}" for row in range(areas)]})
    fate = SimpleNamespace(served=np.full((2, paths.n_meters), served))
    names = np.array([f"M{row}" for row in range(paths.n_meters)], dtype=object)
    return feeders_of(TECH, Links(paths, sites), fate, names, Scenario(), Draws(3, 0)), paths


@pytest.fixture(scope="module")
def seen():
    return views()


@pytest.fixture(scope="module")
def with_line(study, seen):
    """The made study, its power line technology with feeders to show."""
    results = [replace(one, feeders=seen[0]) if one.technology == "g3_plc" else one for one in study.results]
    return replace(study, results=tuple(results))


def test_every_meter_with_a_cable_has_a_row(seen):
    feeders, paths = seen
    assert list(feeders.meters.columns) == list(COLUMNS)
    assert sorted(feeders.meters["meter_id"]) == sorted(f"M{row}" for row in range(paths.n_meters))
    assert set(feeders.meters["phase"]) <= {"L1", "L2", "L3"}
    known = {*TECH.modes, "none"}
    assert set(feeders.meters["mode_up"]) | set(feeders.meters["mode_down"]) <= known


def test_rows_say_what_the_links_of_the_same_draw_say(seen):
    """The mode and the loss of the direct link in the table are those that the plan rests on."""
    feeders, paths = seen
    quality = TECH.assess(paths, Scenario(), Draws(3, 0))
    direct = np.flatnonzero(paths.to_node >= paths.n_meters)
    rows = feeders.meters.set_index("meter_id").loc[[f"M{row}" for row in paths.from_node[direct]]]
    wanted = np.array([*TECH.modes, "none"], dtype=object)
    assert rows["mode_up"].tolist() == wanted[quality.mode_up[direct]].tolist()
    assert rows["mode_down"].tolist() == wanted[quality.mode_down[direct]].tolist()
    np.testing.assert_allclose(rows["distance_m"], paths.distance_m[direct])


def test_a_radio_technology_shows_no_feeders(seen):
    paths = seen[1]
    assert feeders_of(technology("lorawan"), Links(paths, pd.DataFrame()), None, None, Scenario(), Draws(3, 0)) is None


def test_many_areas_are_drawn_by_their_share_of_served_meters():
    feeders, _ = views(areas=MOST_PICTURES + 3, n_meters=2)
    assert len(feeders.pictures) == MOST_PICTURES
    assert len(feeders.meters) == 2 * (MOST_PICTURES + 3)


def test_a_picture_holds_its_four_panels(seen, with_line):
    feeders, _ = seen
    result = next(one for one in with_line.results if one.technology == "g3_plc")
    figure = feeder_figure(feeders, feeders.pictures[0], modes_of(result))
    heat = next(trace for trace in figure.data if trace.type == "heatmap")
    assert np.asarray(heat.z).shape == (10, 36)
    points = sum(len(trace.x) for trace in figure.data if trace.type == "scatter" and trace.mode == "markers")
    assert points == 10
    assert {"x", "x2", "x3", "x4"} == {trace.xaxis or "x" for trace in figure.data}


def test_the_report_shows_them_and_is_silent_without(study, with_line):
    assert [one["label"] for one in feeder_figures(with_line)] == [with_line.label("g3_plc")]
    assert 'id="feeders"' in render_report(with_line)
    assert 'id="feeders"' not in render_report(study)


def test_explain_tells_the_line_of_a_meter(with_line, tmp_path):
    meter = str(with_line.meters["meter_id"].iloc[0])
    result = next(one for one in with_line.results if one.technology == "g3_plc")
    rows = result.feeders.meters.assign(meter_id=[meter, *result.feeders.meters["meter_id"][1:]])
    told = replace(result, feeders=replace(result.feeders, meters=rows))
    results = tuple(told if one.technology == "g3_plc" else one for one in with_line.results)
    write_results(replace(with_line, results=results), tmp_path / "out")
    text = explanation(tmp_path / "out", meter).split("\n\n")
    wired = [part for part in text if "On the cable" in part]
    assert len(wired) == 1
    assert "shadow" not in wired[0]
    assert any("over all draws of places and shadowing" in part for part in text)
    line = next(one for one in wired[0].splitlines() if "On the cable" in one)
    first = rows.iloc[0]
    assert f"{first['distance_m']:.0f} m from {first['site_id']}, on {first['phase']}" in line
    assert f"fastest direct mode {first['mode_up']} up, {first['mode_down']} down" in line


def test_a_study_without_wires_writes_an_empty_table(study):
    table = powerline_table(study)
    assert len(table) == 0
    assert list(table.columns) == ["scenario", "technology", *COLUMNS]
