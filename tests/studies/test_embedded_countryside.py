"""The embedded countryside, north of Bayreuth, whole: a dozen key figures, kept small enough to review.

`pytest tests/studies -k embedded --update-golden` rewrites them; the changelog says how far they moved.
"""

from __future__ import annotations

import made_embedded as embedded
import pytest

pytestmark = pytest.mark.slow
AREA = "north_bayreuth"


def test_key_figures_have_not_moved(update_golden: bool) -> None:
    embedded.check_key_figures(AREA, update_golden)


def test_meters_are_conserved() -> None:
    embedded.check_conservation(AREA)


def test_the_mesh_is_cheapest_and_pays_rent_for_roofs() -> None:
    study = embedded.study_of(AREA)
    assert embedded.cheapest(study) == "wisun_fan"
    assert embedded.roof_rent(study, "wisun_fan") > 0
