"""Switching and faults from the case to the rows, over a cell of three lines of physics."""

from dataclasses import replace

import made_streets
import numpy as np
import pytest
from amiplan.planner import faults
from amiplan.planner.fault_pieces import fault_pieces
from amiplan.planner.fault_reading import with_backlog, without_node
from amiplan.planner.fault_settings import FAULTS, FaultSettings
from amiplan.planner.faults import FAULT_COLUMNS, fault_rows
from amiplan.planner.pipeline import PlanningError, carried
from amiplan.studies.assemble import area_of
from toy_cell import ToyPlc

N_FIRST, N_SECOND = 16, 6


def planned(folder, gap_m, **faults):
    made_streets.write_two_streets(folder, N_FIRST, N_SECOND, gap_m=gap_m)
    case = made_streets.two_streets(folder, {"g3_plc": {}}, faults={"replications": 2, "watch_h": 1.0, **faults})
    area, candidates = area_of(case)
    return carried(ToyPlc(), area, candidates, case.settings), area, case.settings


def rows_of(one, area, settings):
    return {piece.fault: fault_rows(piece) for piece in fault_pieces([one], area, settings)}


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    return planned(tmp_path_factory.mktemp("gap"), 30.0)


@pytest.fixture(scope="module")
def rows(street):
    return rows_of(*street)


def test_every_fault_of_every_technology_is_gone_through(street, rows):
    one, area, settings = street
    assert tuple(rows) == FAULTS
    assert all(list(found.columns) == list(FAULT_COLUMNS) for found in rows.values())
    assert all((found["site_id"] == "T1").all() for found in rows.values())
    assert fault_pieces([], area, settings) == []
    none = replace(settings, faults=FaultSettings(which=()))
    assert fault_pieces([one], area, none) == []


def test_a_neighbour_without_a_concentrator_is_told(street):
    one, area, settings = street
    piece = next(one for one in fault_pieces([one], area, settings) if one.fault == "feeder_moved")
    built = np.arange(piece.site_id.size) == piece.site
    told = fault_rows(replace(piece, built=built))
    assert told["detail"].str.endswith("so nobody reads them there").all()
    assert (told["read_after"].iloc[0], told["n_back"].iloc[0]) == (0.0, 0.0)


def test_what_is_read_without_a_repeater_is_read_without_that_one(street, monkeypatch):
    one, area, settings = street
    piece = next(one for one in fault_pieces([one], area, settings) if one.fault == "repeater_lost")
    gone, real = [], faults.read

    def noted(*given, **known):
        gone.append(known.get("gone", -1))
        return real(*given, **known)

    monkeypatch.setattr(faults, "read", noted)
    found = fault_rows(piece)
    assert gone[0] == -1
    assert found["detail"].str.startswith(f"meter {piece.meter_id[gone[1]]}, ").all()


def test_a_moved_feeder_joins_its_neighbour_and_is_read_there(rows):
    moved, left, own = (row for _, row in rows["feeder_moved"].iterrows())
    assert (moved["group"], left["group"], own["group"]) == ("moved", "left behind", "the neighbour's own")
    assert (moved["n_meters"], left["n_meters"], own["n_meters"]) == (N_FIRST, 0, N_SECOND)
    assert moved["other_id"] == "T2"
    assert moved["detail"] == "16 of 16 meters, over 30 m of NAYY 4x150 SE"
    assert 0 < moved["n_joined"] <= N_FIRST
    assert 0 < moved["joined_median_s"] <= moved["joined_last_s"]
    assert moved["first_median_s"] > moved["joined_median_s"]
    assert moved["n_back"] + len(moved["not_back"].split()) <= N_FIRST
    assert np.isnan(left["read_before"])


def test_an_open_switch_between_the_streets_is_the_tie(tmp_path):
    one, area, settings = planned(tmp_path, 0.0, which=["feeder_moved"])
    row = rows_of(one, area, settings)["feeder_moved"].iloc[0]
    assert row["detail"] == "16 of 16 meters, over an open point"


def test_a_concentrator_that_was_out_catches_up(rows):
    first, area = (row for _, row in rows["concentrator_out"].iterrows())
    assert first["detail"] == "48 h without any reading, 2 days of profiles to catch up"
    assert area["n_meters"] == N_FIRST
    assert (first["missed_days"], area["missed_days"], first["replications"]) == (2, 2, 2)
    assert first["n_joined"] == first["n_meters"]
    assert first["back_last_s"] > first["first_median_s"] > first["joined_median_s"]


def test_behind_a_lost_repeater_are_those_whose_way_led_through_it(rows):
    behind, rest = (row for _, row in rows["repeater_lost"].iterrows())
    assert behind["n_meters"] + rest["n_meters"] == N_FIRST - 1
    assert f"{behind['n_meters']} meters behind it" in behind["detail"]
    assert (behind["missed_days"], behind["replications"]) == (0, 2)
    assert behind["n_joined"] == 0
    assert len(behind["not_back"].split()) == behind["n_meters"] - behind["n_back"]


def test_alone_there_is_nobody_to_switch_to(street, tmp_path):
    one, area, settings = street
    only = fault_pieces([one], area, settings)[0]
    row = fault_rows(replace(only, other=-1)).iloc[0]
    assert row["detail"].startswith("no feeder with meters")
    assert (row["n_meters"], row["group"]) == (0, "")


@pytest.mark.parametrize(
    ("faults", "told"),
    [
        ({"area": "T9"}, r"faults.area = 'T9' is no transformer"),
        ({"area": "T1", "neighbour": "T1"}, "is the area itself"),
        ({"neighbour": "nowhere"}, r"faults.neighbour = 'nowhere'"),
    ],
)
def test_a_place_that_does_not_exist_is_refused(street, faults, told):
    one, area, settings = street
    with pytest.raises(PlanningError, match=told):
        fault_pieces([one], area, replace(settings, faults=FaultSettings(**faults)))


def test_a_refused_name_is_told_with_some_that_are_known():
    asked = FaultSettings(area="T9")
    with pytest.raises(ValueError, match=r"known are T0, T1, T2, T3, T4 and 2 more$"):
        asked.check_names(["T6", "T1", "T0", "T3", "T4", "T2", "T5"])
    with pytest.raises(ValueError, match=r"known are T1, T2$"):
        asked.check_names(["T2", "T1"])
    with pytest.raises(ValueError, match="the map has none"):
        asked.check_names([])
    FaultSettings().check_names([])


def test_an_unknown_fault_is_refused():
    with pytest.raises(ValueError, match="name any of feeder_moved"):
        FaultSettings(which=("earthquake",))
    with pytest.raises(ValueError, match="each once"):
        FaultSettings(which=("feeder_moved", "feeder_moved"))


def test_a_named_area_is_hit(street):
    one, area, settings = street
    asked = replace(settings, faults=replace(settings.faults, area="T2"))
    assert {str(piece.site_id[piece.site]) for piece in fault_pieces([one], area, asked)} == {"T2"}


@pytest.mark.parametrize(("most", "hit"), [(100, "T1"), (10, "T2"), (2, "T2")])
def test_by_default_the_largest_area_that_is_not_too_large_is_hit(street, most, hit):
    one, area, settings = street
    asked = replace(settings, faults=replace(settings.faults, most_meters=most))
    assert {str(piece.site_id[piece.site]) for piece in fault_pieces([one], area, asked)} == {hit}


def test_the_fast_tier_alone_goes_through_nothing(street):
    one, area, settings = street
    fast = replace(settings, simulation=replace(settings.simulation, tier="fast"))
    assert fault_pieces([one], area, fast) == []


def test_a_backlog_is_the_profiles_of_the_days_before(street):
    one, area, _settings = street
    late = with_backlog(one.exchanges, 2, area.n_meters)
    assert late.services == ("register", "profile", "profile, 1 day late", "profile, 2 days late")
    per_service = np.bincount(late.service, late.bytes)
    assert per_service[1] == per_service[2] == per_service[3]
    begins = np.flatnonzero(late.leg == 0)
    assert np.unique(late.exchange[begins]).size == begins.size == 4 * area.n_meters
    assert late.exchange.max() == 4 * area.n_meters - 1
    assert with_backlog(one.exchanges, 0, area.n_meters).services == one.exchanges.services


def test_a_silent_node_hears_nobody_and_the_others_stay(street):
    one, _, _ = street
    paths, quality = one.first.paths, one.first.quality
    silent = without_node(paths, quality, 3)
    touched = (paths.from_node == 3) | (paths.to_node == 3)
    assert not silent.usable[touched].any()
    assert np.array_equal(silent.snr_up_db[~touched], quality.snr_up_db[~touched])
    assert np.array_equal(silent.mode_up[~touched], quality.mode_up[~touched])
