"""Tables of modes for tests, and the choice of a mode written plainly, in double precision."""

from functools import lru_cache
from math import comb

import numpy as np
from amiplan.channels.phy.modem.convolutional import encode
from amiplan.channels.phy.modem.interleaving import symbol_order
from amiplan.channels.phy.plc_adaptation import Adaptation
from amiplan.channels.phy.plc_curve_fit import row_of
from amiplan.channels.phy.plc_curves import error_ratio, threshold_db
from amiplan.channels.phy.plc_effective_snr import detected_snr
from amiplan.channels.phy.plc_mapping import state_share
from amiplan.channels.phy.plc_waveforms import WAVEFORMS
from scipy.optimize import brentq

BETA = {
    "g3:FCH": 1.06,
    "g3:ROBO": 0.83,
    "g3:DBPSK": 0.65,
    "g3:DQPSK": 1.43,
    "g3:D8PSK": 3.3,
    "prime:HEADER": 0.8,
    "prime:R-DBPSK": 0.8,
    "prime:R-DQPSK": 1.0,
    "prime:DBPSK_CC": 0.8,
    "prime:DQPSK_CC": 1.5,
    "prime:D8PSK_CC": 3.3,
}
LOSS_DB, RESERVE_DB = 1.5, 1.0


def family(modes, header, subband_of_carrier, state_of_bin, curves, symbol_bins=0.0, window_bins=0.0):
    """Adaptation of (waveform, sub-bands, rate) rows; reserve above the first mode."""
    names = tuple(dict.fromkeys(name for name, _, _ in modes))
    threshold = [float(threshold_db(n, WAVEFORMS[n].reference_bytes, curves=curves)) for n, _, _ in modes]
    return Adaptation(
        names,
        np.array([BETA.get(name, 0.0) for name in names]),
        np.array([names.index(name) for name, _, _ in modes]),
        np.array([count for _, count, _ in modes]),
        np.array(threshold) + LOSS_DB + RESERVE_DB * (np.arange(len(modes)) > 0),
        np.array([rate for _, _, rate in modes], float),
        header,
        BETA[header],
        float(threshold_db(header, WAVEFORMS[header].reference_bytes, 0.01, curves=curves)) + LOSS_DB,
        np.asarray(subband_of_carrier),
        np.asarray(state_of_bin),
        symbol_bins,
        window_bins,
        LOSS_DB,
    )


def g3(curves, n_subbands=6, per_subband=6, state_of_bin=(0, 1, 1, 0, 0, 1, 1, 0), silent=()):
    """ROBO and every tone map faster than it."""
    bits = {"g3:DBPSK": 1, "g3:DQPSK": 2, "g3:D8PSK": 3}
    mapped = [(name, k, bits[name] * k) for name in bits for k in range(1, n_subbands + 1)]
    fast = sorted((one for one in mapped if one[2] > n_subbands / 4), key=lambda one: one[2])
    band = np.repeat(np.arange(n_subbands), per_subband)
    band[list(silent)] = -1
    return family([("g3:ROBO", n_subbands, n_subbands / 4), *fast], "g3:FCH", band, state_of_bin, curves)


def prime(curves, n_carriers=97, state_of_bin=(0, 1, 1, 0, 0, 1, 1, 0), silent=()):
    """All eight modes of PRIME 1.4 on one channel, the lowest carrier a pilot."""
    modes = [
        ("prime:R-DBPSK", 1, 5.4),
        ("prime:R-DQPSK", 1, 10.7),
        ("prime:DBPSK_CC", 1, 21.4),
        ("prime:DBPSK", 1, 42.8),
        ("prime:DQPSK_CC", 1, 42.9),
        ("prime:D8PSK_CC", 1, 64.3),
        ("prime:DQPSK", 1, 85.7),
        ("prime:D8PSK", 1, 128.6),
    ]
    band = np.zeros(n_carriers, int)
    band[[0, *silent]] = -1
    n_bins = len(state_of_bin)
    return family(modes, "prime:HEADER", band, state_of_bin, curves, 0.224 * n_bins, 0.2048 * n_bins)


def decibel(power):
    with np.errstate(divide="ignore"):
        return 10 * np.log10(power)


def effective(terms, beta, erasure, differential):
    """Flat linear SNR of detected terms."""
    least = terms.min()
    log_mean = np.log(np.mean(np.exp((least - terms) / beta))) - least / beta
    if erasure:
        log_mean = np.logaddexp(np.log1p(-erasure) + log_mean if erasure < 1 else -np.inf, np.log(erasure))
    seen = max(-beta * log_mean, 0.0)
    return seen + np.sqrt(seen * seen + seen) if differential else seen


def erased_db(name, threshold_db, erasure):
    """By how much flat SNR must rise above the threshold until erased symbols are made good, found by trying [dB]."""
    detection = WAVEFORMS[name].detection
    lost = 1 - (1 - erasure) ** 2 if detection == "time" else erasure

    def short(db):
        terms = np.atleast_1d(detected_snr(10 ** (db / 10), detection))
        return decibel(effective(terms, BETA[name], lost, detection != "coherent")) - threshold_db

    return brentq(short, threshold_db - 1e-6, 60.0) - threshold_db if short(60.0) >= 0 else np.inf


# what the state (its low six bits, newest highest) and a new bit above it send: pairs of coded bits
REGISTERS = np.arange(128)
SENT = encode((REGISTERS[:, None] >> np.arange(7)) & 1)[:, -2:]


def path_sum(name, seen, beta, warm_up=32):
    """Sum over error paths per step of a symbol, by matrices over all states; seen (n_carriers,), copies summed."""
    bits, near, far = WAVEFORMS[name].bits, np.sin(np.pi / 8) ** 2, 0.5
    one = {1: [1.0], 2: [0.5], 3: [near]}[bits][0]
    label = np.exp(-one * seen / beta)
    outer = (np.exp(-near * seen / beta) + np.exp(-far * seen / beta)) / 2 if bits == 3 else label
    table = np.maximum(np.stack([outer, outer, label][-bits:] if bits > 1 else [label], axis=1).ravel(), 1e-15)
    decay = table[symbol_order(seen.size, bits)]
    n_steps, mass, total = decay.size // 2, np.zeros(64), 0.0
    weight = np.prod(np.where(SENT, decay[: 2 * n_steps].reshape(-1, 1, 2), 1.0), axis=2)
    for t in range(-warm_up, n_steps):
        one_step = weight[t % n_steps]
        leaves = one_step[64]
        # register r leads from state r % 64 to state r // 2
        mass = (one_step * mass[REGISTERS & 63]).reshape(64, 2).sum(axis=1)
        total += (t >= 0) * mass[0]
        mass[0] = 0.0
        mass[32] += leaves
    return total / n_steps


@lru_cache(maxsize=64)
def flat_sums(name, n, beta):
    """dB of SNR behind the detector, ln of the sum of flat channels."""
    seen_db = np.arange(-40.0, 16.0, 0.25)
    return seen_db, np.array([np.log(path_sum(name, np.full(n, 10 ** (x / 10)), beta)) for x in seen_db])


def paths_db(name, seen, beta):
    """Flat SNR with the same sum over error paths; seen as in `path_sum`, copies summed."""
    share = 1.0
    while (value := path_sum(name, seen * share, beta)) < 1e-40:
        share /= 4
    seen_db, sums = flat_sums(name, seen.size, beta)
    if value >= np.exp(sums[0]):
        return -np.inf
    flat_seen = 10 ** (np.interp(-np.log(value), -sums, seen_db) / 10) / share / WAVEFORMS[name].repetition
    return decibel(flat_seen + np.sqrt(flat_seen**2 + flat_seen))


def flat_db(name, snr, data, erasure, curves, symbol_bins, threshold_db):
    """Flat SNR of any waveform on all its data carriers; snr (n_bins, n_carriers)."""
    wave, row = WAVEFORMS[name], row_of(name)
    seen = detected_snr(snr, wave.detection, 0 if wave.coded else wave.bits)
    if name.endswith("HEADER"):
        data = data[data % 8 != 0]
    terms = seen[:, data - (wave.detection == "frequency")]
    if wave.interleaving == "frame":
        whole = decibel(effective(terms, BETA[name], 0.0, wave.detection != "coherent"))
        return whole - erased_db(name, threshold_db, erasure)
    length, n_bins = wave.reference_bytes, snr.shape[0]
    symbols = 4 if wave.interleaving == "four_symbols" else 1
    block = terms.shape[1] * symbols * wave.bits / wave.repetition / 8 * (0.5 if wave.coded else 1.0)

    def success(db, n_bytes):
        return 1 - error_ratio(row, db, n_bytes, curves=curves)

    def survives(b, lost):
        if not wave.coded:
            snr_db = decibel(terms[b]) - LOSS_DB if not lost else np.full(terms.shape[1], -200.0)
            return float(np.prod(success(snr_db, block / terms.shape[1])))
        n, row = terms.shape[1], 0.0
        if lost == symbols:
            return float(success(-40.0 - LOSS_DB, block))
        for c in range(symbols):
            place = b + c * symbol_bins
            here, after = terms[int(place) % n_bins], terms[(int(place) + 1) % n_bins]
            row = row + np.roll((1 - place % 1) * here + place % 1 * after, -c * (n // symbols))
        value = 10 ** (paths_db(name, row, BETA[name]) / 10)
        value = value**2 / (2 * value + 1) * (1 - lost / symbols)
        return float(success(decibel(value + np.sqrt(value**2 + value)) - LOSS_DB, block))

    chance = [comb(symbols, k) * erasure**k * (1 - erasure) ** (symbols - k) for k in range(symbols + 1)]
    logs = [np.log(sum(c * survives(b, k) for k, c in enumerate(chance) if c > 0)) for b in range(n_bins)]
    wanted = 1 - np.exp(np.mean(logs) / block * length)
    if wanted < 1e-10:
        return np.inf  # beyond double precision here
    return brentq(lambda db: float(error_ratio(row, db - LOSS_DB, length, curves=curves)) - wanted, -60.0, 60.0)


def link_snr(power, over_noise, one):
    """(n_bins, n_carriers) linear SNR of one link."""
    share = state_share(one.state_of_bin, one.window_bins)
    return (share @ power.astype(float)[: share.shape[1]]) * over_noise.astype(float)


def mapped_db(name, snr, band, used, erasure, threshold_db):
    """Effective SNR on the best sub-bands of a waveform woven over the frame."""
    wave = WAVEFORMS[name]
    terms, beta = detected_snr(snr, wave.detection), BETA[name]
    means = []
    for group in range(band.max() + 1):
        own = terms[:, band == group]
        least = own.min()
        means.append(np.log(np.mean(np.exp((least - own) / beta))) - least / beta)
    kept = terms[:, np.isin(band, np.argsort(means, kind="stable")[:used])]
    whole = decibel(effective(kept, beta, 0.0, wave.detection != "coherent"))
    return whole - erased_db(name, threshold_db, erasure)


def flat_link_db(name, level_db, data, erasure, curves, symbol_bins):
    """`flat_db` of equal carriers: the level itself where no symbol is lost."""
    return flat_db(name, np.full((1, data.max() + 1), 10 ** (level_db / 10)), data, erasure, curves, symbol_bins, 0.0)


def made_good_db(name, floor_db, data, erasure, curves, symbol_bins):
    """Level of equal carriers that makes up for lost symbols; inf where none does."""

    def short(level_db):
        return min(flat_link_db(name, level_db, data, erasure, curves, symbol_bins), 1e3) - floor_db

    if erasure == 0:
        return floor_db
    return brentq(short, floor_db - 1.0, floor_db + 25.0, xtol=1e-3) if short(floor_db + 25.0) > 0 else np.inf


MOST_MADE_GOOD_DB = 6.0
"""Most that a threshold rises on account of lost symbols."""


def in_part_db(name, floor_db, *place):
    """`made_good_db` as far as thresholds rise, and whether lost symbols cost more than that."""
    made = made_good_db(name, floor_db, *place)
    return min(made, floor_db + MOST_MADE_GOOD_DB), made > floor_db + MOST_MADE_GOOD_DB


def plain_choice(power, over_noise, one, erasure, curves):
    """Robust SNR, mode and its SNR of one link; lost symbols shift the thresholds."""
    snr, data = link_snr(power, over_noise, one), np.flatnonzero(one.subband_of_carrier >= 0)
    if not power.any():
        return -np.inf, -1, -np.inf
    names = np.array(one.waveforms)[one.mode_waveform]

    floor_db = {name: one.threshold_db[names == name].min() for name in names} | {one.header: one.header_threshold_db}

    def whole(name, lost=erasure):
        return flat_db(name, snr, data, lost, curves, one.symbol_bins, floor_db[name])

    def needed(m):
        if one.framed or m == 0 or erasure == 0:
            return one.threshold_db[m]
        place = data, erasure, curves, one.symbol_bins
        return flat_link_db(
            names[m], made_good_db(names[m], floor_db[names[m]] - RESERVE_DB, *place) + RESERVE_DB, *place
        )

    robust = value = whole(names[0])
    strained, place = False, (data, erasure, curves, one.symbol_bins)
    if not one.framed:
        needed_db, strained = in_part_db(names[0], floor_db[names[0]], *place)
        robust = whole(names[0], 0.0) + floor_db[names[0]] - needed_db
    if (robust if strained else value) < one.threshold_db[0]:
        return robust, -1, value
    if whole(one.header, 0.0 if strained else erasure) < one.header_threshold_db:
        return robust, 0, value
    if strained:
        for m in range(names.size - 1, 0, -1):
            bare_db = floor_db[names[m]] - RESERVE_DB
            if whole(names[m], 0.0) >= in_part_db(names[m], bare_db, *place)[0] + RESERVE_DB:
                return robust, m, whole(names[m])
        return robust, 0, value
    for m in range(names.size - 1, 0, -1):
        if WAVEFORMS[names[m]].interleaving == "frame":
            best = mapped_db(names[m], snr, one.subband_of_carrier, one.mode_subbands[m], erasure, floor_db[names[m]])
        else:
            best = whole(names[m])
        if best >= needed(m):
            return robust, m, best
    return robust, 0, value
