"""Connections: in order, fair, bounded, gone when they are gone. Ports are stand-ins, meters are tested elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from amiplan.meters import serving
from amiplan.meters.serving import PIECE_BYTES, SEND_BUFFER_BYTES, listen, serve


class Echo:
    """Gives back what comes, ``factor`` times; refuses a stream that holds an X."""

    def __init__(self, factor: int = 1) -> None:
        self.factor, self.pieces, self.closed = factor, list[int](), False

    def receive(self, data: bytes) -> bytes:
        self.pieces.append(len(data))
        if b"X" in data:
            raise ValueError("this stream cannot go on")
        return data * self.factor

    def close(self) -> None:
        self.closed = True


def talking(ports: list[Echo], talk: Callable[[int], Awaitable[Any]], most_connections: float = math.inf) -> Any:
    """What ``talk`` returns, given the number of a TCP port whose connections take ``ports`` one after another."""
    door, waiting = listen("127.0.0.1", 0), list(ports)

    async def both() -> Any:
        stop, ready = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(serve([(door, lambda: waiting.pop(0))], stop, ready.set, most_connections))
        await ready.wait()
        try:
            return await asyncio.wait_for(talk(door.getsockname()[1]), 20.0)
        finally:
            stop.set()
            await task

    return asyncio.run(both())


def test_what_comes_is_answered_in_order_in_pieces_that_let_others_in() -> None:
    said = bytes(65 + number % 20 for number in range(10 * PIECE_BYTES))

    async def talk(port: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(said)
        heard = await reader.readexactly(len(said))
        writer.close()
        return heard

    echo = Echo()
    assert talking([echo], talk) == said
    assert max(echo.pieces) <= PIECE_BYTES


def test_a_client_that_does_not_listen_is_not_answered_without_end() -> None:
    """A connection that reads nothing is not read either, and goes on where it stood once it listens again."""
    n_said = 200 * PIECE_BYTES
    echo = Echo(factor=1000)

    async def talk(port: int) -> tuple[int, int]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**16)
        writer.write(bytes(n_said))
        await asyncio.sleep(0.5)
        before = sum(echo.pieces)
        heard = len(await reader.readexactly(n_said * 1000))
        writer.close()
        return before, heard

    before, heard = talking([echo], talk)
    kernel_bytes = 16 * 2**20
    assert before * 1000 < SEND_BUFFER_BYTES + 2000 * PIECE_BYTES + kernel_bytes < n_said * 1000
    assert heard == n_said * 1000


def test_a_stream_that_cannot_go_on_is_closed_and_the_next_one_is_served() -> None:
    async def talk(port: int) -> tuple[bytes, bytes]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"X" + bytes(5000))
        lost = await reader.read()
        other, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"good")
        found = await other.readexactly(4)
        writer.close()
        return lost, found

    ports = [Echo(), Echo()]
    assert talking(ports, talk) == (b"", b"good")
    assert ports[0].closed


def test_a_lost_connection_closes_its_port() -> None:
    async def talk(port: int) -> bool:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"hello")
        await asyncio.sleep(0.1)
        writer.transport.abort()
        for _ in range(100):
            if echo.closed:
                return True
            await asyncio.sleep(0.02)
        return False

    echo = Echo()
    assert talking([echo], talk)


def test_a_taken_port_is_an_error_and_leaves_no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []

    class Noted(socket.socket):
        def __init__(self, *arguments: Any, **words: Any) -> None:
            super().__init__(*arguments, **words)
            opened.append(self)

    with listen("127.0.0.1", 0) as door:
        monkeypatch.setattr(serving.socket, "socket", Noted)
        with pytest.raises(OSError, match="in use"):
            listen("127.0.0.1", door.getsockname()[1])
    assert [one.fileno() for one in opened] == [-1]


def test_one_connection_too_many_is_closed_and_makes_room_when_another_leaves() -> None:
    async def talk(port: int) -> tuple[bytes, bytes]:
        stays, leaves = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        for _, writer in (stays, leaves):
            writer.write(b"good")
        await asyncio.gather(stays[0].readexactly(4), leaves[0].readexactly(4))
        refused, _ = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.suppress(ConnectionResetError):
            assert await refused.read() == b""
        leaves[1].close()
        await asyncio.sleep(0.1)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"next")
        stays[1].write(b"more")
        heard = await reader.readexactly(4), await stays[0].readexactly(4)
        for one in (writer, stays[1]):
            one.close()
        return heard

    assert talking([Echo(), Echo(), Echo()], talk, most_connections=2) == (b"next", b"more")


def test_hundreds_of_connections_at_once_wait_for_no_second_try() -> None:
    """A door that lets too few wait makes the system drop some, and their clients try again after a second."""

    async def talk(port: int) -> float:
        began = time.monotonic()
        lines = await asyncio.to_thread(lambda: [socket.create_connection(("127.0.0.1", port)) for _ in range(400)])
        took = time.monotonic() - began
        for line in lines:
            line.close()
        return took

    def held(data: bytes) -> bytes:
        time.sleep(0.4)
        return data

    slow = Echo()
    slow.receive = held  # type: ignore[method-assign]

    async def busy(port: int) -> float:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"work")
        took = await talk(port)
        writer.close()
        return took

    assert talking([slow, *(Echo() for _ in range(400))], busy) < 0.9
