"""The whole study: the table of contents of the product."""

from __future__ import annotations

from pathlib import Path

from ..planner.packet import tier_rows
from ..planner.pipeline import carried, cellular_serves, result_of
from .assemble import area_of, catalogue_of, study_of, work_of
from .case import Case
from .study import Study
from .workers import Workers


def run(case: Case, workers: Workers, work_folder: Path | None = None) -> Study:
    """One case in, one study out; equal for any number of workers.

    Parameters
    ----------
    work_folder
        Where finished technologies are kept so that an interrupted run can resume; None keeps nothing.

    Raises UserError where the inputs are at fault.
    """
    area, candidates = workers.step("reading the map", area_of, case)
    catalogue, kept = catalogue_of(case), work_of(work_folder, case, area)
    technologies = workers.map("planning", carried, case.technologies, area, candidates, case.settings, keep=kept)
    packets = workers.map("carrying bytes", tier_rows, technologies, area, case.settings, keep=None)
    cellular = cellular_serves(technologies, area.n_meters)
    results = [result_of(one, cellular, area, case.settings, catalogue) for one in technologies]
    return study_of(case, area, candidates, results, packets)
