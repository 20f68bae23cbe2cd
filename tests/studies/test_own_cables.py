"""The user's own cable types: from the case file to the physics and to the report's assumptions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import made_cases as made
import numpy as np
import pytest
from amiplan.channels.cable import Cable
from amiplan.channels.paths import CUSTOMER_CLASSES
from amiplan.channels.powerline.cables import CABLES, propagation
from amiplan.gis.kinds import KINDS
from amiplan.planner.links import links_of
from amiplan.studies.assemble import area_of
from amiplan.studies.cables import own_cables

TOLD = {"frequency_hz": 91e3, "r_ohm_per_km": 14.0, "l_mh_per_km": 0.25, "c_nf_per_km": 200, "g_ms_per_km": 9.0}
AERIAL = {
    "geometry": "two_wire",
    "radius_mm": 4.9,
    "spacing_mm": 12.6,
    "area_mm2": 70,
    "resistivity_ohm_m": 2.82e-8,
    "permittivity": 2.0,
    "loss_tangent": 0.001,
}
F = np.array([40e3, 90e3])


def own(**tables: Any) -> dict[str, Cable]:
    return {name: cable for name, (_, cable) in own_cables(tables, "case.toml").items()}


def test_a_geometry_is_the_cable_it_describes() -> None:
    sector = CABLES["NAYY 4x150"]
    keys = {"geometry": "sector", "radius_mm": sector.first_mm, "gap_mm": sector.second_mm, "area_mm2": 150}
    cable = own(X=keys | {"resistivity_ohm_m": sector.resistivity_ohm_m})["X"]
    for mode in (0, 1):
        np.testing.assert_array_equal(propagation(cable, F, mode), propagation(sector, F, mode))
    screened = CABLES["NYCY 70/35"]
    keys = {"geometry": "coaxial", "inner_radius_mm": 7.048, "outer_radius_mm": 8.448, "area_mm2": 70}
    cable = own(X=keys | {"resistivity_ohm_m": screened.resistivity_ohm_m})["X"]
    np.testing.assert_array_equal(propagation(cable, F), propagation(screened, F))


def test_ratios_and_phases_are_the_users_or_those_of_the_geometry() -> None:
    cables = own(
        A=AERIAL, B=TOLD, C=AERIAL | {"zero_inductance_ratio": 3.0, "n_phases": 1}, D=TOLD | {"frequency_hz": []}
    )
    assert cables["A"].zero_inductance_ratio == 2.5
    assert cables["B"].zero_inductance_ratio == pytest.approx(2.6875)
    assert (cables["C"].zero_inductance_ratio, cables["C"].n_phases) == (3.0, 1)
    gamma, _ = propagation(cables["D"], F)
    assert gamma.real[0] != gamma.real[1]
    assert cables["D"].constants is not None
    assert cables["D"].constants.frequency_hz == ()


def test_lists_against_frequency() -> None:
    told = {"frequency_hz": [40e3, 90e3], "r_ohm_per_km": [9, 14], "l_mh_per_km": [0.26, 0.25]}
    cable = own(X=told | {"c_nf_per_km": [220, 200.0], "g_ms_per_km": [5, 9]})["X"]
    assert cable.constants is not None
    assert cable.constants.r_ohm_per_km == (9.0, 14.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made.write_meters(tmp_path, made.street(6))
    made.write_network(tmp_path, 6)
    return tmp_path


def test_an_own_type_replaces_a_built_in_one_on_its_way_to_the_physics(folder: Path) -> None:
    case = made.made_case(folder, {"g3_plc": {}}, cables={"NAYY 4x50": TOLD})
    area, candidates = area_of(case)
    paths = links_of(case.technologies[0], area, candidates, cables=case.settings.cables).paths
    assert [cable.geometry for cable in paths.cables] == ["sector", "constants"]
    assert paths.cables[1] is case.settings.cables[0]
    plain = links_of(case.technologies[0], area, candidates).paths
    assert plain.cables == (CABLES["NAYY 4x150"], CABLES["NAYY 4x50"])


def test_own_types_stand_among_the_assumptions(folder: Path) -> None:
    case = made.made_case(folder, {"g3_plc": {}}, cables={"NFA2X 4x70": AERIAL})
    rows = {row["name"]: row for row in case.assumptions() if row["group"] == "cables.NFA2X 4x70"}
    assert rows["spacing_mm"]["value"] == "12.6"
    assert rows["spacing_mm"]["origin"] == "user"
    assert "gap_mm" not in rows
    assert rows["zero_inductance_ratio"]["value"] == "2.5"
    assert (rows["zero_inductance_ratio"]["confidence"], rows["zero_inductance_ratio"]["origin"]) == ("C", "default")


def test_the_class_of_a_customer_is_the_kind_of_the_meter_table(folder: Path) -> None:
    assert CUSTOMER_CLASSES == KINDS
    text = (folder / "meters.csv").read_text().splitlines()
    kinds = ["kind", "house", "shop", "farm", "school", "factory", "other"]
    (folder / "meters.csv").write_text("\n".join(f"{a},{b}" for a, b in zip(text, kinds, strict=True)))
    case = made.made_case(folder, {"g3_plc": {}})
    area, candidates = area_of(case)
    paths = links_of(case.technologies[0], area, candidates).paths
    names = [CUSTOMER_CLASSES[row] for row in paths.meter_class]
    found = dict(zip(area.meters["meter_id"], names, strict=True))
    meant = ["house", "commercial", "farm", "public", "industrial", "other"]
    assert found == {f"m{n}": kind for n, kind in enumerate(meant, 1)}


def test_a_meter_on_no_feeder_is_kept_counted_and_has_no_link(folder: Path) -> None:
    text = (folder / "meters.csv").read_text()
    (folder / "meters.csv").write_text(text + f"far,{made.X_M + 400},{made.Y_M + 300},\nbad,,,\n")
    case = made.made_case(folder, {"g3_plc": {}})
    area, candidates = area_of(case)
    assert area.n_meters_in == 8 == area.n_meters + (area.listed["layer"] == "meters").sum()
    far = area.meters["meter_id"].tolist().index("far")
    assert area.meters["feeder_node"].iloc[far] == -1
    assert any("1 of 7 meters hang on no transformer" in note for note in area.notes)
    paths = links_of(case.technologies[0], area, candidates).paths
    assert paths.n_meters == 7
    assert far not in {*paths.from_node.tolist(), *paths.to_node.tolist()}


def test_the_phase_of_a_meter_is_the_one_that_the_map_tells(folder: Path) -> None:
    text = (folder / "meters.csv").read_text().splitlines()
    phases = ["phase", "A", "l2", "T", "ABC", "", "3"]
    (folder / "meters.csv").write_text("\n".join(f"{a},{b}" for a, b in zip(text, phases, strict=True)))
    case = made.made_case(folder, {"g3_plc": {}})
    area, candidates = area_of(case)
    paths = links_of(case.technologies[0], area, candidates).paths
    found = dict(zip(area.meters["meter_id"], paths.meter_phase.tolist(), strict=True))
    assert found == {"m1": 0, "m2": 1, "m3": 2, "m4": -1, "m5": -1}
    assert area.listed.loc[area.listed["layer"] == "meters", "code"].tolist() == ["bad_value"]
