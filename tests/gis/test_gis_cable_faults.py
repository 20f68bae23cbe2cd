"""Cables that no network can be built from: refused in one line that names file, row, cable and the way out."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from amiplan.gis.assemble import build_area
from amiplan.gis.cable_faults import JOINT, REFUSE
from amiplan.gis.inputs import AreaInputs, InferenceRules, LayerInput
from amiplan.gis.network_audit import network_graph

X, Y = 500000.0, 5540000.0
CRS = "EPSG:32632"
SITES = (("t1", "b0"),)


def built(folder, lines, *, sites=SITES, known=None, drawn=False, kind="NAYY 4x50", **area):
    """Buses b0, b1, ... every 100 m; lines are (from, to, metres), written as a table or drawn."""
    frame = pd.DataFrame([(f"l{n}", f"b{a}", f"b{b}", m) for n, (a, b, m) in enumerate(lines)])
    frame.columns = ["cable_id", "from_bus", "to_bus", "length_m"]
    frame["cable"] = kind
    shapes = [shapely.LineString([(X + 100 * a, Y), (X + 100 * b, Y)]) for a, b, _ in lines]
    if drawn == "by_place":
        frame = frame.drop(columns=["from_bus", "to_bus"])
    gpd.GeoDataFrame(frame, geometry=shapes, crs=CRS).to_file(folder / "c.gpkg")
    frame.to_csv(folder / "c.csv", index=False)
    n_buses = 1 + max(max(a, b) for a, b, _ in lines)
    points = [shapely.Point(X + 100 * i, Y) for i in range(n_buses)]
    gpd.GeoDataFrame({"bus": [f"b{i}" for i in range(n_buses)]}, geometry=points, crs=CRS).to_file(folder / "b.gpkg")
    pd.DataFrame(sites, columns=["transformer_id", "lv_bus"]).to_csv(folder / "t.csv", index=False)
    pd.DataFrame({"meter_id": ["m1"], "bus": ["b1"]}).to_csv(folder / "m.csv", index=False)
    roles = {"meters": "m.csv", "buses": "b.gpkg", "cables": "c.gpkg" if drawn else "c.csv", "transformers": "t.csv"}
    layers = {role: LayerInput(path) for role, path in roles.items()}
    return build_area(AreaInputs("made", crs=CRS, max_bad_share=0.0, **layers, **area), folder, known)[0]


def refused(folder, words, *args, **given):
    with pytest.raises(ValueError, match=words) as caught:
        built(folder, *args, **given)
    assert "\n" not in str(caught.value)


# --- lengths --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metres", [-5.0, -0.001, "nan", "inf", "long"])
@pytest.mark.parametrize("switch", [REFUSE, JOINT])
def test_a_length_that_is_none_is_refused(tmp_path, metres, switch):
    lines = [(0, 1, 100.0), (1, 2, metres)]
    words = r"c\.csv: layer cables, line 3, cable l1: its length is negative or no number; correct it"
    refused(tmp_path, words, lines, zero_length_cables=switch)


def test_an_empty_length_of_a_cable_that_is_not_drawn_is_refused(tmp_path):
    refused(tmp_path, "line 3, cable l1: it has neither a length nor a drawn course", [(0, 1, 100.0), (1, 2, "")])


def test_the_count_of_faulty_lengths_is_told(tmp_path):
    refused(tmp_path, r"line 2, cable l0: .*\(one of 2 such rows\)", [(0, 1, -1.0), (1, 2, -1.0), (2, 3, 5.0)])


def test_an_empty_length_of_a_drawn_cable_is_its_course(tmp_path):
    area = built(tmp_path, [(0, 1, 130.0), (1, 2, np.nan)], drawn=True)
    assert sorted(area.feeders.edge_length_m) == pytest.approx([100.0, 130.0])
    assert "1 of 2 cables have no length in their row; their drawn course counts." in area.notes
    assert not any("drawn course" in note for note in built(tmp_path, [(0, 1, 130.0)], drawn=True).notes)


@pytest.mark.parametrize("drawn", [False, True])
def test_length_0_is_a_fault_or_a_joint(tmp_path, drawn):
    lines = [(0, 1, 100.0), (1, 2, 0.0), (2, 3, 40.0)]
    where = r"c\.gpkg: layer cables, row 2" if drawn else r"c\.csv: layer cables, line 3"
    words = where + r', cable l1: its length is 0; correct it, or write area\.zero_length_cables = "joint"'
    refused(tmp_path, words, lines, drawn=drawn)
    area = built(tmp_path, lines, drawn=drawn, zero_length_cables=JOINT)
    assert sorted(area.feeders.edge_length_m) == [InferenceRules().joint_length_m, 40.0, 100.0]
    assert area.qa[area.qa["code"] == "zero_length"]["id"].tolist() == ["l1"]


def test_length_0_of_cables_that_are_joined_by_place(tmp_path):
    lines = [(0, 1, 100.0), (1, 2, 0.0), (2, 3, 40.0)]
    refused(tmp_path, "row 2, cable l1: its length is 0", lines, drawn="by_place")
    area = built(tmp_path, lines, drawn="by_place", zero_length_cables=JOINT)
    assert sorted(area.feeders.edge_length_m) == [InferenceRules().joint_length_m, 40.0, 100.0]


def test_the_switch_knows_two_words(tmp_path):
    words = r"area\.zero_length_cables = 'joints': write .refuse. or .joint."
    refused(tmp_path, words, [(0, 1, 9.0)], zero_length_cables="joints")


# --- types ----------------------------------------------------------------------------------------------------------


def known(name):
    if name not in ("NAYY 4x50", "NAYY 4x150 SE", "NAYY 4x50 SE"):
        raise ValueError(f"cable type {name!r} is unknown")
    return name


def test_an_unknown_type_is_refused_where_the_cable_is_in_use(tmp_path):
    lines, kind = [(0, 1, 50.0), (1, 2, 50.0), (2, 3, 50.0)], ["NAYY 4x50", "odd", "odd"]
    words = r"c\.csv: layer cables, line 3, cable l1 \(one of 2 cables of the type\): cable type 'odd' is unknown"
    refused(tmp_path, words, lines, kind=kind, known=known)
    assert built(tmp_path, lines, kind=kind).feeders.cables == ("NAYY 4x50", "odd")  # nobody asks for the physics
    types = {"odd": "NAYY 4x50"}
    assert built(tmp_path, lines, kind=kind, known=known, cable_types=types).feeders.cables == ("NAYY 4x50",)
    words = r"line 3, .*: cable type 'NAYY 4x5' is unknown \(as area\.cable_types maps 'odd'\)"
    refused(tmp_path, words, lines, kind=kind, known=known, cable_types={"odd": "NAYY 4x5"})


def test_a_cable_without_a_type_is_told_which_column_is_meant(tmp_path):
    refused(tmp_path, r"line 2, cable l0: it names no cable type; map the column", [(0, 1, 50.0)], kind="", known=known)


def test_inferred_cables_are_of_known_types(tmp_path):
    pd.DataFrame({"meter_id": ["a", "b"], "x": [X, X + 30], "y": [Y, Y]}).to_csv(tmp_path / "m.csv", index=False)
    given = {"meters": LayerInput("m.csv", crs=CRS), "crs": CRS}
    area, _ = build_area(AreaInputs("made", **given), tmp_path, known)
    assert area.feeders.edge_from.size > 0
    for rule in ("main_cable", "service_cable"):
        rules = InferenceRules(**{rule: "rope"})
        with pytest.raises(ValueError, match=rf"area\.rules\.{rule}: cable type 'rope' is unknown"):
            build_area(AreaInputs("made", rules=rules, **given), tmp_path, known)


# --- loops ----------------------------------------------------------------------------------------------------------

RING = [(0, 1, 50.0), (1, 2, 50.0), (2, 0, 50.0), (2, 3, 50.0)]


def test_a_loop_is_solved_unless_the_case_says_radial(tmp_path):
    area = built(tmp_path, RING)
    assert (area.qa["code"] == "loop").sum() == 1
    words = r"c\.csv: layer cables, line 4, cable l2: it closes a loop, but area\.radial = true; open it with a switch"
    refused(tmp_path, words, RING, radial=True)
    assert built(tmp_path, [*RING[:2], RING[3]], radial=True).feeders.edge_from.size == 3


def test_parallel_cables_and_rings_of_an_island_are_loops(tmp_path):
    refused(tmp_path, "line 3, cable l1: it closes a loop", [(0, 1, 50.0), (1, 0, 60.0)], radial=True)
    island = [(0, 1, 50.0), (2, 3, 50.0), (3, 4, 50.0), (4, 2, 50.0)]
    refused(tmp_path, "line 5, cable l3: it closes a loop", island, radial=True)


def test_an_open_switch_opens_the_loop(tmp_path):
    table = pd.DataFrame([("b0", "l2", "l", "open")], columns=["bus", "element", "et", "closed"])
    table.to_csv(tmp_path / "s.csv", index=False)
    area = built(tmp_path, RING, radial=True, switches=LayerInput("s.csv"))
    assert area.feeders.edge_from.size == 4


def test_a_cable_between_two_transformers_is_not_radial(tmp_path):
    lines, sites = [(0, 1, 50.0), (1, 2, 50.0), (2, 3, 50.0)], (("t1", "b0"), ("t2", "b3"))
    assert (built(tmp_path, lines, sites=sites).qa["code"] == "two_transformers").sum() == 1
    refused(tmp_path, "line 4, cable l2: it joins the networks of two transformers", lines, sites=sites, radial=True)


@pytest.mark.parametrize("seed", range(5))
def test_radial_refuses_exactly_what_is_no_forest(tmp_path, seed):
    rng = np.random.default_rng(seed)
    tree = [(int(rng.integers(0, n)), n, 10.0) for n in range(1, 12)]
    area = built(tmp_path, tree, radial=True)
    assert area.feeders.edge_from.size == 11
    more = (*sorted(rng.choice(12, 2, replace=False).tolist()), 10.0)
    refused(tmp_path, "it closes a loop, but area.radial", [*tree, more], radial=True)
    graph = network_graph(area.feeders)
    assert graph.number_of_edges() == graph.number_of_nodes() - 1


@pytest.mark.parametrize(("metres", "odd"), [(0.1, True), (20.0, False), (100.0, False), (5000.0, True)])
def test_a_slip_of_unit_is_told(tmp_path, metres, odd):
    area = built(tmp_path, [(0, 1, metres), (1, 2, metres)])
    assert any("check the unit" in note for note in area.notes) == odd
