"""Logical names of a meter's objects beyond those of `dlms.obis`.

References
----------
IEC 62056-6-1:2017, tables for abstract objects (A = 0) and electricity (A = 1). Where a companion specification would
choose (E of event logs, of push setups and of invocation counters), the choice is ours.
"""

from __future__ import annotations

from ..dlms.obis import ENERGY_REGISTERS, PUSH_PROFILE, PUSH_REGISTER, Obis

SAP_ASSIGNMENT = Obis(0, 0, 41, 0, 0)
SECURITY_SETUP = Obis(0, 0, 43, 0, 0)
IMAGE_TRANSFER = Obis(0, 0, 44, 0, 0)
DISCONNECT_SCRIPTS = Obis(0, 0, 10, 0, 106)
LIMITER = Obis(0, 0, 17, 0, 0)
DEVICE_ID_1, DEVICE_ID_2 = Obis(0, 0, 96, 1, 0), Obis(0, 0, 96, 1, 1)
DISCONNECT_CONTROL = Obis(0, 0, 96, 3, 10)
PROFILE_STATUS, BILLING_STATUS = Obis(0, 0, 96, 10, 1), Obis(0, 0, 96, 10, 2)
EVENT_CODE = Obis(0, 0, 96, 11, 0)
ERROR_REGISTER, ALARM_REGISTER = Obis(0, 0, 97, 97, 0), Obis(0, 0, 97, 98, 0)
EVENT_LOG = Obis(0, 0, 99, 98, 0)
DAILY_BILLING = Obis(1, 0, 98, 2, 0)

PUSH_BILLING, PUSH_EVENTS, PUSH_LAST_GASP = Obis(0, 3, 25, 9, 0), Obis(0, 4, 25, 9, 0), Obis(0, 5, 25, 9, 0)
PUSHES = {
    "register": PUSH_REGISTER,
    "profile": PUSH_PROFILE,
    "daily_billing": PUSH_BILLING,
    "event_log": PUSH_EVENTS,
    "last_gasp": PUSH_LAST_GASP,
}
"""Push setup of each service that a meter sends unasked."""

INTERVAL_ENERGY = tuple(register._replace(d=29) for register in ENERGY_REGISTERS)
"""What each channel gained in the last interval, time integral 5."""
POWER = tuple(register._replace(d=7) for register in ENERGY_REGISTERS)
VOLTAGE, CURRENT, FREQUENCY = Obis(1, 0, 32, 7, 0), Obis(1, 0, 31, 7, 0), Obis(1, 0, 14, 7, 0)
DEMAND, MAXIMUM_DEMAND = Obis(1, 0, 1, 4, 0), Obis(1, 0, 1, 6, 0)


def tariff_register(channel: int, tariff: int) -> Obis:
    """Register of one tariff, 1 to 4, of a channel, 0 to 3.

    >>> str(tariff_register(1, 3))
    '1-0:2.8.3.255'
    """
    return ENERGY_REGISTERS[channel]._replace(e=tariff)


BILLING_REGISTERS = (
    (0, 0),
    (0, 1),
    (0, 2),
    (0, 3),
    (0, 4),
    (1, 0),
    (1, 1),
    (1, 2),
    (1, 3),
    (1, 4),
    (2, 0),
    (3, 0),
)
"""(channel, tariff) of the registers of a day's billing, in this order; tariff 0 is the total."""
