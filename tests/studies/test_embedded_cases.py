"""The two embedded areas, whole: a dozen key figures each, kept small enough to review.

`pytest tests/studies/test_embedded_cases.py --update-golden` rewrites them; the changelog says how far they moved.
"""

from __future__ import annotations

import filecmp
import json
import tomllib
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import geopandas as gpd
import made_cases as made
import pandas as pd
import pyogrio
import pytest
from amiplan.studies.case import Case, embedded_cases, read_case
from amiplan.studies.cli import main
from amiplan.studies.commands import run_case
from amiplan.studies.export import write_results
from amiplan.studies.run import run
from amiplan.studies.settings import UserError
from amiplan.studies.states import meter_states
from amiplan.studies.study import Study
from amiplan.studies.summary import main_reason
from amiplan.studies.workers import Workers

pytestmark = pytest.mark.slow
GOLDEN = Path(__file__).resolve().parents[1] / "golden"
AREAS = ("north_bayreuth", "schutterwald")
TOLERANCE = {"served": 0.01, "eac": 0.01, "sites": 0.0, "meters": 0.0}
"""Relative tolerance by the last word of a figure's name."""


@cache
def study_of(area: str) -> Study:
    return run(read_case(embedded_cases()[area]), Workers(2))


def figures(study: Study) -> dict[str, Any]:
    """The golden figures of a study."""
    kept: dict[str, Any] = {"meters": study.area.n_meters_in}
    for row, result in zip(study.tco.to_dict("records"), study.results, strict=True):
        name = row["technology"]
        kept[f"{name}_served"] = int(row["n_served"])
        kept[f"{name}_sites"] = int(result.plan.built.sum())
        kept[f"{name}_eac"] = round(float(row["eac_per_meter"]), 2)
        kept[f"{name}_reason"] = main_reason(meter_states(study, result)).split(" ")[0]
    return kept


@pytest.mark.parametrize("area", AREAS)
def test_key_figures_have_not_moved(area: str, update_golden: bool) -> None:
    found, path = figures(study_of(area)), GOLDEN / f"{area}.toml"
    if update_golden:
        lines = [f"{name} = {json.dumps(value)}" for name, value in found.items()]
        path.write_text(f"# Key figures of the embedded case {area}.\n" + "\n".join(lines) + "\n", encoding="utf-8")
    expected = tomllib.loads(path.read_text(encoding="utf-8"))
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        if isinstance(value, str):
            assert found[name] == value, name
        else:
            assert found[name] == pytest.approx(value, rel=TOLERANCE[name.rsplit("_", 1)[-1]]), name


@pytest.mark.parametrize("area", AREAS)
def test_meters_are_conserved(area: str) -> None:
    study = study_of(area)
    assert made.sums_to_all(study.meters, study.area.n_meters_in)
    assert (study.kpis["n"] == study.area.n_meters_in).all()
    assert (study.tco["n_meters"] == study.area.n_meters_in).all()


def cheapest(study: Study) -> str:
    """The technology with the lowest cost at equal service."""
    return str(study.tco.set_index("technology")["eac_per_meter"].idxmin())


def test_the_mesh_is_cheapest_in_both_and_pays_rent_in_the_countryside_only() -> None:
    """Collectors stand on the village's own substations, in the countryside on rented roofs and towers."""
    north, village = (study_of(area) for area in AREAS)
    assert cheapest(north) == cheapest(village) == "wisun_fan"
    rent = {
        study.case_name: study.cost.query("technology == 'wisun_fan' and item_id == 'rent_roof_commercial'")
        for study in (north, village)
    }
    assert not len(rent["schutterwald"])
    assert rent["north_bayreuth"]["amount"].abs().sum() > 0


def test_tiers_agree_on_the_same_draws() -> None:
    tiers = study_of("schutterwald").tiers
    assert len(tiers) >= 1
    assert tiers["difference"].abs().max() <= 0.05


@pytest.mark.parametrize("area", ["schutterwald"])
def test_a_second_run_writes_equal_bytes(area: str, tmp_path: Path) -> None:
    case = quick(read_case(embedded_cases()[area]), replications=4, tier="sample")
    run_case(case, tmp_path / "a", workers=1)
    write_results(run(case, Workers(2)), tmp_path / "b")
    for name in ("run.json", "kpis.csv", "cost.csv", "meters.parquet", "powerline.parquet", "report.html"):
        assert filecmp.cmp(tmp_path / "a" / name, tmp_path / "b" / name, shallow=False), name
    for layer, _ in pyogrio.list_layers(tmp_path / "a" / "study.gpkg"):
        first, second = (pyogrio.read_dataframe(tmp_path / one / "study.gpkg", layer=layer) for one in ("a", "b"))
        assert first.drop(columns="geometry", errors="ignore").equals(second.drop(columns="geometry", errors="ignore"))


def test_a_demo_replaces_only_a_folder_that_it_made(tmp_path: Path) -> None:
    case = quick(read_case(embedded_cases()["schutterwald"]))
    for _ in range(2):
        assert "Report:" in run_case(case, tmp_path / "made", own_demo=True)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("keep")
    with pytest.raises(UserError, match="not made by"):
        run_case(case, tmp_path / "mine", own_demo=True)
    assert (tmp_path / "mine" / "letter.txt").read_text() == "keep"


def test_the_result_folder_keeps_its_contract(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = quick(read_case(embedded_cases()["schutterwald"]))
    run_case(case, tmp_path / "r")
    capsys.readouterr()
    meters = gpd.read_parquet(tmp_path / "r" / "meters.parquet")
    n = len(case.technologies) * len(case.settings.service.services) * 1506
    assert len(meters) == n
    kpis = pd.read_csv(tmp_path / "r" / "kpis.csv")
    assert list(kpis.columns) == ["scenario", "technology", "service", "kpi", "value", "low", "high", "unit", "n"]
    record = json.loads((tmp_path / "r" / "run.json").read_text())
    assert record["version"]
    assert record["seed"] == 1
    assert main(["explain", str(tmp_path / "r"), str(meters["meter_id"].iloc[0])]) == 0
    shown = capsys.readouterr().out
    for technology in case.technologies:
        assert technology.label in shown


def quick(case: Case, replications: int = 2, tier: str = "fast") -> Case:
    """The case with few replications, in the fast tier unless told."""
    simulation = replace(case.settings.simulation, replications=replications, tier=tier)
    return replace(case, settings=replace(case.settings, simulation=simulation))
