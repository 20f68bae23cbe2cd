"""Where a repeater could stand in an area, and what it would do at each place: all places solved at once."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from ..channels.draws import text_key
from ..channels.paths import CablePaths
from ..channels.powerline.parts import linked_among, with_links, with_repeaters
from ..channels.technology import CourseStep, LinkQuality
from .cure_trials import Ground, Trial, joined
from .patches import Patch

Array = NDArray[Any]

SHARES = (0.5, 0.0, 0.25, 0.75)
"""Places on the way of a meter that are tried, as shares of the joints from the meter on: the middle first."""

NODES_PER_M = 100.0
"""Places are told apart to a centimetre."""


def candidate_places(patch: Patch) -> Array:
    """Feeder nodes at which a repeater is tried: joints, cabinets and poles on the ways of the unserved meters.

    Returns
    -------
    (n,) rows, most promising first, at most ``repeater_places``; none where no joint lies between meters and bus.
    """
    ways = [way for way in _ways(patch.paths, patch.unserved) if way.size]
    places = [int(way[int(share * (way.size - 1) + 0.5)]) for share in SHARES for way in ways]
    return np.array(list(dict.fromkeys(places))[: patch.settings.repeater_places], np.int64)


def _ways(paths: CablePaths, meter: Array) -> list[Array]:
    """Feeder nodes between each meter and the bus, both left out, from the meter on."""
    n, bus = paths.n_feeder_nodes, int(paths.site_feeder_node[0])
    start, end = np.minimum(paths.edge_from, paths.edge_to), np.maximum(paths.edge_from, paths.edge_to)
    order = np.lexsort((paths.edge_length_m, end, start))
    pair = start[order].astype(np.int64) * n + end[order]
    first = order[np.r_[True, pair[1:] != pair[:-1]]] if order.size else order
    metres = np.maximum(paths.edge_length_m[first], 1e-6)
    graph = coo_array((metres, (start[first], end[first])), shape=(n, n)).tocsr()
    before = dijkstra(graph, directed=False, indices=np.array([bus]), return_predecessors=True)[1][0]
    ways = []
    for node in paths.meter_feeder_node[meter].tolist():
        way = []
        here = int(before[node])
        while here >= 0 and here != bus:
            way.append(here)
            here = int(before[here])
        ways.append(np.array(way, np.int64))
    return ways


def repeater_keys(patch: Patch, place: Array) -> Array:
    """(n,) uint64 stable keys of repeaters: they hang on the place alone."""
    x, y = (np.round(column[place] * NODES_PER_M) for column in (patch.feeder_x_m, patch.feeder_y_m))
    names = [f"repeater at {a:.0f} {b:.0f}" for a, b in zip(x, y, strict=True)]
    return np.array([text_key(name) for name in names], np.uint64)


def with_repeaters_at(patch: Patch, paths: CablePaths, place: Array) -> CablePaths:
    """Paths of the patch with a repeater at each place, behind the last meter."""
    longest = float(getattr(patch.technology, "max_link_length_m", np.inf))
    return with_repeaters(paths, place, repeater_keys(patch, place), longest)


def repeater_trials(ground: Ground, place: Array) -> list[Trial]:
    """A repeater at each place alone.

    All places are solved at once, since a modem that listens loads the line hardly; then each place is looked at as if
    the others had no link.
    """
    patch, n = ground.patch, ground.patch.paths.n_meters
    if place.size == 0:
        return []
    paths = with_repeaters_at(patch, patch.paths, place)
    rows = ground.worth(patch.unserved)
    answers = [_at_each(ground, int(row), paths, n + np.arange(place.size)) for row in rows]
    return [Trial(patch.replications[rows], np.stack([one[i] for one in answers])) for i in range(place.size)]


def _at_each(ground: Ground, row: int, paths: CablePaths, own: Array) -> list[Array]:
    """Answers in one replication, (n_services, n_meters) each, with only one of the repeaters ``own`` at a time.

    Where a repeater joins none of the meters that fail for want of a way, everything stays as it is.
    """
    patch, number = ground.patch, int(ground.patch.replications[row])
    cut = linked_among(paths, np.concatenate([np.flatnonzero(ground.talks[row][:-1]), own, [paths.n_meters]]))
    course = patch.read(number, cut)[0].course
    stuck = patch.unserved[ground.fails[row, patch.unserved]]
    touches = [(cut.from_node == node) | (cut.to_node == node) for node in own]
    without = ~np.any(touches, axis=0)
    before = _joined(cut, course, stuck, without)
    answers = []
    for touch in touches:
        kept = touch | without
        if before.any() or _joined(cut, course, stuck, kept).any():
            link = np.flatnonzero(kept)
            known = _known(patch, course, link)
            answers.append(patch.read(number, with_links(cut, link), known=known)[1][:, : patch.paths.n_meters])
        else:
            answers.append(patch.p_arrive[number].astype(np.float64))
    return answers


def _joined(paths: CablePaths, course: tuple[CourseStep, ...], meter: Array, kept: Array) -> Array:
    """(n_steps, n) bool: over usable links among those kept, a way leads from each meter to the concentrator."""
    return np.stack([joined(paths, np.flatnonzero(step.quality.usable & kept), meter) for step in course])


def _known(patch: Patch, course: tuple[CourseStep, ...], link: Array) -> dict[str, LinkQuality]:
    """Links of each part of the day by the time of its scenario, only some rows of them."""
    times = [part.scenario.powerline.time for part in patch.parts]
    return {time: _rows(step.quality, link) for time, step in zip(times, course, strict=True)}


def _rows(quality: LinkQuality, link: Array) -> LinkQuality:
    return replace(quality, **{item.name: getattr(quality, item.name)[link] for item in fields(quality)})
