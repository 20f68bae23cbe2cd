"""The modes of a power line family on one band, as columns: waveforms, sub-bands, thresholds, rates, header."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .plc_curve_fit import row_of
from .plc_curves import scale
from .plc_starts import LONGEST_HALF_CYCLES
from .plc_waveforms import WAVEFORMS

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Adaptation:
    """Modes of a family on one band, as columns; the first is the robust one, on all carriers: all others rest on it.

    waveforms : names, each once;  beta : (n_waveforms,) scale of the effective SNR, 0 where there is no code
    mode_waveform, mode_subbands : (n_modes,) index in ``waveforms`` and sub-bands used, always the best ones
    threshold_db : (n_modes,) effective SNR needed, implementation loss and reserve included
    rate_bps : (n_modes,) rising
    header, header_beta, header_threshold_db : waveform of the frame header; modes above the first need it
    header_floor_db : effective SNR of the header that even the first mode needs; -inf where nobody asks
    subband_of_carrier : (n_carriers,) 0 to n - 1; -1 where a carrier bears no data (notched, or a pilot)
    state_of_bin : (n_bins,) network state in each part of the half cycle
    symbol_bins, window_bins : symbol period and receiver's window in parts of the half cycle
    loss_db : implementation loss that the thresholds contain; short frames, and modes interleaved over less than a
        frame, need it apart
    mode_symbols, header_symbols : (n_modes,) symbols of a payload of the reference length, and of the header: short
        ones see a part of the half cycle; 0 for long ones
    """

    waveforms: tuple[str, ...]
    beta: Array
    mode_waveform: Array
    mode_subbands: Array
    threshold_db: Array
    rate_bps: Array
    header: str
    header_beta: float
    header_threshold_db: float
    subband_of_carrier: Array
    state_of_bin: Array
    symbol_bins: float = 0.0
    window_bins: float = 0.0
    loss_db: float = 0.0
    header_floor_db: float = -np.inf
    mode_symbols: Array | None = None
    header_symbols: float = 0.0

    def __post_init__(self) -> None:
        """Refuse tables that contradict themselves."""
        _check(self)

    @property
    def framed(self) -> bool:
        """Whether frames are woven as a whole; all waveforms of a family are, or none."""
        return WAVEFORMS[self.header].interleaving == "frame"

    @property
    def span(self) -> Array:
        """(n_waveforms + 1, n_subbands) length of short frames in parts of the half cycle, the header's last.

        0 for long ones, and for sub-bands on which no mode uses the waveform.
        """
        parts = np.zeros((len(self.waveforms) + 1, self.n_subbands))
        if self.mode_symbols is not None:
            parts[self.mode_waveform, self.mode_subbands - 1] = self.mode_symbols * self.symbol_bins
        parts[-1, -1] = self.header_symbols * self.symbol_bins
        return np.where(parts < LONGEST_HALF_CYCLES * self.state_of_bin.size, parts, 0.0)

    @cached_property
    def robust_alone(self) -> Adaptation:
        """The first mode and the header, for who asks for no other."""
        return replace(
            self,
            waveforms=(self.waveforms[self.mode_waveform[0]],),
            beta=self.beta[self.mode_waveform[:1]],
            mode_waveform=np.zeros(1, np.int64),
            mode_subbands=self.mode_subbands[:1],
            threshold_db=self.threshold_db[:1],
            rate_bps=self.rate_bps[:1],
            mode_symbols=None if self.mode_symbols is None else self.mode_symbols[:1],
        )

    @property
    def n_subbands(self) -> int:
        """Groups of carriers that a tone map switches."""
        return int(self.subband_of_carrier.max()) + 1


def adaptation(
    modes: Sequence[tuple[str, int]],
    threshold_db: ArrayLike,
    rate_bps: ArrayLike,
    *,
    header: str,
    header_threshold_db: float,
    subband_of_carrier: ArrayLike,
    state_of_bin: ArrayLike = (0,),
    symbol_bins: float = 0.0,
    window_bins: float = 0.0,
    loss_db: float = 0.0,
    header_floor_db: float = -np.inf,
    mode_symbols: ArrayLike | None = None,
    header_symbols: float = 0.0,
) -> Adaptation:
    """An `Adaptation` from a table of modes, with the stored scales of the effective SNR.

    Parameters
    ----------
    modes : waveform and number of sub-bands of each mode, in rising order of rate;  others : see `Adaptation`

    >>> one = adaptation(
    ...     [("prime:DBPSK", 1)], [9.0], [42.9e3], header="prime:DQPSK", header_threshold_db=2.0,
    ...     subband_of_carrier=[-1] + 96 * [0],
    ... )  # fmt: skip
    >>> one.n_subbands
    1
    """
    names = tuple(dict.fromkeys(name for name, _ in modes))
    return Adaptation(
        names,
        np.array([_scale_or_none(name) for name in names]),
        np.array([names.index(name) for name, _ in modes], np.int64),
        np.array([count for _, count in modes], np.int64),
        np.asarray(threshold_db, np.float64),
        np.asarray(rate_bps, np.float64),
        header,
        _scale_or_none(header),
        float(header_threshold_db),
        np.asarray(subband_of_carrier, np.int64),
        np.asarray(state_of_bin, np.int64),
        float(symbol_bins),
        float(window_bins),
        float(loss_db),
        float(header_floor_db),
        None if mode_symbols is None else np.asarray(mode_symbols, np.float64),
        float(header_symbols),
    )


def _scale_or_none(name: str) -> float:
    """Scale of a coded waveform; 0 for one without a code, whose carriers fail one by one."""
    row_of(name)
    return scale(name) if WAVEFORMS[name].coded else 0.0


def _check(table: Adaptation) -> None:
    """Refuse tables that contradict themselves."""
    n_modes = table.mode_waveform.size
    if not 0 < n_modes <= 127:
        raise ValueError(f"{n_modes} modes are no table; give 1 to 127")
    for key in ("mode_subbands", "threshold_db", "rate_bps"):
        if getattr(table, key).shape != (n_modes,):
            raise ValueError(f"{key} must have one entry for each of the {n_modes} modes")
    if table.mode_symbols is not None and table.mode_symbols.shape != (n_modes,):
        raise ValueError(f"mode_symbols must have one entry for each of the {n_modes} modes")
    if (table.mode_symbols is not None or table.header_symbols > 0) and not table.symbol_bins > 0:
        raise ValueError("the lengths of frames need symbol_bins, how far apart their symbols are")
    if np.any(np.diff(table.rate_bps) < 0):
        raise ValueError("modes must stand in rising order of rate_bps; sort them")
    if np.any(bad := (table.mode_subbands < 1) | (table.mode_subbands > table.n_subbands)):
        count = table.mode_subbands[bad][0]
        raise ValueError(f"a mode on {count} sub-bands does not fit a band of {table.n_subbands}; use 1 to all")
    if table.n_subbands < 1 or np.any(np.bincount(table.subband_of_carrier[table.subband_of_carrier >= 0]) == 0):
        raise ValueError("every sub-band needs a carrier; number them 0, 1, ... without gaps")
    if np.any(np.diff(table.subband_of_carrier[table.subband_of_carrier >= 0]) < 0):
        raise ValueError("a sub-band's carriers stand side by side; number sub-bands upwards")
    for name, count in zip(np.array(table.waveforms)[table.mode_waveform], table.mode_subbands, strict=True):
        if WAVEFORMS[name].interleaving != "frame" and count < table.n_subbands:
            raise ValueError(f"{name} is not woven over the frame and has no tone map; let it use all sub-bands")
    if table.mode_subbands[0] < table.n_subbands:
        raise ValueError("the first mode is the robust one and goes out on all carriers; let it use all sub-bands")
    for name, beta in zip((*table.waveforms, table.header), (*table.beta, table.header_beta), strict=True):
        if WAVEFORMS[name].coded and not beta > 0:
            raise ValueError(f"{name} needs a positive scale of its effective SNR, not {beta}")
        if WAVEFORMS[name].interleaving == "four_symbols" and not table.symbol_bins > 0:
            raise ValueError(f"{name} is woven over four symbols; symbol_bins must tell how far apart they are")
    pairs = {WAVEFORMS[name].detection == "frequency" for name in (*table.waveforms, table.header)}
    if len(pairs) > 1:
        raise ValueError("one family compares either symbols or carriers; do not mix g3 and prime waveforms")
    if True in pairs and table.subband_of_carrier[0] >= 0:
        raise ValueError("the lowest carrier is the reference of the one above it; give it sub-band -1")
