"""The embedded village, Schutterwald, as the tutorial has it run: key figures, equal bytes, the result folder.

The tutorial's run has fewer replications here; `pytest tests/studies -k village --update-golden` rewrites its figures,
with `-m verification` those of the whole case.
"""

from __future__ import annotations

import contextlib
import filecmp
import io
import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import made_embedded as embedded
import pandas as pd
import pyogrio
import pytest
from amiplan.studies.case import Case, embedded_cases, read_case
from amiplan.studies.cli import main
from amiplan.studies.commands import run_case
from amiplan.studies.export import write_results
from amiplan.studies.run import run
from amiplan.studies.study import Study
from amiplan.studies.workers import Workers

AREA = "schutterwald"
TUTORIAL = Path(__file__).resolve().parents[2] / "docs" / "tutorial-coverage.md"


@dataclass(frozen=True)
class Typed:
    """What came of typing the tutorial: words on the screen, and the study behind the demo."""

    shown: str
    study: Study


@pytest.fixture(scope="module")
def tutorial(tmp_path_factory: pytest.TempPathFactory) -> Typed:
    """Every command of the tutorial as printed, in an empty folder; the village is run there once for all tests.

    Only the replications are fewer than shipped.
    """
    blocks = re.findall(r"```sh\n(.*?)```", TUTORIAL.read_text(encoding="utf-8"), re.DOTALL)
    typed = [line for block in blocks for line in block.splitlines() if line.startswith("amiplan ")]
    assert len(typed) >= 7
    studies, shown = [], io.StringIO()

    def kept(case: Case, *given: Any, **named: Any) -> Study:
        studies.append(run(embedded.fewer(case), *given, **named))
        return studies[-1]

    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(shown):
        patch.chdir(tmp_path_factory.mktemp("tutorial"))
        patch.setattr("amiplan.studies.run.run", kept)
        for line in typed:
            assert main(shlex.split(line, comments=True)[1:]) == 0, line
    (study,) = studies
    return Typed(shown.getvalue(), study)


@pytest.mark.slow
def test_the_tutorial_runs_as_printed(tutorial: Typed) -> None:
    assert tutorial.study.case_name == AREA
    assert "Report:" in tutorial.shown


@pytest.mark.slow
def test_key_figures_have_not_moved(tutorial: Typed, update_golden: bool) -> None:
    embedded.check_key_figures(tutorial.study, f"{AREA}_{embedded.FEWER}_replications", update_golden)


@pytest.mark.slow
def test_meters_are_conserved(tutorial: Typed) -> None:
    embedded.check_conservation(tutorial.study)


@pytest.mark.slow
def test_the_mesh_stands_on_the_substations_of_the_utility(tutorial: Typed) -> None:
    assert embedded.roof_rent(tutorial.study, "wisun_fan") == 0


@pytest.mark.slow
def test_tiers_agree_on_the_same_draws(tutorial: Typed) -> None:
    tiers = tutorial.study.tiers
    assert len(tiers) >= 1
    assert tiers["difference"].abs().max() <= 0.05


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of two replications of the village, in one process."""
    into = tmp_path_factory.mktemp("village") / "a"
    run_case(embedded.quick(AREA, tier="sample"), into, workers=1)
    return into


@pytest.mark.slow
def test_a_second_run_writes_equal_bytes(folder: Path, tmp_path: Path) -> None:
    with Workers(2) as workers:
        write_results(run(embedded.quick(AREA, tier="sample"), workers), tmp_path / "b")
    for name in ("run.json", "kpis.csv", "cost.csv", "meters.parquet", "powerline.parquet", "report.html"):
        assert filecmp.cmp(folder / name, tmp_path / "b" / name, shallow=False), name
    for layer, _ in pyogrio.list_layers(folder / "study.gpkg"):
        first, second = (pyogrio.read_dataframe(one / "study.gpkg", layer=layer) for one in (folder, tmp_path / "b"))
        assert first.drop(columns="geometry", errors="ignore").equals(second.drop(columns="geometry", errors="ignore"))


@pytest.mark.slow
def test_the_result_folder_keeps_its_contract(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = embedded.quick(AREA)
    meters = gpd.read_parquet(folder / "meters.parquet")
    n = len(case.technologies) * len(case.settings.service.services) * 1506
    assert len(meters) == n
    kpis = pd.read_csv(folder / "kpis.csv")
    assert list(kpis.columns) == ["scenario", "technology", "service", "kpi", "value", "low", "high", "unit", "n"]
    record = json.loads((folder / "run.json").read_text())
    assert record["version"]
    assert record["seed"] == 1
    assert main(["explain", str(folder), str(meters["meter_id"].iloc[0])]) == 0
    shown = capsys.readouterr().out
    for technology in case.technologies:
        assert technology.label in shown


@pytest.mark.verification
def test_key_figures_of_the_whole_case_have_not_moved(update_golden: bool) -> None:
    with Workers(2) as workers:
        whole = run(read_case(embedded_cases()[AREA]), workers)
    embedded.check_key_figures(whole, AREA, update_golden)
    embedded.check_conservation(whole)
    # with few replications many more meters miss 95 %, and what mends them decides who is cheapest
    assert embedded.cheapest(whole) == "wisun_fan"
