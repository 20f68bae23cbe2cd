"""Low-voltage cables as transmission lines: R, L, C and G per metre against frequency.

One pair of conductors stands for the cable (two sector pairs, core against screen, or two wires); what a second
mode would add is the business of the phase model.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

MU_0 = 4e-7 * np.pi
EPSILON_0 = 8.8541878128e-12


@dataclass(frozen=True)
class Cable:
    """Geometry and material of one cable type.

    geometry : ``sector`` (four sectors used as two pairs), ``coaxial`` or ``two_wire``.
    first_mm, second_mm : sector: pair radius sqrt(4 A / pi) and gap; coaxial: inner and outer radius;
        two_wire: radius and spacing [mm].
    area_mm2 : cross-section of one conductor, for the direct-current floor [mm2].
    resistivity_ohm_m : of the conductor.
    permittivity : relative; ``None`` for PVC, which depends on frequency.
    loss_tangent : ``None`` for PVC.
    """

    name: str
    geometry: str
    first_mm: float
    second_mm: float
    area_mm2: float
    resistivity_ohm_m: float
    permittivity: float | None
    loss_tangent: float | None


_AL, _CU = 2.82e-8, 1.0 / 5.96e7

# Sector geometry of 4x150 and 4x50 and the 70/35 radii: constants of the open PLC channel simulator of F. Aalamifar
# et al. (2013) after K. Dostert, "Powerline Communications" (2001). Other NAYY sizes: core insulation of IEC 60502-1
# table 6 (confidence B). Last three rows: geometry estimated from typical products (confidence C).
CABLES: dict[str, Cable] = {
    cable.name: cable
    for cable in (
        #     name              geometry    first   second  area   rho  eps_r  tan_delta
        Cable("NAYY 4x35",      "sector",    6.676,   2.4,  35.0, _AL, None, None),
        Cable("NAYY 4x50",      "sector",    7.979,   2.8,  50.0, _AL, None, None),
        Cable("NAYY 4x70",      "sector",    9.441,   2.8,  70.0, _AL, None, None),
        Cable("NAYY 4x95",      "sector",   10.998,   3.2,  95.0, _AL, None, None),
        Cable("NAYY 4x120",     "sector",   12.361,   3.2, 120.0, _AL, None, None),
        Cable("NAYY 4x150",     "sector",   13.820,   3.6, 150.0, _AL, None, None),
        Cable("NAYY 4x185",     "sector",   15.348,   4.0, 185.0, _AL, None, None),
        Cable("NAYY 4x240",     "sector",   17.481,   4.4, 240.0, _AL, None, None),
        Cable("NYCY 70/35",     "coaxial",   7.048, 8.448,  70.0, _CU, None, None),
        Cable("ABC 4x95",       "two_wire",   5.75,  14.9,  95.0, _AL,  1.9, 1e-3),
        Cable("service 2x16",   "two_wire",   2.30,   7.0,  16.0, _AL,  1.9, 1e-3),
        Cable("bare Al 50",     "two_wire",   4.50, 300.0,  50.0, _AL,  1.0,  0.0),
    )
}  # fmt: skip

_SUFFIX = re.compile(r"\s+(SE|SM|RE|RM|SMV|J|O|XLPE|0[.,]6/1(\s*KV)?)$", re.IGNORECASE)


def cable_name(name: str) -> str:
    """The table's name of a cable type as utilities write it.

    Raises ValueError that says where to map it and lists the known names where the type is unknown.

    >>> cable_name("NAYY 4x50 SE")
    'NAYY 4x50'
    """
    text = " ".join(name.replace("×", "x").replace("-J", "").replace("-O", "").split())
    while (shorter := _SUFFIX.sub("", text)) != text:
        text = shorter
    key = text.replace(" ", "").lower()
    for known in CABLES:
        if known.replace(" ", "").lower() == key:
            return known
    raise ValueError(
        f"cable type {name!r} is unknown; map it to a known type in [area.cable_types]: {', '.join(CABLES)}"
    )


def line_constants(cable: str, frequency_hz: Array) -> tuple[Array, Array, Array, Array]:
    """Resistance, inductance, capacitance and conductance of the loop, per metre.

    Parameters
    ----------
    cable : str
        Type, see `cable_name`.
    frequency_hz : (n_carriers,)
        9 kHz to 500 kHz, positive; PVC constants are a fit for 20 kHz to 20 MHz.

    Returns
    -------
    r_ohm_per_m, l_h_per_m, c_f_per_m, g_s_per_m, each (n_carriers,). Raises ValueError for an unknown cable or a
    frequency that is not positive.

    References
    ----------
    K. Dostert, "Powerline Communications", 2001 (sector cable, coaxial cable, PVC); round two-wire line with
    proximity effect: S. Ramo et al., "Fields and Waves in Communication Electronics", table 5.11.

    >>> r, l, c, g = line_constants("NAYY 4x150", np.array([91e3]))
    >>> [round(float(x[0]), 3) for x in (r * 1e3, l * 1e6, c * 1e12)]
    [7.283, 0.164, 307.24]
    """
    row, f = CABLES[cable_name(cable)], np.asarray(frequency_hz, dtype=np.float64)
    if np.any(~(f > 0)):
        raise ValueError("frequency_hz must be positive; give carrier frequencies in hertz")
    permittivity, loss_tangent = _dielectric(row, f)
    first_m, second_m = row.first_mm * 1e-3, row.second_mm * 1e-3
    surface_ohm = np.sqrt(np.pi * f * MU_0 * row.resistivity_ohm_m)
    if row.geometry == "sector":
        inductance = np.full_like(f, MU_0 * second_m / (2 * first_m))
        capacitance = 2 * EPSILON_0 * permittivity * first_m / second_m
        skin = surface_ohm / first_m
    elif row.geometry == "coaxial":
        ratio = np.log(second_m / first_m)
        inductance = np.full_like(f, MU_0 / (2 * np.pi) * ratio)
        capacitance = 2 * np.pi * EPSILON_0 * permittivity / ratio
        skin = surface_ohm / (2 * np.pi) * (1 / first_m + 1 / second_m)
    else:
        x = second_m / (2 * first_m)
        skin = surface_ohm / (np.pi * first_m) * x / np.sqrt(x**2 - 1)
        inductance = MU_0 / np.pi * np.arccosh(x) + skin / (2 * np.pi * f)
        capacitance = np.pi * EPSILON_0 * permittivity / np.arccosh(x)
    resistance = np.maximum(skin, 2 * row.resistivity_ohm_m / (row.area_mm2 * 1e-6))
    return resistance, inductance, capacitance, 2 * np.pi * f * capacitance * loss_tangent


def _dielectric(row: Cable, f: Array) -> tuple[Array, Array]:
    """Relative permittivity and loss tangent against frequency."""
    if row.permittivity is not None and row.loss_tangent is not None:
        return np.full_like(f, row.permittivity), np.full_like(f, row.loss_tangent)
    decades = np.log10(f)
    return 7.95 - 0.9 / np.log10(20) * decades, 0.2345 - 0.04 / np.log10(20) * decades


def propagation(cable: str, frequency_hz: Array) -> tuple[Array, Array]:
    """Propagation constant and characteristic impedance.

    Parameters as in `line_constants`.

    Returns
    -------
    gamma_per_m, z0_ohm, each (n_carriers,) complex: sqrt((R+jwL)(G+jwC)) and sqrt((R+jwL)/(G+jwC)).
    """
    r, l, c, g = line_constants(cable, frequency_hz)
    omega = 2j * np.pi * np.asarray(frequency_hz, dtype=np.float64)
    series, shunt = r + omega * l, g + omega * c
    return np.sqrt(series * shunt), np.sqrt(series / shunt)
