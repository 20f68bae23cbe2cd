"""PRIME 1.3.6 and 1.4 physical layer: rates, lengths, airtimes, channels."""

import numpy as np
import pytest
from amiplan.channels.phy import prime_ofdm as prime
from amiplan.channels.phy.prime_ofdm import FRAME_TYPES, Channels, airtime_s, largest_psdu_bytes, modes, payload_symbols
from hypothesis import given
from hypothesis import strategies as st

MODES = {mode.name: mode for mode in modes(Channels(1))}
CODED = [name for name in MODES if MODES[name].waveform.coded]

# mode, bytes in 2.24 ms, kbit/s as published, largest payload of 63 units
PUBLISHED = [
    ("DBPSK", 12, 42.9, 756),
    ("DQPSK", 24, 85.7, 1512),
    ("D8PSK", 36, 128.6, 2268),
    ("DBPSK_CC", 6, 21.4, 377),
    ("DQPSK_CC", 12, 42.9, 755),
    ("D8PSK_CC", 18, 64.3, 1133),
    ("R-DBPSK", 1.5, 5.36, 377),
    ("R-DQPSK", 3, 10.7, 755),
]


@pytest.mark.parametrize(("name", "size", "kbps", "largest"), PUBLISHED)
def test_rates_are_bytes_over_symbol_times_and_lengths_those_of_63_units(name, size, kbps, largest):
    mode = MODES[name]
    assert mode.unit_bytes / mode.unit_symbols == size
    assert mode.rate_bps == 8 * size / 2.24e-3
    assert mode.rate_bps / 1e3 == pytest.approx(kbps, abs=0.05)
    assert largest_psdu_bytes(mode, "B") == largest_psdu_bytes(mode, "BC") == largest
    assert largest_psdu_bytes(mode, "B", 511) == min(largest, 511)
    assert payload_symbols(np.array(largest), mode) == 63 * (4 if mode.robust else 1)
    with pytest.raises(ValueError, match=f"send 0 to {largest} B"):
        payload_symbols(np.array(largest + 1), mode)


def test_type_a_carries_seven_bytes_more_and_no_robust_mode():
    assert [largest_psdu_bytes(MODES[n], "A") for n in ("DBPSK_CC", "DQPSK_CC", "D8PSK_CC")] == [384, 762, 1140]
    for name in ("R-DBPSK", "R-DQPSK"):
        with pytest.raises(ValueError, match=f"{name} does not exist in frames of type A"):
            airtime_s(np.array(10), MODES[name], "A")
    with pytest.raises(ValueError, match="frame type 'C' is unknown"):
        largest_psdu_bytes(MODES["DBPSK"], "C")
    whole = prime.psdu_airtime_s(np.array([5, 7, 107]), MODES["DBPSK_CC"], "A")
    np.testing.assert_allclose(whole, airtime_s(np.array([0, 0, 100]), MODES["DBPSK_CC"], "A"))


def test_preamble_and_header():
    head = {
        kind.name: (kind.preamble_s * 1e3, kind.header_symbols * 2.24, kind.head_s * 1e3)
        for kind in FRAME_TYPES.values()
    }
    assert head["A"] == pytest.approx((2.048, 4.48, 6.528))
    assert head["B"] == pytest.approx((8.192, 8.96, 17.152))
    assert head["BC"] == pytest.approx((14.72, 8.96, 23.68))


@pytest.mark.parametrize(
    ("name", "frame", "size", "ms"),
    [
        ("DBPSK_CC", "A", 100, 44.6),
        ("DQPSK_CC", "A", 100, 26.7),
        ("R-DBPSK", "B", 100, 169.5),
        ("R-DQPSK", "B", 100, 97.8),
        ("DBPSK_CC", "B", 100, 55.2),
        ("R-DBPSK", "B", 265, 420.4),
        ("R-DQPSK", "B", 265, 223.2),
        ("DBPSK_CC", "A", 377, 147.65),
        ("DBPSK_CC", "B", 377, 158.27),
        ("R-DBPSK", "B", 377, 581.6),
    ],
)
def test_airtimes(name, frame, size, ms):
    assert float(airtime_s(np.array(size), MODES[name], frame)) * 1e3 == pytest.approx(ms, abs=0.05)


def test_63_units_of_a_robust_mode_are_252_symbols():
    # a limit of 63 symbols would hold 15 whole blocks: 89 B, less than the 377 B that modems offer
    assert payload_symbols(np.array([265, 377]), MODES["R-DBPSK"]).tolist() == [180, 252]
    assert payload_symbols(np.array(265), MODES["R-DQPSK"]) == 92
    longest_s = float(airtime_s(np.array(377), MODES["R-DBPSK"], "B"))
    assert longest_s / prime.SYMBOL_S == pytest.approx(259.7, abs=0.05)
    assert 0.94 < longest_s / (276 * prime.SYMBOL_S) < 0.942


def test_channels_lie_where_coupling_boards_say():
    first = [Channels(k).frequency_hz[0] / 1e3 for k in range(1, 9)]
    np.testing.assert_allclose(first, 41.9921875 + 54.6875 * np.arange(8), atol=1e-9)
    assert Channels(1).frequency_hz[-1] / 1e3 == pytest.approx(88.867, abs=5e-4)
    assert Channels(3).frequency_hz[0] / 1e3 == pytest.approx(151.367, abs=5e-4)
    assert Channels(8).frequency_hz[-1] / 1e3 == pytest.approx(471.68, abs=5e-3)
    assert Channels(1).frequency_hz.size == 97


def test_double_channels_are_two_single_ones_at_twice_the_rate():
    for first in range(1, 8):
        both = Channels(first, True)
        expected = np.r_[Channels(first).frequency_hz, Channels(first + 1).frequency_hz]
        np.testing.assert_array_equal(both.frequency_hz, expected)
        assert [m.rate_bps for m in modes(both)] == [2 * m.rate_bps for m in MODES.values()]
    assert Channels(3, True).label == "3+4"
    for first, double in ((0, False), (9, False), (8, True)):
        with pytest.raises(ValueError, match="does not exist; channels are 1 to 8"):
            Channels(first, double)


@given(st.sampled_from(sorted(MODES)), st.integers(1, 376), st.sampled_from(["A", "B", "BC"]))
def test_airtime_grows_with_size_in_whole_units(name, size, frame):
    mode = MODES[name]
    if mode.robust and frame == "A":
        frame = "B"
    one, more = airtime_s(np.array([size, size + 1]), mode, frame)
    steps = (more - one) / (mode.unit_symbols * prime.SYMBOL_S)
    assert steps == pytest.approx(0, abs=1e-9) or steps == pytest.approx(1)


@given(st.sampled_from(sorted(MODES)), st.floats(-15, 30), st.floats(0, 10), st.integers(2, 300))
def test_frame_error_ratio_falls_with_snr_and_grows_with_length(name, snr, more, size):
    lost = prime.frame_error_ratio(np.array([snr, snr + more]), np.array([size, size]), MODES[name], "B", 1.0)
    longer = prime.frame_error_ratio(np.array(snr), np.array(size + 50), MODES[name], "B", 1.0)
    assert 0 <= lost[1] <= lost[0] + 1e-12
    assert lost[0] <= longer + 1e-9 <= 1 + 1e-8


def test_loss_moves_the_curve_and_silence_loses_everything():
    a = prime.frame_error_ratio(np.array([3.0]), np.array([100]), MODES["DBPSK_CC"], "A", 0.0)
    b = prime.frame_error_ratio(np.array([5.0]), np.array([100]), MODES["DBPSK_CC"], "A", 2.0)
    np.testing.assert_allclose(a, b)
    assert prime.frame_error_ratio(np.array([-np.inf]), np.array([100]), MODES["DBPSK_CC"], "A", 0.0)[0] == 1
