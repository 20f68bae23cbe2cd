"""How the head end's APDUs get onto the line and answers off it: generators over the wrapper or an HDLC link."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from typing import Protocol, TypeVar

from .device.ports import METER_SAP, cut_wrapped, link_of, settle
from .dlms import wrapper
from .dlms.hdlc_link import HdlcServer, LinkLost
from .settings import ServiceSettings

__all__ = ["HdlcLine", "Line", "Turns", "WrapperLine", "line_of", "link_of"]

T = TypeVar("T")
Turns = Generator[bytes, bytes | None, T]
"""Yields the bytes of a turn, takes those that came back, or None when nothing came in time."""


class Line(Protocol):
    """One client's way to one meter."""

    def connect(self) -> Turns[None]:
        """Make the line ready; `LinkLost` where it cannot be had."""
        ...

    def exchange(self, request: bytes) -> Turns[list[bytes]]:
        """Send an APDU; the APDUs that came back, none where nothing believable came."""
        ...

    def disconnect(self) -> Turns[None]:
        """Give the line up."""
        ...

    def distrust(self) -> None:
        """What was said last came to nothing: set the line up anew before the next APDU."""
        ...


def line_of(settings: ServiceSettings, client_sap: int, counters: Counter[str]) -> Line:
    """The line that the settings ask for; ``counters`` counts sent, received, timeouts and malformed."""
    if settings.framing == "wrapper":
        return WrapperLine(client_sap, counters)
    return HdlcLine(client_sap, settings, counters)


class WrapperLine:
    """Datagrams: nothing is set up, each request is one datagram, its answers come in one turn."""

    def __init__(self, client_sap: int, counters: Counter[str]) -> None:
        self._client, self._counters = client_sap, counters

    def connect(self) -> Turns[None]:
        """Nothing to do."""
        yield from ()

    def exchange(self, request: bytes) -> Turns[list[bytes]]:
        """Send an APDU; the APDUs that came back from this meter to this client."""
        self._counters["sent"] += 1
        came = yield wrapper.pack(self._client, METER_SAP, request)
        if came is None:
            self._counters["timeouts"] += 1
            return []
        self._counters["received"] += 1
        found, whole = cut_wrapped(came)
        ours = [one[wrapper.HEADER_BYTES :] for one in found if self._is_ours(one)]
        self._counters["malformed"] += not whole or len(ours) < len(found)
        return ours

    def disconnect(self) -> Turns[None]:
        """Nothing to do."""
        yield from ()

    def distrust(self) -> None:
        """Nothing to do: datagrams know nothing of each other."""

    def _is_ours(self, datagram: bytes) -> bool:
        return datagram[2:6] == METER_SAP.to_bytes(2, "big") + self._client.to_bytes(2, "big")


class HdlcLine:
    """An HDLC link; what was lost is repeated on the link, so that an APDU is seldom asked for twice."""

    def __init__(self, client_sap: int, settings: ServiceSettings, counters: Counter[str]) -> None:
        self._link, self._counters = link_of(settings, client_sap), counters
        self._ready = False
        if settings.association == "pre_established":
            info, window = settings.hdlc_max_info_bytes, settings.hdlc_window
            settle(self._link, HdlcServer(lambda *_: None, knows=lambda _: True, max_info_bytes=info, window=window))
            self._ready = True

    def connect(self) -> Turns[None]:
        """Set the link up where it is not; `LinkLost` where the meter refuses or stays silent."""
        if not self._ready:
            yield from self._counted(self._link.connect())
            self._ready = True

    def exchange(self, request: bytes) -> Turns[list[bytes]]:
        """Send an APDU; the one that came back. `LinkLost` where the link is; the next exchange sets it up again."""
        yield from self.connect()
        self._ready = False
        answer = yield from self._counted(self._link.exchange(request))
        self._ready = True
        return [] if answer is None else [answer]

    def disconnect(self) -> Turns[None]:
        """Close the link; one that is not confirmed is forgotten."""
        self._ready = False
        try:
            yield from self._counted(self._link.disconnect())
        except LinkLost:
            return

    def distrust(self) -> None:
        """Its numbers may be out of step with the meter's: the next exchange sets the link up again."""
        self._ready = False

    def _counted(self, turns: Turns[T]) -> Turns[T]:
        came: bytes | None = None
        try:
            sent = next(turns)
            while True:
                self._counters["sent"] += 1
                came = yield sent
                self._counters["timeouts" if came is None else "received"] += 1
                sent = turns.send(came)
        except StopIteration as done:
            result: T = done.value
            return result
