"""LoRa: time on air, sensitivity, and the packet error ratio of chirp spread spectrum."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

Array = NDArray[Any]

SPREADING_FACTORS = np.array([12, 11, 10, 9, 8, 7])
"""By data rate 0 to 5 of EU868, most robust first."""

SNR_FLOOR_DB = np.array([-20.0, -17.5, -15.0, -12.5, -10.0, -7.5])
"""Demodulation floor by data rate, in the signal's own bandwidth; Semtech SX1301 data sheet, as in network servers."""

SENSITIVITY_DBM = {
    # 125 kHz       SF12    SF11    SF10    SF9     SF8     SF7
    "sx1301": (-142.5, -140.0, -137.5, -135.0, -132.5, -130.0),  # gateway; data sheet as used by ns-3 lorawan (A)
    "sx1302": (-141.0, -138.5, -136.0, -133.5, -131.0, -128.5),  # gateway; SF12 B, others 2.5 dB apart (C)
    "sx1272": (-137.0, -135.0, -133.0, -130.0, -127.0, -124.0),  # device; data sheet as used by ns-3 lorawan (A)
    "sx1276": (-136.0, -133.0, -132.0, -129.0, -126.0, -123.0),  # device; data sheet, quoted by users (A)
    "sx1262": (-137.0, -134.5, -132.0, -129.5, -127.0, -124.0),  # device; SF7 and SF12 data sheet 1.2 (A), others C
}
"""Sensitivity by receiver and data rate [dBm]; published tables differ by 5 to 9 dB at SF12, so it is a choice."""

_REFERENCE_BYTES = 64
_REFERENCE_PER = 0.1


def time_on_air_s(
    payload_bytes: ArrayLike,
    spreading_factor: ArrayLike,
    *,
    bandwidth_hz: float = 125e3,
    coding_rate: int = 1,
    explicit_header: bool = True,
    crc: bool = True,
    preamble_symbols: int = 8,
) -> Array:
    """How long one frame occupies its channel.

    Parameters
    ----------
    payload_bytes : (n,)
        PHY payload [B], 0 to 255; a LoRaWAN uplink has 13 B more than its application payload.
    spreading_factor : scalar or (n,) 7 to 12.
    bandwidth_hz : 125, 250 or 500 kHz.
    coding_rate : 1 to 4 for 4/5 to 4/8.
    explicit_header, crc : LoRaWAN uplinks have both, downlinks no CRC.
    preamble_symbols : programmed preamble; 4.25 symbols come on top.

    Returns
    -------
    (n,) time [s]; low data rate optimisation is on where a symbol lasts 16 ms or more. Raises ValueError for a
    length, factor, bandwidth or coding rate that the modem does not have.

    References
    ----------
    Semtech AN1200.13, LoRa Modem Designer's Guide, section 4, equations for symbol time and payload symbols.

    >>> round(float(time_on_air_s(37, 12)), 6)
    1.974272
    """
    n_bytes, sf = np.asarray(payload_bytes, np.float64), np.asarray(spreading_factor)
    _check_modem(n_bytes, sf, bandwidth_hz, coding_rate)
    symbol_s = 2.0**sf / bandwidth_hz
    slow = np.where(symbol_s >= 16e-3, 2.0, 0.0)
    bits = 8.0 * n_bytes - 4.0 * sf + 28.0 + 16.0 * crc - 20.0 * (not explicit_header)
    blocks = np.maximum(np.ceil(bits / (4.0 * (sf - slow))), 0.0)
    return np.asarray((preamble_symbols + 4.25 + 8.0 + blocks * (coding_rate + 4)) * symbol_s)


def packet_error_ratio(snr_db: ArrayLike, data_rate: ArrayLike, n_bytes: ArrayLike) -> Array:
    """Share of frames lost to noise at a constant signal to noise ratio.

    Parameters
    ----------
    snr_db : (n,)
        Signal to noise ratio in 125 kHz [dB]; -inf is a lost frame.
    data_rate : (n,) 0 to 5, SF12 to SF7.
    n_bytes : (n,) PHY payload [B].

    Returns
    -------
    (n,) 0 to 1, shape as broadcast. The slope is that of the closed form for non-coherent detection of orthogonal
    chirps; its place is moved so that 64 B are lost one time in ten at the demodulation floor, as real receivers do.
    Raises ValueError for a data rate that does not exist.

    References
    ----------
    T. Elshabrawy, J. Robert, IEEE Commun. Lett. 22 (9), 2018, pp. 1778-1781 (confidence B).
    """
    rate = np.asarray(data_rate)
    if ((rate < 0) | (rate >= SPREADING_FACTORS.size)).any():
        raise ValueError(f"data_rate must lie within 0 to {SPREADING_FACTORS.size - 1}")
    sf = SPREADING_FACTORS[rate]
    own_db = np.asarray(snr_db, np.float64) + _receiver_shift_db()[rate]
    amplitude = np.sqrt(10.0 ** (0.1 * own_db) * 2.0 ** (sf + 1))
    symbol_error = ndtr(np.sqrt(1.386 * sf + 1.154) - amplitude)
    return np.asarray(-np.expm1(_n_symbols(n_bytes, sf) * np.log1p(-np.minimum(symbol_error, 1.0 - 1e-12))))


def half_loss_margin_db(data_rate: ArrayLike, n_bytes: ArrayLike) -> Array:
    """Margin over the demodulation floor at which half of the frames are lost; the step that fading crosses.

    Parameters
    ----------
    data_rate, n_bytes : (n,) as in `packet_error_ratio`.

    Returns
    -------
    (n,) [dB], near -1 for 64 B, growing with length.

    References
    ----------
    As `packet_error_ratio`, solved for the ratio.
    """
    rate = np.asarray(data_rate)
    sf = SPREADING_FACTORS[rate]
    return np.asarray(_snr_at_db(0.5, _n_symbols(n_bytes, sf), sf) - _receiver_shift_db()[rate] - SNR_FLOOR_DB[rate])


def _snr_at_db(per: float, n_symbols: ArrayLike, sf: Array) -> Array:
    symbol_error = -np.expm1(np.log1p(-per) / np.asarray(n_symbols))
    amplitude = np.sqrt(1.386 * sf + 1.154) - ndtri(symbol_error)
    return np.asarray(20.0 * np.log10(amplitude) - 10.0 * np.log10(2.0 ** (sf + 1)))


def _receiver_shift_db() -> Array:
    sf = SPREADING_FACTORS
    return np.asarray(_snr_at_db(_REFERENCE_PER, _n_symbols(_REFERENCE_BYTES, sf), sf) - SNR_FLOOR_DB)


def _n_symbols(n_bytes: ArrayLike, sf: Array) -> Array:
    slow = np.where(sf >= 11, 2, 0)
    bits = 8.0 * np.asarray(n_bytes, np.float64) - 4.0 * sf + 44.0
    return np.asarray(8.0 + 5.0 * np.maximum(np.ceil(bits / (4.0 * (sf - slow))), 0.0))


def _check_modem(n_bytes: Array, sf: Array, bandwidth_hz: float, coding_rate: int) -> None:
    if ((n_bytes < 0) | (n_bytes > 255)).any():
        raise ValueError("payload_bytes must lie within 0 to 255; fragment longer datagrams first")
    if ((sf < 7) | (sf > 12)).any():
        raise ValueError("spreading_factor must lie within 7 to 12")
    if bandwidth_hz not in (125e3, 250e3, 500e3):
        raise ValueError(f"bandwidth_hz must be 125, 250 or 500 kHz, not {bandwidth_hz:g}")
    if coding_rate not in (1, 2, 3, 4):
        raise ValueError(f"coding_rate must be 1 to 4 (for 4/5 to 4/8), not {coding_rate}")
