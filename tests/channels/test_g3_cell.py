"""The packet tier of G3-PLC: times, contention, tone maps, fragments on their way, and counters that balance."""

import dataclasses
import math

import numpy as np
import pytest
import simpy
from amiplan.channels.draws import Draws
from amiplan.channels.mac.g3.cell import G3Cell
from amiplan.channels.mac.g3.csma import CsmaSettings, mean_slots, slots_variance
from amiplan.channels.mac.g3.framing import fragment_sizes_bytes, segment_sizes_bytes
from amiplan.channels.mac.g3.hop import saturation_bps
from amiplan.channels.mac.g3.mesh import body, check_headers, fragments, one_hop_further, payload_of, read_header
from amiplan.channels.mac.g3.modem import NEIGHBOUR_TTL_S
from amiplan.channels.phy.g3_bands import G3_BANDS
from amiplan.channels.phy.g3_ofdm import airtime_s, full_mode, payload_error_ratio
from amiplan.channels.powerline.g3_parameters import G3Parameters
from amiplan.channels.technologies.g3_plc import G3Plc
from amiplan.channels.technologies.ieee_1901_2 import Ieee19012
from amiplan.channels.technology import UP, Exchanges
from g3_cells import PLAIN, TECH, alike, ask, balanced, fewest_hops, made_cell, made_links

BANDS = (
    G3Plc(band="cenelec-b"),
    G3Plc(band="cenelec-a", notched_carriers="6-12", coherent=True),
    G3Plc(band="fcc", country="US", two_rs_blocks=True),
    G3Plc(band="arib", country="JP"),
    Ieee19012(band="fcc-low", country="US"),
    Ieee19012(band="fcc-above-cenelec", country="US", coherent=True),
)
CHAIN = ((0, 2), (1, 0))
"""Meter 1 behind meter 0 behind the concentrator (node 2)."""
ONCE = dataclasses.replace(TECH, frame_retries=0)
QUICK = dataclasses.replace(TECH, processing_s=0.0)
LONE = CsmaSettings(min_be=0, max_be=0, min_cw_attempts=255)
"""A window of one slot: every wait on an idle line lasts CIFS and eight slots."""


def wait_s(plan, slots=8):
    return plan.gap_s + slots * plan.slot_s


def sizes(n_bytes, mode, mac=TECH.mac, table=TECH.table):
    """PSDU of all frames of a message."""
    return [s for f in fragment_sizes_bytes(n_bytes, mac) for s in segment_sizes_bytes(f, table[mode], mac)]


def test_published_times_of_the_bands():
    cenelec, fcc = G3_BANDS["cenelec-a"], G3_BANDS["fcc"]
    in_ms = [cenelec.header_s, cenelec.slot_s, cenelec.gap_s, cenelec.eifs_s, fcc.header_s, fcc.slot_s, fcc.gap_s]
    np.testing.assert_allclose(np.array(in_ms) * 1e3, [15.115, 1.39, 5.56, 201.375, 4.807, 0.463, 2.317], atol=5e-4)
    assert fcc.eifs_s == pytest.approx(67.82e-3, abs=1e-4)
    whole = float(airtime_s(np.array(133), full_mode("ROBO", cenelec))) + cenelec.ack_cycle_s
    assert whole == pytest.approx(216.5e-3, abs=5e-5)


@pytest.mark.parametrize("mode", [0, 5])
def test_a_message_over_one_hop_takes_exactly_its_frames_gaps_and_slots(mode):
    env, cell = made_cell(1, alike([(0, 1)], mode=mode), QUICK, csma=LONE)
    payload = np.random.default_rng(1).bytes(700)
    assert ask(env, cell, 0, 1, payload) == payload
    plan, pieces = TECH.plan, fragment_sizes_bytes(700, TECH.mac)
    frames = sizes(700, mode)
    air = float(airtime_s(np.array(frames), TECH.table[mode]).sum())
    answers = len(frames) * (plan.gap_s + plan.header_s)
    within = (len(frames) - len(pieces)) * plan.gap_s
    assert env.now == pytest.approx(air + answers + within + len(pieces) * wait_s(plan), abs=1e-9)
    assert cell.counters["frames_sent"] == len(frames)
    assert cell.counters["retries"] == cell.counters["control_frames"] == 0


def test_processing_counts_once_per_hop_for_a_message_of_one_fragment():
    took = []
    for processing_s in (0.0, 0.5):
        tech = dataclasses.replace(TECH, processing_s=processing_s)
        env, cell = made_cell(2, alike(CHAIN), tech, csma=LONE)
        assert ask(env, cell, 1, 2, b"x") == b"x"
        took.append(env.now)
    assert took[1] - took[0] == pytest.approx(2 * 0.5)


def test_a_meter_answers_after_its_response_time_and_the_concentrator_asks_at_once():
    times = []
    for source, destination in ((0, 2), (2, 0)):
        for response_s in (0.0, 1.5):
            env, cell = made_cell(2, alike(CHAIN), response_s=response_s)
            ask(env, cell, source, destination, bytes(50))
            times.append(env.now)
    assert times[1] == pytest.approx(times[0] + 1.5)
    assert times[3] == times[2]


@pytest.mark.parametrize("csma", [PLAIN, CsmaSettings()])
def test_a_single_saturated_sender_reaches_the_closed_form(csma):
    n, size = 420, 60
    env, cell = made_cell(1, alike([(0, 1)]), QUICK, csma=csma)
    sent = [cell.send(0, 1, bytes(size)) for _ in range(n)]
    env.run(env.all_of(sent))
    (fragment,), plan = fragment_sizes_bytes(size, TECH.mac), TECH.plan
    cycle = 8 * fragment / saturation_bps(TECH.table, cell.mac, 0, fragment)
    air = float(airtime_s(np.array(sizes(size, 0)[0]), TECH.table[0]))
    assert cycle == pytest.approx(wait_s(plan, 7 + float(mean_slots(0, csma))) + air + plan.gap_s + plan.header_s)
    spread = plan.slot_s * math.sqrt(float(slots_variance(0, csma)) / n)
    assert env.now / n == pytest.approx(cycle, abs=4 * spread)
    assert cell.counters["payloads_delivered"] == n


STEADY = CsmaSettings(min_be=3, max_be=3, min_cw_attempts=10**6)
"""The window never changes."""


def saturated(links, n, seed, csma=STEADY, n_each=300, size=300):
    """Meters that always have something to say to the concentrator."""
    env, cell = made_cell(n, links, QUICK, csma=csma, seed=seed)
    sent = [cell.send(meter, n, bytes(size)) for _ in range(n_each) for meter in range(n)]
    env.run(env.all_of(sent))
    balanced(cell.counters)
    return env, cell


def test_two_saturated_senders_collide_as_often_as_two_draws_are_equal():
    """Modes that need more than equal power: of two frames at once none survives."""
    _, cell = saturated(alike([(0, 2), (1, 2), (0, 1)], mode=8), 2, seed=4, size=100)
    clashes, passed = cell.counters["collisions"] / 2, cell.counters["frames_delivered"]
    rounds = clashes + passed
    assert passed == 600
    assert clashes / rounds == pytest.approx(1 / 8, abs=4 * math.sqrt(7 / 64 / rounds))


def test_the_line_is_shared_evenly():
    """The loser of a round widens its window, so that shares even out only over several cycles of windows."""
    env, cell = made_cell(2, alike([(0, 2), (1, 2), (0, 1)], mode=8), QUICK, csma=CsmaSettings(), seed=2)
    sent = [0, 0]

    def sender(meter):
        while True:
            sent[meter] += (yield cell.send(meter, 2, bytes(60))) is not None

    for meter in (0, 1):
        env.process(sender(meter))
    env.run(until=900)
    assert sum(sent) > 5000
    assert sent[0] / sum(sent) == pytest.approx(0.5, abs=0.05)


def test_a_hidden_pair_collides_more_than_a_hearing_pair():
    pair = alike([(0, 2), (1, 2)], mode=8)
    hearing = saturated({**pair, **alike([(0, 1)])}, 2, seed=4, n_each=60)[1].counters
    hidden = saturated({**pair, **alike([(0, 1)], -60.0, -1)}, 2, seed=4, n_each=60)[1].counters
    assert hidden["collisions"] > 1.5 * hearing["collisions"]
    assert hidden["payloads_lost"] >= hearing["payloads_lost"]


@pytest.mark.parametrize(("margin_db", "survives"), [(40.0, True), (12.0, False)])
def test_of_two_hidden_senders_the_stronger_is_captured(margin_db, survives):
    """Both begin at the same moment; the stronger locks the receiver and is decoded where its SINR suffices."""
    links = {(0, 2): (margin_db, margin_db, 8, 8), (1, 2): (10.0, 10.0, 0, 0), (0, 1): (-60.0, -60.0, -1, -1)}
    env, cell = made_cell(2, links, ONCE, csma=LONE)
    cell.modems[0].unicast(2, b"\x01" + bytes(100))
    cell.modems[1].unicast(2, b"\x01" + bytes(100))
    env.run()
    assert cell.counters["frames_sent"] == 2
    assert cell.counters["collisions"] == 2 - survives
    assert cell.counters["frames_delivered"] == survives


def test_a_receiver_takes_the_frame_that_came_first():
    """A stronger frame that begins later spoils the first and is not received itself."""
    links = {**alike([(1, 2)], 40.0, 8), **alike([(0, 2)], 20.0, 0), **alike([(0, 1)], -60.0, -1)}
    env, cell = made_cell(2, links, ONCE, csma=LONE)
    cell.modems[0].unicast(2, b"\x01" + bytes(100))
    env.run(until=0.05)
    cell.modems[1].unicast(2, b"\x01" + bytes(20))
    env.run()
    assert cell.counters["frames_sent"] == 2
    assert cell.counters["frames_lost"] == cell.counters["collisions"] == 2


def test_high_priority_goes_first():
    for seed in range(10):
        env, cell = made_cell(3, alike([(0, 3), (1, 3), (2, 3), (0, 1), (0, 2), (1, 2)]), seed=seed)
        order = []
        for modem in cell.modems:
            modem.received = lambda sender, payload, lqi, order=order: order.append(sender)
        cell.modems[2].unicast(3, b"\x01first on the line")
        env.run(until=0.05)
        cell.modems[0].unicast(3, b"\x01normal")
        cell.modems[1].unicast(3, b"\x01urgent", high_priority=True)
        env.run()
        assert order == [2, 1, 0]


def test_an_unreadable_header_costs_the_extended_space_until_a_later_one_is_read():
    env, cell = made_cell(2, alike([(0, 2), (1, 2), (0, 1)]))
    line, plan = cell._line, TECH.plan
    frame = line.medium.begin(0, 0.1, plan.header_s)
    frame.reserve_s = plan.gap_s + plan.header_s
    frame.read[1] = False
    env.run(until=0.01)
    assert line.free_s(1) == plan.header_s
    env.run(until=0.05)
    assert line.free_s(1) == pytest.approx(plan.header_s + plan.eifs_s)
    assert line.free_s(2) == pytest.approx(0.1 + frame.reserve_s)
    env.run(until=0.1 + plan.gap_s)
    answer = line.medium.begin(2, plan.header_s, plan.header_s)
    env.run(until=answer.end_s)
    assert line.free_s(1) == answer.end_s
    env.run(until=1.0)
    assert line.free_s(1) == 0.0


@pytest.mark.parametrize(("longer", "waits"), [(True, True), (False, False)])
def test_who_was_sending_notices_only_what_lasts_longer_than_its_own_frame(longer, waits):
    env, cell = made_cell(2, alike([(0, 2), (1, 2), (0, 1)]))
    line, plan = cell._line, TECH.plan
    line.medium.begin(0, 0.1, plan.header_s)
    line.medium.begin(1, 0.2 if longer else 0.1, plan.header_s)
    env.run(until=0.1)
    assert line.free_s(0) == (pytest.approx(plan.header_s + plan.eifs_s) if waits else 0.0)


def test_a_marginal_link_loses_and_repeats_as_its_error_ratios_say():
    tech = dataclasses.replace(QUICK, frame_retries=1)
    env, cell = made_cell(1, alike([(0, 1)], -0.4), tech, seed=7)
    mac, n, size = tech.mac, 700, 60
    robust = cell.links.robust_db[:1, 1]
    head = float(mac.header_error_ratio(robust)[0])
    payload = float(payload_error_ratio(robust, np.array([0]), np.array(sizes(size, 0)), mac.loss_db, tech.table)[0])
    bad, unknown = 1 - (1 - head) * (1 - payload), 1 - (1 - head) ** 2 * (1 - payload)
    got = [ask(env, cell, 0, 1, bytes(size)) is not None for _ in range(n)]
    env.run()
    counters, arrive = cell.counters, 1 - bad**2
    assert np.mean(got) == pytest.approx(arrive, abs=4 * math.sqrt(arrive * (1 - arrive) / n))
    assert counters["frames_sent"] / n == pytest.approx(1 + unknown, abs=4 * math.sqrt(0.25 / n))
    assert counters["frames_lost"] / counters["frames_sent"] == pytest.approx(bad, abs=0.06)
    assert 0 < counters["crc_refused"] <= counters["frames_lost"]
    assert counters["retries"] == counters["frames_sent"] - n
    assert counters["payloads_delivered"] == sum(got)
    assert counters["collisions"] == 0
    balanced(counters)


def test_a_lost_acknowledgement_means_the_same_segment_twice_and_one_delivery():
    links = {(0, 1): (30.0, -1.5, 0, 0)}
    env, cell = made_cell(1, links, seed=2)
    taken = []
    cell.modems[1].received = lambda sender, payload, lqi: taken.append(payload)
    texts = [b"\x01" + bytes([number]) * 150 for number in range(40)]
    for text in texts:
        env.run(cell.modems[0].unicast(1, text))
    assert cell.counters["retries"] > 10
    assert taken == texts


def test_a_dead_link_loses_the_payload_after_all_tries():
    env, cell = made_cell(2, alike(CHAIN))
    cell.retune(made_links(2, alike(CHAIN, -50.0))[1])
    assert ask(env, cell, 0, 2, b"x") is None
    assert cell.counters["frames_sent"] == TECH.frame_retries + 1
    assert cell.counters["payloads_lost"] == 1
    balanced(cell.counters)


def test_counters_balance_at_every_moment():
    env, cell = made_cell(3, alike([(0, 3), (1, 0), (2, 1)], 0.2), seed=3, maps_known=False)
    for _ in range(6):
        cell.send(2, 3, bytes(900))
        cell.send(3, 1, bytes(300))
    while env.peek() < 120:
        env.run(until=env.now + 0.05)
        balanced(cell.counters)
    assert cell.counters["payloads_pending"] == 0
    assert cell.counters["payloads_sent"] == 12
    assert cell.counters["crc_refused"] > 0
    assert not cell._messages


def test_an_old_tone_map_costs_a_robust_fragment_and_a_response():
    env, cell = made_cell(1, alike([(0, 1)], mode=5), maps_known=False)
    line, plan = cell._line, TECH.plan
    begun = []
    begin = line.medium.begin
    line.medium.begin = lambda *frame: begun.append((env.now, *frame)) or begin(*frame)
    assert ask(env, cell, 0, 1, bytes(50)) == bytes(50)
    env.run()
    frames = [(sender, round(airtime, 6)) for _, sender, airtime, _ in begun if airtime > plan.header_s]
    robust, response = line.airtime_s(0, sizes(50, 0)[0]), line.airtime_s(0, 20)
    assert frames == [(0, round(robust, 6)), (1, round(response, 6))]
    assert cell.counters["control_frames"] == 1
    assert cell.modems[0].reverse_lqi(1) == line.lqi(0, 1)
    # now the map is known, for two minutes
    for wait, n_control in ((60.0, 1), (100.0, 2)):
        begun.clear()
        env.run(until=env.now + wait)
        ask(env, cell, 0, 1, bytes(50))
        env.run()
        assert cell.counters["control_frames"] == n_control
        size = sizes(50, 5)[0] if n_control == 1 else sizes(50, 0)[0]
        mode = 5 if n_control == 1 else 0
        assert begun[0][2] == line.airtime_s(mode, size)
    assert cell.modems[0].reverse_lqi(1) is not None
    # the neighbour table remembers the quality longer than the map
    env.run(until=env.now + 121)
    assert cell.modems[0].reverse_lqi(1) is not None
    env.run(until=env.now + NEIGHBOUR_TTL_S)
    assert cell.modems[0].reverse_lqi(1) is None


def test_a_tone_map_that_no_longer_fits_is_dropped_after_all_tries():
    env, cell = made_cell(1, alike([(0, 1)], 30.0, 8), seed=5)
    assert ask(env, cell, 0, 1, bytes(50)) is not None
    worse = {(0, 1): (1.0, 1.0, 0, 0)}
    cell.retune(made_links(1, worse)[1])
    assert ask(env, cell, 0, 1, bytes(50)) is None
    assert ask(env, cell, 0, 1, bytes(50)) is not None
    env.run()
    assert cell.counters["control_frames"] == 1


def test_link_quality_is_four_steps_a_decibel():
    env, cell = made_cell(1, {(0, 1): (12.0, 80.0, 0, 0)})
    assert cell.modems[1].lqi(0) == 0
    ask(env, cell, 0, 1, b"x")
    assert cell.modems[1].lqi(0) == math.floor(4 * (cell.links.snr_db[0, 1] + 10))
    ask(env, cell, 1, 0, b"x")
    assert cell.modems[0].lqi(1) == 255


def test_a_broadcast_reaches_each_that_hears_it_and_nobody_answers():
    links = {(0, 3): (20.0,) * 2 + (0, 0), (0, 1): (-0.5,) * 2 + (-1, -1), (0, 2): (-60.0,) * 2 + (-1, -1)}
    env, cell = made_cell(3, links, seed=6)
    heard = dict.fromkeys(range(4), 0)
    for modem in cell.modems:
        modem.received = lambda sender, payload, lqi, node=modem.number: heard.__setitem__(node, heard[node] + 1)
    n = 300
    for _ in range(n):
        env.run(cell.modems[0].broadcast(b"\x02who is there"))
    mac = TECH.mac
    robust = cell.links.robust_db[0, 1:2]
    size = len(b"\x02who is there") + mac.mac_overhead_bytes
    lost = float(payload_error_ratio(robust, np.array([0]), np.array([size]), mac.loss_db, TECH.table)[0])
    arrive = (1 - float(mac.header_error_ratio(robust)[0])) * (1 - lost)
    assert heard[0] == heard[2] == 0
    assert heard[3] == n
    assert heard[1] / n == pytest.approx(arrive, abs=4 * math.sqrt(arrive * (1 - arrive) / n))
    assert 0.2 < arrive < 0.95
    assert cell.counters["frames_sent"] == cell.counters["control_frames"] == n
    balanced(cell.counters)


def test_a_long_broadcast_goes_out_in_segments_and_counts_only_whole():
    env, cell = made_cell(2, alike([(0, 2), (0, 1)]))
    got = []
    cell.modems[2].received = lambda sender, payload, lqi: got.append(payload)
    text = b"\x03" + np.random.default_rng(1).bytes(300)
    env.run(cell.modems[0].broadcast(text))
    assert got == [text]
    assert cell.counters["frames_sent"] == 3


def test_who_has_not_joined_takes_only_the_join_protocol():
    env, cell = made_cell(1, alike([(0, 1)]))
    cell.modems[0].outside = True
    got = []
    cell.modems[0].received = lambda sender, payload, lqi: got.append(payload)
    assert ask(env, cell, 1, 0, b"x") is None
    env.run(cell.modems[1].broadcast(b"\x02route request"))
    assert got == []
    assert env.run(cell.modems[1].unicast(0, b"\x03" + bytes(250)))
    env.run(cell.modems[1].broadcast(b"\x03beacon"))
    assert got == [b"\x03" + bytes(250), b"\x03beacon"]
    balanced(cell.counters)


@pytest.mark.parametrize("mode", [0, 5, len(TECH.table) - 1])
@pytest.mark.parametrize("size", [1, 93, 94, 385, 386, 1500, 4000])
def test_bytes_arrive_as_sent_over_two_hops_both_ways(size, mode):
    payload = np.random.default_rng(size).bytes(size)
    env, cell = made_cell(2, alike(CHAIN, mode=mode))
    assert ask(env, cell, 1, 2, payload) == payload
    assert ask(env, cell, 2, 1, payload) == payload
    frames, counters = 4 * len(sizes(size, mode)), cell.counters
    assert counters["frames_delivered"] >= frames
    assert counters["frames_sent"] - frames == counters["retries"]
    assert counters["retries"] <= counters["collisions"] + 1
    balanced(counters)


def test_meters_reach_each_other_and_several_messages_do_not_mix():
    tree = [(0, 4), (1, 0), (2, 0), (3, 2)]
    heard = [(a, b) for a in range(5) for b in range(a + 1, 5) if (a, b) not in tree and (b, a) not in tree]
    env, cell = made_cell(4, alike(tree) | alike(heard, 3.0, -1), csma=CsmaSettings())
    rng = np.random.default_rng(1)
    asked = [(3, 1), (1, 3), (4, 3), (3, 4), (3, 4), (0, 1)]
    texts = [rng.bytes(int(rng.integers(300, 1200))) for _ in asked]
    sent = [cell.send(*ends, text) for ends, text in zip(asked, texts, strict=True)]
    env.run(env.all_of(sent))
    assert [process.value for process in sent] == texts
    assert cell.route(3) == [3, 2, 0, 4]


def test_fragments_of_one_message_are_on_the_way_at_once():
    """A relay passes the first fragment on while the source still has others: faster than hop by hop for the whole."""
    chain = alike([(0, 3), (1, 0), (2, 1)], mode=len(TECH.table) - 1)
    env, cell = made_cell(3, chain, csma=CsmaSettings())
    seen, begin = [], cell._line.medium.begin
    cell._line.medium.begin = lambda *frame: seen.append(frame[0]) or begin(*frame)
    assert ask(env, cell, 2, 3, bytes(3000)) is not None
    last_of_source = len(seen) - 1 - seen[::-1].index(2)
    assert 0 in seen[:last_of_source]


def test_fragment_headers_say_what_they_must():
    mac, payload = TECH.mac, np.random.default_rng(3).bytes(1000)
    pieces = fragments(payload, 7, 300, 0x1234, 8, mac)
    assert [len(piece) for piece in pieces] == fragment_sizes_bytes(1000, mac)
    heads = [read_header(piece, mac) for piece in pieces]
    assert [head.index for head in heads] == [0, 1, 2]
    assert {(h.originator, h.destination, h.hops_left, h.number, h.size) for h in heads} == {(7, 300, 8, 0x1234, 1010)}
    assert read_header(one_hop_further(pieces[1]), mac) == dataclasses.replace(heads[1], hops_left=7)
    message = b"".join(body(piece, mac) for piece in pieces)
    assert payload_of(message, mac) == payload
    assert payload_of(message[:-1] + b"\x00", mac) is None or payload[-1] == 0
    (single,) = fragments(b"abc", 7, 300, 9, 8, mac)
    assert dataclasses.astuple(read_header(single, mac)) == (7, 300, 8, 9, 13, 0)
    with pytest.raises(ValueError, match="fragments"):
        fragments(bytes(70_000), 7, 300, 9, 8, mac)


def test_the_hop_limit_ends_a_fragment():
    long = alike([(0, 3), (1, 0), (2, 1)])
    for max_hops, arrives in ((3, True), (2, False)):
        env, cell = made_cell(3, long, max_hops=max_hops)
        assert (ask(env, cell, 2, 3, b"x") is not None) == arrives
        assert cell.counters["payloads_lost"] == (not arrives)


def test_unfinished_sending_is_pending_and_the_line_is_shared():
    env, cell = made_cell(2, alike([(0, 2), (1, 2), (0, 1)]))
    cell.send(0, 2, bytes(300))
    cell.send(1, 2, bytes(300))
    env.run(until=0.15)
    assert cell.counters["payloads_pending"] == 2
    balanced(cell.counters)
    env.run()
    both = env.now
    assert cell.counters["payloads_delivered"] == 2
    env, cell = made_cell(2, alike([(0, 2), (1, 2), (0, 1)]))
    ask(env, cell, 0, 2, bytes(300))
    assert both > 1.7 * env.now


def test_a_silent_relay_cuts_off_what_is_behind_it_until_it_is_back():
    env, cell = made_cell(2, alike(CHAIN))
    assert cell.joined_s == {0: 0.0, 1: 0.0, 2: 0.0}
    cell.fail(0)
    assert math.isnan(cell.joined_s[0])
    assert ask(env, cell, 2, 1, b"x") is None
    assert ask(env, cell, 0, 2, b"x") is None
    cell.restore(0)
    back = env.now
    assert ask(env, cell, 2, 1, b"x") == b"x"
    assert cell.joined_s[0] == back
    cell.cold_start([1])
    assert cell.joined_s[1] > back
    # a modem that has lost its tables asks for tone maps again
    before = cell.counters["control_frames"]
    assert ask(env, cell, 1, 2, b"x") == b"x"
    assert cell.counters["control_frames"] > before


def test_a_relay_that_dies_with_a_fragment_in_hand_loses_it():
    env, cell = made_cell(2, alike(CHAIN))
    process = cell.send(1, 2, b"x")
    while cell.counters["frames_delivered"] == 0:
        env.step()
    cell.fail(0)
    env.run(process)
    assert process.value is None
    balanced(cell.counters)


def test_a_meter_without_a_route_is_not_reached():
    env, cell = made_cell(2, alike([(0, 2), (1, 2)], 30.0) | alike([(1, 2)], -40.0, -1))
    assert cell.route(1) == []
    assert math.isnan(cell.joined_s[1])
    assert ask(env, cell, 2, 1, b"x") is None
    assert ask(env, cell, 1, 2, b"x") is None
    assert cell.counters["frames_sent"] == 0
    assert cell.counters["payloads_lost"] == 2


def test_better_links_are_used_when_their_tone_map_is_asked_for():
    env, cell = made_cell(1, alike([(0, 1)], mode=0), maps_known=False)
    cell.retune(made_links(1, alike([(0, 1)], mode=8))[1])
    ask(env, cell, 0, 1, bytes(300))
    env.run()
    before = cell.counters["frames_sent"]
    ask(env, cell, 0, 1, bytes(300))
    assert cell.counters["frames_sent"] - before == len(sizes(300, 8))


@pytest.mark.parametrize("tech", BANDS, ids=lambda tech: f"{tech.name} {tech.band}")
@pytest.mark.parametrize("row", [0, 3, -1])
def test_frames_survive_and_take_their_airtime_in_every_band(tech, row):
    tech = dataclasses.replace(tech, processing_s=0.0)
    mode, payload = row % len(tech.table), np.random.default_rng(1).bytes(700)
    env, cell = made_cell(1, alike([(0, 1)], mode=mode), tech, csma=LONE)
    assert ask(env, cell, 0, 1, payload) == payload
    frames = sizes(700, mode, tech.mac, tech.table)
    air = float(airtime_s(np.array(frames), tech.table[mode]).sum())
    plan, n = tech.plan, len(fragment_sizes_bytes(700, tech.mac))
    gaps = len(frames) * (plan.header_s + 2 * plan.gap_s) - n * plan.gap_s
    assert env.now == pytest.approx(air + gaps + n * wait_s(plan), abs=1e-9)
    assert cell.counters["frames_sent"] == len(frames) == tech.n_frames(np.array(mode), np.array(700))


@pytest.mark.parametrize("tech", [G3Plc(), *BANDS], ids=lambda tech: f"{tech.name} {tech.band}")
def test_every_technology_of_the_family_opens_a_cell(tech):
    paths, quality = made_links(2, alike(CHAIN, mode=len(tech.table) - 1), tech)
    env = simpy.Environment()
    cell = tech.open_cell(env, paths, quality, fewest_hops(paths, quality), 0, Draws(1))
    payload = bytes(range(256)) * 3
    assert ask(env, cell, 1, 2, payload) == payload
    assert cell.route(1) == [1, 0, 2]


@pytest.mark.parametrize(("n_hops", "margin_db", "mode"), [(1, 30.0, 5), (2, 30.0, 5), (1, 0.0, 0)])
def test_both_tiers_agree(n_hops, margin_db, mode):
    """Mean time, success and frames of a message, simulated against the closed form."""
    tech = G3Plc(tone_map_ttl_s=1e5, response_s=0.0)
    links = alike([(0, n_hops)] + [(node, node - 1) for node in range(1, n_hops)], margin_db, mode)
    heard = alike([(1, 2)], 3.0, -1) if n_hops == 2 else {}
    paths, quality = made_links(n_hops, links | heard, tech)
    routes, n, size, last = fewest_hops(paths, quality), 100, 700, n_hops - 1
    legs = Exchanges(
        *(np.zeros(1, int), np.zeros(1, int), np.full(1, last), np.zeros(1, int), np.array([UP]), np.full(1, size)),
        *(np.full(1, -1), np.zeros(1), np.full(1, 600.0), np.ones(1, int), ("s",), (3600.0,)),
    )
    fast = tech.leg_cost(legs, routes, paths, quality, Draws(5))
    env = simpy.Environment()
    cell = tech.open_cell(env, paths, quality, routes, 0, Draws(5))
    took = []
    for _ in range(n):
        begun = env.now
        if ask(env, cell, last, n_hops, bytes(size)) is not None:
            took.append(env.now - begun)
        env.run()
    assert len(took) / n == pytest.approx(fast.success[0], abs=4 * math.sqrt(0.02 / n))
    assert np.mean(took) == pytest.approx(fast.time_s[0], rel=0.15)
    assert cell.counters["frames_sent"] / n == pytest.approx(fast.frames[0], rel=0.1)


def test_same_seed_same_story_and_another_seed_another():
    stories = []
    for seed in (1, 1, 2):
        env, cell = made_cell(2, alike(CHAIN, 0.3), seed=seed, csma=CsmaSettings())
        ask(env, cell, 1, 2, bytes(700))
        stories.append((env.now, dict(cell.counters)))
    assert stories[0] == stories[1] != stories[2]


def test_guards_refuse():
    _, cell = made_cell(2, alike(CHAIN))
    with pytest.raises(ValueError, match="empty"):
        cell.send(0, 2, b"")
    with pytest.raises(ValueError, match="no member"):
        cell.send(0, 7, b"x")
    with pytest.raises(ValueError, match="itself"):
        cell.send(0, 0, b"x")
    with pytest.raises(ValueError, match="max_hops"):
        made_cell(2, alike(CHAIN), max_hops=0)
    brief = dataclasses.replace(G3Plc().mac, tone_map_response_bytes=5)
    with pytest.raises(ValueError, match="tone_map_response_bytes"):
        G3Cell(None, None, None, None, 0, Draws(1), TECH.table, brief, response_s=0.0, max_hops=8, map_age_s=0.0)
    for name in ("mesh_header_bytes", "fragment_header_bytes", "ip_header_bytes"):
        with pytest.raises(ValueError, match=name):
            check_headers(dataclasses.replace(TECH.mac, **{name: 3}))
    notched = G3Parameters(band="cenelec-b", notched_carriers="0-3")  # largest PSDU of the robust mode: 38 B
    with pytest.raises(ValueError, match="counted in one byte"):
        made_cell(2, alike(CHAIN), dataclasses.replace(notched, mac_overhead_bytes=37))
