"""What the radio technologies' settings may be, and that each of them does what it says."""

from dataclasses import replace

import numpy as np
import pytest
from amiplan.channels.draws import Draws
from amiplan.channels.mac.answers import answered_in_time, request_of
from amiplan.channels.parameters import parameters_of
from amiplan.channels.pathloss.macro import extended_hata_db, extended_hata_in_range
from amiplan.channels.pathloss.mesh import link_loss_db
from amiplan.channels.paths import Clutter, Enclosure, RadioPaths
from amiplan.channels.phy import lora
from amiplan.channels.scenario import Scenario, WallSettings
from amiplan.channels.technologies.lorawan import Lorawan
from amiplan.channels.technologies.nb_iot import NbIot
from amiplan.channels.technologies.wisun_fan import WisunFan
from amiplan.channels.technology import DOWN, UP, Exchanges, Reason
from hypothesis import given, settings
from hypothesis import strategies as st

DRAWS, TYPICAL, ALONE = Draws(7), Scenario(), Scenario(interference=False)
RADIOS = (Lorawan, WisunFan, NbIot)


def star(distances, *, enclosure=Enclosure.NONE, clutter=Clutter.SUBURBAN, mast_m=15.0):
    n = len(distances)
    return RadioPaths(
        np.arange(n, dtype=np.int32),
        np.full(n, n, np.int32),
        np.asarray(distances, float),
        np.zeros((n, 2), np.float32),
        np.r_[np.full(n, 1.5), mast_m],
        np.full(n + 1, clutter, np.int8),
        np.r_[np.full(n, enclosure), Enclosure.NONE].astype(np.int8),
        np.arange(50, 51 + n, dtype=np.uint64),
        n,
        1,
    )


def exchange(directions, n_bytes, *, timeout_s=60.0, window_s=8 * 3600.0, tries=1, n_meters=1):
    n = len(directions)
    leg = np.tile(np.arange(n), n_meters).astype(np.int16)
    return Exchanges(
        np.repeat(np.arange(n_meters), n),
        leg,
        np.repeat(np.arange(n_meters), n).astype(np.int32),
        np.zeros(n * n_meters, np.int16),
        np.tile(np.asarray(directions, np.int8), n_meters),
        np.full(n * n_meters, n_bytes, np.int32),
        (leg - 1).astype(np.int16),
        np.zeros(n * n_meters),
        np.full(n * n_meters, timeout_s),
        np.full(n * n_meters, tries, np.int8),
        ("profile",),
        (window_s,),
    )


def carried(tech, paths, exchanges, scenario=ALONE):
    quality = tech.assess(paths, scenario, DRAWS)
    routes = tech.routes(paths, quality, np.ones(paths.n_sites, bool))
    return tech.carry(exchanges, routes, paths, quality, scenario, DRAWS)


@pytest.mark.parametrize("cls", [*RADIOS, WallSettings])
def test_every_number_has_limits_and_its_default_keeps_them(cls):
    for row in parameters_of(cls):
        value = row["value"]
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            assert None not in (row["minimum"], row["maximum"]), row["name"]
            assert row["minimum"] <= value <= row["maximum"], row["name"]


@pytest.mark.parametrize(
    ("cls", "keys", "named"),
    [
        (WisunFan, {"min_backoff_exponent": 6}, ("min_backoff_exponent", "max_backoff_exponent")),
        (WisunFan, {"broadcast_dwell_s": 2.0}, ("broadcast_dwell_s", "broadcast_interval_s")),
        (WisunFan, {"mtu_bytes": 1400, "frame_overhead_bytes": 300}, ("mtu_bytes", "frame_overhead_bytes")),
        (WisunFan, {"building_class": "tent"}, ("building_class", "tent", "traditional, efficient")),
        (WisunFan, {"phy_mode": "9"}, ("phy_mode", "1a")),
        (WisunFan, {"region": "XX"}, ("region", "EU")),
        (NbIot, {"building_class": "tent"}, ("building_class", "traditional, efficient")),
        (NbIot, {"preamble_repetitions": (2, 8, 500)}, ("preamble_repetitions", "128")),
        (NbIot, {"ce1_loss_db": 160.0}, ("ce1_loss_db", "ce2_loss_db")),
        (Lorawan, {"building_class": "tent"}, ("building_class", "traditional, efficient")),
        (WallSettings, {"pit_low_db": 40.0}, ("pit_low_db", "pit_high_db")),
    ],
)
def test_contradictions_and_unknown_words_name_their_keys(cls, keys, named):
    with pytest.raises(ValueError) as refusal:
        cls(**keys)
    assert all(word in str(refusal.value) for word in named), str(refusal.value)


def test_the_power_of_a_cell_follows_its_deployment_and_the_margin_the_power():
    assert NbIot().cell_power_dbm == NbIot(deployment="guard_band").cell_power_dbm == 35.0
    assert NbIot(deployment="stand_alone").cell_power_dbm == 43.0
    assert NbIot(deployment="stand_alone", cell_power_dbm=40.0).cell_power_dbm == 40.0
    paths = star([2000.0])
    shared, alone, equal = (
        tech.assess(paths, TYPICAL, DRAWS).margin_down_db[0]
        for tech in (NbIot(), NbIot(deployment="stand_alone"), NbIot(deployment="stand_alone", cell_power_dbm=35.0))
    )
    assert equal == pytest.approx(shared)
    assert alone == pytest.approx(shared + 8.0)


def test_a_noisier_mesh_receiver_has_less_margin_and_more_errors():
    paths = star([300.0])
    good, bad = (WisunFan(noise_figure_db=figure) for figure in (7.0, 12.0))
    ours, theirs = good.assess(paths, TYPICAL, DRAWS), bad.assess(paths, TYPICAL, DRAWS)
    np.testing.assert_allclose(ours.margin_up_db - theirs.margin_up_db, 5.0)
    np.testing.assert_allclose(ours.snr_up_db - theirs.snr_up_db, 5.0)
    at_threshold = ours.snr_up_db - ours.margin_up_db
    mode, size = np.zeros(1, np.int8), np.full(1, 250)
    assert bad.packet_error_ratio(at_threshold - 1.0, mode, size) > bad.packet_error_ratio(at_threshold, mode, size)
    np.testing.assert_allclose(theirs.snr_up_db - theirs.margin_up_db, at_threshold)


@settings(max_examples=100, deadline=None)
@given(
    st.floats(1.0, 30e3),
    st.floats(1.0, 3.0),
    st.floats(1.0, 200.0),
    st.floats(0.5, 12.0),
    st.sampled_from(list(Clutter)),
    st.floats(-3.0, 3.0),
)
def test_a_longer_link_never_loses_less(distance, stretch, high_m, low_m, clutter, normal):
    d, code = np.array([distance, distance * stretch]), np.full(2, clutter)
    heights = {"low_height_m": np.full(2, min(low_m, high_m)), "high_height_m": np.full(2, high_m)}
    draw = {"normal": np.full(2, normal), "sigma_db": 7.0}
    near, far = link_loss_db(d, frequency_hz=868e6, clutter=code, **heights, **draw)[0]
    assert far >= near - 1e-9
    near, far = extended_hata_db(
        d, frequency_hz=868e6, site_height_m=np.full(2, high_m), meter_height_m=np.full(2, low_m), environment=code
    )
    assert far >= near - 1e-9


@pytest.mark.parametrize("replication", [0, 1])
def test_the_margin_to_a_high_mast_in_open_land_falls_over_the_bridge_to_free_space(replication):
    paths = star([39.0, 45.0, 50.0, 51.0, 70.0, 99.0, 101.0], clutter=Clutter.OPEN, mast_m=40.0)
    paths = replace(paths, node_key=np.r_[np.full(7, 1), 2].astype(np.uint64))
    margin = WisunFan().assess(paths, TYPICAL, Draws(1, replication)).margin_up_db
    assert (np.diff(margin) <= 1e-9).all()


def test_extended_hata_steepens_beyond_twenty_kilometres_and_says_where_it_ends():
    d = np.array([1e3, 10e3, 20e3, 40e3, 50e3])
    column = {"site_height_m": np.full(5, 30.0), "meter_height_m": np.full(5, 1.5)}
    loss = extended_hata_db(d, frequency_hz=868e6, environment=np.full(5, Clutter.URBAN), **column)
    assert loss[0] == pytest.approx(125.99, abs=0.01)  # Hata
    assert loss[3] - loss[2] > 35.22 * np.log10(2.0) + 3.0
    assert extended_hata_in_range(d, frequency_hz=868e6, **column).tolist() == [True, True, True, True, False]
    assert extended_hata_in_range(d[:1], frequency_hz=868e6, site_height_m=8.0, meter_height_m=1.5).tolist() == [True]


def test_small_legs_keep_the_duty_cycle_as_one_long_leg_does():
    tech = Lorawan(rice_k_db=60.0, shadowing_sigma_db=0.0, n_transmissions=1)
    frame_s = float(lora.time_on_air_s(100 + 2 + 13, 7))
    many = carried(tech, star([200.0]), exchange([UP] * 28, 100))
    assert many.p_arrive[0, 0] == pytest.approx(1.0)
    assert many.latency_p50_s[0, 0] == pytest.approx(27 * frame_s / tech.meter_airtime_ratio + frame_s)
    whole = carried(tech, star([200.0]), exchange([UP], 2500))
    assert many.latency_p50_s[0, 0] > whole.latency_p50_s[0, 0]
    between = carried(tech, star([200.0]), exchange([UP, DOWN] * 14, 100))
    assert between.latency_p50_s[0, 0] > 13 * frame_s / tech.meter_airtime_ratio


@pytest.mark.parametrize(
    "tech",
    [
        Lorawan(exchange_policy="pull", shadowing_sigma_db=0.0),
        WisunFan(shadowing_sigma_db=0.0),
        NbIot(policy="pull", shadowing_sigma_db=0.0),
    ],
)
def test_an_answer_after_the_timeout_is_lost_and_a_push_waits_for_none(tech):
    paths = star([60.0] * 4)
    outcome = {t: carried(tech, paths, exchange([DOWN, UP], 40, timeout_s=t, n_meters=4)) for t in (0.001, 60.0, 600.0)}
    assert (outcome[0.001].p_arrive < 1e-3).all()
    assert (outcome[0.001].reason == Reason.CAPACITY).all()
    assert (outcome[60.0].p_arrive > 0.9).all()
    assert (outcome[600.0].p_arrive >= outcome[60.0].p_arrive - 1e-12).all()
    assert (outcome[600.0].latency_p50_s >= outcome[60.0].latency_p50_s - 1e-9).all()
    pushed = [carried(tech, paths, exchange([UP], 40, timeout_s=t, n_meters=4)).p_arrive for t in (0.001, 60.0)]
    np.testing.assert_allclose(*pushed)


def test_who_answers_whom():
    pull = exchange([DOWN, UP, DOWN, UP, UP], 40, n_meters=2)
    assert request_of(pull, np.arange(10)).tolist() == [-1, 0, -1, 2, -1, -1, 5, -1, 7, -1]
    assert (request_of(exchange([UP, DOWN, UP], 40), np.arange(3)) == -1).all()
    ratio, mean, _ = answered_in_time(
        np.array([1.0, 9.0]), np.array([0.01, 1.0]), np.array([10.0, 10.0]), np.array([-1, 0])
    )
    assert (ratio[0], mean[0]) == (1.0, 1.0)
    assert 0.4 < ratio[1] < 0.6
    assert 8.0 < mean[1] < 9.0


def test_walls_are_settings_of_the_scenario_for_every_radio():
    thick = Scenario(walls=WallSettings(pit_low_db=50.0, pit_high_db=65.0))
    paths = star([300.0] * 3, enclosure=Enclosure.PIT)
    for cls in RADIOS:
        typical, hard = (cls().assess(paths, scenario, DRAWS).loss_db for scenario in (TYPICAL, thick))
        np.testing.assert_allclose(hard - typical, 30.0)
