"""What a cable is: geometry and material, or constants as told. `powerline.cables` makes a transmission line of it.

Three phases and a neutral carry two modes: between the phases (both Clarke components alike) and all phases together
against the neutral. The constants of a pair of conductors are those of the mode between conductors. With the neutral
as reference and equal phases the matrices per metre have two eigenvalues,

    Z_d = Z_self - Z_mutual            and    Z_0 = Z_self + 2 Z_mutual,

so that L_0 / L_d = (0.25 + 2 * 0.09) / (0.25 - 0.09) for four-core cables and (0.45 + 2 * 0.15) / (0.45 - 0.15) for
overhead lines (self and mutual inductance in uH/m, confidence C), and R_0 / R_d = (R_phase + 3 R_neutral) / R_phase,
which is 4 for a neutral like the phases. In one insulation both modes travel equally fast: L_0 C_0 = L_d C_d. The
loss tangent belongs to the insulation, hence G_0 / C_0 = G_d / C_d. The two ratios are fields of `Cable`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

CABLE_ZERO_INDUCTANCE = 0.43 / 0.16
OVERHEAD_ZERO_INDUCTANCE = 0.75 / 0.30
EQUAL_NEUTRAL = 4.0

GEOMETRIES = ("sector", "coaxial", "two_wire", "constants")


@dataclass(frozen=True)
class LineConstants:
    """Constants of a pair as measured or told, per kilometre, all positive.

    frequency_hz : rising; empty: one value each, the same at every frequency. One frequency: R grows with its root,
        G in proportion, L and C stand. Several: so between and beyond them too, with the factors interpolated
        evenly in log f and held beyond the ends.
    r_ohm_per_km, l_mh_per_km, c_nf_per_km, g_ms_per_km : one value per frequency.
    """

    frequency_hz: tuple[float, ...]
    r_ohm_per_km: tuple[float, ...]
    l_mh_per_km: tuple[float, ...]
    c_nf_per_km: tuple[float, ...]
    g_ms_per_km: tuple[float, ...]

    def __post_init__(self) -> None:
        at = self.frequency_hz
        if any(not 0 < one < math.inf for one in at) or any(b <= a for a, b in pairwise(at)):
            raise ValueError(f"frequency_hz = {list(at)}: give positive frequencies [Hz] in rising order")
        for name in ("r_ohm_per_km", "l_mh_per_km", "c_nf_per_km", "g_ms_per_km"):
            told = getattr(self, name)
            if len(told) != max(len(at), 1):
                raise ValueError(f"{name} has {len(told)} values for {len(at)} frequencies; give one for each")
            _check_positive(name, *told)


@dataclass(frozen=True)
class Cable:
    """One type of cable or line; raises ValueError for a value that no cable can have.

    geometry : ``sector`` (four sectors used as two pairs), ``coaxial``, ``two_wire``, or ``constants``.
    first_mm, second_mm : sector: pair radius sqrt(4 A / pi) and gap; coaxial: inner and outer radius;
        two_wire: radius and spacing of the axes [mm]; 0 with ``constants``.
    area_mm2 : cross-section of one conductor, for the direct-current floor [mm2].
    resistivity_ohm_m : of the conductor.
    permittivity, loss_tangent : relative, of the insulation; both ``None`` for PVC, which depends on frequency.
    n_phases : 3, or 1 for a two-core service cable (one mode only).
    zero_resistance_ratio, zero_inductance_ratio : R_0 / R_d and L_0 / L_d, see the head of this file (confidence C).
    constants : with geometry ``constants``, else ``None``.
    source, confidence : where the row comes from; A read, B to be checked, C estimated, user: from the case file.
    """

    name: str
    geometry: str
    first_mm: float = 0.0
    second_mm: float = 0.0
    area_mm2: float = 0.0
    resistivity_ohm_m: float = 0.0
    permittivity: float | None = None
    loss_tangent: float | None = None
    n_phases: int = 3
    zero_resistance_ratio: float = EQUAL_NEUTRAL
    zero_inductance_ratio: float = CABLE_ZERO_INDUCTANCE
    constants: LineConstants | None = None
    source: str = "user"
    confidence: str = "user"

    def __post_init__(self) -> None:
        if self.geometry not in GEOMETRIES:
            raise ValueError(f"geometry = {self.geometry!r}: known are {', '.join(GEOMETRIES)}")
        if self.n_phases not in (1, 3):
            raise ValueError(f"n_phases = {self.n_phases}: write 3, or 1 for a two-core service cable")
        for name in ("zero_resistance_ratio", "zero_inductance_ratio"):
            if not 1 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} = {getattr(self, name)}: at least 1 is needed, the neutral adds to the loop")
        if (self.constants is not None) != (self.geometry == "constants"):
            raise ValueError('give constants with geometry = "constants" and only there')
        if self.constants is None:
            self._check_geometry()

    def _check_geometry(self) -> None:
        for name in ("first_mm", "second_mm", "area_mm2", "resistivity_ohm_m"):
            _check_positive(name, getattr(self, name))
        if self.geometry == "coaxial" and self.second_mm <= self.first_mm:
            raise ValueError(f"second_mm = {self.second_mm}: the outer radius must exceed first_mm = {self.first_mm}")
        if self.geometry == "two_wire" and self.second_mm <= 2 * self.first_mm:
            raise ValueError(f"second_mm = {self.second_mm}: the spacing must exceed twice first_mm = {self.first_mm}")
        if (self.permittivity is None) != (self.loss_tangent is None):
            raise ValueError("give permittivity and loss_tangent together, or neither for PVC")
        if self.permittivity is not None and not 1 <= self.permittivity < math.inf:
            raise ValueError(f"permittivity = {self.permittivity}: at least 1 is needed, relative to vacuum")
        if self.loss_tangent is not None and not 0 <= self.loss_tangent < 1:
            raise ValueError(f"loss_tangent = {self.loss_tangent}: 0 up to 1 is needed")


def _check_positive(name: str, *values: float) -> None:
    for value in values:
        if not 0 < value < math.inf:
            raise ValueError(f"{name} = {value}: a positive number is needed")
