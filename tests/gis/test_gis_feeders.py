import geopandas as gpd
import networkx as nx
import numpy as np
import pandas as pd
import pytest
import shapely
from amiplan.gis.assemble import build_area
from amiplan.gis.inputs import AreaInputs, InferenceRules, LayerInput
from amiplan.gis.merging import FINE_SHARE, merged_clusters
from amiplan.gis.network_audit import network_graph
from amiplan.gis.partition import cluster_points
from amiplan.gis.roads import road_graph, straight_roads
from amiplan.gis.walk import Walk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

X, Y = 500000.0, 5540000.0
CRS = "EPSG:32632"


def village(tmp_path, lines, switches=(), meters=None, sites=((0, 0, "t1", "b0"),), **columns):
    """Buses b0.. stand at x = 0, 100, ...; lines are (from, to) or (from, to, metres)."""
    shapes = [shapely.LineString([(X + 100 * a, Y), (X + 100 * b, Y + 10 * (b - a - 1))]) for a, b, *_ in lines]
    table = {"cable_id": [f"l{i}" for i in range(len(lines))]}
    if columns.pop("by_bus", True):
        table |= {"from_bus": [f"b{a}" for a, *_ in lines], "to_bus": [f"b{b}" for _, b, *_ in lines]}
        table["length_m"] = [line[2] if len(line) > 2 else 100.0 for line in lines]
    gpd.GeoDataFrame({**table, **columns}, geometry=shapes, crs=CRS).to_file(tmp_path / "c.gpkg")
    places = [shapely.Point(X + x, Y + y) for x, y, *_ in sites]
    names = {"transformer_id": [s[2] for s in sites], "lv_bus": [s[3] for s in sites], "rated_kva": 250.0}
    gpd.GeoDataFrame(names, geometry=places, crs=CRS).to_file(tmp_path / "t.gpkg")
    meters = meters if meters is not None else {"meter_id": ["m1"], "bus": ["b1"], "x": [X + 100], "y": [Y]}
    pd.DataFrame(meters).to_csv(tmp_path / "m.csv", index=False)
    extra = {}
    if switches:
        pd.DataFrame(switches, columns=["bus", "element", "et", "closed"]).to_csv(tmp_path / "s.csv", index=False)
        extra["switches"] = LayerInput("s.csv")
    return build_area(
        AreaInputs(
            "v",
            crs=CRS,
            meters=LayerInput("m.csv", crs=CRS),
            cables=LayerInput("c.gpkg"),
            transformers=LayerInput("t.gpkg"),
            max_bad_share=0.6,
            **extra,
        ),
        tmp_path,
    )[0]


def test_lengths_come_from_the_column(tmp_path):
    area = village(tmp_path, [(0, 1, 77.0), (1, 2, 33.0)])
    assert sorted(area.feeders.edge_length_m) == [33.0, 77.0]
    assert area.meters["transformer"].tolist() == [0]
    assert area.transformers["n_meters"].tolist() == [1]


def test_one_open_switch_leaves_a_stub(tmp_path):
    area = village(tmp_path, [(0, 1), (1, 2), (2, 3)], [("b2", "l1", "l", "false")])
    feeders = area.feeders
    assert feeders.node_x_m.size == 5  # four buses and the open end
    assert (feeders.node_area == 0).sum() == 3
    assert area.qa["code"].tolist() == ["island", "open_end", "open_end", "open_end"]


def test_two_open_switches_leave_a_dead_line(tmp_path):
    area = village(tmp_path, [(0, 1), (1, 2)], [("b1", "l1", "l", "false"), ("b2", "l1", "l", False)])
    assert (area.feeders.node_area < 0).sum() == 2
    assert (area.qa["code"] == "island").sum() == 1


def test_bus_switch_joins_and_transformer_switch_kills(tmp_path):
    joined = village(tmp_path, [(0, 1), (2, 3)], [("b1", "b2", "b", "true")])
    assert (joined.feeders.node_area == 0).all()
    dead = village(tmp_path, [(0, 1)], [("b0", "t1", "t", "open")])
    assert (dead.feeders.node_area == -1).all()
    assert dead.meters["transformer"].tolist() == [-1]
    assert dead.n_meters == 1


def test_loops_and_two_transformers_are_said(tmp_path):
    area = village(tmp_path, [(0, 1), (1, 2), (2, 0)])
    assert area.qa[area.qa["code"] == "loop"]["detail"].tolist() == ["closed loop of 3 lines"]
    sites = ((0, 0, "t1", "b0"), (300, 0, "t2", "b3"))
    area = village(tmp_path, [(0, 1), (1, 2), (2, 3)], sites=sites)
    assert "two_transformers" in set(area.qa["code"])
    feeders = area.feeders
    assert (feeders.node_area[feeders.edge_from] == feeders.node_area[feeders.edge_to]).all()
    assert set(feeders.node_area) == {0, 1}
    area = village(tmp_path, [(0, 1), (0, 1)])
    assert "parallel" in area.qa[area.qa["code"] == "loop"]["detail"].iloc[0]


def test_row_faults_of_lines_and_switches_are_listed(tmp_path):
    lines = [(0, 1), (1, 2), (2, 3, -5.0), (3, 4)]
    service = ["yes", "yes", "no", "perhaps"]  # a length that nobody uses may be wrong
    area = village(tmp_path, lines, [("b9", "l0", "l", "true")], in_service=service)
    assert area.listed[["layer", "code"]].to_numpy().tolist() == [
        ["cables", "bad_value"],
        ["cables", "not_in_service"],
        ["switches", "unknown_bus"],
    ]
    for source in area.sources:
        assert source.rows_in == source.rows_used + source.rows_listed + source.rows_clipped


def test_unknown_bus_of_a_line_is_listed(tmp_path):
    village(tmp_path, [(0, 1), (1, 2), (2, 9)])
    places = [shapely.Point(X + 100 * i, Y) for i in range(3)]
    gpd.GeoDataFrame({"bus": ["b0", "b1", "b2"]}, geometry=places, crs=CRS).to_file(tmp_path / "b.gpkg")
    inputs = AreaInputs(
        "v",
        crs=CRS,
        meters=LayerInput("m.csv", crs=CRS),
        cables=LayerInput("c.gpkg"),
        buses=LayerInput("b.gpkg"),
        transformers=LayerInput("t.gpkg"),
        max_bad_share=0.5,
    )
    assert build_area(inputs, tmp_path)[0].listed["code"].tolist() == ["unknown_bus"]


def test_meters_join_by_bus_then_by_place(tmp_path):
    meters = {
        "meter_id": ["by_bus", "by_place", "far", "stated"],
        "bus": ["b2", "", "", "b1"],
        "transformer": ["", "", "t1", "t2"],
        "x": [X, X + 130, X + 150, X],
        "y": [Y, Y + 5, Y + 500, Y],
    }
    sites = ((0, 0, "t1", "b0"), (900, 0, "t2", "b9"))
    area = village(tmp_path, [(0, 1), (1, 2), (8, 9)], meters=meters, sites=sites)
    rows = area.meters.set_index("meter_id")
    name = area.transformers["transformer_id"].to_numpy()
    assert rows.loc["by_bus", "data_flag"].count("feeder_node") == 0
    assert "feeder_node" in rows.loc["by_place", "data_flag"]
    assert name[rows.loc["by_place", "transformer"]] == "t1"
    assert rows.loc["far", "feeder_node"] == -1
    assert name[rows.loc["far", "transformer"]] == "t1"
    assert name[rows.loc["stated", "transformer"]] == "t1"
    assert "other_transformer" in set(area.qa["code"])


def test_lines_without_buses_are_joined_by_place(tmp_path):
    meters = {"meter_id": ["m"], "x": [X + 150], "y": [Y + 60]}
    straight = shapely.LineString([(X, Y), (X + 300, Y)])
    branch = shapely.LineString([(X + 150, Y + 0.2), (X + 150, Y + 60)])
    village(tmp_path, [(0, 1)], meters=meters, by_bus=False)
    gpd.GeoDataFrame({"cable_id": ["a", "b"]}, geometry=[straight, branch], crs=CRS).to_file(tmp_path / "c.gpkg")
    inputs = AreaInputs(
        "v",
        crs=CRS,
        meters=LayerInput("m.csv", crs=CRS),
        cables=LayerInput("c.gpkg"),
        transformers=LayerInput("t.gpkg"),
    )
    area = build_area(inputs, tmp_path)[0]
    assert area.feeders.edge_length_m == pytest.approx([150.0, 150.0, 59.8], abs=0.3)
    assert area.meters["transformer"].tolist() == [0]
    assert (area.feeders.node_area == 0).all()


def test_cables_without_transformers_are_refused(tmp_path):
    village(tmp_path, [(0, 1)])
    inputs = AreaInputs("v", meters=LayerInput("m.csv", crs=CRS), cables=LayerInput("c.gpkg"))
    with pytest.raises(ValueError, match=r"cables is given without area\.transformers"):
        build_area(inputs, tmp_path)


def street(tmp_path, n=60, roads=True, sites=(), rules=None, step=25.0, **meter_columns):
    x, y = X + step * np.arange(n), Y + np.where(np.arange(n) % 2 == 0, 12.0, -12.0)
    table = pd.DataFrame({"meter_id": [f"m{i}" for i in range(n)], "x": x, "y": y}).assign(**meter_columns)
    table.to_csv(tmp_path / "m.csv", index=False)
    extra = {"rules": rules or InferenceRules()}
    if roads:
        line = shapely.LineString([(X - 50, Y), (X + step * n, Y)])
        gpd.GeoDataFrame({"highway": ["residential"]}, geometry=[line], crs=CRS).to_file(tmp_path / "r.gpkg")
        extra["roads"] = LayerInput("r.gpkg")
    if sites:
        names = {"transformer_id": [s[2] for s in sites]}
        places = [shapely.Point(X + s[0], Y + s[1]) for s in sites]
        gpd.GeoDataFrame(names, geometry=places, crs=CRS).to_file(tmp_path / "t.gpkg")
        extra["transformers"] = LayerInput("t.gpkg")
    return build_area(AreaInputs("s", crs=CRS, meters=LayerInput("m.csv", crs=CRS), **extra), tmp_path)[0]


def feeder_metres(area):
    feeders = area.feeders
    n = feeders.node_x_m.size
    graph = csr_matrix((feeders.edge_length_m, (feeders.edge_from, feeders.edge_to)), shape=(n, n))
    far = dijkstra(graph, directed=False, indices=feeders.transformer_node)
    rows = area.meters[area.meters["transformer"] >= 0]
    return far[rows["transformer"], rows["feeder_node"]]


@pytest.mark.parametrize("roads", [True, False])
@pytest.mark.parametrize(("cap", "reach"), [(20, 550.0), (200, 300.0), (7, 200.0)])
def test_inferred_areas_are_trees_within_reach_and_demand(tmp_path, roads, cap, reach):
    rules = InferenceRules(max_meters_per_transformer=cap, max_feeder_length_m=reach)
    area = street(tmp_path, roads=roads, rules=rules)
    assert (area.meters["transformer"] >= 0).all()
    assert area.transformers["n_meters"].max() <= cap
    assert area.transformers["n_meters"].sum() == 60
    assert feeder_metres(area).max() <= reach
    graph = network_graph(area.feeders)
    assert nx.is_forest(nx.Graph(graph))
    assert nx.number_connected_components(graph) == len(area.transformers)
    assert area.feeders.edge_inferred.all()
    assert (area.transformers["data_flag"] == "inferred").all()
    assert len(area.qa) == 0


def test_one_transformer_stands_in_the_middle_of_its_street(tmp_path):
    area = street(tmp_path, n=21)
    assert len(area.transformers) == 1
    assert area.transformers["x_m"].iloc[0] == pytest.approx(X + 250.0, abs=26.0)
    assert feeder_metres(area).max() == pytest.approx(250.0 + 12.0, abs=30.0)
    assert area.transformers["rated_kva"].iloc[0] == 100.0  # 21 x 3 kVA = 63, next rating


def test_a_gap_separates_hamlets(tmp_path):
    table = pd.DataFrame({"meter_id": ["a", "b", "c"], "x": [X, X + 20, X + 480], "y": [Y + 5] * 3})
    line = shapely.LineString([(X - 50, Y), (X + 500, Y)])
    gpd.GeoDataFrame({"highway": ["track"]}, geometry=[line], crs=CRS).to_file(tmp_path / "r.gpkg")
    table.to_csv(tmp_path / "m.csv", index=False)
    inputs = AreaInputs("g", crs=CRS, meters=LayerInput("m.csv", crs=CRS), roads=LayerInput("r.gpkg"))
    area = build_area(inputs, tmp_path)[0]
    assert sorted(area.transformers["n_meters"]) == [1, 2]
    assert set(area.transformers["mount"]) == {"pole"}


def test_given_transformers_are_not_added_to_and_leave_the_far_alone(tmp_path):
    rules = InferenceRules(max_given_feeder_length_m=400.0)
    area = street(tmp_path, sites=((0, 20, "t1"),), rules=rules)
    assert len(area.transformers) == 1
    lost = area.meters["transformer"] < 0
    assert 0 < lost.sum() < 60
    assert area.n_meters == 60
    assert feeder_metres(area).max() <= 400.0 + 1e-6
    assert any("have no transformer" in note for note in area.notes)


def test_a_meter_that_names_its_transformer_gets_it(tmp_path):
    sites = ((0, 20, "t1"), (1500, 20, "t2"))
    area = street(tmp_path, sites=sites, transformer=["t2"] + [""] * 59)
    names = area.transformers["transformer_id"].to_numpy()
    rows = area.meters.set_index("meter_id")
    assert names[rows.loc["m0", "transformer"]] == "t2"
    assert names[rows.loc["m2", "transformer"]] == "t1"


def test_a_place_far_from_every_road_stays_without_transformer(tmp_path):
    line = shapely.LineString([(X, Y), (X + 100, Y)])
    gpd.GeoDataFrame({"highway": ["residential"]}, geometry=[line], crs=CRS).to_file(tmp_path / "r.gpkg")
    pd.DataFrame({"meter_id": ["a", "b"], "x": [X, X + 50], "y": [Y + 900, Y + 9]}).to_csv(tmp_path / "m.csv")
    inputs = AreaInputs("g", crs=CRS, meters=LayerInput("m.csv", crs=CRS), roads=LayerInput("r.gpkg"))
    area = build_area(inputs, tmp_path)[0]
    assert area.meters.set_index("meter_id").loc["a", "transformer"] == -1
    assert (area.n_meters, area.n_meters_in) == (2, 2)
    assert "1 of 2 meters have no transformer" in " ".join(area.notes)


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 1000), st.integers(5, 60), st.floats(150.0, 600.0))
def test_joined_areas_keep_every_limit_and_are_never_more_than_the_first_cut(seed, cap, reach_m):
    draws = np.random.default_rng(seed)
    x, y = X + draws.uniform(0, 900, 150).round(1), Y + draws.uniform(0, 900, 150).round(1)
    grid = [shapely.LineString([(X + 150 * i, Y), (X + 150 * i, Y + 900)]) for i in range(7)]
    grid += [shapely.LineString([(X + 150 * i, Y + 150 * j) for i in range(7)]) for j in range(7)]
    grid = [shapely.segmentize(line, 150.0) for line in grid]
    graph = road_graph(np.array(grid, dtype=object), x, y, np.full(150, 250.0))
    demand = draws.integers(1, 4, 150)
    fine = cluster_points(graph, demand, np.ones(150, bool), max(1, cap // FINE_SHARE), reach_m, 300.0)
    answer = merged_clusters(graph, demand, fine, cap, reach_m, 300.0)
    assert (answer.of_point >= 0).all()
    assert np.bincount(answer.of_point, weights=demand).max() <= cap
    far_m = dijkstra(graph.matrix, directed=False, indices=answer.node)
    assert (far_m[answer.of_point, graph.tap] + graph.stub_m).max() <= reach_m + 1e-6
    assert answer.node.size <= fine.node.size
    assert answer.node.size >= np.ceil(demand.sum() / cap)
    whole = cluster_points(graph, demand, np.ones(150, bool), cap, reach_m, 300.0)
    assert answer.node.size <= whole.node.size + 2


@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
@settings(max_examples=20, deadline=None)
def test_the_nearest_areas_are_those_of_a_search_without_early_end(seed, n_areas):
    draws = np.random.default_rng(seed)
    x, y = X + draws.uniform(0, 800, 120), Y + draws.uniform(0, 800, 120)
    graph = road_graph(straight_roads(x, y), x, y, np.full(120, np.inf))
    walk, sources = Walk(graph), np.unique(graph.tap[:5])
    area_of = np.full(graph.n_nodes, -1)
    area_of[graph.tap] = draws.integers(0, 12, 120)
    area_of[sources] = 3
    found = walk.neighbours(sources, 300.0, area_of, 3, n_areas)
    far_m = dijkstra(graph.matrix, directed=False, indices=sources, min_only=True)
    near = sorted((far_m[area_of == area].min(), area) for area in np.unique(area_of) if area not in (-1, 3))
    assert found == [area for metres, area in near if metres <= 300.0][:n_areas]
    assert np.isinf(walk.far_m).all()
