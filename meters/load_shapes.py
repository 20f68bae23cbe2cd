"""What homes, farms and businesses switch on, and when: the tables behind the load traces.

All numbers are choices of ours (confidence C): orders of magnitude of appliance ratings, durations and daily counts,
set so that a house uses about 3.5 MWh, a flat 2.1, a farm 16, a shop 8 and a small industry 60 MWh a year, which is
what German utilities publish as typical. Hourly weights are relative.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Appliance(NamedTuple):
    """Events of one appliance: mean number a day, mean power [kW], mean duration [h], weight of each hour to start."""

    name: str
    per_day: float
    power_kw: float
    duration_h: float
    hours: tuple[int, ...]


# fmt: off
#      hour  0           3           6           9           12          15          18          21
_MEALS   = ( 1,  1,  1,  1,  2,  5, 15, 20, 12,  6,  8, 25, 30, 12,  6,  7, 12, 30, 45, 35, 15,  7,  4,  2)
_KETTLE  = ( 1,  1,  1,  1,  3, 10, 30, 35, 25, 15, 15, 12, 12, 12, 15, 18, 15, 15, 18, 15, 12, 10,  5,  2)
_CHORES  = ( 1,  1,  1,  1,  1,  2,  6, 12, 18, 22, 22, 18, 14, 14, 14, 14, 15, 18, 20, 18, 12,  7,  3,  2)
_DISHES  = ( 2,  1,  1,  1,  1,  1,  3,  8, 10,  9,  7,  8, 15, 20, 12,  8,  7,  9, 20, 30, 28, 20, 10,  5)
_EVENING = ( 2,  1,  1,  1,  2,  6, 10,  8,  4,  3,  3,  3,  4,  4,  4,  6, 14, 28, 40, 42, 35, 20,  9,  4)
_ANY     = ( 3,  2,  2,  2,  2,  4,  8, 10, 11, 11, 11, 11, 11, 11, 11, 12, 13, 15, 16, 15, 13, 10,  7,  4)
_MILKING = ( 0,  0,  0,  0, 10, 40, 40, 10,  0,  0,  0,  0,  0,  0,  0, 10, 40, 40, 10,  0,  0,  0,  0,  0)

APPLIANCES = (
    #          name         per day  kW    h     starts
    Appliance("cooking",      2.0,   1.6,  0.45, _MEALS),
    Appliance("kettle",       3.0,   1.8,  0.08, _KETTLE),
    Appliance("washing",      0.5,   0.6,  1.8,  _CHORES),
    Appliance("dishwasher",   0.6,   0.9,  1.5,  _DISHES),
    Appliance("dryer",        0.25,  2.0,  1.0,  _CHORES),
    Appliance("light_media",  3.0,   0.25, 2.5,  _EVENING),
    Appliance("other",        4.0,   0.5,  0.5,  _ANY),
)
MILKING = Appliance("milking", 2.0, 3.5, 2.0, _MILKING)


@dataclass(frozen=True)
class Kind:
    """One kind of customer.

    base_kw : standing load, refrigeration included;  activity : household events relative to a house
    milking : milking events relative to two a day
    open_kw : mean load while open;  opens_h, closes_h : hours of opening
    weekend : load while open at weekends relative to weekdays
    pv_share : share of meters with photovoltaics
    """

    base_kw: float
    activity: float
    milking: float
    open_kw: float
    opens_h: float
    closes_h: float
    weekend: float
    pv_share: float


KINDS = {
    #                    base  activity milking open  opens closes weekend pv
    "house":      Kind(  0.12, 1.0,     0.0,    0.0,  0.0,  0.0,   1.0,    0.20),
    "flat":       Kind(  0.08, 0.60,    0.0,    0.0,  0.0,  0.0,   1.0,    0.0),
    "farm":       Kind(  0.45, 1.3,     1.0,    0.6,  6.0,  19.0,  0.9,    0.40),
    "commercial": Kind(  0.25, 0.0,     0.0,    2.0,  8.0,  18.5,  0.35,   0.15),
    "public":     Kind(  0.30, 0.0,     0.0,    1.5,  7.0,  17.0,  0.25,   0.15),
    "industrial": Kind(  1.50, 0.0,     0.0,    14.0, 6.0,  18.0,  0.25,   0.15),
    "other":      Kind(  0.05, 0.10,    0.0,    0.0,  0.0,  0.0,   1.0,    0.0),
}
# fmt: on
