"""Simulated meters on real sockets: TCP connections in, a port's bytes out.

Nothing here knows DLMS: whatever stands behind a door is a `Port`, one per connection, that takes what arrived and
gives what is to be sent back.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

PIECE_BYTES = 512
"""Most that a port gets at once, so that a client who sends a thousand requests together holds up nobody else."""
SEND_BUFFER_BYTES = 2**18
"""Unsent answers from which a connection is not read any more until its client has taken some."""
BACKLOG = 4096
"""Connections that may wait at a door: beyond it the system drops them, and a client tries again a second later."""
ACCEPTED_TOGETHER = 16
"""Most connections that one door lets in before anything else has its turn."""


class Port(Protocol):
    """Where one connection ends: bytes in, bytes to send back; ValueError where the stream cannot go on."""

    def receive(self, data: bytes) -> bytes:
        """What is to be sent back at once."""
        ...

    def close(self) -> None:
        """The connection is gone."""
        ...


Door = tuple[socket.socket, Callable[[], Port]]
"""A listening socket and what opens a port for each connection through it."""


@dataclass
class _Crowd:
    """How many connections stand at all doors together, and how many may."""

    most: float
    n_open: int = 0


class _Connection(asyncio.Protocol):
    """One connection: pieces to its port in order, answers back, as fast as the client takes them.

    One too many is closed at once.
    """

    def __init__(self, open_port: Callable[[], Port], crowd: _Crowd) -> None:
        self._open_port, self._crowd = open_port, crowd
        self._port: Port | None = None
        self._waiting = bytearray()
        self._held = self._scheduled = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._crowd.n_open += 1
        if self._crowd.n_open > self._crowd.most:
            transport.abort()
            return
        transport.set_write_buffer_limits(SEND_BUFFER_BYTES)
        self._port = self._open_port()

    def data_received(self, data: bytes) -> None:
        self._waiting += data
        self._go_on()

    def pause_writing(self) -> None:
        self._held = True

    def resume_writing(self) -> None:
        self._held = False
        self._go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        self._crowd.n_open -= 1
        self._waiting.clear()
        if self._port is not None:
            self._port.close()

    def _go_on(self) -> None:
        if self._port is None or self._scheduled or self._transport.is_closing():
            return
        if self._waiting and not self._held:
            self._answer_piece(self._port)
        if self._waiting or self._held:
            self._transport.pause_reading()
        elif not self._transport.is_closing():
            self._transport.resume_reading()

    def _answer_piece(self, port: Port) -> None:
        piece = bytes(self._waiting[:PIECE_BYTES])
        del self._waiting[:PIECE_BYTES]
        try:
            answer = port.receive(piece)
        except ValueError:
            self._waiting.clear()
            self._transport.close()
            return
        if answer:
            self._transport.write(answer)
        if self._waiting:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._next_turn)

    def _next_turn(self) -> None:
        self._scheduled = False
        self._go_on()


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket; port 0 lets the system choose. OSError where it cannot be had."""
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    door = socket.socket(family, socket.SOCK_STREAM)
    try:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind((host, port))
        door.listen(BACKLOG)
    except OSError:
        door.close()
        raise
    door.setblocking(False)
    return door


async def serve(
    doors: Sequence[Door], stop: asyncio.Event, ready: Callable[[], None], most_connections: float = math.inf
) -> None:
    """Answer at all doors until ``stop`` is set; ``ready`` is called once every door is open.

    Of more connections than ``most_connections`` the newest are closed, before the system runs out of file handles.
    """
    loop, crowd = asyncio.get_running_loop(), _Crowd(most_connections)
    async with contextlib.AsyncExitStack() as stack:
        for door, open_port in doors:
            connected = partial(_Connection, open_port, crowd)
            server = await loop.create_server(connected, sock=door, backlog=ACCEPTED_TOGETHER)
            stack.callback(server.close)
            door.listen(BACKLOG)
        ready()
        await stop.wait()
