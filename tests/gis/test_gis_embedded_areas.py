import dataclasses
import tomllib
from pathlib import Path

import geopandas as gpd
import networkx as nx
import numpy as np
import pytest
from amiplan.gis.assemble import build_area
from amiplan.gis.inputs import AreaInputs, LayerInput
from amiplan.gis.network_audit import network_graph
from amiplan.gis.terrain import heights_m
from pydantic import TypeAdapter
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

ROOT = Path(__file__).resolve().parents[2]


def inputs_of(name):
    folder = ROOT / "studies" / "catalogue" / name
    case = tomllib.loads((folder / "case.toml").read_text())
    return TypeAdapter(AreaInputs).validate_python(case["area"]), folder


@pytest.fixture(scope="module")
def schutterwald():
    return build_area(*inputs_of("schutterwald"))


@pytest.fixture(scope="module")
def bayreuth():
    return build_area(*inputs_of("north_bayreuth"))


def test_schutterwald_has_its_fourteen_areas(schutterwald):
    area, _ = schutterwald
    assert (area.n_meters, area.n_meters_in, len(area.transformers)) == (1506, 1506, 14)
    counts = np.bincount(area.meters["transformer"], minlength=14)
    assert (counts.min(), counts.max(), counts.sum()) == (15, 177, 1506)
    assert counts.tolist() == area.transformers["n_meters"].tolist()
    assert area.feeders.edge_length_m.sum() / 1000 == pytest.approx(62.29, abs=0.01)
    assert len(set(area.feeders.node_area.tolist()) - {-1}) == 14
    assert area.feeders.cables == ("NAYY 4x150 SE", "NAYY 4x50 SE")
    assert sorted(area.transformers["rated_kva"].unique()) == [250.0, 400.0, 630.0]


def test_schutterwald_has_one_loop_where_it_is_known_to_be(schutterwald):
    area, _ = schutterwald
    loops = area.qa[area.qa["code"] == "loop"]
    assert loops["detail"].tolist() == ["closed loop of 5 lines"]
    sites = area.transformers.set_index("transformer_id")
    assert sites.loc[loops["id"].iloc[0].split()[-1], "lv_bus"] == "3005"
    codes = area.qa["code"].value_counts()
    assert codes["island"] == 1  # the one line whose both switches are open
    assert codes["open_end"] >= 86
    assert (area.feeders.node_area < 0).sum() == 2


def test_schutterwald_announces_what_it_lacks(schutterwald):
    area, candidates = schutterwald
    text = " ".join(area.notes)
    assert "flat" in text
    assert "open" in text
    assert area.terrain.is_flat
    assert (area.meters["clutter"] == 0).all()
    assert len(candidates.sites) == 14


def test_bayreuth_conserves_n_and_says_what_is_inferred(bayreuth):
    area, candidates = bayreuth
    assert 3500 <= area.n_meters <= 5000
    assert area.n_meters_in == area.n_meters + (area.listed["layer"] == "meters").sum()
    for source in area.sources:
        assert source.rows_in == source.rows_used + source.rows_listed + source.rows_clipped
    text = " ".join(area.notes)
    assert "meters are inferred" in text
    assert "transformers (" in text
    assert "14 are mapped substations" in text
    assert area.attributions == ("© OpenStreetMap contributors",)
    assert set(candidates.sites["kind"]) <= {"mast", "tower", "roof", "substation", "pole"}
    assert len(area.terrain.elevation_m) > 100
    assert 290 < heights_m(area.terrain, area.meters["x_m"], area.meters["y_m"]).min() < 400


def test_bayreuth_areas_are_trees_within_reach_and_demand(bayreuth):
    area, _ = bayreuth
    feeders, rules = area.feeders, inputs_of("north_bayreuth")[0].rules
    graph = network_graph(feeders)
    assert nx.is_forest(nx.Graph(graph))
    assert nx.number_connected_components(graph) == len(area.transformers)
    n = feeders.node_x_m.size
    matrix = csr_matrix((feeders.edge_length_m, (feeders.edge_from, feeders.edge_to)), shape=(n, n))
    served = area.meters[area.meters["transformer"] >= 0]
    far_m = dijkstra(matrix, directed=False, indices=feeders.transformer_node)
    metres = far_m[served["transformer"], served["feeder_node"]]
    assert metres.max() <= rules.max_feeder_length_m + 2.0
    assert area.transformers["n_meters"].max() <= rules.max_meters_per_transformer
    assert (feeders.node_area[served["feeder_node"]] == served["transformer"]).all()
    # Drawn and electrical length agree where the line is not a minimum stub.
    drawn = np.array([shape.length for shape in feeders.edge_geometry])
    assert np.abs(drawn - feeders.edge_length_m)[drawn > 1.0].max() < 0.2


def test_rows_are_sorted_by_stable_key(bayreuth, schutterwald):
    for area, candidates in (bayreuth, schutterwald):
        for frame in (area.meters, area.transformers, candidates.sites, candidates.cells):
            keys = frame["key"].to_numpy()
            assert keys.dtype == np.uint64
            assert (keys[1:] > keys[:-1]).all()


@pytest.mark.parametrize("name", ["schutterwald", "north_bayreuth"])
def test_shuffled_rows_give_the_same_area(name, tmp_path, request):
    area, candidates = request.getfixturevalue("bayreuth" if name == "north_bayreuth" else "schutterwald")
    inputs, folder = inputs_of(name)
    changes = {}
    for item in dataclasses.fields(inputs):
        given = getattr(inputs, item.name)
        if isinstance(given, LayerInput):
            frame = gpd.read_file(folder / given.path, layer=given.layer)
            frame = frame.sample(frac=1.0, random_state=7).reset_index(drop=True)
            target = tmp_path / f"{item.name}.gpkg"
            frame.to_file(target) if isinstance(frame, gpd.GeoDataFrame) else frame.to_csv(target.with_suffix(".csv"))
            path = target if target.exists() else target.with_suffix(".csv")
            changes[item.name] = dataclasses.replace(given, path=str(path), layer=None)
        elif item.name == "terrain" and given is not None:
            changes["terrain"] = dataclasses.replace(given, path=str((folder / given.path).resolve()))
    again, other = build_area(dataclasses.replace(inputs, **changes), tmp_path)
    for left, right in ((area.meters, again.meters), (candidates.sites, other.sites)):
        assert left.drop(columns="row", errors="ignore").equals(right.drop(columns="row", errors="ignore"))
    assert area.transformers.equals(again.transformers)
    for column in ("node_x_m", "node_area", "edge_from", "edge_to", "edge_length_m", "edge_cable", "transformer_node"):
        assert np.array_equal(getattr(area.feeders, column), getattr(again.feeders, column)), column
    assert area.notes == again.notes


def test_meters_of_bayreuth_have_names_people_know(bayreuth):
    meters = bayreuth[0].meters
    assert meters["meter_id"].is_unique
    assert meters["meter_id"].str.fullmatch(r"building \d{6}E \d{7}N/\d+").mean() < 0.85
    assert meters["meter_id"].str.fullmatch(r"Am Rain 25/\d").any()
    assert bayreuth[0].transformers["transformer_id"].str.match(r"(transformer|substation) \d{6}E \d{7}N").all()


def test_bayreuth_has_few_small_areas_beside_large_ones(bayreuth):
    """A planner joins what lies within reach: no two inferred areas that could be one stand closer than 100 m."""
    area, _ = bayreuth
    made = area.transformers[area.transformers["data_flag"] == "inferred"]
    assert len(made) < 125
    x, y, n = made["x_m"].to_numpy(), made["y_m"].to_numpy(), made["n_meters"].to_numpy()
    near = np.hypot(x[:, None] - x, y[:, None] - y) < 100.0
    small = n[:, None] + n <= 60
    np.fill_diagonal(near, False)
    assert (near & small).sum() <= 4
