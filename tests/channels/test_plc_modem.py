"""The Monte-Carlo modem: codes, mappings, noise and frames against closed forms; the stored files."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from amiplan.channels.phy.modem import (
    convolutional,
    curves,
    interleaving,
    link,
    modulation,
    noise,
    reed_solomon,
    scales,
)
from amiplan.channels.phy.plc_waveforms import WAVEFORMS
from hypothesis import given, settings
from hypothesis import strategies as st
from plc_thresholds import THRESHOLDS_DB
from scipy.integrate import quad
from scipy.special import ive
from scipy.stats import ncx2


def linear(db):
    return np.array(10 ** (db / 10))


# convolutional code


@given(st.lists(st.booleans(), min_size=7, max_size=60), st.lists(st.booleans(), min_size=7, max_size=60))
def test_the_code_is_linear(first, second):
    n = min(len(first), len(second))
    a, b = (np.array([row[:n]], np.uint8) for row in (first, second))
    assert np.array_equal(convolutional.encode(a ^ b), convolutional.encode(a) ^ convolutional.encode(b))


def test_free_distance_is_ten():
    message = np.array(list(itertools.product((0, 1), repeat=9)), np.uint8)[1:]
    weight = convolutional.encode(np.pad(message, ((0, 0), (0, 6)))).sum(axis=1)
    assert weight.min() == 10


def test_viterbi_finds_the_likeliest_word():
    message = np.pad(np.array(list(itertools.product((0, 1), repeat=8)), np.uint8), ((0, 0), (0, 6)))
    sent = 1.0 - 2.0 * convolutional.encode(message)
    soft = np.random.default_rng(1).standard_normal((200, sent.shape[1]))
    assert np.array_equal(convolutional.decode(soft), message[np.argmax(soft @ sent.T, axis=1)])


def test_four_wrong_bits_are_mended_anywhere():
    random = np.random.default_rng(2)
    bit = random.integers(0, 2, (300, 60), np.uint8)
    bit[:, -6:] = 0
    soft = 1.0 - 2.0 * convolutional.encode(bit)
    for row in soft:
        row[random.choice(row.size, 4, replace=False)] *= -1
    assert np.array_equal(convolutional.decode(soft), bit)


@pytest.mark.parametrize("shape", [(1, 13), (1, 10), (14,)])
def test_soft_bits_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match="two values per bit"):
        convolutional.decode(np.zeros(shape))


# Reed-Solomon


def slow_product(a, b):
    """Multiply in GF(256) by hand."""
    total = 0
    while b:
        total ^= a if b & 1 else 0
        a = (a << 1) ^ (0x11D if a & 0x80 else 0)
        b >>= 1
    return total


@pytest.mark.parametrize(("n_bytes", "parity"), [(235, 16), (133, 8), (1, 4), (239, 16)])
def test_words_vanish_at_the_roots(n_bytes, parity):
    word = reed_solomon.encode(np.random.default_rng(3).integers(0, 256, (1, n_bytes), np.uint8), parity)[0]
    root = 1
    for _ in range(parity):
        root = slow_product(root, 2)
        value = 0
        for byte in word:
            value = slow_product(value, root) ^ int(byte)
        assert value == 0


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.sampled_from([8, 16]), st.integers(1, 100), st.integers(0, 20))
def test_the_decoder_returns_what_was_sent_exactly_up_to_half_the_parity(seed, parity, n_bytes, n_wrong):
    random = np.random.default_rng(seed)
    sent = reed_solomon.encode(random.integers(0, 256, (1, n_bytes), np.uint8), parity)
    n_wrong = min(n_wrong, sent.size)
    word = sent.copy()
    word[0, random.choice(sent.size, n_wrong, replace=False)] ^= random.integers(1, 256, n_wrong, np.uint8)
    mended, n_mended = reed_solomon.decode(word, parity)
    assert np.array_equal(mended, sent) == reed_solomon.is_mended(n_wrong, parity)
    if n_wrong <= parity // 2:
        assert n_mended[0] == n_wrong
    elif n_mended[0] < 0:
        assert np.array_equal(mended, word)


def test_the_error_count_decides_frames_like_the_decoder():
    random = np.random.default_rng(4)
    sent = reed_solomon.encode(random.integers(0, 256, (400, 133), np.uint8), 8)
    word = sent ^ (random.integers(0, 256, sent.shape, np.uint8) * (random.random(sent.shape) < 0.03)).astype(np.uint8)
    mended, _ = reed_solomon.decode(word, 8)
    counted = reed_solomon.is_mended((word != sent).sum(axis=1), 8)
    assert np.array_equal((mended == sent).all(axis=1), counted)
    assert 0.2 < counted.mean() < 0.9


@pytest.mark.parametrize(("n_bytes", "parity"), [(240, 16), (10, 7), (10, 0)])
def test_impossible_words_are_refused(n_bytes, parity):
    with pytest.raises(ValueError, match="at most 255 bytes"):
        reed_solomon.encode(np.zeros((1, n_bytes), np.uint8), parity)


# interleaving


def test_frame_order_is_a_fixed_permutation():
    order = interleaving.frame_order(500)
    assert np.array_equal(np.sort(order), np.arange(500))
    assert np.array_equal(order, np.random.default_rng([interleaving.SEED, 500]).permutation(500))


@pytest.mark.parametrize(("carriers", "bits"), [(96, 1), (96, 2), (96, 3), (84, 1)])
def test_neighbours_in_the_code_stand_a_dozen_carriers_apart(carriers, bits):
    order = interleaving.symbol_order(carriers, bits)
    assert np.array_equal(np.sort(order), np.arange(carriers * bits))
    rows = (7 if carriers == 84 else 8) * (1 + bits // 2)
    within = np.arange(order.size - 1) % rows != rows - 1
    assert (np.diff(order)[within] == order.size // rows).all()


@pytest.mark.parametrize("bits", [1, 2])
def test_copies_stand_in_other_symbols_on_other_carriers(bits):
    place = interleaving.symbol_blocks(2 * 4 * 96 * bits, 96, bits, 4)
    assert np.array_equal(np.sort(place.ravel()), np.arange(place.size))
    symbol, carrier = place // (96 * bits), place % (96 * bits) // bits
    assert (np.diff(symbol, axis=1) == 1).all()
    assert ((np.diff(carrier, axis=1) % 96) == 24).all()


@pytest.mark.parametrize(("carriers", "bits"), [(31, 1), (97, 1), (90, 2), (50, 3), (168, 1), (192, 3)])
def test_any_number_of_carriers_is_permuted(carriers, bits):
    order = interleaving.symbol_order(carriers, bits)
    assert np.array_equal(np.sort(order), np.arange(carriers * bits))


# modulation


@pytest.mark.parametrize("detection", ["time", "frequency", "coherent"])
@pytest.mark.parametrize("bits", [1, 2, 3, 4])
def test_clean_carriers_give_their_bits_back(bits, detection):
    if bits == 4 and detection != "coherent":
        pytest.skip("16-QAM is coherent only")
    bit = np.random.default_rng(5).integers(0, 2, (3, 7, 24, bits), np.uint8)
    sent = modulation.modulate(bit, bits, detection)
    assert np.mean(np.abs(sent) ** 2) == pytest.approx(1, abs=0.1)
    point, snr = modulation.observe(sent * np.exp(0.1j), np.ones(sent.shape), detection)
    assert np.array_equal(modulation.soft_bits(point, snr, bits) < 0, bit.astype(bool))


@pytest.mark.parametrize("bits", [1, 2, 3, 4])
def test_nearest_points_differ_in_one_bit(bits):
    point = modulation.constellation(bits)
    assert np.mean(np.abs(point) ** 2) == pytest.approx(1)
    apart = np.abs(point[:, None] - point[None, :])
    nearest = np.isclose(apart, apart[apart > 1e-3].min(), rtol=1e-3)
    differ = np.bitwise_count(np.arange(1 << bits)[:, None] ^ np.arange(1 << bits)[None, :])
    assert (differ[nearest] == 1).all()


@pytest.mark.parametrize("bits", [1, 2, 3, 4])
def test_soft_bits_are_differences_of_squared_distances(bits):
    random = np.random.default_rng(6)
    received = (random.standard_normal(50) + 1j * random.standard_normal(50)).astype(np.complex64)
    snr = random.uniform(0.1, 9, 50)
    soft = modulation.soft_bits(received, snr, bits)
    distance = np.abs(received[:, None] - modulation.constellation(bits)) ** 2 * snr[:, None]
    for place in range(bits):
        one = (np.arange(1 << bits) >> (bits - 1 - place) & 1).astype(bool)
        wanted = distance[:, one].min(axis=1) - distance[:, ~one].min(axis=1)
        assert soft[:, place] == pytest.approx(wanted, rel=1e-4, abs=1e-4)


def test_five_bits_per_carrier_are_refused():
    with pytest.raises(ValueError, match="1, 2, 3 or 4"):
        modulation.constellation(5)


@given(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3))
def test_a_pair_is_worse_than_either(first, second):
    pair = modulation.pair_snr(np.array(first), np.array(second))
    assert pair < min(first, second)
    same = modulation.flat_equivalent(pair)
    assert modulation.pair_snr(same, same) == pytest.approx(float(pair), rel=1e-9)


# uncoded bit errors


def dqpsk_bit_error_ratio(snr):
    """Gray, two noisy phases: Marcum Q and Bessel function (Proakis, Digital Communications, 4th edition, 5.2-70)."""
    a, b = (np.sqrt(snr * (1 + sign * np.sqrt(0.5))) for sign in (-1, 1))
    marcum = ncx2.sf(b * b, 2, a * a)
    return marcum - 0.5 * ive(0, a * b) * np.exp(a * b - (a * a + b * b) / 2)


def d8psk_bit_error_ratio(snr):
    """Gray, from the distribution of the phase between two vectors in noise (Pawula et al., IEEE COM-30, 1982)."""

    def below(angle):
        value, _ = quad(
            lambda t: np.exp(-snr * (1 - np.cos(angle) * np.cos(t))) / (1 - np.cos(angle) * np.cos(t)),
            -np.pi / 2,
            np.pi / 2,
        )
        return -np.sin(angle) / (4 * np.pi) * value

    gray = np.arange(8) ^ (np.arange(8) >> 1)
    total = 0.0
    for step in range(1, 5):
        low, high = (2 * step - 1) * np.pi / 8, (2 * step + 1) * np.pi / 8
        share = below(high) - below(low) if step < 4 else -below(low)
        differ = (
            np.bitwise_count(gray ^ np.roll(gray, step)).mean() + np.bitwise_count(gray ^ np.roll(gray, -step)).mean()
        )
        total += share * differ
    return total / 3


THEORY = {
    "prime:DBPSK": lambda snr: 0.5 * np.exp(-snr),
    "prime:DQPSK": dqpsk_bit_error_ratio,
    "prime:D8PSK": d8psk_bit_error_ratio,
}


@pytest.mark.parametrize(
    ("name", "snr_db"),
    [
        ("prime:DBPSK", 3.0),
        ("prime:DBPSK", 6.0),
        ("prime:DQPSK", 6.0),
        ("prime:DQPSK", 10.0),
        ("prime:D8PSK", 10.0),
        ("prime:D8PSK", 14.0),
    ],
)
def test_bit_errors_without_code_follow_theory(name, snr_db):
    got = link.simulate(name, 300, linear(snr_db), n_frames=600, seed=7).bit_error_ratio
    assert got == pytest.approx(THEORY[name](10 ** (snr_db / 10)), rel=0.05)


# noise


def test_class_a_has_its_power_and_its_quiet_share():
    samples = noise.class_a_samples(np.random.default_rng(8), (400_000,), 0.1, 0.01)
    assert np.var(samples) == pytest.approx(101, rel=0.03)
    # without an impulse, exp(-A) of the time, three sigma hold 99.7 %; with one (sigma 31.6) 7.5 %
    assert np.mean(np.abs(samples) < 3) == pytest.approx(np.exp(-0.1) * 0.9973 + 0.1 * np.exp(-0.1) * 0.0754, rel=0.01)


@pytest.mark.parametrize(("overlap", "ratio"), [(0.0, 0.1), (2.0, 0.1), (0.1, 0.0)])
def test_class_a_outside_its_range_is_refused(overlap, ratio):
    with pytest.raises(ValueError, match="class A"):
        noise.class_a_samples(np.random.default_rng(), (1,), overlap, ratio)


def test_a_share_above_one_is_refused():
    with pytest.raises(ValueError, match="0 to 1"):
        noise.bursts(1.5, 20)


@pytest.mark.parametrize(("ratio", "snr_db"), [(0.01, 25.04), (0.001, 35.0)])
def test_dense_impulses_shift_the_curve(ratio, snr_db):
    """SimPRIME's case: 0.0218 without impulses at 5.0 dB, with A = 0.1 at 25.0 and 35 dB."""
    impulses = noise.class_a(0.1, ratio, n_fft=512, first_bin=86)
    quiet = link.simulate("prime:DBPSK", 100, linear(5.0), n_frames=600, seed=9).bit_error_ratio
    loud = link.simulate("prime:DBPSK", 100, linear(snr_db), n_frames=600, seed=9, noise=impulses).bit_error_ratio
    assert quiet == pytest.approx(0.0218, rel=0.06)
    assert loud == pytest.approx(0.0218, rel=0.09)


def test_loud_bursts_are_erasures():
    hit = link.simulate("g3:ROBO", 60, linear(-1.5), n_frames=300, seed=10, noise=noise.bursts(0.1, 40)).error_ratio
    layout = link.frame_of("g3:ROBO", 60)
    random = np.random.default_rng(11)
    erased = [
        link.simulate("g3:ROBO", 60, linear(-1.5) * (random.random((layout.n_symbols, 1)) >= 0.1), n_frames=1, seed=n)
        for n in range(300)
    ]
    assert hit == pytest.approx(np.mean([one.error_ratio for one in erased]), abs=0.08)
    assert link.simulate("g3:ROBO", 60, linear(-1.5), n_frames=300, seed=10).error_ratio < hit - 0.1


# frames


@pytest.mark.parametrize(
    ("name", "n_bytes", "carriers", "symbols"),
    [
        ("g3:ROBO", 133, 0, 252),
        ("g3:DBPSK", 235, 0, 112),
        ("g3:DQPSK", 235, 0, 56),
        ("g3:FCH", 5, 0, 13),
        ("g3:FCH-72", 9, 72, 12),
        ("g3:FCH-72", 9, 54, 16),
        ("prime:DBPSK_CC", 377, 0, 63),
        ("prime:DQPSK_CC", 755, 0, 63),
        ("prime:D8PSK_CC", 1133, 0, 63),
        ("prime:DBPSK", 756, 0, 63),
        ("prime:D8PSK", 2268, 0, 63),
        ("prime:R-DBPSK", 377, 0, 252),
        ("prime:R-DQPSK", 755, 0, 252),
        ("prime:HEADER", 10, 0, 2),
        ("prime:R-HEADER", 10, 0, 4),
    ],
)
def test_frames_have_their_symbols(name, n_bytes, carriers, symbols):
    layout = link.frame_of(name, n_bytes, carriers)
    assert layout.n_symbols == symbols
    assert np.unique(layout.place).size == layout.place.size


@pytest.mark.parametrize(
    ("name", "n_bytes", "match"),
    [("g3:PSK", 10, "no waveform"), ("g3:ROBO", 0, "at least 1"), ("g3:DBPSK", 240, "at most 239")],
)
def test_impossible_frames_are_refused(name, n_bytes, match):
    with pytest.raises(ValueError, match=match):
        link.frame_of(name, n_bytes)


@pytest.mark.parametrize("name", WAVEFORMS)
def test_loud_frames_arrive_and_silent_ones_do_not(name):
    assert link.simulate(name, 20, linear(45.0), n_frames=5, seed=1).n_bit_errors == 0
    assert link.simulate(name, 20, np.array(0.0), n_frames=5, seed=1).n_errors == 5


def test_the_same_seed_loses_the_same_frames():
    first, again, other = (link.simulate("g3:DBPSK", 50, linear(1.8), n_frames=200, seed=seed) for seed in (1, 1, 2))
    assert first == again != other


def test_dead_carriers_cost_a_robust_frame_little():
    snr = np.where(np.arange(36) % 4, linear(0.5), 0.0)
    assert link.simulate("g3:ROBO", 60, snr, n_frames=100, seed=3).error_ratio < 0.1
    assert link.simulate("g3:ROBO", 60, snr / 4, n_frames=100, seed=3).error_ratio > 0.9


@pytest.mark.parametrize("name", ["g3:FCH", "g3:DQPSK", "prime:R-DQPSK", "prime:D8PSK_CC", "prime:DBPSK"])
def test_thresholds_of_another_program_hold(name):
    """All of them, and closer, in the verification."""
    n_bytes = WAVEFORMS[name].reference_bytes
    tenth_db = THRESHOLDS_DB[name][0]
    below, above = (
        link.simulate(name, n_bytes, linear(tenth_db + off), n_frames=400, seed=4, ideal=True).error_ratio
        for off in (-0.4, 0.4)
    )
    assert above < 0.1 < below


# stored files


def test_stored_curves_are_whole_and_fall():
    points = curves.read_points()
    assert curves.CURVES.stat().st_size < 60_000
    for name, one in WAVEFORMS.items():
        lengths = {p.payload_bytes for p in points if p.waveform == name}
        assert lengths == set(curves.LENGTHS[name])
        assert one.reference_bytes in lengths
        for n_bytes in lengths:
            curve = [p for p in points if (p.waveform, p.payload_bytes) == (name, n_bytes)]
            assert np.all(np.diff([p.snr_db for p in curve]) > 0.19)
            assert curve[0].per > 0.5
            assert curve[-1].per < 0.004
            per = np.array([p.per for p in curve])
            assert np.all(per[1:] < per[:-1] * (1 + 4 / np.sqrt(np.array([p.n_errors for p in curve[1:]]))))
            assert all(p.per == pytest.approx(p.n_errors / p.n_frames, rel=0.01) for p in curve)


@pytest.mark.parametrize("name", THRESHOLDS_DB)
def test_stored_curves_meet_the_thresholds(name):
    """PRIME's own interleaver costs up to 0.6 dB against the ideal one."""
    curve = [
        p for p in curves.read_points() if (p.waveform, p.payload_bytes) == (name, WAVEFORMS[name].reference_bytes)
    ]
    log_per, snr_db = np.log([p.per for p in curve]), [p.snr_db for p in curve]
    worst = 0.65 if WAVEFORMS[name].interleaving in ("symbol", "four_symbols") else 0.3
    for per, wanted in zip((0.1, 0.01), THRESHOLDS_DB[name], strict=True):
        assert -0.3 <= np.interp(-np.log(per), -log_per, snr_db) - wanted <= worst


def test_points_are_rerun_as_stored(tmp_path):
    point = next(p for p in curves.read_points() if p.waveform == "prime:DBPSK_CC" and p.per < 0.4)
    again = curves.make_point(point.waveform, point.payload_bytes, point.snr_db, 2000)
    assert again.per == pytest.approx(point.per, abs=5 * np.sqrt(point.per / again.n_frames))
    curves.write_curves([again], tmp_path / "c.csv", 2000)
    [read] = curves.read_points(tmp_path / "c.csv")
    assert (read.waveform, read.snr_db, read.n_errors) == (again.waveform, again.snr_db, again.n_errors)


def test_a_curve_spans_the_wanted_ratios():
    made = list(curves.make_curve("g3:FCH", 5, 400))
    assert made[0].per > 0.6
    assert made[-1].per < 0.02


def test_scales_are_stored_for_every_code(tmp_path):
    stored = scales.read_scales()
    assert list(stored) == scales.scaled_waveforms()
    scales.write_scales(stored.values(), tmp_path / "s.csv", 1)
    assert scales.read_scales(tmp_path / "s.csv") == stored


@pytest.mark.parametrize("name", ["g3:ROBO", "g3:QPSK", "prime:DBPSK_CC", "prime:D8PSK_CC", "prime:R-DQPSK"])
def test_a_flat_channel_needs_no_shift(name):
    flat = np.full((4, 96), 2.0)
    assert scales.shift_db(name, flat, 1.3, 5.0) == pytest.approx(5.0 - 3.0103, abs=2e-3)
