"""From cables to link quality: what must hold of the whole channel, whatever its parts say."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
from amiplan.channels.draws import Draws, mix
from amiplan.channels.paths import CablePaths
from amiplan.channels.powerline.assess import assess_links
from amiplan.channels.powerline.channel import area_channel, drawn_phases
from amiplan.channels.powerline.phases import ALL_PHASES
from amiplan.channels.powerline.plans import plan, survey
from amiplan.channels.powerline.scenarios import LineScenario
from amiplan.channels.powerline.views import feeder_view, link_numbers
from amiplan.channels.scenario import Scenario
from amiplan.channels.technologies.g3_plc import G3Plc
from amiplan.channels.technology import Reason
from feeders import feeder

TECH = G3Plc()
CALM = G3Plc(emitter_ratio=0.0)
DRAWS = Draws(3, 1)


def both(quality):
    return np.concatenate([quality.margin_up_db, quality.margin_down_db])


def solved_area(paths, tech=TECH, scenario=None, draws=DRAWS, site=0):
    settings = tech.channel(scenario or Scenario())
    what = survey(paths)
    phases = drawn_phases(paths, what.branch, settings, draws)
    area = plan(paths, what, np.array([site]), settings.frequency_hz)
    return area_channel(paths, area, phases, settings, draws)


def severity(name, **others):
    return Scenario(powerline=LineScenario(severity=name, **others))


@pytest.mark.parametrize("phases", [1, 3])
def test_no_link_is_better_on_a_harsher_line(phases):
    paths = feeder(16, step_m=35.0, areas=3, phases=phases)
    for replication in range(3):
        quality = [TECH.assess(paths, severity(name), Draws(9, replication)) for name in ("quiet", "typical", "harsh")]
        for better, worse in pairwise(quality):
            assert np.all(both(worse) <= both(better) + 1e-3)
            assert np.mean(both(worse) < both(better) - 1.0) > 0.5
            assert np.all(worse.rate_up_bps <= better.rate_up_bps)
            np.testing.assert_allclose(worse.loss_db, better.loss_db, rtol=1e-6)


def test_an_evening_is_noisier_and_heavier_than_a_night():
    paths = feeder(16, phases=1)
    night, evening = (TECH.assess(paths, severity("typical", time=time), DRAWS) for time in ("night", "evening"))
    assert both(evening).mean() < both(night).mean() - 2
    assert np.abs(evening.loss_db - night.loss_db).max() > 0.5


def test_open_circuit_transfer_impedance_is_reciprocal_but_links_are_not():
    paths = feeder(8, phases=1)
    channel = solved_area(paths, CALM)
    place = np.unique(channel.plan.place)
    y = np.moveaxis(channel.solved.seen_s(place), -1, 2)
    n, n_states, n_carriers, n_phases = y.shape[:4]
    # one ampere into each phase of each node in turn: the voltage there, and the voltages it makes elsewhere
    z = np.empty((n, n_phases, n, n_phases, n_states, n_carriers), complex)
    own = np.linalg.inv(y)
    for phase in range(n_phases):
        held = np.ascontiguousarray(np.moveaxis(own[..., phase], 2, 3))
        z[:, phase] = np.moveaxis(channel.solved.voltages(place, held, place), (2, 3), (3, 2))
    np.testing.assert_allclose(z, z.transpose(2, 3, 0, 1, 4, 5), rtol=1e-6, atol=1e-9 * np.abs(z).max())
    quality = CALM.assess(paths, Scenario(), DRAWS)
    assert np.abs(quality.snr_up_db - quality.snr_down_db).max() > 3


def test_answers_depend_neither_on_rows_nor_on_other_areas_nor_on_threads():
    many = feeder(9, areas=4, phases=1)
    n, whole = many.n_meters, TECH.assess(many, Scenario(), DRAWS)
    threads = assess_links(many, TECH, TECH.adaptation(TECH.state_of_bin, 50.0), Scenario(), DRAWS, threads=3)
    for item in dataclasses.fields(whole):
        np.testing.assert_array_equal(getattr(whole, item.name), getattr(threads, item.name))
    keys = many.node_key
    alone = TECH.assess(feeder(9, phases=1, keys=np.r_[keys[18:27], keys[n + 2 : n + 3]]), Scenario(), DRAWS)
    mine = (many.from_node >= 18) & (many.from_node < 27)
    np.testing.assert_allclose(whole.margin_up_db[mine], alone.margin_up_db, atol=1e-4)
    np.testing.assert_array_equal(whole.limit[mine], alone.limit)
    order = np.random.default_rng(1).permutation(many.n_links)
    columns = {name: getattr(many, name)[order] for name in ("from_node", "to_node", "distance_m")}
    np.testing.assert_array_equal(
        TECH.assess(dataclasses.replace(many, **columns), Scenario(), DRAWS).margin_down_db, whole.margin_down_db[order]
    )
    cable = np.random.default_rng(2).permutation(many.edge_from.size)
    columns = {n: getattr(many, n)[cable] for n in ("edge_from", "edge_to", "edge_length_m", "edge_cable")}
    shuffled = TECH.assess(dataclasses.replace(many, **columns), Scenario(), DRAWS)
    np.testing.assert_allclose(both(shuffled), both(whole), atol=2e-3)


def test_some_links_of_an_area_are_as_all_of_them():
    paths = feeder(9, phases=1)
    some = np.flatnonzero(paths.to_node >= paths.n_meters)
    columns = {name: getattr(paths, name)[some] for name in ("from_node", "to_node", "distance_m")}
    part = TECH.assess(dataclasses.replace(paths, **columns), Scenario(), DRAWS)
    np.testing.assert_array_equal(part.margin_up_db, TECH.assess(paths, Scenario(), DRAWS).margin_up_db[some])


@pytest.mark.parametrize("phases", [1, 3])
def test_removing_a_noise_source_never_lowers_a_margin(phases):
    paths = feeder(phases=phases)
    noisy = dataclasses.replace(CALM, noise_lines_per_node=8.0).assess(paths, Scenario(), DRAWS)
    clean = dataclasses.replace(CALM, noise_lines_per_node=0.0).assess(paths, Scenario(), DRAWS)
    assert np.all(both(clean) >= both(noisy) - 1e-3)
    assert np.any(both(clean) > both(noisy) + 0.1)
    loud = dataclasses.replace(TECH, emitter_ratio=0.3).assess(paths, Scenario(), DRAWS)
    assert np.all(both(CALM.assess(paths, Scenario(), DRAWS)) >= both(loud) - 1e-3)


def test_crosstalk_from_neighbouring_transformers_enters_at_the_bus():
    paths = feeder(12, phases=1)
    direct = paths.to_node >= paths.n_meters
    heard = dataclasses.replace(CALM, mv_neighbours=4, mv_activity=1.0, mv_crosstalk_loss_db=30.0)
    alone, crowded = (tech.assess(paths, Scenario(), DRAWS) for tech in (CALM, heard))
    assert np.all(both(crowded) <= both(alone) + 1e-3)
    lost_db = (alone.margin_up_db - crowded.margin_up_db)[direct]
    assert lost_db.mean() > 8
    far = dataclasses.replace(heard, mv_crosstalk_loss_db=150.0).assess(paths, Scenario(), DRAWS)
    np.testing.assert_allclose(both(far), both(alone), atol=1e-2)
    silent = heard.assess(paths, Scenario(interference=False), DRAWS)
    np.testing.assert_array_equal(both(silent), both(alone))


def test_a_coupler_on_three_phases_reaches_all_and_a_single_one_crosses():
    paths = feeder(14, phases=1)
    direct = paths.to_node >= paths.n_meters
    three, one = (dataclasses.replace(CALM, site_phases=count) for count in (3, 1))
    losses = [
        np.mean([tech.assess(paths, Scenario(), Draws(4, r)).loss_db[direct] for r in range(6)], axis=0)
        for tech in (three, one)
    ]
    assert losses[1].mean() > losses[0].mean() + 3
    channel = solved_area(paths, one)
    assert np.all(channel.coupled.sum(1) == 1)
    assert solved_area(paths, three).phase[-1] == ALL_PHASES
    assert (one.assess(paths, severity("harsh"), DRAWS).limit == Reason.CROSS_PHASE).any()
    meters = feeder(14, phases=3)
    switching = dataclasses.replace(CALM, meter_coupler_phases=3).assess(meters, Scenario(), DRAWS)
    assert np.abs(switching.loss_db - CALM.assess(meters, Scenario(), DRAWS).loss_db).max() > 1


def test_meters_behind_two_core_services_have_their_phase_and_nothing_else():
    paths = feeder(10, phases=1)
    service = dataclasses.replace(paths.cables[1], name="service", n_phases=1)
    two_core = dataclasses.replace(paths, cables=(paths.cables[0], service))
    adaptation = TECH.adaptation(TECH.state_of_bin, TECH.mains_hz)
    quality, plain = (TECH.assess(one, Scenario(), DRAWS) for one in (two_core, paths))
    assert np.isfinite(quality.loss_db).all()
    # the same phases as with four cores; those not used float at the meter instead of carrying stray loads
    assert np.abs(quality.loss_db - plain.loss_db).mean() < 6
    view = feeder_view(two_core, TECH, adaptation, Scenario(), DRAWS, 0)
    assert np.all(np.isfinite(view.access_ohm))
    assert np.all(view.access_ohm.real > 0)
    shown = link_numbers(two_core, TECH, adaptation, Scenario(), DRAWS, 3)
    assert shown.up.robust_snr_db - adaptation.threshold_db[0] == pytest.approx(quality.margin_up_db[3], abs=1e-3)


def test_one_circuit_knows_no_crossing():
    paths, off = feeder(phases=1), dataclasses.replace(CALM, phase_model=False)
    quality = off.assess(paths, severity("harsh"), DRAWS)
    assert not (quality.limit == Reason.CROSS_PHASE).any()
    assert solved_area(paths, off).solved.method == "one circuit"


def test_a_loop_too_long_to_close_is_the_tree_with_two_endless_stubs():
    looped, tree = feeder(6, phases=1, extra_edges=[(2, 12, 2e5)]), feeder(6, phases=1)
    stubs = dataclasses.replace(
        tree,
        edge_from=np.r_[tree.edge_from, 2, 12],
        edge_to=np.r_[tree.edge_to, 13, 14],
        edge_length_m=np.r_[tree.edge_length_m, 1e5, 1e5],
        edge_cable=np.r_[tree.edge_cable, 0, 0],
        feeder_area=np.r_[tree.feeder_area, 0, 0],
    )
    whole, cut = (TECH.assess(paths, Scenario(), DRAWS) for paths in (looped, stubs))
    np.testing.assert_allclose(whole.loss_db, cut.loss_db, atol=1e-3)
    np.testing.assert_allclose(both(whole), both(cut), atol=1e-2)
    real = TECH.assess(feeder(6, phases=1, extra_edges=[(0, 11, 30.0)]), Scenario(), DRAWS).loss_db
    assert np.abs(real - TECH.assess(tree, Scenario(), DRAWS).loss_db).max() > 3


BURSTS = Scenario(powerline=LineScenario(severities={"typical": {"burst_rate_hz": 900.0, "burst_length_s": 1e-3}}))


@pytest.mark.parametrize(
    ("change", "scenario"),
    [
        ({"emitter_ratio": 0.5}, Scenario()),
        ({"mv_neighbours": 50, "mv_activity": 1.0, "mv_crosstalk_loss_db": 10.0}, Scenario()),
        ({}, BURSTS),
    ],
    ids=["emitters", "neighbours", "bursts"],
)
def test_what_others_send_leaves_a_line_that_works_without_to_be_called_noisy(change, scenario):
    paths = feeder(14, step_m=30.0, phases=1)
    loud = dataclasses.replace(CALM, **change)
    quality, quiet = loud.assess(paths, scenario, DRAWS), CALM.assess(paths, Scenario(), DRAWS)
    killed = quiet.usable & ~quality.usable
    assert killed.any()
    assert np.all(quality.limit[killed] == Reason.NOISE)
    assert (both(quiet) - both(quality)).max() > CALM.channel(Scenario()).quiet_db


def test_dead_pairs_have_no_link_and_fail_for_attenuation():
    paths = feeder(14, step_m=60.0, phases=1)
    quality = dataclasses.replace(CALM, dead_loss_db=40.0).assess(paths, Scenario(), DRAWS)
    dead = quality.loss_db == np.inf
    assert dead.any()
    assert np.all(quality.mode_up[dead & np.isneginf(quality.snr_up_db)] == -1)
    assert np.all(quality.limit[dead & np.isneginf(both(quality)[: dead.size])] == Reason.ATTENUATION)
    assert quality.loss_db[~dead].max() < 41
    # of a pair that hears one way only, the loss is that of this way
    one_way = np.isneginf(quality.snr_up_db) != np.isneginf(quality.snr_down_db)
    assert one_way.any()
    assert np.isfinite(quality.loss_db[one_way]).all()


@pytest.mark.parametrize(
    ("band", "country", "cut_at_90"), [("cenelec-a", "DE", False), ("fcc", "US", True), ("arib", "JP", True)]
)
def test_no_usable_link_is_left_out_on_a_quiet_night(band, country, cut_at_90):
    """Four strings of 25 houses: a robust frame gets through on few good carriers, whatever the mean attenuation."""
    paths = feeder(100, step_m=25.0, phases=1, keys=mix(np.arange(101, dtype=np.uint64)))
    start = paths.edge_from.copy()
    start[::50] = 0
    three = np.where(np.arange(100) % 5 == 0, 3, 1).astype(np.int8)
    paths = dataclasses.replace(paths, edge_from=start, meter_phases=three)
    tech, night = G3Plc(band=band, country=country), severity("quiet", time="night")
    every, kept, few = (
        dataclasses.replace(tech, dead_loss_db=loss_db).assess(paths, night, Draws(5, 2)).usable
        for loss_db in (200.0, tech.dead_loss_db, 90.0)
    )
    np.testing.assert_array_equal(kept, every)
    assert (np.mean(every & ~few) > 0.05) == cut_at_90


def test_the_feeder_view_shows_what_the_links_say():
    paths = feeder(10, phases=1)
    adaptation = TECH.adaptation(TECH.state_of_bin, TECH.mains_hz)
    view = feeder_view(paths, TECH, adaptation, Scenario(), DRAWS, 0)
    quality = TECH.assess(paths, Scenario(), DRAWS)
    assert view.node[0] == paths.n_meters
    assert np.all(np.diff(view.distance_m) >= 0)
    assert view.state_share.sum() == pytest.approx(1)
    assert np.all(view.access_ohm.real > 0)
    assert np.all(view.worst_noise_dbuv >= view.noise_dbuv - 1e-9)
    link = {int(m): i for i, m in enumerate(paths.from_node) if paths.to_node[i] >= paths.n_meters}
    for row, node in enumerate(view.node[1:], 1):
        assert view.mode_up[row] == quality.mode_up[link[int(node)]]
        assert view.mode_down[row] == quality.mode_down[link[int(node)]]
        assert view.distance_m[row] == pytest.approx(paths.distance_m[link[int(node)]])


def test_link_numbers_are_those_of_the_assessment():
    paths = feeder(10, phases=1)
    adaptation = TECH.adaptation(TECH.state_of_bin, TECH.mains_hz)
    quality = TECH.assess(paths, Scenario(), DRAWS)
    for link in (0, 7, paths.n_links - 1):
        shown = link_numbers(paths, TECH, adaptation, Scenario(), DRAWS, link)
        floor_db = adaptation.threshold_db[0]
        assert shown.up.robust_snr_db - floor_db == pytest.approx(quality.margin_up_db[link], abs=1e-3)
        assert shown.down.robust_snr_db - floor_db == pytest.approx(quality.margin_down_db[link], abs=1e-3)
        assert (shown.up.mode, shown.down.mode) == (quality.mode_up[link], quality.mode_down[link])
        mean_loss = (shown.up.loss_db.mean() + shown.down.loss_db.mean()) / 2
        assert mean_loss == pytest.approx(quality.loss_db[link], abs=1.5)
        assert shown.first.injected_dbuv.max() <= TECH.tx_level_dbuv
        assert shown.first.throttle_db >= 0
        level = 10 * np.log10(10 ** (TECH.tx_level_dbuv / 10) / shown.frequency_hz.size)
        straight = level - shown.up.loss_db - shown.up.noise_dbuv.mean(axis=0)
        assert np.abs(straight - shown.up.snr_db.mean(axis=0)).max() < 4


def test_views_refuse_what_has_no_link():
    paths = feeder(3, areas=2)
    adaptation = TECH.adaptation(TECH.state_of_bin, TECH.mains_hz)
    with pytest.raises(ValueError, match="site 5 feeds no link"):
        feeder_view(paths, TECH, adaptation, Scenario(), DRAWS, 5)
    astray = dataclasses.replace(paths, from_node=np.array([0]), to_node=np.array([5]), distance_m=np.array([9.0]))
    astray = dataclasses.replace(
        astray, from_node=np.array([0, 0]), to_node=np.array([5, 1]), distance_m=np.array([9.0, 9.0])
    )
    with pytest.raises(ValueError, match="link 0 joins nodes of two networks"):
        link_numbers(astray, TECH, adaptation, Scenario(), DRAWS, 0)


def test_no_links_are_no_error():
    paths = feeder(3)
    none = dataclasses.replace(paths, from_node=np.zeros(0, int), to_node=np.zeros(0, int), distance_m=np.zeros(0))
    assert TECH.assess(none, Scenario(), DRAWS).margin_up_db.size == 0
    assert isinstance(none, CablePaths)


@pytest.mark.parametrize("severity", ["quiet", "harsh"])
def test_coherent_modes_do_not_lose_links(severity):
    """Payloads that need less SNR, headers as before: links are won, and the margin stays or grows on nearly all."""
    paths = feeder(14, 40.0, phases=1)
    scenario = Scenario(powerline=LineScenario(severity=severity))
    plain, coherent = (G3Plc(coherent=on).assess(paths, scenario, Draws(5, 0)) for on in (False, True))
    assert coherent.usable.sum() >= plain.usable.sum()
    both = np.isfinite(plain.margin_up_db) & np.isfinite(coherent.margin_up_db)
    assert np.mean(coherent.margin_up_db[both] >= plain.margin_up_db[both] - 0.1) > 0.95
