"""Configuration of G3-PLC: every number with its unit, source and confidence, and the settings made of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..mac.g3_framing import MacSettings, check_room
from ..phy import g3_ofdm
from ..technology import Scenario, parameter
from .channel import ChannelSettings
from .emission import EmitterSettings
from .loads import HOUSE_IMPEDANCE
from .noise import CYCLE_REGIONS

RISING = (
    ("min_be", "max_be"),
    ("house_phase_low_deg", "house_phase_high_deg"),
    ("emitter_low_dbuv", "emitter_high_dbuv"),
    ("emitter_switching_low_hz", "emitter_switching_high_hz"),
    ("emitter_width_low_hz", "emitter_width_high_hz"),
)
"""Pairs of parameters of which the first may not exceed the second."""


@dataclass(frozen=True)
class G3Parameters:
    """Parameters of G3-PLC in CENELEC A; the technology inherits them."""

    tx_level_dbuv: float = parameter(
        120.0,
        "dBuV",
        "source voltage of the transmitter, all carriers, rms",
        "EN 50065-1: 134 dBuV peak less a crest of 4",
        confidence="B",
        minimum=60,
        maximum=122,
    )
    source_ohm: float = parameter(
        1.0,
        "ohm",
        "output impedance of the transmitter with its coupler",
        "0.5 to 2 ohm",
        confidence="C",
        minimum=0.05,
        maximum=50,
    )
    receive_ohm: float = parameter(
        100.0, "ohm", "impedance of an idle modem in the band", "above 100 ohm", confidence="C", minimum=10, maximum=1e5
    )
    current_limit_a: float = parameter(
        0.45,
        "A",
        "largest rms current of the line driver",
        "TI AFE031: 1.5 A peak over a crest of 3 to 4",
        confidence="B",
        minimum=0.01,
        maximum=20,
    )
    receiver_floor_dbuv: float = parameter(
        26.0, "dBuV", "receiver's own noise over the band", "TI AFE031 data sheet: 20 uV rms", minimum=-40, maximum=100
    )
    environment: str = parameter(
        "rural",
        "",
        "house impedance and noise level: rural, urban or industrial",
        "Cavdar and Karadeniz, Sensors 8:8027, 2008; noise offset a choice",
        confidence="C",
    )
    house_frequency_exponent: float = parameter(
        0.5, "1", "growth of house impedance with frequency", "0.5 to 1", confidence="C", minimum=-1, maximum=2
    )
    house_phase_low_deg: float = parameter(
        -30.0,
        "degree",
        "lowest phase angle of a house impedance",
        "-30 to 60 degrees",
        confidence="C",
        minimum=-85,
        maximum=85,
    )
    house_phase_high_deg: float = parameter(
        60.0,
        "degree",
        "highest phase angle of a house impedance",
        "-30 to 60 degrees",
        confidence="C",
        minimum=-85,
        maximum=85,
    )
    noise_offset_db: float = parameter(
        0.0,
        "dB",
        "added to the line noise, for the hour of reading",
        "evening above, night below the mean",
        confidence="C",
        minimum=-60,
        maximum=60,
    )
    noise_area_sigma_db: float = parameter(
        4.0,
        "dB",
        "spread of noise among areas; with the next 5 dB in all",
        "Hooijen 1998, split a choice",
        confidence="C",
        minimum=0,
        maximum=30,
    )
    noise_node_sigma_db: float = parameter(
        3.0,
        "dB",
        "spread of noise among receivers of an area",
        "Hooijen 1998, split a choice",
        confidence="C",
        minimum=0,
        maximum=30,
    )
    noise_lines_per_node: float = parameter(
        1.0,
        "1",
        "mean number of narrow-band interferers at a receiver",
        "1 to 5 per site",
        confidence="C",
        minimum=0,
        maximum=5,
    )
    emitter_ratio: float = parameter(
        0.03,
        "1",
        "share of meters that host a strong emitter, drawn per replication: supply, charger, inverter, lamp",
        "filters mend 0.5 to 1 % of meters in the field; if those are the upper quarter of the levels, 2 to 4 % emit",
        confidence="C",
        minimum=0,
        maximum=1,
    )
    emitter_low_dbuv: float = parameter(
        70.0,
        "dBuV",
        "weakest emitter: strongest 200 Hz reading between 36 and 91 kHz at its own terminals",
        "70 to 110 dBuV near the source, drawn evenly",
        confidence="C",
        minimum=0,
        maximum=140,
    )
    emitter_high_dbuv: float = parameter(
        110.0,
        "dBuV",
        "strongest emitter, likewise",
        "70 to 110 dBuV near the source; IEC 61000-2-2 allows 122 to 89 dBuV between 30 and 150 kHz",
        confidence="C",
        minimum=0,
        maximum=140,
    )
    emitter_switching_low_hz: float = parameter(
        4e3,
        "Hz",
        "lowest switching frequency of an emitter, drawn evenly in its logarithm",
        "PV inverters 4 to 20 kHz (Energies 18:2980)",
        confidence="B",
        minimum=1e3,
        maximum=1e6,
    )
    emitter_switching_high_hz: float = parameter(
        100e3,
        "Hz",
        "highest switching frequency of an emitter",
        "EV chargers 15 to 100 kHz (Energies 18:2980)",
        confidence="B",
        minimum=1e3,
        maximum=1e6,
    )
    emitter_width_low_hz: float = parameter(
        200.0,
        "Hz",
        "narrowest line of an emitter at half height",
        "0.2 to 5 kHz",
        confidence="C",
        minimum=1,
        maximum=1e5,
    )
    emitter_width_high_hz: float = parameter(
        5e3, "Hz", "widest line of an emitter: a hump", "0.2 to 5 kHz", confidence="C", minimum=1, maximum=1e5
    )
    cyclic_noise_set: int = parameter(
        1,
        "",
        "change of noise over the mains cycle: 0 none, 1 or 2",
        "Katayama et al., IEEE JSAC 24 (7), 2006",
        confidence="B",
        minimum=0,
        maximum=2,
    )
    short_circuit_ratio: float = parameter(
        0.04,
        "1",
        "short-circuit voltage of the transformers",
        "usual distribution transformers",
        confidence="B",
        minimum=0.005,
        maximum=0.2,
    )
    line_voltage_v: float = parameter(400.0, "V", "voltage between phases", "EN 50160", minimum=50, maximum=1000)
    transformer_quality: float = parameter(
        10.0,
        "1",
        "reactance over resistance of the transformer in the band",
        "a choice",
        confidence="C",
        minimum=0.5,
        maximum=1000,
    )
    transformer_capacitance_f: float = parameter(
        5e-9, "F", "stray capacitance of the transformer", "1 to 10 nF", confidence="B", minimum=0, maximum=1e-6
    )
    phase_model: bool = parameter(
        True,
        "",
        "single-phase meters sit on a drawn phase and links between phases pay",
        "stand-in for coupled phases",
        confidence="C",
    )
    site_phases: int = parameter(
        3,
        "",
        "phases the concentrator couples to, 1 or 3",
        "concentrators inject on one or three",
        confidence="C",
        minimum=1,
        maximum=3,
    )
    use_super_robo: bool = parameter(False, "", "use the optional mode with six copies", "ITU-T G.9903")
    implementation_loss_db: float = parameter(
        1.5, "dB", "added to all SNR thresholds", "1 to 2 dB", confidence="C", minimum=0, maximum=10
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
        if self.environment not in HOUSE_IMPEDANCE:
            known = ", ".join(HOUSE_IMPEDANCE)
            raise ValueError(f"environment = {self.environment!r} is unknown; write one of {known}")
        if self.site_phases not in (1, 3):
            raise ValueError(f"site_phases = {self.site_phases} does not exist; write 1 or 3")
        if self.cyclic_noise_set not in CYCLE_REGIONS:
            known = ", ".join(str(one) for one in CYCLE_REGIONS)
            raise ValueError(f"cyclic_noise_set = {self.cyclic_noise_set} is unknown; write one of {known}")
        for low, high in RISING:
            least, most = getattr(self, low), getattr(self, high)
            if least > most:
                raise ValueError(f"{low} = {least} is above {high} = {most}; lower the first or raise the second")

    @property
    def table(self) -> tuple[g3_ofdm.Mode, ...]:
        """Modes with their waveforms and tone maps."""
        return g3_ofdm.modes(self.use_super_robo)

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
        )
        check_room(self.table, settings)
        return settings

    def channel(self, scenario: Scenario) -> ChannelSettings:
        """Electrical settings of this configuration in a scenario."""
        per_carrier_db = 10 * np.log10(g3_ofdm.N_CARRIERS)
        return ChannelSettings(
            frequency_hz=g3_ofdm.CARRIER_HZ,
            bandwidth_hz=g3_ofdm.CARRIER_SPACING_HZ,
            carrier_level_dbuv=self.tx_level_dbuv - per_carrier_db,
            source_ohm=self.source_ohm,
            receive_ohm=self.receive_ohm,
            current_limit_a=self.current_limit_a,
            receiver_floor_dbuv=self.receiver_floor_dbuv - per_carrier_db,
            environment=self.environment,
            house_frequency_exponent=self.house_frequency_exponent,
            house_phase_low_deg=self.house_phase_low_deg,
            house_phase_high_deg=self.house_phase_high_deg,
            load_impedance_factor=scenario.load_impedance_factor,
            noise_offset_db=self.noise_offset_db + scenario.noise_offset_db,
            noise_area_sigma_db=self.noise_area_sigma_db,
            noise_node_sigma_db=self.noise_node_sigma_db,
            noise_lines_per_node=self.noise_lines_per_node,
            emitters=EmitterSettings(
                self.emitter_ratio,
                self.emitter_low_dbuv,
                self.emitter_high_dbuv,
                self.emitter_switching_low_hz,
                self.emitter_switching_high_hz,
                self.emitter_width_low_hz,
                self.emitter_width_high_hz,
            ),
            short_circuit_ratio=self.short_circuit_ratio,
            line_voltage_v=self.line_voltage_v,
            transformer_quality=self.transformer_quality,
            transformer_capacitance_f=self.transformer_capacitance_f,
            phase_model=self.phase_model,
            site_phases=self.site_phases,
        )
