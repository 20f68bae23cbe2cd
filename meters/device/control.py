"""The relay: Disconnect control (class 70), the scripts that work it (class 9) and the Limiter (class 71).

The limiter can be read and set; the simulated load is given, so it never trips.

References
----------
IEC 62056-6-2:2021, disconnect control with its table of control modes, script table, limiter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ..dlms import axdr
from ..dlms.apdu import ActionResult, DataAccess
from ..dlms.axdr import Tag, Value
from ..dlms.obis import IMPORT_ACTIVE
from . import names
from .base import AccessError, Action, ActionError, Interface, Reader, Writer, typed
from .meter import Device
from .state import ControlState, EventCode

DISCONNECT, RECONNECT = 1, 2

# What a remote reconnect leads to in each control mode: back at once, or ready for the customer's button.
_AFTER_RECONNECT = {
    1: ControlState.READY_FOR_RECONNECTION,
    2: ControlState.CONNECTED,
    3: ControlState.READY_FOR_RECONNECTION,
    4: ControlState.CONNECTED,
    5: ControlState.READY_FOR_RECONNECTION,
    6: ControlState.READY_FOR_RECONNECTION,
}


class DisconnectControl(Interface):
    """Class 70, version 0: in mode 0 the relay stays closed whatever a client says."""

    __slots__ = ("device",)

    class_id: ClassVar[int] = 70

    def __init__(self, device: Device) -> None:
        super().__init__(names.DISCONNECT_CONTROL)
        self.device = device

    def _disconnect(self, parameters: Value) -> None:
        self._check(parameters)
        self._move(ControlState.DISCONNECTED, EventCode.REMOTE_DISCONNECTED)

    def _reconnect(self, parameters: Value) -> None:
        self._check(parameters)
        relay = self.device.state.relay
        if relay.control_state is ControlState.DISCONNECTED:
            self._move(_AFTER_RECONNECT[relay.control_mode], EventCode.REMOTE_CONNECTED)

    def _check(self, parameters: Value) -> None:
        if self.device.state.relay.control_mode not in _AFTER_RECONNECT:
            raise ActionError(ActionResult.READ_WRITE_DENIED)
        typed(parameters, Tag.I8)

    def _move(self, to: ControlState, event: EventCode) -> None:
        relay = self.device.state.relay
        if relay.control_state is not to:
            relay.control_state, relay.connected = to, to is ControlState.CONNECTED
            self.device.log(event)

    def _set_mode(self, value: Value) -> None:
        mode: int = typed(value, Tag.ENUM)
        if mode > max(_AFTER_RECONNECT):
            raise AccessError(DataAccess.OTHER_REASON)
        self.device.state.relay.control_mode = mode

    readers: ClassVar[Mapping[int, Reader]] = {
        2: lambda self: axdr.boolean(self.device.state.relay.connected),
        3: lambda self: axdr.enum(self.device.state.relay.control_state),
        4: lambda self: axdr.enum(self.device.state.relay.control_mode),
    }
    writers: ClassVar[Mapping[int, Writer]] = {4: _set_mode}
    actions: ClassVar[Mapping[int, Action]] = {DISCONNECT: _disconnect, RECONNECT: _reconnect}


class DisconnectScripts(Interface):
    """Class 9, version 0: script 1 disconnects, script 2 reconnects."""

    __slots__ = ("_control",)

    class_id: ClassVar[int] = 9

    def __init__(self, control: DisconnectControl) -> None:
        super().__init__(names.DISCONNECT_SCRIPTS)
        self._control = control

    def _execute(self, parameters: Value) -> None:
        script: int = typed(parameters, Tag.U16)
        if script not in (DISCONNECT, RECONNECT):
            raise ActionError(ActionResult.OBJECT_UNDEFINED)
        self._control.invoke(script, axdr.i8(0))

    readers: ClassVar[Mapping[int, Reader]] = {
        2: lambda self: axdr.array(*(_script(number) for number in (DISCONNECT, RECONNECT)))
    }
    actions: ClassVar[Mapping[int, Action]] = {1: _execute}


def _script(number: int) -> Value:
    """A script of one action: execute (2) the method of the same number."""
    control = axdr.octets(names.DISCONNECT_CONTROL.octets)
    action = axdr.structure(axdr.enum(2), axdr.u16(DisconnectControl.class_id), control, axdr.i8(number), axdr.i8(0))
    return axdr.structure(axdr.u16(number), axdr.array(action))


def _limit_writer(number: int) -> Writer:
    def write(limiter: Limiter, value: Value) -> None:
        limiter.device.state.limits[number] = typed(value, Tag.U32)

    return write


class Limiter(Interface):
    """Class 71, version 0: thresholds on the imported power [W] and how long they may be exceeded [s]."""

    __slots__ = ("device",)

    class_id: ClassVar[int] = 71

    def __init__(self, device: Device) -> None:
        super().__init__(names.LIMITER)
        self.device = device

    def _emergency(self) -> Value:
        return axdr.structure(axdr.u16(0), axdr.octets(bytes.fromhex("ffffffffffffffffff8000ff")), axdr.u32(0))

    def _actions(self) -> Value:
        script = axdr.octets(names.DISCONNECT_SCRIPTS.octets)
        over, under = (axdr.structure(script, axdr.u16(number)) for number in (DISCONNECT, RECONNECT))
        return axdr.structure(over, under)

    def _monitored(self) -> Value:
        return axdr.structure(axdr.u16(3), axdr.octets(IMPORT_ACTIVE._replace(d=7).octets), axdr.i8(2))

    readers: ClassVar[Mapping[int, Reader]] = {
        2: _monitored,
        3: lambda self: axdr.u32(self.device.state.limits[4]),
        4: lambda self: axdr.u32(self.device.state.limits[4]),
        5: lambda self: axdr.u32(self.device.state.limits[5]),
        6: lambda self: axdr.u32(self.device.state.limits[6]),
        7: lambda self: axdr.u32(self.device.state.limits[7]),
        8: _emergency,
        9: lambda self: axdr.array(),
        10: lambda self: axdr.boolean(False),
        11: _actions,
    }
    writers: ClassVar[Mapping[int, Writer]] = {number: _limit_writer(number) for number in (4, 5, 6, 7)}
