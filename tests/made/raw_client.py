"""A client of one meter put together from the codec alone: association, asking, releasing, over any wire."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from amiplan.meters.dlms import acse, apdu, axdr, wrapper
from amiplan.meters.dlms.hdlc import Address
from amiplan.meters.dlms.hdlc_link import HdlcClient
from amiplan.meters.dlms.obis import ASSOCIATION
from amiplan.meters.dlms.security import Channel, Keys

Send = Callable[[bytes], bytes | None]
CHALLENGE = bytes(range(16))
MAX_PDU_BYTES = 65535


class RawClient:
    """One association of ``role`` with the meter that ``entry`` of serve.json describes; ``send`` carries APDUs."""

    def __init__(self, entry: dict[str, Any], role: str, send: Send, *, counter: int = 1, general: bool = False):
        self.entry, self.role, self.send = entry, role, send
        self.form = "general_glo" if general else "glo"
        self.channel: Channel | None = None
        if entry["security"] == "hls5" and role != "public":
            parts = (entry["block_cipher_key"], entry["authentication_key"])
            keys = Keys(*(bytes.fromhex(one) for one in parts), entry["security_suite"])
            titles = bytes.fromhex(entry["client_system_title"]), bytes.fromhex(entry["system_title"])
            self.channel = Channel(keys, *titles, next_counter=counter)

    def open(self) -> None:
        """Associate; ValueError where the meter does not accept or does not prove itself."""
        answer = self.send(self.aarq())
        if answer is None:
            raise ValueError("no answer to the association request")
        accepted = acse.decode(answer)
        if accepted.result != acse.ACCEPTED:
            raise ValueError(f"association refused, diagnostic {accepted.diagnostic}")
        if self.channel is not None:
            self.channel.open(accepted.initiate)
            returned = self.ask(self.pass_3(accepted.challenge))
            if not isinstance(returned, apdu.ActionResponse) or not isinstance(returned.returned, axdr.Value):
                raise ValueError(f"the meter did not prove itself: {returned}")
            if not self.channel.proves(CHALLENGE, returned.returned.octets):
                raise ValueError("the meter's proof is wrong")

    def aarq(self) -> bytes:
        initiate = acse.encode_initiate(acse.Initiate(acse.OFFERED, MAX_PDU_BYTES))
        if self.channel is not None:
            mechanism, secret, title = acse.MECHANISM_HLS_GMAC, CHALLENGE, self.channel.own_title
            sealed = self.channel.seal(initiate)
            return acse.encode(acse.Association(acse.CONTEXT_CIPHERED, sealed, mechanism, title, secret))
        if self.entry["security"] == "lls" and self.role != "public":
            password = bytes.fromhex(self.entry["password"])
            return acse.encode(acse.Association(acse.CONTEXT_PLAIN, initiate, acse.MECHANISM_LLS, b"", password))
        return acse.encode(acse.Association(acse.CONTEXT_PLAIN, initiate))

    def pass_3(self, challenge: bytes) -> apdu.ActionRequest:
        assert self.channel is not None
        proof = self.channel.prove(challenge)
        return apdu.ActionRequest(apdu.Method(15, ASSOCIATION, 1), axdr.octets(proof))

    def ask(self, request: apdu.Apdu) -> apdu.Apdu | None:
        """The answer to one service, or None for silence."""
        answer = self.send(self.sealed(apdu.encode(request)))
        return None if answer is None else apdu.decode(self.opened(answer))

    def sealed(self, plain: bytes) -> bytes:
        return plain if self.channel is None else self.channel.seal_as(self.form, plain)

    def opened(self, answer: bytes) -> bytes:
        plain = self.channel is None or answer[:1] == b"\xd8"
        return answer if plain else self.channel.open(answer)  # type: ignore[union-attr]

    def get(self, class_id: int, obis: Any, number: int) -> Any:
        """The attribute, or the DataAccess result that refuses it; in blocks where it is long."""
        answer = self.ask(apdu.GetRequest(apdu.Attribute(class_id, obis, number)))
        raw = b""
        while isinstance(answer, apdu.GetResponseBlock) and isinstance(answer.result, bytes):
            raw += answer.result
            if answer.last:
                return axdr.decode(raw)
            answer = self.ask(apdu.GetRequestNext(answer.block, answer.invoke))
        return answer.result if isinstance(answer, apdu.GetResponse) else answer

    def release(self) -> bytes | None:
        return self.send(acse.RELEASE_REQUEST)


class Wire:
    """A TCP connection to the meter of ``entry`` that carries APDUs of one client in the entry's framing."""

    def __init__(self, entry: dict[str, Any], role: str, timeout_s: float = 5.0) -> None:
        self.entry, self.sap = entry, entry["client_saps"][role]
        self.socket = socket.create_connection((entry["host"], entry["port"]), timeout=timeout_s)
        self.hdlc: HdlcClient | None = None
        if entry["framing"] == "hdlc":
            n_bytes = entry["hdlc_server_address_bytes"]
            address = Address(entry["server_sap"], entry["hdlc_physical_address"], n_bytes)
            self.hdlc = HdlcClient(self.sap, address)
            self._drive(self.hdlc.connect())

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def send(self, request: bytes) -> bytes | None:
        """The answer to one APDU; None where none came in time, or the meter closed the connection."""
        if self.hdlc is not None:
            answer: bytes | None = self._drive(self.hdlc.exchange(request))
            return answer
        self.socket.sendall(wrapper.pack(self.sap, self.entry["server_sap"], request))
        head = self._exactly(wrapper.HEADER_BYTES)
        body = None if head is None else self._exactly(int.from_bytes(head[6:8], "big"))
        return None if head is None or body is None else wrapper.unpack(head + body).apdu

    def turn(self, data: bytes) -> bytes | None:
        """Raw bytes out, and what comes back at once."""
        self.socket.sendall(data)
        return self._some()

    def _some(self, most: int = 65536) -> bytes | None:
        try:
            return self.socket.recv(most) or None
        except (TimeoutError, ConnectionError):
            return None

    def _exactly(self, n_bytes: int) -> bytes | None:
        data = b""
        while len(data) < n_bytes:
            piece = self._some(n_bytes - len(data))
            if piece is None:
                return None
            data += piece
        return data

    def _drive(self, steps: Any) -> Any:
        answer = None
        try:
            request = next(steps)
            while True:
                answer = self._frames(request)
                request = steps.send(answer)
        except StopIteration as done:
            return done.value

    def _frames(self, request: bytes) -> bytes | None:
        """Frames up to the one whose poll bit ends the turn; a frame may come in two pieces."""
        data = self.turn(request)
        while data is not None and not _is_turn(data):
            more = self._some()
            if more is None:
                return data
            data += more
        return data


def _is_turn(data: bytes) -> bool:
    from amiplan.meters.dlms.hdlc import FrameReader, unpack

    frames = FrameReader().feed(data)
    return bool(frames) and unpack(frames[-1]).is_final
