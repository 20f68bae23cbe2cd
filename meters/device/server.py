"""A meter that answers: one meter's state behind real DLMS bytes.

Whatever arrives, `MeterServer.respond` never raises. What it cannot read it counts and answers with an
exception-response; what it must not believe (an unprotected, unauthentic or replayed APDU) it counts and passes over in
silence, as most meters do.

References
----------
IEC 62056-5-3:2017; IEC 62056-4-7:2015 (wrapper).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ..dlms import apdu, wrapper
from ..dlms.apdu import DataNotification, ExceptionResponse
from ..dlms.axdr import Value
from ..dlms.keywrap import unwrap
from ..dlms.obis import ASSOCIATION, Obis
from ..dlms.security import Channel, Keys, SecurityError
from ..push import push_bodies
from ..settings import ServiceSettings
from .answers import Access, largest_plain_bytes
from .base import CosemObject
from .catalogue import association_of, objects_of
from .meter import Device
from .ports import METER_SAP, DatagramPort, HdlcPort, LogicalDevice, link_of
from .rights import Role
from .session import LONGEST_REQUEST_BYTES, Malformed, RoleSecrets, Session

_UNREADABLE = apdu.encode(ExceptionResponse(apdu.SERVICE_UNKNOWN, apdu.OTHER_REASON))
_TOO_LONG = apdu.encode(ExceptionResponse(apdu.SERVICE_NOT_ALLOWED, apdu.PDU_TOO_LONG))
_ENCRYPTION_KEY, _AUTHENTICATION_KEY = 0, 2
"""Numbers of keys in a key transfer, IEC 62056-6-2:2021, class 64 method 2."""


@dataclass
class _Spent:
    """Counters that the meter has used: one row for all roles, because title and key are the same for all."""

    next_counter: int = 1


@dataclass
class RoleChannel(Channel):
    """A channel to one role; what is sent counts on for all of them, what was seen is kept for each."""

    spent: _Spent = field(default_factory=_Spent)

    def take_counter(self) -> int:
        """A counter value never used before towards any role; ValueError when all are spent."""
        self.next_counter = self.spent.next_counter
        counter = super().take_counter()
        self.spent.next_counter = self.next_counter
        return counter


class MeterServer:
    """One meter: its objects, its keys, an association for each of its clients, its counters.

    All roles share one pair of keys and one client title, as serve.json tells them; each role's invocation counter is
    followed on its own, so that clients that know nothing of each other can talk to one meter. The price: whoever may
    record one role's APDU may say it again in another role's open association.

    Parameters
    ----------
    device
        Title, history, clock, state; `objects_of` makes what can be read.
    secrets
        Keys, client title, password. ValueError where the settings ask for a suite and the keys do not fit it.
    settings
        How it is read; those of the device unless given.
    first_counter
        Invocation counter of the first APDU it ciphers, above all that the same title and keys have used before.

    Attributes
    ----------
    counters
        What came in and what became of it: received, answered, malformed, misaddressed, authentication, replay,
        unprotected, not_associated, denied, exhausted.
    """

    def __init__(
        self, device: Device, secrets: RoleSecrets, settings: ServiceSettings | None = None, *, first_counter: int = 1
    ) -> None:
        self.device, self.secrets = device, secrets
        self.settings = settings if settings is not None else device.settings
        suite = secrets.keys.suite if secrets.keys is not None else None
        if self.settings.ciphered and (suite != self.settings.suite or len(secrets.client_title) != 8):
            raise ValueError(
                f"security {self.settings.security} needs keys of that suite and a client title of 8 bytes"
            )
        self.counters: Counter[str] = Counter()
        self._spent = _Spent(first_counter)
        self._sessions: dict[Role, Session] = {}
        self._new_keys: dict[int, bytes] = {}
        self._n_pushed = 0
        device.state.new_secret = self._take_secret
        if self.settings.ciphered:
            device.state.client_title = secrets.client_title
        if self.settings.ciphered and secrets.master_key:
            device.state.key_transfer = self._take_keys

    @property
    def title(self) -> bytes:
        """System title, 8 bytes; also the device name in pushes."""
        return self.device.title

    @cached_property
    def objects(self) -> dict[tuple[int, Obis], CosemObject]:
        """All objects by class and logical name, whoever may use them."""
        return objects_of(self.device)

    def line(self) -> DatagramPort | HdlcPort:
        """The line to its own head end, in the framing of the settings; always the same one."""
        return self._line

    @cached_property
    def _line(self) -> DatagramPort | HdlcPort:
        if self.settings.framing == "wrapper":
            return DatagramPort(self._on_line)
        port = HdlcPort(self._on_line, self.settings.hdlc_max_info_bytes, self.settings.hdlc_window, datagrams=True)
        if self.settings.association == "pre_established":
            for role in Role:
                port.stand(link_of(self.settings, role.sap))
        return port

    def handle(self, datagram: bytes) -> bytes | None:
        """The answer to one wrapped APDU for server SAP 1, wrapped; None for silence. Never raises."""
        return DatagramPort(self._on_line).receive(datagram) or None

    def respond(self, client_sap: int, request: bytes) -> bytes | None:
        """The answer to one APDU without framing; None for silence. Never raises."""
        answers = self.responses(client_sap, request)
        return answers[0] if answers else None

    def responses(self, client_sap: int, request: bytes, at_once: int = 1) -> list[bytes]:
        """As `respond`; several general blocks of one window where the line takes that many at once."""
        self.counters["received"] += 1
        role = Role.of_sap(client_sap)
        if role is None:
            self.counters["misaddressed"] += 1
            return []
        answers = self._answers(self.session(role), request, at_once)
        self.counters["answered"] += bool(answers)
        return answers

    def closed(self, client_sap: int) -> None:
        """The line to a client is gone: its association ends, unless it is pre-established."""
        role = Role.of_sap(client_sap)
        if role in self._sessions:
            self._sessions[role].close()

    def n_opened(self, client_sap: int) -> int:
        """How often this client has opened an association."""
        role = Role.of_sap(client_sap)
        return self._sessions[role].n_opened if role in self._sessions else 0

    def session(self, role: Role) -> Session:
        """The association of a role."""
        if role not in self._sessions:
            seen = {**self.objects, (15, ASSOCIATION): association_of(self.device, role, self.objects)}
            access = Access(seen, role, self.counters)
            self._sessions[role] = Session(self.device, access, self.secrets, self._channel(role), self.settings)
        return self._sessions[role]

    def push(self, service: str) -> list[bytes]:
        """A service's data as wrapped DataNotifications, each at most ``max_pdu_bytes`` long before the wrapper.

        Raises ValueError for a service that cannot be pushed, and where one row of a profile is too long.
        """
        channel, longest = self.session(Role.READER).channel, self.settings.max_pdu_bytes
        if channel is not None:
            longest = largest_plain_bytes(longest, True, channel.protection)
        bodies = push_bodies(service, self.title, self.objects, self.settings, longest)
        return [wrapper.pack(METER_SAP, Role.READER.sap, self._notification(body, channel)) for body in bodies]

    # -- inside --------------------------------------------------------------------------------------------------

    def _on_line(self, server_sap: int) -> LogicalDevice | None:
        return self if server_sap == METER_SAP else None

    def _answers(self, session: Session, request: bytes, at_once: int) -> list[bytes]:
        if len(request) > LONGEST_REQUEST_BYTES:
            self.counters["malformed"] += 1
            return [_TOO_LONG]
        if self._spent.next_counter >= 2**32 - 4 and session.channel is not None:
            self.counters["exhausted"] += 1
            return []
        try:
            answers = session.receive(request, at_once)
        except SecurityError as refused:
            self.counters[refused.kind] += 1
            return []
        except Malformed:
            self.counters["malformed"] += 1
            return [_UNREADABLE]
        self._use_new_keys()
        return answers

    def _channel(self, role: Role) -> Channel | None:
        if not self.settings.ciphered or role is Role.PUBLIC:
            return None
        assert self.secrets.keys is not None
        protection = self.settings.protection_bits
        title = self.secrets.client_title
        return RoleChannel(self.secrets.keys, self.title, title, protection=protection, spent=self._spent)

    def _notification(self, body: Value, channel: Channel | None) -> bytes:
        self._n_pushed += 1
        plain = apdu.encode(DataNotification(self._n_pushed % 2**24, body))
        return plain if channel is None else channel.seal_general(plain)

    # -- new secrets ---------------------------------------------------------------------------------------------

    def _take_secret(self, role: Role, secret: bytes) -> None:
        """A new password for one role; ValueError where passwords are not used."""
        if self.settings.security != "lls":
            raise ValueError("this meter uses no passwords: set security to lls")
        self.session(role).password = secret

    def _take_keys(self, wrapped: Mapping[int, bytes]) -> None:
        """New keys, all of them or none, in use once the answer to this request has gone out under the old ones."""
        self._new_keys = {number: self._unwrapped(number, key) for number, key in wrapped.items()}

    def _unwrapped(self, number: int, wrapped: bytes) -> bytes:
        if number not in (_ENCRYPTION_KEY, _AUTHENTICATION_KEY):
            raise ValueError(f"key {number} is not used here: 0 (encryption) or 2 (authentication) can be changed")
        assert self.secrets.keys is not None
        new = unwrap(wrapped, self.secrets.master_key)
        if len(new) != len(self.secrets.keys.encryption):
            raise ValueError(f"a key of {len(new)} bytes does not fit suite {self.secrets.keys.suite}")
        return new

    def _use_new_keys(self) -> None:
        if not self._new_keys:
            return
        old = self.secrets.keys
        assert old is not None
        encryption = self._new_keys.get(_ENCRYPTION_KEY, old.encryption)
        authentication = self._new_keys.get(_AUTHENTICATION_KEY, old.authentication)
        self._new_keys = {}
        keys = Keys(encryption, authentication, old.suite)
        self.secrets = RoleSecrets(keys, self.secrets.client_title, self.secrets.password, self.secrets.master_key)
        for session in self._sessions.values():
            if session.channel is not None:
                session.channel.keys = keys
