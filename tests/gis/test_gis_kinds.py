"""Words for kinds of customers: known ones are understood however they are written, unknown ones used and told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from amiplan.gis.area import ServiceArea
from amiplan.gis.assemble import build_area
from amiplan.gis.inputs import AreaInputs, LayerInput
from amiplan.gis.kinds import DEFAULT_KIND, KINDS, SYNONYMS, kind_notes, known_kinds
from amiplan.meters.load import KIND_NAMES
from hypothesis import given
from hypothesis import strategies as st


def test_every_kind_of_the_map_has_a_load() -> None:
    assert set(KINDS) == set(KIND_NAMES)


def test_no_word_means_two_kinds() -> None:
    words = [word for words in SYNONYMS.values() for word in words]
    assert len(words) == len(set(words))
    assert not set(words) & set(KINDS)


def test_words_are_understood_however_they_are_written() -> None:
    words = np.array(["House", " residential ", "Multi-Family", "single family", "SHOP", ""], object)
    kinds, unknown = known_kinds(words)
    assert kinds.tolist() == ["house", "house", "flat", "house", "commercial", "house"]
    assert not unknown.any()
    (note,) = kind_notes(words)
    for told in ("1 'residential' as house", "1 'Multi-Family' as flat", "1 'SHOP' as commercial"):
        assert told in note
    assert kind_notes(np.array(["House", "flat", "other", ""], object)) == []


def test_unknown_words_are_houses_and_told() -> None:
    words = np.array(["house", "Kiosk", "kiosk", "7", "other"], object)
    kinds, unknown = known_kinds(words)
    assert kinds.tolist() == ["house", "house", "house", "house", "other"]
    assert unknown.tolist() == [False, True, True, True, False]
    (note,) = kind_notes(words)
    assert note.startswith("3 of 5 meters")
    for told in ("'Kiosk'", "'7'", "count as house", *KINDS):
        assert told in note
    (many,) = kind_notes(np.array([f"word {number}" for number in range(9)], object))
    assert "and 4 more" in many


@given(st.lists(st.text(max_size=12), max_size=20))
def test_any_words_give_kinds_that_have_a_load(words: list[str]) -> None:
    kinds, unknown = known_kinds(np.array(words, object))
    assert set(kinds.tolist()) <= set(KINDS)
    assert len(kinds) == len(unknown) == len(words)
    assert set(kinds[unknown].tolist()) <= {DEFAULT_KIND}


def area_of(folder: Path, *, wired: bool = False, **columns: list[str]) -> ServiceArea:
    """Four meters at two places, with more columns; with power lines planned where ``wired``."""
    table = pd.DataFrame({"x": [5e5, 5e5, 5e5 + 9, 5e5 + 9], "y": [5.5e6] * 4, **columns})
    table.to_csv(folder / "m.csv", index=False)
    return build_area(AreaInputs("made", meters=LayerInput("m.csv", crs="EPSG:32632")), folder, str if wired else None)[
        0
    ]


@pytest.mark.parametrize("word", ["hous", "Kiosk", "zebra", ""])
def test_an_unknown_kind_is_a_house_in_every_respect(tmp_path: Path, word: str) -> None:
    house = area_of(tmp_path, kind=["house", "house", "flat", "farm"])
    other = area_of(tmp_path, kind=[word, "house", "flat", "farm"])
    assert other.n_meters == other.n_meters_in == 4
    for name in house.meters.columns.difference(["data_flag", "row"]):
        assert house.meters[name].tolist() == other.meters[name].tolist(), name
    flags = sorted(flag.split("+")[1] for flag in other.meters["data_flag"])
    assert flags.count("unknown_kind" if word else "kind") == 1
    assert any(repr(word) in note for note in other.notes) == bool(word)
    assert not any("kind" in flag for flag in house.meters["data_flag"])


def test_phases_that_power_lines_draw_are_flagged_and_told(tmp_path: Path) -> None:
    phase = ["L1", "", "abc", "T"]
    area = area_of(tmp_path, wired=True, phase=phase, meter_id=list("abcd"))
    drawn = {
        name: "phase" in flag.split("+")
        for name, flag in zip(area.meters["meter_id"], area.meters["data_flag"], strict=True)
    }
    assert drawn == {"a": False, "b": True, "c": True, "d": False}
    assert any(note.startswith("2 of 4 meters tell no phase") for note in area.notes)
    for told in (area_of(tmp_path, phase=phase), area_of(tmp_path, wired=True, phase=["L1", "B", "S", "T"])):
        assert not any("phase" in flag.split("+") for flag in told.meters["data_flag"])
        assert not any("tell no phase" in note for note in told.notes)
