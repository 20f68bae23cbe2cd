"""Association LN (class 15, version 1): what a client sees of the meter, and what it may do with it.

Method 1, the reply to the meter's challenge, is carried out by the server, which alone holds the challenge.

References
----------
IEC 62056-6-2:2021, association LN version 1; object identifiers of contexts and mechanisms after IEC 62056-5-3:2017.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import ClassVar, NamedTuple

from ..dlms import axdr
from ..dlms.apdu import ActionResult, DataAccess
from ..dlms.axdr import Tag, Value
from ..dlms.obis import Obis
from ..settings import ServiceSettings
from . import names
from .base import AccessError, Action, ActionError, CosemObject, Interface, Reader, Writer, typed
from .meter import Device
from .rights import INVOKE, READ, WRITE, Role, allowed, visible
from .state import AssociationStatus, Negotiated

SERVER_SAP = 1
MAX_SECRET_BYTES = 64
DLMS_VERSION = 6
_UA = bytes.fromhex("60857405 08")
READ_BIT, WRITE_BIT = 1, 2


class Described(NamedTuple):
    """What the object list says about an object, rights aside."""

    class_id: int
    version: int
    obis: Obis
    attributes: tuple[int, ...]
    methods: tuple[int, ...]
    selectors: tuple[tuple[int, tuple[int, ...]], ...]


class AssociationLn(Interface):
    """Class 15: the association of one role.

    Parameters
    ----------
    obis
        0-0:40.0.0 for the current association, else the role's own.
    objects
        All objects of the meter.
    """

    __slots__ = ("device", "objects", "role")

    class_id: ClassVar[int] = 15

    def __init__(self, device: Device, obis: Obis, role: Role, objects: Mapping[tuple[int, Obis], CosemObject]) -> None:
        super().__init__(obis)
        self.device = device
        self.role = role
        self.objects = objects

    @property
    def version(self) -> int:
        """Version of the class."""
        return 1

    @property
    def negotiated(self) -> Negotiated:
        """What the association agreed on; what the meter expects before there is one."""
        return self.device.state.negotiated.get(self.role) or expected(self.role, self.device.settings)

    def _object_list(self) -> Value:
        return object_list(self.role, tuple(map(described, self.objects.values())))

    def _partners(self) -> Value:
        return axdr.structure(axdr.i8(self.role.sap), axdr.u16(SERVER_SAP))

    def _xdlms(self) -> Value:
        agreed = self.negotiated
        return axdr.structure(
            axdr.bits(f"{int.from_bytes(agreed.conformance, 'big'):024b}"),
            axdr.u16(agreed.max_receive_pdu_bytes),
            axdr.u16(agreed.max_send_pdu_bytes),
            axdr.u8(DLMS_VERSION),
            axdr.i8(0),
            axdr.octets(b""),
        )

    def _status(self) -> Value:
        return axdr.enum(self.device.state.status.get(self.role, AssociationStatus.NON_ASSOCIATED))

    def _set_secret(self, value: Value) -> None:
        secret: bytes = typed(value, Tag.OCTETS)
        if not 1 <= len(secret) <= MAX_SECRET_BYTES:
            raise AccessError(DataAccess.SCOPE_OF_ACCESS_VIOLATED)
        if self.device.state.new_secret is None:
            raise AccessError(DataAccess.OBJECT_UNAVAILABLE)
        try:
            self.device.state.new_secret(self.role, secret)
        except ValueError as refused:
            raise AccessError(DataAccess.OTHER_REASON) from refused

    def _reply(self, _: Value) -> None:
        raise ActionError(ActionResult.OTHER_REASON)

    readers: ClassVar[Mapping[int, Reader]] = {
        2: _object_list,
        3: _partners,
        4: lambda self: axdr.octets(_UA + bytes([1, self.negotiated.context])),
        5: _xdlms,
        6: lambda self: axdr.octets(_UA + bytes([2, self.negotiated.mechanism])),
        8: _status,
        9: lambda self: axdr.octets(names.SECURITY_SETUP.octets),
    }
    write_only: ClassVar[tuple[int, ...]] = (7,)
    writers: ClassVar[Mapping[int, Writer]] = {7: _set_secret}
    actions: ClassVar[Mapping[int, Action]] = {1: _reply}


def expected(role: Role, settings: ServiceSettings) -> Negotiated:
    """What an association of this role will be: mechanism and context by the security of the settings."""
    protected = role is not Role.PUBLIC and settings.security != "none"
    mechanism = (5 if settings.ciphered else 1) if protected else 0
    context = 3 if protected and settings.ciphered else 1
    return Negotiated(bytes(3), settings.max_pdu_bytes, settings.max_pdu_bytes, mechanism, context)


def described(item: CosemObject) -> Described:
    """What the object list says about an object, rights aside."""
    selectors = tuple(sorted(item.selectors.items()))
    return Described(item.class_id, item.version, item.obis, item.attributes, item.methods, selectors)


@lru_cache(maxsize=64)
def object_list(role: Role, objects: tuple[Described, ...]) -> Value:
    """Attribute 2: the objects that a role sees, with its rights on every attribute and method."""
    seen = (item for item in objects if visible(role, item.class_id, item.obis))
    return axdr.array(*(_element(role, item) for item in seen))


def access_mode(role: Role, class_id: int, obis: Obis, attribute: int) -> int:
    """0 no access, 1 read, 2 write, 3 both."""
    readable = READ_BIT * allowed(role, class_id, obis, attribute, READ)
    return readable + WRITE_BIT * allowed(role, class_id, obis, attribute, WRITE)


def _element(role: Role, item: Described) -> Value:
    selectors = dict(item.selectors)
    attributes = [
        axdr.structure(
            axdr.i8(number),
            axdr.enum(access_mode(role, item.class_id, item.obis, number)),
            axdr.array(*map(axdr.i8, selectors[number])) if number in selectors else axdr.NULL,
        )
        for number in item.attributes
    ]
    methods = [
        axdr.structure(axdr.i8(number), axdr.enum(int(allowed(role, item.class_id, item.obis, number, INVOKE))))
        for number in item.methods
    ]
    rights = axdr.structure(axdr.array(*attributes), axdr.array(*methods))
    return axdr.structure(axdr.u16(item.class_id), axdr.u8(item.version), axdr.octets(item.obis.octets), rights)
