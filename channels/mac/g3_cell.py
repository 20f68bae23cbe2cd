"""Packet tier of G3-PLC: real bytes as frames over the simulated links of one concentrator's cell."""

from __future__ import annotations

import binascii
from collections.abc import Generator
from itertools import pairwise
from typing import Any

import numpy as np
import simpy
from numpy.typing import NDArray

from ..draws import Draws
from ..paths import CablePaths
from ..phy.g3_ofdm import Mode, airtime_s, payload_error_ratio
from ..technology import LinkQuality, Routes
from .g3_exchange import link_ends
from .g3_framing import HIGH_PRIORITY_SLOTS, MAX_BACKOFFS, MacSettings, fragment_sizes_bytes, segment_sizes_bytes

Array = NDArray[Any]
Steps = Generator[Any, Any, Any]

FCS_BYTES = 2


def with_fcs(data: bytes) -> bytes:
    """Data followed by its frame check sequence, CRC-16 with polynomial x16+x12+x5+1.

    >>> with_fcs(b"123456789").hex()[-4:]
    '31c3'
    """
    return data + binascii.crc_hqx(data, 0).to_bytes(FCS_BYTES, "big")


def checked(frame: bytes) -> bytes | None:
    """Data of a frame whose check sequence fits; None for a damaged one."""
    data, fcs = frame[:-FCS_BYTES], frame[-FCS_BYTES:]
    return data if binascii.crc_hqx(data, 0).to_bytes(FCS_BYTES, "big") == fcs else None


class G3Cell:
    """Concentrator, its meters and one shared line; frames are cut, sent, damaged, refused, repeated and acknowledged.

    The channel is one for the whole cell: a node that senses it busy backs off again. Two nodes never start in the
    same slot, so frames do not collide; concentrators poll, and what neighbours' cells send is not heard. What a meter
    sends is an answer and starts ``response_s`` later.

    counters
        ``frames_sent = frames_delivered + frames_lost + frames_pending``; ``crc_refused`` are those of the lost that
        arrived damaged; ``retries``; ``payloads_sent = payloads_delivered + payloads_lost + payloads_pending``.
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
        response_s: float = 0.0,
    ) -> None:
        self.env, self._response_s = env, response_s
        self.site_node = paths.n_meters + site
        self._paths, self._quality, self._routes = paths, quality, routes
        self._site, self._table, self._mac = site, table, mac
        self._channel = simpy.Resource(env, capacity=1)
        self._rng = draws.generator(f"g3 cell {int(paths.node_key[self.site_node])}")
        names = ("sent", "delivered", "lost", "pending")
        self.counters: dict[str, int] = {f"{what}_{name}": 0 for what in ("frames", "payloads") for name in names}
        self.counters.update(retries=0, crc_refused=0)

    def send(self, source: int, destination: int, payload: bytes) -> Any:
        """A SimPy process that ends with the bytes as they arrived, or with None when they were lost.

        Parameters
        ----------
        source, destination
            Node numbers; both are meters served by this cell or its concentrator.
        payload
            At least one byte.

        Raises ValueError where the payload is empty or a node has no route in this cell.
        """
        if not payload:
            raise ValueError("an empty payload cannot be sent; give at least one byte")
        way = self.path(source, destination)
        self._count("payloads_sent", "payloads_pending")
        return self.env.process(self._send(way, payload))

    def path(self, source: int, destination: int) -> list[int]:
        """Nodes from source to destination along the tree of routes, both included."""
        up, down = self._ascent(source), self._ascent(destination)
        while len(up) > 1 and len(down) > 1 and up[-2] == down[-2]:
            up.pop()
            down.pop()
        return up + down[-2::-1]

    def _ascent(self, node: int) -> list[int]:
        """Nodes from a meter to the concentrator."""
        nodes = [int(node)]
        while nodes[-1] != self.site_node:
            here = nodes[-1]
            if not 0 <= here < self._paths.n_meters or self._routes.server[here] != self._site:
                raise ValueError(
                    f"node {node} has no route in the cell of site {self._site}; send to a meter it serves"
                )
            nodes.append(int(self._routes.parent[here]))
        return nodes

    def _count(self, *names: str) -> None:
        for name in names:
            self.counters[name] += 1

    def _settle(self, kind: str, arrived: bool) -> None:
        """A pending frame or payload has met its fate."""
        self.counters[f"{kind}_pending"] -= 1
        self._count(f"{kind}_delivered" if arrived else f"{kind}_lost")

    def _send(self, way: list[int], payload: bytes) -> Steps:
        """Fragment, carry over all hops, put together."""
        mac = self._mac
        if way[0] != self.site_node:
            yield self.env.timeout(self._response_s)
        message = bytes(mac.ip_header_bytes) + payload
        pieces, at = fragment_sizes_bytes(len(payload), mac), 0
        header = mac.mesh_header_bytes + (mac.fragment_header_bytes if len(pieces) > 1 else 0)
        fragments = []
        for size in pieces:
            fragments.append(bytes(header) + message[at : at + size - header])
            at += size - header
        for sender, receiver in pairwise(way):
            parts: list[bytes] = []
            for fragment in fragments:
                arrived = yield from self._fragment(sender, receiver, fragment)
                if arrived is None:
                    self._settle("payloads", False)
                    return None
                parts.append(arrived)
                yield self.env.timeout(mac.processing_s)
            fragments = parts
        self._settle("payloads", True)
        return b"".join(part[header:] for part in fragments)[mac.ip_header_bytes :]

    def _fragment(self, sender: int, receiver: int, fragment: bytes) -> Steps:
        """One fragment over one hop: segments in one burst, repetitions contend anew."""
        mode, errors = self._link(sender, receiver)
        overhead = self._mac.mac_overhead_bytes
        arrived, at, grant = b"", 0, None
        for number, size in enumerate(segment_sizes_bytes(len(fragment), mode, self._mac)):
            data = fragment[at : at + size - overhead]
            at += size - overhead
            frame = with_fcs(number.to_bytes(2, "big") + bytes(overhead - FCS_BYTES - 2) + data)
            taken = None
            for attempt in range(self._mac.frame_retries + 1):
                if attempt or not number:
                    grant = yield from self._contend(attempt)
                if grant is None:
                    continue
                self.counters["retries"] += attempt > 0
                got, acknowledged = yield from self._frame(frame, mode, errors)
                taken = got if got is not None else taken
                if acknowledged:
                    break
                self._channel.release(grant)
                grant = None
            if grant is None or taken is None:
                return None
            arrived += taken[overhead - FCS_BYTES :]
        if grant is not None:
            self._channel.release(grant)
        return arrived

    def _link(self, sender: int, receiver: int) -> tuple[Mode, Any]:
        """Mode of a hop and its error ratios: header, acknowledgement, and the payload's as a function of its size."""
        child = sender if sender != self.site_node and self._routes.parent[sender] == receiver else receiver
        link = np.array([self._routes.link[child]])
        along = self._paths.from_node[link] == sender
        ends = link_ends(self._table, self._mac, self._quality, link, along)
        header = float(self._mac.header_error_ratio(ends.robust_db)[0])
        back = float(self._mac.header_error_ratio(ends.robust_back_db)[0])

        def payload(size: int) -> float:
            ratio = payload_error_ratio(ends.snr_db, ends.mode, np.array([size]), self._mac.loss_db, self._table)
            return float(ratio[0])

        return self._table[int(ends.mode[0])], (header, back, payload)

    def _contend(self, attempt: int) -> Steps:
        """Back off until the channel is idle; None where it stays busy."""
        plan = self._mac.plan
        for busy in range(MAX_BACKOFFS + 1):
            exponent = min(self._mac.min_be + attempt + busy, self._mac.max_be)
            slots = HIGH_PRIORITY_SLOTS + int(self._rng.integers(1, 2**exponent, endpoint=True))
            yield self.env.timeout(plan.gap_s + slots * plan.slot_s)
            if self._channel.count == 0 and not self._channel.queue:
                request = self._channel.request()
                yield request
                return request
        return None

    def _frame(self, frame: bytes, mode: Mode, errors: Any) -> Steps:
        """One frame on the line and its acknowledgement: data as received or None, and whether the sender knows."""
        header, back, payload = errors
        self._count("frames_sent", "frames_pending")
        yield self.env.timeout(float(airtime_s(np.array(len(frame)), mode)))
        missed, damaged = self._rng.random() < header, self._rng.random() < payload(len(frame))
        data = None if missed else checked(self._damage(frame) if damaged else frame)
        self.counters["crc_refused"] += damaged and not missed and data is None
        self._settle("frames", data is not None)
        yield self.env.timeout(self._mac.plan.ack_cycle_s)
        return data, data is not None and self._rng.random() >= back

    def _damage(self, frame: bytes) -> bytes:
        """The frame as a failed decoder leaves it: one bit in sixteen flipped, at least one."""
        octets = np.frombuffer(frame, np.uint8).copy()
        places = self._rng.choice(8 * octets.size, max(1, octets.size // 2), replace=False)
        np.bitwise_xor.at(octets, places // 8, (1 << (places % 8)).astype(np.uint8))
        return octets.tobytes()
