"""One study as it is told: everything the report, the maps and the exports read, and nothing they compute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import geopandas as gpd
import pandas as pd

from ..gis.area import CandidateSites, ServiceArea
from ..planner.faults import FAULT_COLUMNS
from ..planner.luck import Luck
from ..planner.severities import SEVERITY_COLUMNS
from ..planner.tables import StudyResult
from .sessions import Traffic

METER_COLUMNS = (
    "scenario",
    "technology",
    "service",
    "meter_id",
    "server_id",
    "n_servers",
    "hops",
    "margin_db",
    "p_link",
    "p_read_deadline",
    "served",
    "latency_p50_s",
    "latency_p95_s",
    "reason",
    "remedy",
    "data_flag",
    "geometry",
)
KPI_COLUMNS = ("scenario", "technology", "service", "kpi", "value", "low", "high", "unit", "n")


@dataclass(frozen=True)
class Study:
    """One case, run.

    title, case_name, case_digest, version, seed
        Provenance.
    service_text : one sentence that states the service level, printed above every KPI.
    area, candidates : the map, in one metric CRS.
    results : one per technology, in the order of the case file.
    meters : GeoDataFrame ``METER_COLUMNS``, all technologies and services; every meter in stands once for each,
        including meters listed by the audit (reason ``data_missing``, possibly without geometry).
    kpis : DataFrame ``KPI_COLUMNS``.
    cost : DataFrame ``scenario, technology, year, category, category_label, item_id, kind, quantity, unit,
        unit_price, amount, present_value, currency`` - one row a cash flow; kind is capex, opex, renewal or residual.
    tco : DataFrame ``scenario, technology, capex, opex_present_value, renewals_present_value,
        residual_present_value, tco, eac_per_meter, n_meters, n_served, served_ratio, currency, evidence_a,
        evidence_b, evidence_c, evidence_user`` - one row a technology; evidence as shares 0 to 1 of the TCO.
    assumptions : DataFrame ``group, name, value, unit, meaning, source, confidence, origin``; origin is default,
        user or inferred.
    sessions : DataFrame ``service, policy, leg, direction, bytes`` and totals: what each exchange says on the wire.
    tiers : DataFrame ``technology, cell, reads, n_exchanges, read_fast, read_packet, difference, half_width,
        latency_fast_s, latency_packet_s, frames_sent, frames_lost, retries, refused`` - the packet tier against the
        fast tier on the same draws.
    warnings, limits : sentences for the reader; warnings are about this case, limits about the models.
    technology_labels : name to the label printed, such as ``{"g3_plc": "G3-PLC (CENELEC A)"}``; a missing one
        prints the name.
    read_probability : probability by the deadline from which a meter counts as served, 0 to 1.
    session : how meters are read, name to value of every field of ``meters.settings.ServiceSettings``.
    traffic : bytes per service, encoding and medium, and how templates and meters agree; None where not computed.
    severities : DataFrame ``planner.severities.SEVERITY_COLUMNS``; no rows where none were compared.
    faults : DataFrame ``planner.faults.FAULT_COLUMNS``; no rows where none were gone through.
    line_text : severity and time of the power line in words; empty where no technology runs on it.
    luck : technology to the part that luck has in its count of served meters; a missing one is not told.
    simulated_until : end of the last simulated day, ISO 8601 in UTC.
    """

    title: str
    case_name: str
    case_digest: str
    version: str
    seed: int
    service_text: str
    area: ServiceArea
    candidates: CandidateSites
    results: tuple[StudyResult, ...]
    meters: gpd.GeoDataFrame
    kpis: pd.DataFrame
    cost: pd.DataFrame
    tco: pd.DataFrame
    assumptions: pd.DataFrame
    sessions: pd.DataFrame
    tiers: pd.DataFrame
    warnings: tuple[str, ...]
    limits: tuple[str, ...]
    technology_labels: Mapping[str, str] = field(default_factory=dict)
    read_probability: float = 0.95
    session: Mapping[str, object] = field(default_factory=dict)
    simulated_until: str = "2026-01-02T00:00:00+00:00"
    traffic: Traffic | None = None
    severities: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(SEVERITY_COLUMNS)))
    faults: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(FAULT_COLUMNS)))
    line_text: str = ""
    luck: Mapping[str, Luck] = field(default_factory=dict)

    def label(self, technology: str) -> str:
        """The technology's name as people write it."""
        return self.technology_labels.get(technology, technology)
