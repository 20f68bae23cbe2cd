"""NB-IoT: meters as subscribers of an operator, over cells that stand where the operator put them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammainc, gammaincinv

from ..draws import Draws, pair_key
from ..mac.csma_154 import application_tries, attempts_second_moment, expected_attempts, hop_success
from ..mac.nb_iot_cell import (
    PREAMBLE_REPETITION_S,
    carried_share,
    preamble_collision_ratio,
    preamble_share,
    queue_wait_s,
)
from ..pathloss.enclosure import PURPOSE, enclosure_loss_db
from ..pathloss.p526 import terrain_excess_db
from ..pathloss.shadowing import shadowing_db
from ..pathloss.tr45820 import building_loss_db, macro_loss_db
from ..paths import Enclosure, RadioPaths
from ..phy import nb_iot as phy
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

_TR = "3GPP TR 45.820 V13.1.0"
_THESIS = "NB-IoT field tests, master's thesis, Stellenbosch University (github dan-leo/masters)"
_PRACTICE = "operator practice, not published"
_NOMINAL_POWER_DBM = {"stand_alone": 43.0, "guard_band": 35.0, "in_band": 35.0}
_FITTED_M = (35.0, 10e3)
_CERTAIN = 1.0 - 1e-9


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
        Influence.TERRAIN,
        Influence.ENCLOSURE,
        Influence.TX_POWER,
        Influence.NOISE,
        Influence.DENSITY,
        Influence.TRAFFIC,
    )

    frequency_hz: float = parameter(900e6, "Hz", "carrier, band 8", _TR, minimum=700e6, maximum=1e9)
    deployment: str = parameter("in_band", "", "in_band, guard_band or stand_alone", "TS 36.104", confidence="B")
    meter_power_dbm: float = parameter(23.0, "dBm", "transmit power, class 3", "TS 36.101", maximum=23.0)
    cell_power_dbm: float = parameter(
        35.0, "dBm", "transmit power of the 180 kHz carrier; 43 stand-alone", _TR, maximum=46.0
    )
    meter_gain_dbi: float = parameter(-4.0, "dBi", "antenna inside the meter", _TR, confidence="B")
    cell_gain_dbi: float = parameter(15.0, "dBi", "sector antenna 18 dBi less 3 dB of feeder", _TR, confidence="B")
    meter_noise_figure_db: float = parameter(5.0, "dB", "receiver of the meter", _TR, minimum=0.0)
    cell_noise_figure_db: float = parameter(3.0, "dB", "receiver of the cell", _TR, minimum=0.0)
    shadowing_sigma_db: float = parameter(8.0, "dB", "log-normal shadowing", _TR, confidence="B", minimum=0.0)
    site_correlation: float = parameter(
        0.5, "1", "shadowing shared between cells", _TR, confidence="B", minimum=0.0, maximum=1.0
    )
    basement_low_db: float = parameter(10.0, "dB", "lowest extra loss of a basement", "measurements", confidence="B")
    basement_high_db: float = parameter(15.0, "dB", "highest extra loss of a basement", "measurements", confidence="B")
    ce1_loss_db: float = parameter(144.0, "dB", "coupling loss where coverage level 1 begins", _TR)
    ce2_loss_db: float = parameter(154.0, "dB", "coupling loss where coverage level 2 begins", _TR)
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
    )
    narrow_tones: bool = parameter(True, "", "whether 3.75 kHz single tones are used", "TS 36.211 section 10.1")
    max_transmissions: int = parameter(4, "1", "HARQ and RLC transmissions of a block", "TS 36.104", minimum=1)
    block_header_bytes: int = parameter(5, "B", "MAC and RLC header of a block", "TS 36.321", confidence="C", minimum=0)
    packet_overhead_bytes: int = parameter(28, "B", "IPv4 and UDP header; IPv6 48, non-IP 0", "RFC 791, RFC 768")
    nas_overhead_bytes: int = parameter(
        20, "B", "NAS and session header, 15-25", "TS 24.301", confidence="B", minimum=0
    )
    setup_up_messages: int = parameter(
        4, "1", "uplink messages of a connection", "message sizes of a public RRC model (peteryej)", minimum=1
    )
    setup_up_bytes: int = parameter(
        50,
        "B",
        "request 7, complete 20, security 13, reconfigured 10",
        "message sizes of a public RRC model (peteryej)",
    )
    setup_down_messages: int = parameter(5, "1", "downlink messages of a connection", "TS 36.331", confidence="C")
    setup_down_bytes: int = parameter(
        80, "B", "response, setup, security, reconfiguration, release", "TS 36.331", confidence="C"
    )
    core_delay_s: float = parameter(
        0.054, "s", "radio to core network, per message", "S1 delay of a public model (peteryej)", minimum=0.0
    )
    scheduling_delay_s: float = parameter(0.012, "s", "grant to data, k0 and processing", "TS 36.213", minimum=0.0)
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
        1.024, "s", "mean back-off after a collision", _PRACTICE, confidence="C", minimum=0.0
    )
    downlink_share: float = parameter(
        0.7,
        "1",
        "subframes left after synchronisation and system information",
        "TS 36.211; 0.75 before SIBs",
        confidence="C",
    )
    background_share: float = parameter(
        0.2, "1", "of the carrier used by other subscribers", _PRACTICE, confidence="C", minimum=0.0, maximum=0.95
    )
    max_utilisation: float = parameter(
        0.7, "1", "of what is left, at most", _PRACTICE, confidence="C", minimum=0.01, maximum=1.0
    )
    max_meters_per_site: int = parameter(
        52547, "1", "devices per sector", "3GPP target density, sites 1732 m apart", confidence="B", minimum=1
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
        10_000.0, "m", "how far a meter looks for cells", "fitted range of the loss", confidence="C", minimum=100.0
    )
    policy: str = parameter(
        "push", "", "push (meters send) or pull (head end asks)", "head-end practice", confidence="C"
    )

    def __post_init__(self) -> None:
        if self.deployment not in _NOMINAL_POWER_DBM:
            raise ValueError(f"deployment {self.deployment!r} is unknown; use {', '.join(_NOMINAL_POWER_DBM)}")
        if self.policy not in ("pull", "push"):
            raise ValueError(f"policy {self.policy!r} is unknown; use pull or push")
        if not self.ce1_loss_db < self.ce2_loss_db <= self.max_coupling_loss_db:
            raise ValueError("coverage levels must rise: ce1_loss_db < ce2_loss_db <= max_coupling_loss_db")
        if not 0.0 <= self.basement_low_db <= self.basement_high_db:
            raise ValueError("basement_low_db must lie between 0 and basement_high_db")
        columns = (self.preamble_repetitions, self.preamble_period_s, self.preamble_subcarriers, self.control_period_s)
        if any(len(column) != 3 or min(column) <= 0 for column in columns):
            raise ValueError("coverage-level columns need three positive entries, CE0, CE1 and CE2")
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
        outdoor_db, terrain_db = self._outdoor_loss_db(paths, draws)
        inside_db = self._enclosure_db(paths, scenario, draws)
        wall_db = inside_db[paths.from_node] + inside_db[paths.to_node]
        loss_db = outdoor_db + terrain_db + wall_db
        coupling_db = loss_db - self.cell_gain_dbi - self.meter_gain_dbi + scenario.noise_offset_db
        up_db = coupling_db + (23.0 - self.meter_power_dbm) + (self.cell_noise_figure_db - 3.0)
        shortfall_db = _NOMINAL_POWER_DBM[self.deployment] - self.cell_power_dbm + self.meter_noise_figure_db - 5.0
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
        fitted = (paths.distance_m >= _FITTED_M[0]) & (paths.distance_m <= _FITTED_M[1])
        limit = _limits(np.minimum(*margins), terrain_db, wall_db)
        return LinkQuality(
            snr_up, snr_down, margins[0], margins[1], levels[0], levels[1], rates[0], rates[1], loss_db, limit, fitted
        )

    def _outdoor_loss_db(self, paths: RadioPaths, draws: Draws) -> tuple[Array, Array]:
        """Loss to the street with shadowing, and what hills add."""
        ends = paths.node_key[paths.from_node], paths.node_key[paths.to_node]
        meter_key = np.where(paths.from_node < paths.n_meters, *ends)
        shadow_db = shadowing_db(
            draws,
            pair_key(*ends),
            self.shadowing_sigma_db,
            end_keys=meter_key,
            end_correlation=self.site_correlation,
        )
        terrain_db = terrain_excess_db(
            paths.terrain_m,
            paths.distance_m,
            start_height_m=paths.node_height_m[paths.from_node],
            end_height_m=paths.node_height_m[paths.to_node],
            frequency_hz=self.frequency_hz,
        )
        return macro_loss_db(paths.distance_m, frequency_hz=self.frequency_hz) + shadow_db, terrain_db

    def _enclosure_db(self, paths: RadioPaths, scenario: Scenario, draws: Draws) -> Array:
        """Loss at each node between its antenna and the street: the study's buildings indoors, boxes elsewhere."""
        code, key = paths.node_enclosure, paths.node_key
        inside = (code == Enclosure.INDOOR) | (code == Enclosure.BASEMENT)
        place = draws.uniform(PURPOSE, key)
        outside = np.where(inside, int(Enclosure.NONE), code).astype(np.int8)
        loss_db = enclosure_loss_db(outside, place, frequency_hz=self.frequency_hz)
        uniforms = np.stack([draws.uniform(f"building {column}", key[inside]) for column in range(5)], axis=1)
        loss_db[inside] = building_loss_db(uniforms)
        extra_db = self.basement_low_db + place * (self.basement_high_db - self.basement_low_db)
        loss_db += np.where(code == Enclosure.BASEMENT, extra_db, 0.0)
        return np.where(code != Enclosure.NONE, np.maximum(loss_db + scenario.enclosure_offset_db, 0.0), 0.0)

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
        return formats.blocks(n_bits, formats.best(snr), header_bits=8 * self.block_header_bytes)[1]

    def reach(self, paths: RadioPaths, quality: LinkQuality) -> Reach:
        """Meters that hold a cell in both directions."""
        good = quality.usable
        meter = np.minimum(paths.from_node, paths.to_node)[good]
        site = np.maximum(paths.from_node, paths.to_node)[good] - paths.n_meters
        return Reach(site.astype(np.int32), meter.astype(np.int32), np.ones(meter.size, np.int16))

    def load(self, exchanges: Exchanges, paths: RadioPaths, quality: LinkQuality) -> Load:
        """Carrier time of each meter on its best cell: the scarcer of tones and subframes."""
        routes = self.routes(paths, quality, np.ones(paths.n_sites, bool))
        legs = _Legs.of(self, exchanges, routes, quality)
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
        rows = np.flatnonzero(np.asarray(built, bool)[site])
        order = rows[np.lexsort((paths.node_key[n_meters + site[rows]], -margin[rows], meter[rows]))]
        first = np.concatenate([[True], meter[order][1:] != meter[order][:-1]]) if order.size else np.zeros(0, bool)
        best = order[first]
        held = quality.usable[best]
        link = np.full(n_meters, -1, np.int64)
        link[meter[best[held]]] = best[held]
        reason = np.full(n_meters, int(Reason.NO_CELL), np.int8)
        reason[meter[best]] = np.where(held, int(Reason.NONE), quality.limit[best])
        has = link >= 0
        row = np.maximum(link, 0)
        server = np.where(has, site[row], -1) if site.size else np.full(n_meters, -1)
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
        legs = _Legs.of(self, exchanges, routes, quality)
        fold = _Fold.of(self, exchanges, routes, paths, legs, self._ce_level(routes, quality))
        used = self._utilisation(fold, legs)
        missed = self._preamble_loss(fold, scenario)
        access_s, access_s2, preambles = self._access_time(missed, fold.level)
        background = used + self.background_share if scenario.interference else np.zeros(used.size)
        wait_s = queue_wait_s(background[fold.site], 1.0)[fold.row] * legs.block_s
        found = np.where(legs.first, hop_success(missed, self.preamble_attempts - 1)[fold.row], 1.0)
        arrived, starts, failed, failed_s2 = application_tries(legs.success * found, exchanges.tries[legs.rows])
        timeout_s = exchanges.timeout_s[legs.rows]
        with np.errstate(divide="ignore"):
            p_link = np.exp(fold.total(np.log(arrived)))
        mean_s = fold.total(legs.mean_s + wait_s + failed * timeout_s) / fold.count + access_s
        spread_s2 = fold.total(legs.variance_s2 + wait_s**2 + failed_s2 * timeout_s**2) / fold.count + access_s2
        moment = np.tile(draws.uniform("reporting moment", paths.node_key[: paths.n_meters]), fold.n_services)
        start_s = np.where(fold.latest_s > 0.0, fold.latest_s, moment * self.spread_share * fold.window_s)
        share = carried_share(used / (1.0 - self.background_share), self.max_utilisation)[fold.site]
        attempts = fold.total(legs.attempts * starts) + np.where(fold.talks, preambles * fold.count, 0.0)
        return _outcome(fold, routes, quality, p_link, share, (mean_s, spread_s2), start_s, attempts)

    def _utilisation(self, fold: _Fold, legs: _Legs) -> Array:
        """Share of each cell's carrier that the meters use, the scarcer of up and down (n_sites,)."""
        used = np.zeros(fold.n_sites)
        for time_s, share in ((legs.carrier_up_s, self._uplink_share), (legs.carrier_down_s, self.downlink_share)):
            per_s = fold.total(time_s) / fold.window_s / share
            used = np.maximum(used, np.bincount(fold.site[fold.routed], per_s[fold.routed], fold.n_sites))
        return used

    def _preamble_loss(self, fold: _Fold, scenario: Scenario) -> Array:
        """Probability that one preamble fails, repeated attempts counted in the load; shape of the fold."""
        place, levels = fold.site * 3 + fold.level, np.tile(np.arange(3), fold.n_sites)
        rate = np.where(fold.routed, fold.n_exchanges / (fold.window_s * self.spread_share), 0.0)
        per_level = np.bincount(place, rate, fold.n_sites * 3)
        missed = np.full(levels.size, 1.0 - self.preamble_detection)
        for _ in range(5 if scenario.interference else 0):
            collided = preamble_collision_ratio(
                per_level * expected_attempts(missed, self.preamble_attempts - 1),
                period_s=np.asarray(self.preamble_period_s)[levels],
                n_subcarriers=np.asarray(self.preamble_subcarriers)[levels],
            )
            missed = 1.0 - (1.0 - collided) * self.preamble_detection
        return np.asarray(missed[place])

    def _access_time(self, missed: Array, level: Array) -> tuple[Array, Array, Array]:
        """Mean and variance of the time to a connection [s], [s^2], and preambles sent."""
        retries = self.preamble_attempts - 1
        preambles = expected_attempts(missed, retries)
        spread = np.maximum(attempts_second_moment(missed, retries) - preambles**2, 0.0)
        opportunity_s = np.asarray(self.preamble_period_s)[level]
        send_s = np.asarray(self.preamble_repetitions)[level] * PREAMBLE_REPETITION_S
        once_s = opportunity_s / 2.0 + send_s + np.asarray(self.control_period_s)[level]
        retry_s = once_s + self.preamble_backoff_s
        mean_s = once_s + (preambles - 1.0) * retry_s
        backoff_s2 = (preambles - 1.0) * self.preamble_backoff_s**2 / 3.0
        return mean_s, opportunity_s**2 / 12.0 + spread * retry_s**2 + backoff_s2, preambles

    def _ce_level(self, routes: Routes, quality: LinkQuality) -> Array:
        """Coverage level 0 to 2 of each meter on its own link, the worse of both directions; 2 without a link."""
        if quality.mode_up.size == 0:
            return np.full(routes.link.size, 2)
        row = np.maximum(routes.link, 0)
        worse = np.minimum(quality.mode_up, quality.mode_down)[row]
        return np.where(routes.link >= 0, 2 - np.maximum(worse, 0), 2).astype(np.int64)

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


@dataclass(frozen=True)
class _Fold:
    """Legs gathered per (service, meter), flat columns; ``row`` is the place of each leg."""

    row: Array
    n_services: int
    n_meters: int
    n_sites: int
    n_exchanges: Array
    count: Array
    window_s: Array
    latest_s: Array
    routed: Array
    talks: Array
    site: Array
    level: Array

    @classmethod
    def of(
        cls, technology: NbIot, exchanges: Exchanges, routes: Routes, paths: RadioPaths, legs: _Legs, level: Array
    ) -> _Fold:
        n_services, n_meters = len(exchanges.services), paths.n_meters
        row = exchanges.service[legs.rows].astype(np.int64) * n_meters + legs.meter
        n_exchanges = np.bincount(row[legs.first], minlength=n_services * n_meters)
        latest_s = np.zeros(n_services * n_meters)
        np.maximum.at(latest_s, row, exchanges.not_before_s[legs.rows])
        routed = np.tile(routes.server >= 0, n_services)
        return cls(
            row,
            n_services,
            n_meters,
            max(paths.n_sites, 1),
            n_exchanges,
            np.maximum(n_exchanges, 1),
            np.repeat(np.asarray(exchanges.window_s, np.float64), n_meters),
            latest_s,
            routed,
            routed & (n_exchanges > 0),
            np.tile(np.maximum(routes.server, 0), n_services),
            np.tile(level, n_services),
        )

    def total(self, column: Array) -> Array:
        return np.bincount(self.row, column, self.n_services * self.n_meters)


def _outcome(
    fold: _Fold,
    routes: Routes,
    quality: LinkQuality,
    p_link: Array,
    share: Array,
    moments: tuple[Array, Array],
    start_s: Array,
    attempts: Array,
) -> Outcome:
    """Arrival by the deadline, latency as a gamma distribution, and what limits it."""
    mean_s = np.where(fold.talks, moments[0], 1.0)
    variance_s2 = np.where(fold.talks, np.maximum(moments[1], (0.01 * mean_s) ** 2), 1.0)
    k, scale_s = mean_s**2 / variance_s2, variance_s2 / mean_s
    in_time = np.where(fold.talks, gammainc(k, np.maximum(fold.window_s - start_s, 0.0) / scale_s), 1.0)
    p_arrive = np.where(fold.routed, p_link * in_time * share, 0.0)
    blamed = np.where(p_link <= in_time * share, np.tile(_limit_of(routes, quality), fold.n_services), Reason.CAPACITY)
    known = np.where(p_arrive < _CERTAIN, blamed, Reason.NONE)
    reason = np.where(fold.routed, known, np.tile(routes.reason, fold.n_services))
    p50_s, p95_s = (
        np.where(p_arrive > 0.0, np.where(fold.talks, gammaincinv(k, q) * scale_s, 0.0), np.inf) for q in (0.5, 0.95)
    )
    shape = (fold.n_services, fold.n_meters)
    return Outcome(
        p_arrive.reshape(shape),
        p50_s.reshape(shape),
        p95_s.reshape(shape),
        attempts.reshape(shape),
        reason.astype(np.int8).reshape(shape),
    )


@dataclass(frozen=True)
class _Legs:
    """Legs of meters with a cell, connection set-up included in the first leg of each exchange."""

    rows: Array
    meter: Array
    first: Array
    success: Array
    mean_s: Array
    variance_s2: Array
    attempts: Array
    block_s: Array
    carrier_up_s: Array
    carrier_down_s: Array

    @classmethod
    def of(cls, technology: NbIot, exchanges: Exchanges, routes: Routes, quality: LinkQuality) -> _Legs:
        rows = np.flatnonzero(routes.server[exchanges.meter] >= 0)
        meter = exchanges.meter[rows]
        first = exchanges.leg[rows] == 0
        up = exchanges.direction[rows] == UP
        link = routes.link[meter]
        level = technology._ce_level(routes, quality)[meter]
        data = exchanges.bytes[rows] + technology.packet_overhead_bytes + technology.nas_overhead_bytes
        parts = []
        for own, formats, snr, setup_bytes, setup_messages in (
            (up, technology._uplink, quality.snr_up_db, technology.setup_up_bytes, technology.setup_up_messages),
            (
                ~up,
                technology._downlink,
                quality.snr_down_db,
                technology.setup_down_bytes,
                technology.setup_down_messages,
            ),
        ):
            n_bytes = np.where(own, data, 0) + np.where(first, setup_bytes, 0)
            messages = np.where(first, setup_messages, 0) + own
            parts.append(_blocks(technology, formats, snr[link], n_bytes, messages, level))
        (
            (ok_up, mean_up, var_up, n_up, block_up, air_up),
            (ok_down, mean_down, var_down, n_down, block_down, air_down),
        ) = parts
        return cls(
            rows,
            meter,
            first,
            ok_up * ok_down,
            mean_up + mean_down + technology.core_delay_s,
            var_up + var_down,
            n_up + n_down,
            block_up + block_down,
            air_up,
            air_down,
        )


def _blocks(
    technology: NbIot, formats: phy.Formats, snr: ArrayLike, n_bytes: Array, messages: Array, level: Array
) -> tuple[Array, Array, Array, Array, Array, Array]:
    """One direction of each leg: success, mean and variance of time, transmissions, time of a block, carrier time."""
    row = formats.best(snr)
    per = formats.error_ratio(snr, row, gain_per_doubling_db=technology.repetition_gain_db)
    any_bytes = n_bytes > 0
    n_blocks, air_s = formats.blocks(8 * n_bytes, row, header_bits=8 * technology.block_header_bytes)
    n_blocks = np.where(any_bytes, np.maximum(n_blocks, messages), 0)
    air_s = np.where(any_bytes, air_s, 0.0)
    retries = technology.max_transmissions - 1
    tries = expected_attempts(per, retries)
    period_s = np.asarray(technology.control_period_s)[level]
    once_s = period_s + technology.scheduling_delay_s
    block_s = air_s / np.maximum(n_blocks, 1)
    spread = np.maximum(attempts_second_moment(per, retries) - tries**2, 0.0)
    mean_s = tries * (n_blocks * once_s + air_s)
    variance_s2 = n_blocks * (tries * period_s**2 / 12.0 + spread * (once_s + block_s) ** 2)
    carrier_s = tries * air_s * formats.tone_share[row]
    return hop_success(per, retries) ** n_blocks, mean_s, variance_s2, n_blocks * tries, air_s, carrier_s


def _limit_of(routes: Routes, quality: LinkQuality) -> Array:
    if quality.limit.size == 0:
        return np.zeros(routes.link.size, np.int8)
    return np.asarray(np.where(routes.link >= 0, quality.limit[np.maximum(routes.link, 0)], 0))


def _limits(margin_db: Array, terrain_db: Array, wall_db: Array) -> Array:
    """What would have to go for the link to work: the hill, else the wall, else the budget is short anyway."""
    hill = (terrain_db > 0.0) & (margin_db + terrain_db >= 0.0) & (terrain_db >= wall_db)
    wall = (wall_db > 0.0) & (margin_db + wall_db >= 0.0)
    late_hill = (terrain_db > 0.0) & (margin_db + terrain_db + wall_db >= 0.0)
    return np.select(
        [hill, wall, late_hill], [int(Reason.TERRAIN), int(Reason.BUILDING), int(Reason.TERRAIN)], int(Reason.BUDGET)
    ).astype(np.int8)
