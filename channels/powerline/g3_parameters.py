"""Configuration of G3-PLC: every number with its unit, source and confidence, and the settings made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from numpy.typing import NDArray

from ..mac.g3.csma import CsmaSettings
from ..mac.g3.framing import MacSettings, check_room
from ..parameters import effective, parameter
from ..phy import g3_ofdm
from ..phy.g3_adaptation import g3_adaptation
from ..phy.g3_bands import G3_BANDS, BandPlan, band_plan, with_mask, with_two_blocks
from ..phy.plc_adaptation import Adaptation
from .g3_network_parameters import LEFT_OPEN, G3NetworkParameters
from .g3_profiles import AS_PROFILE
from .line_parameters import Carriers

Array = NDArray[Any]

RISING = (("min_be", "max_be"),)
"""Pairs of parameters of which the first may not exceed the second."""


@dataclass(frozen=True)
class G3Parameters(G3NetworkParameters):
    """Parameters of G3-PLC; the technology inherits them, routing and joining stand in `G3NetworkParameters`."""

    plans: ClassVar[dict[str, BandPlan]] = G3_BANDS
    """Bands of the family, by the name that ``band`` takes."""

    band: str = parameter("cenelec-a", "", "band plan: cenelec-a, cenelec-b, fcc or arib", "ITU-T G.9903 band plans")
    notched_carriers: str = parameter(
        "",
        "",
        "tone mask: carriers switched off for good, counted from 0, such as '0-5, 17'; empty for none",
        "ITU-T G.9903 tone mask; what must be spared depends on the place",
    )
    two_rs_blocks: bool = parameter(
        False,
        "",
        "frames may bear two Reed-Solomon blocks (fcc and arib bands; one vendor keeps arib to one)",
        "ITU-T G.9903; whether modems use it depends on the vendor",
        confidence="B",
    )
    coherent: bool = parameter(
        False,
        "",
        "all modems have the optional coherent modes, which then replace the differential ones; pilots not counted",
        "ITU-T G.9903 optional modes; share of pilot carriers uncertain, rates are upper bounds",
        confidence="C",
    )
    use_super_robo: bool = parameter(False, "", "use the optional mode with six copies", "ITU-T G.9903")
    min_be: int = parameter(3, "1", "macMinBE", "ITU-T G.9903", minimum=0, maximum=20)
    max_be: int = parameter(AS_PROFILE, "1", f"macMaxBE; {LEFT_OPEN}", "ITU-T G.9903", minimum=AS_PROFILE, maximum=20)
    frame_retries: int = parameter(5, "1", "macMaxFrameRetries", "ITU-T G.9903", minimum=0, maximum=15)
    mac_overhead_bytes: int = parameter(
        25,
        "B",
        "MAC header, security, integrity code, segment control and FCS per segment",
        "24 to 26 B with short addresses",
        confidence="C",
        minimum=9,
        maximum=60,
    )
    mesh_header_bytes: int = parameter(
        5, "B", "mesh header per fragment", "RFC 4944 section 5.2", confidence="B", minimum=5, maximum=20
    )
    fragment_header_bytes: int = parameter(
        5, "B", "fragment header", "RFC 4944 section 5.3", confidence="B", minimum=5, maximum=10
    )
    ip_header_bytes: int = parameter(
        10, "B", "compressed IPv6 and UDP headers per message", "RFC 6282", confidence="B", minimum=4, maximum=48
    )
    tone_map_ttl_s: float = parameter(
        120.0,
        "s",
        "how long a tone map stays valid after the neighbour sent it (macTMRTTL); then a fragment goes robust and asks",
        "ITU-T G.9903 default as IEC 62056-8-5 classes give it",
        minimum=0,
        maximum=86400,
    )
    tone_map_response_bytes: int = parameter(
        20, "B", "frame in which a neighbour sends its tone map", "a choice", confidence="C", minimum=12, maximum=60
    )
    csma_fairness_limit: int = parameter(
        25, "1", "macCSMAFairnessLimit", "ITU-T G.9903; form B", minimum=1, maximum=255
    )
    csma_decrease: int = parameter(
        AS_PROFILE, "1", f"macA; {LEFT_OPEN}", "ITU-T G.9903; form B", minimum=AS_PROFILE, maximum=255
    )
    csma_rate: int = parameter(5, "1", "macK", "ITU-T G.9903; form B", minimum=1, maximum=255)
    min_cw_attempts: int = parameter(10, "1", "macMinCWAttempts", "ITU-T G.9903; form B", minimum=1, maximum=255)
    max_csma_backoffs: int = parameter(
        50, "1", "busy lines after which a frame is given up (macMaxCSMABackoffs)", "ITU-T G.9903",
        minimum=1, maximum=255,
    )  # fmt: skip

    def __post_init__(self) -> None:
        """Refuse values that contradict each other or name nothing known.

        Raises ValueError naming the keys and the fix.
        """
        super().__post_init__()
        for low, high in RISING:
            least, most = effective(self, low), effective(self, high)
            if least > most:
                raise ValueError(f"{low} = {least} is above {high} = {most}; lower the first or raise the second")
        if self.coherent and self.use_super_robo:
            raise ValueError("use_super_robo and coherent exclude each other: S-ROBO is differential; switch one off")
        _ = self.mac

    @property
    def plan(self) -> BandPlan:
        """Band with its tone mask. Raises ValueError for an unknown band, an impossible mask or a second block."""
        plan = with_mask(band_plan(self.plans, self.band), self.notched_carriers)
        return with_two_blocks(plan) if self.two_rs_blocks else plan

    @property
    def table(self) -> tuple[g3_ofdm.Mode, ...]:
        """Modes with their waveforms and tone maps."""
        return g3_ofdm.modes(self.plan, self.use_super_robo, self.coherent)

    @property
    def carriers(self) -> Carriers:
        """Carriers in use, as the line needs them."""
        plan = self.plan
        return Carriers(plan.label, plan.frequency_hz, plan.spacing_hz, plan.window_s, plan.sampling_hz)

    def adaptation(self, state_of_bin: Array, mains_hz: float) -> Adaptation:
        """Modes for the choice of one; ``state_of_bin`` (n_bins,) is the network state over the mains half cycle."""
        return g3_adaptation(
            self.table,
            state_of_bin,
            loss_db=self.implementation_loss_db,
            margin_db=self.mode_margin_db,
            mains_hz=mains_hz,
        )

    @property
    def csma(self) -> CsmaSettings:
        """Access to the line."""
        return CsmaSettings(
            self.min_be,
            effective(self, "max_be"),
            self.max_csma_backoffs,
            self.csma_fairness_limit,
            effective(self, "csma_decrease"),
            self.csma_rate,
            self.min_cw_attempts,
        )

    @property
    def mac(self) -> MacSettings:
        """MAC constants of this configuration. Raises ValueError where the overhead leaves no room for payload."""
        settings = MacSettings(
            csma=self.csma,
            frame_retries=self.frame_retries,
            mac_overhead_bytes=self.mac_overhead_bytes,
            mesh_header_bytes=self.mesh_header_bytes,
            fragment_header_bytes=self.fragment_header_bytes,
            ip_header_bytes=self.ip_header_bytes,
            processing_s=self.processing_s,
            loss_db=self.implementation_loss_db,
            preamble_snr_db=self.preamble_snr_db,
            plan=self.plan,
            tone_map_ttl_s=self.tone_map_ttl_s,
            tone_map_response_bytes=self.tone_map_response_bytes,
        )
        check_room(self.table, settings)
        return settings
