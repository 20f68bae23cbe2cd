"""What keeps a meter of a power line from being read: the link that fails, its receiver, and whose noise is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..channels.paths import CablePaths, other_end
from ..channels.powerline.sources import noise_sources
from ..channels.technology import CourseStep, LinkQuality, Routes
from .cure_trials import Ground
from .patches import Patch
from .replicate import Replication

Array = NDArray[Any]


@dataclass(frozen=True)
class Failure:
    """What stops some meters in one replication; rows are meters.

    margin_db : of the link that is missing or weakest, in its weaker direction; -inf where nobody hears anybody
    receiver : node that does not hear, -1 where there is no link at all
    host : (n_hosts,) meters whose devices run;  cost_db : (n, n_hosts) what each costs that receiver (`NoiseSources`)
    emitted_db : (n,) what all of them cost together
    """

    margin_db: Array
    receiver: Array
    host: Array
    cost_db: Array
    emitted_db: Array


@dataclass(frozen=True)
class Limits:
    """What stops each unserved meter over its failing replications; rows as ``Patch.unserved``.

    missing_db : median of what is missing to the robust mode, 0 where its links hold;  receiver : node that most often
    does not hear, -1 for none;  source : meter row of the customer whose devices cost most there, -1 for none
    source_db : what they cost, mean over the failing replications;  emitted_db : likewise of all customers together
    source_share : share of the failing replications in which this customer costs most
    """

    missing_db: Array
    receiver: Array
    source: Array
    source_db: Array
    source_share: Array
    emitted_db: Array


def failure_of(patch: Patch, one: Replication, meter: Array) -> Failure:
    """What stops some meters (rows of the patch) in a replication of the unchanged area.

    Where the scenario follows the day, at the time at which most of them have no route.
    """
    assert isinstance(one.paths, CablePaths)
    paths, number = one.paths, _darkest(one.course, meter)
    step = one.course[number]
    link = missing_link(paths, step.quality, step.routes)[meter]
    up, down = step.quality.margin_up_db, step.quality.margin_down_db
    row = np.maximum(link, 0)
    margin = np.full(meter.size, -np.inf)
    receiver = np.full(meter.size, -1, np.int64)
    has = link >= 0
    if has.any():
        margin[has] = np.minimum(up, down)[row[has]]
        receiver[has] = np.where((up < down)[row], paths.to_node[row], paths.from_node[row])[has]
    scenario = patch.parts[number].scenario
    known, back = np.unique(receiver[has], return_inverse=True)
    found = noise_sources(paths, patch.line, scenario, one.draws, 0, known)
    cost, together = np.zeros((meter.size, found.host.size)), np.zeros(meter.size)
    cost[has], together[has] = found.cost_db[back], found.emitted_db[back]
    return Failure(margin, receiver, found.host, cost, together)


def _darkest(course: tuple[CourseStep, ...], meter: Array) -> int:
    return int(np.argmax([(step.routes.server[meter] < 0).sum() for step in course]))


def missing_link(paths: CablePaths, quality: LinkQuality, routes: Routes) -> Array:
    """Row of the link on which each meter hangs, (n_meters,); -1 where it has no link at all.

    Without a route: the best link out of its island (who hears whom) towards a node with a way on, else its own best
    link. With a route: the weakest link of it. Best and weak go by the margin of the weaker direction.
    """
    n, margin = paths.n_meters, np.minimum(quality.margin_up_db, quality.margin_down_db)
    arrived = np.append(routes.server >= 0, np.ones(paths.n_sites, bool))
    order = np.argsort(margin, kind="stable")
    best = np.full(n + paths.n_sites, -1, np.int64)
    ends = np.stack([paths.from_node[order], paths.to_node[order]], axis=1)
    # of several links of a node the last one written stays: that with the largest margin
    best[ends.ravel()] = np.repeat(order, 2)
    heard = np.flatnonzero(quality.usable)
    graph = coo_array((np.ones(heard.size), (paths.from_node[heard], paths.to_node[heard])), shape=(best.size,) * 2)
    island = connected_components(graph.tocsr(), directed=False)[1]
    out = order[arrived[paths.from_node[order]] != arrived[paths.to_node[order]]]
    inner = np.where(arrived[paths.from_node[out]], paths.to_node[out], paths.from_node[out])
    way_out = np.full(best.size, -1, np.int64)
    way_out[island[inner]] = out
    cut_off = np.where(way_out[island[:n]] >= 0, way_out[island[:n]], best[:n])
    return np.where(routes.server >= 0, _weakest(paths, routes, margin), cut_off)


def _weakest(paths: CablePaths, routes: Routes, margin_db: Array) -> Array:
    """Row of the link with the least margin on each meter's way; -1 without a way."""
    weakest = np.asarray(routes.link, np.int64).copy()
    rows = np.flatnonzero(weakest >= 0)
    node = other_end(paths, weakest[rows], rows)
    while rows.size:
        on = node < paths.n_meters
        rows, node = rows[on], node[on]
        link = routes.link[node]
        weakest[rows] = np.where(margin_db[link] < margin_db[weakest[rows]], link, weakest[rows])
        node = other_end(paths, link, node)
    return weakest


def limits_of(ground: Ground) -> Limits:
    """What stops each unserved meter of an area."""
    patch, n = ground.patch, ground.patch.paths.n_meters
    meter = patch.unserved
    fails = ground.fails[:, meter]
    # a meter that is read too rarely without ever failing is looked at in all replications
    looked = np.where(fails.any(axis=0), fails, True)
    failures = [failure_of(patch, one, meter) for one in ground.as_is]
    margin = np.stack([one.margin_db for one in failures])
    receiver = np.stack([one.receiver for one in failures])
    cost = np.stack([_by_meter(one, n) for one in failures])
    emitted = np.stack([one.emitted_db for one in failures])
    times = looked.sum(axis=0)
    mean_cost = np.einsum("rmh,rm->mh", cost, looked / times)
    source = mean_cost.argmax(axis=1)
    source_db = mean_cost[np.arange(meter.size), source]
    known = source_db >= patch.settings.source_least_db
    tops = (cost.argmax(axis=2) == source) & (cost.max(axis=2) > 0) & looked
    return Limits(
        np.array([_median(-margin[looked[:, i], i]) for i in range(meter.size)]),
        np.array([_commonest(receiver[looked[:, i], i]) for i in range(meter.size)], np.int64),
        np.where(known, source, -1),
        np.where(known, source_db, 0.0),
        np.where(known, tops.sum(axis=0) / times, 0.0),
        (emitted * looked).sum(axis=0) / times,
    )


def _by_meter(failure: Failure, n_meters: int) -> Array:
    """(n, n_meters) cost of each customer; 0 for one whose devices do not run."""
    cost = np.zeros((failure.margin_db.size, n_meters))
    cost[:, failure.host] = failure.cost_db
    return cost


def _median(missing_db: Array) -> float:
    ordered = np.sort(np.maximum(missing_db, 0.0))
    return float(ordered[(ordered.size - 1) // 2])


def _commonest(node: Array) -> int:
    known, count = np.unique(node, return_counts=True)
    return int(known[count.argmax()])
