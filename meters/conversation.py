"""One association as the head end leads it: opened, asked, answered in blocks, repeated, released.

Everything is a generator over a `Line`: it yields the bytes of a turn and takes those that came back, or None.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from .device.session import CHALLENGE_BYTES
from .dlms import acse, apdu, axdr, blocks, security
from .dlms.acse import Association
from .dlms.apdu import ActionRequest, ActionResponse, ActionResult, Apdu, Attribute, DataAccess, Method
from .dlms.axdr import Value
from .dlms.hdlc_link import LinkLost
from .dlms.obis import ASSOCIATION
from .dlms.security import Channel
from .lines import Line, Turns
from .settings import ServiceSettings

Reply = Apdu | Association
LONGEST_ANSWER_BYTES = 2**20
"""Blocks that make more than this are given up."""


class ExchangeFailed(Exception):
    """A service that could not be finished: no believable answer within the tries, or access refused."""


class Conversation:
    """One client's association with one meter.

    Parameters
    ----------
    line
        The way to the meter.
    channel
        Keys and counters towards the meter; None where this client has no suite.
    password
        For low level security; empty for none.
    counters
        authentication, replay, unprotected, malformed, exceptions, rejected.
    """

    def __init__(
        self, line: Line, channel: Channel | None, password: bytes, settings: ServiceSettings, counters: Counter[str]
    ) -> None:
        self.line, self.channel, self.password = line, channel, password
        self.settings, self.counters = settings, counters
        self._invoke = 0

    # -- the association -----------------------------------------------------------------------------------------

    def open(self) -> Turns[None]:
        """Set up the line and the association; ExchangeFailed where the meter refuses or cannot prove itself."""
        yield from self._linked(self.line.connect())
        challenge = self._challenge()
        answer = yield from self._ask(lambda: self._association_request(challenge), _is_accepted)
        if self.channel is not None and answer.challenge == challenge:
            raise ExchangeFailed("the meter sent our own challenge back: somebody reflects what we say")
        if self.channel is None:
            return
        pass_3 = Method(15, ASSOCIATION, 1)
        with _counting():
            proof = self.channel.prove(answer.challenge)
        result, returned = yield from self.action(pass_3, axdr.octets(proof))
        if result or not isinstance(returned, Value) or not self._is_meter(returned.content, challenge):
            raise ExchangeFailed("authentication failed in pass 3 or 4: check the keys")

    def close(self) -> Turns[None]:
        """Release in one attempt: the data are there already, and a meter closes idle associations by itself."""
        try:
            yield from self.line.exchange(acse.RELEASE_REQUEST)
        except LinkLost:
            return
        yield from self.line.disconnect()

    def _association_request(self, challenge: bytes) -> bytes:
        general = self.settings.block_transfer == "general"
        offered = acse.OFFERED | (acse.Conformance.GENERAL_BLOCK_TRANSFER if general else acse.Conformance(0))
        initiate = acse.initiate_request(self.settings.max_pdu_bytes, offered)
        if self.channel is None:
            mechanism = acse.MECHANISM_LLS if self.password else acse.MECHANISM_NONE
            return acse.encode(Association(acse.CONTEXT_PLAIN, initiate, mechanism, challenge=self.password))
        sealed, title = self.channel.seal_as(self.settings.ciphering, initiate), self.channel.own_title
        return acse.encode(Association(acse.CONTEXT_CIPHERED, sealed, acse.MECHANISM_HLS_GMAC, title, challenge))

    def _is_meter(self, proof: object, challenge: bytes) -> bool:
        return self.channel is not None and isinstance(proof, bytes) and self.channel.proves(challenge, proof)

    def _challenge(self) -> bytes:
        key = self.channel.keys.authentication if self.channel else b""
        counter = self.channel.next_counter if self.channel else 0
        return hashlib.blake2b(
            counter.to_bytes(8, "big"), key=key, digest_size=CHALLENGE_BYTES, person=b"ctos"
        ).digest()

    # -- services ------------------------------------------------------------------------------------------------

    def get(self, attribute: Attribute) -> Turns[Value]:
        """One attribute, in blocks where it is long; ExchangeFailed where it is refused."""
        invoke = self._next_invoke()
        asked: Apdu = apdu.GetRequest(attribute, invoke)
        raw, block = bytearray(), 0
        while True:
            answer = yield from self._ask(partial(apdu.encode, asked), partial(_fits, invoke=invoke, block=block + 1))
            if isinstance(answer, apdu.GetResponse) and isinstance(answer.result, Value) and not block:
                return answer.result
            if not isinstance(answer, apdu.GetResponseBlock) or not isinstance(answer.result, bytes):
                raise ExchangeFailed(f"{attribute.obis} attribute {attribute.number} was refused: {answer}")
            raw += answer.result
            block = answer.block
            if len(raw) > LONGEST_ANSWER_BYTES or not (answer.result or answer.last):
                raise ExchangeFailed(f"{attribute.obis} attribute {attribute.number} has no end: {len(raw)} bytes")
            if answer.last:
                return _assembled(bytes(raw))
            asked = apdu.GetRequestNext(block, invoke)

    def set(self, attribute: Attribute, value: Value) -> Turns[None]:
        """Write one attribute; ExchangeFailed where it is refused."""
        request = apdu.SetRequest(attribute, value, self._next_invoke())
        fits = partial(_answers, kind=apdu.SetResponse, invoke=request.invoke)
        answer = yield from self._ask(partial(apdu.encode, request), fits)
        if answer.result is not DataAccess.SUCCESS:
            raise ExchangeFailed(f"{attribute.obis} attribute {attribute.number} was not set: {answer.result.name}")

    def action(self, method: Method, parameters: Value | None) -> Turns[tuple[ActionResult, Value | DataAccess | None]]:
        """Invoke one method; its result and what it returned."""
        request = ActionRequest(method, parameters, self._next_invoke())
        fits = partial(_answers, kind=ActionResponse, invoke=request.invoke)
        answer = yield from self._ask(partial(apdu.encode, request), fits)
        return answer.result, answer.returned

    # -- asking --------------------------------------------------------------------------------------------------

    def _ask(self, build: Callable[[], bytes], fits: Callable[[Any], bool]) -> Turns[Any]:
        """Every repetition is built and ciphered anew, since a meter refuses a counter it has seen."""
        last = "silence"
        for _ in range(self.settings.tries):
            with _counting():
                request = self._protected(build())
            answer = yield from self._linked(self._exchange(request))
            reply = self._decoded(answer)
            if reply is not None and fits(reply):
                return reply
            last = self._count_refusal(reply)
        raise ExchangeFailed(f"no believable answer in {self.settings.tries} tries, the last: {last}")

    def _linked(self, turns: Turns[Any]) -> Turns[Any]:
        try:
            return (yield from turns)
        except LinkLost as lost:
            raise ExchangeFailed(f"the link was lost: {lost}") from lost

    def _protected(self, plain: bytes) -> bytes:
        if self.channel is None or plain[0] not in security.GLO_TAGS:
            return plain
        return self.channel.seal_as(self.settings.ciphering, plain)

    def _exchange(self, request: bytes) -> Turns[bytes | None]:
        """The APDU that answers, put together where it comes in general blocks."""
        came = yield from self.line.exchange(request)
        if not came or came[0][:1] != bytes([blocks.TAG]):
            return came[0] if came else None
        assembly, n_idle, number = blocks.Assembly(LONGEST_ANSWER_BYTES), 0, 1
        while n_idle < self.settings.tries:
            before = assembly.n_bytes
            whole = self._added(assembly, came)
            if whole is not None:
                return whole
            n_idle = 0 if assembly.n_bytes > before else n_idle + 1
            number = number % blocks.MAX_BLOCKS + 1
            window = self.settings.general_window
            ready = blocks.acknowledgement(assembly.acknowledged, number, window)
            came = yield from self.line.exchange(blocks.encode(ready))
        return None

    def _added(self, assembly: blocks.Assembly, came: list[bytes]) -> bytes | None:
        for one in came:
            try:
                block = blocks.decode(one)
            except ValueError:
                self.counters["malformed"] += 1
                continue
            whole = _added(assembly, block)
            if whole is not None:
                return whole
        return None

    def _count_refusal(self, reply: Reply | None) -> str:
        """A refusal may come from a damaged request, so it is counted and the request repeated."""
        if isinstance(reply, apdu.ExceptionResponse):
            self.counters["exceptions"] += 1
            return f"exception {reply.state_error}, {reply.service_error}"
        if isinstance(reply, Association):
            self.counters["rejected"] += 1
            return f"association rejected, diagnostic {reply.diagnostic}"
        return "silence or damaged bytes" if reply is None else "an answer to another request"

    # -- what came back ------------------------------------------------------------------------------------------

    def _decoded(self, answer: bytes | None) -> Reply | None:
        if answer is None:
            return None
        try:
            if answer[:1] == b"\x61":
                return self._association(answer)
            plain = answer if self.channel is None or answer[:1] == b"\xd8" else self.channel.open(answer)
            return apdu.decode(plain)
        except security.SecurityError as refused:
            self.counters[refused.kind] += 1
        except ValueError:
            self.counters["malformed"] += 1
        return None

    def _association(self, answer: bytes) -> Association:
        given = acse.decode(answer)
        if given.result == acse.ACCEPTED:
            if self.channel is not None and given.title != self.channel.peer_title:
                raise security.SecurityError("authentication", "another meter answered")
            if self.channel is not None and not 8 <= len(given.challenge) <= 64:
                raise ValueError(f"a challenge of {len(given.challenge)} bytes: 8 to 64 are needed")
            initiate = given.initiate if self.channel is None else self.channel.open(given.initiate)
            acse.decode_initiate(initiate)
        return given

    def _next_invoke(self) -> int:
        self._invoke = self._invoke % 15 + 1
        return 0xC0 | self._invoke


@contextmanager
def _counting() -> Iterator[None]:
    """Without counters nothing can be sealed or proven any more: an end of the exchange, not a fault of the program."""
    try:
        yield
    except ValueError as spent:
        raise ExchangeFailed(f"nothing can be sent: {spent}") from spent


def _added(assembly: blocks.Assembly, block: blocks.GeneralBlock) -> bytes | None:
    try:
        return assembly.add(block)
    except ValueError as endless:
        raise ExchangeFailed(f"the answer has no end: {endless}") from endless


def _assembled(raw: bytes) -> Value:
    try:
        return axdr.decode(raw)
    except ValueError as wrong:
        raise ExchangeFailed(f"the blocks do not make one value: {wrong}") from wrong


def _is_accepted(reply: object) -> bool:
    return isinstance(reply, Association) and reply.result == acse.ACCEPTED


def _answers(reply: Any, kind: type, invoke: int) -> bool:
    return isinstance(reply, kind) and bool(reply.invoke == invoke)  # type: ignore[attr-defined]


def _fits(reply: object, invoke: int, block: int) -> bool:
    """Whether a reply belongs to our GET and, in a block transfer, is the block we wait for."""
    if isinstance(reply, apdu.GetResponseBlock):
        refused = not isinstance(reply.result, bytes)
        return reply.invoke == invoke and (reply.block == block or refused)
    return isinstance(reply, apdu.GetResponse) and reply.invoke == invoke
