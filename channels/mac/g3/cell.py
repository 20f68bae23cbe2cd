"""Packet tier of G3-PLC: one concentrator, its meters and their line, with real bytes from end to end.

A message is cut into fragments; each goes its way from hop to hop by itself. The source hands its modem the next one
when the first hop has acknowledged the one before, so that several are on the way at once and their senders contend.
Nodes below are member indices of `CellLinks`; only the cell's own methods take and give node numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import Any

import simpy

from ...draws import Draws
from ...paths import CablePaths
from ...phy.g3_ofdm import Mode, largest_psdu_bytes, threshold_db
from ...technology import LinkQuality, Routes
from ..plc.cell_links import CellLinks
from .framing import FRAGMENT_BYTES, MacSettings
from .line import G3Line
from .mesh import (
    MOST_HOPS,
    MeshHeader,
    body,
    check_headers,
    fragments,
    is_data,
    one_hop_further,
    payload_of,
    read_header,
)
from .modem import LEAST_RESPONSE_BYTES, G3Modem
from .routing import Routing, StaticRouting

Steps = Generator[Any, Any, Any]

COUNTERS = (
    *(f"{what}_{fate}" for what in ("frames", "payloads") for fate in ("sent", "delivered", "lost", "pending")),
    *("retries", "crc_refused", "fields_refused", "collisions", "control_frames"),
)


class _Message:
    """A message on its way: what its destination has of it, and how many nodes still hold a part of it."""

    __slots__ = ("destination", "done", "held", "parts")

    def __init__(self, destination: int, done: simpy.Event) -> None:
        self.destination, self.done, self.held = destination, done, 1
        self.parts: dict[int, bytes] = {}


class G3Cell:
    """The network of one concentrator.

    Parameters
    ----------
    paths, quality, routes, site, draws : links, routes and draws of one replication, and the concentrator's row
    table, mac : modes and MAC constants
    response_s : time a meter takes before it sends [s]: all that it sends is an answer
    max_hops : longest way of a fragment, 1 to 15
    map_age_s : age of all tone maps at the start [s]; those no older than ``tone_map_ttl_s`` are valid
    routing : makes the routing from the cell; the standing tree of ``routes`` where None

    counters
        ``frames_*`` (data and control, acknowledgements not counted) and ``payloads_*`` with ``sent = delivered + lost
        + pending``; ``crc_refused``, lost frames that arrived damaged; ``fields_refused``, damaged frames that passed
        their check sequence by luck and said what cannot be; ``collisions``, lost frames that others disturbed;
        ``retries``; ``control_frames``, sent frames with routing, join or tone-map commands.

    Raises ValueError where a header has no room for its fields or the hop limit is impossible.
    """

    def __init__(
        self,
        env: simpy.Environment,
        paths: CablePaths,
        quality: LinkQuality,
        routes: Routes,
        site: int,
        draws: Draws,
        table: tuple[Mode, ...],
        mac: MacSettings,
        *,
        response_s: float,
        max_hops: int,
        map_age_s: float,
        routing: Callable[[G3Cell], Routing] | None = None,
    ) -> None:
        _check(table, mac, max_hops)
        self.env, self.mac, self._paths, self._site = env, mac, paths, site
        self._response_s, self._max_hops = response_s, max_hops
        self._robust_threshold_db = threshold_db(table[0], mac.loss_db)
        self.links = CellLinks.of(paths, quality, site, self._robust_threshold_db)
        self.site_node = int(self.links.node[-1])
        self.rng = draws.generator(f"g3 cell {int(paths.node_key[self.site_node])}")
        self.counters = dict.fromkeys(COUNTERS, 0)
        self._line = G3Line(env, self.links, table, mac, self.rng, self.counters, map_age_s)
        self.modems: list[G3Modem] = []
        self.modems += [G3Modem(self._line, number, self.modems) for number in range(self.links.n)]
        for modem in self.modems:
            modem.received = partial(self._received, modem.number)
        self._messages: dict[tuple[int, int], _Message] = {}
        self._numbers = [0] * self.links.n
        self.routing: Routing = routing(self) if routing else StaticRouting(env, self.links, routes, paths.n_meters)

    @property
    def joined_s(self) -> dict[int, float]:
        """Time at which each node last joined [s], by node number; NaN while it has not."""
        return {int(self.links.node[index]): joined for index, joined in self.routing.joined_s.items()}

    def send(self, source: int, destination: int, payload: bytes) -> simpy.Process:
        """A SimPy process that ends with the bytes as they arrived, or with None when they were lost.

        Parameters
        ----------
        source, destination
            Node numbers of this area, different.
        payload
            At least one byte.

        Raises ValueError where the payload is empty or too long, or a node is not of this area.
        """
        if not payload:
            raise ValueError("an empty payload cannot be sent; give at least one byte")
        start, end = self.links.index(source), self.links.index(destination)
        if start == end:
            raise ValueError(f"node {source} cannot send to itself; give another destination")
        number = self._numbers[start] = (self._numbers[start] + 1) & 0xFFFF
        pieces = fragments(payload, start, end, number, self._max_hops, self.mac)
        self._line.count("payloads_sent", "payloads_pending")
        return self.env.process(self._send(start, end, number, pieces))

    def _send(self, source: int, destination: int, number: int, pieces: list[bytes]) -> Steps:
        if source != self.links.n - 1:
            yield self.env.timeout(self._response_s)
        key = (source, number)
        message = self._messages[key] = _Message(destination, self.env.event())
        self.env.process(self._originate(key, destination, pieces))
        arrived = yield message.done
        del self._messages[key]
        self._line.settle("payloads", arrived is not None)
        return arrived

    def _originate(self, key: tuple[int, int], destination: int, pieces: list[bytes]) -> Steps:
        """Hand over fragment after fragment, until one does not get over the first hop."""
        for piece in pieces:
            if not (yield from self._forward(key[0], destination, piece, key[0])):
                break
        self._release(key)

    def _forward(self, node: int, destination: int, piece: bytes, source: int) -> Steps:
        """One fragment over the next hop, over another one where routing finds it: whether it got there."""
        hop = self.routing.next_hop(node, destination)
        while hop >= 0 or (yield self.routing.find(node, destination, source)):
            hop = hop if hop >= 0 else self.routing.next_hop(node, destination)
            if hop < 0 or not self.modems[node].alive:
                return False
            if (yield from self.modems[node].send(hop, piece)):
                self.routing.used(node, destination)
                return True
            self.routing.link_failed(node, hop, destination)
            hop = -1
        return False

    def _received(self, node: int, sender: int, payload: bytes, lqi: int) -> None:
        """A modem has a payload: data is taken up or passed on, control goes to the routing."""
        if is_data(payload):
            header = read_header(payload, self.mac)
            if header is not None and max(header.originator, header.destination) < self.links.n:
                self._take_up(node, header, payload)
                return
        elif self.routing.understands(payload):
            self.routing.heard(node, sender, payload, lqi)
            return
        self.counters["fields_refused"] += 1

    def _take_up(self, node: int, header: MeshHeader, payload: bytes) -> None:
        """A fragment of a message that is still on its way is passed on."""
        key = (header.originator, header.number)
        if key in self._messages:
            self._messages[key].held += 1
            self.env.process(self._pass_on(node, key, header, payload))

    def _pass_on(self, node: int, key: tuple[int, int], header: MeshHeader, piece: bytes) -> Steps:
        yield self.env.timeout(self.mac.processing_s)
        if header.destination == node:
            self._arrived(node, key, header, piece)
        elif header.hops_left > 1:
            yield from self._forward(node, header.destination, one_hop_further(piece), header.originator)
        self._release(key)

    def _arrived(self, node: int, key: tuple[int, int], header: MeshHeader, piece: bytes) -> None:
        """Put a message together at its destination; a fragment whose damaged header led it elsewhere is refused."""
        message = self._messages.get(key)
        if message is None or message.done.triggered:
            return
        if node != message.destination:
            self.counters["fields_refused"] += 1
            return
        message.parts[header.index] = body(piece, self.mac)
        if sum(map(len, message.parts.values())) == header.size:
            whole = b"".join(message.parts[index] for index in sorted(message.parts))
            message.done.succeed(payload_of(whole, self.mac))

    def _release(self, key: tuple[int, int]) -> None:
        """A node holds a part of the message no longer; what nobody holds and has not arrived is lost."""
        message = self._messages.get(key)
        if message is not None:
            message.held -= 1
            if message.held == 0 and not message.done.triggered:
                message.done.succeed(None)

    def retune(self, quality: LinkQuality) -> None:
        """Links are as this table says from now on; meters outside that now have a usable way start to join."""
        self.links = CellLinks.of(self._paths, quality, self._site, self._robust_threshold_db)
        self._line.retune(self.links)
        self.routing.retune(self.links)

    def fail(self, node: int) -> None:
        """The modem of a node goes silent."""
        index = self.links.index(node)
        self.modems[index].alive = False
        self.routing.fail(index)

    def restore(self, node: int) -> None:
        """The modem of a node that was silent boots again."""
        index = self.links.index(node)
        self.modems[index].reset()
        self.modems[index].alive = True
        self.routing.restore(index)

    def cold_start(self, nodes: Sequence[int]) -> None:
        """These nodes lose all they knew of the network and boot again."""
        members = [self.links.index(node) for node in nodes]
        for index in members:
            self.modems[index].reset()
            self.modems[index].alive = True
        self.routing.cold_start(members)

    def route(self, node: int) -> list[int]:
        """Nodes from this one to the concentrator by the present tables, both included; empty where there is no way."""
        return [int(self.links.node[index]) for index in self.routing.route(self.links.index(node))]


def _check(table: tuple[Mode, ...], mac: MacSettings, max_hops: int) -> None:
    """Refuse settings whose bytes cannot be written down."""
    check_headers(mac)
    if not 1 <= max_hops <= MOST_HOPS:
        raise ValueError(f"max_hops {max_hops} does not fit the mesh header; give 1 to {MOST_HOPS}")
    if (size := mac.tone_map_response_bytes) < LEAST_RESPONSE_BYTES:
        raise ValueError(f"tone_map_response_bytes {size} is too short; give at least {LEAST_RESPONSE_BYTES}")
    for mode in table:
        room = largest_psdu_bytes(mode) - mac.mac_overhead_bytes
        if room * 256 < FRAGMENT_BYTES or mac.mac_overhead_bytes < 9:
            raise ValueError(
                f"{mode.name} leaves {room} B of a frame to payload, too few for segments counted in one byte; "
                "notch fewer carriers or lower mac_overhead_bytes"
            )
