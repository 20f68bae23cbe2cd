"""SAP assignment (class 17): which logical device stands behind which server address.

References
----------
IEC 62056-6-2:2021, SAP assignment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from ..dlms import axdr
from ..dlms.axdr import Value
from .base import Interface, Reader
from .names import SAP_ASSIGNMENT


class SapAssignment(Interface):
    """Class 17, version 0: (server SAP, logical device name) of all logical devices."""

    __slots__ = ("_devices",)

    class_id: ClassVar[int] = 17

    def __init__(self, devices: Callable[[], Sequence[tuple[int, bytes]]]) -> None:
        super().__init__(SAP_ASSIGNMENT)
        self._devices = devices

    def _list(self) -> Value:
        return axdr.array(*(axdr.structure(axdr.u16(sap), axdr.octets(name)) for sap, name in self._devices()))

    readers: ClassVar[Mapping[int, Reader]] = {2: _list}
