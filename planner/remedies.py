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

FILTER, OTHER_PHASE, OTHER_BAND = "filter", "other_phase", "other_band"
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
    """What mends a meter that is not served: computed on power lines, by the link margin that is missing elsewhere."""

    compute: bool = parameter(
        True,
        "-",
        "try repeater, filter, band and phase on the power line itself; false guesses by the missing margin",
        "choice of the planner",
        confidence="C",
    )
    cure_replications: int = parameter(
        6,
        "1",
        "draws of each area in which cures are tried, those in which most unserved meters fail; more where one of the "
        "meters fails in none of them",
        "choice of amiplan: each costs one solution of the area per change",
        confidence="C",
        minimum=1,
        maximum=1000,
    )
    cure_meters: int = parameter(
        400,
        "1",
        "unserved meters of a technology for which cures are tried at most, areas with most of them first; the others "
        "are guessed by the missing margin, and the report counts them",
        "choice of amiplan: bounds the time",
        confidence="C",
        minimum=0,
    )
    fresh_replications: int = parameter(
        10,
        "1",
        "draws beyond those of the study on which the chosen changes of each area are judged, before and after",
        "choice of amiplan: each costs two solutions of the area; 10 tell the share read of an area, not of one meter",
        confidence="C",
        minimum=1,
        maximum=1000,
    )
    repeater_places: int = parameter(
        12,
        "1",
        "places in an area at which a repeater is tried: joints, cabinets and poles on the ways of its unserved meters",
        "choice of amiplan",
        confidence="C",
        minimum=1,
        maximum=200,
    )
    filter_db: float = parameter(
        30.0,
        "dB",
        "what a filter takes from the emissions of one customer",
        "choice of amiplan; depends on filter and frequency",
        confidence="C",
        minimum=0.0,
        maximum=120.0,
    )
    filter_ohm: float = parameter(
        30.0,
        "ohm",
        "what a filter puts in series with the loads of one customer in the band of the power line",
        "a choke of 100 uH at 50 kHz, its loss counted as resistance; choice of amiplan",
        confidence="C",
        minimum=0.0,
        maximum=1e5,
    )
    source_least_db: float = parameter(
        1.0,
        "dB",
        "rise of the SNR without one customer's emissions from which on this customer is named as a source",
        "choice of amiplan",
        confidence="C",
        minimum=0.0,
        maximum=60.0,
    )
    repeater_gain_db: float = parameter(
        20.0,
        "dB",
        "missing margin that one power-line repeater halfway mends; counts only where cures are not computed",
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
