"""The head end's side of one meter: it asks, checks, puts blocks together, and tries again.

`HeadEnd.read` is a generator, so that any network can stand in between: it yields what to send and takes what came
back, or None when nothing came in time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import clock
from .conversation import Conversation, ExchangeFailed
from .device.names import ALARM_REGISTER, DAILY_BILLING, DISCONNECT_CONTROL, EVENT_LOG, PROFILE_STATUS, PUSHES
from .device.ports import METER_SAP
from .device.rights import Role
from .device.server import MeterServer
from .dlms import apdu, axdr, security, wrapper
from .dlms.apdu import Attribute, Method
from .dlms.axdr import Value
from .dlms.obis import CLOCK, IMPORT_ACTIVE, LOAD_PROFILE, Obis
from .dlms.security import Channel
from .lines import Turns, line_of
from .reading import Reading, channels_of, join, profile_reading, single_reading
from .settings import ServiceSettings

__all__ = ["ExchangeFailed", "HeadEnd", "converse", "read_all", "settings_of"]

Array = NDArray[Any]

BY_RANGE, BY_ENTRY = 1, 2
DISCONNECT, RECONNECT = 1, 2
LAST_COUNTER, COUNTERS_TO_OPEN = 2**32 - 1, 3
"""Highest invocation counter, and how many an association takes to open: AARQ, our proof, and what carries it."""
_PERIODS_MIN = {"profile_15min": 15, "profile_30min": 30, "profile_60min": 60}


def settings_of(service: str, settings: ServiceSettings) -> ServiceSettings:
    """The settings with which a service is read: a profile of a named period needs a meter that captures at it."""
    return replace(settings, profile_interval_min=_PERIODS_MIN.get(service, settings.profile_interval_min))


class HeadEnd:
    """The client side of one meter.

    Parameters
    ----------
    channel
        Keys and counters towards the meter, shared by all roles; None where the settings ask for no suite.
    day
        The day whose data are read; day 0 is 1 January 2026.
    password
        For low level security.

    Attributes
    ----------
    counters
        sent, received, timeouts, authentication, replay, unprotected, malformed, exceptions, rejected.
    """

    def __init__(self, channel: Channel | None, settings: ServiceSettings, day: int, password: bytes = b"") -> None:
        if settings.ciphered and channel is None:
            raise ValueError(f"security {settings.security} needs keys: pass a channel or set security to none")
        if settings.security == "lls" and not password:
            raise ValueError("security lls needs a password: pass one or set security to none")
        self.channel = channel if settings.ciphered else None
        self.settings = settings
        self.day = day
        self.password = password if settings.security == "lls" else b""
        self.counters: Counter[str] = Counter()
        self._conversations: dict[Role, Conversation] = {}
        self._open: set[Role] = set()

    def read(self, service: str) -> Generator[bytes, bytes | None, Reading]:
        """Carry out one service: yields what goes onto the line, takes what came back or None for a timeout.

        Services are register, on_demand, profile (with _15min, _30min, _60min where that is the meter's period),
        daily_billing, event_log, clock_set, disconnect, reconnect. Raises ExchangeFailed when a step got no believable
        answer in ``tries`` attempts or was refused; ValueError for a service that cannot be read.
        """
        role, carry_out = self._plan(service)
        conversation = self._conversation(role)
        try:
            yield from self._ready(role, conversation)
            try:
                reading = yield from carry_out(conversation)
            except ValueError as wrong:
                raise ExchangeFailed(f"the meter's {service} is not what was asked for: {wrong}") from wrong
        except (ExchangeFailed, GeneratorExit):
            self._open.discard(role)
            conversation.line.distrust()
            raise
        if self.settings.association == "fresh":
            yield from conversation.close()
            self._open.discard(role)
        return reading

    def accept(self, datagram: bytes) -> Reading | None:
        """The data of one push, or None where it was refused; `counters` tell why. Never raises."""
        self.counters["received"] += 1
        try:
            plain = self._opened(datagram)
            notification = apdu.decode(plain)
            if not isinstance(notification, apdu.DataNotification):
                raise ValueError("not a notification")
            return self._pushed(notification.body.items)
        except security.SecurityError as refused:
            self.counters[refused.kind] += 1
        except ValueError:
            self.counters["malformed"] += 1
        return None

    # -- associations --------------------------------------------------------------------------------------------

    def _conversation(self, role: Role) -> Conversation:
        if role not in self._conversations:
            line = line_of(self.settings, role.sap, self.counters)
            secured = role is not Role.PUBLIC
            channel, password = (self.channel, self.password) if secured else (None, b"")
            self._conversations[role] = Conversation(line, channel, password, self.settings, self.counters)
        return self._conversations[role]

    def _ready(self, role: Role, conversation: Conversation) -> Turns[None]:
        if self.settings.association == "pre_established" or role in self._open:
            return
        if self.settings.read_counter and self.channel is not None:
            yield from self._learn_counter(role)
        yield from conversation.open()
        self._open.add(role)

    def _learn_counter(self, role: Role) -> Turns[None]:
        """Count on from what the meter has seen; it tells so unprotected, so a lower number changes nothing."""
        assert self.channel is not None
        public = self._conversation(Role.PUBLIC)
        yield from public.open()
        value = yield from public.get(Attribute(1, role.invocation_counter, 2))
        yield from public.close()
        try:
            seen = single_reading("counter", role.invocation_counter, value).values[0, 0]
        except ValueError as wrong:
            raise ExchangeFailed(f"the invocation counter is none: {wrong}") from wrong
        if seen > LAST_COUNTER - COUNTERS_TO_OPEN:
            raise ExchangeFailed(f"the invocation counter {seen} leaves none to open with: exchange the keys")
        self.channel.next_counter = max(self.channel.next_counter, int(seen) + 1)

    # -- services ------------------------------------------------------------------------------------------------

    def _plan(self, service: str) -> tuple[Role, Callable[[Conversation], Turns[Reading]]]:
        """Who asks, and how."""
        period_min = _PERIODS_MIN.get(service, self.settings.profile_interval_min)
        if period_min != self.settings.profile_interval_min:
            raise ValueError(
                f"{service} needs a meter that captures every {period_min} min: profile_interval_min is "
                f"{self.settings.profile_interval_min}"
            )
        if service in ("register", "on_demand"):
            return Role.READER, lambda talk: self._read_register(talk, service)
        plans: dict[str, tuple[Role, Callable[[Conversation], Turns[Reading]]]] = {
            "profile": (Role.READER, self._read_profile),
            "daily_billing": (Role.READER, self._read_billing),
            "event_log": (Role.READER, self._read_events),
            "clock_set": (Role.MANAGEMENT, self._set_clock),
            "disconnect": (Role.MANAGEMENT, lambda talk: self._switch(talk, "disconnect")),
            "reconnect": (Role.MANAGEMENT, lambda talk: self._switch(talk, "reconnect")),
        }
        name = "profile" if service in _PERIODS_MIN else service
        if name not in plans:
            raise ValueError(f"service {service!r} cannot be read: use register, on_demand, {', '.join(plans)}")
        return plans[name]

    def _read_register(self, talk: Conversation, service: str) -> Turns[Reading]:
        value = yield from talk.get(Attribute(3, IMPORT_ACTIVE, 2))
        return single_reading(service, IMPORT_ACTIVE, value)

    def _read_profile(self, talk: Conversation) -> Turns[Reading]:
        ends = clock.interval_end_s(self.day, self.settings.n_intervals)
        columns = [] if self.settings.profile_timestamps else self._untimed_columns()
        return (yield from self._read_range(talk, "profile", LOAD_PROFILE, ends, columns))

    def _untimed_columns(self) -> list[tuple[int, Obis, int]]:
        status = [(1, PROFILE_STATUS, 2)] if self.settings.profile_status else []
        return status + [(3, obis, 2) for obis in channels_of("profile", self.settings)]

    def _read_billing(self, talk: Conversation) -> Turns[Reading]:
        """The registers as they stood at the end of the day."""
        midnight = np.array([clock.day_start_s(self.day + 1)])
        return (yield from self._read_range(talk, "daily_billing", DAILY_BILLING, midnight, []))

    def _read_range(
        self, talk: Conversation, service: str, obis: Obis, time_s: Array, columns: list[tuple[int, Obis, int]]
    ) -> Turns[Reading]:
        first, last = clock.octets_of(time_s[0]), clock.octets_of(time_s[-1])
        chosen = apdu.by_range(first, last, CLOCK, columns)
        buffer = yield from talk.get(Attribute(7, obis, 2, BY_RANGE, chosen))
        return profile_reading(service, buffer, self.settings, time_s)

    def _read_events(self, talk: Conversation) -> Turns[Reading]:
        """The last ``event_rows`` events: the first entries of a log that keeps the newest first."""
        chosen = apdu.by_entry(1, self.settings.event_rows)
        buffer = yield from talk.get(Attribute(7, EVENT_LOG, 2, BY_ENTRY, chosen))
        return join([profile_reading("event_log", buffer, self.settings)])

    def _set_clock(self, talk: Conversation) -> Turns[Reading]:
        """The end of the day, which is what the simulated head end's own clock shows."""
        now_s = clock.day_start_s(self.day + 1)
        yield from talk.set(Attribute(8, CLOCK, 2), axdr.octets(clock.octets_of(now_s)))
        return Reading("clock_set", (CLOCK,), np.array([now_s]), np.zeros((1, 0), np.uint32))

    def _switch(self, talk: Conversation, service: str) -> Turns[Reading]:
        """Operate the relay, and read in which state it then is."""
        method = Method(70, DISCONNECT_CONTROL, DISCONNECT if service == "disconnect" else RECONNECT)
        result, _ = yield from talk.action(method, axdr.i8(0))
        if result:
            raise ExchangeFailed(f"the relay did not {service}: {result.name}")
        state = yield from talk.get(Attribute(70, DISCONNECT_CONTROL, 3))
        return single_reading(service, DISCONNECT_CONTROL, state)

    # -- pushes --------------------------------------------------------------------------------------------------

    def _opened(self, datagram: bytes) -> bytes:
        source, destination, sealed = wrapper.unpack(datagram)
        if (source, destination) != (METER_SAP, Role.READER.sap):
            raise ValueError("not from this meter, or not for us")
        return sealed if self.channel is None else self.channel.open(sealed)

    def _pushed(self, items: tuple[Value, ...]) -> Reading:
        name = items[0].octets if items else b""
        service = next((service for service, obis in PUSHES.items() if obis.octets == name), "")
        single = service in ("register", "last_gasp")
        if not service or len(items) != (4 if single else 3):
            raise ValueError("a push of unknown kind")
        self._check_device(items[-2])
        if single:
            obis = IMPORT_ACTIVE if service == "register" else ALARM_REGISTER
            return single_reading(service, obis, items[3])
        return profile_reading(service, items[2], self.settings)

    def _check_device(self, name: Value) -> None:
        if self.channel is not None and name.octets != self.channel.peer_title:
            raise ValueError("the push names another meter")


def read_all(server: MeterServer, head_end: HeadEnd, service: str) -> Reading:
    """One service with nothing but a perfect line between head end and meter; raises as `HeadEnd.read`."""
    return converse(server, head_end, service)[0]


def converse(server: MeterServer, head_end: HeadEnd, service: str) -> tuple[Reading, list[tuple[bytes, bytes | None]]]:
    """As `read_all`, with the turns that went over the line: (bytes down, bytes up or None) in order."""
    line, session, said = server.line(), head_end.read(service), []
    request = next(session)
    while True:
        response = line.receive(request) or None
        said.append((request, response))
        try:
            request = session.send(response)
        except StopIteration as done:
            return done.value, said
