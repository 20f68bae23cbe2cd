"""The wheel that a user installs holds every package, the data and the templates, and its command works."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import subprocess
import sys
import zipfile
from pathlib import Path

import amiplan
import pytest

ROOT = Path(__file__).resolve().parents[1]


def module_names() -> list[str]:
    rooms = ("channels", "gis", "meters", "planner", "studies")
    return [
        one.name
        for room in rooms
        for one in pkgutil.walk_packages([str(ROOT / room)], f"amiplan.{room}.")
        if not one.ispkg
    ]


@pytest.mark.parametrize("name", module_names())
def test_examples_in_docstrings_hold(name: str) -> None:
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0


def test_the_version_is_told_once() -> None:
    assert f'version = "{amiplan.__version__}"' in (ROOT / "pyproject.toml").read_text()


@pytest.mark.slow
def test_the_wheel_installs_and_runs(tmp_path: Path) -> None:
    dist, site = tmp_path / "dist", tmp_path / "site"
    source = tmp_path / "source"
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    for name in tracked.split("\0"):
        if name and (ROOT / name).is_file() and not name.startswith((".typing", "tests")):
            target = source / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((ROOT / name).read_bytes())
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(dist), str(source)], check=True)
    [wheel] = dist.glob("amiplan-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for needed in (
        "amiplan/py.typed",
        "amiplan/gis/data/north_bayreuth.gpkg",
        "amiplan/planner/data/cost_catalogue.csv",
        "amiplan/studies/templates/case.toml",
        "amiplan/studies/templates/report.html",
        "amiplan/studies/catalogue/schutterwald/case.toml",
    ):
        assert needed in names
    assert not [name for name in names if name.startswith(("amiplan/tests", "amiplan/benchmarks", "amiplan/docs"))]
    subprocess.run([*pip, "install", "--no-deps", "--target", str(site), str(wheel)], check=True)
    code = "from amiplan.studies.cli import main; import sys; sys.exit(main(['technologies']))"
    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(site)}, capture_output=True, text=True
    )
    assert shown.returncode == 0, shown.stderr
    assert "g3_plc" in shown.stdout
    assert "lorawan" in shown.stdout
