"""SUN FSK, the 2-FSK physical layer of Wi-SUN FAN: airtime, error ratios anchored to sensitivity, attempts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]

SFD_BYTES = 2
PHR_BYTES = 2
FCS_BYTES = 4
MAX_PSDU_BYTES = 1576
"""Longest frame that public FAN stacks hand to the radio, check sequence included."""

REFERENCE_NOISE_FIGURE_DB = 7.0
"""Noise figure at which the sensitivities of ``MODES`` are taken to hold (5-8 dB in sub-GHz data sheets, B)."""
REFERENCE_BYTES = 250
REFERENCE_PER = 0.1
"""Sensitivity is the level at which one frame in ten of this length is lost (IEEE 802.15.4-2020 clause 19.6.7)."""


@dataclass(frozen=True)
class SunFskMode:
    """One operating mode of SUN FSK; ``sensitivity_dbm`` is a planning value for a meter, not a data sheet's best."""

    rate_bps: float
    modulation_index: float
    preamble_bytes: int
    rx_bandwidth_hz: float
    spacing_hz: float
    sensitivity_dbm: float


MODES: dict[str, SunFskMode] = {
    "1a": SunFskMode(50e3, 0.5, 8, 68e3, 100e3, -105.0),
    "1b": SunFskMode(50e3, 1.0, 8, 98e3, 200e3, -105.0),
    "2a": SunFskMode(100e3, 0.5, 8, 135e3, 200e3, -102.0),
    "2b": SunFskMode(100e3, 1.0, 8, 196e3, 400e3, -100.0),
    "3": SunFskMode(150e3, 0.5, 12, 273e3, 200e3, -97.0),
    "4a": SunFskMode(200e3, 0.5, 12, 273e3, 400e3, -97.0),
    "5": SunFskMode(300e3, 0.5, 24, 498e3, 600e3, -95.0),
}
"""Rate, index, preamble: Wi-SUN PHY register (Texas Instruments FAN guide, Silicon Labs wisun-br-linux 2.10.2).
Receive bandwidth: TI CC1312R7 data sheet, section 7.10. Sensitivity: that sheet's typical value (-107, -107, -104,
-102, -99, -99, -97 dBm at PER 10 %, 250 B) less 2 dB for enclosure, mismatch and production spread (confidence C)."""


def mode_of(name: str) -> SunFskMode:
    """The mode of that name.

    Raises ValueError for an unknown name, listing the known ones.
    """
    if name not in MODES:
        raise ValueError(f"SUN FSK mode {name!r} is unknown; use one of {', '.join(MODES)}")
    return MODES[name]


def airtime_s(psdu_bytes: ArrayLike, *, rate_bps: float, preamble_bytes: int, fec: bool = False) -> Array:
    """Time on air of one frame.

    Parameters
    ----------
    psdu_bytes : (n,)
        MAC frame before its check sequence [B], 0 or more; at most ``MAX_PSDU_BYTES`` - 4.
    rate_bps, preamble_bytes : of the mode.
    fec : rate-1/2 coding, which doubles header and frame.

    Returns
    -------
    (n,) airtime [s]. Raises ValueError where a frame is negative or longer than the radio takes.

    References
    ----------
    IEEE 802.15.4-2020 clause 19.2 (preamble, 2 B start delimiter, 2 B header, frame with 4 B check sequence).

    >>> round(float(airtime_s(250, rate_bps=50e3, preamble_bytes=8)) * 1e3, 2)
    42.56
    """
    psdu = np.asarray(psdu_bytes, np.float64)
    if not ((psdu >= 0.0) & (psdu <= MAX_PSDU_BYTES - FCS_BYTES)).all():
        raise ValueError(f"a SUN FSK frame holds 0 to {MAX_PSDU_BYTES - FCS_BYTES} B before its check sequence; cut it")
    coded = (2.0 if fec else 1.0) * (PHR_BYTES + FCS_BYTES + psdu)
    return np.asarray((preamble_bytes + SFD_BYTES + coded) * 8.0 / rate_bps)


def bit_error_ratio(ebn0_db: ArrayLike) -> Array:
    """Bit error ratio of non-coherent orthogonal 2-FSK, half of exp(-Eb/N0 / 2).

    Parameters
    ----------
    ebn0_db : (n,) energy per bit over noise density [dB]; -inf allowed.

    References
    ----------
    J. G. Proakis, Digital Communications, section on non-coherent detection of orthogonal signals, M = 2.
    """
    return np.asarray(0.5 * np.exp(-0.5 * 10.0 ** (np.asarray(ebn0_db, np.float64) / 10.0)))


def frame_error_ratio(ebn0_db: ArrayLike, n_bytes: ArrayLike) -> Array:
    """Probability that at least one of the 8 n bits is wrong, 0 to 1, shape as broadcast.

    Parameters
    ----------
    ebn0_db : (n,) [dB];  n_bytes : (n,) frame length [B], positive.
    """
    bits = 8.0 * np.asarray(n_bytes, np.float64)
    return np.asarray(-np.expm1(bits * np.log1p(-bit_error_ratio(ebn0_db))))


def ebn0_at_db(per: ArrayLike, n_bytes: ArrayLike) -> Array:
    """Eb/N0 at which frames of ``n_bytes`` are lost with probability ``per``: the inverse of `frame_error_ratio`.

    Raises ValueError unless ``per`` lies strictly between 0 and 1.

    >>> round(float(ebn0_at_db(0.1, 250)), 2)
    12.63
    """
    ratio = np.asarray(per, np.float64)
    if not ((ratio > 0.0) & (ratio < 1.0)).all():
        raise ValueError("a packet error ratio to invert must lie between 0 and 1, both excluded")
    ber = -np.expm1(np.log1p(-ratio) / (8.0 * np.asarray(n_bytes, np.float64)))
    return np.asarray(10.0 * np.log10(-2.0 * np.log(2.0 * ber)))


def packet_error_ratio(
    above_sensitivity_db: ArrayLike,
    n_bytes: ArrayLike,
    *,
    reference_bytes: float = REFERENCE_BYTES,
    reference_per: float = REFERENCE_PER,
) -> Array:
    """Loss probability of a frame received so many dB above the sensitivity level.

    The shape is that of non-coherent 2-FSK; its place is the receiver's stated sensitivity, because real receivers
    keep the slope but not the ideal Eb/N0.

    Parameters
    ----------
    above_sensitivity_db : (n,)
        Level over sensitivity [dB], either sign; -inf for no signal.
    n_bytes : (n,)
        Frame length [B], positive.
    reference_bytes, reference_per
        Frame length and error ratio at which the sensitivity is stated.

    Returns
    -------
    (n,) probability 0 to 1, shape as broadcast.

    >>> round(float(packet_error_ratio(0.0, 250)), 3)
    0.1
    """
    anchor_db = float(ebn0_at_db(reference_per, reference_bytes))
    return frame_error_ratio(anchor_db + np.asarray(above_sensitivity_db, np.float64), n_bytes)


def level_at_attempts_db(attempts: float, n_bytes: float = REFERENCE_BYTES) -> float:
    """Level over sensitivity at which a frame needs that many attempts on average [dB].

    Parameters
    ----------
    attempts : expected transmissions 1/(1-PER), above 1.

    Raises ValueError where ``attempts`` is not above 1.

    >>> round(level_at_attempts_db(4.0), 2)
    -1.43
    """
    if attempts <= 1.0:
        raise ValueError("expected attempts must be above 1")
    return float(ebn0_at_db(1.0 - 1.0 / attempts, n_bytes) - ebn0_at_db(REFERENCE_PER, REFERENCE_BYTES))
