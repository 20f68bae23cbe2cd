"""The embedded village, Schutterwald, whole: a dozen key figures, equal bytes in every run, the result folder."""

from __future__ import annotations

import filecmp
import json
from pathlib import Path

import geopandas as gpd
import made_embedded as embedded
import pandas as pd
import pyogrio
import pytest
from amiplan.studies.cli import main
from amiplan.studies.commands import run_case
from amiplan.studies.export import write_results
from amiplan.studies.run import run
from amiplan.studies.workers import Workers

pytestmark = pytest.mark.slow
AREA = "schutterwald"


def test_key_figures_have_not_moved(update_golden: bool) -> None:
    embedded.check_key_figures(AREA, update_golden)


def test_meters_are_conserved() -> None:
    embedded.check_conservation(AREA)


def test_the_mesh_is_cheapest_on_the_substations_of_the_utility() -> None:
    study = embedded.study_of(AREA)
    assert embedded.cheapest(study) == "wisun_fan"
    assert embedded.roof_rent(study, "wisun_fan") == 0


def test_tiers_agree_on_the_same_draws() -> None:
    tiers = embedded.study_of(AREA).tiers
    assert len(tiers) >= 1
    assert tiers["difference"].abs().max() <= 0.05


def test_a_second_run_writes_equal_bytes(tmp_path: Path) -> None:
    case = embedded.quick(AREA, replications=4, tier="sample")
    run_case(case, tmp_path / "a", workers=1)
    write_results(run(case, Workers(2)), tmp_path / "b")
    for name in ("run.json", "kpis.csv", "cost.csv", "meters.parquet", "powerline.parquet", "report.html"):
        assert filecmp.cmp(tmp_path / "a" / name, tmp_path / "b" / name, shallow=False), name
    for layer, _ in pyogrio.list_layers(tmp_path / "a" / "study.gpkg"):
        first, second = (pyogrio.read_dataframe(tmp_path / one / "study.gpkg", layer=layer) for one in ("a", "b"))
        assert first.drop(columns="geometry", errors="ignore").equals(second.drop(columns="geometry", errors="ignore"))


def test_the_result_folder_keeps_its_contract(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = embedded.quick(AREA)
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
