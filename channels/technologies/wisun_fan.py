"""Wi-SUN FAN: a self-forming 868 MHz mesh of meters around collectors on poles, masts and roofs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammainc, gammaincinv, ndtr

from ..draws import Draws, mix, pair_key
from ..mac.csma_154 import LegSums, MeshMac, application_tries, frames_of, queue_start_s, walk_legs
from ..pathloss.enclosure import PURPOSE, enclosure_loss_db
from ..pathloss.free_space import free_space_loss_db
from ..pathloss.hata import hata_loss_db
from ..pathloss.p526 import terrain_excess_db
from ..pathloss.p1411 import near_street_loss_db
from ..pathloss.shadowing import shadowing_db
from ..paths import Clutter, Enclosure, RadioPaths
from ..phy import sun_fsk
from ..regions import band_at, bands_table, check_limits
from ..routing.etx_tree import EtxTree, along_path, etx_tree, hop_reach, link_etx
from ..technology import (
    UP,
    Exchanges,
    Influence,
    LinkQuality,
    Load,
    Medium,
    Outcome,
    Reach,
    Reason,
    Routes,
    Scenario,
    Siting,
    parameter,
)

Array = NDArray[Any]

_EN220 = "EN 300 220-2 V3.3.1 tables 4 and 17"
_WBL = "Silicon Labs wisun-br-linux 2.10.2, public source"
_SEVERITY = np.array([0, 2, 3, 1, 4, 0], np.int8)
"""How built-up each ``Clutter`` code is; the worse end of a link names its surroundings."""
_NEAR_M, _FAR_M = 40.0, 100.0
"""Below 40 m the pole model is free space, above 100 m Hata, a straight line over log distance between."""
_STREET_RANGE_M, _POLE_RANGE_M = 3e3, 40e3
_CERTAIN = 1.0 - 1e-9


@dataclass(frozen=True)
class WisunFan:
    """Wi-SUN FAN 1.0/1.1 with SUN FSK, receiver-directed hopping and RPL with ETX; see docs/method-wisun.md."""

    name: ClassVar[str] = "wisun_fan"
    label: ClassVar[str] = "Wi-SUN FAN (868 MHz mesh)"
    media: ClassVar[tuple[Medium, ...]] = (Medium.RADIO,)
    siting: ClassVar[Siting] = Siting.CANDIDATE_SITE
    influences: ClassVar[tuple[Influence, ...]] = (
        Influence.DISTANCE,
        Influence.SITE_HEIGHT,
        Influence.TERRAIN,
        Influence.ENCLOSURE,
        Influence.CLUTTER,
        Influence.TX_POWER,
        Influence.NOISE,
        Influence.DENSITY,
        Influence.TRAFFIC,
        Influence.DUTY_CYCLE,
    )

    phy_mode: str = parameter("1a", "", "SUN FSK operating mode: 1a 50, 2a 100, 3 150 kb/s", "Wi-SUN PHY register")
    fec: bool = parameter(False, "", "rate-1/2 forward error correction, header and frame double", _WBL)
    fec_gain_db: float = parameter(
        4.0, "dB", "sensitivity gained by it", "AWGN 3-5 dB; the standard grants 6", confidence="C", minimum=0.0
    )
    region: str = parameter("EU", "", "whose band limits hold", "table of channels/regions.py")
    frequency_hz: float = parameter(
        868e6, "Hz", "carrier", "European channel plans 32 and 33", minimum=863e6, maximum=928e6
    )
    n_channels: int = parameter(
        0, "1", "channels hopped over; 0 takes plan 32 (62) or plan 33 (29) by channel spacing", _WBL, minimum=0
    )
    meter_eirp_dbm: float = parameter(16.15, "dBm", "radiated power of a meter (25 mW e.r.p.)", _EN220)
    site_eirp_dbm: float = parameter(16.15, "dBm", "radiated power of a collector (25 mW e.r.p.)", _EN220)
    meter_gain_dbi: float = parameter(
        0.0, "dBi", "receive antenna of a meter; mismatch is in the sensitivity", "planning budget", confidence="C"
    )
    site_gain_dbi: float = parameter(
        2.15, "dBi", "receive antenna of a collector, half-wave dipole", "planning", confidence="C"
    )
    noise_figure_db: float = parameter(
        7.0, "dB", "receiver noise figure", "5-8 dB sub-GHz transceivers", confidence="B", minimum=0.0
    )
    noise_suburban_db: float = parameter(
        3.0, "dB", "man-made noise and short-range devices over the receiver, suburban", "no standard", confidence="C"
    )
    noise_urban_db: float = parameter(6.0, "dB", "the same, urban and dense", "no standard", confidence="C")
    multipath_margin_db: float = parameter(
        4.0,
        "dB",
        "static multipath left after hopping over many channels",
        "3-5 dB instead of 10-20",
        confidence="C",
        minimum=0.0,
    )
    shadowing_sigma_db: float = parameter(
        7.0, "dB", "spread of links to elevated sites", "measured 6-9 dB for poles", confidence="C", minimum=0.0
    )
    building_class: str = parameter(
        "traditional", "", "class of walls", "ITU-R P.2109-1 table 1; which, is our choice", confidence="C"
    )
    etx_reject: float = parameter(4.0, "1", "links that need more attempts are refused", _WBL, minimum=1.05)
    etx_frame_bytes: int = parameter(
        250, "B", "frame on which the link cost is measured", _WBL, confidence="C", minimum=1
    )
    max_hops: int = parameter(24, "1", "hop limit of the network", "FAN 1.0, TI SWRA714A", minimum=1)
    planning_hops: int = parameter(
        8, "1", "hops that siting counts on", "95 % of field meters within 8", confidence="C", minimum=1
    )
    max_meters_per_site: int = parameter(
        5000, "1", "meters per collector", "Silver Spring access point manual; Cisco WPAN guide", minimum=1
    )
    mtu_bytes: int = parameter(1280, "B", "6LoWPAN payload per frame; some vendors 800", _WBL, minimum=64, maximum=1400)
    frame_overhead_bytes: int = parameter(
        80,
        "B",
        "MAC, security, information elements, compressed IPv6 and UDP per frame",
        "derived: 512 B ping takes 1332 B on air in four frames (docs.silabs.com/wisun)",
        confidence="C",
        minimum=0,
    )
    source_route_bytes: int = parameter(
        8, "B", "source routing header per hop, downwards", "RFC 8138, non-storing RPL", confidence="B", minimum=0
    )
    ack_bytes: int = parameter(
        50, "B", "enhanced acknowledgement with timing elements", "40-60 B", confidence="B", minimum=3
    )
    frame_retries: int = parameter(7, "1", "repetitions of an unacknowledged frame", _WBL, minimum=0, maximum=31)
    cca_retries: int = parameter(8, "1", "further channel assessments before giving up", _WBL, minimum=0, maximum=31)
    min_backoff_exponent: int = parameter(3, "1", "CSMA minimum BE", _WBL, minimum=0, maximum=8)
    max_backoff_exponent: int = parameter(5, "1", "CSMA maximum BE", _WBL, minimum=0, maximum=8)
    backoff_unit_s: float = parameter(
        1.16e-3, "s", "backoff unit: 1 ms turnaround and 8 symbols", "PHY dependent", confidence="C", minimum=0.0
    )
    broadcast_dwell_s: float = parameter(0.255, "s", "broadcast slot, unicast is silent", _WBL, minimum=0.0)
    broadcast_interval_s: float = parameter(1.020, "s", "broadcast interval", _WBL, minimum=0.001)
    hidden_share: float = parameter(
        0.4, "1", "audible traffic the sender cannot hear", "no source", confidence="C", minimum=0.0, maximum=1.0
    )
    parallel_sessions: int = parameter(
        8, "1", "meters a collector polls at once", "head-end practice", confidence="C", minimum=1
    )
    max_utilisation: float = parameter(
        0.5, "1", "share of the time a collector may receive or send", "planning practice", confidence="C", minimum=0.01
    )
    access: str = parameter("polite", "", "polite (listen and hop) or plain (duty cycle of the band)", _EN220)
    duty_cycle: float = parameter(
        0.025,
        "1",
        "hourly airtime budget of a meter: stack default 90 s/h",
        "Silicon Labs Wi-SUN SDK, ETSI parameter set",
        minimum=1e-6,
        maximum=1.0,
    )
    site_duty_cycle: float = parameter(
        0.1,
        "1",
        "hourly airtime budget of a collector: 360 s/h",
        "Silicon Labs Wi-SUN SDK, ETSI parameter set, border router",
        minimum=1e-6,
        maximum=1.0,
    )
    polite_airtime_s_per_h: float = parameter(100.0, "s/h", "polite access, per 200 kHz of spectrum", _EN220)
    search_radius_m: float = parameter(
        1500.0, "m", "how far siting looks for collectors around a meter", "choice", confidence="C", minimum=50.0
    )
    neighbour_radius_m: float = parameter(
        200.0, "m", "how far a meter looks for relays among meters", "choice", confidence="C", minimum=10.0
    )
    policy: str = parameter(
        "pull", "", "pull (collector polls) or push (meters send)", "head-end practice", confidence="C"
    )

    def __post_init__(self) -> None:
        sun_fsk.mode_of(self.phy_mode)
        for culprit in ("meter_eirp_dbm", "site_eirp_dbm"):
            eirp_dbm = getattr(self, culprit)
            check_limits(self.region, self.frequency_hz, eirp_dbm=eirp_dbm, duty_cycle=0.0, culprit=culprit)
        if self.access not in ("polite", "plain"):
            raise ValueError(f"access {self.access!r} is unknown; use polite or plain")
        if self.policy not in ("pull", "push"):
            raise ValueError(f"policy {self.policy!r} is unknown; use pull or push")

    @property
    def modes(self) -> tuple[str, ...]:
        """The one mode all nodes of the network share."""
        return (f"SUN FSK {self.phy_mode}{' FEC' if self.fec else ''}",)

    @property
    def exchange_policy(self) -> str:
        """``"pull"`` or ``"push"``."""
        return self.policy

    @property
    def hourly_airtime_s(self) -> float:
        """Transmitting time that a meter has in any hour [s]."""
        return self._hourly_s(self.duty_cycle)

    @property
    def site_hourly_airtime_s(self) -> float:
        """Transmitting time that a collector has in any hour [s]."""
        return self._hourly_s(self.site_duty_cycle)

    def _hourly_s(self, duty_cycle: float) -> float:
        if self.access == "plain":
            return 3600.0 * min(duty_cycle, band_at(self.region, self.frequency_hz).duty_cycle)
        portions = max(self._channels * sun_fsk.mode_of(self.phy_mode).spacing_hz / 200e3, 1.0)
        return min(3600.0 * duty_cycle, self.polite_airtime_s_per_h * portions)

    @property
    def _channels(self) -> int:
        return self.n_channels or (62 if sun_fsk.mode_of(self.phy_mode).spacing_hz <= 100e3 else 29)

    @property
    def _sensitivity_snr_db(self) -> float:
        """SNR in the receive bandwidth at the sensitivity level, on a site without added noise."""
        mode = sun_fsk.mode_of(self.phy_mode)
        thermal_dbm = -174.0 + 10.0 * np.log10(mode.rx_bandwidth_hz) + self.noise_figure_db
        return float(mode.sensitivity_dbm - thermal_dbm - (self.fec_gain_db if self.fec else 0.0))

    @property
    def _threshold_snr_db(self) -> float:
        """SNR at which the link cost of an otherwise perfect link reaches ``etx_reject``."""
        return self._sensitivity_snr_db + sun_fsk.level_at_attempts_db(self.etx_reject, self.etx_frame_bytes)

    def assess(self, paths: RadioPaths, scenario: Scenario, draws: Draws) -> LinkQuality:
        """What each link can carry in one replication; `docs/method-wisun.md` has the budget line by line."""
        path_db, terrain_db, in_range = self._path_loss_db(paths, draws)
        inside_db = self._enclosure_db(paths, scenario, draws)
        wall_db = inside_db[paths.from_node] + inside_db[paths.to_node]
        loss_db = path_db + terrain_db + wall_db
        is_site = np.arange(paths.node_key.size) >= paths.n_meters
        eirp_dbm = np.where(is_site, self.site_eirp_dbm, self.meter_eirp_dbm) - self.multipath_margin_db
        gain_over_noise = np.where(is_site, self.site_gain_dbi, self.meter_gain_dbi) - self._floor_dbm(paths, scenario)
        up_db = eirp_dbm[paths.from_node] - loss_db + gain_over_noise[paths.to_node]
        down_db = eirp_dbm[paths.to_node] - loss_db + gain_over_noise[paths.from_node]
        rate_bps = sun_fsk.mode_of(self.phy_mode).rate_bps
        margins = (up_db - self._threshold_snr_db, down_db - self._threshold_snr_db)
        works = [margin >= 0.0 for margin in margins]
        limit = _limits(np.minimum(*margins), terrain_db, wall_db)
        return LinkQuality(
            up_db,
            down_db,
            *margins,
            np.where(works[0], 0, -1).astype(np.int8),
            np.where(works[1], 0, -1).astype(np.int8),
            np.where(works[0], rate_bps, 0.0),
            np.where(works[1], rate_bps, 0.0),
            loss_db,
            limit,
            in_range,
        )

    def _path_loss_db(self, paths: RadioPaths, draws: Draws) -> tuple[Array, Array, Array]:
        """Loss outdoors with its spread, what hills add, and whether the models were fitted there."""
        low_m, high_m = (
            pick(paths.node_height_m[paths.from_node], paths.node_height_m[paths.to_node])
            for pick in (np.minimum, np.maximum)
        )
        ends = paths.node_clutter[paths.from_node], paths.node_clutter[paths.to_node]
        clutter = np.where(_SEVERITY[ends[0]] >= _SEVERITY[ends[1]], ends[0], ends[1])
        keys = pair_key(paths.node_key[paths.from_node], paths.node_key[paths.to_node])
        normal = shadowing_db(draws, keys, 1.0)
        outdoor_db, street = link_loss_db(
            paths.distance_m,
            low_height_m=low_m,
            high_height_m=high_m,
            frequency_hz=self.frequency_hz,
            clutter=clutter,
            normal=normal,
            sigma_db=self.shadowing_sigma_db,
        )
        terrain_db = terrain_excess_db(
            paths.terrain_m,
            paths.distance_m,
            start_height_m=paths.node_height_m[paths.from_node],
            end_height_m=paths.node_height_m[paths.to_node],
            frequency_hz=self.frequency_hz,
        )
        fitted = (paths.distance_m <= np.where(street, _STREET_RANGE_M, _POLE_RANGE_M)) & (high_m <= 200.0)
        return outdoor_db, terrain_db, fitted

    def _enclosure_db(self, paths: RadioPaths, scenario: Scenario, draws: Draws) -> Array:
        """Loss at each node between its antenna and the outside."""
        loss_db = enclosure_loss_db(
            paths.node_enclosure,
            draws.uniform(PURPOSE, paths.node_key),
            frequency_hz=self.frequency_hz,
            building_class=self.building_class,
        )
        enclosed = paths.node_enclosure != Enclosure.NONE
        return np.where(enclosed, np.maximum(loss_db + scenario.enclosure_offset_db, 0.0), 0.0)

    def _floor_dbm(self, paths: RadioPaths, scenario: Scenario) -> Array:
        """Noise in the receive bandwidth at each node."""
        added_db = np.zeros(len(Clutter))
        added_db[Clutter.SUBURBAN] = self.noise_suburban_db
        added_db[[Clutter.URBAN, Clutter.DENSE]] = self.noise_urban_db
        thermal_dbm = -174.0 + 10.0 * np.log10(sun_fsk.mode_of(self.phy_mode).rx_bandwidth_hz) + self.noise_figure_db
        return np.asarray(thermal_dbm + added_db[paths.node_clutter] + scenario.noise_offset_db)

    def packet_error_ratio(self, snr_db: Array, mode: Array, n_bytes: ArrayLike) -> Array:
        """Loss of one transmission of a frame of ``n_bytes`` before its check sequence; 1 where there is no mode."""
        above_db = np.asarray(snr_db, np.float64) - self._sensitivity_snr_db
        per = sun_fsk.packet_error_ratio(above_db, np.asarray(n_bytes) + sun_fsk.FCS_BYTES)
        return np.asarray(np.where(np.asarray(mode) >= 0, per, 1.0))

    def airtime_s(self, mode: Array, n_bytes: Array) -> Array:
        """Time on air over one hop of a message of ``n_bytes``: its frames and their acknowledgements, no repeats [s].

        Raises ValueError for a mode that does not exist.
        """
        if (np.asarray(mode) != 0).any():
            raise ValueError("Wi-SUN FAN has one mode here, number 0; choose phy_mode instead")
        n_frames, payload = frames_of(n_bytes, self.mtu_bytes)
        frame_s = self._airtime_s(payload + self.frame_overhead_bytes) + self._airtime_s(self.ack_bytes)
        return np.asarray(n_frames * frame_s)

    def _airtime_s(self, psdu_bytes: Any) -> Array:
        mode = sun_fsk.mode_of(self.phy_mode)
        return sun_fsk.airtime_s(psdu_bytes, rate_bps=mode.rate_bps, preamble_bytes=mode.preamble_bytes, fec=self.fec)

    def link_cost(self, quality: LinkQuality) -> Array:
        """Mean of both directions' expected attempts (n_links,); inf where refused or without a mode."""
        data = np.asarray(self.etx_frame_bytes)
        up, down = (
            link_etx(
                self.packet_error_ratio(snr_db, mode, data), self.packet_error_ratio(back_db, back, self.ack_bytes)
            )
            for snr_db, mode, back_db, back in (
                (quality.snr_up_db, quality.mode_up, quality.snr_down_db, quality.mode_down),
                (quality.snr_down_db, quality.mode_down, quality.snr_up_db, quality.mode_up),
            )
        )
        return np.asarray(np.where(np.maximum(up, down) <= self.etx_reject, (up + down) / 2.0, np.inf))

    def reach(self, paths: RadioPaths, quality: LinkQuality) -> Reach:
        """Meters within ``planning_hops`` of each site over links that RPL would accept."""
        good = np.isfinite(self.link_cost(quality))
        ends = paths.from_node[good], paths.to_node[good]
        return Reach(*hop_reach(*ends, n_meters=paths.n_meters, n_sites=paths.n_sites, max_hops=self.planning_hops))

    def load(self, exchanges: Exchanges, paths: RadioPaths, quality: LinkQuality) -> Load:
        """Time next to the collector with the attempts of each meter's best link: on the channel, or out of the
        collector's own hourly airtime where that is scarcer."""
        attempts = np.full(paths.node_key.size, self.etx_reject)
        cost = np.minimum(self.link_cost(quality), self.etx_reject)
        for ends in (paths.from_node, paths.to_node):
            np.minimum.at(attempts, ends, cost)
        n_frames, psdu = self._frames(exchanges, np.ones(paths.n_meters, np.int16))
        window_s = np.asarray(exchanges.window_s, np.float64)
        longest_s = float(window_s.max(initial=0.0))
        data_s, ack_s = n_frames * self._airtime_s(psdu), n_frames * self._airtime_s(self.ack_bytes)
        sent_s = np.where(exchanges.direction == UP, ack_s, data_s)
        scarcest_s = np.maximum(data_s + ack_s, sent_s * self.max_utilisation * 3600.0 / self.site_hourly_airtime_s)
        share_s = scarcest_s * attempts[exchanges.meter] * longest_s / window_s[exchanges.service]
        meter_s = np.bincount(exchanges.meter, share_s, paths.n_meters)
        return Load(meter_s, self.max_utilisation * longest_s, self.max_meters_per_site)

    def _frames(self, exchanges: Exchanges, hops: Array) -> tuple[Array, Array]:
        """Frames of each leg and bytes of each frame before its check sequence."""
        n_frames, payload = frames_of(exchanges.bytes, self.mtu_bytes)
        route_bytes = np.where(exchanges.direction == UP, 0, self.source_route_bytes * hops[exchanges.meter])
        longest = sun_fsk.MAX_PSDU_BYTES - sun_fsk.FCS_BYTES
        return n_frames, np.minimum(payload + self.frame_overhead_bytes + route_bytes, longest)

    def routes(self, paths: RadioPaths, quality: LinkQuality, built: Array) -> Routes:
        """The tree that RPL settles in, rooted in the built collectors; ties broken by the key of the pair."""
        n_nodes, n_meters = paths.node_key.size, paths.n_meters
        roots = n_meters + np.flatnonzero(built)
        stands = np.concatenate([np.ones(n_meters, bool), np.asarray(built, bool)])
        allowed = stands[paths.from_node] & stands[paths.to_node]
        keys = pair_key(paths.node_key[paths.from_node], paths.node_key[paths.to_node])
        cost = self.link_cost(quality) + 1e-6 * (mix(keys) >> np.uint64(11)).astype(np.float64) * 2.0**-53
        tree = etx_tree(paths.from_node, paths.to_node, np.where(allowed, cost, np.inf), roots, n_nodes=n_nodes)
        hops = tree.hops[:n_meters]
        served = (tree.root[:n_meters] >= 0) & (hops <= self.max_hops)
        link = np.where(served, tree.link[:n_meters], -1)
        return Routes(
            np.where(served, tree.root[:n_meters] - n_meters, -1).astype(np.int32),
            np.where(served, tree.parent[:n_meters], -1).astype(np.int32),
            link,
            np.where(served, hops, 0).astype(np.int16),
            np.concatenate([[0], np.cumsum(link >= 0)]).astype(np.int64),
            link[link >= 0],
            np.where(served, Reason.NONE, self._why_not(paths, quality, allowed, tree)).astype(np.int8),
        )

    def _why_not(self, paths: RadioPaths, quality: LinkQuality, allowed: Array, tree: EtxTree) -> Array:
        """Reason per meter if it has no route: too many hops, no bridge to a site, or what spoils its best link."""
        reason = np.full(paths.node_key.size, int(Reason.NO_NEIGHBOUR), np.int8)
        best = np.full(paths.node_key.size, -np.inf)
        margin = np.where(allowed, np.minimum(quality.margin_up_db, quality.margin_down_db), -np.inf)
        for ends in (paths.from_node, paths.to_node):
            np.maximum.at(best, ends, margin)
        accepted = allowed & np.isfinite(self.link_cost(quality))
        for ends in (paths.from_node, paths.to_node):
            strongest = allowed & (margin == best[ends]) & np.isfinite(margin)
            reason[ends[strongest]] = quality.limit[strongest]
        for ends in (paths.from_node, paths.to_node):
            reason[ends[accepted]] = Reason.NO_NEIGHBOUR
        return np.where(tree.hops > self.max_hops, Reason.HOP_LIMIT, reason)[: paths.n_meters]

    def carry(
        self,
        exchanges: Exchanges,
        routes: Routes,
        paths: RadioPaths,
        quality: LinkQuality,
        scenario: Scenario,
        draws: Draws,
    ) -> Outcome:
        """Fate of every exchange over the tree: frame repetitions, contention, polling order, hourly airtime."""
        if paths.n_sites == 0 or paths.n_meters == 0:
            return _nobody(len(exchanges.services), routes.reason)
        traffic = _Traffic.of(exchanges, routes, paths)
        polling = draws.uniform("polling order", paths.node_key[: paths.n_meters])
        n_frames, psdu = (column[traffic.rows] for column in self._frames(exchanges, routes.hops))
        frame_s, ack_s = self._airtime_s(psdu), float(self._airtime_s(self.ack_bytes))
        up_db, down_db = _tree_snr_db(routes, paths, quality)
        data_db = np.where(traffic.up, 0, 1)

        def losses(leg: Array, below: Array) -> tuple[Array, Array]:
            towards = np.where(data_db[leg] == 0, up_db[below], down_db[below])
            back = np.where(data_db[leg] == 0, down_db[below], up_db[below])
            mode = np.zeros(leg.size, np.int8)
            return self.packet_error_ratio(towards, mode, psdu[leg]), self.packet_error_ratio(
                back, mode, np.asarray(self.ack_bytes)
            )

        n_nodes = paths.node_key.size
        disturbed, busy, starts = np.zeros(n_nodes), np.zeros(n_nodes), np.ones(traffic.rows.size)
        for _ in range(3 if scenario.interference else 2):
            sums = walk_legs(
                self._mac,
                parent=traffic.parent,
                node=traffic.meter,
                up=traffic.up,
                n_frames=n_frames,
                frame_s=frame_s,
                ack_s=ack_s,
                losses=losses,
                disturbed=disturbed,
                busy=busy,
                weight=starts,
                load_weight=starts * traffic.per_hour,
            )
            turn = traffic.turns(sums, starts, polling, self.parallel_sessions, self.max_utilisation)
            starts = turn.starts
            if scenario.interference:
                erlang = sums.airtime_s / traffic.active_s(turn)
                disturbed, busy = self._mac.disturbance(_audible(paths, quality, erlang), erlang)
        is_site = np.arange(n_nodes) >= paths.n_meters
        hourly_s = np.where(is_site, self.site_hourly_airtime_s, self.hourly_airtime_s)
        allowed = np.minimum(hourly_s / np.maximum(sums.load, 1e-12), 1.0)
        share = along_path(traffic.parent, allowed, np.minimum)[: paths.n_meters]
        late_s = np.maximum(sums.airtime_s * 3600.0 / hourly_s - traffic.spell_s(turn), 0.0) / 2.0
        held_s = along_path(traffic.parent, late_s, np.maximum)[: paths.n_meters]
        return traffic.outcome(turn, share, held_s, routes, _weakest_limit(routes, paths, quality))

    @property
    def _mac(self) -> MeshMac:
        return MeshMac(
            self.frame_retries,
            self.cca_retries,
            self.min_backoff_exponent,
            self.max_backoff_exponent,
            self.backoff_unit_s,
            8.0 / sun_fsk.mode_of(self.phy_mode).rate_bps,
            1e-3,
            self.broadcast_dwell_s,
            self.broadcast_interval_s,
            self._channels,
            self.hidden_share,
        )

    def tables(self) -> Mapping[str, Any]:
        """Modes with rate, sensitivity and airtime."""
        rows = []
        for name, mode in sun_fsk.MODES.items():
            row: dict[str, Any] = {
                "mode": name,
                "rate_bps": mode.rate_bps,
                "modulation_index": mode.modulation_index,
                "rx_bandwidth_hz": mode.rx_bandwidth_hz,
                "sensitivity_dbm": mode.sensitivity_dbm,
            }
            for n_bytes in (50, 250, 500, 1280):
                time_s = sun_fsk.airtime_s(n_bytes, rate_bps=mode.rate_bps, preamble_bytes=mode.preamble_bytes)
                row[f"airtime_{n_bytes}_bytes_s"] = float(time_s)
            rows.append(row)
        return {"SUN FSK modes": pd.DataFrame(rows), "Band limits": bands_table(self.region)}


@dataclass(frozen=True)
class _Turns:
    """Exchanges folded per (service, meter), flat; ``starts`` is per leg."""

    log_arrival: Array
    mean_s: Array
    variance_s2: Array
    attempts: Array
    start_s: Array
    slot_s: Array
    channel_share: Array
    starts: Array


@dataclass(frozen=True)
class _Traffic:
    """The legs of meters that have a route, and who they queue with."""

    rows: Array
    meter: Array
    up: Array
    fold: Array
    asked: Array
    n_exchanges: Array
    not_before_s: Array
    per_hour: Array
    parent: Array
    site: Array
    window_s: Array
    timeout_s: Array
    tries: Array
    n_services: int
    n_meters: int
    n_sites: int

    @classmethod
    def of(cls, exchanges: Exchanges, routes: Routes, paths: RadioPaths) -> _Traffic:
        rows = np.flatnonzero(routes.server[exchanges.meter] >= 0)
        meter, service = exchanges.meter[rows], exchanges.service[rows].astype(np.int64)
        n_cells = len(exchanges.services) * paths.n_meters
        fold = service * paths.n_meters + meter
        first = exchanges.leg[rows] == 0
        window_s = np.asarray(exchanges.window_s, np.float64)
        latest_s = np.zeros(n_cells)
        np.maximum.at(latest_s, fold, exchanges.not_before_s[rows])
        asked = np.zeros(n_cells, bool)
        asked[fold[first & (exchanges.direction[rows] != UP)]] = True
        parent = np.full(paths.node_key.size, -1, np.int32)
        parent[: paths.n_meters] = routes.parent
        return cls(
            rows,
            meter,
            exchanges.direction[rows] == UP,
            fold,
            asked,
            np.bincount(fold[first], minlength=n_cells),
            latest_s,
            1.0 / np.maximum(window_s / 3600.0, 1.0)[service],
            parent,
            np.tile(routes.server, len(exchanges.services)),
            np.repeat(window_s, paths.n_meters),
            exchanges.timeout_s[rows],
            exchanges.tries[rows],
            len(exchanges.services),
            paths.n_meters,
            paths.n_sites,
        )

    def _sum(self, column: Array) -> Array:
        return np.bincount(self.fold, column, self.window_s.size)

    def turns(
        self, sums: LegSums, starts: Array, polling: Array, parallel_sessions: int, max_utilisation: float
    ) -> _Turns:
        """Legs to exchanges, and exchanges to a place in their collector's queue."""
        arrived, starts, failed, failed_s2 = application_tries(np.exp(sums.log_arrival), self.tries)
        with np.errstate(divide="ignore"):
            log_arrival = self._sum(np.log(arrived))
        mean_s = self._sum(sums.mean_s + failed * self.timeout_s)
        variance_s2 = self._sum(sums.variance_s2 + failed_s2 * self.timeout_s**2)
        channel_s = self._sum(sums.root_s * starts)
        routed = self.site >= 0
        slot_s = np.where(routed, np.maximum(mean_s / parallel_sessions, channel_s / max_utilisation), 0.0)
        queued_s = np.where(self.asked, slot_s, 0.0)
        service = np.repeat(np.arange(self.n_services), self.n_meters)
        group = service * (self.n_sites + 1) + self.site
        per_cell_s = np.bincount(np.maximum(self.site, 0), np.where(routed, slot_s / self.window_s, 0.0), self.n_sites)
        n_groups = self.n_services * (self.n_sites + 1)
        own = np.bincount(np.maximum(group, 0), np.where(routed, slot_s / self.window_s, 0.0), n_groups)
        others = np.maximum(per_cell_s[np.maximum(self.site, 0)] - own[np.maximum(group, 0)], 0.0)
        stretched_s = queued_s / np.maximum(1.0 - others, 0.05)
        start_s = queue_start_s(stretched_s, group, np.tile(polling, self.n_services))
        used = np.bincount(np.maximum(self.site, 0), np.where(routed, channel_s / self.window_s, 0.0), self.n_sites)[
            np.maximum(self.site, 0)
        ]
        channel_share = np.where(self.asked, 1.0, np.minimum(max_utilisation / np.maximum(used, 1e-12), 1.0))
        return _Turns(
            log_arrival,
            mean_s,
            variance_s2,
            self._sum(sums.attempts * starts),
            np.maximum(start_s, self.not_before_s),
            slot_s,
            channel_share,
            starts,
        )

    def active_s(self, turn: _Turns) -> Array:
        """Per node, how long its collector's traffic is on the air: polling rounds, or the window for pushes."""
        served = self.site >= 0
        round_s = np.bincount(self.site[served], turn.slot_s[served], self.n_sites)
        longest_s = np.zeros(self.n_sites)
        np.maximum.at(longest_s, self.site[served], self.window_s[served])
        pushed = np.zeros(self.n_sites, bool)
        pushed[self.site[served & ~self.asked & (self.n_exchanges > 0)]] = True
        site_s = np.where(pushed, longest_s, np.clip(round_s, 1.0, np.maximum(longest_s, 1.0)))
        own_site = self.site[: self.n_meters]
        return np.concatenate([np.where(own_site >= 0, site_s[np.maximum(own_site, 0)], np.inf), site_s])

    def spell_s(self, turn: _Turns) -> Array:
        """Per node, the time over which its traffic is spent, at least the hour in which a budget may go at once."""
        return np.maximum(self.active_s(turn), 3600.0)

    def outcome(self, turn: _Turns, airtime_share: Array, held_s: Array, routes: Routes, path_limit: Array) -> Outcome:
        """Arrival by the deadline, latency and what limits it.

        ``held_s`` is the mean wait for the next hour's airtime, uniform up to its double.
        """
        shape = (self.n_services, self.n_meters)
        routed = self.site >= 0
        busy = routed & (self.n_exchanges > 0)
        count = np.maximum(self.n_exchanges, 1)
        mean_s = np.where(busy, turn.mean_s / count, 1.0)
        variance_s2 = np.maximum(turn.variance_s2 / count, (0.01 * mean_s) ** 2)
        k, scale_s = mean_s**2 / variance_s2, variance_s2 / mean_s
        in_time = np.where(busy, gammainc(k, np.maximum(self.window_s - turn.start_s, 0.0) / scale_s), 1.0)
        share = np.tile(airtime_share, self.n_services)
        p_link = np.exp(turn.log_arrival)
        p_arrive = np.where(routed, p_link * in_time * turn.channel_share * share, 0.0)
        parts = np.stack([p_link, in_time * turn.channel_share, share])
        codes = np.array([0, Reason.CAPACITY, Reason.DUTY_CYCLE], np.int8)[parts.argmin(axis=0)]
        blamed = np.where(codes == 0, np.tile(path_limit, self.n_services), codes)
        unserved = np.tile(routes.reason, self.n_services)
        reason = np.where(routed, np.where(p_arrive < _CERTAIN, blamed, Reason.NONE), unserved)
        possible = p_arrive > 0.0
        held = np.tile(held_s, self.n_services)
        latency = [
            np.where(possible, np.where(busy, gammaincinv(k, q) * scale_s + 2.0 * q * held, 0.0), np.inf)
            for q in (0.5, 0.95)
        ]
        return Outcome(
            p_arrive.reshape(shape),
            latency[0].reshape(shape),
            latency[1].reshape(shape),
            np.where(routed, turn.attempts, 0.0).reshape(shape),
            reason.astype(np.int8).reshape(shape),
        )


def _nobody(n_services: int, reason: Array) -> Outcome:
    """The outcome where there is no site at all, or no meter."""
    shape = (n_services, reason.size)
    never = np.full(shape, np.inf)
    return Outcome(np.zeros(shape), never, never, np.zeros(shape), np.tile(reason, (n_services, 1)).astype(np.int8))


def link_loss_db(
    distance_m: Array,
    *,
    low_height_m: Array,
    high_height_m: Array,
    frequency_hz: float,
    clutter: Array,
    normal: Array,
    sigma_db: float,
) -> tuple[Array, Array]:
    """Outdoor loss between two antennas of any height below about 200 m, over flat ground.

    The smaller of two models, never below free space: street level to street level (P.1411), and an elevated antenna
    over the roofs (Hata with 20 dB per decade of height below 30 m). So the loss never grows with either height,
    has no step, and equals P.1411 between two meters.

    Parameters
    ----------
    distance_m : (n,) along the ground [m], positive.
    low_height_m, high_height_m : (n,) the lower and the higher antenna above ground [m], positive.
    frequency_hz : carrier [Hz].
    clutter : (n,) ``Clutter`` code of the surroundings.
    normal : (n,) standard normal draw of the pair: place within the spread of locations.
    sigma_db : spread of the elevated model [dB]; the street model has its own.

    Returns
    -------
    (n,) loss [dB], and (n,) bool whether the street model decided. Raises ValueError where an input is not positive.

    References
    ----------
    Recommendation ITU-R P.1411-12 section 4.3.1; extended Hata of ERC Report 68 / SEAMCAT (distance bridge from
    40 to 100 m, antenna term below 30 m; confidence B).
    """
    ratio = np.clip(ndtr(normal), 0.01, 0.99)
    street_db = near_street_loss_db(distance_m, frequency_hz=frequency_hz, location_ratio=ratio, environment=clutter)
    far_db = hata_loss_db(
        np.maximum(distance_m, _FAR_M),
        frequency_hz=frequency_hz,
        site_height_m=np.maximum(high_height_m, 30.0),
        meter_height_m=np.clip(low_height_m, 1.0, 10.0),
        environment=clutter,
    ) + 20.0 * np.log10(30.0 / np.minimum(high_height_m, 30.0))
    free_db = free_space_loss_db(distance_m, frequency_hz)
    near_db = free_space_loss_db(np.minimum(distance_m, _NEAR_M), frequency_hz)
    weight = np.clip(np.log(distance_m / _NEAR_M) / np.log(_FAR_M / _NEAR_M), 0.0, 1.0)
    pole_db = near_db + weight * (far_db - near_db) + sigma_db * normal
    return np.maximum(np.minimum(street_db, pole_db), free_db), street_db <= pole_db


def _limits(margin_db: Array, terrain_db: Array, wall_db: Array) -> Array:
    """What would have to go for the link to work: the hill, else the wall, else the budget is short anyway."""
    hill = (terrain_db > 0.0) & (margin_db + terrain_db >= 0.0) & (terrain_db >= wall_db)
    wall = (wall_db > 0.0) & (margin_db + wall_db >= 0.0)
    late_hill = (terrain_db > 0.0) & (margin_db + terrain_db + wall_db >= 0.0)
    return np.select(
        [hill, wall, late_hill], [int(Reason.TERRAIN), int(Reason.BUILDING), int(Reason.TERRAIN)], int(Reason.BUDGET)
    ).astype(np.int8)


def _tree_snr_db(routes: Routes, paths: RadioPaths, quality: LinkQuality) -> tuple[Array, Array]:
    """Per meter, SNR at its parent and SNR from its parent [dB]; -inf without a link."""
    meter = np.arange(paths.n_meters)
    row = np.maximum(routes.link, 0)
    if quality.snr_up_db.size == 0:
        return np.full(paths.n_meters, -np.inf), np.full(paths.n_meters, -np.inf)
    first = paths.from_node[row] == meter
    has = routes.link >= 0
    up_db = np.where(first, quality.snr_up_db[row], quality.snr_down_db[row])
    down_db = np.where(first, quality.snr_down_db[row], quality.snr_up_db[row])
    return np.where(has, up_db, -np.inf), np.where(has, down_db, -np.inf)


def _weakest_limit(routes: Routes, paths: RadioPaths, quality: LinkQuality) -> Array:
    """Per meter, the limit of the weakest link on its way, NONE without a way."""
    n_meters = paths.n_meters
    row, has = np.maximum(routes.link, 0), routes.link >= 0
    if quality.limit.size == 0:
        return np.zeros(n_meters, np.int8)
    margin = np.where(has, np.minimum(quality.margin_up_db, quality.margin_down_db)[row], np.inf)
    order = np.lexsort((np.arange(n_meters), margin))
    rank = np.full(paths.node_key.size, n_meters, np.int64)
    rank[order] = np.arange(n_meters)
    parent = np.full(paths.node_key.size, -1, np.int32)
    parent[:n_meters] = routes.parent
    weakest = order[np.minimum(along_path(parent, rank, np.minimum)[:n_meters], n_meters - 1)]
    return np.where(has, quality.limit[row[weakest]], Reason.NONE).astype(np.int8)


def _audible(paths: RadioPaths, quality: LinkQuality, erlang: Array) -> Array:
    """Mean transmissions that each node hears over all channels (n_nodes,)."""
    heard = quality.usable
    first, second = paths.from_node[heard], paths.to_node[heard]
    n_nodes = paths.node_key.size
    return np.bincount(first, erlang[second], n_nodes) + np.bincount(second, erlang[first], n_nodes)
