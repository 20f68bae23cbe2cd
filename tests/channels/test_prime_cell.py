"""The packet tier of PRIME once the network stands: bytes, repetitions, modes, old modems, counters that balance."""

import numpy as np
import pytest
from amiplan.channels.mac.prime.line import threshold_db
from amiplan.channels.technology import PlcCell
from g3_cells import balanced
from prime_packet import chain, prime_cell, prime_links, settings

SIZES = (1, 2, 60, 189, 190, 1000, 3500, 4000)
VERSIONS = ("1.3.6", "1.4")


def ask(env, cell, source, destination, payload):
    """What arrives of one payload; the counters balance at every event."""
    process = cell.send(source, destination, payload)
    while not process.triggered:
        env.step()
        balanced(cell.counters)
    return process.value


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("levels", [1, 2, 3])
@pytest.mark.parametrize(("arq", "window"), [(True, 1), (True, 4), (False, 1)])
def test_bytes_arrive_as_sent_over_all_levels_and_both_ways(version, levels, arq, window):
    mac = settings(version, arq=arq, arq_window=window, security_bytes=4 if arq else 0)
    env, cell = prime_cell(levels, chain(levels), mac)
    rng = np.random.default_rng(levels)
    for n in SIZES[levels - 1 :: 2] if arq else (1, 150):
        data = rng.bytes(n)
        assert ask(env, cell, levels, levels - 1, data) == data
        assert ask(env, cell, levels - 1, levels, data) == data
    counters = cell.counters
    assert counters["payloads_sent"] == counters["payloads_delivered"]
    assert counters["payloads_lost"] == counters["payloads_pending"] == 0


def test_the_cell_is_a_power_line_cell():
    _, cell = prime_cell(2, chain(2), settings())
    one: PlcCell = cell
    assert set(one.joined_s) == {0, 1}
    assert all(value == 0.0 for value in one.joined_s.values())
    assert one.route(1) == [1, 0, 2]
    assert one.route(2) == [2]


@pytest.mark.parametrize(("version", "margin_db"), [("1.3.6", 0.4), ("1.4", 0.0)])
def test_damaged_frames_are_refused_and_sent_again(version, margin_db):
    weak = dict.fromkeys(chain(1), (margin_db, margin_db))
    mac = settings(version)
    env, cell = prime_cell(1, weak, mac, mode=mac.table[0].name)
    data = bytes(range(250)) * 14
    for ends in ((1, 0), (0, 1)):
        assert ask(env, cell, *ends, data) == data
    assert cell.counters["crc_refused"] > 0
    assert cell.counters["retries"] > 0
    assert cell.counters["frames_lost"] >= cell.counters["crc_refused"]


def test_without_acknowledgements_a_lost_segment_loses_the_message():
    lost = 0
    for seed in range(8):
        weak = dict.fromkeys(chain(1), (0.0, 0.0))
        env, cell = prime_cell(1, weak, settings("1.3.6", arq=False), mode="DBPSK_CC", seed=seed)
        data = bytes(3000)
        got = ask(env, cell, 1, 0, data)
        assert got in (None, data)
        lost += got is None
        env.run(env.now + 10.0)
        balanced(cell.counters)
        assert cell.counters["payloads_pending"] == 0
    assert lost > 4


def test_a_message_is_given_up_after_so_many_tries_and_the_next_one_opens_the_connection_anew():
    env, cell = prime_cell(1, chain(1), settings("1.3.6", arq_tries=2))
    _, dead = prime_links(1, {(0, 1): (-60.0, -60.0)}, cell.mac)
    _, good = prime_links(1, chain(1), cell.mac)
    process = cell.send(1, 0, b"request")
    cell.retune(dead)
    env.run(2.9)
    assert not process.triggered
    cell.retune(good)
    env.run(env.now + 1e-6)
    cell.retune(dead)
    env.run(process)
    assert process.value is None
    cell.retune(good)
    env.run(40.0)
    assert ask(env, cell, 1, 0, b"again") == b"again"
    balanced(cell.counters)


def test_what_nobody_can_send_is_refused():
    _, cell = prime_cell(2, chain(2), settings(sar_bytes=16))
    with pytest.raises(ValueError, match="at least one byte"):
        cell.send(2, 0, b"")
    with pytest.raises(ValueError, match="no member"):
        cell.send(2, 9, b"x")
    with pytest.raises(ValueError, match="one end must be the concentrator"):
        cell.send(0, 1, b"x")
    with pytest.raises(ValueError, match="raise sar_bytes"):
        cell.send(2, 0, bytes(2000))
    assert cell.counters["payloads_sent"] == 0


def test_a_meter_without_registration_loses_what_is_sent_at_once():
    env, cell = prime_cell(2, [(0, 2)], settings())
    for ends in ((2, 1), (1, 2)):
        assert ask(env, cell, *ends, b"x") is None
    assert env.now == 0.0
    assert cell.route(1) == []
    assert np.isnan(cell.joined_s[1])


def test_a_meter_answers_after_its_response_time():
    took = []
    for response_s in (0.0, 0.618240):
        env, cell = prime_cell(1, chain(1), settings("1.3.6"), response_s=response_s)
        ask(env, cell, 0, 1, b"answer")
        took.append(env.now)
    assert took[1] - took[0] == pytest.approx(0.61824, abs=0.05)


@pytest.mark.parametrize("version", VERSIONS)
def test_modes_are_learnt_from_the_other_side_and_forgotten_after_a_while(version):
    mac = settings(version)
    env, cell = prime_cell(1, chain(1), mac)
    best = [mode.name for mode in mac.table].index("DQPSK_CC")
    node, base = cell.nodes[0].modem, cell.base.modem
    assert node.mode(1) == base.mode(0) == 0
    ask(env, cell, 1, 0, bytes(500))
    ask(env, cell, 0, 1, bytes(500))
    assert node.mode(1) == base.mode(0) == best
    env.run(env.now + mac.robustness_s + 1.0)
    assert node.mode(1) == base.mode(0) == 0


def test_keep_alives_before_the_start_told_their_modes():
    for version, alive_code, share in (("1.3.6", 0, 1.0), ("1.4", 5, 240 / 1024), ("1.4", 7, 240 / 4096)):
        mac = settings(version, alive_code=alive_code)
        _, cell = prime_cell(100, [(k, 100) for k in range(100)], mac)
        told = np.mean([cell.base.modem.mode(k) > 0 for k in range(100)])
        assert told == pytest.approx(share, abs=0.15)
        assert all(cell.nodes[k].modem.mode(100) == 0 for k in range(100))


def test_a_mode_that_is_known_costs_less_than_one_that_is_not():
    env, cell = prime_cell(1, chain(1), settings("1.4", frame_code=3))
    times = []
    for _ in range(2):
        start = env.now
        ask(env, cell, 1, 0, bytes(180))
        times.append(env.now - start)
        env.run(env.now + 2.47296 - (env.now - start) % 2.47296)
    assert times[1] < times[0]


def test_old_modems_speak_type_a_and_everybody_else_the_compatible_type():
    mac = settings("1.4", legacy_share=0.5)
    legacy = [False, True, False, False]
    env, cell = prime_cell(3, chain(3), mac, legacy=legacy)
    assert [cell.line.frame_type(*pair) for pair in ((0, 3), (0, 1), (1, 2))] == ["BC", "A", "A"]
    assert cell.line.robust_mode(0, 3) == 0
    assert mac.table[cell.line.robust_mode(0, 1)].name == "DBPSK_CC"
    rng = np.random.default_rng(1)
    for meter in (0, 1, 2):
        data = rng.bytes(900)
        assert ask(env, cell, 3, meter, data) == data
        assert ask(env, cell, meter, 3, data) == data


def test_the_margin_of_an_old_modem_counts_from_its_own_most_robust_mode():
    mac = settings("1.4", legacy_share=0.5)
    _, cell = prime_cell(2, [(0, 2), (1, 2)], mac, legacy=[False, True, False], margin_db=10.0)
    assert cell.line.quality_db(0, 2) == pytest.approx(10.0 + threshold_db(mac, "BC"))
    assert cell.line.quality_db(1, 2) == pytest.approx(10.0 + threshold_db(mac, "A"))


def test_polls_side_by_side_meet_and_all_arrive_in_the_end():
    pairs = [(a, b) for b in range(7) for a in range(b)]
    env, cell = prime_cell(6, pairs, settings("1.3.6"))
    data = [np.random.default_rng(k).bytes(1500) for k in range(6)]
    sent = [cell.send(k, 6, data[k]) for k in range(6)]
    env.run(env.all_of(sent))
    assert [one.value for one in sent] == data
    assert cell.counters["collisions"] > 0
    balanced(cell.counters)


def test_hidden_senders_collide_more_than_hearing_ones():
    met = []
    for margin in (30.0, -40.0):
        pairs = {(0, 2): (30.0, 30.0), (1, 2): (30.0, 30.0), (0, 1): (margin, margin)}
        env, cell = prime_cell(2, pairs, settings("1.3.6"), seed=4)
        for _ in range(6):
            env.run(env.all_of([cell.send(k, 2, bytes(1500)) for k in (0, 1)]))
        met.append(cell.counters["collisions"] / cell.counters["frames_sent"])
    assert met[1] > 2 * met[0]


def test_the_same_seed_gives_the_same_day_and_another_one_another():
    ends = []
    for seed in (1, 1, 2):
        env, cell = prime_cell(3, dict.fromkeys(chain(3), (1.0, 1.0)), settings("1.3.6"), mode="DBPSK_CC", seed=seed)
        ask(env, cell, 3, 2, bytes(1500))
        ends.append((env.now, tuple(cell.counters.values())))
    assert ends[0] == ends[1] != ends[2]
