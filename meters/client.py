"""The head end's side of one meter: it asks, checks, puts blocks together, and tries again.

`HeadEnd.read` is a generator, so that any network can stand in between: it yields what to send and takes what came
back, or None when nothing came in time.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import replace
from functools import partial
from typing import Any

from . import clock
from .dlms import acse, apdu, axdr, security, wrapper
from .dlms.axdr import Value
from .dlms.obis import ASSOCIATION, CLOCK, IMPORT_ACTIVE, LOAD_PROFILE, PUSH_PROFILE, PUSH_REGISTER
from .dlms.security import Channel
from .objects import BY_RANGE, ProfileGeneric, Register
from .reading import Reading, profile_reading, register_reading
from .server import CHALLENGE_BYTES, METER_PORT, PUBLIC_PORT, READER_PORT, MeterServer
from .settings import ServiceSettings

Session = Generator[bytes, bytes | None, Any]


class ExchangeFailed(Exception):
    """A reading that could not be finished: no believable answer within the tries, or access refused."""


class HeadEnd:
    """The client side of one meter.

    Parameters
    ----------
    channel
        Keys and counters towards the meter; None where the settings ask for no security.
    day
        The day whose profile is read; day 0 is 1 January 2026.

    Attributes
    ----------
    counters
        sent, received, timeouts, authentication, replay, unprotected, malformed, exceptions, rejected.
    """

    def __init__(self, channel: Channel | None, settings: ServiceSettings, day: int) -> None:
        if settings.ciphered and channel is None:
            raise ValueError("security suite_0 needs keys: pass a channel or set security to none")
        self.channel = channel if settings.ciphered else None
        self.settings = settings
        self.day = day
        self.counters: Counter[str] = Counter()
        self._port = READER_PORT if self.channel else PUBLIC_PORT
        self._invoke = 0

    def read(self, service: str) -> Generator[bytes, bytes | None, Reading]:
        """Read one service: yields wrapped requests, takes wrapped responses or None for a timeout.

        Every repetition is ciphered anew, since a meter refuses a counter it has seen. Raises ExchangeFailed when a
        step got no believable answer in ``tries`` attempts or was refused; ValueError for an unknown service.
        """
        request = self._request(service)
        if self.settings.association == "fresh":
            yield from self._associate()
        value = yield from self._get(request)
        if self.settings.association == "fresh":
            yield from self._release()
        try:
            return self._reading(service, value)
        except ValueError as wrong:
            raise ExchangeFailed(f"the meter's {service} is not what was asked for: {wrong}") from wrong

    def accept(self, datagram: bytes) -> Reading | None:
        """The data of one push, or None where it was refused; `counters` tell why. Never raises."""
        plain = self._opened(datagram)
        if plain is None:
            return None
        try:
            notification = apdu.decode(plain)
            if not isinstance(notification, apdu.DataNotification):
                raise ValueError("not a notification")
            return self._pushed(notification.body.items)
        except ValueError:
            self.counters["malformed"] += 1
            return None

    # -- steps ---------------------------------------------------------------------------------------------------

    def _request(self, service: str) -> apdu.GetRequest:
        if service == "register":
            return apdu.GetRequest(Register.class_id, IMPORT_ACTIVE, 2)
        if service == "profile":
            ends = clock.interval_end_s(self.day, self.settings.n_intervals)
            chosen = apdu.by_range(clock.octets_of(ends[0]), clock.octets_of(ends[-1]), CLOCK)
            return apdu.GetRequest(ProfileGeneric.class_id, LOAD_PROFILE, 2, BY_RANGE, chosen)
        raise ValueError(f"service {service!r} is unknown: use register or profile")

    def _get(self, request: apdu.GetRequest) -> Generator[bytes, bytes | None, Value]:
        invoke = self._next_invoke()
        asked: apdu.Apdu = replace(request, invoke=invoke)
        raw, block = b"", 0
        while True:
            answer = yield from self._ask(partial(apdu.encode, asked), partial(_fits, invoke=invoke, block=block + 1))
            if isinstance(answer, apdu.GetResponse) and isinstance(answer.result, Value) and not block:
                return answer.result
            if not isinstance(answer, apdu.GetResponseBlock) or not isinstance(answer.result, bytes):
                raise ExchangeFailed(f"{request.obis} attribute {request.attribute} was refused: {answer}")
            raw, block = raw + answer.result, answer.block
            if answer.last:
                return self._assembled(raw)
            asked = apdu.GetRequestNext(block, invoke)

    @staticmethod
    def _assembled(raw: bytes) -> Value:
        try:
            return axdr.decode(raw)
        except ValueError as wrong:
            raise ExchangeFailed(f"the blocks do not make one value: {wrong}") from wrong

    def _associate(self) -> Session:
        challenge = self._challenge()
        answer = yield from self._ask(lambda: self._association_request(challenge), _is_association)
        if self.channel is None:
            return
        reply = yield from self._ask(lambda: self._pass_3(answer.challenge), _is_action)
        if reply.result or reply.returned is None or not self._is_meter(reply.returned, challenge):
            raise ExchangeFailed("authentication failed in pass 3 or 4: check the keys")

    def _association_request(self, challenge: bytes) -> bytes:
        initiate = acse.initiate_request(self.settings.max_pdu_bytes)
        if self.channel is None:
            return acse.encode(acse.Association(acse.CONTEXT_PLAIN, initiate))
        sealed = self.channel.seal(initiate)
        title = self.channel.own_title
        return acse.encode(acse.Association(acse.CONTEXT_CIPHERED, sealed, acse.MECHANISM_HLS_GMAC, title, challenge))

    def _pass_3(self, challenge: bytes) -> bytes:
        assert self.channel is not None
        proof = security.gmac(challenge, self.channel.keys, self.channel.own_title, self.channel.take_counter())
        return apdu.encode(apdu.ActionRequest(15, ASSOCIATION, 1, axdr.octets(proof), self._next_invoke()))

    def _is_meter(self, returned: Value, challenge: bytes) -> bool:
        assert self.channel is not None
        proof = returned.content
        if not isinstance(proof, bytes) or len(proof) != 17:
            return False
        counter = int.from_bytes(proof[1:5], "big")
        return proof == security.gmac(challenge, self.channel.keys, self.channel.peer_title, counter)

    def _release(self) -> Session:
        """One attempt: the data are there already, and a meter closes idle associations by itself."""
        self.counters["sent"] += 1
        answer = yield wrapper.pack(self._port, METER_PORT, acse.RELEASE_REQUEST)
        self.counters["received" if answer is not None else "timeouts"] += 1

    def _ask(self, build: Callable[[], bytes], fits: Callable[[Any], bool]) -> Session:
        last = "silence"
        for _ in range(self.settings.tries):
            request = build()
            if self.channel is not None and request[0] in security.GLO_TAGS:
                request = self.channel.seal(request)
            self.counters["sent"] += 1
            datagram = yield wrapper.pack(self._port, METER_PORT, request)
            reply = self._decoded(datagram)
            if reply is not None and fits(reply):
                return reply
            last = self._count_refusal(reply)
        raise ExchangeFailed(f"no believable answer in {self.settings.tries} tries, the last: {last}")

    def _count_refusal(self, reply: apdu.Apdu | acse.Association | None) -> str:
        """A refusal may come from a damaged request, so it is counted and the request repeated."""
        if isinstance(reply, apdu.ExceptionResponse):
            self.counters["exceptions"] += 1
            return f"exception {reply.state_error}, {reply.service_error}"
        if isinstance(reply, acse.Association):
            self.counters["rejected"] += 1
            return f"association rejected, diagnostic {reply.diagnostic}"
        return "silence or damaged bytes" if reply is None else "an answer to another request"

    # -- what came back ------------------------------------------------------------------------------------------

    def _decoded(self, datagram: bytes | None) -> apdu.Apdu | acse.Association | None:
        if datagram is None:
            self.counters["timeouts"] += 1
            return None
        plain = self._opened(datagram)
        try:
            if plain is None:
                return None
            return self._association(plain) if plain[:1] == b"\x61" else apdu.decode(plain)
        except security.SecurityError as refused:
            self.counters[refused.kind] += 1
        except ValueError:
            self.counters["malformed"] += 1
        return None

    def _association(self, plain: bytes) -> acse.Association:
        answer = acse.decode(plain)
        if self.channel is not None and answer.result == acse.ACCEPTED:
            if answer.title != self.channel.peer_title:
                raise security.SecurityError("authentication", "another meter answered")
            acse.initiate_max_pdu(self.channel.open(answer.initiate))
        return answer

    def _opened(self, datagram: bytes) -> bytes | None:
        self.counters["received"] += 1
        try:
            source, destination, reply = wrapper.unpack(datagram)
            if (source, destination) != (METER_PORT, self._port):
                raise ValueError("not from this meter, or not for us")
            if self.channel is None or reply[:1] in (b"\x61", b"\x63", b"\xd8"):
                return reply
            return self.channel.open(reply)
        except security.SecurityError as refused:
            self.counters[refused.kind] += 1
        except ValueError:
            self.counters["malformed"] += 1
        return None

    def _reading(self, service: str, value: Value) -> Reading:
        if service == "register":
            return register_reading(value)
        return profile_reading(value, self.settings, self.day)

    def _pushed(self, items: tuple[Value, ...]) -> Reading:
        name = items[0].octets if items else b""
        if name == PUSH_REGISTER.octets and len(items) == 4:
            self._check_device(items[2])
            return register_reading(items[3])
        if name == PUSH_PROFILE.octets and len(items) == 3:
            self._check_device(items[1])
            return profile_reading(items[2], self.settings)
        raise ValueError("a push of unknown kind")

    def _check_device(self, name: Value) -> None:
        if self.channel is not None and name.octets != self.channel.peer_title:
            raise ValueError("the push names another meter")

    def _challenge(self) -> bytes:
        assert self.channel is not None or not self.settings.ciphered
        key = self.channel.keys.authentication if self.channel else b""
        counter = self.channel.next_counter if self.channel else 0
        return hashlib.blake2b(
            counter.to_bytes(4, "big"), key=key, digest_size=CHALLENGE_BYTES, person=b"ctos"
        ).digest()

    def _next_invoke(self) -> int:
        self._invoke = self._invoke % 15 + 1
        return 0xC0 | self._invoke


def read_all(server: MeterServer, head_end: HeadEnd, service: str) -> Reading:
    """One service read with nothing but a perfect wire between head end and meter; raises as `HeadEnd.read`."""
    return converse(server, head_end, service)[0]


def converse(server: MeterServer, head_end: HeadEnd, service: str) -> tuple[Reading, list[tuple[bytes, bytes | None]]]:
    """As `read_all`, with the datagrams that went: (request, response or None) in order."""
    session, said = head_end.read(service), []
    request = next(session)
    while True:
        response = server.handle(request)
        said.append((request, response))
        try:
            request = session.send(response)
        except StopIteration as done:
            return done.value, said


def _is_association(reply: object) -> bool:
    return isinstance(reply, acse.Association) and reply.result == acse.ACCEPTED


def _is_action(reply: object) -> bool:
    return isinstance(reply, apdu.ActionResponse)


def _fits(reply: object, invoke: int, block: int) -> bool:
    """Whether a reply belongs to our GET and, in a block transfer, is the block we wait for."""
    if isinstance(reply, apdu.GetResponseBlock):
        refused = not isinstance(reply.result, bytes)
        return reply.invoke == invoke and (reply.block == block or refused)
    return isinstance(reply, apdu.GetResponse) and reply.invoke == invoke
