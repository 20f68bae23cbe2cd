"""The first remedy for each meter that is not served: what is tried before somebody walks there and reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..channels.parameters import parameter
from ..channels.technology import Medium, Reason, Technology
from .tables import Deliveries

Array = NDArray[Any]

NONE, REPEATER, RELAY, EXTERNAL_ANTENNA, FURTHER_SITE, CELLULAR, BETTER_BACKHAUL, MANUAL, RECORD = (
    "",
    "repeater",
    "relay",
    "external_antenna",
    "further_site",
    "cellular_module",
    "better_backhaul",
    "manual_read",
    "complete_record",
)

_LINK_REASONS = (
    Reason.BUDGET,
    Reason.TERRAIN,
    Reason.BUILDING,
    Reason.NO_NEIGHBOUR,
    Reason.HOP_LIMIT,
    Reason.ATTENUATION,
    Reason.NOISE,
    Reason.CROSS_PHASE,
    Reason.NO_CELL,
)


@dataclass(frozen=True)
class RemedySettings:
    """What each remedy can mend, by the link margin that is missing."""

    repeater_gain_db: float = parameter(
        20.0,
        "dB",
        "missing margin that one power-line repeater halfway mends",
        "half of a 40 dB path; choice of amiplan",
        confidence="C",
        minimum=0.0,
    )
    relay_gain_db: float = parameter(
        12.0,
        "dB",
        "missing margin that one mesh relay halfway mends",
        "slope of 40 dB per decade: 12 dB for half the distance (ITU-R P.1411-12 section 4.3.1)",
        confidence="C",
        minimum=0.0,
    )
    external_antenna_gain_db: float = parameter(
        15.0,
        "dB",
        "missing margin that an antenna outside the enclosure mends",
        "median traditional building entry loss at 868 MHz is 14 dB (ITU-R P.2109-1)",
        confidence="C",
        minimum=0.0,
    )


def first_remedies(
    technology: Technology, deliveries: Deliveries, cellular_serves: Array, settings: RemedySettings
) -> Array:
    """The first remedy per service and meter, (n_services, n_meters) of str; empty where served.

    Parameters
    ----------
    cellular_serves : (n_meters,) bool
        Meters that a cellular technology of the same study serves in all services; all False where none was studied.
    """
    missing_db = np.maximum(-deliveries.margin_db, 0.0)
    powerline = Medium.POWERLINE in technology.media
    operator = Medium.OPERATOR in technology.media
    relays = getattr(technology, "neighbour_radius_m", 0.0) > 0
    weak = np.isin(deliveries.reason, _LINK_REASONS)
    late = np.isin(deliveries.reason, (Reason.CAPACITY, Reason.DUTY_CYCLE))
    no_wire = deliveries.reason == Reason.NO_TRANSFORMER
    elsewhere = np.where(cellular_serves & (not operator), CELLULAR, MANUAL)
    near_mend, near_gain = (
        (REPEATER, settings.repeater_gain_db)
        if powerline
        else (RELAY, settings.relay_gain_db)
        if relays
        else ("", -1.0)
    )
    conditions = [
        deliveries.served,
        deliveries.reason == Reason.BACKHAUL,
        weak & (not powerline) & (missing_db <= settings.external_antenna_gain_db),
        weak & (missing_db <= near_gain),
        late & (not operator) & (not powerline),
        weak | late | no_wire,
    ]
    choices = [NONE, BETTER_BACKHAUL, EXTERNAL_ANTENNA, near_mend, FURTHER_SITE, elsewhere]
    broadcast = [np.broadcast_to(np.asarray(choice, dtype=object), deliveries.reason.shape) for choice in choices]
    return np.asarray(np.select(conditions, broadcast, default=MANUAL))
