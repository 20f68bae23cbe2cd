"""IEEE 1901.2: the waveforms of G3-PLC in bands of its own, with a longer frame in the CENELEC bands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..parameters import parameter
from ..phy.g3_bands import IEEE_1901_2_BANDS, BandPlan
from .g3_plc import G3Plc


@dataclass(frozen=True)
class Ieee19012(G3Plc):
    """IEEE 1901.2 as a set of parameters of the same engine: routing below the network layer, one polling concentrator.

    Its access to the medium is taken as that of G3-PLC; routing above the network layer (RPL) is not modelled.
    """

    name: ClassVar[str] = "ieee_1901_2"
    label: ClassVar[str] = "IEEE 1901.2"
    plans: ClassVar[dict[str, BandPlan]] = IEEE_1901_2_BANDS

    band: str = parameter(
        "cenelec-a",
        "",
        f"band plan: {', '.join(IEEE_1901_2_BANDS)}",
        "IEEE 1901.2-2013 band plans; edges of fcc-low and the longest payload uncertain",
        confidence="C",
    )
