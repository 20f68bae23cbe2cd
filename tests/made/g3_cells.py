"""Small G3-PLC cells with given links, for tests of the packet tier."""

from dataclasses import replace

import numpy as np
import simpy
from amiplan.channels.draws import Draws
from amiplan.channels.mac.g3.cell import G3Cell
from amiplan.channels.mac.g3.csma import CsmaSettings
from amiplan.channels.paths import CablePaths
from amiplan.channels.phy.g3_ofdm import threshold_db
from amiplan.channels.powerline.g3_parameters import G3Parameters
from amiplan.channels.technology import LinkQuality, Reason, Routes

TECH = G3Parameters()
PLAIN = CsmaSettings(min_cw_attempts=255)
"""No turn of the largest window for who is always successful: a lone sender draws from the smallest."""


def made_links(n_meters, links, tech=TECH):
    """Paths and quality of one area: ``links`` maps (meter, other or concentrator) to (margin up, down, mode up, down).

    The concentrator is node ``n_meters``. Margins are those of the robust mode; the SNR is flat over the carriers.
    """
    first = np.array([a for a, _ in links], int)
    second = np.array([b for _, b in links], int)
    up, down, mode_up, mode_down = (np.array(column) for column in zip(*links.values(), strict=True))
    empty, n = np.zeros(0, int), n_meters
    paths = CablePaths(
        empty, empty, np.zeros(0), empty, (), np.zeros(1, int), np.zeros(n, int), np.zeros(1, int), np.ones(1),
        np.ones(n, int), first, second, np.full(first.size, 50.0), np.arange(n + 1).astype(np.uint64), n, 1,
    )  # fmt: skip
    floor = threshold_db(tech.table[0], tech.implementation_loss_db)
    rate = np.full(first.size, 5592.0)
    quality = LinkQuality(
        *(up + floor, down + floor, up * 1.0, down * 1.0),
        *(mode_up.astype(np.int8), mode_down.astype(np.int8), rate, rate, np.zeros(first.size)),
        *(np.zeros(first.size, np.int8), np.ones(first.size, bool)),
    )
    return paths, quality


def alike(pairs, margin_db=30.0, mode=0):
    """Links that are all the same, both ways."""
    return dict.fromkeys(pairs, (margin_db, margin_db, mode, mode))


def fewest_hops(paths, quality):
    """Routes to the concentrator with the fewest hops, of equal ones over the lowest node."""
    n = paths.n_meters
    hops, parent, link = np.full(n + 1, 99), np.full(n, -1), np.full(n, -1)
    hops[n] = 0
    for _ in range(n):
        for row in np.flatnonzero(quality.usable):
            for a, b in ((paths.from_node[row], paths.to_node[row]), (paths.to_node[row], paths.from_node[row])):
                if a < n and hops[b] + 1 < hops[a]:
                    hops[a], parent[a], link[a] = hops[b] + 1, b, row
    served = hops[:n] < 99
    none = np.zeros(0, int)
    return Routes(
        *(np.where(served, 0, -1), parent, link, np.where(served, hops[:n], 0)),
        *(np.zeros(n + 1, int), none, np.where(served, Reason.NONE, Reason.NO_NEIGHBOUR)),
    )


def made_cell(n_meters, links, tech=TECH, *, seed=1, csma=PLAIN, maps_known=True, routes=None, **settings):
    """Environment and cell over `made_links`; tone maps are known from the start unless told otherwise."""
    paths, quality = made_links(n_meters, links, tech)
    env = simpy.Environment()
    routes = fewest_hops(paths, quality) if routes is None else routes
    mac = replace(tech.mac, csma=csma, **({"tone_map_ttl_s": 1e6} if maps_known else {}))
    usual = {"response_s": 0.0, "max_hops": 8, "map_age_s": 3600.0}
    return env, G3Cell(env, paths, quality, routes, 0, Draws(seed), tech.table, mac, **{**usual, **settings})


def ask(env, cell, source, destination, payload):
    """What arrives of one payload."""
    process = cell.send(source, destination, payload)
    env.run(process)
    return process.value


def balanced(counters):
    """Whether everything sent has met its fate or is under way."""
    for what in ("frames", "payloads"):
        parts = sum(counters[f"{what}_{fate}"] for fate in ("delivered", "lost", "pending"))
        assert counters[f"{what}_sent"] == parts
