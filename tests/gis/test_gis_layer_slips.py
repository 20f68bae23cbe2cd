"""Slips in single rows and in the CRS of a whole layer: listed by row, or refused in one line that names the fix."""

from itertools import pairwise

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from amiplan.gis.assemble import build_area
from amiplan.gis.inputs import AreaInputs, LayerInput
from shapely.geometry import LineString, Point, Polygon

X, Y, N = 660_000.0, 4_467_000.0, 12
CRS, NEXT_ZONE = "EPSG:25830", "EPSG:25831"


def network():
    """A street: transformer at its end, a main cable from joint to joint, a service cable to each meter."""
    joints = [Point(X + 40 * n, Y) for n in range(N + 1)]
    meters = [Point(X + 40 * n, Y + 20) for n in range(1, N + 1)]
    drawn = [LineString(pair) for pair in pairwise(joints)]
    drawn += [LineString(pair) for pair in zip(joints[1:], meters, strict=True)]
    sites = [joints[0], *(Point(X + 40 * n, Y - 400) for n in range(1, 6))]  # only the first feeds anything
    return {
        "meters": frame(meters, meter_id=[f"m{n}" for n in range(N)]),
        "transformers": frame(sites, transformer_id=[f"T{n}" for n in range(6)], rated_kva=400.0),
        "cables": frame(drawn, cable_id=[f"c{n}" for n in range(2 * N)], cable="NAYY 4x150"),
    }


def frame(shapes, **columns):
    return gpd.GeoDataFrame(columns, geometry=list(shapes), crs=CRS)


def built(folder, layers, **given):
    (folder / "net.gpkg").unlink(missing_ok=True)
    with np.errstate(invalid="ignore"):
        for name, layer in layers.items():
            layer.to_file(folder / "net.gpkg", layer=name)
    inputs = {name: LayerInput("net.gpkg", name) for name in layers}
    return build_area(AreaInputs("made", **{**inputs, **given}), folder)[0]


def listed(area, role):
    rows = area.listed[area.listed["layer"] == role]
    return list(zip(rows["id"], rows["code"], strict=True))


# --- coordinates that are no numbers --------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [[(X, Y), (np.nan, Y), (X + 40, Y)], [(X, Y), (X + 40, np.nan)]])
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_cable_with_a_vertex_that_is_no_number_is_listed(tmp_path, bad):
    layers = network()
    with np.errstate(invalid="ignore"):
        layers["cables"].loc[N + 3, "geometry"] = LineString(bad)
    area = built(tmp_path, layers)
    assert listed(area, "cables") == [(f"c{N + 3}", "bad_place")]
    assert len(area.meters) == N


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_polygons_with_a_vertex_that_is_no_number_are_listed(tmp_path):
    boxes = [shapely.box(X + 40 * n, Y, X + 40 * n + 10, Y + 10) for n in range(N)]
    with np.errstate(invalid="ignore"):
        boxes[4] = Polygon([(X, Y), (X + 10, np.nan), (X + 10, Y + 10), (X, Y + 10)])
    layers = network()
    layers["meters"] = frame(boxes, meter_id=[f"m{n}" for n in range(N)])
    layers["buildings"] = frame(boxes, building_id=[f"b{n}" for n in range(N)])
    area = built(tmp_path, layers)
    assert listed(area, "meters") == [("m4", "bad_place")]
    assert listed(area, "buildings") == [("b4", "bad_place")]
    assert len(area.meters) == N - 1


def test_a_point_without_numbers_has_no_place(tmp_path):
    layers = network()
    layers["meters"].loc[2, "geometry"] = Point(np.nan, Y)
    assert listed(built(tmp_path, layers), "meters") == [("m2", "no_place")]


# --- transformers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "fits"), [(0.1, 0), (0.999, 0), (1, 1), (5000, 1), (5001, 0), (100_000, 0), (-4, 0)])
def test_a_rating_beyond_the_limits_of_the_rule_is_listed(tmp_path, value, fits):
    layers = network()
    layers["transformers"].loc[3, "rated_kva"] = value
    area = built(tmp_path, layers)
    assert listed(area, "transformers") == ([] if fits else [("T3", "bad_value")])
    if not fits:
        assert "rated_kva (or rated_mva) is no rating from 1 to 5000 kVA" in area.listed["detail"].iloc[0]
    layers["transformers"] = layers["transformers"].assign(rated_mva=layers["transformers"]["rated_kva"] / 1000)
    in_mva = built(tmp_path, layers | {"transformers": layers["transformers"].drop(columns="rated_kva")})
    assert listed(in_mva, "transformers") == listed(area, "transformers")


def test_an_empty_rating_takes_the_rule(tmp_path):
    layers = network()
    layers["transformers"].loc[3, "rated_kva"] = np.nan
    rows = built(tmp_path, layers).transformers.set_index("transformer_id")
    assert (rows.loc["T3", "rated_kva"], rows.loc["T3", "data_flag"]) == (400.0, "rated_kva")


def test_a_transformer_out_of_service_feeds_nobody(tmp_path):
    layers = network()
    layers["transformers"]["in_service"] = ["yes"] * 4 + ["no", "maybe"]
    area = built(tmp_path, layers)
    assert listed(area, "transformers") == [("T5", "bad_value"), ("T4", "not_in_service")]
    assert set(area.transformers["transformer_id"]) == {"T0", "T1", "T2", "T3"}


def test_of_two_transformers_of_one_id_the_one_in_service_stays(tmp_path):
    layers = network()
    layers["transformers"]["transformer_id"] = ["T0", "T1", "T2", "T3", "T4", "T4"]
    layers["transformers"]["in_service"] = ["yes"] * 4 + ["no", "yes"]
    area = built(tmp_path, layers)
    assert listed(area, "transformers") == [("T4", "not_in_service")]
    assert "T4" in set(area.transformers["transformer_id"])


def test_a_network_without_any_cable_in_service_is_refused(tmp_path):
    layers = network()
    layers["cables"]["in_service"] = "no"
    place = layers["meters"].geometry.iloc[:1]
    layers["switches"] = frame(place, element=["c0"], bus=["b0"], closed=["no"], et=["l"])
    with pytest.raises(ValueError, match=r"net\.gpkg: no row of the layer cables is in service"):
        built(tmp_path, layers)


def test_the_refusal_of_a_layer_names_row_id_and_cause(tmp_path):
    layers = network()
    layers["meters"]["phase"] = ["L1", "L1", *["L4"] * 4, *["L2"] * 6]
    with pytest.raises(
        ValueError, match=r"4 of 12 rows are faulty \(4 bad_value; first row 3, m2: phase is none of L1"
    ):
        built(tmp_path, layers)


# --- layers in the wrong zone ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["cables", "meters", "transformers"])
def test_cables_far_from_everything_are_refused_with_both_crs(tmp_path, role):
    layers = network()
    layers[role] = layers[role].set_crs(NEXT_ZONE, allow_override=True)
    with pytest.raises(ValueError, match=r"net\.gpkg: none of \d+ (meters|transformers) lies within 1000 m") as caught:
        built(tmp_path, layers)
    text = str(caught.value)
    named = "meters" if role == "meters" else "transformers"
    theirs, cables = (CRS, NEXT_ZONE) if role == "cables" else (NEXT_ZONE, CRS)
    assert f"layer {named} is read as {theirs}" in text
    assert f"layer cables (net.gpkg) as {cables}" in text
    assert f"area.{named}.crs or area.cables.crs" in text
    assert "\n" not in text


def test_meters_far_from_cables_that_a_transformer_stands_by_are_refused(tmp_path):
    layers = network()
    layers["meters"] = layers["meters"].translate(30_000).to_frame("geometry").assign(meter_id=list("abcdefghijkl"))
    with pytest.raises(
        ValueError, match=r"none of 12 meters lies within 1000 m of a cable \(in the median 29\.[0-9]+ km"
    ):
        built(tmp_path, layers)


def test_a_few_meters_near_the_cables_are_not_enough_and_more_are(tmp_path):
    layers = network()
    near, n = layers["meters"], 200
    far = frame([Point(X + 20_000 + 30 * i, Y + 30_000) for i in range(n)], meter_id=[f"far{i}" for i in range(n)])
    one = pd.concat([near.iloc[:1], far], ignore_index=True)
    with pytest.raises(ValueError, match="only 1 of 201 meters lies within 1000 m of a cable"):
        built(tmp_path, layers | {"meters": one}, boundary=around(tmp_path))
    area = built(tmp_path, layers | {"meters": pd.concat([near, far], ignore_index=True)}, boundary=around(tmp_path))
    assert (area.meters["feeder_node"] >= 0).sum() == N


def test_meters_far_by_place_that_name_their_bus_are_joined(tmp_path):
    layers = network()
    ends = [(f"j{n}", f"j{n + 1}") for n in range(N)] + [(f"j{n + 1}", f"b{n}") for n in range(N)]
    layers["cables"] = layers["cables"].assign(from_bus=[a for a, _ in ends], to_bus=[b for _, b in ends])
    layers["meters"] = frame(
        layers["meters"].translate(30_000), meter_id=[f"m{n}" for n in range(N)], bus=[f"b{n}" for n in range(N)]
    )
    area = built(tmp_path, layers)
    assert (area.meters["feeder_node"] >= 0).all()


def around(folder):
    frame([shapely.box(X - 1000, Y - 1000, X + 40_000, Y + 40_000)]).to_file(folder / "around.gpkg")
    return LayerInput("around.gpkg")
