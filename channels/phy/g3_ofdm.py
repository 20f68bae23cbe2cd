"""G3-PLC physical layer: modes and tone maps of a band, frames, rates and packet error ratio."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import plc_curves
from .g3_bands import MIN_SYMBOLS, BandPlan
from .plc_waveforms import WAVEFORMS, Waveform

Array = NDArray[Any]

RS_BYTES = 255
"""Longest Reed-Solomon block."""
TONE_MAP_STEPS = 6
"""Tone maps offered per modulation: sub-bands are left out in steps of a sixth of the band, or one by one."""

PREAMBLE_SLOPE_PER_DB = 2.0
"""Steepness of the logistic detection of the preamble; confidence C, its place is a parameter."""

HEADER_ERROR_RATIO = 0.1
"""Share of lost headers at which even the most robust mode counts as unusable."""


@dataclass(frozen=True)
class Mode:
    """A waveform on the best ``n_subbands`` of the sub-bands of a band's tone map."""

    waveform: Waveform
    plan: BandPlan
    n_subbands: int

    @property
    def name(self) -> str:
        """Such as ``DQPSK`` on all carriers or ``DQPSK-3`` on the best three sub-bands."""
        full = self.n_subbands == self.plan.n_subbands
        return self.waveform.mode if full else f"{self.waveform.mode}-{self.n_subbands}"

    @property
    def n_carriers(self) -> int:
        """Carriers that bear data, whichever sub-bands are used: those of the smallest ones.

        Sub-bands are equal unless a tone mask thins some of them out.
        """
        return int(np.sort(self.plan.subband_sizes)[: self.n_subbands].sum())

    @property
    def robust(self) -> bool:
        """Sent on all carriers with repetition."""
        return self.waveform.repetition > 1


def full_mode(name: str, plan: BandPlan) -> Mode:
    """A mode on all carriers by its name, such as ``"ROBO"``."""
    return Mode(WAVEFORMS[f"g3:{name}"], plan, plan.n_subbands)


@lru_cache(maxsize=64)
def modes(plan: BandPlan, super_robust: bool = False, coherent: bool = False) -> tuple[Mode, ...]:
    """Modes in rising order of rate: the robust one first, then every tone map that is faster than it.

    super_robust
        Whether the optional S-ROBO (six copies) is used too.
    coherent
        Whether all modems have the optional coherent modes, which then replace the differential ones.

    Bands of more than eight sub-bands are offered in six steps (four of 24 at a time, three of 18), not one by one. Of
    equal rates the one with fewer bits per carrier stands last, so that it is preferred.

    >>> from .g3_bands import G3_BANDS
    >>> [mode.name for mode in modes(G3_BANDS["fcc"])][-6:]
    ['D8PSK-12', 'DQPSK-20', 'D8PSK-16', 'DQPSK', 'D8PSK-20', 'D8PSK']
    """
    names = ("C-ROBO", "BPSK", "QPSK", "8PSK", "16QAM") if coherent else ("ROBO", "DBPSK", "DQPSK", "D8PSK")
    robust = [full_mode(name, plan) for name in ("S-ROBO",) * super_robust + names[:1]]
    floor_bps = best_rate_bps(robust[-1])
    step = max(1, plan.n_subbands // TONE_MAP_STEPS)
    used = sorted({*range(step, plan.n_subbands, step), plan.n_subbands})
    mapped = [Mode(WAVEFORMS[f"g3:{name}"], plan, k) for name in names[1:] for k in used]
    faster = (mode for mode in mapped if best_rate_bps(mode) > floor_bps)
    return (*robust, *sorted(faster, key=lambda mode: (best_rate_bps(mode), -mode.waveform.bits)))


def block_bytes(n_symbols: Array, mode: Mode) -> tuple[Array, Array]:
    """Reed-Solomon blocks and payload that fit a number of payload symbols.

    Parameters
    ----------
    n_symbols : (n,) int;  mode : Mode

    Returns
    -------
    out_bytes, psdu_bytes : (n,) int, all blocks of the frame with and without parity. A frame that could hold more than
    its full blocks is padded; 0 where the blocks would be empty, where a frame one step shorter holds full blocks
    already, and beyond the longest frame.

    References
    ----------
    ITU-T G.9903: rate 1/2 code with 6 tail bits, RS(255, 239) or RS(255, 247) shortened.

    >>> from .g3_bands import G3_BANDS
    >>> block_bytes(np.array([40]), full_mode("ROBO", G3_BANDS["cenelec-a"]))
    (array([21]), array([13]))
    """
    plan, parity = mode.plan, mode.waveform.parity_bytes
    count, most = np.asarray(n_symbols), plan.rs_blocks * RS_BYTES
    out = np.minimum(_coded_bytes(count, mode), most)
    psdu = out - parity * -(-out // RS_BYTES)
    shorter = _coded_bytes(count - plan.symbol_step, mode)
    fits = (psdu > 0) & (shorter < most) & (count <= plan.max_symbols)
    return np.where(fits, out, 0), np.where(fits, psdu, 0)


def _coded_bytes(n_symbols: Array, mode: Mode) -> Array:
    """Bytes in front of the convolutional code that so many symbols hold."""
    coded_bits = n_symbols * mode.n_carriers * mode.waveform.bits // mode.waveform.repetition
    return np.asarray((coded_bits // 2 - 6) // 8)


def frame_s(n_symbols: Array, plan: BandPlan) -> Array:
    """Airtime of a frame with that many payload symbols [s].

    >>> from .g3_bands import G3_BANDS
    >>> round(float(frame_s(np.array(0), G3_BANDS["cenelec-a"])) * 1e3, 3)
    15.115
    """
    return np.asarray(plan.header_s + np.asarray(n_symbols) * plan.symbol_s)


def phy_rate_bps(n_symbols: Array, mode: Mode) -> Array:
    """Payload bits over the airtime of the whole frame [bit/s]; 0 where the frame does not exist."""
    return np.asarray(8 * block_bytes(n_symbols, mode)[1] / frame_s(n_symbols, mode.plan))


@lru_cache(maxsize=256)
def _frames(mode: Mode) -> tuple[Array, Array]:
    """Frame lengths in symbols and what they carry, rising; only those that carry more than every shorter one."""
    step = mode.plan.symbol_step
    n_symbols = np.arange(-(-MIN_SYMBOLS // step) * step, mode.plan.max_symbols + 1, step)
    psdu = block_bytes(n_symbols, mode)[1]
    better = psdu > np.concatenate([[0], np.maximum.accumulate(psdu)[:-1]])
    return n_symbols[better], psdu[better]


@lru_cache(maxsize=256)
def best_rate_bps(mode: Mode) -> float:
    """Largest rate of a mode, over all frame lengths [bit/s]; 0 where a tone mask leaves it too few carriers.

    >>> from .g3_bands import G3_BANDS
    >>> round(best_rate_bps(full_mode("D8PSK", G3_BANDS["fcc"])) / 1e3, 1)
    207.6
    """
    return float(phy_rate_bps(_frames(mode)[0], mode).max(initial=0.0))


def largest_psdu_bytes(mode: Mode) -> int:
    """Largest PSDU of a mode; 0 where a tone mask leaves it too few carriers.

    >>> from .g3_bands import G3_BANDS
    >>> [largest_psdu_bytes(full_mode("ROBO", plan)) for plan in G3_BANDS.values()]
    [133, 54, 247, 247]
    """
    return int(_frames(mode)[1].max(initial=0))


def airtime_s(psdu_bytes: Array, mode: Mode) -> Array:
    """Airtime of the shortest frame that carries ``psdu_bytes`` [s], padded to whole steps of symbols.

    Parameters
    ----------
    psdu_bytes : (n,) above 0, at most `largest_psdu_bytes`.

    Returns
    -------
    (n,) [s]. Raises ValueError naming a size that does not fit.

    >>> from .g3_bands import G3_BANDS
    >>> round(float(airtime_s(np.array(133), full_mode("ROBO", G3_BANDS["cenelec-a"]))) * 1e3, 1)
    190.3
    """
    return frame_s(payload_symbols(psdu_bytes, mode), mode.plan)


def payload_symbols(psdu_bytes: Array, mode: Mode) -> Array:
    """Symbols behind the header of the shortest frame that carries so much; parameters and errors as `airtime_s`.

    >>> from .g3_bands import G3_BANDS
    >>> int(payload_symbols(np.array(133), full_mode("ROBO", G3_BANDS["cenelec-a"])))
    252
    """
    n_symbols, psdu = _frames(mode)
    size = np.asarray(psdu_bytes)
    if np.any(bad := (size <= 0) | (size > (most := psdu.max(initial=0)))):
        raise ValueError(f"a PSDU of {size[bad].flat[0]} B does not fit {mode.name}; send 1 to {most} B")
    return np.asarray(n_symbols[np.searchsorted(psdu, size)])


def header_error_ratio(snr_db: Array, loss_db: float, plan: BandPlan, preamble_snr_db: float) -> Array:
    """Probability that preamble or frame control header is missed; 1 minus the success of an acknowledgement.

    Parameters
    ----------
    snr_db : (n,) effective SNR of all carriers with repetition [dB]
    loss_db, preamble_snr_db
        Implementation loss, and the SNR at which half of the preambles are found [dB].
    """
    snr = np.asarray(snr_db, dtype=np.float64) - loss_db
    found = 0.5 * (1 + np.tanh(0.5 * PREAMBLE_SLOPE_PER_DB * (snr - preamble_snr_db)))
    lost = plc_curves.error_ratio(plan.header, snr, WAVEFORMS[plan.header].reference_bytes)
    return np.asarray(1 - found * (1 - lost))


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
    (n,) 0 to 1 from the stored curves of the waveform; a frame of two Reed-Solomon blocks needs both. 1 where there is
    no mode.
    """
    snr, index, size = np.broadcast_arrays(np.asarray(snr_db, np.float64) - loss_db, mode, psdu_bytes)
    wave = np.array([plc_curves.row_of(one.waveform.name) for one in table] + [-1])[index]
    room = RS_BYTES - np.array([one.waveform.parity_bytes for one in table] + [0])[index]
    n_blocks = np.where(size > room, 2, 1)
    return np.asarray(1 - (1 - plc_curves.error_ratio(wave, snr, -(-size // n_blocks))) ** n_blocks)


@lru_cache(maxsize=256)
def threshold_db(mode: Mode, loss_db: float) -> float:
    """Effective SNR that a mode needs, implementation loss included [dB].

    A tenth of the frames of the waveform's reference length (or the largest of the band, if that is shorter) are lost
    there; never less than what the header needs, of which a tenth is lost where it decides.
    """
    header = WAVEFORMS[mode.plan.header]
    needed = plc_curves.threshold_db(header.name, header.reference_bytes, HEADER_ERROR_RATIO)
    return max(own_threshold_db(mode), float(needed)) + loss_db


def own_threshold_db(mode: Mode) -> float:
    """Effective SNR at which a tenth of the payloads of the reference length is lost, the header left aside [dB]."""
    return float(plc_curves.threshold_db(mode.waveform.name, reference_bytes(mode)))


def reference_bytes(mode: Mode) -> int:
    """PSDU for which a mode is judged: that of its waveform, or the largest of the band, if that is shorter."""
    return min(mode.waveform.reference_bytes, largest_psdu_bytes(mode))
