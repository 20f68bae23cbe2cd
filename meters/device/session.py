"""One client's association with a meter: how it is opened, what it agreed on, how it ends.

Who asks in vain is told so where the request could be read: a wrong context, mechanism, title or password is rejected
with its diagnostic. What cannot be deciphered, was replayed or lacks its protection is met with silence.

References
----------
IEC 62056-5-3:2017; HLS mechanism 5 after DLMS UA 1000-2 ed. 8.1, 9.2.7.4.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ..dlms import acse, apdu, axdr, blocks, security
from ..dlms.acse import Association, Conformance, Diagnostic
from ..dlms.apdu import ActionRequest, ActionResponse, ActionResult, Apdu, ExceptionResponse, Method
from ..dlms.obis import ASSOCIATION
from ..dlms.security import Channel, Keys
from ..settings import ServiceSettings
from .answers import Access, Answers, is_confirmed, largest_plain_bytes
from .meter import Device
from .rights import Role
from .state import AssociationStatus, EventCode, Negotiated

CHALLENGE_BYTES = 16
LEAST_PDU_BYTES = 64
"""A client that takes less cannot be answered; confidence C."""
LONGEST_REQUEST_BYTES = 65_535
"""Longest request, whole or out of blocks; the wrapper carries no longer one."""
PASS_3 = Method(15, ASSOCIATION, 1)
"""Reply to the challenge: method 1 of the current association."""
NOT_ASSOCIATED = ExceptionResponse(apdu.SERVICE_NOT_ALLOWED, apdu.OPERATION_NOT_POSSIBLE)


class Malformed(Exception):
    """Bytes that are no request; any other exception while answering is a fault of ours."""


@contextmanager
def _reading() -> Iterator[None]:
    """What is wrong with received bytes is the sender's fault: `Malformed`, or a SecurityError as it is."""
    try:
        yield
    except security.SecurityError:
        raise
    except ValueError as wrong:
        raise Malformed(str(wrong)) from wrong


@dataclass(frozen=True)
class RoleSecrets:
    """What a meter and its head end share.

    keys : global unicast encryption key and authentication key, one pair for all roles; None without a suite
    client_title : system title of the head end, 8 bytes, one for all roles
    password : of low level security
    master_key : wraps new keys (RFC 3394); empty where keys cannot be changed
    """

    keys: Keys | None = None
    client_title: bytes = b""
    password: bytes = field(default=b"", repr=False)
    master_key: bytes = field(default=b"", repr=False)


class Session:
    """The association of one role, before, while and after it is open.

    Parameters
    ----------
    device, access, counters
        The meter, its objects as this role may use them, and what the meter counts.
    secrets, channel
        What is shared with the client; ``channel`` is None for a role without a suite.
    """

    def __init__(
        self, device: Device, access: Access, secrets: RoleSecrets, channel: Channel | None, settings: ServiceSettings
    ) -> None:
        self.device, self.secrets, self.channel, self.settings = device, secrets, channel, settings
        self.role: Role = access.role
        self.counters: Counter[str] = access.counters
        self.password = secrets.password
        self.answers = Answers(access, LONGEST_REQUEST_BYTES)
        general = Conformance.GENERAL_BLOCK_TRANSFER if settings.block_transfer == "general" else Conformance(0)
        self.offered = acse.OFFERED | general
        self.n_opened = 0
        self._outgoing: list[blocks.GeneralBlock] = []
        self._said: list[bytes] = []
        self.close()

    def close(self) -> None:
        """Back to the state before the first request; a pre-established association stays open."""
        standing = self.settings.association == "pre_established"
        self._challenges = (b"", b"")
        if self.channel is not None:
            self.channel.use_dedicated(None)
        self._agree(self.offered, 0, AssociationStatus.ASSOCIATED if standing else AssociationStatus.NON_ASSOCIATED)

    def receive(self, request: bytes, at_once: int) -> list[bytes]:
        """APDUs that answer one APDU, at most ``at_once`` of them; none where the client wants none.

        Raises SecurityError for what must not be believed, Malformed for what is no request.
        """
        if request[:1] == bytes([blocks.TAG]):
            with _reading():
                block = blocks.decode(request)
            return self._receive_block(block, at_once)
        general = bool(self.conformance & Conformance.GENERAL_BLOCK_TRANSFER)
        answer = self._answer(request, general=general)
        self._outgoing = []
        if not answer:
            return []
        return self._cut(answer, min(self.settings.general_window, at_once)) if general else [answer]

    def _answer(self, request: bytes, *, general: bool) -> bytes:
        """The answer to one whole APDU, protected; of any length where it can go out in ``general`` blocks.

        Empty where the client wants none: a SET or ACTION that is not to be confirmed, an association for sending only.
        """
        if request[:1] in (b"\x60", b"\x62"):
            return self._associate(request) if request[0] == 0x60 else self._release(request)
        with _reading():
            asked = apdu.decode(self._deciphered(request))
        plain = self._carried_out(asked, None if general else self._longest_bytes())
        return self._protected(plain) if is_confirmed(asked) else b""

    def _carried_out(self, asked: Apdu, longest_bytes: int | None) -> bytes:
        if self._challenges[1] and isinstance(asked, ActionRequest) and asked.method == PASS_3:
            return apdu.encode(self._authenticate(asked))
        if self.status is not AssociationStatus.ASSOCIATED:
            self.counters["not_associated"] += 1
            return apdu.encode(NOT_ASSOCIATED)
        return self.answers.answer(asked, longest_bytes)

    # -- opening -------------------------------------------------------------------------------------------------

    def _associate(self, request: bytes) -> bytes:
        with _reading():
            asked = acse.decode(request)
        refusal = self._refusal(asked)
        if refusal is not None:
            return self._rejected(refusal, acse.REFUSED_BY_HANDLER)
        with _reading():
            plain = self._deciphered(asked.initiate)
            if self.channel is not None and self.channel.last_form.endswith("ded"):
                raise ValueError("a dedicated key opens no association: use the global key")
            try:
                initiate = acse.decode_initiate(plain)
            except acse.VersionError:
                return self._rejected(Diagnostic.NO_REASON, acse.DLMS_VERSION_TOO_LOW)
            if initiate.response:
                raise ValueError("an initiate response opens no association: send a request")
        if 0 < initiate.max_pdu_bytes < LEAST_PDU_BYTES:
            return self._rejected(Diagnostic.NO_REASON, acse.PDU_SIZE_TOO_SHORT)
        if not initiate.conformance & self.offered:
            return self._rejected(Diagnostic.NO_REASON, acse.INCOMPATIBLE_CONFORMANCE)
        if self.channel is not None:
            with _reading():
                self.channel.use_dedicated(initiate.dedicated_key or None)
        proven = self.channel is None
        status = AssociationStatus.ASSOCIATED if proven else AssociationStatus.PENDING
        self._agree(initiate.conformance & self.offered, initiate.max_pdu_bytes, status)
        self.n_opened += 1
        return self._accepted(asked) if initiate.response_allowed else b""

    def _refusal(self, asked: Association) -> Diagnostic | None:
        context, mechanism = self._demanded()
        if asked.context != context:
            return Diagnostic.APPLICATION_CONTEXT_NAME_NOT_SUPPORTED
        if asked.mechanism != mechanism:
            named = asked.mechanism != acse.MECHANISM_NONE
            known = Diagnostic.AUTHENTICATION_MECHANISM_NAME_NOT_RECOGNISED
            return known if named else Diagnostic.AUTHENTICATION_MECHANISM_NAME_REQUIRED
        if mechanism == acse.MECHANISM_LLS and not security.same_secret(self.password, asked.challenge):
            return Diagnostic.AUTHENTICATION_FAILURE
        if self.channel is not None and asked.title != self.channel.peer_title:
            return Diagnostic.CALLING_AP_TITLE_NOT_RECOGNISED
        if self.channel is not None and not 8 <= len(asked.challenge) <= 64:
            return Diagnostic.AUTHENTICATION_FAILURE
        return None

    def _demanded(self) -> tuple[int, int]:
        """Application context and mechanism that this role must name."""
        if self.channel is not None:
            return acse.CONTEXT_CIPHERED, acse.MECHANISM_HLS_GMAC
        lls = self.settings.security == "lls" and self.role is not Role.PUBLIC
        return acse.CONTEXT_PLAIN, acse.MECHANISM_LLS if lls else acse.MECHANISM_NONE

    def _rejected(self, why: Diagnostic, error: bytes) -> bytes:
        self.counters["authentication"] += 1
        if why is Diagnostic.AUTHENTICATION_FAILURE:
            self.device.log(EventCode.AUTHENTICATION_FAILED)
        context, _ = self._demanded()
        return acse.encode(Association(context, error, result=acse.REJECTED, diagnostic=why))

    def _accepted(self, asked: Association) -> bytes:
        initiate = acse.initiate_response(self.settings.max_pdu_bytes, self.conformance)
        if self.channel is None:
            return acse.encode(Association(acse.CONTEXT_PLAIN, initiate, result=acse.ACCEPTED))
        # Unpredictable without the key, and never the same twice, since the counter never is.
        counter = self.channel.take_counter().to_bytes(4, "big")
        mine = hashlib.blake2b(counter, key=self.channel.keys.authentication, digest_size=CHALLENGE_BYTES).digest()
        self._challenges = (asked.challenge, mine)
        return acse.encode(
            Association(
                acse.CONTEXT_CIPHERED,
                self.channel.seal_as(self.channel.last_form, initiate),
                acse.MECHANISM_HLS_GMAC,
                self.channel.own_title,
                mine,
                acse.ACCEPTED,
                Diagnostic.AUTHENTICATION_REQUIRED,
            )
        )

    def _authenticate(self, request: ActionRequest) -> ActionResponse:
        """Passes 3 and 4: the client answers our challenge, we answer theirs; again, where our answer was lost.

        A wrong answer ends the association.
        """
        assert self.channel is not None
        theirs, mine = self._challenges
        proof = request.parameters.content if request.parameters is not None else None
        if theirs == mine or not isinstance(proof, bytes) or not self.channel.proves(mine, proof):
            self._challenges = (b"", b"")
            self._set_status(AssociationStatus.NON_ASSOCIATED)
            self.counters["authentication"] += 1
            self.device.log(EventCode.AUTHENTICATION_FAILED)
            return ActionResponse(ActionResult.OTHER_REASON, None, request.invoke)
        self._set_status(AssociationStatus.ASSOCIATED)
        return ActionResponse(ActionResult.SUCCESS, axdr.octets(self.channel.prove(theirs)), request.invoke)

    def _agree(self, conformance: Conformance, client_max_bytes: int, status: AssociationStatus) -> None:
        own = self.settings.max_pdu_bytes
        self.conformance, self.limit_bytes = conformance, min(own, client_max_bytes or own)
        self._outgoing, self._said, self._incoming = [], [], blocks.Assembly(LONGEST_REQUEST_BYTES)
        self.answers.drop()
        context, mechanism = self._demanded()
        bits = int(conformance).to_bytes(3, "big")
        self.device.state.negotiated[self.role] = Negotiated(bits, own, self.limit_bytes, mechanism, context)
        self._set_status(status)

    def _set_status(self, status: AssociationStatus) -> None:
        self.status = self.device.state.status[self.role] = status

    def _release(self, request: bytes) -> bytes:
        """The answer is ciphered where the request was, then the association is closed."""
        information = b""
        with _reading():
            asked = acse.decode_release(request)
            if asked.information and self.channel is not None:
                self._deciphered(asked.information)
        if asked.information and self.channel is not None:
            initiate = acse.initiate_response(self.settings.max_pdu_bytes, self.conformance)
            information = self.channel.seal_as(self.channel.last_form, initiate)
        self.close()
        return acse.encode_release(acse.Release(response=True, information=information))

    # -- protection ----------------------------------------------------------------------------------------------

    def _deciphered(self, sealed: bytes) -> bytes:
        if self.channel is None:
            return sealed
        plain = self.channel.open(sealed)
        self.device.state.last_seen[self.role] = self.channel.last_seen
        return plain

    def _protected(self, plain: bytes) -> bytes:
        """Ciphered in the form in which the request came; an exception-response stays readable for everybody."""
        if self.channel is None or plain[0] not in security.GLO_TAGS:
            return plain
        return self.channel.seal_as(self.channel.last_form, plain)

    def _longest_bytes(self) -> int:
        if self.channel is None:
            return self.limit_bytes
        general = self.channel.last_form.startswith("general")
        return largest_plain_bytes(self.limit_bytes, general, self.channel.protection)

    # -- general block transfer ----------------------------------------------------------------------------------

    def _receive_block(self, block: blocks.GeneralBlock, at_once: int) -> list[bytes]:
        window = min(max(block.window, 1), at_once)
        if not self.conformance & Conformance.GENERAL_BLOCK_TRANSFER:
            raise Malformed("general blocks were not agreed on: offer them in the association")
        if not block.content:
            return self._window(block.acknowledged, window)
        if block.block == 1:
            self._incoming, self._outgoing, self._said = blocks.Assembly(LONGEST_REQUEST_BYTES), [], []
        with _reading():
            request = self._incoming.add(block)
        if request is not None:
            answer = self._answer(request, general=True)
            self._said = self._cut(answer, window, block.block) if answer else []
            return self._said
        number, own = self._incoming.acknowledged, self.settings.general_window
        if self._incoming.complete and block.block == number:
            return self._said
        return [] if block.streaming else [blocks.encode(blocks.acknowledgement(number, number, own))]

    def _cut(self, answer: bytes, window: int, acknowledged: int = 0) -> list[bytes]:
        """The answer in blocks where it is too long; an association's never is, since blocks come after it."""
        if len(answer) <= self.limit_bytes or answer[:1] == b"\x61":
            return [answer]
        self._outgoing = blocks.cut(answer, self.limit_bytes, window, acknowledged=acknowledged)
        return self._window(0, window)

    def _window(self, acknowledged: int, window: int) -> list[bytes]:
        """The blocks after the one that arrived; asking again for the same ones gives them again."""
        return [blocks.encode(block) for block in blocks.window_after(self._outgoing, acknowledged, window)]
