"""From case file to result folder on made-up streets: conservation, order, what-if directions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import made_cases as made
import numpy as np
import pytest
from amiplan.studies.case import Case
from amiplan.studies.commands import run_case
from amiplan.studies.run import run
from amiplan.studies.settings import UserError
from amiplan.studies.study import Study
from amiplan.studies.workers import Workers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

FAULTS = ("f1,,,", "f2,0,0,", "f3,5500008,500100,", "f4,900000,5500008,", "m1,500031,5500008,b1", ",500031,5500008,b1")


def study_of(case: Case) -> Study:
    return run(case, Workers())


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("street")
    made.write_meters(folder, made.street(24))
    made.write_network(folder, 24)
    return folder


@pytest.fixture(scope="module")
def study(street: Path) -> Study:
    return study_of(made.made_case(street))


def test_served_and_reasons_add_up_everywhere(study: Study) -> None:
    assert made.sums_to_all(study.meters, 24)
    kpis = study.kpis
    for (_, service), group in kpis[kpis["service"] != ""].groupby(["technology", "service"]):
        served = group.loc[group["kpi"] == "meters_served", "value"].sum()
        reasons = group.loc[group["kpi"].str.startswith("not_served_"), "value"].sum()
        assert served + reasons == 24, service
        assert (group["n"] == 24).all()
    assert (study.tco["n_meters"] == 24).all()
    assert np.allclose(study.cost.groupby("technology", sort=False)["present_value"].sum(), study.tco["tco"])


def test_two_runs_are_equal(street: Path, study: Study) -> None:
    again = study_of(made.made_case(street))
    assert again.meters.drop(columns="geometry").equals(study.meters.drop(columns="geometry"))
    assert again.kpis.equals(study.kpis)
    assert again.cost.equals(study.cost)
    assert again.tiers.equals(study.tiers)


def test_shuffled_rows_give_equal_results(street: Path, study: Study, tmp_path: Path) -> None:
    made.write_meters(tmp_path, made.street(24)[::-1])
    made.write_network(tmp_path, 24, backwards=True)
    again = study_of(made.made_case(tmp_path))
    columns = [
        "technology",
        "service",
        "meter_id",
        "p_read_deadline",
        "served",
        "reason",
        "remedy",
        "hops",
        "margin_db",
    ]
    keys = columns[:3]
    first, second = (one.meters[columns].sort_values(keys).reset_index(drop=True) for one in (study, again))
    assert first.equals(second)


def test_the_packet_tier_carried_bytes(study: Study) -> None:
    rows = study.tiers[study.tiers["technology"] == "g3_plc"]
    assert rows["n_exchanges"].sum() >= 2
    cells = rows.groupby("cell")[["frames_sent", "n_exchanges"]].sum()
    assert (cells["frames_sent"] > cells["n_exchanges"]).all()
    assert set(rows["reads"]) == set(study.results[0].deliveries.services)
    assert (rows["read_packet"] > 0).all()


def test_without_backhaul_nobody_is_served(street: Path) -> None:
    dead = {"availability": 0.0}
    case = made.made_case(street, backhaul={"cellular": dead, "operator": dead})
    study = study_of(case)
    assert not study.meters["served"].any()
    assert (study.meters["reason"] == "backhaul").mean() > 0.5


def test_faulty_rows_are_listed_and_count_as_not_served(street: Path, tmp_path: Path) -> None:
    made.write_network(tmp_path, 24)
    made.write_meters(tmp_path, [*made.street(24), *FAULTS[:4]])
    study = study_of(made.made_case(tmp_path, {"nb_iot": {}, "g3_plc": {}}))
    assert study.area.n_meters_in == 28
    assert made.sums_to_all(study.meters, 28)
    missing = study.meters[study.meters["reason"] == "data_missing"]
    assert set(missing["meter_id"]) == {"f1", "f2", "f3", "f4"}
    assert (missing["remedy"] == "complete_record").all()


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    n_meters=st.integers(12, 30),
    spacing_m=st.floats(10.0, 80.0),
    faults=st.lists(st.sampled_from(FAULTS), max_size=2, unique=True),
)
def test_meters_are_conserved_over_random_areas(
    tmp_path_factory: pytest.TempPathFactory, n_meters: int, spacing_m: float, faults: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("area")
    made.write_meters(folder, [*made.street(n_meters, spacing_m), *faults])
    made.write_network(folder, n_meters, spacing_m)
    study = study_of(made.made_case(folder, simulation={"replications": 1, "tier": "fast"}))
    assert study.area.n_meters_in == n_meters + len(faults)
    assert made.sums_to_all(study.meters, n_meters + len(faults))
    assert (study.tco["n_meters"] == n_meters + len(faults)).all()


def test_a_worse_world_never_serves_more(street: Path, study: Study) -> None:
    scenario = {"name": "worse", "noise_offset_db": 12.0, "enclosure_offset_db": 10.0}
    worse = study_of(made.made_case(street, scenario=scenario))
    better = study.meters.groupby("technology")["p_read_deadline"].mean()
    assert (worse.meters.groupby("technology")["p_read_deadline"].mean() <= better + 1e-6).all()


def test_workers_do_not_change_results(street: Path, study: Study) -> None:
    case = made.made_case(street)
    with Workers(2) as workers:
        two = run(case, workers)
    assert two.kpis.equals(study.kpis)
    assert two.cost.equals(study.cost)


def test_the_tier_can_be_switched_off(street: Path) -> None:
    case = made.made_case(street, {"g3_plc": {}})
    fast = replace(case.settings, simulation=replace(case.settings.simulation, tier="fast"))
    assert study_of(replace(case, settings=fast)).tiers.empty


def test_a_demo_replaces_only_a_folder_that_it_made(street: Path, tmp_path: Path) -> None:
    case = made.made_case(street, {"nb_iot": {}})
    for _ in range(2):
        assert "Report:" in run_case(case, tmp_path / "made", own_demo=True)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("keep")
    with pytest.raises(UserError, match="not made by"):
        run_case(case, tmp_path / "mine", own_demo=True)
    assert (tmp_path / "mine" / "letter.txt").read_text() == "keep"


def test_a_map_without_any_feeder_still_runs(tmp_path: Path) -> None:
    made.write_meters(tmp_path, made.street(6))
    rules = {"max_service_length_m": 1.0}
    study = study_of(made.made_case(tmp_path, {"g3_plc": {}, "nb_iot": {}}, area={"rules": rules}))
    assert made.sums_to_all(study.meters, 6)


@pytest.mark.slow
def test_a_cluster_gives_the_same_results(street: Path, study: Study) -> None:
    distributed = pytest.importorskip("distributed", reason="the extra amiplan[cluster] is not installed")
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
        found = run(made.made_case(street), Workers(scheduler=cluster.scheduler_address))
    assert found.kpis.equals(study.kpis)
    assert found.cost.equals(study.cost)


def test_a_kind_that_is_not_known_is_used_flagged_and_told(tmp_path: Path) -> None:
    kinds = ["Residential", "kiosk", "", "farm"]
    rows = [f"m{n},{made.X_M + 25 * n},{made.Y_M},{kind}" for n, kind in enumerate(kinds)]
    (tmp_path / "meters.csv").write_text("meter_id,x,y,kind\n" + "\n".join(rows) + "\n", encoding="utf-8")
    study = study_of(made.made_case(tmp_path, {"lorawan": {}}))
    flags = dict(zip(study.meters["meter_id"], study.meters["data_flag"], strict=True))
    assert ["kind" in flags[f"m{n}"] for n in range(4)] == [False, True, True, False]
    assert any("'kiosk'" in line for line in study.warnings)
    assert made.sums_to_all(study.meters, 4)
