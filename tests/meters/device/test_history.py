import numpy as np
import pytest
from amiplan.meters import clock, load
from amiplan.meters.device import supply, tariffs
from amiplan.meters.device.history import History, of_loads
from hypothesis import given, settings
from hypothesis import strategies as st
from made_device import END_S, FIRST_DAY, HISTORY, N_DAYS, START_S, flat_history

KEYS = np.array([77, 78], np.uint64)


def test_a_history_of_the_load_model_equals_the_load_model():
    profile = load.profile(KEYS[:1], np.array(["farm"]), FIRST_DAY + 1, seed=5)[0]
    assert np.array_equal(HISTORY.registers[97 : 2 * 96 + 1], profile)
    assert HISTORY.time_s[0] == clock.day_start_s(FIRST_DAY)
    assert HISTORY.n_intervals == 96 * N_DAYS


def test_many_histories_equal_single_ones():
    together = of_loads(KEYS, np.array(["house", "farm"]), 1, 2, 2, 24)
    alone = History.of_load(78, "farm", 1, 2, 2, 24)
    assert np.array_equal(together[1].registers, alone.registers)
    assert together[0].time_s is together[1].time_s


def test_registers_between_two_ends_are_linear_and_rounded_down():
    history = flat_history([9, 3])
    begin = int(history.time_s[0])
    assert [int(history.registers_at(begin + s)[0]) for s in (0, 450, 899, 900, 1200, 1800)] == [0, 4, 8, 9, 10, 12]
    assert flat_history([2**31]).registers_at(begin + 450).tolist() == [2**30] * 4


def test_outside_the_window_the_registers_stand():
    assert np.array_equal(HISTORY.registers_at(START_S - 1e6), HISTORY.registers[0])
    assert np.array_equal(HISTORY.registers_at(END_S + 1e6), HISTORY.registers[-1])
    assert not HISTORY.power_w(START_S - 1).any()
    assert not HISTORY.power_w(END_S + 1).any()


def test_power_is_the_energy_of_the_running_interval():
    history = flat_history([250, 500])
    begin = int(history.time_s[0])
    assert history.power_w(begin).tolist() == [1000] * 4
    assert history.power_w(begin + 900.5).tolist() == [2000] * 4


@given(st.integers(-2000, 96 * 900 * N_DAYS + 2000), st.sampled_from([0, 1, 2, 3]))
@settings(deadline=None)
def test_tariffs_sum_to_the_total_at_every_moment(after_s, channel):
    now = START_S + after_s
    total = HISTORY.registers_at(now)[channel]
    assert HISTORY.tariffs_at(now, channel).sum(dtype=np.uint32) == total


@given(st.lists(st.integers(0, 2**31), min_size=1, max_size=120), st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_tariffs_sum_to_the_total_through_a_rollover(gained, start):
    time_s = clock.day_start_s(0) + 900 * np.arange(len(gained) + 1, dtype=np.int64)
    total = (np.cumsum([start, *gained], dtype=np.uint64) % 2**32).astype(np.uint32)
    parts = tariffs.registers(time_s, np.stack([total, total]))
    assert np.array_equal(parts.sum(axis=-1, dtype=np.uint32), np.stack([total, total]))
    assert np.array_equal(parts[0, 0], tariffs.split(np.uint32(start)))


def test_a_tariff_counts_in_its_hours_only():
    history = flat_history([1] * 96)
    night = history.tariffs(np.arange(97), 0)[:, 0]
    grows = np.flatnonzero(np.diff(night)) // 4
    assert sorted(set(grows.tolist())) == [0, 1, 2, 3, 4, 5, 22, 23]
    assert tariffs.band_of(np.array([clock.day_start_s(1) + 18 * 3600])).tolist() == [3]


def test_the_start_is_split_as_stated():
    assert tariffs.split(np.uint32(1000)).tolist() == [350, 250, 150, 250]


def test_rows_and_days():
    assert HISTORY.rows(START_S, START_S + 1800).tolist() == [1, 2]
    assert HISTORY.rows(END_S + 1, END_S + 9).size == 0
    assert HISTORY.daily().tolist() == [96 * day for day in range(N_DAYS + 1)]
    assert HISTORY.captured(3600)[:3].tolist() == [0, 4, 8]


@pytest.mark.parametrize(
    ("time_s", "registers", "period_s", "word"),
    [
        (np.arange(3), np.zeros((2, 4), np.uint32), 1, r"\(n \+ 1, 4\)"),
        (np.arange(3) + 0.5, np.zeros((3, 4), np.uint32), 1, "int64"),
        (np.arange(3), np.zeros((3, 4)), 1, "uint32"),
        (np.array([0, 1, 3]), np.zeros((3, 4), np.uint32), 1, "1 s apart"),
    ],
)
def test_a_history_that_does_not_fit_is_refused(time_s, registers, period_s, word):
    with pytest.raises(ValueError, match=word):
        History(time_s, registers, period_s)


def test_other_impossible_histories_are_refused():
    with pytest.raises(ValueError, match="1 to 4"):
        History.given(np.arange(2), np.zeros((2, 5), np.uint32))
    with pytest.raises(ValueError, match="at least one day"):
        of_loads(KEYS, np.array([0, 0]), n_days=0)
    with pytest.raises(ValueError, match="multiple"):
        HISTORY.captured(1000)


def test_the_supply_keeps_to_its_limits():
    voltages = [supply.voltage_v(77, 0, interval) for interval in range(200)]
    assert 207.0 < min(voltages) < max(voltages) < 253.0
    assert voltages[:3] == [supply.voltage_v(77, 0, interval) for interval in range(3)]
    assert all(abs(supply.frequency_hz(0, interval) - 50.0) <= 0.05 for interval in range(50))
    history = flat_history([230, 0], n_channels=1)
    begin = int(history.time_s[0])
    current = supply.current_a(history, 77, 0, begin)
    assert current == pytest.approx(920.0 / supply.voltage_v(77, 0, begin // 900))
    assert supply.current_a(history, 77, 0, begin + 900) == 0.0
