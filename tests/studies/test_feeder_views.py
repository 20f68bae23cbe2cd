"""The power line as the report and `amiplan explain` show it: rows of all meters, pictures of some feeders."""

import json
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
from amiplan.studies.feeder_pictures import _mode_color, feeder_figure, feeder_figures, modes_of
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
    picture, names = feeders.pictures[0], named(feeders.pictures[0])
    figure = feeder_figure(feeders, picture, names, modes_of(result))
    heat = next(trace for trace in figure.data if trace.type == "heatmap")
    assert np.asarray(heat.z).shape == (10, 36)
    assert list(heat.y) == names.tolist()
    assert heat.hovertemplate.startswith("%{y}, ")
    assert {"x", "x2", "x3", "x4"} == {trace.xaxis or "x" for trace in figure.data}
    hovers = [text for trace in points(figure) for text in trace.text]
    assert len(hovers) == 10
    assert sorted(text.split(":")[0] for text in hovers) == sorted(names)
    assert not any("beyond reach" in text for text in hovers)
    assert figure.layout.yaxis.ticktext is None


def named(picture):
    return np.array([f"M{row}" for row in picture.meter], dtype=object)


def points(figure):
    return [trace for trace in figure.data if trace.type == "scatter" and trace.mode == "markers" and trace.text]


def test_meters_beyond_reach_have_no_number(seen):
    feeders, _ = seen
    one = feeders.pictures[0]
    far = np.arange(one.meter.size) >= 6
    mode = np.where(far, "none", one.mode_up).astype(object)
    snr = np.where(far[:, None], -np.inf, one.snr_up_db)
    lost = replace(one, attenuation_db=np.where(far, np.inf, one.attenuation_db), mode_up=mode, snr_up_db=snr)
    figure = feeder_figure(feeders, lost, named(one), ["ROBO"])
    hovers = {text.split(":")[0]: text for trace in points(figure) for text in trace.text}
    for row in np.flatnonzero(far & (mode == "none")):
        assert ", beyond reach, " in hovers[f"M{one.meter[row]}"]
        assert " dB" not in hovers[f"M{one.meter[row]}"]
    axis = figure.layout.yaxis
    assert axis.ticktext[-1] == "beyond reach"
    lines = {y for trace in points(figure) for y, text in zip(trace.y, trace.text, strict=True) if "beyond" in text}
    assert lines == {axis.tickvals[-1]}
    assert axis.tickvals[-1] > max(axis.tickvals[:-1])
    heat = next(trace for trace in figure.data if trace.type == "heatmap")
    assert np.isnan(np.asarray(heat.z, float)[far]).all()
    assert np.isfinite(np.asarray(heat.z, float)[~far]).all()


def test_the_legend_keeps_modes_and_phases_apart(seen):
    feeders, _ = seen
    one = feeders.pictures[0]
    n = one.meter.size
    phase = np.array(["L2", "L1", "L3"] * n, dtype=object)[:n]
    mode = np.array(["ROBO", "D8PSK", "none"] * n, dtype=object)[[row // 3 % 3 for row in range(n)]]
    figure = feeder_figure(feeders, replace(one, phase=phase, mode_up=mode), named(one), ["ROBO", "D8PSK"])
    entries = {t.name: t for t in figure.data if t.type == "scatter" and t.showlegend is not False}
    assert list(entries) == ["ROBO", "D8PSK", "no direct way", "L1", "L2", "L3"]
    assert all(list(entry.x) == [None] for entry in entries.values())
    assert {entries[name].mode for name in ("ROBO", "D8PSK")} == {"lines"}
    assert [entries[name].marker.symbol for name in ("L1", "L2", "L3")] == ["circle", "square", "diamond"]
    assert entries["ROBO"].line.color != entries["D8PSK"].line.color


def test_every_mode_has_a_colour_of_its_own():
    modes = [f"mode{row}" for row in range(14)]
    assert len({_mode_color(name, modes) for name in modes}) == len(modes)


def test_the_report_shows_them_and_is_silent_without(study, with_line):
    assert [one["label"] for one in feeder_figures(with_line)] == [with_line.label("g3_plc")]
    assert [one["n_areas"] for one in feeder_figures(with_line)] == [2]
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


def told(study, folder, **changed):
    """What `explain` says of the line of a meter whose row is changed."""
    meter = str(study.meters["meter_id"].iloc[0])
    result = next(one for one in study.results if one.technology == "g3_plc")
    first = result.feeders.meters.iloc[[0]].assign(meter_id=meter, **changed)
    one = replace(result, feeders=replace(result.feeders, meters=first))
    results = tuple(one if other.technology == "g3_plc" else other for other in study.results)
    limit = {"group": "technologies.g3_plc", "name": "max_link_length_m", "value": "300"}
    assumptions = pd.concat([study.assumptions, pd.DataFrame([limit])], ignore_index=True)
    write_results(replace(study, results=results, assumptions=assumptions), folder / "out")
    line = next(one for one in explanation(folder / "out", meter).splitlines() if "On the cable" in one)
    assert "inf" not in line
    assert "nan" not in line
    return line


def test_explain_says_that_a_pair_is_longer_than_links_may_be(with_line, tmp_path):
    line = told(with_line, tmp_path, distance_m=412.0, mode_up="none", mode_down="none")
    assert "412 m from T" in line
    assert "longer than max_link_length_m = 300 m, so the study has no direct link between them" in line
    assert "mode" not in line.replace("modem", "")
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    limits = {one["technology"]: one.get("max_link_length_m") for one in record["technologies"]}
    assert limits == {"g3_plc": 300.0, "wisun_fan": None, "lorawan": None, "nb_iot": None}


def test_explain_is_plain_where_nothing_arrives(with_line, tmp_path):
    nothing = {"snr_up_db": -np.inf, "snr_down_db": -np.inf, "mode_up": "none", "mode_down": "none"}
    line = told(with_line, tmp_path, distance_m=80.0, attenuation_db=np.inf, **nothing)
    assert "too weak at the other to be received, so there is no direct mode" in line
    assert " dB " not in line


def test_explain_tells_a_link_that_carries_one_way_only(with_line, tmp_path):
    line = told(with_line, tmp_path, distance_m=80.0, attenuation_db=np.inf, snr_up_db=7.0, snr_down_db=-np.inf)
    assert "SNR 7 dB up and none down (nothing arrives)" in line
    assert "below its source" not in line


def test_a_study_without_wires_writes_an_empty_table(study):
    table = powerline_table(study)
    assert len(table) == 0
    assert list(table.columns) == ["scenario", "technology", *COLUMNS]
