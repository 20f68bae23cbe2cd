"""Two streets that face each other, each with its own transformer: what can be switched over."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import made_cases as made
from shapely import LineString

X_M, Y_M = made.X_M, made.Y_M


def write_two_streets(folder: Path, n_first: int, n_second: int, *, gap_m: float = 30.0, step_m: float = 25.0) -> None:
    """T1 at the west end with meters m1.., T2 at the east end with meters n1..; their last houses are ``gap_m`` apart.

    With a gap of 0 an open switch lies between them: a line of its own, open at the side of T2.
    """
    last_m = step_m * n_first
    east_m = last_m + (step_m if gap_m == 0 else gap_m) + step_m * n_second
    buses, rows, meters = {}, [], []
    for name, n, at_m, way in (("m", n_first, 0.0, 1), ("n", n_second, east_m, -1)):
        buses[f"{name}0"] = (X_M + at_m, Y_M)
        for k in range(1, n + 1):
            x = X_M + at_m + way * step_m * k
            buses[f"{name}j{k}"], buses[f"{name}b{k}"] = (x, Y_M), (x, Y_M + 8)
            before = f"{name}0" if k == 1 else f"{name}j{k - 1}"
            rows.append((f"{name}main{k}", before, f"{name}j{k}", step_m / 1000, "NAYY 4x150 SE"))
            rows.append((f"{name}tap{k}", f"{name}j{k}", f"{name}b{k}", 0.008, "NAYY 4x50 SE"))
            meters.append(f"{name}{k},{x},{Y_M + 8},{name}b{k}")
    if gap_m == 0:
        rows.append(("between", f"mj{n_first}", f"nj{n_second}", step_m / 1000, "NAYY 4x150 SE"))
    made.write_meters(folder, meters)
    text = "\n".join(f"{name},{x},{y}" for name, (x, y) in buses.items())
    (folder / "buses.csv").write_text(f"bus,x,y\n{text}\n", encoding="utf-8")
    (folder / "transformers.csv").write_text(
        f"transformer_id,x,y,lv_bus,rated_kva\nT1,{X_M},{Y_M},m0,400\nT2,{X_M + east_m},{Y_M},n0,400\n",
        encoding="utf-8",
    )
    (folder / "switches.csv").write_text(
        "bus,element,et,closed\n" + (f"nj{n_second},between,l,false\n" if gap_m == 0 else "mj1,mmain1,l,true\n"),
        encoding="utf-8",
    )
    columns = ["cable_id", "from_bus", "to_bus", "length_km", "cable"]
    lines = gpd.GeoDataFrame(
        [dict(zip(columns, row, strict=True)) for row in rows],
        geometry=[LineString([buses[row[1]], buses[row[2]]]) for row in rows],
        crs="EPSG:32632",
    )
    lines.to_file(folder / "lines.gpkg", layer="lines")


def two_streets(folder: Path, technologies: dict[str, object], **sections: object) -> object:
    """The case on those files."""
    return made.made_case(folder, technologies, area={"switches": {"path": "switches.csv"}}, **sections)
