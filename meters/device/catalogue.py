"""The objects of one meter, by class and logical name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from .. import load
from ..dlms import axdr
from ..dlms.axdr import Tag, Value
from ..dlms.obis import ASSOCIATION, ENERGY_REGISTERS, IMPORT_ACTIVE, LOAD_PROFILE, LOGICAL_DEVICE_NAME, Obis
from . import names, supply
from .association import SERVER_SAP, AssociationLn
from .base import CosemObject, typed
from .clock_object import Clock
from .control import DisconnectControl, DisconnectScripts, Limiter
from .image import ImageTransfer
from .meter import Device
from .names import tariff_register
from .profile import ProfileGeneric
from .push_setup import PushSetup
from .rights import Role
from .rows import CAPACITY_DAYS, TIME, BillingRows, EventRows, LoadRows
from .sap import SapAssignment
from .security_setup import SecuritySetup
from .state import EVENT_ENTRIES
from .tariffs import N_TARIFFS
from .values import (
    UNIT_A,
    UNIT_HZ,
    UNIT_V,
    UNIT_VAR,
    UNIT_VARH,
    UNIT_W,
    UNIT_WH,
    Data,
    Demand,
    DemandRegister,
    ExtendedRegister,
    Peak,
    Register,
)

__all__ = ["Device", "association_of", "objects_of"]

_UNITS = (UNIT_WH, UNIT_WH, UNIT_VARH, UNIT_VARH)
_POWER_UNITS = (UNIT_W, UNIT_W, UNIT_VAR, UNIT_VAR)
N_CHANNELS = len(load.CHANNELS)
TARIFF_CHANNELS = (0, 1)


def objects_of(device: Device) -> dict[tuple[int, Obis], CosemObject]:
    """All objects of a meter.

    The current association 0-0:40.0.0 stands as the management sees it; `association_of` gives that of another role.
    """
    objects: dict[tuple[int, Obis], CosemObject] = {}
    for group in (_identity, _energies, _instantaneous, _profiles, _control, _pushes):
        objects.update(((item.class_id, item.obis), item) for item in group(device))
    for role in Role:
        objects[AssociationLn.class_id, role.association] = AssociationLn(device, role.association, role, objects)
    objects[AssociationLn.class_id, ASSOCIATION] = AssociationLn(device, ASSOCIATION, Role.MANAGEMENT, objects)
    return objects


def association_of(
    device: Device, role: Role, objects: Mapping[tuple[int, Obis], CosemObject] | None = None
) -> CosemObject:
    """The current association 0-0:40.0.0 as this role sees it; ``objects`` are those of the meter, if at hand."""
    return AssociationLn(device, ASSOCIATION, role, objects_of(device) if objects is None else objects)


def _identity(device: Device) -> Iterator[CosemObject]:
    state = device.state
    yield Data(LOGICAL_DEVICE_NAME, lambda: axdr.octets(device.name))
    yield Data(names.DEVICE_ID_1, lambda: axdr.octets(device.title))
    yield Data(names.DEVICE_ID_2, lambda: axdr.octets(device.name))
    yield Data(names.ERROR_REGISTER, lambda: axdr.u32(state.errors))
    yield Data(names.ALARM_REGISTER, lambda: axdr.u32(state.alarms), _alarm_writer(device))
    yield from _invocation_counters(device)
    yield SapAssignment(lambda: state.logical_devices or [(SERVER_SAP, device.name)])
    yield SecuritySetup(device)
    yield Clock(device)


def _invocation_counters(device: Device) -> Iterator[Data]:
    """The last counter seen: 0-0:43.1.0 of any client, the others of one role each."""
    seen = device.state.last_seen
    yield Data(Obis(0, 0, 43, 1, 0), lambda: axdr.u32(max(seen.values(), default=0)))
    for role in (Role.MANAGEMENT, Role.READER, Role.FIRMWARE):
        yield Data(role.invocation_counter, _counter_reader(device, role))


def _counter_reader(device: Device, role: Role) -> Callable[[], Value]:
    return lambda: axdr.u32(device.state.last_seen.get(role, 0))


def _alarm_writer(device: Device) -> Callable[[Value], None]:
    def write(value: Value) -> None:
        device.state.alarms = typed(value, Tag.U32)

    return write


def _energies(device: Device) -> Iterator[CosemObject]:
    for channel in range(N_CHANNELS):
        unit = _UNITS[channel]
        yield Register(ENERGY_REGISTERS[channel], unit, 0, _total(device, channel))
        yield Register(names.INTERVAL_ENERGY[channel], unit, 0, _interval(device, channel))
        tariffs = range(1, N_TARIFFS + 1) if channel in TARIFF_CHANNELS else ()
        for tariff in tariffs:
            yield Register(tariff_register(channel, tariff), unit, 0, _tariff(device, channel, tariff))


def _total(device: Device, channel: int) -> Callable[[], Value]:
    return lambda: axdr.u32(int(device.history.registers_at(device.now_s())[channel]))


def _tariff(device: Device, channel: int, tariff: int) -> Callable[[], Value]:
    return lambda: axdr.u32(int(device.history.tariffs_at(device.now_s(), channel)[tariff - 1]))


def _interval(device: Device, channel: int) -> Callable[[], Value]:
    """Energy of the last interval that is over."""
    return lambda: axdr.u32(int(device.history.gained(device.history.interval_at(device.now_s()) - 1)[channel]))


def _instantaneous(device: Device) -> Iterator[CosemObject]:
    for channel in range(N_CHANNELS):
        yield Register(names.POWER[channel], _POWER_UNITS[channel], 0, _power(device, channel))
    yield Register(names.VOLTAGE, UNIT_V, -1, lambda: axdr.u16(round(10 * _voltage_v(device))))
    yield Register(names.CURRENT, UNIT_A, -2, lambda: axdr.u32(round(100 * _current_a(device))))
    yield Register(names.FREQUENCY, UNIT_HZ, -2, lambda: axdr.u16(round(100 * _frequency_hz(device))))
    yield DemandRegister(names.DEMAND, lambda: _demand(device), device.history.period_s)
    yield ExtendedRegister(names.MAXIMUM_DEMAND, lambda: _peak(device), lambda: _forget_peak(device))


def _power(device: Device, channel: int) -> Callable[[], Value]:
    return lambda: axdr.u32(int(device.history.power_w(device.now_s())[channel]))


def _voltage_v(device: Device) -> float:
    return supply.voltage_v(device.key, device.seed, int(device.now_s() // device.history.period_s))


def _current_a(device: Device) -> float:
    return supply.current_a(device.history, device.key, device.seed, device.now_s())


def _frequency_hz(device: Device) -> float:
    return supply.frequency_hz(device.seed, int(device.now_s() // device.history.period_s))


def _demand(device: Device) -> Demand:
    history, now_s = device.history, device.now_s()
    interval = history.interval_at(now_s)
    start_s = int(history.time_s[0]) + max(interval, 0) * history.period_s
    so_far = int(history.registers_at(now_s)[0]) - int(history.registers_at(start_s)[0])
    current_w = so_far % load.ROLLOVER * 3600 // history.period_s
    last_w = int(history.power_w(start_s - 1)[0])
    return Demand(current_w, last_w, int(start_s + device.state.clock_offset_s))


def _peak(device: Device) -> Peak:
    """Greatest import power of an interval since the register was reset, or since the history begins."""
    history, reset_s = device.history, device.state.demand_reset_s
    rows = history.rows(-np.inf if reset_s is None else reset_s, device.now_s())
    if not rows.size:
        return Peak(0, None)
    gained = history.registers[rows, 0] - history.registers[rows - 1, 0]
    at = int(np.argmax(gained))
    end_s = int(history.time_s[rows[at]] + device.state.clock_offset_s)
    return Peak(int(gained[at]) * 3600 // history.period_s, end_s)


def _forget_peak(device: Device) -> None:
    device.state.demand_reset_s = device.now_s()


def _profiles(device: Device) -> Iterator[CosemObject]:
    settings, state = device.settings, device.state
    n_load = CAPACITY_DAYS * settings.n_intervals

    def emptied(profile: Obis) -> Callable[[], None]:
        return lambda: state.profile_reset_s.update({profile: device.now_s()})

    yield ProfileGeneric(
        LOAD_PROFILE, LoadRows(device), device.capture_period_s, n_load, settings.encoding, emptied(LOAD_PROFILE)
    )
    yield ProfileGeneric(
        names.DAILY_BILLING, BillingRows(device), 86_400, CAPACITY_DAYS, "full", emptied(names.DAILY_BILLING)
    )
    yield ProfileGeneric(names.EVENT_LOG, EventRows(device), 0, EVENT_ENTRIES, "full", state.forget_events)
    yield Data(names.EVENT_CODE, lambda: axdr.u8(state.events[-1][1] if state.events else 0))
    yield Data(names.PROFILE_STATUS, lambda: axdr.u8(0))
    yield Data(names.BILLING_STATUS, lambda: axdr.u8(0))


def _control(device: Device) -> Iterator[CosemObject]:
    control = DisconnectControl(device)
    yield from (control, DisconnectScripts(control), Limiter(device), ImageTransfer(device))


def _pushes(device: Device) -> Iterator[CosemObject]:
    now, device_id = (TIME.class_id, TIME.obis, TIME.attribute), (Data.class_id, names.DEVICE_ID_1, 2)
    buffers = {"profile": LOAD_PROFILE, "daily_billing": names.DAILY_BILLING, "event_log": names.EVENT_LOG}
    values = {
        "register": (now, device_id, (Register.class_id, IMPORT_ACTIVE, 2)),
        "last_gasp": (now, device_id, (Data.class_id, names.ALARM_REGISTER, 2)),
        **{name: (device_id, (ProfileGeneric.class_id, obis, 2)) for name, obis in buffers.items()},
    }
    for service, pushed in values.items():
        obis = names.PUSHES[service]
        yield PushSetup(device, obis, ((PushSetup.class_id, obis, 1), *pushed))
