"""Made-up cases: a street with meters, transformer and cables, written as users write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
from amiplan.studies.case import Case, case_from
from shapely import LineString

FAST: dict[str, Any] = {
    "simulation": {"replications": 2, "seed": 3},
    "siting": {"replications": 1},
    "faults": {"which": []},
}
X_M, Y_M = 500_000.0, 5_500_000.0


def write_meters(folder: Path, rows: list[str]) -> None:
    (folder / "meters.csv").write_text("meter_id,x,y,bus\n" + "\n".join(rows) + "\n", encoding="utf-8")


def street(n_meters: int, spacing_m: float = 25.0) -> list[str]:
    """Meters along one street; bus b0 is the transformer."""
    return [f"m{number},{X_M + spacing_m * number},{Y_M + 8},b{number}" for number in range(1, n_meters + 1)]


def write_network(folder: Path, n_meters: int, spacing_m: float = 25.0, *, backwards: bool = False) -> None:
    """A transformer at the end of the street, a main cable along it and a service cable to each meter."""
    joints = {f"j{n}": (X_M + spacing_m * n, Y_M) for n in range(1, n_meters + 1)}
    taps = {f"b{n}": (X_M + spacing_m * n, Y_M + 8) for n in range(1, n_meters + 1)}
    buses = {"b0": (X_M, Y_M), **joints, **taps}
    rows = []
    for n in range(1, n_meters + 1):
        before = "b0" if n == 1 else f"j{n - 1}"
        rows.append((f"main{n}", before, f"j{n}", spacing_m / 1000, "NAYY 4x150 SE"))
        rows.append((f"tap{n}", f"j{n}", f"b{n}", 0.008, "NAYY 4x50 SE"))
    places = list(buses.items())
    if backwards:
        rows, places = rows[::-1], places[::-1]
    text = "\n".join(f"{name},{x},{y}" for name, (x, y) in places)
    (folder / "buses.csv").write_text(f"bus,x,y\n{text}\n", encoding="utf-8")
    (folder / "transformers.csv").write_text(
        f"transformer_id,x,y,lv_bus,rated_kva\nT1,{X_M},{Y_M},b0,400\n", encoding="utf-8"
    )
    columns = ["cable_id", "from_bus", "to_bus", "length_km", "cable"]
    lines = gpd.GeoDataFrame(
        [dict(zip(columns, row, strict=True)) for row in rows],
        geometry=[LineString([buses[row[1]], buses[row[2]]]) for row in rows],
        crs="EPSG:32632",
    )
    lines.to_file(folder / "lines.gpkg", layer="lines")


def made_case(folder: Path, technologies: dict[str, Any] | None = None, **sections: Any) -> Case:
    """A case on the files in ``folder``; sections are laid over the fast defaults."""
    layer = {"crs": "EPSG:32632", "x": "x", "y": "y"}
    area: dict[str, Any] = {"name": "made", "crs": "EPSG:32632", "meters": {"path": "meters.csv", **layer}}
    if (folder / "lines.gpkg").is_file():
        area["transformers"] = {"path": "transformers.csv", **layer}
        area["buses"] = {"path": "buses.csv", **layer}
        area["cables"] = {"path": "lines.gpkg"}
    area |= sections.pop("area", {})
    table = {**FAST, "area": area, **sections}
    if technologies is not None:
        table["technologies"] = technologies
    return case_from(table, folder / "case.toml", "0" * 32)


def sums_to_all(rows: Any, n_meters: int) -> bool:
    """Whether served plus reasons equal all meters in, for every technology and service."""
    groups = rows.groupby(["technology", "service"])
    return all(
        int(group["served"].sum()) + int((group["reason"] != "").sum()) == n_meters and len(group) == n_meters
        for _, group in groups
    ) and bool(np.array_equal(rows["served"].to_numpy(bool), (rows["reason"] == "").to_numpy()))
