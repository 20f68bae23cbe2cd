from __future__ import annotations

import amiplan.planner.links as links
import numpy as np
import pytest
from amiplan.planner.links import bounded_radius_m
from scipy.spatial import cKDTree


@pytest.mark.parametrize("spacing_m", [0.0, 1.0, 30.0])
def test_dense_towns_shrink_the_radius_until_the_pairs_fit(monkeypatch: pytest.MonkeyPatch, spacing_m: float) -> None:
    monkeypatch.setattr(links, "MAX_NEIGHBOUR_PAIRS", 500)
    x, y = np.meshgrid(np.arange(20) * spacing_m, np.arange(20) * spacing_m)
    places = np.column_stack([x.ravel(), y.ravel()])
    radius_m = bounded_radius_m(places, 200.0)
    assert radius_m < 200.0
    if spacing_m:
        assert len(cKDTree(places).query_pairs(radius_m)) <= 500
    assert bounded_radius_m(places[::-1], 200.0) == radius_m


def test_open_country_keeps_its_radius() -> None:
    places = np.random.default_rng(1).uniform(0, 1e4, (500, 2))
    assert bounded_radius_m(places, 1250.0) == 1250.0
    assert bounded_radius_m(places[:1], 1250.0) == 1250.0
