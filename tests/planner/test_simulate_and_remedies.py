from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from amiplan.channels.technology import Medium, Reason
from amiplan.planner.network_quantities import one_remedy_each
from amiplan.planner.packet import sampled_cells
from amiplan.planner.remedies import RemedySettings, first_remedies
from amiplan.planner.resampling import resampled_counts
from hypothesis import given
from hypothesis import strategies as st


def deliveries(reason: list[Reason], margin_db: list[float]) -> Any:
    codes = np.array([reason], np.int8)
    return SimpleNamespace(reason=codes, served=codes == Reason.NONE, margin_db=np.array(margin_db))


def technology(medium: Medium, **fields: Any) -> Any:
    return SimpleNamespace(media=(medium,), **fields)


REASONS = [Reason.NONE, Reason.BUILDING, Reason.BUILDING, Reason.CAPACITY, Reason.BACKHAUL, Reason.ATTENUATION]
MARGINS = [9.0, -8.0, -40.0, 5.0, 5.0, -18.0]


def test_each_unserved_meter_gets_one_remedy() -> None:
    cellular = np.array([True, True, True, True, True, False])
    found = first_remedies(technology(Medium.RADIO), deliveries(REASONS, MARGINS), cellular, RemedySettings())
    assert found.tolist() == [
        ["", "external_antenna", "cellular_module", "further_site", "better_backhaul", "manual_read"]
    ]


def test_a_mesh_puts_a_relay_where_an_antenna_is_not_enough() -> None:
    settings = RemedySettings(external_antenna_gain_db=5.0, relay_gain_db=12.0)
    mesh = technology(Medium.RADIO, neighbour_radius_m=200.0)
    found = first_remedies(mesh, deliveries(REASONS, MARGINS), np.zeros(6, bool), settings)
    assert found[0, 1] == "relay"
    assert found[0, 2] == "manual_read"


def test_the_power_line_gets_a_repeater_and_no_antenna() -> None:
    found = first_remedies(
        technology(Medium.POWERLINE), deliveries(REASONS, MARGINS), np.ones(6, bool), RemedySettings()
    )
    assert found[0, 5] == "repeater"
    assert "external_antenna" not in found
    assert found[0, 2] == "cellular_module"


def test_an_operator_meter_is_not_mended_by_another_sim() -> None:
    found = first_remedies(
        technology(Medium.OPERATOR), deliveries(REASONS, MARGINS), np.ones(6, bool), RemedySettings()
    )
    assert found[0, 2] == "manual_read"


def test_a_meter_is_counted_once_with_its_last_remedy() -> None:
    remedies = np.array([["relay", "", "relay"], ["", "", "manual_read"]], dtype=object)
    assert one_remedy_each(remedies).tolist() == ["relay", "", "manual_read"]


def test_resampled_counts_hold_the_certain_meters() -> None:
    p = np.zeros((10, 2, 3))
    p[:, :, 0] = 1.0
    p[:5, :, 1] = 1.0
    counts = resampled_counts(p, 0.45)
    assert counts.shape[1] == 3
    assert counts.min() >= 1
    assert counts.max() <= 2
    assert 0 < (counts[:, -1] == 2).mean() < 1


@given(st.lists(st.integers(0, 60), min_size=1, max_size=30), st.integers(1, 200))
def test_sampled_cells_are_cells_with_meters_and_fit_where_possible(sizes: list[int], most: int) -> None:
    array = np.array(sizes)
    chosen = sampled_cells(array, array, most)
    assert len(set(chosen)) == len(chosen)
    assert all(array[site] > 0 for site in chosen)
    assert bool(chosen) == bool((array > 0).any())
    if len(chosen) > 1:
        assert array[chosen].sum() <= most


def test_where_one_cell_fits_it_is_not_the_easiest() -> None:
    sizes, hops = np.array([15, 56, 59, 177]), np.array([15, 77, 74, 300])
    assert sampled_cells(sizes, hops, 60) == [1]
    assert sampled_cells(sizes, hops, 20) == [0]
    assert sampled_cells(sizes, hops, 10) == [2]
    assert sampled_cells(sizes, hops, 192) == [0, 3]
