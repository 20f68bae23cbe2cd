"""SUN FSK: printed airtimes, printed error ratios, inverses and guards."""

import numpy as np
import pytest
from amiplan.channels.phy import sun_fsk
from hypothesis import given, settings
from hypothesis import strategies as st

# Airtime in whole milliseconds, rounded up, by bytes before the check sequence (reference table of the FAN PHYs).
AIRTIME_MS = {
    ("1a", False): {50: 11, 250: 43, 500: 83, 1280: 208},
    ("2a", False): {50: 6, 250: 22, 500: 42, 1280: 104},
    ("3", False): {50: 4, 250: 15, 500: 28, 1280: 70},
    ("5", False): {50: 3, 250: 8, 500: 15, 1280: 35},
    ("1a", True): {50: 20, 250: 84, 500: 164, 1280: 414},
    ("2a", True): {50: 10, 250: 42, 500: 82, 1280: 207},
    ("3", True): {50: 7, 250: 29, 500: 55, 1280: 138},
}
# bytes: Eb/N0 at PER 10 %, then PER at S-3 .. S+3 dB, to the printed digits.
ERROR_RATIO = {
    20: (11.23, [0.945, 0.706, 0.338, 0.100, 0.019, 0.0022, 1e-4]),
    100: (12.17, [0.998, 0.890, 0.437, 0.100, 0.012, 8e-4, 1e-5]),
    250: (12.63, [1.0, 0.955, 0.500, 0.100, 0.0098, 5e-4, 1e-5]),
    1000: (13.24, [1.0, 0.994, 0.602, 0.100, 0.0068, 2e-4, 1e-5]),
}


@pytest.mark.parametrize(("mode", "fec"), AIRTIME_MS)
def test_airtime_is_the_printed_one(mode, fec):
    m = sun_fsk.mode_of(mode)
    for n_bytes, ms in AIRTIME_MS[mode, fec].items():
        time_s = sun_fsk.airtime_s(n_bytes, rate_bps=m.rate_bps, preamble_bytes=m.preamble_bytes, fec=fec)
        assert np.ceil(time_s * 1e3 - 1e-9) == ms


@pytest.mark.parametrize("n_bytes", ERROR_RATIO)
def test_error_ratio_is_the_printed_one(n_bytes):
    ebn0, expected = ERROR_RATIO[n_bytes]
    assert float(sun_fsk.ebn0_at_db(0.1, n_bytes)) == pytest.approx(ebn0, abs=0.005)
    per = sun_fsk.packet_error_ratio(np.arange(-3.0, 4.0), n_bytes, reference_bytes=n_bytes)
    np.testing.assert_allclose(per, expected, rtol=0.03, atol=1.2e-4)


def test_longer_frames_need_two_decibels_more():
    assert float(sun_fsk.ebn0_at_db(0.1, 1000) - sun_fsk.ebn0_at_db(0.1, 20)) == pytest.approx(2.0, abs=0.05)


def test_attempts_level_is_where_the_error_ratio_says():
    level_db = sun_fsk.level_at_attempts_db(4.0)
    assert float(sun_fsk.packet_error_ratio(level_db, 250)) == pytest.approx(0.75)


@settings(max_examples=25, deadline=None)
@given(st.floats(-10, 10), st.floats(0.01, 5), st.integers(1, 1500))
def test_error_ratio_falls_with_level_and_grows_with_length(level, step, n_bytes):
    here, better, longer = (
        float(sun_fsk.packet_error_ratio(*pair))
        for pair in ((level, n_bytes), (level + step, n_bytes), (level, n_bytes + 20))
    )
    assert better <= here <= longer
    assert 0.0 <= here <= 1.0


def test_no_signal_is_no_frame():
    assert float(sun_fsk.packet_error_ratio(-np.inf, 100)) == 1.0


def test_guards_refuse():
    with pytest.raises(ValueError, match="unknown"):
        sun_fsk.mode_of("9z")
    with pytest.raises(ValueError, match="cut it"):
        sun_fsk.airtime_s(2000, rate_bps=50e3, preamble_bytes=8)
    with pytest.raises(ValueError, match="between 0 and 1"):
        sun_fsk.ebn0_at_db(0.0, 250)
    with pytest.raises(ValueError, match="above 1"):
        sun_fsk.level_at_attempts_db(1.0)
