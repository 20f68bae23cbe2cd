"""Fit and check the scales of the effective-SNR mappings against the modem, `plc_scales.csv`.

On the even ones of the random channels of `selective` a scale is fitted, on the odd ones it is judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize_scalar

from ..plc_error_paths import log_sum
from ..plc_waveforms import WAVEFORMS
from .link import frame_of, simulate
from .modulation import pair_snr
from .selective import channel

Array = NDArray[Any]

SCALES = Path(__file__).parents[1] / "plc_scales.csv"
SEED = 12
WANTED = 0.1
"""Packet error ratio at which the needed SNR is compared."""
STEP_DB = 0.4
FLAT_FRAMES_FACTOR = 4
SCALE_RANGE = (0.1, 60.0)
START_SCALE = 1.0


def terms(name: str, snr: Array) -> Array:
    """SNR behind the detector of (n_symbols, n_carriers) linear SNR; the first carrier or symbol has its own twice."""
    detection = WAVEFORMS[name].detection
    if detection == "coherent":
        return snr
    below = snr if detection == "time" else np.concatenate([snr[:, :1], snr[:, :-1]], axis=1)
    return pair_snr(snr, below)


def shift_db(name: str, relative: Array, scale: float, flat_db: float) -> float:
    """By how much a channel must be raised until it loses as many frames as a flat one of flat_db, predicted [dB].

    relative : (n_symbols, n_carriers) linear
    """
    wanted = _strength(name, np.full(relative.shape, 10 ** (flat_db / 10)), scale)

    def excess(shift: float) -> float:
        return _strength(name, relative * 10 ** (shift / 10), scale) - wanted

    return float(brentq(excess, -80.0, 80.0, xtol=1e-3))


def _strength(name: str, snr: Array, scale: float) -> float:
    """What two channels share that lose as many frames; rising with SNR."""
    one = WAVEFORMS[name]
    if one.interleaving == "frame":
        return effective_db(terms(name, snr), scale)
    # the first block, copies of a carrier in symbols of their own
    turns = np.arange(one.repetition) * (snr.shape[1] // one.repetition)
    copies = [np.roll(row, -turn) for row, turn in zip(terms(name, snr[: one.repetition]), turns, strict=True)]
    return -log_sum(name, scale, np.sum(copies, axis=0))


def effective_db(terms: Array, scale: float) -> float:
    """-scale ln mean exp(-term / scale) [dB], the smallest taken out first."""
    least = float(terms.min())
    return float(10 * np.log10(least - scale * np.log(np.exp((least - terms) / scale).mean())))


def needed_shift_db(name: str, relative: Array, *, n_frames: int, seed: int, start_db: float) -> float:
    """The same by Monte-Carlo: SNR shift at which a tenth of the frames is lost [dB].

    The same random numbers at every shift; the logarithm of the error ratio is taken as straight between two shifts
    0.4 dB apart.
    """

    def per(shift_db: float) -> float:
        snr = relative * 10 ** (shift_db / 10)
        lost = simulate(name, WAVEFORMS[name].reference_bytes, snr, n_frames=n_frames, seed=seed).n_errors
        return max(lost, 0.5) / n_frames

    shift, now = start_db, per(start_db)
    step = STEP_DB if now > WANTED else -STEP_DB
    while True:
        after = per(shift + step)
        if (after > WANTED) != (now > WANTED):
            return float(shift + step * np.log(WANTED / now) / np.log(after / now))
        shift, now = shift + step, after


@dataclass(frozen=True)
class Scale:
    """One row of the file: scale, and error on channels not used to fit [dB rms]."""

    waveform: str
    mapping: str
    detected_beta: float
    rms_db: float
    n_channels: int


def scaled_waveforms() -> list[str]:
    """Waveforms whose errors follow an effective SNR: all coded ones."""
    return [name for name, one in WAVEFORMS.items() if one.coded]


def needed_shifts_db(name: str, n_channels: int, n_frames: int) -> tuple[list[Array], Array, float]:
    """Channels, the shift that each needs, and the SNR that a flat one needs [dB], all by Monte-Carlo."""
    layout = frame_of(name, WAVEFORMS[name].reference_bytes)
    flat = np.ones((layout.n_symbols, layout.n_carriers))
    flat_db = needed_shift_db(name, flat, n_frames=FLAT_FRAMES_FACTOR * n_frames, seed=SEED, start_db=2.0)
    channels = [channel(name, number, layout) for number in range(n_channels)]
    needed = [
        needed_shift_db(
            name,
            cells,
            n_frames=n_frames,
            seed=SEED + number,
            start_db=shift_db(name, cells, START_SCALE, flat_db),
        )
        for number, cells in enumerate(channels)
    ]
    return channels, np.array(needed), flat_db


def fitted_scale(name: str, channels: Sequence[Array], needed: Array, flat_db: float) -> float:
    """Scale of least squared error in the shift."""

    def squares(log_scale: float) -> float:
        return rms_db(name, float(np.exp(log_scale)), channels, needed, flat_db)

    best = minimize_scalar(squares, bounds=tuple(np.log(SCALE_RANGE)), method="bounded", options={"xatol": 1e-2})
    return float(np.exp(best.x))


def rms_db(name: str, scale: float, channels: Sequence[Array], needed: Array, flat_db: float) -> float:
    """Error of the predicted shift [dB rms]."""
    predicted = np.array([shift_db(name, cells, scale, flat_db) for cells in channels])
    return float(np.sqrt(np.mean((predicted - needed) ** 2)))


def fit(name: str, n_channels: int, n_frames: int) -> Scale:
    """The mapping of a waveform, fitted on n_channels and judged on as many others."""
    channels, needed, flat_db = needed_shifts_db(name, 2 * n_channels, n_frames)
    scale = fitted_scale(name, channels[::2], needed[::2], flat_db)
    kind = "mean" if WAVEFORMS[name].interleaving == "frame" else "paths"
    return Scale(name, kind, scale, rms_db(name, scale, channels[1::2], needed[1::2], flat_db), n_channels)


def write_scales(scales: Iterable[Scale], path: Path, n_frames: int) -> None:
    """Scales as CSV behind their recipe."""
    head = (
        "# Scales (beta, linear) of the effective SNR, made by channels/phy/modem/scales.py.\n"
        "# Both mappings start from the SNR behind the detector, p = 1 / (1/a + 1/b + 1/(a b)); a = b in time,\n"
        "# neighbours in frequency; back to flat SNR: p + sqrt(p p + p). Coherent: the SNR itself.\n"
        "# mean: -beta ln mean exp(-p / beta) over the frame. paths: the sum over error paths of the code, each bit\n"
        "# of a path exp(-p d d / (4 beta)), through the interleaver of one symbol or four (plc_error_paths).\n"
        "# Fitted on n_channels random channels, errors [dB rms, SNR for 10 % lost frames] on as many others;\n"
        "# log-normal 4 and 8 dB per carrier, notches, two rays, mains cycle (not within a symbol).\n"
        f"# Seed {SEED}; {n_frames} frames a point. Rerun: python -m amiplan.channels.phy.modem.make\n"
        "waveform,mapping,detected_beta,rms_db,n_channels\n"
    )
    rows = (f"{s.waveform},{s.mapping},{s.detected_beta:.4g},{s.rms_db:.2f},{s.n_channels}\n" for s in scales)
    path.write_text(head + "".join(rows), encoding="utf-8")


def read_scales(path: Path = SCALES) -> dict[str, Scale]:
    """The stored scales by waveform."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    rows = (line.split(",") for line in lines[1:])
    return {name: Scale(name, kind, float(beta), float(rms), int(n)) for name, kind, beta, rms, n in rows}
