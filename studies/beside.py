"""What is computed beside the plans themselves, piece by piece in the pool: bytes, what-ifs and cures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from ..gis.area import ServiceArea
from ..planner.fault_pieces import fault_pieces
from ..planner.faults import FAULT_COLUMNS, fault_rows
from ..planner.packet import cell_rows, cells_of
from ..planner.pipeline import Carried
from ..planner.results import Cures, cellular_serves, cures_of, mended
from ..planner.settings import PlannerSettings
from ..planner.severities import SEVERITY_COLUMNS, severity_pieces, severity_rows
from .workers import Workers


@dataclass(frozen=True)
class WhatIf:
    """Tables beside the study itself: severities side by side, and faults."""

    severities: pd.DataFrame
    faults: pd.DataFrame

    @classmethod
    def of(cls, severities: list[pd.DataFrame], faults: list[pd.DataFrame]) -> WhatIf:
        """All pieces together, in their order; without pieces the tables have no rows."""
        return cls(_together(severities, SEVERITY_COLUMNS), _together(faults, FAULT_COLUMNS))


def _together(pieces: list[pd.DataFrame], columns: tuple[str, ...]) -> pd.DataFrame:
    return pd.concat(pieces, ignore_index=True) if pieces else pd.DataFrame(columns=list(columns))


def bytes_carried(
    technologies: list[Carried], area: ServiceArea, settings: PlannerSettings, workers: Workers
) -> list[list[dict[str, Any]]]:
    """The packet tier against the fast tier: rows of each cell."""
    return workers.map("carrying bytes", cell_rows, cells_of(technologies, area, settings), keep=None)


def what_if(technologies: list[Carried], area: ServiceArea, settings: PlannerSettings, workers: Workers) -> WhatIf:
    """Severities side by side, and faults, where the case asks for them."""
    harsher = severity_pieces(technologies, settings)
    severities = workers.map("comparing severities", severity_rows, harsher, area, settings, keep=None)
    broken = fault_pieces(technologies, area, settings)
    return WhatIf.of(severities, workers.map("going through faults", fault_rows, broken, keep=None))


def cured(
    technologies: list[Carried], area: ServiceArea, settings: PlannerSettings, workers: Workers
) -> list[Cures | None]:
    """What would mend the meters that power lines do not read, one entry a technology."""
    cellular = cellular_serves(technologies, area.n_meters)
    patches = [patch for one in technologies for patch in one.patches]
    found = workers.map("trying cures", mended, patches, settings.economics, cellular, keep=None)
    return [cures_of(one, technologies, found, cellular, settings) for one in technologies]
