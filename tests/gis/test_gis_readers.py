import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from amiplan.gis.crs import working_crs
from amiplan.gis.inputs import LayerInput
from amiplan.gis.readers import read_layer, row_word
from shapely.geometry import Point, Polygon

POINTS = gpd.GeoDataFrame(
    {"meter_id": ["m1", "m2"]}, geometry=[Point(11.50, 50.00), Point(11.51, 50.01)], crs="EPSG:4326"
)


def meters(tmp_path, **given):
    return read_layer(LayerInput(**given), tmp_path, "meters")


@pytest.mark.parametrize("name", ["m.gpkg", "m.shp", "m.geojson"])
def test_vector_formats_give_the_same_places(tmp_path, name):
    POINTS.to_file(tmp_path / name)
    layer = meters(tmp_path, path=name)
    assert list(layer.places.geometry.x) == pytest.approx([11.50, 11.51])
    assert layer.crs.to_epsg() == 4326
    assert len(layer.digest) == 32
    assert layer.frame["row"].tolist() == [1, 2]


def test_geoparquet(tmp_path):
    POINTS.to_parquet(tmp_path / "m.parquet")
    assert meters(tmp_path, path="m.parquet").places.geometry.y.tolist() == [50.0, 50.01]
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "plain.parquet")
    with pytest.raises(ValueError, match="not a GeoParquet"):
        meters(tmp_path, path="plain.parquet")


def test_kml_polygon_is_wgs84(tmp_path):
    ring = "11.4,49.9,0 11.6,49.9,0 11.6,50.1,0 11.4,50.1,0 11.4,49.9,0"
    (tmp_path / "a.kml").write_text(
        '<?xml version="1.0"?><kml xmlns="http://www.opengis.net/kml/2.2"><Document><Placemark><name>a</name><Polygon>'
        f"<outerBoundaryIs><LinearRing><coordinates>{ring}</coordinates></LinearRing></outerBoundaryIs>"
        "</Polygon></Placemark></Document></kml>"
    )
    layer = read_layer(LayerInput("a.kml"), tmp_path, "boundary")
    assert layer.crs.to_epsg() in (4326, 4979)
    assert layer.places.total_bounds.tolist() == pytest.approx([11.4, 49.9, 11.6, 50.1])


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-8-sig"])
def test_csv_with_decimal_commas_and_semicolons(tmp_path, encoding):
    (tmp_path / "m.csv").write_bytes("Zähler;Breite;Länge\nä1;50,00;11,50\nä2;50,01;11,51\n".encode(encoding))
    layer = meters(tmp_path, path="m.csv", crs="EPSG:4326", x="Länge", y="Breite", columns={"meter_id": "Zähler"})
    assert layer.places.geometry.x.tolist() == [11.50, 11.51]
    assert layer.frame["meter_id"].tolist() == ["ä1", "ä2"]


def test_csv_projected_and_missing_coordinates(tmp_path):
    (tmp_path / "m.csv").write_text("meter_id,x,y\na,680000.5,5540000\nb,,5540010\nc,oops,1\n")
    layer = meters(tmp_path, path="m.csv", crs="EPSG:32632")
    assert layer.places.geometry.iloc[0].coords[0] == (680000.5, 5540000.0)
    assert layer.places.geometry.isna().tolist() == [False, True, True]


def test_csv_without_coordinates_is_a_table(tmp_path):
    (tmp_path / "s.csv").write_text("bus,element,et,closed\n1,2,l,false\n")
    layer = read_layer(LayerInput("s.csv"), tmp_path, "switches")
    assert not layer.has_places
    with pytest.raises(ValueError, match="has no geometry"):
        _ = layer.places


def test_rows_of_a_text_file_are_counted_as_its_lines(tmp_path):
    (tmp_path / "m.csv").write_text('\nsep=;\nmeter_id;lon;lat\na;1;2\n\n;;\n"b\nb";1;2\n"c";1;2\n')
    frame = meters(tmp_path, path="m.csv", crs="EPSG:4326").frame
    assert frame["row"].tolist() == [4, 7, 9]
    assert frame["meter_id"].tolist() == ["a", "b\nb", "c"]
    assert [row_word(path) for path in ("M.CSV", "a/m.txt", "m.gpkg", "m.parquet")] == ["line", "line", "row", "row"]


def test_projected_feet_are_said(tmp_path):
    feet = gpd.GeoDataFrame(geometry=[Point(985000.0, 200000.0)], crs="EPSG:2263")
    feet.to_file(tmp_path / "ny.gpkg")
    layer = meters(tmp_path, path="ny.gpkg")
    assert "converted to metres" in layer.notes[0]
    metres = layer.places.to_crs(working_crs(None, -74.0, 40.7)).geometry.x.iloc[0]
    assert 580000 < metres < 590000


def test_an_override_of_the_crs_is_said(tmp_path):
    POINTS.to_file(tmp_path / "m.gpkg")
    assert "overridden" in meters(tmp_path, path="m.gpkg", crs="EPSG:4258").notes[0]


def test_osm_extract(tmp_path):
    pytest.importorskip("osmium")
    import gzip

    nodes = [(1, 50.0, 11.5), (2, 50.0, 11.501), (3, 50.001, 11.501), (4, 50.001, 11.5)]
    xml = "<?xml version='1.0'?><osm version='0.6'>"
    xml += "".join(f'<node id="{i}" version="1" lat="{y}" lon="{x}"/>' for i, y, x in nodes)
    xml += '<node id="5" version="1" lat="50.0005" lon="11.5005"><tag k="power" v="pole"/></node>'
    way = "".join(f'<nd ref="{i}"/>' for i in (1, 2, 3, 4, 1))
    xml += f'<way id="1" version="1">{way}<tag k="building" v="house"/><tag k="building:levels" v="2"/></way>'
    xml += '<way id="2" version="1"><nd ref="1"/><nd ref="2"/><tag k="highway" v="residential"/></way></osm>'
    with gzip.open(tmp_path / "a.osm.gz", "wt") as stream:
        stream.write(xml)
    houses = read_layer(LayerInput("a.osm.gz"), tmp_path, "buildings")
    assert houses.frame[["building", "levels"]].to_numpy().tolist() == [["house", "2"]]
    assert read_layer(LayerInput("a.osm.gz"), tmp_path, "roads").places.geom_type.tolist() == ["LineString"]
    assert read_layer(LayerInput("a.osm.gz"), tmp_path, "power").frame["power"].tolist() == ["pole"]
    with pytest.raises(ValueError, match="cannot be taken from an OSM extract"):
        read_layer(LayerInput("a.osm.gz"), tmp_path, "meters")


def test_missing_osmium_names_the_extra(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "osmium", None)
    (tmp_path / "a.osm.gz").write_bytes(b"")
    with pytest.raises(ValueError, match=r"amiplan\[osm\]"):
        read_layer(LayerInput("a.osm.gz"), tmp_path, "roads")


def test_refusals(tmp_path):
    two = tmp_path / "two.gpkg"
    POINTS.to_file(two, layer="a")
    POINTS.to_file(two, layer="b")
    (tmp_path / "bad.gpkg").write_text("no map")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "m.csv").write_text("meter_id,lon,lat\na,11.5,50.0\n")
    (tmp_path / "metres.csv").write_text("meter_id,x,y\na,680000,5540000\n")
    for given, words in [
        ({"path": "none.gpkg"}, r"none\.gpkg: there is no such file"),
        ({"path": "two.gpkg"}, "has the layers a, b"),
        ({"path": "two.gpkg", "layer": "c"}, 'has no layer "c"'),
        ({"path": "two.gpkg", "layer": "a", "columns": {"meter": "meter_id"}}, 'did you mean "meter_id"'),
        ({"path": "two.gpkg", "layer": "a", "columns": {"meter_id": "metre_id"}}, 'no column "metre_id"'),
        ({"path": "bad.gpkg"}, "not a map layer"),
        ({"path": "empty.csv"}, "the file is empty"),
        ({"path": "m.csv"}, "has no CRS; write area.meters.crs"),
        ({"path": "m.csv", "crs": "EPSG:0"}, "is not a known CRS"),
        ({"path": "m.csv", "crs": "EPSG:25832"}, "degrees where metres are needed"),
        ({"path": "metres.csv", "crs": "EPSG:4326"}, "metres where degrees are expected"),
        ({"path": "m.csv", "crs": "EPSG:4326", "x": "lon", "y": "Lat"}, 'no coordinate column "Lat"'),
    ]:
        with pytest.raises(ValueError, match=words):
            meters(tmp_path, **given)


def test_working_crs():
    assert working_crs(None, 11.5, 50.0).to_epsg() == 32632
    assert working_crs(None, 151.2, -33.9).to_epsg() == 32756
    assert working_crs("EPSG:25832", 0, 0).to_epsg() == 25832
    for override, words in [
        ("EPSG:4326", "degrees where metres"),
        ("EPSG:2263", "not the metre"),
        ("x", "not a known"),
    ]:
        with pytest.raises(ValueError, match=words):
            working_crs(override, 11.5, 50.0)
    with pytest.raises(ValueError, match="no UTM zone"):
        working_crs(None, 0.0, 89.0)


def test_empty_polygon_is_no_layer_fault(tmp_path):
    frame = gpd.GeoDataFrame({"building": ["yes"]}, geometry=[Polygon()], crs="EPSG:4326")
    frame.to_file(tmp_path / "b.gpkg")
    assert len(read_layer(LayerInput("b.gpkg"), tmp_path, "buildings").frame) == 1
    assert np.isfinite(POINTS.total_bounds).all()
