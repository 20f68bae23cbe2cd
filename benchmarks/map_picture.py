"""A picture of one map of a report, as the README shows it: ``python -m benchmarks.map_picture RESULT MAP TARGET.png``.

MAP is the part of the address after ``#map=``, such as ``wisun_fan`` or ``g3_plc&view=largest-settlement``. A Chromium
must be installed. ``docs/img/map.png`` is made by

    amiplan demo -o result
    python -m benchmarks.map_picture result wisun_fan docs/img/map.png
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
    "--enable-unsafe-swiftshader", "--use-gl=angle", "--use-angle=swiftshader", "--virtual-time-budget=12000",
)  # fmt: skip
SIZE = (1240, 940)
"""Window of the browser [px], some of which goes to its own frame."""


def map_picture(result: Path, name: str, target: Path, size: tuple[int, int] = SIZE) -> None:
    """Draw one map of ``result/report.html`` in a headless browser and save it, without the blank below it, as PNG.

    Raises FileNotFoundError where no Chromium or no report is found.
    """
    browser = next((path for one in NAMES if (path := shutil.which(one))), None)
    report = result.resolve() / "report.html"
    if browser is None or not report.is_file():
        raise FileNotFoundError(f"{report if browser else 'Chromium'} is not there: make the demo, install Chromium")
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder) / "shot.png"
        command = [
            browser, *FLAGS, f"--user-data-dir={folder}/profile", f"--screenshot={shot}",
            f"--window-size={size[0]},{size[1]}", f"{report.as_uri()}#map={name}&bare",
        ]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True, timeout=180)
        _save_trimmed(shot, target)


def _save_trimmed(shot: Path, target: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(shot) as source:
            picture = source.read()[:3]
        rows = np.flatnonzero((picture != picture[:, -1:, -1:]).any(axis=(0, 2)))
        picture = picture[:, : rows.max() + 12]
        shape = {"count": 3, "height": picture.shape[1], "width": picture.shape[2]}
        with rasterio.open(target, "w", driver="PNG", dtype="uint8", ZLEVEL=9, **shape) as output:
            output.write(picture)
    target.with_name(f"{target.name}.aux.xml").unlink(missing_ok=True)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("give a result folder, the name of a map and the picture to write")
    map_picture(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
