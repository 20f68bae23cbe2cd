"""Strong emitters: spectra at the source, what arrives elsewhere, and whose fault a failed link is."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
from amiplan.channels.draws import Draws, mix
from amiplan.channels.phy.g3_ofdm import CARRIER_HZ, CARRIER_SPACING_HZ
from amiplan.channels.powerline import channel
from amiplan.channels.powerline.emission import EmitterSettings, emission_dbuv, emitters
from amiplan.channels.powerline.nodal import impedance_columns
from amiplan.channels.technologies.g3_plc import G3Plc
from amiplan.channels.technology import Reason, Scenario
from feeders import feeder

TECH = G3Plc()
QUIET = dataclasses.replace(TECH, emitter_ratio=0.0)
DRAWS = Draws(3, 1)
KEYS = mix(np.arange(5000, dtype=np.uint64))
SPECTRUM = EmitterSettings(0.03, 70.0, 110.0, 4e3, 100e3, 200.0, 5e3)


def spectrum(**changes):
    return emission_dbuv(KEYS, CARRIER_HZ, CARRIER_SPACING_HZ, DRAWS, dataclasses.replace(SPECTRUM, **changes))


def both(quality):
    return np.stack([quality.margin_up_db, quality.margin_down_db])


def with_emitters(ratio, **changes):
    return dataclasses.replace(TECH, emitter_ratio=ratio, **changes)


def emitted_db(tech, paths, draws=DRAWS, scenario=Scenario()):  # noqa: B008
    """(2, n_links) mean over the carriers of what emitters add to the noise of the receiver, up and down."""
    added = np.zeros((2, paths.n_links))
    for block in channel.channel_blocks(paths, tech.channel(scenario), draws):
        if block.emitted is not None:
            added[:, block.link] = 10 * np.log10(block.emitted[block.heard.T]).mean(-1)
    return added


def test_the_share_of_emitters_is_the_ratio_and_more_of_them_keep_the_first():
    few, many = (emitters(KEYS, DRAWS, dataclasses.replace(SPECTRUM, ratio=r)) for r in (0.03, 0.3))
    assert few.size / KEYS.size == pytest.approx(0.03, abs=0.01)
    assert many.size / KEYS.size == pytest.approx(0.3, abs=0.03)
    assert set(few) <= set(many)
    assert emitters(KEYS, DRAWS, dataclasses.replace(SPECTRUM, ratio=0.0)).size == 0
    assert emitters(KEYS, DRAWS, dataclasses.replace(SPECTRUM, ratio=1.0)).size == KEYS.size
    backwards = emitters(KEYS[::-1], DRAWS, SPECTRUM)
    np.testing.assert_array_equal(np.sort(KEYS.size - 1 - backwards), emitters(KEYS, DRAWS, SPECTRUM))


def test_a_narrow_line_on_a_carrier_reads_its_level_and_a_wide_one_fills_the_carrier():
    line = {"low_dbuv": 100.0, "high_dbuv": 100.0, "switching_low_hz": 62500.0, "switching_high_hz": 62500.0}
    carrier = int(np.argmin(np.abs(CARRIER_HZ - 62500.0)))
    narrow = spectrum(**line, width_low_hz=1.0, width_high_hz=1.0)
    np.testing.assert_allclose(narrow[:, carrier], 100.0, atol=0.05)
    assert narrow[:, :carrier].max() < 65
    # a flat spectrum over one carrier holds 10 log10(1562.5 / 200) = 8.9 dB more than 200 Hz of it
    wide = spectrum(**line, width_low_hz=5e4, width_high_hz=5e4)
    np.testing.assert_allclose(wide[:, carrier], 108.9, atol=0.1)
    assert np.all(np.diff(wide[0, carrier:]) < 0)


def test_harmonics_fall_by_the_square_and_levels_stay_in_their_range():
    comb = spectrum(switching_low_hz=20e3, switching_high_hz=20e3, width_low_hz=10.0, width_high_hz=10.0)
    second, fourth = (comb[0, np.argmin(np.abs(CARRIER_HZ - f))] for f in (40e3, 80e3))
    assert second - fourth == pytest.approx(20 * np.log10(2), abs=0.3)
    peak = spectrum().max(axis=1)
    assert peak.min() > 65
    assert peak.max() < 120
    np.testing.assert_array_equal(
        emission_dbuv(KEYS[::-1], CARRIER_HZ, CARRIER_SPACING_HZ, DRAWS, SPECTRUM)[::-1], spectrum()
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ratio": 1.5}, "0 to 1"),
        ({"low_dbuv": 120.0}, "must rise"),
        ({"switching_low_hz": 0.0}, "switching"),
        ({"width_low_hz": 9e3}, "width"),
    ],
)
def test_impossible_emitters_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        emitters(KEYS[:3], DRAWS, dataclasses.replace(SPECTRUM, **change))


def test_what_arrives_is_the_level_times_the_voltage_ratio_of_the_network():
    paths = feeder(7, phases=3)
    tech = with_emitters(0.4)
    settings = tech.channel(Scenario())
    terminals = channel._terminals(paths, settings, DRAWS)
    assert 0 < terminals.emitter.size < 7
    plan = next(channel._plans(paths, settings.frequency_hz))
    shunt = channel._shunts(terminals, plan.member, plan.place, plan.line.n_nodes)
    z = impedance_columns(plan.line, shunt, plan.place)[0]
    level = emission_dbuv(paths.node_key[terminals.emitter], CARRIER_HZ, CARRIER_SPACING_HZ, DRAWS, settings.emitters)
    power = np.zeros((paths.n_meters + 1, CARRIER_HZ.size))
    for row, source in enumerate(terminals.emitter):
        power += (np.abs(z[:, :, source] / z[:, [source], source]) ** 2 * 10 ** (level[row, :, None] / 10)).T
    background = 10 ** (terminals.noise_dbuv / 10)
    for block in channel.channel_blocks(paths, settings, DRAWS):
        receiver = paths.to_node[block.link]
        np.testing.assert_allclose(block.emitted[block.heard[:, 0]], (1 + power / background)[receiver], rtol=1e-4)


@pytest.mark.parametrize("phases", [1, 3])
@pytest.mark.parametrize("extra", [(), [(0, 11, 30.0)]])
def test_removing_an_emitter_never_lowers_an_snr(phases, extra):
    paths = feeder(phases=phases, extra_edges=extra)
    margins = [both(with_emitters(r).assess(paths, Scenario(), DRAWS)) for r in (0.0, 0.15, 0.4, 1.0)]
    for fewer, more in pairwise(margins):
        assert np.all(fewer >= more - 1e-3)
    assert np.any(margins[0] > margins[3] + 10)


def test_no_emitter_is_the_network_without_them_whatever_they_would_look_like():
    paths = feeder(phases=1)
    one = QUIET.assess(paths, Scenario(), DRAWS)
    other = dataclasses.replace(QUIET, emitter_low_dbuv=120.0, emitter_high_dbuv=130.0).assess(paths, Scenario(), DRAWS)
    for name in ("snr_up_db", "snr_down_db", "mode_up", "mode_down", "limit", "loss_db"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def far_emission_db(paths, scenario=Scenario(), apart=4):  # noqa: B008
    """Mean rise of the noise at receivers at least so many houses away from the only emitter."""
    tech, rises = with_emitters(0.1), []
    for number in range(10):
        draws = Draws(3, number)
        host = emitters(paths.node_key[: paths.n_meters], draws, tech.channel(scenario).emitters)
        if host.size == 1:
            added = emitted_db(tech, paths, draws, scenario)[0]
            rises.extend(added[np.abs(paths.to_node - host) >= apart])
    assert len(rises) > 20
    return np.mean(rises)


def test_emission_travels_less_far_over_lossy_paths():
    near = far_emission_db(feeder(10, step_m=20.0))
    assert far_emission_db(feeder(10, step_m=120.0)) < near - 3
    assert far_emission_db(feeder(10, step_m=20.0), Scenario(load_impedance_factor=0.2)) < near - 3


def test_another_phase_hears_an_emitter_less():
    paths, tech = feeder(16, phases=1), with_emitters(0.06)
    same, other = [], []
    for number in range(12):
        draws = Draws(3, number)
        terminals = channel._terminals(paths, tech.channel(Scenario()), draws)
        if terminals.emitter.size != 1:
            continue
        added = emitted_db(tech, paths, draws)[0]
        meters = paths.to_node < paths.n_meters
        on = terminals.phase[paths.to_node] == terminals.phase[terminals.emitter[0]]
        same.extend(added[meters & on])
        other.extend(added[meters & ~on])
    assert len(same) > 20
    assert np.mean(other) < np.mean(same) - 3


def test_noise_is_the_reason_where_an_emitter_limits_and_attenuation_where_quiet_fails_too():
    strong = {"emitter_low_dbuv": 110.0, "emitter_high_dbuv": 110.0, "emitter_width_low_hz": 5e3}
    paths = feeder(10, phases=3)
    noisy = with_emitters(1.0, **strong).assess(paths, Scenario(), DRAWS)
    works_quiet = QUIET.assess(paths, Scenario(), DRAWS).usable
    failed = ~noisy.usable
    assert (failed & works_quiet).any()
    assert np.all(noisy.limit[failed & works_quiet] == Reason.NOISE)
    long = feeder(10, step_m=400.0)
    noisy, quiet = (tech.assess(long, Scenario(), DRAWS) for tech in (with_emitters(1.0, **strong), QUIET))
    hopeless = np.minimum(quiet.margin_up_db, quiet.margin_down_db) < -TECH.quiet_db(0.0) - 0.1
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
    paths, tech = feeder(6, phases=1), with_emitters(0.3)
    kept = tech.assess(paths, Scenario(), DRAWS)
    monkeypatch.setattr(channel, "KEPT_LINKS", 0)
    np.testing.assert_array_equal(tech.assess(paths, Scenario(), DRAWS).snr_up_db, kept.snr_up_db)
