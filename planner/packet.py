"""The packet tier: real ciphered DLMS bytes through simulated cells, compared with the fast tier on the same draws.

A technology takes part when it can open a cell (``open_cell``). Its concentrator polls in the order, with the
parallelism, the rounds, windows and timeouts of the fast tier; see `concentrator`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pandas as pd
import simpy
from numpy.typing import NDArray

from ..channels.draws import Draws
from ..channels.mac.plc.exchange import POLL_ORDER
from ..channels.mac.plc.polling import MOST_ROUNDS
from ..channels.paths import CablePaths
from ..channels.routing.cable_links import area_of_nodes
from ..channels.technology import CourseStep, LinkQuality, PlcCell, Routes
from ..gis.area import ServiceArea
from ..meters.settings import ServiceSettings
from .concentrator import Concentrator, PolledMeter, Requests, Rules, follow
from .on_demand import DAY_S, ON_DEMAND
from .pipeline import Carried
from .polled import PUSHED_ONLY, commissioned
from .settings import PlannerSettings

Array = NDArray[Any]

TIER_COLUMNS = (
    "technology",
    "cell",
    "n_meters",
    "direct_ratio",
    "reads",
    "n_exchanges",
    "read_fast",
    "read_packet",
    "difference",
    "half_width",
    "latency_fast_s",
    "latency_packet_s",
    "frames_sent",
    "frames_lost",
    "retries",
    "refused",
)
TWO_SIDED_95 = 1.96
"""Standard errors on either side of a mean that hold it with 95 %."""


@runtime_checkable
class OpensCells(Protocol):
    """A technology with a packet tier."""

    name: str
    parallel_polls: int
    airtime_share: float

    def open_cell(
        self, env: simpy.Environment, paths: CablePaths, quality: LinkQuality, routes: Routes, site: int, draws: Draws
    ) -> PlcCell:
        """The cell of one concentrator, its network formed."""
        ...


@dataclass(frozen=True)
class CellPiece:
    """All that one cell's day needs, so that it can be simulated anywhere.

    technology, paths, course, draws, site : as the fast tier had them, links of this cell only
    members : (n,) meter rows with a route;  key, kind : (n,) of these meters
    services : names, in the order of the fast tier's outcome;  window_s : per service [s]
    p_arrive, latency_s : (n_services, n) fast tier: probability to be read and median latency [s]
    """

    technology: Any
    paths: CablePaths
    course: tuple[CourseStep, ...]
    draws: Draws
    site: int
    site_id: str
    members: Array
    key: Array
    kind: Array
    services: tuple[str, ...]
    window_s: tuple[float, ...]
    p_arrive: Array
    latency_s: Array
    session: ServiceSettings
    seed: int


@dataclass(frozen=True)
class CellDay:
    """What came out of one cell's day.

    finished_s : (n_services, n_members) when each reading was complete and right [s]; inf where it was not in time
    n_asked, waited_s : reads on demand, and the latencies of those that were answered [s]
    counters : of the cell;  refused : frames and APDUs that were refused
    wrong : readings that were decrypted but differ from the registers
    """

    finished_s: Array
    n_asked: int
    waited_s: Array
    counters: dict[str, int]
    refused: int
    wrong: int


def cells_of(technologies: Sequence[Carried], area: ServiceArea, settings: PlannerSettings) -> list[CellPiece]:
    """The cells that the packet tier simulates, technology by technology; none of one that opens no cells.

    Without interference the fast tier lets nobody wait for anybody, which no concentrator can do: then there are none
    either.
    """
    if settings.simulation.tier == "fast" or not settings.scenario.interference:
        return []
    opening = [one for one in technologies if isinstance(one.technology, OpensCells)]
    return [piece for one in opening for piece in _cells_of_one(one, area, settings)]


def _cells_of_one(one: Carried, area: ServiceArea, settings: PlannerSettings) -> list[CellPiece]:
    """All cells, or a sample of them, as the settings say."""
    served = _served_from(one.first.course, one.links.paths.n_sites)
    sizes = np.array([some.size for some in served])
    most = settings.simulation.packet_meters if settings.simulation.tier == "sample" else int(sizes.sum())
    hops = np.array([one.first.course[0].routes.hops[some].sum() for some in served])
    return [_cell(one, area, settings, site, served[site]) for site in sampled_cells(sizes, hops, most)]


def _served_from(course: tuple[CourseStep, ...], n_sites: int) -> list[Array]:
    """Meters with a route to each site at any time of the course."""
    server = np.stack([step.routes.server for step in course])
    return [np.flatnonzero((server == site).any(axis=0)) for site in range(n_sites)]


def _cell(one: Carried, area: ServiceArea, settings: PlannerSettings, site: int, members: Array) -> CellPiece:
    first, meters = one.first, area.meters.iloc[members]
    rows = [row for row, service in enumerate(one.exchanges.services) if service not in PUSHED_ONLY]
    assert isinstance(first.paths, CablePaths)
    paths, course = _only(first.paths, first.course, site)
    return CellPiece(
        one.technology,
        paths,
        course,
        first.draws,
        site,
        str(one.links.site_ids[site]),
        members,
        meters["key"].to_numpy(np.uint64),
        meters["kind"].to_numpy(object),
        tuple(one.exchanges.services[row] for row in rows),
        tuple(first.window_s[row] for row in rows),
        first.outcome.p_arrive[rows][:, members],
        first.outcome.latency_p50_s[rows][:, members],
        settings.session,
        settings.simulation.seed,
    )


def _only(paths: CablePaths, course: tuple[CourseStep, ...], site: int) -> tuple[CablePaths, tuple[CourseStep, ...]]:
    """Paths and course with the links of one site's area; nodes keep their numbers."""
    keep = area_of_nodes(paths)[paths.from_node] == site
    place = np.append(np.where(keep, np.cumsum(keep) - 1, -1), -1)
    links = {name: getattr(paths, name)[keep] for name in ("from_node", "to_node", "distance_m")}
    steps = []
    for step in course:
        quality = LinkQuality(**{name: column[keep] for name, column in vars(step.quality).items()})
        routes = replace(step.routes, link=place[step.routes.link], receiver_link=place[step.routes.receiver_link])
        steps.append(CourseStep(step.until_s, quality, routes))
    return replace(paths, **links), tuple(steps)


def sampled_cells(sizes: Array, hops: Array, most: int) -> list[int]:
    """Cells spread evenly over the order of size, at least one, together at most ``most`` meters where possible.

    Where not even the smallest and the largest fit together it is one: that with the most hops in all among those that
    fit, since a cell of few meters without repeaters puts neither tier to a test.

    Parameters
    ----------
    sizes, hops : (n_sites,) meters per site, and hops of all of them together
    """
    order = np.argsort(sizes, kind="stable")
    order = order[sizes[order] > 0]
    if order.size == 0:
        return []
    fits = order[sizes[order] <= most]
    best = [int(fits[hops[fits].argmax()] if fits.size else order[order.size // 2])]
    for number in range(2, order.size + 1):
        chosen = order[np.unique(np.linspace(0, order.size - 1, number).round().astype(int))]
        if sizes[chosen].sum() <= most:
            best = [int(site) for site in chosen]
    return best


def cell_rows(cell: CellPiece) -> list[dict[str, Any]]:
    """Rows of the comparison, columns ``TIER_COLUMNS``: one per service of a cell, in the order of its services.

    ``n_meters`` have a way in this draw, and ``direct_ratio`` of them go without a repeater as the window opens.
    ``half_width`` is that of the 95 % interval of the mean difference, from the spread of the differences between what
    was read and its probability; latencies are medians over what both tiers read, of this service alone, inf where
    there is nothing. All services share the line: frames and refusals are counted per cell and stand in its first row.
    """
    day = cell_day(cell)
    asked = [service == ON_DEMAND for service in cell.services]
    rows = [
        _asked_row(cell, day, number) if asked[number] else _daily_row(cell, day, number)
        for number in range(len(cell.services))
        if (day.n_asked if asked[number] else cell.members.size)
    ]
    names = ("frames_sent", "frames_lost", "retries")
    for number, row in enumerate(rows):
        counted = int(number == 0)
        row |= {name: counted * day.counters[name] for name in names} | {"refused": counted * day.refused}
    return rows


def _daily_row(cell: CellPiece, day: CellDay, number: int) -> dict[str, Any]:
    """A service that everybody is asked for in turn."""
    finished_s, p_arrive, fast_s = day.finished_s[number], cell.p_arrive[number], cell.latency_s[number]
    read = np.isfinite(finished_s)
    both = read & np.isfinite(fast_s)
    medians_s = _median(fast_s[both]), _median(finished_s[both])
    means, spread = (float(p_arrive.mean()), float(read.mean())), float((read - p_arrive).std())
    return _row(cell, cell.services[number], read.size, *means, spread, medians_s)


def _asked_row(cell: CellPiece, day: CellDay, number: int) -> dict[str, Any]:
    """Reads on demand: as many as were asked for."""
    fast_s, ratio = cell.latency_s[number], day.waited_s.size / day.n_asked
    medians_s = _median(fast_s[np.isfinite(fast_s)]), _median(day.waited_s)
    spread = (ratio * (1 - ratio)) ** 0.5
    return _row(cell, ON_DEMAND, day.n_asked, float(cell.p_arrive[number].mean()), ratio, spread, medians_s)


def _row(
    cell: CellPiece, reads: str, n: int, fast: float, packet: float, spread: float, medians_s: tuple[float, float]
) -> dict[str, Any]:
    return {
        "technology": cell.technology.name,
        "cell": cell.site_id,
        "n_meters": cell.members.size,
        "direct_ratio": round(float((cell.course[0].routes.hops[cell.members] == 1).mean()), 5),
        "reads": reads,
        "n_exchanges": n,
        "read_fast": round(fast, 5),
        "read_packet": round(packet, 5),
        "difference": round(packet - fast, 5),
        "half_width": round(TWO_SIDED_95 * spread / n**0.5, 5),
        "latency_fast_s": round(medians_s[0], 1),
        "latency_packet_s": round(medians_s[1], 1),
    }


def _median(values: Array) -> float:
    return float(np.median(values)) if values.size else float("inf")


def tier_table(cells: Sequence[list[dict[str, Any]]]) -> pd.DataFrame:
    """Rows of all cells, one after another, as one table."""
    return pd.DataFrame([row for rows in cells for row in rows], columns=list(TIER_COLUMNS))


def cell_day(cell: CellPiece) -> CellDay:
    """The concentrator's collection window in the packet tier."""
    env, technology = simpy.Environment(), cell.technology
    opening = cell.course[0]
    plc = technology.open_cell(env, cell.paths, opening.quality, opening.routes, cell.site, cell.draws)
    turn = np.argsort(cell.draws.uniform(POLL_ORDER, cell.paths.node_key[cell.members]), kind="stable")
    polled = polled_meters(cell, turn)
    rules = Rules(technology.parallel_polls, MOST_ROUNDS, cell.session.timeout_s)
    concentrator = Concentrator(env, plc, cell.paths.n_meters + cell.site, polled, rules)
    if len(cell.course) > 1:
        env.process(follow(env, plc, cell.course))
    order = [row for row, service in enumerate(cell.services) if service != ON_DEMAND]
    until_s = [technology.airtime_share * window for window in cell.window_s]
    requests = _requests(cell)
    env.run(until=concentrator.day(order, until_s, requests))
    finished_s = np.full((len(cell.services), cell.members.size), np.inf)
    finished_s[:, turn] = concentrator.finished_s
    return CellDay(
        finished_s,
        requests.time_s.size,
        np.array(concentrator.waited_s),
        plc.counters,
        _refused(plc, polled),
        concentrator.wrong,
    )


def _requests(cell: CellPiece) -> Requests:
    """Reads on demand: a Poisson stream with one request a day from each meter in the mean; none where not asked."""
    if ON_DEMAND not in cell.services or cell.members.size == 0:
        return Requests(np.zeros(0), np.zeros(0, np.int64), 0.0)
    window_s = cell.window_s[cell.services.index(ON_DEMAND)]
    day_s = max(DAY_S, window_s)
    rng = cell.draws.generator(f"on demand {int(cell.paths.node_key[cell.paths.n_meters + cell.site])}")
    n = rng.poisson(cell.members.size * day_s / DAY_S)
    return Requests(np.sort(rng.uniform(0.0, day_s, n)), rng.integers(0, cell.members.size, n), window_s)


def _refused(plc: PlcCell, polled: dict[str, list[PolledMeter]]) -> int:
    """Frames that their check sequence or a look at their fields, and APDUs that a meter refused."""
    meters = {id(meter): meter for some in polled.values() for meter in some}.values()
    kinds = ("authentication", "malformed", "replay")
    frames = plc.counters["crc_refused"] + plc.counters.get("fields_refused", 0)
    return frames + sum(one.server.counters[kind] for one in meters for kind in kinds)


def polled_meters(cell: CellPiece, turn: Array) -> dict[str, list[PolledMeter]]:
    """The meters as each service finds them, in polling order: one meter for all services of its capture period."""
    who = cell.members[turn], cell.key[turn], cell.kind[turn]
    return commissioned(*who, cell.services, cell.session, cell.seed)
