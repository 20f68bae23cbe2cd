"""Fast tier of PRIME: what each message costs from end to end over its switches.

A message is cut into segments that go hop by hop without acknowledgement; with ARQ the far end answers every burst with
one word that travels back, and what is missing is sent again. Times of such turns come from `time.walk`, once for
each different chain of modes, and what a word ahead costs from `follow.follow`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...paths import CablePaths
from ...technology import DOWN, UP, Exchanges, LinkQuality, Routes
from ..plc.exchange import LegCost
from .collisions import Collisions, struck
from .control import Found, alive_ratios, control_of, found_busy, held_up_s
from .follow import follow
from .freshness import stale_ratios
from .hidden import Hidden, hidden
from .hops import Hops, hop_airtime_s, hops_of
from .legs import Part, opens_job, parts_of
from .neighbours import links_of
from .settings import PrimeMac
from .time import Walked, walk

Array = NDArray[Any]


def leg_costs(
    mac: PrimeMac,
    exchanges: Exchanges,
    routes: Routes,
    paths: CablePaths,
    quality: LinkQuality,
    legacy: Array,
    *,
    response_s: float,
    alone: bool = False,
) -> LegCost:
    """Every leg over the whole way of its meter.

    Parameters
    ----------
    legacy : (n_nodes,) bool, of version 1.3.6;  response_s : time a meter takes to answer [s]
    alone : leave out the control frames of others, which destroy data and hold it up

    Returns
    -------
    LegCost. Frames of one message follow each other, so that they do not contend; the far end's word on a message holds
    up its own next one; control frames hold data up and destroy what they meet unheard; the first message to a meter
    not heard of for ``robustness_s`` goes in the most robust mode.
    Raises ValueError where a message is empty or too long.
    """
    hops = hops_of(mac, routes, paths, quality, legacy)
    site = routes.server[exchanges.meter].astype(np.int64)
    if not (site >= 0).any():
        return LegCost(*np.zeros((5, exchanges.bytes.size)))
    ahead = {way: hidden(mac, paths, quality, hops, routes.server, way, legacy) for way in (UP, DOWN)}
    never = np.zeros(hops.node.shape)
    parts = parts_of(mac, exchanges, hops, routes, (never, never), None)
    fresh = _costs(mac, exchanges, parts, hops, routes, ahead, response_s)
    busy_s = _busy_s(exchanges, site, fresh, paths.n_sites)
    stale = stale_ratios(mac, exchanges, hops, routes, busy_s.sum(0))
    if alone:
        parts = parts_of(mac, exchanges, hops, routes, stale, None)
        return _costs(mac, exchanges, parts, hops, routes, ahead, response_s)
    control, links = control_of(mac, hops, routes, legacy), links_of(mac, paths, quality, legacy)
    alive = alive_ratios(mac, exchanges, busy_s)[exchanges.service, site]
    collisions = Collisions(struck(mac, links, hops, routes, control), alive)
    parts = parts_of(mac, exchanges, hops, routes, stale, collisions)
    cost = _costs(mac, exchanges, parts, hops, routes, ahead, response_s)
    found = found_busy(mac, control, links, routes, paths.n_sites)
    held_s = held_up_s(mac, Found(found.busy[:, site], found.left_s[:, site]), alive)
    return replace(cost, time_s=cost.time_s + cost.frames * held_s)


def _busy_s(exchanges: Exchanges, site: Array, cost: LegCost, n_sites: int) -> Array:
    """Time that all legs of a service take at a site, (n_services, n_sites) [s]; those without a way take none."""
    shape = len(exchanges.services), n_sites
    cell = np.maximum(exchanges.service.astype(np.int64) * n_sites + site, 0)
    return np.bincount(cell, cost.time_s, shape[0] * shape[1]).reshape(shape)


def relay_airtime_s(
    mac: PrimeMac, exchanges: Exchanges, routes: Routes, paths: CablePaths, quality: LinkQuality, legacy: Array
) -> Array:
    """Channel time that each node spends in one period on frames of others, (n_nodes,) [s]: what a switch relays."""
    hops = hops_of(mac, routes, paths, quality, legacy)
    busy_s, never = np.zeros(paths.n_meters + paths.n_sites), np.zeros(hops.node.shape)
    for part in parts_of(mac, exchanges, hops, routes, (never, never), None):
        forward = part.full_sends[:, None] * part.full.line_s + part.last_sends[:, None] * part.last.line_s
        for line_s, way in ((forward, part.way), (part.words[:, None] * part.word.line_s, 1 - part.way)):
            # the lower node of a hop sends upwards, the upper one downwards; both ends of a way relay nothing
            here, there = part.hops.node[:, 1:], part.hops.there[:, 1:]
            relayed_s = line_s[:, 1:] if way == UP else line_s[:, :-1]
            np.add.at(busy_s, here[there], relayed_s[there])
    return busy_s


def _costs(
    mac: PrimeMac,
    exchanges: Exchanges,
    parts: Iterable[Part],
    hops: Hops,
    routes: Routes,
    ahead: dict[int, Hidden],
    response_s: float,
) -> LegCost:
    """Legs before control frames hold them up; ``ahead`` by direction."""
    cost = LegCost(*np.zeros((5, exchanges.bytes.size)))
    alike, opens = _alike(hops), opens_job(exchanges)
    ahead_s = np.zeros(exchanges.bytes.size)
    for part in parts:
        rows, same = part.rows, alike[exchanges.meter[part.rows]]
        ahead_s[rows], spoilt = _opening(
            mac, part, same, ahead[part.way], exchanges.meter[rows], response_s if part.answers else 0.0
        )
        if not part.answers:
            # the word before the first request to a meter went to another one
            spoilt = np.where(opens[rows], _branch_mean(spoilt, part, routes.server[exchanges.meter[rows]]), spoilt)
        time_s, spread_s2 = _message_s(mac, part, same, spoilt)
        line_s = part.full_sends * part.full.line_s.sum(1) + part.last_sends * part.last.line_s.sum(1)
        sent = part.full_sends * part.full.frames + part.last_sends * part.last.frames
        cost.success[rows], cost.time_s[rows], cost.variance_s2[rows] = part.success, time_s, spread_s2
        cost.channel_s[rows] = np.minimum(line_s + part.words * part.word.line_s.sum(1), time_s)
        cost.frames[rows] = sent + part.words * part.word.frames
        if not part.answers:
            others_s = _site_mean(ahead_s[rows], routes.server[exchanges.meter[rows]])
            ahead_s[rows] = np.where(opens[rows], others_s, ahead_s[rows])
    cost.time_s[:] += ahead_s
    return cost


def _site_mean(value: Array, site: Array) -> Array:
    """Mean over the rows of the same site, (n,)."""
    return np.asarray((np.bincount(site, value) / np.maximum(np.bincount(site), 1))[site])


def _message_s(mac: PrimeMac, part: Part, alike: Array, spoilt: Array) -> tuple[Array, Array]:
    """Mean and variance of the time until a message is there, of those that get there, (n,) [s], [s^2].

    Parameters
    ----------
    alike : as in `_times`;  spoilt : (n,) share of first tries lost to a word ahead
    """
    whole, end = _times(mac, part, alike)
    bursts, before = -(-part.count // _burst(mac)) - 1, part.count - 1
    patience_s = mac.arq_timeout_s * part.hops.count
    vain_s, last_s = whole.first_s + patience_s, end.first_s + patience_s
    # one segment of the message finds stale hops
    late_s = part.count * part.full.late_s
    time_s = bursts * whole.round_s + end.there_s + late_s
    time_s = time_s + before * part.middle.vain * vain_s + (part.final.vain + spoilt) * last_s
    spread = bursts * whole.round_s2 + end.there_s2 + before * part.middle.vain_2 * vain_s**2
    return time_s, spread + (part.final.vain_2 + spoilt * (1 - spoilt)) * last_s**2


def _branch_mean(spoilt: Array, part: Part, site: Array) -> Array:
    """Share of first requests lost to the word on its way to the meter asked before, (n,): any of the same site.

    ``spoilt`` (n,) is what its own way would make of it. A message runs into a word that goes the same way past the
    first switch, which then hears both; how far the message itself goes beyond that switch does not matter.
    """
    first_switch = part.hops.node[np.arange(site.size), part.hops.count - 1]
    return np.asarray(np.bincount(first_switch, spoilt)[first_switch] / np.bincount(site)[site])


def _burst(mac: PrimeMac) -> int:
    """Segments that are sent before the far end is heard."""
    return mac.arq_window if mac.arq else 1


def _opening(
    mac: PrimeMac, part: Part, alike: Array, ahead: Hidden, meter: Array, head_s: float
) -> tuple[Array, Array]:
    """What the first segment of a message takes longer than on an idle line in its mode, (n,) [s], and share spoilt.

    The sender's own word on the message before goes ahead of it, and where the meter's own hop was silent both go in
    the most robust mode there; a base node's word went to another meter.

    Parameters
    ----------
    alike : as in `_times`;  ahead : of the direction of the part;  meter : (n,) whose legs they are
    head_s : time from the word to the message, an answer being made meanwhile [s]
    """
    _, some, back = np.unique(2 * alike + ahead.unheard[meter], return_index=True, return_inverse=True)
    hops, first = part.hops.rows(some), part.full if part.count > 1 else part.last
    alone_s = _walked(mac, part.way, hops.count, [first.air_s[some]], [], fresh=True).there_s
    late_s, spoilt = np.zeros((2, part.rows.size))
    struck = ahead.lost(mac, part.hops, meter, part.way, first.bytes)
    for robust, share in ((False, 1 - part.stale), (True, part.stale)):
        if not share.any():
            continue
        frame_s = _with_own_hop(mac, hops, part.way, first.bytes, robust)
        if mac.arq:
            word_s = _with_own_hop(mac, hops, part.way, mac.overhead_bytes, robust and part.way == UP)
            word_s, first_s = _in_order(word_s, hops, part.way), _in_order(frame_s, hops, part.way)
            behind = follow(mac, word_s, first_s, hops.count, head_s, far=~ahead.unheard[meter[some]])
            taken_s = behind.arrives_s
            spoilt += share * (behind.spoilt[back] + behind.beside[back] * struck)
        else:
            taken_s = _walked(mac, part.way, hops.count, [frame_s], [], fresh=True).there_s
        late_s += share * np.maximum(taken_s - alone_s, 0.0)[back]
    return late_s, spoilt


def _with_own_hop(mac: PrimeMac, hops: Hops, way: int, psdu_bytes: int, robust: bool) -> Array:
    """Airtime on every hop, (n, n_hops) [s]; on the meter's own in the most robust mode where asked for."""
    air_s = hop_airtime_s(mac, hops, way, psdu_bytes)
    if robust:
        air_s[:, 0] = hop_airtime_s(mac, hops, way, psdu_bytes, robust=True)[:, 0]
    return air_s


def _in_order(air_s: Array, hops: Hops, way: int) -> Array:
    """Columns in the order in which a frame passes the hops."""
    if way == UP:
        return air_s
    return np.take_along_axis(air_s, np.abs(hops.count[:, None] - 1 - np.arange(air_s.shape[1])), 1)


def _alike(hops: Hops) -> Array:
    """(n_meters,) the same number for ways of the same frame types and modes."""
    columns = np.concatenate([hops.kind * hops.there, hops.mode[UP], hops.mode[DOWN]], axis=1).astype(np.int8)
    if columns.shape[1] == 0:
        return np.zeros(len(columns), np.int64)
    text = np.ascontiguousarray(columns).view(np.dtype((np.void, columns.shape[1]))).ravel()
    return np.asarray(np.unique(text, return_inverse=True)[1])


def _times(mac: PrimeMac, part: Part, alike: Array) -> tuple[Walked, Walked]:
    """Walked times of a burst of full segments with its word, and of the last burst, (n,) columns.

    Ways of the same modes are walked once.
    """
    _, some, back = np.unique(alike, return_index=True, return_inverse=True)
    hops, full, last, word = part.hops.count[some], *(one.air_s[some] for one in (part.full, part.last, part.word))
    bursts = -(-part.count // _burst(mac)) - 1
    left = part.count - bursts * _burst(mac)
    words = [word] if mac.arq else []
    end = _walked(mac, part.way, hops, [full] * (left - 1) + [last], words, fresh=bursts == 0)
    whole = _walked(mac, part.way, hops, [full] * _burst(mac), words, fresh=False) if bursts else end
    return whole.rows(back), end.rows(back)


def _walked(mac: PrimeMac, way: int, hops: Array, data: list[Array], words: list[Array], *, fresh: bool) -> Walked:
    """Walk chains of frames that go over all hops of their ways, one after another, and words that come back.

    Parameters
    ----------
    hops : (n,) hops of each way;  data, words : airtimes of each frame, (n, n_hops)
    """
    row, n_frames = np.arange(hops.size), len(data) + len(words)
    airtime_s = np.zeros((hops.size, n_frames * int(hops.max(initial=1))))
    for k, air_s in enumerate([*data, *words]):
        upward = (way == UP) == (k < len(data))
        for step in range(air_s.shape[1]):
            at = row[step < hops]
            hop = np.full(at.size, step) if upward else hops[at] - 1 - step
            airtime_s[at, k * hops[at] + step] = air_s[at, hop]
    pause_s = np.full(airtime_s.shape, mac.processing_s)
    return walk(mac, airtime_s, pause_s, n_frames * hops, len(data) * hops, fresh=fresh)
