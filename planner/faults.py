"""Switching and faults: a feeder moved to the next transformer, a concentrator out, a repeater lost.

Each is looked at twice on the same draws: who is read by the deadline before and after, in the fast tier; and how the
network comes back, join by join and reading by reading, in the packet tier.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import simpy
from numpy.typing import NDArray

from ..channels.draws import Draws
from ..channels.paths import CablePaths
from ..channels.routing.cable_links import area_of_nodes
from ..channels.technology import Exchanges, PlcCell, Routes
from .areas import forwarding_s, meters_behind
from .fault_pieces import FaultPiece
from .fault_reading import Reading, mean, read, with_backlog
from .polled import PUSHED_ONLY, commissioned
from .recovery import Recovery, Talk, recover, talks_of
from .switching import moved_feeder, nearest_tie

Array = NDArray[Any]

FAULT_COLUMNS = (
    "technology", "fault", "site_id", "other_id", "detail", "group", "n_meters", "read_before", "read_after",
    "n_joined", "joined_median_s", "joined_last_s", "n_back", "first_median_s", "back_median_s", "back_last_s",
    "watched_s", "control_frames", "not_back", "missed_days", "replications",
)  # fmt: skip
"""Columns of ``faults.csv``; see `fault_rows`."""


_WHOLE = ("n_meters", "missed_days", "replications")
_TEXTS = ("technology", "fault", "site_id", "other_id", "detail", "group", "not_back")


@dataclass(frozen=True)
class _Story:
    """What one fault did: rows of results are made of it.

    groups : words and (n_meters,) bool, the first of them is the one that is waited for
    missed_days : daily readings of each meter that fall into the fault, at most
    """

    detail: str
    groups: tuple[tuple[str, Array], ...]
    before: Array
    after: Array
    recovery: Recovery
    waited: Array
    missed_days: int = 0


def fault_rows(piece: FaultPiece) -> pd.DataFrame:
    """What became of the meters, one row per group of them.

    Returns
    -------
    DataFrame ``FAULT_COLUMNS``. ``read_before`` and ``read_after``: share read by the deadline at the head end, mean
    over replications and meters. The rest is the first replication in the packet tier, for the first group, in seconds
    from the fault (or from the return of the concentrator): how many had to join and when; how many have told all that
    was missed and when, ``first_median_s`` their first exchange; inf where fewer than half, or not all, came back.
    ``missed_days``: daily readings of each meter that fall into the fault, at most.
    """
    told = _STORIES[piece.fault](piece)
    if isinstance(told, str):
        return _typed([_head(piece) | {"detail": told}])
    rows = [_row(piece, told, group, some, waited=not number) for number, (group, some) in enumerate(told.groups)]
    return _typed(rows)


def _typed(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Rows with the columns of the file: texts, and numbers that are NaN where there is nothing to tell."""
    frame = pd.DataFrame(rows).reindex(columns=list(FAULT_COLUMNS))
    return frame.astype({name: str if name in _TEXTS else float for name in FAULT_COLUMNS} | dict.fromkeys(_WHOLE, int))


def _head(piece: FaultPiece) -> dict[str, Any]:
    other = str(piece.site_id[piece.other]) if piece.other >= 0 else ""
    return {
        "technology": piece.technology.name,
        "fault": piece.fault,
        "site_id": str(piece.site_id[piece.site]),
        "other_id": other,
        "group": "",
        "n_meters": 0,
        "not_back": "",
        "missed_days": 0,
        "replications": piece.settings.faults.replications,
    }


def _row(piece: FaultPiece, told: _Story, group: str, some: Array, *, waited: bool) -> dict[str, Any]:
    row = _head(piece) | {"detail": told.detail, "group": group, "n_meters": int(some.sum())}
    row["missed_days"] = told.missed_days
    if some.any():
        row |= {
            "read_before": round(float(told.before[some].mean()), 5),
            "read_after": round(float(told.after[some].mean()), 5),
        }
    return row | _coming_back(piece, told) if waited else row


def _coming_back(piece: FaultPiece, told: _Story) -> dict[str, Any]:
    """Counts and times of the packet tier."""
    back = told.recovery
    joined = np.sort(back.joined_s[np.nan_to_num(back.joined_s) > 0])
    lost = told.waited[~np.isfinite(back.all_s)]
    return {
        "n_joined": joined.size,
        "joined_median_s": _rank(joined, 0.5),
        "joined_last_s": _rank(joined, 1.0),
        "n_back": int(np.isfinite(back.all_s).sum()),
        "first_median_s": _rank(np.sort(back.first_s), 0.5),
        "back_median_s": _rank(np.sort(back.all_s), 0.5),
        "back_last_s": _rank(np.sort(back.all_s), 1.0),
        "watched_s": piece.settings.faults.watch_h * 3600.0,
        "control_frames": back.control_frames,
        "not_back": " ".join(sorted(str(one) for one in piece.meter_id[lost])),
    }


def _rank(ordered: Array, share: float) -> float:
    """The value that ``share`` of the ordered ones do not exceed; NaN where there are none."""
    return round(float(ordered[int(np.ceil(share * ordered.size)) - 1]), 1) if ordered.size else float("nan")


def _feeder_moved(piece: FaultPiece) -> _Story | str:
    """A feeder hangs on the next transformer: its modems lose power while it is switched, and boot there."""
    tie = nearest_tie(piece.paths, piece.xy, piece.site, piece.other) if piece.other >= 0 else None
    if tie is None:
        return "no feeder with meters lies near another area, so none can be moved"
    after, moved = moved_feeder(piece.paths, piece.site, tie, piece.tie_cable, _longest_link_m(piece.technology))
    owner = area_of_nodes(piece.paths)[: piece.paths.n_meters]
    open_point = tie.distance_m <= piece.settings.faults.open_point_m
    way = "an open point" if open_point else f"{tie.distance_m:.0f} m of {piece.settings.faults.tie_cable}"
    detail = f"{moved.sum()} of {(owner == piece.site).sum()} meters, over {way}"
    if not piece.built[tie.other]:
        detail += "; no concentrator stands at the transformer that takes them, so nobody reads them there"
    was, now = read(piece, piece.paths), read(piece, after)

    def switched(cell: PlcCell) -> None:
        cell.cold_start(np.flatnonzero(moved).tolist())

    waited = _in_order(piece, after, np.flatnonzero(moved))
    recovery = _played(piece, after, now[0], tie.other, switched, waited, now[0].routes, piece.exchanges)
    groups = (
        ("moved", moved),
        ("left behind", (owner == piece.site) & ~moved),
        ("the neighbour's own", owner == tie.other),
    )
    return _Story(detail, groups, mean(was), mean(now), recovery, waited)


def _concentrator_out(piece: FaultPiece) -> _Story | str:
    """Nobody is read while it is out; then all it and its meters knew is taken as lost, and they join anew."""
    n_days = int(np.ceil(piece.settings.faults.outage_h / 24.0))
    late = with_backlog(piece.exchanges, n_days, piece.paths.n_meters)
    was = read(piece, piece.paths)
    now = read(piece, piece.paths, exchanges=late)
    site_node = piece.paths.n_meters + piece.site
    everyone = _in_order(piece, piece.paths, np.flatnonzero(was[0].routes.server == piece.site))
    if not everyone.size:
        return "no meter has a way to the concentrator"

    def returned(cell: PlcCell) -> None:
        cell.fail(site_node)
        cell.cold_start(everyone.tolist())
        cell.restore(site_node)

    recovery = _played(piece, piece.paths, was[0], piece.site, returned, everyone, was[0].routes, late)
    every = area_of_nodes(piece.paths)[: piece.paths.n_meters] == piece.site
    detail = f"{piece.settings.faults.outage_h:g} h without any reading, {n_days} days of profiles to catch up"
    return _Story(detail, (("with a route before", _mask(everyone, every.size)), ("area", every)), mean(was),
                  mean(now), recovery, everyone, n_days)  # fmt: skip


def _repeater_lost(piece: FaultPiece) -> _Story | str:
    """The modem that forwards longest falls silent; its customer's loads stay."""
    was = read(piece, piece.paths)
    first, n = was[0], piece.paths.n_meters
    behind = meters_behind(first.routes)
    longest_s = forwarding_s(piece.technology, piece.exchanges, piece.paths, first.quality, first.routes)
    if not behind.any():
        return "no meter of the area forwards for others"
    relay = int(np.lexsort((piece.paths.node_key[:n], -behind, -longest_s))[0])
    now = read(piece, piece.paths, gone=relay)
    depend = _dependants(first.routes, relay)

    def fell_silent(cell: PlcCell) -> None:
        cell.fail(relay)

    waited = _in_order(piece, piece.paths, np.flatnonzero(depend))
    recovery = _played(piece, piece.paths, first, piece.site, fell_silent, waited, now[0].routes, piece.exchanges)
    others = ~depend
    others[relay] = False
    detail = f"meter {piece.meter_id[relay]}, {int(behind[relay])} meters behind it"
    groups = (("behind the repeater", depend), ("rest of the area", others))
    return _Story(detail, groups, mean(was), mean(now), recovery, waited)


_STORIES: dict[str, Callable[[FaultPiece], _Story | str]] = {
    "feeder_moved": _feeder_moved,
    "concentrator_out": _concentrator_out,
    "repeater_lost": _repeater_lost,
}


def _played(
    piece: FaultPiece,
    paths: CablePaths,
    state: Reading,
    site: int,
    hit: Callable[[PlcCell], None],
    meters: Array,
    ways: Routes,
    exchanges: Exchanges,
) -> Recovery:
    """The first replication in the packet tier: the network stands, is hit, and is watched while it comes back.

    state : links and routes before;  ways : routes after; a meter that has none there is not waited for
    """
    env = simpy.Environment()
    draws = Draws(piece.settings.simulation.seed, 0)
    cell = piece.technology.open_cell(env, paths, state.quality, state.routes, site, draws)
    hit(cell)
    some = np.flatnonzero(ways.server[meters] == site)
    back = recover(
        env,
        cell,
        paths.n_meters + site,
        meters[some],
        _talks(piece, paths, meters[some], exchanges.services),
        parallel=piece.technology.parallel_polls,
        until_s=piece.settings.faults.watch_h * 3600.0,
    )
    joined, first, last = np.full(meters.size, np.nan), np.full(meters.size, np.inf), np.full(meters.size, np.inf)
    joined[some], first[some], last[some] = back.joined_s, back.first_s, back.all_s
    return replace(back, joined_s=joined, first_s=first, all_s=last)


def _talks(piece: FaultPiece, paths: CablePaths, meters: Array, services: Sequence[str]) -> dict[int, list[Talk]]:
    """What the meters have to tell; one that does not answer is not asked again before the others."""
    settings = piece.settings
    once = replace(settings.session, tries=1)
    asked = [service for service in piece.exchanges.services if service not in PUSHED_ONLY]
    who = meters, paths.node_key[meters], piece.kind[meters]
    return talks_of(commissioned(*who, asked, once, settings.simulation.seed), services, once.timeout_s)


def _in_order(piece: FaultPiece, paths: CablePaths, meters: Array) -> Array:
    """Meters in the order in which the concentrator asks."""
    draws = Draws(piece.settings.simulation.seed, 0)
    return np.asarray(meters[np.argsort(draws.uniform("plc poll order", paths.node_key[meters]), kind="stable")])


def _dependants(routes: Routes, relay: int) -> Array:
    """(n_meters,) bool: the way of the meter leads through the relay."""
    through = np.zeros(routes.parent.size, bool)
    for level in range(1, int(routes.hops.max(initial=0)) + 1):
        child = np.flatnonzero(routes.hops == level)
        parent = routes.parent[child]
        inner = parent < through.size
        through[child[inner]] = through[parent[inner]] | (parent[inner] == relay)
    return through


def _mask(rows: Array, n: int) -> Array:
    found = np.zeros(n, bool)
    found[rows] = True
    return found


def _longest_link_m(technology: Any) -> float:
    return float(getattr(technology, "max_link_length_m", 2000.0))
