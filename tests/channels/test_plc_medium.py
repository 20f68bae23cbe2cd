"""The shared line of the power line packet tiers: links as tables, who hears whom, interference, check sequences."""

import math

import numpy as np
import pytest
import simpy
from amiplan.channels.mac.plc.cell_links import CellLinks
from amiplan.channels.mac.plc.frames import checked, checked_crc32, damaged, with_crc32, with_fcs
from amiplan.channels.mac.plc.medium import Medium
from g3_cells import made_links
from hypothesis import given, settings
from hypothesis import strategies as st


def links_of(robust_db):
    """Tables in which the robust SNR is all there is."""
    robust = np.array(robust_db, float)
    n = len(robust)
    return CellLinks(np.arange(n), robust, robust, np.zeros((n, n), np.int8))


def medium(robust_db, **settings):
    env = simpy.Environment()
    return env, Medium(env, links_of(robust_db), sense_db=0.0, **settings)


ALL_HEAR = np.full((4, 4), 10.0)


def test_links_stand_in_the_table_in_both_senses():
    paths, quality = made_links(3, {(0, 3): (20.0, 10.0, 2, 1), (2, 0): (5.0, -3.0, 0, -1)})
    links = CellLinks.of(paths, quality, 0, robust_threshold_db=-1.0)
    assert links.node.tolist() == [0, 1, 2, 3]
    assert links.n == 4
    assert (links.mode[0, 3], links.mode[3, 0], links.mode[2, 0], links.mode[0, 2]) == (2, 1, 0, -1)
    assert (links.robust_db[0, 3], links.robust_db[3, 0]) == (19.0, 9.0)
    assert (links.robust_db[2, 0], links.robust_db[0, 2]) == (4.0, -4.0)
    assert links.snr_db[0, 3] == quality.snr_up_db[0]
    assert links.snr_db[3, 0] == quality.snr_down_db[0]
    assert links.robust_db[1, 3] == -np.inf
    assert links.mode[1, 3] == -1
    assert [links.index(node) for node in (0, 2, 3)] == [0, 2, 3]


def test_only_the_area_of_the_site_is_in_the_table():
    paths, quality = made_links(2, {(0, 2): (20.0, 20.0, 0, 0), (1, 2): (20.0, 20.0, 0, 0)})
    object.__setattr__(paths, "meter_feeder_node", np.array([-1, 0]))
    links = CellLinks.of(paths, quality, 0, 0.0)
    assert links.node.tolist() == [1, 2]
    assert links.index(2) == 1
    with pytest.raises(ValueError, match="node 0 is no member"):
        links.index(0)
    with pytest.raises(ValueError, match="site 1 does not exist"):
        CellLinks.of(paths, quality, 1, 0.0)


def test_a_frame_alone_is_clear_and_two_disturb_each_other_by_their_sum():
    env, line = medium([[0, 20, 10, 0], [20, 0, 13, 0], [10, 13, 0, 20], [0, 0, 20, 0]])
    first = line.begin(0, 0.1, 0.02)
    assert line.clear(first, 2) == 1.0
    env.run(until=0.05)
    line.begin(1, 0.1, 0.02)
    env.run(until=0.06)
    line.begin(3, 0.01, 0.005)
    env.run(until=0.1)
    assert line.clear(first, 2) == pytest.approx(1 + 10**1.3 + 10**2)
    assert line.clear(first, 2, head=True) == 1.0
    assert line.clear(first, 1) == math.inf
    assert line.clear(first, 3) == math.inf
    assert line.clear_of_all(first)[2] == line.clear(first, 2)


def test_interference_that_does_not_coincide_is_not_added():
    env, line = medium(ALL_HEAR)
    wanted = line.begin(0, 1.0, 0.1)
    for sender, at in ((1, 0.2), (2, 0.5)):
        env.run(until=at)
        line.begin(sender, 0.2, 0.1)
    env.run(until=1.0)
    assert line.clear(wanted, 3) == pytest.approx(1 + 10)
    late = line.begin(1, 1.0, 0.1)
    assert late.others == []


def test_a_strong_frame_survives_a_weak_one():
    env, line = medium([[0, 0, 30], [0, 0, 10], [30, 10, 0]])
    strong, weak = line.begin(0, 0.1, 0.02), line.begin(1, 0.1, 0.02)
    env.run(until=0.1)
    assert 30 - 10 * math.log10(line.clear(strong, 2)) == pytest.approx(30 - 10.414, abs=0.001)
    assert 10 - 10 * math.log10(line.clear(weak, 2)) == pytest.approx(-20.004, abs=0.001)


def test_who_hears_waits_for_the_end_and_who_does_not_sees_an_idle_line():
    env, line = medium([[0, 5, -5], [5, 0, 5], [-5, 5, 0]])
    line.begin(0, 0.3, 0.02)
    assert line.idle_s(1) == env.now
    assert line.idle_s(0) == 0.3
    assert line.sending(0)
    assert not line.sending(1)
    env.run(until=0.1)
    assert line.idle_s(1) == 0.3
    assert line.idle_s(2) == env.now
    env.run(until=0.3)
    assert line.idle_s(1) == env.now
    assert not line.sending(0)


def test_a_frame_is_noticed_after_the_delay():
    env, line = medium(ALL_HEAR, sense_delay_s=0.01)
    line.begin(0, 0.3, 0.02)
    env.run(until=0.009)
    assert line.idle_s(1) == env.now
    env.run(until=0.011)
    assert line.idle_s(1) == 0.3


def test_ended_frames_are_kept_as_long_as_asked_and_no_longer():
    env, line = medium(ALL_HEAR, keep_s=0.5)
    line.begin(0, 0.1, 0.02)
    env.run(until=0.59)
    assert [frame.sender for frame in line.sensed(1)] == [0]
    env.run(until=0.7)
    line.begin(2, 0.1, 0.02)
    env.run(until=0.75)
    assert [frame.sender for frame in line.sensed(1)] == [2]


def test_cost_follows_the_frames_on_the_line():
    env, line = medium(np.full((50, 50), 10.0))
    for number in range(2000):
        line.begin(number % 50, 0.01, 0.005)
        env.run(until=env.now + 0.02)
    assert len(line._frames) == 1


def test_new_links_count_from_now_on():
    env, line = medium(ALL_HEAR)
    line.begin(0, 0.3, 0.02)
    env.run(until=0.1)
    line.retune(links_of(np.full((4, 4), -30.0)))
    assert line.idle_s(1) == env.now
    with pytest.raises(ValueError, match="5 members instead of 4"):
        line.retune(links_of(np.full((5, 5), 10.0)))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0.0, 1.0), st.floats(0.01, 0.5)), min_size=2, max_size=8))
def test_interference_is_never_below_one_and_never_above_all_at_once(starts):
    env, line = medium(ALL_HEAR)
    frames = []
    for sender, at, airtime in sorted(starts, key=lambda start: start[1]):
        env.run(until=max(at, env.now + 1e-6))
        frames.append(line.begin(sender, airtime, airtime / 4))
        for frame in frames:
            for node in range(4):
                factor, head = line.clear(frame, node), line.clear(frame, node, head=True)
                assert 1 <= head <= factor
                assert factor == math.inf or factor <= 1 + 10 * len(frame.others) + 1e-9


def test_a_flipped_bit_is_refused():
    for write, read in ((with_fcs, checked), (with_crc32, checked_crc32)):
        frame = write(b"one segment of a meter reading")
        assert read(frame) == b"one segment of a meter reading"
        for bit in range(8 * len(frame)):
            broken = bytearray(frame)
            broken[bit // 8] ^= 1 << bit % 8
            assert read(bytes(broken)) is None
    assert checked_crc32(b"abc") is None


def test_a_failed_decoder_flips_one_bit_in_sixteen():
    frame = bytes(160)
    broken = np.frombuffer(damaged(frame, np.random.default_rng(1)), np.uint8)
    assert np.unpackbits(broken).sum() == 80
    assert np.unpackbits(np.frombuffer(damaged(b"x", np.random.default_rng(1)), np.uint8) ^ ord("x")).sum() == 1
