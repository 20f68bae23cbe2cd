"""Security setup (class 64): which protection is asked of messages, and how keys are changed.

Suite 0 shows itself as version 0, whose policy is an enumeration; suites 1 and 2 as version 1, whose policy is a set of
bits and which lists certificates, here none.

References
----------
IEC 62056-6-2:2021, security setup; key wrapping RFC 3394, done by the server.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ..dlms import axdr
from ..dlms.apdu import ActionResult
from ..dlms.axdr import Tag, Value
from . import names
from .base import Action, ActionError, Interface, Reader, members, typed
from .meter import Device

MAX_TRANSFERRED_KEYS = 4
KEY_IDS = (0, 1, 2, 3)
"""Global unicast encryption, global broadcast encryption, authentication, master key."""
WRAPPED_BYTES = (24, 40)

#              version 0  version 1: request and response bits
_POLICIES = {
    "authenticated": (1, 0x24),
    "encrypted": (2, 0x48),
    "authenticated_encrypted": (3, 0x6C),
}
_ALL_BITS = (0x03, 0xFC)


class SecuritySetup(Interface):
    """Class 64, version 0 or 1 by suite."""

    __slots__ = ("device",)

    class_id: ClassVar[int] = 64

    def __init__(self, device: Device) -> None:
        super().__init__(names.SECURITY_SETUP)
        self.device = device

    @property
    def version(self) -> int:
        """Version of the class."""
        return min(self.device.settings.suite, 1)

    @property
    def attributes(self) -> tuple[int, ...]:
        """Version 1 adds certificates."""
        return (1, 2, 3, 4, 5, 6)[: 5 + self.version]

    def attribute(self, number: int, selector: int = 0, parameters: Value = axdr.NULL) -> Value:
        """The attribute's value; certificates in version 1 only."""
        return super().attribute(number if number in self.attributes else 0, selector, parameters)

    @property
    def policy(self) -> int:
        """The policy in force."""
        settings, activated = self.device.settings, self.device.state.security_policy
        if activated is not None:
            return activated
        return _POLICIES[settings.protection][self.version] if settings.ciphered else 0

    def _activate(self, parameters: Value) -> None:
        asked: int = typed(parameters, Tag.ENUM)
        if asked & ~_ALL_BITS[self.version] or asked & self.policy != self.policy:
            raise ActionError(ActionResult.READ_WRITE_DENIED)
        state = self.device.state
        if asked == self.policy:
            return
        if state.security_activate is None:  # nobody would enforce it
            raise ActionError(ActionResult.OBJECT_UNAVAILABLE)
        state.security_activate(asked)
        state.security_policy = asked

    def _transfer(self, parameters: Value) -> None:
        wanted: tuple[Value, ...] = typed(parameters, Tag.ARRAY)
        if not 1 <= len(wanted) <= MAX_TRANSFERRED_KEYS:
            raise ActionError(ActionResult.SCOPE_OF_ACCESS_VIOLATED)
        keys = dict(map(_wrapped_key, wanted))
        if len(keys) < len(wanted):
            raise ActionError(ActionResult.SCOPE_OF_ACCESS_VIOLATED)
        if self.device.state.key_transfer is None:
            raise ActionError(ActionResult.OBJECT_UNAVAILABLE)
        try:
            self.device.state.key_transfer(keys)
        except ValueError as refused:
            raise ActionError(ActionResult.OTHER_REASON) from refused

    readers: ClassVar[Mapping[int, Reader]] = {
        2: lambda self: axdr.enum(self.policy),
        3: lambda self: axdr.enum(self.device.settings.suite),
        4: lambda self: axdr.octets(self.device.state.client_title),
        5: lambda self: axdr.octets(self.device.title),
        6: lambda self: axdr.array(),
    }
    actions: ClassVar[Mapping[int, Action]] = {1: _activate, 2: _transfer}


def _wrapped_key(value: Value) -> tuple[int, bytes]:
    key_id, wrapped = members(value, 2)
    number, content = typed(key_id, Tag.ENUM), typed(wrapped, Tag.OCTETS)
    if number not in KEY_IDS or len(content) not in WRAPPED_BYTES:
        raise ActionError(ActionResult.SCOPE_OF_ACCESS_VIOLATED)
    return number, content
