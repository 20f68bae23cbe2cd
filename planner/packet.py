"""The packet tier: real ciphered DLMS bytes through simulated cells, compared with the fast tier on the same draws.

A technology takes part when it can open a cell (``open_cell``). The concentrator polls its meters one after another,
as in the fast tier, and repeats what failed until the window ends. A reading counts only when it was decrypted,
decoded and equals the registers of that meter.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import simpy
from numpy.typing import NDArray

from ..channels.technology import Cell
from ..gis.area import ServiceArea
from ..meters.client import ExchangeFailed, HeadEnd, settings_of
from ..meters.commission import commission
from ..meters.device.rows import BillingRows, EventRows
from ..meters.device.server import MeterServer
from ..meters.load import profile, registers
from ..meters.reading import Reading
from .exchanges import PROFILE_DAY
from .pipeline import Carried
from .settings import PlannerSettings

Array = NDArray[Any]

TIER_COLUMNS = (
    "technology",
    "cell",
    "n_exchanges",
    "read_fast",
    "read_packet",
    "difference",
    "frames_sent",
    "frames_lost",
    "retries",
    "refused",
)
PUSHED_ONLY = ("last_gasp",)
"""Services that nobody can ask for: the packet tier polls, so it leaves them out."""
MAX_ROUNDS = 20
"""Rounds of polling after which a cell gives up on a meter even if the window is still open."""


@dataclass(frozen=True)
class PolledMeter:
    """One simulated meter, its head end, and what a correct reading of it holds."""

    node: int
    server: MeterServer
    head_end: HeadEnd
    register_wh: Array
    profile_wh: Array
    start_wh: Array

    def holds(self, reading: Reading) -> bool:
        """Whether a reading is what this meter holds, or the state that it was told to take."""
        values = np.asarray(reading.values)
        match reading.service:
            case "register" | "on_demand":
                return int(values[0, 0]) == int(self.register_wh[0])
            case "profile":
                return np.array_equal(values, self._rows()[:, : values.shape[1]])
            case "daily_billing":
                return np.array_equal(values, _last_cells(BillingRows(self.server.device), values))
            case "event_log":
                events = EventRows(self.server.device).cells(np.arange(len(values)))
                return np.array_equal(values, events[np.argsort(events[:, 0], kind="stable"), 1:])
            case "disconnect" | "reconnect":
                return int(values[0, 0]) == int(self.server.device.state.relay.control_state)
        return True

    def _rows(self) -> Array:
        """(n_intervals, n_channels) uint32 registers of the day, or what they gained where the profile holds that."""
        if self.server.settings.profile_values == "registers":
            return self.profile_wh
        return np.diff(np.vstack([self.start_wh, self.profile_wh]), axis=0)


def _last_cells(rows: BillingRows, like: Array) -> Array:
    """The values of the last rows, without time and status, as many as ``like`` has."""
    last = np.arange(rows.time_s().size)[-len(like) :]
    return rows.cells(last)[:, -like.shape[1] :]


def tier_rows(one: Carried, area: ServiceArea, settings: PlannerSettings) -> pd.DataFrame:
    """Packet tier against fast tier for the sampled cells of one technology; no rows where it opens no cells."""
    if settings.simulation.tier == "fast" or not hasattr(one.technology, "open_cell"):
        return pd.DataFrame(columns=list(TIER_COLUMNS))
    sizes = np.bincount(one.first.routes.server[one.first.routes.server >= 0], minlength=one.links.paths.n_sites)
    most = settings.simulation.packet_meters if settings.simulation.tier == "sample" else int(sizes.sum())
    rows = [_cell_row(one, area, settings, site) for site in sampled_cells(sizes, most)]
    return pd.DataFrame(rows, columns=list(TIER_COLUMNS))


def sampled_cells(sizes: Array, most: int) -> list[int]:
    """Cells spread evenly over the order of size, at least one, together at most ``most`` meters where possible.

    Parameters
    ----------
    sizes : (n_sites,) meters per site
    """
    order = np.argsort(sizes, kind="stable")
    order = order[sizes[order] > 0]
    if order.size == 0:
        return []
    best = [int(order[order.size // 2])]
    for number in range(1, order.size + 1):
        chosen = order[np.unique(np.linspace(0, order.size - 1, number).round().astype(int))]
        if sizes[chosen].sum() <= most:
            best = [int(site) for site in chosen]
    return best


def _cell_row(one: Carried, area: ServiceArea, settings: PlannerSettings, site: int) -> dict[str, Any]:
    members = np.flatnonzero(one.first.routes.server == site)
    services = tuple(service for service in one.exchanges.services if service not in PUSHED_ONLY)
    env = simpy.Environment()
    replication = one.first
    cell: Cell = one.technology.open_cell(  # type: ignore[attr-defined]
        env, replication.paths, replication.quality, replication.routes, site, replication.draws
    )
    polled = _polled_by_service(members, area, settings, services)
    read = {(meter.node, service): False for service in services for meter in polled[service]}
    poll = _poll_all(env, cell, replication.paths.n_meters + site, polled, settings, read)
    env.run(until=env.process(poll))
    compared = [row for row, service in enumerate(one.exchanges.services) if service in services]
    fast = float(replication.outcome.p_arrive[compared][:, members].mean())
    packet = float(np.mean(list(read.values())))
    counters = cell.counters
    refused = counters.get("crc_refused", 0) + sum(
        one_meter.server.counters[key]
        for one_meter in {id(meter): meter for meters in polled.values() for meter in meters}.values()
        for key in ("authentication", "malformed", "replay")
    )
    return {
        "technology": one.technology.name,
        "cell": str(one.links.site_ids[site]),
        "n_exchanges": len(read),
        "read_fast": round(fast, 5),
        "read_packet": round(packet, 5),
        "difference": round(packet - fast, 5),
        "frames_sent": counters.get("frames_sent", 0),
        "frames_lost": counters.get("frames_lost", 0),
        "retries": counters.get("retries", 0),
        "refused": refused,
    }


def _polled_by_service(
    members: Array, area: ServiceArea, settings: PlannerSettings, services: tuple[str, ...]
) -> dict[str, list[PolledMeter]]:
    """The meters as each service finds them: one meter for all services that share its capture period."""
    made: dict[int, list[PolledMeter]] = {}
    polled = {}
    for service in services:
        session = settings_of(service, settings.session)
        if session.profile_interval_min not in made:
            made[session.profile_interval_min] = polled_meters(members, area, replace(settings, session=session))
        polled[service] = made[session.profile_interval_min]
    return polled


def polled_meters(members: Array, area: ServiceArea, settings: PlannerSettings) -> list[PolledMeter]:
    """Meters with the registers of the day, each with a head end that shares its keys."""
    meters = area.meters.iloc[members]
    keys, kinds = meters["key"].to_numpy(np.uint64), meters["kind"].to_numpy(object)
    seed, intervals = settings.simulation.seed, settings.session.n_intervals
    profiles = profile(keys, kinds, PROFILE_DAY, seed, n_intervals=intervals)
    ends = registers(keys, kinds, PROFILE_DAY + 1, seed, n_intervals=intervals)
    starts = registers(keys, kinds, PROFILE_DAY, seed, n_intervals=intervals)
    polled = []
    for row, node in enumerate(members):
        server, head_end = commission(
            int(keys[row]), ends[row], profiles[row], PROFILE_DAY, settings.session, seed=seed, start_wh=starts[row]
        )
        polled.append(PolledMeter(int(node), server, head_end, ends[row], profiles[row], starts[row]))
    return polled


def _poll_all(
    env: simpy.Environment,
    cell: Cell,
    site_node: int,
    polled: dict[str, list[PolledMeter]],
    settings: PlannerSettings,
    read: dict[tuple[int, str], bool],
) -> Generator[Any, Any, None]:
    """The concentrator's day: every service of every meter in turn, what failed again, until the window ends."""
    for _ in range(MAX_ROUNDS):
        for service, meters in polled.items():
            for meter in meters:
                if read[meter.node, service] or env.now >= settings.service.window_s:
                    continue
                reading = yield from poll(env, cell, site_node, meter, service, settings.session.timeout_s)
                in_time = env.now <= settings.service.window_s
                read[meter.node, service] = reading is not None and in_time and meter.holds(reading)
        if all(read.values()) or env.now >= settings.service.window_s:
            return


def poll(
    env: simpy.Environment, cell: Cell, site_node: int, meter: PolledMeter, service: str, timeout_s: float
) -> Generator[Any, Any, Reading | None]:
    """One exchange over the cell: requests down, answers up, a timeout where either is lost; None where it failed."""
    session, line = meter.head_end.read(service), meter.server.line()
    try:
        request = next(session)
        while True:
            begin = env.now
            arrived = yield cell.send(site_node, meter.node, request)
            response = line.receive(arrived) if arrived is not None else b""
            answer = None
            if response:
                answer = yield cell.send(meter.node, site_node, response)
            if answer is None:
                yield env.timeout(max(timeout_s - (env.now - begin), 0.0))
            request = session.send(answer)
    except StopIteration as done:
        reading: Reading = done.value
        return reading
    except ExchangeFailed:
        return None
