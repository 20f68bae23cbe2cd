"""PRIME's choice of a mode skips what a cheap bound rules out, and chooses as if it had not."""

import numpy as np
import pytest
from amiplan.channels.phy.plc_choice import choose, numbers
from amiplan.channels.phy.prime_adaptation import prime_adaptation
from amiplan.channels.phy.prime_ofdm import Channels


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
    holds = all_modes.mode_snr_db >= table.threshold_db
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
    over_db = np.c_[robust_db - floor_db, exact.mode_snr_db[:, 1:] - table.threshold_db[1:]]
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
