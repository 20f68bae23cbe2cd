"""The choice of a mode against a plain one, its order, and what it refuses."""

from dataclasses import replace

import numpy as np
import plc_modes
import pytest
from amiplan.channels.phy.plc_adaptation import adaptation
from amiplan.channels.phy.plc_choice import choose, numbers
from amiplan.channels.phy.plc_curve_fit import row_of
from amiplan.channels.phy.plc_curves import error_ratio
from hypothesis import given, settings
from hypothesis import strategies as st
from plc_curve_files import made_curves


@pytest.fixture(scope="module")
def curves(tmp_path_factory):
    return made_curves(tmp_path_factory.mktemp("curves"))


def links(one, mean_db, n, seed, spread_db=7.0):
    """Random links: power, heard, over_noise."""
    random = np.random.default_rng(seed)
    n_carriers, n_bins = one.subband_of_carrier.size, one.state_of_bin.size
    power = 10 ** (random.normal(0, spread_db, (n, int(one.state_of_bin.max()) + 1, n_carriers)) / 10)
    over = 10 ** ((mean_db + random.normal(0, 4, (5, n_bins, n_carriers))) / 10)
    power[0] = 0
    return power.astype(np.float32), random.integers(0, 5, n), over.astype(np.float32)


def families(curves):
    return {
        "cenelec_a": plc_modes.g3(curves),
        "cenelec_b": plc_modes.g3(curves, 4, 4, (0,)),
        "fcc": plc_modes.g3(curves, 24, 3),
        "notched": plc_modes.g3(curves, 16, 3, silent=(0, 1, 7, 30)),
        "144": plc_modes.g3(curves, 6, 24, (0, 1, 2, 1) * 4),
    }


@pytest.mark.parametrize("name", ["cenelec_a", "cenelec_b", "fcc", "notched", "144"])
@pytest.mark.parametrize("mean_db", [-5.0, 3.0, 8.0, 14.0, 25.0])
def test_same_mode_as_a_plain_choice(curves, name, mean_db):
    one = families(curves)[name]
    for erasure in (0.0, 0.02):
        power, heard, over = links(one, mean_db, 20, int(mean_db) + 100)
        got = choose(power, heard, over, one, erasure, curves=curves)
        for i in range(20):
            robust, mode, value = plc_modes.plain_choice(power[i], over[heard[i]], one, erasure, curves)
            assert got.mode[i] == mode
            np.testing.assert_allclose([got.robust_snr_db[i], got.snr_db[i]], [robust, value], atol=0.005)


@pytest.mark.parametrize("mean_db", [-2.0, 5.0, 12.0, 30.0])
@pytest.mark.parametrize("erasure", [0.0, 0.01])
def test_prime_against_a_plain_choice(curves, mean_db, erasure):
    one = plc_modes.prime(curves, 33, silent=(16,))
    power, heard, over = links(one, mean_db, 6, int(mean_db) + 100, 4.0)
    got = choose(power, heard, over, one, erasure, curves=curves)
    for i in range(6):
        robust, mode, value = plc_modes.plain_choice(power[i], over[heard[i]], one, erasure, curves)
        assert got.mode[i] == mode
        for seen, wanted in ((got.robust_snr_db[i], robust), (got.snr_db[i], value)):
            assert seen == pytest.approx(wanted, abs=0.02) or wanted == np.inf


def test_every_mode_is_found_and_headers_count(curves):
    one = plc_modes.g3(curves)
    chosen = np.concatenate([choose(*links(one, m, 3000, 5), one, curves=curves).mode for m in range(-4, 26, 2)])
    assert set(range(-1, 4)) <= set(chosen.tolist())
    assert len(one.mode_waveform) - 1 in chosen
    power, heard, over = links(one, 30.0, 50, 1)
    deaf = replace(one, header_threshold_db=99.0)
    assert set(choose(power[1:], heard[1:], over, deaf, curves=curves).mode.tolist()) == {0}


def test_dead_links_and_dead_carriers(curves):
    for one in (plc_modes.g3(curves), plc_modes.prime(curves, 33)):
        power, heard, over = links(one, 30.0, 3, 1)
        power[1, :, 5] = 0
        got = choose(power, heard, over, one, curves=curves)
        assert got.mode[0] == -1
        assert got.robust_snr_db[0] == got.snr_db[0] == got.mean_snr_db[0] == -np.inf
        assert got.mean_snr_db[1] == -np.inf
        assert got.mode[1] >= 0
        assert not any(np.isnan(column).any() for column in got)


def test_mean_over_carriers_and_half_cycle(curves):
    one = plc_modes.g3(curves, silent=(3, 4))
    power, heard, over = links(one, 10.0, 20, 3)
    got = choose(power, heard, over, one, curves=curves).mean_snr_db[1:]
    data = one.subband_of_carrier >= 0
    wanted = [np.mean(10 * np.log10(plc_modes.link_snr(power[i], over[heard[i]], one)[:, data])) for i in range(1, 20)]
    np.testing.assert_allclose(got, wanted, atol=1e-4)


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.floats(-3, 28), st.floats(1.0, 100.0), st.floats(0, 0.2), st.floats(0, 0.2))
def test_more_noise_or_more_erasures_never_help(seed, mean_db, louder, erasure, more):
    for one in (_FAMILIES["g3"], _FAMILIES["prime"]):
        power, heard, over = links(one, mean_db, 30, seed)
        random = np.random.default_rng(seed)
        noisier = (over / random.choice([1.0, louder], over.shape)).astype(np.float32)
        before = choose(power, heard, over, one, erasure, curves=_FAMILIES["curves"])
        for after in (
            choose(power, heard, noisier, one, erasure, curves=_FAMILIES["curves"]),
            choose(power, heard, over, one, min(erasure + more, 1.0), curves=_FAMILIES["curves"]),
        ):
            assert np.all(after.robust_snr_db <= before.robust_snr_db + 1e-3)
            rate = np.append(one.rate_bps, 0.0)
            assert np.all(rate[after.mode] <= rate[before.mode])


_FAMILIES: dict = {}


@pytest.fixture(autouse=True, scope="module")
def _families(curves):
    _FAMILIES.update(curves=curves, g3=plc_modes.g3(curves), prime=plc_modes.prime(curves, 33))


def test_rows_do_not_know_each_other(curves):
    one = plc_modes.g3(curves)
    power, heard, over = links(one, 10.0, 40, 9)
    together, order = choose(power, heard, over, one, curves=curves), np.random.default_rng(1).permutation(40)
    apart = choose(power[order], heard[order], over, one, curves=curves)
    for a, b in zip(together, apart, strict=True):
        np.testing.assert_array_equal(a[order], b)


def test_every_symbol_erased_leaves_nothing(curves):
    one = plc_modes.g3(curves)
    got = choose(*links(one, 40.0, 5, 1), one, 1.0, curves=curves)
    assert set(got.mode.tolist()) == {-1}
    assert np.all(got.robust_snr_db == -np.inf)


@pytest.mark.parametrize("make", [plc_modes.g3, plc_modes.prime])
def test_numbers_of_one_link_are_those_of_the_choice(curves, make):
    one = make(curves)
    power, heard, over = links(one, 12.0, 12, 4, 3.0)
    shown, chosen = (
        numbers(power, heard, over, one, 20, 0.01, curves=curves),
        choose(power, heard, over, one, 0.01, curves=curves),
    )
    for i in range(1, 12):
        if one.framed:
            assert shown.mode_snr_db[i, 0] == pytest.approx(chosen.robust_snr_db[i], abs=1e-4)
        assert shown.mode_snr_db[i, chosen.mode[i]] == pytest.approx(chosen.snr_db[i], abs=1e-4)
    assert shown.snr_db.shape == (12, 8, one.subband_of_carrier.size)
    row = row_of(one.waveforms[one.mode_waveform[-1]])
    alone = error_ratio(row, shown.mode_snr_db[3, -1] - one.loss_db, 20, curves=curves)
    assert shown.error_ratio[3, -1] == alone
    np.testing.assert_allclose(
        10 ** (shown.snr_db[3] / 10), plc_modes.link_snr(power[3], over[heard[3]], one), rtol=1e-5
    )


BAD_TABLES = [
    ({"mode_waveform": np.zeros(0, int)}, "0 modes"),
    ({"threshold_db": np.zeros(2)}, "threshold_db"),
    ({"rate_bps": -np.arange(18.0)}, "rising order"),
    ({"mode_subbands": np.full(18, 7)}, "7 sub-bands"),
    ({"mode_subbands": np.full(18, 5)}, "robust one"),
    ({"subband_of_carrier": np.repeat([0, 5], 18)}, "without gaps"),
    ({"header": "prime:HEADER"}, "do not mix"),
    ({"beta": np.zeros(4)}, "positive scale"),
]


@pytest.mark.parametrize(("change", "words"), BAD_TABLES, ids=lambda one: str(one)[:20])
def test_bad_tables_are_refused(curves, change, words):
    one = plc_modes.g3(curves)
    with pytest.raises(ValueError, match=words):
        replace(one, **change)


def test_bad_prime_tables_are_refused(curves):
    one = plc_modes.prime(curves, 33)
    with pytest.raises(ValueError, match="no tone map"):
        replace(one, subband_of_carrier=np.repeat([-1, 0, 1], 11), mode_subbands=np.array([2] + [1] * 7))
    with pytest.raises(ValueError, match="lowest carrier"):
        replace(one, subband_of_carrier=np.zeros(33, int))
    with pytest.raises(ValueError, match="symbol_bins"):
        replace(one, symbol_bins=0.0)


def test_bad_links_are_refused(curves):
    one = plc_modes.g3(curves)
    power, heard, over = links(one, 10.0, 4, 1)
    for bad, words in (
        ((power[:, :1], heard, over), "power has shape"),
        ((power[..., :35], heard, over), "power has shape"),
        ((power, heard, over[:, :4]), "over_noise has shape"),
        ((power, heard + 9, over), "heard must name"),
        ((power, heard[:2], over), "heard must name"),
    ):
        with pytest.raises(ValueError, match=words):
            choose(*bad, one, curves=curves)
    for share in (-0.1, 1.1, np.nan):
        with pytest.raises(ValueError, match="erasure_ratio"):
            choose(power, heard, over, one, share, curves=curves)


def test_builder_reads_the_stored_scales():
    one = adaptation(
        [("g3:ROBO", 6), ("g3:DBPSK", 6)],
        [0.0, 4.0],
        [5e3, 2e4],
        header="g3:FCH",
        header_threshold_db=-1.0,
        subband_of_carrier=np.repeat(np.arange(6), 6),
    )
    assert np.all(one.beta > 0)
    with pytest.raises(ValueError, match="did you mean 'g3:ROBO'"):
        adaptation([("g3:ROB", 6)], [0.0], [1.0], header="g3:FCH", header_threshold_db=0.0, subband_of_carrier=[0])


@pytest.mark.parametrize("family", [plc_modes.g3, plc_modes.prime])
def test_nothing_gets_through_where_nearly_every_symbol_is_lost(curves, family):
    one = family(curves)
    carriers = one.subband_of_carrier.size
    power = np.full((1, 2, carriers), 1e3, np.float32)
    over = np.ones((1, 8, carriers), np.float32)
    robust = [choose(power, np.zeros(1, int), over, one, share, curves=curves).robust_snr_db[0] for share in LOST]
    assert robust == sorted(robust, reverse=True)
    assert robust[-1] < one.threshold_db[0]
    assert choose(power, np.zeros(1, int), over, one, 1.0, curves=curves).mode[0] == -1


LOST = (0.0, 0.1, 0.5, 0.9, 0.999, 1 - 1e-12, 1.0)
