"""The report opened from the disk in a real browser: the markers must be there, and vanish without WebGL."""

from __future__ import annotations

import os
import shutil
import subprocess
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import rasterio
from amiplan.studies.maps import best_technology_map, technology_map
from amiplan.studies.report import write_report

pytestmark = pytest.mark.slow

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
DRAWN = ("--enable-unsafe-swiftshader", "--use-gl=angle", "--use-angle=swiftshader")
BLIND = ("--disable-3d-apis",)
MAPS = ("best", "g3_plc", "wisun_fan", "lorawan", "nb_iot")
PIXELS_PER_MARKER = 4
"""A marker of 6 px has about 28; streets overlap. The legend alone has fewer than 1,000 altogether."""


@pytest.fixture(scope="module")
def browser():
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None and os.environ.get("CI") == "true":
        pytest.fail("no Chromium found, and in CI the maps must be looked at: install chromium")
    if found is None:
        pytest.skip("no Chromium found: the maps of the report were not looked at")
    return found


@pytest.fixture(scope="module")
def marker_colors(study):
    """Per map: the colours of its meters, and how many meters it draws."""
    figures = {"best": best_technology_map(study, "typical")}
    figures |= {result.technology: technology_map(study, result) for result in study.results}
    told = {name: [t for t in figure.data if isinstance(t.meta, dict)] for name, figure in figures.items()}
    return {name: ([t.marker.color for t in ts], sum(t.meta["n_shown"] for t in ts)) for name, ts in told.items()}


@pytest.fixture(scope="module")
def shots(browser, study, tmp_path_factory):
    """Pictures of every map, keyed by (map, flags)."""
    folder = tmp_path_factory.mktemp("browser")
    report = folder / "report.html"
    write_report(study, report)
    wanted = [(name, flags) for name in MAPS for flags in (DRAWN, BLIND)]
    with ThreadPoolExecutor(2) as pool:
        pictures = pool.map(lambda one: _picture(browser, report, *one), wanted)
        return dict(zip(wanted, pictures, strict=True))


def _picture(browser: str, report: Path, name: str, flags: tuple[str, ...]) -> np.ndarray:
    target = report.with_name(f"{name}{len(flags)}.png")
    profile = report.with_name(f"profile-{name}{len(flags)}")
    command = [
        browser,
        *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run", *flags),
        f"--user-data-dir={profile}",
        f"--screenshot={target}",
        "--window-size=1300,1000",
        "--virtual-time-budget=8000",
        f"{report.as_uri()}#map={name}",
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(target) as picture:
            return picture.read()[:3].astype(int)


def _coloured(picture: np.ndarray, colors: list[str]) -> int:
    """Pixels within 8 steps of one of the colours, in each of red, green and blue."""
    wanted = np.array([[int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in colors])
    near = np.abs(picture[None, :, :, :] - wanted[:, :, None, None]) <= 8
    return int(near.all(axis=1).any(axis=0).sum())


@pytest.mark.parametrize("name", MAPS)
def test_every_map_shows_its_meters(shots, marker_colors, name):
    colors, n_shown = marker_colors[name]
    assert _coloured(shots[name, DRAWN], colors) > PIXELS_PER_MARKER * n_shown


@pytest.mark.parametrize("name", MAPS)
def test_without_webgl_the_markers_are_not_found(shots, marker_colors, name):
    colors, n_shown = marker_colors[name]
    assert _coloured(shots[name, BLIND], colors) < PIXELS_PER_MARKER * n_shown


def test_only_the_wanted_map_is_on_the_page(shots):
    assert all((shots[name, DRAWN] != shots["best", DRAWN]).any() for name in MAPS[1:])
