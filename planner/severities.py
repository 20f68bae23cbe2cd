"""The same networks in each severity, on the same links and draws: how far an answer hangs on how harsh the line is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from ..channels.scenario import Scenario
from ..gis.area import ServiceArea
from .area_rows import area_rows
from .pipeline import Carried
from .settings import PlannerSettings
from .simulate import simulate

SEVERITY_COLUMNS = (
    "technology", "severity", "site_id", "n_meters", "read_ratio", "read_low", "read_high", "n_served",
    "no_route_ratio", "all_read_ratio", "read_reached_s", "replications",
)  # fmt: skip
"""Columns of ``severities.csv``: `area_rows.area_rows` for each severity."""


@dataclass(frozen=True)
class SeverityPiece:
    """One technology in one severity."""

    one: Carried
    severity: str


def severity_pieces(carried: Sequence[Carried], settings: PlannerSettings) -> list[SeverityPiece]:
    """What is to be computed: nothing where it is not asked for."""
    if not settings.severities.compare:
        return []
    names = settings.severities.names
    wired = [one for one in carried if one.areas is not None]
    return [SeverityPiece(one, name) for one in wired for name in names]


def in_severity(scenario: Scenario, severity: str) -> Scenario:
    """The scenario with another severity of the power line and nothing else changed."""
    return replace(scenario, powerline=replace(scenario.powerline, severity=severity))


def severity_rows(piece: SeverityPiece, area: ServiceArea, settings: PlannerSettings) -> pd.DataFrame:
    """Rows of all transformer areas of one technology in one severity, ``SEVERITY_COLUMNS``.

    What the study itself has computed, `Carried.first_areas`, is not computed again.
    """
    one, asked = piece.one, settings.severities
    scenario = in_severity(settings.scenario, piece.severity)
    if one.first_areas is not None and scenario == settings.scenario:
        return _of_severity(one.first_areas, piece.severity, asked.replications)
    simulation = replace(settings.simulation, replications=asked.replications)
    tally = simulate(replace(one.task, scenario=scenario, settings=simulation, n_apart=0)).areas
    assert tally is not None
    return _of_severity(area_rows(tally, one.technology.name, scenario.name, area), piece.severity, asked.replications)


def _of_severity(rows: pd.DataFrame, severity: str, replications: int) -> pd.DataFrame:
    return rows.assign(severity=severity, replications=replications)[list(SEVERITY_COLUMNS)]
