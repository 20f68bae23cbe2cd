"""PRIME 1.3.6 and 1.4: power line from meter to meter to the base node at the transformer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import simpy
from numpy.typing import NDArray

from ..draws import Draws
from ..mac.plc.exchange import LegCost, Moment, Polling, outcome_of
from ..mac.prime.cell import PrimeCell
from ..mac.prime.exchange import leg_costs, relay_airtime_s
from ..mac.prime.framing import frame_loss, frame_s, segment_count
from ..mac.prime.settings import DATA_PRIORITY, LLC_BYTES, MOST_SEGMENTS, SAR_BYTES
from ..mac.prime.sharing import contention
from ..mac.prime.time import mac_frame_row
from ..paths import CablePaths
from ..phy.plc_adaptation import Adaptation
from ..phy.prime_adaptation import adaptive_modes
from ..phy.prime_tables import channels_table, frames_table, modes_table
from ..powerline.assess import assess_links
from ..powerline.on_cables import OnCables
from ..powerline.prime_parameters import PrimeParameters
from ..routing.cable_links import area_of_nodes, best_link, reasons, tree_routes
from ..routing.prime_tree import NO_SWITCH_LEFT, TOO_DEEP, Registered, registered_tree
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

LEGACY = "prime legacy"
"""Purpose of the draw that makes a meter one of version 1.3.6."""


@dataclass(frozen=True)
class Prime(PrimeParameters, OnCables):
    """PRIME with registered meters, some of them switches, and a polling base node at each transformer."""

    name: ClassVar[str] = "prime"
    label: ClassVar[str] = "PRIME"

    @property
    def modes(self) -> tuple[str, ...]:
        """Names of the modes, robust first, then by rate."""
        return tuple(mode.name for mode in self.table)

    def legacy(self, paths: CablePaths, draws: Draws) -> Array:
        """Nodes of version 1.3.6 in a network of 1.4, (n_nodes,) bool; base nodes are of the network's own version."""
        drawn = draws.uniform(LEGACY, paths.node_key) < self.legacy_share
        return np.asarray(drawn & (np.arange(drawn.size) < paths.n_meters))

    def assess(self, paths: CablePaths, scenario: Scenario, draws: Draws) -> LinkQuality:
        """What each link can carry in one replication.

        ``snr_*_db`` is the effective SNR in the chosen mode (in the most robust one where there is none), the margin
        always that of the most robust mode of the pair's frame type. In a mixed cell the line is assessed for either
        type, which takes twice the time, and a pair with a meter of 1.3.6 keeps the answer for type A.
        """
        mac = self.mac
        own = assess_links(paths, self, self.own_adaptation, scenario, draws)
        if not mac.mixed or paths.n_links == 0:
            return own
        old = assess_links(paths, self, self.adaptation("A"), scenario, draws)
        legacy = self.legacy(paths, draws)
        pair = legacy[paths.from_node] | legacy[paths.to_node]
        # the last row is "no mode"
        place = np.array([self.modes.index(mode.name) for mode in adaptive_modes(mac.channels, "A")] + [-1], np.int8)
        return LinkQuality(
            **{
                item.name: np.where(pair, _as_table(item.name, old, place), getattr(own, item.name))
                for item in fields(LinkQuality)
            }
        )

    def check_messages(self, longest_bytes: int) -> None:
        """Refuse segments so small that there cannot be enough of them for the longest message of a case.

        Raises ValueError naming the smallest ``sar_bytes`` that fits, or the size that has to shrink where none does.
        """
        room = {size: MOST_SEGMENTS * replace(self, sar_bytes=size).mac.segment_payload_bytes for size in SAR_BYTES}
        if room[self.sar_bytes] >= longest_bytes + LLC_BYTES:
            return
        fits = [size for size in SAR_BYTES[1:] if room[size] >= longest_bytes + LLC_BYTES]
        fix = f"write {fits[0]} or more" if fits else f"lower max_pdu_bytes of [session] below {max(room.values())}"
        raise ValueError(
            f"{self.name}: sar_bytes = {self.sar_bytes} leaves {room[self.sar_bytes]} B to a message of "
            f"{MOST_SEGMENTS} segments, the longest has {longest_bytes + LLC_BYTES} B; {fix}"
        )

    @property
    def own_adaptation(self) -> Adaptation:
        """Modes of the network's own frame type."""
        return self.adaptation(self.mac.data_frame)

    def packet_error_ratio(self, snr_db: Array, mode: Array, n_bytes: Array) -> Array:
        """Probability that one MAC frame of ``n_bytes`` is lost: preamble, header or payload.

        Parameters as in the protocol; the frame is of the network's own type, and header and payload are given the same
        effective SNR. 1 where the mode is -1.
        """
        return frame_loss(self.mac, self.mac.data_frame, mode, snr_db, snr_db, n_bytes)

    def airtime_s(self, mode: Array, n_bytes: Array) -> Array:
        """Channel time of a message of ``n_bytes`` on one hop, every segment sent once and the words on them [s].

        Parameters
        ----------
        mode : (n,) index in ``modes``;  n_bytes : (n,) above 0; the two are broadcast. Contention is not counted.
        Raises ValueError where a mode does not exist or a message is empty or too long.
        """
        mac = self.mac
        index, size = self._checked(mode, n_bytes)
        count = segment_count(size, mac)
        words = -(-count // mac.arq_window) * mac.arq
        full = mac.segment_payload_bytes + mac.overhead_bytes
        rest = size + LLC_BYTES - (count - 1) * mac.segment_payload_bytes + mac.overhead_bytes
        each = [frame_s(mac, mac.data_frame, index, np.asarray(one)) for one in (full, rest, mac.overhead_bytes)]
        return np.asarray((count - 1) * each[0] + each[1] + words * each[2])

    def n_frames(self, mode: Array, n_bytes: Array) -> Array:
        """Segments of a message of ``n_bytes`` and the words on them; parameters and errors as `airtime_s`."""
        count = segment_count(self._checked(mode, n_bytes)[1], self.mac)
        return np.asarray(count + -(-count // self.mac.arq_window) * self.mac.arq)

    def _checked(self, mode: Array, n_bytes: Array) -> tuple[Array, Array]:
        """Modes and sizes broadcast against each other."""
        index, size = np.broadcast_arrays(np.asarray(mode), np.asarray(n_bytes))
        if np.any((index < 0) | (index >= len(self.table))):
            raise ValueError(f"mode must be 0 to {len(self.table) - 1}; see the table of modes")
        return index, size

    def reach(self, paths: CablePaths, quality: LinkQuality) -> Reach:
        """Meters that the base node of their own area can register, all sites standing."""
        tree = self._tree(paths, quality, np.ones(paths.n_sites, bool))
        meter = np.flatnonzero(tree.root[: paths.n_meters] >= 0)
        site = (tree.root[meter] - paths.n_meters).astype(np.int32)
        return Reach(site, meter.astype(np.int32), tree.hops[meter].astype(np.int16))

    def load(self, exchanges: Exchanges, paths: CablePaths, quality: LinkQuality) -> Load:
        """Channel time of each meter's exchanges over its best link; meters without a mode there count as robust."""
        best = best_link(paths, quality)
        row = best[exchanges.meter]
        mode = np.append(np.minimum(quality.mode_up, quality.mode_down), 0)[row]
        seconds = self.airtime_s(np.maximum(mode, 0), exchanges.bytes) if row.size else np.zeros(0)
        access_s = (self.mac.mean_backoff_s(DATA_PRIORITY) + self.mac.senses_s) * self.n_frames(
            np.zeros(1, np.int64), exchanges.bytes
        )
        share = self.mac.scp_s / self.mac.frame_s
        airtime = np.bincount(exchanges.meter, (seconds + access_s) / share, minlength=paths.n_meters)
        return Load(airtime, self.airtime_share * min(exchanges.window_s, default=0.0), self.site_meters)

    def _tree(self, paths: CablePaths, quality: LinkQuality, built: Array, before: Routes | None = None) -> Registered:
        return registered_tree(
            paths,
            quality,
            area_of_nodes(paths),
            built,
            most_level=self.max_level,
            most_switches=self.mac.most_sending_switches,
            before=before if self.keep_registration else None,
        )

    def routes(self, paths: CablePaths, quality: LinkQuality, built: Array, before: Routes | None = None) -> Routes:
        """The trees once everybody who can has registered with the base nodes that stand.

        Parameters
        ----------
        built : (n_sites,) bool;  before : routes of the moment before; with ``keep_registration`` nodes stay with their
            switch while they hear it
        """
        n, stands = paths.n_meters, np.asarray(built, bool)
        tree = self._tree(paths, quality, stands, before)
        root, barred = tree.root[:n], tree.barred[:n]
        reason = reasons(paths, quality, root >= 0, stands)
        reason = np.where(barred == TOO_DEEP, Reason.HOP_LIMIT, reason)
        reason = np.where(barred == NO_SWITCH_LEFT, Reason.CAPACITY, reason).astype(np.int8)
        return tree_routes(tree.parent[:n], root, tree.hops[:n], tree.link[:n], reason, n)

    def carry(
        self,
        exchanges: Exchanges,
        routes: Routes,
        paths: CablePaths,
        quality: LinkQuality,
        scenario: Scenario,
        draws: Draws,
    ) -> Outcome:
        """Fast tier: every exchange over its way, and the polling cycle of each base node."""
        return self.carry_course(exchanges, [CourseStep(np.inf, quality, routes)], paths, scenario, draws)

    def carry_course(
        self, exchanges: Exchanges, course: Sequence[CourseStep], paths: CablePaths, scenario: Scenario, draws: Draws
    ) -> Outcome:
        """The same where links and routes change during the window; parts as in `CourseStep`, the last without end."""
        alone = not scenario.interference

        def moment(part: CourseStep) -> Moment:
            cost = self.leg_cost(exchanges, part.routes, paths, part.quality, draws, alone=alone)
            return Moment(part.until_s, part.routes, cost)

        moments, first = [moment(part) for part in course], course[0]
        factors, waits = contention(
            self.mac, exchanges, moments[0].cost, first.routes, paths, first.quality, self.legacy(paths, draws),
            self.parallel_polls,
        )  # fmt: skip
        polling = replace(self.polling, contention=factors, waiting=waits)
        return outcome_of(exchanges, moments, paths, first.quality, draws, polling, alone=alone)

    @property
    def polling(self) -> Polling:
        """How a base node asks its meters; contention among several exchanges is worked out from their frames."""
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
        """What one start of each leg costs over its way at one moment.

        Draws tell which meters are of the old kind; ``alone`` leaves out the control frames of others.
        """
        legacy, answer_s = self.legacy(paths, draws), self.response_s
        return leg_costs(self.mac, exchanges, routes, paths, quality, legacy, response_s=answer_s, alone=alone)

    def relay_airtime_s(self, exchanges: Exchanges, routes: Routes, paths: CablePaths, quality: LinkQuality) -> Array:
        """Channel time each node spends forwarding for others in one period, (n_nodes,) [s].

        Every hop counts with the network's own frame type: which meters of a mixed cell are old is a matter of draws.
        """
        nobody = np.zeros(paths.n_meters + paths.n_sites, bool)
        return relay_airtime_s(self.mac, exchanges, routes, paths, quality, nobody)

    def open_cell(
        self, env: simpy.Environment, paths: CablePaths, quality: LinkQuality, routes: Routes, site: int, draws: Draws
    ) -> PrimeCell:
        """Packet tier: the cell of one base node, real bytes over the simulated links."""
        legacy = self.legacy(paths, draws)
        return PrimeCell(env, paths, quality, routes, site, draws, self.mac, self.response_s, legacy)

    def tables(self) -> Mapping[str, Any]:
        """Modes in use, frame types, channels, and the MAC frame of this configuration."""
        mac = self.mac
        return {
            "modes": modes_table(self.table, mac.data_frame, self.implementation_loss_db),
            "frame types": frames_table(),
            "channels": channels_table(),
            "MAC frame": pd.DataFrame([mac_frame_row(mac)]),
        }


def _as_table(name: str, quality: LinkQuality, place: Array) -> Array:
    """A column of an assessment of type A with its modes numbered as in the network's own table."""
    column = getattr(quality, name)
    return np.asarray(place[column] if name.startswith("mode_") else column)
