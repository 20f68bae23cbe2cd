"""NB-IoT as a technology: directions of every answer, levels, reasons, capacity, guards."""

from dataclasses import replace

import numpy as np
import pytest
from amiplan.channels.draws import Draws
from amiplan.channels.paths import Clutter, Enclosure, RadioPaths
from amiplan.channels.scenario import Scenario
from amiplan.channels.technologies.nb_iot import NbIot
from amiplan.channels.technology import DOWN, UP, Exchanges, Reason, Technology

DRAWS, TYPICAL = Draws(7), Scenario()
STILL = NbIot(shadowing_sigma_db=0.0)
STUDY = NbIot(shadowing_sigma_db=0.0, pathloss_model="tr45820", building_model="tr45820")
"""Path loss and buildings of TR 45.820, whose printed numbers are checked."""


def star(distances, *, enclosure=Enclosure.NONE, hill_m=0.0, n_sites=1, keys=None):
    """Every meter to every cell at its distance; cell k is k * 100 m farther."""
    n = len(distances)
    meter, site = np.repeat(np.arange(n), n_sites), np.tile(np.arange(n_sites), n)
    terrain = np.zeros((meter.size, 17 if hill_m else 2), np.float32)
    if hill_m:
        terrain[:, 8] = hill_m
    return RadioPaths(
        meter.astype(np.int32),
        (n + site).astype(np.int32),
        np.asarray(distances, float)[meter] + 100.0 * site,
        terrain,
        np.r_[np.full(n, 1.5), np.full(n_sites, 25.0)],
        np.full(n + n_sites, Clutter.SUBURBAN, np.int8),
        np.r_[np.full(n, enclosure), np.zeros(n_sites)].astype(np.int8),
        np.arange(50, 50 + n + n_sites, dtype=np.uint64) if keys is None else keys,
        n,
        n_sites,
    )


def pushes(n_meters, *, n_bytes=500, window_s=3600.0, tries=3, start_s=0.0):
    meter = np.repeat(np.arange(n_meters), 2).astype(np.int32)
    leg = np.tile([0, 1], n_meters).astype(np.int16)
    return Exchanges(
        meter.astype(np.int64),
        leg,
        meter,
        np.zeros(meter.size, np.int16),
        np.where(leg == 0, UP, DOWN).astype(np.int8),
        np.where(leg == 0, n_bytes, 20).astype(np.int32),
        (leg - 1).astype(np.int16),
        np.full(meter.size, start_s),
        np.full(meter.size, 30.0),
        np.full(meter.size, tries, np.int8),
        ("daily",),
        (window_s,),
    )


def carried(technology, paths, exchanges, scenario=TYPICAL):
    quality = technology.assess(paths, scenario, DRAWS)
    routes = technology.routes(paths, quality, np.ones(paths.n_sites, bool))
    return technology.carry(exchanges, routes, paths, quality, scenario, DRAWS)


def margin(technology, paths, scenario=TYPICAL):
    return technology.assess(paths, scenario, DRAWS).margin_up_db


def test_it_is_a_technology():
    assert isinstance(NbIot(), Technology)
    assert len(NbIot().tables()) == 4


def test_budget_at_one_kilometre():
    """120.9 dB of loss less 15 dBi and plus 4 dB of antennas is a coupling loss of 109.9 dB."""
    quality = STUDY.assess(star([1000.0]), TYPICAL, DRAWS)
    assert quality.loss_db[0] == pytest.approx(120.9)
    assert quality.margin_up_db[0] == pytest.approx(158.0 - 109.9)
    assert quality.snr_up_db[0] == pytest.approx(8.2 + 144.0 - 109.9, abs=0.05)
    assert quality.snr_down_db[0] == pytest.approx(7.4 + 144.0 - 109.9, abs=0.05)


def test_coverage_levels_follow_the_coupling_loss():
    coupling = np.array([140.0, 143.9, 144.1, 153.9, 154.1, 157.9, 158.1])
    distance = 10.0 ** ((coupling + 11.0 - 120.9) / 37.6) * 1e3
    quality = STUDY.assess(star(distance), TYPICAL, DRAWS)
    assert quality.mode_up.tolist() == [2, 2, 1, 1, 0, 0, -1]
    assert quality.mode_down.tolist() == [2, 2, 1, 1, 0, 0, -1]
    assert (np.diff(quality.rate_up_bps) <= 0).all()
    assert quality.rate_up_bps[-1] == 0.0


def test_each_input_moves_the_margin_the_right_way():
    base, paths = NbIot(), star([800.0])
    m0 = margin(base, paths)
    assert (margin(base, star([1600.0])) < m0).all()
    assert (margin(base, star([800.0], hill_m=80.0)) < m0).all()
    np.testing.assert_allclose(margin(replace(base, meter_power_dbm=20.0), paths), m0 - 3.0)
    np.testing.assert_allclose(margin(base, paths, Scenario(noise_offset_db=4.0)), m0 - 4.0)
    down = base.assess(paths, TYPICAL, DRAWS).margin_down_db
    weak = replace(base, cell_power_dbm=32.0).assess(paths, TYPICAL, DRAWS).margin_down_db
    np.testing.assert_allclose(weak, down - 3.0)
    places = (Enclosure.NONE, Enclosure.INDOOR, Enclosure.BASEMENT)
    losses = [margin(base, star([800.0], enclosure=place))[0] for place in places]
    assert losses == sorted(losses, reverse=True)
    assert 10.0 <= losses[1] - losses[2] <= 15.0
    indoor = star([800.0], enclosure=Enclosure.INDOOR)
    np.testing.assert_allclose(margin(base, indoor, Scenario(enclosure_offset_db=5.0)), margin(base, indoor) - 5.0)
    assert (margin(base, paths, Scenario(enclosure_offset_db=5.0)) == m0).all()


def test_indoor_loss_has_the_published_mean_and_spread():
    n = 20_000
    paths = star(np.full(n, 1000.0), enclosure=Enclosure.INDOOR, keys=np.arange(n + 1, dtype=np.uint64))
    wall = STUDY.assess(paths, TYPICAL, DRAWS).loss_db - 120.9
    assert wall.mean() == pytest.approx(24.2, abs=0.2)
    assert wall.std() == pytest.approx(8.0, abs=0.15)


def test_open_country_and_higher_cells_reach_further_than_the_urban_study_says():
    """Hata in open land at 32 m and 5 km: 122.0 dB; TR 45.820 says 147.2 dB whatever stands there."""
    paths = star([5000.0])

    def loss(technology, clutter, height_m):
        heights = np.r_[1.5, height_m]
        moved = replace(paths, node_clutter=np.full(2, clutter, np.int8), node_height_m=heights)
        return float(technology.assess(moved, TYPICAL, DRAWS).loss_db[0])

    assert loss(STILL, Clutter.OPEN, 32.0) == pytest.approx(122.0, abs=0.05)
    assert loss(STILL, Clutter.OPEN, 32.0) < loss(STILL, Clutter.SUBURBAN, 32.0) < loss(STILL, Clutter.URBAN, 32.0)
    assert loss(STILL, Clutter.SUBURBAN, 45.0) < loss(STILL, Clutter.SUBURBAN, 32.0)
    fixed = {loss(STUDY, clutter, height) for clutter in (Clutter.OPEN, Clutter.URBAN) for height in (20.0, 45.0)}
    assert len(fixed) == 1
    assert fixed.pop() == pytest.approx(147.2, abs=0.05)


@pytest.mark.parametrize("model", ["p2109", "tr45820"])
def test_every_place_of_the_meter_costs_something(model):
    technology = replace(STILL, building_model=model)
    places = (Enclosure.NONE, Enclosure.FACADE_BOX, Enclosure.INDOOR, Enclosure.BASEMENT)
    n = 3000
    keys = np.arange(n + 1, dtype=np.uint64)
    none, box, indoor, basement = (
        technology.assess(star(np.full(n, 900.0), enclosure=place, keys=keys), TYPICAL, DRAWS).loss_db
        for place in places
    )
    assert ((box - none > 3.0 - 1e-6) & (box - none < 6.0 + 1e-6)).all()
    assert ((basement - indoor > 7.0) & (basement - indoor < 15.0 + 1e-6)).all()  # P.2109 may gain 3 dB, a wall not
    expected = 14.1 if model == "p2109" else 23.1
    assert np.median(indoor - none) == pytest.approx(expected, abs=0.5)


def test_shadowing_is_half_shared_between_cells():
    n = 20_000
    paths = star(np.full(n, 1000.0), n_sites=2, keys=np.arange(n + 2, dtype=np.uint64))
    loss = NbIot().assess(paths, TYPICAL, DRAWS).loss_db.reshape(n, 2)
    assert loss.std(axis=0) == pytest.approx([8.0, 8.0], rel=0.03)
    assert np.corrcoef(loss.T)[0, 1] == pytest.approx(0.5, abs=0.03)


def test_turned_links_are_the_same_links():
    paths = star([900.0, 400.0], enclosure=Enclosure.INDOOR)
    there, back = (
        NbIot().assess(p, TYPICAL, DRAWS)
        for p in (paths, replace(paths, from_node=paths.to_node, to_node=paths.from_node))
    )
    np.testing.assert_allclose(there.loss_db, back.loss_db)


def test_the_best_built_cell_serves():
    paths = star([500.0, 700.0], n_sites=3)
    quality = STILL.assess(paths, TYPICAL, DRAWS)
    assert STILL.routes(paths, quality, np.array([True, True, True])).server.tolist() == [0, 0]
    routes = STILL.routes(paths, quality, np.array([False, True, True]))
    assert routes.server.tolist() == [1, 1]
    assert routes.link.tolist() == [1, 4]
    assert routes.hops.tolist() == [1, 1]


def test_reasons_of_meters_without_a_cell():
    paths = star([500.0])
    nothing = NbIot().routes(paths, NbIot().assess(paths, TYPICAL, DRAWS), np.array([False]))
    assert nothing.reason.tolist() == [Reason.NO_CELL]
    cases = (
        (star([30_000.0]), TYPICAL, Reason.BUDGET),
        (star([1500.0], hill_m=2000.0), TYPICAL, Reason.TERRAIN),
        (star([1500.0], enclosure=Enclosure.INDOOR), Scenario(enclosure_offset_db=60.0), Reason.BUILDING),
    )
    for where, scenario, why in cases:
        quality = STILL.assess(where, scenario, DRAWS)
        assert STILL.routes(where, quality, np.array([True])).reason.tolist() == [why]


def test_deep_coverage_takes_longer_and_more_airtime():
    coupling = np.array([130.0, 150.0, 157.0])
    paths = star(10.0 ** ((coupling + 11.0 - 120.9) / 37.6) * 1e3)
    outcome = carried(STUDY, paths, pushes(3))
    np.testing.assert_allclose(outcome.p_arrive, 1.0, atol=1e-3)
    assert (np.diff(outcome.latency_p50_s[0]) > 0).all()
    assert 0.5 < outcome.latency_p50_s[0, 0] < 3.0  # field: about 1 s
    assert 3.0 < outcome.latency_p50_s[0, 1] < 12.0  # field: 6-8 s
    assert (outcome.latency_p95_s > outcome.latency_p50_s).all()
    quality = STUDY.assess(paths, TYPICAL, DRAWS)
    assert (np.diff(STUDY.load(pushes(3), paths, quality).meter_airtime_s) > 0).all()


def test_a_loaded_cell_runs_out_of_capacity():
    paths = star(np.full(400, 1000.0))
    calm, rush = (carried(STILL, paths, pushes(400, n_bytes=4000, window_s=w)) for w in (86_400.0, 60.0))
    np.testing.assert_allclose(calm.p_arrive, 1.0, atol=1e-4)
    assert (rush.p_arrive < 0.9).all()
    assert set(rush.reason[0].tolist()) == {int(Reason.CAPACITY)}


def test_more_meters_collide_more_unless_interference_is_off():
    few, many = (star(np.full(n, 1000.0)) for n in (10, 3000))
    a, b, c = (
        carried(STILL, p, pushes(p.n_meters, n_bytes=50, window_s=300.0), s)
        for p, s in ((few, TYPICAL), (many, TYPICAL), (many, Scenario(interference=False)))
    )
    assert b.attempts.mean() > a.attempts.mean() + 0.1
    assert b.latency_p50_s.mean() > a.latency_p50_s.mean()
    assert c.attempts.mean() == pytest.approx(a.attempts.mean(), rel=0.02)


def test_a_push_too_late_misses_the_deadline():
    paths = star([1000.0])
    early, late = (carried(STILL, paths, pushes(1, start_s=s)) for s in (100.0, 3599.9))
    assert early.p_arrive[0, 0] > 0.999
    assert late.p_arrive[0, 0] < 0.01
    assert late.reason[0, 0] == Reason.CAPACITY


def test_error_ratio_of_a_message():
    technology = NbIot(max_transmissions=1)
    snr = technology._uplink.threshold_db[:1]
    per = technology.packet_error_ratio(snr, np.array([0]), np.array([10]))
    assert per[0] == pytest.approx(0.1)
    assert technology.packet_error_ratio(snr, np.array([-1]), np.array([10]))[0] == 1.0
    assert NbIot().packet_error_ratio(snr, np.array([0]), np.array([10]))[0] == pytest.approx(1e-4)


def test_airtime_grows_with_the_message_and_with_depth():
    by_level = NbIot().airtime_s(np.array([2, 1, 0]), np.array([200, 200, 200]))
    assert (np.diff(by_level) > 0).all()
    assert NbIot().airtime_s(np.array([0]), np.array([400]))[0] > by_level[2]
    with pytest.raises(ValueError, match="mode"):
        NbIot().airtime_s(np.array([3]), np.array([100]))


def test_shuffled_links_give_the_same_cells():
    paths = star(np.linspace(300.0, 4000.0, 40), n_sites=3, enclosure=Enclosure.INDOOR)
    order = np.random.default_rng(0).permutation(paths.n_links)
    mixed_paths = paths.select(order)
    plain, mixed = (
        NbIot().routes(p, NbIot().assess(p, TYPICAL, DRAWS), np.ones(3, bool)) for p in (paths, mixed_paths)
    )
    np.testing.assert_array_equal(plain.server, mixed.server)
    has = plain.link >= 0
    np.testing.assert_array_equal(plain.link[has], order[mixed.link[has]])


@pytest.mark.parametrize(
    "bad",
    [
        {"deployment": "roof"},
        {"pathloss_model": "guess"},
        {"building_model": "tent"},
        {"building_class": "paper"},
        {"policy": "shout"},
        {"ce1_loss_db": 155.0},
        {"preamble_period_s": (0.1, 0.1)},
        {"control_period_s": (0.1, 0.0, 0.1)},
        {"preamble_repetitions": (128, 8, 32)},
    ],
)
def test_guards_refuse(bad):
    with pytest.raises(ValueError):
        NbIot(**bad)
