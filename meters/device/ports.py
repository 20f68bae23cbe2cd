"""Where a line ends at the meters: bytes in, bytes to send back; no sockets here.

A port stands for one line or one connection. It tells logical devices apart by their addresses, hands each APDU to its
meter, and ends the associations that were opened through it when it closes.

References
----------
IEC 62056-4-7:2015 (wrapper); IEC 62056-46:2002 (HDLC).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Protocol

from ..dlms import wrapper
from ..dlms.hdlc_address import Address
from ..dlms.hdlc_link import HdlcClient, HdlcServer
from ..dlms.hdlc_parameters import DEFAULT_INFO_BYTES, DEFAULT_WINDOW
from ..settings import ServiceSettings

METER_SAP = 1
"""Logical device of a meter that has a line of its own: the management logical device."""
PHYSICAL_ADDRESS = 17
"""Physical HDLC address of a simulated meter where the address has room for one; a port answers to any."""


class LogicalDevice(Protocol):
    """What may stand behind an address: a meter, or the management device of a rack."""

    def responses(self, client_sap: int, request: bytes, at_once: int = 1) -> list[bytes]:
        """APDUs that answer one APDU, at most ``at_once`` of them; none for silence. Never raises."""
        ...

    def closed(self, client_sap: int) -> None:
        """The line to this client is gone."""
        ...

    def n_opened(self, client_sap: int) -> int:
        """How often this client has opened an association."""
        ...


Resolve = Callable[[int], LogicalDevice | None]
MOST_AT_ONCE = 63
"""APDUs that a wrapper line takes in one turn: the largest window of general block transfer."""


def meter_address(n_bytes: int) -> Address:
    """HDLC address of a simulated meter in 1, 2 or 4 bytes; ValueError for other lengths."""
    return Address(METER_SAP, PHYSICAL_ADDRESS if n_bytes > 1 else 0, n_bytes)


def link_of(settings: ServiceSettings, client_sap: int) -> HdlcClient:
    """The client's end of the HDLC link that the settings ask for, not set up."""
    return HdlcClient(
        client_sap,
        meter_address(settings.hdlc_server_address_bytes),
        settings.hdlc_max_info_bytes,
        settings.hdlc_window,
        tries=settings.tries,
    )


class _Openings:
    """Which associations were opened through one line, so that its end does not end those of another line."""

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self._seen: dict[tuple[int, int], int] = {}

    def answers(self, client: int, server: int, request: bytes, at_once: int) -> list[bytes]:
        """What the logical device answers; none where there is no such device."""
        device = self._resolve(server)
        if device is None:
            return []
        before = device.n_opened(client)
        answers = device.responses(client, request, at_once)
        if device.n_opened(client) > before:
            self._seen[client, server] = device.n_opened(client)
        return answers

    def end(self, client: int, server: int) -> None:
        """End what this line opened, unless the client has opened it anew elsewhere."""
        device, seen = self._resolve(server), self._seen.pop((client, server), None)
        if device is not None and seen == device.n_opened(client):
            device.closed(client)

    def end_all(self) -> None:
        """As `end`, for everything that was opened."""
        for client, server in tuple(self._seen):
            self.end(client, server)


class WrapperPort:
    """A stream of wrapped APDUs, such as a TCP connection.

    Parameters
    ----------
    resolve
        The logical device of a server SAP, or None where there is none; what goes there is met with silence.

    Attributes
    ----------
    counters
        malformed, misaddressed.
    """

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self._reader = wrapper.WrapperReader()
        self._openings = _Openings(resolve)
        self.counters: Counter[str] = Counter()

    def receive(self, data: bytes) -> bytes:
        """What is to be sent back at once; ValueError where the stream has lost its bounds and must be closed."""
        return self._answers(self._reader.feed(data))

    @property
    def broken(self) -> bool:
        """Whether the stream has lost its bounds: send what `receive` gave, then close."""
        return self._reader.broken

    def close(self) -> None:
        """The line is gone: end what was opened through it."""
        self._openings.end_all()

    def _answers(self, wrapped: Iterable[bytes]) -> bytes:
        return b"".join(self._answer(*wrapper.unpack(one)) for one in wrapped)

    def _answer(self, client: int, server: int, request: bytes) -> bytes:
        if self._resolve(server) is None:
            self.counters["misaddressed"] += 1
            return b""
        answers = self._openings.answers(client, server, request, MOST_AT_ONCE)
        return b"".join(wrapper.pack(server, client, one) for one in answers)


class DatagramPort(WrapperPort):
    """Wrapped APDUs, whole ones in every datagram: what is damaged is forgotten with its datagram. Never raises."""

    def receive(self, data: bytes) -> bytes:
        """What is to be sent back; empty for silence."""
        found, whole = cut_wrapped(data)
        self.counters["malformed"] += not whole
        return self._answers(found)


class HdlcPort:
    """A line of HDLC frames.

    Parameters
    ----------
    resolve
        The logical device of a server's logical address, or None where there is none; the physical address is free.
    max_info_bytes, window
        Most that is granted to a client.
    datagrams
        Whether frames come whole: half a frame is then forgotten, otherwise it waits for the rest.
    """

    def __init__(
        self,
        resolve: Resolve,
        max_info_bytes: int = DEFAULT_INFO_BYTES,
        window: int = DEFAULT_WINDOW,
        *,
        datagrams: bool = False,
    ) -> None:
        self._openings, self._datagrams = _Openings(resolve), datagrams
        self._server = HdlcServer(
            self._answer,
            knows=lambda address: resolve(address.logical) is not None,
            max_info_bytes=max_info_bytes,
            window=window,
            closed=self._ended,
        )

    def receive(self, data: bytes) -> bytes:
        """What is to be sent back at once; empty for silence. Never raises."""
        answer = self._server.receive(data)
        if self._datagrams:
            self._server.idle()
        return answer

    def stand(self, link: HdlcClient) -> None:
        """Set up a link that has stood since before anybody looks, from both its ends at once."""
        settle(link, self._server)

    def close(self) -> None:
        """The line is gone: end every link, and the associations on it."""
        self._server.close()

    def _answer(self, client: int, server: Address, request: bytes) -> bytes | None:
        answers = self._openings.answers(client, server.logical, request, 1)
        return answers[0] if answers else None

    def _ended(self, client: int, server: Address) -> None:
        self._openings.end(client, server.logical)


def settle(link: HdlcClient, server: HdlcServer) -> None:
    """Let a client and a server agree on a link without a line between them."""
    session = link.connect()
    request = next(session)
    try:
        while True:
            request = session.send(server.receive(request) or None)
    except StopIteration:
        return


def cut_wrapped(data: bytes) -> tuple[list[bytes], bool]:
    """The wrapped APDUs that stand one after another in ``data``, and whether nothing but these stood there."""
    found, at = [], 0
    while at + wrapper.HEADER_BYTES <= len(data):
        end = at + wrapper.HEADER_BYTES + int.from_bytes(data[at + 6 : at + 8], "big")
        if data[at : at + 2] != b"\x00\x01" or end > len(data):
            break
        found.append(data[at:end])
        at = end
    return found, at == len(data)
