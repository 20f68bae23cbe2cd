"""Between the case file and the rooms below: reading the map, the catalogue, and putting a study together."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd

from .. import __version__
from ..channels.powerline.cables import cable_named
from ..channels.powerline.line_parameters import LineParameters
from ..channels.technology import Medium, Siting
from ..gis.area import CandidateSites, ServiceArea
from ..gis.assemble import build_area
from ..meters.clock import day_start_s
from ..planner.catalogue import Catalogue, default_catalogue
from ..planner.exchanges import PROFILE_DAY
from ..planner.fault_pieces import hit_area
from ..planner.luck import Luck, luck_of
from ..planner.packet import tier_table
from ..planner.service import least_replications
from ..planner.tables import StudyResult
from .beside import WhatIf
from .case import Case
from .line_words import line_notes, line_text
from .sessions import session_rows, traffic_of
from .settings import UserError
from .study import Study

LIMITS = (
    "Power line: appliances, emitters and severities are estimates and were compared with no measured network; within "
    "a replication loads do not switch, and the transformer does not couple the phases.",
    "Radio: terrain is a correction to empirical models; single buildings between antennas are not traced.",
    "LoRaWAN and NB-IoT: other users of the band and of the operator's cells enter only as a noise offset.",
    "Unit prices of the catalogue marked C are judgement; replace them by quotes before a decision.",
    "Positions of meters inside buildings are drawn from a stated mix, not surveyed.",
)


def area_of(case: Case) -> tuple[ServiceArea, CandidateSites]:
    """The map of a case; every fault of the inputs becomes a UserError that names the case file.

    Cable types must be known where a power line is planned, and transformers that the case names must be on the map.
    """
    plans_power_line = any(Medium.POWERLINE in one.media for one in case.technologies)
    known_cable = partial(cable_named, extra=case.settings.cables)
    try:
        area, candidates = build_area(case.area, case.folder, known_cable if plans_power_line else None)
    except (ValueError, OSError) as error:
        raise UserError(f"{case.path} [area]: {error}") from None
    if case.settings.faults.area or case.settings.faults.neighbour:
        try:
            hit_area(area, case.settings.faults)
        except ValueError as error:
            raise UserError(f"{case.path}: {error}") from None
    return area, candidates


def work_of(folder: Path | None, case: Case, area: ServiceArea) -> Path | None:
    """Where finished work of exactly this version, case and these inputs is kept; None keeps nothing."""
    if folder is None:
        return None
    told = "/".join([__version__, case.digest, *(one.digest for one in area.sources)])
    return folder / hashlib.blake2b(told.encode(), digest_size=16).hexdigest()


def catalogue_of(case: Case) -> Catalogue:
    """The cost catalogue; raises UserError where an override of the case does not fit it."""
    catalogue = default_catalogue()
    try:
        case.settings.economics.effective(catalogue)
    except ValueError as error:
        raise UserError(f"{case.path} [economics]: {error}") from None
    return catalogue


def study_of(
    case: Case,
    area: ServiceArea,
    candidates: CandidateSites,
    results: list[tuple[StudyResult, dict[str, Any]]],
    packets: list[list[dict[str, Any]]],
    beside: WhatIf,
) -> Study:
    """The study of all technologies, in the order of the case file."""
    tables = [result for result, _ in results]
    meters = pd.concat([one.meters for one in tables], ignore_index=True)
    summaries = pd.DataFrame([_tco_row(result, money) for result, money in results])
    return Study(
        title=case.title,
        case_name=case.name,
        case_digest=case.digest,
        version=__version__,
        seed=case.settings.simulation.seed,
        service_text=case.settings.service.text,
        area=area,
        candidates=candidates,
        results=tuple(tables),
        meters=gpd.GeoDataFrame(meters, geometry="geometry", crs=area.crs),
        kpis=pd.concat([one.kpis for one in tables], ignore_index=True),
        cost=pd.concat([one.cost for one in tables], ignore_index=True),
        tco=summaries,
        assumptions=pd.DataFrame(case.assumptions()),
        sessions=session_rows(case),
        traffic=traffic_of(case, area),
        tiers=tier_table(packets),
        warnings=_warnings(case, area, candidates, tables),
        limits=LIMITS,
        technology_labels={one.name: one.label for one in case.technologies},
        read_probability=case.settings.service.read_probability,
        session=asdict(case.settings.session),
        simulated_until=datetime.fromtimestamp(day_start_s(PROFILE_DAY + 1), UTC).isoformat(),
        severities=beside.severities,
        faults=beside.faults,
        line_text=line_text(case),
        luck=_luck(case, tables),
    )


def replication_notes(case: Case) -> list[str]:
    """A sentence where the replications are so few that a single one that fails leaves a meter unserved."""
    asked, n = case.settings.service.read_probability, case.settings.simulation.replications
    ways = [case.settings.backhaul.of(one.siting is Siting.OPERATOR_CELL).availability for one in case.technologies]
    least = max((least_replications(asked, way) for way in ways), default=1)
    if n >= least:
        return []
    return [
        f"simulation.replications = {n}: so few that a single one that fails leaves a meter unserved (asked for is a "
        f"probability of {asked:g}, backhaul included); write {least} or more."
    ]


def _luck(case: Case, results: list[StudyResult]) -> dict[str, Luck]:
    """The part that luck has in the count of served meters, by technology; in its worst service."""
    level, n = case.settings.service.read_probability, case.settings.simulation.replications
    found = {}
    for technology, result in zip(case.technologies, results, strict=True):
        fate = result.deliveries
        way = case.settings.backhaul.of(technology.siting is Siting.OPERATOR_CELL).availability
        p_read, p_high = fate.p_read_deadline.min(axis=0), fate.p_read_high.min(axis=0)
        found[result.technology] = luck_of(p_read, p_high, level, n, way)
    return found


def _tco_row(result: StudyResult, money: dict[str, Any]) -> dict[str, Any]:
    return {"scenario": result.scenario, "technology": result.technology, **money}


def _warnings(case: Case, area: ServiceArea, candidates: CandidateSites, results: list[StudyResult]) -> tuple[str, ...]:
    lines = [*area.notes, *candidates.notes, *replication_notes(case), *line_notes(case)]
    wired = [one for one in case.technologies if isinstance(one, LineParameters)]
    lines += [f"{one.label}: {note}" for one in wired for note in one.band_notes]
    label = {one.name: one.label for one in case.technologies}
    lines += [f"{label[one.technology]}: {one.plan.note}" for one in results]
    lines += [f"{label[one.technology]}: {one.links.note}" for one in results if one.links.note]
    lines += [
        f"{label[one.technology]}: {one.deliveries.out_of_range_ratio:.1%} of the links in use lie outside the range "
        "that their model was fitted for"
        for one in results
        if one.deliveries.out_of_range_ratio > 0
    ]
    return tuple(lines)
