"""PRIME's choice of a mode skips what a cheap bound rules out, and chooses as if it had not."""

from itertools import pairwise

import numpy as np
import pytest
from amiplan.channels.phy.plc_choice import choose, erasure_cost_db, numbers, useful_margin_db
from amiplan.channels.phy.plc_curves import error_ratio
from amiplan.channels.phy.plc_woven import MOST_MADE_GOOD_DB
from amiplan.channels.phy.prime_adaptation import prime_adaptation
from amiplan.channels.phy.prime_ofdm import Channels

RESERVE_DB = 1.0


def flat_values_db(table, erased):
    """Levels of flat links, and the effective SNR of every mode on them, lost symbols included."""
    level_db = np.arange(-6.0, 40.0, 0.2)
    power = np.repeat(10 ** (level_db / 10), 97).reshape(-1, 1, 97).astype(np.float32)
    power = np.repeat(power, int(table.state_of_bin.max()) + 1, axis=1)
    over = np.ones((1, table.state_of_bin.size, 97), np.float32)
    return level_db, numbers(power, np.zeros(level_db.size, int), over, table, 100, erased).mode_snr_db


def needed_db(table, erased):
    """SNR that a mode needs: what it has on a flat link by the reserve above the one that just loses a tenth."""
    level_db, value_db = flat_values_db(table, erased)
    needed = table.threshold_db.copy()
    for mode in range(1, needed.size):
        just_db = np.interp(table.threshold_db[mode] - RESERVE_DB, value_db[:, mode], level_db)
        needed[mode] = np.interp(just_db + RESERVE_DB, level_db, value_db[:, mode])
    return needed


@pytest.mark.parametrize("kind", ["A", "B"])
@pytest.mark.parametrize("erased", [0.0, 0.003])
def test_the_fastest_mode_that_holds_is_found(kind, erased):
    states = np.array([0, 0, 1, 1])
    table = prime_adaptation(Channels(1), kind, states, loss_db=1.5, margin_db=1.0, mains_hz=50.0)
    rng = np.random.default_rng(7)
    n = 60
    level_db = rng.uniform(-5, 35, (n, 1, 1)) + rng.normal(0, 5, (n, 2, 97))
    power, heard = (10 ** (level_db / 10)).astype(np.float32), np.zeros(n, np.int64)
    over = (10 ** (rng.normal(0, 2, (1, 4, 97)) / 10)).astype(np.float32)
    choice, all_modes = choose(power, heard, over, table, erased), numbers(power, heard, over, table, 100, erased)
    holds = all_modes.mode_snr_db >= needed_db(table, erased)
    fastest = np.where(holds[:, 1:].any(1), holds.shape[1] - 1 - holds[:, ::-1].argmax(1), 0)
    header = all_modes.header_snr_db >= table.header_threshold_db
    expected = np.where(choice.robust_snr_db < table.threshold_db[0], -1, np.where(header, fastest, 0))
    np.testing.assert_array_equal(choice.mode, expected)
    assert len(set(choice.mode.tolist())) >= 2


def test_the_robust_mode_alone_is_judged_as_among_others():
    table = prime_adaptation(Channels(1), "B", np.array([0, 1]), loss_db=1.5, margin_db=1.0, mains_hz=50.0)
    rng = np.random.default_rng(8)
    power = (10 ** rng.uniform(-1, 2, (20, 2, 97))).astype(np.float32)
    over, heard = np.ones((1, 2, 97), np.float32), np.zeros(20, np.int64)
    alone, among = choose(power, heard, over, table.robust_alone), choose(power, heard, over, table)
    np.testing.assert_array_equal(alone.robust_snr_db, among.robust_snr_db)


@pytest.mark.parametrize("kind", ["A", "B"])
@pytest.mark.parametrize("erased", [0.0, 0.0025, 0.05])
@pytest.mark.parametrize("severity", ["calm", "selective", "notched"])
def test_quick_choice_is_the_one_of_the_reference(kind, erased, severity):
    """Modes as by the reference but within 0.05 dB of a threshold; SNR within 0.1 dB where some frames are lost."""
    states = np.array([1, 1, 0, 3, 3, 0, 2, 2])
    table = prime_adaptation(Channels(1), kind, states, loss_db=1.5, margin_db=1.0, mains_hz=50.0)
    rng = np.random.default_rng(11)
    n, own_db, bin_db = 400, *{"calm": (1.0, 1.0), "selective": (5.0, 3.0), "notched": (3.0, 5.0)}[severity]
    smooth = np.cumsum(rng.normal(0, own_db / 4, (n, 4, 97)), axis=2) + rng.normal(0, own_db / 3, (n, 4, 97))
    level_db = rng.uniform(-12, 32, (n, 1, 1)) + smooth - smooth.mean(axis=(1, 2), keepdims=True)
    if severity == "notched":
        level_db = level_db - 40.0 * (rng.random((n, 1, 97)) < 0.08)
    power = (10 ** (level_db / 10)).astype(np.float32)
    over_db = bin_db * np.cos(2 * np.pi * (np.arange(8)[:, None] / 8 + rng.random((50, 1, 1)))) * np.ones(97)
    over, heard = (10 ** (over_db / 10)).astype(np.float32), rng.integers(0, 50, n)
    choice = choose(power, heard, over, table, erased)
    exact = numbers(power, heard, over, table, 100, erased)
    floor_db = table.threshold_db[0]
    robust_db = np.minimum(exact.mode_snr_db[:, 0], exact.header_snr_db - table.header_floor_db + floor_db)
    over_db = np.c_[robust_db - floor_db, exact.mode_snr_db[:, 1:] - needed_db(table, erased)[1:]]
    header_db = exact.header_snr_db - table.header_threshold_db
    allowed = np.where(over_db[:, 0] < 0, -1, np.where(header_db >= 0, _fastest(over_db), 0))
    close = (np.abs(over_db) < 0.05).any(axis=1) | (np.abs(header_db) < 0.05)
    np.testing.assert_array_equal(choice.mode[~close], allowed[~close])
    same = choice.mode == allowed
    wanted = np.where(allowed > 0, exact.mode_snr_db[np.arange(n), allowed], robust_db)
    lost = exact.error_ratio[np.arange(n), np.maximum(allowed, 0)]
    matters = same & (lost > 1e-4) & (lost < 0.9999)
    assert matters.sum() > 20
    np.testing.assert_allclose(choice.snr_db[matters], wanted[matters], atol=0.1)


def _fastest(over_db):
    """Last mode that holds."""
    return over_db.shape[1] - 1 - (over_db[:, ::-1] >= 0).argmax(axis=1)


def selective_links(n, states=4, seed=5, low_db=-15.0, high_db=45.0):
    """Unequal carriers and parts of the half cycle: power, heard, over_noise."""
    rng = np.random.default_rng(seed)
    smooth = np.cumsum(rng.normal(0, 1.0, (n, states, 97)), axis=2)
    level_db = rng.uniform(low_db, high_db, (n, 1, 1)) + smooth - smooth.mean(axis=(1, 2), keepdims=True)
    over_db = 4.0 * np.cos(2 * np.pi * np.arange(8)[:, None] / 8) * np.ones(97)
    return (10 ** (level_db / 10)).astype(np.float32), np.zeros(n, int), (10 ** (over_db / 10)).astype(np.float32)[None]


def table_of(kind):
    states = np.array([1, 1, 0, 3, 3, 0, 2, 2])
    return prime_adaptation(Channels(1), kind, states, loss_db=1.5, margin_db=RESERVE_DB, mains_hz=50.0)


def margin_db(links, table, erased):
    return choose(*links, table, erased).robust_snr_db - table.threshold_db[0]


@pytest.mark.parametrize("kind", ["A", "B"])
@pytest.mark.parametrize("erased", [0.0, 0.0025])
def test_the_margin_begins_where_frames_are_lost_and_promises_no_more_than_there_is(kind, erased):
    """All carriers fall until the robust mode or the header loses what it may, found by halving with the reference."""
    table, (power, heard, over) = table_of(kind), selective_links(24, low_db=0.0)
    found = margin_db((power, heard, over), table, erased)

    def holds(fall_db):
        weaker = (power * 10 ** (-fall_db / 10)[:, None, None]).astype(np.float32)
        seen = numbers(weaker, heard, over, table.robust_alone, 100, erased)
        return (seen.mode_snr_db[:, 0] >= table.threshold_db[0]) & (seen.header_snr_db >= table.header_floor_db)

    np.testing.assert_array_equal(found >= 0, holds(np.zeros(24)))
    low, high = np.zeros(24), np.full(24, 60.0)
    for _ in range(9):
        middle = (low + high) / 2
        good = holds(middle)
        low, high = np.where(good, middle, low), np.where(good, high, middle)
    spare_db = ((low + high) / 2 - found)[found > 0]
    assert spare_db.size > 10
    assert spare_db.min() > -0.7
    assert spare_db.max() < 8.0


@pytest.mark.parametrize("kind", ["A", "B"])
def test_the_margin_of_flat_carriers_is_decibel_for_decibel(kind):
    table, level_db = table_of(kind), np.arange(10.0, 50.0, 5.0)
    power = (10 ** (level_db / 10))[:, None, None] * np.ones((1, 4, 97), np.float32)
    links = power.astype(np.float32), np.zeros(8, int), np.ones((1, 8, 97), np.float32)
    needed = margin_db(links, table, 0.0025)
    np.testing.assert_allclose(np.diff(needed), 5.0, atol=0.1)
    np.testing.assert_allclose(margin_db(links, table, 0.0) - needed, erasure_cost_db(table, 0.0025), atol=0.1)


@pytest.mark.parametrize("erased", [0.0, 0.0025])
def test_margins_have_no_ceiling(erased):
    table, (power, heard, over) = table_of("A"), selective_links(30, low_db=8.0, high_db=20.0)
    before, after = (margin_db((power * gain, heard, over), table, erased) for gain in (np.float32(1), np.float32(100)))
    strong = before > 1.0
    assert strong.sum() > 10
    risen = (after - before)[strong]
    assert np.all((risen > 13.0) & (risen < 20.5))
    assert after.max() > 25.0


def test_impulses_that_cost_more_than_a_threshold_allows_are_left_to_repetitions():
    """A frame of 17 symbols is whole with 0.98 to that power: three in ten are lost, and one may be."""
    table, links = table_of("A"), selective_links(10, low_db=30.0, high_db=40.0)
    strained, clean = choose(*links, table, 0.02), choose(*links, table, 0.0)
    np.testing.assert_allclose(clean.robust_snr_db - strained.robust_snr_db, MOST_MADE_GOOD_DB, atol=0.3)
    # the fastest mode has the fewest symbols to lose: 3 of 100 B
    fastest = len(table.mode_waveform) - 1
    taken = strained.mode == fastest
    assert taken.sum() > 5
    kept = 1 - error_ratio("prime:D8PSK", strained.snr_db[taken] - 1.5, 100)
    assert kept == pytest.approx(0.98**3, abs=0.04)
    assert useful_margin_db(table, 0.02) < 0.0
    assert erasure_cost_db(table, 0.02) == MOST_MADE_GOOD_DB


def test_bursts_that_leave_hardly_a_frame_whole_leave_no_margin():
    table, links = table_of("A"), selective_links(10, low_db=30.0, high_db=40.0)
    assert np.all(margin_db(links, table, 0.2) == -np.inf)
    assert np.all(choose(*links, table, 0.2).mode == -1)
    assert erasure_cost_db(table, 0.2) == np.inf
    assert np.all(margin_db(links, table, 0.0) > 10.0)


@pytest.mark.parametrize("kind", ["A", "B"])
def test_more_lost_symbols_never_help(kind):
    table, links = table_of(kind), selective_links(60, low_db=0.0, high_db=30.0)
    erased = [0.0, 0.001, 0.004, 0.008, 0.015, 0.03, 0.1, 0.3]
    cost_db = [erasure_cost_db(table, one) for one in erased]
    assert cost_db == sorted(cost_db)
    assert cost_db[0] == 0.0 < cost_db[1] < cost_db[2]
    margins = [margin_db(links, table, one) for one in erased]
    for fewer, more in pairwise(margins):
        assert np.all(more <= fewer + 0.1)


@pytest.mark.parametrize("kind", ["A", "B"])
def test_beyond_the_useful_margin_the_robust_mode_loses_no_fewer_frames(kind):
    table, erased = table_of(kind), 0.0025
    assert useful_margin_db(table, 0.0) == np.inf
    assert useful_margin_db(table, 0.005) < useful_margin_db(table, erased)
    level_db, value_db = flat_values_db(table.robust_alone, erased)
    assert useful_margin_db(table, erased) <= value_db[-1, 0] - table.threshold_db[0] + 1e-6
    assert value_db[level_db > 30.0, 0] == pytest.approx(value_db[-1, 0], abs=1e-3)


def test_modes_between_the_robust_and_the_fastest_are_used_under_impulses():
    """The reserve is a fall of the signal, not of an SNR that lost symbols hold down."""
    table = table_of("A")
    chosen = choose(*selective_links(400, low_db=0.0, high_db=35.0), table, 0.0025).mode
    assert set(range(len(table.mode_waveform))) - set(chosen.tolist()) <= {1}
