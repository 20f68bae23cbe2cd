"""All technologies of a case, simulated in the pool: sites first, then replications some at a time, then their sums."""

from __future__ import annotations

from pathlib import Path

from ..gis.area import CandidateSites, ServiceArea
from ..planner.pipeline import Carried, Sited, pieces_of, replications_of, settled_of, sited
from ..planner.settings import PlannerSettings
from ..planner.simulate import Share
from .case import Case
from .workers import Workers


def simulated(
    case: Case, area: ServiceArea, candidates: CandidateSites, workers: Workers, kept: Path | None
) -> list[Carried]:
    """One entry a technology, in the order of the case.

    Parameters
    ----------
    kept : folder in which finished sites and replications wait for a run that goes on; None keeps nothing
    """
    below = None if kept is None else kept / "sites"
    sites = workers.map("siting", sited, case.technologies, area, candidates, case.settings, keep=below)
    pieces = pieces_of(sites)
    below = None if kept is None else kept / "replications"
    shares = workers.map("simulating", replications_of, pieces, keep=below)
    mine = [[share for piece, share in zip(pieces, shares, strict=True) if piece.task is one.task] for one in sites]
    done: list[Carried] = workers.step("adding up", _added_up, sites, mine, area, case.settings)
    return done


def _added_up(
    sites: list[Sited], shares: list[list[Share]], area: ServiceArea, settings: PlannerSettings
) -> list[Carried]:
    return [settled_of(one, some, area, settings) for one, some in zip(sites, shares, strict=True)]
