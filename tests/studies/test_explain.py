import json
from dataclasses import replace

import pandas as pd
import pytest
from amiplan.studies.explain import explanation
from amiplan.studies.export import run_record, write_results
from amiplan.studies.settings import UserError
from amiplan.studies.states import meter_states


@pytest.fixture(scope="module")
def folder(study, tmp_path_factory):
    target = tmp_path_factory.mktemp("explain") / "result"
    write_results(study, target)
    return target


def _meter(study, number, served, **wanted):
    states = meter_states(study, study.results[number])
    chosen = states[(states.served == served) & (states.reason != "data_missing")]
    for column, value in wanted.items():
        chosen = chosen[chosen[column] == value]
    return chosen.iloc[0]


def _part(text, label):
    return text.split(f"\n{label}: ")[1].split("\n\n")[0]


def test_a_green_meter_is_told_with_its_way_and_its_margin(study, folder):
    meter = _meter(study, 0, served=True)
    part = _part(explanation(folder, meter.meter_id), "G3-PLC (CENELEC A)")
    assert part.startswith("green, served for all 2 services")
    assert f"to {meter.server_id}; median link margin {meter.margin_db:.1f} dB to spare" in part
    assert "at least the 95% asked for" in part
    assert "What limits" not in part


def test_a_red_meter_is_told_with_what_limits_the_number_and_the_remedy(study, folder):
    meter = _meter(study, 2, served=False, reason="building")
    part = _part(explanation(folder, meter.meter_id), "LoRaWAN (EU868)")
    assert part.startswith("red, ")
    assert "short of the 95% asked for" in part
    assert "building: the walls around the meter take too much" in part
    assert "a power-line repeater on the way" in part


def test_a_missing_margin_is_told_as_missing(study, folder):
    n_told = 0
    for number, result in enumerate(study.results):
        states = meter_states(study, result)
        weak = states[(states.margin_db < 0) & (states.hops == 0) & (states.reason != "data_missing")]
        for meter in weak.head(1).itertuples():
            part = _part(explanation(folder, meter.meter_id), study.label(study.results[number].technology))
            assert f"No route; its best link misses {-meter.margin_db:.1f} dB" in part
            n_told += 1
    assert n_told


def test_every_technology_and_service_is_told(study, folder):
    text = explanation(folder, study.area.meters.meter_id[0])
    assert all(f"\n{study.label(r.technology)}: " in text for r in study.results)
    assert text.count("daily profile: read by the deadline with") == len(study.results)
    assert study.service_text in text
    assert not text.endswith("\n")


def test_a_meter_that_the_audit_listed_is_told_with_its_code(study, folder):
    listed = study.area.listed.iloc[1]
    text = explanation(folder, listed.id)
    assert f"the audit listed this record as {listed.code}: another row has the same id" in text
    assert "complete the input record" in text


def test_an_unknown_id_is_refused_with_the_nearest_ones(folder):
    with pytest.raises(UserError, match=r"no meter 'M00012x' among 324; the nearest are M00012, "):
        explanation(folder, "M00012x")
    with pytest.raises(UserError, match="ids look like"):
        explanation(folder, "???")


def test_a_folder_without_results_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"no meters\.parquet here"):
        explanation(tmp_path, "M00001")


def test_the_words_are_there_without_the_run_record(study, folder, tmp_path):
    (tmp_path / "meters.parquet").write_bytes((folder / "meters.parquet").read_bytes())
    assert "\ng3_plc: " in explanation(tmp_path, study.area.meters.meter_id[0])


def test_what_was_drawn_or_replaced_is_told_in_words(study, folder, tmp_path):
    meter = study.area.meters.meter_id[0]
    rows = pd.read_parquet(folder / "meters.parquet")
    for flag, words in (
        ("", ["Its record is as given."]),
        (
            "phase",
            ["Inferred, not given: phase it hangs on (drawn anew in each replication of a power line); what follows"],
        ),
        ("unknown_kind+feeder_node", ["it counts as house), feeder node; what follows rests on that"]),
    ):
        rows.assign(data_flag=flag).to_parquet(tmp_path / "meters.parquet")
        text = explanation(tmp_path, meter)
        assert all(word in text for word in words)


def test_how_harsh_the_line_is_stands_in_the_head(study, folder, tmp_path):
    told = "severity harsh, time day: noise and loads as at 10:00"
    record = run_record(replace(study, line_text=told))
    (tmp_path / "run.json").write_text(json.dumps(record), encoding="utf-8")
    (tmp_path / "meters.parquet").write_bytes((folder / "meters.parquet").read_bytes())
    text = explanation(tmp_path, study.area.meters.meter_id[0])
    assert f"\n  Power line: {told}.\n" in text.split("\n\n")[0] + "\n"


def test_without_a_power_line_the_head_says_nothing_of_it(study, folder):
    assert "Power line:" not in explanation(folder, study.area.meters.meter_id[0])


def test_a_read_on_demand_is_told_with_the_time_of_its_answer(study, folder, tmp_path):
    rows = pd.read_parquet(folder / "meters.parquet")
    rows.loc[rows.service == "register_read", "service"] = "on_demand"
    meter = _meter(study, 0, served=True).meter_id
    mine = rows[(rows.meter_id == meter) & (rows.technology == "g3_plc") & (rows.service == "on_demand")].iloc[0]
    rows.to_parquet(tmp_path / "meters.parquet")
    text = explanation(tmp_path, meter)
    assert "on demand: answered in time with " in text
    half = f"half of the answers take at most {mine.latency_p50_s:.1f} s, 95 % at most {mine.latency_p95_s:.1f} s."
    assert half in text
    assert "on_demand" not in text
