"""Band plans of G3-PLC and IEEE 1901.2: carriers, sub-bands, symbol and header times, and the MAC times that follow."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

FFT_SAMPLES, PREFIX_SAMPLES, OVERLAP_SAMPLES = 256, 30, 8
PREAMBLE_SYMBOLS = 9.5
"""Eight P and one and a half M symbols, without cyclic prefix."""
LEAST_CARRIERS = 6
"""A tone mask leaves at least this many carriers: the header then takes 78 or 144 symbols."""
SLOT_SYMBOLS, MIN_SYMBOLS = 2, 4
EIFS_SYMBOLS = 252
"""Longest frame that the extended space waits for after an unreadable header, in every band."""


@dataclass(frozen=True)
class BandPlan:
    """One band of the G3 family.

    sampling_hz : sampling rate;  first_bin : number of the lowest carrier
    subband_carriers : carriers in each sub-band of the tone map, from low to high frequency
    header_bits : frame control header with check sum and tail;  max_symbols : longest payload
    symbol_step : payload lengths are multiples of it;  gap_symbols : CIFS and RIFS
    two_blocks : whether a frame may bear two Reed-Solomon blocks;  rs_blocks : how many it bears at most here
    notched : carriers switched off for good, counted from 0, rising
    """

    name: str
    label: str
    sampling_hz: float
    first_bin: int
    subband_carriers: tuple[int, ...]
    header_bits: int
    max_symbols: int
    symbol_step: int
    gap_symbols: int
    two_blocks: bool
    rs_blocks: int = 1
    notched: tuple[int, ...] = ()

    @property
    def spacing_hz(self) -> float:
        """Distance of two carriers [Hz]."""
        return self.sampling_hz / FFT_SAMPLES

    @cached_property
    def carriers(self) -> Array:
        """(n_carriers,) int, carriers in use, counted from 0 at the lowest of the band."""
        return np.setdiff1d(np.arange(sum(self.subband_carriers)), np.array(self.notched, np.int64))

    @cached_property
    def frequency_hz(self) -> Array:
        """(n_carriers,) frequency of the carriers in use [Hz]."""
        return np.asarray(self.spacing_hz * (self.first_bin + self.carriers))

    @property
    def n_carriers(self) -> int:
        """Carriers in use."""
        return int(self.carriers.size)

    @cached_property
    def subband_of_carrier(self) -> Array:
        """(n_carriers,) int sub-band of each carrier in use; sub-bands that the mask empties are not counted."""
        whole = np.repeat(np.arange(len(self.subband_carriers)), self.subband_carriers)
        return np.unique(whole[self.carriers], return_inverse=True)[1].astype(np.int64)

    @cached_property
    def subband_sizes(self) -> Array:
        """(n_subbands,) int carriers in use of each sub-band."""
        return np.bincount(self.subband_of_carrier)

    @property
    def n_subbands(self) -> int:
        """Sub-bands of the tone map with at least one carrier."""
        return int(self.subband_sizes.size)

    @property
    def window_s(self) -> float:
        """What the receiver's transform sees of a symbol [s]."""
        return FFT_SAMPLES / self.sampling_hz

    @property
    def symbol_s(self) -> float:
        """Symbol with cyclic prefix, less the overlap with its neighbour [s].

        >>> round(G3_BANDS["cenelec-a"].symbol_s * 1e6, 2), round(G3_BANDS["fcc"].symbol_s * 1e6, 2)
        (695.0, 231.67)
        """
        return (FFT_SAMPLES + PREFIX_SAMPLES - OVERLAP_SAMPLES) / self.sampling_hz

    @property
    def preamble_s(self) -> float:
        """Preamble [s]."""
        return PREAMBLE_SYMBOLS * self.window_s

    @property
    def header(self) -> str:
        """Waveform of the frame control header."""
        return "g3:FCH" if self.header_bits <= 39 else "g3:FCH-72"

    @property
    def header_symbols(self) -> int:
        """Symbols of the frame control header: rate 1/2, six copies, on the carriers in use.

        >>> [plan.header_symbols for plan in G3_BANDS.values()]
        [13, 30, 12, 16]
        """
        return -(-2 * 6 * self.header_bits // self.n_carriers)

    @property
    def header_s(self) -> float:
        """Preamble and header [s]; an acknowledgement is nothing more.

        >>> [round(plan.header_s * 1e3, 3) for plan in G3_BANDS.values()]
        [15.115, 26.93, 4.807, 5.733]
        """
        return self.preamble_s + self.header_symbols * self.symbol_s

    @property
    def slot_s(self) -> float:
        """Contention slot [s]."""
        return SLOT_SYMBOLS * self.symbol_s

    @property
    def gap_s(self) -> float:
        """Idle time before contention (CIFS), and before a response (RIFS), which is as long [s]."""
        return self.gap_symbols * self.symbol_s

    @property
    def ack_cycle_s(self) -> float:
        """From the end of a frame to the end of its acknowledged cycle; a missing one takes as long [s]."""
        return self.header_s + 2 * self.gap_s

    @property
    def eifs_s(self) -> float:
        """Extended space after a header that was not understood [s].

        >>> round(G3_BANDS["cenelec-a"].eifs_s * 1e3, 1)
        201.4
        """
        return (EIFS_SYMBOLS + 2 * self.gap_symbols) * self.symbol_s + self.header_s


# ITU-T G.9903 (carriers, sub-bands, header), vendors' constants for symbols and gaps. ARIB: 18 groups of three are what
# divides 54 carriers and what one vendor's tone map of 18 bits has; another driver of the same vendor says 16 (C).
G3_BANDS: dict[str, BandPlan] = {
    plan.name: plan
    for plan in (
        #        name         label        rate  first  sub-bands    header  longest step gap  two blocks
        BandPlan("cenelec-a", "CENELEC-A", 400e3,   23, (6,) * 6,       39,     252,   4,  8, False),
        BandPlan("cenelec-b", "CENELEC-B", 400e3,   63, (4,) * 4,       39,     252,   4,  8, False),
        BandPlan("fcc",       "FCC",       1200e3,  33, (3,) * 24,      72,     511,   1, 10, True),
        BandPlan("arib",      "ARIB",      1200e3,  33, (3,) * 18,      72,     511,   1, 10, True),
    )
}  # fmt: skip

# IEEE 1901.2-2013, same waveform family. Band edges B (FCC-low: 18 carriers, C); a payload length counted in single
# symbols up to 511 in every band C; gaps as in G3 (C).
IEEE_1901_2_BANDS: dict[str, BandPlan] = {
    plan.name: plan
    for plan in (
        BandPlan("cenelec-a", "CENELEC A",         400e3,   23, (6,) * 6,  39, 511, 1,  8, False),
        BandPlan("cenelec-b", "CENELEC B",         400e3,   63, (4,) * 4,  39, 511, 1,  8, False),
        BandPlan("fcc-low",   "FCC-low",           1200e3,   8, (3,) * 6,  72, 511, 1, 10, True),
        BandPlan("fcc-above-cenelec", "FCC-above-CENELEC", 1200e3, 33, (3,) * 24, 72, 511, 1, 10, True),
        BandPlan("arib",      "ARIB",              1200e3,  33, (3,) * 18, 72, 511, 1, 10, True),
    )
}  # fmt: skip


def with_mask(plan: BandPlan, notched_carriers: str) -> BandPlan:
    """The plan with some carriers switched off, such as ``"0-5, 17"``; an empty text changes nothing.

    Parameters
    ----------
    notched_carriers
        Numbers and ranges, both ends included, separated by commas; the lowest carrier of the band is 0.

    Raises ValueError where the text is no such list, a carrier does not exist or fewer than six remain.

    >>> masked = with_mask(G3_BANDS["cenelec-a"], "0-29")
    >>> masked.n_carriers, masked.n_subbands, masked.header_symbols
    (6, 1, 78)
    """
    n = sum(plan.subband_carriers)
    gone: set[int] = set()
    for piece in filter(None, (part.strip() for part in notched_carriers.split(","))):
        low, _, high = piece.partition("-")
        if not low.strip().isdecimal() or not (high.strip().isdecimal() or "-" not in piece):
            raise ValueError(f"notched_carriers {piece!r} is no carrier and no range; write such as '0-5, 17'")
        first, last = int(low), int(high or low)
        if first > last:
            raise ValueError(f"notched_carriers {piece!r} falls; write the lower carrier first, {last}-{first}")
        if last >= n:
            raise ValueError(f"notched_carriers {piece!r} lies outside {plan.label}; carriers are 0 to {n - 1}")
        gone.update(range(first, last + 1))
    if n - len(gone) < LEAST_CARRIERS:
        raise ValueError(f"notched_carriers leave {n - len(gone)} of {n} carriers; keep at least {LEAST_CARRIERS}")
    return replace(plan, notched=tuple(sorted(gone)))


def with_two_blocks(plan: BandPlan) -> BandPlan:
    """The plan with up to two Reed-Solomon blocks in a frame. Raises ValueError where its header has no flag for it."""
    if not plan.two_blocks:
        raise ValueError(f"two_rs_blocks: {plan.label} frames bear one Reed-Solomon block; switch it off")
    return replace(plan, rs_blocks=2)


def band_plan(plans: dict[str, BandPlan], name: str) -> BandPlan:
    """Plan by name. Raises ValueError listing the known ones."""
    if name not in plans:
        raise ValueError(f"band = {name!r} is unknown; write one of {', '.join(plans)}")
    return plans[name]
