"""PRIME's registered trees, what messages cost over them, and the technology as a whole on made-up link tables."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
from amiplan.channels.draws import Draws
from amiplan.channels.mac.prime.control import control_of, found_busy, held_up_s
from amiplan.channels.mac.prime.exchange import leg_costs
from amiplan.channels.mac.prime.freshness import stale_ratios
from amiplan.channels.mac.prime.hidden import hidden
from amiplan.channels.mac.prime.hops import hop_loss, hops_of, robust_threshold_db
from amiplan.channels.mac.prime.neighbours import links_of
from amiplan.channels.routing.prime_tree import registered_tree
from amiplan.channels.scenario import Scenario
from amiplan.channels.technologies.prime import Prime
from amiplan.channels.technology import DOWN, UP, CourseStep, Reason
from g3_cells import fewest_hops
from hypothesis import given, settings
from hypothesis import strategies as st
from prime_cells import falling_quality, readings, streets
from prime_packet import prime_links

NEW, OLD = Prime(), Prime(version="1.3.6")
ALONE = np.ones(1, bool)


def routes_of(tech, n_meters=12, reach_m=3.5, **keys):
    paths = streets(n_meters)
    quality = falling_quality(tech, paths, reach_m, **keys)
    return paths, quality, tech.routes(paths, quality, ALONE)


def silent(mac):
    """The same without keep-alives, which destroy what they meet."""
    return dataclasses.replace(mac, alive_s=1e15)


def costs(tech, n_bytes=200, **keys):
    paths, quality, routes = routes_of(tech, **keys)
    exchanges = readings(paths.n_meters, n_bytes)
    nobody = np.zeros(paths.n_meters + 1, bool)
    return leg_costs(silent(tech.mac), exchanges, routes, paths, quality, nobody, response_s=tech.response_s), routes


# trees


def test_a_street_is_read_over_the_fewest_switches():
    """Reach of three places: hops count up every three meters, and one meter in three or fewer relays."""
    paths, _, routes = routes_of(NEW)
    assert routes.hops.tolist() == [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]
    switches = set(routes.parent.tolist()) - {paths.n_meters}
    assert switches == {2, 5, 8}


def test_the_best_of_equals_is_promoted_and_an_existing_switch_is_enough():
    """Meters 3 and 4 both hear 1 and 2: the first to ask promotes the better one, the other joins what is there."""
    paths, _, routes = routes_of(NEW, n_meters=5, reach_m=3.0)
    assert routes.hops.tolist() == [1, 1, 1, 2, 2]
    assert len(set(routes.parent.tolist()) - {paths.n_meters}) == 1


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 25), st.floats(1.2, 12.0))
def test_trees_have_no_loops_and_levels_are_the_least(seed, n_meters, reach_m):
    rng = np.random.default_rng(seed)
    paths = streets(n_meters, 2, key=seed)
    quality = falling_quality(NEW, paths, reach_m, rng=rng, spread_db=4.0)
    routes = NEW.routes(paths, quality, np.ones(2, bool))
    heard = np.zeros((paths.n_meters + 2,) * 2, bool)
    rows = quality.usable
    heard[paths.from_node[rows], paths.to_node[rows]] = heard[paths.to_node[rows], paths.from_node[rows]] = True
    level = np.where(np.arange(paths.n_meters + 2) >= paths.n_meters, 0, 999)
    for hop in range(1, paths.n_meters + 1):
        level = np.where((level == 999) & heard[level == hop - 1].any(0), hop, level)
    served = routes.server >= 0
    np.testing.assert_array_equal(served, level[: paths.n_meters] < 999)
    np.testing.assert_array_equal(routes.hops[served], level[: paths.n_meters][served])
    assert ((routes.reason == Reason.NONE) == served).all()
    for meter in np.flatnonzero(served):
        way = [meter]
        while way[-1] < paths.n_meters:
            way.append(int(routes.parent[way[-1]]))
            assert heard[way[-2], way[-1]]
        assert way[-1] == paths.n_meters + routes.server[meter] == paths.n_meters + meter // n_meters
        assert len(way) == routes.hops[meter] + 1


@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_rows_changes_nothing(seed):
    rng = np.random.default_rng(seed)
    paths = streets(20)
    quality = falling_quality(NEW, paths, 5.0, rng=rng, spread_db=3.0)
    shuffled = rng.permutation(paths.n_links)
    turned = dataclasses.replace(
        paths,
        from_node=paths.from_node[shuffled],
        to_node=paths.to_node[shuffled],
        distance_m=paths.distance_m[shuffled],
    )
    columns = {item.name: getattr(quality, item.name)[shuffled] for item in dataclasses.fields(quality)}
    here, there = NEW.routes(paths, quality, ALONE), NEW.routes(turned, dataclasses.replace(quality, **columns), ALONE)
    np.testing.assert_array_equal(here.parent, there.parent)
    np.testing.assert_array_equal(here.link, shuffled[there.link])


def test_levels_and_switches_are_limited():
    shallow = routes_of(Prime(max_level=1))[2]
    assert shallow.hops.tolist() == [1] * 3 + [2] * 3 + [0] * 6
    assert set(shallow.reason[6:9]) == {Reason.HOP_LIMIT}
    few = routes_of(Prime(max_switches=2))[2]
    assert (few.hops > 0).tolist() == [True] * 9 + [False] * 3
    assert set(few.reason[9:]) == {Reason.CAPACITY}
    paths, quality, _ = routes_of(NEW)
    with pytest.raises(ValueError, match="negative"):
        registered_tree(paths, quality, np.zeros(13, np.int64), ALONE, most_level=-1, most_switches=3)


def test_registered_nodes_stay_while_they_hear_their_switch():
    paths, _, before = routes_of(NEW)
    better = falling_quality(NEW, paths, 6.5)
    assert NEW.routes(paths, better, ALONE, before).parent.tolist() == before.parent.tolist()
    eager = dataclasses.replace(NEW, keep_registration=False)
    fresh = NEW.routes(paths, better, ALONE)
    assert eager.routes(paths, better, ALONE, before).parent.tolist() == fresh.parent.tolist() != before.parent.tolist()


def test_who_loses_its_switch_finds_another_and_an_unused_one_is_demoted():
    paths, quality, before = routes_of(NEW)
    gone = (paths.from_node == 2) | (paths.to_node == 2)
    mute = dataclasses.replace(
        quality, mode_up=np.where(gone, -1, quality.mode_up), mode_down=np.where(gone, -1, quality.mode_down)
    )
    after = NEW.routes(paths, mute, ALONE, before)
    assert after.server[2] == -1
    assert after.parent[3] == after.parent[4] == 1
    # meters 5 and on were beyond 2 and come back over what is left
    assert (after.hops[5:] > 0).all()
    assert 2 not in after.parent


def test_each_meter_belongs_to_one_base_node_or_has_a_reason():
    paths = streets(6, 3)
    quality = falling_quality(NEW, paths, 2.5)
    routes = NEW.routes(paths, quality, np.array([True, False, True]))
    assert routes.server.tolist() == [0] * 6 + [-1] * 6 + [2] * 6
    assert set(routes.reason[6:12]) == {Reason.NO_TRANSFORMER}
    reach = NEW.reach(paths, quality)
    assert sorted(reach.meter.tolist()) == list(range(18))


# costs


def test_more_hops_and_more_bytes_take_longer():
    one, routes = costs(NEW)
    answers = one.time_s[1::2]
    by_hops = [answers[routes.hops == hop].mean() for hop in range(1, 5)]
    assert (np.diff(by_hops) > 0).all()
    sizes = [costs(NEW, n_bytes)[0] for n_bytes in (50, 150, 400, 1500)]
    for less, more in pairwise(sizes):
        assert (more.time_s[1::2] > less.time_s[1::2]).all()
        assert (more.frames[1::2] >= less.frames[1::2]).all()
    assert (one.channel_s <= one.time_s).all()


def test_a_clean_hop_sends_each_segment_and_its_word_once():
    one, _ = costs(NEW, n_bytes=500, n_meters=1, reach_m=50.0, top_db=40.0)
    np.testing.assert_allclose(one.success, 1.0, atol=1e-9)
    np.testing.assert_allclose(one.frames, [2.0, 6.0], atol=1e-6)


def test_without_arq_one_lost_segment_is_a_lost_message():
    bare = dataclasses.replace(NEW, arq=False)
    paths = streets(1)
    quality = falling_quality(NEW, paths, 20.0, top_db=-0.5)
    quality = dataclasses.replace(quality, mode_up=quality.mode_up * 0, mode_down=quality.mode_down * 0)
    routes = NEW.routes(paths, quality, ALONE)
    nobody = np.zeros(2, bool)
    exchanges = readings(1, 500)
    with_arq, without = (
        leg_costs(silent(tech.mac), exchanges, routes, paths, quality, nobody, response_s=0.1) for tech in (NEW, bare)
    )
    hops = hops_of(bare.mac, routes, paths, quality, nobody)
    full = bare.mac.segment_payload_bytes + bare.mac.overhead_bytes
    rest = 500 + 3 - 2 * bare.mac.segment_payload_bytes + bare.mac.overhead_bytes
    kept = [1 - hop_loss(bare.mac, hops, UP, size)[0, 0] for size in (full, rest)]
    assert 0.02 < without.success[1] < 0.9
    np.testing.assert_allclose(without.success[1], kept[0] ** 2 * kept[1], rtol=1e-9)
    assert with_arq.success[1] > without.success[1]


def test_repetitions_follow_the_closed_form():
    """A round trip that holds with p is tried K times: 1 - (1 - p)^K of the segments before the last get through."""
    paths = streets(1)
    quality = falling_quality(NEW, paths, 20.0, top_db=-0.8)
    quality = dataclasses.replace(quality, mode_up=quality.mode_up * 0, mode_down=quality.mode_down * 0)
    routes, nobody = NEW.routes(paths, quality, ALONE), np.zeros(2, bool)
    one = leg_costs(silent(NEW.mac), readings(1, 300), routes, paths, quality, nobody, response_s=0.1)
    mac, hops = NEW.mac, hops_of(NEW.mac, routes, paths, quality, nobody)
    sizes = (mac.segment_payload_bytes + mac.overhead_bytes, 303 - mac.segment_payload_bytes + mac.overhead_bytes)
    full, rest = (1 - hop_loss(mac, hops, UP, size)[0, 0] for size in sizes)
    word = 1 - hop_loss(mac, hops, DOWN, mac.overhead_bytes)[0, 0]
    expected = (1 - (1 - full * word) ** mac.arq_tries) * (1 - (1 - rest) ** mac.arq_tries)
    np.testing.assert_allclose(one.success[1], expected, rtol=1e-9)


def test_a_larger_window_saves_words():
    wide = dataclasses.replace(NEW, arq_window=8)
    narrow, broad = (costs(tech, n_bytes=1500)[0] for tech in (NEW, wide))
    assert (broad.time_s[1::2] < narrow.time_s[1::2]).all()


def test_keep_alives_take_their_share_of_the_line():
    paths, quality, routes = routes_of(NEW)
    # all in the most robust mode: what keep-alives refresh makes no difference
    quality = dataclasses.replace(
        quality, mode_up=np.minimum(quality.mode_up, 0), mode_down=np.minimum(quality.mode_down, 0)
    )
    nobody = np.zeros(13, bool)
    hops = hops_of(NEW.mac, routes, paths, quality, nobody)
    often = dataclasses.replace(NEW, alive_code=0)
    links, traffic = links_of(NEW.mac, paths, quality, nobody), []
    for tech in (NEW, often):
        control = control_of(tech.mac, hops, routes, nobody)
        found = found_busy(tech.mac, control, links, routes, 1)
        assert found.busy[1, 0] == found.left_s[1, 0] == 0
        traffic.append((found.busy[0, 0], held_up_s(tech.mac, found, np.ones(1))[0]))
    (seldom, little_s), (busy, much_s) = traffic
    np.testing.assert_allclose(busy, 32 * seldom)
    assert much_s > 32 * little_s
    slow = leg_costs(often.mac, readings(12), routes, paths, quality, nobody, response_s=0.1)
    fast = leg_costs(NEW.mac, readings(12), routes, paths, quality, nobody, response_s=0.1)
    assert (slow.time_s > fast.time_s).all()


def test_the_last_hop_is_stale_at_the_first_poll_and_trunks_are_not():
    paths, quality, routes = routes_of(NEW, n_meters=30)
    hops = hops_of(NEW.mac, routes, paths, quality, np.zeros(31, bool))
    calm = dataclasses.replace(NEW, alive_code=7).mac
    first, later = stale_ratios(calm, readings(30), hops, routes, np.array([30.0]))
    leaf = np.setdiff1d(np.arange(30), routes.parent)
    assert (first[leaf, 0] > 0.9).all()
    np.testing.assert_array_equal(later, 0.0)  # the whole pass is within what is remembered
    trunk = first[29, routes.hops[29] - 1]
    assert trunk < 0.1
    first, later = stale_ratios(calm, readings(30), hops, routes, np.array([30000.0]))
    assert (later[leaf, 0] > 0.9).all()


def test_the_switch_two_hops_ahead_is_hidden_unless_it_is_heard():
    paths, quality, routes = routes_of(NEW)
    hops = hops_of(NEW.mac, routes, paths, quality, np.zeros(13, bool))
    nobody = np.zeros(13, bool)
    # the street falls so fast that two hops ahead nothing is noticed, unless the line carries farther one way
    faint = np.where(np.maximum(quality.margin_up_db, quality.margin_down_db) < 0, -30.0, 0.0)
    quality = dataclasses.replace(
        quality, margin_up_db=quality.margin_up_db + faint, margin_down_db=quality.margin_down_db + faint
    )
    alone = hidden(NEW.mac, paths, quality, hops, routes.server, UP, nobody)
    np.testing.assert_array_equal(alone.unheard, routes.hops >= 3)
    meter, way = 6, [6, 5, 2]
    assert hops.node[meter, :3].tolist() == way
    level_db = hops.robust_db[DOWN, meter, 1]
    np.testing.assert_allclose(alone.drop_db[meter], 10 * np.log10(1 + 10 ** (level_db / 10)))
    pair = (paths.from_node == 2) & (paths.to_node == 6)
    noticed_db = NEW.mac.sense_db - robust_threshold_db(NEW.mac, np.array([1]))[0]
    assert noticed_db < 0
    for above_db, unheard in ((-0.1, True), (0.1, False)):
        margin_db = np.where(pair, noticed_db + above_db, quality.margin_up_db)
        one_way = dataclasses.replace(quality, margin_up_db=margin_db)
        assert hidden(NEW.mac, paths, one_way, hops, routes.server, UP, nobody).unheard[meter] == unheard
    lost = alone.lost(NEW.mac, hops, np.arange(12), UP, 100)
    assert (lost[routes.hops >= 3] > 0).all()
    assert (lost <= 1).all()
    down = hidden(NEW.mac, paths, quality, hops, routes.server, DOWN, nobody)
    np.testing.assert_array_equal(down.unheard, routes.hops >= 3)
    assert down.hop[meter] == routes.hops[meter] - 1


def test_a_switch_relays_what_is_beyond_it():
    paths, quality, routes = routes_of(NEW)
    busy_s = NEW.relay_airtime_s(readings(12), routes, paths, quality)
    relays = np.flatnonzero(busy_s)
    assert relays.tolist() == [2, 5, 8]
    assert (np.diff(busy_s[relays]) < 0).all()


# the technology


def outcome(tech, paths, quality, routes, seed=1, scenario=None, **keys):
    return tech.carry(readings(paths.n_meters, **keys), routes, paths, quality, scenario or Scenario(), Draws(seed))


def crowd(n):
    """Meters 0 and 1 in a chain, the others hear 0 and are heard by it, but have no route."""
    tech = Prime(alive_code=0)
    pairs = {(0, n): (5.0, 5.0), (1, 0): (5.0, 5.0)} | {(k, 0): (-3.0, -3.0) for k in range(2, n)}
    paths, quality = prime_links(n, pairs, tech.mac, mode="DBPSK_CC")
    return tech, paths, quality, fewest_hops(paths, quality)


def test_without_interference_nobody_meets_or_waits_for_control_frames():
    off, fates = Scenario(interference=False), []
    for n in (2, 8):
        tech, *cell = crowd(n)
        ask = readings(n, 1500)
        usual, lone = (tech.leg_cost(ask, cell[2], *cell[:2], Draws(1), alone=alone) for alone in (False, True))
        assert (lone.success[:4] > usual.success[:4]).all()
        assert (lone.time_s[:4] < usual.time_s[:4]).all()
        fates.append(outcome(tech, *cell, scenario=off, n_bytes=1500))
        crowded = outcome(tech, *cell, n_bytes=1500)
        assert crowded.attempts[0, 1] > fates[-1].attempts[0, 1]
    for name in ("p_arrive", "latency_p50_s", "latency_p95_s", "attempts"):
        one, other = (getattr(fate, name)[:, :2] for fate in fates)
        np.testing.assert_array_equal(one, other)


def test_an_area_costs_the_same_beside_any_other_bit_for_bit():
    """The neighbouring area is old, so that its control frames last otherwise, and part of it has no route."""
    mixed, found = Prime(legacy_share=0.5, alive_code=0), []
    for n_sites in (1, 2):
        paths, old = streets(12, n_sites), np.zeros(13 * n_sites, bool)
        quality = falling_quality(mixed, paths, 4.5)
        old[12 : 12 * n_sites] = True
        # meter 11 of the first area and half of the second one hear nobody well enough
        far = (paths.from_node == 11) | (paths.to_node == 11) | ((paths.from_node >= 18) & (paths.from_node < 24))
        lowest = [mode.name for mode in mixed.table].index("DBPSK_CC")
        here = np.maximum(old[paths.from_node], old[paths.to_node]) * lowest
        columns = {
            name: np.where(far | (getattr(quality, name) < 0), -1, np.maximum(getattr(quality, name), here))
            for name in ("mode_up", "mode_down")
        }
        quality = dataclasses.replace(quality, **columns)
        routes = mixed.routes(paths, quality, np.ones(n_sites, bool))
        assert 0 < (routes.server < 0).sum() < paths.n_meters
        ask = readings(paths.n_meters)
        cost = leg_costs(mixed.mac, ask, routes, paths, quality, old, response_s=0.1)
        found.append([getattr(cost, item.name)[ask.meter < 12] for item in dataclasses.fields(cost)])
    for alone, beside in zip(*found, strict=True):
        np.testing.assert_array_equal(alone, beside)


def test_a_course_of_equal_parts_is_the_same_as_one():
    paths, quality, routes = routes_of(NEW)
    whole = outcome(NEW, paths, quality, routes)
    course = [CourseStep(100.0, quality, routes), CourseStep(np.inf, quality, routes)]
    parts = NEW.carry_course(readings(12), course, paths, Scenario(), Draws(1))
    for item in dataclasses.fields(whole):
        np.testing.assert_allclose(getattr(parts, item.name), getattr(whole, item.name), rtol=1e-9)


def test_reading_all_takes_longer_with_more_meters_and_bytes():
    last = [
        outcome(NEW, *routes_of(NEW, n_meters=n), n_bytes=size).latency_p95_s.max()
        for n, size in ((6, 200), (12, 200), (12, 800))
    ]
    assert last[0] < last[1] < last[2]


def test_the_draw_of_old_meters_follows_their_share_and_spares_base_nodes():
    paths = streets(400)
    legacy = Prime(legacy_share=0.25).legacy(paths, Draws(5))
    assert 0.18 < legacy[:400].mean() < 0.32
    assert not legacy[400:].any()
    assert not NEW.legacy(paths, Draws(5)).any()
    assert Prime(legacy_share=1.0).legacy(paths, Draws(5))[:400].all()


def test_old_meters_cost_a_mixed_cell_the_modes_they_lack():
    mixed = Prime(legacy_share=0.5)
    paths = streets(6)
    quality = falling_quality(mixed, paths, 12.0)
    routes = mixed.routes(paths, quality, ALONE)
    nobody, everybody = np.zeros(7, bool), np.append(np.ones(6, bool), False)
    new, old = (hops_of(mixed.mac, routes, paths, quality, who) for who in (nobody, everybody))
    assert set(new.kind[:, 0]) == {2}
    assert set(old.kind[:, 0]) == {0}
    assert (old.robust_db[UP, :, 0] > new.robust_db[UP, :, 0]).all()


def test_modes_sizes_and_tables():
    assert NEW.modes[:2] == ("R-DBPSK", "R-DQPSK")
    assert OLD.modes[0] == "DBPSK_CC"
    assert NEW.n_frames(np.array([0]), np.array([500]))[0] == 6
    mode, size = np.array([0, 1, 2]), np.array([400, 400, 400])
    assert (np.diff(NEW.airtime_s(mode, size)) < 0).all()
    with pytest.raises(ValueError, match="mode must be"):
        NEW.airtime_s(np.array([99]), np.array([10]))
    assert set(NEW.tables()) == {"modes", "frame types", "channels", "MAC frame"}
    assert NEW.packet_error_ratio(np.array([40.0]), np.array([-1]), np.array([100]))[0] == 1.0
