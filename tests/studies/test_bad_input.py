"""Every fault of the user's ends in one line on stderr, exit code 2, and nothing half-written."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import made_cases as made
import pandas as pd
import pytest
from amiplan.studies.cli import main

GOOD_AREA = """
[area]
name = "made"
[area.meters]
path = "meters.csv"
crs = "EPSG:32632"
x = "x"
y = "y"
"""


CONSTANTS = """
[cables.X]
frequency_hz = 91e3
r_ohm_per_km = 7.3
l_mh_per_km = 0.16
c_nf_per_km = 300
g_ms_per_km = 14
"""
COAXIAL = """
[cables.X]
geometry = "coaxial"
inner_radius_mm = 8
outer_radius_mm = 7
area_mm2 = 50
resistivity_ohm_m = 1.7e-8
"""
G3 = "[technologies.g3_plc]\n"

GOOD_NETWORK = (
    GOOD_AREA
    + """
[area.transformers]
path = "transformers.csv"
crs = "EPSG:32632"
[area.buses]
path = "buses.csv"
crs = "EPSG:32632"
[area.cables]
path = "lines.gpkg"
"""
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made.write_meters(tmp_path, made.street(6))
    return tmp_path


def refused(folder: Path, text: str, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    case = folder / "case.toml"
    case.write_text(text, encoding="utf-8")
    before = sorted(path.name for path in folder.iterdir())
    code = main(list(arguments) or ["run", str(case), "-o", str(folder / "result"), "--tier", "fast"])
    captured = capsys.readouterr()
    assert code == 2, captured
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "Traceback" not in captured.err
    assert sorted(path.name for path in folder.iterdir()) == before
    return captured.err


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (GOOD_AREA + "[siting]\ntarget_share = 0.9\n", ["case.toml [siting]", "target_share", "did you mean 'target'"]),
        (GOOD_AREA + "[sitting]\ntarget = 0.9\n", ["[sitting]", "unknown section", "'siting'"]),
        (GOOD_AREA + "[technologies.lorawann]\n", ["lorawann", "'lorawan'"]),
        (GOOD_AREA + "[technologies.g3_plc]\nmax_hop = 3\n", ["[technologies.g3_plc]", "max_hop", "'max_hops'"]),
        (GOOD_AREA + "[siting]\ntarget = 1.5\n", ["target = 1.5", "allowed"]),
        (GOOD_AREA + "[service]\ndeadline_h = 8\nstart_h = 9\n", ["deadline_h"]),
        (GOOD_AREA + "[backhaul]\nown_sites = 'pigeon'\n", ["pigeon", "fibre"]),
        (GOOD_AREA + "[economics.overrides.sim_nb_iot]\nmode = -2.0\n", ["sim_nb_iot", "-2"]),
        (GOOD_AREA + "[economics.overrides.sim_nb_iott]\nmode = 2.0\n", ["sim_nb_iott", "sim_nb_iot"]),
        (
            GOOD_AREA + "[economics.overrides.sim_nb_iot]\nlow=1\nmode = 2.0\nhigh=3\ncurrency = 'USD'\n",
            ["sim_nb_iot", "USD"],
        ),
        (GOOD_AREA + "[session]\nencodng = 'full'\n", ["case.toml [session]", "encodng", "'encoding'"]),
        (GOOD_AREA + "[session]\nencoding = 'ful'\n", ["case.toml [session]", "encoding = 'ful'", "full"]),
        (GOOD_AREA + "[session]\nsecurity = 'hls5'\n", ["case.toml [session]", "'hls5'", "suite_0"]),
        (GOOD_AREA + "[session]\nmax_pdu_bytes = 64\n", ["case.toml [session]", "max_pdu_bytes = 64", "128"]),
        (GOOD_AREA + "[session]\nread_counter = true\n", ["case.toml [session]", "read_counter", "association"]),
        (GOOD_AREA + "[service]\nservice = ['register']\n", ["case.toml [service]", "'services'"]),
        (GOOD_AREA + "[service]\nservices = ['profil']\n", ["case.toml [service]", "'profil'", "profile"]),
        (GOOD_AREA + "[service]\nservices = []\n", ["case.toml [service]", "at least one"]),
        (
            GOOD_AREA + "[session]\nmax_pdu_bytes = 128\nprofile_timestamps = false\n",
            ["case.toml [session]", "max_pdu_bytes = 128", "raise it", "profile_timestamps"],
        ),
        (GOOD_AREA.replace("meters.csv", "meters2.csv"), ["meters2.csv"]),
        (GOOD_AREA.replace('crs = "EPSG:32632"\n', ""), ["meters.csv", "crs"]),
        (GOOD_AREA.replace("32632", "4326"), ["meters.csv", "degrees"]),
        (GOOD_AREA + "[area.terrain]\npath = 'dem.tif'\n", ["dem.tif"]),
        (GOOD_AREA + "[cables.X]\nr_ohm_per_kn = 3\n", ["case.toml [cables.'X']", "r_ohm_per_kn", "'r_ohm_per_km'"]),
        (GOOD_AREA + "[cables]\nX = 3\n", ["case.toml [cables] X = 3", "write [cables.'X']"]),
        ("cables = 3\n" + GOOD_AREA, ["case.toml cables", "this is a section", "[cables]"]),
        (GOOD_AREA + "[cables.X]\n", ["[cables.'X']", "frequency_hz is missing", "g_ms_per_km"]),
        (GOOD_AREA + "[cables.X]\nr_ohm_per_km = '3'\n", ["[cables.'X'] r_ohm_per_km = '3'", "number", "list"]),
        (GOOD_AREA + CONSTANTS.replace("300", "-300"), ["[cables.'X']", "c_nf_per_km = -300", "from 0.1 to 10000"]),
        (GOOD_AREA + CONSTANTS.replace("300", "[300, 310]"), ["c_nf_per_km has 2 values for 1 frequencies"]),
        (GOOD_AREA + CONSTANTS.replace("300", "['300']"), ["c_nf_per_km = ['300']", "a list of numbers is needed"]),
        (GOOD_AREA + CONSTANTS.replace("300", "[nan]"), ["c_nf_per_km = [nan]", "from 0.1 to 10000"]),
        (GOOD_AREA + CONSTANTS.replace("[cables.X]", "[cables.'']"), ["[cables.'']", "without a name"]),
        (GOOD_AREA + CONSTANTS + CONSTANTS.replace(".X]", ".'x ']"), ["[cables.'x ']", "same type as [cables.'X']"]),
        (GOOD_AREA + COAXIAL, ["outer_radius_mm = 7.0", "must exceed inner_radius_mm = 8.0"]),
        (GOOD_AREA + COAXIAL.replace("1.7e-8", "0.017"), ["resistivity_ohm_m = 0.017", "from 1e-08 to 1e-06"]),
        (GOOD_AREA + G3 + "notched_carriers = '0-29'\n", ["[technologies.g3_plc]", "mac_overhead_bytes 25"]),
        (GOOD_AREA + G3 + "notched_carriers = '5-3'\n", ["[technologies.g3_plc]", "write the lower carrier first"]),
        (
            GOOD_AREA + "[scenario.powerline.emitters.ev_charge]\nhouse = 1.0\n",
            ["emitters.ev_charge is new and lacks flat", "did you mean 'ev_charger'?"],
        ),
        (GOOD_AREA + G3 + "region_share = [0.5, 0.5]\n", ["region_share = [0.5, 0.5]", "three numbers"]),
        (GOOD_AREA + G3 + "region_share = [0.5, 0.5, 0.5]\n", ["region_share", "sum to 1"]),
        (GOOD_AREA + G3 + "region_db = [0, nan, 1]\n", ["region_db = [0.0, nan, 1.0]", "finite"]),
        (GOOD_AREA + G3 + "region_tilt_db = [0, 1000, 1]\n", ["region_tilt_db", "within 80"]),
        (GOOD_AREA + G3 + "country = 'UK'\n", ["country = 'UK'", "did you mean 'GB'?", "known are AE"]),
        (GOOD_AREA + G3 + "country = 'de'\n", ["country = 'de'", "did you mean 'DE'?"]),
        (GOOD_AREA + CONSTANTS + "radius_mm = 3\n", ["radius_mm does not belong to geometry", "constants"]),
        (GOOD_AREA + "[cables.X]\ngeometry = 'sektor'\n", ["geometry = 'sektor'", "sector"]),
        (GOOD_AREA + "[cables.X]\ngeometry = 'sector'\nspacing_mm = 3\n", ["[cables.'X']", "radius_mm is missing"]),
        (GOOD_AREA.replace("[area.meters]", "radial = 'yes'\n[area.meters]"), ["radial = 'yes'", "true or false"]),
        (
            GOOD_AREA.replace("[area.meters]", "zero_length_cables = 'join'\n[area.meters]"),
            ["zero_length_cables = 'join'", '"joint"'],
        ),
        ("title = 'no area'\n", ["[area]"]),
        ("[area\n", ["TOML"]),
    ],
)
def test_one_line_names_the_culprit(
    folder: Path, capsys: pytest.CaptureFixture[str], text: str, named: list[str]
) -> None:
    line = refused(folder, text, capsys)
    for word in named:
        assert word in line, line


def test_an_empty_area_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made.write_meters(folder, [])
    assert "meters.csv" in refused(folder, GOOD_AREA, capsys)


def test_too_many_faulty_rows_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made.write_meters(folder, [*made.street(4), "z1,0,0,", "z2,0,0,"])
    line = refused(folder, GOOD_AREA, capsys)
    assert "max_bad_share" in line


def test_an_existing_result_is_not_replaced(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "result").mkdir()
    (folder / "result" / "mine.txt").write_text("keep")
    line = refused(folder, GOOD_AREA, capsys)
    assert "--force" in line
    case = str(folder / "case.toml")
    assert main(["run", case, "-o", str(folder / "result"), "--force"]) == 2
    assert (folder / "result" / "mine.txt").read_text() == "keep"
    capsys.readouterr()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["demo", "south_bayreuth"], "north_bayreuth"),
        (["technologies", "lorawn"], "lorawan"),
        (["link", "lorawan", "distanc_m=3"], "distance_m"),
        (["link", "lorawan", "distance_m"], "key=value"),
        (["link", "lorawan", "distance_m=-3"], "distance_m"),
        (["run", "none.toml", "-o", "x"], "none.toml"),
        (["explain", "nowhere", "m1"], "nowhere"),
        (["rnu"], "rnu"),
        (["run"], "CASE.toml"),
    ],
)
def test_bad_calls_are_refused(capsys: pytest.CaptureFixture[str], arguments: list[str], named: str) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert named in captured.err


def test_an_unknown_fixed_site_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = GOOD_AREA + "[technologies.lorawan]\n[siting]\nfixed = ['nowhere']\n"
    assert "nowhere" in refused(folder, text, capsys)


@pytest.mark.parametrize("command", ["run", "check"])
@pytest.mark.parametrize(
    ("key", "more", "named"),
    [
        ("area = 'T-XXX'", "", "faults.area = 'T-XXX' is no transformer of the map; known are T1"),
        ("neighbour = 'T2'", "", "faults.neighbour = 'T2' is no transformer of the map; known are T1"),
        ("neighbour = 'T1'", "", "is the area itself"),
        ("area = 'T2'", "which = []", "faults.area = 'T2'"),
    ],
)
def test_a_fault_at_a_place_that_does_not_exist_is_refused_before_anything_is_computed(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    command: str, key: str, more: str, named: str,
) -> None:  # fmt: skip
    made.write_network(folder, 6)
    monkeypatch.setattr("amiplan.studies.run.simulated", None)
    arguments = [command, str(folder / "case.toml"), *(["-o", str(folder / "result")] if command == "run" else [])]
    line = refused(folder, f"{GOOD_NETWORK}{G3}[faults]\n{key}\n{more}\n", capsys, *arguments)
    assert f"case.toml: {named.split(' = ')[0]}" in line or named == "is the area itself"
    assert named in line


@pytest.mark.parametrize(("number", "said"), [(10, True), (22, True), (23, False), (45, False)])
def test_few_replications_are_said(folder: Path, capsys: pytest.CaptureFixture[str], number: int, said: bool) -> None:
    case = folder / "case.toml"
    case.write_text(f"{GOOD_AREA}[technologies.lorawan]\n[simulation]\nreplications = {number}\n", encoding="utf-8")
    assert main(["check", str(case)]) == 0
    told = capsys.readouterr().out
    assert (f"simulation.replications = {number}: so few" in told and "write 23 or more" in told) == said


def write_line(folder: Path, row: int, **values: object) -> None:
    """The network of six meters with one of its twelve cables changed, or one more that repeats it."""
    made.write_network(folder, 6)
    frame = gpd.read_file(folder / "lines.gpkg")
    if row >= len(frame):
        frame = pd.concat([frame, frame.iloc[[0]]], ignore_index=True)
    for name, value in values.items():
        frame.loc[row, name] = value
    frame.to_file(folder / "lines.gpkg", layer="lines")


@pytest.mark.parametrize("command", ["run", "check"])
@pytest.mark.parametrize(
    ("row", "values", "area", "named"),
    [
        (
            4,
            {"cable": "NAYY 4x15"},
            "",
            ["row 5, cable main3", "'NAYY 4x15'", "nearest is 'NAYY 4x150'", "cable_types"],
        ),
        (4, {"length_km": -0.01}, "", ["row 5, cable main3", "negative", "correct it"]),
        (4, {"length_km": 0.0}, "", ["row 5, cable main3", "length is 0", 'zero_length_cables = "joint"']),
        (12, {"cable_id": "more", "to_bus": "j6"}, "radial = true", ["row 13, cable more", "closes a loop", "radial"]),
    ],
)
def test_a_cable_that_cannot_be_is_refused_by_row(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    command: str,
    row: int,
    values: dict[str, object],
    area: str,
    named: list[str],
) -> None:
    write_line(folder, row, **values)
    text = GOOD_NETWORK.replace("[area.meters]", f"{area}\n[area.meters]", 1)
    arguments = [command, str(folder / "case.toml")]
    line = refused(folder, text, capsys, *arguments, *(["-o", str(folder / "result")] if command == "run" else []))
    for word in ["case.toml [area]", "lines.gpkg: layer cables", *named]:
        assert word in line, line


@pytest.mark.parametrize(
    "more",
    [
        '[area.cable_types]\n"NAYY 4x15" = "NAYY 4x150"\n',
        CONSTANTS.replace("X", '"NAYY 4x15"'),
        "[technologies.lorawan]\n",  # nobody asks for the physics of cables
    ],
)
def test_the_ways_out_of_an_unknown_cable_work(folder: Path, capsys: pytest.CaptureFixture[str], more: str) -> None:
    write_line(folder, 4, cable="NAYY 4x15")
    case = folder / "case.toml"
    case.write_text(GOOD_NETWORK + more, encoding="utf-8")
    assert main(["check", str(case)]) == 0, capsys.readouterr().err


def test_an_unknown_cable_of_a_single_link_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["link", "g3_plc", "cable=NAYY 4x15"]) == 2
    captured = capsys.readouterr()
    assert "nearest is 'NAYY 4x150'" in captured.err
    assert captured.err.count("\n") == 1
