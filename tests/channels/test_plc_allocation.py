"""Where power line may transmit: every band plan where it is allowed, refused where it is not, with the way out."""

from itertools import pairwise

import numpy as np
import pytest
from amiplan.channels.powerline.allocation import (
    ALLOCATIONS,
    CENELEC_MEMBERS,
    COUNTRIES,
    allocations_of,
    allocations_table,
    check_band,
    check_level,
)

# first and last carrier of ITU-T G.9903 and G.9904 band plans [Hz]
CENELEC_A, CENELEC_B = (35937.5, 90625.0), (98437.5, 121875.0)
FCC, ARIB = (154687.5, 487500.0), (154687.5, 403125.0)
PRIME_1_2, PRIME_7_8 = (41992.0, 143555.0), (370117.0, 471680.0)


@pytest.mark.parametrize(
    ("country", "band", "allowed"),
    [
        *((country, CENELEC_A, True) for country in ("DE", "ES", "FR", "GB", "TR", "US", "JP", "CN", "IN", "BR")),
        ("DE", CENELEC_B, True),
        ("ES", PRIME_1_2, True),
        ("DE", FCC, False),
        ("ES", PRIME_7_8, False),
        ("DE", (147e3, 149e3), False),
        ("US", FCC, True),
        ("US", (3e3, 95e3), False),
        ("JP", ARIB, True),
        ("JP", FCC, False),
        ("CN", FCC, True),
        ("IN", FCC, False),
    ],
)
def test_bands_by_country(country, band, allowed):
    if allowed:
        assert check_band(country, *band).by_rule
        return
    with pytest.raises(
        ValueError, match=rf'^country = "{country}": .* kHz has no allocation \(allowed is .*allow_band'
    ):
        check_band(country, *band)


def test_the_refusal_says_what_is_allowed_in_one_line():
    with pytest.raises(ValueError, match="has no allocation") as caught:
        check_band("DE", *FCC)
    text = str(caught.value)
    assert "154.69 to 487.5 kHz" in text
    assert "allowed is 3 to 148.5 kHz, EN 50065-1" in text
    assert 'allow_band = "your reason"' in text
    assert "\n" not in text


def test_a_reason_overrides_and_is_kept_for_the_report():
    told = check_band("DE", *FCC, allow_band=" field trial, licence 7 ")
    assert not told.by_rule
    assert told.confidence == "user"
    assert told.text.endswith("used all the same: field trial, licence 7")
    assert check_band("DE", *CENELEC_A, allow_band="not needed").by_rule
    for empty in ("", "  "):
        with pytest.raises(ValueError, match="no allocation"):
            check_band("DE", *FCC, allow_band=empty)


def test_a_permission_is_as_sure_as_its_weakest_row():
    assert check_band("US", *FCC).confidence == "A"
    assert check_band("DE", *CENELEC_A).confidence == "B"
    assert check_band("DE", 5e3, 20e3).confidence == "C"
    assert "CSMA" in check_band("ES", *PRIME_1_2).text


def test_unknown_countries_and_bands_that_are_none():
    with pytest.raises(ValueError, match=r"no rule of this country is known here; known are AE"):
        check_band("KE", *CENELEC_A)
    assert not check_band("KE", *CENELEC_A, allow_band="utility's licence").by_rule
    with pytest.raises(ValueError, match=r"did you mean 'GB'\?"):
        check_band("UK", *CENELEC_A)
    for wrong in ("Germany", "de", "", "D"):
        with pytest.raises(
            ValueError, match=rf"country = '{wrong}': write a code of two capital letters \(ISO 3166-1\)"
        ):
            check_band(wrong, *CENELEC_A, allow_band="anything")
    for low, high in ((0.0, 9e3), (9e3, 5e3), (np.nan, 9e3), (9e3, np.inf)):
        with pytest.raises(ValueError, match="the lower first"):
            check_band("DE", low, high, allow_band="anything")


def test_levels_of_en_50065():
    within = {"peak_dbuv": 134.0, "per_200_hz_dbuv": 120.0}
    assert check_level("DE", *CENELEC_A, **within) == "134.0 dBuV peak of 134.0 allowed (EN 50065-1)"
    with pytest.raises(
        ValueError, match=r"134\.5 dBuV peak .* DE allows 134\.0 \(EN 50065-1\); lower the level by 0\.5"
    ):
        check_level("DE", *CENELEC_A, peak_dbuv=134.5, per_200_hz_dbuv=100.0)
    with pytest.raises(ValueError, match=r"121\.0 dBuV in 200 Hz .* allows 120\.0"):
        check_level("DE", *CENELEC_A, peak_dbuv=130.0, per_200_hz_dbuv=121.0)
    with pytest.raises(ValueError, match="peak"):
        check_level("DE", *CENELEC_A, peak_dbuv=np.nan, per_200_hz_dbuv=100.0)
    assert check_level("DE", *CENELEC_B, **within)
    with pytest.raises(ValueError, match=r"allows 116\.0"):
        check_level("DE", *CENELEC_B, **within, class_116=True)
    assert check_level("DE", *CENELEC_A, **within, class_116=True)  # the classes begin at 95 kHz


def test_narrow_signals_fall_with_the_logarithm_of_frequency():
    middle = np.sqrt(9e3 * 95e3)
    assert check_level("DE", middle, middle, peak_dbuv=127.0, per_200_hz_dbuv=127.0).startswith(
        "127.0 dBuV peak of 127.0"
    )
    with pytest.raises(ValueError, match=r"allows 127\.0"):
        check_level("DE", middle, middle, peak_dbuv=127.1, per_200_hz_dbuv=127.1)
    with pytest.raises(ValueError, match=r"allows 120\.0"):
        check_level("DE", 91e3, 94.999e3, peak_dbuv=121.0, per_200_hz_dbuv=100.0)


def test_where_no_limit_is_known_the_answer_says_so():
    assert check_level("US", *FCC, peak_dbuv=140.0, per_200_hz_dbuv=130.0).startswith(
        "no limit of level is known for US"
    )


def test_the_table_is_sound():
    assert len(set(CENELEC_MEMBERS)) == 34
    assert len(COUNTRIES) == len({one for row in ALLOCATIONS for one in row.countries})
    for country in COUNTRIES:
        rows = allocations_of(country)
        assert all(a.high_hz <= b.low_hz for a, b in pairwise(rows)), country
    table = allocations_table()
    assert len(table) == len(ALLOCATIONS)
    assert set(table["confidence"]) <= {"A", "B", "C"}
    assert (table["source"] != "").all()
