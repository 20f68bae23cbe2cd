"""Inputs as utilities deliver them: each works, counted and listed, or is refused in one line with the fix."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from amiplan.gis.assemble import build_area
from amiplan.gis.inputs import AreaInputs, InferenceRules, LayerInput, TerrainInput
from rasterio.transform import from_origin

X, Y = 680000.0, 5540000.0
CRS = "EPSG:32632"


def built(folder, **given):
    return build_area(AreaInputs("made", **given), folder)[0]


def refused(folder, words, **given):
    with pytest.raises(ValueError, match=words) as caught:
        built(folder, **given)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def conserved(area):
    for source in area.sources:
        assert source.rows_in == source.rows_used + source.rows_listed + source.rows_clipped
        assert min(source.rows_used, source.rows_listed, source.rows_clipped) >= 0
    assert area.n_meters_in == area.n_meters + int((area.listed["layer"] == "meters").sum())


def points(n=10, step=20.0):
    index = np.arange(n)
    places = [shapely.Point(X + step * i, Y + step * (i % 3)) for i in index]
    return gpd.GeoDataFrame({"meter_id": [f"m{i}" for i in index]}, geometry=places, crs=CRS)


# --- tables ---------------------------------------------------------------------------------------------------------

GERMAN = """

Zähler;Rechtswert;Hochwert;Straße;Straße

ä1;680.000,50;5.540.000,00;Weg;1
;;;;
ö2;680100,5;5540010;Weg;2;
"""


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "utf-8-sig", "utf-16"])
def test_a_german_table_with_everything(tmp_path, encoding):
    (tmp_path / "m.csv").write_bytes(GERMAN.encode(encoding))
    area = built(tmp_path, meters=LayerInput("m.csv", crs=CRS, columns={"meter_id": "Zähler"}))
    assert sorted(area.meters["meter_id"]) == ["ä1", "ö2"]
    assert sorted(area.meters["x_m"]) == [680000.5, 680100.5]
    assert any("2 blank lines were skipped" in note for note in area.notes)
    conserved(area)


def test_a_used_column_name_that_stands_twice_is_refused(tmp_path):
    (tmp_path / "m.csv").write_text("meter_id,x,y,x\na,680000,5540000,3\n")
    refused(tmp_path, r'm\.csv: the column name "x" stands twice.*rename', meters=LayerInput("m.csv", crs=CRS))
    (tmp_path / "m.csv").write_text("ID;ID;x;y\na;b;680000;5540000\n")
    words = r'm\.csv: the column name "ID" stands twice'
    refused(tmp_path, words, meters=LayerInput("m.csv", crs=CRS, columns={"meter_id": "ID"}))
    assert built(tmp_path, meters=LayerInput("m.csv", crs=CRS)).n_meters == 1


def test_decimal_commas_between_commas_are_refused_with_the_line(tmp_path):
    (tmp_path / "m.csv").write_text("meter_id,x,y\na,680000,5540000\nb,680000,5,5540000,5\n")
    refused(tmp_path, r"m\.csv: line 3 has 5 values under 3 column names", meters=LayerInput("m.csv", crs=CRS))


def test_excel_separator_line_and_a_header_alone(tmp_path):
    (tmp_path / "m.csv").write_text("sep=;\nmeter_id;x;y\na;680000;5540000\n")
    assert built(tmp_path, meters=LayerInput("m.csv", crs=CRS)).n_meters == 1
    (tmp_path / "m.csv").write_text("meter_id;x;y\n")
    refused(tmp_path, r"m\.csv: layer meters has no rows", meters=LayerInput("m.csv", crs=CRS))


def test_a_crs_without_known_coordinates_is_no_ignored_input(tmp_path):
    (tmp_path / "m.csv").write_text("meter_id,east,north\na,680000,5540000\n")
    refused(tmp_path, r"no column is known as a coordinate; write area\.meters\.x", meters=LayerInput("m.csv", crs=CRS))
    refused(tmp_path, r"m\.csv: area\.meters has no coordinates.*map bus or transformer", meters=LayerInput("m.csv"))


# --- map layers -----------------------------------------------------------------------------------------------------


def test_a_shapefile_without_prj_and_two_unnamed_layers_are_refused(tmp_path):
    points().to_file(tmp_path / "m.shp")
    (tmp_path / "m.prj").unlink()
    refused(tmp_path, r"m\.shp: layer meters has no CRS; write area\.meters\.crs", meters=LayerInput("m.shp"))
    assert built(tmp_path, meters=LayerInput("m.shp", crs=CRS)).n_meters == 10
    points().to_file(tmp_path / "two.gpkg", layer="old")
    points().to_file(tmp_path / "two.gpkg", layer="new")
    refused(tmp_path, r"two\.gpkg: has the layers old, new; write which", meters=LayerInput("two.gpkg"))


def test_kml_with_folders(tmp_path):
    def folder(name, x):
        ring = " ".join(f"{x + a},{49.9 + b},300" for a, b in [(0, 0), (0.1, 0), (0.1, 0.1), (0, 0.1), (0, 0)])
        shape = f"<outerBoundaryIs><LinearRing><coordinates>{ring}</coordinates></LinearRing></outerBoundaryIs>"
        return f"<Folder><name>{name}</name><Placemark><Polygon>{shape}</Polygon></Placemark></Folder>"

    def write(*folders):
        text = f'<kml xmlns="http://www.opengis.net/kml/2.2"><Document>{"".join(folders)}</Document></kml>'
        (tmp_path / "a.kml").write_text(text)

    points().to_file(tmp_path / "m.gpkg")
    write(folder("Gebiet", 11.45))
    area = built(tmp_path, meters=LayerInput("m.gpkg"), boundary=LayerInput("a.kml"))
    assert area.n_meters == 10
    assert not area.boundary.has_z
    write(folder("Gebiet", 11.45), folder("Anderes", 12.45))
    given = {"meters": LayerInput("m.gpkg"), "boundary": LayerInput("a.kml")}
    refused(tmp_path, r"a\.kml: has the layers Gebiet, Anderes", **given)
    given["boundary"] = LayerInput("a.kml", layer="Gebiet")
    assert built(tmp_path, **given).n_meters == 10


def test_multipoints_missing_shapes_and_heights_in_coordinates(tmp_path):
    frame = points(12)
    shapes = [shapely.MultiPoint([p]) for p in frame.geometry]
    shapes[3] = shapely.MultiPoint([(X, Y), (X + 500, Y)])
    shapes[4], shapes[5] = None, shapely.MultiPoint()
    shapes[6] = shapely.MultiPoint([(X + 7, Y + 7, 312.0)])
    frame.set_geometry(gpd.GeoSeries(shapes, crs=CRS)).to_parquet(tmp_path / "m.parquet")
    area = built(tmp_path, meters=LayerInput("m.parquet"), max_bad_share=0.3)
    assert area.listed[["row", "code"]].to_numpy().tolist() == [[5, "no_place"], [6, "no_place"], [4, "several_places"]]
    assert not area.meters.geometry.has_z.any()
    conserved(area)


def test_a_column_of_the_user_called_row_is_his(tmp_path):
    (tmp_path / "m.csv").write_text("row,x,y\nA7,680000,5540000\n")
    given = LayerInput("m.csv", crs=CRS, columns={"meter_id": "row"})
    assert built(tmp_path, meters=given).meters["meter_id"].tolist() == ["A7"]


def test_us_feet_become_metres(tmp_path):
    frame = gpd.GeoDataFrame(
        geometry=[shapely.Point(985000 + 328.0833333 * i, 200000) for i in range(3)], crs="EPSG:2263"
    )
    frame.to_file(tmp_path / "m.gpkg")
    area = built(tmp_path, meters=LayerInput("m.gpkg"))
    assert area.crs == "EPSG:32618"
    assert np.diff(np.sort(area.meters["x_m"])) == pytest.approx(100.0, abs=0.1)
    assert any("US survey foot were converted to metres" in note for note in area.notes)


def test_web_mercator_is_refused_as_working_crs_but_read_as_input(tmp_path):
    points().to_crs("EPSG:3857").to_file(tmp_path / "m.gpkg")
    given = {"meters": LayerInput("m.gpkg")}
    refused(
        tmp_path,
        r'area\.crs = EPSG:3857: .*5\d% too long; write area\.crs = "EPSG:32632"',
        crs="EPSG:3857",
        **given,
    )
    area = built(tmp_path, **given)
    assert area.crs == "EPSG:32632"
    assert area.meters["x_m"].min() == pytest.approx(X, abs=0.01)
    far = built(tmp_path, crs="EPSG:32630", **given)  # two zones off: used, and said
    assert any("are off by +1.3%" in note for note in far.notes)


def test_boundaries_in_another_crs_and_open_lines(tmp_path):
    points().to_file(tmp_path / "m.gpkg")
    box = gpd.GeoDataFrame(geometry=[shapely.box(X - 50, Y - 50, X + 130, Y + 130)], crs=CRS)
    box.to_crs("EPSG:31468").to_file(tmp_path / "b.gpkg")
    given = {"meters": LayerInput("m.gpkg"), "boundary": LayerInput("b.gpkg"), "max_bad_share": 0.5}
    area = built(tmp_path, **given)
    assert (area.n_meters, area.listed["code"].tolist()) == (7, ["outside_area"] * 3)
    ring = shapely.LineString(list(box.geometry.iloc[0].exterior.coords)[:-1])
    gpd.GeoDataFrame(geometry=[ring], crs=CRS).to_file(tmp_path / "b.gpkg")
    refused(tmp_path, r"b\.gpkg: the boundary holds no polygon and no closed line; draw", **given)


def test_paths_in_results_tell_nothing_of_the_disk(tmp_path):
    points().to_file(tmp_path / "m.gpkg")
    relative = built(tmp_path, meters=LayerInput("m.gpkg"), rules=InferenceRules())
    absolute = built(tmp_path, meters=LayerInput(str(tmp_path / "m.gpkg"), crs="EPSG:25832"))
    assert relative.sources[0].path == "m.gpkg" == absolute.sources[0].path
    assert not any(str(tmp_path) in note for note in absolute.notes)
    (tmp_path / "case").mkdir()
    assert built(tmp_path / "case", meters=LayerInput("../m.gpkg")).sources[0].path == "../m.gpkg"


# --- elevation ------------------------------------------------------------------------------------------------------


def dem(folder, values, *, step=30.0, crs=CRS, west=X - 3000.0, north=Y + 3000.0, nodata=None, bands=1):
    values = np.asarray(values)
    profile = {"driver": "GTiff", "height": values.shape[0], "width": values.shape[1], "count": bands}
    profile |= {"dtype": values.dtype, "crs": crs, "transform": from_origin(west, north, step, step), "nodata": nodata}
    with rasterio.open(folder / "dem.tif", "w", **profile) as target:
        for band in range(bands):
            target.write(values, band + 1)
    points().to_file(folder / "m.gpkg")
    return {"meters": LayerInput("m.gpkg"), "terrain": TerrainInput("dem.tif", "m")}


def test_elevation_with_undeclared_or_nan_voids(tmp_path):
    values = np.full((200, 220), 250.0, np.float32)
    values[50, 60], values[70, 80], values[90, 95], values[91, 95] = -9999.0, np.nan, 3.4e38, -32767.0
    area = built(tmp_path, **dem(tmp_path, values, nodata=np.nan))
    assert area.terrain.n_voids == 4
    assert area.terrain.elevation_m == pytest.approx(250.0)
    assert any("4 void heights" in note for note in area.notes)


def test_elevation_in_another_crs_feet_and_too_small(tmp_path):
    values = np.full((300, 400), 1000.0, np.float32)
    given = dem(tmp_path, values, step=0.0005, crs="EPSG:4326", west=11.4, north=50.07)
    area = built(tmp_path, **given | {"terrain": TerrainInput("dem.tif", "ft")})
    assert area.terrain.elevation_m == pytest.approx(304.8)
    refused(tmp_path, r"dem\.tif: .*does not cover.*larger file", **dem(tmp_path, values[:10, :10]))
    refused(tmp_path, r"dem\.tif: 3 bands, so a picture", **dem(tmp_path, values.astype(np.uint8), bands=3))
    bad = dem(tmp_path, values) | {"terrain": TerrainInput("dem.tif", "m", crs="UTM 32")}
    refused(tmp_path, r'area\.terrain\.crs: "UTM 32" is not a known CRS', **bad)


# --- networks -------------------------------------------------------------------------------------------------------


def network(folder, lines, *, meters=None, buses=5, sites=(("t1", "b0"),), bad=0.7, **more):
    """Buses b0, b1, ... every 100 m; cables and meters are plain tables; lines are (from, to, metres)."""
    places = [shapely.Point(X + 100 * i, Y) for i in range(buses)]
    gpd.GeoDataFrame({"bus": [f"b{i}" for i in range(buses)]}, geometry=places, crs=CRS).to_file(folder / "b.gpkg")
    table = pd.DataFrame(lines, columns=["from_bus", "to_bus", "length_m"])
    table.assign(cable_id=[f"l{i}" for i in range(len(lines))]).to_csv(folder / "c.csv", index=False)
    pd.DataFrame(sites, columns=["transformer_id", "lv_bus"]).to_csv(folder / "t.csv", index=False)
    meters = meters or {"meter_id": ["m1"], "bus": ["b1"]}
    pd.DataFrame(meters).to_csv(folder / "m.csv", index=False)
    roles = {"meters": "m.csv", "buses": "b.gpkg", "cables": "c.csv", "transformers": "t.csv"}
    return {role: LayerInput(path) for role, path in roles.items()} | {"crs": CRS, "max_bad_share": bad} | more


def test_tables_without_geometry_take_places_from_the_buses(tmp_path):
    meters = {"meter_id": ["a", "b", "c", "d"], "bus": ["b1", "b3", "", "b99"], "transformer": ["", "", "t1", ""]}
    given = network(tmp_path, [("b0", "b1", 130.0), ("b1", "b3", 220.0), ("b3", "b99", 5.0)], meters=meters)
    area = built(tmp_path, **given)
    rows = area.meters.set_index("meter_id")
    assert rows["x_m"].to_dict() == {"a": X + 100, "b": X + 300, "c": X}
    assert all("place" in flag.split("+") for flag in rows["data_flag"])
    assert (rows["transformer"] == 0).all()
    assert sorted(area.feeders.edge_length_m) == [130.0, 220.0]
    assert sorted(shape.length for shape in area.feeders.edge_geometry) == pytest.approx([100.0, 200.0])
    assert area.listed[["layer", "code", "id"]].to_numpy().tolist()[-1] == ["meters", "unknown_bus", "d"]
    assert ["cables", "unknown_bus", "l2"] in area.listed[["layer", "code", "id"]].to_numpy().tolist()
    assert any("3 of 4 meters have no coordinates and lie at their bus" in note for note in area.notes)
    assert any("2 of 3 cables have no coordinates and are drawn straight" in note for note in area.notes)
    conserved(area)


def test_single_rows_without_coordinates_take_them_from_the_bus(tmp_path):
    meters = {"meter_id": ["a", "b"], "bus": ["b1", "b2"], "x": [X + 90, ""], "y": [Y, ""]}
    given = network(tmp_path, [("b0", "b1", 100.0), ("b1", "b2", 100.0)], meters=meters)
    rows = built(tmp_path, **given | {"meters": LayerInput("m.csv", crs=CRS)}).meters.set_index("meter_id")
    assert rows["x_m"].to_dict() == {"a": X + 90, "b": X + 200}
    assert "place" not in rows.loc["a", "data_flag"]


def test_buses_may_lie_in_another_crs_than_the_rest(tmp_path):
    given = network(tmp_path, [("b0", "b1", 100.0)])
    gpd.read_file(tmp_path / "b.gpkg").to_crs("EPSG:4326").to_file(tmp_path / "b2.gpkg")
    area = built(tmp_path, **given | {"buses": LayerInput("b2.gpkg")})
    assert area.meters["x_m"].iloc[0] == pytest.approx(X + 100, abs=0.01)


def test_a_cable_table_must_say_its_lengths_and_buses(tmp_path):
    given = network(tmp_path, [("b0", "b1", 100.0)])
    pd.DataFrame({"from_bus": ["b0"], "to_bus": ["b1"]}).to_csv(tmp_path / "c.csv", index=False)
    refused(tmp_path, r"c\.csv: area\.cables has no geometry and no length; map length_m or length_km", **given)
    pd.DataFrame({"from": ["b0"], "length_m": [1.0]}).to_csv(tmp_path / "c.csv", index=False)
    refused(tmp_path, r"c\.csv: area\.cables has neither geometry nor from_bus and to_bus", **given)
    given = network(tmp_path, [("b0", "b1", 100.0), ("b1", "b2", "")])
    refused(tmp_path, r"c\.csv: layer cables, line 3, cable l1: it has neither a length nor a drawn course", **given)


def test_a_joint_keeps_what_is_behind_it(tmp_path):
    lines = [("b0", "b1", 100.0), ("b1", "b2", 0.0), ("b2", "b3", 50.0), ("b3", "b3", 10.0), ("b3", "b99", 5.0)]
    meters = {"meter_id": ["m1", "m3", "m4"], "bus": ["b1", "b3", "b4"]}
    area = built(tmp_path, **network(tmp_path, lines, meters=meters, zero_length_cables="joint"))
    cables = area.listed[area.listed["layer"] == "cables"]
    assert sorted(cables[["id", "code"]].to_numpy().tolist()) == [["l3", "self_loop"], ["l4", "unknown_bus"]]
    assert area.qa[area.qa["code"] == "zero_length"]["id"].tolist() == ["l1"]
    rows = area.meters.set_index("meter_id")
    assert rows.loc["m3", "transformer"] == 0
    assert sorted(area.feeders.edge_length_m) == [0.1, 50.0, 100.0]
    conserved(area)


def test_drawn_cables_without_extent_or_on_one_bus(tmp_path):
    given = network(tmp_path, [("b0", "b1", 100.0)])
    shapes = [shapely.LineString([(X, Y), (X + 100, Y)]), shapely.LineString([(X + 100, Y), (X + 100, Y)])]
    names = {"cable_id": ["l0", "l1"], "from_bus": ["b0", "b1"], "to_bus": ["b1", "b2"]}
    gpd.GeoDataFrame(names, geometry=shapes, crs=CRS).to_file(tmp_path / "c.gpkg")
    given |= {"cables": LayerInput("c.gpkg")}
    refused(tmp_path, r"c\.gpkg: layer cables, row 2, cable l1: its length is 0; .*zero_length_cables", **given)
    area = built(tmp_path, **given, zero_length_cables="joint")
    assert area.qa[area.qa["code"] == "zero_length"]["id"].tolist() == ["l1"]
    assert area.feeders.edge_from.size == 2


def test_duplicated_buses_and_two_transformers_on_one_bus(tmp_path):
    given = network(tmp_path, [("b0", "b1", 100.0)], sites=(("t1", "b0"), ("t2", "b0")))
    frame = gpd.read_file(tmp_path / "b.gpkg")
    again = frame.iloc[[1]].set_geometry([shapely.Point(X + 5000, Y)], crs=CRS)
    pd.concat([again, frame], ignore_index=True).to_file(tmp_path / "b.gpkg")
    area = built(tmp_path, **given)
    listed = area.listed[area.listed["code"] == "duplicate_id"]
    assert listed[["layer", "row", "id"]].to_numpy().tolist() == [["buses", 1, "b1"]]
    assert area.meters["x_m"].tolist() == [X + 100]
    shared = area.qa[area.qa["code"] == "shared_bus"]
    assert len(shared) == 1
    assert sorted(area.transformers["n_meters"]) == [0, 1]
    conserved(area)


def test_meters_on_an_island_are_kept_without_transformer(tmp_path):
    lines = [("b0", "b1", 100.0), ("b3", "b4", 100.0)]
    meters = {"meter_id": ["fed", "island"], "bus": ["b1", "b4"]}
    area = built(tmp_path, **network(tmp_path, lines, meters=meters))
    assert area.meters.set_index("meter_id")["transformer"].to_dict() == {"fed": 0, "island": -1}
    assert (area.qa["code"] == "island").sum() == 1
    assert any("1 of 2 meters hang on no transformer" in note for note in area.notes)


def test_a_transformer_without_rating_takes_the_rule(tmp_path):
    given = network(tmp_path, [("b0", "b1", 100.0)], rules=InferenceRules(default_rating_kva=160.0))
    sites = built(tmp_path, **given).transformers
    assert sites[["rated_kva", "data_flag"]].to_numpy().tolist() == [[160.0, "rated_kva"]]


# --- size -----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_hundred_thousand_meters(tmp_path):
    draws = np.random.default_rng(1)
    n = 100_000
    x, y = X + draws.uniform(0, 15000, n), Y + draws.uniform(0, 15000, n)
    columns = {"meter_id": [f"m{i}" for i in range(n)], "x": x.round(2), "y": y.round(2)}
    pd.DataFrame(columns).to_csv(tmp_path / "m.csv", index=False)
    area = built(tmp_path, meters=LayerInput("m.csv", crs=CRS), crs=CRS)
    assert area.n_meters == n
    assert (area.meters["transformer"] >= 0).mean() > 0.99
