"""Cables against the published constants, their two modes, the names utilities write, and a user's own data."""

import dataclasses

import numpy as np
import pytest
from amiplan.channels.cable import Cable, LineConstants
from amiplan.channels.powerline.cables import (
    CABLES,
    COMMON,
    DIFFERENCE,
    cable_named,
    cables_table,
    line_constants,
    propagation,
)
from hypothesis import given
from hypothesis import strategies as st

# kHz: R ohm/km, L mH/km, C nF/km, G mS/km, Z0 ohm, dB/km, as printed: computed for the formulas after Dostert (2001)
TABLE = {
    "NAYY 4x150": {
        35: "4.5 0.164 327 6.8 22 1.5",
        91: "7.3 0.164 307 14.4 23 2.8",
        150: "9.4 0.164 297 21 24 3.9",
        487: "16.9 0.164 273 50 25 8.3",
    },
    "NAYY 4x150 XLPE": {91: "7.3 0.164 272 1.6 25 1.45", 487: "16.9 0.164 272 8.3 25 3.9"},
    "NAYY 4x50": {
        35: "7.8 0.220 243 5.1 30..31 1.8",
        91: "12.6 0.220 228 10.7 30..31 3.2",
        150: "16.2 0.220 221 15.7 32..33 4.4",
        487: "29.2 0.220 203 37 32..33 9.1",
    },
    "NYCY 70/35": {35: "2.0 0.036 1476 31 5 2.4", 91: "3.2 0.036 1388 65 5 4.2", 487: "7.4 0.036 1233 225 5 11.3"},
    "ABC 4x95": {35: "5.4 0.31 70 0.015 66 0.4", 91: "8.8 0.31 70 * 66 0.6", 487: "20.3 0.31 70 0.2 66 1.4"},
    "service 2x16": {35: "11.5 0.42 54 0.01 88 0.6", 91: "18.5 0.42 54 * 88 0.9", 487: "42.8 0.42 54 0.17 88 2.2"},
    "bare Al 50": {35: "4.4 1.69 6.6 0 505 0.04", 91: "7.1 1.69 6.6 0 505 0.06", 487: "16.5 1.69 6.6 0 505 0.14"},
    "MV overhead": {35: "30 1.9 8 1.5 * *", 91: "30 1.9 8 1.5 * *", 487: "30 1.9 8 1.5 * *"},
}
ROWS = [(name, khz, text) for name, rows in TABLE.items() for khz, text in rows.items()]


@pytest.mark.parametrize(("name", "khz", "printed"), ROWS, ids=lambda one: str(one))
def test_cable_constants_equal_the_table(name, khz, printed):
    f = np.array([khz * 1e3])
    r, l, c, g = (float(x[0]) for x in line_constants(CABLES[name], f))
    gamma, z0 = propagation(CABLES[name], f)
    got = (r * 1e3, l * 1e6, c * 1e12, g * 1e6, abs(z0[0]), gamma.real[0] * 1e3 * 8.685889638)
    once = (
        (1, 4) if CABLES[name].geometry == "two_wire" else ()
    )  # L and Z0 are printed for all three frequencies at once
    for column, (value, text) in enumerate(zip(got, printed.split(), strict=True)):
        if text != "*":
            low, high = (text.split("..") * 2)[:2]
            unit = 10.0 ** -len(low.partition(".")[2])
            loose = 0.06 * float(low) if column in once else 0.0
            assert float(low) - unit - loose <= value <= float(high) + unit + loose


@pytest.mark.parametrize("name", CABLES)
def test_the_common_mode_follows_from_the_pair(name):
    f, cable = np.array([20e3, 91e3, 450e3]), CABLES[name]
    r, l, c, g = line_constants(cable, f)
    common = line_constants(cable, f, COMMON)
    if cable.n_phases == 1:
        np.testing.assert_array_equal(common, (r, l, c, g))
        return
    np.testing.assert_allclose(common[0], 4 * r)
    np.testing.assert_allclose(common[1] / l, 2.5 if cable.geometry in ("two_wire", "constants") else 0.43 / 0.16)
    np.testing.assert_allclose(common[1] * common[2], l * c)  # one insulation, one speed
    np.testing.assert_allclose(common[3] * c, g * common[2], atol=1e-30)  # one loss tangent
    both = [propagation(cable, f, mode) for mode in (DIFFERENCE, COMMON)]
    assert (both[1][0].real > both[0][0].real).all()  # it dies first
    assert (abs(both[1][1]) > abs(both[0][1])).all()


def test_four_equal_conductors_have_these_two_modes():
    self_uh, mutual_uh, phase_ohm = 0.25, 0.09, 1.0
    ones, unit = np.ones((3, 3)), np.eye(3)
    found = np.sort(np.linalg.eigvalsh((self_uh - mutual_uh) * unit + mutual_uh * ones))
    assert found[2] / found[0] == pytest.approx(CABLES["NAYY 4x150"].zero_inductance_ratio)
    found = np.sort(np.linalg.eigvalsh(phase_ohm * unit + phase_ohm * ones))  # the neutral's own in all of them
    assert found[2] / found[0] == pytest.approx(CABLES["NAYY 4x150"].zero_resistance_ratio)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("NAYY 4x50 SE", "NAYY 4x50"),
        ("nayy 4×50", "NAYY 4x50"),
        ("NAYY-J 4x50 SE 0.6/1kV", "NAYY 4x50"),
        ("NAYY 4x150 SM 0,6/1 kV", "NAYY 4x150"),
        (" NAYY  4x50 ", "NAYY 4x50"),
        ("NAYY 4x50 J", "NAYY 4x50"),
        ("NAYY 4x150 SE XLPE", "NAYY 4x150 XLPE"),
        ("NAYY 4x35 XLPE SE", "NAYY 4x35 XLPE"),
        ("ABC 4x95 XLPE", "ABC 4x95"),
        ("Bare AL 50", "bare Al 50"),
    ],
)
def test_cable_names_as_utilities_write_them(written, meant):
    assert cable_named(written).name == meant


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("NAYY 4x15", "NAYY 4x150"),
        ("NYCY 70-35", "NYCY 70/35"),
        ("service", "service 2x16"),
        ("NAYY 4x16", "NAYY 4x35"),
        ("NAYY4x150SE", "NAYY 4x150"),
        ("4x150 NAYY", "NAYY 4x150"),
        ("NAVY 4x150", "NAYY 4x150"),
        ("NA2XY 4x150", "NAYY 4x150 XLPE"),
        ("4c_70", "NAYY 4x70"),
        ("NFA2X 4x70", "NAYY 4x70"),
    ],
)
def test_an_unknown_cable_is_refused_with_the_nearest(name, near):
    with pytest.raises(ValueError, match=rf"cable type '{name}' is unknown, nearest is '{near}'; map it .*cable_types"):
        cable_named(name)


def test_own_types_go_before_built_in_ones():
    told = LineConstants((91e3,), (10.0,), (0.2,), (100.0,), (5.0,))
    own = Cable("NAYY 4x50 SE", "constants", constants=told)
    more = Cable("Erdkabel 7", "constants", constants=told)
    assert cable_named("nayy 4x50 se", (own, more)) is own
    assert cable_named("NAYY 4x50", (own, more)) is CABLES["NAYY 4x50"]
    assert cable_named("erdkabel  7", (own, more)) is more
    with pytest.raises(ValueError, match="nearest is 'Erdkabel 7'"):
        cable_named("Erdkabel 8", (own, more))
    table = cables_table((dataclasses.replace(own, name="NAYY 4x50"), more))
    assert len(table) == len(CABLES) + 1
    assert table.set_index("name").loc["NAYY 4x50", "geometry"] == "constants"
    assert not table.filter(like="db_per_km").isna().any().any()


@given(st.floats(9e3, 5e5), st.tuples(*(st.floats(1e-3, 2000),) * 4))
def test_one_frequency_fixes_the_laws(at_hz, values):
    cable = Cable("own", "constants", constants=LineConstants((at_hz,), *((value,) for value in values)))
    f = np.array([at_hz, 4 * at_hz])
    r, l, c, g = line_constants(cable, f)
    for column, value, unit, grown in zip((r, l, c, g), values, (1e-3, 1e-6, 1e-12, 1e-6), (2, 1, 1, 4), strict=True):
        np.testing.assert_allclose(column, [value * unit, grown * value * unit], rtol=1e-12)


def test_a_table_of_constants_is_met_at_its_points_and_runs_on_beyond():
    at = (20e3, 80e3, 320e3)
    r = (3.0, 5.0, 12.0)
    cable = Cable("own", "constants", constants=LineConstants(at, r, (0.2, 0.19, 0.18), (300, 280, 270), (4, 10, 30)))
    got = line_constants(cable, np.array([5e3, *at, 1280e3]))
    np.testing.assert_allclose(got[0] * 1e3, [1.5, *r, 24.0])
    np.testing.assert_allclose(got[1] * 1e6, [0.2, 0.2, 0.19, 0.18, 0.18])
    np.testing.assert_allclose(got[3] * 1e6, [1.0, 4, 10, 30, 120])
    between = line_constants(cable, np.array([40e3]))[0][0] * 1e3
    assert 3.0 < between < 5.0
    geometric = CABLES["NAYY 4x150 XLPE"]
    f = np.geomspace(20e3, 500e3, 9)
    r, l, c, g = line_constants(geometric, f)
    told = LineConstants(*(tuple(x) for x in (f, r * 1e3, l * 1e6, c * 1e12, g * 1e6)))
    f = np.array([33e3, 91e3, 487e3])
    copy = dataclasses.replace(geometric, geometry="constants", constants=told)
    np.testing.assert_allclose(propagation(copy, f, COMMON), propagation(geometric, f, COMMON), rtol=1e-9)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"geometry": "round"}, "geometry = 'round': known are sector"),
        ({"n_phases": 2}, "n_phases = 2: write 3, or 1"),
        ({"first_mm": 0.0}, r"first_mm = 0\.0: a positive number"),
        ({"area_mm2": -1.0}, "area_mm2 = -1.0: a positive number"),
        ({"resistivity_ohm_m": float("nan")}, "resistivity_ohm_m = nan"),
        ({"second_mm": float("inf")}, "second_mm = inf"),
        ({"geometry": "coaxial", "first_mm": 9.0, "second_mm": 9.0}, "outer radius must exceed"),
        ({"geometry": "two_wire", "first_mm": 9.0, "second_mm": 18.0}, "spacing must exceed twice"),
        ({"permittivity": 4.0}, "together, or neither for PVC"),
        ({"permittivity": 0.9, "loss_tangent": 0.1}, "permittivity = 0.9: at least 1"),
        ({"permittivity": 2.0, "loss_tangent": -0.1}, "loss_tangent = -0.1: 0 up to 1"),
        ({"zero_resistance_ratio": 0.5}, "zero_resistance_ratio = 0.5: at least 1"),
        ({"zero_inductance_ratio": float("nan")}, "zero_inductance_ratio = nan"),
        ({"geometry": "constants"}, "give constants with"),
        ({"constants": LineConstants((), (1.0,), (1.0,), (1.0,), (1.0,))}, "give constants with"),
    ],
)
def test_no_cable_is_like_that(changes, words):
    with pytest.raises(ValueError, match=words):
        dataclasses.replace(CABLES["NAYY 4x50"], **changes)


def test_constants_that_cannot_be():
    one = (1.0,)
    for frequency in ((0.0,), (9e3, 9e3), (float("nan"),)):
        with pytest.raises(ValueError, match="positive frequencies"):
            LineConstants(frequency, one * len(frequency), one, one, one)
    with pytest.raises(ValueError, match="l_mh_per_km has 1 values for 2 frequencies"):
        LineConstants((9e3, 95e3), (1.0, 2.0), one, one, one)
    with pytest.raises(ValueError, match=r"g_ms_per_km = 0\.0: a positive number"):
        LineConstants((), one, one, one, (0.0,))


def test_a_frequency_of_zero_is_refused():
    with pytest.raises(ValueError, match="positive"):
        line_constants(CABLES["NAYY 4x50"], np.array([0.0]))


def test_cables_can_be_told_apart_by_hash():
    assert len({*CABLES.values()}) == len(CABLES)
