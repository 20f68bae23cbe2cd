"""Computed cures as they are told: tables and sentences of the report, files, layer, and `amiplan explain`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pyogrio
import pytest
from amiplan.planner.cure_rows import CURE_COLUMNS, PLACE_COLUMNS
from amiplan.studies.cure_tables import cure_sections, cure_table, guess_note
from amiplan.studies.explain import explanation
from amiplan.studies.export import write_results
from amiplan.studies.layers import proposed_layer
from amiplan.studies.states import meter_states

NEEDS = "154.69 to 487.5 kHz has no allocation in DE (allowed is 3 to 148.5 kHz, EN 50065-1)"


def cure_row(meter_id, **known):
    row = dict.fromkeys(CURE_COLUMNS, "") | {
        "scenario": "typical", "technology": "g3_plc", "meter_id": meter_id, "site_id": "T1", "reason": "noise",
        "p_read": 0.8, "n_replications": 45, "unsure": False,
        "missing_db": 4.2, "receiver": "itself", "source_db": 0.0, "source_share": 0.0,
        "emitted_db": 12.0, "n_tried": 2, "p_repeater": 0.83, "repeater_at": "x 1 m, y 2 m", "p_filter": np.nan,
        "p_filter_elsewhere": np.nan, "n_fresh": 0, "p_fresh": np.nan, "p_fresh_cured": np.nan,
        "p_other_phase": np.nan, "p_other_band": 0.99, "band": "fcc", "band_needs": NEEDS, "band_lost": -1,
        "cure": "manual_read", "p_cured": 0.8,
    }  # fmt: skip
    return row | known


@pytest.fixture(scope="module")
def mended(make_study):
    """The made-up study with two meters of the power line looked into: a filter mends one, nothing the other."""
    study = make_study(60)
    lost = meter_states(study, study.results[0])
    ids = lost[~lost.served & (lost.reason != "data_missing")].meter_id.astype(str).tolist()[:2]
    assert len(ids) == 2
    source = {"source_id": "M7", "source_where": "neighbour", "source_db": 31.4, "source_share": 1.0}
    filtered = {"p_filter": 0.99, "filter_at": "M7", "cure": "filter", "cure_at": "M7", "p_cured": 0.985}
    filtered |= {"cure_host": "M7", "change": "a filter at M7", "n_fresh": 20, "p_fresh": 0.9, "p_fresh_cured": 0.94}
    filtered |= {"p_read": 0.79, "unsure": True, "p_filter_elsewhere": 0.9947, "filter_elsewhere_at": "M9"}
    cures = pd.DataFrame(
        [
            cure_row(ids[0], **source, **filtered),
            cure_row(ids[1], p_repeater=0.8, repeater_at="", not_chosen="costs more than this"),
        ],
        columns=list(CURE_COLUMNS),
    )
    place = ("typical", "g3_plc", "filter", "T1", "M7", 500_010.0, 5_500_020.0, 1, ids[0], 1177.4)
    places = pd.DataFrame([place], columns=list(PLACE_COLUMNS))
    first = replace(study.results[0], cures=cures, places=places)
    return replace(study, results=(first, *study.results[1:])), ids


def test_the_report_tells_every_meter_and_every_change(mended):
    study, ids = mended
    (section,) = cure_sections(study)
    assert [row[0] for row in section["meters"].rows] == sorted(ids)
    first = next(row for row in section["meters"].rows if row[0] == ids[0])
    assert "M7 (neighbour), 31 dB" in first
    assert "✓ 99.0 %, M7; at M9 0.5 points more" in first
    assert "A filter at M7" in first
    assert "79.0 % ?" in first
    assert "90.0 % to 94.0 %" in first
    other = next(row for row in section["meters"].rows if row[0] == ids[1])
    assert "none stands out" in other
    assert "80.0 %, none tried helps" in other
    assert "Read by hand (what is enough alone costs more than this)" in other
    assert "83.0 %, x 1 m, y 2 m" in first
    assert section["places"].rows == (("Filter at the source of noise", "T1", "M7", ids[0], "1", "1\u202f177"),)
    assert section["places"].head[-1] == "Price [EUR]"
    assert section["places"].foot == ("1 changes", "", "", "", "1", "1\u202f177")
    assert section["n_left_out"] == 0


def test_the_sentences_count_what_mends(mended):
    study, _ = mended
    lines = cure_sections(study)[0]["sentences"]
    assert lines[0].startswith("2 of ")
    assert "repeater 0, filter at the source 1, other band 2; other phase could not be tried." in lines[0]
    assert "together 1 of them are served on the draws on which they were chosen." in lines[1]
    assert "Of the others 1 are read by hand (category 23)." in lines[1]
    assert (
        "Judged on 20 fresh draws that had no part in the choice, the 1 meters with a change are read 90.0 %"
        in lines[2]
    )
    assert "without it and 94.0 % with all changes; on the draws of the study it was 79.0 % and 98.5 %" in lines[2]
    assert "1 of the meters looked into are marked ?: with 45 replications" in lines[3]
    assert any("needs leave first: fcc; it is not chosen" in line for line in lines)


def test_repeaters_that_are_guessed_are_called_so(study, mended):
    assert "A guess, not computed: the repeaters for" in guess_note(study)
    assert guess_note(replace(study, meters=study.meters.assign(remedy="manual_read"))) == ""
    assert cure_table(study).empty
    assert proposed_layer(study).empty
    assert len(cure_table(mended[0])) == 2


def test_files_layer_and_explanation(mended, tmp_path):
    study, ids = mended
    write_results(study, tmp_path / "result")
    rows = pd.read_csv(tmp_path / "result" / "cures.csv")
    assert tuple(rows.columns) == CURE_COLUMNS
    layer = pyogrio.read_dataframe(tmp_path / "result" / "study.gpkg", layer="sites_proposed")
    assert layer[["cure", "at", "n_meters"]].to_numpy().tolist() == [["filter", "M7", 1]]
    assert (layer.geometry.x[0], layer.geometry.y[0]) == (500_010.0, 5_500_020.0)
    text = explanation(tmp_path / "result", ids[0])
    assert "without the devices at M7 (neighbour) the signal would stand 31 dB higher there" in text
    assert "a repeater at x 1 m, y 2 m: 83.0 %; a filter at M7: 99.0 % (enough)" in text
    assert f"That band needs leave: {NEEDS}." in text
    assert "a filter at M7: 99.0 % (enough); a filter at M9 instead: 99.5 % (enough)" in text
    assert "Chosen for it: a filter at M7; with all that is chosen in its area 98.5 % on the draws" in text
    assert "On 20 fresh ones 90.0 % before, 94.0 % with it." in text
    assert "With 45 replications this cannot be told from served" in text
    nothing = explanation(tmp_path / "result", ids[1])
    assert "read by the deadline with a repeater at any place tried: 80.0 %; the band fcc" in nothing
    assert "Chosen" not in nothing
    assert "Nothing is changed for it: what is enough alone costs more than this." in nothing
    assert "cannot be told" not in nothing
    report = (tmp_path / "result" / "report.html").read_text(encoding="utf-8")
    assert "What would mend the power line" in report
