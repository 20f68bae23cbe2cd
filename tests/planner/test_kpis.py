"""From sums over replications to key figures: times over all turns, and what moves between replications."""

from types import SimpleNamespace

import numpy as np
import pytest
from amiplan.channels.technology import Reason
from amiplan.planner.kpis import kpi_rows
from amiplan.planner.service import ServiceLevel
from amiplan.planner.tally import Tally

N_METERS, N_LISTED = 4, 1
HOPS = np.array([[1, 1, 2, 0], [1, 2, 3, 0], [1, 1, 5, 1], [1, 2, 2, 0]])


@pytest.fixture(scope="module")
def tally():
    """Four replications of four meters; the last meter has a way in one of them only, and the third is far away."""
    tally = Tally.empty(4, 1, N_METERS)
    tally.hops[:] = HOPS
    tally.p_arrive[:, 0] = np.where(HOPS > 0, [[1.0], [0.98], [1.0], [0.9]], 0.0)
    turn_s = np.array([[10.0, 20, 30, 0], [30, 10, 20, 0], [20, 30, 10, 40], [10, 30, 20, 0]])
    tally.latency_p50_s[:, 0] = np.where(HOPS > 0, turn_s, np.inf)
    tally.latency_p95_s[:] = tally.latency_p50_s
    tally.sent[:, 0] = [10.0, 20.0, 30.0, 40.0]
    tally.attempts[0] = 25.0
    tally.out_of_range[:] = [0.0, 0.1, 0.2, 0.1]
    tally.deficit_by_reason[Reason.NOISE] = (1.0 - tally.p_arrive).sum(axis=0)
    return tally


@pytest.fixture(scope="module")
def deliveries(tally):
    return tally.deliveries(ServiceLevel(), ("register",))


@pytest.fixture(scope="module")
def kpis(deliveries):
    area = SimpleNamespace(n_meters_in=N_METERS + N_LISTED)
    links = SimpleNamespace(sites=range(2))
    rows = kpi_rows(SimpleNamespace(name="g3_plc"), "typical", area, links, np.array([True, False]), deliveries)
    assert (rows["n"] == 5).all()
    assert (rows["low"] <= rows["value"]).all()
    assert (rows["value"] <= rows["high"]).all()
    return rows.set_index("kpi")


def test_a_time_is_that_of_all_turns_a_meter_has(deliveries):
    assert deliveries.latency_p95_s[0] == pytest.approx([30.0, 30.0, 30.0, 40.0], abs=1e-3)
    assert deliveries.latency_p50_s[0, 3] == 40.0


def test_the_mean_of_reads_has_the_interval_of_its_replications(kpis, tally):
    of_each = tally.p_arrive.sum(axis=(1, 2)) / 5
    row = kpis.loc["p_read_deadline_mean"]
    assert row["value"] == pytest.approx(of_each.mean())
    assert (row["low"], row["high"]) == pytest.approx(tuple(np.percentile(of_each, [10, 90])))
    assert row["low"] < row["value"] < row["high"]


def test_frames_and_links_outside_their_range_have_one_too(kpis):
    sent, outside = kpis.loc["expected_transmissions"], kpis.loc["links_outside_fitted_range_ratio"]
    assert (sent["value"], sent["low"], sent["high"]) == pytest.approx((5.0, 2.6, 7.4))
    assert (outside["value"], outside["low"], outside["high"]) == pytest.approx((0.1, 0.03, 0.17))


def test_hops_are_those_of_all_meters_in_all_replications(kpis, deliveries):
    """As the table of areas counts them: five hops in one replication of four are five, not three as rounded means."""
    assert deliveries.hops.max() == 3
    most, mean = kpis.loc["hops_max"], kpis.loc["hops_mean"]
    assert (most["value"], most["high"]) == (5.0, 5.0)
    assert most["low"] == pytest.approx(2.0)
    assert mean["value"] == pytest.approx(HOPS.sum() / (HOPS > 0).sum())
    assert mean["low"] < mean["value"] < mean["high"]


def test_nobody_with_a_way_has_no_hops():
    empty = Tally.empty(2, 1, 3)
    empty.latency_p50_s[:] = empty.latency_p95_s[:] = np.inf
    deliveries = empty.deliveries(ServiceLevel(), ("register",))
    assert np.isinf(deliveries.latency_p95_s).all()
    area, links = SimpleNamespace(n_meters_in=3), SimpleNamespace(sites=[])
    rows = kpi_rows(SimpleNamespace(name="g3_plc"), "typical", area, links, np.zeros(0, bool), deliveries)
    rows = rows.set_index("kpi")
    assert (rows.loc[["hops_mean", "hops_max"], ["value", "low", "high"]] == 0.0).to_numpy().all()
    assert "latency_p95" not in rows.index
