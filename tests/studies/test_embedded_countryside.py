"""The embedded countryside, north of Bayreuth: a dozen key figures, kept small enough to review.

`pytest tests/studies -k embedded --update-golden` rewrites those of fifteen replications, with `-m verification` those
of the whole case; the changelog says how far they moved.
"""

from __future__ import annotations

import made_embedded as embedded
import pytest
from amiplan.studies.case import embedded_cases, read_case
from amiplan.studies.run import run
from amiplan.studies.study import Study
from amiplan.studies.workers import Workers

AREA = "north_bayreuth"


@pytest.fixture(scope="module")
def study() -> Study:
    return run(embedded.quick(AREA, replications=embedded.FEWER), Workers())


@pytest.mark.slow
def test_key_figures_have_not_moved(study: Study, update_golden: bool) -> None:
    embedded.check_key_figures(study, f"{AREA}_{embedded.FEWER}_replications", update_golden)


@pytest.mark.slow
def test_meters_are_conserved(study: Study) -> None:
    embedded.check_conservation(study)


@pytest.mark.slow
def test_the_mesh_is_cheapest_and_pays_rent_for_roofs(study: Study) -> None:
    assert embedded.cheapest(study) == "wisun_fan"
    assert embedded.roof_rent(study, "wisun_fan") > 0


@pytest.mark.verification
def test_key_figures_of_the_whole_case_have_not_moved(update_golden: bool) -> None:
    with Workers(2) as workers:
        whole = run(read_case(embedded_cases()[AREA]), workers)
    embedded.check_key_figures(whole, AREA, update_golden)
    embedded.check_conservation(whole)
