"""PRIME physical layer, versions 1.3.6 and 1.4: channels, eight modes, frame types, airtimes and frame error ratio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import plc_curves
from .plc_waveforms import WAVEFORMS, Waveform

Array = NDArray[Any]

# ITU-T G.9904: 250 kHz sampling, 512 points, prefix of 48 samples.
SPACING_HZ = 250e3 / 512
WINDOW_S, SYMBOL_S = 512 / 250e3, 560 / 250e3
FIRST_BIN, BINS_PER_CHANNEL, N_CHANNELS = 86, 112, 8
CARRIERS_PER_CHANNEL = 97
"""96 carriers with data and, at the lower end, the pilot that the first of them is compared with."""
LENGTH_UNITS = 63
"""Longest payload, the six bits of the length field."""
FLUSH_BYTES = 1
"""Zero bits that empty the convolutional encoder."""
HEADER_BYTES = 7
"""Bytes of the MAC header that ride in the header of a type A frame."""
ROBUST_BLOCK_SYMBOLS = 4


@dataclass(frozen=True)
class FrameType:
    """What precedes the payload.

    preamble_s : everything before the header;  header_symbols : symbols of the header
    header : its waveform;  boost_db : how much louder the preamble is sent than the payload
    in_header_bytes : bytes of the MAC frame that the header carries;  robust : whether robust modes may follow
    """

    name: str
    preamble_s: float
    header_symbols: int
    header: str
    boost_db: float
    in_header_bytes: int
    robust: bool

    @property
    def head_s(self) -> float:
        """Preamble and header [s].

        >>> [round(kind.head_s * 1e3, 2) for kind in FRAME_TYPES.values()]
        [6.53, 17.15, 23.68]
        """
        return self.preamble_s + self.header_symbols * SYMBOL_S


# ITU-T G.9904 (type A, version 1.3.6) and PRIME 1.4 (B; BC: five chirps and two symbols that old modems understand).
# A chirp lasts 2.048 ms. That modems boost the preamble of type B by 4 dB is from a vendor; BC likewise (C).
FRAME_TYPES: dict[str, FrameType] = {
    kind.name: kind
    for kind in (
        #         name  preamble                      header  waveform      boost in header robust
        FrameType("A",  WINDOW_S,                     2, "prime:HEADER",    0.0, HEADER_BYTES, False),
        FrameType("B",  4 * WINDOW_S,                 4, "prime:R-HEADER",  4.0, 0,            True),
        FrameType("BC", 5 * WINDOW_S + 2 * SYMBOL_S,  4, "prime:R-HEADER",  4.0, 0,            True),
    )
}  # fmt: skip

PREAMBLE_SNR_DB, PREAMBLE_SLOPE_PER_DB = -4.0, 2.0
"""Detection of the preamble: half are found at -4 dB, logistic; confidence C."""


@dataclass(frozen=True)
class Channels:
    """One of the eight channels, or two neighbouring ones used together.

    first : 1 to 8;  double : whether the next channel above is used too

    Raises ValueError for a channel that does not exist.

    >>> [round(float(Channels(k).frequency_hz[0]) / 1e3, 2) for k in range(1, 9)]
    [41.99, 96.68, 151.37, 206.05, 260.74, 315.43, 370.12, 424.8]
    """

    first: int
    double: bool = False

    def __post_init__(self) -> None:
        last = self.first + self.double
        if not 1 <= self.first <= last <= N_CHANNELS:
            raise ValueError(f"channel {self.label} does not exist; channels are 1 to 8, double ones 1+2 to 7+8")

    @property
    def label(self) -> str:
        """Such as ``1`` or ``1+2``."""
        return f"{self.first}+{self.first + 1}" if self.double else f"{self.first}"

    @property
    def n_channels(self) -> int:
        """One or two."""
        return 1 + self.double

    @property
    def frequency_hz(self) -> Array:
        """(n_carriers,) carriers and pilots [Hz]; two channels leave the fifteen carriers between them out."""
        start = FIRST_BIN + BINS_PER_CHANNEL * (self.first - 1 + np.arange(self.n_channels))
        return np.asarray(SPACING_HZ * (start[:, None] + np.arange(CARRIERS_PER_CHANNEL)).ravel())


@dataclass(frozen=True)
class Mode:
    """A waveform in one or two channels; ``name`` is that of the waveform, such as ``R-DBPSK``."""

    waveform: Waveform
    channels: Channels

    @property
    def name(self) -> str:
        """Such as ``DBPSK_CC``."""
        return self.waveform.mode

    @property
    def robust(self) -> bool:
        """Four copies, four symbols at a time; frames of type B and BC only."""
        return self.waveform.repetition > 1

    @property
    def unit_symbols(self) -> int:
        """Symbols of one unit of the length field: what is interleaved together."""
        return ROBUST_BLOCK_SYMBOLS if self.robust else 1

    @property
    def unit_bytes(self) -> int:
        """Bytes of one unit.

        >>> [mode.unit_bytes for mode in modes(Channels(1))]
        [6, 12, 6, 12, 18, 12, 24, 36]
        """
        wave = self.waveform
        bits = (CARRIERS_PER_CHANNEL - 1) * self.channels.n_channels * wave.bits * self.unit_symbols
        return bits // (8 * (2 if wave.coded else 1) * wave.repetition)

    @property
    def rate_bps(self) -> float:
        """Bits of the payload over its time, without preamble and header [bit/s].

        >>> [round(mode.rate_bps) for mode in modes(Channels(1))]
        [5357, 10714, 21429, 42857, 64286, 42857, 85714, 128571]
        """
        return 8 * self.unit_bytes / (self.unit_symbols * SYMBOL_S)


def modes(channels: Channels) -> tuple[Mode, ...]:
    """All eight modes: robust, coded, uncoded."""
    names = ("R-DBPSK", "R-DQPSK", "DBPSK_CC", "DQPSK_CC", "D8PSK_CC", "DBPSK", "DQPSK", "D8PSK")
    return tuple(Mode(WAVEFORMS[f"prime:{name}"], channels) for name in names)


def largest_psdu_bytes(mode: Mode, frame: str, api_limit_bytes: int | None = None) -> int:
    """Largest MAC frame of a mode.

    Parameters
    ----------
    frame : ``A``, ``B`` or ``BC``
    api_limit_bytes
        What a modem's interface takes at most; one vendor's takes 511 B.

    Raises ValueError where the frame type does not exist or does not carry the mode.

    >>> [largest_psdu_bytes(mode, "B") for mode in modes(Channels(1))]
    [377, 755, 377, 755, 1133, 756, 1512, 2268]
    """
    kind = _frame_type(mode, frame)
    size = LENGTH_UNITS * mode.unit_bytes - FLUSH_BYTES * mode.waveform.coded + kind.in_header_bytes
    return size if api_limit_bytes is None else min(size, api_limit_bytes)


def payload_symbols(payload_bytes: Array, mode: Mode) -> Array:
    """Symbols behind the header that so many bytes take: whole units of the length field.

    Parameters
    ----------
    payload_bytes : (n,) int, 0 or more, without what a type A header carries

    Returns
    -------
    (n,) int. Raises ValueError naming a size beyond 63 units.

    >>> int(payload_symbols(np.array(265), modes(Channels(1))[0]))
    180
    """
    size = np.asarray(payload_bytes)
    units = -(-(size + FLUSH_BYTES * mode.waveform.coded) // mode.unit_bytes)
    if np.any(bad := (size < 0) | (units > LENGTH_UNITS)):
        most = LENGTH_UNITS * mode.unit_bytes - FLUSH_BYTES * mode.waveform.coded
        raise ValueError(f"a payload of {size[bad].flat[0]} B does not fit {mode.name}; send 0 to {most} B")
    return np.asarray(np.where(size == 0, 0, units) * mode.unit_symbols)


def airtime_s(payload_bytes: Array, mode: Mode, frame: str) -> Array:
    """Airtime of a frame with so many bytes behind its header [s]; parameters and errors as `payload_symbols`.

    >>> one = modes(Channels(1))
    >>> round(float(airtime_s(np.array(100), one[2], "A")) * 1e3, 1), round(float(airtime_s(377, one[0], "B")) * 1e3, 1)
    (44.6, 581.6)
    """
    return np.asarray(_frame_type(mode, frame).head_s + payload_symbols(payload_bytes, mode) * SYMBOL_S)


def psdu_airtime_s(psdu_bytes: Array, mode: Mode, frame: str) -> Array:
    """Airtime of a frame that carries a whole MAC frame [s]; type A takes seven of its bytes into the header."""
    rest = np.asarray(psdu_bytes) - _frame_type(mode, frame).in_header_bytes
    return airtime_s(np.maximum(rest, 0), mode, frame)


def frame_error_ratio(snr_db: Array, payload_bytes: Array, mode: Mode, frame: str, loss_db: float) -> Array:
    """Probability that preamble, header or payload of a frame is lost, all at the same effective SNR.

    Parameters
    ----------
    snr_db : (n,) effective SNR of the mode's carriers [dB];  payload_bytes : (n,) behind the header, above 0
    loss_db
        Implementation loss [dB].

    Returns
    -------
    (n,) 0 to 1, from the stored curves of header and payload.
    """
    psdu_bytes = np.asarray(payload_bytes) + _frame_type(mode, frame).in_header_bytes
    head = header_error_ratio(snr_db, frame, loss_db)
    return np.asarray(1 - (1 - head) * (1 - payload_error_ratio(snr_db, psdu_bytes, mode, frame, loss_db)))


def header_error_ratio(snr_db: Array, frame: str, loss_db: float, preamble_snr_db: float = PREAMBLE_SNR_DB) -> Array:
    """Probability that preamble or header of a frame is missed.

    Parameters
    ----------
    snr_db : (n,) effective SNR of the frame type's most robust mode on all carriers [dB]
    loss_db, preamble_snr_db
        Implementation loss, and the SNR before it at which half of the preambles are found [dB].
    """
    kind = FRAME_TYPES[frame]
    snr = np.asarray(snr_db, dtype=np.float64) - loss_db
    found = 0.5 * (1 + np.tanh(0.5 * PREAMBLE_SLOPE_PER_DB * (snr + kind.boost_db - preamble_snr_db)))
    return np.asarray(
        1 - found * (1 - plc_curves.error_ratio(kind.header, snr, WAVEFORMS[kind.header].reference_bytes))
    )


def payload_error_ratio(snr_db: Array, psdu_bytes: Array, mode: Mode, frame: str, loss_db: float) -> Array:
    """Probability that what stands behind the header of a frame with a MAC frame of that size is lost; (n,) each."""
    rest = np.maximum(np.asarray(psdu_bytes) - _frame_type(mode, frame).in_header_bytes, 1)
    snr = np.asarray(snr_db, dtype=np.float64) - loss_db
    return np.asarray(plc_curves.error_ratio(mode.waveform.name, snr, rest))


def _frame_type(mode: Mode, frame: str) -> FrameType:
    if frame not in FRAME_TYPES:
        raise ValueError(f"frame type {frame!r} is unknown; write one of {', '.join(FRAME_TYPES)}")
    if mode.robust and not FRAME_TYPES[frame].robust:
        raise ValueError(f"{mode.name} does not exist in frames of type {frame}; use B or BC")
    return FRAME_TYPES[frame]
