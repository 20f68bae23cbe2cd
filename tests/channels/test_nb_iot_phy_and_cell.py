"""NB-IoT tables, link budget, repetitions, random access: printed numbers, closed forms, guards."""

import numpy as np
import pytest
from amiplan.channels.mac import nb_iot_cell as cell
from amiplan.channels.phy import nb_iot as phy
from hypothesis import given, settings
from hypothesis import strategies as st

UP = phy.uplink_formats(gain_per_doubling_db=1.7)
DOWN = phy.downlink_formats(gain_per_doubling_db=1.7)


@pytest.mark.parametrize(
    ("tone", "expected"),
    [(0, (14.3, 4.3, -5.7)), (1, (8.2, -1.8, -11.8)), (4, (-2.6, -12.6, -22.6))],
)
def test_uplink_budget_is_the_printed_one(tone, expected):
    band = phy.TONES[tone] * phy.SPACING_HZ[tone]
    snr = phy.snr_db(np.array([144.0, 154.0, 164.0]), power_dbm=23.0, bandwidth_hz=band, noise_figure_db=3.0)
    np.testing.assert_allclose(snr, expected, atol=0.051)


@pytest.mark.parametrize(("power", "expected"), [(43.0, (15.4, 5.4, -4.6)), (35.0, (7.4, -2.6, -12.6))])
def test_downlink_budget_is_the_printed_one(power, expected):
    snr = phy.snr_db(np.array([144.0, 154.0, 164.0]), power_dbm=power, bandwidth_hz=180e3, noise_figure_db=5.0)
    np.testing.assert_allclose(snr, expected, atol=0.051)


def test_block_sizes_spot_checked_and_rising():
    assert phy.UPLINK_BITS[0].tolist() == [16, 32, 56, 88, 120, 152, 208, 256]
    assert phy.UPLINK_BITS[12].tolist() == [208, 440, 680, 1000, 1128, 1352, 1800, 2280]
    assert phy.DOWNLINK_BITS[12, 3] == 904
    assert phy.DOWNLINK_BITS[6, 7] == 1032
    for table in (phy.UPLINK_BITS, phy.DOWNLINK_BITS):
        assert (np.diff(table, axis=1) > 0).all()
        assert (np.diff(table, axis=0) >= 0).all()


def test_error_ratio_anchor_and_slope():
    snr = phy.required_snr_db(4, 8, gain_per_doubling_db=3.0)
    assert float(snr) == pytest.approx(-0.2 - 9.0)
    at, above = (phy.block_error_ratio(snr + d, 4, 8, gain_per_doubling_db=3.0) for d in (0.0, 0.5))
    assert float(at) == pytest.approx(0.1)
    assert float(above) == pytest.approx(0.01, rel=0.1)


def test_sixty_four_repetitions_buy_ten_decibels_in_the_field_and_eighteen_in_theory():
    field, ideal = (
        float(phy.required_snr_db(0, 1, gain_per_doubling_db=g) - phy.required_snr_db(0, 64, gain_per_doubling_db=g))
        for g in (phy.FIELDED_GAIN_DB, phy.IDEAL_GAIN_DB)
    )
    assert field == pytest.approx(10.2)
    assert ideal == pytest.approx(18.0)


def test_instant_rates_of_a_category_1_device():
    assert UP.rate_bps(UP.best(60.0)) == pytest.approx(250e3)
    assert phy.downlink_formats(gain_per_doubling_db=1.7, highest_i_tbs=12).rate_bps(
        phy.downlink_formats(gain_per_doubling_db=1.7, highest_i_tbs=12).best(60.0)
    ) == pytest.approx(680 / 3e-3)


def test_single_tone_never_beyond_ten():
    assert (UP.i_tbs[UP.tone_share <= 1 / 12 + 1e-9] <= 10).all()
    assert (phy.uplink_formats(gain_per_doubling_db=1.7, narrow_tones=False).bandwidth_ratio >= 1.0).all()


@pytest.mark.parametrize("formats", [UP, DOWN])
def test_chosen_format_meets_ten_percent_and_cost_falls_with_snr(formats):
    snr = np.linspace(float(formats.threshold_db[0]), 30.0, 200)
    row = formats.best(snr)
    assert (formats.error_ratio(snr, row, gain_per_doubling_db=1.7) <= 0.1 + 1e-9).all()
    cost = np.sqrt(formats.tone_share[row]) / formats.rate_bps(row)
    assert (np.diff(cost) <= 1e-15).all()
    assert formats.best(-80.0) == 0


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30_000), st.floats(-25, 30), st.integers(0, 12))
def test_blocks_hold_the_message_and_no_more(n_bits, snr, header):
    row = np.asarray(UP.best(np.array([snr])))
    n_blocks, airtime = UP.blocks(np.array([n_bits]), row, header_bits=header)
    widest = UP.bits[UP.i_tbs[row[0]]].max() - header
    assert (n_blocks[0] - 1) * widest < n_bits <= n_blocks[0] * widest
    unit = UP.unit_s[row[0]] * UP.repetitions[row[0]]
    span = int(phy.UNITS[UP.bits[UP.i_tbs[row[0]]].argmax()])
    assert unit * n_blocks[0] <= airtime[0] + 1e-12
    assert airtime[0] <= unit * n_blocks[0] * span + 1e-12


def test_known_block_airtime():
    """256 bits at I_TBS 10 on one 15 kHz tone: 2 units of 8 ms hold 328."""
    row = np.flatnonzero((UP.bandwidth_ratio == 1.0) & (UP.i_tbs == 10) & (UP.repetitions == 1))
    n_blocks, airtime = UP.blocks(np.array([256]), row, header_bits=0)
    assert n_blocks[0] == 1
    assert airtime[0] == pytest.approx(16e-3)


@pytest.mark.parametrize(
    ("period", "n_sc", "rate"), [(0.04, 12, 31.6), (0.04, 48, 126.0), (0.64, 12, 1.98), (2.56, 48, 1.98)]
)
def test_a_tenth_collides_at_the_printed_load(period, n_sc, rate):
    assert float(cell.preamble_collision_ratio(rate, period_s=period, n_subcarriers=n_sc)) == pytest.approx(
        0.1, abs=2e-3
    )


def test_queue_and_shares():
    assert float(cell.queue_wait_s(0.5, 2.0)) == pytest.approx(1.0)
    assert float(cell.queue_wait_s(0.0, 2.0)) == 0.0
    assert float(cell.carried_share(1.4, 0.7)) == pytest.approx(0.5)
    assert float(cell.carried_share(0.0, 0.7)) == 1.0
    assert cell.preamble_share((1,), period_s=(0.056,), n_subcarriers=(12,)) == pytest.approx(0.1 * 0.25)


@pytest.mark.parametrize(
    "call",
    [
        lambda: cell.preamble_collision_ratio(-1.0, period_s=1.0, n_subcarriers=12),
        lambda: cell.preamble_collision_ratio(1.0, period_s=0.0, n_subcarriers=12),
        lambda: cell.preamble_share((128,), period_s=(0.04,), n_subcarriers=(12,)),
        lambda: phy.snr_db(144.0, power_dbm=23.0, bandwidth_hz=0.0, noise_figure_db=3.0),
        lambda: UP.blocks(np.array([10]), np.array([0]), header_bits=400),
    ],
)
def test_guards_refuse(call):
    with pytest.raises(ValueError):
        call()
