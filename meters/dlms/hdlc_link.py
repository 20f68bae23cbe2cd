"""HDLC links without a line: one side as a server, one as a client; bytes in, bytes out.

Normal response mode: the client polls, the server answers in its turn, the last frame of a turn carries poll or final.
How one end counts and repeats its frames stands in `hdlc_station`.

References
----------
IEC 62056-46:2002; ISO/IEC 13239:2002, unbalanced operation in normal response mode.
"""

from __future__ import annotations

from collections.abc import Callable, Generator

from .hdlc import (
    DISC,
    DM,
    FRMR,
    LLC_REQUEST,
    LLC_RESPONSE,
    POLL,
    SNRM,
    UA,
    Frame,
    FrameReader,
    pack,
    unpack,
)
from .hdlc_address import Address
from .hdlc_parameters import DEFAULT_INFO_BYTES, DEFAULT_WINDOW, Parameters
from .hdlc_station import Station

MOST_LINKS = 4096
"""Links at once on one line; a four-byte address has room for millions, each of which would be remembered."""
_LLC_BYTES = len(LLC_REQUEST)
Answer = Callable[[int, Address, bytes], bytes | None]


class LinkLost(Exception):
    """The other side is silent, has closed the link or broke its rules: set it up again with `HdlcClient.connect`."""


class HdlcServer:
    """The server side of one line: any number of clients and servers on it, each pair a link of its own.

    Frames with a wrong check, for unknown addresses or for all stations are met with silence, and so are frames
    without a poll bit. A link that is not set up answers with DM.

    Parameters
    ----------
    answer
        Called with client address, server address and APDU; returns the APDU to send back, or None for none. Never
        called twice for a doubled frame.
    knows
        Whether an address, in the length that the client chose, is served here.
    max_info_bytes, window
        Most that is granted, 1 to 2030 and 1 to 7; ValueError outside.
    closed
        Called with client and server address when a link ends: DISC, a new SNRM, an oversized request, `close`.
    """

    def __init__(
        self,
        answer: Answer,
        *,
        knows: Callable[[Address], bool],
        max_info_bytes: int = DEFAULT_INFO_BYTES,
        window: int = DEFAULT_WINDOW,
        closed: Callable[[int, Address], None] | None = None,
    ) -> None:
        self._answer, self._knows, self._closed = answer, knows, closed
        self._own = Parameters.of(max_info_bytes, window)
        self._reader = FrameReader()
        self._links: dict[tuple[int, Address], Station] = {}

    @property
    def links(self) -> tuple[tuple[int, Address], ...]:
        """Client and server address of every link that is set up."""
        return tuple(self._links)

    def receive(self, data: bytes) -> bytes:
        """Everything to send back for ``data``, however the bytes were chopped; empty for silence. Never raises."""
        return b"".join(self._respond(raw) for raw in self._reader.feed(data))

    def idle(self) -> None:
        """The line was silent for longer than bytes of one frame may lie apart: forget half a frame."""
        self._reader.reset()

    def close(self) -> None:
        """End every link, as when the line is gone."""
        for key in self.links:
            self._end(key)

    def _respond(self, raw: bytes) -> bytes:
        try:
            frame = unpack(raw)
        except ValueError:
            return b""
        server, client = frame.destination, frame.source
        if (
            client.n_bytes > 1
            or any(one.for_all or one.for_none for one in (server, client))
            or not self._knows(server)
        ):
            return b""
        key = (client.logical, server)
        if frame.is_information or frame.is_supervisory:
            return self._carry(key, frame)
        command = frame.control | POLL
        if command == SNRM:
            return self._set_up(key, frame)
        return self._disconnect(key) if command == DISC else b""

    def _set_up(self, key: tuple[int, Address], frame: Frame) -> bytes:
        self._end(key)
        try:
            granted = self._own.granted(Parameters.unpack(frame.info))
        except ValueError:
            return _unnumbered(key, DM)
        if len(self._links) >= MOST_LINKS:
            return _unnumbered(key, DM)
        self._links[key] = Station(frame.destination, frame.source, granted)
        return _unnumbered(key, UA, granted.pack())

    def _disconnect(self, key: tuple[int, Address]) -> bytes:
        connected = key in self._links
        self._end(key)
        return _unnumbered(key, UA if connected else DM)

    def _carry(self, key: tuple[int, Address], frame: Frame) -> bytes:
        link = self._links.get(key)
        if link is None:
            return _unnumbered(key, DM) if frame.is_final else b""
        link.acknowledge(frame.acknowledged)
        try:
            content = link.accept(frame) if frame.is_information else None
        except ValueError:
            self._end(key)
            return _unnumbered(key, DM)
        if content is not None and content[:_LLC_BYTES] == LLC_REQUEST:
            answer = self._answer(key[0], key[1], content[_LLC_BYTES:])
            link.load(LLC_RESPONSE + answer if answer else b"")
        return link.turn(frame.is_busy) if frame.is_final else b""

    def _end(self, key: tuple[int, Address]) -> None:
        if self._links.pop(key, None) is not None and self._closed is not None:
            self._closed(*key)


def _unnumbered(key: tuple[int, Address], control: int, info: bytes = b"") -> bytes:
    return pack(Frame(Address(key[0]), key[1], control, False, info))


class HdlcClient:
    """The client side of one link, as generators: each yields the bytes of a turn and takes what came back.

    What comes back is the bytes of the server's turn, or None after a time-out. Then the turn is repeated; after
    ``tries`` turns without anything new the link is lost.

    Parameters
    ----------
    client
        Client address, 1 to 126.
    server
        Address of the meter, in the length to use.
    max_info_bytes, window
        Asked for, 1 to 2030 and 1 to 7; with 128 and 1 the SNRM carries no parameters.
    tries
        Turns without anything new before giving up, from 1. ValueError outside these ranges.
    """

    def __init__(
        self,
        client: int,
        server: Address,
        max_info_bytes: int = DEFAULT_INFO_BYTES,
        window: int = DEFAULT_WINDOW,
        *,
        tries: int = 3,
    ) -> None:
        if not 1 <= client <= 126 or server.for_all or server.for_none:
            raise ValueError(f"client {client}, server {server}: neither none (0) nor all stations can hold a link")
        if tries < 1:
            raise ValueError(f"tries {tries}: a turn is sent at least once")
        self._here, self._there, self._tries = Address(client), server, tries
        self._asked = Parameters.of(max_info_bytes, window)
        self._link: Station | None = None

    def connect(self) -> Generator[bytes, bytes | None, Parameters]:
        """Set the link up, anew if need be; returns what was granted. `LinkLost` on refusal or silence."""
        self._link = None
        asked = b"" if self._asked == Parameters() else self._asked.pack()
        answer = yield from self._command(SNRM, asked)
        if answer.control | POLL != UA:
            raise LinkLost(f"server {self._there} refuses the link")
        try:
            granted = self._asked.granted(Parameters.unpack(answer.info))
        except ValueError as error:
            raise LinkLost(f"server {self._there} grants impossible parameters: {error}") from error
        self._link = Station(self._here, self._there, granted)
        return granted

    def disconnect(self) -> Generator[bytes, bytes | None, None]:
        """Close the link; `LinkLost` where the server never confirms it. Without a link nothing is sent."""
        if self._link is not None:
            self._link = None
            yield from self._command(DISC, b"")

    def exchange(self, apdu: bytes) -> Generator[bytes, bytes | None, bytes | None]:
        """Send an APDU and return the answer, or None where the server took it and has nothing to say.

        Raises `LinkLost` where the server falls silent, drops the link or breaks the rules, and ValueError where the
        link is not set up.
        """
        if self._link is None:
            raise ValueError("the link is not set up: run connect() first")
        # Given back at an orderly end only: an exchange that was broken off leaves numbers that nobody can trust.
        link, self._link = self._link, None
        answer = yield from self._exchange(link, apdu)
        self._link = link
        return answer

    def _exchange(self, link: Station, apdu: bytes) -> Generator[bytes, bytes | None, bytes | None]:
        link.load(LLC_REQUEST + apdu)
        n_idle, heard = 0, list[Frame]()
        while n_idle < self._tries:
            heard = self._heard((yield link.turn(hold=any(frame.is_busy for frame in heard[-1:]))))
            news, content = _taken(link, heard)
            if content is not None:
                return content
            n_idle = 0 if news else n_idle + 1
        if heard and not (link.pending or link.n_received_bytes or any(frame.is_information for frame in heard)):
            return None
        raise LinkLost(f"server {self._there} does not answer after {self._tries} tries")

    def _command(self, control: int, info: bytes) -> Generator[bytes, bytes | None, Frame]:
        """Send SNRM or DISC until UA or DM comes."""
        command = pack(Frame(self._there, self._here, control, False, info))
        for _ in range(self._tries):
            for frame in self._heard((yield command)):
                if frame.control | POLL in (UA, DM):
                    return frame
        raise LinkLost(f"server {self._there} does not answer after {self._tries} tries")

    def _heard(self, data: bytes | None) -> list[Frame]:
        """The good frames of a turn from this server to this client."""
        frames = []
        for raw in FrameReader().feed(data or b""):
            try:
                frames.append(unpack(raw))
            except ValueError:
                continue
        return [frame for frame in frames if (frame.destination, frame.source) == (self._here, self._there)]


def _taken(link: Station, heard: list[Frame]) -> tuple[bool, bytes | None]:
    """Whether anything new came, and the answer once it is whole; `LinkLost` where the server ended the link."""
    before = link.n_received_bytes
    news = 0
    for frame in heard:
        if frame.control | POLL in (DM, FRMR):
            raise LinkLost("the server has no such link any more: connect again")
        if not (frame.is_information or frame.is_supervisory):
            continue
        news += link.acknowledge(frame.acknowledged)
        content = _content(link, frame) if frame.is_information else None
        if content is not None:
            return True, content
    return news > 0 or link.n_received_bytes > before, None


def _content(link: Station, frame: Frame) -> bytes | None:
    """The answer that ``frame`` completes; `LinkLost` where it cannot be the answer to what was asked."""
    before = link.n_received_bytes
    try:
        content = link.accept(frame)
    except ValueError as error:
        raise LinkLost(str(error)) from error
    if link.pending and (content is not None or link.n_received_bytes > before):
        raise LinkLost("the server answers before it has taken the whole request: connect again")
    if content is not None and content[:_LLC_BYTES] != LLC_RESPONSE:
        raise LinkLost(f"LLC bytes {content[:_LLC_BYTES].hex()} are not those of an answer")
    return None if content is None else content[_LLC_BYTES:]
