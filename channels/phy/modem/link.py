"""Frames over carriers of given SNR: what share of them is lost. One way for every row of `WAVEFORMS`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..plc_waveforms import WAVEFORMS, Waveform
from . import convolutional, interleaving, modulation, reed_solomon
from .noise import Noise, gaussian

Array = NDArray[Any]

HEADER_BITS = {"g3:FCH": 33, "g3:FCH-72": 66, "prime:HEADER": 78, "prime:R-HEADER": 36}
"""Bits of a header before its six tail bits: 39 and 72 with them (G3), 84 in two symbols of 84 carriers (PRIME 1.3.6),
42 in four robust ones (PRIME 1.4, C)."""
FLUSH_BITS = 8
"""Zeros behind a PRIME payload; the rest of its last symbol is zeros, too."""
N_CARRIERS = {"time": 36, "coherent": 36, "frequency": 96}
"""Data carriers of a symbol: CENELEC-A (G3) and a PRIME channel. The stored curves are for flat SNR, where it matters
little."""
LEAST_SNR = 1e-6
"""Linear SNR of an erased carrier: its soft bits are nought."""
BATCH_BITS = 200_000
"""Sent bits handled at once: a few MiB."""


@dataclass(frozen=True)
class Frame:
    """Where the bits of a frame go.

    n_bits : carried bits, Reed-Solomon parity included, without tail
    n_steps : bits into the convolutional encoder, tail and filling zeros included; n_bits without code
    n_symbols, n_carriers : data carriers, references not counted
    place : (n_coded, repetition) place of each coded bit and copy in symbols x carriers x bits
    """

    n_bits: int
    n_steps: int
    n_symbols: int
    n_carriers: int
    place: Array


@dataclass(frozen=True)
class Count:
    """Frames sent and lost, carried bits sent and wrong (before Reed-Solomon)."""

    n_frames: int
    n_errors: int
    n_bits: int
    n_bit_errors: int

    @property
    def error_ratio(self) -> float:
        """Lost frames per frame."""
        return self.n_errors / self.n_frames

    @property
    def bit_error_ratio(self) -> float:
        """Wrong bits per bit."""
        return self.n_bit_errors / self.n_bits


def carriers_of(waveform: Waveform) -> int:
    """Data carriers of a symbol that `simulate` takes where the caller names none."""
    if waveform.detection == "frequency" and waveform.name in HEADER_BITS:
        return interleaving.HEADER_CARRIERS
    return N_CARRIERS[waveform.detection]


@lru_cache(maxsize=256)
def frame_of(name: str, n_bytes: int, n_carriers: int = 0, ideal: bool = False) -> Frame:
    """Layout of a frame with n_bytes of PSDU; a header has its own length, whatever n_bytes says.

    Raises ValueError for an unknown waveform, no bytes, or more than one Reed-Solomon word holds.

    >>> frame_of("g3:ROBO", 133).n_symbols
    252
    """
    if name not in WAVEFORMS:
        raise ValueError(f"no waveform {name!r}: choose one of {', '.join(WAVEFORMS)}")
    if n_bytes < 1:
        raise ValueError(f"{n_bytes} bytes in a frame: give at least 1")
    one = WAVEFORMS[name]
    if one.parity_bytes and n_bytes + one.parity_bytes > reed_solomon.MAX_BYTES:
        raise ValueError(f"{n_bytes} bytes do not fit {name}: at most {reed_solomon.MAX_BYTES - one.parity_bytes}")
    n_carriers = n_carriers or carriers_of(one)
    n_bits = HEADER_BITS.get(name, 8 * (n_bytes + one.parity_bytes))
    per_symbol = n_carriers * one.bits
    if one.interleaving == "none":
        n_symbols = -(-n_bits // per_symbol)
        return Frame(n_bits, n_bits, n_symbols, n_carriers, np.arange(n_bits)[:, None])
    flushed = one.detection == "frequency" and name not in HEADER_BITS
    n_steps = n_bits + (FLUSH_BITS if flushed else convolutional.N_TAIL_BITS)
    if ideal or one.interleaving == "frame":
        n_sent = 2 * n_steps * one.repetition
        n_symbols = -(-n_sent // per_symbol)
        # padding stands at scattered places, too
        order = interleaving.frame_order(n_symbols * per_symbol)[:n_sent].reshape(-1, one.repetition)
        return Frame(n_bits, n_steps, n_symbols, n_carriers, order)
    n_steps = -(-2 * n_steps // per_symbol) * per_symbol // 2
    place = interleaving.symbol_blocks(2 * n_steps * one.repetition, n_carriers, one.bits, one.repetition)
    return Frame(n_bits, n_steps, 2 * n_steps * one.repetition // per_symbol, n_carriers, place)


def simulate(
    name: str,
    n_bytes: int,
    snr: Array,
    *,
    n_frames: int,
    seed: int,
    noise: Noise = gaussian,
    n_carriers: int = 0,
    ideal: bool = False,
) -> Count:
    """Send frames of random bits and count the lost ones.

    Parameters
    ----------
    name : row of `WAVEFORMS`
    n_bytes : PSDU, Reed-Solomon parity not included; headers have their own length
    snr : linear Es/N0 to the Gaussian part, broadcastable to (n_symbols, n_carriers) of `frame_of`
        The receiver knows it. A reference symbol or carrier has that of its first neighbour.
    n_frames, seed : how many, and which random numbers
    noise : Gaussian if not given, see `noise`
    n_carriers : of a symbol; 0 for `carriers_of`
    ideal : interleave over the whole frame whatever the waveform does, to learn what its own interleaver costs

    Returns
    -------
    Count. The Reed-Solomon decoder is replaced by its exact condition `reed_solomon.is_mended`.
    """
    one, layout = WAVEFORMS[name], frame_of(name, n_bytes, n_carriers, ideal)
    reference = {"time": ((1, 0), (0, 0)), "frequency": ((0, 0), (1, 0)), "coherent": ((0, 0), (0, 0))}[one.detection]
    full = np.broadcast_to(snr, (layout.n_symbols, layout.n_carriers))
    full = np.pad(np.maximum(full, LEAST_SNR), reference, mode="edge").astype(np.float32)
    random = np.random.default_rng(seed)
    batch = max(1, BATCH_BITS // (layout.n_symbols * layout.n_carriers * one.bits))
    n_errors = n_bit_errors = 0
    for start in range(0, n_frames, batch):
        wrong = _wrong_bits(one, layout, full, noise, random, min(batch, n_frames - start))
        n_bit_errors += int(np.count_nonzero(wrong))
        n_errors += int(np.count_nonzero(_is_lost(wrong, one.parity_bytes)))
    return Count(n_frames, n_errors, n_frames * layout.n_bits, n_bit_errors)


def _wrong_bits(one: Waveform, layout: Frame, snr: Array, noise: Noise, random: np.random.Generator, n: int) -> Array:
    """(n, n_bits) which carried bits of n frames arrive wrong."""
    bit = _carried_bits(layout.n_bits, one.parity_bytes, random, n)
    sent = modulation.modulate(_placed(bit, one, layout, random), one.bits, one.detection)
    added, power = noise(random, sent.shape)
    added *= np.sqrt(1 / snr)
    sent += added
    point, seen_snr = modulation.observe(sent, np.asarray(snr / power), one.detection)
    soft = modulation.soft_bits(point, seen_snr, one.bits).reshape(n, -1)
    gathered = soft[:, layout.place[:, 0]]
    for copy in range(1, one.repetition):
        gathered += soft[:, layout.place[:, copy]]
    decided = convolutional.decode(gathered)[:, : layout.n_bits] if one.coded else gathered < 0
    return np.asarray(decided != bit)


def _carried_bits(n_bits: int, parity_bytes: int, random: np.random.Generator, n: int) -> Array:
    if not parity_bytes:
        return random.integers(0, 2, (n, n_bits), np.uint8)
    message = random.integers(0, 256, (n, n_bits // 8 - parity_bytes), np.uint8)
    return np.unpackbits(reed_solomon.encode(message, parity_bytes), axis=1)


def _placed(bit: Array, one: Waveform, layout: Frame, random: np.random.Generator) -> Array:
    """(n, n_symbols, n_carriers, bits) coded, repeated and interleaved; unused places hold random bits."""
    if one.coded:
        steps = np.zeros((bit.shape[0], layout.n_steps), np.uint8)
        steps[:, : layout.n_bits] = bit
        bit = convolutional.encode(steps)
    n_places = layout.n_symbols * layout.n_carriers * one.bits
    out = random.integers(0, 2, (bit.shape[0], n_places), np.uint8)
    for copy in range(one.repetition):
        out[:, layout.place[:, copy]] = bit
    return out.reshape(-1, layout.n_symbols, layout.n_carriers, one.bits)


def _is_lost(wrong: Array, parity_bytes: int) -> Array:
    if not parity_bytes:
        return np.asarray(wrong.any(axis=1))
    n_wrong_bytes = wrong.reshape(wrong.shape[0], -1, 8).any(axis=2).sum(axis=1)
    return ~reed_solomon.is_mended(n_wrong_bytes, parity_bytes)
