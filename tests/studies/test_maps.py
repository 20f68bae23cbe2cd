import json

import numpy as np
import pytest
import shapely
from amiplan.channels.technology import Reason
from amiplan.studies.maps import (
    SETTLEMENT_M,
    base_shapes,
    base_traces,
    best_technology_map,
    frame,
    link_lines,
    nan_separated,
    round_length_m,
    technology_map,
    views,
)
from amiplan.studies.states import cheapest_serving, meter_states, share, slug, state_looks
from amiplan.studies.styles import BY_WORD, LOOKS, NARROW, SERVED, TECHNOLOGY_COLORS
from hypothesis import given, settings
from hypothesis import strategies as st


def _told(figure):
    return [trace.meta for trace in figure.data if isinstance(trace.meta, dict)]


def test_every_reason_has_a_colour_and_a_shape_of_its_own():
    assert set(LOOKS) == set(Reason)
    shown = [*BY_WORD.values(), SERVED, NARROW]
    assert len({look.color for look in shown}) == len(shown)
    assert len({(look.color, look.symbol) for look in shown}) == len(shown)
    assert len(set(TECHNOLOGY_COLORS)) == len(TECHNOLOGY_COLORS)


@settings(max_examples=6, deadline=None)
@given(n_meters=st.integers(1, 60), n_listed=st.integers(0, 9), seed=st.integers(0, 1000))
def test_every_meter_in_stands_once_on_every_map(make_study, n_meters, n_listed, seed):
    study = make_study(n_meters, n_listed=n_listed, seed=seed)
    figures = [technology_map(study, r) for r in study.results] + [best_technology_map(study, "typical")]
    for figure in figures:
        assert sum(meta["n"] for meta in _told(figure)) == n_meters + n_listed
        drawn = sum(len(t.x) for t in figure.data if isinstance(t.meta, dict))
        assert drawn == sum(meta["n_shown"] for meta in _told(figure)) == n_meters + (n_listed + 1) // 2


def test_the_title_says_n_of_n_and_the_map_credits_its_data(study):
    result = study.results[0]
    figure = technology_map(study, result)
    n_served = int(meter_states(study, result).served.sum())
    assert f"{n_served} of 324 meters served ({share(n_served, 324)})" in figure.layout.title.text
    assert "typical" in figure.layout.title.text
    assert study.case_digest[:12] in figure.layout.title.text
    assert "EPSG:32632" in figure.layout.xaxis.title.text
    assert any("© OpenStreetMap contributors" in note.text for note in figure.layout.annotations)
    assert figure.layout.yaxis.scaleanchor == "x"
    assert {trace.type for trace in figure.data} == {"scattergl"}


def test_a_meter_counts_as_served_only_if_each_service_is(study):
    result = study.results[0]
    states = meter_states(study, result).set_index("meter_id")
    every = result.deliveries.served.all(axis=0)
    assert states.loc[study.area.meters.meter_id, "served"].to_numpy().tolist() == every.tolist()
    worst = result.deliveries.p_read_deadline.min(axis=0)
    assert np.allclose(states.loc[study.area.meters.meter_id, "p_read_deadline"], worst)


def test_the_best_technology_is_the_cheapest_that_serves(study):
    best = cheapest_serving(study, "typical")
    price = study.tco.set_index("technology").eac_per_meter
    served = {r.technology: meter_states(study, r).served.to_numpy() for r in study.results}
    for row in range(len(best)):
        serving = [name for name in served if served[name][row]]
        wanted = min(serving, key=lambda name: price[name]) if serving else ""
        assert best.technology[row] == wanted
        assert best.n_serving[row] == len(serving)


def test_a_meter_left_out_is_refused(study):
    from dataclasses import replace

    with pytest.raises(ValueError, match="324 meters are in"):
        meter_states(replace(study, meters=study.meters.iloc[1:]), study.results[0])


def test_an_unknown_reason_is_refused(study):
    states = meter_states(study, study.results[0])
    with pytest.raises(ValueError, match="'bad_luck'"):
        state_looks(states.assign(reason="bad_luck"))


def test_lines_become_one_trace_with_a_gap_after_each():
    x, y = nan_separated([shapely.LineString([(0, 0), (1, 2), (3, 4)]), None, shapely.LineString([(9, 9), (8, 8.26)])])
    assert np.array_equal(x, [0, 1, 3, np.nan, 9, 8, np.nan], equal_nan=True)
    assert y[5] == pytest.approx(8.3)
    assert nan_separated(np.zeros(0, object))[0].size == 0


def test_the_base_map_leaves_out_what_the_area_does_not_have(study, make_study):
    names = [t.name for t in base_traces(study)]
    assert names[:4] == ["Study area", "Roads", "Buildings", "Low-voltage cables"]
    bare = make_study(5, buildings=False, roads=False, cables=False)
    assert [t.name for t in base_traces(bare)] == ["Study area", "Candidate sites (9)"]


def test_land_cover_is_one_filled_path_a_kind_and_small_patches_are_left_out(study):
    from dataclasses import replace

    import geopandas as gpd

    wood, pond = shapely.box(0, 0, 300, 200), shapely.box(10, 10, 20, 20)
    holed = shapely.box(1000, 0, 1300, 200).difference(shapely.box(1100, 50, 1200, 150))
    land = gpd.GeoDataFrame({"clutter": np.array([3, 5, 3], np.int8)}, geometry=[wood, pond, holed], crs=study.area.crs)
    shapes = base_shapes(replace(study, area=replace(study.area, landuse=land)))
    assert len(shapes) == 1
    assert shapes[0]["path"].count("M") == shapes[0]["path"].count("Z") == 3
    assert base_shapes(study) == []
    figure = technology_map(replace(study, area=replace(study.area, landuse=land)), study.results[0])
    assert [shape.name for shape in figure.layout.shapes] == [None, None, "base"]


def test_the_views_show_the_whole_the_densest_place_and_the_densest_fault(study):
    from dataclasses import replace

    states = meter_states(study, study.results[0])
    assert [words for words, _ in views(study, states)] == ["Whole area"]
    far = states.assign(x_m=states.x_m * 1.0, located=True)
    far.loc[far.index[:3], ["x_m", "y_m"]] = far[["x_m", "y_m"]].max().to_numpy() + 9000.0
    far["served"] = True
    far.loc[far.index[:3], "served"] = False
    names, frames = zip(*views(replace(study), far), strict=True)
    assert names == ("Whole area", "Largest settlement", "Most meters not served")
    assert frames[2].east - frames[2].west == pytest.approx(2 * SETTLEMENT_M)
    assert frames[2].west < far.x_m.max() < frames[2].east
    assert not frames[1].west < far.x_m.max() < frames[1].east


def test_polygons_as_roads_are_drawn_as_outlines(study):
    from dataclasses import replace

    import geopandas as gpd

    roads = gpd.GeoDataFrame(
        geometry=[shapely.box(0, 0, 4, 4), shapely.LineString([(0, 0), (9, 9)])], crs=study.area.crs
    )
    trace = next(t for t in base_traces(replace(study, area=replace(study.area, roads=roads))) if t.name == "Roads")
    assert np.isnan(np.asarray(trace.x)).sum() == 2


def test_links_run_from_the_meter_to_its_parent(study):
    result = study.results[0]
    meter, ends = link_lines(study, result)
    assert (result.plan.routes.parent[meter] >= 0).all()
    assert np.allclose(ends[:, 0, 0], study.area.meters.x_m.to_numpy()[meter])
    direct = result.plan.routes.hops[meter] == 1
    site = result.plan.routes.server[meter[direct]]
    assert np.allclose(ends[direct, 1, 1], result.links.sites.y_m.to_numpy()[site])


@pytest.mark.parametrize(("limit_m", "length_m"), [(1.0, 1.0), (9.99, 5.0), (730.0, 500.0), (1999.0, 1000.0)])
def test_the_scale_bar_has_a_round_length(limit_m, length_m):
    assert round_length_m(limit_m) == length_m


def test_the_frame_holds_all_meters_or_else_the_area(study):
    states = meter_states(study, study.results[0])
    view = frame(study, states)
    shown = states[states.located]
    assert view.west < shown.x_m.min()
    assert view.north > shown.y_m.max()
    nowhere = states.assign(located=False)
    assert frame(study, nowhere) == pytest.approx(study.area.boundary.bounds)


def test_the_same_study_gives_the_same_figure(make_study):
    one, two = (technology_map(s, s.results[1]).to_json() for s in (make_study(40), make_study(40)))
    assert one == two
    assert json.loads(one)["layout"]["title"]


def test_a_technology_that_serves_nobody_is_drawn(make_study):
    study = make_study(30, dead=("lorawan",), technologies=("lorawan",))
    figure = technology_map(study, study.results[0])
    assert "0 of 34 meters served (0.0 %)" in figure.layout.title.text
    assert all(meta["state"] != "served" for meta in _told(figure))
    assert _told(best_technology_map(study, "typical")) == [{"state": "", "n": 34, "n_shown": 32}]


def test_hollow_marks_what_is_read_in_half_of_the_periods(study):
    figure = technology_map(study, study.results[0])
    states = meter_states(study, study.results[0])
    wanted = int((~states.served & (states.p_read_deadline >= 0.5) & states.located).sum())
    symbols = [t.marker.symbol for t in figure.data if isinstance(t.meta, dict)]
    hollow = sum(s.endswith("-open") for group in symbols for s in ([group] if isinstance(group, str) else group))
    assert hollow == wanted > 0
    outlined = [t for t in figure.data if isinstance(t.meta, dict) and "-open" in str(t.marker.symbol)]
    assert all(t.marker.line.width > 1.0 for t in outlined)


def test_slugs_carry_the_scenario_where_there_are_several(study):
    from dataclasses import replace

    worse = replace(study.results[0], scenario="worst")
    assert slug(study, study.results[0]) == "g3_plc"
    assert slug(replace(study, results=(*study.results, worse)), worse) == "worst-g3_plc"


def test_links_are_told_as_those_of_the_first_draw(study):
    figure = technology_map(study, study.results[0])
    (links,) = [trace for trace in figure.data if trace.meta == "links"]
    assert links.name.startswith("Planned links of the first draw (")
