"""Cables and lines as transmission lines: R, L, C and G per metre against frequency, in two modes of propagation.

``DIFFERENCE`` is the mode between conductors, ``COMMON`` the mode of all phases against the neutral; how the second
follows from the first stands in `channels.cable`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import asdict, replace
from difflib import SequenceMatcher
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..cable import OVERHEAD_ZERO_INDUCTANCE, Cable, LineConstants

__all__ = [
    "CABLES",
    "COMMON",
    "DIFFERENCE",
    "Cable",
    "LineConstants",
    "cable_named",
    "cables_table",
    "line_constants",
    "plain_name",
    "propagation",
]

Array = NDArray[Any]

DIFFERENCE, COMMON = 0, 1
"""Modes: between conductors, and all phases against the neutral."""

MU_0 = 4e-7 * np.pi
EPSILON_0 = 8.8541878128e-12

_AL, _CU = 2.82e-8, 1.0 / 5.96e7
_DOSTERT = "Aalamifar et al., PLC channel simulator (2013), after K. Dostert, Powerline Communications (2001)"
_IEC = "sector geometry after Dostert (2001), core insulation IEC 60502-1 table 6"
_OURS = "estimated from typical products"
_DENSE = "lower bound of loss: permittivity 4, loss tangent 0.01 in place of PVC"
_OPEN: dict[str, Any] = {"zero_inductance_ratio": OVERHEAD_ZERO_INDUCTANCE}
_FIXED = LineConstants((), (30.0,), (1.9,), (8.0,), (1.5,))

_ROWS = (
    #     name             geometry    first   second  area   rho  eps_r  tan_delta
    Cable("NAYY 4x35",     "sector",    6.676,   2.4,  35.0, _AL, None, None, source=_IEC, confidence="B"),
    Cable("NAYY 4x50",     "sector",    7.979,   2.8,  50.0, _AL, None, None, source=_DOSTERT, confidence="A"),
    Cable("NAYY 4x70",     "sector",    9.441,   2.8,  70.0, _AL, None, None, source=_IEC, confidence="B"),
    Cable("NAYY 4x95",     "sector",   10.998,   3.2,  95.0, _AL, None, None, source=_IEC, confidence="B"),
    Cable("NAYY 4x120",    "sector",   12.361,   3.2, 120.0, _AL, None, None, source=_IEC, confidence="B"),
    Cable("NAYY 4x150",    "sector",   13.820,   3.6, 150.0, _AL, None, None, source=_DOSTERT, confidence="A"),
    Cable("NAYY 4x185",    "sector",   15.348,   4.0, 185.0, _AL, None, None, source=_IEC, confidence="B"),
    Cable("NAYY 4x240",    "sector",   17.481,   4.4, 240.0, _AL, None, None, source=_IEC, confidence="B"),
    Cable("NYCY 70/35",    "coaxial",   7.048, 8.448,  70.0, _CU, None, None, source=_DOSTERT, confidence="A"),
    Cable("ABC 4x95",      "two_wire",   5.75,  14.9,  95.0, _AL, 1.9, 1e-3, **_OPEN, source=_OURS, confidence="C"),
    Cable("service 2x16",  "two_wire",   2.30,   7.0,  16.0, _AL, 1.9, 1e-3, 1, source=_OURS, confidence="C"),
    Cable("bare Al 50",    "two_wire",   4.50, 300.0,  50.0, _AL, 1.0,  0.0, **_OPEN, source=_OURS, confidence="C"),
    Cable("MV overhead",   "constants", constants=_FIXED, **_OPEN, source=_DOSTERT, confidence="A"),
)  # fmt: skip

CABLES: dict[str, Cable] = {cable.name: cable for cable in _ROWS} | {
    f"{cable.name} XLPE": replace(
        cable, name=f"{cable.name} XLPE", permittivity=4.0, loss_tangent=0.01, source=_DENSE, confidence="C"
    )
    for cable in _ROWS
    if cable.name.startswith("NAYY")
}
"""Built-in types by name; a case file adds its own. The ratios of the second mode are of confidence C throughout."""

_SHAPES = re.compile(r"\s(SE|SM|RE|RM|SMV|J|O|0[.,]6/1(\s*KV)?)(?=\s|$)", re.IGNORECASE)

_AREA_WEIGHT = 0.1
"""What an e-fold of cross-section counts against likeness of the letters, when the nearest name is looked for."""


def cable_named(name: str, extra: Sequence[Cable] = ()) -> Cable:
    """The cable type that a utility means.

    Parameters
    ----------
    name : as utilities write it: any case, ``×`` or ``x``, with or without conductor shape, -J or -O, rated voltage.
    extra : the user's own types; one of the same name goes before a built-in one.

    Returns
    -------
    Cable. Raises ValueError with the nearest known name and where to map or define the type where it is unknown.

    >>> cable_named("NAYY-J 4×50 SE 0.6/1kV").name
    'NAYY 4x50'
    """
    known = {plain_name(one): cable for one, cable in CABLES.items()} | {plain_name(one.name): one for one in extra}
    plain = re.sub(r"-[JO]\b", "", name.replace("×", "x"), flags=re.IGNORECASE)
    while (shorter := _SHAPES.sub("", " ".join(plain.split()))) != plain:
        plain = shorter
    for word in (name, plain, re.sub(r"\sXLPE$", "", plain, flags=re.IGNORECASE)):
        if plain_name(word) in known:
            return known[plain_name(word)]
    near = max(known, key=partial(_likeness, _said(plain_name(plain))))
    raise ValueError(
        f"cable type {name!r} is unknown, nearest is {known[near].name!r}; map it to a known type in "
        f"[area.cable_types], or define it in [cables.{name!r}]"
    )


def _likeness(word: str, known: str) -> tuple[float, bool]:
    """How alike two names are, and their cross-sections where the other does not go on from the one."""
    areas = _area(word), _area(known)
    compared = min(areas) > 0 and not known.startswith(word)
    apart = abs(math.log(areas[0] / areas[1])) if compared else 0.0
    return SequenceMatcher(None, word, known).ratio() - _AREA_WEIGHT * apart, known.startswith(word)


def _area(word: str) -> int:
    """Cross-section that a name tells: the number behind ``x``, else its largest; 0 for none."""
    behind = re.search(r"\dx(\d+)", word)
    return int(behind[1]) if behind else max(map(int, re.findall(r"\d+", word)), default=0)


def _said(word: str) -> str:
    """A name with its insulation in our words: NA2XY and N2XY are insulated with XLPE."""
    return re.sub(r"^na?2xs?2?y(.*)$", r"nayy\1xlpe", word)


def plain_name(name: str) -> str:
    """A name as it is compared: without blanks, in small letters, ``x`` for the sign of multiplication."""
    return name.replace("×", "x").replace(" ", "").lower()


def line_constants(cable: Cable, frequency_hz: Array, mode: int = DIFFERENCE) -> tuple[Array, Array, Array, Array]:
    """Resistance, inductance, capacitance and conductance of the loop, per metre.

    Parameters
    ----------
    cable : Cable, see `cable_named`.
    frequency_hz : (n_carriers,)
        9 kHz to 500 kHz, positive; PVC constants are a fit for 20 kHz to 20 MHz.
    mode : ``DIFFERENCE`` or ``COMMON``; a cable of one phase has the first only and answers it for both.

    Returns
    -------
    r_ohm_per_m, l_h_per_m, c_f_per_m, g_s_per_m, each (n_carriers,). Raises ValueError for a frequency that is not
    positive.

    References
    ----------
    K. Dostert, "Powerline Communications", 2001 (sector cable, coaxial cable, PVC); round two-wire line with
    proximity effect: S. Ramo et al., "Fields and Waves in Communication Electronics", table 5.11. Modes: C. R. Paul,
    "Analysis of Multiconductor Transmission Lines", 2nd ed. 2008, chapter 7 (cyclic symmetric structures).

    >>> r, l, c, g = line_constants(cable_named("NAYY 4x150"), np.array([91e3]))
    >>> [round(float(x[0]), 3) for x in (r * 1e3, l * 1e6, c * 1e12)]
    [7.283, 0.164, 307.24]
    """
    f = np.asarray(frequency_hz, dtype=np.float64)
    if np.any(~(f > 0)):
        raise ValueError("frequency_hz must be positive; give carrier frequencies in hertz")
    r, l, c, g = _computed(cable, f) if cable.constants is None else _told(cable.constants, f)
    if mode == DIFFERENCE or cable.n_phases == 1:
        return r, l, c, g
    grown = cable.zero_inductance_ratio
    return r * cable.zero_resistance_ratio, l * grown, c / grown, g / grown


def propagation(cable: Cable, frequency_hz: Array, mode: int = DIFFERENCE) -> tuple[Array, Array]:
    """Propagation constant and characteristic impedance.

    Parameters as in `line_constants`.

    Returns
    -------
    gamma_per_m, z0_ohm, each (n_carriers,) complex: sqrt((R+jwL)(G+jwC)) and sqrt((R+jwL)/(G+jwC)).
    """
    r, l, c, g = line_constants(cable, frequency_hz, mode)
    omega = 2j * np.pi * np.asarray(frequency_hz, dtype=np.float64)
    series, shunt = r + omega * l, g + omega * c
    return np.sqrt(series * shunt), np.sqrt(series / shunt)


def cables_table(extra: Sequence[Cable] = (), frequency_hz: Sequence[float] = (35e3, 91e3, 487e3)) -> pd.DataFrame:
    """All known types with their data, and impedance and attenuation of both modes at some frequencies.

    One row a type; a user's type stands in the place of a built-in one of the same name.
    """
    rows = []
    for cable in (CABLES | {one.name: one for one in extra}).values():
        row = {key: value for key, value in asdict(cable).items() if key != "constants"}
        for mode, word in ((DIFFERENCE, "difference"), (COMMON, "common")):
            gamma, z0 = propagation(cable, np.asarray(frequency_hz), mode)
            for at, hz in enumerate(frequency_hz):
                row[f"{word}_{hz / 1e3:g}khz_z0_ohm"] = round(float(abs(z0[at])), 1)
                row[f"{word}_{hz / 1e3:g}khz_db_per_km"] = round(float(gamma[at].real) * 1e3 * 8.685889638, 2)
        rows.append(row)
    return pd.DataFrame(rows)


def _computed(cable: Cable, f: Array) -> tuple[Array, Array, Array, Array]:
    """Constants from geometry and material."""
    permittivity, loss_tangent = _dielectric(cable, f)
    first_m, second_m = cable.first_mm * 1e-3, cable.second_mm * 1e-3
    surface_ohm = np.sqrt(np.pi * f * MU_0 * cable.resistivity_ohm_m)
    if cable.geometry == "sector":
        inductance = np.full_like(f, MU_0 * second_m / (2 * first_m))
        capacitance = 2 * EPSILON_0 * permittivity * first_m / second_m
        skin = surface_ohm / first_m
    elif cable.geometry == "coaxial":
        ratio = np.log(second_m / first_m)
        inductance = np.full_like(f, MU_0 / (2 * np.pi) * ratio)
        capacitance = 2 * np.pi * EPSILON_0 * permittivity / ratio
        skin = surface_ohm / (2 * np.pi) * (1 / first_m + 1 / second_m)
    else:
        x = second_m / (2 * first_m)
        skin = surface_ohm / (np.pi * first_m) * x / np.sqrt(x**2 - 1)
        inductance = MU_0 / np.pi * np.arccosh(x) + skin / (2 * np.pi * f)
        capacitance = np.pi * EPSILON_0 * permittivity / np.arccosh(x)
    resistance = np.maximum(skin, 2 * cable.resistivity_ohm_m / (cable.area_mm2 * 1e-6))
    return resistance, inductance, capacitance, 2 * np.pi * f * capacitance * loss_tangent


def _told(constants: LineConstants, f: Array) -> tuple[Array, Array, Array, Array]:
    """Constants from values: R over root f, L, C and G over f are interpolated in log f and held beyond the ends."""
    at = np.asarray(constants.frequency_hz, dtype=np.float64)
    r, l, c, g = (
        np.full_like(f, told[0] * unit)
        if at.size == 0
        else np.interp(np.log(f), np.log(at), np.asarray(told) * unit / at**power) * f**power
        for told, unit, power in (
            (constants.r_ohm_per_km, 1e-3, 0.5),
            (constants.l_mh_per_km, 1e-6, 0.0),
            (constants.c_nf_per_km, 1e-12, 0.0),
            (constants.g_ms_per_km, 1e-6, 1.0),
        )
    )
    return r, l, c, g


def _dielectric(cable: Cable, f: Array) -> tuple[Array, Array]:
    """Relative permittivity and loss tangent against frequency."""
    if cable.permittivity is not None and cable.loss_tangent is not None:
        return np.full_like(f, cable.permittivity), np.full_like(f, cable.loss_tangent)
    decades = np.log10(f)
    return 7.95 - 0.9 / np.log10(20) * decades, 0.2345 - 0.04 / np.log10(20) * decades
