"""A cell of the packet tier in three lines of physics: for tests of what is done with cells."""

from dataclasses import dataclass

import numpy as np
import simpy
from amiplan.channels.technologies.g3_plc import G3Plc

BOOT_S, RATE_BPS = 10.0, 8000.0


class ToyCell:
    """Every meter boots in ``BOOT_S`` for each hop, every byte takes its time, and the line carries one thing."""

    def __init__(self, env, routes, site_node, lost=()):
        self.env, self.routes, self.site_node = env, routes, site_node
        self.joined_s = {int(node): 0.0 for node in np.flatnonzero(routes.hops > 0)}
        self.silent, self.lost = set(), set(lost)
        self.line = simpy.Resource(env)
        self.counters = {"control_frames": 0, "payloads_sent": 0}

    def send(self, source, destination, payload):
        self.counters["payloads_sent"] += 1
        return self.env.process(self._send(source, destination, payload))

    def _send(self, source, destination, payload):
        meter = min(source, destination)
        with self.line.request() as turn:
            yield turn
            yield self.env.timeout(8 * len(payload) * len(self.route(meter)[1:]) / RATE_BPS)
        gone = {source, destination, *self.route(meter)} & (self.silent | self.lost)
        return None if gone or not np.isfinite(self.joined_s[meter]) else payload

    def route(self, node):
        ways = [int(node)]
        while ways[-1] not in (self.site_node, -1):
            ways.append(int(self.routes.parent[ways[-1]]))
        return ways

    def retune(self, quality):
        pass

    def fail(self, node):
        self.silent.add(node)

    def restore(self, node):
        self.silent.discard(node)

    def cold_start(self, nodes):
        for node in nodes:
            self.joined_s[node] = np.nan
            self.env.process(self._boot(node))

    def _boot(self, node):
        if self.route(node)[-1] < 0:
            return
        yield self.env.timeout(BOOT_S * len(self.route(node)[1:]))
        self.counters["control_frames"] += 1
        self.joined_s[node] = self.env.now


@dataclass(frozen=True)
class ToyPlc(G3Plc):
    """G3-PLC with that cell."""

    def open_cell(self, env, paths, quality, routes, site, draws):
        return ToyCell(env, routes, paths.n_meters + site)
