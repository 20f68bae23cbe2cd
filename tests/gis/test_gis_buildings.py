import geopandas as gpd
import numpy as np
import pytest
import shapely
from amiplan.gis.buildings import (
    address_buildings,
    classify_buildings,
    meters_from_addresses,
    meters_from_buildings,
    meters_from_cells,
)
from amiplan.gis.clutter import CLUTTER_CODES, built_ratio, clutter_at, landuse_clutter, polygon_at
from amiplan.gis.inputs import InferenceRules, rules_table

CRS = "EPSG:32632"
RULES = InferenceRules(dwelling_area_m2=100.0, usable_ratio=0.5, residential_levels=2.0)
NONE = gpd.GeoDataFrame({"landuse": []}, geometry=[], crs=CRS)


def square(x, y, area_m2):
    half = np.sqrt(area_m2) / 2
    return shapely.box(x - half, y - half, x + half, y + half)


def frame(shapes, **columns):
    return gpd.GeoDataFrame(columns, geometry=list(shapes), crs=CRS)


def counted(area_m2=120.0, land="residential", address=False, **tags):
    tags = {"building": "yes", **tags}
    house = frame([square(500100, 5540100, area_m2)], **{name: [value] for name, value in tags.items()})
    landuse = frame([square(500100, 5540100, 90000)], landuse=[land])
    points = frame([shapely.Point(500100, 5540100)] if address else [])
    answer = classify_buildings(house, points, landuse, RULES)
    return answer["use"].iloc[0], int(answer["n_meters"].iloc[0])


@pytest.mark.parametrize(
    ("given", "answer"),
    [
        ({}, ("house", 1)),  # 120 m2 x 2 levels x 0.5 / 100 = 1.2
        ({"area_m2": 200.0}, ("house", 2)),
        ({"area_m2": 500.0}, ("flat", 5)),
        ({"area_m2": 40.0}, ("none", 0)),
        ({"area_m2": 40.0, "address": True}, ("house", 1)),
        ({"building": "garage"}, ("none", 0)),
        ({"building": "garage", "address": True}, ("none", 0)),
        ({"building": "house", "area_m2": 300.0}, ("house", 1)),
        ({"building": "apartments", "area_m2": 400.0, "levels": "5"}, ("flat", 10)),
        ({"building": "retail"}, ("commercial", 1)),
        ({"amenity": "pub"}, ("commercial", 1)),
        ({"amenity": "shelter", "area_m2": 20.0}, ("none", 0)),
        ({"land": "industrial", "area_m2": 2000.0}, ("commercial", 1)),
        ({"land": "farmyard", "area_m2": 150.0}, ("farm", 1)),
        ({"land": "farmyard", "area_m2": 500.0}, ("none", 0)),
        ({"land": "farmyard", "area_m2": 500.0, "address": True}, ("farm", 1)),
        ({"land": "allotments", "area_m2": 60.0}, ("none", 0)),
        ({"dwellings": 7}, ("flat", 7)),
        ({"dwellings": 0}, ("house", 0)),
    ],
)
def test_the_dwelling_rule(given, answer):
    assert counted(**given) == answer


def test_flats_share_a_point_and_rise_floor_by_floor():
    block = frame([square(500000, 5540000, 400)], building=["apartments"], levels=["3"], building_id=["B7"])
    meters = meters_from_buildings(classify_buildings(block, frame([]), NONE, RULES), RULES)
    assert meters["meter_id"].tolist() == [f"B7/{n}" for n in range(1, 7)]
    assert meters["height_m"].tolist() == [1.5, 1.5, 4.5, 4.5, 7.5, 7.5]
    assert meters["x_m"].nunique() == 1
    assert set(meters["phases"]) == {1}


def test_addresses_join_the_nearest_building_or_stand_alone():
    houses = frame([square(500000, 5540000, 100), square(500100, 5540000, 100)], building=["yes", "yes"])
    places = frame([shapely.Point(500012, 5540000), shapely.Point(500094, 5540000), shapely.Point(500500, 5540000)])
    houses = classify_buildings(houses, places, NONE, RULES)
    assert address_buildings(places, houses, RULES).tolist() == [1, 2, 0]
    alone = meters_from_addresses(places, houses, RULES)
    assert (len(alone), alone["x_m"].iloc[0]) == (1, 500500.0)


def test_cells_spread_meters_inside_and_repeatably():
    ring = shapely.Point(500000, 5540000).buffer(400).difference(shapely.Point(500000, 5540000).buffer(300))
    cells = frame([ring, square(501000, 5540000, 10000)], population=[100.0, np.nan], dwellings=[np.nan, 7])
    meters = meters_from_cells(cells.assign(cell_id=["a", "b"]), RULES, 3)
    assert len(meters) == 50 + 7
    assert shapely.contains_xy(ring, meters["x_m"][:50], meters["y_m"][:50]).all()
    assert meters["x_m"].nunique() == 57
    again = meters_from_cells(cells.assign(cell_id=["a", "b"]).iloc[::-1], RULES, 3).sort_values("meter_id")
    assert again["x_m"].tolist() == meters.sort_values("meter_id")["x_m"].tolist()
    other = meters_from_cells(cells.assign(cell_id=["a", "b"]), RULES, 4)
    assert (other["x_m"].to_numpy() != meters["x_m"].to_numpy()).all()
    with pytest.raises(ValueError, match="neither a column dwellings nor population"):
        meters_from_cells(frame([ring]), RULES, 0)


def test_clutter_from_land_use_and_from_density():
    land = frame(
        [square(500000, 5540000, 4e6), square(500000, 5540000, 1e4), square(510000, 5540000, 1e4)],
        landuse=["forest", "residential", ""],
        natural=["", "", "water"],
    )
    land = land.assign(clutter=landuse_clutter(land))
    assert land["clutter"].tolist() == [3, 1, 5]
    x, y = np.array([500000.0, 500800.0, 510000.0, 530000.0]), np.full(4, 5540000.0)
    assert clutter_at(x, y, land, frame([]), RULES).tolist() == [1, 3, 5, 0]
    assert polygon_at(x, y, land).tolist() == [1, 0, 2, -1]
    squares = [square(500100 + 200 * i, 5540100 + 200 * j, 28000) for i in range(-1, 2) for j in range(-1, 2)]
    dense = frame(squares)
    assert built_ratio(np.array([500100.0]), np.array([5540100.0]), dense) == pytest.approx(0.7)
    assert clutter_at(np.array([500000.0]), np.array([5540000.0]), land, dense, RULES).tolist() == [4]
    assert list(CLUTTER_CODES.values()) == list(range(6))


def test_every_rule_tells_its_source():
    for row in rules_table(RULES):
        assert row["meaning"]
        assert row["source"]
        assert row["confidence"] in "ABC"


def named(addresses, n=3):
    houses = frame([square(500000 + 50 * i, 5540000, 100) for i in range(n)], building=["yes"] * n)
    shapes = [shapely.Point(500000 + 50 * i + dx, 5540000) for i, dx, *_ in addresses]
    keys = ("addr_street", "addr_housenumber", "addr_postcode", "addr_place")
    columns = {key: [row[2 + k] for row in addresses] for k, key in enumerate(keys)}
    columns = {key.removeprefix("addr_"): values for key, values in columns.items()}
    houses = classify_buildings(houses, frame(shapes, **columns), NONE, RULES)
    return houses, meters_from_buildings(houses, RULES)


def test_meters_are_called_by_their_address_else_by_their_place():
    rows = [(0, 1, "Hauptstraße", "10", "1", ""), (0, 2, "Hauptstraße", "9", "1", ""), (1, 0, "", "5", "", "Weiler")]
    _, meters = named(rows)
    assert meters["meter_id"].tolist() == [
        "Hauptstraße 9/1",
        "Hauptstraße 9/2",
        "Weiler 5/1",
        "building 500100E 5540000N/1",
    ]
    _, again = named(rows[::-1])
    assert again["meter_id"].tolist() == meters["meter_id"].tolist()
    assert again["key"].tolist() == meters["key"].tolist()


def test_equal_addresses_are_told_apart_without_counting():
    rows = [(0, 0, "Dorf", "1", "11111", ""), (1, 0, "Dorf", "1", "22222", ""), (2, 0, "Dorf", "1", "22222", "")]
    houses, meters = named(rows)
    assert houses["building_id"].tolist() == [
        "Dorf 1, 11111",
        "Dorf 1, 22222 (500050E 5540000N)",
        "Dorf 1, 22222 (500100E 5540000N)",
    ]
    assert meters["meter_id"].is_unique


def test_a_key_does_not_change_when_an_address_becomes_known():
    _, without = named([(0, 0, "", "", "", "")])
    _, with_address = named([(0, 0, "Dorf", "1", "", "")])
    assert without["key"].tolist() == with_address["key"].tolist()
    assert without["meter_id"].tolist() != with_address["meter_id"].tolist()


def test_levels_come_from_the_tag_then_neighbours_then_the_town():
    x = [500000 + 25 * (i % 20) for i in range(400)]
    y = [5540000 + 25 * (i // 20) for i in range(400)]
    levels = ["8" if i in (0, 1, 20) else None for i in range(400)]
    shapes = [square(a, b, 250) for a, b in zip(x, y, strict=True)]
    town = classify_buildings(frame(shapes, building=["yes"] * 400, levels=levels), frame([]), NONE, RULES)
    town = town.set_index(["x_m", "y_m"])
    assert town.loc[(500025.0, 5540025.0), "levels"] == 8.0
    assert town.loc[(500250.0, 5540250.0), "levels"] == RULES.urban_levels
    alone = classify_buildings(frame([square(500000, 5540000, 250)], building=["yes"]), frame([]), NONE, RULES)
    assert alone["levels"].tolist() == [RULES.residential_levels]
    big = [square(500000 + 25 * (i % 20), 5540000 + 25 * (i // 20), 400) for i in range(400)]
    dense = classify_buildings(frame(big, building=["yes"] * 400), frame([]), NONE, RULES).set_index(["x_m", "y_m"])
    assert dense.loc[(500250.0, 5540250.0), "use"] == "flat"  # no barn amid a town
    assert classify_buildings(frame(big[:1], building=["yes"]), frame([]), NONE, RULES)["use"].tolist() == ["none"]


def test_osm_column_names_are_found_unasked(tmp_path):
    from amiplan.gis.inputs import LayerInput
    from amiplan.gis.readers import read_layer

    frame([square(500000, 5540000, 100)], building_levels=["4"], addr_street=["Weg"]).to_file(tmp_path / "b.gpkg")
    assert read_layer(LayerInput("b.gpkg"), tmp_path, "buildings").frame[["levels", "street"]].to_numpy().tolist() == [
        ["4", "Weg"]
    ]
