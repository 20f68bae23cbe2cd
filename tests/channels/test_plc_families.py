"""What the choice of a mode is told: G3-PLC and IEEE 1901.2 per band, PRIME per channel and frame type."""

import numpy as np
import pytest
from amiplan.channels.phy import plc_curves
from amiplan.channels.phy.g3_adaptation import g3_adaptation
from amiplan.channels.phy.g3_bands import G3_BANDS, IEEE_1901_2_BANDS, with_mask, with_two_blocks
from amiplan.channels.phy.g3_ofdm import modes as g3_modes
from amiplan.channels.phy.g3_ofdm import own_threshold_db, threshold_db
from amiplan.channels.phy.plc_choice import choose
from amiplan.channels.phy.prime_adaptation import adaptive_modes, prime_adaptation
from amiplan.channels.phy.prime_ofdm import Channels

STEADY = np.zeros(8, np.int64)
PLANS = [
    *G3_BANDS.values(),
    *IEEE_1901_2_BANDS.values(),
    with_mask(G3_BANDS["fcc"], "4-9"),
    with_two_blocks(G3_BANDS["arib"]),
]


def flat(adaptation, snr_db):
    """Choice over links of flat SNR."""
    n, carriers = len(snr_db), adaptation.subband_of_carrier.size
    power = np.repeat(10 ** (np.asarray(snr_db, np.float32) / 10), carriers).reshape(n, 1, carriers).astype(np.float32)
    return choose(power, np.zeros(n, np.int64), np.ones((1, 8, carriers), np.float32), adaptation, 0.0)


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: f"{plan.label}{plan.rs_blocks}{len(plan.notched)}")
@pytest.mark.parametrize("coherent", [False, True])
def test_columns_of_a_band(plan, coherent):
    table = g3_modes(plan, coherent=coherent)
    columns = g3_adaptation(table, STEADY, loss_db=1.5, margin_db=1.0, mains_hz=50.0)
    assert columns.subband_of_carrier.size == plan.n_carriers
    assert columns.subband_of_carrier.max() + 1 == plan.n_subbands == columns.mode_subbands.max()
    own = own_threshold_db(table[0]) + 1.5
    assert columns.threshold_db[0] == (own if coherent else threshold_db(table[0], 1.5))
    # a differential header needs more than a coherent robust mode, and never more than a differential one is held to
    assert (columns.header_floor_db > columns.threshold_db[0] + 1e-9) == coherent
    assert columns.header_symbols == plan.header_symbols
    assert np.all(columns.mode_symbols > 0)
    np.testing.assert_allclose(columns.threshold_db[1:], [threshold_db(m, 2.5) for m in table[1:]])
    assert np.all(np.diff(columns.rate_bps) >= 0)
    assert columns.rate_bps.size < 127
    assert columns.mode_subbands[0] == plan.n_subbands
    assert columns.symbol_bins == pytest.approx(plan.symbol_s / 1.25e-3)
    assert columns.window_bins < columns.symbol_bins


def test_flat_links_take_the_mode_whose_threshold_they_pass():
    table = g3_modes(G3_BANDS["cenelec-a"])
    columns = g3_adaptation(table, STEADY, loss_db=1.5, margin_db=1.0, mains_hz=50.0)
    names = {mode.name: row for row, mode in enumerate(table)}
    for name in ("DBPSK", "DQPSK", "D8PSK"):
        need = float(columns.threshold_db[names[name]])
        assert flat(columns, [need + 0.2]).mode.tolist() == [names[name]]
        assert flat(columns, [need - 0.2]).mode[0] < names[name]
    lowest = float(columns.threshold_db[0])
    assert flat(columns, [lowest + 0.1, lowest - 0.1]).mode.tolist() == [0, -1]


@pytest.mark.parametrize(("frame", "robust"), [("A", "DBPSK_CC"), ("B", "R-DBPSK"), ("BC", "R-DBPSK")])
@pytest.mark.parametrize("double", [False, True])
def test_columns_of_prime(frame, robust, double):
    channels = Channels(2, double)
    table = adaptive_modes(channels, frame)
    columns = prime_adaptation(channels, frame, STEADY, loss_db=1.5, margin_db=1.0, mains_hz=50.0)
    assert table[0].name == robust
    assert columns.subband_of_carrier.size == channels.frequency_hz.size
    assert np.flatnonzero(columns.subband_of_carrier < 0).tolist() == ([0, 97] if double else [0])
    assert columns.symbol_bins == pytest.approx(1.792)
    assert [name.partition(":")[2] for name in columns.waveforms] == [mode.name for mode in table]
    assert np.all((columns.beta > 0) == [mode.waveform.coded for mode in table])
    expected = [plc_curves.threshold_db(m.waveform.name, m.waveform.reference_bytes) + 2.5 for m in table[1:]]
    np.testing.assert_allclose(columns.threshold_db[1:], expected)


def test_of_two_prime_modes_of_one_rate_the_coded_one_is_taken():
    columns = prime_adaptation(Channels(1), "B", STEADY, loss_db=1.5, margin_db=1.0, mains_hz=50.0)
    names = [mode.name for mode in adaptive_modes(Channels(1), "B")]
    choice = flat(columns, [60.0, float(columns.threshold_db[0]) + 0.2, -20.0])
    assert [names[row] for row in choice.mode[:2]] == ["D8PSK", "R-DBPSK"]
    assert choice.mode[2] == -1
    assert names.index("DBPSK") < names.index("DQPSK_CC")
