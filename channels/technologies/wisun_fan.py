"""Wi-SUN FAN: a self-forming 868 MHz mesh of meters around collectors on poles, masts and roofs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ..draws import Draws, mix, pair_key
from ..limits import link_limit
from ..mac.csma_154 import MeshMac, frames_of, walk_legs
from ..mac.mesh_traffic import Traffic, nobody_arrives
from ..parameters import parameter
from ..pathloss.enclosure import node_enclosure_loss_db
from ..pathloss.mesh import mesh_loss
from ..pathloss.p2109 import BUILDING_CLASSES
from ..pathloss.shadowing import shadowing_db
from ..paths import RadioPaths
from ..phy import sun_fsk
from ..phy.man_made_noise import man_made_noise_db
from ..regions import REGIONS, band_at, bands_table, check_limits
from ..routing.etx_tree import EtxTree, along_path, etx_tree, hop_reach, link_etx
from ..routing.tree_links import audible_erlang, tree_snr_db, weakest_limit
from ..scenario import Scenario
from ..technology import UP, Exchanges, Influence, LinkQuality, Load, Medium, Outcome, Reach, Reason, Routes, Siting

Array = NDArray[Any]

_LONGEST_BYTES = sun_fsk.MAX_PSDU_BYTES - sun_fsk.FCS_BYTES
_EN220 = "EN 300 220-2 V3.3.1 tables 4 and 17"
_WBL = "Silicon Labs wisun-br-linux 2.10.2, public source"
_CHOICES = {
    "phy_mode": tuple(sun_fsk.MODES),
    "region": REGIONS,
    "building_class": BUILDING_CLASSES,
    "access": ("polite", "plain"),
    "policy": ("pull", "push"),
}


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
        4.0,
        "dB",
        "sensitivity gained by it",
        "AWGN 3-5 dB; the standard grants 6",
        confidence="C",
        minimum=0.0,
        maximum=6.0,
    )
    region: str = parameter("EU", "", "whose band limits hold", "table of channels/regions.py")
    frequency_hz: float = parameter(
        868e6, "Hz", "carrier", "European channel plans 32 and 33", minimum=863e6, maximum=928e6
    )
    n_channels: int = parameter(
        0,
        "1",
        "channels hopped over; 0 takes plan 32 (62) or plan 33 (29) by channel spacing",
        _WBL,
        minimum=0,
        maximum=256,
    )
    meter_eirp_dbm: float = parameter(
        16.15, "dBm", "radiated power of a meter (25 mW e.r.p.)", _EN220, minimum=-40.0, maximum=36.0
    )
    site_eirp_dbm: float = parameter(
        16.15, "dBm", "radiated power of a collector (25 mW e.r.p.)", _EN220, minimum=-40.0, maximum=36.0
    )
    meter_gain_dbi: float = parameter(
        0.0,
        "dBi",
        "receive antenna of a meter; mismatch is in the sensitivity",
        "planning budget",
        confidence="C",
        minimum=-20.0,
        maximum=10.0,
    )
    site_gain_dbi: float = parameter(
        2.15,
        "dBi",
        "receive antenna of a collector, half-wave dipole",
        "planning",
        confidence="C",
        minimum=-20.0,
        maximum=20.0,
    )
    noise_figure_db: float = parameter(
        sun_fsk.REFERENCE_NOISE_FIGURE_DB,
        "dB",
        "receiver noise figure; the sensitivities of the mode table hold at its default and move with it",
        "5-8 dB sub-GHz transceivers",
        confidence="B",
        minimum=0.0,
        maximum=20.0,
    )
    noise_suburban_db: float = parameter(
        3.0,
        "dB",
        "man-made noise and short-range devices over the receiver, suburban",
        "no standard",
        confidence="C",
        minimum=0.0,
        maximum=60.0,
    )
    noise_urban_db: float = parameter(
        6.0, "dB", "the same, urban and dense", "no standard", confidence="C", minimum=0.0, maximum=60.0
    )
    multipath_margin_db: float = parameter(
        4.0,
        "dB",
        "static multipath left after hopping over many channels",
        "3-5 dB instead of 10-20",
        confidence="C",
        minimum=0.0,
        maximum=40.0,
    )
    shadowing_sigma_db: float = parameter(
        7.0,
        "dB",
        "spread of links to elevated sites",
        "measured 6-9 dB for poles",
        confidence="C",
        minimum=0.0,
        maximum=20.0,
    )
    building_class: str = parameter(
        "traditional", "", "class of walls", "ITU-R P.2109-1 table 1; which, is our choice", confidence="C"
    )
    etx_reject: float = parameter(
        4.0, "1", "links that need more attempts are refused", _WBL, minimum=1.05, maximum=32.0
    )
    etx_frame_bytes: int = parameter(
        250, "B", "frame on which the link cost is measured", _WBL, confidence="C", minimum=1, maximum=_LONGEST_BYTES
    )
    max_hops: int = parameter(24, "1", "hop limit of the network", "FAN 1.0, TI SWRA714A", minimum=1, maximum=255)
    planning_hops: int = parameter(
        3,
        "1",
        "hops that siting counts on: the low end of the mean of field networks, so that routes may grow when a link "
        "fails and no village hangs on one long chain",
        "field networks: mean 3-5, 95 % within 8",
        confidence="C",
        minimum=1,
        maximum=255,
    )
    max_meters_per_site: int = parameter(
        5000,
        "1",
        "meters per collector",
        "Silver Spring access point manual; Cisco WPAN guide",
        minimum=1,
        maximum=10**6,
    )
    mtu_bytes: int = parameter(1280, "B", "6LoWPAN payload per frame; some vendors 800", _WBL, minimum=64, maximum=1400)
    frame_overhead_bytes: int = parameter(
        80,
        "B",
        "MAC, security, information elements, compressed IPv6 and UDP per frame",
        "derived: 512 B ping takes 1332 B on air in four frames (docs.silabs.com/wisun)",
        confidence="C",
        minimum=0,
        maximum=512,
    )
    source_route_bytes: int = parameter(
        8,
        "B",
        "source routing header per hop, downwards",
        "RFC 8138, non-storing RPL",
        confidence="B",
        minimum=0,
        maximum=16,
    )
    ack_bytes: int = parameter(
        50,
        "B",
        "enhanced acknowledgement with timing elements",
        "40-60 B",
        confidence="B",
        minimum=3,
        maximum=_LONGEST_BYTES,
    )
    frame_retries: int = parameter(7, "1", "repetitions of an unacknowledged frame", _WBL, minimum=0, maximum=31)
    cca_retries: int = parameter(8, "1", "further channel assessments before giving up", _WBL, minimum=0, maximum=31)
    min_backoff_exponent: int = parameter(3, "1", "CSMA minimum BE", _WBL, minimum=0, maximum=8)
    max_backoff_exponent: int = parameter(5, "1", "CSMA maximum BE", _WBL, minimum=0, maximum=8)
    backoff_unit_s: float = parameter(
        1.16e-3,
        "s",
        "backoff unit: 1 ms turnaround and 8 symbols",
        "PHY dependent",
        confidence="C",
        minimum=0.0,
        maximum=0.1,
    )
    broadcast_dwell_s: float = parameter(
        0.255, "s", "broadcast slot, unicast is silent", _WBL, minimum=0.0, maximum=60.0
    )
    broadcast_interval_s: float = parameter(1.020, "s", "broadcast interval", _WBL, minimum=0.001, maximum=3600.0)
    hidden_share: float = parameter(
        0.4, "1", "audible traffic the sender cannot hear", "no source", confidence="C", minimum=0.0, maximum=1.0
    )
    parallel_sessions: int = parameter(
        8, "1", "meters a collector polls at once", "head-end practice", confidence="C", minimum=1, maximum=10_000
    )
    max_utilisation: float = parameter(
        0.5,
        "1",
        "share of the time a collector may receive or send",
        "planning practice",
        confidence="C",
        minimum=0.01,
        maximum=1.0,
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
    polite_airtime_s_per_h: float = parameter(
        100.0, "s/h", "polite access, per 200 kHz of spectrum", _EN220, minimum=0.01, maximum=3600.0
    )
    search_radius_m: float = parameter(
        6500.0,
        "m",
        "how far a meter looks for collectors; saves computing, must not decide",
        "20 m mast in open country at median less 2 sigma, box on the facade: 6.4 km; docs/method-wisun.md",
        confidence="B",
        minimum=50.0,
        maximum=40e3,
    )
    neighbour_radius_m: float = parameter(
        1250.0,
        "m",
        "how far a meter looks for relays among meters; saves computing, must not decide",
        "two boxes on facades, 1.5 m up: open ground 1.21 km, built-up 0.69 km at median less 2 sigma",
        confidence="B",
        minimum=10.0,
        maximum=40e3,
    )
    policy: str = parameter(
        "pull", "", "pull (collector polls) or push (meters send)", "head-end practice", confidence="C"
    )

    def __post_init__(self) -> None:
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                raise ValueError(f"{name} {getattr(self, name)!r} is unknown; use one of {', '.join(known)}")
        for culprit in ("meter_eirp_dbm", "site_eirp_dbm"):
            eirp_dbm = getattr(self, culprit)
            check_limits(self.region, self.frequency_hz, eirp_dbm=eirp_dbm, duty_cycle=0.0, culprit=culprit)
        if self.min_backoff_exponent > self.max_backoff_exponent:
            raise ValueError(
                f"min_backoff_exponent ({self.min_backoff_exponent}) must not exceed "
                f"max_backoff_exponent ({self.max_backoff_exponent})"
            )
        if self.broadcast_dwell_s >= self.broadcast_interval_s:
            raise ValueError(
                f"broadcast_dwell_s ({self.broadcast_dwell_s:g}) must be shorter than "
                f"broadcast_interval_s ({self.broadcast_interval_s:g})"
            )
        longest = self.mtu_bytes + self.frame_overhead_bytes
        if longest > _LONGEST_BYTES:
            raise ValueError(
                f"mtu_bytes + frame_overhead_bytes = {longest}: a frame holds at most {_LONGEST_BYTES} B; lower either"
            )

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
        """SNR that the demodulator needs: that at the stated sensitivity with the reference noise figure."""
        mode = sun_fsk.mode_of(self.phy_mode)
        thermal_dbm = -174.0 + 10.0 * np.log10(mode.rx_bandwidth_hz) + sun_fsk.REFERENCE_NOISE_FIGURE_DB
        return float(mode.sensitivity_dbm - thermal_dbm - (self.fec_gain_db if self.fec else 0.0))

    @property
    def _threshold_snr_db(self) -> float:
        """SNR at which the link cost of an otherwise perfect link reaches ``etx_reject``."""
        return self._sensitivity_snr_db + sun_fsk.level_at_attempts_db(self.etx_reject, self.etx_frame_bytes)

    def assess(self, paths: RadioPaths, scenario: Scenario, draws: Draws) -> LinkQuality:
        """What each link can carry in one replication; `docs/method-wisun.md` has the budget line by line."""
        first, second = paths.from_node, paths.to_node
        loss = mesh_loss(
            paths.terrain_m,
            paths.distance_m,
            frequency_hz=self.frequency_hz,
            heights_m=(paths.node_height_m[first], paths.node_height_m[second]),
            clutter=(paths.node_clutter[first], paths.node_clutter[second]),
            normal=shadowing_db(draws, pair_key(paths.node_key[first], paths.node_key[second]), 1.0),
            sigma_db=self.shadowing_sigma_db,
        )
        inside_db = node_enclosure_loss_db(
            paths.node_enclosure,
            paths.node_key,
            draws,
            frequency_hz=self.frequency_hz,
            building_class=self.building_class,
            offset_db=scenario.enclosure_offset_db,
            walls=scenario.walls,
        )
        wall_db = inside_db[first] + inside_db[second]
        loss_db = loss.outdoor_db + loss.terrain_db + wall_db
        is_site = np.arange(paths.node_key.size) >= paths.n_meters
        eirp_dbm = np.where(is_site, self.site_eirp_dbm, self.meter_eirp_dbm) - self.multipath_margin_db
        gain_over_noise = np.where(is_site, self.site_gain_dbi, self.meter_gain_dbi) - self._floor_dbm(paths, scenario)
        up_db = eirp_dbm[first] - loss_db + gain_over_noise[second]
        down_db = eirp_dbm[second] - loss_db + gain_over_noise[first]
        rate_bps = sun_fsk.mode_of(self.phy_mode).rate_bps
        margins = (up_db - self._threshold_snr_db, down_db - self._threshold_snr_db)
        works = [margin >= 0.0 for margin in margins]
        return LinkQuality(
            up_db,
            down_db,
            *margins,
            np.where(works[0], 0, -1).astype(np.int8),
            np.where(works[1], 0, -1).astype(np.int8),
            np.where(works[0], rate_bps, 0.0),
            np.where(works[1], rate_bps, 0.0),
            loss_db,
            link_limit(np.minimum(*margins), loss.terrain_db, wall_db),
            loss.in_range,
        )

    def _floor_dbm(self, paths: RadioPaths, scenario: Scenario) -> Array:
        """Noise in the receive bandwidth at each node."""
        added_db = man_made_noise_db(
            paths.node_clutter, open_db=0.0, suburban_db=self.noise_suburban_db, urban_db=self.noise_urban_db
        )
        thermal_dbm = -174.0 + 10.0 * np.log10(sun_fsk.mode_of(self.phy_mode).rx_bandwidth_hz) + self.noise_figure_db
        return np.asarray(thermal_dbm + added_db + scenario.noise_offset_db)

    def packet_error_ratio(self, snr_db: Array, mode: Array, n_bytes: ArrayLike) -> Array:
        """Loss of one transmission of a frame of ``n_bytes`` before its check sequence; 1 where there is no mode."""
        above_db = np.asarray(snr_db, np.float64) - self._sensitivity_snr_db
        per = sun_fsk.packet_error_ratio(above_db, np.asarray(n_bytes) + sun_fsk.FCS_BYTES)
        return np.asarray(np.where(np.asarray(mode) >= 0, per, 1.0))

    def airtime_s(self, mode: Array, n_bytes: Array) -> Array:
        """Time on air over one hop of a message of ``n_bytes``: its frames and their acknowledgements, no repeats [s].

        Raises ValueError for a mode that does not exist.
        """
        _check_mode(mode)
        n_frames, payload = frames_of(n_bytes, self.mtu_bytes)
        frame_s = self._airtime_s(payload + self.frame_overhead_bytes) + self._airtime_s(self.ack_bytes)
        return np.asarray(n_frames * frame_s)

    def n_frames(self, mode: Array, n_bytes: Array) -> Array:
        """Frames of a message of ``n_bytes`` over one hop; errors as `airtime_s`."""
        _check_mode(mode)
        return np.broadcast_arrays(frames_of(n_bytes, self.mtu_bytes)[0], np.asarray(mode))[0]

    def _airtime_s(self, psdu_bytes: Any) -> Array:
        mode = sun_fsk.mode_of(self.phy_mode)
        return sun_fsk.airtime_s(psdu_bytes, rate_bps=mode.rate_bps, preamble_bytes=mode.preamble_bytes, fec=self.fec)

    def link_cost(self, quality: LinkQuality) -> Array:
        """Mean of both directions' expected attempts (n_links,); inf where refused or without a mode."""
        rows = np.flatnonzero(quality.usable)
        up_db, down_db, mode = quality.snr_up_db[rows], quality.snr_down_db[rows], quality.mode_up[rows]
        up, down = (
            link_etx(
                self.packet_error_ratio(there_db, mode, self.etx_frame_bytes),
                self.packet_error_ratio(back_db, mode, self.ack_bytes),
            )
            for there_db, back_db in ((up_db, down_db), (down_db, up_db))
        )
        cost = np.full(quality.mode_up.size, np.inf)
        cost[rows] = np.where(np.maximum(up, down) <= self.etx_reject, (up + down) / 2.0, np.inf)
        return cost

    def reach(self, paths: RadioPaths, quality: LinkQuality) -> Reach:
        """Meters within ``planning_hops`` of each site over links that RPL would accept."""
        good = np.isfinite(self.link_cost(quality))
        ends = paths.from_node[good], paths.to_node[good]
        return Reach(
            *hop_reach(
                *ends, n_meters=paths.n_meters, n_sites=paths.n_sites, max_hops=min(self.planning_hops, self.max_hops)
            )
        )

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
        link_cost = self.link_cost(quality)
        cost = link_cost + 1e-6 * (mix(keys) >> np.uint64(11)).astype(np.float64) * 2.0**-53
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
            np.where(
                served, Reason.NONE, self._why_not(paths, quality, allowed & np.isfinite(link_cost), allowed, tree)
            ).astype(np.int8),
        )

    def _why_not(
        self, paths: RadioPaths, quality: LinkQuality, accepted: Array, allowed: Array, tree: EtxTree
    ) -> Array:
        """Reason per meter if it has no route: too many hops, no bridge to a site, or what spoils its best link."""
        reason = np.full(paths.node_key.size, int(Reason.NO_NEIGHBOUR), np.int8)
        best = np.full(paths.node_key.size, -np.inf)
        margin = np.where(allowed, np.minimum(quality.margin_up_db, quality.margin_down_db), -np.inf)
        for ends in (paths.from_node, paths.to_node):
            np.maximum.at(best, ends, margin)
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
            return nobody_arrives(len(exchanges.services), routes.reason)
        traffic = Traffic.of(exchanges, routes, paths)
        polling = draws.uniform("polling order", paths.node_key[: paths.n_meters])
        n_frames, psdu = (column[traffic.rows] for column in self._frames(exchanges, routes.hops))
        frame_s, ack_s = self._airtime_s(psdu), float(self._airtime_s(self.ack_bytes))
        up_db, down_db = tree_snr_db(routes, paths, quality)
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
                disturbed, busy = self._mac.disturbance(audible_erlang(paths, quality, erlang), erlang)
        is_site = np.arange(n_nodes) >= paths.n_meters
        hourly_s = np.where(is_site, self.site_hourly_airtime_s, self.hourly_airtime_s)
        allowed = np.minimum(hourly_s / np.maximum(sums.load, 1e-12), 1.0)
        share = along_path(traffic.parent, allowed, np.minimum)[: paths.n_meters]
        late_s = np.maximum(sums.airtime_s * 3600.0 / hourly_s - traffic.spell_s(turn), 0.0) / 2.0
        held_s = along_path(traffic.parent, late_s, np.maximum)[: paths.n_meters]
        return traffic.outcome(turn, share, held_s, routes, weakest_limit(routes, paths, quality))

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


def _check_mode(mode: Array) -> None:
    if (np.asarray(mode) != 0).any():
        raise ValueError("Wi-SUN FAN has one mode here, number 0; choose phy_mode instead")
