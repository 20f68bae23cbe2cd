"""Fast tier of G3-PLC: what each leg of an exchange costs over its route.

A message is cut into fragments, each of which goes from hop to hop by itself. Costs are worked out once for every size
of message and every link of the tree, added up along the routes, and looked up for the legs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...paths import CablePaths
from ...phy.g3_ofdm import Mode
from ...technology import UP, Exchanges, LinkQuality, Routes
from ..plc.exchange import LegCost
from .chain import chain_wait_s
from .framing import FragmentTable, MacSettings, fragment_sizes_bytes, fragment_table, waits_s
from .freshness import Search, response_s, search_cost, stale_ratio
from .hop import HopCost, LinkEnds, fragment_cost, link_ends, towards

Array = NDArray[Any]


@dataclass(frozen=True)
class G3Net:
    """What a G3-PLC network is made of, for the fast tier.

    table, mac : modes and MAC constants;  search : waits of the search for routes
    response_s : time a meter takes to answer [s]
    parallel : exchanges side by side
    idle_before_s, route_ttl_s : time for which routes and tone maps were not used before, validity of routes [s]
    """

    table: tuple[Mode, ...]
    mac: MacSettings
    search: Search
    response_s: float
    parallel: int
    idle_before_s: float
    route_ttl_s: float


@dataclass(frozen=True)
class Kinds:
    """The different messages of all exchanges: size, direction, and whether it opens its direction in an exchange.

    bytes, up : (n_kinds,);  service : (n_kinds,) of a message that opens its direction, -1 for the others
    kind : (n_legs,) kind of each leg
    """

    bytes: Array
    up: Array
    service: Array
    kind: Array

    @classmethod
    def of(cls, exchanges: Exchanges) -> Kinds:
        """From the legs; the first leg of each direction in an exchange opens it."""
        up = exchanges.direction == UP
        _, name = np.unique(exchanges.exchange, return_inverse=True)
        _, first = np.unique(2 * name + up, return_index=True)
        opens = np.zeros(up.size, bool)
        opens[first] = True
        n = len(exchanges.services) + 1
        code = (exchanges.bytes.astype(np.int64) * 2 + up) * n + np.where(opens, exchanges.service + 1, 0)
        known, kind = np.unique(code, return_inverse=True)
        return cls(known // (2 * n), known // n % 2 == 1, known % n - 1, np.asarray(kind))


@dataclass(frozen=True)
class TreeLinks:
    """The link of each meter to its parent both ways, and the order in which routes are added up.

    up, down : `hop.LinkEnds` (n_meters,);  levels : meters by number of hops, from 1
    parent : (n_meters,) next meter, -1 for a concentrator or none
    """

    up: LinkEnds
    down: LinkEnds
    levels: tuple[Array, ...]
    parent: Array

    @classmethod
    def of(cls, net: G3Net, routes: Routes, paths: CablePaths, quality: LinkQuality) -> TreeLinks:
        """From the routes of one moment."""
        meter = np.arange(paths.n_meters)
        along = towards(paths, routes.link, meter)
        sides = [link_ends(net.table, net.mac, quality, routes.link, side) for side in (along, ~along)]
        levels = tuple(np.flatnonzero(routes.hops == hops) for hops in range(1, int(routes.hops.max(initial=0)) + 1))
        return cls(sides[0], sides[1], levels, np.where(routes.parent < paths.n_meters, routes.parent, -1))

    def along(self, column: Array, combine: np.ufunc) -> Array:
        """``column`` (n_meters,) of each meter combined with that of all meters on its way."""
        total = np.array(column)
        for level in self.levels[1:]:
            total[level] = combine(total[level], total[self.parent[level]])
        return total


def leg_costs(net: G3Net, exchanges: Exchanges, routes: Routes, paths: CablePaths, quality: LinkQuality) -> LegCost:
    """Every leg over all hops of its meter's route, tone maps and routes as old as polling in turn leaves them.

    Parameters
    ----------
    net : see `G3Net`;  exchanges, routes, paths, quality : as in the protocol, of one moment

    Returns
    -------
    LegCost, (n_legs,) columns. Losses of different frames are independent; senders of one message contend, those of
    different messages do not (several exchanges at a time are the concern of the polling).
    """
    kinds, tree = Kinds.of(exchanges), TreeLinks.of(net, routes, paths, quality)
    cut = _cut(net, kinds.bytes)
    hops = Fragments(net, cut, tree.up), Fragments(net, cut, tree.down)
    known = [_route_cost(net, kinds, tree, routes, hops, row) for row in range(kinds.bytes.size)]
    fresh = _looked_up(known, kinds, exchanges)
    stale = _stale_share(net, exchanges, fresh, tree, routes)
    # only what opens an exchange can meet tone maps that are stale
    opens = np.flatnonzero(kinds.service >= 0)
    for row in opens.tolist():
        known[row] = _route_cost(net, kinds, tree, routes, hops, row, stale)
    return _with_search(net, _looked_up(known, kinds, exchanges), exchanges, routes)


def direct_airtime_s(net: G3Net, exchanges: Exchanges, link: Array, paths: CablePaths, quality: LinkQuality) -> Array:
    """Line time of every leg over one hop on a given link of its meter; without a mode, as the robust mode that works.

    Parameters
    ----------
    link : (n_meters,) rows of the paths, -1 for none

    Returns
    -------
    (n_legs,) [s].
    """
    kinds = Kinds.of(exchanges)
    along = towards(paths, link, np.arange(paths.n_meters))
    cut, seconds = _cut(net, kinds.bytes), np.zeros((kinds.bytes.size, paths.n_meters))
    for row, upward in enumerate(kinds.up):
        ends = link_ends(net.table, net.mac, quality, link, along if upward else ~along)
        dead = ends.mode < 0
        good = [np.where(dead, np.inf, one) for one in (ends.snr_db, ends.robust_db, ends.robust_back_db)]
        hop = Fragments(net, cut, LinkEnds(np.where(dead, 0, ends.mode), *good))
        cost = _message(net, hop, int(kinds.bytes[row]))
        seconds[row] = cost.channel_s
    return np.asarray(seconds[kinds.kind, exchanges.meter])


def relayed_s(net: G3Net, exchanges: Exchanges, routes: Routes, paths: CablePaths, quality: LinkQuality) -> Array:
    """Line time that each node spends on passing on what is not its own, in one period, (n_meters + n_sites,) [s].

    A relay sends upwards over its own link and downwards over the links of the meters below.
    """
    kinds, tree = Kinds.of(exchanges), TreeLinks.of(net, routes, paths, quality)
    cut, total = _cut(net, kinds.bytes), np.zeros(paths.n_meters + paths.n_sites)
    up, down = Fragments(net, cut, tree.up), Fragments(net, cut, tree.down)
    for row in range(kinds.bytes.size):
        hop_s = _message(net, up if kinds.up[row] else down, int(kinds.bytes[row])).channel_s
        own = np.bincount(exchanges.meter[kinds.kind == row], minlength=paths.n_meters).astype(float)
        below = own.copy()
        for level in reversed(tree.levels[1:]):
            np.add.at(below, tree.parent[level], below[level])
        if kinds.up[row]:
            total[: paths.n_meters] += hop_s * (below - own)
        else:
            inner = np.flatnonzero((tree.parent >= 0) & (routes.server >= 0))
            np.add.at(total, tree.parent[inner], hop_s[inner] * below[inner])
    return total


def _cut(net: G3Net, message_bytes: Array) -> FragmentTable:
    sizes = {size for one in message_bytes for size in fragment_sizes_bytes(int(one), net.mac)}
    return fragment_table(sizes, net.table, net.mac)


class Fragments:
    """Fragments over the same hops; what one costs is worked out once per size."""

    def __init__(self, net: G3Net, cut: FragmentTable, ends: LinkEnds) -> None:
        self.net, self.cut, self.ends = net, cut, ends
        self._known: dict[tuple[int, bool], HopCost] = {}

    def cost(self, size_bytes: int, *, robust: bool = False) -> HopCost:
        """See `hop.fragment_cost`."""
        if (size_bytes, robust) not in self._known:
            row = self.cut.row(size_bytes)
            found = fragment_cost(self.net.table, self.cut, row, self.ends, self.net.mac, robust=robust)
            self._known[size_bytes, robust] = found
        return self._known[size_bytes, robust]


def _message(net: G3Net, hops: Fragments, message_bytes: int, stale: Array | None = None) -> HopCost:
    """All fragments of a message over many hops, one after another; the first one robust where tone maps are stale."""
    pieces = fragment_sizes_bytes(message_bytes, net.mac)
    n, parts = hops.ends.mode.size, []
    for size in dict.fromkeys(pieces):
        parts.append((pieces.count(size), hops.cost(size)))
    total = [np.ones(n), *np.zeros((4, n))]
    for count, one in parts:
        total[0] *= one.success**count
        for place, name in enumerate(("time_s", "variance_s2", "channel_s", "frames"), start=1):
            total[place] += count * getattr(one, name)
    if stale is not None:
        robust = hops.cost(pieces[0], robust=True)
        usual = parts[0][1]
        asked_s = response_s(net.table, net.mac)
        there = hops.ends.mode >= 0
        total[0] *= 1 + stale * (robust.success / np.maximum(usual.success, 1e-300) - 1)
        total[1] += stale * (robust.time_s - usual.time_s)
        total[2] += stale * (1 - stale) * (robust.time_s - usual.time_s) ** 2
        total[3] += stale * np.where(there, robust.channel_s - usual.channel_s + asked_s, 0.0)
        total[4] += stale * np.where(there, robust.frames - usual.frames + 1, 0.0)
    return HopCost(*total)


def _route_cost(
    net: G3Net,
    kinds: Kinds,
    tree: TreeLinks,
    routes: Routes,
    hops: tuple[Fragments, Fragments],
    row: int,
    stale: Array | None = None,
) -> HopCost:
    """One kind of message over the route of every meter, (n_meters,) columns; ``hops`` upwards and downwards."""
    upward, service = bool(kinds.up[row]), int(kinds.service[row])
    asks = stale[service] if stale is not None and service >= 0 else None
    hop = _message(net, hops[0 if upward else 1], int(kinds.bytes[row]), asks)
    n_fragments = len(fragment_sizes_bytes(int(kinds.bytes[row]), net.mac))
    success = tree.along(hop.success, np.multiply)
    time_s, variance_s2 = tree.along(hop.time_s, np.add), tree.along(hop.variance_s2, np.add)
    # a hop is used where the hops before it have passed the message on
    if upward:
        passed = tree.along(hop.success, np.multiply)
        passed_s = _upwards(tree, hop.success, hop.channel_s)
        passed_frames = _upwards(tree, hop.success, hop.frames)
    else:
        passed = np.where(tree.parent >= 0, success[np.maximum(tree.parent, 0)], 1.0)
        passed_s, passed_frames = tree.along(passed * hop.channel_s, np.add), tree.along(passed * hop.frames, np.add)
    time_s = _on_one_line(net, routes.hops, n_fragments, time_s, passed_frames)
    if asks is not None:
        time_s += _waits_for_maps(net, tree, asks, upward, n_fragments)
    served = routes.server >= 0
    columns = (success, time_s, variance_s2, passed_s, passed_frames)
    return HopCost(*(np.where(served, column, 0.0) for column in columns))


def _upwards(tree: TreeLinks, success: Array, column: Array) -> Array:
    """``column`` of each meter, and of those on its way as far as the message gets, (n_meters,)."""
    total = np.array(column)
    for level in tree.levels[1:]:
        total[level] += success[level] * total[tree.parent[level]]
    return total


def _on_one_line(net: G3Net, hops: Array, n_fragments: int, alone_s: Array, segments: Array) -> Array:
    """Time of a message when its fragments travel behind each other, (n_meters,) [s].

    Parameters
    ----------
    hops : (n_meters,);  alone_s : (n_meters,) all fragments over all hops, each as a lone sender's [s]
    segments : (n_meters,) frames of them
    """
    mac, plan = net.mac, net.mac.plan
    lead_s = float(waits_s(1, mac)[0][0]) - plan.gap_s
    total_s = np.array(alone_s)
    for n_hops in np.unique(hops[hops > 0]).tolist():
        at, times = hops == n_hops, n_fragments * n_hops
        if n_fragments == 1 or n_hops == 1:
            total_s[at] += n_hops * mac.processing_s
            continue
        burst_s = np.maximum(alone_s[at] / times - lead_s - plan.gap_s, 0.0)
        each_s = burst_s * times / np.maximum(segments[at], 1e-9)
        total_s[at] = times * burst_s + chain_wait_s(n_fragments, n_hops, burst_s, each_s, mac)
    return total_s


def _waits_for_maps(net: G3Net, tree: TreeLinks, stale: Array, upward: bool, n_fragments: int) -> Array:
    """Time for which a message, or what follows it, waits behind tone maps that were asked for, (n_meters,) [s].

    At the end of the route the map is on the line while the next fragment of the message would still wait for its slot.
    """
    asked_s = response_s(net.table, net.mac)
    relay_s = stale * max(asked_s - net.mac.processing_s, 0.0)
    idle_s = 0.0 if upward else net.response_s
    last_s = stale * max(asked_s - net.mac.processing_s - idle_s, 0.0) * (n_fragments == 1)
    if upward:
        return tree.along(np.where(tree.parent >= 0, relay_s, last_s), np.add)
    total = tree.along(relay_s, np.add)
    return np.asarray(total - relay_s + last_s)


def _looked_up(costs: list[HopCost], kinds: Kinds, exchanges: Exchanges) -> LegCost:
    """Columns of the legs from those of each kind of message."""

    def column(name: str) -> Array:
        return np.asarray(np.stack([getattr(cost, name) for cost in costs])[kinds.kind, exchanges.meter])

    if not costs:
        return LegCost(*np.zeros((5, 0)))
    return LegCost(*(column(name) for name in ("success", "time_s", "variance_s2", "channel_s", "frames")))


def _stale_share(net: G3Net, exchanges: Exchanges, cost: LegCost, tree: TreeLinks, routes: Routes) -> Array:
    """Share of the exchanges over each meter's link that find no valid tone map, (n_services, n_meters).

    Services are read one after another, so each has a period of its own in which its uses of a link are spread.
    """
    n, n_services, n_sites = routes.server.size, len(exchanges.services), int(routes.server.max(initial=0)) + 1
    patience_s = np.where(np.isfinite(exchanges.timeout_s), exchanges.timeout_s, 0.0)
    spent_s = cost.time_s + (1 - cost.success) * patience_s + net.response_s * (exchanges.direction == UP)
    served = routes.server >= 0
    ratio = np.zeros((n_services, n))
    for service in np.argsort(exchanges.window_s, kind="stable"):
        rows = np.flatnonzero((exchanges.service == service) & served[exchanges.meter])
        uses = np.bincount(exchanges.meter[rows[exchanges.leg[rows] == 0]], minlength=n).astype(float)
        for level in reversed(tree.levels[1:]):
            np.add.at(uses, tree.parent[level], uses[level])
        server = routes.server[exchanges.meter[rows]]
        total_s = np.bincount(server, spent_s[rows], n_sites) / net.parallel
        period_s = np.maximum(total_s, np.bincount(server, cost.channel_s[rows], n_sites))
        period_s = np.maximum(period_s[np.maximum(routes.server, 0)], 1e-9)
        ratio[service] = np.where(served & (uses > 0), _stale_uses(net, uses, period_s), 0.0)
    return ratio


def _stale_uses(net: G3Net, uses: Array, period_s: Array) -> Array:
    """`stale_ratio` where maps may be valid when the period begins."""
    left = np.maximum(1 - max(net.mac.tone_map_ttl_s - net.idle_before_s, 0.0) / period_s, 0.0)
    late = np.maximum(uses * left, 1.0)
    return np.asarray(left * stale_ratio(late, net.mac.tone_map_ttl_s, np.maximum(left * period_s, 1e-9)))


def _with_search(net: G3Net, cost: LegCost, exchanges: Exchanges, routes: Routes) -> LegCost:
    """The first message for each meter waits for its route where none is as young as routes must be."""
    if net.idle_before_s <= net.route_ttl_s or exchanges.leg.size == 0:
        return cost
    turn = np.argsort(np.argsort(exchanges.window_s, kind="stable"), kind="stable")[exchanges.service]
    order = np.lexsort((np.arange(turn.size), turn, exchanges.meter))
    first = order[np.r_[True, np.diff(exchanges.meter[order]) != 0]]
    first = first[routes.server[exchanges.meter[first]] >= 0]
    meter = exchanges.meter[first]
    size = np.bincount(routes.server[routes.server >= 0], minlength=1)
    added = search_cost(net.table, net.mac, net.search, size[routes.server[meter]], routes.hops[meter].astype(float))
    columns = [np.array(cost.time_s), np.array(cost.channel_s), np.array(cost.frames)]
    for column, extra in zip(columns, added, strict=True):
        column[first] += extra
    return LegCost(cost.success, columns[0], cost.variance_s2, columns[1], columns[2])
