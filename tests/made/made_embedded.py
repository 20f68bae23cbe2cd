"""What the golden files keep of the embedded areas."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import made_cases as made
import pytest
from amiplan.studies.case import Case, embedded_cases, read_case
from amiplan.studies.states import meter_states
from amiplan.studies.study import Study
from amiplan.studies.summary import main_reason

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
TOLERANCE = {"served": 0.01, "eac": 0.01, "sites": 0.0, "meters": 0.0}
"""Relative tolerance by the last word of a figure's name."""


FEWER = 15
"""Replications of the shipped cases in `make test`; all of them run in `make verify`, each against its own file."""


def fewer(case: Case, replications: int = FEWER) -> Case:
    """The same case with few replications, one where severities are compared, and cures guessed instead of computed."""
    settings = case.settings
    return replace(
        case,
        settings=replace(
            settings,
            simulation=replace(settings.simulation, replications=replications),
            severities=replace(settings.severities, replications=1),
            remedies=replace(settings.remedies, compute=False),
        ),
    )


def quick(area: str, replications: int = 2, tier: str = "fast") -> Case:
    """A shipped case with very few replications and one fault, in the fast tier unless told."""
    case = fewer(read_case(embedded_cases()[area]), replications)
    simulation = replace(case.settings.simulation, tier=tier)
    faults = replace(case.settings.faults, which=("feeder_moved",))
    return replace(case, settings=replace(case.settings, simulation=simulation, faults=faults))


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


def check_key_figures(study: Study, name: str, update: bool) -> None:
    """Hold the figures of a study against its golden file, or rewrite the file."""
    found, path = figures(study), GOLDEN / f"{name}.toml"
    if update:
        lines = [f"{key} = {json.dumps(value)}" for key, value in found.items()]
        head = f"# Key figures of the embedded case {name}.\n"
        path.write_text(head + "\n".join(lines) + "\n", encoding="utf-8")
    expected = tomllib.loads(path.read_text(encoding="utf-8"))
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        if isinstance(value, str):
            assert found[key] == value, key
        else:
            assert found[key] == pytest.approx(value, rel=TOLERANCE[key.rsplit("_", 1)[-1]]), key


def check_conservation(study: Study) -> None:
    """Every meter of the map is in every table."""
    assert made.sums_to_all(study.meters, study.area.n_meters_in)
    assert (study.kpis["n"] == study.area.n_meters_in).all()
    assert (study.tco["n_meters"] == study.area.n_meters_in).all()


def cheapest(study: Study) -> str:
    """The technology with the lowest cost at equal service."""
    return str(study.tco.set_index("technology")["eac_per_meter"].idxmin())


def roof_rent(study: Study, technology: str) -> float:
    """What a technology pays for commercial roofs over the years, undiscounted."""
    items = study.cost.query("technology == @technology and item_id == 'rent_roof_commercial'")
    return float(items["amount"].abs().sum())
