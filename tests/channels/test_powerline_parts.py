"""Pairs of the power line: who may talk to whom."""

import numpy as np
import pytest
from amiplan.channels.powerline.pairs import area_pairs


def line_of_houses():
    """Two areas: a string of three nodes behind bus 0, one edge behind bus 4; node 6 is dead."""
    return {
        "edge_from": np.array([0, 1, 2, 4]),
        "edge_to": np.array([1, 2, 3, 5]),
        "edge_length_m": np.array([10.0, 20.0, 30.0, 5.0]),
        "feeder_area": np.array([0, 0, 0, 0, 1, 1, -1]),
        "meter_feeder_node": np.array([1, 3, 3, 5, 6, -1]),
        "site_feeder_node": np.array([0, 4]),
    }


def test_pairs_lie_within_one_area_and_measure_along_the_cable():
    start, end, metres = area_pairs(**line_of_houses(), max_distance_m=1000.0)
    got = {(int(a), int(b)): float(d) for a, b, d in zip(start, end, metres, strict=True)}
    assert got == {(0, 1): 50, (0, 2): 50, (0, 6): 10, (1, 2): 0, (1, 6): 60, (2, 6): 60, (3, 7): 5}
    assert np.all(start < end)
    near = area_pairs(**line_of_houses(), max_distance_m=12.0)
    assert {tuple(map(int, x)) for x in zip(near[0], near[1], strict=True)} == {(0, 6), (1, 2), (3, 7)}
    with pytest.raises(ValueError, match="positive"):
        area_pairs(**line_of_houses(), max_distance_m=0.0)
