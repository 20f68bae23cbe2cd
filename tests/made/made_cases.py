"""Made-up cases: a few streets with meters, transformers and cables, written as users write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from amiplan.studies.case import Case, case_from

FAST: dict[str, Any] = {"simulation": {"replications": 2, "seed": 3}, "siting": {"replications": 1}}


def write_meters(folder: Path, rows: list[str]) -> None:
    (folder / "meters.csv").write_text("meter_id,x,y,bus\n" + "\n".join(rows) + "\n", encoding="utf-8")


def street(n_meters: int, spacing_m: float = 25.0) -> list[str]:
    """Meters along one street, node 0 is the transformer."""
    return [f"m{number},{500_000 + spacing_m * number},{5_500_000 + 8},b{number}" for number in range(1, n_meters + 1)]


def write_network(folder: Path, n_meters: int, spacing_m: float = 25.0) -> None:
    buses = ["b0,500000,5500000"]
    lines = []
    for number in range(1, n_meters + 1):
        x = 500_000 + spacing_m * number
        buses += [f"j{number},{x},5500000", f"b{number},{x},5500008"]
        before = "b0" if number == 1 else f"j{number - 1}"
        lines += [
            f"main{number},{before},j{number},{spacing_m / 1000},NAYY 4x150 SE,LINESTRING (0 0, 1 1)",
            f"tap{number},j{number},b{number},0.008,NAYY 4x50 SE,LINESTRING (0 0, 1 1)",
        ]
    (folder / "buses.csv").write_text("bus,x,y\n" + "\n".join(buses) + "\n", encoding="utf-8")
    (folder / "transformers.csv").write_text(
        "transformer_id,x,y,bus,rated_kva\nT1,500000,5500000,b0,400\n", encoding="utf-8"
    )
    (folder / "lines.csv").write_text(
        "line,from_bus,to_bus,length_km,std_type\n" + "\n".join(line.rsplit(",LINESTRING", 1)[0] for line in lines) + "\n",
        encoding="utf-8",
    )


def made_case(folder: Path, technologies: dict[str, Any] | None = None, **sections: Any) -> Case:
    """A case on the CSV files in ``folder``; sections are laid over the fast defaults."""
    layer = {"crs": "EPSG:32632", "x": "x", "y": "y"}
    area: dict[str, Any] = {"name": "made", "crs": "EPSG:32632", "meters": {"path": "meters.csv", **layer}}
    if (folder / "lines.csv").is_file():
        area["transformers"] = {"path": "transformers.csv", **layer}
        area["buses"] = {"path": "buses.csv", **layer}
        area["cables"] = {"path": "lines.csv"}
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
