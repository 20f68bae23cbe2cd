"""A representative meter and its head end talk over a perfect line: the turns of each service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from . import clock
from .client import HeadEnd
from .commission import commission
from .conversation import Conversation
from .device.base import Interface, Reader
from .device.ports import METER_SAP, settle
from .device.profile import BY_RANGE
from .device.rights import Role
from .device.server import MeterServer
from .dlms import apdu, axdr, wrapper
from .dlms.axdr import Value
from .dlms.hdlc_link import HdlcServer
from .dlms.obis import CLOCK, LOAD_PROFILE, Obis
from .dlms.wrapper import HEADER_BYTES
from .fleet_data import readings_of
from .frame_labels import DOWN, UP, Said
from .lines import Turns, link_of
from .reading import Reading
from .settings import ServiceSettings

Array = NDArray[Any]


def representative(settings: ServiceSettings) -> tuple[MeterServer, HeadEnd]:
    """A house of the load model and its head end."""
    key, kind = np.array([1], np.uint64), np.array(["house"])
    readings = readings_of(key, kind, 0, replace(settings, profile_values="registers"))
    profile = readings.profile[0]
    return commission(1, profile[-1], profile, 0, settings)


def turns_of(server: MeterServer, head_end: HeadEnd, service: str) -> list[Said]:
    """The turns that go over a perfect line until a service is read."""
    line, session, said = server.line(), head_end.read(service), list[Said]()
    try:
        request = next(session)
        while True:
            response = line.receive(request)
            said += [(DOWN, request), (UP, response)] if response else [(DOWN, request)]
            request = session.send(response or None)
    except StopIteration:
        return said


def pulled(server: MeterServer, head_end: HeadEnd, service: str, settings: ServiceSettings, opens: bool) -> list[Said]:
    """The turns of a service that the head end asks for; where the association stands already, what comes after it."""
    if settings.association == "kept_open" and not opens:
        turns_of(server, head_end, "register")
    return turns_of(server, head_end, service)


def pushed(server: MeterServer, service: str, settings: ServiceSettings) -> list[list[Said]]:
    """Each notification as the turns that carry it."""
    return [unasked(one[HEADER_BYTES:], settings) for one in server.push(service)]


def unasked(notification: bytes, settings: ServiceSettings) -> list[Said]:
    """One notification: a datagram, or over an HDLC link that stands its frames and the head end's receive-readies."""
    if settings.framing == "wrapper":
        return [(UP, wrapper.pack(METER_SAP, Role.READER.sap, notification))]
    info, window = settings.hdlc_max_info_bytes, settings.hdlc_window
    link = link_of(settings, Role.READER.sap)
    meter = HdlcServer(lambda *_: notification, knows=lambda _: True, max_info_bytes=info, window=window)
    settle(link, meter)
    session, said = link.exchange(b"\0"), list[Said]()
    try:
        request = next(session)
        while True:
            response = meter.receive(request)
            said += [(DOWN, request), (UP, response)]
            request = session.send(response)
    except StopIteration:
        return said[1:]


class _Listener(HeadEnd):
    """A head end that takes a profile as it comes."""

    def _read_range(
        self, talk: Conversation, service: str, obis: Obis, time_s: Array, columns: list[tuple[int, Obis, int]]
    ) -> Turns[Reading]:
        chosen = apdu.by_range(clock.octets_of(time_s[0]), clock.octets_of(time_s[-1]), CLOCK, columns)
        yield from talk.get(apdu.Attribute(7, obis, 2, BY_RANGE, chosen))
        return Reading(service, (), time_s, np.zeros((time_s.size, 0), np.uint32))


def of_given_length(settings: ServiceSettings, data_bytes: int) -> tuple[MeterServer, HeadEnd]:
    """A meter whose load profile is some value of ``data_bytes``, at least 2, and a head end that takes anything."""
    server, head_end = representative(settings)
    server.objects[7, LOAD_PROFILE] = _Sized(data_bytes)
    return server, _Listener(head_end.channel, settings, head_end.day, head_end.password)


class _Sized(Interface):
    """Stands where a load profile stands, and answers with a value of a given length."""

    __slots__ = ("_value",)
    class_id: ClassVar[int] = 7
    readers: ClassVar[Mapping[int, Reader]] = {2: lambda self: self._value}

    def __init__(self, n_bytes: int) -> None:
        super().__init__(LOAD_PROFILE)
        self._value = _of_length(n_bytes)

    def selected(self, number: int, selector: int, parameters: Value) -> Value:
        """The value, whatever part is asked for."""
        return self.attribute(number)


def _of_length(n_bytes: int) -> Value:
    """A value whose encoding has ``n_bytes``: an octet-string, behind null-data where no length field fits."""
    for n_nulls in range(3):
        head = 2 if n_nulls else 0
        room = n_bytes - head - n_nulls - 1
        for n_field in (1, 2, 3, 4):
            if room >= n_field and len(axdr.encode_length(room - n_field)) == n_field:
                content = axdr.octets(bytes(room - n_field))
                return axdr.structure(*[axdr.NULL] * n_nulls, content) if n_nulls else content
    raise ValueError(f"no value is encoded in {n_bytes} bytes: 2 are the least")
