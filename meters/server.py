"""A meter that answers: one meter's state behind real DLMS bytes.

Whatever arrives, `MeterServer.handle` never raises: bytes that are damaged, replayed or unauthentic are counted and
met with silence or an exception-response.

References
----------
IEC 62056-5-3:2017; HLS mechanism 5 after DLMS UA 1000-2 ed. 8.1, 9.2.7.4.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable

from . import push
from .dlms import acse, apdu, axdr, security, wrapper
from .dlms.apdu import DataAccess, DataNotification, ExceptionResponse, GetResponse, GetResponseBlock
from .dlms.axdr import Value
from .dlms.obis import ASSOCIATION, CLOCK, IMPORT_ACTIVE, LOAD_PROFILE
from .dlms.security import Channel, SecurityError
from .objects import AccessError, Clock, CosemObject, ProfileGeneric, Register
from .settings import ServiceSettings

METER_PORT = 1
READER_PORT, PUBLIC_PORT = 1, 16
CHALLENGE_BYTES = 16
_AUTHENTICATION_FAILURE = 13


class MeterServer:
    """One meter: its objects, its keys, its association, its counters.

    Parameters
    ----------
    objects
        What may be read; must hold what a pushed service needs.
    title
        System title, 8 bytes; also the device name in pushes.
    channel
        Keys and counters towards the head end; None where the settings ask for no security.

    Attributes
    ----------
    counters
        What came in and what became of it: received, answered, malformed, misaddressed, authentication, replay,
        unprotected, not_associated, denied.
    """

    def __init__(
        self, objects: Iterable[CosemObject], title: bytes, channel: Channel | None, settings: ServiceSettings
    ) -> None:
        if settings.ciphered and channel is None:
            raise ValueError("security suite_0 needs keys: pass a channel or set security to none")
        self.objects = {(item.class_id, item.obis): item for item in objects}
        self.title = title
        self.channel = channel if settings.ciphered else None
        self.settings = settings
        self.counters: Counter[str] = Counter()
        self._open = settings.association == "pre_established"
        self._limit_bytes = settings.max_pdu_bytes
        self._challenges = (b"", b"")
        self._pending: list[bytes] = []
        self._n_pushed = 0

    @property
    def client_port(self) -> int:
        """Wrapper port of the client that this meter serves."""
        return READER_PORT if self.channel else PUBLIC_PORT

    def handle(self, datagram: bytes) -> bytes | None:
        """The answer to one wrapped APDU, wrapped; None for silence. Never raises."""
        self.counters["received"] += 1
        try:
            source, destination, request = wrapper.unpack(datagram)
        except ValueError:
            self.counters["malformed"] += 1
            return None
        if (source, destination) != (self.client_port, METER_PORT):
            self.counters["misaddressed"] += 1
            return None
        answer = self.answer(request)
        if answer is None:
            return None
        self.counters["answered"] += 1
        return wrapper.pack(destination, source, answer)

    def answer(self, request: bytes) -> bytes | None:
        """The answer to one APDU without framing; None for silence. Never raises."""
        try:
            return self._answer(request)
        except SecurityError as refused:
            self.counters[refused.kind] += 1
            return None
        except ValueError:
            self.counters["malformed"] += 1
            return apdu.encode(ExceptionResponse(apdu.SERVICE_UNKNOWN, apdu.OTHER_REASON))

    def push(self, service: str) -> list[bytes]:
        """A service's data as wrapped DataNotifications, each at most ``max_pdu_bytes`` long before the wrapper.

        Raises ValueError for a service that is neither ``register`` nor ``profile``.
        """
        sent = []
        for body in self._push_bodies(service):
            self._n_pushed += 1
            notification = DataNotification(self._n_pushed % 2**24, body)
            sent.append(wrapper.pack(METER_PORT, self.client_port, self._seal_push(notification)))
        return sent

    def _push_bodies(self, service: str) -> list[Value]:
        if service == "register":
            register, now = self.objects[Register.class_id, IMPORT_ACTIVE], self.objects[Clock.class_id, CLOCK]
            values = [item.attribute(2, 0, axdr.NULL) for item in (now, register)]
            return [push.register_body(self.title, *values)]
        if service == "profile":
            profile = self.objects[ProfileGeneric.class_id, LOAD_PROFILE]
            limit = self.settings.max_pdu_bytes
            return push.profile_bodies(profile, self.title, limit, ciphered=self.channel is not None)
        raise ValueError(f"service {service!r} cannot be pushed: use register or profile")

    # -- association ---------------------------------------------------------------------------------------------

    def _answer(self, request: bytes) -> bytes | None:
        tag = axdr.take(request, 0, 1)[0]
        if tag == 0x60:
            return self._associate(acse.decode(request))
        if tag == 0x62:
            return self._release(request)
        plain = request if self.channel is None else self.channel.open(request)
        response = apdu.encode(self._dispatch(apdu.decode(plain)))
        if self.channel is None or response[0] not in security.GLO_TAGS:
            return response
        return self.channel.seal(response)

    def _associate(self, asked: acse.Association) -> bytes:
        if self.channel is None:
            fits = asked.mechanism == acse.MECHANISM_NONE and asked.context == acse.CONTEXT_PLAIN
            return self._accept_public(asked) if fits else self._reject()
        fits = asked.mechanism == acse.MECHANISM_HLS_GMAC and asked.context == acse.CONTEXT_CIPHERED
        if not fits or asked.title != self.channel.peer_title or not 8 <= len(asked.challenge) <= 64:
            return self._reject()
        self._negotiate(self.channel.open(asked.initiate))
        self._open, self._pending = False, []
        counter = self.channel.next_counter.to_bytes(4, "big")
        mine = hashlib.blake2b(counter, key=self.channel.keys.authentication, digest_size=CHALLENGE_BYTES).digest()
        self._challenges = (asked.challenge, mine)
        sealed = self.channel.seal(acse.initiate_response(self.settings.max_pdu_bytes))
        answer = acse.Association(
            acse.CONTEXT_CIPHERED,
            sealed,
            acse.MECHANISM_HLS_GMAC,
            self.title,
            mine,
            acse.ACCEPTED,
            acse.AUTHENTICATION_REQUIRED,
        )
        return acse.encode(answer)

    def _accept_public(self, asked: acse.Association) -> bytes:
        self._negotiate(asked.initiate)
        self._open, self._pending = True, []
        initiate = acse.initiate_response(self.settings.max_pdu_bytes)
        return acse.encode(acse.Association(acse.CONTEXT_PLAIN, initiate, result=acse.ACCEPTED))

    def _reject(self) -> bytes:
        self.counters["authentication"] += 1
        context = acse.CONTEXT_CIPHERED if self.channel else acse.CONTEXT_PLAIN
        refused = acse.Association(
            context, b"\x0e\x01\x06\x02", result=acse.REJECTED, diagnostic=acse.AUTHENTICATION_FAILED
        )
        return acse.encode(refused)

    def _negotiate(self, initiate: bytes) -> None:
        offered = acse.initiate_max_pdu(initiate)
        if offered and offered < 64:
            raise ValueError(f"a client that takes {offered} bytes only cannot be answered")
        self._limit_bytes = min(self.settings.max_pdu_bytes, offered or 65535)

    def _release(self, request: bytes) -> bytes:
        if request != acse.RELEASE_REQUEST:
            raise ValueError("only the plain release request is supported")
        self._open = self.settings.association == "pre_established"
        self._challenges = (b"", b"")
        return acse.RELEASE_RESPONSE

    def _authenticate(self, request: apdu.ActionRequest) -> apdu.ActionResponse:
        """Passes 3 and 4: the client answers our challenge, we answer theirs."""
        theirs, mine = self._challenges
        answer = request.parameters.octets
        if self.channel is None or not mine or len(answer) != 17:
            raise ValueError("no challenge is open, or its answer does not have 17 bytes")
        counter = int.from_bytes(answer[1:5], "big")
        if answer != security.gmac(mine, self.channel.keys, self.channel.peer_title, counter):
            self._open = False
            self.counters["authentication"] += 1
            return apdu.ActionResponse(_AUTHENTICATION_FAILURE, None, request.invoke)
        self._open = True
        proof = security.gmac(theirs, self.channel.keys, self.title, self.channel.take_counter())
        return apdu.ActionResponse(0, axdr.octets(proof), request.invoke)

    # -- services ------------------------------------------------------------------------------------------------

    def _dispatch(self, request: apdu.Apdu) -> apdu.Apdu:
        if isinstance(request, apdu.ActionRequest) and _is_pass_3(request):
            return self._authenticate(request)
        if not self._open:
            self.counters["not_associated"] += 1
            return ExceptionResponse(apdu.SERVICE_NOT_ALLOWED, apdu.OPERATION_NOT_POSSIBLE)
        match request:
            case apdu.GetRequest():
                return self._get(request)
            case apdu.GetRequestNext():
                return self._next_block(request)
            case _:
                return ExceptionResponse(apdu.SERVICE_UNKNOWN, apdu.SERVICE_NOT_SUPPORTED)

    def _get(self, request: apdu.GetRequest) -> apdu.Apdu:
        self._pending = []
        try:
            value = self._value(request)
        except AccessError as denied:
            self.counters["denied"] += 1
            return GetResponse(denied.result, request.invoke)
        whole = GetResponse(value, request.invoke)
        if self._sealed_bytes(len(apdu.encode(whole))) <= self._limit_bytes:
            return whole
        self._pending = apdu.split(axdr.encode(value), largest_block_bytes(self._limit_bytes, self.channel is not None))
        return self._block(1, request.invoke)

    def _value(self, request: apdu.GetRequest) -> Value:
        found = self.objects.get((request.class_id, request.obis))
        if found is None:
            raise AccessError(DataAccess.OBJECT_UNDEFINED)
        return found.attribute(request.attribute, request.selector, request.parameters)

    def _next_block(self, request: apdu.GetRequestNext) -> apdu.Apdu:
        """The block after the one that arrived; asking again for the same one gives it again."""
        if not self._pending:
            return GetResponseBlock(True, request.block, DataAccess.NO_LONG_GET_IN_PROGRESS, request.invoke)
        if not 1 <= request.block < len(self._pending):
            return GetResponseBlock(True, request.block, DataAccess.DATA_BLOCK_NUMBER_INVALID, request.invoke)
        return self._block(request.block + 1, request.invoke)

    def _block(self, number: int, invoke: int) -> GetResponseBlock:
        return GetResponseBlock(number == len(self._pending), number, self._pending[number - 1], invoke)

    def _sealed_bytes(self, n_plain: int) -> int:
        return n_plain if self.channel is None else security.sealed_bytes(n_plain)

    def _seal_push(self, notification: DataNotification) -> bytes:
        plain = apdu.encode(notification)
        return plain if self.channel is None else self.channel.seal_general(plain)


def _is_pass_3(request: apdu.ActionRequest) -> bool:
    """Method 1, reply to the challenge, of the current association (class 15)."""
    return (request.class_id, request.obis, request.method) == (15, ASSOCIATION, 1)


def largest_block_bytes(max_pdu_bytes: int, ciphered: bool) -> int:
    """Most data that one GET-response block may carry so that its APDU, ciphered or not, keeps to the limit.

    >>> largest_block_bytes(512, True)
    479
    """
    for n_data in range(max_pdu_bytes, 0, -1):
        n_plain = apdu.block_bytes(n_data)
        if (security.sealed_bytes(n_plain) if ciphered else n_plain) <= max_pdu_bytes:
            return n_data
    raise ValueError(f"max_pdu_bytes = {max_pdu_bytes} is too short for a block: raise it")
