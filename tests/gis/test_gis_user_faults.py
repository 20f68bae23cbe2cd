"""What users get wrong in rules, sites, links and tables: said with count and id, or refused in one line."""

from dataclasses import fields

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from amiplan.gis.assemble import build_area
from amiplan.gis.inputs import AreaInputs, InferenceRules, LayerInput

X, Y = 680000.0, 5540000.0
CRS = "EPSG:32632"


def meters(folder, n=6, step=30.0, **columns):
    index = np.arange(n)
    table = {"meter_id": [f"m{i}" for i in index], "x": X + step * index, "y": Y + step * (index % 2), **columns}
    pd.DataFrame(table).to_csv(folder / "m.csv", index=False)
    return LayerInput("m.csv", crs=CRS)


def shapes(folder, name, geometry, **columns):
    gpd.GeoDataFrame(columns, geometry=geometry, crs=CRS).to_file(folder / name)
    return LayerInput(name)


def road(folder, y=Y + 15.0):
    line = shapely.LineString([(X - 50, y), (X + 500, y)])
    return shapes(folder, "r.gpkg", [line], highway=["residential"])


def built(folder, **given):
    return build_area(AreaInputs("made", **given), folder)


def refused(folder, words, **given):
    with pytest.raises(ValueError, match=words) as caught:
        built(folder, **given)
    assert "\n" not in str(caught.value)


# --- rules ----------------------------------------------------------------------------------------------------------


def test_every_number_among_the_rules_has_limits_that_hold(tmp_path):
    given = meters(tmp_path)
    for item in fields(InferenceRules):
        if not isinstance(item.default, (int, float)) or isinstance(item.default, bool):
            continue
        low, high = item.metadata["minimum"], item.metadata["maximum"]
        assert low <= item.default <= high, item.name
        for value in (low - 1, high + 1, np.nan, np.inf):
            rules = InferenceRules(**{item.name: value})
            refused(tmp_path, rf"^area\.rules\.{item.name} = .*: allowed is", meters=given, rules=rules)


@pytest.mark.parametrize("spacing_m", [0.0, -100.0, 1.0, 199.0])
def test_assumed_cells_stand_200_m_apart_at_least(tmp_path, spacing_m):
    rules = InferenceRules(assumed_cell_spacing_m=spacing_m)
    words = r"area\.rules\.assumed_cell_spacing_m = .*: allowed is 200 to 100000 m"
    refused(tmp_path, words, meters=meters(tmp_path), rules=rules)


@pytest.mark.parametrize("share", [-0.1, 1.5, np.nan])
def test_a_share_lies_between_0_and_1(tmp_path, share):
    words = r"area\.max_bad_share = .*: allowed is 0 to 1"
    refused(tmp_path, words, meters=meters(tmp_path), max_bad_share=share)
    limits = {item.name: item.metadata for item in fields(AreaInputs)}["max_bad_share"]
    assert (limits["minimum"], limits["maximum"]) == (0.0, 1.0)  # what the case reader checks


@pytest.mark.parametrize("own", [False, True])
def test_a_map_without_any_feeder(tmp_path, own):
    sites = {"transformers": shapes(tmp_path, "t.gpkg", [shapely.Point(X, Y)], transformer_id=["t1"])} if own else {}
    area, _ = built(tmp_path, meters=meters(tmp_path), roads=road(tmp_path, Y + 400.0), **sites)
    assert (area.meters["transformer"] == -1).all()
    assert (area.meters["feeder_node"] == -1).all()
    assert len(area.transformers) == own
    assert any("6 of 6 meters have no transformer" in note for note in area.notes)


# --- candidate sites ------------------------------------------------------------------------------------------------


def sites(folder, heights, **columns):
    index = np.arange(len(heights))
    table = {"site_id": [f"s{i}" for i in index], "x": X + 40 * index, "y": Y + 50, "height_m": heights, **columns}
    pd.DataFrame(table).to_csv(folder / "s.csv", index=False)
    return LayerInput("s.csv", crs=CRS)


def test_faulty_heights_of_candidate_sites_are_listed(tmp_path):
    heights = ["12", "", "0", "nan", "inf", "-5", "1000000", "500", "tall"]
    given = {"meters": meters(tmp_path), "candidate_sites": sites(tmp_path, heights), "max_bad_share": 0.7}
    area, candidates = built(tmp_path, **given)
    found = candidates.sites.set_index("site_id")
    assert found["height_m"].to_dict() == {"s0": 12.0, "s1": InferenceRules().pole_height_m, "s7": 500.0}
    assert found["data_flag"].to_dict() == {"s0": "", "s1": "inferred", "s7": ""}
    listed = area.listed[area.listed["layer"] == "candidate_sites"]
    assert listed["id"].tolist() == ["s2", "s3", "s4", "s5", "s6", "s8"]
    assert set(listed["code"]) == {"bad_value"}
    assert listed["detail"].str.contains("no height above 0 and up to 500 m").all()
    refused(tmp_path, r"s\.csv: layer candidate_sites: 6 of 9 rows are faulty", **given | {"max_bad_share": 0.2})


def test_heights_that_a_binary_layer_holds_as_numbers_and_in_feet(tmp_path):
    places = [shapely.Point(X + 40 * i, Y) for i in range(4)]
    given = shapes(tmp_path, "s.gpkg", places, site_id=list("abcd"), height_ft=[100.0, np.inf, 1700.0, np.nan])
    area, candidates = built(tmp_path, meters=meters(tmp_path), candidate_sites=given, max_bad_share=0.5)
    assert area.listed["id"].tolist() == ["b", "c"]  # 1700 ft are 518 m
    assert sorted(candidates.sites["height_m"]) == pytest.approx([8.0, 30.48])


def test_an_unknown_owner_of_a_candidate_site_is_listed(tmp_path):
    layer = sites(tmp_path, ["9"] * 4, owner=["own", "Third party", "", "nobody"])
    area, candidates = built(tmp_path, meters=meters(tmp_path), candidate_sites=layer, max_bad_share=0.3)
    owners = candidates.sites.set_index("site_id")["owner"].to_dict()
    assert owners == {"s0": "own", "s1": "third_party", "s2": "own"}
    assert area.listed[["id", "detail"]].to_numpy().tolist() == [["s3", "owner is none of own, third_party"]]


def test_faulty_heights_of_meters_and_cells_are_listed(tmp_path):
    layer = meters(tmp_path, height_m=[1.5, 0.0, np.nan, 1e6, 2.0, 1.0])
    pd.DataFrame({"cell_id": ["a", "b"], "x": X, "y": [Y, Y + 9], "height_m": [30, -3]}).to_csv(
        tmp_path / "o.csv", index=False
    )
    cells = LayerInput("o.csv", crs=CRS)
    area, candidates = built(tmp_path, meters=layer, operator_cells=cells, max_bad_share=0.5)
    assert area.listed["id"].tolist() == ["m1", "m3", "b"]
    assert candidates.cells["site_id"].tolist() == ["a"]


def test_candidate_sites_outside_the_area_are_said_or_refused(tmp_path):
    far = sites(tmp_path, ["9"] * 3)
    table = pd.read_csv(tmp_path / "s.csv").assign(y=[Y, Y, Y + 5000.0])
    table.to_csv(tmp_path / "s.csv", index=False)
    given = {"meters": meters(tmp_path), "candidate_sites": far}
    area, candidates = built(tmp_path, **given)
    assert len(candidates.sites) == 2
    assert any("1 of 3 candidate sites lie more than 1000 m outside the area" in note for note in area.notes)
    table.assign(y=Y + 5000.0).to_csv(tmp_path / "s.csv", index=False)
    refused(tmp_path, r"s\.csv: no row of layer candidate_sites is left: 3 of 3 .*site_margin_m.*raise", **given)


def test_a_context_layer_that_misses_the_area_is_said(tmp_path):
    area, _ = built(tmp_path, meters=meters(tmp_path), roads=road(tmp_path, Y + 9000.0))
    assert any("No row of the layer roads touches the area" in note for note in area.notes)
    assert any("inferred cables run straight" in note for note in area.notes)


# --- links between layers -------------------------------------------------------------------------------------------


def cables(folder, kind):
    lines = [shapely.LineString([(X + 30 * i, Y), (X + 30 * (i + 1), Y)]) for i in range(3)]
    buses = {"from_bus": ["b0", "b1", "b2"], "to_bus": ["b1", "b2", "b3"]}
    return {
        "transformers": shapes(folder, "t.gpkg", [shapely.Point(X, Y)], transformer_id=["t1"], lv_bus=["b0"]),
        "cables": shapes(folder, "c.gpkg", lines, cable_id=list("abc"), cable=kind, **buses),
    }


@pytest.mark.parametrize("with_cables", [False, True])
def test_a_transformer_that_does_not_exist_is_listed_with_its_id(tmp_path, with_cables):
    network = cables(tmp_path, ["NAYY 4x50"] * 3)
    if not with_cables:
        del network["cables"]
    layer = meters(tmp_path, step=20.0, transformer=["t1", "T99", "", "t1", "T99", ""])
    area, _ = built(tmp_path, meters=layer, **network)
    assert (area.meters["transformer"] == 0).all()
    issues = area.qa[area.qa["code"] == "unknown_transformer"]
    assert issues["id"].tolist() == ["m1", "m4"]
    assert issues["row"].tolist() == [3, 6]  # lines of the file
    assert issues["detail"].str.contains('names transformer "T99"').all()
    assert any("2 of 6 meters name a transformer that is not among the usable ones" in note for note in area.notes)


def test_transformer_names_without_a_layer_of_transformers_are_said(tmp_path):
    area, _ = built(tmp_path, meters=meters(tmp_path, transformer=["t1", "", "", "", "", ""]))
    assert any("1 of 6 meters name a transformer, but there is no layer transformers" in note for note in area.notes)
    assert len(area.qa[area.qa["code"] == "unknown_transformer"]) == 0


def test_the_users_cable_types_are_mapped(tmp_path):
    network = cables(tmp_path, ["2c_.007", "4c_70", "mystery"])
    given = {"meters": meters(tmp_path), **network}
    assert set(built(tmp_path, **given)[0].feeders.cables) == {"2c_.007", "4c_70", "mystery"}
    types = {"2c_.007": "service 2x16", "4c_70": "NAYY 4x70", "typo": "NAYY 4x50"}
    area, _ = built(tmp_path, **given, cable_types=types)
    feeders = area.feeders
    assert [feeders.cables[kind] for kind in feeders.edge_cable] == ["service 2x16", "NAYY 4x70", "mystery"]
    assert any('area.cable_types maps "typo", which no row of area.cables has' in note for note in area.notes)


def test_network_issues_name_the_users_transformer(tmp_path):
    area, _ = built(tmp_path, meters=meters(tmp_path, n=2), **cables(tmp_path, ["NAYY 4x50"] * 3))
    ends = area.qa[area.qa["code"] == "open_end"]
    assert len(ends) == 1
    assert ends["id"].iloc[0].endswith("of transformer t1")


# --- kinds of shapes ------------------------------------------------------------------------------------------------

POINT, LINE, BOX = shapely.Point(X, Y), shapely.LineString([(X, Y), (X + 50, Y)]), shapely.box(X, Y, X + 9, Y + 9)


@pytest.mark.parametrize(
    ("role", "shape", "words"),
    [
        ("roads", POINT, "holds points, but area.roads needs lines"),
        ("cables", BOX, "holds polygons, but area.cables needs lines"),
        ("buildings", POINT, "holds points, but area.buildings needs polygons"),
        ("landuse", LINE, "holds lines, but area.landuse needs polygons"),
        ("meters", LINE, "holds lines, but area.meters needs points or polygons"),
        ("candidate_sites", LINE, "holds lines, but area.candidate_sites needs points or polygons"),
        ("boundary", POINT, "the boundary holds no polygon and no closed line"),
    ],
)
def test_a_layer_of_the_wrong_kind_of_shapes_is_refused(tmp_path, role, shape, words):
    given = {"meters": meters(tmp_path)} | {role: shapes(tmp_path, "w.gpkg", [shape] * 3)}
    refused(tmp_path, rf"w\.gpkg: .*{words}", **given)


def test_a_population_layer_of_points_is_refused(tmp_path):
    layer = shapes(tmp_path, "p.gpkg", [POINT], dwellings=[5])
    refused(tmp_path, r"p\.gpkg: .*area\.population needs polygons", population=layer)


def test_single_rows_of_the_wrong_kind_are_listed(tmp_path):
    mixed = shapes(tmp_path, "w.gpkg", [LINE, LINE, POINT], highway=["residential"] * 3)
    area, _ = built(tmp_path, meters=meters(tmp_path), roads=mixed, max_bad_share=0.5)
    assert area.listed[["layer", "row", "code"]].to_numpy().tolist() == [["roads", 3, "wrong_geometry"]]


def test_meters_drawn_as_polygons_count_by_their_centroid(tmp_path):
    triangle = shapely.Polygon([(X, Y), (X + 30, Y), (X, Y + 30)])
    area, _ = built(tmp_path, meters=shapes(tmp_path, "m.gpkg", [triangle, BOX], meter_id=["t", "b"]))
    rows = area.meters.set_index("meter_id")
    assert rows.loc["t", ["x_m", "y_m"]].tolist() == pytest.approx([X + 10, Y + 10])
    assert any("2 of 2 rows of the layer meters are polygons and count by their centroid" in n for n in area.notes)


# --- tables ---------------------------------------------------------------------------------------------------------


def test_one_coordinate_column_alone_is_refused_by_name(tmp_path):
    meters(tmp_path)
    words = r"m\.csv: y is given without x; write .* \(columns: meter_id, x, y\)"
    refused(tmp_path, words, meters=LayerInput("m.csv", crs=CRS, y="y"))
    refused(tmp_path, r"m\.csv: x is given without y", meters=LayerInput("m.csv", crs=CRS, x="x"))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_utf_16_is_read_with_and_without_a_byte_order_mark(tmp_path, encoding):
    text = "meter_id;x;y\r\nZähler 1;680000;5540000\r\n"
    (tmp_path / "m.csv").write_bytes(text.encode(encoding))
    assert built(tmp_path, meters=LayerInput("m.csv", crs=CRS))[0].meters["meter_id"].tolist() == ["Zähler 1"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04workbook", "not a text table; save it as CSV"),
        (b"\x00\x01\x02\x00\x00\x00", "not a text table; save it as CSV"),
        (b"\xff\xfea", "cut off or damaged at byte"),
    ],
)
def test_what_is_no_text_is_refused(tmp_path, content, words):
    (tmp_path / "m.csv").write_bytes(content)
    refused(tmp_path, rf"m\.csv: {words}", meters=LayerInput("m.csv", crs=CRS))


# --- what inference decides -----------------------------------------------------------------------------------------


def test_many_inferred_transformers_are_said(tmp_path):
    area, _ = built(tmp_path, meters=meters(tmp_path, n=6, step=2000.0))
    assert any("feeds 1 meters in the median" in note for note in area.notes)
    assert any("Careful: 6 transformers were inferred for 6 meters" in note for note in area.notes)
    near, _ = built(tmp_path, meters=meters(tmp_path))
    assert any("feeds 6 meters in the median (6 to 6)" in note for note in near.notes)
    assert not any("Careful" in note for note in near.notes)
