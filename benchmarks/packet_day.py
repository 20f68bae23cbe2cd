"""A concentrator's day in the packet tier: 100 meters, 96 x 4 ciphered profiles, and cells side by side on two cores.

Run with ``python -m benchmarks.packet_day``.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import geopandas as gpd
import numpy as np
from amiplan.channels.draws import Draws
from amiplan.channels.paths import CablePaths
from amiplan.channels.powerline.cables import cable_named
from amiplan.channels.powerline.pairs import area_pairs
from amiplan.channels.scenario import Scenario
from amiplan.channels.technologies import technology
from amiplan.meters.client import read_all
from amiplan.planner.exchanges import exchanges_of
from amiplan.planner.packet import CellPiece, cell_day, cell_rows, polled_meters
from amiplan.planner.positions import PositionMix
from amiplan.planner.replicate import replicate
from amiplan.planner.settings import PlannerSettings
from amiplan.planner.tables import Links
from amiplan.studies.workers import Workers

N_METERS = 100
ASKED_SECONDS = 5.0
"""For a day of 100 G3-PLC meters; PRIME states its own figure."""
STREETS, N_CELLS = 4, 8
SERVICES = ("profile",)


def street_cells(name: str, n_meters: int = N_METERS, replication: int = 0) -> CellPiece:
    """A transformer with four streets of houses, a joint every 30 m, read by one technology."""
    chosen, settings = technology(name), PlannerSettings()
    paths = streets(n_meters)
    level = replace(settings.service, services=SERVICES)
    exchanges = exchanges_of(n_meters, "pull", level, settings.session)
    draws, built = Draws(1, replication), np.ones(1, bool)
    one = replicate(chosen, Links(paths, gpd.GeoDataFrame()), exchanges, built, Scenario(), PositionMix(), draws)
    members = np.flatnonzero(one.routes.server == 0)
    return CellPiece(
        chosen, one.paths, one.course, draws, 0, f"cell {replication}", members, paths.node_key[members],
        np.full(members.size, "house", object), SERVICES, exchanges.window_s, one.outcome.p_arrive[:, members],
        one.outcome.latency_p50_s[:, members], settings.session, draws.seed,
    )  # fmt: skip


def streets(n_meters: int) -> CablePaths:
    """Strings of houses behind one bus, meters shared out evenly."""
    house = np.arange(n_meters)
    joint = 1 + 2 * house
    before = np.where(house < STREETS, 0, joint - 2 * STREETS)
    start, end = np.concatenate([before, joint]), np.concatenate([joint, joint + 1])
    metres = np.where(np.arange(2 * n_meters) < n_meters, 30.0, 12.0)
    owner = np.zeros(2 * n_meters + 1, np.int64)
    bus, meter = np.array([0]), joint + 1
    return CablePaths(
        start, end, metres, (np.arange(2 * n_meters) >= n_meters).astype(np.int16),
        (cable_named("NAYY 4x150"), cable_named("NAYY 4x50")), owner, meter, bus, np.array([400.0]),
        np.full(n_meters, 1, np.int8), *area_pairs(start, end, metres, owner, meter, bus, 1e6),
        np.arange(1, n_meters + 2).astype(np.uint64), n_meters, 1,
    )  # fmt: skip


def seconds(function: Callable[[], Any]) -> tuple[float, Any]:
    """Least of three runs, and what the last one gave."""
    times, result = [], None
    for _ in range(3):
        begin = time.perf_counter()
        result = function()
        times.append(time.perf_counter() - begin)
    return min(times), result


def figures() -> bool:
    """Print the figures; whether G3-PLC keeps what is asked."""
    held = True
    for name in ("g3_plc", "prime"):
        day_s = one_day(name)
        held &= day_s <= ASKED_SECONDS or name != "g3_plc"
    scaling()
    return held


def one_day(name: str) -> float:
    """One cell: what the whole day costs, and what of it the meters and head ends."""
    piece = street_cells(name)
    cell_day(replace(piece, members=piece.members[:2], key=piece.key[:2], kind=piece.kind[:2]))
    day_s, day = seconds(lambda: cell_day(piece))
    dlms_s, _ = seconds(lambda: dialogue(piece))
    hops = piece.course[0].routes.hops[piece.members].mean()
    read = np.isfinite(day.finished_s).mean()
    print(
        f"{name}: packet tier, a day of {piece.members.size} meters, 96 x 4 ciphered, {hops:.1f} hops, "
        f"{read:.0%} read, {day.counters['frames_sent']} frames: "
        f"{day_s:.2f} s, {dlms_s:.2f} of them meters and head ends"
        + (f" (asked {ASKED_SECONDS:g})" if name == "g3_plc" else "")
    )
    return day_s


def dialogue(piece: CellPiece) -> None:
    """The same meters commissioned and read over a perfect line."""
    for meter in polled_meters(piece, np.arange(piece.members.size))["profile"]:
        read_all(meter.server, meter.head_end, "profile")


def scaling() -> None:
    """Cells in one process, and in two that are there already: cells without meters have started them."""
    cells = [street_cells("g3_plc", replication=number) for number in range(N_CELLS)]
    empty = [without_meters(one) for one in cells[:2]]
    alone_s, alone = seconds(lambda: Workers(1).map("", cell_rows, cells, keep=None))
    with Workers(2) as crew:
        start_s, _ = seconds(lambda: crew.map("", cell_rows, empty, keep=None))
        two_s, two = seconds(lambda: crew.map("", cell_rows, cells, keep=None))
    same = "equal results" if alone == two else "RESULTS DIFFER"
    print(
        f"{N_CELLS} cells: {alone_s:.2f} s on one core, {two_s:.2f} s on two, started before in {start_s:.2f} s: "
        f"{alone_s / two_s:.2f} times as fast, {same}"
    )


def without_meters(piece: CellPiece) -> CellPiece:
    """The cell with nobody to ask."""
    shape = (len(piece.services), 0)
    nobody = {name: getattr(piece, name)[:0] for name in ("members", "key", "kind")}
    return replace(piece, **nobody, p_arrive=np.zeros(shape), latency_s=np.zeros(shape))


if __name__ == "__main__":
    sys.exit(0 if figures() else 1)
