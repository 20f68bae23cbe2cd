import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from amiplan.gis.assemble import build_area
from amiplan.gis.inputs import AreaInputs, InferenceRules, LayerInput
from amiplan.gis.sites import assumed_cells, mapped_substations, thinned
from hypothesis import given, settings
from hypothesis import strategies as st

CRS = "EPSG:32632"
X, Y = 500000.0, 5540000.0


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 60), st.floats(1.0, 60.0))
def test_thinning_equals_the_greedy_loop(seed, n, spacing_m):
    draws = np.random.default_rng(seed)
    x, y, priority = draws.uniform(0, 100, n), draws.uniform(0, 100, n), draws.permutation(n)
    kept = []
    for row in np.argsort(priority):
        if all(np.hypot(x[row] - x[other], y[row] - y[other]) >= spacing_m for other in kept):
            kept.append(row)
    assert np.flatnonzero(thinned(x, y, priority, spacing_m)).tolist() == sorted(kept)


def made(tmp_path, candidates=None, **layers):
    table = pd.DataFrame({"meter_id": ["a", "b"], "x": [X, X + 300], "y": [Y, Y]})
    table.to_csv(tmp_path / "m.csv", index=False)
    inputs = {"crs": CRS, "meters": LayerInput("m.csv", crs=CRS)}
    for role, (points, columns) in layers.items():
        shapes = [shapely.Point(X + a, Y + b) for a, b in points]
        gpd.GeoDataFrame(columns, geometry=shapes, crs=CRS).to_file(tmp_path / f"{role}.gpkg")
        inputs[role] = LayerInput(f"{role}.gpkg")
    return build_area(AreaInputs("s", rules=InferenceRules(candidate_spacing_m=50.0), **inputs), tmp_path)


def test_mapped_things_become_sites_with_heights_by_kind(tmp_path):
    power = {"power": ["pole", "tower", "substation", "generator"]}
    masts = {"man_made": ["mast", "tower", "tower"], "tower_type": ["", "communication", "bell_tower"]}
    _, candidates = made(
        tmp_path,
        power=([(0, 200), (200, 200), (400, 200), (600, 200)], power),
        masts=([(0, 400), (200, 400), (400, 400)], {**masts, "height_m": [40.0, np.nan, 60.0]}),
    )
    sites = candidates.sites[candidates.sites["y_m"] > Y + 100].sort_values(["y_m", "x_m"])
    assert sites["kind"].tolist() == ["pole", "tower", "substation", "mast", "mast"]
    assert sites["height_m"].tolist() == [8.0, 20.0, 5.0, 40.0, 25.0]
    assert sites["owner"].tolist() == ["own", "third_party", "own", "third_party", "third_party"]
    assert sites["data_flag"].tolist() == ["inferred", "inferred", "inferred", "", "inferred"]
    keys = candidates.sites["key"].to_numpy()
    assert (keys[1:] > keys[:-1]).all()


def test_given_candidates_with_feet_and_missing_heights(tmp_path):
    columns = {
        "site_id": ["p", "q"],
        "kind": ["pole", "mast"],
        "height_ft": [30.0, np.nan],
        "owner": ["own", "third_party"],
    }
    _, candidates = made(tmp_path, candidate_sites=([(0, 10), (20, 10)], columns))
    sites = candidates.sites.set_index("site_id")
    assert sites.loc["p", "height_m"] == pytest.approx(9.144)
    assert sites.loc["q", ["height_m", "data_flag"]].tolist() == [25.0, "inferred"]
    with pytest.raises(ValueError, match='kind "kite" is not known'):
        made(tmp_path, candidate_sites=([(0, 10)], {"site_id": ["p"], "kind": ["kite"]}))


def test_cells_are_given_or_assumed_and_said(tmp_path):
    area, candidates = made(tmp_path, operator_cells=([(0, 3000)], {"cell_id": ["c"], "height_m": [44.0]}))
    assert candidates.cells[["site_id", "height_m", "data_flag"]].to_numpy().tolist() == [["c", 44.0, ""]]
    area, candidates = made(tmp_path)
    assert set(candidates.cells["data_flag"]) == {"assumed"}
    assert any("are assumed" in note for note in area.notes)
    assert any("assumed, not known" in note for note in candidates.notes)


def test_the_hexagonal_grid_has_its_spacing_and_does_not_move_with_the_data():
    rules = InferenceRules(assumed_cell_spacing_m=1000.0)
    cells = assumed_cells((X, Y, X + 9000, Y + 7000), None, CRS, rules)
    xy = cells[["x_m", "y_m"]].to_numpy()
    gaps = np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1)) + np.eye(len(xy)) * 1e9
    assert gaps.min(axis=1) == pytest.approx(1000.0)
    larger = assumed_cells((X - 500, Y, X + 9000, Y + 7000), None, CRS, rules)
    assert set(cells["site_id"]) <= set(larger["site_id"])
    bounded = assumed_cells((X, Y, X + 9000, Y + 7000), (X, Y, X + 9000, Y + 7000), CRS, rules)
    assert bounded["x_m"].between(X, X + 9000).all()
    assert len(assumed_cells((X, Y, X + 1, Y + 1), (X, Y, X + 1, Y + 1), CRS, rules)) == 1


def test_high_voltage_substations_feed_no_houses():
    power = gpd.GeoDataFrame(
        {"power": ["substation", "sub_station", "station", "substation"], "voltage": ["110000;20000", "20000", "", ""]},
        geometry=[shapely.Point(X + i, Y) for i in range(4)],
        crs=CRS,
    )
    assert mapped_substations(power, InferenceRules())["x_m"].tolist() == [X + 1, X + 3]
