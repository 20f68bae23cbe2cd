"""A lower layer for routing tests: modems on a made graph, with airtime and losses but without contention."""

import numpy as np
import simpy
from amiplan.channels.mac.g3.join_network import G3Network
from amiplan.channels.mac.plc.cell_links import CellLinks
from amiplan.channels.routing.link_cost import CostWeights
from amiplan.channels.routing.loadng_links import LinkCosts

COSTS = LinkCosts(CostWeights(), np.array([True]), np.array([3]), np.array([1.0]))


class FakeLine:
    """Links by LQI: ``quality[s, r]`` is 0 where r does not hear s. ``loss`` is the chance that one frame is lost."""

    def __init__(self, env, quality, rng, loss=0.0, frame_s=0.08, tries=6):
        self.env, self.quality, self.rng = env, np.asarray(quality), rng
        self.loss, self.frame_s, self.tries = loss, frame_s, tries
        self.sent = []
        self.modems = [FakeModem(self, index) for index in range(len(self.quality))]

    def reaches(self, sender, receiver):
        here, there = self.modems[sender], self.modems[receiver]
        return here.alive and there.alive and self.quality[sender, receiver] > 0

    def lost(self):
        return self.loss > 0 and self.rng.random() < self.loss


class FakeModem:
    """One member: what it says is heard a frame later."""

    def __init__(self, line, index):
        self.line, self.index, self.alive, self.outside = line, index, True, False
        self.received = lambda sender, payload, lqi: None

    def reset(self):
        """There is no neighbour table to forget."""

    def reverse_lqi(self, neighbour):
        return int(self.line.quality[self.index, neighbour]) or None

    def unicast(self, receiver, payload, *, high_priority=False):
        return self.line.env.process(self._unicast(receiver, payload))

    def broadcast(self, payload):
        return self.line.env.process(self._broadcast(payload))

    def take(self, sender, payload):
        if self.outside and payload[0] != 3:
            return False
        self.received(sender, payload, int(self.line.quality[sender, self.index]))
        return True

    def _unicast(self, receiver, payload):
        line = self.line
        for _ in range(line.tries):
            if not self.alive:
                return False
            yield line.env.timeout(line.frame_s)
            line.sent.append((line.env.now, self.index, receiver, payload))
            if line.reaches(self.index, receiver) and not line.lost():
                return line.modems[receiver].take(self.index, payload)
        return False

    def _broadcast(self, payload):
        line = self.line
        yield line.env.timeout(line.frame_s)
        line.sent.append((line.env.now, self.index, -1, payload))
        for other in line.modems:
            if other is not self and line.reaches(self.index, other.index) and not line.lost():
                other.take(self.index, payload)


def random_quality(n, rng, degree=5.0):
    """Symmetric LQI of a random connected graph: nodes on a strip, near ones hear each other, in mixed order."""
    place = np.sort(rng.random(n)) * n / degree
    distance = np.abs(place[:, None] - place[None, :])
    lqi = np.triu(np.clip(140 - 90 * distance + rng.normal(0, 15, (n, n)), 0, 255), 1)
    lqi = (lqi + lqi.T).astype(int)
    for first in range(n - 1):
        lqi[first, first + 1] = lqi[first + 1, first] = max(lqi[first, first + 1], 60)
    lqi[lqi < 30] = 0
    order = rng.permutation(n)
    return lqi[np.ix_(order, order)]


def network(quality, seed=1, loss=0.0, loadng=None, join=None):
    """Environment, line and network, all members but the last outside and silent."""
    quality, rng = np.asarray(quality), np.random.default_rng(seed)
    env, n = simpy.Environment(), len(quality)
    line = FakeLine(env, quality, rng, loss)
    with np.errstate(divide="ignore"):
        snr = np.where(quality > 0, quality / 4 - 10, -np.inf)
    links = CellLinks(np.arange(n), snr, snr, np.where(quality > 0, 0, -1).astype(np.int8))
    net = G3Network(env, line.modems, links, range(1000, 1000 + n), COSTS, rng.random, loadng, join)
    for modem in line.modems:
        modem.received = lambda sender, payload, lqi, node=modem.index: net.heard(node, sender, payload, lqi)
    return env, line, net


def warm_network(quality, parent=None, **options):
    """The same with everybody inside, with the routes of a tree or, without one, with none."""
    env, line, net = network(quality, **options)
    if parent is None:
        for node in range(len(line.modems)):
            net.join.inside(node, 0.0)
    else:
        net.warm(parent)
    return env, line, net


def looped(net, destination, now_s):
    """Nodes from which the present tables lead round in a circle, routes that no reply confirmed included."""
    tables, caught = [node.table for node in net.routing.nodes], []
    for start in range(len(tables)):
        seen, here = {start}, start
        while here != destination and (here := tables[here].hop(destination, now_s, unconfirmed=True)) >= 0:
            if here in seen:
                caught.append(start)
                break
            seen.add(here)
    return caught
