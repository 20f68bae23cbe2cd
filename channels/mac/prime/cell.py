"""Packet tier of PRIME 1.3.6 and 1.4: real bytes as frames over the simulated line of one base node's area."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from typing import Any

import simpy
from numpy.typing import NDArray

from ...draws import Draws
from ...paths import CablePaths
from ...phy.prime_ofdm import FRAME_TYPES
from ...technology import LinkQuality, Routes
from ..plc.medium import OnAir
from .arq import segments_of
from .base_node import BaseNode
from .csma import FrameClock
from .line import PrimeLine
from .messages import LLC, decode, requested_by
from .modem import answers_hop
from .outgoing import Message, Outgoing
from .places import Places
from .service_node import ServiceNode
from .settings import LLC_BYTES, PrimeMac
from .start import stand
from .state import State

Array = NDArray[Any]
Steps = Generator[Any, Any, Any]


class PrimeCell:
    """Base node, its meters and one shared line: the network forms, relays, breaks and heals by its own protocol.

    At the start all meters that have a route are registered and connected, with the routes' parents as switches; the
    others search. Beacons have their own slots, so nothing disturbs them; who hears them is drawn only where somebody
    must know, and they do not appear in the counters. A frame is received by those that it is meant for, at the SNR of
    the link less what others send at the same time. What a meter sends is an answer and starts ``response_s`` later.

    counters
        ``frames_sent = frames_delivered + frames_lost + frames_pending`` on all hops, and the same for payloads;
        ``crc_refused``, lost ones that arrived damaged; ``collisions``, lost ones that met others; ``retries`` are
        repetitions of segments and control packets; ``access_failures`` found the line busy too often.
    joined_s : node to the time of its last registration [s]; NaN while it has none
    """

    def __init__(
        self,
        env: simpy.Environment,
        paths: CablePaths,
        quality: LinkQuality,
        routes: Routes,
        site: int,
        draws: Draws,
        mac: PrimeMac,
        response_s: float = 0.0,
        legacy: Array | None = None,
    ) -> None:
        self.env, self.mac, self._response_s = env, mac, response_s
        self.line = PrimeLine(env, paths, quality, site, draws, mac, legacy)
        self.clock, self.base_index = FrameClock(mac), self.line.links.n - 1
        self.network = (int(paths.node_key[paths.n_meters + site]) & 0xFFFFFFFFFFFF).to_bytes(6, "big")
        names = ("sent", "delivered", "lost", "pending")
        self.counters: dict[str, int] = {f"{what}_{name}": 0 for what in ("frames", "payloads") for name in names}
        self.counters.update(retries=0, crc_refused=0, collisions=0, control_frames=0, access_failures=0)
        self.joined_s: dict[int, float] = {int(node): math.nan for node in self.line.links.node[:-1]}
        self._pending: dict[tuple[int, int], list[Message]] = {}
        self.nodes: list[ServiceNode] = []
        self.places = Places(self.base_index, lambda member: self.nodes[member].level)
        self.nodes += [ServiceNode(self, index) for index in range(self.base_index)]
        self.base = BaseNode(self, self.base_index)
        self.base.boot()
        stand(self, self.base, self.nodes, routes, site)
        self.watch_all()

    def on_line(self, sender: int, out: Outgoing, data: bytes, mode: int, kind: str, airtime_s: float) -> Steps:
        """One frame from its start to its end, and what its receivers make of it."""
        counters = self.counters
        counters["frames_sent"] += 1
        counters["frames_pending"] += 1
        counters["control_frames"] += out.packet is None or out.packet.control > 0
        frame = self.line.medium.begin(sender, airtime_s, FRAME_TYPES[kind].head_s)
        yield self.env.timeout(airtime_s)
        counters["frames_pending"] -= 1
        takers = self._takers(sender, out) if self.station(sender).alive else []
        fates = [self._receive(frame, receiver, out, data, mode, kind) for receiver in takers]
        if any(taken for taken, _, _ in fates):
            counters["frames_delivered"] += 1
            return
        counters["frames_lost"] += 1
        counters["crc_refused"] += any(damaged for _, damaged, _ in fates)
        counters["collisions"] += any(met for _, _, met in fates)
        if out.message is not None:
            self.settle(out.message, False)

    def _takers(self, sender: int, out: Outgoing) -> list[int]:
        """Members that a frame is meant for."""
        if out.packet is None:
            return [k for k, node in enumerate(self.nodes) if node.joined and self.line.understands(sender, k)]
        return [out.peer] if answers_hop(out.packet) else self.places.takers(sender, out.packet)

    def _receive(
        self, frame: OnAir, receiver: int, out: Outgoing, data: bytes, mode: int, kind: str
    ) -> tuple[bool, bool, bool]:
        """Whether one receiver has the frame, which is then handed to it; got it damaged; heard others meanwhile."""
        station = self.station(receiver)
        if not station.alive:
            return False, False, False
        arrived, met = self.line.arrives(frame, receiver, data, mode, kind)
        taken = arrived is not None and self._hand_over(arrived, frame.sender, station, out)
        return taken, arrived is not None and not taken, met

    def _hand_over(self, data: bytes, sender: int, station: BaseNode | ServiceNode, out: Outgoing) -> bool:
        """Give a station what it received; False where a check sequence does not fit."""
        if out.packet is None:
            needy = requested_by(data)
            if needy is not None and isinstance(station, ServiceNode):
                station.offers.heard(needy, self.line.usable_mode(sender, station.index))
            return needy is not None
        packet = decode(data, self.network)
        if packet is not None:
            station.take(packet, sender, out.message)
        return packet is not None

    def station(self, index: int) -> BaseNode | ServiceNode:
        """Base node or service node of a member."""
        return self.base if index == self.base_index else self.nodes[index]

    def place_of(self, member: int) -> tuple[int, int]:
        """Level and identity that the beacons of a member tell."""
        return (0, 0) if member == self.base_index else (self.nodes[member].level, self.nodes[member].relay.own)

    def silence(self, member: int) -> None:
        """A member sends no more beacons; those that hang on it will miss them."""
        if self.places.silence(member):
            self.watch_all(member)

    def watch_all(self, parent: int = -1) -> None:
        """Draw anew when nodes take their switch for gone; of one switch, or of all (-1)."""
        for node in self.nodes:
            if node.joined and (parent < 0 or node.parent == parent):
                node.watch.beacons()

    def wake(self) -> None:
        """Nodes without a switch may hear beacons that were not there before."""
        for node in self.nodes:
            node.search.wake()

    def number(self, index: int) -> int:
        """Node number of a member."""
        return int(self.line.links.node[index])

    def send(self, source: int, destination: int, payload: bytes) -> Any:
        """A SimPy process that ends with the bytes as they arrived, or with None when they were lost.

        Parameters
        ----------
        source, destination
            Node numbers; one is the concentrator, the other a meter of its area.
        payload
            At least one byte; at most what a message has segments for.

        Raises ValueError where the payload does not fit, a node is not of this area, or none is the concentrator. A
        message of or to a node that is not registered and connected is lost at once.
        """
        if not payload:
            raise ValueError("an empty payload cannot be sent; give at least one byte")
        segments_of(bytes(len(payload) + LLC_BYTES), self.mac.segment_payload_bytes)
        ends = self.line.links.index(source), self.line.links.index(destination)
        if (ends[0] == self.base_index) == (ends[1] == self.base_index):
            raise ValueError(f"nodes {source} and {destination} have no connection; one end must be the concentrator")
        message = Message(*ends, payload, self.env.event())
        self._pending.setdefault(ends, []).append(message)
        self.counters["payloads_sent"] += 1
        self.counters["payloads_pending"] += 1
        return self.env.process(self._send(message))

    def _send(self, message: Message) -> Steps:
        if message.source == self.base_index:
            self.base.carry(message, message.destination)
        else:
            yield self.env.timeout(self._response_s)
            self.nodes[message.source].carry(message)
        arrived = yield message.done
        return arrived

    def framed(self, data: bytes, source: int, destination: int) -> bytes:
        """Data behind the header of its convergence layer: control byte and the two addresses."""
        return LLC + bytes((source, destination)) + data

    def delivered(self, source: int, destination: int, data: bytes) -> None:
        """A message came out at its destination; one that was given up before counts no more."""
        data = data[LLC_BYTES:]
        for message in self._pending.get((source, destination), []):
            if message.data == data:
                self.settle(message, True)
                return

    def settle(self, message: Message, arrived: bool) -> None:
        """A message has met its fate; only the first one counts."""
        if message.settled:
            return
        message.settled = True
        self._pending[message.source, message.destination].remove(message)
        self.counters["payloads_pending"] -= 1
        self.counters["payloads_delivered" if arrived else "payloads_lost"] += 1
        message.done.succeed(message.data if arrived else None)

    def settle_unseen(self, message: Message) -> None:
        """The sender is done with a message: what has not arrived by now is lost."""
        self.settle(message, False)

    def retune(self, quality: LinkQuality) -> None:
        """Links are as this table says from now on."""
        self.line.retune(quality)
        self.watch_all()
        self.wake()

    def fail(self, node: int) -> None:
        """The modem of a node goes silent."""
        station = self.station(self.line.links.index(node))
        station.forget()
        station.modem.alive = False

    def restore(self, node: int) -> None:
        """The modem of a node that was silent boots again."""
        self._boot(self.line.links.index(node))

    def _boot(self, member: int) -> None:
        if member == self.base_index:
            self.base.boot()
        else:
            self.nodes[member].boot(self.mac.forming.boot_spread_s)

    def cold_start(self, nodes: Sequence[int]) -> None:
        """These nodes lose all they knew of the network and boot again."""
        for node in nodes:
            self._boot(self.line.links.index(node))

    def route(self, node: int) -> list[int]:
        """Nodes from this one to the concentrator by the present tables, both included; empty where there is no way."""
        way = [self.line.links.index(node)]
        while way[-1] != self.base_index:
            here = self.nodes[way[-1]]
            above = here.parent
            works = here.joined and (above == self.base_index or self.nodes[above].state is State.SWITCH)
            if not works or above in way:
                return []
            way.append(above)
        return [self.number(index) for index in way] if self.base.alive else []
