"""G3-PLC physical layer in CENELEC A: frames, rates and packet error ratio of every mode and tone map."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

# ITU-T G.9903 CENELEC-A band plan.
CARRIER_SPACING_HZ = 1562.5
CARRIER_HZ = CARRIER_SPACING_HZ * np.arange(23, 59)
N_CARRIERS, N_SUBBANDS = 36, 6
SYMBOL_S, PREAMBLE_S = 695e-6, 6.08e-3
FCH_SYMBOLS, MAX_SYMBOLS, SYMBOL_STEP = 13, 252, 4
HEADER_S = PREAMBLE_S + FCH_SYMBOLS * SYMBOL_S
"""Preamble and frame control header; an acknowledgement is nothing more."""


@dataclass(frozen=True)
class Waveform:
    """One modulation with its coding.

    bits, repetition, parity_bytes : per carrier and symbol; copies; Reed-Solomon parity.
    snr_10_db, snr_1_db
        Es/N0 per carrier in flat noise for a packet error ratio of 10 % and 1 % at ``reference_bytes``.
    beta
        Scale of the exponential effective SNR.
    """

    name: str
    bits: int
    repetition: int
    parity_bytes: int
    snr_10_db: float
    snr_1_db: float
    reference_bytes: int
    beta: float


# Rates and codes: ITU-T G.9903. Thresholds: Monte-Carlo for this project (soft Viterbi, ideal interleaving).
# beta of DBPSK, DQPSK and fourfold repetition (2.0 to 3.6) fitted likewise; S-ROBO and D8PSK extrapolated (C).
WAVEFORMS = (
    #        name      bits rep par  10 %   1 %  bytes beta
    Waveform("S-ROBO",  1,  6,   8,  -3.3, -2.9,   60,  2.8),
    Waveform("ROBO",    1,  4,   8,  -2.0, -1.6,  133,  2.8),
    Waveform("DBPSK",   1,  1,  16,   2.0,  2.3,  235,  1.45),
    Waveform("DQPSK",   2,  1,  16,   5.0,  5.3,  235,  3.3),
    Waveform("D8PSK",   3,  1,  16,   8.3,  8.8,  199,  7.5),
)  # fmt: skip
FCH = Waveform("FCH", 1, 6, 0, -3.6, -2.8, 5, 2.8)

PREAMBLE_SNR_DB, PREAMBLE_SLOPE_PER_DB = -4.0, 2.0
"""Detection of the preamble: half are found at -4 dB, logistic; confidence C."""

LENGTH_SHIFT_LIMIT_DB = 0.3
"""A shorter or longer Reed-Solomon block moves the threshold by no more than this."""


@dataclass(frozen=True)
class Mode:
    """A waveform on the best ``n_subbands`` of the six sub-bands of the tone map."""

    waveform: Waveform
    n_subbands: int

    @property
    def name(self) -> str:
        """Such as ``DQPSK`` on all carriers or ``DQPSK-3`` on three sub-bands of six carriers."""
        full = self.n_subbands == N_SUBBANDS
        return self.waveform.name if full else f"{self.waveform.name}-{self.n_subbands}"

    @property
    def n_carriers(self) -> int:
        """Carriers that bear data."""
        return self.n_subbands * (N_CARRIERS // N_SUBBANDS)


@lru_cache(maxsize=4)
def modes(super_robust: bool = False) -> tuple[Mode, ...]:
    """Modes in rising order of rate: the robust one first, then every tone map that is faster than it.

    super_robust
        Whether the optional S-ROBO (six copies) is used too.
    """
    robust = [Mode(w, N_SUBBANDS) for w in WAVEFORMS if w.repetition > 1 and (super_robust or w.name == "ROBO")]
    floor_bps = best_rate_bps(robust[-1])
    mapped = [Mode(w, n) for w in WAVEFORMS if w.repetition == 1 for n in range(1, N_SUBBANDS + 1)]
    return (*robust, *sorted((m for m in mapped if best_rate_bps(m) > floor_bps), key=best_rate_bps))


def block_bytes(n_symbols: Array, mode: Mode) -> tuple[Array, Array]:
    """Reed-Solomon block and payload that fit a number of payload symbols.

    Parameters
    ----------
    n_symbols : (n,) int;  mode : Mode

    Returns
    -------
    out_bytes, psdu_bytes : (n,) int, block with and without parity; 0 where the block would pass 255 bytes or be empty.

    References
    ----------
    ITU-T G.9903 CENELEC-A: rate 1/2 code with 6 tail bits, RS(255, 239) or RS(255, 247) shortened.

    >>> block_bytes(np.array([40]), Mode(WAVEFORMS[1], 6))
    (array([21]), array([13]))
    """
    wave = mode.waveform
    coded_bits = np.asarray(n_symbols) * mode.n_carriers * wave.bits // wave.repetition
    block = (coded_bits // 2 - 6) // 8
    fits = (block <= 255) & (block > wave.parity_bytes) & (np.asarray(n_symbols) <= MAX_SYMBOLS)
    return np.where(fits, block, 0), np.where(fits, block - wave.parity_bytes, 0)


def frame_s(n_symbols: Array) -> Array:
    """Airtime of a frame with that many payload symbols [s].

    >>> round(float(frame_s(np.array(0))) * 1e3, 3)
    15.115
    """
    return np.asarray(HEADER_S + np.asarray(n_symbols) * SYMBOL_S)


def phy_rate_bps(n_symbols: Array, mode: Mode) -> Array:
    """Payload bits over the airtime of the whole frame [bit/s]; 0 where the block does not exist."""
    return np.asarray(8 * block_bytes(n_symbols, mode)[1] / frame_s(n_symbols))


@lru_cache(maxsize=64)
def _blocks(mode: Mode) -> tuple[Array, Array]:
    """Frame lengths in symbols and what they carry, only those that exist."""
    n_symbols = np.arange(SYMBOL_STEP, MAX_SYMBOLS + 1, SYMBOL_STEP)
    psdu = block_bytes(n_symbols, mode)[1]
    return n_symbols[psdu > 0], psdu[psdu > 0]


@lru_cache(maxsize=64)
def best_rate_bps(mode: Mode) -> float:
    """Rate of the longest frame that the mode can send."""
    return float(phy_rate_bps(_blocks(mode)[0], mode).max())


def largest_psdu_bytes(mode: Mode) -> int:
    """Largest PSDU of a mode.

    >>> largest_psdu_bytes(Mode(WAVEFORMS[1], 6))
    133
    """
    return int(_blocks(mode)[1].max())


def airtime_s(psdu_bytes: Array, mode: Mode) -> Array:
    """Airtime of a frame that carries ``psdu_bytes`` [s]; frames are padded to whole steps of four symbols.

    Parameters
    ----------
    psdu_bytes : (n,) above 0, at most `largest_psdu_bytes`.

    Returns
    -------
    (n,) [s]. Raises ValueError naming a size that does not fit.

    >>> round(float(airtime_s(np.array(133), Mode(WAVEFORMS[1], 6))) * 1e3, 1)
    190.3
    """
    n_symbols, psdu = _blocks(mode)
    size = np.asarray(psdu_bytes)
    if np.any(bad := (size <= 0) | (size > psdu.max())):
        raise ValueError(f"a PSDU of {size[bad].flat[0]} B does not fit {mode.name}; send 1 to {psdu.max()} B")
    return frame_s(n_symbols[np.searchsorted(psdu, size)])


def header_error_ratio(snr_db: Array, loss_db: float) -> Array:
    """Probability that preamble or frame control header is missed; 1 minus the success of an acknowledgement.

    Parameters
    ----------
    snr_db : (n,) effective SNR of all carriers with repetition [dB]
    loss_db
        Implementation loss [dB].
    """
    snr = np.asarray(snr_db, dtype=np.float64) - loss_db
    found = _logistic(PREAMBLE_SLOPE_PER_DB * (snr - PREAMBLE_SNR_DB))
    return np.asarray(1 - found * (1 - _waterfall(snr, FCH.snr_10_db, FCH.snr_1_db, np.zeros(()))))


def payload_error_ratio(
    snr_db: Array, mode: Array, psdu_bytes: Array, loss_db: float, table: tuple[Mode, ...]
) -> Array:
    """Probability that the payload of a frame is not decoded.

    Parameters
    ----------
    snr_db : (n,) effective SNR on the carriers of the mode [dB];  mode : (n,) index in ``table``, -1 for none
    psdu_bytes : (n,) above 0;  loss_db : implementation loss [dB];  table : see `modes`

    Returns
    -------
    (n,) 0 to 1; a logistic in dB through the 10 % and 1 % points. A block of another length moves both by the width of
    one decade per tenfold length, at most 0.3 dB. 1 where there is no mode.
    """
    index = np.asarray(mode)
    low, high, reference = np.array(
        [(m.waveform.snr_10_db, m.waveform.snr_1_db, m.waveform.reference_bytes) for m in table]
    ).T
    decade = (high - low)[index]
    length = np.maximum(np.asarray(psdu_bytes, dtype=np.float64), 1.0)
    shift = np.clip(decade * np.log10(length / reference[index]), -LENGTH_SHIFT_LIMIT_DB, LENGTH_SHIFT_LIMIT_DB)
    ratio = _waterfall(np.asarray(snr_db, dtype=np.float64) - loss_db, low[index], high[index], shift)
    return np.where(index < 0, 1.0, ratio)


def _waterfall(snr_db: Array, snr_10_db: Array | float, snr_1_db: Array | float, shift_db: Array) -> Array:
    """Logistic that is 10 % and 1 % at the two points, moved by ``shift_db``."""
    slope = np.log(99 / 9) / (np.asarray(snr_1_db) - snr_10_db)
    return 1 - _logistic(slope * (snr_db - shift_db - snr_10_db) + np.log(9))


def _logistic(x: Array) -> Array:
    """1 / (1 + exp(-x)) without overflow; finite for infinite arguments."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * np.asarray(x))))


def threshold_db(mode: Mode, loss_db: float) -> float:
    """Effective SNR at which 10 % of reference frames are lost, implementation loss included [dB]."""
    return mode.waveform.snr_10_db + loss_db
