"""Areas, severities and faults in the report and the result folder: every number of the files, in plain words."""

import json
import re
from dataclasses import replace

import geopandas as gpd
import made_streets
import numpy as np
import pandas as pd
import pytest
from amiplan.planner.area_rows import AREA_COLUMNS
from amiplan.planner.faults import FAULT_COLUMNS
from amiplan.planner.severities import SEVERITY_COLUMNS
from amiplan.studies.area_tables import area_sections, last_read
from amiplan.studies.export import write_results
from amiplan.studies.fault_tables import fault_draws, fault_sentences, fault_table
from amiplan.studies.report import render_report
from amiplan.studies.run import run
from amiplan.studies.severity_tables import severity_draws, severity_figure, severity_summary, severity_table
from amiplan.studies.words import clock
from amiplan.studies.workers import Workers

N_AREAS = 8


def area_rows(n_meters):
    """Eight areas and the rest, the third of them the worst."""
    ids = [*(f"T{row}" for row in range(N_AREAS)), ""]
    sizes = np.full(N_AREAS + 1, n_meters // N_AREAS)
    sizes[-1] = n_meters - sizes[:-1].sum()
    read = np.linspace(0.9, 0.98, N_AREAS + 1)
    read[2], read[-1] = 0.4, 0.0
    columns = {
        "scenario": "typical", "technology": "g3_plc", "site_id": ids, "n_meters": sizes,
        "n_served": np.floor(sizes * read), "n_served_low": np.floor(sizes * read * 0.9), "n_served_high": sizes,
        "read_ratio": read, "read_low": read * 0.9, "read_high": np.minimum(read * 1.1, 1), "no_route_ratio": 1 - read,
        "direct_ratio": read / 2, "hops_2_ratio": read / 2, "hops_3_ratio": 0.0, "hops_4_ratio": 0.0,
        "mode_mix": "ROBO 0.25, DBPSK 0.7487, DQPSK 0.0013", "relay_id": "M00007", "relay_airtime_ratio": 0.5,
        "relay_dependants": 3.25, "all_read_ratio": 0.5, "read_all_s": np.inf, "read_all_p95_s": np.inf,
        "read_reached_s": 754.0,
    }  # fmt: skip
    return pd.DataFrame(columns)[list(AREA_COLUMNS)]


def severity_rows(rows):
    made = []
    for technology in ("g3_plc", "wisun_fan"):
        for severity, worse in (("quiet", 0.0), ("harsh", 0.2)):
            read = (rows["read_ratio"] - worse).clip(0)
            made.append(
                rows.assign(technology=technology, severity=severity, read_ratio=read, read_low=read, replications=4)
            )
    return pd.concat(made, ignore_index=True)[list(SEVERITY_COLUMNS)]


def fault_rows():
    nothing = dict.fromkeys(FAULT_COLUMNS, np.nan) | {"technology": "g3_plc", "site_id": "T2", "other_id": ""}
    nothing |= {"missed_days": 0, "replications": 4}
    moved = nothing | {
        "fault": "feeder_moved", "other_id": "T3", "detail": "20 of 40 meters, over an open point", "group": "moved",
        "n_meters": 20, "read_before": 0.9, "read_after": 0.85, "n_joined": 19, "joined_median_s": 60.0,
        "joined_last_s": 300.0, "n_back": 18, "first_median_s": 200.0, "back_median_s": 754.0, "back_last_s": np.inf,
        "watched_s": 7200.0, "control_frames": 512, "not_back": "M00001 M00002",
    }  # fmt: skip
    left = nothing | {"fault": "feeder_moved", "other_id": "T3", "detail": moved["detail"], "group": "left behind",
                      "n_meters": 20, "read_before": 0.9, "read_after": 0.95, "not_back": ""}  # fmt: skip
    alone = nothing | {"fault": "repeater_lost", "detail": "no meter of the area forwards for others", "group": "",
                       "n_meters": 0, "not_back": ""}  # fmt: skip
    return pd.DataFrame([moved, left, alone])[list(FAULT_COLUMNS)]


@pytest.fixture(scope="module")
def told(study):
    first = study.results[0]
    rows = area_rows(study.area.n_meters_in)
    results = (replace(first, areas=rows), *study.results[1:])
    return replace(study, results=results, severities=severity_rows(rows), faults=fault_rows())


def test_areas_stand_worst_first_and_add_up_to_all_meters_in(told):
    (section,) = area_sections(told)
    table = section["table"]
    assert table.rows[0][0] == "no area known, or listed"
    assert table.rows[1][0] == "T2"
    assert table.rows[1][3] == "40.0 % (36.0 to 44.0)"
    assert table.rows[1][8] == "DBPSK 75 %, ROBO 25 %"
    assert table.rows[1][9] == "M00007: 50.0 %, 3.2"
    assert table.rows[1][-1] == "12.6 min"
    assert sum(int(row[1]) for row in table.rows) == int(table.foot[1]) == told.area.n_meters_in
    assert len({len(table.head), len(table.foot), len(table.numeric), *map(len, table.rows)}) == 1


def test_the_bars_of_an_area_fill_it(told):
    figure = area_sections(told)[0]["figure"]
    assert np.sum([bar.x for bar in figure.data], axis=0) == pytest.approx(100.0, abs=0.05)
    assert next(bar.name for bar in figure.data) == "direct"


def test_severities_stand_side_by_side(told):
    table = severity_table(told)
    assert table.head[2:] == tuple(
        f"{told.label(name)}, {word}" for name in ("g3_plc", "wisun_fan") for word in ("quiet", "harsh")
    )
    row = next(row for row in table.rows if row[0] == "T2")
    assert row[2:4] == ("40.0 % (40.0 to 44.0)", "20.0 % (20.0 to 44.0)")
    share = float(np.average(area_rows(told.area.n_meters_in)["read_ratio"], weights=told.severities["n_meters"][:9]))
    assert table.foot[2] == f"{100 * share:.1f} %"
    figure = severity_figure(told)
    assert len(figure.data) == 4
    assert len(figure.data[0].x) == N_AREAS


def test_severities_are_summed_over_all_areas(told):
    table = severity_summary(told)
    assert [row[:2] for row in table.rows] == [
        (told.label(name), word) for name in ("g3_plc", "wisun_fan") for word in ("quiet", "harsh")
    ]
    assert [row[2] for row in table.rows] == list(severity_table(told).foot[2:])
    assert table.rows[1][4].startswith("T2: ")
    assert "Meters served" not in table.head
    assert "not meters served" in table.caption
    assert table.head[-1] == "Last of those that are read, longest area"
    assert len({len(table.head), len(table.numeric), *map(len, table.rows)}) == 1


def test_a_fault_is_told_in_a_sentence(told):
    moved, alone = fault_sentences(told)
    assert moved.endswith(
        "area T2 to T3 (20 of 40 meters, over an open point): 19 joined again, half of them after 60 s, the last after "
        "5.0 min; 18 of 20 had been read, half after 12.6 min, the others not within 2.0 h; read by the "
        "deadline before 90.0 %, after 85.0 %."
    )
    assert alone.endswith("repeater lost, area T2: no meter of the area forwards for others.")


def back_at_once(told, **changes):
    """The made faults with the first row told as another one whose meters were all read again and none joined."""
    row = told.faults.iloc[:1].assign(n_joined=0.0, n_back=20.0, back_last_s=900.0, other_id="", **changes)
    return replace(told, faults=row)


def test_reads_that_an_outage_takes_are_told(told):
    out = back_at_once(told, fault="concentrator_out", missed_days=2, detail="48 h without any reading")
    (sentence,) = fault_sentences(out)
    assert "nobody is read meanwhile: up to 40 daily reads miss their deadline (20 meters, 2 days); " in sentence
    assert sentence.endswith("read by the deadline before 90.0 %, in the first collection after it 85.0 %.")
    table = fault_table(out)
    assert table.rows[0][table.head.index("Reads missed meanwhile")] == "40"


def test_who_never_left_had_not_to_join(told):
    lost = back_at_once(told, fault="repeater_lost")
    assert "nobody had to join again; 20 of 20 had been read" in fault_sentences(lost)[0]
    joined = fault_table(lost).head.index("Joined again: half, last")
    assert fault_table(lost).rows[0][joined] == "nobody had to"
    gone = replace(lost, faults=lost.faults.assign(n_back=0.0))
    assert fault_table(gone).rows[0][joined] == "0"
    assert "nobody had to join" not in fault_sentences(gone)[0]


def test_both_sections_say_first_how_few_draws_they_rest_on(told):
    assert "This comparison rests on 4 replications only ([severities] replications)" in severity_draws(told)
    assert "Shares before and after rest on 4 replications only ([faults] replications)" in fault_draws(told)
    one = replace(told, severities=told.severities.assign(replications=1), faults=told.faults.assign(replications=1))
    assert "rests on 1 replication only" in severity_draws(one)
    assert "rest on 1 replication only" in fault_draws(one)


@pytest.mark.parametrize(
    ("services", "told_as"),
    [
        (("register", "profile_60min", "on_demand"), "until the day profile of the last meter"),
        (("on_demand",), "takes to answer a request"),
        (("register", "on_demand"), "has told all it is asked for"),
    ],
)
def test_the_time_of_an_area_ends_with_what_is_read(told, services, told_as):
    first = replace(told.results[0], deliveries=replace(told.results[0].deliveries, services=services))
    assert told_as in last_read(replace(told, results=(first,)))


def test_the_table_of_faults_has_one_shape(told):
    table = fault_table(told)
    assert len({len(table.head), len(table.numeric), *map(len, table.rows)}) == 1
    assert table.rows[0][-2:] == ("18: 12.6 min, not all", "M00001, M00002")
    assert table.rows[1][-4:] == ("–", "–", "–", "–")


def test_a_study_without_power_lines_or_faults_has_no_such_sections(study):
    plain = replace(study, results=tuple(replace(one, areas=None) for one in study.results))
    assert area_sections(plain) == []
    assert severity_table(plain) is None
    assert severity_summary(plain) is None
    assert fault_table(plain) is None
    html = render_report(plain)
    assert 'id="areas"' not in html
    assert 'id="faults"' not in html


def test_the_report_shows_them_without_words_of_the_machine(told):
    html = render_report(told)
    for word in ('id="areas"', 'id="severities"', 'id="faults"', 'class="sortable"', "12.6 min", "M00007"):
        assert word in html
    assert severity_draws(told) in html
    assert fault_draws(told) in html
    assert not re.search(r"\b(NaN|None|nan|inf)\b", re.sub(r"<script.*?</script>", "", html, flags=re.S))


def test_the_result_folder_holds_them(told, tmp_path):
    write_results(told, tmp_path / "result")
    areas = pd.read_csv(tmp_path / "result" / "areas.csv", keep_default_na=False)
    assert list(areas.columns) == list(AREA_COLUMNS)
    assert areas["n_meters"].sum() == told.area.n_meters_in
    assert len(pd.read_csv(tmp_path / "result" / "severities.csv")) == len(told.severities)
    assert pd.read_csv(tmp_path / "result" / "faults.csv")["not_back"].iloc[0] == "M00001 M00002"
    layer = gpd.read_file(tmp_path / "result" / "study.gpkg", layer="transformer_areas")
    row = layer.set_index("transformer_id").loc["T2"]
    assert row["low_g3_plc"] == pytest.approx(0.36)
    assert (row["repeater_g3_plc"], row["behind_g3_plc"]) == ("M00007", 3.25)
    assert json.loads((tmp_path / "result" / "run.json").read_text())["meters"]["in"] == told.area.n_meters_in


def test_a_run_computes_them(tmp_path):
    made_streets.write_two_streets(tmp_path, 8, 4)
    case = made_streets.two_streets(
        tmp_path,
        {"g3_plc": {}},
        simulation={"replications": 1, "packet_meters": 1},
        severities={"compare": True, "replications": 1, "names": ["quiet", "harsh"]},
        faults={"replications": 1, "watch_h": 0.5, "which": ["feeder_moved", "repeater_lost"]},
    )
    study = run(case, Workers())
    assert study.results[0].areas["n_meters"].sum() == study.area.n_meters_in == 12
    assert list(study.severities["severity"]) == ["quiet", "quiet", "harsh", "harsh"]
    assert set(study.faults["fault"]) == {"feeder_moved", "repeater_lost"}
    moved = study.faults.iloc[0]
    assert (moved["site_id"], moved["other_id"], moved["n_meters"]) == ("T1", "T2", 8)
    assert moved["n_back"] == 8
    assert moved["joined_last_s"] < moved["back_last_s"] < 1800
    assert {"share_of_meters_direct", "time_to_read_an_area_longest"} <= set(study.kpis["kpi"])


def test_a_time_is_said_as_a_planner_says_it():
    assert [clock(value) for value in (0.0, 119.4, 120, 7199, 7200, np.inf, np.nan)] == [
        "0 s",
        "119 s",
        "2.0 min",
        "120.0 min",
        "2.0 h",
        "not all",
        "–",
    ]


def test_rare_waveforms_are_added_up(told):
    result = next(one for one in told.results if one.areas is not None)
    rows = result.areas.assign(mode_mix="A 0.4, B 0.25, C 0.15, D 0.1, E 0.06, F 0.04")
    table = area_sections(replace(told, results=(replace(result, areas=rows),)))[0]["table"]
    assert table.rows[0][8] == "A 40 %, B 25 %, C 15 %, D 10 %, others 10 %"
