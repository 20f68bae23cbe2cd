"""G3-PLC as a technology: channel, modes, routes, reasons and the fast tier on small feeders."""

import dataclasses
from dataclasses import fields
from functools import cache

import numpy as np
import pytest
import simpy
from amiplan.channels.draws import Draws
from amiplan.channels.parameters import parameters_of
from amiplan.channels.phy.g3_bands import IEEE_1901_2_BANDS
from amiplan.channels.powerline.g3_parameters import RISING
from amiplan.channels.powerline.scenarios import LineScenario
from amiplan.channels.scenario import Scenario
from amiplan.channels.technologies.g3_plc import G3Plc
from amiplan.channels.technologies.ieee_1901_2 import Ieee19012
from amiplan.channels.technology import DOWN, UP, Exchanges, Reason
from feeders import feeder
from hypothesis import given, settings
from hypothesis import strategies as st

TECH = G3Plc(emitter_ratio=0.0)
"""Without emitters: `test_powerline_emission.py` has them."""
DRAWS = Draws(3, 1)


def reading(n_meters, answer_bytes=500, window_s=3600.0):
    return Exchanges(
        exchange=np.repeat(np.arange(n_meters), 2),
        leg=np.tile([0, 1], n_meters),
        meter=np.repeat(np.arange(n_meters), 2),
        service=np.zeros(2 * n_meters, int),
        direction=np.tile([DOWN, UP], n_meters),
        bytes=np.tile([60, answer_bytes], n_meters),
        depends_on=np.tile([-1, 0], n_meters),
        not_before_s=np.zeros(2 * n_meters),
        timeout_s=np.full(2 * n_meters, 60.0),
        tries=np.ones(2 * n_meters, int),
        services=("profile",),
        window_s=(window_s,),
    )


def both(quality):
    return np.concatenate([quality.margin_up_db, quality.margin_down_db])


def carried(tech, paths, quality, built=None, **traffic):
    routes = tech.routes(paths, quality, np.ones(paths.n_sites, bool) if built is None else built)
    return routes, tech.carry(reading(paths.n_meters, **traffic), routes, paths, quality, Scenario(), DRAWS)


@settings(max_examples=8, deadline=None)
@given(st.floats(80, 121), st.floats(0.1, 1.0), st.sampled_from([1, 3]))
def test_more_power_never_lowers_a_margin(level, more, phases):
    paths = feeder(8, phases=phases)
    low, high = (
        dataclasses.replace(TECH, tx_level_dbuv=x).assess(paths, Scenario(), DRAWS) for x in (level, level + more)
    )
    assert np.all(both(high) >= both(low) - 1e-4)
    assert np.mean(both(high) - both(low)) > 0.02


def test_noise_and_low_load_impedance_cost_margin():
    paths = feeder(phases=1)
    plain = both(TECH.assess(paths, Scenario(), DRAWS))
    noisy = both(TECH.assess(paths, Scenario(noise_offset_db=6.0), DRAWS))
    assert np.all(noisy <= plain)
    assert np.mean(noisy < plain - 0.1) > 0.5
    assert both(TECH.assess(paths, Scenario(load_impedance_factor=0.2), DRAWS)).mean() < plain.mean() - 3


def test_loss_lies_where_lines_with_house_loads_are_known_to_lie():
    # reference/plc.md 5.5: house median 6 ohm, same phase: 19 to 22 dB at 100 m, 35 to 41 at 200 m, 52 to 63 at 360 m;
    # half the houses per length here, on all phases, rural median 7.1 ohm
    paths = feeder(15, step_m=25.0)
    losses = [TECH.assess(paths, Scenario(), Draws(1, r)).loss_db for r in range(5)]
    direct = paths.to_node >= paths.n_meters
    metres, loss = paths.distance_m[direct], np.mean(losses, axis=0)[direct]
    for distance, low, high in ((115, 12, 30), (215, 20, 45), (340, 28, 68)):
        assert low < np.interp(distance, metres, loss) < high


def test_everybody_is_routed_by_valid_trees_within_the_hop_limit():
    paths = feeder(30, step_m=60.0, areas=2, phases=1)
    quality = dataclasses.replace(TECH, environment="urban").assess(paths, Scenario(), DRAWS)
    routes = TECH.routes(paths, quality, np.ones(2, bool))
    served = routes.server >= 0
    assert served.any()
    assert routes.hops.max() > 1
    assert np.all(routes.hops[served] <= TECH.loadng.max_hops)
    assert np.all((routes.reason == Reason.NONE) == served)
    for meter in np.flatnonzero(served):
        node, hops = meter, 0
        while node < paths.n_meters:
            link = routes.link[node]
            assert {int(paths.from_node[link]), int(paths.to_node[link])} == {node, int(routes.parent[node])}
            assert quality.usable[link]
            node, hops = int(routes.parent[node]), hops + 1
        assert hops == routes.hops[meter]
        assert node - paths.n_meters == routes.server[meter] == paths.feeder_area[paths.meter_feeder_node[meter]]
    reach = TECH.reach(paths, quality)
    assert set(np.flatnonzero(served)) <= set(reach.meter.tolist())


def test_reasons_name_what_fails():
    paths = feeder(30, step_m=60.0, areas=2)
    quality = TECH.assess(paths, Scenario(), DRAWS)
    half = TECH.routes(paths, quality, np.array([True, False]))
    assert np.all(half.reason[30:] == Reason.NO_TRANSFORMER)
    short = dataclasses.replace(TECH, max_hops=1).routes(paths, quality, np.ones(2, bool))
    assert (short.reason == Reason.HOP_LIMIT).any()
    loud = TECH.assess(paths, Scenario(noise_offset_db=80.0), DRAWS)
    reasons = TECH.routes(paths, loud, np.ones(2, bool)).reason
    assert np.all(np.isin(reasons, [Reason.ATTENUATION, Reason.NOISE]))
    island = dataclasses.replace(paths, meter_feeder_node=np.where(np.arange(60) == 7, -1, paths.meter_feeder_node))
    kept = (paths.from_node != 7) & (paths.to_node != 7)
    island = dataclasses.replace(
        island, from_node=paths.from_node[kept], to_node=paths.to_node[kept], distance_m=paths.distance_m[kept]
    )
    routes = TECH.routes(island, TECH.assess(island, Scenario(), DRAWS), np.ones(2, bool))
    assert routes.reason[7] == Reason.NO_TRANSFORMER


def test_a_meter_without_links_lacks_a_neighbour_and_no_links_at_all_serve_nobody():
    paths = feeder(3)
    none = dataclasses.replace(paths, from_node=np.zeros(0, int), to_node=np.zeros(0, int), distance_m=np.zeros(0))
    quality = TECH.assess(none, Scenario(), DRAWS)
    routes, outcome = carried(TECH, none, quality)
    assert np.all(routes.reason == Reason.NO_NEIGHBOUR)
    assert np.all(outcome.p_arrive == 0)
    assert TECH.reach(none, quality).meter.size == 0
    assert np.all(TECH.load(reading(3), none, quality).meter_airtime_s > 0)


def test_the_cycle_fills_the_window_and_what_is_late_lacks_capacity():
    paths = feeder(20)
    quality = TECH.assess(paths, Scenario(), DRAWS)
    _, easy = carried(TECH, paths, quality)
    assert np.all(easy.p_arrive > 0.99)
    assert np.all(easy.latency_p50_s <= easy.latency_p95_s)
    _, tight = carried(TECH, paths, quality, window_s=float(np.median(easy.latency_p50_s)))
    late = tight.p_arrive[0] < 0.5
    assert 0.3 < late.mean() < 0.7
    assert np.all(tight.reason[0, late] == Reason.CAPACITY)
    _, heavier = carried(TECH, paths, quality, answer_bytes=2000)
    assert heavier.latency_p50_s.max() > 1.5 * easy.latency_p50_s.max()
    routes = TECH.routes(paths, quality, np.ones(1, bool))
    alone = TECH.carry(reading(20), routes, paths, quality, Scenario(interference=False), DRAWS)
    assert np.all(alone.latency_p50_s <= easy.latency_p50_s + 1e-9)
    # on one line several at a time gain what meters take to answer, and little else
    for response_s, least, most in ((0.1, 0.9, 1.2), (3.0, 2.0, 4.0)):
        one, four = (
            dataclasses.replace(TECH, parallel_polls=n, response_s=response_s)
            .carry(reading(20), routes, paths, quality, Scenario(), DRAWS)
            .latency_p50_s.max()
            for n in (1, 4)
        )
        assert least < one / four < most


def test_load_is_the_channel_time_of_the_best_link():
    paths = feeder(5)
    quality = TECH.assess(paths, Scenario(), DRAWS)
    load = TECH.load(reading(5), paths, quality)
    assert np.all((load.meter_airtime_s > 0.1) & (load.meter_airtime_s < 3))
    assert load.site_capacity_s == pytest.approx(0.8 * 3600)


def test_airtime_of_a_message_is_that_of_its_segments():
    # ROBO carries 133 - 25 = 108 B a segment; 85 B and 15 B of headers are one
    one = float(TECH.airtime_s(np.array([0]), np.array([93]))[0])
    assert one == pytest.approx(0.2165, abs=2e-4)  # reference/plc.md 1.3: ROBO 133 B with RIFS, ACK, CIFS
    assert float(TECH.airtime_s(np.array(0), np.array(800))) > 7 * one
    with pytest.raises(ValueError, match="mode"):
        TECH.airtime_s(np.array([-1]), np.array([10]))
    with pytest.raises(ValueError, match="no bytes"):
        TECH.airtime_s(np.array([0]), np.array([0]))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"environment": "lunar"}, "environment = 'lunar' is unknown; write one of rural, urban, industrial"),
        ({"site_phases": 2}, "site_phases = 2 does not exist; write 1 or 3"),
        ({"meter_coupler_phases": 2}, "meter_coupler_phases = 2 does not exist; write 1 or 3"),
        ({"cyclic_noise": "wild"}, "cyclic_noise = 'wild' is unknown; write one of none, katayama-1"),
        ({"conduction_share": 0.01}, "conduction_share 0.01 is none or all of 8 bins"),
        ({"country": "Germany"}, "country = 'Germany': write a code of two capital letters"),
        ({"band": "fcc"}, "154.69 to 487.5 kHz has no allocation"),
        ({"tx_level_dbuv": 123.0}, "135.0 dBuV peak from 35.938 to 90.625 kHz: DE allows 134.0"),
        ({"min_be": 9}, "min_be = 9 is above max_be = 8"),
        ({"band": "cenelec-c"}, "band = 'cenelec-c' is unknown; write one of cenelec-a, cenelec-b, fcc, arib"),
        ({"notched_carriers": "36"}, "notched_carriers '36' lies outside CENELEC-A"),
        ({"two_rs_blocks": True}, "two_rs_blocks: CENELEC-A frames bear one Reed-Solomon block"),
        ({"coherent": True, "use_super_robo": True}, "use_super_robo and coherent exclude each other"),
    ],
)
def test_values_that_contradict_each_other_or_name_nothing_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        dataclasses.replace(TECH, **change)


def test_overhead_that_fills_a_frame_is_refused():
    assert dataclasses.replace(TECH, mac_overhead_bytes=60, use_super_robo=True).mac.mac_overhead_bytes == 60
    with pytest.raises(ValueError, match="fills a whole"):
        _ = dataclasses.replace(TECH, mac_overhead_bytes=200).mac


def test_every_number_of_the_configuration_has_limits_around_its_default():
    for row in parameters_of(TECH):
        if isinstance(row["value"], (bool, str, tuple)):
            continue
        assert row["minimum"] is not None, row["name"]
        assert row["maximum"] is not None, row["name"]
        assert row["minimum"] <= row["default"] <= row["maximum"], row["name"]


def _everything(tech, paths, draws):
    """All columns of all answers of one configuration, fast tier and one packet exchange, laid end to end.

    Among them what the packet tier takes for contention, searches and joining: its own tests show that each acts.
    """
    quality = tech.assess(paths, Scenario(), draws)
    routes, outcome = carried(tech, paths, quality, window_s=20.0)
    load = tech.load(reading(paths.n_meters), paths, quality)
    louder = tech.assess(paths, Scenario(noise_offset_db=6.0), draws)
    later = tech.routes(paths, louder, np.ones(paths.n_sites, bool), before=routes)
    columns = [getattr(part, item.name) for part in (quality, routes, outcome, load, later) for item in fields(part)]
    columns += [np.ravel(dataclasses.astuple(part)) for part in (tech.csma, tech.loadng)]
    columns += [np.concatenate([np.ravel(one) for one in dataclasses.astuple(tech.joining)]), tech.add_reverse_cost]
    env, meter = simpy.Environment(), int(np.flatnonzero(routes.server == 0)[0])
    env.run(tech.open_cell(env, paths, quality, routes, 0, draws).send(paths.n_meters, meter, bytes(600)))
    return np.concatenate([np.ravel(np.nan_to_num(np.asarray(column, float))) for column in [*columns, env.now]])


OTHER_VALUE = {
    "site_phases": 1, "meter_coupler_phases": 3, "environment": "urban", "cyclic_noise": "none", "max_hops": 2,
    "max_be": 3, "csma_decrease": 1, "cost_robust": 60.0, "cost_modulation": 40.0, "cost_tones": 60.0,
    "cost_quality": 60.0, "cost_hop": 60, "cost_routes": 200.0, "lqi_low": 60.0, "lqi_high": 90.0, "weak_lqi": 110.0,
    "net_traversal_s": 5.0, "rrep_wait_s": 1.0, "beacon_window_s": 30.0, "max_join_wait_s": 50.0,
    "profile": "metering", "discovery_first_s": (2.0, 4.0), "discovery_last_s": (30.0, 90.0),
    "join_first_s": (0.2, 2.0), "join_last_s": (3.0, 9.0), "join_slots": 4, "add_reverse_cost": 5, "rreq_retries": 2,
    "route_hysteresis": 0.0, "mesh_header_bytes": 8, "fragment_header_bytes": 9, "tone_map_ttl_s": 5.0,
    "csma_rate": 2, "rreq_jitter_low_lqi": 40.0, "rreq_jitter_high_lqi": 90.0, "parallel_polls": 4,
    "tx_level_dbuv": 110.0, "band": "cenelec-b", "notched_carriers": "0-5, 20",
    "mv_neighbours": 0, "noise_upper_dbm_hz": -100.0, "region_share": (0.5, 0.4, 0.1), "region_db": (0.0, 5.0, 30.0),
    "region_tilt_db": (0.0, 0.0, 0.0),
}  # fmt: skip
ABOVE_150_KHZ = {"band": "fcc", "country": "US"}
NEIGHBOURS = {"mv_neighbours": 4, "mv_crosstalk_loss_db": 40.0}
STEEP = {"cost_quality": 255.0, "lqi_low": 30.0, "lqi_high": 120.0, "weak_lqi": 0.0}
EVEN = {"weak_lqi": 0.0, "cost_quality": 255.0, "noise_offset_db": 10.0}
REGIONS = {"cyclic_noise": "regions"}
ONLY_IN = {
    "two_rs_blocks": ABOVE_150_KHZ, "broadcast_ratio": ABOVE_150_KHZ, "noise_upper_dbm_hz": ABOVE_150_KHZ,
    "noise_upper_slope_db": ABOVE_150_KHZ, "noise_upper_spread": ABOVE_150_KHZ, "region_share": REGIONS,
    "region_db": REGIONS, "region_tilt_db": REGIONS, "mv_neighbours": NEIGHBOURS, "mv_crosstalk_loss_db": NEIGHBOURS,
    "mv_activity": NEIGHBOURS, "routing_table_size": {"cost_routes": 200.0}, "idle_before_min": {"route_ttl_min": 30.0},
    "route_ttl_min": {"idle_before_min": 100.0}, "cost_hop": STEEP, "lqi_low": STEEP, "lqi_high": STEEP,
    "cost_modulation": {"weak_lqi": 0.0}, "route_repair": EVEN, "route_hysteresis": EVEN,
}  # fmt: skip
"""Where a parameter counts, if not in CENELEC A with the other defaults."""
THREE_PHASE = {"meter_coupler_phases"}
"""What counts for three-phase meters only."""
ELSEWHERE = {"max_link_length_m", "country", "allow_band", "class_116"}
"""Read by the planner when it lists the links; what may be used at all."""


def _harsh(**changes):
    """Noise, relays, lost frames and a short window: a place where everything counts."""
    return dataclasses.replace(TECH, **{"noise_offset_db": 22.0, "frame_retries": 2, "emitter_ratio": 0.1, **changes})


@cache
def _unchanged(changes, phases):
    """Answers of the harsh place before a parameter moves, worked out once for all that share it."""
    return _everything(_harsh(**dict(changes)), feeder(24, step_m=45.0, areas=2, phases=phases), Draws(5, 3))


@pytest.mark.parametrize("name", sorted({row["name"] for row in parameters_of(TECH)} - ELSEWHERE))
def test_every_parameter_moves_some_answer(name):
    changes = ONLY_IN.get(name, {})
    harsh = _harsh(**changes)
    value = getattr(harsh, name)
    other = OTHER_VALUE.get(name, not value if isinstance(value, bool) else None)
    if other is None:
        row = next(row for row in parameters_of(TECH) if row["name"] == name)
        other = type(value)(np.clip(value / 3, row["minimum"], row["maximum"]))
        partner = {high: low for low, high in RISING}.get(name)
        other = max(other, getattr(harsh, partner)) if partner else other
    phases = 3 if name in THREE_PHASE else 1
    assert other != value
    before = _unchanged(tuple(changes.items()), phases)
    paths = feeder(24, step_m=45.0, areas=2, phases=phases)
    after = _everything(dataclasses.replace(harsh, **{name: other}), paths, Draws(5, 3))
    assert before.shape != after.shape or not np.array_equal(before, after)


def test_a_leg_that_cannot_end_within_its_timeout_lacks_capacity_and_is_not_blamed_on_noise():
    paths = feeder(6)
    quality = TECH.assess(paths, Scenario(), DRAWS)
    routes = TECH.routes(paths, quality, np.ones(1, bool))
    hurried = dataclasses.replace(reading(6, answer_bytes=2000), timeout_s=np.full(12, 0.5))
    outcome = TECH.carry(hurried, routes, paths, quality, Scenario(), DRAWS)
    assert np.all(outcome.p_arrive == 0)
    assert np.all(outcome.reason == Reason.CAPACITY)


def test_a_concentrator_reads_in_its_share_of_the_window_only():
    paths = feeder(20)
    quality = TECH.assess(paths, Scenario(), DRAWS)
    _, easy = carried(TECH, paths, quality)
    cycle_s = float(easy.latency_p50_s.max())
    full, half = (
        carried(dataclasses.replace(TECH, airtime_share=share), paths, quality, window_s=1.1 * cycle_s)[1]
        for share in (1.0, 0.5)
    )
    assert np.all(full.p_arrive > 0.99)
    assert 0.35 < np.mean(half.p_arrive[0] > 0.99) < 0.65
    assert np.all(half.reason[half.p_arrive < 0.5] == Reason.CAPACITY)


def test_noise_that_an_offset_brought_is_called_noise():
    paths = feeder(10, step_m=60.0)
    plain = TECH.assess(paths, Scenario(), DRAWS)
    loud = TECH.assess(paths, Scenario(noise_offset_db=60.0), DRAWS)
    killed = plain.usable & ~loud.usable
    assert killed.any()
    assert np.all(loud.limit[killed] == Reason.NOISE)
    assert TECH.channel(Scenario()).quiet_db == pytest.approx(10.0)


def test_packet_error_ratio_broadcasts_and_tables_stand():
    ratio = TECH.packet_error_ratio(np.array([[-5.0], [30.0]]), np.array([0, 3]), 100)
    assert ratio.shape == (2, 2)
    assert np.all(ratio[0] > 0.9)
    assert np.all(ratio[1] < 1e-6)
    assert TECH.packet_error_ratio(20.0, -1, 100) == 1
    frames = TECH.tables()
    assert list(frames["modes"]["mode"]) == list(TECH.modes)
    assert frames["rate_bps by payload symbols"]["ROBO"].iloc[-1] == 5592
    assert list(frames["bands"]["band"]) == ["cenelec-a", "cenelec-b", "fcc", "arib"]
    assert list(Ieee19012().tables()["bands"]["band"]) == list(IEEE_1901_2_BANDS)


@pytest.mark.parametrize(
    ("tech", "country"),
    [
        (G3Plc, {"band": "cenelec-b"}),
        (G3Plc, {"band": "fcc", "country": "US", "two_rs_blocks": True}),
        (G3Plc, {"band": "arib", "country": "JP"}),
        (Ieee19012, {}),
        (Ieee19012, {"band": "fcc-low", "country": "US"}),
        (Ieee19012, {"band": "fcc-above-cenelec", "country": "US", "coherent": True}),
    ],
)
def test_every_band_routes_and_carries(tech, country):
    one = tech(emitter_ratio=0.0, **country)
    paths = feeder(6, step_m=20.0)
    quality = one.assess(paths, Scenario(), DRAWS)
    routes, outcome = carried(one, paths, quality)
    assert np.all(routes.server == 0)
    assert np.all(outcome.p_arrive > 0.9)
    assert set(np.unique(quality.mode_up)) <= set(range(len(one.modes)))
    assert quality.rate_up_bps.max() <= max(one.tables()["modes"]["rate_bps"]) + 1


def test_a_tone_mask_costs_rate_and_lengthens_every_frame():
    paths = feeder(6, step_m=20.0)
    spared = dataclasses.replace(TECH, notched_carriers="12-23")
    whole, masked = (one.assess(paths, Scenario(), DRAWS) for one in (TECH, spared))
    assert masked.rate_up_bps.max() < whole.rate_up_bps.max()
    assert spared.plan.header_symbols == 20
    assert spared.carriers.frequency_hz.size == 24


def test_a_band_without_allocation_needs_a_reason_which_the_notes_print():
    with pytest.raises(ValueError, match='write allow_band = "your reason"'):
        G3Plc(band="fcc")
    notes = G3Plc(band="fcc", allow_band="trial licence 17").band_notes
    assert "trial licence 17" in notes[0]
    assert "not checked" in notes[1]
    assert G3Plc().band_notes[1] == "132.0 dBuV peak of 134.0 allowed (EN 50065-1)"


def test_a_reason_for_the_band_lifts_no_limit_of_level_where_the_band_is_allowed():
    with pytest.raises(ValueError, match=r"lower the level by 6\.0 dB"):
        G3Plc(tx_level_dbuv=128.0, allow_band="trial")


def test_devices_of_class_116_are_held_to_it_above_95_khz():
    with pytest.raises(ValueError, match=r"DE allows 116\.0 .* lower the level by 16\.0 dB"):
        G3Plc(band="cenelec-b", class_116=True)
    assert G3Plc(band="cenelec-b", class_116=True, tx_level_dbuv=104.0).band_notes[1].startswith("116.0 dBuV peak")
    assert G3Plc(class_116=True).band_notes == G3Plc().band_notes


def test_noise_that_impulses_have_added_counts_as_added():
    def added(severity, **columns):
        table = {severity: {key: float(value) for key, value in columns.items()}}
        return TECH.channel(Scenario(powerline=LineScenario(severity=severity, severities=table))).added_db

    assert added("typical") == 0.0
    assert added("quiet") == 0.0
    assert added("harsh", impulse_ratio=0, pulse_s=0) == pytest.approx(3.0)
    assert added("harsh", pulse_s=0) == pytest.approx(3.0 + 10 * np.log10(11.0))
    assert added("harsh", impulse_ratio=0) == pytest.approx(3.0 + 10 * np.log10(1 + 100 * 50e-6 * 100))
