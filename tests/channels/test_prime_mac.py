"""PRIME's MAC frame, sizes and times: exact numbers, the closed form of a lone sender, what is refused."""

import dataclasses

import numpy as np
import pytest
from amiplan.channels.draws import Draws
from amiplan.channels.mac.prime.follow import follow
from amiplan.channels.mac.prime.framing import (
    KINDS,
    frame_loss,
    frame_s,
    pair_frame,
    robust_mode,
    segment_count,
    segment_sizes_bytes,
)
from amiplan.channels.mac.prime.settings import DATA_PRIORITY, LLC_BYTES
from amiplan.channels.mac.prime.time import frames_per_scp, saturation_bps, walk
from amiplan.channels.phy.prime_ofdm import FRAME_TYPES, SYMBOL_S, largest_psdu_bytes
from amiplan.channels.powerline.prime_parameters import PrimeParameters
from amiplan.channels.technologies.prime import Prime

OLD, NEW = Prime(version="1.3.6").mac, Prime().mac
MIXED = Prime(legacy_share=0.3).mac


@pytest.mark.parametrize(("code", "frame_ms"), [(0, 618.24), (1, 1236.48), (2, 1854.72), (3, 2472.96)])
def test_mac_frames_last_what_the_standard_says(code, frame_ms):
    assert Prime(frame_code=code).mac.frame_s * 1e3 == pytest.approx(frame_ms, abs=1e-9)
    assert OLD.frame_s * 1e3 == pytest.approx(618.24)


def test_beacons_and_the_contention_period_of_1_3_6():
    """18 B, 7 of them in the header; the others and the flushing byte take two symbols. A field log shows 245."""
    assert OLD.beacon_s[0] * 1e3 == pytest.approx(2.048 + 2 * 2.24 + 2 * 2.24)
    assert (OLD.slot_symbols, OLD.scp_symbols) == (6, 245)
    assert OLD.scp_start_s + OLD.scp_s + SYMBOL_S == pytest.approx(OLD.frame_s)


def test_robust_beacons_are_five_times_as_long_and_a_mixed_slot_holds_two():
    assert NEW.beacon_s[0] * 1e3 == pytest.approx(4 * 2.048 + 4 * 2.24 + 16 * 2.24)
    assert NEW.slot_symbols == 25
    assert [kind for kind, _ in MIXED.beacons] == ["BC", "A"]
    assert MIXED.slot_symbols == 28 + 6
    assert MIXED.beacon_s[1] == OLD.beacon_s[0]


def test_a_switch_is_heard_at_least_every_32_frames():
    assert [OLD.beacon_every_frames(n) for n in (1, 4, 5, 9, 33, 128)] == [1, 1, 2, 4, 16, 32]
    assert OLD.most_sending_switches == 128
    assert Prime(max_switches=7).mac.most_sending_switches == 7


def test_backoff_windows_of_both_versions():
    assert [OLD.window_symbols(DATA_PRIORITY, attempt) for attempt in range(5)] == [5, 9, 17, 33, 65]
    assert [NEW.window_symbols(DATA_PRIORITY, attempt) for attempt in range(3)] == [66, 130, 238]


def test_the_longest_robust_frame_needs_94_percent_of_a_short_mac_frame():
    robust = NEW.table[0]
    longest = largest_psdu_bytes(robust, "B")
    need_s = float(frame_s(NEW, "B", np.array(0), np.array(longest)))
    assert need_s / OLD.frame_s == pytest.approx(0.94, abs=0.005)
    short = Prime(frame_code=0).mac
    cut = short.largest_psdu_bytes(robust, "B")
    assert cut < longest == NEW.largest_psdu_bytes(robust, "B")
    assert float(frame_s(short, "B", np.array(0), np.array(cut))) + short.senses_s <= short.scp_s
    assert float(frame_s(short, "B", np.array(0), np.array(cut + robust.unit_bytes))) + short.senses_s > short.scp_s


@pytest.mark.parametrize("mac", [OLD, NEW, MIXED, Prime(frame_code=0, sar_bytes=0, legacy_share=0.5).mac])
def test_no_segment_is_longer_than_what_can_be_sent(mac):
    psdu = mac.segment_payload_bytes + mac.overhead_bytes
    for kind in {mac.data_frame, "A"} if mac.mixed else {mac.data_frame}:
        for mode in mac.table[robust_mode(mac, kind) :]:
            if not (mode.robust and kind == "A"):
                assert psdu <= mac.largest_psdu_bytes(mode, kind)


def test_segments_carry_the_message_and_its_header():
    for size in (1, 189, 190, 1000, 4000):
        parts = segment_sizes_bytes(size, NEW)
        assert sum(part - NEW.overhead_bytes for part in parts) == size + LLC_BYTES
        assert len(parts) == int(segment_count(np.array(size), NEW))
        assert set(parts[:-1]) <= {192 + 16}


def test_airtimes_of_the_reference():
    """100 B behind the header: 44.6 and 26.7 ms in type A, 169.5, 97.8 and 55.2 ms in type B."""
    old, new = [mode.name for mode in OLD.table], [mode.name for mode in NEW.table]
    for mac, kind, names, mode, rest, expected_ms in (
        (OLD, "A", old, "DBPSK_CC", 7, 44.6),
        (OLD, "A", old, "DQPSK_CC", 7, 26.7),
        (NEW, "B", new, "R-DBPSK", 0, 169.5),
        (NEW, "B", new, "R-DQPSK", 0, 97.8),
        (NEW, "B", new, "DBPSK_CC", 0, 55.2),
    ):
        taken_s = frame_s(mac, kind, np.array(names.index(mode)), np.array(100 + rest))
        assert float(taken_s) * 1e3 == pytest.approx(expected_ms, abs=0.06), mode


def test_the_frame_type_follows_the_weaker_partner():
    flags = np.array([False, True])
    assert [KINDS[k] for k in pair_frame(MIXED, flags, flags[::-1])] == ["A", "A"]
    assert KINDS[int(pair_frame(MIXED, flags[:1], flags[:1])[0])] == "BC"
    assert KINDS[int(pair_frame(NEW, flags[:1], flags[:1])[0])] == "B"
    assert NEW.table[robust_mode(MIXED, "A")].name == "DBPSK_CC"


def test_frames_are_lost_for_their_header_too():
    snr = np.full(3, 30.0)
    lost = frame_loss(NEW, "B", np.array([2, 2, -1]), snr, np.array([30.0, -12.0, 30.0]), np.array(100))
    assert lost[0] < 1e-6
    assert lost[1] > 0.99
    assert lost[2] == 1.0


@pytest.mark.parametrize("mac", [OLD, NEW])
@pytest.mark.parametrize("airtime_s", [0.02, 0.1, 0.3])
def test_a_lone_sender_fills_the_contention_period_as_the_closed_form_says(mac, airtime_s):
    n_frames, now = 0, mac.scp_start_s
    numbers = Draws(3).uniform("saturation", np.arange(200_000))
    window, draw, frames = mac.window_symbols(DATA_PRIORITY, 0), 0, 4000
    for _ in range(frames):
        now = mac.scp_start_s
        while True:
            now += int(numbers[draw] * (window + 1)) * SYMBOL_S + mac.senses_s + airtime_s
            draw += 1
            if now > mac.scp_start_s + mac.scp_s + 1e-9:
                break
            n_frames += 1
    assert n_frames / frames == pytest.approx(frames_per_scp(mac, airtime_s), rel=0.02)
    chain = walk(mac, np.full((1, 1), airtime_s), np.zeros((1, 1)), np.ones(1), np.ones(1), fresh=False)
    assert mac.frame_s / chain.round_s[0] == pytest.approx(frames_per_scp(mac, airtime_s), rel=0.03)


def test_saturation_is_payload_over_time():
    assert saturation_bps(OLD, 0.1, 200) == pytest.approx(8 * 200 * frames_per_scp(OLD, 0.1) / OLD.frame_s)
    with pytest.raises(ValueError, match="positive"):
        frames_per_scp(OLD, 0.0)


def test_a_frame_that_begins_anywhere_waits_for_room_as_the_closed_form_says():
    """A need d finds no room with probability (F - L + d) / F and then waits for half of that time in the mean."""
    calm = dataclasses.replace(OLD, r1=-DATA_PRIORITY, r2=-1)
    assert calm.window_symbols(DATA_PRIORITY, 0) == 0
    airtime_s = 0.2
    need_s = airtime_s + calm.senses_s
    beyond_s = calm.frame_s - calm.scp_s + need_s
    one = walk(calm, np.full((1, 1), airtime_s), np.zeros((1, 1)), np.ones(1), np.ones(1), fresh=True)
    assert one.there_s[0] == pytest.approx(need_s + beyond_s**2 / (2 * calm.frame_s), rel=0.01)


def test_what_never_fits_is_refused():
    with pytest.raises(ValueError, match="never fits"):
        walk(OLD, np.full((1, 1), 0.6), np.zeros((1, 1)), np.ones(1), np.ones(1), fresh=True)


def test_a_message_behind_a_word_is_late_and_from_three_hops_on_sometimes_lost():
    word, frame = np.full((3, 3), 0.02), np.full((3, 3), 0.06)
    hops, nobody = np.array([1, 2, 3]), np.zeros(3, bool)
    behind = follow(OLD, word, frame, hops, 0.0, far=nobody)
    alone = [walk(OLD, frame[:1, :k], np.full((1, k), OLD.processing_s), np.full(1, k), np.full(1, k), fresh=True)
             for k in (1, 2, 3)]  # fmt: skip
    assert (behind.arrives_s > [one.there_s[0] for one in alone]).all()
    assert behind.spoilt[0] == 0.0
    assert behind.spoilt[2] > 0.0
    np.testing.assert_array_equal(behind.beside > 0, [False, False, True])
    # who hears the switch two hops ahead begins only at the same moment as that
    hearing = follow(OLD, word, frame, hops, 0.0, far=~nobody)
    assert 0 < hearing.beside[2] < 0.5 * behind.beside[2]
    np.testing.assert_array_equal(hearing.spoilt[:2], behind.spoilt[:2])
    np.testing.assert_array_equal(hearing.arrives_s[:2], behind.arrives_s[:2])
    later = follow(OLD, word, frame, hops, 10.0, far=nobody)
    assert (later.spoilt + later.beside == 0).all()
    np.testing.assert_allclose(later.arrives_s, [one.there_s[0] for one in alone], rtol=0.05)


@pytest.mark.parametrize(
    ("keys", "word"),
    [
        ({"version": "1.5"}, "unknown"),
        ({"version": "1.3.6", "legacy_share": 0.1}, "legacy_share"),
        ({"version": "1.3.6", "first_channel": 3, "country": "US"}, "first_channel"),
        ({"version": "1.3.6", "double_channel": True, "country": "US"}, "double_channel"),
        ({"first_channel": 8, "double_channel": True, "country": "US"}, "does not exist"),
        ({"first_channel": 3}, "no allocation"),
        ({"sar_bytes": 100}, "sar_bytes"),
        ({"frame_code": 0, "robust_beacon_slots": 8, "legacy_share": 0.5}, "too few"),
    ],
)
def test_settings_that_cannot_work_are_refused(keys, word):
    with pytest.raises(ValueError, match=word):
        PrimeParameters.__init__(object.__new__(Prime), **keys)


@pytest.mark.parametrize("keys", [{"mixed": True}, {"frame_code": 2}])
def test_the_old_version_refuses_what_is_of_the_new_one(keys):
    with pytest.raises(ValueError, match=r"1\.4"):
        dataclasses.replace(OLD, **keys)


def test_messages_have_limits():
    with pytest.raises(ValueError, match="no bytes"):
        segment_count(np.array([0]), NEW)
    with pytest.raises(ValueError, match="63 segments"):
        segment_count(np.array([63 * 192]), NEW)
    with pytest.raises(ValueError, match="does not exist"):
        frame_s(NEW, "A", np.array(0), np.array(50))


def test_channels_beyond_the_first_need_a_country_or_a_reason():
    assert Prime(first_channel=3, country="US").permission.by_rule
    trial = Prime(first_channel=3, allow_band="field trial")
    assert not trial.permission.by_rule
    assert "channel 3" in trial.band_notes[0]
    assert FRAME_TYPES["A"].head_s < FRAME_TYPES["B"].head_s < FRAME_TYPES["BC"].head_s
