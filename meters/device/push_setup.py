"""Push setup (class 40): what a meter sends unasked, where to and when.

The push itself is not started through this object: method 1 is not offered.

References
----------
IEC 62056-6-2:2021, push setup.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from ..dlms import axdr
from ..dlms.apdu import DataAccess
from ..dlms.axdr import Tag, Value
from ..dlms.obis import Obis
from .base import AccessError, Interface, Reader, Writer, members, typed
from .meter import Device

UDP, COSEM_MESSAGE = 1, 0
MAX_DESTINATION_BYTES = 64
MAX_WINDOWS = 8
_DEFAULTS: dict[int, Value] = {
    3: axdr.structure(axdr.enum(UDP), axdr.octets(b""), axdr.enum(COSEM_MESSAGE)),
    4: axdr.array(),
    5: axdr.u16(0),
    6: axdr.u8(0),
    7: axdr.u16(0),
}


def _reader(number: int) -> Reader:
    return lambda setup: setup.device.state.pushes.get(setup.obis, {}).get(number, _DEFAULTS[number])


def _writer(number: int) -> Writer:
    def write(setup: PushSetup, value: Value) -> None:
        _CHECKS[number](value)
        setup.device.state.pushes.setdefault(setup.obis, {})[number] = value

    return write


class PushSetup(Interface):
    """Class 40, version 0.

    Parameters
    ----------
    pushed
        (class, logical name, attribute) of what goes out, in this order.
    """

    __slots__ = ("device", "pushed")

    class_id: ClassVar[int] = 40

    def __init__(self, device: Device, obis: Obis, pushed: tuple[tuple[int, Obis, int], ...]) -> None:
        super().__init__(obis)
        self.device = device
        self.pushed = pushed

    def _list(self) -> Value:
        return axdr.array(
            *(
                axdr.structure(axdr.u16(class_id), axdr.octets(obis.octets), axdr.i8(attribute), axdr.u16(0))
                for class_id, obis, attribute in self.pushed
            )
        )

    readers: ClassVar[Mapping[int, Reader]] = {2: _list, **{number: _reader(number) for number in _DEFAULTS}}
    writers: ClassVar[Mapping[int, Writer]] = {number: _writer(number) for number in _DEFAULTS}


def _check_destination(value: Value) -> None:
    transport, destination, message = members(value, 3)
    typed(transport, Tag.ENUM)
    typed(message, Tag.ENUM)
    if len(typed(destination, Tag.OCTETS)) > MAX_DESTINATION_BYTES:
        raise AccessError(DataAccess.SCOPE_OF_ACCESS_VIOLATED)


def _check_windows(value: Value) -> None:
    windows: tuple[Value, ...] = typed(value, Tag.ARRAY)
    if len(windows) > MAX_WINDOWS:
        raise AccessError(DataAccess.SCOPE_OF_ACCESS_VIOLATED)
    for window in windows:
        if any(len(typed(bound, Tag.OCTETS)) != 12 for bound in members(window, 2)):
            raise AccessError(DataAccess.TYPE_UNMATCHED)


_CHECKS: dict[int, Callable[[Value], object]] = {
    3: _check_destination,
    4: _check_windows,
    5: lambda value: typed(value, Tag.U16),
    6: lambda value: typed(value, Tag.U8),
    7: lambda value: typed(value, Tag.U16),
}
