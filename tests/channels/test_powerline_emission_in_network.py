"""Strong emitters in a network: what arrives elsewhere, and whose fault a failed link is."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
from amiplan.channels.draws import Draws
from amiplan.channels.powerline import plans
from amiplan.channels.powerline.channel import area_channel, drawn_phases
from amiplan.channels.powerline.emission import emitter_patterns, emitters_of
from amiplan.channels.powerline.phases import ALL_PHASES
from amiplan.channels.scenario import Scenario
from amiplan.channels.technologies.g3_plc import G3Plc
from amiplan.channels.technology import Reason
from feeders import feeder

TECH = G3Plc()
QUIET = dataclasses.replace(TECH, emitter_ratio=0.0)
DRAWS = Draws(3, 1)


def both(quality):
    return np.stack([quality.margin_up_db, quality.margin_down_db])


def with_emitters(ratio, **changes):
    return dataclasses.replace(TECH, emitter_ratio=ratio, **changes)


def solved(tech, paths, draws=DRAWS, scenario=None):
    """The only area of the paths, its emitters, and the phases of all."""
    settings = tech.channel(scenario or Scenario())
    what = plans.survey(paths)
    phases = drawn_phases(paths, what.branch, settings, draws)
    area = area_channel(paths, plans.plan(paths, what, np.array([0]), settings.frequency_hz), phases, settings, draws)
    found = emitters_of(
        paths.node_key[: paths.n_meters],
        None,
        settings.frequency_hz,
        settings.bandwidth_hz,
        draws,
        settings.noise.emitters,
    )
    return area, found, phases


def added_db(area):
    """(n_members,) mean over half cycle and carriers of what emitters add at the first phase a member listens to."""
    ratio = 10 * np.log10(area.reception.noise_uv2 / area.reception.quiet_uv2).mean((1, 2))
    return ratio[area.reception.row.max(axis=1)]


@pytest.mark.parametrize("extra", [(), [(0, 11, 30.0)]])
def test_what_arrives_is_the_level_times_the_voltage_ratio_of_the_network(extra):
    paths = feeder(7, phases=1, extra_edges=extra)
    area, found, phases = solved(with_emitters(0.9), paths)
    assert found.row.size > 1
    state = area.state_of_bin
    pattern = emitter_patterns(with_emitters(0.9).channel(Scenario()).noise.emitters, 3)
    expected = area.reception.quiet_uv2.copy()
    row = area.reception.row
    for host, level, kind in zip(found.row, found.level_uv2, found.kind, strict=True):
        member = int(np.flatnonzero(area.plan.member == host)[0])
        phase = int(phases.load[host])
        z = np.linalg.inv(np.moveaxis(area.y_seen_s[member], -1, 1))
        held = np.moveaxis(z[..., phase] / z[..., phase, phase, None], 1, 2)
        volts = area.solved.voltages(area.plan.place[[member]], held[None], area.plan.place)[0]
        power = np.moveaxis(np.abs(volts) ** 2, 1, 2)[:, :, state] * level * pattern[kind, phase][:, None]
        for listener, heard in np.argwhere(row >= 0):
            expected[row[listener, heard]] += power[listener, heard]
    np.testing.assert_allclose(area.reception.noise_uv2, expected, rtol=1e-3)


@pytest.mark.parametrize("phases", [1, 3])
@pytest.mark.parametrize("extra", [(), [(0, 11, 30.0)]])
def test_removing_an_emitter_never_lowers_an_snr(phases, extra):
    paths = feeder(phases=phases, extra_edges=extra)
    margins = [both(with_emitters(r).assess(paths, Scenario(), DRAWS)) for r in (0.0, 0.15, 0.4, 1.0)]
    for fewer, more in pairwise(margins):
        assert np.all(fewer >= more - 1e-3)
    assert np.any(margins[0] > margins[3] + 10)


def far_emission_db(paths, scenario=None, apart=4):
    """Mean rise of the noise at receivers at least so many houses away from the only emitter, on its phase."""
    rises = []
    for number in range(40):
        area, found, phases = solved(with_emitters(0.1), paths, Draws(3, number), scenario)
        if found.row.size == 1:
            meters = np.arange(paths.n_meters)
            far = (np.abs(meters - found.row[0]) >= apart) & (phases.coupler[meters] == phases.load[found.row[0]])
            rises.extend(added_db(area)[np.isin(area.plan.member, meters[far])])
    assert len(rises) > 15
    return np.mean(rises)


def test_emission_travels_less_far_over_lossy_paths():
    near = far_emission_db(feeder(10, step_m=20.0, phases=1))
    assert far_emission_db(feeder(10, step_m=120.0, phases=1)) < near - 3
    assert far_emission_db(feeder(10, step_m=20.0, phases=1), Scenario(load_impedance_factor=0.2)) < near - 3


def test_another_phase_hears_an_emitter_less():
    paths, same, other = feeder(16, phases=1), [], []
    for number in range(20):
        area, found, phases = solved(with_emitters(0.06), paths, Draws(3, number))
        if found.row.size == 1:
            meter = area.plan.member < paths.n_meters
            on = phases.coupler[area.plan.member] == phases.load[found.row[0]]
            same.extend(added_db(area)[meter & on])
            other.extend(added_db(area)[meter & ~on])
    assert len(same) > 20
    assert np.mean(other) < np.mean(same) - 3


def test_a_three_phase_house_emits_on_one_drawn_phase():
    paths = feeder(16, phases=3)
    area, found, phases = solved(with_emitters(0.06, meter_coupler_phases=3), paths)
    for number in range(20):
        area, found, phases = solved(with_emitters(0.06, meter_coupler_phases=3), paths, Draws(4, number))
        if found.row.size == 1:
            break
    assert phases.load[found.row[0]] == ALL_PHASES
    own = area.reception.row[np.flatnonzero(area.plan.member == found.row[0])[0]]
    rise = 10 * np.log10(area.reception.noise_uv2 / area.reception.quiet_uv2).mean((1, 2))[own]
    assert np.sort(rise)[-1] > np.sort(rise)[-2] + 3


def test_noise_is_the_reason_where_an_emitter_limits_and_attenuation_where_quiet_fails_too():
    paths = feeder(10, phases=3)
    noisy = with_emitters(1.0).assess(paths, Scenario(), DRAWS)
    works_quiet = QUIET.assess(paths, Scenario(), DRAWS).usable
    failed = ~noisy.usable
    assert (failed & works_quiet).any()
    assert np.all(noisy.limit[failed & works_quiet] == Reason.NOISE)
    one = dataclasses.replace(QUIET, phase_model=False)
    long = feeder(10, step_m=400.0)
    noisy, quiet = (tech.assess(long, Scenario(), DRAWS) for tech in (dataclasses.replace(one, emitter_ratio=1.0), one))
    hopeless = np.minimum(quiet.margin_up_db, quiet.margin_down_db) < -10.1
    assert hopeless.any()
    assert np.all(noisy.limit[hopeless] == Reason.ATTENUATION)


def test_a_jammed_concentrator_leaves_an_island_that_fails_for_noise():
    paths = feeder(10, phases=3)
    quality = QUIET.assess(paths, Scenario(), DRAWS)
    to_site = paths.to_node == paths.n_meters
    deaf = dataclasses.replace(
        quality,
        mode_up=np.where(to_site, np.int8(-1), quality.mode_up),
        margin_up_db=np.where(to_site, -20.0, quality.margin_up_db),
        limit=np.where(to_site, np.int8(Reason.NOISE), np.int8(Reason.ATTENUATION)),
    )
    routes = QUIET.routes(paths, deaf, np.ones(1, bool))
    assert np.all(routes.server == -1)
    assert np.all(routes.reason == Reason.NOISE)


def test_shuffled_links_and_a_second_run_give_the_same_answers():
    paths = feeder(9, areas=2, phases=1, extra_edges=[(0, 11, 30.0)])
    tech = with_emitters(0.3)
    first, again = (tech.assess(paths, Scenario(), DRAWS) for _ in range(2))
    order = np.random.default_rng(1).permutation(paths.n_links)
    mixed = dataclasses.replace(
        paths, from_node=paths.from_node[order], to_node=paths.to_node[order], distance_m=paths.distance_m[order]
    )
    shuffled = tech.assess(mixed, Scenario(), DRAWS)
    for name in ("snr_up_db", "snr_down_db", "mode_up", "limit"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
        np.testing.assert_allclose(getattr(shuffled, name), getattr(first, name)[order], rtol=1e-6)


def test_too_large_paths_are_planned_anew_and_equal(monkeypatch):
    tech = with_emitters(0.3)
    kept = tech.assess(feeder(6, phases=1), Scenario(), DRAWS)
    monkeypatch.setattr(plans, "KEPT_BYTES", 0)
    np.testing.assert_array_equal(tech.assess(feeder(6, phases=1), Scenario(), DRAWS).snr_up_db, kept.snr_up_db)
