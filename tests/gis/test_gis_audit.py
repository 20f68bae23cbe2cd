import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from amiplan.gis.assemble import build_area
from amiplan.gis.audit import CODES, audit_shapes, clip_to
from amiplan.gis.inputs import AreaInputs, InferenceRules, LayerInput
from amiplan.gis.readers import read_layer
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS

UTM = CRS.from_epsg(32632)
LON, LAT = 11.50, 50.00


def rows(n=20):
    index = np.arange(n)
    return pd.DataFrame({"meter_id": [f"m{i}" for i in index], "lon": LON + index * 1e-4, "lat": LAT + index * 5e-5})


def audited(tmp_path, frame, **more):
    frame.to_csv(tmp_path / "m.csv", index=False)
    inputs = AreaInputs("made", meters=LayerInput("m.csv", crs="EPSG:4326"), **more)
    return build_area(inputs, tmp_path)[0]


FAULTS = {
    "no_place": {"lon": "", "lat": ""},
    "zero_place": {"lon": 0, "lat": 0},
    "bad_place": {"lon": 11.5, "lat": 95.0},
    "swapped_lat_lon": {"lon": LAT, "lat": LON},
    "outside_area": {"lon": 13.0, "lat": 52.0},
    "duplicate_id": {"meter_id": "m0"},
    "bad_value": {"height_m": -3},
}


@pytest.mark.parametrize("code", FAULTS)
def test_each_fault_is_listed_and_stops_nothing(tmp_path, code):
    frame = rows().assign(height_m=2.0).astype(object)
    for name, value in FAULTS[code].items():
        frame.loc[7, name] = value
    area = audited(tmp_path, frame)
    assert area.listed[["layer", "code"]].to_numpy().tolist() == [["meters", code]]
    assert area.n_meters == 19
    assert area.n_meters_in == 20
    if code != "duplicate_id":
        assert area.listed["row"].tolist() == [9]  # the line of the file
        assert area.listed["id"].tolist() == ["m7"]
    else:  # the south-western one stays whatever the order
        assert area.listed["row"].tolist() == [9]  # the line of the file
    assert code in CODES


def test_boundary_decides_what_is_outside_or_swapped(tmp_path):
    frame = rows()
    frame.loc[3, ["lon", "lat"]] = (LON + 0.05, LAT)
    frame.loc[4, ["lon", "lat"]] = (LAT, LON)
    box = shapely.box(LON - 0.01, LAT - 0.01, LON + 0.01, LAT + 0.01)
    gpd.GeoDataFrame(geometry=[box], crs="EPSG:4326").to_file(tmp_path / "b.geojson")
    area = audited(tmp_path, frame, boundary=LayerInput("b.geojson"))
    assert area.listed["code"].tolist() == ["outside_area", "swapped_lat_lon"]
    gpd.GeoDataFrame(geometry=[box.exterior], crs="EPSG:4326").to_file(tmp_path / "b.geojson")
    assert audited(tmp_path, frame, boundary=LayerInput("b.geojson")).boundary.area > 1e6
    gpd.GeoDataFrame(geometry=[shapely.Point(LON, LAT)], crs="EPSG:4326").to_file(tmp_path / "b.geojson")
    with pytest.raises(ValueError, match="no polygon and no closed line"):
        audited(tmp_path, frame, boundary=LayerInput("b.geojson"))


def test_more_than_max_bad_share_is_refused(tmp_path):
    frame = rows()
    frame.loc[:4, ["lon", "lat"]] = 0.0
    told = r"5 of 20 rows are faulty \(5 zero_place; first line 2, \S+: the row lies at \(0, 0\)\).*max_bad_share = 0.2"
    with pytest.raises(ValueError, match=told):
        audited(tmp_path, frame)
    assert audited(tmp_path, frame, max_bad_share=0.25).n_meters == 15


def test_unusable_and_empty_layers_are_refused(tmp_path):
    frame = rows(5)
    frame["meter_id"] = ["m0"] * 5
    frame[["lon", "lat"]] = 0.0
    with pytest.raises(ValueError, match="the area is empty"):
        audited(tmp_path, frame)
    with pytest.raises(ValueError, match="has no rows; the area is empty"):
        audited(tmp_path, frame.iloc[:0])
    with pytest.raises(ValueError, match="nothing says where the meters are"):
        build_area(AreaInputs("none"), tmp_path)
    box = shapely.box(20, 20, 21, 21)
    gpd.GeoDataFrame(geometry=[box], crs="EPSG:4326").to_file(tmp_path / "b.geojson")
    with pytest.raises(ValueError, match="is unusable: all 20 rows"):
        audited(tmp_path, rows(), boundary=LayerInput("b.geojson"))


def test_bad_rules_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"rules\.usable_ratio = 2"):
        audited(tmp_path, rows(), rules=InferenceRules(usable_ratio=2.0))
    with pytest.raises(ValueError, match=r"rules\.dwelling_phases = 2: write 1 or 3"):
        audited(tmp_path, rows(), rules=InferenceRules(dwelling_phases=2))


def test_shapes_without_place_are_listed_and_far_ones_clipped(tmp_path):
    shapes = [shapely.box(LON, LAT, LON + 0.001, LAT + 0.001), None, shapely.box(12, 50, 12.1, 50.1)]
    gpd.GeoDataFrame({"landuse": ["forest"] * 3}, geometry=shapes, crs="EPSG:4326").to_file(tmp_path / "l.gpkg")
    found = audit_shapes(read_layer(LayerInput("l.gpkg"), tmp_path, "landuse"), UTM)
    assert found.listed["code"].tolist() == ["no_place"]
    near = clip_to(found, found.frame.geometry.iloc[0].buffer(10.0))
    assert (len(near.frame), near.n_clipped) == (1, 1)


@settings(max_examples=8, deadline=None)
@given(st.lists(st.sampled_from([None, *FAULTS]), min_size=25, max_size=25), st.randoms())
def test_n_in_is_used_plus_listed_and_order_does_not_matter(tmp_path_factory, faults, random):
    frame = rows(60).assign(height_m=2.0).astype(object)
    for row, code in enumerate(faults):
        for name, value in FAULTS.get(code, {}).items():
            frame.loc[row + 1, name] = value
    shuffled = list(range(60))
    random.shuffle(shuffled)
    first = audited(tmp_path_factory.mktemp("a"), frame, max_bad_share=0.9)
    again = audited(tmp_path_factory.mktemp("b"), frame.iloc[shuffled], max_bad_share=0.9)
    assert first.n_meters + len(first.listed) == first.n_meters_in == 60
    assert sum(source.rows_listed for source in first.sources) == len(first.listed)
    assert first.meters["meter_id"].tolist() == again.meters["meter_id"].tolist()
    assert first.meters["x_m"].tolist() == again.meters["x_m"].tolist()
    assert first.listed["code"].value_counts().to_dict() == again.listed["code"].value_counts().to_dict()
    assert np.array_equal(first.feeders.edge_length_m, again.feeders.edge_length_m)
