"""Who is read before a fault and after it: the fast tier on the areas concerned, on the same draws."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..channels.draws import Draws
from ..channels.paths import CablePaths
from ..channels.technology import Exchanges, LinkQuality, Routes, Siting
from ..meters.services import is_profile
from .backhaul import left_for_access, through_backhaul
from .fault_pieces import FaultPiece
from .replicate import parts_of, within_equipment

Array = NDArray[Any]


@dataclass(frozen=True)
class Reading:
    """One replication before or after: the links, the routes, and the probability of each meter to be read."""

    quality: LinkQuality
    routes: Routes
    p_read: Array


def read(piece: FaultPiece, paths: CablePaths, *, exchanges: Exchanges | None = None, gone: int = -1) -> list[Reading]:
    """All replications of the fast tier on these paths; ``gone`` is a node whose modem is silent."""
    settings, technology = piece.settings, piece.technology
    said = piece.exchanges if exchanges is None else exchanges
    kind = settings.backhaul.of(technology.siting is Siting.OPERATOR_CELL)
    access = left_for_access(said, kind)
    window_s = max(access.window_s)
    scenario = parts_of(technology, settings.scenario, settings.service.start_h, window_s)[0].scenario
    found = []
    for number in range(settings.faults.replications):
        draws = Draws(settings.simulation.seed, number)
        quality = technology.assess(paths, scenario, draws)
        quality = quality if gone < 0 else without_node(paths, quality, gone)
        routes = technology.routes(paths, quality, piece.built)
        outcome = technology.carry(access, routes, paths, quality, scenario, draws)
        most = technology.load(access, paths, quality).max_meters_per_site
        outcome = within_equipment(outcome, routes, paths, quality, most)
        outcome = through_backhaul(outcome, said, routes.server, kind)
        found.append(Reading(quality, routes, outcome.p_arrive.min(axis=0)))
    return found


def mean(readings: list[Reading]) -> Array:
    """(n_meters,) probability of each meter to be read, over the replications."""
    return np.asarray(np.mean([one.p_read for one in readings], axis=0))


def without_node(paths: CablePaths, quality: LinkQuality, node: int) -> LinkQuality:
    """The links when the modem of one node is silent: nobody hears it and it hears nobody."""
    lost = (paths.from_node == node) | (paths.to_node == node)
    silent = {
        name: np.where(lost, value, getattr(quality, name)).astype(getattr(quality, name).dtype)
        for name, value in (
            ("snr_up_db", -np.inf), ("snr_down_db", -np.inf), ("margin_up_db", -np.inf), ("margin_down_db", -np.inf),
            ("mode_up", -1), ("mode_down", -1), ("rate_up_bps", 0.0), ("rate_down_bps", 0.0), ("loss_db", np.inf),
        )
    }  # fmt: skip
    return replace(quality, **silent)


def with_backlog(exchanges: Exchanges, n_days: int, n_meters: int) -> Exchanges:
    """The exchanges of one period of ``n_meters``, and the profiles of ``n_days`` earlier ones still to be read."""
    n_services = len(exchanges.services)
    rows, numbers, service = [np.arange(exchanges.meter.size)], [exchanges.exchange], [exchanges.service]
    names, windows = list(exchanges.services), list(exchanges.window_s)
    for day in range(1, n_days + 1):
        for number in [row for row in range(n_services) if is_profile(exchanges.services[row])]:
            again = np.flatnonzero(exchanges.service == number)
            rows.append(again)
            numbers.append(exchanges.exchange[again] + (len(names) - number) * n_meters)
            service.append(np.full(again.size, len(names)))
            names.append(f"{exchanges.services[number]}, {day} {'day' if day == 1 else 'days'} late")
            windows.append(exchanges.window_s[number])
    row = np.concatenate(rows)
    kept = ("leg", "meter", "direction", "bytes", "depends_on", "not_before_s", "timeout_s", "tries")
    columns = {name: getattr(exchanges, name)[row] for name in kept}
    return Exchanges(
        **columns,
        exchange=np.concatenate(numbers),
        service=np.concatenate(service).astype(np.int16),
        services=tuple(names),
        window_s=tuple(windows),
    )
