"""The whole study: the table of contents of the product."""

from __future__ import annotations

from pathlib import Path

from ..planner.results import cellular_serves, result_of
from .assemble import area_of, catalogue_of, study_of, work_of
from .beside import bytes_carried, cured, what_if
from .case import Case
from .study import Study
from .technologies import simulated
from .workers import Workers


def run(case: Case, workers: Workers, work_folder: Path | None = None) -> Study:
    """One case in, one study out; equal for any number of workers.

    Parameters
    ----------
    work_folder
        Where finished work is kept so that an interrupted run can resume; None keeps nothing.

    Raises UserError where the inputs are at fault.
    """
    area, candidates = workers.step("reading the map", area_of, case)
    catalogue, kept = catalogue_of(case), work_of(work_folder, case, area)
    technologies = simulated(case, area, candidates, workers, kept)
    packets = bytes_carried(technologies, area, case.settings, workers)
    beside = what_if(technologies, area, case.settings, workers)
    cures = cured(technologies, area, case.settings, workers)
    cellular = cellular_serves(technologies, area.n_meters)
    pairs = zip(technologies, cures, strict=True)
    results = [result_of(one, cellular, cure, area, case.settings, catalogue) for one, cure in pairs]
    return study_of(case, area, candidates, results, packets, beside)
