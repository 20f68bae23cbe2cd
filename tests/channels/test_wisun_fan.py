"""Wi-SUN FAN as a technology: directions of every answer, reasons, closed forms, guards."""

from dataclasses import replace

import numpy as np
import pytest
from amiplan.channels.draws import Draws
from amiplan.channels.pathloss.free_space import free_space_loss_db
from amiplan.channels.pathloss.mesh import link_loss_db
from amiplan.channels.pathloss.p1411 import near_street_loss_db
from amiplan.channels.paths import Clutter, Enclosure, RadioPaths
from amiplan.channels.scenario import Scenario
from amiplan.channels.technologies.wisun_fan import WisunFan
from amiplan.channels.technology import DOWN, UP, Exchanges, Reason, Technology
from hypothesis import given, settings
from hypothesis import strategies as st

DRAWS, TYPICAL = Draws(7), Scenario()


def line(distances, *, site_height_m=10.0, enclosure=Enclosure.NONE, clutter=Clutter.SUBURBAN, hill_m=0.0):
    """Meters in a chain, the last hop to one site: link i joins node i to node i + 1."""
    n = len(distances)
    terrain = np.zeros((n, 17 if hill_m else 2), np.float32)
    if hill_m:
        terrain[:, 8] = hill_m
    return RadioPaths(
        np.arange(n, dtype=np.int32),
        np.arange(1, n + 1, dtype=np.int32),
        np.asarray(distances, float),
        terrain,
        np.r_[np.full(n, 1.5), site_height_m],
        np.full(n + 1, clutter, np.int8),
        np.r_[np.full(n, enclosure), Enclosure.NONE].astype(np.int8),
        np.arange(100, 101 + n, dtype=np.uint64),
        n,
        1,
    )


def reads(n_meters, *, n_bytes=1000, window_s=3600.0, tries=3):
    meter = np.repeat(np.arange(n_meters), 2).astype(np.int32)
    leg = np.tile([0, 1], n_meters).astype(np.int16)
    return Exchanges(
        meter.astype(np.int64),
        leg,
        meter,
        np.zeros(meter.size, np.int16),
        np.where(leg == 0, DOWN, UP).astype(np.int8),
        np.where(leg == 0, 80, n_bytes).astype(np.int32),
        (leg - 1).astype(np.int16),
        np.zeros(meter.size),
        np.full(meter.size, 20.0),
        np.full(meter.size, tries, np.int8),
        ("daily",),
        (window_s,),
    )


def random_mesh(seed, n=60, n_sites=3, side_m=700.0):
    rng = np.random.default_rng(seed)
    xy = rng.uniform(0, side_m, (n + n_sites, 2))
    a, b = np.triu_indices(n + n_sites, 1)
    keep = a < n
    a, b = a[keep].astype(np.int32), b[keep].astype(np.int32)
    return RadioPaths(
        a,
        b,
        np.maximum(np.hypot(*(xy[a] - xy[b]).T), 1.0),
        np.zeros((a.size, 2), np.float32),
        np.r_[np.full(n, 1.5), np.full(n_sites, 9.0)],
        np.full(n + n_sites, Clutter.SUBURBAN, np.int8),
        np.r_[rng.integers(1, 4, n), np.zeros(n_sites)].astype(np.int8),
        rng.integers(0, 2**62, n + n_sites).astype(np.uint64),
        n,
        n_sites,
    )


def margin(technology, paths, scenario=TYPICAL):
    return technology.assess(paths, scenario, DRAWS).margin_up_db


def test_it_is_a_technology():
    assert isinstance(WisunFan(), Technology)
    assert set(WisunFan().tables()) >= {"SUN FSK modes", "Band limits"}


def test_two_meters_see_the_street_model():
    d = np.array([30.0, 100.0, 300.0])
    loss, street = link_loss_db(
        d,
        low_height_m=np.full(3, 1.5),
        high_height_m=np.full(3, 1.5),
        frequency_hz=868e6,
        clutter=np.full(3, Clutter.SUBURBAN),
        normal=np.zeros(3),
        sigma_db=7.0,
    )
    np.testing.assert_allclose(loss[1:], [101.7, 120.8], atol=0.06)
    np.testing.assert_allclose(loss, near_street_loss_db(d, frequency_hz=868e6), atol=0.5)
    assert street.tolist() == [False, True, True]  # nearer than 40 m both models are free space to a tenth of a dB


@settings(max_examples=40, deadline=None)
@given(
    st.floats(5, 3000),
    st.floats(1.0, 60.0),
    st.floats(0.0, 40.0),
    st.floats(1.0, 1.5),
    st.sampled_from(list(Clutter)),
    st.floats(-2.5, 2.5),
)
def test_outdoor_loss_falls_with_height_grows_with_distance_and_stays_above_free_space(d, h, dh, stretch, code, z):
    def loss(distance, height):
        return float(
            link_loss_db(
                np.array([distance]),
                low_height_m=np.array([1.0]),
                high_height_m=np.array([height]),
                frequency_hz=868e6,
                clutter=np.array([code]),
                normal=np.array([z]),
                sigma_db=7.0,
            )[0][0]
        )

    assert loss(d, h + dh) <= loss(d, h) + 1e-9
    assert loss(d * stretch, h) >= loss(d, h) - 1e-9
    assert loss(d, h) >= float(free_space_loss_db(d, 868e6)) - 1e-9
    assert abs(loss(d, h * 1.0001) - loss(d, h)) < 0.05


def test_known_budget():
    """16.15 dBm, -105 dBm: the street median fits 121 dB, so 300 m works and 320 m does not with no margin kept."""
    technology = WisunFan(multipath_margin_db=0.0, etx_reject=1.0 / 0.9 + 1e-9, noise_suburban_db=0.0)
    paths = line([100.0], site_height_m=1.5)
    quality = technology.assess(paths, TYPICAL, DRAWS)
    budget_db = 16.15 + 2.15 + 105.0
    np.testing.assert_allclose(quality.margin_up_db, budget_db - quality.loss_db, atol=1e-3)
    np.testing.assert_allclose(quality.margin_down_db, 16.15 + 105.0 - quality.loss_db, atol=1e-3)


def farthest_m(budget_db, *, height_m, clutter, boxes):
    """Where a link at two standard deviations below its median, with the lightest boxes, closes for the last time."""
    distance = np.geomspace(20.0, 30_000.0, 20_000)
    loss = link_loss_db(
        distance,
        low_height_m=np.full(distance.size, 1.5),
        high_height_m=np.full(distance.size, height_m),
        frequency_hz=868e6,
        clutter=np.full(distance.size, clutter),
        normal=np.full(distance.size, -2.0),
        sigma_db=7.0,
    )[0]
    return distance[loss + 3.0 * boxes <= budget_db].max()


def test_radii_cut_off_only_what_no_favourable_draw_closes():
    """16.15 dBm less 4 dB of multipath down to -106.43 dBm is 118.58 dB; each box costs at least 3 dB of them.

    Noise takes 3 dB more in suburbs. Two meters 1.5 m up: open ground 1.21 km, suburb 0.69 km (a line of sight that one
    pair in forty has); a 20 m mast: open 6.4 km, suburb 1.6 km. Masts above 20 m in open country: set the radius.
    """
    technology = WisunFan()
    budget_db = 16.15 - 4.0 - (-105.0 + float(technology._threshold_snr_db - technology._sensitivity_snr_db))
    assert budget_db == pytest.approx(118.58, abs=0.01)
    open_db, suburb_db = budget_db, budget_db - technology.noise_suburban_db
    meters = farthest_m(open_db, height_m=1.5, clutter=Clutter.OPEN, boxes=2)
    masts = farthest_m(open_db, height_m=20.0, clutter=Clutter.OPEN, boxes=1)
    assert (round(meters), round(masts)) == pytest.approx((1210, 6400), rel=0.01)
    assert farthest_m(suburb_db, height_m=1.5, clutter=Clutter.SUBURBAN, boxes=2) == pytest.approx(692, rel=0.01)
    assert farthest_m(suburb_db, height_m=20.0, clutter=Clutter.SUBURBAN, boxes=1) == pytest.approx(1571, rel=0.01)
    assert meters <= technology.neighbour_radius_m <= 1.05 * meters
    assert masts <= technology.search_radius_m <= 1.05 * masts


def test_each_input_moves_the_margin_the_right_way():
    base, paths = WisunFan(meter_eirp_dbm=10.0), line([200.0])
    m0 = margin(base, paths)
    np.testing.assert_allclose(margin(replace(base, meter_eirp_dbm=13.0), paths), m0 + 3.0)
    assert (margin(base, line([400.0])) < m0).all()
    assert (margin(base, line([200.0], site_height_m=25.0)) > m0).all()
    assert (margin(base, line([200.0], enclosure=Enclosure.INDOOR)) < m0).all()
    assert (margin(base, line([200.0], clutter=Clutter.URBAN)) < m0).all()
    assert (margin(base, line([200.0], hill_m=30.0)) < m0).all()
    np.testing.assert_allclose(margin(base, paths, Scenario(noise_offset_db=5.0)), m0 - 5.0)
    indoor = line([200.0], enclosure=Enclosure.INDOOR)
    np.testing.assert_allclose(margin(base, indoor, Scenario(enclosure_offset_db=4.0)), margin(base, indoor) - 4.0)
    assert (margin(base, paths, Scenario(enclosure_offset_db=4.0)) == m0).all()


def test_a_link_is_the_same_from_either_end():
    technology, paths = WisunFan(), line([150.0], enclosure=Enclosure.FACADE_BOX, hill_m=5.0)
    there = technology.assess(paths, TYPICAL, DRAWS)
    back = technology.assess(replace(paths, from_node=paths.to_node, to_node=paths.from_node), TYPICAL, DRAWS)
    np.testing.assert_allclose(there.loss_db, back.loss_db)
    np.testing.assert_allclose(there.snr_up_db, back.snr_down_db)


def test_one_row_equals_many():
    technology, paths = WisunFan(), random_mesh(3)
    whole = technology.assess(paths, TYPICAL, DRAWS)
    part = technology.assess(paths.select(np.array([17, 5])), TYPICAL, DRAWS)
    np.testing.assert_array_equal(part.snr_up_db, whole.snr_up_db[[17, 5]])


def test_error_ratio_at_sensitivity_is_a_tenth():
    technology = WisunFan()
    snr = np.array([technology._sensitivity_snr_db])
    assert technology.packet_error_ratio(snr, np.array([0]), 246)[0] == pytest.approx(0.1)
    assert technology.packet_error_ratio(snr, np.array([-1]), 246)[0] == 1.0


def test_mode_follows_margin():
    q = WisunFan().assess(random_mesh(1), TYPICAL, DRAWS)
    np.testing.assert_array_equal(q.mode_up >= 0, q.margin_up_db >= 0)
    np.testing.assert_array_equal(q.rate_up_bps > 0, q.mode_up >= 0)


def strong(paths, **changes):
    """The quality of perfect links, then changed by hand."""
    q = WisunFan().assess(paths, TYPICAL, DRAWS)
    n = paths.n_links
    fine = {
        "snr_up_db": np.full(n, 60.0),
        "snr_down_db": np.full(n, 60.0),
        "margin_up_db": np.full(n, 40.0),
        "margin_down_db": np.full(n, 40.0),
        "mode_up": np.zeros(n, np.int8),
        "mode_down": np.zeros(n, np.int8),
    }
    return replace(q, **(fine | changes))


def test_chain_is_routed_over_relays():
    paths = line([50.0] * 4)
    routes = WisunFan().routes(paths, strong(paths), np.array([True]))
    assert routes.hops.tolist() == [4, 3, 2, 1]
    assert routes.parent.tolist() == [1, 2, 3, 4]
    assert routes.link.tolist() == [0, 1, 2, 3]
    assert routes.server.tolist() == [0] * 4
    assert routes.receiver_link.tolist() == [0, 1, 2, 3]
    reach = WisunFan(planning_hops=2).reach(paths, strong(paths))
    assert reach.meter.tolist() == [2, 3]


def test_reasons_of_meters_without_a_route():
    paths = line([50.0] * 4)
    built = np.array([True])
    assert WisunFan(max_hops=2).routes(paths, strong(paths), built).reason.tolist() == [Reason.HOP_LIMIT] * 2 + [0, 0]
    dead = np.array([0, 0, 0, -1], np.int8)
    cut = strong(paths, mode_up=dead, snr_up_db=np.where(dead < 0, -60.0, 60.0), limit=np.full(4, Reason.TERRAIN))
    reason = WisunFan().routes(paths, cut, built).reason.tolist()
    assert reason == [Reason.NO_NEIGHBOUR] * 4  # an island of meters with neighbours but no bridge
    alone = line([50.0])
    for why in (Reason.TERRAIN, Reason.BUILDING, Reason.BUDGET):
        q = strong(alone, mode_up=np.array([-1], np.int8), limit=np.array([why], np.int8))
        assert WisunFan().routes(alone, q, built).reason.tolist() == [why]
    assert WisunFan().routes(alone, strong(alone), np.array([False])).reason.tolist() == [Reason.NO_NEIGHBOUR]


def test_limits_are_computed():
    technology = WisunFan()
    assert technology.assess(line([2900.0]), TYPICAL, DRAWS).limit[0] == Reason.BUDGET
    assert technology.assess(line([150.0], hill_m=300.0), TYPICAL, DRAWS).limit[0] == Reason.TERRAIN
    walls = Scenario(enclosure_offset_db=60.0)
    assert technology.assess(line([100.0], enclosure=Enclosure.PIT), walls, DRAWS).limit[0] == Reason.BUILDING


def carried(technology, paths, quality, exchanges, scenario=TYPICAL):
    routes = technology.routes(paths, quality, np.ones(paths.n_sites, bool))
    return technology.carry(exchanges, routes, paths, quality, scenario, DRAWS)


def test_perfect_links_deliver_once_per_hop():
    paths, quiet = line([50.0] * 3), Scenario(interference=False)
    outcome = carried(WisunFan(), paths, strong(paths), reads(3), quiet)
    np.testing.assert_allclose(outcome.p_arrive, 1.0)
    np.testing.assert_allclose(outcome.attempts[0], [6.0, 4.0, 2.0])
    assert outcome.reason.tolist() == [[0, 0, 0]]
    assert (np.diff(outcome.latency_p50_s[0]) < 0).all()
    assert (outcome.latency_p95_s > outcome.latency_p50_s).all()


def test_hop_success_is_the_closed_form():
    technology, paths, n = WisunFan(frame_retries=2), line([50.0]), 1000
    snr = np.array([technology._sensitivity_snr_db - 0.5])
    quality = strong(paths, snr_up_db=snr)
    lost = technology.packet_error_ratio(snr, np.array([0]), n + technology.frame_overhead_bytes)[0]
    outcome = carried(technology, paths, quality, reads(1, n_bytes=n, tries=1), Scenario(interference=False))
    assert outcome.p_arrive[0, 0] == pytest.approx(1.0 - lost**3, rel=1e-9)


def test_traffic_beyond_the_collector_is_capacity():
    paths = line([50.0] * 3)
    technology, quiet = WisunFan(duty_cycle=1.0, site_duty_cycle=1.0), Scenario(interference=False)
    short = carried(technology, paths, strong(paths), reads(3, n_bytes=20_000, window_s=6.0), quiet)
    assert (short.p_arrive < 0.999).any()
    assert Reason.CAPACITY in short.reason[0].tolist()
    long = carried(technology, paths, strong(paths), reads(3, n_bytes=20_000, window_s=4000.0), quiet)
    assert (long.p_arrive >= short.p_arrive).all()
    np.testing.assert_allclose(long.p_arrive, 1.0, atol=1e-6)


def test_hourly_airtime_bounds_the_subtree():
    paths = line([50.0] * 4)
    poor = carried(WisunFan(duty_cycle=5e-4), paths, strong(paths), reads(4, n_bytes=5000))
    rich = carried(WisunFan(duty_cycle=0.025), paths, strong(paths), reads(4, n_bytes=5000))
    assert (poor.p_arrive < rich.p_arrive).all()
    assert set(poor.reason[0].tolist()) == {int(Reason.DUTY_CYCLE)}
    assert WisunFan(access="plain").hourly_airtime_s == pytest.approx(36.0)
    assert WisunFan(access="plain").site_hourly_airtime_s == pytest.approx(36.0)
    assert WisunFan().site_hourly_airtime_s == pytest.approx(360.0)
    assert WisunFan().hourly_airtime_s == pytest.approx(90.0)


def test_descendants_within_one_percent():
    """500 B every 15 min at 50 kb/s: 1 % carries 108 descendants before acknowledgements, as printed."""
    assert int(0.01 * 900 / 0.08288) == 108
    assert float(WisunFan()._airtime_s(500)) == pytest.approx(0.08256, abs=1e-4)


def test_neighbours_cost_attempts_and_interference_can_be_switched_off():
    technology, paths = WisunFan(n_channels=1, hidden_share=1.0, multipath_margin_db=0.0), random_mesh(5)
    quality = technology.assess(paths, TYPICAL, DRAWS)
    loud = carried(technology, paths, quality, reads(paths.n_meters))
    quiet = carried(technology, paths, quality, reads(paths.n_meters), Scenario(interference=False))
    assert loud.attempts.sum() > quiet.attempts.sum()
    assert (loud.p_arrive <= quiet.p_arrive + 1e-9).all()


def test_push_and_load():
    paths = line([50.0] * 3)
    technology = WisunFan(policy="push")
    exchanges = reads(3)
    exchanges = replace(exchanges, direction=1 - exchanges.direction)
    np.testing.assert_allclose(carried(technology, paths, strong(paths), exchanges).p_arrive, 1.0, atol=1e-3)
    small, big = (technology.load(reads(3, n_bytes=n), paths, strong(paths)) for n in (500, 1000))
    assert (big.meter_airtime_s > small.meter_airtime_s).all()
    ack, ask, answer = (float(technology._airtime_s(n)) for n in (50, 168, 1080))
    ask_s = max(ask + ack, ask * 0.5 * 3600.0 / technology.site_hourly_airtime_s)
    np.testing.assert_allclose(big.meter_airtime_s, ask_s + answer + ack, rtol=1e-6)
    assert big.site_capacity_s == pytest.approx(0.5 * 3600.0)


def test_shuffled_links_give_the_same_tree():
    technology, paths = WisunFan(), random_mesh(11)
    order = np.random.default_rng(0).permutation(paths.n_links)
    plain = technology.routes(paths, technology.assess(paths, TYPICAL, DRAWS), np.ones(3, bool))
    mixed_paths = paths.select(order)
    mixed = technology.routes(mixed_paths, technology.assess(mixed_paths, TYPICAL, DRAWS), np.ones(3, bool))
    np.testing.assert_array_equal(plain.parent, mixed.parent)
    np.testing.assert_array_equal(plain.reason, mixed.reason)
    has = plain.link >= 0
    np.testing.assert_array_equal(plain.link[has], order[mixed.link[has]])


def test_more_collectors_never_serve_fewer():
    technology, paths = WisunFan(), random_mesh(2, side_m=1500.0)
    quality = technology.assess(paths, TYPICAL, DRAWS)
    served = [(technology.routes(paths, quality, np.arange(3) < k).server >= 0).sum() for k in range(4)]
    assert served == sorted(served)


@pytest.mark.parametrize(
    "bad",
    [
        {"phy_mode": "7"},
        {"meter_eirp_dbm": 20.0},
        {"site_eirp_dbm": 30.0},
        {"access": "rude"},
        {"policy": "shout"},
        {"frequency_hz": 890e6},
    ],
)
def test_guards_refuse(bad):
    with pytest.raises(ValueError):
        WisunFan(**bad)


@pytest.mark.parametrize(("n_meters", "n_sites"), [(0, 0), (0, 1), (3, 0), (3, 1)])
def test_nothing_to_link_is_an_answer(n_meters, n_sites):
    none = np.zeros(0, np.int32)
    n = n_meters + n_sites
    paths = RadioPaths(
        none,
        none,
        np.zeros(0),
        np.zeros((0, 2), np.float32),
        np.full(n, 2.0),
        np.zeros(n, np.int8),
        np.zeros(n, np.int8),
        np.arange(n, dtype=np.uint64),
        n_meters,
        n_sites,
    )
    technology = WisunFan()
    quality = technology.assess(paths, TYPICAL, DRAWS)
    routes = technology.routes(paths, quality, np.ones(n_sites, bool))
    assert (routes.reason == Reason.NO_NEIGHBOUR).all()
    assert technology.reach(paths, quality).site.size == 0
    outcome = technology.carry(reads(n_meters), routes, paths, quality, TYPICAL, DRAWS)
    assert outcome.p_arrive.shape == (1, n_meters)
    assert (outcome.reason == Reason.NO_NEIGHBOUR).all()
