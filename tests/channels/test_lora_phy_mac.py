"""LoRa frames, fragments and random access against tables and closed forms."""

from types import SimpleNamespace

import numpy as np
import pytest
from amiplan.channels.mac import aloha, schc
from amiplan.channels.mac.lorawan_delivery import _repeats_by_round
from amiplan.channels.phy import lora
from amiplan.channels.phy.fading import rice_success
from amiplan.channels.regions import REGIONS, band_at, bands_table, check_limits
from hypothesis import given, settings
from hypothesis import strategies as st

# PHY bytes: SF7 to SF12 [ms], explicit header, CRC, 4/5, 125 kHz; row 37 equals Semtech AN1200.13
TIME_ON_AIR_MS = {
    13: (46.336, 82.432, 164.864, 288.768, 577.536, 1155.072),
    23: (61.696, 113.152, 205.824, 370.688, 823.296, 1482.752),
    37: (82.176, 143.872, 267.264, 493.568, 1069.056, 1974.272),
    64: (118.016, 215.552, 390.144, 698.368, 1560.576, 2793.472),
    128: (215.296, 379.392, 676.864),
    235: (368.896, 655.872),
    255: (399.616, 707.072),
}


@pytest.mark.parametrize("n_bytes", TIME_ON_AIR_MS)
def test_time_on_air_table(n_bytes):
    expected = np.array(TIME_ON_AIR_MS[n_bytes])
    got = lora.time_on_air_s(n_bytes, np.arange(7, 7 + expected.size))
    np.testing.assert_allclose(got, expected / 1e3, atol=1e-6)


def test_time_on_air_other_points():
    down = lora.time_on_air_s(12, np.arange(7, 13), crc=False)
    np.testing.assert_allclose(down * 1e3, (41.2, 72.2, 144.4, 288.8, 577.5, 991.2), atol=0.05)
    assert float(lora.time_on_air_s(20, 12, coding_rate=4)) == pytest.approx(1.712128, abs=1e-6)
    assert float(lora.time_on_air_s(20, 12)) == pytest.approx(1.318912, abs=1e-6)
    assert float(lora.time_on_air_s(13, 12, coding_rate=4)) == pytest.approx(1.449984, abs=1e-6)


def test_packet_error_ratio_is_anchored_at_the_floor_and_falls():
    rates = np.arange(6)
    np.testing.assert_allclose(lora.packet_error_ratio(lora.SNR_FLOOR_DB, rates, 64), 0.1, atol=1e-9)
    snr = np.linspace(-30, 0, 61)
    per = lora.packet_error_ratio(snr, np.zeros(61, int), 64)
    assert (np.diff(per) <= 0).all()
    assert per[0] == pytest.approx(1.0)
    assert lora.packet_error_ratio(-np.inf, 0, 64) == pytest.approx(1.0)
    half = lora.half_loss_margin_db(rates, 64)
    np.testing.assert_allclose(lora.packet_error_ratio(lora.SNR_FLOOR_DB + half, rates, 64), 0.5, atol=1e-9)


def test_rice_success_against_rayleigh_and_integration():
    np.testing.assert_allclose(rice_success([9.8, 12.9, 20.0], rice_k_db=-60.0), (0.9, 0.95, 0.99), atol=0.002)
    np.testing.assert_allclose(rice_success([5.0, 6.9, 11.5], rice_k_db=6.0), (0.9, 0.95, 0.99), atol=0.003)
    rng, k = np.random.default_rng(2), 10**0.6
    tone = np.sqrt(k / (k + 1)) + (rng.normal(size=200_000) + 1j * rng.normal(size=200_000)) / np.sqrt(2 * (k + 1))
    fade_db = 20 * np.log10(np.abs(tone))
    for margin in (0.0, 4.0, 10.0):
        exact = 1 - lora.packet_error_ratio(lora.SNR_FLOOR_DB[3] + margin + fade_db, 3, 64).mean()
        step = rice_success(margin - lora.half_loss_margin_db(3, 64), rice_k_db=6.0)
        assert step == pytest.approx(exact, abs=0.01)


@pytest.mark.parametrize(
    ("size", "payload", "frames"), [(51, 51, 1), (52, 51, 2), (1000, 51, 21), (1000, 115, 10), (2520, 242, 12)]
)
def test_schc_frame_counts(size, payload, frames):
    assert int(schc.uplink_frames(size, payload)) == frames
    assert int(schc.uplink_frame_bytes(size, payload)) <= payload


def test_schc_above_the_mtu_goes_as_blocks():
    one = int(schc.uplink_frames(schc.MTU_BYTES, 51))
    assert int(schc.uplink_frames(2 * schc.MTU_BYTES + 20, 51)) == 2 * one + 1
    assert int(schc.downlink_frames(300, 51)) == 7


@settings(max_examples=40, deadline=None)
@given(st.binary(min_size=60, max_size=schc.MTU_BYTES), st.sampled_from([51, 115, 242]), st.randoms())
def test_fragments_come_back_in_any_order_and_not_without_one(datagram, payload, shuffler):
    if len(datagram) <= payload:
        return
    frames = schc.fragment(datagram, payload)
    assert len(frames) == int(schc.uplink_frames(len(datagram), payload))
    assert max(len(frame) for frame in frames) <= payload
    shuffled = list(frames)
    shuffler.shuffle(shuffled)
    assert schc.reassemble(shuffled) == datagram
    shuffled.pop(shuffler.randrange(len(shuffled)))
    assert schc.reassemble(shuffled) is None
    flipped = [bytes([*frames[0][:-1], frames[0][-1] ^ 1]), *frames[1:]]
    assert schc.reassemble(flipped) is None


def test_completion_by_round_closed_forms():
    sure = schc.completion_by_round([0.7], [1.0], [3], 8)[:, 0]
    np.testing.assert_allclose(sure, [(1 - 0.3 ** (k + 1)) ** 3 for k in range(8)])
    deaf = schc.completion_by_round([0.7], [0.0], [3], 8)[:, 0]
    np.testing.assert_allclose(deaf, 0.7**3)


def test_completion_by_round_against_monte_carlo():
    rng, p, a, n = np.random.default_rng(5), 0.6, 0.5, 6
    done = np.zeros(4)
    for _ in range(20_000):
        have = rng.random(n) < p
        for k in range(4):
            if k and rng.random() < a:
                have |= rng.random(n) < p
            done[k] += have.all()
    np.testing.assert_allclose(done / 20_000, schc.completion_by_round([p], [a], [n], 4)[:, 0], atol=0.015)


def test_pure_aloha_is_exp_of_minus_two_g():
    n, frame_s, channels, load = 4000, 0.4, 8, 0.3
    rate = np.full(n, load * channels / (n * frame_s))
    rng = np.random.default_rng(0)
    exposure = aloha.collision_exposure(
        np.zeros(n, int), np.zeros(n, int), rng.normal(0, 20, n), rate, rate * frame_s, aloha.SIR_DB["aloha"]
    )
    alive = aloha.survival_ratio(frame_s, *exposure, channels)
    np.testing.assert_allclose(alive, np.exp(-2 * load), rtol=1e-3)


def test_capture_spares_the_strong_and_orthogonal_factors_spare_all():
    power = np.array([0.0, 7.0, 5.0, -40.0])
    mode = np.array([0, 0, 0, 5])
    rate, airtime = aloha.collision_exposure(
        np.zeros(4, int), mode, power, np.ones(4), np.full(4, 0.1), aloha.SIR_DB["goursaud"]
    )
    np.testing.assert_allclose(rate, (2, 1, 2, 3), atol=1e-12)
    np.testing.assert_allclose(airtime, (0.2, 0.1, 0.2, 0.3), atol=1e-12)
    rate, _ = aloha.collision_exposure(np.arange(4), mode, power, np.ones(4), np.ones(4), aloha.SIR_DB["goursaud"])
    np.testing.assert_array_equal(rate, 0.0)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31))
def test_exposure_equals_counting_by_hand(seed):
    rng = np.random.default_rng(seed)
    n = 40
    receiver, mode, power = rng.integers(0, 3, n), rng.integers(0, 6, n), rng.normal(0, 15, n)
    rate, sir = rng.random(n), aloha.SIR_DB["croce"]
    got, _ = aloha.collision_exposure(receiver, mode, power, rate, rate, sir)
    for i in range(n):
        harm = (receiver == receiver[i]) & (power > power[i] - sir[mode[i], mode])
        harm[i] = False
        assert got[i] == pytest.approx(rate[harm].sum(), abs=1e-9)


def test_erlang_loss():
    np.testing.assert_allclose(aloha.blocking_ratio([0.0, 1.0, 1.0], 1), (0.0, 0.5, 0.5))
    assert aloha.blocking_ratio(10.0, 10) == pytest.approx(0.2146, abs=1e-4)


def test_regions_are_known_and_say_where_from():
    assert set(REGIONS) == {"EU", "NA", "IN", "JP", "BZ"}
    assert band_at("EU", 868.1e6).eirp_dbm == pytest.approx(16.15)
    assert band_at("EU", 869.525e6).eirp_dbm == pytest.approx(29.15)
    assert band_at("EU", 864e6).duty_cycle == 0.001
    assert (bands_table()["source"].str.len() > 5).all()
    assert set(bands_table("JP")["region"]) == {"JP"}


REFUSED = {
    "long frame": lambda: lora.time_on_air_s(256, 7),
    "factor": lambda: lora.time_on_air_s(20, 13),
    "bandwidth": lambda: lora.time_on_air_s(20, 7, bandwidth_hz=100e3),
    "coding": lambda: lora.time_on_air_s(20, 7, coding_rate=5),
    "data rate": lambda: lora.packet_error_ratio(0.0, 6, 20),
    "k": lambda: rice_success(0.0, rice_k_db=np.nan),
    "tile": lambda: schc.uplink_frames(100, 10),
    "empty": lambda: schc.uplink_frames(0, 51),
    "payload": lambda: schc.downlink_frames(5, 0),
    "rounds": lambda: schc.completion_by_round([0.5], [0.5], [1], 0),
    "mtu": lambda: schc.fragment(bytes(2521), 51),
    "small frame": lambda: schc.fragment(bytes(100), 14),
    "channels": lambda: aloha.survival_ratio(1.0, 1.0, 0.1, 0),
    "servers": lambda: aloha.blocking_ratio(1.0, 0),
    "load": lambda: aloha.blocking_ratio(-1.0, 2),
    "mode": lambda: aloha.collision_exposure(
        np.zeros(1, int), np.array([6]), np.zeros(1), np.ones(1), np.ones(1), aloha.SIR_DB["croce"]
    ),
    "region": lambda: band_at("MARS", 868e6),
    "hole": lambda: band_at("EU", 868.65e6),
    "eirp": lambda: check_limits("EU", 868.1e6, eirp_dbm=17.0, duty_cycle=0.0, culprit="x"),
    "duty": lambda: check_limits("EU", 868.1e6, eirp_dbm=0.0, duty_cycle=0.02, culprit="x"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_guards_refuse(what):
    with pytest.raises(ValueError):
        REFUSED[what]()


@pytest.mark.parametrize("s", [0.5, 0.8, 0.95])
def test_frames_of_a_datagram_until_it_is_in(s):
    """Each frame but the last goes 1 / s times over many rounds, and a round is opened by one request."""
    n = np.array([20])
    legs = SimpleNamespace(n_frames=n)
    by_round = schc.completion_by_round(np.array([s]), np.array([s]), n, 60)
    frames = _repeats_by_round(legs, np.array([s]), np.array([s]), by_round).sum()
    requests = 1.0 + (1.0 - by_round[:-1]).sum()
    assert frames == pytest.approx((n[0] - 1) / s + requests, rel=1e-6)
    rng = np.random.default_rng(4)
    assert frames == pytest.approx(np.mean([_sent_until_in(rng, int(n[0]), s) for _ in range(3000)]), rel=0.03)


def _sent_until_in(rng, n_frames, s):
    """Frames of one datagram drawn one by one: the gateway says what is missing when it hears the last frame."""
    missing, known, sent = set(range(n_frames)), range(n_frames - 1), 0
    while missing:
        for number in (*known, n_frames - 1):
            sent += 1
            heard = rng.random() < s
            if heard:
                missing.discard(number)
        known = sorted(missing) if heard else ()
    return sent
