"""G3-PLC: power line from meter to meter to the concentrator at the transformer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import simpy
from numpy.typing import NDArray

from ..draws import Draws
from ..mac.g3.cell import G3Cell
from ..mac.g3.exchange import G3Net, direct_airtime_s, leg_costs, relayed_s
from ..mac.g3.framing import HopTable, hop_table
from ..mac.g3.freshness import Search
from ..mac.g3.join_network import G3Network, standing_network
from ..mac.g3.sharing import contention_factors
from ..mac.plc.exchange import LegCost, Moment, Polling, outcome_of
from ..paths import CablePaths
from ..phy import g3_ofdm
from ..phy.g3_tables import bands_table, modes_table, rates_table, symbols_table
from ..phy.plc_adaptation import Adaptation
from ..powerline.assess import assess_links
from ..powerline.g3_parameters import G3Parameters
from ..powerline.on_cables import OnCables
from ..routing.cable_links import area_of_nodes, best_link, reasons, tree_routes
from ..routing.cheapest_tree import Graph, cheapest_tree, hop_merit
from ..routing.link_cost import COST_BIT, directional_cost, is_weak, link_cost, merit, relay_cost
from ..routing.loadng_links import LinkCosts
from ..routing.route_upkeep import subtree_sizes, tended_tree
from ..scenario import Scenario
from ..technology import (
    CourseStep,
    Exchanges,
    LinkQuality,
    Load,
    Outcome,
    Reach,
    Reason,
    Routes,
)

Array = NDArray[Any]

MODULATION_COST = {1: 3, 2: 2, 3: 1, 4: 0}
"""Points of the link cost by bits per carrier; the robust mode counts as one bit."""


@dataclass(frozen=True)
class G3Plc(G3Parameters, OnCables):
    """G3-PLC with LOADng-style routing and a polling concentrator at each transformer."""

    name: ClassVar[str] = "g3_plc"
    label: ClassVar[str] = "G3-PLC"

    @property
    def modes(self) -> tuple[str, ...]:
        """Names of the modes, robust first, then by rate; ``DBPSK-3`` uses the best three of six sub-bands."""
        return tuple(mode.name for mode in self.table)

    @property
    def own_adaptation(self) -> Adaptation:
        """Modes of the band in use."""
        return self.adaptation(self.state_of_bin, self.mains_hz)

    def assess(self, paths: CablePaths, scenario: Scenario, draws: Draws) -> LinkQuality:
        """What each link can carry in one replication.

        ``snr_*_db`` is the effective SNR on the carriers of the chosen mode (of the robust mode where there is none),
        the margin always that of the robust mode on all carriers.
        """
        return assess_links(paths, self, self.own_adaptation, scenario, draws)

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
        return np.asarray(cut.busy_s[row, index])

    def n_frames(self, mode: Array, n_bytes: Array) -> Array:
        """Segments of a message of ``n_bytes`` on one hop; parameters and errors as `airtime_s`."""
        cut, row, index = self._cut(mode, n_bytes)
        return np.asarray(cut.count[row, index])

    def _cut(self, mode: Array, n_bytes: Array) -> tuple[HopTable, Array, Array]:
        """The table of each different size, and where every message stands in it: row and column."""
        index, size = np.broadcast_arrays(np.asarray(mode), np.asarray(n_bytes))
        if np.any((index < 0) | (index >= len(self.table))):
            raise ValueError(f"mode must be 0 to {len(self.table) - 1}; see the table of modes")
        sizes, row = np.unique(size, return_inverse=True)
        return hop_table(sizes, self.table, self.mac), row.reshape(index.shape), index

    def reach(self, paths: CablePaths, quality: LinkQuality) -> Reach:
        """Meters that the concentrator of their own area reaches within the hop limit, all sites standing."""
        usable, n = np.flatnonzero(quality.usable), paths.n_meters
        graph = Graph.of(paths.from_node[usable], paths.to_node[usable], area_of_nodes(paths))
        sites = n + np.arange(paths.n_sites)
        tree, _ = cheapest_tree(graph, hop_merit(usable.size), sites, self.loadng.max_hops)
        meter = np.flatnonzero(tree.root[:n] >= 0)
        site, hops = tree.root[meter] - n, tree.hops[meter]
        return Reach(site.astype(np.int32), meter.astype(np.int32), hops.astype(np.int16))

    def load(self, exchanges: Exchanges, paths: CablePaths, quality: LinkQuality) -> Load:
        """Line time of each meter's exchanges over its best link; meters without a link count in the robust mode."""
        seconds = direct_airtime_s(self.net, exchanges, best_link(paths, quality), paths, quality)
        airtime = np.bincount(exchanges.meter, seconds, minlength=paths.n_meters)
        return Load(airtime, self.airtime_share * min(exchanges.window_s, default=0.0), self.site_meters)

    def routes(self, paths: CablePaths, quality: LinkQuality, built: Array, before: Routes | None = None) -> Routes:
        """Best routes to the concentrators that stand: fewest weak links, then least cost, then fewest hops.

        Parameters
        ----------
        built : (n_sites,) bool
        before : routes of the moment before, of which those that work are kept as ``route_repair`` and
            ``route_hysteresis`` say; None for none

        A relay's fill (Krt) is that of the routes before, or of the best routes without it.
        """
        n, area = paths.n_meters, area_of_nodes(paths)
        stands = np.append(np.asarray(built, bool), False)
        usable = np.flatnonzero(quality.usable & stands[area[paths.from_node]])
        graph = Graph.of(paths.from_node[usable], paths.to_node[usable], area)
        cost, sites = self._merit(quality, usable), n + np.flatnonzero(stands[:-1])
        row_of_link = np.full(paths.n_links + 1, -1, np.int64)
        row_of_link[usable] = np.arange(usable.size)
        most = self.loadng.max_hops
        fill = self._fill(graph, cost, sites, before)
        tree, too_far = tended_tree(graph, cost, sites, most, before, row_of_link, self.upkeep, fill)
        served = tree.root[:n] >= 0
        why = reasons(paths, quality, served, stands[:-1])
        why = np.where(too_far[:n] & ~served, Reason.HOP_LIMIT, why).astype(np.int8)
        link = np.append(usable, -1)[tree.link[:n]]
        return tree_routes(tree.parent[:n], tree.root[:n], tree.hops[:n], link, why, n)

    def _fill(self, graph: Graph, cost: Array, sites: Array, before: Routes | None) -> Array | None:
        """What each node adds for the routes it holds, as merit (n_nodes,); None where Krt is 0."""
        if self.weights.routes == 0:
            return None
        n_nodes = graph.first.size - 1
        if before is None:
            tree, _ = cheapest_tree(graph, cost, sites, self.loadng.max_hops)
            parent, hops = tree.parent, tree.hops
        else:
            rest = n_nodes - before.parent.size
            parent = np.append(before.parent, np.full(rest, -1)).astype(np.int64)
            hops = np.append(before.hops, np.zeros(rest, np.int64))
        held = relay_cost(subtree_sizes(parent, hops), self.routing_table_size, self.weights)
        return np.asarray(held.astype(np.int64) << COST_BIT)

    def _merit(self, quality: LinkQuality, rows: Array) -> Array:
        """Published link cost as merit; the LQI is taken from the effective SNR of the mode in use."""
        costs = [
            directional_cost(snr[rows], self.mode_robust[mode[rows]], self.mode_points[mode[rows]],
                             self.mode_tones[mode[rows]], self.weights)
            for snr, mode in ((quality.snr_up_db, quality.mode_up), (quality.snr_down_db, quality.mode_down))
        ]  # fmt: skip
        worst = np.minimum(quality.snr_up_db[rows], quality.snr_down_db[rows])
        return merit(link_cost(costs[0], costs[1], self.weights), is_weak(worst, self.weights), worst)

    @property
    def mode_points(self) -> Array:
        """(n_modes,) points of each mode's modulation in the link cost."""
        return np.array([MODULATION_COST[mode.waveform.bits] for mode in self.table])

    @property
    def mode_tones(self) -> Array:
        """(n_modes,) share of the carriers that each mode uses."""
        return np.array([mode.n_carriers / self.plan.n_carriers for mode in self.table])

    @property
    def mode_robust(self) -> Array:
        """(n_modes,) bool, modes with repetition."""
        return np.array([mode.robust for mode in self.table])

    @property
    def link_costs(self) -> LinkCosts:
        """Costs of links as the nodes of the packet tier work them out."""
        return LinkCosts(self.weights, self.mode_robust, self.mode_points, self.mode_tones, self.add_reverse_cost)

    @property
    def net(self) -> G3Net:
        """What the fast tier needs of this configuration."""
        loadng = self.loadng
        delay_s = 0.75 * float(np.mean(loadng.relay_delay_s))
        return G3Net(
            self.table,
            self.mac,
            Search(loadng.rrep_wait_s, loadng.net_traversal_s, delay_s),
            self.response_s,
            self.parallel_polls,
            60 * self.idle_before_min,
            loadng.route_ttl_s,
        )

    @property
    def polling(self) -> Polling:
        """How the concentrator asks; contention among several exchanges is worked out from their frames."""
        return Polling(self.response_s, self.parallel_polls, self.airtime_share)

    def leg_cost(
        self,
        exchanges: Exchanges,
        routes: Routes,
        paths: CablePaths,
        quality: LinkQuality,
        draws: Draws,
        *,
        alone: bool = False,
    ) -> LegCost:
        """What one start of each leg costs over its route at one moment.

        All modems are alike, whatever is drawn, and what others send is counted behind the legs (`carry_course`).
        """
        return leg_costs(self.net, exchanges, routes, paths, quality)

    def relay_airtime_s(self, exchanges: Exchanges, routes: Routes, paths: CablePaths, quality: LinkQuality) -> Array:
        """Line time that each node spends on forwarding for others in one period, (n_nodes,) [s]."""
        return relayed_s(self.net, exchanges, routes, paths, quality)

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
        return self.carry_course(exchanges, (CourseStep(np.inf, quality, routes),), paths, scenario, draws)

    def carry_course(
        self, exchanges: Exchanges, course: Sequence[CourseStep], paths: CablePaths, scenario: Scenario, draws: Draws
    ) -> Outcome:
        """Fast tier over a window in which links and routes change, step by step; see `CourseStep`."""
        moments = [
            Moment(step.until_s, step.routes, self.leg_cost(exchanges, step.routes, paths, step.quality, draws))
            for step in course
        ]
        first = course[0]
        factors = contention_factors(self.net, exchanges, moments[0].cost, first.routes, paths, first.quality)
        polling = replace(self.polling, contention=factors)
        return outcome_of(exchanges, moments, paths, course[0].quality, draws, polling, not scenario.interference)

    def open_cell(
        self, env: simpy.Environment, paths: CablePaths, quality: LinkQuality, routes: Routes, site: int, draws: Draws
    ) -> G3Cell:
        """Packet tier: the cell of one concentrator, real bytes over the simulated links.

        Meters with a route are inside and their routes stand, as old as ``idle_before_min`` says; the others stay
        outside until they are started.
        """
        idle_s = 60 * self.idle_before_min

        def routing(cell: G3Cell) -> G3Network:
            return standing_network(cell, paths, routes, self.link_costs, self.loadng, self.joining, idle_s)

        return G3Cell(
            env, paths, quality, routes, site, draws, self.table, self.mac,
            response_s=self.response_s, max_hops=self.loadng.max_hops, map_age_s=idle_s, routing=routing,
        )  # fmt: skip

    def tables(self) -> Mapping[str, Any]:
        """Modes of the band in use, and bands, frames and rates of the whole family."""
        return {
            "modes": modes_table(self.table, self.implementation_loss_db),
            "rate_bps by payload symbols": symbols_table(self.table),
            "bands": bands_table(self.plans),
            "largest frames on all carriers": rates_table(self.plans),
        }
