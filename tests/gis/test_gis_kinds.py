"""Words for kinds of customers: known ones are understood however they are written, unknown ones used and told."""

from __future__ import annotations

import numpy as np
from amiplan.gis.kinds import KINDS, OTHER, SYNONYMS, known_kinds, unknown_kinds_note
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
    kinds, unknown = known_kinds(
        np.array(["House", " residential ", "Multi-Family", "single family", "SHOP", ""], object)
    )
    assert kinds.tolist() == ["house", "house", "flat", "house", "commercial", ""]
    assert not unknown.any()
    assert unknown_kinds_note(np.array(["House", ""], object)) == ""


def test_unknown_words_are_used_and_told() -> None:
    words = np.array(["house", "Kiosk", "kiosk", "7"], object)
    kinds, unknown = known_kinds(words)
    assert kinds.tolist() == ["house", OTHER, OTHER, OTHER]
    assert unknown.tolist() == [False, True, True, True]
    note = unknown_kinds_note(words)
    assert note.startswith("3 meters")
    assert "'Kiosk'" in note
    assert "7" in note
    many = unknown_kinds_note(np.array([f"word {number}" for number in range(9)], object))
    assert "and 4 more" in many


@given(st.lists(st.text(max_size=12), max_size=20))
def test_any_words_give_kinds_that_have_a_load(words: list[str]) -> None:
    kinds, unknown = known_kinds(np.array(words, object))
    assert set(kinds.tolist()) <= {*KINDS, ""}
    assert len(kinds) == len(unknown) == len(words)
    assert set(kinds[unknown].tolist()) <= {OTHER}
