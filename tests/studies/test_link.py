"""One link by hand: `amiplan link`."""

import json

import pytest
from amiplan.studies.link import link_answer, link_text
from amiplan.studies.settings import UserError


def test_a_power_line_link_tells_the_line_behind_its_margin():
    answer = link_answer("g3_plc", {"distance_m": 150, "phases": 1})
    lists = {key: value for key, value in answer.items() if isinstance(value, list)}
    assert {len(value) for value in lists.values()} == {36}
    assert answer["network_solved_as"] == "coupled phases"
    assert answer["meter_phase"] in ("L1", "L2", "L3")
    assert answer["concentrator_phase"] == "all three"
    columns = (lists[f"{name}_per_carrier"] for name in ("loss_up_db", "noise_up_dbuv", "snr_up_db"))
    found = [104.4 - loss - noise - snr for loss, noise, snr in zip(*columns, strict=True)]
    # mean of ratios against ratio of means over the half cycle
    assert max(map(abs, found)) < 4.0


def test_harsher_and_later_is_not_better():
    margins = {
        words: link_answer("g3_plc", {"distance_m": 200, "phases": 1, "severity": words})["margin_up_db"]
        for words in ("quiet", "typical", "harsh")
    }
    assert margins["quiet"] >= margins["typical"] >= margins["harsh"]
    assert margins["quiet"] > margins["harsh"]


def test_the_text_has_one_row_a_carrier():
    text = link_text("g3_plc", ["distance_m=100", "coherent=true"], as_json=False)
    rows = text.split("per carrier, mean over the half cycle\n")[1].splitlines()
    assert len(rows) == 1 + 36
    assert rows[0].split()[0] == "frequency_khz"


def test_json_knows_lists_and_no_infinity():
    answer = json.loads(link_text("g3_plc", ["distance_m=20000", "dead_loss_db=60"], as_json=True))
    assert answer["mode_up"] == "none"
    assert answer["loss_db"] is None
    assert answer["airtime_up_s"] is None
    assert len(answer["frequency_khz"]) == 36


@pytest.mark.parametrize(
    ("pairs", "text"),
    [
        (["severity=hash"], "did you mean 'harsh'"),
        (["time=evenin"], "evening"),
        (["severty=harsh"], "severity"),
        (["band=fcc"], "allow_band"),
        (["band=fc"], "fcc"),
        (["cable=NAYY 4x150 SEE"], "nearest is 'NAYY 4x150'"),
        (["distance_m=abc"], "distance_m"),
        (["distance_m"], "key=value"),
        (["houses=100000"], "from 0 to 500"),
    ],
)
def test_what_is_wrong_is_named_with_the_fix(pairs, text):
    with pytest.raises(UserError, match=text):
        link_text("g3_plc", pairs, as_json=False)


def test_a_text_needs_no_quotes():
    plain, quoted = (link_text("prime", [f"version={one}", "distance_m=50"], as_json=False) for one in ("1.4", '"1.4"'))
    assert plain == quoted
    for value in ("1.5", '"1.5"', "'1.5'"):
        with pytest.raises(UserError, match=r"version '1\.5' is unknown"):
            link_text("prime", [f"version={value}"], as_json=False)


def test_an_unknown_version_is_told_with_the_known_ones():
    with pytest.raises(UserError, match=r"'1\.5' is unknown; write one of 1\.3\.6, 1\.4"):
        link_text("prime", ["version=1.5"], as_json=False)


def test_lists_and_numbers_are_written_as_in_a_case_file():
    share = link_text("g3_plc", ["region_share=[0.5, 0.25, 0.25]"], as_json=True)
    assert json.loads(share)["mode_up"] != ""
    with pytest.raises(UserError, match="list of numbers"):
        link_text("g3_plc", ["region_share=half"], as_json=False)
    with pytest.raises(UserError, match="true or false"):
        link_text("g3_plc", ["coherent=yes"], as_json=False)


def test_radio_links_know_no_severity():
    with pytest.raises(UserError, match="severity"):
        link_text("wisun_fan", ["severity=harsh"], as_json=False)
    assert link_answer("lorawan", {"distance_m": 500})["mode_up"] != "none"
