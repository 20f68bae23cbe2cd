"""What a study moves for all technologies at once."""

from __future__ import annotations

from dataclasses import dataclass, field

from .parameters import parameter
from .powerline.scenarios import LineScenario

_UTILITIES = "practice of utilities; no standard stands behind it"


@dataclass(frozen=True)
class WallSettings:
    """What encloses a meter, the same for every radio technology; each loss is uniform between its two ends.

    Raises ValueError where a lowest loss is negative or above its highest. Indoor meters follow ITU-R P.2109-1.
    """

    facade_box_low_db: float = parameter(
        3.0, "dB", "lowest loss of a box on the facade", _UTILITIES, confidence="C", minimum=0.0, maximum=100.0
    )
    facade_box_high_db: float = parameter(
        6.0, "dB", "highest loss of a box on the facade", _UTILITIES, confidence="C", minimum=0.0, maximum=100.0
    )
    basement_low_db: float = parameter(
        10.0,
        "dB",
        "lowest loss of a basement beyond indoor",
        "measurements",
        confidence="B",
        minimum=0.0,
        maximum=100.0,
    )
    basement_high_db: float = parameter(
        15.0,
        "dB",
        "highest loss of a basement beyond indoor",
        "measurements",
        confidence="B",
        minimum=0.0,
        maximum=100.0,
    )
    steel_cabinet_low_db: float = parameter(
        10.0, "dB", "lowest loss of a steel cabinet", _UTILITIES, confidence="C", minimum=0.0, maximum=100.0
    )
    steel_cabinet_high_db: float = parameter(
        20.0, "dB", "highest loss of a steel cabinet", _UTILITIES, confidence="C", minimum=0.0, maximum=100.0
    )
    pit_low_db: float = parameter(
        20.0, "dB", "lowest loss of a pit with its lid", _UTILITIES, confidence="C", minimum=0.0, maximum=100.0
    )
    pit_high_db: float = parameter(
        35.0, "dB", "highest loss of a pit with its lid", _UTILITIES, confidence="C", minimum=0.0, maximum=100.0
    )

    def __post_init__(self) -> None:
        for kind in ("facade_box", "basement", "steel_cabinet", "pit"):
            low, high = getattr(self, f"{kind}_low_db"), getattr(self, f"{kind}_high_db")
            if not 0.0 <= low <= high:
                raise ValueError(f"{kind}_low_db ({low:g}) must lie between 0 and {kind}_high_db ({high:g})")


@dataclass(frozen=True)
class Scenario:
    """What is moved for all technologies at once; the neutral scenario changes nothing.

    noise_offset_db
        Added to every receiver's noise and interference floor [dB].
    enclosure_offset_db
        Added to every building and enclosure loss [dB].
    load_impedance_factor
        Multiplies every house impedance on the power line [1], positive.
    interference
        False switches off what other meters and sites transmit (collisions, overlapping traffic). On power lines these
        are the crosstalk of neighbouring transformers and the queue at the concentrator: every meter is polled as if it
        were the only one.
    walls
        What box, basement, cabinet and pit cost every radio.
    powerline
        How harsh every power line is, and at which time of the day.
    """

    name: str = "typical"
    noise_offset_db: float = 0.0
    enclosure_offset_db: float = 0.0
    load_impedance_factor: float = 1.0
    interference: bool = True
    walls: WallSettings = field(default_factory=WallSettings)
    powerline: LineScenario = field(default_factory=LineScenario)
