"""Numbers of transformer areas: conservation, known answers by hand, and what the worst of them says."""

from types import SimpleNamespace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from amiplan.channels.draws import Draws
from amiplan.channels.scenario import Scenario
from amiplan.channels.technologies.g3_plc import G3Plc
from amiplan.channels.technologies.lorawan import Lorawan
from amiplan.channels.technology import Exchanges, LinkQuality, Outcome, Reason, Routes
from amiplan.meters.settings import ServiceSettings
from amiplan.planner.area_rows import AREA_COLUMNS, area_kpis, area_rows
from amiplan.planner.areas import AreaTally, meters_behind, tally_of, waveform_of
from amiplan.planner.exchanges import exchanges_of
from amiplan.planner.resampling import resampled_by_group, resampled_counts
from amiplan.planner.service import ServiceLevel
from feeders import feeder
from hypothesis import given
from hypothesis import strategies as st

SERVICES = ("register", "profile")


def area_of(transformer, n_sites, n_listed=0):
    """As much of a service area as the tables read."""
    n = len(transformer)
    meters = gpd.GeoDataFrame({"meter_id": [f"m{row}" for row in range(n)], "transformer": transformer})
    transformers = gpd.GeoDataFrame({"transformer_id": [f"T{row}" for row in range(n_sites)]})
    return SimpleNamespace(meters=meters, transformers=transformers, n_meters=n, n_meters_in=n + n_listed)


def routes_of(parent, n_meters):
    """Routes of meters that hang on these parents; sites begin at ``n_meters``, -1 is no route."""
    parent = np.array(parent)
    hops = np.zeros(n_meters, np.int16)
    server = np.full(n_meters, -1)
    for meter in range(n_meters):
        node = meter
        while 0 <= node < n_meters and parent[node] >= 0:
            node, hops[meter] = parent[node], hops[meter] + 1
        server[meter] = node - n_meters if hops[meter] else -1
    link = np.where(hops > 0, np.arange(n_meters), -1)
    return Routes(server, parent, link, hops, np.arange(n_meters + 1), link, np.zeros(n_meters, np.int8))


def quality_of(mode_up, mode_down):
    n = len(mode_up)
    some, limit, fine = np.zeros(n), np.zeros(n, np.int8), np.ones(n, bool)
    modes = np.array(mode_up, np.int8), np.array(mode_down, np.int8)
    return LinkQuality(some, some, some, some, *modes, some, some, some, limit, fine)


def outcome_of(p_register, p_profile, latency_s):
    p = np.array([p_register, p_profile], float)
    latency = np.where(p > 0, np.array([np.zeros(len(latency_s)), latency_s]), np.inf)
    return Outcome(p, latency, latency, np.ones(p.shape), np.full(p.shape, int(Reason.NONE)))


class Paperwork:
    """A technology of three modes that forwards as told."""

    name, modes = "paper", ("ROBO", "DBPSK-3", "DBPSK")

    def __init__(self, airtime_s):
        self.airtime_s = np.array(airtime_s, float)

    def relay_airtime_s(self, exchanges, routes, paths, quality):
        return self.airtime_s


LEGS = Exchanges(*([np.zeros(0)] * 10), services=SERVICES, window_s=(60.0, 60.0))


@pytest.fixture
def by_hand():
    """Meters 0 to 3 in area T0 (0 direct, 1 behind 0, 2 behind 1, 3 lost), 4 in T1 direct, 5 without a transformer."""
    transformer, n = np.array([0, 0, 0, 0, 1, -1]), 6
    paths = SimpleNamespace(n_meters=n, n_sites=2)
    routes = routes_of([n, 0, 1, -1, n + 1, -1], n)
    tally = AreaTally.of(Paperwork([]), transformer, 2, 2)
    p_arrive = np.zeros((2, 2, n), np.float32)
    for number, last in enumerate((1.0, 0.4)):
        outcome = outcome_of([1, 1, 1, 0, 1, 0], [1, 1, last, 0, 0.8, 0], [10, 20, 90 + number, 0, 30, 0])
        technology = Paperwork([6, 2, 0, 0, 0, 0, 0, 0])
        quality = quality_of([2, 1, 0, -1, 2, -1], [2, 2, 0, -1, 2, -1])
        tally.add(number, technology, LEGS, paths, quality, routes, outcome)
        p_arrive[number] = outcome.p_arrive
    tally.settle(p_arrive, 0.75)
    return area_rows(tally, "paper", "typical", area_of(transformer, 2, n_listed=3))


def test_every_meter_in_stands_in_one_area(by_hand):
    assert list(by_hand["site_id"]) == ["T0", "T1", ""]
    assert list(by_hand["n_meters"]) == [4, 1, 4]
    assert list(by_hand["n_served"]) == [2, 1, 0]
    shares = by_hand[["no_route_ratio", "direct_ratio", "hops_2_ratio", "hops_3_ratio", "hops_4_ratio"]]
    assert shares.sum(axis=1).to_numpy() == pytest.approx(1.0)


def test_an_area_is_what_one_adds_up_by_hand(by_hand):
    row = by_hand.iloc[0]
    assert row["read_ratio"] == pytest.approx((3 + 2.4) / 2 / 4)
    assert row["read_low"] == pytest.approx((0.9 * 2.4 + 0.1 * 3) / 4)
    assert (row["direct_ratio"], row["hops_2_ratio"], row["hops_3_ratio"]) == (0.25, 0.25, 0.25)
    assert row["mode_mix"] == "ROBO 0.333, DBPSK 0.667"
    assert (row["relay_id"], row["relay_airtime_ratio"], row["relay_dependants"]) == ("m0", 0.75, 2.0)
    assert row["read_all_s"] == np.inf
    assert row["all_read_ratio"] == 0
    assert row["read_reached_s"] == pytest.approx((90 + 20) / 2)


def test_an_area_that_is_read_whole_has_a_time(by_hand):
    row = by_hand.iloc[1]
    assert (row["all_read_ratio"], row["read_all_s"], row["read_all_p95_s"]) == (1.0, 30.0, 30.0)
    assert row["relay_id"] == ""
    assert row["n_served_low"] == row["n_served_high"] == 1


def test_listed_meters_and_those_without_a_transformer_are_never_read(by_hand):
    row = by_hand.iloc[2]
    assert (row["read_ratio"], row["no_route_ratio"], row["all_read_ratio"]) == (0.0, 1.0, 0.0)
    assert row["read_all_s"] == np.inf


def test_key_figures_weigh_areas_by_meters(by_hand):
    kpis = area_kpis(by_hand, 9).set_index("kpi")["value"]
    assert kpis["share_of_meters_direct"] == pytest.approx(2 / 9)
    assert kpis["share_of_meters_without_route"] == pytest.approx(5 / 9)
    assert kpis["reads_by_the_deadline_in_the_worst_area"] == pytest.approx(by_hand.iloc[0]["read_ratio"], abs=1e-5)
    assert kpis["areas_read_whole_in_every_replication"] == 1
    assert (kpis["time_to_read_an_area_median"], kpis["time_to_read_an_area_longest"]) == (30.0, 55.0)


def test_no_area_has_no_key_figures():
    assert area_kpis(pd.DataFrame(columns=list(AREA_COLUMNS)), 0).empty


@given(st.integers(1, 30), st.integers(0, 10**6))
def test_meters_behind_are_those_whose_way_leads_through(n, seed):
    rng = np.random.default_rng(seed)
    parent = np.array([rng.integers(0, meter) if meter and rng.random() < 0.8 else n for meter in range(n)])
    routes = routes_of(parent, n)
    expected = np.zeros(n)
    for meter in range(n):
        node = parent[meter]
        while node < n:
            expected[node] += 1
            node = parent[node]
    assert np.array_equal(meters_behind(routes), expected)


def test_groups_of_a_resample_add_up_to_all():
    p = np.random.default_rng(5).random((7, 2, 40)).astype(np.float32)
    group = np.arange(40) % 3
    together = resampled_by_group(p, 0.4, group, 3).sum(axis=1)
    assert np.array_equal(together, resampled_counts(p, 0.4)[:, -1])


def test_waveforms_join_their_sub_bands():
    assert [waveform_of(mode) for mode in ("DBPSK-3", "S-ROBO", "R-DBPSK", "DBPSK_CC")] == [
        "DBPSK",
        "S-ROBO",
        "R-DBPSK",
        "DBPSK_CC",
    ]


def test_two_real_areas_are_collected_like_one_each():
    """The rows of two equal feeders with the same keys of draws are those of the feeders; a quieter line reads more."""
    paths = feeder(10, step_m=60.0, areas=2)
    level = ServiceLevel(services=SERVICES)
    technology = G3Plc()
    exchanges = exchanges_of(paths.n_meters, "pull", level, ServiceSettings())
    transformer = np.repeat([0, 1], 10)
    area = area_of(transformer, 2)
    tally = tally_of(technology, transformer, 2, 3)
    p_arrive = np.zeros((3, 2, 20), np.float32)
    for number in range(3):
        draws = Draws(1, number)
        quality = technology.assess(paths, Scenario(), draws)
        routes = technology.routes(paths, quality, np.ones(2, bool))
        outcome = technology.carry(exchanges, routes, paths, quality, Scenario(), draws)
        tally.add(number, technology, exchanges, paths, quality, routes, outcome)
        p_arrive[number] = outcome.p_arrive
    tally.settle(p_arrive, 0.95)
    rows = area_rows(tally, technology.name, "typical", area)
    assert list(rows["n_meters"]) == [10, 10]
    mean = p_arrive.min(axis=1).reshape(3, 2, 10).mean(axis=(0, 2))
    assert rows["read_ratio"].to_numpy() == pytest.approx(mean, abs=1e-5)
    assert (rows["read_low"] <= rows["read_ratio"]).all()
    assert (rows["read_ratio"] <= rows["read_high"]).all()
    served = (p_arrive.mean(axis=0) >= 0.95).all(axis=0).reshape(2, 10).sum(axis=1)
    assert np.array_equal(rows["n_served"], served)


def test_a_radio_has_no_transformer_areas():
    assert tally_of(Lorawan(), np.zeros(1, int), 1, 1) is None
