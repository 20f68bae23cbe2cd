"""Meters and head ends under damaged messages: real conversations as seeds, every state of an association as target."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from amiplan.meters.device.ports import HdlcPort, WrapperPort
from amiplan.meters.device.rights import Role
from amiplan.meters.device.server import MeterServer
from amiplan.meters.dlms import acse, apdu, axdr, blocks, hdlc, wrapper
from amiplan.meters.dlms.apdu import Attribute, Method
from amiplan.meters.dlms.axdr import Tag, Value
from amiplan.meters.dlms.hdlc import Frame
from amiplan.meters.dlms.hdlc_address import Address
from amiplan.meters.dlms.obis import ASSOCIATION, CLOCK, IMPORT_ACTIVE, LOAD_PROFILE, Obis
from amiplan.meters.rack import Clock, Rack
from amiplan.meters.settings import ENCODINGS, ServiceSettings
from dlms_fuzz import Target, corpus
from raw_client import RawClient

NOW_S = 1767312000.0 + 9 * 3600 + 450
RENEW = 48
"""Cases after which an association is opened anew: damaged requests may have closed it."""
RELAY, IMAGE, EVENTS, SECURITY = (
    Obis(0, 0, 96, 3, 10),
    Obis(0, 0, 44, 0, 0),
    Obis(0, 0, 99, 98, 0),
    Obis(0, 0, 43, 0, 0),
)
SPAN = (bytes.fromhex("07ea0102ff010000ff800000"), bytes.fromhex("07ea0102ff060000ff800000"))


def rack_of(security: str = "none", **session: Any) -> Rack:
    """One meter, its clock standing at `NOW_S`."""
    settings = ServiceSettings(**{"security": security, "association": "fresh", "profile_interval_min": 60, **session})
    return Rack(np.array([77], np.uint64), np.array(["house"], object), settings, seed=5, clock=Clock(NOW_S, 0.0))


def requests(objects: tuple[tuple[int, Obis], ...] = ()) -> list[apdu.Apdu]:
    """At least one good request of every service, and a read of every object."""
    buffer, time = Attribute(7, LOAD_PROFILE, 2), Attribute(8, CLOCK, 2)
    ranged = Attribute(7, LOAD_PROFILE, 2, 1, apdu.by_range(*SPAN, CLOCK))
    chosen = Attribute(7, LOAD_PROFILE, 2, 1, apdu.by_range(*SPAN, CLOCK, ((8, CLOCK, 2), (3, IMPORT_ACTIVE, 2))))
    entries = Attribute(7, LOAD_PROFILE, 2, 2, apdu.by_entry(2, 5, 1, 3))
    now, nothing = axdr.octets(SPAN[0]), Value(Tag.I8, 0)
    raw = axdr.encode(now)
    relay = Method(70, RELAY, 1)
    reads = [apdu.GetRequest(Attribute(c, o, n)) for c, o in objects for n in range(1, 9)]
    writes = [apdu.SetRequest(Attribute(c, o, n), now) for c, o in objects for n in range(2, 8)]
    calls = [apdu.ActionRequest(Method(c, o, n), nothing) for c, o in objects for n in range(1, 5)]
    return [
        *(apdu.GetRequest(one) for one in (buffer, ranged, chosen, entries, time)),
        apdu.GetRequestNext(1),
        apdu.GetRequestList((time, Attribute(3, IMPORT_ACTIVE, 2), ranged)),
        apdu.SetRequest(time, now),
        apdu.SetRequestFirstBlock(time, False, 1, raw[:5]),
        apdu.SetRequestBlock(True, 2, raw[5:]),
        apdu.SetRequestList((time, time), (now, now)),
        apdu.SetRequestListFirstBlock((time,), False, 1, b"\x01" + raw[:5]),
        apdu.ActionRequest(relay, nothing),
        apdu.ActionRequest(Method(18, IMAGE, 1), axdr.structure(axdr.octets(b"v2"), axdr.u32(4096))),
        apdu.ActionRequest(Method(18, IMAGE, 2), axdr.structure(axdr.u32(0), axdr.octets(bytes(64)))),
        apdu.ActionRequest(Method(64, SECURITY, 2), axdr.array(axdr.structure(axdr.enum(0), axdr.octets(bytes(24))))),
        apdu.ActionRequest(Method(15, ASSOCIATION, 1), axdr.octets(bytes(17))),
        apdu.ActionRequest(Method(8, CLOCK, 6), Value(Tag.I16, 600)),
        apdu.ActionRequestNext(1),
        apdu.ActionRequestList((relay, relay), (nothing, nothing)),
        apdu.ActionRequestFirstBlock(relay, False, 1, b"\x0f"),
        apdu.ActionRequestBlock(True, 2, b"\x00"),
        apdu.ActionRequestListFirstBlock((relay,), False, 1, b"\x01"),
        apdu.GetRequest(Attribute(7, EVENTS, 2, 2, apdu.by_entry(1, 0))),
        *(reads + writes + calls),
    ]


@lru_cache(maxsize=1)
def said() -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """Plain requests, and plain answers to them, of meters of every encoding, role and association; the corpus too."""
    asked: list[bytes] = [acse.RELEASE_REQUEST]
    heard: list[bytes] = [acse.RELEASE_RESPONSE]

    def noted(server: MeterServer, role: Role) -> Callable[[bytes], bytes | None]:
        def send(request: bytes) -> bytes | None:
            answer = server.respond(role.sap, request)
            asked.append(request)
            heard.extend([answer] if answer else [])
            return answer

        return send

    for encoding in ENCODINGS:
        rack = rack_of("none", encoding=encoding)
        client = RawClient(rack.told(0), "management", noted(rack.server(0), Role.MANAGEMENT))
        client.open()
        objects = tuple(rack.server(0).objects) if encoding == "full" else ()
        for one in requests(objects):
            client.ask(one)
    for security in ("lls", "suite_0"):
        rack = rack_of(security)
        client = RawClient(rack.told(0), "reader", noted(rack.server(0), Role.READER))
        client.open()
        client.get(3, IMPORT_ACTIVE, 2)
    return tuple(dict.fromkeys([*asked, *corpus()])), tuple(dict.fromkeys(heard))


def frames_of(messages: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """The messages as HDLC frames, with those that open and close a link."""
    server = Address(1)
    cut = [
        one for apdu in messages[:200]
        for one in hdlc.frames(apdu, client=1, server=server, response=False, max_info_bytes=64)
    ]  # fmt: skip
    return (*hdlc.connect(1, 1, 128), *hdlc.connect(1, 1, 500), *hdlc.disconnect(1, 1), *cut)


def meter_targets() -> list[Target]:
    """`MeterServer.respond` in every state of an association, and the ports in front of it."""
    asked, _ = said()
    some = frames_of(asked)
    wrapped = tuple(wrapper.pack(1, 1, one) for one in asked)
    blocked = tuple(blocks.encode(one) for whole in asked[:60] for one in blocks.cut(whole, 64, 3))
    return [
        Target("respond, closed", 1.0, asked, lambda: _closed("none")),
        Target("respond, closed, hls5", 0.5, asked, lambda: _closed("suite_0")),
        Target("respond, open", 4.0, asked, lambda: _Open("none")),
        Target("respond, open, general blocks", 1.0, (*asked, *blocked), lambda: _Open("none", "general")),
        Target("respond, open, lls", 0.5, asked, lambda: _Open("lls")),
        Target("respond, open, hls5, sealed well", 2.0, asked, lambda: _Open("suite_0")),
        Target("respond, open, hls5, sealed badly", 0.5, asked, lambda: _Open("suite_0", broken=True)),
        Target("respond, challenged", 0.5, asked, lambda: _Open("suite_0", challenged=True)),
        Target("WrapperPort.receive", 1.0, wrapped, _wrapper_port),
        Target("HdlcPort.receive", 1.0, some, _hdlc_port),
        Target("HdlcPort.receive, checked well", 1.0, asked, _hdlc_content),
    ]


def _closed(security: str) -> Callable[[bytes], object]:
    server, roles = rack_of(security).server(0), random.Random(1)
    return lambda message: server.respond(roles.choice((1, 2, 3, 16, 99)), message)


class _Open:
    """Messages within an open association of the management, or within one that waits for pass 3."""

    def __init__(self, security: str, transfer: str = "get", *, challenged: bool = False, broken: bool = False) -> None:
        rack = rack_of(security, block_transfer=transfer)
        self.server = rack.server(0)
        self.challenged, self.broken = challenged, broken
        self.client = RawClient(rack.told(0), "management", self._send, general=True)
        self.n_cases = 0

    def _send(self, request: bytes) -> bytes | None:
        return self.server.respond(Role.MANAGEMENT.sap, request)

    def __call__(self, message: bytes) -> object:
        if self.n_cases % RENEW == 0:
            self._send(self.client.aarq()) if self.challenged else self.client.open()
        self.n_cases += 1
        if self.client.channel is None or message[:1] in (b"\x60", b"\x62"):
            return self._send(message)
        sealed = self.client.sealed(message)
        if self.broken:
            at = (self.n_cases * 7) % len(sealed)
            sealed = sealed[:at] + bytes([sealed[at] ^ 1 << self.n_cases % 8]) + sealed[at + 1 :]
        return self._send(sealed)


def _wrapper_port() -> Callable[[bytes], object]:
    opener = rack_of("none").opener(0)
    client = wrapper.pack(1, 1, acse.encode(acse.Association(1, acse.initiate_request(1024))))

    def receive(message: bytes) -> object:
        port = opener()
        assert isinstance(port, WrapperPort)
        port.receive(client)
        try:
            return port.receive(message)
        finally:
            port.close()

    return receive


def _hdlc_port() -> Callable[[bytes], object]:
    port = rack_of("none", framing="hdlc").opener(0)()
    return port.receive


def _hdlc_content() -> Callable[[bytes], object]:
    """Damaged APDUs in good frames with running numbers: past the frame check, into the link and the meter."""
    port = rack_of("none", framing="hdlc").opener(0)()
    assert isinstance(port, HdlcPort)
    number = 0

    def receive(message: bytes) -> object:
        nonlocal number
        if number % RENEW == 0:
            port.receive(hdlc.connect(1, 1, 128)[0])
            number = 0
        info = (b"" if message[:1] == b"\x02" else hdlc.LLC_REQUEST) + message[:120]
        control = hdlc.information(number % 8, number % 8) if message[-1:] != b"\x03" else message[-2]
        number += 1
        return port.receive(hdlc.pack(Frame(Address(1), Address(1), control, len(message) % 7 == 0, info)))

    return receive
