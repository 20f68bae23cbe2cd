"""Configuration of G3-PLC: every number with its unit, source and confidence, and the settings made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from numpy.typing import NDArray

from ..mac.g3_framing import MacSettings, check_room
from ..parameters import parameter
from ..phy import g3_ofdm
from ..phy.g3_adaptation import g3_adaptation
from ..phy.g3_bands import G3_BANDS, BandPlan, band_plan, with_mask, with_two_blocks
from ..phy.plc_adaptation import Adaptation
from .line_parameters import Carriers, LineParameters

Array = NDArray[Any]

RISING = (("min_be", "max_be"),)
"""Pairs of parameters of which the first may not exceed the second."""


@dataclass(frozen=True)
class G3Parameters(LineParameters):
    """Parameters of G3-PLC; the technology inherits them, those of the line stand in `LineParameters`."""

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
    implementation_loss_db: float = parameter(
        1.5, "dB", "added to all SNR thresholds", "1 to 2 dB", confidence="C", minimum=0, maximum=10
    )
    preamble_snr_db: float = parameter(
        -4.0,
        "dB",
        "effective SNR at which half of the preambles are found, before the implementation loss",
        "around -4 to 0 dB",
        confidence="C",
        minimum=-20,
        maximum=10,
    )
    mode_margin_db: float = parameter(
        1.0,
        "dB",
        "reserve kept by tone-map adaptation above the robust mode",
        "a choice",
        confidence="C",
        minimum=0,
        maximum=20,
    )
    max_link_length_m: float = parameter(
        2000.0,
        "m",
        "pairs farther apart along the cables are not looked at",
        "a choice, beyond any direct link",
        confidence="C",
        minimum=1,
        maximum=2e4,
    )
    max_hops: int = parameter(8, "1", "longest route (adpMaxHops)", "ITU-T G.9903 default", minimum=1, maximum=14)
    cost_quality: float = parameter(10.0, "1", "link cost weight Kq", "ITU-T G.9903 profile", minimum=0, maximum=255)
    weak_lqi: float = parameter(
        52.0, "1", "links below this LQI are avoided", "ITU-T G.9903 default", minimum=0, maximum=255
    )
    min_be: int = parameter(3, "1", "macMinBE", "ITU-T G.9903", minimum=0, maximum=20)
    max_be: int = parameter(8, "1", "macMaxBE", "ITU-T G.9903", minimum=0, maximum=20)
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
        5, "B", "mesh header per fragment", "RFC 4944 section 5.2", confidence="B", minimum=0, maximum=20
    )
    fragment_header_bytes: int = parameter(
        5, "B", "fragment header", "RFC 4944 section 5.3", confidence="B", minimum=0, maximum=10
    )
    ip_header_bytes: int = parameter(
        10, "B", "compressed IPv6 and UDP headers per message", "RFC 6282", confidence="B", minimum=0, maximum=48
    )
    processing_s: float = parameter(
        0.02,
        "s",
        "time a modem takes over a fragment before it passes it on",
        "a choice",
        confidence="C",
        minimum=0,
        maximum=5,
    )
    response_s: float = parameter(
        0.1, "s", "time a meter takes to answer", "a choice", confidence="C", minimum=0, maximum=30
    )
    parallel_polls: int = parameter(
        1, "1", "meters a concentrator asks side by side", "one shared channel", confidence="B", minimum=1, maximum=50
    )
    site_meters: int = parameter(
        500,
        "1",
        "meters one concentrator keeps in its tables",
        "neighbour table of a vendor demonstration",
        confidence="B",
        minimum=1,
        maximum=1e5,
    )
    airtime_share: float = parameter(
        0.8,
        "1",
        "share of the window a concentrator may fill with reading; the rest stays free for joining and route upkeep",
        "a choice",
        confidence="C",
        minimum=0.01,
        maximum=1,
    )

    def __post_init__(self) -> None:
        """Refuse values that contradict each other or name nothing known.

        Raises ValueError naming the keys and the fix.
        """
        super().__post_init__()
        if self.coherent and self.use_super_robo:
            raise ValueError("use_super_robo and coherent exclude each other: S-ROBO is differential; switch one off")
        _ = self.mac
        for low, high in RISING:
            least, most = getattr(self, low), getattr(self, high)
            if least > most:
                raise ValueError(f"{low} = {least} is above {high} = {most}; lower the first or raise the second")

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
    def mac(self) -> MacSettings:
        """MAC constants of this configuration. Raises ValueError where the overhead leaves no room for payload."""
        settings = MacSettings(
            self.min_be,
            self.max_be,
            self.frame_retries,
            self.mac_overhead_bytes,
            self.mesh_header_bytes,
            self.fragment_header_bytes,
            self.ip_header_bytes,
            self.processing_s,
            self.implementation_loss_db,
            self.preamble_snr_db,
            self.plan,
        )
        check_room(self.table, settings)
        return settings
