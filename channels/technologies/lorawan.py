"""LoRaWAN in the European 868 MHz band: class A meters that push, any gateway that hears them helps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..draws import Draws, pair_key
from ..limits import link_limit
from ..mac import schc
from ..mac.aloha import SIR_DB
from ..mac.lorawan_delivery import Air, AirRules, deliver
from ..mac.lorawan_frames import ACK_BYTES, MAX_PAYLOAD_BYTES, OVERHEAD_BYTES, FrameRules, frames_of, legs_of
from ..mac.lorawan_outcome import outcome_of
from ..parameters import parameter
from ..pathloss.enclosure import node_enclosure_loss_db
from ..pathloss.macro import macro_loss
from ..pathloss.shadowing import shadowing_db
from ..paths import RadioPaths
from ..phy import lora
from ..phy.fading import rice_success
from ..phy.man_made_noise import man_made_noise_db
from ..regions import band_at, bands_table, check_limits
from ..routing.star import best_link, taken
from ..scenario import Scenario
from ..technology import UP, Exchanges, Influence, LinkQuality, Load, Medium, Outcome, Reach, Reason, Routes, Siting

Array = NDArray[Any]

REGION = "EU"
CHANNELS_HZ = (868.1e6, 868.3e6, 868.5e6, 867.1e6, 867.3e6, 867.5e6, 867.7e6, 867.9e6)
"""Uplink channels: three default ones and five usual ones, RP002-1.0.4 EU863-870."""
RX2_HZ = 869.525e6
_RP002 = "RP002-1.0.4 EU863-870"
_EN220 = "EN 300 220-2 V3.3.1"


@dataclass(frozen=True)
class Lorawan:
    """LoRaWAN (EU868). Fields are its configuration; see `parameters_of` for units and sources."""

    name: ClassVar[str] = "lorawan"
    label: ClassVar[str] = "LoRaWAN (EU868)"
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
        Influence.TRAFFIC,
        Influence.DENSITY,
        Influence.DUTY_CYCLE,
    )

    exchange_policy: str = parameter(
        "push", "", "push: meters send by themselves; pull: class C, the head end asks", "LoRaWAN L2 1.0.4"
    )
    tx_power_dbm: float = parameter(14.0, "dBm", "conducted power of the meter", _RP002, minimum=-10.0, maximum=27.0)
    meter_antenna_dbi: float = parameter(
        -3.0,
        "dBi",
        "antenna inside the meter's case",
        "utility practice, -6 to -3 dBi",
        confidence="C",
        minimum=-20.0,
        maximum=6.0,
    )
    gateway_eirp_dbm: float = parameter(
        27.0, "dBm", "downlink e.i.r.p. in 869.4-869.65 MHz", _RP002, minimum=-10.0, maximum=36.0
    )
    gateway_antenna_dbi: float = parameter(
        5.0,
        "dBi",
        "gateway antenna less its cable",
        "planning practice",
        confidence="C",
        minimum=-10.0,
        maximum=15.0,
    )
    gateway_receiver: str = parameter(
        "sx1302", "", "row of the sensitivity table", "data sheets, see tables", confidence="B"
    )
    meter_receiver: str = parameter("sx1262", "", "row of the sensitivity table", "data sheets, see tables")
    noise_open_db: float = parameter(
        0.0,
        "dB",
        "man-made noise in open land",
        "ITU-R P.372 lies below the receiver",
        confidence="C",
        minimum=0.0,
        maximum=60.0,
    )
    noise_suburban_db: float = parameter(
        3.0, "dB", "man-made noise in suburbs", "planning practice", confidence="C", minimum=0.0, maximum=60.0
    )
    noise_urban_db: float = parameter(
        6.0, "dB", "man-made noise in towns", "planning practice", confidence="C", minimum=0.0, maximum=60.0
    )
    shadowing_sigma_db: float = parameter(
        8.0, "dB", "log-normal shadowing", "3GPP TR 45.820 annex D", confidence="B", minimum=0.0, maximum=20.0
    )
    shadowing_correlation: float = parameter(
        0.5,
        "1",
        "shared by all links of a meter",
        "3GPP TR 45.820 annex D",
        confidence="B",
        minimum=0.0,
        maximum=1.0,
    )
    rice_k_db: float = parameter(
        6.0,
        "dB",
        "fast fading; above 40 still",
        "fixed links, arXiv 1610.05094: Rician",
        confidence="C",
        minimum=-60.0,
        maximum=100.0,
    )
    building_class: str = parameter("traditional", "", "traditional or efficient", "ITU-R P.2109-1", confidence="B")
    adr_margin_db: float = parameter(
        10.0,
        "dB",
        "margin kept when the data rate is chosen",
        "Azure 5, The Things Stack 15 dB",
        minimum=0.0,
        maximum=40.0,
    )
    planning_margin_db: float = parameter(
        3.0, "dB", "margin siting asks of a link", "choice", confidence="C", minimum=0.0, maximum=30.0
    )
    n_channels: int = parameter(8, "1", "uplink channels in use", _RP002, minimum=3, maximum=8)
    n_demodulators: int = parameter(
        16, "1", "frames a gateway decodes at once", "SX1302", confidence="B", minimum=1, maximum=1024
    )
    duty_cycle: float = parameter(
        0.01, "1", "of the meter, in each sub-band it uses", _EN220, minimum=1e-6, maximum=1.0
    )
    gateway_duty_cycle: float = parameter(
        0.1, "1", "of the gateway in 869.4-869.65 MHz", _EN220, minimum=1e-6, maximum=1.0
    )
    interference_table: str = parameter(
        "goursaud", "", "signal to interference needed: goursaud, croce or aloha", "Goursaud and Gorce 2015"
    )
    schc_residue_bytes: int = parameter(
        2,
        "B",
        "what is left of the IPv6, UDP and wrapper headers after compression",
        "RFC 8724, IEC 62056-8-12",
        confidence="C",
        minimum=0,
        maximum=56,
    )
    n_transmissions: int = parameter(
        2, "1", "copies of a frame that is not fragmented (NbTrans)", "LoRaWAN L2 1.0.4", minimum=1, maximum=15
    )
    spread_ratio: float = parameter(
        0.5,
        "1",
        "share of the window over which meters spread their start",
        "choice of the head end",
        confidence="C",
        minimum=0.01,
        maximum=0.99,
    )
    max_channel_load: float = parameter(
        0.1, "1", "offered load per channel that siting plans for", "ALOHA, 80 % clean", minimum=0.001, maximum=0.5
    )
    search_radius_m: float = parameter(
        20_000.0,
        "m",
        "how far a meter looks for gateways; saves computing, must not decide",
        "edge of Hata's range: good links reach farther, but no further than it is known",
        confidence="B",
        minimum=100.0,
        maximum=100e3,
    )
    max_meters_per_gateway: int = parameter(
        10_000, "1", "equipment and head end", "planning practice", confidence="C", minimum=1, maximum=10**7
    )

    def __post_init__(self) -> None:
        """Refuse what the band, the tables or the standard do not know."""
        _one_of("exchange_policy", self.exchange_policy, ("push", "pull"))
        _one_of("gateway_receiver", self.gateway_receiver, tuple(lora.SENSITIVITY_DBM))
        _one_of("meter_receiver", self.meter_receiver, tuple(lora.SENSITIVITY_DBM))
        _one_of("interference_table", self.interference_table, tuple(SIR_DB))
        _one_of("building_class", self.building_class, ("traditional", "efficient"))
        meter_eirp_dbm = self.tx_power_dbm + self.meter_antenna_dbi
        for channel_hz in CHANNELS_HZ[: self.n_channels]:
            check_limits(
                REGION, channel_hz, eirp_dbm=meter_eirp_dbm, duty_cycle=0.0, culprit="tx_power_dbm + meter_antenna_dbi"
            )
            check_limits(REGION, channel_hz, eirp_dbm=-99.0, duty_cycle=self.duty_cycle, culprit="duty_cycle")
        check_limits(REGION, RX2_HZ, eirp_dbm=self.gateway_eirp_dbm, duty_cycle=0.0, culprit="gateway_eirp_dbm")
        check_limits(REGION, RX2_HZ, eirp_dbm=-99.0, duty_cycle=self.gateway_duty_cycle, culprit="gateway_duty_cycle")

    @property
    def modes(self) -> tuple[str, ...]:
        """Data rates 0 to 5, most robust first."""
        return tuple(f"SF{factor}" for factor in lora.SPREADING_FACTORS)

    @property
    def frequency_hz(self) -> float:
        """Middle of the uplink channels in use [Hz]."""
        return float(np.mean(CHANNELS_HZ[: self.n_channels]))

    @property
    def meter_airtime_ratio(self) -> float:
        """Share of time a meter may send: each sub-band has its own budget, and channels are drawn evenly."""
        bands = [band_at(REGION, channel_hz) for channel_hz in CHANNELS_HZ[: self.n_channels]]
        return self.duty_cycle * len(bands) / max(bands.count(band) for band in bands)

    def assess(self, paths: RadioPaths, scenario: Scenario, draws: Draws) -> LinkQuality:
        """What each meter-to-gateway link can carry in one replication; links between meters carry nothing.

        The loss is `pathloss.macro`, the meter's enclosure, and one shadowing value per pair, correlated over the
        links of a meter. Thresholds are the receivers' sensitivity tables, raised by man-made noise at the
        receiver and by the scenario. The data rate is the fastest that leaves ``adr_margin_db``.
        """
        meter, site = paths.from_node, paths.to_node
        direct = (meter < paths.n_meters) & (site >= paths.n_meters)
        macro = macro_loss(
            paths.terrain_m,
            paths.distance_m,
            frequency_hz=self.frequency_hz,
            meter_height_m=paths.node_height_m[meter],
            meter_clutter=paths.node_clutter[meter],
            site_height_m=paths.node_height_m[site],
            site_clutter=paths.node_clutter[site],
        )
        walls_db = node_enclosure_loss_db(
            paths.node_enclosure,
            paths.node_key,
            draws,
            frequency_hz=self.frequency_hz,
            building_class=self.building_class,
            offset_db=scenario.enclosure_offset_db,
            walls=scenario.walls,
        )[meter]
        shadow_db = shadowing_db(
            draws,
            pair_key(paths.node_key[meter], paths.node_key[site]),
            self.shadowing_sigma_db,
            end_keys=paths.node_key[meter],
            end_correlation=self.shadowing_correlation,
        )
        loss_db = macro.median_db + macro.terrain_db + walls_db + shadow_db
        antennas_db = self.meter_antenna_dbi + self.gateway_antenna_dbi
        noise_db = self._noise_db(paths) + scenario.noise_offset_db
        up_dbm = np.where(direct, self.tx_power_dbm + antennas_db - loss_db, -np.inf)
        down_dbm = np.where(direct, self.gateway_eirp_dbm + self.meter_antenna_dbi - loss_db, -np.inf)
        snr_up_db, up_db, mode_up = _over_floor(up_dbm - noise_db[site], self.gateway_receiver, self.adr_margin_db)
        snr_down_db, down_db, mode_down = _over_floor(
            down_dbm - noise_db[meter], self.meter_receiver, self.adr_margin_db
        )
        return LinkQuality(
            snr_up_db=snr_up_db,
            snr_down_db=snr_down_db,
            margin_up_db=up_db,
            margin_down_db=down_db,
            mode_up=mode_up,
            mode_down=mode_down,
            rate_up_bps=_rate_bps(mode_up),
            rate_down_bps=_rate_bps(mode_down),
            loss_db=np.where(direct, loss_db, np.inf),
            limit=link_limit(np.minimum(up_db, down_db), macro.terrain_db, walls_db, comfort_db=self.adr_margin_db),
            in_range=macro.in_range,
        )

    def packet_error_ratio(self, snr_db: Array, mode: Array, n_bytes: Array) -> Array:
        """Probability that one frame of ``n_bytes`` PHY payload is lost in a still channel, shape as broadcast."""
        return lora.packet_error_ratio(snr_db, mode, n_bytes)

    def airtime_s(self, mode: Array, n_bytes: Array) -> Array:
        """Time on air of all frames that carry a leg of ``n_bytes`` upwards, without repeats [s]; shape as broadcast.

        Raises ValueError for a mode that does not exist.
        """
        rate, size = self._datagrams(mode, n_bytes)
        longest = schc.uplink_frame_bytes(size, MAX_PAYLOAD_BYTES[rate]) + OVERHEAD_BYTES
        frame_s = lora.time_on_air_s(longest, lora.SPREADING_FACTORS[rate])
        return np.asarray(schc.uplink_frames(size, MAX_PAYLOAD_BYTES[rate]) * frame_s)

    def n_frames(self, mode: Array, n_bytes: Array) -> Array:
        """Uplink frames of a leg of ``n_bytes``, without repeats; parameters and errors as `airtime_s`."""
        rate, size = self._datagrams(mode, n_bytes)
        return schc.uplink_frames(size, MAX_PAYLOAD_BYTES[rate])

    def _datagrams(self, mode: Array, n_bytes: Array) -> tuple[Array, Array]:
        rate = np.asarray(mode)
        if ((rate < 0) | (rate >= MAX_PAYLOAD_BYTES.size)).any():
            raise ValueError(f"mode must lie within 0 to {MAX_PAYLOAD_BYTES.size - 1}")
        return rate, np.asarray(n_bytes, np.int64) + self.schc_residue_bytes

    def reach(self, paths: RadioPaths, quality: LinkQuality) -> Reach:
        """Pairs whose weaker direction keeps the planning margin; LoRaWAN does not relay."""
        enough = np.minimum(quality.margin_up_db, quality.margin_down_db) >= self.planning_margin_db
        rows = np.flatnonzero(quality.usable & enough)
        site = (paths.to_node[rows] - paths.n_meters).astype(np.int32)
        return Reach(site, paths.from_node[rows].astype(np.int32), np.ones(rows.size, np.int16))

    def load(self, exchanges: Exchanges, paths: RadioPaths, quality: LinkQuality) -> Load:
        """Uplink airtime of each meter on its best link, against what random access carries cleanly in a window.

        The count per gateway also respects the downlink: every fragmented datagram asks for an acknowledgement.
        """
        best = _best(paths, quality.usable, quality)
        rate, down = taken(quality.mode_up, best, 0), taken(quality.mode_down, best, 0)
        rows = np.arange(exchanges.meter.size)
        frames = frames_of(exchanges, rows, rate, down, residue_bytes=self.schc_residue_bytes)
        up, meter = exchanges.direction == UP, exchanges.meter
        airtime_s = np.bincount(meter, np.where(up, frames.n_frames * frames.frame_s, 0.0), paths.n_meters)
        ack_s = lora.time_on_air_s(ACK_BYTES, lora.SPREADING_FACTORS[down], crc=False)[meter]
        down_s = np.where(up, np.where(frames.fragmented, ack_s, 0.0), frames.n_frames * frames.frame_s)
        spread_s = max(exchanges.window_s, default=0.0) * self.spread_ratio
        reached = best >= 0
        mean_down_s = float(np.bincount(meter, down_s, paths.n_meters)[reached].mean()) if reached.any() else 0.0
        granted = (
            int(self.gateway_duty_cycle * spread_s / mean_down_s) if mean_down_s > 0.0 else self.max_meters_per_gateway
        )
        capacity_s = spread_s * self.n_channels * self.max_channel_load
        most = max(1, min(self.max_meters_per_gateway, granted))
        return Load(np.where(reached, airtime_s, 0.0), capacity_s, most)

    def routes(self, paths: RadioPaths, quality: LinkQuality, built: Array) -> Routes:
        """Every built gateway with a usable link receives; the best one answers."""
        standing = _built_at(paths, built)
        best = _best(paths, quality.usable & standing, quality)
        nearest = _best(paths, standing, quality)
        hearing = np.flatnonzero(quality.usable & standing)
        hearing = hearing[np.argsort(paths.from_node[hearing], kind="stable")]
        count = np.bincount(paths.from_node[hearing], minlength=paths.n_meters)
        routed, node = best >= 0, taken(paths.to_node, best, -1)
        return Routes(
            server=np.where(routed, node - paths.n_meters, -1).astype(np.int32),
            parent=node.astype(np.int32),
            link=best,
            hops=routed.astype(np.int16),
            receiver_start=np.concatenate([[0], np.cumsum(count)]).astype(np.int64),
            receiver_link=hearing.astype(np.int64),
            reason=np.where(routed, Reason.NONE, taken(quality.limit, nearest, Reason.BUDGET)).astype(np.int8),
        )

    def carry(
        self,
        exchanges: Exchanges,
        routes: Routes,
        paths: RadioPaths,
        quality: LinkQuality,
        scenario: Scenario,
        draws: Draws,
    ) -> Outcome:
        """Fate of all exchanges; in closed form, so ``draws`` speak only through the links.

        Latency counts from the meter's own start within the window; starts are spread over ``spread_ratio`` of it.
        """
        rows = np.flatnonzero(routes.server[exchanges.meter] >= 0)
        air = self._air(routes, paths, quality)
        rules = FrameRules(
            residue_bytes=self.schc_residue_bytes,
            n_transmissions=self.n_transmissions,
            spread_ratio=self.spread_ratio,
            meter_airtime_ratio=self.meter_airtime_ratio,
            gateway_duty_cycle=self.gateway_duty_cycle,
            pull=self.exchange_policy == "pull",
        )
        legs = legs_of(exchanges, rows, air.data_rate, taken(quality.mode_down, routes.link, 0), rules)
        fate = deliver(legs, air, self._air_rules(), interference=scenario.interference)
        limit = taken(quality.limit, routes.link, Reason.BUDGET)
        return outcome_of(exchanges, rows, fate, n_meters=paths.n_meters, no_route=routes.reason, link_limit=limit)

    def tables(self) -> Mapping[str, Any]:
        """Data rates, sensitivities, interference and band limits."""
        factors = lora.SPREADING_FACTORS
        rates = pd.DataFrame(
            {
                "data_rate": np.arange(factors.size),
                "mode": self.modes,
                "rate_bps": _rate_bps(np.arange(factors.size)).round(1),
                "max_payload_bytes": MAX_PAYLOAD_BYTES,
                "snr_floor_db": lora.SNR_FLOOR_DB,
                "airtime_13_bytes_s": lora.time_on_air_s(OVERHEAD_BYTES, factors),
                "airtime_full_frame_s": lora.time_on_air_s(MAX_PAYLOAD_BYTES + OVERHEAD_BYTES, factors),
            }
        )
        sensitivity = pd.DataFrame(lora.SENSITIVITY_DBM, index=list(self.modes)).T.rename_axis("receiver").reset_index()
        interference = pd.DataFrame(SIR_DB[self.interference_table], index=list(self.modes), columns=list(self.modes))
        return {
            "Data rates (125 kHz)": rates,
            "Sensitivity [dBm]": sensitivity,
            f"Signal to interference needed [dB], {self.interference_table}": interference,
            "Band limits (EU)": bands_table(REGION),
        }

    def _noise_db(self, paths: RadioPaths) -> Array:
        return man_made_noise_db(
            paths.node_clutter,
            open_db=self.noise_open_db,
            suburban_db=self.noise_suburban_db,
            urban_db=self.noise_urban_db,
        )

    def _air_rules(self) -> AirRules:
        return AirRules(
            sir_db=SIR_DB[self.interference_table],
            n_channels=self.n_channels,
            n_demodulators=self.n_demodulators,
            gateway_duty_cycle=self.gateway_duty_cycle,
            rice_k_db=self.rice_k_db,
        )

    def _air(self, routes: Routes, paths: RadioPaths, quality: LinkQuality) -> Air:
        rate, down = taken(quality.mode_up, routes.link, 0), taken(quality.mode_down, routes.link, 0)
        pair = routes.receiver_link
        down_db = _margin_at_db(taken(quality.margin_down_db, routes.link, -np.inf), down, self.meter_receiver)
        down_db = down_db - lora.half_loss_margin_db(down, ACK_BYTES)
        own_rate = rate[paths.from_node[pair]]
        return Air(
            pair_start=routes.receiver_start,
            pair_site=(paths.to_node[pair] - paths.n_meters).astype(np.int64),
            pair_power_db=quality.margin_up_db[pair],
            pair_margin_db=_margin_at_db(quality.margin_up_db[pair], own_rate, self.gateway_receiver),
            data_rate=rate,
            server=routes.server.astype(np.int64),
            down_success=rice_success(down_db, rice_k_db=self.rice_k_db),
            ack_s=lora.time_on_air_s(ACK_BYTES, lora.SPREADING_FACTORS[down], crc=False),
            n_sites=paths.n_sites,
        )


def _one_of(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"lorawan {what} = {value!r}: must be one of {', '.join(known)}")


def _built_at(paths: RadioPaths, built: Array) -> Array:
    """(n_links,) whether the far end is a built gateway."""
    site = paths.to_node - paths.n_meters
    standing = np.zeros(site.size, bool)
    standing[site >= 0] = np.asarray(built, bool)[site[site >= 0]]
    return standing


def _best(paths: RadioPaths, allowed: Array, quality: LinkQuality) -> Array:
    tie_key = paths.node_key[paths.to_node]
    return best_link(paths.from_node, quality.margin_up_db, tie_key, allowed, n_meters=paths.n_meters)


def _over_floor(power_dbm: Array, receiver: str, adr_margin_db: float) -> tuple[Array, Array, Array]:
    """Signal to noise ratio [dB], margin over SF12 [dB], and data rate (-1 for none) of each link."""
    sensitivity_dbm = np.asarray(lora.SENSITIVITY_DBM[receiver])
    margin_db = power_dbm - sensitivity_dbm[0]
    mode = np.searchsorted(sensitivity_dbm + adr_margin_db, power_dbm, side="right") - 1
    mode = np.where((mode < 0) & (margin_db >= 0.0), 0, mode)
    return margin_db + lora.SNR_FLOOR_DB[0], margin_db, mode.astype(np.int8)


def _margin_at_db(margin_db: Array, rate: Array, receiver: str) -> Array:
    """Margin over the sensitivity of a data rate, from that over SF12 [dB]."""
    sensitivity_dbm = np.asarray(lora.SENSITIVITY_DBM[receiver])
    return np.asarray(margin_db - (sensitivity_dbm[rate] - sensitivity_dbm[0]))


def _rate_bps(mode: Array) -> Array:
    """Gross rate of each data rate at code rate 4/5 [bit/s]; 0 for none."""
    factor = lora.SPREADING_FACTORS[np.maximum(mode, 0)]
    return np.asarray(np.where(mode >= 0, factor * 0.8 * 125e3 / 2.0**factor, 0.0))
