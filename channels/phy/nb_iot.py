"""NB-IoT physical layer: transport blocks, resource units, repetitions, link budget and block error ratio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]

UNITS = np.array([1, 2, 3, 4, 5, 6, 8, 10])
"""Resource units (up) or subframes (down) that one transport block may span."""

# TS 36.213 table 16.5.1.2-2: bits of an uplink block; rows I_TBS 0-13, columns UNITS. Above 1000 bits: Release 14.
UPLINK_BITS = np.array(
    [
        [16, 32, 56, 88, 120, 152, 208, 256],
        [24, 56, 88, 144, 176, 208, 256, 344],
        [32, 72, 144, 176, 208, 256, 328, 424],
        [40, 104, 176, 208, 256, 328, 440, 568],
        [56, 120, 208, 256, 328, 408, 552, 680],
        [72, 144, 224, 328, 424, 504, 680, 872],
        [88, 176, 256, 392, 504, 600, 808, 1000],
        [104, 224, 328, 472, 584, 712, 1000, 1224],
        [120, 256, 392, 536, 680, 808, 1096, 1384],
        [136, 296, 456, 616, 776, 936, 1256, 1544],
        [144, 328, 504, 680, 872, 1000, 1384, 1736],
        [176, 376, 584, 776, 1000, 1192, 1608, 2024],
        [208, 440, 680, 1000, 1128, 1352, 1800, 2280],
        [224, 488, 744, 1032, 1256, 1544, 2024, 2536],
    ]
)
# TS 36.213 table 16.4.1.5.1-1 differs from the uplink in these cells (row, column of UNITS): bits.
DOWNLINK_BITS = UPLINK_BITS.copy()
DOWNLINK_BITS[6, 7], DOWNLINK_BITS[7, 5], DOWNLINK_BITS[7, 6] = 1032, 680, 968
DOWNLINK_BITS[8, 7], DOWNLINK_BITS[10, 5], DOWNLINK_BITS[12, 3] = 1352, 1032, 904

NB1_UPLINK_LIMIT_BITS, NB1_DOWNLINK_LIMIT_BITS = 1000, 680
UPLINK_REPETITIONS = np.array([1, 2, 4, 8, 16, 32, 64, 128])
DOWNLINK_REPETITIONS = np.array([1, 2, 4, 8, 16, 32, 64, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048])

# Tone allocations: tones, spacing [Hz], resource unit [s] (TS 36.211 table 10.1.2.3-1).
TONES = np.array([1, 1, 3, 6, 12])
SPACING_HZ = np.array([3.75e3, 15e3, 15e3, 15e3, 15e3])
UNIT_S = np.array([32e-3, 8e-3, 4e-3, 2e-3, 1e-3])
SUBFRAME_S = 1e-3
REFERENCE_BANDWIDTH_HZ = 15e3
CARRIER_BANDWIDTH_HZ = 180e3

# SNR for a block error ratio of 10 % without repetitions, AWGN, by I_TBS (link-level tables of the public
# nb-iot-environment, NPUSCH simulator of CSC-CONICET: I 0-4, 6, 8; I 5 and 7 between, I 9-13 continued, confidence C).
SNR_AT_10_PERCENT_DB = np.array([-4.3, -3.4, -1.6, -1.3, -0.2, 0.65, 1.5, 3.0, 4.5, 6.0, 7.5, 9.0, 10.5, 12.0])
SLOPE_PER_DB = 4.8
"""Natural-log odds per dB: from 10 % to 1 % within 0.4-0.6 dB in the same tables."""
_ODDS_10 = float(np.log(9.0))
IDEAL_GAIN_DB, FIELDED_GAIN_DB = 3.0, 1.7


def snr_db(coupling_loss_db: ArrayLike, *, power_dbm: float, bandwidth_hz: ArrayLike, noise_figure_db: float) -> Array:
    """Signal to noise ratio after a coupling loss.

    Parameters
    ----------
    coupling_loss_db : (n,) antenna connector to antenna connector, antennas included [dB].
    power_dbm : transmitted within ``bandwidth_hz`` [dBm].
    bandwidth_hz, noise_figure_db : of the receiver.

    Returns
    -------
    (n,) [dB]. Raises ValueError where the bandwidth is not positive.

    References
    ----------
    Link budget of 3GPP TR 45.820 V13.1.0: -174 dBm/Hz thermal noise.

    >>> round(float(snr_db(164.0, power_dbm=23.0, bandwidth_hz=3.75e3, noise_figure_db=3.0)), 1)
    -5.7
    """
    band = np.asarray(bandwidth_hz, np.float64)
    if not (band > 0.0).all():
        raise ValueError("bandwidth_hz must be positive")
    floor_dbm = -174.0 + 10.0 * np.log10(band) + noise_figure_db
    return np.asarray(power_dbm - np.asarray(coupling_loss_db, np.float64) - floor_dbm)


def required_snr_db(i_tbs: ArrayLike, repetitions: ArrayLike, *, gain_per_doubling_db: float) -> Array:
    """SNR in the occupied bandwidth for a block error ratio of 10 %, shape as broadcast.

    Parameters
    ----------
    i_tbs : 0 to 13;  repetitions : at least 1.
    gain_per_doubling_db : 3.0 in theory, about 1.7 in the field at low SNR, where the channel estimate fails.

    References
    ----------
    Table `SNR_AT_10_PERCENT_DB`; TS 36.104 section 8.5.1 asks 10.3 dB of 64 repetitions, 1.7 dB a doubling.
    """
    return np.asarray(SNR_AT_10_PERCENT_DB[np.asarray(i_tbs)] - gain_per_doubling_db * np.log2(repetitions))


def block_error_ratio(
    snr: ArrayLike, i_tbs: ArrayLike, repetitions: ArrayLike, *, gain_per_doubling_db: float
) -> Array:
    """Probability that one transmission of a block fails, 0 to 1: logistic in SNR, 10 % at `required_snr_db`.

    >>> round(float(block_error_ratio(-4.3, 0, 1, gain_per_doubling_db=1.7)), 3)
    0.1
    """
    excess_db = np.asarray(snr, np.float64) - required_snr_db(
        i_tbs, repetitions, gain_per_doubling_db=gain_per_doubling_db
    )
    return np.asarray(1.0 / (1.0 + np.exp(np.clip(SLOPE_PER_DB * excess_db + _ODDS_10, -700.0, 700.0))))


@dataclass(frozen=True)
class Formats:
    """Transmission formats worth using, by rising SNR; equal-length columns and the table of block sizes.

    threshold_db : SNR in the reference bandwidth from which the format is used [dB].
    i_tbs, repetitions, bandwidth_ratio : modulation row, repetitions, occupied over reference bandwidth.
    unit_s, tone_share : length of one unit [s] and share of the carrier it occupies.
    bits : (14, 8) block sizes, 0 where not allowed.
    """

    threshold_db: Array
    i_tbs: Array
    repetitions: Array
    bandwidth_ratio: Array
    unit_s: Array
    tone_share: Array
    bits: Array

    def best(self, snr: ArrayLike) -> Array:
        """Row of the cheapest format at each SNR; the most robust one below all thresholds, shape (n,)."""
        return np.maximum(np.searchsorted(self.threshold_db, np.asarray(snr), side="right") - 1, 0)

    def error_ratio(self, snr: ArrayLike, row: Array, *, gain_per_doubling_db: float) -> Array:
        """Block error ratio of format ``row`` at that SNR in the reference bandwidth, shape (n,)."""
        own_db = np.asarray(snr, np.float64) - 10.0 * np.log10(self.bandwidth_ratio[row])
        return block_error_ratio(
            own_db, self.i_tbs[row], self.repetitions[row], gain_per_doubling_db=gain_per_doubling_db
        )

    def blocks(self, n_bits: ArrayLike, row: Array, *, header_bits: int) -> tuple[Array, Array]:
        """How many blocks a message needs and how long they last together.

        Parameters
        ----------
        n_bits : (n,) message [bit], at least 1;  row : (n,) format;  header_bits : MAC and RLC header of each block.

        Returns
        -------
        n_blocks (n,), airtime_s (n,): full blocks at the widest span, the last one on the fewest units that hold it.
        Raises ValueError where no block of the format holds more than its header.
        """
        sizes = self.bits[self.i_tbs[row]] - header_bits
        widest = sizes.max(axis=-1)
        if not (widest > 0).all():
            raise ValueError("no transport block is longer than its header; lower the header or the coupling loss")
        wanted = np.maximum(np.asarray(n_bits, np.int64), 1)
        n_blocks = -(-wanted // widest)
        rest = wanted - (n_blocks - 1) * widest
        last_units = UNITS[(sizes >= rest[..., None]).argmax(axis=-1)]
        full_units = UNITS[sizes.argmax(axis=-1)]
        units = (n_blocks - 1) * full_units + last_units
        return n_blocks, np.asarray(units * self.unit_s[row] * self.repetitions[row])

    def rate_bps(self, row: Array) -> Array:
        """Instantaneous rate of the longest block [bit/s], shape (n,)."""
        sizes = self.bits[self.i_tbs[row]]
        span_s = UNITS[sizes.argmax(axis=-1)] * self.unit_s[row] * self.repetitions[row]
        return np.asarray(sizes.max(axis=-1) / span_s)


def uplink_formats(*, gain_per_doubling_db: float, narrow_tones: bool = True) -> Formats:
    """Formats of NPUSCH, the cheapest that works at each SNR.

    Parameters
    ----------
    gain_per_doubling_db : of repetitions.
    narrow_tones : whether the 3.75 kHz single tone may be used.

    References
    ----------
    TS 36.213 section 16.5.1.2: single-tone I_TBS up to 10, category NB1 blocks up to 1000 bits. SNR is taken in
    15 kHz, transmit power is spread over the tones.
    """
    bits = np.where(UPLINK_BITS <= NB1_UPLINK_LIMIT_BITS, UPLINK_BITS, 0)
    tone, i_tbs, rep = (
        axis.ravel()
        for axis in np.meshgrid(
            np.arange(0 if narrow_tones else 1, TONES.size), np.arange(13), UPLINK_REPETITIONS, indexing="ij"
        )
    )
    keep = (TONES[tone] > 1) | (i_tbs <= 10)
    tone, i_tbs, rep = tone[keep], i_tbs[keep], rep[keep]
    ratio = TONES[tone] * SPACING_HZ[tone] / REFERENCE_BANDWIDTH_HZ
    return _frontier(bits, i_tbs, rep, ratio, UNIT_S[tone], ratio / 12.0, gain_per_doubling_db)


def downlink_formats(*, gain_per_doubling_db: float, highest_i_tbs: int = 10) -> Formats:
    """Formats of NPDSCH over the whole carrier, the cheapest that works at each SNR.

    Parameters
    ----------
    gain_per_doubling_db : of repetitions. SNR is taken in 180 kHz; the uplink's error tables stand in (confidence C).
    highest_i_tbs : 10 in-band, 12 stand-alone and guard-band (13 needs Release 14).
    """
    bits = np.where(DOWNLINK_BITS <= NB1_DOWNLINK_LIMIT_BITS, DOWNLINK_BITS, 0)
    i_tbs, rep = (
        axis.ravel() for axis in np.meshgrid(np.arange(highest_i_tbs + 1), DOWNLINK_REPETITIONS, indexing="ij")
    )
    whole = np.ones(rep.size)
    return _frontier(bits, i_tbs, rep, whole, whole * SUBFRAME_S, whole, gain_per_doubling_db)


def _frontier(
    bits: Array, i_tbs: Array, rep: Array, ratio: Array, unit_s: Array, tone_share: Array, gain_db: float
) -> Formats:
    """Drop every format that a cheaper one replaces at the same SNR or less.

    Cost is the geometric mean of time and tone-time per bit: an operator's scheduler weighs delay against tones in
    ways it does not publish (our choice, confidence C).
    """
    threshold_db = required_snr_db(i_tbs, rep, gain_per_doubling_db=gain_db) + 10.0 * np.log10(ratio)
    sizes = bits[i_tbs]
    span_s = UNITS[sizes.argmax(axis=1)] * unit_s * rep
    cost = span_s * np.sqrt(tone_share) / sizes.max(axis=1)
    order = np.lexsort((span_s, cost, threshold_db))
    cheapest = np.minimum.accumulate(np.concatenate([[np.inf], cost[order][:-1]]))
    order = order[cost[order] < cheapest * (1.0 - 1e-12)]
    return Formats(threshold_db[order], i_tbs[order], rep[order], ratio[order], unit_s[order], tone_share[order], bits)
