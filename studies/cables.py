"""The user's own cable types: a table ``[cables.NAME]`` of the case file becomes a cable definition."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ..channels.cable import (
    CABLE_ZERO_INDUCTANCE,
    EQUAL_NEUTRAL,
    OVERHEAD_ZERO_INDUCTANCE,
    Cable,
    LineConstants,
)
from ..channels.parameters import parameter
from ..channels.powerline.cables import plain_name
from .settings import UserError, described, fill

SIZES = {
    "sector": ("radius_mm", "gap_mm"),
    "coaxial": ("inner_radius_mm", "outer_radius_mm"),
    "two_wire": ("radius_mm", "spacing_mm"),
}
"""What a geometry is given by, in the order of the cable definition."""

TOLD = ("r_ohm_per_km", "l_mh_per_km", "c_nf_per_km", "g_ms_per_km")
MATERIAL = ("area_mm2", "resistivity_ohm_m")
INSULATION = ("permittivity", "loss_tangent")


@dataclass(frozen=True)
class CableInput:
    """One table ``[cables.NAME]``: a geometry with its sizes, or constants at frequencies; not both."""

    geometry: str = parameter(
        "constants", "-", "sector, coaxial or two_wire with sizes; constants with R, L, C and G", "user"
    )
    radius_mm: float | None = parameter(
        None, "mm", "conductor: sector sqrt(4 A / pi), wire its own", "user", minimum=0.1, maximum=100
    )
    gap_mm: float | None = parameter(
        None, "mm", "sector: between two pairs, twice the core insulation", "user", minimum=0.1, maximum=100
    )
    inner_radius_mm: float | None = parameter(None, "mm", "coaxial: of the core", "user", minimum=0.1, maximum=100)
    outer_radius_mm: float | None = parameter(None, "mm", "coaxial: of the screen", "user", minimum=0.1, maximum=200)
    spacing_mm: float | None = parameter(None, "mm", "two wires: between their axes", "user", minimum=0.2, maximum=5000)
    area_mm2: float | None = parameter(None, "mm2", "cross-section of one conductor", "user", minimum=0.5, maximum=2000)
    resistivity_ohm_m: float | None = parameter(
        None, "ohm m", "of the conductor: aluminium 2.82e-8, copper 1.68e-8", "user", minimum=1e-8, maximum=1e-6
    )
    permittivity: float | None = parameter(
        None, "1", "of the insulation; left out with loss_tangent: PVC", "user", minimum=1, maximum=20
    )
    loss_tangent: float | None = parameter(None, "1", "of the insulation", "user", minimum=0, maximum=0.99)
    frequency_hz: float | tuple[float, ...] | None = parameter(
        None,
        "Hz",
        "where the constants hold: one (R grows with its root, G with it), several, or [] for all",
        "user",
        minimum=1e3,
        maximum=1e8,
    )
    r_ohm_per_km: float | tuple[float, ...] | None = parameter(
        None, "ohm/km", "loop resistance, one value per frequency", "user", minimum=1e-3, maximum=1e4
    )
    l_mh_per_km: float | tuple[float, ...] | None = parameter(
        None, "mH/km", "loop inductance, one value per frequency", "user", minimum=1e-3, maximum=10
    )
    c_nf_per_km: float | tuple[float, ...] | None = parameter(
        None, "nF/km", "capacitance of the pair, one value per frequency", "user", minimum=0.1, maximum=1e4
    )
    g_ms_per_km: float | tuple[float, ...] | None = parameter(
        None, "mS/km", "conductance of the pair, one value per frequency", "user", minimum=1e-6, maximum=1e4
    )
    n_phases: int = parameter(3, "1", "3, or 1 for a two-core service cable", "user")
    zero_resistance_ratio: float = parameter(
        EQUAL_NEUTRAL, "1", "R of all phases against neutral to R of a pair", "equal neutral: 1 + 3", confidence="C"
    )
    zero_inductance_ratio: float | None = parameter(
        None,
        "1",
        "L of all phases against neutral to L of a pair; left out: 2.69 in cables, 2.5 for two_wire",
        "self and mutual inductance 0.25 and 0.09, overhead 0.45 and 0.15 uH/m",
        confidence="C",
    )

    def cable(self, name: str) -> Cable:
        """The definition of this type; raises ValueError where a key is missing, left over or impossible."""
        if self.geometry != "constants" and self.geometry not in SIZES:
            raise ValueError(f"geometry = {self.geometry!r}: write constants, {', '.join(SIZES)}")
        told = self.geometry == "constants"
        needed = ("frequency_hz", *TOLD) if told else (*SIZES[self.geometry], *MATERIAL)
        self._check_keys(needed, needed if told else (*needed, *INSULATION))
        ratio = OVERHEAD_ZERO_INDUCTANCE if self.geometry == "two_wire" else CABLE_ZERO_INDUCTANCE
        common: dict[str, Any] = {
            "n_phases": self.n_phases,
            "zero_resistance_ratio": self.zero_resistance_ratio,
            "zero_inductance_ratio": ratio if self.zero_inductance_ratio is None else self.zero_inductance_ratio,
        }
        if told:
            constants = LineConstants(*(_several(getattr(self, key)) for key in needed))
            return Cable(name, self.geometry, constants=constants, **common)
        sizes = (getattr(self, key) for key in (*needed, *INSULATION))
        try:
            return Cable(name, self.geometry, *sizes, **common)
        except ValueError as error:
            first, second = SIZES[self.geometry]
            raise ValueError(str(error).replace("first_mm", first).replace("second_mm", second)) from None

    def _check_keys(self, needed: tuple[str, ...], allowed: tuple[str, ...]) -> None:
        for key in (*(one for sizes in SIZES.values() for one in sizes), *MATERIAL, *INSULATION, "frequency_hz", *TOLD):
            if getattr(self, key) is None and key in needed:
                raise ValueError(f'{key} is missing; geometry = "{self.geometry}" needs {", ".join(needed)}')
            if getattr(self, key) is not None and key not in allowed:
                raise ValueError(
                    f'{key} does not belong to geometry = "{self.geometry}", which has {", ".join(allowed)}'
                )


def own_cables(table: dict[str, Any], where: str) -> dict[str, tuple[CableInput, Cable]]:
    """What the user wrote and the definition made of it, by name.

    Parameters
    ----------
    table : the section ``[cables]``, one table a type.
    where : file, for error lines.

    Raises UserError with one line for an unknown key (with the nearest known one), a value no cable can have, or a
    name that is empty or differs from another one only in case and blanks.
    """
    found: dict[str, tuple[CableInput, Cable]] = {}
    names: dict[str, str] = {}
    for name, keys in table.items():
        place = f"{where} [cables.{name!r}]"
        if not name.strip():
            raise UserError(f"{place}: a cable type without a name; write the name that your cables have")
        if (other := names.setdefault(plain_name(name), name)) != name:
            raise UserError(
                f"{place}: is the same type as [cables.{other!r}], as case and blanks do not count; keep one"
            )
        if not isinstance(keys, dict):
            raise UserError(f"{where} [cables] {name} = {keys!r}: this is a section; write [cables.{name!r}]")
        told = fill(CableInput, keys, place)
        try:
            cable = told.cable(name)
        except ValueError as error:
            raise UserError(f"{place}: {error}") from None
        found[name] = (replace(told, zero_inductance_ratio=cable.zero_inductance_ratio), cable)
    return found


def _several(value: float | tuple[float, ...]) -> tuple[float, ...]:
    return value if isinstance(value, tuple) else (value,)


def described_cables(cables: dict[str, tuple[CableInput, Cable]], touched: set[str]) -> list[dict[str, Any]]:
    """Rows of the report's assumptions: every value of every own cable type."""
    return [
        row
        for name, (told, _) in cables.items()
        for row in described(told, f"cables.{name}", touched)
        if getattr(told, row["name"]) is not None
    ]
