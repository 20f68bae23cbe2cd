"""LoRaWAN as a whole: closed forms, properties and guards on small made-up areas."""

import dataclasses

import numpy as np
import pytest
from amiplan.channels.draws import Draws
from amiplan.channels.mac.lorawan_frames import OVERHEAD_BYTES, frames_of
from amiplan.channels.paths import RadioPaths
from amiplan.channels.phy import lora
from amiplan.channels.scenario import Scenario
from amiplan.channels.technologies.lorawan import Lorawan
from amiplan.channels.technology import DOWN, UP, Exchanges, Reason
from hypothesis import given, settings
from hypothesis import strategies as st

DRAWS = Draws(seed=5, replication=2)
ALONE = Scenario(interference=False)
STILL = Lorawan(rice_k_db=60.0, shadowing_sigma_db=0.0)


def area(distance, *, n_sites=1, mast=15.0, enclosure=1, hill=0.0, seed=None):
    """Meters at given distances from each of the sites (all at the same place), or at random ones."""
    distance = np.asarray(distance, float)
    n = distance.size
    rng = np.random.default_rng(seed)
    metres = np.tile(distance, (n_sites, 1)) if seed is None else rng.uniform(50, 3000, (n_sites, n))
    return RadioPaths(
        from_node=np.tile(np.arange(n), n_sites).astype(np.int32),
        to_node=np.repeat(np.arange(n, n + n_sites), n).astype(np.int32),
        distance_m=metres.ravel(),
        terrain_m=np.tile((hill * np.hanning(17)).astype(np.float32), (n * n_sites, 1)),
        node_height_m=np.concatenate([np.full(n, 1.5), np.full(n_sites, mast)]),
        node_clutter=np.ones(n + n_sites, np.int8),
        node_enclosure=np.concatenate([np.full(n, enclosure), np.zeros(n_sites)]).astype(np.int8),
        node_key=np.concatenate([np.arange(1, n + 1), 10**6 + np.arange(n_sites)]).astype(np.uint64),
        n_meters=n,
        n_sites=n_sites,
    )


def legs(n_meters, n_bytes, *, window_s=3600.0, pull=False, tries=1):
    count = 2 if pull else 1
    leg = np.tile(np.arange(count), n_meters).astype(np.int16)
    n = leg.size
    return Exchanges(
        exchange=np.repeat(np.arange(n_meters), count),
        leg=leg,
        meter=np.repeat(np.arange(n_meters), count).astype(np.int32),
        service=np.zeros(n, np.int16),
        direction=np.where(leg == count - 1, UP, DOWN).astype(np.int8),
        bytes=np.where(leg == count - 1, n_bytes, 30).astype(np.int32),
        depends_on=(leg - 1).astype(np.int16),
        not_before_s=np.zeros(n),
        timeout_s=np.full(n, 60.0),
        tries=np.full(n, tries, np.int8),
        services=("profile",),
        window_s=(window_s,),
    )


def run(tech, paths, exchanges, scenario=ALONE, built=None):
    quality = tech.assess(paths, scenario, DRAWS)
    routes = tech.routes(paths, quality, np.ones(paths.n_sites, bool) if built is None else built)
    return quality, routes, tech.carry(exchanges, routes, paths, quality, scenario, DRAWS)


def test_single_sender_is_duty_cycle_arithmetic():
    exchanges = legs(1, 1000 - STILL.schc_residue_bytes)
    quality, _, result = run(STILL, area([200.0]), exchanges)
    assert STILL.modes[quality.mode_up[0]] == "SF7"
    frame_s = float(lora.time_on_air_s(241 + OVERHEAD_BYTES, 7))
    n = 6  # 100 tiles, 24 in a frame, the last one in All-1
    assert STILL.meter_airtime_ratio == pytest.approx(0.01 / (5 / 8))
    assert result.p_arrive[0, 0] == pytest.approx(1.0)
    assert result.attempts[0, 0] == pytest.approx(n)
    assert result.latency_p50_s[0, 0] == pytest.approx((n - 1) * frame_s / 0.016 + frame_s)
    assert result.reason[0, 0] == Reason.NONE


def test_three_channels_share_one_budget():
    assert Lorawan(n_channels=3).meter_airtime_ratio == pytest.approx(0.01)


def test_window_too_short_for_the_duty_cycle():
    _, routes, result = run(STILL, area([200.0]), legs(1, 1000, window_s=120.0))
    assert routes.server[0] == 0
    assert result.p_arrive[0, 0] == 0.0
    assert np.isinf(result.latency_p50_s[0, 0])
    assert result.reason[0, 0] == Reason.DUTY_CYCLE


def test_crowd_without_capture_is_pure_aloha():
    n, window_s, size = 6000, 1800.0, 40
    tech = dataclasses.replace(
        STILL, interference_table="aloha", n_transmissions=1, n_demodulators=1000, spread_ratio=0.5
    )
    _, _, result = run(tech, area(np.full(n, 150.0)), legs(n, size, window_s=window_s), Scenario())
    frame_s = float(lora.time_on_air_s(size + tech.schc_residue_bytes + OVERHEAD_BYTES, 7))
    load = n * frame_s / (window_s * 0.5) / tech.n_channels
    np.testing.assert_allclose(result.p_arrive, np.exp(-2 * load), rtol=1e-3)
    assert (result.reason == Reason.CAPACITY).all()


def test_capture_and_a_second_gateway_help_a_crowd():
    n = 3000
    aloha, capture = (
        dataclasses.replace(STILL, interference_table=table, n_transmissions=1) for table in ("aloha", "goursaud")
    )
    near = np.linspace(50.0, 300.0, n)
    lone = run(aloha, area(near), legs(n, 40), Scenario())[2].p_arrive.mean()
    captured = run(capture, area(near), legs(n, 40), Scenario())[2].p_arrive.mean()
    two = run(capture, area(near, n_sites=2), legs(n, 40), Scenario())[2].p_arrive.mean()
    assert lone < captured < two


def test_acknowledgements_beyond_the_gateways_budget():
    n, paths = 200, area(np.full(200, 400.0))
    tech = Lorawan(shadowing_sigma_db=0.0, n_demodulators=1000)
    rich = run(tech, paths, legs(n, 600), Scenario())[2]
    poor = run(dataclasses.replace(tech, gateway_duty_cycle=1e-5), paths, legs(n, 600), Scenario())[2]
    assert rich.p_arrive.min() > 0.99
    assert poor.p_arrive.max() < 0.95
    assert (poor.reason == Reason.DUTY_CYCLE).all()


def test_a_crowd_that_repeats_itself_to_death_is_capacity():
    result = run(STILL, area(np.full(3000, 400.0)), legs(3000, 600), Scenario())[2]
    assert result.p_arrive.max() < 0.5
    assert (result.reason == Reason.CAPACITY).all()


def test_reasons_of_the_link():
    tech = dataclasses.replace(STILL, tx_power_dbm=-10.0)
    far = run(tech, area([9_000.0]), legs(1, 40))
    hidden = run(STILL, area([2_000.0], hill=150.0), legs(1, 40))
    buried = run(tech, area([1_200.0], enclosure=5), legs(1, 40))
    assert [r[1].reason[0] for r in (far, hidden, buried)] == [Reason.BUDGET, Reason.TERRAIN, Reason.BUILDING]
    assert [r[2].reason[0, 0] for r in (far, hidden, buried)] == [Reason.BUDGET, Reason.TERRAIN, Reason.BUILDING]
    assert all((r[2].p_arrive == 0).all() for r in (far, hidden, buried))


def test_pull_needs_both_ways():
    tech = Lorawan(exchange_policy="pull", shadowing_sigma_db=0.0)
    assert tech.exchange_policy == "pull"
    _, _, once = run(tech, area([900.0]), legs(1, 40, pull=True))
    _, _, thrice = run(tech, area([900.0]), legs(1, 40, pull=True, tries=3))
    assert 0.0 < once.p_arrive[0, 0] <= thrice.p_arrive[0, 0] <= 1.0
    assert once.latency_p50_s[0, 0] > 0.04


def test_a_service_that_says_nothing_is_data_missing():
    exchanges = legs(1, 40)
    _, _, result = run(STILL, area([200.0, 300.0]), exchanges)
    assert result.reason[0].tolist() == [Reason.NONE, Reason.DATA_MISSING]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31))
def test_more_gateways_and_shuffled_meters(seed):
    rng = np.random.default_rng(seed)
    tech, paths = Lorawan(), area(np.zeros(30) + 1.0, n_sites=4, seed=seed)
    quality = tech.assess(paths, ALONE, DRAWS)
    subset = rng.random(4) < 0.5
    some = tech.routes(paths, quality, subset)
    everything = tech.routes(paths, quality, np.ones(4, bool))
    assert ((some.server >= 0) <= (everything.server >= 0)).all()
    rows = rng.permutation(paths.n_links)
    again = tech.assess(paths.select(rows), ALONE, DRAWS)
    np.testing.assert_array_equal(again.margin_up_db, quality.margin_up_db[rows])
    shuffled = tech.routes(paths.select(rows), again, np.ones(4, bool))
    np.testing.assert_array_equal(shuffled.server, everything.server)
    whole = tech.carry(legs(30, 300), everything, paths, quality, Scenario(), DRAWS)
    mixed = tech.carry(legs(30, 300), shuffled, paths.select(rows), again, Scenario(), DRAWS)
    np.testing.assert_allclose(whole.p_arrive, mixed.p_arrive, atol=1e-12)
    assert (whole.p_arrive[0, everything.server < 0] == 0).all()


@settings(max_examples=20, deadline=None)
@given(st.floats(3.0, 60.0), st.floats(0.5, 60.0), st.floats(0.1, 10.0))
def test_height_and_power_never_lower_a_margin_on_flat_ground(mast, higher, louder):
    distance = np.geomspace(5.0, 20_000.0, 25)
    low, high = (Lorawan().assess(area(distance, mast=m), ALONE, DRAWS) for m in (mast, mast + higher))
    assert (high.margin_up_db >= low.margin_up_db - 1e-9).all()
    assert (high.margin_down_db >= low.margin_down_db - 1e-9).all()
    quiet = Lorawan(tx_power_dbm=4.0)
    loud = dataclasses.replace(quiet, tx_power_dbm=4.0 + louder)
    gain = (
        loud.assess(area(distance), ALONE, DRAWS).margin_up_db - quiet.assess(area(distance), ALONE, DRAWS).margin_up_db
    )
    np.testing.assert_allclose(gain, louder)


def test_no_links_at_all():
    paths = area([200.0]).select(np.zeros(0, np.int64))
    quality, routes, result = run(Lorawan(), paths, legs(1, 40))
    assert routes.reason[0] == Reason.BUDGET
    assert result.p_arrive[0, 0] == 0.0
    assert Lorawan().load(legs(1, 40), paths, quality).meter_airtime_s[0] == 0.0
    assert Lorawan().reach(paths, quality).site.size == 0


def test_airtime_and_load_agree():
    tech, paths = STILL, area([200.0, 300.0])
    quality = tech.assess(paths, ALONE, DRAWS)
    load = tech.load(legs(2, 500), paths, quality)
    np.testing.assert_allclose(load.meter_airtime_s, tech.airtime_s(quality.mode_up, np.array([500, 500])))
    assert load.max_meters_per_site >= 1


REFUSED = {
    "eirp": lambda: Lorawan(tx_power_dbm=20.0),
    "gateway": lambda: Lorawan(gateway_eirp_dbm=30.0),
    "duty": lambda: Lorawan(duty_cycle=0.02),
    "gateway duty": lambda: Lorawan(gateway_duty_cycle=0.2),
    "policy": lambda: Lorawan(exchange_policy="shout"),
    "receiver": lambda: Lorawan(gateway_receiver="crystal"),
    "meter receiver": lambda: Lorawan(meter_receiver="crystal"),
    "table": lambda: Lorawan(interference_table="none"),
    "class": lambda: Lorawan(building_class="tent"),
    "mode": lambda: Lorawan().airtime_s(np.array([6]), np.array([10])),
    "empty leg": lambda: frames_of(legs(1, 0), np.array([0]), np.zeros(1, int), np.zeros(1, int), residue_bytes=2),
}


@pytest.mark.parametrize("what", REFUSED)
def test_guards(what):
    with pytest.raises(ValueError):
        REFUSED[what]()
