"""NB-IoT: meters as subscribers of an operator, over cells that stand where the operator put them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..draws import Draws, pair_key
from ..limits import link_limit
from ..mac.answers import answered_in_time, request_of
from ..mac.csma_154 import application_tries, hop_success
from ..mac.nb_iot_cell import carried_share, preamble_share, queue_wait_s
from ..mac.nb_iot_messages import Legs, MessageRules, legs_of
from ..mac.nb_iot_traffic import AccessRules, Traffic, access_time
from ..parameters import parameter
from ..pathloss import tr45820
from ..pathloss.enclosure import PURPOSE, node_enclosure_loss_db, with_offset_db
from ..pathloss.macro import MacroLoss, macro_loss
from ..pathloss.p526 import terrain_excess_db
from ..pathloss.p2109 import BUILDING_CLASSES
from ..pathloss.shadowing import shadowing_db
from ..paths import Enclosure, RadioPaths
from ..phy import nb_iot as phy
from ..routing.star import best_link, taken
from ..scenario import Scenario
from ..technology import Exchanges, Influence, LinkQuality, Load, Medium, Outcome, Reach, Reason, Routes, Siting

Array = NDArray[Any]

_TR = "3GPP TR 45.820 V13.1.0"
_THESIS = "NB-IoT field tests, master's thesis, Stellenbosch University (github dan-leo/masters)"
_PRACTICE = "operator practice, not published"
_NOMINAL_POWER_DBM = {"stand_alone": 43.0, "guard_band": 35.0, "in_band": 35.0}
_REFERENCE_POWER_DBM = 35.0
"""Carrier power to which the coupling-loss limits of the downlink refer; more power or a better receiver adds to the
margin as it does to the SNR, whatever the deployment (TR 45.820 link budgets)."""
_FITTED_M = (35.0, 10e3)
"""Distances of the urban macro cell of TR 45.820."""
_COLUMN_LIMITS = {
    "preamble_repetitions": (1, 128),
    "preamble_period_s": (0.04, 2.56),
    "preamble_subcarriers": (12, 48),
    "control_period_s": (0.004, 131.072),
}
"""Per coverage level: TS 36.331 NPRACH-ConfigSIB-NB; search space of 1 to 2048 repetitions, 1.5 to 64 subframes."""
_CHOICES = {
    "deployment": tuple(_NOMINAL_POWER_DBM),
    "policy": ("pull", "push"),
    "pathloss_model": ("macro", "tr45820"),
    "building_model": ("p2109", "tr45820"),
    "building_class": BUILDING_CLASSES,
}


@dataclass(frozen=True)
class NbIot:
    """NB-IoT category NB1, coverage levels by coupling loss; see docs/method-nb-iot.md.

    Coverage-level columns (``preamble_repetitions`` and the like) run CE0, CE1, CE2.
    """

    name: ClassVar[str] = "nb_iot"
    label: ClassVar[str] = "NB-IoT (operator, 900 MHz)"
    media: ClassVar[tuple[Medium, ...]] = (Medium.OPERATOR,)
    siting: ClassVar[Siting] = Siting.OPERATOR_CELL
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
    )

    frequency_hz: float = parameter(900e6, "Hz", "carrier, band 8", _TR, minimum=700e6, maximum=1e9)
    deployment: str = parameter("in_band", "", "in_band, guard_band or stand_alone", "TS 36.104", confidence="B")
    meter_power_dbm: float = parameter(23.0, "dBm", "transmit power, class 3", "TS 36.101", minimum=-40.0, maximum=23.0)
    cell_power_dbm: float = parameter(
        None,
        "dBm",
        "transmit power of the 180 kHz carrier; not given: 43 stand-alone, 35 in band and in the guard band",
        _TR,
        minimum=0.0,
        maximum=46.0,
    )
    meter_gain_dbi: float = parameter(
        -4.0, "dBi", "antenna inside the meter", _TR, confidence="B", minimum=-20.0, maximum=10.0
    )
    cell_gain_dbi: float = parameter(
        15.0, "dBi", "sector antenna 18 dBi less 3 dB of feeder", _TR, confidence="B", minimum=-10.0, maximum=21.0
    )
    meter_noise_figure_db: float = parameter(5.0, "dB", "receiver of the meter", _TR, minimum=0.0, maximum=20.0)
    cell_noise_figure_db: float = parameter(3.0, "dB", "receiver of the cell", _TR, minimum=0.0, maximum=20.0)
    shadowing_sigma_db: float = parameter(
        8.0, "dB", "log-normal shadowing", _TR, confidence="B", minimum=0.0, maximum=20.0
    )
    site_correlation: float = parameter(
        0.5, "1", "shadowing shared between cells", _TR, confidence="B", minimum=0.0, maximum=1.0
    )
    pathloss_model: str = parameter(
        "macro",
        "",
        "macro (Hata by surroundings with antenna heights, as for LoRaWAN) or tr45820 (urban cells of the 3GPP study)",
        "docs/method-nb-iot.md",
        confidence="C",
    )
    building_model: str = parameter(
        "p2109",
        "",
        "p2109 (the same walls as for all other radios) or tr45820 (those of the 3GPP study)",
        "docs/method-nb-iot.md",
        confidence="C",
    )
    building_class: str = parameter("traditional", "", "traditional or efficient, for p2109", "ITU-R P.2109-1 table 1")
    ce1_loss_db: float = parameter(
        144.0, "dB", "coupling loss where coverage level 1 begins", _TR, minimum=100.0, maximum=164.0
    )
    ce2_loss_db: float = parameter(
        154.0, "dB", "coupling loss where coverage level 2 begins", _TR, minimum=100.0, maximum=164.0
    )
    max_coupling_loss_db: float = parameter(
        158.0,
        "dB",
        "coupling loss that fielded modules hold, 157-160; the design target is 164",
        _THESIS,
        minimum=144.0,
        maximum=164.0,
    )
    repetition_gain_db: float = parameter(
        phy.FIELDED_GAIN_DB,
        "dB",
        "gain per doubling of repetitions; 3.0 is ideal",
        "TS 36.104 section 8.5.1",
        minimum=0.0,
        maximum=3.01,
    )
    narrow_tones: bool = parameter(True, "", "whether 3.75 kHz single tones are used", "TS 36.211 section 10.1")
    max_transmissions: int = parameter(
        4, "1", "HARQ and RLC transmissions of a block", "TS 36.104", minimum=1, maximum=32
    )
    block_header_bytes: int = parameter(
        5, "B", "MAC and RLC header of a block", "TS 36.321", confidence="C", minimum=0, maximum=16
    )
    packet_overhead_bytes: int = parameter(
        28, "B", "IPv4 and UDP header; IPv6 48, non-IP 0", "RFC 791, RFC 768", minimum=0, maximum=1280
    )
    nas_overhead_bytes: int = parameter(
        20, "B", "NAS and session header, 15-25", "TS 24.301", confidence="B", minimum=0, maximum=1280
    )
    setup_up_messages: int = parameter(
        4,
        "1",
        "uplink messages of a connection",
        "message sizes of a public RRC model (peteryej)",
        minimum=1,
        maximum=100,
    )
    setup_up_bytes: int = parameter(
        50,
        "B",
        "request 7, complete 20, security 13, reconfigured 10",
        "message sizes of a public RRC model (peteryej)",
        minimum=1,
        maximum=9000,
    )
    setup_down_messages: int = parameter(
        5, "1", "downlink messages of a connection", "TS 36.331", confidence="C", minimum=1, maximum=100
    )
    setup_down_bytes: int = parameter(
        80,
        "B",
        "response, setup, security, reconfiguration, release",
        "TS 36.331",
        confidence="C",
        minimum=1,
        maximum=9000,
    )
    core_delay_s: float = parameter(
        0.054,
        "s",
        "radio to core network, per message",
        "S1 delay of a public model (peteryej)",
        minimum=0.0,
        maximum=60.0,
    )
    scheduling_delay_s: float = parameter(
        0.012, "s", "grant to data, k0 and processing", "TS 36.213", minimum=0.0, maximum=10.0
    )
    preamble_repetitions: tuple[int, int, int] = parameter(
        (2, 8, 32), "1", "NPRACH repetitions", _PRACTICE, confidence="C"
    )
    preamble_period_s: tuple[float, float, float] = parameter(
        (0.16, 0.32, 1.28), "s", "NPRACH period", _PRACTICE, confidence="C"
    )
    preamble_subcarriers: tuple[int, int, int] = parameter(
        (12, 12, 12), "1", "NPRACH subcarriers", _PRACTICE, confidence="C"
    )
    control_period_s: tuple[float, float, float] = parameter(
        (0.064, 0.256, 1.024), "s", "NPDCCH search-space period", _PRACTICE, confidence="C"
    )
    preamble_detection: float = parameter(
        0.99, "1", "detection of a lone preamble", "TS 36.141 NPRACH test level", minimum=0.01, maximum=1.0
    )
    preamble_attempts: int = parameter(10, "1", "random-access attempts", "TS 36.331, 3-10", minimum=1, maximum=10)
    preamble_backoff_s: float = parameter(
        1.024,
        "s",
        "mean back-off after a collision",
        "operator practice, not published; TS 36.321 allows up to 524.288 s",
        confidence="C",
        minimum=0.0,
        maximum=524.288,
    )
    downlink_share: float = parameter(
        0.7,
        "1",
        "subframes left after synchronisation and system information",
        "TS 36.211; 0.75 before SIBs",
        confidence="C",
        minimum=0.01,
        maximum=1.0,
    )
    background_share: float = parameter(
        0.2, "1", "of the carrier used by other subscribers", _PRACTICE, confidence="C", minimum=0.0, maximum=0.95
    )
    max_utilisation: float = parameter(
        0.7, "1", "of what is left, at most", _PRACTICE, confidence="C", minimum=0.01, maximum=1.0
    )
    max_meters_per_site: int = parameter(
        52547,
        "1",
        "devices per sector",
        "3GPP target density, sites 1732 m apart",
        confidence="B",
        minimum=1,
        maximum=10**7,
    )
    spread_share: float = parameter(
        0.5,
        "1",
        "part of the window over which meters start",
        "head-end practice",
        confidence="C",
        minimum=0.01,
        maximum=1.0,
    )
    search_radius_m: float = parameter(
        20_000.0,
        "m",
        "how far a meter looks for cells; saves computing, must not decide",
        "edge of Hata's range: good links reach farther, but no further than it is known",
        confidence="B",
        minimum=100.0,
        maximum=120e3,
    )
    policy: str = parameter(
        "push", "", "push (meters send) or pull (head end asks)", "head-end practice", confidence="C"
    )

    def __post_init__(self) -> None:
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                raise ValueError(f"{name} {getattr(self, name)!r} is unknown; use one of {', '.join(known)}")
        if getattr(self, "cell_power_dbm") is None:  # noqa: B009 - the declared type is what is left after this line
            object.__setattr__(self, "cell_power_dbm", _NOMINAL_POWER_DBM[self.deployment])
        if not self.ce1_loss_db < self.ce2_loss_db <= self.max_coupling_loss_db:
            raise ValueError("coverage levels must rise: ce1_loss_db < ce2_loss_db <= max_coupling_loss_db")
        columns = (self.preamble_repetitions, self.preamble_period_s, self.preamble_subcarriers, self.control_period_s)
        if any(len(column) != 3 for column in columns):
            raise ValueError("coverage-level columns need three entries, CE0, CE1 and CE2")
        for name, (low, high) in _COLUMN_LIMITS.items():
            column = getattr(self, name)
            if not all(low <= entry <= high for entry in column):
                raise ValueError(f"{name} = {column}: every entry must lie within {low} to {high} (TS 36.331)")
        preamble_share(
            self.preamble_repetitions, period_s=self.preamble_period_s, n_subcarriers=self.preamble_subcarriers
        )

    @property
    def modes(self) -> tuple[str, ...]:
        """Coverage levels, most robust first."""
        return ("CE2", "CE1", "CE0")

    @property
    def exchange_policy(self) -> str:
        """``"pull"`` or ``"push"``."""
        return self.policy

    @property
    def _uplink(self) -> phy.Formats:
        return phy.uplink_formats(gain_per_doubling_db=self.repetition_gain_db, narrow_tones=self.narrow_tones)

    @property
    def _downlink(self) -> phy.Formats:
        highest = 10 if self.deployment == "in_band" else 12
        return phy.downlink_formats(gain_per_doubling_db=self.repetition_gain_db, highest_i_tbs=highest)

    def assess(self, paths: RadioPaths, scenario: Scenario, draws: Draws) -> LinkQuality:
        """Coupling loss, coverage level and SNR of every meter to every cell in one replication."""
        outdoor = self._outdoor_loss(paths)
        inside_db = self._enclosure_db(paths, scenario, draws)
        wall_db = inside_db[paths.from_node] + inside_db[paths.to_node]
        loss_db = outdoor.median_db + outdoor.terrain_db + self._shadowing_db(paths, draws) + wall_db
        coupling_db = loss_db - self.cell_gain_dbi - self.meter_gain_dbi + scenario.noise_offset_db
        up_db = coupling_db + (23.0 - self.meter_power_dbm) + (self.cell_noise_figure_db - 3.0)
        shortfall_db = _REFERENCE_POWER_DBM - self.cell_power_dbm + self.meter_noise_figure_db - 5.0
        down_db = coupling_db + shortfall_db
        levels = self._level(up_db), self._level(down_db)
        snr_up = phy.snr_db(
            coupling_db,
            power_dbm=self.meter_power_dbm,
            bandwidth_hz=phy.REFERENCE_BANDWIDTH_HZ,
            noise_figure_db=self.cell_noise_figure_db,
        )
        snr_down = phy.snr_db(
            coupling_db,
            power_dbm=self.cell_power_dbm,
            bandwidth_hz=phy.CARRIER_BANDWIDTH_HZ,
            noise_figure_db=self.meter_noise_figure_db,
        )
        margins = self.max_coupling_loss_db - up_db, self.max_coupling_loss_db - down_db
        rates = [
            np.where(level >= 0, formats.rate_bps(formats.best(snr)), 0.0)
            for level, formats, snr in zip(levels, (self._uplink, self._downlink), (snr_up, snr_down), strict=True)
        ]
        limit = link_limit(np.minimum(*margins), outdoor.terrain_db, wall_db)
        return LinkQuality(
            snr_up,
            snr_down,
            margins[0],
            margins[1],
            levels[0],
            levels[1],
            rates[0],
            rates[1],
            loss_db,
            limit,
            outdoor.in_range,
        )

    def _outdoor_loss(self, paths: RadioPaths) -> MacroLoss:
        """Median loss to the street and what hills add."""
        first_is_meter = paths.from_node < paths.n_meters
        meter = np.where(first_is_meter, paths.from_node, paths.to_node)
        site = np.where(first_is_meter, paths.to_node, paths.from_node)
        terrain_m = np.where(first_is_meter[:, None], paths.terrain_m, paths.terrain_m[:, ::-1])
        if self.pathloss_model == "macro":
            return macro_loss(
                terrain_m,
                paths.distance_m,
                frequency_hz=self.frequency_hz,
                meter_height_m=paths.node_height_m[meter],
                meter_clutter=paths.node_clutter[meter],
                site_height_m=paths.node_height_m[site],
                site_clutter=paths.node_clutter[site],
            )
        terrain_db = terrain_excess_db(
            terrain_m,
            paths.distance_m,
            start_height_m=paths.node_height_m[meter],
            end_height_m=paths.node_height_m[site],
            frequency_hz=self.frequency_hz,
        )
        fitted = (paths.distance_m >= _FITTED_M[0]) & (paths.distance_m <= _FITTED_M[1])
        return MacroLoss(tr45820.macro_loss_db(paths.distance_m, frequency_hz=self.frequency_hz), terrain_db, fitted)

    def _shadowing_db(self, paths: RadioPaths, draws: Draws) -> Array:
        ends = paths.node_key[paths.from_node], paths.node_key[paths.to_node]
        return shadowing_db(
            draws,
            pair_key(*ends),
            self.shadowing_sigma_db,
            end_keys=np.where(paths.from_node < paths.n_meters, *ends),
            end_correlation=self.site_correlation,
        )

    def _enclosure_db(self, paths: RadioPaths, scenario: Scenario, draws: Draws) -> Array:
        """Loss at each node between its antenna and the street: the walls of all radios, or those of TR 45.820."""
        code, key = paths.node_enclosure, paths.node_key
        loss_db = node_enclosure_loss_db(
            code,
            key,
            draws,
            frequency_hz=self.frequency_hz,
            building_class=self.building_class,
            walls=scenario.walls,
        )
        if self.building_model == "tr45820":
            inside = (code == Enclosure.INDOOR) | (code == Enclosure.BASEMENT)
            columns = [draws.uniform(f"building {column}", key[inside]) for column in range(5)]
            loss_db[inside] = tr45820.building_loss_db(np.stack(columns, axis=1))
            low_db, high_db = scenario.walls.basement_low_db, scenario.walls.basement_high_db
            extra_db = low_db + draws.uniform(PURPOSE, key) * (high_db - low_db)
            loss_db += np.where(code == Enclosure.BASEMENT, extra_db, 0.0)
        return with_offset_db(loss_db, code, scenario.enclosure_offset_db)

    def _level(self, coupling_db: Array) -> Array:
        """Mode of each coupling loss: 2 is CE0, 0 is CE2, -1 is out of reach."""
        limits = [self.ce1_loss_db, self.ce2_loss_db, self.max_coupling_loss_db]
        return (2 - np.searchsorted(limits, coupling_db, side="left")).astype(np.int8)

    def packet_error_ratio(self, snr_db: Array, mode: Array, n_bytes: Array) -> Array:
        """Loss of an uplink message after all transmissions of its blocks, in the format chosen for that SNR."""
        formats = self._uplink
        snr, n_bits = np.broadcast_arrays(np.asarray(snr_db, np.float64), 8 * np.asarray(n_bytes))
        row = formats.best(snr)
        per = formats.error_ratio(snr, row, gain_per_doubling_db=self.repetition_gain_db)
        n_blocks, _ = formats.blocks(n_bits, row, header_bits=8 * self.block_header_bytes)
        arrived = hop_success(per, self.max_transmissions - 1) ** n_blocks
        return np.asarray(np.where(np.asarray(mode) >= 0, 1.0 - arrived, 1.0))

    def airtime_s(self, mode: Array, n_bytes: Array) -> Array:
        """Uplink time of a message of ``n_bytes`` in the format of the coverage level's worst coupling loss [s].

        Raises ValueError for a mode that does not exist.
        """
        return self._edge_blocks(mode, n_bytes)[1]

    def n_frames(self, mode: Array, n_bytes: Array) -> Array:
        """Uplink transport blocks of a message of ``n_bytes``, repetitions not counted; errors as `airtime_s`."""
        return np.asarray(self._edge_blocks(mode, n_bytes)[0])

    def _edge_blocks(self, mode: Array, n_bytes: Array) -> tuple[Array, Array]:
        """Blocks and their time at the worst coupling loss of each coverage level."""
        row = np.asarray(mode)
        if ((row < 0) | (row > 2)).any():
            raise ValueError("mode must be 0 (CE2), 1 (CE1) or 2 (CE0)")
        edge_db = np.array([self.max_coupling_loss_db, self.ce2_loss_db, self.ce1_loss_db])[row]
        snr = phy.snr_db(
            edge_db,
            power_dbm=self.meter_power_dbm,
            bandwidth_hz=phy.REFERENCE_BANDWIDTH_HZ,
            noise_figure_db=self.cell_noise_figure_db,
        )
        size = np.asarray(n_bytes) + self.packet_overhead_bytes + self.nas_overhead_bytes
        snr, n_bits = np.broadcast_arrays(snr, 8 * size)
        formats = self._uplink
        return formats.blocks(n_bits, formats.best(snr), header_bits=8 * self.block_header_bytes)

    def reach(self, paths: RadioPaths, quality: LinkQuality) -> Reach:
        """Meters that hold a cell in both directions."""
        good = quality.usable
        meter = np.minimum(paths.from_node, paths.to_node)[good]
        site = np.maximum(paths.from_node, paths.to_node)[good] - paths.n_meters
        return Reach(site.astype(np.int32), meter.astype(np.int32), np.ones(meter.size, np.int16))

    def load(self, exchanges: Exchanges, paths: RadioPaths, quality: LinkQuality) -> Load:
        """Carrier time of each meter on its best cell: the scarcer of tones and subframes."""
        routes = self.routes(paths, quality, np.ones(paths.n_sites, bool))
        legs = self._legs(exchanges, routes, quality, self._ce_level(routes, quality))
        window_s = np.asarray(exchanges.window_s, np.float64)
        longest_s = float(window_s.max(initial=0.0))
        scale = longest_s / window_s[exchanges.service[legs.rows]]
        up, down = (
            np.bincount(legs.meter, time_s * scale, paths.n_meters) / share
            for time_s, share in ((legs.carrier_up_s, self._uplink_share), (legs.carrier_down_s, self.downlink_share))
        )
        capacity_s = self.max_utilisation * (1.0 - self.background_share) * longest_s
        return Load(np.maximum(up, down), capacity_s, self.max_meters_per_site)

    @property
    def _uplink_share(self) -> float:
        return 1.0 - preamble_share(
            self.preamble_repetitions, period_s=self.preamble_period_s, n_subcarriers=self.preamble_subcarriers
        )

    def routes(self, paths: RadioPaths, quality: LinkQuality, built: Array) -> Routes:
        """The cell with the least coupling loss among those that stand; ties go to the smaller key."""
        n_meters = paths.n_meters
        meter = np.minimum(paths.from_node, paths.to_node)
        site = np.maximum(paths.from_node, paths.to_node) - n_meters
        margin = np.minimum(quality.margin_up_db, quality.margin_down_db)
        standing = np.asarray(built, bool)[site]
        best = best_link(meter, margin, paths.node_key[n_meters + site], standing, n_meters=n_meters)
        link = np.where(taken(quality.usable, best, 0) > 0, best, -1)
        reason = np.where(link >= 0, Reason.NONE, taken(quality.limit, best, Reason.NO_CELL)).astype(np.int8)
        has, server = link >= 0, taken(site, link, -1)
        return Routes(
            server.astype(np.int32),
            np.where(has, server + n_meters, -1).astype(np.int32),
            link,
            has.astype(np.int16),
            np.concatenate([[0], np.cumsum(has)]).astype(np.int64),
            link[has],
            reason,
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
        """Fate of every exchange: random access, blocks with repetitions, and the cell's tones and subframes."""
        level = self._ce_level(routes, quality)
        legs = self._legs(exchanges, routes, quality, level)
        cell = Traffic.of(exchanges, routes, paths, legs, level)
        used = cell.utilisation(((legs.carrier_up_s, self._uplink_share), (legs.carrier_down_s, self.downlink_share)))
        missed = cell.preamble_loss(self._access_rules, self.spread_share, interference=scenario.interference)
        access_s, access_s2, preambles = access_time(missed, cell.level, self._access_rules)
        background = used + self.background_share if scenario.interference else np.zeros(used.size)
        wait_s = queue_wait_s(background[cell.site], 1.0)[cell.row] * legs.block_s
        found = np.where(legs.first, hop_success(missed, self.preamble_attempts - 1)[cell.row], 1.0)
        tries, timeout_s = exchanges.tries[legs.rows], exchanges.timeout_s[legs.rows]
        answered, leg_s, leg_s2 = answered_in_time(
            legs.mean_s + wait_s + np.where(legs.first, access_s[cell.row], 0.0),
            legs.variance_s2 + wait_s**2 + np.where(legs.first, access_s2[cell.row], 0.0),
            timeout_s,
            request_of(exchanges, legs.rows),
        )
        patient = application_tries(legs.success * found, tries)[0]
        arrived, starts, failed, failed_s2 = application_tries(legs.success * found * answered, tries)
        with np.errstate(divide="ignore"):
            p_link = np.exp(cell.total(np.log(patient)))
            in_patience = np.where(patient > 0.0, arrived / np.maximum(patient, 1e-300), 1.0)
            answered_share = np.exp(cell.total(np.log(in_patience)))
        mean_s = np.where(cell.talks, cell.total(leg_s + failed * timeout_s) / cell.count, access_s)
        spread_s2 = np.where(cell.talks, cell.total(leg_s2 + failed_s2 * timeout_s**2) / cell.count, access_s2)
        moment = np.tile(draws.uniform("reporting moment", paths.node_key[: paths.n_meters]), cell.n_services)
        start_s = np.where(cell.latest_s > 0.0, cell.latest_s, moment * self.spread_share * cell.window_s)
        share = carried_share(used / (1.0 - self.background_share), self.max_utilisation)[cell.site]
        attempts = cell.total(legs.attempts * starts) + np.where(cell.talks, preambles * cell.count, 0.0)
        limit = taken(quality.limit, routes.link, Reason.NONE)
        return cell.outcome(
            p_link,
            share * answered_share,
            (mean_s, spread_s2),
            start_s,
            attempts,
            link_limit=limit,
            no_route=routes.reason,
        )

    def _legs(self, exchanges: Exchanges, routes: Routes, quality: LinkQuality, level: Array) -> Legs:
        rows = np.flatnonzero(routes.server[exchanges.meter] >= 0)
        link = routes.link[exchanges.meter[rows]]
        rules = MessageRules(
            uplink=self._uplink,
            downlink=self._downlink,
            gain_per_doubling_db=self.repetition_gain_db,
            max_transmissions=self.max_transmissions,
            block_header_bytes=self.block_header_bytes,
            packet_bytes=self.packet_overhead_bytes + self.nas_overhead_bytes,
            setup_up_messages=self.setup_up_messages,
            setup_up_bytes=self.setup_up_bytes,
            setup_down_messages=self.setup_down_messages,
            setup_down_bytes=self.setup_down_bytes,
            core_delay_s=self.core_delay_s,
            scheduling_delay_s=self.scheduling_delay_s,
            control_period_s=np.asarray(self.control_period_s),
        )
        up_db, down_db = quality.snr_up_db[link], quality.snr_down_db[link]
        return legs_of(exchanges, rules, rows=rows, level=level, snr_up_db=up_db, snr_down_db=down_db)

    @property
    def _access_rules(self) -> AccessRules:
        return AccessRules(
            detection=self.preamble_detection,
            attempts=self.preamble_attempts,
            backoff_s=self.preamble_backoff_s,
            repetitions=np.asarray(self.preamble_repetitions),
            period_s=np.asarray(self.preamble_period_s),
            n_subcarriers=np.asarray(self.preamble_subcarriers),
            control_period_s=np.asarray(self.control_period_s),
        )

    def _ce_level(self, routes: Routes, quality: LinkQuality) -> Array:
        """Coverage level 0 to 2 of each meter on its own link, the worse of both directions; 2 without a link."""
        worse = taken(np.minimum(quality.mode_up, quality.mode_down), routes.link, 0)
        return np.asarray(2 - np.maximum(worse, 0))

    def tables(self) -> Mapping[str, Any]:
        """Block sizes, and the formats used at each SNR."""
        columns = [f"{n} units" for n in phy.UNITS]
        result: dict[str, Any] = {
            "Uplink transport blocks [bit]": pd.DataFrame(phy.UPLINK_BITS, columns=columns),
            "Downlink transport blocks [bit]": pd.DataFrame(phy.DOWNLINK_BITS, columns=columns),
        }
        for title, formats in (("Uplink formats", self._uplink), ("Downlink formats", self._downlink)):
            row = np.arange(formats.i_tbs.size)
            result[title] = pd.DataFrame(
                {
                    "from_snr_db": formats.threshold_db,
                    "i_tbs": formats.i_tbs,
                    "repetitions": formats.repetitions,
                    "tone_share": formats.tone_share,
                    "rate_bps": formats.rate_bps(row),
                }
            )
        return result
