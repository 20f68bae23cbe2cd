"""What every power line network has, whatever its standard: losses of the modem, reach, polling."""

from __future__ import annotations

from dataclasses import dataclass

from ..parameters import parameter
from .line_parameters import LineParameters


@dataclass(frozen=True)
class NetworkParameters(LineParameters):
    """Parameters that G3-PLC and PRIME share; those of the line stand in `LineParameters`."""

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
        "reserve kept by the choice of a mode above the most robust one",
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
    processing_s: float = parameter(
        0.02,
        "s",
        "time a modem takes over a message, fragment or segment before it passes it on",
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
        "share of the window a concentrator may fill with reading; the rest stays free for joining and upkeep",
        "a choice",
        confidence="C",
        minimum=0.01,
        maximum=1,
    )
