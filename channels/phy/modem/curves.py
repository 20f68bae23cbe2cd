"""Make and rerun the stored curves: packet error ratio against flat SNR, `plc_curves.csv`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..plc_waveforms import WAVEFORMS
from .link import HEADER_BITS, simulate

Array = NDArray[Any]

CURVES = Path(__file__).parents[1] / "plc_curves.csv"
SEED = 1901
WANTED_ERRORS = 100
HIGHEST, LOWEST = 0.9, 1e-3
"""Packet error ratios between which a curve is stored."""
FIRST_FRAMES = 400
COARSE_DB, COARSE_FRAMES = 1.0, 40
START_DB, END_DB = -15.0, 40.0

LENGTHS: dict[str, tuple[int, ...]] = {
    "g3:S-ROBO": (20, 60, 90),
    "g3:ROBO": (20, 60, 133),
    "g3:C-ROBO": (20, 60, 133),
    **dict.fromkeys(("g3:DBPSK", "g3:DQPSK", "g3:BPSK", "g3:QPSK"), (30, 100, 235)),
    **dict.fromkeys(("g3:D8PSK", "g3:8PSK", "g3:16QAM"), (30, 100, 199, 239)),
    **dict.fromkeys((name for name in WAVEFORMS if name.startswith("prime:")), (20, 100, 255)),
    **{name: (WAVEFORMS[name].reference_bytes,) for name in HEADER_BITS},
}
"""PSDU bytes of the stored curves."""


@dataclass(frozen=True)
class Point:
    """One row of the file."""

    waveform: str
    payload_bytes: int
    snr_db: float
    per: float
    n_frames: int
    n_errors: int


def make_point(name: str, n_bytes: int, snr_db: float, max_frames: int) -> Point:
    """Frames in growing runs until 100 are lost or max_frames are sent; the seed follows from SNR and length."""
    n_frames = n_errors = 0
    run = FIRST_FRAMES
    while n_errors < WANTED_ERRORS and n_frames < max_frames:
        run = min(run, max_frames - n_frames)
        # every point and run has numbers of its own
        seed = int(np.random.SeedSequence([SEED, round(100 * snr_db) + 10_000, n_bytes, n_frames]).generate_state(1)[0])
        count = simulate(name, n_bytes, np.array(10 ** (snr_db / 10)), n_frames=run, seed=seed)
        n_frames, n_errors, run = n_frames + count.n_frames, n_errors + count.n_errors, 2 * run
    return Point(name, n_bytes, round(snr_db, 2), n_errors / n_frames, n_frames, n_errors)


def make_curve(name: str, n_bytes: int, max_frames: int) -> Iterator[Point]:
    """Points from a packet error ratio of about 0.9 down to 0.001, in steps of 0.2 dB (Reed-Solomon) or 0.25 dB."""
    step = 0.2 if WAVEFORMS[name].parity_bytes else 0.25
    snr_db = START_DB
    while make_point(name, n_bytes, snr_db, COARSE_FRAMES).per > HIGHEST:
        snr_db += COARSE_DB
    snr_db = step * round((snr_db - COARSE_DB) / step)
    while snr_db < END_DB:
        point = make_point(name, n_bytes, snr_db, max_frames)
        if point.per <= HIGHEST and point.n_errors:
            yield point
        if point.per < LOWEST:
            return
        snr_db += step


def make_curves(max_frames: int, names: Iterable[str] = tuple(WAVEFORMS)) -> Iterator[Point]:
    """Every curve of `LENGTHS`."""
    for name in names:
        for n_bytes in LENGTHS[name]:
            yield from make_curve(name, n_bytes, max_frames)


def write_curves(points: Iterable[Point], path: Path, max_frames: int) -> None:
    """Points as CSV behind their recipe."""
    head = (
        "# Packet error ratio against flat SNR (Es/N0 per carrier, dB), made by channels/phy/modem/curves.py.\n"
        "# Perfect synchronisation and channel estimation, max-log soft bits weighted with the SNR, soft Viterbi;\n"
        "# interleaving: G3 over the frame (a fixed permutation), PRIME as in modem/interleaving.py.\n"
        f"# Headers hold their own bits: {', '.join(f'{name} {bits}' for name, bits in HEADER_BITS.items())}.\n"
        f"# Seed {SEED}; every point until {WANTED_ERRORS} lost frames or {max_frames} frames.\n"
        "# Rerun: python -m amiplan.channels.phy.modem.make\n"
        "waveform,payload_bytes,snr_db,per,n_frames,n_errors\n"
    )
    rows = (f"{p.waveform},{p.payload_bytes},{p.snr_db:g},{p.per:.3g},{p.n_frames},{p.n_errors}\n" for p in points)
    path.write_text(head + "".join(rows), encoding="utf-8")


def read_points(path: Path = CURVES) -> list[Point]:
    """The stored points, in their order."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    rows = (line.split(",") for line in lines[1:])
    return [Point(name, int(size), float(snr), float(per), int(n), int(lost)) for name, size, snr, per, n, lost in rows]
