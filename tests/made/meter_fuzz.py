"""Meters and head ends under damaged messages: real conversations as seeds, every state of an association as target."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from amiplan.meters.client import HeadEnd, read_all
from amiplan.meters.commission import head_end_of
from amiplan.meters.conversation import ExchangeFailed
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
from amiplan.meters.reading import Reading
from amiplan.meters.settings import ENCODINGS, ServiceSettings
from dlms_fuzz import Target, corpus
from raw_client import RawClient

NOW_S = 1767312000.0 + 9 * 3600 + 450
READ = ("profile", "register", "event_log", "daily_billing", "disconnect", "clock_set", "reconnect")
TRUE = ("profile", "register")
PUSHED = ("register", "profile", "daily_billing", "event_log", "last_gasp")
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


def frames_of(messages: tuple[bytes, ...], response: bool = False) -> tuple[bytes, ...]:
    """The messages as HDLC frames of one direction, with those that open and close a link."""
    server = Address(1)
    cut = [
        one for apdu in messages[:200]
        for one in hdlc.frames(apdu, client=1, server=server, response=response, max_info_bytes=64)
    ]  # fmt: skip
    return (*hdlc.connect(1, 1, 128), *hdlc.connect(1, 1, 500), *hdlc.disconnect(1, 1), *cut)


def meter_targets() -> list[Target]:
    """`MeterServer.respond` in every state of an association, and the ports in front of it."""
    asked, _ = said()
    some = frames_of(asked)
    wrapped = tuple(wrapper.pack(1, 1, one) for one in asked)
    blocked = tuple(blocks.encode(one) for whole in asked[:60] for one in blocks.cut(whole, 64, 3))
    return [
        Target("respond, closed", 1.0, asked, lambda: _closed("none"), refuses=False),
        Target("respond, closed, hls5", 0.5, asked, lambda: _closed("suite_0"), refuses=False),
        Target("respond, open", 4.0, asked, lambda: _Open("none"), refuses=False),
        Target(
            "respond, open, general blocks", 1.0, (*asked, *blocked), lambda: _Open("none", "general"), refuses=False
        ),
        Target("respond, open, lls", 0.5, asked, lambda: _Open("lls"), refuses=False),
        Target("respond, open, hls5, sealed well", 2.0, asked, lambda: _Open("suite_0"), refuses=False),
        Target("respond, open, hls5, sealed badly", 0.5, asked, lambda: _Open("suite_0", broken=True), refuses=False),
        Target("respond, challenged", 0.5, asked, lambda: _Open("suite_0", challenged=True), refuses=False),
        Target("WrapperPort.receive", 1.0, wrapped, _wrapper_port),
        Target("HdlcPort.receive", 1.0, some, _hdlc_port, refuses=False),
        Target("HdlcPort.receive, checked well", 1.0, asked, _hdlc_content, refuses=False),
    ]


def head_end_targets() -> list[Target]:
    """Head ends whose meter's answers, or pushes, arrive damaged."""
    _, heard = said()
    answers = frames_of(heard, response=True)
    pushed = tuple(one for service in PUSHED for one in _pair("none")[0].push(service))
    return [
        Target("HeadEnd.accept", 0.5, pushed, lambda: _pair("none")[1].accept, refuses=False),
        Target("HeadEnd.accept, hls5", 0.3, pushed, _accepting, refuses=False),
        *(
            Target(f"HeadEnd.read, {encoding}", 0.5, heard, lambda e=encoding: _Reading("none", encoding=e), False)  # type: ignore[misc]
            for encoding in ENCODINGS
        ),
        Target("HeadEnd.read, general blocks", 0.5, heard, lambda: _Reading("none", block_transfer="general"), False),
        Target("HeadEnd.read, hls5, sealed well", 0.5, heard, lambda: _Reading("suite_0"), False),
        Target("HeadEnd.read, hls5, damaged on the way", 0.5, heard, lambda: _Damaging("suite_0"), False),
        Target("HeadEnd.read, hdlc", 0.5, answers, lambda: _Reading("none", framing="hdlc"), False),
    ]


def _pair(security: str, **session: Any) -> tuple[MeterServer, HeadEnd]:
    rack = rack_of(security, **session)
    server = rack.server(0)
    return server, head_end_of(server.title, server.secrets, rack.settings, 0)


def _accepting() -> Callable[[bytes], object]:
    """Damaged pushes, sealed by the meter itself."""
    server, head_end = _pair("suite_0")
    channel = server.session(Role.READER).channel
    assert channel is not None
    return lambda message: head_end.accept(wrapper.pack(1, Role.READER.sap, channel.seal_general(message[8:])))


class _Reading:
    """A head end that reads one service after the other; one answer in each is replaced by the message."""

    def __init__(self, security: str, **session: Any) -> None:
        self.server, self.head_end = _pair(security, association="kept_open", tries=2, **session)
        self.line, self.hdlc = self.server.line(), session.get("framing") == "hdlc"
        self.n_cases = 0

    def __call__(self, message: bytes) -> object:
        self.n_cases += 1
        steps = self.head_end.read(READ[self.n_cases % len(READ)])
        replaced, turn = self.n_cases // len(READ) % 3, 0
        try:
            request = next(steps)
            while turn < 200:
                answer = self.line.receive(request)
                if turn == replaced:
                    answer = self._changed(request, answer, message)
                turn, request = turn + 1, steps.send(answer or None)
        except StopIteration as done:
            return done.value
        except ExchangeFailed:
            return None
        raise AssertionError(f"{turn} turns for one service")

    def _changed(self, request: bytes, answer: bytes, message: bytes) -> bytes:
        """What arrives in place of the meter's answer."""
        return message if self.hdlc else self._wrapped(request, message)

    def _wrapped(self, request: bytes, message: bytes) -> bytes:
        sap = int.from_bytes(request[2:4], "big")
        role = Role.of_sap(sap)
        channel = self.server.session(role).channel if role is not None else None
        plain = channel is None or message[:1] in (b"\x61", b"\x63")
        return wrapper.pack(1, sap, message[:65_000] if plain else channel.seal_general(message[:65_000]))  # type: ignore[union-attr]


class _Damaging(_Reading):
    """Ciphered answers in which some bytes change: what is read is the truth, or nothing."""

    def __init__(self, security: str) -> None:
        super().__init__(security)
        perfect = _Reading(security)
        self.truth = {(one := read_all(perfect.server, perfect.head_end, name)).service: one for name in TRUE}

    def __call__(self, message: bytes) -> object:
        reading = super().__call__(message)
        if isinstance(reading, Reading) and reading.service in self.truth:
            assert reading.same_data(self.truth[reading.service]), reading
        return reading

    def _changed(self, request: bytes, answer: bytes, message: bytes) -> bytes:
        changed = bytearray(answer)
        for at, value in zip(message[::2], message[1:5:2], strict=False):
            changed[(at * 257 + value) % len(changed)] ^= value or 1
        return bytes(changed[: len(changed) - len(message) % 3])


def _closed(security: str) -> Callable[[bytes], object]:
    server, roles = rack_of(security).server(0), random.Random(1)
    return lambda message: server.respond(roles.choice((1, 2, 3, 16, 99)), message)


class _Open:
    """Messages within an open association of the management, or within one that waits for pass 3."""

    def __init__(self, security: str, transfer: str = "get", *, challenged: bool = False, broken: bool = False) -> None:
        self.security, self.transfer = security, transfer
        self.challenged, self.broken = challenged, broken
        self.n_cases = 0
        self._new_meter()

    def _new_meter(self) -> None:
        rack = rack_of(self.security, block_transfer=self.transfer)
        self.server = rack.server(0)
        self.client = RawClient(rack.told(0), "management", self._send, general=True)

    def _send(self, request: bytes) -> bytes | None:
        return self.server.respond(Role.MANAGEMENT.sap, request)

    def _associate(self) -> None:
        if self.challenged:
            self._send(self.client.aarq())
            return
        try:
            self.client.open()
        except ValueError:  # a damaged request has given the meter another password or key
            self._new_meter()
            self.client.open()

    def __call__(self, message: bytes) -> object:
        if self.n_cases % RENEW == 0:
            self._associate()
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
        control = hdlc.information(number % 8, number % 8) if message[-1:] != b"\x03" else message[len(message) // 2]
        number += 1
        return port.receive(hdlc.pack(Frame(Address(1), Address(1), control, len(message) % 7 == 0, info)))

    return receive
