"""G3-PLC: power line from meter to meter to the concentrator at the transformer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import simpy
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..draws import Draws
from ..mac.g3_cell import G3Cell
from ..mac.g3_exchange import carry_exchanges, leg_costs
from ..mac.g3_framing import HopTable, hop_table
from ..paths import CablePaths
from ..phy import g3_ofdm
from ..phy.g3_tables import bands_table, modes_table, rates_table, symbols_table
from ..powerline.assess import assess_links
from ..powerline.g3_parameters import G3Parameters
from ..powerline.views import FeederView, LinkNumbers, feeder_view, link_numbers
from ..routing.link_cost import CostWeights, cheapest_tree, directional_cost, link_cost
from ..scenario import Scenario
from ..technology import Exchanges, Influence, LinkQuality, Load, Medium, Outcome, Reach, Reason, Routes, Siting

Array = NDArray[Any]

MODULATION_COST = {1: 3, 2: 2, 3: 1, 4: 0}
"""Points of the link cost by bits per carrier; the robust mode counts as one bit."""


@dataclass(frozen=True)
class G3Plc(G3Parameters):
    """G3-PLC with LOADng-style routing and a polling concentrator at each transformer."""

    name: ClassVar[str] = "g3_plc"
    label: ClassVar[str] = "G3-PLC"
    media: ClassVar[tuple[Medium, ...]] = (Medium.POWERLINE,)
    siting: ClassVar[Siting] = Siting.TRANSFORMER
    influences: ClassVar[tuple[Influence, ...]] = (
        Influence.DISTANCE,
        Influence.CABLE,
        Influence.LOAD_IMPEDANCE,
        Influence.NOISE,
        Influence.TX_POWER,
        Influence.DENSITY,
        Influence.TRAFFIC,
    )

    @property
    def modes(self) -> tuple[str, ...]:
        """Names of the modes, robust first, then by rate; ``DBPSK-3`` uses the best three of six sub-bands."""
        return tuple(mode.name for mode in self.table)

    @property
    def exchange_policy(self) -> str:
        """The concentrator asks."""
        return "pull"

    def assess(self, paths: CablePaths, scenario: Scenario, draws: Draws) -> LinkQuality:
        """What each link can carry in one replication.

        ``snr_*_db`` is the effective SNR on the carriers of the chosen mode (of the robust mode where there is none),
        the margin always that of the robust mode on all carriers.
        """
        return assess_links(paths, self, self.adaptation(self.state_of_bin, self.mains_hz), scenario, draws)

    def feeder_view(self, paths: CablePaths, scenario: Scenario, draws: Draws, site: int) -> FeederView:
        """One area as its concentrator sees it and is seen, carrier by carrier; see `powerline.views.feeder_view`."""
        return feeder_view(paths, self, self.adaptation(self.state_of_bin, self.mains_hz), scenario, draws, site)

    def link_numbers(self, paths: CablePaths, scenario: Scenario, draws: Draws, link: int) -> LinkNumbers:
        """Every number of the link in one row of the paths; see `powerline.views.link_numbers`."""
        return link_numbers(paths, self, self.adaptation(self.state_of_bin, self.mains_hz), scenario, draws, link)

    def packet_error_ratio(self, snr_db: Array, mode: Array, n_bytes: Array) -> Array:
        """Probability that one frame with a PSDU of ``n_bytes`` is lost: preamble, header or payload.

        Parameters as in the protocol; header and payload are given the same effective SNR. 1 where the mode is -1.
        """
        snr, mode, size = np.broadcast_arrays(np.asarray(snr_db, float), np.asarray(mode), np.asarray(n_bytes))
        payload = g3_ofdm.payload_error_ratio(snr, mode, size, self.implementation_loss_db, self.table)
        return np.asarray(1 - (1 - self.mac.header_error_ratio(snr)) * (1 - payload))

    def airtime_s(self, mode: Array, n_bytes: Array) -> Array:
        """Channel time of a message of ``n_bytes`` on one hop, all its segments sent once and acknowledged [s].

        Parameters
        ----------
        mode : (n,) index in ``modes``;  n_bytes : (n,) above 0; the two are broadcast. Contention is not counted.
        Raises ValueError where a mode or a size does not exist.
        """
        cut, row, index = self._cut(mode, n_bytes)
        cycles = cut.count * (cut.frame_s + self.plan.ack_cycle_s)
        return np.asarray(cycles.sum(-1)[row, index])

    def n_frames(self, mode: Array, n_bytes: Array) -> Array:
        """Segments of a message of ``n_bytes`` on one hop; parameters and errors as `airtime_s`."""
        cut, row, index = self._cut(mode, n_bytes)
        return np.asarray(cut.count.sum(-1)[row, index])

    def _cut(self, mode: Array, n_bytes: Array) -> tuple[HopTable, Array, Array]:
        """The table of each different size, and where every message stands in it: row and column."""
        index, size = np.broadcast_arrays(np.asarray(mode), np.asarray(n_bytes))
        if np.any((index < 0) | (index >= len(self.table))):
            raise ValueError(f"mode must be 0 to {len(self.table) - 1}; see the table of modes")
        sizes, row = np.unique(size, return_inverse=True)
        return hop_table(sizes, self.table, self.mac), row.reshape(index.shape), index

    def reach(self, paths: CablePaths, quality: LinkQuality) -> Reach:
        """Meters that the concentrator of their own area reaches in at most ``max_hops`` hops, all sites standing."""
        usable = np.flatnonzero(quality.usable)
        sites = paths.n_meters + np.arange(paths.n_sites)
        ones = np.ones(usable.size)
        _, root, hops, _ = cheapest_tree(
            paths.from_node[usable],
            paths.to_node[usable],
            ones,
            paths.n_meters + paths.n_sites,
            sites,
            _area(paths),
            self.max_hops,
        )
        meter = np.flatnonzero(root[: paths.n_meters] >= 0)
        return Reach(
            (root[meter] - paths.n_meters).astype(np.int32), meter.astype(np.int32), hops[meter].astype(np.int16)
        )

    def load(self, exchanges: Exchanges, paths: CablePaths, quality: LinkQuality) -> Load:
        """Channel time of each meter's exchanges over its best link; meters without a link count in the robust mode."""
        best = _best_link(paths, quality)
        seconds = leg_costs(self.table, self.mac, exchanges, best, paths, quality, meters=exchanges.meter).time_s
        airtime = np.bincount(exchanges.meter, seconds, minlength=paths.n_meters)
        return Load(airtime, self.airtime_share * min(exchanges.window_s, default=0.0), self.site_meters)

    def routes(self, paths: CablePaths, quality: LinkQuality, built: Array) -> Routes:
        """Cheapest routes to the concentrators that stand, by link cost, within the hop limit."""
        n_nodes, n = paths.n_meters + paths.n_sites, paths.n_meters
        area = _area(paths)
        stands = np.append(np.asarray(built, bool), False)
        usable = np.flatnonzero(quality.usable & stands[area[paths.from_node]])
        cost = self._cost(quality, usable)
        start, end = paths.from_node[usable], paths.to_node[usable]
        sites = n + np.flatnonzero(stands[:-1])
        parent, root, hops, too_far = cheapest_tree(start, end, cost, n_nodes, sites, area, self.max_hops)
        parent, root, hops = parent[:n], root[:n], hops[:n]
        served = root >= 0
        link = _link_between(start, end, usable, n_nodes, np.arange(n), parent)
        reason = self._why_not(paths, quality, served, too_far[:n], stands[:-1])
        receiver = link[served]
        return Routes(
            np.where(served, root - n, -1).astype(np.int32),
            parent.astype(np.int32),
            link,
            hops.astype(np.int16),
            np.concatenate([[0], np.cumsum(served)]).astype(np.int64),
            receiver,
            reason,
        )

    def _cost(self, quality: LinkQuality, rows: Array) -> Array:
        """Published link cost; the LQI is taken from the effective SNR of the mode in use."""
        weights = CostWeights(quality=self.cost_quality, lqi_weak=self.weak_lqi)
        points = np.array([MODULATION_COST[m.waveform.bits] for m in self.table])
        tones = np.array([m.n_carriers / self.plan.n_carriers for m in self.table])
        robust = np.array([m.waveform.repetition > 1 for m in self.table])
        costs = [
            directional_cost(snr[rows], robust[mode[rows]], points[mode[rows]], tones[mode[rows]], weights)
            for snr, mode in ((quality.snr_up_db, quality.mode_up), (quality.snr_down_db, quality.mode_down))
        ]
        worst = np.minimum(quality.snr_up_db[rows], quality.snr_down_db[rows])
        return link_cost(costs[0], costs[1], worst, weights)

    def _why_not(
        self, paths: CablePaths, quality: LinkQuality, served: Array, too_far: Array, fed_sites: Array
    ) -> Array:
        """Reason of each meter without a route.

        A meter that hears nobody fails for the limit of its best link. Meters that hear each other but have no way on
        fail for the limit of the best link out of their island towards a meter or concentrator that has one. Where
        there is no such link, they lack a neighbour.
        """
        best = _best_link(paths, quality)
        hears = np.append(quality.usable, False)[best]
        listed = np.append(quality.limit, Reason.NO_NEIGHBOUR)
        arrived = np.concatenate([served, fed_sites])
        reason = np.where(hears, listed[_way_out(paths, quality, arrived)], listed[best])
        reason = np.where(too_far, Reason.HOP_LIMIT, reason)
        reason = np.where(np.append(fed_sites, False)[_area(paths)[: paths.n_meters]], reason, Reason.NO_TRANSFORMER)
        return np.where(served, Reason.NONE, reason).astype(np.int8)

    def carry(
        self,
        exchanges: Exchanges,
        routes: Routes,
        paths: CablePaths,
        quality: LinkQuality,
        scenario: Scenario,
        draws: Draws,
    ) -> Outcome:
        """Fast tier: every exchange over its route, and the polling cycle of each concentrator."""
        return carry_exchanges(
            self.table,
            self.mac,
            exchanges,
            routes,
            paths,
            quality,
            draws,
            response_s=self.response_s,
            parallel=self.parallel_polls,
            airtime_share=self.airtime_share,
            alone=not scenario.interference,
        )

    def open_cell(
        self, env: simpy.Environment, paths: CablePaths, quality: LinkQuality, routes: Routes, site: int, draws: Draws
    ) -> G3Cell:
        """Packet tier: the cell of one concentrator, real bytes over the simulated links."""
        return G3Cell(env, paths, quality, routes, site, draws, self.table, self.mac, self.response_s)

    def tables(self) -> Mapping[str, Any]:
        """Modes of the band in use, and bands, frames and rates of the whole family."""
        return {
            "modes": modes_table(self.table, self.implementation_loss_db),
            "rate_bps by payload symbols": symbols_table(self.table),
            "bands": bands_table(self.plans),
            "largest frames on all carriers": rates_table(self.plans),
        }


def _area(paths: CablePaths) -> Array:
    """Site row that feeds each node; -1 for none."""
    terminal = np.concatenate([paths.meter_feeder_node, paths.site_feeder_node]).astype(np.int64)
    if paths.n_feeder_nodes == 0:
        return np.full(terminal.size, -1)
    return np.where(terminal >= 0, paths.feeder_area[np.maximum(terminal, 0)], -1)


def _best_link(paths: CablePaths, quality: LinkQuality) -> Array:
    """Row of the link with the largest margin in its weaker direction, per meter; -1 where it has no link."""
    margin = np.minimum(quality.margin_up_db, quality.margin_down_db)
    largest = np.full(paths.n_meters + paths.n_sites, -np.inf)
    np.maximum.at(largest, paths.from_node, margin)
    np.maximum.at(largest, paths.to_node, margin)
    best = np.full(largest.size, -1, np.int64)
    for node in (paths.from_node, paths.to_node):
        row = np.flatnonzero(margin == largest[node])
        # of equal margins the last row stays
        np.maximum.at(best, node[row], row)
    return best[: paths.n_meters]


def _way_out(paths: CablePaths, quality: LinkQuality, arrived: Array) -> Array:
    """Best link from each meter's island (who hears whom) to a node that has a way on; -1 where there is none.

    arrived : (n_nodes,) bool, meters with a route and concentrators that stand
    """
    n = arrived.size
    heard = np.flatnonzero(quality.usable)
    graph = coo_array((np.ones(heard.size), (paths.from_node[heard], paths.to_node[heard])), shape=(n, n)).tocsr()
    island = connected_components(graph, directed=False)[1]
    out = np.flatnonzero(arrived[paths.from_node] != arrived[paths.to_node])
    out = out[np.argsort(np.minimum(quality.margin_up_db, quality.margin_down_db)[out], kind="stable")]
    inner = np.where(arrived[paths.from_node[out]], paths.to_node[out], paths.from_node[out])
    best = np.full(n, -1, np.int64)
    best[island[inner]] = out
    return np.asarray(best[island[: paths.n_meters]])


def _link_between(start: Array, end: Array, link: Array, n_nodes: int, node: Array, parent: Array) -> Array:
    """Row of the link between each node and its parent; -1 where it has none."""
    found = np.full(node.size, -1, np.int64)
    if link.size == 0:
        return found
    key = np.minimum(start, end).astype(np.int64) * n_nodes + np.maximum(start, end)
    order = np.argsort(key)
    has = np.flatnonzero(parent >= 0)
    wanted = np.minimum(node[has], parent[has]).astype(np.int64) * n_nodes + np.maximum(node[has], parent[has])
    found[has] = link[order[np.searchsorted(key[order], wanted)]]
    return found
